//! The model's states: a log, a store, and who works on them. Small, for there are many of them.

use super::{Protocol, Weak};
use crate::fold::State;
use crate::log::{Answer, Fate};
use crate::manifest::SnapshotSummary;
use crate::names::{Generation, ObjectName, Owner, Purpose, SessionId};
use crate::record::Action;
use crate::sweep::{Test, View, dead};
use std::hash::{Hash, Hasher};
use std::sync::{Arc, OnceLock};

/// An object: whose it is, and what.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Name {
    generation: u8,
    owner: u8,
    /// 0 for payload; of a page of the index, 1 more than the slot that it is for.
    page: u8,
}

/// Owners that are no sessions: who drops.
const DROPPER: u8 = 100;

fn token(owner: u8) -> String {
    format!("{:032x}", u32::from(owner) + 1)
}

impl Name {
    pub(super) fn data(generation: u8, owner: u8) -> Self {
        Self { generation, owner, page: 0 }
    }

    /// As it is in a repository.
    fn text(self) -> String {
        let owner = Owner { generation: Generation(u64::from(self.generation)), token: token(self.owner) };
        if self.page == 0 { owner.data("x") } else { owner.page(&format!("{:064x}", self.page)) }
    }

    pub(super) fn is_dead(self, view: &View, left_out: Option<Test>) -> bool {
        let text = self.text();
        dead(view, &text, &ObjectName::parse(&text), left_out)
    }
}

/// What a record does; a slot and a life make it different from every other, as its token does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Step {
    Genesis,
    Open { session: u8, life: u8, slot: u8 },
    Commit { session: u8, life: u8, slot: u8, content: Name },
    Fence { session: u8 },
    Drop { label: u8, by: u8, slot: u8 },
    Hold { label: u8 },
    Release { label: u8 },
}

impl Step {
    /// The slot of a record that is put with care.
    pub(super) fn slot(&self) -> Option<u8> {
        match self {
            Self::Open { slot, .. } | Self::Commit { slot, .. } | Self::Drop { slot, .. } => Some(*slot),
            Self::Genesis | Self::Fence { .. } | Self::Hold { .. } | Self::Release { .. } => None,
        }
    }

    /// The record's action. A session commits one snapshot, whose label is the session's number.
    fn action(&self) -> Option<Action> {
        let timestamp = "2026-01-01".to_owned();
        Some(match self {
            Self::Genesis => return None,
            Self::Open { session, .. } => {
                Action::Open { session: session_id(*session), purpose: Purpose::Backup, owner: String::new() }
            }
            Self::Commit { session, .. } => {
                let snapshot = SnapshotSummary::sample(label_text(*session), session_id(*session));
                Action::Commit { snapshot: Box::new(snapshot) }
            }
            Self::Fence { session } => Action::Fence { session: session_id(*session) },
            Self::Drop { label, .. } => Action::Drop { label: label_text(*label), timestamp },
            Self::Hold { label } => {
                Action::Hold { label: label_text(*label), timestamp, reason: "audit".to_owned(), since_ms: 0 }
            }
            Self::Release { label } => Action::Release { label: label_text(*label), timestamp },
        })
    }
}

fn session_id(number: u8) -> SessionId {
    format!("0.{}", token(number)).parse().unwrap()
}

fn label_text(session: u8) -> String {
    format!("s{session:02}")
}

fn number_of(label: &str) -> u8 {
    label.trim_start_matches('s').parse().unwrap()
}

/// A record and what it, and all before it, make true. Two are equal when their steps are.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    step: Step,
    state: State,
    /// What each snapshot refers to, by label.
    content: Vec<(u8, Name)>,
    /// The page of the index.
    root: Option<Name>,
    /// All that is reachable, sorted.
    pub(super) live: Vec<Name>,
    view: OnceLock<View>,
}

impl PartialEq for Entry {
    fn eq(&self, other: &Self) -> bool {
        self.step == other.step
    }
}

impl Hash for Entry {
    fn hash<H: Hasher>(&self, hasher: &mut H) {
        self.step.hash(hasher);
    }
}

impl Entry {
    /// Open sessions.
    pub(super) fn sessions(&self) -> impl Iterator<Item = u8> {
        self.state.sessions.keys().map(|id| u8::try_from(u32::from_str_radix(id.token(), 16).unwrap() - 1).unwrap())
    }

    /// Snapshots, and whether each is held.
    pub(super) fn labels(&self) -> impl Iterator<Item = (u8, bool)> {
        self.state.snapshots.values().map(|row| (number_of(&row.label), row.hold.is_some()))
    }

