//! Format 1, byte by byte: a repository that was written once and may never change. Regenerate only to add files
//! (`TABULARIUM_WRITE_GOLDEN=1`), never to change one.

use crate::support::*;
use bytes::Bytes;
use env::rt::CancellationToken;
use object_store::ObjectStoreExt;
use object_store::memory::InMemory;
use object_store::path::Path;
use repository::{Error, Hold, Repository, SnapshotSummary, no_progress};
use std::path::PathBuf;
use std::sync::Arc;

fn dir() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden/format-1")
}

/// Just large enough for an object of its own, and well compressible.
const LARGE: usize = 66_000;

fn tablets(count: u64) -> World {
    let mut world = world(count, 0);
    for (tablet, files) in &mut world {
        files.insert("1-0.parquet".into(), vec![*tablet as u8; LARGE].into());
    }
    world
}

/// Three tablets; one session fenced and one closed; one snapshot held, released and dropped, one that expires held.
async fn write() {
    let store = repository::local(&dir());
    let repository = Repository::create(store, "golden", 1_767_323_045_678).await.unwrap();
    back_up(&repository, "first", &tablets(2)).await;
    let fenced = session(&repository).await;
    let expiring = session(&repository).await;
    let written = upload(&expiring, "second", &tablets(3), &CancellationToken::new()).await.unwrap();
    let summary = SnapshotSummary { expires_ms: Some(1_769_999_999_999), ..written.summary };
    expiring.commit(summary).await.unwrap();
    repository.fence(fenced.id()).await.unwrap();
    let closed = session(&repository).await;
    closed.close().await.unwrap();
    repository.hold("first", None, "audit 7", 1_767_323_050_000).await.unwrap();
    repository.release("first", None).await.unwrap();
    repository.drop_snapshot("first", None).await.unwrap();
    repository.hold("second", None, "audit 8", 1_767_323_060_000).await.unwrap();
}

fn files(dir: &std::path::Path, out: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { files(&path, out) } else { out.push(path) }
    }
}

#[tokio::test]
async fn a_repository_of_format_1_is_read_and_gone_on_with() {
    if std::env::var_os("TABULARIUM_WRITE_GOLDEN").is_some() && !dir().exists() {
        write().await;
    }
    // Onto a copy: tests write.
    let store = Arc::new(InMemory::new());
    let mut found = Vec::new();
    files(&dir(), &mut found);
    found.sort();
    assert!(found.len() > 15, "the golden repository is there");
    for file in &found {
        let name = file.strip_prefix(dir()).unwrap().to_str().unwrap().to_owned();
        let bytes = Bytes::from(std::fs::read(file).unwrap());
        store.put(&Path::from(name), bytes.into()).await.unwrap();
    }
    let repository = Repository::open(Arc::<InMemory>::clone(&store)).await.unwrap();
    assert_eq!(repository.identity().name, "golden");
    assert_eq!(repository.identity().created_ms, 1_767_323_045_678);
    assert_eq!(repository.check_log().await.unwrap().0, 12);
    let rows = repository.snapshots().await.unwrap();
    assert_eq!(rows.iter().map(|row| row.label.as_str()).collect::<Vec<_>>(), ["second"]);
    assert_eq!(rows[0].expires_ms, Some(1_769_999_999_999));
    let hold = Hold { reason: "audit 8".into(), since_ms: 1_767_323_060_000 };
    assert_eq!(rows[0].hold, Some(hold));
    assert!(matches!(repository.drop_snapshot("second", None).await, Err(Error::Held { .. })));
    assert_eq!((rows[0].files, rows[0].bytes_sent), (12, LARGE as u64 + 1002 + 40));
    assert_eq!(restore(&repository, "second").await.unwrap(), tablets(3));
    // What was kept for the dropped one alone is garbage, and the rest is not.
    let plan = repository.sweep_plan(&no_progress()).await.unwrap();
    assert!(plan.objects().count() > 0);
    repository.sweep(&plan, &no_progress()).await.unwrap();
    let again = back_up(&repository, "third", &tablets(3)).await;
    assert_eq!(again.summary.bytes_sent, 0);
    assert_eq!(restore(&repository, "third").await.unwrap(), tablets(3));
}

#[tokio::test]
async fn what_is_written_today_is_what_was_written_then() {
    // Tokens and times differ; the shape of each document does not.
    let shape = |bytes: &[u8]| -> Vec<String> {
        let text = String::from_utf8_lossy(bytes).into_owned();
        let mut fields: Vec<String> = text
            .split('"')
            .skip(1)
            .step_by(2)
            .filter(|word| word.chars().all(|c| c.is_ascii_lowercase() || c == '_'))
            .map(str::to_owned)
            .collect();
        fields.sort();
        fields.dedup();
        fields
    };
    let store = Arc::new(InMemory::new());
    let repository = Repository::create(Arc::<InMemory>::clone(&store), "golden", 1).await.unwrap();
    back_up(&repository, "first", &tablets(2)).await;
    for name in [
        "repository.json",
        "commits/18446744073709551615.json",
        "commits/18446744073709551614.json",
        "commits/18446744073709551613.json",
    ] {
        let then = std::fs::read(dir().join(name)).unwrap();
        let now = store.get(&Path::from(name)).await.unwrap().bytes().await.unwrap();
        assert_eq!(shape(&now), shape(&then), "{name}");
    }
    // The manifest pages of equal tablets are equal but for the session in the objects' names.
    let mut golden = Vec::new();
    files(&dir().join("pages"), &mut golden);
    let then: Vec<Vec<String>> = golden.iter().map(|file| shape(&std::fs::read(file).unwrap())).collect();
    for name in names(&*store, "pages").await {
        let now = store.get(&Path::from(name.as_str())).await.unwrap().bytes().await.unwrap();
        assert!(then.contains(&shape(&now)), "{name}: {}", String::from_utf8_lossy(&now));
    }
}
