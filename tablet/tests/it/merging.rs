//! Unique Key and Aggregate Key tablets: rows of equal keys become one when they are read.

use crate::support::*;
use env::disk::MemDisk;
use env::ids::{JobId, LoadId, TabletId, Version};
use std::collections::BTreeMap;
use tablet::KeyModel::{Aggregate, Duplicate, Unique};
use tablet::{Compaction, CompactionReason, CompareOp, Datum, ErrorKind, Mutation, Predicate, SegmentId, TabletStore};

const T1: TabletId = TabletId(1);

async fn loaded(disk: &MemDisk, model: tablet::KeyModel, loads: &[&[(i64, &str)]]) -> TabletStore {
    let store = open(disk, strict()).await;
    create(&store, model, &[1]).await;
    for (number, rows) in (1..).zip(loads) {
        load(&store, number, 1, model, rows).await;
    }
    store
}

#[test]
fn the_last_row_counts_within_a_load_and_across_loads() {
    run(async {
        let first: &[_] = &[(2, "b"), (1, "a"), (2, "bb")];
        let disk = MemDisk::new();
        let store = loaded(&disk, Unique, &[first, &[(1, "c"), (9, "z")], &[(5, "e")]]).await;
        let view = store.view_current(T1).unwrap();
        assert_eq!(read(&view), text(&[(1, "c"), (2, "bb"), (5, "e"), (9, "z")]));
        assert_eq!(view.live_rows(), 5, "a row for each key of each load");
        assert_eq!(view.groups(), [vec![0, 1, 2]]);
        // Several parts of one load, in their order.
        for value in ["x", "y"] {
            store.prepare(LoadId(8), T1, Mutation::Rows(vec![rows(Unique, &[(1, value)])])).await.unwrap();
        }
        store.publish(LoadId(8), &[(T1, Version(5))]).await.unwrap();
        assert_eq!(current(&store, T1)[0], (1, "y".to_owned()));
        assert_eq!(read(&view)[0], (1, "c".to_owned()), "the version before shows what it showed");
        drop(store);
        let store = open(&disk, strict()).await;
        assert_eq!(current(&store, T1), text(&[(1, "y"), (2, "bb"), (5, "e"), (9, "z")]));
    });
}

#[test]
fn a_compaction_of_others_than_neighbours_is_not_done() {
    run(async {
        let loads: [&[_]; 4] = [&[(1, "a"), (2, "a")], &[(1, "b")], &[(1, "c"), (3, "c")], &[(2, "d")]];
        for model in [Unique, Aggregate] {
            let store = loaded(&MemDisk::new(), model, &loads).await;
            let before = current(&store, T1);
            let merge = |rowsets: &[u64]| {
                let rowsets = rowsets.to_vec();
                store.run_compaction(Compaction { tablet: T1, rowsets, reason: CompactionReason::Asked })
            };
            // Row (1, "c") would come before row (1, "b").
            assert!(!merge(&[1, 3]).await.unwrap());
            assert!(!merge(&[1, 2, 4]).await.unwrap());
            assert!(merge(&[2, 3]).await.unwrap());
            assert_eq!(current(&store, T1), before);
            let order = |store: &TabletStore| -> Vec<u64> {
                store.view_current(T1).unwrap().segments().iter().map(|segment| segment.id.rowset).collect()
            };
            assert_eq!(order(&store), [1, 5, 4], "the output takes the place of the inputs");
            assert!(store.compact(T1).await.unwrap());
            assert_eq!((current(&store, T1), order(&store)), (before, vec![6]));
        }
        let store = loaded(&MemDisk::new(), Duplicate, &loads).await;
        let rowsets = vec![1, 3];
        assert!(
            store.run_compaction(Compaction { tablet: T1, rowsets, reason: CompactionReason::Asked }).await.unwrap()
        );
    });
}

#[test]
fn a_deleted_key_begins_anew() {
    run(async {
        let loads: [&[_]; 3] = [&[(1, "z"), (2, "a")], &[(1, "y"), (3, "a")], &[(1, "x")]];
        let store = loaded(&MemDisk::new(), Aggregate, &loads).await;
        assert_eq!(current(&store, T1)[0], (1, "z".to_owned()), "the greatest");
        let view = store.view_current(T1).unwrap();
        let segments = positions(&view, |key| key == 1);
        assert_eq!(segments.len(), 3, "it is in three rowsets");
        let delete = Mutation::DeletePositions { base: view.version(), segments };
        store.prepare(LoadId(9), T1, delete).await.unwrap();
        store.publish(LoadId(9), &[(T1, Version(5))]).await.unwrap();
        assert_eq!(current(&store, T1), text(&[(2, "a"), (3, "a")]));
        load(&store, 10, 1, Aggregate, &[(1, "b")]).await;
        let expected = text(&[(1, "b"), (2, "a"), (3, "a")]);
        assert_eq!(current(&store, T1), expected);
        assert!(store.compact(T1).await.unwrap());
        assert_eq!(current(&store, T1), expected);
        assert_eq!(read(&view)[0], (1, "z".to_owned()));
        let by_key = store.prepare(LoadId(11), T1, Mutation::DeleteKeys(vec![keys(&[1])])).await.unwrap_err();
        assert!(by_key.to_string().contains("delete its rows by position"), "{by_key}");
    });
}

