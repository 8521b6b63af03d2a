//! `FILES('path' = .., 'format' = ..)`: files outside of the store as a table.
//!
//! Columns of a CSV file are text, named by the header if there is one: what they mean is decided where they go, so nothing
//! is lost by guessing. A Parquet file has the types that it says.

#![expect(clippy::wildcard_enum_match_arm, reason = "kinds of errors of the file system are open")]

use crate::engine::paths;
use crate::error::{EngineError, ErrorKind};
use crate::load::csv::Batches;
use crate::load::escapes::unescape;
use crate::stream_load::CsvFormat;
use arrow::array::RecordBatch;
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use async_trait::async_trait;
use datafusion::catalog::streaming::StreamingTable;
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::{DataFusionError, Statistics};
use datafusion::datasource::TableType;
use datafusion::datasource::file_format::FileFormat;
use datafusion::datasource::file_format::parquet::ParquetFormat;
use datafusion::datasource::listing::{ListingOptions, ListingTable, ListingTableConfig, ListingTableUrl};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::logical_expr::{Expr, TableProviderFilterPushDown};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::streaming::PartitionStream;
use env::rt::sync::mpsc;
use futures::StreamExt;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Bytes read from a file at a time.
const READ_BYTES: usize = 1 << 20;

/// Batches that a reader may be ahead of the query.
const AHEAD: usize = 4;

/// Bytes of a CSV file that are looked at to count its columns.
const SAMPLE_BYTES: u64 = 4 << 20;

const KNOWN: [&str; 11] = [
    "path",
    "format",
    "csv.column_separator",
    "csv.row_delimiter",
    "csv.enclose",
    "csv.escape",
    "csv.skip_header",
    "csv.trim_space",
    "csv.header",
    "list_files_only",
    "fill_mismatch_column_with",
];

/// Makes the table of one FILES call.
///
/// # Errors
/// Invalid for properties, NotFound when no file is there, and what the file system says.
pub(super) async fn table(
    properties: &BTreeMap<String, String>,
    session: &dyn Session,
) -> Result<Arc<dyn TableProvider>, EngineError> {
    let unknown: Vec<&str> = properties.keys().map(String::as_str).filter(|key| !KNOWN.contains(key)).collect();
    if !unknown.is_empty() {
        return Err(EngineError::invalid(format!(
            "FILES does not know the properties [{}]; known are path, format and csv.column_separator, csv.row_delimiter, \
             csv.enclose, csv.escape, csv.skip_header, csv.header, csv.trim_space",
            unknown.join(", ")
        )));
    }
    for ignored in ["list_files_only", "fill_mismatch_column_with"] {
        if properties.contains_key(ignored) {
            return Err(EngineError::unsupported(format!("FILES does not support the property '{ignored}'")));
        }
    }
    let path = properties.get("path").ok_or_else(|| EngineError::invalid("FILES needs the property 'path'"))?;
    let pattern = paths::local(path)?;
    let found = env::rt::blocking(move || paths::expand(&pattern));
    let format = properties.get("format").map(|format| format.to_ascii_lowercase());
    match format.as_deref() {
        Some("csv") => {
            let (format, header) = csv_format(properties)?;
            let files = found.await?;
            env::rt::blocking(move || csv_table(format, header, files)).await
        }
        Some("parquet") => {
            if let Some(key) = properties.keys().find(|key| key.starts_with("csv.")) {
                return Err(EngineError::invalid(format!("FILES: '{key}' has no meaning for format 'parquet'")));
            }
            parquet_table(found.await?, session).await
        }
        Some(other) => {
            Err(EngineError::unsupported(format!("FILES: format '{other}' is not supported; use 'csv' or 'parquet'")))
        }
        None => Err(EngineError::invalid("FILES needs the property 'format': 'csv' or 'parquet'")),
    }
}

