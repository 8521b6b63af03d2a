use crate::support::*;
use env::disk::MemDisk;
use env::ids::{JobId, LoadId, TabletId, Version};
use tablet::KeyModel::{Duplicate, Primary};
use tablet::{ErrorKind, Mutation, StoreOptions};

const T1: TabletId = TabletId(1);
const JOB: JobId = JobId(70);

#[test]
fn a_pin_outlives_loads_compaction_reclaim_removal_and_restart() {
    run(async {
        let disk = MemDisk::new();
        let store = open(&disk, strict()).await;
        create(&store, Primary, &[1]).await;
        load(&store, 1, 1, Primary, &[(1, "a"), (2, "b"), (3, "c")]).await;
        load(&store, 2, 1, Primary, &[(2, "B")]).await;
        store.pin(JOB, &[(T1, Version(3))]).await.unwrap();
        let pinned = text(&[(1, "a"), (2, "B"), (3, "c")]);
        load(&store, 3, 1, Primary, &[(1, "A"), (3, "C")]).await;
        store.compact(T1).await.unwrap();
        store.remove(&[T1]).await.unwrap();
        store.reclaim().await.unwrap();
        let image = store.pinned(JOB, T1).unwrap();
        assert_eq!((image.version, image.meta.live_rows()), (Version(3), 3));
        assert_eq!(image_rows(&image.meta, &image_files(&store, JOB, T1).await), pinned);
        store.close().await;

        let store = open(&disk, strict()).await;
        assert_eq!((store.pin_owners(), store.pins(JOB)), (vec![JOB], vec![(T1, Version(3))]));
        assert_eq!(store.pinned(JOB, T1).unwrap(), image, "exactly the pinned state, after a restart too");
        assert_eq!(image_rows(&image.meta, &image_files(&store, JOB, T1).await), pinned);
        let held = store.image_bytes(JOB, T1, "1-0.parquet").await.unwrap();
        store.unpin(JOB).await.unwrap();
        store.unpin(JOB).await.unwrap();
        store.reclaim().await.unwrap();
        assert!(files(&disk).is_empty());
        assert!(!held.is_empty(), "bytes that somebody has stay readable");
        assert_eq!(store.pinned(JOB, T1).unwrap_err().kind(), ErrorKind::NotFound);
    });
}

#[test]
fn a_pin_of_an_empty_tablet_keeps_its_columns() {
    run(async {
        let disk = MemDisk::new();
        let store = open(&disk, strict()).await;
        create(&store, Primary, &[1]).await;
        store.pin(JOB, &[(T1, Version(1))]).await.unwrap();
        store.remove(&[T1]).await.unwrap();
        store.reclaim().await.unwrap();
        store.close().await;
        let store = open(&disk, strict()).await;
        assert_eq!(store.pinned(JOB, T1).unwrap().meta.schema, *schema(Primary));
        store.unpin(JOB).await.unwrap();
        store.reclaim().await.unwrap();
        create(&store, Duplicate, &[1]).await;
    });
}

#[test]
fn pins_are_all_or_none_and_can_be_repeated() {
    run(async {
        let store = open(&MemDisk::new(), strict()).await;
        create(&store, Duplicate, &[1, 2]).await;
        load(&store, 1, 1, Duplicate, &[(1, "a")]).await;
        load(&store, 2, 1, Duplicate, &[(2, "b")]).await;
        let gone = store.pin(JOB, &[(TabletId(2), Version(1)), (T1, Version(2))]).await.unwrap_err();
        assert_eq!(gone.kind(), ErrorKind::Conflict);
        assert_eq!(gone.to_string(), "version 2 of tablet 1 is not kept any more; the oldest one kept is 3");
        assert_eq!(store.pin(JOB, &[(T1, Version(4))]).await.unwrap_err().kind(), ErrorKind::Unavailable);
        assert_eq!(store.pin(JOB, &[(TabletId(9), Version(1))]).await.unwrap_err().kind(), ErrorKind::NotFound);
        assert!(store.pin_owners().is_empty());

        store.pin(JOB, &[(T1, Version(3))]).await.unwrap();
        load(&store, 3, 1, Duplicate, &[(3, "c")]).await;
        store.pin(JOB, &[(T1, Version(3)), (TabletId(2), Version(1))]).await.unwrap();
        assert_eq!(
            store.pins(JOB),
            [(T1, Version(3)), (TabletId(2), Version(1))],
            "the version is gone, but not for its pin"
        );
        let image = store.pinned(JOB, T1).unwrap().meta;
        assert_eq!(image_rows(&image, &image_files(&store, JOB, T1).await), text(&[(1, "a"), (2, "b")]));
        store.pin(JOB, &[(T1, Version(4))]).await.unwrap();
        assert_eq!(store.pinned(JOB, T1).unwrap().version, Version(4), "a new cut moves the pin");
        assert_eq!(store.image_bytes(JOB, T1, "99-0.parquet").await.unwrap_err().kind(), ErrorKind::NotFound);
        assert_eq!(store.image_bytes(JOB, T1, "../../etc").await.unwrap_err().kind(), ErrorKind::NotFound);
    });
}

#[test]
fn a_pin_of_a_thousand_tablets_is_one_transaction_that_touches_no_data_file() {
    run(async {
        let disk = MemDisk::new();
        let store = open(&disk, StoreOptions::default()).await;
        let ids: Vec<u64> = (1..=1000).collect();
        create(&store, Duplicate, &ids).await;
        for id in 1..=20 {
            let batch: Vec<(i64, String)> = (0..500 * id as i64).map(|key| (key, "x".repeat(50))).collect();
            store.prepare(LoadId(1), TabletId(id), Mutation::Rows(vec![rows(Duplicate, &batch)])).await.unwrap();
        }
        let all: Vec<(TabletId, Version)> = ids.iter().map(|id| (TabletId(*id), Version(2))).collect();
        store.publish(LoadId(1), &all).await.unwrap();
        let before = disk.changes();
        store.pin(JOB, &all).await.unwrap();
        let changes = disk.changes() - before;
        assert!(changes < 1000, "{changes} writes and syncs: less than one a tablet, all of the metadata file");
        let before = disk.changes();
        let live: u64 = ids.iter().map(|id| store.pinned(JOB, TabletId(*id)).unwrap().meta.live_rows()).sum();
        assert_eq!((live, disk.changes() - before), (500 * 210, 0));
        store.unpin(JOB).await.unwrap();
    });
}
