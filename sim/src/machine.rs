//! A machine: a disk that outlives the process, and the process, an [`Engine`] as it ships.
//!
//! The process runs on a simulated node of its own. Whoever wants something of it sends a closure over; when the machine dies
//! the answer is lost, as answers are.

use crate::bucket::Bucket;
use crate::disk::{Knobs, Life, LyingDisk};
use async_trait::async_trait;
use catalog::records::RepositoryRecord;
use env::disk::{Disk, MemDisk};
use env::ids::RepositoryId;
use env::rt::sync::{mpsc, oneshot};
use env::rt::time::{sleep, timeout};
use env::rt::{self, CancellationToken, Duration};
use futures::future::BoxFuture;
use node::engine::{Engine, EngineOptions};
use node::error::EngineError;
use node::result::Outcome;
use object_store::ObjectStore;
use parking_lot::Mutex;
use repository::{Location, Properties, Repository};
use snapshot::Repositories;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

/// A call that is not answered within this much virtual time is a fault of the engine: nothing may hang.
const ANSWER_WITHIN: Duration = Duration::from_mins(10);

type Call = Box<dyn FnOnce(Engine) -> BoxFuture<'static, ()> + Send>;

/// The process died before it answered; what it did is not known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lost;

/// Repositories in the simulated store.
#[derive(Debug)]
struct Stores {
    bucket: Bucket,
    open: rt::sync::Mutex<Option<Repository>>,
}

#[async_trait]
impl Repositories for Stores {
    async fn open(&self, _: &RepositoryRecord) -> snapshot::Result<Repository> {
        let mut open = self.open.lock().await;
        if let Some(open) = &*open {
            return Ok(open.clone());
        }
        let opened = Repository::open(Arc::new(self.bucket.clone())).await?;
        *open = Some(opened.clone());
        Ok(opened)
    }

    async fn forget(&self, _: RepositoryId) {
        *self.open.lock().await = None;
    }

    fn seal(&self, given: &BTreeMap<String, String>) -> snapshot::Result<BTreeMap<String, String>> {
        Ok(given.clone())
    }

    fn store(&self, _: &RepositoryRecord) -> snapshot::Result<Arc<dyn ObjectStore>> {
        Ok(Arc::new(self.bucket.clone()))
    }

    fn connect(&self, _: &Location, _: &Properties) -> snapshot::Result<Arc<dyn ObjectStore>> {
        Ok(Arc::new(self.bucket.clone()))
    }
}

/// The machine; clones are the same one.
#[derive(Clone)]
pub struct Machine {
    inner: Arc<Inner>,
}

struct Inner {
    node: Mutex<Option<madsim::task::NodeId>>,
    disk: Mutex<MemDisk>,
    knobs: Knobs,
    life: Mutex<Life>,
    bucket: Bucket,
    options: EngineOptions,
    calls: Mutex<Option<mpsc::UnboundedSender<Call>>>,
    /// Why the process did not start, the last time that it did not.
    refused: Mutex<Option<EngineError>>,
}

impl fmt::Debug for Machine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Machine")
    }
}

async fn process(machine: Machine) {
    let inner = &machine.inner;
    let engine = loop {
        let life = inner.life.lock().clone();
        let disk: Arc<dyn Disk> = Arc::new(LyingDisk::new(inner.disk.lock().clone(), Arc::clone(&inner.knobs), life));
        let stores = Arc::new(Stores { bucket: inner.bucket.clone(), open: rt::sync::Mutex::new(None) });
        match Engine::open_on(disk, stores, inner.options.clone()).await {
            Ok(engine) => break engine,
            Err(failed) => {
                tracing::info!(error = %failed, "the process does not start");
                *inner.refused.lock() = Some(failed);
                sleep(Duration::from_millis(500)).await;
            }
        }
    };
    tracing::info!("the process is up");
    *inner.refused.lock() = None;
    let (calls, mut received) = mpsc::unbounded_channel::<Call>();
    *inner.calls.lock() = Some(calls);
    while let Some(call) = received.recv().await {
        let engine = engine.clone();
        drop(rt::spawn(async move { call(engine).await }));
    }
    engine.shutdown().await;
    tracing::info!("the process has ended");
}

impl Machine {
    /// Starts a machine with an empty disk.
    pub fn start(handle: &madsim::runtime::Handle, bucket: &Bucket, options: EngineOptions) -> Self {
        let inner = Inner {
            node: Mutex::new(None),
            disk: Mutex::new(MemDisk::new()),
            knobs: Knobs::default(),
            life: Mutex::default(),
            bucket: bucket.clone(),
            options,
            calls: Mutex::new(None),
            refused: Mutex::new(None),
        };
        let machine = Self { inner: Arc::new(inner) };
        let process_of = machine.clone();
        let node = handle.create_node().name("node").init(move || process(process_of.clone())).build();
        *machine.inner.node.lock() = Some(node.id());
        machine
    }

    /// The disk as the running process sees it, without its lies.
    pub fn disk(&self) -> MemDisk {
        self.inner.disk.lock().clone()
    }

    /// Turns the disk's knobs.
    pub fn knobs(&self) -> &Knobs {
        &self.inner.knobs
    }

