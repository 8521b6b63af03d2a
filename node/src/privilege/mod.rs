//! What may be allowed, on what, and whether it is: the decision behind every statement. Pure.
//!
//! A privilege is granted on a scope ([`GrantScope`]) and asked for on an object ([`Object`]). A set of grants allows a
//! privilege on an object when one of its scopes covers the object and holds the privilege; nothing is ever denied by a grant,
//! so the order of grants does not matter and more of them never allow less.

mod object;
mod set;

#[cfg(test)]
mod tests;

pub(crate) use catalog::records::{GrantScope, Privilege};
pub(crate) use object::{Object, covers, scope_text};
pub(crate) use set::Privileges;

/// Every privilege with its words in GRANT.
pub(crate) const WORDS: [(&[&str], Privilege); 14] = [
    (&["GRANT"], Privilege::Grant),
    (&["OPERATE"], Privilege::Operate),
    (&["REPOSITORY"], Privilege::Repository),
    (&["FILE"], Privilege::File),
    (&["CREATE", "DATABASE"], Privilege::CreateDatabase),
    (&["CREATE", "TABLE"], Privilege::CreateTable),
    (&["CREATE", "VIEW"], Privilege::CreateView),
    (&["SELECT"], Privilege::Select),
    (&["INSERT"], Privilege::Insert),
    (&["UPDATE"], Privilege::Update),
    (&["DELETE"], Privilege::Delete),
    (&["EXPORT"], Privilege::Export),
    (&["ALTER"], Privilege::Alter),
    (&["DROP"], Privilege::Drop),
];

/// The words of a privilege.
pub(crate) fn words(privilege: Privilege) -> &'static str {
    match privilege {
        Privilege::Grant => "GRANT",
        Privilege::Operate => "OPERATE",
        Privilege::Repository => "REPOSITORY",
        Privilege::File => "FILE",
        Privilege::CreateDatabase => "CREATE DATABASE",
        Privilege::CreateTable => "CREATE TABLE",
        Privilege::CreateView => "CREATE VIEW",
        Privilege::Select => "SELECT",
        Privilege::Insert => "INSERT",
        Privilege::Update => "UPDATE",
        Privilege::Delete => "DELETE",
        Privilege::Export => "EXPORT",
        Privilege::Alter => "ALTER",
        Privilege::Drop => "DROP",
    }
}

/// The words of some privileges, with commas between.
pub(crate) fn list(privileges: impl IntoIterator<Item = Privilege>) -> String {
    privileges.into_iter().map(words).collect::<Vec<_>>().join(", ")
}

/// The words of all privileges, for a message.
pub(crate) fn all_words() -> String {
    list(WORDS.map(|(_, privilege)| privilege))
}

/// Whether a word is the first of a privilege's.
pub(crate) fn begins_one(word: &str) -> bool {
    WORDS.iter().any(|(words, _)| words.first().is_some_and(|first| first.eq_ignore_ascii_case(word)))
}

/// The privileges that there are on a scope.
pub(crate) fn privileges_on(scope: &GrantScope) -> &'static [Privilege] {
    match scope {
        GrantScope::System => &[Privilege::Grant, Privilege::Operate, Privilege::Repository, Privilege::File],
        GrantScope::Catalog => &[Privilege::CreateDatabase],
        GrantScope::AllDatabases | GrantScope::Database { .. } => {
            &[Privilege::CreateTable, Privilege::CreateView, Privilege::Alter, Privilege::Drop]
        }
        GrantScope::AllTables | GrantScope::TablesOf { .. } | GrantScope::Table { .. } => &[
            Privilege::Select,
            Privilege::Insert,
            Privilege::Update,
            Privilege::Delete,
            Privilege::Export,
            Privilege::Alter,
            Privilege::Drop,
        ],
        GrantScope::AllViews | GrantScope::ViewsOf { .. } | GrantScope::View { .. } => {
            &[Privilege::Select, Privilege::Alter, Privilege::Drop]
        }
    }
}
