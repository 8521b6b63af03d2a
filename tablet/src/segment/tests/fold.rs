//! Rows of equal keys that become one, against a plain map.

use super::*;
use crate::schema::Aggregation::{self, Max, Min, Replace, ReplaceIfNotNull, Sum};
use crate::segment::groups::merge_groups;

/// Keys of every type that can be one, then a value of every type with every function that it can have.
fn everything() -> Arc<Schema> {
    let all = wide_schema();
    let keys = all.columns().iter().filter(|column| column.data_type.can_be_key());
    let keys = keys.map(|column| Column::new(format!("k_{}", column.name), column.data_type).key());
    let mut columns: Vec<Column> = keys.collect();
    for column in all.columns() {
        for aggregation in [Sum, Min, Max, Replace, ReplaceIfNotNull] {
            if aggregation.takes(column.data_type) {
                let name = format!("{aggregation}_{}", column.name);
                columns.push(Column::new(name, column.data_type).aggregation(aggregation));
            }
        }
    }
    Arc::new(Schema::new(KeyModel::Aggregate, columns).expect("fine"))
}

/// Small values, of which any number can be added.
fn addend(data_type: ColumnType) -> impl Strategy<Value = Datum> {
    proptest::option::of(-1_i8..2).prop_map(move |number| match (number, data_type) {
        (None, _) => Datum::Null,
        (Some(number), ColumnType::Float | ColumnType::Double) => Datum::Float(f64::from(number) / 4.0),
        (Some(number), ColumnType::Decimal { scale, .. }) => Datum::Decimal { unscaled: number.into(), scale },
        (Some(number), _) => Datum::Int(number.into()),
    })
}

fn value(schema: &Schema, at: usize) -> BoxedStrategy<Datum> {
    let data_type = schema.columns()[at].data_type;
    if schema.aggregation(at) == Some(Sum) { addend(data_type).boxed() } else { any_datum(data_type).boxed() }
}

/// Loads of rows, of which several have one key.
fn loads(schema: &Schema) -> impl Strategy<Value = Vec<Vec<Vec<Datum>>>> + use<> {
    let columns = |range: std::ops::Range<usize>| range.map(|at| value(schema, at)).collect::<Vec<_>>();
    let keys = proptest::collection::vec(columns(0..schema.key_len()), 1..5);
    let row = (any::<prop::sample::Index>(), columns(schema.key_len()..schema.columns().len()));
    let loads = proptest::collection::vec(proptest::collection::vec(row, 0..8), 1..5);
    (keys, loads).prop_map(|(keys, loads)| {
        let row = |(key, values): (prop::sample::Index, Vec<Datum>)| [key.get(&keys).clone(), values].concat();
        loads.into_iter().map(|rows| rows.into_iter().map(row).collect()).collect()
    })
}

fn combine(aggregation: Aggregation, old: Datum, new: &Datum) -> Datum {
    if new.is_null() && aggregation != Replace {
        return old;
    }
    if old.is_null() {
        return new.clone();
    }
    match (aggregation, old, new) {
        (Min, old, new) => old.min(new.clone()),
        (Max, old, new) => old.max(new.clone()),
        (Replace | ReplaceIfNotNull, _, new) => new.clone(),
        (Sum, Datum::Int(a), Datum::Int(b)) => Datum::Int(a + b),
        (Sum, Datum::Float(a), Datum::Float(b)) => Datum::Float(a + b),
        (Sum, Datum::Decimal { unscaled: a, scale }, Datum::Decimal { unscaled: b, .. }) => {
            Datum::Decimal { unscaled: a + b, scale }
        }
        (Sum, old, new) => panic!("{old} and {new} cannot be added"),
    }
}

