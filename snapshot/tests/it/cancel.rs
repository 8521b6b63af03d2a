use crate::world::{Disks, Stop, World, backup_of, change_shop, options, orders, shop};
use env::rt::Duration;
use env::rt::time::Instant;
use snapshot::{JobKind, Objects};

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_can_be_cancelled_in_every_state_and_burns_no_label() {
    let template = World::open(&Disks::new()).await;
    let shop = shop(&template).await;
    let template = template.close().await;
    for state in ["pending", "snapshoting", "upload_snapshot", "uploading", "save_meta", "upload_info"] {
        for point in [format!("backup.{state}"), format!("backup.{state}.done")] {
            let stop = Stop::at(&point);
            let world = World::open_with(&template.copy(), options(), &stop).await;
            let id = world.jobs.submit_backup(backup_of(shop, "label")).await.unwrap();
            stop.reached().await;
            let began = Instant::now();
            let cancelled = world.jobs.cancel(shop, JobKind::Backup).await;
            let job = world.end(id).await;
            if point == "backup.upload_info.done" {
                // Stopped between the repository's commit and the journal: what is committed stays.
                let told = cancelled.unwrap_err().to_string();
                assert!(told.contains("state: FINISHED") && told.contains("committed first"), "{told}");
                assert_eq!(job.state_name(), "FINISHED");
                assert!(world.repository().await.snapshot("label", None).await.unwrap().is_some());
            } else {
                cancelled.unwrap_or_else(|failed| panic!("{point}: {failed}"));
                assert!(began.elapsed() < Duration::from_secs(5), "{point}: {:?}", began.elapsed());
                assert_eq!(
                    (job.state_name(), job.status.to_string().as_str()),
                    ("CANCELLED", "[COMMON_ERROR, user cancelled]")
                );
                assert!(world.repository().await.snapshot("label", None).await.unwrap().is_none());
                world.nothing_is_left().await;
                // The stop is still in force for this process: the label is used again by the next one.
                let world = World::open(&world.close().await).await;
                assert_eq!(world.backup(shop, "label").await.state_name(), "FINISHED", "{point}");
                world.nothing_is_left().await;
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restore_can_be_cancelled_in_every_state_before_the_switch() {
    let template = World::open(&Disks::new()).await;
    let shop = shop(&template).await;
    template.backup(shop, "first").await;
    change_shop(&template, shop, 1).await;
    let before = template.contents(shop).await;
    let template = template.close().await;
    let mut points = vec!["restore.pending.planned".to_owned()];
    for state in ["pending", "snapshoting", "download", "downloading", "commit"] {
        points.extend([format!("restore.{state}"), format!("restore.{state}.done")]);
    }
    for point in points {
        for target in [None, Some("copy")] {
            let stop = Stop::at(&point);
            let world = World::open_with(&template.copy(), options(), &stop).await;
            let request = world.restore_of("first", target, Objects::All).await;
            let id = world.jobs.submit_restore(request).await.unwrap();
            stop.reached().await;
            let database = world.jobs.database(target.unwrap_or("shop")).await.unwrap().unwrap();
            world.jobs.cancel(database, JobKind::Restore).await.unwrap_or_else(|failed| panic!("{point}: {failed}"));
            let job = world.end(id).await;
            assert_eq!(job.state_name(), "CANCELLED");
            assert!(job.status.message.starts_with("user cancelled, state: "), "{}", job.status);
            assert_eq!(world.contents(shop).await, before, "{point}");
            assert!(world.catalog.database("copy", catalog::At::Latest).await.unwrap().is_none());
            world.nothing_is_left().await;
            world.load(shop, "orders", &orders([(1, "free".to_owned())])).await.unwrap();
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn after_the_switch_cancel_is_refused_with_the_reason() {
    let template = World::open(&Disks::new()).await;
    let shop = shop(&template).await;
    let cut = template.contents(shop).await;
    template.backup(shop, "first").await;
    change_shop(&template, shop, 1).await;
    let template = template.close().await;
    for point in ["restore.committing", "restore.committing.done"] {
        let stop = Stop::at(point);
        let world = World::open_with(&template.copy(), options(), &stop).await;
        let request = world.restore_of("first", None, Objects::All).await;
        let id = world.jobs.submit_restore(request).await.unwrap();
        stop.reached().await;
        assert_eq!(world.contents(shop).await, cut);
        let told = world.jobs.cancel(shop, JobKind::Restore).await.unwrap_err().to_string();
        assert!(told.contains("cannot be cancelled, state: COMMITTING; the restored data is live already"), "{told}");
        let world = World::open(&world.crash(2)).await;
        assert_eq!(world.end(id).await.state_name(), "FINISHED");
        assert_eq!(world.contents(shop).await, cut);
        world.nothing_is_left().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_that_is_done_or_absent_cannot_be_cancelled() {
    let world = World::open(&Disks::new()).await;
    let shop = shop(&world).await;
    let told = world.jobs.cancel(shop, JobKind::Backup).await.unwrap_err().to_string();
    assert_eq!(told, "no backup job is running in database shop");
    let job = world.backup(shop, "first").await;
    let told = world.jobs.cancel(shop, JobKind::Backup).await.unwrap_err().to_string();
    assert_eq!(told, format!("backup job {} with label first cannot be cancelled, state: FINISHED", job.id));
    let told = world.jobs.cancel(shop, JobKind::Restore).await.unwrap_err().to_string();
    assert_eq!(told, "no restore job is running in database shop");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_that_takes_too_long_ends() {
    let template = World::open(&Disks::new()).await;
    let shop = shop(&template).await;
    template.backup(shop, "first").await;
    let before = template.contents(shop).await;
    let template = template.close().await;
    for point in ["backup.uploading", "backup.upload_info", "restore.downloading", "restore.commit"] {
        let stop = Stop::at(point);
        let world = World::open_with(&template.copy(), options(), &stop).await;
        let id = if point.starts_with("backup") {
            let mut request = backup_of(shop, "late");
            request.properties.insert("timeout".into(), "1".into());
            world.jobs.submit_backup(request).await.unwrap()
        } else {
            let mut request = world.restore_of("first", None, Objects::All).await;
            request.properties.insert("timeout".into(), "1".into());
            world.jobs.submit_restore(request).await.unwrap()
        };
        stop.reached().await;
        // The stop holds the duty of the state, but not the clock.
        if point == "backup.upload_info" {
            let world = World::open(&world.crash(1)).await;
            let job = world.end(id).await;
            assert!(job.is_done());
            world.nothing_is_left().await;
            continue;
        }
        let job = world.end(id).await;
        assert_eq!(job.state_name(), "CANCELLED", "{point}");
        let state = point.split_once('.').unwrap().1.to_uppercase();
        assert_eq!(job.status.to_string(), format!("[TIMEOUT, not finished within 1 s, state: {state}]"));
        assert_eq!(world.contents(shop).await, before);
        world.nothing_is_left().await;
    }
}
