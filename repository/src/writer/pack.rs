//! Packs: objects that many small files share.

use super::{Meta, Slot};
use crate::checksum::CHUNK_BYTES;
use crate::manifest::FileEntry;
use crate::names::Owner;
use bytes::Bytes;
use object_store::PutPayload;

/// Most files in one pack: entries wait in memory until their pack has a name.
const FILES_MAX: usize = 4096;

/// A small file, read and checked.
#[derive(Debug)]
pub(super) struct Small {
    pub(super) name: String,
    pub(super) id: Option<String>,
    pub(super) crc32: u32,
    pub(super) chunks: Vec<u32>,
    pub(super) bytes: Bytes,
}

impl Small {
    pub(super) fn new(Meta { name, id, crc32, .. }: Meta, bytes: Bytes, chunks: Vec<u32>) -> Self {
        Self { name, id, crc32, chunks, bytes }
    }
}

/// A pack being filled.
#[derive(Debug, Default)]
pub(super) struct Pack {
    files: Vec<(Slot, Small)>,
    len_bytes: u64,
}

/// A pack with its name.
#[derive(Debug)]
pub(super) struct Packed {
    pub(super) object: String,
    pub(super) payload: PutPayload,
    pub(super) entries: Vec<(Slot, FileEntry)>,
}

impl Pack {
    pub(super) fn push(&mut self, slot: Slot, file: Small) {
        self.len_bytes += file.bytes.len() as u64;
        self.files.push((slot, file));
    }

    pub(super) fn is_full(&self, pack_bytes: u64) -> bool {
        self.len_bytes >= pack_bytes || self.files.len() >= FILES_MAX
    }

    /// The full pack; the next one begins. Its name is a hash of what identifies its files, so that the same files,
    /// sent again after a crash, are found, and others never get the name.
    pub(super) fn take(&mut self, owner: &Owner) -> Option<Packed> {
        if self.files.is_empty() {
            return None;
        }
        self.len_bytes = 0;
        let files = std::mem::take(&mut self.files);
        let mut name = blake3::Hasher::new();
        for (slot, file) in &files {
            let line = format!("{} {} {} {:08x}\n", slot.tablet_id, file.name, file.bytes.len(), file.crc32);
            name.update(line.as_bytes());
        }
        let hash = name.finalize().to_hex();
        let object = owner.data(&format!("pack-{}", hash.get(..32).unwrap_or(&hash)));
        let mut offset = 0;
        let mut entries = Vec::with_capacity(files.len());
        let mut payload = Vec::with_capacity(files.len());
        for (slot, Small { name, id, crc32, chunks, bytes }) in files {
            let (len_bytes, object) = (bytes.len() as u64, object.clone());
            let entry = FileEntry { name, id, len_bytes, crc32, object, offset, chunk_bytes: CHUNK_BYTES, chunks };
            entries.push((slot, entry));
            payload.push(bytes);
            offset += len_bytes;
        }
        Some(Packed { object, payload: payload.into_iter().collect(), entries })
    }
}
