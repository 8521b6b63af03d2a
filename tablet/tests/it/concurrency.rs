//! Readers, loads, compaction, pins and reclaim at the same time, on real threads.

use crate::support::*;
use env::disk::MemDisk;
use env::ids::{JobId, LoadId, TabletId, Version};
use env::rt::{self, CancellationToken};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use tablet::KeyModel::{Duplicate, Primary};
use tablet::{ErrorKind, Mutation, StoreOptions, TabletStore};

const D: TabletId = TabletId(1);
const P: TabletId = TabletId(2);
const LOADS: u64 = 60;

/// What version `version` shows: load `n` made version `n + 1`. Load `n` adds row `n` and deletes row `n - 10`.
fn of_duplicate(version: u64) -> Rows {
    (version.saturating_sub(10).max(1)..version).map(|load| (load as i64, format!("load {load}"))).collect()
}

/// Load `n` puts key `n % 7` and deletes key `(n + 3) % 7` before that.
fn of_primary(version: u64) -> Rows {
    let mut rows = std::collections::BTreeMap::new();
    for load in 1..version {
        rows.remove(&((load as i64 + 3) % 7));
        rows.insert(load as i64 % 7, format!("load {load}"));
    }
    rows.into_iter().collect()
}

async fn one_load(store: &TabletStore, number: u64) {
    let value = format!("load {number}");
    loop {
        let view = store.view_current(D).unwrap();
        let segments = positions(&view, |key| key == number as i64 - 10);
        match store.prepare(LoadId(number), D, Mutation::DeletePositions { base: view.version(), segments }).await {
            Ok(_) => break,
            Err(moved) => assert_eq!(moved.kind(), ErrorKind::Conflict, "{moved}"),
        }
    }
    let batch = rows(Duplicate, &[(number as i64, value.as_str())]);
    store.prepare(LoadId(number), D, Mutation::Rows(vec![batch])).await.unwrap();
    store.prepare(LoadId(number), P, Mutation::DeleteKeys(vec![keys(&[(number as i64 + 3) % 7])])).await.unwrap();
    let batch = rows(Primary, &[(number as i64 % 7, value.as_str())]);
    store.prepare(LoadId(number), P, Mutation::Rows(vec![batch])).await.unwrap();
    let next = Version(number + 1);
    store.publish(LoadId(number), &[(D, next), (P, next)]).await.unwrap();
}

#[test]
fn readers_see_whole_versions_while_everything_else_goes_on() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(3).enable_all().build().unwrap();
    runtime.block_on(async {
        let disk = MemDisk::new();
        let options = StoreOptions { keep_versions: 8, ..strict() };
        let store = open(&disk, StoreOptions { keep_for: std::time::Duration::from_millis(20), ..options }).await;
        create(&store, Duplicate, &[1]).await;
        create(&store, Primary, &[2]).await;
        let stop = CancellationToken::new();
        let reads = Arc::new(AtomicU64::new(0));
        let mut tasks = rt::JoinSet::new();
        for reader in 0..3u64 {
            let (store, stop, reads) = (store.clone(), stop.clone(), Arc::clone(&reads));
            tasks.spawn(async move {
                while !stop.is_cancelled() {
                    let tablet = if reader == 0 { D } else { P };
                    let view = store.view_current(tablet).unwrap();
                    rt::yield_now().await;
                    let (version, seen) = rt::blocking(move || (view.version().0, read(&view))).await;
                    let expected = if tablet == D { of_duplicate(version) } else { of_primary(version) };
                    assert_eq!(seen, expected, "tablet {tablet}, version {version}");
                    reads.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        let (compactor, stopped) = (store.clone(), stop.clone());
        tasks.spawn(async move {
            while !stopped.is_cancelled() {
                match compactor.pick_compaction() {
                    Some(plan) => drop(compactor.run_compaction(plan).await.unwrap()),
                    None => drop(compactor.compact(P).await.unwrap()),
                }
                compactor.reclaim().await.unwrap();
                rt::time::sleep(std::time::Duration::from_millis(1)).await;
            }
        });
        let (pinner, stopped) = (store.clone(), stop.clone());
        tasks.spawn(async move {
            let job = JobId(1);
            while !stopped.is_cancelled() {
                let version = pinner.current_version(P).unwrap();
                match pinner.pin(job, &[(D, version), (P, version)]).await {
                    Ok(()) => {
                        let meta = pinner.pinned(job, P).unwrap().meta;
                        assert_eq!(image_rows(&meta, &image_files(&pinner, job, P).await), of_primary(version.0));
                        pinner.unpin(job).await.unwrap();
                    }
                    // The tablets are read one after the other, so the pair may be late for one of them.
                    Err(gone) => assert!(matches!(gone.kind(), ErrorKind::Conflict | ErrorKind::Unavailable), "{gone}"),
                }
            }
        });
        for number in 1..=LOADS {
            one_load(&store, number).await;
        }
        stop.cancel();
        while let Some(ended) = tasks.join_next().await {
            ended.unwrap();
        }
        assert!(reads.load(Ordering::Relaxed) > 10);
        assert_eq!(current(&store, D), of_duplicate(LOADS + 1));
        assert_eq!(current(&store, P), of_primary(LOADS + 1));
        rt::time::sleep(std::time::Duration::from_millis(25)).await;
        store.reclaim().await.unwrap();
        assert_eq!(files(&disk), needed(&store));
    });
}

#[test]
fn dropped_calls_leave_nothing_stuck() {
    run(async {
        let disk = MemDisk::new();
        let store = open(&disk, strict()).await;
        create(&store, Primary, &[2]).await;
        for number in 1..=40u64 {
            let batch = rows(Primary, &[(number as i64, "x")]);
            let call = store.prepare(LoadId(number), P, Mutation::Rows(vec![batch]));
            drop(rt::time::timeout(std::time::Duration::from_micros(number * 40), call).await);
            let version = store.current_version(P).unwrap().next();
            let targets = [(P, version)];
            let call = store.publish(LoadId(number), &targets);
            drop(rt::time::timeout(std::time::Duration::from_micros(number * 40), call).await);
            let call = store.compact(P);
            drop(rt::time::timeout(std::time::Duration::from_micros(number * 60), call).await);
            drop(rt::time::timeout(std::time::Duration::from_micros(number * 40), store.reclaim()).await);
            // Whatever became of them, the load can be given up and the next one goes on.
            store.abort(LoadId(number)).await.unwrap();
        }
        assert!(store.prepared().is_empty());
        let before = current(&store, P).len();
        load(&store, 100, 2, Primary, &[(1000, "y")]).await;
        assert_eq!(current(&store, P).len(), before + 1);
        store.compact(P).await.unwrap();
        store.reclaim().await.unwrap();
        store.reclaim().await.unwrap();
        assert_eq!(files(&disk), needed(&store));
    });
}
