//! Reading the rows of a view.

use crate::error::Result;
use crate::segment::{ScanOptions, SegmentReader, SegmentScan};
use crate::store::files;
use crate::view::{SegmentId, SegmentView, TabletView};
use arrow::array::RecordBatch;
use std::sync::Arc;

impl TabletView {
    /// Opens one of the view's segments. Blocks.
    ///
    /// # Errors
    /// `Corrupt` when the file is missing, has another length, or is no segment of this table.
    pub fn open_segment(&self, segment: &SegmentView) -> Result<SegmentReader> {
        let bytes = files::map(&*self.disk, &segment.path, segment.len_bytes)?;
        SegmentReader::open(&segment.path, &self.schema, bytes)
    }

    /// The rows that this version shows, segment by segment. `projection` names columns by their places in the table,
    /// in the order in which they are wanted; none means all. Batches have at most `batch_size` rows. Reading blocks.
    pub fn scan(self: &Arc<Self>, projection: Option<&[usize]>, batch_size: usize) -> Scan {
        Scan(self.scan_positions(projection, batch_size))
    }

    /// As [`TabletView::scan`], with the place of each row: what a DELETE by position needs.
    pub fn scan_positions(self: &Arc<Self>, projection: Option<&[usize]>, batch_size: usize) -> PositionScan {
        PositionScan {
            view: Arc::clone(self),
            columns: projection.map(<[usize]>::to_vec),
            batch_size,
            next_segment: 0,
            open: None,
        }
    }
}

/// Rows and where they are.
#[derive(Debug, Clone)]
pub struct Positioned {
    /// The segment.
    pub segment: SegmentId,
    /// For each row of the batch, its place in the segment, from 0.
    pub rows: Vec<u32>,
    /// The rows.
    pub batch: RecordBatch,
}

/// Iterates over the rows of a view with their places; ends after the first error. Keeps the view.
#[derive(Debug)]
pub struct PositionScan {
    view: Arc<TabletView>,
    columns: Option<Vec<usize>>,
    batch_size: usize,
    next_segment: usize,
    open: Option<(SegmentId, SegmentScan)>,
}

impl PositionScan {
    fn open_next(&mut self) -> Result<bool> {
        let Some(segment) = self.view.segments.get(self.next_segment) else { return Ok(false) };
        self.next_segment += 1;
        let options = ScanOptions {
            columns: self.columns.clone(),
            deletes: segment.deletes.clone(),
            batch_rows: self.batch_size,
            ..ScanOptions::default()
        };
        self.open = Some((segment.id, self.view.open_segment(segment)?.scan(&options)?));
        Ok(true)
    }

    fn step(&mut self) -> Result<Option<Positioned>> {
        loop {
            if let Some((segment, scan)) = &mut self.open {
                match scan.next().transpose()? {
                    Some(batch) if batch.rows.num_rows() == 0 => {}
                    Some(batch) => {
                        return Ok(Some(Positioned { segment: *segment, rows: batch.positions, batch: batch.rows }));
                    }
                    None => self.open = None,
                }
            } else if !self.open_next()? {
                return Ok(None);
            }
        }
    }
}

impl Iterator for PositionScan {
    type Item = Result<Positioned>;

    fn next(&mut self) -> Option<Self::Item> {
        let step = self.step();
        if step.is_err() {
            self.open = None;
            self.next_segment = usize::MAX;
        }
        step.transpose()
    }
}

/// Iterates over the rows of a view; ends after the first error. Keeps the view.
#[derive(Debug)]
pub struct Scan(PositionScan);

impl Iterator for Scan {
    type Item = Result<RecordBatch>;

    fn next(&mut self) -> Option<Self::Item> {
        self.0.next().map(|positioned| positioned.map(|positioned| positioned.batch))
    }
}
