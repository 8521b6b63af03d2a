//! What monitoring asks about jobs: how they are, how old the last good backup is, what talking to repositories costs.

use crate::engine::Engine;
use crate::error::EngineError;
use crate::http::metrics::{Sample, SampleKind};
use catalog::records::ProofRecord;
use catalog::records::job::{BackupState, JobWork, RestoreState};
use catalog::{At, keys};
use env::ids::{DatabaseId, RepositoryId};
use env::rt::time::unix_millis;
use snapshot::JobRecord;
use std::collections::BTreeMap;

/// Figures of all jobs on record and of all traffic since the node was started.
///
/// # Errors
/// What the catalog says.
pub(crate) async fn samples(engine: &Engine) -> Result<Vec<Sample>, EngineError> {
    let at = engine.catalog().pin(At::Latest).await?;
    let jobs: Vec<JobRecord> =
        engine.catalog().list::<JobRecord>(keys::JOBS, at).await?.into_iter().map(|job| job.record).collect();
    let proofs: Vec<ProofRecord> =
        engine.catalog().list::<ProofRecord>(keys::PROOFS, at).await?.into_iter().map(|proof| proof.record).collect();
    let databases = engine.catalog().databases(at).await?;
    let mut samples = states(&jobs);
    let (backups, proven) = (last_backups(&jobs), last_proofs(&jobs, &proofs));
    let now_ms = unix_millis();
    for database in &databases {
        let ages = [
            (
                "tabularium_last_backup_age_seconds",
                "Since the last BACKUP of the database has finished.",
                backups.get(&database.id).copied(),
            ),
            (
                "tabularium_last_proof_age_seconds",
                "Since a snapshot of the database was last restored, or read by a verifier and found sound.",
                proven.get(database.name.as_str()).copied(),
            ),
        ];
        for (name, help, since_ms) in ages {
            if let Some(since_ms) = since_ms {
                let labels = vec![("database", database.name.clone())];
                let value = seconds(now_ms.saturating_sub(since_ms));
                samples.push(Sample { name, help, kind: SampleKind::Gauge, labels, value });
            }
        }
    }
    let traffic = engine.jobs().node_traffic();
    let counted = [
        ("tabularium_repository_requests_total", "Requests to repositories.", traffic.requests),
        ("tabularium_repository_transferred_bytes_total", "Bytes to and from repositories.", traffic.bytes),
        ("tabularium_repository_retries_total", "Requests to repositories that were sent again.", traffic.retries),
    ];
    samples.extend(counted.map(|(name, help, count)| Sample {
        name,
        help,
        kind: SampleKind::Counter,
        labels: Vec::new(),
        value: whole(count),
    }));
    Ok(samples)
}

/// How many jobs are in which state.
fn states(jobs: &[JobRecord]) -> Vec<Sample> {
    let mut counts: BTreeMap<(&str, &str), u64> = BTreeMap::new();
    for job in jobs {
        *counts.entry((job.kind().as_str(), job.state_name())).or_default() += 1;
    }
    let sample = |((kind, state), count): ((&str, &str), u64)| Sample {
        name: "tabularium_jobs",
        help: "Backups and restores on record.",
        kind: SampleKind::Gauge,
        labels: vec![("kind", kind.to_owned()), ("state", state.to_owned())],
        value: whole(count),
    };
    counts.into_iter().map(sample).collect()
}

/// When the last BACKUP of each database has finished.
fn last_backups(jobs: &[JobRecord]) -> BTreeMap<DatabaseId, u64> {
    let mut last = BTreeMap::new();
    for job in jobs {
        if let (JobWork::Backup { progress: BackupState::Finished { .. } }, Some(ended_ms)) =
            (&job.work, job.times.finished_ms)
        {
            let known: &mut u64 = last.entry(job.database).or_default();
            *known = ended_ms.max(*known);
        }
    }
    last
}

/// When a snapshot of each database was last proven to be whole: by a RESTORE, or by a verifier that read its data.
fn last_proofs<'a>(jobs: &'a [JobRecord], proofs: &[ProofRecord]) -> BTreeMap<&'a str, u64> {
    let mut last: BTreeMap<&str, u64> = BTreeMap::new();
    let mut note = |database: &'a str, at_ms: u64| {
        let known = last.entry(database).or_default();
        *known = at_ms.max(*known);
    };
    let mut databases: BTreeMap<(RepositoryId, &str), &'a str> = BTreeMap::new();
    for job in jobs {
        match &job.work {
            JobWork::Backup { .. } => {
                databases.insert((job.repository, job.label.as_str()), &job.database_name);
            }
            JobWork::Restore { spec, progress: RestoreState::Finished { .. } } => {
                if let Some(ended_ms) = job.times.finished_ms {
                    note(&spec.snapshot_database, ended_ms);
                }
            }
            JobWork::Restore { .. } => {}
        }
    }
    for proof in proofs {
        if let (Some(database), Some(proven_ms)) =
            (databases.get(&(proof.repository, proof.label.as_str())), proof.proven_ms)
        {
            note(database, proven_ms);
        }
    }
    last
}

fn seconds(ms: u64) -> f64 {
    whole(ms / 1_000)
}

#[expect(clippy::cast_precision_loss, reason = "a gauge is a double; above 2^53 the last digits do not matter")]
fn whole(value: u64) -> f64 {
    value as f64
}
