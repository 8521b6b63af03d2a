//! Delete vectors: the rows of one segment that a version hides, and their bytes.
//!
//! ```text
//! offset  bytes
//!      0      4  "TBDV"
//!      4      4  format, little-endian: 1
//!      8      4  CRC-32 of what follows, little-endian
//!     12      …  the bitmap in roaring's portable format
//! ```
//! The same bytes are the value in the metadata store and the file in a tablet's image.

use crate::error::{Error, Result};
use crate::view::SegmentId;
use env::ids::Version;
use roaring::RoaringBitmap;
use std::sync::Arc;

const MAGIC: &[u8; 4] = b"TBDV";
const FORMAT: u32 = 1;
const HEADER_BYTES: usize = 12;

/// The rows of one segment that are hidden from `version` on, until a later vector of the segment replaces it.
#[derive(Debug)]
pub(crate) struct DeleteVector {
    pub(crate) segment: SegmentId,
    /// The version that made it.
    pub(crate) version: Version,
    pub(crate) rows: Arc<RoaringBitmap>,
    /// Length of the encoded form.
    pub(crate) len_bytes: u64,
    /// CRC-32 of the encoded form.
    pub(crate) crc32: u32,
}

impl DeleteVector {
    /// A new vector, with its encoded form.
    pub(crate) fn new(segment: SegmentId, version: Version, mut rows: RoaringBitmap) -> Result<(Self, Vec<u8>)> {
        rows.optimize();
        let bytes = encode(&rows)?;
        let len_bytes = bytes.len() as u64;
        let crc32 = crc32fast::hash(&bytes);
        Ok((Self { segment, version, rows: Arc::new(rows), len_bytes, crc32 }, bytes))
    }

    /// A vector from its encoded form; `object` names it in errors.
    pub(crate) fn from_bytes(segment: SegmentId, version: Version, object: &str, bytes: &[u8]) -> Result<Self> {
        // Encoded anew: length and checksum must be those of what `encode` will give for an image.
        Ok(Self::new(segment, version, decode(object, bytes)?)?.0)
    }
}

/// The encoded form of a set of rows.
pub(crate) fn encode(rows: &RoaringBitmap) -> Result<Vec<u8>> {
    let mut body = Vec::with_capacity(rows.serialized_size());
    rows.serialize_into(&mut body).map_err(|failed| Error::Internal(format!("a bitmap was not encoded: {failed}")))?;
    let mut bytes = Vec::with_capacity(HEADER_BYTES + body.len());
    bytes.extend_from_slice(MAGIC);
    bytes.extend_from_slice(&FORMAT.to_le_bytes());
    bytes.extend_from_slice(&crc32fast::hash(&body).to_le_bytes());
    bytes.extend_from_slice(&body);
    Ok(bytes)
}

/// The rows in an encoded form; `object` names it in errors.
pub(crate) fn decode(object: &str, bytes: &[u8]) -> Result<RoaringBitmap> {
    let (Some((magic, rest)), true) = (bytes.split_first_chunk::<4>(), bytes.len() >= HEADER_BYTES) else {
        return Err(corrupt(object, 0, format!("at least {HEADER_BYTES} bytes"), bytes.len().to_string()));
    };
    if magic != MAGIC {
        return Err(corrupt(object, 0, "the mark TBDV".to_owned(), format!("{magic:02x?}")));
    }
    let (Some((format, rest)), Some((crc, body))) =
        (rest.split_first_chunk::<4>(), rest.get(4..).and_then(<[u8]>::split_first_chunk::<4>))
    else {
        return Err(corrupt(object, 4, "a header".to_owned(), "less".to_owned()));
    };
    debug_assert_eq!(rest.len(), body.len() + 4);
    let format = u32::from_le_bytes(*format);
    if format != FORMAT {
        return Err(Error::Format { object: object.to_owned(), known: FORMAT, found: format.to_string() });
    }
    let (expected, found) = (u32::from_le_bytes(*crc), crc32fast::hash(body));
    if expected != found {
        return Err(corrupt(object, 8, format!("CRC-32 {expected:08x}"), format!("{found:08x}")));
    }
    let mut reader = body;
    let rows = RoaringBitmap::deserialize_from(&mut reader)
        .map_err(|failed| corrupt(object, HEADER_BYTES as u64, "a bitmap".to_owned(), failed.to_string()))?;
    if !reader.is_empty() {
        return Err(corrupt(
            object,
            HEADER_BYTES as u64,
            "a bitmap".to_owned(),
            format!("{} bytes after it", reader.len()),
        ));
    }
    Ok(rows)
}

fn corrupt(object: &str, offset: u64, expected: String, found: String) -> Error {
    Error::Corrupt { object: object.to_owned(), offset: Some(offset), expected, found }
}

#[cfg(test)]
mod tests;
