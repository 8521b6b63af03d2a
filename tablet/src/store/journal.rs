//! The store's metadata file: named tables of framed records in redb, changed by whole transactions.
//!
//! Owns the file and the order of its transactions; what the records mean is the business of others. Changes that are
//! asked for at the same time share one transaction, so that a load over a hundred tablets costs a few syncs and not a
//! hundred. Each request brings a closure that changes the memory to match; it runs once, right after the commit, in
//! the order of the requests, whether or not the asking future still lives: durable state and memory cannot part.
//!
//! A commit that fails is resolved before anybody is told: the file is opened anew and its transaction number says
//! whether the commit is in it. Only when that cannot be found out, or when it was a sync that failed, the journal takes
//! no further changes until the process is started again.

use crate::error::{Error, ErrorKind, Result};
use crate::store::StoreError;
use crate::store::backend::Backend;
use crate::store::record::{self, Record, SequenceRecord};
use env::disk::{self, Disk};
use env::rt;
use env::rt::sync::oneshot;
use parking_lot::Mutex;
use redb::{Database, ReadableDatabase, ReadableTable, TableDefinition};
use std::sync::Arc;

/// The metadata file, relative to the disk.
pub(super) const JOURNAL_PATH: &str = "tablets/store.redb";
const CACHE_BYTES: usize = 16 << 20;
const SEQUENCE_KEY: &[u8] = b"sequence";

type Definition = TableDefinition<'static, &'static [u8], &'static [u8]>;

/// The tables of the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Table {
    Tablets,
    Counters,
    Rowsets,
    States,
    Deletes,
    Prepared,
    Positions,
    Pins,
    Stages,
    Meta,
}

impl Table {
    const ALL: [Self; 10] = [
        Self::Tablets,
        Self::Counters,
        Self::Rowsets,
        Self::States,
        Self::Deletes,
        Self::Prepared,
        Self::Positions,
        Self::Pins,
        Self::Stages,
        Self::Meta,
    ];

    fn definition(self) -> Definition {
        TableDefinition::new(match self {
            Self::Tablets => "tablets",
            Self::Counters => "counters",
            Self::Rowsets => "rowsets",
            Self::States => "states",
            Self::Deletes => "deletes",
            Self::Prepared => "prepared",
            Self::Positions => "positions",
            Self::Pins => "pins",
            Self::Stages => "stages",
            Self::Meta => "meta",
        })
    }
}

/// Changes that become durable together.
#[derive(Debug, Default)]
pub(super) struct Edits(Vec<Edit>);

#[derive(Debug)]
struct Edit {
    table: Table,
    key: Vec<u8>,
    /// None removes the key.
    value: Option<Vec<u8>>,
}

impl Edits {
    pub(super) fn put<R: Record>(&mut self, table: Table, key: &[u64], record: &R) -> Result<()> {
        self.put_bytes(table, key, record::encode(record)?);
        Ok(())
    }

    pub(super) fn put_bytes(&mut self, table: Table, key: &[u64], value: Vec<u8>) {
        self.0.push(Edit { table, key: record::key(key), value: Some(value) });
    }

    pub(super) fn delete(&mut self, table: Table, key: &[u64]) {
        self.0.push(Edit { table, key: record::key(key), value: None });
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

struct Request {
    edits: Edits,
    apply: Box<dyn FnOnce() + Send>,
    done: oneshot::Sender<Result<(), StoreError>>,
}

/// The open file. Dropping it closes it, which reads and writes pages; a panic of that ends here.
struct OpenFile {
    /// `None` only while it is dropped.
    database: Option<Database>,
    backend: Backend,
}

impl OpenFile {
    fn database(&self) -> Result<&Database, Failure> {
        self.database.as_ref().ok_or_else(|| Failure::damaged("the file is being closed".to_owned()))
    }
}

impl Drop for OpenFile {
    fn drop(&mut self) {
        let database = self.database.take();
        if let Err(panic) = env::caught(|| drop(database)) {
            tracing::error!(file = JOURNAL_PATH, panic, "the metadata file is damaged: closing it failed");
        }
    }
}

struct Slot {
    file: Option<OpenFile>,
    transactions: u64,
    /// Why no changes are taken any more.
    stopped: Option<StoreError>,
}

/// A redb error as what it asks the caller to do.
struct Failure {
    kind: ErrorKind,
    message: String,
}

impl<E: Into<redb::Error>> From<E> for Failure {
    fn from(error: E) -> Self {
        let error = error.into();
        #[expect(clippy::wildcard_enum_match_arm, reason = "the enum is open; all else is worth a retry")]
        let kind = match &error {
            redb::Error::Io(failed) => crate::error::io_kind(failed),
            redb::Error::Corrupted(_) => ErrorKind::Corrupt,
            _ => ErrorKind::Unavailable,
        };
        Self { kind, message: error.to_string() }
    }
}

impl Failure {
    fn damaged(message: String) -> Self {
        Self { kind: ErrorKind::Corrupt, message }
    }
}

/// Runs work on the file; a panic of the storage library, which damaged pages may cause, becomes an error.
fn guarded<R>(work: impl FnOnce() -> Result<R, Failure>) -> Result<R, Failure> {
    env::caught(work).unwrap_or_else(|panic| Err(Failure::damaged(format!("{JOURNAL_PATH} is damaged: {panic}"))))
}

impl From<Failure> for StoreError {
    fn from(failure: Failure) -> Self {
        Self::Metadata { kind: failure.kind, message: failure.message }
    }
}

/// See the module's text. Clones share the file.
#[derive(Clone)]
pub(super) struct Journal {
    disk: Arc<dyn Disk>,
    queue: Arc<Mutex<Vec<Request>>>,
    slot: Arc<Mutex<Slot>>,
    /// Taken before the thread would block on redb's own writer lock.
    writer: Arc<rt::sync::Mutex<()>>,
}

impl std::fmt::Debug for Journal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Journal").finish_non_exhaustive()
    }
}

