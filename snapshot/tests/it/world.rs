//! A node without SQL: tables, loads and jobs, enough to check that snapshots hold what they should.

use arrow::array::{ArrayRef, Date32Array, Int64Array, RecordBatch, StringArray};
use catalog::records::job::JobRecord;
use catalog::records::task::TaskRecord;
use catalog::records::{
    BoundsRecord, ColumnRecord, DatabaseRecord, Distribution, KeyModelRecord, PartitionEntry, PartitionRecord,
    PartitionState, Partitioning, RecycleRecord, Recycled, RepositoryRecord, TableRecord, TableState, TabletRecord,
};
use catalog::{At, Catalog, EmbeddedStore, keys};
use env::disk::{Disk, MemDisk};
use env::ids::{DatabaseId, JobId, LoadId, NodeId, PartitionId, RepositoryId, TableId, TabletId, Version};
use env::rt::Duration;
use repository::{Location, Properties, Repository, no_progress};
use snapshot::{
    BackupRequest, Connections, JobKind, Jobs, Objects, Options, Pause, Repositories, RestoreRequest, Service,
    SnapshotSource, TabletSource, schema,
};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use tablet::{Fingerprint, Mutation, NewTablet, StoreOptions, TabletStore};
use tokio::sync::Notify;

pub const NODE: NodeId = NodeId(1);
pub const PATIENCE: Duration = Duration::from_mins(1);
pub const LOCATION: &str = "file:///repository";

/// The disks that outlive a process.
#[derive(Debug, Clone)]
pub struct Disks {
    pub node: MemDisk,
    pub repository: MemDisk,
}

impl Disks {
    pub fn new() -> Self {
        Self { node: MemDisk::new(), repository: MemDisk::new() }
    }

    /// Others with the same files.
    pub fn copy(&self) -> Self {
        Self { node: copy(&self.node), repository: copy(&self.repository) }
    }

    /// Those of another cluster that uses the same repository.
    pub fn beside(&self) -> Self {
        Self { node: MemDisk::new(), repository: self.repository.clone() }
    }

    /// What a power cut leaves of both; the old ones are of a machine that is gone.
    pub fn power_cut(&self, seed: u64) -> Self {
        Self { node: self.node.power_cut(seed), repository: self.repository.power_cut(seed) }
    }
}

fn copy(from: &MemDisk) -> MemDisk {
    let to = MemDisk::new();
    copy_dir(from, &to, "");
    to
}

fn copy_dir(from: &MemDisk, to: &MemDisk, dir: &str) {
    for entry in from.list(dir).unwrap() {
        let path = env::disk::join(dir, &entry.name);
        if entry.is_dir {
            to.create_dir(&path).unwrap();
            copy_dir(from, to, &path);
        } else {
            let file = to.create(&path).unwrap();
            file.write_at(0, &from.read(&path).unwrap()).unwrap();
            file.sync_data().unwrap();
        }
    }
    to.sync_dir(dir).unwrap();
}

/// What is done when a job comes to a named place.
type Act = Arc<dyn Fn() + Send + Sync>;

/// Stops a job at a named place, or does something there, once.
#[derive(Clone, Default)]
pub struct Stop {
    point: Option<String>,
    act: Option<Act>,
    reached: Arc<Notify>,
}

impl Stop {
    pub fn at(point: &str) -> Self {
        Self { point: Some(point.to_owned()), ..Self::default() }
    }

    /// Does not stop.
    pub fn act_at(point: &str, act: impl Fn() + Send + Sync + 'static) -> Self {
        Self { point: Some(point.to_owned()), act: Some(Arc::new(act)), ..Self::default() }
    }

    pub async fn reached(&self) {
        tokio::time::timeout(PATIENCE, self.reached.notified())
            .await
            .unwrap_or_else(|_| panic!("{:?} is not reached", self.point));
    }

    fn pause(&self) -> Pause {
        let stop = self.clone();
        Pause::new(move |point| {
            let stop = stop.clone();
            Box::pin(async move {
                if stop.point.as_ref() == Some(&point) {
                    stop.reached.notify_one();
                    if let Some(act) = &stop.act {
                        return act();
                    }
                    std::future::pending::<()>().await;
                }
            })
        })
    }
}

/// One life of the node.
#[derive(Debug)]
pub struct World {
    pub disks: Disks,
    pub catalog: Catalog,
    pub store: TabletStore,
    pub jobs: Jobs,
    pub service: Service,
    meta: Arc<EmbeddedStore>,
}

