//! A repository's whole life on every place that keeps the promises.

use crate::place::{Place, servers};
use crate::reachable::{listed, no_garbage_and_nothing_lost, reachable, sweep};
use crate::support::*;
use env::rt::CancellationToken;
use repository::probe::{Promised, probe};
use repository::{CreateOptions, Purpose, Repository, Session, StreamOptions};
use std::collections::BTreeSet;

/// Parts as small as S3 allows.
pub fn s3_options() -> StreamOptions {
    StreamOptions { part_bytes: 5 << 20, ..options() }
}

async fn written(session: &Session, label: &str, world: &World, created_ms: u64) -> Written {
    let database = Database { cluster: "east", name: "shop", created_ms, options: s3_options() };
    upload_of(&database, session, label, &[(TABLE, "events", world)], &CancellationToken::new()).await.unwrap()
}

async fn life(place: &Place) {
    let store = place.store();
    let profile = Some(probe(&store).await.unwrap());
    // Who is alone can do without create-if-absent.
    let single_writer = !place.is_honest();
    let options = CreateOptions { name: "life".into(), now_ms: 1, profile, single_writer };
    let repository = Repository::create_with(place.store(), options).await.unwrap();

    // Files of three parts, files in packs, empty files.
    let mut world = world(3, (11 << 20) + 77);
    let first = session(&repository).await;
    let whole = written(&first, "monday", &world, 1).await;
    first.commit(whole.summary.clone()).await.unwrap();
    assert_eq!(whole.summary.bytes_sent, whole.summary.bytes);

    // A process of another kind finds it, and what it sends is what has changed.
    let other = Repository::open(place.store()).await.unwrap();
    assert_eq!(other.snapshots().await.unwrap(), [whole.summary.clone()]);
    assert_eq!(restore(&other, "monday").await.unwrap(), world, "{}: every byte, with its checksum", place.name);
    let monday = world.clone();
    world.get_mut(&1001).unwrap().insert("9-0.parquet".into(), noise(99, 200_000));
    let second = session(&other).await;
    let changed = written(&second, "tuesday", &world, 2).await;
    second.commit(changed.summary.clone()).await.unwrap();
    assert_eq!((changed.summary.bytes_sent, changed.opened), (200_000, 1), "{}", place.name);

    // One that dies in the middle of its work, and one that is given up.
    let died = session(&repository).await;
    let mut lost = world.clone();
    lost.get_mut(&1002).unwrap().insert("10-0.parquet".into(), noise(100, 6 << 20));
    written(&died, "never", &lost, 3).await;
    let aborted = session(&repository).await;
    written(&aborted, "nor-this", &lost, 3).await;
    aborted.abort().await.unwrap();
    let died = died.id().clone();

    // Dropped and swept while somebody reads it: a reader keeps what it reads.
    let id = other.new_session_id().await.unwrap();
    let reading = other.open_session(&id, Purpose::Restore, "reader", 1).await.unwrap();
    repository.drop_snapshot("monday", None).await.unwrap();
    sweep(&repository).await;
    assert_eq!(restore_of(&other, &whole.summary).await.unwrap(), monday, "{}: kept for its reader", place.name);
    reading.close().await.unwrap();

    repository.fence(&died).await.unwrap();
    let before = listed(&*store).await;
    let swept = sweep(&repository).await;
    let after = listed(&*store).await;
    assert_eq!(before.difference(&after).count() as u64, swept.objects, "{}", place.name);
    assert!(after.is_subset(&before) && swept.objects > 0, "{}: {swept:?}", place.name);
    no_garbage_and_nothing_lost(&*store, repository.generation().await.unwrap().0).await;
    assert_eq!(restore(&other, "tuesday").await.unwrap(), world, "{}: what shares files is whole", place.name);

    repository.drop_snapshot("tuesday", None).await.unwrap();
    sweep(&repository).await;
    let head = repository.check_log().await.unwrap().0;
    no_garbage_and_nothing_lost(&*store, head).await;
    let left: BTreeSet<String> = listed(&*store).await;
    assert!(left.iter().all(|name| name.starts_with("commits/") || name == "repository.json"), "{left:?}");
    assert_eq!(reachable(&*store, head).await, left);
    println!("{} {}: backed up, listed, read back, dropped, swept: no garbage", place.name, place.version);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repository_lives_on_every_honest_place() {
    let dir = tempfile::tempdir().unwrap();
    let mut places = vec![Place::directory(dir.path()), Place::parse("memory - memory:life")];
    let honest = servers("a repository's life").into_iter().filter(Place::is_honest);
    places.extend(honest.map(|place| place.below("life")));
    for place in places {
        life(&place).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_single_writer_needs_no_create_if_absent() {
    let alone = |place: &Place| place.lies() == [Promised::CreateIfAbsent];
    for place in servers("a single writer where create-if-absent is ignored").into_iter().filter(alone) {
        life(&place.below("alone")).await;
    }
}
