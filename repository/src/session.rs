//! A session: a stay in a repository that keeps what it may reuse, and protects what it uploads until it ends.

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
use crate::reader::SnapshotReader;
use crate::record::Action;
use crate::repository::Repository;
use crate::sweep;
use crate::writer::TabletWriter;
use bytes::Bytes;
use env::rt::CancellationToken;
use env::rt::sync::OnceCell;
use parking_lot::Mutex;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// So many earlier snapshots are looked at for a table to reuse files of.
const BASES_MAX: usize = 32;

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
    /// Snapshots at the opening generation, newest first.
    snapshots: OnceCell<Vec<SnapshotSummary>>,
    roots: Mutex<BTreeMap<String, Arc<SnapshotReader>>>,
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
                snapshots: OnceCell::new(),
                roots: Mutex::default(),
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

    /// The newest earlier snapshot's manifest of a table of that cluster, to reuse files and pages of; none when there
    /// is no such snapshot among the newest ones.
    ///
    /// # Errors
    /// `Corrupt` for damaged pages; what the store says.
    pub async fn base(&self, cluster: &str, table: u64) -> Result<Option<TableManifest>> {
        self.newest(cluster, |_database, found| found.id == table).await
    }

    /// As [`base`](Session::base), by the names of database and table: a table that was dropped and restored has another
    /// number, and still the files.
    ///
    /// # Errors
    /// As [`base`](Session::base).
    pub async fn base_named(&self, cluster: &str, database: &str, table: &str) -> Result<Option<TableManifest>> {
        self.newest(cluster, |of, found| of == database && found.name == table).await
    }

    async fn newest(
        &self,
        cluster: &str,
        wanted: impl Fn(&str, &TableRef) -> bool + Send,
    ) -> Result<Option<TableManifest>> {
        let shared = &self.shared;
        let snapshots = shared.snapshots.get_or_try_init(|| self.snapshots_at_opening()).await?;
        for summary in snapshots.iter().filter(|summary| summary.cluster == cluster).take(BASES_MAX) {
            let root = self.root(summary).await?;
            let tables = &root.root().tables;
            let Some(found) = tables.iter().find(|found| wanted(&summary.database, found)) else { continue };
            let manifest = root.table(found).await?;
            self.may_share(std::iter::once(&found.page));
            return Ok(Some(manifest));
        }
        Ok(None)
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

    async fn root(&self, summary: &SnapshotSummary) -> Result<Arc<SnapshotReader>> {
        if let Some(root) = self.shared.roots.lock().get(&summary.root.hash) {
            return Ok(Arc::clone(root));
        }
        let root = Arc::new(self.shared.repository.reader(summary).await?);
        self.shared.roots.lock().insert(summary.root.hash.clone(), Arc::clone(&root));
        Ok(root)
    }

    /// Notes pages that equal new ones may be replaced by.
    fn may_share<'a>(&self, pages: impl IntoIterator<Item = &'a PageRef>) {
        let mut known = self.shared.known.lock();
        for page in pages {
            known.insert(page.hash.clone(), page.clone());
        }
    }

    pub(crate) fn may_share_partition(&self, partition: &PartitionManifest) {
        self.may_share(&partition.pages);
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
