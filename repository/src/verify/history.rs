//! What is wrong with a log, record by record. Pure.
//!
//! A checker that stops at the first illegal record says little of what is behind it. This one goes on: links are
//! checked between records that follow each other, actions as long as all records before were sound.

use super::case::Found;
use super::report::FindingKind;
use crate::fold::{State, Violation, check_link};
use crate::manifest::SnapshotSummary;
use crate::names::commit_name;
use crate::record::{Action, Record};
use std::collections::BTreeMap;

/// What the records so far add up to.
#[derive(Debug)]
pub(super) struct History {
    /// None when a record before was not sound: then nothing can be said of the state.
    state: Option<State>,
    /// The state before records that cannot be read, as long as nothing was read behind them.
    before_gap: Option<State>,
    before: Option<(Record, String)>,
    /// The repository that all records must be of, once it is known.
    repository: Option<String>,
}

impl History {
    /// Of a log that begins at its first record; `repository` is the identity's id.
    pub(super) fn new(repository: Option<String>) -> Self {
        Self { state: Some(State::default()), before_gap: None, before: None, repository }
    }

    /// Takes the next record; gives what is wrong with it.
    pub(super) fn next(&mut self, record: Record, hash: String) -> Option<Found> {
        self.before_gap = None;
        let object = commit_name(record.generation);
        let found = self.judge(&record, &object);
        if self.repository.is_none() {
            self.repository = Some(record.repository.clone());
        }
        // What stands in the wrong history says nothing of the record behind it.
        let foreign = found.as_ref().is_some_and(|found| found.kind == FindingKind::ForkedLog);
        self.before = if foreign { None } else { Some((record, hash)) };
        if found.is_some() {
            self.state = None;
        }
        found
    }

    fn judge(&mut self, record: &Record, object: &str) -> Option<Found> {
        let forked = |expected: String, found: String| Found::new(FindingKind::ForkedLog, object, 0, expected, found);
        let illegal = |violation: &Violation| {
            Found::new(FindingKind::BadRecord, object, 0, "a legal next record", violation.to_string())
        };
        if let Some(repository) = &self.repository
            && record.repository != *repository
        {
            let found = format!("a record of repository {}", record.repository);
            return Some(forked(format!("a record of repository {repository}"), found));
        }
        match &self.before {
            Some((previous, hash)) => match check_link(previous, hash, record) {
                Ok(()) => {}
                Err(Violation::Chain) => {
                    let found = format!("a record behind one with {}", hash_of(record));
                    let expected = format!("a record behind generation {} with blake3 {hash}", previous.generation);
                    return Some(forked(expected, found));
                }
                Err(violation) => return Some(illegal(&violation)),
            },
            None if self.state.is_some() && !matches!(record.action, Action::Genesis { .. }) => {
                return Some(illegal(&Violation::Genesis));
            }
            None => {}
        }
        match self.state.take()?.after(record) {
            Err(violation) => Some(illegal(&violation)),
            Ok(state) => {
                self.state = Some(state);
                None
            }
        }
    }

    /// A record is missing, or cannot be read.
    pub(super) fn gap(&mut self) {
        if let Some(state) = self.state.take() {
            self.before_gap = Some(state);
        }
        self.before = None;
    }

    /// The snapshots by label, as long as that is known.
    pub(super) fn snapshots(&self) -> Option<&BTreeMap<String, SnapshotSummary>> {
        self.state.as_ref().map(|state| &state.snapshots)
    }

    /// The snapshots by label where the log can be read no further.
    pub(super) fn snapshots_before_gap(&self) -> Option<&BTreeMap<String, SnapshotSummary>> {
        self.before_gap.as_ref().map(|state| &state.snapshots)
    }
}

fn hash_of(record: &Record) -> String {
    record.previous.as_ref().map_or_else(|| "no hash".to_owned(), |hash| format!("blake3 {hash}"))
}
