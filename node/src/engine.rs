//! The engine: everything of a node but its doors.
//!
//! [`Engine::open`] makes a data directory, or takes over what a stopped process left: committed loads are published,
//! others aborted, tablets that belong to nobody removed, jobs continued. [`Engine::session`] executes statements.
//! Compaction, reclaiming, the recycle bin and the jobs work in the background until [`Engine::shutdown`].

mod background;
pub(crate) mod clock;
pub(crate) mod directory;
mod errors;
pub(crate) mod gate;
#[cfg(not(madsim))]
mod lock;
#[cfg(not(madsim))]
pub(crate) mod paths;
pub(crate) mod views;

use crate::account::{self, Identity};
use crate::ddl::{Ddl, QualifiedName};
use crate::error::EngineError;
use crate::load::stream::Body;
use crate::load::{BUFFER_BYTES, Loader, Publisher};
use crate::privilege::{Object, Privilege};
#[cfg(not(madsim))]
use crate::query::{Limits, Planner};
use crate::session::{Session, Variables};
use crate::stream_load::{StreamLoad, StreamLoadResult};
use arrow::array::RecordBatch;
use catalog::records::NodeRecord;
use catalog::{At, Catalog, EmbeddedStore, MetaStore, keys};
use directory::Directory;
use env::disk::Disk;
#[cfg(not(madsim))]
use env::disk::RealDisk;
use env::ids::{JobId, NodeId, TableId};
use env::rt::sync::OwnedMutexGuard;
use env::rt::time::{Instant, unix_millis};
use env::rt::{CancellationToken, Duration};
use gate::Gate;
use parking_lot::Mutex;
#[cfg(not(madsim))]
use repository::Keyring;
#[cfg(not(madsim))]
use snapshot::Connections;
use snapshot::{JobKind, Jobs, Repositories, Service, TabletSource};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tablet::{Fingerprint, StoreOptions, TabletStore};
use views::Views;

/// The id of the only node of an embedded cluster.
const EMBEDDED_NODE: NodeId = NodeId(1);

/// The catalog's directory in the data directory.
const CATALOG_DIR: &str = "catalog";

/// Where queries put what does not fit into memory, in the data directory.
#[cfg(not(madsim))]
const SPILL_DIR: &str = "spill";

/// How an engine is opened.
#[derive(Debug, Clone)]
pub struct EngineOptions {
    /// Where everything is kept; made when absent. One process at a time.
    pub data_dir: PathBuf,
    /// Bytes of memory for sorting, grouping and joining, all queries together.
    pub query_memory_bytes: usize,
    /// Bytes on disk for what of a query does not fit into it.
    pub query_spill_bytes: u64,
    /// Bytes of rows that a load keeps in memory before it writes them.
    pub load_buffer_bytes: usize,
    /// How long the recycle bin keeps what was dropped.
    pub trash_keep: Duration,
    /// How old a state of the catalog must be to be forgotten.
    pub history_keep: Duration,
    /// How often compaction and reclaiming look for work.
    pub tidy_every: Duration,
    /// The tablet store's options.
    pub store: StoreOptions,
    /// The jobs' options.
    pub jobs: snapshot::Options,
}

impl EngineOptions {
    /// The usual options for a data directory.
    pub fn new(data_dir: impl AsRef<Path>) -> Self {
        Self {
            data_dir: data_dir.as_ref().to_owned(),
            query_memory_bytes: 1 << 30,
            query_spill_bytes: 16 << 30,
            load_buffer_bytes: BUFFER_BYTES,
            trash_keep: Duration::from_hours(24),
            history_keep: Duration::from_mins(10),
            tidy_every: Duration::from_secs(2),
            store: StoreOptions::default(),
            jobs: snapshot::Options::default(),
        }
    }
}

