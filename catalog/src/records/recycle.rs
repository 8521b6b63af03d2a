//! The recycle bin: what was dropped or overwritten and can still be brought back.

use crate::keys;
use crate::record::Record;
use crate::records::{DatabaseRecord, PartitionEntry, TableRecord};
use env::ids::{DatabaseId, JobId, TableId};
use serde::{Deserialize, Serialize};

/// Something in the recycle bin.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecycleRecord {
    /// Its id in the bin.
    pub id: u64,
    /// The database that it was in, or was.
    pub database: DatabaseId,
    /// When it was put there, in milliseconds since 1970.
    pub dropped_ms: u64,
    /// From when on its data may be removed, in milliseconds since 1970.
    pub expires_ms: u64,
    /// What it is.
    pub what: Recycled,
}

/// What the recycle bin holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Recycled {
    /// A dropped table.
    Table {
        /// As it was.
        record: Box<TableRecord>,
    },
    /// A dropped or truncated partition.
    Partition {
        /// Its table.
        table: TableId,
        /// As the table listed it.
        entry: PartitionEntry,
    },
    /// What a RESTORE replaced.
    Overwritten {
        /// The job.
        job: JobId,
        /// As it was; of its partitions, those that are no longer listed belong to the bin.
        table: Box<TableRecord>,
    },
    /// A dropped database; its tables are in the bin one by one.
    Database {
        /// As it was.
        record: DatabaseRecord,
    },
}

impl Record for RecycleRecord {
    const KIND: &'static str = "recycle bin";
    const FORMAT: u32 = 2;

    fn format(&self) -> u32 {
        match &self.what {
            Recycled::Table { record } | Recycled::Overwritten { table: record, .. } => record.format(),
            Recycled::Partition { .. } | Recycled::Database { .. } => 1,
        }
    }

    fn key(&self) -> String {
        keys::recycled(self.id)
    }
}
