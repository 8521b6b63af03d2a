//! What earlier snapshots have is referred to: files by their identity, tablets by their lineage, in older snapshots too.

use crate::support::*;
use env::rt::CancellationToken;
use futures::TryStreamExt;
use object_store::ObjectStoreExt;
use object_store::memory::InMemory;
use object_store::path::Path;
use repository::{
    Limiter, PartitionManifest, PartitionPages, Repository, SnapshotRoot, SnapshotSummary, TableManifest, TableSought,
    TabletEntry, TabletEntryIn, no_progress,
};
use serde_json::json;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// A tablet with one file, whose bytes follow from its seed.
#[derive(Debug, Clone)]
struct Tablet {
    bucket: u32,
    seed: u64,
    lineage: Option<&'static str>,
    version: u64,
}

fn tablets(count: u32, seed: u64) -> Vec<Tablet> {
    (0..count).map(|bucket| Tablet { bucket, seed, lineage: None, version: 2 }).collect()
}

struct Backup<'a> {
    label: &'a str,
    /// Later ones are newer.
    created_ms: u64,
    table: u64,
    partition: u64,
    first_tablet: u64,
    tablets: Vec<Tablet>,
}

impl Backup<'_> {
    /// Makes the snapshot; gives what was written and how many files were opened.
    async fn make(&self, repository: &Repository) -> (PartitionPages, u64) {
        let session = session(repository).await;
        let opened = Arc::new(AtomicU64::new(0));
        let sought = TableSought { id: self.table, ..SOUGHT };
        let bases = session.bases(&sought).await.unwrap().partition(self.partition, &format!("p{}", self.partition));
        let mut writer = session.writer(options(), Limiter::unlimited(), no_progress(), CancellationToken::new());
        writer.begin_partition(self.table, self.partition, Some(bases)).unwrap();
        for Tablet { bucket, seed, lineage, version } in &self.tablets {
            let tablet = self.first_tablet + u64::from(*bucket);
            let file = (format!("{seed}-0.parquet"), noise(seed * 1000 + u64::from(*bucket), 3000));
            let mut files = files_in(&BTreeMap::from([file]), &opened);
            files[0].id = format!("uid-{seed}-{bucket}");
            let meta = json!({"seed": seed});
            let lineage = lineage.map(|lineage| format!("{lineage}-{bucket}"));
            let entry = TabletEntryIn { tablet, bucket: *bucket, version: *version, lineage, meta, files };
            writer.add(entry).await.unwrap();
        }
        let pages = writer.end_partition().await.unwrap();
        let partition = PartitionManifest {
            id: self.partition,
            name: format!("p{}", self.partition),
            version: 2,
            bounds: json!("all"),
            buckets: self.tablets.len() as u32,
            tablets: pages.tablets,
            files: pages.files,
            bytes: pages.bytes,
            pages: pages.pages.clone(),
        };
        let table =
            TableManifest { id: self.table, name: "events".into(), schema: json!(1), partitions: vec![partition] };
        let root = SnapshotRoot {
            label: self.label.into(),
            timestamp: STAMP.into(),
            cluster: "cluster".into(),
            database_id: 1,
            database: "shop".into(),
            cut_revision: 1,
            created_ms: self.created_ms,
            tables: vec![session.put_table(&table).await.unwrap()],
        };
        let summary = SnapshotSummary {
            label: self.label.into(),
            timestamp: STAMP.into(),
            database: "shop".into(),
            cluster: "cluster".into(),
            created_ms: self.created_ms,
            finished_ms: self.created_ms,
            tables: 1,
            tablets: pages.tablets,
            files: pages.files,
            bytes: pages.bytes,
            bytes_sent: pages.bytes_sent,
            root: session.put_root(&root).await.unwrap(),
            session: session.id().clone(),
            expires_ms: None,
            hold: None,
        };
        session.commit(summary).await.unwrap();
        (pages, opened.load(Ordering::Relaxed))
    }
}

fn backup(label: &str, created_ms: u64, tablets: Vec<Tablet>) -> Backup<'_> {
    Backup { label, created_ms, table: TABLE, partition: PARTITION, first_tablet: 100, tablets }
}

async fn memory() -> (Arc<InMemory>, Repository) {
    let store = Arc::new(InMemory::new());
    let repository = Repository::create(Arc::<InMemory>::clone(&store), "r", 1).await.unwrap();
    (store, repository)
}

async fn entries(repository: &Repository, label: &str) -> Vec<TabletEntry> {
    let summary = repository.snapshot(label, None).await.unwrap().unwrap();
    let reader = repository.reader(&summary).await.unwrap();
    let table = reader.table(&reader.root().tables[0]).await.unwrap();
    let entries: Vec<TabletEntry> = reader.tablets(&table.partitions[0]).try_collect().await.unwrap();
    for file in entries.iter().flat_map(|entry| &entry.files) {
        reader.read(file, 1 << 20).await.unwrap();
    }
    entries
}

fn with_lineage(mut tablets: Vec<Tablet>, lineage: &'static str) -> Vec<Tablet> {
    for tablet in &mut tablets {
        tablet.lineage = Some(lineage);
    }
    tablets
}

