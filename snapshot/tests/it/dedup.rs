//! What a backup sends when little has changed, and files were rewritten all the same.

use crate::world::{Disks, World, events, events_table, month, orders, orders_table};
use catalog::At;
use catalog::records::{BoundsRecord, PartitionRecord};
use env::ids::DatabaseId;
use snapshot::Objects;
use std::collections::BTreeSet;

const DAYS: i32 = 100;

/// A text that does not compress.
fn noise(seed: i64) -> String {
    let mut rng = fastrand::Rng::with_seed(seed.unsigned_abs());
    (0..300).map(|_| rng.alphanumeric()).collect()
}

/// A table with a partition for each of 100 days and a Primary Key table of 30 buckets, both made by several loads.
async fn filled(world: &World) -> DatabaseId {
    world.create_repository().await;
    let shop = world.create_database("shop").await;
    let names: Vec<String> = (0..=DAYS).map(|day| format!("p{day}")).collect();
    let first = jiff::civil::date(2026, 1, 1);
    let dates: Vec<String> = (0..=DAYS).map(|day| (first + jiff::Span::new().days(day)).to_string()).collect();
    let days: Vec<(&str, BoundsRecord, u32)> =
        names.iter().zip(dates.windows(2)).map(|(name, span)| (name.as_str(), month(&span[0], &span[1]), 1)).collect();
    world.create_table(shop, events_table(), &days).await;
    let orders_table = catalog::records::TableRecord {
        columns: vec![
            crate::world::column("id", "BIGINT", true, false),
            crate::world::column("note", "STRING", false, true),
        ],
        ..orders_table()
    };
    world.create_table(shop, orders_table, &[("orders", BoundsRecord::All, 30)]).await;
    for load in 0..3 {
        let rows = (0..DAYS * 20).map(|row| (row % DAYS, noise(i64::from(load * 10_000 + row))));
        world.load(shop, "events", &events(rows)).await.unwrap();
        let rows = (0..600_i64).map(|row| (row * i64::from(load + 1), noise(100_000 + row)));
        world.load(shop, "orders", &orders(rows)).await.unwrap();
    }
    shop
}

/// Merges the rowsets of all tablets.
async fn compact_all(world: &World, shop: DatabaseId) -> usize {
    let mut compacted = 0;
    for table in world.catalog.tables(shop, At::Latest).await.unwrap() {
        let partitions = world.catalog.partitions(&table, At::Latest).await.unwrap();
        let live: BTreeSet<_> =
            partitions.iter().map(|partition: &catalog::Stored<PartitionRecord>| partition.id).collect();
        for partition in live {
            for tablet in world.catalog.tablets(partition, At::Latest).await.unwrap() {
                compacted += usize::from(world.store.compact(tablet.id).await.unwrap());
            }
        }
    }
    compacted
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_after_one_percent_has_changed_sends_one_percent_whatever_was_compacted() {
    let world = World::open(&Disks::new()).await;
    let shop = filled(&world).await;
    let first = world.backup(shop, "first").await;
    assert_eq!(first.state_name(), "FINISHED", "{}", first.status);
    assert!(first.counts.bytes > 1_500_000 && first.counts.bytes_sent == first.counts.bytes, "{:?}", first.counts);

    // One of the hundred days, one of the thirty buckets; every load makes a version of the whole partition.
    assert!(compact_all(&world, shop).await >= 120, "files were rewritten");
    world.load(shop, "events", &events((0..20).map(|row| (7, noise(500_000 + row))))).await.unwrap();
    world.load(shop, "orders", &orders([(5, "changed".to_owned())])).await.unwrap();
    world.store.reclaim().await.unwrap();
    let cut = world.contents(shop).await;
    let second = world.backup(shop, "second").await;
    assert_eq!(second.state_name(), "FINISHED", "{}", second.status);
    let percent = second.counts.bytes_sent as f64 * 100.0 / first.counts.bytes as f64;
    assert!(percent > 0.1 && percent < 3.0, "{percent} % sent: {:?}", second.counts);
    let summary = world.repository().await.snapshot("second", None).await.unwrap().unwrap();
    assert_eq!((summary.files, summary.bytes), (second.counts.files, second.counts.bytes));
    assert_eq!(summary.bytes_sent, second.counts.bytes_sent);

    // The second snapshot stands for itself, although most of it was the first one's.
    let repository = world.repository().await;
    repository.drop_snapshot("first", None).await.unwrap();
    let plan = repository.sweep_plan(&repository::no_progress()).await.unwrap();
    repository.sweep(&plan, &repository::no_progress()).await.unwrap();
    let job = world.restore("second", Some("copy"), Objects::All).await;
    assert_eq!(job.state_name(), "FINISHED", "{}", job.status);
    assert_eq!(world.contents(world.database("copy").await).await, cut);

    // What was restored has the snapshot's lineage, through compactions too, until it changes.
    let job = world.restore("second", None, Objects::All).await;
    assert_eq!(job.state_name(), "FINISHED", "{}", job.status);
    compact_all(&world, shop).await;
    let third = world.backup(shop, "third").await;
    assert_eq!((third.counts.bytes_sent, third.counts.bytes), (0, second.counts.bytes));
    world.load(shop, "events", &events([(7, "one more".to_owned())])).await.unwrap();
    let fourth = world.backup(shop, "fourth").await;
    assert!(fourth.counts.bytes_sent > 0 && fourth.counts.bytes_sent * 50 < first.counts.bytes, "{:?}", fourth.counts);
    // The drop's own page of the index was superseded by the commits since.
    let plan = repository.sweep_plan(&repository::no_progress()).await.unwrap();
    repository.sweep(&plan, &repository::no_progress()).await.unwrap();
    world.nothing_is_left().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_copies_of_a_snapshot_that_go_their_own_ways_are_told_apart() {
    let world = World::open(&Disks::new()).await;
    let shop = filled(&world).await;
    world.backup(shop, "base").await;
    // The same statement in both, then a merge: only the lineage could tell them apart, or confuse them.
    let mut contents = Vec::new();
    for label in ["one", "two"] {
        let job = world.restore("base", None, Objects::All).await;
        assert_eq!(job.state_name(), "FINISHED", "{}", job.status);
        world.load(shop, "orders", &orders([(5, format!("changed by {label}"))])).await.unwrap();
        compact_all(&world, shop).await;
        contents.push(world.contents(shop).await);
        let job = world.backup(shop, label).await;
        assert!(job.counts.bytes_sent > 0, "{:?}", job.counts);
    }
    assert_ne!(contents[0], contents[1]);
    for (label, contents) in ["one", "two"].into_iter().zip(contents) {
        let job = world.restore(label, None, Objects::All).await;
        assert_eq!(job.state_name(), "FINISHED", "{}", job.status);
        assert_eq!(world.contents(shop).await, contents);
    }
}
