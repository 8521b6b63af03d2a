//! Where tokens begin and end, without making any.
//!
//! Three things need that before `sqlparser` sees a text: cutting a script into statements, taking comments out (those of the
//! kind `/*!40101 .. */` hold text that counts), and walking the rows of VALUES. What ends a string or a comment is decided
//! here alone, since the text that goes on has none but strings that both sides read alike.

use super::values::Quote;

/// The newest MySQL version whose `/*!version .. */` comments are read as text.
const VERSION: u32 = 80_033;

/// What a stretch of text is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Lexeme {
    /// White space, a comment, or the start or end of a `/*! .. */` comment.
    Blank,
    /// A string with its quotation marks.
    Text(Quote),
    /// A string after one letter: `X'..'`, `B'..'`, `N'..'`.
    Prefixed,
    /// A name in back quotes.
    QuotedName,
    /// A word, also one that begins with a digit.
    Word,
    /// A decimal number without a sign.
    Number,
    /// `0x` and hexadecimal digits.
    Hex,
    /// `;`
    Semicolon,
    /// `(`
    Open,
    /// `)`
    Close,
    /// `,`
    Comma,
    /// Any other single character.
    Other,
}

/// A stretch of text, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Span {
    pub(super) lexeme: Lexeme,
    pub(super) start: usize,
    pub(super) end: usize,
}

/// What was still open when the text ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Unclosed {
    /// A string in single quotation marks.
    SingleQuoted,
    /// A string in double quotation marks.
    DoubleQuoted,
    /// A name in back quotes.
    BackQuoted,
    /// A comment.
    Comment,
}

impl Unclosed {
    /// What it is called in a message.
    pub(super) fn describe(self) -> &'static str {
        match self {
            Self::SingleQuoted => "a string that begins with ' is not closed",
            Self::DoubleQuoted => "a string that begins with \" is not closed",
            Self::BackQuoted => "a name that begins with ` is not closed",
            Self::Comment => "a comment that begins with /* is not closed",
        }
    }
}

/// Walks through a text from a byte offset.
#[derive(Debug, Clone)]
pub(super) struct Scanner<'a> {
    bytes: &'a [u8],
    text: &'a str,
    at: usize,
    /// Where the `/*!` comment began whose text is being read.
    conditional: Option<usize>,
}

/// Something open at the end of the text, and where it begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Open {
    pub(super) what: Unclosed,
    pub(super) start: usize,
}

impl<'a> Scanner<'a> {
    /// A scanner at a byte offset, which must be at the start of a character and outside strings and comments.
    pub(super) fn new(text: &'a str, at: usize) -> Self {
        Self { bytes: text.as_bytes(), text, at, conditional: None }
    }

    /// The next stretch, of any kind; `None` at the end.
    ///
    /// # Errors
    /// Something is not closed. The scanner is at the end then.
    pub(super) fn next(&mut self) -> Result<Option<Span>, Open> {
        let start = self.at;
        let Some(first) = self.peek(0) else {
            return match self.conditional.take() {
                Some(start) => Err(Open { what: Unclosed::Comment, start }),
                None => Ok(None),
            };
        };
        let lexeme = match first {
            b' ' | b'\t' | b'\r' | b'\n' | 0x0b | 0x0c => {
                self.skip_while(|b| matches!(b, b' ' | b'\t' | b'\r' | b'\n' | 0x0b | 0x0c));
                Lexeme::Blank
            }
            b'\'' => self.string(Quote::Single, 0, true)?,
            b'"' => self.string(Quote::Double, 0, true)?,
            b'`' => self.quoted_name()?,
            b'#' => self.line_comment(),
            b'-' if self.peek(1) == Some(b'-') && self.peek(2).is_none_or(|b| b.is_ascii_whitespace()) => {
                self.line_comment()
            }
            b'/' if self.peek(1) == Some(b'*') => self.block_comment()?,
            b'*' if self.conditional.is_some() && self.peek(1) == Some(b'/') => {
                self.conditional = None;
                self.at += 2;
                Lexeme::Blank
            }
            b'0'..=b'9' => self.number(),
            b'.' if self.peek(1).is_some_and(|b| b.is_ascii_digit()) => self.number(),
            b';' => self.single(Lexeme::Semicolon),
            b'(' => self.single(Lexeme::Open),
            b')' => self.single(Lexeme::Close),
            b',' => self.single(Lexeme::Comma),
            b'b' | b'B' if matches!(self.peek(1), Some(b'\'' | b'"')) => {
                let quote = if self.peek(1) == Some(b'"') { Quote::Double } else { Quote::Single };
                self.string(quote, 1, false)?;
                Lexeme::Prefixed
            }
            b'x' | b'X' | b'n' | b'N' if self.peek(1) == Some(b'\'') => {
                self.string(Quote::Single, 1, true)?;
                Lexeme::Prefixed
            }
            b if b.is_ascii_alphabetic() || matches!(b, b'_' | b'$' | b'@') => self.word(),
            b if b.is_ascii() => self.single(Lexeme::Other),
            _ => self.not_ascii(),
        };
        Ok(Some(Span { lexeme, start, end: self.at }))
    }

    /// The next stretch that is not blank.
    ///
    /// # Errors
    /// As for `next`.
    pub(super) fn next_solid(&mut self) -> Result<Option<Span>, Open> {
        loop {
            match self.next()? {
                Some(span) if span.lexeme == Lexeme::Blank => {}
                other => return Ok(other),
            }
        }
    }

