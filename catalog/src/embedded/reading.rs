//! Reads of one state of the file. Blocking.

use super::file::{CELLS, CURRENT, FLOOR_CELL, HISTORY, LOG, REVISION_CELL, failed, open_cell};
use super::rows::{Row, Table, open_log};
use crate::error::{Error, Result};
use crate::store::{At, Batch, Entry, Event, Revision, ScanPage};
use bytes::Bytes;
use redb::{AccessGuard, Database, ReadOnlyTable, ReadableDatabase};
use std::ops::Bound;

/// A watch reads at most this many log rows at a time,
const LOG_ROWS_MAX: usize = 1_024;
/// and stops when it holds this many bytes of values.
const LOG_BYTES_MAX: usize = 1 << 20;

/// One committed state of the file.
pub(super) struct Snapshot<'a> {
    path: &'a str,
    current: ReadOnlyTable<&'static str, &'static [u8]>,
    history: ReadOnlyTable<(&'static str, u64), &'static [u8]>,
    log: ReadOnlyTable<u64, &'static [u8]>,
    pub(super) revision: u64,
    pub(super) floor: u64,
}

/// A key of the current table with its row.
type Pair = (AccessGuard<'static, &'static str>, AccessGuard<'static, &'static [u8]>);

impl<'a> Snapshot<'a> {
    pub(super) fn open(database: &Database, path: &'a str) -> Result<Self> {
        let transaction = database.begin_read().map_err(|error| failed(path, error))?;
        let table = |error: redb::TableError| failed(path, error);
        let cells = transaction.open_table(CELLS).map_err(table)?;
        let read = |name: &str| {
            let row = cells.get(name).map_err(|error| failed(path, error))?;
            open_cell(name, row.as_ref().map(AccessGuard::value))
        };
        Ok(Self {
            path,
            current: transaction.open_table(CURRENT).map_err(table)?,
            history: transaction.open_table(HISTORY).map_err(table)?,
            log: transaction.open_table(LOG).map_err(table)?,
            revision: read(REVISION_CELL)?,
            floor: read(FLOOR_CELL)?,
        })
    }

    /// The bare number of a state that can be read.
    pub(super) fn resolve(&self, at: At) -> Result<u64> {
        match at {
            At::Latest => Ok(self.revision),
            At::Revision(Revision(asked)) => {
                self.check(asked)?;
                Ok(asked)
            }
        }
    }

    fn check(&self, asked: u64) -> Result<()> {
        if asked > self.revision {
            return Err(Error::FutureRevision { asked: Revision(asked), newest: Revision(self.revision) });
        }
        if asked < self.floor {
            return Err(Error::Compacted { asked: Revision(asked), oldest: Revision(self.floor) });
        }
        Ok(())
    }

    fn storage<T>(&self, result: redb::Result<T>) -> Result<T> {
        result.map_err(|error| failed(self.path, error))
    }

    /// A key as it was at a revision that [`Snapshot::resolve`] gave.
    pub(super) fn get(&self, key: &str, at: u64) -> Result<Option<Entry>> {
        if let Some(row) = self.storage(self.current.get(key))? {
            let row = Row::open(Table::Current, key, 0, row.value())?;
            if row.other <= at {
                return Ok(Some(row.entry(key, row.other)));
            }
        }
        self.get_past(key, at)
    }

    /// A key's value that was replaced or deleted since, if one was there at `at`.
    fn get_past(&self, key: &str, at: u64) -> Result<Option<Entry>> {
        let mut range = self.storage(self.history.range((key, 0)..=(key, at)))?;
        let Some(pair) = range.next_back() else { return Ok(None) };
        let (full, row) = self.storage(pair)?;
        let modified = full.value().1;
        let row = Row::open(Table::History, key, modified, row.value())?;
        Ok((row.other > at).then(|| row.entry(key, modified)))
    }

