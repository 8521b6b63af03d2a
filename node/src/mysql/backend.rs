//! What the server needs of whoever executes statements.

use super::registry::KillTarget;
use crate::account::Identity;
use crate::error::EngineError;
use crate::result::Outcome;
use arrow::datatypes::SchemaRef;
use async_trait::async_trait;
use env::rt::CancellationToken;

/// A client who has logged in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Client {
    /// The user's name.
    pub user: String,
    /// The account that they logged in to.
    pub identity: Identity,
    /// The client's address.
    pub host: String,
    /// The connection's number, what `CONNECTION_ID()` gives.
    pub connection: u32,
}

/// A statement that is about the server's connections; the server answers it itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ServerStatement {
    /// KILL.
    Kill {
        /// What ends.
        target: KillTarget,
        /// The connection's number.
        connection: u64,
    },
    /// SHOW PROCESSLIST.
    ProcessList {
        /// Statements are shown whole.
        full: bool,
    },
}

/// Executes statements, a session for each connection.
#[async_trait]
pub trait Backend: Send + Sync + 'static {
    /// What is remembered between the statements of a connection.
    type Session: Send + Sync + 'static;
    /// A parsed statement.
    type Statement: Send + Sync + 'static;

    /// Begins a session.
    ///
    /// # Errors
    /// The client is refused with them.
    async fn open(&self, client: &Client) -> Result<Self::Session, EngineError>;

    /// The texts of the statements in `text`, cut apart one by one as they are asked for; none, when there is nothing but
    /// blanks and comments.
    fn split<'a>(&self, text: &'a str) -> Box<dyn Iterator<Item = &'a str> + Send + 'a>;

    /// The statement in `text`, one of those that [`Backend::split`] gave. A statement is parsed when those before it are
    /// done, so that a long script never stands in memory as trees.
    ///
    /// # Errors
    /// 1064.
    fn parse(&self, session: &Self::Session, text: &str) -> Result<Self::Statement, EngineError>;

    /// What the server answers itself.
    fn server_statement(&self, statement: &Self::Statement) -> Option<ServerStatement>;

    /// Executes one statement. When `stop` is cancelled it ends soon, with 1317 unless it was done; the future is not
    /// dropped before its end.
    ///
    /// # Errors
    /// The client is told.
    async fn execute(
        &self,
        session: &mut Self::Session,
        statement: &Self::Statement,
        stop: CancellationToken,
    ) -> Result<Outcome, EngineError>;

    /// Whether the session's user may see the connections of others and end them.
    async fn oversees(&self, session: &Self::Session) -> bool;

    /// The database in use.
    fn database(&self, session: &Self::Session) -> Option<String>;

    /// Uses another database.
    ///
    /// # Errors
    /// 1049 when there is no such database.
    async fn set_database(&self, session: &mut Self::Session, name: &str) -> Result<(), EngineError>;

    /// Columns of a table of the database in use.
    ///
    /// # Errors
    /// 1146 when there is no such table.
    async fn columns(&self, session: &mut Self::Session, table: &str) -> Result<SchemaRef, EngineError>;

    /// Forgets all variables that were set; the user and the database stay.
    ///
    /// # Errors
    /// The client is told.
    async fn reset(&self, session: &mut Self::Session) -> Result<(), EngineError>;
}
