//! The files of a tablet: their names, and how they come to be.
//!
//! Law (*synced before named*): a file gets its own name after its bytes are durable; the name is durable after the
//! directory's sync, which comes before any record that refers to it.

use crate::error::{Error, Result};
use crate::segment::{SegmentMeta, SegmentOptions, SegmentOrigin, SegmentWriter};
use crate::store::options::StoreOptions;
use crate::store::state::Rowset;
use crate::store::tablet::{KeyFile, Reservation, Tablet};
use crate::view::{SegmentId, segment_path, tablet_dir};
use arrow::array::RecordBatch;
use bytes::Bytes;
use env::canary::{self, Canary};
use env::disk::{self, Disk};
use env::ids::TabletId;
use std::collections::BTreeSet;
use std::io;
use std::sync::Arc;

const KEYS_MAGIC: &[u8; 4] = b"TBKY";
const KEYS_FORMAT: u32 = 1;

/// What a name in a tablet's directory says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum FileName {
    Segment(SegmentId),
    Keys(u64),
    /// Being written; for a rowset, when its number can be told.
    Temporary(Option<u64>),
}

impl FileName {
    /// None for a name that this program does not give: such a file is left alone.
    pub(super) fn parse(name: &str) -> Option<Self> {
        if let Some(inner) = name.strip_prefix('.').and_then(|name| name.strip_suffix(disk::TEMPORARY_SUFFIX)) {
            let (name, _token) = inner.rsplit_once('.')?;
            return match Self::parse(name)? {
                Self::Segment(id) => Some(Self::Temporary(Some(id.rowset))),
                Self::Keys(id) => Some(Self::Temporary(Some(id))),
                Self::Temporary(_) => None,
            };
        }
        if let Some(segment) = name.strip_suffix(".parquet") {
            return segment.parse().ok().map(Self::Segment);
        }
        let id: u64 = name.strip_suffix(".keys")?.parse().ok()?;
        (keys_name(id) == name).then_some(Self::Keys(id))
    }
}

fn keys_name(id: u64) -> String {
    format!("{id}.keys")
}

/// The path of a key file, relative to the disk.
pub(super) fn keys_path(tablet: TabletId, id: u64) -> String {
    disk::join(&tablet_dir(tablet), &keys_name(id))
}

/// A sealed file's bytes without copying them.
pub(crate) fn map(disk: &dyn Disk, path: &str, len_bytes: u64) -> Result<Bytes> {
    let bytes = disk.map(path).map_err(|failed| {
        // Something refers to it, so it must be there.
        if failed.kind() == io::ErrorKind::NotFound {
            return Error::corrupt(path, format!("a file of {len_bytes} bytes"), "no file");
        }
        Error::io("read", path)(failed)
    })?;
    if bytes.len() as u64 == len_bytes {
        return Ok(bytes);
    }
    let (expected, found) = (format!("{len_bytes} bytes"), format!("{} bytes", bytes.len()));
    Err(Error::Corrupt { object: path.to_owned(), offset: Some(len_bytes.min(bytes.len() as u64)), expected, found })
}

/// Makes a tablet's directory, once. Durable when it returns.
pub(super) fn ensure_dir(disk: &dyn Disk, tablet: &Tablet) -> Result<()> {
    if !tablet.shared().has_dir {
        let dir = tablet.dir();
        disk.create_dir(&dir).map_err(Error::io("make directory", &dir))?;
        tablet.shared().has_dir = true;
    }
    Ok(())
}

/// Writes the segments of one rowset, in key order, each of bounded size. Dropped before [`RowsetWriter::finish`], it
/// removes what it wrote.
pub(super) struct RowsetWriter {
    disk: Arc<dyn Disk>,
    tablet: Arc<Tablet>,
    reservation: Option<Reservation>,
    options: StoreOptions,
    open: Option<SegmentWriter>,
    segments: Vec<SegmentMeta>,
}

impl RowsetWriter {
    pub(super) fn new(disk: &Arc<dyn Disk>, tablet: &Arc<Tablet>, options: &StoreOptions) -> Result<Self> {
        ensure_dir(&**disk, tablet)?;
        Ok(Self {
            disk: Arc::clone(disk),
            tablet: Arc::clone(tablet),
            reservation: Some(tablet.reserve()),
            options: options.clone(),
            open: None,
            segments: Vec::new(),
        })
    }

    fn next_id(&self) -> Result<SegmentId> {
        let ordinal = u32::try_from(self.segments.len());
        let ordinal = ordinal.map_err(|_many| Error::Internal("a rowset of more than 2^32 segments".to_owned()))?;
        Ok(SegmentId { rowset: self.reservation.as_ref().map_or(0, |reservation| reservation.id), ordinal })
    }

