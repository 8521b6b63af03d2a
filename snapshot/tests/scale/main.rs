//! A snapshot of 300,000 tablets in bounded memory: taken, listed, verified, taken again, restored.
//!
//! One test in a binary of its own, so that the peak of the process is the peak of the test. Catalog and repository are
//! on a real directory: on a disk in memory the figure would be that of the disk. Run by hand with `--no-capture` it
//! prints what each phase took.
#![cfg(not(madsim))]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::cast_precision_loss,
    clippy::too_many_lines,
    unreachable_pub,
    missing_docs,
    reason = "tests"
)]

mod engine;

use catalog::records::job::{JobRecord, StatusCode};
use catalog::records::{
    BoundsRecord, ColumnRecord, DatabaseRecord, Distribution, KeyModelRecord, PartitionEntry, PartitionRecord,
    PartitionState, Partitioning, RepositoryRecord, TableRecord, TableState, TabletRecord,
};
use catalog::{At, Catalog, EmbeddedStore, keys};
use engine::{Synthetic, VERSION};
use env::disk::{Disk, RealDisk};
use env::ids::{DatabaseId, JobId, NodeId, PartitionId, RepositoryId, TableId, TabletId};
use env::rt::Duration;
use env::rt::time::Instant;
use repository::Repository;
use snapshot::{
    BackupRequest, Connections, Jobs, Objects, Options, RestoreRequest, Service, SnapshotSource, VerifyRequest,
};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

const TABLES: u64 = 300;
const PARTITIONS: u64 = 10;
const BUCKETS: u32 = 100;
const TABLETS: u64 = TABLES * PARTITIONS * BUCKETS as u64;

/// What is promised, and what a job's record may come to.
const PEAK_BYTES_MAX: u64 = 512 << 20;
const JOB_RECORD_BYTES_MAX: usize = 8 << 10;

const NODE: NodeId = NodeId(1);
const PATIENCE: Duration = Duration::from_mins(20);

fn column(name: &str, data_type: &str, key: bool) -> ColumnRecord {
    let (name, data_type) = (name.to_owned(), data_type.to_owned());
    ColumnRecord { name, data_type, key, nullable: false, aggregation: None, default: None, comment: String::new() }
}

/// A database of [`TABLETS`] tablets, one transaction for each table.
async fn create_database(catalog: &Catalog) -> DatabaseId {
    let database = DatabaseId(catalog.allocate(1).await.unwrap());
    let record = DatabaseRecord { id: database, name: "large".into(), created_ms: 1 };
    catalog.change().claim_name(keys::database_name("large"), database.0).create(&record).commit().await.unwrap();
    for number in 0..TABLES {
        let mut next = catalog.allocate(1 + PARTITIONS * (1 + u64::from(BUCKETS))).await.unwrap();
        let mut id = || {
            next += 1;
            next - 1
        };
        let mut table = TableRecord {
            id: TableId(id()),
            database,
            name: format!("measurements_{number:03}"),
            columns: vec![
                column("id", "BIGINT", true),
                column("day", "DATE", true),
                column("note", "VARCHAR(50)", false),
            ],
            model: KeyModelRecord::Duplicate,
            distribution: Distribution::Hash { columns: vec!["id".into()] },
            partitioning: Partitioning::Range { columns: vec!["day".into()] },
            partitions: Vec::new(),
            properties: BTreeMap::new(),
            comment: String::new(),
            created_ms: 1,
            state: TableState::Normal,
        };
        let mut change = catalog.change().claim_name(keys::table_name(database, &table.name), table.id.0);
        for month in 0..PARTITIONS {
            let partition = PartitionId(id());
            let bound = |month: u64| Some(vec![format!("2026-{:02}-01", month + 1)]);
            let bounds = BoundsRecord::Range { lower: bound(month), upper: bound(month + 1) };
            let name = format!("p2026{:02}", month + 1);
            table.partitions.push(PartitionEntry { id: partition, name, bounds, buckets: BUCKETS });
            change = change.create(&PartitionRecord {
                id: partition,
                table: table.id,
                visible_version: VERSION,
                visible_ms: 1,
                state: PartitionState::Live,
            });
            for bucket in 0..BUCKETS {
                let replicas = vec![NODE];
                change =
                    change.create(&TabletRecord { id: TabletId(id()), table: table.id, partition, bucket, replicas });
            }
        }
        change.create(&table).commit().await.unwrap();
    }
    database
}

