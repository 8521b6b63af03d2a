//! Values of Arrow arrays in the protocol's two forms of a row: text, and the binary one of prepared statements. Pure.

use super::codec::{TEXT_NULL, put_lenenc_bytes};
use super::digits::{self, CivilDate, Clock};
use crate::error::{EngineError, ErrorKind, codes};
use arrow::array::{
    Array, ArrayRef, ArrowPrimitiveType, AsArray, BinaryArray, BinaryViewArray, BooleanArray, Decimal128Array,
    Decimal256Array, FixedSizeBinaryArray, LargeBinaryArray, LargeStringArray, PrimitiveArray, RecordBatch,
    StringArray, StringViewArray,
};
use arrow::buffer::NullBuffer;
use arrow::compute::cast;
use arrow::datatypes::{
    DataType, Date32Type, Date64Type, Decimal128Type, Decimal256Type, Float32Type, Float64Type, Int8Type, Int16Type,
    Int32Type, Int64Type, Time32MillisecondType, Time32SecondType, Time64MicrosecondType, Time64NanosecondType,
    TimeUnit, TimestampMicrosecondType, TimestampMillisecondType, TimestampNanosecondType, TimestampSecondType,
    UInt8Type, UInt16Type, UInt32Type, UInt64Type,
};
use arrow::util::display::{ArrayFormatter, FormatOptions};
use std::io;
use std::sync::Arc;

/// Which form of a row a client expects.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RowFormat {
    /// Everything as text: results of plain queries.
    Text,
    /// Numbers and times as bytes: results of prepared statements.
    Binary,
}

/// The arrays of a batch, with those types that have no form of their own replaced by types that do.
pub(crate) fn plain_arrays(batch: &RecordBatch) -> Result<Vec<ArrayRef>, EngineError> {
    batch.columns().iter().map(plain_array).collect()
}

#[expect(clippy::wildcard_enum_match_arm, reason = "all other types are written as they are")]
fn plain_array(array: &ArrayRef) -> Result<ArrayRef, EngineError> {
    let target = match array.data_type() {
        DataType::Dictionary(_, values) => values.as_ref().clone(),
        DataType::Float16 => DataType::Float32,
        DataType::Decimal32(precision, scale) | DataType::Decimal64(precision, scale) => {
            DataType::Decimal128(*precision, *scale)
        }
        _ => return Ok(Arc::clone(array)),
    };
    // The values of a dictionary may be of such a type in their turn.
    plain_array(&cast(array, &target)?)
}

/// A batch whose rows can be written.
pub(crate) struct Rows<'a> {
    columns: Vec<Column<'a>>,
}

struct Column<'a> {
    nulls: Option<NullBuffer>,
    values: Values<'a>,
}

/// How many of a unit are a second: what scales a time to microseconds.
#[derive(Clone, Copy)]
struct Unit(TimeUnit);

impl Unit {
    fn micros(self, value: i64) -> i128 {
        let value = i128::from(value);
        match self.0 {
            TimeUnit::Second => value * 1_000_000,
            TimeUnit::Millisecond => value * 1_000,
            TimeUnit::Microsecond => value,
            TimeUnit::Nanosecond => value.div_euclid(1_000),
        }
    }
}

