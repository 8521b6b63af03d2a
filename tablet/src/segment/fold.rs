//! Rows of equal keys become one: what Unique Key and Aggregate Key tables do where rows are loaded, read and compacted.
//!
//! Sums are exact: they are added up in more digits than the column has, so only the sum as a whole has to fit, whatever
//! the values on the way to it. One that does not fit is an error and never a wrong number. FLOAT and DOUBLE are added in
//! the order of the rows, as a DOUBLE.

use crate::datum::{Datum, number};
use crate::error::{Error, Result};
use crate::keys::encode_columns;
use crate::schema::{Aggregation, Column, Schema};
use crate::types::ColumnType;
use crate::values::{Value, Values};
use arrow::array::{Array, ArrayRef, RecordBatch, UInt64Array};
use arrow::compute::take;
use arrow::datatypes::i256;
use std::ops::Range;

/// Runs of neighbouring rows that have one key each, by the first row of each run.
#[derive(Debug, Clone, Copy)]
pub(super) struct Runs<'a> {
    pub(super) starts: &'a [usize],
    /// Behind the last row.
    pub(super) end: usize,
}

impl Runs<'_> {
    fn iter(&self) -> impl Iterator<Item = Range<usize>> {
        let ends = self.starts.iter().copied().skip(1).chain([self.end]);
        self.starts.iter().copied().zip(ends).map(|(start, end)| start..end)
    }

    /// For each row the number of its run.
    pub(super) fn numbers(&self) -> Vec<u32> {
        let mut numbers = Vec::with_capacity(self.end);
        for (number, run) in (0_u32..).zip(self.iter()) {
            numbers.extend(run.map(|_row| number));
        }
        numbers
    }
}

/// One row for each run. The batch has all columns of the table.
///
/// # Errors
/// [`Error::SumRange`] for a sum that its column cannot hold.
pub(super) fn fold(schema: &Schema, rows: &RecordBatch, runs: Runs<'_>) -> Result<RecordBatch> {
    if runs.starts.len() == rows.num_rows() {
        return Ok(rows.clone());
    }
    let columns = schema.columns().iter().zip(rows.columns()).enumerate().map(|(at, (column, array))| {
        let picked = match schema.aggregation(at) {
            None => pick(runs, |run| run.start),
            Some(Aggregation::Replace) => pick(runs, |run| run.end.saturating_sub(1)),
            Some(Aggregation::ReplaceIfNotNull) => pick(runs, |run| {
                let last = run.end.saturating_sub(1);
                run.rev().find(|row| array.is_valid(*row)).unwrap_or(last)
            }),
            Some(Aggregation::Min) => extremes(array, runs, |candidate, best| candidate < best)?,
            Some(Aggregation::Max) => extremes(array, runs, |candidate, best| candidate > best)?,
            Some(Aggregation::Sum) => return sums(schema, column, array, rows, runs),
        };
        Ok(take(array, &picked, None)?)
    });
    Ok(RecordBatch::try_new(rows.schema(), columns.collect::<Result<_>>()?)?)
}

/// Of each run one row.
fn pick(runs: Runs<'_>, which: impl Fn(Range<usize>) -> usize) -> UInt64Array {
    runs.iter().map(|run| Some(which(run) as u64)).collect()
}

/// Of each run the row whose value is before all others, the first one of several; NULL does not count.
fn extremes(array: &ArrayRef, runs: Runs<'_>, better: impl Fn(&[u8], &[u8]) -> bool) -> Result<UInt64Array> {
    // The order of keys is the order of values.
    let values = encode_columns(std::slice::from_ref(array), array.len())?;
    Ok(pick(runs, |run| {
        let first = run.start;
        let mut valid = run.filter(|row| array.is_valid(*row));
        let Some(mut best) = valid.next() else { return first };
        for row in valid {
            if better(values.get(row), values.get(best)) {
                best = row;
            }
        }
        best
    }))
}

fn sums(schema: &Schema, column: &Column, array: &ArrayRef, rows: &RecordBatch, runs: Runs<'_>) -> Result<ArrayRef> {
    let values = Values::of(array)?;
    let mut sums = Vec::with_capacity(runs.starts.len());
    for run in runs.iter() {
        let first = run.start;
        let sum = if matches!(column.data_type, ColumnType::Float | ColumnType::Double) {
            float_sum(&values, run)?
        } else if let Some(sum) = exact_sum(&values, run)? {
            fitting(column.data_type, sum)
                .ok_or_else(|| out_of_range(schema, column, rows, first, &shown(column.data_type, sum)))?
        } else {
            Datum::Null
        };
        sums.push(sum);
    }
    Datum::array(&column.data_type, &sums)
}

/// None when all are NULL. As many values as a machine can hold do not overflow 256 bits.
fn exact_sum(values: &Values<'_>, run: Range<usize>) -> Result<Option<i256>> {
    let mut sum = None;
    for row in run {
        let value = match values.get(row)? {
            Value::Int(value) | Value::Decimal(value, _) => value,
            Value::Null => continue,
            Value::Bool(_)
            | Value::Float(_)
            | Value::Date(_)
            | Value::DateTime(_)
            | Value::Text(_)
            | Value::Bytes(_) => {
                return Err(Error::Internal("a sum of what is no number".to_owned()));
            }
        };
        sum = Some(sum.unwrap_or(i256::ZERO).wrapping_add(i256::from_i128(value)));
    }
    Ok(sum)
}

fn float_sum(values: &Values<'_>, run: Range<usize>) -> Result<Datum> {
    let mut sum = None;
    for row in run {
        if let Value::Float(value) = values.get(row)? {
            sum = Some(sum.map_or(value, |sum: f64| sum + value));
        }
    }
    Ok(sum.map_or(Datum::Null, |sum| Datum::Float(number::canonical_f64(sum))))
}

/// The sum as a value of the type, if it is one.
fn fitting(data_type: ColumnType, sum: i256) -> Option<Datum> {
    let sum = sum.to_i128()?;
    if let ColumnType::Decimal { precision, scale } = data_type {
        let limit = 10_i128.checked_pow(u32::from(precision))?;
        return (-limit < sum && sum < limit).then_some(Datum::Decimal { unscaled: sum, scale });
    }
    number::fits(data_type, sum).then_some(Datum::Int(sum))
}

fn shown(data_type: ColumnType, sum: i256) -> String {
    match (data_type, sum.to_i128()) {
        (ColumnType::Decimal { scale, .. }, Some(unscaled)) => Datum::Decimal { unscaled, scale }.to_string(),
        (ColumnType::Decimal { scale, .. }, None) if scale > 0 => format!("{sum}e-{scale}"),
        _ => sum.to_string(),
    }
}

fn out_of_range(schema: &Schema, column: &Column, rows: &RecordBatch, row: usize, sum: &str) -> Error {
    let key = rows.columns().iter().take(schema.key_len());
    let key: Vec<String> =
        key.map(|array| Datum::at(array, row).map_or_else(|_odd| "?".to_owned(), |value| value.to_string())).collect();
    Error::SumRange {
        column: column.name.clone(),
        key: crate::datum::shorten(&key.join(", ")),
        sum: sum.to_owned(),
        data_type: column.data_type,
    }
}
