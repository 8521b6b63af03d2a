//! Giving back what nobody needs: the only place where files are deleted.
//!
//! A plan says what and why; the executor looks at each piece again under the tablet's lock, takes it out of the
//! metadata, and only then deletes files. A crash in between leaves files without an owner, which the next open deletes.

mod plan;

pub(crate) use plan::plan;
pub use plan::{DoomedFile, ReclaimPlan, TabletReclaim, Unneeded};
use plan::{FileFacts, Retention, Stray, TabletFacts, VersionFacts};

use crate::error::{Error, Result};
use crate::store::deletes::DeleteVector;
use crate::store::files::FileName;
use crate::store::journal::{Edits, Table};
use crate::store::record::CounterRecord;
use crate::store::state::Rowset;
use crate::store::tablet::{Kept, KeyFile, Life, Shared, Tablet};
use crate::store::{Inner, TabletStore, files};
use crate::view::{SegmentId, TABLETS_DIR, segment_path, tablet_dir};
use env::disk::{Disk, join};
use env::ids::{TabletId, Version};
use env::rt;
use env::rt::time::Instant;
use std::collections::BTreeSet;
use std::io;
use std::sync::Arc;

/// What a reclaim gave back.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Reclaimed {
    /// Files deleted.
    pub files: u64,
    /// Bytes in them.
    pub bytes: u64,
}

/// Which tablets a reclaim looks at.
enum Scope {
    /// All, and directories that belong to none.
    Everything,
    All,
    These(Vec<TabletId>),
}

impl TabletStore {
    /// What [`TabletStore::reclaim`] would do now: a dry run.
    ///
    /// # Errors
    /// What the disk says about directories.
    pub async fn reclaim_plan(&self) -> Result<ReclaimPlan> {
        let inner = Arc::clone(&self.inner);
        rt::blocking(move || inner.plan(&Scope::All)).await
    }

    /// Forgets versions beyond those that [`StoreOptions`](crate::StoreOptions) keeps, and deletes the files that no
    /// version, pin, reader, prepared load or restore needs.
    ///
    /// # Errors
    /// What the disk says. Whatever could be deleted was; the next call goes on with the rest.
    pub async fn reclaim(&self) -> Result<Reclaimed> {
        self.reclaim_scope(Scope::All).await
    }

    /// After a start: also directories of tablets that never came to be, or that are gone.
    pub(super) async fn tidy(&self) -> Result<()> {
        for tablet in self.inner.all_tablets() {
            tablet.shared().untidy = true;
        }
        let reclaimed = self.reclaim_scope(Scope::Everything).await?;
        if reclaimed.files > 0 {
            tracing::info!(files = reclaimed.files, bytes = reclaimed.bytes, "deleted files that a crash left behind");
        }
        Ok(())
    }

    /// Tries to be rid of what is left of removed tablets, so that their ids are free again.
    pub(super) async fn purge_removed(&self, ids: &[TabletId]) -> Result<()> {
        let removed =
            |id: &TabletId| self.inner.tablet(*id).is_some_and(|tablet| tablet.shared().life == Life::Removed);
        let removed: Vec<TabletId> = ids.iter().copied().filter(removed).collect();
        if !removed.is_empty() {
            self.reclaim_scope(Scope::These(removed)).await?;
        }
        Ok(())
    }

    async fn reclaim_scope(&self, scope: Scope) -> Result<Reclaimed> {
        let this = self.clone();
        // A task of its own: what the metadata has forgotten must be deleted even if nobody waits any more.
        let task = rt::spawn(async move { this.reclaim_now(scope).await });
        task.await.unwrap_or_else(|ended| Err(Error::Internal(format!("a reclaim ended early: {ended}"))))
    }

    async fn reclaim_now(&self, scope: Scope) -> Result<Reclaimed> {
        let turn = Arc::clone(&self.inner.reclaiming).lock_owned().await;
        let inner = Arc::clone(&self.inner);
        let (edits, detached) = rt::blocking(move || {
            let plan = inner.plan(&scope)?;
            Inner::detach(&inner, plan)
        })
        .await?;
        let files: Vec<DoomedFile> = detached.iter().flat_map(|detached| detached.files.clone()).collect();
        let forget: Vec<TabletId> =
            detached.iter().filter(|detached| detached.forget).map(|detached| detached.tablet_id).collect();
        if edits.is_empty() {
            detached.into_iter().for_each(Detached::commit);
        } else {
            self.inner.journal.commit(edits, move || detached.into_iter().for_each(Detached::commit)).await?;
        }
        let inner = Arc::clone(&self.inner);
        let (reclaimed, failed) = rt::blocking(move || inner.delete(&files)).await;
        self.forget(forget).await?;
        drop(turn);
        failed.map_or(Ok(reclaimed), Err)
    }

