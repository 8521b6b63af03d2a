//! Recovery: from the metadata file and the directories to the store in memory. Blocks.

use crate::error::{Error, Result};
use crate::schema::Schema;
use crate::store::Inner;
use crate::store::deletes::{DeleteVector, decode};
use crate::store::journal::{Journal, Table};
use crate::store::load::{LoadEntry, Ready};
use crate::store::options::StoreOptions;
use crate::store::pins::Pins;
use crate::store::record::{
    CounterRecord, LifeRecord, PreparedRecord, RowsetRecord, StageRecord, StateRecord, TabletRecord, decode as record,
    numbers, ordinal,
};
use crate::store::stage::{Progress, Stage, vector_of_image};
use crate::store::state::State;
use crate::store::tablet::{Kept, KeyFile, Life, Tablet};
use crate::view::{SegmentId, TABLETS_DIR, segment_path};
use env::disk::Disk;
use env::ids::{JobId, LoadId, TabletId, Version};
use env::rt::time::Instant;
use parking_lot::{Mutex, RwLock};
use roaring::RoaringBitmap;
use std::collections::BTreeMap;
use std::sync::Arc;

type Tablets = BTreeMap<TabletId, Arc<Tablet>>;
type Stages = BTreeMap<JobId, BTreeMap<TabletId, Arc<Stage>>>;
type Loads = BTreeMap<LoadId, Arc<LoadEntry>>;

/// Reads everything. Deletes nothing: what nobody owns goes with the reclaim that follows.
pub(super) fn open(disk: Arc<dyn Disk>, options: StoreOptions) -> Result<Inner> {
    disk.create_dir(TABLETS_DIR).map_err(Error::io("make directory", TABLETS_DIR))?;
    sweep_journal_leftovers(&*disk)?;
    let journal = Journal::open(Arc::clone(&disk))?;
    let mut tablets = load_tablets(&journal)?;
    let stages = load_stages(&journal, &*disk, &mut tablets)?;
    load_rowsets(&journal, &tablets)?;
    load_deletes(&journal, &tablets, &stages)?;
    load_states(&journal, &tablets)?;
    let pins = load_pins(&journal, &tablets)?;
    let loads = load_prepared(&journal, &tablets)?;
    load_counters(&journal, &tablets)?;
    report_missing_files(&*disk, &tablets);
    Ok(Inner {
        disk,
        options,
        journal,
        tablets: RwLock::new(tablets),
        loads: Mutex::new(loads),
        pins: Mutex::new(pins),
        stages: Mutex::new(stages),
        indexes: Mutex::default(),
        structure: Arc::default(),
        reclaiming: Arc::default(),
    })
}

/// A crash while the metadata file was made leaves it under a temporary name.
fn sweep_journal_leftovers(disk: &dyn Disk) -> Result<()> {
    let entries = disk.list(TABLETS_DIR).map_err(Error::io("list", TABLETS_DIR))?;
    for entry in entries.iter().filter(|entry| !entry.is_dir && entry.name.ends_with(env::disk::TEMPORARY_SUFFIX)) {
        let path = env::disk::join(TABLETS_DIR, &entry.name);
        disk.remove(&path).map_err(Error::io("delete", &path))?;
    }
    Ok(())
}

fn load_tablets(journal: &Journal) -> Result<Tablets> {
    let mut tablets = Tablets::new();
    // The tablets of a table have the same columns: one copy serves them all.
    let mut schemas: Vec<Arc<Schema>> = Vec::new();
    for (key, value) in journal.load(Table::Tablets)? {
        let [id] = numbers("tablet", &key)?;
        let TabletRecord { schema, life } = record(&key, &value)?;
        let known = schemas.iter().rev().take(32).find(|known| ***known == schema).cloned();
        let schema = known.unwrap_or_else(|| {
            let schema = Arc::new(schema);
            schemas.push(Arc::clone(&schema));
            schema
        });
        let life = match life {
            LifeRecord::Live => Life::Live,
            LifeRecord::Removed => Life::Removed,
        };
        tablets.insert(TabletId(id), Arc::new(Tablet::new(TabletId(id), schema, life)));
    }
    Ok(tablets)
}

