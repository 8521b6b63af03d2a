//! One connection, from login to its end: reads commands, has them executed, and sends what came of them.
//!
//! Owns the session and the prepared statements. Commands are done one after the other; while one is executed, the
//! client's going away is noticed and stops it.

use super::backend::{Backend, Client, ServerStatement};
use super::capabilities as cap;
use super::cells::RowFormat;
use super::channel::{Channel, ChannelError};
use super::codec::{Fields, put_lenenc_bytes};
use super::columns::put_column;
use super::login::{self, Door, Refusal};
use super::registry::{KillTarget, Registered};
use super::rows;
use super::server::Options;
use super::statements::Statements;
use crate::account::Identity;
use crate::error::{EngineError, ErrorKind, codes};
use crate::http::metrics::Metrics;
use crate::result::{Outcome, ResultSet};
use env::rt::{CancellationToken, time};
use std::sync::Arc;

mod command {
    pub(super) const QUIT: u8 = 1;
    pub(super) const INIT_DB: u8 = 2;
    pub(super) const QUERY: u8 = 3;
    pub(super) const FIELD_LIST: u8 = 4;
    pub(super) const STATISTICS: u8 = 9;
    pub(super) const PROCESS_KILL: u8 = 12;
    pub(super) const PING: u8 = 14;
    pub(super) const CHANGE_USER: u8 = 17;
    pub(super) const STMT_PREPARE: u8 = 22;
    pub(super) const STMT_EXECUTE: u8 = 23;
    pub(super) const STMT_SEND_LONG_DATA: u8 = 24;
    pub(super) const STMT_CLOSE: u8 = 25;
    pub(super) const STMT_RESET: u8 = 26;
    pub(super) const SET_OPTION: u8 = 27;
    pub(super) const STMT_FETCH: u8 = 28;
    pub(super) const RESET_CONNECTION: u8 = 31;
}

/// What all connections of a server share.
pub(crate) struct Shared<B> {
    pub(crate) backend: B,
    pub(crate) door: Door,
    pub(crate) options: Options,
    pub(crate) metrics: Arc<Metrics>,
    /// No more commands are taken.
    pub(crate) shutdown: CancellationToken,
    pub(crate) started: time::Instant,
}

