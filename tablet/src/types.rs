//! Column types: their SQL spellings, their limits, and the Arrow types that hold them.
//!
//! One type has one canonical text (its `Display`), which is what catalogs, manifests and `SHOW CREATE TABLE` hold;
//! reading takes every spelling that StarRocks and MySQL users type.

#[cfg(test)]
pub(crate) mod tests;

use crate::error::ErrorKind;
use arrow::datatypes::{DataType, TimeUnit};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;
use thiserror::Error;

/// Longest `CHAR`, in bytes.
pub const CHAR_MAX: u32 = 255;
/// Longest `VARCHAR` and `VARBINARY`, in bytes.
pub const VARCHAR_MAX: u32 = 1_048_576;
/// Longest `STRING`, and `VARCHAR` without a length, in bytes.
pub const STRING_MAX: u32 = 65_533;
/// Most digits of a `DECIMAL`.
pub const DECIMAL_PRECISION_MAX: u8 = 38;
/// Digits of the Arrow decimal that holds a `LARGEINT`: enough for any `i128`.
const LARGEINT_DIGITS: u8 = 39;

/// The type of a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum ColumnType {
    /// True or false.
    Boolean,
    /// 8-bit integer.
    TinyInt,
    /// 16-bit integer.
    SmallInt,
    /// 32-bit integer.
    Int,
    /// 64-bit integer.
    BigInt,
    /// 128-bit integer.
    LargeInt,
    /// 32-bit floating point.
    Float,
    /// 64-bit floating point.
    Double,
    /// Exact decimal.
    Decimal {
        /// Digits in all, 1 to 38.
        precision: u8,
        /// Digits behind the point, at most `precision`.
        scale: u8,
    },
    /// A day, 0000-01-01 to 9999-12-31.
    Date,
    /// A day and a time of day, to the microsecond, without a time zone.
    DateTime,
    /// Text of at most so many bytes, 1 to 255.
    Char(u32),
    /// Text of at most so many bytes, 1 to 1048576.
    Varchar(u32),
    /// Text of at most 65533 bytes.
    String,
    /// Bytes, at most so many, 1 to 1048576.
    Varbinary(u32),
}

/// Why a text names no column type.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum TypeError {
    /// Not a type's name, or a malformed one.
    #[error("'{0}' is not a column type")]
    Unknown(String),
    /// A type that other systems have and Tabularium does not.
    #[error("type {0} is not supported{hint}", hint = hint(.1))]
    Unsupported(String, &'static str),
    /// A length that the type does not allow.
    #[error("{name} takes a length from 1 to {max} bytes, not {found}")]
    Length {
        /// The type's name.
        name: &'static str,
        /// The greatest length.
        max: u32,
        /// What was given.
        found: u64,
    },
    /// A precision or scale that the type does not allow.
    #[error("{name} takes a precision from 1 to {max} and a scale from 0 to the precision, not ({precision}, {scale})")]
    Decimal {
        /// The type's name.
        name: &'static str,
        /// The greatest precision.
        max: u8,
        /// What was given as precision.
        precision: u64,
        /// What was given as scale.
        scale: u64,
    },
}

fn hint(text: &str) -> String {
    if text.is_empty() { String::new() } else { format!("; use {text}") }
}

impl TypeError {
    /// What the caller can do about it.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Unsupported(..) => ErrorKind::Unsupported,
            Self::Unknown(_) | Self::Length { .. } | Self::Decimal { .. } => ErrorKind::Invalid,
        }
    }
}

