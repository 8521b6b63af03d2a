//! What needs the query engine: SELECT, INSERT .. SELECT, UPDATE, DELETE, EXPLAIN.

#![expect(clippy::wildcard_enum_match_arm, reason = "each function is called with its own statements only")]

use super::{outcome, target_columns};
use crate::ddl::{self, QualifiedName};
use crate::engine::Engine;
use crate::engine::views::TableViews;
use crate::error::{EngineError, ErrorKind};
use crate::load::{CommitError, Load, let_in, values};
use crate::query::{Planned, Planner, Selection, TabletTable, old_value, table_factor, unknown_column};
use crate::result::Outcome;
use crate::session::{Context, Session};
use crate::sql::{AssignedValue, CreateTableAs, Delete, Explain, Insert, InsertSource, ObjectName, Statement, Update};
use arrow::array::{Array, AsArray, RecordBatch, UInt32Array};
use arrow::compute::take_record_batch;
use arrow::datatypes::{Int64Type, UInt64Type};
use catalog::Stored;
use catalog::records::{KeyModelRecord, TableRecord};
use env::rt::{CancellationToken, Duration};
use futures::StreamExt;
use roaring::RoaringBitmap;
use sqlparser::ast;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use tablet::{Datum, Schema, SegmentId, encode_keys};

/// How often a change is made again because another one was faster.
const ATTEMPTS: u32 = 200;

impl Session {
    /// A statement that reads or changes rows.
    pub(in crate::session) async fn rows(
        &self,
        statement: &Statement,
        stop: CancellationToken,
    ) -> Result<Outcome, EngineError> {
        match statement {
            Statement::Query(query) => {
                self.engine.planner().query(&self.context(), query, stop).await.map(Outcome::Rows)
            }
            Statement::Explain(explain) => self.explain(explain, stop).await,
            Statement::Insert(insert) => self.insert(insert, stop).await,
            Statement::Update(update) => {
                let (engine, context, update) = (self.engine.clone(), self.context(), update.clone());
                let work = |stop| async move { run_update(&engine, &context, &update, stop).await };
                self.engine.gate().run(&stop, work).await
            }
            Statement::Delete(delete) => {
                let (engine, context, delete) = (self.engine.clone(), self.context(), delete.clone());
                let work = |stop| async move { run_delete(&engine, &context, &delete, stop).await };
                self.engine.gate().run(&stop, work).await
            }
            Statement::CreateTableAs(create) => {
                let (engine, context, create) = (self.engine.clone(), self.context(), create.clone());
                let work = |stop| async move { Box::pin(run_create_as(&engine, &context, &create, stop)).await };
                self.engine.gate().run(&stop, work).await
            }
            other => Err(EngineError::internal(format!("{} is no statement about rows", other.verb()))),
        }
    }

    async fn explain(&self, explain: &Explain, stop: CancellationToken) -> Result<Outcome, EngineError> {
        let context = self.context();
        let (query, head) = match explain.statement.as_ref() {
            Statement::Query(query) => (query.as_ref().clone(), None),
            Statement::Insert(insert) => {
                let head = format!("INSERT INTO {}", insert.table);
                match &insert.source {
                    InsertSource::Query(query) => (ast::Statement::Query(query.clone()), Some(head)),
                    InsertSource::Values(rows) => {
                        let line = format!("{head}: {} rows of values", rows.len());
                        let rows = vec![vec![Some(line)]];
                        return Ok(Outcome::Rows(crate::result::ResultSet::from_text(&["Explain String"], &rows)?));
                    }
                }
            }
            Statement::Update(update) => {
                let selection = update_selection(update);
                let table = table_factor(&update.table, update.alias.as_deref());
                (Planner::change_query(table, &selection)?, Some(format!("UPDATE {}", update.table)))
            }
            Statement::Delete(delete) => {
                let selection = delete_selection(delete);
                let table = table_factor(&delete.table, delete.alias.as_deref());
                (Planner::change_query(table, &selection)?, Some(format!("DELETE FROM {}", delete.table)))
            }
            other => return Err(EngineError::unsupported(format!("EXPLAIN {} is not supported", other.verb()))),
        };
        let told = self.engine.planner().explain(&context, &query, explain.mode, head, stop).await?;
        Ok(Outcome::Rows(told))
    }
}

/// Streams a query's rows into a load.
pub(super) async fn insert_rows(
    load: &mut Load,
    columns: &Arc<[usize]>,
    planned: Planned,
    stop: CancellationToken,
) -> Result<(), EngineError> {
    let mut rows = planned.rows(stop)?;
    while let Some(batch) = rows.next().await {
        load.insert(columns, batch?).await?;
    }
    Ok(())
}