    /// Why the process does not start, while it does not.
    pub fn refused(&self) -> Option<EngineError> {
        self.inner.refused.lock().clone()
    }

    /// Does something in the process.
    ///
    /// # Errors
    /// [`Lost`] when it is down, or dies before it is done.
    ///
    /// # Panics
    /// When it takes longer than anything may take.
    #[expect(clippy::panic, reason = "a failed run ends the simulation")]
    pub async fn call<T, F>(&self, work: impl FnOnce(Engine) -> F + Send + 'static) -> Result<T, Lost>
    where
        T: Send + 'static,
        F: Future<Output = T> + Send + 'static,
    {
        let (reply, answer) = oneshot::channel();
        let call: Call = Box::new(move |engine| {
            Box::pin(async move {
                // Nobody may be waiting any more.
                drop(reply.send(work(engine).await));
            })
        });
        let sent = self.inner.calls.lock().as_ref().is_some_and(|calls| calls.send(call).is_ok());
        if !sent {
            return Err(Lost);
        }
        match timeout(ANSWER_WITHIN, answer).await {
            Ok(answer) => answer.map_err(|_dead| Lost),
            Err(env::rt::time::Elapsed { .. }) => panic!("the engine has not answered for {ANSWER_WITHIN:?}"),
        }
    }

    /// Runs one statement as `root`.
    ///
    /// # Errors
    /// [`Lost`]; inside, what the client is told.
    pub async fn sql(&self, database: Option<&str>, text: String) -> Result<Result<Outcome, EngineError>, Lost> {
        let database = database.map(str::to_owned);
        self.call(move |engine| async move {
            let mut session = engine.session("root");
            if let Some(database) = database {
                session.set_database(&database).await?;
            }
            let mut last = Outcome::ok();
            for statement in &node::sql::parse(&text)? {
                last = session.execute(statement, CancellationToken::new()).await?;
            }
            Ok(last)
        })
        .await
    }

    /// The same, again and again until the process answers.
    ///
    /// # Errors
    /// What the client is told.
    pub async fn sql_patiently(&self, database: Option<&str>, text: &str) -> Result<Outcome, EngineError> {
        loop {
            match self.sql(database, text.to_owned()).await {
                Ok(answer) => return answer,
                Err(Lost) => sleep(Duration::from_millis(200)).await,
            }
        }
    }

    /// Whether the process takes calls.
    pub fn is_up(&self) -> bool {
        self.inner.calls.lock().is_some()
    }

    /// Waits until the process is up; nothing lies meanwhile.
    ///
    /// # Panics
    /// When it does not come up: whatever a crash has left, a process must start from it.
    pub async fn up(&self) {
        let mut tries = 0;
        while self.call(|_| std::future::ready(())).await.is_err() {
            tries += 1;
            assert!(tries < 3_000, "the process does not start: {:?}", self.refused().map(|failed| failed.to_string()));
            sleep(Duration::from_millis(100)).await;
        }
    }

    /// The machine loses its power and gets it back after `down`.
    pub async fn power_cut(&self, handle: &madsim::runtime::Handle, seed: u64, down: Duration) {
        let Some(id) = *self.inner.node.lock() else { return };
        *self.inner.calls.lock() = None;
        // First the disk, then the process: destructors of the dead process reach nothing.
        let after = self.inner.disk.lock().power_cut(seed);
        *self.inner.disk.lock() = after;
        self.again(handle, id, down).await;
    }

    /// The process is killed; what it gave to the operating system stays.
    pub async fn kill(&self, handle: &madsim::runtime::Handle, down: Duration) {
        let Some(id) = *self.inner.node.lock() else { return };
        *self.inner.calls.lock() = None;
        self.again(handle, id, down).await;
    }

    async fn again(&self, handle: &madsim::runtime::Handle, id: madsim::task::NodeId, down: Duration) {
        std::mem::take(&mut *self.inner.life.lock()).end();
        handle.kill(id);
        sleep(down).await;
        handle.kill(id);
        handle.restart(id);
    }

    /// Whether the power has gone since the process was started.
    pub fn is_dark(&self) -> bool {
        self.disk().free_bytes().is_err()
    }

    /// Leaves so much space on the disk, or as much as there is.
    pub fn leave_space(&self, free_bytes: Option<u64>) {
        let disk = self.disk();
        let Some(free_bytes) = free_bytes else { return disk.limit(None) };
        let large = 1 << 50;
        disk.limit(Some(large));
        let used = large.saturating_sub(disk.free_bytes().unwrap_or(large));
        disk.limit(Some(used.saturating_add(free_bytes)));
    }

    /// Ends the machine for good, so that the run can be freed.
    pub fn end(&self, handle: &madsim::runtime::Handle) {
        *self.inner.calls.lock() = None;
        if let Some(id) = self.inner.node.lock().take() {
            handle.kill(id);
        }
    }

    /// Ends the process in order and starts it again.
    pub async fn restart(&self, handle: &madsim::runtime::Handle) {
        let Some(id) = *self.inner.node.lock() else { return };
        let calls = self.inner.calls.lock().take();
        drop(calls);
        // In order means: within its own limits, of which the longest is for clean-up of ended jobs.
        sleep(Duration::from_secs(20)).await;
        self.again(handle, id, Duration::ZERO).await;
    }
}
