use crate::world::{Disks, World, change_shop, orders, shop};
use catalog::{At, keys};
use env::rt::Duration;
use snapshot::{JobKind, ObjectSpec, Objects};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

#[tokio::test(flavor = "multi_thread")]
async fn a_database_comes_back_as_it_was_at_the_cut() {
    let world = World::open(&Disks::new()).await;
    let shop = shop(&world).await;
    let cut = world.contents(shop).await;
    let job = world.backup(shop, "first").await;
    assert_eq!(job.state_name(), "FINISHED", "{}", job.status);
    assert_eq!((job.counts.tables, job.counts.partitions, job.counts.tablets), (3, 6, 11));
    assert!(job.counts.bytes > 0 && job.counts.bytes_sent == job.counts.bytes);
    assert_eq!(job.objects_text, "[shop.events], [shop.orders], [shop.places]");
    world.nothing_is_left().await;

    change_shop(&world, shop, 1).await;
    assert_ne!(world.contents(shop).await, cut);
    let job = world.restore("first", None, Objects::All).await;
    assert_eq!(job.state_name(), "FINISHED", "{}", job.status);
    assert_eq!(world.contents(shop).await, cut);
    world.nothing_is_left().await;
    // What is restored is an ordinary table.
    world.load(shop, "orders", &orders([(1, "again".to_owned())])).await.unwrap();
    assert_eq!(world.fingerprint(shop, "orders").await.rows, 300);
    let world = World::open(&world.close().await).await;
    assert_eq!(world.fingerprint(shop, "orders").await.rows, 300);
    assert_eq!(world.fingerprint(shop, "events").await, cut["events"]);
    world.nothing_is_left().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn loads_go_on_while_a_backup_runs_and_all_tables_are_of_one_revision() {
    let world = Arc::new(World::open(&Disks::new()).await);
    let shop = shop(&world).await;
    let stop = Arc::new(AtomicBool::new(false));
    // Each round changes orders first and places after it.
    let loader = tokio::spawn({
        let (world, stop) = (Arc::clone(&world), Arc::clone(&stop));
        async move {
            let mut round = 0;
            while !stop.load(Ordering::Relaxed) {
                round += 1;
                change_shop(&world, shop, round).await;
            }
            round
        }
    });
    for number in 0..4 {
        tokio::time::sleep(Duration::from_millis(30)).await;
        let job = world.backup(shop, &format!("label-{number}")).await;
        assert_eq!(job.state_name(), "FINISHED", "{}", job.status);
    }
    stop.store(true, Ordering::Relaxed);
    let rounds = loader.await.unwrap();
    assert!(rounds > 3, "no load went on while backups ran");
    for number in 0..4 {
        let name = format!("copy_{number}");
        let job = world.restore(&format!("label-{number}"), Some(&name), Objects::All).await;
        assert_eq!(job.state_name(), "FINISHED", "{}", job.status);
        let copy = world.database(&name).await;
        assert_eq!(world.fingerprint(copy, "orders").await.rows, 300);
        // Rounds are loaded table by table: a later table is at most one round behind, never ahead.
        let events = (world.fingerprint(copy, "events").await.rows - 80) / 9;
        let places = world.fingerprint(copy, "places").await.rows - 3;
        assert!(places == events || places + 1 == events, "{events} rounds of events, {places} of places");
    }
    world.nothing_is_left().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_backup_sends_only_what_changed() {
    let world = World::open(&Disks::new()).await;
    let shop = shop(&world).await;
    let first = world.backup(shop, "first").await;
    let second = world.backup(shop, "second").await;
    assert_eq!((second.counts.bytes, second.counts.bytes_sent), (first.counts.bytes, 0));
    world.load(shop, "orders", &orders([(5, "new".to_owned())])).await.unwrap();
    let third = world.backup(shop, "third").await;
    assert!(third.counts.bytes_sent > 0 && third.counts.bytes_sent < first.counts.bytes / 2, "{:?}", third.counts);
    world.nothing_is_left().await;
    let job = world.restore("third", Some("copy"), Objects::All).await;
    assert_eq!(job.state_name(), "FINISHED", "{}", job.status);
    assert_eq!(world.contents(world.database("copy").await).await, world.contents(shop).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn listed_partitions_are_all_that_is_taken() {
    let world = World::open(&Disks::new()).await;
    let shop = shop(&world).await;
    let mut request = crate::world::backup_of(shop, "part");
    let spec =
        |table: &str, partitions: Option<Vec<String>>| ObjectSpec { table: table.into(), partitions, alias: None };
    request.objects = Objects::Listed(vec![spec("events", Some(vec!["p3".into(), "p1".into()])), spec("places", None)]);
    let id = world.jobs.submit_backup(request).await.unwrap();
    let job = world.end(id).await;
    assert_eq!(job.state_name(), "FINISHED", "{}", job.status);
    assert_eq!(job.objects_text, "[shop.events PARTITIONS (p1, p3)], [shop.places]");
    let repository = world.repository().await;
    let usage = repository.usage(&env::rt::CancellationToken::new()).await.unwrap();
    let row = snapshot::view::detailed_snapshot(&repository, "part", &job.timestamp, Some(&usage)).await;
    let details = row[3].1.clone().unwrap();
    assert_eq!(row[4].1.as_deref(), Some("OK"));
    assert!(details.starts_with("{\n \"backup_objects\""), "{details}");
    let details: serde_json::Value = serde_json::from_str(&details).unwrap();
    assert_eq!(details["backup_objects"]["events"]["partitions"], serde_json::json!(["p1", "p3"]));
    assert_eq!(details["unique_bytes"].as_u64(), Some(usage.snapshots[0].unique_bytes), "{details}");
    assert_eq!(details["freed_if_dropped"].as_u64(), Some(usage.freed_by(&["part"])));
    assert!(details["backup_objects"].get("orders").is_none());
    world.nothing_is_left().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_views_have_their_columns_and_the_history_is_kept() {
    let world = World::open(&Disks::new()).await;
    let shop = shop(&world).await;
    assert_eq!(world.jobs.last(shop, JobKind::Backup).await.unwrap(), None);
    let first = world.backup(shop, "first").await;
    world.backup(shop, "second").await;
    world.restore("first", None, Objects::All).await;
    let row = world.jobs.last(shop, JobKind::Backup).await.unwrap().unwrap().columns();
    let names: Vec<&str> = row.iter().map(|(name, _)| *name).collect();
    assert_eq!(
        names,
        [
            "JobId",
            "SnapshotName",
            "DbName",
            "State",
            "BackupObjs",
            "CreateTime",
            "SnapshotFinishedTime",
            "UploadFinishedTime",
            "FinishedTime",
            "UnfinishedTasks",
            "Progress",
            "TaskErrMsg",
            "Status",
            "Timeout"
        ]
    );
    assert_eq!(row[1].1.as_deref(), Some("second"));
    assert_eq!(row[12].1.as_deref(), Some("[OK]"));
    assert!(row[5..9].iter().all(|(_, time)| time.as_ref().is_some_and(|time| time.len() == 19)), "{row:?}");
    let row = world.jobs.last(shop, JobKind::Restore).await.unwrap().unwrap().columns();
    let names: Vec<&str> = row.iter().map(|(name, _)| *name).collect();
    assert_eq!(
        names,
        [
            "JobId",
            "Label",
            "Timestamp",
            "DbName",
            "State",
            "AllowLoad",
            "ReplicationNum",
            "RestoreObjs",
            "CreateTime",
            "MetaPreparedTime",
            "SnapshotFinishedTime",
            "DownloadFinishedTime",
            "FinishedTime",
            "UnfinishedTasks",
            "Progress",
            "TaskErrMsg",
            "Status",
            "Timeout"
        ]
    );
    assert_eq!(row[7].1.as_deref(), Some("events PARTITIONS [p1, p2, p3], orders, places PARTITIONS [north, south]"));
    assert_eq!(world.jobs.history(shop).await.unwrap().len(), 3);
    let progress = world.jobs.progress(first.id).await.unwrap();
    assert!(progress.done && progress.bytes_done == progress.bytes_total && progress.bytes_total > 0);
    let snapshots = world.repository().await.snapshots().await.unwrap();
    let rows = snapshot::view::brief_snapshots(&snapshots, None);
    assert_eq!(rows.len(), 2);
    let first_row = vec![
        ("Snapshot", Some("first".to_owned())),
        ("Timestamp", Some(first.timestamp)),
        ("Status", Some("OK".to_owned())),
    ];
    assert_eq!(rows[0], first_row);
    let missing = snapshot::view::brief_snapshots(&snapshots, Some(&["nope".to_owned()]));
    assert_eq!(missing[0][2].1.as_deref(), Some("ERROR: no snapshot"));
}

#[tokio::test(flavor = "multi_thread")]
async fn old_jobs_are_forgotten_after_their_time_but_for_the_last_good_backup() {
    let disks = Disks::new();
    let world = World::open(&disks).await;
    let shop = shop(&world).await;
    let job = world.backup(shop, "first").await;
    let last = world.backup(shop, "second").await;
    let disks = world.close().await;
    let options = snapshot::Options { history_keep: Duration::ZERO, ..crate::world::options() };
    let world = World::open_with(&disks, options, &crate::world::Stop::default()).await;
    for _ in 0..500 {
        if world.catalog.store().get(&keys::job(job.id), At::Latest).await.unwrap().is_none() {
            assert_eq!(world.jobs.get(last.id).await.unwrap().label, "second");
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("the job is still there");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_after_a_restore_sends_only_what_changed_since() {
    let world = World::open(&Disks::new()).await;
    let shop = shop(&world).await;
    let first = world.backup(shop, "first").await;
    assert_eq!(world.restore("first", None, Objects::All).await.state_name(), "FINISHED");
    let second = world.backup(shop, "second").await;
    assert_eq!(second.counts.bytes, first.counts.bytes);
    // Delete vectors are known by their tablet, which is a new one; they are a few bytes.
    assert!(second.counts.bytes_sent * 50 < first.counts.bytes, "{:?}", second.counts);
    world.load(shop, "orders", &orders([(5, "new".to_owned())])).await.unwrap();
    let third = world.backup(shop, "third").await;
    assert!(third.counts.bytes_sent > 0 && third.counts.bytes_sent < first.counts.bytes / 2, "{:?}", third.counts);
    world.nothing_is_left().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_jobs_record_does_not_grow_with_the_tablets() {
    let options = snapshot::Options { task_sizes: snapshot::plan::TaskSizes::default(), ..crate::world::options() };
    let world = World::open_with(&Disks::new(), options, &crate::world::Stop::default()).await;
    world.create_repository().await;
    let many = world.create_database("many").await;
    world
        .create_table(many, crate::world::orders_table(), &[("orders", catalog::records::BoundsRecord::All, 2_500)])
        .await;
    world.load(many, "orders", &orders((0..100).map(|id| (id, "x".to_owned())))).await.unwrap();
    let rows = world.fingerprint(many, "orders").await;
    let job = world.backup(many, "label").await;
    assert_eq!((job.state_name(), job.counts.tablets), ("FINISHED", 2_500), "{}", job.status);
    assert!(catalog::record::encode(&job).unwrap().len() < 2_000);
    let job = world.restore("label", Some("copy"), Objects::All).await;
    assert_eq!((job.state_name(), job.counts.tablets), ("FINISHED", 2_500), "{}", job.status);
    assert!(catalog::record::encode(&job).unwrap().len() < 2_000);
    assert_eq!(world.fingerprint(world.database("copy").await, "orders").await, rows);
    world.nothing_is_left().await;
}
