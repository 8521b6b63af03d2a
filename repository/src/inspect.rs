//! Looking at a repository's own objects, for people: the log as an audit trail, and any object by its name. Reads only,
//! and checks what can be checked without a reference: seals of records and identity, hashes that pages have as names.

use crate::error::{Error, Result};
use crate::fold;
use crate::log::Head;
use crate::names::{Generation, IDENTITY, ObjectName, Purpose, SessionId, commit_name};
use crate::page::{self, PAGE_BYTES_MAX, RECORD_BYTES_MAX};
use crate::record::{Action, Identity, Record};
use crate::repository::{IDENTITY_BYTES_MAX, Repository};
use bytes::Bytes;
use futures::{StreamExt, TryStreamExt};
use serde::Serialize;
use serde_json::Value;

/// Records read at one time.
const RECORDS: usize = 16;

/// One record of the log, in words.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LogEntry {
    /// Which state it made.
    pub generation: Generation,
    /// The writer's wall clock, milliseconds since 1970.
    pub wall_ms: u64,
    /// What it did: `create`, `open`, `commit`, `close`, `fence`, `drop`, `hold` or `release`.
    pub action: &'static str,
    /// The snapshot that it is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
    /// Its timestamp.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timestamp: Option<String>,
    /// The session that it is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub session: Option<SessionId>,
    /// What an opened session is for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub purpose: Option<Purpose>,
    /// Who opened it; the reason of a hold; the name of a created repository.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// How many sessions are open after it.
    pub sessions: u64,
    /// How many snapshots there are after it.
    pub snapshots: u64,
    /// BLAKE3 of the record, 64 hexadecimal digits.
    pub hash: String,
}

impl LogEntry {
    fn of(head: &Head) -> Self {
        let record = &*head.record;
        let mut entry = Self {
            generation: record.generation,
            wall_ms: record.wall_ms,
            action: "create",
            label: None,
            timestamp: None,
            session: None,
            purpose: None,
            note: None,
            sessions: record.sessions.len() as u64,
            snapshots: record.snapshots,
            hash: head.hash.clone(),
        };
        match &record.action {
            Action::Genesis { identity } => entry.note = Some(identity.name.clone()),
            Action::Open { session, purpose, owner } => {
                entry.action = "open";
                entry.session = Some(session.clone());
                entry.purpose = Some(*purpose);
                entry.note = Some(owner.clone());
            }
            Action::Commit { snapshot } => {
                entry.of_snapshot("commit", &snapshot.label, &snapshot.timestamp);
                entry.session = Some(snapshot.session.clone());
            }
            Action::Close { session } => (entry.action, entry.session) = ("close", Some(session.clone())),
            Action::Fence { session } => (entry.action, entry.session) = ("fence", Some(session.clone())),
            Action::Drop { label, timestamp } => entry.of_snapshot("drop", label, timestamp),
            Action::Hold { label, timestamp, reason, .. } => {
                entry.of_snapshot("hold", label, timestamp);
                entry.note = Some(reason.clone());
            }
            Action::Release { label, timestamp } => entry.of_snapshot("release", label, timestamp),
        }
        entry
    }

    fn of_snapshot(&mut self, action: &'static str, label: &str, timestamp: &str) {
        self.action = action;
        self.label = Some(label.to_owned());
        self.timestamp = Some(timestamp.to_owned());
    }
}

/// What an object is, by its name and, for pages, its first line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum StoredKind {
    /// The repository's identity.
    Identity,
    /// A commit record.
    Commit,
    /// A page of a manifest or of the index.
    Page,
}

/// An object that was read and checked.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct StoredObject {
    /// Its name.
    pub name: String,
    /// What it is.
    pub kind: StoredKind,
    /// What was held against it.
    pub checked: String,
    /// Its lines, each of which is JSON.
    pub lines: Vec<Value>,
    /// Its bytes as they are.
    #[serde(skip)]
    pub bytes: Bytes,
}

