use catalog::records::RepositoryRecord;
use env::disk::{Disk, MemDisk};
use env::ids::RepositoryId;
use repository::{Keyring, Repository};
use snapshot::{Connections, ErrorKind, Repositories};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

fn record(properties: &[(&str, &str)]) -> RepositoryRecord {
    RepositoryRecord {
        id: RepositoryId(1),
        name: "r".into(),
        location: "file:///r".into(),
        read_only: false,
        broker: None,
        properties: properties.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(),
        single_writer: false,
        created_ms: 1,
        error: None,
        retention: None,
    }
}

#[tokio::test]
async fn a_repository_is_connected_once_and_again_when_its_record_changes() {
    let disk = MemDisk::new();
    let store = Arc::new(repository::LocalStore::new(Arc::new(disk.clone())));
    Repository::create(store, "r", 1).await.unwrap();
    let dialled = Arc::new(AtomicU32::new(0));
    let counted = Arc::clone(&dialled);
    let connections = Connections::new(move |_| {
        counted.fetch_add(1, Ordering::Relaxed);
        Arc::new(disk.clone()) as Arc<dyn Disk>
    });
    let dialled = || dialled.load(Ordering::Relaxed);
    for _ in 0..3 {
        connections.open(&record(&[])).await.unwrap();
    }
    assert_eq!(dialled(), 1);
    connections.open(&record(&[("single_writer", "false")])).await.unwrap();
    assert_eq!(dialled(), 2);
    connections.forget(RepositoryId(1)).await;
    connections.open(&record(&[("single_writer", "false")])).await.unwrap();
    assert_eq!(dialled(), 3);
    let failed = connections.open(&record(&[("aws.s3.region", "x")])).await.unwrap_err();
    assert_eq!(failed.kind(), ErrorKind::Invalid);
}

#[tokio::test]
async fn a_literal_secret_needs_a_key_to_be_kept() {
    let dir = tempfile::tempdir().unwrap();
    let given = BTreeMap::from([("aws.s3.secret_key".to_owned(), "hush".to_owned())]);
    let nowhere = || Connections::new(|_| Arc::new(MemDisk::new()) as Arc<dyn Disk>);
    assert_eq!(nowhere().seal(&given).unwrap_err().kind(), ErrorKind::Denied);
    let kept = nowhere().with_keyring(Keyring::at(dir.path())).seal(&given).unwrap();
    assert!(!format!("{kept:?}").contains("hush"));
}
