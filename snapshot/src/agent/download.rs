//! A node's share of a RESTORE: a snapshot's files into staged tablets.

use super::JobContext;
use super::worker::Product;
use crate::error::{Error, Result};
use crate::live::Meter;
use crate::source::{StagedImage, StagedSink};
use async_trait::async_trait;
use bytes::Bytes;
use catalog::records::job::JobRecord;
use catalog::records::task::{PartitionShare, TaskProgress, TaskRecord, TaskWork};
use env::ids::{TabletId, Version};
use env::rt::CancellationToken;
use futures::future::BoxFuture;
use futures::{StreamExt, TryStreamExt, stream};
use repository::{ChunkSink, FileEntry, Limiter, PartitionManifest, SnapshotReader, TableManifest, TabletEntry};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Tablets that are registered with the engine in one call.
const STAGE_BATCH: usize = 256;
/// Runs of small files that are read ahead of the engine; their bytes are in memory.
const RUNS_AHEAD: usize = 2;

/// Walks the shares of a task with the snapshot's pages about them; a table's page is read once for all of its
/// partitions that follow each other.
struct Pages<'a> {
    reader: &'a SnapshotReader,
    table: Option<TableManifest>,
}

impl<'a> Pages<'a> {
    fn new(reader: &'a SnapshotReader) -> Self {
        Self { reader, table: None }
    }

    async fn partition(&mut self, share: &PartitionShare) -> Result<PartitionManifest> {
        let missing = |what: String| Error::corrupt(format!("snapshot {}", self.reader.root().label), what, "none");
        if self.table.as_ref().is_none_or(|table| table.id != share.table) {
            let found = self.reader.root().tables.iter().find(|table| table.id == share.table);
            let found = found.ok_or_else(|| missing(format!("a table with id {}", share.table)))?;
            self.table = Some(self.reader.table(found).await?);
        }
        let partition = self.table.as_ref().and_then(|table| table.partition(share.source));
        partition.cloned().ok_or_else(|| missing(format!("partition {} of table {}", share.name, share.table)))
    }
}

/// The entries of a share's tablets, each with the new id. Every tablet must be there, once, at the version of the cut.
async fn entries(
    reader: &SnapshotReader,
    share: &PartitionShare,
    partition: &PartitionManifest,
) -> Result<Vec<(TabletId, TabletEntry)>> {
    let mut wanted: BTreeMap<u32, TabletId> = share.tablets.iter().copied().collect();
    let mut found = Vec::with_capacity(wanted.len());
    let mut all = reader.tablets(partition);
    while let Some(entry) = all.try_next().await? {
        let Some(tablet) = wanted.remove(&entry.bucket) else { continue };
        if Version(entry.version) != share.version {
            let object = format!("tablet {} of partition {}", entry.tablet, share.name);
            let (expected, found) = (format!("version {}", share.version), format!("version {}", entry.version));
            return Err(Error::corrupt(object, expected, found));
        }
        found.push((tablet, entry));
    }
    match wanted.keys().next() {
        None => Ok(found),
        Some(bucket) => {
            let object = format!("partition {} in the snapshot", share.name);
            Err(Error::corrupt(object, format!("a tablet for bucket {bucket}"), "none"))
        }
    }
}

/// Registers the new tablets, after a look at the space that they need.
pub(super) async fn stage(context: &JobContext, job: &JobRecord, task: &TaskRecord, meter: &Meter) -> Result<Product> {
    let source = &context.node.source;
    if let TaskWork::Tablets { node_bytes, .. } = &task.work {
        let free_bytes = source.free_bytes().await?;
        if free_bytes < *node_bytes {
            return Err(Error::NoRoom { node: task.node, needed_bytes: *node_bytes, free_bytes });
        }
    }
    let reader = context.reader(job).await?;
    let mut pages = Pages::new(reader);
    let mut totals = TaskProgress::default();
    for share in task.shares() {
        let partition = pages.partition(share).await?;
        let mut images = Vec::new();
        for (tablet, entry) in entries(reader, share, &partition).await? {
            totals.tablets += 1;
            totals.files += entry.files.len() as u64;
            totals.bytes = entry.files.iter().map(|file| file.len_bytes).fold(totals.bytes, u64::saturating_add);
            images.push(StagedImage { tablet, version: share.version, meta: entry.meta });
            if images.len() >= STAGE_BATCH {
                source.stage_begin(context.job, std::mem::take(&mut images)).await?;
            }
        }
        if !images.is_empty() {
            source.stage_begin(context.job, images).await?;
        }
    }
    meter.reset(totals);
    meter.add_tablets(totals.tablets);
    Ok(Product::default())
}

