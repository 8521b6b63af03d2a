//! `cargo xtask sim`: runs the simulation.

#![expect(clippy::print_stderr, reason = "a command line tool talks to its user")]

use std::process::ExitCode;

#[cfg(madsim)]
fn main() -> ExitCode {
    for seed in 1..=8 {
        let first = tabularium_sim::smoke::run(seed);
        let again = tabularium_sim::smoke::run(seed);
        if first != again {
            eprintln!("seed {seed}: two runs differ\n  {first:?}\n  {again:?}");
            return ExitCode::FAILURE;
        }
        eprintln!("seed {seed}: {first:?}");
    }
    ExitCode::SUCCESS
}

#[cfg(not(madsim))]
fn main() -> ExitCode {
    eprintln!("this is the simulator; it only exists with --cfg madsim: run `cargo xtask sim`");
    ExitCode::FAILURE
}
