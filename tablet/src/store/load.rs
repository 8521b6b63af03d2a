//! Loads: prepared durably, then published in version order or given up.
//!
//! Laws: *prepared is durable*: files and their names are synced before the record says so. *All or none*: one
//! transaction publishes a load's version in every tablet of the call. *Order*: a tablet's versions follow each other
//! without gaps.

mod publish;

use crate::error::Result;
use crate::keys::encode_keys;
use crate::schema::KeyModel;
use crate::segment::sort_batches;
use crate::store::deletes::encode;
use crate::store::files::{self, RowsetWriter};
use crate::store::journal::{Edits, Table};
use crate::store::record::{PreparedRecord, RowsetRecord};
use crate::store::state::Rowset;
use crate::store::tablet::{KeyFile, Tablet};
use crate::store::{Inner, StoreError, TabletStore};
use crate::view::SegmentId;
use arrow::array::RecordBatch;
use arrow::datatypes::{FieldRef, Fields};
use env::ids::{LoadId, TabletId, Version};
use env::rt;
use env::rt::sync::{OwnedRwLockReadGuard, OwnedRwLockWriteGuard};
use parking_lot::Mutex;
use roaring::RoaringBitmap;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// What a load does to a tablet. Several for one tablet apply in the order in which they were prepared.
#[derive(Debug, Clone)]
pub enum Mutation {
    /// Adds rows of all columns, as [`conform`](crate::conform) gives them. In a Primary Key tablet a row takes the place of the one with its key; of
    /// two in one load the later one wins. In Unique Key and Aggregate Key tablets rows of one key become one, here those
    /// of this mutation, with those of others when they are read.
    Rows(Vec<RecordBatch>),
    /// Deletes the rows with these keys; batches have the key columns only. Keys that no row has are no error.
    /// Primary Key tablets only.
    DeleteKeys(Vec<RecordBatch>),
    /// Deletes rows by their places in a version that the load has read. Not in Primary Key tablets. In Unique Key and
    /// Aggregate Key tablets the places must be those of all rows of a key, or what is left of it would come to light.
    DeletePositions {
        /// The version that was read.
        base: Version,
        /// The rows of each segment.
        segments: BTreeMap<SegmentId, RoaringBitmap>,
    },
}

/// What was prepared.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Prepared {
    /// Rows written, or keys or rows to delete.
    pub rows: u64,
    /// Bytes written.
    pub bytes: u64,
}

/// A mutation that is on the device.
#[derive(Debug)]
pub(super) enum Ready {
    Rows(Arc<Rowset>),
    Keys(Arc<KeyFile>),
    Positions(BTreeMap<SegmentId, RoaringBitmap>),
}

/// A load that has something prepared.
#[derive(Debug, Default)]
pub(super) struct LoadEntry {
    /// Shared by prepares, exclusive for publish and abort: neither misses a prepare that nobody waits for any more.
    gate: Arc<rt::sync::RwLock<()>>,
    next_sequence: AtomicU64,
    pub(super) tablets: Mutex<BTreeMap<TabletId, BTreeMap<u64, Arc<Ready>>>>,
}

impl LoadEntry {
    /// Adds what was read from the metadata.
    pub(super) fn restore(&self, tablet: TabletId, sequence: u64, ready: Ready) {
        self.next_sequence.fetch_max(sequence + 1, Ordering::Relaxed);
        self.tablets.lock().entry(tablet).or_default().insert(sequence, Arc::new(ready));
    }

    /// What a tablet's part of the load does, in order.
    fn mutations(&self, tablet: TabletId) -> Vec<Arc<Ready>> {
        self.tablets.lock().get(&tablet).into_iter().flat_map(|parts| parts.values().cloned()).collect()
    }

