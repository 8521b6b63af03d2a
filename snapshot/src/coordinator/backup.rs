//! The duties of a BACKUP.

use super::driver::Outcome;
use super::wait::{self, Ended};
use crate::error::{Error, Result};
use crate::inventory;
use crate::jobs::Shared;
use crate::journal;
use crate::plan;
use crate::state::Event;
use catalog::records::job::{BackupState, Cut, JobRecord, JobWork, PageRecord};
use catalog::records::task::{TablePlan, TaskKind, TaskProgress, TaskRecord, TaskState, TaskWork, UploadedPartition};
use catalog::records::{DatabaseRecord, PartitionEntry};
use catalog::{At, Stored, keys};
use env::ids::PartitionId;
use env::rt::CancellationToken;
use env::rt::time::unix_millis;
use futures::future::{BoxFuture, try_join_all};
use repository::{
    PageRef, PartitionManifest, Purpose, Repository, Session, SessionId, SnapshotRoot, SnapshotSummary, TableManifest,
    TableRef, TableSought,
};
use serde_json::Value;
use std::collections::BTreeMap;

/// Pages that are written at one time.
const PAGES_AT_ONCE: usize = 16;

fn state(job: &JobRecord) -> Result<&BackupState> {
    match &job.work {
        JobWork::Backup { progress } => Ok(progress),
        JobWork::Restore { .. } => Err(Error::Internal(format!("job {} is no backup", job.id))),
    }
}

fn out_of_place(job: &JobRecord) -> Error {
    Error::Internal(format!("a duty of another state was begun for job {} in state {}", job.id, job.state_name()))
}

/// The session that a job has journaled.
pub(crate) fn session_id(job: &JobRecord) -> Result<SessionId> {
    let text = match state(job)? {
        BackupState::UploadSnapshot { session, .. }
        | BackupState::Uploading { session, .. }
        | BackupState::SaveMeta { session, .. }
        | BackupState::UploadInfo { session, .. }
        | BackupState::Finished { session, .. }
        | BackupState::Cancelled { session: Some(session), .. } => session,
        BackupState::Pending { .. }
        | BackupState::Snapshoting { .. }
        | BackupState::Cancelled { session: None, .. } => {
            return Err(out_of_place(job));
        }
    };
    Ok(text.parse()?)
}

/// Opens the journaled session, or resumes it.
pub(crate) async fn resume(shared: &Shared, job: &JobRecord, repository: &Repository) -> Result<Session> {
    let owner = format!("{} of job {} in cluster {}", job.kind(), job.id, shared.cluster);
    Ok(repository.open_session(&session_id(job)?, Purpose::Backup, &owner, unix_millis()).await?)
}

pub(super) async fn take_cut(shared: &Shared, job: &Stored<JobRecord>) -> Result<Outcome> {
    let BackupState::Pending { attempt } = *state(job)? else { return Err(out_of_place(job)) };
    let catalog = &shared.catalog;
    // What an earlier attempt, or an earlier life of this one, has written.
    journal::delete_tasks(catalog, job.id, |_| true).await?;
    let revision = catalog.revision().await?;
    let at = At::Revision(revision);
    let database = catalog.get::<DatabaseRecord>(&keys::database(job.database), at).await?;
    let database = database.ok_or_else(|| Error::UnknownDatabase(job.database_name.clone()))?;
    let tables = inventory::selected(catalog, database.id, &database.name, &job.objects, at).await?;
    let objects_text = plan::backup_objects_text(&database.name, &tables, &job.objects);
    let tables = inventory::at_cut(catalog, tables, at).await?;
    let nodes = inventory::nodes(catalog, shared.node).await?;
    let plan = plan::cut(job.id, attempt, tables, &nodes, shared.options.task_sizes)?;
    journal::put_tasks(catalog, job, &plan.tasks).await?;
    Ok(Event::CutTaken { cut: Cut { revision, attempt }, counts: plan.counts, objects_text }.into())
}

pub(super) async fn await_pins(shared: &Shared, job: &Stored<JobRecord>) -> Result<Outcome> {
    let pins = match wait::tasks(shared, job, TaskKind::Pin).await? {
        Ended::Done(pins) => pins,
        Ended::Event(event) => return Ok(event.into()),
    };
    let sum = |of: fn(&TaskProgress) -> u64| pins.iter().map(|pin| of(&pin.progress)).fold(0, u64::saturating_add);
    let (_, repository) = shared.repository(job, &CancellationToken::new()).await?;
    let session = repository.new_session_id().await?.to_string();
    Ok(Event::Pinned { session, files: sum(|pin| pin.files), bytes: sum(|pin| pin.bytes) }.into())
}

