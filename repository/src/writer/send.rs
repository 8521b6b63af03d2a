//! Moving bytes: a chunk's checksum is taken just before the chunk is written, while it is hot in cache.

use super::pack::Small;
use super::{FileIn, Meta, Slot};
use crate::checksum::{self, CHUNK_BYTES};
use crate::error::{Error, Result};
use crate::limit::Limiter;
use crate::local::ExpectedLen;
use crate::manifest::FileEntry;
use crate::objects::{GRACE, Objects, Put};
use crate::options::{OpenFile, Progress, StreamOptions};
use crate::page::{PageKind, PageRef};
use crate::session::Session;
use bytes::Bytes;
use env::rt::sync::{OwnedSemaphorePermit, Semaphore};
use env::rt::time::timeout;
use env::rt::{CancellationToken, JoinSet, blocking};
use object_store::path::Path;
use object_store::{MultipartUpload, PutMultipartOptions, PutPayload};
use std::fmt;
use std::sync::Arc;

/// What all work of a writer shares.
pub(super) struct Context {
    pub(super) session: Session,
    /// The store, for this writer.
    pub(super) objects: Objects,
    pub(super) options: StreamOptions,
    pub(super) limiter: Limiter,
    pub(super) progress: Progress,
    pub(super) stop: CancellationToken,
    /// One for each part in flight.
    pub(super) permits: Arc<Semaphore>,
}

impl fmt::Debug for Context {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Context").field("session", self.session.id()).finish_non_exhaustive()
    }
}

/// A file that has an object of its own.
#[derive(Debug)]
pub(super) struct Sent {
    pub(super) entry: FileEntry,
}

/// Bytes of one file that are dealt with; a part sent twice counts once.
struct Counted<'a> {
    progress: &'a Progress,
    told: u64,
    done: u64,
}

impl Counted<'_> {
    fn add(&mut self, len_bytes: u64) {
        self.done += len_bytes;
        if self.done > self.told {
            (self.progress)(self.done - self.told);
            self.told = self.done;
        }
    }
}

fn chunk_len() -> usize {
    usize::try_from(CHUNK_BYTES).unwrap_or(usize::MAX)
}

/// The checksums of the chunks of `bytes`, on the blocking pool: a map's pages may come from the device.
async fn checksums(bytes: Bytes) -> Vec<u32> {
    blocking(move || checksum::chunks(&bytes, chunk_len()).collect()).await
}

fn check(tablet: u64, file: &Meta, chunks: &[u32]) -> Result<()> {
    let found = checksum::combine(file.len_bytes, u64::from(CHUNK_BYTES), chunks);
    if found == file.crc32 {
        return Ok(());
    }
    let (expected, found) = (format!("crc32 {:08x}", file.crc32), format!("crc32 {found:08x}"));
    Err(Error::corrupt(format!("{} of tablet {tablet}", file.name), 0, expected, found))
}

impl Context {
    /// The same, with a token of its own that also says stop when this one's does.
    pub(super) fn child(&self) -> Self {
        let stop = self.stop.child_token();
        Self {
            session: self.session.clone(),
            objects: self.objects.within(&self.limiter, &stop),
            options: self.options,
            limiter: self.limiter.clone(),
            progress: Progress::clone(&self.progress),
            stop,
            permits: Arc::clone(&self.permits),
        }
    }

    async fn permit(&self) -> Result<OwnedSemaphorePermit> {
        let permit = env::select! {
            () = self.stop.cancelled() => return Err(Error::Cancelled),
            permit = Arc::clone(&self.permits).acquire_owned() => permit,
        };
        permit.map_err(|closed| Error::Internal(closed.to_string()))
    }

    async fn open(&self, tablet: u64, file: &Meta, open: OpenFile) -> Result<Bytes> {
        let opened = env::select! {
            () = self.stop.cancelled() => return Err(Error::Cancelled),
            opened = open() => opened,
        };
        let what = || format!("{} of tablet {tablet}", file.name);
        let bytes = opened.map_err(|source| Error::Peer { what: format!("opening {}", what()), source })?;
        if bytes.len() as u64 != file.len_bytes {
            let (expected, found) = (format!("{} bytes", file.len_bytes), format!("{} bytes", bytes.len()));
            return Err(Error::corrupt(what(), file.len_bytes.min(bytes.len() as u64), expected, found));
        }
        Ok(bytes)
    }

