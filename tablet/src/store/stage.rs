//! Staged restores: tablets that are filled, file by file, under new ids that nobody sees until they are complete.
//!
//! Laws: *never into live files*: only files of tablets that are being staged are written. *Verified before named*: a
//! file gets its name when its length and checksum are those of the image and its bytes are synced. What a crash leaves
//! is continued (the same `stage_begin` again, then `staged_missing`) or discarded by its owner.

mod file;

pub use file::StagedFile;

use crate::error::{Error, ErrorKind, Result};
use crate::image::{ImageFile, ImageName, TabletImageMeta, deletes_name, segment_name};
use crate::segment::SegmentReader;
use crate::store::deletes::DeleteVector;
use crate::store::journal::{Edits, Table};
use crate::store::lineage::Lineage;
use crate::store::record::{LifeRecord, RowsetRecord, StageRecord};
use crate::store::state::State;
use crate::store::tablet::{Kept, Life, Tablet};
use crate::store::{Inner, StoreError, TabletStore, files};
use crate::view::{SegmentId, segment_path};
use env::ids::{JobId, TabletId};
use env::rt;
use parking_lot::Mutex;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// A tablet to be restored.
#[derive(Debug, Clone)]
pub struct StagedTablet {
    /// Its new id, never used before on this node.
    pub tablet: TabletId,
    /// What it becomes.
    pub image: TabletImageMeta,
}

/// A tablet on its way.
#[derive(Debug)]
pub(super) struct Stage {
    pub(super) tablet: Arc<Tablet>,
    pub(super) image: TabletImageMeta,
    pub(super) progress: Mutex<Progress>,
}

#[derive(Debug, Default)]
pub(super) struct Progress {
    /// Segments whose files have their names.
    pub(super) here: BTreeSet<SegmentId>,
    pub(super) vectors: BTreeMap<SegmentId, Arc<DeleteVector>>,
    /// The tablet exists; only its owner's last word is missing.
    pub(super) finished: bool,
    /// No file may get its name any more.
    pub(super) discarded: bool,
}

impl Stage {
    /// The names that files of the restore have on disk.
    pub(super) fn file_names(&self) -> BTreeSet<String> {
        self.image.segments().map(|(segment, _)| segment_name(segment)).collect()
    }

    fn missing(&self) -> Vec<ImageFile> {
        let progress = self.progress.lock();
        if progress.finished {
            return Vec::new();
        }
        let missing = |file: &&ImageFile| match ImageName::parse(&file.name) {
            Some(ImageName::Segment(segment)) => !progress.here.contains(&segment),
            Some(ImageName::Deletes(segment, _)) => !progress.vectors.contains_key(&segment),
            None => false,
        };
        self.image.files.iter().filter(missing).cloned().collect()
    }

    /// Forgets the file of a segment that turned out to be damaged, so that it is fetched again.
    fn reject(&self, segment: SegmentId) {
        self.progress.lock().here.remove(&segment);
    }

    /// The state that the tablet has when all files are here. Blocks: looks into each file's footer.
    fn complete(&self, disk: &dyn env::disk::Disk) -> Result<State> {
        for (segment, expected) in self.image.segments() {
            let path = segment_path(self.tablet.id, segment);
            let open = || {
                let bytes = files::map(disk, &path, expected.meta.len_bytes)?;
                let rows = SegmentReader::open(&path, &self.tablet.schema, bytes)?.rows();
                if rows == expected.meta.rows {
                    return Ok(());
                }
                Err(Error::corrupt(&path, format!("{} rows", expected.meta.rows), format!("{rows} rows")))
            };
            open().inspect_err(|failed| {
                if failed.kind() == ErrorKind::Corrupt {
                    self.reject(segment);
                }
            })?;
        }
        if !self.image.rowsets.is_empty() {
            let dir = self.tablet.dir();
            disk.sync_dir(&dir).map_err(Error::io("sync", &dir))?;
        }
        let deletes = self.progress.lock().vectors.clone();
        let lineage = Some(self.image.lineage.clone().map_or_else(Lineage::fresh, Lineage::from));
        let rowsets = self.image.to_rowsets();
        Ok(State { version: self.image.version, load: None, lineage, rowsets, deletes })
    }
}

