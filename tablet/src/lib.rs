//! The data: columnar tablets.
//!
//! A table's [`Schema`] says which columns of which [`ColumnType`]s it has and what its key means. Rows come in through
//! [`conform`], which casts them strictly to those types, and are spread over partitions and buckets by a [`Router`]. In each
//! tablet they are sorted by key and written as segments, immutable Parquet files that any tool can read.
//! A [`TabletStore`] keeps the versions of the tablets of a node: loads, readers, compactions, pins, backups and restores.

mod batch;
mod datum;
mod error;
mod fingerprint;
#[doc(hidden)]
pub mod fuzzing;
mod image;
mod keys;
mod route;
mod schema;
mod segment;
mod store;
mod types;
mod values;
mod view;

pub use batch::{Conformed, RowError, conform, conform_rows};
pub use datum::{Datum, ValueError};
pub use error::{Error, ErrorKind, Result};
pub use fingerprint::Fingerprint;
pub use image::{
    IMAGE_FORMAT, ImageDeletes, ImageFile, ImagePart, ImageRowset, ImageSegment, TabletImage, TabletImageMeta,
};
pub use keys::{Keys, encode_keys};
pub use route::{Bounds, RouteError, Routed, Router};
pub use schema::{Aggregation, COLUMN_NAME_MAX, COLUMNS_MAX, Column, DefaultValue, KeyModel, Schema, SchemaError};
pub use segment::{
    CompareOp, Compression, Merge, Merged, MergedScan, Origin, Predicate, SEGMENT_FORMAT, SEGMENT_ROWS_MAX,
    SORTED_BATCH_ROWS, ScanBatch, ScanOptions, SegmentMeta, SegmentOptions, SegmentOrigin, SegmentReader, SegmentScan,
    SegmentSource, SegmentWriter, is_plain, merge, merge_segments, plain_schema, row_selection, sort_batches,
    write_plain,
};
pub use store::{
    Compaction, CompactionOptions, CompactionReason, DoomedFile, Mutation, NewTablet, Prepared, ReclaimPlan, Reclaimed,
    StagedFile, StagedTablet, StoreError, StoreOptions, TabletReclaim, TabletStore, Unneeded,
};
pub use types::{CHAR_MAX, ColumnType, DECIMAL_PRECISION_MAX, STRING_MAX, TypeError, VARCHAR_MAX};
pub use view::{GroupScan, PositionScan, Positioned, Scan, SegmentId, SegmentView, TabletView};