    /// The end of removed tablets: their directories and records.
    async fn forget(&self, tablets: Vec<TabletId>) -> Result<()> {
        if tablets.is_empty() {
            return Ok(());
        }
        let mut edits = Edits::default();
        for id in &tablets {
            edits.delete(Table::Tablets, &[id.0]);
            edits.delete(Table::Counters, &[id.0]);
        }
        let disk = Arc::clone(&self.inner.disk);
        let dirs: Vec<String> = tablets.iter().map(|id| tablet_dir(*id)).collect();
        rt::blocking(move || {
            for dir in dirs {
                match disk.remove_dir(&dir) {
                    Ok(()) => {}
                    Err(gone) if gone.kind() == io::ErrorKind::NotFound => {}
                    // Something that is not ours lies in it.
                    Err(failed) => tracing::warn!(dir, %failed, "the directory of a removed tablet stays"),
                }
            }
        })
        .await;
        let inner = Arc::clone(&self.inner);
        let apply = move || {
            let mut all = inner.tablets.write();
            for id in &tablets {
                all.remove(id);
            }
        };
        self.inner.journal.commit(edits, apply).await
    }
}

impl Inner {
    fn all_tablets(&self) -> Vec<Arc<Tablet>> {
        self.tablets.read().values().cloned().collect()
    }

    fn plan(&self, scope: &Scope) -> Result<ReclaimPlan> {
        let tablets = match scope {
            Scope::Everything | Scope::All => self.all_tablets(),
            Scope::These(ids) => ids.iter().filter_map(|id| self.tablet(*id)).collect(),
        };
        let retention = Retention { versions: self.options.keep_versions, age: self.options.keep_for };
        let now = Instant::now();
        let mut plans = ReclaimPlan::default();
        for tablet in tablets.iter().filter(|tablet| !is_settled(&tablet.shared())) {
            plans.tablets.extend(plan(&self.facts(tablet, now)?, retention));
        }
        if matches!(scope, Scope::Everything) {
            for id in self.unknown_directories()? {
                plans.tablets.extend(plan(&self.facts_of_unknown(id)?, retention));
            }
        }
        Ok(plans)
    }

    fn facts(&self, tablet: &Tablet, now: Instant) -> Result<TabletFacts> {
        // Listed before the lock is taken: a file that gets its name after the listing is not in it, and one that gets
        // its owner after the listing has it when the owners are looked at.
        let untidy = tablet.shared().untidy;
        let listed = if untidy { list(&*self.disk, &tablet.dir())? } else { Vec::new() };
        let staged = self.staged_names(tablet);
        let shared = tablet.shared();
        let mut facts = TabletFacts {
            tablet: tablet.id,
            life: shared.life,
            pinned: shared.pins > 0,
            versions: shared.versions.iter().map(|(version, kept)| version_facts(*version, kept, now)).collect(),
            rowsets: Vec::new(),
            deletes: Vec::new(),
            keys: Vec::new(),
            strays: Vec::new(),
        };
        for rowset in shared.rowsets.values() {
            let states = facts.versions.iter().filter(|version| version.rowsets.contains(&rowset.id)).count();
            let held = Arc::strong_count(rowset) > 1 + states;
            facts.rowsets.push(FileFacts { id: rowset.id, files: rowset_files(tablet.id, rowset), held });
        }
        for (id, vector) in &shared.deletes {
            let states = facts.versions.iter().filter(|version| version.deletes.contains(id)).count();
            facts.deletes.push(FileFacts { id: *id, files: Vec::new(), held: Arc::strong_count(vector) > 1 + states });
        }
        for keys in shared.keys.values() {
            let files = vec![(files::keys_path(tablet.id, keys.id), keys.len_bytes)];
            facts.keys.push(FileFacts { id: keys.id, files, held: Arc::strong_count(keys) > 1 });
        }
        facts.strays =
            listed.into_iter().filter_map(|(name, len)| stray(tablet.id, &shared, &staged, &name, len)).collect();
        Ok(facts)
    }

    /// Names that belong to a restore which fills the tablet.
    fn staged_names(&self, tablet: &Tablet) -> BTreeSet<String> {
        let Life::Staged(owner) = tablet.shared().life else { return BTreeSet::new() };
        let stages = self.stages.lock();
        let stage = stages.get(&owner).and_then(|stages| stages.get(&tablet.id));
        stage.map(|stage| stage.file_names()).unwrap_or_default()
    }

    fn unknown_directories(&self) -> Result<Vec<TabletId>> {
        let listed = self.disk.list(TABLETS_DIR).map_err(Error::io("list", TABLETS_DIR))?;
        let known = self.tablets.read();
        let ids = listed.iter().filter(|entry| entry.is_dir).filter_map(|entry| {
            let id: TabletId = entry.name.parse().ok()?;
            (id.to_string() == entry.name && !known.contains_key(&id)).then_some(id)
        });
        Ok(ids.collect())
    }

