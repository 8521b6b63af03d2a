//! One table at one revision, as DataFusion scans it.
//!
//! Queries see column names in lower case: the rewriting of the statement puts every name into lower case too, which makes
//! names of columns the same whatever their capitals. The name as its owner wrote it travels in the field's metadata and is
//! put back into results.

use super::merging::{Group, MergedScan};
use super::prune::Pruner;
use super::reader::{SegmentReaders, Source};
use crate::engine::views::TableViews;
use crate::error::EngineError;
use arrow::datatypes::{DataType, Field, Schema as ArrowSchema, SchemaRef};
use async_trait::async_trait;
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::stats::Precision;
use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode};
use datafusion::common::{DFSchema, DataFusionError, Result, ScalarValue, Statistics};
use datafusion::datasource::TableType;
use datafusion::datasource::listing::PartitionedFile;
use datafusion::datasource::object_store::ObjectStoreUrl;
use datafusion::datasource::physical_plan::{FileGroup, FileScanConfigBuilder, ParquetSource};
use datafusion::datasource::source::DataSourceExec;
use datafusion::datasource::table_schema::TableSchema;
use datafusion::logical_expr::{Expr, TableProviderFilterPushDown};
use datafusion::parquet::arrow::RowNumber;
use datafusion::physical_expr::expressions::Column;
use datafusion::physical_expr::{PhysicalExpr, conjunction};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::projection::ProjectionExec;
use datafusion::physical_plan::union::UnionExec;
use datafusion_datasource_parquet::ParquetRowSelection;
use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use tablet::{TabletView, row_selection};

/// The key of a field's metadata under which the column's name stands as its owner wrote it.
pub(super) const NAME_AS_WRITTEN: &str = "tabularium.name";

/// The column of a scan for changes that says which file a row is in: an index of [`TabletTable::places`].
pub(super) const FILE_COLUMN: &str = "__tabularium_file";

/// The column of a scan for changes that says where in its file a row is.
pub(super) const ROW_COLUMN: &str = "__tabularium_row";

/// A segment of a table at the version that is read.
#[derive(Debug, Clone)]
pub(crate) struct Place {
    /// Position of the partition in the table.
    pub(crate) partition: usize,
    /// Its bucket.
    pub(crate) bucket: usize,
    /// Position of the segment in the tablet's view.
    pub(crate) segment: usize,
    /// The tablet.
    pub(crate) view: Arc<TabletView>,
}

/// A table as DataFusion scans it.
#[derive(Debug)]
pub(crate) struct TabletTable {
    views: Arc<TableViews>,
    readers: SegmentReaders,
    /// The table's columns in lower case, and for changes the two columns that say where a row is.
    exposed: SchemaRef,
    /// What the files have, with the table's own spelling of names.
    columns: TableSchema,
    /// Whether a spelling differs from lower case.
    renamed: bool,
    places: Vec<Place>,
    /// The segments that are merged with others; a scan for changes takes all as they are.
    groups: Vec<Group>,
    /// Which of `places` are in `groups`.
    grouped: BTreeSet<usize>,
    for_changes: bool,
    only: Option<Vec<String>>,
}

impl TabletTable {
    pub(super) fn new(views: Arc<TableViews>, readers: SegmentReaders) -> Self {
        Self::build(views, readers, false, None)
    }

    /// Only these of its partitions.
    pub(super) fn some_partitions(views: Arc<TableViews>, readers: SegmentReaders, only: Vec<String>) -> Self {
        Self::build(views, readers, false, Some(only))
    }

    /// With the two further columns that say where each row is; `only` limits it to these partitions.
    pub(super) fn for_changes(views: Arc<TableViews>, readers: SegmentReaders, only: Option<Vec<String>>) -> Self {
        Self::build(views, readers, true, only)
    }

