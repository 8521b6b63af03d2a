use crate::world::{Disks, Stop, World, change_shop, events, events_table, month, options, orders, orders_table, shop};
use catalog::At;
use catalog::records::{BoundsRecord, PartitionState, Recycled, TableRecord};
use snapshot::{ObjectSpec, Objects};

fn spec(table: &str, partitions: Option<&[&str]>, alias: Option<&str>) -> ObjectSpec {
    let partitions = partitions.map(|names| names.iter().map(|name| (*name).to_owned()).collect());
    ObjectSpec { table: table.into(), partitions, alias: alias.map(str::to_owned) }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_database_appears_only_with_its_data() {
    let disks = Disks::new();
    let world = World::open(&disks).await;
    let shop = shop(&world).await;
    let cut = world.contents(shop).await;
    world.backup(shop, "first").await;
    let disks = world.close().await;

    let stop = Stop::at("restore.commit");
    let world = World::open_with(&disks, options(), &stop).await;
    let request = world.restore_of("first", Some("copy"), Objects::All).await;
    let id = world.jobs.submit_restore(request.clone()).await.unwrap();
    stop.reached().await;
    assert!(world.catalog.database("copy", At::Latest).await.unwrap().is_none());
    let reserved = world.jobs.database("copy").await.unwrap().unwrap();
    assert!(world.jobs.last(reserved, snapshot::JobKind::Restore).await.unwrap().is_some());
    let second = world.jobs.submit_restore(request).await.unwrap_err().to_string();
    assert!(second.contains("database copy has a running restore job"), "{second}");

    let world = World::open(&world.crash(3)).await;
    let job = world.end(id).await;
    assert_eq!(job.state_name(), "FINISHED", "{}", job.status);
    let copy = world.database("copy").await;
    assert_eq!(copy, reserved);
    assert_eq!(world.contents(copy).await, cut);
    assert_eq!(world.contents(shop).await, cut);
    world.nothing_is_left().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_under_restore_is_read_and_not_changed() {
    let world = World::open(&Disks::new()).await;
    let shop = shop(&world).await;
    world.backup(shop, "first").await;
    change_shop(&world, shop, 1).await;
    let before = world.contents(shop).await;
    let stop = Stop::at("restore.downloading.done");
    let world = World::open_with(&world.close().await, options(), &stop).await;
    let objects = Objects::Listed(vec![spec("orders", None, None)]);
    let request = world.restore_of("first", None, objects).await;
    let id = world.jobs.submit_restore(request).await.unwrap();
    stop.reached().await;
    assert_eq!(world.contents(shop).await, before);
    let refused = world.load(shop, "orders", &orders([(1, "x".to_owned())])).await.unwrap_err();
    assert_eq!(refused, format!("table orders is being restored by job {id} from snapshot first"));
    world.load(shop, "events", &events([(1, "x".to_owned())])).await.unwrap();
    let world = World::open(&world.crash(1)).await;
    assert_eq!(world.end(id).await.state_name(), "FINISHED");
    world.load(shop, "orders", &orders([(1, "x".to_owned())])).await.unwrap();
    world.nothing_is_left().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_overwritten_goes_to_the_recycle_bin() {
    let world = World::open(&Disks::new()).await;
    let shop = shop(&world).await;
    world.backup(shop, "first").await;
    change_shop(&world, shop, 1).await;
    let before = world.contents(shop).await;
    let objects = Objects::Listed(vec![spec("events", Some(&["p2"]), None)]);
    let job = world.restore("first", None, objects).await;
    assert_eq!(job.state_name(), "FINISHED", "{}", job.status);
    assert_eq!(job.objects_text, "events PARTITIONS [p2]");
    let recycled = world.catalog.recycled(At::Latest).await.unwrap();
    assert_eq!(recycled.len(), 1);
    let Recycled::Overwritten { job: by, table, .. } = &recycled[0].what else { panic!("{recycled:?}") };
    assert_eq!((*by, table.name.as_str()), (job.id, "events"));
    let names: Vec<&str> = table.partitions.iter().map(|entry| entry.name.as_str()).collect();
    assert_eq!(names, ["p2"]);
    // The old rows can still be read under their old ids.
    let key = catalog::keys::partition(table.id, table.partitions[0].id);
    let old = world.catalog.get::<catalog::records::PartitionRecord>(&key, At::Latest).await.unwrap().unwrap();
    assert_eq!(old.state, PartitionState::Recycled);
    assert!(world.partition_fingerprint(&old).await.rows > 28);
    let after = world.contents(shop).await;
    assert_eq!(after["orders"], before["orders"]);
    assert_eq!(after["places"], before["places"]);
    assert_eq!(after["events"].rows, before["events"].rows - 3, "p2 alone is as it was");
    world.nothing_is_left().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn local_partitions_are_kept_missing_ones_are_added_and_bucket_counts_follow_the_snapshot() {
    let world = World::open(&Disks::new()).await;
    let shop = shop(&world).await;
    let cut = world.contents(shop).await;
    world.backup(shop, "first").await;
    let other = world.create_database("other").await;
    let months = [("p2", month("2026-02-01", "2026-03-01"), 5), ("p9", month("2026-09-01", "2026-10-01"), 1)];
    world.create_table(other, events_table(), &months).await;
    let september = 250;
    world.load(other, "events", &events([(september, "kept".to_owned()), (40, "replaced".to_owned())])).await.unwrap();
    let job = world.restore("first", Some("other"), Objects::Listed(vec![spec("events", None, None)])).await;
    assert_eq!(job.state_name(), "FINISHED", "{}", job.status);
    let table = world.catalog.table(other, "events", At::Latest).await.unwrap().unwrap();
    let partitions: Vec<(&str, u32)> =
        table.partitions.iter().map(|entry| (entry.name.as_str(), entry.buckets)).collect();
    assert_eq!(partitions, [("p2", 2), ("p9", 1), ("p1", 2), ("p3", 2)]);
    assert_eq!(world.fingerprint(other, "events").await.rows, cut["events"].rows + 1);
    world.load(other, "events", &events([(september, "more".to_owned()), (3, "more".to_owned())])).await.unwrap();
    world.nothing_is_left().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_alias_makes_a_new_table_or_overwrites_one_of_the_same_structure() {
    let world = World::open(&Disks::new()).await;
    let shop = shop(&world).await;
    let cut = world.contents(shop).await;
    world.backup(shop, "first").await;
    change_shop(&world, shop, 1).await;
    let changed = world.contents(shop).await;
    let objects = || {
        Objects::Listed(vec![spec("orders", None, Some("orders_old")), spec("events", Some(&["p1"]), Some("january"))])
    };
    let job = world.restore("first", None, objects()).await;
    assert_eq!(job.state_name(), "FINISHED", "{}", job.status);
    let after = world.contents(shop).await;
    assert_eq!(after["orders"], changed["orders"]);
    assert_eq!(after["orders_old"], cut["orders"]);
    assert_eq!(after["january"].rows, 31);
    let made: TableRecord = world.catalog.table(shop, "orders_old", At::Latest).await.unwrap().unwrap().record;
    assert_eq!(made.partitions[0].name, "orders_old", "the only partition is named like its table");
    // Again, over what is there now.
    world.load(shop, "orders_old", &orders([(1, "x".to_owned())])).await.unwrap();
    let job = world.restore("first", None, objects()).await;
    assert_eq!(job.state_name(), "FINISHED", "{}", job.status);
    assert_eq!(world.contents(shop).await, after);
    world.nothing_is_left().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_difference_is_told_in_one_error_and_nothing_is_changed() {
    let world = World::open(&Disks::new()).await;
    let shop = shop(&world).await;
    world.backup(shop, "first").await;
    let other = world.create_database("other").await;
    let mut odd = orders_table();
    odd.columns[1].data_type = "VARCHAR(60)".into();
    world.create_table(other, odd, &[("orders", BoundsRecord::All, 3)]).await;
    let months = [("p1", month("2026-01-01", "2026-01-15"), 2), ("q", month("2026-02-10", "2026-03-05"), 1)];
    world.create_table(other, events_table(), &months).await;
    let request = world.restore_of("first", Some("other"), Objects::All).await;
    let failed = world.jobs.submit_restore(request).await.unwrap_err();
    assert_eq!(failed.kind(), snapshot::ErrorKind::Invalid);
    let text = failed.to_string();
    for part in [
        "column 2 is note VARCHAR(60) NULL here, note VARCHAR(50) NULL in the snapshot",
        "partition p1 of table events has a different range: [(2026-01-01), (2026-01-15)) here, [(2026-01-01), (2026-02-01)) in the snapshot",
        "partition p2 of table events conflicts with existing ranges",
        "partition p3 of table events conflicts with existing ranges",
    ] {
        assert!(text.contains(part), "{part:?} is not in {text:?}");
    }
    assert!(world.all_jobs().await.iter().all(|job| job.label == "first" && job.kind() == snapshot::JobKind::Backup));
    world.nothing_is_left().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_that_is_taken_while_a_restore_runs_ends_it_with_the_reason() {
    let world = World::open(&Disks::new()).await;
    let shop = shop(&world).await;
    world.backup(shop, "first").await;
    let stop = Stop::at("restore.commit");
    let world = World::open_with(&world.close().await, options(), &stop).await;
    let objects = Objects::Listed(vec![spec("orders", None, Some("later")), spec("places", None, None)]);
    let request = world.restore_of("first", None, objects).await;
    let id = world.jobs.submit_restore(request).await.unwrap();
    stop.reached().await;
    let table = TableRecord { name: "later".into(), ..events_table() };
    world.create_table(shop, table, &[("p1", month("2026-01-01", "2026-02-01"), 1)]).await;
    let before = world.contents(shop).await;
    let world = World::open(&world.crash(9)).await;
    let job = world.end(id).await;
    assert_eq!(job.state_name(), "CANCELLED");
    assert!(job.status.message.contains("table later was made while the restore ran"), "{}", job.status);
    assert_eq!(world.contents(shop).await, before);
    world.nothing_is_left().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restore_survives_a_restart_right_after_it() {
    let world = World::open(&Disks::new()).await;
    let shop = shop(&world).await;
    let cut = world.contents(shop).await;
    world.backup(shop, "first").await;
    change_shop(&world, shop, 1).await;
    let request = world.restore_of("first", None, Objects::All).await;
    let id = world.jobs.submit_restore(request).await.unwrap();
    world.jobs.wait(id, crate::world::PATIENCE).await.unwrap();
    let world = World::open(&world.crash(5)).await;
    assert_eq!(world.end(id).await.state_name(), "FINISHED");
    assert_eq!(world.contents(shop).await, cut);
    change_shop(&world, shop, 2).await;
    world.nothing_is_left().await;
}
