//! Format 1, byte by byte: repositories that are written again by every run and must come out the same.
//!
//! `UPDATE_GOLDEN=1` writes the files anew. Do that only for a change of the format that is meant: a change of these files
//! is a change of what older programs have written, so from the first release on it needs a new format number. Examples
//! in `docs/format.md` are lines of these files and have to follow.

use crate::support::*;
use bytes::Bytes;
use env::replay::replay;
use env::rt::CancellationToken;
use futures::TryStreamExt;
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt};
use repository::probe::{Latency, Profile, Promise, Promised};
use repository::verify::{Level, Options};
use repository::{CreateOptions, Purpose, Repository, Session, SnapshotSummary, StreamOptions, no_progress};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

/// Name and bytes of each object.
pub type Objects = BTreeMap<String, Bytes>;

/// 2026-01-02 03:04:05 UTC.
const NOW_MS: u64 = 1_767_323_045_000;

pub fn dir(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name)
}

fn read(dir: &std::path::Path, below: &str, found: &mut Objects) {
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        let name = format!("{below}{}", path.file_name().unwrap().to_str().unwrap());
        if path.is_dir() {
            read(&path, &format!("{name}/"), found);
        } else {
            found.insert(name, std::fs::read(path).unwrap().into());
        }
    }
}

/// The objects of a golden repository.
pub fn golden(name: &str) -> Objects {
    let mut found = Objects::new();
    read(&dir(name), "", &mut found);
    found
}

/// A copy in memory: tests write.
pub async fn copy(objects: &Objects) -> Arc<InMemory> {
    let store = Arc::new(InMemory::new());
    for (name, bytes) in objects {
        store.put(&Path::from(name.as_str()), bytes.clone().into()).await.unwrap();
    }
    store
}

/// All objects of a store.
pub async fn objects(store: &InMemory) -> Objects {
    let names: Vec<String> = store.list(None).map_ok(|meta| meta.location.to_string()).try_collect().await.unwrap();
    let mut objects = Objects::new();
    for name in names {
        let bytes = store.get(&Path::from(name.as_str())).await.unwrap().bytes().await.unwrap();
        objects.insert(name, bytes);
    }
    objects
}

/// Objects as files of a directory.
pub fn write(objects: &Objects, dir: &std::path::Path) {
    for (name, bytes) in objects {
        let path = dir.join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, bytes).unwrap();
    }
}

/// Objects of a few hundred bytes, pages of a tablet or two.
fn small() -> StreamOptions {
    StreamOptions { in_flight: 4, part_bytes: 1 << 20, small_bytes: 400, pack_bytes: 600, page_bytes: 1000 }
}

/// Tablets from `first` on, each with a file of its own, two that share an object and one without bytes.
fn tablets(first: u64, count: u64) -> World {
    (first..first + count)
        .map(|tablet| {
            let files = [
                ("1-0.parquet", noise(tablet * 10, 500)),
                ("2-0.parquet", noise(tablet * 10 + 1, 100 + tablet as usize % 100)),
                ("1-0.5.dv", noise(tablet * 10 + 2, 40)),
                ("3-0.parquet", Bytes::new()),
            ];
            (tablet, files.into_iter().map(|(name, bytes)| (name.to_owned(), bytes)).collect())
        })
        .collect()
}

fn events(count: u64) -> World {
    tablets(1000, count)
}

fn clicks() -> World {
    tablets(2000, 1)
}

async fn write_snapshot(session: &Session, label: &str, count: u64, expires_ms: Option<u64>) {
    let (events, clicks) = (events(count), clicks());
    let tables: [(u64, &str, &World); 2] = [(7, "events", &events), (8, "clicks", &clicks)];
    let shop = Database { cluster: "cluster", name: "shop", created_ms: NOW_MS, options: small() };
    let written = upload_of(&shop, session, label, &tables, &CancellationToken::new()).await.unwrap();
    session.commit(SnapshotSummary { expires_ms, ..written.summary }).await.unwrap();
}

async fn open(repository: &Repository, purpose: Purpose, owner: &str) -> Session {
    let id = repository.new_session_id().await.unwrap();
    repository.open_session(&id, purpose, owner, NOW_MS).await.unwrap()
}

