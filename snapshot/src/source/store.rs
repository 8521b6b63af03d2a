//! [`SnapshotSource`] for our own tablet store.

use super::{SnapshotSource, SourceFile, SourceImage, StagedImage, StagedSink};
use crate::error::{Error, Result};
use async_trait::async_trait;
use bytes::Bytes;
use env::disk::Disk;
use env::ids::{JobId, TabletId, Version};
use env::rt;
use std::sync::Arc;
use tablet::{ErrorKind, ImageFile, StagedFile, StagedTablet, TabletImage, TabletImageMeta, TabletStore};

/// A tablet store as a source, with the disk that it is on.
#[derive(Debug, Clone)]
pub struct TabletSource {
    store: TabletStore,
    disk: Arc<dyn Disk>,
}

impl TabletSource {
    /// `disk` must be the one that `store` is on; it is asked for free space.
    pub fn new(store: TabletStore, disk: Arc<dyn Disk>) -> Self {
        Self { store, disk }
    }
}

fn source_file(tablet: TabletId, file: ImageFile) -> SourceFile {
    // Tablets have numbers of their own in a cluster, also restored ones.
    let identity = file.uid.unwrap_or_else(|| format!("{tablet}-{}", file.name));
    SourceFile { name: file.name, identity, len_bytes: file.len_bytes, crc32: file.crc32 }
}

fn source_image(image: TabletImage) -> Result<SourceImage> {
    let tablet = image.tablet;
    let files = image.meta.files.iter().cloned().map(|file| source_file(tablet, file)).collect();
    let meta = serde_json::to_value(&image.meta)
        .map_err(|failed| Error::Internal(format!("the image of tablet {tablet} cannot be JSON: {failed}")))?;
    Ok(SourceImage { version: image.version, lineage: image.meta.lineage, meta, files })
}

fn unreadable(tablet: TabletId, failed: &serde_json::Error) -> Error {
    Error::corrupt(format!("the image of tablet {tablet}"), "a description of a tablet", failed.to_string())
}

#[async_trait]
impl SnapshotSource for TabletSource {
    async fn pin(&self, owner: JobId, tablets: &[(TabletId, Version)]) -> Result<()> {
        self.store.pin(owner, tablets).await.map_err(|failed| match failed.kind() {
            // Reclaimed, or the tablet was dropped: either way the cut is of a past that is no more.
            ErrorKind::Conflict | ErrorKind::NotFound => Error::VersionGone(failed.to_string()),
            ErrorKind::Invalid
            | ErrorKind::AlreadyExists
            | ErrorKind::Busy
            | ErrorKind::Denied
            | ErrorKind::Fenced
            | ErrorKind::Unavailable
            | ErrorKind::Indeterminate
            | ErrorKind::Corrupt
            | ErrorKind::Full
            | ErrorKind::Cancelled
            | ErrorKind::TimedOut
            | ErrorKind::Unsupported
            | ErrorKind::Internal => Error::Tablet(failed),
        })
    }

    async fn unpin(&self, owner: JobId) -> Result<()> {
        Ok(self.store.unpin(owner).await?)
    }

    fn pin_owners(&self) -> Vec<JobId> {
        self.store.pin_owners()
    }

    fn image(&self, owner: JobId, tablet: TabletId) -> Result<SourceImage> {
        source_image(self.store.pinned(owner, tablet)?)
    }

    fn peek(&self, tablet: TabletId, version: Version) -> Result<Option<SourceImage>> {
        match self.store.image(tablet, version) {
            Ok(image) => source_image(image).map(Some),
            Err(gone) if matches!(gone.kind(), ErrorKind::Conflict | ErrorKind::NotFound) => Ok(None),
            Err(failed) => Err(failed.into()),
        }
    }

    async fn open(&self, owner: JobId, tablet: TabletId, name: &str) -> Result<Bytes> {
        Ok(self.store.image_bytes(owner, tablet, name).await?)
    }

    async fn free_bytes(&self) -> Result<u64> {
        let disk = Arc::clone(&self.disk);
        rt::blocking(move || disk.free_bytes()).await.map_err(|failed| Error::Outside {
            kind: crate::ErrorKind::Unavailable,
            message: format!("the disk does not tell its free space: {failed}"),
        })
    }

    async fn stage_begin(&self, owner: JobId, images: Vec<StagedImage>) -> Result<()> {
        let mut staged = Vec::with_capacity(images.len());
        for StagedImage { tablet, version, meta } in images {
            let mut image: TabletImageMeta =
                serde_json::from_value(meta).map_err(|failed| unreadable(tablet, &failed))?;
            // Loads that did nothing to the tablet made further versions of the same rows, and of the same lineage.
            let same_rows = image.version == version || (image.lineage.is_some() && image.version < version);
            if !same_rows {
                let object = format!("the image of tablet {tablet}");
                return Err(Error::corrupt(object, format!("version {version}"), format!("version {}", image.version)));
            }
            image.version = version;
            staged.push(StagedTablet { tablet, image });
        }
        Ok(self.store.stage_begin(owner, staged).await?)
    }

    async fn stage_missing(&self, owner: JobId, tablet: TabletId) -> Result<Vec<SourceFile>> {
        Ok(self.store.staged_missing(owner, tablet).await?.into_iter().map(|file| source_file(tablet, file)).collect())
    }

    async fn stage_file(&self, owner: JobId, tablet: TabletId, name: &str) -> Result<Box<dyn StagedSink>> {
        Ok(Box::new(Sink(self.store.stage_file(owner, tablet, name).await?)))
    }

    async fn stage_finish(&self, owner: JobId, tablets: &[TabletId]) -> Result<()> {
        Ok(self.store.stage_finish(owner, tablets).await?)
    }

    async fn stage_keep(&self, owner: JobId) -> Result<()> {
        Ok(self.store.stage_keep(owner).await?)
    }

    async fn stage_discard(&self, owner: JobId) -> Result<()> {
        Ok(self.store.stage_discard(owner).await?)
    }

    fn stage_owners(&self) -> Vec<JobId> {
        self.store.stage_owners()
    }
}

#[derive(Debug)]
struct Sink(StagedFile);

#[async_trait]
impl StagedSink for Sink {
    async fn write(&self, offset: u64, bytes: Bytes) -> Result<()> {
        Ok(self.0.write_at(offset, bytes).await?)
    }

    async fn finish(self: Box<Self>, len_bytes: u64, crc32: u32) -> Result<()> {
        Ok(self.0.finish(crc32, len_bytes).await?)
    }
}
