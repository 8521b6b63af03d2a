use crate::support::*;
use env::disk::{Disk, MemDisk, RealDisk};
use env::ids::{JobId, LoadId, TabletId, Version};
use roaring::RoaringBitmap;
use std::sync::Arc;
use std::time::Duration;
use tablet::KeyModel::{Duplicate, Primary};
use tablet::{ErrorKind, KeyModel, Mutation, NewTablet, Prepared, SegmentId, StoreOptions, TabletStore};

const T1: TabletId = TabletId(1);
const T2: TabletId = TabletId(2);

#[test]
fn rows_appear_with_the_version_that_publishes_them() {
    run(async {
        let store = open(&MemDisk::new(), StoreOptions::default()).await;
        create(&store, Duplicate, &[1, 2]).await;
        assert_eq!(store.tablets(), [T1, T2]);
        assert_eq!(store.current_version(T1).unwrap(), Version::FIRST);
        let batch = rows(Duplicate, &[(2, "b"), (1, "a"), (2, "b")]);
        let prepared = store.prepare(LoadId(7), T1, Mutation::Rows(vec![batch])).await.unwrap();
        assert_eq!(prepared.rows, 3);
        assert!(current(&store, T1).is_empty(), "prepared is not published");
        assert_eq!(store.prepared(), [(LoadId(7), vec![T1])]);
        store.publish(LoadId(7), &[(T1, Version(2)), (T2, Version(2))]).await.unwrap();
        assert!(store.prepared().is_empty());
        assert_eq!(current(&store, T1), text(&[(1, "a"), (2, "b"), (2, "b")]));
        assert_eq!(store.current_version(T2).unwrap(), Version(2), "a tablet without rows of the load moves too");
        assert!(read(&store.view(T1, Version(1)).unwrap()).is_empty());
        assert_eq!(store.view(T1, Version(3)).unwrap_err().kind(), ErrorKind::Unavailable);
    });
}

#[test]
fn publishing_again_is_fine_and_gaps_are_not() {
    run(async {
        let store = open(&MemDisk::new(), StoreOptions::default()).await;
        create(&store, Duplicate, &[1, 2]).await;
        load(&store, 1, 1, Duplicate, &[(1, "a")]).await;
        store.publish(LoadId(1), &[(T1, Version(2))]).await.unwrap();
        assert_eq!(current(&store, T1), text(&[(1, "a")]));
        let gap = store.publish(LoadId(2), &[(T1, Version(4))]).await.unwrap_err();
        assert_eq!(gap.kind(), ErrorKind::Busy);
        assert_eq!(
            gap.to_string(),
            "load 2 cannot become version 4 of tablet 1, which is at 2; publish the loads before it first"
        );
        // One tablet of the call has a gap: the other one does not move either.
        assert!(store.publish(LoadId(2), &[(T1, Version(3)), (T2, Version(9))]).await.is_err());
        assert_eq!(store.current_version(T1).unwrap(), Version(2));
        let foreign = store.publish(LoadId(3), &[(T1, Version(2))]).await.unwrap_err();
        assert_eq!(foreign.kind(), ErrorKind::Invalid, "{foreign}");
        // Half of the tablets have it already: the rest follows.
        store.prepare(LoadId(4), T2, Mutation::Rows(vec![rows(Duplicate, &[(5, "e")])])).await.unwrap();
        store.publish(LoadId(4), &[(T1, Version(3))]).await.unwrap();
        store.publish(LoadId(4), &[(T1, Version(3)), (T2, Version(2))]).await.unwrap();
        assert_eq!(current(&store, T2), text(&[(5, "e")]));
    });
}

#[test]
fn an_aborted_load_leaves_nothing() {
    run(async {
        let disk = MemDisk::new();
        let store = open(&disk, strict()).await;
        create(&store, Primary, &[1]).await;
        store.prepare(LoadId(1), T1, Mutation::Rows(vec![rows(Primary, &[(1, "a")])])).await.unwrap();
        store.prepare(LoadId(1), T1, Mutation::DeleteKeys(vec![keys(&[1])])).await.unwrap();
        assert_eq!(files(&disk).len(), 2);
        store.abort(LoadId(1)).await.unwrap();
        store.abort(LoadId(1)).await.unwrap();
        assert!(store.prepared().is_empty());
        assert_eq!(store.reclaim().await.unwrap().files, 2);
        assert!(files(&disk).is_empty());
        store.close().await;
        assert!(open(&disk, strict()).await.prepared().is_empty());
    });
}

