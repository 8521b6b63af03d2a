//! SHOW and DESC: what is there, as StarRocks and MySQL show it.

mod fixed;
mod like;
mod partitions;
mod tables;

pub(crate) use like::matches as like;

use crate::account;
use crate::ddl::{self, QualifiedName};
use crate::engine::{Engine, clock};
use crate::error::EngineError;
use crate::jobs;
use crate::result::ResultSet;
use crate::session::Context;
use crate::sql::{Filter, Show};
use crate::upkeep;
use catalog::At;
use catalog::records::{ColumnRecord, DefaultRecord, KeyModelRecord, LoadState, TableRecord};
use sqlparser::ast;
use tablet::Aggregation;

/// The name of the database that describes the others.
const INFORMATION_SCHEMA: &str = "information_schema";

/// Rows of text under names.
#[derive(Debug, Clone)]
pub(crate) struct Grid {
    pub(crate) columns: Vec<String>,
    pub(crate) rows: Vec<Vec<Option<String>>>,
}

impl Grid {
    pub(crate) fn new<S: Into<String>>(columns: impl IntoIterator<Item = S>) -> Self {
        Self { columns: columns.into_iter().map(Into::into).collect(), rows: Vec::new() }
    }

    pub(crate) fn row<S: Into<String>>(mut self, cells: impl IntoIterator<Item = S>) -> Self {
        self.rows.push(cells.into_iter().map(|cell| Some(cell.into())).collect());
        self
    }

    pub(crate) fn result(&self) -> Result<ResultSet, EngineError> {
        ResultSet::from_text(&self.columns, &self.rows)
    }
}

/// Answers a SHOW.
///
/// # Errors
/// Unknown names; a filter that makes no sense.
pub(crate) async fn show(engine: &Engine, context: &Context, wanted: &Show) -> Result<ResultSet, EngineError> {
    let (grid, filter) = grid(engine, context, wanted).await?;
    filtered(engine, context, grid, filter).await?.result()
}

/// Which column LIKE is about: the first.
async fn filtered(
    engine: &Engine,
    context: &Context,
    mut grid: Grid,
    filter: Option<Filter>,
) -> Result<Grid, EngineError> {
    match filter {
        None => Ok(grid),
        Some(Filter::Like(pattern)) => {
            grid.rows.retain(|row| {
                row.first().and_then(Option::as_deref).is_some_and(|first| like::matches(&pattern, first))
            });
            Ok(grid)
        }
        Some(Filter::Where(condition)) => where_filter(engine, context, grid, &condition).await,
    }
}

#[cfg(not(madsim))]
async fn where_filter(
    engine: &Engine,
    context: &Context,
    mut grid: Grid,
    condition: &ast::Expr,
) -> Result<Grid, EngineError> {
    let kept = engine.planner().filter(context, &grid.columns, &grid.rows, condition).await?;
    let rows = std::mem::take(&mut grid.rows);
    grid.rows = rows.into_iter().enumerate().filter(|(at, _)| kept.contains(at)).map(|(_, row)| row).collect();
    Ok(grid)
}

#[cfg(madsim)]
async fn where_filter(
    _engine: &Engine,
    _context: &Context,
    _grid: Grid,
    condition: &ast::Expr,
) -> Result<Grid, EngineError> {
    Err(EngineError::unsupported(format!("there is no query engine for WHERE {condition}")))
}

fn database_of(context: &Context, named: Option<&String>) -> Result<String, EngineError> {
    named.or(context.database.as_ref()).cloned().ok_or_else(EngineError::no_database)
}

