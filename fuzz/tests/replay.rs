//! The corpora, and a bounded number of random changes of them, on any toolchain.
//!
//! The changes come from a seed that is the same in every run. `FUZZ_ROUNDS=100000` makes more of them, and `FUZZ_SEED` other
//! ones. An input that fails is written to `target/fuzz/<target>/`: mend what it shows, and put it into the corpus.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stderr,
    clippy::cast_possible_truncation,
    reason = "tests"
)]

use std::hash::{DefaultHasher, Hash, Hasher};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use tabularium_fuzz::TARGETS;

const ROUNDS: u64 = 2000;
const INPUT_BYTES_MAX: usize = 64 << 10;

fn here() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn number(variable: &str, default: u64) -> u64 {
    std::env::var(variable).ok().map_or(default, |text| text.parse().expect("a number"))
}

fn files(dir: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(dir).unwrap_or_else(|error| panic!("{}: {error}", dir.display()));
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

fn corpus(target: &str) -> Vec<Vec<u8>> {
    let corpus: Vec<Vec<u8>> =
        files(&here().join("corpus").join(target)).iter().map(|file| std::fs::read(file).unwrap()).collect();
    assert!(!corpus.is_empty(), "{target} has no corpus");
    corpus
}

/// Runs one input; a failing one is kept.
fn check(target: &str, run: fn(&[u8]), input: &[u8]) {
    if let Err(panic) = catch_unwind(AssertUnwindSafe(|| run(input))) {
        let dir = here().join("../target/fuzz").join(target);
        std::fs::create_dir_all(&dir).unwrap();
        let mut hash = DefaultHasher::new();
        input.hash(&mut hash);
        let file = dir.join(format!("crash-{:016x}", hash.finish()));
        std::fs::write(&file, input).unwrap();
        eprintln!(
            "{target} failed on {} bytes, now in {}: {:?}",
            input.len(),
            file.display(),
            input.escape_ascii().to_string()
        );
        std::panic::resume_unwind(panic);
    }
}

/// What often matters: ends of lines and texts, limits of numbers, brackets, NULL.
const TOKENS: &[&[u8]] = &[
    b"\0",
    b"\n",
    b"\r\n",
    b"\"",
    b"'",
    b"`",
    b"\\",
    b"\\N",
    b"/*!",
    b"*/",
    b"--",
    b"-- ",
    b"#",
    b";",
    b"?",
    b",",
    b":",
    b"{",
    b"}",
    b"[",
    b"]",
    b"(",
    b")",
    b"null",
    b"true",
    b"-1",
    b"0",
    b"1e400",
    b"18446744073709551615",
    b"18446744073709551616",
    b"-9223372036854775808",
    b"340282366920938463463374607431768211456",
    b"\xff",
    b"\xff\xff\xff\xff",
    b"\xfe",
    b"\xfb",
    "\u{e4}\u{10ffff}".as_bytes(),
    b"\x7f\xff\xff\xff",
    b"%41",
    b"..",
    b"/",
    b"format\":2",
];

/// A few random changes of an input, some of them taken from another.
fn changed(random: &mut fastrand::Rng, corpus: &[Vec<u8>]) -> Vec<u8> {
    let mut input = corpus[random.usize(..corpus.len())].clone();
    for _ in 0..random.usize(1..=4) {
        let at = random.usize(..=input.len());
        let end = random.usize(at..=input.len().min(at + 64));
        match random.u8(..9) {
            0 if at < input.len() => input[at] ^= 1 << random.u8(..8),
            1 if at < input.len() => input[at] = random.u8(..),
            2 => drop(input.drain(at..end)),
            3 => input.truncate(at),
            4 => {
                let piece = input[at..end].to_vec();
                drop(input.splice(at..at, piece));
            }
            5 | 6 => drop(input.splice(at..at, TOKENS[random.usize(..TOKENS.len())].iter().copied())),
            7 => drop(input.splice(at..end, TOKENS[random.usize(..TOKENS.len())].iter().copied())),
            _ => {
                let other = &corpus[random.usize(..corpus.len())];
                let from = random.usize(..=other.len());
                let to = random.usize(from..=other.len());
                drop(input.splice(at..end, other[from..to].iter().copied()));
            }
        }
    }
    input.truncate(INPUT_BYTES_MAX);
    input
}

#[test]
fn corpora_and_changes_of_them_find_nothing() {
    let (rounds, seed) = (number("FUZZ_ROUNDS", ROUNDS), number("FUZZ_SEED", 7));
    let only = std::env::var("FUZZ_TARGET").ok();
    for (target, run) in TARGETS.iter().filter(|(target, _)| only.as_deref().is_none_or(|only| only == *target)) {
        let corpus = corpus(target);
        check(target, *run, b"");
        for input in &corpus {
            check(target, *run, input);
        }
        let mut random = fastrand::Rng::with_seed(seed);
        for _ in 0..rounds {
            check(target, *run, &changed(&mut random, &corpus));
        }
    }
}

/// A target that is missing somewhere would be one that never runs.
#[test]
fn every_target_has_a_program_and_a_corpus() {
    let mut names: Vec<&str> = TARGETS.iter().map(|(name, _)| *name).collect();
    names.sort_unstable();
    let names_of = |dir: &str| -> Vec<String> {
        let stem = |file: PathBuf| file.file_stem().unwrap().to_str().unwrap().to_owned();
        files(&here().join(dir)).into_iter().map(stem).collect()
    };
    assert_eq!(names_of("fuzz_targets"), names);
    assert_eq!(names_of("corpus"), names);
    let manifest = std::fs::read_to_string(here().join("Cargo.toml")).unwrap();
    for name in names {
        assert!(
            manifest.contains(&format!("[[bin]]\nname = \"{name}\"\npath = \"fuzz_targets/{name}.rs\"\n")),
            "{name}"
        );
    }
}

/// Proves that a failing target is seen.
#[test]
fn a_target_that_panics_fails() {
    let failed = catch_unwind(|| check("canary", |data| assert!(data.len() < 2, "found"), b"ab"));
    assert!(failed.is_err());
    let kept = here().join("../target/fuzz/canary");
    assert_eq!(files(&kept).iter().map(|file| std::fs::read(file).unwrap()).collect::<Vec<_>>(), [b"ab".to_vec()]);
    std::fs::remove_dir_all(kept).unwrap();
}
