//! A disk on the heap that forgets what was not synced.
//!
//! Bytes of files and names in directories are durable separately, as on a real file system. Every handle belongs to
//! one life of the machine: after [`MemDisk::power_cut`] handles from before only return errors, so destructors of
//! the dead process change nothing.

use super::{DirEntry, Disk, DiskFile, join, parent};
use bytes::Bytes;
use parking_lot::Mutex;
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::sync::Arc;

/// The unit in which an unsynced write is kept or lost.
const SECTOR_BYTES: usize = 512;

/// A disk on the heap; clones share it. See the module's text.
#[derive(Debug, Clone, Default)]
pub struct MemDisk {
    platter: Arc<Mutex<Platter>>,
    /// The life in which this value was made; clones of an earlier one are dead after a power cut.
    life: u64,
}

#[derive(Debug, Default)]
struct Platter {
    life: u64,
    next_inode: u64,
    inodes: BTreeMap<u64, Inode>,
    /// Full path to inode, as a running process sees it.
    names: BTreeMap<String, Name>,
    /// Full path to inode, as the device holds it.
    durable_names: BTreeMap<String, Name>,
    /// Directories that were given another name, from and to, since the directories that hold the names were synced.
    moved: Vec<(String, String)>,
    /// Changes (writes, syncs, name changes) until the power is cut; see [`MemDisk::cut_after`].
    changes_left: Option<u64>,
    changes: u64,
    capacity_bytes: Option<u64>,
    cut_seed: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Name {
    File(u64),
    Dir,
}

#[derive(Debug, Default)]
struct Inode {
    current: Vec<u8>,
    durable: Vec<u8>,
    /// Sectors written since the last sync.
    dirty: BTreeSet<usize>,
}

/// Gives the names of a directory and of everything in it another beginning.
fn move_names(names: &mut BTreeMap<String, Name>, from: &str, to: &str) {
    let inside = format!("{from}/");
    for path in names.keys().filter(|path| *path == from || path.starts_with(&inside)).cloned().collect::<Vec<_>>() {
        if let (Some(name), Some(rest)) = (names.remove(&path), path.strip_prefix(from)) {
            names.insert(format!("{to}{rest}"), name);
        }
    }
}

fn dead() -> io::Error {
    io::Error::new(io::ErrorKind::NotConnected, "the machine that this handle belongs to lost its power")
}

fn not_found(path: &str) -> io::Error {
    io::Error::new(io::ErrorKind::NotFound, format!("{path}: no such file or directory"))
}

fn taken(path: &str) -> io::Error {
    io::Error::new(io::ErrorKind::AlreadyExists, format!("{path}: file exists"))
}

/// A small generator of its own, so that a power cut depends on its seed alone.
struct Dice(u64);

impl Dice {
    fn roll(&mut self) -> u64 {
        // SplitMix64 (Steele, Lea, Flood 2014).
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn one_in(&mut self, n: u64) -> bool {
        self.roll().checked_rem(n) == Some(0)
    }
}

impl Platter {
    fn alive(&self, life: u64) -> io::Result<()> {
        if self.life == life { Ok(()) } else { Err(dead()) }
    }

    /// Counts one change to the device; cuts the power instead when its time has come.
    fn change(&mut self, life: u64) -> io::Result<()> {
        self.alive(life)?;
        self.changes += 1;
        if let Some(left) = self.changes_left.as_mut() {
            if *left == 0 {
                self.changes_left = None;
                self.cut(self.cut_seed);
                return Err(dead());
            }
            *left -= 1;
        }
        Ok(())
    }

    fn file(&self, path: &str) -> io::Result<u64> {
        match self.names.get(path) {
            Some(Name::File(inode)) => Ok(*inode),
            Some(Name::Dir) => Err(io::Error::new(io::ErrorKind::IsADirectory, format!("{path}: is a directory"))),
            None => Err(not_found(path)),
        }
    }

    fn is_dir(&self, path: &str) -> bool {
        path.is_empty() || self.names.get(path) == Some(&Name::Dir)
    }

    fn used_bytes(&self) -> u64 {
        self.inodes.values().map(|inode| inode.current.len() as u64).sum()
    }

