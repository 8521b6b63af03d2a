//! Tables as a whole: make, drop, rename, properties.

use super::ranges::Partition;
use super::spec::{self, TableSpec};
use super::{ATTEMPTS, Ddl, QualifiedName, is_certain, too_often};
use crate::error::{EngineError, ErrorKind, codes};
use crate::load::let_in;
use crate::sql::{CreateTable, Properties};
use catalog::records::{
    DatabaseRecord, PartitionEntry, PartitionRecord, PartitionState, Partitioning, Recycled, TableRecord, TableState,
    TabletRecord,
};
use catalog::{At, Change, Stored, keys, names};
use env::ids::{PartitionId, TableId, TabletId, Version};
use env::rt::time::unix_millis;
use std::sync::Arc;
use tablet::{NewTablet, Schema};

/// Tablets that one statement may make.
const TABLETS_MAX: u64 = 200_000;

/// Records of partitions that are new.
#[derive(Debug)]
pub(super) struct NewPartitions {
    pub(super) entries: Vec<PartitionEntry>,
    partitions: Vec<PartitionRecord>,
    tablets: Vec<TabletRecord>,
}

impl NewPartitions {
    pub(super) fn tablets(&self) -> Vec<TabletId> {
        self.tablets.iter().map(|tablet| tablet.id).collect()
    }

    /// Adds their records, without the table's own.
    pub(super) fn records(&self, mut change: Change) -> Change {
        for partition in &self.partitions {
            change = change.create(partition);
        }
        for tablet in &self.tablets {
            change = change.create(tablet);
        }
        change
    }
}

/// Gives a table another name.
pub(super) fn rename(table: &mut TableRecord, name: &str) {
    name.clone_into(&mut table.name);
    // The one partition of a table without partitions has the table's name.
    if let [only] = table.partitions.as_mut_slice()
        && table.partitioning == Partitioning::None
    {
        name.clone_into(&mut only.name);
    }
}

impl Ddl {
    /// `CREATE TABLE` in a database. The table that was made; none when it was there and that is fine.
    pub(crate) async fn create_table(
        &self,
        name: &QualifiedName,
        statement: &CreateTable,
    ) -> Result<Option<TableId>, EngineError> {
        names::table(&name.name)?;
        let spec = spec::check(statement)?;
        let database = self.database(&name.database).await?;
        if self.catalog.table(database.id, &name.name, At::Latest).await?.is_some() {
            return if statement.if_not_exists { Ok(None) } else { Err(EngineError::table_exists(&name.name)) };
        }
        let (columns, table) = (Arc::new(spec.schema.clone()), TableId(self.catalog.allocate(1).await?));
        let new = self.make_partitions(table, &columns, &spec.partitions, spec.buckets).await?;
        match self.register(&database, name, table, &spec, &new, statement.if_not_exists).await {
            Ok(true) => Ok(Some(table)),
            Ok(false) => {
                self.forget_tablets(&new.tablets()).await;
                Ok(None)
            }
            Err((failed, certain)) => {
                if certain {
                    self.forget_tablets(&new.tablets()).await;
                }
                Err(failed)
            }
        }
    }

    /// The transaction that makes a table visible. With the error goes whether nothing was written for sure.
    async fn register(
        &self,
        database: &Stored<DatabaseRecord>,
        name: &QualifiedName,
        id: TableId,
        spec: &TableSpec,
        new: &NewPartitions,
        if_not_exists: bool,
    ) -> Result<bool, (EngineError, bool)> {
        let sure = |failed: EngineError| (failed, true);
        let (model, columns) = snapshot::schema::columns_record(&spec.schema);
        let record = TableRecord {
            id,
            database: database.id,
            name: name.name.clone(),
            columns,
            model,
            distribution: spec.distribution.clone(),
            partitioning: spec.partitioning.clone(),
            partitions: new.entries.clone(),
            properties: spec.properties.clone(),
            comment: spec.comment.clone(),
            created_ms: unix_millis(),
            state: TableState::Normal,
        };
        let mut database = database.clone();
        for _ in 0..ATTEMPTS {
            let change = self
                .catalog
                .change()
                .unchanged(&database)
                .claim_name(keys::table_name(database.id, &name.name), id.0)
                .create(&record);
            match new.records(change).commit().await {
                Ok(_) => return Ok(true),
                Err(failed) if failed.is_conflict() => {
                    let now = self.database(&name.database).await.map_err(sure)?;
                    if now.id != database.id {
                        return Err(sure(EngineError::unknown_database(&name.database)));
                    }
                    let taken = self.catalog.table(now.id, &name.name, At::Latest).await;
                    if taken.map_err(|failed| sure(failed.into()))?.is_some() {
                        return if if_not_exists {
                            Ok(false)
                        } else {
                            Err(sure(EngineError::table_exists(&name.name)))
                        };
                    }
                    database = now;
                }
                Err(failed) => {
                    let certain = is_certain(&failed);
                    return Err((failed.into(), certain));
                }
            }
        }
        Err(sure(too_often()))
    }

