//! `UNDO RESTORE`: what a RESTORE replaced comes back and what it brought goes, in one transaction.
//!
//! The switch of a RESTORE left a record in the recycle bin for every table that it wrote. As long as all of them are there, and
//! nothing that the RESTORE brought was changed since, the old state can be put back; otherwise every reason is told at once.

use super::partition::in_order;
use super::ranges::{self, Partition};
use super::{ATTEMPTS, Ddl, too_often};
use crate::engine::clock;
use crate::error::{EngineError, ErrorKind};
use crate::load::let_in;
use catalog::records::{
    Brought, DatabaseRecord, PartitionEntry, PartitionRecord, PartitionState, RecycleRecord, Recycled, TableRecord,
};
use catalog::{At, Change, Record, Stored, keys};
use env::ids::{JobId, PartitionId};
use env::rt::time::unix_millis;
use std::collections::{BTreeMap, BTreeSet};

impl Ddl {
    /// `UNDO RESTORE [FROM d]`: takes the last RESTORE into the database back.
    ///
    /// # Errors
    /// There is none in the bin; a job of the database runs; something was changed since: each reason is named.
    pub(crate) async fn undo_restore(&self, name: &str) -> Result<(), EngineError> {
        for _ in 0..ATTEMPTS {
            let at = self.catalog.pin(At::Latest).await?;
            let database = self.catalog.database(name, at).await?;
            let database = database.ok_or_else(|| EngineError::unknown_database(name))?;
            if let Some(job) = self.catalog.named(&keys::running(database.id), at).await? {
                return Err(EngineError::general(
                    ErrorKind::Busy,
                    format!("database '{name}' has a running job {job}; wait for it or cancel it before UNDO RESTORE"),
                ));
            }
            let bin = self.catalog.recycled(at).await?;
            let (job, records) = last_restore(&bin, &database).ok_or_else(|| nothing_to_undo(name))?;
            let mut undo = Undo {
                ddl: self,
                at,
                now_ms: unix_millis(),
                change: self.catalog.change().absent_key(keys::running(database.id)),
                reasons: Vec::new(),
                gone: BTreeSet::new(),
            };
            if records.iter().any(|(_, brought)| brought.tables != records.len() as u64) {
                undo.reasons.push("part of what it replaced has left the recycle bin".to_owned());
            }
            let mut with_database = false;
            for (record, brought) in &records {
                match &record.what {
                    Recycled::Overwritten { table, .. } => undo.put_back(record, table, brought).await?,
                    Recycled::Made { table, name, with_database: also, .. } => {
                        with_database |= *also;
                        let key = keys::table(database.id, *table);
                        undo.take_away(record, &key, name, brought).await?;
                    }
                    Recycled::Table { .. } | Recycled::Partition { .. } | Recycled::Database { .. } => {}
                }
            }
            let switched_ms = records.first().map(|(record, _)| record.dropped_ms);
            for item in bin.iter().filter(|item| item.database == database.id && Some(item.dropped_ms) == switched_ms) {
                if let Recycled::Table { record } = &item.what {
                    undo.bring_back(item, record).await?;
                }
            }
            if !undo.reasons.is_empty() {
                return Err(impossible(name, job, &undo.reasons));
            }
            if with_database {
                undo.take_database_away(&database).await?;
            }
            match undo.change.commit().await {
                Ok(_) => {
                    tracing::info!(database = name, job = %job, "a restore was undone");
                    return Ok(());
                }
                Err(failed) if failed.is_conflict() => {}
                Err(failed) => return Err(failed.into()),
            }
        }
        Err(too_often())
    }
}

/// What a RESTORE left in the bin of one table.
type Left<'a> = (&'a Stored<RecycleRecord>, &'a Brought);

/// What the last RESTORE into a database left in the bin.
fn last_restore<'a>(bin: &'a [Stored<RecycleRecord>], database: &DatabaseRecord) -> Option<(JobId, Vec<Left<'a>>)> {
    let of_restore = |record: &'a Stored<RecycleRecord>| match &record.what {
        Recycled::Overwritten { job, brought, .. } | Recycled::Made { job, brought, .. } => {
            Some((*job, record, brought))
        }
        Recycled::Table { .. } | Recycled::Partition { .. } | Recycled::Database { .. } => None,
    };
    let found: Vec<_> = bin.iter().filter(|record| record.database == database.id).filter_map(of_restore).collect();
    let (last, ..) = *found.last()?;
    let records = found.into_iter().filter(|(job, ..)| *job == last);
    Some((last, records.map(|(_, record, brought)| (record, brought)).collect()))
}

