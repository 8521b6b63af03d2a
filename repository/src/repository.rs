//! A repository: made or opened, asked for its snapshots, told to drop one.

use crate::error::{Error, Result};
use crate::fold::{self, NAME_BYTES_MAX, SESSIONS_MAX, Violation};
use crate::index;
use crate::limit::Limiter;
use crate::log::{Fate, Head, Log, Refused};
use crate::manifest::SnapshotSummary;
use crate::names::{COMMITS, Generation, IDENTITY, Purpose, SessionId, commit_generation, commit_name};
use crate::objects::{Objects, Put, missing};
use crate::options::StreamOptions;
use crate::page::{self, FORMAT};
use crate::probe::{Profile, Promised};
use crate::reader::SnapshotReader;
use crate::record::{Action, Identity, OpenSession, Record, SINGLE_WRITER, SessionInfo};
use crate::retention::{self, Policy};
use crate::session::Session;
use crate::writer::SendPreview;
use env::rt::time::{Instant, sleep};
use env::rt::{CancellationToken, Duration};
use futures::{StreamExt, TryStreamExt, stream};
use object_store::ObjectStore;
use serde_json::{Map, Value};
use std::collections::BTreeSet;
use std::sync::Arc;

/// The identity is small.
pub(crate) const IDENTITY_BYTES_MAX: u64 = 64 << 10;

/// So long a new session waits for an old one to end when too many are open.
const SESSIONS_PATIENCE: Duration = Duration::from_secs(30);
/// Records read at one time.
const READS: usize = 16;
/// So many of those who hold sessions are named.
const NAMED_MAX: usize = 8;

/// A place on object storage that holds snapshots. Clones share it.
///
/// Any number of processes may use one repository at one time: they meet in its commit log and nowhere else.
#[derive(Debug, Clone)]
pub struct Repository {
    pub(crate) objects: Objects,
    pub(crate) log: Log,
    pub(crate) identity: Arc<Identity>,
}

/// How a repository is made.
#[derive(Debug, Clone)]
pub struct CreateOptions {
    /// Its name, of 1 to [`NAME_BYTES_MAX`] bytes.
    pub name: String,
    /// Wall clock, milliseconds since 1970.
    pub now_ms: u64,
    /// What the store was seen to keep; none when it is known without looking. Is written into the repository.
    pub profile: Option<Profile>,
    /// Whether there will be one writer only, so that the store need not keep several apart.
    pub single_writer: bool,
}

impl Repository {
    /// Makes a repository on a store that is known to keep its promises, or adopts the one that is there (whose own name
    /// and time of creation then count). Two who create at one time get the same one.
    ///
    /// # Errors
    /// As [`create_with`](Repository::create_with).
    pub async fn create(store: Arc<dyn ObjectStore>, name: &str, now_ms: u64) -> Result<Self> {
        let options = CreateOptions { name: name.to_owned(), now_ms, profile: None, single_writer: false };
        Self::create_with(store, options).await
    }

    /// As [`create`](Repository::create), on a store of which a [probe](crate::probe::probe) told what it keeps.
    ///
    /// # Errors
    /// `Invalid` for a name that is empty or too long, and for a repository that is there, is of one writer and is not
    /// asked for as such; `Unsupported` for a store that breaks a promise, which it names; `Corrupt`, `Unsupported` for
    /// what is there and is not a repository that this program reads; what the store says.
    pub async fn create_with(store: Arc<dyn ObjectStore>, options: CreateOptions) -> Result<Self> {
        let CreateOptions { name, now_ms, profile, single_writer } = options;
        if name.is_empty() || name.len() > NAME_BYTES_MAX || name.chars().any(char::is_control) {
            return Err(Error::Invalid(format!("repository name {name:?} is not of 1 to {NAME_BYTES_MAX} bytes")));
        }
        if let Some(profile) = &profile {
            profile.require(single_writer)?;
        }
        // A store that keeps writers apart needs no promise that there is one only.
        let excludes = profile.as_ref().map_or(!single_writer, |profile| profile.keeps(Promised::CreateIfAbsent));
        let mut objects = Objects::new(Arc::clone(&store));
        if objects.len(IDENTITY).await?.is_some() {
            let opened = Self::open(store).await?;
            opened.adoptable(excludes, single_writer)?;
            return Ok(opened);
        }
        if !excludes {
            objects = objects.without_conditions();
        }
        // The first record decides who the repository is; the identity object is a copy, made last: where it is, the
        // log is.
        let identity = Identity {
            format: FORMAT,
            id: env::rand::token(),
            name,
            created_ms: now_ms,
            features: if excludes { Vec::new() } else { vec![SINGLE_WRITER.to_owned()] },
            capabilities: profile.map(|profile| capabilities(&profile)).transpose()?.unwrap_or_default(),
        };
        let log = Log::new(objects.clone());
        let record = Record::genesis(identity, now_ms);
        let (bytes, _) = record.seal()?;
        log.settle(&record, &bytes).await?;
        let identity = genesis(&log).await?;
        let (bytes, _) = page::seal(&identity)?;
        let _made: Put = objects.put_own(IDENTITY, bytes.into()).await?;
        Ok(Self { objects, log, identity: Arc::new(identity) })
    }

