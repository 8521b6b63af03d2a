use super::*;
use crate::datum::Datum;
use crate::datum::tests::any_datum;
use crate::types::ColumnType;
use arrow::array::ArrayRef;
use arrow::datatypes::{DataType, Field, Schema};
use proptest::prelude::*;
use std::sync::Arc;

const TYPES: [ColumnType; 6] = [
    ColumnType::Int,
    ColumnType::LargeInt,
    ColumnType::Decimal { precision: 12, scale: 3 },
    ColumnType::DateTime,
    ColumnType::String,
    ColumnType::Float,
];

fn batch(rows: &[Vec<Datum>]) -> RecordBatch {
    let arrays: Vec<ArrayRef> = TYPES
        .iter()
        .enumerate()
        .map(|(at, data_type)| {
            let values: Vec<Datum> = rows.iter().map(|row| row[at].clone()).collect();
            Datum::array(data_type, &values).expect("values of the type")
        })
        .collect();
    let fields: Vec<Field> = TYPES.iter().map(|t| Field::new(t.to_string(), t.arrow(), true)).collect();
    RecordBatch::try_new(Arc::new(Schema::new(fields)), arrays).expect("a batch")
}

fn fingerprint(batches: &[RecordBatch]) -> Fingerprint {
    let mut sum = Fingerprint::default();
    for batch in batches {
        sum.add(batch).expect("readable");
    }
    sum
}

fn row(texts: [Option<&str>; 6]) -> Vec<Datum> {
    TYPES
        .iter()
        .zip(texts)
        .map(|(data_type, text)| text.map_or(Datum::Null, |text| Datum::parse(data_type, text).expect("a value")))
        .collect()
}

/// Printed by the demo and kept in tests of other crates: a change would tell equal data apart.
#[test]
fn sums_never_change() {
    assert_eq!(fingerprint(&[]).to_string(), "0-00000000000000000000000000000000");
    let rows = [
        row([
            Some("1"),
            Some("-170141183460469231731687303715884105728"),
            Some("1.5"),
            None,
            Some("a\0b"),
            Some("0.1"),
        ]),
        row([None, Some("0"), Some("-1.5"), Some("2024-02-29 01:02:03.000004"), Some(""), Some("nan")]),
    ];
    insta::assert_snapshot!(fingerprint(&[batch(&rows)]), @"2-4a2d5753b10e4f910c1a31a14975097b");
}

#[test]
fn one_changed_value_shows() {
    let one = row([Some("1"), Some("2"), Some("3"), None, Some("x"), Some("5")]);
    let other = row([Some("1"), Some("2"), Some("3"), None, Some("y"), Some("5")]);
    let whole = fingerprint(&[batch(std::slice::from_ref(&one))]);
    assert_ne!(whole, fingerprint(&[batch(&[other])]));
    assert_ne!(whole, fingerprint(&[batch(&[one.clone(), one])]));
}

proptest! {
    #[test]
    fn order_batches_and_arrow_encodings_do_not_matter(
        rows in proptest::collection::vec(TYPES.map(any_datum).to_vec(), 0..12),
        cut in 0usize..12,
        turn in 0usize..12,
    ) {
        let whole = fingerprint(&[batch(&rows)]);
        let mut turned = rows.clone();
        if !turned.is_empty() {
            let turn = turn % turned.len();
            turned.rotate_left(turn);
        }
        let (left, right) = turned.split_at(cut.min(turned.len()));
        prop_assert_eq!(fingerprint(&[batch(left), batch(right)]), whole);
        let mut merged = fingerprint(&[batch(left)]);
        merged.merge(fingerprint(&[batch(right)]));
        prop_assert_eq!(merged, whole);

        // As a query may give them: views, dictionaries, wider integers.
        let plain = batch(&rows);
        let types = [
            DataType::Int64,
            plain.column(1).data_type().clone(),
            plain.column(2).data_type().clone(),
            plain.column(3).data_type().clone(),
            if turn % 2 == 0 {
                DataType::Utf8View
            } else {
                DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8))
            },
            DataType::Float64,
        ];
        let arrays: Vec<ArrayRef> = plain
            .columns()
            .iter()
            .zip(&types)
            .map(|(array, wanted)| arrow::compute::cast(array, wanted).expect("casts"))
            .collect();
        let fields: Vec<Field> = types.iter().map(|t| Field::new("x", t.clone(), true)).collect();
        let other = RecordBatch::try_new(Arc::new(Schema::new(fields)), arrays).expect("a batch");
        prop_assert_eq!(fingerprint(&[other]), whole);
    }
}
