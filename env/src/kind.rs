//! What the receiver of an error can do about it, the one vocabulary of all crates; and how an error is told.

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

/// An error with its causes, as one line: an error of a lower layer often says what failed, and its cause says why.
pub fn explain(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let more = error.to_string();
        if !text.contains(&more) {
            text.push_str(": ");
            text.push_str(&more);
        }
        cause = error.source();
    }
    text
}