    /// Gives a file an object of its own.
    pub(super) async fn send(&self, tablet: u64, file: FileIn) -> Result<Sent> {
        let (file, open) = file.split();
        // The checksum is in the name so that another replica's file of the same name is another object.
        let object = self.session.owner().data(&format!("{tablet}.{:08x}.{}", file.crc32, file.name));
        let bytes = self.open(tablet, &file, open).await?;
        let mut counted = Counted { progress: &self.progress, told: 0, done: 0 };
        let there = self.session.uploaded(&self.objects).await?.get(&object) == Some(&file.len_bytes);
        let chunks = if there {
            let chunks = self.read_only(&bytes, &mut counted).await?;
            check(tablet, &file, &chunks)?;
            chunks
        } else if file.len_bytes <= self.options.part_bytes {
            let permit = self.permit().await?;
            let chunks = checksums(bytes.clone()).await;
            check(tablet, &file, &chunks)?;
            let _made: Put = self.objects.put_own(&object, bytes.into()).await?;
            drop(permit);
            counted.add(file.len_bytes);
            chunks
        } else {
            self.in_parts(tablet, &file, &object, &bytes, &mut counted).await?
        };
        let Meta { name, id, len_bytes, crc32 } = file;
        Ok(Sent {
            entry: FileEntry { name, id, len_bytes, crc32, object, offset: 0, chunk_bytes: CHUNK_BYTES, chunks },
        })
    }

    fn parts(&self, bytes: &Bytes) -> impl Iterator<Item = Bytes> {
        let part = usize::try_from(self.options.part_bytes).unwrap_or(usize::MAX).max(1);
        let bytes = bytes.clone();
        (0..bytes.len()).step_by(part).map(move |start| bytes.slice(start..start.saturating_add(part).min(bytes.len())))
    }

    /// The checksums of a file whose object is there already.
    async fn read_only(&self, bytes: &Bytes, counted: &mut Counted<'_>) -> Result<Vec<u32>> {
        let mut chunks = Vec::new();
        for part in self.parts(bytes) {
            let permit = self.permit().await?;
            let len = part.len() as u64;
            chunks.extend(checksums(part).await);
            drop(permit);
            counted.add(len);
        }
        Ok(chunks)
    }

    async fn in_parts(
        &self,
        tablet: u64,
        file: &Meta,
        object: &str,
        bytes: &Bytes,
        counted: &mut Counted<'_>,
    ) -> Result<Vec<u32>> {
        let objects = &self.objects;
        let path = Path::parse(object).map_err(|failed| Error::Internal(failed.to_string()))?;
        let mut attempt = 0;
        loop {
            if attempt > 0 && objects.len(object).await? == Some(file.len_bytes) {
                // The answer was lost, not the object.
                counted.done = 0;
                return self.read_only(bytes, counted).await;
            }
            counted.done = 0;
            let mut options = PutMultipartOptions::default();
            options.extensions.insert(ExpectedLen(file.len_bytes));
            options.extensions.insert(objects.again());
            let begun = objects.writing(object, 0, objects.store().put_multipart_opts(&path, options)).await?;
            let failed = match begun.map_err(|failed| Error::from_store(object, failed)) {
                Ok(mut upload) => match self.upload(tablet, file, object, bytes, &mut *upload, counted).await {
                    Ok(chunks) => return Ok(chunks),
                    Err(failed) => {
                        // Best effort: what stays is swept by its name, or by the store's own rules.
                        let _gone = timeout(GRACE, upload.abort()).await.is_ok();
                        failed
                    }
                },
                Err(failed) => failed,
            };
            attempt = objects.passing(attempt, failed).await?;
        }
    }

