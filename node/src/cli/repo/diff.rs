//! `tabularium repo diff`: what changed between two snapshots.

use super::output::{self, Output};
use super::{RepositoryArgs, find};
use anyhow::Result;
use clap::Args;
use env::rt::CancellationToken;

/// Arguments of `tabularium repo diff`.
#[derive(Debug, Args)]
pub(super) struct DiffArgs {
    #[command(flatten)]
    repository: RepositoryArgs,
    /// Label of the earlier snapshot.
    before: String,
    /// Label of the later one.
    after: String,
    #[command(flatten)]
    output: Output,
}

pub(super) async fn run(args: DiffArgs, stop: &CancellationToken) -> Result<()> {
    let repository = args.repository.open(stop).await?;
    let before = repository.reader(&find::snapshot(&repository, &args.before, None).await?).await?;
    let after = repository.reader(&find::snapshot(&repository, &args.after, None).await?).await?;
    let changed = repository::diff::diff(&before, &after).await?;
    if args.output.json { output::json(&changed) } else { output::line(changed.to_string()) }
}
