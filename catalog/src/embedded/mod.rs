//! The store in one file of one process, for a single node: redb on a [`Disk`].
//!
//! Owns the file, the order of write transactions and the newest revision. It does not keep other processes away: who
//! opens the data directory locks it.
//!
//! Invariants:
//! * **durable before told**: a commit is synced (two-phase, so that a damaged last commit is an error and never a silent
//!   step back to the one before) before its revision is visible to anybody;
//! * **latched**: after the first failed write nothing is read or written until the file is opened again;
//! * **one writer**: write transactions queue in async code, so that the library's blocking queue is never entered;
//! * **contiguous log**: there is a log row for every revision above the floor, so history can be trimmed and watched
//!   without a search.

mod file;
pub(crate) mod fuzzing;
mod reading;
mod rows;
#[cfg(test)]
mod tests;
mod watching;
mod writing;

use crate::error::{Error, Result};
use crate::store::{At, Entry, Guard, MetaStore, Revision, ScanPage, Watch, Write, check_transaction};
use async_trait::async_trait;
use env::disk::Disk;
use env::rt;
use env::rt::sync::{OwnedMutexGuard, Semaphore, oneshot, watch};
use parking_lot::Mutex;
use reading::Snapshot;
use redb::Database;
use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, OnceLock};
use watching::Follower;
use writing::{Applied, Writer};

/// Calls that are in the file at one time; more of them wait.
const CALLS_MAX: u32 = 64;

/// Transactions that share one sync.
const GROUP_MAX: usize = 256;

/// Revisions that one commit forgets at most on top of the number it makes, so that none takes long.
const TRIM_PER_COMMIT: u64 = 64;

/// Revisions that one step of [`MetaStore::compact`] forgets.
const TRIM_PER_STEP: u64 = 4_096;

/// Settings of an [`EmbeddedStore`].
#[derive(Debug, Clone)]
pub struct EmbeddedOptions {
    /// Revisions of history that are kept; older ones are forgotten as new ones come. Readers at a revision and watchers
    /// that fall further behind get [`Error::Compacted`].
    pub history_revisions: u64,
    /// Bytes of the file kept in memory.
    pub cache_bytes: usize,
    /// Bytes that must be free on the disk, on top of what a transaction writes, for it to begin. A disk that runs full
    /// in the middle of a commit makes the store unusable until it is opened again; this refuses before.
    pub reserve_bytes: u64,
}

impl Default for EmbeddedOptions {
    fn default() -> Self {
        Self { history_revisions: 100_000, cache_bytes: 64 << 20, reserve_bytes: 16 << 20 }
    }
}

/// A [`MetaStore`] in one file. Clones share it. Dropping the last clone closes the file, blocking for a moment;
/// [`close`](EmbeddedStore::close) does so politely.
#[derive(Clone)]
pub struct EmbeddedStore(Arc<Inner>);

struct Inner {
    path: String,
    disk: Arc<dyn Disk>,
    options: EmbeddedOptions,
    /// `None` once closed.
    database: Mutex<Option<Arc<Database>>>,
    /// One permit per call that is in the file; closing takes them all.
    gate: Arc<Semaphore>,
    /// Held by the call that is writing for all that wait.
    turn: Arc<rt::sync::Mutex<()>>,
    queue: Mutex<VecDeque<Pending>>,
    /// The newest revision; also sent when the store fails or closes, to wake those who wait.
    newest: watch::Sender<u64>,
    failed: OnceLock<String>,
}

/// A transaction that waits for its turn.
struct Pending {
    guards: Vec<Guard>,
    writes: Vec<Write>,
    answer: oneshot::Sender<Result<Revision>>,
}

impl Pending {
    fn len_bytes(&self) -> u64 {
        let len = |write: &Write| match write {
            Write::Put { key, value } => key.len() + value.len(),
            Write::Delete { key } => key.len(),
        };
        self.writes.iter().map(len).sum::<usize>() as u64
    }
}

