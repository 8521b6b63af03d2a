//! Every boundary of one backup and of one restore: the power goes just before the first, second, third … write, sync or
//! change of a name that the node makes, until a run gets to its end without meeting the cut.
//!
//! Large runs sample such places; here none is left out. What is promised is what is always promised: the rows are there, a
//! snapshot that was acknowledged can be restored, a restore gives all of it or nothing, and nothing is left behind.

use crate::plan::{Plan, Shape};
use crate::world::{self, Seen, World};
use crate::{check, workload};
use env::rt::Duration;
use env::rt::time::sleep;
use serde::Serialize;

/// Which job is cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub enum Script {
    /// A backup of two tables.
    Backup,
    /// A restore over two tables that have other rows by now.
    Restore,
}

/// Where.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Cut {
    /// Changes of the disk that still happen.
    pub after: u64,
    /// What the world is made from.
    pub seed: u64,
}

impl Cut {
    /// Decides what is kept of what was not synced: another choice at each place.
    fn dice(self) -> u64 {
        self.seed ^ self.after.wrapping_mul(0x9e37_79b9_7f4a_7c15)
    }
}

/// Counted when the cut was met.
pub const MET: &str = "boundary met";

fn plan(seed: u64) -> Plan {
    let shape = Shape {
        length_ms: 600_000,
        tables: vec![true, false],
        partitions: 1,
        buckets: 2,
        writers: 1,
        rows: 12,
        pause_ms: 1,
        readers: 0,
        restores: false,
        overwrites: false,
        cancels: 0,
        timeouts: 0,
        drops: 0,
        rivals: false,
        slow_points: 0,
        fences: 0,
        upkeep_every_s: 600,
        tablets_per_task: 2,
        small_bytes: 2_000,
    };
    Plan { seed, shape, faults: Vec::new() }
}

/// One run.
///
/// # Panics
/// When a promise does not hold.
pub async fn run(script: Script, cut: Cut) -> Seen {
    let (world, stage) = world::begin(plan(cut.seed));
    workload::tables::create(&world).await;
    workload::loads::some(&world, 6).await;
    if script == Script::Restore {
        workload::jobs::backup(&world, "s1").await;
        workload::jobs::learn(&world, "s1").await;
        workload::loads::some(&world, 3).await;
    }
    world.machine.disk().cut_after(cut.after, cut.dice());
    let (watched, handle) = (world.clone(), stage.handle.clone());
    let watch = env::rt::spawn(async move { restart_when_dark(&watched, &handle, cut.dice()).await });
    match script {
        Script::Backup => workload::jobs::backup(&world, "s1").await,
        Script::Restore => workload::jobs::restore_over(&world).await,
    }
    watch.abort();
    world.machine.disk().cut_after(u64::MAX, 0);
    world.machine.up().await;
    check::reckoning(&world, &stage.handle).await;
    world::end(&world, &stage)
}

async fn restart_when_dark(world: &World, handle: &madsim::runtime::Handle, seed: u64) {
    loop {
        if world.machine.is_dark() {
            world.reach(MET);
            world.machine.power_cut(handle, seed, Duration::from_millis(5)).await;
            return;
        }
        sleep(Duration::from_millis(1)).await;
    }
}