    fn build(views: Arc<TableViews>, readers: SegmentReaders, for_changes: bool, only: Option<Vec<String>>) -> Self {
        let own = views.schema.arrow();
        let renamed = own.fields().iter().any(|field| field.name().to_lowercase() != *field.name());
        let stored: SchemaRef = if renamed {
            let fields: Vec<Field> = own.fields().iter().map(|field| with_name(field)).collect();
            Arc::new(ArrowSchema::new(fields))
        } else {
            own
        };
        let mut columns = TableSchema::builder(Arc::clone(&stored));
        if for_changes {
            columns = columns
                .with_table_partition_cols(vec![Arc::new(Field::new(FILE_COLUMN, DataType::UInt64, false))])
                .with_virtual_columns(vec![Arc::new(
                    Field::new(ROW_COLUMN, DataType::Int64, false).with_extension_type(RowNumber),
                )]);
        }
        let columns = columns.build();
        let fields: Vec<Field> = columns
            .table_schema()
            .fields()
            .iter()
            .map(|field| field.as_ref().clone().with_name(field.name().to_lowercase()))
            .collect();
        let places = places(&views);
        let groups = if for_changes { Vec::new() } else { Group::of(&views) };
        let of_group: BTreeSet<(usize, usize, usize)> = groups
            .iter()
            .flat_map(|group| group.segments.iter().map(|segment| (group.partition, group.bucket, *segment)))
            .collect();
        let grouped = places.iter().enumerate();
        let grouped = grouped.filter(|(_, place)| of_group.contains(&(place.partition, place.bucket, place.segment)));
        Self {
            grouped: grouped.map(|(at, _)| at).collect(),
            groups,
            exposed: Arc::new(ArrowSchema::new(fields)),
            columns,
            renamed,
            places,
            views,
            readers,
            for_changes,
            only,
        }
    }

    /// Every segment, in the order that [`FILE_COLUMN`] counts.
    pub(crate) fn places(&self) -> &[Place] {
        &self.places
    }

    /// What is read.
    pub(crate) fn views(&self) -> &Arc<TableViews> {
        &self.views
    }

    fn file(&self, index: usize, place: &Place) -> Option<(PartitionedFile, u64)> {
        let segment = place.view.segments().get(place.segment)?;
        let live = segment.live_rows();
        if live == 0 {
            return None;
        }
        let mut file = PartitionedFile::new(segment.path.clone(), segment.len_bytes)
            .with_extension(Source { path: segment.path.clone(), _view: Arc::clone(&place.view) });
        if let Some(deletes) = &segment.deletes {
            file = file.with_extension(ParquetRowSelection::new(row_selection(segment.rows, deletes)));
        }
        if self.for_changes {
            file = file.with_partition_values(vec![ScalarValue::UInt64(Some(index as u64))]);
        }
        Some((file, live))
    }

    /// A DELETE from a Unique Key or Aggregate Key table takes rows as they lie in the segments: all of a key, or none. So
    /// it can tell them by their keys only.
    fn check_change(&self, projection: Option<&Vec<usize>>) -> Result<(), EngineError> {
        let schema = &self.views.schema;
        if !self.for_changes || !schema.model().merges_on_read() {
            return Ok(());
        }
        let values = schema.columns().iter().enumerate().skip(schema.key_len());
        let mut values = values.filter(|(at, _)| projection.is_none_or(|columns| columns.contains(at)));
        let Some((_, column)) = values.next() else { return Ok(()) };
        let keys: Vec<&str> = schema.key_columns().iter().map(|column| column.name.as_str()).collect();
        Err(EngineError::unsupported(format!(
            "rows of '{}', which is {} table, can be deleted by conditions on its key columns only ({}); '{}' is a \
             value column; a subquery can choose keys by it",
            self.views.record.name,
            schema.model().with_article(),
            keys.join(", "),
            column.name
        )))
    }

    /// The filter's columns under the names that the files have.
    fn stored_names(&self, filter: Arc<dyn PhysicalExpr>) -> Result<Arc<dyn PhysicalExpr>> {
        if !self.renamed {
            return Ok(filter);
        }
        filter
            .transform(|expr| {
                let Some(column) = expr.downcast_ref::<Column>() else { return Ok(Transformed::no(expr)) };
                let stored = self.columns.table_schema().fields().get(column.index());
                let Some(stored) = stored else { return Ok(Transformed::no(expr)) };
                let column = Column::new(stored.name(), column.index());
                Ok(Transformed::yes(Arc::new(column) as Arc<dyn PhysicalExpr>))
            })
            .data()
    }
}

fn with_name(field: &Field) -> Field {
    let name = HashMap::from([(NAME_AS_WRITTEN.to_owned(), field.name().clone())]);
    field.clone().with_metadata(name)
}

fn places(views: &TableViews) -> Vec<Place> {
    let mut places = Vec::new();
    for (partition, part) in views.partitions.iter().enumerate() {
        for (bucket, view) in part.tablets.iter().enumerate() {
            for segment in 0..view.segments().len() {
                places.push(Place { partition, bucket, segment, view: Arc::clone(view) });
            }
        }
    }
    places
}