    /// What a power cut leaves: each unsynced sector is kept, lost or half written; each unsynced name change of a
    /// directory is kept or lost.
    fn cut(&mut self, seed: u64) {
        let mut dice = Dice(seed);
        self.life += 1;
        self.changes_left = None;
        for (from, to) in std::mem::take(&mut self.moved).into_iter().rev() {
            if dice.one_in(2) {
                move_names(&mut self.durable_names, &from, &to);
                continue;
            }
            move_names(&mut self.names, &to, &from);
            if self.durable_names.get(&to) == Some(&Name::Dir) {
                self.names.insert(to, Name::Dir);
            }
        }
        let paths: Vec<String> = self.names.keys().chain(self.durable_names.keys()).cloned().collect();
        for path in paths {
            let (now, durable) = (self.names.get(&path).copied(), self.durable_names.get(&path).copied());
            if now != durable && dice.one_in(2) {
                match now {
                    Some(name) => drop(self.durable_names.insert(path, name)),
                    None => drop(self.durable_names.remove(&path)),
                }
            }
        }
        // A name in a directory that was itself lost is lost.
        let orphans: Vec<String> = self
            .durable_names
            .keys()
            .filter(|path| {
                let mut dir = parent(path);
                while !dir.is_empty() {
                    if self.durable_names.get(dir) != Some(&Name::Dir) {
                        return true;
                    }
                    dir = parent(dir);
                }
                false
            })
            .cloned()
            .collect();
        for orphan in orphans {
            self.durable_names.remove(&orphan);
        }
        self.names = self.durable_names.clone();
        for inode in self.inodes.values_mut() {
            let grown = inode.current.len() > inode.durable.len();
            if (grown && dice.one_in(2)) || inode.current.len() < inode.durable.len() && dice.one_in(2) {
                inode.durable.resize(inode.current.len(), 0);
            }
            for sector in std::mem::take(&mut inode.dirty) {
                let keep_bytes = match dice.roll() % 3 {
                    0 => 0,
                    1 => SECTOR_BYTES,
                    _ => usize::try_from(dice.roll() % SECTOR_BYTES as u64).unwrap_or(0),
                };
                let start = sector * SECTOR_BYTES;
                let end = (start + keep_bytes).min(inode.current.len()).min(inode.durable.len());
                if let (Some(to), Some(from)) = (inode.durable.get_mut(start..end), inode.current.get(start..end)) {
                    to.copy_from_slice(from);
                }
            }
            inode.current = inode.durable.clone();
        }
        let kept: Vec<u64> = self
            .names
            .values()
            .filter_map(|name| if let Name::File(inode) = name { Some(*inode) } else { None })
            .collect();
        self.inodes.retain(|id, _| kept.contains(id));
    }
}

impl MemDisk {
    /// An empty disk without a size limit.
    pub fn new() -> Self {
        Self::default()
    }

    /// Cuts the power now: what was not synced is kept, lost or torn as `seed` says. Handles of the old life, this
    /// value among them, only return errors; [`MemDisk::reboot`] gives the next life.
    #[must_use]
    pub fn power_cut(&self, seed: u64) -> Self {
        self.platter.lock().cut(seed);
        self.reboot()
    }

    /// The disk as the next process finds it.
    #[must_use]
    pub fn reboot(&self) -> Self {
        let life = self.platter.lock().life;
        Self { platter: Arc::clone(&self.platter), life }
    }

    /// Cuts the power just before the `changes + 1`-th next change (write, sync or name change), as [`power_cut`]
    /// with `seed` would. Synchronous code is never interrupted from outside; this is how a test crashes inside it.
    ///
    /// [`power_cut`]: MemDisk::power_cut
    pub fn cut_after(&self, changes: u64, seed: u64) {
        let mut platter = self.platter.lock();
        platter.changes_left = Some(changes);
        platter.cut_seed = seed;
    }

    /// How many changes were made so far: the crash points that a test can enumerate.
    pub fn changes(&self) -> u64 {
        self.platter.lock().changes
    }

    /// From now on writes fail with `StorageFull` when all files together would hold more than `bytes`.
    pub fn limit(&self, bytes: Option<u64>) {
        self.platter.lock().capacity_bytes = bytes;
    }

    /// Flips one bit of a file behind everyone's back: bit rot.
    ///
    /// # Errors
    /// `NotFound` when there is no such file or byte.
    pub fn flip_bit(&self, path: &str, offset: usize) -> io::Result<()> {
        let mut platter = self.platter.lock();
        let inode = platter.file(path)?;
        let inode = platter.inodes.get_mut(&inode).ok_or_else(|| not_found(path))?;
        for copy in [&mut inode.current, &mut inode.durable] {
            if let Some(byte) = copy.get_mut(offset) {
                *byte ^= 1;
            }
        }
        Ok(())
    }
}

impl Disk for MemDisk {
    fn create(&self, path: &str) -> io::Result<Arc<dyn DiskFile>> {
        let mut platter = self.platter.lock();
        platter.change(self.life)?;
        if !platter.is_dir(parent(path)) {
            return Err(not_found(parent(path)));
        }
        if platter.names.contains_key(path) {
            return Err(taken(path));
        }
        let inode = platter.next_inode;
        platter.next_inode += 1;
        platter.inodes.insert(inode, Inode::default());
        platter.names.insert(path.to_owned(), Name::File(inode));
        Ok(Arc::new(MemFile { disk: self.clone(), inode, path: path.to_owned() }))
    }