impl TabletStore {
    /// Registers tablets that a job is going to restore, durably, all or none. Those that the job has registered already
    /// with the same image stay as they are.
    ///
    /// # Errors
    /// `AlreadyExists` when an id is taken, `Busy` when a removed tablet of that id is still being read, `Corrupt` or
    /// `Unsupported` for an image that cannot be, and what the disk says.
    pub async fn stage_begin(&self, owner: JobId, tablets: Vec<StagedTablet>) -> Result<()> {
        let turn = Arc::clone(&self.inner.structure).lock_owned().await;
        let ids: Vec<TabletId> = tablets.iter().map(|staged| staged.tablet).collect();
        self.purge_removed(&ids).await?;
        let mut edits = Edits::default();
        let mut made: BTreeMap<TabletId, Arc<Stage>> = BTreeMap::new();
        for StagedTablet { tablet, image } in tablets {
            image.validate()?;
            let begun = made.get(&tablet).cloned().or_else(|| self.inner.stage(owner, tablet).ok());
            if let Some(stage) = begun {
                if stage.image == image {
                    continue;
                }
                return Err(StoreError::TabletExists { tablet, difference: "a restore of another image" }.into());
            }
            if let Some(there) = self.inner.tablet(tablet) {
                return Err(match there.shared().life {
                    Life::Removed => StoreError::TabletLeaving(tablet),
                    Life::Live => StoreError::TabletExists { tablet, difference: "data in it" },
                    Life::Staged(_) => StoreError::TabletExists { tablet, difference: "a restore of another job" },
                }
                .into());
            }
            let record = StageRecord { image, finished: false };
            edits.put(Table::Stages, &[owner.0, tablet.0], &record)?;
            let stage = Stage {
                tablet: Arc::new(Tablet::new(tablet, Arc::new(record.image.schema.clone()), Life::Staged(owner))),
                image: record.image,
                progress: Mutex::default(),
            };
            made.insert(tablet, Arc::new(stage));
        }
        if edits.is_empty() {
            return Ok(());
        }
        let inner = Arc::clone(&self.inner);
        let apply = move || {
            inner.tablets.write().extend(made.iter().map(|(id, stage)| (*id, Arc::clone(&stage.tablet))));
            inner.stages.lock().entry(owner).or_default().extend(made);
            drop(turn);
        };
        self.inner.journal.commit(edits, apply).await
    }

    /// The files of a tablet that are not yet here and verified; none once it is finished.
    ///
    /// # Errors
    /// `NotFound` when the job is not restoring the tablet.
    #[expect(clippy::unused_async, reason = "a store that must look at its disk for this can implement the same call")]
    pub async fn staged_missing(&self, owner: JobId, tablet: TabletId) -> Result<Vec<ImageFile>> {
        Ok(self.inner.stage(owner, tablet)?.missing())
    }

    /// Begins to receive a file of a tablet's image. Several files may be received at once.
    ///
    /// # Errors
    /// `NotFound` when the job is not restoring the tablet or its image has no such file; `Full` when the space is not
    /// there, and what else the disk says.
    pub async fn stage_file(&self, owner: JobId, tablet: TabletId, name: &str) -> Result<StagedFile> {
        let stage = self.inner.stage(owner, tablet)?;
        let file = stage.image.file(name).cloned();
        let file = file.ok_or_else(|| StoreError::UnknownFile { tablet, name: name.to_owned() })?;
        let inner = Arc::clone(&self.inner);
        rt::blocking(move || StagedFile::create(inner, owner, stage, file)).await
    }

