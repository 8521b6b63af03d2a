//! Statements with what they answer, one readable file a topic, against the embedded engine and over the wire.
//!
//! A statement ends with `;` at the end of a line. What follows it says what it answers:
//!
//! ```text
//! SELECT 1 + 1, NULL;
//! --> 2 | NULL                        one line for each row, in order; a cell * may be anything
//! SELECT nope;
//! --! 1054 Unknown column 'nope'      the number of the error, and words that its text holds
//! --@ wait BACKUP d                   waits until the last BACKUP of database d has ended; FINISHED is the next line
//! --> FINISHED
//! --@ let stamp = 2 SHOW SNAPSHOT ON r WHERE SNAPSHOT = 's'     ${stamp} is from here on the second cell of its first row
//! ```
//!
//! `${dir}` is a directory of the script's own. `UPDATE_SCRIPTS=1` writes what the embedded engine answers into the files,
//! to be read before it is believed.
#![cfg(not(madsim))]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::string_slice,
    clippy::wildcard_enum_match_arm,
    missing_docs,
    unreachable_pub,
    reason = "tests"
)]

mod backend;

use backend::{Answer, Backend};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

/// How often, and with what pause, a job is looked at that has not ended.
const LOOKS: u32 = 1_200;
const PAUSE: std::time::Duration = std::time::Duration::from_millis(50);

/// What a statement is expected to answer.
#[derive(Debug, Default)]
struct Expected {
    rows: Vec<String>,
    error: Option<String>,
}

impl Expected {
    fn fits(&self, answer: &Answer) -> bool {
        match (answer, &self.error) {
            (Ok(rows), None) => {
                rows.len() == self.rows.len() && rows.iter().zip(&self.rows).all(|(row, wanted)| row_fits(row, wanted))
            }
            (Err((code, told)), Some(wanted)) => {
                let (number, words) = wanted.split_once(' ').unwrap_or((wanted, ""));
                number == code.to_string() && told.contains(words)
            }
            (Ok(_), Some(_)) | (Err(_), None) => false,
        }
    }
}

fn row_fits(row: &str, wanted: &str) -> bool {
    let (cells, wanted): (Vec<&str>, Vec<&str>) = (row.split(" | ").collect(), wanted.split(" | ").collect());
    cells.len() == wanted.len() && cells.iter().zip(wanted).all(|(cell, wanted)| wanted == "*" || *cell == wanted)
}

/// What it did answer, as it would be written down.
fn written(answer: &Answer) -> String {
    let mut text = String::new();
    match answer {
        Ok(rows) => rows.iter().for_each(|row| writeln!(text, "--> {row}").unwrap()),
        Err((code, told)) => writeln!(text, "--! {code} {}", told.lines().next().unwrap_or_default()).unwrap(),
    }
    text
}

struct Script<'a> {
    path: PathBuf,
    backend: &'a mut dyn Backend,
    variables: BTreeMap<String, String>,
    wrong: Vec<String>,
    /// The file as it should be.
    updated: String,
    statements: usize,
}

