//! What each statement needs. Pure: which tables a database has, or a job is about, is left to [`super::authorize`].
//!
//! Rows that a query reads are not here: SELECT on each table, and FILE for FILES(), are asked for by the planner, which
//! alone can tell a table's name from that of a common table expression.

use super::Identity;
use crate::ddl::QualifiedName;
use crate::error::EngineError;
use crate::privilege::{GrantScope, Object, Privilege};
use crate::sql::{
    Account, AlterAction, AlterJob, AlterTable, Backup, CreateTableLike, Explain, Grantee, Insert, ObjectKind,
    ObjectName, ObjectSelection, Restore, Scope, SetItem, Show, Statement, UserName,
};
use std::collections::BTreeSet;

/// One thing that a statement needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Demand {
    /// A privilege on an object.
    Has(Privilege, Object),
    /// Some privilege on an object or in it.
    Sees(Object),
    /// A privilege on tables of a database: on all that it has, or on those of a list that are there.
    OnTables {
        /// Which privilege.
        privilege: Privilege,
        /// The database's name.
        database: String,
        /// `None` means all.
        tables: Option<BTreeSet<String>>,
    },
    /// CREATE DATABASE, unless the database is there.
    Database(String),
    /// EXPORT on every table of the BACKUP that runs in a database.
    RunningBackup {
        /// The database's name.
        database: String,
    },
    /// The right to give others privileges on a scope, or to take them away.
    Grants(BTreeSet<Privilege>, GrantScope),
}

fn system(privilege: Privilege) -> Demand {
    Demand::Has(privilege, Object::System)
}

/// REPOSITORY on SYSTEM.
fn repository() -> Demand {
    system(Privilege::Repository)
}

/// What a statement needs of a session that uses `session` as its database.
///
/// # Errors
/// 1046 when it does not say of which database it speaks; privileges that there are none of.
pub(super) fn needs(statement: &Statement, session: Option<&str>) -> Result<Vec<Demand>, EngineError> {
    let table = |name: &ObjectName| table(name, session);
    let on_table = |privilege, name: &ObjectName| table(name).map(|table| vec![Demand::Has(privilege, table)]);
    let on_database = |privilege, name: &str| Demand::Has(privilege, Object::Database(name.to_owned()));
    let in_database = |privilege, name: &ObjectName| {
        let name = QualifiedName::of(name, session)?;
        Ok::<_, EngineError>(on_database(privilege, &name.database))
    };
    Ok(match statement {
        Statement::CreateDatabase { .. } => vec![Demand::Has(Privilege::CreateDatabase, Object::Catalog)],
        Statement::DropDatabase { name, .. } => vec![on_database(Privilege::Drop, name)],
        // Privileges are on names: who gives another name away must be allowed to take this one from everybody.
        Statement::RenameDatabase { name, .. } => vec![
            on_database(Privilege::Alter, name),
            on_database(Privilege::Drop, name),
            Demand::Has(Privilege::CreateDatabase, Object::Catalog),
        ],
        Statement::Use { database } => vec![Demand::Sees(Object::Database(own_catalog(database).to_owned()))],
        Statement::CreateTable(create) => vec![in_database(Privilege::CreateTable, &create.name)?],
        Statement::CreateTableAs(create) => vec![in_database(Privilege::CreateTable, &create.name)?],
        Statement::CreateTableLike(CreateTableLike { name, like, .. }) => {
            vec![in_database(Privilege::CreateTable, name)?, Demand::Sees(table(like)?)]
        }
        Statement::DropTable { name, .. } => on_table(Privilege::Drop, name)?,
        Statement::TruncateTable { name, .. } => on_table(Privilege::Delete, name)?,
        Statement::AlterTable(alter) => {
            let AlterTable { table: old, action } = alter.as_ref();
            let mut needs = on_table(Privilege::Alter, old)?;
            if let AlterAction::Rename { new_name } = action {
                let new = ObjectName { database: old.database.clone(), name: new_name.clone() };
                needs.push(Demand::Has(Privilege::Drop, table(old)?));
                needs.push(in_database(Privilege::CreateTable, &new)?);
                needs.push(Demand::Has(Privilege::Insert, table(&new)?));
            }
            needs
        }
        Statement::Insert(insert) => {
            let Insert { table, .. } = insert.as_ref();
            on_table(Privilege::Insert, table)?
        }
        Statement::Update(update) => on_table(Privilege::Update, &update.table)?,
        Statement::Delete(delete) => on_table(Privilege::Delete, &delete.table)?,
        Statement::Explain(Explain { statement, .. }) => needs(statement, session)?,
        Statement::Describe { table: name, .. } => vec![Demand::Sees(table(name)?)],
        Statement::Show(show) => of_show(show, session)?,
        Statement::CreateRepository(_)
        | Statement::DropRepository { .. }
        | Statement::Upkeep(_)
        | Statement::CancelRestore { .. }
        | Statement::AlterJob(AlterJob { restore: true, .. }) => vec![repository()],
        Statement::Backup(backup) => of_backup(backup, session)?,
        Statement::Restore(restore) => of_restore(restore),
        Statement::CancelBackup { database, .. } | Statement::AlterJob(AlterJob { restore: false, database, .. }) => {
            let database = database_of(database.as_deref(), session)?;
            vec![repository(), Demand::RunningBackup { database }]
        }
        Statement::Set(items) => {
            let for_all = |item: &SetItem| {
                matches!(
                    item,
                    SetItem::Variable { scope: Scope::Global, .. } | SetItem::Transaction { scope: Scope::Global, .. }
                )
            };
            if items.iter().any(for_all) { vec![system(Privilege::Operate)] } else { Vec::new() }
        }
        Statement::Account(account) => of_account(account, session)?,
        // A session's own affairs, and whose connections KILL may end is looked up where they are.
        Statement::Query(_) | Statement::Begin | Statement::Commit | Statement::Rollback | Statement::Kill(_) => {
            Vec::new()
        }
    })
}

