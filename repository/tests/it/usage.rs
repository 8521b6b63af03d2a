//! What snapshots cost, held against plain sums over the manifests and against what a drop and a sweep give back.

use crate::support::*;
use env::rt::CancellationToken;
use futures::TryStreamExt;
use object_store::ObjectStore;
use object_store::memory::InMemory;
use object_store::path::Path;
use proptest::prelude::*;
use repository::{ErrorKind, Repository, Usage, no_progress};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

async fn lengths(store: &dyn ObjectStore) -> BTreeMap<String, u64> {
    let listed = store.list(None).map_ok(|meta| (meta.location.to_string(), meta.size));
    listed.try_collect().await.unwrap()
}

/// Every object that each snapshot refers to.
async fn refers(repository: &Repository) -> BTreeMap<String, BTreeSet<String>> {
    let mut all = BTreeMap::new();
    for summary in repository.snapshots().await.unwrap() {
        let mut objects = BTreeSet::from([summary.root.name.clone()]);
        let reader = repository.reader(&summary).await.unwrap();
        for table in &reader.root().tables {
            objects.insert(table.page.name.clone());
            for partition in &reader.table(table).await.unwrap().partitions {
                objects.extend(partition.pages.iter().map(|page| page.name.clone()));
                let tablets: Vec<_> = reader.tablets(partition).try_collect().await.unwrap();
                objects.extend(tablets.into_iter().flat_map(|tablet| tablet.files).map(|file| file.object));
            }
        }
        all.insert(summary.label, objects);
    }
    all
}

async fn usage(repository: &Repository) -> Usage {
    repository.usage(&CancellationToken::new()).await.unwrap()
}

async fn swept(repository: &Repository) -> u64 {
    let plan = repository.sweep_plan(&no_progress()).await.unwrap();
    repository.sweep(&plan, &no_progress()).await.unwrap().bytes
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, ..ProptestConfig::default() })]

    #[test]
    fn usage_is_the_sum_over_the_manifests_and_what_a_sweep_gives_back(
        changes in prop::collection::vec((1..7u64, prop::collection::vec(0..6u64, 0..3)), 1..7),
        drops in prop::collection::btree_set(0..7usize, 0..7),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async move {
            let store: Arc<dyn ObjectStore> = Arc::new(InMemory::new());
            let repository = Repository::create(Arc::clone(&store), "r", 1).await.unwrap();
            let mut seed = 1000;
            let mut changed: BTreeMap<u64, u64> = BTreeMap::new();
            for (number, (tablets, touched)) in changes.iter().enumerate() {
                for tablet in touched {
                    seed += 1;
                    changed.insert(1000 + tablet, seed);
                }
                let mut world = world(*tablets, 66_000);
                for (tablet, files) in &mut world {
                    if let Some(seed) = changed.get(tablet) {
                        files.insert("9-0.parquet".into(), noise(*seed, 300 * (seed % 400) as usize));
                    }
                }
                // Labels in another order than the snapshots.
                back_up(&repository, &format!("l{}-{number}", number * 7 % 5), &world).await;
            }
            swept(&repository).await;
            let (lengths, refers) = (lengths(&*store).await, refers(&repository).await);
            let found = usage(&repository).await;
            assert_eq!((found.garbage_bytes, found.garbage_objects, found.session_bytes), (0, 0, 0));
            assert_eq!(found.stored_bytes, lengths.values().sum::<u64>() - lengths["repository.json"]);
            let len = |objects: &BTreeSet<&String>| objects.iter().map(|name| lengths[*name]).sum::<u64>();
            assert!(found.snapshots.iter().map(|row| &row.label).eq(refers.keys()), "sorted by label");
            for row in &found.snapshots {
                let own: BTreeSet<&String> = refers[&row.label].iter().collect();
                let others: BTreeSet<&String> =
                    refers.iter().filter(|(label, _)| **label != row.label).flat_map(|(_, objects)| objects).collect();
                let unique = own.difference(&others).copied().collect();
                assert_eq!((row.stored_bytes, row.unique_bytes), (len(&own), len(&unique)), "{}", row.label);
                assert_eq!(row.shared_bytes, row.stored_bytes - row.unique_bytes);
                assert_eq!(found.freed_by(&[&row.label]), row.unique_bytes);
            }
            let all: Vec<String> = refers.keys().cloned().collect();
            let dropped: Vec<&str> = drops.iter().filter_map(|number| all.get(*number)).map(String::as_str).collect();
            let promised = found.freed_by(&dropped);
            assert_eq!(found.freed_by(&["not there"]), 0);
            for label in &dropped {
                repository.drop_snapshot(label, None).await.unwrap();
            }
            let after = usage(&repository).await;
            // Of the index, only what the last drop has left is still alive.
            let index = |all: &BTreeMap<String, u64>| -> u64 {
                let of_index = all.keys().filter(|name| name.starts_with("pages/"));
                of_index.filter(|name| !refers.values().any(|objects| objects.contains(*name))).map(|name| all[name]).sum()
            };
            let unswept = self::lengths(&*store).await;
            let gone = swept(&repository).await;
            let left = self::lengths(&*store).await;
            assert_eq!(after.garbage_bytes, gone);
            assert_eq!(gone - (index(&unswept) - index(&left)), promised);
        });
    }
}

#[tokio::test]
async fn what_sessions_keep_is_neither_a_snapshots_nor_garbage() {
    let store: Arc<dyn ObjectStore> = Arc::new(InMemory::new());
    let repository = Repository::create(Arc::clone(&store), "r", 1).await.unwrap();
    back_up(&repository, "a", &world(3, 70_000)).await;
    back_up(&repository, "b", &world(1, 70_000)).await;
    swept(&repository).await;
    let before = usage(&repository).await;
    let a = before.snapshots[0].clone();
    assert!(a.unique_bytes > 2 * 70_000 && a.shared_bytes >= 70_000, "{a:?}");

    // Dropped while somebody reads it: kept, for the reader.
    let reading = session(&repository).await;
    repository.drop_snapshot("a", None).await.unwrap();
    let kept = usage(&repository).await;
    assert_eq!(kept.garbage_bytes, 0);
    assert!(kept.session_bytes >= a.unique_bytes, "{kept:?}");
    assert_eq!(kept.snapshots.len(), 1);
    assert_eq!(kept.snapshots[0].unique_bytes, kept.snapshots[0].stored_bytes);
    swept(&repository).await;
    reading.close().await.unwrap();
    let free = usage(&repository).await;
    assert_eq!(free.session_bytes, 0);
    assert!(free.garbage_bytes >= a.unique_bytes);
    assert_eq!(swept(&repository).await, free.garbage_bytes);

    // What a session has sent and not committed.
    let writing = session(&repository).await;
    upload(&writing, "c", &world(2, 90_000), &CancellationToken::new()).await.unwrap();
    let found = usage(&repository).await;
    assert!(found.session_bytes > 90_000, "{found:?}");
    assert_eq!((found.garbage_bytes, found.garbage_objects), (0, 0));
    // Strangers are nobody's cost.
    store.put_opts(&Path::from("data/readme.txt"), "hello".into(), object_store::PutOptions::default()).await.unwrap();
    assert_eq!(usage(&repository).await.stored_bytes, found.stored_bytes);
    let json = serde_json::to_value(&found).unwrap();
    assert_eq!(json["snapshots"][0]["label"], "b");

    let stop = CancellationToken::new();
    stop.cancel();
    assert_eq!(repository.usage(&stop).await.unwrap_err().kind(), ErrorKind::Cancelled);
}
