//! The crate's error: what went wrong, precisely, and [`ErrorKind`]: what the caller can do about it.

pub use env::ErrorKind;

use crate::batch::RowError;
use crate::datum::ValueError;
use crate::route::RouteError;
use crate::schema::SchemaError;
use crate::store::StoreError;
use crate::types::{ColumnType, TypeError};
use arrow::error::ArrowError;
use std::io;
use thiserror::Error as ThisError;

/// What can go wrong in this crate.
#[derive(Debug, ThisError)]
#[non_exhaustive]
pub enum Error {
    /// Text that names no column type.
    #[error(transparent)]
    Type(#[from] TypeError),
    /// Columns that make no table.
    #[error(transparent)]
    Schema(#[from] SchemaError),
    /// A value that is not one of its type.
    #[error(transparent)]
    Value(#[from] ValueError),
    /// A row that does not fit the table.
    #[error(transparent)]
    Row(#[from] Box<RowError>),
    /// A row that fits no partition, or partitions that cannot be.
    #[error(transparent)]
    Route(#[from] RouteError),
    /// A sum that its column cannot hold.
    #[error(
        "the sum of column '{column}' for key ({key}) is {sum}, which {data_type} does not hold; load a row that takes it \
         back into the range {}, or delete the key", .data_type.range_text()
    )]
    SumRange {
        /// The column.
        column: String,
        /// The values of the key columns.
        key: String,
        /// The sum; unscaled for a DECIMAL.
        sum: String,
        /// The column's type.
        data_type: ColumnType,
    },
    /// What the tablet store refuses.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Rows whose shape is not the table's: a caller's mistake, told plainly.
    #[error("{0}")]
    Invalid(String),
    /// The disk said no.
    #[error("cannot {action} '{path}': {source}")]
    Io {
        /// What was tried, as a verb.
        action: &'static str,
        /// The path, relative to the disk.
        path: String,
        /// What the disk said.
        source: io::Error,
    },
    /// Stored bytes are not what was written.
    #[error("'{object}' is damaged{}: expected {expected}, found {found}", at(.offset.as_ref()))]
    Corrupt {
        /// The file or record.
        object: String,
        /// Where in it, in bytes, when that is known.
        offset: Option<u64>,
        /// What should be there.
        expected: String,
        /// What is there.
        found: String,
    },
    /// A format that this program does not know.
    #[error("'{object}' has format {found}; this program knows format {known}")]
    Format {
        /// The file or record.
        object: String,
        /// The newest format that is known.
        known: u32,
        /// The format that it has.
        found: String,
    },
    /// Arrow refused an operation that must work.
    #[error("columns cannot be worked on: {0}")]
    Arrow(#[from] ArrowError),
    /// A broken rule inside the program.
    #[error("internal error: {0}")]
    Internal(String),
}

fn at(offset: Option<&u64>) -> String {
    offset.map_or_else(String::new, |offset| format!(" at byte {offset}"))
}

impl Error {
    /// What the caller can do about it.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Type(error) => error.kind(),
            Self::Schema(error) => error.kind(),
            Self::Store(error) => error.kind(),
            Self::Value(_) | Self::Row(_) | Self::Route(_) | Self::SumRange { .. } | Self::Invalid(_) => {
                ErrorKind::Invalid
            }
            Self::Io { source, .. } => io_kind(source),
            Self::Corrupt { .. } => ErrorKind::Corrupt,
            Self::Format { .. } => ErrorKind::Unsupported,
            Self::Arrow(_) | Self::Internal(_) => ErrorKind::Internal,
        }
    }

    /// A disk error with the verb and the path that it belongs to.
    pub(crate) fn io(action: &'static str, path: &str) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io { action, path, source }
    }

    /// Damage in `object` whose place in it is not known.
    pub(crate) fn corrupt(object: &str, expected: impl Into<String>, found: impl Into<String>) -> Self {
        Self::Corrupt { object: object.to_owned(), offset: None, expected: expected.into(), found: found.into() }
    }
}

/// The kind of a disk's error.
pub(crate) fn io_kind(error: &io::Error) -> ErrorKind {
    #[expect(clippy::wildcard_enum_match_arm, reason = "the enum is open; all else is worth a retry")]
    match error.kind() {
        io::ErrorKind::NotFound => ErrorKind::NotFound,
        io::ErrorKind::AlreadyExists => ErrorKind::AlreadyExists,
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => ErrorKind::Denied,
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge => ErrorKind::Full,
        io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof => ErrorKind::Corrupt,
        _ => ErrorKind::Unavailable,
    }
}

/// Shorthand for this crate's results.
pub type Result<T, E = Error> = std::result::Result<T, E>;
