//! Reading the rows of a view.

use crate::error::{Error, Result};
use crate::segment::{
    MergedScan, Predicate, ScanOptions, SegmentReader, SegmentScan, SegmentSource, merge_groups, merge_segments,
};
use crate::store::files;
use crate::view::{SegmentId, SegmentView, TabletView};
use arrow::array::RecordBatch;
use std::collections::VecDeque;
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

    /// The segments in groups that must be read together, by their places among [`TabletView::segments`]: in Unique Key and
    /// Aggregate Key tablets those that have keys in common, else each alone.
    pub fn groups(&self) -> Vec<Vec<usize>> {
        merge_groups(self.schema.model(), self.state.segments().map(|(_, meta)| meta))
    }

    /// The rows that one of [`TabletView::groups`] shows; of several segments one row for each key. `columns` names columns
    /// by their places in the table, in the order in which they are wanted; none means all. `predicates` only leave out
    /// what cannot match. Batches have about `batch_rows` rows. Blocks.
    ///
    /// # Errors
    /// As [`TabletView::open_segment`] and [`merge_segments`].
    pub fn scan_group(
        &self,
        group: &[usize],
        columns: Option<&[usize]>,
        predicates: &[Predicate],
        batch_rows: usize,
    ) -> Result<GroupScan> {
        let of_group = group.iter().filter_map(|at| self.segments.get(*at));
        if let [one] = group {
            let Some(segment) = self.segments.get(*one) else {
                return Err(Error::Invalid(format!("there is no segment {one} in tablet {}", self.tablet)));
            };
            let options = ScanOptions {
                columns: columns.map(<[usize]>::to_vec),
                predicates: predicates.to_vec(),
                deletes: segment.deletes.clone(),
                batch_rows,
                ..ScanOptions::default()
            };
            return Ok(GroupScan::One(self.open_segment(segment)?.scan(&options)?));
        }
        let sources = of_group.map(|segment| {
            let (rowset, deletes) = (segment.id.rowset, segment.deletes.clone());
            Ok(SegmentSource { rowset, reader: self.open_segment(segment)?, deletes })
        });
        let sources = sources.collect::<Result<_>>()?;
        Ok(GroupScan::Merged(merge_segments(&self.schema, sources, columns, predicates, batch_rows)?))
    }

    /// The rows that this version shows, group by group. `projection` names columns by their places in the table, in the
    /// order in which they are wanted; none means all. Batches have about `batch_size` rows. Reading blocks.
    pub fn scan(self: &Arc<Self>, projection: Option<&[usize]>, batch_size: usize) -> Scan {
        let columns = projection.map(<[usize]>::to_vec);
        Scan { view: Arc::clone(self), columns, batch_size, groups: self.groups().into(), open: None }
    }

    /// The rows as they lie in the segments, with the place of each: what a DELETE by position needs. Rows of one key that
    /// a Unique Key or Aggregate Key tablet shows as one come each by itself.
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

/// The rows of one group of segments, batch by batch. Ends after the first error.
#[derive(Debug)]
pub enum GroupScan {
    /// As they are.
    One(SegmentScan),
    /// One for each key.
    Merged(MergedScan),
}

impl Iterator for GroupScan {
    type Item = Result<RecordBatch>;

    fn next(&mut self) -> Option<Self::Item> {
        match self {
            Self::One(scan) => Some(scan.next()?.map(|batch| batch.rows)),
            Self::Merged(scan) => scan.next(),
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
pub struct Scan {
    view: Arc<TabletView>,
    columns: Option<Vec<usize>>,
    batch_size: usize,
    groups: VecDeque<Vec<usize>>,
    open: Option<GroupScan>,
}

impl Scan {
    fn step(&mut self) -> Result<Option<RecordBatch>> {
        loop {
            if let Some(scan) = &mut self.open {
                match scan.next().transpose()? {
                    Some(batch) if batch.num_rows() == 0 => {}
                    Some(batch) => return Ok(Some(batch)),
                    None => self.open = None,
                }
            } else {
                let Some(group) = self.groups.pop_front() else { return Ok(None) };
                self.open = Some(self.view.scan_group(&group, self.columns.as_deref(), &[], self.batch_size)?);
            }
        }
    }
}

impl Iterator for Scan {
    type Item = Result<RecordBatch>;

    fn next(&mut self) -> Option<Self::Item> {
        let step = self.step();
        if step.is_err() {
            self.open = None;
            self.groups.clear();
        }
        step.transpose()
    }
}
