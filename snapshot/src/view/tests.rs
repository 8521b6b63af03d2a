use super::*;
use catalog::records::job::{
    BackupState, Clean, Cut, JobLimits, JobStatus, JobTimes, Objects, RestoreSpec, RestoreState, StatusCode,
    TaskMessage,
};
use env::ids::{DatabaseId, JobId, RepositoryId};

fn job(work: JobWork) -> JobRecord {
    JobRecord {
        id: JobId(10_042),
        database: DatabaseId(1),
        database_name: "shop".into(),
        label: "nightly".into(),
        timestamp: "2026-01-01-00-00-00-000".into(),
        repository: RepositoryId(2),
        repository_name: "repo".into(),
        user: "root".into(),
        created_ms: 1_000,
        timeout_s: 86_400,
        limits: JobLimits::default(),
        ttl_ms: None,
        objects: Objects::All,
        objects_text: "[shop.t]".into(),
        times: JobTimes::default(),
        counts: JobCounts { bytes: 100, files: 10, ..JobCounts::default() },
        ending: None,
        errors: vec![TaskMessage { task: "3".into(), message: "no route to host".into() }],
        status: JobStatus::ok(),
        work,
    }
}

fn task(kind: TaskKind, seq: u32, status: TaskState) -> TaskView {
    let progress =
        TaskProgress { tablets_done: 2, tablets: 5, bytes_done: 30, files_done: 3, ..TaskProgress::default() };
    TaskView { kind, node: NodeId(7), seq, status, progress }
}

fn get(row: &Row, name: &str) -> Option<String> {
    row.iter().find(|(column, _)| *column == name).unwrap_or_else(|| panic!("no column {name}")).1.clone()
}

#[test]
fn a_running_backup_shows_its_unfinished_tasks_and_progress() {
    let progress =
        BackupState::Uploading { cut: Cut { revision: catalog::Revision(1), attempt: 0 }, session: String::new() };
    let tasks = vec![
        task(TaskKind::Pin, 0, TaskState::Done),
        task(TaskKind::Upload, 0, TaskState::Done),
        task(TaskKind::Upload, 1, TaskState::Waiting),
    ];
    let row = JobView { job: job(JobWork::Backup { progress }), tasks }.columns();
    assert_eq!(row.len(), 14);
    assert_eq!(get(&row, "JobId").as_deref(), Some("10042"));
    assert_eq!(get(&row, "State").as_deref(), Some("UPLOADING"));
    assert_eq!(get(&row, "UnfinishedTasks").as_deref(), Some("1=7"));
    assert_eq!(get(&row, "Progress").as_deref(), Some("[0: 2/5], [1: 2/5]"));
    assert_eq!(get(&row, "TaskErrMsg").as_deref(), Some("[3: no route to host]"));
    assert_eq!(get(&row, "Timeout").as_deref(), Some("86400"));
    assert_eq!(get(&row, "FinishedTime"), None, "a time that has not come is NULL");
}

#[test]
fn a_cancelled_restore_shows_code_and_message() {
    let spec = RestoreSpec {
        snapshot_database: "shop".into(),
        replication_num: Some(3),
        allow_load: true,
        creates_database: false,
        clean: Clean::default(),
    };
    let progress = RestoreState::Cancelled { plan: None, cleaned: false };
    let mut job = job(JobWork::Restore { spec, progress });
    job.status = JobStatus { code: StatusCode::Timeout, message: "too late".into() };
    let row = JobView { job, tasks: Vec::new() }.columns();
    assert_eq!(row.len(), 18);
    assert_eq!(get(&row, "Status").as_deref(), Some("[TIMEOUT, too late]"));
    assert_eq!(get(&row, "AllowLoad").as_deref(), Some("true"));
    assert_eq!(get(&row, "ReplicationNum").as_deref(), Some("3"));
    assert_eq!(get(&row, "UnfinishedTasks").as_deref(), Some(""));
}

#[test]
fn times_are_of_the_form_that_scripts_know() {
    let text = time_text(Some(1_767_225_600_123)).unwrap();
    assert_eq!(text.len(), "2026-01-01 00:00:00".len());
    assert!(text.starts_with("202"), "{text}");
    let stamp = timestamp_text(1_767_225_600_123);
    assert_eq!(stamp.len(), "2026-01-01-00-00-00-123".len());
    assert!(stamp.ends_with("-123"), "{stamp}");
    assert_eq!(time_text(None), None);
}

#[test]
fn progress_never_exceeds_its_total_and_is_whole_at_the_end() {
    let uploading =
        BackupState::Uploading { cut: Cut { revision: catalog::Revision(1), attempt: 0 }, session: String::new() };
    let mut record = job(JobWork::Backup { progress: uploading });
    let tasks: Vec<TaskProgress> = (0..5).map(|seq| task(TaskKind::Upload, seq, TaskState::Waiting).progress).collect();
    let progress = Progress::of(&record, &tasks);
    assert_eq!(
        (progress.bytes_done, progress.bytes_total, progress.files_done, progress.files_total),
        (100, 100, 10, 10)
    );
    assert_eq!(Progress::of(&record, &tasks[..2]).bytes_done, 60);
    record.times.transfer_finished_ms = Some(5);
    assert_eq!(Progress::of(&record, &[]).bytes_done, 100);
}
