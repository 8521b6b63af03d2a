//! The bytes of rows. Each row carries a CRC-32 over its table, its key and its content, because the storage library
//! checks its pages only when a file is opened.
//!
//! ```text
//! every row   crc32: u32 | content                       integers little-endian
//! cell        value: u64
//! current     created: u64 | modified: u64 | value       key: the key
//! history     created: u64 | until: u64 | value          key: (the key, modified); visible from modified to before until
//! log         { kind: u8 | previous: u64 | len: u32 | key }*   key: revision; previous 0 = the key did not exist before
//! ```

use crate::error::{Error, Result};
use crate::store::{Entry, Revision};
use bytes::Bytes;

/// Which table a row is in; part of its checksum, so that a row in the wrong place is seen.
#[derive(Debug, Clone, Copy)]
pub(super) enum Table {
    Cell = 1,
    Current = 2,
    History = 3,
    Log = 4,
}

impl Table {
    fn name(self) -> &'static str {
        match self {
            Self::Cell => "cell",
            Self::Current => "current",
            Self::History => "history",
            Self::Log => "log",
        }
    }
}

const CRC_BYTES: usize = 4;

fn crc(table: Table, key: &str, number: u64, content: &[u8]) -> u32 {
    let mut crc = crc32fast::Hasher::new();
    crc.update(&[table as u8]);
    crc.update(&(key.len() as u64).to_le_bytes());
    crc.update(key.as_bytes());
    crc.update(&number.to_le_bytes());
    crc.update(content);
    crc.finalize()
}

/// The row of `content` under `key` and `number` (a part of the key in the history, all of it in the log, else 0).
pub(super) fn seal(table: Table, key: &str, number: u64, parts: &[&[u8]]) -> Vec<u8> {
    let mut row = vec![0; CRC_BYTES];
    for part in parts {
        row.extend_from_slice(part);
    }
    let (head, content) = row.split_at_mut(CRC_BYTES);
    head.copy_from_slice(&crc(table, key, number, content).to_le_bytes());
    row
}

/// The content of a row, if it is what was sealed.
pub(super) fn open<'a>(table: Table, key: &str, number: u64, row: &'a [u8]) -> Result<&'a [u8]> {
    let object = || format!("{} row {key:?} {number}", table.name());
    let (stored, content) = row
        .split_first_chunk::<CRC_BYTES>()
        .ok_or_else(|| Error::corrupt(object(), "a checksum", format!("{} bytes", row.len())))?;
    let (stored, computed) = (u32::from_le_bytes(*stored), crc(table, key, number, content));
    if stored != computed {
        return Err(Error::corrupt(object(), format!("CRC-32 {stored:08x}"), format!("{computed:08x}")));
    }
    Ok(content)
}

/// A key's value in the current or the history table.
#[derive(Debug, Clone, Copy)]
pub(super) struct Row<'a> {
    pub(super) created: u64,
    /// Current: when this value was written. History: when it ceased to be.
    pub(super) other: u64,
    pub(super) value: &'a [u8],
}

impl<'a> Row<'a> {
    pub(super) fn seal(self, table: Table, key: &str, number: u64) -> Vec<u8> {
        seal(table, key, number, &[&self.created.to_le_bytes(), &self.other.to_le_bytes(), self.value])
    }

    pub(super) fn open(table: Table, key: &str, number: u64, row: &'a [u8]) -> Result<Self> {
        let content = open(table, key, number, row)?;
        let parsed = content.split_first_chunk::<8>().and_then(|(created, rest)| {
            let (other, value) = rest.split_first_chunk::<8>()?;
            Some(Self { created: u64::from_le_bytes(*created), other: u64::from_le_bytes(*other), value })
        });
        parsed.ok_or_else(|| {
            Error::corrupt(format!("{} row {key:?}", table.name()), "two revisions", format!("{} bytes", content.len()))
        })
    }

    pub(super) fn entry(self, key: &str, modified: u64) -> Entry {
        Entry {
            key: key.to_owned(),
            value: Bytes::copy_from_slice(self.value),
            created: Revision(self.created),
            modified: Revision(modified),
        }
    }
}

/// One key's change in the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Change<'a> {
    pub(super) key: &'a str,
    /// Whether it was put, else deleted.
    pub(super) put: bool,
    /// The revision of the value that this change replaced; 0 for none.
    pub(super) previous: u64,
}

pub(super) fn seal_log(revision: u64, changes: &[Change<'_>]) -> Vec<u8> {
    let mut content = Vec::new();
    for change in changes {
        content.push(u8::from(change.put));
        content.extend_from_slice(&change.previous.to_le_bytes());
        content.extend_from_slice(&u32::try_from(change.key.len()).unwrap_or(u32::MAX).to_le_bytes());
        content.extend_from_slice(change.key.as_bytes());
    }
    seal(Table::Log, "", revision, &[&content])
}

pub(super) fn open_log(revision: u64, row: &[u8]) -> Result<Vec<Change<'_>>> {
    let mut rest = open(Table::Log, "", revision, row)?;
    let mut changes = Vec::new();
    while !rest.is_empty() {
        let (change, tail) = open_change(rest)
            .ok_or_else(|| Error::corrupt(format!("log row {revision}"), "changes", format!("{rest:02x?}")))?;
        changes.push(change);
        rest = tail;
    }
    Ok(changes)
}

fn open_change(bytes: &[u8]) -> Option<(Change<'_>, &[u8])> {
    let (kind, rest) = bytes.split_first()?;
    let (previous, rest) = rest.split_first_chunk::<8>()?;
    let (len, rest) = rest.split_first_chunk::<4>()?;
    let (key, rest) = rest.split_at_checked(usize::try_from(u32::from_le_bytes(*len)).ok()?)?;
    let put = match kind {
        0 => false,
        1 => true,
        _ => return None,
    };
    Some((Change { key: str::from_utf8(key).ok()?, put, previous: u64::from_le_bytes(*previous) }, rest))
}
