//! What a verifier found. The field names are part of the program's interface: `docs/operations.md` has them.

use super::options::{Level, SeenHead};
use crate::names::SessionId;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;

/// Labels and tables that a finding names; more are counted.
pub(super) const NAMED_MAX: usize = 20;

/// What kind of thing was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum FindingKind {
    /// Something refers to an object that is not there.
    MissingObject,
    /// An object has another length than was written.
    WrongLength,
    /// A chunk of a file has another CRC-32.
    BadChecksum,
    /// A page has another hash, or is not what its reference says.
    BadPage,
    /// A commit record is damaged, or may not stand where it stands.
    BadRecord,
    /// The identity object is damaged.
    BadIdentity,
    /// The identity object is gone.
    MissingIdentity,
    /// The log is not one history: a record does not follow the one before, belongs to another repository, or the end
    /// that was seen before is gone.
    ForkedLog,
    /// A newer program wrote it. Not damage.
    NewerFormat,
    /// An entry of a manifest contradicts itself or its surroundings.
    BadEntry,
    /// What is said in numbers and what is there differ.
    CountMismatch,
    /// The store did not let it be read. Not damage: nothing is known.
    Unreadable,
    /// An object that is none of the repository's.
    ForeignObject,
    /// Objects that no snapshot refers to; a sweep gives their space back.
    Garbage,
}

impl FindingKind {
    /// How bad it is, where nothing else is known.
    pub fn severity(self) -> Severity {
        match self {
            Self::ForeignObject | Self::Garbage => Severity::Note,
            Self::MissingObject
            | Self::WrongLength
            | Self::BadChecksum
            | Self::BadPage
            | Self::BadRecord
            | Self::BadIdentity
            | Self::MissingIdentity
            | Self::ForkedLog
            | Self::NewerFormat
            | Self::BadEntry
            | Self::CountMismatch
            | Self::Unreadable => Severity::Error,
        }
    }

    /// Its name in JSON and in text.
    pub fn name(self) -> &'static str {
        match self {
            Self::MissingObject => "missing_object",
            Self::WrongLength => "wrong_length",
            Self::BadChecksum => "bad_checksum",
            Self::BadPage => "bad_page",
            Self::BadRecord => "bad_record",
            Self::BadIdentity => "bad_identity",
            Self::MissingIdentity => "missing_identity",
            Self::ForkedLog => "forked_log",
            Self::NewerFormat => "newer_format",
            Self::BadEntry => "bad_entry",
            Self::CountMismatch => "count_mismatch",
            Self::Unreadable => "unreadable",
            Self::ForeignObject => "foreign_object",
            Self::Garbage => "garbage",
        }
    }
}

impl fmt::Display for FindingKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// How bad a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Worth knowing, nothing is wrong.
    Note,
    /// Not as it was written, but no snapshot is the worse for it.
    Warning,
    /// Something is lost, or not known to be there.
    Error,
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Note => "note",
            Self::Warning => "warning",
            Self::Error => "error",
        })
    }
}

/// One thing that was found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// What kind of thing.
    pub kind: FindingKind,
    /// How bad.
    pub severity: Severity,
    /// The object's name in the repository; of several, the first.
    pub object: String,
    /// Byte offset in the object at which it was noticed (0-based).
    pub offset: u64,
    /// The file of a tablet whose bytes are there, `<tablet>/<name>`; of several, the first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// What had to be there.
    pub expected: String,
    /// What is there.
    pub found: String,
    /// Labels of the snapshots that are the worse for it, the first ones in order.
    pub snapshots: Vec<String>,
    /// How many snapshots that are.
    pub snapshots_total: u64,
    /// Tables of theirs that are, `<database>.<table>`, the first ones in order.
    pub tables: Vec<String>,
    /// How many different ones.
    pub tables_total: u64,
    /// What to do.
    pub advice: String,
}

/// What is known of a snapshot, or of all that was looked at, as far as the level sees.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Nothing is wrong.
    Sound,
    /// Not everything could be read, or a newer program wrote it; nothing is known to be wrong.
    NotChecked,
    /// Something is wrong.
    Damaged,
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Sound => "sound",
            Self::NotChecked => "not checked",
            Self::Damaged => "damaged",
        })
    }
}

/// What is known of one snapshot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SnapshotVerdict {
    /// The snapshot.
    pub label: String,
    /// Its timestamp.
    pub timestamp: String,
    /// Its database.
    pub database: String,
    /// What is known.
    pub verdict: Verdict,
    /// How many tables it has.
    pub tables: u64,
    /// Names of the tables that are damaged or not checked, the first ones in order.
    pub tables_hit: Vec<String>,
    /// How many.
    pub tables_hit_total: u64,
    /// What to do; empty for a sound one.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub advice: String,
}

/// How much was looked at.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct Totals {
    /// Commit records.
    pub records: u64,
    /// Different pages.
    pub pages: u64,
    /// Different data objects whose existence and length were checked.
    pub objects: u64,
    /// Different chunks of data that the pages speak of.
    pub chunks: u64,
    /// Of these, chunks whose bytes were checked.
    pub chunks_read: u64,
    /// Bytes of those chunks, all and checked.
    pub bytes: u64,
    /// See `bytes`.
    pub bytes_checked: u64,
    /// Bytes read from the store, of whatever.
    pub bytes_read: u64,
    /// Requests to the store, without repetitions; a listing counts as one for each 1,000 names.
    pub requests: u64,
    /// How long it took.
    pub seconds: f64,
}

/// What a sample says about the rest.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Confidence {
    /// Suppose so many percent of the chunks were damaged, wherever.
    pub damaged_percent: f64,
    /// That is so many chunks.
    pub damaged_chunks: u64,
    /// The chance, 0 to 1, that a sample like this one takes none of them.
    pub missed: f64,
}

