use super::*;
use crate::datum::tests::any_datum;
use crate::schema::KeyModel;
use crate::types::ColumnType;
use crate::types::tests::any_type;
use arrow::array::{
    Array, BinaryArray, BinaryViewArray, Date32Array, Date64Array, Decimal128Array, Decimal256Array, DictionaryArray,
    Float32Array, Float64Array, Int8Array, Int32Array, Int64Array, LargeStringArray, ListArray, NullArray, StringArray,
    StringViewArray, TimestampMillisecondArray, TimestampNanosecondArray, TimestampSecondArray,
};
use arrow::datatypes::{DataType, Field, Int32Type, TimeUnit, i256};
use proptest::prelude::*;
use std::sync::Arc;

const NOW_MS: u64 = 1_709_210_096_789;

fn schema(columns: Vec<Column>) -> Schema {
    Schema::new(KeyModel::Duplicate, columns).expect("fine")
}

fn one(data_type: &str) -> Schema {
    schema(vec![Column::new("c", data_type.parse().expect("a type"))])
}

fn batch(array: ArrayRef) -> RecordBatch {
    let field = Field::new("x", array.data_type().clone(), true);
    RecordBatch::try_new(Arc::new(arrow::datatypes::Schema::new(vec![field])), vec![array]).expect("a batch")
}

/// What becomes of an array in a column: its values as text, NULL as "NULL", or the message.
fn cast(array: impl Array + 'static, data_type: &str) -> String {
    match conform(&one(data_type), &[0], &batch(Arc::new(array)), NOW_MS) {
        Err(error) => error.to_string(),
        Ok(rows) => {
            let column = rows.column(0);
            let values: Vec<String> =
                (0..rows.num_rows()).map(|row| Datum::at(column, row).expect("readable").to_string()).collect();
            values.join(" | ")
        }
    }
}

#[test]
fn numbers_are_cast_when_they_fit() {
    assert_eq!(cast(Int64Array::from(vec![Some(127), None, Some(-128)]), "TINYINT"), "127 | NULL | -128");
    assert_eq!(
        cast(Int64Array::from(vec![1, 128]), "TINYINT"),
        "row 2, column 'c': 128 is out of the range of TINYINT, -128 to 127"
    );
    assert_eq!(cast(UInt64Array::from(vec![u64::MAX]), "LARGEINT"), "18446744073709551615");
    assert!(cast(UInt64Array::from(vec![u64::MAX]), "BIGINT").contains("18446744073709551615 is out of the range"));
    assert_eq!(cast(Float64Array::from(vec![1.9, -1.9]), "INT"), "1 | -1");
    assert!(cast(Float64Array::from(vec![f64::NAN]), "INT").contains("NaN is out of the range of INT"));
    assert!(cast(Float64Array::from(vec![1e39]), "FLOAT").contains("1e39 is out of the range of FLOAT"));
    assert_eq!(cast(Float64Array::from(vec![f64::INFINITY, -0.0]), "FLOAT"), "inf | 0");
    assert_eq!(cast(Float64Array::from(vec![2.345, 2.5]), "DECIMAL(4,1)"), "2.3 | 2.5");
    assert_eq!(cast(Int32Array::from(vec![7]), "DECIMAL(4,1)"), "7.0");
    assert!(cast(Int32Array::from(vec![1000]), "DECIMAL(4,1)").contains("1000 is out of the range of DECIMAL(4,1)"));
    assert_eq!(cast(Int32Array::from(vec![0, 5]), "BOOLEAN"), "false | true");
    assert_eq!(cast(BooleanArray::from(vec![true]), "INT"), "1");
    let decimals = Decimal128Array::from(vec![12345, -55]).with_precision_and_scale(10, 2).expect("fits");
    assert_eq!(cast(decimals.clone(), "DECIMAL(10,1)"), "123.5 | -0.6");
    assert_eq!(cast(decimals.clone(), "INT"), "123 | 0");
    assert_eq!(cast(decimals.clone(), "BOOLEAN"), "true | true");
    assert!(cast(decimals.clone(), "DECIMAL(4,2)").starts_with("row 1, column 'c': 123.45 is out of the range"));
    assert_eq!(cast(decimals, "STRING"), "123.45 | -0.55");
    let wide = |value| Decimal256Array::from(vec![value]).with_precision_and_scale(76, 0).expect("fits");
    assert_eq!(cast(wide(i256::from_i128(i128::MIN)), "LARGEINT"), i128::MIN.to_string());
    assert!(cast(wide(i256::from_i128(i128::MAX).wrapping_add(i256::ONE)), "LARGEINT").contains("out of the range"));
    assert_eq!(cast(Int64Array::from(vec![i64::MIN]), "LARGEINT"), i64::MIN.to_string());
}

