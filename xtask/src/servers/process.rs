//! A server that runs, and what ends it.
//!
//! Each server is started by a shell that leads a process group and waits at a pipe whose other end this program holds.
//! When the pipe closes (a server is dropped, or this program ends in whatever way) the shell kills its group, so
//! neither an interrupt nor a crash leaves a server behind.

use super::catalog::{BUCKET, Ready, Server};
use super::{Place, http};
use crate::run::must;
use anyhow::{Context, Result, bail};
use std::fs::File;
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;
use tempfile::TempDir;

/// So long a server may take to answer for the first time: the machine may be busy.
const PATIENCE: Duration = Duration::from_secs(90);
const PAUSE: Duration = Duration::from_millis(100);
/// So much of a server's log is shown when it does not come up.
const LOG_BYTES: usize = 4000;
/// Runs its arguments, and kills its process group when its standard input ends. (`0` is the own group.)
const LEASH: &str = "\"$@\" </dev/null & read -r _; kill -KILL 0";

pub(super) struct Running {
    name: &'static str,
    port: u16,
    shell: Child,
    log: PathBuf,
    dir: TempDir,
}

impl Running {
    /// Starts a server on a free port, with a directory of its own that is gone afterwards.
    pub(super) fn start(place: &Place, server: &Server) -> Result<Self> {
        let dir = tempfile::Builder::new().prefix("tabularium-server-").tempdir()?;
        let data = dir.path().join("data");
        std::fs::create_dir(&data)?;
        if matches!(server.ready, Ready::Directory) {
            std::fs::create_dir(data.join(BUCKET))?;
        }
        let script = dir.path().join("before.py");
        if let Some(before) = server.before {
            std::fs::write(&script, before)?;
        }
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port();
        let log = dir.path().join("log");
        let output = File::create(&log)?;
        let mut command = Command::new("sh");
        command
            .args(["-c", LEASH, server.name])
            .args(server.command(place, &data, port, &script))
            .current_dir(dir.path())
            .stdin(Stdio::piped())
            .stdout(output.try_clone()?)
            .stderr(output)
            .process_group(0);
        let shell = command.spawn().with_context(|| format!("cannot start {}", server.name))?;
        Ok(Self { name: server.name, port, shell, log, dir })
    }

    pub(super) fn port(&self) -> u16 {
        self.port
    }

    /// Waits until the server answers, and makes its bucket.
    #[expect(clippy::disallowed_methods, reason = "waits for another process; there is no runtime here")]
    pub(super) fn make_ready(&self, place: &Place, ready: &Ready) -> Result<()> {
        let mut waited = Duration::ZERO;
        while let Err(failed) = http::status(self.port, "GET", "/", "") {
            if waited >= PATIENCE {
                bail!("{} does not answer on port {}: {failed}\n{}", self.name, self.port, self.log());
            }
            std::thread::sleep(PAUSE);
            waited += PAUSE;
        }
        match ready {
            Ready::Made | Ready::Directory => Ok(()),
            Ready::Request { method, path, body } => {
                let status = http::status(self.port, method, path, body)?;
                if status != 200 {
                    bail!("{} answers {status} to {method} {path}\n{}", self.name, self.log());
                }
                Ok(())
            }
            Ready::Container { account, key } => {
                let script = self.dir.path().join("container.py");
                std::fs::write(&script, include_str!("container.py"))?;
                let port = self.port.to_string();
                must(Command::new(place.python("python")).arg(script).args([&port, BUCKET, account, key]))
            }
        }
    }

    fn log(&self) -> String {
        let text = std::fs::read(&self.log).unwrap_or_default();
        let last = text.get(text.len().saturating_sub(LOG_BYTES)..).unwrap_or_default();
        format!("its log ends:\n{}", String::from_utf8_lossy(last))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        drop(self.shell.stdin.take());
        // The shell kills itself with its group: there is nothing to wait long for.
        if let Err(failed) = self.shell.wait() {
            eprintln!("{} (process {}) was not seen to end: {failed}", self.name, self.shell.id());
        }
    }
}