pub fn options() -> Options {
    Options {
        retry_pause: Duration::from_millis(5),
        retry_pause_max: Duration::from_millis(50),
        timeout_s_min: 1,
        node_patience: Duration::from_secs(10),
        task_sizes: snapshot::plan::TaskSizes { tablets: 3 },
        ..Options::default()
    }
}

impl World {
    pub async fn open(disks: &Disks) -> Self {
        Self::open_with(disks, options(), &Stop::default()).await
    }

    pub async fn open_with(disks: &Disks, options: Options, stop: &Stop) -> Self {
        let repository = disks.repository.clone();
        let connections = Connections::new(move |_| Arc::new(repository.clone()));
        Self::open_custom(disks, options, stop, |source| source, Arc::new(connections)).await
    }

    pub async fn open_custom(
        disks: &Disks,
        options: Options,
        stop: &Stop,
        wrap: impl FnOnce(Arc<dyn SnapshotSource>) -> Arc<dyn SnapshotSource>,
        repositories: Arc<dyn Repositories>,
    ) -> Self {
        let node: Arc<dyn Disk> = Arc::new(disks.node.clone());
        let meta = Arc::new(EmbeddedStore::open(Arc::clone(&node), "catalog.redb").await.unwrap());
        let catalog = Catalog::new(Arc::clone(&meta) as _);
        let store = TabletStore::open(Arc::clone(&node), StoreOptions::default()).await.unwrap();
        let source = wrap(Arc::new(TabletSource::new(store.clone(), node)));
        let options = Options { pause: stop.pause(), ..options };
        let (jobs, service) = Service::start(catalog.clone(), source, repositories, NODE, options).await.unwrap();
        Self { disks: disks.clone(), catalog, store, jobs, service, meta }
    }

    /// Ends this life in good order.
    pub async fn close(self) -> Disks {
        self.service.stop().await;
        self.store.close().await;
        self.meta.close().await.unwrap();
        self.disks
    }

    /// Ends this life at once; what was not synced is lost.
    pub fn crash(self, seed: u64) -> Disks {
        let after = self.disks.power_cut(seed);
        drop(self);
        after
    }

    pub async fn repository(&self) -> Repository {
        let disk = self.disks.repository.clone();
        let store =
            repository::connect(&Location::parse(LOCATION).unwrap(), &Properties::default(), |_| Arc::new(disk))
                .unwrap();
        Repository::open(store).await.unwrap()
    }

    pub async fn create_repository(&self) {
        let disk = self.disks.repository.clone();
        let store =
            repository::connect(&Location::parse(LOCATION).unwrap(), &Properties::default(), |_| Arc::new(disk))
                .unwrap();
        Repository::create(store, "repo", 1).await.unwrap();
        let record = RepositoryRecord {
            id: RepositoryId(self.catalog.allocate(1).await.unwrap()),
            name: "repo".into(),
            location: LOCATION.into(),
            read_only: false,
            broker: None,
            single_writer: false,
            properties: BTreeMap::new(),
            created_ms: 1,
            error: None,
            retention: None,
        };
        let claim = keys::repository_name("repo");
        self.catalog.change().claim_name(claim, record.id.0).create(&record).commit().await.unwrap();
    }

    pub async fn create_database(&self, name: &str) -> DatabaseId {
        let id = DatabaseId(self.catalog.allocate(1).await.unwrap());
        let record = DatabaseRecord { id, name: name.into(), created_ms: 1 };
        self.catalog.change().claim_name(keys::database_name(name), id.0).create(&record).commit().await.unwrap();
        id
    }

    pub async fn database(&self, name: &str) -> DatabaseId {
        self.catalog.database(name, At::Latest).await.unwrap().unwrap_or_else(|| panic!("no database {name}")).id
    }

    /// Makes a table with these partitions.
    pub async fn create_table(
        &self,
        database: DatabaseId,
        table: TableRecord,
        partitions: &[(&str, BoundsRecord, u32)],
    ) {
        let mut table = TableRecord { id: TableId(self.catalog.allocate(1).await.unwrap()), database, ..table };
        let schema = Arc::new(schema::tablet_schema(&table).unwrap());
        let mut change = self.catalog.change().claim_name(keys::table_name(database, &table.name), table.id.0);
        let mut tablets = Vec::new();
        for (name, bounds, buckets) in partitions {
            let id = PartitionId(self.catalog.allocate(1).await.unwrap());
            table.partitions.push(PartitionEntry {
                id,
                name: (*name).into(),
                bounds: bounds.clone(),
                buckets: *buckets,
            });
            let record = PartitionRecord {
                id,
                table: table.id,
                visible_version: Version::FIRST,
                visible_ms: 1,
                state: PartitionState::Live,
            };
            change = change.create(&record);
            for bucket in 0..*buckets {
                let tablet = TabletId(self.catalog.allocate(1).await.unwrap());
                let record = TabletRecord { id: tablet, table: table.id, partition: id, bucket, replicas: vec![NODE] };
                change = change.create(&record);
                tablets.push(NewTablet { tablet, schema: Arc::clone(&schema) });
            }
        }
        self.store.create(tablets).await.unwrap();
        change.create(&table).commit().await.unwrap();
    }

