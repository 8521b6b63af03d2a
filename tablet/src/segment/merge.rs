//! Merging sorted rows of several segments into one sorted stream, for compaction.

use super::reader::ScanBatch;
use crate::error::{Error, Result};
use crate::keys::{Keys, encode_keys};
use crate::schema::Schema;
use arrow::array::RecordBatch;
use arrow::compute::interleave_record_batch;
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::Arc;

/// Where a merged row came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Origin {
    /// Which of the sources.
    pub source: u32,
    /// The row's position in that source's segment.
    pub position: u32,
}

/// Merged rows, and where each came from.
#[derive(Debug, Clone)]
pub struct Merged {
    /// All columns of the table.
    pub rows: RecordBatch,
    /// One for each row, in the same order: the n-th row of all batches together is the n-th of the merged segment.
    pub origins: Vec<Origin>,
}

/// Merges sources that are each sorted by key. Rows of equal keys come in the order of the sources; without key columns so do all rows.
///
/// # Errors
/// What reading the first batches gives, and `Invalid` when their columns are not the table's.
pub fn merge<S>(schema: &Arc<Schema>, sources: Vec<S>, batch_rows: usize) -> Result<Merge<S>>
where
    S: Iterator<Item = Result<ScanBatch>>,
{
    let mut merge = Merge {
        schema: Arc::clone(schema),
        sources: sources.into_iter().map(Source::new).collect(),
        heads: BinaryHeap::new(),
        batch_rows: batch_rows.max(1),
        failed: false,
    };
    for source in 0..merge.sources.len() {
        merge.advance(source, &mut Vec::new())?;
    }
    Ok(merge)
}

/// The merged stream. Holds one batch of each source, and those that its next batch is taken from. Ends after the first error.
#[derive(Debug)]
pub struct Merge<S> {
    schema: Arc<Schema>,
    sources: Vec<Source<S>>,
    /// The next key of each source that has one, least first.
    heads: BinaryHeap<Reverse<(Vec<u8>, usize)>>,
    batch_rows: usize,
    failed: bool,
}

#[derive(Debug)]
struct Source<S> {
    batches: S,
    current: Option<Current>,
}

#[derive(Debug)]
struct Current {
    batch: ScanBatch,
    keys: Keys,
    /// The next row to take.
    row: usize,
    /// Where the batch is among those of the batch being made, once a row of it was taken.
    slot: Option<usize>,
}

impl<S> Source<S> {
    fn new(batches: S) -> Self {
        Self { batches, current: None }
    }
}

/// Rows taken for the next batch.
#[derive(Default)]
struct Taken {
    batches: Vec<RecordBatch>,
    rows: Vec<(usize, usize)>,
    origins: Vec<Origin>,
}

impl<S: Iterator<Item = Result<ScanBatch>>> Merge<S> {
    /// Makes the source's next row a head, reading on where its batch is used up.
    fn advance(&mut self, source: usize, key: &mut Vec<u8>) -> Result<()> {
        let Some(of) = self.sources.get_mut(source) else {
            return Ok(());
        };
        while of.current.as_ref().is_none_or(|current| current.row >= current.keys.len()) {
            match of.batches.next().transpose()? {
                None => {
                    of.current = None;
                    return Ok(());
                }
                Some(batch) => {
                    if batch.rows.num_columns() != self.schema.columns().len()
                        || batch.positions.len() != batch.rows.num_rows()
                    {
                        return Err(Error::Invalid("rows to merge lack columns or positions".to_owned()));
                    }
                    let keys = encode_keys(&self.schema, &batch.rows)?;
                    of.current = Some(Current { batch, keys, row: 0, slot: None });
                }
            }
        }
        if let Some(current) = &of.current {
            key.clear();
            key.extend_from_slice(current.keys.get(current.row));
            self.heads.push(Reverse((std::mem::take(key), source)));
        }
        Ok(())
    }

    /// Takes rows of the source with the least head for as long as they stay before all other heads.
    fn take_run(&mut self, taken: &mut Taken) -> Result<bool> {
        let Some(Reverse((mut key, source))) = self.heads.pop() else {
            return Ok(false);
        };
        let next = self.heads.peek().map(|Reverse((key, source))| (key.as_slice(), *source));
        if let Some(current) = self.sources.get_mut(source).and_then(|of| of.current.as_mut()) {
            let slot = *current.slot.get_or_insert_with(|| {
                taken.batches.push(current.batch.rows.clone());
                taken.batches.len() - 1
            });
            let number = u32::try_from(source).unwrap_or(u32::MAX);
            loop {
                taken.rows.push((slot, current.row));
                let position = current.batch.positions.get(current.row).copied().unwrap_or_default();
                taken.origins.push(Origin { source: number, position });
                current.row += 1;
                let full = taken.rows.len() >= self.batch_rows;
                let ours = current.row < current.keys.len()
                    && next.is_none_or(|next| (current.keys.get(current.row), source) < next);
                if full || !ours {
                    break;
                }
            }
        }
        self.advance(source, &mut key)?;
        Ok(true)
    }

    fn step(&mut self) -> Result<Option<Merged>> {
        // What was gathered for the batch before is no longer held.
        for current in self.sources.iter_mut().filter_map(|source| source.current.as_mut()) {
            current.slot = None;
        }
        let mut taken = Taken::default();
        while taken.rows.len() < self.batch_rows && self.take_run(&mut taken)? {}
        if taken.rows.is_empty() {
            return Ok(None);
        }
        let sources: Vec<&RecordBatch> = taken.batches.iter().collect();
        let rows = interleave_record_batch(&sources, &taken.rows)?;
        Ok(Some(Merged { rows, origins: taken.origins }))
    }
}

impl<S: Iterator<Item = Result<ScanBatch>>> Iterator for Merge<S> {
    type Item = Result<Merged>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.failed {
            return None;
        }
        let step = self.step();
        self.failed = step.is_err();
        step.transpose()
    }
}
