//! Merging sorted rows of several segments into one sorted stream: for compaction, and for reading tables whose rows of
//! equal keys become one.

use super::fold::{Runs, fold};
use super::reader::ScanBatch;
use crate::error::{Error, Result};
use crate::keys::{Keys, encode_keys};
use crate::schema::Schema;
use arrow::array::RecordBatch;
use arrow::compute::{concat_batches, interleave_record_batch};
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
    /// All columns of the table. The n-th row of all batches together is the n-th of the merged segment.
    pub rows: RecordBatch,
    /// The rows that were merged into them, in order: one for each, or several where they became one.
    pub origins: Vec<Origin>,
    /// For each origin, the row of `rows` that it went into.
    pub targets: Vec<u32>,
}

/// Merges sources that are each sorted by key. Rows of equal keys come in the order of the sources; without key columns so do
/// all rows. In Unique Key and Aggregate Key tables those of equal keys become one, a later source being the later load.
///
/// # Errors
/// What reading the first batches gives, and `Invalid` when their columns are not the table's; the stream ends with
/// [`Error::SumRange`] at a sum that its column cannot hold.
pub fn merge<S>(schema: &Arc<Schema>, sources: Vec<S>, batch_rows: usize) -> Result<Merge<S>>
where
    S: Iterator<Item = Result<ScanBatch>>,
{
    let mut merge = Merge {
        schema: Arc::clone(schema),
        sources: sources.into_iter().map(Source::new).collect(),
        heads: BinaryHeap::new(),
        batch_rows: batch_rows.max(1),
        last_key: None,
        open: None,
        failed: false,
    };
    for source in 0..merge.sources.len() {
        merge.advance(source, &mut Vec::new())?;
    }
    Ok(merge)
}

/// The merged stream. Holds one batch of each source, those that its next batch is taken from, and the rows of one key.
/// Ends after the first error.
#[derive(Debug)]
pub struct Merge<S> {
    schema: Arc<Schema>,
    sources: Vec<Source<S>>,
    /// The next key of each source that has one, least first.
    heads: BinaryHeap<Reverse<(Vec<u8>, usize)>>,
    batch_rows: usize,
    /// The key of the row that was taken last; kept only where rows of equal keys become one.
    last_key: Option<Vec<u8>>,
    /// The rows of the last key, until all of them are there.
    open: Option<Open>,
    failed: bool,
}

#[derive(Debug)]
struct Open {
    rows: RecordBatch,
    origins: Vec<Origin>,
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
    /// The rows whose key is not that of the row before; noted only where rows of equal keys become one.
    starts: Vec<usize>,
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
        let folds = self.schema.model().merges_on_read();
        let mut starts = folds && self.last_key.as_deref() != Some(key.as_slice());
        if let Some(current) = self.sources.get_mut(source).and_then(|of| of.current.as_mut()) {
            let slot = *current.slot.get_or_insert_with(|| {
                taken.batches.push(current.batch.rows.clone());
                taken.batches.len() - 1
            });
            let number = u32::try_from(source).unwrap_or(u32::MAX);
            loop {
                if starts {
                    taken.starts.push(taken.rows.len());
                }
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
                starts = folds && current.keys.get(current.row) != current.keys.get(current.row - 1);
            }
            if folds {
                let last = self.last_key.get_or_insert_default();
                last.clear();
                last.extend_from_slice(current.keys.get(current.row - 1));
            }
        }
        self.advance(source, &mut key)?;
        Ok(true)
    }

    fn step(&mut self) -> Result<Option<Merged>> {
        if !self.schema.model().merges_on_read() {
            let Some((rows, taken)) = self.take()? else { return Ok(None) };
            let targets = (0_u32..).take(taken.origins.len()).collect();
            return Ok(Some(Merged { rows, origins: taken.origins, targets }));
        }
        while let Some((rows, taken)) = self.take()? {
            if let Some(merged) = self.fold(rows, taken)? {
                return Ok(Some(merged));
            }
        }
        let Some(Open { rows, origins }) = self.open.take() else { return Ok(None) };
        let runs = Runs { starts: &[0], end: rows.num_rows() };
        Ok(Some(Merged { rows: fold(&self.schema, &rows, runs)?, targets: runs.numbers(), origins }))
    }

    /// Folds all keys but the last one, of which there may be more rows.
    fn fold(&mut self, rows: RecordBatch, taken: Taken) -> Result<Option<Merged>> {
        let Taken { origins, starts, .. } = taken;
        let (rows, mut origins, starts) = match self.open.take() {
            None => (rows, origins, starts),
            Some(open) => {
                let before = open.rows.num_rows();
                let rows = concat_batches(rows.schema_ref(), [&open.rows, &rows])?;
                let starts = std::iter::once(0).chain(starts.into_iter().map(|start| start + before)).collect();
                (rows, open.origins.into_iter().chain(origins).collect(), starts)
            }
        };
        let Some((last, starts)) = starts.split_last() else {
            return Err(Error::Internal("merged rows without a first one".to_owned()));
        };
        let kept = rows.slice(*last, rows.num_rows().saturating_sub(*last));
        self.open = Some(Open { rows: kept, origins: origins.split_off(*last) });
        if starts.is_empty() {
            return Ok(None);
        }
        let runs = Runs { starts, end: *last };
        let rows = fold(&self.schema, &rows.slice(0, *last), runs)?;
        Ok(Some(Merged { rows, origins, targets: runs.numbers() }))
    }

    /// The next rows in order.
    fn take(&mut self) -> Result<Option<(RecordBatch, Taken)>> {
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
        Ok(Some((rows, taken)))
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
