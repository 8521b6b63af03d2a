//! The commit log under many writers and a store that fails: what was acknowledged is in the chain exactly once, what
//! was refused is not, and the chain is legal.

use crate::support::*;
use env::rt::{CancellationToken, JoinSet};
use object_store::memory::InMemory;
use object_store::{ObjectStore, ObjectStoreExt, path::Path};
use proptest::prelude::*;
use repository::{Error, ErrorKind, Purpose, Repository, SessionId, SnapshotSummary, no_progress};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// What an actor is told about what it did.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Told {
    Opened(SessionId),
    Committed(SessionId, String),
    Closed(SessionId),
    Dropped(String),
    /// The answer said that it did not happen.
    Refused(SessionId, ErrorKind),
    Unknown,
}

#[derive(Debug, Clone, Copy)]
enum Step {
    /// Opens a session, commits under this label, perhaps by two incarnations at one time.
    Backup {
        label: u8,
        twice: bool,
    },
    /// Opens a session and aborts it while it commits.
    Race {
        label: u8,
    },
    Abort,
    Drop {
        label: u8,
    },
    Hold {
        label: u8,
    },
    Release {
        label: u8,
    },
    FenceOldest,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (0..6u8, any::<bool>()).prop_map(|(label, twice)| Step::Backup { label, twice }),
        2 => (0..6u8).prop_map(|label| Step::Race { label }),
        1 => Just(Step::Abort),
        2 => (0..6u8).prop_map(|label| Step::Drop { label }),
        1 => (0..6u8).prop_map(|label| Step::Hold { label }),
        1 => (0..6u8).prop_map(|label| Step::Release { label }),
        1 => Just(Step::FenceOldest),
    ]
}

fn faults() -> impl Strategy<Value = Faults> {
    let percent = || prop_oneof![Just(0u64), 1..25u64];
    (percent(), percent(), percent(), percent()).prop_map(|(before, after, stale, conflict)| Faults {
        before,
        after,
        stale_list: stale * 3,
        conflict,
    })
}

fn summary(root: &SnapshotSummary, label: u8, session: &SessionId) -> SnapshotSummary {
    SnapshotSummary { label: format!("l{label}"), session: session.clone(), ..root.clone() }
}

fn told_of_commit(id: &SessionId, label: u8, answer: Result<repository::Generation, Error>) -> Told {
    match answer {
        Ok(_) => Told::Committed(id.clone(), format!("l{label}")),
        Err(failed) => match failed.kind() {
            ErrorKind::Indeterminate | ErrorKind::Unavailable | ErrorKind::Conflict => Told::Unknown,
            kind => Told::Refused(id.clone(), kind),
        },
    }
}

async fn act(repository: &Repository, root: &SnapshotSummary, step: Step) -> Vec<Told> {
    let open = |id: SessionId| {
        let repository = repository.clone();
        async move { repository.open_session(&id, Purpose::Backup, "actor", 1).await }
    };
    match step {
        Step::Drop { label } => match repository.drop_snapshot(&format!("l{label}"), None).await {
            Ok(_) => vec![Told::Dropped(format!("l{label}"))],
            Err(_) => vec![Told::Unknown],
        },
        Step::Hold { label } => {
            drop(repository.hold(&format!("l{label}"), None, "audit", 1).await);
            vec![Told::Unknown]
        }
        Step::Release { label } => {
            drop(repository.release(&format!("l{label}"), None).await);
            vec![Told::Unknown]
        }
        Step::FenceOldest => {
            if let Ok(sessions) = repository.sessions().await
                && let Some(oldest) = sessions.first()
            {
                drop(repository.fence(&oldest.id).await);
            }
            vec![Told::Unknown]
        }
        Step::Backup { .. } | Step::Race { .. } | Step::Abort => {
            let Ok(id) = repository.new_session_id().await else { return vec![Told::Unknown] };
            let session = match open(id.clone()).await {
                Ok(session) => session,
                Err(failed) => {
                    assert!(
                        matches!(
                            failed.kind(),
                            ErrorKind::Busy
                                | ErrorKind::Unavailable
                                | ErrorKind::Indeterminate
                                | ErrorKind::Conflict
                                | ErrorKind::Fenced
                        ),
                        "{failed:?}"
                    );
                    return vec![Told::Unknown];
                }
            };
            let mut told = vec![Told::Opened(id.clone())];
            match step {
                Step::Backup { label, twice: false } => {
                    told.push(told_of_commit(&id, label, session.commit(summary(root, label, &id)).await));
                }
                Step::Backup { label, twice: true } => {
                    let other = open(id.clone()).await;
                    let one = session.commit(summary(root, label, &id));
                    let two = async {
                        match other {
                            Ok(other) => Some(other.commit(summary(root, label, &id)).await),
                            Err(_) => None,
                        }
                    };
                    let (one, two) = futures::future::join(one, two).await;
                    if let (Ok(one), Some(Ok(two))) = (&one, &two) {
                        assert_eq!(one, two, "two incarnations, one commit");
                    }
                    told.push(told_of_commit(&id, label, one));
                    told.extend(two.map(|two| told_of_commit(&id, label, two)));
                }
                Step::Race { label } => {
                    let (committed, aborted) =
                        futures::future::join(session.commit(summary(root, label, &id)), session.close()).await;
                    assert!(committed.is_err() || aborted.is_err(), "a session ends once");
                    told.push(told_of_commit(&id, label, committed));
                    if aborted.is_ok() {
                        told.push(Told::Closed(id));
                    }
                }
                Step::Abort => {
                    if session.close().await.is_ok() {
                        told.push(Told::Closed(id));
                    }
                }
                Step::Drop { .. } | Step::Hold { .. } | Step::Release { .. } | Step::FenceOldest => {}
            }
            told
        }
    }
}

