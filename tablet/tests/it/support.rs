//! Small tables and what is in them.

use arrow::array::{AsArray, Int64Array, RecordBatch, StringArray};
use arrow::datatypes::Int64Type;
use bytes::Bytes;
use env::disk::{Disk, MemDisk};
use env::ids::{JobId, LoadId, TabletId, Version};
use roaring::RoaringBitmap;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;
use tablet::{
    Aggregation, Column, ColumnType, CompactionOptions, ImageFile, KeyModel, Mutation, NewTablet, Schema, SegmentId,
    SegmentReader, StoreOptions, TabletImageMeta, TabletStore, TabletView,
};

/// The rows of a tablet, sorted.
pub type Rows = Vec<(i64, String)>;

pub fn run<T>(body: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(body)
}

/// A key and a text, of which an Aggregate Key table keeps the greatest.
pub fn schema(model: KeyModel) -> Arc<Schema> {
    let value = Column::new("v", ColumnType::Varchar(100));
    let value = if model == KeyModel::Aggregate { value.aggregation(Aggregation::Max) } else { value };
    Arc::new(Schema::new(model, vec![Column::new("k", ColumnType::BigInt).key().not_null(), value]).unwrap())
}

/// What is seen of rows that lie in the segments in this order.
pub fn shown(model: KeyModel, rows: &[(i64, String)]) -> Rows {
    let mut seen = rows.to_vec();
    if model.merges_on_read() {
        let mut by_key: BTreeMap<i64, String> = BTreeMap::new();
        for (key, value) in seen {
            let old = by_key.remove(&key);
            let greater = old.filter(|old| model == KeyModel::Aggregate && *old > value);
            by_key.insert(key, greater.unwrap_or(value));
        }
        seen = by_key.into_iter().collect();
    }
    seen.sort();
    seen
}

pub fn rows<S: AsRef<str>>(model: KeyModel, rows: &[(i64, S)]) -> RecordBatch {
    let keys = Int64Array::from_iter_values(rows.iter().map(|(key, _)| *key));
    let values = StringArray::from_iter_values(rows.iter().map(|(_, value)| value));
    RecordBatch::try_new(schema(model).arrow(), vec![Arc::new(keys), Arc::new(values)]).unwrap()
}

pub fn keys(keys: &[i64]) -> RecordBatch {
    let array = Int64Array::from_iter_values(keys.iter().copied());
    RecordBatch::try_new(schema(KeyModel::Primary).arrow_keys(), vec![Arc::new(array)]).unwrap()
}

pub fn values_of(batch: &RecordBatch) -> Rows {
    let (keys, values) = (batch.column(0).as_primitive::<Int64Type>(), batch.column(1).as_string::<i32>());
    (0..batch.num_rows()).map(|row| (keys.value(row), values.value(row).to_owned())).collect()
}

pub fn try_read(view: &Arc<TabletView>) -> tablet::Result<Rows> {
    let mut all = Vec::new();
    for batch in view.scan(None, 1000) {
        all.extend(values_of(&batch?));
    }
    all.sort();
    if view.schema().model().merges_on_read() {
        assert!(all.len() as u64 <= view.live_rows());
    } else {
        assert_eq!(all.len() as u64, view.live_rows());
    }
    Ok(all)
}

pub fn read(view: &Arc<TabletView>) -> Rows {
    try_read(view).unwrap()
}

pub fn current(store: &TabletStore, tablet: TabletId) -> Rows {
    read(&store.view_current(tablet).unwrap())
}

pub fn text(rows: &[(i64, &str)]) -> Rows {
    let mut rows: Rows = rows.iter().map(|(key, value)| (*key, (*value).to_owned())).collect();
    rows.sort();
    rows
}

/// Keeps only what is needed, so that a test sees at once when something is kept or lost wrongly.
pub fn strict() -> StoreOptions {
    StoreOptions {
        keep_versions: 1,
        keep_for: Duration::ZERO,
        segment_rows_max: 5,
        compaction: CompactionOptions { inputs_min: 3, ..CompactionOptions::default() },
        ..StoreOptions::default()
    }
}

pub async fn open(disk: &MemDisk, options: StoreOptions) -> TabletStore {
    TabletStore::open(Arc::new(disk.clone()), options).await.unwrap()
}

pub async fn create(store: &TabletStore, model: KeyModel, tablets: &[u64]) {
    let new = |id: &u64| NewTablet { tablet: TabletId(*id), schema: schema(model) };
    store.create(tablets.iter().map(new).collect()).await.unwrap();
}

