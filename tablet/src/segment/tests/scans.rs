//! Reading back: all of it, some columns, some rows.

use super::*;
use roaring::RoaringBitmap;

fn numbered(count: i128) -> Vec<Vec<Datum>> {
    (0..count).map(|k| vec![Datum::Int(k), Datum::Int(-k), Datum::Text(format!("t{k:03}"))]).collect()
}

fn where_key(op: CompareOp, value: i128) -> ScanOptions {
    let predicate = Predicate { column: 0, op, value: Datum::Int(value) };
    ScanOptions { predicates: vec![predicate], ..ScanOptions::default() }
}

#[test]
fn row_groups_and_pages_that_cannot_match_are_not_read() {
    let schema = narrow_schema(KeyModel::Duplicate);
    let options = SegmentOptions { row_group_rows: 100, page_rows: 10, compression: Compression::Lz4 };
    let reader = reader(&schema, &numbered(1000), &options);
    assert_eq!((reader.rows(), reader.row_groups(), reader.origin()), (1000, 10, ORIGIN));
    let rows = |options: &ScanOptions| read(reader.scan(options).expect("scans")).len();
    assert_eq!(rows(&where_key(CompareOp::Eq, 555)), 10, "one page of one row group");
    assert_eq!(rows(&where_key(CompareOp::Lt, 205)), 210);
    assert_eq!(rows(&where_key(CompareOp::Eq, 5000)), 0);
    assert_eq!(rows(&where_key(CompareOp::IsNull, 0)), 0);
    assert_eq!(rows(&where_key(CompareOp::IsNotNull, 0)), 1000);
    let mut two = where_key(CompareOp::GtEq, 500);
    two.predicates.push(Predicate { column: 2, op: CompareOp::LtEq, value: Datum::Text("t512".into()) });
    assert_eq!(rows(&two), 20, "both conditions count");
    let mut null = where_key(CompareOp::Eq, 0);
    null.predicates[0].value = Datum::Null;
    assert_eq!(rows(&null), 0, "nothing equals NULL");
}

#[test]
fn columns_come_in_the_order_asked_for_and_may_be_none() {
    let schema = narrow_schema(KeyModel::Duplicate);
    let reader = reader(&schema, &numbered(10), &small());
    let columns = |columns: Vec<usize>| ScanOptions { columns: Some(columns), ..ScanOptions::default() };
    let scanned = read(reader.scan(&columns(vec![2, 0])).expect("scans"));
    assert_eq!(scanned[3], (3, vec![Datum::Text("t003".into()), Datum::Int(3)]));
    let none = read(reader.scan(&columns(vec![])).expect("scans"));
    assert_eq!((none.len(), none[9].clone()), (10, (9, vec![])));
    let error = reader.scan(&columns(vec![3])).expect_err("no such column");
    assert_eq!(error.to_string(), "there is no column 3 in 's.parquet'");
}

#[test]
fn values_of_other_types_are_refused_as_conditions() {
    let reader = reader(&narrow_schema(KeyModel::Duplicate), &numbered(10), &small());
    let mut options = where_key(CompareOp::Eq, 1);
    options.predicates[0].value = Datum::Text("x".into());
    let error = reader.scan(&options).expect_err("text against a number");
    assert_eq!(error.to_string(), "'x' cannot be compared with column 'k', INT");
    options.predicates[0].column = 7;
    assert_eq!(reader.scan(&options).expect_err("no such column").kind(), ErrorKind::Invalid);
}

#[test]
fn an_empty_segment_and_one_all_deleted_give_nothing() {
    let schema = narrow_schema(KeyModel::Duplicate);
    assert!(read(reader(&schema, &[], &small()).scan(&ScanOptions::default()).expect("scans")).is_empty());
    let all: RoaringBitmap = (0..10).collect();
    let options = ScanOptions { deletes: Some(Arc::new(all.clone())), ..ScanOptions::default() };
    assert!(read(reader(&schema, &numbered(10), &small()).scan(&options).expect("scans")).is_empty());
    assert!(!row_selection(10, &all).selects_any());
}

#[test]
fn nan_is_found_though_statistics_leave_it_out() {
    let column = Column::new("f", ColumnType::Double);
    let schema = Arc::new(Schema::new(KeyModel::Duplicate, vec![column]).expect("fine"));
    let rows = [1.0, f64::NAN].map(|value| vec![Datum::Float(value)]);
    let reader = reader(&schema, &rows, &small());
    let predicate = Predicate { column: 0, op: CompareOp::Gt, value: Datum::Float(5.0) };
    let options = ScanOptions { predicates: vec![predicate], ..ScanOptions::default() };
    assert_eq!(read(reader.scan(&options).expect("scans")).len(), 2);
}

