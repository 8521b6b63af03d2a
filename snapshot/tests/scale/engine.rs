//! An engine of which only the numbers of its tablets are real: bytes are made when they are asked for, and what is
//! brought back is compared and thrown away. What it remembers is a few bytes for each tablet.

use async_trait::async_trait;
use bytes::Bytes;
use env::ids::{JobId, TabletId, Version};
use parking_lot::Mutex;
use serde_json::{Value, json};
use snapshot::{Error, ErrorKind, Result, SnapshotSource, SourceFile, SourceImage, StagedImage, StagedSink};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// The version of every tablet.
pub const VERSION: Version = Version(2);

/// A tablet that is being brought back: whose copy it is, and a bit for each file that is here.
#[derive(Debug, Clone, Copy)]
struct Staged {
    of: u64,
    here: u8,
}

#[derive(Debug, Default)]
struct State {
    pins: BTreeMap<JobId, BTreeMap<TabletId, Version>>,
    stages: BTreeMap<JobId, BTreeMap<TabletId, Staged>>,
}

/// The engine. Clones share it.
#[derive(Debug, Clone, Default)]
pub struct Synthetic {
    state: Arc<Mutex<State>>,
    opened: Arc<AtomicU64>,
    kept: Arc<AtomicU64>,
}

fn failed(kind: ErrorKind, message: String) -> Error {
    Error::Outside { kind, message }
}

fn file_count(of: u64) -> u8 {
    if of.is_multiple_of(4) { 2 } else { 1 }
}

fn file_name(number: u8) -> String {
    format!("{}-0.parquet", number + 1)
}

/// The file of that name.
fn file_number(of: u64, name: &str) -> Result<u8> {
    let number = (0..file_count(of)).find(|number| file_name(*number) == name);
    number.ok_or_else(|| failed(ErrorKind::NotFound, format!("tablet {of} has no file {name}")))
}

fn bytes(of: u64, number: u8) -> Bytes {
    format!("{:64}", format!("rows of tablet {of}, file {number}")).into_bytes().into()
}

fn file(of: u64, number: u8) -> SourceFile {
    let (name, bytes) = (file_name(number), bytes(of, number));
    SourceFile {
        identity: format!("{of:016x}-{name}"),
        name,
        len_bytes: bytes.len() as u64,
        crc32: crc32fast::hash(&bytes),
    }
}

/// About as much as a store of ours has to say of a tablet of few columns.
fn meta(of: u64) -> Value {
    let column = |name: &str, kind: &str| json!({"name": name, "type": kind, "nullable": false, "key": name == "id"});
    let segment =
        |number: u8| json!({"ordinal": 0, "file": file_name(number), "rows": 4_096, "min": of, "max": of + 1});
    let rowset = |number: u8| json!({"id": number + 1, "uid": format!("{of:016x}"), "segments": [segment(number)]});
    json!({
        "format": 1,
        "of": of,
        "version": VERSION.0,
        "schema": {"columns": [column("id", "BIGINT"), column("day", "DATE"), column("note", "VARCHAR(50)")]},
        "rowsets": (0..file_count(of)).map(rowset).collect::<Vec<_>>(),
    })
}

impl Synthetic {
    /// Files that were opened so far.
    pub fn opened(&self) -> u64 {
        self.opened.load(Ordering::Relaxed)
    }

    /// Tablets that were brought back and kept.
    pub fn kept(&self) -> u64 {
        self.kept.load(Ordering::Relaxed)
    }

    fn pinned(&self, owner: JobId, tablet: TabletId) -> Result<Version> {
        let state = self.state.lock();
        let version = state.pins.get(&owner).and_then(|pins| pins.get(&tablet)).copied();
        version.ok_or_else(|| failed(ErrorKind::NotFound, format!("job {owner} has not pinned tablet {tablet}")))
    }

    fn staged<R>(&self, owner: JobId, tablet: TabletId, with: impl FnOnce(&mut Staged) -> R) -> Result<R> {
        let mut state = self.state.lock();
        let staged = state.stages.get_mut(&owner).and_then(|stages| stages.get_mut(&tablet));
        let unknown = || failed(ErrorKind::NotFound, format!("job {owner} does not stage tablet {tablet}"));
        staged.map(with).ok_or_else(unknown)
    }
}

