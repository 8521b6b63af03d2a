//! The log as an audit trail, and objects by their names.

use crate::support::*;
use bytes::Bytes;
use env::rt::CancellationToken;
use object_store::ObjectStoreExt;
use object_store::memory::InMemory;
use object_store::path::Path;
use repository::{ErrorKind, Generation, Purpose, Repository, StoredKind};
use std::sync::Arc;

async fn busy() -> (Arc<InMemory>, Repository) {
    let store = Arc::new(InMemory::new());
    let repository = Repository::create(Arc::<InMemory>::clone(&store), "r", 1).await.unwrap();
    let session = session(&repository).await;
    let written = upload(&session, "a", &world(2, 70_000), &CancellationToken::new()).await.unwrap();
    session.commit(written.summary).await.unwrap();
    repository.hold("a", None, "audit 7", 5).await.unwrap();
    repository.release("a", None).await.unwrap();
    repository.drop_snapshot("a", None).await.unwrap();
    let id = repository.new_session_id().await.unwrap();
    repository.open_session(&id, Purpose::Verify, "a person", 6).await.unwrap();
    repository.fence(&id).await.unwrap();
    (store, repository)
}

async fn overwrite(store: &InMemory, name: &str, change: impl FnOnce(&mut Vec<u8>)) {
    let path = Path::from(name);
    let mut bytes = store.get(&path).await.unwrap().bytes().await.unwrap().to_vec();
    change(&mut bytes);
    store.put(&path, Bytes::from(bytes).into()).await.unwrap();
}

#[tokio::test]
async fn the_log_says_who_did_what() {
    let (store, repository) = busy().await;
    let all = repository.history(u64::MAX).await.unwrap();
    let told: Vec<(u64, &str, Option<&str>, Option<&str>)> = all
        .iter()
        .map(|entry| (entry.generation.0, entry.action, entry.label.as_deref(), entry.note.as_deref()))
        .collect();
    assert_eq!(told[0], (7, "fence", None, None));
    assert_eq!(told[1], (6, "open", None, Some("a person")));
    assert_eq!(
        told[2..5],
        [(5, "drop", Some("a"), None), (4, "release", Some("a"), None), (3, "hold", Some("a"), Some("audit 7"))]
    );
    assert_eq!((told[5].1, told[6].1, told[7]), ("commit", "open", (0, "create", None, Some("r"))));
    assert_eq!(all.iter().map(|entry| entry.snapshots).collect::<Vec<_>>(), [0, 0, 0, 1, 1, 1, 0, 0]);
    assert_eq!((all[1].sessions, all[1].purpose, &all[1].session), (1, Some(Purpose::Verify), &all[0].session));
    for newest in [0, 1, 3, 8] {
        assert_eq!(repository.history(newest).await.unwrap(), all[..usize::try_from(newest).unwrap()]);
    }
    assert_eq!(repository.log_entry(Generation(3)).await.unwrap(), all[4]);
    assert_eq!(repository.log_entry(Generation(8)).await.unwrap_err().kind(), ErrorKind::NotFound);

    // A record that is not the one that was chained to, though sound by itself.
    let other = Repository::create(Arc::new(InMemory::new()), "other", 1).await.unwrap();
    let name = format!("commits/{:020}.json", u64::MAX);
    let foreign = other.raw(&name, 0..other.raw_len(&name).await.unwrap()).await.unwrap();
    overwrite(&store, &name, |bytes| *bytes = foreign.to_vec()).await;
    assert_eq!(repository.history(7).await.unwrap(), all[..7]);
    let failed = repository.history(8).await.unwrap_err();
    assert_eq!(failed.kind(), ErrorKind::Corrupt);
    assert!(failed.to_string().contains("hash of the record before"), "{failed}");
}

#[tokio::test]
async fn an_object_is_read_only_when_it_is_what_was_written() {
    let (store, repository) = busy().await;
    let head = format!("commits/{:020}.json", u64::MAX - 2);
    let commit = repository.object(&head).await.unwrap();
    assert_eq!((commit.kind.clone(), commit.lines.len()), (StoredKind::Commit, 2));
    let root = commit.lines[0]["action"]["snapshot"]["root"]["name"].as_str().unwrap().to_owned();
    let page = repository.object(&root).await.unwrap();
    assert_eq!((page.kind.clone(), page.lines[0]["body"]["label"].as_str()), (StoredKind::Page, Some("a")));
    assert_eq!(repository.object("repository.json").await.unwrap().kind, StoredKind::Identity);
    for name in [&head, &root, "repository.json"] {
        overwrite(&store, name, |bytes| bytes[9] ^= 1).await;
        let failed = repository.object(name).await.unwrap_err();
        assert_eq!(failed.kind(), ErrorKind::Corrupt, "{failed}");
        assert!(failed.to_string().contains(name), "{failed}");
    }
    let gone = root.replace(&root[root.len() - 4..], "0000");
    assert_eq!(repository.object(&gone).await.unwrap_err().kind(), ErrorKind::NotFound);
    assert_eq!(repository.raw_len(&gone).await.unwrap_err().kind(), ErrorKind::NotFound);
    for name in ["", "../x", "data/x", "notes.txt", "data/1-0123456789abcdef0123456789abcdef/f"] {
        let failed = repository.object(name).await.unwrap_err();
        assert_eq!(failed.kind(), ErrorKind::Invalid, "{name:?}: {failed}");
    }
}
