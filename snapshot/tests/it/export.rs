use crate::world::{Disks, World, column, orders, orders_table, shop};
use arrow::array::{ArrayRef, Decimal256Array, Int64Array, RecordBatch, StringArray};
use arrow::compute::cast;
use arrow::datatypes::i256;
use catalog::records::{AggregationRecord, BoundsRecord, ColumnRecord, KeyModelRecord, TableRecord};
use env::disk::{Disk, MemDisk};
use env::ids::DatabaseId;
use env::rt::CancellationToken;
use repository::{Repository, no_progress};
use snapshot::{ErrorKind, ExportEvent, ExportOptions, ExportRequest, ExportTarget, Exported, export, schema};
use std::collections::BTreeMap;
use std::sync::Arc;
use tablet::{Fingerprint, ScanOptions, SegmentReader};

fn wide_table() -> TableRecord {
    let columns = vec![column("id", "LARGEINT", true, false), column("note", "VARCHAR(50)", false, true)];
    TableRecord { name: "a/wide_one".into(), columns, ..orders_table() }
}

fn wide_rows(ids: &[i128]) -> crate::world::Rows {
    let schema = schema::tablet_schema(&wide_table()).unwrap().arrow();
    let numbers = Decimal256Array::from_iter_values(ids.iter().map(|id| i256::from_i128(*id)));
    let numbers: ArrayRef = Arc::new(numbers.with_precision_and_scale(39, 0).unwrap());
    let notes: ArrayRef =
        Arc::new(ids.iter().map(|id| (id % 2 == 0).then(|| format!("n{id}"))).collect::<StringArray>());
    crate::world::Rows(RecordBatch::try_new(schema, vec![numbers, notes]).unwrap())
}

/// The shop, with a table whose keys are LARGEINT, one without rows, and one of which every row is hidden.
async fn full_shop(world: &World) -> DatabaseId {
    let shop = shop(world).await;
    world.create_table(shop, wide_table(), &[("all", BoundsRecord::All, 2)]).await;
    world.load(shop, "a/wide_one", &wide_rows(&[i128::MIN, -10, -9, 0, 9, 10, i128::MAX])).await.unwrap();
    world.create_table(shop, TableRecord { name: "none".into(), ..wide_table() }, &[("p", BoundsRecord::All, 1)]).await;
    let twice = TableRecord { name: "twice".into(), ..orders_table() };
    world.create_table(shop, twice, &[("p", BoundsRecord::All, 1)]).await;
    world.load(shop, "twice", &orders([(1, "old".to_owned()), (2, "old".to_owned())])).await.unwrap();
    world.load(shop, "twice", &orders([(1, "new".to_owned()), (2, "new".to_owned())])).await.unwrap();
    shop
}

fn request(tables: &[&str], partitions: &[&str]) -> ExportRequest {
    let owned = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
    ExportRequest { label: "first".into(), timestamp: None, tables: owned(tables), partitions: owned(partitions) }
}

fn target(disk: &MemDisk) -> ExportTarget {
    ExportTarget { disk: Arc::new(disk.clone()), name: "out".into() }
}

async fn run(world: &World, disk: &MemDisk, request: &ExportRequest) -> Result<Exported, snapshot::Error> {
    let describe: snapshot::export::Describe = Arc::new(|table| Ok(format!("table {}", table.name)));
    let options = ExportOptions { describe: Some(describe), ..ExportOptions::default() };
    export(&world.repository().await, request, &target(disk), &options, &CancellationToken::new()).await
}

/// Paths of all files below `dir`.
fn files(disk: &dyn Disk, dir: &str) -> Vec<String> {
    let mut found = Vec::new();
    for entry in disk.list(dir).unwrap_or_default() {
        let path = env::disk::join(dir, &entry.name);
        if entry.is_dir { found.extend(files(disk, &path)) } else { found.push(path) }
    }
    found
}

/// The rows of a folder's files, LARGEINT read from its text.
fn rows_in(disk: &MemDisk, folder: &str, table: &TableRecord) -> Fingerprint {
    let real = schema::tablet_schema(table).unwrap();
    let plain = Arc::new(tablet::plain_schema(&real).unwrap());
    let mut sum = Fingerprint::default();
    for path in files(disk, folder).iter().filter(|path| path.ends_with(".parquet")) {
        let reader = SegmentReader::open(path, &plain, disk.read(path).unwrap()).unwrap();
        for batch in reader.scan(&ScanOptions::default()).unwrap() {
            let rows = batch.unwrap().rows;
            let fields = real.arrow();
            let columns = rows.columns().iter().zip(fields.fields()).map(|(c, f)| cast(c, f.data_type()).unwrap());
            let columns = columns.collect();
            sum.add(&RecordBatch::try_new(fields, columns).unwrap()).unwrap();
        }
    }
    sum
}