#[async_trait]
impl SnapshotSource for Synthetic {
    async fn pin(&self, owner: JobId, tablets: &[(TabletId, Version)]) -> Result<()> {
        self.state.lock().pins.entry(owner).or_default().extend(tablets.iter().copied());
        Ok(())
    }

    async fn unpin(&self, owner: JobId) -> Result<()> {
        self.state.lock().pins.remove(&owner);
        Ok(())
    }

    fn pin_owners(&self) -> Vec<JobId> {
        self.state.lock().pins.keys().copied().collect()
    }

    fn image(&self, owner: JobId, tablet: TabletId) -> Result<SourceImage> {
        let version = self.pinned(owner, tablet)?;
        let files = (0..file_count(tablet.0)).map(|number| file(tablet.0, number)).collect();
        Ok(SourceImage { version, lineage: Some(format!("{:032x}", tablet.0)), meta: meta(tablet.0), files })
    }

    async fn open(&self, owner: JobId, tablet: TabletId, name: &str) -> Result<Bytes> {
        self.pinned(owner, tablet)?;
        self.opened.fetch_add(1, Ordering::Relaxed);
        Ok(bytes(tablet.0, file_number(tablet.0, name)?))
    }

    async fn free_bytes(&self) -> Result<u64> {
        Ok(1 << 40)
    }

    async fn stage_begin(&self, owner: JobId, images: Vec<StagedImage>) -> Result<()> {
        let mut state = self.state.lock();
        let stages = state.stages.entry(owner).or_default();
        for image in images {
            let of = image.meta.get("of").and_then(Value::as_u64);
            let of = of.filter(|of| image.version == VERSION && image.meta == meta(*of));
            let of = of.ok_or_else(|| failed(ErrorKind::Corrupt, format!("the image of tablet {}", image.tablet)))?;
            stages.entry(image.tablet).or_insert(Staged { of, here: 0 });
        }
        Ok(())
    }

    async fn stage_missing(&self, owner: JobId, tablet: TabletId) -> Result<Vec<SourceFile>> {
        let Staged { of, here } = self.staged(owner, tablet, |staged| *staged)?;
        let missing = (0..file_count(of)).filter(|number| here & (1 << number) == 0);
        Ok(missing.map(|number| file(of, number)).collect())
    }

    async fn stage_file(&self, owner: JobId, tablet: TabletId, name: &str) -> Result<Box<dyn StagedSink>> {
        let of = self.staged(owner, tablet, |staged| staged.of)?;
        Ok(Box::new(Sink { engine: self.clone(), owner, tablet, of, number: file_number(of, name)? }))
    }

    async fn stage_finish(&self, owner: JobId, tablets: &[TabletId]) -> Result<()> {
        for tablet in tablets {
            if let Some(first) = self.stage_missing(owner, *tablet).await?.first() {
                return Err(failed(ErrorKind::Conflict, format!("tablet {tablet} lacks file {}", first.name)));
            }
        }
        Ok(())
    }

    async fn stage_keep(&self, owner: JobId) -> Result<()> {
        let kept = self.state.lock().stages.remove(&owner).unwrap_or_default();
        self.kept.fetch_add(kept.len() as u64, Ordering::Relaxed);
        Ok(())
    }

    async fn stage_discard(&self, owner: JobId) -> Result<()> {
        self.state.lock().stages.remove(&owner);
        Ok(())
    }

    fn stage_owners(&self) -> Vec<JobId> {
        self.state.lock().stages.keys().copied().collect()
    }
}

#[derive(Debug)]
struct Sink {
    engine: Synthetic,
    owner: JobId,
    tablet: TabletId,
    of: u64,
    number: u8,
}

#[async_trait]
impl StagedSink for Sink {
    async fn write(&self, offset: u64, taken: Bytes) -> Result<()> {
        if offset == 0 && taken == bytes(self.of, self.number) {
            return Ok(());
        }
        Err(failed(ErrorKind::Corrupt, format!("file {} of tablet {}", self.number, self.of)))
    }

    async fn finish(self: Box<Self>, len_bytes: u64, crc32: u32) -> Result<()> {
        let expected = file(self.of, self.number);
        if (expected.len_bytes, expected.crc32) != (len_bytes, crc32) {
            return Err(failed(ErrorKind::Corrupt, format!("file {} of tablet {}", self.number, self.of)));
        }
        self.engine.staged(self.owner, self.tablet, |staged| staged.here |= 1 << self.number)
    }
}
