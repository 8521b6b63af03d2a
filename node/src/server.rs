//! Both doors of a node, over one engine: MySQL clients and HTTP clients, until they are told to stop.

use crate::account;
use crate::engine::Engine;
use crate::error::EngineError;
use crate::http::metrics::{Gauges, Metrics, Sample, SampleKind};
use crate::http::{HttpOptions, HttpServer, StreamLoader};
use crate::job_metrics;
use crate::mysql::{Account, Authenticator, Credential, EngineBackend, Options, Server, StoredPassword, TlsUpgrade};
use crate::session::VERSION;
use crate::stream_load::{StreamLoad, StreamLoadResult};
use crate::tls::Tls;
use async_trait::async_trait;
use bytes::Bytes;
use catalog::records::{RepositoryRecord, UpkeepRecord};
use catalog::{At, keys};
use env::rt::CancellationToken;
use env::rt::time::unix_millis;
use futures::stream::BoxStream;
use snapshot::JobRecord;
use std::io;
use std::sync::Arc;
use tokio::net::TcpListener;

/// Serves until `stop` is cancelled and all clients have been seen off: idle ones at once, busy ones when they are done or,
/// after a while, stopped. The engine stays open.
///
/// # Errors
/// What the catalog says; what would keep a door from opening.
pub async fn serve(
    engine: Engine,
    mysql: TcpListener,
    http: TcpListener,
    tls: Option<Tls>,
    stop: CancellationToken,
) -> anyhow::Result<()> {
    if !account::root_has_password(engine.catalog()).await? {
        tracing::warn!(
            "the user root has no password, so it is let in from this machine only; set one with: \
             ALTER USER root IDENTIFIED BY '..'"
        );
    }
    let users: Arc<dyn Authenticator> = Arc::new(Accounts(engine.clone()));
    let tls = tls.map(|tls| Arc::new(tls) as Arc<dyn TlsUpgrade>);
    let metrics = Arc::new(Metrics::default());
    let options = Options { version: VERSION.to_owned(), ..Options::default() };
    let backend = EngineBackend::new(engine.clone());
    let mut server = Server::new(backend, Arc::clone(&users), options, Arc::clone(&metrics), stop.clone());
    let inside = Arc::new(Inside(engine));
    let mut loads = HttpServer::new(
        Arc::clone(&inside) as Arc<dyn StreamLoader>,
        users,
        HttpOptions::default(),
        metrics,
        Some(inside),
        server.connections().clone(),
        stop,
    );
    if let Some(tls) = tls {
        server = server.with_tls(Arc::clone(&tls));
        loads = loads.with_tls(tls);
    }
    env::rt::join!(server.serve(mysql), loads.serve(http));
    Ok(())
}

/// The accounts of an engine, as the doors see them.
struct Accounts(Engine);

#[async_trait]
impl Authenticator for Accounts {
    async fn account(&self, user: &str, host: &str) -> Option<Account> {
        let found = match account::login(self.0.catalog(), user, host).await {
            Ok(found) => found?,
            Err(error) => {
                tracing::warn!(%error, "cannot look up who wants to log in");
                return None;
            }
        };
        let credential = match &found.secret {
            // Who has no password may do everything: not from elsewhere.
            None if found.name == account::ROOT && !account::is_loopback(host) => {
                tracing::warn!(host, "root was refused, since it has no password");
                return None;
            }
            None => Credential::Nothing,
            Some(secret) => Credential::Password(StoredPassword::from_record(secret)?),
        };
        let identity = account::Identity { name: found.name, host: found.host };
        Some(Account { identity, credential, require_tls: found.require_tls })
    }

    fn decoy(&self) -> StoredPassword {
        StoredPassword::native_decoy()
    }
}

/// The engine, as the HTTP door sees it.
struct Inside(Engine);

#[async_trait]
impl StreamLoader for Inside {
    async fn stream_load(
        &self,
        load: StreamLoad,
        body: BoxStream<'static, io::Result<Bytes>>,
        stop: CancellationToken,
    ) -> Result<StreamLoadResult, EngineError> {
        self.0.stream_load(load, body, stop).await
    }
}

