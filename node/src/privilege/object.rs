//! What privileges are about: the objects that statements touch and the scopes that grants are on.

use super::GrantScope;
use crate::sql::quote_name;
use std::fmt;

/// What a statement needs a privilege on.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Object {
    /// The cluster.
    System,
    /// The only catalog.
    Catalog,
    /// A database.
    Database(String),
    /// Whatever database there is or will be: a statement does not say which.
    AnyDatabase,
    /// A table: its database and its name.
    Table(String, String),
    /// Whatever table there is or will be.
    AnyTable,
    /// A view: its database and its name.
    View(String, String),
}

impl fmt::Display for Object {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::System => f.write_str("SYSTEM"),
            Self::Catalog => f.write_str("CATALOG default_catalog"),
            Self::Database(database) => write!(f, "DATABASE {database}"),
            Self::AnyDatabase => f.write_str("ALL DATABASES"),
            Self::Table(database, name) => write!(f, "TABLE {database}.{name}"),
            Self::AnyTable => f.write_str("ALL TABLES IN ALL DATABASES"),
            Self::View(database, name) => write!(f, "VIEW {database}.{name}"),
        }
    }
}

/// Whether a grant on `scope` is one on `object`.
pub(crate) fn covers(scope: &GrantScope, object: &Object) -> bool {
    match (scope, object) {
        (GrantScope::System, Object::System)
        | (GrantScope::Catalog, Object::Catalog)
        | (GrantScope::AllDatabases, Object::Database(_) | Object::AnyDatabase)
        | (GrantScope::AllTables, Object::Table(..) | Object::AnyTable)
        | (GrantScope::AllViews, Object::View(..)) => true,
        (GrantScope::Database { database }, Object::Database(asked))
        | (GrantScope::TablesOf { database }, Object::Table(asked, _))
        | (GrantScope::ViewsOf { database }, Object::View(asked, _)) => database == asked,
        (GrantScope::Table { database, name }, Object::Table(asked, wanted))
        | (GrantScope::View { database, name }, Object::View(asked, wanted)) => database == asked && name == wanted,
        (
            GrantScope::System
            | GrantScope::Catalog
            | GrantScope::AllDatabases
            | GrantScope::Database { .. }
            | GrantScope::AllTables
            | GrantScope::TablesOf { .. }
            | GrantScope::Table { .. }
            | GrantScope::AllViews
            | GrantScope::ViewsOf { .. }
            | GrantScope::View { .. },
            _,
        ) => false,
    }
}

/// Whether `wide` covers all that `narrow` covers.
pub(super) fn includes(wide: &GrantScope, narrow: &GrantScope) -> bool {
    match (wide, narrow) {
        (GrantScope::AllDatabases, GrantScope::Database { .. })
        | (GrantScope::AllTables, GrantScope::TablesOf { .. } | GrantScope::Table { .. })
        | (GrantScope::AllViews, GrantScope::ViewsOf { .. } | GrantScope::View { .. }) => true,
        (GrantScope::TablesOf { database }, GrantScope::Table { database: other, .. })
        | (GrantScope::ViewsOf { database }, GrantScope::View { database: other, .. }) => database == other,
        (wide, narrow) => wide == narrow,
    }
}

/// The database that a scope is about or lies in, when it is about one.
pub(super) fn database_of(scope: &GrantScope) -> Option<&str> {
    match scope {
        GrantScope::Database { database }
        | GrantScope::TablesOf { database }
        | GrantScope::Table { database, .. }
        | GrantScope::ViewsOf { database }
        | GrantScope::View { database, .. } => Some(database),
        GrantScope::System
        | GrantScope::Catalog
        | GrantScope::AllDatabases
        | GrantScope::AllTables
        | GrantScope::AllViews => None,
    }
}

/// A scope as it is written after ON.
pub(crate) fn scope_text(scope: &GrantScope) -> String {
    match scope {
        GrantScope::System => "SYSTEM".to_owned(),
        GrantScope::Catalog => "CATALOG default_catalog".to_owned(),
        GrantScope::AllDatabases => "ALL DATABASES".to_owned(),
        GrantScope::Database { database } => format!("DATABASE {}", plain(database)),
        GrantScope::AllTables => "ALL TABLES IN ALL DATABASES".to_owned(),
        GrantScope::TablesOf { database } => format!("ALL TABLES IN DATABASE {}", plain(database)),
        GrantScope::Table { database, name } => format!("TABLE {}.{}", plain(database), plain(name)),
        GrantScope::AllViews => "ALL VIEWS IN ALL DATABASES".to_owned(),
        GrantScope::ViewsOf { database } => format!("ALL VIEWS IN DATABASE {}", plain(database)),
        GrantScope::View { database, name } => format!("VIEW {}.{}", plain(database), plain(name)),
    }
}

/// A name, in back quotes when it needs them.
fn plain(name: &str) -> String {
    let bare = name.chars().next().is_some_and(|c| c.is_ascii_alphabetic())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
        && !crate::sql::is_reserved(name);
    if bare { name.to_owned() } else { quote_name(name) }
}
