//! Queries: DataFusion over tablets at one revision of the catalog.
//!
//! A statement is rewritten from MySQL's words (`rewrite`), every table it names is opened at the same revision, and
//! DataFusion plans and runs it over those views (`provider`, `prune`, `reader`). The views are held as long as the result is
//! read, so neither loads nor compactions nor reclaims change what a query sees.
//!
//! Names of columns do not depend on capitals; names of databases and tables do.

mod change;
mod errors;
mod explain;
mod files;
pub(crate) mod information_schema;
mod job_tables;
mod merging;
mod names;
mod operators;
mod provider;
mod prune;
mod reader;
mod repositories;
mod rewrite;
mod rewrite_functions;
mod yielding;

pub(crate) use change::{Selection, old_value, table_factor};
pub(crate) use provider::TabletTable;

use crate::engine::views::{TableName, TableViews, Views};
use crate::error::{EngineError, ErrorKind, codes};
use crate::privilege::{Object, Privilege};
use crate::result::ResultSet;
use crate::session::Context;
use arrow::array::{ArrayRef, AsArray, RecordBatch, StringArray, UInt64Array};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef, UInt64Type};
use catalog::At;
use datafusion::catalog::{
    CatalogProvider, MemoryCatalogProvider, MemoryCatalogProviderList, MemorySchemaProvider, SchemaProvider,
    TableProvider,
};
use datafusion::datasource::MemTable;
use datafusion::execution::disk_manager::{DiskManagerBuilder, DiskManagerMode};
use datafusion::execution::memory_pool::{FairSpillPool, TrackConsumersPool};
use datafusion::execution::runtime_env::{RuntimeEnv, RuntimeEnvBuilder};
use datafusion::execution::{SendableRecordBatchStream, SessionState, SessionStateBuilder};
use datafusion::logical_expr::LogicalPlan;
use datafusion::physical_plan::{ExecutionPlan, execute_stream};
use datafusion::prelude::SessionConfig;
use datafusion::sql::parser::Statement as PlannedStatement;
use env::disk::Disk;
use env::rt::CancellationToken;
use futures::stream::BoxStream;
use futures::{FutureExt, StreamExt};
use reader::{Footers, SegmentReaders};
use rewrite::{OwnTable, Rewritten};
use snapshot::Jobs;
use sqlparser::ast;
use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroUsize;
use std::path::Path;
use std::sync::Arc;

/// The one catalog, as StarRocks calls its own.
pub(crate) const CATALOG: &str = "default_catalog";

/// The database of names without one when none is in use.
const NOWHERE: &str = "__none";

/// What queries may use.
#[derive(Debug, Clone)]
pub(crate) struct Limits {
    /// Bytes of memory for sorting, grouping and joining, all queries together.
    pub(crate) memory_bytes: usize,
    /// Bytes on disk for what does not fit into it.
    pub(crate) spill_bytes: u64,
}

/// Plans and runs queries. Clones share everything.
#[derive(Clone)]
pub(crate) struct Planner {
    views: Views,
    jobs: Jobs,
    readers: SegmentReaders,
    base: Arc<SessionState>,
}

impl std::fmt::Debug for Planner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Planner").finish_non_exhaustive()
    }
}

/// A query that is ready to run.
pub(crate) struct Planned {
    /// Keeps what is read from being reclaimed.
    held: Vec<Arc<TableViews>>,
    state: SessionState,
    logical: LogicalPlan,
    physical: Arc<dyn ExecutionPlan>,
    shown: SchemaRef,
}

