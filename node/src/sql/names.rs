//! What may be a name, and how names and strings are written.

use std::fmt;

/// What a name is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum NameKind {
    /// A database.
    Database,
    /// A table or view.
    Table,
    /// A column.
    Column,
    /// A partition.
    Partition,
    /// A repository.
    Repository,
    /// A snapshot's label; it becomes part of object names.
    SnapshotLabel,
    /// A load's label.
    LoadLabel,
    /// An external catalog.
    Catalog,
    /// A function.
    Function,
    /// A broker.
    Broker,
    /// A variable of the server.
    Variable,
    /// A user or host.
    User,
}

impl fmt::Display for NameKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Database => "database",
            Self::Table => "table",
            Self::Column => "column",
            Self::Partition => "partition",
            Self::Repository => "repository",
            Self::SnapshotLabel => "snapshot",
            Self::LoadLabel => "label",
            Self::Catalog => "catalog",
            Self::Function => "function",
            Self::Broker => "broker",
            Self::Variable => "variable",
            Self::User => "user",
        })
    }
}

/// The rule that each kind of name follows.
///
/// # Errors
/// The rule that the name breaks, as text that can follow `wrong database name "..":`.
pub fn check_name(kind: NameKind, name: &str) -> Result<(), &'static str> {
    match kind {
        NameKind::Database if !is_database(name) => Err(
            "1 to 256 characters: a letter first, or an underscore and a letter or digit, then letters, digits, _ and -~!@#$%^&<>=+",
        ),
        NameKind::Partition if starts_with_placeholder(name) => Err("names that begin with placeholder_ are reserved"),
        NameKind::Partition | NameKind::Repository | NameKind::Catalog if !is_plain(name) => Err(
            "1 to 64 characters: a letter first, or an underscore and a letter or digit, then letters, digits and _",
        ),
        NameKind::SnapshotLabel | NameKind::LoadLabel if !is_label(name) => Err("1 to 128 letters, digits, _ and -"),
        NameKind::Table
        | NameKind::Column
        | NameKind::Function
        | NameKind::Broker
        | NameKind::Variable
        | NameKind::User
            if !is_free(name) =>
        {
            Err("1 to 1024 characters, none of them NUL")
        }
        NameKind::Database
        | NameKind::Table
        | NameKind::Column
        | NameKind::Partition
        | NameKind::Repository
        | NameKind::SnapshotLabel
        | NameKind::LoadLabel
        | NameKind::Catalog
        | NameKind::Function
        | NameKind::Broker
        | NameKind::Variable
        | NameKind::User => Ok(()),
    }
}

fn is_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_'
}

/// A letter, or an underscore and a letter or digit.
fn begins_well(name: &str) -> bool {
    let mut chars = name.chars();
    match chars.next() {
        Some('_') => chars.next().is_some_and(|c| c.is_ascii_alphanumeric()),
        Some(first) => first.is_ascii_alphabetic(),
        None => false,
    }
}

fn is_plain(name: &str) -> bool {
    begins_well(name) && name.len() <= 64 && name.chars().all(is_word)
}

fn is_database(name: &str) -> bool {
    begins_well(name) && name.len() <= 256 && name.chars().all(|c| is_word(c) || "-~!@#$%^&<>=+".contains(c))
}

fn is_label(name: &str) -> bool {
    !name.is_empty() && name.len() <= 128 && name.chars().all(|c| is_word(c) || c == '-')
}

fn is_free(name: &str) -> bool {
    !name.is_empty() && name.chars().count() <= 1024 && !name.contains('\0')
}

fn starts_with_placeholder(name: &str) -> bool {
    name.get(..12).is_some_and(|start| start.eq_ignore_ascii_case("placeholder_"))
}

/// Words that are names only in back quotes, in order.
pub(super) const RESERVED: &[&str] = &[
    "add",
    "all",
    "alter",
    "analyze",
    "and",
    "as",
    "asc",
    "between",
    "by",
    "case",
    "column",
    "create",
    "cross",
    "current_date",
    "current_time",
    "current_timestamp",
    "current_user",
    "database",
    "databases",
    "default",
    "delete",
    "desc",
    "describe",
    "distinct",
    "drop",
    "else",
    "except",
    "exists",
    "explain",
    "false",
    "for",
    "force",
    "from",
    "full",
    "grant",
    "group",
    "having",
    "if",
    "ignore",
    "in",
    "index",
    "inner",
    "insert",
    "intersect",
    "into",
    "is",
    "join",
    "key",
    "keys",
    "kill",
    "lateral",
    "left",
    "like",
    "limit",
    "load",
    "localtime",
    "localtimestamp",
    "maxvalue",
    "not",
    "null",
    "on",
    "or",
    "order",
    "outer",
    "over",
    "partition",
    "primary",
    "procedure",
    "qualify",
    "range",
    "read",
    "regexp",
    "release",
    "rename",
    "replace",
    "revoke",
    "right",
    "rlike",
    "rows",
    "schema",
    "schemas",
    "select",
    "set",
    "show",
    "table",
    "then",
    "to",
    "true",
    "union",
    "unique",
    "unsigned",
    "update",
    "use",
    "using",
    "values",
    "when",
    "where",
    "with",
];

/// Whether a bare word cannot be a name.
pub(crate) fn is_reserved(word: &str) -> bool {
    // The longest has 17 letters; a lower-case copy of a megabyte would be a waste.
    word.len() <= 20 && RESERVED.binary_search(&word.to_ascii_lowercase().as_str()).is_ok()
}

/// A name in back quotes.
pub fn quote_name(name: &str) -> String {
    format!("`{}`", name.replace('`', "``"))
}

/// A string in double quotation marks, with MySQL's escapes.
pub fn quote_text(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\"\""),
            '\\' => out.push_str("\\\\"),
            '\0' => out.push_str("\\0"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\u{1a}' => out.push_str("\\Z"),
            other => out.push(other),
        }
    }
    out.push('"');
    out
}
