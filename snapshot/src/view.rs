//! What SHOW BACKUP, SHOW RESTORE and SHOW SNAPSHOT show: columns and texts as StarRocks has them.

use crate::error::{Result, explain};
use catalog::records::job::{JobCounts, JobKind, JobRecord, JobWork};
use catalog::records::task::{TaskKind, TaskProgress, TaskState};
use catalog::records::{VerifyRecord, VerifyState};
use env::ids::NodeId;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use repository::{Repository, SnapshotSummary, Usage};
use serde::Serialize;
use serde_json::{Map, Value, json};

#[cfg(test)]
mod tests;

/// One row: columns with their values; `None` is NULL.
pub type Row = Vec<(&'static str, Option<String>)>;

/// A time for people, `yyyy-MM-dd HH:mm:ss` in the system's zone; NULL for a time that has not come.
pub fn time_text(unix_ms: Option<u64>) -> Option<String> {
    format_time(unix_ms?, "%Y-%m-%d %H:%M:%S")
}

/// The time stamp of a snapshot, `yyyy-MM-dd-HH-mm-ss-SSS` in the system's zone.
pub fn timestamp_text(unix_ms: u64) -> String {
    let seconds = format_time(unix_ms, "%Y-%m-%d-%H-%M-%S").unwrap_or_default();
    format!("{seconds}-{:03}", unix_ms % 1_000)
}

fn format_time(unix_ms: u64, form: &str) -> Option<String> {
    let time = Timestamp::from_millisecond(i64::try_from(unix_ms).ok()?).ok()?;
    Some(time.to_zoned(TimeZone::system()).strftime(form).to_string())
}

/// What a job's view says about one of its tasks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TaskView {
    /// What for.
    pub kind: TaskKind,
    /// Who does it.
    pub node: NodeId,
    /// Its number.
    pub seq: u32,
    /// Where it stands.
    pub status: TaskState,
    /// How far it is.
    pub progress: TaskProgress,
}

/// The columns of SHOW BACKUP.
pub const BACKUP_COLUMNS: [&str; 14] = [
    "JobId",
    "SnapshotName",
    "DbName",
    "State",
    "BackupObjs",
    "CreateTime",
    "SnapshotFinishedTime",
    "UploadFinishedTime",
    "FinishedTime",
    "UnfinishedTasks",
    "Progress",
    "TaskErrMsg",
    "Status",
    "Timeout",
];

/// The columns of SHOW RESTORE.
pub const RESTORE_COLUMNS: [&str; 18] = [
    "JobId",
    "Label",
    "Timestamp",
    "DbName",
    "State",
    "AllowLoad",
    "ReplicationNum",
    "RestoreObjs",
    "CreateTime",
    "MetaPreparedTime",
    "SnapshotFinishedTime",
    "DownloadFinishedTime",
    "FinishedTime",
    "UnfinishedTasks",
    "Progress",
    "TaskErrMsg",
    "Status",
    "Timeout",
];

/// A job as it is shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobView {
    /// The job.
    pub job: JobRecord,
    /// Its tasks on nodes, while there are some.
    pub tasks: Vec<TaskView>,
}

impl JobView {
    /// The row of SHOW BACKUP (14 columns) or SHOW RESTORE (18 columns).
    pub fn columns(&self) -> Row {
        let job = &self.job;
        let text = |text: &str| Some(text.to_owned());
        let times = &job.times;
        let messages = job.errors.iter().map(|error| format!("[{}: {}]", error.task, error.message));
        let id = Some(job.id.to_string());
        let ending = [
            time_text(times.finished_ms),
            Some(self.unfinished()),
            Some(self.progress()),
            Some(messages.collect::<Vec<_>>().join(", ")),
            Some(job.status.to_string()),
            Some(job.timeout_s.to_string()),
        ];
        match &job.work {
            JobWork::Backup { .. } => {
                let values = [
                    id,
                    text(&job.label),
                    text(&job.database_name),
                    text(job.state_name()),
                    text(&job.objects_text),
                    time_text(Some(job.created_ms)),
                    time_text(times.snapshot_finished_ms),
                    time_text(times.transfer_finished_ms),
                ];
                BACKUP_COLUMNS.into_iter().zip(values.into_iter().chain(ending)).collect()
            }
            JobWork::Restore { spec, .. } => {
                let values = [
                    id,
                    text(&job.label),
                    text(&job.timestamp),
                    text(&job.database_name),
                    text(job.state_name()),
                    Some(spec.allow_load.to_string()),
                    spec.replication_num.map(|number| number.to_string()),
                    text(&job.objects_text),
                    time_text(Some(job.created_ms)),
                    time_text(times.meta_prepared_ms),
                    time_text(times.snapshot_finished_ms),
                    time_text(times.transfer_finished_ms),
                ];
                RESTORE_COLUMNS.into_iter().zip(values.into_iter().chain(ending)).collect()
            }
        }
    }

