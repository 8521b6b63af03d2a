//! The smallest run: the embedded catalog, as it ships, on a heap disk and virtual time.

use env::disk::{Disk, MemDisk};
use env::rt::time::Instant;
use std::sync::Arc;

/// What a run saw; equal for equal seeds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// Revision of the catalog at the end.
    pub revision: u64,
    /// Virtual time that passed, in microseconds.
    pub virtual_us: u128,
    /// Writes, syncs and name changes of the disk.
    pub disk_changes: u64,
}

/// Runs the catalog's conformance suite in a world made from `seed`.
///
/// # Panics
/// When the suite fails, or the simulated world cannot start: that is what a simulation is for.
#[expect(clippy::disallowed_methods, reason = "one seed is one fresh thread: hash keys are drawn once a thread")]
#[expect(clippy::expect_used, reason = "a failed run ends the simulation")]
pub fn run(seed: u64) -> Seen {
    let world = std::thread::spawn(move || {
        let runtime = madsim::runtime::Runtime::with_seed_and_config(seed, madsim::Config::default());
        runtime.block_on(catalog(seed))
    });
    world.join().expect("the simulated world ends in order")
}

#[expect(clippy::expect_used, reason = "a failed run ends the simulation")]
async fn catalog(seed: u64) -> Seen {
    let began = Instant::now();
    let disk = MemDisk::new();
    let shared: Arc<dyn Disk> = Arc::new(disk.clone());
    let store = catalog::EmbeddedStore::open(shared, "catalog").await.expect("a new catalog opens");
    catalog::conformance::check(&store, "smoke").await;
    let revision = catalog::MetaStore::revision(&store).await.expect("a revision");
    drop(store);
    // What the suite was told is durable must survive the loss of power.
    let after: Arc<dyn Disk> = Arc::new(disk.power_cut(seed));
    let store = catalog::EmbeddedStore::open(after, "catalog").await.expect("the catalog opens after a power cut");
    let again = catalog::MetaStore::revision(&store).await.expect("a revision");
    assert_eq!(revision, again, "acknowledged commits are gone");
    Seen { revision: revision.0, virtual_us: began.elapsed().as_micros(), disk_changes: disk.changes() }
}