/// Spreads files over at most `many` groups of about the same number of bytes.
fn spread(mut files: Vec<PartitionedFile>, many: usize) -> Vec<FileGroup> {
    let many = many.clamp(1, files.len().max(1));
    files.sort_by_key(|file| std::cmp::Reverse(file.object_meta.size));
    let mut groups: Vec<(u64, Vec<PartitionedFile>)> = (0..many).map(|_| (0, Vec::new())).collect();
    for file in files {
        if let Some(least) = groups.iter_mut().min_by_key(|(bytes, _)| *bytes) {
            least.0 = least.0.saturating_add(file.object_meta.size.max(1));
            least.1.push(file);
        }
    }
    groups.into_iter().map(|(_, files)| FileGroup::new(files)).collect()
}

#[async_trait]
impl TableProvider for TabletTable {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.exposed)
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    fn supports_filters_pushdown(&self, filters: &[&Expr]) -> Result<Vec<TableProviderFilterPushDown>> {
        // They only spare reading: the rows that come back are still filtered above.
        Ok(vec![TableProviderFilterPushDown::Inexact; filters.len()])
    }

    async fn scan(
        &self,
        session: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        self.check_change(projection).map_err(|failed| DataFusionError::External(Box::new(failed)))?;
        let exposed = DFSchema::try_from(Arc::clone(&self.exposed))?;
        // One that cannot be evaluated here is evaluated above.
        let filters: Vec<Arc<dyn PhysicalExpr>> =
            filters.iter().filter_map(|filter| session.create_physical_expr(filter.clone(), &exposed).ok()).collect();
        let filter = (!filters.is_empty()).then(|| conjunction(filters));
        let pruner = Pruner::new(&self.views, &self.exposed, filter.as_ref(), self.only.as_deref());
        let mut files = Vec::new();
        let mut live: u64 = 0;
        for (index, place) in self.places.iter().enumerate() {
            if self.grouped.contains(&index) || !pruner.keeps(place.partition, place.bucket) {
                continue;
            }
            if let Some((file, rows)) = self.file(index, place) {
                files.push(file);
                live = live.saturating_add(rows);
            }
        }
        let merged = self.groups.iter().filter(|group| pruner.keeps(group.partition, group.bucket));
        let merged: Vec<Group> = merged.cloned().collect();
        let many = session.config().target_partitions();
        if merged.is_empty() {
            return self.files(files, live, filter, projection, limit, many);
        }
        let scan = MergedScan::new(&self.views.schema, &self.exposed, projection, filter.as_ref())?;
        let scan = scan.plan(merged, many, limit)?;
        if files.is_empty() {
            return Ok(scan);
        }
        UnionExec::try_new(vec![self.files(files, live, filter, projection, limit, many)?, scan])
    }
}

impl TabletTable {
    /// Reads segments as the Parquet files that they are; `live` are their rows.
    fn files(
        &self,
        files: Vec<PartitionedFile>,
        live: u64,
        filter: Option<Arc<dyn PhysicalExpr>>,
        projection: Option<&Vec<usize>>,
        limit: Option<usize>,
        many: usize,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let mut source = ParquetSource::new(self.columns.clone())
            .with_parquet_file_reader_factory(Arc::new(self.readers.clone()))
            .with_enable_page_index(true);
        if let Some(filter) = filter {
            source = source.with_predicate(self.stored_names(filter)?);
        }
        let mut statistics = Statistics::new_unknown(self.columns.table_schema());
        statistics.num_rows = Precision::Exact(usize::try_from(live).unwrap_or(usize::MAX));
        let groups = spread(files, many);
        let config = FileScanConfigBuilder::new(ObjectStoreUrl::local_filesystem(), Arc::new(source))
            .with_file_groups(groups)
            .with_limit(limit)
            .with_statistics(statistics)
            .with_projection_indices(projection.cloned())?
            .build();
        let scan: Arc<dyn ExecutionPlan> = DataSourceExec::from_data_source(config);
        if !self.renamed {
            return Ok(scan);
        }
        let stored = scan.schema();
        let names = stored.fields().iter().enumerate().map(|(at, field)| {
            let column: Arc<dyn PhysicalExpr> = Arc::new(Column::new(field.name(), at));
            (column, field.name().to_lowercase())
        });
        let names: Vec<(Arc<dyn PhysicalExpr>, String)> = names.collect();
        Ok(Arc::new(ProjectionExec::try_new(names, scan)?))
    }
}