/// The chain, read as plain JSON: a second opinion on the fold.
async fn chain(store: &dyn ObjectStore) -> Vec<Value> {
    let mut chain = Vec::new();
    for name in names(store, "commits").await.into_iter().rev() {
        let bytes = store.get(&Path::from(name)).await.unwrap().bytes().await.unwrap();
        let body = bytes.split(|byte| *byte == b'\n').next().unwrap();
        chain.push(serde_json::from_slice(body).unwrap());
    }
    chain
}

/// Replays the chain on plain maps and holds what the actors were told against it.
fn judge(chain: &[Value], told: &[Told]) -> BTreeMap<String, String> {
    let mut open = BTreeSet::new();
    let mut snapshots = BTreeMap::new();
    let mut committed: BTreeMap<String, (String, usize)> = BTreeMap::new();
    let mut opened = BTreeSet::new();
    let mut ended = BTreeSet::new();
    let mut held = BTreeSet::new();
    let mut drops: BTreeMap<String, usize> = BTreeMap::new();
    for (generation, record) in chain.iter().enumerate() {
        assert_eq!(record["generation"], generation as u64);
        let action = &record["action"];
        let text = |field: &str| action[field].as_str().unwrap().to_owned();
        match action["kind"].as_str().unwrap() {
            "genesis" => assert_eq!(generation, 0),
            "open" => {
                assert!(opened.insert(text("session")), "a session opens once");
                open.insert(text("session"));
            }
            "commit" => {
                let session = action["snapshot"]["session"].as_str().unwrap().to_owned();
                let label = action["snapshot"]["label"].as_str().unwrap().to_owned();
                assert!(open.remove(&session), "only an open session commits");
                assert!(snapshots.insert(label.clone(), session.clone()).is_none(), "a label is taken once");
                committed.entry(session).or_insert((label, 0)).1 += 1;
            }
            "close" | "fence" => {
                assert!(open.remove(&text("session")));
                ended.insert(text("session"));
            }
            "hold" => assert!(held.insert(text("label")) && snapshots.contains_key(&text("label"))),
            "release" => assert!(held.remove(&text("label"))),
            "drop" => {
                assert!(!held.contains(&text("label")), "what is held stays");
                assert!(snapshots.remove(&text("label")).is_some(), "only what is there is dropped");
                *drops.entry(text("label")).or_default() += 1;
            }
            other => panic!("{other}"),
        }
        let declared: BTreeSet<String> = record["sessions"]
            .as_array()
            .unwrap()
            .iter()
            .map(|session| session["id"].as_str().unwrap().to_owned())
            .collect();
        assert_eq!(declared, open);
        assert_eq!(record["snapshots"], snapshots.len() as u64);
    }
    let mut dropped: BTreeMap<String, usize> = BTreeMap::new();
    for told in told {
        match told {
            Told::Opened(id) => assert!(opened.contains(&id.to_string())),
            Told::Committed(id, label) => assert_eq!(committed[&id.to_string()], (label.clone(), 1)),
            Told::Closed(id) => assert!(ended.contains(&id.to_string()) && !committed.contains_key(&id.to_string())),
            Told::Dropped(label) => *dropped.entry(label.clone()).or_default() += 1,
            Told::Refused(id, kind) => {
                assert!(matches!(kind, ErrorKind::Fenced | ErrorKind::AlreadyExists), "{kind:?}");
                // The other incarnation may have had more luck with a label that was dropped meanwhile.
                let luck = told_committed(told, id);
                assert!(luck || !committed.contains_key(&id.to_string()) || *kind == ErrorKind::AlreadyExists);
            }
            Told::Unknown => {}
        }
    }
    for (label, times) in dropped {
        assert!(drops[&label] >= times);
    }
    snapshots
}