pub(super) async fn open_session(shared: &Shared, job: &Stored<JobRecord>) -> Result<Outcome> {
    let (_, repository) = shared.repository(job, &CancellationToken::new()).await?;
    resume(shared, job, &repository).await?;
    let uploads: Vec<TaskRecord> = journal::tasks(&shared.catalog, job.id, TaskKind::Pin.as_str())
        .await?
        .into_iter()
        .map(|pin| {
            let TaskProgress { tablets, files, bytes, .. } = pin.progress;
            TaskRecord {
                kind: TaskKind::Upload,
                status: TaskState::Waiting,
                retries: 0,
                error: None,
                progress: TaskProgress { tablets, files, bytes, ..TaskProgress::default() },
                ..pin.record
            }
        })
        .collect();
    journal::put_tasks(&shared.catalog, job, &uploads).await?;
    Ok(Event::SessionOpened.into())
}

pub(super) async fn await_uploads(shared: &Shared, job: &Stored<JobRecord>) -> Result<Outcome> {
    let uploads = match wait::tasks(shared, job, TaskKind::Upload).await? {
        Ended::Done(uploads) => uploads,
        Ended::Event(event) => return Ok(event.into()),
    };
    let sum =
        |of: fn(&UploadedPartition) -> u64| uploads.iter().flat_map(uploaded).map(of).fold(0, u64::saturating_add);
    // An earlier copy that is referred to as a whole may have other files than the tablet has here.
    let (files, bytes) = (sum(|part| part.files), sum(|part| part.bytes));
    Ok(Event::Uploaded { files, bytes, bytes_sent: sum(|part| part.bytes_sent) }.into())
}

fn uploaded(task: &TaskRecord) -> &[UploadedPartition] {
    match &task.work {
        TaskWork::Tablets { uploaded, .. } => uploaded,
        TaskWork::Table(_) | TaskWork::Job => &[],
    }
}

pub(super) async fn save_meta(shared: &Shared, job: &Stored<JobRecord>) -> Result<Outcome> {
    let BackupState::SaveMeta { cut, .. } = state(job)? else { return Err(out_of_place(job)) };
    let (_, repository) = shared.repository(job, &CancellationToken::new()).await?;
    let session = resume(shared, job, &repository).await?;
    // Tasks in their order hold a partition's tablets in bucket order, or one node's share of them.
    let mut written: BTreeMap<PartitionId, Vec<UploadedPartition>> = BTreeMap::new();
    for task in journal::tasks(&shared.catalog, job.id, TaskKind::Upload.as_str()).await? {
        for partition in uploaded(&task) {
            written.entry(partition.partition).or_default().push(partition.clone());
        }
    }
    let mut manifests = Vec::new();
    for task in journal::tasks(&shared.catalog, job.id, TaskKind::Table.as_str()).await? {
        if let Some(plan) = task.table() {
            manifests.push(table_manifest(plan, &mut written)?);
        }
    }
    let mut tables = Vec::with_capacity(manifests.len());
    for batch in manifests.chunks(PAGES_AT_ONCE) {
        let puts = batch.iter().map(|table| -> BoxFuture<'_, Result<TableRef>> {
            Box::pin(async {
                // An unchanged table has the same page as before, which is then shared, not written again.
                let (cluster, database) = (shared.cluster.as_str(), job.database_name.as_str());
                session.base(&TableSought { cluster, id: table.id, database, name: &table.name }).await?;
                Ok(session.put_table(table).await?)
            })
        });
        tables.extend(try_join_all(puts).await?);
    }
    let root = SnapshotRoot {
        label: job.label.clone(),
        timestamp: job.timestamp.clone(),
        cluster: shared.cluster.clone(),
        database_id: job.database.0,
        database: job.database_name.clone(),
        cut_revision: cut.revision.0,
        created_ms: job.created_ms,
        tables,
    };
    let root = session.put_root(&root).await?;
    Ok(Event::MetaSaved { root: page_record(&root)? }.into())
}

