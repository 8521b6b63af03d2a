//! Statements about the session itself.

use sqlparser::ast;

use super::Statement;

/// `EXPLAIN [mode] statement`
#[derive(Debug, Clone, PartialEq)]
pub struct Explain {
    /// How much to tell.
    pub mode: ExplainMode,
    /// Of what: a query, INSERT, UPDATE or DELETE.
    pub statement: Box<Statement>,
}

/// How much EXPLAIN tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExplainMode {
    /// `EXPLAIN`
    Plan,
    /// `EXPLAIN LOGICAL`
    Logical,
    /// `EXPLAIN VERBOSE`
    Verbose,
    /// `EXPLAIN COSTS`
    Costs,
    /// `EXPLAIN ANALYZE`: run it and tell what it took
    Analyze,
}

/// `KILL [QUERY | CONNECTION] n`
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kill {
    /// End the statement that this connection runs.
    Query(u64),
    /// End this connection; also what plain `KILL n` means.
    Connection(u64),
}

/// Whose variable.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Scope {
    /// This session's; also meant when nothing is written.
    Session,
    /// `GLOBAL`, `PERSIST`
    Global,
}

/// One item of SET.
#[derive(Debug, Clone, PartialEq)]
pub enum SetItem {
    /// `[SESSION | GLOBAL] name = value`, `@@[scope.]name = value`
    Variable {
        /// Whose.
        scope: Scope,
        /// In lower case.
        name: String,
        /// Its new value.
        value: SetValue,
    },
    /// `@name = value`
    UserVariable {
        /// In lower case, without the `@`.
        name: String,
        /// Its new value.
        value: SetValue,
    },
    /// `NAMES charset [COLLATE collation]`, `NAMES DEFAULT`
    Names {
        /// In lower case; `None` for DEFAULT.
        charset: Option<String>,
        /// In lower case.
        collation: Option<String>,
    },
    /// `CHARACTER SET charset`, `CHARSET charset`
    CharacterSet {
        /// In lower case; `None` for DEFAULT.
        charset: Option<String>,
    },
    /// `[SESSION | GLOBAL] TRANSACTION ..`
    Transaction {
        /// Whose.
        scope: Scope,
        /// `ISOLATION LEVEL ..`, in upper case with hyphens, as `transaction_isolation` shows it: `READ-COMMITTED`.
        isolation: Option<String>,
        /// `READ ONLY` or `READ WRITE`.
        read_only: Option<bool>,
    },
}

/// The right side of `SET name = ..`.
#[derive(Debug, Clone, PartialEq)]
pub enum SetValue {
    /// `DEFAULT`
    Default,
    /// A word on its own, as in `SET autocommit = ON` or `SET character_set_results = utf8`; as written.
    Word(String),
    /// A string.
    Text(String),
    /// A number with its sign, as written.
    Number(String),
    /// `NULL`
    Null,
    /// Anything else, as in `SET @a = @@b + 1` or `SET sql_mode = CONCAT(@@sql_mode, ',X')`.
    Expression(Box<ast::Expr>),
}
