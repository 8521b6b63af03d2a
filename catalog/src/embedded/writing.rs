//! Changes to the file within one write transaction of the storage library. Blocking.

use super::file::{CELLS, CURRENT, FLOOR_CELL, HISTORY, LOG, REVISION_CELL, failed, open_cell, seal_cell};
use super::rows::{Change, Row, Table as Kind, open_log, seal_log};
use crate::error::{Error, KeyState, Result};
use crate::store::{Guard, Revision, Write};
use redb::{AccessGuard, ReadableTable, Table, WriteTransaction};

/// The tables of one write transaction.
pub(super) struct Writer<'t> {
    path: &'t str,
    cells: Table<'t, &'static str, &'static [u8]>,
    current: Table<'t, &'static str, &'static [u8]>,
    history: Table<'t, (&'static str, u64), &'static [u8]>,
    log: Table<'t, u64, &'static [u8]>,
    pub(super) revision: u64,
    pub(super) floor: u64,
}

/// What became of one transaction in a write transaction of the storage library.
pub(super) enum Applied {
    /// Its writes are in the tables.
    Changed(Revision),
    /// It holds, and nothing had to be written.
    Unchanged(Revision),
    /// It cannot happen; the tables are as they were.
    Refused(Error),
}

impl<'t> Writer<'t> {
    pub(super) fn open(transaction: &'t WriteTransaction, path: &'t str) -> Result<Self> {
        let table = |error: redb::TableError| failed(path, error);
        let cells = transaction.open_table(CELLS).map_err(table)?;
        let read = |name: &str| {
            let row = cells.get(name).map_err(|error| failed(path, error))?;
            open_cell(name, row.as_ref().map(AccessGuard::value))
        };
        let (revision, floor) = (read(REVISION_CELL)?, read(FLOOR_CELL)?);
        Ok(Self {
            path,
            cells,
            current: transaction.open_table(CURRENT).map_err(table)?,
            history: transaction.open_table(HISTORY).map_err(table)?,
            log: transaction.open_table(LOG).map_err(table)?,
            revision,
            floor,
        })
    }

    /// Applies a transaction that [`check_transaction`](crate::store::check_transaction) let through.
    ///
    /// # Errors
    /// When a write failed half-way: the whole write transaction must be given up then.
    pub(super) fn apply(&mut self, guards: &[Guard], writes: &[Write]) -> Result<Applied> {
        let prepared = self.check_guards(guards).and_then(|()| self.prepare(writes));
        let steps = match prepared {
            Ok(steps) => steps,
            Err(refused) => return Ok(Applied::Refused(refused)),
        };
        if steps.is_empty() {
            return Ok(Applied::Unchanged(Revision(self.revision)));
        }
        let revision = self.revision + 1;
        let mut changes = Vec::with_capacity(steps.len());
        for step in &steps {
            changes.push(self.write(step, revision)?);
        }
        let row = seal_log(revision, &changes);
        self.log.insert(revision, row.as_slice()).map_err(|error| failed(self.path, error))?;
        self.revision = revision;
        Ok(Applied::Changed(Revision(revision)))
    }

    fn check_guards(&self, guards: &[Guard]) -> Result<()> {
        for guard in guards {
            let (key, expected) = match guard {
                Guard::Absent(key) => (key, KeyState::Absent),
                Guard::Unchanged { key, modified } => (key, KeyState::Modified(*modified)),
            };
            let row = self.current.get(key.as_str()).map_err(|error| failed(self.path, error))?;
            let found = match &row {
                None => KeyState::Absent,
                Some(row) => KeyState::Modified(Revision(Row::open(Kind::Current, key, 0, row.value())?.other)),
            };
            if found != expected {
                return Err(Error::Conflict { key: key.clone(), expected, found });
            }
        }
        Ok(())
    }

    /// What there is to do, in the order of the keys. Only reads, so that a transaction that fails here touched nothing.
    fn prepare<'w>(&self, writes: &'w [Write]) -> Result<Vec<Step<'w>>> {
        let mut steps = Vec::with_capacity(writes.len());
        for write in writes {
            let key = write.key();
            let row = self.current.get(key).map_err(|error| failed(self.path, error))?;
            let before = match &row {
                None => None,
                Some(row) => {
                    let row = Row::open(Kind::Current, key, 0, row.value())?;
                    Some(Before { created: row.created, modified: row.other, value: row.value.to_vec() })
                }
            };
            let value = match write {
                Write::Put { value, .. } => Some(&value[..]),
                Write::Delete { .. } if before.is_none() => continue,
                Write::Delete { .. } => None,
            };
            steps.push(Step { key, value, before });
        }
        steps.sort_unstable_by_key(|step| step.key);
        Ok(steps)
    }

    fn write<'w>(&mut self, step: &Step<'w>, revision: u64) -> Result<Change<'w>> {
        let path = self.path;
        let mut previous = 0;
        let mut created = revision;
        if let Some(before) = &step.before {
            previous = before.modified;
            let row = Row { created: before.created, other: revision, value: &before.value };
            let row = row.seal(Kind::History, step.key, previous);
            self.history.insert((step.key, previous), row.as_slice()).map_err(|error| failed(path, error))?;
            created = before.created;
        }
        match step.value {
            Some(value) => {
                let row = Row { created, other: revision, value }.seal(Kind::Current, step.key, 0);
                self.current.insert(step.key, row.as_slice()).map_err(|error| failed(path, error))?;
            }
            None => drop(self.current.remove(step.key).map_err(|error| failed(path, error))?),
        }
        Ok(Change { key: step.key, put: step.value.is_some(), previous })
    }

    /// Forgets what only states before `below` need, at most `revisions_max` revisions of it.
    pub(super) fn trim(&mut self, below: u64, revisions_max: u64) -> Result<()> {
        let path = self.path;
        let upto = below.min(self.revision).min(self.floor.saturating_add(revisions_max));
        for revision in self.floor + 1..=upto {
            let row = self.log.remove(revision).map_err(|error| failed(path, error))?;
            let row = row.ok_or_else(|| Error::corrupt("log", format!("a row {revision}"), "nothing"))?;
            for change in open_log(revision, row.value())?.iter().filter(|change| change.previous != 0) {
                // Visible until this revision, so to no state from here on.
                let removed = self.history.remove((change.key, change.previous));
                if removed.map_err(|error| failed(path, error))?.is_none() {
                    let object = format!("history of {:?}", change.key);
                    return Err(Error::corrupt(object, format!("a row {}", change.previous), "nothing"));
                }
            }
        }
        self.floor = self.floor.max(upto);
        Ok(())
    }

    /// Writes the numbers that changed; the last step.
    pub(super) fn finish(mut self) -> Result<(u64, u64)> {
        for (name, value) in [(REVISION_CELL, self.revision), (FLOOR_CELL, self.floor)] {
            self.cells.insert(name, seal_cell(name, value).as_slice()).map_err(|error| failed(self.path, error))?;
        }
        Ok((self.revision, self.floor))
    }
}

/// One key's change, with what it replaces.
struct Step<'w> {
    key: &'w str,
    /// `None` to delete.
    value: Option<&'w [u8]>,
    before: Option<Before>,
}

struct Before {
    created: u64,
    modified: u64,
    value: Vec<u8>,
}
