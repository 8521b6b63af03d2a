//! The embedded store beyond the contract that all stores share.

use crate::run;
use catalog::{At, EmbeddedOptions, EmbeddedStore, Error, ErrorKind, Guard, MetaStore, Revision, Write, conformance};
use env::disk::{Disk, MemDisk, RealDisk};
use futures::future::join_all;
use std::sync::Arc;

fn put(key: &str, value: impl AsRef<[u8]>) -> Write {
    Write::Put { key: key.to_owned(), value: value.as_ref().to_vec().into() }
}

async fn open(disk: &MemDisk, options: EmbeddedOptions) -> EmbeddedStore {
    EmbeddedStore::open_with(Arc::new(disk.clone()), "meta/catalog.redb", options).await.unwrap()
}

#[test]
fn conforms_on_the_heap() {
    run(async {
        let store = open(&MemDisk::new(), EmbeddedOptions::default()).await;
        conformance::check(&store, "conformance/").await;
        // Again on a store with a past, and with the smallest cache.
        store.close().await.unwrap();
    });
    run(async {
        let disk = MemDisk::new();
        let store = open(&disk, EmbeddedOptions { cache_bytes: 0, ..EmbeddedOptions::default() }).await;
        conformance::check(&store, "one/").await;
        store.close().await.unwrap();
        conformance::check(&open(&disk, EmbeddedOptions::default()).await, "two/").await;
    });
}

#[test]
fn conforms_on_a_real_disk() {
    let dir = tempfile::tempdir().unwrap();
    run(async {
        let disk = Arc::new(RealDisk::new(dir.path().join("data")));
        let store = EmbeddedStore::open(disk.clone(), "catalog.redb").await.unwrap();
        conformance::check(&store, "conformance/").await;
        let revision = store.revision().await.unwrap();
        store.close().await.unwrap();
        let names: Vec<String> = disk.list("").unwrap().into_iter().map(|entry| entry.name).collect();
        assert_eq!(names, ["catalog.redb"], "nothing else is left behind");
        let store = EmbeddedStore::open(disk, "catalog.redb").await.unwrap();
        assert_eq!(store.revision().await.unwrap(), revision);
    });
}

#[test]
fn many_writers_share_syncs() {
    let dir = tempfile::tempdir().unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async {
        let store = EmbeddedStore::open(Arc::new(RealDisk::new(dir.path())), "catalog.redb").await.unwrap();
        let write = |i: usize| {
            let store = store.clone();
            async move {
                let key = format!("key/{i:04}");
                let revision = store.commit(vec![Guard::Absent(key.clone())], vec![put(&key, [7; 100])]).await.unwrap();
                // Acknowledged is visible, whoever made it durable.
                assert_eq!(store.get(&key, At::Latest).await.unwrap().unwrap().created, revision);
                revision
            }
        };
        let mut revisions = join_all((0..1_000).map(|i| tokio::spawn(write(i)))).await;
        revisions.sort_unstable_by_key(|revision| *revision.as_ref().unwrap());
        let revisions: Vec<u64> = revisions.into_iter().map(|revision| revision.unwrap().0).collect();
        assert_eq!(revisions, (1..=1_000).collect::<Vec<u64>>(), "each has a revision of its own");
    });
}

#[test]
fn old_history_is_forgotten_as_new_comes() {
    run(async {
        let disk = MemDisk::new();
        let options = EmbeddedOptions { history_revisions: 10, ..EmbeddedOptions::default() };
        let store = open(&disk, options.clone()).await;
        let mut behind = store.watch("", Revision(0)).await.unwrap();
        for i in 1..=50_u64 {
            assert_eq!(store.commit(vec![], vec![put("k", i.to_string())]).await.unwrap(), Revision(i));
        }
        assert_eq!(store.get("k", At::Revision(Revision(40))).await.unwrap().unwrap().value, "40");
        let failed = store.get("k", At::Revision(Revision(39))).await.unwrap_err();
        assert!(matches!(failed, Error::Compacted { asked: Revision(39), oldest: Revision(40) }), "{failed:?}");
        let failed = behind.next().await.unwrap_err();
        assert!(matches!(failed, Error::Compacted { asked: Revision(0), oldest: Revision(40) }), "{failed:?}");
        assert!(behind.next().await.is_err(), "a watch that failed stays failed");
        // A smaller limit is reached step by step.
        store.close().await.unwrap();
        let store = open(&disk, EmbeddedOptions { history_revisions: 0, ..options }).await;
        store.commit(vec![], vec![put("k", "51")]).await.unwrap();
        assert_eq!(store.get("k", At::Latest).await.unwrap().unwrap().value, "51");
        assert!(store.get("k", At::Revision(Revision(50))).await.is_err());
    });
}

