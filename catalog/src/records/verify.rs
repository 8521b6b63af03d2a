//! VERIFY REPOSITORY: the jobs, what they found, and what is known of each snapshot since.

use crate::keys;
use crate::record::Record;
use crate::records::job::JobStatus;
use env::ids::{JobId, RepositoryId};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What a verifier came to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct VerifyOutcome {
    /// `sound`, `not checked` or `damaged`.
    pub verdict: String,
    /// Snapshots that were looked at, by verdict.
    pub snapshots: BTreeMap<String, u64>,
    /// Labels of those that are not sound, the first ones in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub damaged: Vec<String>,
    /// Findings by kind, kept or not.
    pub kinds: BTreeMap<String, u64>,
    /// Findings that were kept.
    pub findings_kept: u64,
    /// Commit records that were read.
    pub records: u64,
    /// Pages that were read.
    pub pages: u64,
    /// Data objects that were looked at.
    pub objects: u64,
    /// Bytes of data whose checksums were compared.
    pub bytes_checked: u64,
    /// The newest record's generation; none when no record could be read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub generation: Option<u64>,
    /// And its hash: a log that lacks this record later has lost its end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hash: Option<String>,
}

/// The states of a verifier with what each must know.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "SCREAMING_SNAKE_CASE")]
pub enum VerifyState {
    /// Accepted; no session yet.
    Pending {
        /// Sessions that were ended by somebody else before.
        lost: u32,
    },
    /// It looks, under a session that keeps sweeps away.
    Verifying {
        /// Sessions that were ended by somebody else before.
        lost: u32,
        /// The session, noted before the repository hears of it; none in a repository that is read only.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        session: Option<String>,
    },
    /// It has looked at everything that it was to look at.
    Finished {
        /// The session that it had.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        session: Option<String>,
        /// What it came to.
        outcome: VerifyOutcome,
    },
    /// It has not.
    Cancelled {
        /// The session that it had.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        session: Option<String>,
    },
}

impl VerifyState {
    /// The state's name as SHOW VERIFY spells it.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Pending { .. } => "PENDING",
            Self::Verifying { .. } => "VERIFYING",
            Self::Finished { .. } => "FINISHED",
            Self::Cancelled { .. } => "CANCELLED",
        }
    }

    /// The session that is noted.
    pub fn session(&self) -> Option<&str> {
        match self {
            Self::Pending { .. } => None,
            Self::Verifying { session, .. } | Self::Finished { session, .. } | Self::Cancelled { session } => {
                session.as_deref()
            }
        }
    }
}

/// A VERIFY REPOSITORY from submission to its end, and for some days after.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct VerifyRecord {
    /// The id.
    pub id: JobId,
    /// The repository.
    pub repository: RepositoryId,
    /// Its name.
    pub repository_name: String,
    /// The label of the only snapshot that is looked at; all when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
    /// How closely: `meta`, `size`, `sample=5%`, `full`.
    pub level: String,
    /// Which chunks a sample takes, the same in every attempt.
    pub seed: u64,
    /// Who submitted it.
    pub user: String,
    /// When it was submitted: milliseconds since 1970, UTC.
    pub created_ms: u64,
    /// Seconds from submission, over all states.
    pub timeout_s: u64,
    /// When it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finished_ms: Option<u64>,
    /// Bytes read so far.
    #[serde(default)]
    pub bytes_read: u64,
    /// Bytes to be read, as far as can be told before; 0 when it cannot.
    #[serde(default)]
    pub bytes_expected: u64,
    /// How it stands.
    pub status: JobStatus,
    /// Where it stands.
    pub progress: VerifyState,
}

impl VerifyRecord {
    /// Whether it has ended.
    pub fn is_done(&self) -> bool {
        matches!(self.progress, VerifyState::Finished { .. } | VerifyState::Cancelled { .. })
    }

    /// What it came to, when it has.
    pub fn outcome(&self) -> Option<&VerifyOutcome> {
        match &self.progress {
            VerifyState::Finished { outcome, .. } => Some(outcome),
            VerifyState::Pending { .. } | VerifyState::Verifying { .. } | VerifyState::Cancelled { .. } => None,
        }
    }
}

impl Record for VerifyRecord {
    const KIND: &'static str = "verify job";
    const FORMAT: u32 = 1;

    fn key(&self) -> String {
        keys::verify(self.id)
    }
}

/// One thing that a verifier found, in the repository's words.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FindingRecord {
    /// What kind of thing.
    pub kind: String,
    /// How bad: `note`, `warning`, `error`.
    pub severity: String,
    /// The object's name in the repository; of several, the first.
    pub object: String,
    /// Byte offset in the object.
    pub offset: u64,
    /// The file of a tablet whose bytes are there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// What had to be there.
    pub expected: String,
    /// What is there.
    pub found: String,
    /// Labels of the snapshots that are the worse for it, the first ones.
    pub snapshots: Vec<String>,
    /// How many.
    pub snapshots_total: u64,
    /// Tables that are, the first ones.
    pub tables: Vec<String>,
    /// How many.
    pub tables_total: u64,
    /// What to do.
    pub advice: String,
}

/// Some of the findings of a verifier, the worst ones in the first part.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FindingsRecord {
    /// The verifier.
    pub job: JobId,
    /// Which part, from 0 on.
    pub part: u32,
    /// The findings.
    pub findings: Vec<FindingRecord>,
}

impl Record for FindingsRecord {
    const KIND: &'static str = "findings";
    const FORMAT: u32 = 1;

    fn key(&self) -> String {
        keys::finding(self.job, self.part)
    }
}

/// When a snapshot was last looked at, and what was known of it then.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProofRecord {
    /// The repository.
    pub repository: RepositoryId,
    /// The snapshot's label.
    pub label: String,
    /// Its time stamp: another snapshot may get the label later.
    pub timestamp: String,
    /// When it was last looked at, in milliseconds since 1970.
    pub verified_ms: u64,
    /// How closely.
    pub level: String,
    /// `sound`, `not checked` or `damaged`.
    pub verdict: String,
    /// When its data was last read and found sound, all of it or a sample.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proven_ms: Option<u64>,
}

impl Record for ProofRecord {
    const KIND: &'static str = "proof";
    const FORMAT: u32 = 1;

    fn key(&self) -> String {
        keys::proof(self.repository, &self.label)
    }
}
