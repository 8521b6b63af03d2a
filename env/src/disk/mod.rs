//! The file system as a trait, so that the same storage code runs on a real directory, on a heap that forgets what was
//! not synced ([`MemDisk`]), and on the simulator's disks that lie.
//!
//! Paths are relative, `/`-separated and never contain `..`; the empty path is the root. Calls block: async callers
//! wrap them in [`crate::rt::blocking`].
//!
//! What is durable when:
//! * bytes and length of a file: after [`DiskFile::sync_data`] on it;
//! * a name made, renamed, linked or removed: after [`Disk::sync_dir`] of the directory that holds the name;
//! * a directory: after `sync_dir` of its parent ([`Disk::create_dir`] does that itself).

mod map;
mod memory;
mod real;
#[cfg(test)]
mod tests;

pub use memory::MemDisk;
pub use real::RealDisk;

use bytes::Bytes;
use std::fmt::Debug;
use std::io;
use std::sync::Arc;

/// One name in a directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DirEntry {
    /// The name, without its directory.
    pub name: String,
    /// Bytes in the file; 0 for a directory.
    pub len_bytes: u64,
    /// Whether it is a directory.
    pub is_dir: bool,
}

/// A directory tree with explicit durability; see the module's text for the rules.
pub trait Disk: Debug + Send + Sync + 'static {
    /// Makes a new empty file, open for reading and writing.
    ///
    /// # Errors
    /// `AlreadyExists` when the name is taken; otherwise what the file system says.
    fn create(&self, path: &str) -> io::Result<Arc<dyn DiskFile>>;

    /// Opens an existing file for reading and writing.
    ///
    /// # Errors
    /// `NotFound` when there is none.
    fn open(&self, path: &str) -> io::Result<Arc<dyn DiskFile>>;

    /// Length in bytes of an existing file.
    ///
    /// # Errors
    /// `NotFound` when there is none.
    fn len(&self, path: &str) -> io::Result<u64>;

    /// Gives a file another name, replacing what had it.
    ///
    /// # Errors
    /// `NotFound` when `from` does not exist.
    fn rename(&self, from: &str, to: &str) -> io::Result<()>;

    /// Gives a directory, with all that is in it, another name: there is no instant at which a part of it has moved. An
    /// empty directory that has the name is replaced.
    ///
    /// # Errors
    /// `NotFound` when `from` does not exist, `DirectoryNotEmpty` or `NotADirectory` when something has the name `to`.
    fn rename_dir(&self, from: &str, to: &str) -> io::Result<()>;

    /// Gives a file a second name, only if that name is free: create-if-absent, whoever races.
    ///
    /// # Errors
    /// `AlreadyExists` when `to` is taken, `NotFound` when `from` does not exist.
    fn link(&self, from: &str, to: &str) -> io::Result<()>;

    /// Removes a file's name.
    ///
    /// # Errors
    /// `NotFound` when there is none.
    fn remove(&self, path: &str) -> io::Result<()>;

    /// Removes an empty directory.
    ///
    /// # Errors
    /// `NotFound` when there is none, `DirectoryNotEmpty` when something is in it.
    fn remove_dir(&self, path: &str) -> io::Result<()>;

    /// Makes a directory and those above it, durably. Fine when it exists.
    ///
    /// # Errors
    /// What the file system says.
    fn create_dir(&self, path: &str) -> io::Result<()>;

    /// What is directly in a directory, sorted by name.
    ///
    /// # Errors
    /// `NotFound` when there is no such directory.
    fn list(&self, dir: &str) -> io::Result<Vec<DirEntry>>;

    /// Makes the names in a directory durable as they are now.
    ///
    /// # Errors
    /// What the file system says; after an error nothing is known about which names are durable.
    fn sync_dir(&self, dir: &str) -> io::Result<()>;

    /// All bytes of a file, copied. For small files; see [`Disk::map`] for large ones.
    ///
    /// # Errors
    /// `NotFound` when there is none.
    fn read(&self, path: &str) -> io::Result<Bytes>;

    /// All bytes of a sealed file without copying them: a memory map on a real disk.
    ///
    /// Only for files that nobody will ever write to or truncate again; removing the name is fine, the bytes stay
    /// until the last clone of the result is dropped.
    ///
    /// # Errors
    /// `NotFound` when there is none.
    fn map(&self, path: &str) -> io::Result<Bytes>;

    /// Bytes that can still be written.
    ///
    /// # Errors
    /// What the file system says.
    fn free_bytes(&self) -> io::Result<u64>;
}

