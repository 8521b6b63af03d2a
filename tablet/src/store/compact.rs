//! Merging rowsets: fewer files to read, and hidden rows gone. Readers, pins and older versions keep the inputs.

mod plan;

use plan::{Candidate, Partners};
pub use plan::{Compaction, CompactionReason};

use crate::error::{Error, Result};
use crate::segment::{ScanOptions, SegmentReader, merge};
use crate::store::deletes::DeleteVector;
use crate::store::files::{self, RowsetWriter};
use crate::store::journal::{Edits, Table};
use crate::store::primary::Location;
use crate::store::record::RowsetRecord;
use crate::store::state::{Rowset, State};
use crate::store::tablet::{Reservation, Tablet};
use crate::store::{Inner, TabletStore};
use crate::view::{SegmentId, segment_path};
use env::ids::TabletId;
use env::rt;
use env::rt::time::Instant;
use roaring::RoaringBitmap;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

const BATCH_ROWS: usize = 8192;
/// The mark of a source row that was hidden when the merge began.
const NOWHERE: u32 = u32::MAX;

fn partners(tablet: &Tablet) -> Partners {
    Partners::of(tablet.schema.model())
}

/// What a merge made.
struct Output {
    rowset: Option<(Arc<Rowset>, Reservation)>,
    moves: Moves,
}

/// Where each row of the inputs went.
struct Moves {
    /// For each input segment, by position: the number of the row among all rows of the output. Rows that became one have
    /// the same.
    rows: BTreeMap<SegmentId, Vec<u32>>,
    rowset: u64,
    /// The number of each output segment's first row.
    starts: Vec<u64>,
}

impl Moves {
    fn to(&self, from: Location) -> Option<Location> {
        let rows = self.rows.get(&from.segment)?;
        let number = rows.get(usize::try_from(from.row).ok()?).copied().filter(|number| *number != NOWHERE)?;
        let number = u64::from(number);
        let ordinal = self.starts.partition_point(|start| *start <= number).checked_sub(1)?;
        let row = u32::try_from(number - self.starts.get(ordinal)?).ok()?;
        Some(Location { segment: SegmentId { rowset: self.rowset, ordinal: u32::try_from(ordinal).ok()? }, row })
    }
}

impl TabletStore {
    /// The merge that is most worth while now over all tablets, for a background loop: pass it to
    /// [`TabletStore::run_compaction`]. None when nothing needs one. Touches no file.
    pub fn pick_compaction(&self) -> Option<Compaction> {
        let tablets: Vec<Arc<Tablet>> = self.inner.tablets.read().values().cloned().collect();
        let plans = tablets.iter().filter(|tablet| tablet.compacting.try_lock().is_ok()).filter_map(|tablet| {
            let state = tablet.current().ok()?;
            if tablet.shared().unmergeable == Some(state.version) {
                return None;
            }
            let candidates = self.inner.candidates(tablet, &state);
            plan::plan(tablet.id, &candidates, partners(tablet), &self.inner.options.compaction)
        });
        plans.max_by_key(|plan| plan.rowsets.len())
    }

    /// Merges all rowsets of a tablet into one and gives the space of hidden rows back (at the next reclaim). Returns
    /// whether there was anything to gain. Rowsets of which a prepared load names rows by position are left out, and in
    /// Unique Key and Aggregate Key tablets also those beyond them.
    ///
    /// # Errors
    /// `Invalid` when a column cannot hold the sum of its values ([`Error::SumRange`]), `NotFound` when there is no such tablet, `Corrupt` when a file cannot be read, and what the disk says; the
    /// tablet is then as it was.
    pub async fn compact(&self, tablet: TabletId) -> Result<bool> {
        let found = self.inner.live(tablet)?;
        let candidates = self.inner.candidates(&found, &*found.current()?);
        match plan::plan_all(tablet, &candidates, partners(&found)) {
            Some(plan) => self.run_compaction(plan).await,
            None => Ok(false),
        }
    }

    /// Does a merge. Returns false, and changes nothing, when the tablet has changed so that the plan is out of date:
    /// a rowset is gone, or a load has prepared the deletion of rows by position.
    ///
    /// # Errors
    /// As [`TabletStore::compact`].
    pub async fn run_compaction(&self, plan: Compaction) -> Result<bool> {
        let tablet = self.inner.live(plan.tablet)?;
        let turn = Arc::clone(&tablet.compacting).lock_owned().await;
        let inputs: BTreeSet<u64> = plan.rowsets.iter().copied().collect();
        let source = tablet.current()?;
        if inputs.is_empty() || !self.inner.can_replace(&tablet, &source, &inputs) {
            return Ok(false);
        }
        let (inner, from, chosen) =
            (Arc::clone(&self.inner), Arc::clone(&tablet), (Arc::clone(&source), inputs.clone()));
        let output = rt::blocking(move || inner.merge(&from, &chosen.0, &chosen.1)).await;
        if matches!(output, Err(Error::SumRange { .. })) {
            tablet.shared().unmergeable = Some(source.version);
        }
        let output = output?;

        let guard = Arc::clone(&tablet.write).lock_owned().await;
        let current = tablet.current()?;
        if !self.inner.can_replace(&tablet, &current, &inputs) {
            return Ok(false);
        }
        let Output { rowset, moves } = output;
        let mut edits = Edits::default();
        let mut vectors = Vec::new();
        for (segment, rows) in deleted_meanwhile(&source, &current, &inputs, &moves) {
            let (vector, bytes) = DeleteVector::new(segment, current.version, rows)?;
            let key = [tablet.id.0, segment.rowset, u64::from(segment.ordinal), current.version.0];
            edits.put_bytes(Table::Deletes, &key, bytes);
            vectors.push(Arc::new(vector));
        }
        let (rowset, reservation) = rowset.unzip();
        if let Some(rowset) = &rowset {
            edits.put(Table::Rowsets, &[tablet.id.0, rowset.id], &RowsetRecord::of(rowset))?;
        }
        let next = Arc::new(current.compacted(&inputs, rowset.clone(), vectors.clone()));
        edits.put(Table::States, &[tablet.id.0, next.version.0], &next.to_record())?;
        tracing::debug!(%plan, version = %next.version, "merged rowsets");
        let inner = Arc::clone(&self.inner);
        let apply = move || {
            let mut guard = guard;
            if let Some(index) = &mut guard.index {
                index.relocate(|from| moves.to(from));
            }
            let mut shared = tablet.shared();
            shared.rowsets.extend(rowset.map(|rowset| (rowset.id, rowset)));
            shared.advance(next, vectors, &[], Instant::now());
            drop(shared);
            if let Some(reservation) = reservation {
                reservation.keep();
            }
            drop((current, source, inner, turn));
        };
        self.inner.journal.commit(edits, apply).await?;
        Ok(true)
    }
}

