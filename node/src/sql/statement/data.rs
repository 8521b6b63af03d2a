//! Statements that change rows.

use sqlparser::ast;

use super::{ObjectName, Properties};
use crate::sql::ValueRows;

/// `INSERT INTO t [PARTITION (..)] [WITH LABEL l] [(columns)] [PROPERTIES (..)] VALUES .. | SELECT ..`
#[derive(Debug, Clone, PartialEq)]
pub struct Insert {
    /// The table.
    pub table: ObjectName,
    /// Rows must belong to one of these; `None` means any. At least one name.
    pub partitions: Option<Vec<String>>,
    /// The load's label.
    pub label: Option<String>,
    /// Which columns the source gives, in its order; `None` means all in the table's order. At least one name, no name twice
    /// (ignoring case).
    pub columns: Option<Vec<String>>,
    /// Properties of this load.
    pub properties: Properties,
    /// Where the rows come from.
    pub source: InsertSource,
}

/// Where INSERT takes its rows from.
#[derive(Debug, Clone, PartialEq)]
pub enum InsertSource {
    /// `VALUES (..), ..`
    Values(ValueRows),
    /// `SELECT ..`, among them `SELECT .. FROM FILES(..)`.
    Query(Box<ast::Query>),
}

/// `UPDATE t [AS a] SET c = e, .. [FROM ..] WHERE ..`
#[derive(Debug, Clone, PartialEq)]
pub struct Update {
    /// The table.
    pub table: ObjectName,
    /// The name it has in the expressions.
    pub alias: Option<String>,
    /// At least one; no column twice (ignoring case).
    pub assignments: Vec<Assignment>,
    /// Further tables to join; usually empty.
    pub from: Vec<ast::TableWithJoins>,
    /// Which rows.
    pub filter: Box<ast::Expr>,
}

/// `c = e`
#[derive(Debug, Clone, PartialEq)]
pub struct Assignment {
    /// The column.
    pub column: String,
    /// Its new value.
    pub value: AssignedValue,
}

/// The right side of an assignment.
#[derive(Debug, Clone, PartialEq)]
pub enum AssignedValue {
    /// `DEFAULT`
    Default,
    /// An expression over the old row.
    Expression(Box<ast::Expr>),
}

/// `DELETE FROM t [AS a] [PARTITION (..)] [USING ..] WHERE ..`
#[derive(Debug, Clone, PartialEq)]
pub struct Delete {
    /// The table.
    pub table: ObjectName,
    /// The name it has in the expressions.
    pub alias: Option<String>,
    /// Only in these; `None` means in all. At least one name.
    pub partitions: Option<Vec<String>>,
    /// Further tables to join; usually empty.
    pub using: Vec<ast::TableWithJoins>,
    /// Which rows.
    pub filter: Box<ast::Expr>,
}