/// The rows by key, as a plain map has them.
fn model<'a>(schema: &Schema, rows: impl IntoIterator<Item = &'a Vec<Datum>>) -> Vec<Vec<Datum>> {
    let mut map: BTreeMap<Vec<Datum>, Vec<Datum>> = BTreeMap::new();
    for row in rows {
        let (key, values) = row.split_at(schema.key_len());
        match map.get_mut(key) {
            None => drop(map.insert(key.to_vec(), values.to_vec())),
            Some(old) => {
                for (at, (old, new)) in (schema.key_len()..).zip(old.iter_mut().zip(values)) {
                    *old = combine(schema.aggregation(at).expect("a value column"), old.clone(), new);
                }
            }
        }
    }
    map.into_iter().map(|(key, values)| [key, values].concat()).collect()
}

fn sort(schema: &Schema, rows: &[Vec<Datum>], pieces: usize) -> Result<Vec<Vec<Datum>>> {
    let batches: Vec<RecordBatch> = rows.chunks(pieces.max(1)).map(|rows| batch(schema, rows)).collect();
    Ok(sort_batches(schema, &batches)?.iter().flat_map(rows_of).collect())
}

/// A load as the segments of one rowset, each of at most so many rows.
fn sources(schema: &Arc<Schema>, rowset: u64, rows: &[Vec<Datum>], rows_max: usize) -> Vec<SegmentSource> {
    let sorted = sort(schema, rows, 3).expect("sorts");
    let source = |rows| SegmentSource { rowset, reader: reader(schema, rows, &small()), deletes: None };
    sorted.chunks(rows_max.max(1)).map(source).collect()
}

fn merged(
    schema: &Arc<Schema>,
    loads: &[Vec<Vec<Datum>>],
    columns: Option<&[usize]>,
    predicates: &[Predicate],
    sizes: (usize, usize),
) -> Result<Vec<Vec<Datum>>> {
    let sources = (1..).zip(loads).flat_map(|(rowset, rows)| sources(schema, rowset, rows, sizes.0)).collect();
    let mut rows = Vec::new();
    for batch in merge_segments(schema, sources, columns, predicates, sizes.1)? {
        rows.extend(rows_of(&batch?));
    }
    Ok(rows)
}

