//! The duties of a RESTORE.

use super::driver::Outcome;
use super::wait::{self, Ended};
use crate::error::{Error, Result};
use crate::inventory::{self, RestoreWish};
use crate::jobs::Shared;
use crate::journal;
use crate::plan::{self, TaskHead, place, tablet_id};
use crate::state::{self, Event};
use catalog::records::job::{
    JobEnding, JobRecord, JobStatus, JobWork, PlanRecord, RestoreSpec, RestoreState, StatusCode,
};
use catalog::records::task::{
    PartitionPlan, PartitionShare, TablePlan, TaskKind, TaskProgress, TaskRecord, TaskState, TaskWork,
};
use catalog::records::{
    Brought, BroughtPartition, DatabaseRecord, PartitionEntry, PartitionRecord, PartitionState, RecycleRecord,
    Recycled, TableRecord, TableState, TabletRecord,
};
use catalog::{At, Change, Record, Stored, keys};
use env::canary::{self, Canary};
use env::ids::{JobId, NodeId, PartitionId, TabletId};
use env::rt::CancellationToken;
use env::rt::time::unix_millis;
use repository::{Purpose, Repository, Session};
use std::collections::{BTreeMap, BTreeSet};

fn work(job: &JobRecord) -> Result<(&RestoreSpec, &RestoreState)> {
    match &job.work {
        JobWork::Restore { spec, progress } => Ok((spec, progress)),
        JobWork::Backup { .. } => Err(Error::Internal(format!("job {} is no restore", job.id))),
    }
}

/// The plan that the job has journaled, if it has one.
pub(crate) fn journaled_plan(job: &JobRecord) -> Result<Option<&PlanRecord>> {
    Ok(match work(job)?.1 {
        RestoreState::Pending { plan } | RestoreState::Cancelled { plan, .. } => plan.as_ref(),
        RestoreState::Snapshoting { plan }
        | RestoreState::Download { plan }
        | RestoreState::Downloading { plan }
        | RestoreState::Commit { plan }
        | RestoreState::Committing { plan }
        | RestoreState::Finished { plan, .. } => Some(plan),
    })
}

fn replication_num(shared: &Shared, spec: &RestoreSpec) -> u32 {
    spec.replication_num.unwrap_or(shared.options.replication_num)
}

/// Opens the journaled session, or resumes it.
pub(crate) async fn resume(shared: &Shared, job: &JobRecord, repository: &Repository, id: &str) -> Result<Session> {
    let owner = format!("{} of job {} in cluster {}", job.kind(), job.id, shared.cluster);
    Ok(repository.open_session(&id.parse()?, Purpose::Restore, &owner, unix_millis()).await?)
}

fn task(job: JobId, kind: TaskKind, node: NodeId, seq: u32, status: TaskState, work: TaskWork) -> TaskRecord {
    let progress = TaskProgress::default();
    TaskRecord { job, kind, node, seq, attempt: 0, status, retries: 0, error: None, progress, work }
}

/// What the job decided about its tables, in order.
async fn table_plans(shared: &Shared, job: &JobRecord) -> Result<Vec<TablePlan>> {
    let tasks = journal::tasks(&shared.catalog, job.id, TaskKind::Table.as_str()).await?;
    Ok(tasks.into_iter().filter_map(|task| task.record.table().cloned()).collect())
}

