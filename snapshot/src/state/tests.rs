use super::*;
use catalog::Revision;
use catalog::records::job::{Clean, JobKind, JobLimits, JobTimes, Objects, RestoreSpec};
use env::ids::{DatabaseId, JobId, RepositoryId};
use proptest::prelude::*;

fn cut(attempt: u32) -> Cut {
    Cut { revision: Revision(5), attempt }
}

fn plan() -> PlanRecord {
    PlanRecord { revision: Revision(5), first_id: 100, ids: 7, session: Some("0.aa".to_owned()) }
}

fn root() -> PageRecord {
    PageRecord { name: "pages/x".into(), len_bytes: 1, hash: "h".into(), kind: "snapshot".into(), format: 1 }
}

fn job(work: JobWork) -> JobRecord {
    JobRecord {
        id: JobId(7),
        database: DatabaseId(1),
        database_name: "shop".into(),
        label: "nightly".into(),
        timestamp: "2026-01-01-00-00-00-000".into(),
        repository: RepositoryId(2),
        repository_name: "repo".into(),
        user: "root".into(),
        created_ms: 1_000,
        timeout_s: 600,
        limits: JobLimits::default(),
        ttl_ms: None,
        objects: Objects::All,
        objects_text: String::new(),
        times: JobTimes::default(),
        counts: JobCounts::default(),
        ending: None,
        errors: Vec::new(),
        status: JobStatus::ok(),
        work,
    }
}

fn backup(progress: BackupState) -> JobRecord {
    job(JobWork::Backup { progress })
}

fn restore(progress: RestoreState) -> JobRecord {
    let spec = RestoreSpec {
        snapshot_database: "shop".into(),
        replication_num: None,
        allow_load: false,
        creates_database: false,
        clean: Clean::default(),
    };
    job(JobWork::Restore { spec, progress })
}

fn backup_states() -> Vec<BackupState> {
    let session = || "0.aa".to_owned();
    vec![
        BackupState::Pending { attempt: 0 },
        BackupState::Snapshoting { cut: cut(0) },
        BackupState::UploadSnapshot { cut: cut(0), session: session() },
        BackupState::Uploading { cut: cut(0), session: session() },
        BackupState::SaveMeta { cut: cut(0), session: session() },
        BackupState::UploadInfo { cut: cut(0), session: session(), root: root(), saved_ms: 9 },
        BackupState::Finished { cut: cut(0), session: session(), cleaned: false },
        BackupState::Finished { cut: cut(0), session: session(), cleaned: true },
        BackupState::Cancelled { session: None, cleaned: false },
        BackupState::Cancelled { session: None, cleaned: true },
        BackupState::Cancelled { session: Some(session()), cleaned: false },
        BackupState::Cancelled { session: Some(session()), cleaned: true },
        BackupState::Pending { attempt: 1 },
    ]
}

fn restore_states() -> Vec<RestoreState> {
    vec![
        RestoreState::Pending { plan: None },
        RestoreState::Pending { plan: Some(plan()) },
        RestoreState::Snapshoting { plan: plan() },
        RestoreState::Download { plan: plan() },
        RestoreState::Downloading { plan: plan() },
        RestoreState::Commit { plan: plan() },
        RestoreState::Committing { plan: plan() },
        RestoreState::Finished { plan: plan(), cleaned: false },
        RestoreState::Finished { plan: plan(), cleaned: true },
        RestoreState::Cancelled { plan: None, cleaned: false },
        RestoreState::Cancelled { plan: None, cleaned: true },
        RestoreState::Cancelled { plan: Some(plan()), cleaned: false },
        RestoreState::Cancelled { plan: Some(plan()), cleaned: true },
    ]
}

fn ending() -> JobEnding {
    JobEnding {
        status: JobStatus { code: StatusCode::CommonError, message: "enough".into() },
        by_user: true,
        asked_ms: 0,
    }
}