pub(crate) struct Connection<B: Backend> {
    pub(super) shared: Arc<Shared<B>>,
    pub(super) channel: Channel,
    registered: Registered,
    client: Client,
    session: B::Session,
    pub(super) statements: Statements,
    multi_statements: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Next {
    Command,
    Quit,
}

/// Serves a client until it leaves, is too slow, breaks the protocol, is killed, or the server ends.
pub(crate) async fn serve<B: Backend>(
    shared: Arc<Shared<B>>,
    mut channel: Channel,
    registered: Registered,
    host: String,
) {
    let opened = env::select! {
        () = registered.kill().cancelled() => Err(Refusal::Channel(ChannelError::Killed)),
        () = shared.shutdown.cancelled() => Err(Refusal::Told(shutting_down())),
        opened = time::timeout(shared.options.login_timeout, open(&shared, &mut channel, &registered, host)) => {
            opened.unwrap_or_else(|_elapsed| Err(Refusal::Told(login_timed_out())))
        }
    };
    let (client, session) = match opened {
        Ok(opened) => opened,
        Err(Refusal::Told(error)) => {
            tracing::debug!(connection = registered.id(), code = error.code, %error, "client refused");
            shared.metrics.connection_refused();
            farewell(&mut channel, &error).await;
            return;
        }
        Err(Refusal::Channel(error)) => {
            tracing::debug!(connection = registered.id(), %error, "connection ended before login");
            return;
        }
    };
    registered.logged_in(&client.identity);
    let multi_statements = channel.can(cap::MULTI_STATEMENTS);
    let statements = Statements::new(shared.options.max_allowed_packet_bytes);
    let mut connection = Connection { shared, channel, registered, client, session, statements, multi_statements };
    connection.note_database();
    let end = connection.run().await;
    tracing::debug!(connection = connection.registered.id(), %end, "connection ended");
    connection.channel.close().await;
}

async fn open<B: Backend>(
    shared: &Shared<B>,
    channel: &mut Channel,
    registered: &Registered,
    host: String,
) -> Result<(Client, B::Session), Refusal> {
    let (login, identity) = login::login(channel, &shared.door, &host, registered.id()).await?;
    let client = Client { user: login.user, identity, host, connection: registered.id() };
    let mut session = shared.backend.open(&client).await.map_err(Refusal::Told)?;
    if let Some(database) = &login.database {
        shared.backend.set_database(&mut session, database).await.map_err(Refusal::Told)?;
    }
    channel.put_ok(0, "", false);
    channel.flush().await?;
    channel.open_wide(shared.options.max_allowed_packet_bytes);
    Ok((client, session))
}

/// Tells a client why its connection ends.
async fn farewell(channel: &mut Channel, error: &EngineError) {
    channel.put_error(error);
    if channel.flush().await.is_ok() {
        channel.close().await;
    }
}

fn shutting_down() -> EngineError {
    EngineError::new(codes::SHUTDOWN, ErrorKind::Unavailable, "Server shutdown in progress")
}

fn login_timed_out() -> EngineError {
    EngineError::new(codes::HANDSHAKE, ErrorKind::TimedOut, "Bad handshake: the client took too long")
}

impl<B: Backend> Connection<B> {
    /// Takes commands until the end, whose reason it returns.
    async fn run(&mut self) -> ChannelError {
        loop {
            let idle = self.shared.options.idle_timeout;
            let read = env::select! {
                () = self.registered.kill().cancelled() => Err(Some(killed())),
                () = self.shared.shutdown.cancelled() => Err(Some(shutting_down())),
                read = time::timeout(idle, self.channel.read_command()) => match read {
                    Ok(read) => Ok(read),
                    Err(_elapsed) => Err(Some(inactive())),
                },
            };
            let packet = match read {
                Ok(Ok(packet)) => packet,
                Ok(Err(error)) => {
                    if let Some(told) = protocol_error(&error) {
                        farewell(&mut self.channel, &told).await;
                    }
                    return error;
                }
                Err(reason) => {
                    if let Some(reason) = reason {
                        // It is the reply to the command that the client may be about to send.
                        self.channel.begin_reply();
                        farewell(&mut self.channel, &reason).await;
                    }
                    return ChannelError::Killed;
                }
            };
            match self.command(&packet).await {
                Ok(Next::Command) => {}
                Ok(Next::Quit) => return ChannelError::Closed,
                Err(error) => return error,
            }
            if let Err(error) = self.channel.flush().await {
                return error;
            }
        }
    }

    async fn command(&mut self, packet: &[u8]) -> Result<Next, ChannelError> {
        let Some((command, body)) = packet.split_first() else {
            self.fail(&EngineError::new(codes::UNKNOWN_COMMAND, ErrorKind::Invalid, "Empty command"));
            return Ok(Next::Command);
        };
        match *command {
            command::QUIT => return Ok(Next::Quit),
            command::INIT_DB => self.init_db(body).await,
            command::QUERY => self.query(body).await?,
            command::FIELD_LIST => self.field_list(body).await,
            command::STATISTICS => self.statistics(),
            command::PROCESS_KILL => self.process_kill(body).await,
            command::PING => self.channel.put_ok(0, "", false),
            command::CHANGE_USER => return self.change_user(body).await,
            command::STMT_PREPARE => self.stmt_prepare(body),
            command::STMT_EXECUTE => self.stmt_execute(body).await?,
            // These two have no reply, whatever comes of them.
            command::STMT_SEND_LONG_DATA => self.statements.append_long_data(body),
            command::STMT_CLOSE => self.statements.close(body),
            command::STMT_RESET => match self.statements.reset(body) {
                Ok(()) => self.channel.put_ok(0, "", false),
                Err(error) => self.fail(&error),
            },
            command::SET_OPTION => self.set_option(body),
            command::STMT_FETCH => {
                self.fail(&EngineError::new(
                    codes::NO_OPEN_CURSOR,
                    ErrorKind::Invalid,
                    "The statement has no open cursor",
                ));
            }
            command::RESET_CONNECTION => self.reset_connection().await,
            other => {
                let message = format!("Unknown command {other}");
                self.fail(&EngineError::new(codes::UNKNOWN_COMMAND, ErrorKind::Unsupported, message));
            }
        }
        Ok(Next::Command)
    }