/// What a verifier found.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// The repository's name and id; empty when neither identity nor first record could be read.
    pub repository: String,
    /// See `repository`.
    pub repository_id: String,
    /// How closely it looked.
    pub level: Level,
    /// The seed that chose the sample.
    pub seed: u64,
    /// The label that was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
    /// The newest record, to be remembered; none when no record could be read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub head: Option<SeenHead>,
    /// Why no session kept sweeps away meanwhile; none when one did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unprotected: Option<String>,
    /// The verifier's session, when it could not be ended: fence it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session_left: Option<SessionId>,
    /// Wall clock at the start, milliseconds since 1970.
    pub started_ms: u64,
    /// Of everything that was looked at.
    pub verdict: Verdict,
    /// Of each snapshot, by label.
    pub snapshots: Vec<SnapshotVerdict>,
    /// What was found, the worst first.
    pub findings: Vec<Finding>,
    /// How many findings there were, by kind, kept or not.
    pub kinds: BTreeMap<FindingKind, u64>,
    /// How much was looked at.
    pub totals: Totals,
    /// What a sample says about the rest; empty at the other levels.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub confidence: Vec<Confidence>,
}

impl Report {
    /// Whether nothing is wrong and everything could be read; notes do not count, warnings do.
    pub fn is_sound(&self) -> bool {
        self.verdict == Verdict::Sound && self.findings.iter().all(|finding| finding.severity == Severity::Note)
    }

    /// How many findings there were, kept or not.
    pub fn findings_total(&self) -> u64 {
        self.kinds.values().sum()
    }
}

fn names(f: &mut fmt::Formatter<'_>, what: &str, names: &[String], total: u64) -> fmt::Result {
    if total == 0 {
        return Ok(());
    }
    write!(f, "\n    {what}: {}", names.join(", "))?;
    match total.saturating_sub(names.len() as u64) {
        0 => Ok(()),
        more => write!(f, " and {more} more"),
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {} {} at offset {}", self.severity, self.kind, self.object, self.offset)?;
        if let Some(file) = &self.file {
            write!(f, " (file {file})")?;
        }
        write!(f, "\n    expected: {}\n    found: {}", self.expected, self.found)?;
        names(f, "snapshots", &self.snapshots, self.snapshots_total)?;
        names(f, "tables", &self.tables, self.tables_total)?;
        write!(f, "\n    do: {}", self.advice)
    }
}

impl fmt::Display for SnapshotVerdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} ({}): {}", self.label, self.timestamp, self.database, self.verdict)?;
        if self.tables_hit_total > 0 {
            write!(f, ", {} of {} tables", self.tables_hit_total, self.tables)?;
            names(f, "tables", &self.tables_hit, self.tables_hit_total)?;
        }
        if !self.advice.is_empty() {
            write!(f, "\n    do: {}", self.advice)?;
        }
        Ok(())
    }
}

/// What a level has looked at, in words: a verdict means no more than that.
fn seen(level: Level) -> &'static str {
    match level {
        Level::Meta => "records and pages; data objects were not looked at",
        Level::Size => "records, pages, existence and length of data objects; their bytes were not looked at",
        Level::Sample { .. } => "records, pages, existence and length of data objects, some of their bytes",
        Level::Full => "everything",
    }
}

impl fmt::Display for Report {
    /// For people: the verdict, what was looked at, each snapshot that is not sound, each finding.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let totals = &self.totals;
        let generation = self.head.as_ref().map_or_else(|| "?".to_owned(), |head| head.generation.to_string());
        writeln!(f, "repository {:?} {} at generation {generation}", self.repository, self.repository_id)?;
        writeln!(f, "level {}: {}", self.level, seen(self.level))?;
        writeln!(
            f,
            "looked at {} snapshots, {} records, {} pages, {} data objects, {} of {} chunks ({} of {} bytes)",
            self.snapshots.len(),
            totals.records,
            totals.pages,
            totals.objects,
            totals.chunks_read,
            totals.chunks,
            totals.bytes_checked,
            totals.bytes
        )?;
        writeln!(f, "in {:.1} s, {} requests, {} bytes read", totals.seconds, totals.requests, totals.bytes_read)?;
        if let Level::Sample { .. } = self.level {
            writeln!(f, "seed {}: the same seed takes the same chunks again", self.seed)?;
            for row in &self.confidence {
                writeln!(
                    f,
                    "  if {}% of the chunks ({}) were damaged, a sample like this would miss all of them with a chance of \
                     {:.2e}",
                    row.damaged_percent, row.damaged_chunks, row.missed
                )?;
            }
        }
        if let Some(why) = &self.unprotected {
            writeln!(f, "no session was held ({why}): snapshots that were dropped meanwhile do not count")?;
        }
        if let Some(session) = &self.session_left {
            writeln!(f, "session {session} could not be ended: fence it")?;
        }
        for snapshot in self.snapshots.iter().filter(|snapshot| snapshot.verdict != Verdict::Sound) {
            writeln!(f, "snapshot {snapshot}")?;
        }
        for finding in &self.findings {
            writeln!(f, "{finding}")?;
        }
        let kept = self.findings.len() as u64;
        if self.findings_total() > kept {
            writeln!(f, "and {} findings more", self.findings_total() - kept)?;
        }
        let of = |verdict| self.snapshots.iter().filter(|snapshot| snapshot.verdict == verdict).count();
        write!(
            f,
            "verdict: {} ({} snapshots sound, {} damaged, {} not checked)",
            self.verdict,
            of(Verdict::Sound),
            of(Verdict::Damaged),
            of(Verdict::NotChecked)
        )
    }
}
