//! Users and roles in the catalog, and the ones that are there without a record.

use super::access::{Access, is_root};
use super::names::{host_matches, narrowness};
use super::{ANY_HOST, Identity, ROOT};
use crate::error::EngineError;
use crate::privilege::{GrantScope, Privilege, Privileges, privileges_on};
use catalog::records::{GrantRecord, RoleRecord, UserRecord};
use catalog::{At, Catalog};
use std::collections::{BTreeMap, BTreeSet};

/// The role that everybody has.
pub(super) const PUBLIC: &str = "public";

/// The roles that are always there, with what they are for.
pub(super) const BUILT_IN: [(&str, &str); 4] = [
    ("db_admin", "Everything on the catalog, its databases, tables and views"),
    (PUBLIC, "What every user may do; empty at first"),
    (ROOT, "Everything; also called ADMIN"),
    ("user_admin", "Users, roles and privileges"),
];

/// A role by its own name: ADMIN is another one for `root`.
pub(super) fn canonical(role: &str) -> &str {
    if role.eq_ignore_ascii_case("admin") { ROOT } else { role }
}

/// A role that is always there; `root` holds more than can be written down.
pub(super) fn built_in(name: &str) -> Option<RoleRecord> {
    let on = |scope: GrantScope| {
        let privileges: BTreeSet<Privilege> = privileges_on(&scope).iter().copied().collect();
        GrantRecord { on: scope, privileges, grantable: BTreeSet::new() }
    };
    let grants = match name {
        PUBLIC | ROOT => Vec::new(),
        "db_admin" => {
            [GrantScope::Catalog, GrantScope::AllDatabases, GrantScope::AllTables, GrantScope::AllViews].map(on).into()
        }
        "user_admin" => vec![GrantRecord {
            on: GrantScope::System,
            privileges: BTreeSet::from([Privilege::Grant]),
            grantable: BTreeSet::new(),
        }],
        _ => return None,
    };
    Some(RoleRecord { name: name.to_owned(), roles: BTreeSet::new(), grants, created_ms: 0 })
}

/// The user that is always there, as it is before anything was said about it.
pub(super) fn root() -> UserRecord {
    UserRecord {
        name: ROOT.to_owned(),
        host: ANY_HOST.to_owned(),
        secret: None,
        require_tls: false,
        roles: BTreeSet::from([ROOT.to_owned()]),
        grants: Vec::new(),
        created_ms: 0,
    }
}

/// A user; `None` when there is none.
///
/// # Errors
/// What the catalog says.
pub(super) async fn user(catalog: &Catalog, identity: &Identity, at: At) -> Result<Option<UserRecord>, EngineError> {
    let found = catalog.user(&identity.name, &identity.host, at).await?.map(|stored| stored.record);
    Ok(found.or_else(|| is_root(identity).then(root)))
}

/// A role; `None` when there is none.
///
/// # Errors
/// What the catalog says.
pub(super) async fn role(catalog: &Catalog, name: &str, at: At) -> Result<Option<RoleRecord>, EngineError> {
    let found = catalog.role(name, at).await?.map(|stored| stored.record);
    Ok(found.or_else(|| built_in(name)))
}

/// The privileges of some roles and of all that those have; `None` when `root` is among them.
///
/// # Errors
/// What the catalog says.
pub(super) async fn of_roles(
    catalog: &Catalog,
    roles: &BTreeSet<String>,
    at: At,
) -> Result<Option<Privileges>, EngineError> {
    let mut privileges = Privileges::default();
    let mut seen: BTreeSet<String> = BTreeSet::new();
    let mut left: Vec<String> = roles.iter().cloned().collect();
    while let Some(name) = left.pop() {
        if name == ROOT {
            return Ok(None);
        }
        // Roles may have each other in a circle; each counts once.
        if !seen.insert(name.clone()) {
            continue;
        }
        if let Some(found) = role(catalog, &name, at).await? {
            privileges.add(&found.grants);
            left.extend(found.roles);
        }
    }
    Ok(Some(privileges))
}

/// What an account may do now. One that is not there any more may do nothing.
///
/// # Errors
/// What the catalog says.
pub(crate) async fn access(catalog: &Catalog, identity: &Identity) -> Result<Access, EngineError> {
    if is_root(identity) {
        return Ok(Access::everything(identity.clone()));
    }
    let at = catalog.pin(At::Latest).await?;
    let Some(mut found) = user(catalog, identity, at).await? else {
        return Ok(Access::of(identity.clone(), Privileges::default()));
    };
    found.roles.insert(PUBLIC.to_owned());
    Ok(match of_roles(catalog, &found.roles, at).await? {
        None => Access::everything(identity.clone()),
        Some(mut privileges) => {
            privileges.add(&found.grants);
            Access::of(identity.clone(), privileges)
        }
    })
}

/// The account that `name` from `host` logs in to: the one whose pattern of hosts matches most narrowly.
///
/// # Errors
/// What the catalog says.
pub(crate) async fn login(catalog: &Catalog, name: &str, host: &str) -> Result<Option<UserRecord>, EngineError> {
    let at = catalog.pin(At::Latest).await?;
    let mut named: BTreeMap<String, UserRecord> = catalog
        .users(at)
        .await?
        .into_iter()
        .filter(|user| user.name == name)
        .map(|user| (user.host.clone(), user.record))
        .collect();
    if name == ROOT {
        named.entry(ANY_HOST.to_owned()).or_insert_with(root);
    }
    let mut matching: Vec<UserRecord> = named.into_values().filter(|user| host_matches(&user.host, host)).collect();
    matching.sort_by_key(|user| narrowness(&user.host));
    Ok(matching.pop())
}

/// Whether `root` was given a password.
///
/// # Errors
/// What the catalog says.
pub(crate) async fn root_has_password(catalog: &Catalog) -> Result<bool, EngineError> {
    let found = user(catalog, &Identity::anywhere(ROOT), At::Latest).await?;
    Ok(found.is_some_and(|root| root.secret.is_some()))
}
