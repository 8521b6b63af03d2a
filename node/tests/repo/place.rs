//! A repository with two snapshots, made once by the binary's own SQL and copied for each test.

use repository::{Properties, Repository};
use serde_json::Value;
use std::fmt::Write as _;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// How long anything may take before a test gives up.
pub const PATIENCE: Duration = Duration::from_mins(1);

/// Rows of the table `events`; their text does not compress, so that there is something to read.
const EVENTS: u32 = 20_000;

const TABLES: &str = "
CREATE DATABASE shop; USE shop;
CREATE REPOSITORY r WITH BROKER ON LOCATION '@LOCATION@';
CREATE TABLE orders (id BIGINT NOT NULL, wide LARGEINT, note VARCHAR(50)) PRIMARY KEY (id)
  DISTRIBUTED BY HASH (id) BUCKETS 2;
CREATE TABLE events (day DATE NOT NULL, what STRING) DUPLICATE KEY (day)
  PARTITION BY RANGE (day) (PARTITION p1 VALUES LESS THAN ('2026-02-01'), PARTITION p2 VALUES LESS THAN MAXVALUE)
  DISTRIBUTED BY RANDOM BUCKETS 1;
INSERT INTO orders VALUES (1, 170141183460469231731687303715884105727, 'first'), (2, NULL, 'second'), (3, -5, NULL);
UPDATE orders SET note = 'changed' WHERE id = 2;
INSERT INTO events SELECT * FROM FILES ('path' = '@CSV@', 'format' = 'csv', 'csv.column_separator' = ',');
";

/// Runs `tabularium`.
pub fn tabularium(arguments: &[&str]) -> Output {
    command(arguments).output().expect("tabularium starts")
}

fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tabularium"));
    command.args(arguments).stdin(Stdio::null()).env("TZ", "UTC");
    command
}

/// A `tabularium repo` under way, ended by its id whatever happens.
pub struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

impl Running {
    pub fn start(arguments: &[&str]) -> Self {
        Self(command(arguments).stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("tabularium starts"))
    }

