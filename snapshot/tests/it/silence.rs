//! A store that takes requests and never answers: whoever cancels a job is heard all the same.

use crate::world::{Disks, Stop, World, backup_of, change_shop, options, shop};
use async_trait::async_trait;
use bytes::Bytes;
use catalog::records::RepositoryRecord;
use env::ids::RepositoryId;
use env::rt::Duration;
use env::rt::time::{Instant, timeout};
use futures::stream::BoxStream;
use futures::{FutureExt, StreamExt};
use object_store::path::Path;
use object_store::{
    CopyOptions, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore, PutMultipartOptions,
    PutOptions, PutPayload, PutResult, RenameOptions, Result,
};
use parking_lot::Mutex;
use repository::{Location, Properties, Repository};
use snapshot::{Connections, JobKind, Objects, Options, Repositories};
use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;
use std::sync::Arc;
use tokio::sync::Notify;

/// Within what a cancel is to be heard, in any phase.
const HEARD: Duration = Duration::from_secs(1);
const PATIENCE: Duration = Duration::from_mins(1);

/// Which requests are never answered, and whether one came.
#[derive(Debug, Default)]
struct Silence {
    /// The request's kind, and what its name begins with.
    about: Mutex<Option<(&'static str, &'static str)>>,
    met: Notify,
    over: Notify,
}

impl Silence {
    fn begin(&self, kind: &'static str, prefix: &'static str) {
        *self.about.lock() = Some((kind, prefix));
    }

    fn end(&self) {
        *self.about.lock() = None;
        self.over.notify_waiters();
    }

    /// Returns when the request may pass.
    async fn keep(&self, kind: &str, name: &str) {
        let over = self.over.notified();
        let meant = self.about.lock().is_some_and(|(of, prefix)| of == kind && name.starts_with(prefix));
        if meant {
            self.met.notify_one();
            over.await;
        }
    }
}

#[derive(Debug)]
struct Silent {
    inner: Arc<dyn ObjectStore>,
    silence: Arc<Silence>,
}

impl fmt::Display for Silent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a store that may not answer")
    }
}

#[async_trait]
impl ObjectStore for Silent {
    async fn put_opts(&self, name: &Path, payload: PutPayload, options: PutOptions) -> Result<PutResult> {
        self.silence.keep("put", name.as_ref()).await;
        self.inner.put_opts(name, payload, options).await
    }

    async fn put_multipart_opts(&self, name: &Path, options: PutMultipartOptions) -> Result<Box<dyn MultipartUpload>> {
        self.silence.keep("put", name.as_ref()).await;
        self.inner.put_multipart_opts(name, options).await
    }

    async fn get_opts(&self, name: &Path, options: GetOptions) -> Result<GetResult> {
        self.silence.keep("get", name.as_ref()).await;
        self.inner.get_opts(name, options).await
    }

    async fn get_ranges(&self, name: &Path, ranges: &[Range<u64>]) -> Result<Vec<Bytes>> {
        self.silence.keep("get", name.as_ref()).await;
        self.inner.get_ranges(name, ranges).await
    }

    fn delete_stream(&self, names: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        self.inner.delete_stream(names)
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        let (silence, name) = (Arc::clone(&self.silence), prefix.map(Path::to_string).unwrap_or_default());
        let listing = self.inner.list(prefix);
        async move {
            silence.keep("list", &name).await;
            listing
        }
        .flatten_stream()
        .boxed()
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.inner.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.inner.copy_opts(from, to, options).await
    }

    async fn rename_opts(&self, from: &Path, to: &Path, options: RenameOptions) -> Result<()> {
        self.inner.rename_opts(from, to, options).await
    }
}

#[derive(Debug)]
struct SilentRepositories {
    inner: Connections,
    silence: Arc<Silence>,
}

#[async_trait]
impl Repositories for SilentRepositories {
    fn connect(&self, location: &Location, properties: &Properties) -> snapshot::Result<Arc<dyn ObjectStore>> {
        self.inner.connect(location, properties)
    }

    fn seal(&self, given: &BTreeMap<String, String>) -> snapshot::Result<BTreeMap<String, String>> {
        self.inner.seal(given)
    }

    fn store(&self, record: &RepositoryRecord) -> snapshot::Result<Arc<dyn ObjectStore>> {
        Ok(Arc::new(Silent { inner: self.inner.store(record)?, silence: Arc::clone(&self.silence) }))
    }

    async fn open(&self, record: &RepositoryRecord) -> snapshot::Result<Repository> {
        Ok(Repository::open(self.store(record)?).await?)
    }