    /// Whether a further cluster may write to the repository that is there.
    fn adoptable(&self, excludes: bool, single_writer: bool) -> Result<()> {
        let name = &self.identity.name;
        match (self.identity.is_single_writer(), excludes, single_writer) {
            (true, _, false) => Err(Error::Invalid(format!(
                "the repository {name:?} that is there may have one writer only, because its store could not keep several \
                 apart; when the other one is gone for good, create it with property 'single_writer' = 'true'"
            ))),
            (false, false, _) => Err(Error::Unsupported(format!(
                "the repository {name:?} that is there relies on create-if-absent, which this store does not keep; use \
                 READ ONLY, or copy it to a store that does"
            ))),
            (true, _, true) | (false, true, _) => Ok(()),
        }
    }

    /// Opens a repository that exists.
    ///
    /// # Errors
    /// `NotFound` when there is none, or no bucket; `Corrupt` when its identity or first record is missing or damaged;
    /// `Unsupported` when a newer program made it; what the store says.
    pub async fn open(store: Arc<dyn ObjectStore>) -> Result<Self> {
        let mut objects = Objects::new(store);
        let Some(bytes) = objects.get(IDENTITY, IDENTITY_BYTES_MAX).await? else {
            // A missing bucket is told from a missing object only by a listing.
            objects.first(COMMITS, commit_generation).await?;
            return Err(Error::NotFound(format!(
                "there is no repository in {}; create one there first",
                objects.store()
            )));
        };
        let (identity, _): (Identity, String) = page::unseal(IDENTITY, &bytes)?;
        identity.check(IDENTITY)?;
        if identity.is_single_writer() {
            objects = objects.without_conditions();
        }
        let log = Log::new(objects.clone());
        let first = genesis(&log).await?;
        if first != identity {
            let (expected, found) = (format!("repository {}", first.id), format!("repository {}", identity.id));
            return Err(Error::corrupt(IDENTITY, 0, expected, found));
        }
        Ok(Self { objects, log, identity: Arc::new(identity) })
    }

    /// The same repository for one job or statement: what is asked of it, or of sessions and readers that it opens,
    /// counts against `limiter` and ends with `Cancelled` when `stop` says so.
    #[must_use]
    pub fn within(&self, limiter: &Limiter, stop: &CancellationToken) -> Self {
        let objects = self.objects.within(limiter, stop);
        Self { log: self.log.within(objects.clone()), objects, identity: Arc::clone(&self.identity) }
    }

    /// Who the repository is.
    pub fn identity(&self) -> &Identity {
        &self.identity
    }

    /// The store that it is on.
    pub fn store(&self) -> &Arc<dyn ObjectStore> {
        self.objects.store()
    }

    /// The newest generation.
    ///
    /// # Errors
    /// `Corrupt` for a damaged log; what the store says.
    pub async fn generation(&self) -> Result<Generation> {
        Ok(self.log.head().await?.generation())
    }

    /// All snapshots, sorted by label. Takes at most 2 requests and one for each 128 snapshots, where none was dropped.
    ///
    /// # Errors
    /// `Corrupt` for a damaged log or index; what the store says.
    pub async fn snapshots(&self) -> Result<Vec<SnapshotSummary>> {
        Ok(self.snapshots_at_head().await?.1)
    }

    async fn snapshots_at_head(&self) -> Result<(Head, Vec<SnapshotSummary>)> {
        self.at_head(|head| async move {
            let rows = index::scan(&self.objects, head.record.index.as_ref(), &mut BTreeSet::new()).await?;
            Ok((head, rows))
        })
        .await
    }

