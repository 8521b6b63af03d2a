//! The end of what was dropped: partitions and their tablets, at once or when the recycle bin's time is over.

use super::Ddl;
use crate::error::EngineError;
use catalog::records::{PartitionRecord, RecycleRecord, Recycled, TableRecord, TabletRecord};
use catalog::{At, Change, Stored, keys};
use env::ids::{DatabaseId, PartitionId, TableId, TabletId};
use std::collections::BTreeSet;

impl Ddl {
    /// Something that comes into the recycle bin now.
    pub(super) async fn recycled(
        &self,
        database: DatabaseId,
        now_ms: u64,
        what: Recycled,
    ) -> Result<RecycleRecord, EngineError> {
        let id = self.catalog.allocate(1).await?;
        let expires_ms = now_ms.saturating_add(self.trash_keep_ms);
        Ok(RecycleRecord { id, database, dropped_ms: now_ms, expires_ms, what })
    }

    /// Adds to a transaction the end of a partition and its tablets.
    pub(super) async fn delete_partition_in(
        &self,
        change: Change,
        partition: &Stored<PartitionRecord>,
        at: At,
    ) -> Result<Change, EngineError> {
        let mut change = change.delete(partition);
        let tablets = self.directory.tablets(partition.id, at).await?;
        for bucket in 0..u32::try_from(tablets.len()).unwrap_or(u32::MAX) {
            change = change.delete_raw(keys::tablet(partition.id, bucket));
        }
        Ok(change)
    }

    /// Removes the tablets of partitions that no record speaks of any more. What does not succeed is done when the engine opens.
    pub(super) async fn remove_tablets(&self, partitions: &[PartitionId]) {
        let mut tablets: Vec<TabletId> = Vec::new();
        for partition in partitions {
            // Remembered from when the partition was deleted; its records are gone.
            if let Ok(known) = self.directory.tablets(*partition, At::Latest).await {
                tablets.extend(known.iter().copied());
            }
            self.directory.forget(*partition);
        }
        self.forget_tablets(&tablets).await;
    }

    /// Empties the recycle bin of what has expired. How many things went.
    ///
    /// # Errors
    /// What the catalog says.
    pub(crate) async fn expire(&self, now_ms: u64) -> Result<u64, EngineError> {
        let mut emptied = 0;
        for record in self.catalog.list::<RecycleRecord>(keys::RECYCLED, At::Latest).await? {
            if record.expires_ms > now_ms {
                continue;
            }
            let at = self.catalog.pin(At::Latest).await?;
            let mut change = self.catalog.change().delete(&record);
            let mut gone = Vec::new();
            for (table, partition) in self.held_by(&record, at).await? {
                let key = keys::partition(table, partition);
                if let Some(partition) = self.catalog.get::<PartitionRecord>(&key, at).await? {
                    change = self.delete_partition_in(change, &partition, at).await?;
                    gone.push(partition.id);
                }
            }
            match change.commit().await {
                Ok(_) => {
                    self.remove_tablets(&gone).await;
                    emptied += 1;
                }
                // Somebody took it out, or looked at it: next time.
                Err(failed) if failed.is_conflict() => {}
                Err(failed) => return Err(failed.into()),
            }
        }
        Ok(emptied)
    }

    /// The partitions that a record of the bin keeps.
    async fn held_by(&self, record: &RecycleRecord, at: At) -> Result<Vec<(TableId, PartitionId)>, EngineError> {
        Ok(match &record.what {
            Recycled::Database { .. } | Recycled::Made { .. } => Vec::new(),
            Recycled::Partition { table, entry } => vec![(*table, entry.id)],
            Recycled::Table { record } => record.partitions.iter().map(|entry| (record.id, entry.id)).collect(),
            Recycled::Overwritten { table, .. } => {
                let now = self.catalog.get::<TableRecord>(&keys::table(table.database, table.id), at).await?;
                let listed: BTreeSet<PartitionId> =
                    now.iter().flat_map(|now| now.partitions.iter().map(|entry| entry.id)).collect();
                let binned = self.binned_otherwise(record, at).await?;
                table
                    .partitions
                    .iter()
                    .filter(|entry| !listed.contains(&entry.id) && !binned.contains(&entry.id))
                    .map(|entry| (table.id, entry.id))
                    .collect()
            }
        })
    }

    /// Partitions that other records of the bin keep: a table that was overwritten in part and then dropped is in it twice.
    async fn binned_otherwise(&self, record: &RecycleRecord, at: At) -> Result<BTreeSet<PartitionId>, EngineError> {
        let mut kept = BTreeSet::new();
        for other in self.catalog.list::<RecycleRecord>(keys::RECYCLED, at).await? {
            if other.id == record.id {
                continue;
            }
            match &other.what {
                Recycled::Table { record } => kept.extend(record.partitions.iter().map(|entry| entry.id)),
                Recycled::Partition { entry, .. } => {
                    kept.insert(entry.id);
                }
                Recycled::Overwritten { .. } | Recycled::Made { .. } | Recycled::Database { .. } => {}
            }
        }
        Ok(kept)
    }

    /// Removes tablets that the store has and no record speaks of: what a crash left between making them and saying so, or
    /// between letting go of them and removing them. Only before the engine takes statements.
    ///
    /// # Errors
    /// What the catalog and the store say.
    pub(crate) async fn remove_leftovers(&self) -> Result<usize, EngineError> {
        let known: BTreeSet<TabletId> = self
            .catalog
            .list::<TabletRecord>(keys::TABLETS, At::Latest)
            .await?
            .iter()
            .map(|tablet| tablet.id)
            .collect();
        let left: Vec<TabletId> = self.store.tablets().into_iter().filter(|tablet| !known.contains(tablet)).collect();
        self.store.remove(&left).await?;
        Ok(left.len())
    }
}
