//! The model: what a tablet store is, said as plainly as can be.

use crate::support::{Rows, shown};
use env::ids::{JobId, LoadId, TabletId, Version};
use std::collections::BTreeMap;
use tablet::KeyModel;

pub type Key = i64;

#[derive(Debug, Clone)]
pub enum Mutate {
    /// Rows with these keys; their values come from the load.
    Rows(Vec<Key>),
    /// Rows with these keys go: by key in a Primary Key tablet, by position in the other kinds.
    Delete(Vec<Key>),
}

/// A mutation as it was prepared.
#[derive(Debug, Clone)]
pub enum Change {
    Put(Rows),
    DeleteKeys(Vec<Key>),
    /// The very rows that were seen.
    DeleteRows(Rows),
}

#[derive(Debug, Clone)]
pub struct Tablet {
    pub model: KeyModel,
    pub version: Version,
    /// As they were loaded, in this order; what is seen of them is [`Tablet::rows`].
    pub loaded: Rows,
}

impl Tablet {
    pub fn new(model: KeyModel) -> Self {
        Self { model, version: Version::FIRST, loaded: Rows::new() }
    }

    pub fn rows(&self) -> Rows {
        shown(self.model, &self.loaded)
    }

    pub fn apply(&mut self, changes: &[Change]) {
        for change in changes {
            match change {
                Change::Put(new) => {
                    for row in new {
                        if self.model == KeyModel::Primary {
                            self.loaded.retain(|(key, _)| *key != row.0);
                        }
                        self.loaded.push(row.clone());
                    }
                }
                Change::DeleteKeys(keys) => self.loaded.retain(|(key, _)| !keys.contains(key)),
                // Each value occurs once, so a value names a row; one that another load has deleted is gone already.
                Change::DeleteRows(gone) => self.loaded.retain(|row| !gone.contains(row)),
            }
        }
        self.version = self.version.next();
    }
}

#[derive(Debug, Default, Clone)]
pub struct World {
    pub tablets: BTreeMap<TabletId, Tablet>,
    pub loads: BTreeMap<LoadId, BTreeMap<TabletId, Vec<Change>>>,
    pub pins: BTreeMap<JobId, BTreeMap<TabletId, Tablet>>,
    pub next_load: u64,
    pub next_tablet: u64,
    pub next_value: u64,
}

impl World {
    pub fn tablet(&self, number: usize) -> Option<TabletId> {
        let at = number.checked_rem(self.tablets.len())?;
        self.tablets.keys().nth(at).copied()
    }

    pub fn load(&self, number: usize) -> Option<LoadId> {
        let at = number.checked_rem(self.loads.len())?;
        self.loads.keys().nth(at).copied()
    }

    /// The tablets whose bits are set.
    pub fn chosen(&self, bits: u8) -> Vec<TabletId> {
        let set = |(at, id): (usize, &TabletId)| (bits >> (at % 8) & 1 == 1).then_some(*id);
        self.tablets.keys().enumerate().filter_map(set).collect()
    }
}
