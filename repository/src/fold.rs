//! The log's meaning: `state = apply(state, record)`, with the rules that every record must keep. Pure.
//!
//! The rules, by the protocol's numbers: **I2** generations are dense and chained by hash; **I7** the set of open
//! sessions changes only by open, commit, close and fence; **I10** the same records give the same state in every
//! reader; **I9** what is held stays. A session that is not open cannot commit (so what it uploaded is dead for ever,
//! **I4**), a label is taken once, a snapshot that is not there cannot be dropped, and neither can one that is held.
//!
//! Who drops, holds or releases names a snapshot by label *and* timestamp. So a record never means another snapshot than
//! its writer did, whatever was dropped and made anew under the label in between.
//!
//! A writer checks its own record against the part of the state that the record touches; [`verify`] checks whole
//! logs against whole states. Both call [`State::apply`].

use crate::error::{Error, Result};
use crate::manifest::{Hold, SnapshotSummary};
use crate::names::{Generation, SessionId};
use crate::record::{Action, OpenSession, Record};
use env::canary::{self, Canary};
use std::collections::BTreeMap;

/// So many sessions may be open at one time: a record carries them all and stays within its bound.
pub const SESSIONS_MAX: usize = 64;
/// Longest label, in bytes.
pub const LABEL_BYTES_MAX: usize = 128;
/// Longest name of a database, owner or cluster that a record takes, in bytes.
pub const NAME_BYTES_MAX: usize = 256;
/// Longest reason of a hold, in bytes.
pub const REASON_BYTES_MAX: usize = 256;

/// Why a record is not a legal next one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Violation {
    #[error("generation {expected} was expected, not {found}")]
    Gap { expected: Generation, found: Generation },
    #[error("the hash of the record before does not match")]
    Chain,
    #[error("it belongs to repository {found}, not {expected}")]
    Repository { expected: String, found: String },
    #[error("only the first record may create a repository")]
    Genesis,
    #[error("session {0} is open already")]
    SessionOpen(SessionId),
    #[error("session {0} is not open")]
    SessionNotOpen(SessionId),
    #[error("{0} sessions are open, the limit is {max}", max = SESSIONS_MAX)]
    TooManySessions(usize),
    #[error("label {0:?} is taken")]
    LabelTaken(String),
    #[error("there is no snapshot {label:?} of {timestamp}")]
    NoSnapshot { label: String, timestamp: String },
    #[error("snapshot {label:?} is held: {}", hold.reason)]
    Held { label: String, hold: Hold },
    #[error("snapshot {0:?} is not held")]
    NotHeld(String),
    #[error("snapshot {0:?} is committed with a hold")]
    BornHeld(String),
    #[error("{0}")]
    BadName(String),
    #[error("it declares {declared} but its action gives {derived}")]
    Declared { declared: String, derived: String },
}

/// What the records up to a generation add up to.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct State {
    pub(crate) sessions: BTreeMap<SessionId, OpenSession>,
    /// By label. A writer fills in only the part that its record touches.
    pub(crate) snapshots: BTreeMap<String, SnapshotSummary>,
}

/// A rule that a test may switch off, to show what it is good for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rules {
    /// A session must be open to commit.
    pub(crate) open_to_commit: bool,
}

impl Rules {
    pub(crate) const ALL: Self = Self { open_to_commit: true };
}

impl State {
    /// The state of which a record declares the sessions; its snapshots are not filled in.
    pub(crate) fn of_sessions(sessions: &[OpenSession]) -> Self {
        let sessions = sessions.iter().map(|session| (session.id.clone(), session.clone())).collect();
        Self { sessions, snapshots: BTreeMap::new() }
    }

    /// The state after `action` makes `generation`.
    pub(crate) fn apply(mut self, generation: Generation, action: &Action) -> Result<Self, Violation> {
        let rules = if canary::sings(Canary::CommitUnchecked) { Rules { open_to_commit: false } } else { Rules::ALL };
        self.change(generation, action, rules)?;
        Ok(self)
    }