/// Peak resident memory of this process, in bytes; none where the system does not tell. Maps of files count.
fn peak_bytes() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    Some(line.trim().strip_suffix(" kB")?.parse::<u64>().ok()? << 10)
}

/// Tells what a phase took, and the highest of what all took.
struct Phases<'a> {
    jobs: &'a Jobs,
    begun: Instant,
    requests: u64,
    peak: Option<u64>,
}

impl<'a> Phases<'a> {
    fn new(jobs: &'a Jobs) -> Self {
        Self { jobs, begun: Instant::now(), requests: 0, peak: None }
    }

    fn end(&mut self, phase: &str) {
        let peak = peak_bytes();
        self.peak = self.peak.max(peak);
        let requests = self.jobs.node_traffic().requests;
        let (seconds, asked) = (self.begun.elapsed().as_secs_f64(), requests - self.requests);
        let peak = peak.map_or_else(|| "unknown".to_owned(), |peak| format!("{} MiB", peak >> 20));
        println!("{phase:<8} {seconds:6.1} s {asked:>8} requests, peak {peak}");
        (self.begun, self.requests) = (Instant::now(), requests);
        // From here on the system counts anew, where it can: then each phase has its own peak.
        drop(std::fs::write("/proc/self/clear_refs", "5"));
    }
}

/// Waits until nothing is left to do for a job; its record must be small all the time.
async fn end(catalog: &Catalog, jobs: &Jobs, id: JobId) -> JobRecord {
    let mut longest = 0;
    let begun = Instant::now();
    let mut state = String::new();
    loop {
        let entry = catalog.store().get(&keys::job(id), At::Latest).await.unwrap().expect("the job's record");
        longest = longest.max(entry.value.len());
        let job = jobs.get(id).await.unwrap();
        if state != job.state_name() {
            state = job.state_name().to_owned();
            println!("    {state} after {:.1} s", begun.elapsed().as_secs_f64());
        }
        if job.is_cleaned() {
            assert!(longest <= JOB_RECORD_BYTES_MAX, "the job's record had {longest} bytes");
            println!("    the job's record: at most {longest} bytes");
            assert_eq!(job.status.code, StatusCode::Ok, "{}", job.status.message);
            return job;
        }
        assert!(begun.elapsed() < PATIENCE, "the job is still {}", job.state_name());
        env::rt::time::sleep(Duration::from_millis(50)).await;
    }
}

async fn back_up(catalog: &Catalog, jobs: &Jobs, database: DatabaseId, label: &str) -> JobRecord {
    let request = BackupRequest {
        database,
        label: label.into(),
        repository: "repo".into(),
        objects: Objects::All,
        properties: BTreeMap::new(),
        user: "root".into(),
    };
    let id = jobs.submit_backup(request).await.unwrap();
    end(catalog, jobs, id).await
}