impl ColumnType {
    /// The Arrow type that holds its values, in memory and in segments.
    pub fn arrow(self) -> DataType {
        match self {
            Self::Boolean => DataType::Boolean,
            Self::TinyInt => DataType::Int8,
            Self::SmallInt => DataType::Int16,
            Self::Int => DataType::Int32,
            Self::BigInt => DataType::Int64,
            Self::LargeInt => DataType::Decimal256(LARGEINT_DIGITS, 0),
            Self::Float => DataType::Float32,
            Self::Double => DataType::Float64,
            Self::Decimal { precision, scale } => {
                // The scale is at most 38, so the conversion cannot fail.
                DataType::Decimal128(precision, i8::try_from(scale).unwrap_or(i8::MAX))
            }
            Self::Date => DataType::Date32,
            Self::DateTime => DataType::Timestamp(TimeUnit::Microsecond, None),
            Self::Char(_) | Self::Varchar(_) | Self::String => DataType::Utf8,
            Self::Varbinary(_) => DataType::Binary,
        }
    }

    /// The greatest length in bytes, for text and bytes.
    pub fn max_len_bytes(self) -> Option<u32> {
        match self {
            Self::Char(len) | Self::Varchar(len) | Self::Varbinary(len) => Some(len),
            Self::String => Some(STRING_MAX),
            Self::Boolean
            | Self::TinyInt
            | Self::SmallInt
            | Self::Int
            | Self::BigInt
            | Self::LargeInt
            | Self::Float
            | Self::Double
            | Self::Decimal { .. }
            | Self::Date
            | Self::DateTime => None,
        }
    }

    /// Whether it may be a key, partition or bucketing column: types whose equality is exact and whose text round-trips.
    pub fn can_be_key(self) -> bool {
        !matches!(self, Self::Float | Self::Double | Self::Varbinary(_))
    }

    /// Least and greatest value, for messages; lengths for text.
    pub fn range_text(self) -> String {
        match self {
            Self::Boolean => "true or false".to_owned(),
            Self::TinyInt => format!("{} to {}", i8::MIN, i8::MAX),
            Self::SmallInt => format!("{} to {}", i16::MIN, i16::MAX),
            Self::Int => format!("{} to {}", i32::MIN, i32::MAX),
            Self::BigInt => format!("{} to {}", i64::MIN, i64::MAX),
            Self::LargeInt => format!("{} to {}", i128::MIN, i128::MAX),
            Self::Float => format!("{:e} to {:e}", f32::MIN, f32::MAX),
            Self::Double => format!("{:e} to {:e}", f64::MIN, f64::MAX),
            Self::Decimal { precision, scale } => {
                let whole = "9".repeat(usize::from(precision.saturating_sub(scale)).max(1));
                let whole = if precision == scale { "0".to_owned() } else { whole };
                let point = if scale == 0 { String::new() } else { format!(".{}", "9".repeat(usize::from(scale))) };
                format!("-{whole}{point} to {whole}{point}")
            }
            Self::Date => "0000-01-01 to 9999-12-31".to_owned(),
            Self::DateTime => "0000-01-01 00:00:00 to 9999-12-31 23:59:59.999999".to_owned(),
            Self::Char(_) | Self::Varchar(_) | Self::String | Self::Varbinary(_) => {
                format!("at most {} bytes", self.max_len_bytes().unwrap_or_default())
            }
        }
    }
}

impl fmt::Display for ColumnType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Boolean => f.write_str("BOOLEAN"),
            Self::TinyInt => f.write_str("TINYINT"),
            Self::SmallInt => f.write_str("SMALLINT"),
            Self::Int => f.write_str("INT"),
            Self::BigInt => f.write_str("BIGINT"),
            Self::LargeInt => f.write_str("LARGEINT"),
            Self::Float => f.write_str("FLOAT"),
            Self::Double => f.write_str("DOUBLE"),
            Self::Decimal { precision, scale } => write!(f, "DECIMAL({precision},{scale})"),
            Self::Date => f.write_str("DATE"),
            Self::DateTime => f.write_str("DATETIME"),
            Self::Char(len) => write!(f, "CHAR({len})"),
            Self::Varchar(len) => write!(f, "VARCHAR({len})"),
            Self::String => f.write_str("STRING"),
            Self::Varbinary(VARCHAR_MAX) => f.write_str("VARBINARY"),
            Self::Varbinary(len) => write!(f, "VARBINARY({len})"),
        }
    }
}

