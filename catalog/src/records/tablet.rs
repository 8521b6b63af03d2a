//! Tablets: which nodes hold each bucket of a partition.

use crate::keys;
use crate::record::Record;
use env::ids::{NodeId, PartitionId, TableId, TabletId};
use serde::{Deserialize, Serialize};

/// One bucket of one partition.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TabletRecord {
    /// Its id.
    pub id: TabletId,
    /// Its table.
    pub table: TableId,
    /// Its partition.
    pub partition: PartitionId,
    /// Its place in the partition, from 0 on, below 1,000,000.
    pub bucket: u32,
    /// The nodes that hold a replica.
    pub replicas: Vec<NodeId>,
}

impl Record for TabletRecord {
    const KIND: &'static str = "tablet";
    const FORMAT: u32 = 1;

    fn key(&self) -> String {
        keys::tablet(self.partition, self.bucket)
    }
}
