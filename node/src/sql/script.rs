//! A text cut into its statements.

use std::borrow::Cow;
use std::ops::Range;

use super::scan::{Lexeme, Open, Place, Scanner, Unclosed};

/// One statement's share of a script, not parsed yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Piece<'a> {
    /// The statement as written, from its first to its last token, without the semicolon. Comments inside are still there.
    pub text: &'a str,
    /// Where `text` stands in the script, in bytes.
    pub range: Range<usize>,
    /// The line where it begins, from 1.
    pub line: u64,
    /// The column where it begins, in characters from 1.
    pub column: u64,
    /// A semicolon follows.
    pub ended: bool,
    /// What is open at the end of the script; then this is the last piece and cannot be parsed.
    pub unclosed: Option<Unclosed>,
    /// Comments and the like inside `text`, in bytes of the script.
    pub(super) blanks: Vec<Range<usize>>,
    /// Where that which is open begins.
    pub(super) unclosed_at: Place,
}

impl<'a> Piece<'a> {
    /// The text with a space for every character of a comment, so that columns stay what they are.
    pub(super) fn plain(&self) -> Cow<'a, str> {
        if self.blanks.is_empty() {
            return Cow::Borrowed(self.text);
        }
        let mut plain = String::with_capacity(self.text.len());
        let mut copied = 0;
        for blank in &self.blanks {
            let start = blank.start.saturating_sub(self.range.start);
            let end = blank.end.saturating_sub(self.range.start);
            plain.push_str(self.text.get(copied..start).unwrap_or_default());
            let comment = self.text.get(start..end).unwrap_or_default();
            plain.extend(comment.chars().map(|c| if c == '\n' { '\n' } else { ' ' }));
            copied = end;
        }
        plain.push_str(self.text.get(copied..).unwrap_or_default());
        Cow::Owned(plain)
    }

    pub(super) fn place(&self) -> Place {
        Place { line: self.line, column: self.column }
    }
}

/// The statements of a script, one after the other; empty ones are left out.
#[derive(Debug, Clone)]
pub struct Pieces<'a> {
    text: &'a str,
    scanner: Scanner<'a>,
    /// Where the last piece ended, in bytes.
    ended: usize,
    /// How far the place below has been counted, in bytes.
    counted: usize,
    place: Place,
}

/// Cuts a script at its semicolons.
///
/// Costs one pass and makes nothing but the pieces. What stands between two semicolons and is not SQL is a piece like any
/// other; only parsing finds that out.
pub fn split(text: &str) -> Pieces<'_> {
    Pieces { text, scanner: Scanner::new(text, 0), ended: 0, counted: 0, place: Place::START }
}

impl<'a> Pieces<'a> {
    fn piece(&mut self, draft: Draft, ended: bool, open: Option<Open>) -> Option<Piece<'a>> {
        let text = self.text.get(draft.start..draft.end)?;
        self.place = self.place.after(self.text.get(self.counted..draft.start).unwrap_or_default());
        self.counted = draft.start;
        self.ended = draft.end;
        let mut blanks = draft.blanks;
        blanks.retain(|blank| blank.end <= draft.end);
        Some(Piece {
            text,
            range: draft.start..draft.end,
            line: self.place.line,
            column: self.place.column,
            ended,
            unclosed: open.map(|open| open.what),
            blanks,
            unclosed_at: open
                .map_or(Place::START, |open| Place::START.after(self.text.get(..open.start).unwrap_or_default())),
        })
    }
}

/// A piece that is being put together.
struct Draft {
    start: usize,
    end: usize,
    /// Some token is not blank.
    solid: bool,
    blanks: Vec<Range<usize>>,
}

impl<'a> Iterator for Pieces<'a> {
    type Item = Piece<'a>;

    fn next(&mut self) -> Option<Piece<'a>> {
        let mut draft: Option<Draft> = None;
        loop {
            let span = match self.scanner.next() {
                Ok(Some(span)) => span,
                Ok(None) => {
                    let draft = draft.filter(|draft| draft.solid)?;
                    return self.piece(draft, false, None);
                }
                Err(open) => {
                    let draft = Draft {
                        // A `/*!` comment may have begun in a piece before.
                        start: draft.map_or(open.start.max(self.ended), |draft| draft.start),
                        end: self.text.len(),
                        solid: true,
                        blanks: Vec::new(),
                    };
                    return self.piece(draft, false, Some(open));
                }
            };
            match span.lexeme {
                Lexeme::Semicolon => {
                    if let Some(draft) = draft.take().filter(|draft| draft.solid) {
                        return self.piece(draft, true, None);
                    }
                }
                Lexeme::Blank => {
                    // Plain white space needs no blanking; a `/*!` before the first word belongs to the statement's text.
                    let text = self.scanner.text(span);
                    if text.starts_with("/*!") && !text.ends_with("*/") && draft.is_none() {
                        draft = Some(Draft { start: span.start, end: span.end, solid: false, blanks: Vec::new() });
                    }
                    if let Some(draft) = &mut draft
                        && !text.bytes().all(|b| b.is_ascii_whitespace())
                    {
                        draft.blanks.push(span.start..span.end);
                        if text == "*/" {
                            draft.end = span.end;
                        }
                    }
                }
                Lexeme::Text(_)
                | Lexeme::Prefixed
                | Lexeme::QuotedName
                | Lexeme::Word
                | Lexeme::Number
                | Lexeme::Hex
                | Lexeme::Open
                | Lexeme::Close
                | Lexeme::Comma
                | Lexeme::Other => {
                    let draft = draft.get_or_insert(Draft {
                        start: span.start,
                        end: span.end,
                        solid: true,
                        blanks: Vec::new(),
                    });
                    draft.solid = true;
                    draft.end = span.end;
                }
            }
        }
    }
}