    fn open(&self, path: &str) -> io::Result<Arc<dyn DiskFile>> {
        let platter = self.platter.lock();
        platter.alive(self.life)?;
        let inode = platter.file(path)?;
        Ok(Arc::new(MemFile { disk: self.clone(), inode, path: path.to_owned() }))
    }

    fn len(&self, path: &str) -> io::Result<u64> {
        let platter = self.platter.lock();
        platter.alive(self.life)?;
        let inode = platter.file(path)?;
        Ok(platter.inodes.get(&inode).map_or(0, |inode| inode.current.len() as u64))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        let mut platter = self.platter.lock();
        platter.change(self.life)?;
        let inode = platter.file(from)?;
        platter.names.remove(from);
        platter.names.insert(to.to_owned(), Name::File(inode));
        Ok(())
    }

    fn rename_dir(&self, from: &str, to: &str) -> io::Result<()> {
        let mut platter = self.platter.lock();
        platter.change(self.life)?;
        if platter.names.get(from) != Some(&Name::Dir) {
            return Err(not_found(from));
        }
        match platter.names.get(to) {
            Some(Name::File(_)) => {
                return Err(io::Error::new(io::ErrorKind::NotADirectory, format!("{to}: not a directory")));
            }
            Some(Name::Dir) if platter.names.keys().any(|name| parent(name) == to) => {
                return Err(io::Error::new(io::ErrorKind::DirectoryNotEmpty, format!("{to}: directory not empty")));
            }
            Some(Name::Dir) | None => {}
        }
        move_names(&mut platter.names, from, to);
        platter.moved.push((from.to_owned(), to.to_owned()));
        Ok(())
    }

    fn link(&self, from: &str, to: &str) -> io::Result<()> {
        let mut platter = self.platter.lock();
        platter.change(self.life)?;
        let inode = platter.file(from)?;
        if platter.names.contains_key(to) {
            return Err(taken(to));
        }
        platter.names.insert(to.to_owned(), Name::File(inode));
        Ok(())
    }

    fn remove(&self, path: &str) -> io::Result<()> {
        let mut platter = self.platter.lock();
        platter.change(self.life)?;
        platter.file(path)?;
        platter.names.remove(path);
        Ok(())
    }

    fn remove_dir(&self, path: &str) -> io::Result<()> {
        let mut platter = self.platter.lock();
        platter.change(self.life)?;
        if platter.names.get(path) != Some(&Name::Dir) {
            return Err(not_found(path));
        }
        if platter.names.keys().any(|name| parent(name) == path) {
            return Err(io::Error::new(io::ErrorKind::DirectoryNotEmpty, format!("{path}: directory not empty")));
        }
        platter.names.remove(path);
        Ok(())
    }

    fn create_dir(&self, path: &str) -> io::Result<()> {
        let mut platter = self.platter.lock();
        platter.alive(self.life)?;
        let mut built = String::new();
        for part in path.split('/').filter(|part| !part.is_empty()) {
            built = join(&built, part);
            match platter.names.get(&built) {
                Some(Name::Dir) => {}
                Some(Name::File(_)) => return Err(taken(&built)),
                None => {
                    platter.change(self.life)?;
                    platter.names.insert(built.clone(), Name::Dir);
                }
            }
            platter.durable_names.insert(built.clone(), Name::Dir);
        }
        Ok(())
    }

    fn list(&self, dir: &str) -> io::Result<Vec<DirEntry>> {
        let platter = self.platter.lock();
        platter.alive(self.life)?;
        if !platter.is_dir(dir) {
            return Err(not_found(dir));
        }
        Ok(platter
            .names
            .iter()
            .filter(|(path, _)| parent(path) == dir)
            .map(|(path, name)| DirEntry {
                name: path.rsplit('/').next().unwrap_or_default().to_owned(),
                len_bytes: match name {
                    Name::File(inode) => platter.inodes.get(inode).map_or(0, |inode| inode.current.len() as u64),
                    Name::Dir => 0,
                },
                is_dir: *name == Name::Dir,
            })
            .collect())
    }