#[test]
fn text_is_read_as_the_type_of_the_column() {
    assert_eq!(cast(StringArray::from(vec![" 7 ", "5.0"]), "INT"), "7 | 5");
    assert_eq!(cast(StringViewArray::from(vec![Some("7"), None]), "BIGINT"), "7 | NULL");
    assert_eq!(cast(LargeStringArray::from(vec!["7", "x"]), "INT"), "row 2, column 'c': 'x' is not a valid INT");
    assert_eq!(cast(StringArray::from(vec!["1.005"]), "DECIMAL(5,2)"), "1.01");
    assert_eq!(cast(StringArray::from(vec!["2024-02-29T01:02:03.25"]), "DATETIME"), "2024-02-29 01:02:03.25");
    assert_eq!(cast(StringArray::from(vec!["true", "0"]), "BOOLEAN"), "true | false");
    assert_eq!(
        cast(StringArray::from(vec!["-170141183460469231731687303715884105728"]), "LARGEINT"),
        i128::MIN.to_string()
    );
    let packed: DictionaryArray<Int32Type> = vec![Some("1"), None, Some("1")].into_iter().collect();
    assert_eq!(cast(packed, "SMALLINT"), "1 | NULL | 1");
    assert_eq!(
        cast(StringArray::from(vec!["\u{e4}\u{e4}", "abcd"]), "CHAR(3)"),
        "row 1, column 'c': '\u{e4}\u{e4}' has 4 bytes, more than CHAR(3) holds"
    );
    assert_eq!(cast(StringArray::from(vec!["abc"]), "VARBINARY"), "0x616263");
    assert_eq!(cast(StringArray::from(vec!["Infinity", "-INF"]), "FLOAT"), "inf | -inf");
    assert_eq!(
        cast(StringArray::from(vec!["1e39"]), "FLOAT"),
        "row 1, column 'c': 1e39 is out of the range of FLOAT, -3.4028235e38 to 3.4028235e38"
    );
}

#[test]
fn days_and_moments_go_into_each_other() {
    assert_eq!(cast(Date32Array::from(vec![0, -1]), "DATETIME"), "1970-01-01 00:00:00 | 1969-12-31 00:00:00");
    assert_eq!(cast(TimestampNanosecondArray::from(vec![-1]), "DATE"), "1969-12-31");
    assert_eq!(cast(TimestampMillisecondArray::from(vec![1]), "DATETIME"), "1970-01-01 00:00:00.001");
    let zoned = TimestampSecondArray::from(vec![0]).with_timezone("+02:00");
    assert_eq!(cast(zoned, "DATETIME"), "1970-01-01 00:00:00", "the moment in UTC");
    assert!(cast(TimestampSecondArray::from(vec![i64::MAX]), "DATETIME").contains("out of the range of DATETIME"));
    assert!(cast(Date32Array::from(vec![i32::MAX]), "DATETIME").contains("out of the range of DATETIME"));
    assert!(cast(Date32Array::from(vec![i32::MAX]), "DATE").contains("out of the range of DATE"));
    assert_eq!(cast(Date64Array::from(vec![86_400_000]), "DATE"), "1970-01-02");
    assert_eq!(cast(Int32Array::from(vec![20_240_131]), "DATE"), "2024-01-31");
    assert!(cast(Int32Array::from(vec![5]), "DATE").contains("'5' is not a valid DATE"));
    assert_eq!(cast(Date32Array::from(vec![0]), "VARCHAR(10)"), "1970-01-01");
    assert!(cast(Date32Array::from(vec![0]), "VARCHAR(9)").contains("has 10 bytes"));
    assert!(cast(Date32Array::from(vec![0]), "INT").contains("Date32 values cannot be cast"));
}

