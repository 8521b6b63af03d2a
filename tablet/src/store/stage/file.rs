//! Receiving one file of a restore.

use super::{Stage, vector_of_image};
use crate::error::{Error, Result};
use crate::image::{ImageFile, ImageName};
use crate::store::deletes::DeleteVector;
use crate::store::files;
use crate::store::journal::{Edits, Table};
use crate::store::{Inner, StoreError};
use crate::view::SegmentId;
use bytes::Bytes;
use env::canary::{self, Canary};
use env::disk::{self, DiskFile};
use env::ids::{JobId, Version};
use env::rt;
use parking_lot::Mutex;
use std::collections::BTreeMap;
use std::sync::Arc;

/// A small file is gathered in memory: a delete vector ends up in the metadata. A bitmap of 2^32 rows has about 512 MiB.
const INLINE_BYTES_MAX: u64 = 1 << 30;

/// A file of a restore that is being received. Parts may come in any order and from several tasks; each byte counts
/// once, a part that comes again takes the place of the first one. Dropped before [`StagedFile::finish`], it removes
/// what it wrote.
#[derive(Debug)]
pub struct StagedFile {
    shared: Arc<Receiving>,
}

#[derive(Debug)]
struct Receiving {
    inner: Arc<Inner>,
    owner: JobId,
    stage: Arc<Stage>,
    file: ImageFile,
    target: Target,
    /// By offset: length and CRC-32.
    parts: Mutex<BTreeMap<u64, (u64, u32)>>,
}

#[derive(Debug)]
enum Target {
    Segment { segment: SegmentId, file: Arc<dyn DiskFile>, temporary: String },
    Deletes { segment: SegmentId, version: Version, bytes: Mutex<Vec<u8>> },
}

impl StagedFile {
    pub(super) fn create(inner: Arc<Inner>, owner: JobId, stage: Arc<Stage>, file: ImageFile) -> Result<Self> {
        let target = match ImageName::parse(&file.name) {
            Some(ImageName::Segment(segment)) => {
                files::ensure_dir(&*inner.disk, &stage.tablet)?;
                let temporary = format!(".{}.{}{}", file.name, env::rand::token(), disk::TEMPORARY_SUFFIX);
                stage.tablet.shared().arriving.insert(temporary.clone());
                let path = disk::join(&stage.tablet.dir(), &temporary);
                let created = create_sized(&inner, &path, file.len_bytes);
                if created.is_err() {
                    stage.tablet.shared().arriving.remove(&temporary);
                }
                let created = created?;
                Target::Segment { segment, file: created, temporary }
            }
            Some(ImageName::Deletes(segment, version)) if file.len_bytes <= INLINE_BYTES_MAX => {
                let len =
                    usize::try_from(file.len_bytes).map_err(|_large| Error::Internal("a file in memory".to_owned()))?;
                Target::Deletes { segment, version, bytes: Mutex::new(vec![0; len]) }
            }
            _ => return Err(Error::corrupt(&file.name, "a segment or a delete vector", "another file")),
        };
        let parts = Mutex::default();
        Ok(Self { shared: Arc::new(Receiving { inner, owner, stage, file, target, parts }) })
    }

    /// What is to be received.
    pub fn file(&self) -> &ImageFile {
        &self.shared.file
    }

    /// Writes a part.
    ///
    /// # Errors
    /// `Invalid` for a part that goes beyond the file's end or overlaps others by halves; what the disk says, after
    /// which the file can only be dropped.
    pub async fn write_at(&self, offset: u64, data: Bytes) -> Result<()> {
        let shared = Arc::clone(&self.shared);
        rt::blocking(move || shared.write_at(offset, &data)).await
    }

    /// Completes the file: all parts must be there, and length and CRC-32 must be those given here and in the image.
    /// Synced when it returns; the name is durable after `stage_finish`.
    ///
    /// # Errors
    /// `Corrupt` when anything differs, `NotFound` when the restore was discarded meanwhile, and what the disk says.
    /// What was received is removed then.
    pub async fn finish(self, crc32: u32, len_bytes: u64) -> Result<()> {
        let shared = Arc::clone(&self.shared);
        rt::blocking(move || shared.verify(crc32, len_bytes)).await?;
        match &self.shared.target {
            Target::Segment { .. } => {
                let shared = Arc::clone(&self.shared);
                rt::blocking(move || shared.give_name()).await
            }
            Target::Deletes { segment, version, bytes } => {
                let bytes = std::mem::take(&mut *bytes.lock());
                self.shared.keep_vector(*segment, *version, bytes).await
            }
        }
    }
}

impl Receiving {
    fn write_at(&self, offset: u64, data: &[u8]) -> Result<()> {
        let len = data.len() as u64;
        let end = offset.saturating_add(len);
        let wrong =
            || StoreError::WrongPart { name: self.file.name.clone(), offset, end, len_bytes: self.file.len_bytes };
        if end > self.file.len_bytes {
            return Err(wrong().into());
        }
        if len == 0 {
            return Ok(());
        }
        {
            let parts = self.parts.lock();
            let before = parts.range(..=offset).next_back();
            let same = parts.get(&offset).is_some_and(|(there, _)| *there == len);
            let overlaps = before.is_some_and(|(start, (there, _))| start + there > offset)
                || parts.range(offset..end).next().is_some();
            if overlaps && !same {
                return Err(wrong().into());
            }
        }
        let crc32 = crc32fast::hash(data);
        match &self.target {
            Target::Segment { file, .. } => {
                file.write_at(offset, data).map_err(Error::io("write", &self.path()))?;
                // The sync at the end then finds most of the file on its way.
                file.start_writeback(offset, len);
            }
            Target::Deletes { bytes, .. } => {
                let (from, to) = (usize::try_from(offset), usize::try_from(end));
                let mut bytes = bytes.lock();
                let place = from.ok().zip(to.ok()).and_then(|(from, to)| bytes.get_mut(from..to));
                place.ok_or_else(wrong)?.copy_from_slice(data);
            }
        }
        self.parts.lock().insert(offset, (len, crc32));
        Ok(())
    }

