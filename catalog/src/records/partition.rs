//! Partitions: the visible version of each.

use crate::keys;
use crate::record::Record;
use env::ids::{JobId, PartitionId, TableId, Version};
use serde::{Deserialize, Serialize};

/// A partition's visible state. For queries it exists only while its table lists it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PartitionRecord {
    /// Its id.
    pub id: PartitionId,
    /// Its table.
    pub table: TableId,
    /// The version that queries read; each load that commits makes the next one.
    pub visible_version: Version,
    /// When that version was made, in milliseconds since 1970.
    pub visible_ms: u64,
    /// Where it is in its life.
    pub state: PartitionState,
}

/// Where a partition is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PartitionState {
    /// A RESTORE is filling it; no table lists it yet.
    Hidden {
        /// The job.
        job: JobId,
    },
    /// Its table lists it.
    Live,
    /// The recycle bin holds it; no table lists it any more.
    Recycled,
}

impl Record for PartitionRecord {
    const KIND: &'static str = "partition";
    const FORMAT: u32 = 1;

    fn key(&self) -> String {
        keys::partition(self.table, self.id)
    }
}