proptest! {
    #[test]
    fn a_load_has_one_row_for_each_key(loads in loads(&everything()), pieces in 1usize..9) {
        let schema = everything();
        let rows = loads.concat();
        prop_assert_eq!(sort(&schema, &rows, pieces).expect("sorts"), model(&schema, &rows));
    }

    #[test]
    fn loads_are_merged_in_their_order(loads in loads(&everything()), segment in 1usize..5, batch_rows in 0usize..4) {
        let schema = everything();
        let expected = model(&schema, loads.iter().flatten());
        prop_assert_eq!(merged(&schema, &loads, None, &[], (segment, batch_rows)).expect("merges"), expected);
    }

    #[test]
    fn a_unique_key_keeps_the_last_row(loads in proptest::collection::vec(repeated_rows(30), 1..6), batch_rows in 1usize..9) {
        let schema = narrow_schema(KeyModel::Unique);
        let last: BTreeMap<Datum, Vec<Datum>> = loads.iter().flatten().map(|row| (row[0].clone(), row.clone())).collect();
        let expected: Vec<Vec<Datum>> = last.into_values().collect();
        prop_assert_eq!(merged(&schema, &loads, None, &[], (4, batch_rows)).expect("merges"), expected.clone());
        // Some of the columns, in another order, and none at all.
        let texts = merged(&schema, &loads, Some(&[2, 2]), &[], (4, batch_rows)).expect("merges");
        prop_assert_eq!(texts, expected.iter().map(|row| vec![row[2].clone(), row[2].clone()]).collect::<Vec<_>>());
        prop_assert_eq!(merged(&schema, &loads, Some(&[]), &[], (4, batch_rows)).expect("merges").len(), expected.len());
    }

    /// Merging neighbours first, as a compaction does, changes nothing.
    #[test]
    fn neighbours_can_be_merged_before(loads in loads(&everything()), from in 0usize..4, many in 1usize..4) {
        let schema = everything();
        let whole = merged(&schema, &loads, None, &[], (3, 2)).expect("merges");
        let from = from.min(loads.len());
        let to = (from + many).min(loads.len());
        let middle = merged(&schema, &loads[from..to], None, &[], (3, 2)).expect("merges");
        let compacted = [&loads[..from], &[middle], &loads[to..]].concat();
        prop_assert_eq!(merged(&schema, &compacted, None, &[], (3, 2)).expect("merges"), whole);
    }

    /// No key is in two groups, and what a group of one has needs no merging.
    #[test]
    fn groups_part_the_keys(loads in proptest::collection::vec(repeated_rows(12), 1..7), segment in 1usize..5) {
        let schema = narrow_schema(KeyModel::Unique);
        let all: Vec<SegmentSource> =
            (1..).zip(&loads).flat_map(|(rowset, rows)| sources(&schema, rowset, rows, segment)).collect();
        let rows: Vec<Vec<Vec<Datum>>> = all
            .iter()
            .map(|source| read(source.reader.scan(&ScanOptions::default()).expect("scans")).into_iter().map(|(_, row)| row).collect())
            .collect();
        let metas: Vec<SegmentMeta> = rows.iter().map(|rows| self::segment(&schema, rows, &small()).1).collect();
        let groups = merge_groups(KeyModel::Unique, metas.iter());
        let mut seen = std::collections::BTreeSet::new();
        let mut found = Vec::new();
        for group in &groups {
            prop_assert!(group.is_sorted());
            let keys: std::collections::BTreeSet<Datum> =
                group.iter().flat_map(|at| rows[*at].iter().map(|row| row[0].clone())).collect();
            prop_assert!(seen.is_disjoint(&keys));
            seen.extend(keys);
            let sources = group.iter().map(|at| all[*at].clone()).collect();
            for batch in merge_segments(&schema, sources, None, &[], 0).expect("merges") {
                found.extend(rows_of(&batch.expect("merges")));
            }
        }
        let last: BTreeMap<Datum, Vec<Datum>> = loads.iter().flatten().map(|row| (row[0].clone(), row.clone())).collect();
        prop_assert_eq!(found, last.into_values().collect::<Vec<_>>(), "groups come in the order of keys");
        let apart: Vec<Vec<usize>> = (0..metas.len()).map(|at| vec![at]).collect();
        prop_assert_eq!(merge_groups(KeyModel::Duplicate, metas.iter()), apart);
    }
}

fn table(aggregation: Aggregation, data_type: ColumnType) -> Arc<Schema> {
    let columns = vec![Column::new("k", ColumnType::Int).key(), Column::new("v", data_type).aggregation(aggregation)];
    Arc::new(Schema::new(KeyModel::Aggregate, columns).expect("fine"))
}

fn row(key: Datum, value: Datum) -> Vec<Datum> {
    vec![key, value]
}

#[test]
fn null_is_passed_over_by_all_but_replace() {
    let int = Datum::Int;
    let null = || Datum::Null;
    let values = [null(), int(5), int(3), null()];
    for (aggregation, expected) in
        [(Sum, int(8)), (Min, int(3)), (Max, int(5)), (Replace, null()), (ReplaceIfNotNull, int(3))]
    {
        let schema = table(aggregation, ColumnType::BigInt);
        let loads: Vec<_> = values.iter().map(|value| vec![row(null(), value.clone()), row(int(9), null())]).collect();
        let expected = [row(null(), expected), row(int(9), null())];
        assert_eq!(merged(&schema, &loads, None, &[], (9, 9)).expect("merges"), expected, "{aggregation}");
        assert_eq!(sort(&schema, &loads.concat(), 9).expect("sorts"), expected, "{aggregation} in one load");
    }
}

#[test]
fn a_table_without_values_is_a_set() {
    let schema = Schema::new(KeyModel::Aggregate, vec![Column::new("k", ColumnType::Int).key()]);
    let schema = Arc::new(schema.expect("fine"));
    let keys = |keys: &[i128]| keys.iter().map(|key| vec![Datum::Int(*key)]).collect::<Vec<_>>();
    let loads = [keys(&[3, 1, 3]), keys(&[2, 1]), keys(&[])];
    assert_eq!(merged(&schema, &loads, None, &[], (1, 1)).expect("merges"), keys(&[1, 2, 3]));
}

