//! What can go wrong, grouped by what the caller must do about it.

pub use env::ErrorKind;

use crate::store::Revision;
use std::fmt;
use std::io;
use std::sync::Arc;

/// The result of catalog calls.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// A key as a guard expected it or as it was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyState {
    /// No such key.
    Absent,
    /// Last written at this revision.
    Modified(Revision),
}

impl fmt::Display for KeyState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Absent => f.write_str("absent"),
            Self::Modified(revision) => write!(f, "written at revision {revision}"),
        }
    }
}

/// Kinds of names with rules of their own; see [`crate::names`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum NameKind {
    /// A database.
    Database,
    /// A table.
    Table,
    /// A partition.
    Partition,
    /// A column.
    Column,
    /// A repository.
    Repository,
    /// The label of a snapshot.
    SnapshotLabel,
    /// The label of a load.
    LoadLabel,
}

impl fmt::Display for NameKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Database => "database name",
            Self::Table => "table name",
            Self::Partition => "partition name",
            Self::Column => "column name",
            Self::Repository => "repository name",
            Self::SnapshotLabel => "snapshot label",
            Self::LoadLabel => "load label",
        })
    }
}

/// Everything that a catalog call can fail with.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A guard of a transaction did not hold; nothing was written.
    #[error("{key:?} has changed: expected it {expected}, found it {found}; read it again and retry")]
    Conflict {
        /// The key that the guard names.
        key: String,
        /// What the guard asked for.
        expected: KeyState,
        /// What is there.
        found: KeyState,
    },
    /// A record that the caller holds is not the present one any more.
    #[error("{key:?} has changed since it was read ({}); read it again", now_at(*found))]
    Stale {
        /// The record's key.
        key: String,
        /// When it was last written; `None` when it is gone.
        found: Option<Revision>,
    },
    /// The history asked for is forgotten.
    #[error(
        "revision {asked} of the catalog is forgotten, the oldest one kept is {oldest}; read the present state and go on from there"
    )]
    Compacted {
        /// What was asked for.
        asked: Revision,
        /// The oldest revision that can be read or watched from.
        oldest: Revision,
    },
    /// A revision that no transaction has made yet.
    #[error("revision {asked} of the catalog does not exist yet, the newest one is {newest}")]
    FutureRevision {
        /// What was asked for.
        asked: Revision,
        /// The newest revision.
        newest: Revision,
    },
    /// A name against the rules of its kind.
    #[error("wrong {kind} {value:?}: {rule}")]
    Name {
        /// What it was to name.
        kind: NameKind,
        /// What was given.
        value: String,
        /// The rule that it breaks.
        rule: &'static str,
    },
    /// A request that makes no sense.
    #[error("{0}")]
    Invalid(String),
    /// Written by a newer build.
    #[error("{object} has format {found}, this build knows formats up to {supported}; use a newer build")]
    NewerFormat {
        /// The record's key or the file's path.
        object: String,
        /// The format found.
        found: u64,
        /// The newest format known here.
        supported: u64,
    },
    /// Stored bytes are not what was written, or records contradict each other.
    #[error("{object} is corrupt{}: expected {expected}, found {found}", at_offset(*offset))]
    Corrupt {
        /// The record's key or the file's path.
        object: String,
        /// Byte in the object, where that is known.
        offset: Option<u64>,
        /// What should be there.
        expected: String,
        /// What is there.
        found: String,
    },
    /// The storage library gave up on pages that it cannot read.
    #[error("{object} is corrupt: the storage library stopped: {reason}")]
    Panicked {
        /// The file's path.
        object: String,
        /// What it said.
        reason: String,
    },
    /// The disk failed; nothing was written.
    #[error("{object}: {source}")]
    Io {
        /// The file's path.
        object: String,
        /// What the disk said.
        source: Arc<io::Error>,
    },
    /// Too little free space to begin a transaction; nothing was written.
    #[error(
        "{object}: {free_bytes} bytes are free on the disk and {needed_bytes} are kept in reserve; free some space and retry"
    )]
    Full {
        /// The file's path.
        object: String,
        /// Bytes free.
        free_bytes: u64,
        /// Bytes that must be free for a transaction to start.
        needed_bytes: u64,
    },
    /// The disk failed in the middle of a commit, which may or may not be durable.
    #[error("{object}: the commit may or may not have happened: {reason}; open the catalog again to find out")]
    Indeterminate {
        /// The file's path.
        object: String,
        /// What the disk said.
        reason: String,
    },
    /// An earlier write failed, so nothing is known about the file until it is opened again.
    #[error("{object}: not usable since an earlier failure ({reason}); open it again")]
    Latched {
        /// The file's path.
        object: String,
        /// The first failure.
        reason: String,
    },
    /// The store was closed.
    #[error("{0}: the catalog is closed")]
    Closed(String),
    /// A bug, here or in the storage library.
    #[error("{object}: internal error: {reason}")]
    Internal {
        /// What was being worked on.
        object: String,
        /// What happened.
        reason: String,
    },
}

fn now_at(found: Option<Revision>) -> String {
    found.map_or_else(|| "it is gone".to_owned(), |found| format!("last written at revision {found}"))
}

fn at_offset(offset: Option<u64>) -> String {
    offset.map_or_else(String::new, |offset| format!(" at byte {offset}"))
}

impl Error {
    /// What the caller must do.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Conflict { .. } | Self::Stale { .. } | Self::Compacted { .. } => ErrorKind::Conflict,
            Self::FutureRevision { .. } | Self::Name { .. } | Self::Invalid(_) => ErrorKind::Invalid,
            Self::NewerFormat { .. } => ErrorKind::Unsupported,
            Self::Corrupt { .. } | Self::Panicked { .. } => ErrorKind::Corrupt,
            Self::Io { source, .. } if source.kind() == io::ErrorKind::StorageFull => ErrorKind::Full,
            Self::Io { .. } | Self::Latched { .. } | Self::Closed(_) => ErrorKind::Unavailable,
            Self::Full { .. } => ErrorKind::Full,
            Self::Indeterminate { .. } => ErrorKind::Indeterminate,
            Self::Internal { .. } => ErrorKind::Internal,
        }
    }

    /// Whether a guard failed: nothing was written, and reading again may help.
    pub fn is_conflict(&self) -> bool {
        matches!(self, Self::Conflict { .. })
    }

    /// The key of the guard that failed.
    pub fn conflict_key(&self) -> Option<&str> {
        if let Self::Conflict { key, .. } = self { Some(key) } else { None }
    }

    pub(crate) fn corrupt(object: impl Into<String>, expected: impl Into<String>, found: impl Into<String>) -> Self {
        Self::Corrupt { object: object.into(), offset: None, expected: expected.into(), found: found.into() }
    }
}
