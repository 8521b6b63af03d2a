//! Which objects are garbage. Pure.
//!
//! The four tests. An object that belongs to a session is deleted at a generation `g` when all hold:
//! 1. its session was opened at or before `g`;
//! 2. its session is not open at `g`;
//! 3. nothing reachable at `g` refers to it;
//! 4. nothing reachable at the opening generation of a session open at `g` refers to it.
//!
//! What fails all four is dead for ever, so the plan may be old, made twice, or carried out late.

use super::names::{NameList, Names};
use crate::names::{Generation, ObjectName, Owner};
use crate::objects::Listed;
use std::collections::BTreeSet;
use std::fmt;

/// The state at which a plan is made.
#[derive(Debug, Clone, Default)]
pub(crate) struct View {
    /// The generation `g`.
    pub(crate) generation: u64,
    /// Tokens of the sessions open at `g`.
    pub(crate) sessions: BTreeSet<String>,
    /// Objects reachable at `g`.
    pub(crate) reachable: Names,
    /// Objects reachable at the opening generation of a session open at `g`; those reachable at `g` may be left out.
    pub(crate) pinned: Names,
}

/// One of the four tests. Only the tests of this crate leave one out, to show what it is good for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Test {
    Generation,
    Session,
    Reachable,
    Pinned,
}

/// What a sweep is going to delete; made by [`Repository::sweep_plan`](crate::Repository::sweep_plan) alone.
///
/// It takes some 60 bytes of memory for each object to delete.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SweepPlan {
    generation: Generation,
    delete: NameList,
    kept: u64,
    foreign: u64,
}

impl SweepPlan {
    /// The generation at which it was made.
    pub fn generation(&self) -> Generation {
        self.generation
    }

    /// The objects to delete with their lengths in bytes, sorted by name.
    pub fn objects(&self) -> impl ExactSizeIterator<Item = (String, u64)> {
        self.delete.iter()
    }

    /// Bytes in the objects to delete.
    pub fn bytes(&self) -> u64 {
        self.delete.bytes()
    }

    /// Objects that were looked at and stay.
    pub fn kept(&self) -> u64 {
        self.kept
    }

    /// Objects that are none of the repository's, and stay.
    pub fn foreign(&self) -> u64 {
        self.foreign
    }

    pub(crate) fn new(view: &View) -> Self {
        let generation = Generation(view.generation);
        Self { generation, delete: NameList::default(), kept: 0, foreign: 0 }
    }

    /// Judges an object; each is to be shown once.
    pub(crate) fn judge(&mut self, view: &View, listed: &Listed, left_out: Option<Test>) {
        let parsed = ObjectName::parse(&listed.name);
        if parsed == ObjectName::Foreign {
            self.foreign += 1;
        } else if dead(view, &listed.name, &parsed, left_out) {
            self.delete.push(&listed.name, listed.len_bytes);
        } else {
            self.kept += 1;
        }
    }

    /// The plan, when all has been judged.
    pub(crate) fn finish(mut self) -> Self {
        self.delete.sort();
        self
    }
}

impl fmt::Display for SweepPlan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "sweep at generation {}: delete {} objects of {} bytes, keep {}, leave {} foreign ones alone",
            self.generation,
            self.objects().len(),
            self.bytes(),
            self.kept,
            self.foreign
        )?;
        self.objects().try_for_each(|(name, len_bytes)| writeln!(f, "delete {name} ({len_bytes} bytes)"))
    }
}

/// Judges every listed object.
pub(crate) fn plan(view: &View, listed: impl IntoIterator<Item = Listed>, left_out: Option<Test>) -> SweepPlan {
    let mut plan = SweepPlan::new(view);
    listed.into_iter().for_each(|listed| plan.judge(view, &listed, left_out));
    plan.finish()
}

/// The four tests.
pub(crate) fn dead(view: &View, name: &str, parsed: &ObjectName, left_out: Option<Test>) -> bool {
    match parsed {
        ObjectName::Page(owner) | ObjectName::Data(owner) => {
            ended(view, owner, left_out)
                && (left_out == Some(Test::Reachable) || !view.reachable.contains(name))
                && (left_out == Some(Test::Pinned) || !view.pinned.contains(name))
        }
        // Nothing refers to an unfinished upload; only its writer's life counts.
        ObjectName::Unfinished(target) => match &**target {
            ObjectName::Page(owner) | ObjectName::Data(owner) => ended(view, owner, left_out),
            ObjectName::Commit(generation) => generation.0 <= view.generation,
            ObjectName::Identity => true,
            ObjectName::Unfinished(_) | ObjectName::Foreign => false,
        },
        ObjectName::Identity | ObjectName::Commit(_) | ObjectName::Foreign => false,
    }
}

/// Tests 1 and 2.
fn ended(view: &View, owner: &Owner, left_out: Option<Test>) -> bool {
    (left_out == Some(Test::Generation) || owner.generation.0 <= view.generation)
        && (left_out == Some(Test::Session) || !view.sessions.contains(&owner.token))
}

#[cfg(test)]
mod tests;
