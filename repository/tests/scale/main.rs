//! Many snapshots in one repository: what a listing and a look-up ask of the store.
#![cfg(not(madsim))]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    missing_docs,
    unreachable_pub,
    reason = "tests"
)]

use async_trait::async_trait;
use futures::StreamExt;
use futures::stream::BoxStream;
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{
    CopyOptions, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore, PutMultipartOptions,
    PutOptions, PutPayload, PutResult, Result as StoreResult,
};
use repository::{Purpose, Repository, Session, SnapshotRoot, SnapshotSummary, no_progress};
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

const SNAPSHOTS: u32 = 10_000;
/// A leaf of the index that was split has at least so many snapshots.
const LEAF_MIN: u64 = 128;
/// Names that a store gives in one answer of a listing.
const ANSWER_NAMES: usize = 1_000;
/// After so many commits the pages of the index that they replaced are swept: the store is in memory.
const SWEEP_EVERY: u32 = 500;
const STAMP: &str = "2026-01-02-03-04-05-678";

/// A store in memory that counts what is asked of it, as a store on the network would charge for it.
#[derive(Debug, Default)]
struct Counting {
    inner: InMemory,
    requests: Arc<AtomicU64>,
}

impl Counting {
    fn count(&self) {
        self.requests.fetch_add(1, Ordering::Relaxed);
    }
}

impl fmt::Display for Counting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("counting memory")
    }
}

#[async_trait]
impl ObjectStore for Counting {
    async fn put_opts(&self, location: &Path, payload: PutPayload, options: PutOptions) -> StoreResult<PutResult> {
        self.count();
        self.inner.put_opts(location, payload, options).await
    }

    async fn put_multipart_opts(
        &self,
        location: &Path,
        options: PutMultipartOptions,
    ) -> StoreResult<Box<dyn MultipartUpload>> {
        self.count();
        self.inner.put_multipart_opts(location, options).await
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> StoreResult<GetResult> {
        self.count();
        self.inner.get_opts(location, options).await
    }

    fn delete_stream(&self, locations: BoxStream<'static, StoreResult<Path>>) -> BoxStream<'static, StoreResult<Path>> {
        self.inner.delete_stream(locations)
    }

    /// One request for each answer that is looked at.
    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, StoreResult<ObjectMeta>> {
        let requests = Arc::clone(&self.requests);
        let counted = move |(number, listed): (usize, _)| {
            if number.is_multiple_of(ANSWER_NAMES) {
                requests.fetch_add(1, Ordering::Relaxed);
            }
            listed
        };
        self.inner.list(prefix).enumerate().map(counted).boxed()
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> StoreResult<ListResult> {
        self.count();
        self.inner.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> StoreResult<()> {
        self.count();
        self.inner.copy_opts(from, to, options).await
    }
}

async fn session(repository: &Repository) -> Session {
    let id = repository.new_session_id().await.unwrap();
    repository.open_session(&id, Purpose::Backup, "job", 1).await.unwrap()
}

/// A snapshot without tables. The index alone is of interest, so all others have the same root.
async fn empty(session: &Session) -> SnapshotSummary {
    let root = SnapshotRoot {
        label: "s".into(),
        timestamp: STAMP.into(),
        cluster: "cluster".into(),
        database_id: 1,
        database: "shop".into(),
        cut_revision: 1,
        created_ms: 1,
        tables: Vec::new(),
    };
    SnapshotSummary {
        label: "s".into(),
        timestamp: STAMP.into(),
        database: "shop".into(),
        cluster: "cluster".into(),
        created_ms: 1,
        finished_ms: 2,
        tables: 0,
        tablets: 0,
        files: 0,
        bytes: 0,
        bytes_sent: 0,
        root: session.put_root(&root).await.unwrap(),
        session: session.id().clone(),
        expires_ms: None,
        hold: None,
    }
}

/// In an order that is neither sorted nor even: the worst for the index, whose leaves are then split in the middle.
fn label(number: u32) -> String {
    format!("s{:08x}", number.wrapping_mul(2_654_435_761))
}

#[tokio::test]
async fn ten_thousand_snapshots_are_listed_with_few_requests() {
    let store = Arc::new(Counting::default());
    let asked = || store.requests.load(Ordering::Relaxed);
    let repository = Repository::create(Arc::clone(&store) as _, "r", 1).await.unwrap();
    let first = session(&repository).await;
    let mut summary = empty(&first).await;
    first.commit(summary.clone()).await.unwrap();
    let before = asked();
    for number in 1..SNAPSHOTS {
        let session = session(&repository).await;
        summary.label = label(number);
        summary.session = session.id().clone();
        session.commit(summary.clone()).await.unwrap();
        if number % SWEEP_EVERY == 0 {
            let plan = repository.sweep_plan(&no_progress()).await.unwrap();
            repository.sweep(&plan, &no_progress()).await.unwrap();
        }
    }
    println!("{} requests for each commit, with sweeps", (asked() - before) / u64::from(SNAPSHOTS));

    let leaves_max = u64::from(SNAPSHOTS).div_ceil(LEAF_MIN);
    let before = asked();
    let rows = repository.snapshots().await.unwrap();
    let listing = asked() - before;
    assert_eq!(rows.len(), SNAPSHOTS as usize);
    assert!(rows.is_sorted_by(|a, b| a.label < b.label));
    // Whether there is a newer record, the root of the index, its leaves.
    assert!(listing <= 2 + leaves_max, "{listing} requests");

    let before = asked();
    assert_eq!(repository.snapshot(&label(7_000), None).await.unwrap().map(|row| row.label), Some(label(7_000)));
    let found = asked() - before;
    assert!(found <= 3, "{found} requests");
    let before = asked();
    assert_eq!(repository.snapshot("t", None).await.unwrap(), None);
    let missed = asked() - before;
    assert!(missed <= 3, "{missed} requests");

    // Who opens the repository reads the identity and the first record, and looks for the newest one.
    let before = asked();
    let opened = Repository::open(Arc::clone(&store) as _).await.unwrap();
    assert_eq!(opened.snapshots().await.unwrap(), rows);
    let fresh = asked() - before;
    assert!(fresh <= listing + 4, "{fresh} requests");
    println!("{listing} requests for a listing, {fresh} of a repository that is opened for it, {found} for a look-up");
}
