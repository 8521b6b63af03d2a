//! `tabularium repo retain`: which snapshots a policy lets go of, and with --yes their end.

use super::RepositoryArgs;
use super::output::{self, Output, text};
use anyhow::Result;
use clap::Args;
use env::rt::CancellationToken;
use env::rt::time::unix_millis;
use repository::retention::{self, Policy};
use serde::Serialize;

/// Arguments of `tabularium repo retain`.
#[derive(Debug, Args)]
pub(super) struct RetainArgs {
    #[command(flatten)]
    repository: RepositoryArgs,
    /// Keep so many of the newest snapshots of each database.
    #[arg(long, value_name = "N")]
    keep_last: Option<u32>,
    /// Keep those younger than this, such as 30d or 12h.
    #[arg(long, value_name = "AGE")]
    keep_within: Option<humantime::Duration>,
    /// Never leave a database with fewer snapshots than this.
    #[arg(long, value_name = "N", default_value_t = 1)]
    min: u32,
    /// Only say what would be dropped, which is also what happens without --yes.
    #[arg(long, conflicts_with = "yes")]
    dry_run: bool,
    /// Drop them.
    #[arg(long)]
    yes: bool,
    #[command(flatten)]
    output: Output,
}

#[derive(Serialize)]
struct Decision<'a> {
    label: &'a str,
    timestamp: &'a str,
    database: &'a str,
    cluster: &'a str,
    bytes: u64,
    keep: bool,
    reason: &'a str,
}

#[derive(Serialize)]
struct Retained<'a> {
    dry_run: bool,
    policy: Policy,
    decisions: Vec<Decision<'a>>,
    dropped: Vec<&'a str>,
}

pub(super) async fn run(args: RetainArgs, stop: &CancellationToken) -> Result<()> {
    let repository = args.repository.open(stop).await?;
    let keep_within_ms = args.keep_within.map(|age| u64::try_from(age.as_millis()).unwrap_or(u64::MAX));
    let policy = Policy { keep_last: args.keep_last, keep_within_ms, min: args.min };
    let now_ms = unix_millis();
    let plan = retention::plan(&repository.snapshots().await?, &policy, now_ms);
    let dropped = if args.yes { repository.apply_retention(&policy, now_ms, stop).await? } else { Vec::new() };
    if args.output.json {
        let decisions = plan.decisions.iter().map(|decision| Decision {
            label: &decision.summary.label,
            timestamp: &decision.summary.timestamp,
            database: &decision.summary.database,
            cluster: &decision.summary.cluster,
            bytes: decision.summary.bytes,
            keep: decision.keep,
            reason: &decision.reason,
        });
        return output::json(&Retained {
            dry_run: !args.yes,
            policy,
            decisions: decisions.collect(),
            dropped: dropped.iter().map(|snapshot| snapshot.label.as_str()).collect(),
        });
    }
    let rows = plan.decisions.iter().map(|decision| {
        vec![
            Some(if decision.keep { "keep" } else { "drop" }.to_owned()),
            Some(decision.summary.label.clone()),
            Some(decision.summary.timestamp.clone()),
            Some(decision.summary.database.clone()),
            Some(decision.reason.clone()),
        ]
    });
    let columns = vec![text("Decision"), text("Label"), text("Timestamp"), text("Database"), text("Reason")];
    output::table(columns, rows)?;
    let drops = output::count(plan.drops().count() as u64, "snapshot");
    if args.yes {
        let dropped = output::count(dropped.len() as u64, "snapshot");
        return output::line(format!("dropped {dropped}; `tabularium repo sweep` gives the space back"));
    }
    output::line(format!("{drops} would be dropped; nothing was: run it again with --yes"))
}