    /// Completes tablets of which all files are here, all or none: they exist at their images' versions. Their owner can
    /// still discard them. Repeating it is fine.
    ///
    /// # Errors
    /// `NotFound` when the job is not restoring a tablet, `Invalid` ([`StoreError::StageIncomplete`]) when files are
    /// missing, `Corrupt` when a file is not a segment of the table (it is then missing again), and what the disk says.
    pub async fn stage_finish(&self, owner: JobId, tablets: &[TabletId]) -> Result<()> {
        let turn = Arc::clone(&self.inner.structure).lock_owned().await;
        let mut stages = BTreeMap::new();
        for tablet in tablets {
            let stage = self.inner.stage(owner, *tablet)?;
            let missing = stage.missing();
            if let Some(first) = missing.first() {
                let first = first.name.clone();
                return Err(StoreError::StageIncomplete { tablet: *tablet, missing: missing.len(), first }.into());
            }
            if !stage.progress.lock().finished {
                stages.insert(*tablet, stage);
            }
        }
        if stages.is_empty() {
            return Ok(());
        }
        let disk = Arc::clone(&self.inner.disk);
        let complete = move |stage: Arc<Stage>| Ok((Arc::new(stage.complete(&*disk)?), stage));
        let complete = rt::blocking(move || stages.into_values().map(complete).collect::<Result<Vec<_>>>()).await?;
        let mut edits = Edits::default();
        for (state, stage) in &complete {
            let tablet = &stage.tablet;
            edits.put(Table::Tablets, &[tablet.id.0], &tablet.record(LifeRecord::Live))?;
            for rowset in &state.rowsets {
                edits.put(Table::Rowsets, &[tablet.id.0, rowset.id], &RowsetRecord::of(rowset))?;
            }
            edits.put(Table::States, &[tablet.id.0, state.version.0], &state.to_record())?;
            let record = StageRecord { image: stage.image.clone(), finished: true };
            edits.put(Table::Stages, &[owner.0, tablet.id.0], &record)?;
        }
        let apply = move || {
            for (state, stage) in complete {
                stage.progress.lock().finished = true;
                enliven(&stage.tablet, state);
            }
            drop(turn);
        };
        self.inner.journal.commit(edits, apply).await
    }

    /// The owner's last word: its finished tablets are ordinary ones from now on. Nothing staged is no error.
    ///
    /// # Errors
    /// `Invalid` when a tablet is not finished; what the disk says.
    pub async fn stage_keep(&self, owner: JobId) -> Result<()> {
        let turn = Arc::clone(&self.inner.structure).lock_owned().await;
        let stages = self.inner.stages_of(owner);
        let mut edits = Edits::default();
        for (tablet, stage) in &stages {
            if !stage.progress.lock().finished {
                let missing = stage.missing();
                let first = missing.first().map_or_else(|| "none".to_owned(), |file| file.name.clone());
                return Err(StoreError::StageIncomplete { tablet: *tablet, missing: missing.len(), first }.into());
            }
            edits.delete(Table::Stages, &[owner.0, tablet.0]);
        }
        if edits.is_empty() {
            return Ok(());
        }
        let inner = Arc::clone(&self.inner);
        let apply = move || {
            inner.stages.lock().remove(&owner);
            drop(turn);
        };
        self.inner.journal.commit(edits, apply).await
    }

