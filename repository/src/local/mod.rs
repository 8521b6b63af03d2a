//! A directory as an object store.
//!
//! What it adds to a plain copy is what the repository's protocol rests on:
//! * create-if-absent excludes: an object is written under a name of its own in `.uploads/`, synced, and linked to its
//!   place, which fails when the place is taken;
//! * what an answer says is durable: bytes, name and the directories above are synced before `put` says "made" and
//!   before it says "exists", and before a listing shows a name that a dead writer may have left unsynced;
//! * one pass: bytes go from the caller's buffers (memory maps, as a rule) to the file in writes of 1 MiB, with the
//!   space reserved first and write-back begun on the way, so that the sync at the end finds little to do;
//! * reading gives slices of a memory map.
//!
//! Objects are never written to in place. Names in `.uploads` that no living writer owns are what a crash left; a sweep
//! tells whose they were from their names. Every call blocks somewhere on disk and so runs on the blocking pool.

mod list;
mod upload;
mod write;

use async_trait::async_trait;
use bytes::Bytes;
use env::disk::{Disk, RealDisk};
use env::rt::blocking;
use futures::stream::BoxStream;
use futures::{StreamExt, TryStreamExt};
use object_store::path::Path;
use object_store::{
    Attributes, CopyMode, CopyOptions, Error, Extensions, GetOptions, GetRange, GetResult, GetResultPayload,
    ListResult, MultipartUpload, ObjectMeta, ObjectStore, ObjectStoreExt, PutMode, PutMultipartOptions, PutOptions,
    PutPayload, PutResult, RenameOptions, RenameTargetMode, Result,
};
use std::fmt;
use std::io;
use std::ops::Range;
use std::sync::Arc;
use write::Tree;

/// The driver's name in errors.
const STORE: &str = "local directory";

pub(crate) use upload::ExpectedLen;

/// An object store in a directory of a [`Disk`]; clones share it. See the module's text.
#[derive(Debug, Clone)]
pub struct LocalStore {
    tree: Arc<Tree>,
}

/// A [`LocalStore`] in a directory of the real file system, which need not exist yet.
pub fn local(dir: &std::path::Path) -> Arc<dyn ObjectStore> {
    Arc::new(LocalStore::new(Arc::new(RealDisk::new(dir))))
}

impl LocalStore {
    /// The store whose root is the root of `disk`.
    pub fn new(disk: Arc<dyn Disk>) -> Self {
        Self { tree: Arc::new(Tree::new(disk)) }
    }
}

impl fmt::Display for LocalStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{STORE} {:?}", self.tree.disk)
    }
}

/// A file system's error as the trait wants it.
#[expect(clippy::wildcard_enum_match_arm, reason = "there are too many kinds of error, and they have no one treatment")]
fn failed(path: &str, error: io::Error) -> Error {
    let path = path.to_owned();
    match error.kind() {
        io::ErrorKind::NotFound => Error::NotFound { path, source: error.into() },
        io::ErrorKind::AlreadyExists => Error::AlreadyExists { path, source: error.into() },
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
            Error::PermissionDenied { path, source: error.into() }
        }
        _ => Error::Generic { store: STORE, source: error.into() },
    }
}

/// The disk has no times of its own that anything here could rely on; objects never change, so nothing asks.
#[expect(clippy::default_trait_access, reason = "the type of the time is of a crate that is not ours to name")]
fn meta(location: &Path, size: u64) -> ObjectMeta {
    ObjectMeta { location: location.clone(), last_modified: Default::default(), size, e_tag: None, version: None }
}

fn made() -> PutResult {
    PutResult { e_tag: None, version: None, extensions: Extensions::default() }
}

/// Length of an object; a directory is none.
fn object_len(disk: &dyn Disk, path: &str) -> io::Result<u64> {
    match disk.list(path) {
        Ok(_) => Err(io::Error::new(io::ErrorKind::NotFound, format!("{path}: is a directory, not an object"))),
        Err(_) => disk.len(path),
    }
}

fn slice(bytes: &Bytes, range: &Range<u64>) -> Bytes {
    let index = |at: u64| usize::try_from(at).unwrap_or(usize::MAX).min(bytes.len());
    bytes.slice(index(range.start)..index(range.end).max(index(range.start)))
}

fn bad_range(error: impl std::error::Error + Send + Sync + 'static) -> Error {
    Error::Generic { store: STORE, source: Box::new(error) }
}