impl FromStr for ColumnType {
    type Err = TypeError;

    fn from_str(text: &str) -> Result<Self, TypeError> {
        let spelling = Spelling::read(text)?;
        spelling.column_type()
    }
}

impl TryFrom<String> for ColumnType {
    type Error = TypeError;
    fn try_from(text: String) -> Result<Self, TypeError> {
        text.parse()
    }
}

impl From<ColumnType> for String {
    fn from(column_type: ColumnType) -> Self {
        column_type.to_string()
    }
}

/// A type as typed: its name in capitals with single blanks, the numbers in parentheses, and what follows them.
struct Spelling<'a> {
    text: &'a str,
    name: String,
    arguments: Vec<u64>,
}

impl<'a> Spelling<'a> {
    fn read(text: &'a str) -> Result<Self, TypeError> {
        let text = text.trim();
        let unknown = || TypeError::Unknown(text.to_owned());
        if let Some((head, _)) = text.split_once('<') {
            // ARRAY<DECIMAL(9,2)> and the like: the name alone decides.
            return unsupported(&words(head)).map_or_else(|| Err(unknown()), Err);
        }
        let (head, rest) = match text.split_once('(') {
            Some((head, rest)) => (head, Some(rest)),
            None => (text, None),
        };
        let mut name = words(head);
        let mut arguments = Vec::new();
        if let Some((inside, after)) = rest.and_then(|rest| rest.split_once(')')) {
            for number in inside.split(',') {
                let number = number.trim();
                if number.is_empty() || !number.bytes().all(|byte| byte.is_ascii_digit()) {
                    return unsupported(&name).map_or_else(|| Err(unknown()), Err);
                }
                // Digits that do not fit are too large for every type.
                arguments.push(number.parse().unwrap_or(u64::MAX));
            }
            let after = words(after);
            if !after.is_empty() {
                name = format!("{name} {after}");
            }
        } else if rest.is_some() {
            return Err(unknown());
        }
        Ok(Self { text, name, arguments })
    }

    fn column_type(&self) -> Result<ColumnType, TypeError> {
        let name = self.name.strip_suffix(" SIGNED").unwrap_or(&self.name);
        match name {
            "BOOLEAN" | "BOOL" => self.bare(ColumnType::Boolean),
            // MySQL's display widths, `INT(11)`, say nothing about the values.
            "TINYINT" | "INT1" => self.at_most_one(ColumnType::TinyInt),
            "SMALLINT" | "INT2" => self.at_most_one(ColumnType::SmallInt),
            "INT" | "INTEGER" | "INT4" | "MEDIUMINT" | "INT3" => self.at_most_one(ColumnType::Int),
            "BIGINT" | "INT8" => self.at_most_one(ColumnType::BigInt),
            "LARGEINT" => self.at_most_one(ColumnType::LargeInt),
            "FLOAT" | "FLOAT4" => self.bare(ColumnType::Float),
            "DOUBLE" | "DOUBLE PRECISION" | "FLOAT8" | "REAL" => self.bare(ColumnType::Double),
            "DECIMAL" | "NUMERIC" | "DEC" | "FIXED" | "NUMBER" | "DECIMALV3" => self.decimal("DECIMAL", 38, (10, 0)),
            "DECIMALV2" => self.decimal("DECIMALV2", 27, (27, 9)),
            "DECIMAL32" => self.decimal("DECIMAL32", 9, (9, 0)),
            "DECIMAL64" => self.decimal("DECIMAL64", 18, (18, 0)),
            "DECIMAL128" => self.decimal("DECIMAL128", 38, (38, 0)),
            "DATE" => self.bare(ColumnType::Date),
            "DATETIME" | "TIMESTAMP" | "TIMESTAMP WITHOUT TIME ZONE" => match self.arguments.as_slice() {
                // Microseconds are always kept, whatever number of digits was asked for.
                [] | [0..=6] => Ok(ColumnType::DateTime),
                _ => Err(self.unknown()),
            },
            "CHAR" | "CHARACTER" | "NCHAR" => self.length("CHAR", CHAR_MAX, 1, ColumnType::Char),
            "VARCHAR" | "CHARACTER VARYING" | "CHAR VARYING" | "NVARCHAR" => {
                self.length("VARCHAR", VARCHAR_MAX, STRING_MAX, ColumnType::Varchar)
            }
            "STRING" | "TEXT" | "TINYTEXT" | "MEDIUMTEXT" | "LONGTEXT" => self.at_most_one(ColumnType::String),
            "VARBINARY" | "BINARY" | "BINARY VARYING" => {
                self.length("VARBINARY", VARCHAR_MAX, VARCHAR_MAX, ColumnType::Varbinary)
            }
            _ => Err(unsupported(name).unwrap_or_else(|| self.unknown())),
        }
    }

