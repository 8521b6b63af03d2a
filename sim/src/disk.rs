//! A disk that fails: errors on reads, writes and syncs in front of a [`MemDisk`], which by itself loses and tears what was
//! not synced.

use bytes::Bytes;
use env::disk::{DirEntry, Disk, DiskFile, MemDisk};
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Chances in thousand that a call fails.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DiskLies {
    /// Reading and mapping.
    pub read: u32,
    /// Writing, making, naming and removing files.
    pub write: u32,
    /// Syncing files and directories.
    pub sync: u32,
}

/// The knobs, which outlive lives of the machine.
pub type Knobs = Arc<Mutex<DiskLies>>;

/// Whether the process that uses a disk is alive: a killed one changes nothing more, whatever its destructors try.
#[derive(Debug, Clone)]
pub struct Life(Arc<AtomicBool>);

impl Default for Life {
    fn default() -> Self {
        Self(Arc::new(AtomicBool::new(true)))
    }
}

impl Life {
    /// The process is gone.
    pub fn end(&self) {
        self.0.store(false, Ordering::Relaxed);
    }

    fn check(&self) -> io::Result<()> {
        if self.0.load(Ordering::Relaxed) {
            return Ok(());
        }
        Err(io::Error::new(io::ErrorKind::NotConnected, "the process that this handle belongs to was killed"))
    }
}

/// A disk that fails as its knobs say.
#[derive(Debug, Clone)]
pub struct LyingDisk {
    disk: MemDisk,
    knobs: Knobs,
    life: Life,
}

#[derive(Debug)]
struct LyingFile {
    file: Arc<dyn DiskFile>,
    knobs: Knobs,
    life: Life,
}

fn broken(thousandths: u32, what: &str) -> io::Result<()> {
    if thousandths > 0 && env::rand::below(1000) < u64::from(thousandths) {
        return Err(io::Error::other(format!("input/output error while {what}")));
    }
    Ok(())
}

impl LyingDisk {
    /// A life's view of a disk.
    pub fn new(disk: MemDisk, knobs: Knobs, life: Life) -> Self {
        Self { disk, knobs, life }
    }

    fn read(&self) -> io::Result<()> {
        self.life.check()?;
        broken(self.knobs.lock().read, "reading")
    }

    fn write(&self) -> io::Result<()> {
        self.life.check()?;
        broken(self.knobs.lock().write, "writing")
    }

    fn file(&self, file: Arc<dyn DiskFile>) -> Arc<dyn DiskFile> {
        Arc::new(LyingFile { file, knobs: Arc::clone(&self.knobs), life: self.life.clone() })
    }
}

impl Disk for LyingDisk {
    fn create(&self, path: &str) -> io::Result<Arc<dyn DiskFile>> {
        self.write()?;
        Ok(self.file(self.disk.create(path)?))
    }

    fn open(&self, path: &str) -> io::Result<Arc<dyn DiskFile>> {
        self.read()?;
        Ok(self.file(self.disk.open(path)?))
    }

    fn len(&self, path: &str) -> io::Result<u64> {
        self.read()?;
        self.disk.len(path)
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        self.write()?;
        self.disk.rename(from, to)
    }

    fn rename_dir(&self, from: &str, to: &str) -> io::Result<()> {
        self.write()?;
        self.disk.rename_dir(from, to)
    }

    fn link(&self, from: &str, to: &str) -> io::Result<()> {
        self.write()?;
        self.disk.link(from, to)
    }

    fn remove(&self, path: &str) -> io::Result<()> {
        self.write()?;
        self.disk.remove(path)
    }

    fn remove_dir(&self, path: &str) -> io::Result<()> {
        self.write()?;
        self.disk.remove_dir(path)
    }

    fn create_dir(&self, path: &str) -> io::Result<()> {
        self.write()?;
        self.disk.create_dir(path)
    }

    fn list(&self, dir: &str) -> io::Result<Vec<DirEntry>> {
        self.read()?;
        self.disk.list(dir)
    }

    fn sync_dir(&self, dir: &str) -> io::Result<()> {
        self.life.check()?;
        broken(self.knobs.lock().sync, "syncing a directory")?;
        self.disk.sync_dir(dir)
    }

    fn read(&self, path: &str) -> io::Result<Bytes> {
        Self::read(self)?;
        self.disk.read(path)
    }

    fn map(&self, path: &str) -> io::Result<Bytes> {
        Self::read(self)?;
        self.disk.map(path)
    }

    fn free_bytes(&self) -> io::Result<u64> {
        self.disk.free_bytes()
    }
}

impl DiskFile for LyingFile {
    fn len(&self) -> io::Result<u64> {
        self.file.len()
    }

    fn read_at(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.life.check()?;
        broken(self.knobs.lock().read, "reading")?;
        self.file.read_at(offset, out)
    }

    fn write_at(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.life.check()?;
        broken(self.knobs.lock().write, "writing")?;
        self.file.write_at(offset, data)
    }

    fn set_len(&self, len_bytes: u64) -> io::Result<()> {
        self.life.check()?;
        broken(self.knobs.lock().write, "changing a length")?;
        self.file.set_len(len_bytes)
    }

    fn allocate(&self, len_bytes: u64) -> io::Result<()> {
        self.life.check()?;
        self.file.allocate(len_bytes)
    }

    fn start_writeback(&self, offset: u64, len_bytes: u64) {
        self.file.start_writeback(offset, len_bytes);
    }

    fn sync_data(&self) -> io::Result<()> {
        // What a failed sync leaves is decided by the next power cut: nothing was made durable.
        self.life.check()?;
        broken(self.knobs.lock().sync, "syncing")?;
        self.file.sync_data()
    }
}
