//! Damaged repositories: each is found out, and the finding names the object, where, and what was to be there.

use crate::support::*;
use bytes::Bytes;
use futures::TryStreamExt;
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt};
use repository::{Corruption, Error, ErrorKind, Repository, no_progress};
use std::sync::Arc;

/// A repository in memory, to be damaged.
pub struct Shelf {
    pub store: Arc<InMemory>,
    pub world: World,
}

async fn shelf() -> Shelf {
    let store = Arc::new(InMemory::new());
    let repository = Repository::create(Arc::<InMemory>::clone(&store), "r", 1).await.unwrap();
    let world = world(3, 2_500_000);
    back_up(&repository, "s", &world).await;
    Shelf { store, world }
}

impl Shelf {
    pub async fn find(&self, prefix: &str, part: &str) -> String {
        let found = names(&*self.store, prefix).await.into_iter().find(|name| name.contains(part));
        found.unwrap_or_else(|| panic!("no {part} in {prefix}"))
    }

    pub async fn read(&self, name: &str) -> Bytes {
        self.store.get(&Path::from(name)).await.unwrap().bytes().await.unwrap()
    }

    pub async fn put(&self, name: &str, bytes: impl Into<Bytes>) {
        self.store.put(&Path::from(name), bytes.into().into()).await.unwrap();
    }

    pub async fn flip(&self, name: &str, at: usize) {
        let mut bytes = self.read(name).await.to_vec();
        bytes[at] ^= 0x10;
        self.put(name, bytes).await;
    }

    pub async fn cut(&self, name: &str, len: usize) {
        let bytes = self.read(name).await.slice(..len);
        self.put(name, bytes).await;
    }

    pub async fn remove(&self, name: &str) {
        self.store.delete(&Path::from(name)).await.unwrap();
    }

    pub async fn open(&self) -> Result<Repository, Error> {
        Repository::open(Arc::<InMemory>::clone(&self.store)).await
    }

    pub async fn restore(&self) -> Result<World, Error> {
        let repository = self.open().await?;
        restore(&repository, "s").await
    }

    pub async fn finding(&self) -> Corruption {
        match self.restore().await {
            Err(Error::Corrupt(found)) => found,
            other => panic!("{other:?}"),
        }
    }
}

/// The pages by what they hold.
pub async fn page(shelf: &Shelf, kind: &str) -> String {
    for name in names(&*shelf.store, "pages").await {
        if shelf.read(&name).await.starts_with(format!("{{\"format\":1,\"kind\":\"{kind}\"").as_bytes()) {
            return name;
        }
    }
    panic!("no page of kind {kind}");
}

#[tokio::test]
async fn a_sound_repository_is_sound() {
    let shelf = shelf().await;
    assert_eq!(shelf.restore().await.unwrap(), shelf.world);
}

#[tokio::test]
async fn a_flipped_bit_in_a_segment_is_found_in_its_chunk() {
    let shelf = shelf().await;
    let name = shelf.find("data", "1001.").await;
    let bytes = shelf.read(&name).await;
    shelf.flip(&name, 1_100_000).await;
    let damaged = shelf.read(&name).await;
    let chunk = |bytes: &Bytes| crc32fast::hash(&bytes[1 << 20..2 << 20]);
    assert_eq!(
        shelf.finding().await,
        Corruption {
            object: name,
            offset: 1 << 20,
            expected: format!("crc32 {:08x} of a chunk of \"1-0.parquet\"", chunk(&bytes)),
            found: format!("crc32 {:08x}", chunk(&damaged)),
        }
    );
}

#[tokio::test]
async fn a_flipped_bit_in_a_pack_names_the_file() {
    let shelf = shelf().await;
    let name = shelf.find("data", "/pack-").await;
    shelf.flip(&name, 500).await;
    let found = shelf.finding().await;
    assert_eq!((found.object, found.offset), (name, 40));
    assert!(found.expected.ends_with("of a chunk of \"2-0.parquet\""), "{}", found.expected);
}

#[tokio::test]
async fn a_truncated_segment_is_told_with_its_end() {
    let shelf = shelf().await;
    let name = shelf.find("data", "1001.").await;
    for (len, found) in [(1_500_000, "1500000"), (1_048_576, "1048576"), (5, "5"), (0, "0")] {
        shelf.cut(&name, len).await;
        let corruption = shelf.finding().await;
        assert_eq!(corruption.object, name);
        assert_eq!(corruption.offset, len as u64);
        assert!(corruption.found.contains(found), "{corruption}");
    }
}

