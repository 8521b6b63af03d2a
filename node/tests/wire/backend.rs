//! A backend whose statements are made for tests, and a server with it.

use crate::client::Client;
use arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use async_trait::async_trait;
use catalog::records::SecretRecord;
use env::rt::sync::Notify;
use env::rt::{CancellationToken, Duration, JoinHandle};
use futures::{StreamExt, stream};
use node::error::{EngineError, ErrorKind};
use node::http::metrics::Metrics;
use node::mysql::{
    Account, Authenticator, Backend, Client as ClientInfo, Credential, KillTarget, Options, Server, ServerStatement,
    StoredPassword,
};
use node::result::{Outcome, ResultSet};
use parking_lot::Mutex;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// What the tests see of the inside.
#[derive(Debug, Default)]
pub struct Inside {
    /// Batches that were asked for.
    pub batches: AtomicU64,
    /// Statements that were told to stop and did.
    pub stopped: AtomicU64,
    /// A statement that waits has begun.
    pub waiting: Notify,
}

#[derive(Debug, Clone, Default)]
pub struct Toy(pub Arc<Inside>);

#[derive(Debug)]
pub struct ToySession {
    user: String,
    database: Option<String>,
    variable: Option<String>,
}

fn schema() -> SchemaRef {
    Arc::new(Schema::new(vec![Field::new("id", DataType::Int64, false), Field::new("name", DataType::Utf8, true)]))
}

/// Rows `from..to`: a number, and `row-<number>` or NULL for each seventh.
pub fn batch(from: i64, to: i64) -> RecordBatch {
    let names = (from..to).map(|id| (id % 7 != 0).then(|| format!("row-{id}")));
    let columns: Vec<ArrayRef> =
        vec![Arc::new(Int64Array::from_iter_values(from..to)), Arc::new(names.collect::<StringArray>())];
    RecordBatch::try_new(schema(), columns).unwrap()
}

#[async_trait]
impl Backend for Toy {
    type Session = ToySession;
    type Statement = String;

    async fn open(&self, client: &ClientInfo) -> Result<ToySession, EngineError> {
        Ok(ToySession { user: client.user.clone(), database: None, variable: None })
    }

    fn split<'a>(&self, text: &'a str) -> Box<dyn Iterator<Item = &'a str> + Send + 'a> {
        Box::new(text.split(';').map(str::trim).filter(|text| !text.is_empty()))
    }

    fn parse(&self, _session: &ToySession, text: &str) -> Result<String, EngineError> {
        if text.contains("syntax") {
            return Err(EngineError::syntax("expected: something, found: syntax"));
        }
        Ok(text.to_owned())
    }

    fn server_statement(&self, statement: &String) -> Option<ServerStatement> {
        match statement.split(' ').collect::<Vec<_>>().as_slice() {
            ["kill", "query", id] => {
                Some(ServerStatement::Kill { target: KillTarget::Query, connection: id.parse().ok()? })
            }
            ["kill", id] => {
                Some(ServerStatement::Kill { target: KillTarget::Connection, connection: id.parse().ok()? })
            }
            ["processlist"] => Some(ServerStatement::ProcessList { full: true }),
            _ => None,
        }
    }

    async fn execute(
        &self,
        session: &mut ToySession,
        statement: &String,
        stop: CancellationToken,
    ) -> Result<Outcome, EngineError> {
        let (verb, rest) = statement.split_once(' ').unwrap_or((statement, ""));
        // A parameter brings blanks.
        let rest = rest.trim();
        let rows = |rows| Ok(Outcome::Rows(rows));
        match verb {
            "rows" => {
                let count: i64 = rest.parse().unwrap();
                let inside = Arc::clone(&self.0);
                let batches = stream::iter((0..count).step_by(8_192)).map(move |from| {
                    inside.batches.fetch_add(1, Ordering::Relaxed);
                    Ok(batch(from, count.min(from + 8_192)))
                });
                rows(ResultSet { schema: schema(), batches: batches.boxed() })
            }
            "half" => {
                let batches =
                    stream::iter([Ok(batch(1, 3)), Err(EngineError::general(ErrorKind::Corrupt, "a bad block"))]);
                rows(ResultSet { schema: schema(), batches: batches.boxed() })
            }
            "stuck" => rows(ResultSet { schema: schema(), batches: stream::pending().boxed() }),
            "echo" => rows(ResultSet::from_text(&["text"], &[vec![Some(rest.to_owned())]])?),
            "blob" => rows(ResultSet::from_text(&["text"], &[vec![Some("x".repeat(rest.parse().unwrap()))]])?),
            "whoami" => {
                let row = vec![Some(session.user.clone()), session.database.clone(), session.variable.clone()];
                rows(ResultSet::from_text(&["user", "database", "variable"], &[row])?)
            }
            "set" => {
                session.variable = Some(rest.to_owned());
                Ok(Outcome::ok())
            }
            "use" => self.set_database(session, rest).await.map(|()| Outcome::ok()),
            "insert" => Ok(Outcome::Done { affected: rest.parse().unwrap(), info: "Records: many".to_owned() }),
            "nothing" => rows(ResultSet::from_batches(Arc::new(Schema::empty()), Vec::new())),
            "wait" => {
                self.0.waiting.notify_one();
                stop.cancelled().await;
                self.0.stopped.fetch_add(1, Ordering::Relaxed);
                Err(EngineError::interrupted())
            }
            _ => Err(EngineError::unknown_table("db", rest)),
        }
    }

    async fn oversees(&self, session: &ToySession) -> bool {
        session.user == "root"
    }

    fn database(&self, session: &ToySession) -> Option<String> {
        session.database.clone()
    }

    async fn set_database(&self, session: &mut ToySession, name: &str) -> Result<(), EngineError> {
        if name == "nodb" {
            return Err(EngineError::unknown_database(name));
        }
        session.database = Some(name.to_owned());
        Ok(())
    }

    async fn columns(&self, _session: &mut ToySession, table: &str) -> Result<SchemaRef, EngineError> {
        if table == "t" { Ok(schema()) } else { Err(EngineError::unknown_table("db", table)) }
    }

    async fn reset(&self, session: &mut ToySession) -> Result<(), EngineError> {
        session.variable = None;
        Ok(())
    }
}

