//! Arrow arrays from values.

use super::Datum;
use crate::error::{Error, Result};
use crate::types::ColumnType;
use arrow::array::{
    ArrayRef, BinaryBuilder, BooleanBuilder, Decimal128Builder, Decimal256Builder, PrimitiveBuilder, StringBuilder,
};
use arrow::datatypes::{
    ArrowPrimitiveType, Date32Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type,
    TimestampMicrosecondType, i256,
};
use std::sync::Arc;

fn mismatch(data_type: ColumnType, value: &Datum) -> Error {
    Error::Invalid(format!("'{value}' is not a value of a {data_type} column"))
}

fn integers<T: ArrowPrimitiveType>(data_type: ColumnType, values: &[Datum]) -> Result<ArrayRef>
where
    T::Native: TryFrom<i128>,
{
    let mut builder = PrimitiveBuilder::<T>::with_capacity(values.len());
    for value in values {
        if let Datum::Int(number) = value {
            builder.append_value(T::Native::try_from(*number).ok().ok_or_else(|| mismatch(data_type, value))?);
        } else if value.is_null() {
            builder.append_null();
        } else {
            return Err(mismatch(data_type, value));
        }
    }
    Ok(Arc::new(builder.finish()))
}

/// Appends each value by `one`, which answers whether it could.
fn fill(data_type: ColumnType, values: &[Datum], mut one: impl FnMut(&Datum) -> bool) -> Result<()> {
    match values.iter().find(|value| !one(value)) {
        Some(wrong) => Err(mismatch(data_type, wrong)),
        None => Ok(()),
    }
}

macro_rules! filled {
    ($data_type:expr, $values:expr, $builder:expr, $pattern:pat $(if $guard:expr)? => $value:expr) => {{
        let mut builder = $builder;
        fill($data_type, $values, |value| {
            match value {
                Datum::Null => builder.append_null(),
                $pattern $(if $guard)? => builder.append_value($value),
                _ => return false,
            }
            true
        })?;
        Ok(Arc::new(builder.finish()))
    }};
}

pub(super) fn build(data_type: ColumnType, values: &[Datum]) -> Result<ArrayRef> {
    let many = values.len();
    match data_type {
        ColumnType::Boolean => {
            filled!(data_type, values, BooleanBuilder::with_capacity(many), Datum::Bool(value) => *value)
        }
        ColumnType::TinyInt => integers::<Int8Type>(data_type, values),
        ColumnType::SmallInt => integers::<Int16Type>(data_type, values),
        ColumnType::Int => integers::<Int32Type>(data_type, values),
        ColumnType::BigInt => integers::<Int64Type>(data_type, values),
        ColumnType::LargeInt => {
            let builder = Decimal256Builder::with_capacity(many).with_data_type(data_type.arrow());
            filled!(data_type, values, builder, Datum::Int(value) => i256::from_i128(*value))
        }
        ColumnType::Float => {
            let builder = PrimitiveBuilder::<Float32Type>::with_capacity(many);
            filled!(data_type, values, builder, Datum::Float(value) => narrow(*value))
        }
        ColumnType::Double => {
            let builder = PrimitiveBuilder::<Float64Type>::with_capacity(many);
            filled!(data_type, values, builder, Datum::Float(value) => *value)
        }
        ColumnType::Decimal { scale: wanted, .. } => {
            let builder = Decimal128Builder::with_capacity(many).with_data_type(data_type.arrow());
            filled!(data_type, values, builder, Datum::Decimal { unscaled, scale } if *scale == wanted => *unscaled)
        }
        ColumnType::Date => {
            let builder = PrimitiveBuilder::<Date32Type>::with_capacity(many);
            filled!(data_type, values, builder, Datum::Date(days) => *days)
        }
        ColumnType::DateTime => {
            let builder = PrimitiveBuilder::<TimestampMicrosecondType>::with_capacity(many);
            filled!(data_type, values, builder, Datum::DateTime(micros) => *micros)
        }
        ColumnType::Char(_) | ColumnType::Varchar(_) | ColumnType::String => {
            filled!(data_type, values, StringBuilder::new(), Datum::Text(text) => text)
        }
        ColumnType::Varbinary(_) => filled!(data_type, values, BinaryBuilder::new(), Datum::Bytes(bytes) => bytes),
    }
}

#[expect(clippy::cast_possible_truncation, reason = "to the nearest FLOAT, which is what the column holds")]
fn narrow(value: f64) -> f32 {
    value as f32
}
