//! Writes one segment: rows in key order in, a synced file with its length and checksum out.

use super::{
    Compression, FORMAT_KEY, SEGMENT_FORMAT, SEGMENT_KEY, SEGMENT_ROWS_MAX, SegmentMeta, SegmentOptions, SegmentOrigin,
    TABLET_KEY,
};
use crate::error::{Error, Result};
use crate::keys::encode_keys;
use crate::schema::{Column, Schema};
use crate::types::ColumnType;
use crate::values::{Value, Values};
use arrow::array::RecordBatch;
use arrow::compute::concat_batches;
use env::canary::{self, Canary};
use env::disk::{self, Disk, DiskFile};
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_writer::ArrowWriterOptions;
use parquet::basic::{Compression as PageCompression, Encoding};
use parquet::errors::ParquetError;
use parquet::file::metadata::{KeyValue, SortingColumn};
use parquet::file::properties::{EnabledStatistics, WriterProperties, WriterPropertiesBuilder};
use parquet::schema::types::ColumnPath;
use std::collections::BTreeSet;
use std::io::{self, Write};
use std::sync::Arc;

/// Bytes gathered before they go to the disk.
const WRITE_BYTES: usize = 1 << 20;
/// A row group is closed at this size even when it has few rows, so that memory stays bounded for wide ones.
const ROW_GROUP_BYTES_MAX: usize = 64 << 20;
/// Rows of the first batch that decide whether a text column gets a dictionary.
const SAMPLE_ROWS: usize = 4096;

/// Writes a segment under a temporary name and gives it its own when it is whole and synced. Dropped before that, it
/// removes what it wrote. Blocks: async callers use `env::rt::blocking`.
#[derive(Debug)]
pub struct SegmentWriter {
    disk: Arc<dyn Disk>,
    path: String,
    temporary: String,
    schema: Arc<Schema>,
    origin: SegmentOrigin,
    options: SegmentOptions,
    state: State,
    rows: u64,
    min_key: Option<Vec<u8>>,
    max_key: Option<Vec<u8>>,
}

#[derive(Debug)]
enum State {
    /// Nothing came yet: the first batch decides about dictionaries.
    Waiting(Sink),
    Writing(Box<ArrowWriter<Sink>>),
    /// Finished or failed.
    Closed,
}

impl SegmentWriter {
    /// Makes the temporary file beside `path`, named `.<name>.<token>.tmp`.
    ///
    /// # Errors
    /// What the disk says.
    pub fn create(
        disk: Arc<dyn Disk>,
        path: &str,
        schema: &Arc<Schema>,
        origin: SegmentOrigin,
        options: &SegmentOptions,
    ) -> Result<Self> {
        let dir = disk::parent(path);
        let name = path.strip_prefix(dir).unwrap_or(path).trim_start_matches('/');
        let temporary = disk::join(dir, &format!(".{name}.{}{}", env::rand::token(), disk::TEMPORARY_SUFFIX));
        let file = disk.create(&temporary).map_err(Error::io("create", &temporary))?;
        Ok(Self {
            disk,
            path: path.to_owned(),
            temporary,
            schema: Arc::clone(schema),
            origin,
            options: options.clone(),
            state: State::Waiting(Sink::new(file)),
            rows: 0,
            min_key: None,
            max_key: None,
        })
    }

    /// Appends rows. They have all columns of the table, are sorted by its key, and do not go before the rows written so far.
    ///
    /// # Errors
    /// `Invalid` for other columns, `Internal` for rows out of order, and what the disk says. After an error the writer is of no
    /// more use than to be dropped.
    pub fn write(&mut self, batch: &RecordBatch) -> Result<()> {
        if batch.schema_ref().fields() != self.schema.arrow().fields() {
            return Err(Error::Invalid(format!("rows for '{}' do not have the columns of the table", self.path)));
        }
        if batch.num_rows() == 0 {
            return Ok(());
        }
        let rows = self.rows.saturating_add(u64::try_from(batch.num_rows()).unwrap_or(u64::MAX));
        if rows > SEGMENT_ROWS_MAX {
            return Err(Error::Invalid(format!("a segment holds at most {SEGMENT_ROWS_MAX} rows, not {rows}")));
        }
        self.follow_order(batch)?;
        let mut writer = match std::mem::replace(&mut self.state, State::Closed) {
            State::Writing(writer) => writer,
            State::Waiting(sink) => self.start(sink, Some(batch))?,
            State::Closed => {
                return Err(Error::Internal(format!("segment '{}' was written to after an error", self.path)));
            }
        };
        writer.write(batch).map_err(|error| self.failed("write", error))?;
        self.state = State::Writing(writer);
        self.rows = rows;
        Ok(())
    }

    /// Rows written so far.
    pub fn rows(&self) -> u64 {
        self.rows
    }