fn load_stages(journal: &Journal, disk: &dyn Disk, tablets: &mut Tablets) -> Result<Stages> {
    let mut stages = Stages::new();
    for (key, value) in journal.load(Table::Stages)? {
        let [owner, id] = numbers("stage", &key)?;
        let StageRecord { image, finished } = record(&key, &value)?;
        let (owner, id) = (JobId(owner), TabletId(id));
        let tablet = tablets
            .entry(id)
            .or_insert_with(|| Arc::new(Tablet::new(id, Arc::new(image.schema.clone()), Life::Staged(owner))));
        let mut progress = Progress { finished, ..Progress::default() };
        if !finished {
            // A segment has its name only after its bytes were verified and synced.
            for (segment, expected) in image.segments() {
                if disk.len(&segment_path(id, segment)).is_ok_and(|len| len == expected.meta.len_bytes) {
                    progress.here.insert(segment);
                }
            }
        }
        let stage = Stage { tablet: Arc::clone(tablet), image, progress: Mutex::new(progress) };
        stages.entry(owner).or_default().insert(id, Arc::new(stage));
    }
    Ok(stages)
}

fn load_rowsets(journal: &Journal, tablets: &Tablets) -> Result<()> {
    for (key, value) in journal.load(Table::Rowsets)? {
        let [tablet, id] = numbers("rowset", &key)?;
        let rowset = record::<RowsetRecord>(&key, &value)?.into_rowset(id);
        let mut shared = known(tablets, tablet, "rowset")?.shared();
        shared.next_rowset = shared.next_rowset.max(id.saturating_add(1));
        shared.rowsets.insert(id, Arc::new(rowset));
    }
    Ok(())
}

fn load_deletes(journal: &Journal, tablets: &Tablets, stages: &Stages) -> Result<()> {
    for (key, value) in journal.load(Table::Deletes)? {
        let [tablet, rowset, place, version] = numbers("delete vector", &key)?;
        let (segment, version) = (SegmentId { rowset, ordinal: ordinal(place)? }, Version(version));
        let object = format!("delete vector of segment {segment}, version {version}, of tablet {tablet}");
        let vector = Arc::new(DeleteVector::from_bytes(segment, version, &object, &value)?);
        let tablet = known(tablets, tablet, "delete vector")?;
        let mut shared = tablet.shared();
        match shared.life {
            Life::Live | Life::Removed => drop(shared.deletes.insert((segment, version), vector)),
            Life::Staged(owner) => {
                if let Some(stage) = stages.get(&owner).and_then(|stages| stages.get(&tablet.id)) {
                    vector_of_image(&stage.image, &vector)?;
                    stage.progress.lock().vectors.insert(segment, vector);
                }
            }
        }
    }
    Ok(())
}

fn load_states(journal: &Journal, tablets: &Tablets) -> Result<()> {
    let now = Instant::now();
    for (key, value) in journal.load(Table::States)? {
        let [id, version] = numbers("state", &key)?;
        let tablet = known(tablets, id, "state")?;
        let state = read_state(&format!("state record {id}/{version}"), tablet, &record(&key, &value)?)?;
        let mut shared = tablet.shared();
        if let Some(mut before) = shared.versions.last_entry() {
            // For how long it has been superseded is not recorded; counting from now keeps it rather too long.
            before.get_mut().superseded = Some(now);
        }
        shared.versions.insert(Version(version), Kept { state: Arc::new(state), superseded: None });
    }
    for tablet in tablets.values().filter(|tablet| tablet.is_live()) {
        let current = tablet.current().map_err(|_none| {
            Error::corrupt(&format!("tablet record {}", tablet.id), "a state record of its current version", "none")
        })?;
        tablet.announce(current.version);
    }
    Ok(())
}

