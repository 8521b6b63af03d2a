//! What can go wrong, grouped by what the caller must do about it.

pub use env::{ErrorKind, explain};

use crate::plan::Conflicts;
use crate::request::PropertyProblems;
use catalog::records::job::{JobKind, StatusCode};
use env::ids::JobId;

/// The result of this crate's calls.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Everything that a call of this crate can fail with.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The catalog said no.
    #[error(transparent)]
    Catalog(#[from] catalog::Error),
    /// The repository said no.
    #[error(transparent)]
    Repository(repository::Error),
    /// The tablet store said no.
    #[error(transparent)]
    Tablet(#[from] tablet::Error),
    /// Properties of the statement.
    #[error("{0}")]
    Properties(PropertyProblems),
    /// What the statement asks for and what exists do not go together.
    #[error(transparent)]
    Plan(#[from] Conflicts),
    /// A database is unknown.
    #[error("unknown database {0}")]
    UnknownDatabase(String),
    /// A repository is unknown.
    #[error("repository {0} does not exist; SHOW REPOSITORIES lists those that do")]
    UnknownRepository(String),
    /// A repository cannot be written to.
    #[error("repository {0} is read only")]
    ReadOnly(String),
    /// The repository has a snapshot of that label.
    #[error("snapshot {label} already exists in repository {repository}; choose another label")]
    LabelTaken {
        /// The label.
        label: String,
        /// The repository's name.
        repository: String,
    },
    /// The repository has no such snapshot.
    #[error("snapshot {label} of {timestamp} does not exist in repository {repository}{}", other_runs(others))]
    UnknownSnapshot {
        /// The label.
        label: String,
        /// The time stamp asked for.
        timestamp: String,
        /// The repository's name.
        repository: String,
        /// The time stamps that the label has.
        others: Vec<String>,
    },
    /// The repository has no snapshot of that label.
    #[error("snapshot {label} does not exist in repository {repository}{}", like_it(close))]
    UnknownLabel {
        /// The label.
        label: String,
        /// The repository's name.
        repository: String,
        /// Labels there that are like it, the likest first.
        close: Vec<String>,
    },
    /// A job of this cluster writes or reads the snapshot.
    #[error(
        "snapshot {label} cannot be dropped: it is being {} by {kind} job {job} of database {database}; wait for the \
         job, or end it with CANCEL {} FROM {database}",
        written_or_read(*kind), kind.as_str().to_uppercase()
    )]
    SnapshotInUse {
        /// The label.
        label: String,
        /// The job's kind.
        kind: JobKind,
        /// The job.
        job: JobId,
        /// The job's database.
        database: String,
    },
    /// The snapshot must not be dropped, or is held for another reason.
    #[error(
        "snapshot {label} in repository {repository} is held{}; RELEASE SNAPSHOT {label} ON {repository} lets go of it",
        because(reason)
    )]
    Held {
        /// The label.
        label: String,
        /// The repository's name.
        repository: String,
        /// Why, as it was said; may be empty.
        reason: String,
    },
    /// Nothing to release.
    #[error("snapshot {label} in repository {repository} is not held")]
    NotHeld {
        /// The label.
        label: String,
        /// The repository's name.
        repository: String,
    },
    /// The repository is being verified already.
    #[error(
        "repository {repository} is being verified by job {job}; wait for it, or end it with CANCEL VERIFY FROM {repository}"
    )]
    Verifying {
        /// The repository's name.
        repository: String,
        /// The other job.
        job: JobId,
    },
    /// No verifier to cancel.
    #[error("repository {0} is not being verified")]
    NothingToVerify(String),
    /// The snapshot was made by another cluster.
    #[error(
        "snapshot {label} of database {database} in repository {repository} was made by cluster {owner}, not by this one; \
         DROP SNAPSHOT {label} ON {repository} FORCE drops it all the same"
    )]
    OtherCluster {
        /// The label.
        label: String,
        /// The repository's name.
        repository: String,
        /// The database that it is of.
        database: String,
        /// The cluster that made it.
        owner: String,
    },
    /// The statement names another database than the snapshot's.
    #[error("snapshot {label} is of database {found}, not of {asked}")]
    OtherDatabase {
        /// The label.
        label: String,
        /// What the statement says.
        asked: String,
        /// What the snapshot says.
        found: String,
    },
    /// Another job of the same database has not ended.
    #[error(
        "database {database} has a running {kind} job {job} with label {label}; only one backup or restore of a database runs at a time"
    )]
    Running {
        /// The database's name.
        database: String,
        /// The other job's kind.
        kind: JobKind,
        /// The other job.
        job: JobId,
        /// Its label.
        label: String,
    },
    /// Nothing to cancel.
    #[error("no {kind} job is running in database {database}")]
    NothingToCancel {
        /// The kind asked for.
        kind: JobKind,
        /// The database's name or id.
        database: String,
    },
    /// Nothing whose limits could be changed.
    #[error("no {kind} job is running in database {database}; limits of a new one are properties of its statement")]
    NotRunning {
        /// The kind asked for.
        kind: JobKind,
        /// The database's name or id.
        database: String,
    },
    /// The job cannot be cancelled any more.
    #[error("{kind} job {job} with label {label} cannot be cancelled, state: {state}{reason}")]
    NotCancellable {
        /// Its kind.
        kind: JobKind,
        /// The job.
        job: JobId,
        /// Its label.
        label: String,
        /// Its state.
        state: &'static str,
        /// What to know about that, empty or with its own separator in front.
        reason: &'static str,
    },
    /// There is no such job.
    #[error("job {0} does not exist; jobs are kept for some days after their end")]
    UnknownJob(JobId),
    /// A wait ended before the job did.
    #[error("job {job} is still in state {state}")]
    StillRunning {
        /// The job.
        job: JobId,
        /// Its state.
        state: &'static str,
    },
    /// A source of another engine, or the outside world, failed.
    #[error("{message}")]
    Outside {
        /// What the caller must do.
        kind: ErrorKind,
        /// What happened.
        message: String,
    },
    /// A version that was to be pinned is gone.
    #[error("{0}")]
    VersionGone(String),
    /// The disk has no room for what a restore would bring.
    #[error(
        "the restore brings {needed_bytes} bytes to node {node}, which has {free_bytes} bytes free; free some space and retry"
    )]
    NoRoom {
        /// The node.
        node: env::ids::NodeId,
        /// Bytes to come.
        needed_bytes: u64,
        /// Bytes free.
        free_bytes: u64,
    },
    /// Stored things contradict each other.
    #[error("{object}: expected {expected}, found {found}")]
    Corrupt {
        /// What was looked at.
        object: String,
        /// What should be there.
        expected: String,
        /// What is there.
        found: String,
    },
    /// Somebody asked to stop.
    #[error("stopped")]
    Stopped,
    /// A broken rule inside the program.
    #[error("internal error: {0}")]
    Internal(String),
}

