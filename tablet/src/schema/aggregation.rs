//! What value columns do when rows have equal keys, and which tables merge such rows when they are read.

use super::KeyModel;
use crate::types::ColumnType;
use serde::{Deserialize, Serialize};
use std::fmt;

/// How the values of a column become one when rows have equal keys. Rows come in the order in which they were loaded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Aggregation {
    /// Their sum; NULL does not count. NULL when all are NULL.
    Sum,
    /// The least; NULL does not count. NULL when all are NULL.
    Min,
    /// The greatest; NULL does not count. NULL when all are NULL.
    Max,
    /// The last one, be it NULL.
    Replace,
    /// The last one that is not NULL; NULL when all are NULL.
    ReplaceIfNotNull,
}

impl Aggregation {
    /// Whether a column of this type can have it.
    pub fn takes(self, data_type: ColumnType) -> bool {
        match self {
            Self::Sum => matches!(
                data_type,
                ColumnType::TinyInt
                    | ColumnType::SmallInt
                    | ColumnType::Int
                    | ColumnType::BigInt
                    | ColumnType::LargeInt
                    | ColumnType::Float
                    | ColumnType::Double
                    | ColumnType::Decimal { .. }
            ),
            Self::Min | Self::Max | Self::Replace | Self::ReplaceIfNotNull => true,
        }
    }
}

impl fmt::Display for Aggregation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Sum => "SUM",
            Self::Min => "MIN",
            Self::Max => "MAX",
            Self::Replace => "REPLACE",
            Self::ReplaceIfNotNull => "REPLACE_IF_NOT_NULL",
        })
    }
}

impl KeyModel {
    /// Whether rows of equal keys in different rowsets become one only when they are read.
    pub fn merges_on_read(self) -> bool {
        match self {
            Self::Duplicate | Self::Primary => false,
            Self::Unique | Self::Aggregate => true,
        }
    }

    /// Its name with an article, for messages.
    pub fn with_article(self) -> String {
        let article = if self == Self::Aggregate { "an" } else { "a" };
        format!("{article} {self}")
    }

    /// Whether no two rows of a rowset have the same key.
    pub(crate) fn is_distinct(self) -> bool {
        self != Self::Duplicate
    }
}

impl fmt::Display for KeyModel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Duplicate => "DUPLICATE KEY",
            Self::Primary => "PRIMARY KEY",
            Self::Unique => "UNIQUE KEY",
            Self::Aggregate => "AGGREGATE KEY",
        })
    }
}
