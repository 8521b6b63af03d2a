//! Throughput of Tabularium against limits and peers, measured in one run.
//!
//! Absolute figures move by a factor of two between hours on a shared machine; ratios taken side by side do not. So
//! each case runs its peer in the same rounds, turns about, and prints medians with their spread.

#![expect(clippy::print_stdout, reason = "the report goes to standard output")]
#![expect(clippy::cast_precision_loss, reason = "rates and ratios for people")]

mod backup;
mod files;
mod pin;
mod sample;

use anyhow::{Result, bail};
use std::path::PathBuf;

const USAGE: &str = "usage: cargo xtask bench NAME [--bytes N] [--rounds N] [--dir D]

  backup   copy N bytes (default 4 GiB) of segments into a local repository, synced and with checksums,
           against `cp -r` followed by `sync` on the same files
  pin      pin a database of 1,000 tablets, holding 10 MB and 1 GB: the time may not grow with the bytes
  list     this text
";

/// What a case is asked to do.
struct Asked {
    bytes: Option<u64>,
    rounds: usize,
    dir: PathBuf,
}

fn asked(mut words: std::iter::Skip<std::env::Args>) -> Result<(String, Asked)> {
    let name = words.next().unwrap_or_else(|| "list".to_owned());
    let mut asked = Asked { bytes: None, rounds: 3, dir: PathBuf::from("target/bench") };
    while let Some(flag) = words.next() {
        let Some(value) = words.next() else { bail!("{flag} takes a value\n\n{USAGE}") };
        match flag.as_str() {
            "--bytes" => asked.bytes = Some(value.parse()?),
            "--rounds" => asked.rounds = value.parse::<usize>()?.max(1),
            "--dir" => asked.dir = value.into(),
            other => bail!("no option {other}\n\n{USAGE}"),
        }
    }
    Ok((name, asked))
}

fn main() -> Result<()> {
    let (name, asked) = asked(std::env::args().skip(1))?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    match name.as_str() {
        "backup" => runtime.block_on(backup::run(&asked)),
        "pin" => runtime.block_on(pin::run(&asked)),
        "list" => {
            print!("{USAGE}");
            Ok(())
        }
        unknown => bail!("no benchmark {unknown:?}\n\n{USAGE}"),
    }
}
