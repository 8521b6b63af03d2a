//! One tablet in memory: its versions, and who may still need which of its files.
//!
//! Invariants:
//! * *one owner list*: every rowset, delete vector and key file that has a durable record or is referred to by a state,
//!   a prepared load or a pin is in the registry, once; everybody else holds the registry's `Arc`. One that only the
//!   registry holds is needed by nobody.
//! * *fresh numbers*: a rowset number is reserved before its first file is made and never given again.

use crate::error::Result;
use crate::schema::Schema;
use crate::store::StoreError;
use crate::store::deletes::DeleteVector;
use crate::store::primary::PrimaryIndex;
use crate::store::record::{LifeRecord, TabletRecord};
use crate::store::state::{Rowset, State};
use crate::view::{SegmentId, tablet_dir};
use env::canary::{self, Canary};
use env::ids::{JobId, TabletId, Version};
use env::rt;
use env::rt::sync::watch;
use env::rt::time::Instant;
use parking_lot::{Mutex, MutexGuard};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// The keys that a load deletes, in a file until the load is published.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct KeyFile {
    pub(super) id: u64,
    pub(super) len_bytes: u64,
    pub(super) crc32: u32,
    pub(super) keys: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Life {
    /// A restore is filling it; nobody else sees it.
    Staged(JobId),
    Live,
    /// Gone for everybody but those who hold its files.
    Removed,
}

/// A version that can still be had.
#[derive(Debug)]
pub(super) struct Kept {
    pub(super) state: Arc<State>,
    /// Since when a newer one is there; none for the current version.
    pub(super) superseded: Option<Instant>,
}

/// What the tablet's short lock guards.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) life: Life,
    /// The last one is current.
    pub(super) versions: BTreeMap<Version, Kept>,
    pub(super) rowsets: BTreeMap<u64, Arc<Rowset>>,
    pub(super) deletes: BTreeMap<(SegmentId, Version), Arc<DeleteVector>>,
    pub(super) keys: BTreeMap<u64, Arc<KeyFile>>,
    pub(super) next_rowset: u64,
    /// Rowsets whose files are being written.
    pub(super) writing: BTreeSet<u64>,
    /// Temporary files that a restore is writing.
    pub(super) arriving: BTreeSet<String>,
    /// How many pins there are on the tablet, those on their way included: they need its columns even when it is empty.
    pub(super) pins: usize,
    /// The version of which a merge met a sum that its column cannot hold: none is proposed before the next load.
    pub(super) unmergeable: Option<Version>,
    /// Whether files without an owner may lie in the directory.
    pub(super) untidy: bool,
    /// Whether the directory is known to exist.
    pub(super) has_dir: bool,
}

impl Shared {
    pub(super) fn current(&self) -> Option<&Arc<State>> {
        self.versions.last_key_value().map(|(_, kept)| &kept.state)
    }

    /// Makes `state` the current one and forgets `expired`.
    pub(super) fn advance(
        &mut self,
        state: Arc<State>,
        vectors: Vec<Arc<DeleteVector>>,
        expired: &[Version],
        now: Instant,
    ) {
        for vector in vectors {
            self.deletes.insert((vector.segment, vector.version), vector);
        }
        if let Some((version, kept)) = self.versions.iter_mut().next_back()
            && *version != state.version
        {
            kept.superseded = Some(now);
        }
        self.versions.insert(state.version, Kept { state, superseded: None });
        self.forget(expired);
    }

    pub(super) fn forget(&mut self, expired: &[Version]) {
        for version in expired {
            self.versions.remove(version);
        }
    }
}

/// What only the one who changes the tablet touches.
#[derive(Debug, Default)]
pub(super) struct WriteSide {
    /// For Primary Key tablets; none until it is needed, or after memory ran short.
    pub(super) index: Option<PrimaryIndex>,
}

/// See the module's text.
#[derive(Debug)]
pub(super) struct Tablet {
    pub(super) id: TabletId,
    pub(super) schema: Arc<Schema>,
    /// Held by publish, remove, compaction's commit: whoever makes the next state.
    pub(super) write: Arc<rt::sync::Mutex<WriteSide>>,
    /// Held by a compaction from its plan to its commit.
    pub(super) compacting: Arc<rt::sync::Mutex<()>>,
    shared: Mutex<Shared>,
    published: watch::Sender<Version>,
}