    /// What snapshots refer to, each once.
    pub(super) fn content(&self) -> Vec<Name> {
        let mut names: Vec<Name> = self.content.iter().map(|(_, name)| *name).collect();
        names.sort();
        names.dedup();
        names
    }
}

/// The log.
#[derive(Debug, Clone, PartialEq, Hash)]
pub(super) struct Chain(Vec<Arc<Entry>>);

impl Chain {
    pub(super) fn genesis() -> Self {
        let (step, state) = (Step::Genesis, State::default());
        let (content, live, view) = (Vec::new(), Vec::new(), OnceLock::new());
        Self(vec![Arc::new(Entry { step, state, content, root: None, live, view })])
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    pub(super) fn newest(&self) -> u8 {
        u8::try_from(self.0.len() - 1).unwrap()
    }

    /// The slot that is free.
    pub(super) fn next(&self) -> u8 {
        self.newest() + 1
    }

    pub(super) fn at(&self, generation: u8) -> &Entry {
        &self.0[usize::from(generation)]
    }

    pub(super) fn head(&self) -> &Entry {
        self.at(self.newest())
    }

    pub(super) fn in_slot(&self, slot: Option<u8>) -> Option<Step> {
        self.0.get(usize::from(slot?)).map(|entry| entry.step)
    }

    fn steps(&self) -> impl Iterator<Item = Step> {
        self.0.iter().map(|entry| entry.step)
    }

    /// The next entry, if the rules allow the step. It is not in the log by that.
    pub(super) fn append(&self, model: &Protocol, step: Step) -> Option<Entry> {
        let head = self.head();
        let mut state = head.state.clone();
        let generation = Generation(u64::from(self.next()));
        state.change(generation, &step.action()?, model.rules()).ok()?;
        let mut content = head.content.clone();
        if let Step::Commit { session, content: name, .. } = step {
            content.push((session, name));
        }
        content.retain(|(label, _)| state.snapshots.contains_key(&label_text(*label)));
        let root = match self.index_page(model, &step) {
            Some(page) => Some(page),
            None => head.root,
        };
        let root = root.filter(|_| !content.is_empty());
        let mut live: Vec<Name> = content.iter().map(|(_, name)| *name).chain(root).collect();
        live.sort();
        live.dedup();
        Some(Entry { step, state, content, root, live, view: OnceLock::new() })
    }

    /// The page of the index that a step rewrites: the session's, or one under the generation that it wants to make.
    pub(super) fn index_page(&self, model: &Protocol, step: &Step) -> Option<Name> {
        if !model.index {
            return None;
        }
        match step {
            Step::Commit { session, slot, .. } => {
                let opened =
                    self.steps().position(|step| matches!(step, Step::Open { session: s, .. } if s == *session));
                Some(Name { generation: u8::try_from(opened?).unwrap(), owner: *session, page: slot + 1 })
            }
            Step::Drop { by, slot, .. } => Some(Name { generation: *slot, owner: DROPPER + by, page: slot + 1 }),
            _ => None,
        }
    }

    /// What became of a session.
    pub(super) fn fate(&self, session: u8) -> Told {
        let (id, mut fate) = (session_id(session), Fate::Unknown);
        for (generation, entry) in (0u64..).zip(&self.0) {
            if let Some(action) = entry.step.action() {
                fate = fate.then(&id, Generation(generation), &action);
            }
        }
        match fate {
            Fate::Unknown => Told::Nothing,
            Fate::Open(generation) => Told::Open(u8::try_from(generation.0).unwrap()),
            Fate::Committed(..) => Told::Committed,
            Fate::Ended(_) => Told::Ended,
        }
    }

    /// What a sweep sees that looks at a generation.
    pub(super) fn view(&self, generation: u8) -> &View {
        let entry = self.at(generation);
        entry.view.get_or_init(|| {
            let open = &entry.state.sessions;
            let pinned = open.values().flat_map(|session| &self.0[usize::try_from(session.generation.0).unwrap()].live);
            View {
                generation: u64::from(generation),
                sessions: open.keys().map(|id| id.token().to_owned()).collect(),
                reachable: entry.live.iter().map(|name| name.text()).collect(),
                pinned: pinned.map(|name| name.text()).collect(),
            }
        })
    }

    /// Whether a snapshot that is held was there at the next generation too.
    pub(super) fn holds_hold(&self) -> bool {
        self.0.windows(2).all(|pair| {
            let after = &pair[1].state.snapshots;
            pair[0].state.snapshots.values().filter(|row| row.hold.is_some()).all(|row| after.contains_key(&row.label))
        })
    }
}

/// A record on its way into its slot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Append {
    pub(super) step: Step,
    /// What the store said to the last put; none before it, and when that is settled.
    pub(super) answer: Option<Answer>,
}