fn events() -> Vec<Event> {
    vec![
        Event::CutTaken { cut: cut(0), counts: JobCounts::default(), objects_text: "t".into() },
        Event::CutTaken { cut: cut(1), counts: JobCounts::default(), objects_text: "t".into() },
        Event::VersionGone { message: "gone".into() },
        Event::Pinned { session: "0.aa".into(), files: 1, bytes: 2 },
        Event::SessionOpened,
        Event::Uploaded { files: 3, bytes: 31, bytes_sent: 2 },
        Event::MetaSaved { root: root() },
        Event::Committed,
        Event::SessionAborted,
        Event::NoAnswer { message: "silence".into() },
        Event::Planned { plan: plan(), counts: JobCounts::default(), objects_text: "t".into() },
        Event::Registered,
        Event::Staged,
        Event::DownloadsWritten,
        Event::Downloaded,
        Event::Switched,
        Event::Settled,
        Event::End(ending()),
        Event::TaskErrors(vec![TaskMessage { task: "1".into(), message: "oops".into() }]),
        Event::Cleaned,
    ]
}

fn all_jobs() -> Vec<JobRecord> {
    let mut jobs: Vec<JobRecord> = backup_states().into_iter().map(backup).collect();
    let mut ending_job =
        backup(BackupState::UploadInfo { cut: cut(0), session: "0.aa".into(), root: root(), saved_ms: 9 });
    ending_job.ending = Some(ending());
    jobs.push(ending_job);
    jobs.extend(restore_states().into_iter().map(restore));
    jobs
}

/// Names of the states that may follow, as the diagrams have them.
fn drawn(kind: JobKind, from: &str) -> &'static [&'static str] {
    match (kind, from) {
        (JobKind::Backup, "PENDING") => &["SNAPSHOTING", "CANCELLED"],
        (JobKind::Backup, "SNAPSHOTING") => &["PENDING", "UPLOAD_SNAPSHOT", "CANCELLED"],
        (JobKind::Backup, "UPLOAD_SNAPSHOT") => &["UPLOADING", "CANCELLED"],
        (JobKind::Backup, "UPLOADING") => &["SAVE_META", "CANCELLED"],
        (JobKind::Backup, "SAVE_META") => &["UPLOAD_INFO", "CANCELLED"],
        (JobKind::Backup, "UPLOAD_INFO") => &["FINISHED", "CANCELLED"],
        (JobKind::Restore, "PENDING") => &["PENDING", "SNAPSHOTING", "CANCELLED"],
        (JobKind::Restore, "SNAPSHOTING") => &["DOWNLOAD", "CANCELLED"],
        (JobKind::Restore, "DOWNLOAD") => &["DOWNLOADING", "CANCELLED"],
        (JobKind::Restore, "DOWNLOADING") => &["COMMIT", "CANCELLED"],
        (JobKind::Restore, "COMMIT") => &["COMMITTING", "CANCELLED"],
        (JobKind::Restore, "COMMITTING") | (_, "FINISHED") => &["FINISHED"],
        (_, "CANCELLED") => &["CANCELLED"],
        _ => &[],
    }
}

#[test]
fn no_pair_of_backup_states_is_legal_that_is_not_drawn() {
    for from in backup_states() {
        for to in backup_states() {
            let is_drawn = drawn(JobKind::Backup, from.name()).contains(&to.name());
            assert!(!is_legal_backup(&from, &to) || is_drawn, "{from:?} -> {to:?}");
        }
        for name in drawn(JobKind::Backup, from.name()) {
            let terminal = matches!(
                from,
                BackupState::Finished { cleaned: true, .. } | BackupState::Cancelled { cleaned: true, .. }
            );
            let reached = backup_states().iter().any(|to| to.name() == *name && is_legal_backup(&from, to));
            // The list of states has no cut of attempt 1.
            let other_attempt = from == BackupState::Pending { attempt: 1 } && *name == "SNAPSHOTING";
            assert!(reached || terminal || other_attempt, "{from:?} -> {name} is drawn and never legal");
        }
    }
}

#[test]
fn no_pair_of_restore_states_is_legal_that_is_not_drawn() {
    for from in restore_states() {
        for to in restore_states() {
            let is_drawn = drawn(JobKind::Restore, from.name()).contains(&to.name());
            assert!(!is_legal_restore(&from, &to) || is_drawn, "{from:?} -> {to:?}");
        }
        for name in drawn(JobKind::Restore, from.name()) {
            let terminal = matches!(
                from,
                RestoreState::Finished { cleaned: true, .. } | RestoreState::Cancelled { cleaned: true, .. }
            );
            let planned_twice = from == RestoreState::Pending { plan: Some(plan()) } && *name == "PENDING";
            let unplanned = from == RestoreState::Pending { plan: None } && *name == "SNAPSHOTING";
            let reached = restore_states().iter().any(|to| to.name() == *name && is_legal_restore(&from, to));
            assert!(reached || terminal || planned_twice || unplanned, "{from:?} -> {name} is drawn and never legal");
        }
    }
}

