//! One load from its first row to its end.

use super::{Loader, WRITERS, let_in};
use crate::error::{EngineError, ErrorKind};
use arrow::array::RecordBatch;
use catalog::records::{DatabaseRecord, LoadRecord, LoadState, PartitionEntry, PartitionRecord, TableRecord};
use catalog::{At, Record, Stored, keys};
use env::ids::{LoadId, PartitionId, TabletId, Version};
use env::rt::sync::Semaphore;
use env::rt::time::unix_millis;
use env::rt::{self, Duration, JoinSet};
use roaring::RoaringBitmap;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use tablet::{Mutation, Router, Schema, SegmentId};

/// How often a commit is tried against other loads of the same partitions. Each failure means that another load went
/// through, so only a bug can use them up.
const COMMIT_ATTEMPTS: u32 = 10_000;

/// What a load did.
#[derive(Debug, Clone)]
pub(crate) struct Committed {
    /// Its id.
    pub(crate) load: LoadId,
    /// Rows written, changed or deleted.
    pub(crate) rows: u64,
    /// Whether readers on this node see it already. It is committed either way.
    pub(crate) visible: bool,
}

/// Why a load did not commit.
#[derive(Debug)]
pub(crate) enum CommitError {
    /// A partition that it read and changes was changed by another load meanwhile. It was aborted: do it again.
    Stale,
    /// It was aborted for good, unless the error is of kind Indeterminate.
    Failed(EngineError),
}

impl<E: Into<EngineError>> From<E> for CommitError {
    fn from(error: E) -> Self {
        Self::Failed(error.into())
    }
}

/// Rows for one tablet that are not prepared yet.
#[derive(Debug)]
enum Pending {
    Rows(Vec<RecordBatch>),
    Keys(Vec<RecordBatch>),
}

impl Pending {
    fn mutation(self) -> Mutation {
        match self {
            Self::Rows(batches) => Mutation::Rows(batches),
            Self::Keys(batches) => Mutation::DeleteKeys(batches),
        }
    }
}

/// A load that has begun.
#[derive(Debug)]
pub(crate) struct Load {
    loader: Loader,
    record: Stored<LoadRecord>,
    table: Stored<TableRecord>,
    schema: Arc<Schema>,
    router: Arc<Router>,
    partitions: Vec<PartitionEntry>,
    /// By position of the partition, then bucket.
    tablets: Vec<Arc<[TabletId]>>,
    pending: BTreeMap<TabletId, Pending>,
    pending_bytes: usize,
    preparing: JoinSet<Result<(), EngineError>>,
    writers: Arc<Semaphore>,
    touched: BTreeSet<PartitionId>,
    prepared: BTreeSet<TabletId>,
    rows: u64,
    /// Where the next rows without a bucket of their own go.
    random: u64,
    /// The wall clock when it began: what CURRENT_TIMESTAMP means in it.
    now_ms: u64,
}

impl Load {
    pub(super) fn new(
        loader: Loader,
        record: Stored<LoadRecord>,
        table: Stored<TableRecord>,
        schema: Arc<Schema>,
        router: Router,
        partitions: Vec<PartitionEntry>,
        tablets: Vec<Arc<[TabletId]>>,
    ) -> Self {
        let now_ms = record.created_ms;
        Self {
            loader,
            record,
            table,
            schema,
            router: Arc::new(router),
            partitions,
            tablets,
            pending: BTreeMap::new(),
            pending_bytes: 0,
            preparing: JoinSet::new(),
            writers: Arc::new(Semaphore::new(WRITERS)),
            touched: BTreeSet::new(),
            prepared: BTreeSet::new(),
            rows: 0,
            random: env::rand::u64(),
            now_ms,
        }
    }

    /// Its id.
    pub(crate) fn id(&self) -> LoadId {
        self.record.id
    }

    /// The columns that rows must have.
    pub(crate) fn schema(&self) -> &Arc<Schema> {
        &self.schema
    }

