//! Stream load: rows that a client sends as a body of bytes.

use super::csv::Batches;
use super::{BeginError, CommitError, Load, Loader};
use crate::error::{EngineError, ErrorKind, codes};
use crate::stream_load::{CsvFormat, LoadFormat, StreamLoad, StreamLoadResult, StreamLoadStatus};
use arrow::array::{BooleanArray, RecordBatch};
use arrow::compute::filter_record_batch;
use bytes::Bytes;
use catalog::At;
use catalog::Stored;
use catalog::records::TableRecord;
use env::rt::time::{Instant, timeout_at, unix_millis};
use env::rt::{self, CancellationToken};
use futures::StreamExt;
use futures::stream::BoxStream;
use std::collections::BTreeSet;
use std::io;
use std::sync::Arc;
use tablet::{RowError, Schema};

/// The body of a load.
pub(crate) type Body = BoxStream<'static, io::Result<Bytes>>;

/// Refused rows that the message names.
const TOLD_MAX: usize = 3;

/// What a load has read so far.
struct Reading {
    batches: Batches,
    /// Which fields of a row are columns of the table: positions in the row.
    fields: Vec<usize>,
    /// Which columns those are.
    columns: Arc<[usize]>,
    strict: bool,
    max_filter_ratio: f64,
    loaded: u64,
    filtered: u64,
    unselected: u64,
    told: Vec<String>,
    bytes: u64,
    read_ms: u64,
    write_ms: u64,
}

impl Loader {
    /// Runs one stream load from its first byte to its end. Errors that belong to the load are part of the result.
    pub(crate) async fn stream(
        &self,
        request: StreamLoad,
        body: Body,
        stop: CancellationToken,
    ) -> Result<StreamLoadResult, EngineError> {
        let began = Instant::now();
        let deadline = began + request.timeout;
        let table = self.target(&request).await?;
        let mut reading = match reading(&request, &table) {
            Ok(reading) => reading,
            Err(failed) => return Ok(StreamLoadResult::failed(&request.label, failed.message)),
        };
        let wanted = request.partitions.as_deref().map(|names| named_partitions(&table, names)).transpose();
        let wanted = match wanted {
            Ok(wanted) => wanted,
            Err(failed) => return Ok(StreamLoadResult::failed(&request.label, failed.message)),
        };
        let mut load = match self.begin(&request.database, &table, Some(&request.label), None).await {
            Ok(load) => load,
            Err(BeginError::LabelUsed { label, finished }) => {
                let message = format!("label '{label}' was used before");
                let status = StreamLoadStatus::LabelAlreadyExists { finished };
                return Ok(StreamLoadResult { status, ..StreamLoadResult::failed(&request.label, message) });
            }
            Err(BeginError::Refused(failed)) => return Ok(StreamLoadResult::failed(&request.label, failed.message)),
        };
        let begin_ms = millis(began);
        let done = env::select! {
            () = stop.cancelled() => Err(EngineError::interrupted()),
            read = timeout_at(deadline, read_all(&mut load, &mut reading, wanted.as_ref(), body)) => match read {
                Ok(done) => done,
                Err(_late) => Err(EngineError::general(
                    ErrorKind::TimedOut,
                    format!("the load took longer than its timeout of {} s", request.timeout.as_secs()),
                )),
            },
        };
        let id = load.id();
        let checked = done.and_then(|()| check_ratio(&reading));
        let committing = Instant::now();
        let (status, message) = match checked {
            Err(failed) => {
                load.abort(&failed.message).await;
                (StreamLoadStatus::Fail, failed.message)
            }
            Ok(()) => match load.commit(None).await {
                Ok(done) if done.visible => (StreamLoadStatus::Success, "OK".to_owned()),
                Ok(_) => (StreamLoadStatus::PublishTimeout, "committed; not visible yet".to_owned()),
                Err(CommitError::Failed(failed)) => (StreamLoadStatus::Fail, failed.message),
                Err(CommitError::Stale) => (StreamLoadStatus::Fail, "the table changed".to_owned()),
            },
        };
        let loaded = matches!(status, StreamLoadStatus::Success | StreamLoadStatus::PublishTimeout);
        Ok(StreamLoadResult {
            load: id.0,
            label: request.label,
            status,
            message,
            total_rows: reading.batches.total,
            loaded_rows: if loaded { reading.loaded } else { 0 },
            filtered_rows: reading.filtered,
            unselected_rows: reading.unselected,
            bytes: reading.bytes,
            total_ms: millis(began),
            begin_ms,
            plan_ms: 0,
            read_ms: reading.read_ms,
            write_ms: reading.write_ms,
            commit_ms: millis(committing),
        })
    }

