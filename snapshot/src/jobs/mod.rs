//! The handle by which the rest of the node submits, follows and cancels jobs.

mod overview;
mod preview;
mod submit;
mod upkeep;
mod verify;

pub use overview::{
    RepositoryNow, RepositoryOverview, SessionOverview, SessionStanding, SnapshotFacts, SnapshotOverview,
};
pub use preview::{Amount, PreviewAction, PreviewLine};
pub use upkeep::DropRequest;
pub(crate) use upkeep::kept_node_limits;
pub use verify::VerifyRequest;

use crate::error::{Error, Result};
use crate::journal::{self, Mirror, running_name};
use crate::limits::Limits;
use crate::live::Live;
use crate::maintenance::Desks;
use crate::options::Options;
use crate::repositories::Repositories;
use crate::request::LimitsChange;
use crate::source::SnapshotSource;
use crate::state;
use crate::view::{JobView, Progress, TaskView};
use catalog::records::RepositoryRecord;
use catalog::records::job::{JobKind, JobLimits, JobRecord};
use catalog::records::task::TaskRecord;
use catalog::{At, Catalog, Record, Stored, keys};
use env::ids::{DatabaseId, JobId, NodeId, RepositoryId};
use env::rt::time::unix_millis;
use env::rt::{self, CancellationToken, Duration};
use parking_lot::Mutex;
use repository::{Rates, Traffic};
use std::collections::BTreeSet;
use std::sync::Arc;

/// How long a CANCEL waits for what it cannot decide by itself.
const CANCEL_PATIENCE: Duration = Duration::from_mins(1);

/// How long a CANCEL waits for the clean-up, so that who comes next finds nothing in the way.
const CLEAN_PATIENCE: Duration = Duration::from_millis(500);

/// What the coordinator, the agent and the handle share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) catalog: Catalog,
    pub(crate) repositories: Arc<dyn Repositories>,
    /// The engine of this node, to look at.
    pub(crate) source: Arc<dyn SnapshotSource>,
    pub(crate) node: NodeId,
    /// The cluster's own id, for reuse of files in repositories that several clusters write to.
    pub(crate) cluster: String,
    pub(crate) options: Options,
    pub(crate) limits: Limits,
    pub(crate) live: Live,
    pub(crate) desks: Desks,
    /// Jobs that an earlier process has begun: what that one had under way when it ended lies about unfinished.
    pub(crate) recovered: Mutex<BTreeSet<JobId>>,
}

impl Shared {
    /// The repository of a job, opened: what is asked of it counts against the job's limits, and ends when `stop` says so.
    pub(crate) async fn repository(
        &self,
        job: &JobRecord,
        stop: &CancellationToken,
    ) -> Result<(RepositoryRecord, repository::Repository)> {
        let record = self.catalog.get::<RepositoryRecord>(&keys::repository(job.repository), At::Latest).await?;
        let record = record.ok_or_else(|| Error::UnknownRepository(job.repository_name.clone()))?.record;
        let open = self.repositories.open(&record).await?;
        Ok((record, open.within(&self.limits.of(job), stop)))
    }
}

/// Submits, follows and cancels jobs. Clones share everything.
#[derive(Debug, Clone)]
pub struct Jobs {
    shared: Arc<Shared>,
}

impl Jobs {
    pub(crate) fn new(shared: Arc<Shared>) -> Self {
        Self { shared }
    }

    fn catalog(&self) -> &Catalog {
        &self.shared.catalog
    }

    /// Every job on record, oldest first.
    async fn all(&self) -> Result<Vec<Stored<JobRecord>>> {
        let mut jobs: Vec<Stored<JobRecord>> = self.catalog().list(keys::JOBS, At::Latest).await?;
        jobs.sort_by_key(|job| (job.created_ms, job.id));
        Ok(jobs)
    }

    /// The database of that name: one that exists, or one that the latest RESTORE into that name reserved.
    ///
    /// # Errors
    /// What the catalog says.
    pub async fn database(&self, name: &str) -> Result<Option<DatabaseId>> {
        if let Some(found) = self.catalog().database(name, At::Latest).await? {
            return Ok(Some(found.id));
        }
        let jobs = self.all().await?;
        Ok(jobs.iter().rev().find(|job| job.database_name == name).map(|job| job.database))
    }

    /// The last job of a kind in a database.
    ///
    /// # Errors
    /// What the catalog says.
    pub async fn last(&self, database: DatabaseId, kind: JobKind) -> Result<Option<JobView>> {
        let jobs = self.all().await?;
        match jobs.into_iter().rev().find(|job| job.database == database && job.kind() == kind) {
            Some(job) => self.view(job.record).await.map(Some),
            None => Ok(None),
        }
    }