    /// Takes rows as somebody typed them: `columns` says which of the table's columns `batch` gives, in order. They are cast
    /// strictly to the table's types, and the other columns get their defaults.
    ///
    /// # Errors
    /// Invalid, naming the row (counted from 1 over the whole load), the column and the value.
    pub(crate) async fn insert(&mut self, columns: &Arc<[usize]>, batch: RecordBatch) -> Result<(), EngineError> {
        let (schema, columns, now_ms, before) = (Arc::clone(&self.schema), Arc::clone(columns), self.now_ms, self.rows);
        let rows = rt::blocking(move || tablet::conform(&schema, &columns, &batch, now_ms))
            .await
            .map_err(|failed| numbered(failed, before))?;
        self.write(rows).await
    }

    /// Takes rows that are of the table's types already.
    ///
    /// # Errors
    /// Invalid when a row fits no partition; what the store says.
    pub(crate) async fn write(&mut self, rows: RecordBatch) -> Result<(), EngineError> {
        let count = rows.num_rows();
        if count == 0 {
            return Ok(());
        }
        let (router, random, before) = (Arc::clone(&self.router), self.random, self.rows);
        self.random = self.random.wrapping_add(1);
        let parts =
            rt::blocking(move || router.route(&rows, random)).await.map_err(|failed| numbered(failed, before))?;
        for part in parts {
            let unknown = || EngineError::internal("rows were routed to a tablet that does not exist");
            let partition = self.partitions.get(part.partition).map(|entry| entry.id).ok_or_else(unknown)?;
            let bucket = usize::try_from(part.bucket).unwrap_or(usize::MAX);
            let tablets = self.tablets.get(part.partition).ok_or_else(unknown)?;
            let tablet = *tablets.get(bucket).ok_or_else(unknown)?;
            self.touched.insert(partition);
            self.pending_bytes = self.pending_bytes.saturating_add(part.rows.get_array_memory_size());
            match self.pending.entry(tablet).or_insert_with(|| Pending::Rows(Vec::new())) {
                Pending::Rows(batches) | Pending::Keys(batches) => batches.push(part.rows),
            }
        }
        self.rows = self.rows.saturating_add(count as u64);
        self.make_room().await
    }

    /// What spreads its rows over the partitions.
    pub(crate) fn router(&self) -> &Arc<Router> {
        &self.router
    }

    /// Deletes rows of a Primary Key table by their keys; `keys` has the key columns.
    ///
    /// # Errors
    /// What the store says.
    pub(crate) async fn delete_keys(
        &mut self,
        partition: PartitionId,
        tablet: TabletId,
        keys: RecordBatch,
    ) -> Result<(), EngineError> {
        self.touched.insert(partition);
        self.rows = self.rows.saturating_add(keys.num_rows() as u64);
        self.pending_bytes = self.pending_bytes.saturating_add(keys.get_array_memory_size());
        match self.pending.entry(tablet).or_insert_with(|| Pending::Keys(Vec::new())) {
            Pending::Rows(batches) | Pending::Keys(batches) => batches.push(keys),
        }
        self.make_room().await
    }

    /// Deletes rows by their places in the segments of the version `base`: not of a Primary Key table, and of a Unique Key or
    /// Aggregate Key table all that have a key.
    ///
    /// # Errors
    /// Conflict when a compaction has merged one of the segments meanwhile; what the store says.
    pub(crate) async fn delete_positions(
        &mut self,
        partition: PartitionId,
        tablet: TabletId,
        base: Version,
        segments: BTreeMap<SegmentId, RoaringBitmap>,
    ) -> Result<(), EngineError> {
        let rows: u64 = segments.values().map(RoaringBitmap::len).sum();
        self.loader.store.prepare(self.record.id, tablet, Mutation::DeletePositions { base, segments }).await?;
        self.touched.insert(partition);
        self.prepared.insert(tablet);
        self.rows = self.rows.saturating_add(rows);
        Ok(())
    }

    /// Says how many rows a user sees changed, where that is not the number of places.
    pub(crate) fn count_as(&mut self, rows: u64) {
        self.rows = rows;
    }

    async fn make_room(&mut self) -> Result<(), EngineError> {
        if self.pending_bytes < self.loader.buffer_bytes {
            return Ok(());
        }
        self.flush().await
    }

