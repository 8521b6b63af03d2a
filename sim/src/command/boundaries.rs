//! The enumerated scenarios.

use super::commit;
use std::time::Instant;
use tabularium_sim::boundaries::{Cut, MET, Script};
use tabularium_sim::runner::{self, Run, Work};
use tabularium_sim::trace::Keep;
use tracing::Level;

/// No script has more boundaries.
const BOUNDARIES_MAX: u64 = 5_000;

#[expect(clippy::disallowed_methods, reason = "how long it took for real")]
pub(super) fn run() -> bool {
    let mut good = true;
    for script in [Script::Backup, Script::Restore] {
        let began = Instant::now();
        let cuts: Vec<Cut> = (0..BOUNDARIES_MAX).map(|after| Cut { after, seed: 1 }).collect();
        let (mut met, mut bad) = (0u64, 0u64);
        let work = |cut: &Cut| {
            let keep = Keep { last: 0, print: false, level: Level::INFO };
            runner::run(&Run { work: Work::Boundary(script, *cut), canary: None, keep })
        };
        runner::each(&cuts, work, |cut, ended| match ended.result {
            // The job ended before the cut: there are no more boundaries.
            Ok(seen) if !seen.points.contains_key(MET) => false,
            Ok(_) => {
                met += 1;
                true
            }
            Err(wrong) => {
                met += 1;
                bad += 1;
                eprintln!("{script:?} cut after {} changes FAILED at commit {}: {wrong}", cut.after, commit());
                bad < 10
            }
        });
        eprintln!(
            "{script:?}: {met} boundaries, each met by a power cut, {bad} failed; {:.1} s",
            began.elapsed().as_secs_f64()
        );
        good &= bad == 0 && met > 0;
    }
    good
}
