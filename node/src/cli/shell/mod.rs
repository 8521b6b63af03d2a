//! `tabularium sql`: the shell, on an engine of its own or against a server.

pub(in crate::cli) mod local;
mod prompt;
mod remote;

use super::grid::{Column, Format};
use anyhow::{Context, Result};
use clap::Args;
use env::rt::CancellationToken;
use std::io::{IsTerminal, Read, Write};
use std::path::PathBuf;
use std::time::Duration;

/// Arguments of `tabularium sql`.
#[derive(Debug, Args)]
pub(super) struct SqlArgs {
    /// Data directory of an engine inside this process.
    #[arg(long, env = "TABULARIUM_DATA_DIR", required_unless_present = "server", conflicts_with = "server")]
    data_dir: Option<PathBuf>,
    /// Server to connect to, HOST:PORT, by the MySQL protocol.
    #[arg(long)]
    server: Option<String>,
    /// User, with --server.
    #[arg(long, short, default_value = "root")]
    user: String,
    /// Name of the environment variable that holds the password, with --server.
    #[arg(long, value_name = "VARIABLE")]
    password_env: Option<String>,
    /// Database to use.
    #[arg(long, short = 'D')]
    database: Option<String>,
    /// Run these statements and leave.
    #[arg(long, short, conflicts_with = "file")]
    execute: Option<String>,
    /// Run the statements of this file and leave; `-` is standard input.
    #[arg(long, short)]
    file: Option<PathBuf>,
    /// How to write results; a table on a terminal, CSV elsewhere, unless said.
    #[arg(long, value_enum)]
    format: Option<Format>,
}

/// Whoever runs the statements.
enum Connection {
    Embedded(Box<local::Embedded>),
    Server(Box<remote::Server>),
}

/// Where the rows of a result go.
pub(in crate::cli) trait Sink: Send {
    fn columns(&mut self, columns: Vec<Column>) -> Result<()>;
    fn row(&mut self, cells: &[Option<String>]) -> Result<()>;
}

/// What a statement came to.
pub(in crate::cli) struct Finished {
    /// Rows changed; `None` for a statement that answers with rows.
    pub(in crate::cli) affected: Option<u64>,
    pub(in crate::cli) info: String,
}

impl Connection {
    async fn open(args: &SqlArgs) -> Result<Self> {
        match (&args.data_dir, &args.server) {
            (Some(data_dir), _) => Ok(Self::Embedded(Box::new(local::Embedded::open(data_dir, &args.user).await?))),
            (None, Some(server)) => {
                let password = match &args.password_env {
                    Some(name) => Some(std::env::var(name).with_context(|| format!("environment variable {name}"))?),
                    None => None,
                };
                Ok(Self::Server(Box::new(remote::Server::open(server, &args.user, password).await?)))
            }
            (None, None) => anyhow::bail!("either --data-dir or --server has to be given"),
        }
    }

    async fn run(&mut self, statement: &str, sink: &mut dyn Sink, stop: CancellationToken) -> Result<Finished> {
        match self {
            Self::Embedded(engine) => engine.run(statement, sink, stop).await,
            Self::Server(server) => server.run(statement, sink).await,
        }
    }

    async fn close(self) -> Result<()> {
        match self {
            Self::Embedded(engine) => engine.close().await,
            Self::Server(server) => server.close().await,
        }
    }
}

/// Runs the shell. An error of a statement ends `-e` and `-f`; at the prompt it is shown and the next line is read.
pub(super) async fn run(args: SqlArgs) -> Result<()> {
    let script = match (&args.execute, &args.file) {
        (Some(text), _) => Some(text.clone()),
        (None, Some(path)) if path.as_os_str() == "-" => Some(standard_input()?),
        (None, Some(path)) => {
            Some(std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?)
        }
        (None, None) if !std::io::stdin().is_terminal() => Some(standard_input()?),
        (None, None) => None,
    };
    let terminal = std::io::stdout().is_terminal();
    let format = args.format.unwrap_or(if terminal { Format::Table } else { Format::Csv });
    let mut connection = Connection::open(&args).await?;
    let outcome = async {
        if let Some(database) = &args.database {
            let choose = format!("USE {}", crate::sql::quote_name(database));
            run_statement(&mut connection, &choose, format, false).await?;
        }
        match &script {
            Some(text) => run_script(&mut connection, text, format, terminal).await,
            None => prompt::run(&mut connection, format).await,
        }
    }
    .await;
    let closed = connection.close().await;
    outcome.and(closed)
}

fn standard_input() -> Result<String> {
    let mut text = String::new();
    std::io::stdin().read_to_string(&mut text).context("cannot read standard input")?;
    Ok(text)
}

async fn run_script(connection: &mut Connection, script: &str, format: Format, chatty: bool) -> Result<()> {
    for piece in crate::sql::split(script) {
        run_statement(connection, piece.text, format, chatty).await?;
    }
    Ok(())
}

/// Ends a statement instead of a semicolon, for a result of one column a line.
const VERTICAL: &str = "\\G";

/// Collects one result on standard output.
struct Terminal<'a> {
    grid: Option<super::grid::Grid<'a>>,
    out: Option<&'a mut (dyn Write + Send)>,
    format: Format,
}

impl Sink for Terminal<'_> {
    fn columns(&mut self, columns: Vec<Column>) -> Result<()> {
        if let Some(out) = self.out.take() {
            self.grid = Some(super::grid::Grid::new(out, self.format, columns)?);
        }
        Ok(())
    }

    fn row(&mut self, cells: &[Option<String>]) -> Result<()> {
        if let Some(grid) = self.grid.as_mut() {
            grid.row(cells)?;
        }
        Ok(())
    }
}

/// Runs one statement and shows what came of it. Ctrl-C stops the statement, not the shell.
async fn run_statement(connection: &mut Connection, statement: &str, format: Format, chatty: bool) -> Result<()> {
    let (statement, format) = match statement.strip_suffix(VERTICAL) {
        Some(statement) => (statement, Format::Vertical),
        None => (statement, format),
    };
    let mut out = std::io::BufWriter::new(std::io::stdout());
    let mut sink = Terminal { grid: None, out: Some(&mut out), format };
    let stop = CancellationToken::new();
    let began = env::rt::time::Instant::now();
    let interrupted = tokio::spawn({
        let stop = stop.clone();
        async move {
            if tokio::signal::ctrl_c().await.is_ok() {
                stop.cancel();
            }
        }
    });
    let finished = connection.run(statement, &mut sink, stop).await;
    interrupted.abort();
    let finished = finished?;
    let rows = sink.grid.take().map(super::grid::Grid::finish).transpose()?;
    drop(sink);
    out.flush()?;
    if chatty {
        say(&summary(&finished, rows, began.elapsed()));
    }
    Ok(())
}

fn summary(finished: &Finished, rows: Option<u64>, took: Duration) -> String {
    let seconds = took.as_secs_f64();
    let count = |n: u64, what: &str| if n == 1 { format!("1 row{what}") } else { format!("{n} rows{what}") };
    let text = match (finished.affected, rows) {
        (_, Some(rows)) => count(rows, ""),
        (Some(affected), None) => format!("OK, {}", count(affected, " affected")),
        (None, None) => "OK".to_owned(),
    };
    let info = if finished.info.is_empty() { String::new() } else { format!("; {}", finished.info) };
    format!("{text} ({seconds:.2} s){info}")
}

#[expect(clippy::print_stderr, reason = "a shell talks to its user")]
fn say(text: &str) {
    eprintln!("{text}");
}
