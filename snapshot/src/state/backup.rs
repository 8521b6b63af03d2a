//! BACKUP.
//!
//! ```text
//!                      version gone, at most 3 times
//!               +---------------------------------------+
//!               v                                       |
//! submit --> PENDING ---- cut taken ----> SNAPSHOTING --+-- pinned --> UPLOAD_SNAPSHOT -- session open --> UPLOADING
//!               |                            |                               |                                |
//!               |                            |                               |                             uploaded
//!               | end                        | end                           | end                            v
//!               v                            v                               v                     end    SAVE_META
//!           CANCELLED <----------------------+-------------------------------+--------------------------------+
//!               ^                                                                                             |
//!               |             session aborted, or no answer                                             meta saved
//!               +------------------ (after end) -------------- UPLOAD_INFO <----------------------------------+
//!                                                                   |
//!                                                               committed ----> FINISHED
//! ```
//!
//! `end` stands for failed, cancelled or too late. In UPLOAD_INFO it is only noted ([`JobRecord::ending`]): a commit may
//! be on its way, so the repository decides which of the two comes first. Nobody has committed in an earlier state, for
//! UPLOAD_INFO is journaled before the first attempt.

use super::{Duty, Event, NEW_CUTS_MAX};
use catalog::records::job::{BackupState, JobCounts, JobEnding, JobRecord, JobStatus, JobWork, StatusCode};

/// Whether `to` may follow `from`.
pub fn is_legal(from: &BackupState, to: &BackupState) -> bool {
    use BackupState::{Cancelled, Finished, Pending, SaveMeta, Snapshoting, UploadInfo, UploadSnapshot, Uploading};
    match (from, to) {
        (Pending { attempt }, Snapshoting { cut }) => cut.attempt == *attempt,
        (Snapshoting { cut }, Pending { attempt }) => *attempt == cut.attempt.saturating_add(1),
        (Snapshoting { cut: a }, UploadSnapshot { cut: b, .. }) => a == b,
        (UploadSnapshot { cut: a, session: s }, Uploading { cut: b, session: t })
        | (Uploading { cut: a, session: s }, SaveMeta { cut: b, session: t })
        | (SaveMeta { cut: a, session: s }, UploadInfo { cut: b, session: t, .. })
        | (UploadInfo { cut: a, session: s, .. }, Finished { cut: b, session: t, cleaned: false }) => a == b && s == t,
        (Finished { cut: a, session: s, cleaned: false }, Finished { cut: b, session: t, cleaned: true }) => {
            a == b && s == t
        }
        (Pending { .. } | Snapshoting { .. }, Cancelled { session: None, cleaned: false }) => true,
        (
            UploadSnapshot { session: s, .. }
            | Uploading { session: s, .. }
            | SaveMeta { session: s, .. }
            | UploadInfo { session: s, .. },
            Cancelled { session: Some(t), cleaned: false },
        ) => s == t,
        (Cancelled { session: s, cleaned: false }, Cancelled { session: t, cleaned: true }) => s == t,
        (
            Pending { .. }
            | Snapshoting { .. }
            | UploadSnapshot { .. }
            | Uploading { .. }
            | SaveMeta { .. }
            | UploadInfo { .. }
            | Finished { .. }
            | Cancelled { .. },
            _,
        ) => false,
    }
}

pub(super) fn duty(state: &BackupState, ending: bool) -> Duty {
    match state {
        BackupState::Pending { .. } => Duty::TakeCut,
        BackupState::Snapshoting { .. } => Duty::AwaitPins,
        BackupState::UploadSnapshot { .. } => Duty::OpenSession,
        BackupState::Uploading { .. } => Duty::AwaitUploads,
        BackupState::SaveMeta { .. } => Duty::SaveMeta,
        BackupState::UploadInfo { .. } if ending => Duty::AbortSession,
        BackupState::UploadInfo { .. } => Duty::Commit,
        BackupState::Finished { cleaned: false, .. } | BackupState::Cancelled { cleaned: false, .. } => Duty::Clean,
        BackupState::Finished { cleaned: true, .. } | BackupState::Cancelled { cleaned: true, .. } => Duty::Nothing,
    }
}

/// The only place that changes the state.
fn enter(job: &mut JobRecord, to: BackupState) -> bool {
    let JobWork::Backup { progress } = &mut job.work else { return false };
    let legal = is_legal(progress, &to);
    debug_assert!(legal, "a backup cannot go from {} to {}", progress.name(), to.name());
    if legal {
        *progress = to;
    }
    legal
}

/// Ends a job that nobody can have committed.
fn end(job: &mut JobRecord, session: Option<String>, ending: JobEnding, now_ms: u64) {
    if enter(job, BackupState::Cancelled { session, cleaned: false }) {
        job.ending = None;
        job.status = ending.status;
        job.times.finished_ms = Some(now_ms);
    }
}

