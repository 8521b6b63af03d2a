//! SHOW GRANTS, SHOW USERS, SHOW ROLES. Secrets are never shown, not as digests either.

use super::access::Access;
use super::store::{self, BUILT_IN, canonical};
use super::{Identity, ROOT, secrets};
use crate::engine::{Engine, clock};
use crate::error::{EngineError, ErrorKind, codes};
use crate::privilege::{self, GrantScope, scope_text};
use crate::show::Grid;
use crate::sql::{Grantee, UserName};
use catalog::At;
use catalog::records::GrantRecord;
use std::collections::BTreeSet;

/// `SHOW GRANTS [FOR ..]`: a line for each GRANT that leads there.
///
/// # Errors
/// 1141 when there is no such user or role; what the catalog says.
pub(crate) async fn grants(engine: &Engine, access: &Access, of: Option<&Grantee>) -> Result<Grid, EngineError> {
    let own = || {
        let Identity { name, host } = access.identity().clone();
        Grantee::User(UserName { name, host })
    };
    let of = of.cloned().unwrap_or_else(own);
    let catalog = engine.catalog();
    let nobody = || {
        let message = format!("There is no such grant defined for {of}: it is not there");
        EngineError::new(codes::NO_SUCH_GRANT, ErrorKind::NotFound, message)
    };
    let (roles, records, column) = match &of {
        Grantee::User(user) => {
            let user = store::user(catalog, &user.into(), At::Latest).await?.ok_or_else(nobody)?;
            (user.roles, user.grants, "UserIdentity")
        }
        Grantee::Role(name) => {
            let role = store::role(catalog, canonical(name), At::Latest).await?.ok_or_else(nobody)?;
            (role.roles, role.grants, "RoleName")
        }
    };
    let (name, to) = match &of {
        Grantee::User(user) => (user.to_string(), format!("USER {user}")),
        Grantee::Role(role) => (canonical(role).to_owned(), format!("ROLE '{}'", canonical(role))),
    };
    let mut grid = Grid::new([column, "Catalog", "Grants"]);
    let mut row = |catalog: Option<&str>, text: String| {
        grid.rows.push(vec![Some(name.clone()), catalog.map(str::to_owned), Some(text)]);
    };
    for role in &roles {
        row(None, format!("GRANT '{role}' TO {to}"));
    }
    if name == ROOT {
        row(None, format!("GRANT ALL ON EVERYTHING TO {to}"));
    }
    for record in &records {
        let in_catalog = (record.on != GrantScope::System).then_some("default_catalog");
        for text in lines(record, &to) {
            row(in_catalog, text);
        }
    }
    Ok(grid)
}

/// The GRANT statements that a record stands for: one without grant option and one with.
fn lines(record: &GrantRecord, to: &str) -> Vec<String> {
    let on = scope_text(&record.on);
    let kept: BTreeSet<_> = record.privileges.difference(&record.grantable).copied().collect();
    let line = |privileges: &BTreeSet<_>, option: &str| {
        format!("GRANT {} ON {on} TO {to}{option}", privilege::list(privileges.iter().copied()))
    };
    let mut lines = Vec::new();
    if !kept.is_empty() {
        lines.push(line(&kept, ""));
    }
    if !record.grantable.is_empty() {
        lines.push(line(&record.grantable, " WITH GRANT OPTION"));
    }
    lines
}

/// `SHOW USERS`
///
/// # Errors
/// What the catalog says.
pub(crate) async fn users(engine: &Engine) -> Result<Grid, EngineError> {
    let mut users: Vec<_> = engine.catalog().users(At::Latest).await?.into_iter().map(|user| user.record).collect();
    let root = store::root();
    if !users.iter().any(|user| (&user.name, &user.host) == (&root.name, &root.host)) {
        users.push(root);
    }
    users.sort_by(|a, b| (&a.name, &a.host).cmp(&(&b.name, &b.host)));
    let mut grid = Grid::new(["User", "Password", "AuthPlugin", "RequireTls", "Roles", "CreateTime"]);
    for user in users {
        let yes_no = |yes: bool| if yes { "Yes" } else { "No" }.to_owned();
        let identity = Identity { name: user.name, host: user.host };
        grid.rows.push(vec![
            Some(identity.to_string()),
            Some(yes_no(user.secret.is_some())),
            Some(secrets::plugin(user.secret.as_ref()).to_owned()),
            Some(yes_no(user.require_tls)),
            Some(user.roles.into_iter().collect::<Vec<_>>().join(", ")),
            (user.created_ms > 0).then(|| clock::text(user.created_ms)),
        ]);
    }
    Ok(grid)
}

/// `SHOW ROLES`
///
/// # Errors
/// What the catalog says.
pub(crate) async fn roles(engine: &Engine) -> Result<Grid, EngineError> {
    let mut grid = Grid::new(["Name", "Builtin", "Comment"]);
    for (name, comment) in BUILT_IN {
        grid.rows.push(vec![Some(name.to_owned()), Some("true".to_owned()), Some(comment.to_owned())]);
    }
    for role in engine.catalog().roles(At::Latest).await? {
        if store::built_in(&role.name).is_none() {
            grid.rows.push(vec![Some(role.name.clone()), Some("false".to_owned()), None]);
        }
    }
    grid.rows.sort();
    Ok(grid)
}