#[test]
fn other_values_become_text_as_they_are_shown() {
    assert_eq!(cast(Int8Array::from(vec![-5]), "STRING"), "-5");
    assert_eq!(cast(Float32Array::from(vec![0.1, 1e30]), "STRING"), "0.1 | 1e30");
    assert_eq!(cast(BooleanArray::from(vec![true]), "VARCHAR(1)"), "1");
    assert_eq!(cast(BinaryArray::from(vec![&b"ab"[..]]), "STRING"), "ab");
    assert!(cast(BinaryArray::from(vec![&[0xff_u8][..]]), "STRING").contains("'0xff' is not a valid STRING"));
    assert_eq!(cast(BinaryViewArray::from(vec![&b"ab"[..]]), "VARBINARY"), "0x6162");
    assert_eq!(cast(NullArray::new(2), "INT"), "NULL | NULL");
    let lists = ListArray::from_iter_primitive::<Int32Type, _, _>(vec![Some(vec![Some(1)])]);
    assert!(cast(lists, "STRING").contains("values cannot be cast to that"));
}

#[test]
fn lacking_columns_get_their_defaults() {
    let literal = |text: &str| DefaultValue::Literal(text.into());
    let table = schema(vec![
        Column::new("a", ColumnType::Int).key().not_null(),
        Column::new("b", ColumnType::Decimal { precision: 5, scale: 2 }).not_null().default_value(literal("1.5")),
        Column::new("c", ColumnType::DateTime).default_value(DefaultValue::CurrentTimestamp),
        Column::new("d", ColumnType::String),
    ]);
    let rows = conform(&table, &[0], &batch(Arc::new(Int64Array::from(vec![1, 2]))), NOW_MS).expect("fits");
    let shown: Vec<String> =
        (0..4).map(|column| Datum::at(rows.column(column), 1).expect("readable").to_string()).collect();
    assert_eq!(shown, ["2", "1.50", "2024-02-29 12:34:56.789", "NULL"]);
    assert_eq!(rows.schema(), table.arrow());

    let text = Arc::new(StringArray::from(vec!["x"])) as ArrayRef;
    let error = conform(&table, &[3], &batch(Arc::clone(&text)), NOW_MS).expect_err("'a' is lacking");
    assert_eq!(error.to_string(), "column 'a' is NOT NULL, has no default and is not given; give it");
    assert!(conform(&table, &[9], &batch(Arc::clone(&text)), NOW_MS).is_err());
    assert!(conform(&table, &[0, 1], &batch(text), NOW_MS).is_err());
}

#[test]
fn bad_rows_can_be_left_out_and_told() {
    let table = schema(vec![Column::new("a", ColumnType::TinyInt).not_null(), Column::new("b", ColumnType::Char(1))]);
    let fields = vec![Field::new("b", DataType::Utf8, true), Field::new("a", DataType::Utf8, true)];
    let columns: Vec<ArrayRef> = vec![
        Arc::new(StringArray::from(vec!["x", "long", "y", "long", "z"])),
        Arc::new(StringArray::from(vec![Some("1"), Some("2"), None, Some("300"), Some("5")])),
    ];
    let rows = RecordBatch::try_new(Arc::new(arrow::datatypes::Schema::new(fields)), columns).expect("a batch");
    let conformed = conform_rows(&table, &[1, 0], &rows, NOW_MS).expect("castable");
    assert_eq!(conformed.rows.num_rows(), 2);
    let told: Vec<String> = conformed.refused.iter().map(ToString::to_string).collect();
    assert_eq!(
        told,
        [
            "row 2, column 'b': 'long' has 4 bytes, more than CHAR(1) holds",
            "row 3, column 'a': NULL in a column that is NOT NULL",
            "row 4, column 'a': 300 is out of the range of TINYINT, -128 to 127",
        ]
    );
    let error = conform(&table, &[1, 0], &rows, NOW_MS).expect_err("strict");
    assert_eq!(error.to_string(), told[0]);
    assert_eq!(error.kind(), crate::ErrorKind::Invalid);
}

