//! Where copies live: snapshots in a repository on any object store.
//!
//! A repository is a log of small commit records, each made with create-if-absent ([`Repository`]). Whoever writes or
//! reads opens a [`Session`]: from then on everything reachable at that generation is kept for it, and what it uploads
//! is protected. One commit makes a snapshot visible, whole; before it there is nothing, whatever crashes. Files that an
//! earlier snapshot of the same tablet holds are referred to, not sent. Dropping is a commit too; only a
//! [sweep](Repository::sweep) deletes, by four tests that need no clock, lock or grace time. Clean-up behind the commit
//! point does not exist.
//!
//! Every byte read back is checked: chunks of files by CRC-32, pages and records by BLAKE3. What is damaged or missing
//! is [`Error::Corrupt`] and names object, offset, expected and found.
//!
//! ```
//! # tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(async {
//! use env::rt::CancellationToken;
//! use repository::{FileIn, Limiter, Purpose, Repository, StreamOptions, TabletEntryIn, no_progress};
//! use std::sync::Arc;
//!
//! let store = Arc::new(object_store::memory::InMemory::new());
//! let repository = Repository::create(store, "nightly", 0).await?;
//! let id = repository.new_session_id().await?; // written down here, so that a crash can resume
//! let session = repository.open_session(&id, Purpose::Backup, "job 1", 0).await?;
//!
//! let (limiter, stop) = (Limiter::unlimited(), CancellationToken::new());
//! let mut writer = session.writer(StreamOptions::default(), limiter, no_progress(), stop);
//! writer.begin_partition(1, 10, None)?;
//! let bytes = bytes::Bytes::from_static(b"rows");
//! let file = FileIn {
//!     name: "1-0.parquet".into(),
//!     id: "1-0.parquet".into(),
//!     len_bytes: 4,
//!     crc32: crc32fast::hash(&bytes),
//!     open: Box::new(|| Box::pin(std::future::ready(Ok(bytes)))),
//! };
//! let tablet = TabletEntryIn {
//!     tablet: 100,
//!     bucket: 0,
//!     version: 2,
//!     lineage: None,
//!     meta: serde_json::json!({}),
//!     files: vec![file],
//! };
//! writer.add(tablet).await?;
//! let written = writer.end_partition().await?;
//! assert_eq!((written.tablets, written.bytes_sent), (1, 4));
//! session.abort().await?; // or put_table, put_root, commit
//! # Ok::<(), repository::Error>(())
//! # })?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod base;
mod checksum;
pub mod conformance;
pub mod diff;
mod error;
mod fold;
#[doc(hidden)]
pub mod fuzzing;
mod index;
mod inspect;
mod limit;
mod listing;
mod local;
mod location;
mod log;
mod manifest;
#[cfg(test)]
#[cfg(not(madsim))]
mod model;
mod names;
mod objects;
mod options;
mod page;
pub mod probe;
mod reader;
mod record;
mod repository;
pub mod retention;
mod runs;
mod session;
mod store;
mod sweep;
mod usage;
pub mod verify;
mod walk;
mod writer;

pub use base::{PartitionBases, TableBases, TableSought};
pub use checksum::CHUNK_BYTES;
pub use error::{Corruption, Error, ErrorKind, Result, Source};
pub use fold::{LABEL_BYTES_MAX, NAME_BYTES_MAX, REASON_BYTES_MAX, SESSIONS_MAX};
pub use inspect::{LogEntry, StoredKind, StoredObject};
pub use limit::{Limiter, Rates, Traffic};
pub use local::{LocalStore, local};
pub use location::Location;
pub use manifest::{
    FileEntry, Hold, PartitionManifest, SnapshotRoot, SnapshotSummary, TableManifest, TableRef, TabletEntry,
};
pub use names::{Generation, Purpose, SessionId};
pub use options::{ChunkSink, OpenFile, Progress, StreamOptions, no_progress};
pub use page::{FORMAT, PAGE_BYTES_MAX, PageKind, PageRef};
pub use reader::SnapshotReader;
pub use record::{Identity, OpenSession, SINGLE_WRITER, SessionInfo};
pub use repository::{CreateOptions, Repository};
pub use runs::runs;
pub use session::Session;
pub use store::{Keyring, Properties, connect};
pub use sweep::{SweepPlan, Swept};
pub use usage::{SnapshotUsage, Usage};
pub use writer::{FileIn, PartitionPages, SendPreview, TabletEntryIn, TabletWriter};