impl Planner {
    /// `spill_dir` is a directory for nothing but what does not fit into memory.
    ///
    /// # Errors
    /// Internal, when DataFusion refuses its options.
    pub(crate) fn new(
        views: Views,
        jobs: Jobs,
        disk: Arc<dyn Disk>,
        spill_dir: &Path,
        limits: &Limits,
    ) -> Result<Self, EngineError> {
        let pool = FairSpillPool::new(limits.memory_bytes);
        let told = NonZeroUsize::new(3).unwrap_or(NonZeroUsize::MIN);
        let runtime: Arc<RuntimeEnv> = RuntimeEnvBuilder::new()
            .with_memory_pool(Arc::new(TrackConsumersPool::new(pool, told)))
            .with_disk_manager_builder(
                DiskManagerBuilder::default().with_mode(DiskManagerMode::Directories(vec![spill_dir.to_owned()])),
            )
            .with_max_temp_directory_size(limits.spill_bytes)
            .build_arc()
            .map_err(errors::engine)?;
        let mut config =
            SessionConfig::new().with_information_schema(false).with_default_catalog_and_schema(CATALOG, NOWHERE);
        let options = config.options_mut();
        options.catalog.create_default_catalog_and_schema = false;
        options.sql_parser.enable_ident_normalization = false;
        options.sql_parser.map_string_types_to_utf8view = false;
        options.sql_parser.support_varchar_with_length = true;
        options.sql_parser.parse_float_as_decimal = true;
        // MySQL sorts NULL first in ascending order and last in descending.
        "nulls_min".clone_into(&mut options.sql_parser.default_null_ordering);
        options.sql_parser.dialect = datafusion::common::config::Dialect::MySQL;
        options.execution.parquet.schema_force_view_types = false;
        let mut state = SessionStateBuilder::new()
            .with_config(config)
            .with_runtime_env(runtime)
            .with_default_features()
            .with_physical_optimizer_rule(Arc::new(yielding::CountMultiplied))
            .build();
        operators::register(&mut state).map_err(errors::engine)?;
        let readers = SegmentReaders { disk, footers: Arc::new(Footers::default()) };
        Ok(Self { views, jobs, readers, base: Arc::new(state) })
    }

    /// Plans a query over one revision.
    ///
    /// # Errors
    /// Unknown names, types that do not fit, and whatever is not supported.
    pub(crate) async fn plan(&self, context: &Context, statement: &ast::Statement) -> Result<Planned, EngineError> {
        let mut statement = statement.clone();
        let rewritten = rewrite::rewrite(&mut statement, context)?;
        self.plan_rewritten(context, statement, rewritten, None).await
    }

    /// `own` is a further table of [`rewrite::OWN`].
    async fn plan_rewritten(
        &self,
        context: &Context,
        statement: ast::Statement,
        rewritten: Rewritten,
        own: Option<(&str, Arc<dyn TableProvider>)>,
    ) -> Result<Planned, EngineError> {
        let planned = PlannedStatement::Statement(Box::new(statement));
        let mut state = self.base.as_ref().clone();
        let database = context.database.as_deref().unwrap_or(NOWHERE);
        database.clone_into(&mut state.config_mut().options_mut().catalog.default_schema);
        let references = state.resolve_table_references(&planned).map_err(errors::engine)?;
        let mut tables = Tables::default();
        let mut names: Vec<TableName> = Vec::new();
        for reference in &references {
            let schema = reference.schema().map(str::to_owned).or_else(|| context.database.clone());
            let table = reference.table().to_owned();
            if reference.catalog().is_some_and(|catalog| catalog != CATALOG) {
                return Err(EngineError::unsupported(format!(
                    "table {reference}: there is only the catalog {CATALOG}"
                )));
            }
            match schema.as_deref() {
                Some(rewrite::OWN) => {}
                Some(information_schema::NAME) => {
                    let access = &context.access;
                    let found = information_schema::table(&self.views.catalog, &self.jobs, access, &table, At::Latest);
                    let found = found.await?;
                    let found = found.ok_or_else(|| EngineError::unknown_table(information_schema::NAME, &table))?;
                    tables.add(information_schema::NAME, &table, found);
                }
                Some(database) => names.push((database.to_owned(), table)),
                None => return Err(EngineError::no_database()),
            }
        }
        let mut partial = Vec::new();
        for (own_name, table) in &rewritten.own {
            match table {
                OwnTable::Files(properties) => {
                    // The node's disk is read, whoever's the files are.
                    context.access.require(Privilege::File, &Object::System)?;
                    tables.add(rewrite::OWN, own_name, files::table(properties, &state).await?);
                }
                OwnTable::Partitions { table, names: wanted } => {
                    let (database, table) = rewrite::table_name(table)?;
                    let database =
                        database.or_else(|| context.database.clone()).ok_or_else(EngineError::no_database)?;
                    partial.push((names.len(), own_name, wanted.clone()));
                    names.push((database, table));
                }
            }
        }
        // Before anybody is told which of them there are.
        for (database, table) in &names {
            context.access.require(Privilege::Select, &Object::Table(database.clone(), table.clone()))?;
        }
        let mut held = self.views.open(&names).await?;
        for (position, own_name, wanted) in &partial {
            let Some(views) = held.get(*position) else { continue };
            for name in wanted {
                let table = &views.record;
                table.partition(name).ok_or_else(|| EngineError::unknown_partition(name, &table.name))?;
            }
            let table = TabletTable::some_partitions(Arc::clone(views), self.readers.clone(), wanted.clone());
            tables.add(rewrite::OWN, own_name, Arc::new(table));
        }
        for (position, (database, name)) in names.iter().enumerate() {
            let is_partial = partial.iter().any(|(at, ..)| *at == position);
            if let Some(views) = held.get(position).filter(|_| !is_partial) {
                let table = TabletTable::new(Arc::clone(views), self.readers.clone());
                tables.add(database, name, Arc::new(table));
            }
        }
        if let Some((name, table)) = own {
            if let Some(tablets) = table.downcast_ref::<TabletTable>() {
                held.push(Arc::clone(tablets.views()));
            }
            tables.add(rewrite::OWN, name, table);
        }
        state.register_catalog_list(tables.catalogs()?);
        let planning = async {
            let logical = state.statement_to_plan(planned).await?;
            let logical = state.optimize(&logical)?;
            let physical = state.query_planner().create_physical_plan(&logical, &state).await?;
            Ok((logical, physical))
        };
        let (logical, physical) = unwinding(planning).await?.map_err(errors::engine)?;
        let shown = names::shown(&physical.schema(), &rewritten.names);
        Ok(Planned { held, state, logical, physical, shown })
    }