    /// All jobs of a kind that are on record, oldest first.
    ///
    /// # Errors
    /// What the catalog says.
    pub async fn on_record(&self, kind: JobKind) -> Result<Vec<JobRecord>> {
        let jobs = self.all().await?.into_iter().map(|job| job.record);
        Ok(jobs.filter(|job| job.kind() == kind).collect())
    }

    /// All jobs of a database that are on record, oldest first.
    ///
    /// # Errors
    /// What the catalog says.
    pub async fn history(&self, database: DatabaseId) -> Result<Vec<JobView>> {
        let mut views = Vec::new();
        for job in self.all().await? {
            if job.database == database {
                views.push(self.view(job.record).await?);
            }
        }
        Ok(views)
    }

    async fn view(&self, job: JobRecord) -> Result<JobView> {
        let mut tasks = Vec::new();
        if !job.is_done() {
            let all: Vec<Stored<TaskRecord>> = self.catalog().list(&keys::tasks(job.id), At::Latest).await?;
            tasks.extend(all.into_iter().filter(|task| task.table().is_none()).map(|task| TaskView {
                kind: task.kind,
                node: task.node,
                seq: task.seq,
                progress: task.progress,
                status: task.record.status,
            }));
            tasks.sort_by_key(|task| (task.kind, task.seq));
        }
        Ok(JobView { job, tasks })
    }

    /// The job's record.
    ///
    /// # Errors
    /// `NotFound` when there is no such job (any more).
    pub async fn get(&self, id: JobId) -> Result<JobRecord> {
        Ok(journal::job(self.catalog(), id).await?.ok_or(Error::UnknownJob(id))?.record)
    }

    /// Waits until the job has ended, at most `limit`, and returns it.
    ///
    /// # Errors
    /// `TimedOut` when it has not ended by then; `NotFound` when there is no such job (any more).
    pub async fn wait(&self, id: JobId, limit: Duration) -> Result<JobRecord> {
        self.wait_until(id, limit, JobRecord::is_done).await
    }

    /// As [`Jobs::wait`], and also until nothing is left of it but its record.
    ///
    /// # Errors
    /// As [`Jobs::wait`].
    pub async fn wait_cleaned(&self, id: JobId, limit: Duration) -> Result<JobRecord> {
        self.wait_until(id, limit, JobRecord::is_cleaned).await
    }

    async fn wait_until(&self, id: JobId, limit: Duration, reached: impl Fn(&JobRecord) -> bool) -> Result<JobRecord> {
        let key = keys::job(id);
        let mut mirror = Mirror::<JobRecord>::open(self.catalog(), &key).await?;
        let deadline = rt::time::Instant::now() + limit;
        loop {
            let job = mirror.records().get(&key).ok_or(Error::UnknownJob(id))?;
            if reached(job) {
                return Ok(job.clone());
            }
            let state = job.state_name();
            if rt::time::timeout_at(deadline, mirror.changed()).await.is_err() {
                return Err(Error::StillRunning { job: id, state });
            }
        }
    }

    /// How far a job is.
    ///
    /// # Errors
    /// `NotFound` when there is no such job (any more).
    pub async fn progress(&self, id: JobId) -> Result<Progress> {
        let job = self.get(id).await?;
        let mut tasks = Vec::new();
        if !job.is_done() {
            let kind = match job.kind() {
                JobKind::Backup => "upload",
                JobKind::Restore => "download",
            };
            for task in journal::tasks(self.catalog(), id, kind).await? {
                tasks.push(self.shared.live.get(id, &task.key()).unwrap_or(task.progress));
            }
        }
        let mut progress = Progress::of(&job, &tasks);
        if !job.is_done() {
            progress.rate = self.shared.live.rate(id, progress.bytes_done);
        }
        Ok(progress)
    }

    /// A job or verifier that has not ended and uses that repository.
    ///
    /// # Errors
    /// What the catalog says.
    pub async fn uses_repository(&self, id: RepositoryId) -> Result<Option<JobId>> {
        let jobs = self.all().await?;
        if let Some(job) = jobs.iter().find(|job| !job.is_done() && job.repository == id) {
            return Ok(Some(job.id));
        }
        Ok(self.verifying(id).await?.filter(|job| !job.is_done()).map(|job| job.id))
    }

