use crate::world::{Disks, World, change_shop, shop};
use env::disk::Disk;
use snapshot::{JobKind, Objects};

/// Paths of all files of the repository below `dir`.
pub fn files(disk: &dyn Disk, dir: &str) -> Vec<String> {
    let mut found = Vec::new();
    for entry in disk.list(dir).unwrap() {
        let path = env::disk::join(dir, &entry.name);
        if entry.is_dir { found.extend(files(disk, &path)) } else { found.push(path) }
    }
    found
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flipped_bit_is_found_by_name_and_offset_and_the_old_data_stays() {
    let template = World::open(&Disks::new()).await;
    let shop = shop(&template).await;
    template.backup(shop, "first").await;
    change_shop(&template, shop, 1).await;
    let before = template.contents(shop).await;
    let template = template.close().await;
    let data = files(&template.repository, "data");
    assert!(!data.is_empty());
    for path in data {
        let disks = template.copy();
        let middle = disks.repository.len(&path).unwrap() / 2;
        disks.repository.flip_bit(&path, usize::try_from(middle).unwrap()).unwrap();
        let world = World::open(&disks).await;
        let job = world.restore("first", None, Objects::All).await;
        assert_eq!(job.state_name(), "CANCELLED");
        let status = job.status.to_string();
        assert!(status.starts_with("[BAD_FILE, ") && status.contains(&path) && status.contains("offset"), "{status}");
        assert_eq!(world.contents(shop).await, before);
        world.nothing_is_left().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_or_short_object_ends_a_restore_and_the_old_data_stays() {
    let template = World::open(&Disks::new()).await;
    let shop = shop(&template).await;
    template.backup(shop, "first").await;
    change_shop(&template, shop, 1).await;
    let before = template.contents(shop).await;
    let template = template.close().await;
    let path = files(&template.repository, "data").pop().unwrap();
    for lost in [true, false] {
        let disks = template.copy();
        if lost {
            disks.repository.remove(&path).unwrap();
        } else {
            let file = disks.repository.open(&path).unwrap();
            file.set_len(file.len().unwrap() / 2).unwrap();
        }
        let world = World::open(&disks).await;
        let job = world.restore("first", None, Objects::All).await;
        let status = job.status.to_string();
        assert_eq!(job.state_name(), "CANCELLED");
        assert!(status.starts_with("[BAD_FILE, ") && status.contains(&path), "{status}");
        assert_eq!(world.contents(shop).await, before);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_page_fails_the_statement() {
    let template = World::open(&Disks::new()).await;
    let shop = shop(&template).await;
    template.backup(shop, "first").await;
    let template = template.close().await;
    let mut refused = 0;
    for path in files(&template.repository, "pages") {
        let disks = template.copy();
        disks.repository.flip_bit(&path, 100).unwrap();
        let world = World::open(&disks).await;
        let Ok(Some(found)) = world.repository().await.snapshot("first", None).await else {
            refused += 1;
            continue;
        };
        let request = snapshot::RestoreRequest {
            properties: [("backup_timestamp".to_owned(), found.timestamp)].into(),
            target_database: None,
            snapshot_database: None,
            label: "first".into(),
            repository: "repo".into(),
            objects: Objects::All,
            user: "root".into(),
        };
        match world.jobs.submit_restore(request).await {
            Err(failed) => {
                assert_eq!(failed.kind(), snapshot::ErrorKind::Corrupt, "{failed}");
                assert!(failed.to_string().contains(&path), "{failed}");
                refused += 1;
            }
            // Pages of tablets are read by the nodes.
            Ok(id) => {
                let job = world.end(id).await;
                assert_eq!(job.state_name(), "CANCELLED");
                assert!(job.status.to_string().contains(&path), "{}", job.status);
            }
        }
        assert!(world.jobs.last(shop, JobKind::Restore).await.unwrap().is_none_or(|view| view.job.is_done()));
    }
    assert!(refused >= 4, "the root and three tables");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_ends_a_restore_before_anything_is_fetched() {
    let world = World::open(&Disks::new()).await;
    let shop = shop(&world).await;
    let job = world.backup(shop, "first").await;
    let before = world.contents(shop).await;
    let disks = world.close().await;
    let world = World::open(&disks).await;
    let used: u64 = files(&disks.node, "").iter().map(|path| disks.node.len(path).unwrap()).sum();
    // Room for the journal, not for the data.
    assert!(job.counts.bytes > 0);
    disks.node.limit(Some(used + job.counts.bytes / 2));
    let request = world.restore_of("first", None, Objects::All).await;
    match world.jobs.submit_restore(request).await {
        // The catalog keeps a reserve of its own.
        Err(failed) => assert_eq!(failed.kind(), snapshot::ErrorKind::Full, "{failed}"),
        Ok(id) => {
            disks.node.limit(None);
            assert!(world.end(id).await.is_done());
        }
    }
    disks.node.limit(None);
    assert_eq!(world.contents(shop).await, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_repository_ends_a_backup_and_leaves_nothing() {
    let disks = Disks::new();
    let world = World::open(&disks).await;
    let shop = shop(&world).await;
    let used: u64 = files(&disks.repository, "").iter().map(|path| disks.repository.len(path).unwrap()).sum();
    disks.repository.limit(Some(used + 3_000));
    let id = world.jobs.submit_backup(crate::world::backup_of(shop, "label")).await.unwrap();
    let job = world.jobs.wait(id, crate::world::PATIENCE).await.unwrap();
    assert_eq!(job.state_name(), "CANCELLED");
    assert!(job.status.message.contains("no space is left"), "{}", job.status);
    disks.repository.limit(None);
    world.end(id).await;
    world.nothing_is_left().await;
    assert_eq!(world.backup(shop, "label").await.state_name(), "FINISHED");
}