    fn unknown(&self) -> TypeError {
        TypeError::Unknown(self.text.to_owned())
    }

    fn bare(&self, column_type: ColumnType) -> Result<ColumnType, TypeError> {
        if self.arguments.is_empty() { Ok(column_type) } else { Err(self.unknown()) }
    }

    fn at_most_one(&self, column_type: ColumnType) -> Result<ColumnType, TypeError> {
        if self.arguments.len() <= 1 { Ok(column_type) } else { Err(self.unknown()) }
    }

    fn length(
        &self,
        name: &'static str,
        max: u32,
        default: u32,
        make: fn(u32) -> ColumnType,
    ) -> Result<ColumnType, TypeError> {
        match self.arguments.as_slice() {
            [] => Ok(make(default)),
            [len] => match u32::try_from(*len) {
                Ok(len) if (1..=max).contains(&len) => Ok(make(len)),
                Ok(_) | Err(_) => Err(TypeError::Length { name, max, found: *len }),
            },
            _ => Err(self.unknown()),
        }
    }

    fn decimal(&self, name: &'static str, max: u8, default: (u8, u8)) -> Result<ColumnType, TypeError> {
        let (precision, scale) = match self.arguments.as_slice() {
            [] => (u64::from(default.0), u64::from(default.1)),
            [precision] => (*precision, 0),
            [precision, scale] => (*precision, *scale),
            _ => return Err(self.unknown()),
        };
        let wrong = || TypeError::Decimal { name, max, precision, scale };
        match (u8::try_from(precision), u8::try_from(scale)) {
            (Ok(p), Ok(s)) if (1..=max).contains(&p) && s <= p => Ok(ColumnType::Decimal { precision: p, scale: s }),
            _ => Err(wrong()),
        }
    }
}

/// Words in capitals, with one blank between them.
fn words(text: &str) -> String {
    text.split_whitespace().map(str::to_ascii_uppercase).collect::<Vec<_>>().join(" ")
}

/// Types of other systems, with what to use in their place.
fn unsupported(name: &str) -> Option<TypeError> {
    let hint = match name {
        "HLL" | "BITMAP" | "PERCENTILE" | "MAP" | "STRUCT" | "ARRAY" | "GEOMETRY" | "POINT" | "UUID" => "",
        "JSON" | "JSONB" | "VARIANT" | "ENUM" | "SET" => "STRING",
        "DECIMAL256" => "DECIMAL with at most 38 digits",
        "TIME" => "DATETIME or VARCHAR",
        "TIMESTAMP WITH TIME ZONE" => "DATETIME",
        "YEAR" | "BIT" => "SMALLINT or BIGINT",
        "BLOB" | "TINYBLOB" | "MEDIUMBLOB" | "LONGBLOB" | "BYTEA" => "VARBINARY",
        _ if name.ends_with(" UNSIGNED") => "the next larger signed type",
        _ => return None,
    };
    Some(TypeError::Unsupported(name.to_owned(), hint))
}
