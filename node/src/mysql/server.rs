//! Takes connections, as many as allowed, and ends them in good order.

use super::auth::Authenticator;
use super::backend::Backend;
use super::channel::{Channel, Transport};
use super::connection::{self, Shared};
use super::login::{Door, TlsUpgrade};
use super::registry::Connections;
use crate::error::{EngineError, ErrorKind, codes};
use crate::http::metrics::Metrics;
use env::rt::{CancellationToken, Duration, JoinSet, time};
use std::sync::Arc;
use tokio::net::TcpListener;

/// What a client may send before it has logged in.
const LOGIN_PACKET_BYTES_MAX: usize = 64 << 10;

/// Limits of a server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// What the greeting says. Clients take what a server can do from its first number.
    pub version: String,
    /// Connections that may be open at once, logged in or not.
    pub connections_max: usize,
    /// The longest packet of a client who has logged in, in bytes; a connection's prepared statements together take
    /// at most as much.
    pub max_allowed_packet_bytes: usize,
    /// A client must have logged in by then.
    pub login_timeout: Duration,
    /// A client who sends nothing for so long is disconnected.
    pub idle_timeout: Duration,
    /// A client who takes nothing of a result for so long is disconnected.
    pub write_timeout: Duration,
    /// At shutdown, statements that are running may go on for so long.
    pub drain_timeout: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            version: format!("8.0.33-tabularium-{}", env!("CARGO_PKG_VERSION")),
            connections_max: 1_024,
            max_allowed_packet_bytes: 64 << 20,
            login_timeout: Duration::from_secs(10),
            idle_timeout: Duration::from_hours(8),
            write_timeout: Duration::from_mins(10),
            drain_timeout: Duration::from_secs(10),
        }
    }
}

/// A server of the MySQL protocol; clones share their connections.
pub struct Server<B> {
    shared: Arc<Shared<B>>,
    connections: Connections,
    /// Cancelled when the connections are to end at once.
    kill: CancellationToken,
}

impl<B> Clone for Server<B> {
    fn clone(&self) -> Self {
        Self { shared: Arc::clone(&self.shared), connections: self.connections.clone(), kill: self.kill.clone() }
    }
}

impl<B> std::fmt::Debug for Server<B> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Server").field("connections", &self.connections.count()).finish_non_exhaustive()
    }
}

impl<B: Backend> Server<B> {
    /// A server that has `backend` execute what the users of `authenticator` send, until `shutdown` is cancelled.
    pub fn new(
        backend: B,
        authenticator: Arc<dyn Authenticator>,
        options: Options,
        metrics: Arc<Metrics>,
        shutdown: CancellationToken,
    ) -> Self {
        let door = Door { version: options.version.clone(), authenticator, tls: None };
        Self {
            shared: Arc::new(Shared { backend, door, options, metrics, shutdown, started: time::Instant::now() }),
            connections: Connections::default(),
            kill: CancellationToken::new(),
        }
    }

    /// Offers TLS to clients. To be called before anything is served.
    #[must_use]
    pub fn with_tls(mut self, tls: Arc<dyn TlsUpgrade>) -> Self {
        if let Some(shared) = Arc::get_mut(&mut self.shared) {
            shared.door.tls = Some(tls);
        }
        self
    }

    /// The open connections.
    pub fn connections(&self) -> &Connections {
        &self.connections
    }

    /// Serves the clients of `listener`. Returns after the shutdown, when every connection has ended: idle ones at
    /// once, the others when their statement is done. After the drain time-out statements are told to stop, and after
    /// twice that time those that do not heed it are dropped where they are. So are all when the future is dropped.
    pub async fn serve(&self, listener: TcpListener) {
        let mut tasks = JoinSet::new();
        loop {
            env::select! {
                () = self.shared.shutdown.cancelled() => break,
                Some(ended) = tasks.join_next(), if !tasks.is_empty() => {
                    // A connection that panics takes only itself down.
                    if let Err(error) = ended {
                        tracing::error!(%error, "a connection's task failed");
                    }
                }
                accepted = listener.accept() => match accepted {
                    Ok((stream, address)) => {
                        if let Err(error) = stream.set_nodelay(true) {
                            tracing::debug!(%error, "cannot switch off the delay of small packets");
                        }
                        let server = self.clone();
                        let host = address.ip().to_string();
                        tasks.spawn(async move { server.serve_stream(Box::new(stream), host).await });
                    }
                    Err(error) => {
                        // Out of file handles, as a rule: connections must end before others can come.
                        tracing::warn!(%error, "cannot take a connection");
                        time::sleep(Duration::from_millis(100)).await;
                    }
                },
            }
        }
        drop(listener);
        let patience = self.shared.options.drain_timeout;
        let drained = time::timeout(patience, drain(&mut tasks)).await;
        self.kill.cancel();
        if drained.is_err() {
            tracing::info!(connections = tasks.len(), "stopping the statements that are still running");
            if time::timeout(patience, drain(&mut tasks)).await.is_err() {
                tracing::warn!(connections = tasks.len(), "dropping statements that do not stop");
                tasks.shutdown().await;
            }
        }
    }

    /// Serves one client over any stream, until the connection's end.
    pub async fn serve_stream(&self, stream: Box<dyn Transport>, host: String) {
        let metrics = &self.shared.metrics;
        metrics.connection_opened();
        let options = &self.shared.options;
        let kill = self.kill.child_token();
        let mut channel = Channel::new(stream, LOGIN_PACKET_BYTES_MAX, options.write_timeout, kill.clone());
        let Some(registered) = self.connections.open(host.clone(), kill, options.connections_max) else {
            metrics.connection_refused();
            channel.put_error(&EngineError::new(codes::TOO_MANY_CONNECTIONS, ErrorKind::Busy, "Too many connections"));
            // Whether the client takes the news or not, it is not let in.
            if time::timeout(Duration::from_secs(1), channel.flush()).await.is_ok() {
                channel.close().await;
            }
            return;
        };
        connection::serve(Arc::clone(&self.shared), channel, registered, host).await;
    }
}

async fn drain(tasks: &mut JoinSet<()>) {
    while let Some(ended) = tasks.join_next().await {
        if let Err(error) = ended {
            tracing::error!(%error, "a connection's task failed");
        }
    }
}
