//! What GRANT and REVOKE speak of: from what was written to scopes and privileges. Pure.

use crate::ddl::QualifiedName;
use crate::error::{EngineError, ErrorKind, codes};
use crate::privilege::{self, GrantScope, Privilege, scope_text};
use crate::sql::{GrantOn, Grantable, PrivilegeList};
use std::collections::BTreeSet;

/// The scopes that an ON clause names.
///
/// # Errors
/// 1046 for a name without a database.
pub(super) fn scopes(on: &GrantOn, session: Option<&str>) -> Result<Vec<GrantScope>, EngineError> {
    Ok(match on {
        GrantOn::System => vec![GrantScope::System],
        GrantOn::Catalog => vec![GrantScope::Catalog],
        GrantOn::AllDatabases => vec![GrantScope::AllDatabases],
        GrantOn::Databases(names) => {
            names.iter().map(|database| GrantScope::Database { database: database.clone() }).collect()
        }
        GrantOn::All(Grantable::Table) => vec![GrantScope::AllTables],
        GrantOn::All(Grantable::View) => vec![GrantScope::AllViews],
        GrantOn::AllIn(Grantable::Table, database) => vec![GrantScope::TablesOf { database: database.clone() }],
        GrantOn::AllIn(Grantable::View, database) => vec![GrantScope::ViewsOf { database: database.clone() }],
        GrantOn::Named(kind, names) => {
            let scope = |name| {
                let QualifiedName { database, name } = QualifiedName::of(name, session)?;
                Ok(match kind {
                    Grantable::Table => GrantScope::Table { database, name },
                    Grantable::View => GrantScope::View { database, name },
                })
            };
            names.iter().map(scope).collect::<Result<_, EngineError>>()?
        }
    })
}

/// The privileges that are meant on a scope.
///
/// # Errors
/// Invalid when there is no such privilege on such an object.
pub(super) fn meant(listed: &PrivilegeList, scope: &GrantScope) -> Result<BTreeSet<Privilege>, EngineError> {
    let there_are = privilege::privileges_on(scope);
    match listed {
        PrivilegeList::All => Ok(there_are.iter().copied().collect()),
        PrivilegeList::Listed(listed) => match listed.iter().find(|one| !there_are.contains(one)) {
            None => Ok(listed.clone()),
            Some(other) => Err(EngineError::new(
                codes::GENERAL,
                ErrorKind::Invalid,
                format!(
                    "there is no privilege {} on {}; there are: {}",
                    privilege::words(*other),
                    scope_text(scope),
                    privilege::list(there_are.iter().copied())
                ),
            )),
        },
    }
}
