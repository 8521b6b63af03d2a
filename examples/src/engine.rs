//! An engine that is not ours: notes, appended one immutable file after another.
//!
//! A tablet is a list of files, and its version is 1 plus their number. That is all an engine needs to be backed up: a
//! version that stays readable while it is pinned, and files that never change.

use async_trait::async_trait;
use bytes::Bytes;
use env::disk::{self, Disk, DiskFile};
use env::ids::{JobId, TabletId, Version};
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use snapshot::{Error, Result, SnapshotSource, SourceFile, SourceImage, StagedImage, StagedSink};
use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;

/// A file of a tablet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Note {
    /// Unique for ever: it also tells a later backup that it has this file already.
    name: String,
    len_bytes: u64,
    crc32: u32,
}

impl From<&Note> for SourceFile {
    fn from(note: &Note) -> Self {
        Self { name: note.name.clone(), identity: note.name.clone(), len_bytes: note.len_bytes, crc32: note.crc32 }
    }
}

/// Everything but the bytes of the notes; written whole at each change, which is good enough for an example.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
struct State {
    tablets: BTreeMap<TabletId, Vec<Note>>,
    pins: BTreeMap<JobId, BTreeMap<TabletId, Version>>,
    stages: BTreeMap<JobId, BTreeMap<TabletId, Vec<Note>>>,
}

/// The engine. Clones share it.
#[derive(Debug, Clone)]
pub(crate) struct NoteStore {
    disk: Arc<dyn Disk>,
    state: Arc<Mutex<State>>,
}

const STATE: &str = "state.json";

fn failed(what: &str) -> impl FnOnce(io::Error) -> Error + '_ {
    move |error| {
        let kind = if error.kind() == io::ErrorKind::StorageFull {
            snapshot::ErrorKind::Full
        } else {
            snapshot::ErrorKind::Unavailable
        };
        Error::Outside { kind, message: format!("{what}: {error}") }
    }
}

fn unknown(what: String) -> Error {
    Error::Outside { kind: snapshot::ErrorKind::NotFound, message: what }
}

fn dir(tablet: TabletId) -> String {
    format!("notes/{tablet}")
}

impl NoteStore {
    /// Opens the engine on a disk, or makes it.
    ///
    /// # Errors
    /// What the disk says; `Corrupt` when the state cannot be understood.
    pub(crate) fn open(disk: Arc<dyn Disk>) -> Result<Self> {
        disk.create_dir("notes").map_err(failed("notes"))?;
        let state = match disk.read(STATE) {
            Ok(bytes) => serde_json::from_slice(&bytes).map_err(|error| Error::Outside {
                kind: snapshot::ErrorKind::Corrupt,
                message: format!("{STATE}: {error}"),
            })?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => State::default(),
            Err(error) => return Err(failed(STATE)(error)),
        };
        Ok(Self { disk, state: Arc::new(Mutex::new(state)) })
    }

    /// Changes the state, durably; nothing has changed when this fails.
    fn change<R>(&self, change: impl FnOnce(&mut State) -> Result<R>) -> Result<R> {
        let mut state = self.state.lock();
        let mut next = state.clone();
        let result = change(&mut next)?;
        let bytes = serde_json::to_vec_pretty(&next).map_err(|error| Error::Internal(error.to_string()))?;
        disk::publish(&*self.disk, "", STATE, &bytes).map_err(failed(STATE))?;
        *state = next;
        Ok(result)
    }

    /// Makes an empty tablet, at version 1.
    ///
    /// # Errors
    /// What the disk says.
    pub(crate) fn create(&self, tablet: TabletId) -> Result<()> {
        self.disk.create_dir(&dir(tablet)).map_err(failed("tablet"))?;
        self.change(|state| {
            state.tablets.entry(tablet).or_default();
            Ok(())
        })
    }

