//! Column definitions: how an Arrow type is announced to a client. Pure.

use super::capabilities::{COLLATION_BINARY, COLLATION_UTF8MB4};
use super::codec::put_lenenc_bytes;
use arrow::datatypes::{DataType, Field, TimeUnit};

/// The protocol's type codes.
pub(crate) mod kind {
    pub(crate) const DECIMAL: u8 = 0;
    pub(crate) const TINY: u8 = 1;
    pub(crate) const SHORT: u8 = 2;
    pub(crate) const LONG: u8 = 3;
    pub(crate) const FLOAT: u8 = 4;
    pub(crate) const DOUBLE: u8 = 5;
    pub(crate) const NULL: u8 = 6;
    pub(crate) const TIMESTAMP: u8 = 7;
    pub(crate) const LONGLONG: u8 = 8;
    pub(crate) const INT24: u8 = 9;
    pub(crate) const DATE: u8 = 10;
    pub(crate) const TIME: u8 = 11;
    pub(crate) const DATETIME: u8 = 12;
    pub(crate) const YEAR: u8 = 13;
    pub(crate) const VARCHAR: u8 = 15;
    pub(crate) const BIT: u8 = 16;
    pub(crate) const JSON: u8 = 245;
    pub(crate) const NEWDECIMAL: u8 = 246;
    pub(crate) const ENUM: u8 = 247;
    pub(crate) const SET: u8 = 248;
    pub(crate) const TINY_BLOB: u8 = 249;
    pub(crate) const MEDIUM_BLOB: u8 = 250;
    pub(crate) const LONG_BLOB: u8 = 251;
    pub(crate) const BLOB: u8 = 252;
    pub(crate) const VAR_STRING: u8 = 253;
    pub(crate) const STRING: u8 = 254;
    pub(crate) const GEOMETRY: u8 = 255;
}

const NOT_NULL: u16 = 1;
const UNSIGNED: u16 = 32;
const BINARY: u16 = 128;

/// Decimals of a type whose number of them is not fixed.
const DECIMALS_FREE: u8 = 31;
/// Characters of a VARCHAR as long as one can be; there is no better bound for text.
const TEXT_CHARS_MAX: u32 = 65_533;
const UTF8MB4_CHAR_BYTES_MAX: u32 = 4;

/// How a type is announced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct WireType {
    pub(crate) kind: u8,
    collation: u8,
    /// Widest text form in bytes.
    length: u32,
    flags: u16,
    decimals: u8,
}

impl WireType {
    const fn number(kind: u8, length: u32, flags: u16, decimals: u8) -> Self {
        Self { kind, collation: COLLATION_BINARY, length, flags: flags | BINARY, decimals }
    }

    const fn time(kind: u8, length: u32, decimals: u8) -> Self {
        Self { kind, collation: COLLATION_BINARY, length, flags: BINARY, decimals }
    }

    /// Text, also for a parameter of a prepared statement.
    pub(crate) const TEXT: Self = Self {
        kind: kind::VAR_STRING,
        collation: COLLATION_UTF8MB4,
        length: TEXT_CHARS_MAX * UTF8MB4_CHAR_BYTES_MAX,
        flags: 0,
        decimals: DECIMALS_FREE,
    };