    /// Gives partitions ids and makes their tablets in the store. Nothing refers to them yet.
    pub(super) async fn make_partitions(
        &self,
        table: TableId,
        schema: &Arc<Schema>,
        partitions: &[Partition],
        buckets: u32,
    ) -> Result<NewPartitions, EngineError> {
        let plan: Vec<(&Partition, u32)> = partitions.iter().map(|partition| (partition, buckets)).collect();
        self.make_partitions_of(table, schema, &plan).await
    }

    pub(super) async fn make_partitions_of(
        &self,
        table: TableId,
        schema: &Arc<Schema>,
        partitions: &[(&Partition, u32)],
    ) -> Result<NewPartitions, EngineError> {
        let tablets: u64 = partitions.iter().map(|(_, buckets)| u64::from(*buckets)).sum();
        if tablets > TABLETS_MAX {
            return Err(EngineError::invalid(format!(
                "{} partitions with {tablets} buckets in all are too many for one statement; at most {TABLETS_MAX} can be \
                 made at once",
                partitions.len()
            )));
        }
        let mut ids = self.catalog.allocate(tablets.saturating_add(partitions.len() as u64)).await?..;
        let now_ms = unix_millis();
        let mut new = NewPartitions { entries: Vec::new(), partitions: Vec::new(), tablets: Vec::new() };
        for (partition, buckets) in partitions {
            let id = PartitionId(ids.next().unwrap_or(u64::MAX));
            new.entries.push(PartitionEntry {
                id,
                name: partition.name.clone(),
                bounds: partition.bounds.clone(),
                buckets: *buckets,
            });
            new.partitions.push(PartitionRecord {
                id,
                table,
                visible_version: Version::FIRST,
                visible_ms: now_ms,
                state: PartitionState::Live,
            });
            for bucket in 0..*buckets {
                let id_of_tablet = TabletId(ids.next().unwrap_or(u64::MAX));
                new.tablets.push(TabletRecord {
                    id: id_of_tablet,
                    table,
                    partition: id,
                    bucket,
                    replicas: vec![self.node],
                });
            }
        }
        let tablets = new.tablets().into_iter().map(|tablet| NewTablet { tablet, schema: Arc::clone(schema) });
        self.store.create(tablets.collect()).await?;
        Ok(new)
    }

    /// Drops the table that a statement made and could not fill, unless it has another name by now or is gone.
    #[cfg(not(madsim))]
    pub(crate) async fn drop_made(&self, name: &QualifiedName, table: TableId) -> Result<(), EngineError> {
        self.drop_if(name, true, true, |found| found.id == table).await
    }

    /// `DROP TABLE`
    pub(crate) async fn drop_table(
        &self,
        name: &QualifiedName,
        if_exists: bool,
        force: bool,
    ) -> Result<(), EngineError> {
        self.drop_if(name, if_exists, force, |_| true).await
    }

