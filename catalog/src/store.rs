//! The contract of a metadata store: ordered keys under one counter of revisions.
//!
//! Every transaction that changes something makes the next [`Revision`]. The state at any revision can be read until
//! [`MetaStore::compact`] forgets it, so a reader who takes several calls can take them all at one revision. This text
//! is the contract and [`crate::conformance`] is its test; what neither settles is left to the implementation.

use crate::error::{Error, Result};
use async_trait::async_trait;
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use std::fmt;

/// Longest key in bytes.
pub const KEY_BYTES_MAX: usize = 8 << 10;

/// Longest value in bytes.
pub const VALUE_BYTES_MAX: usize = 16 << 20;

/// The number of a state of the whole store. It grows by one for each transaction that changes something; what number an
/// empty store has is up to the implementation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Revision(
    /// The bare number.
    pub u64,
);

impl fmt::Display for Revision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// One key with its value at some revision.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The key.
    pub key: String,
    /// Its value.
    pub value: Bytes,
    /// The revision at which the key came into being; deleting and making it again changes this.
    pub created: Revision,
    /// The revision at which this value was written.
    pub modified: Revision,
}

/// Which state to read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum At {
    /// The newest one: it includes every transaction acknowledged before the call.
    Latest,
    /// The state as that transaction left it.
    Revision(Revision),
}

/// A part of a scan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScanPage {
    /// In ascending order of the keys' bytes.
    pub entries: Vec<Entry>,
    /// The state that was read. Ask for the following pages at this revision.
    pub revision: Revision,
    /// Where the following page starts; `None` after the last.
    pub next: Option<String>,
}

/// What must hold for a transaction to happen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Guard {
    /// There is no such key.
    Absent(String),
    /// The key exists and was last written at `modified`.
    Unchanged {
        /// The key.
        key: String,
        /// What [`Entry::modified`] was when it was read.
        modified: Revision,
    },
}

/// One change of a transaction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Write {
    /// Makes the key or replaces its value.
    Put {
        /// The key: not empty, at most [`KEY_BYTES_MAX`].
        key: String,
        /// The value: at most [`VALUE_BYTES_MAX`].
        value: Bytes,
    },
    /// Removes the key; nothing happens when there is none.
    Delete {
        /// The key.
        key: String,
    },
}

impl Write {
    /// The key that it changes.
    pub fn key(&self) -> &str {
        match self {
            Self::Put { key, .. } | Self::Delete { key } => key,
        }
    }
}

/// A key that changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// The key.
    pub key: String,
    /// Its new value; `None` when it was deleted.
    pub value: Option<Bytes>,
}

/// All changes under a watched prefix that one transaction made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Batch {
    /// The transaction's revision.
    pub revision: Revision,
    /// At least one, in ascending order of the keys.
    pub events: Vec<Event>,
}

