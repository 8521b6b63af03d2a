//! The commit log's driver: finds the head, reads records, appends one.
//!
//! Laws: a record is made with create-if-absent and never replaced; an answer that leaves open whether it was made is
//! settled by reading the slot and comparing tokens; "exists already" is not "somebody else" until read back; a record
//! counts as made only after a put that was answered, since only then has the store promised to keep it.

use crate::error::{Error, ErrorKind, Result};
use crate::fold::{self, State, Violation};
use crate::index::{self, Branch};
use crate::manifest::SnapshotSummary;
use crate::names::{COMMITS, Generation, Owner, SessionId, commit_generation, commit_name};
use crate::objects::{ATTEMPTS, Objects, Put, back_off, missing};
use crate::page::{FORMAT, PageRef, RECORD_BYTES_MAX};
use crate::record::{Action, OpenSession, Record};
use bytes::Bytes;
use env::rt;
use env::rt::time::unix_millis;
use futures::{StreamExt, TryStreamExt};
use parking_lot::Mutex;
use std::sync::Arc;

/// So many times a writer goes to a newer head before it gives up.
const CONFLICTS_MAX: u32 = 100;
/// From a remembered head so many records are walked before the store is asked for its newest.
const WALK_MAX: u32 = 32;
/// Records read at one time when many are.
const READS: usize = 16;
/// Where the store does not keep writers apart, those of this process are kept apart here; there must be no others.
static TURN: rt::sync::Mutex<()> = rt::sync::Mutex::const_new(());

/// A record with its hash.
#[derive(Debug, Clone)]
pub(crate) struct Head {
    pub(crate) record: Arc<Record>,
    pub(crate) hash: String,
}

impl Head {
    pub(crate) fn generation(&self) -> Generation {
        self.record.generation
    }

    pub(crate) fn session(&self, id: &SessionId) -> Option<&OpenSession> {
        self.record.sessions.iter().find(|session| session.id == *id)
    }
}

/// Why nothing was appended.
#[derive(Debug)]
pub(crate) enum Refused {
    /// The state does not allow it.
    Violation { violation: Violation, head: Head },
    /// Anything else.
    Failed(Error),
}

impl From<Error> for Refused {
    fn from(failed: Error) -> Self {
        Self::Failed(failed)
    }
}

impl From<Refused> for Error {
    fn from(refused: Refused) -> Self {
        match refused {
            Refused::Violation { violation, .. } => violation.into(),
            Refused::Failed(failed) => failed,
        }
    }
}

/// What became of a session, as the log tells it.
#[derive(Debug)]
pub(crate) enum Fate {
    Unknown,
    Open(Generation),
    Committed(Generation, Box<SnapshotSummary>),
    Ended(Generation),
}

impl Fate {
    /// The fate after one more record.
    pub(crate) fn then(self, id: &SessionId, generation: Generation, action: &Action) -> Self {
        match action {
            Action::Open { session, .. } if session == id => Self::Open(generation),
            Action::Commit { snapshot } if snapshot.session == *id => Self::Committed(generation, snapshot.clone()),
            Action::Close { session } | Action::Fence { session } if session == id => Self::Ended(generation),
            Action::Genesis { .. }
            | Action::Open { .. }
            | Action::Commit { .. }
            | Action::Close { .. }
            | Action::Fence { .. }
            | Action::Drop { .. }
            | Action::Hold { .. }
            | Action::Release { .. } => self,
        }
    }
}

/// What the store said to a put of a record that did not say "made".
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Answer {
    /// Something is there, or somebody is at it.
    Exists,
    /// Whether it took effect is open.
    Failed,
}

/// What that meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Settled {
    /// The record is there, and the store has promised to keep it.
    Made,
    /// Another's is there, for ever.
    Taken,
    /// Nothing is decided: the slot is free, or the record is there and the store has not promised to keep it.
    Again,
}

impl Answer {
    /// What the answer meant, from what the slot then holds: nothing, or a record that has the writer's own token, or
    /// has not. An answer alone tells nothing: "exists" may be one's own record, of an attempt whose answer was lost.
    pub(crate) fn settle(self, own: Option<bool>) -> Settled {
        match (own, self) {
            (Some(false), _) => Settled::Taken,
            (Some(true), Self::Exists) => Settled::Made,
            (Some(true), Self::Failed) | (None, _) => Settled::Again,
        }
    }
}

/// The log; clones share what is remembered of its head.
#[derive(Debug, Clone)]
pub(crate) struct Log {
    objects: Objects,
    /// The newest record seen. A start for the next look, never more.
    seen: Arc<Mutex<Option<Head>>>,
}

