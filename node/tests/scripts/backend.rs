//! The two ways to an engine.

use async_trait::async_trait;
use env::rt::CancellationToken;
use mysql_async::prelude::Queryable;
use mysql_async::{Conn, OptsBuilder, Row, Value};
use node::engine::{Engine, EngineOptions};
use node::mysql::text_rows;
use node::result::Outcome;
use node::session::Session;
use std::path::Path;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

/// Rows as text, cells joined by ` | `; or number and text of the error.
pub type Answer = Result<Vec<String>, (u16, String)>;

#[async_trait]
pub trait Backend: Send {
    async fn run(&mut self, statement: &str) -> Answer;
    async fn close(self: Box<Self>);
}

/// An empty text is `''`, so that it can be seen, and the end of a line within one is `\\n`.
fn line(cells: impl IntoIterator<Item = Option<String>>) -> String {
    let shown = |cell: Option<String>| match cell {
        None => "NULL".to_owned(),
        Some(empty) if empty.is_empty() => "''".to_owned(),
        Some(text) => text.replace('\n', "\\n"),
    };
    cells.into_iter().map(shown).collect::<Vec<_>>().join(" | ")
}

/// An engine of this process.
pub struct Embedded {
    engine: Engine,
    session: Session,
}

impl Embedded {
    pub async fn open(dir: &Path) -> Self {
        let engine = Engine::open(EngineOptions::new(dir.join("data"))).await.unwrap();
        let session = engine.session("root");
        Self { engine, session }
    }
}

#[async_trait]
impl Backend for Embedded {
    async fn run(&mut self, text: &str) -> Answer {
        let told = |failed: node::error::EngineError| (failed.code, failed.message);
        let mut rows = Vec::new();
        for statement in node::sql::parse(text).map_err(|failed| told(failed.into()))? {
            rows.clear();
            if let Outcome::Rows(result) =
                self.session.execute(&statement, CancellationToken::new()).await.map_err(told)?
            {
                for batch in result.collect().await.map_err(told)? {
                    rows.extend(text_rows(&batch).map_err(told)?.into_iter().map(line));
                }
            }
        }
        Ok(rows)
    }

    async fn close(self: Box<Self>) {
        self.engine.shutdown().await;
    }
}

/// A server, seen by a client.
pub struct Wire {
    engine: Engine,
    stop: CancellationToken,
    served: JoinHandle<()>,
    connection: Conn,
}

impl Wire {
    pub async fn open(dir: &Path) -> Self {
        let engine = Engine::open(EngineOptions::new(dir.join("data"))).await.unwrap();
        let any = || TcpListener::bind("127.0.0.1:0");
        let (mysql, http) = (any().await.unwrap(), any().await.unwrap());
        let port = mysql.local_addr().unwrap().port();
        let stop = CancellationToken::new();
        let serving = node::server::serve(engine.clone(), mysql, http, None, stop.clone());
        let served = tokio::spawn(async move { serving.await.unwrap() });
        let options =
            OptsBuilder::default().ip_or_hostname("127.0.0.1").tcp_port(port).user(Some("root")).prefer_socket(false);
        Self { engine, stop, served, connection: Conn::new(options).await.unwrap() }
    }
}

fn cell(value: Value) -> Option<String> {
    match value {
        Value::NULL => None,
        Value::Bytes(bytes) => Some(String::from_utf8_lossy(&bytes).into_owned()),
        other => Some(other.as_sql(true)),
    }
}

#[async_trait]
impl Backend for Wire {
    async fn run(&mut self, text: &str) -> Answer {
        match self.connection.query::<Row, _>(text).await {
            Ok(rows) => Ok(rows.into_iter().map(|row| line(row.unwrap().into_iter().map(cell))).collect()),
            Err(mysql_async::Error::Server(told)) => Err((told.code, told.message)),
            Err(other) => panic!("{text}: {other}"),
        }
    }

    async fn close(self: Box<Self>) {
        let Self { engine, stop, served, connection } = *self;
        connection.disconnect().await.unwrap();
        stop.cancel();
        served.await.unwrap();
        engine.shutdown().await;
    }
}
