//! What each statement does.

#![expect(clippy::wildcard_enum_match_arm, reason = "each function is called with its own statements only")]

use super::variables::{Settable, Variables, node_limit};
use super::{Context, Session, unknown_variable};
use crate::account;
use crate::ddl::{self, QualifiedName};
use crate::engine::Engine;
use crate::error::{EngineError, ErrorKind, codes};
use crate::jobs;
use crate::preview;
use crate::result::Outcome;
use crate::show;
use crate::sql::{
    Account, AlterAction, AlterTable, CreateTableLike, Kill, ObjectName, Recover, Scope, SetItem, SetValue, Statement,
};
use crate::upkeep;
use env::rt::CancellationToken;
use snapshot::request::LimitsChange;
use std::collections::BTreeMap;
use std::sync::Arc;

impl Session {
    /// Executes one statement. When `stop` is cancelled it ends soon, with 1317 unless it was done. Dropping the future does
    /// the same; a change is then either whole or not there.
    ///
    /// # Errors
    /// What goes to the client.
    pub async fn execute(&mut self, statement: &Statement, stop: CancellationToken) -> Result<Outcome, EngineError> {
        self.refresh().await?;
        account::authorize(&self.engine, &self.access, statement, self.database()).await?;
        // A query reads one version throughout, so it may end in the middle; the others run as tasks that end in order.
        match statement {
            Statement::Use { database } => {
                self.set_database(database).await?;
                Ok(Outcome::ok())
            }
            Statement::Set(items) => {
                Box::pin(self.set(items)).await?;
                Ok(Outcome::ok())
            }
            // Every statement is a transaction of its own.
            Statement::Begin | Statement::Commit | Statement::Rollback => Ok(Outcome::ok()),
            Statement::Kill(Kill::Query(id) | Kill::Connection(id)) => {
                Err(EngineError::new(codes::NO_SUCH_THREAD, ErrorKind::NotFound, format!("Unknown thread id: {id}")))
            }
            Statement::Query(_)
            | Statement::Explain(_)
            | Statement::Insert(_)
            | Statement::Update(_)
            | Statement::Delete(_)
            | Statement::CreateTableAs(_) => Box::pin(self.rows(statement, stop)).await,
            Statement::Describe { table, column } => {
                let name = self.qualified(table)?;
                show::describe(&self.engine, &name, column.as_deref()).await.map(Outcome::Rows)
            }
            Statement::Show(wanted) => {
                Box::pin(show::show(&self.engine, &self.context(), wanted)).await.map(Outcome::Rows)
            }
            Statement::CreateRepository(_)
            | Statement::DropRepository { .. }
            | Statement::Backup(_)
            | Statement::Restore(_)
            | Statement::CancelBackup { .. }
            | Statement::CancelRestore { .. } => self.detached_job(statement, &stop).await,
            Statement::ExplainJob(statement) => {
                self.detached_upkeep(&stop, statement.as_ref().clone(), preview::explain).await
            }
            Statement::AlterJob(alter) => self.detached_upkeep(&stop, alter.clone(), upkeep::alter_job).await,
            Statement::Upkeep(wanted) => self.detached_upkeep(&stop, wanted.clone(), upkeep::execute).await,
            Statement::Account(wanted) => self.detached_account(wanted, &stop).await,
            Statement::CreateDatabase { .. }
            | Statement::DropDatabase { .. }
            | Statement::RenameDatabase { .. }
            | Statement::CreateTable(_)
            | Statement::CreateTableLike(_)
            | Statement::DropTable { .. }
            | Statement::TruncateTable { .. }
            | Statement::Recover(_)
            | Statement::UndoRestore { .. }
            | Statement::AlterTable(_) => self.detached_ddl(statement, &stop).await,
        }
    }

    fn qualified(&self, name: &ObjectName) -> Result<QualifiedName, EngineError> {
        QualifiedName::of(name, self.database())
    }

    async fn detached_job(&self, statement: &Statement, stop: &CancellationToken) -> Result<Outcome, EngineError> {
        let (engine, context, statement) = (self.engine.clone(), self.context(), statement.clone());
        self.engine.gate().run(stop, |_| async move { jobs::execute(&engine, &context, &statement).await }).await
    }

