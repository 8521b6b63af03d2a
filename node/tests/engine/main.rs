//! The engine, statement by statement, on a directory of its own.
#![cfg(not(madsim))]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::too_many_lines,
    clippy::missing_errors_doc,
    clippy::missing_panics_doc,
    clippy::cast_possible_truncation,
    missing_docs,
    unreachable_pub,
    reason = "tests"
)]

mod accounts;
mod changes;
mod crash;
mod ddl;
mod files;
mod jobs;
mod loads;
mod merging;
mod power;
mod preview;
mod queries;
mod recover;
mod show;
mod types;
mod upkeep;

use arrow::util::display::{ArrayFormatter, FormatOptions};
use env::rt::CancellationToken;
use node::engine::{Engine, EngineOptions};
use node::error::EngineError;
use node::result::Outcome;
use node::session::Session;
use node::sql;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// Rows as text; `None` is NULL.
pub type Rows = Vec<Vec<Option<String>>>;

/// An engine on a directory that goes with it.
pub struct World {
    pub engine: Engine,
    pub dir: TempDir,
}

/// A session.
pub struct Client {
    pub session: Session,
}

impl World {
    pub async fn new() -> Self {
        Self::with(|options| options).await
    }

    pub async fn with(change: impl FnOnce(EngineOptions) -> EngineOptions) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let engine = Engine::open(change(EngineOptions::new(dir.path().join("data")))).await.unwrap();
        Self { engine, dir }
    }

    pub fn client(&self) -> Client {
        Client { session: self.engine.session("root") }
    }

    /// A client who is somebody else.
    pub fn client_of(&self, user: &str) -> Client {
        Client { session: self.engine.session(user) }
    }

    /// A client in a new database `d`.
    pub async fn in_database(&self) -> Client {
        let mut client = self.client();
        client.run("CREATE DATABASE IF NOT EXISTS d").await;
        client.run("USE d").await;
        client
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Shuts the engine down in order and opens it again.
    pub async fn restart(self) -> Self {
        let Self { engine, dir } = self;
        engine.shutdown().await;
        let engine = Engine::open(EngineOptions::new(dir.path().join("data"))).await.unwrap();
        Self { engine, dir }
    }

    /// What a kill at this moment would leave, opened by another engine.
    pub async fn crash(&self) -> Self {
        let dir = tempfile::tempdir().unwrap();
        copy(&self.dir.path().join("data"), &dir.path().join("data"));
        let engine = Engine::open(EngineOptions::new(dir.path().join("data"))).await.unwrap();
        Self { engine, dir }
    }

    /// Ends the engine in order, which checks that it can be ended.
    pub async fn end(self) {
        self.engine.shutdown().await;
    }
}

/// A file that is written to meanwhile, as it was at one moment: a kill does not leave half of one commit and half of the
/// next.
fn at_one_instant(path: &Path) -> Vec<u8> {
    let mut bytes = std::fs::read(path).unwrap();
    for _ in 0..10_000 {
        let again = std::fs::read(path).unwrap();
        if again == bytes {
            return bytes;
        }
        bytes = again;
    }
    panic!("{} changes all the time", path.display());
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target);
        } else if entry.path().extension().is_some_and(|extension| extension == "redb") {
            std::fs::write(&target, at_one_instant(&entry.path())).unwrap();
        } else if let Err(failed) = std::fs::copy(entry.path(), &target) {
            // A file that was reclaimed in between is one that a kill would not have left either.
            assert_eq!(failed.kind(), std::io::ErrorKind::NotFound);
        }
    }
}

impl Client {
    pub async fn execute(&mut self, text: &str) -> Result<Outcome, EngineError> {
        let statements = sql::parse(text)?;
        let mut last = Outcome::ok();
        for statement in &statements {
            last = self.session.execute(statement, CancellationToken::new()).await?;
        }
        Ok(last)
    }

    /// Runs statements that must succeed; rows that the last one changed.
    pub async fn run(&mut self, text: &str) -> u64 {
        match self.execute(text).await {
            Ok(Outcome::Done { affected, .. }) => affected,
            Ok(Outcome::Rows(result)) => {
                let rows = result.collect().await.unwrap_or_else(|failed| panic!("{text}: {failed}"));
                rows.iter().map(|batch| batch.num_rows() as u64).sum()
            }
            Err(failed) => panic!("{text}: {failed}"),
        }
    }

    pub async fn try_rows(&mut self, text: &str) -> Result<(Vec<String>, Rows), EngineError> {
        let Outcome::Rows(result) = self.execute(text).await? else { panic!("{text} has no rows") };
        let names: Vec<String> = result.schema.fields().iter().map(|field| field.name().clone()).collect();
        let options = FormatOptions::default().with_null("\u{0}");
        let mut rows = Vec::new();
        for batch in result.collect().await? {
            let formatters: Vec<_> =
                batch.columns().iter().map(|column| ArrayFormatter::try_new(column, &options).unwrap()).collect();
            for row in 0..batch.num_rows() {
                let cell = |formatter: &ArrayFormatter<'_>| {
                    Some(formatter.value(row).to_string()).filter(|text| text != "\u{0}")
                };
                rows.push(formatters.iter().map(cell).collect());
            }
        }
        Ok((names, rows))
    }

    pub async fn rows(&mut self, text: &str) -> Rows {
        self.try_rows(text).await.unwrap_or_else(|failed| panic!("{text}: {failed}")).1
    }

    /// Rows as lines, cells joined by blanks.
    pub async fn lines(&mut self, text: &str) -> Vec<String> {
        let line = |row: Vec<Option<String>>| {
            row.into_iter().map(|cell| cell.unwrap_or_else(|| "NULL".to_owned())).collect::<Vec<_>>().join(" ")
        };
        self.rows(text).await.into_iter().map(line).collect()
    }

    /// The names of a result's columns.
    pub async fn names(&mut self, text: &str) -> Vec<String> {
        self.try_rows(text).await.unwrap_or_else(|failed| panic!("{text}: {failed}")).0
    }

    /// The only cell of a result.
    pub async fn one(&mut self, text: &str) -> String {
        let rows = self.rows(text).await;
        assert_eq!((rows.len(), rows.first().map(Vec::len)), (1, Some(1)), "{text}: {rows:?}");
        rows[0][0].clone().unwrap_or_else(|| "NULL".to_owned())
    }

    /// A statement that must fail, perhaps only while its rows are read.
    pub async fn fails(&mut self, text: &str) -> EngineError {
        match self.execute(text).await {
            Err(failed) => failed,
            Ok(Outcome::Done { .. }) => panic!("{text} did not fail"),
            Ok(Outcome::Rows(result)) => match result.collect().await {
                Err(failed) => failed,
                Ok(rows) => panic!("{text} did not fail: {rows:?}"),
            },
        }
    }

    /// A statement that must fail with this number and these words.
    pub async fn refused(&mut self, text: &str, code: u16, words: &str) {
        let failed = self.fails(text).await;
        assert_eq!(failed.code, code, "{text}: {failed}");
        assert!(failed.message.contains(words), "{text}: {failed}");
    }
}
