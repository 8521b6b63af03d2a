//! The tables of `information_schema` about jobs: all that are on record, with how far they are.

use super::information_schema::{NO_TEXT, Table, Value, number, text};
use super::repositories::{optional_number, time, yes_no};
use crate::account::Access;
use crate::error::EngineError;
use catalog::records::job::JobWork;
use snapshot::{JobKind, JobRecord, Jobs, Progress};

/// Columns that both tables begin with.
const HEAD: [&str; 12] = [
    "job_id",
    "database_name",
    "label",
    "timestamp",
    "repository",
    "user",
    "state",
    "objects",
    "created",
    "snapshot_finished",
    "transfer_finished",
    "finished",
];

/// Columns that both tables end with.
const TAIL: [&str; 17] = [
    "tables",
    "partitions",
    "tablets",
    "files",
    "files_done",
    "bytes",
    "bytes_done",
    "bytes_per_second",
    "seconds_left",
    "timeout_seconds",
    "max_bytes_per_second",
    "max_requests_per_second",
    "errors",
    "status",
    "message",
    "ending",
    "cleaned",
];

/// One of the tables, with the jobs of databases that somebody may see; `None` when it is none of these.
///
/// # Errors
/// What the catalog says.
pub(super) async fn table(jobs: &Jobs, access: &Access, name: &str) -> Result<Option<Table>, EngineError> {
    let (kind, own): (_, &[&str]) = match name {
        "backup_jobs" => (JobKind::Backup, &["bytes_sent", "ttl_seconds"]),
        "restore_jobs" => (JobKind::Restore, &["meta_prepared", "snapshot_database", "replication_num", "allow_load"]),
        _ => return Ok(None),
    };
    let columns = [&HEAD, own, &TAIL].concat();
    let mut rows = Vec::new();
    for job in jobs.on_record(kind).await? {
        if !access.sees_database(&job.database_name) {
            continue;
        }
        // It may be gone by now.
        let progress = if job.is_done() { None } else { jobs.progress(job.id).await.ok() };
        rows.push(row(&job, progress.as_ref()));
    }
    Ok(Some((columns, rows)))
}

fn row(job: &JobRecord, progress: Option<&Progress>) -> Vec<Value> {
    let times = &job.times;
    let mut row = vec![
        number(job.id.0),
        text(&job.database_name),
        text(&job.label),
        text(&job.timestamp),
        text(&job.repository_name),
        text(&job.user),
        text(job.state_name()),
        text(&job.objects_text),
        time(Some(job.created_ms)),
        time(times.snapshot_finished_ms),
        time(times.transfer_finished_ms),
        time(times.finished_ms),
    ];
    match &job.work {
        JobWork::Backup { .. } => {
            row.push(number(job.counts.bytes_sent));
            row.push(optional_number(job.ttl_ms.map(|ms| ms / 1_000)));
        }
        JobWork::Restore { spec, .. } => {
            row.push(time(times.meta_prepared_ms));
            row.push(text(&spec.snapshot_database));
            row.push(optional_number(spec.replication_num.map(u64::from)));
            row.push(yes_no(spec.allow_load));
        }
    }
    let done = |all: u64, of: fn(&Progress) -> u64| match progress {
        Some(progress) => of(progress),
        None if times.transfer_finished_ms.is_some() => all,
        None => 0,
    };
    let (rate, left) = pace(job, progress);
    let errors: Vec<String> = job.errors.iter().map(|error| format!("[{}: {}]", error.task, error.message)).collect();
    row.extend([
        number(job.counts.tables),
        number(job.counts.partitions),
        number(job.counts.tablets),
        number(job.counts.files),
        number(done(job.counts.files, |progress| progress.files_done)),
        number(job.counts.bytes),
        number(done(job.counts.bytes, |progress| progress.bytes_done)),
        optional_number(rate),
        optional_number(left),
        number(job.timeout_s),
        optional_number(job.limits.max_bytes_per_second),
        optional_number(job.limits.max_requests_per_second),
        if errors.is_empty() { NO_TEXT } else { text(errors.join(", ")) },
        text(job.status.code.as_str()),
        if job.status.message.is_empty() { NO_TEXT } else { text(&job.status.message) },
        job.ending.as_ref().map_or(NO_TEXT, |ending| text(&ending.status.message)),
        yes_no(job.is_cleaned()),
    ]);
    row
}

/// Bytes per second, now or on the average of what has ended; and the seconds that are left at that rate.
fn pace(job: &JobRecord, progress: Option<&Progress>) -> (Option<u64>, Option<u64>) {
    if let Some(progress) = progress {
        let left = progress.bytes_total.saturating_sub(progress.bytes_done);
        return (Some(progress.rate), left.checked_div(progress.rate));
    }
    let from = job.times.snapshot_finished_ms;
    let took_ms = from.zip(job.times.transfer_finished_ms).map(|(from, to)| to.saturating_sub(from).max(1));
    (took_ms.map(|ms| job.counts.bytes.saturating_mul(1_000) / ms), None)
}
