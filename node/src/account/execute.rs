//! The statements about accounts. Each ends in one guarded transaction, and begins anew when something that it looked at was
//! changed in between.

use super::access::{Access, is_root};
use super::store::{self, BUILT_IN, PUBLIC, canonical};
use super::{Identity, ROOT, grants, secrets};
use crate::engine::Engine;
use crate::error::{EngineError, ErrorKind, codes};
use crate::privilege::{self, Privileges, scope_text};
use crate::sql::{Account, GrantOn, Grantee, Identified, PrivilegeList, UserClauses};
use catalog::records::{RoleRecord, UserRecord};
use catalog::{At, Catalog, Change, Stored};
use env::rt::time::unix_millis;
use std::collections::BTreeSet;

/// How often a statement begins anew.
const ATTEMPTS: u32 = 50;

/// Executes a statement that [`super::authorize`] has let through.
///
/// # Errors
/// 1396 for users and roles that are there, or are not, against what the statement says; 1141 for a grant that there is none
/// of; 1227 for what only `root` may do; Invalid and Unsupported for passwords and privileges that make no sense.
pub(crate) async fn execute(
    engine: &Engine,
    access: &Access,
    session: Option<&str>,
    account: &Account,
) -> Result<(), EngineError> {
    let work = Work { catalog: engine.catalog(), access, session };
    for _ in 0..ATTEMPTS {
        let Some(change) = work.change(account).await? else { return Ok(()) };
        match change.commit().await {
            Ok(_) => return Ok(()),
            Err(failed) if failed.is_conflict() => {}
            Err(failed) => return Err(failed.into()),
        }
    }
    Err(EngineError::general(ErrorKind::Busy, "users and roles change all the time; try again"))
}

fn cannot(verb: &str, of: &str, reason: &str) -> EngineError {
    let kind = ErrorKind::Invalid;
    EngineError::new(codes::CANNOT_USER, kind, format!("Operation {verb} failed for {of}: {reason}"))
}

/// One attempt at a statement.
struct Work<'a> {
    catalog: &'a Catalog,
    access: &'a Access,
    session: Option<&'a str>,
}

/// A user or role that is about to change.
enum Holder {
    User(Option<Stored<UserRecord>>, UserRecord),
    Role(Option<Stored<RoleRecord>>, RoleRecord),
}

impl Holder {
    fn parts(&mut self) -> (&mut BTreeSet<String>, &mut Vec<catalog::records::GrantRecord>) {
        match self {
            Self::User(_, user) => (&mut user.roles, &mut user.grants),
            Self::Role(_, role) => (&mut role.roles, &mut role.grants),
        }
    }

    fn write(&self, change: Change) -> Change {
        match self {
            Self::User(Some(read), user) => change.replace(read, user),
            Self::User(None, user) => change.create(user),
            Self::Role(Some(read), role) => change.replace(read, role),
            Self::Role(None, role) => change.create(role),
        }
    }
}

