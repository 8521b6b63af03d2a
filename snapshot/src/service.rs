//! Jobs at work: the coordinator, the node's agent and the upkeep of repositories as tasks of this process.

use crate::agent;
use crate::coordinator;
use crate::error::{Result, explain};
use crate::jobs::{Jobs, Shared, kept_node_limits};
use crate::journal::Mirror;
use crate::limits::Limits;
use crate::live::Live;
use crate::maintenance::{self, Desks};
use crate::options::Options;
use crate::repositories::Repositories;
use crate::source::SnapshotSource;
use catalog::records::job::JobRecord;
use catalog::{At, Catalog, keys};
use env::ids::NodeId;
use env::rt::{self, CancellationToken, Duration, JoinSet};
use parking_lot::Mutex;
use std::sync::Arc;

/// Where the cluster's own id is kept.
const CLUSTER_KEY: &str = "cluster/id";

/// How long a stop waits for the clean-up of jobs that have ended.
const STOP_PATIENCE: Duration = Duration::from_secs(5);

/// The coordinator, the agent and the upkeep of repositories. Dropping it stops all three at once, as a crash would.
#[derive(Debug)]
pub struct Service {
    shared: Arc<Shared>,
    stop: CancellationToken,
    tasks: JoinSet<()>,
}

impl Service {
    /// Starts them. Jobs that an earlier process left go on from what is journaled; pins and stages of jobs that have
    /// ended or are unknown are let go of.
    ///
    /// # Errors
    /// What the catalog says.
    pub async fn start(
        catalog: Catalog,
        source: Arc<dyn SnapshotSource>,
        repositories: Arc<dyn Repositories>,
        node: NodeId,
        options: Options,
    ) -> Result<(Jobs, Self)> {
        let cluster = cluster_id(&catalog).await?;
        let limits = Limits::new(kept_node_limits(&catalog, options.node_rates).await?);
        let shared = Arc::new(Shared {
            catalog,
            repositories,
            source: Arc::clone(&source),
            node,
            cluster,
            options,
            limits,
            live: Live::default(),
            desks: Desks::default(),
            recovered: Mutex::default(),
        });
        let stop = CancellationToken::new();
        let mut tasks = JoinSet::new();
        let of_node = Arc::new(agent::Node::new(Arc::clone(&shared), source));
        tasks.spawn(supervise("agent", stop.clone(), {
            let stop = stop.clone();
            move || agent::run(Arc::clone(&of_node), stop.clone())
        }));
        tasks.spawn(supervise("coordinator", stop.clone(), {
            let (shared, stop) = (Arc::clone(&shared), stop.clone());
            move || coordinator::run(Arc::clone(&shared), stop.clone())
        }));
        tasks.spawn(supervise("maintenance", stop.clone(), {
            let (shared, stop) = (Arc::clone(&shared), stop.clone());
            move || maintenance::run(Arc::clone(&shared), stop.clone())
        }));
        tasks.spawn(supervise("verify", stop.clone(), {
            let (shared, stop) = (Arc::clone(&shared), stop.clone());
            move || maintenance::verify::run(Arc::clone(&shared), stop.clone())
        }));
        Ok((Jobs::new(Arc::clone(&shared)), Self { shared, stop, tasks }))
    }

    /// Stops them. Running jobs go on when a service is started again; the clean-up of ended ones gets a few seconds.
    pub async fn stop(mut self) {
        if rt::time::timeout(STOP_PATIENCE, self.ended_jobs_cleaned()).await.is_err() {
            tracing::info!("ended jobs are cleaned up at the next start");
        }
        self.stop.cancel();
        while self.tasks.join_next().await.is_some() {}
    }

    async fn ended_jobs_cleaned(&self) {
        let Ok(mut jobs) = Mirror::<JobRecord>::open(&self.shared.catalog, keys::JOBS).await else { return };
        while jobs.records().values().any(|job| job.is_done() && !job.is_cleaned()) {
            jobs.changed().await;
        }
    }
}

/// Runs one of them until `stop`, again when the catalog did not answer.
async fn supervise<F>(name: &'static str, stop: CancellationToken, mut run: impl FnMut() -> F + Send)
where
    F: Future<Output = Result<()>> + Send,
{
    loop {
        match run().await {
            Ok(()) => return,
            Err(failed) => tracing::error!(name, error = %explain(&failed), "stopped; starting again"),
        }
        env::select! {
            () = stop.cancelled() => return,
            () = rt::time::sleep(Duration::from_secs(1)) => {}
        }
    }
}

/// The cluster's id, made by whoever asks first.
async fn cluster_id(catalog: &Catalog) -> Result<String> {
    loop {
        if let Some(entry) = catalog.store().get(CLUSTER_KEY, At::Latest).await? {
            return Ok(String::from_utf8_lossy(&entry.value).into_owned());
        }
        let made = catalog.change().absent_key(CLUSTER_KEY).put_raw(CLUSTER_KEY, env::rand::token()).commit().await;
        match made {
            Ok(_) => {}
            Err(failed) if failed.is_conflict() => {}
            Err(failed) => return Err(failed.into()),
        }
    }
}
