//! A directory of the real file system.

use super::{DirEntry, Disk, DiskFile, map};
use bytes::Bytes;
use std::fs;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// A directory of the real file system.
#[derive(Debug, Clone)]
pub struct RealDisk {
    root: PathBuf,
}

impl RealDisk {
    /// The tree below `root`, which need not exist yet ([`Disk::create_dir`] with an empty path makes it).
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }

    /// Where the tree is.
    pub fn root(&self) -> &Path {
        &self.root
    }

    fn full(&self, path: &str) -> io::Result<PathBuf> {
        let relative = Path::new(path);
        if relative.components().all(|part| matches!(part, Component::Normal(_))) {
            return Ok(self.root.join(relative));
        }
        Err(io::Error::new(io::ErrorKind::InvalidInput, format!("path {path:?} leaves its directory")))
    }
}

/// The file system's error with the path in it: "No such file" alone helps nobody.
fn at(path: &Path) -> impl FnOnce(io::Error) -> io::Error + '_ {
    move |failed| io::Error::new(failed.kind(), format!("{}: {failed}", path.display()))
}

impl Disk for RealDisk {
    fn create(&self, path: &str) -> io::Result<Arc<dyn DiskFile>> {
        let full = self.full(path)?;
        let file = fs::File::options().read(true).write(true).create_new(true).open(&full).map_err(at(&full))?;
        Ok(Arc::new(RealFile { file, path: full, failed: AtomicBool::new(false) }))
    }

    fn open(&self, path: &str) -> io::Result<Arc<dyn DiskFile>> {
        let full = self.full(path)?;
        let file = fs::File::options().read(true).write(true).open(&full).map_err(at(&full))?;
        Ok(Arc::new(RealFile { file, path: full, failed: AtomicBool::new(false) }))
    }

    fn len(&self, path: &str) -> io::Result<u64> {
        let full = self.full(path)?;
        Ok(fs::metadata(&full).map_err(at(&full))?.len())
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        let (from, to) = (self.full(from)?, self.full(to)?);
        fs::rename(&from, &to).map_err(at(&from))
    }

    fn rename_dir(&self, from: &str, to: &str) -> io::Result<()> {
        let (from, to) = (self.full(from)?, self.full(to)?);
        fs::rename(&from, &to).map_err(at(&to))
    }

    fn link(&self, from: &str, to: &str) -> io::Result<()> {
        let (from, to) = (self.full(from)?, self.full(to)?);
        fs::hard_link(&from, &to).map_err(at(&to))
    }

    fn remove(&self, path: &str) -> io::Result<()> {
        let full = self.full(path)?;
        fs::remove_file(&full).map_err(at(&full))
    }

    fn remove_dir(&self, path: &str) -> io::Result<()> {
        let full = self.full(path)?;
        fs::remove_dir(&full).map_err(at(&full))
    }

    fn create_dir(&self, path: &str) -> io::Result<()> {
        let full = self.full(path)?;
        if full.is_dir() {
            return Ok(());
        }
        fs::create_dir_all(&full).map_err(at(&full))?;
        // Every directory from the one above the root downwards may have gained a name.
        let mut changed = full.parent();
        while let Some(dir) = changed {
            let dir = if dir.as_os_str().is_empty() { Path::new(".") } else { dir };
            fs::File::open(dir).and_then(|handle| handle.sync_all()).map_err(at(dir))?;
            if !dir.starts_with(&self.root) || dir == Path::new(".") {
                break;
            }
            changed = dir.parent();
        }
        Ok(())
    }

    fn list(&self, dir: &str) -> io::Result<Vec<DirEntry>> {
        let full = self.full(dir)?;
        let mut entries = Vec::new();
        for entry in fs::read_dir(&full).map_err(at(&full))? {
            let entry = entry.map_err(at(&full))?;
            // A name that is not UTF-8 is none of ours.
            let Ok(name) = entry.file_name().into_string() else { continue };
            let meta = match entry.metadata() {
                Ok(meta) => meta,
                // Removed since the directory was read.
                Err(gone) if gone.kind() == io::ErrorKind::NotFound => continue,
                Err(failed) => return Err(at(&full)(failed)),
            };
            let len_bytes = if meta.is_dir() { 0 } else { meta.len() };
            entries.push(DirEntry { name, len_bytes, is_dir: meta.is_dir() });
        }
        entries.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(entries)
    }

    fn sync_dir(&self, dir: &str) -> io::Result<()> {
        let full = self.full(dir)?;
        fs::File::open(&full).and_then(|handle| handle.sync_all()).map_err(at(&full))
    }

    fn read(&self, path: &str) -> io::Result<Bytes> {
        let full = self.full(path)?;
        Ok(fs::read(&full).map_err(at(&full))?.into())
    }

    fn map(&self, path: &str) -> io::Result<Bytes> {
        let full = self.full(path)?;
        let file = fs::File::open(&full).map_err(at(&full))?;
        map::map(&file).map_err(at(&full))
    }

    fn free_bytes(&self) -> io::Result<u64> {
        let stat = rustix::fs::statvfs(&self.root)?;
        Ok(stat.f_bavail.saturating_mul(stat.f_frsize))
    }
}

#[derive(Debug)]
struct RealFile {
    file: fs::File,
    path: PathBuf,
    /// Set by the first write or sync that failed; see [`DiskFile`].
    failed: AtomicBool,
}

impl RealFile {
    fn change(&self, change: impl FnOnce(&fs::File) -> io::Result<()>) -> io::Result<()> {
        if self.failed.load(Ordering::Acquire) {
            return Err(io::Error::other(format!("{}: an earlier write failed", self.path.display())));
        }
        change(&self.file).map_err(|failed| {
            self.failed.store(true, Ordering::Release);
            at(&self.path)(failed)
        })
    }
}

impl DiskFile for RealFile {
    fn len(&self) -> io::Result<u64> {
        Ok(self.file.metadata().map_err(at(&self.path))?.len())
    }

    fn read_at(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.file.read_exact_at(out, offset).map_err(at(&self.path))
    }

    fn write_at(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.change(|file| file.write_all_at(data, offset))
    }

    fn set_len(&self, len_bytes: u64) -> io::Result<()> {
        self.change(|file| file.set_len(len_bytes))
    }

    fn allocate(&self, len_bytes: u64) -> io::Result<()> {
        use rustix::fs::FallocateFlags;
        use rustix::io::Errno;
        if len_bytes == 0 {
            return Ok(());
        }
        self.change(|file| match rustix::fs::fallocate(file, FallocateFlags::KEEP_SIZE, 0, len_bytes) {
            // A file system that cannot reserve only loses the speed.
            Ok(()) | Err(Errno::OPNOTSUPP | Errno::NOSYS) => Ok(()),
            Err(failed) => Err(failed.into()),
        })
    }

    fn start_writeback(&self, offset: u64, len_bytes: u64) {
        // On Linux this starts writing dirty pages of the range without waiting for them, and forgets clean ones: the
        // copy is not about to be read. Failure only costs the head start.
        let Some(len) = std::num::NonZeroU64::new(len_bytes) else { return };
        rustix::fs::fadvise(&self.file, offset, Some(len), rustix::fs::Advice::DontNeed).ok();
    }

    fn sync_data(&self) -> io::Result<()> {
        self.change(fs::File::sync_data)
    }
}
