//! The coordinator: steps every job's state machine.
//!
//! One driver per job that is not done with: it asks [`state::duty`] what there is to do, does it, and journals what
//! [`state::apply`] makes of the outcome, guarded by the record that it started from. A coordinator that was replaced, or
//! two at once, therefore change nothing that the other does not see.

mod backup;
mod clean;
mod driver;
mod restore;
mod wait;

pub(crate) use backup::{page_record, resume as resume_backup};
pub(crate) use restore::resume_journaled as resume_restore;

use crate::error::Result;
use crate::jobs::Shared;
use crate::journal::{self, Mirror};
use catalog::keys;
use catalog::records::job::{BackupState, JobRecord, JobWork};
use env::ids::{DatabaseId, JobId};
use env::rt::time::unix_millis;
use env::rt::{self, CancellationToken, Duration, JoinSet};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// How often jobs whose time on record is over are looked for.
const TRIM_EVERY: Duration = Duration::from_mins(1);

/// Runs until `stop`: a driver for each job that is not done with, and the trimming of history.
pub(crate) async fn run(shared: Arc<Shared>, stop: CancellationToken) -> Result<()> {
    let mut jobs = Mirror::<JobRecord>::open(&shared.catalog, keys::JOBS).await?;
    let unfinished = jobs.records().values().filter(|job| !job.is_cleaned());
    *shared.recovered.lock() = unfinished.map(|job| job.id).collect();
    let mut drivers: JoinSet<JobId> = JoinSet::new();
    let mut driven = BTreeSet::new();
    let mut trim = rt::time::interval(TRIM_EVERY);
    loop {
        for job in jobs.records().values() {
            if !job.is_cleaned() && driven.insert(job.id) {
                let (shared, stop, id) = (Arc::clone(&shared), stop.clone(), job.id);
                drivers.spawn(async move {
                    driver::drive(shared, id, stop).await;
                    id
                });
            }
        }
        env::select! {
            () = stop.cancelled() => break,
            Some(ended) = drivers.join_next() => match ended {
                Ok(id) => drop(driven.remove(&id)),
                Err(failed) => tracing::error!(error = %failed, "a job's driver broke"),
            },
            () = jobs.changed() => {}
            _ = trim.tick() => trim_history(&shared, jobs.records()).await,
        }
    }
    while drivers.join_next().await.is_some() {}
    Ok(())
}

/// Deletes the records of jobs that have ended long ago and left nothing behind, but for the last good backup of each
/// database.
async fn trim_history(shared: &Shared, jobs: &BTreeMap<String, JobRecord>) {
    let keep_ms = u64::try_from(shared.options.history_keep.as_millis()).unwrap_or(u64::MAX);
    let now_ms = unix_millis();
    // Monitoring asks how long ago the last good backup was, however long that is.
    let mut last_good: BTreeMap<DatabaseId, (Option<u64>, JobId)> = BTreeMap::new();
    for job in jobs.values() {
        if let JobWork::Backup { progress: BackupState::Finished { .. } } = &job.work {
            let ended = (job.times.finished_ms, job.id);
            let known = last_good.entry(job.database).or_insert(ended);
            *known = ended.max(*known);
        }
    }
    let old = |job: &&JobRecord| {
        job.is_cleaned()
            && job.times.finished_ms.is_some_and(|ended| ended.saturating_add(keep_ms) <= now_ms)
            && last_good.get(&job.database).is_none_or(|(_, last)| *last != job.id)
    };
    let doomed: Vec<String> = jobs.values().filter(old).map(|job| keys::job(job.id)).collect();
    if let Err(failed) = journal::delete_keys(&shared.catalog, &doomed).await {
        tracing::warn!(error = %failed, "old jobs could not be removed; trying again later");
    }
}
