use super::*;
use async_trait::async_trait;
use futures::stream::BoxStream;
use object_store::memory::InMemory;
use object_store::{
    CopyOptions, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore, ObjectStoreExt,
    PutMultipartOptions, PutOptions, PutPayload, PutResult, Result as StoreResult,
};
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::SystemTime;

/// Lists pages of a few keys, as a bucket does: one key that no path can be makes a page unreadable. Fails now and then.
#[derive(Debug)]
struct Bucket {
    inner: InMemory,
    keys: Vec<String>,
    /// Where in the bucket the repository is.
    root: &'static str,
    page: usize,
    lists: AtomicU64,
    fails: bool,
    backwards: bool,
}

impl fmt::Display for Bucket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("bucket")
    }
}

impl Bucket {
    fn new(root: &'static str, keys: &[&str]) -> Self {
        let mut keys: Vec<String> = keys.iter().map(|key| format!("{root}{key}")).collect();
        keys.sort();
        Self { inner: InMemory::new(), keys, root, page: 1, lists: AtomicU64::new(0), fails: false, backwards: false }
    }

    fn pages(&self, prefix: Option<&Path>, offset: Option<&Path>) -> BoxStream<'static, StoreResult<ObjectMeta>> {
        let fails = self.fails && self.lists.fetch_add(1, Ordering::Relaxed).is_multiple_of(2);
        let below = prefix.map(|prefix| format!("{}{prefix}/", self.root)).unwrap_or_default();
        let offset = offset.map(|offset| format!("{}{offset}", self.root)).unwrap_or_default();
        let mut keys: Vec<_> = self.keys.iter().filter(|key| key.starts_with(&below) && **key > offset).collect();
        if self.backwards {
            keys.reverse();
        }
        let mut answers = Vec::new();
        for page in keys.chunks(self.page) {
            let page: StoreResult<Vec<ObjectMeta>> = page
                .iter()
                .map(|key| {
                    let location = Path::parse(key)?;
                    let location = Path::parse(location.as_ref().strip_prefix(self.root).unwrap())?;
                    Ok(ObjectMeta {
                        location,
                        last_modified: SystemTime::UNIX_EPOCH.into(),
                        size: 7,
                        e_tag: None,
                        version: None,
                    })
                })
                .collect();
            match page {
                Ok(page) => answers.extend(page.into_iter().map(Ok)),
                Err(bad) => {
                    answers.push(Err(bad));
                    break;
                }
            }
            if fails {
                answers.push(Err(object_store::Error::Generic { store: "bucket", source: "bad weather".into() }));
                break;
            }
        }
        futures::stream::iter(answers).boxed()
    }
}

#[async_trait]
impl ObjectStore for Bucket {
    async fn put_opts(&self, location: &Path, payload: PutPayload, options: PutOptions) -> StoreResult<PutResult> {
        self.inner.put_opts(location, payload, options).await
    }

    async fn put_multipart_opts(
        &self,
        location: &Path,
        options: PutMultipartOptions,
    ) -> StoreResult<Box<dyn MultipartUpload>> {
        self.inner.put_multipart_opts(location, options).await
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> StoreResult<GetResult> {
        self.inner.get_opts(location, options).await
    }

    fn delete_stream(&self, locations: BoxStream<'static, StoreResult<Path>>) -> BoxStream<'static, StoreResult<Path>> {
        self.inner.delete_stream(locations)
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, StoreResult<ObjectMeta>> {
        self.pages(prefix, None)
    }

    fn list_with_offset(&self, prefix: Option<&Path>, offset: &Path) -> BoxStream<'static, StoreResult<ObjectMeta>> {
        self.pages(prefix, Some(offset))
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> StoreResult<ListResult> {
        self.inner.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> StoreResult<()> {
        self.inner.copy_opts(from, to, options).await
    }
}

async fn shown(bucket: Bucket, prefix: &str) -> Result<Vec<String>> {
    let listed = Objects::new(Arc::new(bucket)).list(prefix).await?;
    Ok(listed.into_iter().map(|found| found.name).collect())
}

const OURS: [&str; 5] = ["data/1-a/1.x", "data/1-a/pack-1", "data/2-b/1.x", "data/33-c/1.x", "data/4-d/z"];

#[tokio::test]
async fn a_listing_goes_on_behind_names_that_no_path_can_have() {
    let strangers = [
        "data//a",
        "data//b",
        "data//data/9/x",
        "data/./c",
        "data/../d/e",
        "data/1-a//x",
        "data/1-a/pack-\u{7f}",
        "data/2-b/\u{1}1",
        "data/2-b/1.x\n",
        "data/33-c/.",
        "data/4-d/zz\u{1f}//",
        "data/~\n",
    ];
    // Also where the repository's own place in the bucket looks like a part of it.
    for root in ["", "backup/", "data/", "x/data/data/"] {
        let keys = [&OURS[..], &strangers].concat();
        assert_eq!(shown(Bucket::new(root, &keys), "data").await.unwrap(), OURS, "{root:?}");
        for stranger in strangers {
            let keys = [&OURS[..], &[stranger]].concat();
            assert_eq!(shown(Bucket::new(root, &keys), "data").await.unwrap(), OURS, "{root:?} {stranger:?}");
        }
        assert_eq!(shown(Bucket::new(root, &keys), "data/2-b").await.unwrap(), ["data/2-b/1.x"], "{root:?}");
    }
    // What shares a page with such a name cannot be seen; what is behind can.
    for page in 2..5 {
        let keys = [&OURS[..], &["data/2-b//"]].concat();
        let bucket = Bucket { page, ..Bucket::new("", &keys) };
        assert_eq!(shown(bucket, "data").await.unwrap().last().map(String::as_str), OURS.last().copied(), "{page}");
    }
    let bucket = Bucket::new("", &["commits/1", "data//", "data/1-a/x"]);
    assert_eq!(shown(bucket, "").await.unwrap(), ["commits/1", "data/1-a/x"]);
}

#[tokio::test]
async fn a_listing_that_fails_goes_on_behind_what_it_showed() {
    let many: Vec<String> = (10..60).map(|number| format!("data/1-a/{number}")).collect();
    let keys: Vec<&str> = many.iter().map(String::as_str).collect();
    let bucket = Bucket { fails: true, page: 2, ..Bucket::new("", &keys) };
    assert_eq!(shown(bucket, "data").await.unwrap(), keys);
    // Nobody knows what is behind in a listing without order.
    let bucket = Bucket { fails: true, backwards: true, page: 2, ..Bucket::new("", &keys) };
    assert!(shown(bucket, "data").await.is_err());
    let bucket = Bucket { backwards: true, ..Bucket::new("", &keys) };
    assert_eq!(shown(bucket, "data").await.unwrap().len(), 50);
}

#[tokio::test]
async fn what_is_listed_is_what_is_there() {
    let store = Arc::new(InMemory::new());
    store.put(&Path::from("data/1-a/x"), "12".into()).await.unwrap();
    let listed = Objects::new(store).list("data").await.unwrap();
    assert_eq!(listed, [Listed { name: "data/1-a/x".into(), len_bytes: 2 }]);
}
