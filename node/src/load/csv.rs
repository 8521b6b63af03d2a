//! Rows of separated fields: bytes as they come in, columns of text as they go out.
//!
//! Separators may be longer than one byte, a field may be enclosed, a byte may be escaped, `\N` on its own is NULL. Nothing
//! is guessed: types are the business of whoever casts the text.

#[cfg(test)]
mod tests;

use crate::stream_load::CsvFormat;
use arrow::array::{ArrayRef, RecordBatch, StringBuilder};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use std::sync::Arc;

/// Rows of one batch.
pub(crate) const BATCH_ROWS: usize = 8192;

/// Bytes of fields after which a batch is full, however few its rows are.
const BATCH_BYTES: usize = 8 << 20;

/// So many bytes of a row that has not ended are looked at again with every piece; a longer one only when it has doubled,
/// or finding out that it does not end would take time with the square of its length.
const LOOK_AGAIN_BYTES: usize = 64 << 10;

/// Longest row in bytes: beyond that a separator is missing or wrong.
const ROW_BYTES_MAX: usize = 128 << 20;

/// Refused rows that are told in words; the others are counted.
const TOLD_MAX: usize = 10;

/// What can be wrong with a whole input.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum CsvError {
    /// No end of the row in sight.
    #[error(
        "row {row} is longer than {ROW_BYTES_MAX} bytes; is the row delimiter right, and every enclosed field closed?"
    )]
    RowTooLong {
        /// Which, from 1, header rows included.
        row: u64,
    },
    /// Arrow refused the columns.
    #[error("rows cannot be held: {0}")]
    Columns(String),
}

/// Why one row is no row of the table.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("row {row}: {problem}")]
pub(crate) struct Refused {
    /// Which, from 1, header rows included.
    pub(crate) row: u64,
    /// What is wrong.
    pub(crate) problem: String,
}

/// Rows that were left out.
#[derive(Debug, Default, Clone)]
pub(crate) struct Refusals {
    /// How many.
    pub(crate) count: u64,
    /// The first of them.
    pub(crate) told: Vec<Refused>,
}

impl Refusals {
    fn add(&mut self, row: u64, problem: String) {
        self.count = self.count.saturating_add(1);
        if self.told.len() < TOLD_MAX {
            self.told.push(Refused { row, problem });
        }
    }
}

/// One field of the row that is being read: where its bytes are, and whether it is NULL.
#[derive(Debug, Clone, Copy)]
struct FieldEnd {
    end: usize,
    null: bool,
}

/// The fields of one row.
#[derive(Debug, Default)]
pub(crate) struct Row {
    bytes: Vec<u8>,
    ends: Vec<FieldEnd>,
    problem: Option<String>,
}

impl Row {
    fn clear(&mut self) {
        self.bytes.clear();
        self.ends.clear();
        self.problem = None;
    }

    /// Number of fields.
    pub(crate) fn len(&self) -> usize {
        self.ends.len()
    }

    /// The fields as text; NULL and what is not UTF-8 are empty.
    #[cfg(not(madsim))]
    pub(crate) fn texts(&self) -> impl Iterator<Item = &str> {
        self.fields().map(|field| field.and_then(|field| std::str::from_utf8(field).ok()).unwrap_or_default())
    }

    fn fields(&self) -> impl Iterator<Item = Option<&[u8]>> {
        let mut start = 0;
        self.ends.iter().map(move |field| {
            let bytes = self.bytes.get(start..field.end);
            start = field.end;
            if field.null { None } else { bytes }
        })
    }
}

/// What a step of the scan came to.
enum Step {
    /// A field ended, and the next one begins at this place.
    Field(usize),
    /// The row ended, and the next one begins at this place.
    Row(usize),
    /// The bytes ended before either.
    More,
}

/// Cuts bytes into rows and rows into fields.
#[derive(Debug)]
pub(crate) struct Splitter {
    format: CsvFormat,
    buffer: Vec<u8>,
    /// Where the next row begins in the buffer.
    at: usize,
    rows: u64,
    /// The row that has not ended is looked at again when so many bytes of it are there.
    wanted: usize,
    /// How often a row was looked at.
    #[cfg(test)]
    scans: u32,
}