#[async_trait]
impl Gauges for Inside {
    async fn samples(&self) -> Vec<Sample> {
        let gauge = |name, help, labels, value| Sample { name, help, kind: SampleKind::Gauge, labels, value };
        let mut samples = vec![
            gauge(
                "tabularium_uptime_seconds",
                "Since the engine was opened.",
                Vec::new(),
                self.0.uptime().as_secs_f64(),
            ),
            gauge("tabularium_tablets", "Tablets on this node.", Vec::new(), whole(self.0.store().tablets().len())),
        ];
        match self.running().await {
            Ok(jobs) => {
                samples.push(gauge("tabularium_jobs_running", "Backups and restores.", Vec::new(), whole(jobs.len())));
                for job in &jobs {
                    let help = "Bytes that a running job has moved.";
                    samples.push(gauge("tabularium_job_done_bytes", help, job.labels(), number(job.done)));
                }
                for job in &jobs {
                    let help = "Bytes that a running job has to move.";
                    samples.push(gauge("tabularium_job_bytes", help, job.labels(), number(job.total)));
                }
            }
            Err(error) => tracing::warn!(%error, "cannot tell how the jobs are"),
        }
        match job_metrics::samples(&self.0).await {
            Ok(jobs) => samples.extend(jobs),
            Err(error) => tracing::warn!(%error, "cannot tell how the jobs were"),
        }
        match self.upkeep().await {
            Ok(upkeep) => samples.extend(upkeep),
            Err(error) => tracing::warn!(%error, "cannot tell how the repositories are"),
        }
        samples
    }
}

struct RunningJob {
    record: JobRecord,
    done: u64,
    total: u64,
}

impl RunningJob {
    fn labels(&self) -> Vec<(&'static str, String)> {
        vec![
            ("job", self.record.id.to_string()),
            ("kind", self.record.kind().as_str().to_ascii_lowercase()),
            ("database", self.record.database_name.clone()),
        ]
    }
}

/// A figure about the upkeep of a repository.
type Figure = (&'static str, &'static str, SampleKind, fn(&UpkeepRecord) -> u64);

/// What is told of each repository's upkeep.
const UPKEEP: [Figure; 5] = [
    (
        "tabularium_repository_garbage_bytes",
        "Bytes that the last sweep was to delete and could not.",
        SampleKind::Gauge,
        |upkeep| upkeep.garbage_bytes,
    ),
    (
        "tabularium_repository_swept_bytes_total",
        "Bytes that sweeps of this cluster have deleted.",
        SampleKind::Counter,
        |upkeep| upkeep.swept_total_bytes,
    ),
    (
        "tabularium_repository_expired_snapshots_total",
        "Snapshots that were dropped because their time was over.",
        SampleKind::Counter,
        |upkeep| upkeep.expired_total,
    ),
    (
        "tabularium_repository_upkeep_failed_total",
        "Rounds of upkeep that have failed.",
        SampleKind::Counter,
        |upkeep| upkeep.failed_total,
    ),
    (
        "tabularium_repository_upkeep_failures",
        "Rounds of upkeep that have failed since one succeeded.",
        SampleKind::Gauge,
        |upkeep| u64::from(upkeep.failures),
    ),
];

impl Inside {
    /// How the upkeep of the repositories goes.
    async fn upkeep(&self) -> Result<Vec<Sample>, EngineError> {
        let upkeep = self.0.jobs().upkeep().await?;
        let repositories = self.0.catalog().repositories(At::Latest).await?;
        let kept: Vec<(&RepositoryRecord, &UpkeepRecord)> = repositories
            .iter()
            .filter_map(|record| Some((&record.record, upkeep.iter().find(|upkeep| upkeep.repository == record.id)?)))
            .collect();
        let label = |record: &RepositoryRecord| vec![("repository", record.name.clone())];
        let mut samples = Vec::new();
        for (name, help, kind, pick) in UPKEEP {
            samples.extend(kept.iter().map(|(record, upkeep)| Sample {
                name,
                help,
                kind,
                labels: label(record),
                value: number(pick(upkeep)),
            }));
        }
        let now_ms = unix_millis();
        samples.extend(kept.iter().filter_map(|(record, upkeep)| {
            Some(Sample {
                name: "tabularium_repository_last_sweep_age_seconds",
                help: "Since a sweep last left nothing to delete.",
                kind: SampleKind::Gauge,
                labels: label(record),
                value: number(now_ms.saturating_sub(upkeep.swept_ms?) / 1_000),
            })
        }));
        Ok(samples)
    }

    async fn running(&self) -> Result<Vec<RunningJob>, EngineError> {
        let records = self.0.catalog().list::<JobRecord>(keys::JOBS, At::Latest).await?;
        let mut running = Vec::new();
        for record in records.into_iter().map(|stored| stored.record).filter(|record| !record.is_done()) {
            let progress = self.0.jobs().progress(record.id).await?;
            running.push(RunningJob { record, done: progress.bytes_done, total: progress.bytes_total });
        }
        Ok(running)
    }
}

fn whole(count: usize) -> f64 {
    number(u64::try_from(count).unwrap_or(u64::MAX))
}

#[expect(clippy::cast_precision_loss, reason = "a gauge is a double; above 2^53 the last digits do not matter")]
fn number(value: u64) -> f64 {
    value as f64
}
