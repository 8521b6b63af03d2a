//! Targets on the tablet's public side.

use arrow::array::{RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, Schema as ArrowSchema};
use bytes::Bytes;
use std::sync::Arc;
use tablet::{
    Column, ColumnType, CompareOp, Datum, KeyModel, Predicate, ScanOptions, Schema, SegmentReader, conform_rows,
    encode_keys,
};

/// The first line is a type, the others are values of it. The bytes of keys are ordered as the values are.
pub(crate) fn key(data: &[u8]) {
    let mut lines = data.split(|byte| *byte == b'\n');
    let Some(data_type) = column_type(lines.next().unwrap_or_default()) else { return };
    let Ok(schema) = Schema::new(KeyModel::Duplicate, vec![Column::new("k", data_type).key()]) else { return };
    let values: Vec<Datum> = lines.take(16).filter_map(|line| datum(data_type, line)).collect();
    let array = Datum::array(&data_type, &values).expect("values of the type");
    let batch = RecordBatch::try_new(schema.arrow(), vec![array]).expect("a column of the type");
    let keys = encode_keys(&schema, &batch).expect("rows of the table");
    assert_eq!(keys.len(), values.len());
    for (one, value) in keys.iter().zip(&values) {
        for (other, another) in keys.iter().zip(&values) {
            assert_eq!(one.cmp(other), value.cmp(another), "{value:?} {another:?}");
        }
    }
}

fn column_type(text: &[u8]) -> Option<ColumnType> {
    let text = std::str::from_utf8(text).ok()?;
    let data_type: ColumnType = text.parse().ok()?;
    assert_eq!(data_type.to_string().parse().ok(), Some(data_type), "{text}");
    Some(data_type)
}

fn datum(data_type: ColumnType, text: &[u8]) -> Option<Datum> {
    match data_type {
        _ if text == b"\\N" => Some(Datum::Null),
        ColumnType::Varbinary(max) => (text.len() as u64 <= u64::from(max)).then(|| Datum::Bytes(text.to_vec())),
        _ => Datum::parse(&data_type, std::str::from_utf8(text).ok()?).ok(),
    }
}

/// The first line is a type, the rest a text to be read as it: what is read is shown and read back alike, and a load
/// reads it as anybody else does.
pub(crate) fn value(data: &[u8]) {
    let Some(end) = data.iter().position(|byte| *byte == b'\n') else { return };
    let (first, rest) = data.split_at(end);
    let (Some(data_type), Ok(text)) = (column_type(first), std::str::from_utf8(rest.get(1..).unwrap_or_default()))
    else {
        return;
    };
    let read = Datum::parse(&data_type, text);
    if let Ok(value) = &read
        && !matches!(value, Datum::Bytes(_))
    {
        let shown = value.to_string();
        assert_eq!(Datum::parse(&data_type, &shown).as_ref(), Ok(value), "{shown}");
    }
    let Ok(schema) = Schema::new(KeyModel::Duplicate, vec![Column::new("v", data_type)]) else { return };
    let fields = Arc::new(ArrowSchema::new(vec![Field::new("v", DataType::Utf8, true)]));
    let batch = RecordBatch::try_new(fields, vec![Arc::new(StringArray::from(vec![text]))]).expect("a batch of text");
    let loaded = conform_rows(&schema, &[0], &batch, 0).expect("a batch of the table's width");
    let loaded = (loaded.rows.num_rows() == 1).then(|| Datum::at(loaded.rows.column(0), 0).expect("a value"));
    assert_eq!(loaded, read.ok(), "{text:?} as {data_type}");
}

/// A segment file of a table of three columns. Whatever is in it, it is read or refused.
pub(crate) fn segment(data: &[u8]) {
    let columns = vec![
        Column::new("k", ColumnType::Int).key().not_null(),
        Column::new("v", ColumnType::BigInt),
        Column::new("s", ColumnType::Varchar(20)),
    ];
    let schema = Arc::new(Schema::new(KeyModel::Duplicate, columns).expect("a schema"));
    let Ok(reader) = SegmentReader::open("segment", &schema, Bytes::copy_from_slice(data)) else { return };
    let two = Predicate { column: 0, op: CompareOp::Eq, value: Datum::Int(2) };
    let everything = ScanOptions::default();
    let some =
        ScanOptions { columns: Some(vec![2, 0]), predicates: vec![two], batch_rows: 2, ..ScanOptions::default() };
    for options in [everything, some] {
        let Ok(scan) = reader.scan(&options) else { continue };
        let mut rows = 0;
        for batch in scan {
            let Ok(batch) = batch else { break };
            assert_eq!(batch.rows.num_rows(), batch.positions.len());
            rows += batch.positions.len();
        }
        assert!(rows as u64 <= reader.rows());
    }
}
