//! Doors for the fuzz targets: bytes from outside go into the private readers, and what must hold of what comes out is
//! asserted here. Always compiled, for behind a feature the workspace and the binary would be two builds of every crate
//! above this one.

use crate::image::{self, ImageName, TabletImageMeta};
use crate::store::deletes;
pub use crate::store::record::fuzzing::record;
use std::collections::BTreeSet;

/// Delete vectors, as they are and in a right frame. What can be read is written and read back alike.
pub fn delete_vector(data: &[u8]) {
    drop(deletes::decode("delete vector", data));
    let mut framed = b"TBDV\x01\0\0\0".to_vec();
    framed.extend_from_slice(&crc32fast::hash(data).to_le_bytes());
    framed.extend_from_slice(data);
    let Ok(rows) = deletes::decode("delete vector", &framed) else { return };
    let again = deletes::encode(&rows).and_then(|bytes| deletes::decode("delete vector", &bytes));
    assert!(again.is_ok_and(|again| again == rows), "{rows:?}");
}

/// Descriptions of tablets in a manifest. A valid one names files that can be told apart and survives being written.
pub fn image(data: &[u8]) {
    let Ok(meta) = serde_json::from_slice::<TabletImageMeta>(data) else { return };
    if meta.validate().is_err() {
        return;
    }
    let segments = meta.segments().count();
    assert_eq!(segments, meta.to_rowsets().iter().map(|rowset| rowset.segments.len()).sum::<usize>());
    assert!(meta.files.iter().all(|file| ImageName::parse(&file.name).is_some()), "{meta:?}");
    let _rows: u64 = meta.live_rows();
    let grouped = meta.groups().concat();
    let seen: BTreeSet<usize> = grouped.iter().copied().collect();
    assert!(seen.len() == grouped.len() && seen.iter().all(|at| *at < segments), "{meta:?}");
    let again = serde_json::to_vec(&meta).map(|bytes| serde_json::from_slice::<TabletImageMeta>(&bytes));
    assert!(again.is_ok_and(|again| again.is_ok_and(|again| again == meta)), "{meta:?}");
}

/// Names of an image's files: what one says is what it was made of, for a restore writes files of these names.
pub fn image_name(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    match ImageName::parse(text) {
        Some(ImageName::Segment(segment)) => assert_eq!(image::segment_name(segment), text),
        Some(ImageName::Deletes(segment, version)) => assert_eq!(image::deletes_name(segment, version), text),
        None => {}
    }
}
