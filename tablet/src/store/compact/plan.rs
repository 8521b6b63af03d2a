//! Which rowsets to merge: size-tiered. Pure.
//!
//! Rowsets are sorted into tiers by the bytes of their visible rows; the smallest tier that has enough members is
//! merged, so each row is rewritten about once per tier and the number of rowsets grows with the logarithm of the data.
//! Without such a tier, rowsets that are largely hidden are rewritten to give the space back.
//!
//! Law (*neighbours*): where rows of one key become one, a later load counts after an earlier one. There only rowsets that
//! follow each other are merged: the output takes the place of the first, and nothing that stays is overtaken.

use crate::schema::KeyModel;
use crate::store::options::CompactionOptions;
use env::ids::TabletId;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// What a plan knows of a rowset.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Candidate {
    pub(crate) rowset: u64,
    pub(crate) rows: u64,
    pub(crate) hidden_rows: u64,
    pub(crate) len_bytes: u64,
    /// A prepared load names rows of it by position, so it must stay.
    pub(crate) blocked: bool,
}

impl Candidate {
    fn live_bytes(&self) -> u64 {
        let live = u128::from(self.rows.saturating_sub(self.hidden_rows));
        let bytes = (u128::from(self.len_bytes) * live).checked_div(u128::from(self.rows)).unwrap_or(0);
        u64::try_from(bytes).unwrap_or(u64::MAX)
    }

    fn is_mostly_hidden(&self, percent: u64) -> bool {
        self.hidden_rows > 0 && u128::from(self.hidden_rows) * 100 >= u128::from(self.rows) * u128::from(percent)
    }
}

/// Why a merge is worth while.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CompactionReason {
    /// Many rowsets of about one size.
    ManyRowsets,
    /// Many hidden rows.
    HiddenRows,
    /// Somebody asked.
    Asked,
}

impl fmt::Display for CompactionReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::ManyRowsets => "many rowsets of about one size",
            Self::HiddenRows => "many hidden rows",
            Self::Asked => "asked for",
        })
    }
}

/// A merge that should be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Compaction {
    /// Where.
    pub tablet: TabletId,
    /// The rowsets to merge into one, in the order in which they were added.
    pub rowsets: Vec<u64>,
    /// Why.
    pub reason: CompactionReason,
}

impl fmt::Display for Compaction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "tablet {}: merge rowsets {:?}: {}", self.tablet, self.rowsets, self.reason)
    }
}

/// Which rowsets may be merged with each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Partners {
    /// Any.
    All,
    /// Those that follow each other; see the module's text.
    Neighbours,
}

impl Partners {
    pub(crate) fn of(model: KeyModel) -> Self {
        if model.merges_on_read() { Self::Neighbours } else { Self::All }
    }

    /// Whether these rowsets, of which all are in `order`, may be merged.
    pub(crate) fn allow(self, mut order: impl Iterator<Item = u64>, chosen: &BTreeSet<u64>) -> bool {
        match self {
            Self::All => true,
            Self::Neighbours => {
                let first = order.find(|rowset| chosen.contains(rowset));
                let more = order.take_while(|rowset| chosen.contains(rowset)).count();
                first.is_some() && more + 1 == chosen.len()
            }
        }
    }
}

/// The merge that a tablet needs most, if any.
pub(crate) fn plan(
    tablet: TabletId,
    candidates: &[Candidate],
    partners: Partners,
    options: &CompactionOptions,
) -> Option<Compaction> {
    match partners {
        Partners::All => plan_any(tablet, candidates, options),
        Partners::Neighbours => plan_neighbours(tablet, candidates, options),
    }
}

