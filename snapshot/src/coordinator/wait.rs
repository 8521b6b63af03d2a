//! Waiting for tasks.

use super::driver::message;
use crate::error::Result;
use crate::jobs::Shared;
use crate::journal::Mirror;
use crate::state::Event;
use catalog::keys;
use catalog::records::job::{JobEnding, JobRecord, JobStatus, TASK_MESSAGES_MAX, TaskMessage};
use catalog::records::task::{FailureClass, TaskKind, TaskRecord, TaskState};
use std::collections::BTreeMap;

/// How a job's tasks of one kind have ended.
pub(super) enum Ended {
    /// All are done; in the order of their numbers.
    Done(Vec<TaskRecord>),
    /// This is to be told to the job.
    Event(Event),
}

/// Waits until all tasks of a kind are done, or one has failed, or there is an error to be told that the job's record
/// does not show.
pub(super) async fn tasks(shared: &Shared, job: &JobRecord, kind: TaskKind) -> Result<Ended> {
    let prefix = format!("{}{kind}/", keys::tasks(job.id));
    let mut mirror = Mirror::<TaskRecord>::open(&shared.catalog, &prefix).await?;
    loop {
        if let Some(event) = failure(mirror.records()).or_else(|| untold(job, mirror.records())) {
            return Ok(Ended::Event(event));
        }
        if mirror.records().values().all(|task| task.status == TaskState::Done) {
            let mut tasks: Vec<TaskRecord> = mirror.records().values().cloned().collect();
            tasks.sort_by_key(|task| task.seq);
            return Ok(Ended::Done(tasks));
        }
        mirror.changed().await;
    }
}

/// What follows from failed tasks. One that can never succeed counts more than one that a new cut would help.
fn failure(tasks: &BTreeMap<String, TaskRecord>) -> Option<Event> {
    let mut gone = None;
    for task in tasks.values() {
        let TaskState::Failed { class, code, message } = &task.status else { continue };
        match class {
            FailureClass::VersionGone => gone = Some(Event::VersionGone { message: message.clone() }),
            FailureClass::Fatal => {
                let message = format!("task {}: {message}", task.name());
                let status = JobStatus { code: *code, message };
                return Some(Event::End(JobEnding { status, by_user: false, asked_ms: 0 }));
            }
        }
    }
    gone
}

/// Errors of tasks that are being tried again and are not on the job's record, as many as it has room for beside those
/// that it shows and that still stand.
fn untold(job: &JobRecord, tasks: &BTreeMap<String, TaskRecord>) -> Option<Event> {
    let standing = tasks.values().filter(|task| task.is_waiting());
    let standing = standing.filter_map(|task| Some(message(task.seq, task.error.clone()?)));
    let (told, mut new): (Vec<TaskMessage>, Vec<TaskMessage>) = standing.partition(|error| job.errors.contains(error));
    new.truncate(TASK_MESSAGES_MAX.saturating_sub(told.len()));
    (!new.is_empty()).then_some(Event::TaskErrors(new))
}
