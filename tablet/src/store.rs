//! The tablet store: copy-on-write versioned tablets on one disk.
//!
//! A tablet's state at a version is an immutable value. Loads and compactions make the next one and swap it in; readers
//! and pins hold the one they have. Files are deleted only by [`TabletStore::reclaim`].
//!
//! What is durable when:
//! * [`prepare`](TabletStore::prepare) returns: the rows are on the device and recorded as prepared;
//! * [`publish`](TabletStore::publish) returns: every tablet of the call shows its new version, after any crash too;
//! * [`pin`](TabletStore::pin) returns: exactly those states stay, after any crash, until [`unpin`](TabletStore::unpin);
//! * [`stage_finish`](TabletStore::stage_finish) returns: the restored tablets are complete.
//!
//! Order of locks, outermost first: structure (which tablets exist), reclaiming, a load's gate, tablets' compacting and
//! write locks by ascending id, the metadata file. The short locks inside are never held across an await.
//!
//! Every call may be dropped at any await: either nothing happens any more, or the whole change does.

mod backend;
mod compact;
pub(crate) mod deletes;
mod error;
pub(crate) mod files;
mod index;
mod journal;
pub(crate) mod lineage;
mod load;
mod open;
mod options;
mod pins;
mod primary;
mod reclaim;
pub(crate) mod record;
mod stage;
pub(crate) mod state;
mod tablet;

pub use compact::{Compaction, CompactionReason};
pub use error::StoreError;
pub use load::{Mutation, Prepared};
pub use options::{CompactionOptions, StoreOptions};
pub use reclaim::{DoomedFile, ReclaimPlan, Reclaimed, TabletReclaim, Unneeded};
pub use stage::{StagedFile, StagedTablet};

use crate::error::Result;
use crate::schema::Schema;
use crate::view::TabletView;
use env::disk::Disk;
use env::ids::{JobId, LoadId, TabletId, Version};
use env::rt;
use env::rt::Duration;
use env::rt::time::{self, Instant};
use journal::{Edits, Journal, Table};
use load::LoadEntry;
use parking_lot::{Mutex, RwLock};
use pins::Pins;
use record::LifeRecord;
use stage::Stage;
use state::State;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use tablet::{Kept, Life, Tablet};

/// A tablet to be made.
#[derive(Debug, Clone)]
pub struct NewTablet {
    /// Its id, never used before on this node.
    pub tablet: TabletId,
    /// Its columns.
    pub schema: Arc<Schema>,
}

/// The tablets of one node; clones share them. See the module's text.
#[derive(Debug, Clone)]
pub struct TabletStore {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    disk: Arc<dyn Disk>,
    options: StoreOptions,
    journal: Journal,
    tablets: RwLock<BTreeMap<TabletId, Arc<Tablet>>>,
    loads: Mutex<BTreeMap<LoadId, Arc<LoadEntry>>>,
    pins: Mutex<Pins>,
    stages: Mutex<BTreeMap<JobId, BTreeMap<TabletId, Arc<Stage>>>>,
    /// Which key indexes are in memory: when each was last used, and how large it is.
    indexes: Mutex<BTreeMap<TabletId, index::Usage>>,
    /// Held by whoever makes or removes tablets.
    structure: Arc<rt::sync::Mutex<()>>,
    reclaiming: Arc<rt::sync::Mutex<()>>,
}

impl TabletStore {
    /// Opens the store on a disk, or makes it: reads the metadata, drops what a crash left half done, keeps prepared
    /// loads (see [`TabletStore::prepared`]), pins and staged restores for their owners to decide about.
    ///
    /// The disk must belong to this store alone, as far as the directory `tablets` goes.
    ///
    /// # Errors
    /// What the disk says; `Corrupt` or `Unsupported` when the metadata cannot be read.
    pub async fn open(disk: Arc<dyn Disk>, options: StoreOptions) -> Result<Self> {
        let inner = rt::blocking(move || open::open(disk, options)).await?;
        let store = Self { inner: Arc::new(inner) };
        store.tidy().await?;
        Ok(store)
    }

    /// Closes the metadata file; changes that come later are refused. Call it before the same disk is opened again in
    /// this process. Views stay readable until then; the next store does not know them and keeps no files for them.
    pub async fn close(&self) {
        self.inner.journal.close().await;
    }

    /// Makes empty tablets at [`Version::FIRST`], all or none. Those that exist with the same columns are left alone.
    ///
    /// # Errors
    /// `AlreadyExists` when one exists with other columns or is being restored; `Busy` when one was removed and is still
    /// being read; what the disk says.
    pub async fn create(&self, tablets: Vec<NewTablet>) -> Result<()> {
        let turn = Arc::clone(&self.inner.structure).lock_owned().await;
        let ids: Vec<TabletId> = tablets.iter().map(|new| new.tablet).collect();
        self.purge_removed(&ids).await?;
        let mut edits = Edits::default();
        let mut made: BTreeMap<TabletId, Arc<Tablet>> = BTreeMap::new();
        for new in tablets {
            let differs = |difference| StoreError::TabletExists { tablet: new.tablet, difference };
            let there = made.get(&new.tablet).cloned().or_else(|| self.inner.tablet(new.tablet));
            if let Some(there) = there {
                let life = there.shared().life;
                match life {
                    Life::Removed => return Err(StoreError::TabletLeaving(new.tablet).into()),
                    Life::Staged(_) => return Err(differs("a restore that is filling it").into()),
                    Life::Live if *there.schema != *new.schema => return Err(differs("other columns").into()),
                    Life::Live => continue,
                }
            }
            let tablet = Tablet::new(new.tablet, new.schema, Life::Live);
            let state = State::empty();
            edits.put(Table::Tablets, &[new.tablet.0], &tablet.record(LifeRecord::Live))?;
            edits.put(Table::States, &[new.tablet.0, state.version.0], &state.to_record())?;
            tablet.announce(state.version);
            tablet.shared().versions.insert(state.version, Kept { state: Arc::new(state), superseded: None });
            made.insert(new.tablet, Arc::new(tablet));
        }
        if edits.is_empty() {
            return Ok(());
        }
        let inner = Arc::clone(&self.inner);
        let apply = move || {
            inner.tablets.write().extend(made);
            drop(turn);
        };
        self.inner.journal.commit(edits, apply).await
    }

