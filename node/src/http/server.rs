//! Serves HTTP connections one by one, with limits, and ends them in good order.

use super::metrics::{Gauges, Metrics};
use super::{App, StreamLoader, router};
use crate::mysql::{Authenticator, Connections, Transport};
use axum::Router;
use env::rt::sync::{Semaphore, mpsc};
use env::rt::{CancellationToken, Duration, JoinSet, time};
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use std::sync::Arc;
use tokio::net::TcpListener;

/// Limits of the server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpOptions {
    /// Connections that may be open at once; more wait.
    pub connections_max: usize,
    /// A request's headers must have come by then.
    pub header_timeout: Duration,
    /// Longest body of a load in bytes.
    pub body_bytes_max: u64,
    /// A load whose client sends nothing for so long is aborted.
    pub body_idle_timeout: Duration,
    /// At shutdown, loads that are running may go on for so long.
    pub drain_timeout: Duration,
}

impl Default for HttpOptions {
    fn default() -> Self {
        Self {
            connections_max: 256,
            header_timeout: Duration::from_secs(10),
            body_bytes_max: 10 << 30,
            body_idle_timeout: Duration::from_mins(1),
            drain_timeout: Duration::from_secs(10),
        }
    }
}

/// The HTTP server.
pub struct HttpServer {
    router: Router,
    options: HttpOptions,
    shutdown: CancellationToken,
    kill: CancellationToken,
    loads_ended: mpsc::Receiver<()>,
}

impl std::fmt::Debug for HttpServer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("HttpServer").field("options", &self.options).finish_non_exhaustive()
    }
}

impl HttpServer {
    /// A server that has `loader` do the loads that the users of `authenticator` send, until `shutdown` is cancelled.
    /// `connections` and `metrics` are those of the MySQL server; `gauges` tells what else is to be shown.
    pub fn new(
        loader: Arc<dyn StreamLoader>,
        authenticator: Arc<dyn Authenticator>,
        options: HttpOptions,
        metrics: Arc<Metrics>,
        gauges: Option<Arc<dyn Gauges>>,
        connections: Connections,
        shutdown: CancellationToken,
    ) -> Self {
        let kill = CancellationToken::new();
        let (alive, loads_ended) = mpsc::channel(1);
        let app = App {
            loader,
            authenticator,
            metrics,
            gauges,
            connections,
            options: options.clone(),
            shutdown: shutdown.clone(),
            kill: kill.clone(),
            alive,
        };
        Self { router: router(app), options, shutdown, kill, loads_ended }
    }

    /// Serves the clients of `listener`. Returns after the shutdown, when every load has ended: at the latest when the
    /// drain time-out is over, loads are told to stop, and they are waited for as long again.
    pub async fn serve(self, listener: TcpListener) {
        let permits = Arc::new(Semaphore::new(self.options.connections_max));
        let mut tasks = JoinSet::new();
        loop {
            let permit = env::select! {
                () = self.shutdown.cancelled() => break,
                Some(_ended) = tasks.join_next(), if !tasks.is_empty() => continue,
                permit = Arc::clone(&permits).acquire_owned() => permit,
            };
            let accepted = env::select! {
                () = self.shutdown.cancelled() => break,
                accepted = listener.accept() => accepted,
            };
            match accepted {
                Ok((stream, _address)) => {
                    let connection = self.connection();
                    tasks.spawn(async move {
                        connection.serve(Box::new(stream)).await;
                        drop(permit);
                    });
                }
                Err(error) => {
                    tracing::warn!(%error, "cannot take an HTTP connection");
                    time::sleep(Duration::from_millis(100)).await;
                }
            }
        }
        drop(listener);
        self.end(tasks).await;
    }

    async fn end(self, mut tasks: JoinSet<()>) {
        let Self { router, options, kill, mut loads_ended, .. } = self;
        let patience = options.drain_timeout;
        let drain = async |tasks: &mut JoinSet<()>| while tasks.join_next().await.is_some() {};
        if time::timeout(patience, drain(&mut tasks)).await.is_err() {
            kill.cancel();
            if time::timeout(patience, drain(&mut tasks)).await.is_err() {
                tasks.shutdown().await;
            }
        }
        kill.cancel();
        // With the last router the last sender goes, and with each load its own.
        drop(router);
        if time::timeout(patience, loads_ended.recv()).await.is_err() {
            tracing::warn!("leaving a load that does not stop");
        }
    }

    /// Serves one connection over any stream, until it ends.
    pub async fn serve_stream(&self, stream: Box<dyn Transport>) {
        self.connection().serve(stream).await;
    }

    fn connection(&self) -> Connection {
        Connection {
            router: self.router.clone(),
            shutdown: self.shutdown.clone(),
            header_timeout: self.options.header_timeout,
        }
    }
}

struct Connection {
    router: Router,
    shutdown: CancellationToken,
    header_timeout: Duration,
}

impl Connection {
    async fn serve(self, stream: Box<dyn Transport>) {
        let served = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(self.header_timeout)
            .max_buf_size(256 << 10)
            .serve_connection(TokioIo::new(stream), TowerToHyperService::new(self.router));
        let mut served = std::pin::pin!(served);
        let ended = env::select! {
            ended = &mut served => ended,
            () = self.shutdown.cancelled() => {
                served.as_mut().graceful_shutdown();
                served.await
            }
        };
        if let Err(error) = ended {
            tracing::debug!(%error, "an HTTP connection ended");
        }
    }
}
