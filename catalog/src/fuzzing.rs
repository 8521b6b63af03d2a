//! Doors for the fuzz targets: bytes from outside go into the private readers, and what must hold of what comes out is
//! asserted here. Always compiled, for behind a feature the workspace and the binary would be two builds of every crate
//! above this one.

use crate::record::{self, Record};
use crate::records::{
    CounterRecord, DatabaseRecord, JobRecord, LoadRecord, NodeRecord, PartitionRecord, RecycleRecord, RepositoryRecord,
    RoleRecord, TableRecord, TabletRecord, TaskRecord, UserRecord,
};

pub use crate::embedded::fuzzing::row;

/// Records: the first byte says of which kind. What can be read is written and read back alike.
pub fn record(data: &[u8]) {
    let Some((kind, json)) = data.split_first() else { return };
    match kind % 13 {
        0 => one::<DatabaseRecord>(json),
        1 => one::<TableRecord>(json),
        2 => one::<PartitionRecord>(json),
        3 => one::<TabletRecord>(json),
        4 => one::<NodeRecord>(json),
        5 => one::<RepositoryRecord>(json),
        6 => one::<JobRecord>(json),
        7 => one::<TaskRecord>(json),
        8 => one::<LoadRecord>(json),
        9 => one::<RecycleRecord>(json),
        10 => one::<CounterRecord>(json),
        11 => one::<UserRecord>(json),
        _ => one::<RoleRecord>(json),
    }
}

fn one<R: Record + PartialEq>(json: &[u8]) {
    drop(record::decode::<R>("", json));
    // The key stands in the record: read it first, as whoever finds the record knows it.
    let Ok(key) = serde_json::from_slice::<R>(json).map(|record| record.key()) else { return };
    let Ok(read) = record::decode::<R>(&key, json) else { return };
    let again = record::encode(&read).and_then(|bytes| record::decode::<R>(&key, &bytes));
    assert!(again.is_ok_and(|again| again == read), "{read:?}");
}
