//! What changed between two snapshots, and that what is equal is not read.

use crate::support::*;
use env::rt::CancellationToken;
use object_store::memory::InMemory;
use repository::Repository;
use repository::diff::{Change, Diff, Files, diff};
use std::sync::Arc;
use std::sync::atomic::Ordering;

type Tables<'a> = &'a [(u64, &'a str, &'a World)];

async fn back_up_tables(repository: &Repository, label: &str, tables: Tables<'_>) {
    let session = session(repository).await;
    let written = upload_tables(&session, label, tables, &CancellationToken::new()).await.unwrap();
    session.commit(written.summary).await.unwrap();
}

async fn compare(repository: &Repository, before: &str, after: &str) -> Diff {
    let mut readers = Vec::new();
    for label in [before, after] {
        let summary = repository.snapshot(label, None).await.unwrap().unwrap();
        readers.push(repository.reader(&summary).await.unwrap());
    }
    diff(&readers[0], &readers[1]).await.unwrap()
}

#[tokio::test]
async fn what_changed_is_told_by_table_partition_and_tablet() {
    let store = Arc::new(InMemory::new());
    let repository = Repository::create(store, "r", 1).await.unwrap();
    let (old, same, gone) = (world(5, 90), world(2, 80), world(1, 70));
    let mut new = old.clone();
    new.remove(&1000);
    new.get_mut(&1002).unwrap().insert("9-0.parquet".into(), noise(5, 300));
    new.get_mut(&1003).unwrap().remove("1-0.parquet");
    new.insert(1005, world(6, 90)[&1005].clone());
    let came = world(1, 60);
    back_up_tables(&repository, "s", &[(7, "events", &old), (8, "same", &same), (9, "gone", &gone)]).await;
    back_up_tables(&repository, "t", &[(7, "events", &new), (8, "same", &same), (10, "came", &came)]).await;

    let none = compare(&repository, "s", "s").await;
    assert!(none.tables.is_empty() && none.tables_equal == 3 && none.files == Files::default(), "{none}");

    let found = compare(&repository, "s", "t").await;
    assert_eq!(found.tables_equal, 1);
    let names: Vec<(&str, Change)> = found.tables.iter().map(|table| (table.name.as_str(), table.change)).collect();
    assert_eq!(names, [("came", Change::Added), ("events", Change::Changed), ("gone", Change::Removed)]);
    let events = &found.tables[1];
    assert!(!events.schema_changed && events.partitions.len() == 1);
    let partition = &events.partitions[0];
    assert!(partition.shape_changed || partition.before.tablets == partition.after.tablets);
    let tablets: Vec<(u64, Change, u64, u64)> = partition
        .tablets
        .iter()
        .map(|tablet| (tablet.tablet, tablet.change, tablet.files.added_bytes, tablet.files.removed_bytes))
        .collect();
    let bytes = |tablet: u64| world(6, 90)[&tablet].values().map(|bytes| bytes.len() as u64).sum::<u64>();
    assert_eq!(
        tablets,
        [
            (1000, Change::Removed, 0, bytes(1000)),
            (1002, Change::Changed, 300, 0),
            (1003, Change::Changed, 0, 90),
            (1005, Change::Added, bytes(1005), 0),
        ]
    );
    assert_eq!(partition.tablets_equal, 2);
    assert_eq!(events.files.added_bytes, 300 + bytes(1005));
    // And the other way round.
    let back = compare(&repository, "t", "s").await;
    assert_eq!(
        (back.files.added_bytes, back.files.removed_bytes),
        (found.files.removed_bytes, found.files.added_bytes)
    );
    let text = found.to_string();
    assert!(
        text.contains("\n+ table came: ") && text.contains("\n    ~ tablet 1002 (bucket 2), version 2: 1 files of 300"),
        "{text}"
    );
    let json = serde_json::to_string(&found).unwrap();
    assert_eq!(serde_json::from_str::<Diff>(&json).unwrap(), found);
}

#[tokio::test]
async fn equal_pages_are_not_read() {
    let inner = Arc::new(InMemory::new());
    let store = Faulty::new(inner, Faults::default(), 1);
    let repository = Repository::create(Arc::<Faulty>::clone(&store), "r", 1).await.unwrap();
    let old = world(200, 90);
    let mut new = old.clone();
    new.get_mut(&1199).unwrap().insert("9-0.parquet".into(), noise(5, 300));
    let tables: Vec<World> = (0..20u64).map(|_| world(3, 50)).collect();
    let named: Vec<String> = (0..20).map(|table| format!("t{table:02}")).collect();
    for (label, changed) in [("s", &old), ("t", &new)] {
        let mut all: Vec<(u64, &str, &World)> = vec![(7, "events", changed)];
        all.extend(
            tables.iter().zip(&named).enumerate().map(|(at, (world, name))| (100 + at as u64, name.as_str(), world)),
        );
        back_up_tables(&repository, label, &all).await;
    }
    let mut readers = Vec::new();
    for label in ["s", "t"] {
        let summary = repository.snapshot(label, None).await.unwrap().unwrap();
        readers.push(repository.reader(&summary).await.unwrap());
    }
    let before = store.requests.load(Ordering::Relaxed);
    let found = diff(&readers[0], &readers[1]).await.unwrap();
    let requests = store.requests.load(Ordering::Relaxed) - before;
    // Of some 100 pages of tablets on each side, and 21 tables: two tables and the page at each side's end.
    assert_eq!(requests, 4, "{found}");
    assert_eq!((found.tables_equal, found.tables.len()), (20, 1));
    assert_eq!(found.tables[0].partitions[0].tablets_equal, 199);
}