    /// The snapshot with this label, and this timestamp when one is given. Takes 3 requests among 10,000.
    ///
    /// # Errors
    /// `Corrupt` for a damaged log or index; what the store says.
    pub async fn snapshot(&self, label: &str, timestamp: Option<&str>) -> Result<Option<SnapshotSummary>> {
        let look = |head: Head| async move {
            let branch = index::branch(&self.objects, head.record.index.as_ref(), label).await?;
            Ok(branch.rows.into_iter().find(|row| row.label == label))
        };
        let found = self.at_head(look).await?;
        Ok(found.filter(|row| timestamp.is_none_or(|timestamp| row.timestamp == timestamp)))
    }

    /// A reader of a snapshot. Hold a session open while reading, so that a drop and a sweep leave it alone.
    ///
    /// # Errors
    /// `NotFound` when the snapshot was dropped meanwhile; `Corrupt` for a missing or damaged root page; what the store
    /// says.
    pub async fn reader(&self, summary: &SnapshotSummary) -> Result<SnapshotReader> {
        let (label, timestamp) = (&summary.label, &summary.timestamp);
        match SnapshotReader::open(self.objects.clone(), summary).await {
            Err(Error::Corrupt(_)) if self.snapshot(label, Some(timestamp)).await?.is_none() => {
                Err(Error::NotFound(format!("snapshot {label:?} of {timestamp} was dropped from the repository")))
            }
            opened => opened,
        }
    }

    /// The sessions that have not ended.
    ///
    /// # Errors
    /// `Corrupt` for a damaged log; what the store says.
    pub async fn sessions(&self) -> Result<Vec<OpenSession>> {
        Ok(self.log.head().await?.record.sessions.clone())
    }

    /// As [`sessions`](Repository::sessions), oldest first, with what their records say for people: whose they are, and
    /// how old. Takes a request for each.
    ///
    /// # Errors
    /// `Corrupt` for a damaged log; what the store says.
    pub async fn describe_sessions(&self) -> Result<Vec<SessionInfo>> {
        let head = self.log.head().await?;
        self.describe(&head).await
    }

    async fn describe(&self, head: &Head) -> Result<Vec<SessionInfo>> {
        // Owned by the futures: a stream of futures that borrow from its items cannot be part of a spawned task.
        let records = head.record.sessions.clone().into_iter().map(|session| {
            let log = self.log.clone();
            async move { Ok::<_, Error>((log.expect(session.generation).await?, session)) }
        });
        let records: Vec<(Head, OpenSession)> = stream::iter(records).buffered(READS).try_collect().await?;
        let mut infos: Vec<SessionInfo> = records
            .into_iter()
            .map(|(opened, session)| SessionInfo::new(&opened.record, session, head.generation()))
            .collect();
        infos.sort_by_key(|info| info.generation);
        Ok(infos)
    }

    /// A fresh session id. Write it down before opening it: who knows the id can resume.
    ///
    /// # Errors
    /// `Corrupt` for a damaged log; what the store says.
    pub async fn new_session_id(&self) -> Result<SessionId> {
        Ok(SessionId::fresh(self.log.head().await?.generation()))
    }

    /// Tells what a backup would send now, until `stop`. Nothing is written.
    ///
    /// # Errors
    /// `Corrupt` for a damaged log; what the store says.
    pub async fn send_preview(&self, options: StreamOptions, stop: &CancellationToken) -> Result<SendPreview> {
        let generation = self.log.head().await?.generation();
        let session = Session::new(self.clone(), SessionId::fresh(generation), generation, false);
        Ok(SendPreview::new(session, options, stop.clone()))
    }

    /// Opens a session, or resumes it when it is open: after a crash, or on another node.
    ///
    /// # Errors
    /// `Fenced` when the session was ended without a snapshot, [`Error::AlreadyCommitted`] when it ended with one,
    /// `Busy` when too many are open and none ended within half a minute, naming whose they are, `Indeterminate` when the
    /// store did not tell (open again with the same id); `Corrupt` for a damaged log; what the store says.
    pub async fn open_session(&self, id: &SessionId, purpose: Purpose, owner: &str, now_ms: u64) -> Result<Session> {
        tracing::debug!(session = %id, %purpose, owner, now_ms, "opening a session");
        let head = self.log.head().await?;
        if id.since() > head.generation() {
            let expected = format!("generation {} or a later one", id.since());
            let found =
                format!("generation {} as the newest: this repository is older than the session", head.generation());
            return Err(Error::corrupt(commit_name(id.since()), 0, expected, found));
        }
        if let Some(open) = head.session(id) {
            return Ok(Session::new(self.clone(), id.clone(), open.generation, true));
        }
        match self.log.fate(id, id.since(), &head).await? {
            Fate::Committed(_, summary) => return Err(Error::AlreadyCommitted(summary)),
            Fate::Ended(generation) => return Err(Error::Fenced { session: id.clone(), generation }),
            // Open in an old record and not in the newest: only a broken log says so.
            Fate::Open(generation) => {
                let found = format!("no end of session {id}, opened at generation {generation}");
                return Err(Error::corrupt(commit_name(head.generation()), 0, "every open session", found));
            }
            Fate::Unknown => {}
        }
        let action = Action::Open { session: id.clone(), purpose, owner: owner.to_owned() };
        match self.append_when_free(&action).await {
            Ok(made) => Ok(Session::new(self.clone(), id.clone(), made.generation(), false)),
            // Another process with the same id was faster, or our own lost answer.
            Err(Refused::Violation { violation: Violation::SessionOpen(_), head }) => match head.session(id) {
                Some(open) => Ok(Session::new(self.clone(), id.clone(), open.generation, true)),
                None => Err(Error::Internal(format!("session {id} is open and is not"))),
            },
            Err(refused) => Err(refused.into()),
        }
    }

