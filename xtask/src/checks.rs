//! What has to hold for every change.

use crate::run::{cargo, must, root};
use anyhow::{Context, Result, bail};
use std::collections::BTreeSet;

/// Crates that may not reach below `node`: what a backup copies is copied raw, and the heavy query engine stays where
/// it is used.
const ONLY_IN_NODE: [&str; 3] = ["zstd-sys", "datafusion", "brotli"];
const BELOW_NODE: [&str; 5] =
    ["tabularium-env", "tabularium-catalog", "tabularium-tablet", "tabularium-repository", "tabularium-snapshot"];

pub(crate) fn lint() -> Result<()> {
    must(&mut cargo(["fmt", "--all", "--check"]))?;
    must(&mut cargo(["clippy", "--workspace", "--all-targets", "--", "--deny", "warnings"]))?;
    must(cargo(["doc", "--workspace", "--no-deps"]).env("RUSTDOCFLAGS", "--deny warnings"))?;
    dependencies()?;
    built_once()?;
    runtime_names()
}

pub(crate) fn unit() -> Result<()> {
    must(&mut cargo(["test", "--workspace"]))
}

/// The statement scripts alone; `unit` has them too.
pub(crate) fn sql() -> Result<()> {
    must(&mut cargo(["test", "--workspace", "--test", "scripts"]))
}

fn dependencies() -> Result<()> {
    eprintln!("\n$ the dependency graph below node");
    for package in BELOW_NODE {
        let output = cargo(["tree", "--package", package, "--edges", "normal", "--prefix", "none"]).output()?;
        let tree = String::from_utf8_lossy(&output.stdout).into_owned();
        if !output.status.success() {
            bail!("cargo tree failed for {package}: {}", String::from_utf8_lossy(&output.stderr));
        }
        for banned in ONLY_IN_NODE {
            if tree.lines().any(|line| line.split(' ').next() == Some(banned)) {
                bail!("{package} depends on {banned}; only node may (see docs/decisions)");
            }
        }
    }
    Ok(())
}

/// The program's dependencies with their features, as a build of `packages` would have them.
fn features(packages: &[&str], edges: &str) -> Result<BTreeSet<String>> {
    let output =
        cargo(["tree", "--prefix", "none", "--format", "{p} [{f}]", "--edges", edges]).args(packages).output()?;
    if !output.status.success() {
        bail!("cargo tree failed: {}", String::from_utf8_lossy(&output.stderr));
    }
    let lines = String::from_utf8_lossy(&output.stdout);
    Ok(lines.lines().map(|line| line.trim_end_matches(" (*)").to_owned()).filter(|line| !line.is_empty()).collect())
}

/// A feature that only the tests switch on would have the query engine built twice, ten minutes each.
fn built_once() -> Result<()> {
    eprintln!("\n$ the features of the program, alone and beside the tests");
    let tested = features(&["--workspace"], "normal,build,dev")?;
    let alone = features(&["--package", "tabularium"], "normal,build")?;
    let different: Vec<&str> = alone.difference(&tested).map(String::as_str).collect();
    if !different.is_empty() {
        bail!(
            "built alone, the program has dependencies with other features than in a build of everything, so they and \
             all that needs them are built twice; switch the same features on in Cargo.toml: {}",
            different.join(", ")
        );
    }
    Ok(())
}

/// Only `env` chooses the runtime: elsewhere tokio is named by nothing but the parts of `node` that never run in the
/// simulator.
fn runtime_names() -> Result<()> {
    eprintln!("\n$ who names the runtime");
    for package in ["catalog", "tablet", "repository", "snapshot", "sim"] {
        let manifest = root().join(package).join("Cargo.toml");
        let text = std::fs::read_to_string(&manifest).with_context(|| manifest.display().to_string())?;
        // Tests run on real tokio and may name it.
        let shipped = text.split("[dev-dependencies]").next().unwrap_or(&text);
        if shipped.lines().any(|line| line.starts_with("tokio.") || line.starts_with("tokio =")) {
            bail!("{package}/Cargo.toml names tokio; use env::rt, which the simulator replaces");
        }
    }
    Ok(())
}
