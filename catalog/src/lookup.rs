//! Typed reading: records by key, by prefix and by name, and fresh ids.

use crate::change::Change;
use crate::error::{Error, Result};
use crate::keys;
use crate::record::{Record, Stored};
use crate::records::{
    CounterRecord, DatabaseRecord, LoadRecord, NameRecord, NodeRecord, PartitionRecord, RecycleRecord,
    RepositoryRecord, RoleRecord, TableRecord, TabletRecord, UserRecord,
};
use crate::store::{At, MetaStore, Revision};
use env::ids::{DatabaseId, LoadId, PartitionId, RepositoryId, TableId};
use env::rt::sync::Mutex;
use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

/// The first id that is ever given out; lower ones are free for fixed meanings.
const FIRST_ID: u64 = 10_001;

/// Ids are reserved in the store this many at a time, so that most allocations cost nothing.
const ID_BATCH: u64 = 1_000;

/// Entries per call of a listing.
const PAGE: usize = 1_024;

/// The typed catalog over a store. Clones share it.
#[derive(Debug, Clone)]
pub struct Catalog {
    store: Arc<dyn MetaStore>,
    /// Reserved in the store, not given out yet.
    ids: Arc<Mutex<Range<u64>>>,
}

impl Catalog {
    /// The catalog in `store`.
    pub fn new(store: Arc<dyn MetaStore>) -> Self {
        Self { store, ids: Arc::new(Mutex::new(0..0)) }
    }

    /// The store underneath.
    pub fn store(&self) -> &Arc<dyn MetaStore> {
        &self.store
    }

