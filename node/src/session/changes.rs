//! Statements about rows: SELECT, INSERT, UPDATE, DELETE. The simulator has no query engine: there, INSERT takes plain values
//! and the others are refused.

use super::{Context, Session};
use crate::ddl::QualifiedName;
use crate::engine::Engine;
use crate::error::{EngineError, ErrorKind, codes};
use crate::load::{CommitError, Committed, Load, values};
use crate::result::Outcome;
#[cfg(madsim)]
use crate::sql::Statement;
use crate::sql::{Insert, InsertSource, Properties, ValueRows};
use arrow::array::ArrayRef;
use catalog::records::TableRecord;
use env::rt::CancellationToken;
use sqlparser::ast;
use std::sync::Arc;

#[cfg(not(madsim))]
mod dml;

/// Properties that INSERT takes. They ask for what it does anyway.
const INSERT_PROPERTIES: [&str; 3] = ["max_filter_ratio", "strict_mode", "timeout"];

impl Session {
    /// The text that an expression comes to; `None` for NULL.
    #[cfg(not(madsim))]
    pub(super) async fn evaluate_text(&self, expr: &ast::Expr) -> Result<Option<String>, EngineError> {
        let values = self.engine.planner().evaluate(&self.context(), std::slice::from_ref(expr)).await?;
        let Some(value) = values.first() else { return Ok(None) };
        let datum = tablet::Datum::at(value.as_ref(), 0)?;
        Ok((!datum.is_null()).then(|| datum.to_string()))
    }

    #[cfg(madsim)]
    pub(super) async fn evaluate_text(&self, expr: &ast::Expr) -> Result<Option<String>, EngineError> {
        Err(EngineError::unsupported(format!("there is no query engine to evaluate {expr}")))
    }

    /// A statement that reads or changes rows.
    #[cfg(madsim)]
    pub(super) async fn rows(&self, statement: &Statement, stop: CancellationToken) -> Result<Outcome, EngineError> {
        match statement {
            Statement::Insert(insert) => self.insert(insert, stop).await,
            other => Err(EngineError::unsupported(format!("there is no query engine for {}", other.verb()))),
        }
    }

    /// `INSERT`, as a task of its own.
    pub(super) async fn insert(&self, insert: &Insert, stop: CancellationToken) -> Result<Outcome, EngineError> {
        let (engine, context, insert) = (self.engine.clone(), self.context(), insert.clone());
        self.engine
            .gate()
            .run(&stop, |stop| async move { Box::pin(run_insert(&engine, &context, &insert, stop)).await })
            .await
    }
}

/// Which of the table's columns an INSERT gives, in its order.
fn target_columns(table: &TableRecord, names: Option<&[String]>) -> Result<Arc<[usize]>, EngineError> {
    let Some(names) = names else { return Ok((0..table.columns.len()).collect()) };
    names
        .iter()
        .map(|name| {
            table.column(name).ok_or_else(|| {
                let message = format!("Unknown column '{name}' in table '{}'", table.name);
                EngineError::new(codes::UNKNOWN_COLUMN, ErrorKind::NotFound, message)
            })
        })
        .collect()
}

fn check_width(given: usize, wanted: usize, what: &str) -> Result<(), EngineError> {
    if given == wanted {
        return Ok(());
    }
    Err(EngineError::new(
        1136,
        ErrorKind::Invalid,
        format!("Column count doesn't match value count: the statement gives {given} {what} for {wanted} columns"),
    ))
}

fn check_properties(properties: &Properties) -> Result<(), EngineError> {
    let unknown: Vec<&str> =
        properties.keys().map(String::as_str).filter(|key| !INSERT_PROPERTIES.contains(key)).collect();
    if !unknown.is_empty() {
        return Err(EngineError::invalid(format!(
            "unknown properties of INSERT: [{}]; known are: {}",
            unknown.join(", "),
            INSERT_PROPERTIES.join(", ")
        )));
    }
    match properties.get("max_filter_ratio").map(|ratio| ratio.trim().parse::<f64>()) {
        None | Some(Ok(0.0)) => Ok(()),
        Some(_) => Err(EngineError::unsupported(
            "INSERT takes all rows or none, so \"max_filter_ratio\" can only be \"0\"; stream load can leave rows out",
        )),
    }
}

