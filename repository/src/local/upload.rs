//! Uploads in parts: each part is written at its place in one file that is put in place at the end.

use super::write::{self, Tree};
use super::{failed, made};
use async_trait::async_trait;
use env::disk::DiskFile;
use env::rt::blocking;
use object_store::{MultipartUpload, PutPayload, PutResult, Result, UploadPart};
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// How long an upload is going to be, for those who know: an extension of the options of a multipart upload, with
/// which the space is reserved at the start.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ExpectedLen(pub(crate) u64);

#[derive(Debug)]
pub(super) struct Upload {
    tree: Arc<Tree>,
    path: String,
    /// The file's own name until it is put in place.
    name: String,
    file: Arc<dyn DiskFile>,
    len_bytes: u64,
    reserved: bool,
    /// A part failed: what is in the file is not what was given.
    broken: Arc<AtomicBool>,
    ended: bool,
}

impl Upload {
    pub(super) fn begin(tree: Arc<Tree>, path: String, expected: Option<ExpectedLen>) -> io::Result<Self> {
        let (name, file) = tree.begin(&path)?;
        let broken = Arc::default();
        let upload = Self { tree, path, name, file, len_bytes: 0, reserved: expected.is_some(), broken, ended: false };
        if let Some(ExpectedLen(len_bytes)) = expected {
            upload.file.allocate(len_bytes)?;
        }
        Ok(upload)
    }
}

#[async_trait]
impl MultipartUpload for Upload {
    fn put_part(&mut self, data: PutPayload) -> UploadPart {
        let (file, broken, offset) = (Arc::clone(&self.file), Arc::clone(&self.broken), self.len_bytes);
        let (path, reserve) = (self.path.clone(), !self.reserved);
        self.len_bytes += data.content_length() as u64;
        Box::pin(async move {
            let written = blocking(move || write::write(&*file, offset, data.as_ref(), reserve)).await;
            written.map(drop).map_err(|error| {
                broken.store(true, Ordering::Release);
                failed(&path, error)
            })
        })
    }

    async fn complete(&mut self) -> Result<PutResult> {
        let (tree, file, len_bytes) = (Arc::clone(&self.tree), Arc::clone(&self.file), self.len_bytes);
        let (name, path, broken) = (self.name.clone(), self.path.clone(), self.broken.load(Ordering::Acquire));
        self.ended = true;
        blocking(move || {
            let written = (|| {
                if broken || file.len()? != len_bytes {
                    return Err(io::Error::other("a part of the upload was not written"));
                }
                file.sync_data()
            })();
            tree.finish(&name, &path, written, false).map_err(|error| failed(&path, error))
        })
        .await?;
        Ok(made())
    }

    async fn abort(&mut self) -> Result<()> {
        self.ended = true;
        let (tree, name) = (Arc::clone(&self.tree), self.name.clone());
        blocking(move || tree.delete(&name).map_err(|error| failed(&name, error))).await
    }
}

impl Drop for Upload {
    /// Given up: the file goes at once, so that a cancelled upload leaves nothing. One call, which does not wait for
    /// the device.
    fn drop(&mut self) {
        if !self.ended {
            drop(self.tree.disk.remove(&self.name));
        }
    }
}
