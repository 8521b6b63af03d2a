//! One run: a machine, a store, clients, faults; then peace, and the reckoning.

use crate::bucket::{Bucket, Lies};
use crate::check;
use crate::disk::DiskLies;
use crate::machine::{Lost, Machine};
use crate::model::{Content, Model, Window};
use crate::plan::{Fault, Plan};
use crate::points::{POINTS, Points};
use crate::workload::{self, jobs::Snapshot};
use arrow::array::{Array, Int64Array};
use env::rt::time::{Instant, sleep, timeout};
use env::rt::{self, Duration, JoinSet};
use node::engine::EngineOptions;
use parking_lot::Mutex;
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// The database that is loaded and backed up.
pub const DATABASE: &str = "d";
/// The repository.
pub const REPOSITORY: &str = "repo";

/// How long everything may take to come to rest once nothing lies any more.
const REST_WITHIN: Duration = Duration::from_hours(2);

/// What a run has seen, for tables of coverage.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Seen {
    /// Virtual time that passed.
    pub virtual_ms: u64,
    /// Loads that were acknowledged.
    pub loads: u64,
    /// Snapshots that were acknowledged.
    pub snapshots: u64,
    /// Restores that were acknowledged.
    pub restores: u64,
    /// Reads that were checked.
    pub reads: u64,
    /// Requests to the store, and those that it lied about.
    pub requests: u64,
    /// See `requests`.
    pub lies: u64,
    /// What was reached: points such as "backup UPLOADING | cancel".
    pub points: BTreeMap<String, u64>,
}

impl Seen {
    /// Adds what another run has seen.
    pub fn add(&mut self, other: &Self) {
        self.virtual_ms += other.virtual_ms;
        self.loads += other.loads;
        self.snapshots += other.snapshots;
        self.restores += other.restores;
        self.reads += other.reads;
        self.requests += other.requests;
        self.lies += other.lies;
        for (point, times) in &other.points {
            *self.points.entry(point.clone()).or_default() += times;
        }
    }
}

/// What everything in a run shares; clones are the same.
#[derive(Debug, Clone)]
pub struct World {
    /// What is going to happen.
    pub plan: Arc<Plan>,
    /// The node.
    pub machine: Machine,
    /// The store.
    pub bucket: Bucket,
    /// What the tables should hold.
    pub model: Arc<Mutex<Model>>,
    /// Snapshots by label.
    pub snapshots: Arc<Mutex<BTreeMap<String, Snapshot>>>,
    /// Held by whoever replaces the tables; loads hold it for reading.
    pub tables: Arc<rt::sync::RwLock<()>>,
    /// What a restore over the tables is about to put in their place.
    pub replacing: Arc<Mutex<Option<Content>>>,
    /// Where jobs are.
    pub points: Points,
    /// What was seen.
    pub seen: Arc<Mutex<Seen>>,
    began: Instant,
}

impl World {
    /// Notes that a point was reached.
    pub fn reach(&self, point: impl Into<String>) {
        *self.seen.lock().points.entry(point.into()).or_default() += 1;
    }

    /// Notes where jobs are when a fault strikes.
    pub fn struck(&self, fault: &Fault) {
        let kind = fault.kind();
        self.reach(format!("fault {kind}"));
        for job in self.points.now() {
            self.reach(format!("{job} | {kind}"));
        }
    }

    /// Whether new things may still begin.
    pub fn goes_on(&self) -> bool {
        self.began.elapsed() < Duration::from_millis(self.plan.shape.length_ms)
    }

    /// The names of the tables.
    pub fn table_names(&self) -> Vec<String> {
        (0..self.plan.shape.tables.len()).map(|table| format!("t{table}")).collect()
    }

    /// All tables of a database as one read sees them; none when the read was lost.
    ///
    /// # Errors
    /// What the engine says.
    pub async fn read(&self, database: &str) -> Result<Option<Content>, node::error::EngineError> {
        let names: Vec<(String, String)> =
            self.table_names().into_iter().map(|table| (database.to_owned(), table)).collect();
        let read = self.machine.call(move |engine| async move { engine.read_tables(&names).await }).await;
        match read {
            Ok(tables) => tables.map(|tables| Some(tables.iter().map(|batches| rows(batches)).collect())),
            Err(Lost) => Ok(None),
        }
    }

