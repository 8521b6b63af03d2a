//! `tabularium repo verify`: what is damaged, whom it hits, what to do.

use super::output::{self, Output};
use super::{DAMAGED, LimitArgs, RepositoryArgs, find, progress};
use anyhow::Result;
use clap::Args;
use env::rt::time::timeout;
use env::rt::{CancellationToken, Duration};
use repository::verify::{Level, Options, Report, Verdict};
use repository::{ErrorKind, Progress};
use std::process::ExitCode;
use std::sync::Arc;

/// How long the end of a session may take that did not end in order.
const FENCE: Duration = Duration::from_millis(500);

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
            let id = if options.read_only { None } else { Some(repository.new_session_id().await?) };
            let options = Options { session: id.clone(), ..options.clone() };
            let limited = repository.within(&args.limits.limiter(), &CancellationToken::new());
            let mut verified = limited.verify(&options, heard, stop).await;
            // What is owed to a limit keeps the end of the session waiting; there is no limit for this.
            let unsure = verified.as_ref().map_or(true, |report| report.session_left.is_some());
            if let Some(id) = id.filter(|_| unsure)
                && matches!(timeout(FENCE, repository.fence(&id)).await, Ok(Ok(())))
                && let Ok(report) = &mut verified
            {
                report.session_left = None;
            }
            Ok(verified?)
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