impl Splitter {
    pub(crate) fn new(format: CsvFormat) -> Self {
        Self {
            format,
            buffer: Vec::new(),
            at: 0,
            rows: 0,
            wanted: 0,
            #[cfg(test)]
            scans: 0,
        }
    }

    /// Takes more bytes.
    pub(crate) fn push(&mut self, bytes: &[u8]) {
        if self.at > 0 {
            self.buffer.drain(..self.at);
            self.at = 0;
        }
        self.buffer.extend_from_slice(bytes);
    }

    /// Reads the next row, header rows left out; false when more bytes are needed, or at the end.
    ///
    /// # Errors
    /// [`CsvError::RowTooLong`].
    pub(crate) fn next_row(&mut self, row: &mut Row, at_end: bool) -> Result<bool, CsvError> {
        loop {
            let held = self.buffer.len().saturating_sub(self.at);
            if held < self.wanted && !at_end {
                return Ok(false);
            }
            #[cfg(test)]
            {
                self.scans += 1;
            }
            let Some(next) = self.scan(row, at_end) else {
                if held > ROW_BYTES_MAX {
                    return Err(CsvError::RowTooLong { row: self.rows.saturating_add(1) });
                }
                if held >= LOOK_AGAIN_BYTES {
                    self.wanted = held.saturating_mul(2).min(ROW_BYTES_MAX + 1);
                }
                return Ok(false);
            };
            self.wanted = 0;
            let blank = self.is_blank(self.at, next);
            self.at = next;
            self.rows = self.rows.saturating_add(1);
            if self.rows > self.format.skip_header && !blank {
                return Ok(true);
            }
        }
    }

    /// A line with nothing on it, such as files often end with.
    fn is_blank(&self, start: usize, end: usize) -> bool {
        let line = self.buffer.get(start..end).unwrap_or_default();
        let line = line.strip_suffix(self.format.row_delimiter.as_slice()).unwrap_or(line);
        line.is_empty() || line == b"\r"
    }

    /// Where the row after this one begins; `None` when this one has not ended.
    fn scan(&self, row: &mut Row, at_end: bool) -> Option<usize> {
        row.clear();
        let mut at = self.at;
        if at >= self.buffer.len() {
            return None;
        }
        loop {
            match self.field(at, row, at_end) {
                Step::Field(next) => at = next,
                Step::Row(next) => return Some(next),
                Step::More => return None,
            }
        }
    }

    fn field(&self, start: usize, row: &mut Row, at_end: bool) -> Step {
        let mut open = start;
        if self.format.trim_space {
            while self.buffer.get(open) == Some(&b' ') {
                open += 1;
            }
        }
        match self.format.enclose {
            Some(mark) if self.buffer.get(open) == Some(&mark) => self.enclosed(open + 1, mark, row, at_end),
            Some(_) | None => self.plain(start, row, at_end),
        }
    }

    fn plain(&self, start: usize, row: &mut Row, at_end: bool) -> Step {
        let begin = row.bytes.len();
        let (separator, delimiter) = (self.format.column_separator.as_slice(), self.format.row_delimiter.as_slice());
        let longest = separator.len().max(delimiter.len());
        let (first, last) = (separator.first().copied(), delimiter.first().copied());
        let mut at = start;
        // What was looked at and belongs to the field begins here.
        let mut kept = start;
        loop {
            let Some(byte) = self.buffer.get(at).copied() else {
                if !at_end {
                    return Step::More;
                }
                row.bytes.extend_from_slice(self.buffer.get(kept..at).unwrap_or_default());
                self.end_plain(start, at, begin, true, row);
                return Step::Row(at);
            };
            if Some(byte) == first || Some(byte) == last {
                let rest = self.buffer.get(at..).unwrap_or_default();
                let is_separator = rest.starts_with(separator);
                if is_separator || rest.starts_with(delimiter) {
                    row.bytes.extend_from_slice(self.buffer.get(kept..at).unwrap_or_default());
                    self.end_plain(start, at, begin, !is_separator, row);
                    return if is_separator {
                        Step::Field(at + separator.len())
                    } else {
                        Step::Row(at + delimiter.len())
                    };
                }
                // Perhaps the beginning of a separator that is still to come.
                if !at_end && rest.len() < longest {
                    return Step::More;
                }
            }
            if Some(byte) == self.format.escape {
                if at + 1 >= self.buffer.len() && !at_end {
                    return Step::More;
                }
                row.bytes.extend_from_slice(self.buffer.get(kept..at).unwrap_or_default());
                kept = at + 1;
                at += 2;
                at = at.min(self.buffer.len());
                continue;
            }
            at += 1;
        }
    }

