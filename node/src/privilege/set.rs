//! A set of grants.

use super::object::{database_of, includes};
use super::{GrantScope, Object, Privilege, covers};
use catalog::records::GrantRecord;
use std::collections::{BTreeMap, BTreeSet};

/// What somebody may do.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Privileges(BTreeMap<GrantScope, Held>);

#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Held {
    privileges: BTreeSet<Privilege>,
    /// Those of them that may be granted on.
    grantable: BTreeSet<Privilege>,
}

impl Privileges {
    /// The set that records hold.
    pub(crate) fn of(grants: &[GrantRecord]) -> Self {
        let mut set = Self::default();
        set.add(grants);
        set
    }

    /// Adds what records hold.
    pub(crate) fn add(&mut self, grants: &[GrantRecord]) {
        for grant in grants.iter().filter(|grant| !grant.privileges.is_empty()) {
            let held = self.0.entry(grant.on.clone()).or_default();
            held.privileges.extend(&grant.privileges);
            // Nobody grants on what they do not have.
            held.grantable.extend(grant.grantable.intersection(&grant.privileges));
        }
    }

    /// The set as records, one for each scope.
    pub(crate) fn records(&self) -> Vec<GrantRecord> {
        let record = |(on, held): (&GrantScope, &Held)| GrantRecord {
            on: on.clone(),
            privileges: held.privileges.clone(),
            grantable: held.grantable.clone(),
        };
        self.0.iter().map(record).collect()
    }

    /// Adds privileges on a scope, with the right to grant them on or without.
    pub(crate) fn grant(&mut self, scope: &GrantScope, privileges: &BTreeSet<Privilege>, grant_option: bool) {
        if privileges.is_empty() {
            return;
        }
        let held = self.0.entry(scope.clone()).or_default();
        held.privileges.extend(privileges);
        if grant_option {
            held.grantable.extend(privileges);
        }
    }

    /// Takes away privileges on exactly this scope; false when one of them was not granted on it. Wider and narrower scopes
    /// stay as they are.
    pub(crate) fn revoke(&mut self, scope: &GrantScope, privileges: &BTreeSet<Privilege>) -> bool {
        let Some(held) = self.0.get_mut(scope) else { return privileges.is_empty() };
        let all = privileges.is_subset(&held.privileges);
        held.privileges.retain(|privilege| !privileges.contains(privilege));
        held.grantable.retain(|privilege| !privileges.contains(privilege));
        if held.privileges.is_empty() {
            self.0.remove(scope);
        }
        all
    }

    /// What was granted on exactly this scope.
    pub(crate) fn on(&self, scope: &GrantScope) -> BTreeSet<Privilege> {
        self.0.get(scope).map(|held| held.privileges.clone()).unwrap_or_default()
    }

    /// Whether a privilege is held on an object.
    pub(crate) fn allows(&self, privilege: Privilege, object: &Object) -> bool {
        self.0.iter().any(|(scope, held)| held.privileges.contains(&privilege) && covers(scope, object))
    }

    /// Whether a privilege on a scope may be granted on.
    pub(crate) fn may_grant(&self, privilege: Privilege, scope: &GrantScope) -> bool {
        self.0.iter().any(|(wide, held)| held.grantable.contains(&privilege) && includes(wide, scope))
    }

    /// Whether anything is held on an object, or in it when it is a database: what makes it visible.
    pub(crate) fn sees(&self, object: &Object) -> bool {
        self.0.keys().any(|scope| match object {
            Object::Database(database) => {
                covers(scope, object)
                    || database_of(scope) == Some(database)
                    || matches!(scope, GrantScope::AllTables | GrantScope::AllViews)
            }
            Object::System
            | Object::Catalog
            | Object::AnyDatabase
            | Object::Table(..)
            | Object::AnyTable
            | Object::View(..) => covers(scope, object),
        })
    }
}