fn table(name: &ObjectName, session: Option<&str>) -> Result<Object, EngineError> {
    let name = QualifiedName::of(name, session)?;
    Ok(Object::Table(name.database, name.name))
}

fn database_of(named: Option<&str>, session: Option<&str>) -> Result<String, EngineError> {
    named.or(session).map(str::to_owned).ok_or_else(EngineError::no_database)
}

/// A database's name without the only catalog's.
pub(crate) fn own_catalog(name: &str) -> &str {
    name.strip_prefix("default_catalog.").unwrap_or(name)
}

fn of_show(show: &Show, session: Option<&str>) -> Result<Vec<Demand>, EngineError> {
    let sees_database =
        |named: Option<&str>| Ok::<_, EngineError>(vec![Demand::Sees(Object::Database(database_of(named, session)?))]);
    Ok(match show {
        Show::Tables { database, .. } | Show::TableStatus { database, .. } => sees_database(database.as_deref())?,
        // A load does not say which tables it was for.
        Show::Load { database, .. } => {
            let database = database_of(database.as_deref(), session)?;
            let object = Object::Database(database.clone());
            vec![Demand::Sees(object), Demand::OnTables { privilege: Privilege::Insert, database, tables: None }]
        }
        Show::CreateDatabase { name } => sees_database(Some(name))?,
        Show::Columns { table: name, .. }
        | Show::Index { table: name }
        | Show::Partitions { table: name, .. }
        | Show::CreateTable { table: name } => vec![Demand::Sees(table(name, session)?)],
        Show::Repositories
        | Show::Backup { .. }
        | Show::Restore { .. }
        | Show::Verify { .. }
        | Show::Snapshot { .. } => vec![repository()],
        Show::Backends | Show::Frontends => vec![system(Privilege::Operate)],
        Show::Users | Show::Roles | Show::Grants { of: Some(_) } => vec![system(Privilege::Grant)],
        // What does not belong to anybody, or shows only what one may see.
        Show::Databases { .. }
        | Show::Variables { .. }
        | Show::Status { .. }
        | Show::Warnings
        | Show::Errors
        | Show::CountWarnings
        | Show::CountErrors
        | Show::Engines
        | Show::Collation { .. }
        | Show::CharacterSet { .. }
        | Show::ProcessList { .. }
        | Show::Grants { of: None }
        | Show::Plugins
        | Show::Privileges
        | Show::Triggers
        | Show::Events
        | Show::ProcedureStatus
        | Show::FunctionStatus
        | Show::Catalogs => Vec::new(),
    })
}

/// The tables that an ON clause names, as `name` gives them; `None` when it says all, or there is none.
fn listed(
    objects: Option<&[ObjectSelection]>,
    name: impl Fn(&crate::sql::NamedObject) -> &String,
) -> Option<BTreeSet<String>> {
    let mut tables = BTreeSet::new();
    for object in objects? {
        match object {
            ObjectSelection::All(ObjectKind::Table) => return None,
            ObjectSelection::Named(object) if object.kind == ObjectKind::Table => {
                tables.insert(name(object).clone());
            }
            ObjectSelection::All(_) | ObjectSelection::Named(_) => {}
        }
    }
    Some(tables)
}