    pub(super) fn fail(&mut self, error: &EngineError) {
        // A syntax error quotes the statement, which may hold a secret; the client knows it already.
        let said = if error.code == codes::SYNTAX { "no valid SQL" } else { error.message.as_str() };
        tracing::debug!(connection = self.registered.id(), code = error.code, error = said, "statement failed");
        self.channel.put_error(error);
    }

    fn done(&mut self, result: Result<(), EngineError>) {
        match result {
            Ok(()) => self.channel.put_ok(0, "", false),
            Err(error) => self.fail(&error),
        }
    }

    fn note_database(&self) {
        self.registered.uses(self.shared.backend.database(&self.session).as_deref());
    }

    async fn init_db(&mut self, body: &[u8]) {
        let result = match utf8(body) {
            Ok(name) => self.shared.backend.set_database(&mut self.session, name).await,
            Err(error) => Err(error),
        };
        self.note_database();
        self.done(result);
    }

    async fn query(&mut self, body: &[u8]) -> Result<(), ChannelError> {
        match utf8(body) {
            Ok(text) => self.execute_text(text, RowFormat::Text).await,
            Err(error) => {
                self.fail(&error);
                Ok(())
            }
        }
    }

    /// Executes the statements in `text`, one after the other, until one fails.
    pub(super) async fn execute_text(&mut self, text: &str, format: RowFormat) -> Result<(), ChannelError> {
        let shared = Arc::clone(&self.shared);
        let mut texts = shared.backend.split(text).peekable();
        let single = format == RowFormat::Binary || !self.multi_statements;
        let Some(mut text) = texts.next() else {
            self.channel.put_ok(0, "", false);
            return Ok(());
        };
        if single && texts.peek().is_some() {
            self.shared.metrics.query_failed();
            self.fail(&EngineError::syntax("several statements where one was expected"));
            return Ok(());
        }
        loop {
            let next = texts.next();
            if self.execute_one(text, format, next.is_some()).await?.is_err() {
                return Ok(());
            }
            match next {
                Some(next) => text = next,
                None => return Ok(()),
            }
        }
    }

    /// Executes the statement in `text`. The inner error is the statement's; the client was told.
    async fn execute_one(
        &mut self,
        text: &str,
        format: RowFormat,
        more_results: bool,
    ) -> Result<Result<(), EngineError>, ChannelError> {
        let parsed = refuse_local_files(text).and_then(|()| self.shared.backend.parse(&self.session, text));
        let statement = match parsed {
            Ok(statement) => statement,
            Err(error) => {
                self.shared.metrics.query_failed();
                self.fail(&error);
                return Ok(Err(error));
            }
        };
        let stop = self.registered.begin(text);
        let began = time::Instant::now();
        let result = self.execute(&statement, format, more_results, &stop).await;
        self.registered.end();
        self.note_database();
        self.shared.metrics.query_done(began.elapsed(), matches!(result, Ok(Ok(()))));
        result
    }

    /// Executes one statement and sends its result. The inner error is the statement's; the client was told.
    async fn execute(
        &mut self,
        statement: &B::Statement,
        format: RowFormat,
        more_results: bool,
        stop: &CancellationToken,
    ) -> Result<Result<(), EngineError>, ChannelError> {
        let outcome = match self.shared.backend.server_statement(statement) {
            Some(statement) => self.execute_here(statement).await,
            None => self.execute_there(statement, stop).await?,
        };
        match outcome {
            Ok(Outcome::Done { affected, info }) => self.channel.put_ok(affected, &info, more_results),
            // Without columns there is nothing that a client could take for a row.
            Ok(Outcome::Rows(rows)) if rows.schema.fields().is_empty() => self.channel.put_ok(0, "", more_results),
            Ok(Outcome::Rows(result)) => {
                let sent = rows::send(&mut self.channel, result, format, more_results, stop).await?;
                return Ok(sent.map(|_rows| ()));
            }
            Err(error) => {
                self.fail(&error);
                return Ok(Err(error));
            }
        }
        self.channel.flush_if_full().await?;
        Ok(Ok(()))
    }