#[async_trait]
impl ObjectStore for LocalStore {
    async fn put_opts(&self, location: &Path, payload: PutPayload, options: PutOptions) -> Result<PutResult> {
        let replace = match options.mode {
            PutMode::Create => false,
            PutMode::Overwrite => true,
            PutMode::Update(_) => {
                return Err(Error::NotImplemented {
                    operation: "put with PutMode::Update".to_owned(),
                    implementer: STORE.to_owned(),
                });
            }
        };
        let (tree, path) = (Arc::clone(&self.tree), location.to_string());
        blocking(move || tree.put(&path, payload.as_ref(), replace).map_err(|error| failed(&path, error))).await?;
        Ok(made())
    }

    /// The upload is made at [`complete`](MultipartUpload::complete), and only if nothing has its name by then.
    async fn put_multipart_opts(
        &self,
        location: &Path,
        options: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        let (tree, path) = (Arc::clone(&self.tree), location.to_string());
        let expected = options.extensions.get::<ExpectedLen>().copied();
        let begun =
            blocking(move || upload::Upload::begin(tree, path.clone(), expected).map_err(|error| failed(&path, error)));
        Ok(Box::new(begun.await?))
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        let (tree, path, location) = (Arc::clone(&self.tree), location.to_string(), location.clone());
        let head = options.head;
        let (size, bytes) = blocking(move || {
            let read = || {
                if head {
                    return Ok((object_len(&*tree.disk, &path)?, Bytes::new()));
                }
                let bytes = match tree.disk.map(&path) {
                    // A directory can be opened, not mapped.
                    Err(error) if tree.disk.list(&path).is_ok() => Err(io::Error::new(io::ErrorKind::NotFound, error)),
                    mapped => mapped,
                }?;
                Ok((bytes.len() as u64, bytes))
            };
            read().map_err(|error| failed(&path, error))
        })
        .await?;
        let meta = meta(&location, size);
        options.check_preconditions(&meta)?;
        let range = match &options.range {
            Some(range) => range.as_range(size).map_err(bad_range)?,
            None => 0..size,
        };
        let bytes = slice(&bytes, &range);
        let payload = GetResultPayload::Stream(futures::stream::once(futures::future::ready(Ok(bytes))).boxed());
        Ok(GetResult { payload, meta, range, attributes: Attributes::default(), extensions: Extensions::default() })
    }

    async fn get_ranges(&self, location: &Path, ranges: &[Range<u64>]) -> Result<Vec<Bytes>> {
        let got = self.get_opts(location, GetOptions::default()).await?;
        let size = got.meta.size;
        let bytes = got.bytes().await?;
        let cut = |range: &Range<u64>| {
            let range = GetRange::Bounded(range.clone()).as_range(size).map_err(bad_range)?;
            Ok(slice(&bytes, &range))
        };
        ranges.iter().map(cut).collect()
    }

    /// A missing object is deleted already. Directories that become empty go too. The names are not synced: after a
    /// crash a deleted object may be back, as one whose delete was never asked for.
    fn delete_stream(&self, locations: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        let tree = Arc::clone(&self.tree);
        let delete = move |location: Path| {
            let tree = Arc::clone(&tree);
            async move {
                let path = location.to_string();
                blocking(move || tree.delete(&path).map_err(|error| failed(&path, error))).await?;
                Ok(location)
            }
        };
        locations.map_ok(delete).try_buffered(4).boxed()
    }

    /// Sorted by name. Unfinished uploads are only shown below `.uploads` itself.
    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        list::recursive(Arc::clone(&self.tree), prefix, None)
    }

    fn list_with_offset(&self, prefix: Option<&Path>, offset: &Path) -> BoxStream<'static, Result<ObjectMeta>> {
        list::recursive(Arc::clone(&self.tree), prefix, Some(offset))
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        list::flat(Arc::clone(&self.tree), prefix).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        let replace = match options.mode {
            CopyMode::Overwrite => true,
            CopyMode::Create => false,
        };
        let (tree, from, to) = (Arc::clone(&self.tree), from.to_string(), to.to_string());
        // Objects do not change in place, so a second name is a copy.
        blocking(move || {
            tree.copy(&from, &to, replace).map_err(|error| {
                let path = if error.kind() == io::ErrorKind::AlreadyExists { &to } else { &from };
                failed(path, error)
            })
        })
        .await
    }

    async fn rename_opts(&self, from: &Path, to: &Path, options: RenameOptions) -> Result<()> {
        let mode = match options.target_mode {
            RenameTargetMode::Overwrite => CopyMode::Overwrite,
            RenameTargetMode::Create => CopyMode::Create,
        };
        self.copy_opts(from, to, CopyOptions::new().with_mode(mode)).await?;
        if from != to {
            self.delete(from).await?;
        }
        Ok(())
    }
}
