//! `tabularium repo`: a repository without a node. Needs no data directory; whoever can reach the store can look, check,
//! copy tables out and tidy up.
//!
//! Exit codes: 0 done, 1 failed or not checked, 2 wrong usage, 3 damage was found, 130 stopped by a signal.

mod cat;
mod change;
mod diff;
mod export;
mod find;
mod interrupt;
mod log;
mod ls;
mod output;
mod probe;
mod progress;
mod retain;
mod sessions;
mod show;
mod sweep;
mod usage;
mod verify;

use super::Usage;
use anyhow::Result;
use clap::{Args, Subcommand};
use env::disk::{Disk, RealDisk};
use env::rt::CancellationToken;
use object_store::ObjectStore;
use repository::{ErrorKind, Limiter, Location, Properties, Repository, SessionId};
use std::collections::BTreeMap;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

/// Something in the repository is not what was written.
const DAMAGED: u8 = 3;
/// What a shell reports of a program that SIGINT has ended.
const INTERRUPTED: u8 = 130;

/// Arguments of `tabularium repo`.
#[derive(Debug, Args)]
pub(super) struct RepoArgs {
    #[command(subcommand)]
    command: RepoCommand,
}

#[derive(Debug, Subcommand)]
enum RepoCommand {
    /// List the snapshots, or the tables of one.
    Ls(ls::LsArgs),
    /// Show a snapshot, a table of it, or a partition of the table.
    Show(show::ShowArgs),
    /// Print a record or page of the repository, checked, or the bytes of a snapshot's file.
    Cat(cat::CatArgs),
    /// Say what changed between two snapshots, by table, partition and tablet.
    Diff(diff::DiffArgs),
    /// Copy a snapshot's tables to plain Parquet folders that any tool reads.
    Export(export::ExportArgs),
    /// Find out what is damaged, whom it hits, and what to do. Exits with 0 when sound, 3 when damaged, 1 when it could
    /// not be checked.
    Verify(verify::VerifyArgs),
    /// Drop a snapshot. Space comes back with the next sweep.
    Drop(change::DropArgs),
    /// Forbid to drop a snapshot, until it is released.
    Hold(change::HoldArgs),
    /// Allow to drop a held snapshot again.
    Release(change::ReleaseArgs),
    /// Say which snapshots a policy lets go of; drop them with --yes.
    Retain(retain::RetainArgs),
    /// Delete what no snapshot refers to.
    Sweep(sweep::SweepArgs),
    /// Say what the repository and each snapshot cost, and what a drop would give back.
    Usage(usage::UsageArgs),
    /// List the sessions that have not ended: backups, restores and exports under way, or left by a crash.
    Sessions(sessions::SessionsArgs),
    /// End a session that is dead. One that lives after all loses its work, never data.
    Fence(sessions::FenceArgs),
    /// Print the commit log: who did what, newest first.
    Log(log::LogArgs),
    /// Find out whether a store keeps the promises that a repository needs.
    Probe(probe::ProbeArgs),
}

/// Where a repository is and how to get there; shared by all subcommands.
#[derive(Debug, Args)]
pub(super) struct RepositoryArgs {
    /// The location, as in CREATE REPOSITORY: file:///dir, s3://bucket/prefix, gs://.., az://..
    url: String,
    /// A property, as in CREATE REPOSITORY; may be repeated. A secret is better not typed: use name=env:VARIABLE or
    /// name=file:/path.
    #[arg(long = "property", short = 'p', value_name = "NAME=VALUE", value_parser = property)]
    properties: Vec<(String, String)>,
}

fn property(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        // Not repeated: it may be a secret with its name forgotten.
        _ => Err("a property is written as name=value".to_owned()),
    }
}

impl RepositoryArgs {
    /// Where it is, and with which properties.
    ///
    /// # Errors
    /// [`Usage`] for what is no location, or not its properties.
    pub(super) fn place(&self) -> Result<(Location, Properties)> {
        let location = Location::parse(&self.url).map_err(wrong_usage)?;
        let given: BTreeMap<String, String> = self.properties.iter().cloned().collect();
        if given.len() < self.properties.len() {
            return Err(Usage("a property is given twice".to_owned()).into());
        }
        let properties = Properties::parse(&location, &given).map_err(wrong_usage)?;
        Ok((location, properties))
    }

    /// The store at the location.
    ///
    /// # Errors
    /// [`Usage`] as [`place`](Self::place), and for a secret that is not where a property says.
    pub(super) fn connect(&self) -> Result<Arc<dyn ObjectStore>> {
        let (location, properties) = self.place()?;
        let disk = |dir: &Path| Arc::new(RealDisk::new(dir)) as Arc<dyn Disk>;
        repository::connect(&location, &properties, disk).map_err(wrong_usage)
    }

    /// The repository that is there. Whatever is asked of it ends when `stop` says so.
    ///
    /// # Errors
    /// As [`connect`](Self::connect); what the store says, with the place by name.
    pub(super) async fn open(&self, stop: &CancellationToken) -> Result<Repository> {
        let (location, _) = self.place()?;
        let store = self.connect()?;
        let repository = env::select! {
            () = stop.cancelled() => return Err(repository::Error::Cancelled.into()),
            opened = Repository::open(store) => opened.map_err(|failed| location.blame(failed))?,
        };
        Ok(repository.within(&Limiter::unlimited(), stop))
    }

    /// The repository for what opens a session, which has to be ended after a stop too.
    pub(super) async fn open_unstopped(&self, stop: &CancellationToken) -> Result<Repository> {
        Ok(self.open(stop).await?.within(&Limiter::unlimited(), &CancellationToken::new()))
    }

