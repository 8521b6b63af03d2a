use super::*;
use crate::datum::Datum;
use crate::datum::tests::any_datum;
use crate::error::ErrorKind;
use crate::keys::encode_keys;
use crate::schema::{Column, KeyModel, Schema};
use crate::types::ColumnType;
use arrow::array::RecordBatch;
use bytes::Bytes;
use env::disk::{Disk, MemDisk};
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::sync::Arc;

mod damage;
mod fold;
mod order;
mod plain;
mod scans;

const ORIGIN: SegmentOrigin = SegmentOrigin { tablet: TabletId(10_007), rowset: 3, ordinal: 0 };

/// Small pieces, so that few rows make many of them.
fn small() -> SegmentOptions {
    SegmentOptions { row_group_rows: 7, page_rows: 3, compression: Compression::Lz4 }
}

/// One column of each type, keys first.
fn wide_schema() -> Arc<Schema> {
    let types = [
        "BIGINT",
        "VARCHAR(20)",
        "DATE",
        "BOOLEAN",
        "TINYINT",
        "SMALLINT",
        "INT",
        "LARGEINT",
        "FLOAT",
        "DOUBLE",
        "DECIMAL(9,2)",
        "DECIMAL(18,4)",
        "DECIMAL(38,10)",
        "DATETIME",
        "CHAR(5)",
        "STRING",
        "VARBINARY",
    ];
    let columns = types.iter().enumerate().map(|(at, data_type)| {
        let column = Column::new(format!("c{at}"), data_type.parse().expect("a type"));
        if at < 3 { column.key() } else { column }
    });
    Arc::new(Schema::new(KeyModel::Duplicate, columns.collect()).expect("fine"))
}

/// A key, a number and a text.
fn narrow_schema(model: KeyModel) -> Arc<Schema> {
    let columns = vec![
        Column::new("k", ColumnType::Int).key().not_null(),
        Column::new("v", ColumnType::BigInt),
        Column::new("s", ColumnType::Varchar(20)),
    ];
    Arc::new(Schema::new(model, columns).expect("fine"))
}

fn any_rows(schema: &Schema, max: usize) -> impl Strategy<Value = Vec<Vec<Datum>>> + use<> {
    let row: Vec<_> = schema
        .columns()
        .iter()
        .map(|column| {
            let nullable = column.nullable;
            any_datum(column.data_type).prop_filter("NOT NULL", move |value| nullable || !value.is_null())
        })
        .collect();
    proptest::collection::vec(row, 0..max)
}

/// Rows whose keys are few, so that they come again.
fn repeated_rows(max: usize) -> impl Strategy<Value = Vec<Vec<Datum>>> {
    let row = (0i128..12, proptest::option::of(-3i128..3), 0u32..4)
        .prop_map(|(k, v, s)| vec![Datum::Int(k), v.map_or(Datum::Null, Datum::Int), Datum::Text(format!("s{s}"))]);
    proptest::collection::vec(row, 0..max)
}

fn batch(schema: &Schema, rows: &[Vec<Datum>]) -> RecordBatch {
    let columns = schema.columns().iter().enumerate().map(|(at, column)| {
        let values: Vec<Datum> = rows.iter().map(|row| row[at].clone()).collect();
        Datum::array(&column.data_type, &values).expect("values of the type")
    });
    RecordBatch::try_new(schema.arrow(), columns.collect()).expect("a batch")
}

fn rows_of(batch: &RecordBatch) -> Vec<Vec<Datum>> {
    (0..batch.num_rows())
        .map(|row| batch.columns().iter().map(|column| Datum::at(column, row).expect("readable")).collect())
        .collect()
}

fn sorted(schema: &Schema, rows: &[Vec<Datum>]) -> Vec<Vec<Datum>> {
    let mut rows = rows.to_vec();
    rows.sort_by(|a, b| a[..schema.key_len()].cmp(&b[..schema.key_len()]));
    rows
}

/// A finished segment of rows that are in order.
fn segment(schema: &Arc<Schema>, rows: &[Vec<Datum>], options: &SegmentOptions) -> (Bytes, SegmentMeta) {
    let disk = Arc::new(MemDisk::new());
    let mut writer =
        SegmentWriter::create(Arc::<MemDisk>::clone(&disk), "s.parquet", schema, ORIGIN, options).expect("creates");
    for part in rows.chunks(5) {
        writer.write(&batch(schema, part)).expect("writes");
    }
    let meta = writer.finish().expect("finishes");
    (disk.read("s.parquet").expect("is there"), meta)
}