async fn run_create_as(
    engine: &Engine,
    context: &Context,
    create: &CreateTableAs,
    stop: CancellationToken,
) -> Result<Outcome, EngineError> {
    let name = QualifiedName::of(&create.name, context.database.as_deref())?;
    let query = ast::Statement::Query(create.query.clone());
    let planned = engine.planner().plan(context, &query).await?;
    let table = ddl::table_from_query(create, planned.shown())?;
    drop(planned);
    let Some(made) = engine.ddl().create_table(&name, &table).await? else { return Ok(Outcome::ok()) };
    let insert = Insert {
        table: ObjectName { database: Some(name.database.clone()), name: name.name.clone() },
        partitions: None,
        label: None,
        columns: None,
        properties: BTreeMap::new(),
        source: InsertSource::Query(create.query.clone()),
    };
    match Box::pin(super::run_insert(engine, context, &insert, stop)).await {
        Ok(done) => Ok(done),
        Err(failed) => {
            // The statement makes a table with rows or nothing.
            if let Err(left) = engine.ddl().drop_made(&name, made).await {
                tracing::warn!(table = %name.name, error = %left, "the table of a failed CREATE TABLE AS is left, empty");
            }
            Err(failed)
        }
    }
}

fn update_selection(update: &Update) -> Selection {
    Selection {
        name: update.alias.clone().unwrap_or_else(|| update.table.name.clone()),
        partitions: None,
        others: update.from.clone(),
        filter: update.filter.as_ref().clone(),
    }
}

fn delete_selection(delete: &Delete) -> Selection {
    Selection {
        name: delete.alias.clone().unwrap_or_else(|| delete.table.name.clone()),
        partitions: delete.partitions.clone(),
        others: delete.using.clone(),
        filter: delete.filter.as_ref().clone(),
    }
}

/// Why one attempt of a change did not go through.
enum Missed {
    /// Another change was faster: read and do it again.
    Stale,
    Failed(EngineError),
}

impl From<EngineError> for Missed {
    fn from(error: EngineError) -> Self {
        Self::Failed(error)
    }
}

/// The table, opened for a change, with its name's parts.
async fn open(engine: &Engine, name: &QualifiedName) -> Result<Arc<TableViews>, EngineError> {
    let opened = engine.views().open(&[(name.database.clone(), name.name.clone())]).await?;
    let views = opened.into_iter().next().ok_or_else(|| EngineError::internal("no table was opened"))?;
    let_in(&views.record, &name.database)?;
    Ok(views)
}

/// Does a change until it goes through. From the second attempt on the changes of a table by this process take turns, so that
/// many at once do not keep each other from ever ending.
async fn until_through<F>(
    engine: &Engine,
    name: &QualifiedName,
    stop: &CancellationToken,
    mut attempt: impl FnMut() -> F,
) -> Result<Outcome, EngineError>
where
    F: Future<Output = Result<Outcome, Missed>>,
{
    let mut turn = None;
    for missed in 0..ATTEMPTS {
        match attempt().await {
            Ok(done) => return Ok(done),
            Err(Missed::Failed(failed)) => return Err(failed),
            Err(Missed::Stale) => {}
        }
        let pause = Duration::from_millis(env::rand::below(u64::from(missed.min(20)) + 2));
        let wait = async {
            if turn.is_none() {
                turn = Some(engine.turn(name).await);
            } else {
                env::rt::time::sleep(pause).await;
            }
        };
        env::select! {
            () = stop.cancelled() => return Err(EngineError::interrupted()),
            () = wait => {}
        }
    }
    Err(EngineError::general(
        ErrorKind::Conflict,
        format!("table '{}' is changed by others all the time; try again", name.name),
    ))
}

/// Ends a load whose rows were read at the versions in `views`.
async fn end(load: Load, done: Result<(), EngineError>, views: &TableViews) -> Result<Outcome, Missed> {
    if let Err(failed) = done {
        load.abort(&failed.message).await;
        // A compaction moved the rows to other segments meanwhile.
        return Err(if failed.kind == ErrorKind::Conflict { Missed::Stale } else { Missed::Failed(failed) });
    }
    match load.commit(Some(&views.versions())).await {
        Ok(committed) => Ok(outcome(&committed, None)),
        Err(CommitError::Stale) => Err(Missed::Stale),
        Err(CommitError::Failed(failed)) if failed.kind == ErrorKind::Conflict => Err(Missed::Stale),
        Err(CommitError::Failed(failed)) => Err(Missed::Failed(failed)),
    }
}

