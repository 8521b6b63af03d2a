//! What the crates below say, as a client sees it.

use crate::error::{EngineError, ErrorKind, codes};

fn of_kind(kind: ErrorKind, message: String) -> EngineError {
    match kind {
        ErrorKind::Cancelled => EngineError::interrupted(),
        ErrorKind::Full => EngineError::new(codes::DISK_FULL, kind, message),
        ErrorKind::Unsupported => EngineError::unsupported(message),
        ErrorKind::Invalid
        | ErrorKind::NotFound
        | ErrorKind::AlreadyExists
        | ErrorKind::Conflict
        | ErrorKind::Busy
        | ErrorKind::Denied
        | ErrorKind::Fenced
        | ErrorKind::Unavailable
        | ErrorKind::Indeterminate
        | ErrorKind::Corrupt
        | ErrorKind::TimedOut
        | ErrorKind::Internal => EngineError::general(kind, message),
    }
}

impl From<catalog::Error> for EngineError {
    fn from(error: catalog::Error) -> Self {
        of_kind(error.kind(), error.to_string())
    }
}

impl From<tablet::Error> for EngineError {
    fn from(error: tablet::Error) -> Self {
        of_kind(error.kind(), error.to_string())
    }
}

impl From<tablet::TypeError> for EngineError {
    fn from(error: tablet::TypeError) -> Self {
        of_kind(error.kind(), error.to_string())
    }
}

impl From<tablet::SchemaError> for EngineError {
    fn from(error: tablet::SchemaError) -> Self {
        of_kind(error.kind(), error.to_string())
    }
}

impl From<repository::Error> for EngineError {
    fn from(error: repository::Error) -> Self {
        of_kind(error.kind(), env::explain(&error))
    }
}

impl From<snapshot::Error> for EngineError {
    fn from(error: snapshot::Error) -> Self {
        if let snapshot::Error::UnknownDatabase(name) = &error {
            return Self::unknown_database(name);
        }
        of_kind(error.kind(), env::explain(&error))
    }
}

impl From<crate::sql::SqlError> for EngineError {
    fn from(error: crate::sql::SqlError) -> Self {
        match error.kind {
            crate::sql::SqlErrorKind::Syntax => Self::syntax(error),
            crate::sql::SqlErrorKind::Unsupported => Self::unsupported(error.to_string()),
        }
    }
}
