//! `tabularium repo usage`: what the repository and each of its snapshots cost.

use super::RepositoryArgs;
use super::output::{self, Output, number, text};
use anyhow::Result;
use clap::Args;
use env::rt::CancellationToken;
use repository::SnapshotUsage;

/// Arguments of `tabularium repo usage`.
#[derive(Debug, Args)]
pub(super) struct UsageArgs {
    #[command(flatten)]
    repository: RepositoryArgs,
    /// Also say what dropping the snapshots with these labels together would give back.
    #[arg(long = "if-dropped", value_name = "LABEL")]
    dropped: Vec<String>,
    #[command(flatten)]
    output: Output,
}

#[derive(serde::Serialize)]
struct View<'a> {
    #[serde(flatten)]
    usage: &'a repository::Usage,
    #[serde(skip_serializing_if = "Option::is_none")]
    freed_bytes: Option<u64>,
}

/// The columns that a snapshot's cost has, here and in `ls --usage`.
pub(super) fn cells(usage: Option<&SnapshotUsage>) -> [Option<String>; 3] {
    let cell = |bytes: fn(&SnapshotUsage) -> u64| usage.map(|usage| output::size(bytes(usage)));
    [cell(|usage| usage.stored_bytes), cell(|usage| usage.unique_bytes), cell(|usage| usage.shared_bytes)]
}

pub(super) async fn run(args: UsageArgs, stop: &CancellationToken) -> Result<()> {
    let repository = args.repository.open(stop).await?;
    let usage = repository.usage(stop).await?;
    for label in &args.dropped {
        super::find::named(&usage.snapshots, label, |snapshot| &snapshot.label, "snapshot", "repo ls")?;
    }
    let labels: Vec<&str> = args.dropped.iter().map(String::as_str).collect();
    let freed_bytes = (!labels.is_empty()).then(|| usage.freed_by(&labels));
    if args.output.json {
        return output::json(&View { usage: &usage, freed_bytes });
    }
    let columns =
        vec![text("Label"), text("Timestamp"), number("Bytes"), number("Stored"), number("Unique"), number("Shared")];
    let rows = usage.snapshots.iter().map(|snapshot| {
        let own = [snapshot.label.clone(), snapshot.timestamp.clone(), output::size(snapshot.bytes)];
        own.into_iter().map(Some).chain(cells(Some(snapshot))).collect()
    });
    output::table(columns, rows)?;
    output::line(format!("{} stored in all", output::size(usage.stored_bytes)))?;
    if usage.session_bytes > 0 {
        output::line(format!("{} kept for open sessions alone", output::size(usage.session_bytes)))?;
    }
    if usage.garbage_objects > 0 {
        let objects = output::count(usage.garbage_objects, "object");
        let bytes = output::size(usage.garbage_bytes);
        output::line(format!("{bytes} in {objects} that `tabularium repo sweep` would delete"))?;
    }
    if let Some(freed_bytes) = freed_bytes {
        output::line(format!("{} would come back if {} were dropped", output::size(freed_bytes), labels.join(", ")))?;
    }
    Ok(())
}
