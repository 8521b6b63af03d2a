//! The protocol as a model, checked exhaustively at small bounds and at random at large ones.
//!
//! The model is of this crate's own code: states of the log are [`State::change`], what a sweep deletes is
//! [`dead`](crate::sweep::dead), an answer that was lost is settled by [`Answer::settle`], a session's fate is
//! [`Fate::then`]. Around them are processes that may stop at any point, requests that land late or without an answer,
//! sweeps that look at any old generation and delete one object at a time.
//!
//! Each rule that is left out must be seen to lose data or to lie, or the harness proves nothing.

#![allow(
    clippy::allow_attributes,
    clippy::match_same_arms,
    clippy::trivially_copy_pass_by_ref,
    clippy::type_complexity,
    clippy::unused_self,
    clippy::wildcard_enum_match_arm,
    reason = "states are many and small, and most acts are of no interest to most rules"
)]

mod tests;
mod world;

use crate::fold::Rules;
use crate::log::{Answer, Settled};
use crate::sweep::Test;
use stateright::{Model, Property};
use world::{Append, Chain, Dropper, Entry, Name, Pc, Step, Sweeper, Told, World, Writer};

/// What is left out or done wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Weak {
    /// A sweep leaves out one of the four tests.
    Test(Test),
    /// A session need not be open to commit.
    CommitWhenEnded,
    /// A writer reuses what is reachable when it plans, and sweeps ignore pins.
    ReuseFromHead,
    /// Objects are named by their content alone, and names are used again.
    NamesByContent,
    /// "Exists already" is taken for another's record.
    ExistsIsAnothers,
    /// "Exists already" is taken for one's own record.
    ExistsIsMine,
    /// An answer that was lost counts as a record that was not made.
    LostIsNotMade,
}

/// Bounds, and what is weakened.
#[derive(Debug, Clone)]
struct Protocol {
    writers: u8,
    /// How often a writer may be started.
    lives: u8,
    /// Whether a writer's next life goes on with the session of the one before.
    resume: bool,
    sweepers: u8,
    /// How often each sweeper may run.
    runs: u8,
    /// Whether a sweep may look at an old generation. If not it looks at the newest one, and lists some time later.
    stale: bool,
    drops: u8,
    fences: u8,
    holds: u8,
    /// How many answers to puts of records may be lost, or be "exists" for no reason.
    losses: u8,
    /// Whether pages of the snapshot index are objects of their own.
    index: bool,
    chain_max: usize,
    weak: Option<Weak>,
}

impl Protocol {
    /// The least that is of any interest.
    const SMALL: Self = Self {
        writers: 2,
        lives: 1,
        resume: false,
        sweepers: 1,
        runs: 1,
        stale: true,
        drops: 1,
        fences: 1,
        holds: 0,
        losses: 0,
        index: false,
        chain_max: 6,
        weak: None,
    };

    fn is(&self, weak: Weak) -> bool {
        self.weak == Some(weak)
    }

    fn rules(&self) -> Rules {
        Rules { open_to_commit: !self.is(Weak::CommitWhenEnded) }
    }

    fn left_out(&self) -> Option<Test> {
        match self.weak? {
            Weak::Test(test) => Some(test),
            Weak::ReuseFromHead => Some(Test::Pinned),
            Weak::CommitWhenEnded
            | Weak::NamesByContent
            | Weak::ExistsIsAnothers
            | Weak::ExistsIsMine
            | Weak::LostIsNotMade => None,
        }
    }

    fn settle(&self, answer: Answer, own: Option<bool>) -> Settled {
        match (self.weak, answer) {
            (Some(Weak::ExistsIsAnothers), Answer::Exists) => Settled::Taken,
            (Some(Weak::ExistsIsMine), Answer::Exists) => Settled::Made,
            (Some(Weak::LostIsNotMade), Answer::Failed) => Settled::Taken,
            _ => answer.settle(own),
        }
    }

    /// The session of a writer's life.
    fn session(&self, writer: u8, life: u8) -> u8 {
        writer * self.lives + if self.resume { 0 } else { life }
    }

    /// The object that a session uploads.
    fn upload(&self, session: u8, opening: u8) -> Name {
        if self.is(Weak::NamesByContent) { Name::data(0, 99) } else { Name::data(opening, session) }
    }
}

/// What becomes of a record that is put into its slot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fall {
    /// It lands if the slot is free; the answer says so or not.
    Answered,
    /// It lands and the answer is lost.
    AnswerLost,
    /// An error is answered, and it may land later.
    Delayed,
    /// "Exists" is answered by a store that was only busy with it, and it does not land.
    Conflict,
}

