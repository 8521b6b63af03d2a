//! How records become bytes: JSON with the number of its format in the field `format`.

use crate::error::{Error, Result};
use crate::store::{Entry, Revision};
use bytes::Bytes;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::fmt::Debug;
use std::ops::Deref;

/// A kind of record.
///
/// A reader takes every format up to its own [`FORMAT`](Record::FORMAT) and refuses newer ones. Within one format a field may
/// be added if it has a default and a build that drops it does no harm; anything else is a new format, with the reading
/// of the old one kept in [`decode`](Record::decode).
pub trait Record: Serialize + DeserializeOwned + Clone + Debug + Send + Sync + 'static {
    /// The word for it in messages.
    const KIND: &'static str;

    /// The newest format that this build knows, from 1 on.
    const FORMAT: u32;

    /// The format that this record is written in: the oldest one that can say it, so that builds which know no newer one
    /// read what they can.
    fn format(&self) -> u32 {
        Self::FORMAT
    }

    /// The key under which it is stored.
    fn key(&self) -> String;

    /// Reads the JSON of any format from 1 to [`FORMAT`](Record::FORMAT).
    ///
    /// # Errors
    /// When the bytes are not such a record.
    fn decode(_format: u32, json: &[u8]) -> serde_json::Result<Self> {
        serde_json::from_slice(json)
    }
}

/// A record as it was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stored<R> {
    /// The record.
    pub record: R,
    /// When its key came into being.
    pub created: Revision,
    /// When it was last written; what guards compare.
    pub modified: Revision,
}

impl<R> Deref for Stored<R> {
    type Target = R;

    fn deref(&self) -> &R {
        &self.record
    }
}

#[derive(Serialize)]
struct Envelope<'a, R> {
    format: u32,
    #[serde(flatten)]
    record: &'a R,
}

#[derive(Deserialize)]
struct Head {
    format: u32,
}

/// The bytes of a record.
///
/// # Errors
/// `Internal` when it cannot be JSON.
pub fn encode<R: Record>(record: &R) -> Result<Bytes> {
    serde_json::to_vec(&Envelope { format: record.format(), record }).map(Bytes::from).map_err(|failed| {
        Error::Internal { object: record.key(), reason: format!("cannot be stored as JSON: {failed}") }
    })
}

/// The record in `value`, which was found at `key`.
///
/// # Errors
/// [`Error::NewerFormat`] when a newer build wrote it, `Corrupt` when it is no such record or belongs to another key.
pub fn decode<R: Record>(key: &str, value: &[u8]) -> Result<R> {
    let broken = |failed: serde_json::Error| Error::Corrupt {
        object: key.to_owned(),
        // Records are written as one line.
        offset: (failed.line() == 1).then(|| failed.column().saturating_sub(1) as u64),
        expected: format!("a {} record", R::KIND),
        found: failed.to_string(),
    };
    let Head { format } = serde_json::from_slice(value).map_err(broken)?;
    if format > R::FORMAT {
        return Err(Error::NewerFormat { object: key.to_owned(), found: format.into(), supported: R::FORMAT.into() });
    }
    if format == 0 {
        return Err(Error::corrupt(key, "a format number from 1 on", "0"));
    }
    let record = R::decode(format, value).map_err(broken)?;
    let own = record.key();
    if own != key {
        return Err(Error::corrupt(key, format!("the {} record of this key", R::KIND), format!("that of {own:?}")));
    }
    Ok(record)
}

impl<R: Record> Stored<R> {
    pub(crate) fn from_entry(entry: &Entry) -> Result<Self> {
        let record = decode(&entry.key, &entry.value)?;
        Ok(Self { record, created: entry.created, modified: entry.modified })
    }
}
