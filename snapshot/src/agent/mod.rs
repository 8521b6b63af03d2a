//! A node's agent: does the node's tasks, and lets go of what ended jobs hold here.
//!
//! One loop per job that is not cleaned. It starts a worker for each task that the job's state calls for, stops them when
//! the job has ended, and then has the last word: pins go, stages are kept or discarded, the node's tasks are deleted. That
//! the tasks are gone tells the coordinator that nothing of the job runs here any more.

mod download;
mod upload;
mod worker;

pub(crate) use upload::tablet_entry;

use crate::error::{Error, ErrorKind, Result, explain};
use crate::jobs::Shared;
use crate::journal::{self, Mirror};
use crate::source::SnapshotSource;
use catalog::keys;
use catalog::records::job::{BackupState, JobRecord, JobWork, RestoreState};
use catalog::records::task::{TaskKind, TaskRecord};
use env::canary::{self, Canary};
use env::ids::JobId;
use env::rt::sync::{OnceCell, Semaphore};
use env::rt::{self, CancellationToken, JoinSet};
use repository::{Limiter, Repository, Session, SnapshotReader};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// What all jobs on this node share.
#[derive(Debug)]
pub(crate) struct Node {
    pub(crate) shared: Arc<Shared>,
    pub(crate) source: Arc<dyn SnapshotSource>,
    /// Tasks that may be worked on at one time.
    permits: Arc<Semaphore>,
}

impl Node {
    pub(crate) fn new(shared: Arc<Shared>, source: Arc<dyn SnapshotSource>) -> Self {
        let permits = Arc::new(Semaphore::new(shared.options.tasks_at_once.max(1)));
        Self { shared, source, permits }
    }
}

/// What the tasks of one job share, opened when the first of them needs it.
#[derive(Debug)]
struct JobContext {
    node: Arc<Node>,
    job: JobId,
    /// Says stop when the job has ended, and when the agent stops.
    stop: CancellationToken,
    session: OnceCell<Session>,
    reader: OnceCell<SnapshotReader>,
}

impl JobContext {
    async fn repository(&self, job: &JobRecord) -> Result<Repository> {
        Ok(self.node.shared.repository(job, &self.stop).await?.1)
    }

    fn limiter(&self, job: &JobRecord) -> Limiter {
        self.node.shared.limits.of(job)
    }

    /// The session that a BACKUP writes in.
    async fn session(&self, job: &JobRecord) -> Result<&Session> {
        let open = || async {
            let repository = self.repository(job).await?;
            crate::coordinator::resume_backup(&self.node.shared, job, &repository).await
        };
        self.session.get_or_try_init(open).await
    }

    /// The snapshot that a RESTORE reads.
    async fn reader(&self, job: &JobRecord) -> Result<&SnapshotReader> {
        let open = || async {
            let repository = self.repository(job).await?;
            // Through the job's session, which keeps the snapshot readable when somebody drops it meanwhile. A repository
            // that is read only has none.
            let shared = &self.node.shared;
            let found = match crate::coordinator::resume_restore(shared, job, &repository).await? {
                Some(session) => session.snapshot(&job.label, &job.timestamp).await?,
                None => repository.snapshot(&job.label, Some(&job.timestamp)).await?,
            };
            let summary = found.ok_or_else(|| Error::UnknownSnapshot {
                label: job.label.clone(),
                timestamp: job.timestamp.clone(),
                repository: job.repository_name.clone(),
                others: Vec::new(),
            })?;
            Ok(repository.reader(&summary).await?)
        };
        self.reader.get_or_try_init(open).await
    }
}

/// Runs until `stop`.
pub(crate) async fn run(node: Arc<Node>, stop: CancellationToken) -> Result<()> {
    let mut jobs = Mirror::<JobRecord>::open(&node.shared.catalog, keys::JOBS).await?;
    let mut loops: JoinSet<JobId> = JoinSet::new();
    let mut running = BTreeSet::new();
    let orphans = orphans(&node, &jobs);
    loop {
        for job in jobs.records().values() {
            if !job.is_cleaned() && running.insert(job.id) {
                let (node, stop, id) = (Arc::clone(&node), stop.clone(), job.id);
                loops.spawn(async move {
                    follow(node, id, &stop).await;
                    id
                });
            }
        }
        for (id, job) in &orphans {
            // Nobody waits for these; they are from before this process began.
            if running.insert(*id) {
                let (node, id, job) = (Arc::clone(&node), *id, job.clone());
                loops.spawn(async move {
                    let_go_patiently(&node, id, job.as_ref()).await;
                    id
                });
            }
        }
        env::select! {
            () = stop.cancelled() => break,
            Some(ended) = loops.join_next() => match ended {
                // Jobs of the first kind may come back when their record does; orphans are done with.
                Ok(id) => if !orphans.contains_key(&id) { running.remove(&id); },
                Err(failed) => tracing::error!(error = %failed, "a job's loop broke"),
            },
            () = jobs.changed() => {}
        }
    }
    loops.shutdown().await;
    Ok(())
}

/// Owners of pins and stages whose jobs have been cleaned without this node, or are unknown.
fn orphans(node: &Node, jobs: &Mirror<JobRecord>) -> BTreeMap<JobId, Option<JobRecord>> {
    let owners = node.source.pin_owners().into_iter().chain(node.source.stage_owners());
    let known = |id: &JobId| jobs.records().get(&keys::job(*id)).cloned();
    let owners = owners.map(|id| (id, known(&id)));
    owners.filter(|(_, job)| job.as_ref().is_none_or(JobRecord::is_cleaned)).collect()
}