    /// Adds to `edits` what ends the records of a tablet's part.
    fn end_records(&self, load: LoadId, tablet: TabletId, edits: &mut Edits) {
        for (sequence, ready) in self.tablets.lock().get(&tablet).into_iter().flatten() {
            edits.delete(Table::Prepared, &[load.0, tablet.0, *sequence]);
            if let Ready::Positions(segments) = &**ready {
                for segment in segments.keys() {
                    let key = [load.0, tablet.0, *sequence, segment.rowset, u64::from(segment.ordinal)];
                    edits.delete(Table::Positions, &key);
                }
            }
        }
    }
}

impl TabletStore {
    /// Puts a mutation of a tablet on the device for a load, invisible until it is published. Durable when it returns.
    /// No two prepares of one load and tablet may run at the same time if their order matters.
    ///
    /// # Errors
    /// `NotFound` when there is no such tablet, `Invalid` when the rows do not fit it, `Conflict`
    /// ([`StoreError::SegmentReplaced`]) when rows to delete by position were moved by a compaction (read again),
    /// `Full` and whatever else the disk says. Nothing of this call is prepared then.
    pub async fn prepare(&self, load: LoadId, tablet: TabletId, mutation: Mutation) -> Result<Prepared> {
        let tablet = self.inner.live(tablet)?;
        check(&tablet, &mutation)?;
        let (entry, gate) = self.inner.join_load(load).await;
        let slot = Slot { inner: Arc::clone(&self.inner), load, tablet, entry, gate };
        match mutation {
            Mutation::Rows(batches) => slot.rows(batches).await,
            Mutation::DeleteKeys(batches) => slot.keys(batches).await,
            Mutation::DeletePositions { base, segments } => slot.positions(base, segments).await,
        }
    }

    /// Gives up a load: what it prepared and has not published is gone. Nothing prepared is no error.
    ///
    /// # Errors
    /// What the disk says; the load stays prepared then.
    pub async fn abort(&self, load: LoadId) -> Result<()> {
        let Some((entry, gate)) = self.inner.close_load(load).await else { return Ok(()) };
        let mut edits = Edits::default();
        let tablets: Vec<TabletId> = entry.tablets.lock().keys().copied().collect();
        for tablet in tablets {
            entry.end_records(load, tablet, &mut edits);
        }
        if edits.is_empty() {
            self.inner.loads.lock().remove(&load);
            return Ok(());
        }
        let inner = Arc::clone(&self.inner);
        let apply = move || {
            entry.tablets.lock().clear();
            inner.loads.lock().remove(&load);
            drop(gate);
        };
        self.inner.journal.commit(edits, apply).await
    }

    /// The loads that have something prepared, and where: after a crash the caller publishes or aborts each.
    pub fn prepared(&self) -> Vec<(LoadId, Vec<TabletId>)> {
        let loads = self.inner.loads.lock();
        let tablets = |entry: &LoadEntry| entry.tablets.lock().keys().copied().collect::<Vec<_>>();
        loads.iter().map(|(load, entry)| (*load, tablets(entry))).filter(|(_, tablets)| !tablets.is_empty()).collect()
    }
}

fn check(tablet: &Tablet, mutation: &Mutation) -> Result<()> {
    let wrong = |model, hint| Err(StoreError::WrongModel { tablet: tablet.id, model, hint }.into());
    match (mutation, tablet.schema.model()) {
        (Mutation::Rows(batches), _) => {
            let fields = tablet.schema.arrow();
            let other = batches.iter().find(|batch| batch.schema_ref().fields() != fields.fields());
            let difference = |batch: &RecordBatch| {
                format!(
                    "expected columns {}, found {}",
                    column_list(fields.fields()),
                    column_list(batch.schema_ref().fields())
                )
            };
            match other {
                Some(batch) => {
                    Err(StoreError::WrongColumns { tablet: tablet.id, difference: difference(batch) }.into())
                }
                None => Ok(()),
            }
        }
        (Mutation::DeleteKeys(batches), KeyModel::Primary) => {
            let key_len = tablet.schema.key_len();
            match batches.iter().find(|batch| batch.num_columns() != key_len) {
                Some(batch) => {
                    let difference = format!("a key has {key_len} columns, not {}", batch.num_columns());
                    Err(StoreError::WrongColumns { tablet: tablet.id, difference }.into())
                }
                // Their types are compared when they are encoded.
                None => Ok(()),
            }
        }
        (Mutation::DeletePositions { .. }, KeyModel::Duplicate | KeyModel::Unique | KeyModel::Aggregate) => Ok(()),
        (Mutation::DeleteKeys(_), KeyModel::Duplicate | KeyModel::Unique | KeyModel::Aggregate) => {
            wrong("has no primary key", "delete its rows by position")
        }
        (Mutation::DeletePositions { .. }, KeyModel::Primary) => wrong("has a primary key", "delete its rows by key"),
    }
}