#[tokio::test]
async fn a_missing_object_is_corruption() {
    for (prefix, part) in [("data", "1002."), ("data", "/pack-")] {
        let shelf = shelf().await;
        let name = shelf.find(prefix, part).await;
        shelf.remove(&name).await;
        let found = shelf.finding().await;
        assert_eq!((found.object, found.found.as_str()), (name, "no such object"));
    }
    for kind in ["tablets", "table", "snapshot", "index-leaf"] {
        let shelf = shelf().await;
        let name = page(&shelf, kind).await;
        shelf.remove(&name).await;
        let found = shelf.finding().await;
        assert_eq!((found.object, found.found.as_str()), (name, "no such object"), "{kind}");
    }
}

#[tokio::test]
async fn every_page_is_held_to_its_hash_and_length() {
    for kind in ["tablets", "table", "snapshot", "index-leaf"] {
        let shelf = shelf().await;
        let name = page(&shelf, kind).await;
        let sound = shelf.read(&name).await;
        shelf.flip(&name, sound.len() / 2).await;
        let found = shelf.finding().await;
        assert_eq!((found.object.as_str(), found.offset), (name.as_str(), 0));
        assert_eq!(found.expected, format!("blake3 {}", blake3::hash(&sound)));
        shelf.put(&name, sound.slice(..sound.len() - 1)).await;
        let found = shelf.finding().await;
        assert_eq!(found.expected, format!("{} bytes", sound.len()));
        assert_eq!(found.found, format!("{} bytes", sound.len() - 1));
        shelf.put(&name, [sound, Bytes::from(vec![b' '; 1 << 20])].concat()).await;
        assert!(shelf.finding().await.expected.starts_with("at most "), "a page that grew is not read");
    }
}

#[tokio::test]
async fn a_damaged_or_missing_commit_record_is_found() {
    let commits = ["commits/18446744073709551613.json", "commits/18446744073709551615.json"];
    for name in commits {
        let shelf = shelf().await;
        shelf.flip(name, 40).await;
        assert_eq!(shelf.finding().await.object, name);
        shelf.put(name, "x".repeat(20_000)).await;
        let found = shelf.finding().await;
        assert_eq!((found.object.as_str(), found.expected.as_str()), (name, "at most 16384 bytes"));
        shelf.put(name, "").await;
        assert_eq!(shelf.finding().await.object, name);
    }
    // A record in the middle: nobody needs it to restore, the check of the whole log does.
    let shelf = shelf().await;
    shelf.remove("commits/18446744073709551614.json").await;
    assert_eq!(shelf.restore().await.unwrap(), shelf.world);
    let repository = Repository::open(Arc::<InMemory>::clone(&shelf.store)).await.unwrap();
    let Error::Corrupt(found) = repository.check_log().await.unwrap_err() else { panic!() };
    assert_eq!((found.object.as_str(), found.found.as_str()), ("commits/18446744073709551614.json", "no such object"));
    // A record of another place in the log, or of another repository, under a name of this one.
    let first = shelf.read("commits/18446744073709551615.json").await;
    shelf.put("commits/18446744073709551612.json", first).await;
    let failed = repository.snapshots().await.unwrap_err();
    assert_eq!(
        failed.to_string(),
        "object \"commits/18446744073709551612.json\" is corrupt at offset 0: expected generation 3, found generation 0"
    );
}

#[tokio::test]
async fn an_identity_that_is_missing_foreign_or_damaged_is_told() {
    let shelf = shelf().await;
    let sound = shelf.read("repository.json").await;
    shelf.remove("repository.json").await;
    assert_eq!(shelf.restore().await.unwrap_err().kind(), ErrorKind::NotFound);
    shelf.put("repository.json", "{\"version\": 2, \"of\": \"another program\"}").await;
    assert_eq!(shelf.finding().await.object, "repository.json");
    shelf.put("repository.json", &b"\xff\xfe\x00"[..]).await;
    assert_eq!(shelf.finding().await.object, "repository.json");
    shelf.put("repository.json", vec![b'x'; 1 << 20]).await;
    assert_eq!(shelf.finding().await.expected, "at most 65536 bytes");
    let store: Arc<dyn ObjectStore> = Arc::<InMemory>::clone(&shelf.store);
    assert_eq!(Repository::create(store, "r", 1).await.unwrap_err().kind(), ErrorKind::Corrupt);
    shelf.put("repository.json", sound).await;
    assert_eq!(shelf.restore().await.unwrap(), shelf.world);

    let other = self::shelf().await;
    shelf.put("repository.json", other.read("repository.json").await).await;
    let found = shelf.finding().await;
    assert!(found.expected.starts_with("repository ") && found.expected != found.found, "{found}");
}

