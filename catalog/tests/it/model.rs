//! The embedded store against the obvious model: a list of whole states, one per revision.
//!
//! Random transactions, reads at any revision, scans, watches and compactions, with reopening, power cuts between calls
//! and power cuts inside calls. After a cut inside a call, what was acknowledged must be there, what was refused must
//! not, and what was left open must be there whole or not at all, in the order in which it was asked for.

use crate::run;
use bytes::Bytes;
use catalog::{
    At, Batch, EmbeddedOptions, EmbeddedStore, Entry, Error, ErrorKind, Event, Guard, MetaStore, Revision, Write,
};
use env::disk::MemDisk;
use futures::future::join_all;
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::sync::Arc;

const KEYS: [&str; 8] = ["a", "a.", "a/", "a/1", "a/10", "a/2", "a0", "b"];
const PREFIXES: [&str; 5] = ["", "a", "a/", "a/1", "c"];
const PATH: &str = "catalog.redb";

/// All states of a store, from revision 0 on.
#[derive(Debug, Clone)]
pub(crate) struct Model {
    states: Vec<BTreeMap<String, Entry>>,
    floor: u64,
    history: u64,
}

impl Model {
    pub(crate) fn new(history: u64) -> Self {
        Self { states: vec![BTreeMap::new()], floor: 0, history }
    }

    pub(crate) fn revision(&self) -> u64 {
        self.states.len() as u64 - 1
    }

    fn state(&self, at: u64) -> &BTreeMap<String, Entry> {
        &self.states[at as usize]
    }

    fn now(&self) -> &BTreeMap<String, Entry> {
        self.state(self.revision())
    }

    /// The key of the first guard that fails, or the revision that is told.
    pub(crate) fn commit(&mut self, guards: &[Guard], writes: &[Write]) -> Result<Revision, String> {
        for guard in guards {
            let (key, expected) = match guard {
                Guard::Absent(key) => (key, None),
                Guard::Unchanged { key, modified } => (key, Some(*modified)),
            };
            if self.now().get(key).map(|entry| entry.modified) != expected {
                return Err(key.clone());
            }
        }
        let modified = Revision(self.revision() + 1);
        let mut next = self.now().clone();
        let mut changed = false;
        for write in writes {
            let key = write.key().to_owned();
            match write {
                Write::Delete { .. } => changed |= next.remove(&key).is_some(),
                Write::Put { value, .. } => {
                    changed = true;
                    let created = next.get(&key).map_or(modified, |before| before.created);
                    next.insert(key.clone(), Entry { key, value: value.clone(), created, modified });
                }
            }
        }
        if changed {
            self.states.push(next);
            self.floor = self.floor.max(self.revision().saturating_sub(self.history));
        }
        Ok(Revision(self.revision()))
    }

    fn batches(&self, prefix: &str, after: u64) -> Vec<Batch> {
        let mut batches = Vec::new();
        for revision in after + 1..=self.revision() {
            let (before, now) = (self.state(revision - 1), self.state(revision));
            let keys: std::collections::BTreeSet<&String> = before.keys().chain(now.keys()).collect();
            let events: Vec<Event> = keys
                .into_iter()
                .filter(|key| key.starts_with(prefix) && before.get(*key) != now.get(*key))
                .map(|key| Event { key: key.clone(), value: now.get(key).map(|entry| entry.value.clone()) })
                .collect();
            if !events.is_empty() {
                batches.push(Batch { revision: Revision(revision), events });
            }
        }
        batches
    }

    /// Asserts that every state that can be read, and every change that can be watched, is the model's.
    pub(crate) async fn assert_same(&self, store: &EmbeddedStore) {
        assert_eq!(store.revision().await.unwrap().0, self.revision());
        for at in self.floor..=self.revision() {
            let page = store.scan("", None, 1_000, At::Revision(Revision(at))).await.unwrap();
            assert_eq!(page.entries, self.state(at).values().cloned().collect::<Vec<_>>(), "state {at}");
        }
        if self.floor > 0 {
            let failed = store.get("a", At::Revision(Revision(self.floor - 1))).await.unwrap_err();
            assert!(matches!(failed, Error::Compacted { .. }), "{failed:?}");
        }
        self.assert_watch(store, "", self.floor).await;
    }

    async fn assert_watch(&self, store: &EmbeddedStore, prefix: &str, after: u64) {
        let mut watch = store.watch(prefix, Revision(after)).await.unwrap();
        for expected in self.batches(prefix, after) {
            assert_eq!(watch.next().await.unwrap(), expected);
        }
    }
}

/// A transaction with places that are filled in from the state in which it runs.
#[derive(Debug, Clone)]
struct Plan {
    guards: Vec<(usize, GuardPlan)>,
    writes: Vec<(usize, Option<u8>)>,
}

#[derive(Debug, Clone, Copy)]
enum GuardPlan {
    Absent,
    /// What the key is now: holds.
    Right,
    /// An older revision of the key or another number: fails.
    Stale(u64),
}

