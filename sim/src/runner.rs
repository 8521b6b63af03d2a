//! Runs plans: each on a thread of its own, watched by the wall clock, and shrinks those that fail.

use crate::plan::Plan;
use crate::trace::{Keep, Trace};
use crate::world::{self, Seen};
use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

/// A run that makes no progress for so long, in real time, hangs: something blocks the thread that all of the world shares.
const WALL_LIMIT: Duration = Duration::from_secs(120);

/// More virtual time than any run needs.
const VIRTUAL_LIMIT: Duration = Duration::from_hours(12);

/// Runs of one process before another is started: a run that fails is never freed.
const FAILURES_SHRUNK: usize = 200;

/// How a run ended.
#[derive(Debug, Clone)]
pub struct Ended {
    /// One number for all that happened.
    pub hash: u64,
    /// Lines of the trace.
    pub events: u64,
    /// What was seen, or what is wrong.
    pub result: Result<Seen, String>,
    /// The last lines of the trace.
    pub last: Vec<String>,
}

fn text(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().cloned();
    text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned())).unwrap_or_else(|| "a panic".to_owned())
}

/// Runs one plan on a fresh thread: keys of hash tables are drawn once a thread, so a used one would not replay.
#[expect(clippy::disallowed_methods, reason = "one run is one fresh thread")]
pub fn run(plan: &Plan, keep: Keep) -> Ended {
    let (sender, ended) = std::sync::mpsc::channel();
    let plan = plan.clone();
    let seed = plan.seed;
    drop(std::thread::spawn(move || {
        let trace = Trace::new(keep);
        let _collected = tracing::dispatcher::set_default(&trace.dispatch());
        let result = catch_unwind(AssertUnwindSafe(|| {
            let mut runtime = madsim::runtime::Runtime::with_seed_and_config(seed, madsim::Config::default());
            runtime.set_time_limit(VIRTUAL_LIMIT);
            runtime.block_on(world::run(plan))
        }));
        let result = result.map_err(|panic| text(&*panic));
        // The main thread may have given up.
        drop(sender.send(Ended { hash: trace.hash(), events: trace.events(), result, last: trace.last() }));
    }));
    ended.recv_timeout(WALL_LIMIT).unwrap_or_else(|_| {
        let result = Err(format!("it hangs: no end within {WALL_LIMIT:?} of real time"));
        Ended { hash: 0, events: 0, result, last: Vec::new() }
    })
}

/// The plan with all left out that its failure does not need: faults one by one, then clients and switches.
pub fn shrink(plan: &Plan, keep: Keep) -> Plan {
    let fails = |plan: &Plan| run(plan, Keep { last: 0, print: false, ..keep }).result.is_err();
    let mut best = plan.clone();
    let mut tries = 0;
    let mut better = |best: &mut Plan, change: &dyn Fn(&mut Plan)| {
        let mut next = best.clone();
        change(&mut next);
        tries += 1;
        if next != *best && tries <= FAILURES_SHRUNK && fails(&next) {
            *best = next;
            return true;
        }
        false
    };
    let mut at = 0;
    while at < best.faults.len() {
        if !better(&mut best, &|plan: &mut Plan| drop(plan.faults.remove(at))) {
            at += 1;
        }
    }
    let switches: [&dyn Fn(&mut Plan); 10] = [
        &|plan| plan.shape.readers = 0,
        &|plan| plan.shape.restores = false,
        &|plan| plan.shape.overwrites = false,
        &|plan| plan.shape.cancels = 0,
        &|plan| plan.shape.timeouts = 0,
        &|plan| plan.shape.drops = 0,
        &|plan| plan.shape.writers = 1,
        &|plan| plan.shape.tables.truncate(1),
        &|plan| (plan.shape.partitions, plan.shape.buckets) = (1, 1),
        &|plan| plan.shape.length_ms /= 2,
    ];
    for switch in switches {
        better(&mut best, switch);
    }
    best
}