    /// Runs a query.
    ///
    /// # Errors
    /// As [`Planner::plan`]; later errors come with the rows.
    pub(crate) async fn query(
        &self,
        context: &Context,
        statement: &ast::Statement,
        stop: CancellationToken,
    ) -> Result<ResultSet, EngineError> {
        let planned = self.plan(context, statement).await?;
        planned.result(stop)
    }

    /// Which rows of a grid of text, from 0, fulfil a condition over its columns.
    ///
    /// # Errors
    /// 1054 for columns that are not there; what else is wrong with the condition.
    pub(crate) async fn filter(
        &self,
        context: &Context,
        columns: &[String],
        rows: &[Vec<Option<String>>],
        condition: &ast::Expr,
    ) -> Result<BTreeSet<usize>, EngineError> {
        const GRID: &str = "grid";
        const ROW: &str = "__tabularium_row";
        let mut fields: Vec<Field> =
            columns.iter().map(|name| Field::new(name.to_lowercase(), DataType::Utf8, true)).collect();
        fields.push(Field::new(ROW, DataType::UInt64, false));
        let mut arrays: Vec<ArrayRef> = Vec::with_capacity(fields.len());
        for column in 0..columns.len() {
            let values = rows.iter().map(|row| row.get(column).and_then(Option::as_deref));
            arrays.push(Arc::new(values.collect::<StringArray>()));
        }
        arrays.push(Arc::new((0..rows.len() as u64).collect::<UInt64Array>()));
        let schema = Arc::new(Schema::new(fields));
        let batch = RecordBatch::try_new(Arc::clone(&schema), arrays)?;
        let table = MemTable::try_new(schema, vec![vec![batch]]).map_err(errors::engine)?;
        let row = ast::SelectItem::UnnamedExpr(ast::Expr::Identifier(ast::Ident::new(ROW)));
        let name = crate::sql::ObjectName { database: Some(rewrite::OWN.to_owned()), name: GRID.to_owned() };
        let mut statement = change::select(vec![row], vec![table_factor(&name, None)], Some(condition.clone()))?;
        let rewritten = rewrite::rewrite(&mut statement, context)?;
        let planned = self.plan_rewritten(context, statement, rewritten, Some((GRID, Arc::new(table)))).await?;
        let mut kept = BTreeSet::new();
        for batch in planned.result(CancellationToken::new())?.collect().await? {
            let rows = batch.columns().first().and_then(|column| column.as_primitive_opt::<UInt64Type>());
            kept.extend(rows.iter().flat_map(|rows| rows.values().iter()).filter_map(|row| usize::try_from(*row).ok()));
        }
        Ok(kept)
    }

