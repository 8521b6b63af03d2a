//! `tabularium repo show`: a snapshot, a table of it, or a partition of the table.

use super::ls::{SnapshotView, TableView, table_of_tables};
use super::output::{self, Output, number, text};
use super::{RepositoryArgs, find};
use crate::ddl;
use anyhow::{Result, anyhow};
use catalog::records::TableRecord;
use clap::Args;
use env::rt::CancellationToken;
use futures::TryStreamExt;
use repository::{FileEntry, PartitionManifest, SnapshotReader, SnapshotSummary, TableManifest, TableRef, TabletEntry};
use serde::Serialize;
use serde_json::Value;

/// Arguments of `tabularium repo show`.
#[derive(Debug, Args)]
pub(super) struct ShowArgs {
    #[command(flatten)]
    repository: RepositoryArgs,
    /// The snapshot's label.
    label: String,
    /// A table of the snapshot.
    table: Option<String>,
    /// A partition of the table.
    partition: Option<String>,
    /// Only if the snapshot has this timestamp.
    #[arg(long)]
    timestamp: Option<String>,
    #[command(flatten)]
    output: Output,
}

#[derive(Serialize)]
struct Snapshot<'a> {
    #[serde(flatten)]
    summary: SnapshotView<'a>,
    database_id: u64,
    cut_revision: u64,
    tables_listed: Vec<TableView<'a>>,
}

#[derive(Serialize)]
struct Table<'a> {
    label: &'a str,
    timestamp: &'a str,
    database: &'a str,
    table: &'a str,
    id: u64,
    create: String,
    schema: &'a Value,
    partitions: Vec<Partition<'a>>,
}

#[derive(Serialize)]
struct Partition<'a> {
    partition: &'a str,
    id: u64,
    bounds: &'a Value,
    version: u64,
    buckets: u32,
    tablets: u64,
    files: u64,
    bytes: u64,
    pages: Vec<&'a str>,
}

#[derive(Serialize)]
struct Tablets<'a> {
    label: &'a str,
    timestamp: &'a str,
    database: &'a str,
    table: &'a str,
    #[serde(flatten)]
    partition: Partition<'a>,
    tablets_listed: Vec<Tablet<'a>>,
}

#[derive(Serialize)]
struct Tablet<'a> {
    tablet: u64,
    bucket: u32,
    version: u64,
    files: Vec<File<'a>>,
}

#[derive(Serialize)]
struct File<'a> {
    name: &'a str,
    bytes: u64,
    crc32: String,
    object: &'a str,
    offset: u64,
}

impl<'a> From<&'a PartitionManifest> for Partition<'a> {
    fn from(partition: &'a PartitionManifest) -> Self {
        Self {
            partition: &partition.name,
            id: partition.id,
            bounds: &partition.bounds,
            version: partition.version,
            buckets: partition.buckets,
            tablets: partition.tablets,
            files: partition.files,
            bytes: partition.bytes,
            pages: partition.pages.iter().map(|page| page.name.as_str()).collect(),
        }
    }
}

impl<'a> From<&'a TabletEntry> for Tablet<'a> {
    fn from(entry: &'a TabletEntry) -> Self {
        let file = |file: &'a FileEntry| File {
            name: &file.name,
            bytes: file.len_bytes,
            crc32: format!("{:08x}", file.crc32),
            object: &file.object,
            offset: file.offset,
        };
        let files = entry.files.iter().map(file).collect();
        Self { tablet: entry.tablet, bucket: entry.bucket, version: entry.version, files }
    }
}

pub(super) async fn run(args: ShowArgs, stop: &CancellationToken) -> Result<()> {
    let repository = args.repository.open(stop).await?;
    let summary = find::snapshot(&repository, &args.label, args.timestamp.as_deref()).await?;
    let reader = repository.reader(&summary).await?;
    let Some(name) = &args.table else { return snapshot(&summary, &reader, args.output) };
    let manifest = reader.table(table(&reader, name)?).await?;
    let Some(name) = &args.partition else { return show_table(&summary, &manifest, args.output) };
    let partition = partition(&manifest, name)?;
    let tablets: Vec<TabletEntry> = reader.tablets(partition).try_collect().await?;
    show_partition(&summary, &manifest, partition, &tablets, args.output)
}

/// The table of the snapshot with this name.
pub(super) fn table<'a>(reader: &'a SnapshotReader, name: &str) -> Result<&'a TableRef> {
    let list = format!("repo ls URL {}", reader.root().label);
    find::named(&reader.root().tables, name, |table| &table.name, "table", &list)
}

fn partition<'a>(table: &'a TableManifest, name: &str) -> Result<&'a PartitionManifest> {
    find::named(&table.partitions, name, |partition| &partition.name, "partition", "repo show URL LABEL TABLE")
}