    /// Ends a field that is not enclosed and stands at `start..end` in the buffer.
    fn end_plain(&self, start: usize, end: usize, begin: usize, last: bool, row: &mut Row) {
        let raw = self.buffer.get(start..end).unwrap_or_default();
        // A file with DOS line ends, read with the usual delimiter.
        let dos = last && self.format.row_delimiter == b"\n" && row.bytes.len() > begin && raw.ends_with(b"\r");
        let raw = if dos { raw.strip_suffix(b"\r").unwrap_or(raw) } else { raw };
        if dos {
            row.bytes.pop();
        }
        if self.format.trim_space {
            let field = row.bytes.split_off(begin);
            row.bytes.extend_from_slice(trim(&field));
        }
        let null = trim_if(self.format.trim_space, raw) == b"\\N";
        row.ends.push(FieldEnd { end: row.bytes.len(), null });
    }

    /// Reads a field whose opening mark stands before `start`.
    fn enclosed(&self, start: usize, mark: u8, row: &mut Row, at_end: bool) -> Step {
        let mut at = start;
        let mut kept = start;
        loop {
            let Some(byte) = self.buffer.get(at).copied() else {
                if !at_end {
                    return Step::More;
                }
                row.problem.get_or_insert_with(|| "an enclosed field is not closed".to_owned());
                row.ends.push(FieldEnd { end: row.bytes.len(), null: false });
                return Step::Row(self.buffer.len());
            };
            let next = self.buffer.get(at + 1).copied();
            let doubled = byte == mark && next == Some(mark);
            let escaped = Some(byte) == self.format.escape && byte != mark;
            if (byte == mark || escaped) && next.is_none() && !at_end {
                return Step::More;
            }
            if doubled || escaped {
                row.bytes.extend_from_slice(self.buffer.get(kept..at).unwrap_or_default());
                kept = at + 1;
                at = (at + 2).min(self.buffer.len());
                continue;
            }
            if byte == mark {
                row.bytes.extend_from_slice(self.buffer.get(kept..at).unwrap_or_default());
                row.ends.push(FieldEnd { end: row.bytes.len(), null: false });
                return self.behind(at + 1, row, at_end);
            }
            at += 1;
        }
    }

    /// What stands behind the closing mark: a separator, the end of the row, or something that should not be there.
    fn behind(&self, start: usize, row: &mut Row, at_end: bool) -> Step {
        let (separator, delimiter) = (self.format.column_separator.as_slice(), self.format.row_delimiter.as_slice());
        let mut at = start;
        if self.format.trim_space {
            while self.buffer.get(at) == Some(&b' ') {
                at += 1;
            }
        }
        if delimiter == b"\n" && self.buffer.get(at..at + 2) == Some(b"\r\n") {
            at += 1;
        }
        let rest = self.buffer.get(at..).unwrap_or_default();
        if rest.starts_with(separator) {
            return Step::Field(at + separator.len());
        }
        if rest.starts_with(delimiter) {
            return Step::Row(at + delimiter.len());
        }
        if rest.is_empty() && at_end {
            return Step::Row(at);
        }
        if rest.len() <= separator.len().max(delimiter.len()) && !at_end {
            return Step::More;
        }
        row.problem.get_or_insert_with(|| "there is text behind the end of an enclosed field".to_owned());
        // Go on at the next delimiter, so that one bad row does not spoil the rest.
        let end = (at..self.buffer.len())
            .find(|place| self.buffer.get(*place..).is_some_and(|rest| rest.starts_with(delimiter)));
        match end {
            Some(end) => Step::Row(end + delimiter.len()),
            None if at_end => Step::Row(self.buffer.len()),
            None => Step::More,
        }
    }
}