    fn sync_dir(&self, dir: &str) -> io::Result<()> {
        let mut platter = self.platter.lock();
        platter.change(self.life)?;
        if !platter.is_dir(dir) {
            return Err(not_found(dir));
        }
        let platter = &mut *platter;
        let (synced, moved) = std::mem::take(&mut platter.moved)
            .into_iter()
            .partition(|(from, to)| parent(from) == dir || parent(to) == dir);
        platter.moved = moved;
        let synced: Vec<(String, String)> = synced;
        for (from, to) in synced {
            move_names(&mut platter.durable_names, &from, &to);
        }
        platter.durable_names.retain(|path, _| parent(path) != dir || platter.names.contains_key(path));
        for (path, name) in platter.names.iter().filter(|(path, _)| parent(path) == dir) {
            platter.durable_names.insert(path.clone(), *name);
        }
        Ok(())
    }

    fn read(&self, path: &str) -> io::Result<Bytes> {
        let platter = self.platter.lock();
        platter.alive(self.life)?;
        let inode = platter.file(path)?;
        Ok(platter.inodes.get(&inode).map_or_else(Bytes::new, |inode| inode.current.clone().into()))
    }

    fn map(&self, path: &str) -> io::Result<Bytes> {
        self.read(path)
    }

    fn free_bytes(&self) -> io::Result<u64> {
        let platter = self.platter.lock();
        platter.alive(self.life)?;
        Ok(platter.capacity_bytes.map_or(u64::MAX, |capacity| capacity.saturating_sub(platter.used_bytes())))
    }
}

#[derive(Debug)]
struct MemFile {
    disk: MemDisk,
    inode: u64,
    path: String,
}

impl MemFile {
    fn read<R>(&self, read: impl FnOnce(&Inode) -> io::Result<R>) -> io::Result<R> {
        let platter = self.disk.platter.lock();
        platter.alive(self.disk.life)?;
        read(platter.inodes.get(&self.inode).ok_or_else(|| not_found(&self.path))?)
    }

    fn change(&self, grows_to: Option<u64>, change: impl FnOnce(&mut Inode)) -> io::Result<()> {
        let mut platter = self.disk.platter.lock();
        platter.change(self.disk.life)?;
        let capacity = platter.capacity_bytes;
        let used = if capacity.is_some() { platter.used_bytes() } else { 0 };
        let inode = platter.inodes.get_mut(&self.inode).ok_or_else(|| not_found(&self.path))?;
        let growth = grows_to.map_or(0, |len| len.saturating_sub(inode.current.len() as u64));
        if growth > 0 && capacity.is_some_and(|capacity| used.saturating_add(growth) > capacity) {
            return Err(io::Error::new(io::ErrorKind::StorageFull, format!("{}: no space left on device", self.path)));
        }
        change(inode);
        Ok(())
    }
}

fn index(offset: u64) -> io::Result<usize> {
    usize::try_from(offset).map_err(|large| io::Error::new(io::ErrorKind::FileTooLarge, large))
}

impl DiskFile for MemFile {
    fn len(&self) -> io::Result<u64> {
        self.read(|inode| Ok(inode.current.len() as u64))
    }

    fn read_at(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let start = index(offset)?;
        self.read(|inode| {
            let from = inode.current.get(start..start.saturating_add(out.len()));
            let from =
                from.ok_or_else(|| io::Error::new(io::ErrorKind::UnexpectedEof, format!("{}: too short", self.path)))?;
            out.copy_from_slice(from);
            Ok(())
        })
    }

    fn write_at(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        let start = index(offset)?;
        let end = start.saturating_add(data.len());
        self.change(Some(end as u64), |inode| {
            if inode.current.len() < end {
                inode.current.resize(end, 0);
            }
            if let Some(to) = inode.current.get_mut(start..end) {
                to.copy_from_slice(data);
            }
            inode.dirty.extend(start / SECTOR_BYTES..end.div_ceil(SECTOR_BYTES));
        })
    }

    fn set_len(&self, len_bytes: u64) -> io::Result<()> {
        let len = index(len_bytes)?;
        self.change(Some(len_bytes), |inode| {
            // What is cut off here may come back as zeros, where the device still has other bytes.
            inode.dirty.extend(len / SECTOR_BYTES..inode.current.len().div_ceil(SECTOR_BYTES));
            inode.current.resize(len, 0);
        })
    }

    fn allocate(&self, len_bytes: u64) -> io::Result<()> {
        self.change(Some(len_bytes), |_| ())
    }

    fn start_writeback(&self, _offset: u64, _len_bytes: u64) {}

    fn sync_data(&self) -> io::Result<()> {
        self.change(None, |inode| {
            inode.durable.resize(inode.current.len(), 0);
            for sector in std::mem::take(&mut inode.dirty) {
                let start = sector * SECTOR_BYTES;
                let end = (start + SECTOR_BYTES).min(inode.current.len());
                if let (Some(to), Some(from)) = (inode.durable.get_mut(start..end), inode.current.get(start..end)) {
                    to.copy_from_slice(from);
                }
            }
        })
    }
}
