//! One value of a column: read from text, shown as text, compared, and moved in and out of Arrow arrays.

mod array;
pub(crate) mod calendar;
pub(crate) mod number;
#[cfg(test)]
pub(crate) mod tests;

use crate::error::Result;
use crate::types::ColumnType;
use crate::values::Values;
use arrow::array::{Array, ArrayRef};
use std::cmp::Ordering;
use std::fmt;
use thiserror::Error;

/// One value. Values of one type are totally ordered, NULL first; values of different types by type.
#[derive(Debug, Clone)]
pub enum Datum {
    /// No value.
    Null,
    /// BOOLEAN.
    Bool(bool),
    /// TINYINT to LARGEINT.
    Int(i128),
    /// FLOAT and DOUBLE. NaN is one value and the greatest; the two zeros are equal.
    Float(f64),
    /// DECIMAL: `unscaled / 10^scale`.
    Decimal {
        /// The digits as an integer.
        unscaled: i128,
        /// How many of them are behind the point.
        scale: u8,
    },
    /// DATE: days since 1970-01-01.
    Date(i32),
    /// DATETIME: microseconds since 1970-01-01 00:00:00.
    DateTime(i64),
    /// CHAR, VARCHAR, STRING. Ordered by bytes.
    Text(String),
    /// VARBINARY.
    Bytes(Vec<u8>),
}

/// Why a value is not one of a type.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ValueError {
    /// Not written as the type is.
    #[error("'{value}' is not a valid {data_type}")]
    Malformed {
        /// The value, shortened when long.
        value: String,
        /// The type.
        data_type: ColumnType,
    },
    /// Too small or too large.
    #[error("{value} is out of the range of {data_type}, {range}", range = data_type.range_text())]
    Range {
        /// The value, shortened when long.
        value: String,
        /// The type.
        data_type: ColumnType,
    },
    /// Too many bytes.
    #[error("'{value}' has {len_bytes} bytes, more than {data_type} holds")]
    TooLong {
        /// The value, shortened when long.
        value: String,
        /// Its length.
        len_bytes: usize,
        /// The type.
        data_type: ColumnType,
    },
    /// NULL where none may be.
    #[error("NULL in a column that is NOT NULL")]
    Null,
}

impl ValueError {
    pub(crate) fn malformed(value: &str, data_type: ColumnType) -> Self {
        Self::Malformed { value: shorten(value), data_type }
    }

    pub(crate) fn range(value: &str, data_type: ColumnType) -> Self {
        Self::Range { value: shorten(value), data_type }
    }

    pub(crate) fn too_long(value: &str, len_bytes: usize, data_type: ColumnType) -> Self {
        Self::TooLong { value: shorten(value), len_bytes, data_type }
    }
}

/// Most characters of a value that a message repeats.
const SHOWN_CHARS_MAX: usize = 48;

pub(crate) fn shorten(value: &str) -> String {
    let mut shown: String = value.chars().take(SHOWN_CHARS_MAX).collect();
    if shown.len() < value.len() {
        shown.push_str("...");
    }
    shown
}