/// Fetches what is missing of the staged tablets and finishes them.
pub(super) async fn download(
    context: &JobContext,
    job: &JobRecord,
    task: &TaskRecord,
    meter: &Arc<Meter>,
    stop: &CancellationToken,
) -> Result<Product> {
    let (reader, limiter) = (context.reader(job).await?, &context.limiter(job));
    let mut pages = Pages::new(reader);
    for share in task.shares() {
        let partition = pages.partition(share).await?;
        let entries = entries(reader, share, &partition).await?;
        let mut wanted: Vec<(TabletId, FileEntry)> = Vec::new();
        for (tablet, entry) in entries {
            let missing = context.node.source.stage_missing(context.job, tablet).await?;
            let missing: BTreeSet<String> = missing.into_iter().map(|file| file.name).collect();
            for name in &missing {
                if !entry.files.iter().any(|file| file.name == *name) {
                    let object = format!("tablet {} of partition {} in the snapshot", entry.tablet, share.name);
                    return Err(Error::corrupt(object, format!("a file {name}"), "none"));
                }
            }
            for file in entry.files {
                if missing.contains(&file.name) {
                    wanted.push((tablet, file));
                } else {
                    meter.add_files(1);
                    meter.add_bytes(file.len_bytes);
                }
            }
        }
        let options = &context.node.shared.options;
        let (alone, together): (Vec<_>, Vec<_>) =
            repository::runs(wanted, options.stream.part_bytes).into_iter().partition(|run| run.len() == 1);
        let alone = alone.into_iter().flatten();
        let fetches = alone.map(|(tablet, file)| fetch(context, reader, tablet, file, limiter, meter, stop));
        let mut fetches = stream::iter(fetches).buffer_unordered(options.files_at_once.max(1));
        while let Some(fetched) = fetches.next().await {
            fetched?;
        }
        let runs = together.into_iter().map(|run| read_run(reader, run, limiter, stop));
        let runs = stream::iter(runs).buffered(RUNS_AHEAD).map_ok(stream::iter).try_flatten();
        let stores = runs.map_ok(|(tablet, file, bytes)| store(context, tablet, file, bytes, meter));
        let mut stores = stores.try_buffer_unordered(options.files_at_once.max(1));
        while stores.try_next().await?.is_some() {}
        let tablets: Vec<TabletId> = share.tablets.iter().map(|(_, tablet)| *tablet).collect();
        context.node.source.stage_finish(context.job, &tablets).await?;
        meter.add_tablets(tablets.len() as u64);
    }
    Ok(Product::default())
}

/// Verified bytes on their way into a staged file.
struct Into {
    sink: Box<dyn StagedSink>,
}

#[async_trait]
impl ChunkSink for Into {
    async fn write(&self, offset: u64, bytes: Bytes) -> Result<(), repository::Source> {
        self.sink.write(offset, bytes).await.map_err(repository::Source::from)
    }
}

fn fetch<'a>(
    context: &'a JobContext,
    reader: &'a SnapshotReader,
    tablet: TabletId,
    file: FileEntry,
    limiter: &'a Limiter,
    meter: &'a Arc<Meter>,
    stop: &'a CancellationToken,
) -> BoxFuture<'a, Result<()>> {
    Box::pin(async move {
        let sink = Into { sink: context.node.source.stage_file(context.job, tablet, &file.name).await? };
        let counted = Arc::clone(meter);
        let progress: repository::Progress = Arc::new(move |bytes| counted.add_bytes(bytes));
        reader.fetch(&file, &sink, context.node.shared.options.stream, limiter, &progress, stop).await?;
        sink.sink.finish(file.len_bytes, file.crc32).await?;
        meter.add_files(1);
        Ok(())
    })
}

/// A file of a tablet with its bytes.
type Read = (TabletId, FileEntry, Bytes);

/// Small files that share an object, by one request.
fn read_run<'a>(
    reader: &'a SnapshotReader,
    run: Vec<(TabletId, FileEntry)>,
    limiter: &'a Limiter,
    stop: &'a CancellationToken,
) -> BoxFuture<'a, Result<Vec<Result<Read>>>> {
    Box::pin(async move {
        let files: Vec<&FileEntry> = run.iter().map(|(_, file)| file).collect();
        let bytes = reader.read_run(&files, limiter, stop).await?;
        Ok(run.into_iter().zip(bytes).map(|((tablet, file), bytes)| Ok((tablet, file, bytes))).collect())
    })
}

/// Hands a file that was read as a whole to the engine.
fn store<'a>(
    context: &'a JobContext,
    tablet: TabletId,
    file: FileEntry,
    bytes: Bytes,
    meter: &'a Arc<Meter>,
) -> BoxFuture<'a, Result<()>> {
    Box::pin(async move {
        let sink = context.node.source.stage_file(context.job, tablet, &file.name).await?;
        if !bytes.is_empty() {
            sink.write(0, bytes).await?;
        }
        meter.add_bytes(file.len_bytes);
        sink.finish(file.len_bytes, file.crc32).await?;
        meter.add_files(1);
        Ok(())
    })
}
