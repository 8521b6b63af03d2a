//! Tables: columns, layout, and the list of partitions that queries see.

use crate::keys;
use crate::record::Record;
use env::ids::{DatabaseId, JobId, PartitionId, TableId};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TableRecord {
    /// Its id; a restore that replaces the table's data keeps it.
    pub id: TableId,
    /// The database that it is in.
    pub database: DatabaseId,
    /// Its name, unique in the database; case counts.
    pub name: String,
    /// The columns in order; key columns come first.
    pub columns: Vec<ColumnRecord>,
    /// What equal keys mean.
    pub model: KeyModelRecord,
    /// How rows of one partition are spread over its tablets.
    pub distribution: Distribution,
    /// How rows are spread over partitions.
    pub partitioning: Partitioning,
    /// The partitions that exist for queries, in the order of their bounds.
    pub partitions: Vec<PartitionEntry>,
    /// Properties as given, by name.
    pub properties: BTreeMap<String, String>,
    /// The comment; empty for none.
    pub comment: String,
    /// When it was made, in milliseconds since 1970.
    pub created_ms: u64,
    /// Whether loads and changes of the structure are let in.
    pub state: TableState,
}

/// A column.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ColumnRecord {
    /// Its name, unique in the table whatever the case.
    pub name: String,
    /// Its type as canonical SQL text, such as `DECIMAL(15,2)`.
    pub data_type: String,
    /// Whether it belongs to the key.
    pub key: bool,
    /// Whether it may be NULL.
    pub nullable: bool,
    /// What it does with the values of rows of equal keys: for each value column of an Aggregate Key table and no other.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub aggregation: Option<AggregationRecord>,
    /// What a load that leaves the column out gets; `None` when it must not.
    pub default: Option<DefaultRecord>,
    /// The comment; empty for none.
    pub comment: String,
}

/// A column's default.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DefaultRecord {
    /// A value, as text.
    Literal(String),
    /// The time of the load.
    CurrentTimestamp,
    /// NULL.
    Null,
}

/// How the values of a column become one when rows have equal keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AggregationRecord {
    /// Their sum.
    Sum,
    /// The least.
    Min,
    /// The greatest.
    Max,
    /// The last one.
    Replace,
    /// The last one that is not NULL.
    ReplaceIfNotNull,
}

/// What rows with equal keys mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum KeyModelRecord {
    /// They are all kept.
    Duplicate,
    /// The last one counts.
    Primary,
    /// The last one counts, which is found out when they are read.
    Unique,
    /// Their values are aggregated when they are read.
    Aggregate,
}

impl KeyModelRecord {
    /// The format of records that have a table of this model in them: 2 is the first one with those whose rows are merged
    /// when they are read.
    pub(crate) fn format(self) -> u32 {
        match self {
            Self::Duplicate | Self::Primary => 1,
            Self::Unique | Self::Aggregate => 2,
        }
    }
}

/// How rows of one partition are spread over its tablets.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Distribution {
    /// By a hash of these columns.
    Hash {
        /// Names of columns.
        columns: Vec<String>,
    },
    /// Anyhow.
    Random,
}

/// How rows are spread over partitions.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Partitioning {
    /// There is one partition for all.
    None,
    /// By ranges of these columns' values.
    Range {
        /// Names of columns.
        columns: Vec<String>,
    },
    /// By lists of these columns' values.
    List {
        /// Names of columns.
        columns: Vec<String>,
    },
}

/// A partition as its table lists it. Versions are not here but in
/// [`PartitionRecord`](crate::records::PartitionRecord), so that a load does not rewrite the table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PartitionEntry {
    /// Its id; a restore over the partition, or a truncation, puts another one here.
    pub id: PartitionId,
    /// Its name, unique in the table.
    pub name: String,
    /// Which rows belong to it.
    pub bounds: BoundsRecord,
    /// How many tablets it has.
    pub buckets: u32,
}

/// Which rows belong to a partition. Values are canonical text of the columns' types.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BoundsRecord {
    /// All.
    All,
    /// Those from `lower` on and before `upper`, compared column by column.
    Range {
        /// Inclusive; `None` for no bound.
        lower: Option<Vec<String>>,
        /// Exclusive; `None` for no bound.
        upper: Option<Vec<String>>,
    },
    /// Those whose values are one of these tuples.
    List {
        /// One value per partition column; `None` is NULL.
        values: Vec<Vec<Option<String>>>,
    },
}

/// Whether loads and changes of the structure are let in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TableState {
    /// They are.
    Normal,
    /// A RESTORE is about to replace data: queries see the old data, loads and DDL are refused.
    Restoring {
        /// The job.
        job: JobId,
        /// The snapshot's label, for messages.
        label: String,
    },
}

impl TableRecord {
    /// The listed partition of that name; case counts.
    pub fn partition(&self, name: &str) -> Option<&PartitionEntry> {
        self.partitions.iter().find(|entry| entry.name == name)
    }

    /// Position of the column of that name; case does not count.
    pub fn column(&self, name: &str) -> Option<usize> {
        self.columns.iter().position(|column| column.name.to_lowercase() == name.to_lowercase())
    }
}

impl Record for TableRecord {
    const KIND: &'static str = "table";
    const FORMAT: u32 = 2;

    fn format(&self) -> u32 {
        self.model.format()
    }

    fn key(&self) -> String {
        keys::table(self.database, self.id)
    }
}
