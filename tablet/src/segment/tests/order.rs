//! Sorting and merging, against plain sorts.

use super::*;

fn all_rows(batches: &[RecordBatch]) -> Vec<Vec<Datum>> {
    batches.iter().flat_map(rows_of).collect()
}

#[test]
fn rows_without_key_stay_as_they_are() {
    let schema = Schema::new(KeyModel::Duplicate, vec![Column::new("v", ColumnType::Int)]).expect("fine");
    let rows = [3, 1, 2].map(|v| vec![Datum::Int(v)]);
    let sorted = sort_batches(&schema, &[batch(&schema, &rows), batch(&schema, &[])]).expect("sorts");
    assert_eq!(all_rows(&sorted), rows);
    assert_eq!(sorted.len(), 1, "empty batches are left out");
}

#[test]
fn large_loads_come_out_in_pieces() {
    let schema = narrow_schema(KeyModel::Duplicate);
    let rows = i128::try_from(SORTED_BATCH_ROWS).expect("small") + 10;
    let rows: Vec<_> = (0..rows).rev().map(|k| vec![Datum::Int(k), Datum::Null, Datum::Null]).collect();
    let sorted = sort_batches(&schema, &[batch(&schema, &rows)]).expect("sorts");
    assert_eq!(sorted.iter().map(RecordBatch::num_rows).collect::<Vec<_>>(), [SORTED_BATCH_ROWS, 10]);
    assert_eq!(rows_of(&sorted[0].slice(0, 1))[0][0], Datum::Int(0));
}

#[test]
fn keys_alone_can_be_sorted_for_a_delete() {
    let schema = narrow_schema(KeyModel::Primary);
    let rows = [5, 1, 5].map(|k| vec![Datum::Int(k), Datum::Null, Datum::Null]);
    let keys = batch(&schema, &rows).project(&[0]).expect("projects");
    let sorted = sort_batches(&schema, &[keys]).expect("sorts");
    assert_eq!(all_rows(&sorted), [vec![Datum::Int(1)], vec![Datum::Int(5)]]);
}

#[test]
fn a_source_that_fails_ends_the_merge() {
    let schema = narrow_schema(KeyModel::Duplicate);
    let fine = ScanBatch { rows: batch(&schema, &[vec![Datum::Int(1), Datum::Null, Datum::Null]]), positions: vec![0] };
    let failing = || Err(Error::Internal("gone".to_owned()));
    let mut merged = merge(&schema, vec![vec![Ok(fine), failing()].into_iter()], 10).expect("starts");
    assert!(merged.next().is_some_and(|batch| batch.is_err()));
    assert!(merged.next().is_none());
    assert!(merge(&schema, vec![vec![failing()].into_iter()], 10).is_err());
}

proptest! {
    #[test]
    fn sorting_is_a_stable_sort_by_key(
        rows in any_rows(&wide_schema(), 25),
        cut in 0usize..25,
    ) {
        let schema = wide_schema();
        let (left, right) = rows.split_at(cut.min(rows.len()));
        let batches = sort_batches(&schema, &[batch(&schema, left), batch(&schema, right)]).expect("sorts");
        prop_assert_eq!(all_rows(&batches), sorted(&schema, &rows));
    }

    #[test]
    fn the_last_row_of_a_primary_key_wins(rows in repeated_rows(40), cut in 0usize..40) {
        let schema = narrow_schema(KeyModel::Primary);
        let (left, right) = rows.split_at(cut.min(rows.len()));
        let batches = sort_batches(&schema, &[batch(&schema, left), batch(&schema, right)]).expect("sorts");
        let model: BTreeMap<Datum, Vec<Datum>> = rows.iter().map(|row| (row[0].clone(), row.clone())).collect();
        prop_assert_eq!(all_rows(&batches), model.into_values().collect::<Vec<_>>());
    }

    /// Segments with deleted rows are merged as if their live rows were sorted at once, and each row says where it was.
    #[test]
    fn merging_is_a_stable_sort_of_what_lives(
        sources in proptest::collection::vec((repeated_rows(40), proptest::collection::vec(0u32..40, 0..10)), 0..5),
        batch_rows in 1usize..20,
        scan_rows in 1usize..20,
    ) {
        let schema = narrow_schema(KeyModel::Duplicate);
        let mut scans = Vec::new();
        let mut model = Vec::new();
        for (number, (rows, dead)) in sources.iter().enumerate() {
            let rows = sorted(&schema, rows);
            let deletes: roaring::RoaringBitmap = dead.iter().copied().collect();
            for (position, row) in (0u32..).zip(&rows) {
                if !deletes.contains(position) {
                    let source = u32::try_from(number).expect("few");
                    model.push((row.clone(), Origin { source, position }));
                }
            }
            let options =
                ScanOptions { deletes: Some(Arc::new(deletes)), batch_rows: scan_rows, ..ScanOptions::default() };
            scans.push(reader(&schema, &rows, &small()).scan(&options).expect("scans"));
        }
        model.sort_by(|a, b| a.0[0].cmp(&b.0[0]));

        let mut merged = Vec::new();
        for part in merge(&schema, scans, batch_rows).expect("starts") {
            let part = part.expect("merges");
            prop_assert!(part.rows.num_rows() <= batch_rows && part.rows.num_rows() == part.origins.len());
            merged.extend(rows_of(&part.rows).into_iter().zip(part.origins));
        }
        prop_assert_eq!(merged, model);
    }
}