    /// About how long the file would be if it were finished now.
    pub fn len_bytes(&self) -> u64 {
        let len = match &self.state {
            State::Writing(writer) => writer.bytes_written() + writer.in_progress_size(),
            State::Waiting(_) | State::Closed => 0,
        };
        u64::try_from(len).unwrap_or(u64::MAX)
    }

    /// Completes the file, syncs it and gives it its name. The caller syncs the directory, once for all files of a batch; until
    /// then a crash may take the name away again.
    ///
    /// # Errors
    /// What the disk says; the temporary file is then removed.
    pub fn finish(mut self) -> Result<SegmentMeta> {
        let writer = match std::mem::replace(&mut self.state, State::Closed) {
            State::Writing(writer) => writer,
            State::Waiting(sink) => self.start(sink, None)?,
            State::Closed => {
                return Err(Error::Internal(format!("segment '{}' was finished after an error", self.path)));
            }
        };
        let mut sink = writer.into_inner().map_err(|error| self.failed("write", error))?;
        sink.write_out().map_err(Error::io("write", &self.temporary))?;
        if !canary::sings(Canary::SegmentNotSynced) {
            sink.file.sync_data().map_err(Error::io("sync", &self.temporary))?;
        }
        let len_bytes = sink.file.len().map_err(Error::io("read the length of", &self.temporary))?;
        if len_bytes != sink.offset {
            let (expected, found) = (format!("{} bytes", sink.offset), format!("{len_bytes} bytes"));
            return Err(Error::corrupt(&self.temporary, expected, found));
        }
        self.disk.rename(&self.temporary, &self.path).map_err(Error::io("rename", &self.temporary))?;
        // Nothing is left to be removed by the drop.
        self.temporary.clear();
        Ok(SegmentMeta {
            rows: self.rows,
            len_bytes,
            crc32: sink.crc.finalize(),
            min_key: self.min_key.take(),
            max_key: self.max_key.take(),
        })
    }

    /// Notes the first and the last key, and that rows are in order: all of them where assertions are on, else where batches meet.
    fn follow_order(&mut self, batch: &RecordBatch) -> Result<()> {
        if self.schema.key_len() == 0 {
            return Ok(());
        }
        let all = cfg!(debug_assertions);
        let last = batch.num_rows().saturating_sub(1);
        let ends = if all {
            batch.clone()
        } else {
            concat_batches(batch.schema_ref(), [&batch.slice(0, 1), &batch.slice(last, 1)])?
        };
        let keys = encode_keys(&self.schema, &ends)?;
        let mut before = self.max_key.as_deref();
        for (row, key) in keys.iter().enumerate() {
            // Two ends of one row are one row.
            let same_row = !all && last == 0 && row == 1;
            let distinct = self.schema.model().is_distinct();
            let fine = before.is_none_or(|before| before < key || (before == key && (same_row || !distinct)));
            if !fine {
                return Err(Error::Internal(format!("rows for segment '{}' are not sorted by key", self.path)));
            }
            before = Some(key);
        }
        self.max_key = before.map(<[u8]>::to_vec);
        if self.min_key.is_none() {
            self.min_key = Some(keys.get(0).to_vec());
        }
        Ok(())
    }

    fn start(&self, sink: Sink, first: Option<&RecordBatch>) -> Result<Box<ArrowWriter<Sink>>> {
        let options = ArrowWriterOptions::new()
            .with_properties(properties(&self.schema, &self.options, self.origin, first)?)
            // Every type of a table is one that Parquet's own schema tells apart.
            .with_skip_arrow_metadata(true);
        let writer = ArrowWriter::try_new_with_options(sink, self.schema.arrow(), options)
            .map_err(|error| self.failed("start", error))?;
        Ok(Box::new(writer))
    }

    fn failed(&self, action: &'static str, error: ParquetError) -> Error {
        let ParquetError::External(source) = error else {
            return Error::Internal(format!("cannot {action} segment '{}': {error}", self.path));
        };
        match source.downcast::<io::Error>() {
            Ok(source) => Error::io(action, &self.temporary)(*source),
            Err(source) => Error::Internal(format!("cannot {action} segment '{}': {source}", self.path)),
        }
    }
}

impl Drop for SegmentWriter {
    fn drop(&mut self) {
        if !self.temporary.is_empty() {
            // Recovery removes it too, if this cannot.
            drop(self.disk.remove(&self.temporary));
        }
    }
}

