//! Loads: the record whose change from preparing to committed makes rows visible.

use crate::keys;
use crate::record::Record;
use env::ids::{DatabaseId, LoadId, NodeId, PartitionId, TabletId, Version};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// One load.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LoadRecord {
    /// Its id.
    pub id: LoadId,
    /// Its label, unique in the database among loads that were not aborted; `None` when none was given.
    pub label: Option<String>,
    /// The database that it loads into.
    pub database: DatabaseId,
    /// The node that runs it.
    pub node: NodeId,
    /// Where it is.
    pub state: LoadState,
    /// The tablets that it prepared rows in.
    pub tablets: Vec<TabletId>,
    /// When it began, in milliseconds since 1970.
    pub created_ms: u64,
    /// When it ended, in milliseconds since 1970; 0 while it runs.
    pub finished_ms: u64,
    /// Rows that it changed.
    pub rows: u64,
}

/// Where a load is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LoadState {
    /// Rows are being prepared; none is visible.
    Preparing,
    /// Its rows are visible from these versions on.
    Committed {
        /// The version that it made of each partition it touched.
        versions: BTreeMap<PartitionId, Version>,
    },
    /// It failed or was given up; none of its rows was ever visible.
    Aborted {
        /// Why.
        reason: String,
    },
}

impl Record for LoadRecord {
    const KIND: &'static str = "load";
    const FORMAT: u32 = 1;

    fn key(&self) -> String {
        keys::load(self.id)
    }
}