impl fmt::Debug for EmbeddedStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EmbeddedStore").field("path", &self.0.path).finish_non_exhaustive()
    }
}

impl EmbeddedStore {
    /// Opens the catalog file at `path`, making it (and its directory) when there is none. Nobody else may have it open.
    /// Reads the whole file once to check it.
    ///
    /// # Errors
    /// `Corrupt` when it is no catalog file or was damaged; [`Error::NewerFormat`]; `Full`, `Unavailable` when the
    /// disk fails.
    pub async fn open(disk: Arc<dyn Disk>, path: &str) -> Result<Self> {
        Self::open_with(disk, path, EmbeddedOptions::default()).await
    }

    /// As [`open`](EmbeddedStore::open), with settings.
    ///
    /// # Errors
    /// As [`open`](EmbeddedStore::open).
    pub async fn open_with(disk: Arc<dyn Disk>, path: &str, options: EmbeddedOptions) -> Result<Self> {
        let (on, at, cache_bytes) = (Arc::clone(&disk), path.to_owned(), options.cache_bytes);
        let opened = rt::blocking(move || guarded(&at, || file::open(&*on, &at, cache_bytes))).await?;
        tracing::debug!(path, revision = opened.revision, oldest = opened.floor, "catalog opened");
        Ok(Self(Arc::new(Inner {
            path: path.to_owned(),
            disk,
            options,
            database: Mutex::new(Some(Arc::new(opened.database))),
            gate: Arc::new(Semaphore::new(CALLS_MAX as usize)),
            turn: Arc::default(),
            queue: Mutex::default(),
            newest: watch::Sender::new(opened.revision),
            failed: OnceLock::new(),
        })))
    }

    /// Closes the file after the calls that are in it; later calls fail, watches end. Fine when it is closed already.
    ///
    /// # Errors
    /// `Unavailable` when the disk fails; everything acknowledged is durable all the same.
    pub async fn close(&self) -> Result<()> {
        let inner = &self.0;
        let Ok(all) = inner.gate.acquire_many(CALLS_MAX).await else { return Ok(()) };
        inner.gate.close();
        all.forget();
        let database = inner.database.lock().take().and_then(Arc::into_inner);
        inner.wake();
        let Some(database) = database else { return Ok(()) };
        let path = inner.path.clone();
        rt::blocking(move || guarded(&path, || database.close().map_err(|error| file::failed(&path, error)))).await
    }
}

/// Runs work on the file; a panic of the storage library, which damaged pages may cause, becomes an error.
fn guarded<R>(path: &str, work: impl FnOnce() -> Result<R>) -> Result<R> {
    env::caught(work).unwrap_or_else(|reason| Err(Error::Panicked { object: path.to_owned(), reason }))
}

impl Inner {
    fn usable(&self) -> Result<()> {
        if let Some(reason) = self.failed.get() {
            return Err(Error::Latched { object: self.path.clone(), reason: reason.clone() });
        }
        if self.gate.is_closed() { Err(Error::Closed(self.path.clone())) } else { Ok(()) }
    }

    /// Makes the store unusable; the first reason is kept.
    fn latch(&self, reason: &Error) {
        if self.failed.set(reason.to_string()).is_ok() {
            tracing::error!(path = self.path, %reason, "catalog is not usable until it is opened again");
            self.wake();
        }
    }

    fn wake(&self) {
        self.newest.send_modify(|_same| ());
    }

