//! What a run will do: sizes, workloads and faults, drawn from the seed before the world starts. A plan is data: it can be
//! printed, replayed with parts left out, and shrunk.

use crate::bucket::Lies;
use crate::disk::DiskLies;
use crate::points::POINTS;
use serde::{Deserialize, Serialize};

/// A whole run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// Where the randomness inside the run comes from as well.
    pub seed: u64,
    /// Sizes and workloads.
    pub shape: Shape,
    /// Faults, by the time at which they begin.
    pub faults: Vec<Timed>,
}

/// How large the world is and what goes on in it. Each seed draws its own mix (swarm testing: Groce et al., ISSTA 2012), so
/// that one kind of trouble does not always hide another.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Shape {
    /// Virtual time in which faults and workloads begin new things.
    pub length_ms: u64,
    /// Tables; true for a Primary Key table, false for a Duplicate Key table.
    pub tables: Vec<bool>,
    /// Range partitions of each table.
    pub partitions: u32,
    /// Buckets of each partition.
    pub buckets: u32,
    /// Clients that load.
    pub writers: usize,
    /// Rows of one load, at most.
    pub rows: usize,
    /// Pause of a writer between loads, at most.
    pub pause_ms: u64,
    /// Clients that read all tables at one revision.
    pub readers: usize,
    /// Whether snapshots are restored into new databases while the world runs.
    pub restores: bool,
    /// Whether they are restored over the tables that they were taken of.
    pub overwrites: bool,
    /// Chance in hundred that a job is cancelled.
    pub cancels: u32,
    /// Chance in hundred that a job has a time limit that it may not keep.
    pub timeouts: u32,
    /// Chance in hundred that a snapshot is dropped again, and the repository swept.
    pub drops: u32,
    /// Whether a second operator works beside the first, against whom the first's jobs must be kept apart.
    pub rivals: bool,
    /// Chance in hundred that a job is held up for a while where it passes from one thing to the next.
    pub slow_points: u32,
    /// Chance in hundred, each half second, that somebody else ends a session of the repository and sweeps.
    #[serde(default)]
    pub fences: u32,
    /// How often the repository is looked after.
    pub upkeep_every_s: u64,
    /// Tablets of one task.
    pub tablets_per_task: usize,
    /// Files up to this length share objects.
    pub small_bytes: u64,
}

/// A fault and its time.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Timed {
    /// From the start of the run.
    pub at_ms: u64,
    /// What happens.
    pub fault: Fault,
}

/// What may happen to the world. `docs/faults.md` says what is promised for each.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub enum Fault {
    /// The machine loses power; what was not synced is kept, lost or torn.
    PowerCut {
        /// How long it stays off.
        down_ms: u64,
    },
    /// The same, just before the n-th change of the disk from now: in the middle of what is one step otherwise.
    PowerCutInside {
        /// Writes, syncs and changes of names until then.
        changes: u64,
        /// How long it stays off.
        down_ms: u64,
    },
    /// The process is killed; what it wrote stays.
    Kill {
        /// How long it stays away.
        down_ms: u64,
    },
    /// Power cut or kill, when a job comes to a point.
    At {
        /// Which: an index into [`POINTS`].
        point: usize,
        /// When what begins there is done, not when it begins.
        done: bool,
        /// Whether power goes, too.
        power: bool,
        /// How long the machine stays off.
        down_ms: u64,
    },
    /// The process is ended in order and started again.
    Restart,
    /// The object store lies for a while.
    Bucket {
        /// How.
        lies: Lies,
        /// How long.
        for_ms: u64,
    },
    /// The node's disk fails for a while; an operator restarts the process afterwards.
    Disk {
        /// How.
        lies: DiskLies,
        /// How long.
        for_ms: u64,
    },
    /// The node's disk has so little space left for a while.
    Full {
        /// Bytes that can still be written.
        free_bytes: u64,
        /// How long.
        for_ms: u64,
    },
}

impl Fault {
    /// Its kind, for tables of what was reached.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::PowerCut { .. } => "power cut",
            Self::PowerCutInside { .. } => "power cut inside",
            Self::Kill { .. } => "kill",
            Self::At { power: true, .. } => "power cut at a point",
            Self::At { power: false, .. } => "kill at a point",
            Self::Restart => "restart",
            Self::Bucket { .. } => "bucket",
            Self::Disk { .. } => "disk",
            Self::Full { .. } => "disk full",
        }
    }
}

