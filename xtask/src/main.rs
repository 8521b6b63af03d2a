//! `cargo xtask`: the one door for everything that is checked, run or measured here. What CI runs, a person runs.

#![expect(clippy::print_stderr, reason = "a command line tool talks to its user")]

mod checks;
mod clients;
mod run;
mod servers;

use anyhow::{Result, bail};
use std::process::ExitCode;

const USAGE: &str = "usage: cargo xtask COMMAND

  demo [ARGS]      back up, destroy and restore a real database, and prove it (ARGS go to `tabularium demo`)
  test             lint, test unit, sim, test clients and test servers: what has to pass before a change lands
  test unit        the tests of every crate, documentation examples among them
  test sql         statements with what they answer (node/tests/scripts), against the embedded engine and over the wire
  test clients     stock clients (mariadb, PyMySQL, Connector/Python, SQLAlchemy) against a server, DuckDB and pyarrow on
                   an export; those absent are skipped, with a word
  test servers     repositories on the object stores of others, started on loopback and ended again, and ten processes
                   that share a repository for 20 seconds, or for a minute with --long
  lint             formatting, clippy and rustdoc without a warning, rules about the dependency graph
  sim [ARGS]       run the simulation (--cfg madsim); --seeds N, --seed S --trace, --canaries
  bench [NAME]     throughput against limits and peers, in release mode (`cargo xtask bench list` names them)
  clients install  install what `test clients` uses (Debian packages and PyPI)
  servers install  install the object stores that `test servers` uses into target/servers (PyPI, npm, crates.io)
";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match dispatch(&words) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failed) => {
            eprintln!("xtask: {failed:#}");
            ExitCode::FAILURE
        }
    }
}

fn dispatch(words: &[&str]) -> Result<()> {
    match words {
        ["demo", rest @ ..] => run::demo(rest),
        ["test"] => {
            checks::lint()?;
            checks::unit()?;
            run::simulate(&[])?;
            clients::test()?;
            servers::test(false)
        }
        ["test", "unit"] => checks::unit(),
        ["test", "sql"] => checks::sql(),
        ["test", "clients"] => clients::test(),
        ["test", "servers"] => servers::test(false),
        ["test", "servers", "--long"] => servers::test(true),
        ["lint"] => checks::lint(),
        ["sim", rest @ ..] => run::simulate(rest),
        ["bench", rest @ ..] => run::bench(rest),
        ["clients", "install"] => clients::install(),
        ["servers", "install"] => servers::install(),
        [] | ["help" | "--help" | "-h", ..] => {
            eprint!("{USAGE}");
            Ok(())
        }
        [unknown, ..] => bail!("no command {unknown:?}\n\n{USAGE}"),
    }
}
