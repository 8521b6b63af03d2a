//! A tablet at one version as a set of files and a description: what a backup copies and a restore brings back.
//!
//! The description, [`TabletImageMeta`], travels as JSON inside the snapshot's manifest. Its files are the segments as
//! they lie on disk and, for tablets with hidden rows, one small file per delete vector of exactly that version.

use crate::error::{Error, Result};
use crate::schema::{KeyModel, Schema};
use crate::segment::{SEGMENT_ROWS_MAX, SegmentMeta, merge_groups};
use crate::store::deletes::{self, DeleteVector};
use crate::store::state::{Rowset, State};
use crate::view::SegmentId;
use env::ids::{TabletId, Version};
use roaring::RoaringBitmap;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::sync::Arc;

/// The newest format that this program knows; it reads all up to it. 2 has Unique Key and Aggregate Key tables, and is
/// written for those alone: a program that does not know how to merge their rows must not take them.
pub const IMAGE_FORMAT: u32 = 2;

/// The format of an image of a table: the first one that has its key model.
fn format_of(model: KeyModel) -> u32 {
    if model.merges_on_read() { 2 } else { 1 }
}

/// One file of an image.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImageFile {
    /// Unique inside the tablet: `<rowset>-<n>.parquet` or `<rowset>-<n>.<version>.dv`.
    pub name: String,
    /// Length in bytes.
    pub len_bytes: u64,
    /// CRC-32 of all bytes.
    pub crc32: u32,
    /// Identity of its bytes for ever and everywhere, kept by a restore; none for a delete vector, which only its name
    /// and its tablet identify.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uid: Option<String>,
    /// Whether it is small and comes from memory (delete vectors) rather than from a file that can be mapped.
    pub inline: bool,
}

/// A tablet at one version. See the module's text.
#[derive(Debug, Clone, PartialEq)]
pub struct TabletImage {
    /// Whose image it is.
    pub tablet: TabletId,
    /// The version that it shows.
    pub version: Version,
    /// What a restore needs besides the files.
    pub meta: TabletImageMeta,
}

/// The description of an image.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TabletImageMeta {
    /// At most [`IMAGE_FORMAT`].
    pub format: u32,
    /// The version that it shows.
    pub version: Version,
    /// Tells the rows: every image with this lineage has the same ones, whatever its files. None when it was taken by a
    /// store from before there were lineages.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lineage: Option<String>,
    /// The columns.
    pub schema: Schema,
    /// The rowsets, in the order in which they were added.
    pub rowsets: Vec<ImageRowset>,
    /// Every file, once. Follows from `rowsets`; kept so that a copier need not know more.
    pub files: Vec<ImageFile>,
}

/// One rowset of an image.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImageRowset {
    /// Its number in the tablet that the image was taken from.
    pub id: u64,
    /// Its identity for ever and everywhere.
    pub uid: String,
    /// Its segments, by ordinal.
    pub segments: Vec<ImageSegment>,
}

/// One segment of an image.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImageSegment {
    /// Rows, length and checksum of the file.
    #[serde(flatten)]
    pub meta: SegmentMeta,
    /// The rows that the version hides, if any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deletes: Option<ImageDeletes>,
}

/// A delete vector of an image.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImageDeletes {
    /// The version that made it; part of the file's name.
    pub version: Version,
    /// Rows hidden.
    pub rows: u64,
    /// Length of the file in bytes.
    pub len_bytes: u64,
    /// CRC-32 of the file.
    pub crc32: u32,
}

/// One segment of an image and the files that it consists of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImagePart<'a> {
    /// Name of the segment's file.
    pub name: String,
    /// The rowset that it belongs to.
    pub rowset: u64,
    /// What is known about it.
    pub segment: &'a ImageSegment,
    /// Name of the file with its delete vector, if the version hides rows of it.
    pub deletes: Option<String>,
}

