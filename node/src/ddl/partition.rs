//! Partitions of a table that is there: add, drop, rename, truncate.

use super::ranges::{self, Partition};
use super::spec;
use super::{ATTEMPTS, Ddl, QualifiedName, is_certain, too_often};
use crate::error::EngineError;
use crate::load::let_in;
use crate::sql::{AddPartitions, Distribution};
use catalog::records::{PartitionEntry, PartitionRecord, PartitionState, Partitioning, Recycled, TableRecord};
use catalog::{At, Change, Stored, keys, names};
use env::ids::PartitionId;
use env::rt::time::unix_millis;
use std::sync::Arc;

impl Ddl {
    /// `ALTER TABLE t ADD PARTITION ..`
    pub(crate) async fn add_partitions(
        &self,
        name: &QualifiedName,
        add: &AddPartitions,
        distribution: Option<&Distribution>,
    ) -> Result<(), EngineError> {
        for _ in 0..ATTEMPTS {
            let (_, table) = self.table(name).await?;
            let_in(&table, &name.database)?;
            let schema = Arc::new(snapshot::schema::tablet_schema(&table)?);
            let columns = snapshot::schema::partition_columns(&table)?;
            let existing: Vec<Partition> =
                table.partitions.iter().map(|entry| Partition::existing(&table, entry)).collect::<Result<_, _>>()?;
            let new = match (add, &table.partitioning) {
                (AddPartitions::Range(one), Partitioning::Range { .. }) => {
                    spec::partition_properties(&one.properties)?;
                    if one.if_not_exists && table.partition(&one.name).is_some() {
                        return Ok(());
                    }
                    vec![ranges::range(&schema, &columns, &existing, one)?]
                }
                (AddPartitions::Series(series), Partitioning::Range { .. }) => {
                    ranges::series(&schema, &columns, series)?
                }
                (AddPartitions::List(one), Partitioning::List { .. }) => {
                    spec::partition_properties(&one.properties)?;
                    if one.if_not_exists && table.partition(&one.name).is_some() {
                        return Ok(());
                    }
                    vec![ranges::list(&schema, &columns, one)?]
                }
                (_, Partitioning::None) => return Err(not_partitioned(&table)),
                (AddPartitions::List(_), Partitioning::Range { .. }) => {
                    return Err(EngineError::invalid(format!(
                        "table '{}' is partitioned by RANGE; write VALUES LESS THAN (..) or VALUES [(..), (..))",
                        table.name
                    )));
                }
                (AddPartitions::Range(_) | AddPartitions::Series(_), Partitioning::List { .. }) => {
                    return Err(EngineError::invalid(format!(
                        "table '{}' is partitioned by LIST; write VALUES IN (..)",
                        table.name
                    )));
                }
            };
            let mut all = existing;
            ranges::add(&mut all, new.clone())?;
            let buckets = spec::added_buckets(distribution, &table, &schema)?;
            let made = self.make_partitions(table.id, &schema, &new, buckets).await?;
            let mut grown = table.record.clone();
            grown.partitions.extend(made.entries.clone());
            in_order(&mut grown)?;
            let change = self.catalog.change().replace(&table, &grown);
            match made.records(change).commit().await {
                Ok(_) => return Ok(()),
                Err(failed) => {
                    if is_certain(&failed) {
                        self.forget_tablets(&made.tablets()).await;
                    }
                    if !failed.is_conflict() {
                        return Err(failed.into());
                    }
                }
            }
        }
        Err(too_often())
    }