    /// The newest revision: reads at it see every transaction acknowledged before this call.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn revision(&self) -> Result<Revision> {
        self.store.revision().await
    }

    /// `at` with `Latest` made fast, for several reads of one state.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn pin(&self, at: At) -> Result<At> {
        match at {
            At::Latest => Ok(At::Revision(self.revision().await?)),
            At::Revision(_) => Ok(at),
        }
    }

    /// The record stored at `key`.
    ///
    /// # Errors
    /// [`Error::Compacted`], [`Error::FutureRevision`], [`Error::NewerFormat`], `Corrupt`, `Unavailable`.
    pub async fn get<R: Record>(&self, key: &str, at: At) -> Result<Option<Stored<R>>> {
        self.store.get(key, at).await?.as_ref().map(Stored::from_entry).transpose()
    }

    /// All records under `prefix` at one revision, in the order of their keys' bytes. They are all in memory: for
    /// kinds with very many records list a narrow prefix.
    ///
    /// # Errors
    /// As [`Catalog::get`].
    pub async fn list<R: Record>(&self, prefix: &str, at: At) -> Result<Vec<Stored<R>>> {
        let mut found = Vec::new();
        let (mut at, mut start) = (at, None);
        loop {
            let page = self.store.scan(prefix, start.as_deref(), PAGE, at).await?;
            for entry in &page.entries {
                found.push(Stored::from_entry(entry)?);
            }
            at = At::Revision(page.revision);
            start = page.next;
            if start.is_none() {
                return Ok(found);
            }
        }
    }

    /// Begins a guarded transaction.
    pub fn change(&self) -> Change {
        Change::new(Arc::clone(&self.store))
    }

    /// The first of `count` consecutive fresh ids, which nobody in this cluster ever had or will have. One counter
    /// serves all kinds. Ids that a stopped process had in reserve are never used.
    ///
    /// # Errors
    /// `Invalid` when so many ids do not exist; otherwise as [`Change::commit`], but never a conflict.
    pub async fn allocate(&self, count: u64) -> Result<u64> {
        let mut reserve = self.ids.lock().await;
        if reserve.end - reserve.start < count {
            *reserve = self.reserve(count.max(ID_BATCH)).await?;
        }
        let first = reserve.start;
        reserve.start += count;
        Ok(first)
    }

    async fn reserve(&self, count: u64) -> Result<Range<u64>> {
        loop {
            let stored = self.get::<CounterRecord>(keys::ID_COUNTER, At::Latest).await?;
            let first = stored.as_ref().map_or(FIRST_ID, |counter| counter.next);
            let next =
                first.checked_add(count).ok_or_else(|| Error::Invalid(format!("there are no {count} ids left")))?;
            let counter = CounterRecord { next };
            let change = match &stored {
                Some(stored) => self.change().replace(stored, &counter),
                None => self.change().create(&counter),
            };
            match change.commit().await {
                Ok(_) => return Ok(first..next),
                Err(failed) if failed.is_conflict() => {}
                Err(failed) => return Err(failed),
            }
        }
    }

    /// The id under a name's key.
    ///
    /// # Errors
    /// As [`Catalog::get`].
    pub async fn named(&self, name_key: &str, at: At) -> Result<Option<u64>> {
        let Some(entry) = self.store.get(name_key, at).await? else { return Ok(None) };
        Ok(Some(NameRecord::decode(name_key, &entry.value)?.id))
    }

    /// The record that a name leads to, both read at one revision.
    async fn by_name<R: Record>(
        &self,
        name_key: String,
        record_key: impl FnOnce(u64) -> String,
        at: At,
    ) -> Result<Option<Stored<R>>> {
        let at = self.pin(at).await?;
        let Some(id) = self.named(&name_key, at).await? else { return Ok(None) };
        let key = record_key(id);
        match self.get(&key, at).await? {
            Some(record) => Ok(Some(record)),
            None => Err(Error::corrupt(key, format!("the {} that {name_key:?} leads to", R::KIND), "nothing")),
        }
    }

    /// The database of that name.
    ///
    /// # Errors
    /// As [`Catalog::get`].
    pub async fn database(&self, name: &str, at: At) -> Result<Option<Stored<DatabaseRecord>>> {
        self.by_name(keys::database_name(name), |id| keys::database(DatabaseId(id)), at).await
    }

    /// All databases, sorted by name.
    ///
    /// # Errors
    /// As [`Catalog::get`].
    pub async fn databases(&self, at: At) -> Result<Vec<Stored<DatabaseRecord>>> {
        let mut found: Vec<Stored<DatabaseRecord>> = self.list(keys::DATABASES, at).await?;
        found.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(found)
    }

    /// The table of that name.
    ///
    /// # Errors
    /// As [`Catalog::get`].
    pub async fn table(&self, database: DatabaseId, name: &str, at: At) -> Result<Option<Stored<TableRecord>>> {
        self.by_name(keys::table_name(database, name), |id| keys::table(database, TableId(id)), at).await
    }

    /// All tables of a database, sorted by name.
    ///
    /// # Errors
    /// As [`Catalog::get`].
    pub async fn tables(&self, database: DatabaseId, at: At) -> Result<Vec<Stored<TableRecord>>> {
        let mut found: Vec<Stored<TableRecord>> = self.list(&keys::tables(database), at).await?;
        found.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(found)
    }

    /// The partitions that `table` lists, in its order. `table` should have been read at `at`.
    ///
    /// # Errors
    /// [`Error::Stale`] when the table that `at` shows is not the given one any more; otherwise as
    /// [`Catalog::get`].
    pub async fn partitions(&self, table: &TableRecord, at: At) -> Result<Vec<Stored<PartitionRecord>>> {
        let at = self.pin(at).await?;
        let all = self.list::<PartitionRecord>(&keys::partitions(table.id), at).await?;
        let mut all: BTreeMap<PartitionId, _> = all.into_iter().map(|partition| (partition.id, partition)).collect();
        let mut listed = Vec::with_capacity(table.partitions.len());
        for entry in &table.partitions {
            match all.remove(&entry.id) {
                Some(partition) => listed.push(partition),
                None => return Err(self.not_listed(table, entry.id, at).await),
            }
        }
        Ok(listed)
    }

    /// Why a partition of `table` is not there: the caller's table is an old one, or the catalog contradicts itself.
    async fn not_listed(&self, table: &TableRecord, partition: PartitionId, at: At) -> Error {
        let key = table.key();
        let now = match self.get::<TableRecord>(&key, at).await {
            Ok(now) => now,
            Err(failed) => return failed,
        };
        match now {
            Some(now) if now.partitions.iter().any(|entry| entry.id == partition) => {
                let expected = format!("the partition that {key:?} lists");
                Error::corrupt(keys::partition(table.id, partition), expected, "nothing")
            }
            Some(now) => Error::Stale { key, found: Some(now.modified) },
            None => Error::Stale { key, found: None },
        }
    }

    /// The tablets of a partition, in bucket order.
    ///
    /// # Errors
    /// As [`Catalog::get`].
    pub async fn tablets(&self, partition: PartitionId, at: At) -> Result<Vec<Stored<TabletRecord>>> {
        self.list(&keys::tablets(partition), at).await
    }

    /// The repository of that name.
    ///
    /// # Errors
    /// As [`Catalog::get`].
    pub async fn repository(&self, name: &str, at: At) -> Result<Option<Stored<RepositoryRecord>>> {
        self.by_name(keys::repository_name(name), |id| keys::repository(RepositoryId(id)), at).await
    }

    /// All repositories, sorted by name.
    ///
    /// # Errors
    /// As [`Catalog::get`].
    pub async fn repositories(&self, at: At) -> Result<Vec<Stored<RepositoryRecord>>> {
        let mut found: Vec<Stored<RepositoryRecord>> = self.list(keys::REPOSITORIES, at).await?;
        found.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(found)
    }

    /// The load that has this label in this database.
    ///
    /// # Errors
    /// As [`Catalog::get`].
    pub async fn load(&self, database: DatabaseId, label: &str, at: At) -> Result<Option<Stored<LoadRecord>>> {
        self.by_name(keys::load_label(database, label), |id| keys::load(LoadId(id)), at).await
    }

    /// All loads on record, sorted by id.
    ///
    /// # Errors
    /// As [`Catalog::get`].
    pub async fn loads(&self, at: At) -> Result<Vec<Stored<LoadRecord>>> {
        let mut found: Vec<Stored<LoadRecord>> = self.list(keys::LOADS, at).await?;
        found.sort_by_key(|load| load.id);
        Ok(found)
    }

    /// All nodes, sorted by id.
    ///
    /// # Errors
    /// As [`Catalog::get`].
    pub async fn nodes(&self, at: At) -> Result<Vec<Stored<NodeRecord>>> {
        let mut found: Vec<Stored<NodeRecord>> = self.list(keys::NODES, at).await?;
        found.sort_by_key(|node| node.id);
        Ok(found)
    }

    /// What the recycle bin holds, oldest first.
    ///
    /// # Errors
    /// As [`Catalog::get`].
    pub async fn recycled(&self, at: At) -> Result<Vec<Stored<RecycleRecord>>> {
        let mut found: Vec<Stored<RecycleRecord>> = self.list(keys::RECYCLED, at).await?;
        found.sort_by_key(|item| (item.dropped_ms, item.id));
        Ok(found)
    }

    /// The user of that name and host pattern.
    ///
    /// # Errors
    /// As [`Catalog::get`].
    pub async fn user(&self, name: &str, host: &str, at: At) -> Result<Option<Stored<UserRecord>>> {
        self.get(&keys::user(name, host), at).await
    }

    /// All users, sorted by name and host.
    ///
    /// # Errors
    /// As [`Catalog::get`].
    pub async fn users(&self, at: At) -> Result<Vec<Stored<UserRecord>>> {
        let mut found: Vec<Stored<UserRecord>> = self.list(keys::USERS, at).await?;
        found.sort_by(|a, b| (&a.name, &a.host).cmp(&(&b.name, &b.host)));
        Ok(found)
    }

    /// The role of that name.
    ///
    /// # Errors
    /// As [`Catalog::get`].
    pub async fn role(&self, name: &str, at: At) -> Result<Option<Stored<RoleRecord>>> {
        self.get(&keys::role(name), at).await
    }

    /// All roles, sorted by name.
    ///
    /// # Errors
    /// As [`Catalog::get`].
    pub async fn roles(&self, at: At) -> Result<Vec<Stored<RoleRecord>>> {
        let mut found: Vec<Stored<RoleRecord>> = self.list(keys::ROLES, at).await?;
        found.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(found)
    }
}
