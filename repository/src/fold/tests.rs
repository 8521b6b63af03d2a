use super::*;
use crate::error::ErrorKind;
use crate::names::Purpose;
use crate::page::{PageKind, PageRef};
use crate::record::Identity;
use serde_json::Map;

fn id(digit: char) -> SessionId {
    format!("0.{}", digit.to_string().repeat(32)).parse().unwrap()
}

fn open(digit: char) -> Action {
    Action::Open { session: id(digit), purpose: Purpose::Backup, owner: "o".into() }
}

fn commit(digit: char, label: &str) -> Action {
    Action::Commit { snapshot: Box::new(SnapshotSummary::sample(label, id(digit))) }
}

fn drop_of(label: &str) -> Action {
    Action::Drop { label: label.into(), timestamp: "2026-01-01".into() }
}

fn hold(label: &str, reason: &str) -> Action {
    Action::Hold { label: label.into(), timestamp: "2026-01-01".into(), reason: reason.into(), since_ms: 7 }
}

fn release(label: &str) -> Action {
    Action::Release { label: label.into(), timestamp: "2026-01-01".into() }
}

fn genesis() -> Action {
    let identity = Identity {
        format: 1,
        id: "i".into(),
        name: "n".into(),
        created_ms: 0,
        features: vec![],
        capabilities: Map::new(),
    };
    Action::Genesis { identity }
}

/// A legal log of these actions.
fn log(actions: &[Action]) -> Vec<(Record, String)> {
    let mut state = State::default();
    let mut log: Vec<(Record, String)> = Vec::new();
    for (number, action) in actions.iter().enumerate() {
        let generation = Generation(number as u64);
        state = state.apply(generation, action).unwrap();
        let root =
            || PageRef { name: "p".into(), len_bytes: 0, hash: String::new(), kind: PageKind::IndexLeaf, format: 1 };
        let record = Record {
            format: 1,
            repository: "i".into(),
            generation,
            previous: log.last().map(|(_, hash)| hash.clone()),
            token: "t".into(),
            wall_ms: 0,
            action: action.clone(),
            index: (!state.snapshots.is_empty()).then(root),
            snapshots: state.snapshots.len() as u64,
            sessions: state.sessions.values().cloned().collect(),
        };
        let (_, hash) = record.seal().unwrap();
        log.push((record, hash));
    }
    log
}

fn check(log: &[(Record, String)]) -> Result<State, (Generation, Violation)> {
    verify(log.iter().map(|(record, hash)| (record, hash.as_str())))
}

fn history() -> Vec<(Record, String)> {
    let close = Action::Close { session: id('b') };
    let (held, free) = (hold("x", "audit"), release("x"));
    log(&[genesis(), open('a'), open('b'), commit('a', "x"), close, held, free, drop_of("x"), open('c')])
}

#[test]
fn a_legal_log_adds_up() {
    let state = check(&history()).unwrap();
    assert_eq!(state.sessions.into_keys().collect::<Vec<_>>(), [id('c')]);
    assert!(state.snapshots.is_empty());
}

#[expect(clippy::ptr_arg, reason = "one of many functions of this type")]
fn born_held(log: &mut Vec<(Record, String)>) {
    let Action::Commit { snapshot } = &mut log[3].0.action else { panic!("a commit") };
    snapshot.hold = Some(Hold { reason: "none".into(), since_ms: 1 });
}

#[test]
fn a_log_that_was_tampered_with_is_refused_where_it_was() {
    type Tamper = fn(&mut Vec<(Record, String)>);
    let cases: [(&str, Tamper, u64); 11] = [
        ("a gap", |log| drop(log.remove(3)), 4),
        ("two in another order", |log| log.swap(3, 4), 4),
        ("another body", |log| log[3].0.wall_ms = 1, 4),
        ("another chain", |log| log[5].0.previous = Some("0".repeat(64)), 5),
        ("another repository", |log| log[2].0.repository = "j".into(), 2),
        ("a second creation", |log| log[8].0.action = genesis(), 8),
        ("a session that vanishes", |log| log[8].0.sessions.clear(), 8),
        ("a drop of what is held", |log| log[6].0.action = drop_of("x"), 6),
        ("a hold from birth", born_held, 3),
        ("a session that appears", |log| log[1].0.sessions = log[2].0.sessions.clone(), 1),
        ("a snapshot that is not counted", |log| log[3].0.snapshots = 0, 3),
    ];
    for (what, tamper, at) in cases {
        let mut log = history();
        tamper(&mut log);
        for entry in &mut log {
            entry.1 = entry.0.seal().unwrap().1;
        }
        assert_eq!(check(&log).map_err(|(generation, _)| generation), Err(Generation(at)), "{what}");
    }
    let mut headless = history();
    headless.remove(0);
    assert_eq!(check(&headless).unwrap_err(), (Generation(1), Violation::Genesis));
}

