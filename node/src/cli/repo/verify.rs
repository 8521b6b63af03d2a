//! `tabularium repo verify`: what is damaged, whom it hits, what to do.

use super::output::{self, Output};
use super::{DAMAGED, LimitArgs, RepositoryArgs, find, progress};
use anyhow::Result;
use clap::Args;
use env::rt::CancellationToken;
use repository::verify::{Level, Options, Report, Verdict};
use repository::{ErrorKind, Progress};
use std::process::ExitCode;
use std::sync::Arc;

/// Arguments of `tabularium repo verify`.
#[derive(Debug, Args)]
pub(super) struct VerifyArgs {
    #[command(flatten)]
    repository: RepositoryArgs,
    /// Look at this snapshot only.
    label: Option<String>,
    /// Only if it has this timestamp.
    #[arg(long, requires = "label")]
    timestamp: Option<String>,
    /// How closely: meta (records and pages), size (also length of every object), sample=P% (also P percent of the
    /// chunks of data), full (also every byte).
    #[arg(long, default_value = "size")]
    level: Level,
    /// Choose the chunks of a sample by this number, to look at the same ones again.
    #[arg(long)]
    seed: Option<u64>,
    /// Write nothing to the repository, so keep no sweep away meanwhile.
    #[arg(long)]
    read_only: bool,
    #[command(flatten)]
    limits: LimitArgs,
    #[command(flatten)]
    output: Output,
}

pub(super) async fn run(args: VerifyArgs, stop: &CancellationToken) -> Result<ExitCode> {
    let options = Options {
        level: args.level,
        label: args.label.clone(),
        timestamp: args.timestamp.clone(),
        seed: args.seed,
        read_only: args.read_only,
        limiter: args.limits.limiter(),
        owner: RepositoryArgs::owner("verify"),
        ..Options::default()
    };
    let bar = progress::bytes("verifying")?;
    let counted = bar.clone();
    let heard: Progress = Arc::new(move |bytes| counted.inc(bytes));
    let verified = verify(&args, &options, &heard, stop).await;
    bar.finish_and_clear();
    let report = verified?;
    if args.output.json {
        output::json(&report)?;
    } else {
        output::line(report.to_string())?;
    }
    args.repository.say_left(report.session_left.as_ref());
    Ok(code(&report))
}

/// A repository that is too damaged to be opened is looked at all the same.
async fn verify(args: &VerifyArgs, options: &Options, heard: &Progress, stop: &CancellationToken) -> Result<Report> {
    let opened = args.repository.open_unstopped(stop).await;
    let damaged = |failed: &anyhow::Error| {
        let kind = failed.downcast_ref::<repository::Error>().map(repository::Error::kind);
        matches!(kind, Some(ErrorKind::Corrupt | ErrorKind::Unsupported | ErrorKind::NotFound))
    };
    match opened {
        Ok(repository) => {
            if let Some(label) = &options.label
                && let Err(failed) = find::snapshot(&repository, label, options.timestamp.as_deref()).await
                && failed.downcast_ref::<repository::Error>().map(repository::Error::kind) == Some(ErrorKind::NotFound)
            {
                return Err(failed);
            }
            Ok(repository.verify(options, heard, stop).await?)
        }
        Err(failed) if damaged(&failed) => {
            Ok(repository::verify::verify(args.repository.connect()?, options, heard, stop).await?)
        }
        Err(failed) => Err(failed),
    }
}

fn code(report: &Report) -> ExitCode {
    match report.verdict {
        Verdict::Sound if report.is_sound() => ExitCode::SUCCESS,
        // What is wrong hits no snapshot, but something is.
        Verdict::Sound | Verdict::Damaged => ExitCode::from(DAMAGED),
        Verdict::NotChecked => ExitCode::FAILURE,
    }
}