    async fn target(&self, request: &StreamLoad) -> Result<Stored<TableRecord>, EngineError> {
        let database = self.catalog.database(&request.database, At::Latest).await?;
        let database = database.ok_or_else(|| EngineError::unknown_database(&request.database))?;
        let table = self.catalog.table(database.id, &request.table, At::Latest).await?;
        table.ok_or_else(|| EngineError::unknown_table(&request.database, &request.table))
    }
}

fn millis(since: Instant) -> u64 {
    u64::try_from(since.elapsed().as_millis()).unwrap_or(u64::MAX)
}

fn reading(request: &StreamLoad, table: &TableRecord) -> Result<Reading, EngineError> {
    let names: Vec<String> = match &request.columns {
        Some(names) => names.clone(),
        None => table.columns.iter().map(|column| column.name.clone()).collect(),
    };
    let (mut fields, mut columns) = (Vec::new(), Vec::new());
    let mut seen = BTreeSet::new();
    for (field, name) in names.iter().enumerate() {
        // A name that the table does not have is a field to be skipped.
        if let Some(column) = table.column(name) {
            if !seen.insert(column) {
                return Err(EngineError::new(
                    codes::DUPLICATE_COLUMN,
                    ErrorKind::Invalid,
                    format!("column '{name}' is there twice in the list of columns"),
                ));
            }
            fields.push(field);
            columns.push(column);
        }
    }
    if columns.is_empty() {
        return Err(EngineError::invalid(format!(
            "none of the columns {} is one of '{}'",
            names.join(", "),
            table.name
        )));
    }
    let LoadFormat::Csv(format) = &request.format;
    // Batches need names that differ; skipped fields may share theirs.
    let unique: Vec<String> = (0..names.len()).map(|field| format!("{field}")).collect();
    Ok(Reading {
        batches: Batches::new(format.clone(), &unique),
        fields,
        columns: columns.into(),
        strict: request.strict_mode,
        max_filter_ratio: request.max_filter_ratio,
        loaded: 0,
        filtered: 0,
        unselected: 0,
        told: Vec::new(),
        bytes: 0,
        read_ms: 0,
        write_ms: 0,
    })
}

async fn read_all(
    load: &mut Load,
    reading: &mut Reading,
    wanted: Option<&Arc<[bool]>>,
    mut body: Body,
) -> Result<(), EngineError> {
    loop {
        let began_reading = Instant::now();
        let piece = body.next().await;
        let (bytes, at_end) = match piece {
            Some(Ok(bytes)) => (bytes, false),
            Some(Err(failed)) => {
                let message = format!("the body broke off after {} bytes: {failed}", reading.bytes);
                return Err(EngineError::general(ErrorKind::Unavailable, message));
            }
            None => (Bytes::new(), true),
        };
        reading.bytes = reading.bytes.saturating_add(bytes.len() as u64);
        let names: Vec<String> = Vec::new();
        let mut batches = std::mem::replace(&mut reading.batches, Batches::new(CsvFormat::default(), &names));
        let (batches, full) = rt::blocking(move || {
            let full = batches.feed(&bytes, at_end);
            (batches, full)
        })
        .await;
        reading.batches = batches;
        reading.read_ms = reading.read_ms.saturating_add(millis(began_reading));
        let began_writing = Instant::now();
        for batch in full.map_err(|wrong| EngineError::invalid(wrong.to_string()))? {
            take(load, reading, wanted, &batch).await?;
        }
        reading.write_ms = reading.write_ms.saturating_add(millis(began_writing));
        if at_end {
            let split = reading.batches.refused.clone();
            reading.filtered = reading.filtered.saturating_add(split.count);
            let told = split.told.iter().map(ToString::to_string);
            reading.told.splice(0..0, told);
            return Ok(());
        }
    }
}

