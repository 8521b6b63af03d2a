//! The limits of the types that Arrow's types do not have.

use super::Problems;
use super::cast::shown;
use crate::datum::{ValueError, calendar, number};
use crate::schema::Column;
use crate::types::ColumnType;
use arrow::array::{Array, ArrayRef, AsArray, OffsetSizeTrait};
use arrow::datatypes::{
    Date32Type, Decimal128Type, Decimal256Type, Float32Type, Float64Type, TimestampMicrosecondType,
};
use std::sync::Arc;

/// Notes every value beyond the limits of the column, and NULL where none may be. `array` has the column's Arrow type, `source` is what
/// it was cast from, for messages. Gives the array back, floating point in canonical form.
pub(super) fn check(column: &Column, array: &ArrayRef, source: &ArrayRef, problems: &mut Problems) -> ArrayRef {
    let data_type = column.data_type;
    let mut range = |row: usize| problems.note(column, row, ValueError::range(&shown(source, row), data_type));
    let mut checked = Arc::clone(array);
    match data_type {
        ColumnType::Boolean | ColumnType::TinyInt | ColumnType::SmallInt | ColumnType::Int | ColumnType::BigInt => {}
        ColumnType::LargeInt => {
            let values = array.as_primitive::<Decimal256Type>();
            rows_where(values, |row| values.value(row).to_i128().is_none()).for_each(range);
        }
        ColumnType::Float => {
            let values = array.as_primitive::<Float32Type>();
            // An infinity that was none before the cast; one that was given as such stays.
            rows_where(values, |row| {
                values.value(row).is_infinite() && !shown(source, row).to_ascii_lowercase().contains("inf")
            })
            .for_each(range);
            checked = Arc::new(values.unary::<_, Float32Type>(number::canonical_f32));
        }
        ColumnType::Double => {
            let values = array.as_primitive::<Float64Type>();
            checked = Arc::new(values.unary::<_, Float64Type>(number::canonical_f64));
        }
        ColumnType::Decimal { precision, .. } => {
            let values = array.as_primitive::<Decimal128Type>();
            let end = number::power_of_ten(precision).unwrap_or(i128::MAX).unsigned_abs();
            rows_where(values, |row| values.value(row).unsigned_abs() >= end).for_each(range);
        }
        ColumnType::Date => {
            let values = array.as_primitive::<Date32Type>();
            let fine = calendar::DATE_MIN..=calendar::DATE_MAX;
            rows_where(values, |row| !fine.contains(&values.value(row))).for_each(range);
        }
        ColumnType::DateTime => {
            let values = array.as_primitive::<TimestampMicrosecondType>();
            let fine = calendar::DATETIME_MIN..=calendar::DATETIME_MAX;
            rows_where(values, |row| !fine.contains(&values.value(row))).for_each(&mut range);
        }
        ColumnType::Char(_) | ColumnType::Varchar(_) | ColumnType::String => {
            let offsets = array.as_string::<i32>().value_offsets();
            too_long(column, array, offsets, problems);
        }
        ColumnType::Varbinary(_) => {
            let offsets = array.as_binary::<i32>().value_offsets();
            too_long(column, array, offsets, problems);
        }
    }
    if !column.nullable && array.null_count() > 0 {
        for row in (0..array.len()).filter(|row| array.is_null(*row)) {
            problems.note(column, row, ValueError::Null);
        }
    }
    checked
}

fn rows_where<'a>(array: &'a dyn Array, wrong: impl Fn(usize) -> bool + 'a) -> impl Iterator<Item = usize> + 'a {
    (0..array.len()).filter(move |row| array.is_valid(*row) && wrong(*row))
}

fn too_long<O: OffsetSizeTrait>(column: &Column, array: &ArrayRef, offsets: &[O], problems: &mut Problems) {
    let max = column.data_type.max_len_bytes().and_then(|max| usize::try_from(max).ok()).unwrap_or(usize::MAX);
    for (row, (start, end)) in offsets.iter().zip(offsets.iter().skip(1)).enumerate() {
        let len_bytes = end.as_usize().saturating_sub(start.as_usize());
        if len_bytes > max && array.is_valid(row) {
            problems.note(column, row, ValueError::too_long(&shown(array, row), len_bytes, column.data_type));
        }
    }
}
