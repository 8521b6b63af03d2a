//! Deliberate bugs, which must be found.

use env::canary::Canary;
use std::time::Instant;
use tabularium_sim::plan::Plan;
use tabularium_sim::runner::{self, Run, Work};
use tabularium_sim::trace::Keep;
use tracing::Level;

/// Within how many seeds a bug must be found.
const WITHIN: u64 = 300;

/// What is not found yet, with the reason: open points, told each time.
const OUT_OF_REACH: [(Canary, &str); 3] = [
    (Canary::Unfenced, "needs a second coordinator at work"),
    (Canary::CutByTable, "a load must commit within the few milliseconds between two tables"),
    (Canary::ChecksumIgnored, "few of the bytes that are damaged on their way are rows"),
];

#[expect(clippy::disallowed_methods, reason = "how long it took for real")]
pub(super) fn run() -> bool {
    let mut good = true;
    eprintln!("| deliberate bug | seeds | found as |\n|---|--:|---|");
    for canary in Canary::ALL {
        if let Some((_, why)) = OUT_OF_REACH.iter().find(|(known, _)| *known == canary) {
            eprintln!("| {canary:?} | not tried | {why} |");
            continue;
        }
        let began = Instant::now();
        let keep = Keep { last: 0, print: false, level: Level::INFO };
        let seeds: Vec<u64> = (1..=WITHIN).collect();
        let work =
            |seed: &u64| runner::run(&Run { work: Work::Plan(Box::new(Plan::of(*seed))), canary: Some(canary), keep });
        let mut found = None;
        runner::each(&seeds, work, |seed, ended| {
            found = ended.result.err().map(|wrong| (*seed, wrong));
            found.is_none()
        });
        if let Some((seed, wrong)) = found {
            let line: String = wrong.lines().next().unwrap_or_default().chars().take(100).collect();
            eprintln!("| {canary:?} | {seed} | {line} |");
        } else {
            good = false;
            let seconds = began.elapsed().as_secs_f64();
            eprintln!("| {canary:?} | NOT FOUND within {WITHIN} seeds, {seconds:.0} s | |");
        }
    }
    good
}
