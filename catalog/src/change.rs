//! One guarded transaction, built step by step.

use crate::error::{Error, Result};
use crate::record::{Record, Stored, encode};
use crate::records::NameRecord;
use crate::store::{Guard, MetaStore, Revision, Write};
use bytes::Bytes;
use std::sync::Arc;

/// One guarded transaction on the catalog: nothing happens before [`commit`](Change::commit), then all of it or nothing.
#[derive(Debug)]
#[must_use = "nothing is written before commit"]
pub struct Change {
    store: Arc<dyn MetaStore>,
    guards: Vec<Guard>,
    writes: Vec<Write>,
    /// The first step that could not be taken; told by `commit`.
    failed: Option<Error>,
}

impl Change {
    pub(crate) fn new(store: Arc<dyn MetaStore>) -> Self {
        Self { store, guards: Vec::new(), writes: Vec::new(), failed: None }
    }

    fn guard(mut self, guard: Guard) -> Self {
        // The same guard twice is common when steps are composed; it holds or fails once.
        if !self.guards.contains(&guard) {
            self.guards.push(guard);
        }
        self
    }

    fn write<R: Record>(mut self, record: &R) -> Self {
        match encode(record) {
            Ok(value) => self.writes.push(Write::Put { key: record.key(), value }),
            Err(failed) => drop(self.failed.get_or_insert(failed)),
        }
        self
    }

    /// Only if there is no such key.
    pub fn absent_key(self, key: impl Into<String>) -> Self {
        self.guard(Guard::Absent(key.into()))
    }

    /// Only if the record was not written since it was read.
    pub fn unchanged<R: Record>(self, read: &Stored<R>) -> Self {
        let key = read.record.key();
        self.unchanged_key(key, read.modified)
    }

    /// Only if the key was last written at `modified`.
    pub fn unchanged_key(self, key: impl Into<String>, modified: Revision) -> Self {
        self.guard(Guard::Unchanged { key: key.into(), modified })
    }

    /// Writes a record that must not exist yet.
    pub fn create<R: Record>(self, record: &R) -> Self {
        self.absent_key(record.key()).write(record)
    }

    /// Writes a record, whatever was there. For records that have one writer.
    pub fn put<R: Record>(self, record: &R) -> Self {
        self.write(record)
    }

    /// Writes `new` over what was read, only if that was not written since.
    pub fn replace<R: Record>(mut self, read: &Stored<R>, new: &R) -> Self {
        if read.record.key() != new.key() {
            let (from, to) = (read.record.key(), new.key());
            let reason = format!("{from:?} cannot be replaced by the record of {to:?}");
            self.failed.get_or_insert(Error::Internal { object: to, reason });
        }
        self.unchanged(read).write(new)
    }

    /// Removes what was read, only if that was not written since.
    pub fn delete<R: Record>(self, read: &Stored<R>) -> Self {
        let key = read.record.key();
        self.unchanged(read).delete_raw(key)
    }

    /// Writes bytes under a key, whatever was there.
    pub fn put_raw(mut self, key: impl Into<String>, value: impl Into<Bytes>) -> Self {
        self.writes.push(Write::Put { key: key.into(), value: value.into() });
        self
    }

    /// Removes a key, whatever was there.
    pub fn delete_raw(mut self, key: impl Into<String>) -> Self {
        self.writes.push(Write::Delete { key: key.into() });
        self
    }

    /// Gives a free name (a key of [`crate::keys`]) to the thing with this id.
    pub fn claim_name(self, name_key: impl Into<String>, id: u64) -> Self {
        let key = name_key.into();
        self.absent_key(key.clone()).put_raw(key, NameRecord::new(id).encode())
    }

    /// Makes a name free. Guard the record that has the name as well, or somebody else's name may go.
    pub fn release_name(self, name_key: impl Into<String>) -> Self {
        self.delete_raw(name_key)
    }

    /// Makes all changes at one new revision if every guard holds, else none; see [`MetaStore::commit`].
    ///
    /// # Errors
    /// [`Error::Conflict`] names the key of the guard that failed; `Invalid` when a key is written twice;
    /// `Full`, `Unavailable`: nothing was written; `Indeterminate`: all of it or nothing was.
    pub async fn commit(self) -> Result<Revision> {
        match self.failed {
            Some(failed) => Err(failed),
            None => self.store.commit(self.guards, self.writes).await,
        }
    }
}