fn of_backup(backup: &Backup, session: Option<&str>) -> Result<Vec<Demand>, EngineError> {
    if backup.catalogs.is_some() {
        return Ok(vec![repository()]);
    }
    let database = database_of(backup.database.as_deref(), session)?;
    let tables = listed(backup.objects.as_deref(), |object| &object.name);
    let mut needs = vec![repository()];
    match tables {
        None => needs.push(Demand::OnTables { privilege: Privilege::Export, database, tables: None }),
        // Also those that are not there: who may not back a table up is not told whether there is one.
        Some(names) => needs.extend(
            names.into_iter().map(|name| Demand::Has(Privilege::Export, Object::Table(database.clone(), name))),
        ),
    }
    Ok(needs)
}

/// What is overwritten is known by the names in the target database, so it is those that INSERT is asked for. What a snapshot
/// holds is only known once it was read: a RESTORE of everything needs INSERT on every table of the target.
fn of_restore(restore: &Restore) -> Vec<Demand> {
    let mut needs = vec![repository()];
    if restore.catalogs.is_some() {
        return needs;
    }
    let tables = listed(restore.objects.as_deref(), |object| object.alias.as_ref().unwrap_or(&object.name));
    let whole = restore.objects.is_none();
    let Some(database) = restore.target_database.clone() else {
        // The snapshot says which database it is: whatever it says must be allowed.
        needs.push(if whole {
            Demand::Has(Privilege::CreateDatabase, Object::Catalog)
        } else {
            Demand::Has(Privilege::CreateTable, Object::AnyDatabase)
        });
        needs.push(Demand::Has(Privilege::Insert, Object::AnyTable));
        return needs;
    };
    if whole {
        needs.push(Demand::Has(Privilege::CreateDatabase, Object::Catalog));
    } else {
        needs.push(Demand::Has(Privilege::CreateTable, Object::Database(database.clone())));
        needs.push(Demand::Database(database.clone()));
    }
    needs.push(Demand::OnTables { privilege: Privilege::Insert, database, tables });
    needs
}

#[expect(clippy::wildcard_enum_match_arm, reason = "no other statement is about whoever runs it")]
/// Whether a statement is about nothing but the password of whoever runs it, or what they may do: everybody may do that.
pub(super) fn is_about_oneself(statement: &Statement, identity: &Identity) -> bool {
    let own = |user: Option<&UserName>| user.is_none_or(|user| Identity::from(user) == *identity);
    match statement {
        Statement::Account(account) => match account.as_ref() {
            Account::SetPassword { user, .. } => own(user.as_ref()),
            Account::AlterUser { user, clauses, .. } => {
                own(user.as_ref()) && clauses.roles.is_empty() && clauses.require_tls.is_none()
            }
            Account::CreateUser { .. }
            | Account::DropUser { .. }
            | Account::CreateRole { .. }
            | Account::DropRole { .. }
            | Account::Grant { .. }
            | Account::Revoke { .. }
            | Account::GrantRole { .. }
            | Account::RevokeRole { .. } => false,
        },
        Statement::Show(show) => {
            matches!(show.as_ref(), Show::Grants { of: Some(Grantee::User(user)) } if own(Some(user)))
        }
        _ => false,
    }
}

fn of_account(account: &Account, session: Option<&str>) -> Result<Vec<Demand>, EngineError> {
    let by_scope = |privileges: &crate::sql::PrivilegeList, on| {
        let scopes = super::grants::scopes(on, session)?;
        let needs = scopes.into_iter().map(|scope| {
            let privileges = super::grants::meant(privileges, &scope)?;
            Ok(Demand::Grants(privileges, scope))
        });
        needs.collect::<Result<Vec<_>, EngineError>>()
    };
    Ok(match account {
        Account::CreateUser { .. }
        | Account::AlterUser { .. }
        | Account::DropUser { .. }
        | Account::SetPassword { .. }
        | Account::CreateRole { .. }
        | Account::DropRole { .. }
        | Account::GrantRole { .. }
        | Account::RevokeRole { .. } => vec![system(Privilege::Grant)],
        Account::Grant { privileges, on, .. } | Account::Revoke { privileges, on, .. } => by_scope(privileges, on)?,
    })
}