    /// How values of an Arrow type are announced; types without a counterpart go as text.
    pub(crate) fn of(data_type: &DataType) -> Self {
        match data_type {
            DataType::Null => Self::number(kind::NULL, 0, 0, 0),
            DataType::Boolean => Self::number(kind::TINY, 1, 0, 0),
            DataType::Int8 => Self::number(kind::TINY, 4, 0, 0),
            DataType::Int16 => Self::number(kind::SHORT, 6, 0, 0),
            DataType::Int32 => Self::number(kind::LONG, 11, 0, 0),
            DataType::Int64 => Self::number(kind::LONGLONG, 20, 0, 0),
            DataType::UInt8 => Self::number(kind::TINY, 3, UNSIGNED, 0),
            DataType::UInt16 => Self::number(kind::SHORT, 5, UNSIGNED, 0),
            DataType::UInt32 => Self::number(kind::LONG, 10, UNSIGNED, 0),
            DataType::UInt64 => Self::number(kind::LONGLONG, 20, UNSIGNED, 0),
            DataType::Float16 | DataType::Float32 => Self::number(kind::FLOAT, 12, 0, DECIMALS_FREE),
            DataType::Float64 => Self::number(kind::DOUBLE, 22, 0, DECIMALS_FREE),
            DataType::Decimal32(precision, scale)
            | DataType::Decimal64(precision, scale)
            | DataType::Decimal128(precision, scale)
            | DataType::Decimal256(precision, scale) => decimal(*precision, *scale),
            DataType::Date32 => Self::time(kind::DATE, 10, 0),
            DataType::Timestamp(TimeUnit::Second, _) => Self::time(kind::DATETIME, 19, 0),
            DataType::Date64 | DataType::Timestamp(_, _) => Self::time(kind::DATETIME, 26, 6),
            DataType::Time32(TimeUnit::Second) => Self::time(kind::TIME, 10, 0),
            DataType::Time32(_) | DataType::Time64(_) => Self::time(kind::TIME, 17, 6),
            DataType::Binary | DataType::LargeBinary | DataType::BinaryView | DataType::FixedSizeBinary(_) => Self {
                kind: kind::VAR_STRING,
                collation: COLLATION_BINARY,
                length: TEXT_CHARS_MAX * UTF8MB4_CHAR_BYTES_MAX,
                flags: BINARY,
                decimals: 0,
            },
            DataType::Dictionary(_, values) => Self::of(values),
            DataType::Utf8
            | DataType::LargeUtf8
            | DataType::Utf8View
            | DataType::Duration(_)
            | DataType::Interval(_)
            | DataType::List(_)
            | DataType::ListView(_)
            | DataType::FixedSizeList(_, _)
            | DataType::LargeList(_)
            | DataType::LargeListView(_)
            | DataType::Struct(_)
            | DataType::Union(_, _)
            | DataType::Map(_, _)
            | DataType::RunEndEncoded(_, _) => Self::TEXT,
        }
    }
}

/// A sign, the digits, and a point when there are decimals.
fn decimal(precision: u8, scale: i8) -> WireType {
    let decimals = u8::try_from(scale).unwrap_or(0);
    // A negative scale stands for as many zeros behind the digits.
    let zeros = if scale < 0 { u32::from(scale.unsigned_abs()) } else { 0 };
    // Digits all behind the point have a zero before it.
    let digits = u32::from(precision).max(u32::from(decimals) + 1);
    WireType::number(kind::NEWDECIMAL, digits + zeros + 1 + u32::from(decimals > 0), 0, decimals)
}

/// Appends the definition of a result's column.
pub(crate) fn put_column(out: &mut Vec<u8>, table: &str, field: &Field) {
    let not_null = if field.is_nullable() { 0 } else { NOT_NULL };
    put_definition(out, table, field.name(), WireType::of(field.data_type()), not_null);
}

/// Appends the definition of a statement's parameter.
pub(crate) fn put_parameter(out: &mut Vec<u8>) {
    put_definition(out, "", "?", WireType::TEXT, 0);
}

fn put_definition(out: &mut Vec<u8>, table: &str, name: &str, wire: WireType, flags: u16) {
    put_lenenc_bytes(out, b"def");
    put_lenenc_bytes(out, b"");
    put_lenenc_bytes(out, table.as_bytes());
    put_lenenc_bytes(out, table.as_bytes());
    put_lenenc_bytes(out, name.as_bytes());
    put_lenenc_bytes(out, name.as_bytes());
    // Length of what follows.
    out.push(0x0c);
    out.extend_from_slice(&u16::from(wire.collation).to_le_bytes());
    out.extend_from_slice(&wire.length.to_le_bytes());
    out.push(wire.kind);
    out.extend_from_slice(&(wire.flags | flags).to_le_bytes());
    out.extend_from_slice(&[wire.decimals, 0, 0]);
}
