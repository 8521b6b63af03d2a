//! One file of an export: a segment copied, or written anew.

use super::{ExportEvent, Observe, failed};
use crate::error::{Error, Result};
use crate::schema;
use async_trait::async_trait;
use bytes::Bytes;
use catalog::records::TableRecord;
use env::disk::{self, Disk, DiskFile};
use env::ids::TabletId;
use env::rt::{CancellationToken, blocking};
use futures::future::BoxFuture;
use repository::{ChunkSink, FileEntry, Limiter, Progress, SnapshotReader, StreamOptions, TabletEntry};
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use tablet::{
    ImageDeletes, Schema, SegmentMeta, SegmentOptions, SegmentOrigin, SegmentReader, SegmentWriter, TabletImageMeta,
};

/// No delete vector is longer: 32 bits for each of the 2^32 rows that a segment can have would be 512 MiB, and real
/// ones have a few KiB.
const DELETES_BYTES_MAX: u64 = 512 << 20;

/// A segment to be exported.
#[derive(Debug)]
pub(super) struct File {
    /// Where it goes.
    path: String,
    schema: Arc<Schema>,
    segment: SegmentMeta,
    bytes: FileEntry,
    deletes: Option<(ImageDeletes, FileEntry)>,
}

/// The segments of a tablet that show rows.
#[derive(Debug, Default)]
pub(super) struct Files(VecDeque<File>);

impl Files {
    /// Checks a tablet's image against its files. Segments of which all rows are hidden are left out, and told as read.
    pub(super) fn of(entry: TabletEntry, dir: &str, observe: &Observe) -> Result<Self> {
        let tablet = entry.tablet;
        let damaged = |expected: String, found: String| {
            Error::corrupt(format!("tablet {tablet} in the snapshot"), expected, found)
        };
        let image: TabletImageMeta = serde_json::from_value(entry.meta)
            .map_err(|failed| damaged("an image of a tablet".to_owned(), failed.to_string()))?;
        image.validate()?;
        let mut entries: BTreeMap<String, FileEntry> =
            entry.files.into_iter().map(|file| (file.name.clone(), file)).collect();
        let mut take = |name: &str, len_bytes: u64, crc32: u32| match entries.remove(name) {
            Some(file) if (file.len_bytes, file.crc32) == (len_bytes, crc32) => Ok(file),
            Some(file) => {
                let found = format!("{} bytes with CRC-32 {:08x}", file.len_bytes, file.crc32);
                Err(damaged(format!("{name} of {len_bytes} bytes with CRC-32 {crc32:08x}"), found))
            }
            None => Err(damaged(format!("a file {name}"), "none".to_owned())),
        };
        let schema = Arc::new(image.schema.clone());
        let mut files = VecDeque::new();
        for (n, part) in image.parts().enumerate() {
            let segment = &part.segment.meta;
            let bytes = take(&part.name, segment.len_bytes, segment.crc32)?;
            let deletes = match part.deletes.as_ref().zip(part.segment.deletes.as_ref()) {
                Some((name, deletes)) => Some((deletes.clone(), take(name, deletes.len_bytes, deletes.crc32)?)),
                None => None,
            };
            if deletes.as_ref().map_or(0, |(deletes, _)| deletes.rows) >= segment.rows {
                let vector = deletes.map_or(0, |(_, vector)| vector.len_bytes);
                observe(ExportEvent::Bytes(bytes.len_bytes.saturating_add(vector)));
                observe(ExportEvent::File);
                continue;
            }
            let path = disk::join(dir, &format!("{tablet}-{n}.parquet"));
            let (schema, segment) = (Arc::clone(&schema), segment.clone());
            files.push_back(File { path, schema, segment, bytes, deletes });
        }
        Ok(Self(files))
    }

    pub(super) fn pop(&mut self) -> Option<File> {
        self.0.pop_front()
    }
}

/// A file that was written.
#[derive(Debug)]
pub(super) struct Put {
    pub(super) rows: u64,
    pub(super) bytes: u64,
    pub(super) rewritten: bool,
}