fn is_legal(from: &JobRecord, to: &JobRecord) -> bool {
    match (&from.work, &to.work) {
        (JobWork::Backup { progress: a }, JobWork::Backup { progress: b }) => a == b || is_legal_backup(a, b),
        (JobWork::Restore { progress: a, .. }, JobWork::Restore { progress: b, .. }) => {
            a == b || is_legal_restore(a, b)
        }
        _ => false,
    }
}

#[test]
fn every_event_in_every_state_makes_a_legal_step_or_none() {
    for job in all_jobs() {
        for event in events() {
            let next = apply(job.clone(), event.clone(), 2_000);
            assert!(is_legal(&job, &next), "{} + {event:?} -> {}", job.state_name(), next.state_name());
            assert_eq!((next.id, &next.label, next.created_ms), (job.id, &job.label, job.created_ms));
            if job.is_done() {
                assert_eq!(next.state_name(), job.state_name(), "TERMINAL ABSORBS");
                assert_eq!((&next.status, &next.times, &next.errors), (&job.status, &job.times, &job.errors));
                if event != Event::Cleaned {
                    assert_eq!(next, job, "TERMINAL ABSORBS");
                }
            }
        }
    }
}

#[test]
fn duty_is_nothing_only_for_cleaned_jobs() {
    for job in all_jobs() {
        assert_eq!(duty(&job) == Duty::Nothing, job.is_cleaned(), "{:?}", job.work);
        assert_eq!(duty(&job) == Duty::Clean, job.is_done() && !job.is_cleaned(), "{:?}", job.work);
    }
}

#[test]
fn cancel_is_legal_before_the_commit_and_the_switch_and_ends_the_job_at_once() {
    for job in all_jobs() {
        let next = apply(job.clone(), cancelled_by_user(&job), 2_000);
        match (job.kind(), job.state_name()) {
            (_, "FINISHED" | "CANCELLED") => {
                assert!(cancel_refused(&job).is_some());
                assert_eq!(next, job);
            }
            (JobKind::Restore, "COMMITTING") => {
                assert!(cancel_refused(&job).is_some_and(|reason| reason.contains("live already")), "SWITCH DECIDES");
                assert_eq!(next, job, "SWITCH DECIDES");
            }
            (JobKind::Backup, "UPLOAD_INFO") => {
                assert_eq!(cancel_refused(&job), None);
                assert_eq!(next.state_name(), "UPLOAD_INFO", "COMMIT DECIDES");
                assert_eq!(duty(&next), Duty::AbortSession);
            }
            (kind, state) => {
                assert_eq!(cancel_refused(&job), None);
                assert_eq!(next.state_name(), "CANCELLED");
                let told = if kind == JobKind::Backup {
                    "user cancelled".to_owned()
                } else {
                    format!("user cancelled, state: {state}")
                };
                assert_eq!(next.status, JobStatus { code: StatusCode::CommonError, message: told });
                assert_eq!(next.times.finished_ms, Some(2_000));
            }
        }
    }
}

#[test]
fn in_upload_info_the_repository_decides_between_cancel_and_commit() {
    let asked = backup(BackupState::UploadInfo { cut: cut(0), session: "0.aa".into(), root: root(), saved_ms: 9 });
    let early = apply(asked.clone(), Event::SessionAborted, 3_000);
    assert_eq!(early, asked, "nobody asked for an end");
    let asked = apply(asked, Event::End(ending()), 2_000);
    let committed = apply(asked.clone(), Event::Committed, 3_000);
    assert_eq!((committed.state_name(), &committed.status, &committed.ending), ("FINISHED", &JobStatus::ok(), &None));
    let aborted = apply(asked, Event::SessionAborted, 3_000);
    assert_eq!((aborted.state_name(), aborted.status.message.as_str()), ("CANCELLED", "enough"));
}

