//! The commit record: what one step of a repository's history says. Pure.
//!
//! A record carries what changed (`action`) and a digest of the state after it (open sessions, root of the snapshot
//! index), so that a reader of the newest record alone knows the state, and a reader of all of them can check each.

use crate::error::{Error, Result};
use crate::manifest::SnapshotSummary;
use crate::names::{Generation, Purpose, SessionId};
use crate::page::{self, FORMAT, PageRef, RECORD_BYTES_MAX};
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// Who a repository is. Stands in its first commit record and, as a copy that can be looked at, in
/// `repository.json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    /// The format of this document.
    pub format: u32,
    /// A token chosen at creation: two repositories of one name are not one.
    pub id: String,
    /// The name that it was created with.
    pub name: String,
    /// Wall clock at creation, milliseconds since 1970.
    pub created_ms: u64,
    /// What a program must know to use it: [`SINGLE_WRITER`], or nothing.
    pub features: Vec<String>,
    /// What the store promised when it was probed; empty when it was not.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub capabilities: Map<String, Value>,
}

/// The feature of a repository on a store without create-if-absent: commits are looked for, put and read back, and only
/// one writer may do so at a time.
pub const SINGLE_WRITER: &str = "single-writer";

impl Identity {
    /// Whether the repository is on a store that cannot keep writers apart, so that there may be only one.
    pub fn is_single_writer(&self) -> bool {
        self.features.iter().any(|feature| feature == SINGLE_WRITER)
    }

    /// Refuses a repository that needs what this program does not know.
    pub(crate) fn check(&self, object: &str) -> Result<()> {
        if let Some(unknown) = self.features.iter().find(|feature| *feature != SINGLE_WRITER) {
            return Err(Error::Unsupported(format!(
                "object {object:?} asks for feature {unknown:?}, which this program does not know; use a newer program"
            )));
        }
        Ok(())
    }
}

/// A session that has not ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OpenSession {
    /// Its id.
    pub id: SessionId,
    /// The generation that opened it: everything reachable there is kept for it.
    pub generation: Generation,
    /// What it is for.
    pub purpose: Purpose,
}

/// A session that has not ended, as people want to see it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SessionInfo {
    /// Its id, by which it is fenced.
    pub id: SessionId,
    /// The generation that opened it.
    pub generation: Generation,
    /// What it is for.
    pub purpose: Purpose,
    /// Whose it is, in the words of whoever opened it.
    pub owner: String,
    /// The opener's wall clock at the opening, milliseconds since 1970. A hint: clocks may be wrong.
    pub opened_ms: u64,
    /// How many commit records there are since. A hint too: a session may work for days while others come and go.
    pub commits_since: u64,
}

impl SessionInfo {
    /// What the record that opened a session says of it, at a later one.
    pub(crate) fn new(opened: &Record, session: OpenSession, now: Generation) -> Self {
        let OpenSession { id, generation, purpose } = session;
        let owner = match &opened.action {
            Action::Open { owner, .. } => owner.clone(),
            Action::Genesis { .. }
            | Action::Commit { .. }
            | Action::Close { .. }
            | Action::Fence { .. }
            | Action::Drop { .. }
            | Action::Hold { .. }
            | Action::Release { .. } => String::new(),
        };
        let commits_since = now.0.saturating_sub(generation.0);
        Self { id, generation, purpose, owner, opened_ms: opened.wall_ms, commits_since }
    }
}

/// What a record did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub(crate) enum Action {
    /// The repository was created.
    Genesis { identity: Identity },
    /// A session began.
    Open { session: SessionId, purpose: Purpose, owner: String },
    /// A session ended with a snapshot.
    Commit { snapshot: Box<SnapshotSummary> },
    /// A session ended without one.
    Close { session: SessionId },
    /// Somebody else ended a session that was believed dead.
    Fence { session: SessionId },
    /// A snapshot was taken out of the index.
    Drop { label: String, timestamp: String },
    /// A snapshot may not be dropped from now on.
    Hold { label: String, timestamp: String, reason: String, since_ms: u64 },
    /// It may again.
    Release { label: String, timestamp: String },
}

/// One commit record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Record {
    pub(crate) format: u32,
    /// The repository's id.
    pub(crate) repository: String,
    pub(crate) generation: Generation,
    /// Hash of the record before; none in the first.
    pub(crate) previous: Option<String>,
    /// By this its writer recognises it.
    pub(crate) token: String,
    /// For people only.
    pub(crate) wall_ms: u64,
    pub(crate) action: Action,
    /// After the action: the snapshot index, none when there is no snapshot.
    pub(crate) index: Option<PageRef>,
    /// After the action: how many snapshots.
    pub(crate) snapshots: u64,
    /// After the action: sorted by id.
    pub(crate) sessions: Vec<OpenSession>,
}

impl Record {
    /// The record's bytes and hash.
    pub(crate) fn seal(&self) -> Result<(Bytes, String)> {
        let (bytes, hash) = page::seal(self)?;
        if bytes.len() as u64 > RECORD_BYTES_MAX {
            return Err(Error::Invalid(format!(
                "the commit record would have {} bytes, the limit is {RECORD_BYTES_MAX}; use shorter names",
                bytes.len()
            )));
        }
        Ok((bytes, hash))
    }

    /// Reads a record back.
    pub(crate) fn unseal(object: &str, generation: Generation, bytes: &[u8]) -> Result<(Self, String)> {
        let (record, hash): (Self, String) = page::unseal(object, bytes)?;
        if record.generation != generation {
            let found = format!("generation {}", record.generation);
            return Err(Error::corrupt(object, 0, format!("generation {generation}"), found));
        }
        Ok((record, hash))
    }

    /// A first record.
    pub(crate) fn genesis(identity: Identity, wall_ms: u64) -> Self {
        Self {
            format: FORMAT,
            repository: identity.id.clone(),
            generation: Generation::GENESIS,
            previous: None,
            token: env::rand::token(),
            wall_ms,
            action: Action::Genesis { identity },
            index: None,
            snapshots: 0,
            sessions: Vec::new(),
        }
    }
}
