//! Databases.

use super::{ATTEMPTS, Ddl, too_often};
use crate::error::{EngineError, ErrorKind};
use crate::load::let_in;
use catalog::records::{DatabaseRecord, Recycled};
use catalog::{At, keys, names};
use env::ids::DatabaseId;
use env::rt::time::unix_millis;

/// The name that is kept for what describes the others.
const RESERVED: &str = "information_schema";

/// Whether a database may have that name.
pub(super) fn check_name(name: &str) -> Result<(), EngineError> {
    names::database(name)?;
    if name.eq_ignore_ascii_case(RESERVED) {
        return Err(EngineError::database_exists(name));
    }
    Ok(())
}

impl Ddl {
    /// `CREATE DATABASE`. Whether it was made: false when it was there and that is fine.
    pub(crate) async fn create_database(&self, name: &str, if_not_exists: bool) -> Result<bool, EngineError> {
        check_name(name)?;
        for _ in 0..ATTEMPTS {
            if self.catalog.database(name, At::Latest).await?.is_some() {
                return if if_not_exists { Ok(false) } else { Err(EngineError::database_exists(name)) };
            }
            let id = DatabaseId(self.catalog.allocate(1).await?);
            let record = DatabaseRecord { id, name: name.to_owned(), created_ms: unix_millis() };
            let change = self.catalog.change().claim_name(keys::database_name(name), id.0).create(&record);
            match change.commit().await {
                Ok(_) => return Ok(true),
                Err(failed) if failed.is_conflict() => {}
                Err(failed) => return Err(failed.into()),
            }
        }
        Err(too_often())
    }

    /// `DROP DATABASE`: with all its tables.
    pub(crate) async fn drop_database(&self, name: &str, if_exists: bool, force: bool) -> Result<(), EngineError> {
        if name.eq_ignore_ascii_case(RESERVED) {
            return Err(EngineError::general(ErrorKind::Denied, format!("{RESERVED} cannot be dropped")));
        }
        for _ in 0..ATTEMPTS {
            let at = self.catalog.pin(At::Latest).await?;
            let Some(database) = self.catalog.database(name, at).await? else {
                return if if_exists { Ok(()) } else { Err(EngineError::no_database_to_drop(name)) };
            };
            if let Some(job) = self.catalog.named(&keys::running(database.id), at).await? {
                return Err(EngineError::general(
                    ErrorKind::Busy,
                    format!(
                        "database '{name}' has a running job {job}; wait for it (SHOW BACKUP FROM {name}, SHOW RESTORE \
                         FROM {name}) or cancel it"
                    ),
                ));
            }
            let now_ms = unix_millis();
            let mut change = self
                .catalog
                .change()
                .absent_key(keys::running(database.id))
                .delete(&database)
                .release_name(keys::database_name(name));
            if !force {
                let what = Recycled::Database { record: database.record.clone() };
                change = change.create(&self.recycled(database.id, now_ms, what).await?);
            }
            let mut removed = Vec::new();
            for table in self.catalog.tables(database.id, at).await? {
                let_in(&table, name)?;
                let dropped = self.drop_table_in(change, &table, at, force, now_ms).await?;
                change = dropped.0;
                removed.extend(dropped.1);
            }
            match change.commit().await {
                Ok(_) => {
                    self.remove_tablets(&removed).await;
                    return Ok(());
                }
                Err(failed) if failed.is_conflict() => {}
                Err(failed) => return Err(failed.into()),
            }
        }
        Err(too_often())
    }

    /// `ALTER DATABASE a RENAME b`
    pub(crate) async fn rename_database(&self, name: &str, new_name: &str) -> Result<(), EngineError> {
        check_name(new_name)?;
        for _ in 0..ATTEMPTS {
            let database = self.database(name).await?;
            if self.catalog.database(new_name, At::Latest).await?.is_some() {
                return Err(EngineError::database_exists(new_name));
            }
            let renamed = DatabaseRecord { name: new_name.to_owned(), ..database.record.clone() };
            let change = self
                .catalog
                .change()
                .replace(&database, &renamed)
                .claim_name(keys::database_name(new_name), database.id.0)
                .release_name(keys::database_name(name));
            match change.commit().await {
                Ok(_) => return Ok(()),
                Err(failed) if failed.is_conflict() => {}
                Err(failed) => return Err(failed.into()),
            }
        }
        Err(too_often())
    }
}