fn reader(schema: &Arc<Schema>, rows: &[Vec<Datum>], options: &SegmentOptions) -> SegmentReader {
    let (bytes, meta) = segment(schema, rows, options);
    SegmentReader::open_verified("s.parquet", schema, bytes, &meta).expect("opens")
}

fn read(scan: SegmentScan) -> Vec<(u32, Vec<Datum>)> {
    scan.flat_map(|batch| {
        let batch = batch.expect("readable");
        assert_eq!(batch.rows.num_rows(), batch.positions.len());
        batch.positions.into_iter().zip(rows_of(&batch.rows)).collect::<Vec<_>>()
    })
    .collect()
}

#[test]
fn a_segment_is_an_ordinary_parquet_file() {
    let schema = wide_schema();
    let rows = vec![schema.columns().iter().map(|_| Datum::Null).collect::<Vec<_>>()];
    let (bytes, meta) = segment(&schema, &rows, &SegmentOptions::default());
    assert_eq!(meta.rows, 1);
    assert_eq!(meta.len_bytes, u64::try_from(bytes.len()).expect("small"));
    let plain = parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder::try_new(bytes).expect("Parquet");
    assert_eq!(plain.schema().fields(), schema.arrow().fields(), "types are told by the file alone");
    let footer = plain.metadata().file_metadata();
    let notes: BTreeMap<&str, &str> = footer
        .key_value_metadata()
        .expect("notes")
        .iter()
        .map(|note| (note.key.as_str(), note.value.as_deref().expect("a value")))
        .collect();
    let wanted = [("tabularium.format", "1"), ("tabularium.segment", "3-0"), ("tabularium.tablet", "10007")];
    assert_eq!(notes, BTreeMap::from(wanted));
}

/// A row of each kind: nothing, the least, the greatest, something between.
fn golden_rows() -> Vec<Vec<Datum>> {
    let texts = [
        ["-9223372036854775808", "", "0000-01-01", "false", "-128", "-32768", "-2147483648"],
        ["7", "tabularium", "2024-02-29", "true", "1", "-1", "42"],
        ["9223372036854775807", "\u{10ffff}", "9999-12-31", "true", "127", "32767", "2147483647"],
    ];
    let least = i128::MIN.to_string();
    let greatest = i128::MAX.to_string();
    let more = [
        [&least, "-3.4028235e38", "-1.7976931348623157e308", "-9999999.99", "-99999999999999.9999"],
        ["-170", "0.5", "-1e-300", "12.34", "0.0001"],
        [&greatest, "3.4028235e38", "nan", "9999999.99", "99999999999999.9999"],
    ];
    let rest = [
        ["-9999999999999999999999999999.9999999999", "0000-01-01 00:00:00", "", "", ""],
        ["1.5", "2024-02-29 12:34:56.789", "abcde", "a\0b", "a\0b"],
        ["9999999999999999999999999999.9999999999", "9999-12-31 23:59:59.999999", "\u{20ac}", "z", "z"],
    ];
    let schema = wide_schema();
    let mut rows = vec![vec![Datum::Null; schema.columns().len()]];
    for ((texts, more), rest) in texts.iter().zip(&more).zip(&rest) {
        let texts = texts.iter().chain(more).chain(rest);
        let values = schema.columns().iter().zip(texts);
        rows.push(values.map(|(column, text)| Datum::parse(&column.data_type, text).expect("a value")).collect());
    }
    rows
}

/// Written once, by the first program that wrote format 1: it must stay readable and mean the same.
#[test]
fn the_first_segment_ever_written_reads_as_it_was() {
    let bytes = Bytes::from_static(include_bytes!("../../tests/golden/segment-1.parquet"));
    let reader = SegmentReader::open("segment-1.parquet", &wide_schema(), bytes).expect("opens");
    assert_eq!(reader.origin(), ORIGIN);
    let rows: Vec<Vec<Datum>> =
        read(reader.scan(&ScanOptions::default()).expect("scans")).into_iter().map(|(_, row)| row).collect();
    assert_eq!(rows, golden_rows());
}

