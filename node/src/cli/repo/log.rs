//! `tabularium repo log`: who did what.

use super::RepositoryArgs;
use super::output::{self, Output, number, text};
use anyhow::Result;
use clap::Args;
use env::rt::CancellationToken;
use repository::LogEntry;
use serde::Serialize;

/// Arguments of `tabularium repo log`.
#[derive(Debug, Args)]
pub(super) struct LogArgs {
    #[command(flatten)]
    repository: RepositoryArgs,
    /// So many of the newest records; 0 for all.
    #[arg(short = 'n', long, value_name = "N", default_value_t = 20)]
    newest: u64,
    #[command(flatten)]
    output: Output,
}

#[derive(Serialize)]
struct Log {
    records: Vec<LogEntry>,
}

pub(super) async fn run(args: LogArgs, stop: &CancellationToken) -> Result<()> {
    let repository = args.repository.open(stop).await?;
    let newest = if args.newest == 0 { u64::MAX } else { args.newest };
    let records = repository.history(newest).await?;
    if args.output.json {
        return output::json(&Log { records });
    }
    let columns = vec![
        number("Generation"),
        text("Time"),
        text("Action"),
        text("Snapshot"),
        text("Session"),
        text("Note"),
        number("Sessions"),
        number("Snapshots"),
    ];
    let rows = records.into_iter().map(|record| {
        let note = match (record.purpose, record.note) {
            (Some(purpose), Some(note)) => format!("{purpose}: {note}"),
            (None, note) => note.unwrap_or_default(),
            (Some(purpose), None) => purpose.to_string(),
        };
        vec![
            Some(record.generation.to_string()),
            Some(output::time(record.wall_ms)),
            Some(record.action.to_owned()),
            Some(record.label.unwrap_or_default()),
            Some(record.session.map(|session| session.to_string()).unwrap_or_default()),
            Some(note),
            Some(record.sessions.to_string()),
            Some(record.snapshots.to_string()),
        ]
    });
    output::table(columns, rows)
}