fn properties(
    schema: &Schema,
    options: &SegmentOptions,
    origin: SegmentOrigin,
    first: Option<&RecordBatch>,
) -> Result<WriterProperties> {
    let compression = match options.compression {
        Compression::Lz4 => PageCompression::LZ4_RAW,
        Compression::None => PageCompression::UNCOMPRESSED,
    };
    let note = |key: &str, value: String| KeyValue::new(key.to_owned(), value);
    let sorted_by = (0..schema.key_len())
        .filter_map(|column| i32::try_from(column).ok())
        .map(|column_idx| SortingColumn { column_idx, descending: false, nulls_first: true })
        .collect();
    let mut builder = WriterProperties::builder()
        .set_compression(compression)
        .set_max_row_group_row_count(Some(options.row_group_rows.max(1)))
        .set_max_row_group_bytes(Some(ROW_GROUP_BYTES_MAX))
        .set_data_page_row_count_limit(options.page_rows.max(1))
        .set_write_batch_size(options.page_rows.clamp(1, 1024))
        .set_statistics_enabled(EnabledStatistics::Page)
        .set_sorting_columns(Some(sorted_by))
        .set_created_by(format!("tabularium {}", env!("CARGO_PKG_VERSION")))
        .set_key_value_metadata(Some(vec![
            note(FORMAT_KEY, SEGMENT_FORMAT.to_string()),
            note(TABLET_KEY, origin.tablet.to_string()),
            note(SEGMENT_KEY, format!("{}-{}", origin.rowset, origin.ordinal)),
        ]));
    for (at, column) in schema.columns().iter().enumerate() {
        let sample = first.and_then(|batch| batch.columns().get(at));
        let repeats = match sample {
            Some(array) if !column.key => values_repeat(&Values::of(array)?)?,
            _ => false,
        };
        builder = encode_column(builder, column, repeats);
    }
    Ok(builder.build())
}

/// Integers and days are stored as differences; a dictionary is only for text whose values come again. On anything else it
/// makes files larger and writing slower.
fn encode_column(builder: WriterPropertiesBuilder, column: &Column, repeats: bool) -> WriterPropertiesBuilder {
    let path = ColumnPath::new(vec![column.name.clone()]);
    match column.data_type {
        ColumnType::TinyInt
        | ColumnType::SmallInt
        | ColumnType::Int
        | ColumnType::BigInt
        | ColumnType::Date
        | ColumnType::DateTime
        // Up to 18 digits a decimal is stored as an integer.
        | ColumnType::Decimal { precision: 0..=18, .. } => builder
            .set_column_dictionary_enabled(path.clone(), false)
            .set_column_encoding(path, Encoding::DELTA_BINARY_PACKED),
        ColumnType::Char(_) | ColumnType::Varchar(_) | ColumnType::String | ColumnType::Varbinary(_) => {
            builder.set_column_dictionary_enabled(path, repeats)
        }
        ColumnType::Boolean
        | ColumnType::LargeInt
        | ColumnType::Float
        | ColumnType::Double
        | ColumnType::Decimal { .. } => builder.set_column_dictionary_enabled(path, false),
    }
}

/// Whether at most half of a sample's values are different.
fn values_repeat(values: &Values<'_>) -> Result<bool> {
    let sampled = values.len().min(SAMPLE_ROWS);
    let mut different = BTreeSet::new();
    for row in 0..sampled {
        match values.get(row)? {
            Value::Text(text) => different.insert(text.as_bytes()),
            Value::Bytes(bytes) => different.insert(bytes),
            Value::Null
            | Value::Bool(_)
            | Value::Int(_)
            | Value::Float(_)
            | Value::Decimal(..)
            | Value::Date(_)
            | Value::DateTime(_) => false,
        };
    }
    Ok(different.len() * 2 <= sampled)
}

/// Sends what the Parquet writer gives to the file, in large pieces, and keeps the checksum.
#[derive(Debug)]
struct Sink {
    file: Arc<dyn DiskFile>,
    buffer: Vec<u8>,
    offset: u64,
    crc: crc32fast::Hasher,
}

impl Sink {
    fn new(file: Arc<dyn DiskFile>) -> Self {
        Self { file, buffer: Vec::new(), offset: 0, crc: crc32fast::Hasher::new() }
    }

    fn write_out(&mut self) -> io::Result<()> {
        if self.buffer.is_empty() {
            return Ok(());
        }
        let len_bytes = u64::try_from(self.buffer.len()).map_err(io::Error::other)?;
        self.file.write_at(self.offset, &self.buffer)?;
        self.crc.update(&self.buffer);
        // The sync at the end then finds most of the file on its way.
        self.file.start_writeback(self.offset, len_bytes);
        self.offset += len_bytes;
        self.buffer.clear();
        Ok(())
    }
}

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.buffer.extend_from_slice(bytes);
        if self.buffer.len() >= WRITE_BYTES {
            self.write_out()?;
        }
        Ok(bytes.len())
    }

    /// Nothing: small pieces gain nothing from going out early, and `finish` writes and syncs the rest.
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
