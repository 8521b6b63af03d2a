//! Sets of snapshots, and the bytes that belong to each. Pure.

use std::collections::BTreeMap;
use std::sync::Arc;

/// Ascending numbers as half-open runs that do not touch.
type Runs = Arc<[(u32, u32)]>;

/// A set of snapshots, by its place in [`Sets`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct SetId(u32);

impl SetId {
    /// Of what no snapshot refers to.
    pub(super) const EMPTY: Self = Self(0);
    /// Of what belongs to the repository as such: no snapshot's, and not to be missed either.
    pub(super) const INDEX: Self = Self(1);
}

/// All sets that came up, each once.
#[derive(Debug)]
pub(super) struct Sets {
    all: Vec<Runs>,
    ids: BTreeMap<Runs, SetId>,
}

impl Default for Sets {
    fn default() -> Self {
        let none = Runs::from([]);
        Self { ids: [(Arc::clone(&none), SetId::EMPTY)].into(), all: vec![Arc::clone(&none), none] }
    }
}

impl Sets {
    fn id(&mut self, runs: Vec<(u32, u32)>) -> SetId {
        let runs = Runs::from(runs);
        if let Some(id) = self.ids.get(&runs) {
            return *id;
        }
        let id = SetId(u32::try_from(self.all.len()).unwrap_or(u32::MAX));
        self.all.push(Arc::clone(&runs));
        self.ids.insert(runs, id);
        id
    }

    fn runs(&self, id: SetId) -> &[(u32, u32)] {
        usize::try_from(id.0).ok().and_then(|index| self.all.get(index)).map_or(&[], |runs| runs)
    }

    /// The set of one.
    pub(super) fn one(&mut self, number: u32) -> SetId {
        self.id(vec![(number, number.saturating_add(1))])
    }

    pub(super) fn union(&mut self, one: SetId, other: SetId) -> SetId {
        if one == other || other <= SetId::INDEX {
            return one;
        }
        if one <= SetId::INDEX {
            return other;
        }
        let mut both = [self.runs(one), self.runs(other)].concat();
        both.sort_unstable();
        let mut union: Vec<(u32, u32)> = Vec::with_capacity(both.len());
        for (start, end) in both {
            match union.last_mut() {
                Some(last) if start <= last.1 => last.1 = last.1.max(end),
                _ => union.push((start, end)),
            }
        }
        self.id(union)
    }
}

/// The bytes that each set has for itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Space {
    /// By set while objects are added; afterwards those that are not empty.
    bytes: Vec<u64>,
    groups: Vec<(Runs, u64)>,
    /// By snapshot: bytes of all sets that it is in, and of the one that it is alone in.
    totals: Vec<(u64, u64)>,
}

impl Space {
    pub(super) fn new(sets: &Sets) -> Self {
        Self { bytes: vec![0; sets.all.len()], groups: Vec::new(), totals: Vec::new() }
    }

    /// Adds an object of a set; false for the empty one.
    pub(super) fn add(&mut self, set: SetId, bytes: u64) -> bool {
        if set == SetId::EMPTY {
            return false;
        }
        if let Some(sum) = usize::try_from(set.0).ok().and_then(|index| self.bytes.get_mut(index)) {
            *sum = sum.saturating_add(bytes);
        }
        true
    }

    /// The sums, when all objects are added.
    pub(super) fn finish(mut self, sets: &Sets) -> Self {
        let bytes = std::mem::take(&mut self.bytes);
        let filled = sets.all.iter().zip(bytes).filter(|(runs, bytes)| *bytes > 0 && !runs.is_empty());
        self.groups = filled.map(|(runs, bytes)| (Arc::clone(runs), bytes)).collect();
        let index = |number: u32| usize::try_from(number).unwrap_or(usize::MAX);
        let count = self.groups.iter().filter_map(|(runs, _)| runs.last()).map(|run| index(run.1)).max().unwrap_or(0);
        self.totals = vec![(0, 0); count];
        // What begins and what ends at each snapshot, then sums from left to right.
        let mut edges = vec![(0u64, 0u64); count + 1];
        for (runs, bytes) in &self.groups {
            for (start, end) in runs.iter() {
                if let Some(edge) = edges.get_mut(index(*start)) {
                    edge.0 = edge.0.saturating_add(*bytes);
                }
                if let Some(edge) = edges.get_mut(index(*end)) {
                    edge.1 = edge.1.saturating_add(*bytes);
                }
            }
            if let [(start, end)] = **runs
                && end - start == 1
                && let Some(total) = self.totals.get_mut(index(start))
            {
                total.1 = total.1.saturating_add(*bytes);
            }
        }
        let mut sum = 0u64;
        for (total, (begins, ends)) in self.totals.iter_mut().zip(edges) {
            sum = sum.saturating_add(begins).saturating_sub(ends);
            total.0 = sum;
        }
        self
    }

    /// Bytes that a snapshot refers to, and those that it alone refers to.
    pub(super) fn of(&self, number: u32) -> (u64, u64) {
        usize::try_from(number).ok().and_then(|index| self.totals.get(index)).copied().unwrap_or((0, 0))
    }

    /// Bytes that only these snapshots refer to.
    pub(super) fn only_in(&self, numbers: impl Iterator<Item = u32>) -> u64 {
        let mut members = vec![false; self.totals.len()];
        for number in numbers {
            if let Some(member) = usize::try_from(number).ok().and_then(|index| members.get_mut(index)) {
                *member = true;
            }
        }
        // How many members there are before each number.
        let mut before = Vec::with_capacity(members.len() + 1);
        before.push(0u32);
        for member in members {
            before.push(before.last().copied().unwrap_or(0) + u32::from(member));
        }
        let count =
            |number: u32| usize::try_from(number).ok().and_then(|index| before.get(index)).copied().unwrap_or(0);
        let inside = |(start, end): &(u32, u32)| count(*end) - count(*start) == end - start;
        let groups = self.groups.iter().filter(|(runs, _)| runs.iter().all(inside));
        groups.map(|(_, bytes)| *bytes).fold(0, u64::saturating_add)
    }
}

#[cfg(test)]
mod tests;