fn load_pins(journal: &Journal, tablets: &Tablets) -> Result<Pins> {
    let mut pins = Pins::new();
    for (key, value) in journal.load(Table::Pins)? {
        let [owner, id] = numbers("pin", &key)?;
        let tablet = known(tablets, id, "pin")?;
        let pinned: StateRecord = record(&key, &value)?;
        let kept = tablet.shared().versions.get(&pinned.version).map(|kept| Arc::clone(&kept.state));
        let state = match kept.filter(|state| state.to_record() == pinned) {
            Some(state) => state,
            None => Arc::new(read_state(&format!("pin record {owner}/{id}"), tablet, &pinned)?),
        };
        pins.entry(JobId(owner)).or_default().insert(TabletId(id), tablet.hold_again(state));
    }
    Ok(pins)
}

fn load_prepared(journal: &Journal, tablets: &Tablets) -> Result<Loads> {
    let mut positions: BTreeMap<[u64; 3], BTreeMap<SegmentId, RoaringBitmap>> = BTreeMap::new();
    for (key, value) in journal.load(Table::Positions)? {
        let [load, tablet, sequence, rowset, place] = numbers("positions", &key)?;
        let segment = SegmentId { rowset, ordinal: ordinal(place)? };
        let rows = decode(&format!("positions of load {load}, tablet {tablet}, segment {segment}"), &value)?;
        positions.entry([load, tablet, sequence]).or_default().insert(segment, rows);
    }
    let mut loads = Loads::new();
    for (key, value) in journal.load(Table::Prepared)? {
        let parts: [u64; 3] = numbers("prepared", &key)?;
        let [load, tablet, sequence] = parts;
        let object = format!("prepared record {load}/{tablet}/{sequence}");
        let ready = match record(&key, &value)? {
            PreparedRecord::Rows { rowset } => {
                let shared = known(tablets, tablet, "prepared")?.shared();
                let lost = || Error::corrupt(&object, format!("a record of rowset {rowset}"), "none");
                Ready::Rows(Arc::clone(shared.rowsets.get(&rowset).ok_or_else(lost)?))
            }
            PreparedRecord::Keys { file, len_bytes, crc32, keys } => {
                let mut shared = known(tablets, tablet, "prepared")?.shared();
                let keys = Arc::new(KeyFile { id: file, len_bytes, crc32, keys });
                shared.next_rowset = shared.next_rowset.max(file.saturating_add(1));
                shared.keys.insert(file, Arc::clone(&keys));
                Ready::Keys(keys)
            }
            PreparedRecord::Positions { segments, .. } => {
                let found = positions.remove(&parts).unwrap_or_default();
                if !found.keys().eq(segments.iter()) {
                    let expected = format!("positions in {} segments", segments.len());
                    return Err(Error::corrupt(&object, expected, found.len().to_string()));
                }
                Ready::Positions(found)
            }
        };
        loads.entry(LoadId(load)).or_default().restore(TabletId(tablet), sequence, ready);
    }
    Ok(loads)
}

fn load_counters(journal: &Journal, tablets: &Tablets) -> Result<()> {
    for (key, value) in journal.load(Table::Counters)? {
        let [id] = numbers("counter", &key)?;
        let CounterRecord { next_rowset } = record(&key, &value)?;
        let mut shared = known(tablets, id, "counter")?.shared();
        shared.next_rowset = shared.next_rowset.max(next_rowset);
    }
    Ok(())
}

/// Says early what reading would find: the rest of the store can still be used.
fn report_missing_files(disk: &dyn Disk, tablets: &Tablets) {
    for tablet in tablets.values().filter(|tablet| tablet.is_live()) {
        let Ok(state) = tablet.current() else { continue };
        for (segment, meta) in state.segments() {
            let path = segment_path(tablet.id, segment);
            let len = disk.len(&path).ok();
            if len != Some(meta.len_bytes) {
                tracing::error!(path, expected = meta.len_bytes, found = len, "a segment file is missing or damaged");
            }
        }
    }
}

fn known<'a>(tablets: &'a Tablets, id: u64, what: &str) -> Result<&'a Arc<Tablet>> {
    let tablet = tablets.get(&TabletId(id));
    tablet.ok_or_else(|| Error::corrupt(&format!("{what} record of tablet {id}"), "a tablet record", "none"))
}

fn read_state(object: &str, tablet: &Tablet, described: &StateRecord) -> Result<State> {
    let shared = tablet.shared();
    State::from_record(object, described, &shared.rowsets, &shared.deletes)
}