async fn run_update(
    engine: &Engine,
    context: &Context,
    update: &Update,
    stop: CancellationToken,
) -> Result<Outcome, EngineError> {
    let name = QualifiedName::of(&update.table, context.database.as_deref())?;
    until_through(engine, &name, &stop, || update_once(engine, context, update, &name, stop.clone())).await
}

async fn update_once(
    engine: &Engine,
    context: &Context,
    update: &Update,
    name: &QualifiedName,
    stop: CancellationToken,
) -> Result<Outcome, Missed> {
    let views = open(engine, name).await?;
    let record: &Stored<TableRecord> = &views.record;
    if record.model != KeyModelRecord::Primary {
        return Err(EngineError::unsupported(format!(
            "UPDATE needs a PRIMARY KEY table; '{}' is {} table{}",
            record.name,
            views.schema.model().with_article(),
            if views.schema.model().merges_on_read() { ", whose rows are changed by inserting them anew" } else { "" }
        ))
        .into());
    }
    let selection = update_selection(update);
    let mut new_values: BTreeMap<usize, ast::Expr> = BTreeMap::new();
    for assignment in &update.assignments {
        let at = record.column(&assignment.column).ok_or_else(|| unknown_column(&assignment.column, &record.name))?;
        let column = views.schema.columns().get(at).ok_or_else(|| unknown_column(&assignment.column, &record.name))?;
        if column.key {
            return Err(EngineError::unsupported(format!(
                "column '{}' belongs to the key of '{}' and cannot be updated; delete the row and insert it anew",
                column.name, record.name
            ))
            .into());
        }
        let value = match &assignment.value {
            AssignedValue::Expression(expr) => expr.as_ref().clone(),
            AssignedValue::Default => {
                let value = values::default(column, context.now_ms)
                    .map_err(|wrong| EngineError::invalid(format!("default of column '{}': {wrong}", column.name)))?;
                literal(&value)
            }
        };
        new_values.insert(at, value);
    }
    let columns = views
        .schema
        .columns()
        .iter()
        .enumerate()
        .map(|(at, column)| new_values.remove(&at).unwrap_or_else(|| old_value(&selection.name, &column.name)));
    let columns: Vec<ast::Expr> = columns.collect();
    let all = target_columns(record, None)?;
    let (planned, _) = engine.planner().plan_change(context, &views, &selection, columns).await?;
    let mut load = engine.loader().begin(&name.database, record, None, None).await.map_err(EngineError::from)?;
    let done = async {
        let mut rows = planned.rows(stop)?;
        let kept: Vec<usize> = (0..all.len()).collect();
        while let Some(batch) = rows.next().await {
            load.insert(&all, batch?.project(&kept)?).await?;
        }
        Ok(())
    };
    let done = done.await;
    end(load, done, &views).await
}

fn literal(value: &Datum) -> ast::Expr {
    let value = match value {
        Datum::Null => ast::Value::Null,
        other => ast::Value::SingleQuotedString(other.to_string()),
    };
    ast::Expr::Value(value.into())
}

async fn run_delete(
    engine: &Engine,
    context: &Context,
    delete: &Delete,
    stop: CancellationToken,
) -> Result<Outcome, EngineError> {
    let name = QualifiedName::of(&delete.table, context.database.as_deref())?;
    until_through(engine, &name, &stop, || delete_once(engine, context, delete, &name, stop.clone())).await
}

async fn delete_once(
    engine: &Engine,
    context: &Context,
    delete: &Delete,
    name: &QualifiedName,
    stop: CancellationToken,
) -> Result<Outcome, Missed> {
    let views = open(engine, name).await?;
    let record = &views.record;
    for partition in delete.partitions.iter().flatten() {
        if record.partition(partition).is_none() {
            return Err(EngineError::unknown_partition(partition, &record.name).into());
        }
    }
    let selection = delete_selection(delete);
    let by_key = record.model == KeyModelRecord::Primary;
    let merges = views.schema.model().merges_on_read();
    let columns: Vec<ast::Expr> = if by_key || merges {
        views.schema.key_columns().iter().map(|column| old_value(&selection.name, &column.name)).collect()
    } else {
        Vec::new()
    };
    let (planned, table) = engine.planner().plan_change(context, &views, &selection, columns).await?;
    let mut load = engine.loader().begin(&name.database, record, None, None).await.map_err(EngineError::from)?;
    let done = if by_key {
        delete_keys(&mut load, planned, &table, stop).await
    } else {
        delete_positions(&mut load, planned, &table, stop).await
    };
    end(load, done, &views).await
}