#[tokio::test]
async fn a_newer_format_is_told_from_damage() {
    let shelf = shelf().await;
    let seal = |body: &str| format!("{body}\n{{\"blake3\":\"{}\"}}\n", blake3::hash(body.as_bytes()));
    let bytes = shelf.read("repository.json").await;
    let body = String::from_utf8(bytes.split(|byte| *byte == b'\n').next().unwrap().to_vec()).unwrap();
    shelf.put("repository.json", seal(&body.replace("\"format\":1", "\"format\":2"))).await;
    let failed = shelf.restore().await.unwrap_err();
    assert_eq!(failed.kind(), ErrorKind::Unsupported);
    assert!(failed.to_string().starts_with("object \"repository.json\" has format 2, this program reads"), "{failed}");
    shelf.put("repository.json", seal(&body.replace("\"features\":[]", "\"features\":[\"sealed\"]"))).await;
    let failed = shelf.restore().await.unwrap_err();
    assert_eq!(failed.kind(), ErrorKind::Unsupported);
    assert!(failed.to_string().contains("asks for feature \"sealed\""), "{failed}");
}

#[tokio::test]
async fn foreign_files_are_left_alone() {
    let shelf = shelf().await;
    for name in ["readme.txt", "commits/notes.txt", "data/lost+found", "pages/x/y", "commits/00.json"] {
        shelf.put(name, "mine").await;
    }
    assert_eq!(shelf.restore().await.unwrap(), shelf.world);
    let repository = Repository::open(Arc::<InMemory>::clone(&shelf.store)).await.unwrap();
    let plan = repository.sweep_plan(&no_progress()).await.unwrap();
    assert_eq!(plan.objects().count(), 0);
    assert_eq!(plan.foreign(), 2);
}

#[tokio::test]
async fn a_sweep_does_nothing_where_a_manifest_is_damaged() {
    let shelf = shelf().await;
    let name = page(&shelf, "tablets").await;
    shelf.flip(&name, 100).await;
    let repository = Repository::open(Arc::<InMemory>::clone(&shelf.store)).await.unwrap();
    assert_eq!(repository.sweep_plan(&no_progress()).await.unwrap_err().kind(), ErrorKind::Corrupt);
}

#[tokio::test]
async fn a_damaged_base_costs_bytes_and_is_not_inherited() {
    let shelf = shelf().await;
    let name = page(&shelf, "tablets").await;
    shelf.flip(&name, 100).await;
    let repository = Repository::open(Arc::<InMemory>::clone(&shelf.store)).await.unwrap();
    let written = back_up(&repository, "t", &shelf.world).await;
    assert_eq!(written.summary.bytes, written.summary.bytes_sent);
    assert_eq!(restore(&repository, "t").await.unwrap(), shelf.world);
}

#[tokio::test]
async fn no_single_byte_of_a_small_repository_can_change_unseen() {
    let store = Arc::new(InMemory::new());
    let repository = Repository::create(Arc::<InMemory>::clone(&store), "r", 1).await.unwrap();
    let world = world(1, 90);
    back_up(&repository, "s", &world).await;
    let shelf = Shelf { store, world };
    let all: Vec<String> = shelf.store.list(None).map_ok(|meta| meta.location.to_string()).try_collect().await.unwrap();
    let mut seen = 0;
    for name in all {
        let sound = shelf.read(&name).await;
        for at in (0..sound.len()).step_by(7) {
            shelf.flip(&name, at).await;
            let open = Repository::open(Arc::<InMemory>::clone(&shelf.store)).await;
            let failed = match open {
                Ok(repository) => match repository.check_log().await {
                    Ok(_) => restore(&repository, "s").await.err(),
                    Err(failed) => Some(failed),
                },
                Err(failed) => Some(failed),
            };
            let failed = failed.unwrap_or_else(|| panic!("{name} at {at}"));
            assert_eq!(failed.kind(), ErrorKind::Corrupt, "{name} at {at}: {failed}");
            seen += 1;
        }
        shelf.put(&name, sound).await;
    }
    assert!(seen > 500);
}
