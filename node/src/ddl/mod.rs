//! What exists, changed by statements: databases, tables, partitions.
//!
//! Every statement ends in one guarded catalog transaction; when something that it looked at has changed in between, it looks
//! again. Tablets are made in the store before the transaction that refers to them, and removed after the one that lets go of
//! them: what a crash leaves in between belongs to nobody and is removed when the engine opens.
//!
//! What is dropped, truncated or overwritten goes to the recycle bin for a day, unless FORCE was written; RECOVER and UNDO RESTORE
//! bring it back.

mod database;
mod partition;
mod ranges;
mod recover;
mod recycle;
mod spec;
mod table;
mod undo;

#[cfg(test)]
mod tests;

pub(crate) use spec::show_create;
#[cfg(not(madsim))]
pub(crate) use spec::table_from_query;

use crate::engine::directory::Directory;
use crate::error::{EngineError, ErrorKind};
use crate::sql;
use catalog::records::{DatabaseRecord, TableRecord};
use catalog::{At, Catalog, Stored};
use env::ids::{NodeId, TabletId};
use tablet::TabletStore;

/// How often a statement looks again because something changed under it.
const ATTEMPTS: u32 = 100;

/// Executes DDL. Clones share everything.
#[derive(Debug, Clone)]
pub(crate) struct Ddl {
    pub(crate) catalog: Catalog,
    pub(crate) store: TabletStore,
    pub(crate) directory: Directory,
    pub(crate) node: NodeId,
    /// How long the recycle bin keeps what was dropped, in milliseconds.
    pub(crate) trash_keep_ms: u64,
}

impl Ddl {
    /// The database of that name.
    ///
    /// # Errors
    /// 1049; what the catalog says.
    pub(crate) async fn database(&self, name: &str) -> Result<Stored<DatabaseRecord>, EngineError> {
        let found = self.catalog.database(name, At::Latest).await?;
        found.ok_or_else(|| EngineError::unknown_database(name))
    }

    /// The table of that name with its database, both at one revision.
    ///
    /// # Errors
    /// 1049, 1146; what the catalog says.
    pub(crate) async fn table(
        &self,
        name: &QualifiedName,
    ) -> Result<(Stored<DatabaseRecord>, Stored<TableRecord>), EngineError> {
        let at = self.catalog.pin(At::Latest).await?;
        let database = self.catalog.database(&name.database, at).await?;
        let database = database.ok_or_else(|| EngineError::unknown_database(&name.database))?;
        let table = self.catalog.table(database.id, &name.name, at).await?;
        let table = table.ok_or_else(|| EngineError::unknown_table(&name.database, &name.name))?;
        Ok((database, table))
    }

    /// Tablets that nothing refers to after a transaction that did not happen.
    async fn forget_tablets(&self, tablets: &[TabletId]) {
        if let Err(failed) = self.store.remove(tablets).await {
            tracing::warn!(error = %failed, "tablets of a statement that failed stay until the next start");
        }
    }
}

/// A table's name with its database's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct QualifiedName {
    pub(crate) database: String,
    pub(crate) name: String,
}

impl QualifiedName {
    /// `name` in its own database or the session's.
    ///
    /// # Errors
    /// 1046 when there is neither.
    pub(crate) fn of(name: &sql::ObjectName, session: Option<&str>) -> Result<Self, EngineError> {
        let database = name.database.as_deref().or(session).ok_or_else(EngineError::no_database)?;
        Ok(Self { database: database.to_owned(), name: name.name.clone() })
    }
}

fn too_often() -> EngineError {
    EngineError::general(ErrorKind::Busy, "what the statement is about changes all the time; try again")
}

/// Whether nothing can have been written by a transaction that failed like this.
fn is_certain(failed: &catalog::Error) -> bool {
    failed.kind() != catalog::ErrorKind::Indeterminate
}
