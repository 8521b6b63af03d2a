use super::*;
use crate::datum::Datum;
use crate::datum::tests::any_datum;
use crate::schema::{Column, KeyModel};
use crate::types::ColumnType;
use crate::types::tests::any_type;
use proptest::prelude::*;

fn encode(data_type: &str, values: &[&str]) -> Vec<String> {
    let data_type: ColumnType = data_type.parse().expect("a type");
    let mut datums = vec![Datum::Null];
    datums.extend(values.iter().map(|text| Datum::parse(&data_type, text).expect("a value")));
    let array = Datum::array(&data_type, &datums).expect("an array");
    let keys = encode_columns(&[array], datums.len()).expect("encodes");
    keys.iter().map(hex).collect()
}

/// These bytes are in stored indexes: a change of one is a change of format.
#[test]
fn encoded_bytes_never_change() {
    assert_eq!(encode("BOOLEAN", &["false", "true"]), ["00", "0100", "0101"]);
    assert_eq!(encode("TINYINT", &["-128", "0", "127"]), ["00", "0100", "0180", "01ff"]);
    assert_eq!(encode("SMALLINT", &["-1"]), ["00", "017fff"]);
    assert_eq!(encode("INT", &["1"]), ["00", "0180000001"]);
    assert_eq!(encode("BIGINT", &["-2"]), ["00", "017ffffffffffffffe"]);
    assert_eq!(encode("LARGEINT", &["5"]), ["00", "0180000000000000000000000000000005"]);
    assert_eq!(encode("DECIMAL(5,2)", &["-0.01"]), ["00", "017fffffffffffffffffffffffffffffff"]);
    assert_eq!(encode("DATE", &["1970-01-02"]), ["00", "0180000001"]);
    assert_eq!(encode("DATETIME", &["1970-01-01 00:00:01"]), ["00", "0180000000000f4240"]);
    assert_eq!(encode("FLOAT", &["-1", "0", "1"]), ["00", "01407fffff", "0180000000", "01bf800000"]);
    assert_eq!(encode("DOUBLE", &["-1", "nan"]), ["00", "01400fffffffffffff", "01fff8000000000000"]);
    assert_eq!(encode("STRING", &["", "ab", "a\0b"]), ["00", "010000", "0161620000", "016100ff620000"]);
    assert_eq!(encode("VARBINARY", &["\0"]), ["00", "0100ff0000"]);
}

#[test]
fn a_batch_of_other_columns_is_refused() {
    let schema = Schema::new(KeyModel::Duplicate, vec![Column::new("k", ColumnType::Int).key()]).expect("fine");
    let other = Schema::new(KeyModel::Duplicate, vec![Column::new("k", ColumnType::BigInt).key()]).expect("fine");
    let batch = RecordBatch::new_empty(other.arrow());
    assert_eq!(encode_keys(&schema, &batch).expect_err("other type").to_string(), "key column 'k' is Int64, not INT");
    let none = RecordBatch::new_empty(std::sync::Arc::new(arrow::datatypes::Schema::empty()));
    assert!(encode_keys(&schema, &none).is_err());
}

fn rows() -> impl Strategy<Value = (Vec<ColumnType>, Vec<Vec<Datum>>)> {
    proptest::collection::vec(any_type(), 1..4).prop_flat_map(|types| {
        let row = types.iter().map(|data_type| any_datum(*data_type)).collect::<Vec<_>>();
        (Just(types), proptest::collection::vec(row, 2..12))
    })
}

proptest! {
    #[test]
    fn bytes_are_ordered_as_values((types, rows) in rows()) {
        let columns: Vec<ArrayRef> = types
            .iter()
            .enumerate()
            .map(|(at, data_type)| {
                let values: Vec<Datum> = rows.iter().map(|row| row[at].clone()).collect();
                Datum::array(data_type, &values).expect("values of the type")
            })
            .collect();
        let keys = encode_columns(&columns, rows.len()).expect("encodes");
        prop_assert_eq!(keys.len(), rows.len());
        for (a, one) in rows.iter().enumerate() {
            for (b, other) in rows.iter().enumerate() {
                prop_assert_eq!(keys.get(a).cmp(keys.get(b)), one.cmp(other));
            }
        }
    }
}