#[test]
fn a_repository_that_never_answers_does_not_hold_an_ending_job_for_ever() {
    let waiting = backup(BackupState::UploadInfo { cut: cut(0), session: "0.aa".into(), root: root(), saved_ms: 9 });
    let silence = || Event::NoAnswer { message: "no route".into() };
    assert_eq!(apply(waiting.clone(), silence(), 3_000), waiting, "nobody asked for an end");
    let asked = apply(waiting, Event::End(ending()), 2_000);
    assert_eq!(asked.ending.as_ref().map(|ending| ending.asked_ms), Some(2_000));
    let ended = apply(asked, silence(), 3_000);
    assert_eq!(ended.state_name(), "CANCELLED");
    let told = "enough; whether its snapshot was committed first is not known, SHOW SNAPSHOT will tell: no route";
    assert_eq!(ended.status.message, told);
}

#[test]
fn a_new_cut_is_taken_three_times_and_then_the_job_ends_with_the_reason() {
    let mut job = backup(BackupState::Pending { attempt: 0 });
    for attempt in 0..=NEW_CUTS_MAX {
        assert_eq!(job.work, JobWork::Backup { progress: BackupState::Pending { attempt } });
        let taken = Event::CutTaken { cut: cut(attempt), counts: JobCounts::default(), objects_text: String::new() };
        job = apply(job, taken, 2_000);
        job = apply(job, Event::VersionGone { message: "version 3 of tablet 9 is gone".into() }, 2_000);
    }
    assert_eq!(job.state_name(), "CANCELLED");
    assert!(job.status.message.contains("4 times: version 3 of tablet 9 is gone"), "{}", job.status);
}

#[test]
fn a_cut_of_an_attempt_that_was_given_up_is_ignored() {
    let job = backup(BackupState::Pending { attempt: 1 });
    let late = Event::CutTaken { cut: cut(0), counts: JobCounts::default(), objects_text: String::new() };
    assert_eq!(apply(job.clone(), late, 2_000), job);
}

#[test]
fn the_timeout_counts_from_submission_over_all_states_but_not_after_the_switch() {
    for job in all_jobs() {
        assert_eq!(deadline_ms(&job), 601_000);
        assert_eq!(timed_out(&job, 600_999), None);
        let expected = !job.is_done() && job.state_name() != "COMMITTING" && job.ending.is_none();
        match timed_out(&job, 601_000) {
            Some(event) => {
                assert!(expected, "{:?}", job.work);
                let ended = apply(job.clone(), event, 601_000);
                let status = ended.ending.map_or(ended.status, |ending| ending.status);
                assert_eq!(status.code, StatusCode::Timeout);
                assert!(status.message.contains("600 s") && status.message.contains(job.state_name()), "{status}");
            }
            None => assert!(!expected, "{:?}", job.work),
        }
    }
}

#[test]
fn only_the_last_three_task_errors_are_kept() {
    let mut job = backup(BackupState::Snapshoting { cut: cut(0) });
    for number in 0..5 {
        job = apply(job, Event::TaskErrors(vec![TaskMessage { task: "0".into(), message: number.to_string() }]), 1);
    }
    let kept: Vec<&str> = job.errors.iter().map(|error| error.message.as_str()).collect();
    assert_eq!(kept, ["2", "3", "4"]);
}

#[test]
fn milestones_are_noted_in_order() {
    let mut job = backup(BackupState::Pending { attempt: 0 });
    let way = [
        Event::CutTaken {
            cut: cut(0),
            counts: JobCounts { tables: 2, tablets: 8, ..JobCounts::default() },
            objects_text: "[shop.t]".into(),
        },
        Event::Pinned { session: "0.aa".into(), files: 3, bytes: 30 },
        Event::SessionOpened,
        Event::Uploaded { files: 3, bytes: 31, bytes_sent: 20 },
        Event::MetaSaved { root: root() },
        Event::Committed,
        Event::Cleaned,
    ];
    for (now_ms, event) in (2_000..).step_by(1_000).zip(way) {
        job = apply(job, event, now_ms);
    }
    assert_eq!(job.state_name(), "FINISHED");
    assert!(job.is_cleaned());
    let times = JobTimes {
        meta_prepared_ms: None,
        snapshot_finished_ms: Some(3_000),
        transfer_finished_ms: Some(5_000),
        finished_ms: Some(7_000),
    };
    assert_eq!(job.times, times);
    assert_eq!(job.counts, JobCounts { tables: 2, partitions: 0, tablets: 8, files: 3, bytes: 31, bytes_sent: 20 });
}