    async fn upload(
        &self,
        tablet: u64,
        file: &Meta,
        object: &str,
        bytes: &Bytes,
        upload: &mut dyn MultipartUpload,
        counted: &mut Counted<'_>,
    ) -> Result<Vec<u32>> {
        /// The length of a part, and what the store says to it.
        type Part = Result<(u64, object_store::Result<()>)>;
        let mut chunks = Vec::new();
        let mut running: JoinSet<Part> = JoinSet::new();
        let ended = |joined: Option<Result<Part, env::rt::JoinError>>| match joined {
            None => Ok(0),
            Some(Ok(Ok((len, Ok(()))))) => Ok(len),
            Some(Ok(Ok((_, Err(failed))))) => Err(Error::from_store(object, failed)),
            Some(Ok(Err(failed))) => Err(failed),
            Some(Err(failed)) => Err(Error::Internal(format!("a task of an upload failed: {failed}"))),
        };
        for part in self.parts(bytes) {
            let permit = self.permit().await?;
            chunks.extend(checksums(part.clone()).await);
            let len = part.len() as u64;
            let put = upload.put_part(part.into());
            let (objects, name) = (self.objects.clone(), object.to_owned());
            running.spawn(async move {
                let put = objects.writing(&name, len, put).await;
                drop(permit);
                put.map(|put| (len, put))
            });
            // Parts of one file wait for each other here; how many are under way in all is the permits' business.
            while running.len() >= self.options.in_flight {
                counted.add(ended(running.join_next().await)?);
            }
        }
        while !running.is_empty() {
            let joined = env::select! {
                () = self.stop.cancelled() => return Err(Error::Cancelled),
                joined = running.join_next() => joined,
            };
            counted.add(ended(joined)?);
        }
        check(tablet, file, &chunks)?;
        match self.objects.writing(object, 0, upload.complete()).await? {
            Ok(_) => return Ok(chunks),
            // Another life of the session was faster with the same bytes.
            Err(object_store::Error::AlreadyExists { .. }) => {}
            Err(failed) => return Err(Error::from_store(object, failed)),
        }
        match self.objects.len(object).await? {
            Some(found) if found == file.len_bytes => Ok(chunks),
            found => {
                let found = found.map_or_else(|| "no such object".to_owned(), |found| format!("{found} bytes"));
                Err(Error::corrupt(object, 0, format!("{} bytes", file.len_bytes), found))
            }
        }
    }

    /// Reads small files and takes their checksums.
    pub(super) async fn read_small(&self, batch: Vec<(Slot, FileIn)>) -> Result<Vec<(Slot, Small)>> {
        let permit = self.permit().await?;
        let mut opened = Vec::with_capacity(batch.len());
        for (slot, file) in batch {
            let (file, open) = file.split();
            let bytes = self.open(slot.tablet_id, &file, open).await?;
            opened.push((slot, file, bytes));
        }
        let read = blocking(move || {
            opened
                .into_iter()
                .map(|(slot, file, bytes)| {
                    let chunks: Vec<u32> = checksum::chunks(&bytes, chunk_len()).collect();
                    check(slot.tablet_id, &file, &chunks)?;
                    Ok((slot, Small::new(file, bytes, chunks)))
                })
                .collect::<Result<Vec<_>>>()
        })
        .await;
        drop(permit);
        read
    }

    /// Puts a page of tablets, unless an equal one may be shared.
    pub(super) async fn put_page(&self, bytes: Bytes) -> Result<PageRef> {
        self.session.put_page(&self.objects, PageKind::Tablets, bytes).await
    }

    /// Puts a pack, unless an earlier life of the session did.
    pub(super) async fn put_pack(&self, object: &str, payload: PutPayload) -> Result<()> {
        let len_bytes = payload.content_length() as u64;
        if self.session.uploaded(&self.objects).await?.get(object) != Some(&len_bytes) {
            let permit = self.permit().await?;
            let _made: Put = self.objects.put_own(object, payload).await?;
            drop(permit);
        }
        (self.progress)(len_bytes);
        Ok(())
    }
}
