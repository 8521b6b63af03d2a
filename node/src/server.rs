//! Both doors of a node, over one engine: MySQL clients and HTTP clients, until they are told to stop.

use crate::engine::Engine;
use crate::error::EngineError;
use crate::http::metrics::{Gauges, Metrics, Sample, SampleKind};
use crate::http::{HttpOptions, HttpServer, StreamLoader};
use crate::mysql::{Authenticator, EngineBackend, Options, RootOnly, Server};
use crate::session::VERSION;
use crate::stream_load::{StreamLoad, StreamLoadResult};
use async_trait::async_trait;
use bytes::Bytes;
use catalog::{At, keys};
use env::rt::CancellationToken;
use futures::stream::BoxStream;
use snapshot::JobRecord;
use std::io;
use std::sync::Arc;
use tokio::net::TcpListener;

/// Serves until `stop` is cancelled and all clients have been seen off: idle ones at once, busy ones when they are done or,
/// after a while, stopped. The engine stays open.
///
/// # Errors
/// None at present; what would keep a door from opening.
pub async fn serve(
    engine: Engine,
    mysql: TcpListener,
    http: TcpListener,
    stop: CancellationToken,
) -> anyhow::Result<()> {
    let users: Arc<dyn Authenticator> = Arc::new(RootOnly);
    let metrics = Arc::new(Metrics::default());
    let options = Options { version: VERSION.to_owned(), ..Options::default() };
    let backend = EngineBackend::new(engine.clone());
    let server = Server::new(backend, Arc::clone(&users), options, Arc::clone(&metrics), stop.clone());
    let inside = Arc::new(Inside(engine));
    let loads = HttpServer::new(
        Arc::clone(&inside) as Arc<dyn StreamLoader>,
        users,
        HttpOptions::default(),
        metrics,
        Some(inside),
        server.connections().clone(),
        stop,
    );
    env::rt::join!(server.serve(mysql), loads.serve(http));
    Ok(())
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

impl Inside {
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
