//! Statements that bring back what was dropped or replaced.

use super::ObjectName;

/// `RECOVER ..`
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Recover {
    /// `RECOVER DATABASE d [id] [AS e]`
    Database {
        /// Its name when it was dropped.
        name: String,
        /// Which, of several that were dropped under that name; `None` means the last.
        id: Option<u64>,
        /// Its name from then on; `None` means as before.
        new_name: Option<String>,
    },
    /// `RECOVER TABLE t [id] [AS u]`
    Table {
        /// Its name when it was dropped.
        name: ObjectName,
        /// Which, of several that were dropped under that name; `None` means the last.
        id: Option<u64>,
        /// Its name from then on; `None` means as before.
        new_name: Option<String>,
    },
    /// `RECOVER PARTITION p [id] FROM t`
    Partition {
        /// Its name when it was dropped or truncated.
        name: String,
        /// Which, of several that were dropped under that name; `None` means the last that had rows.
        id: Option<u64>,
        /// Its table.
        table: ObjectName,
    },
}