fn csv_format(properties: &BTreeMap<String, String>) -> Result<(CsvFormat, bool), EngineError> {
    let wrong = |key: &str, what: &str, found: &str| {
        Err(EngineError::invalid(format!("FILES: property '{key}' must be {what}, not '{found}'")))
    };
    let mut format = CsvFormat::default();
    let mut header = false;
    for (key, value) in properties {
        let boolean = value.parse::<bool>();
        match key.as_str() {
            "csv.column_separator" | "csv.row_delimiter" => {
                let bytes = unescape(value);
                if bytes.is_empty() || bytes.len() > 50 {
                    return wrong(key, "1 to 50 bytes long", value);
                }
                if key == "csv.row_delimiter" {
                    format.row_delimiter = bytes;
                } else {
                    format.column_separator = bytes;
                }
            }
            "csv.enclose" | "csv.escape" => {
                let byte = match unescape(value).as_slice() {
                    [] => None,
                    [byte] => Some(*byte),
                    _ => return wrong(key, "one byte", value),
                };
                if key == "csv.escape" {
                    format.escape = byte;
                } else {
                    format.enclose = byte;
                }
            }
            "csv.skip_header" => match value.parse() {
                Ok(rows) => format.skip_header = rows,
                Err(_) => return wrong(key, "a number of rows", value),
            },
            "csv.trim_space" => match boolean {
                Ok(trim) => format.trim_space = trim,
                Err(_) => return wrong(key, "true or false", value),
            },
            "csv.header" => match boolean {
                Ok(first_row) => header = first_row,
                Err(_) => return wrong(key, "true or false", value),
            },
            _ => {}
        }
    }
    Ok((format, header))
}

/// Looks into the first file. Blocks.
fn csv_table(mut format: CsvFormat, header: bool, files: Vec<PathBuf>) -> Result<Arc<dyn TableProvider>, EngineError> {
    let first = files.first().ok_or_else(|| EngineError::internal("no files"))?;
    let names = column_names(first, &format, header)?;
    if header {
        format.skip_header = format.skip_header.saturating_add(1);
    }
    let names = Arc::new(names);
    let fields: Vec<Field> = names.iter().map(|name| Field::new(name, DataType::Utf8, true)).collect();
    let schema = Arc::new(Schema::new(fields));
    let partitions = files
        .into_iter()
        .map(|path| {
            let (names, schema) = (Arc::clone(&names), Arc::clone(&schema));
            Arc::new(CsvFile { path, format: format.clone(), names, schema }) as Arc<dyn PartitionStream>
        })
        .collect();
    let table = StreamingTable::try_new(schema, partitions).map_err(super::errors::engine)?;
    Ok(Arc::new(table))
}

fn read_error(path: &Path, failed: &std::io::Error) -> EngineError {
    let kind = match failed.kind() {
        std::io::ErrorKind::NotFound => ErrorKind::NotFound,
        std::io::ErrorKind::PermissionDenied => ErrorKind::Denied,
        _ => ErrorKind::Unavailable,
    };
    EngineError::general(kind, format!("cannot read '{}': {failed}", path.display()))
}

/// The header's names in lower case, or `$1`, `$2` and so on: as many as the first row has fields.
fn column_names(path: &Path, format: &CsvFormat, header: bool) -> Result<Vec<String>, EngineError> {
    use crate::load::csv::{Row, Splitter};
    let mut sample = Vec::new();
    let mut file = File::open(path).map_err(|failed| read_error(path, &failed))?;
    let read = file.by_ref().take(SAMPLE_BYTES).read_to_end(&mut sample).map_err(|failed| read_error(path, &failed))?;
    let at_end = u64::try_from(read).unwrap_or(u64::MAX) < SAMPLE_BYTES;
    // Where only a header is, the number of columns is still to be had.
    for skip in [format.skip_header, 0] {
        let mut splitter = Splitter::new(CsvFormat { skip_header: skip, ..format.clone() });
        splitter.push(&sample);
        let mut row = Row::default();
        let found = splitter
            .next_row(&mut row, at_end)
            .map_err(|failed| EngineError::invalid(format!("'{}': {failed}", path.display())))?;
        if found && header {
            let names: Vec<String> = row.texts().map(|name| name.trim().to_lowercase()).collect();
            let unique: std::collections::BTreeSet<&String> = names.iter().collect();
            if unique.len() < names.len() || names.iter().any(String::is_empty) {
                return Err(EngineError::invalid(format!(
                    "the header of '{}' has empty names or the same name twice; use 'csv.skip_header' = '1' and $1, $2, ..",
                    path.display()
                )));
            }
            return Ok(names);
        }
        if found {
            return Ok((1..=row.len()).map(|position| format!("${position}")).collect());
        }
    }
    Err(EngineError::invalid(format!("'{}' has no rows, so its columns are not known", path.display())))
}