    /// The values of expressions, an array of one value for each.
    ///
    /// # Errors
    /// What an expression says; columns are unknown.
    pub(crate) async fn evaluate(
        &self,
        context: &Context,
        expressions: &[ast::Expr],
    ) -> Result<Vec<ArrayRef>, EngineError> {
        let mut values = Vec::with_capacity(expressions.len());
        for part in expressions.chunks(256) {
            let projection = part
                .iter()
                .enumerate()
                .map(|(at, expr)| ast::SelectItem::ExprWithAlias {
                    expr: expr.clone(),
                    alias: ast::Ident::new(format!("__value_{at}")),
                })
                .collect();
            let query = change::select(projection, Vec::new(), None)?;
            let result = self.query(context, &query, CancellationToken::new()).await?.collect().await?;
            let row = result.iter().find(|batch| batch.num_rows() > 0);
            let row = row.ok_or_else(|| EngineError::internal("expressions without a row"))?;
            values.extend(row.columns().iter().map(|column| column.slice(0, 1)));
        }
        Ok(values)
    }
}

impl Planned {
    /// What the client sees of the columns.
    pub(crate) fn shown(&self) -> &SchemaRef {
        &self.shown
    }

    /// Starts to run it. The rows keep DataFusion's names.
    fn stream(self) -> Result<Running, EngineError> {
        let stream = execute_stream(self.physical, self.state.task_ctx()).map_err(errors::engine)?;
        Ok(Running { stream, _held: self.held })
    }

    /// Starts to run it, for a client.
    pub(crate) fn result(self, stop: CancellationToken) -> Result<ResultSet, EngineError> {
        let shown = Arc::clone(&self.shown);
        let schema = Arc::clone(&shown);
        let rows = self.rows(stop)?.map(move |batch| {
            let batch = batch?;
            let count = batch.num_rows();
            let options = arrow::array::RecordBatchOptions::new().with_row_count(Some(count));
            Ok(RecordBatch::try_new_with_options(Arc::clone(&shown), batch.columns().to_vec(), &options)?)
        });
        Ok(ResultSet { schema, batches: rows.boxed() })
    }

    /// Starts to run it. After `stop` is cancelled one error follows and then nothing.
    pub(crate) fn rows(
        self,
        stop: CancellationToken,
    ) -> Result<BoxStream<'static, Result<RecordBatch, EngineError>>, EngineError> {
        let running = Some(self.stream()?);
        let rows = futures::stream::unfold((running, stop), |(running, stop)| async move {
            let mut running = running?;
            let next = env::select! {
                () = stop.cancelled() => Some(Err(EngineError::interrupted())),
                next = unwinding(running.stream.next()) => match next {
                    Ok(next) => next.map(|batch| batch.map_err(errors::engine)),
                    Err(failed) => Some(Err(failed)),
                },
            };
            match next? {
                Ok(batch) => Some((Ok(batch), (Some(running), stop))),
                Err(failed) => Some((Err(failed), (None, stop))),
            }
        });
        Ok(rows.boxed())
    }
}

/// A mistake in the query engine ends one query, not the client's connection.
async fn unwinding<F: Future>(work: F) -> Result<F::Output, EngineError> {
    let done = std::panic::AssertUnwindSafe(work).catch_unwind().await;
    done.map_err(|panic| EngineError::internal(format!("the query engine failed: {}", env::panic_text(panic.as_ref()))))
}

/// A query that runs, with what it reads.
struct Running {
    stream: SendableRecordBatchStream,
    _held: Vec<Arc<TableViews>>,
}

/// The tables that one statement can see.
#[derive(Default)]
struct Tables(BTreeMap<String, MemorySchemaProvider>);

impl Tables {
    fn add(&mut self, database: &str, name: &str, table: Arc<dyn TableProvider>) {
        let schema = self.0.entry(database.to_owned()).or_default();
        if !schema.table_exist(name) {
            // It can only be refused when the name is taken.
            drop(schema.register_table(name.to_owned(), table));
        }
    }

    fn catalogs(self) -> Result<Arc<MemoryCatalogProviderList>, EngineError> {
        let catalog = MemoryCatalogProvider::new();
        for (database, schema) in self.0 {
            catalog.register_schema(&database, Arc::new(schema)).map_err(errors::engine)?;
        }
        let list = MemoryCatalogProviderList::new();
        datafusion::catalog::CatalogProviderList::register_catalog(&list, CATALOG.to_owned(), Arc::new(catalog));
        Ok(Arc::new(list))
    }
}

/// No such column, in a statement that is not planned by DataFusion.
pub(crate) fn unknown_column(column: &str, table: &str) -> EngineError {
    EngineError::new(
        codes::UNKNOWN_COLUMN,
        ErrorKind::NotFound,
        format!("Unknown column '{column}' in table '{table}'"),
    )
}
