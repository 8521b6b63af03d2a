//! Segments: immutable Parquet files of rows sorted by the table's key.
//!
//! A segment is an ordinary Parquet file, LZ4-compressed, without an embedded Arrow schema, so that any tool reads it. What makes it a
//! segment are its rows' order and three entries of the footer's key-value metadata:
//!
//! | key | value |
//! |---|---|
//! | `tabularium.format` | `1`; a reader refuses any other |
//! | `tabularium.tablet` | the tablet that it was written for; a restored copy keeps the old number |
//! | `tabularium.segment` | `<rowset>-<ordinal>` |
//!
//! Parquet's own page checksums are not used: length and CRC-32 of the whole file are kept beside it, by whoever refers to it.
//! [`SegmentReader::open_verified`] checks both before anything is decoded. The Parquet decoder may panic on bytes that are not what was
//! written; [`SegmentReader`] catches that at its edge and reports the file as damaged, so that even an unverified file
//! cannot take the process down.

mod fold;
mod groups;
mod merge;
mod merged;
mod plain;
mod positions;
mod prune;
mod reader;
mod sort;
#[cfg(test)]
mod tests;
mod writer;

pub(crate) use groups::merge_groups;
pub use merge::{Merge, Merged, Origin, merge};
pub use merged::{MergedScan, SegmentSource, merge_segments};
pub use plain::{is_plain, plain_schema, write_plain};
pub use positions::row_selection;
pub use prune::{CompareOp, Predicate};
pub use reader::{ScanBatch, ScanOptions, SegmentReader, SegmentScan};
pub use sort::{SORTED_BATCH_ROWS, sort_batches};
pub use writer::SegmentWriter;

use crate::error::{Error, Result};
use crate::keys::hex;
use env::ids::TabletId;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The format that this code writes and the only one that it reads.
pub const SEGMENT_FORMAT: u32 = 1;
/// Most rows of a segment: positions and delete vectors count in 32 bits.
pub const SEGMENT_ROWS_MAX: u64 = u32::MAX as u64;

const FORMAT_KEY: &str = "tabularium.format";
const TABLET_KEY: &str = "tabularium.tablet";
const SEGMENT_KEY: &str = "tabularium.segment";

/// Whether pages are compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Compression {
    /// LZ4 blocks: three times as small as it stands, faster to read than a disk is.
    Lz4,
    /// Not at all.
    None,
}

/// How a segment is laid out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SegmentOptions {
    /// Rows of a row group, the coarse unit of pruning; at least 1.
    pub row_group_rows: usize,
    /// Rows of a page, the fine unit of pruning; at least 1.
    pub page_rows: usize,
    /// Whether pages are compressed.
    pub compression: Compression,
}

impl Default for SegmentOptions {
    fn default() -> Self {
        Self { row_group_rows: 128 * 1024, page_rows: 16 * 1024, compression: Compression::Lz4 }
    }
}

/// What a segment was written as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SegmentOrigin {
    /// The tablet that it was written for.
    pub tablet: TabletId,
    /// The rowset in the tablet.
    pub rowset: u64,
    /// The segment's place in the rowset.
    pub ordinal: u32,
}

/// What is to be known about a finished segment without opening it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SegmentMeta {
    /// How many rows.
    pub rows: u64,
    /// Length of the file.
    pub len_bytes: u64,
    /// CRC-32 of all bytes of the file.
    pub crc32: u32,
    /// The encoded key of the first row; `None` when there are no rows or no key columns.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        serialize_with = "to_hex",
        deserialize_with = "from_hex"
    )]
    pub min_key: Option<Vec<u8>>,
    /// The encoded key of the last row.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        serialize_with = "to_hex",
        deserialize_with = "from_hex"
    )]
    pub max_key: Option<Vec<u8>>,
}

impl SegmentMeta {
    /// Checks bytes against length and CRC-32.
    ///
    /// # Errors
    /// `Corrupt` with what was expected and what was found.
    pub fn verify(&self, name: &str, bytes: &[u8]) -> Result<()> {
        let len_bytes = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        if len_bytes != self.len_bytes {
            return Err(Error::Corrupt {
                object: name.to_owned(),
                offset: Some(len_bytes.min(self.len_bytes)),
                expected: format!("{} bytes", self.len_bytes),
                found: format!("{len_bytes} bytes"),
            });
        }
        let crc32 = crc32fast::hash(bytes);
        if crc32 != self.crc32 {
            return Err(Error::corrupt(name, format!("CRC-32 {:08x}", self.crc32), format!("{crc32:08x}")));
        }
        Ok(())
    }
}

#[expect(clippy::ref_option, reason = "the shape that serde asks for")]
fn to_hex<S: Serializer>(key: &Option<Vec<u8>>, serializer: S) -> Result<S::Ok, S::Error> {
    let text = key.as_ref().map(|key| hex(key));
    text.serialize(serializer)
}

fn from_hex<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Vec<u8>>, D::Error> {
    let Some(text) = Option::<String>::deserialize(deserializer)? else {
        return Ok(None);
    };
    let wrong = || serde::de::Error::custom(format!("'{text}' is not a key in hexadecimal digits"));
    if text.len() % 2 != 0 {
        return Err(wrong());
    }
    let digit = |byte: &u8| char::from(*byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let bytes = text.as_bytes().chunks_exact(2).map(|pair| match pair {
        [high, low] => Some(digit(high)? * 16 + digit(low)?),
        _ => None,
    });
    bytes.collect::<Option<Vec<u8>>>().map(Some).ok_or_else(wrong)
}