pub(super) async fn plan(shared: &Shared, job: &Stored<JobRecord>) -> Result<Outcome> {
    let (spec, _) = work(job)?;
    let catalog = &shared.catalog;
    journal::delete_tasks(catalog, job.id, |_| true).await?;
    let (record, repository) = shared.repository(job, &CancellationToken::new()).await?;
    let Some(summary) = repository.snapshot(&job.label, Some(&job.timestamp)).await? else {
        return Err(Error::UnknownSnapshot {
            label: job.label.clone(),
            timestamp: job.timestamp.clone(),
            repository: record.name,
            others: Vec::new(),
        });
    };
    let reader = repository.reader(&summary).await?;
    let revision = catalog.revision().await?;
    let nodes = inventory::nodes(catalog, shared.node).await?;
    let wish = RestoreWish {
        label: &job.label,
        objects: &job.objects,
        database: (!spec.creates_database).then_some(job.database),
        replication_num: replication_num(shared, spec),
        nodes: nodes.len(),
        clean: spec.clean,
    };
    let draft = inventory::draft(catalog, &reader, wish, At::Revision(revision)).await?;
    let (counts, ids) = (draft.counts, plan::ids_needed(&draft));
    let first_id = catalog.allocate(ids).await?;
    let plans = plan::assign(draft, job.database, first_id, unix_millis());
    let objects_text = plan::restore_objects_text(&plans);
    let session = if record.read_only { None } else { Some(repository.new_session_id().await?.to_string()) };
    let planned = Event::Planned { plan: PlanRecord { revision, first_id, ids, session }, counts, objects_text };
    let next = state::apply(job.record.clone(), planned, unix_millis());
    let mut change = journal::transition(catalog, job, &next).await?;
    for plan in plans.iter().filter(|plan| !plan.creates) {
        change = mark(shared, job, plan, At::Revision(revision), change).await?;
    }
    let table_task = |(seq, plan): (u32, TablePlan)| {
        task(job.id, TaskKind::Table, NodeId(0), seq, TaskState::Done, TaskWork::Table(Box::new(plan)))
    };
    let tasks: Vec<TaskRecord> = (0u32..).zip(plans).map(table_task).collect();
    journal::put_tasks(catalog, job, &tasks).await?;
    shared.options.pause.at("restore.pending.planned".to_owned()).await;
    change.commit().await?;
    Ok(Outcome::Journaled)
}

/// Marks a target table, unless it is another one than the plan was made for.
async fn mark(shared: &Shared, job: &JobRecord, plan: &TablePlan, at: At, change: Change) -> Result<Change> {
    let found = shared.catalog.get::<TableRecord>(&plan.record.key(), at).await?;
    let Some(found) = found else {
        return Err(Error::corrupt(format!("table {}", plan.record.name), "the table that was planned for", "none"));
    };
    let state = TableState::Restoring { job: job.id, label: job.label.clone() };
    Ok(change.replace(&found, &TableRecord { state, ..found.record.clone() }))
}

pub(super) async fn register(shared: &Shared, job: &Stored<JobRecord>) -> Result<Outcome> {
    let (spec, _) = work(job)?;
    if let Some(id) = journaled_plan(job)?.and_then(|plan| plan.session.as_deref()) {
        let (_, repository) = shared.repository(job, &CancellationToken::new()).await?;
        resume(shared, job, &repository, id).await?;
    }
    let catalog = &shared.catalog;
    // Stage tasks of an earlier life may be for nodes that this one does not choose.
    journal::delete_tasks(catalog, job.id, |task| task.kind == TaskKind::Stage).await?;
    let nodes: Vec<NodeId> = inventory::nodes(catalog, shared.node).await?.into_iter().collect();
    let replicas = replication_num(shared, spec);
    let mut by_node: BTreeMap<NodeId, Vec<PartitionShare>> = BTreeMap::new();
    let mut bytes: BTreeMap<NodeId, u64> = BTreeMap::new();
    let mut batch = Batch { job, change: None, records: 0 };
    for plan in table_plans(shared, job).await? {
        for (entry, made) in plan.record.partitions.iter().zip(&plan.partitions) {
            let hidden = PartitionRecord {
                id: made.id,
                table: plan.record.id,
                visible_version: made.version,
                visible_ms: 0,
                state: PartitionState::Hidden { job: job.id },
            };
            batch.put(shared, &hidden).await?;
            let mut here: BTreeMap<NodeId, Vec<(u32, TabletId)>> = BTreeMap::new();
            for bucket in 0..entry.buckets {
                let id = tablet_id(made.id, bucket);
                let replicas = place(&nodes, made.id, bucket, replicas);
                for node in &replicas {
                    here.entry(*node).or_default().push((bucket, id));
                }
                let tablet = TabletRecord { id, table: plan.record.id, partition: made.id, bucket, replicas };
                batch.put(shared, &tablet).await?;
            }
            for (node, tablets) in here {
                // An even part of the partition for each of its tablets.
                let part = u128::from(made.bytes) * tablets.len() as u128 / u128::from(entry.buckets.max(1));
                *bytes.entry(node).or_default() += u64::try_from(part).unwrap_or(u64::MAX);
                by_node.entry(node).or_default().push(PartitionShare {
                    table: plan.source,
                    source: made.source,
                    name: entry.name.clone(),
                    partition: made.id,
                    version: made.version,
                    tablets,
                });
            }
        }
    }
    batch.flush().await?;
    let mut tasks = Vec::new();
    for (node, share) in by_node {
        let head = TaskHead { job: job.id, kind: TaskKind::Stage, node, attempt: 0 };
        let node_bytes = bytes.get(&node).copied().unwrap_or(0);
        plan::split(&mut tasks, head, share, node_bytes, shared.options.task_sizes);
    }
    journal::put_tasks(catalog, job, &tasks).await?;
    Ok(Event::Registered.into())
}

