//! A tablet's state at one version: an immutable value. Pure: loads and compactions compute the next one from it.
//!
//! Invariants: a rowset occurs once; a delete vector belongs to a segment of one of the rowsets, is not empty, and was
//! made by this version or an earlier one.

use crate::error::{Error, Result};
use crate::segment::SegmentMeta;
use crate::store::deletes::DeleteVector;
use crate::store::lineage::Lineage;
use crate::store::record::StateRecord;
use crate::view::SegmentId;
use env::ids::{LoadId, Version};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// The segments that one load or one compaction wrote.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Rowset {
    pub(crate) id: u64,
    /// Its identity for ever and everywhere, also in the tablets that a restore brings it to.
    pub(crate) uid: String,
    pub(crate) segments: Vec<SegmentMeta>,
}

impl Rowset {
    pub(crate) fn segments(&self) -> impl Iterator<Item = (SegmentId, &SegmentMeta)> {
        (0u32..).zip(&self.segments).map(|(ordinal, meta)| (SegmentId { rowset: self.id, ordinal }, meta))
    }

    pub(crate) fn rows(&self) -> u64 {
        self.segments.iter().map(|segment| segment.rows).sum()
    }

    pub(crate) fn len_bytes(&self) -> u64 {
        self.segments.iter().map(|segment| segment.len_bytes).sum()
    }
}

/// See the module's text.
#[derive(Debug)]
pub(crate) struct State {
    pub(crate) version: Version,
    /// The load that made the version; none for the empty one and for a restored one.
    pub(crate) load: Option<LoadId>,
    /// None in a store from before there were lineages, until the next load.
    pub(crate) lineage: Option<Lineage>,
    pub(crate) rowsets: Vec<Arc<Rowset>>,
    pub(crate) deletes: BTreeMap<SegmentId, Arc<DeleteVector>>,
}

impl State {
    /// Nothing was ever loaded.
    pub(crate) fn empty() -> Self {
        let lineage = Some(Lineage::fresh());
        Self { version: Version::FIRST, load: None, lineage, rowsets: Vec::new(), deletes: BTreeMap::new() }
    }

    pub(crate) fn segments(&self) -> impl Iterator<Item = (SegmentId, &SegmentMeta)> {
        self.rowsets.iter().flat_map(|rowset| rowset.segments())
    }

    pub(crate) fn segment(&self, id: SegmentId) -> Option<&SegmentMeta> {
        let rowset = self.rowsets.iter().find(|rowset| rowset.id == id.rowset)?;
        rowset.segments.get(usize::try_from(id.ordinal).ok()?)
    }

    /// The rows of a rowset that this state hides.
    pub(crate) fn hidden_rows(&self, rowset: u64) -> u64 {
        let first = SegmentId { rowset, ordinal: 0 };
        let last = SegmentId { rowset, ordinal: u32::MAX };
        self.deletes.range(first..=last).map(|(_, deletes)| deletes.rows.len()).sum()
    }

    /// The next version: `rowsets` are added, `deletes` take the place of those of the same segments.
    pub(crate) fn published(
        &self,
        load: LoadId,
        lineage: Option<Lineage>,
        rowsets: Vec<Arc<Rowset>>,
        deletes: Vec<Arc<DeleteVector>>,
    ) -> Self {
        let mut next = Self {
            version: self.version.next(),
            load: Some(load),
            lineage,
            rowsets: self.rowsets.clone(),
            deletes: self.deletes.clone(),
        };
        next.rowsets.extend(rowsets);
        next.deletes.extend(deletes.into_iter().map(|deletes| (deletes.segment, deletes)));
        next
    }

    /// The same version with `output` in the place of `inputs`.
    pub(crate) fn compacted(
        &self,
        inputs: &BTreeSet<u64>,
        output: Option<Arc<Rowset>>,
        deletes: Vec<Arc<DeleteVector>>,
    ) -> Self {
        let mut output = output;
        let mut rowsets = Vec::with_capacity(self.rowsets.len());
        for rowset in &self.rowsets {
            if inputs.contains(&rowset.id) {
                rowsets.extend(output.take());
            } else {
                rowsets.push(Arc::clone(rowset));
            }
        }
        let kept = self.deletes.iter().filter(|(segment, _)| !inputs.contains(&segment.rowset));
        let mut all: BTreeMap<_, _> = kept.map(|(segment, deletes)| (*segment, Arc::clone(deletes))).collect();
        all.extend(deletes.into_iter().map(|deletes| (deletes.segment, deletes)));
        Self { version: self.version, load: self.load, lineage: self.lineage.clone(), rowsets, deletes: all }
    }

    /// The same with files that nobody knows to be in use: what the canary of ignored pins makes of a pinned state.
    pub(crate) fn unshared(&self) -> Self {
        let copy = |rowset: &Arc<Rowset>| {
            let (id, uid) = (rowset.id, rowset.uid.clone());
            Arc::new(Rowset { id, uid, segments: rowset.segments.clone() })
        };
        Self {
            version: self.version,
            load: self.load,
            lineage: self.lineage.clone(),
            rowsets: self.rowsets.iter().map(copy).collect(),
            deletes: self.deletes.clone(),
        }
    }

    pub(crate) fn to_record(&self) -> StateRecord {
        StateRecord {
            version: self.version,
            load: self.load,
            lineage: self.lineage.clone(),
            rowsets: self.rowsets.iter().map(|rowset| rowset.id).collect(),
            deletes: self
                .deletes
                .values()
                .map(|deletes| (deletes.segment.rowset, deletes.segment.ordinal, deletes.version))
                .collect(),
        }
    }

    /// The state that a record describes; `object` names the record in errors.
    pub(crate) fn from_record(
        object: &str,
        record: &StateRecord,
        rowsets: &BTreeMap<u64, Arc<Rowset>>,
        deletes: &BTreeMap<(SegmentId, Version), Arc<DeleteVector>>,
    ) -> Result<Self> {
        let mut state = Self {
            version: record.version,
            load: record.load,
            lineage: record.lineage.clone(),
            rowsets: Vec::new(),
            deletes: BTreeMap::new(),
        };
        for id in &record.rowsets {
            let rowset = rowsets.get(id);
            let rowset = rowset.ok_or_else(|| Error::corrupt(object, format!("a record of rowset {id}"), "none"))?;
            state.rowsets.push(Arc::clone(rowset));
        }
        for (rowset, ordinal, version) in &record.deletes {
            let segment = SegmentId { rowset: *rowset, ordinal: *ordinal };
            let vector = deletes.get(&(segment, *version));
            let vector = vector.ok_or_else(|| {
                Error::corrupt(object, format!("a delete vector of segment {segment}, version {version}"), "none")
            })?;
            state.deletes.insert(segment, Arc::clone(vector));
        }
        Ok(state)
    }
}

#[cfg(test)]
mod tests;
