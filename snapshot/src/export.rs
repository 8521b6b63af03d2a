//! A snapshot's tables as plain Parquet folders, which any tool reads, without a node.
//!
//! ```text
//! <directory>/<database>/<table>/_schema.sql
//! <directory>/<database>/<table>/<partition>/<tablet>-<n>.parquet
//! ```
//! A segment that hides no rows, of columns that all readers of Parquet know, is copied as it is; others are written
//! anew without what is hidden, and those of a Unique Key or Aggregate Key table that have keys in common are merged
//! ([`tablet::write_plain`] says which and why). So the rows in a table's folder are exactly those of the cut.
//!
//! Laws: *Whole or not there*: everything is written under a temporary name beside the directory, synced, and then gets
//! its name at once; what has the name and is not empty is never touched. *Kept while read*: a session is open from
//! before the snapshot is looked at a second time until the last byte is read, so nothing that is read can be swept.
//! *Checked*: each chunk by its checksum, each delete vector by the image's, each file by its footer and rows.

mod file;
mod folder;
#[cfg(test)]
mod tests;

use crate::error::{Error, Result};
use crate::inventory;
use crate::plan::{self, Conflict, Conflicts};
use catalog::records::TableRecord;
use catalog::records::job::{ObjectSpec, Objects};
use env::disk::{self, Disk};
use env::rt::time::{timeout, unix_millis};
use env::rt::{CancellationToken, Duration, blocking};
use file::{Copy, Files, Put};
use futures::future::BoxFuture;
use futures::stream::FuturesUnordered;
use futures::{StreamExt, TryStreamExt};
use repository::{
    Limiter, PartitionManifest, Purpose, Repository, Session, SessionId, SnapshotReader, SnapshotSummary,
    StreamOptions, TableManifest, TableRef,
};
use serde::Serialize;
use std::collections::BTreeSet;
use std::fmt;
use std::io;
use std::sync::Arc;

/// How long a session may take to end.
const CLOSE: Duration = Duration::from_secs(30);
/// How long it may take when somebody waits for a stop.
const STOPPED_CLOSE: Duration = Duration::from_millis(800);

/// What is exported.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ExportRequest {
    /// The snapshot's label.
    pub label: String,
    /// Its timestamp, if one is asked for.
    pub timestamp: Option<String>,
    /// Names of tables; empty: all.
    pub tables: Vec<String>,
    /// Names of partitions of those tables; empty: all. Each must be in at least one of the tables.
    pub partitions: Vec<String>,
}

/// Where it goes: a directory that is made, or is there and empty.
#[derive(Debug, Clone)]
pub struct ExportTarget {
    /// The disk whose root is the directory above.
    pub disk: Arc<dyn Disk>,
    /// The directory's name in it.
    pub name: String,
}

/// Writes the statement that makes a table, for `_schema.sql`.
pub type Describe = Arc<dyn Fn(&TableRecord) -> Result<String> + Send + Sync>;

/// Hears how an export goes on.
pub type Observe = Arc<dyn Fn(ExportEvent) + Send + Sync>;

/// A step of an export.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExportEvent {
    /// It is known what there is to read.
    Planned {
        /// Files in the snapshot.
        files: u64,
        /// Bytes in them.
        bytes: u64,
    },
    /// So many further bytes are read.
    Bytes(u64),
    /// One further file is read and written.
    File,
}

/// How an export works.
#[derive(Clone)]
pub struct ExportOptions {
    /// How files are streamed.
    pub stream: StreamOptions,
    /// What every request counts against.
    pub limiter: Limiter,
    /// Files that are worked on at one time; at least 1. One that has to be written anew takes up to about 128 MiB of
    /// memory, one that is copied the parts that `stream` keeps in flight.
    pub files_at_once: usize,
    /// Whether a session keeps the snapshot while it is read. Without one a repository that cannot be written to can be
    /// read; a drop and a sweep at the same time then end the export with an error. A repository for a single writer is
    /// always read without one.
    pub session: bool,
    /// Who it is, in the record of the session.
    pub owner: String,
    /// What writes `_schema.sql`; without it no such file is written.
    pub describe: Option<Describe>,
    /// Who hears of progress.
    pub observe: Observe,
}

