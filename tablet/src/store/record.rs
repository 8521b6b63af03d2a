//! The store's durable records: what each holds and how it is framed.
//!
//! Every value in the metadata file is framed as format (u32, little-endian), CRC-32 of the body (u32, little-endian),
//! body. Bodies are JSON, so that a person with a dump can read them; delete vectors have a frame of their own. Keys
//! are numbers, 8 bytes each, big-endian, so that the order of keys is the order of ids.

use crate::error::{Error, Result};
use crate::image::TabletImageMeta;
use crate::schema::Schema;
use crate::segment::SegmentMeta;
use crate::store::lineage::Lineage;
use crate::store::state::Rowset;
use crate::view::SegmentId;
use env::ids::{LoadId, Version};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// A JSON record with its kind and format.
pub(super) trait Record: Serialize + DeserializeOwned {
    const KIND: &'static str;
    const FORMAT: u32 = 1;
}

/// Key: tablet.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct TabletRecord {
    pub(super) schema: Schema,
    pub(super) life: LifeRecord,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum LifeRecord {
    Live,
    /// Readers or pins may still hold files.
    Removed,
}

/// Key: tablet. The number that the next rowset gets at least, so that a reclaimed one is never given again.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct CounterRecord {
    pub(super) next_rowset: u64,
}

/// Key: tablet, rowset.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct RowsetRecord {
    /// As in [`Rowset`].
    pub(super) uid: String,
    pub(super) segments: Vec<SegmentMeta>,
}

/// Key: tablet, version; and, for a pin: job, tablet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct StateRecord {
    pub(crate) version: Version,
    pub(crate) load: Option<LoadId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) lineage: Option<Lineage>,
    pub(crate) rowsets: Vec<u64>,
    /// Rowset, ordinal, and the version of the vector.
    pub(crate) deletes: Vec<(u64, u32, Version)>,
}

/// Key: load, tablet, sequence number.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) enum PreparedRecord {
    Rows { rowset: u64 },
    Keys { file: u64, len_bytes: u64, crc32: u32, keys: u64 },
    Positions { base: Version, segments: Vec<SegmentId> },
}

/// Key: job, tablet.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct StageRecord {
    pub(super) image: TabletImageMeta,
    pub(super) finished: bool,
}

/// Key: none. How many transactions the file has seen.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(super) struct SequenceRecord {
    pub(super) transactions: u64,
}

impl Record for TabletRecord {
    const KIND: &'static str = "tablet";
}
impl Record for CounterRecord {
    const KIND: &'static str = "counter";
}
impl Record for RowsetRecord {
    const KIND: &'static str = "rowset";
}
impl Record for StateRecord {
    const KIND: &'static str = "state";
}
impl Record for PreparedRecord {
    const KIND: &'static str = "prepared";
}
impl Record for StageRecord {
    const KIND: &'static str = "stage";
}
impl Record for SequenceRecord {
    const KIND: &'static str = "sequence";
}

impl RowsetRecord {
    pub(super) fn of(rowset: &Rowset) -> Self {
        Self { uid: rowset.uid.clone(), segments: rowset.segments.clone() }
    }

    pub(super) fn into_rowset(self, id: u64) -> Rowset {
        Rowset { id, uid: self.uid, segments: self.segments }
    }
}

/// A record as bytes.
pub(super) fn encode<R: Record>(record: &R) -> Result<Vec<u8>> {
    let body = serde_json::to_vec(record)
        .map_err(|failed| Error::Internal(format!("a {} record was not encoded: {failed}", R::KIND)))?;
    let mut bytes = Vec::with_capacity(8 + body.len());
    bytes.extend_from_slice(&R::FORMAT.to_le_bytes());
    bytes.extend_from_slice(&crc32fast::hash(&body).to_le_bytes());
    bytes.extend_from_slice(&body);
    Ok(bytes)
}

/// A record from its bytes; `key` names it in errors.
pub(super) fn decode<R: Record>(key: &[u8], bytes: &[u8]) -> Result<R> {
    let object = || format!("{} record {}", R::KIND, key_text(key));
    let damaged = |offset, expected: String, found: String| Error::Corrupt {
        object: object(),
        offset: Some(offset),
        expected,
        found,
    };
    let header =
        bytes.split_first_chunk::<4>().and_then(|(format, rest)| Some((format, rest.split_first_chunk::<4>()?)));
    let Some((format, (crc, body))) = header else {
        return Err(damaged(0, "at least 8 bytes".to_owned(), bytes.len().to_string()));
    };
    let format = u32::from_le_bytes(*format);
    if format != R::FORMAT {
        return Err(Error::Format { object: object(), known: R::FORMAT, found: format.to_string() });
    }
    let (expected, found) = (u32::from_le_bytes(*crc), crc32fast::hash(body));
    if expected != found {
        return Err(damaged(4, format!("CRC-32 {expected:08x}"), format!("{found:08x}")));
    }
    serde_json::from_slice(body).map_err(|failed| damaged(8, format!("a {} record", R::KIND), failed.to_string()))
}

/// A key from its numbers.
pub(super) fn key(numbers: &[u64]) -> Vec<u8> {
    numbers.iter().flat_map(|number| number.to_be_bytes()).collect()
}

/// A key's numbers; `what` names the kind of record in errors.
pub(super) fn numbers<const N: usize>(what: &str, key: &[u8]) -> Result<[u64; N]> {
    let mut numbers = [0; N];
    let (chunks, rest) = key.as_chunks::<8>();
    if chunks.len() != N || !rest.is_empty() {
        return Err(Error::corrupt(
            &format!("key of a {what} record"),
            format!("{} bytes", 8 * N),
            key.len().to_string(),
        ));
    }
    for (number, chunk) in numbers.iter_mut().zip(chunks) {
        *number = u64::from_be_bytes(*chunk);
    }
    Ok(numbers)
}

/// A segment's ordinal from a key's number.
pub(super) fn ordinal(number: u64) -> Result<u32> {
    u32::try_from(number).map_err(|_large| Error::corrupt("key of a delete vector", "an ordinal", number.to_string()))
}

fn key_text(key: &[u8]) -> String {
    let numbers: Vec<String> =
        key.as_chunks::<8>().0.iter().map(|chunk| u64::from_be_bytes(*chunk).to_string()).collect();
    numbers.join("/")
}

pub(crate) mod fuzzing;
#[cfg(test)]
mod tests;