    /// Cancels the running job of that kind. When this returns the job has ended CANCELLED, the target tables of a RESTORE
    /// are as they were, and for all but trouble with the repository or a node nothing is left of it.
    ///
    /// # Errors
    /// `NotFound` when no such job runs; `Invalid` when it cannot be cancelled any more, with the reason: it has ended,
    /// its snapshot was committed first, or its data is switched already. `TimedOut` when the repository does not say
    /// whether the snapshot is committed; the job ends as soon as it does.
    pub async fn cancel(&self, database: DatabaseId, kind: JobKind) -> Result<()> {
        let Some(mut stored) = self.running(database, kind).await? else {
            return Err(match self.last(database, kind).await? {
                Some(JobView { job, .. }) => not_cancellable(&job, ""),
                None => Error::NothingToCancel { kind, database: self.database_name(database).await },
            });
        };
        let id = stored.id;
        let ended = loop {
            if let Some(reason) = state::cancel_refused(&stored) {
                return Err(not_cancellable(&stored, reason));
            }
            let event = state::cancelled_by_user(&stored);
            match journal::apply(self.catalog(), &stored, event, unix_millis()).await {
                Ok(Some(next)) => break next.record,
                // Its end was asked for before.
                Ok(None) => break stored.record,
                Err(Error::Catalog(failed)) if failed.is_conflict() => {}
                Err(failed) => return Err(failed),
            }
            stored = journal::job(self.catalog(), id).await?.ok_or(Error::UnknownJob(id))?;
        };
        if !ended.is_done() {
            let ended = self.wait(id, CANCEL_PATIENCE).await?;
            if ended.state_name() == "FINISHED" {
                return Err(not_cancellable(&ended, "; its snapshot was committed first"));
            }
        }
        // The job is cancelled whether or not this comes in time.
        if let Err(slow) = self.wait_cleaned(id, CLEAN_PATIENCE).await {
            tracing::info!(job = %id, error = %slow, "the clean-up of a cancelled job goes on");
        }
        Ok(())
    }

    /// Changes how fast the running job of that kind may talk to its repository; it follows at once, on every node.
    /// Returns the limits that hold now.
    ///
    /// # Errors
    /// `NotFound` when no such job runs.
    pub async fn set_limits(&self, database: DatabaseId, kind: JobKind, change: LimitsChange) -> Result<JobLimits> {
        loop {
            let Some(stored) = self.running(database, kind).await?.filter(|job| !job.is_done()) else {
                return Err(Error::NotRunning { kind, database: self.database_name(database).await });
            };
            let limits = change.apply(stored.limits);
            let next = JobRecord { limits, ..stored.record.clone() };
            match self.catalog().change().replace(&stored, &next).commit().await {
                Ok(_) => return Ok(limits),
                // The job has moved on.
                Err(failed) if failed.is_conflict() => {}
                Err(failed) => return Err(failed.into()),
            }
        }
    }

    /// How fast all jobs of this node together may talk to repositories.
    pub fn node_limits(&self) -> Rates {
        self.shared.limits.node().rates()
    }

    /// Sets [`node_limits`](Jobs::node_limits), for what is under way too. It is not kept over a restart, as it is with
    /// [`keep_node_limits`](Jobs::keep_node_limits).
    pub fn set_node_limits(&self, rates: Rates) {
        self.shared.limits.node().set(rates);
    }

    /// What all jobs of this node together have asked of repositories since the process began.
    pub fn node_traffic(&self) -> Traffic {
        self.shared.limits.node().traffic()
    }

    /// The job that runs in a database, if it is of that kind.
    async fn running(&self, database: DatabaseId, kind: JobKind) -> Result<Option<Stored<JobRecord>>> {
        match self.catalog().named(&keys::running(database), At::Latest).await? {
            Some(id) => Ok(journal::job(self.catalog(), JobId(id)).await?.filter(|job| job.kind() == kind)),
            None => Ok(None),
        }
    }

    async fn database_name(&self, id: DatabaseId) -> String {
        let record = self.catalog().get::<catalog::records::DatabaseRecord>(&keys::database(id), At::Latest).await;
        record.ok().flatten().map_or_else(|| id.to_string(), |database| database.name.clone())
    }

    /// Refuses when a job of that database, or into that name, has not ended.
    async fn refuse_running(&self, database: Option<DatabaseId>, name: &str) -> Result<()> {
        let marks = database.map(keys::running).into_iter().chain([running_name(name)]);
        for mark in marks {
            let Some(id) = self.catalog().named(&mark, At::Latest).await? else { continue };
            if let Some(other) = journal::job(self.catalog(), JobId(id)).await? {
                return Err(Error::Running {
                    database: name.to_owned(),
                    kind: other.kind(),
                    job: other.id,
                    label: other.label.clone(),
                });
            }
        }
        Ok(())
    }
}

fn not_cancellable(job: &JobRecord, reason: &'static str) -> Error {
    Error::NotCancellable { kind: job.kind(), job: job.id, label: job.label.clone(), state: job.state_name(), reason }
}
