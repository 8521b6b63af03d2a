//! What a statement gives back: a count, or rows as a stream of Arrow batches.

use crate::error::EngineError;
use arrow::array::{ArrayRef, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use futures::StreamExt;
use futures::stream::{self, BoxStream};
use std::fmt;
use std::sync::Arc;

/// The result of one statement.
#[derive(Debug)]
pub enum Outcome {
    /// Done; no rows to show.
    Done {
        /// Rows inserted, changed or deleted.
        affected: u64,
        /// Shown by clients below the count; may be empty.
        info: String,
    },
    /// Rows to show.
    Rows(ResultSet),
}

impl Outcome {
    /// Done, nothing counted.
    pub fn ok() -> Self {
        Self::affected(0)
    }

    /// Done, `rows` touched.
    pub fn affected(rows: u64) -> Self {
        Self::Done { affected: rows, info: String::new() }
    }
}

/// Rows of a statement. Whoever reads them pulls batch by batch, so a slow reader slows the query down; dropping it
/// ends the query.
pub struct ResultSet {
    /// Names and types of the columns, also when there are no rows.
    pub schema: SchemaRef,
    /// The rows; each batch has `schema`. After an error nothing follows.
    pub batches: BoxStream<'static, Result<RecordBatch, EngineError>>,
}

impl fmt::Debug for ResultSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResultSet").field("schema", &self.schema).finish_non_exhaustive()
    }
}

impl ResultSet {
    /// Rows that are in memory already.
    pub fn from_batches(schema: SchemaRef, batches: Vec<RecordBatch>) -> Self {
        Self { schema, batches: stream::iter(batches.into_iter().map(Ok)).boxed() }
    }

    /// One batch of rows.
    pub fn from_batch(batch: RecordBatch) -> Self {
        Self::from_batches(batch.schema(), vec![batch])
    }

    /// Rows of nullable text, as the SHOW statements give them. A row that is shorter than `columns` is filled with
    /// NULL, a longer one is cut.
    ///
    /// # Errors
    /// Internal, when Arrow refuses the arrays.
    pub fn from_text<C: AsRef<str>>(columns: &[C], rows: &[Vec<Option<String>>]) -> Result<Self, EngineError> {
        let fields: Vec<Field> = columns.iter().map(|name| Field::new(name.as_ref(), DataType::Utf8, true)).collect();
        let arrays: Vec<ArrayRef> = (0..columns.len())
            .map(|column| {
                let values = rows.iter().map(|row| row.get(column).and_then(Option::as_deref));
                Arc::new(values.collect::<StringArray>()) as ArrayRef
            })
            .collect();
        let schema = Arc::new(Schema::new(fields));
        if columns.is_empty() {
            return Ok(Self::from_batches(schema, Vec::new()));
        }
        let batch = RecordBatch::try_new(Arc::clone(&schema), arrays)
            .map_err(|error| EngineError::internal(error.to_string()))?;
        Ok(Self::from_batches(schema, vec![batch]))
    }

    /// All rows at once: for small results, such as those of SHOW, and for tests.
    ///
    /// # Errors
    /// The first error of the stream.
    pub async fn collect(mut self) -> Result<Vec<RecordBatch>, EngineError> {
        let mut batches = Vec::new();
        while let Some(batch) = self.batches.next().await {
            batches.push(batch?);
        }
        Ok(batches)
    }
}
