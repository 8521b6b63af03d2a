use crate::support::*;
use env::disk::{Disk, MemDisk};
use env::ids::{JobId, LoadId, TabletId, Version};
use std::time::Duration;
use tablet::KeyModel::{Duplicate, Primary};
use tablet::{Mutation, StoreOptions, Unneeded};

const T1: TabletId = TabletId(1);

#[test]
fn a_plan_says_what_goes_and_why_and_changes_nothing() {
    run(async {
        let disk = MemDisk::new();
        let store = open(&disk, strict()).await;
        create(&store, Duplicate, &[1]).await;
        for number in 1..=3 {
            load(&store, number, 1, Duplicate, &[(1, "a")]).await;
        }
        let view = store.view_current(T1).unwrap();
        store.compact(T1).await.unwrap();
        assert!(store.reclaim_plan().await.unwrap().is_empty(), "a reader needs the inputs");
        drop(view);
        let before = files(&disk);
        let plan = store.reclaim_plan().await.unwrap();
        assert_eq!(plan.files().count(), 3);
        assert!(plan.files().all(|file| file.why == Unneeded::Superseded), "{plan}");
        assert_eq!(files(&disk), before);
        let reclaimed = store.reclaim().await.unwrap();
        assert_eq!((reclaimed.files, reclaimed.bytes), (3, plan.files().map(|file| file.len_bytes).sum()));
        assert_eq!(files(&disk), needed(&store));
        assert!(store.reclaim_plan().await.unwrap().is_empty());
    });
}

#[test]
fn versions_are_kept_by_number_and_time() {
    run(async {
        let store = open(&MemDisk::new(), StoreOptions { keep_versions: 3, ..StoreOptions::default() }).await;
        create(&store, Duplicate, &[1]).await;
        for number in 1..=5 {
            load(&store, number, 1, Duplicate, &[(number as i64, "x")]).await;
        }
        for version in 1..=6 {
            let view = store.view(T1, Version(version));
            assert_eq!(view.is_ok(), version >= 4, "version {version}: {view:?}");
            assert!(view.is_err() || read(&view.unwrap()).len() as u64 == version - 1);
        }
        let disk = MemDisk::new();
        let store = open(&disk, StoreOptions { keep_for: Duration::from_millis(20), ..StoreOptions::default() }).await;
        create(&store, Primary, &[1]).await;
        load(&store, 1, 1, Primary, &[(1, "a")]).await;
        load(&store, 2, 1, Primary, &[(1, "b")]).await;
        store.compact(T1).await.unwrap();
        tokio::time::sleep(Duration::from_millis(30)).await;
        store.reclaim().await.unwrap();
        assert!(store.view(T1, Version(2)).is_err());
        assert_eq!(files(&disk), needed(&store));
        store.close().await;
        let store = open(&disk, StoreOptions::default()).await;
        assert!(store.view(T1, Version(2)).is_err(), "what was forgotten stays forgotten");
        assert_eq!(current(&store, T1), text(&[(1, "b")]));
    });
}

#[test]
fn what_a_crash_left_goes_at_the_next_start_and_foreign_files_stay() {
    run(async {
        let disk = MemDisk::new();
        let store = open(&disk, strict()).await;
        create(&store, Duplicate, &[1]).await;
        load(&store, 1, 1, Duplicate, &[(1, "a")]).await;
        store.prepare(LoadId(2), T1, Mutation::Rows(vec![rows(Duplicate, &[(2, "b")])])).await.unwrap();
        store.close().await;
        let kept = files(&disk);
        disk.create_dir("tablets/77").unwrap();
        for name in [
            "1/9-0.parquet",
            "1/.9-1.parquet.abc.tmp",
            "1/9.keys",
            "77/1-0.parquet",
            ".store.redb.1.tmp",
            "store.redb.x.tmp",
        ] {
            disk.create(&format!("tablets/{name}")).unwrap();
        }
        for foreign in ["1/notes.txt", "1/09-0.parquet"] {
            disk.create(&format!("tablets/{foreign}")).unwrap();
        }
        let store = open(&disk, strict()).await;
        let mut expected = kept;
        expected.extend(["tablets/1/notes.txt".to_owned(), "tablets/1/09-0.parquet".to_owned()]);
        assert_eq!(files(&disk), expected);
        assert!(disk.list("tablets/77").is_err(), "the directory of no tablet is gone");
        store.publish(LoadId(2), &[(T1, Version(3))]).await.unwrap();
        assert_eq!(current(&store, T1), text(&[(1, "a"), (2, "b")]));
    });
}

#[test]
fn a_rowset_number_is_not_given_twice() {
    run(async {
        let disk = MemDisk::new();
        let mut seen = std::collections::BTreeSet::new();
        let mut load_id = 0;
        for _ in 0..4 {
            let store = open(&disk, strict()).await;
            create(&store, Primary, &[1]).await;
            for _ in 0..2 {
                load_id += 1;
                load(&store, load_id, 1, Primary, &[(1, "a")]).await;
                let rowset = store.view_current(T1).unwrap().segments().last().unwrap().id.rowset;
                assert!(seen.insert(rowset), "rowset {rowset} again");
                store.compact(T1).await.unwrap();
                seen.extend(store.view_current(T1).unwrap().segments().iter().map(|segment| segment.id.rowset));
                store.reclaim().await.unwrap();
            }
            // The highest number is among what goes.
            store.prepare(LoadId(900), T1, Mutation::DeleteKeys(vec![keys(&[1])])).await.unwrap();
            let next = store.current_version(T1).unwrap().next();
            store.publish(LoadId(900 + load_id), &[(T1, next)]).await.unwrap();
            store.abort(LoadId(900)).await.unwrap();
            store.reclaim().await.unwrap();
            store.close().await;
        }
    });
}

#[test]
fn files_of_prepared_loads_and_pins_stay() {
    run(async {
        let disk = MemDisk::new();
        let store = open(&disk, strict()).await;
        create(&store, Primary, &[1]).await;
        load(&store, 1, 1, Primary, &[(1, "a")]).await;
        store.pin(JobId(1), &[(T1, Version(2))]).await.unwrap();
        store.prepare(LoadId(2), T1, Mutation::Rows(vec![rows(Primary, &[(1, "b")])])).await.unwrap();
        store.prepare(LoadId(2), T1, Mutation::DeleteKeys(vec![keys(&[5])])).await.unwrap();
        load(&store, 3, 1, Primary, &[(1, "c")]).await;
        store.compact(T1).await.unwrap();
        let before = files(&disk);
        store.reclaim().await.unwrap();
        assert_eq!(before.difference(&files(&disk)).collect::<Vec<_>>(), ["tablets/1/4-0.parquet"]);
        store.remove(&[T1]).await.unwrap();
        store.reclaim().await.unwrap();
        assert_eq!(
            files(&disk).into_iter().collect::<Vec<_>>(),
            ["tablets/1/1-0.parquet", "tablets/1/2-0.parquet", "tablets/1/3.keys"]
        );
        store.abort(LoadId(2)).await.unwrap();
        store.unpin(JobId(1)).await.unwrap();
        store.reclaim().await.unwrap();
        assert!(files(&disk).is_empty() && disk.list("tablets/1").is_err());
    });
}
