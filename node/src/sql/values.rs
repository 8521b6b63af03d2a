//! The rows of `INSERT .. VALUES`, kept as text.
//!
//! A syntax tree costs some hundred bytes a value; here a value costs twelve bytes beside its text, and is decoded when it is
//! asked for. Expressions that are not plain literals stay text too, checked once when the statement is parsed.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

/// The rows of `VALUES (..), (..)`: at least one row, all of the same width, at least one value wide.
#[derive(Clone, PartialEq)]
pub struct ValueRows {
    /// The text that all cells point into.
    text: Arc<str>,
    width: usize,
    cells: Arc<[CellSpan]>,
}

/// Where a cell stands in the text, in bytes, and what it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct CellSpan {
    pub(super) start: u32,
    pub(super) len: u32,
    pub(super) kind: CellKind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum CellKind {
    Null,
    Default,
    True,
    False,
    Number,
    /// Between its quotes, escapes and doubled quotes as written.
    Text {
        quote: Quote,
    },
    /// The digits of `X'..'` or `0x..`, an even number of them.
    Hex,
    Expression,
}

/// The quotation mark of a string.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Quote {
    Single,
    Double,
}

impl Quote {
    pub(super) fn mark(self) -> char {
        match self {
            Self::Single => '\'',
            Self::Double => '"',
        }
    }
}

/// One value as it was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Cell<'a> {
    /// `NULL`
    Null,
    /// `DEFAULT`
    Default,
    /// `TRUE`, `FALSE`
    Bool(bool),
    /// A decimal number, perhaps with a minus sign, a point or an exponent; no plus sign, no spaces.
    Number(&'a str),
    /// A string, decoded.
    Text(Cow<'a, str>),
    /// `X'00ff'`, `0x00ff`
    Bytes(Vec<u8>),
    /// Anything else that is an expression; `parse_expression` takes it.
    Expression(&'a str),
}

impl ValueRows {
    /// Rows from cells in row order; the caller has checked that they come out even.
    pub(super) fn new(text: Arc<str>, width: usize, cells: Vec<CellSpan>) -> Self {
        Self { text, width, cells: cells.into() }
    }

    /// Number of rows, at least 1.
    #[expect(clippy::len_without_is_empty, reason = "there is always a row, so the question does not come up")]
    pub fn len(&self) -> usize {
        self.cells.len().checked_div(self.width).unwrap_or(0)
    }

    /// Number of values in each row, at least 1.
    pub fn width(&self) -> usize {
        self.width
    }

    /// The value in a row and column, both from 0; `None` beyond either end.
    pub fn cell(&self, row: usize, column: usize) -> Option<Cell<'_>> {
        if column >= self.width {
            return None;
        }
        let index = row.checked_mul(self.width)?.checked_add(column)?;
        self.cells.get(index).map(|span| self.decode(*span))
    }

    /// Bytes of text that a row's values were written with; none beyond the last row.
    pub(crate) fn text_bytes(&self, row: usize) -> usize {
        let cells = row.checked_mul(self.width).and_then(|first| self.cells.get(first..first.checked_add(self.width)?));
        cells.into_iter().flatten().map(|span| usize::try_from(span.len).unwrap_or(usize::MAX)).sum()
    }

    /// One column's values from the first row to the last; empty beyond the last column.
    pub fn column(&self, column: usize) -> impl Iterator<Item = Cell<'_>> {
        let cells = if column < self.width { self.cells.get(column..).unwrap_or_default() } else { &[] };
        cells.iter().step_by(self.width.max(1)).map(|span| self.decode(*span))
    }

    /// All rows in order, each as an iterator over its values.
    pub fn rows(&self) -> impl Iterator<Item = impl Iterator<Item = Cell<'_>>> {
        self.cells.chunks(self.width.max(1)).map(|row| row.iter().map(|span| self.decode(*span)))
    }

    fn decode(&self, span: CellSpan) -> Cell<'_> {
        let text = self.slice(span);
        match span.kind {
            CellKind::Null => Cell::Null,
            CellKind::Default => Cell::Default,
            CellKind::True => Cell::Bool(true),
            CellKind::False => Cell::Bool(false),
            CellKind::Number => Cell::Number(text),
            CellKind::Text { quote } => Cell::Text(unescape(text, quote)),
            CellKind::Hex => Cell::Bytes(unhex(text)),
            CellKind::Expression => Cell::Expression(text),
        }
    }

    fn slice(&self, span: CellSpan) -> &str {
        let (Ok(start), Ok(len)) = (usize::try_from(span.start), usize::try_from(span.len)) else {
            return "";
        };
        self.text.get(start..start.saturating_add(len)).unwrap_or_default()
    }
}

impl fmt::Debug for ValueRows {
    /// Only the size: a statement of 100,000 rows must not flood a log.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ValueRows({} rows of {})", self.len(), self.width)
    }
}

/// What a string means: MySQL's backslash escapes, and two quotation marks for one.
///
/// `\%` and `\_` keep their backslash, since LIKE gives it its meaning.
pub(super) fn unescape(text: &str, quote: Quote) -> Cow<'_, str> {
    let mark = quote.mark();
    if !text.contains(['\\', mark]) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        if c == mark {
            // The first of two: the scanner lets no single one pass.
            chars.next();
            out.push(c);
        } else if c == '\\' {
            match chars.next() {
                Some('0') => out.push('\0'),
                Some('a') => out.push('\u{7}'),
                Some('b') => out.push('\u{8}'),
                Some('f') => out.push('\u{c}'),
                Some('n') => out.push('\n'),
                Some('r') => out.push('\r'),
                Some('t') => out.push('\t'),
                Some('Z') => out.push('\u{1a}'),
                Some(wildcard @ ('%' | '_')) => {
                    out.push('\\');
                    out.push(wildcard);
                }
                Some(other) => out.push(other),
                None => {}
            }
        } else {
            out.push(c);
        }
    }
    Cow::Owned(out)
}

/// Bytes from an even number of hexadecimal digits.
fn unhex(digits: &str) -> Vec<u8> {
    digits
        .as_bytes()
        .chunks(2)
        .map(|pair| {
            pair.iter().fold(0_u8, |byte, digit| {
                let value = char::from(*digit).to_digit(16).unwrap_or(0);
                (byte << 4) | u8::try_from(value).unwrap_or(0)
            })
        })
        .collect()
}