#[tokio::test]
async fn a_tablet_whose_files_were_merely_rewritten_is_referred_to_as_a_whole() {
    let (_, repository) = memory().await;
    backup("a", 1, with_lineage(tablets(40, 1), "x")).make(&repository).await;
    // Other files everywhere; other rows in one; a later version in another; and all under other numbers.
    let mut second = with_lineage(tablets(40, 2), "x");
    second[7].lineage = Some("y");
    second[9].version = 5;
    let second = Backup { table: TABLE + 1, partition: PARTITION, first_tablet: 500, ..backup("b", 2, second) };
    let (pages, opened) = second.make(&repository).await;
    assert_eq!((pages.bytes_sent, opened), (3000, 1), "only the tablet with other rows");
    assert_eq!((pages.tablets, pages.files, pages.bytes), (40, 40, 120_000));
    for (bucket, entry) in (0_u32..).zip(entries(&repository, "b").await) {
        let rewritten = bucket == 7;
        let seed = if rewritten { 2 } else { 1 };
        assert_eq!(entry.meta, json!({"seed": seed}), "description and files belong together");
        assert_eq!(entry.files[0].name, format!("{seed}-0.parquet"));
        assert_eq!((entry.tablet, entry.bucket), (500 + u64::from(bucket), bucket));
        assert_eq!(entry.version, if bucket == 9 { 5 } else { 2 });
        assert_eq!(entry.lineage.unwrap(), format!("{}-{bucket}", if rewritten { "y" } else { "x" }));
    }
    // And from there on.
    let (pages, opened) = backup("c", 3, with_lineage(tablets(40, 3), "x")).make(&repository).await;
    assert_eq!((pages.bytes_sent, opened), (0, 0), "the one that has changed is found in the snapshot before");
    repository.drop_snapshot("a", None).await.unwrap();
    let plan = repository.sweep_plan(&no_progress()).await.unwrap();
    repository.sweep(&plan, &no_progress()).await.unwrap();
    assert_eq!(entries(&repository, "c").await.len(), 40);
}

#[tokio::test]
async fn no_lineage_is_no_lineage() {
    let (_, repository) = memory().await;
    backup("a", 1, tablets(5, 1)).make(&repository).await;
    let (pages, _) = backup("b", 2, tablets(5, 2)).make(&repository).await;
    assert_eq!(pages.bytes_sent, pages.bytes);
}

#[tokio::test]
async fn what_only_an_older_snapshot_has_is_found_there() {
    let (_, repository) = memory().await;
    backup("a", 1, tablets(30, 1)).make(&repository).await;
    backup("b", 2, tablets(30, 2)).make(&repository).await;
    // As after a restore of the first.
    let (pages, opened) = backup("c", 3, tablets(30, 1)).make(&repository).await;
    assert_eq!((pages.bytes_sent, opened), (0, 0));
    // A partition that the newest snapshots do not have.
    for (time, label) in (4..).zip(["d", "e", "f", "g", "h", "i"]) {
        let other = Backup { partition: PARTITION + time, ..backup(label, time, tablets(3, 7 + time)) };
        other.make(&repository).await;
    }
    let (pages, opened) = backup("j", 20, tablets(30, 2)).make(&repository).await;
    assert_eq!((pages.bytes_sent, opened), (0, 0));
    let (pages, _) = backup("k", 21, tablets(30, 99)).make(&repository).await;
    assert_eq!(pages.bytes_sent, pages.bytes, "what nobody has is sent");
}

#[tokio::test]
async fn a_damaged_snapshot_is_passed_over_for_an_older_one() {
    for damaged in ["snapshot", "table", "tablets"] {
        let (store, repository) = memory().await;
        backup("a", 1, tablets(10, 1)).make(&repository).await;
        backup("b", 2, tablets(10, 2)).make(&repository).await;
        let summary = repository.snapshot("b", None).await.unwrap().unwrap();
        let reader = repository.reader(&summary).await.unwrap();
        let table = reader.table(&reader.root().tables[0]).await.unwrap();
        let page = match damaged {
            "snapshot" => summary.root.clone(),
            "table" => reader.root().tables[0].page.clone(),
            _ => table.partitions[0].pages[0].clone(),
        };
        let path = Path::from(page.name);
        let mut bytes = store.get(&path).await.unwrap().bytes().await.unwrap().to_vec();
        bytes[40] ^= 1;
        store.put(&path, bytes.into()).await.unwrap();
        let (pages, opened) = backup("c", 3, tablets(10, 1)).make(&repository).await;
        assert_eq!((pages.bytes_sent, opened), (0, 0), "{damaged}");
        assert_eq!(entries(&repository, "c").await.len(), 10);
    }
}

#[tokio::test]
async fn buckets_in_any_order_only_cost_bytes() {
    let (_, repository) = memory().await;
    backup("a", 1, tablets(60, 1)).make(&repository).await;
    let mut shuffled = tablets(60, 1);
    fastrand::Rng::with_seed(3).shuffle(&mut shuffled);
    let (pages, _) = backup("b", 2, shuffled).make(&repository).await;
    assert!(pages.bytes_sent < pages.bytes, "{} of {}", pages.bytes_sent, pages.bytes);
    assert_eq!(entries(&repository, "b").await.len(), 60);
}