#[test]
fn history_of_many_revisions_is_compacted_in_steps() {
    run(async {
        let store = open(&MemDisk::new(), EmbeddedOptions::default()).await;
        let write = |i: u32| store.commit(vec![], vec![put(&format!("k{}", i % 7), i.to_string())]);
        for chunk in 0..50_u32 {
            join_all((chunk * 200..(chunk + 1) * 200).map(write)).await;
        }
        store.compact(Revision(9_990)).await.unwrap();
        assert!(store.get("k0", At::Revision(Revision(9_989))).await.is_err());
        assert_eq!(store.scan("", None, 100, At::Revision(Revision(9_990))).await.unwrap().entries.len(), 7);
        let mut watch = store.watch("", Revision(9_990)).await.unwrap();
        for revision in 9_991..=10_000 {
            assert_eq!(watch.next().await.unwrap().revision, Revision(revision));
        }
    });
}

#[test]
fn a_closed_store_says_so() {
    run(async {
        let disk = MemDisk::new();
        let store = open(&disk, EmbeddedOptions::default()).await;
        store.commit(vec![], vec![put("k", "1")]).await.unwrap();
        let mut watch = store.watch("", Revision(1)).await.unwrap();
        let clone = store.clone();
        let (ended, closed) = futures::join!(watch.next(), async {
            tokio::task::yield_now().await;
            clone.close().await
        });
        closed.unwrap();
        assert!(matches!(ended, Err(Error::Closed(_))), "a waiting watch ends");
        store.close().await.unwrap();
        for failed in [
            store.revision().await.unwrap_err(),
            store.get("k", At::Latest).await.unwrap_err(),
            store.commit(vec![], vec![put("k", "2")]).await.unwrap_err(),
            store.watch("", Revision(0)).await.unwrap_err(),
            store.compact(Revision(1)).await.unwrap_err(),
        ] {
            assert_eq!(failed.kind(), ErrorKind::Unavailable);
            assert_eq!(failed.to_string(), "meta/catalog.redb: the catalog is closed");
        }
        let store = open(&disk, EmbeddedOptions::default()).await;
        assert_eq!(store.get("k", At::Latest).await.unwrap().unwrap().value, "1");
        // A watch does not keep a dropped store open.
        let mut watch = store.watch("", Revision(1)).await.unwrap();
        drop(store);
        assert!(matches!(watch.next().await, Err(Error::Closed(_))));
    });
}

#[test]
fn a_full_disk_refuses_and_recovers_without_reopening() {
    run(async {
        let disk = MemDisk::new();
        let store = open(&disk, EmbeddedOptions::default()).await;
        store.commit(vec![], vec![put("k", "1")]).await.unwrap();
        disk.limit(Some(8 << 20));
        let failed = store.commit(vec![], vec![put("k", "2")]).await.unwrap_err();
        assert_eq!(failed.kind(), ErrorKind::Full, "{failed}");
        assert_eq!(store.get("k", At::Latest).await.unwrap().unwrap().value, "1", "reading goes on");
        disk.limit(None);
        store.commit(vec![], vec![put("k", "3")]).await.unwrap();
    });
}

#[test]
fn a_disk_that_runs_full_inside_a_commit_latches() {
    run(async {
        let disk = MemDisk::new();
        let options = EmbeddedOptions { reserve_bytes: 0, ..EmbeddedOptions::default() };
        let store = open(&disk, options.clone()).await;
        store.commit(vec![], vec![put("k", "1")]).await.unwrap();
        let len = disk.len("meta/catalog.redb").unwrap();
        // Enough for the check before, too little for the file to grow.
        disk.limit(Some(len + (5 << 20)));
        let mut failed = None;
        for i in 0..100_u32 {
            let result = store.commit(vec![], vec![put(&format!("large/{i}"), vec![7; 1 << 20])]).await;
            if let Err(error) = result {
                failed = Some(error);
                break;
            }
        }
        let failed = failed.unwrap();
        assert!(matches!(failed.kind(), ErrorKind::Full | ErrorKind::Indeterminate), "{failed}");
        disk.limit(None);
        if !matches!(failed, Error::Full { .. }) {
            let after = store.get("k", At::Latest).await.unwrap_err();
            assert!(matches!(after, Error::Latched { .. }), "{after}");
        }
        drop(store);
        let store = open(&disk, options).await;
        assert_eq!(store.get("k", At::Latest).await.unwrap().unwrap().value, "1");
    });
}
