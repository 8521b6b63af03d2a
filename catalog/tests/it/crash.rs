//! Every point at which the power can go during a small script, from making the file to compacting it.

use crate::model::Model;
use crate::run;
use catalog::{EmbeddedOptions, EmbeddedStore, Error, ErrorKind, Guard, MetaStore, Revision, Write};
use env::disk::{DirEntry, Disk, DiskFile, MemDisk};
use std::io;
use std::sync::Arc;

const PATH: &str = "meta/catalog.redb";
/// Small, so that trimming is part of what is interrupted.
const HISTORY: u64 = 4;

fn put(key: &str, value: &[u8]) -> Write {
    Write::Put { key: key.to_owned(), value: value.to_vec().into() }
}

fn script() -> Vec<(Vec<Guard>, Vec<Write>)> {
    let absent = |key: &str| Guard::Absent(key.to_owned());
    vec![
        (vec![absent("a")], vec![put("a", b"1"), put("name/a", b"1")]),
        (vec![], vec![put("b", &[7; 20_000])]),
        (vec![absent("a")], vec![put("a", b"never")]),
        (vec![Guard::Unchanged { key: "a".to_owned(), modified: Revision(1) }], vec![put("a", b"2"), put("c", b"2")]),
        (vec![], vec![Write::Delete { key: "name/a".to_owned() }, put("name/b", b"1"), put("a", b"3")]),
        (vec![absent("name/a")], vec![put("name/a", b"4"), Write::Delete { key: "b".to_owned() }]),
        (vec![], vec![put("a", b"5")]),
        (vec![], vec![put("a", &[9; 50_000]), put("c", b"6")]),
    ]
}

async fn open(disk: Arc<dyn Disk>) -> Result<EmbeddedStore, Error> {
    let options = EmbeddedOptions { history_revisions: HISTORY, cache_bytes: 1 << 20, ..EmbeddedOptions::default() };
    EmbeddedStore::open_with(disk, PATH, options).await
}

/// Runs the script until the power goes. The outcomes that are allowed after that, the acknowledged one first.
async fn play(disk: Arc<dyn Disk>) -> Vec<Model> {
    let mut model = Model::new(HISTORY);
    let Ok(store) = open(disk.clone()).await else { return vec![model] };
    for (i, (guards, writes)) in script().into_iter().enumerate() {
        if i == 4 {
            // Through a whole life of the process.
            store.close().await.ok();
            let Ok(again) = open(disk.clone()).await else { return vec![model] };
            return Box::pin(play_on(again, model, i)).await;
        }
        let mut after = model.clone();
        let expected = after.commit(&guards, &writes);
        match (store.commit(guards, writes).await, expected) {
            (Ok(told), Ok(revision)) => assert_eq!(told, revision),
            (Err(Error::Conflict { .. }), Err(_)) => {}
            (Err(failed), _) => return outcomes(&failed, model, after),
            (result, expected) => panic!("{result:?} instead of {expected:?}"),
        }
        model = after;
    }
    vec![model]
}

async fn play_on(store: EmbeddedStore, mut model: Model, from: usize) -> Vec<Model> {
    for (guards, writes) in script().into_iter().skip(from) {
        let mut after = model.clone();
        after.commit(&guards, &writes).unwrap();
        if let Err(failed) = store.commit(guards, writes).await {
            return outcomes(&failed, model, after);
        }
        model = after;
    }
    // Closing writes too, and may be cut as well.
    store.close().await.ok();
    vec![model]
}

fn outcomes(failed: &Error, before: Model, after: Model) -> Vec<Model> {
    if failed.kind() == ErrorKind::Indeterminate {
        return vec![before, after];
    }
    assert_eq!(failed.kind(), ErrorKind::Unavailable, "{failed}");
    vec![before]
}

/// Whether what is found after the crash is one of the allowed outcomes.
async fn judge(disk: &MemDisk, allowed: &[Model]) -> bool {
    let Ok(store) = open(Arc::new(disk.clone())).await else { return false };
    let revision = store.revision().await.unwrap().0;
    let Some(model) = allowed.iter().find(|model| model.revision() == revision) else { return false };
    model.assert_same(&store).await;
    let names: Vec<String> = disk.list("meta").unwrap().into_iter().map(|entry| entry.name).collect();
    assert_eq!(names, ["catalog.redb"], "what was half made is removed");
    true
}