/// A node's engine. Clones share it.
#[derive(Debug, Clone)]
pub struct Engine {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    node: NodeId,
    catalog: Catalog,
    /// The catalog's own file, when it is embedded: closed last.
    embedded: Option<EmbeddedStore>,
    store: TabletStore,
    views: Views,
    ddl: Ddl,
    loader: Loader,
    jobs: Jobs,
    repositories: Arc<dyn Repositories>,
    service: Mutex<Option<Service>>,
    #[cfg(not(madsim))]
    planner: Planner,
    gate: Gate,
    /// What `SET GLOBAL` has set: the variables of sessions to come.
    globals: Mutex<Arc<Variables>>,
    /// Taken in turns by changes of one table that were in each other's way.
    turns: Mutex<BTreeMap<TableId, Arc<env::rt::sync::Mutex<()>>>>,
    started: Instant,
    /// Held until the shutdown, or until the last clone is gone.
    #[cfg(not(madsim))]
    lock: Mutex<Option<lock::DirLock>>,
}

impl Drop for Inner {
    fn drop(&mut self) {
        // Whoever drops an engine without shutting it down gets what a crash would leave; its tasks must not go on.
        self.gate.stop().cancel();
    }
}

/// Where an engine keeps its things, opened.
struct Place {
    disk: Arc<dyn Disk>,
    meta: Arc<dyn MetaStore>,
    embedded: Option<EmbeddedStore>,
    node: NodeId,
}

impl Engine {
    /// Opens a data directory, making it when there is none, and starts to work on it.
    ///
    /// # Errors
    /// Busy when another process has it open; what the file system says; Corrupt or Unsupported when what is there cannot
    /// be read.
    #[cfg(not(madsim))]
    pub async fn open(options: EngineOptions) -> Result<Self, EngineError> {
        let dir = options.data_dir.clone();
        let lock = env::rt::blocking(move || lock::DirLock::take(&dir)).await?;
        let root = std::path::absolute(&options.data_dir).map_err(|failed| lock::failed(&options.data_dir, &failed))?;
        let disk: Arc<dyn Disk> = Arc::new(RealDisk::new(&root));
        let place = Self::embedded(disk).await?;
        let connections = Connections::new(|dir| Arc::new(RealDisk::new(dir)) as Arc<dyn Disk>);
        let repositories = Arc::new(connections.with_keyring(Keyring::at(&root)));
        Self::start(place, repositories, options, Some(lock)).await
    }

    /// The same on a disk that is not a directory's (nobody else may use it), with repositories of the caller's choice.
    ///
    /// # Errors
    /// As [`Engine::open`], but never Busy.
    pub async fn open_on(
        disk: Arc<dyn Disk>,
        repositories: Arc<dyn Repositories>,
        options: EngineOptions,
    ) -> Result<Self, EngineError> {
        let place = Self::embedded(disk).await?;
        #[cfg(not(madsim))]
        return Self::start(place, repositories, options, None).await;
        #[cfg(madsim)]
        Self::start(place, repositories, options).await
    }

    async fn embedded(disk: Arc<dyn Disk>) -> Result<Place, EngineError> {
        let made = Arc::clone(&disk);
        env::rt::blocking(move || made.create_dir(CATALOG_DIR)).await.map_err(|failed| {
            EngineError::general(crate::error::ErrorKind::Unavailable, format!("cannot make '{CATALOG_DIR}': {failed}"))
        })?;
        let path = env::disk::join(CATALOG_DIR, "catalog.redb");
        let embedded = EmbeddedStore::open(Arc::clone(&disk), &path).await?;
        let meta: Arc<dyn MetaStore> = Arc::new(embedded.clone());
        Ok(Place { disk, meta, embedded: Some(embedded), node: EMBEDDED_NODE })
    }

