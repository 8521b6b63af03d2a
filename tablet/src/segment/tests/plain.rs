//! Segments for readers that know Parquet and nothing else.

use super::*;
use roaring::RoaringBitmap;

fn table(types: &[&str], keys: usize) -> Arc<Schema> {
    let columns = types.iter().enumerate().map(|(at, data_type)| {
        let column = Column::new(format!("c{at}"), data_type.parse().expect("a type"));
        if at < keys { column.key().not_null() } else { column }
    });
    Arc::new(Schema::new(KeyModel::Primary, columns.collect()).expect("fine"))
}

#[test]
fn a_largeint_becomes_text_and_ends_the_order() {
    let schema = table(&["INT", "LARGEINT", "DATE", "VARCHAR(9)", "LARGEINT"], 3);
    assert!(!is_plain(&schema));
    assert!(is_plain(&table(&["INT", "DECIMAL(38,3)", "DATETIME", "VARBINARY"], 1)));
    let plain = plain_schema(&schema).expect("plain");
    assert!(is_plain(&plain));
    let columns: Vec<String> = plain
        .columns()
        .iter()
        .map(|column| format!("{} {} {}", column.data_type, column.key, column.nullable))
        .collect();
    assert_eq!(
        columns,
        [
            "INT true false",
            "VARCHAR(40) false false",
            "DATE false false",
            "VARCHAR(9) false true",
            "VARCHAR(40) false true"
        ]
    );
}

proptest! {
    #[test]
    fn what_is_left_of_any_rows_is_written(rows in any_rows(&wide_schema(), 60), hidden in proptest::collection::btree_set(0u32..60, 0..40)) {
        let schema = wide_schema();
        let rows = sorted(&schema, &rows);
        let source = reader(&schema, &rows, &small());
        let hidden: RoaringBitmap = hidden.into_iter().collect();
        let disk = Arc::new(MemDisk::new());
        let made = write_plain(Arc::<MemDisk>::clone(&disk), "p.parquet", vec![SegmentSource { rowset: 1, reader: source, deletes: Some(Arc::new(hidden.clone())) }], || true);
        let made = made.expect("writes").expect("was not stopped");
        let plain = Arc::new(plain_schema(&schema).expect("plain"));
        let bytes = disk.read("p.parquet").expect("is there");
        let found = read(SegmentReader::open_verified("p.parquet", &plain, bytes, &made).expect("opens").scan(&ScanOptions::default()).expect("scans"));
        let text = |value: &Datum| if let Datum::Int(value) = value { Datum::Text(value.to_string()) } else { value.clone() };
        let left = (0u32..).zip(&rows).filter(|(at, _)| !hidden.contains(*at));
        let expected: Vec<Vec<Datum>> = left
            .map(|(_, row)| row.iter().zip(schema.columns()).map(|(value, column)| if column.data_type == ColumnType::LargeInt { text(value) } else { value.clone() }).collect())
            .collect();
        prop_assert_eq!(found.into_iter().map(|(_, row)| row).collect::<Vec<_>>(), expected);
    }
}

#[test]
fn stopped_it_leaves_no_file() {
    let schema = narrow_schema(KeyModel::Duplicate);
    let rows = vec![vec![Datum::Int(1), Datum::Int(2), Datum::Text("x".into())]];
    let disk = Arc::new(MemDisk::new());
    let source = SegmentSource { rowset: 1, reader: reader(&schema, &rows, &small()), deletes: None };
    let made = write_plain(Arc::<MemDisk>::clone(&disk), "p.parquet", vec![source], || false);
    assert_eq!(made.expect("stops"), None);
    assert_eq!(disk.list("").expect("lists"), []);
}
