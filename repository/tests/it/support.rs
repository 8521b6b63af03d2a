//! A small world to back up, and a store that fails on purpose.

use async_trait::async_trait;
use bytes::Bytes;
use env::rt::CancellationToken;
use futures::stream::BoxStream;
use futures::{StreamExt, TryStreamExt};
use object_store::path::Path;
use object_store::{
    CopyOptions, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore, PutMultipartOptions,
    PutOptions, PutPayload, PutResult, Result as StoreResult, UploadPart,
};
use parking_lot::Mutex;
use repository::{
    ChunkSink, Error, FileIn, Limiter, PartitionManifest, Purpose, Repository, Session, SnapshotRoot, SnapshotSummary,
    Source, StreamOptions, TableManifest, TableRef, TableSought, TabletEntryIn, no_progress,
};
use serde_json::json;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};

/// Tablet number to its files.
pub type World = BTreeMap<u64, BTreeMap<String, Bytes>>;

pub const TABLE: u64 = 7;
pub const PARTITION: u64 = 70;
pub const STAMP: &str = "2026-01-02-03-04-05-678";

pub fn noise(seed: u64, len: usize) -> Bytes {
    let mut rng = fastrand::Rng::with_seed(seed);
    let mut bytes = vec![0; len];
    rng.fill(&mut bytes);
    bytes.into()
}

/// Some tablets with large files, small ones and an empty one.
pub fn world(tablets: u64, large: usize) -> World {
    (0..tablets)
        .map(|tablet| {
            let file = |kind: u64, len: usize| noise(tablet * 10 + kind, len);
            let files = [
                ("1-0.parquet".to_owned(), file(0, large)),
                ("2-0.parquet".to_owned(), file(1, 1000 + tablet as usize)),
                ("1-0.5.dv".to_owned(), file(2, 40)),
                ("3-0.parquet".to_owned(), Bytes::new()),
            ];
            (1000 + tablet, files.into_iter().collect())
        })
        .collect()
}

pub fn files_in(files: &BTreeMap<String, Bytes>, opened: &Arc<AtomicU64>) -> Vec<FileIn> {
    files
        .iter()
        .map(|(name, bytes)| {
            let (bytes, opened) = (bytes.clone(), Arc::clone(opened));
            FileIn {
                name: name.clone(),
                id: name.clone(),
                len_bytes: bytes.len() as u64,
                crc32: crc32fast::hash(&bytes),
                open: Box::new(move || {
                    opened.fetch_add(1, Ordering::Relaxed);
                    Box::pin(std::future::ready(Ok::<_, Source>(bytes)))
                }),
            }
        })
        .collect()
}

/// The table of all worlds.
pub const SOUGHT: TableSought<'static> =
    TableSought { cluster: "cluster", id: TABLE, database: "shop", name: "events" };

/// Small units, so that small worlds use every path.
pub fn options() -> StreamOptions {
    StreamOptions { in_flight: 4, part_bytes: 1 << 20, small_bytes: 64 << 10, pack_bytes: 4000, page_bytes: 2000 }
}

pub struct Written {
    pub summary: SnapshotSummary,
    /// How many files were opened.
    pub opened: u64,
}

/// Uploads a world as the one table of a snapshot; the summary is ready to be committed.
pub async fn upload(session: &Session, label: &str, world: &World, stop: &CancellationToken) -> Result<Written, Error> {
    upload_tables(session, label, &[(TABLE, "events", world)], stop).await
}

/// Whose a snapshot is, and how it is sent.
#[derive(Debug, Clone, Copy)]
pub struct Database<'a> {
    pub cluster: &'a str,
    pub name: &'a str,
    pub created_ms: u64,
    pub options: StreamOptions,
}

/// Uploads tables, by number and name, of one partition each; the partition's number is ten times the table's.
pub async fn upload_tables(
    session: &Session,
    label: &str,
    tables: &[(u64, &str, &World)],
    stop: &CancellationToken,
) -> Result<Written, Error> {
    let shop = Database { cluster: "cluster", name: "shop", created_ms: 5, options: options() };
    upload_of(&shop, session, label, tables, stop).await
}