impl fmt::Debug for ExportOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ExportOptions").field("files_at_once", &self.files_at_once).finish_non_exhaustive()
    }
}

impl Default for ExportOptions {
    fn default() -> Self {
        Self {
            stream: StreamOptions { in_flight: 2, ..StreamOptions::default() },
            limiter: Limiter::unlimited(),
            files_at_once: 4,
            session: true,
            owner: "export".to_owned(),
            describe: None,
            observe: Arc::new(|_| ()),
        }
    }
}

/// What an export wrote.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Exported {
    /// The snapshot's label.
    pub label: String,
    /// Its timestamp.
    pub timestamp: String,
    /// Its database.
    pub database: String,
    /// The tables.
    pub tables: Vec<ExportedTable>,
    /// The session, when it could not be ended: fence it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub session_left: Option<SessionId>,
}

/// What an export wrote of a table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ExportedTable {
    /// Its name.
    pub table: String,
    /// Its folder below the directory.
    pub folder: String,
    /// Partitions written.
    pub partitions: u64,
    /// Rows written.
    pub rows: u64,
    /// Files written.
    pub files: u64,
    /// How many of them are not copies but were written anew.
    pub rewritten: u64,
    /// Bytes in the files.
    pub bytes: u64,
}

impl ExportedTable {
    fn add(&mut self, put: &Put) {
        self.rows += put.rows;
        self.files += 1;
        self.rewritten += u64::from(put.rewritten);
        self.bytes += put.bytes;
    }
}

/// Exports a snapshot. When it returns an error, or is stopped, nothing is left under the target's name. A crash, or a
/// drop of the future, may leave a directory `.<name>.<token>.tmp` beside it and the session open.
///
/// # Errors
/// `NotFound` for an unknown snapshot, table or partition; `AlreadyExists` when the target is there and not empty;
/// `Full` when the disk has no room; `Corrupt` for damage, which it names; `Cancelled` when `stop` says so; what the
/// repository and the disk say.
pub async fn export(
    repository: &Repository,
    request: &ExportRequest,
    target: &ExportTarget,
    options: &ExportOptions,
    stop: &CancellationToken,
) -> Result<Exported> {
    vacant(target).await?;
    let summary = find(repository, request).await?;
    // Where only one writer may be, an export must not be the second.
    let may_write = options.session && !repository.identity().is_single_writer();
    let session = if may_write { Some(open(repository, &options.owner).await?) } else { None };
    // What is under way ends with the first error, also where nobody asked to stop.
    let reading = stop.child_token();
    let repository = repository.within(&options.limiter, &reading);
    let done = run(&repository, request, summary, session.is_some(), target, options, &reading).await;
    let session_left = match &session {
        Some(session) => close(session, stop).await,
        None => None,
    };
    Ok(Exported { session_left, ..done? })
}

/// Ends the session, whatever came before; after a stop the store gets little time for it. Gives its id when it may
/// still be open.
async fn close(session: &Session, stop: &CancellationToken) -> Option<SessionId> {
    let within = if stop.is_cancelled() { STOPPED_CLOSE } else { CLOSE };
    let why = match timeout(within, session.close()).await {
        Ok(Ok(())) => return None,
        Ok(Err(failed)) => crate::error::explain(&failed),
        Err(_elapsed) => "the store does not answer".to_owned(),
    };
    tracing::warn!(session = %session.id(), why, "an export's session could not be ended; fence it");
    Some(session.id().clone())
}

