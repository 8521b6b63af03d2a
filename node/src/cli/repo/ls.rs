//! `tabularium repo ls`: the snapshots, or the tables of one.

use super::output::{self, Output, number, text};
use super::{RepositoryArgs, find, usage};
use anyhow::Result;
use clap::Args;
use env::rt::CancellationToken;
use repository::{Hold, SnapshotSummary, TableRef};
use serde::Serialize;

/// Arguments of `tabularium repo ls`.
#[derive(Debug, Args)]
pub(super) struct LsArgs {
    #[command(flatten)]
    repository: RepositoryArgs,
    /// List the tables of this snapshot.
    label: Option<String>,
    /// Also tell what each snapshot costs: stored bytes, those that it alone refers to, those that others share. Reads
    /// every manifest.
    #[arg(long, conflicts_with = "label")]
    usage: bool,
    #[command(flatten)]
    output: Output,
}

/// A snapshot as programs see it.
#[derive(Debug, Serialize)]
pub(super) struct SnapshotView<'a> {
    label: &'a str,
    timestamp: &'a str,
    database: &'a str,
    cluster: &'a str,
    created_ms: u64,
    finished_ms: u64,
    tables: u64,
    tablets: u64,
    files: u64,
    bytes: u64,
    bytes_sent: u64,
    expires_ms: Option<u64>,
    hold: Option<&'a Hold>,
    session: String,
    root: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    usage: Option<UsageView>,
}

/// What a snapshot costs, in bytes.
#[derive(Debug, Serialize)]
struct UsageView {
    stored_bytes: u64,
    unique_bytes: u64,
    shared_bytes: u64,
}

impl<'a> From<&'a SnapshotSummary> for SnapshotView<'a> {
    fn from(summary: &'a SnapshotSummary) -> Self {
        Self {
            label: &summary.label,
            timestamp: &summary.timestamp,
            database: &summary.database,
            cluster: &summary.cluster,
            created_ms: summary.created_ms,
            finished_ms: summary.finished_ms,
            tables: summary.tables,
            tablets: summary.tablets,
            files: summary.files,
            bytes: summary.bytes,
            bytes_sent: summary.bytes_sent,
            expires_ms: summary.expires_ms,
            hold: summary.hold.as_ref(),
            session: summary.session.to_string(),
            root: &summary.root.name,
            usage: None,
        }
    }
}

/// A table of a snapshot as programs see it.
#[derive(Debug, Serialize)]
pub(super) struct TableView<'a> {
    table: &'a str,
    id: u64,
    partitions: u64,
    tablets: u64,
    files: u64,
    bytes: u64,
    page: &'a str,
}

impl<'a> From<&'a TableRef> for TableView<'a> {
    fn from(table: &'a TableRef) -> Self {
        Self {
            table: &table.name,
            id: table.id,
            partitions: table.partitions,
            tablets: table.tablets,
            files: table.files,
            bytes: table.bytes,
            page: &table.page.name,
        }
    }
}

#[derive(Serialize)]
struct Snapshots<'a> {
    repository: &'a str,
    repository_id: &'a str,
    snapshots: Vec<SnapshotView<'a>>,
}

#[derive(Serialize)]
struct Tables<'a> {
    label: &'a str,
    timestamp: &'a str,
    database: &'a str,
    tables: Vec<TableView<'a>>,
}

pub(super) async fn run(args: LsArgs, stop: &CancellationToken) -> Result<()> {
    let repository = args.repository.open(stop).await?;
    if let Some(label) = &args.label {
        let summary = find::snapshot(&repository, label, None).await?;
        let reader = repository.reader(&summary).await?;
        let tables = &reader.root().tables;
        if args.output.json {
            return output::json(&Tables {
                label: &summary.label,
                timestamp: &summary.timestamp,
                database: &summary.database,
                tables: tables.iter().map(TableView::from).collect(),
            });
        }
        return table_of_tables(tables);
    }
    let usage = if args.usage { Some(repository.usage(stop).await?) } else { None };
    let snapshots = repository.snapshots().await?;
    // One that came after the usage was counted has none.
    let cost = |snapshot: &SnapshotSummary| {
        let rows = &usage.as_ref()?.snapshots;
        let found = rows.binary_search_by(|row| row.label.as_str().cmp(&snapshot.label)).ok()?;
        rows.get(found).filter(|row| row.timestamp == snapshot.timestamp)
    };
    if args.output.json {
        let identity = repository.identity();
        let view = |snapshot| {
            let usage = cost(snapshot).map(|usage| UsageView {
                stored_bytes: usage.stored_bytes,
                unique_bytes: usage.unique_bytes,
                shared_bytes: usage.shared_bytes,
            });
            SnapshotView { usage, ..SnapshotView::from(snapshot) }
        };
        return output::json(&Snapshots {
            repository: &identity.name,
            repository_id: &identity.id,
            snapshots: snapshots.iter().map(view).collect(),
        });
    }
    let mut columns = vec![
        text("Label"),
        text("Timestamp"),
        text("Database"),
        number("Tables"),
        number("Bytes"),
        number("Sent"),
        text("Held"),
        text("Expires"),
    ];
    if args.usage {
        columns.extend([number("Stored"), number("Unique"), number("Shared")]);
    }
    let rows = snapshots.iter().map(|snapshot| {
        let held = snapshot.hold.as_ref().map(|hold| if hold.reason.is_empty() { "yes" } else { &hold.reason });
        let own = vec![
            Some(snapshot.label.clone()),
            Some(snapshot.timestamp.clone()),
            Some(snapshot.database.clone()),
            Some(snapshot.tables.to_string()),
            Some(output::size(snapshot.bytes)),
            Some(output::size(snapshot.bytes_sent)),
            Some(held.unwrap_or_default().to_owned()),
            Some(snapshot.expires_ms.map(output::time).unwrap_or_default()),
        ];
        let cost = args.usage.then(|| usage::cells(cost(snapshot))).into_iter().flatten();
        own.into_iter().chain(cost).collect()
    });
    output::table(columns, rows)?;
    output::line(format!(
        "{} in repository {}",
        output::count(snapshots.len() as u64, "snapshot"),
        repository.identity().name
    ))
}

/// The tables of a snapshot, for people.
pub(super) fn table_of_tables(tables: &[TableRef]) -> Result<()> {
    let columns = vec![text("Table"), number("Partitions"), number("Tablets"), number("Files"), number("Bytes")];
    let rows = tables.iter().map(|table| {
        vec![
            Some(table.name.clone()),
            Some(table.partitions.to_string()),
            Some(table.tablets.to_string()),
            Some(table.files.to_string()),
            Some(output::size(table.bytes)),
        ]
    });
    output::table(columns, rows)
}
