//! Every store that a repository can be on keeps the promises; what goes wrong is told clearly.

use crate::support::*;
use env::disk::{Disk, MemDisk, RealDisk};
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt};
use repository::{Error, ErrorKind, LocalStore, Repository, conformance};
use std::sync::Arc;

#[tokio::test(flavor = "multi_thread")]
async fn every_store_keeps_the_promises() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path().join("not").join("yet");
    let stores: [Arc<dyn ObjectStore>; 3] =
        [repository::local(&root), Arc::new(LocalStore::new(Arc::new(MemDisk::new()))), Arc::new(InMemory::new())];
    for store in stores {
        conformance::check(&store).await.unwrap_or_else(|failed| panic!("{store}: {failed}"));
        let left = [names(&*store, "conformance").await, names(&*store, "probe").await].concat();
        assert!(left.is_empty() && names(&*store, ".uploads").await.is_empty(), "{store}: {left:?}");
    }
    for dir in ["conformance", "probe"] {
        let left = RealDisk::new(&root).list(dir).unwrap();
        assert!(left.len() <= 1, "directories go with their objects: {left:?}");
    }
}

#[tokio::test]
async fn an_answer_of_the_local_store_outlives_a_power_cut() {
    for seed in 0..40 {
        let disk = MemDisk::new();
        let store = LocalStore::new(Arc::new(disk.clone()));
        let path = Path::from("a/b/c");
        store.put(&path, noise(1, 3 << 20).into()).await.unwrap();
        let mut upload = store.put_multipart(&Path::from("a/d/e")).await.unwrap();
        upload.put_part(noise(2, 2 << 20).into()).await.unwrap();
        upload.complete().await.unwrap();
        let store = LocalStore::new(Arc::new(disk.power_cut(seed)));
        assert_eq!(store.get(&path).await.unwrap().bytes().await.unwrap(), noise(1, 3 << 20));
        assert_eq!(store.get(&Path::from("a/d/e")).await.unwrap().bytes().await.unwrap(), noise(2, 2 << 20));
    }
}

#[tokio::test]
async fn a_listing_only_tells_of_what_lasts() {
    // A writer links a name and dies before it syncs the directory; the next one lists it and builds on it.
    for seed in 0..20 {
        let disk = MemDisk::new();
        let store = LocalStore::new(Arc::new(disk.clone()));
        store.put(&Path::from("a/first"), "1".into()).await.unwrap();
        let file = disk.create("a/unsynced").unwrap();
        file.write_at(0, b"2").unwrap();
        file.sync_data().unwrap();
        assert_eq!(names(&store, "a").await, ["a/first", "a/unsynced"]);
        let store = LocalStore::new(Arc::new(disk.power_cut(seed)));
        assert_eq!(names(&store, "a").await, ["a/first", "a/unsynced"]);
    }
}

#[tokio::test]
async fn an_upload_that_is_given_up_leaves_nothing() {
    let disk = MemDisk::new();
    let store = LocalStore::new(Arc::new(disk.clone()));
    let mut upload = store.put_multipart(&Path::from("data/x")).await.unwrap();
    upload.put_part("part".into()).await.unwrap();
    assert_eq!(disk.list(".uploads").unwrap().len(), 1);
    drop(upload);
    assert_eq!(disk.list(".uploads").unwrap().len(), 0);
    assert!(names(&store, "data").await.is_empty());
}

#[tokio::test]
async fn a_full_disk_is_said_to_be_full() {
    let disk = MemDisk::new();
    let store: Arc<dyn ObjectStore> = Arc::new(LocalStore::new(Arc::new(disk.clone())));
    let repository = Repository::create(store, "r", 1).await.unwrap();
    let session = session(&repository).await;
    disk.limit(Some(1 << 20));
    let failed = upload(&session, "s", &world(3, 2 << 20), &env::rt::CancellationToken::new()).await;
    assert_eq!(failed.err().map(|failed| failed.kind()), Some(ErrorKind::Full));
    disk.limit(None);
    session.abort().await.unwrap();
    assert!(disk.list(".uploads").unwrap().is_empty(), "nothing is left of what did not fit");
}

#[tokio::test]
async fn a_place_that_is_no_directory_is_told_by_name() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("file");
    std::fs::write(&file, "x").unwrap();
    let store = repository::local(&file);
    let failed = Repository::create(store, "r", 1).await.unwrap_err();
    let mut chain = failed.to_string();
    let mut cause: &dyn std::error::Error = &failed;
    while let Some(next) = cause.source() {
        chain = format!("{chain}: {next}");
        cause = next;
    }
    assert!(chain.contains(&file.display().to_string()), "{chain}");
    assert!(matches!(failed, Error::Unavailable { .. } | Error::Denied { .. }), "{failed:?}");
}
