//! Source files, and the peer that every storage engineer has at hand: `cp -r`, then `sync`.

use anyhow::{Context, Result, ensure};
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Length of one source file: a segment of ordinary size.
pub(crate) const SEGMENT_BYTES: u64 = 64 << 20;

/// A source file, as a tablet store would list it.
#[derive(Debug, Clone)]
pub(crate) struct Segment {
    pub(crate) name: String,
    pub(crate) len_bytes: u64,
    pub(crate) crc32: u32,
}

/// Writes files of random bytes, `bytes` in all, and leaves them in the page cache: both sides read from there.
pub(crate) fn make(dir: &Path, bytes: u64) -> Result<Vec<Segment>> {
    fs::create_dir_all(dir)?;
    let mut random = fastrand::Rng::with_seed(1);
    let mut segments = Vec::new();
    let mut left = bytes;
    while left > 0 {
        let len_bytes = left.min(SEGMENT_BYTES);
        left -= len_bytes;
        let mut content = vec![0; usize::try_from(len_bytes)?];
        random.fill(&mut content);
        let name = format!("{:06}-0.parquet", segments.len());
        let mut file = fs::File::create(dir.join(&name))?;
        file.write_all(&content)?;
        file.sync_all()?;
        segments.push(Segment { name, len_bytes, crc32: crc32fast::hash(&content) });
    }
    Ok(segments)
}

/// `cp -r from to`, then `sync`: what is on the device when it returns is what was asked for.
pub(crate) fn copy_and_sync(from: &Path, to: &Path) -> Result<()> {
    let copied = Command::new("cp").arg("-r").arg(from).arg(to).status().context("cp")?;
    ensure!(copied.success(), "cp -r failed");
    ensure!(Command::new("sync").status().context("sync")?.success(), "sync failed");
    Ok(())
}

/// Empties the files below `dir` and moves it aside: removing many names at once makes the next files slow to create
/// on ext4, for minutes, and would punish whoever comes next.
pub(crate) fn set_aside(dir: &Path, trash: &Path) -> Result<()> {
    fs::create_dir_all(trash)?;
    empty(dir)?;
    let place = trash.join(format!("{}", fastrand::u64(..)));
    fs::rename(dir, place).with_context(|| format!("cannot move {} aside", dir.display()))
}

fn empty(dir: &Path) -> Result<()> {
    for entry in fs::read_dir(dir)? {
        let path: PathBuf = entry?.path();
        if path.is_dir() {
            empty(&path)?;
        } else {
            fs::File::options().write(true).truncate(true).open(&path)?;
        }
    }
    Ok(())
}