/// Ordered keys with revisions and guarded transactions.
///
/// Calls may be made from many tasks at once. A transaction that has returned is durable and is seen by every call that
/// starts afterwards. Dropping the future of a call is harmless, except that a dropped [`commit`](MetaStore::commit)
/// may or may not happen.
#[async_trait]
pub trait MetaStore: fmt::Debug + Send + Sync + 'static {
    /// The newest revision.
    ///
    /// # Errors
    /// `Unavailable` when the store cannot be reached.
    async fn revision(&self) -> Result<Revision>;

    /// One key.
    ///
    /// # Errors
    /// [`Error::Compacted`] or [`Error::FutureRevision`] when there is no such revision; `Unavailable`, `Corrupt`.
    async fn get(&self, key: &str, at: At) -> Result<Option<Entry>>;

    /// At most `limit` (at least 1) keys that begin with `prefix`, from `start` (inclusive) on; all keys when `prefix` is
    /// empty. Keys before the prefix are passed over, whatever `start` says.
    ///
    /// # Errors
    /// `Invalid` when `limit` is 0; [`Error::Compacted`] or [`Error::FutureRevision`] when there is no such revision;
    /// `Unavailable`, `Corrupt`.
    async fn scan(&self, prefix: &str, start: Option<&str>, limit: usize, at: At) -> Result<ScanPage>;

    /// Makes all of `writes` at one new revision if every guard holds, else nothing. Returns that revision; when nothing
    /// changes (no writes, or only deletes of keys that are not there) no revision is made and the newest one is returned.
    ///
    /// # Errors
    /// [`Error::Conflict`] names the first guard's key that did not hold, nothing was written then. `Invalid` when a
    /// key is written twice, is empty or too long, or a value is too long. `Full`, `Unavailable`: nothing was
    /// written. `Indeterminate`: all of it or nothing was.
    async fn commit(&self, guards: Vec<Guard>, writes: Vec<Write>) -> Result<Revision>;

    /// Follows the keys that begin with `prefix`: every change after the revision `after`, then those to come.
    ///
    /// # Errors
    /// [`Error::Compacted`] when changes after `after` are forgotten already; [`Error::FutureRevision`]; `Unavailable`.
    async fn watch(&self, prefix: &str, after: Revision) -> Result<Watch>;

    /// Forgets history: states and changes before the revision `below` can no longer be read, nor watched from. The state
    /// at `below` and those after it stay. Fine when they are forgotten already.
    ///
    /// # Errors
    /// [`Error::FutureRevision`] when `below` does not exist yet; `Unavailable`, `Full`, `Corrupt`.
    async fn compact(&self, below: Revision) -> Result<()>;
}

/// What feeds a [`Watch`]; each implementation of [`MetaStore`] has its own.
#[async_trait]
pub trait Follow: Send + 'static {
    /// As [`Watch::next`].
    ///
    /// # Errors
    /// As [`Watch::next`].
    async fn next(&mut self) -> Result<Batch>;
}

/// A followed prefix; see [`MetaStore::watch`].
pub struct Watch(Box<dyn Follow>);

impl Watch {
    /// Wraps an implementation's source.
    pub fn new(source: impl Follow) -> Self {
        Self(Box::new(source))
    }

    /// The next transaction that changed something under the prefix, in order, none left out. Waits for it. Dropping
    /// the future loses nothing.
    ///
    /// # Errors
    /// [`Error::Compacted`] when it fell so far behind that the changes are forgotten: read the present state and watch
    /// from its revision. `Unavailable` when the store was closed or failed. After an error every call fails.
    pub async fn next(&mut self) -> Result<Batch> {
        self.0.next().await
    }
}

impl fmt::Debug for Watch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Watch").finish_non_exhaustive()
    }
}

/// Refuses what no implementation takes, so that all refuse the same.
///
/// # Errors
/// `Invalid` when a key is written twice, is empty or too long, or a value is too long.
pub fn check_transaction(guards: &[Guard], writes: &[Write]) -> Result<()> {
    for guard in guards {
        let (Guard::Absent(key) | Guard::Unchanged { key, .. }) = guard;
        check_key(key)?;
    }
    let mut keys: Vec<&str> = Vec::with_capacity(writes.len());
    for write in writes {
        check_key(write.key())?;
        if let Write::Put { key, value } = write
            && value.len() > VALUE_BYTES_MAX
        {
            let len = value.len();
            return Err(Error::Invalid(format!("the value of {key:?} has {len} bytes, at most {VALUE_BYTES_MAX} fit")));
        }
        keys.push(write.key());
    }
    keys.sort_unstable();
    match keys.array_windows().find(|[a, b]| a == b) {
        Some([key, _]) => Err(Error::Invalid(format!("{key:?} is written twice in one transaction"))),
        None => Ok(()),
    }
}

fn check_key(key: &str) -> Result<()> {
    match key.len() {
        0 => Err(Error::Invalid("a key is empty".to_owned())),
        1..=KEY_BYTES_MAX => Ok(()),
        len => Err(Error::Invalid(format!("a key has {len} bytes, at most {KEY_BYTES_MAX} fit"))),
    }
}
