//! A store on the network whose errors can be shown to anybody.
//!
//! Owns the translation of refusals into the errors of the trait. What is asked and answered passes through untouched.

use super::deletes::Deletes;
use super::parts::Uploads;
use super::refusal::{Meaning, Refusal, chain};
use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::BoxStream;
use futures::{StreamExt, TryStreamExt};
use object_store::path::Path;
use object_store::{
    CopyOptions, Error, GetOptions, GetResult, GetResultPayload, ListResult, MultipartUpload, ObjectMeta, ObjectStore,
    PutMode, PutMultipartOptions, PutOptions, PutPayload, PutResult, RenameOptions, Result,
};
use std::fmt;
use std::ops::Range;
use std::sync::Arc;

/// A store with its errors cleaned.
pub(super) struct Polite {
    store: Arc<dyn ObjectStore>,
    uploads: Uploads,
    /// How it deletes, where that is not certain.
    deletes: Option<Deletes>,
    place: Arc<Place>,
}

/// Where a store is, and what must not be said about it.
struct Place {
    location: String,
    hidden: Vec<String>,
}

impl Place {
    /// The error as it may be shown. `path` is what was asked for.
    #[expect(clippy::wildcard_enum_match_arm, reason = "an error that says nothing but names passes as it is")]
    fn clean(&self, path: &str, failed: Error) -> Error {
        let path = path.to_owned();
        if let Some(refusal) = Refusal::of(&failed) {
            let source = Box::new(refusal.clone());
            return match refusal.meaning() {
                Meaning::NotFound => Error::NotFound { path, source },
                Meaning::Exists => Error::Precondition { path, source },
                Meaning::Denied => Error::PermissionDenied { path, source },
                Meaning::NoBucket
                | Meaning::Unsettled
                | Meaning::Elsewhere
                | Meaning::Full
                | Meaning::Unsupported
                | Meaning::Passing => Error::Generic { store: "object store", source },
            };
        }
        match failed {
            Error::Generic { .. } | Error::JoinError { .. } => {
                let text = chain(&failed, &self.hidden);
                Error::Generic { store: "object store", source: text.into() }
            }
            Error::NotFound { source, .. } => Error::NotFound { path, source: chain(&*source, &self.hidden).into() },
            Error::AlreadyExists { source, .. } => {
                Error::AlreadyExists { path, source: chain(&*source, &self.hidden).into() }
            }
            Error::Precondition { source, .. } => {
                Error::Precondition { path, source: chain(&*source, &self.hidden).into() }
            }
            Error::PermissionDenied { source, .. } => {
                Error::PermissionDenied { path, source: chain(&*source, &self.hidden).into() }
            }
            Error::Unauthenticated { source, .. } => {
                Error::Unauthenticated { path, source: chain(&*source, &self.hidden).into() }
            }
            Error::NotSupported { source } => Error::NotSupported { source: chain(&*source, &self.hidden).into() },
            other => other,
        }
    }
}

impl Polite {
    pub(super) fn new(
        store: Arc<dyn ObjectStore>,
        uploads: Uploads,
        deletes: Option<Deletes>,
        location: String,
        hidden: Vec<String>,
    ) -> Self {
        Self { store, uploads, deletes, place: Arc::new(Place { location, hidden }) }
    }

    fn clean(&self, path: &Path) -> impl Fn(Error) -> Error + Send + Sync + use<> {
        self.clean_all(Some(path))
    }

    fn clean_all(&self, prefix: Option<&Path>) -> impl Fn(Error) -> Error + Send + Sync + use<> {
        let (place, path) = (Arc::clone(&self.place), prefix.map(Path::to_string).unwrap_or_default());
        move |failed| place.clean(&path, failed)
    }
}

impl fmt::Debug for Polite {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Polite").field(&self.place.location).finish()
    }
}

impl fmt::Display for Polite {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.place.location)
    }
}

#[async_trait]
impl ObjectStore for Polite {
    async fn put_opts(&self, location: &Path, payload: PutPayload, options: PutOptions) -> Result<PutResult> {
        let create = options.mode == PutMode::Create;
        let put = self.store.put_opts(location, payload, options).await;
        put.map_err(self.clean(location)).map_err(|failed| {
            if create && let Error::Precondition { path, source } = failed {
                return Error::AlreadyExists { path, source };
            }
            failed
        })
    }

    async fn put_multipart_opts(
        &self,
        location: &Path,
        options: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        let clean = Arc::new(self.clean(location));
        Ok(Box::new(self.uploads.begin(location, options, clean).await?))
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        let got = self.store.get_opts(location, options).await.map_err(self.clean(location))?;
        let (meta, range) = (got.meta.clone(), got.range.clone());
        let (attributes, extensions) = (got.attributes.clone(), got.extensions.clone());
        let payload = GetResultPayload::Stream(got.into_stream().map_err(self.clean(location)).boxed());
        Ok(GetResult { payload, meta, range, attributes, extensions })
    }

    async fn get_ranges(&self, location: &Path, ranges: &[Range<u64>]) -> Result<Vec<Bytes>> {
        self.store.get_ranges(location, ranges).await.map_err(self.clean(location))
    }

    fn delete_stream(&self, locations: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        let deleted = match &self.deletes {
            Some(deletes) => deletes.stream(locations),
            None => self.store.delete_stream(locations),
        };
        deleted.map_err(self.clean_all(None)).boxed()
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        self.store.list(prefix).map_err(self.clean_all(prefix)).boxed()
    }

    fn list_with_offset(&self, prefix: Option<&Path>, offset: &Path) -> BoxStream<'static, Result<ObjectMeta>> {
        self.store.list_with_offset(prefix, offset).map_err(self.clean_all(prefix)).boxed()
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.store.list_with_delimiter(prefix).await.map_err(self.clean_all(prefix))
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.store.copy_opts(from, to, options).await.map_err(self.clean(from))
    }

    async fn rename_opts(&self, from: &Path, to: &Path, options: RenameOptions) -> Result<()> {
        self.store.rename_opts(from, to, options).await.map_err(self.clean(from))
    }
}
