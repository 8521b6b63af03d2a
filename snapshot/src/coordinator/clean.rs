//! What a job leaves behind, removed: pins and stages by the agents, hidden records, tasks, and what its session
//! uploaded.

use super::driver::Outcome;
use super::{backup, restore};
use crate::error::{ErrorKind, Result, explain};
use crate::jobs::Shared;
use crate::journal::{self, Mirror};
use crate::maintenance;
use crate::state::Event;
use catalog::records::job::{BackupState, JobRecord, JobWork, RestoreState};
use catalog::records::task::{TaskKind, TaskRecord};
use catalog::{Stored, keys};
use env::rt::{self, CancellationToken};

pub(super) async fn clean(shared: &Shared, job: &Stored<JobRecord>) -> Result<Outcome> {
    // An agent deletes its tasks as its last word: then nothing of the job runs there and nothing is pinned or staged.
    let answered = rt::time::timeout(shared.options.node_patience, agents_done(shared, job)).await;
    match answered {
        Ok(done) => done?,
        Err(_late) => {
            tracing::warn!(job = %job.id, "a node did not let go of an ended job in time; it will when it is back");
        }
    }
    if matches!(&job.work, JobWork::Restore { progress: RestoreState::Cancelled { .. }, .. }) {
        let hidden = restore::hidden_keys(shared, job).await?;
        journal::delete_keys(&shared.catalog, &hidden).await?;
    }
    leave_repository(shared, job).await?;
    shared.recovered.lock().remove(&job.id);
    // Last: hidden records are found through the table tasks.
    journal::delete_tasks(&shared.catalog, job.id, |_| true).await?;
    shared.live.forget(job.id);
    shared.limits.forget(job.id);
    Ok(Event::Cleaned.into())
}

async fn agents_done(shared: &Shared, job: &JobRecord) -> Result<()> {
    let mut tasks = Mirror::<TaskRecord>::open(&shared.catalog, &keys::tasks(job.id)).await?;
    while tasks.records().values().any(|task| task.kind != TaskKind::Table) {
        tasks.changed().await;
    }
    Ok(())
}

/// Ends what the job has in its repository, as long as there is hope that the repository answers.
async fn leave_repository(shared: &Shared, job: &JobRecord) -> Result<()> {
    let ended_ms = job.times.finished_ms.unwrap_or(0);
    let patience = shared.options.repository_patience_from(ended_ms);
    let Ok(left) = rt::time::timeout(patience, try_leave_repository(shared, job)).await else {
        tracing::warn!(job = %job.id, "the repository does not answer: what the job left there stays for a sweep");
        return Ok(());
    };
    match left {
        Ok(()) => Ok(()),
        Err(failed) if !failed.is_transient() || shared.options.repository_patience_left(ended_ms).is_zero() => {
            let reason = explain(&failed);
            tracing::warn!(job = %job.id, reason, "what the job left in the repository stays there for a sweep");
            Ok(())
        }
        Err(failed) => Err(failed),
    }
}

/// Closes the job's session and removes what a BACKUP without a snapshot has uploaded; after a crash, also whatever an
/// interrupted call has left unfinished.
async fn try_leave_repository(shared: &Shared, job: &JobRecord) -> Result<()> {
    let recovered = shared.recovered.lock().contains(&job.id);
    let (reading, writing) = match &job.work {
        JobWork::Backup { progress: BackupState::Cancelled { session, .. } } => (None, session.is_some()),
        JobWork::Backup { .. } => (None, false),
        JobWork::Restore { .. } => (restore::journaled_plan(job)?.and_then(|plan| plan.session.as_deref()), false),
    };
    if reading.is_none() && !writing && !recovered {
        return Ok(());
    }
    let (record, repository) = shared.repository(job, &CancellationToken::new()).await?;
    let mut sweep = recovered;
    if let Some(session) = reading {
        match restore::resume(shared, job, &repository, session).await {
            Ok(session) => session.close().await?,
            Err(failed) if failed.kind() == ErrorKind::Fenced => {}
            Err(failed) => return Err(failed),
        }
    } else if writing {
        match backup::resume(shared, job, &repository).await {
            Ok(session) => session.abort().await?,
            // Ended by an earlier attempt, which may not have come to removing what was uploaded.
            Err(failed) if failed.kind() == ErrorKind::Fenced => sweep = true,
            Err(failed) => return Err(failed),
        }
    }
    if sweep && !record.read_only {
        maintenance::sweep(shared, &record, &repository).await?;
    } else if writing {
        // An upload that was under way elsewhere may still arrive.
        shared.desks.of(record.id).ring();
    }
    Ok(())
}