/// As [`plan_any`] with rowsets that follow each other. Tiers do not help where small and large ones alternate: here those
/// are merged of which the largest is at most as large as the others together. The output is then at least twice as large as
/// any input, so each row is rewritten at most once per doubling.
fn plan_neighbours(tablet: TabletId, candidates: &[Candidate], options: &CompactionOptions) -> Option<Compaction> {
    // Small ones are all of one size.
    let weight = |candidate: &Candidate| candidate.live_bytes().max(options.tier_bytes_min);
    let mut best: Option<(u64, usize, &[Candidate])> = None;
    for run in runs(candidates, |_any| true) {
        for from in 0..run.len() {
            let rest = run.get(from..).unwrap_or_default();
            let near: Vec<&Candidate> = rest.iter().take(options.inputs_max.max(2)).collect();
            let most = bounded(&near, options).len();
            let (mut largest, mut all) = (0, 0_u64);
            for (many, candidate) in (1..=most).zip(rest) {
                largest = largest.max(weight(candidate));
                all = all.saturating_add(weight(candidate));
                let worth = many >= options.inputs_min.max(2) && largest <= all.saturating_sub(largest);
                // Small ones first, and then as many as there are.
                if worth && best.is_none_or(|(than, chosen, _)| (largest, chosen) < (than, many)) {
                    best = Some((largest, many, rest.get(..many).unwrap_or_default()));
                }
            }
        }
    }
    if let Some((_, _, chosen)) = best {
        let rowsets = chosen.iter().map(|candidate| candidate.rowset).collect();
        return Some(Compaction { tablet, rowsets, reason: CompactionReason::ManyRowsets });
    }
    let hidden =
        candidates.iter().filter(|candidate| !candidate.blocked && candidate.is_mostly_hidden(options.hidden_percent));
    let least = hidden.min_by_key(|candidate| (candidate.live_bytes(), candidate.rowset))?;
    Some(made(tablet, candidates, &[least.rowset], CompactionReason::HiddenRows))
}

/// The runs of neighbours that are not blocked and fulfil a condition.
fn runs(candidates: &[Candidate], wanted: impl Fn(&Candidate) -> bool) -> impl Iterator<Item = &[Candidate]> {
    let of_run = move |candidate: &Candidate| !candidate.blocked && wanted(candidate);
    candidates.split(move |candidate| !of_run(candidate)).filter(|run| !run.is_empty())
}

fn plan_any(tablet: TabletId, candidates: &[Candidate], options: &CompactionOptions) -> Option<Compaction> {
    let mut tiers: BTreeMap<u32, Vec<&Candidate>> = BTreeMap::new();
    for candidate in candidates.iter().filter(|candidate| !candidate.blocked) {
        tiers.entry(tier(candidate.live_bytes(), options)).or_default().push(candidate);
    }
    for members in tiers.values() {
        let chosen = bounded(members, options);
        if chosen.len() >= options.inputs_min.max(2) {
            return Some(made(tablet, candidates, &chosen, CompactionReason::ManyRowsets));
        }
    }
    let mut hidden: Vec<&Candidate> = candidates
        .iter()
        .filter(|candidate| !candidate.blocked && candidate.is_mostly_hidden(options.hidden_percent))
        .collect();
    // Those that give back most for the least work first.
    hidden.sort_by_key(|candidate| (candidate.live_bytes(), candidate.rowset));
    let mut chosen = bounded(&hidden, options);
    if chosen.is_empty() {
        // One that is larger than the bound alone would stay for ever.
        chosen.extend(hidden.first().map(|candidate| candidate.rowset));
    }
    (!chosen.is_empty()).then(|| made(tablet, candidates, &chosen, CompactionReason::HiddenRows))
}

/// The merge of everything that may be merged, if there is anything to gain from it.
pub(crate) fn plan_all(tablet: TabletId, candidates: &[Candidate], partners: Partners) -> Option<Compaction> {
    let free: Vec<&Candidate> = match partners {
        Partners::All => candidates.iter().filter(|candidate| !candidate.blocked).collect(),
        Partners::Neighbours => runs(candidates, |_any| true).max_by_key(|run| run.len())?.iter().collect(),
    };
    if free.len() < 2 && free.iter().all(|candidate| candidate.hidden_rows == 0) {
        return None;
    }
    let rowsets = free.iter().map(|candidate| candidate.rowset).collect();
    Some(Compaction { tablet, rowsets, reason: CompactionReason::Asked })
}

fn tier(bytes: u64, options: &CompactionOptions) -> u32 {
    let factor = options.tier_factor.max(2);
    let (mut tier, mut limit) = (0, options.tier_bytes_min.max(1));
    while bytes >= limit && tier < 64 {
        tier += 1;
        limit = limit.saturating_mul(factor);
    }
    tier
}

/// As many as the bounds allow, from the first on.
fn bounded(members: &[&Candidate], options: &CompactionOptions) -> Vec<u64> {
    let mut bytes = 0u64;
    let within = members.iter().take(options.inputs_max.max(2)).take_while(|candidate| {
        bytes = bytes.saturating_add(candidate.len_bytes);
        bytes <= options.input_bytes_max
    });
    within.map(|candidate| candidate.rowset).collect()
}

fn made(tablet: TabletId, candidates: &[Candidate], chosen: &[u64], reason: CompactionReason) -> Compaction {
    let in_order = candidates.iter().map(|candidate| candidate.rowset).filter(|rowset| chosen.contains(rowset));
    Compaction { tablet, rowsets: in_order.collect(), reason }
}

#[cfg(test)]
mod tests;