    /// Appends rows of all columns, sorted by key, that do not go before the ones written so far.
    pub(super) fn write(&mut self, batch: &RecordBatch) -> Result<()> {
        let rows_max = self.options.segment_rows_max.max(1) as usize;
        let mut from = 0;
        while from < batch.num_rows() {
            let mut writer = match self.open.take() {
                Some(writer) => writer,
                None => self.start()?,
            };
            let room = rows_max.saturating_sub(usize::try_from(writer.rows()).unwrap_or(usize::MAX)).max(1);
            let rows = room.min(batch.num_rows() - from);
            writer.write(&batch.slice(from, rows))?;
            from += rows;
            if rows == room || writer.len_bytes() >= self.options.segment_bytes_max {
                self.segments.push(writer.finish()?);
            } else {
                self.open = Some(writer);
            }
        }
        Ok(())
    }

    fn start(&self) -> Result<SegmentWriter> {
        let id = self.next_id()?;
        let origin = SegmentOrigin { tablet: self.tablet.id, rowset: id.rowset, ordinal: id.ordinal };
        let path = segment_path(self.tablet.id, id);
        SegmentWriter::create(Arc::clone(&self.disk), &path, &self.tablet.schema, origin, &SegmentOptions::default())
    }

    /// Completes the files and makes their names durable. None when there were no rows.
    pub(super) fn finish(mut self) -> Result<Option<(Arc<Rowset>, Reservation)>> {
        if let Some(writer) = self.open.take() {
            let meta = writer.finish()?;
            self.segments.push(meta);
        }
        if !self.segments.is_empty() && !canary::sings(Canary::NameNotSynced) {
            let dir = self.tablet.dir();
            self.disk.sync_dir(&dir).map_err(Error::io("sync", &dir))?;
        }
        let Some(reservation) = self.reservation.take() else { return Ok(None) };
        let segments = std::mem::take(&mut self.segments);
        if segments.is_empty() {
            // No file was made, so nothing is left to tidy.
            reservation.keep();
            return Ok(None);
        }
        Ok(Some((Arc::new(Rowset { id: reservation.id, uid: env::rand::token(), segments }), reservation)))
    }
}

impl Drop for RowsetWriter {
    fn drop(&mut self) {
        self.open = None;
        let Some(reservation) = &self.reservation else { return };
        // The space may be what was missing. What cannot be removed now goes with the next reclaim.
        for ordinal in (0u32..).take(self.segments.len() + 1) {
            drop(self.disk.remove(&segment_path(self.tablet.id, SegmentId { rowset: reservation.id, ordinal })));
        }
    }
}

/// Writes the keys that a load deletes, each once, in order.
pub(super) fn write_keys(
    disk: &dyn Disk,
    tablet: &Arc<Tablet>,
    keys: &BTreeSet<Box<[u8]>>,
) -> Result<(Arc<KeyFile>, Reservation)> {
    ensure_dir(disk, tablet)?;
    let reservation = tablet.reserve();
    let mut bytes = KEYS_MAGIC.to_vec();
    bytes.extend_from_slice(&KEYS_FORMAT.to_le_bytes());
    bytes.extend_from_slice(&(keys.len() as u64).to_le_bytes());
    for key in keys {
        let len = u32::try_from(key.len()).map_err(|_long| Error::Invalid("a key of more than 4 GiB".to_owned()))?;
        bytes.extend_from_slice(&len.to_le_bytes());
        bytes.extend_from_slice(key);
    }
    let path = keys_path(tablet.id, reservation.id);
    disk::publish(disk, &tablet.dir(), &keys_name(reservation.id), &bytes).map_err(Error::io("write", &path))?;
    let file = KeyFile {
        id: reservation.id,
        len_bytes: bytes.len() as u64,
        crc32: crc32fast::hash(&bytes),
        keys: keys.len() as u64,
    };
    Ok((Arc::new(file), reservation))
}

/// Reads them back.
pub(super) fn read_keys(disk: &dyn Disk, tablet: TabletId, file: &KeyFile) -> Result<Vec<Box<[u8]>>> {
    let path = keys_path(tablet, file.id);
    let bytes = map(disk, &path, file.len_bytes)?;
    let found = crc32fast::hash(&bytes);
    if found != file.crc32 {
        return Err(Error::corrupt(&path, format!("CRC-32 {:08x}", file.crc32), format!("{found:08x}")));
    }
    parse_keys(&bytes)
        .filter(|keys| keys.len() as u64 == file.keys)
        .ok_or_else(|| Error::corrupt(&path, format!("{} keys in format {KEYS_FORMAT}", file.keys), "something else"))
}

fn parse_keys(bytes: &[u8]) -> Option<Vec<Box<[u8]>>> {
    let (magic, rest) = bytes.split_first_chunk::<4>()?;
    let (format, rest) = rest.split_first_chunk::<4>()?;
    let (_count, mut rest) = rest.split_first_chunk::<8>()?;
    if magic != KEYS_MAGIC || u32::from_le_bytes(*format) != KEYS_FORMAT {
        return None;
    }
    let mut keys = Vec::new();
    while let Some((len, after)) = rest.split_first_chunk::<4>() {
        let (key, after) = after.split_at_checked(usize::try_from(u32::from_le_bytes(*len)).ok()?)?;
        keys.push(key.into());
        rest = after;
    }
    rest.is_empty().then_some(keys)
}

#[cfg(test)]
mod tests;
