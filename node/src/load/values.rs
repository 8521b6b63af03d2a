//! `INSERT .. VALUES`: literals straight to the table's types, without a query.

use super::Load;
use crate::error::EngineError;
use crate::sql::{Cell, ValueRows};
use arrow::array::{ArrayRef, RecordBatch};
use arrow::compute::{CastOptions, cast_with_options};
use arrow::datatypes::{Field, Schema as ArrowSchema};
use std::sync::Arc;
use tablet::{Column, ColumnType, Datum, DefaultValue, RowError, Schema, ValueError};

/// Rows that are made into columns at a time,
const BATCH_ROWS: usize = 8192;
/// or fewer, when they have so many bytes of text.
const BATCH_BYTES: usize = 8 << 20;

/// The values in `rows` that are not literals, in the order in which [`insert`] wants their results.
pub(crate) fn expressions(rows: &ValueRows) -> Vec<&str> {
    let count = rows.len();
    (0..count)
        .flat_map(|row| (0..rows.width()).filter_map(move |column| rows.cell(row, column)))
        .filter_map(|cell| if let Cell::Expression(text) = cell { Some(text) } else { None })
        .collect()
}

/// Puts rows into a load. `columns` are the positions of the table's columns that the rows give; `results` holds an array of
/// one value for each of [`expressions`].
///
/// # Errors
/// Invalid, naming row, column and value.
pub(crate) async fn insert(
    load: &mut Load,
    columns: &Arc<[usize]>,
    rows: &ValueRows,
    results: &[ArrayRef],
    now_ms: u64,
) -> Result<(), EngineError> {
    let mut results = results.iter();
    let mut begin = 0;
    while begin < rows.len() {
        let end = end_of_batch(rows, begin);
        let batch = batch(load.schema(), columns, rows, begin..end, &mut results, now_ms)?;
        load.insert(columns, batch).await?;
        begin = end;
    }
    Ok(())
}

/// The row behind those that are made into columns together.
fn end_of_batch(rows: &ValueRows, begin: usize) -> usize {
    let mut bytes = 0;
    let last = rows.len().min(begin + BATCH_ROWS);
    let full = (begin..last).find(|row| {
        bytes += rows.text_bytes(*row);
        bytes >= BATCH_BYTES
    });
    full.map_or(last, |row| row + 1)
}

fn batch<'a>(
    schema: &Schema,
    columns: &[usize],
    rows: &ValueRows,
    range: std::ops::Range<usize>,
    results: &mut impl Iterator<Item = &'a ArrayRef>,
    now_ms: u64,
) -> Result<RecordBatch, EngineError> {
    let targets: Vec<&Column> = columns.iter().filter_map(|at| schema.columns().get(*at)).collect();
    let mut values: Vec<Vec<Datum>> = targets.iter().map(|_| Vec::with_capacity(range.len())).collect();
    for row in range {
        for (at, (target, values)) in targets.iter().zip(&mut values).enumerate() {
            let cell = rows.cell(row, at).unwrap_or(Cell::Null);
            let datum = datum(target, cell, results, now_ms)
                .map_err(|problem| EngineError::invalid(place(target, row, &problem)))?;
            values.push(datum);
        }
    }
    let arrays = targets
        .iter()
        .zip(&values)
        .map(|(target, values)| Datum::array(&target.data_type, values))
        .collect::<Result<Vec<_>, _>>()?;
    let fields: Vec<Field> =
        targets.iter().map(|target| Field::new(&target.name, target.data_type.arrow(), true)).collect();
    Ok(RecordBatch::try_new(Arc::new(ArrowSchema::new(fields)), arrays)?)
}

/// Why a value cannot stand in its column.
enum Problem {
    Value(ValueError),
    Other(String),
}

impl From<ValueError> for Problem {
    fn from(error: ValueError) -> Self {
        Self::Value(error)
    }
}

fn place(target: &Column, row: usize, problem: &Problem) -> String {
    match problem {
        Problem::Value(problem) => RowError { row, column: target.name.clone(), problem: problem.clone() }.to_string(),
        Problem::Other(message) => format!("row {}, column '{}': {message}", row + 1, target.name),
    }
}

fn datum<'a>(
    target: &Column,
    cell: Cell<'_>,
    results: &mut impl Iterator<Item = &'a ArrayRef>,
    now_ms: u64,
) -> Result<Datum, Problem> {
    let parse = |text: &str| Datum::parse(&target.data_type, text);
    match cell {
        Cell::Null => Ok(Datum::Null),
        Cell::Default => Ok(default(target, now_ms)?),
        Cell::Bool(value) if target.data_type == ColumnType::Boolean => Ok(Datum::Bool(value)),
        Cell::Bool(value) => Ok(parse(if value { "1" } else { "0" })?),
        Cell::Number(text) => Ok(parse(text)?),
        Cell::Text(text) => Ok(parse(&text)?),
        Cell::Bytes(bytes) if matches!(target.data_type, ColumnType::Varbinary(_)) => Ok(Datum::Bytes(bytes)),
        Cell::Bytes(bytes) => match std::str::from_utf8(&bytes) {
            Ok(text) => Ok(parse(text)?),
            Err(wrong) => Err(Problem::Other(format!("bytes that are not UTF-8: {wrong}"))),
        },
        Cell::Expression(text) => {
            let result = results.next().ok_or_else(|| Problem::Other(format!("{text} has no result")))?;
            let strict = CastOptions { safe: false, ..CastOptions::default() };
            let cast = cast_with_options(result, &target.data_type.arrow(), &strict)
                .map_err(|failed| Problem::Other(format!("{text}: {failed}")))?;
            Datum::at(&cast, 0).map_err(|failed| Problem::Other(format!("{text}: {failed}")))
        }
    }
}

/// What `DEFAULT` stands for.
pub(crate) fn default(target: &Column, now_ms: u64) -> Result<Datum, ValueError> {
    match &target.default {
        None | Some(DefaultValue::Null) => Ok(Datum::Null),
        Some(DefaultValue::Literal(text)) => Datum::parse(&target.data_type, text),
        Some(DefaultValue::CurrentTimestamp) => {
            Ok(Datum::DateTime(i64::try_from(now_ms).unwrap_or(i64::MAX / 1000).saturating_mul(1000)))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sql::{InsertSource, Statement};

    #[test]
    fn long_values_make_short_batches() {
        let text = "x".repeat(3 << 20);
        let values: Vec<String> = (0..7).map(|row| format!("({row}, '{text}')")).collect();
        let parsed = crate::sql::parse(&format!("INSERT INTO t VALUES {}", values.join(", "))).unwrap();
        let [Statement::Insert(insert)] = parsed.as_slice() else { panic!("{parsed:?}") };
        let InsertSource::Values(rows) = &insert.source else { panic!("{insert:?}") };
        assert_eq!([0, 3, 6].map(|begin| end_of_batch(rows, begin)), [3, 6, 7]);
    }
}