/// What a driver that does its duty would report, when all goes well.
fn success(duty: Duty, job: &JobRecord) -> Event {
    match duty {
        Duty::TakeCut => {
            let JobWork::Backup { progress: BackupState::Pending { attempt } } = job.work else { panic!("{job:?}") };
            Event::CutTaken { cut: cut(attempt), counts: JobCounts::default(), objects_text: String::new() }
        }
        Duty::AwaitPins => Event::Pinned { session: "0.aa".into(), files: 0, bytes: 0 },
        Duty::OpenSession => Event::SessionOpened,
        Duty::AwaitUploads => Event::Uploaded { files: 3, bytes: 31, bytes_sent: 0 },
        Duty::SaveMeta => Event::MetaSaved { root: root() },
        Duty::Commit => Event::Committed,
        Duty::AbortSession => Event::SessionAborted,
        Duty::Plan => Event::Planned { plan: plan(), counts: JobCounts::default(), objects_text: String::new() },
        Duty::Register => Event::Registered,
        Duty::AwaitStages => Event::Staged,
        Duty::WriteDownloads => Event::DownloadsWritten,
        Duty::AwaitDownloads => Event::Downloaded,
        Duty::Switch => Event::Switched,
        Duty::Settle => Event::Settled,
        Duty::Clean => Event::Cleaned,
        Duty::Nothing => panic!("there is nothing to do"),
    }
}

#[test]
fn every_duty_done_leads_on_from_every_state() {
    for job in all_jobs().into_iter().filter(|job| !job.is_cleaned()) {
        let next = apply(job.clone(), success(duty(&job), &job), 2_000);
        assert_ne!(next.work, job.work, "{:?} is stuck", job.work);
    }
}

proptest! {
    /// ENDS and the other laws, whatever happens before the time is over.
    #[test]
    fn a_job_always_ends(start in any::<bool>(), happened in prop::collection::vec((0usize..20, any::<bool>()), 0..60)) {
        let mut job = if start { backup(BackupState::Pending { attempt: 0 }) } else { restore(RestoreState::Pending { plan: None }) };
        let mut now_ms = 2_000;
        for (which, dutiful) in happened {
            let event = if dutiful && duty(&job) != Duty::Nothing { success(duty(&job), &job) } else { events()[which].clone() };
            let next = apply(job.clone(), event, now_ms);
            prop_assert!(is_legal(&job, &next));
            prop_assert!(!job.is_done() || next.state_name() == job.state_name(), "TERMINAL ABSORBS");
            prop_assert!(!job.is_cleaned() || next == job, "TERMINAL ABSORBS");
            prop_assert_eq!(next.is_done(), next.times.finished_ms.is_some());
            prop_assert!(next.errors.len() <= TASK_MESSAGES_MAX);
            if next.state_name() == "FINISHED" {
                prop_assert_eq!(next.status.code, StatusCode::Ok);
            } else if next.state_name() == "CANCELLED" {
                prop_assert_ne!(next.status.code, StatusCode::Ok);
            }
            job = next;
            now_ms += 10;
        }
        // From here on the time is over.
        now_ms = deadline_ms(&job);
        let mut steps = 0;
        while duty(&job) != Duty::Nothing {
            let event = timed_out(&job, now_ms).unwrap_or_else(|| success(duty(&job), &job));
            job = apply(job, event, now_ms);
            steps += 1;
            prop_assert!(steps <= 4, "ENDS: still in {} after {steps} steps", job.state_name());
        }
        prop_assert!(job.is_done() && job.is_cleaned());
    }

    /// Any record that a sequence of events makes survives the journal.
    #[test]
    fn a_job_survives_the_journal(start in any::<bool>(), happened in prop::collection::vec(0usize..20, 0..20)) {
        let mut job = if start { backup(BackupState::Pending { attempt: 0 }) } else { restore(RestoreState::Pending { plan: None }) };
        for which in happened {
            job = apply(job, events()[which].clone(), 2_000);
            let bytes = catalog::record::encode(&job).unwrap();
            prop_assert!(bytes.len() < 4_096);
            let read: JobRecord = catalog::record::decode("job/7", &bytes).unwrap();
            prop_assert_eq!(&read, &job);
        }
    }
}
