//! Sends the rows of a result as they come, never holding more than a batch and a buffer's worth of packets.

use super::cells::{RowFormat, Rows, plain_arrays};
use super::channel::{Channel, ChannelError};
use super::codec::put_lenenc;
use super::columns::put_column;
use crate::error::EngineError;
use crate::result::ResultSet;
use arrow::array::{ArrayRef, RecordBatch};
use env::rt::CancellationToken;
use futures::StreamExt;
use std::ops::Range;

/// Sends all rows. The outer error is the connection's end; the inner one was the query's, and the client has been
/// told.
///
/// The next batch is asked for when the client has taken most of the one before, so a slow client slows the query. When
/// the client goes away, or `stop` is cancelled, the rest of the rows is not asked for.
pub(crate) async fn send(
    channel: &mut Channel,
    mut result: ResultSet,
    format: RowFormat,
    more_results: bool,
    stop: &CancellationToken,
) -> Result<Result<u64, EngineError>, ChannelError> {
    channel.put(|out| put_lenenc(out, u64::try_from(result.schema.fields().len()).unwrap_or(u64::MAX)));
    for field in result.schema.fields() {
        channel.put(|out| put_column(out, "", field));
    }
    channel.put_end_of_columns(false);
    let mut sent = 0_u64;
    loop {
        let batch = env::select! {
            () = stop.cancelled() => Some(Err(EngineError::interrupted())),
            batch = result.batches.next() => batch,
            () = channel.gone() => return Err(ChannelError::Closed),
        };
        let outcome = match batch {
            None => {
                channel.put_end_of_rows(more_results);
                return Ok(Ok(sent));
            }
            Some(Ok(batch)) => send_batch(channel, &batch, format, stop).await?,
            Some(Err(error)) => Err(error),
        };
        match outcome {
            Ok(rows) => sent += rows,
            Err(error) => {
                channel.put_error(&error);
                return Ok(Err(error));
            }
        }
    }
}

async fn send_batch(
    channel: &mut Channel,
    batch: &RecordBatch,
    format: RowFormat,
    stop: &CancellationToken,
) -> Result<Result<u64, EngineError>, ChannelError> {
    let arrays = match plain_arrays(batch) {
        Ok(arrays) => arrays,
        Err(error) => return Ok(Err(error)),
    };
    let mut row = 0;
    while row < batch.num_rows() {
        if stop.is_cancelled() {
            return Ok(Err(EngineError::interrupted()));
        }
        row = match put_rows(channel, &arrays, row..batch.num_rows(), format) {
            Ok(next) => next,
            Err(error) => return Ok(Err(error)),
        };
        channel.flush_if_full().await?;
    }
    Ok(Ok(u64::try_from(batch.num_rows()).unwrap_or(u64::MAX)))
}

/// Appends rows until a buffer is full and returns the next row to be sent.
fn put_rows(
    channel: &mut Channel,
    arrays: &[ArrayRef],
    range: Range<usize>,
    format: RowFormat,
) -> Result<usize, EngineError> {
    let rows = Rows::new(arrays)?;
    let end = range.end;
    for row in range {
        channel.try_put(|out| rows.put(row, format, out))?;
        if channel.is_full() {
            return Ok(row + 1);
        }
    }
    Ok(end)
}
