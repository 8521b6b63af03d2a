//! DataFusion's errors as a client sees them.

#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "errors of other crates are open; what has no number of its own is general"
)]

use crate::error::{EngineError, ErrorKind, codes};
use datafusion::common::{DataFusionError, SchemaError};

/// The error as MySQL would number it.
pub(super) fn engine(error: DataFusionError) -> EngineError {
    match error {
        DataFusionError::External(inner) => match inner.downcast::<EngineError>() {
            Ok(own) => *own,
            Err(other) => external(other.as_ref()),
        },
        DataFusionError::Context(_, inner) | DataFusionError::Diagnostic(_, inner) => engine(*inner),
        DataFusionError::Shared(inner) => shared(&inner),
        DataFusionError::Collection(mut errors) if !errors.is_empty() => engine(errors.swap_remove(0)),
        DataFusionError::SchemaError(schema, _) => of_schema(&schema),
        DataFusionError::ResourcesExhausted(message) => EngineError::general(
            ErrorKind::Full,
            format!("the query needs more memory than it may use: {}", first_line(&message)),
        ),
        DataFusionError::NotImplemented(message) => EngineError::unsupported(first_line(&message)),
        DataFusionError::ArrowError(inner, _) => match *inner {
            arrow::error::ArrowError::ExternalError(inner) => match inner.downcast::<EngineError>() {
                Ok(own) => *own,
                Err(other) => external(other.as_ref()),
            },
            other => EngineError::invalid(other.to_string()),
        },
        DataFusionError::ParquetError(failed) => {
            EngineError::general(ErrorKind::Corrupt, format!("cannot read rows: {failed}"))
        }
        DataFusionError::IoError(failed) => EngineError::general(ErrorKind::Unavailable, failed.to_string()),
        DataFusionError::Internal(message) => EngineError::internal(first_line(&message)),
        DataFusionError::SQL(failed, _) => EngineError::syntax(failed),
        other => EngineError::invalid(plain(&other.strip_backtrace())),
    }
}

/// An error that several streams share cannot be taken apart.
fn shared(error: &DataFusionError) -> EngineError {
    if let DataFusionError::External(inner) = error
        && let Some(own) = inner.downcast_ref::<EngineError>()
    {
        return own.clone();
    }
    EngineError::invalid(plain(&error.strip_backtrace()))
}

fn external(error: &(dyn std::error::Error + Send + Sync + 'static)) -> EngineError {
    let mut source: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(inner) = source {
        if let Some(own) = inner.downcast_ref::<EngineError>() {
            return own.clone();
        }
        if let Some(failed) = inner.downcast_ref::<std::io::Error>() {
            let kind = match failed.kind() {
                std::io::ErrorKind::NotFound => ErrorKind::Corrupt,
                _ => ErrorKind::Unavailable,
            };
            return EngineError::general(kind, failed.to_string());
        }
        source = inner.source();
    }
    EngineError::general(ErrorKind::Unavailable, error.to_string())
}

fn of_schema(error: &SchemaError) -> EngineError {
    match error {
        SchemaError::FieldNotFound { field, valid_fields } => {
            let mut known: Vec<String> = valid_fields.iter().map(|field| field.name.clone()).collect();
            known.dedup();
            known.truncate(20);
            let hint = if known.is_empty() { String::new() } else { format!("; there are {}", known.join(", ")) };
            EngineError::new(
                codes::UNKNOWN_COLUMN,
                ErrorKind::NotFound,
                format!("Unknown column '{}'{hint}", field.flat_name().replace('"', "")),
            )
        }
        SchemaError::AmbiguousReference { field } => EngineError::invalid(format!(
            "column '{}' is in more than one table; put the table's name in front",
            field.flat_name().replace('"', "")
        )),
        SchemaError::DuplicateQualifiedField { .. } | SchemaError::DuplicateUnqualifiedField { .. } => {
            EngineError::invalid(format!("{error}; give each an alias"))
        }
    }
}

fn first_line(message: &str) -> String {
    message.lines().next().unwrap_or_default().to_owned()
}

/// Without the words that DataFusion puts in front of a message.
fn plain(message: &str) -> String {
    let mut message = first_line(message);
    for prefix in ["Error during planning: ", "Execution error: ", "Optimizer rule", "External error: "] {
        if let Some(rest) = message.strip_prefix(prefix) {
            message = rest.to_owned();
        }
    }
    message
}