    /// Loads rows; what makes it fail is that the table is being restored.
    pub async fn load(&self, database: DatabaseId, name: &str, mutation: &Rows) -> Result<(), String> {
        loop {
            let table = self.catalog.table(database, name, At::Latest).await.unwrap().unwrap();
            if let TableState::Restoring { job, label } = &table.state {
                return Err(format!("table {name} is being restored by job {job} from snapshot {label}"));
            }
            let partitions = self.catalog.partitions(&table, At::Latest).await.unwrap();
            let routed = schema::router(&table).unwrap().route(&mutation.0, 0).unwrap();
            let load = LoadId(self.catalog.allocate(1).await.unwrap());
            let mut touched = BTreeMap::new();
            for part in routed {
                let partition = &partitions[part.partition];
                let tablets = self.catalog.tablets(partition.id, At::Latest).await.unwrap();
                let tablet = tablets[part.bucket as usize].id;
                self.store.prepare(load, tablet, Mutation::Rows(vec![part.rows])).await.unwrap();
                touched.insert(partition.id, (partition, tablets));
            }
            let mut change = self.catalog.change().unchanged(&table);
            let mut versions = Vec::new();
            for (partition, tablets) in touched.values() {
                let version = partition.visible_version.next();
                let next = PartitionRecord { visible_version: version, visible_ms: 2, ..partition.record.clone() };
                change = change.replace(partition, &next);
                versions.extend(tablets.iter().map(|tablet| (tablet.id, version)));
            }
            match change.commit().await {
                Ok(_) => {
                    self.store.publish(load, &versions).await.unwrap();
                    return Ok(());
                }
                Err(failed) if failed.is_conflict() => self.store.abort(load).await.unwrap(),
                Err(failed) => panic!("{failed}"),
            }
        }
    }

    /// All rows of a table, as a reader sees them.
    pub async fn fingerprint(&self, database: DatabaseId, name: &str) -> Fingerprint {
        let mut sum = Fingerprint::default();
        let Some(table) = self.catalog.table(database, name, At::Latest).await.unwrap() else { return sum };
        for partition in self.catalog.partitions(&table, At::Latest).await.unwrap() {
            assert_eq!(partition.state, PartitionState::Live);
            sum.merge(self.partition_fingerprint(&partition).await);
        }
        sum
    }

    pub async fn partition_fingerprint(&self, partition: &PartitionRecord) -> Fingerprint {
        let mut sum = Fingerprint::default();
        for tablet in self.catalog.tablets(partition.id, At::Latest).await.unwrap() {
            let view = self.store.view_when_published(tablet.id, partition.visible_version, PATIENCE).await.unwrap();
            for batch in view.scan(None, 1_024) {
                sum.add(&batch.unwrap()).unwrap();
            }
        }
        sum
    }

    /// All tables of a database with their rows.
    pub async fn contents(&self, database: DatabaseId) -> BTreeMap<String, Fingerprint> {
        let mut found = BTreeMap::new();
        for table in self.catalog.tables(database, At::Latest).await.unwrap() {
            found.insert(table.name.clone(), self.fingerprint(database, &table.name).await);
        }
        found
    }

    pub async fn backup(&self, database: DatabaseId, label: &str) -> JobRecord {
        let id = self.jobs.submit_backup(backup_of(database, label)).await.unwrap();
        self.end(id).await
    }

    pub async fn end(&self, id: JobId) -> JobRecord {
        self.jobs.wait_cleaned(id, PATIENCE).await.unwrap_or_else(|failed| panic!("{failed}"))
    }

    pub async fn timestamp(&self, label: &str) -> String {
        self.repository()
            .await
            .snapshot(label, None)
            .await
            .unwrap()
            .unwrap_or_else(|| panic!("no snapshot {label}"))
            .timestamp
    }

    pub async fn restore_of(&self, label: &str, target: Option<&str>, objects: Objects) -> RestoreRequest {
        RestoreRequest {
            target_database: target.map(str::to_owned),
            snapshot_database: None,
            label: label.into(),
            repository: "repo".into(),
            objects,
            properties: [("backup_timestamp".to_owned(), self.timestamp(label).await)].into(),
            user: "root".into(),
        }
    }