/// Prepares rows and publishes them as the tablet's next version.
pub async fn load(store: &TabletStore, load: u64, tablet: u64, model: KeyModel, batch: &[(i64, &str)]) -> Version {
    let tablet = TabletId(tablet);
    store.prepare(LoadId(load), tablet, Mutation::Rows(vec![rows(model, batch)])).await.unwrap();
    let version = store.current_version(tablet).unwrap().next();
    store.publish(LoadId(load), &[(tablet, version)]).await.unwrap();
    version
}

/// Where the rows with such keys are.
pub fn positions(view: &Arc<TabletView>, wanted: impl Fn(i64) -> bool) -> BTreeMap<SegmentId, RoaringBitmap> {
    let mut found: BTreeMap<SegmentId, RoaringBitmap> = BTreeMap::new();
    for positioned in view.scan_positions(Some(&[0]), 3) {
        let positioned = positioned.unwrap();
        let keys = positioned.batch.column(0).as_primitive::<Int64Type>();
        for (row, at) in positioned.rows.iter().enumerate() {
            if wanted(keys.value(row)) {
                found.entry(positioned.segment).or_default().insert(*at);
            }
        }
    }
    found
}

/// Every file below `tablets` but the metadata.
pub fn files(disk: &dyn Disk) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for entry in disk.list("tablets").unwrap() {
        let path = format!("tablets/{}", entry.name);
        if entry.is_dir {
            found.extend(disk.list(&path).unwrap().into_iter().map(|file| format!("{path}/{}", file.name)));
        } else if path != "tablets/store.redb" {
            found.insert(path);
        }
    }
    found
}

pub fn files_of(view: &TabletView) -> BTreeSet<String> {
    view.segments().iter().map(|segment| segment.path.clone()).collect()
}

/// The files that the current versions of all tablets need.
pub fn needed(store: &TabletStore) -> BTreeSet<String> {
    store.tablets().into_iter().flat_map(|tablet| files_of(&store.view_current(tablet).unwrap())).collect()
}

/// The files of an image, fetched and checked as a backup would.
pub async fn image_files(store: &TabletStore, owner: JobId, tablet: TabletId) -> BTreeMap<String, Bytes> {
    let mut all = BTreeMap::new();
    for ImageFile { name, len_bytes, crc32, .. } in store.pinned(owner, tablet).unwrap().meta.files {
        let bytes = store.image_bytes(owner, tablet, &name).await.unwrap();
        assert_eq!((bytes.len() as u64, crc32fast::hash(&bytes)), (len_bytes, crc32), "{name}");
        all.insert(name, bytes);
    }
    all
}

/// The rows that an image shows, read from nothing but its description and its files.
pub fn image_rows(meta: &TabletImageMeta, files: &BTreeMap<String, Bytes>) -> Rows {
    let schema = Arc::new(meta.schema.clone());
    let mut all = Vec::new();
    for rowset in &meta.rowsets {
        for (ordinal, segment) in rowset.segments.iter().enumerate() {
            let name = format!("{}-{ordinal}.parquet", rowset.id);
            let deletes = segment.deletes.as_ref().map(|deletes| {
                let bytes = &files[&format!("{}-{ordinal}.{}.dv", rowset.id, deletes.version)];
                Arc::new(RoaringBitmap::deserialize_from(&bytes[12..]).unwrap())
            });
            let reader = SegmentReader::open_verified(&name, &schema, files[&name].clone(), &segment.meta).unwrap();
            let options = tablet::ScanOptions { deletes, ..tablet::ScanOptions::default() };
            reader.scan(&options).unwrap().for_each(|batch| all.extend(values_of(&batch.unwrap().rows)));
        }
    }
    shown(schema.model(), &all)
}

/// Brings a file of a restore, in two parts, the second one first.
pub async fn bring(
    store: &TabletStore,
    owner: JobId,
    tablet: TabletId,
    file: &ImageFile,
    bytes: &Bytes,
) -> tablet::Result<()> {
    let staged = store.stage_file(owner, tablet, &file.name).await?;
    let half = bytes.len() / 2;
    staged.write_at(half as u64, bytes.slice(half..)).await?;
    staged.write_at(0, bytes.slice(..half)).await?;
    staged.finish(file.crc32, file.len_bytes).await
}