/// A transaction that undoes a RESTORE, as it grows.
struct Undo<'a> {
    ddl: &'a Ddl,
    at: At,
    now_ms: u64,
    change: Change,
    /// Why it cannot be done.
    reasons: Vec<String>,
    /// Tables that are dropped.
    gone: BTreeSet<String>,
}

impl Undo<'_> {
    fn amend(&mut self, with: impl FnOnce(Change) -> Change) {
        let change = std::mem::replace(&mut self.change, self.ddl.catalog.change());
        self.change = with(change);
    }

    /// An overwritten table lists its old partitions again.
    async fn put_back(
        &mut self,
        record: &Stored<RecycleRecord>,
        old: &TableRecord,
        brought: &Brought,
    ) -> Result<(), EngineError> {
        let Some(table) = self.ddl.catalog.get::<TableRecord>(&old.key(), self.at).await? else {
            self.reasons.push(format!("table '{0}' was dropped since: RECOVER TABLE {0} first", old.name));
            return Ok(());
        };
        if let Err(busy) = let_in(&table, "") {
            self.reasons.push(busy.to_string());
        }
        let same = (&table.columns, table.model, &table.partitioning, &table.distribution)
            == (&old.columns, old.model, &old.partitioning, &old.distribution);
        if !same {
            self.reasons.push(format!("the structure of table '{}' was changed since", table.name));
        }
        let (mut taken_off, mut entries_gone) = (BTreeSet::new(), Vec::new());
        let mut replaced: BTreeMap<PartitionId, PartitionId> = BTreeMap::new();
        for new in &brought.partitions {
            let Some(entry) = table.partitions.iter().find(|entry| entry.id == new.id) else {
                self.reasons.push(format!("a partition of table '{}' was dropped or truncated since", table.name));
                continue;
            };
            if self.untouched(&table, entry, new.version).await? {
                entries_gone.push(entry.clone());
            }
            match new.replaces {
                Some(old) => drop(replaced.insert(new.id, old)),
                None => drop(taken_off.insert(new.id)),
            }
        }
        let mut entries = Vec::new();
        for entry in &table.partitions {
            match replaced.get(&entry.id).and_then(|id| old.partitions.iter().find(|old| old.id == *id)) {
                Some(old) => entries.push(old.clone()),
                None if taken_off.contains(&entry.id) => {}
                None => entries.push(entry.clone()),
            }
        }
        // Those that had to go although nothing took their place.
        let kept: BTreeSet<PartitionId> = entries.iter().map(|entry| entry.id).collect();
        entries.extend(old.partitions.iter().filter(|entry| !kept.contains(&entry.id)).cloned());
        let mut back = TableRecord { partitions: entries, ..table.record.clone() };
        if same {
            self.check_apart(&back)?;
            in_order(&mut back)?;
        }
        for entry in &old.partitions {
            match self.ddl.recycled_partition(table.id, entry.id, self.at).await? {
                Some(partition) => {
                    let live = PartitionRecord { state: PartitionState::Live, ..partition.record.clone() };
                    self.amend(|change| change.replace(&partition, &live));
                }
                None => self.reasons.push(format!("partition '{}' has left the recycle bin", entry.name)),
            }
        }
        if !self.reasons.is_empty() {
            return Ok(());
        }
        self.amend(|change| change.delete(record).replace(&table, &back));
        let change = std::mem::replace(&mut self.change, self.ddl.catalog.change());
        self.change = self.ddl.let_go_in(change, &table, &entries_gone, self.at, false).await?.0;
        Ok(())
    }

    /// A table that the RESTORE has dropped, because the snapshot did not have it, is there again.
    async fn bring_back(&mut self, item: &Stored<RecycleRecord>, table: &TableRecord) -> Result<(), EngineError> {
        if let Some(other) = self.ddl.catalog.table(table.database, &table.name, self.at).await? {
            self.reasons.push(format!("there is another table '{0}' by now: rename it first", other.name));
            return Ok(());
        }
        self.amend(|change| change.delete(item));
        let change = std::mem::replace(&mut self.change, self.ddl.catalog.change());
        self.change = self.ddl.table_back_in(change, table, self.at).await?;
        Ok(())
    }

    /// Partitions may have been added or renamed since.
    fn check_apart(&mut self, table: &TableRecord) -> Result<(), EngineError> {
        let mut apart = Vec::new();
        for entry in &table.partitions {
            if let Err(overlap) = ranges::add(&mut apart, vec![Partition::existing(table, entry)?]) {
                self.reasons.push(format!("table '{}': {overlap}", table.name));
            }
        }
        Ok(())
    }

    /// Whether a partition has only what the RESTORE brought; otherwise that is a reason.
    async fn untouched(
        &mut self,
        table: &TableRecord,
        entry: &PartitionEntry,
        version: env::ids::Version,
    ) -> Result<bool, EngineError> {
        let key = keys::partition(table.id, entry.id);
        let partition = self.ddl.catalog.get::<PartitionRecord>(&key, self.at).await?.ok_or_else(too_often)?;
        if partition.visible_version == version {
            return Ok(true);
        }
        let when = clock::text(partition.visible_ms);
        self.reasons.push(format!("partition '{}' of table '{}' was loaded into at {when}", entry.name, table.name));
        Ok(false)
    }

    /// A table that the RESTORE made goes to the recycle bin.
    async fn take_away(
        &mut self,
        record: &Stored<RecycleRecord>,
        key: &str,
        name: &str,
        brought: &Brought,
    ) -> Result<(), EngineError> {
        self.amend(|change| change.delete(record));
        // Somebody has dropped it: that is what was wanted.
        let Some(table) = self.ddl.catalog.get::<TableRecord>(key, self.at).await? else { return Ok(()) };
        if let Err(busy) = let_in(&table, "") {
            self.reasons.push(busy.to_string());
        }
        let versions: BTreeMap<PartitionId, _> = brought.partitions.iter().map(|new| (new.id, new.version)).collect();
        let listed: BTreeSet<PartitionId> = table.partitions.iter().map(|entry| entry.id).collect();
        if listed != versions.keys().copied().collect() {
            self.reasons.push(format!("partitions of table '{name}' were added, dropped or truncated since"));
        }
        for entry in &table.partitions {
            if let Some(version) = versions.get(&entry.id) {
                self.untouched(&table, entry, *version).await?;
            }
        }
        if self.reasons.is_empty() {
            let change = std::mem::replace(&mut self.change, self.ddl.catalog.change());
            self.change = self.ddl.drop_table_in(change, &table, self.at, false, self.now_ms).await?.0;
            self.gone.insert(key.to_owned());
        }
        Ok(())
    }

    /// The database that the RESTORE made goes too, unless there is something else in it by now.
    async fn take_database_away(&mut self, database: &Stored<DatabaseRecord>) -> Result<(), EngineError> {
        let tables = self.ddl.catalog.tables(database.id, self.at).await?;
        if tables.iter().any(|table| !self.gone.contains(&keys::table(database.id, table.id))) {
            return Ok(());
        }
        let what = Recycled::Database { record: database.record.clone() };
        let record = self.ddl.recycled(database.id, self.now_ms, what).await?;
        self.amend(|change| change.delete(database).release_name(keys::database_name(&database.name)).create(&record));
        Ok(())
    }
}

fn nothing_to_undo(database: &str) -> EngineError {
    EngineError::general(
        ErrorKind::NotFound,
        format!(
            "there is no RESTORE into database '{database}' that can be undone: none has ended, it was undone, or what it \
             replaced has left the recycle bin"
        ),
    )
}

fn impossible(database: &str, job: JobId, reasons: &[String]) -> EngineError {
    let reasons = reasons.join("; ");
    EngineError::general(
        ErrorKind::Invalid,
        format!("the RESTORE of job {job} into database '{database}' cannot be undone: {reasons}"),
    )
}