async fn grid(engine: &Engine, context: &Context, wanted: &Show) -> Result<(Grid, Option<Filter>), EngineError> {
    let whole = |grid: Grid| Ok((grid, None));
    let qualified = |name| QualifiedName::of(name, context.database.as_deref());
    match wanted {
        Show::Databases { filter } => Ok((tables::databases(engine, &context.access).await?, filter.clone())),
        Show::Tables { full, database, filter } => {
            let database = database_of(context, database.as_ref())?;
            Ok((tables::tables(engine, &context.access, &database, *full).await?, filter.clone()))
        }
        Show::TableStatus { database, filter } => {
            let database = database_of(context, database.as_ref())?;
            Ok((tables::status(engine, &context.access, &database).await?, filter.clone()))
        }
        Show::Columns { full, table, filter } => {
            Ok((tables::columns(engine, &qualified(table)?, *full).await?, filter.clone()))
        }
        Show::Index { table } => whole(tables::index(engine, &qualified(table)?).await?),
        Show::Partitions { table, filter } => {
            let grid = partitions::partitions(engine, &qualified(table)?).await?;
            Ok((grid, filter.clone().map(Filter::Where)))
        }
        Show::CreateDatabase { name } => {
            engine.ddl().database(name).await?;
            let text = format!("CREATE DATABASE {}", crate::sql::quote_name(name));
            whole(Grid::new(["Database", "Create Database"]).row([name.clone(), text]))
        }
        Show::CreateTable { table } => {
            let (_, record) = engine.ddl().table(&qualified(table)?).await?;
            let text = format!("{};", ddl::show_create(None, &record)?);
            whole(Grid::new(["Table", "Create Table"]).row([record.name.clone(), text]))
        }
        Show::Load { database, filter } => {
            let database = database_of(context, database.as_ref())?;
            Ok((loads(engine, &database).await?, filter.clone().map(Filter::Where)))
        }
        Show::RecycleBin { filter } => {
            let mut grid = Grid::new(["Type", "Name", "DbId", "TableId", "PartitionId", "DropTime", "ExpireTime"]);
            grid.rows = engine.ddl().recycle_bin().await?.into_iter().map(Vec::from).collect();
            Ok((grid, filter.clone().map(Filter::Where)))
        }
        Show::Repositories => whole(jobs::repositories(engine).await?),
        Show::Backup { database, filter } => {
            let database = database_of(context, database.as_ref())?;
            Ok((jobs::last(engine, &context.access, &database, snapshot::JobKind::Backup).await?, filter.clone()))
        }
        Show::Restore { database, filter } => {
            let database = database_of(context, database.as_ref())?;
            Ok((jobs::last(engine, &context.access, &database, snapshot::JobKind::Restore).await?, filter.clone()))
        }
        Show::Verify { repository, filter } => {
            Ok((upkeep::verifiers(engine, repository.as_deref()).await?, filter.clone()))
        }
        Show::Snapshot { repository, filter } => whole(jobs::snapshots(engine, repository, filter).await?),
        Show::Variables { filter, .. } => {
            let mut grid = Grid::new(["Variable_name", "Value"]);
            for (name, _) in engine.default_variables().all() {
                let value = context.system_variable("", &name)?;
                grid.rows.push(vec![Some(name), value]);
            }
            Ok((grid, filter.clone()))
        }
        Show::Status { filter, .. } => Ok((fixed::status(engine), filter.clone())),
        Show::Collation { filter } => Ok((fixed::collation(), filter.clone())),
        Show::CharacterSet { filter } => Ok((fixed::character_set(), filter.clone())),
        Show::ProcessList { .. } => whole(fixed::process_list(context)),
        Show::Grants { of } => whole(account::grants(engine, &context.access, of.as_ref()).await?),
        Show::Users => whole(account::users(engine).await?),
        Show::Roles => whole(account::roles(engine).await?),
        Show::Backends => whole(fixed::backends(engine).await?),
        Show::Frontends => whole(fixed::frontends(engine)),
        Show::Catalogs => whole(fixed::catalogs()),
        Show::Warnings
        | Show::Errors
        | Show::CountWarnings
        | Show::CountErrors
        | Show::Engines
        | Show::Plugins
        | Show::Privileges
        | Show::Triggers
        | Show::Events
        | Show::ProcedureStatus
        | Show::FunctionStatus => whole(fixed::constant(wanted)),
    }
}

/// `DESC t [c]`
///
/// # Errors
/// 1146; 1054 for a column that is not there.
pub(crate) async fn describe(
    engine: &Engine,
    name: &QualifiedName,
    column: Option<&str>,
) -> Result<ResultSet, EngineError> {
    let mut grid = tables::columns(engine, name, false).await?;
    if let Some(column) = column {
        let wanted = column.to_lowercase();
        grid.rows
            .retain(|row| row.first().and_then(Option::as_deref).is_some_and(|name| name.to_lowercase() == wanted));
    }
    grid.result()
}

/// A column's default as clients show it.
pub(crate) fn default_text(column: &ColumnRecord) -> Option<String> {
    match &column.default {
        Some(DefaultRecord::Literal(text)) => Some(text.clone()),
        Some(DefaultRecord::CurrentTimestamp) => Some("CURRENT_TIMESTAMP".to_owned()),
        Some(DefaultRecord::Null) | None => None,
    }
}

/// The word in COLUMN_KEY.
pub(crate) fn key_text(table: &TableRecord, column: &ColumnRecord) -> &'static str {
    match (column.key, table.model) {
        (false, _) => "",
        (true, KeyModelRecord::Primary) => "PRI",
        (true, KeyModelRecord::Unique) => "UNI",
        (true, KeyModelRecord::Aggregate) => "AGG",
        (true, KeyModelRecord::Duplicate) => "DUP",
    }
}

/// The word in Extra: what becomes of a column's values when rows have equal keys.
pub(crate) fn extra_text(table: &TableRecord, column: &ColumnRecord) -> String {
    match (table.model, column.aggregation) {
        (KeyModelRecord::Unique, None) if !column.key => Aggregation::Replace.to_string(),
        (_, Some(aggregation)) => snapshot::schema::aggregation(aggregation).to_string(),
        (_, None) => String::new(),
    }
}

async fn loads(engine: &Engine, database: &str) -> Result<Grid, EngineError> {
    let id = engine.ddl().database(database).await?.id;
    let mut grid = Grid::new(["JobId", "Label", "State", "Type", "Rows", "CreateTime", "LoadFinishTime", "ErrorMsg"]);
    for load in engine.catalog().loads(At::Latest).await? {
        if load.database != id {
            continue;
        }
        let (state, error) = match &load.state {
            LoadState::Preparing => ("LOADING", None),
            LoadState::Committed { .. } => ("FINISHED", None),
            LoadState::Aborted { reason } => ("CANCELLED", Some(reason.clone())),
        };
        grid.rows.push(vec![
            Some(load.id.to_string()),
            Some(load.label.clone().unwrap_or_else(|| format!("insert_{}", load.id))),
            Some(state.to_owned()),
            Some("INSERT".to_owned()),
            Some(load.rows.to_string()),
            Some(clock::text(load.created_ms)),
            (load.finished_ms > 0).then(|| clock::text(load.finished_ms)),
            error,
        ]);
    }
    Ok(grid)
}
