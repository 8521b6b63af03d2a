//! `tabularium repo cat`: an object of the repository, or a file of a snapshot, checked.

use super::output::{self, Output};
use super::{RepositoryArgs, find, say, show};
use anyhow::{Result, bail};
use async_trait::async_trait;
use bytes::Bytes;
use clap::Args;
use env::rt::CancellationToken;
use futures::TryStreamExt;
use repository::{
    ChunkSink, ErrorKind, FileEntry, Limiter, Repository, SnapshotReader, Source, StreamOptions, no_progress,
};
use std::io::IsTerminal;

/// Bytes of one read of an object that is printed as it is.
const PIECE_BYTES: u64 = 8 << 20;

/// Arguments of `tabularium repo cat`.
#[derive(Debug, Args)]
pub(super) struct CatArgs {
    #[command(flatten)]
    repository: RepositoryArgs,
    /// An object, by its name in the repository: repository.json, commits/.., pages/.., data/..; or the label of a
    /// snapshot, then TABLE and TABLET/FILE.
    object: String,
    /// A table of the snapshot.
    #[arg(requires = "file")]
    table: Option<String>,
    /// A file of the table, as `show` names it: TABLET/FILE.
    file: Option<String>,
    /// Print the bytes as they are.
    #[arg(long)]
    raw: bool,
    #[command(flatten)]
    output: Output,
}

pub(super) async fn run(args: CatArgs, stop: &CancellationToken) -> Result<()> {
    let repository = args.repository.open(stop).await?;
    if let (Some(table), Some(file)) = (&args.table, &args.file) {
        let summary = find::snapshot(&repository, &args.object, None).await?;
        let reader = repository.reader(&summary).await?;
        let file = find_file(&reader, table, file).await?;
        return print_file(&reader, &file, stop).await;
    }
    let found = match repository.object(&args.object).await {
        Ok(found) => found,
        Err(refused) if refused.kind() == ErrorKind::Invalid => return print_unchecked(&repository, &args).await,
        Err(failed) => return Err(failed.into()),
    };
    if args.raw {
        return output::raw(&found.bytes);
    }
    if args.output.json {
        return output::json(&found);
    }
    for line in &found.lines {
        output::json(line)?;
    }
    say(&format!("{}: checked: {}", found.name, found.checked));
    Ok(())
}

/// A data object, or one that is none of the repository's. Only a manifest knows checksums of it.
async fn print_unchecked(repository: &Repository, args: &CatArgs) -> Result<()> {
    let len = repository.raw_len(&args.object).await?;
    if !args.raw {
        bail!(
            "object {:?} has {len} bytes of files; print them with --raw, or one file, checked, with \
             `tabularium repo cat URL LABEL TABLE TABLET/FILE`",
            args.object
        );
    }
    not_to_a_terminal()?;
    let mut at = 0;
    while at < len {
        let end = len.min(at + PIECE_BYTES);
        output::raw(&repository.raw(&args.object, at..end).await?)?;
        at = end;
    }
    say(&format!("{}: {len} bytes, not checked: only a manifest knows their checksums", args.object));
    Ok(())
}

async fn find_file(reader: &SnapshotReader, table: &str, file: &str) -> Result<FileEntry> {
    let Some((tablet, name)) = file.split_once('/') else {
        bail!("{file:?} is not TABLET/FILE, as `tabularium repo show URL LABEL TABLE PARTITION` has them");
    };
    let manifest = reader.table(show::table(reader, table)?).await?;
    for partition in &manifest.partitions {
        let mut tablets = reader.tablets(partition);
        while let Some(entry) = tablets.try_next().await? {
            if entry.tablet.to_string() == tablet {
                return find::named(
                    &entry.files,
                    name,
                    |file| &file.name,
                    "file",
                    "repo show URL LABEL TABLE PARTITION",
                )
                .cloned();
            }
        }
    }
    bail!("there is no tablet {tablet} in table {table:?}; `tabularium repo show URL LABEL TABLE PARTITION` lists them")
}

/// Verified parts, one at a time and so in order.
struct Printed;

#[async_trait]
impl ChunkSink for Printed {
    async fn write(&self, _offset: u64, bytes: Bytes) -> Result<(), Source> {
        output::raw(&bytes).map_err(Source::from)
    }
}

async fn print_file(reader: &SnapshotReader, file: &FileEntry, stop: &CancellationToken) -> Result<()> {
    not_to_a_terminal()?;
    let in_order = StreamOptions { in_flight: 1, ..StreamOptions::default() };
    reader.fetch(file, &Printed, in_order, &Limiter::unlimited(), &no_progress(), stop).await?;
    say(&format!("{}: {} bytes with CRC-32 {:08x}, checked", file.name, file.len_bytes, file.crc32));
    Ok(())
}

fn not_to_a_terminal() -> Result<()> {
    if std::io::stdout().is_terminal() {
        bail!("these bytes are no text; send them into a file or a program");
    }
    Ok(())
}
