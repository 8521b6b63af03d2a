//! What a verifier found, written down: findings, and what is known of each snapshot since.

use crate::error::{Error, Result};
use crate::jobs::Shared;
use crate::journal::{self, BATCH};
use catalog::records::{FindingRecord, FindingsRecord, ProofRecord, VerifyOutcome, VerifyRecord};
use catalog::{At, Catalog, Record, Stored, keys};
use env::ids::JobId;
use repository::Generation;
use repository::verify::{Finding, Level, Report, SeenHead, Verdict};
use std::collections::BTreeMap;

/// Findings in one record: some kilobytes each, at most.
const FINDINGS_IN_RECORD: usize = 20;

/// Labels of damaged snapshots that an outcome names.
const DAMAGED_MAX: usize = 20;

/// Writes everything down but the end of the job. Doing it again writes the same.
pub(super) async fn keep(shared: &Shared, job: &Stored<VerifyRecord>, report: &Report) -> Result<VerifyOutcome> {
    forget(&shared.catalog, job.id).await?;
    for (part, findings) in (0..).zip(report.findings.chunks(FINDINGS_IN_RECORD)) {
        let findings = findings.iter().map(finding).collect::<Result<_>>()?;
        shared.catalog.change().put(&FindingsRecord { job: job.id, part, findings }).commit().await?;
    }
    keep_proofs(shared, job, report).await?;
    Ok(outcome(report))
}

/// A finding has the same fields in the catalog as in the repository's report.
fn finding(finding: &Finding) -> Result<FindingRecord> {
    let value = serde_json::to_value(finding).and_then(serde_json::from_value);
    value.map_err(|failed| Error::Internal(format!("a finding cannot be written down: {failed}")))
}

/// Deletes the findings of a verifier.
pub(super) async fn forget(catalog: &Catalog, job: JobId) -> Result<()> {
    let parts = catalog.list::<FindingsRecord>(&keys::findings(job), At::Latest).await?;
    let doomed: Vec<String> = parts.iter().map(|part| part.record.key()).collect();
    journal::delete_keys(catalog, &doomed).await
}

fn outcome(report: &Report) -> VerifyOutcome {
    let mut snapshots: BTreeMap<String, u64> = BTreeMap::new();
    for snapshot in &report.snapshots {
        *snapshots.entry(snapshot.verdict.to_string()).or_default() += 1;
    }
    let hit = report.snapshots.iter().filter(|snapshot| snapshot.verdict != Verdict::Sound);
    VerifyOutcome {
        verdict: report.verdict.to_string(),
        snapshots,
        damaged: hit.take(DAMAGED_MAX).map(|snapshot| snapshot.label.clone()).collect(),
        kinds: report.kinds.iter().map(|(kind, count)| (kind.to_string(), *count)).collect(),
        findings_kept: report.findings.len() as u64,
        records: report.totals.records,
        pages: report.totals.pages,
        objects: report.totals.objects,
        bytes_checked: report.totals.bytes_checked,
        generation: report.head.as_ref().map(|head| head.generation.0),
        hash: report.head.as_ref().map(|head| head.hash.clone()),
    }
}

/// Notes of each snapshot what is known now.
async fn keep_proofs(shared: &Shared, job: &Stored<VerifyRecord>, report: &Report) -> Result<()> {
    let known = shared.catalog.list::<ProofRecord>(&keys::proofs(job.repository), At::Latest).await?;
    let known: BTreeMap<&str, &ProofRecord> = known.iter().map(|proof| (proof.label.as_str(), &proof.record)).collect();
    let reads_data = matches!(report.level, Level::Sample { .. } | Level::Full);
    for batch in report.snapshots.chunks(BATCH) {
        let mut change = shared.catalog.change();
        for snapshot in batch {
            let earlier = known.get(snapshot.label.as_str()).filter(|proof| proof.timestamp == snapshot.timestamp);
            let proven_ms = match snapshot.verdict {
                Verdict::Sound if reads_data => Some(report.started_ms),
                Verdict::Sound | Verdict::NotChecked => earlier.and_then(|proof| proof.proven_ms),
                Verdict::Damaged => None,
            };
            change = change.put(&ProofRecord {
                repository: job.repository,
                label: snapshot.label.clone(),
                timestamp: snapshot.timestamp.clone(),
                verified_ms: report.started_ms,
                level: report.level.to_string(),
                verdict: snapshot.verdict.to_string(),
                proven_ms,
            });
        }
        change.commit().await?;
    }
    Ok(())
}

/// The newest record of the log that a verifier of the repository has seen before.
pub(super) async fn remembered(shared: &Shared, job: &VerifyRecord) -> Result<Option<SeenHead>> {
    let all = shared.catalog.list::<VerifyRecord>(keys::VERIFIERS, At::Latest).await?;
    let seen = all.iter().filter(|other| other.repository == job.repository).filter_map(|other| {
        let outcome = other.outcome()?;
        Some(SeenHead { generation: Generation(outcome.generation?), hash: outcome.hash.clone()? })
    });
    Ok(seen.max_by_key(|head| head.generation))
}
