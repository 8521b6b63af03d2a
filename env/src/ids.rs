//! Ids and versions that cross crates. Each is a `u64` of its own type; text and JSON show the bare number.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

macro_rules! number {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(
            /// The bare number.
            pub u64,
        );

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl FromStr for $name {
            type Err = std::num::ParseIntError;
            fn from_str(text: &str) -> Result<Self, Self::Err> {
                text.parse().map(Self)
            }
        }
    };
}

number!(
    /// A database.
    DatabaseId
);
number!(
    /// A table.
    TableId
);
number!(
    /// One partition of one table. A restore over a partition makes a new id; the old one goes to the recycle bin.
    PartitionId
);
number!(
    /// One bucket of one partition.
    TabletId
);
number!(
    /// A storage node.
    NodeId
);
number!(
    /// A repository as this catalog knows it.
    RepositoryId
);
number!(
    /// A BACKUP or RESTORE job.
    JobId
);
number!(
    /// One load (INSERT, UPDATE, DELETE, stream load): the unit that commits whole or not at all.
    LoadId
);
number!(
    /// A partition's visible state: 1 when empty and new, +1 for each load that commits.
    Version
);

impl Version {
    /// The version of a partition that nothing was ever loaded into.
    pub const FIRST: Self = Self(1);

    /// The version that the next load to commit will make.
    #[must_use]
    pub fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }
}
