#![cfg(not(madsim))]

use super::*;
use crate::store::record::CounterRecord;
use bytes::Bytes;
use env::disk::{DirEntry, DiskFile, MemDisk};
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};

/// A disk whose files fail when they are told to.
#[derive(Debug, Clone)]
struct Faulty {
    disk: MemDisk,
    orders: Arc<Orders>,
}

#[derive(Debug, Default)]
struct Orders {
    /// The n-th write from now fails; 0: none.
    write: AtomicU64,
    sync: AtomicU64,
}

fn due(order: &AtomicU64) -> bool {
    order.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1)).is_ok_and(|left| left == 1)
}

impl Disk for Faulty {
    fn create(&self, path: &str) -> io::Result<Arc<dyn DiskFile>> {
        self.disk.create(path)
    }
    fn open(&self, path: &str) -> io::Result<Arc<dyn DiskFile>> {
        Ok(Arc::new(FaultyFile { file: self.disk.open(path)?, orders: Arc::clone(&self.orders) }))
    }
    fn len(&self, path: &str) -> io::Result<u64> {
        self.disk.len(path)
    }
    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        self.disk.rename(from, to)
    }
    fn rename_dir(&self, from: &str, to: &str) -> io::Result<()> {
        self.disk.rename_dir(from, to)
    }
    fn link(&self, from: &str, to: &str) -> io::Result<()> {
        self.disk.link(from, to)
    }
    fn remove(&self, path: &str) -> io::Result<()> {
        self.disk.remove(path)
    }
    fn remove_dir(&self, path: &str) -> io::Result<()> {
        self.disk.remove_dir(path)
    }
    fn create_dir(&self, path: &str) -> io::Result<()> {
        self.disk.create_dir(path)
    }
    fn list(&self, dir: &str) -> io::Result<Vec<DirEntry>> {
        self.disk.list(dir)
    }
    fn sync_dir(&self, dir: &str) -> io::Result<()> {
        self.disk.sync_dir(dir)
    }
    fn read(&self, path: &str) -> io::Result<Bytes> {
        self.disk.read(path)
    }
    fn map(&self, path: &str) -> io::Result<Bytes> {
        self.disk.map(path)
    }
    fn free_bytes(&self) -> io::Result<u64> {
        self.disk.free_bytes()
    }
}

#[derive(Debug)]
struct FaultyFile {
    file: Arc<dyn DiskFile>,
    orders: Arc<Orders>,
}

impl DiskFile for FaultyFile {
    fn len(&self) -> io::Result<u64> {
        self.file.len()
    }
    fn read_at(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.file.read_at(offset, out)
    }
    fn write_at(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        if due(&self.orders.write) {
            return Err(io::Error::new(io::ErrorKind::StorageFull, "no space left"));
        }
        self.file.write_at(offset, data)
    }
    fn set_len(&self, len_bytes: u64) -> io::Result<()> {
        self.file.set_len(len_bytes)
    }
    fn allocate(&self, len_bytes: u64) -> io::Result<()> {
        self.file.allocate(len_bytes)
    }
    fn start_writeback(&self, offset: u64, len_bytes: u64) {
        self.file.start_writeback(offset, len_bytes);
    }
    fn sync_data(&self) -> io::Result<()> {
        if due(&self.orders.sync) {
            return Err(io::Error::other("the device is gone"));
        }
        self.file.sync_data()
    }
}

fn open() -> (Faulty, Journal) {
    let disk = Faulty { disk: MemDisk::new(), orders: Arc::default() };
    disk.create_dir("tablets").unwrap();
    let journal = Journal::open(Arc::new(disk.clone())).unwrap();
    (disk, journal)
}

fn put(key: u64) -> Edits {
    let mut edits = Edits::default();
    edits.put(Table::Counters, &[key], &CounterRecord { next_rowset: key }).unwrap();
    edits
}

fn keys(journal: &Journal) -> Vec<u64> {
    let records = journal.load(Table::Counters).unwrap();
    records.iter().map(|(key, _)| record::numbers::<1>("counter", key).unwrap()[0]).collect()
}

/// Commits a key and says what came of it, and whether memory was changed.
async fn commit(journal: &Journal, key: u64) -> (Result<()>, bool) {
    let applied = Arc::new(AtomicU64::new(0));
    let seen = Arc::clone(&applied);
    let outcome = journal.commit(put(key), move || seen.store(1, Ordering::Relaxed)).await;
    (outcome, applied.load(Ordering::Relaxed) == 1)
}

fn run(body: impl Future<Output = ()>) {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(body);
}

#[test]
fn a_failed_write_changes_nothing_or_everything_and_the_next_commit_succeeds() {
    run(async {
        let mut failures = 0;
        for at in 1..40 {
            let (disk, journal) = open();
            assert!(commit(&journal, 1).await.0.is_ok());
            disk.orders.write.store(at, Ordering::Relaxed);
            let (outcome, applied) = commit(&journal, 2).await;
            disk.orders.write.store(0, Ordering::Relaxed);
            assert_eq!(outcome.is_ok(), applied, "memory follows the file");
            assert_eq!(keys(&journal).contains(&2), applied);
            if let Err(failed) = outcome {
                failures += 1;
                assert_eq!(failed.kind(), ErrorKind::Full, "{failed}");
            }
            assert!(commit(&journal, 3).await.0.is_ok(), "write {at}");
            journal.close().await;
            let again = Journal::open(Arc::new(disk)).unwrap();
            assert_eq!(keys(&again), if applied { vec![1, 2, 3] } else { vec![1, 3] });
        }
        assert!(failures > 0);
    });
}

#[test]
fn after_a_failed_sync_nothing_more_is_promised() {
    run(async {
        let (disk, journal) = open();
        assert!(commit(&journal, 1).await.0.is_ok());
        disk.orders.sync.store(1, Ordering::Relaxed);
        let (outcome, applied) = commit(&journal, 2).await;
        assert!(outcome.is_err() && !applied);
        let (outcome, applied) = commit(&journal, 3).await;
        assert_eq!(outcome.unwrap_err().kind(), ErrorKind::Unavailable);
        assert!(!applied);
    });
}

#[test]
fn changes_asked_for_together_share_transactions() {
    run(async {
        let (_, journal) = open();
        let commits = (0..50).map(|key| journal.commit(put(key), || ()));
        for outcome in futures::future::join_all(commits).await {
            outcome.unwrap();
        }
        assert_eq!(keys(&journal), (0..50).collect::<Vec<_>>());
        let transactions = journal.slot.lock().transactions;
        assert!(transactions < 10, "{transactions} transactions for 50 requests");
    });
}

#[test]
fn a_request_whose_asker_is_gone_is_done_all_the_same() {
    run(async {
        let (_, journal) = open();
        let applied = Arc::new(AtomicU64::new(0));
        let seen = Arc::clone(&applied);
        let asking = journal.commit(put(7), move || seen.store(1, Ordering::Relaxed));
        drop(rt::time::timeout(rt::Duration::ZERO, asking).await);
        commit(&journal, 8).await.0.unwrap();
        assert_eq!((keys(&journal), applied.load(Ordering::Relaxed)), (vec![7, 8], 1));
    });
}