    /// Runs work on the file off the async threads.
    async fn run<R: Send + 'static>(
        self: &Arc<Self>,
        work: impl FnOnce(&Self, &Database) -> Result<R> + Send + 'static,
    ) -> Result<R> {
        self.usable()?;
        let permit = Arc::clone(&self.gate).acquire_owned().await;
        let permit = permit.map_err(|_closed| Error::Closed(self.path.clone()))?;
        let inner = Arc::clone(self);
        rt::blocking(move || {
            let database = inner.database.lock().clone().ok_or_else(|| Error::Closed(inner.path.clone()))?;
            let result = guarded(&inner.path, || work(&inner, &database));
            if let Err(failed @ (Error::Io { .. } | Error::Latched { .. } | Error::Panicked { .. })) = &result {
                inner.latch(failed);
            }
            // In this order, so that who holds all permits holds the only handle.
            drop(database);
            drop(permit);
            result
        })
        .await
    }

    /// Runs work on one committed state.
    async fn read<R: Send + 'static>(
        self: &Arc<Self>,
        work: impl FnOnce(&Snapshot<'_>) -> Result<R> + Send + 'static,
    ) -> Result<R> {
        self.run(move |inner, database| work(&Snapshot::open(database, &inner.path)?)).await
    }

    /// Takes a group of waiting transactions and answers each.
    fn serve(&self, database: &Database) {
        let mut group = Vec::new();
        {
            let mut queue = self.queue.lock();
            while group.len() < GROUP_MAX
                && let Some(pending) = queue.pop_front()
            {
                // Whoever stopped waiting does not want it any more.
                if !pending.answer.is_closed() {
                    group.push(pending);
                }
            }
        }
        let answers = match self.transact(database, &group) {
            Ok(answers) => answers,
            Err(failed) => group.iter().map(|_| Err(failed.clone())).collect(),
        };
        for (pending, answer) in group.into_iter().zip(answers) {
            // Whoever stopped waiting meanwhile finds out by reading.
            pending.answer.send(answer).ok();
        }
    }

    /// Makes the transactions of a group durable together; each has its own revision and its own answer.
    fn transact(&self, database: &Database, group: &[Pending]) -> Result<Vec<Result<Revision>>> {
        self.usable()?;
        self.check_space(group.iter().map(Pending::len_bytes).sum())?;
        let transaction = self.begin(database)?;
        let mut answers = Vec::with_capacity(group.len());
        let mut changed = 0;
        let wrote = Writer::open(&transaction, &self.path).and_then(|mut writer| {
            for pending in group {
                answers.push(match writer.apply(&pending.guards, &pending.writes)? {
                    Applied::Changed(revision) => {
                        changed += 1;
                        Ok(revision)
                    }
                    Applied::Unchanged(revision) => Ok(revision),
                    Applied::Refused(refused) => Err(refused),
                });
            }
            if changed > 0 {
                let below = writer.revision.saturating_sub(self.options.history_revisions);
                writer.trim(below, TRIM_PER_COMMIT + changed)?;
            }
            writer.finish()
        });
        if changed == 0 && wrote.is_ok() {
            transaction.abort().map_err(|error| file::failed(&self.path, error))?;
            return Ok(answers);
        }
        let (revision, _floor) = wrote.inspect_err(|failed| self.latch(failed))?;
        self.end(transaction)?;
        self.newest.send_replace(revision);
        Ok(answers)
    }

    fn begin(&self, database: &Database) -> Result<redb::WriteTransaction> {
        let begun = database.begin_write().map_err(|error| file::failed(&self.path, error));
        let mut transaction = begun.inspect_err(|failed| self.latch(failed))?;
        transaction.set_two_phase_commit(true);
        Ok(transaction)
    }

    fn end(&self, transaction: redb::WriteTransaction) -> Result<()> {
        transaction.commit().map_err(|error| {
            let failed =
                Error::Indeterminate { object: self.path.clone(), reason: redb::Error::from(error).to_string() };
            self.latch(&failed);
            failed
        })
    }

    /// Refuses to begin what a nearly full disk might stop half-way.
    fn check_space(&self, write_bytes: u64) -> Result<()> {
        let object = || self.path.clone();
        let free_bytes =
            self.disk.free_bytes().map_err(|source| Error::Io { object: object(), source: Arc::new(source) })?;
        // The value, its history, the log, and pages that are copied to change them.
        let needed_bytes = self.options.reserve_bytes.saturating_add(write_bytes.saturating_mul(4));
        if free_bytes < needed_bytes {
            return Err(Error::Full { object: object(), free_bytes, needed_bytes });
        }
        Ok(())
    }

    /// Forgets some history before `below`; whether there is more to forget.
    fn trim(&self, database: &Database, below: u64) -> Result<bool> {
        let transaction = self.begin(database)?;
        let wrote = Writer::open(&transaction, &self.path).and_then(|mut writer| {
            if below > writer.revision {
                return Err(Error::FutureRevision { asked: Revision(below), newest: Revision(writer.revision) });
            }
            if below <= writer.floor {
                return Ok(None);
            }
            if let Err(failed) = writer.trim(below, TRIM_PER_STEP) {
                self.latch(&failed);
                return Err(failed);
            }
            writer.finish().map(Some)
        });
        match wrote {
            Ok(Some((_revision, floor))) => {
                self.end(transaction)?;
                Ok(floor < below)
            }
            nothing => {
                transaction.abort().map_err(|error| file::failed(&self.path, error))?;
                nothing.map(|_| false)
            }
        }
    }

    async fn turn(&self) -> OwnedMutexGuard<()> {
        Arc::clone(&self.turn).lock_owned().await
    }
}