/// A repository in which everything has happened: sessions that committed, were closed, fenced and are open; snapshots
/// that share files and pages, one held, released and dropped, one that expires and is held.
async fn write_history(store: Arc<dyn ObjectStore>) {
    let repository = Repository::create(store, "golden", NOW_MS).await.unwrap();
    write_snapshot(&open(&repository, Purpose::Backup, "job 1").await, "first", 2, None).await;
    let fenced = open(&repository, Purpose::Backup, "job 2").await;
    let expires_ms = Some(NOW_MS + 30 * 86_400_000);
    write_snapshot(&open(&repository, Purpose::Backup, "job 3").await, "second", 3, expires_ms).await;
    repository.fence(fenced.id()).await.unwrap();
    open(&repository, Purpose::Verify, "job 4").await.close().await.unwrap();
    repository.hold("first", None, "audit 7", NOW_MS + 5000).await.unwrap();
    repository.release("first", None).await.unwrap();
    repository.drop_snapshot("first", None).await.unwrap();
    repository.hold("second", None, "audit 8", NOW_MS + 15_000).await.unwrap();
    open(&repository, Purpose::Restore, "job 5").await;
}

/// Nothing has happened yet.
async fn write_empty(store: Arc<dyn ObjectStore>) {
    Repository::create(store, "empty", NOW_MS).await.unwrap();
}

/// On a store that was probed and cannot keep writers apart.
async fn write_single_writer(store: Arc<dyn ObjectStore>) {
    let promise = |name, kept, seen: &str| Promise { name, kept, seen: seen.to_owned() };
    let profile = Profile {
        promises: vec![
            promise(Promised::CreateIfAbsent, false, "2 of 8 who made one name at one time were told that they had"),
            promise(Promised::ReadAfterWrite, true, "3 of 3 objects"),
            promise(Promised::RangeRead, true, "3 of 3 ranges"),
            promise(Promised::ListAfterWrite, true, "3 of 3 names, sorted"),
            promise(Promised::Multipart, true, "2 of 2 parts"),
            promise(Promised::Delete, true, "3 of 3 objects"),
        ],
        latencies: vec![Latency { request: "put".to_owned(), median_us: 900, max_us: 4100 }],
    };
    let name = "single-writer".to_owned();
    let options = CreateOptions { name, now_ms: NOW_MS, profile: Some(profile), single_writer: true };
    let repository = Repository::create_with(store, options).await.unwrap();
    write_snapshot(&open(&repository, Purpose::Backup, "job 1").await, "first", 1, None).await;
}

pub const GOLDEN: [&str; 3] = ["empty", "format-1", "single-writer"];

async fn written(name: &str) -> Objects {
    let store = Arc::new(InMemory::new());
    {
        let _replay = replay(1, NOW_MS);
        match name {
            "empty" => write_empty(Arc::<InMemory>::clone(&store)).await,
            "single-writer" => write_single_writer(Arc::<InMemory>::clone(&store)).await,
            _ => write_history(Arc::<InMemory>::clone(&store)).await,
        }
    }
    objects(&store).await
}

#[tokio::test]
async fn what_is_written_today_is_what_was_written_then() {
    for name in GOLDEN {
        let now = written(name).await;
        assert_eq!(now, written(name).await, "{name}: a seed gives the same repository again");
        // Writes a new one; those that are there never change.
        if std::env::var_os("UPDATE_GOLDEN").is_some_and(|wanted| wanted == name) {
            let _absent = std::fs::remove_dir_all(dir(name)).is_err();
            write(&now, &dir(name));
        }
        let then = golden(name);
        assert_eq!(now.keys().collect::<Vec<_>>(), then.keys().collect::<Vec<_>>(), "{name}");
        for (object, bytes) in &now {
            let text = |bytes: &Bytes| String::from_utf8_lossy(bytes).into_owned();
            assert_eq!(text(bytes), text(&then[object]), "{name}: {object}");
        }
        let bytes: usize = now.values().map(Bytes::len).sum();
        assert!(bytes < 40_000, "{name} has {bytes} bytes");
    }
}

#[tokio::test]
async fn golden_repositories_are_sound() {
    for name in GOLDEN {
        let repository = Repository::open(copy(&golden(name)).await).await.unwrap();
        repository.check_log().await.unwrap();
        let options = Options { level: Level::Full, ..Options::default() };
        let report = repository.verify(&options, &no_progress(), &CancellationToken::new()).await.unwrap();
        assert!(report.is_sound(), "{report}");
    }
}

