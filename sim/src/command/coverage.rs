//! The table of what was reached.

use std::collections::BTreeSet;
use tabularium_sim::points::STATES;
use tabularium_sim::world::Seen;

/// Prints how often each job state met each fault, and everything else that was counted.
pub(super) fn print(total: &Seen) {
    let pairs = || total.points.iter().filter_map(|(point, times)| Some((point.split_once(" | ")?, times)));
    let kinds: BTreeSet<&str> = pairs().map(|((_, kind), _)| kind).collect();
    eprintln!("\n| state | {} |", kinds.iter().copied().collect::<Vec<_>>().join(" | "));
    eprintln!("|---|{}", "--:|".repeat(kinds.len()));
    let (mut cells, mut empty) = (0, 0);
    for state in STATES {
        let times = |kind: &&str| total.points.get(&format!("{state} | {kind}")).copied().unwrap_or(0);
        let counts: Vec<u64> = kinds.iter().map(times).collect();
        cells += counts.len();
        empty += counts.iter().filter(|times| **times == 0).count();
        let counts: Vec<String> = counts.iter().map(u64::to_string).collect();
        eprintln!("| {state} | {} |", counts.join(" | "));
    }
    eprintln!("\n{empty} of {cells} cells are empty");
    for (point, times) in total.points.iter().filter(|(point, _)| !point.contains(" | ")) {
        eprintln!("{times:>9}  {point}");
    }
}