    /// Appends a note; the version that shows it.
    ///
    /// # Errors
    /// `NotFound` when there is no such tablet; what the disk says.
    pub(crate) fn append(&self, tablet: TabletId, text: &str) -> Result<Version> {
        let name = format!("{}.note", env::rand::token());
        disk::publish_new(&*self.disk, &dir(tablet), &name, text.as_bytes()).map_err(failed("note"))?;
        let note = Note { name, len_bytes: text.len() as u64, crc32: crc32fast::hash(text.as_bytes()) };
        self.change(|state| {
            let notes = state.tablets.get_mut(&tablet).ok_or_else(|| unknown(format!("no tablet {tablet}")))?;
            notes.push(note);
            Ok(Version(1 + notes.len() as u64))
        })
    }

    /// All notes of a tablet.
    ///
    /// # Errors
    /// `NotFound` when there is no such tablet; what the disk says.
    pub(crate) fn read(&self, tablet: TabletId) -> Result<Vec<String>> {
        let notes = self.state.lock().tablets.get(&tablet).cloned();
        let notes = notes.ok_or_else(|| unknown(format!("no tablet {tablet}")))?;
        let text = |note: &Note| {
            let bytes = self.disk.read(&disk::join(&dir(tablet), &note.name)).map_err(failed("note"))?;
            Ok(String::from_utf8_lossy(&bytes).into_owned())
        };
        notes.iter().map(text).collect()
    }

    /// The notes of a tablet that a job has pinned.
    fn pinned(&self, owner: JobId, tablet: TabletId) -> Result<(Version, Vec<Note>)> {
        let state = self.state.lock();
        let version = state.pins.get(&owner).and_then(|pins| pins.get(&tablet)).copied();
        let version = version.ok_or_else(|| unknown(format!("job {owner} has not pinned tablet {tablet}")))?;
        let visible = usize::try_from(version.0.saturating_sub(1)).unwrap_or(usize::MAX);
        let notes = state.tablets.get(&tablet).into_iter().flatten().take(visible).cloned().collect();
        Ok((version, notes))
    }

    fn staged(&self, owner: JobId, tablet: TabletId) -> Result<Vec<Note>> {
        let state = self.state.lock();
        let notes = state.stages.get(&owner).and_then(|stages| stages.get(&tablet)).cloned();
        notes.ok_or_else(|| unknown(format!("job {owner} does not stage tablet {tablet}")))
    }
}

#[async_trait]
impl SnapshotSource for NoteStore {
    async fn pin(&self, owner: JobId, tablets: &[(TabletId, Version)]) -> Result<()> {
        self.change(|state| {
            for (tablet, version) in tablets {
                let notes =
                    state.tablets.get(tablet).ok_or_else(|| Error::VersionGone(format!("no tablet {tablet}")))?;
                if version.0 > 1 + notes.len() as u64 {
                    return Err(unknown(format!("tablet {tablet} has no version {version} yet")));
                }
                state.pins.entry(owner).or_default().insert(*tablet, *version);
            }
            Ok(())
        })
    }

    async fn unpin(&self, owner: JobId) -> Result<()> {
        self.change(|state| {
            state.pins.remove(&owner);
            Ok(())
        })
    }

    fn pin_owners(&self) -> Vec<JobId> {
        self.state.lock().pins.keys().copied().collect()
    }

    fn image(&self, owner: JobId, tablet: TabletId) -> Result<SourceImage> {
        let (version, notes) = self.pinned(owner, tablet)?;
        let meta = serde_json::to_value(&notes).map_err(|error| Error::Internal(error.to_string()))?;
        // Its files are never rewritten, so their own identity is enough.
        Ok(SourceImage { version, lineage: None, meta, files: notes.iter().map(SourceFile::from).collect() })
    }

    async fn open(&self, owner: JobId, tablet: TabletId, name: &str) -> Result<Bytes> {
        self.pinned(owner, tablet)?;
        let (disk, path) = (Arc::clone(&self.disk), disk::join(&dir(tablet), name));
        env::rt::blocking(move || disk.map(&path)).await.map_err(failed("note"))
    }