#[test]
fn a_later_row_replaces_an_earlier_one_of_its_key() {
    run(async {
        let store = open(&MemDisk::new(), strict()).await;
        create(&store, Primary, &[1]).await;
        load(&store, 1, 1, Primary, &[(1, "old"), (2, "b"), (1, "new"), (3, "c")]).await;
        assert_eq!(current(&store, T1), text(&[(1, "new"), (2, "b"), (3, "c")]));
        // The mutations of one load apply in their order.
        let apply = |mutation| store.prepare(LoadId(2), T1, mutation);
        apply(Mutation::Rows(vec![rows(Primary, &[(2, "B"), (4, "d"), (5, "e")])])).await.unwrap();
        apply(Mutation::DeleteKeys(vec![keys(&[1, 4, 99])])).await.unwrap();
        apply(Mutation::Rows(vec![rows(Primary, &[(4, "D"), (5, "E")])])).await.unwrap();
        store.publish(LoadId(2), &[(T1, Version(3))]).await.unwrap();
        assert_eq!(current(&store, T1), text(&[(2, "B"), (3, "c"), (4, "D"), (5, "E")]));
        // The same key again, now from an index that already knows it.
        load(&store, 3, 1, Primary, &[(4, "dd")]).await;
        assert_eq!(current(&store, T1), text(&[(2, "B"), (3, "c"), (4, "dd"), (5, "E")]));
    });
}

#[test]
fn a_view_shows_its_version_whatever_comes_after() {
    run(async {
        let disk = MemDisk::new();
        let store = open(&disk, strict()).await;
        create(&store, Primary, &[1]).await;
        load(&store, 1, 1, Primary, &[(1, "a"), (2, "b")]).await;
        let view = store.view(T1, Version(2)).unwrap();
        load(&store, 2, 1, Primary, &[(1, "A")]).await;
        store.prepare(LoadId(3), T1, Mutation::DeleteKeys(vec![keys(&[2])])).await.unwrap();
        store.publish(LoadId(3), &[(T1, Version(4))]).await.unwrap();
        assert!(store.compact(T1).await.unwrap());
        store.reclaim().await.unwrap();
        assert_eq!(read(&view), text(&[(1, "a"), (2, "b")]));
        assert_eq!(current(&store, T1), text(&[(1, "A")]));
        assert_eq!(store.view(T1, Version(2)).unwrap_err().kind(), ErrorKind::Conflict, "only its holder has it");
        store.remove(&[T1]).await.unwrap();
        store.reclaim().await.unwrap();
        assert_eq!(read(&view), text(&[(1, "a"), (2, "b")]));
        drop(view);
        store.reclaim().await.unwrap();
        assert!(files(&disk).is_empty());
    });
}

#[test]
fn rows_are_deleted_by_position_in_a_version_that_was_read() {
    run(async {
        let store = open(&MemDisk::new(), strict()).await;
        create(&store, Duplicate, &[1]).await;
        let all: Vec<(i64, String)> = (0..12).map(|key| (key % 4, format!("{key:02}"))).collect();
        store.prepare(LoadId(1), T1, Mutation::Rows(vec![rows(Duplicate, &all)])).await.unwrap();
        store.publish(LoadId(1), &[(T1, Version(2))]).await.unwrap();
        let view = store.view_current(T1).unwrap();
        assert_eq!(view.segments().len(), 3, "12 rows in segments of at most 5");
        let delete = |base, segments| Mutation::DeletePositions { base, segments };
        // An UPDATE: the old rows go and new ones come in one version. Another load was faster; that is no conflict.
        store.prepare(LoadId(2), T1, delete(Version(2), positions(&view, |key| key == 1))).await.unwrap();
        store.prepare(LoadId(2), T1, Mutation::Rows(vec![rows(Duplicate, &[(1, "x")])])).await.unwrap();
        load(&store, 3, 1, Duplicate, &[(1, "y")]).await;
        store.publish(LoadId(2), &[(T1, Version(4))]).await.unwrap();
        let mut expected: Rows = all.into_iter().filter(|(key, _)| *key != 1).collect();
        expected.extend(text(&[(1, "x"), (1, "y")]));
        expected.sort();
        assert_eq!(current(&store, T1), expected);

        let nothing = store.prepare(LoadId(5), T1, delete(Version(4), [].into())).await.unwrap();
        assert_eq!(nothing, Prepared::default());
        let beyond = [(view.segments()[0].id, RoaringBitmap::from([77]))];
        let error = store.prepare(LoadId(5), T1, delete(Version(4), beyond.into())).await.unwrap_err();
        assert_eq!(error.to_string(), "segment 1-0 of tablet 1 has 5 rows, row 77 is none of them");
        let elsewhere = [(SegmentId { rowset: 99, ordinal: 0 }, RoaringBitmap::from([0]))];
        let error = store.prepare(LoadId(5), T1, delete(Version(4), elsewhere.into())).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Conflict);
    });
}

