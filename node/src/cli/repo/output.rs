//! What a subcommand has to say: a table and sentences for people, one JSON document for programs.

use crate::cli::grid::{Column, Format, Grid};
use anyhow::{Context, Result};
use bytesize::ByteSize;
use serde::Serialize;
use std::io::{self, Write};

/// How results are written.
#[derive(Debug, Clone, Copy, clap::Args)]
pub(super) struct Output {
    /// Write one JSON document instead of tables and sentences; lengths are in bytes, times in milliseconds since 1970.
    #[arg(long)]
    pub(super) json: bool,
}

/// A column of text.
pub(super) fn text(name: &str) -> Column {
    Column { name: name.to_owned(), numeric: false }
}

/// A column of numbers.
pub(super) fn number(name: &str) -> Column {
    Column { name: name.to_owned(), numeric: true }
}

/// A length for people.
pub(super) fn size(bytes: u64) -> String {
    ByteSize(bytes).display().iec().to_string()
}

/// A time for people, in the system's zone.
pub(super) fn time(unix_ms: u64) -> String {
    crate::engine::clock::text(unix_ms)
}

/// `1 snapshot`, `2 snapshots`.
pub(super) fn count(number: u64, what: &str) -> String {
    if number == 1 { format!("1 {what}") } else { format!("{number} {what}s") }
}

/// Writes a table. A closed pipe is no error: who has seen enough stops reading.
pub(super) fn table(columns: Vec<Column>, rows: impl IntoIterator<Item = Vec<Option<String>>>) -> Result<()> {
    let mut out = io::BufWriter::new(io::stdout());
    let written = (|| {
        let mut grid = Grid::new(&mut out, Format::Table, columns)?;
        for row in rows {
            grid.row(&row)?;
        }
        grid.finish()
    })();
    piped(written.map(drop))
}

/// Writes a line.
pub(super) fn line(line: impl AsRef<str>) -> Result<()> {
    piped(writeln!(io::stdout(), "{}", line.as_ref()))
}

/// Writes a JSON document.
pub(super) fn json(document: &impl Serialize) -> Result<()> {
    let mut text = serde_json::to_string_pretty(document).context("cannot write JSON")?;
    text.push('\n');
    piped(io::stdout().write_all(text.as_bytes()))
}

/// Writes bytes as they are.
pub(super) fn raw(bytes: &[u8]) -> Result<()> {
    piped(io::stdout().write_all(bytes).and_then(|()| io::stdout().flush()))
}

fn piped(written: io::Result<()>) -> Result<()> {
    match written {
        Err(closed) if closed.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        other => other.context("cannot write to standard output"),
    }
}
