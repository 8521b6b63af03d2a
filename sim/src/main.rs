//! `cargo xtask sim`: runs the simulation.

#![expect(clippy::print_stderr, reason = "a command line tool talks to its user")]

use std::process::ExitCode;

#[cfg(madsim)]
mod command;

#[cfg(madsim)]
fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match command::run(&words) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(wrong) => {
            eprintln!("{wrong}\n\n{}", command::USAGE);
            ExitCode::from(2)
        }
    }
}

#[cfg(not(madsim))]
fn main() -> ExitCode {
    eprintln!("this is the simulator; it only exists with --cfg madsim: run `cargo xtask sim`");
    ExitCode::FAILURE
}