    async fn detached_account(&self, wanted: &Account, stop: &CancellationToken) -> Result<Outcome, EngineError> {
        let (engine, context, wanted) = (self.engine.clone(), self.context(), wanted.clone());
        let work =
            |_| async move { account::execute(&engine, &context.access, context.database.as_deref(), &wanted).await };
        self.engine.gate().run(stop, work).await?;
        Ok(Outcome::ok())
    }

    /// Runs what must not be cut off in the middle; it gets the token that tells it to stop.
    async fn detached_upkeep<T, F>(
        &self,
        stop: &CancellationToken,
        wanted: T,
        work: impl FnOnce(Engine, Context, T, CancellationToken) -> F,
    ) -> Result<Outcome, EngineError>
    where
        F: Future<Output = Result<Outcome, EngineError>> + Send + 'static,
    {
        let (engine, context) = (self.engine.clone(), self.context());
        self.engine.gate().run(stop, |stop| work(engine, context, wanted, stop)).await
    }

    async fn detached_ddl(&mut self, statement: &Statement, stop: &CancellationToken) -> Result<Outcome, EngineError> {
        let (engine, database, owned) = (self.engine.clone(), self.database.clone(), statement.clone());
        let work = |_| async move { run_ddl(engine.ddl(), database.as_deref(), &owned).await };
        self.engine.gate().run(stop, work).await?;
        // The database in use may be gone, or have another name.
        match statement {
            Statement::DropDatabase { name, .. } if self.database.as_ref() == Some(name) => self.database = None,
            Statement::RenameDatabase { name, new_name } if self.database.as_ref() == Some(name) => {
                self.database = Some(new_name.clone());
            }
            _ => {}
        }
        Ok(Outcome::ok())
    }

    async fn set(&mut self, items: &[SetItem]) -> Result<(), EngineError> {
        let before = Arc::clone(&self.user_variables);
        let done = self.set_all(items).await;
        if done.is_err() {
            self.user_variables = before;
        }
        done
    }

    /// All or nothing but for the user's variables, which later items see: what was set before an error is not.
    async fn set_all(&mut self, items: &[SetItem]) -> Result<(), EngineError> {
        let mut variables = self.variables.as_ref().clone();
        let (mut global, mut limits) = (Vec::new(), BTreeMap::new());
        for item in items {
            match item {
                SetItem::Variable { scope, name, value } => {
                    match Variables::settable(name) {
                        Settable::Yes => {}
                        Settable::Unknown => return Err(unknown_variable(name)),
                        Settable::ReadOnly => {
                            return Err(EngineError::new(
                                1238,
                                ErrorKind::Denied,
                                format!("Variable '{name}' is a read only variable"),
                            ));
                        }
                    }
                    let value = match value {
                        SetValue::Default => None,
                        other => Some(self.value(other).await?.unwrap_or_else(|| "NULL".to_owned())),
                    };
                    if let Some(limit) = node_limit(name) {
                        if *scope != Scope::Global {
                            let text =
                                format!("Variable '{name}' is a GLOBAL variable and should be set with SET GLOBAL");
                            return Err(EngineError::new(1229, ErrorKind::Invalid, text));
                        }
                        limits.insert(limit.to_owned(), value.unwrap_or_else(|| "0".to_owned()));
                    } else if *scope == Scope::Global {
                        global.push((name.clone(), value));
                    } else {
                        variables.set(name, value.as_deref());
                    }
                }
                SetItem::UserVariable { name, value } => {
                    let value = self.value(value).await?;
                    Arc::make_mut(&mut self.user_variables).insert(name.clone(), value);
                }
                SetItem::Names { charset, collation } => {
                    for name in ["character_set_client", "character_set_connection", "character_set_results"] {
                        variables.set(name, charset.as_deref());
                    }
                    variables.set("collation_connection", collation.as_deref());
                }
                SetItem::CharacterSet { charset } => {
                    for name in ["character_set_client", "character_set_results"] {
                        variables.set(name, charset.as_deref());
                    }
                }
                SetItem::Transaction { isolation, read_only, .. } => {
                    if let Some(isolation) = isolation {
                        variables.set("transaction_isolation", Some(isolation));
                    }
                    if let Some(read_only) = read_only {
                        variables.set("transaction_read_only", Some(if *read_only { "1" } else { "0" }));
                    }
                }
            }
        }
        if !limits.is_empty() {
            // The jobs know these by shorter names than the client.
            let change = LimitsChange::parse(&limits).map_err(|failed| {
                EngineError::invalid(failed.to_string().replace("property \"max_", "variable \"backup_max_"))
            });
            self.engine.jobs().keep_node_limits(change?).await?;
        }
        self.engine.set_globals(&global);
        self.variables = Arc::new(variables);
        Ok(())
    }

