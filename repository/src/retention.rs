//! Which snapshots a policy lets go of. Pure.
//!
//! A policy chooses whom to drop, as a person would. Nothing here decides what is safe: a drop is an ordinary record of
//! the log, refused for a held snapshot there, and what an open session keeps stays until it ends. So a clock that is
//! wrong costs a snapshot that somebody wanted to keep longer, or space, and never a part of a snapshot.
//!
//! The rules, for the snapshots of one database of one cluster:
//! 1. a held one stays;
//! 2. one with a time to live stays until it has passed, and may go then: its owner has spoken for it;
//! 3. another stays if it is one of the newest `keep_last`, or younger than `keep_within_ms`, or if the policy has
//!    neither of the two;
//! 4. of what may go by 2 and 3, the newest stay until `min` snapshots are left.
//!
//! Rule 4 counts in each database for itself: counted over the repository, the many snapshots of one database would let
//! the last one of another go. Those with a time to live do not count for `keep_last`: hourly ones that live for a day
//! would otherwise push out the weekly ones. *Newest* is by the order in which the sessions were opened in the log, so
//! that a machine whose clock is behind does not have its newest snapshot taken for the oldest.

use crate::manifest::SnapshotSummary;
use serde::{Deserialize, Serialize};
use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

/// What to keep.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Policy {
    /// So many of the newest snapshots of a database.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub keep_last: Option<u32>,
    /// Those that were created less than so many milliseconds ago.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub keep_within_ms: Option<u64>,
    /// No database is left with fewer snapshots than this, as far as it has them.
    pub min: u32,
}

/// Drops only what has outlived its own time to live, and never the last snapshot of a database.
impl Default for Policy {
    fn default() -> Self {
        Self { keep_last: None, keep_within_ms: None, min: 1 }
    }
}

/// What becomes of one snapshot, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Decision {
    /// The snapshot.
    pub summary: SnapshotSummary,
    /// Whether it stays.
    pub keep: bool,
    /// Why, for people.
    pub reason: String,
}

/// What a policy says about each snapshot.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Plan {
    /// One for each snapshot: by cluster, then by database, newest first.
    pub decisions: Vec<Decision>,
}

impl Plan {
    /// The snapshots that go.
    pub fn drops(&self) -> impl Iterator<Item = &SnapshotSummary> {
        self.decisions.iter().filter(|decision| !decision.keep).map(|decision| &decision.summary)
    }
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let drops = self.drops().count();
        writeln!(f, "retention: drop {drops} snapshots, keep {}", self.decisions.len() - drops)?;
        self.decisions.iter().try_for_each(|Decision { summary, keep, reason }| {
            let verb = if *keep { "keep" } else { "drop" };
            writeln!(f, "{verb} {} of {}: {reason}", summary.label, summary.database)
        })
    }
}

/// Judges every snapshot. `now_ms` is the wall clock, milliseconds since 1970.
#[must_use]
pub fn plan(snapshots: &[SnapshotSummary], policy: &Policy, now_ms: u64) -> Plan {
    let mut databases: BTreeMap<(&str, &str), Vec<&SnapshotSummary>> = BTreeMap::new();
    for summary in snapshots {
        databases.entry((&summary.cluster, &summary.database)).or_default().push(summary);
    }
    let mut decisions = Vec::with_capacity(snapshots.len());
    for rows in databases.values_mut() {
        rows.sort_by_key(|row| Reverse((row.session.since(), row.created_ms, row.label.as_str())));
        let mut counted = 0;
        let mut judged: Vec<Decision> = rows.iter().map(|row| judge(row, policy, now_ms, &mut counted)).collect();
        keep_min(&mut judged, policy.min);
        decisions.extend(judged);
    }
    Plan { decisions }
}

/// Rules 1 to 3. `counted` snapshots without a time to live are newer.
fn judge(row: &SnapshotSummary, policy: &Policy, now_ms: u64, counted: &mut u32) -> Decision {
    let rank = *counted;
    if row.expires_ms.is_none() {
        *counted = counted.saturating_add(1);
    }
    let (keep, reason) = match (&row.hold, row.expires_ms) {
        (Some(hold), _) if hold.reason.is_empty() => (true, "held".to_owned()),
        (Some(hold), _) => (true, format!("held: {}", hold.reason)),
        (None, Some(expires_ms)) if now_ms < expires_ms => {
            (true, format!("its time to live ends in {}", span(expires_ms - now_ms)))
        }
        (None, Some(expires_ms)) => (false, format!("its time to live ended {} ago", span(now_ms - expires_ms))),
        (None, None) => by_policy(row, policy, now_ms, rank),
    };
    Decision { summary: row.clone(), keep, reason }
}

/// Rule 3.
fn by_policy(row: &SnapshotSummary, policy: &Policy, now_ms: u64, rank: u32) -> (bool, String) {
    let mut beyond = Vec::new();
    if let Some(last) = policy.keep_last {
        if rank < last {
            return (true, format!("one of the newest {last} of database {:?}", row.database));
        }
        beyond.push(format!("not one of the newest {last} of database {:?}", row.database));
    }
    if let Some(within_ms) = policy.keep_within_ms {
        if row.created_ms.saturating_add(within_ms) > now_ms {
            return (true, format!("younger than {}", span(within_ms)));
        }
        beyond.push(format!("not younger than {}", span(within_ms)));
    }
    if beyond.is_empty() { (true, "no rule drops it".to_owned()) } else { (false, beyond.join(", ")) }
}

/// Rule 4.
fn keep_min(judged: &mut [Decision], min: u32) {
    let kept = judged.iter().filter(|decision| decision.keep).count();
    let missing = usize::try_from(min).unwrap_or(usize::MAX).saturating_sub(kept);
    for decision in judged.iter_mut().filter(|decision| !decision.keep).take(missing) {
        decision.keep = true;
        decision.reason =
            format!("at least {min} of database {:?} stay, although: {}", decision.summary.database, decision.reason);
    }
}

/// A length of time in words, to the second.
fn span(ms: u64) -> humantime::FormattedDuration {
    humantime::format_duration(Duration::from_secs(ms / 1000))
}

#[cfg(test)]
mod tests;