impl Log {
    pub(crate) fn new(objects: Objects) -> Self {
        Self { objects, seen: Arc::default() }
    }

    /// The same log, read and written by way of `objects`.
    pub(crate) fn within(&self, objects: Objects) -> Self {
        Self { objects, seen: Arc::clone(&self.seen) }
    }

    /// The record of a generation; none when that slot is free.
    pub(crate) async fn read(&self, generation: Generation) -> Result<Option<Head>> {
        let name = commit_name(generation);
        let Some(bytes) = self.objects.get(&name, RECORD_BYTES_MAX).await? else { return Ok(None) };
        let (record, hash) = Record::unseal(&name, generation, &bytes)?;
        Ok(Some(Head { record: Arc::new(record), hash }))
    }

    /// The record of a generation that must be there.
    pub(crate) async fn expect(&self, generation: Generation) -> Result<Head> {
        let found = self.read(generation).await?;
        found.ok_or_else(|| missing(&commit_name(generation), 1))
    }

    /// The newest record. A listing that lags only makes the walk longer.
    pub(crate) async fn head(&self) -> Result<Head> {
        let remembered = self.seen.lock().clone();
        let mut head = match remembered {
            Some(head) => head,
            None => self.listed().await?,
        };
        let mut walked = 0;
        while let Some(next) = self.read(head.generation().next()).await? {
            fold::check_link(&head.record, &head.hash, &next.record).map_err(|violation| {
                let expected = format!("the record that follows generation {}", head.generation());
                Error::corrupt(commit_name(next.generation()), 0, expected, violation.to_string())
            })?;
            head = next;
            walked += 1;
            if walked % WALK_MAX == 0 {
                let listed = self.listed().await?;
                if listed.generation() > head.generation() {
                    head = listed;
                }
            }
        }
        self.remember(&head);
        Ok(head)
    }

    /// The newest record that was seen here.
    pub(crate) fn remembered(&self) -> Option<Head> {
        self.seen.lock().clone()
    }

    async fn listed(&self) -> Result<Head> {
        let newest = self.objects.first(COMMITS, commit_generation).await?;
        self.expect(newest.unwrap_or(Generation::GENESIS)).await
    }

    pub(crate) fn remember(&self, head: &Head) {
        let mut seen = self.seen.lock();
        if seen.as_ref().is_none_or(|seen| seen.generation() < head.generation()) {
            *seen = Some(head.clone());
        }
    }

    /// What became of a session, from the records after `since` up to `head`.
    pub(crate) async fn fate(&self, id: &SessionId, since: Generation, head: &Head) -> Result<Fate> {
        let slots = (since.0.saturating_add(1)..=head.generation().0).map(|slot| self.expect(Generation(slot)));
        let mut records = futures::stream::iter(slots).buffered(READS);
        let mut fate = Fate::Unknown;
        while let Some(found) = records.try_next().await? {
            fate = fate.then(id, found.generation(), &found.record.action);
            if matches!(fate, Fate::Committed(..) | Fate::Ended(_)) {
                break;
            }
        }
        Ok(fate)
    }

    /// Makes `action` the next record, behind whoever else appends. Index pages that it needs are written first, as
    /// `owner`'s, or as the record's own when there is no owner: under the generation that it wants to make, where no
    /// sweep looks before that generation is decided.
    ///
    /// Dropping the future leaves open whether the record is made, as a crash would.
    pub(crate) async fn append(&self, action: &Action, owner: Option<&Owner>) -> Result<Head, Refused> {
        for attempt in 0..CONFLICTS_MAX {
            let head = self.head().await?;
            if let Some(made) = self.append_at(&head, action, owner).await? {
                return Ok(made);
            }
            back_off(attempt.min(4)).await;
        }
        Err(Error::Conflict { attempts: CONFLICTS_MAX }.into())
    }