    async fn value(&self, value: &SetValue) -> Result<Option<String>, EngineError> {
        match value {
            SetValue::Default | SetValue::Null => Ok(None),
            SetValue::Word(text) | SetValue::Text(text) | SetValue::Number(text) => Ok(Some(text.clone())),
            SetValue::Expression(expr) => self.evaluate_text(expr).await,
        }
    }
}

async fn run_ddl(ddl: &ddl::Ddl, database: Option<&str>, statement: &Statement) -> Result<(), EngineError> {
    let qualified = |name: &ObjectName| QualifiedName::of(name, database);
    match statement {
        Statement::CreateDatabase { if_not_exists, name } => ddl.create_database(name, *if_not_exists).await.map(drop),
        Statement::DropDatabase { if_exists, name, force } => ddl.drop_database(name, *if_exists, *force).await,
        Statement::RenameDatabase { name, new_name } => ddl.rename_database(name, new_name).await,
        Statement::CreateTable(create) => ddl.create_table(&qualified(&create.name)?, create).await.map(drop),
        Statement::CreateTableLike(CreateTableLike { if_not_exists, name, like }) => {
            let (_, table) = ddl.table(&qualified(like)?).await?;
            let mut create = ddl::show_create(None, &table)?;
            create.name = name.clone();
            create.if_not_exists = *if_not_exists;
            ddl.create_table(&qualified(name)?, &create).await.map(drop)
        }
        Statement::DropTable { if_exists, name, force } => ddl.drop_table(&qualified(name)?, *if_exists, *force).await,
        Statement::TruncateTable { name, partitions } => ddl.truncate(&qualified(name)?, partitions.as_deref()).await,
        Statement::Recover(Recover::Database { name, id, new_name }) => {
            ddl.recover_database(name, *id, new_name.as_deref()).await
        }
        Statement::Recover(Recover::Table { name, id, new_name }) => {
            ddl.recover_table(&qualified(name)?, *id, new_name.as_deref()).await
        }
        Statement::Recover(Recover::Partition { name, id, table }) => {
            ddl.recover_partition(&qualified(table)?, name, *id).await
        }
        Statement::UndoRestore { database: named } => {
            ddl.undo_restore(named.as_deref().or(database).ok_or_else(EngineError::no_database)?).await
        }
        Statement::AlterTable(alter) => {
            let AlterTable { table, action } = alter.as_ref();
            let name = qualified(table)?;
            match action {
                AlterAction::AddPartitions { partitions, distribution } => {
                    ddl.add_partitions(&name, partitions, distribution.as_ref()).await
                }
                AlterAction::DropPartitions { if_exists, names, force } => {
                    ddl.drop_partitions(&name, names, *if_exists, *force).await
                }
                AlterAction::Rename { new_name } => ddl.rename_table(&name, new_name).await,
                AlterAction::RenamePartition { name: old, new_name } => {
                    ddl.rename_partition(&name, old, new_name).await
                }
                AlterAction::SetProperties(properties) => ddl.set_properties(&name, properties).await,
                AlterAction::SetComment(comment) => ddl.set_comment(&name, comment).await,
            }
        }
        other => Err(EngineError::internal(format!("{} is no statement about tables", other.verb()))),
    }
}
