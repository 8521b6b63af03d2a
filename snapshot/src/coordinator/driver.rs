//! One job's driver: the loop of duty, outcome and transition. It decides nothing.

use super::{backup, clean, restore};
use crate::error::{Error, ErrorKind, Result, explain};
use crate::jobs::Shared;
use crate::journal::{self, Mirror};
use crate::state::{self, Duty, Event};
use catalog::records::job::{JobEnding, JobRecord, JobStatus, TaskMessage};
use catalog::{Stored, keys};
use env::ids::JobId;
use env::rt::time::unix_millis;
use env::rt::{self, CancellationToken, Duration};
use futures::future::BoxFuture;
use std::sync::Arc;

/// What doing a duty led to.
pub(super) enum Outcome {
    /// This happened; it is to be applied and journaled.
    Happened(Event),
    /// The transition is journaled already, together with what belongs to it.
    Journaled,
}

impl From<Event> for Outcome {
    fn from(event: Event) -> Self {
        Self::Happened(event)
    }
}

/// Steps the job until nothing is left to do for it, or `stop`. A drop at any point leaves a job that another driver
/// goes on with.
pub(super) async fn drive(shared: Arc<Shared>, id: JobId, stop: CancellationToken) {
    let mut failed = 0;
    loop {
        let taken = env::select! {
            () = stop.cancelled() => return,
            taken = step(&shared, id, &mut failed) => taken,
        };
        match taken {
            Ok(Step::Ended) => return,
            Ok(Step::Moved) => {}
            Err(error) => {
                // Only the catalog fails here, or somebody else changed the job: look at it again.
                tracing::debug!(job = %id, error = %explain(&error), "a job's step is begun anew");
                failed += 1;
                env::select! {
                    () = stop.cancelled() => return,
                    () = rt::time::sleep(shared.options.pause_after(failed)) => {}
                }
            }
        }
    }
}

enum Step {
    Moved,
    Ended,
}

async fn step(shared: &Shared, id: JobId, failed: &mut u32) -> Result<Step> {
    let key = keys::job(id);
    let mut mirror = Mirror::<JobRecord>::open(&shared.catalog, &key).await?;
    let Some(stored) = journal::job(&shared.catalog, id).await? else { return Ok(Step::Ended) };
    let duty = state::duty(&stored);
    if duty == Duty::Nothing {
        return Ok(Step::Ended);
    }
    if let Some(event) = state::timed_out(&stored, unix_millis()) {
        journal::apply(&shared.catalog, &stored, event, unix_millis()).await?;
        return Ok(Step::Moved);
    }
    let mut attempts = 0;
    loop {
        let outcome = env::select! {
            () = changed(&mut mirror, &key, &stored) => return Ok(Step::Moved),
            () = time_over(&stored) => return Ok(Step::Moved),
            outcome = perform(shared, &stored, duty) => outcome,
            () = silence(shared, &stored, duty) => {
                let message = "the repository does not answer".to_owned();
                Ok(Event::NoAnswer { message }.into())
            }
        };
        let event = match outcome {
            Ok(Outcome::Journaled) => {
                *failed = 0;
                return Ok(Step::Moved);
            }
            Ok(Outcome::Happened(event)) => event,
            Err(error) => match judge(shared, &stored, duty, error, &mut attempts) {
                Judgement::Look(error) => return Err(error),
                Judgement::Again(pause) => {
                    env::select! {
                        () = changed(&mut mirror, &key, &stored) => return Ok(Step::Moved),
                        () = time_over(&stored) => return Ok(Step::Moved),
                        () = rt::time::sleep(pause) => continue,
                    }
                }
                Judgement::Happened(event) => event,
            },
        };
        journal::apply(&shared.catalog, &stored, event, unix_millis()).await?;
        *failed = 0;
        return Ok(Step::Moved);
    }
}

/// Waits until the job's record is another one than that which was read.
async fn changed(mirror: &mut Mirror<JobRecord>, key: &str, stored: &Stored<JobRecord>) {
    while mirror.records().get(key) == Some(&stored.record) {
        mirror.changed().await;
    }
}

/// Waits until the job's time is over; for ever when that would change nothing.
async fn time_over(job: &JobRecord) {
    loop {
        let now_ms = unix_millis();
        if state::timed_out(job, now_ms).is_some() {
            return;
        }
        let left = state::deadline_ms(job).saturating_sub(now_ms);
        if left == 0 {
            return std::future::pending().await;
        }
        // The wall clock may be set; look at it again now and then.
        rt::time::sleep(Duration::from_millis(left.min(60_000))).await;
    }
}