impl Work<'_> {
    /// The transaction that does it; `None` when there is nothing to do.
    async fn change(&self, account: &Account) -> Result<Option<Change>, EngineError> {
        match account {
            Account::CreateUser { if_not_exists, user, clauses } => {
                self.create_user(&user.into(), clauses, *if_not_exists).await
            }
            Account::AlterUser { if_exists, user, clauses } => {
                let identity = self.named(user.as_ref());
                self.alter_user(&identity, clauses, *if_exists).await
            }
            Account::SetPassword { user, identified } => {
                let identity = self.named(user.as_ref());
                self.set_password(&identity, identified).await.map(Some)
            }
            Account::DropUser { if_exists, users } => {
                let users: BTreeSet<Identity> = users.iter().map(Identity::from).collect();
                self.drop_users(&users, *if_exists).await
            }
            Account::CreateRole { if_not_exists, roles } => self.create_roles(roles, *if_not_exists).await,
            Account::DropRole { if_exists, roles } => self.drop_roles(roles, *if_exists).await,
            Account::Grant { privileges, on, to, grant_option } => {
                let grant = |held: &mut Privileges, _: &Grantee| {
                    for scope in grants::scopes(on, self.session)? {
                        held.grant(&scope, &grants::meant(privileges, &scope)?, *grant_option);
                    }
                    Ok(())
                };
                self.privileges("GRANT", to, grant).await.map(Some)
            }
            Account::Revoke { privileges, on, from } => {
                let revoke = |held: &mut Privileges, of: &Grantee| self.take_away(held, of, privileges, on);
                self.privileges("REVOKE", from, revoke).await.map(Some)
            }
            Account::GrantRole { roles, to } => self.grant_roles(roles, to).await.map(Some),
            Account::RevokeRole { roles, from } => self.revoke_roles(roles, from).await.map(Some),
        }
    }

    /// The user that a statement names; whoever is logged in when it names none.
    fn named(&self, user: Option<&crate::sql::UserName>) -> Identity {
        user.map_or_else(|| self.access.identity().clone(), Identity::from)
    }

    /// Who is not `root` has no say over those who are.
    async fn outranks(&self, user: &UserRecord, what: &str) -> Result<(), EngineError> {
        let identity = Identity { name: user.name.clone(), host: user.host.clone() };
        let is_theirs = identity == *self.access.identity();
        let of_root = is_root(&identity) || store::of_roles(self.catalog, &user.roles, At::Latest).await?.is_none();
        if of_root && !is_theirs { self.access.require_everything(what) } else { Ok(()) }
    }

    /// Roles by their own names, each of which is there; with the guards that keep them there.
    async fn roles(
        &self,
        verb: &str,
        roles: &[String],
        mut change: Change,
    ) -> Result<(BTreeSet<String>, Change), EngineError> {
        let mut names = BTreeSet::new();
        for name in roles {
            let name = canonical(name);
            match self.catalog.role(name, At::Latest).await? {
                Some(read) => change = change.unchanged(&read),
                None if store::built_in(name).is_some() => {}
                None => {
                    let reason = "there is no such role; SHOW ROLES lists those that there are";
                    return Err(cannot(verb, &format!("role '{name}'"), reason));
                }
            }
            names.insert(name.to_owned());
        }
        if store::of_roles(self.catalog, &names, At::Latest).await?.is_none() {
            self.access.require_everything("grant or revoke it")?;
        }
        Ok((names, change))
    }

    async fn create_user(
        &self,
        identity: &Identity,
        clauses: &UserClauses,
        if_not_exists: bool,
    ) -> Result<Option<Change>, EngineError> {
        if store::user(self.catalog, identity, At::Latest).await?.is_some() {
            let reason = "the user is there already; ALTER USER changes it";
            return if if_not_exists { Ok(None) } else { Err(cannot("CREATE USER", &identity.to_string(), reason)) };
        }
        let (roles, change) = self.roles("CREATE USER", &clauses.roles, self.catalog.change()).await?;
        let user = UserRecord {
            name: identity.name.clone(),
            host: identity.host.clone(),
            secret: clauses.identified.as_ref().map(secrets::stored).transpose()?.flatten(),
            require_tls: clauses.require_tls.unwrap_or(false),
            roles,
            grants: Vec::new(),
            created_ms: unix_millis(),
        };
        Ok(Some(change.create(&user)))
    }

    /// A user that must be there; `None` when it is not and need not be.
    async fn user(&self, verb: &str, identity: &Identity, if_exists: bool) -> Result<Option<Holder>, EngineError> {
        let read = self.catalog.user(&identity.name, &identity.host, At::Latest).await?;
        match read.as_ref().map(|read| read.record.clone()).or_else(|| is_root(identity).then(store::root)) {
            Some(user) => Ok(Some(Holder::User(read, user))),
            None if if_exists => Ok(None),
            None => {
                Err(cannot(verb, &identity.to_string(), "there is no such user; SHOW USERS lists those that there are"))
            }
        }
    }

    async fn alter_user(
        &self,
        identity: &Identity,
        clauses: &UserClauses,
        if_exists: bool,
    ) -> Result<Option<Change>, EngineError> {
        let Some(Holder::User(read, mut user)) = self.user("ALTER USER", identity, if_exists).await? else {
            return Ok(None);
        };
        self.outranks(&user, "change it").await?;
        let (roles, change) = self.roles("ALTER USER", &clauses.roles, self.catalog.change()).await?;
        user.roles.extend(roles);
        if let Some(identified) = &clauses.identified {
            user.secret = self.secret_for(&user, identified)?;
        }
        user.require_tls = clauses.require_tls.unwrap_or(user.require_tls);
        Ok(Some(Holder::User(read, user).write(change)))
    }

    async fn set_password(&self, identity: &Identity, identified: &Identified) -> Result<Change, EngineError> {
        let Some(Holder::User(read, mut user)) = self.user("SET PASSWORD", identity, false).await? else {
            return Err(EngineError::internal("a user that must be there is not"));
        };
        self.outranks(&user, "change its password").await?;
        user.secret = self.secret_for(&user, identified)?;
        Ok(Holder::User(read, user).write(self.catalog.change()))
    }

    /// A new secret, by the plugin that the user had when the statement names none.
    #[expect(clippy::unused_self, reason = "reads as a step of the others")]
    fn secret_for(
        &self,
        user: &UserRecord,
        identified: &Identified,
    ) -> Result<Option<catalog::records::SecretRecord>, EngineError> {
        match identified {
            Identified::By { plugin: None, password } => secrets::stored(&Identified::By {
                plugin: Some(secrets::plugin(user.secret.as_ref()).to_owned()),
                password: password.clone(),
            }),
            Identified::By { .. } | Identified::As { .. } => secrets::stored(identified),
        }
    }

    async fn drop_users(&self, users: &BTreeSet<Identity>, if_exists: bool) -> Result<Option<Change>, EngineError> {
        let mut change = None;
        for identity in users {
            if is_root(identity) {
                return Err(cannot("DROP USER", &identity.to_string(), "it is built in"));
            }
            if let Some(Holder::User(Some(read), user)) = self.user("DROP USER", identity, if_exists).await? {
                self.outranks(&user, "drop it").await?;
                change = Some(change.unwrap_or_else(|| self.catalog.change()).delete(&read));
            }
        }
        Ok(change)
    }

    async fn create_roles(&self, roles: &[String], if_not_exists: bool) -> Result<Option<Change>, EngineError> {
        let mut change = None;
        for name in roles.iter().map(|role| canonical(role)).collect::<BTreeSet<_>>() {
            if store::role(self.catalog, name, At::Latest).await?.is_some() {
                if if_not_exists {
                    continue;
                }
                return Err(cannot("CREATE ROLE", &format!("'{name}'"), "the role is there already"));
            }
            let role = RoleRecord {
                name: name.to_owned(),
                roles: BTreeSet::new(),
                grants: Vec::new(),
                created_ms: unix_millis(),
            };
            change = Some(change.unwrap_or_else(|| self.catalog.change()).create(&role));
        }
        Ok(change)
    }

    /// A role goes together with what says that somebody has it: one that is made later under the same name is another one.
    async fn drop_roles(&self, roles: &[String], if_exists: bool) -> Result<Option<Change>, EngineError> {
        let mut dropped = BTreeSet::new();
        let mut change = self.catalog.change();
        for name in roles.iter().map(|role| canonical(role)).collect::<BTreeSet<_>>() {
            if BUILT_IN.iter().any(|(built_in, _)| *built_in == name) {
                return Err(cannot("DROP ROLE", &format!("'{name}'"), "it is built in"));
            }
            match self.catalog.role(name, At::Latest).await? {
                Some(read) => {
                    let one = BTreeSet::from([name.to_owned()]);
                    if store::of_roles(self.catalog, &one, At::Latest).await?.is_none() {
                        self.access.require_everything("drop it")?;
                    }
                    change = change.delete(&read);
                    dropped.insert(name.to_owned());
                }
                None if if_exists => {}
                None => return Err(cannot("DROP ROLE", &format!("'{name}'"), "there is no such role")),
            }
        }
        if dropped.is_empty() {
            return Ok(None);
        }
        for read in self.catalog.users(At::Latest).await? {
            if !read.roles.is_disjoint(&dropped) {
                let mut user = read.record.clone();
                user.roles.retain(|role| !dropped.contains(role));
                change = change.replace(&read, &user);
            }
        }
        for read in self.catalog.roles(At::Latest).await? {
            if !read.roles.is_disjoint(&dropped) && !dropped.contains(&read.name) {
                let mut role = read.record.clone();
                role.roles.retain(|role| !dropped.contains(role));
                change = change.replace(&read, &role);
            }
        }
        Ok(Some(change))
    }

    /// A user or role that is given something, or loses it.
    async fn holder(&self, verb: &str, of: &Grantee) -> Result<Holder, EngineError> {
        match of {
            Grantee::User(user) => {
                let found = self.user(verb, &user.into(), false).await?;
                found.ok_or_else(|| EngineError::internal("a user that must be there is not"))
            }
            Grantee::Role(name) => {
                let name = canonical(name);
                if name != PUBLIC && store::built_in(name).is_some() {
                    return Err(cannot(verb, &format!("role '{name}'"), "what a built-in role may do is fixed"));
                }
                let read = self.catalog.role(name, At::Latest).await?;
                let role = read.as_ref().map(|read| read.record.clone()).or_else(|| store::built_in(name));
                let reason = "there is no such role; SHOW ROLES lists those that there are";
                let role = role.ok_or_else(|| cannot(verb, &format!("role '{name}'"), reason))?;
                Ok(Holder::Role(read, role))
            }
        }
    }

    /// Changes the privileges of users and roles.
    async fn privileges(
        &self,
        verb: &str,
        of: &[Grantee],
        edit: impl Fn(&mut Privileges, &Grantee) -> Result<(), EngineError>,
    ) -> Result<Change, EngineError> {
        let mut change = self.catalog.change();
        for grantee in of.iter().collect::<BTreeSet<_>>() {
            let mut holder = self.holder(verb, grantee).await?;
            let (_, records) = holder.parts();
            let mut held = Privileges::of(records);
            edit(&mut held, grantee)?;
            *records = held.records();
            change = holder.write(change);
        }
        Ok(change)
    }

    fn take_away(
        &self,
        held: &mut Privileges,
        of: &Grantee,
        privileges: &PrivilegeList,
        on: &GrantOn,
    ) -> Result<(), EngineError> {
        for scope in grants::scopes(on, self.session)? {
            let meant = match privileges {
                PrivilegeList::All => held.on(&scope),
                PrivilegeList::Listed(_) => grants::meant(privileges, &scope)?,
            };
            if meant.is_empty() || !held.revoke(&scope, &meant) {
                let what = if meant.is_empty() { "ALL".to_owned() } else { privilege::list(meant) };
                let on = scope_text(&scope);
                let message =
                    format!("There is no such grant defined for {of}: {what} on {on}; SHOW GRANTS FOR {of} lists them");
                return Err(EngineError::new(codes::NO_SUCH_GRANT, ErrorKind::NotFound, message));
            }
        }
        Ok(())
    }

    async fn grant_roles(&self, roles: &[String], to: &[Grantee]) -> Result<Change, EngineError> {
        let (names, mut change) = self.roles("GRANT", roles, self.catalog.change()).await?;
        for grantee in to.iter().collect::<BTreeSet<_>>() {
            let mut holder = self.holder("GRANT", grantee).await?;
            if let Grantee::Role(role) = grantee
                && names.contains(role)
            {
                return Err(cannot("GRANT", &format!("role '{role}'"), "a role cannot have itself"));
            }
            holder.parts().0.extend(names.iter().cloned());
            change = holder.write(change);
        }
        Ok(change)
    }

    async fn revoke_roles(&self, roles: &[String], from: &[Grantee]) -> Result<Change, EngineError> {
        let (names, mut change) = self.roles("REVOKE", roles, self.catalog.change()).await?;
        for grantee in from.iter().collect::<BTreeSet<_>>() {
            if let Grantee::User(user) = grantee
                && is_root(&user.into())
                && names.contains(ROOT)
            {
                return Err(cannot("REVOKE", &user.to_string(), "it is built in, and so is what it may do"));
            }
            let mut holder = self.holder("REVOKE", grantee).await?;
            let (held, _) = holder.parts();
            if let Some(missing) = names.iter().find(|name| !held.contains(*name)) {
                let message = format!("There is no such grant defined for {grantee}: role '{missing}'");
                return Err(EngineError::new(codes::NO_SUCH_GRANT, ErrorKind::NotFound, message));
            }
            held.retain(|role| !names.contains(role));
            change = holder.write(change);
        }
        Ok(change)
    }
}
