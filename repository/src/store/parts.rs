//! Uploads in parts on the network: a part that failed is sent again, and those that are there are not.
//!
//! Whether and when something is sent again is decided by whoever asked for the upload, who leaves an [`Again`] in its
//! options; without one nothing is. The caller still begins anew when an upload itself is lost.

use crate::objects::Again;
use async_trait::async_trait;
use object_store::multipart::{MultipartStore, PartId};
use object_store::path::Path;
use object_store::{
    Error, MultipartId, MultipartUpload, PutMultipartOptions, PutPayload, PutResult, Result, UploadPart,
};
use parking_lot::Mutex;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

/// Makes an error one that may be shown.
pub(super) type Clean = Arc<dyn Fn(Error) -> Error + Send + Sync>;

/// A store's requests for uploads, below a prefix.
#[derive(Clone)]
pub(super) struct Uploads {
    store: Arc<dyn MultipartStore>,
    prefix: Path,
}

impl fmt::Debug for Uploads {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Uploads").field("prefix", &self.prefix).finish_non_exhaustive()
    }
}

impl Uploads {
    pub(super) fn new(store: Arc<dyn MultipartStore>, prefix: Path) -> Self {
        Self { store, prefix }
    }

    pub(super) async fn begin(&self, path: &Path, options: PutMultipartOptions, clean: Clean) -> Result<Upload> {
        let again = options.extensions.get::<Again>().cloned();
        let full = self.prefix.parts().chain(path.parts()).collect();
        let id = self.store.create_multipart_opts(&full, options).await.map_err(|failed| clean(failed))?;
        let target = Target {
            store: Arc::clone(&self.store),
            full,
            id,
            name: path.to_string(),
            again,
            clean,
            sent: Mutex::default(),
        };
        Ok(Upload { target: Arc::new(target), parts: 0 })
    }
}

/// What the parts of an upload share.
struct Target {
    store: Arc<dyn MultipartStore>,
    full: Path,
    id: MultipartId,
    /// The object's name, as the caller knows it.
    name: String,
    again: Option<Again>,
    clean: Clean,
    sent: Mutex<BTreeMap<usize, PartId>>,
}

impl Target {
    /// The number of the next attempt, when its time has come; `failed`, which is clean, when there is to be none.
    async fn again(&self, attempt: u32, bytes: u64, failed: Error) -> Result<u32> {
        match &self.again {
            Some(again) => again.wait(attempt, &self.name, bytes, failed).await,
            None => Err(failed),
        }
    }
}

/// An upload under way.
pub(super) struct Upload {
    target: Arc<Target>,
    parts: usize,
}

impl fmt::Debug for Upload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Upload").field("name", &self.target.name).field("parts", &self.parts).finish_non_exhaustive()
    }
}

#[async_trait]
impl MultipartUpload for Upload {
    fn put_part(&mut self, data: PutPayload) -> UploadPart {
        let (target, number) = (Arc::clone(&self.target), self.parts);
        self.parts += 1;
        Box::pin(async move {
            let bytes = data.content_length() as u64;
            let mut attempt = 0;
            loop {
                match target.store.put_part(&target.full, &target.id, number, data.clone()).await {
                    Ok(part) => {
                        target.sent.lock().insert(number, part);
                        return Ok(());
                    }
                    Err(failed) => attempt = target.again(attempt, bytes, (target.clean)(failed)).await?,
                }
            }
        })
    }

    async fn complete(&mut self) -> Result<PutResult> {
        let target = &self.target;
        let parts: Vec<PartId> = target.sent.lock().values().cloned().collect();
        if parts.len() != self.parts {
            let source = format!("{} of {} parts are there", parts.len(), self.parts).into();
            return Err(Error::Generic { store: "object store", source });
        }
        let mut attempt = 0;
        loop {
            let completed = target.store.complete_multipart(&target.full, &target.id, parts.clone()).await;
            let failed = match completed.map_err(|failed| (target.clean)(failed)) {
                Ok(made) => return Ok(made),
                Err(failed) => failed,
            };
            if attempt > 0 && matches!(failed, Error::NotFound { .. }) {
                // Most likely an attempt before this one took effect and its answer was lost. The caller looks for the
                // object.
                let source = format!("the upload is gone: {failed}").into();
                return Err(Error::Generic { store: "object store", source });
            }
            attempt = target.again(attempt, 0, failed).await?;
        }
    }

    async fn abort(&mut self) -> Result<()> {
        let target = &self.target;
        target.store.abort_multipart(&target.full, &target.id).await.map_err(|failed| (target.clean)(failed))
    }
}