    /// As [`append`](Log::append), but right behind `head` or not at all: none when somebody else's record is there.
    pub(crate) async fn append_at(
        &self,
        head: &Head,
        action: &Action,
        owner: Option<&Owner>,
    ) -> Result<Option<Head>, Refused> {
        let generation = head.generation().next();
        let token = env::rand::token();
        let branch = match touched(action) {
            Some(label) => match index::branch(&self.objects, head.record.index.as_ref(), label).await {
                Ok(branch) => Some(branch),
                // Behind a newer head the pages may be swept already.
                Err(Error::Corrupt(_)) if self.head().await?.generation() > head.generation() => return Ok(None),
                Err(failed) => return Err(failed.into()),
            },
            None => None,
        };
        let mut state = State::of_sessions(&head.record.sessions);
        if let Some(branch) = &branch {
            state.snapshots = branch.rows.iter().map(|row| (row.label.clone(), row.clone())).collect();
        }
        let state = match state.apply(generation, action) {
            Ok(state) => state,
            Err(violation) => return Err(Refused::Violation { violation, head: head.clone() }),
        };
        let own = Owner { generation, token: token.clone() };
        let (index, snapshots) = self.write_index(head, branch, &state, owner.unwrap_or(&own)).await?;
        let record = Record {
            format: FORMAT,
            repository: head.record.repository.clone(),
            generation,
            previous: Some(head.hash.clone()),
            token,
            wall_ms: unix_millis(),
            action: action.clone(),
            index,
            snapshots,
            sessions: state.sessions.into_values().collect(),
        };
        let (bytes, hash) = record.seal()?;
        if !self.settle(&record, &bytes).await? {
            return Ok(None);
        }
        let head = Head { record: Arc::new(record), hash };
        self.remember(&head);
        Ok(Some(head))
    }

    /// Writes the changed part of the index; gives its root and the number of snapshots.
    async fn write_index(
        &self,
        head: &Head,
        branch: Option<Branch>,
        state: &State,
        owner: &Owner,
    ) -> Result<(Option<PageRef>, u64)> {
        let Some(branch) = branch else { return Ok((head.record.index.clone(), head.record.snapshots)) };
        let rows: Vec<SnapshotSummary> = state.snapshots.values().cloned().collect();
        let elsewhere = head.record.snapshots.checked_sub(branch.rows.len() as u64).ok_or_else(|| {
            let found = format!("a leaf of {} rows", branch.rows.len());
            Error::corrupt(commit_name(head.generation()), 0, format!("{} snapshots", head.record.snapshots), found)
        })?;
        let rewritten = branch.with_rows(&rows, owner)?;
        // Owned by the futures: a stream of futures that borrow from its items cannot be part of a spawned task.
        let puts = rewritten.pages.into_iter().map(|(page, bytes)| {
            let objects = self.objects.clone();
            async move { objects.put_own(&page.name, bytes.into()).await }
        });
        let _made: Vec<Put> = futures::stream::iter(puts).buffer_unordered(READS).try_collect().await?;
        Ok((rewritten.root, elsewhere + rows.len() as u64))
    }

    /// Puts a record into its slot; tells whether it, and not another, is there.
    pub(crate) async fn settle(&self, record: &Record, bytes: &Bytes) -> Result<bool> {
        let name = commit_name(record.generation);
        let _turn = if self.objects.excludes() { None } else { Some(TURN.lock().await) };
        let mut attempt = 0;
        let indeterminate = |last: Error| Error::Indeterminate { generation: record.generation, source: last.into() };
        loop {
            let put = self.objects.put_once(&name, bytes.clone().into()).await;
            if matches!(put, Ok(Put::Made)) && self.objects.excludes() {
                return Ok(true);
            }
            // A first attempt that was refused for good, or never sent, has made nothing and will not.
            let sent = match &put {
                Ok(put) => attempt > 0 || *put == Put::Made,
                Err(failed) => attempt > 0 || failed.kind() == ErrorKind::Unavailable,
            };
            // Where nothing excludes, "made" too holds only once it is read back.
            let answer = if put.is_ok() { Answer::Exists } else { Answer::Failed };
            let last = match self.read(record.generation).await {
                Ok(found) => match answer.settle(found.map(|found| found.record.token == record.token)) {
                    Settled::Made => return Ok(true),
                    Settled::Taken => return Ok(false),
                    Settled::Again => {
                        let contradiction = || {
                            let source = "it exists, says one answer, and does not, says the next".into();
                            Error::Unavailable { object: name.clone(), source }
                        };
                        put.err().unwrap_or_else(contradiction)
                    }
                },
                Err(failed) => failed,
            };
            if last.kind() != ErrorKind::Unavailable {
                return Err(if sent { indeterminate(last) } else { last });
            }
            attempt += 1;
            if attempt >= ATTEMPTS * 2 {
                return Err(indeterminate(last));
            }
            back_off(attempt.min(5)).await;
        }
    }
}

/// The label whose row an action changes.
fn touched(action: &Action) -> Option<&str> {
    match action {
        Action::Commit { snapshot } => Some(&snapshot.label),
        Action::Drop { label, .. } | Action::Hold { label, .. } | Action::Release { label, .. } => Some(label),
        Action::Genesis { .. } | Action::Open { .. } | Action::Close { .. } | Action::Fence { .. } => None,
    }
}