fn total_changes() -> u64 {
    let disk = MemDisk::new();
    run(play(Arc::new(disk.clone())));
    disk.changes()
}

#[test]
fn a_power_cut_at_any_change_keeps_what_was_acknowledged() {
    let total = total_changes();
    assert!(total > 50, "the script changes the disk");
    for changes in 0..total {
        for seed in 0..6 {
            let disk = MemDisk::new();
            disk.cut_after(changes, seed);
            run(async {
                let allowed = play(Arc::new(disk.clone())).await;
                assert!(judge(&disk.reboot(), &allowed).await, "cut after {changes} changes, seed {seed}");
            });
        }
    }
}

#[test]
fn a_second_power_cut_while_recovering_changes_nothing() {
    let total = total_changes();
    for changes in (0..total).step_by(3) {
        for again in 0..12 {
            let disk = MemDisk::new();
            disk.cut_after(changes, changes);
            run(async {
                let allowed = play(Arc::new(disk.clone())).await;
                let disk = disk.reboot();
                disk.cut_after(again, again);
                // Whether it opens before the power goes again or not.
                drop(open(Arc::new(disk.clone())).await.ok());
                let disk = disk.power_cut(again);
                assert!(judge(&disk, &allowed).await, "cut after {changes} changes, then after {again}");
            });
        }
    }
}

/// A disk that says yes to every sync and does nothing.
#[derive(Debug)]
struct Forgetful(MemDisk);

#[derive(Debug)]
struct ForgetfulFile(Arc<dyn DiskFile>);

impl Disk for Forgetful {
    fn create(&self, path: &str) -> io::Result<Arc<dyn DiskFile>> {
        Ok(Arc::new(ForgetfulFile(self.0.create(path)?)))
    }
    fn open(&self, path: &str) -> io::Result<Arc<dyn DiskFile>> {
        Ok(Arc::new(ForgetfulFile(self.0.open(path)?)))
    }
    fn len(&self, path: &str) -> io::Result<u64> {
        self.0.len(path)
    }
    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        self.0.rename(from, to)
    }
    fn rename_dir(&self, from: &str, to: &str) -> io::Result<()> {
        self.0.rename_dir(from, to)
    }
    fn link(&self, from: &str, to: &str) -> io::Result<()> {
        self.0.link(from, to)
    }
    fn remove(&self, path: &str) -> io::Result<()> {
        self.0.remove(path)
    }
    fn remove_dir(&self, path: &str) -> io::Result<()> {
        self.0.remove_dir(path)
    }
    fn create_dir(&self, path: &str) -> io::Result<()> {
        self.0.create_dir(path)
    }
    fn list(&self, dir: &str) -> io::Result<Vec<DirEntry>> {
        self.0.list(dir)
    }
    fn sync_dir(&self, dir: &str) -> io::Result<()> {
        self.0.sync_dir(dir)
    }
    fn read(&self, path: &str) -> io::Result<bytes::Bytes> {
        self.0.read(path)
    }
    fn map(&self, path: &str) -> io::Result<bytes::Bytes> {
        self.0.map(path)
    }
    fn free_bytes(&self) -> io::Result<u64> {
        self.0.free_bytes()
    }
}

impl DiskFile for ForgetfulFile {
    fn len(&self) -> io::Result<u64> {
        self.0.len()
    }
    fn read_at(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.0.read_at(offset, out)
    }
    fn write_at(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.0.write_at(offset, data)
    }
    fn set_len(&self, len_bytes: u64) -> io::Result<()> {
        self.0.set_len(len_bytes)
    }
    fn allocate(&self, len_bytes: u64) -> io::Result<()> {
        self.0.allocate(len_bytes)
    }
    fn start_writeback(&self, offset: u64, len_bytes: u64) {
        self.0.start_writeback(offset, len_bytes);
    }
    fn sync_data(&self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn canary_a_disk_that_does_not_sync_is_caught() {
    let lost = (0..20).filter(|seed| {
        let disk = MemDisk::new();
        run(async {
            let allowed = play(Arc::new(Forgetful(disk.clone()))).await;
            !judge(&disk.power_cut(*seed), &allowed).await
        })
    });
    assert!(lost.count() > 10, "the harness sees commits that were acknowledged and lost");
}