fn trim(field: &[u8]) -> &[u8] {
    let mut field = field;
    while let Some(rest) = field.strip_prefix(b" ") {
        field = rest;
    }
    while let Some(rest) = field.strip_suffix(b" ") {
        field = rest;
    }
    field
}

fn trim_if(wanted: bool, field: &[u8]) -> &[u8] {
    if wanted { trim(field) } else { field }
}

/// Turns bytes into batches of text columns. Rows that cannot be are left out and counted.
#[derive(Debug)]
pub(crate) struct Batches {
    splitter: Splitter,
    schema: SchemaRef,
    builders: Vec<StringBuilder>,
    held: usize,
    held_bytes: usize,
    row: Row,
    /// Rows read, those left out included.
    pub(crate) total: u64,
    /// Rows left out.
    pub(crate) refused: Refusals,
}

impl Batches {
    /// Rows of `names.len()` fields each.
    pub(crate) fn new(format: CsvFormat, names: &[String]) -> Self {
        let fields: Vec<Field> = names.iter().map(|name| Field::new(name, DataType::Utf8, true)).collect();
        Self {
            splitter: Splitter::new(format),
            schema: Arc::new(Schema::new(fields)),
            builders: names.iter().map(|_| StringBuilder::new()).collect(),
            held: 0,
            held_bytes: 0,
            row: Row::default(),
            total: 0,
            refused: Refusals::default(),
        }
    }

    /// Takes bytes and gives the batches that are full; at the end, also what is left.
    ///
    /// # Errors
    /// [`CsvError`].
    pub(crate) fn feed(&mut self, bytes: &[u8], at_end: bool) -> Result<Vec<RecordBatch>, CsvError> {
        self.splitter.push(bytes);
        let mut full = Vec::new();
        let mut row = std::mem::take(&mut self.row);
        while self.splitter.next_row(&mut row, at_end)? {
            self.total = self.total.saturating_add(1);
            if let Err(problem) = self.append(&row) {
                self.refused.add(self.splitter.rows, problem);
                continue;
            }
            self.held += 1;
            self.held_bytes += row.bytes.len();
            if self.held >= BATCH_ROWS || self.held_bytes >= BATCH_BYTES {
                full.push(self.finish()?);
            }
        }
        self.row = row;
        if at_end && self.held > 0 {
            full.push(self.finish()?);
        }
        Ok(full)
    }

    fn append(&mut self, row: &Row) -> Result<(), String> {
        if let Some(problem) = &row.problem {
            return Err(problem.clone());
        }
        if row.len() != self.builders.len() {
            return Err(format!("{} fields where {} are expected", row.len(), self.builders.len()));
        }
        let mut fields = Vec::with_capacity(row.len());
        for (position, field) in row.fields().enumerate() {
            fields.push(match field.map(std::str::from_utf8) {
                None => None,
                Some(Ok(text)) => Some(text),
                Some(Err(wrong)) => return Err(format!("field {} is not UTF-8: {wrong}", position + 1)),
            });
        }
        for (builder, field) in self.builders.iter_mut().zip(fields) {
            builder.append_option(field);
        }
        Ok(())
    }

    fn finish(&mut self) -> Result<RecordBatch, CsvError> {
        self.held = 0;
        self.held_bytes = 0;
        let columns = self.builders.iter_mut().map(|builder| Arc::new(builder.finish()) as ArrayRef).collect();
        RecordBatch::try_new(Arc::clone(&self.schema), columns).map_err(|failed| CsvError::Columns(failed.to_string()))
    }
}
