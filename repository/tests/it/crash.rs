//! Power cuts at every change of the disk during a backup: the snapshot is there whole or not at all, and what was
//! acknowledged is there.

use crate::support::*;
use env::disk::{Disk, MemDisk};
use env::rt::CancellationToken;
use futures::StreamExt;
use object_store::ObjectStore;
use repository::{Error, LocalStore, Purpose, Repository, SessionId, no_progress};
use std::collections::BTreeMap;
use std::sync::Arc;

async fn open(disk: &MemDisk) -> Result<Repository, Error> {
    Repository::open(Arc::new(LocalStore::new(Arc::new(disk.clone())))).await
}

fn tiny(tablets: u64) -> World {
    let mut world = world(tablets, 70_000);
    // One file large enough to be sent in parts.
    world.get_mut(&1000).unwrap().insert("1-0.parquet".into(), noise(4, (1 << 20) + 17));
    world
}

/// A repository with one snapshot, and the id of a session to come.
async fn prepared() -> (MemDisk, World, SessionId) {
    let disk = MemDisk::new();
    let store: Arc<dyn ObjectStore> = Arc::new(LocalStore::new(Arc::new(disk.clone())));
    let repository = Repository::create(store, "r", 1).await.unwrap();
    let world = tiny(3);
    back_up(&repository, "first", &world).await;
    let id = repository.new_session_id().await.unwrap();
    (disk, world, id)
}

async fn second(disk: &MemDisk, id: &SessionId, world: &World) -> Result<(), Error> {
    let repository = open(disk).await?;
    let session = match repository.open_session(id, Purpose::Backup, "job", 1).await {
        Err(Error::AlreadyCommitted(_)) => return Ok(()),
        opened => opened?,
    };
    let written = upload(&session, "second", world, &CancellationToken::new()).await?;
    session.commit(written.summary).await?;
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_backup_is_there_whole_or_not_at_all_at_every_crash_point() {
    let (disk, first, id) = prepared().await;
    let mut changed = tiny(4);
    changed.get_mut(&1001).unwrap().insert("7-0.parquet".into(), noise(70, 70_000));
    let before = disk.changes();
    second(&disk, &id, &changed).await.unwrap();
    let points = disk.changes() - before;
    assert!(points > 60, "a backup has many crash points: {points}");
    let mut seen = BTreeMap::new();
    let changed = &changed;
    // Side by side, since a dead disk is asked a few times before a process gives up.
    let points = (0..=points).map(|point| crash_at(point, &first, changed));
    let mut points = futures::stream::iter(points).buffer_unordered(32);
    while let Some(found) = points.next().await {
        *seen.entry(found).or_insert(0) += 1;
    }
    assert!(seen.contains_key(&(false, false)) && seen.contains_key(&(false, true)), "{seen:?}");
}

/// Crashes a second backup before the given change; gives whether it was acknowledged and whether it is there.
async fn crash_at(point: u64, first: &World, changed: &World) -> (bool, bool) {
    let (disk, _, id) = prepared().await;
    disk.cut_after(point, point * 31 + 7);
    let acknowledged = second(&disk, &id, changed).await.is_ok();
    let disk = if acknowledged { disk.power_cut(point) } else { disk.reboot() };
    let repository = open(&disk).await.unwrap();
    repository.check_log().await.unwrap();
    assert_eq!(restore(&repository, "first").await.unwrap(), *first, "crash point {point}");
    let there = repository.snapshot("second", None).await.unwrap().is_some();
    assert!(there || !acknowledged, "crash point {point}: acknowledged and gone");
    if there {
        assert_eq!(restore(&repository, "second").await.unwrap(), *changed, "crash point {point}");
    }

    // The next life goes on with the same session, and what it acknowledges survives the next cut.
    second(&disk, &id, changed).await.unwrap();
    let disk = disk.power_cut(point + 1);
    let repository = open(&disk).await.unwrap();
    assert_eq!(restore(&repository, "second").await.unwrap(), *changed, "crash point {point}, resumed");
    assert_eq!(repository.check_log().await.unwrap().0, 4);
    // Nothing is left that nobody owns.
    let plan = repository.sweep_plan(&no_progress()).await.unwrap();
    repository.sweep(&plan, &no_progress()).await.unwrap();
    assert_eq!(restore(&repository, "first").await.unwrap(), *first);
    assert_eq!(restore(&repository, "second").await.unwrap(), *changed);
    assert_eq!(disk.list(".uploads").unwrap(), [], "crash point {point}");
    (acknowledged, there)
}

#[tokio::test(start_paused = true)]
async fn a_process_that_dies_without_a_power_cut_leaves_what_the_next_may_build_on() {
    // The first life is dropped at a point of its own work, nothing is synced behind its back; the second resumes and
    // commits; then the power fails. Names that the first had linked and not synced must be there.
    for changes in (0..400).step_by(7) {
        let (disk, _, id) = prepared().await;
        let world = tiny(5);
        let killed = {
            let disk = disk.clone();
            let until = disk.changes() + changes;
            let (id, world) = (id.clone(), world.clone());
            async move {
                let work = second(&disk, &id, &world);
                let watch = async {
                    while disk.changes() < until {
                        env::rt::yield_now().await;
                    }
                };
                env::select! {
                    () = watch => {}
                    done = work => done.unwrap(),
                }
            }
        };
        killed.await;
        second(&disk, &id, &world).await.unwrap();
        let repository = open(&disk.power_cut(changes)).await.unwrap();
        assert_eq!(restore(&repository, "second").await.unwrap(), world, "killed after {changes} changes");
    }
}

#[tokio::test(start_paused = true)]
async fn creating_a_repository_survives_a_crash_at_every_point() {
    for point in 0.. {
        let disk = MemDisk::new();
        disk.cut_after(point, point);
        let store: Arc<dyn ObjectStore> = Arc::new(LocalStore::new(Arc::new(disk.clone())));
        let done = Repository::create(store, "r", 1).await.is_ok();
        let disk = if done { disk.power_cut(point) } else { disk.reboot() };
        let found = open(&disk).await;
        assert!(found.is_ok() || !done, "crash point {point}: {found:?}");
        let store: Arc<dyn ObjectStore> = Arc::new(LocalStore::new(Arc::new(disk)));
        let repository = Repository::create(store, "r", 2).await.unwrap();
        repository.check_log().await.unwrap();
        if done {
            assert!(point > 10);
            return;
        }
    }
}