pub(super) fn apply(mut job: JobRecord, event: Event, now_ms: u64) -> JobRecord {
    let JobWork::Backup { progress } = &job.work else { return job };
    match (progress.clone(), event) {
        (BackupState::Pending { attempt }, Event::CutTaken { cut, counts, objects_text }) => {
            // A cut of an attempt that was given up meanwhile.
            if cut.attempt == attempt && enter(&mut job, BackupState::Snapshoting { cut }) {
                job.counts = counts;
                job.objects_text = objects_text;
            }
        }
        (BackupState::Snapshoting { cut }, Event::VersionGone { message }) => {
            if cut.attempt < NEW_CUTS_MAX {
                enter(&mut job, BackupState::Pending { attempt: cut.attempt.saturating_add(1) });
            } else {
                let tries = NEW_CUTS_MAX.saturating_add(1);
                let message = format!("versions were reclaimed before they could be pinned, {tries} times: {message}");
                let status = JobStatus { code: StatusCode::CommonError, message };
                end(&mut job, None, JobEnding { status, by_user: false, asked_ms: 0 }, now_ms);
            }
        }
        (BackupState::Snapshoting { cut }, Event::Pinned { session, files, bytes }) => {
            if enter(&mut job, BackupState::UploadSnapshot { cut, session }) {
                job.counts = JobCounts { files, bytes, ..job.counts };
                job.times.snapshot_finished_ms = Some(now_ms);
            }
        }
        (BackupState::UploadSnapshot { cut, session }, Event::SessionOpened) => {
            enter(&mut job, BackupState::Uploading { cut, session });
        }
        (BackupState::Uploading { cut, session }, Event::Uploaded { files, bytes, bytes_sent }) => {
            if enter(&mut job, BackupState::SaveMeta { cut, session }) {
                job.counts = JobCounts { files, bytes, bytes_sent, ..job.counts };
                job.times.transfer_finished_ms = Some(now_ms);
            }
        }
        (BackupState::SaveMeta { cut, session }, Event::MetaSaved { root }) => {
            enter(&mut job, BackupState::UploadInfo { cut, session, root, saved_ms: now_ms });
        }
        (BackupState::UploadInfo { cut, session, .. }, Event::Committed) => {
            if enter(&mut job, BackupState::Finished { cut, session, cleaned: false }) {
                job.ending = None;
                job.status = JobStatus::ok();
                job.times.finished_ms = Some(now_ms);
            }
        }
        (BackupState::UploadInfo { session, .. }, Event::SessionAborted) => {
            // Only after an end was asked for: otherwise nobody had a reason to abort.
            if let Some(ending) = job.ending.clone() {
                end(&mut job, Some(session), ending, now_ms);
            }
        }
        (BackupState::UploadInfo { session, .. }, Event::NoAnswer { message }) => {
            if let Some(JobEnding { status, .. }) = job.ending.clone() {
                let unknown = "whether its snapshot was committed first is not known, SHOW SNAPSHOT will tell";
                let message = format!("{}; {unknown}: {message}", status.message);
                let status = JobStatus { code: status.code, message };
                end(&mut job, Some(session), JobEnding { status, by_user: false, asked_ms: 0 }, now_ms);
            }
        }
        (BackupState::UploadInfo { .. }, Event::End(ending)) => {
            // The first reason counts.
            job.ending.get_or_insert(JobEnding { asked_ms: now_ms, ..ending });
        }
        (BackupState::Pending { .. } | BackupState::Snapshoting { .. }, Event::End(ending)) => {
            end(&mut job, None, ending, now_ms);
        }
        (
            BackupState::UploadSnapshot { session, .. }
            | BackupState::Uploading { session, .. }
            | BackupState::SaveMeta { session, .. },
            Event::End(ending),
        ) => end(&mut job, Some(session), ending, now_ms),
        (BackupState::Finished { cut, session, cleaned: false }, Event::Cleaned) => {
            enter(&mut job, BackupState::Finished { cut, session, cleaned: true });
        }
        (BackupState::Cancelled { session, cleaned: false }, Event::Cleaned) => {
            enter(&mut job, BackupState::Cancelled { session, cleaned: true });
        }
        (
            BackupState::Pending { .. }
            | BackupState::Snapshoting { .. }
            | BackupState::UploadSnapshot { .. }
            | BackupState::Uploading { .. }
            | BackupState::SaveMeta { .. }
            | BackupState::UploadInfo { .. }
            | BackupState::Finished { .. }
            | BackupState::Cancelled { .. },
            _,
        ) => {}
    }
    job
}
