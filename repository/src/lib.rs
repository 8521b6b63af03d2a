//! Where copies live.

mod checksum;
mod error;
mod manifest;
mod names;
mod options;
mod page;
mod stub;

pub use checksum::CHUNK_BYTES;
pub use error::{Corruption, Error, ErrorKind, Result, Source};
pub use manifest::{
    FileEntry, PartitionManifest, SnapshotRoot, SnapshotSummary, TableManifest, TableRef, TabletEntry,
};
pub use names::{Generation, Purpose, SessionId};
pub use options::{ChunkSink, OpenFile, Progress, StreamOptions, no_progress};
pub use page::{FORMAT, PAGE_BYTES_MAX, PageKind, PageRef};
pub use stub::*;