    /// The tasks of the state that the job is in.
    fn current(&self) -> impl Iterator<Item = &TaskView> {
        let kind = match self.job.state_name() {
            "SNAPSHOTING" => Some(match self.job.kind() {
                JobKind::Backup => TaskKind::Pin,
                JobKind::Restore => TaskKind::Stage,
            }),
            "UPLOADING" => Some(TaskKind::Upload),
            "DOWNLOADING" => Some(TaskKind::Download),
            "COMMITTING" => Some(TaskKind::Keep),
            _ => None,
        };
        self.tasks.iter().filter(move |task| Some(task.kind) == kind)
    }

    fn unfinished(&self) -> String {
        let waiting = self.current().filter(|task| task.status != TaskState::Done);
        waiting.map(|task| format!("{}={}", task.seq, task.node)).collect::<Vec<_>>().join(", ")
    }

    fn progress(&self) -> String {
        let moving = self.current().filter(|task| matches!(task.kind, TaskKind::Upload | TaskKind::Download));
        moving
            .map(|task| format!("[{}: {}/{}]", task.seq, task.progress.tablets_done, task.progress.tablets))
            .collect::<Vec<_>>()
            .join(", ")
    }
}

/// The columns of SHOW VERIFY.
pub const VERIFY_COLUMNS: [&str; 12] = [
    "JobId",
    "Repository",
    "Snapshot",
    "Level",
    "State",
    "CreateTime",
    "FinishedTime",
    "Progress",
    "BytesRead",
    "Findings",
    "Verdict",
    "Message",
];

/// The row of SHOW VERIFY (12 columns).
pub fn verifier(job: &VerifyRecord) -> Row {
    let outcome = job.outcome();
    let progress = match &job.progress {
        VerifyState::Pending { .. } => None,
        VerifyState::Finished { .. } => Some(100),
        // What is to be read is known about, no better.
        VerifyState::Verifying { .. } | VerifyState::Cancelled { .. } => {
            job.bytes_read.saturating_mul(100).checked_div(job.bytes_expected).map(|percent| percent.min(99))
        }
    };
    let message = match outcome {
        Some(outcome) if !outcome.damaged.is_empty() => {
            let labels = outcome.damaged.join(", ");
            format!("not sound: {labels}; information_schema.verify_findings tells what was found, and what to do")
        }
        Some(outcome) if !outcome.kinds.is_empty() => {
            "information_schema.verify_findings tells what was found, and what to do".to_owned()
        }
        Some(_) => String::new(),
        None => job.status.message.clone(),
    };
    let values = [
        Some(job.id.to_string()),
        Some(job.repository_name.clone()),
        job.label.clone(),
        Some(job.level.clone()),
        Some(job.progress.name().to_owned()),
        time_text(Some(job.created_ms)),
        time_text(job.finished_ms),
        progress.map(|percent| format!("{percent}%")),
        Some(job.bytes_read.to_string()),
        outcome.map(|outcome| outcome.kinds.values().sum::<u64>().to_string()),
        outcome.map(|outcome| outcome.verdict.clone()),
        Some(message),
    ];
    VERIFY_COLUMNS.into_iter().zip(values).collect()
}

/// How far a job is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Progress {
    /// The state's name.
    pub phase: &'static str,
    /// Whether it has ended.
    pub done: bool,
    /// Bytes dealt with in this phase: sent, found in the repository, fetched.
    pub bytes_done: u64,
    /// Bytes in all; 0 while not known.
    pub bytes_total: u64,
    /// Files dealt with in this phase.
    pub files_done: u64,
    /// Files in all; 0 while not known.
    pub files_total: u64,
    /// Bytes per second, over the last seconds.
    pub rate: u64,
}

impl Progress {
    pub(crate) fn of(job: &JobRecord, tasks: &[TaskProgress]) -> Self {
        let JobCounts { bytes, files, .. } = job.counts;
        let moved = job.times.transfer_finished_ms.is_some();
        let (mut bytes_done, mut files_done) = (0, 0);
        for task in tasks {
            bytes_done += task.bytes_done;
            files_done += task.files_done;
        }
        Self {
            phase: job.state_name(),
            done: job.is_done(),
            bytes_done: if moved { bytes } else { bytes_done.min(bytes) },
            bytes_total: bytes,
            files_done: if moved { files } else { files_done.min(files) },
            files_total: files,
            rate: 0,
        }
    }
}