    pub async fn restore(&self, label: &str, target: Option<&str>, objects: Objects) -> JobRecord {
        let id = self.jobs.submit_restore(self.restore_of(label, target, objects).await).await.unwrap();
        self.end(id).await
    }

    pub async fn all_jobs(&self) -> Vec<JobRecord> {
        self.catalog
            .list::<JobRecord>(keys::JOBS, At::Latest)
            .await
            .unwrap()
            .into_iter()
            .map(|job| job.record)
            .collect()
    }

    /// Asserts that no ended job has left anything: pins, stages, hidden records, tasks, marks, objects.
    pub async fn nothing_is_left(&self) {
        assert_eq!(self.store.pin_owners(), [], "pins");
        assert_eq!(self.store.stage_owners(), [], "stages");
        let tasks = self.catalog.list::<TaskRecord>(keys::TASKS, At::Latest).await.unwrap();
        assert!(tasks.is_empty(), "tasks: {tasks:?}");
        let running = self.catalog.store().scan(keys::RUNNING, None, 10, At::Latest).await.unwrap();
        assert!(running.entries.is_empty(), "marks: {running:?}");
        let tables = self.catalog.list::<TableRecord>(keys::TABLES, At::Latest).await.unwrap();
        let mut owned: BTreeSet<PartitionId> = BTreeSet::new();
        for table in &tables {
            assert_eq!(table.state, TableState::Normal, "{}", table.name);
            owned.extend(table.partitions.iter().map(|entry| entry.id));
        }
        for item in self.catalog.recycled(At::Latest).await.unwrap() {
            if let RecycleRecord { what: Recycled::Overwritten { table, .. }, .. } = &item.record {
                owned.extend(table.partitions.iter().map(|entry| entry.id));
            }
        }
        let partitions = self.catalog.list::<PartitionRecord>(keys::PARTITIONS, At::Latest).await.unwrap();
        for partition in &partitions {
            assert!(!matches!(partition.state, PartitionState::Hidden { .. }), "hidden: {partition:?}");
            assert!(owned.contains(&partition.id), "nobody's: {partition:?}");
        }
        assert_eq!(partitions.len(), owned.len());
        let tablets = self.catalog.list::<TabletRecord>(keys::TABLETS, At::Latest).await.unwrap();
        let known: BTreeSet<TabletId> = tablets.iter().map(|tablet| tablet.id).collect();
        assert_eq!(self.store.tablets().into_iter().collect::<BTreeSet<_>>(), known, "tablets");
        let repository = self.repository().await;
        assert_eq!(repository.sessions().await.unwrap(), [], "sessions");
        // A commit writes a page of the index anew, and the old one waits for a sweep. Nothing else may.
        let committed = repository.snapshots().await.unwrap();
        let superseded = |name: &str| {
            name.starts_with("pages/") && committed.iter().any(|snapshot| name.contains(snapshot.session.token()))
        };
        let plan = repository.sweep_plan(&no_progress()).await.unwrap();
        let (index, garbage): (Vec<_>, Vec<_>) = plan.objects().partition(|(name, _)| superseded(name));
        assert!(garbage.is_empty(), "garbage: {garbage:?}");
        assert!(index.len() < committed.len().max(1), "more pages than commits: {index:?}");
    }
}

pub fn backup_of(database: DatabaseId, label: &str) -> BackupRequest {
    BackupRequest {
        database,
        label: label.into(),
        repository: "repo".into(),
        objects: Objects::All,
        properties: BTreeMap::new(),
        user: "root".into(),
    }
}

/// Rows to load.
#[derive(Debug, Clone)]
pub struct Rows(pub RecordBatch);

/// Rows of `orders`.
pub fn orders(rows: impl IntoIterator<Item = (i64, String)>) -> Rows {
    let (ids, notes): (Vec<i64>, Vec<String>) = rows.into_iter().unzip();
    batch(&orders_table(), vec![Arc::new(Int64Array::from(ids)), Arc::new(StringArray::from(notes))])
}

/// Rows of `events`: day of January to March 2026, from 0, and what happened.
pub fn events(rows: impl IntoIterator<Item = (i32, String)>) -> Rows {
    let (days, what): (Vec<i32>, Vec<String>) = rows.into_iter().unzip();
    let days = days.into_iter().map(|day| DAY_0 + day);
    batch(&events_table(), vec![Arc::new(Date32Array::from_iter_values(days)), Arc::new(StringArray::from(what))])
}