impl Journal {
    /// Opens the file, or makes it. Blocks.
    pub(super) fn open(disk: Arc<dyn Disk>) -> Result<Self> {
        match disk.len(JOURNAL_PATH) {
            Ok(_) => {}
            Err(missing) if missing.kind() == std::io::ErrorKind::NotFound => create(&*disk)?,
            Err(failed) => return Err(Error::io("open", JOURNAL_PATH)(failed)),
        }
        let (file, transactions) = open_file(&*disk)?;
        let slot = Slot { file: Some(file), transactions, stopped: None };
        Ok(Self { disk, queue: Arc::default(), slot: Arc::new(Mutex::new(slot)), writer: Arc::default() })
    }

    /// Every record of a table, in key order. Blocks.
    pub(super) fn load(&self, table: Table) -> Result<Vec<(Vec<u8>, Vec<u8>)>> {
        let slot = self.slot.lock();
        let Some(file) = &slot.file else { return Err(StoreError::Closed.into()) };
        let read = || -> Result<_, Failure> {
            let rows = file.database()?.begin_read()?.open_table(table.definition())?;
            let mut records = Vec::new();
            for row in rows.iter()? {
                let (key, value) = row?;
                records.push((key.value().to_vec(), value.value().to_vec()));
            }
            Ok(records)
        };
        Ok(guarded(read).map_err(StoreError::from)?)
    }

    /// Makes `edits` durable, then runs `apply`. When this returns an error nothing was changed, neither in the file nor in memory.
    /// Dropping the future does not take the request back.
    pub(super) async fn commit(&self, edits: Edits, apply: impl FnOnce() + Send + 'static) -> Result<()> {
        let (done, answer) = oneshot::channel();
        self.queue.lock().push(Request { edits, apply: Box::new(apply), done });
        let this = self.clone();
        // A task of its own: the request has been made, and what it holds (locks of tablets) must come free even if
        // nobody waits for the answer any more.
        rt::spawn(async move {
            let turn = Arc::clone(&this.writer).lock_owned().await;
            if !this.queue.lock().is_empty() {
                rt::blocking(move || {
                    this.commit_queue();
                    drop(turn);
                })
                .await;
            }
        });
        match answer.await {
            Ok(answer) => Ok(answer?),
            Err(_runtime_gone) => Err(StoreError::Closed.into()),
        }
    }

    /// Closes the file: later changes are refused.
    pub(super) async fn close(&self) {
        let turn = Arc::clone(&self.writer).lock_owned().await;
        let slot = Arc::clone(&self.slot);
        rt::blocking(move || {
            let mut slot = slot.lock();
            slot.stopped.get_or_insert(StoreError::Closed);
            slot.file = None;
            drop(turn);
        })
        .await;
    }

    fn commit_queue(&self) {
        let batch = std::mem::take(&mut *self.queue.lock());
        if batch.is_empty() {
            return;
        }
        let mut slot = self.slot.lock();
        match self.commit_batch(&mut slot, &batch) {
            Ok(()) => {
                for request in batch {
                    (request.apply)();
                    // Nobody may be waiting any more; the change is made all the same.
                    drop(request.done.send(Ok(())));
                }
            }
            Err(failed) => {
                for request in batch {
                    // The closure first: it holds locks that the caller may want again at once.
                    drop(request.apply);
                    drop(request.done.send(Err(failed.clone())));
                }
            }
        }
    }