/// The two columns behind the others: which file, and where in it.
fn places_of(batch: &RecordBatch) -> Result<(Vec<u64>, Vec<i64>), EngineError> {
    let lost = || EngineError::internal("rows without their places");
    let count = batch.num_columns();
    let column = |back: usize| count.checked_sub(back).and_then(|at| batch.columns().get(at)).ok_or_else(lost);
    let files = arrow::compute::cast(column(2)?, &arrow::datatypes::DataType::UInt64)?;
    let rows = column(1)?;
    let files = files.as_primitive_opt::<UInt64Type>().ok_or_else(lost)?;
    let rows = rows.as_primitive_opt::<Int64Type>().ok_or_else(lost)?;
    if files.null_count() > 0 || rows.null_count() > 0 {
        return Err(lost());
    }
    Ok((files.values().to_vec(), rows.values().to_vec()))
}

async fn delete_keys(
    load: &mut Load,
    planned: Planned,
    table: &TabletTable,
    stop: CancellationToken,
) -> Result<(), EngineError> {
    let keys_schema = load.schema().arrow_keys();
    let key_columns: Vec<usize> = (0..load.schema().key_len()).collect();
    let mut rows = planned.rows(stop)?;
    while let Some(batch) = rows.next().await {
        let batch = batch?;
        let (files, _) = places_of(&batch)?;
        let keys = RecordBatch::try_new(Arc::clone(&keys_schema), batch.project(&key_columns)?.columns().to_vec())?;
        let mut by_place: BTreeMap<(usize, usize), Vec<u32>> = BTreeMap::new();
        for (row, file) in (0_u32..).zip(files) {
            let place = usize::try_from(file).ok().and_then(|file| table.places().get(file));
            let place = place.ok_or_else(|| EngineError::internal("a row of a file that is not there"))?;
            by_place.entry((place.partition, place.bucket)).or_default().push(row);
        }
        for ((partition, bucket), rows) in by_place {
            let Some(part) = table.views().partitions.get(partition) else { continue };
            let Some(view) = part.tablets.get(bucket) else { continue };
            let part_keys = take_record_batch(&keys, &UInt32Array::from(rows))?;
            load.delete_keys(part.entry.id, view.tablet(), part_keys).await?;
        }
    }
    Ok(())
}

/// Rows that a query shows as one count once, though they lie in several segments.
#[derive(Default)]
struct Keys(BTreeSet<Box<[u8]>>);

impl Keys {
    fn note(&mut self, schema: &Schema, batch: &RecordBatch) -> Result<(), EngineError> {
        let keys: Vec<usize> = (0..schema.key_len()).collect();
        let keys = RecordBatch::try_new(schema.arrow_keys(), batch.project(&keys)?.columns().to_vec())?;
        self.0.extend(encode_keys(schema, &keys)?.iter().map(Box::from));
        Ok(())
    }
}

async fn delete_positions(
    load: &mut Load,
    planned: Planned,
    table: &TabletTable,
    stop: CancellationToken,
) -> Result<(), EngineError> {
    let lost = || EngineError::internal("a row of a file that is not there");
    let mut by_file: BTreeMap<u64, RoaringBitmap> = BTreeMap::new();
    let merges = load.schema().model().merges_on_read();
    let mut keys = Keys::default();
    let mut rows = planned.rows(stop)?;
    while let Some(batch) = rows.next().await {
        let batch = batch?;
        let (files, positions) = places_of(&batch)?;
        if merges {
            keys.note(load.schema(), &batch)?;
        }
        for (file, position) in files.into_iter().zip(positions) {
            by_file.entry(file).or_default().insert(u32::try_from(position).map_err(|_large| lost())?);
        }
    }
    let mut by_tablet: BTreeMap<(usize, usize), BTreeMap<SegmentId, RoaringBitmap>> = BTreeMap::new();
    for (file, rows) in by_file {
        let place = usize::try_from(file).ok().and_then(|file| table.places().get(file)).ok_or_else(lost)?;
        let segment = place.view.segments().get(place.segment).ok_or_else(lost)?;
        by_tablet.entry((place.partition, place.bucket)).or_default().insert(segment.id, rows);
    }
    for ((partition, bucket), segments) in by_tablet {
        let part = table.views().partitions.get(partition).ok_or_else(lost)?;
        let view = part.tablets.get(bucket).ok_or_else(lost)?;
        load.delete_positions(part.entry.id, view.tablet(), part.version, segments).await?;
    }
    if merges {
        load.count_as(keys.0.len() as u64);
    }
    Ok(())
}
