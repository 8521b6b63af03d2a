//! Out of the recycle bin: `RECOVER DATABASE`, `RECOVER TABLE`, `RECOVER PARTITION`.

use super::partition::in_order;
use super::ranges::{self, Partition};
use super::{ATTEMPTS, Ddl, QualifiedName, too_often};
use crate::engine::clock;
use crate::error::{EngineError, ErrorKind};
use crate::load::let_in;
use catalog::records::{
    DatabaseRecord, PartitionEntry, PartitionRecord, PartitionState, RecycleRecord, Recycled, TableRecord,
};
use catalog::{At, Change, Stored, keys, names};
use env::ids::{PartitionId, TableId, Version};

impl Ddl {
    /// `RECOVER DATABASE d [id] [AS e]`: the database that was dropped last under that name, or the one of that id, with the
    /// tables that were dropped with it.
    ///
    /// # Errors
    /// What is not in the bin, or whose name is taken by now.
    pub(crate) async fn recover_database(
        &self,
        name: &str,
        id: Option<u64>,
        new_name: Option<&str>,
    ) -> Result<(), EngineError> {
        let target = new_name.unwrap_or(name);
        super::database::check_name(target)?;
        for _ in 0..ATTEMPTS {
            let at = self.catalog.pin(At::Latest).await?;
            let bin = self.catalog.recycled(at).await?;
            let dropped = bin.iter().rev().find_map(|item| match &item.what {
                Recycled::Database { record } if record.name == name && is_meant(id, record.id.0) => {
                    Some((item, record))
                }
                Recycled::Database { .. }
                | Recycled::Table { .. }
                | Recycled::Partition { .. }
                | Recycled::Overwritten { .. }
                | Recycled::Made { .. } => None,
            });
            let (item, record) = dropped.ok_or_else(|| not_there(&format!("database '{name}'")))?;
            if self.catalog.database(target, at).await?.is_some() {
                return Err(taken(&format!("database '{target}'"), &format!("RECOVER DATABASE {name} AS other_name")));
            }
            let back = DatabaseRecord { name: target.to_owned(), ..record.clone() };
            let claim = keys::database_name(target);
            let mut change = self.catalog.change().delete(item).claim_name(claim, back.id.0).create(&back);
            for table in &bin {
                if let Recycled::Table { record } = &table.what
                    && table.database == item.database
                    && table.dropped_ms == item.dropped_ms
                {
                    change = self.table_back_in(change.delete(table), record, at).await?;
                }
            }
            match change.commit().await {
                Ok(_) => return Ok(()),
                Err(failed) if failed.is_conflict() => {}
                Err(failed) => return Err(failed.into()),
            }
        }
        Err(too_often())
    }

    /// `RECOVER TABLE t [id] [AS u]`: the table that was dropped last under that name, or the one of that id.
    ///
    /// # Errors
    /// What is not in the bin, or whose name is taken by now.
    pub(crate) async fn recover_table(
        &self,
        name: &QualifiedName,
        id: Option<u64>,
        new_name: Option<&str>,
    ) -> Result<(), EngineError> {
        let target = new_name.unwrap_or(&name.name);
        names::table(target)?;
        for _ in 0..ATTEMPTS {
            let at = self.catalog.pin(At::Latest).await?;
            let database = self.catalog.database(&name.database, at).await?;
            let database = database.ok_or_else(|| EngineError::unknown_database(&name.database))?;
            let bin = self.catalog.recycled(at).await?;
            let dropped = bin.iter().rev().find_map(|item| match &item.what {
                Recycled::Table { record }
                    if item.database == database.id && record.name == name.name && is_meant(id, record.id.0) =>
                {
                    Some((item, record))
                }
                Recycled::Database { .. }
                | Recycled::Table { .. }
                | Recycled::Partition { .. }
                | Recycled::Overwritten { .. }
                | Recycled::Made { .. } => None,
            });
            let what = format!("table '{}.{}'", name.database, name.name);
            let (item, record) = dropped.ok_or_else(|| not_there(&what))?;
            if self.catalog.table(database.id, target, at).await?.is_some() {
                let hint = format!("RECOVER TABLE {}.{} AS other_name", name.database, name.name);
                return Err(taken(&format!("table '{}.{target}'", name.database), &hint));
            }
            let mut record = record.as_ref().clone();
            super::table::rename(&mut record, target);
            let change =
                self.table_back_in(self.catalog.change().unchanged(&database).delete(item), &record, at).await?;
            match change.commit().await {
                Ok(_) => return Ok(()),
                Err(failed) if failed.is_conflict() => {}
                Err(failed) => return Err(failed.into()),
            }
        }
        Err(too_often())
    }