    /// `ALTER TABLE t DROP PARTITION ..`
    pub(crate) async fn drop_partitions(
        &self,
        name: &QualifiedName,
        partitions: &[String],
        if_exists: bool,
        force: bool,
    ) -> Result<(), EngineError> {
        for _ in 0..ATTEMPTS {
            let (_, table) = self.table(name).await?;
            let_in(&table, &name.database)?;
            if table.partitioning == Partitioning::None {
                return Err(not_partitioned(&table));
            }
            let mut gone = Vec::new();
            for partition in partitions {
                match table.partition(partition) {
                    Some(entry) => gone.push(entry.clone()),
                    None if if_exists => {}
                    None => return Err(EngineError::unknown_partition(partition, &table.name)),
                }
            }
            if gone.is_empty() {
                return Ok(());
            }
            let mut shrunk = table.record.clone();
            shrunk.partitions.retain(|entry| !gone.iter().any(|other| other.id == entry.id));
            let change = self.catalog.change().replace(&table, &shrunk);
            let (change, removed) = self.let_go_in(change, &table, &gone, At::Latest, force).await?;
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

    /// `TRUNCATE TABLE`: new, empty partitions take the places of the old ones in one transaction.
    pub(crate) async fn truncate(
        &self,
        name: &QualifiedName,
        partitions: Option<&[String]>,
    ) -> Result<(), EngineError> {
        for _ in 0..ATTEMPTS {
            let (_, table) = self.table(name).await?;
            let_in(&table, &name.database)?;
            let old: Vec<PartitionEntry> = match partitions {
                None => table.partitions.clone(),
                Some(names) => {
                    let mut found: Vec<PartitionEntry> = Vec::with_capacity(names.len());
                    for name in names {
                        let entry = table.partition(name);
                        let entry = entry.ok_or_else(|| EngineError::unknown_partition(name, &table.name))?;
                        if !found.iter().any(|other| other.id == entry.id) {
                            found.push(entry.clone());
                        }
                    }
                    found
                }
            };
            let schema = Arc::new(snapshot::schema::tablet_schema(&table)?);
            let fresh: Vec<Partition> =
                old.iter().map(|entry| Partition::existing(&table, entry)).collect::<Result<_, _>>()?;
            let plan: Vec<(&Partition, u32)> =
                fresh.iter().zip(&old).map(|(partition, entry)| (partition, entry.buckets)).collect();
            let made = self.make_partitions_of(table.id, &schema, &plan).await?;
            let mut emptied = table.record.clone();
            for entry in &mut emptied.partitions {
                if let Some(place) = old.iter().position(|other| other.id == entry.id)
                    && let Some(new) = made.entries.get(place)
                {
                    *entry = new.clone();
                }
            }
            let change = made.records(self.catalog.change().replace(&table, &emptied));
            let committed = match self.let_go_in(change, &table, &old, At::Latest, false).await {
                Ok((change, _)) => change.commit().await,
                Err(failed) => {
                    self.forget_tablets(&made.tablets()).await;
                    return Err(failed);
                }
            };
            match committed {
                Ok(_) => return Ok(()),
                Err(failed) => {
                    if is_certain(&failed) {
                        self.forget_tablets(&made.tablets()).await;
                    }
                    if !failed.is_conflict() {
                        return Err(failed.into());
                    }
                }
            }
        }
        Err(too_often())
    }

    /// `ALTER TABLE t RENAME PARTITION p q`
    pub(crate) async fn rename_partition(&self, name: &QualifiedName, old: &str, new: &str) -> Result<(), EngineError> {
        names::partition(new)?;
        self.change_record(name, |table| {
            if table.partitioning == Partitioning::None {
                return Err(not_partitioned(table));
            }
            if table.partition(new).is_some() {
                return Err(EngineError::invalid(format!("partition '{new}' is there already")));
            }
            let name = table.name.clone();
            let found = table.partitions.iter_mut().find(|entry| entry.name == old);
            let entry = found.ok_or_else(|| EngineError::unknown_partition(old, &name))?;
            new.clone_into(&mut entry.name);
            Ok(())
        })
        .await
    }

    /// Adds to a transaction what becomes of partitions that their table lists no more; with FORCE also those whose tablets
    /// are to be removed after it.
    pub(super) async fn let_go_in(
        &self,
        mut change: Change,
        table: &Stored<TableRecord>,
        gone: &[PartitionEntry],
        at: At,
        force: bool,
    ) -> Result<(Change, Vec<PartitionId>), EngineError> {
        let now_ms = unix_millis();
        let mut removed = Vec::new();
        for entry in gone {
            let key = keys::partition(table.id, entry.id);
            let found = self.catalog.get::<PartitionRecord>(&key, at).await?;
            let partition = found.ok_or_else(too_often)?;
            if force {
                change = self.delete_partition_in(change, &partition, at).await?;
                removed.push(entry.id);
                continue;
            }
            let recycled = PartitionRecord { state: PartitionState::Recycled, ..partition.record.clone() };
            let what = Recycled::Partition { table: table.id, entry: entry.clone() };
            let record = self.recycled(table.database, now_ms, what).await?;
            change = change.replace(&partition, &recycled).create(&record);
        }
        Ok((change, removed))
    }
}

/// Ranges by their lower bounds; lists as they came.
pub(super) fn in_order(table: &mut TableRecord) -> Result<(), EngineError> {
    if !matches!(table.partitioning, Partitioning::Range { .. }) {
        return Ok(());
    }
    let mut keyed = Vec::with_capacity(table.partitions.len());
    for entry in &table.partitions {
        keyed.push((snapshot::schema::bounds(table, entry)?, entry.clone()));
    }
    keyed.sort_by(|(a, _), (b, _)| ranges::lower(a).cmp(&ranges::lower(b)));
    table.partitions = keyed.into_iter().map(|(_, entry)| entry).collect();
    Ok(())
}

fn not_partitioned(table: &TableRecord) -> EngineError {
    EngineError::invalid(format!("table '{}' is not partitioned", table.name))
}
