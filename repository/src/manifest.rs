//! What a snapshot consists of: a root page, a page for each table, leaf pages of tablets.
//!
//! The root and the tables are JSON documents; a partition's tablets are JSON lines in bounded pages, so that a
//! reader's memory does not grow with the number of files.

use crate::error::{Error, Result};
use crate::names::{ObjectName, SessionId};
use crate::page::PageRef;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// One snapshot, as the repository's index shows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SnapshotSummary {
    /// Name, unique in the repository: 1 to 128 of letters, digits, `_`, `-`.
    pub label: String,
    /// When it was taken, `yyyy-MM-dd-HH-mm-ss-SSS`.
    pub timestamp: String,
    /// Name of the database that it is of.
    pub database: String,
    /// The cluster that it is of; files are reused only between snapshots of one cluster.
    pub cluster: String,
    /// Wall clock when the job was submitted, milliseconds since 1970.
    pub created_ms: u64,
    /// Wall clock just before the commit, milliseconds since 1970.
    pub finished_ms: u64,
    /// How many tables.
    pub tables: u64,
    /// How many tablets.
    pub tablets: u64,
    /// How many files.
    pub files: u64,
    /// Bytes in those files.
    pub bytes: u64,
    /// Bytes of those files that this snapshot had to send; the rest was there.
    pub bytes_sent: u64,
    /// The page that holds a [`SnapshotRoot`].
    pub root: PageRef,
    /// The session that wrote it.
    pub session: SessionId,
    /// From this wall clock on it may be dropped without a policy that says so, milliseconds since 1970; it is never
    /// dropped by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_ms: Option<u64>,
    /// Why it must not be dropped. Set by [`Repository::hold`](crate::Repository::hold) and taken away by
    /// [`Repository::release`](crate::Repository::release) alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hold: Option<Hold>,
}

/// What keeps a snapshot from being dropped.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hold {
    /// For people, at most [`REASON_BYTES_MAX`](crate::REASON_BYTES_MAX) bytes.
    pub reason: String,
    /// Wall clock when it was set, milliseconds since 1970.
    pub since_ms: u64,
}

#[cfg(test)]
impl SnapshotSummary {
    /// A row of which only label and session matter.
    pub(crate) fn sample(label: impl Into<String>, session: SessionId) -> Self {
        let kind = crate::page::PageKind::Snapshot;
        Self {
            label: label.into(),
            timestamp: "2026-01-01".into(),
            database: "d".into(),
            cluster: "c".into(),
            created_ms: 0,
            finished_ms: 0,
            tables: 0,
            tablets: 0,
            files: 0,
            bytes: 0,
            bytes_sent: 0,
            root: PageRef { name: String::new(), len_bytes: 0, hash: String::new(), kind, format: 1 },
            session,
            expires_ms: None,
            hold: None,
        }
    }
}

/// The top of a snapshot.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SnapshotRoot {
    /// As in the summary.
    pub label: String,
    /// As in the summary.
    pub timestamp: String,
    /// As in the summary.
    pub cluster: String,
    /// The database's number in that cluster.
    pub database_id: u64,
    /// The database's name.
    pub database: String,
    /// The catalog's revision at which all tables were cut.
    pub cut_revision: u64,
    /// Wall clock when the job was submitted, milliseconds since 1970.
    pub created_ms: u64,
    /// The tables.
    pub tables: Vec<TableRef>,
}

/// A table in a [`SnapshotRoot`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TableRef {
    /// The table's number in its cluster.
    pub id: u64,
    /// Its name.
    pub name: String,
    /// How many partitions.
    pub partitions: u64,
    /// How many tablets.
    pub tablets: u64,
    /// How many files.
    pub files: u64,
    /// Bytes in those files.
    pub bytes: u64,
    /// The page that holds a [`TableManifest`].
    pub page: PageRef,
}

