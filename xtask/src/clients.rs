//! Programs that are not ours: the `mariadb` command line client, PyMySQL, MySQL Connector/Python and SQLAlchemy against a
//! server that this starts and ends, DuckDB and pyarrow on what `tabularium repo export` wrote.

use crate::run::{cargo, must, root};
use anyhow::{Result, bail};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// What a client of Python is called on PyPI, and in Python.
const PYTHON_CLIENTS: [(&str, &str); 3] = [
    ("PyMySQL==1.2.4", "pymysql"),
    ("mysql-connector-python==26.10.0", "mysql.connector"),
    ("SQLAlchemy==2.1.9", "sqlalchemy"),
];

/// A private place for the Python clients, so that nothing on the machine changes.
fn environment() -> PathBuf {
    root().join("target").join("clients")
}

fn python() -> PathBuf {
    environment().join("bin").join("python")
}

fn works(command: &mut Command) -> bool {
    command.stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok_and(|status| status.success())
}

fn client() -> Option<&'static str> {
    ["mariadb", "mysql"].into_iter().find(|name| works(Command::new(name).arg("--version")))
}

fn has(python: &Path, module: &str) -> bool {
    works(Command::new(python).args(["-c", &format!("import {module}")]))
}

/// What a reader of Parquet is called on PyPI, and in Python.
const READERS: [(&str, &str); 2] = [("duckdb==2.0.0", "duckdb"), ("pyarrow==26.0.1", "pyarrow")];

/// Installs what is absent: the client from Debian's packages (as root), the Python packages into `target/clients`.
pub(crate) fn install() -> Result<()> {
    if client().is_none() {
        must(Command::new("apt-get").args(["update", "--quiet"]))?;
        must(
            Command::new("apt-get")
                .args(["install", "--yes", "--quiet", "--no-install-recommends", "mariadb-client"])
                .env("DEBIAN_FRONTEND", "noninteractive"),
        )?;
    }
    let packages = PYTHON_CLIENTS.into_iter().chain(READERS);
    let absent: Vec<&str> =
        packages.filter(|(_, module)| !has(&python(), module)).map(|(package, _)| package).collect();
    if !absent.is_empty() {
        if !works(Command::new(python()).arg("--version")) {
            must(Command::new("python3").args(["-m", "venv"]).arg(environment()))?;
        }
        must(Command::new(python()).args(["-m", "pip", "install", "--quiet"]).args(absent))?;
    }
    Ok(())
}

/// The binary, newly built.
fn binary() -> Result<PathBuf> {
    must(&mut cargo(["build", "--package", "tabularium"]))?;
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from);
    let binary = target.join("debug").join("tabularium");
    if !binary.exists() {
        bail!("{} was not built", binary.display());
    }
    Ok(binary)
}

/// Runs `node/tests/clients/export.py`, or says why not.
fn test_export() -> Result<()> {
    if let Some((_, absent)) = READERS.into_iter().find(|(_, module)| !has(&python(), module)) {
        eprintln!(
            "\nSKIPPED: reading an export with DuckDB and pyarrow; there is no {absent} here: `cargo xtask clients install`"
        );
        return Ok(());
    }
    let mut check = Command::new(python());
    must(check.current_dir(root()).args(["node/tests/clients/export.py", "--binary"]).arg(binary()?))
}

/// Runs `node/tests/clients/export.py` and `run.py`, or says why not.
pub(crate) fn test() -> Result<()> {
    test_export()?;
    let Some(client) = client() else {
        eprintln!(
            "\nSKIPPED: the tests with stock clients; there is no mariadb client here: `cargo xtask clients install`"
        );
        return Ok(());
    };
    if !has(&python(), "pymysql") {
        eprintln!("\nSKIPPED: the tests with stock clients; there is no PyMySQL here: `cargo xtask clients install`");
        return Ok(());
    }
    let server = binary()?;
    must(Command::new(python()).current_dir(root()).arg("node/tests/clients/run.py").args([
        "--server",
        &server.display().to_string(),
        "--client",
        client,
    ]))
}
