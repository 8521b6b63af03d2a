//! `tabularium repo drop`, `hold` and `release`: one record of the log each.

use super::output::{self, Output};
use super::{RepositoryArgs, find};
use anyhow::Result;
use clap::Args;
use env::rt::CancellationToken;
use env::rt::time::unix_millis;
use repository::{Generation, Repository, SnapshotSummary};
use serde::Serialize;

/// Which snapshot.
#[derive(Debug, Args)]
struct Chosen {
    #[command(flatten)]
    repository: RepositoryArgs,
    /// The snapshot's label.
    label: String,
    /// Only if it has this timestamp.
    #[arg(long)]
    timestamp: Option<String>,
    #[command(flatten)]
    output: Output,
}

/// Arguments of `tabularium repo drop`.
#[derive(Debug, Args)]
pub(super) struct DropArgs {
    #[command(flatten)]
    chosen: Chosen,
}

/// Arguments of `tabularium repo hold`.
#[derive(Debug, Args)]
pub(super) struct HoldArgs {
    #[command(flatten)]
    chosen: Chosen,
    /// Why, for people.
    #[arg(long, default_value = "")]
    reason: String,
}

/// Arguments of `tabularium repo release`.
#[derive(Debug, Args)]
pub(super) struct ReleaseArgs {
    #[command(flatten)]
    chosen: Chosen,
}

#[derive(Serialize)]
struct Done<'a> {
    action: &'static str,
    label: &'a str,
    timestamp: &'a str,
    generation: Generation,
}

impl Chosen {
    async fn find(&self, stop: &CancellationToken) -> Result<(Repository, SnapshotSummary)> {
        let repository = self.repository.open(stop).await?;
        let summary = find::snapshot(&repository, &self.label, self.timestamp.as_deref()).await?;
        Ok((repository, summary))
    }

    fn done(&self, action: &'static str, summary: &SnapshotSummary, generation: Generation, text: &str) -> Result<()> {
        let (label, timestamp) = (summary.label.as_str(), summary.timestamp.as_str());
        if self.output.json {
            return output::json(&Done { action, label, timestamp, generation });
        }
        output::line(format!("snapshot {label} of {timestamp} {text}"))
    }
}

pub(super) async fn drop_snapshot(args: DropArgs, stop: &CancellationToken) -> Result<()> {
    let (repository, found) = args.chosen.find(stop).await?;
    let generation = repository.drop_snapshot(&found.label, Some(&found.timestamp)).await?;
    args.chosen.done("drop", &found, generation, "is dropped; `tabularium repo sweep` gives its space back")
}

pub(super) async fn hold(args: HoldArgs, stop: &CancellationToken) -> Result<()> {
    let (repository, found) = args.chosen.find(stop).await?;
    let generation = repository.hold(&found.label, Some(&found.timestamp), &args.reason, unix_millis()).await?;
    args.chosen.done("hold", &found, generation, "is held: nobody can drop it until it is released")
}

pub(super) async fn release(args: ReleaseArgs, stop: &CancellationToken) -> Result<()> {
    let (repository, found) = args.chosen.find(stop).await?;
    let generation = repository.release(&found.label, Some(&found.timestamp)).await?;
    args.chosen.done("release", &found, generation, "is released: it can be dropped again")
}