    async fn start(
        place: Place,
        repositories: Arc<dyn Repositories>,
        options: EngineOptions,
        #[cfg(not(madsim))] lock: Option<lock::DirLock>,
    ) -> Result<Self, EngineError> {
        let Place { disk, meta, embedded, node } = place;
        let catalog = Catalog::new(meta);
        register_node(&catalog, node).await?;
        let store = TabletStore::open(Arc::clone(&disk), options.store.clone()).await?;
        let (gate, directory) = (Gate::default(), Directory::new(catalog.clone()));
        let views = Views { catalog: catalog.clone(), store: store.clone(), directory: directory.clone() };
        let ddl = Ddl {
            catalog: catalog.clone(),
            store: store.clone(),
            directory: directory.clone(),
            node,
            trash_keep_ms: u64::try_from(options.trash_keep.as_millis()).unwrap_or(u64::MAX),
        };
        let loader = Loader {
            catalog: catalog.clone(),
            store: store.clone(),
            directory,
            node,
            publisher: Arc::new(Publisher::new(store.clone())),
            gate: gate.clone(),
            buffer_bytes: options.load_buffer_bytes,
        };
        loader.recover().await?;
        let left = ddl.remove_leftovers().await?;
        if left > 0 {
            tracing::info!(tablets = left, "removed tablets that a stopped process left to nobody");
        }
        let source = Arc::new(TabletSource::new(store.clone(), Arc::clone(&disk)));
        let (jobs, service) =
            Service::start(catalog.clone(), source, Arc::clone(&repositories), node, options.jobs.clone()).await?;
        #[cfg(not(madsim))]
        let planner = {
            let spill = options.data_dir.join(SPILL_DIR);
            lock::clear_dir(&spill)?;
            let limits = Limits { memory_bytes: options.query_memory_bytes, spill_bytes: options.query_spill_bytes };
            Planner::new(views.clone(), jobs.clone(), disk, &spill, &limits)?
        };
        background::start(&gate, &store, &loader, &ddl, &options);
        let inner = Inner {
            node,
            catalog,
            embedded,
            store,
            views,
            ddl,
            loader,
            jobs,
            repositories,
            service: Mutex::new(Some(service)),
            #[cfg(not(madsim))]
            planner,
            gate,
            globals: Mutex::default(),
            turns: Mutex::default(),
            started: Instant::now(),
            #[cfg(not(madsim))]
            lock: Mutex::new(lock),
        };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// A session of a user within this process: no password is asked for.
    pub fn session(&self, user: &str) -> Session {
        self.session_of(Identity::anywhere(user), "localhost")
    }

    /// A session of an account, for a client at an address, who has proven to be its owner.
    pub fn session_of(&self, identity: Identity, client_host: &str) -> Session {
        Session::new(self.clone(), identity, client_host)
    }

    /// Ends everything in order: statements that run are told to stop, jobs go on when the engine is opened again. Other clones
    /// are of no use afterwards.
    pub async fn shutdown(self) {
        self.inner.gate.close().await;
        let service = self.inner.service.lock().take();
        if let Some(service) = service {
            service.stop().await;
        }
        self.inner.store.close().await;
        if let Some(embedded) = &self.inner.embedded
            && let Err(failed) = embedded.close().await
        {
            tracing::warn!(error = %failed, "the catalog was not closed in order; nothing is lost");
        }
        #[cfg(not(madsim))]
        drop(self.inner.lock.lock().take());
    }

    /// Loads a stream of rows into a table, whole or not at all. Rows of bad quality and labels that were used before are
    /// results, not errors.
    ///
    /// # Errors
    /// 1142, 1049, 1146; what the catalog says.
    pub async fn stream_load(
        &self,
        load: StreamLoad,
        body: Body,
        stop: CancellationToken,
    ) -> Result<StreamLoadResult, EngineError> {
        let access = account::access(self.catalog(), &load.user).await?;
        access.require(Privilege::Insert, &Object::Table(load.database.clone(), load.table.clone()))?;
        let loader = self.inner.loader.clone();
        self.inner.gate.run(&stop, |stop| async move { loader.stream(load, body, stop).await }).await
    }

    /// The BACKUP and RESTORE jobs.
    pub fn jobs(&self) -> &Jobs {
        &self.inner.jobs
    }

    /// The last `backup` or `restore` job of a database.
    ///
    /// # Errors
    /// 1049; Invalid for another kind; what the catalog says.
    pub async fn last_job(&self, database: &str, kind: &str) -> Result<Option<JobId>, EngineError> {
        let kind = match kind {
            "backup" => JobKind::Backup,
            "restore" => JobKind::Restore,
            other => return Err(EngineError::invalid(format!("'{other}' is no kind of job; use backup or restore"))),
        };
        let found = self.jobs().database(database).await?.ok_or_else(|| EngineError::unknown_database(database))?;
        Ok(self.jobs().last(found, kind).await?.map(|view| view.job.id))
    }

    /// The rows of a table, and a hash of them that does not depend on their order.
    ///
    /// # Errors
    /// 1049, 1146; Corrupt when a segment cannot be read.
    pub async fn table_fingerprint(&self, database: &str, table: &str) -> Result<(u64, u128), EngineError> {
        let opened = self.inner.views.open(&[(database.to_owned(), table.to_owned())]).await?;
        let mut whole = Fingerprint::default();
        for view in opened.iter().flat_map(|views| &views.partitions).flat_map(|partition| &partition.tablets) {
            let view = Arc::clone(view);
            let part = env::rt::blocking(move || {
                let mut part = Fingerprint::default();
                for batch in view.scan(None, 65_536) {
                    part.add(&batch?)?;
                }
                Ok::<_, tablet::Error>(part)
            });
            whole.merge(part.await?);
        }
        Ok((whole.rows, whole.sum))
    }

    /// The rows of tables, all read at one revision of the catalog, in the order of the names: pairs of database and table.
    ///
    /// All of it is held in memory: for small tables and for tests.
    ///
    /// # Errors
    /// 1049, 1146; Corrupt when a segment cannot be read.
    pub async fn read_tables(&self, names: &[(String, String)]) -> Result<Vec<Vec<RecordBatch>>, EngineError> {
        let opened = self.inner.views.open(names).await?;
        let mut tables = Vec::with_capacity(opened.len());
        for views in opened {
            let read = move || {
                let mut batches = Vec::new();
                for view in views.partitions.iter().flat_map(|partition| &partition.tablets) {
                    for batch in view.scan(None, 65_536) {
                        batches.push(batch?);
                    }
                }
                Ok::<_, tablet::Error>(batches)
            };
            tables.push(env::rt::blocking(read).await?);
        }
        Ok(tables)
    }

    /// How long it has been open.
    pub fn uptime(&self) -> Duration {
        self.inner.started.elapsed()
    }

    pub(crate) fn node(&self) -> NodeId {
        self.inner.node
    }

    /// What exists.
    pub fn catalog(&self) -> &Catalog {
        &self.inner.catalog
    }

    /// The tablets of this node.
    pub fn store(&self) -> &TabletStore {
        &self.inner.store
    }

    pub(crate) fn views(&self) -> &Views {
        &self.inner.views
    }

    pub(crate) fn ddl(&self) -> &Ddl {
        &self.inner.ddl
    }

    pub(crate) fn loader(&self) -> &Loader {
        &self.inner.loader
    }

    /// The repositories that it knows.
    pub fn repositories(&self) -> &Arc<dyn Repositories> {
        &self.inner.repositories
    }

    #[cfg(not(madsim))]
    pub(crate) fn planner(&self) -> &Planner {
        &self.inner.planner
    }

    pub(crate) fn gate(&self) -> &Gate {
        &self.inner.gate
    }

    pub(crate) fn default_variables(&self) -> Arc<Variables> {
        Arc::clone(&self.inner.globals.lock())
    }

    pub(crate) fn set_globals(&self, changes: &[(String, Option<String>)]) {
        if changes.is_empty() {
            return;
        }
        let mut globals = self.inner.globals.lock();
        let mut all = globals.as_ref().clone();
        for (name, value) in changes {
            all.set(name, value.as_deref());
        }
        *globals = Arc::new(all);
    }

    /// The right to be the one who changes a table, among those in this process who ask for it. Nobody depends on it for more
    /// than getting on: changes are guarded by what they read.
    pub(crate) async fn turn(&self, name: &QualifiedName) -> Option<OwnedMutexGuard<()>> {
        let (_, table) = self.inner.ddl.table(name).await.ok()?;
        let turn = Arc::clone(self.inner.turns.lock().entry(table.id).or_default());
        Some(turn.lock_owned().await)
    }
}

/// Says in the catalog that the node has started once more.
async fn register_node(catalog: &Catalog, node: NodeId) -> Result<(), EngineError> {
    loop {
        let found = catalog.get::<NodeRecord>(&keys::node(node), At::Latest).await?;
        let incarnation = found.as_ref().map_or(0, |found| found.incarnation).saturating_add(1);
        let record = NodeRecord { id: node, address: "127.0.0.1".to_owned(), incarnation, heartbeat_ms: unix_millis() };
        let change = match &found {
            Some(found) => catalog.change().replace(found, &record),
            None => catalog.change().create(&record),
        };
        match change.commit().await {
            Ok(_) => return Ok(()),
            Err(failed) if failed.is_conflict() => {}
            Err(failed) => return Err(failed.into()),
        }
    }
}