    fn commit_batch(&self, slot: &mut Slot, batch: &[Request]) -> Result<(), StoreError> {
        if let Some(why) = &slot.stopped {
            return Err(why.clone());
        }
        let Some(file) = &slot.file else { return Err(StoreError::Closed) };
        let attempt = slot.transactions + 1;
        let edits = batch.iter().flat_map(|request| &request.edits.0);
        let Err(failure) = guarded(|| write(file.database()?, attempt, edits)) else {
            slot.transactions = attempt;
            return Ok(());
        };
        let sync_failed = file.backend.sync_failed();
        slot.file = None;
        if sync_failed {
            slot.stopped = Some(StoreError::Latched(failure.message.clone()));
        } else {
            match open_file(&*self.disk) {
                Ok((file, transactions)) => {
                    slot.file = Some(file);
                    slot.transactions = transactions;
                    if transactions == attempt {
                        return Ok(());
                    }
                }
                Err(lost) => slot.stopped = Some(StoreError::Latched(format!("{}; then {lost}", failure.message))),
            }
        }
        Err(failure.into())
    }
}

fn write<'a>(database: &Database, attempt: u64, edits: impl Iterator<Item = &'a Edit>) -> Result<(), Failure> {
    let mut transaction = database.begin_write()?;
    // A damaged last commit must be an error when the file is opened again, never a silent step back to the one
    // before: what it prepared may be committed in the catalog.
    transaction.set_two_phase_commit(true);
    for edit in edits {
        let mut table = transaction.open_table(edit.table.definition())?;
        match &edit.value {
            Some(value) => drop(table.insert(edit.key.as_slice(), value.as_slice())?),
            None => drop(table.remove(edit.key.as_slice())?),
        }
    }
    put_sequence(&transaction, attempt)?;
    Ok(transaction.commit()?)
}

fn put_sequence(transaction: &redb::WriteTransaction, transactions: u64) -> Result<(), Failure> {
    let value = record::encode(&SequenceRecord { transactions })
        .map_err(|failed| Failure { kind: ErrorKind::Internal, message: failed.to_string() })?;
    let mut table = transaction.open_table(Table::Meta.definition())?;
    drop(table.insert(SEQUENCE_KEY, value.as_slice())?);
    Ok(())
}

/// Makes the file under a temporary name and puts it in place whole: redb does not open a file whose making was cut
/// short.
fn create(disk: &dyn Disk) -> Result<()> {
    let temporary = format!("{JOURNAL_PATH}.{}{}", env::rand::token(), disk::TEMPORARY_SUFFIX);
    let file = disk.create(&temporary).map_err(Error::io("create", &temporary))?;
    let initialise = || -> Result<(), Failure> {
        let database = builder().create_with_backend(Backend::new(file))?;
        let transaction = database.begin_write()?;
        for table in Table::ALL {
            drop(transaction.open_table(table.definition())?);
        }
        put_sequence(&transaction, 0)?;
        Ok(transaction.commit()?)
    };
    guarded(initialise).map_err(StoreError::from)?;
    disk.rename(&temporary, JOURNAL_PATH).map_err(Error::io("rename", &temporary))?;
    disk.sync_dir(disk::parent(JOURNAL_PATH)).map_err(Error::io("sync", disk::parent(JOURNAL_PATH)))
}

fn open_file(disk: &dyn Disk) -> Result<(OpenFile, u64)> {
    let file = disk.open(JOURNAL_PATH).map_err(Error::io("open", JOURNAL_PATH))?;
    let backend = Backend::new(file);
    let open = || -> Result<_, Failure> {
        let database = Some(builder().create_with_backend(backend.clone())?);
        let file = OpenFile { database, backend };
        let table = file.database()?.begin_read()?.open_table(Table::Meta.definition())?;
        let value = table.get(SEQUENCE_KEY)?.map(|value| value.value().to_vec());
        drop(table);
        Ok((file, value))
    };
    let (file, value) = guarded(open).map_err(StoreError::from)?;
    let value = value.ok_or_else(|| Error::corrupt(JOURNAL_PATH, "a sequence record", "none"))?;
    let sequence: SequenceRecord = record::decode(&[], &value)?;
    Ok((file, sequence.transactions))
}

fn builder() -> redb::Builder {
    let mut builder = Database::builder();
    builder.set_cache_size(CACHE_BYTES);
    // Reads the whole file, all records of which are read anyway; without this a changed byte is found by chance or by a
    // panic.
    builder.set_check_integrity_on_open(true);
    builder
}

#[cfg(test)]
mod tests;
