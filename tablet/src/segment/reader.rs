//! Reads a segment out of a buffer, which is a memory map or on the heap.

use super::positions::{only, selection, without};
use super::prune::{Predicate, candidates};
use super::{FORMAT_KEY, SEGMENT_FORMAT, SEGMENT_KEY, SEGMENT_ROWS_MAX, SegmentMeta, SegmentOrigin, TABLET_KEY};
use crate::error::{Error, Result};
use crate::schema::Schema;
use arrow::array::RecordBatch;
use bytes::Bytes;
use env::ids::TabletId;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{
    ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder,
};
use parquet::file::metadata::PageIndexPolicy;
use roaring::RoaringBitmap;
use std::ops::Range;
use std::sync::Arc;

/// Rows of a batch when the caller does not say.
pub(super) const BATCH_ROWS: usize = 8192;

/// An open segment. Cheap to clone; holds its bytes.
#[derive(Debug, Clone)]
pub struct SegmentReader {
    name: Arc<str>,
    schema: Arc<Schema>,
    bytes: Bytes,
    metadata: ArrowReaderMetadata,
    /// Positions of the row groups.
    groups: Arc<[Range<u32>]>,
    rows: u64,
    origin: SegmentOrigin,
}

/// What to read of a segment.
#[derive(Debug, Clone, Default)]
pub struct ScanOptions {
    /// Columns, by place in the table, in the order in which they are wanted; `None`: all.
    pub columns: Option<Vec<usize>>,
    /// Conditions that rows must meet; used only to leave out row groups and pages.
    pub predicates: Vec<Predicate>,
    /// Rows to leave out.
    pub deletes: Option<Arc<RoaringBitmap>>,
    /// Rows to read; `None`: all.
    pub only: Option<Arc<RoaringBitmap>>,
    /// Most rows of a batch; 0: 8192.
    pub batch_rows: usize,
}

/// Some rows of a segment, and where they stand in it.
#[derive(Debug, Clone)]
pub struct ScanBatch {
    /// The columns asked for.
    pub rows: RecordBatch,
    /// For each row its number in the segment, from 0, deleted ones counted.
    pub positions: Vec<u32>,
}

/// Runs a step of the Parquet decoder, which may panic on bytes that no writer made.
fn guarded<T>(name: &str, step: impl FnOnce() -> Result<T>) -> Result<T> {
    env::caught(step).unwrap_or_else(|panic| Err(damaged(name, panic)))
}

fn damaged(name: &str, found: impl Into<String>) -> Error {
    Error::corrupt(name, "a segment of the table", found)
}

impl SegmentReader {
    /// Reads the footer and checks that it is a segment of this table. The data pages are decoded, and damage in them found, as far as it
    /// makes them unreadable, when they are read; see [`SegmentReader::open_verified`].
    ///
    /// # Errors
    /// `Corrupt` when it is no segment, or one of other columns.
    pub fn open(name: &str, schema: &Arc<Schema>, bytes: Bytes) -> Result<Self> {
        let options =
            ArrowReaderOptions::new().with_schema(schema.arrow()).with_page_index_policy(PageIndexPolicy::Optional);
        guarded(name, || {
            let metadata =
                ArrowReaderMetadata::load(&bytes, options).map_err(|error| damaged(name, error.to_string()))?;
            let (groups, rows) = row_groups(name, &metadata)?;
            let origin = origin(name, &metadata)?;
            Ok(Self {
                name: name.into(),
                schema: Arc::clone(schema),
                bytes,
                metadata,
                groups: groups.into(),
                rows,
                origin,
            })
        })
    }

    /// As [`SegmentReader::open`], after comparing length and CRC-32: reads every byte.
    ///
    /// # Errors
    /// `Corrupt` with what was expected and what was found.
    pub fn open_verified(name: &str, schema: &Arc<Schema>, bytes: Bytes, meta: &SegmentMeta) -> Result<Self> {
        meta.verify(name, &bytes)?;
        let reader = Self::open(name, schema, bytes)?;
        if reader.rows != meta.rows {
            return Err(Error::corrupt(name, format!("{} rows", meta.rows), format!("{} rows", reader.rows)));
        }
        Ok(reader)
    }

    /// The table's columns.
    pub(crate) fn schema(&self) -> &Schema {
        &self.schema
    }

    /// How many rows, deleted ones counted.
    pub fn rows(&self) -> u64 {
        self.rows
    }

    /// How many row groups.
    pub fn row_groups(&self) -> usize {
        self.groups.len()
    }

    /// What it was written as. A restored copy keeps what the original was.
    pub fn origin(&self) -> SegmentOrigin {
        self.origin
    }

    /// Starts reading, in the order of positions.
    ///
    /// # Errors
    /// `Invalid` for columns that are not there or values that cannot be compared with them; `Corrupt` for a damaged footer.
    pub fn scan(&self, options: &ScanOptions) -> Result<SegmentScan> {
        guarded(&self.name, || {
            let mut ranges = candidates(&self.name, &self.schema, &self.metadata, &self.groups, &options.predicates)?;
            if let Some(wanted) = &options.only {
                ranges = only(&ranges, wanted);
            }
            if let Some(deletes) = &options.deletes {
                ranges = without(&ranges, deletes);
            }
            self.read(ranges, options)
        })
    }