    fn facts_of_unknown(&self, tablet: TabletId) -> Result<TabletFacts> {
        let strays = list(&*self.disk, &tablet_dir(tablet))?.into_iter().filter_map(|(name, len_bytes)| {
            let temporary = matches!(FileName::parse(&name)?, FileName::Temporary(_));
            Some(Stray { path: join(&tablet_dir(tablet), &name), len_bytes, temporary })
        });
        Ok(TabletFacts {
            tablet,
            life: Life::Removed,
            pinned: false,
            versions: Vec::new(),
            rowsets: Vec::new(),
            deletes: Vec::new(),
            keys: Vec::new(),
            strays: strays.collect(),
        })
    }

    /// Takes what the plan names out of memory, as far as still nobody needs it, and says what must be changed in the
    /// metadata.
    fn detach(this: &Arc<Self>, plan: ReclaimPlan) -> Result<(Edits, Vec<Detached>)> {
        let mut edits = Edits::default();
        let mut all = Vec::new();
        for plan in plan.tablets {
            let Some(tablet) = this.tablet(plan.tablet) else {
                // A directory without a tablet.
                all.push(Detached::unknown(plan));
                continue;
            };
            let mut detached = Detached::unknown(plan);
            let mut shared = tablet.shared();
            detached.take(&mut shared, &mut edits);
            if !detached.rowsets.is_empty() {
                edits.put(Table::Counters, &[tablet.id.0], &CounterRecord { next_rowset: shared.next_rowset })?;
            }
            drop(shared);
            detached.tablet = Some(tablet);
            all.push(detached);
        }
        Ok((edits, all))
    }

    /// Deletes files. Returns what went, and the first failure.
    fn delete(&self, files: &[DoomedFile]) -> (Reclaimed, Option<Error>) {
        let mut reclaimed = Reclaimed::default();
        let mut first = None;
        for file in files {
            match self.disk.remove(&file.path) {
                Ok(()) => {
                    reclaimed.files += 1;
                    reclaimed.bytes += file.len_bytes;
                    tracing::debug!(path = file.path, why = %file.why, "deleted");
                }
                Err(gone) if gone.kind() == io::ErrorKind::NotFound => {}
                Err(failed) => {
                    self.mark_untidy(&file.path);
                    first.get_or_insert(Error::io("delete", &file.path)(failed));
                }
            }
        }
        (reclaimed, first)
    }

    fn mark_untidy(&self, path: &str) {
        let dir = path.rsplit('/').nth(1).and_then(|dir| dir.parse().ok());
        if let Some(tablet) = dir.and_then(|id| self.tablet(id)) {
            tablet.shared().untidy = true;
        }
    }
}

/// What is on its way out of one tablet. Dropped before the metadata says so, it goes back.
struct Detached {
    tablet_id: TabletId,
    tablet: Option<Arc<Tablet>>,
    plan: TabletReclaim,
    files: Vec<DoomedFile>,
    forget: bool,
    versions: Vec<(Version, Kept)>,
    rowsets: Vec<Arc<Rowset>>,
    deletes: Vec<Arc<DeleteVector>>,
    keys: Vec<Arc<KeyFile>>,
}

impl Detached {
    fn unknown(plan: TabletReclaim) -> Self {
        Self {
            tablet_id: plan.tablet,
            tablet: None,
            files: plan.files.clone(),
            forget: plan.forget,
            plan,
            versions: Vec::new(),
            rowsets: Vec::new(),
            deletes: Vec::new(),
            keys: Vec::new(),
        }
    }