/// One step of somebody.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Act {
    /// A writer opens a session, or looks for the one of its life before.
    Begin(u8),
    /// It decides to refer to what is there.
    Reuse(u8, Name),
    /// It decides to upload.
    Upload(u8),
    Put(u8),
    /// It dies; an upload on its way may land later.
    Crash(u8),
    /// It reads the newest record and checks its own against it.
    Check(u8),
    /// It puts its record.
    Record(u8, Fall),
    /// It reads the slot.
    Look(u8),
    /// The same for who drops a snapshot.
    Drop(u8, u8),
    DropRecord(u8, Fall),
    DropLook(u8),
    Fence(u8),
    Hold(u8),
    Release(u8),
    /// An upload of a dead writer lands.
    Lands(Name),
    /// A record whose sender was told of an error lands.
    RecordLands(u8),
    /// A sweeper picks the generation that it looks at.
    Sweep(u8, u8),
    List(u8),
    Delete(u8),
}

impl Model for Protocol {
    type State = World;
    type Action = Act;

    fn init_states(&self) -> Vec<World> {
        let writer = Writer { life: 0, pc: Pc::Idle };
        let sweeper = Sweeper { runs: 0, looks_at: None, doomed: Vec::new() };
        vec![World {
            chain: Chain::genesis(),
            store: Vec::new(),
            late: Vec::new(),
            flying: Vec::new(),
            writers: vec![writer; usize::from(self.writers)],
            droppers: vec![Dropper::Idle; usize::from(self.drops)],
            sweepers: vec![sweeper; usize::from(self.sweepers)],
            fences: self.fences,
            holds: self.holds,
            losses: self.losses,
        }]
    }

    fn actions(&self, world: &World, acts: &mut Vec<Act>) {
        for (number, writer) in (0u8..).zip(&world.writers) {
            self.writer_acts(world, number, writer, acts);
        }
        self.drop_acts(world, acts);
        let head = world.chain.head();
        if world.fences > 0 {
            acts.extend(head.sessions().map(Act::Fence));
        }
        for (label, held) in head.labels() {
            match (held, world.holds) {
                (false, 1..) => acts.push(Act::Hold(label)),
                (true, _) => acts.push(Act::Release(label)),
                (false, 0) => {}
            }
        }
        acts.extend(world.late.iter().map(|name| Act::Lands(*name)));
        let slots = world.flying.iter().filter(|step| step.slot() == Some(world.chain.next()));
        acts.extend(slots.filter_map(Step::slot).map(Act::RecordLands).take(1));
        for (number, sweeper) in (0u8..).zip(&world.sweepers) {
            match (sweeper.looks_at, sweeper.doomed.is_empty()) {
                (_, false) => acts.push(Act::Delete(number)),
                (Some(_), true) => acts.push(Act::List(number)),
                (None, true) if sweeper.runs >= self.runs => {}
                (None, true) => {
                    let newest = world.chain.newest();
                    let oldest = if self.stale { 0 } else { newest };
                    acts.extend((oldest..=newest).map(|generation| Act::Sweep(number, generation)));
                }
            }
        }
    }

