//! Values of Arrow arrays seen through one enum, borrowed, and the canonical encoding of them that hashes are taken of.
//!
//! The canonical encoding never changes: buckets of stored rows depend on it. A value is a tag byte and a body, integers
//! little-endian:
//!
//! | value | tag | body |
//! |---|---|---|
//! | NULL | 0 | none |
//! | BOOLEAN | 1 | 0 or 1 |
//! | TINYINT to LARGEINT | 2 | 16 bytes, whatever the width |
//! | FLOAT, DOUBLE | 3 | 8 bytes, bits of the f64; one NaN, one zero |
//! | DECIMAL | 4 | 16 bytes unscaled, 1 byte scale |
//! | DATE | 5 | 4 bytes, days since 1970-01-01 |
//! | DATETIME | 6 | 8 bytes, microseconds since 1970-01-01 |
//! | CHAR, VARCHAR, STRING | 7 | 4 bytes length, the bytes |
//! | VARBINARY | 8 | 4 bytes length, the bytes |

use crate::datum::{Datum, number};
use crate::error::{Error, Result};
use arrow::array::{
    Array, ArrayRef, AsArray, BinaryArray, BinaryViewArray, BooleanArray, Date32Array, Decimal128Array,
    Decimal256Array, Float32Array, Float64Array, Int8Array, Int16Array, Int32Array, Int64Array, LargeBinaryArray,
    LargeStringArray, StringArray, StringViewArray, TimestampMicrosecondArray, TimestampMillisecondArray,
    TimestampNanosecondArray, TimestampSecondArray, UInt8Array, UInt16Array, UInt32Array, UInt64Array,
};
use arrow::datatypes::{DataType, TimeUnit};
use std::sync::Arc;

/// One value, borrowed from its array.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Value<'a> {
    Null,
    Bool(bool),
    Int(i128),
    Float(f64),
    Decimal(i128, u8),
    Date(i32),
    DateTime(i64),
    Text(&'a str),
    Bytes(&'a [u8]),
}

impl Value<'_> {
    pub(crate) fn to_datum(self) -> Datum {
        match self {
            Self::Null => Datum::Null,
            Self::Bool(value) => Datum::Bool(value),
            Self::Int(value) => Datum::Int(value),
            Self::Float(value) => Datum::Float(value),
            Self::Decimal(unscaled, scale) => Datum::Decimal { unscaled, scale },
            Self::Date(days) => Datum::Date(days),
            Self::DateTime(micros) => Datum::DateTime(micros),
            Self::Text(text) => Datum::Text(text.to_owned()),
            Self::Bytes(bytes) => Datum::Bytes(bytes.to_vec()),
        }
    }

    /// Appends the canonical encoding; see the module's text.
    pub(crate) fn encode(self, out: &mut Vec<u8>) {
        match self {
            Self::Null => out.push(0),
            Self::Bool(value) => out.extend_from_slice(&[1, u8::from(value)]),
            Self::Int(value) => {
                out.push(2);
                out.extend_from_slice(&value.to_le_bytes());
            }
            Self::Float(value) => {
                out.push(3);
                out.extend_from_slice(&number::canonical_f64(value).to_bits().to_le_bytes());
            }
            Self::Decimal(unscaled, scale) => {
                out.push(4);
                out.extend_from_slice(&unscaled.to_le_bytes());
                out.push(scale);
            }
            Self::Date(days) => {
                out.push(5);
                out.extend_from_slice(&days.to_le_bytes());
            }
            Self::DateTime(micros) => {
                out.push(6);
                out.extend_from_slice(&micros.to_le_bytes());
            }
            Self::Text(text) => encode_bytes(7, text.as_bytes(), out),
            Self::Bytes(bytes) => encode_bytes(8, bytes, out),
        }
    }
}

fn encode_bytes(tag: u8, bytes: &[u8], out: &mut Vec<u8>) {
    out.push(tag);
    // An Arrow value longer than 4 GiB does not exist in a table: the longest column type holds 1 MiB.
    out.extend_from_slice(&u32::try_from(bytes.len()).unwrap_or(u32::MAX).to_le_bytes());
    out.extend_from_slice(bytes);
}