    async fn execute_there(
        &mut self,
        statement: &B::Statement,
        stop: &CancellationToken,
    ) -> Result<Result<Outcome, EngineError>, ChannelError> {
        let Self { shared, session, channel, .. } = self;
        // The client sees the results so far while the next statement runs.
        channel.flush().await?;
        let mut execution = shared.backend.execute(session, statement, stop.clone());
        let outcome = env::select! {
            outcome = &mut execution => Some(outcome),
            () = channel.gone() => None,
        };
        if let Some(outcome) = outcome {
            return Ok(outcome);
        }
        // Nobody waits for it any more. It is told to stop and then waited for, so that it ends in good order.
        stop.cancel();
        match execution.await {
            Ok(_) | Err(_) => Err(ChannelError::Closed),
        }
    }

    async fn execute_here(&mut self, statement: ServerStatement) -> Result<Outcome, EngineError> {
        let owner = self.only_of().await;
        let connections = self.registered.connections();
        match statement {
            ServerStatement::Kill { target, connection } => {
                connections.kill(connection, target, owner.as_ref())?;
                Ok(Outcome::ok())
            }
            ServerStatement::ProcessList { full } => {
                let shown_chars = if full { usize::MAX } else { 100 };
                let row = |view: super::registry::ConnectionView| {
                    vec![
                        Some(view.id.to_string()),
                        Some(view.user),
                        Some(view.host),
                        view.database,
                        Some(view.command.to_owned()),
                        Some(view.seconds.to_string()),
                        Some(String::new()),
                        view.statement.map(|text| text.chars().take(shown_chars).collect()),
                    ]
                };
                let rows: Vec<_> = connections
                    .list()
                    .into_iter()
                    .filter(|view| owner.is_none() || view.identity == owner)
                    .map(row)
                    .collect();
                let columns = ["Id", "User", "Host", "db", "Command", "Time", "State", "Info"];
                ResultSet::from_text(&columns, &rows).map(Outcome::Rows)
            }
        }
    }

    /// The account whose connections the client may see and end; `None` when it may do so with all.
    async fn only_of(&mut self) -> Option<Identity> {
        let Self { shared, session, client, .. } = self;
        let all = shared.backend.oversees(session).await;
        (!all).then(|| client.identity.clone())
    }

    async fn field_list(&mut self, body: &[u8]) {
        let table = Fields(body).until_nul_or_end();
        let columns = match utf8(table) {
            Ok(table) => self.shared.backend.columns(&mut self.session, table).await.map(|schema| (table, schema)),
            Err(error) => Err(error),
        };
        match columns {
            Ok((table, schema)) => {
                for field in schema.fields() {
                    self.channel.put(|out| {
                        put_column(out, table, field);
                        // The default value, as text; clients do not use it.
                        put_lenenc_bytes(out, b"");
                    });
                }
                self.channel.put_end_of_rows(false);
            }
            Err(error) => self.fail(&error),
        }
    }

    fn statistics(&mut self) {
        let connections = self.registered.connections();
        let text = format!(
            "Uptime: {}  Threads: {}  Questions: {}  Slow queries: 0  Opens: 0  Flush tables: 0  Open tables: 0  Queries per second avg: 0.0",
            self.shared.started.elapsed().as_secs(),
            connections.count(),
            self.shared.metrics.queries(),
        );
        self.channel.put(|out| out.extend_from_slice(text.as_bytes()));
    }

    async fn process_kill(&mut self, body: &[u8]) {
        let owner = self.only_of().await;
        let result = match Fields(body).u32() {
            Ok(id) => self.registered.connections().kill(id.into(), KillTarget::Connection, owner.as_ref()),
            Err(malformed) => Err(EngineError::invalid(malformed.to_string())),
        };
        self.done(result);
    }

    fn set_option(&mut self, body: &[u8]) {
        match Fields(body).u16() {
            Ok(option @ (0 | 1)) => {
                self.multi_statements = option == 0;
                self.channel.put_end_of_rows(false);
            }
            Ok(_) | Err(_) => {
                self.fail(&EngineError::new(codes::UNKNOWN_COMMAND, ErrorKind::Invalid, "Unknown option"));
            }
        }
    }