impl Datum {
    /// Reads a value of a type. Numbers may have blanks around them; decimals with more digits behind the point than the type are
    /// rounded half away from zero; dates are `2024-01-31`, `2024/1/31` or `20240131`; moments have a time behind a blank or `T`;
    /// text and bytes are taken as they are. There is no text for NULL.
    ///
    /// # Errors
    /// When the text is no value of the type, or one out of its range or length.
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "callers lend the type of a column that they hold")]
    pub fn parse(data_type: &ColumnType, text: &str) -> Result<Self, ValueError> {
        let malformed = || ValueError::malformed(text, *data_type);
        let range = || ValueError::range(text.trim(), *data_type);
        match data_type {
            ColumnType::Boolean => number::parse_bool(text).map(Self::Bool).ok_or_else(malformed),
            ColumnType::TinyInt
            | ColumnType::SmallInt
            | ColumnType::Int
            | ColumnType::BigInt
            | ColumnType::LargeInt => {
                let value = number::parse_int(text).map_err(|problem| problem.of(text, *data_type))?;
                if number::fits(*data_type, value) { Ok(Self::Int(value)) } else { Err(range()) }
            }
            ColumnType::Float => number::parse_f32(text)
                .map(|value| Self::Float(f64::from(value)))
                .map_err(|problem| problem.of(text, *data_type)),
            ColumnType::Double => {
                number::parse_f64(text).map(Self::Float).map_err(|problem| problem.of(text, *data_type))
            }
            ColumnType::Decimal { precision, scale } => number::parse_decimal(text, *precision, *scale)
                .map(|unscaled| Self::Decimal { unscaled, scale: *scale })
                .map_err(|problem| problem.of(text, *data_type)),
            ColumnType::Date => calendar::parse_date(text).map(Self::Date).ok_or_else(malformed),
            ColumnType::DateTime => calendar::parse_datetime(text).map(Self::DateTime).ok_or_else(malformed),
            ColumnType::Char(_) | ColumnType::Varchar(_) | ColumnType::String => {
                check_len(*data_type, text, text.len())?;
                Ok(Self::Text(text.to_owned()))
            }
            ColumnType::Varbinary(_) => {
                check_len(*data_type, text, text.len())?;
                Ok(Self::Bytes(text.as_bytes().to_vec()))
            }
        }
    }

    /// Whether it is NULL.
    pub fn is_null(&self) -> bool {
        matches!(self, Self::Null)
    }

    /// An array of a column's type with these values in it.
    ///
    /// # Errors
    /// `Invalid` when a value is not one of the type.
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "callers lend the type of a column that they hold")]
    pub fn array(data_type: &ColumnType, values: &[Self]) -> Result<ArrayRef> {
        array::build(*data_type, values)
    }

    /// The value at a row of an array of any type that a column or a query's result can have.
    ///
    /// # Errors
    /// `Invalid` when there is no such row, or the array's type is none of those.
    pub fn at(array: &dyn Array, row: usize) -> Result<Self> {
        Ok(Values::of(array)?.get(row)?.to_datum())
    }

    /// Where its type stands among the types.
    fn rank(&self) -> u8 {
        match self {
            Self::Null => 0,
            Self::Bool(_) => 1,
            Self::Int(_) => 2,
            Self::Float(_) => 3,
            Self::Decimal { .. } => 4,
            Self::Date(_) => 5,
            Self::DateTime(_) => 6,
            Self::Text(_) => 7,
            Self::Bytes(_) => 8,
        }
    }
}

fn check_len(data_type: ColumnType, text: &str, len_bytes: usize) -> Result<(), ValueError> {
    let max = data_type.max_len_bytes().and_then(|max| usize::try_from(max).ok()).unwrap_or(usize::MAX);
    if len_bytes <= max { Ok(()) } else { Err(ValueError::too_long(text, len_bytes, data_type)) }
}

/// The canonical text. `Datum::parse` of the same type reads it back; but bytes are shown as `0x` and hexadecimal digits, which is
/// for people only.
impl fmt::Display for Datum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => f.write_str("NULL"),
            Self::Bool(value) => value.fmt(f),
            Self::Int(value) => value.fmt(f),
            Self::Float(value) => number::show_float(f, *value),
            Self::Decimal { unscaled, scale } => number::show_decimal(f, *unscaled, *scale),
            Self::Date(days) => calendar::show_date(f, *days),
            Self::DateTime(micros) => calendar::show_datetime(f, *micros),
            Self::Text(text) => f.write_str(text),
            Self::Bytes(bytes) => {
                f.write_str("0x")?;
                bytes.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
            }
        }
    }
}

impl Ord for Datum {
    fn cmp(&self, other: &Self) -> Ordering {
        match (self, other) {
            (Self::Bool(a), Self::Bool(b)) => a.cmp(b),
            (Self::Int(a), Self::Int(b)) => a.cmp(b),
            (Self::Float(a), Self::Float(b)) => number::canonical_f64(*a).total_cmp(&number::canonical_f64(*b)),
            (Self::Decimal { unscaled: a, scale: s }, Self::Decimal { unscaled: b, scale: t }) => {
                number::compare_decimals((*a, *s), (*b, *t))
            }
            (Self::Date(a), Self::Date(b)) => a.cmp(b),
            (Self::DateTime(a), Self::DateTime(b)) => a.cmp(b),
            (Self::Text(a), Self::Text(b)) => a.cmp(b),
            (Self::Bytes(a), Self::Bytes(b)) => a.cmp(b),
            _ => self.rank().cmp(&other.rank()),
        }
    }
}

impl PartialOrd for Datum {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Datum {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Datum {}