fn told_committed(told: &Told, id: &SessionId) -> bool {
    matches!(told, Told::Committed(other, _) if other == id)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn what_was_acknowledged_is_in_the_chain_exactly_once(
        actors in prop::collection::vec(prop::collection::vec(step(), 1..5), 1..6),
        faults in faults(),
        seed in any::<u64>(),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
        runtime.block_on(async move {
            let inner: Arc<dyn ObjectStore> = Arc::new(InMemory::new());
            let healthy = Repository::create(Arc::clone(&inner), "r", 1).await.unwrap();
            let first = session(&healthy).await;
            let root = upload(&first, "x", &World::new(), &CancellationToken::new()).await.unwrap().summary;
            first.close().await.unwrap();

            let store = Faulty::new(Arc::clone(&inner), faults, seed);
            let mut running = JoinSet::new();
            for steps in actors {
                let (store, root) = (Arc::<Faulty>::clone(&store), root.clone());
                running.spawn(async move {
                    let mut told = Vec::new();
                    // Each actor is a process of its own: it remembers no one else's head.
                    let repository = loop {
                        match Repository::open(Arc::<Faulty>::clone(&store)).await {
                            Ok(repository) => break repository,
                            Err(failed) => assert_eq!(failed.kind(), ErrorKind::Unavailable, "{failed:?}"),
                        }
                    };
                    for step in steps {
                        told.extend(act(&repository, &root, step).await);
                    }
                    told
                });
            }
            let mut told = Vec::new();
            while let Some(ended) = running.join_next().await {
                told.extend(ended.unwrap());
            }
            store.heal();
            let snapshots = judge(&chain(&*inner).await, &told);
            // The driver's own check and its index agree with the replay.
            healthy.check_log().await.unwrap();
            let rows: BTreeMap<String, String> = healthy
                .snapshots()
                .await
                .unwrap()
                .into_iter()
                .map(|row| (row.label, row.session.to_string()))
                .collect();
            assert_eq!(rows, snapshots);
            // A sweep of what is left harms nothing that is there.
            let plan = healthy.sweep_plan(&no_progress()).await.unwrap();
            healthy.sweep(&plan, &no_progress()).await.unwrap();
            for row in healthy.snapshots().await.unwrap() {
                let reader = healthy.reader(&row).await;
                // All rows share the first session's pages, which ended without a snapshot of its own: dead by the
                // rules, so a reader may find them gone, but only as what it is.
                assert!(reader.is_ok() || reader.unwrap_err().kind() == ErrorKind::Corrupt);
            }
        });
    }
}

#[tokio::test(start_paused = true)]
async fn a_lost_answer_to_an_open_is_found_again() {
    for seed in 0..50 {
        let inner: Arc<dyn ObjectStore> = Arc::new(InMemory::new());
        let healthy = Repository::create(Arc::clone(&inner), "r", 1).await.unwrap();
        let store = Faulty::new(Arc::clone(&inner), Faults { after: 70, ..Faults::default() }, seed);
        let id = healthy.new_session_id().await.unwrap();
        let Ok(repository) = Repository::open(Arc::<Faulty>::clone(&store)).await else { continue };
        let told = repository.open_session(&id, Purpose::Backup, "job", 1).await;
        store.heal();
        let again = repository.open_session(&id, Purpose::Backup, "job", 1).await.unwrap();
        if let Ok(told) = told {
            assert_eq!(told.generation(), again.generation());
        }
        assert_eq!(healthy.sessions().await.unwrap().len(), 1);
        healthy.check_log().await.unwrap();
    }
}