    /// The text of a stretch.
    pub(super) fn text(&self, span: Span) -> &'a str {
        self.text.get(span.start..span.end).unwrap_or_default()
    }

    fn peek(&self, ahead: usize) -> Option<u8> {
        self.bytes.get(self.at.checked_add(ahead)?).copied()
    }

    fn skip_while(&mut self, accept: impl Fn(u8) -> bool) {
        while self.peek(0).is_some_and(&accept) {
            self.at += 1;
        }
    }

    fn single(&mut self, lexeme: Lexeme) -> Lexeme {
        self.at += 1;
        lexeme
    }

    /// A string whose quotation mark is `before` bytes on.
    fn string(&mut self, quote: Quote, before: usize, backslash: bool) -> Result<Lexeme, Open> {
        let start = self.at;
        let (mark, what) = match quote {
            Quote::Single => (b'\'', Unclosed::SingleQuoted),
            Quote::Double => (b'"', Unclosed::DoubleQuoted),
        };
        self.at += before + 1;
        loop {
            match self.peek(0) {
                None => return Err(self.unclosed(what, start)),
                Some(b'\\') if backslash => self.at += 2,
                Some(b) if b == mark => {
                    self.at += 1;
                    if self.peek(0) != Some(mark) {
                        return Ok(Lexeme::Text(quote));
                    }
                    self.at += 1;
                }
                Some(_) => self.at += 1,
            }
        }
    }

    fn quoted_name(&mut self) -> Result<Lexeme, Open> {
        let start = self.at;
        self.at += 1;
        loop {
            match self.peek(0) {
                None => return Err(self.unclosed(Unclosed::BackQuoted, start)),
                Some(b'`') => {
                    self.at += 1;
                    if self.peek(0) != Some(b'`') {
                        return Ok(Lexeme::QuotedName);
                    }
                    self.at += 1;
                }
                Some(_) => self.at += 1,
            }
        }
    }

    fn line_comment(&mut self) -> Lexeme {
        self.skip_while(|b| b != b'\n');
        Lexeme::Blank
    }

    fn block_comment(&mut self) -> Result<Lexeme, Open> {
        let start = self.at;
        if self.peek(2) == Some(b'!') && self.conditional.is_none() {
            let digits = (0..6).take_while(|n| self.peek(3 + n).is_some_and(|b| b.is_ascii_digit())).count();
            let version =
                self.text.get(start + 3..start + 3 + digits).and_then(|text| text.parse::<u32>().ok()).unwrap_or(0);
            // Fewer than five digits are no version but the comment's text.
            let digits = if digits < 5 { 0 } else { digits };
            if digits == 0 || version <= VERSION {
                self.conditional = Some(start);
                self.at += 3 + digits;
                return Ok(Lexeme::Blank);
            }
        }
        self.at += 2;
        loop {
            match self.peek(0) {
                None => return Err(self.unclosed(Unclosed::Comment, start)),
                Some(b'*') if self.peek(1) == Some(b'/') => {
                    self.at += 2;
                    return Ok(Lexeme::Blank);
                }
                Some(_) => self.at += 1,
            }
        }
    }

    fn number(&mut self) -> Lexeme {
        if self.peek(0) == Some(b'0')
            && self.peek(1) == Some(b'x')
            && self.peek(2).is_some_and(|b| b.is_ascii_hexdigit())
        {
            self.at += 2;
            self.skip_while(|b| b.is_ascii_hexdigit());
            return Lexeme::Hex;
        }
        self.skip_while(|b| b.is_ascii_digit());
        if self.peek(0) == Some(b'.') {
            self.at += 1;
            self.skip_while(|b| b.is_ascii_digit());
        }
        if matches!(self.peek(0), Some(b'e' | b'E')) {
            let sign = usize::from(matches!(self.peek(1), Some(b'+' | b'-')));
            if self.peek(1 + sign).is_some_and(|b| b.is_ascii_digit()) {
                self.at += 1 + sign;
                self.skip_while(|b| b.is_ascii_digit());
                return Lexeme::Number;
            }
        }
        let number_ends = self.at;
        self.word();
        if self.at == number_ends { Lexeme::Number } else { Lexeme::Word }
    }

    fn word(&mut self) -> Lexeme {
        while let Some(b) = self.peek(0) {
            if b.is_ascii_alphanumeric() || matches!(b, b'_' | b'$' | b'@') {
                self.at += 1;
            } else if b.is_ascii() {
                break;
            } else {
                match self.character() {
                    Some(c) if !is_blank(c) => self.at += c.len_utf8(),
                    _ => break,
                }
            }
        }
        Lexeme::Word
    }

    /// Unusual white space, or a word that begins with a letter beyond ASCII.
    fn not_ascii(&mut self) -> Lexeme {
        match self.character() {
            Some(c) if is_blank(c) => {
                self.at += c.len_utf8();
                Lexeme::Blank
            }
            Some(c) => {
                self.at += c.len_utf8();
                self.word()
            }
            // Inside a character: only after a wrong starting offset.
            None => self.single(Lexeme::Other),
        }
    }

    fn character(&self) -> Option<char> {
        self.text.get(self.at..)?.chars().next()
    }

    fn unclosed(&mut self, what: Unclosed, start: usize) -> Open {
        self.at = self.bytes.len();
        self.conditional = None;
        Open { what, start }
    }
}

/// Unicode white space, and the byte order mark that some editors put first.
fn is_blank(c: char) -> bool {
    c.is_whitespace() || c == '\u{feff}'
}

/// Line and column, counted in characters from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) line: u64,
    pub(super) column: u64,
}

impl Place {
    pub(super) const START: Self = Self { line: 1, column: 1 };

    /// The place after `text`, which begins at this place.
    #[must_use]
    pub(super) fn after(self, text: &str) -> Self {
        text.chars().fold(self, |place, c| {
            if c == '\n' {
                Self { line: place.line + 1, column: 1 }
            } else {
                Self { line: place.line, column: place.column + 1 }
            }
        })
    }
}
