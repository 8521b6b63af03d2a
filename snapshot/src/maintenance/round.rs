//! One round of upkeep, and the sweep that others ask for.

use super::{plan, retention};
use crate::error::{Result, explain};
use crate::jobs::Shared;
use crate::journal;
use catalog::records::job::JobRecord;
use catalog::records::{ProofRecord, RepositoryRecord, UpkeepRecord, VerifyRecord};
use catalog::{At, Record, keys};
use env::ids::RepositoryId;
use env::rt::CancellationToken;
use env::rt::time::unix_millis;
use repository::{Rates, Repository, SweepPlan, Swept, no_progress};
use std::collections::BTreeSet;

/// Of an error's text so many characters are kept.
const ERROR_CHARS_MAX: usize = 1_000;

/// Does what there is to do for a repository, and notes how it went. `thorough`: also look for garbage where none can
/// have come about, for what a lost machine had deleted may be there again.
pub(super) async fn round(shared: &Shared, id: RepositoryId, thorough: bool, stop: &CancellationToken) -> Result<()> {
    let Some(record) = shared.catalog.get::<RepositoryRecord>(&keys::repository(id), At::Latest).await? else {
        return Ok(());
    };
    let desk = shared.desks.of(id);
    let _turn = desk.turn.lock().await;
    let mut noted = noted(shared, id).await?;
    if thorough {
        noted.swept_generation = None;
    }
    let done = attempt(shared, &record, &mut noted, stop).await;
    note(shared, noted, &done).await?;
    done
}

async fn attempt(
    shared: &Shared,
    record: &RepositoryRecord,
    noted: &mut UpkeepRecord,
    stop: &CancellationToken,
) -> Result<()> {
    let repository = open(shared, record, stop).await?;
    end_dead_sessions(shared, record, &repository).await?;
    let dropped = retention::expire(shared, record, &repository).await?;
    noted.expired_total = noted.expired_total.saturating_add(dropped);
    forget_proofs(shared, record, &repository).await?;
    // Where nothing was committed since, nothing can have become garbage.
    let generation = repository.generation().await?;
    if noted.swept_generation == Some(generation.0) && noted.garbage_bytes == 0 {
        noted.swept_ms = Some(unix_millis());
        return Ok(());
    }
    delete(shared, record, &repository, noted).await.map(drop)
}

/// Ends the sessions that this cluster's dead jobs could not end.
async fn end_dead_sessions(shared: &Shared, record: &RepositoryRecord, repository: &Repository) -> Result<()> {
    let open = repository.sessions().await?;
    if open.is_empty() {
        return Ok(());
    }
    let jobs = shared.catalog.list::<JobRecord>(keys::JOBS, At::Latest).await?;
    let verifiers = shared.catalog.list::<VerifyRecord>(keys::VERIFIERS, At::Latest).await?;
    let (jobs, verifiers) = (jobs.iter().map(|job| &job.record), verifiers.iter().map(|job| &job.record));
    for id in plan::dead_sessions(&open, jobs, verifiers) {
        repository.fence(&id).await?;
        tracing::info!(repository = record.name, session = %id, "ended the session of a job that is over");
    }
    Ok(())
}

/// Forgets what was known of snapshots that are gone.
async fn forget_proofs(shared: &Shared, record: &RepositoryRecord, repository: &Repository) -> Result<()> {
    let known = shared.catalog.list::<ProofRecord>(&keys::proofs(record.id), At::Latest).await?;
    if known.is_empty() {
        return Ok(());
    }
    let there = repository.snapshots().await?;
    let there: BTreeSet<(&str, &str)> =
        there.iter().map(|summary| (summary.label.as_str(), summary.timestamp.as_str())).collect();
    let gone = known.iter().filter(|proof| !there.contains(&(proof.label.as_str(), proof.timestamp.as_str())));
    let gone: Vec<String> = gone.map(|proof| proof.record.key()).collect();
    journal::delete_keys(&shared.catalog, &gone).await
}

/// Plans a sweep and carries it out.
async fn delete(
    shared: &Shared,
    record: &RepositoryRecord,
    repository: &Repository,
    noted: &mut UpkeepRecord,
) -> Result<(SweepPlan, Swept)> {
    let plan = repository.sweep_plan(&no_progress()).await?;
    noted.garbage_bytes = plan.bytes();
    shared.options.pause.at("upkeep.sweep".to_owned()).await;
    let swept = repository.sweep(&plan, &no_progress()).await?;
    shared.options.pause.at("upkeep.sweep.done".to_owned()).await;
    tracing::info!(repository = record.name, ?swept, "swept a repository");
    // What is locked stays, and is looked at again.
    noted.garbage_bytes = plan.bytes().saturating_sub(swept.bytes);
    noted.swept_generation = Some(plan.generation().0);
    noted.swept_ms = Some(unix_millis());
    noted.swept_bytes = swept.bytes;
    noted.swept_total_bytes = noted.swept_total_bytes.saturating_add(swept.bytes);
    Ok((plan, swept))
}

/// Sweeps a repository now, when nobody else does, after the sessions of this cluster's dead jobs were ended; tells what
/// was deleted.
pub(crate) async fn sweep(
    shared: &Shared,
    record: &RepositoryRecord,
    repository: &Repository,
) -> Result<(SweepPlan, Swept)> {
    let desk = shared.desks.of(record.id);
    let _turn = desk.turn.lock().await;
    let mut noted = noted(shared, record.id).await?;
    let done = match end_dead_sessions(shared, record, repository).await {
        Ok(()) => delete(shared, record, repository, &mut noted).await,
        Err(failed) => Err(failed),
    };
    note(shared, noted, &done).await?;
    done
}

/// The repository, asked within the limits of this node until `stop`.
pub(crate) async fn open(shared: &Shared, record: &RepositoryRecord, stop: &CancellationToken) -> Result<Repository> {
    let open = shared.repositories.open(record).await?;
    Ok(open.within(&shared.limits.node().child(Rates::default()), stop))
}

async fn noted(shared: &Shared, id: RepositoryId) -> Result<UpkeepRecord> {
    let stored = shared.catalog.get::<UpkeepRecord>(&keys::upkeep(id), At::Latest).await?;
    Ok(stored.map_or_else(|| UpkeepRecord::new(id), |stored| stored.record))
}

async fn note<T>(shared: &Shared, mut noted: UpkeepRecord, done: &Result<T>) -> Result<()> {
    noted.ended_ms = Some(unix_millis());
    match done {
        Ok(_) => {
            noted.failures = 0;
            noted.error = None;
        }
        Err(failed) => {
            noted.failures = noted.failures.saturating_add(1);
            noted.failed_total = noted.failed_total.saturating_add(1);
            noted.error = Some(explain(failed).chars().take(ERROR_CHARS_MAX).collect());
        }
    }
    shared.catalog.change().put(&noted).commit().await?;
    Ok(())
}