    /// The state after `record`, which must declare what its action gives.
    pub(crate) fn after(self, record: &Record) -> Result<Self, Violation> {
        let state = self.apply(record.generation, &record.action)?;
        check_declared(&state, record)?;
        Ok(state)
    }

    pub(crate) fn change(&mut self, generation: Generation, action: &Action, rules: Rules) -> Result<(), Violation> {
        match action {
            Action::Genesis { .. } => {
                if generation != Generation::GENESIS {
                    return Err(Violation::Genesis);
                }
            }
            Action::Open { session, purpose, owner } => {
                bounded("owner", owner, NAME_BYTES_MAX)?;
                if self.sessions.contains_key(session) {
                    return Err(Violation::SessionOpen(session.clone()));
                }
                if self.sessions.len() >= SESSIONS_MAX {
                    return Err(Violation::TooManySessions(self.sessions.len()));
                }
                let open = OpenSession { id: session.clone(), generation, purpose: *purpose };
                self.sessions.insert(session.clone(), open);
            }
            Action::Commit { snapshot } => {
                check_summary(snapshot)?;
                if snapshot.hold.is_some() {
                    return Err(Violation::BornHeld(snapshot.label.clone()));
                }
                if self.sessions.remove(&snapshot.session).is_none() && rules.open_to_commit {
                    return Err(Violation::SessionNotOpen(snapshot.session.clone()));
                }
                if self.snapshots.contains_key(&snapshot.label) {
                    return Err(Violation::LabelTaken(snapshot.label.clone()));
                }
                self.snapshots.insert(snapshot.label.clone(), (**snapshot).clone());
            }
            Action::Close { session } | Action::Fence { session } => {
                if self.sessions.remove(session).is_none() {
                    return Err(Violation::SessionNotOpen(session.clone()));
                }
            }
            Action::Drop { label, timestamp } => {
                if let Some(hold) = self.snapshot(label, timestamp)?.hold.clone() {
                    return Err(Violation::Held { label: label.clone(), hold });
                }
                self.snapshots.remove(label);
            }
            Action::Hold { label, timestamp, reason, since_ms } => {
                bounded("reason", reason, REASON_BYTES_MAX)?;
                let found = self.snapshot(label, timestamp)?;
                if let Some(hold) = found.hold.clone() {
                    return Err(Violation::Held { label: label.clone(), hold });
                }
                found.hold = Some(Hold { reason: reason.clone(), since_ms: *since_ms });
            }
            Action::Release { label, timestamp } => {
                if self.snapshot(label, timestamp)?.hold.take().is_none() {
                    return Err(Violation::NotHeld(label.clone()));
                }
            }
        }
        Ok(())
    }

    /// Exactly the snapshot that is meant.
    fn snapshot(&mut self, label: &str, timestamp: &str) -> Result<&mut SnapshotSummary, Violation> {
        let found = self.snapshots.get_mut(label).filter(|found| found.timestamp == timestamp);
        found.ok_or_else(|| Violation::NoSnapshot { label: label.to_owned(), timestamp: timestamp.to_owned() })
    }
}

fn bounded(what: &str, text: &str, max: usize) -> Result<(), Violation> {
    // A record stays within its bound only if nothing in it needs long escapes.
    if text.len() > max || text.chars().any(char::is_control) {
        return Err(Violation::BadName(format!(
            "{what} {text:?} is too long or has control characters; {max} bytes are allowed"
        )));
    }
    Ok(())
}

/// What the index and a record can hold.
pub(crate) fn check_summary(summary: &SnapshotSummary) -> Result<(), Violation> {
    check_label(&summary.label)?;
    let stamp = summary.timestamp.as_bytes();
    if stamp.is_empty() || stamp.len() > 32 || !stamp.iter().all(|byte| byte.is_ascii_digit() || *byte == b'-') {
        let text = format!("timestamp {:?} is not of the form yyyy-MM-dd-HH-mm-ss-SSS", summary.timestamp);
        return Err(Violation::BadName(text));
    }
    bounded("database", &summary.database, NAME_BYTES_MAX)?;
    bounded("cluster", &summary.cluster, NAME_BYTES_MAX)
}

