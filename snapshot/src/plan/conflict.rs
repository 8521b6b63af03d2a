//! What is in a plan's way.

use env::ids::TabletId;
use std::fmt;

/// One thing that is in a plan's way.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, thiserror::Error)]
#[non_exhaustive]
pub enum Conflict {
    /// BACKUP names a table that does not exist.
    #[error("table {0} does not exist")]
    UnknownTable(String),
    /// BACKUP names a partition that does not exist.
    #[error("partition {partition} does not exist in table {table}")]
    UnknownPartition {
        /// The table.
        table: String,
        /// The partition.
        partition: String,
    },
    /// A table is named twice.
    #[error("duplicated table {0}")]
    DuplicateTable(String),
    /// A partition is named twice.
    #[error("duplicated partition {partition} of table {table}")]
    DuplicatePartition {
        /// The table.
        table: String,
        /// The partition.
        partition: String,
    },
    /// BACKUP gives an alias.
    #[error("cannot set an alias in BACKUP: {table} AS {alias}")]
    AliasInBackup {
        /// The table.
        table: String,
        /// The alias.
        alias: String,
    },
    /// BACKUP of nothing.
    #[error("database {0} is empty")]
    EmptyDatabase(String),
    /// No node that is known has a replica.
    #[error(
        "failed to choose a replica of tablet {tablet} in partition {partition} of table {table}: it is on nodes [{replicas}], none of which is known"
    )]
    NoReplica {
        /// The table.
        table: String,
        /// The partition.
        partition: String,
        /// The tablet.
        tablet: TabletId,
        /// The nodes that should have one.
        replicas: String,
    },
    /// RESTORE names a table that the snapshot does not hold.
    #[error("table {table} does not exist in snapshot {label}")]
    NotInSnapshot {
        /// The table.
        table: String,
        /// The snapshot.
        label: String,
    },
    /// RESTORE names a partition that the snapshot does not hold.
    #[error("partition {partition} of table {table} does not exist in snapshot {label}")]
    PartitionNotInSnapshot {
        /// The table.
        table: String,
        /// The partition.
        partition: String,
        /// The snapshot.
        label: String,
    },
    /// RESTORE of nothing.
    #[error("snapshot {0} holds no tables")]
    EmptySnapshot(String),
    /// Two tables would be restored under one name.
    #[error("duplicated alias name {0}")]
    DuplicateAlias(String),
    /// An alias that no table may have.
    #[error("{0}")]
    WrongName(String),
    /// The target table is not in its normal state.
    #[error("table {table} is in state {state}; wait until that has ended")]
    NotNormal {
        /// The table.
        table: String,
        /// Its state.
        state: String,
    },
    /// The snapshot describes a table in a way that cannot be understood.
    #[error("table {table} of the snapshot cannot be restored here: {reason}")]
    NotUnderstood {
        /// The table.
        table: String,
        /// Why.
        reason: String,
    },
    /// The tables are of different key models.
    #[error("table {table} exists but is of a different key type: {here} here, {there} in the snapshot")]
    OtherKeyModel {
        /// The table.
        table: String,
        /// What it is here.
        here: &'static str,
        /// What it is in the snapshot.
        there: &'static str,
    },
    /// The tables differ in the number of columns.
    #[error("table {table} exists but with different schema: {here} columns here, {there} in the snapshot")]
    OtherColumnCount {
        /// The table.
        table: String,
        /// Columns here.
        here: usize,
        /// Columns in the snapshot.
        there: usize,
    },
    /// The tables differ in a column.
    #[error(
        "table {table} exists but with different schema: column {position} is {here} here, {there} in the snapshot"
    )]
    OtherColumn {
        /// The table.
        table: String,
        /// Counted from 1.
        position: usize,
        /// What it is here.
        here: String,
        /// What it is in the snapshot.
        there: String,
    },
    /// The tables are partitioned in different ways.
    #[error("table {table} exists but its partition type is different: {here} here, {there} in the snapshot")]
    OtherPartitioning {
        /// The table.
        table: String,
        /// How it is here.
        here: String,
        /// How it is in the snapshot.
        there: String,
    },
    /// The tables are distributed in different ways.
    #[error("table {table} exists but its distribution is different: {here} here, {there} in the snapshot")]
    OtherDistribution {
        /// The table.
        table: String,
        /// How it is here.
        here: String,
        /// How it is in the snapshot.
        there: String,
    },
    /// A partition of the same name holds other rows.
    #[error("partition {partition} of table {table} has a different range: {here} here, {there} in the snapshot")]
    OtherBounds {
        /// The table.
        table: String,
        /// The partition.
        partition: String,
        /// What it is here.
        here: String,
        /// What it is in the snapshot.
        there: String,
    },
    /// A partition that is only in the snapshot shares rows with one that is only here.
    #[error(
        "partition {partition} of table {table} conflicts with existing ranges: {there} overlaps partition {other}, {here}"
    )]
    Overlap {
        /// The table.
        table: String,
        /// The partition in the snapshot.
        partition: String,
        /// Its bounds.
        there: String,
        /// The partition here.
        other: String,
        /// Its bounds.
        here: String,
    },
    /// Other tables would go although only a part of the snapshot is restored.
    #[error(
        "\"clean_tables\" drops every table that the snapshot does not have, so it goes with a RESTORE of the whole \
         snapshot only; leave ON and EXCLUDE out"
    )]
    CleanTablesOfPart,
    /// There are not as many nodes as replicas are asked for.
    #[error("failed to find {wanted} different hosts for {wanted} replicas, there are {have}; set \"replication_num\"")]
    TooFewNodes {
        /// Replicas asked for.
        wanted: u32,
        /// Nodes.
        have: usize,
    },
}

/// How many conflicts an error text tells one by one.
const TOLD_MAX: usize = 40;

/// Everything that is in a plan's way; never empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Conflicts(Vec<Conflict>);

impl Conflicts {
    /// `Ok` when there is none.
    ///
    /// # Errors
    /// The conflicts, when there are any.
    pub fn check(conflicts: Vec<Conflict>) -> Result<(), Self> {
        if conflicts.is_empty() { Ok(()) } else { Err(Self(conflicts)) }
    }

    /// One by one.
    pub fn list(&self) -> &[Conflict] {
        &self.0
    }
}

impl From<Conflict> for Conflicts {
    fn from(conflict: Conflict) -> Self {
        Self(vec![conflict])
    }
}

impl fmt::Display for Conflicts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, conflict) in self.0.iter().take(TOLD_MAX).enumerate() {
            if position > 0 {
                f.write_str("; ")?;
            }
            write!(f, "{conflict}")?;
        }
        match self.0.len().saturating_sub(TOLD_MAX) {
            0 => Ok(()),
            more => write!(f, "; and {more} more"),
        }
    }
}

impl std::error::Error for Conflicts {}
