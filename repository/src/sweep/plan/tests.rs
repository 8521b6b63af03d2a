//! The protocol's actions in random order, as in the model check of its design: writers that open, plan, put, crash with
//! a put in flight and commit; drops, fences, sweeps at any old generation whose deletes happen one at a time. Each test
//! left out must be seen to lose data, or the harness proves nothing.

use super::*;
use crate::fold::{Rules, State};
use crate::manifest::SnapshotSummary;
use crate::names::{Purpose, SessionId, upload_name};
use crate::record::Action;
use std::collections::{BTreeMap, VecDeque};

/// A writer's life between two actions.
enum Writer {
    Idle,
    Open(SessionId, Generation),
    Put(SessionId, String),
    Commit(SessionId, String),
}

struct Model {
    rng: fastrand::Rng,
    rules: Rules,
    left_out: Option<Test>,
    chain: Vec<State>,
    /// What the snapshot of a session refers to.
    refers: BTreeMap<SessionId, String>,
    store: BTreeSet<String>,
    late: Vec<String>,
    writers: Vec<Writer>,
    sweeps: Vec<VecDeque<String>>,
    labels: u32,
}

impl Model {
    fn new(seed: u64, rules: Rules, left_out: Option<Test>) -> Self {
        Self {
            rng: fastrand::Rng::with_seed(seed),
            rules,
            left_out,
            chain: vec![State::default()],
            refers: BTreeMap::new(),
            store: BTreeSet::new(),
            late: Vec::new(),
            writers: vec![Writer::Idle, Writer::Idle],
            sweeps: vec![VecDeque::new(), VecDeque::new()],
            labels: 0,
        }
    }

    fn token(&mut self) -> String {
        format!("{:016x}{:016x}", self.rng.u64(..), self.rng.u64(..))
    }

    fn append(&mut self, action: &Action) -> bool {
        let generation = Generation(self.chain.len() as u64);
        let mut state = self.chain.last().unwrap().clone();
        let legal = state.change(generation, action, self.rules).is_ok();
        if legal {
            self.chain.push(state);
        }
        legal
    }

    fn live(&self, generation: u64) -> BTreeSet<String> {
        let state = &self.chain[usize::try_from(generation).unwrap()];
        state.snapshots.values().map(|row| self.refers[&row.session].clone()).collect()
    }

    fn view(&self, generation: u64) -> View {
        let open = &self.chain[usize::try_from(generation).unwrap()].sessions;
        View {
            generation,
            sessions: open.values().map(|session| session.id.token().to_owned()).collect(),
            reachable: self.live(generation).into_iter().collect(),
            pinned: open.values().flat_map(|session| self.live(session.generation.0)).collect(),
        }
    }

    fn write(&mut self, number: usize) {
        let writer = std::mem::replace(&mut self.writers[number], Writer::Idle);
        self.writers[number] = match writer {
            Writer::Idle => {
                let session: SessionId = format!("0.{}", self.token()).parse().unwrap();
                let open = Action::Open { session: session.clone(), purpose: Purpose::Backup, owner: "w".into() };
                let generation = Generation(self.chain.len() as u64);
                if self.append(&open) { Writer::Open(session, generation) } else { Writer::Idle }
            }
            // A crash: the session stays open, owned by nobody.
            Writer::Open(..) if self.rng.u8(..) < 10 => Writer::Idle,
            Writer::Open(session, generation) => {
                let reusable = self.live(generation.0);
                match reusable.iter().next() {
                    Some(name) if self.rng.u8(..) < 200 => Writer::Commit(session, name.clone()),
                    _ => {
                        let owner = Owner { generation, token: session.token().to_owned() };
                        Writer::Put(session, owner.data("x"))
                    }
                }
            }
            Writer::Put(_, name) if self.rng.u8(..) < 40 => {
                self.late.push(name);
                Writer::Idle
            }
            Writer::Put(session, name) => {
                self.store.insert(name.clone());
                Writer::Commit(session, name)
            }
            Writer::Commit(session, name) => {
                self.labels += 1;
                self.refers.insert(session.clone(), name);
                let snapshot = Box::new(SnapshotSummary::sample(format!("l{}", self.labels), session));
                self.append(&Action::Commit { snapshot });
                Writer::Idle
            }
        };
    }