impl Script<'_> {
    async fn run(&mut self, text: &str) {
        let mut lines = text.lines().enumerate().peekable();
        let mut statement = String::new();
        while let Some((number, line)) = lines.next() {
            writeln!(self.updated, "{line}").unwrap();
            let directive = line.strip_prefix("--@ ");
            if statement.is_empty() && directive.is_none() && (line.trim().is_empty() || line.starts_with("--")) {
                continue;
            }
            let answer = if let Some(directive) = directive {
                match self.direct(directive).await {
                    Some(answer) => answer,
                    None => continue,
                }
            } else {
                writeln!(statement, "{line}").unwrap();
                if !line.trim_end().ends_with(';') {
                    continue;
                }
                let text = self.filled(&std::mem::take(&mut statement));
                self.statements += 1;
                self.backend.run(text.trim_end().trim_end_matches(';')).await
            };
            let mut expected = Expected::default();
            let mut as_written = String::new();
            while let Some((_, line)) = lines.next_if(|(_, line)| line.starts_with("-->") || line.starts_with("--!")) {
                writeln!(as_written, "{line}").unwrap();
                match line.strip_prefix("--!") {
                    Some(error) => expected.error = Some(self.filled(error.trim())),
                    None => expected.rows.push(self.filled(line["-->".len()..].trim_start())),
                }
            }
            if expected.fits(&answer) {
                self.updated += &as_written;
            } else {
                let place = format!("{}:{}", self.path.display(), number + 1);
                self.wrong.push(format!("{place}\n{line}\nexpected\n{as_written}got\n{}", written(&answer)));
                self.updated += &written(&answer);
            }
        }
        assert!(statement.is_empty(), "{}: the last statement has no end", self.path.display());
    }

    /// Does what a line says; what is to be compared, if anything.
    async fn direct(&mut self, directive: &str) -> Option<Answer> {
        let words: Vec<&str> = directive.split(' ').collect();
        match words.as_slice() {
            ["wait", kind, database] => {
                for _ in 0..LOOKS {
                    let rows = self.backend.run(&format!("SHOW {kind} FROM {database}")).await.unwrap();
                    let state = if *kind == "BACKUP" { 3 } else { 4 };
                    let state = rows.first().and_then(|row| row.split(" | ").nth(state)).unwrap_or("NONE").to_owned();
                    if ["FINISHED", "CANCELLED", "NONE"].contains(&state.as_str()) {
                        return Some(Ok(vec![state]));
                    }
                    tokio::time::sleep(PAUSE).await;
                }
                panic!("{directive}: it does not end");
            }
            ["let", name, "=", column, ..] => {
                let query = directive.splitn(5, ' ').nth(4).unwrap();
                let rows =
                    self.backend.run(&self.filled(query)).await.unwrap_or_else(|told| panic!("{query}: {told:?}"));
                let row = rows.first().unwrap_or_else(|| panic!("{query} has no rows"));
                let column: usize = column.parse().unwrap();
                let cell = row.split(" | ").nth(column - 1).unwrap().to_owned();
                self.variables.insert((*name).to_owned(), cell);
                None
            }
            _ => panic!("{}: --@ {directive} is not understood", self.path.display()),
        }
    }

    fn filled(&self, text: &str) -> String {
        self.variables.iter().fold(text.to_owned(), |text, (name, value)| text.replace(&format!("${{{name}}}"), value))
    }
}

fn scripts() -> Vec<PathBuf> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/scripts");
    let entries = std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
    let mut found: Vec<PathBuf> = entries.filter(|path| path.extension().is_some_and(|of| of == "sql")).collect();
    found.sort();
    assert!(found.len() > 5);
    found
}

async fn run_all(update: bool, open: impl AsyncFn(&Path) -> Box<dyn Backend>) {
    let mut wrong = Vec::new();
    let mut statements = 0;
    for path in scripts() {
        let dir = tempfile::tempdir().unwrap();
        let mut backend = open(dir.path()).await;
        let variables = BTreeMap::from([("dir".to_owned(), dir.path().display().to_string())]);
        let text = std::fs::read_to_string(&path).unwrap();
        let mut script = Script {
            path: path.clone(),
            backend: &mut *backend,
            variables,
            wrong: Vec::new(),
            updated: String::new(),
            statements: 0,
        };
        script.run(&text).await;
        statements += script.statements;
        if update && !script.wrong.is_empty() {
            // A directory of this run must not be written down.
            let updated = script.updated.replace(&dir.path().display().to_string(), "${dir}");
            std::fs::write(&path, updated).unwrap();
        }
        wrong.extend(script.wrong);
        backend.close().await;
    }
    println!("{statements} statements in {} scripts", scripts().len());
    assert!(wrong.is_empty(), "{} differ\n\n{}", wrong.len(), wrong.join("\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_embedded_engine_answers_as_the_scripts_say() {
    let update = std::env::var_os("UPDATE_SCRIPTS").is_some();
    run_all(update, async |dir| Box::new(backend::Embedded::open(dir).await) as Box<dyn Backend>).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_answers_as_the_scripts_say() {
    run_all(false, async |dir| Box::new(backend::Wire::open(dir).await) as Box<dyn Backend>).await;
}
