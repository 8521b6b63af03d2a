//! A session: a stay in a repository that keeps what it may reuse, and protects what it uploads until it ends.

use crate::base::{SNAPSHOTS_MAX, TableBases, TableSought, Tables};
use crate::error::{Error, Result};
use crate::fold::{Violation, check_summary};
use crate::index;
use crate::limit::Limiter;
use crate::log::{Fate, Refused};
use crate::manifest::{PartitionManifest, SnapshotRoot, SnapshotSummary, TableManifest, TableRef};
use crate::names::{Generation, Owner, SessionId};
use crate::objects::{Listed, Objects, Put};
use crate::options::{Progress, StreamOptions, no_progress};
use crate::page::{self, PageKind, PageRef};
use crate::record::Action;
use crate::repository::Repository;
use crate::sweep;
use crate::writer::TabletWriter;
use bytes::Bytes;
use env::rt::sync::OnceCell;
use env::rt::{self, CancellationToken};
use parking_lot::Mutex;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// An open session. Clones, and other processes that resumed the same id, are the same session: they upload under the
/// same names, and one commit ends it for all.
#[derive(Debug, Clone)]
pub struct Session {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    repository: Repository,
    id: SessionId,
    generation: Generation,
    resumed: bool,
    owner: Owner,
    /// Tables of the newest snapshots at the opening generation, by cluster.
    tables: rt::sync::Mutex<BTreeMap<String, Tables>>,
    /// Pages, by hash, that the new snapshot may share: reachable at the opening generation.
    known: Mutex<BTreeMap<String, PageRef>>,
    /// Objects that an earlier life of the session uploaded.
    uploaded: OnceCell<BTreeMap<String, u64>>,
}

impl Session {
    pub(crate) fn new(repository: Repository, id: SessionId, generation: Generation, resumed: bool) -> Self {
        let owner = Owner { generation, token: id.token().to_owned() };
        Self {
            shared: Arc::new(Shared {
                repository,
                id,
                generation,
                resumed,
                owner,
                tables: rt::sync::Mutex::default(),
                known: Mutex::default(),
                uploaded: OnceCell::new(),
            }),
        }
    }

    /// Its id.
    pub fn id(&self) -> &SessionId {
        &self.shared.id
    }

    /// The generation that opened it: everything reachable there is kept until it ends.
    pub fn generation(&self) -> Generation {
        self.shared.generation
    }

    /// Whether it was open already when it was opened here.
    pub fn resumed(&self) -> bool {
        self.shared.resumed
    }

    /// The repository that it is in.
    pub fn repository(&self) -> &Repository {
        &self.shared.repository
    }

    pub(crate) fn owner(&self) -> &Owner {
        &self.shared.owner
    }

    /// What earlier snapshots have of a table, to refer to instead of sending. Only what was reachable when the session
    /// was opened, so that it stays.
    ///
    /// # Errors
    /// What the store says. Damage is no error: what is damaged is left out.
    pub async fn bases(&self, table: &TableSought<'_>) -> Result<TableBases> {
        let shared = &self.shared;
        let mut clusters = shared.tables.lock().await;
        if !clusters.contains_key(table.cluster) {
            let snapshots = self.snapshots_at_opening().await?;
            let of_cluster = snapshots.iter().filter(|summary| summary.cluster == table.cluster);
            let newest: Vec<&SnapshotSummary> = of_cluster.take(SNAPSHOTS_MAX).collect();
            let tables = Tables::read(&shared.repository.objects, &newest).await?;
            clusters.insert(table.cluster.to_owned(), tables);
        }
        let pages = clusters.get(table.cluster).map(|tables| tables.of(table)).unwrap_or_default();
        Ok(TableBases::new(self.clone(), pages))
    }