/// What copies files.
pub(super) struct Copy {
    pub(super) reader: SnapshotReader,
    pub(super) disk: Arc<dyn Disk>,
    pub(super) stream: StreamOptions,
    pub(super) limiter: Limiter,
    pub(super) observe: Observe,
    pub(super) stop: CancellationToken,
}

/// Verified bytes on their way into a file.
struct Into(Arc<dyn DiskFile>);

#[async_trait]
impl ChunkSink for Into {
    async fn write(&self, offset: u64, bytes: Bytes) -> Result<(), repository::Source> {
        let file = Arc::clone(&self.0);
        let written = blocking(move || {
            file.write_at(offset, &bytes)?;
            // The sync at the end then finds most of the file on its way.
            file.start_writeback(offset, bytes.len() as u64);
            Ok::<_, std::io::Error>(())
        });
        Ok(written.await?)
    }
}

impl Copy {
    /// Fetches one segment, checks it, and writes it under its name, synced. A drop leaves a part of the file.
    pub(super) fn put(self: Arc<Self>, file: File) -> BoxFuture<'static, Result<Put>> {
        Box::pin(async move {
            let rewritten = file.deletes.is_some() || !tablet::is_plain(&file.schema);
            let copy = if rewritten { format!("{}.raw", file.path) } else { file.path.clone() };
            self.fetch(&file.bytes, &copy, !rewritten).await?;
            let deletes = match &file.deletes {
                Some((deletes, vector)) => {
                    let bytes = self.reader.read(vector, DELETES_BYTES_MAX).await?;
                    (self.observe)(ExportEvent::Bytes(vector.len_bytes));
                    Some(deletes.open(&vector.name, &bytes)?)
                }
                None => None,
            };
            let written = blocking({
                let this = Arc::clone(&self);
                move || {
                    let bytes = this.disk.map(&copy).map_err(failed("map", &copy))?;
                    let segment = SegmentReader::open(&file.bytes.name, &file.schema, bytes)?;
                    if segment.rows() != file.segment.rows {
                        let (expected, found) = (file.segment.rows, segment.rows());
                        let object = format!("{} in object {}", file.bytes.name, file.bytes.object);
                        return Err(Error::corrupt(object, format!("{expected} rows"), format!("{found} rows")));
                    }
                    if !rewritten {
                        return Ok(Put { rows: segment.rows(), bytes: file.segment.len_bytes, rewritten });
                    }
                    let go_on = || !this.stop.is_cancelled();
                    let made = tablet::write_plain(Arc::clone(&this.disk), &file.path, &segment, deletes, go_on)?;
                    let made = made.ok_or(Error::Stopped)?;
                    this.disk.remove(&copy).map_err(failed("remove", &copy))?;
                    Ok(Put { rows: made.rows, bytes: made.len_bytes, rewritten })
                }
            });
            let put = written.await?;
            (self.observe)(ExportEvent::File);
            Ok(put)
        })
    }

    async fn fetch(&self, file: &FileEntry, path: &str, sync: bool) -> Result<()> {
        let create = {
            let (disk, path) = (Arc::clone(&self.disk), path.to_owned());
            blocking(move || disk.create(&path))
        };
        let sink = Into(create.await.map_err(failed("create", path))?);
        let observe = Arc::clone(&self.observe);
        let progress: Progress = Arc::new(move |bytes| observe(ExportEvent::Bytes(bytes)));
        self.reader.fetch(file, &sink, self.stream, &self.limiter, &progress, &self.stop).await?;
        if sync {
            blocking(move || sink.0.sync_data()).await.map_err(failed("sync", path))?;
        }
        Ok(())
    }

    /// Writes a file without rows.
    pub(super) async fn empty(&self, table: &TableRecord, path: String) -> Result<Put> {
        let schema = Arc::new(tablet::plain_schema(&schema::tablet_schema(table)?)?);
        let disk = Arc::clone(&self.disk);
        let origin = SegmentOrigin { tablet: TabletId(0), rowset: 0, ordinal: 0 };
        let made =
            blocking(move || SegmentWriter::create(disk, &path, &schema, origin, &SegmentOptions::default())?.finish());
        let made = made.await?;
        Ok(Put { rows: made.rows, bytes: made.len_bytes, rewritten: true })
    }
}
