//! Blocking file work of the local store: put an object in place, copy it, delete it.

use crate::names::{UPLOADS, upload_name};
use bytes::Bytes;
use env::disk::{Disk, DiskFile, parent};
use parking_lot::Mutex;
use std::collections::BTreeSet;
use std::io;
use std::sync::Arc;

/// Bytes of one write: large enough that the system call costs nothing, small enough to be hot in cache.
const WRITE_BYTES: usize = 1 << 20;
/// Files from this length on have their space reserved and their write-back begun early.
const LARGE_BYTES: u64 = 1 << 20;
/// Write-back is begun for so many bytes at a time.
const WRITEBACK_BYTES: u64 = 8 << 20;
/// How often a directory that vanished under a writer is made again.
const ATTEMPTS: u32 = 8;

/// The directory tree of a store.
#[derive(Debug)]
pub(super) struct Tree {
    pub(super) disk: Arc<dyn Disk>,
    /// Directories that this process has made, or found, and synced.
    dirs: Mutex<BTreeSet<String>>,
}

impl Tree {
    pub(super) fn new(disk: Arc<dyn Disk>) -> Self {
        Self { disk, dirs: Mutex::default() }
    }

    /// Makes a directory and those above it durable.
    fn ensure_dir(&self, dir: &str) -> io::Result<()> {
        if self.dirs.lock().contains(dir) {
            return Ok(());
        }
        self.disk.create_dir(dir)?;
        // It may have been there, made by a process that died before it synced.
        let mut above = dir;
        while !above.is_empty() {
            above = parent(above);
            self.disk.sync_dir(above)?;
        }
        self.dirs.lock().insert(dir.to_owned());
        Ok(())
    }

    /// Runs `step`, which needs the directory of `path`; makes the directory again when a concurrent delete of its last
    /// object took it away.
    fn with_dir<R>(&self, path: &str, mut step: impl FnMut() -> io::Result<R>) -> io::Result<R> {
        let dir = parent(path);
        let mut attempt = 0;
        loop {
            attempt += 1;
            let failed = match self.ensure_dir(dir).and_then(|()| step()) {
                Ok(done) => return Ok(done),
                Err(failed) => failed,
            };
            if failed.kind() != io::ErrorKind::NotFound || attempt >= ATTEMPTS {
                return Err(failed);
            }
            self.dirs.lock().remove(dir);
        }
    }

    /// A new file under a name that nobody else has.
    pub(super) fn begin(&self, path: &str) -> io::Result<(String, Arc<dyn DiskFile>)> {
        let name = upload_name(path);
        let file = self.with_dir(&name, || self.disk.create(&name))?;
        Ok((name, file))
    }

    /// Writes an object under a name of its own and puts it in place.
    pub(super) fn put(&self, path: &str, chunks: &[Bytes], replace: bool) -> io::Result<()> {
        let (name, file) = self.begin(path)?;
        let written = write(&*file, 0, chunks, true).and_then(|_| file.sync_data());
        self.finish(&name, path, written, replace)
    }

    /// Puts a synced file in place, or gives it up when `written` says so.
    pub(super) fn finish(&self, name: &str, path: &str, written: io::Result<()>, replace: bool) -> io::Result<()> {
        let placed = written.and_then(|()| {
            self.with_dir(path, || if replace { self.disk.rename(name, path) } else { self.disk.link(name, path) })
        });
        if !replace || placed.is_err() {
            // What failed to be removed is what a crash would have left. The first error is the one to tell.
            drop(self.disk.remove(name));
        }
        match placed {
            // Whoever is told that a name is taken may build on it: so it must last.
            Err(taken) if taken.kind() == io::ErrorKind::AlreadyExists => {
                self.disk.sync_dir(parent(path))?;
                Err(taken)
            }
            Ok(()) => self.disk.sync_dir(parent(path)),
            Err(failed) => Err(failed),
        }
    }

    pub(super) fn copy(&self, from: &str, to: &str, replace: bool) -> io::Result<()> {
        self.disk.len(from)?;
        if replace {
            let name = upload_name(to);
            self.with_dir(&name, || self.disk.link(from, &name))?;
            return self.finish(&name, to, Ok(()), true);
        }
        let linked = self.with_dir(to, || self.disk.link(from, to));
        match linked {
            Err(failed) if failed.kind() != io::ErrorKind::AlreadyExists => Err(failed),
            linked => self.disk.sync_dir(parent(to)).and(linked),
        }
    }

    pub(super) fn delete(&self, path: &str) -> io::Result<()> {
        match self.disk.remove(path) {
            Ok(()) => {}
            Err(gone) if gone.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(failed) => return Err(failed),
        }
        // Directories of one session go with their last object; the few at the top stay.
        let dir = parent(path);
        if !parent(dir).is_empty() && dir != UPLOADS && self.disk.remove_dir(dir).is_ok() {
            self.dirs.lock().remove(dir);
        }
        Ok(())
    }
}

/// Writes chunks one behind the other from `offset` on; gives the offset behind them. Small chunks are gathered, large
/// ones go from where they are.
pub(super) fn write(file: &dyn DiskFile, offset: u64, chunks: &[Bytes], reserve: bool) -> io::Result<u64> {
    let total: u64 = chunks.iter().map(|chunk| chunk.len() as u64).sum();
    if reserve && total >= LARGE_BYTES {
        file.allocate(offset + total)?;
    }
    let (mut at, mut started) = (offset, offset);
    let mut gathered: Vec<u8> = Vec::new();
    for chunk in chunks {
        if gathered.len() + chunk.len() < WRITE_BYTES && chunks.len() > 1 {
            gathered.extend_from_slice(chunk);
            continue;
        }
        for piece in std::iter::once(gathered.as_slice()).chain(chunk.chunks(WRITE_BYTES)) {
            if !piece.is_empty() {
                file.write_at(at, piece)?;
                at += piece.len() as u64;
            }
            if at - started >= WRITEBACK_BYTES {
                file.start_writeback(started, at - started);
                started = at;
            }
        }
        gathered.clear();
    }
    if !gathered.is_empty() {
        file.write_at(at, &gathered)?;
        at += gathered.len() as u64;
    }
    if total >= LARGE_BYTES && at > started {
        file.start_writeback(started, at - started);
    }
    Ok(at)
}
