//! Rows on their way into a table: cast strictly to the table's types.

use crate::datum::ValueError;
use thiserror::Error;

/// A row that does not fit the table.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("row {}, column '{column}': {problem}", row + 1)]
pub struct RowError {
    /// The row in the batch, from 0; shown from 1. A caller that reads many batches adds the rows before.
    pub row: usize,
    /// The column's name.
    pub column: String,
    /// What is wrong.
    pub problem: ValueError,
}