#[async_trait]
impl MetaStore for EmbeddedStore {
    async fn revision(&self) -> Result<Revision> {
        self.0.usable()?;
        Ok(Revision(*self.0.newest.borrow()))
    }

    async fn get(&self, key: &str, at: At) -> Result<Option<Entry>> {
        let key = key.to_owned();
        self.0.read(move |snapshot| snapshot.get(&key, snapshot.resolve(at)?)).await
    }

    async fn scan(&self, prefix: &str, start: Option<&str>, limit: usize, at: At) -> Result<ScanPage> {
        if limit == 0 {
            return Err(Error::Invalid("a scan of no entries".to_owned()));
        }
        let (prefix, start) = (prefix.to_owned(), start.map(str::to_owned));
        self.0.read(move |snapshot| snapshot.scan(&prefix, start.as_deref(), limit, snapshot.resolve(at)?)).await
    }

    /// Transactions that wait at the same time share a sync. A dropped call whose turn has not come never happens.
    async fn commit(&self, guards: Vec<Guard>, writes: Vec<Write>) -> Result<Revision> {
        check_transaction(&guards, &writes)?;
        self.0.usable()?;
        let (answer, mut answered) = oneshot::channel();
        self.0.queue.lock().push_back(Pending { guards, writes, answer });
        loop {
            let turn = self.0.turn().await;
            match answered.try_recv() {
                Ok(answer) => return answer,
                Err(oneshot::error::TryRecvError::Empty) => {}
                // Whoever served the group panicked and latched the store.
                Err(oneshot::error::TryRecvError::Closed) => {
                    let reason = self.0.failed.get().cloned().unwrap_or_default();
                    return Err(Error::Indeterminate { object: self.0.path.clone(), reason });
                }
            }
            self.0
                .run(move |inner, database| {
                    // Held to the end even when the caller stops waiting.
                    let _turn = turn;
                    inner.serve(database);
                    Ok(())
                })
                .await?;
        }
    }

    async fn watch(&self, prefix: &str, after: Revision) -> Result<Watch> {
        self.0.read(move |snapshot| snapshot.resolve(At::Revision(after))).await?;
        Ok(Watch::new(Follower::new(&self.0, prefix, after.0)))
    }

    async fn compact(&self, below: Revision) -> Result<()> {
        loop {
            let turn = self.0.turn().await;
            let more = self.0.run(move |inner, database| {
                let _turn = turn;
                inner.check_space(0)?;
                inner.trim(database, below.0)
            });
            if !more.await? {
                return Ok(());
            }
        }
    }
}