    pub(super) fn scan(&self, prefix: &str, start: Option<&str>, limit: usize, at: u64) -> Result<ScanPage> {
        let from = start.filter(|start| *start > prefix).unwrap_or(prefix);
        let mut page = ScanPage { entries: Vec::new(), revision: Revision(at), next: None };
        let mut range = self.storage(self.current.range(from..))?;
        let mut current: Option<Pair> = self.storage(range.next().transpose())?;
        // In the newest state nothing of the past is visible.
        let past_matters = at < self.revision;
        let mut past = if past_matters { self.past_key(Bound::Included((from, 0)))? } else { None };
        loop {
            let present = current.as_ref().map(|(key, _)| key.value());
            let key = match (present, past.as_deref()) {
                (None, None) => return Ok(page),
                (Some(key), None) | (None, Some(key)) => key,
                (Some(one), Some(other)) => one.min(other),
            };
            // All keys from the prefix on that do not begin with it come after those that do.
            if !key.starts_with(prefix) {
                return Ok(page);
            }
            let in_current = present == Some(key);
            let in_past = past.as_deref() == Some(key);
            let mut found = match &current {
                Some((_, row)) if in_current => {
                    let row = Row::open(Table::Current, key, 0, row.value())?;
                    (row.other <= at).then(|| row.entry(key, row.other))
                }
                _ => None,
            };
            if found.is_none() && in_past {
                found = self.get_past(key, at)?;
            }
            if let Some(entry) = found {
                if page.entries.len() == limit {
                    page.next = Some(entry.key);
                    return Ok(page);
                }
                page.entries.push(entry);
            }
            if in_past {
                past = self.past_key(Bound::Excluded((key, u64::MAX)))?;
            }
            if in_current {
                current = self.storage(range.next().transpose())?;
            }
        }
    }

    /// The first key with a past from `from` on.
    fn past_key(&self, from: Bound<(&str, u64)>) -> Result<Option<String>> {
        let mut range = self.storage(self.history.range::<(&str, u64)>((from, Bound::Unbounded)))?;
        let first = self.storage(range.next().transpose())?;
        Ok(first.map(|(key, _)| key.value().0.to_owned()))
    }

    /// Changes under `prefix` after a revision, and the revision up to which all of them were looked at.
    pub(super) fn changes(&self, prefix: &str, after: u64) -> Result<(Vec<Batch>, u64)> {
        self.check(after)?;
        let (mut batches, mut upto, mut bytes) = (Vec::new(), after, 0);
        let rows = self.storage(self.log.range(after.saturating_add(1)..))?;
        for pair in rows.take(LOG_ROWS_MAX) {
            let (revision, row) = self.storage(pair)?;
            let revision = revision.value();
            if revision != upto + 1 {
                return Err(Error::corrupt("log", format!("a row {}", upto + 1), format!("row {revision}")));
            }
            let mut events = Vec::new();
            for change in open_log(revision, row.value())?.iter().filter(|change| change.key.starts_with(prefix)) {
                let value = if change.put { Some(self.value(change.key, revision)?) } else { None };
                bytes += value.as_ref().map_or(0, Bytes::len);
                events.push(Event { key: change.key.to_owned(), value });
            }
            if !events.is_empty() {
                batches.push(Batch { revision: Revision(revision), events });
            }
            upto = revision;
            if bytes >= LOG_BYTES_MAX {
                break;
            }
        }
        Ok((batches, upto))
    }

    /// The value that a revision gave a key.
    fn value(&self, key: &str, revision: u64) -> Result<Bytes> {
        match self.get(key, revision)? {
            Some(entry) if entry.modified.0 == revision => Ok(entry.value),
            other => {
                let found = other.map_or_else(|| "nothing".to_owned(), |entry| format!("that of {}", entry.modified));
                Err(Error::corrupt(format!("row {key:?}"), format!("the value of revision {revision}"), found))
            }
        }
    }
}