/// Whether a job's state calls for tasks of that kind.
fn is_due(job: &JobRecord, kind: TaskKind) -> bool {
    match (&job.work, kind) {
        (JobWork::Backup { progress: BackupState::Snapshoting { .. } }, TaskKind::Pin)
        | (JobWork::Backup { progress: BackupState::Uploading { .. } }, TaskKind::Upload)
        | (JobWork::Restore { progress: RestoreState::Snapshoting { .. }, .. }, TaskKind::Stage)
        | (JobWork::Restore { progress: RestoreState::Downloading { .. }, .. }, TaskKind::Download)
        | (JobWork::Restore { progress: RestoreState::Committing { .. }, .. }, TaskKind::Keep) => true,
        (
            JobWork::Backup { .. } | JobWork::Restore { .. },
            TaskKind::Table | TaskKind::Pin | TaskKind::Upload | TaskKind::Stage | TaskKind::Download | TaskKind::Keep,
        ) => false,
    }
}

struct Running {
    attempt: u32,
    stop: CancellationToken,
}

/// Does what one job asks of this node, until it is done with or `stop`.
async fn follow(node: Arc<Node>, id: JobId, stop: &CancellationToken) {
    let (job_key, tasks_prefix) = (keys::job(id), keys::tasks(id));
    let context = Arc::new(JobContext {
        node: Arc::clone(&node),
        job: id,
        stop: stop.child_token(),
        session: OnceCell::new(),
        reader: OnceCell::new(),
    });
    let mut failed = 0;
    let (mut jobs, mut tasks) = loop {
        let jobs = Mirror::<JobRecord>::open(&node.shared.catalog, &job_key).await;
        let tasks = Mirror::<TaskRecord>::open(&node.shared.catalog, &tasks_prefix).await;
        match (jobs, tasks) {
            (Ok(jobs), Ok(tasks)) => break (jobs, tasks),
            (Err(error), _) | (_, Err(error)) => {
                tracing::warn!(job = %id, error = %explain(&error), "a job cannot be followed");
                env::select! {
                    () = stop.cancelled() => return,
                    () = rt::time::sleep(node.shared.options.pause_after(failed)) => failed += 1,
                }
            }
        }
    };
    let mut workers: JoinSet<String> = JoinSet::new();
    let mut running: BTreeMap<String, Running> = BTreeMap::new();
    loop {
        let job = jobs.records().get(&job_key).cloned();
        let Some(job) = job.filter(|job| !job.is_done()) else {
            context.stop.cancel();
            // Proof that nothing runs any more: the set is empty.
            while workers.join_next().await.is_some() {}
            let job = jobs.records().get(&job_key).cloned();
            env::select! {
                () = stop.cancelled() => {}
                () = let_go_patiently(&node, id, job.as_ref()) => {}
            }
            return;
        };
        node.shared.limits.follow(&job);
        for (key, task) in tasks.records() {
            if task.node != node.shared.node || !task.is_waiting() || !is_due(&job, task.kind) {
                continue;
            }
            match running.get(key) {
                Some(worker) if worker.attempt == task.attempt => {}
                // It is begun anew when the old one has ended.
                Some(worker) => worker.stop.cancel(),
                None => {
                    let worker = Running { attempt: task.attempt, stop: context.stop.child_token() };
                    let (context, job, key, stop) =
                        (Arc::clone(&context), job.clone(), key.clone(), worker.stop.clone());
                    running.insert(key.clone(), worker);
                    workers.spawn(async move {
                        worker::work(&context, &job, &key, &stop).await;
                        key
                    });
                }
            }
        }
        for (key, worker) in &running {
            if !tasks.records().contains_key(key) {
                worker.stop.cancel();
            }
        }
        env::select! {
            () = stop.cancelled() => {
                workers.shutdown().await;
                return;
            }
            Some(ended) = workers.join_next() => match ended {
                Ok(key) => drop(running.remove(&key)),
                Err(failed) => tracing::error!(job = %id, error = %failed, "a worker broke"),
            },
            () = jobs.changed() => {}
            () = tasks.changed() => {}
        }
    }
}

/// Lets go of all that an ended or unknown job holds here, trying until it has worked.
async fn let_go_patiently(node: &Node, id: JobId, job: Option<&JobRecord>) {
    let mut failed = 0;
    while let Err(error) = let_go(node, id, job).await {
        tracing::warn!(job = %id, error = %explain(&error), "an ended job cannot be let go of; trying again");
        rt::time::sleep(node.shared.options.pause_after(failed)).await;
        failed += 1;
    }
}

async fn let_go(node: &Node, id: JobId, job: Option<&JobRecord>) -> Result<()> {
    if !(canary::sings(Canary::PinKept) && job.is_some_and(|job| job.state_name() == "CANCELLED")) {
        node.source.unpin(id).await?;
    }
    let switched = job.map(|job| matches!(&job.work, JobWork::Restore { progress: RestoreState::Finished { .. }, .. }));
    match switched {
        Some(true) => node.source.stage_keep(id).await?,
        Some(false) => node.source.stage_discard(id).await?,
        // No record tells whether the catalog refers to these tablets. If all of them are whole it may, so they stay; if
        // one is not, it cannot.
        None => match node.source.stage_keep(id).await {
            Ok(()) => {}
            Err(failed) if matches!(failed.kind(), ErrorKind::Invalid | ErrorKind::Conflict) => {
                node.source.stage_discard(id).await?;
            }
            Err(failed) => return Err(failed),
        },
    }
    let own = node.shared.node;
    journal::delete_tasks(&node.shared.catalog, id, |task| task.node == own && task.kind != TaskKind::Table).await
}
