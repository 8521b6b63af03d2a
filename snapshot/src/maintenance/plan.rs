//! What a round of upkeep does, decided from what is known. Pure.

use catalog::records::VerifyRecord;
use catalog::records::job::{BackupState, JobRecord, JobWork, RestoreState};
use repository::{OpenSession, SessionId};
use std::collections::BTreeSet;

#[cfg(test)]
mod tests;

/// The open sessions that belong to jobs and verifiers of this cluster that are over and done with. A session that nobody
/// here has journaled is somebody else's, and left alone whatever it looks like.
pub(super) fn dead_sessions<'a>(
    open: &[OpenSession],
    jobs: impl IntoIterator<Item = &'a JobRecord>,
    verifiers: impl IntoIterator<Item = &'a VerifyRecord>,
) -> Vec<SessionId> {
    let of_jobs = jobs.into_iter().filter(|job| job.is_cleaned()).filter_map(journaled_session);
    let of_verifiers = verifiers.into_iter().filter(|job| job.is_done()).filter_map(|job| job.progress.session());
    let dead: BTreeSet<&str> = of_jobs.chain(of_verifiers).collect();
    open.iter().map(|session| &session.id).filter(|id| dead.contains(id.to_string().as_str())).cloned().collect()
}

/// The session that a job has written down.
pub(crate) fn journaled_session(job: &JobRecord) -> Option<&str> {
    match &job.work {
        JobWork::Backup { progress } => match progress {
            BackupState::UploadSnapshot { session, .. }
            | BackupState::Uploading { session, .. }
            | BackupState::SaveMeta { session, .. }
            | BackupState::UploadInfo { session, .. }
            | BackupState::Finished { session, .. }
            | BackupState::Cancelled { session: Some(session), .. } => Some(session),
            BackupState::Pending { .. }
            | BackupState::Snapshoting { .. }
            | BackupState::Cancelled { session: None, .. } => None,
        },
        JobWork::Restore { progress, .. } => match progress {
            RestoreState::Pending { plan: Some(plan) }
            | RestoreState::Snapshoting { plan }
            | RestoreState::Download { plan }
            | RestoreState::Downloading { plan }
            | RestoreState::Commit { plan }
            | RestoreState::Committing { plan }
            | RestoreState::Finished { plan, .. }
            | RestoreState::Cancelled { plan: Some(plan), .. } => plan.session.as_deref(),
            RestoreState::Pending { plan: None } | RestoreState::Cancelled { plan: None, .. } => None,
        },
    }
}