/// A generator of its own for the plan: drawing one more number in the world does not change the plan.
fn dice(seed: u64) -> fastrand::Rng {
    fastrand::Rng::with_seed(seed ^ 0x7461_6275_6c61_7269)
}

impl Plan {
    /// The plan of a seed.
    pub fn of(seed: u64) -> Self {
        let mut dice = dice(seed);
        let tables = (0..dice.usize(1..=3)).map(|_| dice.bool()).collect();
        let length_ms = dice.u64(5_000..60_000);
        let shape = Shape {
            length_ms,
            tables,
            partitions: dice.u32(1..=3),
            buckets: dice.u32(1..=3),
            writers: dice.usize(1..=4),
            rows: dice.usize(1..=30),
            pause_ms: dice.u64(1..2_000),
            readers: dice.usize(0..=2),
            restores: dice.bool(),
            overwrites: dice.bool(),
            cancels: if dice.bool() { dice.u32(0..60) } else { 0 },
            timeouts: if dice.bool() { dice.u32(0..40) } else { 0 },
            drops: if dice.bool() { dice.u32(0..80) } else { 0 },
            rivals: dice.bool(),
            slow_points: if dice.bool() { dice.u32(0..60) } else { 0 },
            fences: if dice.u32(0..3) == 0 { dice.u32(1..40) } else { 0 },
            upkeep_every_s: if dice.bool() { dice.u64(2..30) } else { 600 },
            tablets_per_task: dice.usize(1..=8),
            small_bytes: if dice.bool() { 512 << 10 } else { dice.u64(0..4_000) },
        };
        let faults = faults(&mut dice, length_ms);
        Self { seed, shape, faults }
    }

    /// Whether reads and loads may fail for want of a working disk.
    pub fn hurts_disk(&self) -> bool {
        self.faults.iter().any(|timed| matches!(timed.fault, Fault::Disk { .. } | Fault::Full { .. }))
    }

    /// Whether bytes may be damaged between the object store and the node.
    pub fn damages_bodies(&self) -> bool {
        self.faults
            .iter()
            .any(|timed| matches!(timed.fault, Fault::Bucket { lies, .. } if lies.truncated > 0 || lies.flipped > 0))
    }
}

/// A chance that is often nothing and sometimes a lot.
fn knob(dice: &mut fastrand::Rng, most: u32) -> u32 {
    if dice.bool() { 0 } else { dice.u32(0..=most) }
}

fn faults(dice: &mut fastrand::Rng, length_ms: u64) -> Vec<Timed> {
    let on: Vec<u32> = (0..8).filter(|_| dice.bool()).collect();
    let mut faults = Vec::new();
    for _ in 0..dice.u32(0..12) {
        let Some(kind) = dice.choice(&on) else { break };
        let for_ms = dice.u64(200..20_000);
        let fault = match kind {
            0 => Fault::PowerCut { down_ms: dice.u64(0..5_000) },
            1 => Fault::PowerCutInside { changes: dice.u64(0..60), down_ms: dice.u64(0..5_000) },
            2 => Fault::Restart,
            3 => {
                let lies = Lies {
                    before: knob(dice, 400),
                    after: knob(dice, 200),
                    late: knob(dice, 150),
                    slow: knob(dice, 400),
                    conflict: knob(dice, 300),
                    truncated: knob(dice, 60),
                    flipped: knob(dice, 30),
                    stale: knob(dice, 500),
                };
                Fault::Bucket { lies, for_ms }
            }
            4 => {
                let lies = DiskLies { read: knob(dice, 20), write: knob(dice, 20), sync: knob(dice, 20) };
                Fault::Disk { lies, for_ms }
            }
            5 => Fault::Kill { down_ms: dice.u64(0..5_000) },
            6 => Fault::At {
                point: dice.usize(0..POINTS.len()),
                done: dice.bool(),
                power: dice.bool(),
                down_ms: dice.u64(0..3_000),
            },
            _ => Fault::Full { free_bytes: dice.u64(0..200_000), for_ms },
        };
        faults.push(Timed { at_ms: dice.u64(0..length_ms), fault });
    }
    faults.sort_by_key(|timed| timed.at_ms);
    faults
}
