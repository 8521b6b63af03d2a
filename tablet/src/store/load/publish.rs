//! Making a load's version: what it hides is found out here, in version order, and recorded with the version.

use super::{LoadEntry, Ready};
use crate::error::Result;
use crate::schema::KeyModel;
use crate::store::deletes::DeleteVector;
use crate::store::journal::{Edits, Table};
use crate::store::lineage::Lineage;
use crate::store::primary::{Changes, Location, Upsert};
use crate::store::state::State;
use crate::store::tablet::{Tablet, WriteSide};
use crate::store::{Inner, StoreError, TabletStore, files};
use crate::view::SegmentId;
use env::ids::{LoadId, TabletId, Version};
use env::rt;
use env::rt::sync::OwnedMutexGuard;
use env::rt::time::Instant;
use roaring::RoaringBitmap;
use std::collections::BTreeMap;
use std::sync::Arc;

/// A tablet of the call, locked.
struct Seat {
    tablet: Arc<Tablet>,
    guard: OwnedMutexGuard<WriteSide>,
    state: Arc<State>,
}

/// A tablet's next version, ready to be recorded.
struct Step {
    seat: Seat,
    next: Arc<State>,
    vectors: Vec<(Arc<DeleteVector>, Vec<u8>)>,
    changes: Option<Changes>,
    /// Versions that leave to make room.
    expired: Vec<Version>,
}

impl TabletStore {
    /// Makes a load visible: each tablet goes to the given version, which must be the one after its current one, all in
    /// one transaction. Name all tablets of each partition that the load touched, also those without rows of it.
    /// Repeating a call that succeeded is fine.
    ///
    /// # Errors
    /// `NotFound` when a tablet does not exist, `Busy` ([`StoreError::Gap`]) when an earlier version is still missing,
    /// `Invalid` when the version is another load's or a tablet is named twice, `Corrupt` when a file cannot be read, and what the disk says. Then no tablet has
    /// changed, and the call can be repeated.
    pub async fn publish(&self, load: LoadId, versions: &[(TabletId, Version)]) -> Result<()> {
        let mut targets = BTreeMap::new();
        for (tablet, version) in versions {
            if let Some(first) = targets.insert(*tablet, *version).filter(|first| first != version) {
                return Err(StoreError::NamedTwice { tablet: *tablet, first, second: *version }.into());
            }
        }
        let entered = self.inner.close_load(load).await;
        let (entry, gate) = entered.unzip();
        let mut seats = Vec::new();
        for (id, version) in targets {
            let tablet = self.inner.live(id)?;
            let guard = Arc::clone(&tablet.write).lock_owned().await;
            let state = tablet.current()?;
            if must_publish(load, &tablet, &state, version, entry.as_deref())? {
                seats.push(Seat { tablet, guard, state });
            }
        }
        if seats.is_empty() {
            if entry.is_some_and(|entry| entry.tablets.lock().is_empty()) {
                self.inner.loads.lock().remove(&load);
            }
            return Ok(());
        }
        let (inner, prepared) = (Arc::clone(&self.inner), entry.clone());
        let steps = rt::blocking(move || {
            let next = |seat: Seat| inner.next(load, seat, prepared.as_deref());
            seats.into_iter().map(next).collect::<Result<Vec<Step>>>()
        })
        .await?;
        let mut edits = Edits::default();
        for step in &steps {
            step.record(&mut edits)?;
            if let Some(entry) = &entry {
                entry.end_records(load, step.seat.tablet.id, &mut edits);
            }
        }
        let inner = Arc::clone(&self.inner);
        let apply = move || {
            for step in steps {
                if let Some(entry) = &entry {
                    entry.tablets.lock().remove(&step.seat.tablet.id);
                }
                step.apply(&inner);
            }
            if entry.is_some_and(|entry| entry.tablets.lock().is_empty()) {
                inner.loads.lock().remove(&load);
            }
            inner.shed_indexes();
            drop(gate);
        };
        self.inner.journal.commit(edits, apply).await
    }
}

/// Whether the tablet still has to make the version; false when it has it.
fn must_publish(
    load: LoadId,
    tablet: &Tablet,
    state: &State,
    version: Version,
    entry: Option<&LoadEntry>,
) -> Result<bool> {
    if version == state.version.next() {
        return Ok(true);
    }
    if version > state.version {
        return Err(StoreError::Gap { load, tablet: tablet.id, version, current: state.version }.into());
    }
    let known = tablet.at(version).ok().and_then(|state| state.load);
    let left_over = entry.is_some_and(|entry| entry.tablets.lock().contains_key(&tablet.id));
    if left_over || known.is_some_and(|other| other != load) {
        return Err(StoreError::OtherLoad { load, tablet: tablet.id, version }.into());
    }
    Ok(false)
}