/// Number and bytes of the files below a directory.
fn files_below(dir: &Path) -> (u64, u64) {
    let mut sum = (0, 0);
    for entry in std::fs::read_dir(dir).unwrap().map(Result::unwrap) {
        let meta = entry.metadata().unwrap();
        let (files, bytes) = if meta.is_dir() { files_below(&entry.path()) } else { (1, meta.len()) };
        sum = (sum.0 + files, sum.1 + bytes);
    }
    sum
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_snapshot_of_300_000_tablets_needs_bounded_memory() {
    let dir = tempfile::tempdir().unwrap();
    let node: Arc<dyn Disk> = Arc::new(RealDisk::new(dir.path().join("node")));
    let meta = Arc::new(EmbeddedStore::open(node, "catalog.redb").await.unwrap());
    let catalog = Catalog::new(Arc::clone(&meta) as _);
    let place = dir.path().join("repository");
    let repository = Repository::create(repository::local(&place), "repo", 1).await.unwrap();
    let record = RepositoryRecord {
        id: RepositoryId(catalog.allocate(1).await.unwrap()),
        name: "repo".into(),
        location: format!("file://{}", place.display()),
        read_only: false,
        broker: None,
        single_writer: false,
        properties: BTreeMap::new(),
        created_ms: 1,
        error: None,
        retention: None,
    };
    let claim = keys::repository_name("repo");
    catalog.change().claim_name(claim, record.id.0).create(&record).commit().await.unwrap();
    let engine = Synthetic::default();
    let source: Arc<dyn SnapshotSource> = Arc::new(engine.clone());
    let connections = Arc::new(Connections::new(|dir| Arc::new(RealDisk::new(dir))));
    let (jobs, service) = Service::start(catalog.clone(), source, connections, NODE, Options::default()).await.unwrap();

    let mut phases = Phases::new(&jobs);
    let database = create_database(&catalog).await;
    phases.end("create");

    let first = back_up(&catalog, &jobs, database, "first").await;
    assert_eq!((first.counts.tables, first.counts.tablets), (TABLES, TABLETS));
    assert_eq!((first.counts.files, first.counts.bytes_sent), (engine.opened(), first.counts.bytes));
    phases.end("backup");
    let (pages, bytes) = files_below(&place.join("pages"));
    println!("    {pages} pages, {:.0} bytes of manifest for each tablet", bytes as f64 / TABLETS as f64);

    let listed = repository.snapshots().await.unwrap();
    assert_eq!(listed.iter().map(|row| row.tablets).collect::<Vec<_>>(), [TABLETS]);
    phases.end("list");

    let request = VerifyRequest {
        repository: "repo".into(),
        label: None,
        level: Some("meta".into()),
        properties: BTreeMap::new(),
        user: "root".into(),
    };
    let id = jobs.submit_verify(request).await.unwrap();
    let verified = jobs.wait_verify(id, PATIENCE).await.unwrap();
    let outcome = verified.outcome().unwrap_or_else(|| panic!("{}", verified.status.message));
    assert_eq!((outcome.verdict.as_str(), outcome.pages), ("sound", pages));
    phases.end("verify");

    let opened = engine.opened();
    let second = back_up(&catalog, &jobs, database, "second").await;
    assert_eq!((second.counts.tablets, second.counts.files), (TABLETS, first.counts.files));
    assert_eq!((second.counts.bytes_sent, engine.opened() - opened), (0, 0), "nothing has changed");
    // The root, and a page of the index, whose earlier one may be swept by now.
    let (pages_now, _) = files_below(&place.join("pages"));
    assert!(pages_now <= pages + 2, "pages of tables and tablets are shared: {pages} pages, then {pages_now}");
    phases.end("again");

    let request = RestoreRequest {
        target_database: Some("copy".into()),
        snapshot_database: None,
        label: "first".into(),
        repository: "repo".into(),
        objects: Objects::All,
        properties: [("backup_timestamp".to_owned(), listed.first().unwrap().timestamp.clone())].into(),
        user: "root".into(),
    };
    let id = jobs.submit_restore(request).await.unwrap();
    let restored = end(&catalog, &jobs, id).await;
    assert_eq!((restored.counts.tablets, restored.counts.files), (TABLETS, first.counts.files));
    assert_eq!(engine.kept(), TABLETS);
    phases.end("restore");

    service.stop().await;
    phases.end("stop");
    meta.close().await.unwrap();
    phases.end("close");
    let node = files_below(&dir.path().join("node"));
    println!("    {} MiB of catalog", node.1 >> 20);
    drop(dir);
    phases.end("remove");
    match phases.peak {
        Some(peak) => assert!(peak < PEAK_BYTES_MAX, "{peak} bytes of memory"),
        None => println!("this system does not tell the peak of a process: it is not checked"),
    }
}