impl From<repository::Error> for Error {
    /// What our own source or sink told the repository comes back as what it was.
    fn from(error: repository::Error) -> Self {
        let repository::Error::Peer { what, source } = error else { return Self::Repository(error) };
        match source.downcast::<Self>() {
            Ok(own) => *own,
            Err(source) => Self::Repository(repository::Error::Peer { what, source }),
        }
    }
}

fn like_it(close: &[String]) -> String {
    if close.is_empty() {
        "; SHOW SNAPSHOT lists those that do".to_owned()
    } else {
        format!("; did you mean {}?", close.join(" or "))
    }
}

fn because(reason: &str) -> String {
    if reason.is_empty() { String::new() } else { format!(" ({reason})") }
}

fn written_or_read(kind: JobKind) -> &'static str {
    match kind {
        JobKind::Backup => "written",
        JobKind::Restore => "read",
    }
}

fn other_runs(others: &[String]) -> String {
    if others.is_empty() {
        "; SHOW SNAPSHOT lists those that do".to_owned()
    } else {
        format!("; the label has {}", others.join(", "))
    }
}

impl Error {
    /// What the caller must do.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Catalog(error) => error.kind(),
            Self::Repository(error) => error.kind(),
            Self::Tablet(error) => error.kind(),
            Self::Properties(_)
            | Self::Plan(_)
            | Self::OtherDatabase { .. }
            | Self::NotCancellable { .. }
            | Self::NotHeld { .. } => ErrorKind::Invalid,
            Self::UnknownDatabase(_)
            | Self::UnknownRepository(_)
            | Self::UnknownSnapshot { .. }
            | Self::UnknownLabel { .. }
            | Self::NothingToVerify(_)
            | Self::NothingToCancel { .. }
            | Self::NotRunning { .. }
            | Self::UnknownJob(_) => ErrorKind::NotFound,
            Self::ReadOnly(_) | Self::OtherCluster { .. } | Self::Held { .. } => ErrorKind::Denied,
            Self::LabelTaken { .. } => ErrorKind::AlreadyExists,
            Self::Running { .. } | Self::SnapshotInUse { .. } | Self::Verifying { .. } => ErrorKind::Busy,
            Self::StillRunning { .. } => ErrorKind::TimedOut,
            Self::Outside { kind, .. } => *kind,
            Self::VersionGone(_) => ErrorKind::Conflict,
            Self::NoRoom { .. } => ErrorKind::Full,
            Self::Corrupt { .. } => ErrorKind::Corrupt,
            Self::Stopped => ErrorKind::Cancelled,
            Self::Internal(_) => ErrorKind::Internal,
        }
    }

    /// The code that the Status column of a job shows when this ends it.
    pub fn status_code(&self) -> StatusCode {
        match self.kind() {
            ErrorKind::TimedOut => StatusCode::Timeout,
            ErrorKind::NotFound => StatusCode::NotFound,
            ErrorKind::AlreadyExists => StatusCode::AlreadyExist,
            ErrorKind::Corrupt => StatusCode::BadFile,
            ErrorKind::Invalid
            | ErrorKind::Conflict
            | ErrorKind::Busy
            | ErrorKind::Denied
            | ErrorKind::Fenced
            | ErrorKind::Unavailable
            | ErrorKind::Indeterminate
            | ErrorKind::Full
            | ErrorKind::Cancelled
            | ErrorKind::Unsupported
            | ErrorKind::Internal => StatusCode::CommonError,
        }
    }

    /// Whether doing the same again may succeed, with nothing else changed but time.
    pub fn is_transient(&self) -> bool {
        match self.kind() {
            ErrorKind::Conflict
            | ErrorKind::Busy
            | ErrorKind::Unavailable
            | ErrorKind::Indeterminate
            | ErrorKind::TimedOut => !matches!(self, Self::VersionGone(_)),
            ErrorKind::Invalid
            | ErrorKind::NotFound
            | ErrorKind::AlreadyExists
            | ErrorKind::Denied
            | ErrorKind::Fenced
            | ErrorKind::Corrupt
            | ErrorKind::Full
            | ErrorKind::Cancelled
            | ErrorKind::Unsupported
            | ErrorKind::Internal => false,
        }
    }

    pub(crate) fn corrupt(object: impl Into<String>, expected: impl Into<String>, found: impl Into<String>) -> Self {
        Self::Corrupt { object: object.into(), expected: expected.into(), found: found.into() }
    }
}
