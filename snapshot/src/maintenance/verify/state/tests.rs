use super::*;
use env::ids::{JobId, RepositoryId};
use proptest::prelude::*;
use std::collections::BTreeMap;

fn job(progress: VerifyState) -> VerifyRecord {
    VerifyRecord {
        id: JobId(7),
        repository: RepositoryId(2),
        repository_name: "repo".into(),
        label: None,
        level: "full".into(),
        seed: 1,
        user: "root".into(),
        created_ms: 1_000,
        timeout_s: 600,
        finished_ms: None,
        bytes_read: 0,
        bytes_expected: 0,
        status: JobStatus::ok(),
        progress,
    }
}

fn outcome() -> VerifyOutcome {
    VerifyOutcome {
        verdict: "sound".into(),
        snapshots: BTreeMap::new(),
        damaged: Vec::new(),
        kinds: BTreeMap::new(),
        findings_kept: 0,
        records: 1,
        pages: 1,
        objects: 1,
        bytes_checked: 1,
        generation: Some(3),
        hash: None,
    }
}

fn session() -> String {
    "0.aa".to_owned()
}

#[test]
fn a_verifier_goes_from_submission_to_its_end() {
    let pending = job(VerifyState::Pending { lost: 0 });
    assert_eq!(duty(&pending), Duty::ChooseSession);
    let looking = apply(pending, Event::SessionChosen { session: Some(session()), bytes_expected: 90 }, 5);
    assert_eq!((duty(&looking), looking.bytes_expected), (Duty::Verify, 90));
    let read = apply(looking, Event::Read(70), 6);
    assert_eq!(read.bytes_read, 70);
    let done = apply(read, Event::Done(outcome()), 7);
    assert_eq!((duty(&done), done.finished_ms, done.outcome()), (Duty::Nothing, Some(7), Some(&outcome())));
    assert_eq!(done.progress.session(), Some("0.aa"));
}

#[test]
fn a_lost_session_is_replaced_some_times() {
    let mut job = job(VerifyState::Pending { lost: 0 });
    for _ in 0..SESSIONS_LOST_MAX {
        job = apply(job, Event::SessionChosen { session: Some(session()), bytes_expected: 0 }, 1);
        job = apply(job, Event::SessionLost, 1);
        assert_eq!(duty(&job), Duty::ChooseSession);
    }
    job = apply(job, Event::SessionChosen { session: Some(session()), bytes_expected: 0 }, 1);
    job = apply(job, Event::SessionLost, 9);
    assert_eq!((job.progress.name(), job.finished_ms), ("CANCELLED", Some(9)));
    assert_eq!(job.status.message, "its session was ended by somebody else, 4 times");
}

#[test]
fn an_orderly_stop_costs_no_session() {
    let looking = job(VerifyState::Verifying { lost: 2, session: Some(session()) });
    assert_eq!(apply(looking, Event::Interrupted, 5).progress, VerifyState::Pending { lost: 2 });
}

#[test]
fn it_ends_when_its_time_is_over() {
    let looking = job(VerifyState::Verifying { lost: 0, session: Some(session()) });
    assert_eq!(timed_out(&looking, 600_999), None);
    let event = timed_out(&looking, 601_000).unwrap();
    let ended = apply(looking, event, 601_000);
    assert_eq!(ended.status.to_string(), "[TIMEOUT, not finished within 600 s, state: VERIFYING]");
    assert_eq!(timed_out(&ended, u64::MAX), None);
}

fn events() -> impl Strategy<Value = Event> {
    prop_oneof![
        Just(Event::SessionChosen { session: Some(session()), bytes_expected: 5 }),
        Just(Event::SessionLost),
        Just(Event::Interrupted),
        any::<u64>().prop_map(Event::Read),
        Just(Event::Done(outcome())),
        Just(cancelled_by_user()),
    ]
}

proptest! {
    #[test]
    fn what_has_ended_stays_as_it_is(events in prop::collection::vec(events(), 0..20)) {
        let mut job = job(VerifyState::Pending { lost: 0 });
        let mut ended: Option<VerifyRecord> = None;
        for (now, event) in (10..).zip(events) {
            job = apply(job, event, now);
            if let Some(ended) = &ended {
                prop_assert_eq!(ended, &job);
            } else if job.is_done() {
                prop_assert_eq!(job.finished_ms, Some(now));
                ended = Some(job.clone());
            }
        }
        let end = apply(job, cancelled_by_user(), 99);
        prop_assert!(end.is_done(), "a cancel ends it from every state");
    }
}