    fn next_state(&self, last: &World, act: Act) -> Option<World> {
        let mut world = last.clone();
        match act {
            Act::Begin(writer) | Act::Check(writer) => self.check(&mut world, writer),
            Act::Reuse(writer, name) => world.writer(writer).pc = Pc::Ready(name),
            Act::Upload(writer) => {
                let Pc::Plan { opening } = world.writer(writer).pc else { return None };
                let session = self.session(writer, world.writer(writer).life);
                world.writer(writer).pc = Pc::Put(self.upload(session, opening));
            }
            Act::Put(writer) => {
                let Pc::Put(name) = world.writer(writer).pc else { return None };
                world.stored(name);
                world.writer(writer).pc = Pc::Ready(name);
            }
            Act::Crash(writer) => {
                if let Pc::Put(name) = world.writer(writer).pc {
                    world.is_late(name);
                }
                let life = world.writer(writer).life + 1;
                *world.writer(writer) = Writer { life, pc: Pc::Idle };
            }
            Act::Record(writer, fall) => {
                let Pc::Append(mut append) = world.writer(writer).pc else { return None };
                if self.fall(&mut world, &mut append, fall) {
                    self.made(&mut world, writer, append.step);
                } else {
                    world.writer(writer).pc = Pc::Append(append);
                }
            }
            Act::Look(writer) => {
                let Pc::Append(mut append) = world.writer(writer).pc else { return None };
                match self.look(&world, &mut append) {
                    Settled::Made => self.made(&mut world, writer, append.step),
                    Settled::Again => world.writer(writer).pc = Pc::Append(append),
                    Settled::Taken => {
                        world.writer(writer).pc = match append.step {
                            Step::Commit { content, .. } => Pc::Ready(content),
                            _ => Pc::Idle,
                        };
                    }
                }
            }
            Act::Drop(dropper, label) => {
                let by = dropper;
                let step = Step::Drop { label, by, slot: world.chain.next() };
                *world.dropper(dropper) = match world.chain.append(self, step) {
                    Some(_) if self.losses > 0 => Dropper::Append(Append { step, answer: None }),
                    Some(entry) => {
                        self.write_index(&mut world, &step);
                        world.push(entry);
                        Dropper::Done { label, told: true }
                    }
                    None => Dropper::Done { label, told: false },
                };
            }
            Act::DropRecord(dropper, fall) => {
                let Dropper::Append(mut append) = *world.dropper(dropper) else { return None };
                *world.dropper(dropper) =
                    if self.fall(&mut world, &mut append, fall) { append.dropped() } else { Dropper::Append(append) };
            }
            Act::DropLook(dropper) => {
                let Dropper::Append(mut append) = *world.dropper(dropper) else { return None };
                *world.dropper(dropper) = match self.look(&world, &mut append) {
                    Settled::Made => append.dropped(),
                    Settled::Again => Dropper::Append(append),
                    Settled::Taken => Dropper::Again { label: append.label() },
                };
            }
            Act::Fence(session) => {
                world.fences -= 1;
                let entry = world.chain.append(self, Step::Fence { session })?;
                world.push(entry);
            }
            Act::Hold(label) => {
                world.holds -= 1;
                let entry = world.chain.append(self, Step::Hold { label })?;
                world.push(entry);
            }
            Act::Release(label) => {
                let entry = world.chain.append(self, Step::Release { label })?;
                world.push(entry);
            }
            Act::Lands(name) => {
                world.late.retain(|late| *late != name);
                world.stored(name);
            }
            Act::RecordLands(slot) => {
                let landing = world.flying.iter().position(|step| step.slot() == Some(slot))?;
                let step = world.flying.remove(landing);
                let entry = world.chain.append(self, step)?;
                world.push(entry);
            }
            Act::Sweep(sweeper, generation) => {
                world.sweeper(sweeper).runs += 1;
                if self.stale {
                    // To look at an old state and list now is to have looked then.
                    self.list(&mut world, sweeper, generation);
                } else {
                    world.sweeper(sweeper).looks_at = Some(generation);
                }
            }
            Act::List(sweeper) => {
                let generation = world.sweeper(sweeper).looks_at.take()?;
                self.list(&mut world, sweeper, generation);
            }
            Act::Delete(sweeper) => {
                let name = world.sweeper(sweeper).doomed.pop()?;
                world.store.retain(|there| *there != name);
            }
        }
        (world.chain.len() <= self.chain_max).then_some(world)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        let safe: [(&'static str, fn(&Self, &World) -> bool); 4] = [
            ("every snapshot has what it refers to", |_, world| world.chain.head().live().is_subset_of(&world.store)),
            ("what was acknowledged is there, once", |model, world| world.is_truthful(model)),
            ("what is held stays", |_, world| world.chain.holds_hold()),
            ("nothing is garbage for ever", |model, world| world.is_tidy(model)),
        ];
        safe.into_iter().map(|(name, holds)| Property::always(name, holds)).collect()
    }
}

impl Protocol {
    fn writer_acts(&self, world: &World, number: u8, writer: &Writer, acts: &mut Vec<Act>) {
        let mortal = writer.life + 1 < self.lives;
        match &writer.pc {
            Pc::Idle if writer.life < self.lives => acts.push(Act::Begin(number)),
            Pc::Idle | Pc::Done(_) => {}
            Pc::Plan { opening } => {
                let newest = world.chain.newest();
                // Who took another's record for its own may believe in an opening that is not there.
                let from = if self.is(Weak::ReuseFromHead) { newest } else { newest.min(*opening) };
                let content = world.chain.at(from).content();
                acts.extend(content.into_iter().map(|name| Act::Reuse(number, name)));
                acts.push(Act::Upload(number));
            }
            Pc::Put(_) => acts.extend([Act::Put(number), Act::Crash(number)]),
            Pc::Ready(_) => acts.push(Act::Check(number)),
            Pc::Append(Append { answer: Some(_), .. }) => {
                acts.push(Act::Look(number));
                if mortal && self.resume {
                    acts.push(Act::Crash(number));
                }
            }
            Pc::Append(append) => acts.extend(self.falls(world, append).map(|fall| Act::Record(number, fall))),
        }
    }