impl ImageDeletes {
    /// The hidden rows, from the bytes of the file; `name` names it in errors.
    ///
    /// # Errors
    /// `Corrupt` when they are not the bytes that the image speaks of, `Unsupported` for another format.
    pub fn open(&self, name: &str, bytes: &[u8]) -> Result<Arc<RoaringBitmap>> {
        let (len_bytes, crc32) = (bytes.len() as u64, crc32fast::hash(bytes));
        if (len_bytes, crc32) != (self.len_bytes, self.crc32) {
            let expected = format!("{} bytes with CRC-32 {:08x}", self.len_bytes, self.crc32);
            return Err(Error::corrupt(name, expected, format!("{len_bytes} bytes with CRC-32 {crc32:08x}")));
        }
        let rows = deletes::decode(name, bytes)?;
        if rows.len() != self.rows {
            return Err(Error::corrupt(name, format!("{} hidden rows", self.rows), format!("{}", rows.len())));
        }
        Ok(Arc::new(rows))
    }
}

/// What the name of an image's file says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum ImageName {
    Segment(SegmentId),
    Deletes(SegmentId, Version),
}

pub(crate) fn segment_name(segment: SegmentId) -> String {
    format!("{segment}.parquet")
}

pub(crate) fn deletes_name(segment: SegmentId, version: Version) -> String {
    format!("{segment}.{version}.dv")
}

impl ImageName {
    pub(crate) fn parse(name: &str) -> Option<Self> {
        if let Some(segment) = name.strip_suffix(".parquet") {
            return segment.parse().ok().map(Self::Segment);
        }
        let (segment, version) = name.strip_suffix(".dv")?.split_once('.')?;
        let (segment, version) = (segment.parse().ok()?, version.parse().ok()?);
        (deletes_name(segment, version) == name).then_some(Self::Deletes(segment, version))
    }
}

impl TabletImageMeta {
    pub(crate) fn of(schema: &Schema, state: &State) -> Self {
        let rowsets: Vec<ImageRowset> = state.rowsets.iter().map(|rowset| image_rowset(rowset, state)).collect();
        let files = files(&rowsets);
        let lineage = state.lineage.clone().map(String::from);
        let format = format_of(schema.model());
        Self { format, version: state.version, lineage, schema: schema.clone(), rowsets, files }
    }

    /// Rows in the segments that the image does not hide. Where rows of one key become one when they are read, it shows at
    /// most so many.
    pub fn live_rows(&self) -> u64 {
        let segments = self.rowsets.iter().flat_map(|rowset| &rowset.segments);
        segments
            .map(|segment| segment.meta.rows.saturating_sub(segment.deletes.as_ref().map_or(0, |deletes| deletes.rows)))
            .sum()
    }

    /// Checks an image that came from outside: a format that this program knows, and a description that does not
    /// contradict itself.
    ///
    /// # Errors
    /// `Unsupported` for another format, `Corrupt` naming what contradicts what.
    pub fn validate(&self) -> Result<()> {
        if !(1..=IMAGE_FORMAT).contains(&self.format) {
            let object = "tablet image".to_owned();
            return Err(Error::Format { object, known: IMAGE_FORMAT, found: self.format.to_string() });
        }
        let damaged = |expected: String, found: String| Err(Error::corrupt("tablet image", expected, found));
        let (model, least) = (self.schema.model(), format_of(self.schema.model()));
        if self.format < least {
            return damaged(format!("format {least} for a {model} table"), format!("format {}", self.format));
        }
        if self.version < Version::FIRST {
            return damaged("a version of at least 1".to_owned(), self.version.to_string());
        }
        let mut seen = BTreeSet::new();
        for rowset in &self.rowsets {
            if !seen.insert(rowset.id) {
                return damaged("each rowset once".to_owned(), format!("rowset {} twice", rowset.id));
            }
            if u32::try_from(rowset.segments.len()).is_err() || rowset.id == u64::MAX {
                return damaged("a rowset number and segments in range".to_owned(), format!("rowset {}", rowset.id));
            }
            for segment in &rowset.segments {
                let has_keys = segment.meta.min_key.is_some() && segment.meta.max_key.is_some();
                if model.merges_on_read() && !has_keys {
                    let found = format!("a segment without them in rowset {}", rowset.id);
                    return damaged(
                        format!("the first and last key of each segment of {}", model.with_article()),
                        found,
                    );
                }
                if segment.meta.rows > SEGMENT_ROWS_MAX {
                    let found = format!("{} in rowset {}", segment.meta.rows, rowset.id);
                    return damaged(format!("at most {SEGMENT_ROWS_MAX} rows in a segment"), found);
                }
                let Some(deletes) = &segment.deletes else { continue };
                if deletes.rows > segment.meta.rows || deletes.version > self.version {
                    let found =
                        format!("{} of {} rows hidden by version {}", deletes.rows, segment.meta.rows, deletes.version);
                    return damaged(format!("hidden rows of version {} or before", self.version), found);
                }
            }
        }
        if self.files != files(&self.rowsets) {
            return damaged(
                "the files that the rowsets say".to_owned(),
                format!("another list of {}", self.files.len()),
            );
        }
        Ok(())
    }

