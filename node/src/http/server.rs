//! Serves HTTP connections one by one, with limits, and ends them in good order.

use super::metrics::{Gauges, Metrics};
use super::{App, StreamLoader, router};
use crate::mysql::{Authenticator, Connections, TlsUpgrade, Transport};
use axum::{Extension, Router};
use env::rt::sync::{Semaphore, mpsc};
use env::rt::{CancellationToken, Duration, JoinSet, time};
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use std::sync::Arc;
use tokio::net::{TcpListener, TcpStream};

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
    tls: Option<Arc<dyn TlsUpgrade>>,
}

/// Where a request comes from.
#[derive(Debug, Clone)]
pub(crate) struct Peer {
    /// The client's address.
    pub(crate) host: String,
    /// The connection is a TLS session.
    pub(crate) secure: bool,
}

/// The first byte of a TLS session; no HTTP request begins with it.
const TLS_HANDSHAKE: u8 = 0x16;

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
        Self { router: router(app), options, shutdown, kill, loads_ended, tls: None }
    }

    /// Takes TLS on the same port, from clients who begin with it.
    #[must_use]
    pub fn with_tls(self, tls: Arc<dyn TlsUpgrade>) -> Self {
        Self { tls: Some(tls), ..self }
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
                Ok((stream, address)) => {
                    let peer = Peer { host: address.ip().to_string(), secure: false };
                    let (connection, tls) = (self.connection(peer), self.tls.clone());
                    tasks.spawn(async move {
                        connection.accept(stream, tls).await;
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
        let peer = Peer { host: "localhost".to_owned(), secure: false };
        self.connection(peer).serve(stream).await;
    }

    fn connection(&self, peer: Peer) -> Connection {
        Connection {
            router: self.router.clone(),
            peer,
            shutdown: self.shutdown.clone(),
            header_timeout: self.options.header_timeout,
        }
    }
}

struct Connection {
    router: Router,
    peer: Peer,
    shutdown: CancellationToken,
    header_timeout: Duration,
}

impl Connection {
    /// Serves a socket, by TLS when the client begins with it and there is a certificate.
    async fn accept(mut self, stream: TcpStream, tls: Option<Arc<dyn TlsUpgrade>>) {
        let Some(tls) = tls else { return self.serve(Box::new(stream)).await };
        let mut first = [0];
        let upgraded = time::timeout(self.header_timeout, async {
            match stream.peek(&mut first).await {
                Ok(1) if first == [TLS_HANDSHAKE] => tls.upgrade(Box::new(stream)).await.map(|stream| (stream, true)),
                Ok(_) => Ok((Box::new(stream) as Box<dyn Transport>, false)),
                Err(failed) => Err(failed),
            }
        });
        match upgraded.await {
            Ok(Ok((stream, secure))) => {
                self.peer.secure = secure;
                self.serve(stream).await;
            }
            Ok(Err(error)) => tracing::debug!(%error, "an HTTP connection ended before its first request"),
            Err(_elapsed) => tracing::debug!("an HTTP client said nothing"),
        }
    }

    async fn serve(self, stream: Box<dyn Transport>) {
        let router = self.router.layer(Extension(self.peer));
        let served = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(self.header_timeout)
            .max_buf_size(256 << 10)
            .serve_connection(TokioIo::new(stream), TowerToHyperService::new(router));
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