    /// The window of a read that begins now.
    pub fn open_window(&self) -> Window {
        let model = self.model.lock();
        let epoch = model.now();
        Window { epoch, least: model.ended(epoch), most: Vec::new() }
    }

    /// The read has ended.
    pub fn close_window(&self, window: &mut Window) {
        window.most = self.model.lock().begun(window.epoch);
    }
}

fn rows(batches: &[arrow::array::RecordBatch]) -> crate::model::Rows {
    let mut rows = crate::model::Rows::new();
    for batch in batches {
        let column = |at: usize| batch.column(at).as_any().downcast_ref::<Int64Array>();
        let (Some(ids), Some(numbers)) = (column(0), column(1)) else { continue };
        for at in 0..batch.num_rows() {
            let by = rows.entry(ids.value(at)).or_default();
            by.push(u64::try_from(numbers.value(at)).unwrap_or(u64::MAX));
            by.sort_unstable();
        }
        assert!(ids.null_count() == 0 && numbers.null_count() == 0, "NULL in a column that is NOT NULL");
    }
    rows
}

fn options(plan: &Plan, points: &Points) -> EngineOptions {
    let mut options = EngineOptions::new("/");
    options.tidy_every = Duration::from_millis(500);
    options.history_keep = Duration::from_mins(1);
    options.store.keep_for = Duration::from_secs(2);
    options.trash_keep = Duration::from_mins(1);
    options.jobs.pause = points.pause(plan.shape.slow_points);
    options.jobs.trash_keep = Duration::from_mins(1);
    options.jobs.node_patience = Duration::from_secs(10);
    options.jobs.repository_patience = Duration::from_mins(2);
    options.jobs.sweep_every = Duration::from_secs(plan.shape.upkeep_every_s);
    options.jobs.timeout_s_min = 1;
    options.jobs.task_sizes.tablets = plan.shape.tablets_per_task;
    options.jobs.stream.small_bytes = plan.shape.small_bytes;
    options
}

/// Runs a plan to its end.
///
/// # Panics
/// When something is not as promised: that is what a simulation is for.
pub async fn run(plan: Plan) -> Seen {
    let (world, stage) = begin(plan);
    let handle = &stage.handle;
    workload::tables::create(&world).await;
    let mut clients = JoinSet::new();
    for writer in 0..world.plan.shape.writers {
        clients.spawn(workload::loads::write(world.clone(), writer));
    }
    for _ in 0..world.plan.shape.readers {
        clients.spawn(workload::reads::read(world.clone()));
    }
    clients.spawn(workload::jobs::snapshots(world.clone(), ""));
    if world.plan.shape.rivals {
        clients.spawn(workload::jobs::snapshots(world.clone(), "x"));
    }
    if world.plan.shape.fences > 0 {
        clients.spawn(workload::stranger::fence(world.clone()));
    }
    clients.spawn(check::running::watch(world.clone()));
    let faults = rt::spawn(faults(world.clone(), handle.clone()));
    faults.await.unwrap_or_else(|died| std::panic::panic_any(died.to_string()));
    peace(&world, handle).await;
    let rest = timeout(REST_WITHIN, async {
        while let Some(ended) = clients.join_next().await {
            ended.unwrap_or_else(|died| std::panic::panic_any(died.to_string()));
        }
        world.machine.up().await;
        check::reckoning(&world, handle).await;
    });
    assert!(rest.await.is_ok(), "the world does not come to rest within {REST_WITHIN:?}");
    end(&world, &stage)
}

/// What a world stands on.
pub struct Stage {
    /// The simulator.
    pub handle: madsim::runtime::Handle,
    far: madsim::runtime::NodeHandle,
}

impl std::fmt::Debug for Stage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Stage")
    }
}

/// Makes a world in which nothing goes on yet.
pub fn begin(plan: Plan) -> (World, Stage) {
    let handle = madsim::runtime::Handle::current();
    let far = handle.create_node().name("store").build();
    let bucket = Bucket::start(&far);
    let points = Points::default();
    let machine = Machine::start(&handle, &bucket, options(&plan, &points));
    let model = Model::new(&plan.shape.tables, plan.shape.writers);
    let world = World {
        plan: Arc::new(plan),
        machine,
        bucket,
        model: Arc::new(Mutex::new(model)),
        snapshots: Arc::default(),
        tables: Arc::new(rt::sync::RwLock::new(())),
        replacing: Arc::default(),
        points,
        seen: Arc::default(),
        began: Instant::now(),
    };
    (world, Stage { handle, far })
}

