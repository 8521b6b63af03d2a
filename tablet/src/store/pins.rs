//! Pins: states that stay, durably, until their owner lets go. Metadata only: no data file is touched.

use crate::error::{Error, Result};
use crate::image::{ImageName, TabletImage, TabletImageMeta, deletes_name};
use crate::schema::Schema;
use crate::store::deletes::encode;
use crate::store::journal::{Edits, Table};
use crate::store::state::State;
use crate::store::tablet::Pin;
use crate::store::{StoreError, TabletStore};
use crate::view::segment_path;
use bytes::Bytes;
use env::ids::{JobId, TabletId, Version};
use env::rt;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Who pins what.
pub(super) type Pins = BTreeMap<JobId, BTreeMap<TabletId, Pin>>;

impl TabletStore {
    /// Pins tablets at versions for a job, all or none, in one transaction. What the job has pinned already at the same
    /// version stays as it is; a tablet that it has pinned at another version is pinned anew.
    ///
    /// # Errors
    /// `NotFound` when a tablet does not exist, `Conflict` ([`StoreError::VersionGone`]) when a version was reclaimed
    /// (take a newer one), `Unavailable` when one is still to come; what the disk says. Nothing is pinned then.
    pub async fn pin(&self, owner: JobId, tablets: &[(TabletId, Version)]) -> Result<()> {
        let mut edits = Edits::default();
        let mut made: BTreeMap<TabletId, Pin> = BTreeMap::new();
        for (id, version) in tablets {
            let pinned = self.inner.pins.lock().get(&owner).and_then(|pins| Some(pins.get(id)?.state.version));
            if pinned == Some(*version) {
                continue;
            }
            // It holds the state from here on: a reclaim that comes before the commit keeps the files.
            let pin = self.inner.live(*id)?.hold(*version)?;
            if let Some(other) = made.get(id).map(|other| other.state.version).filter(|other| other != version) {
                return Err(StoreError::NamedTwice { tablet: *id, first: other, second: *version }.into());
            }
            edits.put(Table::Pins, &[owner.0, id.0], &pin.state.to_record())?;
            made.insert(*id, pin);
        }
        if edits.is_empty() {
            return Ok(());
        }
        let inner = Arc::clone(&self.inner);
        self.inner.journal.commit(edits, move || inner.pins.lock().entry(owner).or_default().extend(made)).await
    }

    /// Lets go of everything that a job has pinned; nothing pinned is no error.
    ///
    /// # Errors
    /// What the disk says; the pins stay then.
    pub async fn unpin(&self, owner: JobId) -> Result<()> {
        let mut edits = Edits::default();
        let held = self.inner.pins.lock().get(&owner).map(|pins| pins.keys().copied().collect::<BTreeSet<_>>());
        let Some(held) = held else { return Ok(()) };
        for tablet in &held {
            edits.delete(Table::Pins, &[owner.0, tablet.0]);
        }
        let inner = Arc::clone(&self.inner);
        let apply = move || {
            let mut pins = inner.pins.lock();
            if let Some(pinned) = pins.get_mut(&owner) {
                pinned.retain(|tablet, _| !held.contains(tablet));
                if pinned.is_empty() {
                    pins.remove(&owner);
                }
            }
        };
        self.inner.journal.commit(edits, apply).await
    }

    /// The jobs that have pins, by id.
    pub fn pin_owners(&self) -> Vec<JobId> {
        self.inner.pins.lock().keys().copied().collect()
    }

    /// What a job has pinned, by tablet.
    pub fn pins(&self, owner: JobId) -> Vec<(TabletId, Version)> {
        let pins = self.inner.pins.lock();
        pins.get(&owner).into_iter().flatten().map(|(tablet, pin)| (*tablet, pin.state.version)).collect()
    }

    /// The image of a tablet exactly as a job has pinned it, even when the tablet was removed meanwhile. No file is
    /// touched.
    ///
    /// # Errors
    /// `NotFound` when the job has no pin on the tablet.
    pub fn pinned(&self, owner: JobId, tablet: TabletId) -> Result<TabletImage> {
        let (schema, state) = self.pinned_state(owner, tablet)?;
        let meta = TabletImageMeta::of(&schema, &state);
        Ok(TabletImage { tablet, version: state.version, meta })
    }

    /// The image of a tablet at a version that is still kept, without a pin: a moment later it may be gone.
    ///
    /// # Errors
    /// `NotFound` for a tablet, `Conflict` for a version that is not kept any more.
    pub fn image(&self, tablet: TabletId, version: Version) -> Result<TabletImage> {
        let live = self.inner.live(tablet)?;
        let state = live.at(version)?;
        let meta = TabletImageMeta::of(&live.schema, &state);
        Ok(TabletImage { tablet, version: state.version, meta })
    }

    /// The bytes of one file of a pinned image: a memory map of a segment, a small buffer for a delete vector. They stay
    /// readable after the pin has gone. The length is checked here, the checksum by whoever reads the bytes.
    ///
    /// # Errors
    /// `NotFound` when the job has no such pin or the image no such file; `Corrupt` when the file is missing or has
    /// another length.
    pub async fn image_bytes(&self, owner: JobId, tablet: TabletId, name: &str) -> Result<Bytes> {
        let (_, state) = self.pinned_state(owner, tablet)?;
        let unknown = || StoreError::UnknownFile { tablet, name: name.to_owned() };
        match ImageName::parse(name).ok_or_else(unknown)? {
            ImageName::Deletes(segment, version) => {
                let deletes = state.deletes.get(&segment).filter(|deletes| deletes.version == version);
                let deletes = deletes.ok_or_else(unknown)?;
                let bytes = encode(&deletes.rows)?;
                if crc32fast::hash(&bytes) == deletes.crc32 {
                    return Ok(bytes.into());
                }
                Err(Error::Internal(format!("{} was encoded in two ways", deletes_name(segment, version))))
            }
            ImageName::Segment(segment) => {
                let len_bytes = state.segment(segment).ok_or_else(unknown)?.len_bytes;
                let disk = Arc::clone(&self.inner.disk);
                rt::blocking(move || {
                    // The state keeps the file until it is mapped.
                    let state = state;
                    let mapped = super::files::map(&*disk, &segment_path(tablet, segment), len_bytes);
                    drop(state);
                    mapped
                })
                .await
            }
        }
    }

    fn pinned_state(&self, owner: JobId, tablet: TabletId) -> Result<(Arc<Schema>, Arc<State>)> {
        let pins = self.inner.pins.lock();
        let pin = pins.get(&owner).and_then(|pins| pins.get(&tablet));
        let pin = pin.ok_or(StoreError::UnknownPin { owner, tablet })?;
        Ok((Arc::clone(&pin.tablet.schema), Arc::clone(&pin.state)))
    }
}
