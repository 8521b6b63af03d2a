//! One column's values in the table's type.

use super::Problems;
use crate::datum::{Datum, ValueError, calendar, number};
use crate::error::{Error, Result};
use crate::schema::Column;
use crate::types::ColumnType;
use crate::values::{Value, Values, unpacked};
use arrow::array::{
    Array, ArrayRef, ArrowPrimitiveType, AsArray, BooleanArray, PrimitiveArray, StringArray, new_null_array,
};
use arrow::compute::{CastOptions, can_cast_types, cast_with_options};
use arrow::datatypes::{
    DataType, Date32Type, Decimal128Type, Decimal256Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type,
    Int64Type, TimestampMicrosecondType, i256,
};
use std::sync::Arc;

/// What a type is made of, as far as casts differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Family {
    Bool,
    Number,
    Date,
    Moment,
    Text,
    Bytes,
}

fn family(data_type: &DataType) -> Option<Family> {
    if data_type.is_numeric() {
        return Some(Family::Number);
    }
    #[expect(clippy::wildcard_enum_match_arm, reason = "all other Arrow types are refused, the ones to come too")]
    match data_type {
        DataType::Boolean => Some(Family::Bool),
        DataType::Date32 | DataType::Date64 => Some(Family::Date),
        DataType::Timestamp(..) => Some(Family::Moment),
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => Some(Family::Text),
        DataType::Binary | DataType::LargeBinary | DataType::BinaryView | DataType::FixedSizeBinary(_) => {
            Some(Family::Bytes)
        }
        _ => None,
    }
}

/// Casts a column. A value that cannot be is noted and NULL in the result, which may still break the limits of its type.
pub(super) fn cast(column: &Column, array: &ArrayRef, problems: &mut Problems) -> Result<ArrayRef> {
    let target = column.data_type.arrow();
    let array = unpacked(array)?;
    if *array.data_type() == target {
        return Ok(array);
    }
    if *array.data_type() == DataType::Null {
        return Ok(new_null_array(&target, array.len()));
    }
    let refused = || {
        let (name, wanted, found) = (&column.name, column.data_type, array.data_type());
        Error::Invalid(format!("column '{name}' is {wanted}, and {found} values cannot be cast to that"))
    };
    let from = family(array.data_type()).ok_or_else(refused)?;
    let to = family(&target).ok_or_else(refused)?;
    match (from, to) {
        (Family::Text | Family::Bytes, Family::Text | Family::Bytes)
        | (Family::Bool | Family::Number, Family::Number)
        | (Family::Date, Family::Date) => by_arrow(column, &array, &target, problems),
        (Family::Number, Family::Bool) => {
            // Decimals have no direct way; whether a number is zero survives the way round.
            let plain = by_arrow(column, &array, &DataType::Float64, problems)?;
            by_arrow(column, &plain, &target, problems)
        }
        (Family::Moment, Family::Moment) => Ok(Arc::new(moments(&array)?)),
        (Family::Date, Family::Moment) => {
            let days = by_arrow(column, &array, &DataType::Date32, problems)?;
            Ok(midnights(column, days.as_primitive(), problems))
        }
        (Family::Moment, Family::Date) => Ok(days(column, &moments(&array)?, problems)),
        (Family::Text, Family::Bool | Family::Number | Family::Date | Family::Moment) => {
            parse(column, &array, problems)
        }
        // 20240131 is a day.
        (Family::Number, Family::Date | Family::Moment) => parse(column, &as_text(&array)?, problems),
        (Family::Bool | Family::Number | Family::Date | Family::Moment, Family::Text) => as_text(&array),
        (Family::Bool | Family::Bytes, Family::Date | Family::Moment)
        | (Family::Bool | Family::Number | Family::Date | Family::Moment, Family::Bytes)
        | (Family::Date | Family::Moment | Family::Bytes, Family::Bool | Family::Number)
        | (Family::Bool, Family::Bool) => Err(refused()),
    }
}