impl Inner {
    /// Finds out what the load does to a tablet. Blocks; changes nothing but, perhaps, that the key index is in memory.
    fn next(&self, load: LoadId, mut seat: Seat, entry: Option<&LoadEntry>) -> Result<Step> {
        let mutations = entry.map(|entry| entry.mutations(seat.tablet.id)).unwrap_or_default();
        let rowsets = mutations.iter().filter_map(|ready| match &**ready {
            Ready::Rows(rowset) => Some(Arc::clone(rowset)),
            Ready::Keys(_) | Ready::Positions(_) => None,
        });
        let rowsets: Vec<_> = rowsets.collect();
        let (hidden, changes) = match seat.tablet.schema.model() {
            KeyModel::Duplicate | KeyModel::Unique | KeyModel::Aggregate => {
                (hidden_by_position(&seat, &mutations)?, None)
            }
            KeyModel::Primary => self.hidden_by_key(&mut seat, &mutations)?,
        };
        let version = seat.state.version.next();
        let mut vectors = Vec::new();
        for (segment, mut rows) in hidden {
            if let Some(before) = seat.state.deletes.get(&segment) {
                rows |= &*before.rows;
            }
            let (vector, bytes) = DeleteVector::new(segment, version, rows)?;
            vectors.push((Arc::new(vector), bytes));
        }
        let lineage = Lineage::after(seat.state.lineage.as_ref(), load, version, &mutations);
        let next = seat.state.published(
            load,
            lineage,
            rowsets,
            vectors.iter().map(|(vector, _)| Arc::clone(vector)).collect(),
        );
        let shared = seat.tablet.shared();
        let surplus = (shared.versions.len() + 1).saturating_sub(self.options.keep_versions.max(1));
        let expired = shared.versions.keys().take(surplus).copied().collect();
        drop(shared);
        Ok(Step { seat, next: Arc::new(next), vectors, changes, expired })
    }

    fn hidden_by_key(
        &self,
        seat: &mut Seat,
        mutations: &[Arc<Ready>],
    ) -> Result<(BTreeMap<SegmentId, RoaringBitmap>, Option<Changes>)> {
        let Seat { tablet, guard, state } = seat;
        match mutations {
            [] => return Ok((BTreeMap::new(), None)),
            // Keys of one mutation differ from each other, so the first rows of a tablet hide nothing: the index can
            // wait until somebody needs it.
            [one] if state.rowsets.is_empty() && matches!(&**one, Ready::Rows(_)) => {
                guard.index = None;
                return Ok((BTreeMap::new(), None));
            }
            _ => {}
        }
        let mut load = Upsert::new(self.index(tablet, state, guard)?);
        for ready in mutations {
            match &**ready {
                Ready::Rows(rowset) => {
                    for (segment, meta) in rowset.segments() {
                        self.each_key(tablet, segment, meta, None, |row, key| {
                            load.put(key.into(), Location { segment, row });
                        })?;
                    }
                }
                Ready::Keys(file) => {
                    for key in files::read_keys(&*self.disk, tablet.id, file)? {
                        load.delete(key);
                    }
                }
                Ready::Positions(_) => {}
            }
        }
        let (changes, hidden) = load.finish();
        Ok((hidden, Some(changes)))
    }
}

fn hidden_by_position(seat: &Seat, mutations: &[Arc<Ready>]) -> Result<BTreeMap<SegmentId, RoaringBitmap>> {
    let mut hidden: BTreeMap<SegmentId, RoaringBitmap> = BTreeMap::new();
    for ready in mutations {
        let Ready::Positions(segments) = &**ready else { continue };
        for (segment, rows) in segments {
            if seat.state.segment(*segment).is_none() {
                return Err(StoreError::SegmentReplaced { tablet: seat.tablet.id, segment: *segment }.into());
            }
            *hidden.entry(*segment).or_default() |= rows;
        }
    }
    Ok(hidden)
}

impl Step {
    fn record(&self, edits: &mut Edits) -> Result<()> {
        let tablet = self.seat.tablet.id;
        for (vector, bytes) in &self.vectors {
            let segment = vector.segment;
            let key = [tablet.0, segment.rowset, u64::from(segment.ordinal), vector.version.0];
            edits.put_bytes(Table::Deletes, &key, bytes.clone());
        }
        edits.put(Table::States, &[tablet.0, self.next.version.0], &self.next.to_record())?;
        for version in &self.expired {
            edits.delete(Table::States, &[tablet.0, version.0]);
        }
        Ok(())
    }

    fn apply(self, inner: &Inner) {
        let Seat { tablet, mut guard, state } = self.seat;
        if let (Some(index), Some(changes)) = (&mut guard.index, self.changes) {
            index.apply(changes);
        }
        inner.note_index(&tablet, &guard);
        let version = self.next.version;
        let vectors = self.vectors.into_iter().map(|(vector, _)| vector).collect();
        tablet.shared().advance(self.next, vectors, &self.expired, Instant::now());
        // Freed outside the short lock.
        drop(state);
        tablet.announce(version);
    }
}
