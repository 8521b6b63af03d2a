//! Checks a statement before it does anything.

use super::access::Access;
use super::needs::{Demand, is_about_oneself, needs};
use crate::engine::Engine;
use crate::error::EngineError;
use crate::privilege::{Object, Privilege};
use crate::sql::Statement;
use catalog::At;
use snapshot::{JobKind, Objects};
use std::collections::BTreeSet;

/// Whether somebody may run a statement in a session that uses `session` as its database.
///
/// # Errors
/// 1044, 1142, 1227: a privilege is missing; 1046 when the statement does not say of which database it speaks; what the
/// catalog says.
pub(crate) async fn authorize(
    engine: &Engine,
    access: &Access,
    statement: &Statement,
    session: Option<&str>,
) -> Result<(), EngineError> {
    // Also what keeps whoever may do everything from paying for it.
    if access.is_everything() || is_about_oneself(statement, access.identity()) {
        return Ok(());
    }
    for demand in needs(statement, session)? {
        match demand {
            Demand::Has(privilege, object) => access.require(privilege, &object)?,
            Demand::Sees(object) => access.require_sight(&object)?,
            Demand::Grants(privileges, scope) => access.require_grant(&privileges, &scope)?,
            Demand::Database(name) => {
                if engine.catalog().database(&name, At::Latest).await?.is_none() {
                    access.require(Privilege::CreateDatabase, &Object::Catalog)?;
                }
            }
            Demand::OnTables { privilege, database, tables } => {
                for name in there(engine, &database).await? {
                    if tables.contains(&name) {
                        access.require(privilege, &Object::Table(database.clone(), name))?;
                    }
                }
            }
            Demand::RunningBackup { database } => {
                for name in backed_up(engine, &database).await? {
                    access.require(Privilege::Export, &Object::Table(database.clone(), name))?;
                }
            }
        }
    }
    Ok(())
}

/// The tables of a database; none when there is no such database, which is for the statement to say.
async fn there(engine: &Engine, database: &str) -> Result<BTreeSet<String>, EngineError> {
    let at = engine.catalog().pin(At::Latest).await?;
    let Some(found) = engine.catalog().database(database, at).await? else { return Ok(BTreeSet::new()) };
    Ok(engine.catalog().tables(found.id, at).await?.into_iter().map(|table| table.record.name).collect())
}

/// The tables of the last BACKUP of a database.
async fn backed_up(engine: &Engine, database: &str) -> Result<BTreeSet<String>, EngineError> {
    let Some(id) = engine.jobs().database(database).await? else { return Ok(BTreeSet::new()) };
    let Some(view) = engine.jobs().last(id, JobKind::Backup).await? else { return Ok(BTreeSet::new()) };
    Ok(match &view.job.objects {
        Objects::Listed(specs) => specs.iter().map(|spec| spec.table.clone()).collect(),
        Objects::All | Objects::AllWith(_) => there(engine, database).await?,
        Objects::Except(specs) => {
            let mut names = there(engine, database).await?;
            for spec in specs.iter().filter(|spec| spec.partitions.is_none()) {
                names.remove(&spec.table);
            }
            names
        }
    })
}

/// Whether somebody may back up all tables of the last BACKUP of a database.
///
/// # Errors
/// What the catalog says.
pub(crate) async fn may_export_last(engine: &Engine, access: &Access, database: &str) -> Result<bool, EngineError> {
    if access.is_everything() {
        return Ok(true);
    }
    let names = backed_up(engine, database).await?;
    Ok(names.into_iter().all(|name| access.allows(Privilege::Export, &Object::Table(database.to_owned(), name))))
}