#[tokio::test]
async fn a_repository_of_format_1_is_read_and_gone_on_with() {
    let repository = Repository::open(copy(&golden("format-1")).await).await.unwrap();
    assert_eq!((repository.identity().name.as_str(), repository.identity().created_ms), ("golden", NOW_MS));
    assert_eq!(repository.sessions().await.unwrap().len(), 1);
    let rows = repository.snapshots().await.unwrap();
    assert_eq!(rows.iter().map(|row| row.label.as_str()).collect::<Vec<_>>(), ["second"]);
    assert_eq!(rows[0].hold.as_ref().unwrap().reason, "audit 8");
    assert_eq!(rows[0].expires_ms, Some(NOW_MS + 30 * 86_400_000));
    let mut all = events(3);
    all.extend(clicks());
    assert_eq!(restore(&repository, "second").await.unwrap(), all);
    // Only the tablet that the first had not was sent.
    let fresh: usize = events(3)[&1002].values().map(Bytes::len).sum();
    assert_eq!(rows[0].bytes_sent, fresh as u64);
    for session in repository.sessions().await.unwrap() {
        repository.fence(&session.id).await.unwrap();
    }
    // What was kept for the dropped one alone is garbage, and the rest is not.
    let plan = repository.sweep_plan(&no_progress()).await.unwrap();
    assert!(plan.objects().count() > 0);
    repository.sweep(&plan, &no_progress()).await.unwrap();
    write_snapshot(&open(&repository, Purpose::Backup, "job 6").await, "third", 3, None).await;
    let third = repository.snapshot("third", None).await.unwrap().unwrap();
    assert_eq!(third.bytes_sent, 0);
    assert_eq!(restore(&repository, "third").await.unwrap(), all);
}

/// The text of `docs/format.md` about the repository.
fn document() -> String {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../docs/format.md");
    let text = std::fs::read_to_string(path).unwrap();
    let (_, behind) = text.split_once("\n## 2. Repository\n").unwrap();
    behind.split_once("\n## 3. ").unwrap().0.to_owned()
}

#[test]
fn the_documents_examples_are_lines_of_the_golden_repository() {
    let mut objects = Objects::new();
    for name in GOLDEN {
        objects.extend(golden(name).into_iter().map(|(object, bytes)| (format!("{name}/{object}"), bytes)));
    }
    let whole: Vec<String> =
        objects.iter().map(|(name, bytes)| format!("{name}\n{}", String::from_utf8_lossy(bytes))).collect();
    let lines: Vec<&str> = whole.iter().flat_map(|text| text.lines()).collect();
    let document = document();
    let mut kinds = Vec::new();
    // Every second piece stands between fences.
    for line in document.split("\n```").skip(1).step_by(2).flat_map(|block| block.lines().skip(1)) {
        if line.contains('<') {
            continue; // of the form of a document, not an example
        }
        if line.starts_with('{') {
            assert!(lines.contains(&line), "no object has the line {line}");
            let value: serde_json::Value = serde_json::from_str(line).unwrap();
            let kind = value["action"]["kind"].as_str().or(value["kind"].as_str());
            let of_line = if value["tablet"].is_u64() { "tablet" } else { "sealed" };
            kinds.push(kind.unwrap_or(of_line).to_owned());
        } else if let Some(name) = line.split(' ').next().filter(|name| name.contains('/')) {
            assert!(objects.contains_key(&format!("format-1/{name}")), "there is no object {name}");
        }
    }
    for kind in ["commit", "hold", "index-leaf", "snapshot", "table", "tablets", "tablet", "sealed"] {
        assert!(kinds.iter().any(|found| found == kind), "no example of {kind}: {kinds:?}");
    }
    // Tokens and hashes in the text itself.
    let words = document.split(|c: char| !c.is_ascii_alphanumeric());
    let tokens = words.filter(|word| word.len() >= 32 && word.bytes().all(|byte| byte.is_ascii_hexdigit()));
    for token in tokens {
        assert!(whole.iter().any(|text| text.contains(token)), "the repository has no {token}");
    }
}
