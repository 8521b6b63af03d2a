//! Pages and sealed documents: bytes that prove themselves. Pure.
//!
//! A *page* is immutable and referred to by a [`PageRef`] with its length and hash. A *sealed document* (identity,
//! commit record) has nobody who refers to it by hash, or not yet, so it carries its own: a line of JSON, then a line
//! `{"blake3":"<hex>"}` over the first. Everything is bounded before it is read: [`PAGE_BYTES_MAX`],
//! [`RECORD_BYTES_MAX`].

use crate::error::{Error, Result};
use crate::names::{ObjectName, Owner};
use bytes::Bytes;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::fmt;

/// No page is longer, 16 MiB; those of tablets are cut at about 1 MiB.
pub const PAGE_BYTES_MAX: u64 = 16 << 20;
/// No commit record is longer: the longest action with [`SESSIONS_MAX`](crate::SESSIONS_MAX) open sessions fits.
pub(crate) const RECORD_BYTES_MAX: u64 = 16 << 10;
/// The format that this program writes, and the newest that it reads, for pages, records and identity.
pub const FORMAT: u32 = 1;

/// What a page holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PageKind {
    /// Summaries of snapshots, sorted by label.
    IndexLeaf,
    /// References to pages of the index.
    IndexInner,
    /// One [`SnapshotRoot`](crate::SnapshotRoot).
    Snapshot,
    /// One [`TableManifest`](crate::TableManifest).
    Table,
    /// Lines of [`TabletEntry`](crate::TabletEntry).
    Tablets,
}

impl fmt::Display for PageKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::IndexLeaf => "index-leaf",
            Self::IndexInner => "index-inner",
            Self::Snapshot => "snapshot",
            Self::Table => "table",
            Self::Tablets => "tablets",
        })
    }
}

/// A reference to a page that can be checked.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct PageRef {
    /// The object that holds it.
    pub name: String,
    /// Its length.
    pub len_bytes: u64,
    /// BLAKE3 of its bytes, 64 hexadecimal digits.
    pub hash: String,
    /// What it holds.
    pub kind: PageKind,
    /// The format of what it holds.
    pub format: u32,
}

impl PageRef {
    pub(crate) fn of(owner: &Owner, kind: PageKind, bytes: &[u8]) -> Result<Self> {
        let len_bytes = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        if len_bytes > PAGE_BYTES_MAX {
            return Err(Error::Invalid(format!(
                "a page of kind {kind} would have {len_bytes} bytes, the limit is {PAGE_BYTES_MAX}"
            )));
        }
        let hash = blake3::hash(bytes).to_hex().to_string();
        Ok(Self { name: owner.page(&hash), len_bytes, hash, kind, format: FORMAT })
    }

    /// Refuses a reference that no writer would have made, before anything is fetched or allocated for it.
    pub(crate) fn check(&self, kind: PageKind) -> Result<()> {
        if self.format > FORMAT {
            return Err(newer(&self.name, self.format));
        }
        if self.kind != kind || self.len_bytes > PAGE_BYTES_MAX {
            let found = format!("a reference to {} bytes of kind {}", self.len_bytes, self.kind);
            return Err(Error::corrupt(&self.name, 0, format!("a page of kind {kind}"), found));
        }
        if !matches!(ObjectName::parse(&self.name), ObjectName::Page(_)) {
            return Err(Error::corrupt(&self.name, 0, "the name of a page", "another name"));
        }
        Ok(())
    }

    /// Refuses bytes that are not the page's.
    pub(crate) fn verify(&self, bytes: &[u8]) -> Result<()> {
        if u64::try_from(bytes.len()).ok() != Some(self.len_bytes) {
            return Err(Error::corrupt(
                &self.name,
                self.len_bytes.min(bytes.len() as u64),
                format!("{} bytes", self.len_bytes),
                format!("{} bytes", bytes.len()),
            ));
        }
        let found = blake3::hash(bytes).to_hex();
        if found.as_str() != self.hash {
            return Err(Error::corrupt(&self.name, 0, format!("blake3 {}", self.hash), format!("blake3 {found}")));
        }
        Ok(())
    }
}

pub(crate) fn newer(object: &str, format: u32) -> Error {
    Error::Unsupported(format!(
        "object {object:?} has format {format}, this program reads formats up to {FORMAT}; use a newer program"
    ))
}

/// A page that is one JSON value.
#[derive(Serialize, Deserialize)]
struct Document<T> {
    format: u32,
    kind: PageKind,
    body: T,
}

/// What every page and document begins with; read first, so that a newer format is told from damage.
#[derive(Deserialize)]
struct Head {
    format: u32,
}

pub(crate) fn encode<T: Serialize>(kind: PageKind, body: &T) -> Result<Bytes> {
    let mut bytes = to_json(&Document { format: FORMAT, kind, body })?;
    bytes.push(b'\n');
    Ok(bytes.into())
}

pub(crate) fn decode<T: DeserializeOwned>(page: &PageRef, kind: PageKind, bytes: &[u8]) -> Result<T> {
    page.verify(bytes)?;
    let document: Document<T> = parse(&page.name, 0, bytes)?;
    if document.kind != kind {
        return Err(Error::corrupt(&page.name, 0, format!("kind {kind}"), format!("kind {}", document.kind)));
    }
    Ok(document.body)
}