/// Casts the rows of one batch, leaves out those that do not fit, and hands the rest to the load.
async fn take(
    load: &mut Load,
    reading: &mut Reading,
    wanted: Option<&Arc<[bool]>>,
    batch: &RecordBatch,
) -> Result<(), EngineError> {
    let batch = batch.project(&reading.fields)?;
    let rows = batch.num_rows();
    let (schema, columns, strict) = (Arc::clone(load.schema()), Arc::clone(&reading.columns), reading.strict);
    let now_ms = unix_millis();
    let conformed = rt::blocking(move || {
        let lenient = if strict { batch } else { unreadable_to_null(&schema, &columns, &batch)? };
        tablet::conform_rows(&schema, &columns, &lenient, now_ms)
    })
    .await?;
    let refused = rows.saturating_sub(conformed.rows.num_rows());
    reading.filtered = reading.filtered.saturating_add(refused as u64);
    let room = TOLD_MAX.saturating_sub(reading.told.len());
    reading.told.extend(conformed.refused.iter().take(room).map(|error| {
        let RowError { column, problem, .. } = error;
        format!("column '{column}': {problem}")
    }));
    let rows = keep_placed(load, reading, wanted, conformed.rows).await?;
    reading.loaded = reading.loaded.saturating_add(rows.num_rows() as u64);
    load.write(rows).await
}

/// Leaves out the rows that no partition takes, which are filtered, and those of partitions that are not wanted.
async fn keep_placed(
    load: &Load,
    reading: &mut Reading,
    wanted: Option<&Arc<[bool]>>,
    rows: RecordBatch,
) -> Result<RecordBatch, EngineError> {
    let (router, wanted) = (Arc::clone(load.router()), wanted.cloned());
    let is_wanted = move |place: usize| wanted.as_deref().is_none_or(|wanted| wanted.get(place).copied() == Some(true));
    let (kept, nowhere, unselected) = rt::blocking(move || {
        let places = router.places(&rows)?;
        let nowhere = places.iter().filter(|place| place.is_none()).count();
        let keep: Vec<bool> = places.iter().map(|place| place.is_some_and(&is_wanted)).collect();
        let count = keep.iter().filter(|keep| **keep).count();
        let unselected = keep.len().saturating_sub(count).saturating_sub(nowhere);
        let kept = if count == keep.len() { rows } else { filter_record_batch(&rows, &BooleanArray::from(keep))? };
        Ok::<_, EngineError>((kept, nowhere, unselected))
    })
    .await?;
    reading.filtered = reading.filtered.saturating_add(nowhere as u64);
    reading.unselected = reading.unselected.saturating_add(unselected as u64);
    if nowhere > 0 && reading.told.len() < TOLD_MAX {
        reading.told.push("a row that no partition takes".to_owned());
    }
    Ok(kept)
}

/// Without strict mode, text that is no value of its column's type is NULL where the column allows that.
fn unreadable_to_null(schema: &Schema, columns: &[usize], batch: &RecordBatch) -> tablet::Result<RecordBatch> {
    use arrow::array::{Array, ArrayRef, StringArray};
    let mut arrays: Vec<ArrayRef> = Vec::with_capacity(batch.num_columns());
    for (at, array) in columns.iter().zip(batch.columns()) {
        let column = schema.columns().get(*at).filter(|column| column.nullable);
        let text = array.as_any().downcast_ref::<StringArray>();
        let (Some(column), Some(text)) = (column, text) else {
            arrays.push(Arc::clone(array));
            continue;
        };
        if column.data_type.max_len_bytes().is_some() {
            arrays.push(Arc::clone(array));
            continue;
        }
        let readable = |text: &&str| tablet::Datum::parse(&column.data_type, text).is_ok();
        let kept: StringArray = text.iter().map(|value| value.filter(readable)).collect();
        arrays.push(Arc::new(kept));
    }
    Ok(RecordBatch::try_new(batch.schema(), arrays)?)
}

fn check_ratio(reading: &Reading) -> Result<(), EngineError> {
    let considered = reading.loaded.saturating_add(reading.filtered);
    #[expect(clippy::cast_precision_loss, reason = "a ratio of row counts")]
    let allowed = considered as f64 * reading.max_filter_ratio;
    #[expect(clippy::cast_precision_loss, reason = "a ratio of row counts")]
    let filtered = reading.filtered as f64;
    if filtered <= allowed {
        return Ok(());
    }
    let told: Vec<&str> = reading.told.iter().take(TOLD_MAX).map(String::as_str).collect();
    Err(EngineError::invalid(format!(
        "too many filtered rows: {} of {considered} do not fit the table, and max_filter_ratio is {}; for example {}",
        reading.filtered,
        reading.max_filter_ratio,
        told.join("; ")
    )))
}

/// Which partitions of a table, by position, have one of these names.
fn named_partitions(table: &TableRecord, names: &[String]) -> Result<Arc<[bool]>, EngineError> {
    for name in names {
        table.partition(name).ok_or_else(|| EngineError::unknown_partition(name, &table.name))?;
    }
    Ok(table.partitions.iter().map(|entry| names.contains(&entry.name)).collect())
}