    fn drop_acts(&self, world: &World, acts: &mut Vec<Act>) {
        // One after the other: who drops first is a name.
        let mut fresh = true;
        for (number, dropper) in (0u8..).zip(&world.droppers) {
            match dropper {
                Dropper::Idle if fresh => {
                    fresh = false;
                    acts.extend(world.chain.head().labels().map(|(label, _)| Act::Drop(number, label)));
                }
                Dropper::Again { label } => acts.push(Act::Drop(number, *label)),
                Dropper::Append(append) if append.answer.is_some() => acts.push(Act::DropLook(number)),
                Dropper::Append(append) => {
                    acts.extend(self.falls(world, append).map(|fall| Act::DropRecord(number, fall)));
                }
                Dropper::Idle | Dropper::Done { .. } => {}
            }
        }
    }

    /// What may become of a put.
    fn falls(&self, world: &World, append: &Append) -> impl Iterator<Item = Fall> {
        let free = append.step.slot() == Some(world.chain.next());
        let lossy = free && world.losses > 0;
        let rare = [Fall::AnswerLost, Fall::Delayed, Fall::Conflict];
        std::iter::once(Fall::Answered).chain(rare.into_iter().filter(move |_| lossy))
    }

    /// Puts a record; whether the store said "made".
    fn fall(&self, world: &mut World, append: &mut Append, fall: Fall) -> bool {
        let free = append.step.slot() == Some(world.chain.next());
        if fall != Fall::Answered {
            world.losses -= 1;
        }
        match (fall, free) {
            (Fall::Answered | Fall::AnswerLost, true) => {
                if let Some(entry) = world.chain.append(self, append.step) {
                    world.push(entry);
                }
                append.answer = Some(Answer::Failed);
                return fall == Fall::Answered;
            }
            (Fall::Answered | Fall::Conflict, _) => append.answer = Some(Answer::Exists),
            (Fall::Delayed | Fall::AnswerLost, _) => {
                world.flies(append.step);
                append.answer = Some(Answer::Failed);
            }
        }
        false
    }

    /// Reads the slot that a record was put into.
    fn look(&self, world: &World, append: &mut Append) -> Settled {
        let Some(answer) = append.answer.take() else { return Settled::Again };
        self.settle(answer, world.chain.in_slot(append.step.slot()).map(|there| there == append.step))
    }

    /// A writer looks at the newest record: opens its session, goes on with it, or commits.
    fn check(&self, world: &mut World, number: u8) {
        let Writer { life, pc } = *world.writer(number);
        let session = self.session(number, life);
        let slot = world.chain.next();
        let step = match pc {
            Pc::Ready(content) => Step::Commit { session, life, slot, content },
            _ => match world.chain.fate(session) {
                Told::Nothing => Step::Open { session, life, slot },
                Told::Open(opening) => {
                    world.writer(number).pc = Pc::Plan { opening };
                    return;
                }
                told @ (Told::Committed | Told::Ended) => {
                    world.writer(number).pc = Pc::Done(told);
                    return;
                }
            },
        };
        if world.chain.append(self, step).is_none() {
            // Not open any more: by whom it was ended, the log tells.
            world.writer(number).pc = Pc::Done(world.chain.fate(session));
            return;
        }
        let append = Append { step, answer: None };
        world.writer(number).pc = Pc::Append(append);
        self.write_index(world, &step);
        if self.losses == 0 && matches!(step, Step::Open { .. }) {
            // With prompt answers, opening is one step.
            if let Some(entry) = world.chain.append(self, step) {
                world.push(entry);
                self.made(world, number, step);
            }
        }
    }

    /// The index page that a record refers to is put before the record.
    fn write_index(&self, world: &mut World, step: &Step) {
        if let Some(page) = world.chain.index_page(self, step) {
            world.stored(page);
        }
    }

    fn made(&self, world: &mut World, number: u8, step: Step) {
        let opening = step.slot().unwrap_or(0);
        world.writer(number).pc = match step {
            Step::Open { .. } => Pc::Plan { opening },
            _ => Pc::Done(Told::Committed),
        };
    }

    fn list(&self, world: &mut World, sweeper: u8, generation: u8) {
        let view = world.chain.view(generation);
        let doomed: Vec<Name> =
            world.store.iter().rev().filter(|name| name.is_dead(view, self.left_out())).copied().collect();
        world.sweeper(sweeper).doomed = doomed;
    }
}

impl Entry {
    fn live(&self) -> Names<'_> {
        Names(&self.live)
    }
}

/// Sorted names.
struct Names<'a>(&'a [Name]);

impl Names<'_> {
    fn is_subset_of(&self, store: &[Name]) -> bool {
        self.0.iter().all(|name| store.binary_search(name).is_ok())
    }
}
