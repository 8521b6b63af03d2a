//! What one user may do, and the words in which they are told what they may not. Pure.

use super::{ANY_HOST, Identity, ROOT};
use crate::error::{EngineError, ErrorKind, codes};
use crate::privilege::{GrantScope, Object, Privilege, Privileges, scope_text, words};
use std::collections::BTreeSet;

/// A user with all that they may do at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Access {
    identity: Identity,
    held: Held,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Held {
    Everything,
    These(Privileges),
}

impl Access {
    /// The access of somebody who may do everything.
    pub(crate) fn everything(identity: Identity) -> Self {
        Self { identity, held: Held::Everything }
    }

    /// The access of somebody who has these privileges.
    pub(crate) fn of(identity: Identity, privileges: Privileges) -> Self {
        Self { identity, held: Held::These(privileges) }
    }

    /// What an account has before the catalog was asked.
    pub(crate) fn unknown(identity: Identity) -> Self {
        if is_root(&identity) { Self::everything(identity) } else { Self::of(identity, Privileges::default()) }
    }

    /// Whose access it is.
    pub(crate) fn identity(&self) -> &Identity {
        &self.identity
    }

    /// Whether nothing is denied to them.
    pub(crate) fn is_everything(&self) -> bool {
        self.held == Held::Everything
    }

    /// Whether they have a privilege on an object.
    pub(crate) fn allows(&self, privilege: Privilege, object: &Object) -> bool {
        match &self.held {
            Held::Everything => true,
            Held::These(privileges) => privileges.allows(privilege, object),
        }
    }

    /// Whether an object is there for them at all.
    pub(crate) fn sees(&self, object: &Object) -> bool {
        match &self.held {
            Held::Everything => true,
            Held::These(privileges) => privileges.sees(object),
        }
    }

    /// Whether a database is there for them. The one that describes the others is there for everybody.
    pub(crate) fn sees_database(&self, name: &str) -> bool {
        name.eq_ignore_ascii_case("information_schema") || self.sees(&Object::Database(name.to_owned()))
    }

    /// Whether a table or view is there for them.
    pub(crate) fn sees_table(&self, database: &str, name: &str) -> bool {
        self.sees(&Object::Table(database.to_owned(), name.to_owned()))
            || self.sees(&Object::View(database.to_owned(), name.to_owned()))
    }

    /// Whether they may give others a privilege on a scope: with GRANT on SYSTEM any, else what they hold with grant option.
    pub(crate) fn may_grant(&self, privilege: Privilege, scope: &GrantScope) -> bool {
        match &self.held {
            Held::Everything => true,
            Held::These(privileges) => {
                privileges.allows(Privilege::Grant, &Object::System) || privileges.may_grant(privilege, scope)
            }
        }
    }

    /// They must have a privilege on an object.
    ///
    /// # Errors
    /// 1044, 1142 or 1227: they have not.
    pub(crate) fn require(&self, privilege: Privilege, object: &Object) -> Result<(), EngineError> {
        if self.allows(privilege, object) {
            return Ok(());
        }
        Err(self.denied(code(object), &format!("{} on {object}", words(privilege))))
    }

    /// They must have some privilege on an object, or in it.
    ///
    /// # Errors
    /// 1044, 1142 or 1227: they have none.
    pub(crate) fn require_sight(&self, object: &Object) -> Result<(), EngineError> {
        let seen = match object {
            Object::Database(name) => self.sees_database(name),
            Object::Table(database, name) => self.sees_table(database, name),
            Object::System | Object::Catalog | Object::AnyDatabase | Object::AnyTable | Object::View(..) => {
                self.sees(object)
            }
        };
        if seen { Ok(()) } else { Err(self.denied(code(object), &format!("a privilege on {object}"))) }
    }

    /// They must be allowed to give others these privileges on a scope.
    ///
    /// # Errors
    /// 1227: one of them they may not.
    pub(crate) fn require_grant(
        &self,
        privileges: &BTreeSet<Privilege>,
        scope: &GrantScope,
    ) -> Result<(), EngineError> {
        match privileges.iter().find(|privilege| !self.may_grant(**privilege, scope)) {
            None => Ok(()),
            Some(missing) => {
                let on = scope_text(scope);
                let needed = format!("GRANT on SYSTEM, or {} on {on} with GRANT OPTION", words(*missing));
                Err(self.denied(codes::PRIVILEGE_DENIED, &needed))
            }
        }
    }

    /// They must be somebody to whom nothing is denied.
    ///
    /// # Errors
    /// 1227: they are not.
    pub(crate) fn require_everything(&self, what: &str) -> Result<(), EngineError> {
        if self.is_everything() {
            return Ok(());
        }
        Err(self.denied(codes::PRIVILEGE_DENIED, &format!("the role root to {what}")))
    }

    fn denied(&self, code: u16, needed: &str) -> EngineError {
        EngineError::new(code, ErrorKind::Denied, format!("Access denied; user {} needs {needed}", self.identity))
    }
}

/// Whether an account is the one that nothing can be taken from.
pub(crate) fn is_root(identity: &Identity) -> bool {
    identity.name == ROOT && identity.host == ANY_HOST
}

/// MySQL's number for a privilege that is missing on an object.
fn code(object: &Object) -> u16 {
    match object {
        Object::System | Object::Catalog => codes::PRIVILEGE_DENIED,
        Object::Database(_) | Object::AnyDatabase => codes::DATABASE_DENIED,
        Object::Table(..) | Object::AnyTable | Object::View(..) => codes::TABLE_DENIED,
    }
}
