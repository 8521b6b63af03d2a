//! Rows as the text protocol shows them, for who prints them without a connection.

use super::cells::{RowFormat, Rows, plain_arrays};
use super::codec::{Fields, TEXT_NULL};
use crate::error::EngineError;
use arrow::array::RecordBatch;

/// The cells of a batch, row by row, as a client sees them; `None` is NULL. Bytes that are not UTF-8 are shown in
/// hexadecimal digits.
///
/// # Errors
/// Internal, when a column has a type that has no text.
pub fn text_rows(batch: &RecordBatch) -> Result<Vec<Vec<Option<String>>>, EngineError> {
    let arrays = plain_arrays(batch)?;
    let rows = Rows::new(&arrays)?;
    let mut packet = Vec::new();
    let mut shown = Vec::with_capacity(batch.num_rows());
    for row in 0..batch.num_rows() {
        packet.clear();
        rows.put(row, RowFormat::Text, &mut packet)?;
        let mut fields = Fields(&packet);
        let cells = (0..arrays.len()).map(|_| cell(&mut fields)).collect::<Result<Vec<_>, _>>()?;
        shown.push(cells);
    }
    Ok(shown)
}

fn cell(fields: &mut Fields<'_>) -> Result<Option<String>, EngineError> {
    if fields.0.first() == Some(&TEXT_NULL) {
        fields.u8().map_err(|_short| EngineError::internal("a row that was just written cannot be read"))?;
        return Ok(None);
    }
    let bytes =
        fields.lenenc_bytes().map_err(|_short| EngineError::internal("a row that was just written cannot be read"))?;
    Ok(Some(match str::from_utf8(bytes) {
        Ok(text) => text.to_owned(),
        Err(_binary) => {
            let digits = bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]);
            digits.filter_map(|digit| char::from_digit(digit.into(), 16)).collect()
        }
    }))
}