    /// Opens a session, if need be when another one has ended.
    async fn append_when_free(&self, action: &Action) -> Result<Head, Refused> {
        let give_up = Instant::now() + SESSIONS_PATIENCE;
        loop {
            match self.log.append(action, None).await {
                Err(Refused::Violation { violation: Violation::TooManySessions(open), head }) => {
                    if Instant::now() >= give_up {
                        return Err(Error::Busy(crowded(open, &self.describe(&head).await?)).into());
                    }
                    let wait = Duration::from_millis(200 + env::rand::below(800));
                    self.objects.or_stop(sleep(wait)).await?;
                }
                done => return done,
            }
        }
    }

    /// Ends a session that is believed dead, so that what it keeps can be swept. If it was alive after all it loses its
    /// work, never data. Fine when it has ended already.
    ///
    /// # Errors
    /// What the store says.
    pub async fn fence(&self, session: &SessionId) -> Result<()> {
        match self.log.append(&Action::Fence { session: session.clone() }, None).await {
            Ok(_) | Err(Refused::Violation { violation: Violation::SessionNotOpen(_), .. }) => Ok(()),
            Err(refused) => Err(refused.into()),
        }
    }

    /// Takes a snapshot out of the index. Space comes back with the next sweep. Without a timestamp it is the one that
    /// has the label now, and no other that takes the label meanwhile.
    ///
    /// # Errors
    /// `NotFound` when there is no such snapshot, [`Error::Held`] when it is held; what the store says.
    pub async fn drop_snapshot(&self, label: &str, timestamp: Option<&str>) -> Result<Generation> {
        let (label, timestamp) = self.meant(label, timestamp).await?;
        let made: Head = self.log.append(&Action::Drop { label, timestamp }, None).await?;
        Ok(made.generation())
    }

    /// Forbids to drop a snapshot, to everybody, until [`release`](Repository::release). Holding again for the same
    /// reason is fine and keeps the first time.
    ///
    /// # Errors
    /// `NotFound` when there is no such snapshot, [`Error::Held`] when it is held for another reason, `Invalid` for a
    /// reason of more than [`REASON_BYTES_MAX`](crate::REASON_BYTES_MAX) bytes or with control characters; what the
    /// store says.
    pub async fn hold(&self, label: &str, timestamp: Option<&str>, reason: &str, now_ms: u64) -> Result<Generation> {
        let (label, timestamp) = self.meant(label, timestamp).await?;
        let action = Action::Hold { label, timestamp, reason: reason.to_owned(), since_ms: now_ms };
        match self.log.append(&action, None).await {
            Ok(made) => Ok(made.generation()),
            Err(Refused::Violation { violation: Violation::Held { hold, .. }, head }) if hold.reason == reason => {
                Ok(head.generation())
            }
            Err(refused) => Err(refused.into()),
        }
    }

    /// Allows to drop a snapshot that was held.
    ///
    /// # Errors
    /// `NotFound` when there is no such snapshot, `Invalid` when it is not held; what the store says.
    pub async fn release(&self, label: &str, timestamp: Option<&str>) -> Result<Generation> {
        let (label, timestamp) = self.meant(label, timestamp).await?;
        let made: Head = self.log.append(&Action::Release { label, timestamp }, None).await?;
        Ok(made.generation())
    }