    /// Drops the table of that name if it is one that is `meant`; else it counts as not being there.
    async fn drop_if(
        &self,
        name: &QualifiedName,
        if_exists: bool,
        force: bool,
        meant: impl Fn(&TableRecord) -> bool,
    ) -> Result<(), EngineError> {
        for _ in 0..ATTEMPTS {
            let at = self.catalog.pin(At::Latest).await?;
            let database = self.catalog.database(&name.database, at).await?;
            let database = database.ok_or_else(|| EngineError::unknown_database(&name.database))?;
            let Some(table) =
                self.catalog.table(database.id, &name.name, at).await?.filter(|table| meant(&table.record))
            else {
                return if if_exists {
                    Ok(())
                } else {
                    let message = format!("Unknown table '{}.{}'", name.database, name.name);
                    Err(EngineError::new(codes::UNKNOWN_TABLE, ErrorKind::NotFound, message))
                };
            };
            let_in(&table, &name.database)?;
            let (change, removed) = self.drop_table_in(self.catalog.change(), &table, at, force, unix_millis()).await?;
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

    /// Adds to a transaction what drops a table; with FORCE also the partitions whose tablets are to be removed after it.
    pub(super) async fn drop_table_in(
        &self,
        change: Change,
        table: &Stored<TableRecord>,
        at: At,
        force: bool,
        now_ms: u64,
    ) -> Result<(Change, Vec<PartitionId>), EngineError> {
        let mut change = change.delete(table).release_name(keys::table_name(table.database, &table.name));
        let partitions = self.catalog.partitions(table, at).await?;
        if force {
            for partition in &partitions {
                change = self.delete_partition_in(change, partition, at).await?;
            }
            return Ok((change, partitions.iter().map(|partition| partition.id).collect()));
        }
        for partition in &partitions {
            let recycled = PartitionRecord { state: PartitionState::Recycled, ..partition.record.clone() };
            change = change.replace(partition, &recycled);
        }
        let what = Recycled::Table { record: Box::new(table.record.clone()) };
        Ok((change.create(&self.recycled(table.database, now_ms, what).await?), Vec::new()))
    }

    /// `ALTER TABLE t RENAME u`
    pub(crate) async fn rename_table(&self, name: &QualifiedName, new_name: &str) -> Result<(), EngineError> {
        names::table(new_name)?;
        for _ in 0..ATTEMPTS {
            let (database, table) = self.table(name).await?;
            let_in(&table, &name.database)?;
            if self.catalog.table(database.id, new_name, At::Latest).await?.is_some() {
                return Err(EngineError::table_exists(new_name));
            }
            let mut renamed = table.record.clone();
            rename(&mut renamed, new_name);
            let change = self
                .catalog
                .change()
                .unchanged(&database)
                .replace(&table, &renamed)
                .claim_name(keys::table_name(database.id, new_name), table.id.0)
                .release_name(keys::table_name(database.id, &name.name));
            match change.commit().await {
                Ok(_) => return Ok(()),
                Err(failed) if failed.is_conflict() => {}
                Err(failed) => return Err(failed.into()),
            }
        }
        Err(too_often())
    }

    /// Changes a table's record and nothing else.
    pub(super) async fn change_record(
        &self,
        name: &QualifiedName,
        edit: impl Fn(&mut TableRecord) -> Result<(), EngineError>,
    ) -> Result<(), EngineError> {
        for _ in 0..ATTEMPTS {
            let (_, table) = self.table(name).await?;
            let_in(&table, &name.database)?;
            let mut changed = table.record.clone();
            edit(&mut changed)?;
            match self.catalog.change().replace(&table, &changed).commit().await {
                Ok(_) => return Ok(()),
                Err(failed) if failed.is_conflict() => {}
                Err(failed) => return Err(failed.into()),
            }
        }
        Err(too_often())
    }

    /// `ALTER TABLE t SET (..)`
    pub(crate) async fn set_properties(
        &self,
        name: &QualifiedName,
        properties: &Properties,
    ) -> Result<(), EngineError> {
        // `default.replication_num` is how the table's own is told from a partition's.
        let named = |key: &String| key.strip_prefix("default.").unwrap_or(key).to_owned();
        let given = properties.iter().map(|(key, value)| (named(key), value.clone())).collect();
        let checked = spec::properties(&given)?;
        self.change_record(name, |table| {
            table.properties.extend(checked.clone());
            Ok(())
        })
        .await
    }

    /// `ALTER TABLE t COMMENT = ".."`
    pub(crate) async fn set_comment(&self, name: &QualifiedName, comment: &str) -> Result<(), EngineError> {
        self.change_record(name, |table| {
            comment.clone_into(&mut table.comment);
            Ok(())
        })
        .await
    }
}