/// As SQL compares: nothing matches NULL.
fn matches(value: &Datum, predicate: &Predicate) -> bool {
    let both = !value.is_null() && !predicate.value.is_null();
    match predicate.op {
        CompareOp::Eq => both && *value == predicate.value,
        CompareOp::Lt => both && *value < predicate.value,
        CompareOp::LtEq => both && *value <= predicate.value,
        CompareOp::Gt => both && *value > predicate.value,
        CompareOp::GtEq => both && *value >= predicate.value,
        CompareOp::IsNull => value.is_null(),
        CompareOp::IsNotNull => !value.is_null(),
    }
}

fn any_op() -> impl Strategy<Value = CompareOp> {
    use CompareOp::{Eq, Gt, GtEq, IsNotNull, IsNull, Lt, LtEq};
    proptest::sample::select(vec![Eq, Lt, LtEq, Gt, GtEq, IsNull, IsNotNull])
}

fn bitmap(max: u32) -> impl Strategy<Value = Option<Arc<RoaringBitmap>>> {
    proptest::option::of(proptest::collection::vec(0..max, 0..20).prop_map(|rows| Arc::new(rows.into_iter().collect())))
}

fn any_condition() -> impl Strategy<Value = Predicate> {
    let types: Vec<ColumnType> = wide_schema().columns().iter().map(|column| column.data_type).collect();
    (0..types.len()).prop_flat_map(move |column| {
        (any_op(), any_datum(types[column])).prop_map(move |(op, value)| Predicate { column, op, value })
    })
}

proptest! {
    #[test]
    fn every_type_comes_back_as_it_was(rows in any_rows(&wide_schema(), 30), none in any::<bool>()) {
        let schema = wide_schema();
        let rows = sorted(&schema, &rows);
        let options = if none { SegmentOptions { compression: Compression::None, ..small() } } else { small() };
        let (bytes, meta) = segment(&schema, &rows, &options);
        let keys = encode_keys(&schema, &batch(&schema, &rows)).expect("encodes");
        let end = |at: Option<usize>| at.filter(|at| *at < rows.len()).map(|at| keys.get(at).to_vec());
        prop_assert_eq!(&meta.min_key, &end(Some(0)));
        prop_assert_eq!(&meta.max_key, &end(rows.len().checked_sub(1)));
        let reader = SegmentReader::open_verified("s", &schema, bytes, &meta).expect("opens");
        let back = read(reader.scan(&ScanOptions::default()).expect("scans"));
        prop_assert_eq!(back, (0u32..).zip(rows).collect::<Vec<_>>());
    }

    /// Whatever the conditions, deletes and wishes: each wanted, living, matching row comes once, in order, at its position.
    #[test]
    fn pruning_loses_nothing(
        rows in any_rows(&wide_schema(), 40),
        predicates in proptest::collection::vec(any_condition(), 0..3),
        own in proptest::option::of((0usize..40, 0usize..17)),
        deletes in bitmap(40),
        only in bitmap(40),
        batch_rows in 0usize..9,
    ) {
        let schema = wide_schema();
        let rows = sorted(&schema, &rows);
        let mut predicates = predicates;
        // Values that are there, not only such as never occur.
        if let (Some((row, column)), Some(first)) = (own, predicates.first_mut())
            && let Some(row) = rows.get(row)
        {
            (first.column, first.value) = (column, row[column].clone());
        }
        let options = ScanOptions { columns: None, predicates, deletes, only, batch_rows };
        let scanned = read(reader(&schema, &rows, &small()).scan(&options).expect("scans"));
        let wanted = |position: u32| {
            options.deletes.as_ref().is_none_or(|dead| !dead.contains(position))
                && options.only.as_ref().is_none_or(|only| only.contains(position))
        };
        let matching: Vec<(u32, Vec<Datum>)> = (0u32..)
            .zip(rows.iter().cloned())
            .filter(|(position, row)| {
                wanted(*position) && options.predicates.iter().all(|p| matches(&row[p.column], p))
            })
            .collect();
        prop_assert!(scanned.windows(2).all(|pair| pair[0].0 < pair[1].0));
        for (position, row) in &scanned {
            prop_assert!(wanted(*position));
            prop_assert_eq!(row, &rows[usize::try_from(*position).expect("small")]);
        }
        prop_assert!(matching.iter().all(|row| scanned.contains(row)));
        if options.predicates.is_empty() {
            prop_assert_eq!(scanned, matching);
        }
    }

    #[test]
    fn a_selection_is_what_deletes_leave(rows in 0u32..60, dead in proptest::collection::vec(0u32..60, 0..20)) {
        let deletes: RoaringBitmap = dead.into_iter().collect();
        let mut at = 0;
        let mut live = Vec::new();
        for selector in row_selection(rows.into(), &deletes).iter() {
            let count = u32::try_from(selector.row_count).expect("small");
            if !selector.skip {
                live.extend(at..at + count);
            }
            at += count;
        }
        prop_assert_eq!(at, rows);
        prop_assert_eq!(live, (0..rows).filter(|row| !deletes.contains(*row)).collect::<Vec<_>>());
    }
}
