//! `tabularium repo export`: a snapshot's tables as plain Parquet folders.

use super::output::{self, Output, number, text};
use super::{LimitArgs, RepositoryArgs, find, progress};
use crate::ddl;
use anyhow::{Context, Result, bail};
use clap::Args;
use env::disk::RealDisk;
use env::rt::CancellationToken;
use snapshot::export::Describe;
use snapshot::{ErrorKind, ExportEvent, ExportOptions, ExportRequest, ExportTarget, Exported};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Arguments of `tabularium repo export`.
#[derive(Debug, Args)]
pub(super) struct ExportArgs {
    #[command(flatten)]
    repository: RepositoryArgs,
    /// The snapshot's label.
    label: String,
    /// The directory that gets DATABASE/TABLE/PARTITION/*.parquet; is made, or is there and empty.
    directory: PathBuf,
    /// Only if the snapshot has this timestamp.
    #[arg(long)]
    timestamp: Option<String>,
    /// Only this table; may be repeated.
    #[arg(long = "table", short = 't', value_name = "TABLE")]
    tables: Vec<String>,
    /// Only this partition; may be repeated.
    #[arg(long = "partition", value_name = "PARTITION")]
    partitions: Vec<String>,
    /// Write nothing to the repository, so keep no sweep away meanwhile.
    #[arg(long)]
    read_only: bool,
    #[command(flatten)]
    limits: LimitArgs,
    #[command(flatten)]
    output: Output,
}

/// Where the directory is: the one above it and its name.
fn target(directory: &Path) -> Result<ExportTarget> {
    let whole = std::path::absolute(directory).with_context(|| format!("directory {}", directory.display()))?;
    match (whole.parent(), whole.file_name().and_then(|name| name.to_str())) {
        (Some(above), Some(name)) if std::env::current_dir().ok().as_deref() != Some(&whole) => {
            Ok(ExportTarget { disk: Arc::new(RealDisk::new(above)), name: name.to_owned() })
        }
        _ => bail!("{} cannot be replaced by an export; name a new directory in it", directory.display()),
    }
}

pub(super) async fn run(args: ExportArgs, stop: &CancellationToken) -> Result<()> {
    let target = target(&args.directory)?;
    let repository = args.repository.open_unstopped(stop).await?;
    let summary = find::snapshot(&repository, &args.label, args.timestamp.as_deref()).await?;
    let reader = repository.reader(&summary).await?;
    for table in &args.tables {
        find::named(&reader.root().tables, table, |table| &table.name, "table", "repo ls URL LABEL")?;
    }
    let request = ExportRequest {
        label: args.label.clone(),
        timestamp: args.timestamp.clone(),
        tables: args.tables.clone(),
        partitions: args.partitions.clone(),
    };
    let describe: Describe = Arc::new(|table| match ddl::show_create(None, table) {
        Ok(statement) => Ok(format!("{statement};\n")),
        Err(failed) => {
            let message = format!("table {} of the snapshot cannot be described: {}", table.name, failed.message);
            Err(snapshot::Error::Outside { kind: ErrorKind::Corrupt, message })
        }
    });
    let bar = progress::bytes("exporting")?;
    let shown = bar.clone();
    let options = ExportOptions {
        limiter: args.limits.limiter(),
        session: !args.read_only,
        owner: RepositoryArgs::owner("export"),
        describe: Some(describe),
        observe: Arc::new(move |event| match event {
            ExportEvent::Planned { bytes, .. } => progress::known(&shown, bytes),
            ExportEvent::Bytes(bytes) => shown.inc(bytes),
            ExportEvent::File => {}
        }),
        ..ExportOptions::default()
    };
    let exported = snapshot::export(&repository, &request, &target, &options, stop).await;
    bar.finish_and_clear();
    let exported = exported?;
    if args.output.json {
        output::json(&exported)?;
    } else {
        show(&exported, &args.directory)?;
    }
    args.repository.say_left(exported.session_left.as_ref());
    Ok(())
}

fn show(exported: &Exported, directory: &Path) -> Result<()> {
    let columns = vec![
        text("Table"),
        text("Folder"),
        number("Partitions"),
        number("Rows"),
        number("Files"),
        number("Rewritten"),
        number("Bytes"),
    ];
    let rows = exported.tables.iter().map(|table| {
        vec![
            Some(table.table.clone()),
            Some(table.folder.clone()),
            Some(table.partitions.to_string()),
            Some(table.rows.to_string()),
            Some(table.files.to_string()),
            Some(table.rewritten.to_string()),
            Some(output::size(table.bytes)),
        ]
    });
    output::table(columns, rows)?;
    output::line(format!(
        "snapshot {} of {} is in {}; read a table with duckdb -c \"FROM '{}/<folder>/**/*.parquet'\"",
        exported.label,
        exported.timestamp,
        directory.display(),
        directory.display()
    ))
}