async fn check(world: &World, shop: DatabaseId, disk: &MemDisk, exported: &Exported) {
    for table in &exported.tables {
        let record = world.catalog.table(shop, &table.table, catalog::At::Latest).await.unwrap().unwrap();
        let expected = world.fingerprint(shop, &table.table).await;
        let folder = format!("out/{}", table.folder);
        assert_eq!(rows_in(disk, &folder, &record), expected, "{table:?}");
        assert_eq!(table.rows, expected.rows);
        let data: Vec<String> = files(disk, &folder).into_iter().filter(|path| path.ends_with(".parquet")).collect();
        assert_eq!(data.len() as u64, table.files, "{data:?}");
        assert_eq!(data.iter().map(|path| disk.len(path).unwrap()).sum::<u64>(), table.bytes);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_export_holds_the_rows_of_the_cut() {
    let world = World::open(&Disks::new()).await;
    let shop = full_shop(&world).await;
    world.backup(shop, "first").await;
    let disk = MemDisk::new();
    let exported = run(&world, &disk, &request(&[], &[])).await.unwrap();
    check(&world, shop, &disk, &exported).await;

    let told: BTreeMap<&str, (u64, u64, u64, bool)> = exported
        .tables
        .iter()
        .map(|table| (table.table.as_str(), (table.partitions, table.rows, table.files, table.rewritten > 0)))
        .collect();
    assert_eq!(told["places"], (2, 3, 2, false), "{exported:?}");
    assert_eq!(told["a/wide_one"], (1, 7, 2, true));
    assert_eq!(told["none"], (1, 0, 1, true));
    assert_eq!(told["twice"], (1, 2, 1, false), "a segment of which every row is hidden is left out");
    assert!(told["orders"].3, "some of its rows are hidden");
    let folders: Vec<&str> = exported.tables.iter().map(|table| table.folder.as_str()).collect();
    assert!(folders.contains(&"shop/a%2Fwide_one"), "{folders:?}");
    assert_eq!(&disk.read("out/shop/a%2Fwide_one/_schema.sql").unwrap()[..], b"table a/wide_one");
    assert!(files(&disk, "out/shop/none").contains(&"out/shop/none/empty.parquet".to_owned()));
    // A copy is the repository's bytes as they are; nothing temporary is left anywhere.
    assert!(files(&disk, "").iter().all(|path| path.starts_with("out/shop/") && !path.contains(".raw")));
    world.nothing_is_left().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_export_is_of_what_was_asked_for() {
    let world = World::open(&Disks::new()).await;
    let shop = full_shop(&world).await;
    world.backup(shop, "first").await;
    let disk = MemDisk::new();
    disk.create_dir("out").unwrap();
    let exported = run(&world, &disk, &request(&["events", "places", "events"], &["p2", "south"])).await.unwrap();
    let folders: Vec<String> = files(&disk, "out").into_iter().filter(|path| path.ends_with(".parquet")).collect();
    assert!(folders.iter().all(|path| path.contains("/events/p2/") || path.contains("/places/south/")), "{folders:?}");
    assert_eq!(
        exported.tables.iter().map(|table| (table.partitions, table.rows)).collect::<Vec<_>>(),
        [(1, 28), (1, 1)]
    );

    for (request, kind, message) in [
        (request(&[], &[]), ErrorKind::AlreadyExists, "directory out is not empty; choose a new one"),
        (
            ExportRequest { label: "frist".into(), ..request(&[], &[]) },
            ErrorKind::NotFound,
            "snapshot frist of any time does not exist in repository repo; SHOW SNAPSHOT lists those that do",
        ),
        (request(&["evens"], &[]), ErrorKind::Invalid, "table evens does not exist in snapshot first"),
        (
            request(&["events"], &["p2", "p9"]),
            ErrorKind::Invalid,
            "partition p9 of table events does not exist in snapshot first",
        ),
    ] {
        let disk = if kind == ErrorKind::AlreadyExists { disk.clone() } else { MemDisk::new() };
        let before = files(&disk, "");
        let failed = run(&world, &disk, &request).await.unwrap_err();
        assert_eq!((failed.kind(), failed.to_string().as_str()), (kind, message));
        assert_eq!(files(&disk, ""), before);
        assert_eq!(world.repository().await.sessions().await.unwrap(), []);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_export_that_fails_or_is_stopped_leaves_nothing() {
    let template = World::open(&Disks::new()).await;
    let shop = shop(&template).await;
    template.backup(shop, "first").await;
    let template = template.close().await;

    // A flipped bit in each data object in turn.
    for path in files(&template.repository, "data") {
        let disks = template.copy();
        let middle = disks.repository.len(&path).unwrap() / 2;
        disks.repository.flip_bit(&path, usize::try_from(middle).unwrap()).unwrap();
        let world = World::open(&disks).await;
        let disk = MemDisk::new();
        let failed = run(&world, &disk, &request(&[], &[])).await.unwrap_err();
        assert_eq!(failed.kind(), ErrorKind::Corrupt, "{failed}");
        assert!(failed.to_string().contains(&path), "{failed}");
        assert_eq!(disk.list("").unwrap(), []);
        assert_eq!(world.repository().await.sessions().await.unwrap(), []);
    }

    let world = World::open(&template.copy()).await;
    // No room, told before anything is written.
    let small = MemDisk::new();
    small.limit(Some(1_000));
    let failed = run(&world, &small, &request(&[], &[])).await.unwrap_err();
    assert_eq!(failed.kind(), ErrorKind::Full, "{failed}");
    assert_eq!(small.list("").unwrap(), []);

    // Stopped at the first byte, after some bytes, after some files.
    for at in [1, 3, 9] {
        let (disk, stop) = (MemDisk::new(), CancellationToken::new());
        let seen = parking_lot::Mutex::new(0);
        let stopper = stop.clone();
        let observe = move |event| {
            if matches!(event, ExportEvent::Bytes(_) | ExportEvent::File) {
                *seen.lock() += 1;
                if *seen.lock() >= at {
                    stopper.cancel();
                }
            }
        };
        let options = ExportOptions { observe: Arc::new(observe), ..ExportOptions::default() };
        let repository = world.repository().await;
        let failed = export(&repository, &request(&[], &[]), &target(&disk), &options, &stop).await.unwrap_err();
        assert_eq!(failed.kind(), ErrorKind::Cancelled, "{failed}");
        assert_eq!(disk.list("").unwrap(), []);
        assert_eq!(repository.sessions().await.unwrap(), []);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_power_cut_leaves_a_whole_export_or_none() {
    let world = World::open(&Disks::new()).await;
    let shop = full_shop(&world).await;
    world.backup(shop, "first").await;
    let one = request(&["orders"], &[]);
    let whole = MemDisk::new();
    run(&world, &whole, &one).await.unwrap();
    let (mut none, mut there) = (0, 0);
    for cut in 0..whole.changes() + 4 {
        let disk = MemDisk::new();
        disk.cut_after(cut, cut);
        let done = run(&world, &disk, &one).await;
        let disk = if done.is_ok() { disk.power_cut(cut) } else { disk.reboot() };
        if disk.list("out").is_ok() {
            there += 1;
            let names: Vec<String> = files(&disk, "out");
            assert_eq!(names.len(), files(&whole, "out").len(), "cut after {cut} changes");
            let record = world.catalog.table(shop, "orders", catalog::At::Latest).await.unwrap().unwrap();
            assert_eq!(rows_in(&disk, "out", &record), world.fingerprint(shop, "orders").await, "cut after {cut}");
        } else {
            none += 1;
            assert!(done.is_err(), "an export that was told is there");
        }
        assert_eq!(world.repository().await.sessions().await.unwrap(), []);
    }
    assert!(none > 10 && there > 0, "{none} without, {there} with");
}

/// How many objects go.
async fn sweep(repository: &Repository) -> u64 {
    let plan = repository.sweep_plan(&no_progress()).await.unwrap();
    repository.sweep(&plan, &no_progress()).await.unwrap().objects
}

#[tokio::test(flavor = "multi_thread")]
async fn an_export_outlives_a_drop_and_a_sweep() {
    let world = World::open(&Disks::new()).await;
    let shop = full_shop(&world).await;
    world.backup(shop, "first").await;
    let repository = world.repository().await;
    let dropped = Arc::new(tokio::sync::Notify::new());
    let begun = Arc::new(tokio::sync::Notify::new());
    let handle = tokio::runtime::Handle::current();
    let observe = {
        let (begun, dropped) = (Arc::clone(&begun), Arc::clone(&dropped));
        move |event| {
            if matches!(event, ExportEvent::Planned { .. }) {
                begun.notify_one();
                tokio::task::block_in_place(|| handle.block_on(dropped.notified()));
            }
        }
    };
    let options = ExportOptions { observe: Arc::new(observe), ..ExportOptions::default() };
    let disk = MemDisk::new();
    let sweeper = tokio::spawn({
        let repository = repository.clone();
        async move {
            begun.notified().await;
            repository.drop_snapshot("first", None).await.unwrap();
            sweep(&repository).await;
            dropped.notify_one();
        }
    });
    let (asked, out, never) = (request(&[], &[]), target(&disk), CancellationToken::new());
    let exported = export(&repository, &asked, &out, &options, &never).await;
    sweeper.await.unwrap();
    check(&world, shop, &disk, &exported.unwrap()).await;
    assert_eq!(repository.sessions().await.unwrap(), []);
    assert!(sweep(&repository).await > 0, "kept until then");
}

#[test]
fn an_export_can_be_spawned() {
    fn sendable<T: Send>(_: &T) {}
    let world = async || {
        let world = World::open(&Disks::new()).await;
        let (repository, request, target) = (world.repository().await, request(&[], &[]), target(&MemDisk::new()));
        let (options, stop) = (ExportOptions::default(), CancellationToken::new());
        let work = export(&repository, &request, &target, &options, &stop);
        sendable(&work);
    };
    drop(world());
}

/// Tables whose rows of equal keys become one: `sums` adds LARGEINTs up, `last` keeps the last note.
fn merging_tables() -> [TableRecord; 2] {
    let value = |name, data_type, aggregation| ColumnRecord { aggregation, ..column(name, data_type, false, true) };
    let made = |name: &str, model, value: ColumnRecord| TableRecord {
        name: name.into(),
        model,
        columns: vec![column("id", "BIGINT", true, false), value],
        ..orders_table()
    };
    let sum = Some(AggregationRecord::Sum);
    [
        made("sums", KeyModelRecord::Aggregate, value("n", "LARGEINT", sum)),
        made("last", KeyModelRecord::Unique, value("note", "VARCHAR(50)", None)),
    ]
}

fn rows_of(table: &TableRecord, ids: &[i64], value: i64) -> crate::world::Rows {
    let fields = schema::tablet_schema(table).unwrap().arrow();
    let values = ids.iter().map(|id| value * 100 + id);
    let values: ArrayRef = if table.name == "sums" {
        let numbers = Decimal256Array::from_iter_values(values.map(|value| i256::from_i128(value.into())));
        Arc::new(numbers.with_precision_and_scale(39, 0).unwrap())
    } else {
        Arc::new(StringArray::from_iter_values(values.map(|value| format!("n{value}"))))
    };
    let ids: ArrayRef = Arc::new(Int64Array::from_iter_values(ids.iter().copied()));
    crate::world::Rows(RecordBatch::try_new(fields, vec![ids, values]).unwrap())
}

/// Three loads that have keys in common, and keys of their own far away.
async fn merging_shop(world: &World) -> DatabaseId {
    world.create_repository().await;
    let shop = world.create_database("shop").await;
    for table in merging_tables() {
        world.create_table(shop, table.clone(), &[("all", BoundsRecord::All, 2)]).await;
        for load in 1..4 {
            let ids = [1, 2, 2 + load, 1000 * load, 1000 * load + 1];
            world.load(shop, &table.name, &rows_of(&table, &ids, load)).await.unwrap();
        }
    }
    shop
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_that_become_one_are_exported_as_one() {
    let world = World::open(&Disks::new()).await;
    let shop = merging_shop(&world).await;
    assert_eq!(world.fingerprint(shop, "last").await.rows, 11);
    world.backup(shop, "first").await;
    let disk = MemDisk::new();
    let exported = run(&world, &disk, &request(&[], &[])).await.unwrap();
    check(&world, shop, &disk, &exported).await;
    assert!(exported.tables.iter().all(|table| table.rows == 11), "{exported:?}");
    let left =
        files(&disk, "out").into_iter().find(|path| !path.ends_with(".parquet") && !path.ends_with("_schema.sql"));
    assert_eq!(left, None, "no file of the work is left");
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_that_become_one_are_restored_as_they_were() {
    let world = World::open(&Disks::new()).await;
    let shop = merging_shop(&world).await;
    let cut = world.contents(shop).await;
    world.backup(shop, "first").await;
    for table in merging_tables() {
        world.load(shop, &table.name, &rows_of(&table, &[1, 5, 77], 9)).await.unwrap();
    }
    assert_ne!(world.contents(shop).await, cut);
    let job = world.restore("first", None, catalog::records::job::Objects::All).await;
    assert_eq!(job.state_name(), "FINISHED", "{}", job.status);
    assert_eq!(world.contents(shop).await, cut);
    let job = world.restore("first", Some("copy"), catalog::records::job::Objects::All).await;
    assert_eq!(job.state_name(), "FINISHED", "{}", job.status);
    let copy = world.catalog.database("copy", catalog::At::Latest).await.unwrap().unwrap().id;
    assert_eq!(world.contents(copy).await, cut);
    // A record of such a table is one that older programs refuse.
    let table = world.catalog.table(copy, "sums", catalog::At::Latest).await.unwrap().unwrap();
    assert_eq!(catalog::Record::format(&table.record), 2);
    world.nothing_is_left().await;
}
