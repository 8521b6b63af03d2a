//! SQL text to statements.
//!
//! Queries and expressions are parsed by `sqlparser`; the statements that are ours (tables in StarRocks' form, the BACKUP and
//! RESTORE family, SHOW, SET) are parsed here, each into a struct that says what was written and nothing else. Nothing here
//! looks anything up: whether a table exists, or a property means something, is for whoever executes the statement.

mod error;
mod statement;
mod values;

pub use error::{SqlError, SqlErrorKind};
pub use statement::*;
pub use values::{Cell, ValueRows};