#[test]
fn metadata_keeps_its_shape() {
    let schema = narrow_schema(KeyModel::Duplicate);
    let rows = [1, 2].map(|k| vec![Datum::Int(k), Datum::Null, Datum::Null]);
    let (_, meta) = segment(&schema, &rows, &SegmentOptions::default());
    let fixed = SegmentMeta { len_bytes: 1, crc32: 2, ..meta };
    let json = serde_json::to_string(&fixed).expect("serializes");
    assert_eq!(json, r#"{"rows":2,"len_bytes":1,"crc32":2,"min_key":"0180000001","max_key":"0180000002"}"#);
    assert_eq!(serde_json::from_str::<SegmentMeta>(&json).expect("reads"), fixed);
    assert!(serde_json::from_str::<SegmentMeta>(&json.replace("0180000001", "0x")).is_err());
    let (_, empty) = segment(&schema, &[], &SegmentOptions::default());
    assert_eq!((empty.rows, empty.min_key, empty.max_key), (0, None, None));
}

#[test]
fn what_was_not_finished_is_not_there() {
    let disk = Arc::new(MemDisk::new());
    let schema = narrow_schema(KeyModel::Duplicate);
    let create = || {
        disk.create_dir("d").expect("makes");
        SegmentWriter::create(Arc::<MemDisk>::clone(&disk), "d/s.parquet", &schema, ORIGIN, &small()).expect("creates")
    };
    let rows = batch(&schema, &[vec![Datum::Int(1), Datum::Null, Datum::Null]]);
    let mut writer = create();
    writer.write(&rows).expect("writes");
    let names: Vec<String> = disk.list("d").expect("lists").into_iter().map(|entry| entry.name).collect();
    assert!(
        names.len() == 1 && names[0].starts_with(".s.parquet.") && names[0].ends_with(env::disk::TEMPORARY_SUFFIX),
        "{names:?}"
    );
    drop(writer);
    assert!(disk.list("d").expect("lists").is_empty());

    let mut writer = create();
    writer.write(&rows).expect("writes");
    assert!(writer.len_bytes() > 0);
    writer.finish().expect("finishes");
    let names: Vec<String> = disk.list("d").expect("lists").into_iter().map(|entry| entry.name).collect();
    assert_eq!(names, ["s.parquet"]);
}

#[test]
fn a_finished_segment_survives_a_crash_once_its_directory_is_synced() {
    let schema = narrow_schema(KeyModel::Duplicate);
    for seed in 0..20 {
        let disk = MemDisk::new();
        let mut writer =
            SegmentWriter::create(Arc::new(disk.clone()), "s.parquet", &schema, ORIGIN, &small()).expect("creates");
        writer.write(&batch(&schema, &[vec![Datum::Int(1), Datum::Null, Datum::Null]])).expect("writes");
        let meta = writer.finish().expect("finishes");
        disk.sync_dir("").expect("syncs");
        let disk = disk.power_cut(seed);
        meta.verify("s.parquet", &disk.read("s.parquet").expect("is there")).expect("is whole");
    }
}

#[test]
fn a_full_disk_is_told_as_such() {
    let disk = Arc::new(MemDisk::new());
    let schema = narrow_schema(KeyModel::Duplicate);
    let mut writer =
        SegmentWriter::create(Arc::<MemDisk>::clone(&disk), "s.parquet", &schema, ORIGIN, &small()).expect("creates");
    writer.write(&batch(&schema, &[vec![Datum::Int(1), Datum::Null, Datum::Null]])).expect("writes");
    disk.limit(Some(10));
    let error = writer.finish().expect_err("no space");
    assert_eq!(error.kind(), ErrorKind::Full, "{error}");
    assert!(disk.list("").expect("lists").is_empty(), "the space is given back");
}

#[test]
fn rows_out_of_order_are_a_mistake_that_does_not_reach_the_disk() {
    let disk = Arc::new(MemDisk::new());
    let row = |k: i128| vec![Datum::Int(k), Datum::Null, Datum::Null];
    for (model, rows, fine) in [
        (KeyModel::Duplicate, vec![row(1), row(1)], true),
        (KeyModel::Duplicate, vec![row(2), row(1)], false),
        (KeyModel::Primary, vec![row(1), row(2)], true),
        (KeyModel::Primary, vec![row(1), row(1)], false),
    ] {
        let schema = narrow_schema(model);
        let create =
            || SegmentWriter::create(Arc::<MemDisk>::clone(&disk), "s", &schema, ORIGIN, &small()).expect("creates");
        let at_once = create().write(&batch(&schema, &rows));
        let mut one_by_one = create();
        let apart = rows.iter().try_for_each(|row| one_by_one.write(&batch(&schema, std::slice::from_ref(row))));
        for written in [at_once, apart] {
            assert_eq!(written.is_ok(), fine, "{model:?}");
            assert!(written.is_ok() || written.is_err_and(|error| error.kind() == ErrorKind::Internal));
        }
    }
    let schema = narrow_schema(KeyModel::Duplicate);
    let mut writer = SegmentWriter::create(disk, "s", &schema, ORIGIN, &small()).expect("creates");
    assert_eq!(writer.write(&batch(&wide_schema(), &[])).expect_err("other columns").kind(), ErrorKind::Invalid);
}