impl Repository {
    /// The newest records of the log, newest first; all of them when there are fewer than `newest`. Each is checked
    /// against the one before it.
    ///
    /// # Errors
    /// `Corrupt` for a record that is missing, damaged or not chained; what the store says.
    pub async fn history(&self, newest: u64) -> Result<Vec<LogEntry>> {
        let head = self.log.head().await?;
        let last = head.generation().0;
        let first = if newest == 0 { return Ok(Vec::new()) } else { last.saturating_sub(newest - 1) };
        let read = (first..last).rev().map(|generation| {
            let log = self.log.clone();
            async move { log.expect(Generation(generation)).await }
        });
        let mut read = futures::stream::iter(read).buffered(RECORDS);
        let mut entries = vec![LogEntry::of(&head)];
        let mut after = head;
        while let Some(before) = read.try_next().await? {
            fold::check_link(&before.record, &before.hash, &after.record).map_err(|violation| {
                let expected = format!("the record that follows generation {}", before.generation());
                Error::corrupt(commit_name(after.generation()), 0, expected, violation.to_string())
            })?;
            entries.push(LogEntry::of(&before));
            after = before;
        }
        Ok(entries)
    }

    /// One record of the log.
    ///
    /// # Errors
    /// `NotFound` when there is none of that generation; `Corrupt` when it is damaged; what the store says.
    pub async fn log_entry(&self, generation: Generation) -> Result<LogEntry> {
        let found = self.log.read(generation).await?;
        let found = found.ok_or_else(|| Error::NotFound(format!("there is no record of generation {generation}")))?;
        Ok(LogEntry::of(&found))
    }

    /// A record, a page or the identity, by the object's name, checked.
    ///
    /// # Errors
    /// `Invalid` for a name that is none of the three; `NotFound` when there is no such object; `Corrupt` when it is
    /// not what was written; `Unsupported` for a newer format; what the store says.
    pub async fn object(&self, name: &str) -> Result<StoredObject> {
        let read = async |max_bytes| {
            let bytes = self.objects.get(name, max_bytes).await?;
            bytes.ok_or_else(|| none(name))
        };
        let (kind, bytes, checked) = match ObjectName::parse(name) {
            ObjectName::Identity => {
                let bytes = read(IDENTITY_BYTES_MAX).await?;
                let (_, hash): (Identity, String) = page::unseal(IDENTITY, &bytes)?;
                (StoredKind::Identity, bytes, format!("blake3 {hash}, as its seal says"))
            }
            ObjectName::Commit(generation) => {
                let bytes = read(RECORD_BYTES_MAX).await?;
                let (_, hash) = Record::unseal(name, generation, &bytes)?;
                (StoredKind::Commit, bytes, format!("blake3 {hash}, as its seal says"))
            }
            ObjectName::Page(_) => {
                let bytes = read(PAGE_BYTES_MAX).await?;
                let expected = name.rsplit('/').next().unwrap_or_default();
                let found = blake3::hash(&bytes).to_hex();
                if found.as_str() != expected {
                    return Err(Error::corrupt(name, 0, format!("blake3 {expected}"), format!("blake3 {found}")));
                }
                (StoredKind::Page, bytes, format!("blake3 {found}, as its name says"))
            }
            ObjectName::Data(_) | ObjectName::Unfinished(_) | ObjectName::Foreign => {
                return Err(Error::Invalid(format!("object {name:?} is no record, page or identity")));
            }
        };
        let lines = bytes.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
        let lines = lines.map(|line| {
            serde_json::from_slice(line).map_err(|failed| Error::corrupt(name, 0, "lines of JSON", failed.to_string()))
        });
        let lines = lines.collect::<Result<_>>()?;
        Ok(StoredObject { name: name.to_owned(), kind, checked, lines, bytes })
    }

    /// Bytes of an object as they are, checked against nothing; `range` may not go beyond its end.
    ///
    /// # Errors
    /// `Invalid` for a name that no object can have; `Corrupt` when there is no such object or it is shorter; what the
    /// store says.
    pub async fn raw(&self, name: &str, range: std::ops::Range<u64>) -> Result<Bytes> {
        self.objects.range(name, range).await
    }

    /// Length of an object in bytes.
    ///
    /// # Errors
    /// `Invalid` for a name that no object can have; `NotFound` when there is no such object; what the store says.
    pub async fn raw_len(&self, name: &str) -> Result<u64> {
        self.objects.len(name).await?.ok_or_else(|| none(name))
    }
}

fn none(name: &str) -> Error {
    Error::NotFound(format!("there is no object {name:?} in the repository"))
}
