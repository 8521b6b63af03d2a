//! Key indexes in memory: built when they are needed, dropped when memory runs short.

use crate::error::{Error, Result};
use crate::keys::encode_keys;
use crate::segment::{ScanOptions, SegmentMeta, SegmentReader};
use crate::store::primary::{Location, PrimaryIndex};
use crate::store::state::State;
use crate::store::tablet::{Tablet, WriteSide};
use crate::store::{Inner, files};
use crate::view::{SegmentId, segment_path};
use env::rt::time::Instant;
use roaring::RoaringBitmap;
use std::sync::Arc;

const BATCH_ROWS: usize = 16 << 10;

/// What is known of an index in memory without its tablet's lock.
#[derive(Debug, Clone, Copy)]
pub(super) struct Usage {
    last_used: Instant,
    memory_bytes: usize,
}

impl Inner {
    /// The index of a tablet's current state, built if it is not there. Blocks.
    pub(super) fn index<'a>(
        &self,
        tablet: &Tablet,
        state: &State,
        side: &'a mut WriteSide,
    ) -> Result<&'a mut PrimaryIndex> {
        if side.index.is_none() {
            side.index = Some(self.build_index(tablet, state)?);
        }
        side.index.as_mut().ok_or_else(|| Error::Internal("an index that was just built is gone".to_owned()))
    }

    fn build_index(&self, tablet: &Tablet, state: &State) -> Result<PrimaryIndex> {
        let mut index = PrimaryIndex::default();
        for (segment, meta) in state.segments() {
            let deletes = state.deletes.get(&segment).map(|deletes| Arc::clone(&deletes.rows));
            let mut twice = None;
            self.each_key(tablet, segment, meta, deletes, |row, key| {
                let before = index.insert(key.into(), Location { segment, row });
                twice = twice.or(before.map(|before| (before, row)));
            })?;
            if let Some((before, row)) = twice {
                let expected = format!("each key once in version {}", state.version);
                let found = format!("that of row {row} also in row {} of segment {}", before.row, before.segment);
                return Err(Error::corrupt(&segment_path(tablet.id, segment), expected, found));
            }
        }
        tracing::debug!(tablet = %tablet.id, keys = index.len(), "built a key index");
        Ok(index)
    }

    /// Calls `each` with the position and the key of every row that `deletes` leaves.
    pub(super) fn each_key(
        &self,
        tablet: &Tablet,
        segment: SegmentId,
        meta: &SegmentMeta,
        deletes: Option<Arc<RoaringBitmap>>,
        mut each: impl FnMut(u32, &[u8]),
    ) -> Result<()> {
        let path = segment_path(tablet.id, segment);
        let reader = SegmentReader::open(&path, &tablet.schema, files::map(&*self.disk, &path, meta.len_bytes)?)?;
        let columns = Some((0..tablet.schema.key_len()).collect());
        for batch in reader.scan(&ScanOptions { columns, deletes, batch_rows: BATCH_ROWS, ..ScanOptions::default() })? {
            let batch = batch?;
            let keys = encode_keys(&tablet.schema, &batch.rows)?;
            batch.positions.iter().zip(keys.iter()).for_each(|(row, key)| each(*row, key));
        }
        Ok(())
    }

    /// Notes what the tablet's index takes now.
    pub(super) fn note_index(&self, tablet: &Tablet, side: &WriteSide) {
        let mut usage = self.indexes.lock();
        match &side.index {
            Some(index) => {
                let memory_bytes = index.memory_bytes();
                usage.insert(tablet.id, Usage { last_used: Instant::now(), memory_bytes });
            }
            None => drop(usage.remove(&tablet.id)),
        }
    }

    /// Drops the indexes that were not used for the longest time until the rest fits. One that is in use stays.
    pub(super) fn shed_indexes(&self) {
        let mut by_age: Vec<_> = self.indexes.lock().iter().map(|(tablet, usage)| (usage.last_used, *tablet)).collect();
        by_age.sort_unstable();
        for (_, id) in by_age {
            let memory_bytes: usize = self.indexes.lock().values().map(|usage| usage.memory_bytes).sum();
            if memory_bytes <= self.options.index_bytes_max {
                return;
            }
            let tablet = self.tablet(id);
            let guard = tablet.as_ref().map(|tablet| tablet.write.try_lock());
            match guard {
                Some(Ok(mut side)) => side.index = None,
                Some(Err(_in_use)) => continue,
                None => {}
            }
            self.indexes.lock().remove(&id);
        }
    }
}
