//! The one error of the SQL front end: what is wrong, where, and what to write instead.

use std::fmt;

/// Whether the text is wrong or merely beyond what this server does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SqlErrorKind {
    /// The text does not follow the grammar, or a name, number or clause in it is not acceptable.
    Syntax,
    /// The text is understood, and names something that this server does not do.
    Unsupported,
}

/// A refused SQL text.
///
/// Shown as `<message> at line <line>, column <column>`, followed by the hint after a semicolon when there is one.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct SqlError {
    /// Whether the text is wrong or unsupported.
    pub kind: SqlErrorKind,
    /// What is wrong; lower case, no full stop.
    pub message: String,
    /// Line of the place in the whole text given to the parser, from 1.
    pub line: u64,
    /// Column of the place in characters, from 1.
    pub column: u64,
    /// What to write instead, if there is something better to say than the message.
    pub hint: Option<String>,
}

impl SqlError {
    /// An error of the grammar at a place.
    pub(super) fn syntax(message: impl Into<String>, line: u64, column: u64) -> Self {
        Self { kind: SqlErrorKind::Syntax, message: message.into(), line, column, hint: None }
    }

    /// Something understood and not supported, at a place.
    pub(super) fn unsupported(message: impl Into<String>, line: u64, column: u64) -> Self {
        Self { kind: SqlErrorKind::Unsupported, message: message.into(), line, column, hint: None }
    }

    /// The same error with advice.
    #[must_use]
    pub(super) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

impl fmt::Display for SqlError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at line {}, column {}", self.message, self.line, self.column)?;
        match &self.hint {
            Some(hint) => write!(f, "; {hint}"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for SqlError {}
