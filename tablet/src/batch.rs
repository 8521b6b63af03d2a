//! Rows on their way into a table: cast strictly to the table's types.
//!
//! What comes in has the types that a query, a CSV or a Parquet reader gives it; what goes out has exactly the table's, within their limits.
//! Text is read as [`Datum::parse`] does. Fractions are rounded to a DECIMAL's scale and cut off for integers; everything else that does not
//! fit, overflow, too long text, NULL in a NOT NULL column, is an error that names row, column and value. NaN becomes one NaN
//! and -0 becomes 0, so that equal values are equal bytes.

mod cast;
mod limits;
#[cfg(test)]
mod tests;

use crate::datum::{Datum, ValueError};
use crate::error::{Error, Result};
use crate::schema::{Column, DefaultValue, Schema};
use arrow::array::{ArrayRef, BooleanArray, RecordBatch, RecordBatchOptions, UInt64Array, new_null_array};
use arrow::compute::{filter, take};
use std::collections::BTreeMap;
use thiserror::Error as ThisError;

/// A row that does not fit the table.
#[derive(Debug, Clone, PartialEq, Eq, ThisError)]
#[error("row {}, column '{column}': {problem}", row + 1)]
pub struct RowError {
    /// The row in the batch, from 0; shown from 1. A caller that reads many batches adds the rows before.
    pub row: usize,
    /// The column's name.
    pub column: String,
    /// What is wrong.
    pub problem: ValueError,
}

/// Rows that fit, and what was wrong with the others.
#[derive(Debug, Clone)]
pub struct Conformed {
    /// The rows that fit, in their order, with all columns of the table.
    pub rows: RecordBatch,
    /// The first problem of each row that does not, by row.
    pub refused: Vec<RowError>,
}

/// Problems by row; of each row the first column's.
#[derive(Debug, Default)]
struct Problems(BTreeMap<usize, RowError>);

impl Problems {
    fn note(&mut self, column: &Column, row: usize, problem: ValueError) {
        self.0.entry(row).or_insert_with(|| RowError { row, column: column.name.clone(), problem });
    }
}

/// Casts rows to the table's types and adds the columns that they lack. `columns` says which column of the table each column of
/// the batch is; `now_ms`, milliseconds since 1970 in UTC, is what CURRENT_TIMESTAMP stands for.
///
/// # Errors
/// The first row that does not fit; `Invalid` when `columns` does not suit, a type cannot be cast at all, or a column is lacking
/// that is NOT NULL and has no default.
pub fn conform(schema: &Schema, columns: &[usize], batch: &RecordBatch, now_ms: u64) -> Result<RecordBatch> {
    let conformed = conform_rows(schema, columns, batch, now_ms)?;
    match conformed.refused.into_iter().next() {
        Some(problem) => Err(Error::Row(Box::new(problem))),
        None => Ok(conformed.rows),
    }
}

/// As [`conform`], but rows that do not fit are left out and told.
///
/// # Errors
/// `Invalid` when `columns` does not suit, a type cannot be cast at all, or a column is lacking that is NOT NULL and has no default.
pub fn conform_rows(schema: &Schema, columns: &[usize], batch: &RecordBatch, now_ms: u64) -> Result<Conformed> {
    let given = given(schema, columns, batch)?;
    let rows = batch.num_rows();
    let mut problems = Problems::default();
    let mut arrays = Vec::with_capacity(given.len());
    for (column, source) in schema.columns().iter().zip(given) {
        arrays.push(match source {
            Some(array) => {
                let cast = cast::cast(column, array, &mut problems)?;
                limits::check(column, &cast, array, &mut problems)
            }
            None => default_array(column, rows, now_ms)?,
        });
    }
    if !problems.0.is_empty() {
        let fits: BooleanArray = (0..rows).map(|row| Some(!problems.0.contains_key(&row))).collect();
        arrays = arrays.iter().map(|array| filter(array, &fits)).collect::<Result<_, _>>()?;
    }
    let left = RecordBatchOptions::new().with_row_count(Some(rows.saturating_sub(problems.0.len())));
    let rows = RecordBatch::try_new_with_options(schema.arrow(), arrays, &left)?;
    Ok(Conformed { rows, refused: problems.0.into_values().collect() })
}

/// For each column of the table what the batch gives for it.
fn given<'a>(schema: &Schema, columns: &[usize], batch: &'a RecordBatch) -> Result<Vec<Option<&'a ArrayRef>>> {
    if columns.len() != batch.num_columns() {
        let (named, found) = (columns.len(), batch.num_columns());
        return Err(Error::Invalid(format!("{named} columns are named and the rows have {found} values")));
    }
    let mut given: Vec<Option<&ArrayRef>> = vec![None; schema.columns().len()];
    for (column, array) in columns.iter().zip(batch.columns()) {
        let place =
            given.get_mut(*column).ok_or_else(|| Error::Invalid(format!("the table has no column {column}")))?;
        if place.replace(array).is_some() {
            let name = schema.columns().get(*column).map_or("", |column| &column.name);
            return Err(Error::Invalid(format!("column '{name}' is given twice")));
        }
    }
    Ok(given)
}

fn default_array(column: &Column, rows: usize, now_ms: u64) -> Result<ArrayRef> {
    let value = match &column.default {
        Some(DefaultValue::Literal(text)) => Datum::parse(&column.data_type, text)?,
        Some(DefaultValue::CurrentTimestamp) => {
            Datum::DateTime(i64::try_from(now_ms).unwrap_or(i64::MAX).saturating_mul(1000))
        }
        Some(DefaultValue::Null) | None if column.nullable => {
            return Ok(new_null_array(&column.data_type.arrow(), rows));
        }
        Some(DefaultValue::Null) | None => {
            let name = &column.name;
            return Err(Error::Invalid(format!(
                "column '{name}' is NOT NULL, has no default and is not given; give it"
            )));
        }
    };
    let one = Datum::array(&column.data_type, &[value])?;
    Ok(take(&one, &UInt64Array::from(vec![0; rows]), None)?)
}
