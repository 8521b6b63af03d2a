//! Backs up and restores an engine that is not ours: `cargo run -p tabularium-examples`.
//!
//! What an engine brings: its data behind [`SnapshotSource`](snapshot::SnapshotSource) ([`engine`]), and records of what
//! exists in a catalog. What it gets: jobs that survive crashes, one consistent cut, deduplicated copies, a restore that
//! switches once.

mod engine;

use anyhow::{Context, Result, ensure};
use catalog::records::{
    BoundsRecord, ColumnRecord, DatabaseRecord, Distribution, KeyModelRecord, PartitionEntry, PartitionRecord,
    PartitionState, Partitioning, RepositoryRecord, TableRecord, TableState, TabletRecord,
};
use catalog::{At, Catalog, EmbeddedStore, keys};
use engine::NoteStore;
use env::disk::{Disk, RealDisk};
use env::ids::{DatabaseId, NodeId, PartitionId, RepositoryId, TableId, TabletId, Version};
use env::rt::{Duration, time::unix_millis};
use repository::Repository;
use snapshot::{BackupRequest, Connections, Jobs, Objects, Options, RestoreRequest, Service};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

const NODE: NodeId = NodeId(1);
const PATIENCE: Duration = Duration::from_mins(1);

#[tokio::main]
#[expect(clippy::print_stdout, reason = "an example tells what it saw")]
async fn main() -> Result<()> {
    let dir = tempfile::tempdir()?;
    let restored = run(dir.path()).await?;
    println!("the notes of the cut are back: {restored:?}");
    Ok(())
}

async fn run(dir: &Path) -> Result<Vec<String>> {
    let disk: Arc<dyn Disk> = Arc::new(RealDisk::new(dir.join("engine")));
    let store = EmbeddedStore::open(Arc::clone(&disk), "catalog/meta").await?;
    let catalog = Catalog::new(Arc::new(store.clone()));
    let notes = NoteStore::open(Arc::clone(&disk))?;

    let database = register(&catalog, &notes, dir).await?;
    append(&catalog, &notes, database, "first").await?;
    append(&catalog, &notes, database, "second").await?;

    let connections = Connections::new(|dir: &Path| Arc::new(RealDisk::new(dir)) as Arc<dyn Disk>);
    let source = Arc::new(notes.clone());
    let (jobs, service) =
        Service::start(catalog.clone(), source, Arc::new(connections), NODE, Options::default()).await?;

    let backup = BackupRequest {
        database,
        label: "monday".to_owned(),
        repository: "backups".to_owned(),
        objects: Objects::All,
        properties: BTreeMap::new(),
        user: "root".to_owned(),
    };
    let job = jobs.submit_backup(backup).await?;
    let job = jobs.wait_cleaned(job, PATIENCE).await?;
    ensure!(job.state_name() == "FINISHED", "the backup ended {}: {}", job.state_name(), job.status.message);

    append(&catalog, &notes, database, "after the cut").await?;
    restore(&jobs, job.timestamp.clone()).await?;
    let seen = read(&catalog, &notes, database).await?;
    service.stop().await;
    store.close().await?;
    Ok(seen)
}

async fn restore(jobs: &Jobs, timestamp: String) -> Result<()> {
    let request = RestoreRequest {
        target_database: None,
        snapshot_database: None,
        label: "monday".to_owned(),
        repository: "backups".to_owned(),
        objects: Objects::All,
        properties: BTreeMap::from([("backup_timestamp".to_owned(), timestamp)]),
        user: "root".to_owned(),
    };
    let job = jobs.submit_restore(request).await?;
    let job = jobs.wait_cleaned(job, PATIENCE).await?;
    ensure!(job.state_name() == "FINISHED", "the restore ended {}: {}", job.state_name(), job.status.message);
    Ok(())
}

/// A database with one table of one tablet, and a repository.
async fn register(catalog: &Catalog, notes: &NoteStore, dir: &Path) -> Result<DatabaseId> {
    let first = catalog.allocate(5).await?;
    let (database, table, partition) = (DatabaseId(first), TableId(first + 1), PartitionId(first + 2));
    let (tablet, repository) = (TabletId(first + 3), RepositoryId(first + 4));
    notes.create(tablet)?;
    let now = unix_millis();
    let location = format!("file://{}", dir.join("repository").display());
    let at =
        repository::connect(&repository::Location::parse(&location)?, &repository::Properties::default(), |dir| {
            Arc::new(RealDisk::new(dir))
        })?;
    Repository::create(at, "backups", now).await?;
    let column = |name: &str, key| ColumnRecord {
        name: name.to_owned(),
        data_type: "STRING".to_owned(),
        key,
        nullable: !key,
        aggregation: None,
        default: None,
        comment: String::new(),
    };
    let entry = PartitionEntry { id: partition, name: "notes".to_owned(), bounds: BoundsRecord::All, buckets: 1 };
    catalog
        .change()
        .claim_name(keys::database_name("archive"), database.0)
        .create(&DatabaseRecord { id: database, name: "archive".to_owned(), created_ms: now })
        .claim_name(keys::table_name(database, "notes"), table.0)
        .create(&TableRecord {
            id: table,
            database,
            name: "notes".to_owned(),
            columns: vec![column("topic", true), column("text", false)],
            model: KeyModelRecord::Duplicate,
            distribution: Distribution::Random,
            partitioning: Partitioning::None,
            partitions: vec![entry],
            properties: BTreeMap::new(),
            comment: String::new(),
            created_ms: now,
            state: TableState::Normal,
        })
        .create(&PartitionRecord {
            id: partition,
            table,
            visible_version: Version::FIRST,
            visible_ms: now,
            state: PartitionState::Live,
        })
        .create(&TabletRecord { id: tablet, table, partition, bucket: 0, replicas: vec![NODE] })
        .claim_name(keys::repository_name("backups"), repository.0)
        .create(&RepositoryRecord {
            id: repository,
            name: "backups".to_owned(),
            location,
            read_only: false,
            broker: None,
            single_writer: false,
            properties: BTreeMap::new(),
            created_ms: now,
            error: None,
            retention: None,
        })
        .commit()
        .await?;
    Ok(database)
}

/// The only table of the database, its only partition's record, and that one's only tablet.
async fn place(catalog: &Catalog, database: DatabaseId) -> Result<(catalog::Stored<PartitionRecord>, TabletId)> {
    let table = catalog.table(database, "notes", At::Latest).await?.context("no table notes")?;
    let partition = catalog.partitions(&table, At::Latest).await?.into_iter().next().context("no partition")?;
    let tablets = catalog.tablets(partition.id, At::Latest).await?;
    Ok((partition, tablets.first().context("no tablet")?.id))
}

/// A load of this engine: the note is on the device before the catalog shows it.
async fn append(catalog: &Catalog, notes: &NoteStore, database: DatabaseId, text: &str) -> Result<()> {
    let (partition, tablet) = place(catalog, database).await?;
    let version = notes.append(tablet, text)?;
    let next = PartitionRecord { visible_version: version, visible_ms: unix_millis(), ..partition.record.clone() };
    catalog.change().replace(&partition, &next).commit().await?;
    Ok(())
}

async fn read(catalog: &Catalog, notes: &NoteStore, database: DatabaseId) -> Result<Vec<String>> {
    let (_, tablet) = place(catalog, database).await?;
    Ok(notes.read(tablet)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(flavor = "multi_thread")]
    async fn a_foreign_engine_is_restored_to_its_cut() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(run(dir.path()).await.unwrap(), ["first", "second"]);
    }
}
