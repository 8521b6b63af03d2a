//! Segments for readers that know Parquet and nothing else.
//!
//! A segment is a Parquet file, but three things about it such a reader gets wrong: rows that a delete vector hides are
//! still in the file, a row of a Unique Key or Aggregate Key table may have to be put together from several files, and a
//! LARGEINT is a decimal of 39 digits, which some readers turn into a floating-point number without a word (DuckDB does;
//! 38 digits are its limit). Where none of them occurs the file can be handed on as it is.

use super::merged::{SegmentSource, merge_segments};
use super::reader::{ScanOptions, SegmentReader};
use super::{SegmentMeta, SegmentOptions, SegmentWriter};
use crate::error::{Error, Result};
use crate::schema::{Column, KeyModel, Schema};
use crate::types::ColumnType;
use arrow::array::RecordBatch;
use arrow::compute::cast;
use env::disk::Disk;
use std::sync::Arc;

/// Bytes of the longest LARGEINT as text, `-170141183460469231731687303715884105728`.
const LARGEINT_TEXT_BYTES: u32 = 40;

/// Whether every type of the table's columns is one that readers of Parquet in general know.
pub fn is_plain(schema: &Schema) -> bool {
    schema.columns().iter().all(|column| column.data_type != ColumnType::LargeInt)
}

/// The columns as [`write_plain`] writes them: each LARGEINT is text.
///
/// # Errors
/// None for a schema that exists; its rules are checked again.
pub fn plain_schema(schema: &Schema) -> Result<Schema> {
    // Digits do not sort like numbers, so what remains of the order are the keys before the first LARGEINT.
    let ordered = schema.key_columns().iter().take_while(|column| column.data_type != ColumnType::LargeInt).count();
    let columns = schema.columns().iter().enumerate().map(|(at, column)| {
        let large = column.data_type == ColumnType::LargeInt;
        Column {
            data_type: if large { ColumnType::Varchar(LARGEINT_TEXT_BYTES) } else { column.data_type },
            key: at < ordered,
            aggregation: None,
            default: None,
            ..column.clone()
        }
    });
    Ok(Schema::new(KeyModel::Duplicate, columns.collect())?)
}

/// Writes the rows that a group of segments shows, in columns of [`plain_schema`], to a new file: one segment, or several
/// that are merged as [`merge_segments`] does. Blocks; memory is that of one batch of each and one row group. `go_on` is
/// asked before each batch; when it says no the file is removed.
///
/// # Errors
/// `Corrupt` for a segment that cannot be read, `Invalid` for none and for a sum that its column cannot hold, what the
/// disk says. The file is then removed.
///
/// # Returns
/// `None` when it was stopped.
pub fn write_plain(
    disk: Arc<dyn Disk>,
    path: &str,
    sources: Vec<SegmentSource>,
    go_on: impl Fn() -> bool,
) -> Result<Option<SegmentMeta>> {
    let Some(first) = sources.first().map(|source| source.reader.clone()) else {
        return Err(Error::Invalid(format!("'{path}' would be written from no segment")));
    };
    let schema = Arc::new(plain_schema(first.schema())?);
    let mut writer = SegmentWriter::create(disk, path, &schema, first.origin(), &SegmentOptions::default())?;
    for batch in shown_rows(&first, sources)? {
        if !go_on() {
            return Ok(None);
        }
        writer.write(&plain_rows(&schema, &batch?)?)?;
    }
    Ok(Some(writer.finish()?))
}

fn shown_rows(
    first: &SegmentReader,
    mut sources: Vec<SegmentSource>,
) -> Result<Box<dyn Iterator<Item = Result<RecordBatch>>>> {
    if sources.len() > 1 {
        let schema = Arc::new(first.schema().clone());
        return Ok(Box::new(merge_segments(&schema, sources, None, &[], 0)?));
    }
    let deletes = sources.pop().and_then(|source| source.deletes);
    let scan = first.scan(&ScanOptions { deletes, ..ScanOptions::default() })?;
    Ok(Box::new(scan.map(|batch| Ok(batch?.rows))))
}

fn plain_rows(schema: &Schema, rows: &RecordBatch) -> Result<RecordBatch> {
    let plain = schema.arrow();
    let columns = rows.columns().iter().zip(plain.fields()).map(|(column, field)| cast(column, field.data_type()));
    let columns = columns.collect::<Result<_, _>>()?;
    Ok(RecordBatch::try_new(plain, columns)?)
}