fn snapshot(summary: &SnapshotSummary, reader: &SnapshotReader, output: Output) -> Result<()> {
    let root = reader.root();
    if output.json {
        return output::json(&Snapshot {
            summary: summary.into(),
            database_id: root.database_id,
            cut_revision: root.cut_revision,
            tables_listed: root.tables.iter().map(TableView::from).collect(),
        });
    }
    let expires = summary.expires_ms.map_or_else(|| "never".to_owned(), output::time);
    let held = match &summary.hold {
        None => "no".to_owned(),
        Some(hold) if hold.reason.is_empty() => format!("since {}", output::time(hold.since_ms)),
        Some(hold) => format!("since {}: {}", output::time(hold.since_ms), hold.reason),
    };
    let facts = [
        ("Label", summary.label.clone()),
        ("Timestamp", summary.timestamp.clone()),
        ("Database", summary.database.clone()),
        ("Cluster", summary.cluster.clone()),
        ("Cut at revision", root.cut_revision.to_string()),
        ("Submitted", output::time(summary.created_ms)),
        ("Committed", output::time(summary.finished_ms)),
        ("Tablets", summary.tablets.to_string()),
        ("Files", summary.files.to_string()),
        ("Bytes", output::size(summary.bytes)),
        ("Sent", output::size(summary.bytes_sent)),
        ("Held", held),
        ("Expires", expires),
        ("Session", summary.session.to_string()),
        ("Root page", summary.root.name.clone()),
    ];
    for (what, value) in facts {
        output::line(format!("{what:<16} {value}"))?;
    }
    table_of_tables(&root.tables)
}

/// The statement that makes the table. A table that this program cannot describe is still shown.
fn create(manifest: &TableManifest) -> Result<String> {
    let record: TableRecord = snapshot::export::table_record(manifest)?;
    Ok(format!("{};", ddl::show_create(None, &record).map_err(|failed| anyhow!(failed.message))?))
}

fn bounds(partition: &PartitionManifest) -> String {
    use catalog::records::BoundsRecord;
    let tuple = |values: &[String]| format!("({})", values.join(", "));
    match serde_json::from_value::<BoundsRecord>(partition.bounds.clone()) {
        Ok(BoundsRecord::All) => "all".to_owned(),
        Ok(BoundsRecord::Range { lower, upper }) => {
            let lower = lower.as_deref().map_or_else(|| "MINVALUE".to_owned(), tuple);
            let upper = upper.as_deref().map_or_else(|| "MAXVALUE".to_owned(), tuple);
            format!("[{lower}, {upper})")
        }
        Ok(BoundsRecord::List { values }) => {
            let text = |value: &Option<String>| value.clone().unwrap_or_else(|| "NULL".to_owned());
            let tuples = values.iter().map(|values| tuple(&values.iter().map(text).collect::<Vec<_>>()));
            tuples.collect::<Vec<_>>().join(", ")
        }
        // Of a store that describes partitions in its own way.
        Err(_) => partition.bounds.to_string(),
    }
}

fn show_table(summary: &SnapshotSummary, manifest: &TableManifest, output: Output) -> Result<()> {
    let create = create(manifest)?;
    if output.json {
        return output::json(&Table {
            label: &summary.label,
            timestamp: &summary.timestamp,
            database: &summary.database,
            table: &manifest.name,
            id: manifest.id,
            create,
            schema: &manifest.schema,
            partitions: manifest.partitions.iter().map(Partition::from).collect(),
        });
    }
    output::line(create)?;
    let columns =
        vec![text("Partition"), text("Bounds"), number("Version"), number("Tablets"), number("Files"), number("Bytes")];
    let rows = manifest.partitions.iter().map(|partition| {
        vec![
            Some(partition.name.clone()),
            Some(bounds(partition)),
            Some(partition.version.to_string()),
            Some(partition.tablets.to_string()),
            Some(partition.files.to_string()),
            Some(output::size(partition.bytes)),
        ]
    });
    output::table(columns, rows)
}

fn show_partition(
    summary: &SnapshotSummary,
    manifest: &TableManifest,
    partition: &PartitionManifest,
    tablets: &[TabletEntry],
    output: Output,
) -> Result<()> {
    if output.json {
        return output::json(&Tablets {
            label: &summary.label,
            timestamp: &summary.timestamp,
            database: &summary.database,
            table: &manifest.name,
            partition: partition.into(),
            tablets_listed: tablets.iter().map(Tablet::from).collect(),
        });
    }
    let columns = vec![
        number("Bucket"),
        number("Tablet"),
        number("Version"),
        text("File"),
        number("Bytes"),
        text("CRC-32"),
        text("Object"),
        number("Offset"),
    ];
    let rows = tablets.iter().flat_map(|entry| {
        let own = [entry.bucket.to_string(), entry.tablet.to_string(), entry.version.to_string()];
        let files = entry.files.iter().map({
            let own = own.clone();
            move |file| {
                let own = own.iter().cloned();
                let of_file = [
                    file.name.clone(),
                    output::size(file.len_bytes),
                    format!("{:08x}", file.crc32),
                    file.object.clone(),
                    file.offset.to_string(),
                ];
                own.chain(of_file).map(Some).collect::<Vec<_>>()
            }
        });
        // A tablet without rows has no files, and a line all the same.
        let without = entry.files.is_empty().then(|| {
            let none = std::iter::repeat_n(String::new(), 5);
            own.into_iter().chain(none).map(Some).collect::<Vec<_>>()
        });
        files.chain(without).collect::<Vec<_>>()
    });
    output::table(columns, rows)
}