impl Plan {
    fn fill(&self, model: &Model) -> (Vec<Guard>, Vec<Write>) {
        let guard = |(key, plan): &(usize, GuardPlan)| {
            let key = KEYS[*key].to_owned();
            let now = model.now().get(&key).map(|entry| entry.modified);
            match (plan, now) {
                (GuardPlan::Absent, _) | (GuardPlan::Right, None) => Guard::Absent(key),
                (GuardPlan::Right, Some(modified)) => Guard::Unchanged { key, modified },
                (GuardPlan::Stale(back), now) => {
                    Guard::Unchanged { key, modified: Revision(now.map_or(*back, |now| now.0.wrapping_sub(*back))) }
                }
            }
        };
        let mut writes: BTreeMap<&str, Write> = BTreeMap::new();
        for (key, value) in &self.writes {
            let key = KEYS[*key];
            let write = match value {
                // Lengths from nothing to more than a page of the file.
                Some(value) => Write::Put {
                    key: key.to_owned(),
                    value: Bytes::from(vec![*value; usize::from(*value) * usize::from(*value) / 8]),
                },
                None => Write::Delete { key: key.to_owned() },
            };
            writes.insert(key, write);
        }
        (self.guards.iter().map(guard).collect(), writes.into_values().collect())
    }
}

#[derive(Debug, Clone)]
enum Step {
    Commit(Plan),
    /// Asked for at once, so that they may share a sync.
    Together(Vec<Plan>),
    Get {
        key: usize,
        back: u64,
    },
    Scan {
        prefix: usize,
        start: Option<usize>,
        limit: usize,
        back: u64,
    },
    Watch {
        prefix: usize,
        back: u64,
    },
    Compact {
        back: u64,
    },
    Reopen,
    PowerCut {
        seed: u64,
    },
    /// The power will go after so many changes to the disk.
    CutAfter {
        changes: u64,
        seed: u64,
    },
}

fn plan() -> impl Strategy<Value = Plan> {
    let guard = prop_oneof![
        2 => Just(GuardPlan::Absent),
        6 => Just(GuardPlan::Right),
        1 => (1_u64..3).prop_map(GuardPlan::Stale),
    ];
    let guards = prop::collection::vec((0..KEYS.len(), guard), 0..3);
    let value = prop_oneof![4 => any::<u8>().prop_map(Some), 1 => Just(None)];
    (guards, prop::collection::vec((0..KEYS.len(), value), 0..4)).prop_map(|(guards, writes)| Plan { guards, writes })
}

fn step() -> impl Strategy<Value = Step> {
    let (keys, prefixes) = (0..KEYS.len(), 0..PREFIXES.len());
    prop_oneof![
        20 => plan().prop_map(Step::Commit),
        4 => prop::collection::vec(plan(), 2..6).prop_map(Step::Together),
        6 => (keys.clone(), 0_u64..12).prop_map(|(key, back)| Step::Get { key, back }),
        6 => (prefixes.clone(), prop::option::of(keys), 1_usize..5, 0_u64..12)
            .prop_map(|(prefix, start, limit, back)| Step::Scan { prefix, start, limit, back }),
        3 => (prefixes, 0_u64..12).prop_map(|(prefix, back)| Step::Watch { prefix, back }),
        2 => (0_u64..8).prop_map(|back| Step::Compact { back }),
        2 => Just(Step::Reopen),
        2 => any::<u64>().prop_map(|seed| Step::PowerCut { seed }),
        3 => (0_u64..60, any::<u64>()).prop_map(|(changes, seed)| Step::CutAfter { changes, seed }),
    ]
}

/// The store with the disk under it and the model beside it.
struct Twin {
    disk: MemDisk,
    store: EmbeddedStore,
    model: Model,
}

async fn open(disk: &MemDisk, history: u64) -> Result<EmbeddedStore, Error> {
    let options = EmbeddedOptions { history_revisions: history, cache_bytes: 1 << 20, ..EmbeddedOptions::default() };
    EmbeddedStore::open_with(Arc::new(disk.clone()), PATH, options).await
}

/// The power has gone: nothing else may be wrong.
fn assert_power(failed: &Error) {
    let kind = failed.kind();
    assert!(matches!(kind, ErrorKind::Unavailable | ErrorKind::Indeterminate), "{failed:?}");
}

impl Twin {
    async fn new(history: u64) -> Self {
        let disk = MemDisk::new();
        let store = open(&disk, history).await.unwrap();
        Self { disk, store, model: Model::new(history) }
    }

    /// The next life after the power went. `outcomes` are the models that the open calls allow, in order.
    async fn reboot(&mut self, outcomes: Vec<Model>) {
        loop {
            self.disk = self.disk.reboot();
            match open(&self.disk, self.model.history).await {
                Ok(store) => {
                    self.store = store;
                    break;
                }
                Err(failed) => assert_power(&failed),
            }
        }
        let revision = self.store.revision().await.unwrap().0;
        let mut possible = outcomes.into_iter().filter(|model| model.revision() == revision);
        self.model = possible.next().unwrap_or_else(|| panic!("revision {revision} is of no allowed outcome"));
        // Outcomes of one revision differ in how much history they forgot.
        for other in possible {
            if self.store.get("a", At::Revision(Revision(self.model.floor))).await.is_err() {
                self.model = other;
            }
        }
        self.model.assert_same(&self.store).await;
    }

