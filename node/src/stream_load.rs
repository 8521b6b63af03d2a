//! A load of a table from a stream of bytes: what is asked for and what came of it. The HTTP door makes the one from a
//! request's headers and shows the other; the engine does the work between.

use crate::account::Identity;
use env::rt::Duration;

/// A load that was asked for.
#[derive(Debug, Clone, PartialEq)]
pub struct StreamLoad {
    /// Who asks.
    pub user: Identity,
    /// The table's database.
    pub database: String,
    /// The table.
    pub table: String,
    /// Names the load, so that it is never done twice; made up when the client gave none.
    pub label: String,
    /// How the bytes are to be read.
    pub format: LoadFormat,
    /// Which of the table's columns the fields of a row are, in order; `None`: all of them in the table's order. A
    /// name that the table does not have is a field to be skipped.
    pub columns: Option<Vec<String>>,
    /// Load only into these partitions: rows of others are filtered out.
    pub partitions: Option<Vec<String>>,
    /// The load succeeds when at most this part of its rows (0 to 1) had to be left out for their quality.
    pub max_filter_ratio: f64,
    /// A field that cannot be converted to its column's type: true filters the row out, false makes it NULL where
    /// the column allows that.
    pub strict_mode: bool,
    /// The load is aborted when it is not committed by then.
    pub timeout: Duration,
}

/// How a load's bytes are to be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LoadFormat {
    /// Rows of separated fields.
    Csv(CsvFormat),
}

/// Rows of separated fields. `\N` is NULL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CsvFormat {
    /// Stands between two fields; one byte or more.
    pub column_separator: Vec<u8>,
    /// Ends a row; one byte or more.
    pub row_delimiter: Vec<u8>,
    /// Encloses a field that may contain separators.
    pub enclose: Option<u8>,
    /// Makes the next byte stand for itself.
    pub escape: Option<u8>,
    /// Rows to leave out at the start.
    pub skip_header: u64,
    /// Blanks around a field do not belong to it.
    pub trim_space: bool,
}

impl Default for CsvFormat {
    fn default() -> Self {
        Self {
            column_separator: b"\t".to_vec(),
            row_delimiter: b"\n".to_vec(),
            enclose: None,
            escape: None,
            skip_header: 0,
            trim_space: false,
        }
    }
}

/// How a load ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StreamLoadStatus {
    /// Committed and visible.
    Success,
    /// Nothing was loaded.
    Fail,
    /// The label was used before.
    LabelAlreadyExists {
        /// The earlier load has finished; else it is still running.
        finished: bool,
    },
    /// Committed; some replicas do not show it yet. Not to be repeated.
    PublishTimeout,
}

/// What came of a load.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StreamLoadResult {
    /// The load's id; 0 when none was begun.
    pub load: u64,
    /// The load's label.
    pub label: String,
    /// How it ended.
    pub status: StreamLoadStatus,
    /// Why, or `OK`.
    pub message: String,
    /// Rows in the body.
    pub total_rows: u64,
    /// Rows in the table now.
    pub loaded_rows: u64,
    /// Rows left out for their quality.
    pub filtered_rows: u64,
    /// Rows left out by a condition.
    pub unselected_rows: u64,
    /// Length of the body in bytes.
    pub bytes: u64,
    /// Milliseconds for the whole load.
    pub total_ms: u64,
    /// Milliseconds to begin it.
    pub begin_ms: u64,
    /// Milliseconds to plan it.
    pub plan_ms: u64,
    /// Milliseconds spent waiting for the body and reading it.
    pub read_ms: u64,
    /// Milliseconds spent writing segments.
    pub write_ms: u64,
    /// Milliseconds to commit and publish.
    pub commit_ms: u64,
}

impl StreamLoadResult {
    /// A load that did not begin or was aborted.
    pub fn failed(label: &str, message: impl Into<String>) -> Self {
        Self {
            load: 0,
            label: label.to_owned(),
            status: StreamLoadStatus::Fail,
            message: message.into(),
            total_rows: 0,
            loaded_rows: 0,
            filtered_rows: 0,
            unselected_rows: 0,
            bytes: 0,
            total_ms: 0,
            begin_ms: 0,
            plan_ms: 0,
            read_ms: 0,
            write_ms: 0,
            commit_ms: 0,
        }
    }
}
