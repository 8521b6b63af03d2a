//! `tabularium repo probe`: whether a store keeps the promises that a repository needs.

use super::RepositoryArgs;
use anyhow::Result;
use clap::Args;

/// Arguments of `tabularium repo probe`.
#[derive(Debug, Args)]
pub(super) struct ProbeArgs {
    #[command(flatten)]
    repository: RepositoryArgs,
}

#[expect(clippy::print_stdout, reason = "the command's result")]
pub(super) async fn run(args: ProbeArgs) -> Result<()> {
    let store = args.repository.connect()?;
    repository::conformance::check(&store).await?;
    println!("every promise is kept");
    Ok(())
}