    /// `RECOVER PARTITION p [id] FROM t`: of what was dropped or truncated under that name, the last that had rows, or the
    /// one of that id. An empty partition that TRUNCATE put in its place, and that is still empty, makes room.
    ///
    /// # Errors
    /// What is not in the bin; partitions that are in the way.
    pub(crate) async fn recover_partition(
        &self,
        name: &QualifiedName,
        partition: &str,
        id: Option<u64>,
    ) -> Result<(), EngineError> {
        for _ in 0..ATTEMPTS {
            let at = self.catalog.pin(At::Latest).await?;
            let (_, table) = self.table(name).await?;
            let_in(&table, &name.database)?;
            let bin = self.catalog.recycled(at).await?;
            let mut dropped: Option<(&Stored<RecycleRecord>, &PartitionEntry, Stored<PartitionRecord>)> = None;
            for item in bin.iter().rev() {
                let Recycled::Partition { table: of, entry } = &item.what else { continue };
                if *of != table.id || entry.name != partition || !is_meant(id, entry.id.0) {
                    continue;
                }
                let Some(record) = self.recycled_partition(table.id, entry.id, at).await? else { continue };
                let has_rows = record.visible_version > Version::FIRST;
                if dropped.is_none() || has_rows {
                    dropped = Some((item, entry, record));
                }
                if has_rows {
                    break;
                }
            }
            let what = format!("partition '{partition}' of table '{}.{}'", name.database, name.name);
            let (item, entry, record) = dropped.ok_or_else(|| not_there(&what))?;
            let mut change = self.catalog.change().delete(item);
            let mut grown = table.record.clone();
            let mut removed = Vec::new();
            if let Some(now) = table.partition(partition) {
                let key = keys::partition(table.id, now.id);
                let now = self.catalog.get::<PartitionRecord>(&key, at).await?.ok_or_else(too_often)?;
                if now.visible_version > Version::FIRST {
                    let message = format!(
                        "{what} has rows; to bring an earlier one back, TRUNCATE TABLE {}.{} PARTITION ({partition}) and \
                         RECOVER PARTITION {partition} {} FROM {}.{}",
                        name.database, name.name, entry.id, name.database, name.name
                    );
                    return Err(EngineError::general(ErrorKind::AlreadyExists, message));
                }
                grown.partitions.retain(|other| other.id != now.id);
                removed.push(now.id);
                change = self.delete_partition_in(change, &now, at).await?;
            }
            let back = Partition::existing(&table, entry)?;
            let mut all: Vec<Partition> =
                grown.partitions.iter().map(|entry| Partition::existing(&table, entry)).collect::<Result<_, _>>()?;
            ranges::add(&mut all, vec![back])?;
            grown.partitions.push(entry.clone());
            in_order(&mut grown)?;
            let live = PartitionRecord { state: PartitionState::Live, ..record.record.clone() };
            match change.replace(&record, &live).replace(&table, &grown).commit().await {
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

    /// Adds to a transaction that a dropped table is there again.
    pub(super) async fn table_back_in(
        &self,
        change: Change,
        record: &TableRecord,
        at: At,
    ) -> Result<Change, EngineError> {
        let mut change = change.claim_name(keys::table_name(record.database, &record.name), record.id.0).create(record);
        for entry in &record.partitions {
            let found = self.recycled_partition(record.id, entry.id, at).await?;
            let found =
                found.ok_or_else(|| not_there(&format!("partition '{}' of table '{}'", entry.name, record.name)))?;
            let live = PartitionRecord { state: PartitionState::Live, ..found.record.clone() };
            change = change.replace(&found, &live);
        }
        Ok(change)
    }

    /// A partition that is in the bin.
    pub(super) async fn recycled_partition(
        &self,
        table: TableId,
        id: PartitionId,
        at: At,
    ) -> Result<Option<Stored<PartitionRecord>>, EngineError> {
        let found = self.catalog.get::<PartitionRecord>(&keys::partition(table, id), at).await?;
        Ok(found.filter(|partition| partition.state == PartitionState::Recycled))
    }

    /// What the bin holds, the latest first: kind, name, ids, when it came and until when it stays.
    ///
    /// # Errors
    /// What the catalog says.
    pub(crate) async fn recycle_bin(&self) -> Result<Vec<[Option<String>; 7]>, EngineError> {
        let at = self.catalog.pin(At::Latest).await?;
        let mut rows = Vec::new();
        for item in self.catalog.recycled(at).await?.iter().rev() {
            let (kind, name, table, partition) = match &item.what {
                Recycled::Database { record } => ("Database", record.name.clone(), None, None),
                Recycled::Table { record } => ("Table", record.name.clone(), Some(record.id), None),
                Recycled::Partition { table, entry } => ("Partition", entry.name.clone(), Some(*table), Some(entry.id)),
                Recycled::Overwritten { table, .. } => {
                    let names: Vec<&str> = table.partitions.iter().map(|entry| entry.name.as_str()).collect();
                    if names.is_empty() {
                        continue;
                    }
                    ("Overwritten", format!("{} ({})", table.name, names.join(", ")), Some(table.id), None)
                }
                // Nothing is kept for it.
                Recycled::Made { .. } => continue,
            };
            rows.push([
                Some(kind.to_owned()),
                Some(name),
                Some(item.database.to_string()),
                table.map(|id| id.to_string()),
                partition.map(|id| id.to_string()),
                Some(clock::text(item.dropped_ms)),
                Some(clock::text(item.expires_ms)),
            ]);
        }
        Ok(rows)
    }
}

fn is_meant(wanted: Option<u64>, id: u64) -> bool {
    wanted.is_none_or(|wanted| wanted == id)
}

fn not_there(what: &str) -> EngineError {
    let message = format!(
        "{what} is not in the recycle bin: it was not dropped, was dropped with FORCE, or its time in the bin is over; SHOW \
         CATALOG RECYCLE BIN tells what is there"
    );
    EngineError::general(ErrorKind::NotFound, message)
}

fn taken(what: &str, hint: &str) -> EngineError {
    EngineError::general(
        ErrorKind::AlreadyExists,
        format!("{what} is there already; {hint} brings it back beside that"),
    )
}
