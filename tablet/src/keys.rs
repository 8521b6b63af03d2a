//! Keys as bytes whose order is the order of the values: what rows are sorted and merged by, what a primary key index holds.
//!
//! The encoding never changes: indexes and segment statistics hold it. Each column is one byte, 0 for NULL and 1 otherwise, and then
//! * BOOLEAN: 0 or 1;
//! * integers, DATE, DATETIME, DECIMAL: big-endian in the width of the type (LARGEINT and DECIMAL 16 bytes), the sign bit turned;
//! * FLOAT, DOUBLE: big-endian bits, all turned when negative, only the sign otherwise; one NaN, one zero;
//! * text and bytes: the bytes, each 0 followed by 255, and two 0 at the end.

#[cfg(test)]
mod tests;

use crate::datum::number;
use crate::error::{Error, Result};
use crate::schema::Schema;
use crate::values::Values;
use arrow::array::{ArrayRef, RecordBatch};

/// Encoded keys of a batch's rows, in one buffer.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Keys {
    bytes: Vec<u8>,
    /// Where each key ends.
    ends: Vec<usize>,
}

impl Keys {
    /// How many.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// The key of a row; empty when there is no such row.
    pub fn get(&self, row: usize) -> &[u8] {
        let end = self.ends.get(row).copied().unwrap_or_default();
        let start = row.checked_sub(1).and_then(|before| self.ends.get(before)).copied().unwrap_or_default();
        self.bytes.get(start..end).unwrap_or_default()
    }

    /// All keys, in the order of the rows.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &[u8]> {
        (0..self.len()).map(|row| self.get(row))
    }
}

/// Encodes the key of every row. The batch has all columns of the table, or the key columns only.
///
/// # Errors
/// `Invalid` when the batch's columns are not the table's.
pub fn encode_keys(schema: &Schema, batch: &RecordBatch) -> Result<Keys> {
    let columns = batch.columns().get(..schema.key_len()).ok_or_else(|| {
        Error::Invalid(format!("a batch of {} columns lacks key columns: {}", batch.num_columns(), schema.key_len()))
    })?;
    for (column, array) in schema.key_columns().iter().zip(columns) {
        if *array.data_type() != column.data_type.arrow() {
            return Err(Error::Invalid(format!(
                "key column '{}' is {}, not {}",
                column.name,
                array.data_type(),
                column.data_type
            )));
        }
    }
    encode_columns(columns, batch.num_rows())
}

/// Encodes the rows of any columns of a table.
pub(crate) fn encode_columns(columns: &[ArrayRef], rows: usize) -> Result<Keys> {
    let values = columns.iter().map(|array| Values::of(array)).collect::<Result<Vec<_>>>()?;
    let mut keys = Keys { bytes: Vec::with_capacity(rows * columns.len() * 9), ends: Vec::with_capacity(rows) };
    for row in 0..rows {
        for column in &values {
            encode_value(column, row, &mut keys.bytes)?;
        }
        keys.ends.push(keys.bytes.len());
    }
    Ok(keys)
}

macro_rules! integer {
    ($out:expr, $value:expr, $type:ty) => {
        $out.extend_from_slice(&($value ^ <$type>::MIN).to_be_bytes())
    };
}

fn encode_value(column: &Values<'_>, row: usize, out: &mut Vec<u8>) -> Result<()> {
    if row >= column.len() || column.is_null(row) {
        out.push(0);
        return Ok(());
    }
    out.push(1);
    match column {
        Values::Bool(array) => out.push(u8::from(array.value(row))),
        Values::Int8(array) => integer!(out, array.value(row), i8),
        Values::Int16(array) => integer!(out, array.value(row), i16),
        Values::Int32(array) => integer!(out, array.value(row), i32),
        Values::Int64(array) => integer!(out, array.value(row), i64),
        Values::Date(array) => integer!(out, array.value(row), i32),
        Values::Micros(array) => integer!(out, array.value(row), i64),
        Values::Decimal128(array, _) => integer!(out, array.value(row), i128),
        Values::Decimal256(array, 0) => {
            let wide = array.value(row);
            let value = wide.to_i128().ok_or_else(|| Error::Invalid(format!("{wide} is too large a number")))?;
            integer!(out, value, i128);
        }
        Values::Float32(array) => {
            let bits = number::canonical_f32(array.value(row)).to_bits();
            let mask = if bits >> 31 == 1 { u32::MAX } else { 1 << 31 };
            out.extend_from_slice(&(bits ^ mask).to_be_bytes());
        }
        Values::Float64(array) => {
            let bits = number::canonical_f64(array.value(row)).to_bits();
            let mask = if bits >> 63 == 1 { u64::MAX } else { 1 << 63 };
            out.extend_from_slice(&(bits ^ mask).to_be_bytes());
        }
        Values::Text(array) => encode_bytes(array.value(row).as_bytes(), out),
        Values::Bytes(array) => encode_bytes(array.value(row), out),
        Values::Null(_)
        | Values::UInt8(_)
        | Values::UInt16(_)
        | Values::UInt32(_)
        | Values::UInt64(_)
        | Values::Decimal256(..)
        | Values::Seconds(_)
        | Values::Millis(_)
        | Values::Nanos(_)
        | Values::LargeText(_)
        | Values::TextView(_)
        | Values::LargeBytes(_)
        | Values::BytesView(_) => {
            let found = column.array().map_or_else(|| "NULL".to_owned(), |array| array.data_type().to_string());
            return Err(Error::Invalid(format!("a column of {found} is none that a table has")));
        }
    }
    Ok(())
}

/// Two digits a byte.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        for nibble in [byte >> 4, byte & 15] {
            text.push(char::from_digit(nibble.into(), 16).unwrap_or('?'));
        }
        text
    })
}

fn encode_bytes(bytes: &[u8], out: &mut Vec<u8>) {
    let mut rest = bytes;
    while let Some(zero) = rest.iter().position(|byte| *byte == 0) {
        let (before, after) = rest.split_at_checked(zero + 1).unwrap_or((rest, &[]));
        out.extend_from_slice(before);
        out.push(255);
        rest = after;
    }
    out.extend_from_slice(rest);
    out.extend_from_slice(&[0, 0]);
}
