//! Reading a snapshot: pages as they are asked for, files with every chunk verified before it is handed on.

use crate::checksum;
use crate::error::{Error, Result};
use crate::limit::Limiter;
use crate::manifest::{
    FileEntry, PartitionManifest, SnapshotRoot, SnapshotSummary, TableManifest, TableRef, TabletEntry,
};
use crate::objects::Objects;
use crate::options::{ChunkSink, Progress, StreamOptions};
use crate::page::{self, PageKind, PageRef};
use bytes::Bytes;
use env::canary::{self, Canary};
use env::rt::{CancellationToken, blocking};
use futures::stream::BoxStream;
use futures::{StreamExt, TryStreamExt};
use std::sync::Arc;

/// Pages of tablets read ahead.
const PAGES_AHEAD: usize = 2;

/// A snapshot being read; clones share its root.
#[derive(Debug, Clone)]
pub struct SnapshotReader {
    objects: Objects,
    root: Arc<SnapshotRoot>,
}

impl SnapshotReader {
    pub(crate) async fn open(objects: Objects, summary: &SnapshotSummary) -> Result<Self> {
        let bytes = objects.page(&summary.root, PageKind::Snapshot).await?;
        let root: SnapshotRoot = page::decode(&summary.root, PageKind::Snapshot, &bytes)?;
        Ok(Self { objects, root: Arc::new(root) })
    }

    /// The snapshot's root.
    pub fn root(&self) -> &SnapshotRoot {
        &self.root
    }

    /// A table's manifest.
    ///
    /// # Errors
    /// `Corrupt` for a missing or damaged page; what the store says.
    pub async fn table(&self, table: &TableRef) -> Result<TableManifest> {
        let bytes = self.objects.page(&table.page, PageKind::Table).await?;
        page::decode(&table.page, PageKind::Table, &bytes)
    }

