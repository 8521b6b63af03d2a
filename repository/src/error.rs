//! What can go wrong, grouped by what the caller has to do about it.

pub use env::ErrorKind;

use crate::manifest::{Hold, SnapshotSummary};
use crate::names::{Generation, SessionId};
use crate::store::refusal::{Meaning, Refusal};
use std::error::Error as StdError;
use std::io;

/// A result of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Any error from somewhere below, kept as the cause.
pub type Source = Box<dyn StdError + Send + Sync>;

/// What stored bytes should have been, and what they are.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("object {object:?} is corrupt at offset {offset}: expected {expected}, found {found}")]
pub struct Corruption {
    /// The object's name in the repository, or the source file's name while uploading.
    pub object: String,
    /// Byte offset in the object at which it was noticed (0-based).
    pub offset: u64,
    /// What had to be there.
    pub expected: String,
    /// What is there.
    pub found: String,
}

/// Why a repository could not do what it was asked for.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The request makes no sense.
    #[error("{0}")]
    Invalid(String),
    /// There is no such thing.
    #[error("{0}")]
    NotFound(String),
    /// The name is taken.
    #[error("{0}")]
    AlreadyExists(String),
    /// Too many writers were faster.
    #[error("the repository's commit log is contended: gave up after {attempts} attempts; try again")]
    Conflict {
        /// How often the next slot of the log was taken by somebody else.
        attempts: u32,
    },
    /// A limit is reached.
    #[error("{0}")]
    Busy(String),
    /// The store refuses.
    #[error("access to {object:?} is denied")]
    Denied {
        /// Object, or directory, that was refused.
        object: String,
        /// The store's own words.
        #[source]
        source: Source,
    },
    /// The session was closed or fenced.
    #[error("session {session} was ended at generation {generation}; begin a new one")]
    Fenced {
        /// The session.
        session: SessionId,
        /// The commit that ended it.
        generation: Generation,
    },
    /// The session has committed its snapshot already.
    #[error("session {} has committed snapshot {:?} already", .0.session, .0.label)]
    AlreadyCommitted(Box<SnapshotSummary>),
    /// The snapshot must not be dropped, or is held already.
    #[error("snapshot {label:?} is held ({:?}); release it first", hold.reason)]
    Held {
        /// The snapshot's label.
        label: String,
        /// What keeps it.
        hold: Hold,
    },
    /// The store does not answer, or answers with a passing error.
    #[error("the object store failed at {object:?}")]
    Unavailable {
        /// Object that was asked for.
        object: String,
        /// The store's own words.
        #[source]
        source: Source,
    },
    /// A commit was sent and its fate is not known.
    #[error("whether generation {generation} was committed is not known; ask again with the same session")]
    Indeterminate {
        /// The slot of the log.
        generation: Generation,
        /// The last error.
        #[source]
        source: Source,
    },
    /// Stored bytes are not what was written, or are missing.
    #[error(transparent)]
    Corrupt(#[from] Corruption),
    /// No space is left.
    #[error("no space is left for {object:?}")]
    Full {
        /// Object that was being written.
        object: String,
        /// The store's own words.
        #[source]
        source: Source,
    },
    /// A place cannot be used for a repository.
    #[error("{location} cannot be used for a repository; {advice}")]
    Unusable {
        /// Where.
        location: String,
        /// What to do.
        advice: &'static str,
        /// What went wrong there.
        #[source]
        source: Box<Error>,
    },
    /// The caller's token said stop.
    #[error("cancelled")]
    Cancelled,
    /// This version cannot do it.
    #[error("{0}")]
    Unsupported(String),
    /// The sink of a download, or the source of an upload, failed.
    #[error("{what} failed")]
    Peer {
        /// Which side.
        what: String,
        /// Its error.
        #[source]
        source: Source,
    },
    /// A fault in this program.
    #[error("internal error: {0}")]
    Internal(String),
}