/// Ends a world, so that it can be freed: its tasks and its runtime hold each other as long as a node lives.
pub fn end(world: &World, stage: &Stage) -> Seen {
    let mut seen = world.seen.lock().clone();
    let counts = world.bucket.counts();
    (seen.requests, seen.lies) = (counts.requests, counts.lies);
    seen.virtual_ms = u64::try_from(world.began.elapsed().as_millis()).unwrap_or(u64::MAX);
    stage.handle.kill(stage.far.id());
    world.machine.end(&stage.handle);
    seen
}

/// Carries out the plan's faults, each in its time; those that last run beside each other.
async fn faults(world: World, handle: madsim::runtime::Handle) {
    let mut lasting = JoinSet::new();
    for (number, timed) in world.plan.faults.clone().into_iter().enumerate() {
        let until = Duration::from_millis(timed.at_ms);
        sleep(until.saturating_sub(world.began.elapsed())).await;
        tracing::info!(fault = ?timed.fault, "a fault");
        world.struck(&timed.fault);
        let seed = world.plan.seed ^ (number as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let (world, handle) = (world.clone(), handle.clone());
        match timed.fault {
            Fault::PowerCut { down_ms } => {
                world.machine.power_cut(&handle, seed, Duration::from_millis(down_ms)).await;
            }
            Fault::PowerCutInside { changes, down_ms } => {
                world.machine.disk().cut_after(changes, seed);
                // It may not come to it: then the power goes in the end.
                for _ in 0..1_000 {
                    if world.machine.is_dark() {
                        world.struck(&timed.fault);
                        break;
                    }
                    sleep(Duration::from_millis(2)).await;
                }
                world.machine.power_cut(&handle, seed, Duration::from_millis(down_ms)).await;
            }
            Fault::Kill { down_ms } => world.machine.kill(&handle, Duration::from_millis(down_ms)).await,
            Fault::At { point, done, power, down_ms } => {
                let name = POINTS.get(point).copied().unwrap_or_default();
                let name = format!("{name}{}", if done { ".done" } else { "" });
                if world.points.reached(&name, Duration::from_secs(15)).await {
                    world.struck(&timed.fault);
                    let down = Duration::from_millis(down_ms);
                    if power {
                        world.machine.power_cut(&handle, seed, down).await;
                    } else {
                        world.machine.kill(&handle, down).await;
                    }
                }
            }
            Fault::Restart => world.machine.restart(&handle).await,
            Fault::Bucket { lies, for_ms } => {
                world.bucket.lie(lies);
                lasting.spawn(async move {
                    sleep(Duration::from_millis(for_ms)).await;
                    world.bucket.lie(Lies::default());
                });
            }
            Fault::Disk { lies, for_ms } => {
                *world.machine.knobs().lock() = lies;
                sleep(Duration::from_millis(for_ms)).await;
                *world.machine.knobs().lock() = DiskLies::default();
                // What does an operator do with a process whose disk has failed.
                world.machine.power_cut(&handle, seed, Duration::from_millis(100)).await;
            }
            Fault::Full { free_bytes, for_ms } => {
                world.machine.leave_space(Some(free_bytes));
                sleep(Duration::from_millis(for_ms)).await;
                world.machine.leave_space(None);
            }
        }
    }
    while lasting.join_next().await.is_some() {}
}

/// Nothing lies any more; the process is started again if it is needed.
async fn peace(world: &World, handle: &madsim::runtime::Handle) {
    world.bucket.lie(Lies::default());
    *world.machine.knobs().lock() = DiskLies::default();
    world.machine.leave_space(None);
    if world.plan.hurts_disk() {
        world.machine.power_cut(handle, world.plan.seed, Duration::from_millis(10)).await;
    }
    world.machine.up().await;
    tracing::info!("peace");
}

/// The labels that must be in the repository.
pub fn acknowledged(world: &World) -> BTreeSet<String> {
    world
        .snapshots
        .lock()
        .iter()
        .filter(|(_, snapshot)| snapshot.is_certain())
        .map(|(label, _)| label.clone())
        .collect()
}