impl Append {
    pub(super) fn label(&self) -> u8 {
        if let Step::Drop { label, .. } = self.step { label } else { u8::MAX }
    }

    pub(super) fn dropped(&self) -> Dropper {
        Dropper::Done { label: self.label(), told: true }
    }
}

/// What a writer is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Told {
    Nothing,
    Open(u8),
    Committed,
    Ended,
}

/// Where a writer is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Pc {
    Idle,
    Plan { opening: u8 },
    Put(Name),
    Ready(Name),
    Append(Append),
    Done(Told),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Writer {
    pub(super) life: u8,
    pub(super) pc: Pc,
}

/// Where somebody is who drops a snapshot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Dropper {
    Idle,
    Append(Append),
    /// Its slot was taken.
    Again {
        label: u8,
    },
    /// Told that it dropped the snapshot, or that there is none or it is held.
    Done {
        label: u8,
        told: bool,
    },
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Sweeper {
    pub(super) runs: u8,
    pub(super) looks_at: Option<u8>,
    /// What is still to be deleted, the next one last.
    pub(super) doomed: Vec<Name>,
}

#[derive(Debug, Clone, PartialEq, Hash)]
pub(super) struct World {
    pub(super) chain: Chain,
    /// Sorted, as the next two.
    pub(super) store: Vec<Name>,
    pub(super) late: Vec<Name>,
    pub(super) flying: Vec<Step>,
    pub(super) writers: Vec<Writer>,
    pub(super) droppers: Vec<Dropper>,
    pub(super) sweepers: Vec<Sweeper>,
    pub(super) fences: u8,
    pub(super) holds: u8,
    pub(super) losses: u8,
}

fn add<T: Ord>(all: &mut Vec<T>, one: T) {
    if let Err(place) = all.binary_search(&one) {
        all.insert(place, one);
    }
}

impl World {
    pub(super) fn writer(&mut self, number: u8) -> &mut Writer {
        &mut self.writers[usize::from(number)]
    }

    pub(super) fn dropper(&mut self, number: u8) -> &mut Dropper {
        &mut self.droppers[usize::from(number)]
    }

    pub(super) fn sweeper(&mut self, number: u8) -> &mut Sweeper {
        &mut self.sweepers[usize::from(number)]
    }

    pub(super) fn stored(&mut self, name: Name) {
        add(&mut self.store, name);
    }

    pub(super) fn is_late(&mut self, name: Name) {
        add(&mut self.late, name);
    }

    pub(super) fn flies(&mut self, step: Step) {
        add(&mut self.flying, step);
    }

    pub(super) fn push(&mut self, entry: Entry) {
        self.chain.0.push(Arc::new(entry));
        // What is on its way to a slot that is taken cannot land.
        let next = self.chain.next();
        self.flying.retain(|step| step.slot() >= Some(next));
    }

    /// Whether everybody was told what is so: who committed or dropped finds its record, once; who was told that it did
    /// not finds none.
    pub(super) fn is_truthful(&self, model: &Protocol) -> bool {
        let writers = (0u8..).zip(&self.writers).all(|(number, writer)| {
            let session = model.session(number, writer.life);
            let commits = self
                .chain
                .steps()
                .filter(|step| matches!(step, Step::Commit { session: s, .. } if *s == session))
                .count();
            match writer.pc {
                Pc::Done(Told::Committed) => commits == 1,
                Pc::Done(Told::Ended | Told::Nothing | Told::Open(_)) => commits == 0,
                Pc::Idle | Pc::Plan { .. } | Pc::Put(_) | Pc::Ready(_) | Pc::Append(_) => commits <= 1,
            }
        });
        let droppers = (0u8..).zip(&self.droppers).all(|(number, dropper)| {
            let drops =
                self.chain.steps().filter(|step| matches!(step, Step::Drop { by, .. } if *by == number)).count();
            match dropper {
                Dropper::Done { told, .. } => drops == usize::from(*told),
                Dropper::Idle | Dropper::Append(_) | Dropper::Again { .. } => drops <= 1,
            }
        });
        writers && droppers
    }

    /// Whether a sweep that looks at the newest generation would leave nothing but what is reachable, once all sessions
    /// have ended.
    pub(super) fn is_tidy(&self, model: &Protocol) -> bool {
        let head = self.chain.head();
        if !head.state.sessions.is_empty() || model.weak.is_some_and(|weak| weak != Weak::ReuseFromHead) {
            return true;
        }
        let view = self.chain.view(self.chain.newest());
        // A drop's page belongs to a slot that may not be decided yet.
        let decided = |name: &&Name| name.generation <= self.chain.newest();
        self.store.iter().filter(decided).all(|name| head.live.contains(name) || name.is_dead(view, None))
    }
}