    /// Says how to end a session that the command could not end.
    pub(super) fn say_left(&self, session: Option<&SessionId>) {
        if let Some(session) = session {
            say(&format!(
                "session {session} may still be open; end it with `tabularium repo fence {} {session}`",
                self.url
            ));
        }
    }

    /// Who opens a session, for people who find it open.
    pub(super) fn owner(command: &str) -> String {
        let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
        let host: String = host.trim().chars().filter(|letter| !letter.is_control()).take(64).collect();
        format!("tabularium repo {command}, process {} on {host}", std::process::id())
    }
}

/// How fast a command may read.
#[derive(Debug, Args)]
pub(super) struct LimitArgs {
    /// Read at most so much in a second, such as 50MiB.
    #[arg(long, value_name = "BYTES")]
    max_bytes_per_second: Option<bytesize::ByteSize>,
    /// Send at most so many requests in a second.
    #[arg(long, value_name = "N")]
    max_requests_per_second: Option<u64>,
}

/// What is wrong with how a command was called, as opposed to what went wrong.
fn wrong_usage(wrong: repository::Error) -> anyhow::Error {
    if wrong.kind() == ErrorKind::Invalid { Usage(wrong.to_string()).into() } else { wrong.into() }
}

impl LimitArgs {
    pub(super) fn limiter(&self) -> Limiter {
        Limiter::new(repository::Rates {
            bytes_per_second: self.max_bytes_per_second.map(|size| size.as_u64()),
            requests_per_second: self.max_requests_per_second,
        })
    }
}

/// Runs the subcommand and says what came of it.
pub(super) async fn run(args: RepoArgs) -> ExitCode {
    let stop = interrupt::listen();
    let done = match args.command {
        RepoCommand::Ls(args) => ls::run(args, &stop).await,
        RepoCommand::Show(args) => show::run(args, &stop).await,
        RepoCommand::Cat(args) => cat::run(args, &stop).await,
        RepoCommand::Diff(args) => diff::run(args, &stop).await,
        RepoCommand::Export(args) => export::run(args, &stop).await,
        RepoCommand::Verify(args) => return told(verify::run(args, &stop).await),
        RepoCommand::Drop(args) => change::drop_snapshot(args, &stop).await,
        RepoCommand::Hold(args) => change::hold(args, &stop).await,
        RepoCommand::Release(args) => change::release(args, &stop).await,
        RepoCommand::Retain(args) => retain::run(args, &stop).await,
        RepoCommand::Sweep(args) => sweep::run(args, &stop).await,
        RepoCommand::Usage(args) => usage::run(args, &stop).await,
        RepoCommand::Sessions(args) => sessions::run(args, &stop).await,
        RepoCommand::Fence(args) => sessions::fence(args, &stop).await,
        RepoCommand::Log(args) => log::run(args, &stop).await,
        RepoCommand::Probe(args) => probe::run(args, &stop).await,
    };
    told(done.map(|()| ExitCode::SUCCESS))
}

fn told(done: Result<ExitCode>) -> ExitCode {
    let failed = match done {
        Ok(code) => return code,
        Err(failed) => failed,
    };
    let kind = failed.chain().find_map(|cause| {
        let own = cause.downcast_ref::<repository::Error>().map(repository::Error::kind);
        own.or_else(|| cause.downcast_ref::<snapshot::Error>().map(snapshot::Error::kind))
    });
    if kind == Some(ErrorKind::Cancelled) {
        say("tabularium: stopped");
        return ExitCode::from(INTERRUPTED);
    }
    say(&format!("tabularium: {}", snapshot::error::explain(failed.as_ref())));
    if let Some(hint) = kind.filter(|_| !failed.chain().any(says_itself)).and_then(hint) {
        say(&format!("  {hint}"));
    }
    match kind {
        _ if failed.is::<Usage>() => ExitCode::from(super::WRONG_USAGE),
        Some(ErrorKind::Corrupt) => ExitCode::from(DAMAGED),
        Some(ErrorKind::Invalid) => ExitCode::from(super::WRONG_USAGE),
        _ => ExitCode::FAILURE,
    }
}

/// Whether an error says what to do next.
fn says_itself(cause: &(dyn std::error::Error + 'static)) -> bool {
    use repository::Error;
    matches!(cause.downcast_ref(), Some(Error::Held { .. } | Error::Unusable { .. }))
}

/// What to do next, where the error does not say it itself.
fn hint(kind: ErrorKind) -> Option<&'static str> {
    match kind {
        ErrorKind::Corrupt => Some("`tabularium repo verify` says what else is damaged, whom it hits, and what to do"),
        ErrorKind::Denied => {
            Some("check the credentials and what they allow; they are given by --property or by the environment")
        }
        ErrorKind::Unavailable | ErrorKind::TimedOut => {
            Some("check address and network, and run the command again; --log debug shows each attempt")
        }
        ErrorKind::Indeterminate => Some("run the command again: it finds out what became of this attempt"),
        ErrorKind::Conflict => Some("run the command again"),
        ErrorKind::Invalid
        | ErrorKind::NotFound
        | ErrorKind::AlreadyExists
        | ErrorKind::Busy
        | ErrorKind::Fenced
        | ErrorKind::Full
        | ErrorKind::Cancelled
        | ErrorKind::Unsupported
        | ErrorKind::Internal => None,
    }
}

#[expect(clippy::print_stderr, reason = "a command talks to its user")]
fn say(text: &str) {
    eprintln!("{text}");
}
