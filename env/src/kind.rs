//! What the receiver of an error can do about it: the one vocabulary of all crates.

/// Errors grouped by the action that they ask for. Each crate's error has a `kind()`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ErrorKind {
    /// The request itself is wrong: change it.
    Invalid,
    /// Something that it names does not exist.
    NotFound,
    /// What it would make exists already.
    AlreadyExists,
    /// What was read has changed since: read again and retry.
    Conflict,
    /// Somebody else is at it, or a limit is reached: wait and retry.
    Busy,
    /// Not allowed.
    Denied,
    /// Another owner took over for good: stop.
    Fenced,
    /// Not reachable now: retry later.
    Unavailable,
    /// It may or may not have happened: look before doing it again.
    Indeterminate,
    /// Stored bytes are not what was written: a person must look.
    Corrupt,
    /// No space left.
    Full,
    /// Stopped on request.
    Cancelled,
    /// Took too long.
    TimedOut,
    /// A thing that Tabularium does not do.
    Unsupported,
    /// A fault of Tabularium itself.
    Internal,
}
