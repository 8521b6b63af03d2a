//! The life of a job, as pure functions: which state follows which, what is to be done in a state, and what becomes of a
//! job when something happens. No clock, no disk, no randomness.
//!
//! * [`duty`] says what a driver has to do for a job as it stands. The answer follows from the journaled record alone, so
//!   a driver that starts after a crash asks the same question and goes on; every duty may be done twice.
//! * [`apply`] says what the job becomes when that is done, or when it fails, is cancelled or takes too long. It is
//!   total: an event that does not fit the state leaves the job as it is.
//!
//! Invariants, named as the tests name them:
//! * TERMINAL ABSORBS: nothing changes a job that has ended but the note that it was cleaned.
//! * ENDS: from every state, once its time is over, a job ends in a bounded number of duties.
//! * COMMIT DECIDES: a BACKUP in UPLOAD_INFO ends as the repository says, not as was asked for; only when it says
//!   nothing for very long does the job end with that told.
//! * SWITCH DECIDES: a RESTORE that has switched only goes forward.

mod backup;
mod restore;
#[cfg(test)]
mod tests;

use catalog::records::job::{
    BackupState, Cut, JobCounts, JobEnding, JobRecord, JobStatus, JobWork, PageRecord, PlanRecord, RestoreState,
    StatusCode, TASK_MESSAGES_MAX, TaskMessage,
};

pub use backup::is_legal as is_legal_backup;
pub use restore::is_legal as is_legal_restore;

/// How many times a BACKUP takes a new cut because a version of the last one was reclaimed before it was pinned.
pub const NEW_CUTS_MAX: u32 = 3;

/// What a driver has to do for a job. Each duty may be done again after a crash at any point of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Duty {
    /// BACKUP: let go of the pins of earlier attempts, take a cut, write the pin tasks.
    TakeCut,
    /// BACKUP: wait until every node has pinned its tablets.
    AwaitPins,
    /// BACKUP: open the session that the job names, write the upload tasks.
    OpenSession,
    /// BACKUP: wait until every node has sent its tablets.
    AwaitUploads,
    /// BACKUP: write the tables' pages and the root page.
    SaveMeta,
    /// BACKUP: commit the session.
    Commit,
    /// BACKUP: close the session without a commit, unless it has committed.
    AbortSession,
    /// RESTORE: plan, take ids, mark the target tables.
    Plan,
    /// RESTORE: register the hidden partitions and tablets, write the stage tasks.
    Register,
    /// RESTORE: wait until every node has made room.
    AwaitStages,
    /// RESTORE: write the download tasks.
    WriteDownloads,
    /// RESTORE: wait until every node has fetched its tablets.
    AwaitDownloads,
    /// RESTORE: the switch.
    Switch,
    /// RESTORE: wait until every node keeps what it fetched.
    Settle,
    /// Remove what the job has left behind, except for its record.
    Clean,
    /// Nothing, for ever.
    Nothing,
}

/// What happened to a job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// A cut was taken and its pin tasks are written.
    CutTaken {
        /// The cut.
        cut: Cut,
        /// Tables, partitions and tablets in it.
        counts: JobCounts,
        /// What is backed up, in words.
        objects_text: String,
    },
    /// A version of the cut was reclaimed before it was pinned.
    VersionGone {
        /// Which.
        message: String,
    },
    /// Everything is pinned.
    Pinned {
        /// The id chosen for the session.
        session: String,
        /// Files pinned.
        files: u64,
        /// Bytes in them.
        bytes: u64,
    },
    /// The session is open and the upload tasks are written.
    SessionOpened,
    /// Everything is sent.
    Uploaded {
        /// Files that the snapshot has.
        files: u64,
        /// Bytes in them.
        bytes: u64,
        /// Bytes that had to be sent.
        bytes_sent: u64,
    },
    /// Tables' pages and root page are written.
    MetaSaved {
        /// The root page.
        root: PageRecord,
    },
    /// The repository holds the snapshot.
    Committed,
    /// The session is closed and can never commit.
    SessionAborted,
    /// The repository has not said for long whether the session is committed, though an end was asked for.
    NoAnswer {
        /// What it said instead.
        message: String,
    },
    /// The plan of a RESTORE is made, the target tables are marked.
    Planned {
        /// The plan.
        plan: PlanRecord,
        /// How much there is to do.
        counts: JobCounts,
        /// What is restored, in words.
        objects_text: String,
    },
    /// Hidden partitions are registered, stage tasks are written.
    Registered,
    /// Every node has made room.
    Staged,
    /// The download tasks are written.
    DownloadsWritten,
    /// Everything is fetched.
    Downloaded,
    /// The switch has happened.
    Switched,
    /// Every node keeps what it fetched.
    Settled,
    /// It must not go on: failed, cancelled, too late.
    End(JobEnding),
    /// Tasks met errors, newest last.
    TaskErrors(Vec<TaskMessage>),
    /// Nothing is left but the record.
    Cleaned,
}