#[test]
fn a_compaction_leaves_alone_what_a_prepared_load_points_into() {
    run(async {
        let store = open(&MemDisk::new(), strict()).await;
        create(&store, Duplicate, &[1]).await;
        for number in 1..=3 {
            load(&store, number, 1, Duplicate, &[(number as i64, "x")]).await;
        }
        let view = store.view_current(T1).unwrap();
        let segments = positions(&view, |key| key == 2);
        let plan = store.pick_compaction().unwrap();
        store
            .prepare(LoadId(9), T1, Mutation::DeletePositions { base: Version(4), segments: segments.clone() })
            .await
            .unwrap();
        assert!(!store.run_compaction(plan).await.unwrap(), "the plan is out of date");
        assert!(store.pick_compaction().is_none());
        assert!(store.compact(T1).await.unwrap(), "the other two can be merged");
        assert_eq!(store.view_current(T1).unwrap().segments().len(), 2);
        store.publish(LoadId(9), &[(T1, Version(5))]).await.unwrap();
        assert_eq!(current(&store, T1), text(&[(1, "x"), (3, "x")]));
        assert!(store.compact(T1).await.unwrap());
        let error = store.prepare(LoadId(10), T1, Mutation::DeletePositions { base: Version(5), segments }).await;
        assert_eq!(error.unwrap_err().kind(), ErrorKind::Conflict, "the rows are elsewhere now");
        assert!(!store.compact(T1).await.unwrap(), "nothing is left to gain");
    });
}

#[test]
fn compaction_keeps_rows_version_and_index() {
    run(async {
        let disk = MemDisk::new();
        let store = open(&disk, strict()).await;
        create(&store, Primary, &[1]).await;
        for number in 1..=6 {
            let batch: Vec<(i64, String)> =
                (0..7).map(|key| (key * number as i64 % 13, format!("{number}/{key}"))).collect();
            store.prepare(LoadId(number), T1, Mutation::Rows(vec![rows(Primary, &batch)])).await.unwrap();
            store.publish(LoadId(number), &[(T1, Version(number + 1))]).await.unwrap();
        }
        let before = current(&store, T1);
        let view = store.view_current(T1).unwrap();
        assert!(store.compact(T1).await.unwrap());
        let after = store.view_current(T1).unwrap();
        assert_eq!((read(&after), after.version()), (before.clone(), view.version()));
        assert!(after.segments().iter().all(|segment| segment.deletes.is_none() && segment.rows <= 5));
        let order: Vec<i64> = after.scan(Some(&[0]), 2).flat_map(|batch| first_column(&batch.unwrap())).collect();
        assert!(order.is_sorted(), "one rowset is sorted through its segments: {order:?}");
        // The index followed the rows: an upsert hides them where they are now.
        load(&store, 7, 1, Primary, &[(0, "last")]).await;
        let mut expected: Rows = before.into_iter().filter(|(key, _)| *key != 0).collect();
        expected.push((0, "last".to_owned()));
        expected.sort();
        assert_eq!(current(&store, T1), expected);
        drop((view, after));
        store.close().await;
        let store = open(&disk, strict()).await;
        assert_eq!(current(&store, T1), expected);
        // Everything deleted: the merge leaves no file at all.
        let all: Vec<i64> = expected.iter().map(|(key, _)| *key).collect();
        store.prepare(LoadId(8), T1, Mutation::DeleteKeys(vec![keys(&all)])).await.unwrap();
        store.publish(LoadId(8), &[(T1, Version(9))]).await.unwrap();
        assert!(store.compact(T1).await.unwrap());
        assert!(store.view_current(T1).unwrap().segments().is_empty());
        store.reclaim().await.unwrap();
        assert!(files(&disk).is_empty());
    });
}

