//! Which bytes of data are read to check which chunks. Pure.
//!
//! Each chunk is checked once, however many snapshots refer to it: of each range of bytes 16 bytes of a digest are kept.
//! Chunks that lie beside each other in an object are read in one request, so a pack of small files costs as many
//! requests as a large file of its length.

use super::case::{NodeId, digest};
use super::options::Level;
use crate::manifest::FileEntry;
use std::collections::BTreeSet;
use std::sync::Arc;

/// A chunk to be checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Chunk {
    /// Where in the object.
    pub(super) offset: u64,
    pub(super) len_bytes: u64,
    pub(super) crc32: u32,
    /// The file that it is of, as findings name it.
    pub(super) file: Arc<str>,
}

/// One request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Read {
    pub(super) object: Arc<str>,
    pub(super) start: u64,
    pub(super) end: u64,
    /// By offset; all lie within.
    pub(super) chunks: Vec<Chunk>,
    /// The page that spoke of it first.
    pub(super) page: NodeId,
}

/// How much there is and how much of it is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Tally {
    pub(super) chunks: u64,
    pub(super) chunks_read: u64,
    pub(super) bytes: u64,
    pub(super) bytes_read: u64,
}

/// Chooses chunks and remembers which ranges were dealt with.
#[derive(Debug)]
pub(super) struct Ranges {
    seed: u64,
    /// A chunk is taken when its number is below this; none: all are.
    below: Option<u64>,
    read_bytes_max: u64,
    seen: BTreeSet<u128>,
    pub(super) tally: Tally,
}

impl Ranges {
    /// `read_bytes_max`: so many bytes are asked for at one time, unless one chunk is longer.
    pub(super) fn new(level: Level, seed: u64, read_bytes_max: u64) -> Self {
        Self {
            seed,
            below: match level {
                Level::Sample { percent } if percent < 100.0 => Some(threshold(percent)),
                Level::Meta | Level::Size | Level::Sample { .. } | Level::Full => None,
            },
            read_bytes_max,
            seen: BTreeSet::new(),
            tally: Tally::default(),
        }
    }

    /// Takes the file of a page: its chunks to check, none when another entry spoke of the same bytes before.
    pub(super) fn file(&mut self, file: &FileEntry, name: impl FnOnce() -> String) -> Vec<Chunk> {
        let chunks: Vec<u8> = file.chunks.iter().flat_map(|crc| crc.to_le_bytes()).collect();
        let key = digest(&[
            file.object.as_bytes(),
            &file.offset.to_le_bytes(),
            &file.len_bytes.to_le_bytes(),
            &file.chunk_bytes.to_le_bytes(),
            &chunks,
        ]);
        if file.len_bytes == 0 || !self.seen.insert(key) {
            return Vec::new();
        }
        self.tally.chunks += file.chunks.len() as u64;
        self.tally.bytes += file.len_bytes;
        let name: Arc<str> = name().into();
        let mut taken = Vec::new();
        let mut offset = file.offset;
        let mut left = file.len_bytes;
        for crc32 in &file.chunks {
            let len_bytes = left.min(u64::from(file.chunk_bytes));
            if self.takes(&file.object, offset) {
                self.tally.chunks_read += 1;
                self.tally.bytes_read += len_bytes;
                taken.push(Chunk { offset, len_bytes, crc32: *crc32, file: Arc::clone(&name) });
            }
            offset += len_bytes;
            left -= len_bytes;
        }
        taken
    }

    /// Each chunk by a number of its own: what a seed takes depends on nothing but the chunk's place.
    fn takes(&self, object: &str, offset: u64) -> bool {
        let Some(below) = self.below else { return true };
        let number = digest(&[&self.seed.to_le_bytes(), object.as_bytes(), &offset.to_le_bytes()]);
        u64::try_from(number >> 64).unwrap_or(u64::MAX) < below
    }

    /// The requests for the chunks of one page, by object and offset.
    pub(super) fn reads(&self, page: NodeId, mut wanted: Vec<(Arc<str>, Chunk)>) -> Vec<Read> {
        wanted.sort_by(|a, b| a.0.cmp(&b.0).then(a.1.offset.cmp(&b.1.offset)));
        let mut reads: Vec<Read> = Vec::new();
        for (object, chunk) in wanted {
            let end = chunk.offset + chunk.len_bytes;
            match reads.last_mut() {
                Some(read)
                    if read.object == object
                        && chunk.offset <= read.end
                        && end.max(read.end) - read.start <= self.read_bytes_max =>
                {
                    read.end = read.end.max(end);
                    read.chunks.push(chunk);
                }
                _ => reads.push(Read { object, start: chunk.offset, end, chunks: vec![chunk], page }),
            }
        }
        reads
    }
}

/// The share of all 64-bit numbers that `percent` stands for.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a float that is out of range becomes the nearest number, which is what is meant"
)]
fn threshold(percent: f64) -> u64 {
    // 2^64 as a float.
    (percent / 100.0 * 18_446_744_073_709_551_616.0) as u64
}

/// The chance that of `chunks` chunks, of which `damaged` are damaged, none of the damaged ones is taken when each is
/// taken with chance `share`.
pub(super) fn missed(share: f64, damaged: u64) -> f64 {
    let damaged = i32::try_from(damaged).unwrap_or(i32::MAX);
    (1.0 - share).powi(damaged)
}
