//! What each statement needs. Pure: which tables a database has, or a job is about, is left to [`super::authorize`].
//!
//! Rows that a query reads are not here: SELECT on each table, and FILE for FILES(), are asked for by the planner, which
//! alone can tell a table's name from that of a common table expression.

use super::Identity;
use crate::ddl::QualifiedName;
use crate::error::EngineError;
use crate::privilege::{GrantScope, Object, Privilege};
use crate::sql::{
    Account, AlterAction, AlterJob, AlterTable, Backup, CreateTableLike, Explain, Grantee, Insert, NamedObject,
    ObjectKind, ObjectName, ObjectSelection, Recover, Restore, Scope, SetItem, Show, Statement, UserName,
};
use std::collections::BTreeSet;

/// One thing that a statement needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Demand {
    /// A privilege on an object.
    Has(Privilege, Object),
    /// Some privilege on an object or in it.
    Sees(Object),
    /// A privilege on tables of a database, as far as they are there.
    OnTables {
        /// Which privilege.
        privilege: Privilege,
        /// The database's name.
        database: String,
        /// Which tables.
        tables: Tables,
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

/// Which tables of a database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Tables {
    /// All that it has.
    All,
    /// All but these.
    AllBut(BTreeSet<String>),
    /// Just these.
    Listed(BTreeSet<String>),
}

impl Tables {
    /// Whether a table is among them.
    pub(super) fn contains(&self, name: &str) -> bool {
        match self {
            Self::All => true,
            Self::AllBut(left_out) => !left_out.contains(name),
            Self::Listed(listed) => listed.contains(name),
        }
    }
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
        Statement::Explain(Explain { statement, .. }) | Statement::ExplainJob(statement) => needs(statement, session)?,
        Statement::Recover(recover) => of_recover(recover, session)?,
        Statement::UndoRestore { database } => {
            let database = database_of(database.as_deref(), session)?;
            let on_all = |privilege| Demand::OnTables { privilege, database: database.clone(), tables: Tables::All };
            vec![
                repository(),
                on_database(Privilege::CreateTable, &database),
                on_database(Privilege::Drop, &database),
                on_all(Privilege::Insert),
                on_all(Privilege::Drop),
            ]
        }
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
            vec![Demand::Sees(object), Demand::OnTables { privilege: Privilege::Insert, database, tables: Tables::All }]
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
        Show::Backends | Show::Frontends | Show::RecycleBin { .. } => vec![system(Privilege::Operate)],
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

/// The tables that an ON or an EXCLUDE clause is about, by the names that `name` gives them.
fn tables_of(
    objects: Option<&[ObjectSelection]>,
    excluded: Option<&[NamedObject]>,
    name: impl Fn(&NamedObject) -> &String,
) -> Tables {
    if let Some(excluded) = excluded {
        // What loses some partitions only is not left out.
        let whole = excluded.iter().filter(|object| object.partitions.is_none());
        return Tables::AllBut(whole.map(|object| name(object).clone()).collect());
    }
    let mut tables = BTreeSet::new();
    for object in objects.unwrap_or(&[ObjectSelection::All(ObjectKind::Table)]) {
        match object {
            ObjectSelection::All(ObjectKind::Table) => return Tables::All,
            ObjectSelection::Named(object) if object.kind == ObjectKind::Table => {
                tables.insert(name(object).clone());
            }
            ObjectSelection::All(_) | ObjectSelection::Named(_) => {}
        }
    }
    Tables::Listed(tables)
}

fn of_backup(backup: &Backup, session: Option<&str>) -> Result<Vec<Demand>, EngineError> {
    if backup.catalogs.is_some() {
        return Ok(vec![repository()]);
    }
    let database = database_of(backup.database.as_deref(), session)?;
    let tables = tables_of(backup.objects.as_deref(), backup.excluded.as_deref(), |object| &object.name);
    let mut needs = vec![repository()];
    match tables {
        // Also those that are not there: who may not back a table up is not told whether there is one.
        Tables::Listed(names) => {
            let export = |name| Demand::Has(Privilege::Export, Object::Table(database.clone(), name));
            needs.extend(names.into_iter().map(export));
        }
        tables @ (Tables::All | Tables::AllBut(_)) => {
            needs.push(Demand::OnTables { privilege: Privilege::Export, database, tables });
        }
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
    let whole = restore.objects.is_none();
    // Any value but the one that says no: what is wrong with it is for others to say.
    let cleans = restore.properties.get("clean_tables").is_some_and(|value| !value.eq_ignore_ascii_case("false"));
    let Some(database) = restore.target_database.clone() else {
        // The snapshot says which database it is: whatever it says must be allowed.
        needs.push(if whole {
            Demand::Has(Privilege::CreateDatabase, Object::Catalog)
        } else {
            Demand::Has(Privilege::CreateTable, Object::AnyDatabase)
        });
        needs.push(Demand::Has(Privilege::Insert, Object::AnyTable));
        if cleans {
            needs.push(Demand::Has(Privilege::Drop, Object::AnyTable));
        }
        return needs;
    };
    if whole {
        needs.push(Demand::Has(Privilege::CreateDatabase, Object::Catalog));
    } else {
        needs.push(Demand::Has(Privilege::CreateTable, Object::Database(database.clone())));
        needs.push(Demand::Database(database.clone()));
    }
    if cleans {
        let database = database.clone();
        needs.push(Demand::OnTables { privilege: Privilege::Drop, database, tables: Tables::All });
    }
    let tables = tables_of(restore.objects.as_deref(), restore.excluded.as_deref(), |object| {
        object.alias.as_ref().unwrap_or(&object.name)
    });
    needs.push(Demand::OnTables { privilege: Privilege::Insert, database, tables });
    needs
}

/// What comes back is what could have been dropped, under a name that could have been made.
fn of_recover(recover: &Recover, session: Option<&str>) -> Result<Vec<Demand>, EngineError> {
    let has_on_table = |privilege, name: &ObjectName| table(name, session).map(|table| Demand::Has(privilege, table));
    Ok(match recover {
        Recover::Database { name, .. } => vec![
            Demand::Has(Privilege::CreateDatabase, Object::Catalog),
            Demand::Has(Privilege::Drop, Object::Database(name.clone())),
        ],
        Recover::Table { name, new_name, .. } => {
            let database = database_of(name.database.as_deref(), session)?;
            let mut needs = vec![
                Demand::Has(Privilege::CreateTable, Object::Database(database)),
                has_on_table(Privilege::Drop, name)?,
            ];
            if let Some(new_name) = new_name {
                let new = ObjectName { database: name.database.clone(), name: new_name.clone() };
                needs.push(has_on_table(Privilege::Insert, &new)?);
            }
            needs
        }
        Recover::Partition { table: of, .. } => {
            vec![has_on_table(Privilege::Insert, of)?, has_on_table(Privilege::Alter, of)?]
        }
    })
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
