//! Which objects are garbage. Pure.
//!
//! The four tests. An object that belongs to a session is deleted at a generation `g` when all hold:
//! 1. its session was opened at or before `g`;
//! 2. its session is not open at `g`;
//! 3. nothing reachable at `g` refers to it;
//! 4. nothing reachable at the opening generation of a session open at `g` refers to it.
//!
//! What fails all four is dead for ever, so the plan may be old, made twice, or carried out late.

use crate::names::{Generation, ObjectName, Owner};
use crate::objects::Listed;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// The state at which a plan is made.
#[derive(Debug, Clone, Default)]
pub(crate) struct View {
    /// The generation `g`.
    pub(crate) generation: u64,
    /// Sessions open at `g`: token to opening generation.
    pub(crate) sessions: BTreeMap<String, Generation>,
    /// Objects reachable at `g`.
    pub(crate) reachable: BTreeSet<String>,
    /// Objects reachable at the opening generation of a session open at `g`.
    pub(crate) pinned: BTreeSet<String>,
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
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SweepPlan {
    pub(crate) generation: Generation,
    pub(crate) delete: Vec<(String, u64)>,
    kept: u64,
    foreign: u64,
}

impl SweepPlan {
    /// The generation at which it was made.
    pub fn generation(&self) -> Generation {
        self.generation
    }

    /// The objects to delete with their lengths in bytes, sorted by name.
    pub fn objects(&self) -> impl Iterator<Item = (&str, u64)> {
        self.delete.iter().map(|(name, len_bytes)| (name.as_str(), *len_bytes))
    }

    /// Bytes in the objects to delete.
    pub fn bytes(&self) -> u64 {
        self.delete.iter().map(|(_, len_bytes)| *len_bytes).fold(0, u64::saturating_add)
    }

    /// Objects that were looked at and stay.
    pub fn kept(&self) -> u64 {
        self.kept
    }

    /// Objects that are none of the repository's, and stay.
    pub fn foreign(&self) -> u64 {
        self.foreign
    }
}

impl fmt::Display for SweepPlan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "sweep at generation {}: delete {} objects of {} bytes, keep {}, leave {} foreign ones alone",
            self.generation,
            self.delete.len(),
            self.bytes(),
            self.kept,
            self.foreign
        )?;
        self.delete.iter().try_for_each(|(name, len_bytes)| writeln!(f, "delete {name} ({len_bytes} bytes)"))
    }
}

/// Judges every listed object.
pub(crate) fn plan(view: &View, listed: impl IntoIterator<Item = Listed>, left_out: Option<Test>) -> SweepPlan {
    let mut plan = SweepPlan { generation: Generation(view.generation), delete: Vec::new(), kept: 0, foreign: 0 };
    for Listed { name, len_bytes } in listed {
        let parsed = ObjectName::parse(&name);
        if parsed == ObjectName::Foreign {
            plan.foreign += 1;
        } else if dead(view, &name, &parsed, left_out) {
            plan.delete.push((name, len_bytes));
        } else {
            plan.kept += 1;
        }
    }
    plan.delete.sort();
    plan
}

fn dead(view: &View, name: &str, parsed: &ObjectName, left_out: Option<Test>) -> bool {
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
        && (left_out == Some(Test::Session) || !view.sessions.contains_key(&owner.token))
}

#[cfg(test)]
mod tests;
