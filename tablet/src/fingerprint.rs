//! Do two sets of rows hold the same? An answer that does not depend on the order of rows, on how they are cut into batches,
//! or on which segments they came from.

#[cfg(test)]
mod tests;

use crate::error::Result;
use crate::values::{Values, unpacked};
use arrow::array::RecordBatch;
use std::fmt;

/// Count and sum, modulo 2^128, of a 128-bit hash of each row: the first half of BLAKE3 over the canonical encoding of its values.
/// Rows that occur twice count twice. Column names do not count, column order does; an INT and a BIGINT of one value are the same.
///
/// It tells accidents, not attacks: who may choose rows at will could make two sets collide.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Fingerprint {
    /// How many rows.
    pub rows: u64,
    /// The sum of their hashes.
    pub sum: u128,
}

impl Fingerprint {
    /// Takes in the rows of a batch: of a table, or of a query's result.
    ///
    /// # Errors
    /// `Invalid` when a column's type is none that a column or an ordinary result has.
    pub fn add(&mut self, batch: &RecordBatch) -> Result<()> {
        let columns = batch.columns().iter().map(unpacked).collect::<Result<Vec<_>>>()?;
        let values = columns.iter().map(|array| Values::of(array)).collect::<Result<Vec<_>>>()?;
        let mut row_bytes = Vec::new();
        for row in 0..batch.num_rows() {
            row_bytes.clear();
            for column in &values {
                column.get(row)?.encode(&mut row_bytes);
            }
            let hash = blake3::hash(&row_bytes);
            let half = hash.as_bytes().first_chunk::<16>().copied().unwrap_or_default();
            self.sum = self.sum.wrapping_add(u128::from_le_bytes(half));
            self.rows += 1;
        }
        Ok(())
    }

    /// Takes in the rows of another.
    pub fn merge(&mut self, other: Self) {
        self.rows += other.rows;
        self.sum = self.sum.wrapping_add(other.sum);
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{:032x}", self.rows, self.sum)
    }
}