/// Waits until a repository that does not answer has had its time to say what became of a job that must end; for ever
/// when that is not what the job waits for.
async fn silence(shared: &Shared, job: &JobRecord, duty: Duty) {
    match &job.ending {
        Some(ending) if duty == Duty::AbortSession => {
            rt::time::sleep(shared.options.repository_patience_from(ending.asked_ms)).await;
        }
        Some(_) | None => std::future::pending().await,
    }
}

async fn perform(shared: &Shared, job: &Stored<JobRecord>, duty: Duty) -> Result<Outcome> {
    let abort = if duty == Duty::AbortSession { ".abort" } else { "" };
    let point = format!("{}.{}{abort}", job.kind(), job.state_name().to_lowercase());
    tracing::debug!(job = %job.id, state = job.state_name(), ?duty, "a job's duty begins");
    shared.options.pause.at(point.clone()).await;
    // Boxed: the largest of them would make every driver as large.
    let duty: BoxFuture<'_, Result<Outcome>> = match duty {
        Duty::TakeCut => Box::pin(backup::take_cut(shared, job)),
        Duty::AwaitPins => Box::pin(backup::await_pins(shared, job)),
        Duty::OpenSession => Box::pin(backup::open_session(shared, job)),
        Duty::AwaitUploads => Box::pin(backup::await_uploads(shared, job)),
        Duty::SaveMeta => Box::pin(backup::save_meta(shared, job)),
        Duty::Commit => Box::pin(backup::commit(shared, job)),
        Duty::AbortSession => Box::pin(backup::abort_session(shared, job)),
        Duty::Plan => Box::pin(restore::plan(shared, job)),
        Duty::Register => Box::pin(restore::register(shared, job)),
        Duty::AwaitStages => Box::pin(restore::await_stages(shared, job)),
        Duty::WriteDownloads => Box::pin(restore::write_downloads(shared, job)),
        Duty::AwaitDownloads => Box::pin(restore::await_downloads(shared, job)),
        Duty::Switch => return restore::switch(shared, job, point + ".done").await,
        Duty::Settle => Box::pin(restore::settle(shared, job)),
        Duty::Clean => Box::pin(clean::clean(shared, job)),
        Duty::Nothing => return Ok(Outcome::Journaled),
    };
    let outcome = duty.await?;
    if matches!(outcome, Outcome::Happened(ref event) if !matches!(event, Event::TaskErrors(_))) {
        shared.options.pause.at(point + ".done").await;
    }
    Ok(outcome)
}

enum Judgement {
    /// Something that was read has changed: begin from the record.
    Look(Error),
    /// It may pass.
    Again(Duration),
    /// It ends the job, or is worth noting.
    Happened(Event),
}

/// What a failed duty means. Once the outcome is fixed, and while it lies with the repository, nothing but time or a user
/// ends the attempts.
fn judge(shared: &Shared, job: &JobRecord, duty: Duty, error: Error, attempts: &mut u32) -> Judgement {
    if let Error::Catalog(failed) = &error
        && failed.kind() == catalog::ErrorKind::Conflict
    {
        return Judgement::Look(error);
    }
    let message = explain(&error);
    let must_go_on = matches!(duty, Duty::AbortSession | Duty::Settle | Duty::Clean);
    let patient = must_go_on || duty == Duty::Commit || error.kind() == ErrorKind::Indeterminate;
    let pause = shared.options.pause_after(*attempts);
    *attempts += 1;
    tracing::warn!(job = %job.id, ?duty, attempts, error = message, "a job's duty failed");
    if duty == Duty::AbortSession && out_of_patience(shared, job) {
        return Judgement::Happened(Event::NoAnswer { message });
    }
    if must_go_on || (error.is_transient() && (patient || *attempts <= shared.options.retries)) {
        return Judgement::Again(pause);
    }
    let status = JobStatus { code: error.status_code(), message };
    Judgement::Happened(Event::End(JobEnding { status, by_user: false, asked_ms: 0 }))
}

/// Whether the repository has had its time to say what became of a job that must end.
fn out_of_patience(shared: &Shared, job: &JobRecord) -> bool {
    job.ending.as_ref().is_some_and(|ending| shared.options.repository_patience_left(ending.asked_ms).is_zero())
}

/// A message of a task for the job's record.
pub(super) fn message(task: u32, message: String) -> TaskMessage {
    TaskMessage { task: task.to_string(), message }
}
