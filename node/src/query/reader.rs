//! Segments as DataFusion's Parquet scan reads them: slices of memory maps, with footers kept between queries.

use bytes::Bytes;
use datafusion::common::{DataFusionError, exec_datafusion_err};
use datafusion::datasource::listing::PartitionedFile;
use datafusion::datasource::physical_plan::ParquetFileReaderFactory;
use datafusion::parquet::arrow::arrow_reader::ArrowReaderOptions;
use datafusion::parquet::arrow::async_reader::AsyncFileReader;
use datafusion::parquet::errors::ParquetError;
use datafusion::parquet::file::metadata::{PageIndexPolicy, ParquetMetaData, ParquetMetaDataReader};
use datafusion::physical_plan::metrics::ExecutionPlanMetricsSet;
use env::disk::Disk;
use futures::FutureExt;
use futures::future::BoxFuture;
use parking_lot::Mutex;
use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;
use tablet::TabletView;

/// Which segment a scanned file is. It travels with the file through DataFusion's plans and keeps the version that the
/// segment belongs to from being reclaimed.
#[derive(Debug, Clone)]
pub(super) struct Source {
    /// Where the segment is.
    pub(super) path: String,
    /// Holds the file.
    pub(super) _view: Arc<TabletView>,
}

/// Bytes of footers kept in memory at most (in each of two generations).
const FOOTER_BYTES_MAX: usize = 64 << 20;

/// Parsed footers by segment path. A segment never changes and its path is never used again, so nothing is invalidated.
#[derive(Debug, Default)]
pub(super) struct Footers(Mutex<Generations>);

/// What was used lately and what was used before: when the young are too many, they become the old and the old go.
#[derive(Debug, Default)]
struct Generations {
    young: BTreeMap<String, Arc<ParquetMetaData>>,
    old: BTreeMap<String, Arc<ParquetMetaData>>,
    young_bytes: usize,
}

impl Footers {
    fn get(&self, path: &str) -> Option<Arc<ParquetMetaData>> {
        let mut kept = self.0.lock();
        if let Some(footer) = kept.young.get(path) {
            return Some(Arc::clone(footer));
        }
        let footer = kept.old.remove(path)?;
        kept.insert(path.to_owned(), Arc::clone(&footer));
        Some(footer)
    }

    fn put(&self, path: &str, footer: &Arc<ParquetMetaData>) {
        self.0.lock().insert(path.to_owned(), Arc::clone(footer));
    }
}

impl Generations {
    fn insert(&mut self, path: String, footer: Arc<ParquetMetaData>) {
        let bytes = footer.memory_size();
        if self.young_bytes.saturating_add(bytes) > FOOTER_BYTES_MAX {
            self.old = std::mem::take(&mut self.young);
            self.young_bytes = 0;
        }
        if self.young.insert(path, footer).is_none() {
            self.young_bytes = self.young_bytes.saturating_add(bytes);
        }
    }
}

/// Makes readers of segments.
#[derive(Debug, Clone)]
pub(super) struct SegmentReaders {
    pub(super) disk: Arc<dyn Disk>,
    pub(super) footers: Arc<Footers>,
}

impl ParquetFileReaderFactory for SegmentReaders {
    fn create_reader(
        &self,
        _partition: usize,
        file: PartitionedFile,
        _metadata_size_hint: Option<usize>,
        _metrics: &ExecutionPlanMetricsSet,
    ) -> datafusion::common::Result<Box<dyn AsyncFileReader + Send>> {
        let source = file
            .extension::<Source>()
            .ok_or_else(|| exec_datafusion_err!("{} is no segment of a tablet", file.path()))?
            .clone();
        let bytes = self.disk.map(&source.path).map_err(|failed| {
            DataFusionError::External(Box::new(std::io::Error::new(
                failed.kind(),
                format!("cannot map segment '{}': {failed}", source.path),
            )))
        })?;
        Ok(Box::new(SegmentReader { source, bytes, footers: Arc::clone(&self.footers) }))
    }
}

/// One segment, open.
struct SegmentReader {
    source: Source,
    bytes: Bytes,
    footers: Arc<Footers>,
}

impl SegmentReader {
    fn slice(&self, range: &Range<u64>) -> Result<Bytes, ParquetError> {
        let beyond = || {
            ParquetError::General(format!(
                "segment '{}' is damaged: it has {} bytes and refers to bytes {} to {}",
                self.source.path,
                self.bytes.len(),
                range.start,
                range.end
            ))
        };
        let (Ok(start), Ok(end)) = (usize::try_from(range.start), usize::try_from(range.end)) else {
            return Err(beyond());
        };
        if start > end || end > self.bytes.len() {
            return Err(beyond());
        }
        Ok(self.bytes.slice(start..end))
    }

    fn footer(&self) -> Result<Arc<ParquetMetaData>, ParquetError> {
        if let Some(footer) = self.footers.get(&self.source.path) {
            return Ok(footer);
        }
        let read = ParquetMetaDataReader::new()
            .with_page_index_policy(PageIndexPolicy::Optional)
            .parse_and_finish(&self.bytes)
            .map_err(|failed| ParquetError::General(format!("segment '{}' is damaged: {failed}", self.source.path)))?;
        let footer = Arc::new(read);
        self.footers.put(&self.source.path, &footer);
        Ok(footer)
    }
}

impl AsyncFileReader for SegmentReader {
    fn get_bytes(&mut self, range: Range<u64>) -> BoxFuture<'_, Result<Bytes, ParquetError>> {
        let slice = self.slice(&range);
        async move { slice }.boxed()
    }

    fn get_metadata<'a>(
        &'a mut self,
        _options: Option<&'a ArrowReaderOptions>,
    ) -> BoxFuture<'a, Result<Arc<ParquetMetaData>, ParquetError>> {
        let footer = self.footer();
        async move { footer }.boxed()
    }
}