    async fn forget(&self, id: RepositoryId) {
        self.inner.forget(id).await;
    }
}

/// A node whose store falls silent about `kind` of `prefix` when a job comes to `point`.
async fn open(disks: &Disks, point: &str, kind: &'static str, prefix: &'static str) -> (World, Arc<Silence>) {
    let silence = Arc::new(Silence::default());
    let repository = disks.repository.clone();
    let inner = Connections::new(move |_| Arc::new(repository.clone()));
    let repositories = SilentRepositories { inner, silence: Arc::clone(&silence) };
    let begin = Arc::clone(&silence);
    let stop = Stop::act_at(point, move || begin.begin(kind, prefix));
    let options = Options { repository_patience: Duration::from_secs(2), ..options() };
    let world = World::open_custom(disks, options, &stop, |source| source, Arc::new(repositories)).await;
    (world, silence)
}

impl Silence {
    async fn met(&self, what: &str) {
        timeout(PATIENCE, self.met.notified()).await.unwrap_or_else(|_| panic!("{what} is never asked for"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancel_of_a_backup_is_heard_while_the_store_is_silent() {
    let template = World::open(&Disks::new()).await;
    let shop = shop(&template).await;
    let template = template.close().await;
    let phases = [
        ("backup.snapshoting.done", "put", "commits/"),
        ("backup.upload_snapshot.done", "put", "data/"),
        ("backup.uploading.done", "put", "pages/"),
    ];
    for (point, kind, prefix) in phases {
        let what = format!("{kind} of {prefix}");
        let (world, silence) = open(&template.copy(), point, kind, prefix).await;
        let id = world.jobs.submit_backup(backup_of(shop, "label")).await.unwrap();
        silence.met(&what).await;
        let began = Instant::now();
        world.jobs.cancel(shop, JobKind::Backup).await.unwrap();
        assert!(began.elapsed() <= HEARD, "{what}: {:?}", began.elapsed());
        assert_eq!(world.jobs.wait(id, PATIENCE).await.unwrap().state_name(), "CANCELLED", "{what}");
        // The database and the label are free; what was under way is cleaned up as soon as the store answers again.
        silence.end();
        world.end(id).await;
        world.nothing_is_left().await;
        let world = World::open(&world.close().await).await;
        assert_eq!(world.backup(shop, "label").await.state_name(), "FINISHED", "{what}");
        world.nothing_is_left().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancel_of_a_restore_is_heard_while_the_store_is_silent() {
    let template = World::open(&Disks::new()).await;
    let shop = shop(&template).await;
    template.backup(shop, "label").await;
    change_shop(&template, shop, 1).await;
    let before = template.contents(shop).await;
    let template = template.close().await;
    let phases = [
        ("restore.pending", "list", "commits"),
        ("restore.pending.planned", "put", "commits/"),
        ("restore.download.done", "get", "data/"),
    ];
    for (point, kind, prefix) in phases {
        let what = format!("{kind} of {prefix}");
        let (world, silence) = open(&template.copy(), point, kind, prefix).await;
        let request = world.restore_of("label", Some("shop"), Objects::All).await;
        let id = world.jobs.submit_restore(request).await.unwrap();
        silence.met(&what).await;
        let began = Instant::now();
        world.jobs.cancel(shop, JobKind::Restore).await.unwrap();
        assert!(began.elapsed() <= HEARD, "{what}: {:?}", began.elapsed());
        assert_eq!(world.jobs.wait(id, PATIENCE).await.unwrap().state_name(), "CANCELLED", "{what}");
        assert_eq!(world.contents(shop).await, before, "{what}");
        silence.end();
        world.end(id).await;
        world.nothing_is_left().await;
    }
}

/// Once the commit is on its way only the repository knows which came first; it is asked for as long as it may take.
#[tokio::test(flavor = "multi_thread")]
async fn a_commit_that_is_never_answered_does_not_hold_a_cancelled_backup_for_ever() {
    let template = World::open(&Disks::new()).await;
    let shop = shop(&template).await;
    let (world, silence) = open(&template.close().await, "backup.save_meta.done", "put", "commits/").await;
    let id = world.jobs.submit_backup(backup_of(shop, "label")).await.unwrap();
    silence.met("the commit").await;
    world.jobs.cancel(shop, JobKind::Backup).await.unwrap();
    let job = world.jobs.wait_cleaned(id, PATIENCE).await.unwrap();
    assert_eq!(job.state_name(), "CANCELLED");
    let told = job.status.to_string();
    assert!(told.contains("SHOW SNAPSHOT will tell: the repository does not answer"), "{told}");
    silence.end();
}