    /// Drops what a policy lets go of now, and gives what was dropped. The policy judges anew whenever somebody else has
    /// changed the repository meanwhile, so that two who apply it, or drop by hand, do not go below its minimum.
    ///
    /// # Errors
    /// `Cancelled` when `stop` says so, looked at before each drop; what the store says. A part may be dropped by then;
    /// calling again goes on.
    pub async fn apply_retention(
        &self,
        policy: &Policy,
        now_ms: u64,
        stop: &CancellationToken,
    ) -> Result<Vec<SnapshotSummary>> {
        let mut dropped = Vec::new();
        'judge: loop {
            let (mut head, snapshots) = self.snapshots_at_head().await?;
            for row in retention::plan(&snapshots, policy, now_ms).drops() {
                if stop.is_cancelled() {
                    return Err(Error::Cancelled);
                }
                let action = Action::Drop { label: row.label.clone(), timestamp: row.timestamp.clone() };
                match self.log.append_at(&head, &action, None).await {
                    Ok(Some(made)) => head = made,
                    // Somebody else has changed what was judged.
                    Ok(None) => continue 'judge,
                    Err(refused) => return Err(refused.into()),
                }
                dropped.push(row.clone());
            }
            return Ok(dropped);
        }
    }

    /// The snapshot that a label means now, so that the record names one and the same in every attempt.
    async fn meant(&self, label: &str, timestamp: Option<&str>) -> Result<(String, String)> {
        fold::check_label(label)?;
        if let Some(timestamp) = timestamp {
            return Ok((label.to_owned(), timestamp.to_owned()));
        }
        let found = self.snapshot(label, None).await?;
        let found =
            found.ok_or_else(|| Error::NotFound(format!("there is no snapshot {label:?} in the repository")))?;
        Ok((found.label, found.timestamp))
    }

    /// Reads the whole log and checks each record against the state that those before it add up to.
    ///
    /// Takes one small request for each commit ever made.
    ///
    /// # Errors
    /// `Corrupt` naming the first record that is missing, damaged or illegal; what the store says.
    pub async fn check_log(&self) -> Result<Generation> {
        let head = self.log.head().await?;
        let mut log = Vec::new();
        for slot in 0..=head.generation().0 {
            log.push(self.log.expect(Generation(slot)).await?);
        }
        let records = log.iter().map(|found| (&*found.record, found.hash.as_str()));
        let state = fold::verify(records).map_err(|(generation, violation)| {
            Error::corrupt(commit_name(generation), 0, "a legal next record", violation.to_string())
        })?;
        let rows = index::scan(&self.objects, head.record.index.as_ref(), &mut BTreeSet::new()).await?;
        if !rows.iter().eq(state.snapshots.values()) {
            let (expected, found) = (format!("{} snapshots", state.snapshots.len()), format!("{} rows", rows.len()));
            return Err(Error::corrupt(
                commit_name(head.generation()),
                0,
                expected,
                format!("an index of {found}, or others"),
            ));
        }
        Ok(head.generation())
    }
}

/// Why no session can be opened, and what to do.
fn crowded(open: usize, sessions: &[SessionInfo]) -> String {
    let named = sessions.iter().take(NAMED_MAX).map(|info| format!("{:?} ({}, {})", info.owner, info.purpose, info.id));
    let named: Vec<String> = named.collect();
    let more = match sessions.len().saturating_sub(NAMED_MAX) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    format!(
        "{open} sessions are open, the limit is {SESSIONS_MAX}; the oldest are of {}{more}; \
         wait for some to end, or fence those that are dead",
        named.join(", ")
    )
}

/// A profile as the identity keeps it.
fn capabilities(profile: &Profile) -> Result<Map<String, Value>> {
    match serde_json::to_value(profile) {
        Ok(Value::Object(map)) => Ok(map),
        Ok(_) => Err(Error::Internal("a profile is no object".to_owned())),
        Err(failed) => Err(Error::Internal(format!("a profile cannot be written: {failed}"))),
    }
}

/// The identity that the first record holds.
async fn genesis(log: &Log) -> Result<Identity> {
    let name = commit_name(Generation::GENESIS);
    let first = log.read(Generation::GENESIS).await?.ok_or_else(|| missing(&name, 1))?;
    match &first.record.action {
        Action::Genesis { identity } => {
            identity.check(&name)?;
            Ok(identity.clone())
        }
        Action::Open { .. }
        | Action::Commit { .. }
        | Action::Close { .. }
        | Action::Fence { .. }
        | Action::Drop { .. }
        | Action::Hold { .. }
        | Action::Release { .. } => Err(Error::corrupt(name, 0, "the record of the creation", "another record")),
    }
}
