//! Disks that run full, the repository's and the node's, after every so many bytes.

use crate::world::{Disks, World, backup_of, change_shop, options, shop};
use env::disk::{Disk, MemDisk};
use env::rt::{CancellationToken, Duration};
use snapshot::{Objects, Options};

/// Lets a disk take `room` more bytes.
fn leave(disk: &MemDisk, room: u64) {
    const LARGE: u64 = 1 << 40;
    disk.limit(Some(LARGE));
    let used = LARGE - disk.free_bytes().unwrap();
    disk.limit(Some(used + room));
}

/// As in a user's life: what the store refuses is not asked for long.
fn impatient() -> Options {
    Options { repository_patience: Duration::from_millis(200), ..options() }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_into_a_full_repository_says_so_and_leaves_the_others_alone() {
    let template = World::open(&Disks::new()).await;
    let shop = shop(&template).await;
    template.backup(shop, "first").await;
    change_shop(&template, shop, 1).await;
    let cut = template.contents(shop).await;
    let template = template.close().await;
    let (mut refused, mut finished) = (0, 0);
    for room in (0..200).map(|step| step * step * 60) {
        if finished > 3 {
            break;
        }
        let world = World::open_with(&template.copy(), impatient(), &crate::world::Stop::default()).await;
        leave(&world.disks.repository, room);
        match world.jobs.submit_backup(backup_of(shop, "second")).await {
            Ok(id) => {
                let job = world.end(id).await;
                if job.state_name() == "FINISHED" {
                    finished += 1;
                } else {
                    refused += 1;
                    let told = job.status.to_string();
                    assert!(told.contains("no space left") || told.contains("full"), "{room}: {told}");
                }
            }
            Err(full) => {
                refused += 1;
                assert_eq!(full.kind(), snapshot::ErrorKind::Full, "{room}: {full}");
            }
        }
        // There is space again: the label is free if the backup was refused, and nothing of it stays.
        world.disks.repository.limit(None);
        if world.repository().await.snapshot("second", None).await.unwrap().is_none() {
            assert_eq!(world.backup(shop, "second").await.state_name(), "FINISHED", "{room}");
        }
        world.jobs.sweep("repo", false, &CancellationToken::new()).await.unwrap();
        let ended: Vec<_> = world.repository().await.sessions().await.unwrap();
        assert_eq!(ended, [], "{room}: sessions");
        change_shop(&world, shop, 2).await;
        assert_eq!(world.restore("second", None, Objects::All).await.state_name(), "FINISHED", "{room}");
        assert_eq!(world.contents(shop).await, cut, "{room}");
        world.nothing_is_left().await;
    }
    assert!(refused > 3 && finished > 3, "{refused} refused, {finished} finished");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restore_onto_a_full_disk_changes_nothing_and_goes_on_when_there_is_space() {
    let template = World::open(&Disks::new()).await;
    let shop = shop(&template).await;
    template.backup(shop, "first").await;
    let cut = template.contents(shop).await;
    change_shop(&template, shop, 1).await;
    let before = template.contents(shop).await;
    assert_ne!(cut, before);
    let template = template.close().await;
    let reserve = catalog::EmbeddedOptions::default().reserve_bytes;
    let (mut cancelled, mut finished) = (0, 0);
    for room in (0..30).map(|step| step * 4_000) {
        let world = World::open_with(&template.copy(), impatient(), &crate::world::Stop::default()).await;
        let request = world.restore_of("first", None, Objects::All).await;
        leave(&world.disks.node, reserve + room);
        let submitted = world.jobs.submit_restore(request).await;
        let id = match submitted {
            Ok(id) => id,
            Err(full) => {
                assert_eq!(full.kind(), snapshot::ErrorKind::Full, "{room}: {full}");
                world.disks.node.limit(None);
                assert_eq!(world.contents(shop).await, before, "{room}");
                world.nothing_is_left().await;
                continue;
            }
        };
        // A disk so full that even the job's end cannot be written down holds it until there is space.
        if world.jobs.wait(id, Duration::from_millis(500)).await.is_err() {
            world.disks.node.limit(None);
        }
        let job = world.jobs.wait(id, crate::world::PATIENCE).await.unwrap();
        world.disks.node.limit(None);
        let job = world.end(job.id).await;
        if job.state_name() == "FINISHED" {
            finished += 1;
            assert_eq!(world.contents(shop).await, cut, "{room}");
        } else {
            cancelled += 1;
            let told = job.status.to_string();
            assert!(told.contains("no space left") || told.contains("full") || told.contains("free"), "{room}: {told}");
            assert_eq!(world.contents(shop).await, before, "{room}");
        }
        world.nothing_is_left().await;
        if job.state_name() == "CANCELLED" {
            assert_eq!(world.restore("first", None, Objects::All).await.state_name(), "FINISHED", "{room}");
            assert_eq!(world.contents(shop).await, cut, "{room}");
        }
    }
    assert!(cancelled + finished > 3, "{cancelled} cancelled, {finished} finished");
}