impl Tablet {
    pub(super) fn new(id: TabletId, schema: Arc<Schema>, life: Life) -> Self {
        let shared = Shared {
            life,
            versions: BTreeMap::new(),
            rowsets: BTreeMap::new(),
            deletes: BTreeMap::new(),
            keys: BTreeMap::new(),
            next_rowset: 1,
            writing: BTreeSet::new(),
            arriving: BTreeSet::new(),
            pins: 0,
            unmergeable: None,
            untidy: false,
            has_dir: false,
        };
        Self {
            id,
            schema,
            write: Arc::default(),
            compacting: Arc::default(),
            shared: Mutex::new(shared),
            published: watch::Sender::new(Version(0)),
        }
    }

    pub(super) fn dir(&self) -> String {
        tablet_dir(self.id)
    }

    /// The short lock: never held across an await or a file call.
    pub(super) fn shared(&self) -> MutexGuard<'_, Shared> {
        self.shared.lock()
    }

    pub(super) fn is_live(&self) -> bool {
        self.shared().life == Life::Live
    }

    /// The current state.
    pub(super) fn current(&self) -> Result<Arc<State>> {
        let shared = self.shared();
        match (shared.life, shared.current()) {
            (Life::Live, Some(state)) => Ok(Arc::clone(state)),
            _ => Err(StoreError::UnknownTablet(self.id).into()),
        }
    }

    /// The state at a version.
    pub(super) fn at(&self, version: Version) -> Result<Arc<State>> {
        let shared = self.shared();
        let (Life::Live, Some((current, _)), Some((oldest, _))) =
            (shared.life, shared.versions.last_key_value(), shared.versions.first_key_value())
        else {
            return Err(StoreError::UnknownTablet(self.id).into());
        };
        match shared.versions.get(&version) {
            Some(kept) => Ok(Arc::clone(&kept.state)),
            None if version > *current => {
                Err(StoreError::NotYet { tablet: self.id, version, current: *current }.into())
            }
            None => Err(StoreError::VersionGone { tablet: self.id, version, oldest: *oldest }.into()),
        }
    }

    /// The state at a version, for a pin.
    pub(super) fn hold(self: &Arc<Self>, version: Version) -> Result<Pin> {
        let state = self.at(version)?;
        let mut shared = self.shared();
        if shared.life != Life::Live {
            return Err(StoreError::UnknownTablet(self.id).into());
        }
        shared.pins += 1;
        drop(shared);
        let state = if canary::sings(Canary::PinIgnored) { Arc::new(state.unshared()) } else { state };
        Ok(Pin { state, tablet: Arc::clone(self) })
    }

    /// A pin that was read from the metadata.
    pub(super) fn hold_again(self: &Arc<Self>, state: Arc<State>) -> Pin {
        self.shared().pins += 1;
        Pin { state, tablet: Arc::clone(self) }
    }

    /// Tells those who wait that `version` can be read.
    pub(super) fn announce(&self, version: Version) {
        self.published.send_replace(version);
    }

    /// Tells those who wait to look again: the tablet was removed.
    pub(super) fn announce_end(&self) {
        self.published.send_modify(|_| ());
    }

    pub(super) fn subscribe(&self) -> watch::Receiver<Version> {
        self.published.subscribe()
    }

    pub(super) fn record(&self, life: LifeRecord) -> TabletRecord {
        TabletRecord { schema: (*self.schema).clone(), life }
    }

    /// Takes the number of a rowset that is about to be written.
    pub(super) fn reserve(self: &Arc<Self>) -> Reservation {
        let mut shared = self.shared();
        let id = shared.next_rowset;
        shared.next_rowset += 1;
        shared.writing.insert(id);
        drop(shared);
        Reservation { tablet: Arc::clone(self), id, kept: false }
    }
}

/// A state that stays, and the tablet with it.
#[derive(Debug)]
pub(super) struct Pin {
    pub(super) state: Arc<State>,
    pub(super) tablet: Arc<Tablet>,
}

impl Drop for Pin {
    fn drop(&mut self) {
        let mut shared = self.tablet.shared();
        shared.pins = shared.pins.saturating_sub(1);
    }
}

/// A rowset's number while its files are written. Dropped without [`Reservation::keep`], it leaves the files to the
/// next reclaim.
#[derive(Debug)]
pub(super) struct Reservation {
    pub(super) tablet: Arc<Tablet>,
    pub(super) id: u64,
    kept: bool,
}

impl Reservation {
    /// The files have an owner now.
    pub(super) fn keep(mut self) {
        self.kept = true;
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        let mut shared = self.tablet.shared();
        shared.writing.remove(&self.id);
        shared.untidy |= !self.kept;
    }
}
