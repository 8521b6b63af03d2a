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
    let root = PageRef { name: String::new(), len_bytes: 0, hash: String::new(), kind: PageKind::Snapshot, format: 1 };
    Action::Commit {
        snapshot: Box::new(SnapshotSummary {
            label: label.into(),
            timestamp: "2026-01-01".into(),
            database: "d".into(),
            cluster: "c".into(),
            created_ms: 0,
            finished_ms: 0,
            tables: 0,
            tablets: 0,
            files: 0,
            bytes: 0,
            bytes_sent: 0,
            root,
            session: id(digit),
        }),
    }
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
    log(&[genesis(), open('a'), open('b'), commit('a', "x"), close, Action::Drop { label: "x".into() }, open('c')])
}

#[test]
fn a_legal_log_adds_up() {
    let state = check(&history()).unwrap();
    assert_eq!(state.sessions.into_keys().collect::<Vec<_>>(), [id('c')]);
    assert!(state.snapshots.is_empty());
}

#[test]
fn a_log_that_was_tampered_with_is_refused_where_it_was() {
    type Tamper = fn(&mut Vec<(Record, String)>);
    let cases: [(&str, Tamper, u64); 9] = [
        ("a gap", |log| drop(log.remove(3)), 4),
        ("two in another order", |log| log.swap(3, 4), 4),
        ("another body", |log| log[3].0.wall_ms = 1, 4),
        ("another chain", |log| log[5].0.previous = Some("0".repeat(64)), 5),
        ("another repository", |log| log[2].0.repository = "j".into(), 2),
        ("a second creation", |log| log[6].0.action = genesis(), 6),
        ("a session that vanishes", |log| log[6].0.sessions.clear(), 6),
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
    let next = Generation(7);
    for (action, kind, says) in [
        (genesis(), ErrorKind::Internal, "only the first record"),
        (open('c'), ErrorKind::Internal, "is open already"),
        (commit('a', "y"), ErrorKind::Internal, "is not open"),
        (commit('c', ""), ErrorKind::Invalid, "label \"\" is not"),
        (commit('c', "a b"), ErrorKind::Invalid, "letters, digits"),
        (Action::Close { session: id('a') }, ErrorKind::Internal, "is not open"),
        (Action::Fence { session: id('b') }, ErrorKind::Internal, "is not open"),
        (Action::Drop { label: "x".into() }, ErrorKind::NotFound, "there is no snapshot \"x\""),
        (Action::Hold { label: "x".into() }, ErrorKind::Unsupported, "reserved"),
        (Action::Release { label: "x".into() }, ErrorKind::Unsupported, "reserved"),
    ] {
        let failed = Error::from(state.clone().apply(next, &action).unwrap_err());
        assert_eq!(failed.kind(), kind, "{action:?}");
        assert!(failed.to_string().contains(says), "{failed}");
    }
    let mut full = State::default();
    for digit in "0123456789abcdef".chars().take(SESSIONS_MAX) {
        full = full.apply(next, &open(digit)).unwrap();
    }
    let other = Action::Open {
        session: "1.00000000000000000000000000000001".parse().unwrap(),
        purpose: Purpose::Verify,
        owner: String::new(),
    };
    assert_eq!(Error::from(full.apply(next, &other).unwrap_err()).kind(), ErrorKind::Busy);
}