/// Casts by Arrow's kernels, which make what does not fit NULL: each such row is noted.
fn by_arrow(column: &Column, array: &ArrayRef, target: &DataType, problems: &mut Problems) -> Result<ArrayRef> {
    if !can_cast_types(array.data_type(), target) {
        let (name, wanted, found) = (&column.name, column.data_type, array.data_type());
        return Err(Error::Invalid(format!("column '{name}' is {wanted}, and {found} values cannot be cast to that")));
    }
    let options = CastOptions { safe: true, ..CastOptions::default() };
    let cast = cast_with_options(array, target, &options)?;
    if cast.null_count() > array.null_count() {
        for row in (0..cast.len()).filter(|row| cast.is_null(*row) && array.is_valid(*row)) {
            let value = shown(array, row);
            let problem = match family(array.data_type()) {
                Some(Family::Bytes | Family::Text) => ValueError::malformed(&value, column.data_type),
                _ => ValueError::range(&value, column.data_type),
            };
            problems.note(column, row, problem);
        }
    }
    Ok(cast)
}

/// A value for a message.
pub(super) fn shown(array: &dyn Array, row: usize) -> String {
    Datum::at(array, row).map_or_else(
        |_| arrow::util::display::array_value_to_string(array, row).unwrap_or_default(),
        |value| value.to_string(),
    )
}

fn midnights(column: &Column, days: &PrimitiveArray<Date32Type>, problems: &mut Problems) -> ArrayRef {
    let moments = days.iter().enumerate().map(|(row, day)| {
        let day = day?;
        if (calendar::DATE_MIN..=calendar::DATE_MAX).contains(&day) {
            return Some(i64::from(day) * calendar::MICROS_PER_DAY);
        }
        problems.note(column, row, ValueError::range(&Datum::Date(day).to_string(), column.data_type));
        None
    });
    Arc::new(moments.collect::<PrimitiveArray<TimestampMicrosecondType>>())
}

/// Moments of any unit in microseconds, rounded down; what does not fit is as far out as can be, which its type refuses.
fn moments(array: &ArrayRef) -> Result<PrimitiveArray<TimestampMicrosecondType>> {
    let values = Values::of(array)?;
    (0..values.len())
        .map(|row| {
            let value = values.get(row)?;
            Ok(if let Value::DateTime(micros) = value { Some(micros) } else { None })
        })
        .collect()
}

fn days(column: &Column, moments: &PrimitiveArray<TimestampMicrosecondType>, problems: &mut Problems) -> ArrayRef {
    let days = moments.iter().enumerate().map(|(row, micros)| {
        let micros = micros?;
        let day = i32::try_from(micros.div_euclid(calendar::MICROS_PER_DAY)).ok();
        if day.is_none() {
            problems.note(column, row, ValueError::range(&Datum::DateTime(micros).to_string(), column.data_type));
        }
        day
    });
    Arc::new(days.collect::<PrimitiveArray<Date32Type>>())
}

/// Canonical texts of any values.
fn as_text(array: &ArrayRef) -> Result<ArrayRef> {
    let values = Values::of(array)?;
    let short = matches!(array.data_type(), DataType::Float32);
    let texts = (0..values.len()).map(|row| {
        let value = values.get(row)?;
        Ok(match value {
            Value::Null => None,
            // As MySQL has it.
            Value::Bool(value) => Some(u8::from(value).to_string()),
            // The shortest text of a FLOAT is shorter than that of the DOUBLE of the same value.
            Value::Float(_) if short => {
                let text = array.as_primitive::<Float32Type>().value(row).to_string();
                Some(text.parse().map(|value| Datum::Float(value).to_string()).unwrap_or(text))
            }
            Value::Int(_)
            | Value::Float(_)
            | Value::Decimal(..)
            | Value::Date(_)
            | Value::DateTime(_)
            | Value::Text(_)
            | Value::Bytes(_) => Some(value.to_datum().to_string()),
        })
    });
    Ok(Arc::new(texts.collect::<Result<StringArray>>()?))
}