/// Rows of `places`.
pub fn places(rows: impl IntoIterator<Item = (&'static str, i64)>) -> Rows {
    let (regions, people): (Vec<&str>, Vec<i64>) = rows.into_iter().unzip();
    batch(&places_table(), vec![Arc::new(StringArray::from(regions)), Arc::new(Int64Array::from(people))])
}

/// 2026-01-01 in days since 1970.
const DAY_0: i32 = 20_454;

fn batch(table: &TableRecord, columns: Vec<ArrayRef>) -> Rows {
    let schema = schema::tablet_schema(table).unwrap().arrow();
    Rows(RecordBatch::try_new(schema, columns).unwrap())
}

pub fn column(name: &str, data_type: &str, key: bool, nullable: bool) -> ColumnRecord {
    ColumnRecord {
        name: name.into(),
        data_type: data_type.into(),
        key,
        nullable,
        aggregation: None,
        default: None,
        comment: String::new(),
    }
}

fn table(name: &str, model: KeyModelRecord, columns: Vec<ColumnRecord>) -> TableRecord {
    TableRecord {
        id: TableId(0),
        database: DatabaseId(0),
        name: name.into(),
        columns,
        model,
        distribution: Distribution::Random,
        partitioning: Partitioning::None,
        partitions: Vec::new(),
        properties: BTreeMap::new(),
        comment: String::new(),
        created_ms: 1,
        state: TableState::Normal,
    }
}

pub fn orders_table() -> TableRecord {
    let columns = vec![column("id", "BIGINT", true, false), column("note", "VARCHAR(50)", false, true)];
    TableRecord {
        distribution: Distribution::Hash { columns: vec!["id".into()] },
        ..table("orders", KeyModelRecord::Primary, columns)
    }
}

pub fn events_table() -> TableRecord {
    let columns = vec![column("day", "DATE", true, false), column("what", "STRING", false, true)];
    TableRecord {
        partitioning: Partitioning::Range { columns: vec!["day".into()] },
        ..table("events", KeyModelRecord::Duplicate, columns)
    }
}

pub fn places_table() -> TableRecord {
    let columns = vec![column("region", "VARCHAR(20)", true, true), column("people", "BIGINT", false, true)];
    TableRecord {
        partitioning: Partitioning::List { columns: vec!["region".into()] },
        ..table("places", KeyModelRecord::Duplicate, columns)
    }
}

pub fn month(lower: &str, upper: &str) -> BoundsRecord {
    BoundsRecord::Range { lower: Some(vec![lower.into()]), upper: Some(vec![upper.into()]) }
}

pub fn regions(names: &[&str]) -> BoundsRecord {
    BoundsRecord::List { values: names.iter().map(|name| vec![Some((*name).to_owned())]).collect() }
}

/// A database `shop` with a Primary Key table, a range partitioned one and a list partitioned one, each with rows, updates
/// among them; and a repository `repo`.
pub async fn shop(world: &World) -> DatabaseId {
    world.create_repository().await;
    let shop = world.create_database("shop").await;
    world.create_table(shop, orders_table(), &[("orders", BoundsRecord::All, 3)]).await;
    let months = [
        ("p1", month("2026-01-01", "2026-02-01"), 2),
        ("p2", month("2026-02-01", "2026-03-01"), 2),
        ("p3", month("2026-03-01", "2026-04-01"), 2),
    ];
    world.create_table(shop, events_table(), &months).await;
    let lists = [("north", regions(&["oslo", "turku"]), 1), ("south", regions(&["rome"]), 1)];
    world.create_table(shop, places_table(), &lists).await;
    world.load(shop, "orders", &orders((0..300).map(|id| (id, format!("note {id}"))))).await.unwrap();
    world.load(shop, "orders", &orders((100..150).map(|id| (id, "changed".to_owned())))).await.unwrap();
    world.load(shop, "events", &events((0..80).map(|day| (day, format!("on day {day}"))))).await.unwrap();
    world.load(shop, "places", &places([("oslo", 700), ("rome", 2_800), ("turku", 200)])).await.unwrap();
    shop
}

/// Changes every table of the shop.
pub async fn change_shop(world: &World, shop: DatabaseId, round: i64) {
    world.load(shop, "orders", &orders((0..50).map(|id| (id * 5, format!("round {round}"))))).await.unwrap();
    world.load(shop, "events", &events((0..80).step_by(9).map(|day| (day, format!("round {round}"))))).await.unwrap();
    world.load(shop, "places", &places([("oslo", round)])).await.unwrap();
}

pub fn kind_of(point: &str) -> JobKind {
    if point.starts_with("backup") { JobKind::Backup } else { JobKind::Restore }
}
