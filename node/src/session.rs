//! One client's session: what it has set, and its statements.

mod changes;
mod execute;
mod variables;

pub(crate) use variables::Variables;

use crate::account::{self, Access, Identity};
use crate::engine::{Engine, clock};
use crate::error::{EngineError, ErrorKind, codes};
use crate::privilege::{Object, Privilege};
use arrow::datatypes::SchemaRef;
use env::rt::time::unix_millis;
use std::collections::BTreeMap;
use std::sync::Arc;

/// What `VERSION()` says. The number in front decides what clients believe the server can do.
pub const VERSION: &str = concat!("8.0.33-tabularium-", env!("CARGO_PKG_VERSION"));

/// What the user has set with `SET @name = ..`; NULL is kept, too.
pub(crate) type UserVariables = BTreeMap<String, Option<String>>;

/// A session. It runs one statement at a time; open another one for another.
#[derive(Debug)]
pub struct Session {
    engine: Engine,
    /// Who is logged in, with what they may do as of the last statement.
    access: Arc<Access>,
    /// The client's address.
    client_host: String,
    connection: u32,
    database: Option<String>,
    variables: Arc<Variables>,
    user_variables: Arc<UserVariables>,
}

/// What a statement can know of its session.
#[derive(Debug, Clone)]
pub(crate) struct Context {
    pub(crate) database: Option<String>,
    pub(crate) user: String,
    /// What the user may do.
    pub(crate) access: Arc<Access>,
    /// The client's address.
    pub(crate) client_host: String,
    pub(crate) connection: u32,
    /// The moment of the statement, in milliseconds since 1970: NOW() is the same everywhere in it.
    pub(crate) now_ms: u64,
    variables: Arc<Variables>,
    user_variables: Arc<UserVariables>,
}

impl Context {
    /// The value of `@@scope.name`.
    ///
    /// # Errors
    /// 1193.
    pub(crate) fn system_variable(&self, scope: &str, name: &str) -> Result<Option<String>, EngineError> {
        let scope = scope.to_ascii_lowercase();
        if !matches!(scope.as_str(), "" | "session" | "local" | "global" | "persist") {
            return Err(unknown_variable(&format!("{scope}.{name}")));
        }
        self.variables.get(name).map(Some).ok_or_else(|| unknown_variable(name))
    }

    /// The value of `@name`; NULL when it was never set.
    pub(crate) fn user_variable(&self, name: &str) -> Option<String> {
        self.user_variables.get(&name.to_lowercase()).cloned().flatten()
    }

    /// NOW(), to the second, in UTC.
    pub(crate) fn now_text(&self) -> String {
        clock::utc_text(self.now_ms)
    }

    /// CURDATE(), in UTC.
    pub(crate) fn today_text(&self) -> String {
        clock::utc_text(self.now_ms).chars().take(10).collect()
    }
}

pub(crate) fn unknown_variable(name: &str) -> EngineError {
    EngineError::new(codes::UNKNOWN_VARIABLE, ErrorKind::NotFound, format!("Unknown system variable '{name}'"))
}

impl Session {
    pub(crate) fn new(engine: Engine, identity: Identity, client_host: &str) -> Self {
        let variables = engine.default_variables();
        Self {
            engine,
            access: Arc::new(Access::unknown(identity)),
            client_host: client_host.to_owned(),
            connection: 0,
            database: None,
            variables,
            user_variables: Arc::default(),
        }
    }

    /// Learns what the user may do now: it may have changed since the last statement.
    pub(crate) async fn refresh(&mut self) -> Result<(), EngineError> {
        if !account::is_root(self.access.identity()) {
            self.access = Arc::new(account::access(self.engine.catalog(), self.access.identity()).await?);
        }
        Ok(())
    }

    /// Whether the user may see the connections of others and end them: who may operate the node.
    pub(crate) async fn oversees(&self) -> bool {
        match account::access(self.engine.catalog(), self.access.identity()).await {
            Ok(access) => access.allows(Privilege::Operate, &Object::System),
            Err(error) => {
                tracing::warn!(%error, "cannot tell what a user may do");
                false
            }
        }
    }

    /// The database in use.
    pub fn database(&self) -> Option<&str> {
        self.database.as_deref()
    }

    /// Uses another database.
    ///
    /// # Errors
    /// 1044 when it is not for the user's eyes, 1049 when there is no such database.
    pub async fn set_database(&mut self, name: &str) -> Result<(), EngineError> {
        let name = account::own_catalog(name);
        self.refresh().await?;
        self.access.require_sight(&Object::Database(name.to_owned()))?;
        let information = name.eq_ignore_ascii_case("information_schema");
        if !information {
            self.engine.ddl().database(name).await?;
        }
        self.database = Some(if information { name.to_lowercase() } else { name.to_owned() });
        Ok(())
    }

    /// The number that CONNECTION_ID() gives.
    pub fn set_connection_id(&mut self, id: u32) {
        self.connection = id;
    }

    /// Who is logged in.
    pub fn user(&self) -> &str {
        &self.access.identity().name
    }

    /// Forgets what was set; the user and the database stay.
    pub fn reset(&mut self) {
        self.variables = self.engine.default_variables();
        self.user_variables = Arc::default();
    }

    /// The columns of a table of the database in use.
    ///
    /// # Errors
    /// 1046, 1142, 1146.
    pub async fn columns(&mut self, table: &str) -> Result<SchemaRef, EngineError> {
        let database = self.database.clone().ok_or_else(EngineError::no_database)?;
        self.refresh().await?;
        self.access.require_sight(&Object::Table(database.clone(), table.to_owned()))?;
        let name = crate::ddl::QualifiedName { database, name: table.to_owned() };
        let (_, record) = self.engine.ddl().table(&name).await?;
        Ok(snapshot::schema::tablet_schema(&record)?.arrow())
    }

    pub(crate) fn context(&self) -> Context {
        let mut variables = Arc::clone(&self.variables);
        Variables::follow_node(&mut variables, self.engine.jobs().node_limits());
        Context {
            database: self.database.clone(),
            user: self.user().to_owned(),
            access: Arc::clone(&self.access),
            client_host: self.client_host.clone(),
            connection: self.connection,
            now_ms: unix_millis(),
            variables,
            user_variables: Arc::clone(&self.user_variables),
        }
    }
}
