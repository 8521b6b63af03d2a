//! Reading the segments of a Unique Key or Aggregate Key table that have keys in common: one row for each key.

use super::merge::{Merge, merge};
use super::prune::Predicate;
use super::reader::{ScanBatch, ScanOptions, SegmentReader, SegmentScan};
use crate::error::{Error, Result};
use crate::schema::Schema;
use arrow::array::RecordBatch;
use roaring::RoaringBitmap;
use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;

/// A segment to be merged.
#[derive(Debug, Clone)]
pub struct SegmentSource {
    /// The rowset that it belongs to. Segments of one rowset have no key in common and stand in the order of their keys.
    pub rowset: u64,
    /// The segment.
    pub reader: SegmentReader,
    /// Rows that are hidden.
    pub deletes: Option<Arc<RoaringBitmap>>,
}

/// Merges segments in the order in which they were loaded. `columns` names columns by their places in the table, in the
/// order in which they are wanted; none means all. `predicates` leave out pages that cannot match, but only those on key
/// columns: a page without a match in a value column may hold half of a row that matches. Memory is that of one batch of
/// each rowset and of what comes out; reading blocks.
///
/// # Errors
/// `Invalid` for columns that are not there, `Corrupt` for damaged segments. The stream ends with [`Error::SumRange`] at a
/// sum that its column cannot hold.
pub fn merge_segments(
    schema: &Arc<Schema>,
    segments: Vec<SegmentSource>,
    columns: Option<&[usize]>,
    predicates: &[Predicate],
    batch_rows: usize,
) -> Result<MergedScan> {
    let all: Vec<usize> = (0..schema.columns().len()).collect();
    let wanted = columns.unwrap_or(&all);
    // The merge needs the keys, whether they are wanted or not.
    let read: BTreeSet<usize> = wanted.iter().copied().chain(0..schema.key_len()).collect();
    if let Some(wrong) = read.last().filter(|column| **column >= schema.columns().len()) {
        return Err(Error::Invalid(format!("there is no column {wrong} in the table")));
    }
    let narrowed = Arc::new(schema.narrowed(&read)?);
    let order: Vec<usize> = wanted.iter().filter_map(|column| read.iter().position(|read| read == column)).collect();
    let options = ScanOptions {
        columns: Some(read.into_iter().collect()),
        predicates: predicates.iter().filter(|predicate| predicate.column < schema.key_len()).cloned().collect(),
        batch_rows,
        ..ScanOptions::default()
    };
    let options = Arc::new(options);
    let mut rowsets: Vec<(u64, RowsetScan)> = Vec::new();
    for segment in segments {
        match rowsets.last_mut() {
            Some((rowset, scan)) if *rowset == segment.rowset => scan.segments.push_back(segment),
            _ => {
                let segments = VecDeque::from([segment]);
                let rowset = segments.front().map_or(0, |segment| segment.rowset);
                rowsets.push((rowset, RowsetScan { options: Arc::clone(&options), segments, open: None }));
            }
        }
    }
    let batch_rows = if batch_rows == 0 { super::reader::BATCH_ROWS } else { batch_rows };
    let merge = merge(&narrowed, rowsets.into_iter().map(|(_, scan)| scan).collect(), batch_rows)?;
    Ok(MergedScan { merge, order })
}

/// The segments of one rowset, one after the other.
#[derive(Debug)]
struct RowsetScan {
    options: Arc<ScanOptions>,
    segments: VecDeque<SegmentSource>,
    open: Option<SegmentScan>,
}

impl RowsetScan {
    fn step(&mut self) -> Result<Option<ScanBatch>> {
        loop {
            if let Some(scan) = &mut self.open {
                if let Some(batch) = scan.next() {
                    return batch.map(Some);
                }
                self.open = None;
            }
            let Some(segment) = self.segments.pop_front() else { return Ok(None) };
            let options = ScanOptions { deletes: segment.deletes, ..(*self.options).clone() };
            self.open = Some(segment.reader.scan(&options)?);
        }
    }
}

impl Iterator for RowsetScan {
    type Item = Result<ScanBatch>;

    fn next(&mut self) -> Option<Self::Item> {
        self.step().transpose()
    }
}

/// One row for each key, in the order of keys, batch by batch. Ends after the first error.
#[derive(Debug)]
pub struct MergedScan {
    merge: Merge<RowsetScan>,
    /// Where in the merged batches the wanted columns are.
    order: Vec<usize>,
}

impl Iterator for MergedScan {
    type Item = Result<RecordBatch>;

    fn next(&mut self) -> Option<Self::Item> {
        let merged = self.merge.next()?;
        Some(merged.and_then(|merged| Ok(merged.rows.project(&self.order)?)))
    }
}