/// Reads texts as the column's type.
fn parse(column: &Column, array: &ArrayRef, problems: &mut Problems) -> Result<ArrayRef> {
    let values = Values::of(array)?;
    let data_type = column.data_type;
    let bad = |text: &str| ValueError::malformed(text, data_type);
    Ok(match data_type {
        ColumnType::Boolean => {
            let read = each(column, &values, problems, |text| number::parse_bool(text).ok_or_else(|| bad(text)))?;
            Arc::new(BooleanArray::from(read))
        }
        ColumnType::TinyInt => integers::<Int8Type>(column, &values, problems)?,
        ColumnType::SmallInt => integers::<Int16Type>(column, &values, problems)?,
        ColumnType::Int => integers::<Int32Type>(column, &values, problems)?,
        ColumnType::BigInt => integers::<Int64Type>(column, &values, problems)?,
        ColumnType::LargeInt => primitives::<Decimal256Type>(column, &values, problems, |text| {
            number::parse_int(text).map(i256::from_i128).map_err(|problem| problem.of(text, data_type))
        })?,
        ColumnType::Float => primitives::<Float32Type>(column, &values, problems, |text| {
            number::parse_f32(text).map_err(|problem| problem.of(text, data_type))
        })?,
        ColumnType::Double => primitives::<Float64Type>(column, &values, problems, |text| {
            number::parse_f64(text).map_err(|problem| problem.of(text, data_type))
        })?,
        ColumnType::Decimal { precision, scale } => primitives::<Decimal128Type>(column, &values, problems, |text| {
            number::parse_decimal(text, precision, scale).map_err(|problem| problem.of(text, data_type))
        })?,
        ColumnType::Date => primitives::<Date32Type>(column, &values, problems, |text| {
            calendar::parse_date(text).ok_or_else(|| bad(text))
        })?,
        ColumnType::DateTime => primitives::<TimestampMicrosecondType>(column, &values, problems, |text| {
            calendar::parse_datetime(text).ok_or_else(|| bad(text))
        })?,
        ColumnType::Char(_) | ColumnType::Varchar(_) | ColumnType::String | ColumnType::Varbinary(_) => {
            return Err(Error::Internal("text is cast to text, not parsed".to_owned()));
        }
    })
}

fn each<T>(
    column: &Column,
    values: &Values<'_>,
    problems: &mut Problems,
    read: impl Fn(&str) -> Result<T, ValueError>,
) -> Result<Vec<Option<T>>> {
    let mut all = Vec::with_capacity(values.len());
    for row in 0..values.len() {
        all.push(match values.get(row)? {
            Value::Text(text) => match read(text) {
                Ok(value) => Some(value),
                Err(problem) => {
                    problems.note(column, row, problem);
                    None
                }
            },
            Value::Null => None,
            value @ (Value::Bool(_)
            | Value::Int(_)
            | Value::Float(_)
            | Value::Decimal(..)
            | Value::Date(_)
            | Value::DateTime(_)
            | Value::Bytes(_)) => return Err(Error::Internal(format!("{value:?} is no text to parse"))),
        });
    }
    Ok(all)
}

fn primitives<T: ArrowPrimitiveType>(
    column: &Column,
    values: &Values<'_>,
    problems: &mut Problems,
    read: impl Fn(&str) -> Result<T::Native, ValueError>,
) -> Result<ArrayRef> {
    let read = each(column, values, problems, read)?;
    Ok(Arc::new(PrimitiveArray::<T>::from_iter(read).with_data_type(column.data_type.arrow())))
}

fn integers<T: ArrowPrimitiveType>(column: &Column, values: &Values<'_>, problems: &mut Problems) -> Result<ArrayRef>
where
    T::Native: TryFrom<i128>,
{
    primitives::<T>(column, values, problems, |text| {
        let value = number::parse_int(text).map_err(|problem| problem.of(text, column.data_type))?;
        T::Native::try_from(value).ok().ok_or_else(|| ValueError::range(text.trim(), column.data_type))
    })
}