/// One CSV file.
#[derive(Debug)]
struct CsvFile {
    path: PathBuf,
    format: CsvFormat,
    names: Arc<Vec<String>>,
    schema: SchemaRef,
}

impl PartitionStream for CsvFile {
    fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    fn execute(&self, _context: Arc<TaskContext>) -> SendableRecordBatchStream {
        let (sender, receiver) = mpsc::channel(AHEAD);
        let (path, batches) = (self.path.clone(), Batches::new(self.format.clone(), &self.names));
        drop(env::rt::spawn(env::rt::blocking(move || {
            if let Err(failed) = read_csv(&path, batches, &sender) {
                drop(sender.blocking_send(Err(failed)));
            }
        })));
        let rows = futures::stream::unfold(receiver, |mut receiver| async move {
            let item = receiver.recv().await?;
            Some((item.map_err(|failed| DataFusionError::External(Box::new(failed))), receiver))
        });
        Box::pin(RecordBatchStreamAdapter::new(Arc::clone(&self.schema), rows.boxed()))
    }
}

type Batch = Result<RecordBatch, EngineError>;

fn read_csv(path: &Path, mut batches: Batches, to: &mpsc::Sender<Batch>) -> Result<(), EngineError> {
    let mut file = File::open(path).map_err(|failed| read_error(path, &failed))?;
    let mut piece = vec![0; READ_BYTES];
    loop {
        let read = file.read(&mut piece).map_err(|failed| read_error(path, &failed))?;
        let at_end = read == 0;
        let full = batches
            .feed(piece.get(..read).unwrap_or_default(), at_end)
            .map_err(|failed| EngineError::invalid(format!("'{}': {failed}", path.display())))?;
        if let Some(refused) = batches.refused.told.first() {
            return Err(EngineError::invalid(format!("'{}', {refused}", path.display())));
        }
        for batch in full {
            // The query ended before its input: nobody wants the rest.
            if to.blocking_send(Ok(batch)).is_err() {
                return Ok(());
            }
        }
        if at_end {
            return Ok(());
        }
    }
}

async fn parquet_table(files: Vec<PathBuf>, session: &dyn Session) -> Result<Arc<dyn TableProvider>, EngineError> {
    let mut urls = Vec::with_capacity(files.len());
    for file in &files {
        let text = file
            .to_str()
            .ok_or_else(|| EngineError::unsupported(format!("'{}': a path that is not UTF-8", file.display())))?;
        // As a URL every character of the name stands for itself; as a path, `*` and `?` would not.
        let url = url_of(text);
        urls.push(ListingTableUrl::parse(&url).map_err(super::errors::engine)?);
    }
    let format: Arc<dyn FileFormat> = Arc::new(ParquetFormat::default());
    let options = ListingOptions::new(format).with_file_extension("");
    let checked = files.clone();
    env::rt::blocking(move || checked.iter().try_for_each(|file| check_footer(file))).await?;
    let mut schema: Option<SchemaRef> = None;
    for (url, file) in urls.iter().zip(&files) {
        let own = options.infer_schema(session, url).await.map_err(|failed| {
            EngineError::invalid(format!("'{}' cannot be read as Parquet: {failed}", file.display()))
        })?;
        match &schema {
            None => schema = Some(own),
            Some(first) if same_columns(first, &own) => {}
            Some(_) => {
                let first = files.first().unwrap_or(file).display();
                let message = format!("'{}' has other columns than '{first}'", file.display());
                return Err(EngineError::invalid(message));
            }
        }
    }
    let schema = schema.ok_or_else(|| EngineError::internal("no files"))?;
    let config =
        ListingTableConfig::new_with_multi_paths(urls).with_listing_options(options).with_schema(Arc::clone(&schema));
    let table = ListingTable::try_new(config).map_err(super::errors::engine)?;
    Ok(Arc::new(LowerCased::new(Arc::new(table), &schema)))
}