    fn step(&mut self) {
        match self.rng.u8(0..12) {
            0..=4 => {
                let number = self.rng.usize(0..self.writers.len());
                self.write(number);
            }
            5 => {
                let labels: Vec<String> = self.chain.last().unwrap().snapshots.keys().cloned().collect();
                if let Some(label) = self.rng.choice(labels) {
                    self.append(&Action::Drop { label, timestamp: "2026-01-01".into() });
                }
            }
            6 => {
                let open: Vec<SessionId> = self.chain.last().unwrap().sessions.keys().cloned().collect();
                if let Some(session) = self.rng.choice(open) {
                    self.append(&Action::Fence { session });
                }
            }
            7 => {
                if let Some(name) = self.late.pop() {
                    self.store.insert(name);
                }
            }
            8 | 9 => {
                let sweeper = self.rng.usize(0..self.sweeps.len());
                if self.sweeps[sweeper].is_empty() {
                    // A head as stale as it likes.
                    let newest = self.chain.len() as u64 - 1;
                    let generation = if self.rng.bool() { newest } else { self.rng.u64(0..=newest) };
                    let view = self.view(generation);
                    let listed = self.store.iter().map(|name| Listed { name: name.clone(), len_bytes: 1 });
                    let plan = plan(&view, listed, self.left_out);
                    self.sweeps[sweeper] = plan.objects().map(|(name, _)| name).collect();
                }
            }
            _ => {
                let sweeper = self.rng.usize(0..self.sweeps.len());
                if let Some(name) = self.sweeps[sweeper].pop_front() {
                    self.store.remove(&name);
                }
            }
        }
    }

    /// Whether every snapshot has what it refers to, for so many steps.
    fn holds(&mut self, steps: u32) -> bool {
        (0..steps).all(|_| {
            self.step();
            self.live(self.chain.len() as u64 - 1).is_subset(&self.store)
        })
    }
}

const RUNS: u64 = 3000;
const STEPS: u32 = 150;

#[test]
fn no_order_of_actions_loses_data() {
    for seed in 0..RUNS {
        assert!(Model::new(seed, Rules::ALL, None).holds(STEPS), "seed {seed}");
    }
}

#[test]
fn each_test_left_out_loses_data() {
    for test in [Test::Generation, Test::Session, Test::Reachable, Test::Pinned] {
        let lost = (0..RUNS).find(|seed| !Model::new(*seed, Rules::ALL, Some(test)).holds(STEPS));
        assert!(lost.is_some(), "{test:?}");
    }
    let lost = (0..RUNS).find(|seed| !Model::new(*seed, Rules { open_to_commit: false }, None).holds(STEPS));
    assert!(lost.is_some(), "a session that is not open must not commit");
}

#[test]
fn a_plan_says_what_it_will_do() {
    let token = |digit: char| digit.to_string().repeat(32);
    let data = |generation: u64, digit: char, name: &str| {
        Owner { generation: Generation(generation), token: token(digit) }.data(name)
    };
    let view = View {
        generation: 9,
        sessions: [token('b')].into(),
        reachable: [data(2, 'a', "kept")].into_iter().collect(),
        pinned: [data(2, 'a', "pinned")].into_iter().collect(),
    };
    let dead = [data(2, 'a', "dead"), data(9, 'c', "late")];
    let unfinished = [upload_name(&data(3, 'd', "x")), upload_name("commits/18446744073709551606.json")];
    let kept = [
        data(2, 'a', "kept"),
        data(2, 'a', "pinned"),
        data(4, 'b', "of an open session"),
        data(10, 'e', "of a later one"),
        upload_name(&data(4, 'b', "x")),
        upload_name("commits/18446744073709551605.json"),
        "repository.json".into(),
        "commits/18446744073709551606.json".into(),
    ];
    let all = dead.iter().chain(&unfinished).chain(&kept).map(|name| Listed { name: name.clone(), len_bytes: 5 });
    let foreign = ["data/readme.txt".to_owned()].into_iter().map(|name| Listed { name, len_bytes: 5 });
    let plan = plan(&view, all.chain(foreign), None);
    let mut expected = [dead, unfinished].concat();
    expected.sort();
    assert_eq!(plan.objects().map(|(name, _)| name).collect::<Vec<_>>(), expected);
    assert_eq!((plan.bytes(), plan.kept(), plan.foreign(), plan.generation()), (20, 8, 1, Generation(9)));
    let text = plan.to_string();
    let first = "sweep at generation 9: delete 4 objects of 20 bytes, keep 8, leave 1 foreign ones alone\n";
    assert!(text.starts_with(first), "{text}");
    assert!(text.ends_with("delete data/9-cccccccccccccccccccccccccccccccc/late (5 bytes)\n"), "{text}");
}
