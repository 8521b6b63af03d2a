//! Jobs and tasks in the catalog: reading them, following them, and the one way to change a job.

use crate::error::{Error, Result};
use crate::state::{self, Event};
use catalog::records::job::{JobRecord, JobWork, RestoreState};
use catalog::records::task::TaskRecord;
use catalog::records::{TableRecord, TableState};
use catalog::{At, Catalog, Change, Record, Stored, Watch, keys};
use env::canary::{self, Canary};
use env::ids::JobId;
use env::rt::{self, Duration};
use std::collections::BTreeMap;
use std::marker::PhantomData;

/// The mark of a database that a RESTORE will make: two of them must not run at once either.
pub(crate) fn running_name(name: &str) -> String {
    format!("running/name/{name}")
}

/// Records that one transaction may write, so that transactions stay small.
pub(crate) const BATCH: usize = 256;

/// Begins the transaction that turns a job into `next`: guarded by the job as it was read, and with everything that
/// must happen in the same instant. At a job's end its database's mark goes; when a RESTORE ends without its switch,
/// the marks of its target tables go.
pub(crate) async fn transition(catalog: &Catalog, stored: &Stored<JobRecord>, next: &JobRecord) -> Result<Change> {
    let change = catalog.change();
    let mut change = if canary::sings(Canary::Unfenced) { change.put(next) } else { change.replace(stored, next) };
    if next.is_done() && !stored.is_done() {
        change = change.release_name(keys::running(next.database));
        if let JobWork::Restore { spec, progress } = &next.work {
            if spec.creates_database {
                change = change.release_name(running_name(&next.database_name));
            }
            if matches!(progress, RestoreState::Cancelled { .. }) {
                for table in marked_tables(catalog, next).await? {
                    let normal = TableRecord { state: TableState::Normal, ..table.record.clone() };
                    change = change.replace(&table, &normal);
                }
            }
        }
    }
    Ok(change)
}

/// The tables that a RESTORE has marked.
async fn marked_tables(catalog: &Catalog, job: &JobRecord) -> Result<Vec<Stored<TableRecord>>> {
    let mut tables = catalog.tables(job.database, At::Latest).await?;
    tables.retain(|table| matches!(&table.state, TableState::Restoring { job: owner, .. } if *owner == job.id));
    Ok(tables)
}

/// Applies an event to a job and journals the result; `None` when the event does not fit the job as it is now.
///
/// # Errors
/// `Conflict` when the job has changed since it was read.
pub(crate) async fn apply(
    catalog: &Catalog,
    stored: &Stored<JobRecord>,
    event: Event,
    now_ms: u64,
) -> Result<Option<Stored<JobRecord>>> {
    let next = state::apply(stored.record.clone(), event, now_ms);
    if next == stored.record {
        return Ok(None);
    }
    let modified = transition(catalog, stored, &next).await?.commit().await?;
    Ok(Some(Stored { record: next, created: stored.created, modified }))
}

/// The job with this id.
pub(crate) async fn job(catalog: &Catalog, id: JobId) -> Result<Option<Stored<JobRecord>>> {
    Ok(catalog.get(&keys::job(id), At::Latest).await?)
}

/// Writes tasks in bounded transactions, each only if the job is as it was read.
pub(crate) async fn put_tasks(catalog: &Catalog, job: &Stored<JobRecord>, tasks: &[TaskRecord]) -> Result<()> {
    // A task record is large; see `TaskSizes`.
    for batch in tasks.chunks(32) {
        let mut change = catalog.change().unchanged(job);
        for task in batch {
            change = change.put(task);
        }
        change.commit().await?;
    }
    Ok(())
}

/// All tasks of a job of one kind, in the order of their numbers.
pub(crate) async fn tasks(catalog: &Catalog, job: JobId, kind: &str) -> Result<Vec<Stored<TaskRecord>>> {
    let mut tasks: Vec<Stored<TaskRecord>> = catalog.list(&format!("{}{kind}/", keys::tasks(job)), At::Latest).await?;
    tasks.sort_by_key(|task| task.seq);
    Ok(tasks)
}

/// Deletes tasks of a job, those for which `which` says so by key.
pub(crate) async fn delete_tasks(catalog: &Catalog, job: JobId, which: impl Fn(&TaskRecord) -> bool) -> Result<()> {
    let tasks: Vec<Stored<TaskRecord>> = catalog.list(&keys::tasks(job), At::Latest).await?;
    let doomed: Vec<String> = tasks.iter().filter(|task| which(task)).map(|task| task.key()).collect();
    delete_keys(catalog, &doomed).await
}

/// Deletes keys in bounded transactions.
pub(crate) async fn delete_keys(catalog: &Catalog, doomed: &[String]) -> Result<()> {
    for batch in doomed.chunks(BATCH) {
        let mut change = catalog.change();
        for key in batch {
            change = change.delete_raw(key.clone());
        }
        change.commit().await?;
    }
    Ok(())
}

/// The records under a prefix, kept up to date.
#[derive(Debug)]
pub(crate) struct Mirror<R> {
    catalog: Catalog,
    prefix: String,
    records: BTreeMap<String, R>,
    /// Absent until the state has been read, and after the watch fell behind.
    watch: Option<Watch>,
    record: PhantomData<R>,
}

impl<R: Record> Mirror<R> {
    /// Reads the records under `prefix` and follows them from there.
    pub(crate) async fn open(catalog: &Catalog, prefix: &str) -> Result<Self> {
        let mut mirror = Self {
            catalog: catalog.clone(),
            prefix: prefix.to_owned(),
            records: BTreeMap::new(),
            watch: None,
            record: PhantomData,
        };
        mirror.read().await?;
        Ok(mirror)
    }

    async fn read(&mut self) -> Result<()> {
        let revision = self.catalog.revision().await?;
        let all = self.catalog.list::<R>(&self.prefix, At::Revision(revision)).await?;
        let watch = self.catalog.store().watch(&self.prefix, revision).await?;
        self.records = all.into_iter().map(|stored| (stored.key(), stored.record)).collect();
        self.watch = Some(watch);
        Ok(())
    }

    pub(crate) fn records(&self) -> &BTreeMap<String, R> {
        &self.records
    }

    /// Waits until something under the prefix has changed and takes it over. Dropping the future loses nothing.
    pub(crate) async fn changed(&mut self) {
        loop {
            let failed: Error = match &mut self.watch {
                Some(watch) => match watch.next().await {
                    Ok(batch) => {
                        let mut broken = None;
                        for event in batch.events {
                            match event.value.map(|value| catalog::record::decode::<R>(&event.key, &value)) {
                                Some(Ok(record)) => drop(self.records.insert(event.key, record)),
                                Some(Err(failed)) => broken = Some(failed),
                                None => drop(self.records.remove(&event.key)),
                            }
                        }
                        match broken {
                            None => return,
                            Some(failed) => failed.into(),
                        }
                    }
                    Err(failed) => failed.into(),
                },
                None => match self.read().await {
                    Ok(()) => return,
                    Err(failed) => failed,
                },
            };
            // The watch fell behind, or the store does not answer: read the whole again.
            tracing::debug!(prefix = self.prefix, error = %failed, "following anew");
            self.watch = None;
            rt::time::sleep(Duration::from_millis(200)).await;
        }
    }
}