/// An open file. The first write or sync that fails closes it for further ones: what a failed sync left behind is not
/// known, so trying again and being told yes would prove nothing.
pub trait DiskFile: Debug + Send + Sync + 'static {
    /// Length in bytes.
    ///
    /// # Errors
    /// What the file system says.
    fn len(&self) -> io::Result<u64>;

    /// Whether there are no bytes in it.
    ///
    /// # Errors
    /// What the file system says.
    fn is_empty(&self) -> io::Result<bool> {
        Ok(self.len()? == 0)
    }

    /// Fills `out` from `offset`.
    ///
    /// # Errors
    /// `UnexpectedEof` when the file ends before.
    fn read_at(&self, offset: u64, out: &mut [u8]) -> io::Result<()>;

    /// Writes all of `data` at `offset`, growing the file as needed.
    ///
    /// # Errors
    /// What the file system says, `StorageFull` among it.
    fn write_at(&self, offset: u64, data: &[u8]) -> io::Result<()>;

    /// Cuts or grows (with zeros) to `len_bytes`.
    ///
    /// # Errors
    /// What the file system says.
    fn set_len(&self, len_bytes: u64) -> io::Result<()>;

    /// Reserves space for `len_bytes` without changing the length, where the file system can.
    ///
    /// # Errors
    /// `StorageFull` when the space is not there.
    fn allocate(&self, len_bytes: u64) -> io::Result<()>;

    /// Asks for the bytes in a range to be sent to the device soon, without waiting. A hint, never a promise.
    fn start_writeback(&self, offset: u64, len_bytes: u64);

    /// Makes bytes and length durable.
    ///
    /// # Errors
    /// What the device says; see the trait's text.
    fn sync_data(&self) -> io::Result<()>;
}

/// `dir/name`, or `name` when `dir` is the root.
pub fn join(dir: &str, name: &str) -> String {
    if dir.is_empty() { name.to_owned() } else { format!("{dir}/{name}") }
}

/// The directory part of a path; empty for a name in the root.
pub fn parent(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(dir, _)| dir)
}

/// Puts a whole small file in place, atomically and durably, replacing what had its name: temporary name, write, sync,
/// rename, sync of the directory. After a crash at any instant the name shows the old bytes or the new ones.
///
/// # Errors
/// What the disk says. The old file is then still there, perhaps beside a temporary one named `.<name>.<token>.tmp`.
pub fn publish(disk: &dyn Disk, dir: &str, name: &str, bytes: &[u8]) -> io::Result<()> {
    let temporary = write_temporary(disk, dir, name, bytes)?;
    disk.rename(&temporary, &join(dir, name))?;
    disk.sync_dir(dir)
}

/// As [`publish`], but only if nothing has the name: whoever links first wins.
///
/// # Errors
/// `AlreadyExists` when the name is taken; then nothing was changed.
pub fn publish_new(disk: &dyn Disk, dir: &str, name: &str, bytes: &[u8]) -> io::Result<()> {
    let temporary = write_temporary(disk, dir, name, bytes)?;
    let linked = disk.link(&temporary, &join(dir, name));
    let removed = disk.remove(&temporary);
    linked?;
    removed?;
    disk.sync_dir(dir)
}

/// The mark of names that a crash may leave behind and that anyone may remove when no writer lives.
pub const TEMPORARY_SUFFIX: &str = ".tmp";

fn write_temporary(disk: &dyn Disk, dir: &str, name: &str, bytes: &[u8]) -> io::Result<String> {
    let temporary = join(dir, &format!(".{name}.{}{TEMPORARY_SUFFIX}", crate::rand::token()));
    let file = disk.create(&temporary)?;
    let written = file.write_at(0, bytes).and_then(|()| file.sync_data());
    if let Err(failed) = written {
        // The space may be what was missing: give it back. The first error is the one to tell.
        drop(disk.remove(&temporary));
        return Err(failed);
    }
    Ok(temporary)
}