pub(crate) fn check_label(label: &str) -> Result<(), Violation> {
    let legal = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
    if label.is_empty() || label.len() > LABEL_BYTES_MAX || !label.bytes().all(legal) {
        let text = format!("label {label:?} is not 1 to {LABEL_BYTES_MAX} of letters, digits, _ and -");
        return Err(Violation::BadName(text));
    }
    Ok(())
}

/// Whether `record` may stand behind `previous` (with hash `previous_hash`), as far as one can tell without the state.
pub(crate) fn check_link(previous: &Record, previous_hash: &str, record: &Record) -> Result<(), Violation> {
    let expected = previous.generation.next();
    if record.generation != expected {
        return Err(Violation::Gap { expected, found: record.generation });
    }
    if record.previous.as_deref() != Some(previous_hash) {
        return Err(Violation::Chain);
    }
    if record.repository != previous.repository {
        let (expected, found) = (previous.repository.clone(), record.repository.clone());
        return Err(Violation::Repository { expected, found });
    }
    Ok(())
}

/// Whether the state that `record` declares is the one that its action gives.
fn check_declared(state: &State, record: &Record) -> Result<(), Violation> {
    let derived: Vec<OpenSession> = state.sessions.values().cloned().collect();
    if record.sessions != derived {
        return Err(Violation::Declared {
            declared: format!("{} open sessions", record.sessions.len()),
            derived: format!("{}, or others", derived.len()),
        });
    }
    let snapshots = state.snapshots.len() as u64;
    if record.snapshots != snapshots || record.index.is_some() != (snapshots > 0) {
        return Err(Violation::Declared {
            declared: format!("{} snapshots", record.snapshots),
            derived: format!("{snapshots}"),
        });
    }
    Ok(())
}

/// Checks a whole log from its first record on, each with its hash, and gives the state that it adds up to.
pub(crate) fn verify<'a>(
    log: impl IntoIterator<Item = (&'a Record, &'a str)>,
) -> Result<State, (Generation, Violation)> {
    let mut state = State::default();
    let mut before: Option<(&Record, &str)> = None;
    for (record, hash) in log {
        let generation = record.generation;
        let checked = match before {
            Some((previous, previous_hash)) => check_link(previous, previous_hash, record),
            None if !matches!(record.action, Action::Genesis { .. }) => Err(Violation::Genesis),
            None => Ok(()),
        };
        state = checked.and_then(|()| state.after(record)).map_err(|violation| (generation, violation))?;
        before = Some((record, hash));
    }
    Ok(state)
}

impl From<Violation> for Error {
    fn from(violation: Violation) -> Self {
        let text = violation.to_string();
        match violation {
            Violation::TooManySessions(_) => {
                Self::Busy(format!("{text}; wait for some to end, or fence those that are dead"))
            }
            Violation::LabelTaken(label) => Self::AlreadyExists(format!("snapshot {label:?} exists in the repository")),
            Violation::NoSnapshot { .. } => Self::NotFound(format!("{text} in the repository")),
            Violation::Held { label, hold } => Self::Held { label, hold },
            Violation::NotHeld(_) | Violation::BornHeld(_) | Violation::BadName(_) => Self::Invalid(text),
            Violation::Gap { .. }
            | Violation::Chain
            | Violation::Repository { .. }
            | Violation::Genesis
            | Violation::SessionOpen(_)
            | Violation::SessionNotOpen(_)
            | Violation::Declared { .. } => Self::Internal(format!("illegal commit record: {text}")),
        }
    }
}

#[cfg(test)]
mod tests;