/// A row that is deleted while its rowsets are merged is gone from what they become.
#[test]
fn a_delete_during_a_merge_reaches_its_output() {
    run(async {
        let loads: [&[_]; 3] = [&[(1, "a"), (2, "a")], &[(1, "b"), (2, "b")], &[(1, "c")]];
        for attempt in 0..20_u64 {
            let store = loaded(&MemDisk::new(), Unique, &loads).await;
            let view = store.view_current(T1).unwrap();
            let delete = Mutation::DeletePositions { base: view.version(), segments: positions(&view, |key| key == 1) };
            let merging = store.compact(T1);
            let deleting = async {
                for _ in 0..attempt % 5 {
                    tokio::task::yield_now().await;
                }
                if let Err(missed) = store.prepare(LoadId(9), T1, delete).await {
                    // The merge was faster: the places are gone, and the caller reads again.
                    assert_eq!(missed.kind(), ErrorKind::Conflict);
                    return false;
                }
                store.publish(LoadId(9), &[(T1, Version(5))]).await.unwrap();
                true
            };
            let (merged, deleted) = tokio::join!(merging, deleting);
            merged.unwrap();
            let expected = if deleted { text(&[(2, "b")]) } else { text(&[(1, "c"), (2, "b")]) };
            assert_eq!(current(&store, T1), expected, "attempt {attempt}");
        }
    });
}

#[test]
fn a_value_that_was_replaced_does_not_come_to_light() {
    run(async {
        let old: Vec<(i64, &str)> = (0..40).map(|key| (key, "old")).collect();
        let new: Vec<(i64, &str)> = (0..40).map(|key| (key, "new")).collect();
        let store = loaded(&MemDisk::new(), Unique, &[&old, &new, &[(100, "old")], &[(101, "far")]]).await;
        let view = store.view_current(T1).unwrap();
        let is = |column, value| Predicate { column, op: CompareOp::Eq, value };
        let with = |predicates: &[Predicate]| {
            let mut found = Rows::new();
            for group in view.groups() {
                for batch in view.scan_group(&group, None, predicates, 3).unwrap() {
                    found.extend(values_of(&batch.unwrap()));
                }
            }
            found
        };
        let found = with(&[is(1, Datum::Text("old".into()))]);
        assert!(found.iter().all(|(key, value)| value == "new" || *key >= 100), "{found:?}");
        assert!(found.contains(&(100, "old".into())) && !found.contains(&(101, "far".into())), "alone it is pruned");
        let found = with(&[is(0, Datum::Int(7))]);
        assert!(found.contains(&(7, "new".into())) && found.len() < 20, "{found:?}");
        // The keys need not be asked for.
        let values: usize = view.scan(Some(&[1]), 7).map(|batch| batch.unwrap().num_rows()).sum();
        let none: usize = view.scan(Some(&[]), 7).map(|batch| batch.unwrap().num_rows()).sum();
        assert_eq!((values, none), (42, 42));
    });
}

#[test]
fn an_image_says_that_its_rows_are_merged() {
    run(async {
        let store = loaded(&MemDisk::new(), Unique, &[&[(1, "a"), (2, "a")], &[(2, "b")]]).await;
        store.pin(JobId(7), &[(T1, Version(3))]).await.unwrap();
        let image = store.pinned(JobId(7), T1).unwrap().meta;
        assert_eq!((image.format, image.groups()), (2, vec![vec![0, 1]]));
        let bytes = image_files(&store, JobId(7), T1).await;
        assert_eq!(image_rows(&image, &bytes), text(&[(1, "a"), (2, "b")]));
        image.validate().unwrap();
        let mut without = image.clone();
        without.rowsets[1].segments[0].meta.min_key = None;
        assert_eq!(
            without.validate().unwrap_err().kind(),
            ErrorKind::Corrupt,
            "its place among the others is not known"
        );
        let older = tablet::TabletImageMeta { format: 1, ..image };
        assert_eq!(older.validate().unwrap_err().kind(), ErrorKind::Corrupt);
    });
}

#[test]
fn many_loads_are_merged_in_the_background_and_stay_what_they_are() {
    run(async {
        let store = loaded(&MemDisk::new(), Unique, &[]).await;
        let mut model: BTreeMap<i64, String> = BTreeMap::new();
        for number in 1..=60_u64 {
            let value = format!("v{number}");
            let batch: Vec<(i64, &str)> =
                (0..=number as i64 % 9).map(|key| (key * number as i64 % 23, value.as_str())).collect();
            load(&store, number, 1, Unique, &batch).await;
            model.extend(batch.iter().map(|(key, value)| (*key, (*value).to_owned())));
            while let Some(plan) = store.pick_compaction() {
                assert!(store.run_compaction(plan).await.unwrap(), "what is proposed can be done");
            }
            assert_eq!(current(&store, T1), model.clone().into_iter().collect::<Rows>());
        }
        let rowsets: std::collections::BTreeSet<u64> =
            store.view_current(T1).unwrap().segments().iter().map(|segment| segment.id.rowset).collect();
        assert!(rowsets.len() < 12, "{rowsets:?}");
        store.reclaim().await.unwrap();
        assert!(
            store
                .view_current(T1)
                .unwrap()
                .segments()
                .iter()
                .all(|segment| segment.id != SegmentId { rowset: 1, ordinal: 0 })
        );
    });
}