    fn take(&mut self, shared: &mut Shared, edits: &mut Edits) {
        let tablet = self.tablet_id;
        for version in &self.plan.versions {
            let is_current = shared.versions.last_key_value().is_none_or(|(current, _)| current == version);
            if !is_current && let Some(kept) = shared.versions.remove(version) {
                edits.delete(Table::States, &[tablet.0, version.0]);
                self.versions.push((*version, kept));
            }
        }
        // The versions just taken count as gone when nobody else holds them.
        let leaving: Vec<_> = self.versions.iter().filter(|(_, kept)| Arc::strong_count(&kept.state) == 1).collect();
        let leaving_with = |rowset: u64| {
            leaving.iter().filter(|(_, kept)| kept.state.rowsets.iter().any(|other| other.id == rowset)).count()
        };
        let leaving_deletes = |segment: SegmentId, version: Version| {
            let shows = |kept: &Kept| kept.state.deletes.get(&segment).is_some_and(|other| other.version == version);
            leaving.iter().filter(|(_, kept)| shows(kept)).count()
        };
        let mut stay: BTreeSet<String> = BTreeSet::new();
        for id in &self.plan.rowsets {
            let Some(rowset) = shared.rowsets.get(id) else { continue };
            if Arc::strong_count(rowset) > 1 + leaving_with(*id) {
                stay.extend(rowset_files(tablet, rowset).into_iter().map(|(path, _)| path));
                continue;
            }
            edits.delete(Table::Rowsets, &[tablet.0, *id]);
            self.rowsets.extend(shared.rowsets.remove(id));
        }
        for (segment, version) in &self.plan.deletes {
            let Some(vector) = shared.deletes.get(&(*segment, *version)) else { continue };
            if Arc::strong_count(vector) > 1 + leaving_deletes(*segment, *version) {
                continue;
            }
            edits.delete(Table::Deletes, &[tablet.0, segment.rowset, u64::from(segment.ordinal), version.0]);
            self.deletes.extend(shared.deletes.remove(&(*segment, *version)));
        }
        for id in &self.plan.keys {
            let Some(keys) = shared.keys.get(id) else { continue };
            if Arc::strong_count(keys) > 1 {
                stay.insert(files::keys_path(tablet, *id));
                continue;
            }
            self.keys.extend(shared.keys.remove(id));
        }
        self.files.retain(|file| !stay.contains(&file.path));
        shared.untidy = false;
        self.forget &= shared.life == Life::Removed
            && shared.pins == 0
            && shared.rowsets.is_empty()
            && shared.deletes.is_empty()
            && shared.keys.is_empty()
            && shared.writing.is_empty()
            && shared.arriving.is_empty();
    }

    /// The metadata says so: it is gone for good.
    fn commit(mut self) {
        self.tablet = None;
    }
}

impl Drop for Detached {
    fn drop(&mut self) {
        let Some(tablet) = &self.tablet else { return };
        let mut shared = tablet.shared();
        shared.versions.extend(self.versions.drain(..));
        shared.rowsets.extend(self.rowsets.drain(..).map(|rowset| (rowset.id, rowset)));
        shared.deletes.extend(self.deletes.drain(..).map(|vector| ((vector.segment, vector.version), vector)));
        shared.keys.extend(self.keys.drain(..).map(|keys| (keys.id, keys)));
        shared.untidy = true;
    }
}

/// Whether there is nothing but the current version, so that nothing can go.
fn is_settled(shared: &Shared) -> bool {
    let Some(current) = shared.current() else { return false };
    shared.life == Life::Live
        && !shared.untidy
        && shared.versions.len() == 1
        && shared.keys.is_empty()
        && shared.rowsets.len() == current.rowsets.len()
        && shared.deletes.len() == current.deletes.len()
}

fn version_facts(version: Version, kept: &Kept, now: Instant) -> VersionFacts {
    VersionFacts {
        version,
        superseded_for: kept.superseded.map(|since| now.saturating_duration_since(since)),
        held: Arc::strong_count(&kept.state) > 1,
        rowsets: kept.state.rowsets.iter().map(|rowset| rowset.id).collect(),
        deletes: kept.state.deletes.values().map(|vector| (vector.segment, vector.version)).collect(),
    }
}

fn rowset_files(tablet: TabletId, rowset: &Rowset) -> Vec<(String, u64)> {
    rowset.segments().map(|(id, meta)| (segment_path(tablet, id), meta.len_bytes)).collect()
}

fn stray(tablet: TabletId, shared: &Shared, staged: &BTreeSet<String>, name: &str, len_bytes: u64) -> Option<Stray> {
    let known = |rowset: u64| shared.writing.contains(&rowset);
    let (owned, temporary) = match FileName::parse(name)? {
        FileName::Segment(id) => {
            let rowset = shared.rowsets.get(&id.rowset);
            let segment = rowset.is_some_and(|rowset| (id.ordinal as usize) < rowset.segments.len());
            (segment || known(id.rowset) || staged.contains(name), false)
        }
        FileName::Keys(id) => (shared.keys.contains_key(&id) || known(id), false),
        FileName::Temporary(rowset) => (rowset.is_some_and(known) || shared.arriving.contains(name), true),
    };
    (!owned).then(|| Stray { path: join(&tablet_dir(tablet), name), len_bytes, temporary })
}

fn list(disk: &dyn Disk, dir: &str) -> Result<Vec<(String, u64)>> {
    match disk.list(dir) {
        Ok(entries) => Ok(entries.into_iter().filter(|e| !e.is_dir).map(|e| (e.name, e.len_bytes)).collect()),
        Err(none) if none.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(failed) => Err(Error::io("list", dir)(failed)),
    }
}