    /// A partition's tablets, page by page: memory is bounded by a few pages.
    pub fn tablets(&self, partition: &PartitionManifest) -> BoxStream<'static, Result<TabletEntry>> {
        tablets(self.objects.clone(), partition.pages.clone())
    }

    /// Reads a file in parallel ranges and hands its verified bytes on.
    ///
    /// # Errors
    /// `Corrupt` naming object, offset, expected and found checksum of the first bad chunk noticed, or the missing
    /// object; [`Error::Peer`] when the sink fails; `Cancelled` when `stop` says so; what the store says. The sink may
    /// have taken a part of the file by then.
    pub async fn fetch(
        &self,
        file: &FileEntry,
        sink: &dyn ChunkSink,
        options: StreamOptions,
        limiter: &Limiter,
        progress: &Progress,
        stop: &CancellationToken,
    ) -> Result<()> {
        file.check()?;
        let (options, objects) = (options.sane(), &self.objects.within(limiter, stop));
        let chunk = u64::from(file.chunk_bytes);
        // Parts are whole chunks: each can be verified alone.
        let chunks_per_part = (options.part_bytes / chunk).max(1);
        let parts = file.len_bytes.div_ceil(chunk * chunks_per_part);
        let fetched = futures::stream::iter(0..parts).map(|part| async move {
            let start = part * chunks_per_part * chunk;
            let end = (start + chunks_per_part * chunk).min(file.len_bytes);
            let range = file.offset + start..file.offset + end;
            let bytes = objects.range(&file.object, range).await?;
            let first = usize::try_from(part * chunks_per_part).unwrap_or(usize::MAX);
            verify(file, first, &bytes).await?;
            if stop.is_cancelled() {
                return Err(Error::Cancelled);
            }
            let len = end - start;
            sink.write(start, bytes)
                .await
                .map_err(|source| Error::Peer { what: format!("writing {:?}", file.name), source })?;
            progress(len);
            Ok(())
        });
        fetched.buffer_unordered(options.in_flight).try_collect::<()>().await
    }

    /// All bytes of the files of a [run](crate::runs), each verified, by one request. They are in memory together.
    ///
    /// # Errors
    /// As [`SnapshotReader::fetch`]; `Invalid` for files of several objects.
    pub async fn read_run(
        &self,
        files: &[&FileEntry],
        limiter: &Limiter,
        stop: &CancellationToken,
    ) -> Result<Vec<Bytes>> {
        let Some(first) = files.first() else { return Ok(Vec::new()) };
        let (mut begin, mut end) = (first.offset, first.offset);
        for file in files {
            file.check()?;
            if file.object != first.object {
                let text = format!("{:?} and {:?} are not in one object", first.name, file.name);
                return Err(Error::Invalid(text));
            }
            (begin, end) = (begin.min(file.offset), end.max(file.offset + file.len_bytes));
        }
        let read = self.objects.within(limiter, stop).range(&first.object, begin..end).await?;
        let index = |at: u64| usize::try_from(at - begin).unwrap_or(usize::MAX).min(read.len());
        let bytes = |file: &&FileEntry| read.slice(index(file.offset)..index(file.offset + file.len_bytes));
        let bytes: Vec<Bytes> = files.iter().map(bytes).collect();
        let checked: Vec<(Bytes, u32)> = bytes.iter().cloned().zip(files.iter().map(|file| file.chunk_bytes)).collect();
        let sums = blocking(move || {
            let sums = |(bytes, chunk): (Bytes, u32)| checksum::chunks(&bytes, chunk_len(chunk)).collect::<Vec<u32>>();
            checked.into_iter().map(sums).collect::<Vec<_>>()
        });
        for (file, found) in files.iter().zip(sums.await) {
            compare(file, 0, &found)?;
        }
        Ok(bytes)
    }

    /// All bytes of a small file, verified.
    ///
    /// # Errors
    /// As [`SnapshotReader::fetch`]; `Invalid` for a file of more than `max_bytes`.
    pub async fn read(&self, file: &FileEntry, max_bytes: u64) -> Result<Bytes> {
        file.check()?;
        if file.len_bytes > max_bytes {
            return Err(Error::Invalid(format!(
                "{:?} has {} bytes, at most {max_bytes} were asked for",
                file.name, file.len_bytes
            )));
        }
        let bytes = self.objects.range(&file.object, file.offset..file.offset + file.len_bytes).await?;
        verify(file, 0, &bytes).await?;
        Ok(bytes)
    }
}

fn chunk_len(chunk_bytes: u32) -> usize {
    usize::try_from(chunk_bytes).unwrap_or(usize::MAX)
}

/// Checks the chunks from number `first` on.
async fn verify(file: &FileEntry, first: usize, bytes: &Bytes) -> Result<()> {
    let (bytes, chunk_bytes) = (bytes.clone(), chunk_len(file.chunk_bytes));
    let found: Vec<u32> = blocking(move || checksum::chunks(&bytes, chunk_bytes).collect()).await;
    compare(file, first, &found)
}

/// Holds checksums against those of the file's chunks from number `first` on.
fn compare(file: &FileEntry, first: usize, found: &[u32]) -> Result<()> {
    for (number, (found, expected)) in found.iter().zip(file.chunks.iter().skip(first)).enumerate() {
        if found != expected && !canary::sings(Canary::ChecksumIgnored) {
            let offset = file.offset + (first as u64 + number as u64) * u64::from(file.chunk_bytes);
            return Err(Error::corrupt(
                &file.object,
                offset,
                format!("crc32 {expected:08x} of a chunk of {:?}", file.name),
                format!("crc32 {found:08x}"),
            ));
        }
    }
    Ok(())
}

pub(crate) fn tablets(objects: Objects, pages: Vec<PageRef>) -> BoxStream<'static, Result<TabletEntry>> {
    let read = move |page: PageRef| {
        let objects = objects.clone();
        async move {
            let bytes = objects.page(&page, PageKind::Tablets).await?;
            let entries = page::lines(&page, PageKind::Tablets, &bytes)?;
            Ok::<_, Error>(futures::stream::iter(entries.map(|read| read.map(|(_, entry)| entry))))
        }
    };
    futures::stream::iter(pages).map(read).buffered(PAGES_AHEAD).try_flatten().boxed()
}