#[test]
fn a_sum_that_does_not_fit_is_an_error_and_never_another_number() {
    let tiny = table(Sum, ColumnType::TinyInt);
    let loads =
        |values: &[i128]| values.iter().map(|value| vec![row(Datum::Int(1), Datum::Int(*value))]).collect::<Vec<_>>();
    let failed = merged(&tiny, &loads(&[100, 27, 1]), None, &[], (9, 9)).unwrap_err();
    assert_eq!(failed.kind(), ErrorKind::Invalid);
    assert_eq!(
        failed.to_string(),
        "the sum of column 'v' for key (1) is 128, which TINYINT does not hold; load a row that takes it back into the \
         range -128 to 127, or delete the key"
    );
    // What is on the way does not matter, so the answer does not depend on the order.
    let sum = |values: &[i128]| merged(&tiny, &loads(values), None, &[], (9, 9)).expect("fits");
    assert_eq!(sum(&[100, 100, -100]), [row(Datum::Int(1), Datum::Int(100))]);
    assert_eq!(sum(&[-128, -1, 127, 2]), [row(Datum::Int(1), Datum::Int(0))]);
    // A column that is not wanted is not added up.
    assert_eq!(merged(&tiny, &loads(&[100, 100]), Some(&[0]), &[], (9, 9)).expect("keys"), [[Datum::Int(1)]]);
    assert!(sort(&tiny, &loads(&[100, 100]).concat(), 9).is_err(), "within one load too");

    let large = table(Sum, ColumnType::LargeInt);
    let failed = merged(&large, &loads(&[i128::MAX, i128::MAX]), None, &[], (9, 9)).unwrap_err().to_string();
    assert!(failed.contains("is 340282366920938463463374607431768211454, which LARGEINT"), "{failed}");
    assert_eq!(
        merged(&large, &loads(&[i128::MAX, i128::MAX, i128::MIN]), None, &[], (9, 9)).expect("fits"),
        [row(Datum::Int(1), Datum::Int(i128::MAX - 1))]
    );

    let money = table(Sum, ColumnType::Decimal { precision: 4, scale: 2 });
    let cents = |unscaled| vec![row(Datum::Int(1), Datum::Decimal { unscaled, scale: 2 })];
    let failed = merged(&money, &[cents(9999), cents(1)], None, &[], (9, 9)).unwrap_err().to_string();
    assert!(failed.contains("is 100.00, which DECIMAL(4,2)") && failed.contains("-99.99 to 99.99"), "{failed}");
}

#[test]
fn conditions_on_values_leave_nothing_out_before_the_merge() {
    let schema = narrow_schema(KeyModel::Unique);
    let rows = |value: i128| (0..60).map(|k| vec![Datum::Int(k), Datum::Int(value), Datum::Null]).collect::<Vec<_>>();
    let (old, new) = (rows(1), rows(2));
    let is = |column, value| Predicate { column, op: CompareOp::Eq, value: Datum::Int(value) };
    // The segment of new values has no page with a 1: left out, the old rows would come to light.
    let found = merged(&schema, &[old.clone(), new.clone()], None, &[is(1, 1)], (99, 7)).expect("merges");
    assert_eq!(found, new);
    // On keys it does.
    let found = merged(&schema, &[old, new.clone()], None, &[is(0, 30), is(1, 1)], (99, 7)).expect("merges");
    assert!(found.len() < 10 && found.contains(&new[30]), "{found:?}");
    assert!(found.iter().all(|row| new.contains(row)));
}

#[test]
fn a_column_that_is_not_there_is_refused() {
    let schema = narrow_schema(KeyModel::Unique);
    assert_eq!(merged(&schema, &[], Some(&[3]), &[], (9, 9)).unwrap_err().kind(), ErrorKind::Invalid);
    assert_eq!(merged(&schema, &[], None, &[], (9, 9)).expect("nothing"), Vec::<Vec<Datum>>::new());
}