async fn find(repository: &Repository, request: &ExportRequest) -> Result<SnapshotSummary> {
    let ExportRequest { label, timestamp, .. } = request;
    let Some(found) = repository.snapshot(label, None).await? else {
        return Err(Error::UnknownSnapshot {
            label: label.clone(),
            timestamp: timestamp.clone().unwrap_or_else(|| "any time".to_owned()),
            repository: repository.identity().name.clone(),
            others: Vec::new(),
        });
    };
    match timestamp {
        Some(timestamp) if *timestamp != found.timestamp => Err(Error::UnknownSnapshot {
            label: label.clone(),
            timestamp: timestamp.clone(),
            repository: repository.identity().name.clone(),
            others: vec![found.timestamp],
        }),
        Some(_) | None => Ok(found),
    }
}

async fn open(repository: &Repository, owner: &str) -> Result<Session> {
    let id = repository.new_session_id().await?;
    Ok(repository.open_session(&id, Purpose::Restore, owner, unix_millis()).await?)
}

async fn run(
    repository: &Repository,
    request: &ExportRequest,
    summary: SnapshotSummary,
    in_session: bool,
    target: &ExportTarget,
    options: &ExportOptions,
    stop: &CancellationToken,
) -> Result<Exported> {
    // Seen before and after the session was opened: so it was there when the session was opened, and is kept.
    if in_session && find(repository, request).await?.session != summary.session {
        return Err(Error::Outside {
            kind: crate::ErrorKind::Conflict,
            message: format!("snapshot {} was replaced just now; export again", request.label),
        });
    }
    let reader = repository.reader(&summary).await?;
    let tables = chosen(&reader, request)?;
    let (files, bytes) = totals(&reader, &tables, request).await?;
    (options.observe)(ExportEvent::Planned { files, bytes });
    let temporary = format!(".{}.{}{}", target.name, env::rand::token(), disk::TEMPORARY_SUFFIX);
    room(target, bytes).await?;
    let export = Export {
        copy: Arc::new(Copy {
            reader: reader.clone(),
            disk: Arc::clone(&target.disk),
            stream: options.stream,
            limiter: options.limiter.clone(),
            observe: Arc::clone(&options.observe),
            stop: stop.clone(),
        }),
        disk: Arc::clone(&target.disk),
        request,
        options,
    };
    let database = disk::join(&temporary, &folder::name(&summary.database, 0));
    let done = export.tables(&tables, &database, temporary.len() + 1).await;
    let done = done.map(|tables| {
        let SnapshotSummary { label, timestamp, database, .. } = summary;
        Exported { label, timestamp, database, tables, session_left: None }
    });
    let (disk, name) = (Arc::clone(&target.disk), target.name.clone());
    blocking(move || {
        let named = done.and_then(|done| {
            disk.rename_dir(&temporary, &name).map_err(failed("name", &name))?;
            Ok(done)
        });
        match named {
            Ok(done) => {
                disk.sync_dir("").map_err(failed("sync the directory of", &name))?;
                Ok(done)
            }
            Err(failed) => {
                // Left over if this fails; the first error is the one to tell.
                drop(remove_tree(&*disk, &temporary));
                Err(failed)
            }
        }
    })
    .await
}

/// The description that a snapshot keeps of a table, as it was when the snapshot was taken.
///
/// # Errors
/// `Corrupt` when it is none, `Unsupported` for a newer format.
pub fn table_record(manifest: &TableManifest) -> Result<TableRecord> {
    Ok(inventory::snapshot_table(manifest)?.record)
}

/// Refuses a target that something is in.
async fn vacant(target: &ExportTarget) -> Result<()> {
    let (disk, name) = (Arc::clone(&target.disk), target.name.clone());
    let listed = blocking(move || disk.list(&name)).await;
    let taken = |what: &str| {
        let message = format!("directory {} {what}; choose a new one", target.name);
        Err(Error::Outside { kind: crate::ErrorKind::AlreadyExists, message })
    };
    match listed {
        Ok(entries) if entries.is_empty() => Ok(()),
        Ok(_) => taken("is not empty"),
        Err(none) if none.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(file) if file.kind() == io::ErrorKind::NotADirectory => taken("is a file"),
        Err(other) => Err(failed("look into", &target.name)(other)),
    }
}