    /// The file of that name.
    pub fn file(&self, name: &str) -> Option<&ImageFile> {
        self.files.iter().find(|file| file.name == name)
    }

    /// The rowsets as the store keeps them.
    pub(crate) fn to_rowsets(&self) -> Vec<Arc<Rowset>> {
        let convert = |rowset: &ImageRowset| {
            let segments = rowset.segments.iter().map(|segment| segment.meta.clone()).collect();
            Arc::new(Rowset { id: rowset.id, uid: rowset.uid.clone(), segments })
        };
        self.rowsets.iter().map(convert).collect()
    }

    /// The segments, in the order in which they were added, with the names of their files.
    pub fn parts(&self) -> impl Iterator<Item = ImagePart<'_>> {
        self.segments().map(|(id, segment)| ImagePart {
            name: segment_name(id),
            rowset: id.rowset,
            segment,
            deletes: segment.deletes.as_ref().map(|deletes| deletes_name(id, deletes.version)),
        })
    }

    /// The segments in groups that must be read together, by their places among [`TabletImageMeta::parts`]; as
    /// [`TabletView::groups`](crate::TabletView::groups).
    pub fn groups(&self) -> Vec<Vec<usize>> {
        merge_groups(self.schema.model(), self.segments().map(|(_, segment)| &segment.meta))
    }

    /// The segments with their ids, with the delete vector that each should have.
    pub(crate) fn segments(&self) -> impl Iterator<Item = (SegmentId, &ImageSegment)> {
        self.rowsets.iter().flat_map(|rowset| {
            (0u32..).zip(&rowset.segments).map(|(ordinal, segment)| (SegmentId { rowset: rowset.id, ordinal }, segment))
        })
    }
}

fn image_rowset(rowset: &Rowset, state: &State) -> ImageRowset {
    let segments = rowset
        .segments()
        .map(|(id, meta)| ImageSegment {
            meta: meta.clone(),
            deletes: state.deletes.get(&id).map(|deletes| image_deletes(deletes)),
        })
        .collect();
    ImageRowset { id: rowset.id, uid: rowset.uid.clone(), segments }
}

fn image_deletes(deletes: &DeleteVector) -> ImageDeletes {
    ImageDeletes {
        version: deletes.version,
        rows: deletes.rows.len(),
        len_bytes: deletes.len_bytes,
        crc32: deletes.crc32,
    }
}

fn files(rowsets: &[ImageRowset]) -> Vec<ImageFile> {
    let mut files = Vec::new();
    for rowset in rowsets {
        for (ordinal, segment) in (0u32..).zip(&rowset.segments) {
            let id = SegmentId { rowset: rowset.id, ordinal };
            files.push(ImageFile {
                name: segment_name(id),
                len_bytes: segment.meta.len_bytes,
                crc32: segment.meta.crc32,
                uid: Some(format!("{}-{ordinal}", rowset.uid)),
                inline: false,
            });
            files.extend(segment.deletes.as_ref().map(|deletes| ImageFile {
                name: deletes_name(id, deletes.version),
                len_bytes: deletes.len_bytes,
                crc32: deletes.crc32,
                uid: None,
                inline: true,
            }));
        }
    }
    files
}