pub async fn upload_of(
    database: &Database<'_>,
    session: &Session,
    label: &str,
    tables: &[(u64, &str, &World)],
    stop: &CancellationToken,
) -> Result<Written, Error> {
    let opened = Arc::new(AtomicU64::new(0));
    let mut writer = session.writer(database.options, Limiter::unlimited(), no_progress(), stop.clone());
    let (mut refs, mut bytes_sent) = (Vec::new(), 0);
    for &(table, name, world) in tables {
        let partition = table * 10;
        let sought = TableSought { cluster: database.cluster, id: table, database: database.name, name };
        // An unchanged table's page is shared.
        session.base(&sought).await?;
        let bases = session.bases(&sought).await?.partition(partition, "p0");
        writer.begin_partition(table, partition, Some(bases))?;
        for (tablet, files) in world {
            let files = files_in(files, &opened);
            let bucket = (tablet % 1000) as u32;
            writer
                .add(TabletEntryIn {
                    tablet: *tablet,
                    bucket,
                    version: 2,
                    lineage: None,
                    meta: json!({"of": tablet}),
                    files,
                })
                .await?;
        }
        let pages = writer.end_partition().await?;
        bytes_sent += pages.bytes_sent;
        let manifest = TableManifest {
            id: table,
            name: name.into(),
            schema: json!({"columns": ["k", "v"]}),
            partitions: vec![PartitionManifest {
                id: partition,
                name: "p0".into(),
                version: 2,
                bounds: json!("all"),
                buckets: world.len() as u32,
                tablets: pages.tablets,
                files: pages.files,
                bytes: pages.bytes,
                pages: pages.pages,
            }],
        };
        refs.push(session.put_table(&manifest).await?);
    }
    let sum = |of: fn(&TableRef) -> u64| refs.iter().map(of).sum();
    let (tablets, files, bytes) = (sum(|table| table.tablets), sum(|table| table.files), sum(|table| table.bytes));
    let root = SnapshotRoot {
        label: label.into(),
        timestamp: STAMP.into(),
        cluster: database.cluster.into(),
        database_id: 1,
        database: database.name.into(),
        cut_revision: 99,
        created_ms: database.created_ms,
        tables: refs,
    };
    let summary = SnapshotSummary {
        label: label.into(),
        timestamp: STAMP.into(),
        database: database.name.into(),
        cluster: database.cluster.into(),
        created_ms: database.created_ms,
        finished_ms: database.created_ms + 1,
        tables: root.tables.len() as u64,
        tablets,
        files,
        bytes,
        bytes_sent,
        root: session.put_root(&root).await?,
        session: session.id().clone(),
        expires_ms: None,
        hold: None,
    };
    Ok(Written { summary, opened: opened.load(Ordering::Relaxed) })
}

pub async fn session(repository: &Repository) -> Session {
    let id = repository.new_session_id().await.unwrap();
    repository.open_session(&id, Purpose::Backup, "test", 1).await.unwrap()
}

pub async fn back_up(repository: &Repository, label: &str, world: &World) -> Written {
    let session = session(repository).await;
    let written = upload(&session, label, world, &CancellationToken::new()).await.unwrap();
    session.commit(written.summary.clone()).await.unwrap();
    written
}

/// Collects a file.
#[derive(Default)]
pub struct Collect(Mutex<Vec<u8>>);

#[async_trait]
impl ChunkSink for Collect {
    async fn write(&self, offset: u64, bytes: Bytes) -> Result<(), Source> {
        let mut all = self.0.lock();
        let (start, end) = (offset as usize, offset as usize + bytes.len());
        let len = all.len().max(end);
        all.resize(len, 0);
        all[start..end].copy_from_slice(&bytes);
        Ok(())
    }
}

/// Downloads a whole snapshot.
pub async fn restore(repository: &Repository, label: &str) -> Result<World, Error> {
    let summary = repository.snapshot(label, None).await?.expect("the snapshot is there");
    restore_of(repository, &summary).await
}

pub async fn restore_of(repository: &Repository, summary: &SnapshotSummary) -> Result<World, Error> {
    let reader = repository.reader(summary).await?;
    let mut world = World::new();
    for table in &reader.root().tables {
        let table = reader.table(table).await?;
        for partition in &table.partitions {
            let mut tablets = reader.tablets(partition);
            while let Some(tablet) = tablets.try_next().await? {
                assert_eq!(tablet.meta, json!({"of": tablet.tablet}));
                let files = world.entry(tablet.tablet).or_default();
                for file in &tablet.files {
                    let sink = Collect::default();
                    let stop = CancellationToken::new();
                    reader.fetch(file, &sink, options(), &Limiter::unlimited(), &no_progress(), &stop).await?;
                    files.insert(file.name.clone(), sink.0.into_inner().into());
                }
            }
        }
    }
    Ok(world)
}

pub async fn names(store: &dyn ObjectStore, prefix: &str) -> Vec<String> {
    let listed = store.list(Some(&Path::from(prefix))).map_ok(|meta| meta.location.to_string());
    listed.try_collect().await.unwrap()
}

