//! SQL text to statements.
//!
//! Queries and expressions are parsed by `sqlparser`; the statements that are ours (tables in StarRocks' form, the BACKUP and
//! RESTORE family, SHOW, SET) are parsed here, each into a struct that says what was written and nothing else. Nothing here
//! looks anything up: whether a table exists, or a property means something, is for whoever executes the statement.
//!
//! A text goes three ways. `scan` and `script` cut it into statements and take comments out; `cursor` walks over a statement's
//! tokens, and the modules of `parse` say what may follow what; the rows of VALUES never become tokens but stay text
//! (`values`). Work and depth are bounded (`dialect`), so that no text, however odd, takes long or overflows the stack.

mod cursor;
mod dialect;
mod error;
mod files;
mod names;
mod parse;
mod render;
mod scan;
mod script;
mod sensitive;
mod statement;
mod values;

#[cfg(test)]
#[expect(
    clippy::wildcard_enum_match_arm,
    clippy::string_slice,
    clippy::too_many_lines,
    reason = "tests pick what they look at, and may panic"
)]
mod tests;

use sqlparser::ast;

use cursor::{Cursor, Parsed, Rows};
use dialect::BoundedDialect;
use scan::{Lexeme, Place, Scanner};

pub use dialect::PLANNING_STACK_BYTES;
pub use error::{SqlError, SqlErrorKind};
pub use files::files;
pub(crate) use names::is_reserved;
pub use names::{NameKind, check_name, quote_name, quote_text};
pub use scan::Unclosed;
pub use script::{Piece, Pieces, split};
pub use sensitive::without_secrets;
pub use statement::{Account, GrantOn, Grantable, Grantee, Identified, PrivilegeList, Secret, UserClauses, UserName};
pub use statement::{
    AddPartitions, Aggregate, AlterAction, AlterJob, AlterTable, AssignedValue, Assignment, Backup, BoundValue,
    CatalogName, Catalogs, ColumnDef, CreateRepository, CreateTable, CreateTableAs, CreateTableLike, DataType,
    DefaultClause, Delete, Distribution, Explain, ExplainMode, Filter, Insert, InsertSource, IntervalUnit, KeyClause,
    KeyModel, Kill, ListPartition, NamedObject, ObjectKind, ObjectName, ObjectSelection, PartitionBy, PartitionItem,
    PartitionSelection, PartitionSeries, Properties, RangeBounds, RangePartition, Recover, Restore, Retention, Scope,
    SeriesStep, SetItem, SetValue, Show, SnapshotFilter, Statement, Update, Upkeep,
};
pub use values::{Cell, ValueRows};

/// The longest statement, in bytes, not counting the rows of VALUES. Tokens and trees take some two hundred times as much.
const STATEMENT_BYTES_MAX: usize = 1 << 20;

/// The statements of a text, in order; empty ones are left out.
///
/// # Errors
/// The first statement that cannot be parsed; lines and columns are those of the whole text.
pub fn parse(text: &str) -> Result<Vec<Statement>, SqlError> {
    split(text).map(|piece| parse_piece(&piece)).collect()
}

/// One statement of a text that `split` has cut.
///
/// # Errors
/// It cannot be parsed; lines and columns are those of the whole text.
pub fn parse_piece(piece: &Piece<'_>) -> Result<Statement, SqlError> {
    if let Some(what) = piece.unclosed {
        let at = piece.unclosed_at;
        return Err(SqlError::syntax(what.describe(), at.line, at.column));
    }
    let plain = piece.plain();
    let (head, rows) = match rows_at(&plain) {
        Some((values, rows)) => {
            let place = piece.place().after(plain.get(..rows).unwrap_or_default());
            let text = plain.get(rows..).unwrap_or_default();
            (plain.get(..values).unwrap_or_default(), Some(Rows { text, place }))
        }
        None => (&*plain, None),
    };
    if head.len() > STATEMENT_BYTES_MAX {
        return Err(SqlError::unsupported(
            format!("the statement is {} bytes long, more than {STATEMENT_BYTES_MAX}", head.len()),
            piece.line,
            piece.column,
        )
        .hint("load large data with INSERT .. VALUES, FILES or stream load"));
    }
    let tokens = cursor::tokens(head, piece.place())?;
    let dialect = BoundedDialect::new(tokens.len());
    Cursor::new(tokens, &dialect, rows).statement()
}

/// The expression that a text is, such as a `Cell::Expression` or the filter of a stream load.
///
/// # Errors
/// It is none, or something follows it.
pub fn parse_expression(text: &str) -> Result<Box<ast::Expr>, SqlError> {
    expression_at(text, Place::START, "the end of the expression")
}

fn expression_at(text: &str, place: Place, end: &'static str) -> Parsed<Box<ast::Expr>> {
    if text.len() > STATEMENT_BYTES_MAX {
        return Err(SqlError::unsupported(
            format!("the expression is {} bytes long, more than {STATEMENT_BYTES_MAX}", text.len()),
            place.line,
            place.column,
        ));
    }
    let tokens = cursor::tokens(text, place)?;
    let dialect = BoundedDialect::new(tokens.len());
    let mut cursor = Cursor::new(tokens, &dialect, None).up_to(end);
    let expression = cursor.expression()?;
    cursor.want_end()?;
    Ok(expression)
}

/// Where the parameters of a text are, in bytes: each `?` outside of strings, quoted names and comments. Of a text in which
/// something is not closed, those before it.
pub fn parameters(text: &str) -> Vec<usize> {
    let mut scanner = Scanner::new(text, 0);
    let mut places = Vec::new();
    while let Ok(Some(span)) = scanner.next_solid() {
        if scanner.text(span) == "?" {
            places.push(span.start);
        }
    }
    places
}

/// Where VALUES begins and where it ends, in bytes, if the text is an INSERT of rows.
///
/// The word must stand outside parentheses and before any SELECT: anywhere else it belongs to a query.
fn rows_at(text: &str) -> Option<(usize, usize)> {
    let mut scanner = Scanner::new(text, 0);
    let mut depth = 0_usize;
    let mut inserting = false;
    let mut words = 0;
    while let Ok(Some(span)) = scanner.next_solid() {
        match span.lexeme {
            Lexeme::Open => depth += 1,
            Lexeme::Close => depth = depth.saturating_sub(1),
            Lexeme::Word if depth == 0 => {
                let word = scanner.text(span);
                let is = |other: &str| word.eq_ignore_ascii_case(other);
                words += 1;
                if !inserting {
                    let explaining = is("EXPLAIN") || is("DESC") || is("DESCRIBE");
                    if is("INSERT") {
                        inserting = true;
                    } else if words > 2 || (words == 1 && !explaining) {
                        return None;
                    }
                } else if is("VALUES") {
                    return Some((span.start, span.end));
                } else if is("SELECT") {
                    return None;
                }
            }
            Lexeme::Text(_)
            | Lexeme::Prefixed
            | Lexeme::QuotedName
            | Lexeme::Word
            | Lexeme::Number
            | Lexeme::Hex
            | Lexeme::Semicolon
            | Lexeme::Comma
            | Lexeme::Other
            | Lexeme::Blank => {
                if !inserting && depth == 0 {
                    return None;
                }
            }
        }
    }
    None
}
