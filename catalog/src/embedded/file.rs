//! The database file: a redb file on a [`DiskFile`], made durably, checked when opened.

use super::rows::{self, Table};
use crate::error::{Error, Result};
use env::canary::{self, Canary};
use env::disk::{Disk, DiskFile, TEMPORARY_SUFFIX, join, parent};
use redb::{Database, DatabaseError, ReadableDatabase, StorageBackend, StorageError, TableDefinition, TableError};
use std::io;
use std::sync::Arc;

/// Single numbers, by the names below.
pub(super) const CELLS: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("cells");
/// The present value of each key.
pub(super) const CURRENT: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("current");
/// Values that were replaced or deleted, by key and the revision that wrote them.
pub(super) const HISTORY: TableDefinition<'_, (&str, u64), &[u8]> = TableDefinition::new("history");
/// What each revision changed.
pub(super) const LOG: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("log");

/// Format of all that is in the file.
const FORMAT: u64 = 1;
const FORMAT_CELL: &str = "format";
/// The newest revision.
pub(super) const REVISION_CELL: &str = "revision";
/// The oldest revision that can be read.
pub(super) const FLOOR_CELL: &str = "floor";

#[derive(Debug)]
struct Backend(Arc<dyn DiskFile>);

impl StorageBackend for Backend {
    fn len(&self) -> io::Result<u64> {
        self.0.len()
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.0.read_at(offset, out)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.0.set_len(len)
    }

    fn sync_data(&self) -> io::Result<()> {
        if canary::sings(Canary::CatalogNotSynced) {
            return Ok(());
        }
        self.0.sync_data()
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.0.write_at(offset, data)
    }
}

/// What the storage library says, as one of ours.
pub(super) fn failed(path: &str, failed: impl Into<redb::Error>) -> Error {
    let failed = failed.into();
    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "the library's list is open; all others are misuse, a bug of ours"
    )]
    match failed {
        redb::Error::Io(source) if source.kind() == io::ErrorKind::InvalidData => {
            Error::corrupt(path, "a catalog file", source.to_string())
        }
        redb::Error::Io(source) => Error::Io { object: path.to_owned(), source: Arc::new(source) },
        redb::Error::Corrupted(found) => Error::corrupt(path, "pages as they were written", found),
        redb::Error::UpgradeRequired(found) => {
            Error::NewerFormat { object: path.to_owned(), found: found.into(), supported: FORMAT }
        }
        redb::Error::PreviousIo => {
            Error::Latched { object: path.to_owned(), reason: "an earlier read or write failed".to_owned() }
        }
        missing @ (redb::Error::TableDoesNotExist(_)
        | redb::Error::TableTypeMismatch { .. }
        | redb::Error::TableIsMultimap(_)
        | redb::Error::TypeDefinitionChanged { .. }) => {
            Error::corrupt(path, "the tables of a catalog", missing.to_string())
        }
        other => Error::Internal { object: path.to_owned(), reason: other.to_string() },
    }
}

fn io_failed(path: &str) -> impl FnOnce(io::Error) -> Error + '_ {
    move |source| Error::Io { object: path.to_owned(), source: Arc::new(source) }
}

/// A cell's row.
pub(super) fn seal_cell(name: &str, value: u64) -> Vec<u8> {
    rows::seal(Table::Cell, name, 0, &[&value.to_le_bytes()])
}

/// The number in a cell.
pub(super) fn open_cell(name: &str, row: Option<&[u8]>) -> Result<u64> {
    let row = row.ok_or_else(|| Error::corrupt(format!("cell {name:?}"), "a number", "nothing"))?;
    let content = rows::open(Table::Cell, name, 0, row)?;
    let bytes = <[u8; 8]>::try_from(content);
    bytes
        .map(u64::from_le_bytes)
        .map_err(|wrong| Error::corrupt(format!("cell {name:?}"), "8 bytes", wrong.to_string()))
}

/// The file's name while it is being made.
fn temporary_prefix(path: &str) -> String {
    let name = path.rsplit('/').next().unwrap_or(path);
    format!(".{name}.")
}

/// An open file with the numbers that were in it.
pub(super) struct Opened {
    pub(super) database: Database,
    pub(super) revision: u64,
    pub(super) floor: u64,
}

