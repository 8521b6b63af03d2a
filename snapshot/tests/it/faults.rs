//! A storage engine, a repository and a network that fail now and then, and in every way for good.

use crate::world::{Disks, NODE, Stop, World, backup_of, change_shop, options, shop};
use async_trait::async_trait;
use bytes::Bytes;
use catalog::records::RepositoryRecord;
use env::ids::{JobId, RepositoryId, TabletId, Version};
use object_store::ObjectStore;
use repository::{Location, Properties, Repository};
use snapshot::{
    Connections, Error, ErrorKind, Objects, Repositories, Result, SnapshotSource, SourceFile, SourceImage, StagedImage,
    StagedSink,
};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

/// Fails calls as often as it is told.
#[derive(Debug, Default)]
struct Trouble {
    versions_gone: AtomicU32,
    opens: AtomicU32,
    pins: AtomicU32,
    stage_files: AtomicU32,
    finishes: AtomicU32,
    repository: AtomicU32,
    no_space: AtomicU32,
    stops: AtomicU32,
}

impl Trouble {
    fn strikes(counter: &AtomicU32) -> bool {
        counter.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)).is_ok()
    }

    fn pass(counter: &AtomicU32) -> Result<()> {
        if Self::strikes(counter) {
            return Err(Error::Outside { kind: ErrorKind::Unavailable, message: "the network is down".into() });
        }
        Ok(())
    }
}

#[derive(Debug)]
struct Faulty {
    inner: Arc<dyn SnapshotSource>,
    trouble: Arc<Trouble>,
}

#[async_trait]
impl SnapshotSource for Faulty {
    async fn pin(&self, owner: JobId, tablets: &[(TabletId, Version)]) -> Result<()> {
        Trouble::pass(&self.trouble.pins)?;
        if Trouble::strikes(&self.trouble.stops) {
            return Err(Error::Outside { kind: ErrorKind::Cancelled, message: "cancelled".into() });
        }
        if Trouble::strikes(&self.trouble.versions_gone) {
            return Err(Error::VersionGone(format!("version {} of tablet {} is gone", tablets[0].1, tablets[0].0)));
        }
        self.inner.pin(owner, tablets).await
    }
    async fn unpin(&self, owner: JobId) -> Result<()> {
        self.inner.unpin(owner).await
    }
    fn pin_owners(&self) -> Vec<JobId> {
        self.inner.pin_owners()
    }
    fn image(&self, owner: JobId, tablet: TabletId) -> Result<SourceImage> {
        self.inner.image(owner, tablet)
    }
    async fn open(&self, owner: JobId, tablet: TabletId, name: &str) -> Result<Bytes> {
        Trouble::pass(&self.trouble.opens)?;
        self.inner.open(owner, tablet, name).await
    }
    async fn free_bytes(&self) -> Result<u64> {
        if Trouble::strikes(&self.trouble.no_space) { Ok(1) } else { self.inner.free_bytes().await }
    }
    async fn stage_begin(&self, owner: JobId, images: Vec<StagedImage>) -> Result<()> {
        self.inner.stage_begin(owner, images).await
    }
    async fn stage_missing(&self, owner: JobId, tablet: TabletId) -> Result<Vec<SourceFile>> {
        self.inner.stage_missing(owner, tablet).await
    }
    async fn stage_file(&self, owner: JobId, tablet: TabletId, name: &str) -> Result<Box<dyn StagedSink>> {
        Trouble::pass(&self.trouble.stage_files)?;
        self.inner.stage_file(owner, tablet, name).await
    }
    async fn stage_finish(&self, owner: JobId, tablets: &[TabletId]) -> Result<()> {
        Trouble::pass(&self.trouble.finishes)?;
        self.inner.stage_finish(owner, tablets).await
    }
    async fn stage_keep(&self, owner: JobId) -> Result<()> {
        self.inner.stage_keep(owner).await
    }
    async fn stage_discard(&self, owner: JobId) -> Result<()> {
        self.inner.stage_discard(owner).await
    }
    fn stage_owners(&self) -> Vec<JobId> {
        self.inner.stage_owners()
    }
}

#[derive(Debug)]
struct FaultyRepositories {
    inner: Connections,
    trouble: Arc<Trouble>,
}

#[async_trait]
impl Repositories for FaultyRepositories {
    fn connect(&self, location: &Location, properties: &Properties) -> Result<Arc<dyn ObjectStore>> {
        self.inner.connect(location, properties)
    }

    fn seal(&self, given: &BTreeMap<String, String>) -> Result<BTreeMap<String, String>> {
        self.inner.seal(given)
    }

    fn store(&self, record: &RepositoryRecord) -> Result<Arc<dyn ObjectStore>> {
        self.inner.store(record)
    }

    async fn open(&self, record: &RepositoryRecord) -> Result<Repository> {
        Trouble::pass(&self.trouble.repository)?;
        self.inner.open(record).await
    }
    async fn forget(&self, id: RepositoryId) {
        self.inner.forget(id).await;
    }
}