#[test]
fn illegal_actions_are_refused_with_what_to_do() {
    let state = check(&history()).unwrap();
    let next = Generation(9);
    let kept = check(&log(&[genesis(), open('a'), commit('a', "kept"), hold("kept", "audit")])).unwrap();
    let state = State { snapshots: kept.snapshots, ..state };
    let other = Action::Drop { label: "kept".into(), timestamp: "2025-01-01".into() };
    for (action, kind, says) in [
        (genesis(), ErrorKind::Internal, "only the first record"),
        (open('c'), ErrorKind::Internal, "is open already"),
        (commit('a', "y"), ErrorKind::Internal, "is not open"),
        (commit('c', ""), ErrorKind::Invalid, "label \"\" is not"),
        (commit('c', "a b"), ErrorKind::Invalid, "letters, digits"),
        (Action::Close { session: id('a') }, ErrorKind::Internal, "is not open"),
        (Action::Fence { session: id('b') }, ErrorKind::Internal, "is not open"),
        (drop_of("x"), ErrorKind::NotFound, "there is no snapshot \"x\" of 2026-01-01"),
        (other, ErrorKind::NotFound, "there is no snapshot \"kept\" of 2025-01-01"),
        (drop_of("kept"), ErrorKind::Denied, "snapshot \"kept\" is held (\"audit\"); release it first"),
        (hold("kept", "another"), ErrorKind::Denied, "is held (\"audit\")"),
        (hold("x", "audit"), ErrorKind::NotFound, "there is no snapshot"),
        (hold("kept", &"r".repeat(257)), ErrorKind::Invalid, "256 bytes are allowed"),
        (hold("kept", "a\nb"), ErrorKind::Invalid, "control characters"),
        (release("x"), ErrorKind::NotFound, "there is no snapshot"),
    ] {
        let failed = Error::from(state.clone().apply(next, &action).unwrap_err());
        assert_eq!(failed.kind(), kind, "{action:?}");
        assert!(failed.to_string().contains(says), "{failed}");
    }
    let released = state.clone().apply(next, &release("kept")).unwrap();
    let failed = Error::from(released.clone().apply(next, &release("kept")).unwrap_err());
    assert_eq!((failed.kind(), failed.to_string().as_str()), (ErrorKind::Invalid, "snapshot \"kept\" is not held"));
    assert!(released.apply(next, &drop_of("kept")).unwrap().snapshots.is_empty());
    let mut full = State::default();
    for number in 0..SESSIONS_MAX {
        let session = format!("0.{number:032x}").parse().unwrap();
        full = full.apply(next, &Action::Open { session, purpose: Purpose::Backup, owner: "o".into() }).unwrap();
    }
    let other = Action::Open {
        session: "1.00000000000000000000000000000001".parse().unwrap(),
        purpose: Purpose::Verify,
        owner: String::new(),
    };
    assert_eq!(Error::from(full.apply(next, &other).unwrap_err()).kind(), ErrorKind::Busy);
}

#[test]
fn the_longest_record_is_within_its_bound() {
    // What JSON makes longest: quotes, each written as two bytes.
    let long = |len: usize| "\"".repeat(len);
    let session = |number: usize| format!("{}.{number:032x}", u64::MAX).parse::<SessionId>().unwrap();
    let page = |kind| {
        let token = "a".repeat(32);
        let owner = crate::names::Owner { generation: Generation(u64::MAX), token };
        PageRef { name: owner.page(&"b".repeat(64)), len_bytes: u64::MAX, hash: "b".repeat(64), kind, format: u32::MAX }
    };
    let snapshot = SnapshotSummary {
        label: "l".repeat(LABEL_BYTES_MAX),
        timestamp: "9".repeat(32),
        database: long(NAME_BYTES_MAX),
        cluster: long(NAME_BYTES_MAX),
        created_ms: u64::MAX,
        finished_ms: u64::MAX,
        tables: u64::MAX,
        tablets: u64::MAX,
        files: u64::MAX,
        bytes: u64::MAX,
        bytes_sent: u64::MAX,
        root: page(PageKind::Snapshot),
        session: session(0),
        expires_ms: Some(u64::MAX),
        hold: None,
    };
    check_summary(&snapshot).unwrap();
    let hold = Action::Hold {
        label: snapshot.label.clone(),
        timestamp: snapshot.timestamp.clone(),
        reason: long(REASON_BYTES_MAX),
        since_ms: u64::MAX,
    };
    let open = Action::Open { session: session(0), purpose: Purpose::Restore, owner: long(NAME_BYTES_MAX) };
    for action in [Action::Commit { snapshot: Box::new(snapshot) }, hold, open] {
        let record = Record {
            format: u32::MAX,
            repository: "c".repeat(32),
            generation: Generation(u64::MAX),
            previous: Some("d".repeat(64)),
            token: "e".repeat(32),
            wall_ms: u64::MAX,
            action,
            index: Some(page(PageKind::IndexInner)),
            snapshots: u64::MAX,
            sessions: (0..SESSIONS_MAX)
                .map(|number| {
                    let (id, generation) = (session(number), Generation(u64::MAX));
                    OpenSession { id, generation, purpose: Purpose::Restore }
                })
                .collect(),
        };
        record.seal().unwrap();
    }
}