/// Refuses what has no Parquet footer before a reader believes its length.
fn check_footer(path: &Path) -> Result<(), EngineError> {
    use std::io::{Seek, SeekFrom};
    const MAGIC: &[u8] = b"PAR1";
    let io = |failed: std::io::Error| read_error(path, &failed);
    let broken =
        |why: &str| Err(EngineError::invalid(format!("'{}' cannot be read as Parquet: {why}", path.display())));
    let mut file = File::open(path).map_err(io)?;
    let len = file.metadata().map_err(io)?.len();
    if len < 12 {
        return broken("it is too short");
    }
    let mut tail = [0_u8; 8];
    file.seek(SeekFrom::End(-8)).map_err(io)?;
    file.read_exact(&mut tail).map_err(io)?;
    let ([a, b, c, d, magic @ ..], true) = (tail, tail.ends_with(MAGIC)) else {
        return broken("it does not end with PAR1");
    };
    debug_assert_eq!(magic, *MAGIC);
    if u64::from(u32::from_le_bytes([a, b, c, d])).saturating_add(12) > len {
        return broken("its footer is longer than the file");
    }
    Ok(())
}

fn same_columns(a: &Schema, b: &Schema) -> bool {
    let columns = |schema: &Schema| {
        schema.fields().iter().map(|field| (field.name().clone(), field.data_type().clone())).collect::<Vec<_>>()
    };
    columns(a) == columns(b)
}

/// `file://` and the path with all but plain characters escaped.
fn url_of(path: &str) -> String {
    use std::fmt::Write;
    let mut url = String::from("file://");
    for byte in path.bytes() {
        if byte.is_ascii_alphanumeric() || b"/-_.~".contains(&byte) {
            url.push(char::from(byte));
        } else {
            // Writing to a string cannot fail.
            write!(url, "%{byte:02X}").unwrap_or_default();
        }
    }
    url
}

/// A table whose columns are called by their names in lower case, as the rewritten statement calls them.
#[derive(Debug)]
struct LowerCased {
    table: Arc<dyn TableProvider>,
    shown: SchemaRef,
    renamed: bool,
}

impl LowerCased {
    fn new(table: Arc<dyn TableProvider>, schema: &Schema) -> Self {
        let renamed = schema.fields().iter().any(|field| field.name().to_lowercase() != *field.name());
        let fields: Vec<Field> =
            schema.fields().iter().map(|field| field.as_ref().clone().with_name(field.name().to_lowercase())).collect();
        Self { table, shown: Arc::new(Schema::new_with_metadata(fields, schema.metadata().clone())), renamed }
    }
}

#[async_trait]
impl TableProvider for LowerCased {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.shown)
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    fn supports_filters_pushdown(
        &self,
        filters: &[&Expr],
    ) -> datafusion::common::Result<Vec<TableProviderFilterPushDown>> {
        if self.renamed {
            return Ok(vec![TableProviderFilterPushDown::Unsupported; filters.len()]);
        }
        self.table.supports_filters_pushdown(filters)
    }

    fn statistics(&self) -> Option<Statistics> {
        self.table.statistics()
    }

    async fn scan(
        &self,
        session: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        limit: Option<usize>,
    ) -> datafusion::common::Result<Arc<dyn ExecutionPlan>> {
        use datafusion::physical_expr::PhysicalExpr;
        use datafusion::physical_expr::expressions::Column;
        use datafusion::physical_plan::projection::ProjectionExec;
        let scan = self.table.scan(session, projection, filters, limit).await?;
        if !self.renamed {
            return Ok(scan);
        }
        let names: Vec<(Arc<dyn PhysicalExpr>, String)> = scan
            .schema()
            .fields()
            .iter()
            .enumerate()
            .map(|(at, field)| {
                (Arc::new(Column::new(field.name(), at)) as Arc<dyn PhysicalExpr>, field.name().to_lowercase())
            })
            .collect();
        Ok(Arc::new(ProjectionExec::try_new(names, scan)?))
    }
}