    /// The snapshot of that label and time stamp as it was when the session was opened: what was there then can be read
    /// until the session ends, also when it was dropped since.
    ///
    /// # Errors
    /// `Corrupt` for a damaged log or index; what the store says.
    pub async fn snapshot(&self, label: &str, timestamp: &str) -> Result<Option<SnapshotSummary>> {
        let repository = &self.shared.repository;
        let opening = repository.log.expect(self.shared.generation).await?;
        let branch = index::branch(&repository.objects, opening.record.index.as_ref(), label).await?;
        Ok(branch.rows.into_iter().find(|row| row.label == label && row.timestamp == timestamp))
    }

    /// The newest earlier copy of a table. If the new one is equal, its page is not written again.
    ///
    /// # Errors
    /// As [`bases`](Session::bases).
    pub async fn base(&self, table: &TableSought<'_>) -> Result<Option<TableManifest>> {
        self.bases(table).await?.newest(&self.shared.repository.objects).await
    }

    async fn snapshots_at_opening(&self) -> Result<Vec<SnapshotSummary>> {
        let repository = &self.shared.repository;
        let opening = repository.log.expect(self.shared.generation).await?;
        let index = opening.record.index.as_ref();
        let mut snapshots = index::scan(&repository.objects, index, &mut BTreeSet::new()).await?;
        // Which is newest is a guess that clocks make; a wrong one costs bytes, nothing else.
        snapshots.sort_by(|a, b| b.created_ms.cmp(&a.created_ms).then_with(|| b.label.cmp(&a.label)));
        Ok(snapshots)
    }

