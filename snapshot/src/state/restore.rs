//! RESTORE.
//!
//! ```text
//! submit --> PENDING -- planned --> PENDING (plan) -- registered --> SNAPSHOTING -- staged --> DOWNLOAD
//!               |                       |                                |                        |
//!               | end                   | end                            | end             downloads written
//!               v                       v                                v                        v
//!           CANCELLED <-----------------+--------------------------------+----- end -------- DOWNLOADING
//!               ^                                                                                 |
//!               |                                                                             downloaded
//!               |                                                                                 v
//!               +------------------------------------------- end ------------------------------ COMMIT
//!                                                                                                 |
//!                                                                                              switched
//!                                                                                                 v
//!                                                             FINISHED <------- settled ------ COMMITTING
//! ```
//!
//! `end` stands for failed, cancelled or too late. COMMITTING is entered by the very transaction that switches the data:
//! before it the old data is untouched, after it there is no way but forward.

use super::{Duty, Event};
use catalog::records::job::{JobEnding, JobRecord, JobStatus, JobWork, PlanRecord, RestoreState};

/// Whether `to` may follow `from`.
pub fn is_legal(from: &RestoreState, to: &RestoreState) -> bool {
    use RestoreState::{Cancelled, Commit, Committing, Download, Downloading, Finished, Pending, Snapshoting};
    match (from, to) {
        (Pending { plan: None }, Pending { plan: Some(_) } | Cancelled { plan: None, cleaned: false }) => true,
        (Pending { plan: Some(a) }, Snapshoting { plan: b })
        | (Snapshoting { plan: a }, Download { plan: b })
        | (Download { plan: a }, Downloading { plan: b })
        | (Downloading { plan: a }, Commit { plan: b })
        | (Commit { plan: a }, Committing { plan: b })
        | (Committing { plan: a }, Finished { plan: b, cleaned: false })
        | (Finished { plan: a, cleaned: false }, Finished { plan: b, cleaned: true })
        | (
            Pending { plan: Some(a) }
            | Snapshoting { plan: a }
            | Download { plan: a }
            | Downloading { plan: a }
            | Commit { plan: a },
            Cancelled { plan: Some(b), cleaned: false },
        ) => a == b,
        (Cancelled { plan: a, cleaned: false }, Cancelled { plan: b, cleaned: true }) => a == b,
        (
            Pending { .. }
            | Snapshoting { .. }
            | Download { .. }
            | Downloading { .. }
            | Commit { .. }
            | Committing { .. }
            | Finished { .. }
            | Cancelled { .. },
            _,
        ) => false,
    }
}

pub(super) fn duty(state: &RestoreState) -> Duty {
    match state {
        RestoreState::Pending { plan: None } => Duty::Plan,
        RestoreState::Pending { plan: Some(_) } => Duty::Register,
        RestoreState::Snapshoting { .. } => Duty::AwaitStages,
        RestoreState::Download { .. } => Duty::WriteDownloads,
        RestoreState::Downloading { .. } => Duty::AwaitDownloads,
        RestoreState::Commit { .. } => Duty::Switch,
        RestoreState::Committing { .. } => Duty::Settle,
        RestoreState::Finished { cleaned: false, .. } | RestoreState::Cancelled { cleaned: false, .. } => Duty::Clean,
        RestoreState::Finished { cleaned: true, .. } | RestoreState::Cancelled { cleaned: true, .. } => Duty::Nothing,
    }
}

/// The only place that changes the state.
fn enter(job: &mut JobRecord, to: RestoreState) -> bool {
    let JobWork::Restore { progress, .. } = &mut job.work else { return false };
    let legal = is_legal(progress, &to);
    debug_assert!(legal, "a restore cannot go from {} to {}", progress.name(), to.name());
    if legal {
        *progress = to;
    }
    legal
}

/// Ends a job that has not switched.
fn end(job: &mut JobRecord, plan: Option<PlanRecord>, ending: JobEnding, now_ms: u64) {
    if enter(job, RestoreState::Cancelled { plan, cleaned: false }) {
        job.status = ending.status;
        job.times.finished_ms = Some(now_ms);
    }
}

pub(super) fn apply(mut job: JobRecord, event: Event, now_ms: u64) -> JobRecord {
    let JobWork::Restore { progress, .. } = &job.work else { return job };
    match (progress.clone(), event) {
        (RestoreState::Pending { plan: None }, Event::Planned { plan, counts, objects_text }) => {
            if enter(&mut job, RestoreState::Pending { plan: Some(plan) }) {
                job.counts = counts;
                job.objects_text = objects_text;
                job.times.meta_prepared_ms = Some(now_ms);
            }
        }
        (RestoreState::Pending { plan: Some(plan) }, Event::Registered) => {
            enter(&mut job, RestoreState::Snapshoting { plan });
        }
        (RestoreState::Snapshoting { plan }, Event::Staged) => {
            if enter(&mut job, RestoreState::Download { plan }) {
                job.times.snapshot_finished_ms = Some(now_ms);
            }
        }
        (RestoreState::Download { plan }, Event::DownloadsWritten) => {
            enter(&mut job, RestoreState::Downloading { plan });
        }
        (RestoreState::Downloading { plan }, Event::Downloaded) => {
            if enter(&mut job, RestoreState::Commit { plan }) {
                job.times.transfer_finished_ms = Some(now_ms);
            }
        }
        (RestoreState::Commit { plan }, Event::Switched) => {
            enter(&mut job, RestoreState::Committing { plan });
        }
        (RestoreState::Committing { plan }, Event::Settled) => {
            if enter(&mut job, RestoreState::Finished { plan, cleaned: false }) {
                job.status = JobStatus::ok();
                job.times.finished_ms = Some(now_ms);
            }
        }
        (RestoreState::Pending { plan }, Event::End(ending)) => end(&mut job, plan, ending, now_ms),
        (
            RestoreState::Snapshoting { plan }
            | RestoreState::Download { plan }
            | RestoreState::Downloading { plan }
            | RestoreState::Commit { plan },
            Event::End(ending),
        ) => end(&mut job, Some(plan), ending, now_ms),
        (RestoreState::Finished { plan, cleaned: false }, Event::Cleaned) => {
            enter(&mut job, RestoreState::Finished { plan, cleaned: true });
        }
        (RestoreState::Cancelled { plan, cleaned: false }, Event::Cleaned) => {
            enter(&mut job, RestoreState::Cancelled { plan, cleaned: true });
        }
        (
            RestoreState::Pending { .. }
            | RestoreState::Snapshoting { .. }
            | RestoreState::Download { .. }
            | RestoreState::Downloading { .. }
            | RestoreState::Commit { .. }
            | RestoreState::Committing { .. }
            | RestoreState::Finished { .. }
            | RestoreState::Cancelled { .. },
            _,
        ) => {}
    }
    job
}