    /// Starts to prepare all that is pending. Mutations of one tablet keep their order, because those of the flush before are
    /// waited for first; so at most two buffers' worth of rows are in memory.
    async fn flush(&mut self) -> Result<(), EngineError> {
        self.settle().await?;
        self.pending_bytes = 0;
        for (tablet, pending) in std::mem::take(&mut self.pending) {
            self.prepared.insert(tablet);
            let (store, load, writers) = (self.loader.store.clone(), self.record.id, Arc::clone(&self.writers));
            self.preparing.spawn(async move {
                let _turn = writers.acquire_owned().await;
                store.prepare(load, tablet, pending.mutation()).await?;
                Ok(())
            });
        }
        Ok(())
    }

    async fn settle(&mut self) -> Result<(), EngineError> {
        let mut first = Ok(());
        while let Some(ended) = self.preparing.join_next().await {
            let ended =
                ended.unwrap_or_else(|died| Err(EngineError::internal(format!("writing a segment died: {died}"))));
            first = first.and(ended);
        }
        first
    }

    /// Makes all of it visible, or nothing. `read` are the versions at which the partitions were read when what is written
    /// depends on that: then the commit holds only if none that is touched has changed since.
    ///
    /// When it returns an error the load was aborted, unless the error is of kind Indeterminate.
    ///
    /// # Errors
    /// See [`CommitError`].
    pub(crate) async fn commit(
        mut self,
        read: Option<&BTreeMap<PartitionId, Version>>,
    ) -> Result<Committed, CommitError> {
        let prepared = match self.flush().await {
            Ok(()) => self.settle().await,
            Err(failed) => Err(failed),
        };
        let made = match prepared {
            Ok(()) => self.commit_record(read).await,
            Err(failed) => Err(failed.into()),
        };
        match made {
            Ok(versions) => {
                env::pause::at("load.committed").await;
                let visible = self.publish(&versions).await?;
                Ok(Committed { load: self.record.id, rows: self.rows, visible })
            }
            Err(CommitError::Failed(failed)) if failed.kind == ErrorKind::Indeterminate => Err(failed.into()),
            Err(failed) => {
                let reason = match &failed {
                    CommitError::Stale => "another load changed the same partition".to_owned(),
                    CommitError::Failed(error) => error.message.clone(),
                };
                self.abort(&reason).await;
                Err(failed)
            }
        }
    }

    /// The one transaction. Tried again while only other loads are in the way.
    async fn commit_record(
        &mut self,
        read: Option<&BTreeMap<PartitionId, Version>>,
    ) -> Result<BTreeMap<PartitionId, Version>, CommitError> {
        env::pause::at("load.prepared").await;
        let catalog = self.loader.catalog.clone();
        for attempt in 0..COMMIT_ATTEMPTS {
            let now = unix_millis();
            let mut change = catalog.change();
            let mut versions = BTreeMap::new();
            if !self.touched.is_empty() {
                change = change.unchanged(&self.current_table().await?);
            }
            for id in &self.touched {
                let key = keys::partition(self.table.id, *id);
                let partition = catalog.get::<PartitionRecord>(&key, At::Latest).await?;
                let partition = partition.ok_or_else(|| changed(&self.table, "one of its partitions is gone"))?;
                if read.is_some_and(|read| read.get(id) != Some(&partition.visible_version)) {
                    return Err(CommitError::Stale);
                }
                let visible_version = partition.visible_version.next();
                versions.insert(*id, visible_version);
                let next = PartitionRecord { visible_version, visible_ms: now, ..partition.record.clone() };
                change = change.replace(&partition, &next);
            }
            let committed = LoadRecord {
                state: LoadState::Committed { versions: versions.clone() },
                tablets: self.prepared.iter().copied().collect(),
                finished_ms: now,
                rows: self.rows,
                ..self.record.record.clone()
            };
            match change.replace(&self.record, &committed).commit().await {
                Ok(_) => return Ok(versions),
                Err(failed) if failed.conflict_key() == Some(&self.record.record.key()) => {
                    return Err(EngineError::general(ErrorKind::Fenced, "the load was aborted by somebody else").into());
                }
                Err(failed) if failed.is_conflict() => {}
                Err(failed) => return self.look(failed).await,
            }
            back_off(attempt).await;
        }
        Err(EngineError::general(ErrorKind::Busy, "too many loads of the same partitions; try again").into())
    }