fn column_list(fields: &Fields) -> String {
    let column = |field: &FieldRef| {
        let null = if field.is_nullable() { "" } else { " not null" };
        format!("{} {}{null}", field.name(), field.data_type())
    };
    fields.iter().map(column).collect::<Vec<_>>().join(", ")
}

/// The place of one prepare.
struct Slot {
    inner: Arc<Inner>,
    load: LoadId,
    tablet: Arc<Tablet>,
    entry: Arc<LoadEntry>,
    gate: OwnedRwLockReadGuard<()>,
}

impl Slot {
    fn key(&self) -> (u64, [u64; 3]) {
        let sequence = self.entry.next_sequence.fetch_add(1, Ordering::Relaxed);
        (sequence, [self.load.0, self.tablet.id.0, sequence])
    }

    fn enter(self, sequence: u64, ready: Ready) {
        self.entry.tablets.lock().entry(self.tablet.id).or_default().insert(sequence, Arc::new(ready));
        drop(self.gate);
    }

    async fn rows(self, batches: Vec<RecordBatch>) -> Result<Prepared> {
        let (sequence, key) = self.key();
        let (inner, tablet) = (Arc::clone(&self.inner), Arc::clone(&self.tablet));
        let written = rt::blocking(move || {
            let mut writer = RowsetWriter::new(&inner.disk, &tablet, &inner.options)?;
            for batch in sort_batches(&tablet.schema, &batches)? {
                writer.write(&batch)?;
            }
            writer.finish()
        })
        .await?;
        let Some((rowset, reservation)) = written else { return Ok(Prepared::default()) };
        let prepared = Prepared { rows: rowset.rows(), bytes: rowset.len_bytes() };
        let mut edits = Edits::default();
        edits.put(Table::Rowsets, &[self.tablet.id.0, rowset.id], &RowsetRecord::of(&rowset))?;
        edits.put(Table::Prepared, &key, &PreparedRecord::Rows { rowset: rowset.id })?;
        let journal = self.inner.journal.clone();
        let apply = move || {
            self.tablet.shared().rowsets.insert(rowset.id, Arc::clone(&rowset));
            reservation.keep();
            self.enter(sequence, Ready::Rows(rowset));
        };
        journal.commit(edits, apply).await?;
        Ok(prepared)
    }

    async fn keys(self, batches: Vec<RecordBatch>) -> Result<Prepared> {
        let (sequence, key) = self.key();
        let (inner, tablet) = (Arc::clone(&self.inner), Arc::clone(&self.tablet));
        let written = rt::blocking(move || -> Result<_> {
            let mut keys: BTreeSet<Box<[u8]>> = BTreeSet::new();
            for batch in &batches {
                keys.extend(encode_keys(&tablet.schema, batch)?.iter().map(Box::from));
            }
            if keys.is_empty() {
                return Ok(None);
            }
            files::write_keys(&*inner.disk, &tablet, &keys).map(Some)
        })
        .await?;
        let Some((file, reservation)) = written else { return Ok(Prepared::default()) };
        let prepared = Prepared { rows: file.keys, bytes: file.len_bytes };
        let mut edits = Edits::default();
        let record =
            PreparedRecord::Keys { file: file.id, len_bytes: file.len_bytes, crc32: file.crc32, keys: file.keys };
        edits.put(Table::Prepared, &key, &record)?;
        let journal = self.inner.journal.clone();
        let apply = move || {
            self.tablet.shared().keys.insert(file.id, Arc::clone(&file));
            reservation.keep();
            self.enter(sequence, Ready::Keys(file));
        };
        journal.commit(edits, apply).await?;
        Ok(prepared)
    }