pub(crate) fn to_json<T: Serialize>(value: &T) -> Result<Vec<u8>> {
    serde_json::to_vec(value).map_err(|failed| Error::Internal(format!("cannot be written as JSON: {failed}")))
}

/// The first line of a page of lines.
#[derive(Serialize, Deserialize)]
struct LinesHead {
    format: u32,
    kind: PageKind,
}

/// Builds a page of JSON lines.
#[derive(Debug)]
pub(crate) struct Lines {
    kind: PageKind,
    bytes: Vec<u8>,
    count: u64,
}

impl Lines {
    pub(crate) fn new(kind: PageKind) -> Self {
        Self { kind, bytes: Vec::new(), count: 0 }
    }

    pub(crate) fn push<T: Serialize>(&mut self, line: &T) -> Result<()> {
        if self.bytes.is_empty() {
            self.bytes = to_json(&LinesHead { format: FORMAT, kind: self.kind })?;
            self.bytes.push(b'\n');
        }
        serde_json::to_writer(&mut self.bytes, line)
            .map_err(|failed| Error::Internal(format!("cannot be written as JSON: {failed}")))?;
        self.bytes.push(b'\n');
        self.count += 1;
        Ok(())
    }

    pub(crate) fn len_bytes(&self) -> u64 {
        self.bytes.len() as u64
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// The page's bytes; the builder begins the next page.
    pub(crate) fn take(&mut self) -> Bytes {
        self.count = 0;
        std::mem::take(&mut self.bytes).into()
    }
}

/// The values of a page of JSON lines, each with the offset of its line.
pub(crate) fn decode_lines<T>(page: &PageRef, kind: PageKind, bytes: &Bytes) -> Result<Vec<(u64, T)>>
where
    T: DeserializeOwned,
{
    page.verify(bytes)?;
    lines(page, kind, bytes)?.collect()
}

/// As [`decode_lines`], of bytes that are verified, and parsed as they are asked for: a text is several times smaller
/// than what is made of it.
pub(crate) fn lines<T: DeserializeOwned>(
    page: &PageRef,
    kind: PageKind,
    bytes: &Bytes,
) -> Result<impl Iterator<Item = Result<(u64, T)>> + Send + use<T>> {
    let head = line(bytes, 0).unwrap_or_default();
    let LinesHead { kind: found, .. } = parse(&page.name, 0, &head)?;
    if found != kind {
        return Err(Error::corrupt(&page.name, 0, format!("kind {kind}"), format!("kind {found}")));
    }
    let (name, bytes, mut next) = (page.name.clone(), bytes.clone(), head.len());
    Ok(std::iter::from_fn(move || {
        let line = line(&bytes, next)?;
        let offset = next as u64;
        next += line.len();
        Some(parse_body(&name, offset, &line).map(|value| (offset, value)))
    }))
}

/// The line that begins at `from`, with its end; none behind the last one.
fn line(bytes: &Bytes, from: usize) -> Option<Bytes> {
    let rest = bytes.get(from..).filter(|rest| !rest.is_empty())?;
    let len = rest.iter().position(|byte| *byte == b'\n').map_or(rest.len(), |end| end + 1);
    Some(bytes.slice(from..from + len))
}

fn parse_body<T: DeserializeOwned>(object: &str, offset: u64, bytes: &[u8]) -> Result<T> {
    serde_json::from_slice(bytes).map_err(|failed| {
        let column = u64::try_from(failed.column()).unwrap_or(0);
        Error::corrupt(object, offset + column, "well-formed JSON of its format", failed.to_string())
    })
}

/// Parses a JSON object with a `format` field.
fn parse<T: DeserializeOwned>(object: &str, offset: u64, bytes: &[u8]) -> Result<T> {
    let head: Head = parse_body(object, offset, bytes)?;
    if head.format > FORMAT || head.format == 0 {
        return Err(newer(object, head.format));
    }
    parse_body(object, offset, bytes)
}

#[derive(Serialize, Deserialize)]
struct Seal {
    blake3: String,
}

/// A sealed document's bytes and the hash of its first line.
pub(crate) fn seal<T: Serialize>(body: &T) -> Result<(Bytes, String)> {
    let mut bytes = to_json(body)?;
    let hash = blake3::hash(&bytes).to_hex().to_string();
    bytes.push(b'\n');
    bytes.extend(to_json(&Seal { blake3: hash.clone() })?);
    bytes.push(b'\n');
    Ok((bytes.into(), hash))
}

/// A sealed document's value and the hash of its first line.
pub(crate) fn unseal<T: DeserializeOwned>(object: &str, bytes: &[u8]) -> Result<(T, String)> {
    let mut lines = bytes.split(|byte| *byte == b'\n');
    let (Some(body), Some(seal), Some([]), None) = (lines.next(), lines.next(), lines.next(), lines.next()) else {
        return Err(Error::corrupt(
            object,
            bytes.len() as u64,
            "a line of JSON and a line with its hash",
            "other text",
        ));
    };
    let hash = blake3::hash(body).to_hex().to_string();
    let seal: Seal = parse_body(object, body.len() as u64 + 1, seal)?;
    if seal.blake3 != hash {
        return Err(Error::corrupt(object, 0, format!("blake3 {}", seal.blake3), format!("blake3 {hash}")));
    }
    Ok((parse(object, 0, body)?, hash))
}

#[cfg(test)]
mod tests;