    /// After a commit that may or may not have happened: what the record says. Where even that cannot be read, nothing is
    /// aborted; the prepared rows wait until the engine opens again.
    async fn look(&self, failed: catalog::Error) -> Result<BTreeMap<PartitionId, Version>, CommitError> {
        if failed.kind() != catalog::ErrorKind::Indeterminate {
            return Err(failed.into());
        }
        match self.loader.catalog.get::<LoadRecord>(&self.record.record.key(), At::Latest).await {
            Ok(Some(now)) => match now.record.state {
                LoadState::Committed { versions } => Ok(versions),
                LoadState::Preparing | LoadState::Aborted { .. } => Err(failed.into()),
            },
            Ok(None) | Err(_) => Err(failed.into()),
        }
    }

    /// The table as it is now, provided that what was prepared for it still fits.
    async fn current_table(&self) -> Result<Stored<TableRecord>, EngineError> {
        let gone = || changed(&self.table, "it was dropped");
        let now = self.loader.catalog.get::<TableRecord>(&self.table.record.key(), At::Latest).await?;
        let now = now.ok_or_else(gone)?;
        let key = keys::database(now.database);
        let database = self.loader.catalog.get::<DatabaseRecord>(&key, At::Latest).await?.ok_or_else(gone)?;
        let_in(&now, &database.name)?;
        if now.columns != self.table.columns || now.distribution != self.table.distribution {
            return Err(changed(&self.table, "its columns are others now"));
        }
        match self.touched.iter().find(|id| !now.partitions.iter().any(|entry| entry.id == **id)) {
            Some(_) => Err(changed(&self.table, "a partition was dropped, truncated or restored")),
            None => Ok(now),
        }
    }

    /// Whether readers see the load when this returns.
    async fn publish(&self, versions: &BTreeMap<PartitionId, Version>) -> Result<bool, EngineError> {
        let mut tablets = Vec::new();
        for (position, entry) in self.partitions.iter().enumerate() {
            if let (Some(version), Some(ids)) = (versions.get(&entry.id), self.tablets.get(position)) {
                tablets.extend(ids.iter().map(|id| (*id, *version)));
            }
        }
        Ok(self.loader.publisher.publish(&self.loader.gate, self.record.id, tablets).await)
    }

    /// Gives the load up: none of its rows will ever be seen. What cannot be tidied up now is when the engine opens again.
    pub(crate) async fn abort(mut self, reason: &str) {
        // Prepared rows that come after the abort would be nobody's.
        drop(self.settle().await);
        let aborted = LoadRecord {
            state: LoadState::Aborted { reason: reason.to_owned() },
            finished_ms: unix_millis(),
            ..self.record.record.clone()
        };
        let load = self.record.id;
        match self.loader.catalog.change().replace(&self.record, &aborted).commit().await {
            Ok(_) => {
                if let Err(failed) = self.loader.store.abort(load).await {
                    tracing::warn!(%load, error = %failed, "prepared rows of an aborted load stay until the next start");
                }
            }
            Err(failed) => tracing::warn!(%load, error = %failed, "a load was not marked as aborted"),
        }
    }
}

async fn back_off(attempt: u32) {
    let micros = 100_u64.saturating_mul(u64::from(attempt.min(100)));
    rt::time::sleep(Duration::from_micros(env::rand::below(micros.saturating_add(50)))).await;
}

fn changed(table: &TableRecord, how: &str) -> EngineError {
    let message =
        format!("table '{}' changed while rows were loaded: {how}; nothing was loaded, run it again", table.name);
    EngineError::general(ErrorKind::Conflict, message)
}

#[expect(clippy::wildcard_enum_match_arm, reason = "errors that name no row")]
/// A row's error with the row counted from the load's first one.
pub(super) fn numbered(failed: tablet::Error, before: u64) -> EngineError {
    let before = usize::try_from(before).unwrap_or(usize::MAX);
    match failed {
        tablet::Error::Row(mut error) => {
            error.row = error.row.saturating_add(before);
            tablet::Error::Row(error).into()
        }
        tablet::Error::Route(tablet::RouteError::NoPartition { row, columns, values }) => {
            let row = row.saturating_add(before);
            tablet::Error::Route(tablet::RouteError::NoPartition { row, columns, values }).into()
        }
        other => other.into(),
    }
}
