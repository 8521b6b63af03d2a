//! A door for the fuzz targets; see [`crate::fuzzing`].

use super::{
    CounterRecord, PreparedRecord, Record, RowsetRecord, SequenceRecord, StageRecord, StateRecord, TabletRecord,
    decode, encode,
};

/// Records of the metadata store, as they are and in a right frame: the first byte says of which kind. What can be read
/// is written, and what is written then is written again alike.
///
/// # Panics
/// When that does not hold.
pub fn record(data: &[u8]) {
    let Some((kind, bytes)) = data.split_first() else { return };
    match kind % 7 {
        0 => one::<TabletRecord>(bytes),
        1 => one::<CounterRecord>(bytes),
        2 => one::<RowsetRecord>(bytes),
        3 => one::<StateRecord>(bytes),
        4 => one::<PreparedRecord>(bytes),
        5 => one::<StageRecord>(bytes),
        _ => one::<SequenceRecord>(bytes),
    }
}

fn one<R: Record>(bytes: &[u8]) {
    drop(decode::<R>(bytes, bytes));
    let mut framed = R::FORMAT.to_le_bytes().to_vec();
    framed.extend_from_slice(&crc32fast::hash(bytes).to_le_bytes());
    framed.extend_from_slice(bytes);
    let Ok(read) = decode::<R>(&[], &framed) else { return };
    let written = encode(&read);
    let again = written.as_ref().ok().and_then(|bytes| decode::<R>(&[], bytes).and_then(|read| encode(&read)).ok());
    assert!(again.is_some() && again == written.ok(), "{}", String::from_utf8_lossy(bytes));
}