impl Inner {
    fn candidates(&self, tablet: &Tablet, state: &State) -> Vec<Candidate> {
        let blocked = self.blocked_rowsets(tablet.id);
        let candidate = |rowset: &Arc<Rowset>| Candidate {
            rowset: rowset.id,
            rows: rowset.rows(),
            hidden_rows: state.hidden_rows(rowset.id),
            len_bytes: rowset.len_bytes(),
            blocked: blocked.contains(&rowset.id),
        };
        state.rowsets.iter().map(candidate).collect()
    }

    /// Whether all inputs are there, may be merged with each other, and none has rows that a prepared load names by position.
    fn can_replace(&self, tablet: &Tablet, state: &State, inputs: &BTreeSet<u64>) -> bool {
        let there = state.rowsets.iter().filter(|rowset| inputs.contains(&rowset.id)).count();
        let order = state.rowsets.iter().map(|rowset| rowset.id);
        there == inputs.len()
            && partners(tablet).allow(order, inputs)
            && self.blocked_rowsets(tablet.id).is_disjoint(inputs)
    }

    /// Writes the visible rows of the inputs as one rowset. Blocks.
    fn merge(&self, tablet: &Arc<Tablet>, state: &State, inputs: &BTreeSet<u64>) -> Result<Output> {
        let mut ids = Vec::new();
        let mut scans = Vec::new();
        let mut rows = BTreeMap::new();
        for (id, meta) in state.segments().filter(|(id, _)| inputs.contains(&id.rowset)) {
            let path = segment_path(tablet.id, id);
            let bytes = files::map(&*self.disk, &path, meta.len_bytes)?;
            // All of it is read anyway, and damage that is merged would get a checksum that agrees with it.
            let reader = SegmentReader::open_verified(&path, &tablet.schema, bytes, meta)?;
            let deletes = state.deletes.get(&id).map(|deletes| Arc::clone(&deletes.rows));
            scans.push(reader.scan(&ScanOptions { deletes, batch_rows: BATCH_ROWS, ..ScanOptions::default() })?);
            let places = usize::try_from(meta.rows).map_err(|_many| too_many_rows(tablet.id))?;
            rows.insert(id, vec![NOWHERE; places]);
            ids.push(id);
        }
        let mut writer = RowsetWriter::new(&self.disk, tablet, &self.options)?;
        let mut number = 0u32;
        for merged in merge(&tablet.schema, scans, BATCH_ROWS)? {
            let merged = merged?;
            writer.write(&merged.rows)?;
            for (origin, target) in merged.origins.iter().zip(&merged.targets) {
                let of = ids.get(origin.source as usize).and_then(|id| rows.get_mut(id));
                let place = of.and_then(|of| of.get_mut(origin.position as usize));
                let lost = || Error::Internal(format!("tablet {}: a merged row came from nowhere", tablet.id));
                let to = number.checked_add(*target).filter(|to| *to != NOWHERE);
                *place.ok_or_else(lost)? = to.ok_or_else(|| too_many_rows(tablet.id))?;
            }
            let rows = u32::try_from(merged.rows.num_rows()).ok();
            number = rows.and_then(|rows| number.checked_add(rows)).ok_or_else(|| too_many_rows(tablet.id))?;
        }
        let rowset = writer.finish()?;
        let mut starts = Vec::new();
        let mut start = 0;
        for segment in rowset.iter().flat_map(|(rowset, _)| &rowset.segments) {
            starts.push(start);
            start += segment.rows;
        }
        let moves = Moves { rows, rowset: rowset.as_ref().map_or(0, |(rowset, _)| rowset.id), starts };
        Ok(Output { rowset, moves })
    }
}

/// The output's rows whose sources were hidden after the merge had begun.
fn deleted_meanwhile(
    source: &State,
    current: &State,
    inputs: &BTreeSet<u64>,
    moves: &Moves,
) -> BTreeMap<SegmentId, RoaringBitmap> {
    let mut hidden: BTreeMap<SegmentId, RoaringBitmap> = BTreeMap::new();
    for (segment, now) in current.deletes.iter().filter(|(segment, _)| inputs.contains(&segment.rowset)) {
        let mut new = (*now.rows).clone();
        if let Some(before) = source.deletes.get(segment) {
            new -= &*before.rows;
        }
        for to in new.iter().filter_map(|row| moves.to(Location { segment: *segment, row })) {
            hidden.entry(to.segment).or_default().insert(to.row);
        }
    }
    hidden
}

fn too_many_rows(tablet: TabletId) -> Error {
    Error::Invalid(format!("tablet {tablet}: one merge cannot take more than 2^32 rows; merge fewer rowsets"))
}

#[cfg(test)]
mod tests;