/// A column's values.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Values<'a> {
    Null(usize),
    Bool(&'a BooleanArray),
    Int8(&'a Int8Array),
    Int16(&'a Int16Array),
    Int32(&'a Int32Array),
    Int64(&'a Int64Array),
    UInt8(&'a UInt8Array),
    UInt16(&'a UInt16Array),
    UInt32(&'a UInt32Array),
    UInt64(&'a UInt64Array),
    Float32(&'a Float32Array),
    Float64(&'a Float64Array),
    Decimal128(&'a Decimal128Array, u8),
    Decimal256(&'a Decimal256Array, u8),
    Date(&'a Date32Array),
    Seconds(&'a TimestampSecondArray),
    Millis(&'a TimestampMillisecondArray),
    Micros(&'a TimestampMicrosecondArray),
    Nanos(&'a TimestampNanosecondArray),
    Text(&'a StringArray),
    LargeText(&'a LargeStringArray),
    TextView(&'a StringViewArray),
    Bytes(&'a BinaryArray),
    LargeBytes(&'a LargeBinaryArray),
    BytesView(&'a BinaryViewArray),
}

impl<'a> Values<'a> {
    /// Looks into an array.
    ///
    /// # Errors
    /// `Invalid` when the type is none that a column or a query's result has.
    pub(crate) fn of(array: &'a dyn Array) -> Result<Self> {
        let refused = || Error::Invalid(format!("values of type {} cannot be read one by one", array.data_type()));
        #[expect(clippy::wildcard_enum_match_arm, reason = "all other Arrow types are refused, the ones to come too")]
        Ok(match array.data_type() {
            DataType::Null => Self::Null(array.len()),
            DataType::Boolean => Self::Bool(array.as_boolean()),
            DataType::Int8 => Self::Int8(array.as_primitive()),
            DataType::Int16 => Self::Int16(array.as_primitive()),
            DataType::Int32 => Self::Int32(array.as_primitive()),
            DataType::Int64 => Self::Int64(array.as_primitive()),
            DataType::UInt8 => Self::UInt8(array.as_primitive()),
            DataType::UInt16 => Self::UInt16(array.as_primitive()),
            DataType::UInt32 => Self::UInt32(array.as_primitive()),
            DataType::UInt64 => Self::UInt64(array.as_primitive()),
            DataType::Float32 => Self::Float32(array.as_primitive()),
            DataType::Float64 => Self::Float64(array.as_primitive()),
            DataType::Decimal128(_, scale) => {
                Self::Decimal128(array.as_primitive(), u8::try_from(*scale).ok().ok_or_else(refused)?)
            }
            DataType::Decimal256(_, scale) => {
                Self::Decimal256(array.as_primitive(), u8::try_from(*scale).ok().ok_or_else(refused)?)
            }
            DataType::Date32 => Self::Date(array.as_primitive()),
            DataType::Timestamp(TimeUnit::Second, _) => Self::Seconds(array.as_primitive()),
            DataType::Timestamp(TimeUnit::Millisecond, _) => Self::Millis(array.as_primitive()),
            DataType::Timestamp(TimeUnit::Microsecond, _) => Self::Micros(array.as_primitive()),
            DataType::Timestamp(TimeUnit::Nanosecond, _) => Self::Nanos(array.as_primitive()),
            DataType::Utf8 => Self::Text(array.as_string()),
            DataType::LargeUtf8 => Self::LargeText(array.as_string()),
            DataType::Utf8View => Self::TextView(array.as_string_view()),
            DataType::Binary => Self::Bytes(array.as_binary()),
            DataType::LargeBinary => Self::LargeBytes(array.as_binary()),
            DataType::BinaryView => Self::BytesView(array.as_binary_view()),
            _ => return Err(refused()),
        })
    }

    pub(crate) fn array(&self) -> Option<&'a dyn Array> {
        Some(match self {
            Self::Null(_) => return None,
            Self::Bool(array) => *array,
            Self::Int8(array) => *array,
            Self::Int16(array) => *array,
            Self::Int32(array) => *array,
            Self::Int64(array) => *array,
            Self::UInt8(array) => *array,
            Self::UInt16(array) => *array,
            Self::UInt32(array) => *array,
            Self::UInt64(array) => *array,
            Self::Float32(array) => *array,
            Self::Float64(array) => *array,
            Self::Decimal128(array, _) => *array,
            Self::Decimal256(array, _) => *array,
            Self::Date(array) => *array,
            Self::Seconds(array) => *array,
            Self::Millis(array) => *array,
            Self::Micros(array) => *array,
            Self::Nanos(array) => *array,
            Self::Text(array) => *array,
            Self::LargeText(array) => *array,
            Self::TextView(array) => *array,
            Self::Bytes(array) => *array,
            Self::LargeBytes(array) => *array,
            Self::BytesView(array) => *array,
        })
    }

    pub(crate) fn len(&self) -> usize {
        if let Self::Null(len) = self { *len } else { self.array().map_or(0, Array::len) }
    }

    pub(crate) fn is_null(&self, row: usize) -> bool {
        self.array().is_none_or(|array| array.is_null(row))
    }

    /// The value at a row.
    ///
    /// # Errors
    /// `Invalid` when there is no such row, or a number has more than 128 bits.
    pub(crate) fn get(&self, row: usize) -> Result<Value<'a>> {
        if row >= self.len() {
            return Err(Error::Invalid(format!("there is no row {row} among {}", self.len())));
        }
        if self.is_null(row) {
            return Ok(Value::Null);
        }
        Ok(match self {
            Self::Null(_) => Value::Null,
            Self::Bool(array) => Value::Bool(array.value(row)),
            Self::Int8(array) => Value::Int(array.value(row).into()),
            Self::Int16(array) => Value::Int(array.value(row).into()),
            Self::Int32(array) => Value::Int(array.value(row).into()),
            Self::Int64(array) => Value::Int(array.value(row).into()),
            Self::UInt8(array) => Value::Int(array.value(row).into()),
            Self::UInt16(array) => Value::Int(array.value(row).into()),
            Self::UInt32(array) => Value::Int(array.value(row).into()),
            Self::UInt64(array) => Value::Int(array.value(row).into()),
            Self::Float32(array) => Value::Float(array.value(row).into()),
            Self::Float64(array) => Value::Float(array.value(row)),
            Self::Decimal128(array, scale) => Value::Decimal(array.value(row), *scale),
            Self::Decimal256(array, scale) => {
                let wide = array.value(row);
                let value = wide.to_i128().ok_or_else(|| Error::Invalid(format!("{wide} is too large a number")))?;
                // Without a scale it is a LARGEINT, which is an integer.
                if *scale == 0 { Value::Int(value) } else { Value::Decimal(value, *scale) }
            }
            Self::Date(array) => Value::Date(array.value(row)),
            Self::Seconds(array) => Value::DateTime(array.value(row).saturating_mul(1_000_000)),
            Self::Millis(array) => Value::DateTime(array.value(row).saturating_mul(1_000)),
            Self::Micros(array) => Value::DateTime(array.value(row)),
            Self::Nanos(array) => Value::DateTime(array.value(row).div_euclid(1_000)),
            Self::Text(array) => Value::Text(array.value(row)),
            Self::LargeText(array) => Value::Text(array.value(row)),
            Self::TextView(array) => Value::Text(array.value(row)),
            Self::Bytes(array) => Value::Bytes(array.value(row)),
            Self::LargeBytes(array) => Value::Bytes(array.value(row)),
            Self::BytesView(array) => Value::Bytes(array.value(row)),
        })
    }
}

/// The array itself, or what a dictionary or run-end encoding stands for.
///
/// # Errors
/// When Arrow cannot unpack it.
pub(crate) fn unpacked(array: &ArrayRef) -> Result<ArrayRef> {
    #[expect(clippy::wildcard_enum_match_arm, reason = "all others are not packed")]
    match array.data_type() {
        DataType::Dictionary(_, value) => Ok(arrow::compute::cast(array, value)?),
        DataType::RunEndEncoded(_, value) => Ok(arrow::compute::cast(array, value.data_type())?),
        _ => Ok(Arc::clone(array)),
    }
}
