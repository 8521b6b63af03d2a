use super::*;
use arrow::array::{
    Date32Array, Date64Array, DictionaryArray, Float32Array, Float64Array, Int8Array, Int16Array, Int32Array,
    Int64Array, IntervalMonthDayNanoArray, ListArray, NullArray, StructArray, Time64MicrosecondArray,
    TimestampMicrosecondArray, TimestampNanosecondArray, TimestampSecondArray, UInt64Array,
};
use arrow::datatypes::{Field, Int32Type as Int32, IntervalMonthDayNano, Schema, i256};

fn row(array: ArrayRef, row: usize, format: RowFormat) -> Result<Vec<u8>, EngineError> {
    let schema = Arc::new(Schema::new(vec![Field::new("c", array.data_type().clone(), true)]));
    let batch = RecordBatch::try_new(schema, vec![array]).unwrap();
    let arrays = plain_arrays(&batch)?;
    let mut out = Vec::new();
    Rows::new(&arrays)?.put(row, format, &mut out)?;
    Ok(out)
}

/// The text of the first value, without its length.
fn text(array: impl Array + 'static) -> String {
    let bytes = row(Arc::new(array), 0, RowFormat::Text).unwrap();
    let (len, text) = bytes.split_first().unwrap();
    assert_eq!(usize::from(*len), text.len());
    String::from_utf8(text.to_vec()).unwrap()
}

/// The binary form of the first value, without the header and the bitmap.
fn binary(array: impl Array + 'static) -> Vec<u8> {
    let bytes = row(Arc::new(array), 0, RowFormat::Binary).unwrap();
    assert_eq!(bytes.get(..2), Some(&[0, 0][..]));
    bytes[2..].to_vec()
}

#[test]
fn numbers_have_both_forms() {
    assert_eq!(text(BooleanArray::from(vec![true])), "1");
    assert_eq!(binary(BooleanArray::from(vec![false])), [0]);
    assert_eq!(text(Int8Array::from(vec![-128])), "-128");
    assert_eq!(binary(Int8Array::from(vec![-1])), [0xff]);
    assert_eq!(binary(Int16Array::from(vec![-2])), [0xfe, 0xff]);
    assert_eq!(binary(Int32Array::from(vec![1])), [1, 0, 0, 0]);
    assert_eq!(text(Int64Array::from(vec![i64::MIN])), i64::MIN.to_string());
    assert_eq!(text(UInt64Array::from(vec![u64::MAX])), u64::MAX.to_string());
    assert_eq!(binary(UInt64Array::from(vec![u64::MAX])), [0xff; 8]);
    assert_eq!(text(Float32Array::from(vec![0.1])), "0.1");
    assert_eq!(text(Float64Array::from(vec![1e20])), "1e20");
    assert_eq!(binary(Float64Array::from(vec![1.5])), 1.5_f64.to_le_bytes());
}

#[test]
fn decimals_are_text_in_both_forms() {
    let money = || Decimal128Array::from(vec![-150]).with_precision_and_scale(15, 2).unwrap();
    assert_eq!(text(money()), "-1.50");
    assert_eq!(binary(money()), b"\x05-1.50");
    let large = Decimal256Array::from(vec![i256::from_i128(i128::MAX)]).with_precision_and_scale(39, 0).unwrap();
    assert_eq!(text(large), i128::MAX.to_string());
}

#[test]
fn days_and_moments_have_both_forms() {
    assert_eq!(text(Date32Array::from(vec![19_782])), "2024-02-29");
    assert_eq!(binary(Date32Array::from(vec![19_782])), [4, 0xe8, 0x07, 2, 29]);
    assert_eq!(text(Date64Array::from(vec![86_400_000])), "1970-01-02 00:00:00");
    let micros = 1_709_251_199_000_005;
    assert_eq!(text(TimestampMicrosecondArray::from(vec![micros])), "2024-02-29 23:59:59.000005");
    assert_eq!(binary(TimestampMicrosecondArray::from(vec![micros])), [11, 0xe8, 0x07, 2, 29, 23, 59, 59, 5, 0, 0, 0]);
    assert_eq!(binary(TimestampSecondArray::from(vec![0])), [7, 0xb2, 0x07, 1, 1, 0, 0, 0]);
    assert_eq!(text(TimestampSecondArray::from(vec![0])), "1970-01-01 00:00:00");
    assert_eq!(text(TimestampNanosecondArray::from(vec![-1])), "1969-12-31 23:59:59.999999");
    assert_eq!(text(Time64MicrosecondArray::from(vec![3_723_000_001])), "01:02:03.000001");
    assert_eq!(binary(Time64MicrosecondArray::from(vec![3_723_000_000])), [8, 0, 0, 0, 0, 0, 1, 2, 3]);
    assert_eq!(binary(Time64MicrosecondArray::from(vec![0])), [0]);
}

