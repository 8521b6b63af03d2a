//! The interactive prompt: history, many lines a statement, `\G`.

use super::{Connection, Format, VERTICAL, run_script, say};
use crate::sql;
use anyhow::{Context, Result};
use rustyline::error::ReadlineError;
use rustyline::history::FileHistory;
use rustyline::validate::{ValidationContext, ValidationResult, Validator};
use rustyline::{Completer, Editor, Helper, Highlighter, Hinter};
use std::path::PathBuf;

#[derive(Completer, Helper, Highlighter, Hinter)]
struct Statements;

impl Validator for Statements {
    fn validate(&self, context: &mut ValidationContext<'_>) -> rustyline::Result<ValidationResult> {
        let text = context.input();
        let ended = sql::split(text).last().is_none_or(|last| last.ended || last.text.ends_with(VERTICAL));
        if ended || is_leaving(text) || text.trim() == "help" {
            Ok(ValidationResult::Valid(None))
        } else {
            Ok(ValidationResult::Incomplete)
        }
    }
}

fn is_leaving(text: &str) -> bool {
    matches!(text.trim().trim_end_matches(';').to_ascii_lowercase().as_str(), "exit" | "quit" | "\\q")
}

fn history_file() -> Option<PathBuf> {
    std::env::home_dir().map(|home| home.join(".tabularium_history"))
}

const WELCOME: &str = "Statements end with `;`, or with `\\G` for one column a line. `exit` or Ctrl-D leaves.";

/// Reads and runs statements until the user leaves.
pub(super) async fn run(connection: &mut Connection, format: Format) -> Result<()> {
    let mut editor: Editor<Statements, FileHistory> = Editor::new().context("cannot use this terminal")?;
    editor.set_helper(Some(Statements));
    let history = history_file();
    if let Some(file) = &history {
        // A first session has no history.
        editor.load_history(file).ok();
    }
    say(WELCOME);
    loop {
        // Reading blocks this thread only; jobs and loads of the embedded engine go on on the others.
        match tokio::task::block_in_place(|| editor.readline("tabularium> ")) {
            Ok(text) if is_leaving(&text) => break,
            Ok(text) if text.trim() == "help" => say(WELCOME),
            Ok(text) => {
                if !text.trim().is_empty() {
                    editor.add_history_entry(crate::sql::without_secrets(text.trim())).ok();
                }
                if let Err(failed) = run_script(connection, &text, format, true).await {
                    say(&snapshot::error::explain(failed.as_ref()));
                }
            }
            Err(ReadlineError::Interrupted) => {}
            Err(ReadlineError::Eof) => break,
            Err(failed) => return Err(failed).context("cannot read from this terminal"),
        }
    }
    if let Some(file) = &history {
        editor.save_history(file).with_context(|| format!("cannot write {}", file.display()))?;
    }
    Ok(())
}