/// Records that are written in bounded transactions, each only if the job is as it was read.
struct Batch<'a> {
    job: &'a Stored<JobRecord>,
    change: Option<Change>,
    records: usize,
}

impl Batch<'_> {
    async fn put<R: Record>(&mut self, shared: &Shared, record: &R) -> Result<()> {
        let change = self.change.take().unwrap_or_else(|| shared.catalog.change().unchanged(self.job));
        self.change = Some(change.put(record));
        self.records += 1;
        if self.records >= journal::BATCH { self.flush().await } else { Ok(()) }
    }

    async fn flush(&mut self) -> Result<()> {
        self.records = 0;
        if let Some(change) = self.change.take() {
            change.commit().await?;
        }
        Ok(())
    }
}

pub(super) async fn await_stages(shared: &Shared, job: &Stored<JobRecord>) -> Result<Outcome> {
    match wait::tasks(shared, job, TaskKind::Stage).await? {
        Ended::Done(_) => Ok(Event::Staged.into()),
        Ended::Event(event) => Ok(event.into()),
    }
}

pub(super) async fn write_downloads(shared: &Shared, job: &Stored<JobRecord>) -> Result<Outcome> {
    let downloads: Vec<TaskRecord> = journal::tasks(&shared.catalog, job.id, TaskKind::Stage.as_str())
        .await?
        .into_iter()
        .map(|stage| {
            let TaskProgress { tablets, files, bytes, .. } = stage.progress;
            TaskRecord {
                kind: TaskKind::Download,
                status: TaskState::Waiting,
                retries: 0,
                error: None,
                progress: TaskProgress { tablets, files, bytes, ..TaskProgress::default() },
                ..stage.record
            }
        })
        .collect();
    journal::put_tasks(&shared.catalog, job, &downloads).await?;
    Ok(Event::DownloadsWritten.into())
}

pub(super) async fn await_downloads(shared: &Shared, job: &Stored<JobRecord>) -> Result<Outcome> {
    match wait::tasks(shared, job, TaskKind::Download).await? {
        Ended::Done(_) => Ok(Event::Downloaded.into()),
        Ended::Event(event) => Ok(event.into()),
    }
}

