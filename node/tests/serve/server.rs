//! A `tabularium serve` process that is always ended by its id.

use mysql_async::prelude::Queryable;
use mysql_async::{Conn, OptsBuilder, Row};
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

/// How long anything may take before a test gives up.
pub const PATIENCE: Duration = Duration::from_mins(1);

pub struct Server {
    child: Child,
    lines: Receiver<String>,
    seen: Vec<String>,
    pub mysql_port: u16,
    pub http_port: u16,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

impl Server {
    /// Starts a server on ports of the system's choice; it stops for good at `stop_at`, when given.
    pub fn start(data_dir: &Path, stop_at: Option<&str>) -> Self {
        let stop_at = stop_at.map(|point| ("TABULARIUM_STOP_AT", point));
        Self::start_with(data_dir, stop_at.into_iter().collect())
    }

    /// Starts a server with further variables in its environment.
    pub fn start_with(data_dir: &Path, environment: Vec<(&str, &str)>) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tabularium"));
        command.args(["serve", "--mysql-addr", "127.0.0.1:0", "--http-addr", "127.0.0.1:0", "--data-dir"]);
        command.arg(data_dir).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        command.envs(environment);
        let mut child = command.spawn().expect("tabularium starts");
        let stderr = child.stderr.take().expect("a pipe");
        let (send, lines) = channel();
        std::thread::spawn(move || {
            for line in BufReader::new(stderr).lines().map_while(Result::ok) {
                if send.send(line).is_err() {
                    break;
                }
            }
        });
        let mut server = Self { child, lines, seen: Vec::new(), mysql_port: 0, http_port: 0 };
        server.mysql_port = server.port("mysql on ");
        server.http_port = server.port("http on ");
        server.wait_for("ready");
        server
    }

    fn port(&mut self, what: &str) -> u16 {
        let line = self.wait_for(what);
        line.rsplit(':').next().and_then(|port| port.parse().ok()).unwrap_or_else(|| panic!("no port in {line:?}"))
    }

    /// The first line of the log that contains `what`.
    pub fn wait_for(&mut self, what: &str) -> String {
        self.look_for(what, PATIENCE).unwrap_or_else(|| panic!("no {what:?} in {:#?}", self.seen))
    }

    /// As [`Server::wait_for`], but gives up quietly after `patience`.
    pub fn look_for(&mut self, what: &str, patience: Duration) -> Option<String> {
        let deadline = Instant::now() + patience;
        loop {
            match self.lines.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
                Ok(line) => {
                    self.seen.push(line.clone());
                    if line.contains(what) {
                        return Some(line);
                    }
                }
                Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => return None,
            }
        }
    }

    /// `kill -9`.
    pub fn kill(mut self) {
        self.child.kill().expect("kill");
        self.child.wait().expect("wait");
    }

    /// SIGTERM, and the exit code.
    pub fn terminate(self) -> Option<i32> {
        self.end().0
    }

    /// SIGTERM, the exit code, and all that the server has written.
    pub fn end(mut self) -> (Option<i32>, Vec<String>) {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &pid]).status().expect("kill").success());
        let deadline = Instant::now() + PATIENCE;
        while Instant::now() < deadline {
            if let Some(status) = self.child.try_wait().expect("wait") {
                // The other end of the pipe is closed now.
                self.seen.extend(self.lines.iter());
                return (status.code(), std::mem::take(&mut self.seen));
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        panic!("the server did not stop on SIGTERM: {:#?}", self.seen);
    }

    pub async fn connect(&self) -> Client {
        let options = OptsBuilder::default()
            .ip_or_hostname("127.0.0.1")
            .tcp_port(self.mysql_port)
            .user(Some("root"))
            .prefer_socket(false);
        Client { connection: Conn::new(options).await.expect("a connection") }
    }
}

pub struct Client {
    connection: Conn,
}

pub type Cells = Vec<Option<String>>;

fn cells(row: Row) -> Cells {
    row.unwrap_raw()
        .into_iter()
        .map(|value| match value {
            None | Some(mysql_async::Value::NULL) => None,
            Some(mysql_async::Value::Bytes(bytes)) => Some(String::from_utf8(bytes).expect("UTF-8")),
            Some(other) => Some(other.as_sql(true)),
        })
        .collect()
}

impl Client {
    pub async fn run(&mut self, statement: &str) {
        self.try_run(statement).await.unwrap_or_else(|error| panic!("{statement}: {error}"));
    }

    pub async fn try_run(&mut self, statement: &str) -> Result<(), mysql_async::Error> {
        self.connection.query_drop(statement).await
    }

    pub async fn rows(&mut self, statement: &str) -> Vec<Cells> {
        let rows: Vec<Row> =
            self.connection.query(statement).await.unwrap_or_else(|error| panic!("{statement}: {error}"));
        rows.into_iter().map(cells).collect()
    }

    /// Names of the columns of a result, and its rows.
    pub async fn described(&mut self, statement: &str) -> (Vec<String>, Vec<Cells>) {
        let mut result = self.connection.query_iter(statement).await.expect(statement);
        let names = result.columns_ref().iter().map(|column| column.name_str().into_owned()).collect();
        let rows: Vec<Row> = result.collect().await.expect(statement);
        (names, rows.into_iter().map(cells).collect())
    }

    /// Waits until the last job of `kind` (`BACKUP`, `RESTORE`) of `database` is over; its state.
    pub async fn end_of_job(&mut self, kind: &str, database: &str) -> String {
        let (column, deadline) = (if kind == "BACKUP" { 3 } else { 4 }, Instant::now() + PATIENCE);
        loop {
            let rows = self.rows(&format!("SHOW {kind} FROM {database}")).await;
            let state = rows.first().and_then(|row| row[column].clone());
            match state.as_deref() {
                Some("FINISHED" | "CANCELLED") => return state.unwrap_or_default(),
                None => return "NONE".to_owned(),
                Some(_) if Instant::now() > deadline => panic!("the job does not end: {rows:?}"),
                Some(_) => tokio::time::sleep(Duration::from_millis(30)).await,
            }
        }
    }
}
