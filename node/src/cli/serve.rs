//! `tabularium serve`: a storage node on one data directory.

use super::DataDir;
use crate::engine::{Engine, EngineOptions};
use crate::tls::Tls;
use anyhow::{Context, Result};
use clap::Args;
use env::rt::CancellationToken;
use std::net::SocketAddr;
use std::path::PathBuf;

/// Arguments of `tabularium serve`.
#[derive(Debug, Args)]
pub(super) struct ServeArgs {
    #[command(flatten)]
    data: DataDir,
    /// Where to listen for MySQL clients.
    #[arg(long, default_value = "127.0.0.1:9030")]
    mysql_addr: SocketAddr,
    /// Where to listen for HTTP: stream load, health, metrics.
    #[arg(long, default_value = "127.0.0.1:8030")]
    http_addr: SocketAddr,
    /// The server's certificate, a PEM file: clients may then use TLS on both ports.
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    tls_cert: Option<PathBuf>,
    /// The certificate's private key, a PEM file.
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    tls_key: Option<PathBuf>,
    /// Stop for good at this named point of a job, to be killed there. For tests of crashes.
    #[arg(long, hide = true, env = "TABULARIUM_STOP_AT")]
    stop_at: Option<String>,
}

/// Serves until SIGINT or SIGTERM; jobs that run then go on when the node is started again.
pub(super) async fn run(args: ServeArgs) -> Result<()> {
    if let Some(point) = &args.stop_at {
        env::pause::stop_at(point, |point| say(&format!("stopped at {point}")));
    }
    let tls = match (&args.tls_cert, &args.tls_key) {
        (Some(certificate), Some(key)) => Some(Tls::from_files(certificate, key)?),
        (None, _) | (_, None) => None,
    };
    let engine = Engine::open(EngineOptions::new(&args.data.data_dir))
        .await
        .with_context(|| format!("cannot open data directory {}", args.data.data_dir.display()))?;
    let mysql = tokio::net::TcpListener::bind(args.mysql_addr)
        .await
        .with_context(|| format!("cannot listen on --mysql-addr {}", args.mysql_addr))?;
    let http = tokio::net::TcpListener::bind(args.http_addr)
        .await
        .with_context(|| format!("cannot listen on --http-addr {}", args.http_addr))?;
    // The lines a script waits for: the ports are chosen by now, also when it asked for port 0.
    say(&format!("mysql on {}", mysql.local_addr()?));
    say(&format!("http on {}", http.local_addr()?));
    say("ready");
    let stop = CancellationToken::new();
    let served = crate::server::serve(engine.clone(), mysql, http, tls, stop.clone());
    tokio::pin!(served);
    let outcome = tokio::select! {
        outcome = &mut served => outcome,
        signal = asked_to_stop() => {
            say(&format!("{signal}: stopping"));
            stop.cancel();
            served.await
        }
    };
    engine.shutdown().await;
    outcome
}

async fn asked_to_stop() -> &'static str {
    use tokio::signal::unix::{SignalKind, signal};
    let terminate = async {
        match signal(SignalKind::terminate()) {
            Ok(mut signal) => signal.recv().await,
            Err(_) => std::future::pending().await,
        }
    };
    tokio::select! {
        _ = tokio::signal::ctrl_c() => "SIGINT",
        _ = terminate => "SIGTERM",
    }
}

#[expect(clippy::print_stderr, reason = "what a person or a script that started the node waits for")]
fn say(text: &str) {
    eprintln!("tabularium: {text}");
}
