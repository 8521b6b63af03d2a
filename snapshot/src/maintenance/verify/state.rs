//! The life of a verifier. Pure: no clock, no disk, no randomness.
//!
//! ```text
//!              session chosen                   looked at everything
//! submit --> PENDING ------------> VERIFYING ------------------------> FINISHED
//!              ^  |                  |   |
//!              |  |  session lost,   |   | end
//!              |  |  interrupted     |   |
//!              +--|------------------+   v
//!                 +-- end -----------> CANCELLED
//! ```
//!
//! `end` stands for failed, cancelled or too late. A verifier that was interrupted begins anew, with the same sample: after
//! a crash under the same session, after an orderly stop, which ends the session, under another.

use catalog::records::job::{JobStatus, StatusCode};
use catalog::records::{VerifyOutcome, VerifyRecord, VerifyState};

#[cfg(test)]
mod tests;

/// How many times a verifier whose session was ended by somebody else takes another.
pub(crate) const SESSIONS_LOST_MAX: u32 = 3;

/// What has to be done for a verifier.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Duty {
    /// Choose a session.
    ChooseSession,
    /// Look.
    Verify,
    /// Nothing, for ever.
    Nothing,
}

/// What happened to a verifier.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Event {
    /// A session is chosen; none in a repository that is read only.
    SessionChosen {
        session: Option<String>,
        /// Bytes to be read, as far as can be told.
        bytes_expected: u64,
    },
    /// Somebody else has ended the session.
    SessionLost,
    /// The process stops in order, and the session is ended.
    Interrupted,
    /// So many bytes were read, in this attempt.
    Read(u64),
    /// It has looked at everything.
    Done(VerifyOutcome),
    /// It must not go on.
    End(JobStatus),
}

/// What has to be done for a verifier as it stands.
pub(crate) fn duty(job: &VerifyRecord) -> Duty {
    match job.progress {
        VerifyState::Pending { .. } => Duty::ChooseSession,
        VerifyState::Verifying { .. } => Duty::Verify,
        VerifyState::Finished { .. } | VerifyState::Cancelled { .. } => Duty::Nothing,
    }
}

/// What a verifier becomes when `event` happens at `now_ms`. Events that do not fit leave it as it is.
#[must_use]
pub(crate) fn apply(mut job: VerifyRecord, event: Event, now_ms: u64) -> VerifyRecord {
    match (job.progress.clone(), event) {
        (VerifyState::Pending { lost }, Event::SessionChosen { session, bytes_expected }) => {
            job.progress = VerifyState::Verifying { lost, session };
            (job.bytes_read, job.bytes_expected) = (0, bytes_expected);
        }
        (VerifyState::Verifying { .. }, Event::Read(bytes)) => job.bytes_read = bytes,
        (VerifyState::Verifying { lost, .. }, Event::Interrupted) => job.progress = VerifyState::Pending { lost },
        (VerifyState::Verifying { lost, session }, Event::SessionLost) => {
            if lost < SESSIONS_LOST_MAX {
                job.progress = VerifyState::Pending { lost: lost.saturating_add(1) };
            } else {
                let times = SESSIONS_LOST_MAX.saturating_add(1);
                let message = format!("its session was ended by somebody else, {times} times");
                let status = JobStatus { code: StatusCode::CommonError, message };
                end(&mut job, VerifyState::Cancelled { session }, status, now_ms);
            }
        }
        (VerifyState::Verifying { session, .. }, Event::Done(outcome)) => {
            end(&mut job, VerifyState::Finished { session, outcome }, JobStatus::ok(), now_ms);
        }
        (VerifyState::Pending { .. }, Event::End(status)) => {
            end(&mut job, VerifyState::Cancelled { session: None }, status, now_ms);
        }
        (VerifyState::Verifying { session, .. }, Event::End(status)) => {
            end(&mut job, VerifyState::Cancelled { session }, status, now_ms);
        }
        (VerifyState::Pending { .. }, Event::SessionLost | Event::Interrupted | Event::Read(_) | Event::Done(_))
        | (VerifyState::Verifying { .. }, Event::SessionChosen { .. })
        | (VerifyState::Finished { .. } | VerifyState::Cancelled { .. }, _) => {}
    }
    job
}

fn end(job: &mut VerifyRecord, to: VerifyState, status: JobStatus, now_ms: u64) {
    job.progress = to;
    job.status = status;
    job.finished_ms = Some(now_ms);
}

/// When its time is over: milliseconds since 1970.
pub(crate) fn deadline_ms(job: &VerifyRecord) -> u64 {
    job.created_ms.saturating_add(job.timeout_s.saturating_mul(1_000))
}

/// The event to apply when its time is over.
pub(crate) fn timed_out(job: &VerifyRecord, now_ms: u64) -> Option<Event> {
    if job.is_done() || now_ms < deadline_ms(job) {
        return None;
    }
    let message = format!("not finished within {} s, state: {}", job.timeout_s, job.progress.name());
    Some(Event::End(JobStatus { code: StatusCode::Timeout, message }))
}

/// The event of a user's CANCEL.
pub(crate) fn cancelled_by_user() -> Event {
    Event::End(JobStatus { code: StatusCode::CommonError, message: "user cancelled".to_owned() })
}
