//! How much is in flight, and who hears of it.

use crate::error::Source;
use async_trait::async_trait;
use bytes::Bytes;
use futures::future::BoxFuture;
use std::sync::Arc;

/// How much work a transfer keeps in flight, and in which units.
#[derive(Debug, Clone, Copy)]
pub struct StreamOptions {
    /// How many parts are read, checked and written at one time; at least 1.
    pub in_flight: usize,
    /// Bytes of one part of a large file: a multiple of the chunk length, at least 5 MiB for S3.
    pub part_bytes: u64,
    /// Files up to this length share objects.
    pub small_bytes: u64,
    /// Such an object is closed when it has at least this many bytes.
    pub pack_bytes: u64,
    /// A manifest page is closed when it has at least this many bytes.
    pub page_bytes: u64,
}

impl Default for StreamOptions {
    fn default() -> Self {
        Self { in_flight: 4, part_bytes: 8 << 20, small_bytes: 512 << 10, pack_bytes: 16 << 20, page_bytes: 1 << 20 }
    }
}

impl StreamOptions {
    /// The options with each value in its legal range.
    pub(crate) fn sane(self) -> Self {
        let chunk = u64::from(crate::checksum::CHUNK_BYTES);
        Self {
            in_flight: self.in_flight.clamp(1, 256),
            part_bytes: (self.part_bytes / chunk).clamp(1, 1024) * chunk,
            small_bytes: self.small_bytes.min(16 << 20),
            pack_bytes: self.pack_bytes.clamp(1, 256 << 20),
            page_bytes: self.page_bytes.clamp(1, crate::page::PAGE_BYTES_MAX / 4),
        }
    }
}

/// Hears how many further bytes of files are dealt with: sent, found in the repository, or fetched.
pub type Progress = Arc<dyn Fn(u64) + Send + Sync>;

/// A progress that nobody hears.
pub fn no_progress() -> Progress {
    Arc::new(|_| ())
}

/// Opens a file's bytes: a memory map, or a buffer for a small file.
pub type OpenFile = Box<dyn FnOnce() -> BoxFuture<'static, std::result::Result<Bytes, Source>> + Send>;

/// Where the verified bytes of a download go.
#[async_trait]
pub trait ChunkSink: Send + Sync {
    /// Takes bytes of the file at `offset` (0-based, in the file). Calls may overlap in time and come in any order;
    /// each byte comes once. Their checksums have been verified.
    async fn write(&self, offset: u64, bytes: Bytes) -> std::result::Result<(), Source>;
}