    /// Notes pages that equal new ones may be replaced by.
    pub(crate) fn may_share<'a>(&self, pages: impl IntoIterator<Item = &'a PageRef>) {
        let mut known = self.shared.known.lock();
        for page in pages {
            known.insert(page.hash.clone(), page.clone());
        }
    }

    /// Puts a page, unless an equal one may be shared; it is durable when this returns.
    pub(crate) async fn put_page(&self, objects: &Objects, kind: PageKind, bytes: Bytes) -> Result<PageRef> {
        let page = PageRef::of(&self.shared.owner, kind, &bytes)?;
        if let Some(known) = self.shared.known.lock().get(&page.hash)
            && known.kind == kind
        {
            return Ok(known.clone());
        }
        let _made: Put = objects.put_own(&page.name, bytes.into()).await?;
        Ok(page)
    }

    /// What an earlier life of this session uploaded: object name to length. Empty for a session that began here.
    pub(crate) async fn uploaded(&self, objects: &Objects) -> Result<&BTreeMap<String, u64>> {
        let shared = &self.shared;
        shared
            .uploaded
            .get_or_try_init(|| async {
                if !shared.resumed {
                    return Ok(BTreeMap::new());
                }
                let listed = objects.list(&format!("data/{}", shared.owner)).await?;
                Ok(listed.into_iter().map(|Listed { name, len_bytes }| (name, len_bytes)).collect())
            })
            .await
    }

    /// One node's writer of tablets, whose requests count against `limiter`. Several may work side by side.
    pub fn writer(
        &self,
        options: StreamOptions,
        limiter: Limiter,
        progress: Progress,
        stop: CancellationToken,
    ) -> TabletWriter {
        TabletWriter::new(self.clone(), options.sane(), limiter, progress, stop)
    }

    /// Writes a table's page; an equal page of an earlier snapshot is shared.
    ///
    /// # Errors
    /// `Invalid` when it would be larger than [`PAGE_BYTES_MAX`](crate::PAGE_BYTES_MAX); what the store says.
    pub async fn put_table(&self, table: &TableManifest) -> Result<TableRef> {
        let page = self
            .put_page(&self.shared.repository.objects, PageKind::Table, page::encode(PageKind::Table, table)?)
            .await?;
        let sum = |of: fn(&PartitionManifest) -> u64| table.partitions.iter().map(of).fold(0, u64::saturating_add);
        Ok(TableRef {
            id: table.id,
            name: table.name.clone(),
            partitions: table.partitions.len() as u64,
            tablets: sum(|partition| partition.tablets),
            files: sum(|partition| partition.files),
            bytes: sum(|partition| partition.bytes),
            page,
        })
    }

    /// Writes a snapshot's root page.
    ///
    /// # Errors
    /// `Invalid` when it would be larger than [`PAGE_BYTES_MAX`](crate::PAGE_BYTES_MAX); what the store says.
    pub async fn put_root(&self, root: &SnapshotRoot) -> Result<PageRef> {
        self.put_page(&self.shared.repository.objects, PageKind::Snapshot, page::encode(PageKind::Snapshot, root)?)
            .await
    }

    /// Ends the session with a snapshot: from then on it exists, whole. Everything that it refers to must be durable,
    /// which it is when the calls that made it have returned.
    ///
    /// Committing again what this session committed, here or in an earlier life, gives the same generation.
    ///
    /// # Errors
    /// `AlreadyExists` when the label is taken, `Fenced` when the session was ended, `Conflict` and `Indeterminate`
    /// to try again with, `Invalid` for an illegal label or a foreign session; what the store says.
    pub async fn commit(&self, summary: SnapshotSummary) -> Result<Generation> {
        let shared = &self.shared;
        check_summary(&summary)?;
        if summary.session != shared.id {
            let text = format!("the summary is of session {}, this is session {}", summary.session, shared.id);
            return Err(Error::Invalid(text));
        }
        summary.root.check(PageKind::Snapshot)?;
        let (label, timestamp) = (summary.label.clone(), summary.timestamp.clone());
        let action = Action::Commit { snapshot: Box::new(summary) };
        match shared.repository.log.append(&action, Some(&shared.owner)).await {
            Ok(made) => Ok(made.generation()),
            Err(Refused::Violation { violation: Violation::SessionNotOpen(_), head }) => {
                match shared.repository.log.fate(&shared.id, shared.generation, &head).await? {
                    Fate::Committed(generation, there) if there.label == label && there.timestamp == timestamp => {
                        Ok(generation)
                    }
                    Fate::Committed(_, there) => Err(Error::AlreadyCommitted(there)),
                    Fate::Ended(generation) => Err(Error::Fenced { session: shared.id.clone(), generation }),
                    Fate::Unknown | Fate::Open(_) => {
                        Err(Error::Internal(format!("session {} ended without a record of it", shared.id)))
                    }
                }
            }
            Err(refused) => Err(refused.into()),
        }
    }

    /// Ends the session without a snapshot. Fine when it was ended so already.
    ///
    /// # Errors
    /// [`Error::AlreadyCommitted`] when its snapshot was committed before; `Conflict` and `Indeterminate` to try again
    /// with; what the store says.
    pub async fn close(&self) -> Result<()> {
        let shared = &self.shared;
        match shared.repository.log.append(&Action::Close { session: shared.id.clone() }, None).await {
            Ok(_) => Ok(()),
            Err(Refused::Violation { violation: Violation::SessionNotOpen(_), head }) => {
                match shared.repository.log.fate(&shared.id, shared.generation, &head).await? {
                    Fate::Committed(_, there) => Err(Error::AlreadyCommitted(there)),
                    Fate::Ended(_) | Fate::Unknown | Fate::Open(_) => Ok(()),
                }
            }
            Err(refused) => Err(refused.into()),
        }
    }

    /// As [`Session::close`], and deletes what the session uploaded: nothing of it can ever be part of a snapshot. An
    /// upload that is still under way elsewhere may leave an object for the next sweep.
    ///
    /// # Errors
    /// As [`Session::close`], and what the store says to the deletes; calling again goes on.
    pub async fn abort(&self) -> Result<()> {
        self.close().await?;
        let repository = &self.shared.repository;
        let head = repository.log.head().await?;
        let plan = sweep::plan_ended(repository, &head, &self.shared.owner).await?;
        repository.sweep(&plan, &no_progress()).await?;
        Ok(())
    }
}