    fn path(&self) -> String {
        match &self.target {
            Target::Segment { temporary, .. } => disk::join(&self.stage.tablet.dir(), temporary),
            Target::Deletes { .. } => self.file.name.clone(),
        }
    }

    fn verify(&self, crc32: u32, len_bytes: u64) -> Result<()> {
        let damaged = |offset, expected: String, found: String| {
            let object = format!("{} of tablet {}", self.file.name, self.stage.tablet.id);
            Err(Error::Corrupt { object, offset, expected, found })
        };
        let file = &self.file;
        if (crc32, len_bytes) != (file.crc32, file.len_bytes) {
            let expected = format!("{} bytes with CRC-32 {:08x}, as in the image", file.len_bytes, file.crc32);
            return damaged(None, expected, format!("{len_bytes} bytes with CRC-32 {crc32:08x}"));
        }
        let mut all = crc32fast::Hasher::new();
        let mut end = 0;
        for (offset, (len, part)) in &*self.parts.lock() {
            if *offset != end {
                return damaged(Some(end), format!("{} bytes", file.len_bytes), format!("nothing at {end}..{offset}"));
            }
            all.combine(&crc32fast::Hasher::new_with_initial_len(*part, *len));
            end += len;
        }
        if end != file.len_bytes {
            return damaged(Some(end), format!("{} bytes", file.len_bytes), format!("{end} bytes"));
        }
        let found = all.finalize();
        if found != file.crc32 && !canary::sings(Canary::ChecksumIgnored) {
            return damaged(None, format!("CRC-32 {:08x}", file.crc32), format!("{found:08x}"));
        }
        Ok(())
    }

    fn give_name(&self) -> Result<()> {
        let Target::Segment { segment, file, temporary } = &self.target else { return Ok(()) };
        let path = self.path();
        file.sync_data().map_err(Error::io("sync", &path))?;
        let mut progress = self.stage.progress.lock();
        if progress.discarded {
            return Err(self.unknown());
        }
        if progress.finished || progress.here.contains(segment) {
            // Somebody else brought the same bytes; the drop removes these.
            return Ok(());
        }
        let name = disk::join(&self.stage.tablet.dir(), &self.file.name);
        self.inner.disk.rename(&path, &name).map_err(Error::io("rename", &path))?;
        progress.here.insert(*segment);
        drop(progress);
        self.stage.tablet.shared().arriving.remove(temporary);
        Ok(())
    }

    async fn keep_vector(&self, segment: SegmentId, version: Version, bytes: Vec<u8>) -> Result<()> {
        let object = format!("{} of tablet {}", self.file.name, self.stage.tablet.id);
        let vector = DeleteVector::from_bytes(segment, version, &object, &bytes)?;
        vector_of_image(&self.stage.image, &vector)?;
        // Neither a discard nor another copy of the file comes between this look and the commit.
        let turn = Arc::clone(&self.stage.tablet.write).lock_owned().await;
        {
            let progress = self.stage.progress.lock();
            if progress.discarded {
                return Err(self.unknown());
            }
            if progress.finished || progress.vectors.contains_key(&segment) {
                return Ok(());
            }
        }
        let mut edits = Edits::default();
        let tablet = self.stage.tablet.id;
        edits.put_bytes(Table::Deletes, &[tablet.0, segment.rowset, u64::from(segment.ordinal), version.0], bytes);
        let stage = Arc::clone(&self.stage);
        let apply = move || {
            stage.progress.lock().vectors.insert(segment, Arc::new(vector));
            drop(turn);
        };
        self.inner.journal.commit(edits, apply).await
    }

    fn unknown(&self) -> Error {
        StoreError::UnknownStage { owner: self.owner, tablet: self.stage.tablet.id }.into()
    }
}

impl Drop for Receiving {
    fn drop(&mut self) {
        let Target::Segment { temporary, .. } = &self.target else { return };
        let unnamed = self.stage.tablet.shared().arriving.remove(temporary);
        if unnamed && self.inner.disk.remove(&self.path()).is_err() {
            // It goes with the next reclaim.
            self.stage.tablet.shared().untidy = true;
        }
    }
}

/// A new file with its space reserved; nothing is left behind when there is not enough of it.
fn create_sized(inner: &Inner, path: &str, len_bytes: u64) -> Result<Arc<dyn DiskFile>> {
    let file = inner.disk.create(path).map_err(Error::io("create", path))?;
    if let Err(full) = file.allocate(len_bytes) {
        drop(inner.disk.remove(path));
        return Err(Error::io("reserve space for", path)(full));
    }
    Ok(file)
}
