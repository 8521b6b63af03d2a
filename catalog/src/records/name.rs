//! Names: keys that make names unique and lead to ids.

use crate::error::{Error, Result};
use bytes::Bytes;
use serde::{Deserialize, Serialize};

/// What is stored under a name's key (`name/...`): the id of what has the name. The key is not part of it, so this is no
/// [`Record`](crate::Record); the JSON is of the same shape.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NameRecord {
    format: u32,
    /// The id of what has this name.
    pub id: u64,
}

impl NameRecord {
    /// The format that this build writes.
    pub const FORMAT: u32 = 1;

    /// A name of the thing with this id.
    pub fn new(id: u64) -> Self {
        Self { format: Self::FORMAT, id }
    }

    /// The bytes to store.
    pub fn encode(&self) -> Bytes {
        format!("{{\"format\":{},\"id\":{}}}", self.format, self.id).into()
    }

    /// Reads what was found at `key`.
    ///
    /// # Errors
    /// [`Error::NewerFormat`] when a newer build wrote it, `Corrupt` when it is no such record.
    pub fn decode(key: &str, value: &[u8]) -> Result<Self> {
        let record: Self =
            serde_json::from_slice(value).map_err(|failed| Error::corrupt(key, "a name record", failed.to_string()))?;
        match record.format {
            0 => Err(Error::corrupt(key, "a format number from 1 on", "0")),
            Self::FORMAT => Ok(record),
            found => {
                Err(Error::NewerFormat { object: key.to_owned(), found: found.into(), supported: Self::FORMAT.into() })
            }
        }
    }
}