fn table_manifest(
    plan: &TablePlan,
    written: &mut BTreeMap<PartitionId, Vec<UploadedPartition>>,
) -> Result<TableManifest> {
    let mut partitions = Vec::with_capacity(plan.partitions.len());
    for (entry, taken) in plan.record.partitions.iter().zip(&plan.partitions) {
        let pages = written.remove(&taken.id).unwrap_or_default();
        let sum = |of: fn(&UploadedPartition) -> u64| pages.iter().map(of).fold(0, u64::saturating_add);
        if sum(|part| part.tablets) != u64::from(entry.buckets) {
            let found = format!("{} of {}", sum(|part| part.tablets), entry.buckets);
            let object = format!("uploaded partition {} of table {}", entry.name, plan.record.name);
            return Err(Error::corrupt(object, "all of its tablets", found));
        }
        partitions.push(PartitionManifest {
            id: taken.id.0,
            name: entry.name.clone(),
            version: taken.version.0,
            bounds: bounds_json(entry)?,
            buckets: entry.buckets,
            tablets: sum(|part| part.tablets),
            files: sum(|part| part.files),
            bytes: sum(|part| part.bytes),
            pages: pages.iter().flat_map(|part| &part.pages).map(page_ref).collect::<Result<_>>()?,
        });
    }
    let schema = inventory::describe(&plan.record)?;
    Ok(TableManifest { id: plan.source, name: plan.record.name.clone(), schema, partitions })
}

fn bounds_json(entry: &PartitionEntry) -> Result<Value> {
    serde_json::to_value(&entry.bounds).map_err(|failed| Error::Internal(format!("bounds cannot be JSON: {failed}")))
}

/// The journal's form of a reference to a page has the same fields as the repository's.
pub(crate) fn page_record(page: &PageRef) -> Result<PageRecord> {
    let value = serde_json::to_value(page).and_then(serde_json::from_value);
    value.map_err(|failed| Error::Internal(format!("a page reference cannot be journaled: {failed}")))
}

fn page_ref(page: &PageRecord) -> Result<PageRef> {
    let value = serde_json::to_value(page).and_then(serde_json::from_value);
    value.map_err(|failed| Error::corrupt("a journaled page reference", "one of the repository's", failed.to_string()))
}

/// What the commit record says; the same in every attempt.
fn summary(shared: &Shared, job: &JobRecord) -> Result<SnapshotSummary> {
    let BackupState::UploadInfo { root, saved_ms, .. } = state(job)? else { return Err(out_of_place(job)) };
    Ok(SnapshotSummary {
        label: job.label.clone(),
        timestamp: job.timestamp.clone(),
        database: job.database_name.clone(),
        cluster: shared.cluster.clone(),
        created_ms: job.created_ms,
        finished_ms: *saved_ms,
        tables: job.counts.tables,
        tablets: job.counts.tablets,
        files: job.counts.files,
        bytes: job.counts.bytes,
        bytes_sent: job.counts.bytes_sent,
        root: page_ref(root)?,
        session: session_id(job)?,
        // The same in every attempt: what is committed and what would be are one.
        expires_ms: job.ttl_ms.map(|ttl_ms| saved_ms.saturating_add(ttl_ms)),
        hold: None,
    })
}

pub(super) async fn commit(shared: &Shared, job: &Stored<JobRecord>) -> Result<Outcome> {
    let summary = summary(shared, job)?;
    let (_, repository) = shared.repository(job, &CancellationToken::new()).await?;
    let committed = match resume(shared, job, &repository).await {
        Ok(session) => session.commit(summary).await.map(drop).map_err(Error::from),
        Err(failed) => Err(failed),
    };
    match committed {
        Ok(()) | Err(Error::Repository(repository::Error::AlreadyCommitted(_))) => Ok(Event::Committed.into()),
        Err(failed) => Err(failed),
    }
}

pub(super) async fn abort_session(shared: &Shared, job: &Stored<JobRecord>) -> Result<Outcome> {
    let (_, repository) = shared.repository(job, &CancellationToken::new()).await?;
    let aborted = match resume(shared, job, &repository).await {
        Ok(session) => session.abort().await.map_err(Error::from),
        Err(failed) => Err(failed),
    };
    match aborted {
        Ok(()) | Err(Error::Repository(repository::Error::Fenced { .. })) => Ok(Event::SessionAborted.into()),
        Err(Error::Repository(repository::Error::AlreadyCommitted(_))) => Ok(Event::Committed.into()),
        Err(failed) => Err(failed),
    }
}