/// Opens the catalog file at `path`, making it when there is none. Nobody else may have it open.
pub(super) fn open(disk: &dyn Disk, path: &str, cache_bytes: usize) -> Result<Opened> {
    let dir = parent(path);
    disk.create_dir(dir).map_err(io_failed(path))?;
    remove_leftovers(disk, path)?;
    let file = match disk.open(path) {
        Ok(file) => file,
        Err(missing) if missing.kind() == io::ErrorKind::NotFound => {
            create(disk, path, cache_bytes)?;
            disk.open(path).map_err(io_failed(path))?
        }
        Err(source) => return Err(io_failed(path)(source)),
    };
    // An empty file would be taken for a new one and everything that was in it for never written.
    if file.is_empty().map_err(io_failed(path))? {
        return Err(Error::corrupt(path, "a catalog file", "an empty file"));
    }
    let database = build(file, path, cache_bytes)?;
    let (revision, floor) = read_cells(&database, path)?;
    Ok(Opened { database, revision, floor })
}

/// What a crash left of making the file.
fn remove_leftovers(disk: &dyn Disk, path: &str) -> Result<()> {
    let prefix = temporary_prefix(path);
    for entry in disk.list(parent(path)).map_err(io_failed(path))? {
        if entry.name.starts_with(&prefix) && entry.name.ends_with(TEMPORARY_SUFFIX) {
            disk.remove(&join(parent(path), &entry.name)).map_err(io_failed(path))?;
        }
    }
    Ok(())
}

fn build(file: Arc<dyn DiskFile>, path: &str, cache_bytes: usize) -> Result<Database> {
    Database::builder()
        .set_cache_size(cache_bytes)
        // Reads the whole file, which is small beside the data it speaks of; without this a changed byte is found
        // by chance or by a panic.
        .set_check_integrity_on_open(true)
        .create_with_backend(Backend(file))
        .map_err(|error| {
            if let DatabaseError::Storage(StorageError::Io(source)) = &error
                && source.kind() == io::ErrorKind::UnexpectedEof
            {
                return Error::corrupt(path, "a whole catalog file", source.to_string());
            }
            failed(path, error)
        })
}

/// Makes the file under another name and links it into place, so that a file at `path` is always a whole one.
fn create(disk: &dyn Disk, path: &str, cache_bytes: usize) -> Result<()> {
    let dir = parent(path);
    let temporary = join(dir, &format!("{}{}{TEMPORARY_SUFFIX}", temporary_prefix(path), env::rand::token()));
    let database = build(disk.create(&temporary).map_err(io_failed(path))?, path, cache_bytes)?;
    initialise(&database).map_err(|error| failed(path, error))?;
    database.close().map_err(|error| failed(path, error))?;
    disk.open(&temporary).and_then(|file| file.sync_data()).map_err(io_failed(path))?;
    match disk.link(&temporary, path) {
        Ok(()) => {}
        Err(taken) if taken.kind() == io::ErrorKind::AlreadyExists => {}
        Err(source) => return Err(io_failed(path)(source)),
    }
    disk.remove(&temporary).map_err(io_failed(path))?;
    disk.sync_dir(dir).map_err(io_failed(path))
}

fn initialise(database: &Database) -> std::result::Result<(), redb::Error> {
    let transaction = database.begin_write()?;
    {
        transaction.open_table(CURRENT)?;
        transaction.open_table(HISTORY)?;
        transaction.open_table(LOG)?;
        let mut cells = transaction.open_table(CELLS)?;
        for (name, value) in [(FORMAT_CELL, FORMAT), (REVISION_CELL, 0), (FLOOR_CELL, 0)] {
            cells.insert(name, seal_cell(name, value).as_slice())?;
        }
    }
    transaction.commit()?;
    Ok(())
}

fn read_cells(database: &Database, path: &str) -> Result<(u64, u64)> {
    let transaction = database.begin_read().map_err(|error| failed(path, error))?;
    let missing = |error: TableError| failed(path, error);
    let cells = transaction.open_table(CELLS).map_err(missing)?;
    let read = |name: &str| {
        let row = cells.get(name).map_err(|error| failed(path, error))?;
        open_cell(name, row.as_ref().map(redb::AccessGuard::value))
    };
    let format = read(FORMAT_CELL)?;
    if format > FORMAT {
        return Err(Error::NewerFormat { object: path.to_owned(), found: format, supported: FORMAT });
    }
    if format == 0 {
        return Err(Error::corrupt(path, "a format number from 1 on", "0"));
    }
    transaction.open_table(CURRENT).map_err(missing)?;
    transaction.open_table(HISTORY).map_err(missing)?;
    transaction.open_table(LOG).map_err(missing)?;
    Ok((read(REVISION_CELL)?, read(FLOOR_CELL)?))
}