#[test]
fn a_year_that_the_binary_form_cannot_hold_is_an_error() {
    let array: ArrayRef = Arc::new(TimestampSecondArray::from(vec![i64::MAX]));
    assert!(row(Arc::clone(&array), 0, RowFormat::Text).is_ok());
    assert_eq!(row(array, 0, RowFormat::Binary).unwrap_err().code, codes::WRONG_VALUE);
}

#[test]
fn texts_and_bytes_of_every_layout_are_the_same() {
    let long = "x".repeat(300);
    let expected = [&[0xfc, 0x2c, 0x01], long.as_bytes()].concat();
    let arrays: Vec<ArrayRef> = vec![
        Arc::new(StringArray::from(vec![long.as_str()])),
        Arc::new(LargeStringArray::from(vec![long.as_str()])),
        Arc::new(StringViewArray::from(vec![long.as_str()])),
        Arc::new(BinaryArray::from(vec![long.as_bytes()])),
        Arc::new(LargeBinaryArray::from(vec![long.as_bytes()])),
        Arc::new(BinaryViewArray::from(vec![long.as_bytes()])),
        Arc::new(FixedSizeBinaryArray::try_from_iter([long.as_bytes()].into_iter()).unwrap()),
        Arc::new(DictionaryArray::<Int32>::from_iter([long.as_str()])),
    ];
    for array in arrays {
        let name = array.data_type().to_string();
        assert_eq!(row(array, 0, RowFormat::Text).unwrap(), expected, "{name}");
    }
    assert_eq!(text(StringArray::from(vec![""])), "");
}

#[test]
fn nested_values_are_shown_as_text() {
    let list = ListArray::from_iter_primitive::<Int32Type, _, _>([Some([Some(1), None])]);
    assert_eq!(text(list.clone()), "[1, NULL]");
    assert_eq!(binary(list), b"\x09[1, NULL]");
    let field = Arc::new(Field::new("a", DataType::Int32, true));
    assert_eq!(text(StructArray::from(vec![(field, Arc::new(Int32Array::from(vec![7])) as ArrayRef)])), "{a: 7}");
    let interval = IntervalMonthDayNanoArray::from(vec![IntervalMonthDayNano::new(1, 2, 0)]);
    assert_eq!(text(interval), "1 mons 2 days");
}

#[test]
fn cells_are_given_as_texts() {
    let numbers: ArrayRef = Arc::new(Int32Array::from(vec![Some(-1), None]));
    let bytes: ArrayRef = Arc::new(BinaryArray::from(vec![&b"\xff"[..], b"ok"]));
    let batch = RecordBatch::try_from_iter([("n", numbers), ("b", bytes)]).unwrap();
    let expected = [[Some("-1".into()), Some("ff".into())], [None, Some("ok".into())]];
    assert_eq!(crate::mysql::text_rows(&batch).unwrap(), expected);
}

#[test]
fn nulls_are_marked_in_both_forms() {
    let array: ArrayRef = Arc::new(Int32Array::from(vec![Some(1), None]));
    assert_eq!(row(Arc::clone(&array), 1, RowFormat::Text).unwrap(), [0xfb]);
    assert_eq!(row(array, 1, RowFormat::Binary).unwrap(), [0, 0b100]);
    let nothing: ArrayRef = Arc::new(NullArray::new(1));
    assert_eq!(row(Arc::clone(&nothing), 0, RowFormat::Text).unwrap(), [0xfb]);
    assert_eq!(row(nothing, 0, RowFormat::Binary).unwrap(), [0, 0b100]);
    let absent = DictionaryArray::<Int32>::from_iter([None, Some("a")]);
    assert_eq!(row(Arc::new(absent), 0, RowFormat::Text).unwrap(), [0xfb]);
}

#[test]
fn the_bitmap_of_nulls_begins_at_its_third_bit() {
    let arrays: Vec<ArrayRef> =
        (0..7).map(|index| Arc::new(Int8Array::from(vec![(index != 6).then_some(1)])) as ArrayRef).collect();
    let mut out = Vec::new();
    Rows::new(&arrays).unwrap().put(0, RowFormat::Binary, &mut out).unwrap();
    assert_eq!(out, [0, 0, 0b1, 1, 1, 1, 1, 1, 1]);
}