    /// Sends SIGINT, and gives the exit code and how long the end took.
    pub fn interrupt(mut self) -> (Option<i32>, Duration) {
        let began = Instant::now();
        let sent = Command::new("kill").args(["-INT", &self.0.id().to_string()]).status().expect("kill starts");
        assert!(sent.success());
        while began.elapsed() < PATIENCE {
            if let Some(status) = self.0.try_wait().unwrap() {
                return (status.code(), began.elapsed());
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        panic!("it does not end");
    }

    pub fn is_over(&mut self) -> bool {
        self.0.try_wait().unwrap().is_some()
    }
}

fn noise(row: u32) -> String {
    let mut text = String::new();
    let mut state = u64::from(row).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    for _ in 0..2 {
        state = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        state ^= state >> 27;
        write!(text, "{state:016x}").unwrap();
    }
    text
}

/// `tabularium serve`, ended by its id.
struct Server {
    child: Child,
    address: String,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

impl Server {
    fn start(data: &Path) -> Self {
        let ports = ["serve", "--mysql-addr", "127.0.0.1:0", "--http-addr", "127.0.0.1:0", "--data-dir"];
        let mut serve = command(&ports);
        serve.arg(data).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut child = serve.spawn().expect("tabularium starts");
        let stderr = child.stderr.take().expect("a pipe");
        let mut lines = BufReader::new(stderr).lines().map_while(Result::ok);
        let line = lines.find(|line| line.contains("mysql on ")).expect("it listens");
        let address = line.rsplit(' ').next().unwrap_or_default().to_owned();
        assert!(lines.any(|line| line.contains("ready")));
        // Taken to the end: a process whose messages nobody takes stops.
        std::thread::spawn(move || lines.for_each(drop));
        Self { child, address }
    }

    fn sql(&self, script: &str) -> String {
        let output = tabularium(&["sql", "--server", &self.address, "--format", "json", "-e", script]);
        assert!(output.status.success(), "{script}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    fn backup(&self, label: &str) {
        self.sql(&format!("BACKUP SNAPSHOT shop.{label} TO r"));
        let deadline = Instant::now() + PATIENCE;
        loop {
            let shown = self.sql("SHOW BACKUP FROM shop");
            if shown.contains("\"FINISHED\"") {
                return;
            }
            assert!(!shown.contains("\"CANCELLED\"") && Instant::now() < deadline, "{shown}");
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

fn template() -> &'static Path {
    static TEMPLATE: OnceLock<(TempDir, PathBuf)> = OnceLock::new();
    let (_keep, repository) = TEMPLATE.get_or_init(|| {
        let dir = tempfile::tempdir().unwrap();
        let (data, repository, csv) = (dir.path().join("data"), dir.path().join("r"), dir.path().join("events.csv"));
        let rows: Vec<String> = (0..EVENTS).map(|row| format!("2026-{:02}-01,{}\n", 1 + row % 2, noise(row))).collect();
        let rows = rows.concat();
        std::fs::write(&csv, rows).unwrap();
        let location = format!("file://{}", repository.display());
        let csv = format!("file://{}", csv.display());
        let server = Server::start(&data);
        server.sql(&TABLES.replace("@LOCATION@", &location).replace("@CSV@", &csv));
        server.backup("monday");
        server.sql("INSERT INTO shop.orders VALUES (4, 4, 'fourth')");
        server.backup("tuesday");
        (dir, repository)
    });
    repository
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}

/// A copy of the repository, for one test.
pub struct Place {
    pub dir: TempDir,
    pub url: String,
}

impl Place {
    pub fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        copy(template(), &dir.path().join("r"));
        let url = format!("file://{}", dir.path().join("r").display());
        Self { dir, url }
    }

    /// Runs `tabularium repo COMMAND URL ARGUMENTS`.
    pub fn repo(&self, command: &str, arguments: &[&str]) -> Output {
        tabularium(&[&["repo", command, &self.url], arguments].concat())
    }

    /// Its standard output; it must succeed.
    pub fn text(&self, command: &str, arguments: &[&str]) -> String {
        let output = self.repo(command, arguments);
        let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(output.status.success(), "{command} {arguments:?}: {out}{err}");
        out.into_owned()
    }

    /// Its JSON document; it must succeed.
    pub fn json(&self, command: &str, arguments: &[&str]) -> Value {
        serde_json::from_str(&self.text(command, &[arguments, &["--json"]].concat())).unwrap()
    }

    /// Its exit code and standard error.
    pub fn failure(&self, command: &str, arguments: &[&str]) -> (i32, String) {
        let output = self.repo(command, arguments);
        assert!(!output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
        (output.status.code().unwrap(), String::from_utf8_lossy(&output.stderr).into_owned())
    }

    /// Where an object is.
    pub fn path(&self, object: &str) -> PathBuf {
        self.dir.path().join("r").join(object)
    }

    /// Flips a bit in the middle of an object.
    pub fn damage(&self, object: &str) {
        let mut bytes = std::fs::read(self.path(object)).unwrap();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        std::fs::write(self.path(object), bytes).unwrap();
    }

    /// The largest data object.
    pub fn data_object(&self) -> String {
        let mut largest = (0, String::new());
        for owner in std::fs::read_dir(self.path("data")).unwrap() {
            let owner = owner.unwrap();
            for entry in std::fs::read_dir(owner.path()).unwrap() {
                let entry = entry.unwrap();
                let name = format!("data/{}/{}", owner.file_name().display(), entry.file_name().display());
                largest = largest.max((entry.metadata().unwrap().len(), name));
            }
        }
        largest.1
    }

    /// The repository, through the library.
    pub async fn open(&self) -> Repository {
        let location = repository::Location::parse(&self.url).unwrap();
        let properties = Properties::parse(&location, &std::collections::BTreeMap::default()).unwrap();
        let store =
            repository::connect(&location, &properties, |dir| Arc::new(env::disk::RealDisk::new(dir)) as _).unwrap();
        Repository::open(store).await.unwrap()
    }
}