/// Makes the directory above the target, and refuses what cannot fit. An export may need somewhat more or less than what it reads.
async fn room(target: &ExportTarget, bytes: u64) -> Result<()> {
    let disk = Arc::clone(&target.disk);
    let free = blocking(move || disk.create_dir("").and_then(|()| disk.free_bytes())).await;
    let free = free.map_err(failed("ask for free space beside", &target.name))?;
    if free >= bytes {
        return Ok(());
    }
    let message = format!(
        "the export needs about {bytes} bytes and {} has room for {free}; free some space or choose another directory",
        target.name
    );
    Err(Error::Outside { kind: crate::ErrorKind::Full, message })
}

/// The tables that are asked for, in the snapshot's order.
fn chosen(reader: &SnapshotReader, request: &ExportRequest) -> Result<Vec<TableRef>> {
    let all = &reader.root().tables;
    let names: Vec<&str> = all.iter().map(|table| table.name.as_str()).collect();
    let objects = if request.tables.is_empty() {
        Objects::All
    } else {
        let wanted: BTreeSet<&String> = request.tables.iter().collect();
        let spec = |table: &String| ObjectSpec { table: table.clone(), partitions: None, alias: None };
        Objects::Listed(wanted.into_iter().map(spec).collect())
    };
    let selected = plan::select_for_restore(&request.label, &names, &objects)?;
    Ok(selected.into_iter().filter_map(|(position, _)| all.get(position)).cloned().collect())
}

fn wanted(request: &ExportRequest, partition: &PartitionManifest) -> bool {
    request.partitions.is_empty() || request.partitions.contains(&partition.name)
}

/// Files and bytes of what is asked for. Tables are read only when partitions are named.
async fn totals(reader: &SnapshotReader, tables: &[TableRef], request: &ExportRequest) -> Result<(u64, u64)> {
    let (mut files, mut bytes) = (0_u64, 0_u64);
    let mut missing: BTreeSet<&String> = request.partitions.iter().collect();
    for table in tables {
        if request.partitions.is_empty() {
            (files, bytes) = (files.saturating_add(table.files), bytes.saturating_add(table.bytes));
            continue;
        }
        for partition in reader.table(table).await?.partitions.iter().filter(|partition| wanted(request, partition)) {
            missing.remove(&partition.name);
            (files, bytes) = (files.saturating_add(partition.files), bytes.saturating_add(partition.bytes));
        }
    }
    let names: Vec<&str> = tables.iter().map(|table| table.name.as_str()).collect();
    let unknown = missing.into_iter().map(|partition| Conflict::PartitionNotInSnapshot {
        table: names.join(", "),
        partition: partition.clone(),
        label: request.label.clone(),
    });
    Conflicts::check(unknown.collect())?;
    Ok((files, bytes))
}

struct Export<'a> {
    copy: Arc<Copy>,
    disk: Arc<dyn Disk>,
    request: &'a ExportRequest,
    options: &'a ExportOptions,
}