/// SHOW SNAPSHOT without a time stamp: one row of 3 columns per label, with all its time stamps. `labels` are those asked
/// for, all when absent; one that the repository does not have gets a row that says so.
pub fn brief_snapshots(snapshots: &[SnapshotSummary], labels: Option<&[String]>) -> Vec<Row> {
    let row = |label: &str, stamps: Option<String>, status: String| {
        vec![("Snapshot", Some(label.to_owned())), ("Timestamp", stamps), ("Status", Some(status))]
    };
    let stamps = |label: &str| {
        let of_label = snapshots.iter().filter(|snapshot| snapshot.label == label);
        of_label.map(|snapshot| snapshot.timestamp.as_str()).collect::<Vec<_>>()
    };
    let mut wanted: Vec<&str> = match labels {
        Some(labels) => labels.iter().map(String::as_str).collect(),
        None => snapshots.iter().map(|snapshot| snapshot.label.as_str()).collect(),
    };
    wanted.sort_unstable();
    wanted.dedup();
    let rows = wanted.into_iter().map(|label| match stamps(label).as_slice() {
        [] => row(label, None, "ERROR: no snapshot".to_owned()),
        stamps => row(label, Some(stamps.join("\n")), "OK".to_owned()),
    });
    rows.collect()
}

/// SHOW SNAPSHOT with label and time stamp: one row of 5 columns. `usage` tells what the snapshots cost, if that is known.
/// What cannot be read is told in the column Status.
pub async fn detailed_snapshot(repository: &Repository, label: &str, timestamp: &str, usage: Option<&Usage>) -> Row {
    let (database, details, status) = match details(repository, label, timestamp, usage).await {
        Ok(Some((database, details))) => (Some(database), Some(details), "OK".to_owned()),
        Ok(None) => (None, None, format!("ERROR: no snapshot {label} of {timestamp}")),
        Err(failed) => (None, None, format!("ERROR: failed to get info of snapshot {label}: {}", explain(&failed))),
    };
    vec![
        ("Snapshot", Some(label.to_owned())),
        ("Timestamp", Some(timestamp.to_owned())),
        ("Database", database),
        ("Details", details),
        ("Status", Some(status)),
    ]
}

async fn details(
    repository: &Repository,
    label: &str,
    timestamp: &str,
    usage: Option<&Usage>,
) -> Result<Option<(String, String)>> {
    let Some(summary) = repository.snapshot(label, Some(timestamp)).await? else { return Ok(None) };
    let reader = repository.reader(&summary).await?;
    let mut objects = Map::new();
    for table in &reader.root().tables {
        let manifest = reader.table(table).await?;
        let names: Vec<&str> = manifest.partitions.iter().map(|partition| partition.name.as_str()).collect();
        objects.insert(table.name.clone(), json!({ "partitions": names }));
    }
    let cost = usage.and_then(|usage| usage.snapshots.iter().find(|row| row.label == label));
    let brief = json!({
        "stored_bytes": cost.map(|cost| cost.stored_bytes),
        "unique_bytes": cost.map(|cost| cost.unique_bytes),
        "shared_bytes": cost.map(|cost| cost.shared_bytes),
        "freed_if_dropped": usage.map(|usage| usage.freed_by(&[label])),
        "name": summary.label,
        "database": summary.database,
        "backup_time": summary.created_ms,
        "meta_version": repository::FORMAT,
        "backup_result": "succeed",
        "tablets": summary.tablets,
        "files": summary.files,
        "bytes": summary.bytes,
        "bytes_sent": summary.bytes_sent,
        "cluster": summary.cluster,
        "expire_time": summary.expires_ms,
        "held": summary.hold.as_ref().map(|hold| &hold.reason),
        "backup_objects": objects,
    });
    Ok(Some((summary.database.clone(), indented(&brief))))
}

/// JSON, indented by one space.
fn indented(value: &Value) -> String {
    let mut text = Vec::new();
    let form = serde_json::ser::PrettyFormatter::with_indent(b" ");
    // Writing a value to memory cannot fail; if it did, one line is as good.
    match value.serialize(&mut serde_json::Serializer::with_formatter(&mut text, form)) {
        Ok(()) => String::from_utf8_lossy(&text).into_owned(),
        Err(_unexpected) => value.to_string(),
    }
}