fn first_column(batch: &arrow::array::RecordBatch) -> Vec<i64> {
    use arrow::array::AsArray;
    batch.column(0).as_primitive::<arrow::datatypes::Int64Type>().values().to_vec()
}

#[test]
fn waiting_for_a_version_ends_with_it_or_with_the_deadline() {
    run(async {
        let store = open(&MemDisk::new(), StoreOptions::default()).await;
        create(&store, Duplicate, &[1]).await;
        let waiting = env::rt::spawn({
            let store = store.clone();
            async move { store.view_when_published(T1, Version(2), Duration::from_secs(30)).await }
        });
        let late = store.view_when_published(T1, Version(2), Duration::from_millis(5)).await.unwrap_err();
        assert_eq!(late.kind(), ErrorKind::TimedOut, "{late}");
        load(&store, 1, 1, Duplicate, &[(1, "a")]).await;
        assert_eq!(read(&waiting.await.unwrap().unwrap()), text(&[(1, "a")]));
        let waiting = env::rt::spawn({
            let store = store.clone();
            async move { store.view_when_published(T1, Version(9), Duration::from_secs(30)).await }
        });
        env::rt::yield_now().await;
        store.remove(&[T1]).await.unwrap();
        assert_eq!(waiting.await.unwrap().unwrap_err().kind(), ErrorKind::NotFound);
    });
}

#[test]
fn tablets_are_made_and_removed_once() {
    run(async {
        let disk = MemDisk::new();
        let store = open(&disk, strict()).await;
        create(&store, Duplicate, &[1, 2]).await;
        load(&store, 1, 1, Duplicate, &[(1, "a")]).await;
        create(&store, Duplicate, &[1, 3]).await;
        assert_eq!(current(&store, T1), text(&[(1, "a")]), "making it again changes nothing");
        let other = store.create(vec![NewTablet { tablet: T1, schema: schema(Primary) }]).await.unwrap_err();
        assert_eq!(
            (other.kind(), other.to_string().as_str()),
            (ErrorKind::AlreadyExists, "tablet 1 exists already with other columns")
        );
        let view = store.view_current(T1).unwrap();
        store.remove(&[T1, TabletId(77)]).await.unwrap();
        store.remove(&[T1]).await.unwrap();
        assert_eq!(store.tablets(), [T2, TabletId(3)]);
        assert_eq!(store.view_current(T1).unwrap_err().kind(), ErrorKind::NotFound);
        let again = store.create(vec![NewTablet { tablet: T1, schema: schema(Primary) }]).await.unwrap_err();
        assert_eq!(again.kind(), ErrorKind::Busy, "the view still reads files of that name");
        drop(view);
        create(&store, Primary, &[1]).await;
        assert!(current(&store, T1).is_empty());
        store.close().await;
        let store = open(&disk, strict()).await;
        assert_eq!(store.tablets(), [T1, T2, TabletId(3)]);
        assert_eq!(store.schema(T1).unwrap().model(), Primary);
    });
}

#[test]
fn mutations_that_do_not_fit_the_table_are_refused() {
    run(async {
        let store = open(&MemDisk::new(), StoreOptions::default()).await;
        create(&store, Duplicate, &[1]).await;
        create(&store, Primary, &[2]).await;
        let refused = async |tablet, mutation| store.prepare(LoadId(1), tablet, mutation).await.unwrap_err();
        let error = refused(T1, Mutation::DeleteKeys(vec![keys(&[1])])).await;
        assert_eq!(error.to_string(), "tablet 1 has no primary key; delete its rows by position");
        let error = refused(T2, Mutation::DeletePositions { base: Version(1), segments: [].into() }).await;
        assert_eq!(error.to_string(), "tablet 2 has a primary key; delete its rows by key");
        let error = refused(T2, Mutation::Rows(vec![keys(&[1])])).await;
        assert_eq!(error.kind(), ErrorKind::Invalid, "{error}");
        let error = refused(T2, Mutation::DeleteKeys(vec![rows(Primary, &[(1, "a")])])).await;
        assert_eq!(error.to_string(), "the rows do not fit tablet 2: a key has 1 columns, not 2");
        assert_eq!(refused(TabletId(9), Mutation::Rows(vec![])).await.kind(), ErrorKind::NotFound);
        let empty = store.prepare(LoadId(1), T2, Mutation::Rows(vec![rows::<&str>(Primary, &[])])).await.unwrap();
        assert_eq!(empty, Prepared::default());
        assert!(store.prepared().is_empty());
        store.publish(LoadId(1), &[(T2, Version(2))]).await.unwrap();
    });
}