enum Values<'a> {
    Null,
    Boolean(&'a BooleanArray),
    Int8(&'a [i8]),
    Int16(&'a [i16]),
    Int32(&'a [i32]),
    Int64(&'a [i64]),
    UInt8(&'a [u8]),
    UInt16(&'a [u16]),
    UInt32(&'a [u32]),
    UInt64(&'a [u64]),
    Float32(&'a [f32]),
    Float64(&'a [f64]),
    Decimal128(&'a Decimal128Array, i8),
    Decimal256(&'a Decimal256Array, i8),
    Date(&'a [i32]),
    Moment(&'a [i64], Unit),
    Time32(&'a [i32], Unit),
    Time64(&'a [i64], Unit),
    Utf8(&'a StringArray),
    LargeUtf8(&'a LargeStringArray),
    Utf8View(&'a StringViewArray),
    Binary(&'a BinaryArray),
    LargeBinary(&'a LargeBinaryArray),
    BinaryView(&'a BinaryViewArray),
    FixedBinary(&'a FixedSizeBinaryArray),
    Shown(ArrayFormatter<'a>),
}

fn slice<T: ArrowPrimitiveType>(array: &dyn Array) -> Result<&[T::Native], EngineError> {
    let array: Option<&PrimitiveArray<T>> = array.as_primitive_opt::<T>();
    array.map(|array| array.values().as_ref()).ok_or_else(mistyped)
}

fn mistyped() -> EngineError {
    EngineError::internal("an array is not of the type that it says it has")
}

#[expect(clippy::wildcard_enum_match_arm, reason = "each function takes its kinds and leaves the rest to the next")]
impl<'a> Values<'a> {
    fn of(array: &'a dyn Array) -> Result<Self, EngineError> {
        Ok(match array.data_type() {
            DataType::Null => Self::Null,
            DataType::Boolean => Self::Boolean(array.as_boolean_opt().ok_or_else(mistyped)?),
            DataType::Int8 => Self::Int8(slice::<Int8Type>(array)?),
            DataType::Int16 => Self::Int16(slice::<Int16Type>(array)?),
            DataType::Int32 => Self::Int32(slice::<Int32Type>(array)?),
            DataType::Int64 => Self::Int64(slice::<Int64Type>(array)?),
            DataType::UInt8 => Self::UInt8(slice::<UInt8Type>(array)?),
            DataType::UInt16 => Self::UInt16(slice::<UInt16Type>(array)?),
            DataType::UInt32 => Self::UInt32(slice::<UInt32Type>(array)?),
            DataType::UInt64 => Self::UInt64(slice::<UInt64Type>(array)?),
            DataType::Float32 => Self::Float32(slice::<Float32Type>(array)?),
            DataType::Float64 => Self::Float64(slice::<Float64Type>(array)?),
            DataType::Decimal128(_, scale) => {
                Self::Decimal128(array.as_primitive_opt::<Decimal128Type>().ok_or_else(mistyped)?, *scale)
            }
            DataType::Decimal256(_, scale) => {
                Self::Decimal256(array.as_primitive_opt::<Decimal256Type>().ok_or_else(mistyped)?, *scale)
            }
            DataType::Date32 => Self::Date(slice::<Date32Type>(array)?),
            DataType::Date64 => Self::Moment(slice::<Date64Type>(array)?, Unit(TimeUnit::Millisecond)),
            DataType::Timestamp(unit, _) => {
                let values = match unit {
                    TimeUnit::Second => slice::<TimestampSecondType>(array)?,
                    TimeUnit::Millisecond => slice::<TimestampMillisecondType>(array)?,
                    TimeUnit::Microsecond => slice::<TimestampMicrosecondType>(array)?,
                    TimeUnit::Nanosecond => slice::<TimestampNanosecondType>(array)?,
                };
                Self::Moment(values, Unit(*unit))
            }
            DataType::Time32(TimeUnit::Second) => {
                Self::Time32(slice::<Time32SecondType>(array)?, Unit(TimeUnit::Second))
            }
            DataType::Time32(unit) => Self::Time32(slice::<Time32MillisecondType>(array)?, Unit(*unit)),
            DataType::Time64(TimeUnit::Nanosecond) => {
                Self::Time64(slice::<Time64NanosecondType>(array)?, Unit(TimeUnit::Nanosecond))
            }
            DataType::Time64(unit) => Self::Time64(slice::<Time64MicrosecondType>(array)?, Unit(*unit)),
            DataType::Utf8 => Self::Utf8(array.as_string_opt::<i32>().ok_or_else(mistyped)?),
            DataType::LargeUtf8 => Self::LargeUtf8(array.as_string_opt::<i64>().ok_or_else(mistyped)?),
            DataType::Utf8View => Self::Utf8View(array.as_string_view_opt().ok_or_else(mistyped)?),
            DataType::Binary => Self::Binary(array.as_binary_opt::<i32>().ok_or_else(mistyped)?),
            DataType::LargeBinary => Self::LargeBinary(array.as_binary_opt::<i64>().ok_or_else(mistyped)?),
            DataType::BinaryView => Self::BinaryView(array.as_binary_view_opt().ok_or_else(mistyped)?),
            DataType::FixedSizeBinary(_) => Self::FixedBinary(array.as_fixed_size_binary_opt().ok_or_else(mistyped)?),
            _ => Self::Shown(ArrayFormatter::try_new(
                array,
                &FormatOptions::new().with_null("NULL").with_display_error(false),
            )?),
        })
    }

    /// The bytes of text and binary values, which are the same in both forms.
    fn bytes(&self, row: usize) -> Option<&[u8]> {
        match self {
            Self::Utf8(array) => Some(array.value(row).as_bytes()),
            Self::LargeUtf8(array) => Some(array.value(row).as_bytes()),
            Self::Utf8View(array) => Some(array.value(row).as_bytes()),
            Self::Binary(array) => Some(array.value(row)),
            Self::LargeBinary(array) => Some(array.value(row)),
            Self::BinaryView(array) => Some(array.value(row)),
            Self::FixedBinary(array) => Some(array.value(row)),
            _ => None,
        }
    }

    fn put_text(&self, row: usize, out: &mut Vec<u8>) -> Result<(), EngineError> {
        if let Some(bytes) = self.bytes(row) {
            put_lenenc_bytes(out, bytes);
            return Ok(());
        }
        if let Self::Shown(formatter) = self {
            put_lenenc_bytes(out, formatter.value(row).try_to_string()?.as_bytes());
            return Ok(());
        }
        put_short(out, |out| {
            match self {
                Self::Boolean(array) => out.push(if array.value(row) { b'1' } else { b'0' }),
                Self::Int8(values) => digits::put_i64(out, at(values, row)?.into()),
                Self::Int16(values) => digits::put_i64(out, at(values, row)?.into()),
                Self::Int32(values) => digits::put_i64(out, at(values, row)?.into()),
                Self::Int64(values) => digits::put_i64(out, at(values, row)?),
                Self::UInt8(values) => digits::put_u64(out, at(values, row)?.into()),
                Self::UInt16(values) => digits::put_u64(out, at(values, row)?.into()),
                Self::UInt32(values) => digits::put_u64(out, at(values, row)?.into()),
                Self::UInt64(values) => digits::put_u64(out, at(values, row)?),
                Self::Float32(values) => digits::put_f32(out, at(values, row)?).map_err(unwritten)?,
                Self::Float64(values) => digits::put_f64(out, at(values, row)?).map_err(unwritten)?,
                Self::Date(values) => CivilDate::of(at(values, row)?.into()).put(out),
                Self::Moment(values, unit) => {
                    let (day, clock) = digits::moment(unit.micros(at(values, row)?));
                    day.put(out);
                    out.push(b' ');
                    clock.put(out);
                }
                Self::Time32(values, unit) => put_time_text(out, unit.micros(at(values, row)?.into())),
                Self::Time64(values, unit) => put_time_text(out, unit.micros(at(values, row)?)),
                _ => return self.put_decimal(row, out),
            }
            Ok(())
        })
    }

    /// Decimals are text in both forms.
    fn put_decimal(&self, row: usize, out: &mut Vec<u8>) -> Result<(), EngineError> {
        match self {
            Self::Decimal128(array, scale) => digits::put_decimal(out, array.value(row), *scale).map_err(unwritten),
            Self::Decimal256(array, scale) => {
                digits::put_decimal256(out, array.value(row), *scale);
                Ok(())
            }
            _ => Err(mistyped()),
        }
    }

    fn put_binary(&self, row: usize, out: &mut Vec<u8>) -> Result<(), EngineError> {
        match self {
            Self::Boolean(array) => out.push(u8::from(array.value(row))),
            Self::Int8(values) => out.extend_from_slice(&at(values, row)?.to_le_bytes()),
            Self::Int16(values) => out.extend_from_slice(&at(values, row)?.to_le_bytes()),
            Self::Int32(values) => out.extend_from_slice(&at(values, row)?.to_le_bytes()),
            Self::Int64(values) => out.extend_from_slice(&at(values, row)?.to_le_bytes()),
            Self::UInt8(values) => out.extend_from_slice(&at(values, row)?.to_le_bytes()),
            Self::UInt16(values) => out.extend_from_slice(&at(values, row)?.to_le_bytes()),
            Self::UInt32(values) => out.extend_from_slice(&at(values, row)?.to_le_bytes()),
            Self::UInt64(values) => out.extend_from_slice(&at(values, row)?.to_le_bytes()),
            Self::Float32(values) => out.extend_from_slice(&at(values, row)?.to_le_bytes()),
            Self::Float64(values) => out.extend_from_slice(&at(values, row)?.to_le_bytes()),
            Self::Date(values) => {
                let day = CivilDate::of(at(values, row)?.into());
                out.push(4);
                put_day(out, day)?;
            }
            Self::Moment(values, unit) => {
                let (day, clock) = digits::moment(unit.micros(at(values, row)?));
                out.push(if clock.micros > 0 { 11 } else { 7 });
                put_day(out, day)?;
                put_clock(out, clock);
            }
            Self::Time32(values, unit) => put_time_binary(out, unit.micros(at(values, row)?.into())),
            Self::Time64(values, unit) => put_time_binary(out, unit.micros(at(values, row)?)),
            _ => return self.put_text(row, out),
        }
        Ok(())
    }
}

fn at<T: Copy>(values: &[T], row: usize) -> Result<T, EngineError> {
    values.get(row).copied().ok_or_else(|| EngineError::internal("a batch is shorter than it says"))
}

#[expect(clippy::needless_pass_by_value, reason = "the shape that map_err calls")]
fn unwritten(error: io::Error) -> EngineError {
    EngineError::internal(error.to_string())
}

/// Appends a text of less than 251 bytes with its length before it.
fn put_short(out: &mut Vec<u8>, fill: impl FnOnce(&mut Vec<u8>) -> Result<(), EngineError>) -> Result<(), EngineError> {
    let start = out.len();
    out.push(0);
    fill(out)?;
    let [len, ..] = (out.len() - start - 1).to_le_bytes();
    if let Some(place) = out.get_mut(start) {
        *place = len;
    }
    Ok(())
}

fn put_day(out: &mut Vec<u8>, day: CivilDate) -> Result<(), EngineError> {
    let year = u16::try_from(day.year).map_err(|_out_of_range| {
        let message = format!("year {} is outside of what a client can be told", day.year);
        EngineError::new(codes::WRONG_VALUE, ErrorKind::Invalid, message)
    })?;
    out.extend_from_slice(&year.to_le_bytes());
    out.extend_from_slice(&[day.month, day.day]);
    Ok(())
}

fn put_clock(out: &mut Vec<u8>, clock: Clock) {
    out.extend_from_slice(&[clock.hour, clock.minute, clock.second]);
    if clock.micros > 0 {
        out.extend_from_slice(&clock.micros.to_le_bytes());
    }
}

fn put_time_text(out: &mut Vec<u8>, micros: i128) {
    let (days, clock) = digits::amount(micros);
    if micros < 0 {
        out.push(b'-');
    }
    let hours = u64::from(days) * 24 + u64::from(clock.hour);
    if hours > 99 {
        digits::put_u64(out, hours / 100);
    }
    let [low, ..] = (hours % 100).to_le_bytes();
    Clock { hour: low, ..clock }.put(out);
}

fn put_time_binary(out: &mut Vec<u8>, micros: i128) {
    if micros == 0 {
        out.push(0);
        return;
    }
    let (days, clock) = digits::amount(micros);
    out.extend_from_slice(&[if clock.micros > 0 { 12 } else { 8 }, u8::from(micros < 0)]);
    out.extend_from_slice(&days.to_le_bytes());
    put_clock(out, clock);
}

impl<'a> Rows<'a> {
    /// Makes the rows of `arrays` (see [`plain_arrays`]) ready to be written.
    pub(crate) fn new(arrays: &'a [ArrayRef]) -> Result<Self, EngineError> {
        let column =
            |array: &'a ArrayRef| Ok(Column { nulls: array.logical_nulls(), values: Values::of(array.as_ref())? });
        Ok(Self { columns: arrays.iter().map(column).collect::<Result<_, EngineError>>()? })
    }

    /// Appends the payload of one row's packet. `row` is below the batch's number of rows.
    pub(crate) fn put(&self, row: usize, format: RowFormat, out: &mut Vec<u8>) -> Result<(), EngineError> {
        match format {
            RowFormat::Text => {
                for column in &self.columns {
                    if column.is_null(row) {
                        out.push(TEXT_NULL);
                    } else {
                        column.values.put_text(row, out)?;
                    }
                }
            }
            RowFormat::Binary => {
                out.push(0);
                let bitmap = out.len();
                // The first two bits are not used.
                out.resize(bitmap + (self.columns.len() + 2).div_ceil(8), 0);
                for (index, column) in self.columns.iter().enumerate() {
                    if !column.is_null(row) {
                        column.values.put_binary(row, out)?;
                    } else if let Some(byte) = out.get_mut(bitmap + (index + 2) / 8) {
                        *byte |= 1 << ((index + 2) % 8);
                    }
                }
            }
        }
        Ok(())
    }
}

impl Column<'_> {
    fn is_null(&self, row: usize) -> bool {
        matches!(self.values, Values::Null) || self.nulls.as_ref().is_some_and(|nulls| nulls.is_null(row))
    }
}

#[cfg(test)]
mod tests;
