//! Sorting the rows of a load by the table's key.

use super::fold::{Runs, fold};
use crate::error::{Error, Result};
use crate::keys::{Keys, encode_keys};
use crate::schema::Schema;
use arrow::array::RecordBatch;
use arrow::compute::interleave_record_batch;

/// Most rows of a sorted batch.
pub const SORTED_BATCH_ROWS: usize = 65_536;

/// Sorts rows by key. Rows of equal keys keep their order; of a Primary Key or Unique Key table only the last of them is kept,
/// and those of an Aggregate Key table become one. Without key columns the rows stay as they are. The batches have all
/// columns of the table, or, for a Primary Key table, the key columns only.
///
/// # Errors
/// `Invalid` when the batches' columns are not the table's, [`Error::SumRange`] for a sum that its column cannot hold.
pub fn sort_batches(schema: &Schema, batches: &[RecordBatch]) -> Result<Vec<RecordBatch>> {
    let keys = batches.iter().map(|batch| encode_keys(schema, batch)).collect::<Result<Vec<_>>>()?;
    let distinct = schema.model().is_distinct();
    if schema.key_len() == 0 || in_order(&keys, distinct) {
        return Ok(batches.iter().filter(|batch| batch.num_rows() > 0).cloned().collect());
    }
    let mut rows: Vec<(u128, usize, usize)> = Vec::with_capacity(keys.iter().map(Keys::len).sum());
    for (batch, keys) in keys.iter().enumerate() {
        rows.extend(keys.iter().enumerate().map(|(row, key)| (prefix(key), batch, row)));
    }
    let key = |(_, batch, row): &(u128, usize, usize)| keys.get(*batch).map_or(&[][..], |keys| keys.get(*row));
    // Batch and row break ties, which keeps equal keys in the order in which they came.
    rows.sort_unstable_by(|a, b| {
        a.0.cmp(&b.0).then_with(|| key(a).cmp(key(b))).then_with(|| (a.1, a.2).cmp(&(b.1, b.2)))
    });
    if distinct && !schema.keeps_last() {
        let starts = std::iter::once(true).chain(rows.windows(2).map(|two| match two {
            [before, row] => key(before) != key(row),
            _ => true,
        }));
        let starts: Vec<usize> = starts.enumerate().filter_map(|(at, starts)| starts.then_some(at)).collect();
        return gather_folded(schema, batches, &rows, &starts);
    }
    if distinct {
        keep_last(&mut rows, |a, b| key(a) == key(b));
    }
    gather(batches, rows.iter().map(|(_, batch, row)| (*batch, *row)))
}

/// One row for each run of rows of one key, in batches of about [`SORTED_BATCH_ROWS`]; a run is not cut.
fn gather_folded(
    schema: &Schema,
    batches: &[RecordBatch],
    rows: &[(u128, usize, usize)],
    starts: &[usize],
) -> Result<Vec<RecordBatch>> {
    let sources: Vec<&RecordBatch> = batches.iter().collect();
    let mut folded = Vec::new();
    let mut rest = starts;
    while let Some(first) = rest.first().copied() {
        let full = rest.partition_point(|start| start - first < SORTED_BATCH_ROWS);
        let (these, others) = rest.split_at_checked(full).unwrap_or((rest, &[]));
        let end = others.first().copied().unwrap_or(rows.len());
        let chunk: Vec<(usize, usize)> =
            rows.get(first..end).unwrap_or_default().iter().map(|(_, batch, row)| (*batch, *row)).collect();
        let these: Vec<usize> = these.iter().map(|start| start - first).collect();
        let gathered = interleave_record_batch(&sources, &chunk)?;
        folded.push(fold(schema, &gathered, Runs { starts: &these, end: chunk.len() })?);
        rest = others;
    }
    Ok(folded)
}

/// The first bytes of a key as a number: most comparisons end here.
pub(super) fn prefix(key: &[u8]) -> u128 {
    let mut first = [0; 16];
    first.iter_mut().zip(key).for_each(|(to, from)| *to = *from);
    u128::from_be_bytes(first)
}

fn in_order(keys: &[Keys], distinct: bool) -> bool {
    let mut all = keys.iter().flat_map(Keys::iter);
    let Some(mut before) = all.next() else {
        return true;
    };
    all.all(|key| {
        let fine = if distinct { before < key } else { before <= key };
        before = key;
        fine
    })
}

/// Of neighbours that are the same, keeps the last.
fn keep_last<T: Copy>(items: &mut Vec<T>, same: impl Fn(&T, &T) -> bool) {
    let mut kept: Vec<T> = Vec::with_capacity(items.len());
    for item in items.iter() {
        match kept.last_mut() {
            Some(last) if same(last, item) => *last = *item,
            _ => kept.push(*item),
        }
    }
    *items = kept;
}

/// Rows by batch and row, in batches of at most [`SORTED_BATCH_ROWS`].
pub(super) fn gather(
    batches: &[RecordBatch],
    rows: impl ExactSizeIterator<Item = (usize, usize)>,
) -> Result<Vec<RecordBatch>> {
    let sources: Vec<&RecordBatch> = batches.iter().collect();
    let rows: Vec<(usize, usize)> = rows.collect();
    rows.chunks(SORTED_BATCH_ROWS).map(|chunk| interleave_record_batch(&sources, chunk).map_err(Error::from)).collect()
}
