//! Expiry and retention: this cluster's snapshots whose time is over, dropped. Which those are is decided by
//! [`repository::retention`].

use super::drop::drop_expired;
use crate::error::{Error, Result};
use crate::jobs::Shared;
use catalog::records::{RepositoryRecord, RetentionRecord};
use env::rt::time::unix_millis;
use repository::retention::{self, Decision, Policy};
use repository::{Generation, Repository, SnapshotSummary, Usage};
use std::cmp::Reverse;

/// What became of a snapshot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Judged {
    /// The snapshot.
    pub summary: SnapshotSummary,
    /// `KEEP`, `DROP` (of a dry run), `DROPPED`, or `IN USE` when a RESTORE kept it from being dropped.
    pub decision: &'static str,
    /// Why.
    pub reason: String,
    /// Bytes that its going gives back, beside what those before it in the list do; none for what stays.
    pub freed_bytes: Option<u64>,
}

impl Judged {
    fn new(decision: Decision, word: &'static str) -> Self {
        Self { summary: decision.summary, decision: word, reason: decision.reason, freed_bytes: None }
    }
}

/// The policy that a repository is set to.
pub(crate) fn policy(retention: Option<RetentionRecord>) -> Policy {
    match retention {
        Some(RetentionRecord { keep_last, keep_within_ms, min }) => Policy { keep_last, keep_within_ms, min },
        None => Policy::default(),
    }
}

/// Judges this cluster's snapshots; those of others are for their own clusters to judge. Tells at which generation.
async fn judge(shared: &Shared, repository: &Repository, policy: &Policy) -> Result<(Generation, Vec<Decision>)> {
    // What is read afterwards may be newer, and is judged anew before anything is dropped.
    let generation = repository.generation().await?;
    let mut all = repository.snapshots().await?;
    all.retain(|summary| summary.cluster == shared.cluster);
    Ok((generation, retention::plan(&all, policy, unix_millis()).decisions))
}

/// Applies a policy; a dry run drops nothing. Gives what became of each snapshot, by database, newest first, and with
/// each that goes what that gives back, if `usage` is there to tell.
pub(crate) async fn apply(
    shared: &Shared,
    record: &RepositoryRecord,
    repository: &Repository,
    policy: &Policy,
    dry_run: bool,
    usage: Option<&Usage>,
) -> Result<Vec<Judged>> {
    let mut gone: Vec<Judged> = Vec::new();
    let kept = 'judge: loop {
        let (mut generation, decisions) = judge(shared, repository, policy).await?;
        let mut judged = Vec::new();
        for decision in decisions {
            if decision.keep || dry_run {
                let word = if decision.keep { "KEEP" } else { "DROP" };
                judged.push(Judged::new(decision, word));
                continue;
            }
            match drop_expired(shared, record, repository, &decision.summary, generation).await {
                Ok(Some(made)) => {
                    generation = made;
                    gone.push(Judged::new(decision, "DROPPED"));
                }
                // Somebody else has changed what was judged.
                Ok(None) => continue 'judge,
                Err(in_use @ (Error::SnapshotInUse { .. } | Error::Held { .. })) => {
                    judged.push(Judged { reason: in_use.to_string(), ..Judged::new(decision, "IN USE") });
                }
                Err(failed) => return Err(failed),
            }
        }
        break judged;
    };
    if !gone.is_empty() {
        shared.desks.of(record.id).ring();
    }
    let mut all: Vec<Judged> = gone.into_iter().chain(kept).collect();
    let place = |judged: &Judged| (judged.summary.database.clone(), Reverse(judged.summary.session.since()));
    all.sort_by_key(place);
    if let Some(usage) = usage {
        price(&mut all, usage);
    }
    Ok(all)
}

/// Tells of each snapshot that goes what it gives back beside those before it.
fn price(judged: &mut [Judged], usage: &Usage) {
    let mut labels: Vec<String> = Vec::new();
    let mut before = 0;
    for judged in judged.iter_mut().filter(|judged| matches!(judged.decision, "DROP" | "DROPPED")) {
        labels.push(judged.summary.label.clone());
        let all = usage.freed_by(&labels.iter().map(String::as_str).collect::<Vec<_>>());
        judged.freed_bytes = Some(all.saturating_sub(before));
        before = all;
    }
}

/// What a round of upkeep does: applies what the repository is set to. Gives how many snapshots were dropped.
pub(super) async fn expire(shared: &Shared, record: &RepositoryRecord, repository: &Repository) -> Result<u64> {
    let judged = apply(shared, record, repository, &policy(record.retention), false, None).await?;
    let mut dropped = 0;
    for judged in judged.iter().filter(|judged| judged.decision == "DROPPED") {
        let (label, reason) = (&judged.summary.label, &judged.reason);
        tracing::info!(repository = record.name, label, reason, "a snapshot's time is over");
        dropped += 1;
    }
    Ok(dropped)
}