    fn read(&self, ranges: Vec<Range<u32>>, options: &ScanOptions) -> Result<SegmentScan> {
        let wanted = match &options.columns {
            None => (0..self.schema.columns().len()).collect(),
            Some(columns) => columns.clone(),
        };
        if let Some(wrong) = wanted.iter().find(|column| **column >= self.schema.columns().len()) {
            return Err(Error::Invalid(format!("there is no column {wrong} in '{}'", self.name)));
        }
        let mut in_file = wanted.clone();
        in_file.sort_unstable();
        in_file.dedup();
        let order: Vec<usize> = wanted.iter().filter_map(|column| in_file.binary_search(column).ok()).collect();

        let mut groups = Vec::new();
        let mut parts = Vec::new();
        let mut rest = ranges.as_slice();
        for (at, group) in self.groups.iter().enumerate() {
            // Ranges may go on into the next group: cut them at its start.
            let inside = super::positions::both(rest, std::slice::from_ref(group));
            let done = rest.iter().take_while(|range| range.end <= group.end).count();
            rest = rest.get(done..).unwrap_or_default();
            if !inside.is_empty() {
                groups.push(at);
                parts.extend(Vec::from(selection(&inside, group.clone())));
            }
        }
        let mask = ProjectionMask::roots(self.metadata.parquet_schema(), in_file);
        let batch_rows = if options.batch_rows == 0 { BATCH_ROWS } else { options.batch_rows };
        let reader = ParquetRecordBatchReaderBuilder::new_with_metadata(self.bytes.clone(), self.metadata.clone())
            .with_row_groups(groups)
            .with_row_selection(parts.into())
            .with_projection(mask)
            .with_batch_size(batch_rows)
            .build()
            .map_err(|error| damaged(&self.name, error.to_string()))?;
        Ok(SegmentScan { name: Arc::clone(&self.name), reader: Some(reader), ranges, at: 0, order })
    }
}

fn row_groups(name: &str, metadata: &ArrowReaderMetadata) -> Result<(Vec<Range<u32>>, u64)> {
    let mut groups = Vec::new();
    let mut end = 0_u32;
    for group in metadata.metadata().row_groups() {
        let start = end;
        end = u32::try_from(group.num_rows())
            .ok()
            .and_then(|rows| start.checked_add(rows))
            .ok_or_else(|| damaged(name, format!("more than {SEGMENT_ROWS_MAX} rows")))?;
        groups.push(start..end);
    }
    let rows = metadata.metadata().file_metadata().num_rows();
    if rows != i64::from(end) {
        return Err(Error::corrupt(name, format!("{rows} rows in its row groups"), format!("{end} rows")));
    }
    Ok((groups, u64::from(end)))
}

fn origin(name: &str, metadata: &ArrowReaderMetadata) -> Result<SegmentOrigin> {
    let notes = metadata.metadata().file_metadata().key_value_metadata();
    let note = |key: &str| {
        notes
            .and_then(|notes| notes.iter().find(|note| note.key == key))
            .and_then(|note| note.value.as_deref())
            .ok_or_else(|| damaged(name, format!("a Parquet file without '{key}'")))
    };
    let format = note(FORMAT_KEY)?;
    if format != SEGMENT_FORMAT.to_string() {
        return Err(Error::Format { object: name.to_owned(), known: SEGMENT_FORMAT, found: format.to_owned() });
    }
    let tablet = note(TABLET_KEY)?;
    let segment = note(SEGMENT_KEY)?;
    let read = || {
        let (rowset, ordinal) = segment.split_once('-')?;
        let tablet = tablet.parse::<TabletId>().ok()?;
        Some(SegmentOrigin { tablet, rowset: rowset.parse().ok()?, ordinal: ordinal.parse().ok()? })
    };
    read().ok_or_else(|| damaged(name, format!("origin '{tablet}', '{segment}'")))
}

/// Rows of a segment, batch by batch. Ends after the first error.
#[derive(Debug)]
pub struct SegmentScan {
    name: Arc<str>,
    /// `None` after an error or the end.
    reader: Option<ParquetRecordBatchReader>,
    /// What is read, and how far into the first of them.
    ranges: Vec<Range<u32>>,
    at: usize,
    /// Where in the decoder's batches the wanted columns are.
    order: Vec<usize>,
}

impl SegmentScan {
    fn step(&mut self) -> Result<Option<ScanBatch>> {
        let name = Arc::clone(&self.name);
        let Some(reader) = self.reader.as_mut() else {
            return Ok(None);
        };
        let batch = guarded(&name, || match reader.next() {
            None => Ok(None),
            Some(Ok(batch)) => Ok(Some(batch)),
            Some(Err(error)) => Err(damaged(&name, error.to_string())),
        })?;
        let Some(batch) = batch else {
            let left: u64 = self.ranges.iter().skip(self.at).map(|range| u64::from(range.end - range.start)).sum();
            if left > 0 {
                return Err(damaged(&name, format!("{left} rows fewer than its footer says")));
            }
            return Ok(None);
        };
        let positions = self.take(batch.num_rows())?;
        let rows = batch.project(&self.order)?;
        Ok(Some(ScanBatch { rows, positions }))
    }

    /// The next `count` positions.
    fn take(&mut self, count: usize) -> Result<Vec<u32>> {
        let mut positions = Vec::with_capacity(count);
        while positions.len() < count {
            let Some(range) = self.ranges.get_mut(self.at) else {
                return Err(damaged(&self.name, "more rows than its footer says"));
            };
            let room = u32::try_from(count - positions.len()).unwrap_or(u32::MAX);
            let end = range.end.min(range.start.saturating_add(room));
            positions.extend(range.start..end);
            range.start = end;
            if range.start >= range.end {
                self.at += 1;
            }
        }
        Ok(positions)
    }
}

impl Iterator for SegmentScan {
    type Item = Result<ScanBatch>;

    fn next(&mut self) -> Option<Self::Item> {
        let step = self.step();
        if !matches!(step, Ok(Some(_))) {
            self.reader = None;
        }
        step.transpose()
    }
}
