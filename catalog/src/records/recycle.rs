//! The recycle bin: what was dropped or overwritten and can still be brought back.

use crate::keys;
use crate::record::Record;
use crate::records::{DatabaseRecord, PartitionEntry, TableRecord};
use env::ids::{DatabaseId, JobId, PartitionId, TableId, Version};
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
    /// What a RESTORE replaced in a table, if anything, and what it brought.
    Overwritten {
        /// The job.
        job: JobId,
        /// As it was, with the partitions that the table lists no more; they belong to the bin.
        table: Box<TableRecord>,
        /// What undoing the RESTORE takes away.
        #[serde(default, skip_serializing_if = "Brought::is_nothing")]
        brought: Brought,
    },
    /// A table that a RESTORE made. Nothing of it is in the bin; it is how undoing the RESTORE knows the table.
    Made {
        /// The job.
        job: JobId,
        /// The table.
        table: TableId,
        /// Its name when it was made.
        name: String,
        /// Whether the database was made with it.
        with_database: bool,
        /// What undoing the RESTORE takes away.
        brought: Brought,
    },
    /// A dropped database; its tables are in the bin one by one.
    Database {
        /// As it was.
        record: DatabaseRecord,
    },
}

/// What a RESTORE brought into one table.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Brought {
    /// How many tables the job wrote in all: so many records of it are in the bin until the first of them is removed.
    pub tables: u64,
    /// The table's new partitions.
    pub partitions: Vec<BroughtPartition>,
}

impl Brought {
    fn is_nothing(&self) -> bool {
        *self == Self::default()
    }
}

/// One partition that a RESTORE brought.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct BroughtPartition {
    /// Its id.
    pub id: PartitionId,
    /// The version that came with it; a later one means that rows were loaded since.
    pub version: Version,
    /// The partition whose place it took.
    pub replaces: Option<PartitionId>,
}

impl Record for RecycleRecord {
    const KIND: &'static str = "recycle bin";
    const FORMAT: u32 = 2;

    fn format(&self) -> u32 {
        match &self.what {
            Recycled::Table { record } | Recycled::Overwritten { table: record, .. } => record.format(),
            Recycled::Partition { .. } | Recycled::Made { .. } | Recycled::Database { .. } => 1,
        }
    }

    fn key(&self) -> String {
        keys::recycled(self.id)
    }
}
