//! The command line: `serve`, `sql`, `demo`, `repo`.

mod config;
mod demo;
mod grid;
mod repo;
mod serve;
mod shell;

use clap::{Args, Parser, Subcommand};
use config::Config;
use std::path::PathBuf;
use std::process::ExitCode;
use tracing_subscriber::EnvFilter;

/// Snapshot, backup and restore for columnar tablet stores, with the store and the node they live in.
#[derive(Debug, Parser)]
#[command(name = "tabularium", version, about, long_about = None)]
struct Cli {
    /// What to log, as in RUST_LOG: a level, or target=level pairs; warn unless said otherwise.
    #[arg(long, global = true, value_name = "FILTER")]
    log: Option<String>,
    /// Write the log as one JSON object a line.
    #[arg(long, global = true)]
    log_json: bool,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run a storage node: MySQL protocol and HTTP on a data directory.
    Serve(serve::ServeArgs),
    /// Run SQL: on a data directory of this process' own, or against a server.
    Sql(shell::SqlArgs),
    /// Back up a real database while it is being loaded, destroy it, restore it, and prove it.
    Demo(demo::DemoArgs),
    /// Look at a repository, or the place for one, without a node.
    Repo(repo::RepoArgs),
}

/// A command that was called in a wrong way, where only the command itself could find out.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct Usage(String);

/// Where the embedded engine keeps everything.
#[derive(Debug, Args)]
struct DataDir {
    /// Data directory; made when it does not exist. One process at a time.
    #[arg(long, env = "TABULARIUM_DATA_DIR")]
    data_dir: PathBuf,
}

/// What clap exits with for a command line that it cannot read.
const WRONG_USAGE: u8 = 2;

/// Parses the command line, runs it, and returns the exit code: 0 done, 1 failed, 2 wrong usage; `repo` has more.
pub fn main() -> ExitCode {
    let Cli { log, log_json, command } = Cli::parse();
    let config = match &command {
        Command::Serve(args) => match args.config(log, log_json) {
            Ok(config) if args.print_config => return print(&config.to_file()),
            Ok(config) => config,
            Err(failed) => return fail(&failed),
        },
        Command::Sql(_) | Command::Demo(_) | Command::Repo(_) => {
            let log = log.or_else(|| std::env::var("TABULARIUM_LOG").ok());
            Config { log: log.unwrap_or_else(|| "warn".to_owned()), log_json, ..Config::default() }
        }
    };
    start_log(&config.log, config.log_json);
    let runtime = match tokio::runtime::Builder::new_multi_thread()
        .thread_stack_size(crate::sql::PLANNING_STACK_BYTES)
        .enable_all()
        .build()
    {
        Ok(runtime) => runtime,
        Err(failed) => return fail(&anyhow::Error::new(failed).context("cannot start the runtime")),
    };
    let done = runtime.block_on(async {
        let done = match command {
            Command::Serve(args) => serve::run(args, config).await,
            Command::Sql(args) => shell::run(args).await,
            Command::Demo(args) => demo::run(args).await,
            Command::Repo(args) => return Ok(repo::run(args).await),
        };
        done.map(|()| ExitCode::SUCCESS)
    });
    // Blocking work that is still under way (a file being synced) is not waited for: a kill must be survivable anyway.
    runtime.shutdown_background();
    match done {
        Ok(code) => code,
        Err(failed) => fail(&failed),
    }
}

#[expect(clippy::print_stdout, reason = "what was asked for")]
fn print(text: &str) -> ExitCode {
    print!("{text}");
    ExitCode::SUCCESS
}

fn start_log(log: &str, json: bool) {
    use std::io::IsTerminal;
    let filter = EnvFilter::try_new(log).unwrap_or_else(|_| EnvFilter::new("warn"));
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    if json {
        builder.json().init();
    } else {
        builder.with_ansi(std::io::stderr().is_terminal()).init();
    }
}

#[expect(clippy::print_stderr, reason = "the last word of a command that failed")]
fn fail(failed: &anyhow::Error) -> ExitCode {
    eprintln!("tabularium: {}", snapshot::error::explain(failed.as_ref()));
    if failed.is::<Usage>() { ExitCode::from(WRONG_USAGE) } else { ExitCode::FAILURE }
}