    async fn change_user(&mut self, body: &[u8]) -> Result<Next, ChannelError> {
        let host = self.client.host.clone();
        let door = self.shared.door.clone();
        let proven =
            time::timeout(self.shared.options.login_timeout, login::change_user(&mut self.channel, &door, &host, body));
        let proven = proven.await.unwrap_or_else(|_elapsed| Err(Refusal::Told(login_timed_out())));
        let result = match proven {
            Ok((change, identity)) => self.become_user(change.user, identity, change.database).await,
            Err(Refusal::Told(error)) => Err(error),
            Err(Refusal::Channel(error)) => return Err(error),
        };
        match result {
            Ok(()) => {
                self.channel.put_ok(0, "", false);
                Ok(Next::Command)
            }
            // A client that failed to prove who it is may not go on as who it was.
            Err(error) => {
                self.shared.metrics.connection_refused();
                farewell(&mut self.channel, &error).await;
                Ok(Next::Quit)
            }
        }
    }

    async fn become_user(
        &mut self,
        user: String,
        identity: Identity,
        database: Option<String>,
    ) -> Result<(), EngineError> {
        let client = Client { user, identity, ..self.client.clone() };
        let mut session = self.shared.backend.open(&client).await?;
        if let Some(database) = &database {
            self.shared.backend.set_database(&mut session, database).await?;
        }
        self.client = client;
        self.session = session;
        self.statements.clear();
        self.multi_statements = self.channel.can(cap::MULTI_STATEMENTS);
        self.registered.logged_in(&self.client.identity);
        self.note_database();
        Ok(())
    }

    async fn reset_connection(&mut self) {
        self.statements.clear();
        self.multi_statements = self.channel.can(cap::MULTI_STATEMENTS);
        let result = self.shared.backend.reset(&mut self.session).await;
        self.note_database();
        self.done(result);
    }
}

/// A text of the client; all text is UTF-8 here, whatever character set the client has set.
pub(super) fn utf8(bytes: &[u8]) -> Result<&str, EngineError> {
    std::str::from_utf8(bytes).map_err(|error| {
        let bad = bytes.get(error.valid_up_to()..).unwrap_or_default();
        let shown = bad.get(..6).unwrap_or(bad).escape_ascii();
        EngineError::new(
            codes::INVALID_CHARACTER_STRING,
            ErrorKind::Invalid,
            format!("Invalid utf8mb4 character string: '{shown}' at byte {}", error.valid_up_to()),
        )
    })
}

/// LOAD DATA would have the client send its files.
pub(super) fn refuse_local_files(text: &str) -> Result<(), EngineError> {
    let mut words = text.split_ascii_whitespace();
    let mut next_is = |word: &str| words.next().is_some_and(|found| found.eq_ignore_ascii_case(word));
    if next_is("LOAD") && next_is("DATA") {
        return Err(EngineError::unsupported(
            "LOAD DATA is not supported. Send the file with HTTP PUT /api/{database}/{table}/_stream_load, or use INSERT INTO .. SELECT .. FROM FILES(..)",
        ));
    }
    Ok(())
}

fn killed() -> EngineError {
    EngineError::new(codes::CONNECTION_KILLED, ErrorKind::Cancelled, "Connection was killed")
}

fn inactive() -> EngineError {
    EngineError::new(
        codes::INACTIVE,
        ErrorKind::TimedOut,
        "The client was disconnected by the server because of inactivity",
    )
}

fn protocol_error(error: &ChannelError) -> Option<EngineError> {
    match error {
        ChannelError::TooLarge { max } => Some(EngineError::new(
            codes::PACKET_TOO_LARGE,
            ErrorKind::Invalid,
            format!("Got a packet bigger than 'max_allowed_packet' bytes ({max})"),
        )),
        ChannelError::OutOfOrder { .. } => {
            Some(EngineError::new(codes::PACKETS_OUT_OF_ORDER, ErrorKind::Invalid, "Got packets out of order"))
        }
        ChannelError::Closed | ChannelError::WriteTimeout | ChannelError::Killed | ChannelError::Io(_) => None,
    }
}