async fn run_insert(
    engine: &Engine,
    context: &Context,
    insert: &Insert,
    stop: CancellationToken,
) -> Result<Outcome, EngineError> {
    check_properties(&insert.properties)?;
    let name = QualifiedName::of(&insert.table, context.database.as_deref())?;
    let (_, table) = engine.ddl().table(&name).await?;
    let columns = target_columns(&table, insert.columns.as_deref())?;
    let only = insert.partitions.as_deref();
    match &insert.source {
        InsertSource::Values(rows) => {
            check_width(rows.width(), columns.len(), "values in a row")?;
            let results = evaluate(engine, context, rows).await?;
            let mut load = engine.loader().begin(&name.database, &table, insert.label.as_deref(), only).await?;
            let done = env::select! {
                () = stop.cancelled() => Err(EngineError::interrupted()),
                done = values::insert(&mut load, &columns, rows, &results, context.now_ms) => done,
            };
            finish(load, done, insert.label.as_deref()).await
        }
        #[cfg(not(madsim))]
        InsertSource::Query(query) => {
            let statement = ast::Statement::Query(query.clone());
            let planned = engine.planner().plan(context, &statement).await?;
            check_width(planned.shown().fields().len(), columns.len(), "columns")?;
            let mut load = engine.loader().begin(&name.database, &table, insert.label.as_deref(), only).await?;
            let done = dml::insert_rows(&mut load, &columns, planned, stop).await;
            finish(load, done, insert.label.as_deref()).await
        }
        #[cfg(madsim)]
        InsertSource::Query(_) => Err(EngineError::unsupported("there is no query engine for INSERT .. SELECT")),
    }
}

/// The values of the cells that are expressions.
#[cfg(not(madsim))]
async fn evaluate(engine: &Engine, context: &Context, rows: &ValueRows) -> Result<Vec<ArrayRef>, EngineError> {
    let texts = values::expressions(rows);
    if texts.is_empty() {
        return Ok(Vec::new());
    }
    // The same text has the same value in every row, unless it is drawn anew each time.
    let drawn = |text: &str| {
        let text = text.to_ascii_lowercase();
        text.contains("rand") || text.contains("uuid")
    };
    let mut places: std::collections::BTreeMap<&str, usize> = std::collections::BTreeMap::new();
    let (mut distinct, mut order) = (Vec::new(), Vec::with_capacity(texts.len()));
    for text in texts {
        match places.get(text) {
            Some(place) if !drawn(text) => order.push(*place),
            Some(_) | None => {
                order.push(distinct.len());
                places.insert(text, distinct.len());
                distinct.push(*crate::sql::parse_expression(text)?);
            }
        }
    }
    let values = engine.planner().evaluate(context, &distinct).await?;
    let value = |place: &usize| values.get(*place).cloned().ok_or_else(|| EngineError::internal("a value is missing"));
    order.iter().map(value).collect()
}

#[cfg(madsim)]
async fn evaluate(_engine: &Engine, _context: &Context, rows: &ValueRows) -> Result<Vec<ArrayRef>, EngineError> {
    match values::expressions(rows).first() {
        None => Ok(Vec::new()),
        Some(text) => Err(EngineError::unsupported(format!("there is no query engine to evaluate {text}"))),
    }
}

/// Commits or aborts a load after its rows.
async fn finish(load: Load, done: Result<(), EngineError>, label: Option<&str>) -> Result<Outcome, EngineError> {
    if let Err(failed) = done {
        load.abort(&failed.message).await;
        return Err(failed);
    }
    match load.commit(None).await {
        Ok(committed) => Ok(outcome(&committed, label)),
        Err(CommitError::Failed(failed)) => Err(failed),
        Err(CommitError::Stale) => Err(EngineError::internal("an INSERT that read nothing was found stale")),
    }
}

/// What the client is told of a load.
fn outcome(committed: &Committed, label: Option<&str>) -> Outcome {
    let label = label.map_or_else(|| format!("insert_{}", committed.load), str::to_owned);
    let status = if committed.visible { "VISIBLE" } else { "COMMITTED" };
    let info = format!("{{'label':'{label}', 'status':'{status}', 'txnId':'{}'}}", committed.load);
    Outcome::Done { affected: committed.rows, info }
}
