//! Runs worlds: each on a thread of its own, watched by the wall clock; several beside each other.

use crate::boundaries::{self, Script};
use crate::plan::Plan;
use crate::trace::{Keep, Trace};
use crate::world::{self, Seen};
use env::canary::{self, Canary};
use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

/// A run that makes no progress for so long, in real time, hangs: something blocks the thread that all of the world shares.
const WALL_LIMIT: Duration = Duration::from_mins(1);

/// More virtual time than any run needs.
const VIRTUAL_LIMIT: Duration = Duration::from_hours(12);

/// What a world is made from.
#[derive(Debug, Clone)]
pub enum Work {
    /// A plan, drawn from a seed or read from a file.
    Plan(Box<Plan>),
    /// One backup or restore that loses its power at one place.
    Boundary(Script, boundaries::Cut),
}

/// A run, to be done.
#[derive(Debug, Clone)]
pub struct Run {
    /// What it is made from.
    pub work: Work,
    /// A deliberate bug in it.
    pub canary: Option<Canary>,
    /// How its trace is kept.
    pub keep: Keep,
}

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

/// Keeps panics from printing themselves: a failed run is told about by whoever asked for it, and a canary's not at all.
pub fn quiet() {
    std::panic::set_hook(Box::new(|_| ()));
}

/// Runs one world on a fresh thread: keys of hash tables are drawn once a thread, so a used one would not replay.
#[expect(clippy::disallowed_methods, reason = "one run is one fresh thread")]
pub fn run(run: &Run) -> Ended {
    // Drawn once a process: not inside the first world, where it would take random numbers that the second one has.
    let _drawn: ahash::RandomState = ahash::RandomState::new();
    let (sender, ended) = std::sync::mpsc::channel();
    let run = run.clone();
    drop(std::thread::spawn(move || {
        let trace = Trace::new(run.keep);
        let _collected = tracing::dispatcher::set_default(&trace.dispatch());
        canary::choose(run.canary);
        let result = catch_unwind(AssertUnwindSafe(|| {
            let seed = match &run.work {
                Work::Plan(plan) => plan.seed,
                Work::Boundary(_, cut) => cut.seed,
            };
            let mut runtime = madsim::runtime::Runtime::with_seed_and_config(seed, madsim::Config::default());
            runtime.set_time_limit(VIRTUAL_LIMIT);
            match run.work {
                Work::Plan(plan) => runtime.block_on(world::run(*plan)),
                Work::Boundary(script, cut) => runtime.block_on(boundaries::run(script, cut)),
            }
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

/// Runs a world twice; the second ending must be the first one's.
pub fn run_twice(twice: &Run) -> (Ended, bool) {
    let (first, second) = (run(twice), run(twice));
    let same = (first.hash, first.events) == (second.hash, second.events);
    (first, same)
}

/// Does work for each item on as many threads as there are processors, and tells of each when it is done, in order.
pub fn each<T: Sync, R: Send>(items: &[T], work: impl Fn(&T) -> R + Sync, mut tell: impl FnMut(&T, R) -> bool) {
    let threads = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let (work, next, stop) =
        (&work, &std::sync::atomic::AtomicUsize::new(0), &std::sync::atomic::AtomicBool::new(false));
    let order = std::sync::atomic::Ordering::Relaxed;
    std::thread::scope(|scope| {
        let (sender, done) = std::sync::mpsc::channel();
        for _ in 0..threads {
            let sender = sender.clone();
            scope.spawn(move || {
                while !stop.load(order) {
                    let at = next.fetch_add(1, order);
                    let Some(item) = items.get(at) else { return };
                    if sender.send((at, work(item))).is_err() {
                        return;
                    }
                }
            });
        }
        drop(sender);
        let mut waiting = std::collections::BTreeMap::new();
        let mut told = 0;
        while let Ok((at, result)) = done.recv() {
            waiting.insert(at, result);
            while let (Some(result), Some(item)) = (waiting.remove(&told), items.get(told)) {
                told += 1;
                if !tell(item, result) {
                    stop.store(true, order);
                    return;
                }
            }
        }
    });
}
