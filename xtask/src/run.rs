//! Starting cargo: in the ordinary mode, and in the simulator's.

use anyhow::{Context, Result, bail};
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The top of the source tree.
pub(crate) fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().unwrap_or(here).to_path_buf()
}

/// A cargo command at the top of the tree.
pub(crate) fn cargo<I: IntoIterator<Item = S>, S: AsRef<OsStr>>(arguments: I) -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(root()).args(arguments);
    command
}

/// Runs a command that must succeed, after saying what it is.
pub(crate) fn must(command: &mut Command) -> Result<()> {
    let words: Vec<_> = command.get_args().map(|word| word.to_string_lossy()).collect();
    let program = command.get_program().to_string_lossy();
    let shown = format!("{} {}", program.rsplit('/').next().unwrap_or(&program), words.join(" "));
    eprintln!("\n$ {shown}");
    let status = command.status().with_context(|| format!("cannot start `{shown}`"))?;
    if !status.success() {
        bail!("`{shown}` failed: {status}");
    }
    Ok(())
}

pub(crate) fn demo(arguments: &[&str]) -> Result<()> {
    must(cargo(["run", "--package", "tabularium", "--", "demo"]).args(arguments))
}

pub(crate) fn bench(arguments: &[&str]) -> Result<()> {
    must(cargo(["run", "--release", "--package", "tabularium-benches", "--"]).args(arguments))
}

/// Cargo for the simulator: the same sources with `--cfg madsim`, in a target directory of their own. The flag is set
/// here and nowhere else, so that no outer RUSTFLAGS can drop it and leave a simulation that tests nothing.
pub(crate) fn simulated<I: IntoIterator<Item = S>, S: AsRef<OsStr>>(arguments: I) -> Command {
    let mut flags: Vec<String> =
        std::env::var("RUSTFLAGS").unwrap_or_default().split_whitespace().map(str::to_owned).collect();
    flags.extend(["--cfg".to_owned(), "madsim".to_owned()]);
    let mut command = cargo(arguments);
    command
        .env_remove("RUSTFLAGS")
        .env("CARGO_ENCODED_RUSTFLAGS", flags.join("\u{1f}"))
        .env("CARGO_TARGET_DIR", root().join("target").join("sim"));
    command
}

/// The commit of the source tree, for the line that repeats a failure.
fn commit() -> String {
    let said = Command::new("git").current_dir(root()).args(["describe", "--always", "--dirty"]).output();
    let said = said.ok().filter(|said| said.status.success());
    said.map_or_else(|| "unknown".to_owned(), |said| String::from_utf8_lossy(&said.stdout).trim().to_owned())
}

pub(crate) fn simulate(arguments: &[&str]) -> Result<()> {
    // What the simulator does not run has to compile for it all the same.
    must(&mut simulated(["check", "--profile", "sim", "--workspace", "--exclude", "xtask"]))?;
    let run = ["run", "--profile", "sim", "--package", "tabularium-sim", "--"];
    must(simulated(run).env("TABULARIUM_COMMIT", commit()).args(arguments))
}
