//! One file of an export: a segment copied, or one or several written anew.

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
    ImageDeletes, Schema, SegmentMeta, SegmentOptions, SegmentOrigin, SegmentReader, SegmentSource, SegmentWriter,
    TabletImageMeta,
};

/// No delete vector is longer: 32 bits for each of the 2^32 rows that a segment can have would be 512 MiB, and real
/// ones have a few KiB.
const DELETES_BYTES_MAX: u64 = 512 << 20;

/// A file to be written: of one segment, or of several that have to be merged.
#[derive(Debug)]
pub(super) struct File {
    /// Where it goes.
    path: String,
    schema: Arc<Schema>,
    parts: Vec<Part>,
}

/// A segment to be exported.
#[derive(Debug)]
struct Part {
    rowset: u64,
    segment: SegmentMeta,
    bytes: FileEntry,
    deletes: Option<(ImageDeletes, FileEntry)>,
}

impl Part {
    fn shows_rows(&self) -> bool {
        self.deletes.as_ref().map_or(0, |(deletes, _)| deletes.rows) < self.segment.rows
    }
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
        let mut parts = Vec::new();
        for part in image.parts() {
            let segment = part.segment.meta.clone();
            let bytes = take(&part.name, segment.len_bytes, segment.crc32)?;
            let deletes = match part.deletes.as_ref().zip(part.segment.deletes.as_ref()) {
                Some((name, deletes)) => Some((deletes.clone(), take(name, deletes.len_bytes, deletes.crc32)?)),
                None => None,
            };
            let part = Part { rowset: part.rowset, segment, bytes, deletes };
            if !part.shows_rows() {
                let vector = part.deletes.as_ref().map_or(0, |(_, vector)| vector.len_bytes);
                observe(ExportEvent::Bytes(part.bytes.len_bytes.saturating_add(vector)));
                observe(ExportEvent::File);
            }
            parts.push(Some(part).filter(Part::shows_rows));
        }
        let schema = Arc::new(image.schema.clone());
        let file = |group: Vec<usize>| {
            let first = *group.first()?;
            let path = disk::join(dir, &format!("{tablet}-{first}.parquet"));
            let parts: Vec<Part> = group.into_iter().filter_map(|at| parts.get_mut(at)?.take()).collect();
            (!parts.is_empty()).then(|| File { path, schema: Arc::clone(&schema), parts })
        };
        Ok(Self(image.groups().into_iter().filter_map(file).collect()))
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
    /// Fetches the segments of a file, checks them, and writes it under its name, synced. A drop leaves parts of it.
    pub(super) fn put(self: Arc<Self>, file: File) -> BoxFuture<'static, Result<Put>> {
        Box::pin(async move {
            if let [only] = file.parts.as_slice()
                && only.deletes.is_none()
                && tablet::is_plain(&file.schema)
            {
                return self.copy(only, &file).await;
            }
            let (mut sources, mut copies) = (Vec::with_capacity(file.parts.len()), Vec::new());
            for (n, part) in file.parts.iter().enumerate() {
                let copy = format!("{}.{n}.raw", file.path);
                self.fetch(&part.bytes, &copy, false).await?;
                let deletes = match &part.deletes {
                    Some((deletes, vector)) => {
                        let bytes = self.reader.read(vector, DELETES_BYTES_MAX).await?;
                        (self.observe)(ExportEvent::Bytes(vector.len_bytes));
                        Some(deletes.open(&vector.name, &bytes)?)
                    }
                    None => None,
                };
                let reader = self.open(part, &file, copy.clone()).await?;
                sources.push(SegmentSource { rowset: part.rowset, reader, deletes });
                copies.push(copy);
            }
            let this = Arc::clone(&self);
            let path = file.path;
            let written = blocking(move || {
                let go_on = || !this.stop.is_cancelled();
                let made = tablet::write_plain(Arc::clone(&this.disk), &path, sources, go_on)?;
                let made = made.ok_or(Error::Stopped)?;
                for copy in copies {
                    this.disk.remove(&copy).map_err(failed("remove", &copy))?;
                }
                Ok::<_, Error>(Put { rows: made.rows, bytes: made.len_bytes, rewritten: true })
            });
            let put = written.await?;
            file.parts.iter().for_each(|_part| (self.observe)(ExportEvent::File));
            Ok(put)
        })
    }

    /// A segment that goes out as it is.
    async fn copy(&self, part: &Part, file: &File) -> Result<Put> {
        self.fetch(&part.bytes, &file.path, true).await?;
        let segment = self.open(part, file, file.path.clone()).await?;
        (self.observe)(ExportEvent::File);
        Ok(Put { rows: segment.rows(), bytes: part.segment.len_bytes, rewritten: false })
    }

    /// Opens a segment that was fetched.
    async fn open(&self, part: &Part, file: &File, path: String) -> Result<SegmentReader> {
        let (disk, schema) = (Arc::clone(&self.disk), Arc::clone(&file.schema));
        let (name, object, expected) = (part.bytes.name.clone(), part.bytes.object.clone(), part.segment.rows);
        let open = blocking(move || {
            let bytes = disk.map(&path).map_err(failed("map", &path))?;
            let segment = SegmentReader::open(&name, &schema, bytes)?;
            let found = segment.rows();
            if found != expected {
                let object = format!("{name} in object {object}");
                return Err(Error::corrupt(object, format!("{expected} rows"), format!("{found} rows")));
            }
            Ok(segment)
        });
        open.await
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
