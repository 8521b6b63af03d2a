//! Which partition and bucket a row belongs to.

use thiserror::Error;

/// Why rows cannot be spread over partitions.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum RouteError {
    /// No partition takes the row.
    #[error("row {}: no partition for ({values}); add a partition that takes it", row + 1)]
    NoPartition {
        /// The row in the batch, from 0; shown from 1.
        row: usize,
        /// The values of its partition columns.
        values: String,
    },
    /// Partitions or columns that cannot be.
    #[error("{0}")]
    Layout(String),
}
