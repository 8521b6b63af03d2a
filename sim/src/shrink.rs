//! Leaves out of a failing plan what its failure does not need.

use crate::plan::Plan;
use crate::runner::{self, Run, Work};
use crate::trace::Keep;

/// Runs at most: each costs a part of a second.
const TRIES_MAX: usize = 400;

/// What makes two failures the same one: their words, up to the first number.
fn kind(failure: &str) -> &str {
    failure.split(|letter: char| letter.is_ascii_digit()).next().unwrap_or_default()
}

struct Shrinker<'a> {
    run: &'a Run,
    failure: &'a str,
    tries: usize,
    best: Plan,
}

impl Shrinker<'_> {
    /// Keeps a change if the failure stays.
    fn attempt(&mut self, change: impl FnOnce(&mut Plan)) -> bool {
        let mut next = self.best.clone();
        change(&mut next);
        if next == self.best || self.tries >= TRIES_MAX {
            return false;
        }
        self.tries += 1;
        let keep = Keep { last: 0, print: false, ..self.run.keep };
        let ended = runner::run(&Run { work: Work::Plan(Box::new(next.clone())), canary: self.run.canary, keep });
        let same = ended.result.as_ref().is_err_and(|failure| kind(failure) == kind(self.failure));
        if same {
            self.best = next;
        }
        same
    }

    /// Faults: half of them, a quarter, and so on down to one by one.
    fn faults(&mut self) {
        let mut width = self.best.faults.len();
        while width > 0 {
            let mut at = 0;
            while at < self.best.faults.len() {
                let gone = self.attempt(|plan| {
                    let end = (at + width).min(plan.faults.len());
                    drop(plan.faults.drain(at..end));
                });
                if !gone {
                    at += width;
                }
            }
            width /= 2;
        }
    }

    fn operations(&mut self) {
        let switches: [fn(&mut Plan); 17] = [
            |plan| plan.shape.rivals = false,
            |plan| plan.shape.readers = 0,
            |plan| plan.shape.overwrites = false,
            |plan| plan.shape.restores = false,
            |plan| plan.shape.cancels = 0,
            |plan| plan.shape.timeouts = 0,
            |plan| plan.shape.drops = 0,
            |plan| plan.shape.slow_points = 0,
            |plan| plan.shape.fences = 0,
            |plan| plan.shape.upkeep_every_s = 600,
            |plan| plan.shape.writers = 1,
            |plan| plan.shape.rows = 1,
            |plan| plan.shape.tables.truncate(1),
            |plan| plan.shape.partitions = 1,
            |plan| plan.shape.buckets = 1,
            |plan| plan.shape.pause_ms = plan.shape.pause_ms.saturating_mul(3),
            |plan| plan.shape.length_ms = plan.shape.length_ms * 2 / 3,
        ];
        for switch in switches {
            while self.attempt(switch) {}
        }
    }
}

/// The smallest plan found that fails in the same way, and the number of runs that it took.
pub fn shrink(plan: &Plan, run: &Run, failure: &str) -> (Plan, usize) {
    let mut shrinker = Shrinker { run, failure, tries: 0, best: plan.clone() };
    loop {
        let before = shrinker.best.clone();
        shrinker.faults();
        shrinker.operations();
        if shrinker.best == before || shrinker.tries >= TRIES_MAX {
            return (shrinker.best, shrinker.tries);
        }
    }
}
