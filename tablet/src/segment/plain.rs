//! Segments for readers that know Parquet and nothing else.
//!
//! A segment is a Parquet file, but two things about it such a reader gets wrong: rows that a delete vector hides are
//! still in the file, and a LARGEINT is a decimal of 39 digits, which some readers turn into a floating-point number
//! without a word (DuckDB does; 38 digits are its limit). Where neither occurs the file can be handed on as it is.

use super::reader::{ScanOptions, SegmentReader};
use super::{SegmentMeta, SegmentOptions, SegmentWriter};
use crate::error::Result;
use crate::schema::{Column, KeyModel, Schema};
use crate::types::ColumnType;
use arrow::array::RecordBatch;
use arrow::compute::cast;
use env::disk::Disk;
use roaring::RoaringBitmap;
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
            default: None,
            ..column.clone()
        }
    });
    Ok(Schema::new(KeyModel::Duplicate, columns.collect())?)
}

/// Writes the rows of a segment that a delete vector leaves, in columns of [`plain_schema`], to a new file. Blocks;
/// memory is that of one batch and one row group. `go_on` is asked before each batch; when it says no the file is
/// removed.
///
/// # Errors
/// `Corrupt` for a segment that cannot be read, what the disk says. The file is then removed.
///
/// # Returns
/// `None` when it was stopped.
pub fn write_plain(
    disk: Arc<dyn Disk>,
    path: &str,
    source: &SegmentReader,
    deletes: Option<Arc<RoaringBitmap>>,
    go_on: impl Fn() -> bool,
) -> Result<Option<SegmentMeta>> {
    let schema = Arc::new(plain_schema(source.schema())?);
    let mut writer = SegmentWriter::create(disk, path, &schema, source.origin(), &SegmentOptions::default())?;
    for batch in source.scan(&ScanOptions { deletes, ..ScanOptions::default() })? {
        if !go_on() {
            return Ok(None);
        }
        writer.write(&plain_rows(&schema, &batch?.rows)?)?;
    }
    Ok(Some(writer.finish()?))
}

fn plain_rows(schema: &Schema, rows: &RecordBatch) -> Result<RecordBatch> {
    let plain = schema.arrow();
    let columns = rows.columns().iter().zip(plain.fields()).map(|(column, field)| cast(column, field.data_type()));
    let columns = columns.collect::<Result<_, _>>()?;
    Ok(RecordBatch::try_new(plain, columns)?)
}