/// The switch: one transaction that replaces the old data by the new and makes the job COMMITTING. Before it the old
/// data is whole and nothing new is visible; after it the other way round.
pub(super) async fn switch(shared: &Shared, job: &Stored<JobRecord>, point: String) -> Result<Outcome> {
    let (spec, _) = work(job)?;
    let catalog = &shared.catalog;
    let now_ms = unix_millis();
    let next = state::apply(job.record.clone(), Event::Switched, now_ms);
    let mut change = journal::transition(catalog, job, &next).await?;
    if spec.creates_database {
        let name = job.database_name.clone();
        let database = DatabaseRecord { id: job.database, name, created_ms: now_ms };
        change = change.claim_name(keys::database_name(&database.name), database.id.0).create(&database);
    } else if catalog.get::<DatabaseRecord>(&keys::database(job.database), At::Latest).await?.is_none() {
        return Err(Error::UnknownDatabase(job.database_name.clone()));
    }
    let mut taken = Vec::new();
    if spec.creates_database {
        taken.push((keys::database_name(&job.database_name), format!("database {}", job.database_name)));
    }
    let plans = table_plans(shared, job).await?;
    let written = plans.iter().filter(|plan| !plan.drops).count();
    for plan in &plans {
        for made in &plan.partitions {
            change = change.put(&PartitionRecord {
                id: made.id,
                table: plan.record.id,
                visible_version: made.version,
                visible_ms: now_ms,
                state: PartitionState::Live,
            });
        }
        if plan.creates {
            let name = keys::table_name(plan.record.database, &plan.record.name);
            taken.push((name.clone(), format!("table {}", plan.record.name)));
            change = change.claim_name(name, plan.record.id.0).create(&plan.record);
            let what = Recycled::Made {
                job: job.id,
                table: plan.record.id,
                name: plan.record.name.clone(),
                with_database: spec.creates_database,
                brought: brought(plan, written),
            };
            change = recycle(shared, job, what, now_ms, change).await?;
        } else if plan.drops {
            change = drop_table(shared, job, plan, now_ms, change).await?;
        } else {
            let (wider, what) = overwrite(shared, job, plan, written, change).await?;
            change = recycle(shared, job, what, now_ms, wider).await?;
            if canary::sings(Canary::SwitchByTable) {
                change.commit().await?;
                change = catalog.change();
                env::rt::time::sleep(env::rt::Duration::from_millis(50)).await;
            }
        }
    }
    shared.options.pause.at(point).await;
    match change.commit().await {
        Ok(_) => Ok(Outcome::Journaled),
        Err(failed) => match taken.into_iter().find(|(key, _)| failed.conflict_key() == Some(key)) {
            // Nothing but giving the name away again would help, and that is the user's to do.
            Some((_, what)) => {
                let message = format!("{what} was made while the restore ran; drop or rename it and restore again");
                let status = JobStatus { code: StatusCode::AlreadyExist, message };
                Ok(Event::End(JobEnding { status, by_user: false, asked_ms: 0 }).into())
            }
            None => Err(failed.into()),
        },
    }
}

/// What undoing the restore of a table takes away.
fn brought(plan: &TablePlan, tables: usize) -> Brought {
    let partition =
        |made: &PartitionPlan| BroughtPartition { id: made.id, version: made.version, replaces: made.replaces };
    Brought { tables: tables as u64, partitions: plan.partitions.iter().map(partition).collect() }
}

async fn recycle(shared: &Shared, job: &JobRecord, what: Recycled, now_ms: u64, change: Change) -> Result<Change> {
    let keep_ms = u64::try_from(shared.options.trash_keep.as_millis()).unwrap_or(u64::MAX);
    Ok(change.create(&RecycleRecord {
        id: shared.catalog.allocate(1).await?,
        database: job.database,
        dropped_ms: now_ms,
        expires_ms: now_ms.saturating_add(keep_ms),
        what,
    }))
}

/// A table as the plan has marked it. Nobody else changes it until the mark is taken off.
async fn marked(shared: &Shared, job: &JobRecord, plan: &TablePlan) -> Result<Stored<TableRecord>> {
    let found = shared.catalog.get::<TableRecord>(&plan.record.key(), At::Latest).await?;
    let ours = |table: &Stored<TableRecord>| matches!(&table.state, TableState::Restoring { job: owner, .. } if *owner == job.id);
    found.filter(ours).ok_or_else(|| {
        let object = format!("table {}", plan.record.name);
        Error::corrupt(object, format!("a table marked by job {}", job.id), "one that is not")
    })
}

/// Drops a table that the snapshot does not have.
async fn drop_table(
    shared: &Shared,
    job: &JobRecord,
    plan: &TablePlan,
    now_ms: u64,
    mut change: Change,
) -> Result<Change> {
    let found = marked(shared, job, plan).await?;
    change = change.delete(&found).release_name(keys::table_name(found.database, &found.name));
    for partition in shared.catalog.list::<PartitionRecord>(&keys::partitions(found.id), At::Latest).await? {
        if found.partitions.iter().any(|entry| entry.id == partition.id) {
            change = change.put(&PartitionRecord { state: PartitionState::Recycled, ..partition.record });
        }
    }
    let record = TableRecord { state: TableState::Normal, ..found.record };
    recycle(shared, job, Recycled::Table { record: Box::new(record) }, now_ms, change).await
}

