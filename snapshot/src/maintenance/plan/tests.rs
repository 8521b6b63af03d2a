use super::*;
use catalog::Revision;
use catalog::records::job::{Clean, Cut, JobCounts, JobLimits, JobStatus, JobTimes, Objects, PlanRecord, RestoreSpec};
use env::ids::{DatabaseId, JobId, RepositoryId};
use repository::{Generation, Purpose};

fn id(number: u8) -> SessionId {
    format!("{number}.{}", format!("{number:02x}").repeat(16)).parse().unwrap()
}

fn open(number: u8) -> OpenSession {
    OpenSession { id: id(number), generation: Generation(1), purpose: Purpose::Backup }
}

fn job(work: JobWork) -> JobRecord {
    JobRecord {
        id: JobId(7),
        database: DatabaseId(1),
        database_name: "shop".into(),
        label: "nightly".into(),
        timestamp: String::new(),
        repository: RepositoryId(2),
        repository_name: "repo".into(),
        user: "root".into(),
        created_ms: 0,
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

fn plan(session: u8) -> PlanRecord {
    PlanRecord { revision: Revision(1), first_id: 1, ids: 1, session: Some(id(session).to_string()) }
}

#[test]
fn only_sessions_of_jobs_that_are_done_with_are_dead() {
    let cut = Cut { revision: Revision(5), attempt: 0 };
    let session = |number| id(number).to_string();
    let jobs = [
        job(JobWork::Backup { progress: BackupState::Cancelled { session: Some(session(1)), cleaned: true } }),
        // What these have left is still being ended by themselves.
        job(JobWork::Backup { progress: BackupState::Cancelled { session: Some(session(2)), cleaned: false } }),
        job(JobWork::Backup { progress: BackupState::Uploading { cut, session: session(3) } }),
        restore(RestoreState::Finished { plan: plan(4), cleaned: true }),
        restore(RestoreState::Downloading { plan: plan(5) }),
        restore(RestoreState::Cancelled { plan: Some(plan(6)), cleaned: true }),
        restore(RestoreState::Cancelled { plan: None, cleaned: true }),
        job(JobWork::Backup { progress: BackupState::Cancelled { session: None, cleaned: true } }),
    ];
    let all: Vec<OpenSession> = (1..=8).map(open).collect();
    assert_eq!(dead_sessions(&all, &jobs, []), [id(1), id(4), id(6)]);
    // 7 and 8 are nobody's here, and 4 has ended meanwhile.
    assert_eq!(dead_sessions(&[open(7), open(1), open(8)], &jobs, []), [id(1)]);
    assert_eq!(dead_sessions(&all, [], []), []);
}