#[test]
fn no_columns_at_all_still_count_rows() {
    let table = schema(vec![Column::new("a", ColumnType::Int)]);
    let options = RecordBatchOptions::new().with_row_count(Some(3));
    let none = RecordBatch::try_new_with_options(Arc::new(arrow::datatypes::Schema::empty()), vec![], &options);
    assert_eq!(conform(&table, &[], &none.expect("a batch"), NOW_MS).expect("all NULL").num_rows(), 3);
}

proptest! {
    /// Values of the type, and their texts, come out as they are.
    #[test]
    fn values_of_the_type_stay_as_they_are(
        (data_type, values) in any_type().prop_flat_map(|t| (Just(t), proptest::collection::vec(any_datum(t), 0..20)))
    ) {
        let table = schema(vec![Column::new("c", data_type)]);
        let array = Datum::array(&data_type, &values).expect("values of the type");
        let read = |rows: &RecordBatch| -> Vec<Datum> {
            (0..rows.num_rows()).map(|row| Datum::at(rows.column(0), row).expect("readable")).collect()
        };
        let same = conform(&table, &[0], &batch(array), NOW_MS).expect("fits");
        prop_assert_eq!(&read(&same), &values);
        if !matches!(data_type, ColumnType::Varbinary(_)) {
            let texts: StringArray =
                values.iter().map(|value| (!value.is_null()).then(|| value.to_string())).collect();
            let parsed = conform(&table, &[0], &batch(Arc::new(texts)), NOW_MS).expect("its own text");
            prop_assert_eq!(&read(&parsed), &values);
        }
    }

    /// Any cast gives a table's batch or an error.
    #[test]
    fn any_type_into_any_other_is_cast_or_refused(
        (from, values) in any_type().prop_flat_map(|t| (Just(t), proptest::collection::vec(any_datum(t), 0..8))),
        to in any_type(),
    ) {
        let array = Datum::array(&from, &values).expect("values of the type");
        let table = schema(vec![Column::new("c", to)]);
        if let Ok(conformed) = conform_rows(&table, &[0], &batch(array), NOW_MS) {
            prop_assert_eq!(conformed.rows.num_rows() + conformed.refused.len(), values.len());
            prop_assert_eq!(conformed.rows.schema(), table.arrow());
            // What comes out is of the type: it goes in again unchanged.
            let again = conform(&table, &[0], &conformed.rows, NOW_MS).expect("fits");
            prop_assert_eq!(again, conformed.rows);
        }
    }

    #[test]
    fn moments_of_any_unit_are_cast_or_refused(value in any::<i64>(), unit in 0usize..4, day in any::<bool>()) {
        let unit = [TimeUnit::Second, TimeUnit::Millisecond, TimeUnit::Microsecond, TimeUnit::Nanosecond][unit];
        let array = Int64Array::from(vec![value]);
        let array = arrow::compute::cast(&array, &DataType::Timestamp(unit, None)).expect("casts");
        let table = one(if day { "DATE" } else { "DATETIME" });
        let conformed = conform_rows(&table, &[0], &batch(array), NOW_MS).expect("castable");
        prop_assert_eq!(conformed.rows.num_rows() + conformed.refused.len(), 1);
    }
}