    async fn free_bytes(&self) -> Result<u64> {
        self.disk.free_bytes().map_err(failed("disk"))
    }

    async fn stage_begin(&self, owner: JobId, images: Vec<StagedImage>) -> Result<()> {
        for image in &images {
            self.disk.create_dir(&dir(image.tablet)).map_err(failed("tablet"))?;
        }
        self.change(|state| {
            for image in images {
                let notes: Vec<Note> = serde_json::from_value(image.meta).map_err(|error| Error::Outside {
                    kind: snapshot::ErrorKind::Corrupt,
                    message: format!("image of tablet {}: {error}", image.tablet),
                })?;
                state.stages.entry(owner).or_default().insert(image.tablet, notes);
            }
            Ok(())
        })
    }

    async fn stage_missing(&self, owner: JobId, tablet: TabletId) -> Result<Vec<SourceFile>> {
        let notes = self.staged(owner, tablet)?;
        let here = |note: &&Note| self.disk.len(&disk::join(&dir(tablet), &note.name)).is_err();
        Ok(notes.iter().filter(here).map(SourceFile::from).collect())
    }

    async fn stage_file(&self, owner: JobId, tablet: TabletId, name: &str) -> Result<Box<dyn StagedSink>> {
        self.staged(owner, tablet)?;
        let path = disk::join(&dir(tablet), name);
        let temporary = format!("{path}.{}{}", env::rand::token(), disk::TEMPORARY_SUFFIX);
        let file = self.disk.create(&temporary).map_err(failed("note"))?;
        Ok(Box::new(Sink { disk: Arc::clone(&self.disk), file, temporary, path }))
    }

    async fn stage_finish(&self, owner: JobId, tablets: &[TabletId]) -> Result<()> {
        for tablet in tablets {
            let missing = self.stage_missing(owner, *tablet).await?;
            if let Some(first) = missing.first() {
                return Err(unknown(format!("file {} of tablet {tablet} is not here", first.name)));
            }
        }
        self.change(|state| {
            let staged = state.stages.get(&owner).cloned().unwrap_or_default();
            state.tablets.extend(staged.into_iter().filter(|(tablet, _)| tablets.contains(tablet)));
            Ok(())
        })
    }

    async fn stage_keep(&self, owner: JobId) -> Result<()> {
        self.change(|state| {
            state.stages.remove(&owner);
            Ok(())
        })
    }

    async fn stage_discard(&self, owner: JobId) -> Result<()> {
        self.change(|state| {
            for tablet in state.stages.remove(&owner).into_iter().flat_map(BTreeMap::into_keys) {
                state.tablets.remove(&tablet);
            }
            Ok(())
        })
    }

    fn stage_owners(&self) -> Vec<JobId> {
        self.state.lock().stages.keys().copied().collect()
    }
}

#[derive(Debug)]
struct Sink {
    disk: Arc<dyn Disk>,
    file: Arc<dyn DiskFile>,
    temporary: String,
    path: String,
}

#[async_trait]
impl StagedSink for Sink {
    async fn write(&self, offset: u64, bytes: Bytes) -> Result<()> {
        let file = Arc::clone(&self.file);
        env::rt::blocking(move || file.write_at(offset, &bytes)).await.map_err(failed("note"))
    }

    /// The repository has checked every chunk on the way; what lies on the disk is checked once more.
    async fn finish(self: Box<Self>, len_bytes: u64, crc32: u32) -> Result<()> {
        let check = move || {
            self.file.sync_data()?;
            let bytes = self.disk.map(&self.temporary)?;
            if bytes.len() as u64 != len_bytes || crc32fast::hash(&bytes) != crc32 {
                return Err(io::Error::new(io::ErrorKind::InvalidData, "not what was sent"));
            }
            self.disk.rename(&self.temporary, &self.path)?;
            self.disk.sync_dir(disk::parent(&self.path))
        };
        env::rt::blocking(check).await.map_err(failed("note"))
    }
}