/// A table as it was at the cut.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TableManifest {
    /// The table's number in its cluster.
    pub id: u64,
    /// Its name.
    pub name: String,
    /// Its definition, opaque to the repository.
    pub schema: Value,
    /// Its partitions.
    pub partitions: Vec<PartitionManifest>,
}

impl TableManifest {
    /// The partition with this number.
    pub fn partition(&self, id: u64) -> Option<&PartitionManifest> {
        self.partitions.iter().find(|partition| partition.id == id)
    }

    /// The partition with this name.
    pub fn partition_named(&self, name: &str) -> Option<&PartitionManifest> {
        self.partitions.iter().find(|partition| partition.name == name)
    }
}

/// A partition as it was at the cut.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PartitionManifest {
    /// The partition's number in its cluster.
    pub id: u64,
    /// Its name.
    pub name: String,
    /// Its visible version at the cut.
    pub version: u64,
    /// Its bounds, opaque to the repository.
    pub bounds: Value,
    /// How many buckets.
    pub buckets: u32,
    /// How many tablets.
    pub tablets: u64,
    /// How many files.
    pub files: u64,
    /// Bytes in those files.
    pub bytes: u64,
    /// Pages of [`TabletEntry`] lines.
    pub pages: Vec<PageRef>,
}

/// A tablet and its files.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TabletEntry {
    /// The tablet's number in its cluster.
    pub tablet: u64,
    /// Which bucket of its partition (0-based).
    pub bucket: u32,
    /// Its version at the cut.
    pub version: u64,
    /// Tells its rows: all entries of one cluster with one lineage have the same rows, whatever their files. Left out by
    /// stores that cannot tell. With it, `meta` and `files` may be those of an earlier version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lineage: Option<String>,
    /// What its store needs to open it, opaque to the repository.
    pub meta: Value,
    /// Its files.
    pub files: Vec<FileEntry>,
}

/// One file of a tablet and where its bytes are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileEntry {
    /// Name, unique in the tablet.
    pub name: String,
    /// Identity of its bytes in the source cluster, by which a later snapshot recognises it; left out when it is the
    /// name, which says something in its tablet only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// Length.
    pub len_bytes: u64,
    /// CRC-32 (IEEE) of all bytes.
    pub crc32: u32,
    /// The object that holds it.
    pub object: String,
    /// Where in the object it begins.
    pub offset: u64,
    /// Length of a chunk; the last one is shorter.
    pub chunk_bytes: u32,
    /// CRC-32 of each chunk.
    pub chunks: Vec<u32>,
}

impl FileEntry {
    /// By what a later snapshot of the same partition recognises the file.
    pub fn identity(&self) -> &str {
        self.id.as_deref().unwrap_or(&self.name)
    }

    /// Refuses an entry that contradicts itself: what comes from a page is not trusted.
    pub(crate) fn check(&self) -> Result<()> {
        let bad =
            |what: &str| Error::corrupt(&self.object, self.offset, format!("a sound entry of {:?}", self.name), what);
        if !matches!(ObjectName::parse(&self.object), ObjectName::Data(_)) {
            return Err(bad("a name that is not of a data object"));
        }
        if !self.chunk_bytes.is_power_of_two() || !(1 << 16..=1 << 26).contains(&self.chunk_bytes) {
            return Err(bad("an impossible chunk length"));
        }
        let chunks = self.len_bytes.div_ceil(u64::from(self.chunk_bytes));
        if u64::try_from(self.chunks.len()).ok() != Some(chunks) {
            return Err(bad("a wrong number of chunk checksums"));
        }
        if self.offset.checked_add(self.len_bytes).is_none() {
            return Err(bad("an impossible offset"));
        }
        if crate::checksum::combine(self.len_bytes, u64::from(self.chunk_bytes), &self.chunks) != self.crc32 {
            return Err(bad("chunk checksums that do not combine to the file's"));
        }
        Ok(())
    }
}