/// Which faults a [`Faulty`] store has, in percent of the calls.
#[derive(Debug, Clone, Copy, Default)]
pub struct Faults {
    pub before: u64,
    pub after: u64,
    pub stale_list: u64,
    /// Answers "exists" to a create that neither landed nor met anybody: a conflict in flight.
    pub conflict: u64,
}

/// A store that fails before or after the effect, lists what was, and counts what is sent.
#[derive(Debug)]
pub struct Faulty {
    inner: Arc<dyn ObjectStore>,
    own: Weak<Self>,
    faults: Mutex<(Faults, fastrand::Rng)>,
    pub sent_bytes: AtomicU64,
    pub requests: AtomicU64,
}

impl fmt::Display for Faulty {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "faulty {}", self.inner)
    }
}

fn weather() -> object_store::Error {
    object_store::Error::Generic { store: "faulty", source: "bad weather".into() }
}

impl Faulty {
    pub fn new(inner: Arc<dyn ObjectStore>, faults: Faults, seed: u64) -> Arc<Self> {
        let faults = Mutex::new((faults, fastrand::Rng::with_seed(seed)));
        let (sent_bytes, requests) = (AtomicU64::new(0), AtomicU64::new(0));
        Arc::new_cyclic(|own| Self { inner, own: Weak::clone(own), faults, sent_bytes, requests })
    }

    pub fn heal(&self) {
        self.faults.lock().0 = Faults::default();
    }

    fn roll(&self, percent: impl Fn(&Faults) -> u64) -> bool {
        let mut faults = self.faults.lock();
        let percent = percent(&faults.0);
        faults.1.u64(0..100) < percent
    }

    async fn call<T>(&self, call: impl Future<Output = StoreResult<T>>) -> StoreResult<T> {
        self.requests.fetch_add(1, Ordering::Relaxed);
        env::rt::yield_now().await;
        if self.roll(|faults| faults.before) {
            return Err(weather());
        }
        let done = call.await;
        env::rt::yield_now().await;
        if self.roll(|faults| faults.after) { Err(weather()) } else { done }
    }
}

#[async_trait]
impl ObjectStore for Faulty {
    async fn put_opts(&self, location: &Path, payload: PutPayload, options: PutOptions) -> StoreResult<PutResult> {
        if self.roll(|faults| faults.conflict) {
            let path = location.to_string();
            return Err(object_store::Error::AlreadyExists { path, source: "a conflict is in flight".into() });
        }
        self.sent_bytes.fetch_add(payload.content_length() as u64, Ordering::Relaxed);
        self.call(self.inner.put_opts(location, payload, options)).await
    }

    async fn put_multipart_opts(
        &self,
        location: &Path,
        options: PutMultipartOptions,
    ) -> StoreResult<Box<dyn MultipartUpload>> {
        let upload = self.call(self.inner.put_multipart_opts(location, options)).await?;
        Ok(Box::new(FaultyUpload { upload, store: Weak::upgrade(&self.own).unwrap() }))
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> StoreResult<GetResult> {
        self.call(self.inner.get_opts(location, options)).await
    }

    fn delete_stream(&self, locations: BoxStream<'static, StoreResult<Path>>) -> BoxStream<'static, StoreResult<Path>> {
        self.inner.delete_stream(locations)
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, StoreResult<ObjectMeta>> {
        self.requests.fetch_add(1, Ordering::Relaxed);
        let listed = self.inner.list(prefix);
        // The newest names are not shown yet; of commits these are the first.
        if self.roll(|faults| faults.stale_list) { listed.skip(3).boxed() } else { listed }
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> StoreResult<ListResult> {
        self.inner.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> StoreResult<()> {
        self.call(self.inner.copy_opts(from, to, options)).await
    }
}

#[derive(Debug)]
struct FaultyUpload {
    upload: Box<dyn MultipartUpload>,
    store: Arc<Faulty>,
}

#[async_trait]
impl MultipartUpload for FaultyUpload {
    fn put_part(&mut self, data: PutPayload) -> UploadPart {
        self.store.sent_bytes.fetch_add(data.content_length() as u64, Ordering::Relaxed);
        let (part, store) = (self.upload.put_part(data), Arc::clone(&self.store));
        Box::pin(async move { store.call(part).await })
    }

    async fn complete(&mut self) -> StoreResult<PutResult> {
        let store = Arc::clone(&self.store);
        store.call(self.upload.complete()).await
    }

    async fn abort(&mut self) -> StoreResult<()> {
        self.upload.abort().await
    }
}