impl Export<'_> {
    async fn tables(&self, tables: &[TableRef], database: &str, root_len: usize) -> Result<Vec<ExportedTable>> {
        self.create_dir(database).await?;
        let mut done = Vec::with_capacity(tables.len());
        for table in tables {
            let dir = disk::join(database, &folder::name(&table.name, table.id));
            let mut exported = self.table(table, &dir).await?;
            dir.get(root_len..).unwrap_or_default().clone_into(&mut exported.folder);
            done.push(exported);
        }
        Ok(done)
    }

    async fn table(&self, table: &TableRef, dir: &str) -> Result<ExportedTable> {
        let manifest = self.copy.reader.table(table).await?;
        let record = table_record(&manifest)?;
        self.create_dir(dir).await?;
        if let Some(describe) = &self.options.describe {
            self.publish(dir, "_schema.sql", describe(&record)?).await?;
        }
        let (name, folder) = (table.name.clone(), String::new());
        let mut done = ExportedTable { table: name, folder, partitions: 0, rows: 0, files: 0, rewritten: 0, bytes: 0 };
        for partition in manifest.partitions.iter().filter(|partition| wanted(self.request, partition)) {
            self.partition(partition, dir, &mut done).await?;
        }
        if done.files == 0 {
            // Readers learn the columns from it.
            let path = disk::join(dir, "empty.parquet");
            done.add(&self.copy.empty(&record, path).await?);
            self.sync_dir(dir).await?;
        }
        Ok(done)
    }

    async fn partition(&self, partition: &PartitionManifest, dir: &str, done: &mut ExportedTable) -> Result<()> {
        let dir = disk::join(dir, &folder::name(&partition.name, partition.id));
        self.create_dir(&dir).await?;
        let mut copies = FuturesUnordered::new();
        let read = self.copies(partition, &dir, &mut copies, done).await;
        if read.is_err() {
            // What is under way ends before anything is tidied up.
            self.copy.stop.cancel();
            while copies.next().await.is_some() {}
        }
        read?;
        done.partitions += 1;
        self.sync_dir(&dir).await
    }

    async fn copies(
        &self,
        partition: &PartitionManifest,
        dir: &str,
        copies: &mut FuturesUnordered<BoxFuture<'static, Result<Put>>>,
        done: &mut ExportedTable,
    ) -> Result<()> {
        let mut tablets = self.copy.reader.tablets(partition).fuse();
        let mut waiting = Files::default();
        let mut seen = 0_u64;
        loop {
            while copies.len() < self.options.files_at_once.max(1) {
                if let Some(file) = waiting.pop() {
                    copies.push(Arc::clone(&self.copy).put(file));
                } else if let Some(entry) = tablets.try_next().await? {
                    waiting = Files::of(entry, dir, &self.options.observe)?;
                    seen += 1;
                } else {
                    break;
                }
            }
            match copies.try_next().await? {
                Some(put) => done.add(&put),
                None if seen == partition.tablets => return Ok(()),
                None => {
                    let object = format!("partition {} in the snapshot", partition.name);
                    return Err(Error::corrupt(object, format!("{} tablets", partition.tablets), seen.to_string()));
                }
            }
        }
    }

    async fn create_dir(&self, dir: &str) -> Result<()> {
        let (disk, path) = (Arc::clone(&self.disk), dir.to_owned());
        blocking(move || disk.create_dir(&path)).await.map_err(failed("make", dir))
    }

    async fn sync_dir(&self, dir: &str) -> Result<()> {
        let (disk, path) = (Arc::clone(&self.disk), dir.to_owned());
        blocking(move || disk.sync_dir(&path)).await.map_err(failed("sync", dir))
    }

    async fn publish(&self, dir: &str, name: &'static str, text: String) -> Result<()> {
        let (disk, path) = (Arc::clone(&self.disk), dir.to_owned());
        let done = blocking(move || disk::publish(&*disk, &path, name, text.as_bytes())).await;
        done.map_err(failed("write", &disk::join(dir, name)))
    }
}

fn remove_tree(disk: &dyn Disk, dir: &str) -> io::Result<()> {
    for entry in disk.list(dir)? {
        let path = disk::join(dir, &entry.name);
        if entry.is_dir { remove_tree(disk, &path)? } else { disk.remove(&path)? }
    }
    disk.remove_dir(dir)
}

/// A disk's error with what was tried.
fn failed(action: &'static str, path: &str) -> impl FnOnce(io::Error) -> Error {
    let path = path.to_owned();
    move |source| Error::from(tablet::Error::Io { action, path, source })
}
