//! A tablet at one version, as a reader sees it: which segments, and which of their rows a version hides.
//!
//! A [`TabletView`] is immutable and cheap to share. While one lives, the files it names stay on disk, whatever loads,
//! compactions and reclaims do in the meantime; it never makes any of them wait.

use crate::error::{Error, Result};
use crate::schema::Schema;
use crate::store::state::State;
use env::disk::Disk;
use env::ids::{TabletId, Version};
use roaring::RoaringBitmap;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

mod scan;
pub use scan::{GroupScan, PositionScan, Positioned, Scan};

/// The directory, relative to the disk, below which every tablet has its own.
pub(crate) const TABLETS_DIR: &str = "tablets";

/// The directory of one tablet's files, relative to the disk.
pub(crate) fn tablet_dir(tablet: TabletId) -> String {
    format!("{TABLETS_DIR}/{tablet}")
}

/// The path of a segment file, relative to the disk.
pub(crate) fn segment_path(tablet: TabletId, segment: SegmentId) -> String {
    format!("{TABLETS_DIR}/{tablet}/{segment}.parquet")
}

/// One segment of a tablet. Its number is never given to other rows of the same tablet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct SegmentId {
    /// The load or compaction that wrote it.
    pub rowset: u64,
    /// Its place in the rowset, from 0.
    pub ordinal: u32,
}

impl fmt::Display for SegmentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.rowset, self.ordinal)
    }
}

impl FromStr for SegmentId {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let parsed = text.split_once('-').and_then(|(rowset, ordinal)| {
            let id = Self { rowset: rowset.parse().ok()?, ordinal: ordinal.parse().ok()? };
            // One spelling per segment: "07-0" or "+7-0" would name the file of "7-0" a second time.
            (id.to_string() == text).then_some(id)
        });
        parsed.ok_or_else(|| Error::Invalid(format!("'{text}' names no segment; write <rowset>-<ordinal>")))
    }
}

/// One segment as a version shows it.
#[derive(Debug, Clone)]
pub struct SegmentView {
    /// Which segment.
    pub id: SegmentId,
    /// Its file, relative to the disk.
    pub path: String,
    /// Rows in the file, hidden ones included.
    pub rows: u64,
    /// Length of the file in bytes.
    pub len_bytes: u64,
    /// CRC-32 of the whole file.
    pub crc32: u32,
    /// The rows, by position in the file from 0, that this version hides.
    pub deletes: Option<Arc<RoaringBitmap>>,
}

impl SegmentView {
    /// Rows that this version does not hide.
    pub fn live_rows(&self) -> u64 {
        self.rows.saturating_sub(self.deletes.as_ref().map_or(0, |deletes| deletes.len()))
    }
}

/// A tablet at one version. See the module's text.
pub struct TabletView {
    tablet: TabletId,
    schema: Arc<Schema>,
    segments: Vec<SegmentView>,
    disk: Arc<dyn Disk>,
    /// Keeps the files: nothing that a living state refers to is reclaimed.
    state: Arc<State>,
}

impl fmt::Debug for TabletView {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TabletView")
            .field("tablet", &self.tablet)
            .field("version", &self.version())
            .field("segments", &self.segments)
            .finish_non_exhaustive()
    }
}

impl TabletView {
    pub(crate) fn new(tablet: TabletId, schema: Arc<Schema>, disk: Arc<dyn Disk>, state: Arc<State>) -> Self {
        let segments = state
            .segments()
            .map(|(id, meta)| SegmentView {
                id,
                path: segment_path(tablet, id),
                rows: meta.rows,
                len_bytes: meta.len_bytes,
                crc32: meta.crc32,
                deletes: state.deletes.get(&id).map(|deletes| Arc::clone(&deletes.rows)),
            })
            .collect();
        Self { tablet, schema, segments, disk, state }
    }

    /// Whose data it is.
    pub fn tablet(&self) -> TabletId {
        self.tablet
    }

    /// The version that it shows.
    pub fn version(&self) -> Version {
        self.state.version
    }

    /// Tells its rows: tablets and versions with equal lineage have the same ones, whatever their files. None in a store
    /// from before there were lineages, until the next load.
    pub fn lineage(&self) -> Option<&str> {
        self.state.lineage.as_ref().map(super::store::lineage::Lineage::as_str)
    }

    /// The columns.
    pub fn schema(&self) -> &Arc<Schema> {
        &self.schema
    }

    /// The segments, in the order in which they were added. Each is sorted by key; across segments there is no order.
    pub fn segments(&self) -> &[SegmentView] {
        &self.segments
    }

    /// The disk that the segments' paths are relative to.
    pub fn disk(&self) -> &Arc<dyn Disk> {
        &self.disk
    }

    /// Rows in the segments that this version does not hide. Where rows of one key become one when they are read, it shows
    /// at most so many.
    pub fn live_rows(&self) -> u64 {
        self.segments.iter().map(SegmentView::live_rows).sum()
    }

    /// Bytes in the segment files, those of hidden rows included.
    pub fn len_bytes(&self) -> u64 {
        self.segments.iter().map(|segment| segment.len_bytes).sum()
    }
}
