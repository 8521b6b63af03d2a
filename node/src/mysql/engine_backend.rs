//! The engine behind the MySQL door.

use super::backend::{Backend, Client, ServerStatement};
use super::registry::KillTarget;
use crate::engine::Engine;
use crate::error::EngineError;
use crate::result::Outcome;
use crate::session::Session;
use crate::sql::{self, Kill, Show, Statement};
use arrow::datatypes::SchemaRef;
use async_trait::async_trait;
use env::rt::CancellationToken;

/// Has an engine execute the statements.
#[derive(Debug, Clone)]
pub struct EngineBackend {
    engine: Engine,
}

impl EngineBackend {
    /// A backend for `engine`.
    pub fn new(engine: Engine) -> Self {
        Self { engine }
    }
}

#[async_trait]
impl Backend for EngineBackend {
    type Session = Session;
    type Statement = Statement;

    async fn open(&self, client: &Client) -> Result<Session, EngineError> {
        let mut session = self.engine.session_of(client.identity.clone(), &client.host);
        session.set_connection_id(client.connection);
        Ok(session)
    }

    fn split<'a>(&self, text: &'a str) -> Box<dyn Iterator<Item = &'a str> + Send + 'a> {
        Box::new(sql::split(text).map(|piece| piece.text))
    }

    fn parse(&self, _session: &Session, text: &str) -> Result<Statement, EngineError> {
        let mut pieces = sql::split(text);
        let (Some(piece), None) = (pieces.next(), pieces.next()) else {
            return Err(EngineError::internal("a statement was cut in the wrong place"));
        };
        Ok(sql::parse_piece(&piece)?)
    }

    #[expect(clippy::wildcard_enum_match_arm, reason = "all other statements are the engine's")]
    fn server_statement(&self, statement: &Statement) -> Option<ServerStatement> {
        let (target, connection) = match statement {
            Statement::Kill(Kill::Query(id)) => (KillTarget::Query, *id),
            Statement::Kill(Kill::Connection(id)) => (KillTarget::Connection, *id),
            Statement::Show(show) => {
                return match **show {
                    Show::ProcessList { full } => Some(ServerStatement::ProcessList { full }),
                    _ => None,
                };
            }
            _ => return None,
        };
        Some(ServerStatement::Kill { target, connection })
    }

    async fn execute(
        &self,
        session: &mut Session,
        statement: &Statement,
        stop: CancellationToken,
    ) -> Result<Outcome, EngineError> {
        session.execute(statement, stop).await
    }

    async fn oversees(&self, session: &Session) -> bool {
        session.oversees().await
    }

    fn database(&self, session: &Session) -> Option<String> {
        session.database().map(str::to_owned)
    }

    async fn set_database(&self, session: &mut Session, name: &str) -> Result<(), EngineError> {
        session.set_database(name).await
    }

    async fn columns(&self, session: &mut Session, table: &str) -> Result<SchemaRef, EngineError> {
        session.columns(table).await
    }

    async fn reset(&self, session: &mut Session) -> Result<(), EngineError> {
        session.reset();
        Ok(())
    }
}
