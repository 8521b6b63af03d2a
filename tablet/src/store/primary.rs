//! Where each key of a Primary Key tablet lives, and what a load hides. Pure: no disk, no clock.
//!
//! Invariant: the index holds exactly the keys that the current version shows, each with the row that shows it.

use crate::view::SegmentId;
use roaring::RoaringBitmap;
use std::collections::{BTreeMap, HashMap};

/// What a map costs beside the key's bytes: its entry, the key's header, and the spare places of the table.
const ENTRY_BYTES: usize = 72;

/// A key in its order-preserving encoding.
pub(super) type Key = Box<[u8]>;

/// A row of a segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Location {
    pub(super) segment: SegmentId,
    pub(super) row: u32,
}

/// See the module's text.
#[derive(Debug, Default)]
pub(super) struct PrimaryIndex {
    rows: HashMap<Key, Location>,
    key_bytes: usize,
}

impl PrimaryIndex {
    pub(super) fn len(&self) -> usize {
        self.rows.len()
    }

    pub(super) fn get(&self, key: &[u8]) -> Option<Location> {
        self.rows.get(key).copied()
    }

    /// About how much memory it takes.
    pub(super) fn memory_bytes(&self) -> usize {
        self.key_bytes + self.rows.len() * ENTRY_BYTES
    }

    /// Adds or moves a key. Returns where it was.
    pub(super) fn insert(&mut self, key: Key, location: Location) -> Option<Location> {
        let key_bytes = key.len();
        let before = self.rows.insert(key, location);
        if before.is_none() {
            self.key_bytes += key_bytes;
        }
        before
    }

    /// Makes the changes that a load found out; see [`Upsert`].
    pub(super) fn apply(&mut self, changes: Changes) {
        for (key, location) in changes.0 {
            match location {
                Some(location) => {
                    self.insert(key, location);
                }
                None => {
                    if self.rows.remove(&key).is_some() {
                        self.key_bytes -= key.len();
                    }
                }
            }
        }
    }

    /// Follows rows to where a compaction put them.
    pub(super) fn relocate(&mut self, moved: impl Fn(Location) -> Option<Location>) {
        for location in self.rows.values_mut() {
            if let Some(to) = moved(*location) {
                *location = to;
            }
        }
    }
}

/// What a load changes in the index. Applied only when the load's version is durable.
#[derive(Debug, Default)]
pub(super) struct Changes(HashMap<Key, Option<Location>>);

/// The effect of one load's mutations, in their order, on an index that stays as it is.
#[derive(Debug)]
pub(super) struct Upsert<'a> {
    index: &'a PrimaryIndex,
    changes: Changes,
    hidden: BTreeMap<SegmentId, RoaringBitmap>,
}

impl<'a> Upsert<'a> {
    pub(super) fn new(index: &'a PrimaryIndex) -> Self {
        Self { index, changes: Changes::default(), hidden: BTreeMap::new() }
    }

    /// A row with this key at this place; it hides the one that had the key.
    pub(super) fn put(&mut self, key: Key, location: Location) {
        self.hide(&key);
        self.changes.0.insert(key, Some(location));
    }

    /// No row has this key any more.
    pub(super) fn delete(&mut self, key: Key) {
        self.hide(&key);
        self.changes.0.insert(key, None);
    }

    fn hide(&mut self, key: &[u8]) {
        let found = match self.changes.0.get(key) {
            Some(changed) => *changed,
            None => self.index.get(key),
        };
        if let Some(location) = found {
            self.hidden.entry(location.segment).or_default().insert(location.row);
        }
    }

    /// The index's changes, and the rows that are hidden in addition to those that were.
    pub(super) fn finish(self) -> (Changes, BTreeMap<SegmentId, RoaringBitmap>) {
        (self.changes, self.hidden)
    }
}

#[cfg(test)]
mod tests;
