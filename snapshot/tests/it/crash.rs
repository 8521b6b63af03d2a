//! The machine loses power at every named point, and at any write in between; what comes back ends every job.

use crate::world::{Disks, Stop, World, backup_of, change_shop, options, orders, shop};
use env::disk::Disk;
use env::rt::Duration;
use snapshot::Objects;

fn points(kind: &str, states: &[&str]) -> Vec<String> {
    states.iter().flat_map(|state| [format!("{kind}.{state}"), format!("{kind}.{state}.done")]).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_goes_on_after_a_power_cut_at_every_point() {
    let template = World::open(&Disks::new()).await;
    let shop = shop(&template).await;
    let cut = template.contents(shop).await;
    let template = template.close().await;
    let states = ["pending", "snapshoting", "upload_snapshot", "uploading", "save_meta", "upload_info", "finished"];
    for (seed, point) in (1..).zip(points("backup", &states)) {
        let stop = Stop::at(&point);
        let world = World::open_with(&template.copy(), options(), &stop).await;
        let id = world.jobs.submit_backup(backup_of(shop, "label")).await.unwrap();
        stop.reached().await;
        let world = World::open(&world.crash(seed)).await;
        let job = world.end(id).await;
        assert_eq!(job.state_name(), "FINISHED", "{point}: {}", job.status);
        assert_eq!(job.id, id, "the id is the same for the job's whole life");
        assert_eq!(world.contents(shop).await, cut, "{point}");
        world.nothing_is_left().await;
        let job = world.restore("label", Some("copy"), Objects::All).await;
        assert_eq!(job.state_name(), "FINISHED", "{point}: {}", job.status);
        assert_eq!(world.contents(world.database("copy").await).await, cut, "{point}");
        world.nothing_is_left().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restore_goes_on_after_a_power_cut_at_every_point() {
    let template = World::open(&Disks::new()).await;
    let shop = shop(&template).await;
    let cut = template.contents(shop).await;
    template.backup(shop, "first").await;
    change_shop(&template, shop, 1).await;
    let changed = template.contents(shop).await;
    let template = template.close().await;
    let states = ["pending", "snapshoting", "download", "downloading", "commit", "committing", "finished"];
    let mut all = points("restore", &states);
    all.push("restore.pending.planned".to_owned());
    for (seed, point) in (1..).zip(all) {
        let stop = Stop::at(&point);
        let world = World::open_with(&template.copy(), options(), &stop).await;
        let request = world.restore_of("first", None, Objects::All).await;
        let id = world.jobs.submit_restore(request).await.unwrap();
        stop.reached().await;
        let switched = point.contains("committing") || point.contains("finished");
        assert_eq!(world.contents(shop).await, if switched { cut.clone() } else { changed.clone() }, "{point}");
        let world = World::open(&world.crash(seed)).await;
        let job = world.end(id).await;
        assert_eq!(job.state_name(), "FINISHED", "{point}: {}", job.status);
        assert_eq!(world.contents(shop).await, cut, "{point}");
        world.load(shop, "orders", &orders([(1, "again".to_owned())])).await.unwrap();
        world.nothing_is_left().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancelled_job_is_cleaned_up_after_a_power_cut() {
    let template = World::open(&Disks::new()).await;
    let shop = shop(&template).await;
    template.backup(shop, "first").await;
    let before = template.contents(shop).await;
    let template = template.close().await;
    for (seed, point) in
        (1..).zip(["backup.cancelled", "backup.cancelled.done", "restore.cancelled", "restore.cancelled.done"])
    {
        // A job far enough to have something to leave behind, ended by its time.
        let stop = Stop::at(if point.starts_with("backup") { "backup.save_meta" } else { "restore.commit" });
        let world = World::open_with(&template.copy(), options(), &stop).await;
        let id = if point.starts_with("backup") {
            world.jobs.submit_backup(backup_of(shop, "label")).await.unwrap()
        } else {
            let request = world.restore_of("first", None, Objects::All).await;
            world.jobs.submit_restore(request).await.unwrap()
        };
        stop.reached().await;
        let later = Stop::at(point);
        let world = World::open_with(&world.crash(seed), options(), &later).await;
        let jobs = world.jobs.clone();
        let cancel = tokio::spawn(async move { jobs.cancel(shop, crate::world::kind_of(point)).await });
        later.reached().await;
        cancel.abort();
        let world = World::open(&world.crash(seed + 100)).await;
        assert_eq!(world.end(id).await.state_name(), "CANCELLED", "{point}");
        assert_eq!(world.contents(shop).await, before);
        world.nothing_is_left().await;
    }
}

/// Power is lost at the n-th change of the node's disk, wherever that is.
#[tokio::test(flavor = "multi_thread")]
async fn jobs_end_after_a_power_cut_at_any_write() {
    let template = World::open(&Disks::new()).await;
    let shop = shop(&template).await;
    let cut = template.contents(shop).await;
    template.backup(shop, "first").await;
    change_shop(&template, shop, 1).await;
    let changed = template.contents(shop).await;
    let template = template.close().await;
    for seed in 1..=40u64 {
        let disks = template.copy();
        let world = World::open(&disks).await;
        let request = world.restore_of("first", None, Objects::All).await;
        disks.node.cut_after(seed * 11, seed);
        let backup = seed % 2 == 0;
        let submitted = if backup {
            world.jobs.submit_backup(backup_of(shop, "label")).await
        } else {
            world.jobs.submit_restore(request).await
        };
        if let Ok(id) = &submitted {
            // The job ends, or the disk does.
            while disks.node.list("").is_ok() && world.jobs.wait(*id, Duration::from_millis(20)).await.is_err() {}
        }
        let after = disks.power_cut(seed + 1);
        drop(world);
        let world = World::open(&after).await;
        for job in world.all_jobs().await {
            let job = world.end(job.id).await;
            assert!(job.is_done());
        }
        let found = world.contents(shop).await;
        let restored = world
            .all_jobs()
            .await
            .iter()
            .any(|job| job.state_name() == "FINISHED" && job.kind() == snapshot::JobKind::Restore);
        assert_eq!(found, if restored { cut.clone() } else { changed.clone() }, "seed {seed}");
        world.nothing_is_left().await;
    }
}

/// Power is lost at the n-th change of the repository's disk.
#[tokio::test(flavor = "multi_thread")]
async fn a_backup_ends_after_a_power_cut_at_any_write_of_the_repository() {
    let template = World::open(&Disks::new()).await;
    let shop = shop(&template).await;
    let cut = template.contents(shop).await;
    let template = template.close().await;
    for seed in 1..=30u64 {
        let disks = template.copy();
        let world = World::open(&disks).await;
        disks.repository.cut_after(seed * 3, seed);
        let submitted = world.jobs.submit_backup(backup_of(shop, "label")).await;
        if let Ok(id) = &submitted {
            while disks.repository.list("").is_ok() && world.jobs.wait(*id, Duration::from_millis(20)).await.is_err() {}
        }
        let world = World::open(&world.crash(seed)).await;
        for job in world.all_jobs().await {
            let job = world.end(job.id).await;
            assert_eq!(job.state_name(), "FINISHED", "seed {seed}: {}", job.status);
        }
        world.nothing_is_left().await;
        if submitted.is_ok() {
            assert_eq!(world.restore("label", Some("copy"), Objects::All).await.state_name(), "FINISHED");
            assert_eq!(world.contents(world.database("copy").await).await, cut, "seed {seed}");
        }
    }
}