async fn open(disks: &Disks, trouble: &Arc<Trouble>) -> World {
    open_with(disks, trouble, options()).await
}

async fn open_with(disks: &Disks, trouble: &Arc<Trouble>, options: snapshot::Options) -> World {
    let repository = disks.repository.clone();
    let repositories = FaultyRepositories {
        inner: Connections::new(move |_| Arc::new(repository.clone())),
        trouble: Arc::clone(trouble),
    };
    let source = |inner| -> Arc<dyn SnapshotSource> { Arc::new(Faulty { inner, trouble: Arc::clone(trouble) }) };
    World::open_custom(disks, options, &Stop::default(), source, Arc::new(repositories)).await
}

#[tokio::test(flavor = "multi_thread")]
async fn passing_errors_are_tried_again_and_told() {
    let trouble = Arc::new(Trouble::default());
    let world = open(&Disks::new(), &trouble).await;
    let shop = shop(&world).await;
    let cut = world.contents(shop).await;
    trouble.pins.store(2, Ordering::SeqCst);
    trouble.opens.store(3, Ordering::SeqCst);
    let job = world.backup(shop, "first").await;
    assert_eq!(job.state_name(), "FINISHED", "{}", job.status);
    assert!(!job.errors.is_empty() && job.errors.len() <= 3, "{:?}", job.errors);
    assert!(job.errors.iter().all(|error| error.message.contains("the network is down")), "{:?}", job.errors);
    change_shop(&world, shop, 1).await;
    trouble.stage_files.store(3, Ordering::SeqCst);
    trouble.finishes.store(2, Ordering::SeqCst);
    let job = world.restore("first", None, Objects::All).await;
    assert_eq!(job.state_name(), "FINISHED", "{}", job.status);
    assert_eq!(world.contents(shop).await, cut);
    world.nothing_is_left().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_that_was_cut_off_is_no_failure_of_its_task() {
    let trouble = Arc::new(Trouble::default());
    let world = open(&Disks::new(), &trouble).await;
    let shop = shop(&world).await;
    trouble.stops.store(2, Ordering::SeqCst);
    let job = world.backup(shop, "first").await;
    assert_eq!(job.state_name(), "FINISHED", "{}", job.status);
    assert_eq!(trouble.stops.load(Ordering::SeqCst), 0);
    assert!(job.errors.is_empty(), "{:?}", job.errors);
    world.nothing_is_left().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repository_that_fails_now_and_then_does_not_end_a_job() {
    let trouble = Arc::new(Trouble::default());
    let world = open(&Disks::new(), &trouble).await;
    let shop = shop(&world).await;
    let id = world.jobs.submit_backup(backup_of(shop, "first")).await.unwrap();
    trouble.repository.store(6, Ordering::SeqCst);
    assert_eq!(world.end(id).await.state_name(), "FINISHED");
    world.nothing_is_left().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn errors_that_do_not_pass_end_the_job_with_the_reason() {
    let trouble = Arc::new(Trouble::default());
    let options = snapshot::Options { retries: 3, ..options() };
    let world = open_with(&Disks::new(), &trouble, options).await;
    let shop = shop(&world).await;
    world.backup(shop, "first").await;
    let before = world.contents(shop).await;
    change_shop(&world, shop, 1).await;
    trouble.opens.store(u32::MAX, Ordering::SeqCst);
    let job = world.backup(shop, "second").await;
    trouble.opens.store(0, Ordering::SeqCst);
    assert_eq!(job.state_name(), "CANCELLED");
    assert!(
        job.status.message.starts_with("task upload/1/") && job.status.message.contains("the network is down"),
        "{}",
        job.status
    );
    world.nothing_is_left().await;

    trouble.finishes.store(u32::MAX, Ordering::SeqCst);
    let changed = world.contents(shop).await;
    let job = world.restore("first", None, Objects::All).await;
    trouble.finishes.store(0, Ordering::SeqCst);
    assert_eq!(job.state_name(), "CANCELLED");
    assert_eq!(world.contents(shop).await, changed);
    world.nothing_is_left().await;

    let job = world.restore("first", None, Objects::All).await;
    assert_eq!(job.state_name(), "FINISHED", "{}", job.status);
    assert_eq!(world.contents(shop).await, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_version_that_is_gone_makes_a_new_cut_and_the_fourth_time_the_end() {
    let trouble = Arc::new(Trouble::default());
    let world = open(&Disks::new(), &trouble).await;
    let shop = shop(&world).await;
    trouble.versions_gone.store(1, Ordering::SeqCst);
    let job = world.backup(shop, "first").await;
    assert_eq!(job.state_name(), "FINISHED", "{}", job.status);
    world.nothing_is_left().await;
    trouble.versions_gone.store(u32::MAX, Ordering::SeqCst);
    let job = world.backup(shop, "second").await;
    assert_eq!(job.state_name(), "CANCELLED");
    assert!(
        job.status.message.contains("versions were reclaimed before they could be pinned, 4 times"),
        "{}",
        job.status
    );
    world.nothing_is_left().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restore_that_does_not_fit_ends_before_anything_is_fetched() {
    let trouble = Arc::new(Trouble::default());
    let world = open(&Disks::new(), &trouble).await;
    let shop = shop(&world).await;
    world.backup(shop, "first").await;
    let before = world.contents(shop).await;
    trouble.no_space.store(u32::MAX, Ordering::SeqCst);
    let job = world.restore("first", None, Objects::All).await;
    assert_eq!(job.state_name(), "CANCELLED");
    assert!(job.status.message.contains("bytes to node 1, which has 1 bytes free; free some space"), "{}", job.status);
    assert_eq!(job.times.snapshot_finished_ms, None);
    assert_eq!(world.contents(shop).await, before);
    world.nothing_is_left().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repository_that_never_comes_back_does_not_hold_a_cancelled_job() {
    let trouble = Arc::new(Trouble::default());
    let options = snapshot::Options { repository_patience: env::rt::Duration::ZERO, retries: 2, ..options() };
    let world = open_with(&Disks::new(), &trouble, options).await;
    let shop = shop(&world).await;
    let id = world.jobs.submit_backup(backup_of(shop, "first")).await.unwrap();
    trouble.repository.store(u32::MAX, Ordering::SeqCst);
    let job = world.end(id).await;
    assert!(job.is_cleaned());
    trouble.repository.store(0, Ordering::SeqCst);
    let again = world.backup(shop, "second").await;
    assert_eq!(again.state_name(), "FINISHED", "the database is free");
}

#[tokio::test(flavor = "multi_thread")]
async fn pins_and_stages_of_unknown_jobs_are_let_go_of_at_the_start() {
    let world = World::open(&Disks::new()).await;
    let shop = shop(&world).await;
    let table = world.catalog.table(shop, "orders", catalog::At::Latest).await.unwrap().unwrap();
    let partition = world.catalog.partitions(&table, catalog::At::Latest).await.unwrap().remove(0);
    let tablets = world.catalog.tablets(partition.id, catalog::At::Latest).await.unwrap();
    world.store.pin(JobId(77), &[(tablets[0].id, partition.visible_version)]).await.unwrap();
    let image = world.store.pinned(JobId(77), tablets[0].id).unwrap().meta;
    let staged = tablet::StagedTablet { tablet: TabletId(999_999), image };
    world.store.stage_begin(JobId(78), vec![staged]).await.unwrap();
    let world = World::open(&world.crash(4)).await;
    for _ in 0..500 {
        if world.store.pin_owners().is_empty() && world.store.stage_owners().is_empty() {
            world.nothing_is_left().await;
            return;
        }
        tokio::time::sleep(env::rt::Duration::from_millis(10)).await;
    }
    panic!("pins {:?}, stages {:?}", world.store.pin_owners(), world.store.stage_owners());
}

/// Two nodes' worth of tasks, of which one node never answers.
#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_is_away_does_not_hold_the_clean_up_for_ever() {
    let options = snapshot::Options { node_patience: env::rt::Duration::from_millis(300), ..options() };
    let world = World::open_with(&Disks::new(), options, &Stop::default()).await;
    let shop = shop(&world).await;
    let away = catalog::records::NodeRecord {
        id: env::ids::NodeId(2),
        address: "away:1".into(),
        incarnation: 1,
        heartbeat_ms: 0,
    };
    world.catalog.change().create(&away).commit().await.unwrap();
    let table = world.catalog.table(shop, "orders", catalog::At::Latest).await.unwrap().unwrap();
    let entry = table.partitions[0].id;
    let tablet = world.catalog.tablets(entry, catalog::At::Latest).await.unwrap().remove(1);
    let moved = catalog::records::TabletRecord { replicas: vec![away.id, NODE], ..tablet.record.clone() };
    world.catalog.change().replace(&tablet, &moved).commit().await.unwrap();
    let id = world.jobs.submit_backup(backup_of(shop, "first")).await.unwrap();
    for _ in 0..200 {
        if world.jobs.get(id).await.unwrap().state_name() == "SNAPSHOTING" {
            break;
        }
        tokio::time::sleep(env::rt::Duration::from_millis(10)).await;
    }
    let row = world.jobs.last(shop, snapshot::JobKind::Backup).await.unwrap().unwrap().columns();
    assert!(row[9].1.as_ref().is_some_and(|tasks| tasks.contains("=2")), "{row:?}");
    world.jobs.cancel(shop, snapshot::JobKind::Backup).await.unwrap();
    assert!(world.end(id).await.is_cleaned());
    world.nothing_is_left().await;
}