/// `root` without password, `admin` with `s3cret`, `other` with `pw`; `new` and `old`, whose `s3cret` is proven by one method
/// only, and `careful`, who must come over TLS.
#[derive(Debug)]
pub struct Users;

#[async_trait]
impl Authenticator for Users {
    async fn account(&self, user: &str, _host: &str) -> Option<Account> {
        let credential = match user {
            "root" => Credential::Nothing,
            "admin" | "careful" => Credential::of("s3cret"),
            "other" => Credential::of("pw"),
            "new" => Credential::Password(StoredPassword::from_record(&SecretRecord::CachingSha2(
                StoredPassword::sha256_digest("s3cret"),
            ))?),
            "old" => Credential::Password(StoredPassword::from_record(&SecretRecord::Native(
                StoredPassword::native_digest("s3cret"),
            ))?),
            _ => return None,
        };
        Some(Account { require_tls: user == "careful", ..Account::new(user, credential) })
    }
}

pub fn options() -> Options {
    Options {
        login_timeout: Duration::from_secs(5),
        drain_timeout: Duration::from_secs(5),
        write_timeout: Duration::from_secs(20),
        ..Options::default()
    }
}

/// A server in memory.
pub struct World {
    pub server: Server<Toy>,
    pub inside: Arc<Inside>,
    pub shutdown: CancellationToken,
    serving: Mutex<Vec<JoinHandle<()>>>,
}

impl World {
    pub fn new() -> Self {
        Self::with(options())
    }

    pub fn with(options: Options) -> Self {
        let (toy, shutdown) = (Toy::default(), CancellationToken::new());
        let inside = Arc::clone(&toy.0);
        let server = Server::new(toy, Arc::new(Users), options, Arc::new(Metrics::default()), shutdown.clone());
        Self { server, inside, shutdown, serving: Mutex::default() }
    }

    /// A client that has not said anything yet.
    pub fn connect(&self) -> Client {
        let (near, far) = tokio::io::duplex(64 << 10);
        let server = self.server.clone();
        let serving = env::rt::spawn(async move { server.serve_stream(Box::new(far), "10.1.2.3".to_owned()).await });
        self.serving.lock().push(serving);
        Client::new(Box::new(near))
    }

    /// Waits until all connections have ended, and fails when one of them panicked.
    pub async fn served(&self) {
        let serving = std::mem::take(&mut *self.serving.lock());
        for task in serving {
            env::rt::time::timeout(Duration::from_secs(20), task).await.expect("a connection does not end").unwrap();
        }
    }

    /// A client that has logged in as root.
    pub async fn root(&self) -> Client {
        let mut client = self.connect();
        client.login("root", "", None).await.unwrap();
        client
    }
}