/// Lets an existing table list its new partitions; what they take the place of is for the recycle bin.
async fn overwrite(
    shared: &Shared,
    job: &JobRecord,
    plan: &TablePlan,
    tables: usize,
    mut change: Change,
) -> Result<(Change, Recycled)> {
    let catalog = &shared.catalog;
    let found = &marked(shared, job, plan).await?;
    let mut new: BTreeMap<PartitionId, &PartitionEntry> = BTreeMap::new();
    let mut added = Vec::new();
    for (entry, made) in plan.record.partitions.iter().zip(&plan.partitions) {
        match made.replaces {
            Some(old) => drop(new.insert(old, entry)),
            None => added.push(entry.clone()),
        }
    }
    let old: BTreeSet<PartitionId> = new.keys().chain(&plan.cleaned).copied().collect();
    let replaced: Vec<PartitionEntry> =
        found.partitions.iter().filter(|entry| old.contains(&entry.id)).cloned().collect();
    let kept = found.partitions.iter().filter(|entry| !plan.cleaned.contains(&entry.id));
    let kept = kept.map(|entry| new.get(&entry.id).map_or(entry, |entry| *entry).clone());
    let partitions = kept.chain(added).collect();
    let table = TableRecord { partitions, state: TableState::Normal, ..found.record.clone() };
    change = change.replace(found, &table);
    // No load can have touched them since the table was marked, and the table is guarded.
    for partition in catalog.list::<PartitionRecord>(&keys::partitions(table.id), At::Latest).await? {
        if old.contains(&partition.id) {
            change = change.put(&PartitionRecord { state: PartitionState::Recycled, ..partition.record });
        }
    }
    let overwritten = TableRecord { partitions: replaced, state: TableState::Normal, ..found.record.clone() };
    let brought = brought(plan, tables);
    Ok((change, Recycled::Overwritten { job: job.id, table: Box::new(overwritten), brought }))
}

pub(super) async fn settle(shared: &Shared, job: &Stored<JobRecord>) -> Result<Outcome> {
    let catalog = &shared.catalog;
    let known = journal::tasks(catalog, job.id, TaskKind::Keep.as_str()).await?;
    let known: BTreeSet<NodeId> = known.iter().map(|task| task.node).collect();
    let downloads = journal::tasks(catalog, job.id, TaskKind::Download.as_str()).await?;
    let nodes: BTreeSet<NodeId> = downloads.iter().map(|task| task.node).collect();
    let keeps: Vec<TaskRecord> = (0u32..)
        .zip(&nodes)
        .filter(|(_, node)| !known.contains(node))
        .map(|(seq, node)| task(job.id, TaskKind::Keep, *node, seq, TaskState::Waiting, TaskWork::Job))
        .collect();
    journal::put_tasks(catalog, job, &keeps).await?;
    // A node that does not answer keeps what it has when it sees the finished job; see the agent.
    let waited = env::rt::time::timeout(shared.options.node_patience, wait::tasks(shared, job, TaskKind::Keep)).await;
    match waited {
        Ok(Err(failed)) => Err(failed),
        Ok(Ok(Ended::Event(event @ Event::TaskErrors(_)))) => Ok(event.into()),
        Ok(Ok(Ended::Done(_) | Ended::Event(_))) | Err(_) => Ok(Event::Settled.into()),
    }
}

/// What a RESTORE that did not switch has registered: keys of hidden partitions and of their tablets.
pub(crate) async fn hidden_keys(shared: &Shared, job: &JobRecord) -> Result<Vec<String>> {
    let mut found = Vec::new();
    for plan in table_plans(shared, job).await? {
        for (entry, made) in plan.record.partitions.iter().zip(&plan.partitions) {
            let key = keys::partition(plan.record.id, made.id);
            let Some(partition) = shared.catalog.get::<PartitionRecord>(&key, At::Latest).await? else { continue };
            if partition.state == (PartitionState::Hidden { job: job.id }) {
                found.extend((0..entry.buckets).map(|bucket| keys::tablet(made.id, bucket)));
                found.push(key);
            }
        }
    }
    Ok(found)
}