    async fn positions(self, base: Version, segments: BTreeMap<SegmentId, RoaringBitmap>) -> Result<Prepared> {
        let segments: BTreeMap<_, _> = segments.into_iter().filter(|(_, rows)| !rows.is_empty()).collect();
        if segments.is_empty() {
            return Ok(Prepared::default());
        }
        let (sequence, key) = self.key();
        // From the check to the record no compaction may replace the segments; afterwards the record keeps them.
        let guard = Arc::clone(&self.tablet.write).lock_owned().await;
        let state = self.tablet.current()?;
        if base > state.version {
            return Err(StoreError::NotYet { tablet: self.tablet.id, version: base, current: state.version }.into());
        }
        let mut edits = Edits::default();
        let mut prepared = Prepared::default();
        for (segment, rows) in &segments {
            let tablet = self.tablet.id;
            let meta = state.segment(*segment);
            let meta = meta.ok_or(StoreError::SegmentReplaced { tablet, segment: *segment })?;
            if let Some(position) = rows.max().filter(|position| u64::from(*position) >= meta.rows) {
                return Err(StoreError::PositionOutside { tablet, segment: *segment, rows: meta.rows, position }.into());
            }
            let bytes = encode(rows)?;
            prepared.rows += rows.len();
            prepared.bytes += bytes.len() as u64;
            let [load, tablet, sequence] = key;
            let key = [load, tablet, sequence, segment.rowset, u64::from(segment.ordinal)];
            edits.put_bytes(Table::Positions, &key, bytes);
        }
        let record = PreparedRecord::Positions { base, segments: segments.keys().copied().collect() };
        edits.put(Table::Prepared, &key, &record)?;
        let journal = self.inner.journal.clone();
        let apply = move || {
            self.enter(sequence, Ready::Positions(segments));
            drop(guard);
        };
        journal.commit(edits, apply).await?;
        Ok(prepared)
    }
}

impl Inner {
    /// Enters a load in order to prepare something for it.
    async fn join_load(&self, load: LoadId) -> (Arc<LoadEntry>, OwnedRwLockReadGuard<()>) {
        loop {
            let entry = Arc::clone(self.loads.lock().entry(load).or_default());
            let gate = Arc::clone(&entry.gate).read_owned().await;
            // The load may have ended while the gate was closed; then this entry is nobody's.
            if self.loads.lock().get(&load).is_some_and(|current| Arc::ptr_eq(current, &entry)) {
                return (entry, gate);
            }
        }
    }

    /// Waits until nothing is being prepared for a load, and lets nothing new begin.
    async fn close_load(&self, load: LoadId) -> Option<(Arc<LoadEntry>, OwnedRwLockWriteGuard<()>)> {
        loop {
            let entry = self.loads.lock().get(&load).cloned()?;
            let gate = Arc::clone(&entry.gate).write_owned().await;
            if self.loads.lock().get(&load).is_some_and(|current| Arc::ptr_eq(current, &entry)) {
                return Some((entry, gate));
            }
        }
    }

    /// Rowsets of a tablet that prepared loads name rows of by position.
    pub(super) fn blocked_rowsets(&self, tablet: TabletId) -> BTreeSet<u64> {
        let loads: Vec<Arc<LoadEntry>> = self.loads.lock().values().cloned().collect();
        let mut blocked = BTreeSet::new();
        for ready in loads.iter().flat_map(|entry| entry.mutations(tablet)) {
            if let Ready::Positions(segments) = &*ready {
                blocked.extend(segments.keys().map(|segment| segment.rowset));
            }
        }
        blocked
    }
}