#[test]
fn indexes_that_do_not_fit_in_memory_are_built_anew() {
    run(async {
        let store = open(&MemDisk::new(), StoreOptions { index_bytes_max: 0, ..strict() }).await;
        create(&store, Primary, &[1, 2]).await;
        for number in 1..=8 {
            let value = number.to_string();
            load(&store, number, 1 + number % 2, Primary, &[(1, value.as_str()), (number as i64, "x")]).await;
        }
        assert_eq!(current(&store, T1), text(&[(1, "8"), (2, "x"), (4, "x"), (6, "x"), (8, "x")]));
        assert_eq!(current(&store, T2), text(&[(1, "7"), (3, "x"), (5, "x"), (7, "x")]));
    });
}

#[test]
fn a_closed_store_takes_no_changes_and_the_next_one_has_everything() {
    run(async {
        let disk = MemDisk::new();
        let store = open(&disk, StoreOptions::default()).await;
        create(&store, Duplicate, &[1]).await;
        load(&store, 1, 1, Duplicate, &[(1, "a")]).await;
        store.prepare(LoadId(2), T1, Mutation::Rows(vec![rows(Duplicate, &[(2, "b")])])).await.unwrap();
        let view = store.view_current(T1).unwrap();
        store.close().await;
        assert_eq!(store.publish(LoadId(2), &[(T1, Version(3))]).await.unwrap_err().kind(), ErrorKind::Unavailable);
        assert_eq!(read(&view), text(&[(1, "a")]));
        let store = open(&disk, StoreOptions::default()).await;
        assert_eq!(store.prepared(), [(LoadId(2), vec![T1])]);
        store.publish(LoadId(2), &[(T1, Version(3))]).await.unwrap();
        assert_eq!(current(&store, T1), text(&[(1, "a"), (2, "b")]));
        assert_eq!(read(&store.view(T1, Version(2)).unwrap()), text(&[(1, "a")]), "versions are kept over a restart");
    });
}

#[test]
fn it_works_on_a_real_directory() {
    run(async {
        let dir = tempfile::tempdir().unwrap();
        let disk: Arc<dyn Disk> = Arc::new(RealDisk::new(dir.path().join("data")));
        let store = TabletStore::open(Arc::clone(&disk), strict()).await.unwrap();
        for (id, model) in [(1, Duplicate), (2, Primary)] {
            create(&store, model, &[id]).await;
            real_life(&store, id, model).await;
        }
        store.close().await;
        let again = TabletStore::open(Arc::clone(&disk), strict()).await.unwrap();
        assert_eq!(current(&again, T2), text(&[(1, "c"), (2, "b")]));
        assert_eq!(files(&*disk), needed(&again));
    });
}

async fn real_life(store: &TabletStore, id: u64, model: KeyModel) {
    load(store, 10 * id, id, model, &[(1, "a"), (2, "b")]).await;
    load(store, 10 * id + 1, id, model, &[(1, "c")]).await;
    store.pin(JobId(id), &[(TabletId(id), Version(3))]).await.unwrap();
    let pinned = current(store, TabletId(id));
    assert!(store.compact(TabletId(id)).await.unwrap());
    store.reclaim().await.unwrap();
    let image = store.pinned(JobId(id), TabletId(id)).unwrap();
    assert_eq!(image_rows(&image.meta, &image_files(store, JobId(id), TabletId(id)).await), pinned);
    store.unpin(JobId(id)).await.unwrap();
    store.reclaim().await.unwrap();
}