    async fn commit(&mut self, plans: &[Plan]) {
        // Guards are filled in as if each had seen those before it.
        let mut states = vec![self.model.clone()];
        let mut asked = Vec::new();
        let mut expected = Vec::new();
        for plan in plans {
            let mut model = states.last().unwrap().clone();
            let (guards, writes) = plan.fill(&model);
            expected.push(model.commit(&guards, &writes));
            asked.push((guards, writes));
            states.push(model);
        }
        let calls = asked.into_iter().map(|(guards, writes)| self.store.commit(guards, writes));
        let results = join_all(calls).await;
        // How many are surely there, and how many may be.
        let (mut sure, mut may) = (0, 0);
        let mut power = true;
        for (i, (result, expected)) in results.iter().zip(&expected).enumerate() {
            match (result, expected) {
                (Ok(told), Ok(revision)) => assert_eq!(told, revision),
                (Err(Error::Conflict { key, .. }), Err(expected)) => assert_eq!(key, expected),
                (Err(failed), _) => {
                    assert_power(failed);
                    if failed.kind() == ErrorKind::Indeterminate {
                        may = may.max(i + 1);
                    }
                    power = false;
                    continue;
                }
                (result, expected) => panic!("{result:?} instead of {expected:?}"),
            }
            assert!(power, "answers come in order");
            sure = i + 1;
        }
        if power {
            self.model = states.pop().unwrap();
        } else {
            self.reboot(states[sure..=may.max(sure)].to_vec()).await;
        }
    }

    async fn compact(&mut self, back: u64) {
        let below = self.model.revision().saturating_sub(back);
        let mut after = self.model.clone();
        after.floor = after.floor.max(below);
        match self.store.compact(Revision(below)).await {
            Ok(()) => self.model = after,
            Err(failed) => {
                assert_power(&failed);
                self.reboot(vec![self.model.clone(), after]).await;
            }
        }
    }

    async fn step(&mut self, step: &Step) {
        let at = |back: u64| At::Revision(Revision(self.model.revision().saturating_sub(back)));
        let past = |back: u64| {
            let at = self.model.revision().saturating_sub(back);
            (at >= self.model.floor).then_some(at)
        };
        match step {
            Step::Commit(plan) => self.commit(std::slice::from_ref(plan)).await,
            Step::Together(plans) => self.commit(plans).await,
            Step::Get { key, back } => match (self.store.get(KEYS[*key], at(*back)).await, past(*back)) {
                (Ok(found), Some(at)) => assert_eq!(found.as_ref(), self.model.state(at).get(KEYS[*key])),
                (Err(Error::Compacted { oldest, .. }), None) => assert_eq!(oldest.0, self.model.floor),
                (other, past) => panic!("{other:?} at {past:?}"),
            },
            Step::Scan { prefix, start, limit, back } => {
                let (prefix, start) = (PREFIXES[*prefix], start.map(|start| KEYS[start]));
                match (self.store.scan(prefix, start, *limit, at(*back)).await, past(*back)) {
                    (Ok(page), Some(at)) => {
                        let from = start.unwrap_or("");
                        let all = self.model.state(at).values();
                        let mut all = all.filter(|entry| entry.key.starts_with(prefix) && entry.key.as_str() >= from);
                        let expected: Vec<Entry> = all.by_ref().take(*limit).cloned().collect();
                        assert_eq!((page.entries, page.revision.0), (expected, at));
                        assert_eq!(page.next, all.next().map(|entry| entry.key.clone()));
                    }
                    (Err(Error::Compacted { .. }), None) => {}
                    (other, past) => panic!("{other:?} at {past:?}"),
                }
            }
            Step::Watch { prefix, back } => {
                if let Some(after) = past(*back) {
                    self.model.assert_watch(&self.store, PREFIXES[*prefix], after).await;
                }
            }
            Step::Compact { back } => self.compact(*back).await,
            Step::Reopen => {
                let closed = self.store.close().await;
                // The power may go while it closes, or while it opens again.
                self.disk = if closed.is_ok() { self.disk.clone() } else { self.disk.reboot() };
                self.reboot(vec![self.model.clone()]).await;
            }
            Step::PowerCut { seed } => {
                self.disk = self.disk.power_cut(*seed);
                self.reboot(vec![self.model.clone()]).await;
            }
            Step::CutAfter { changes, seed } => self.disk.cut_after(*changes, *seed),
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, max_shrink_iters: 2_000, ..ProptestConfig::default() })]

    #[test]
    fn behaves_as_a_list_of_states(
        history in prop_oneof![Just(5_u64), Just(1_000)],
        steps in prop::collection::vec(step(), 1..80),
    ) {
        run(async {
            let mut twin = Twin::new(history).await;
            for step in &steps {
                twin.step(step).await;
            }
            twin.disk = twin.disk.power_cut(1);
            twin.reboot(vec![twin.model.clone()]).await;
        });
    }
}