    /// Gives up a job's restore: its tablets are gone, finished or not; their files go with the next reclaim. Nothing
    /// staged is no error.
    ///
    /// # Errors
    /// What the disk says; the restore stays then.
    pub async fn stage_discard(&self, owner: JobId) -> Result<()> {
        let turn = Arc::clone(&self.inner.structure).lock_owned().await;
        let stages = self.inner.stages_of(owner);
        let mut edits = Edits::default();
        let mut guards = Vec::new();
        for (id, stage) in &stages {
            edits.delete(Table::Stages, &[owner.0, id.0]);
            let guard = Arc::clone(&stage.tablet.write).lock_owned().await;
            if stage.progress.lock().finished {
                edits.put(Table::Tablets, &[id.0], &stage.tablet.record(LifeRecord::Removed))?;
                let shared = stage.tablet.shared();
                shared.versions.keys().for_each(|version| edits.delete(Table::States, &[id.0, version.0]));
            } else {
                for (segment, vector) in &stage.progress.lock().vectors {
                    let key = [id.0, segment.rowset, u64::from(segment.ordinal), vector.version.0];
                    edits.delete(Table::Deletes, &key);
                }
            }
            guards.push(guard);
        }
        if edits.is_empty() {
            return Ok(());
        }
        let inner = Arc::clone(&self.inner);
        let apply = move || {
            inner.stages.lock().remove(&owner);
            for (stage, mut guard) in stages.values().zip(guards) {
                guard.index = None;
                inner.indexes.lock().remove(&stage.tablet.id);
                stage.progress.lock().discarded = true;
                let mut shared = stage.tablet.shared();
                shared.life = Life::Removed;
                shared.versions.clear();
                shared.untidy = true;
                drop(shared);
                stage.tablet.announce_end();
            }
            drop(turn);
        };
        self.inner.journal.commit(edits, apply).await
    }

    /// The jobs that have restores here, by id.
    pub fn stage_owners(&self) -> Vec<JobId> {
        self.inner.stages.lock().keys().copied().collect()
    }

    /// The tablets that a job is restoring, by id, and whether each is finished.
    pub fn staged(&self, owner: JobId) -> Vec<(TabletId, bool)> {
        let stages = self.inner.stages_of(owner);
        stages.iter().map(|(tablet, stage)| (*tablet, stage.progress.lock().finished)).collect()
    }
}

/// Gives a tablet its first state; what the state refers to is entered into the registry.
pub(super) fn enliven(tablet: &Tablet, state: Arc<State>) {
    let version = state.version;
    let mut shared = tablet.shared();
    for rowset in &state.rowsets {
        shared.next_rowset = shared.next_rowset.max(rowset.id.saturating_add(1));
        shared.rowsets.insert(rowset.id, Arc::clone(rowset));
    }
    for vector in state.deletes.values() {
        shared.deletes.insert((vector.segment, vector.version), Arc::clone(vector));
    }
    shared.life = Life::Live;
    shared.versions.insert(version, Kept { state, superseded: None });
    drop(shared);
    tablet.announce(version);
}

impl Inner {
    pub(super) fn stage(&self, owner: JobId, tablet: TabletId) -> Result<Arc<Stage>> {
        let stages = self.stages.lock();
        let stage = stages.get(&owner).and_then(|stages| stages.get(&tablet));
        Ok(Arc::clone(stage.ok_or(StoreError::UnknownStage { owner, tablet })?))
    }

    fn stages_of(&self, owner: JobId) -> BTreeMap<TabletId, Arc<Stage>> {
        self.stages.lock().get(&owner).cloned().unwrap_or_default()
    }
}

/// Checks that a delete vector is the one that the image describes.
pub(super) fn vector_of_image(image: &TabletImageMeta, vector: &DeleteVector) -> Result<()> {
    let name = deletes_name(vector.segment, vector.version);
    let segment = image.segments().find(|(segment, _)| *segment == vector.segment).map(|(_, segment)| segment);
    let Some(segment) = segment else { return Err(Error::corrupt(&name, "a segment of the image", "another one")) };
    let last = vector.rows.max().map(u64::from);
    if last.is_some_and(|last| last >= segment.meta.rows) {
        return Err(Error::corrupt(&name, format!("rows below {}", segment.meta.rows), format!("row {last:?}")));
    }
    match &segment.deletes {
        Some(deletes) if deletes.rows == vector.rows.len() && deletes.rows > 0 => Ok(()),
        Some(deletes) => {
            Err(Error::corrupt(&name, format!("{} rows hidden", deletes.rows), vector.rows.len().to_string()))
        }
        None => Err(Error::corrupt(&name, "no hidden rows", vector.rows.len().to_string())),
    }
}