impl Error {
    /// What to do about it.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Invalid(_) => ErrorKind::Invalid,
            Self::NotFound(_) => ErrorKind::NotFound,
            Self::AlreadyExists(_) | Self::AlreadyCommitted(_) => ErrorKind::AlreadyExists,
            Self::Conflict { .. } => ErrorKind::Conflict,
            Self::Busy(_) => ErrorKind::Busy,
            Self::Denied { .. } | Self::Held { .. } => ErrorKind::Denied,
            Self::Fenced { .. } => ErrorKind::Fenced,
            Self::Unavailable { .. } => ErrorKind::Unavailable,
            Self::Indeterminate { .. } => ErrorKind::Indeterminate,
            Self::Corrupt(_) => ErrorKind::Corrupt,
            Self::Full { .. } => ErrorKind::Full,
            Self::Unusable { source, .. } => source.kind(),
            Self::Cancelled => ErrorKind::Cancelled,
            Self::Unsupported(_) => ErrorKind::Unsupported,
            Self::Peer { source, .. } => peer_kind(source.as_ref()),
            Self::Internal(_) => ErrorKind::Internal,
        }
    }

    pub(crate) fn corrupt(
        object: impl Into<String>,
        offset: u64,
        expected: impl Into<String>,
        found: impl Into<String>,
    ) -> Self {
        Self::Corrupt(Corruption { object: object.into(), offset, expected: expected.into(), found: found.into() })
    }

    /// The store's error in our words. `NotFound` is for the caller to judge: what something refers to and is not
    /// there is corruption, what was merely asked for is not.
    #[expect(clippy::wildcard_enum_match_arm, reason = "what is not named here may pass, whatever it is")]
    pub(crate) fn from_store(object: &str, failed: object_store::Error) -> Self {
        use object_store::Error as Store;
        let object = object.to_owned();
        if may_pass(&failed) {
            return Self::Unavailable { object, source: failed.into() };
        }
        if full(&failed) {
            return Self::Full { object, source: failed.into() };
        }
        if let Some(refusal) = Refusal::of(&failed) {
            match refusal.meaning() {
                Meaning::NoBucket => {
                    return Self::NotFound(format!("the bucket does not exist: {refusal}; make it first"));
                }
                Meaning::Elsewhere => {
                    return Self::Invalid(format!(
                        "the bucket is not where the properties say: {refusal}; check region and endpoint"
                    ));
                }
                Meaning::Full => return Self::Full { object, source: failed.into() },
                Meaning::Unsupported => {
                    return Self::Unsupported(format!("the object store cannot do this at {object:?}: {refusal}"));
                }
                Meaning::NotFound | Meaning::Exists | Meaning::Unsettled | Meaning::Denied | Meaning::Passing => {}
            }
        }
        match failed {
            Store::NotFound { .. } => Self::NotFound(format!("there is no object {object:?}")),
            Store::AlreadyExists { .. } => Self::AlreadyExists(format!("object {object:?} exists already")),
            Store::PermissionDenied { .. } | Store::Unauthenticated { .. } => {
                Self::Denied { object, source: failed.into() }
            }
            Store::NotSupported { .. } | Store::NotImplemented { .. } | Store::UnknownConfigurationKey { .. } => {
                Self::Unsupported(format!("the object store cannot do this at {object:?}: {failed}"))
            }
            Store::InvalidPath { .. } => Self::Invalid(format!("{object:?} is not a name of an object: {failed}")),
            other => Self::Unavailable { object, source: other.into() },
        }
    }
}

/// Whether a store's error may be gone at the next attempt: whatever is not known to stay.
pub(crate) fn may_pass(failed: &object_store::Error) -> bool {
    use object_store::Error as Store;
    let stays = |refusal: &Refusal| {
        matches!(refusal.meaning(), Meaning::NoBucket | Meaning::Elsewhere | Meaning::Full | Meaning::Unsupported)
    };
    let known = matches!(
        failed,
        Store::NotFound { .. }
            | Store::AlreadyExists { .. }
            | Store::PermissionDenied { .. }
            | Store::Unauthenticated { .. }
            | Store::NotSupported { .. }
            | Store::NotImplemented { .. }
            | Store::UnknownConfigurationKey { .. }
            | Store::InvalidPath { .. }
    );
    !known && !full(failed) && !Refusal::of(failed).is_some_and(stays)
}

/// Space is the one thing a source or a sink may lack that the caller treats in a way of its own.
fn peer_kind(source: &(dyn StdError + 'static)) -> ErrorKind {
    if full(source) { ErrorKind::Full } else { ErrorKind::Internal }
}

/// Whether a full disk is among the causes.
fn full(failed: &(dyn StdError + 'static)) -> bool {
    let mut cause = Some(failed);
    while let Some(error) = cause {
        if let Some(io) = error.downcast_ref::<io::Error>()
            && matches!(io.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
        {
            return true;
        }
        cause = error.source();
    }
    false
}
