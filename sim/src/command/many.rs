//! Many seeds, each twice.

use super::{Asked, coverage, failed};
use std::collections::BTreeSet;
use std::time::{Duration, Instant};
use tabularium_sim::plan::Plan;
use tabularium_sim::runner::{self, Run, Work};
use tabularium_sim::trace::Keep;
use tabularium_sim::world::Seen;

/// So many failures are told of; what follows seldom says more.
const FAILURES_MAX: usize = 20;

#[expect(clippy::disallowed_methods, reason = "how long it took for real")]
pub(super) fn run(asked: &Asked, seeds: u64) -> bool {
    let began = Instant::now();
    let keep = Keep { last: 0, print: false, level: asked.level };
    let all: Vec<u64> = (asked.from..asked.from.saturating_add(seeds)).collect();
    let (mut total, mut bad, mut differ, mut done) = (Seen::default(), BTreeSet::new(), BTreeSet::new(), 0u64);
    let work = |seed: &u64| {
        let run = Run { work: Work::Plan(Box::new(Plan::of(*seed))), canary: asked.canary, keep };
        if asked.once { (runner::run(&run), true) } else { runner::run_twice(&run) }
    };
    runner::each(&all, work, |seed, (ended, same)| {
        done += 1;
        if !same {
            eprintln!("seed {seed}: two runs differ");
            differ.insert(*seed);
        }
        match &ended.result {
            Ok(seen) => total.add(seen),
            Err(wrong) => {
                failed(*seed, wrong);
                bad.insert(*seed);
            }
        }
        bad.len() + differ.len() < FAILURES_MAX
    });
    let seconds = began.elapsed().as_secs_f64();
    eprintln!(
        "{done} seeds from {}{}: {} failed, {} did not replay; {:.1} virtual hours in {seconds:.1} s, {:.1} seeds a second",
        asked.from,
        if asked.once { "" } else { ", each twice" },
        bad.len(),
        differ.len(),
        Duration::from_millis(total.virtual_ms).as_secs_f64() / 3_600.0,
        Duration::from_secs(done).as_secs_f64() / seconds
    );
    eprintln!(
        "{} loads, {} snapshots, {} restores, {} reads checked; {} requests to the store, {} met a lie",
        total.loads, total.snapshots, total.restores, total.reads, total.requests, total.lies
    );
    if asked.coverage {
        coverage::print(&total);
    }
    bad.is_empty() && differ.is_empty()
}