/// What has to be done for a job as it stands.
pub fn duty(job: &JobRecord) -> Duty {
    match &job.work {
        JobWork::Backup { progress } => backup::duty(progress, job.ending.is_some()),
        JobWork::Restore { progress, .. } => restore::duty(progress),
    }
}

/// What a job becomes when `event` happens at `now_ms`. Events that do not fit leave it as it is.
#[must_use]
pub fn apply(job: JobRecord, event: Event, now_ms: u64) -> JobRecord {
    let mut job = job;
    if let Event::TaskErrors(messages) = event {
        if !job.is_done() {
            job.errors.extend(messages);
            let surplus = job.errors.len().saturating_sub(TASK_MESSAGES_MAX);
            job.errors.drain(..surplus);
        }
        return job;
    }
    match &job.work {
        JobWork::Backup { .. } => backup::apply(job, event, now_ms),
        JobWork::Restore { .. } => restore::apply(job, event, now_ms),
    }
}

/// When the job's time is over: milliseconds since 1970.
pub fn deadline_ms(job: &JobRecord) -> u64 {
    job.created_ms.saturating_add(job.timeout_s.saturating_mul(1_000))
}

/// The event to apply when the job's time is over and it has not been told yet.
pub fn timed_out(job: &JobRecord, now_ms: u64) -> Option<Event> {
    if now_ms < deadline_ms(job) || job.ending.is_some() || cancel_refused(job).is_some() {
        return None;
    }
    let message = format!("not finished within {} s, state: {}", job.timeout_s, job.state_name());
    let status = JobStatus { code: StatusCode::Timeout, message };
    Some(Event::End(JobEnding { status, by_user: false, asked_ms: 0 }))
}

/// Why the job cannot be cancelled any more; `None` while it can.
pub fn cancel_refused(job: &JobRecord) -> Option<&'static str> {
    match &job.work {
        JobWork::Backup { progress } => match progress {
            BackupState::Finished { .. } | BackupState::Cancelled { .. } => Some(""),
            BackupState::Pending { .. }
            | BackupState::Snapshoting { .. }
            | BackupState::UploadSnapshot { .. }
            | BackupState::Uploading { .. }
            | BackupState::SaveMeta { .. }
            | BackupState::UploadInfo { .. } => None,
        },
        JobWork::Restore { progress, .. } => match progress {
            RestoreState::Finished { .. } | RestoreState::Cancelled { .. } => Some(""),
            RestoreState::Committing { .. } => Some("; the restored data is live already, only the clean-up is left"),
            RestoreState::Pending { .. }
            | RestoreState::Snapshoting { .. }
            | RestoreState::Download { .. }
            | RestoreState::Downloading { .. }
            | RestoreState::Commit { .. } => None,
        },
    }
}

/// The event of a user's CANCEL.
pub fn cancelled_by_user(job: &JobRecord) -> Event {
    let message = match job.work {
        JobWork::Backup { .. } => "user cancelled".to_owned(),
        JobWork::Restore { .. } => format!("user cancelled, state: {}", job.state_name()),
    };
    Event::End(JobEnding { status: JobStatus { code: StatusCode::CommonError, message }, by_user: true, asked_ms: 0 })
}