    /// Removes tablets, all or none; those that do not exist are no error. Their files go with the next reclaim after
    /// the last view or pin of them has gone. Prepared loads of them can only be aborted.
    ///
    /// # Errors
    /// `AlreadyExists` when one is being restored (discard the restore instead); what the disk says.
    pub async fn remove(&self, tablets: &[TabletId]) -> Result<()> {
        let turn = Arc::clone(&self.inner.structure).lock_owned().await;
        let mut edits = Edits::default();
        let mut leaving = Vec::new();
        for id in tablets.iter().collect::<BTreeSet<_>>() {
            let Some(tablet) = self.inner.tablet(*id) else { continue };
            let guard = Arc::clone(&tablet.write).lock_owned().await;
            let shared = tablet.shared();
            match shared.life {
                Life::Live => {}
                Life::Removed => continue,
                Life::Staged(_) => {
                    let difference = "a restore that is filling it";
                    return Err(StoreError::TabletExists { tablet: *id, difference }.into());
                }
            }
            edits.put(Table::Tablets, &[id.0], &tablet.record(LifeRecord::Removed))?;
            shared.versions.keys().for_each(|version| edits.delete(Table::States, &[id.0, version.0]));
            drop(shared);
            leaving.push((tablet, guard));
        }
        if edits.is_empty() {
            return Ok(());
        }
        let inner = Arc::clone(&self.inner);
        let apply = move || {
            for (tablet, mut guard) in leaving {
                guard.index = None;
                inner.indexes.lock().remove(&tablet.id);
                let mut shared = tablet.shared();
                shared.life = Life::Removed;
                shared.versions.clear();
                drop(shared);
                tablet.announce_end();
            }
            drop(turn);
        };
        self.inner.journal.commit(edits, apply).await
    }

    /// The tablets that exist, by id; those that a restore has not finished are not among them.
    pub fn tablets(&self) -> Vec<TabletId> {
        self.inner.tablets.read().values().filter(|tablet| tablet.is_live()).map(|tablet| tablet.id).collect()
    }

    /// A tablet's columns.
    ///
    /// # Errors
    /// `NotFound` when there is no such tablet.
    pub fn schema(&self, tablet: TabletId) -> Result<Arc<Schema>> {
        Ok(Arc::clone(&self.inner.live(tablet)?.schema))
    }

    /// The newest version of a tablet.
    ///
    /// # Errors
    /// `NotFound` when there is no such tablet.
    pub fn current_version(&self, tablet: TabletId) -> Result<Version> {
        Ok(self.inner.live(tablet)?.current()?.version)
    }

    /// A tablet at a version. Cheap: no file is touched.
    ///
    /// # Errors
    /// `NotFound` when there is no such tablet, `Conflict` ([`StoreError::VersionGone`]) when the version was reclaimed,
    /// `Unavailable` ([`StoreError::NotYet`]) when it is still to come.
    pub fn view(&self, tablet: TabletId, version: Version) -> Result<Arc<TabletView>> {
        let tablet = self.inner.live(tablet)?;
        let state = tablet.at(version)?;
        Ok(self.inner.show(&tablet, state))
    }

    /// A tablet at its newest version.
    ///
    /// # Errors
    /// `NotFound` when there is no such tablet.
    pub fn view_current(&self, tablet: TabletId) -> Result<Arc<TabletView>> {
        let tablet = self.inner.live(tablet)?;
        let state = tablet.current()?;
        Ok(self.inner.show(&tablet, state))
    }

    /// As [`TabletStore::view`], but waits at most `deadline` for the version to be published.
    ///
    /// # Errors
    /// As [`TabletStore::view`]; `TimedOut` instead of `Unavailable`.
    pub async fn view_when_published(
        &self,
        tablet: TabletId,
        version: Version,
        deadline: Duration,
    ) -> Result<Arc<TabletView>> {
        let found = self.inner.live(tablet)?;
        let mut published = found.subscribe();
        let ends = Instant::now() + deadline;
        loop {
            published.mark_unchanged();
            match found.at(version) {
                Ok(state) => return Ok(self.inner.show(&found, state)),
                Err(crate::Error::Store(StoreError::NotYet { current, .. })) => {
                    // The sender lives as long as `found` does, so a wait ends with a change or the deadline.
                    if time::timeout_at(ends, published.changed()).await.is_err() {
                        return Err(StoreError::WaitedTooLong { tablet, version, current, waited: deadline }.into());
                    }
                }
                Err(other) => return Err(other),
            }
        }
    }
}

impl Inner {
    fn tablet(&self, id: TabletId) -> Option<Arc<Tablet>> {
        self.tablets.read().get(&id).cloned()
    }

    /// A tablet that queries may see.
    fn live(&self, id: TabletId) -> Result<Arc<Tablet>> {
        let tablet = self.tablet(id).filter(|tablet| tablet.is_live());
        tablet.ok_or_else(|| StoreError::UnknownTablet(id).into())
    }

    fn show(&self, tablet: &Tablet, state: Arc<State>) -> Arc<TabletView> {
        Arc::new(TabletView::new(tablet.id, Arc::clone(&tablet.schema), Arc::clone(&self.disk), state))
    }
}
