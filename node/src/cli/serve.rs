//! `tabularium serve`: a storage node on one data directory.

use super::config::{Config, Sources};
use crate::engine::Engine;
use crate::tls::Tls;
use anyhow::{Context, Result, bail};
use clap::Args;
use env::rt::CancellationToken;
use std::path::PathBuf;

/// Arguments of `tabularium serve`.
#[derive(Debug, Args)]
pub(super) struct ServeArgs {
    /// Configuration file, in TOML; the environment and the command line go before it.
    #[arg(long, value_name = "FILE", env = "TABULARIUM_CONFIG")]
    config: Option<PathBuf>,
    /// A setting by its name in the configuration file, such as jobs.retries=3; may be repeated.
    #[arg(long, value_name = "NAME=VALUE")]
    set: Vec<String>,
    /// Print all settings as a configuration file and leave.
    #[arg(long)]
    pub(super) print_config: bool,
    /// Data directory; made when it does not exist. One process at a time.
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,
    /// Where to listen for MySQL clients [default: 127.0.0.1:9030].
    #[arg(long, value_name = "ADDR")]
    mysql_addr: Option<String>,
    /// Where to listen for HTTP: stream load, health, metrics [default: 127.0.0.1:8030].
    #[arg(long, value_name = "ADDR")]
    http_addr: Option<String>,
    /// The server's certificate, a PEM file: clients may then use TLS on both ports.
    #[arg(long, value_name = "FILE")]
    tls_cert: Option<PathBuf>,
    /// The certificate's private key, a PEM file.
    #[arg(long, value_name = "FILE")]
    tls_key: Option<PathBuf>,
    /// Stop for good at this named point of a job, to be killed there. For tests of crashes.
    #[arg(long, hide = true, env = "TABULARIUM_STOP_AT")]
    stop_at: Option<String>,
}

impl ServeArgs {
    /// What the node is told, by all sources together.
    ///
    /// # Errors
    /// See [`Config::read`].
    pub(super) fn config(&self, log: Option<String>, log_json: bool) -> Result<Config> {
        let path = |path: &Option<PathBuf>| path.as_ref().map(|path| path.display().to_string());
        let given = [
            ("data_dir", path(&self.data_dir)),
            ("mysql_addr", self.mysql_addr.clone()),
            ("http_addr", self.http_addr.clone()),
            ("tls_cert", path(&self.tls_cert)),
            ("tls_key", path(&self.tls_key)),
            ("log", log),
            ("log_json", log_json.then(|| "true".to_owned())),
        ];
        let flags = given.into_iter().filter_map(|(name, value)| Some((name, value?))).collect();
        Config::read(&Sources { file: self.config.as_deref(), set: &self.set, flags }, |name| std::env::var(name).ok())
    }
}

/// Serves until SIGINT or SIGTERM; jobs that run then go on when the node is started again.
pub(super) async fn run(args: ServeArgs, config: Config) -> Result<()> {
    if let Some(point) = &args.stop_at {
        env::pause::stop_at(point, |point| say(&format!("stopped at {point}")));
    }
    let Config { mysql_addr, http_addr, engine, tls_cert, tls_key, .. } = config;
    let tls = match (&tls_cert, &tls_key) {
        (Some(certificate), Some(key)) => Some(Tls::from_files(certificate, key)?),
        (None, None) => None,
        (Some(_), None) => bail!("tls_cert is set and tls_key is not: set both for TLS, or none"),
        (None, Some(_)) => bail!("tls_key is set and tls_cert is not: set both for TLS, or none"),
    };
    let data_dir = engine.data_dir.clone();
    let engine =
        Engine::open(engine).await.with_context(|| format!("cannot open data directory {}", data_dir.display()))?;
    let mysql = tokio::net::TcpListener::bind(mysql_addr)
        .await
        .with_context(|| format!("cannot listen on mysql_addr {mysql_addr}"))?;
    let http = tokio::net::TcpListener::bind(http_addr)
        .await
        .with_context(|| format!("cannot listen on http_addr {http_addr}"))?;
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
