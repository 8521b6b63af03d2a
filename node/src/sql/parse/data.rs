//! INSERT, UPDATE and DELETE.

use std::collections::BTreeSet;
use std::sync::Arc;

use sqlparser::tokenizer::Token;

use crate::sql::cursor::{Cursor, Parsed, Rows, shorten};
use crate::sql::error::SqlError;
use crate::sql::names::NameKind;
use crate::sql::scan::{Lexeme, Open, Place, Scanner, Span};
use crate::sql::statement::{AssignedValue, Assignment, Delete, Insert, InsertSource, ObjectName, Statement, Update};
use crate::sql::values::{CellKind, CellSpan, ValueRows};

impl Cursor<'_> {
    /// `INSERT INTO ..`
    pub(in crate::sql) fn insert(&mut self) -> Parsed<Statement> {
        self.skip();
        if self.is("OVERWRITE") {
            return Err(self
                .unsupported("INSERT OVERWRITE is not supported")
                .hint("use TRUNCATE TABLE and then INSERT INTO"));
        }
        if self.is("IGNORE") || self.is("LOW_PRIORITY") || self.is("DELAYED") {
            return Err(self.unsupported("INSERT takes no modifier"));
        }
        self.want(&["INTO"])?;
        self.eat(&["TABLE"]);
        if self.is("FILES") && self.is_token_at(1, &Token::LParen) {
            return Err(self.unsupported("writing to files is not supported"));
        }
        let table = self.object(NameKind::Table)?;
        let partitions = self.partition_names()?;
        let mut label = None;
        let mut columns = None;
        loop {
            let labelled = self.is("WITH")
                && self.is_at(1, "LABEL")
                && !self.is_at(2, "AS")
                && !self.is_token_at(2, &Token::LParen);
            if labelled && label.is_none() {
                self.want(&["WITH", "LABEL"])?;
                label = Some(self.new_name(NameKind::LoadLabel)?);
            } else if columns.is_none() && self.is_token(&Token::LParen) && !self.is_subquery() {
                columns = Some(self.names(NameKind::Column)?);
            } else {
                break;
            }
        }
        let properties = self.properties()?;
        if self.is("SET") {
            return Err(self
                .unsupported("INSERT .. SET is not supported")
                .hint("write INSERT INTO t (columns) VALUES (..)"));
        }
        let source = if let Some(rows) = self.take_rows() {
            let width = columns.as_ref().map(Vec::len);
            InsertSource::Values(value_rows(rows, width)?)
        } else if self.is_token(&Token::LParen) || ["SELECT", "WITH", "TABLE"].iter().any(|word| self.is(word)) {
            InsertSource::Query(self.query()?)
        } else {
            return Err(self.expected("VALUES or SELECT"));
        };
        Ok(Statement::Insert(Box::new(Insert { table, partitions, label, columns, properties, source })))
    }

    /// Whether the parenthesis that comes next begins a query rather than a list of columns.
    fn is_subquery(&self) -> bool {
        self.is_token_at(1, &Token::LParen)
            || ["SELECT", "WITH", "VALUES", "TABLE"].iter().any(|word| self.is_at(1, word))
    }

    /// `UPDATE ..`
    pub(in crate::sql) fn update(&mut self) -> Parsed<Statement> {
        self.skip();
        let (table, alias) = self.target("SET")?;
        self.want(&["SET"])?;
        let mut seen = BTreeSet::new();
        let assignments = self.list(|cursor| {
            let at = cursor.here();
            let column = cursor.assigned_column(&table, alias.as_deref())?;
            if !seen.insert(column.to_lowercase()) {
                return Err(SqlError::syntax(format!("column {column} is set twice"), at.line, at.column));
            }
            cursor.want_token(&Token::Eq)?;
            if cursor.is("WHERE") {
                return Err(cursor.expected("a value"));
            }
            let plain_default = cursor.is("DEFAULT") && !cursor.is_token_at(1, &Token::LParen);
            let value = if plain_default {
                cursor.skip();
                AssignedValue::Default
            } else {
                AssignedValue::Expression(cursor.expression()?)
            };
            Ok(Assignment { column, value })
        })?;
        let from = if self.eat(&["FROM"]) { self.tables()? } else { Vec::new() };
        if !self.is("WHERE") {
            return Err(self.expected("WHERE").hint("write WHERE TRUE to update every row"));
        }
        self.skip();
        let filter = self.expression()?;
        self.refuse_order()?;
        Ok(Statement::Update(Box::new(Update { table, alias, assignments, from, filter })))
    }

    /// `c`, `t.c` or `alias.c`
    fn assigned_column(&mut self, table: &ObjectName, alias: Option<&str>) -> Parsed<String> {
        if self.is_token_at(1, &Token::Period) {
            let at = self.here();
            let owner = self.name(NameKind::Table)?;
            if owner != alias.unwrap_or(&table.name) {
                return Err(SqlError::syntax(format!("{owner} is not the table that is updated"), at.line, at.column));
            }
            self.skip();
        }
        self.name(NameKind::Column)
    }

    /// `DELETE FROM ..`
    pub(in crate::sql) fn delete(&mut self) -> Parsed<Statement> {
        self.skip();
        self.want(&["FROM"])?;
        let (table, alias) = self.target("PARTITION")?;
        let partitions = self.partition_names()?;
        let using = if self.eat(&["USING"]) { self.tables()? } else { Vec::new() };
        if !self.is("WHERE") {
            return Err(self.expected("WHERE").hint("use TRUNCATE TABLE to delete every row"));
        }
        self.skip();
        let filter = self.expression()?;
        self.refuse_order()?;
        Ok(Statement::Delete(Box::new(Delete { table, alias, partitions, using, filter })))
    }

    /// `t [[AS] alias]`; `next` is a word that may follow and is no alias.
    fn target(&mut self, next: &str) -> Parsed<(ObjectName, Option<String>)> {
        let table = self.object(NameKind::Table)?;
        let alias = if self.eat(&["AS"])
            || (self.is_name_at(0) && !self.is(next) && !self.is("PARTITIONS") && !self.is("TEMPORARY"))
        {
            Some(self.name(NameKind::Table)?)
        } else {
            None
        };
        Ok((table, alias))
    }

    fn refuse_order(&self) -> Parsed<()> {
        if self.is("ORDER") || self.is("LIMIT") {
            return Err(self.unsupported("ORDER BY and LIMIT are not supported here"));
        }
        Ok(())
    }
}

/// The rows after VALUES, which must be `width` wide if the statement lists its columns.
fn value_rows(rows: Rows<'_>, width: Option<usize>) -> Parsed<ValueRows> {
    if u32::try_from(rows.text.len()).is_err() {
        return Err(SqlError::unsupported("the values are longer than 4 GiB", rows.place.line, rows.place.column));
    }
    let mut walk = Walk {
        rows,
        scanner: Scanner::new(rows.text, 0),
        cells: Vec::new(),
        checked: "",
        counted: 0,
        place: rows.place,
    };
    let width = walk.all(width)?;
    Ok(ValueRows::new(Arc::from(rows.text), width, walk.cells))
}

/// Reads rows from text.
struct Walk<'a> {
    rows: Rows<'a>,
    scanner: Scanner<'a>,
    cells: Vec<CellSpan>,
    /// The last expression that was found to be one; the same text often comes in every row.
    checked: &'a str,
    /// How far the place below has been counted, in bytes.
    counted: usize,
    place: Place,
}

impl Walk<'_> {
    /// Reads all rows and says how wide they are.
    fn all(&mut self, width: Option<usize>) -> Parsed<usize> {
        let mut first_width = None;
        loop {
            let open = match self.next()? {
                Some(span) if span.lexeme == Lexeme::Open => span,
                Some(span) => return Err(self.unexpected("( and a row's values", span)),
                None => return Err(self.error_here("expected ( and a row's values")),
            };
            let row_width = self.row()?;
            if let Some(width) = width
                && width != row_width
            {
                return Err(self.error_at(open.start, format!("the row has {row_width} values for {width} columns")));
            }
            let first_width = *first_width.get_or_insert(row_width);
            if row_width != first_width {
                return Err(self
                    .error_at(open.start, format!("the row has {row_width} values, the first row has {first_width}")));
            }
            match self.next()? {
                None => return Ok(row_width),
                Some(span) if span.lexeme == Lexeme::Comma => {}
                Some(span) if self.is_word(span, "ON") => {
                    return Err(SqlError {
                        kind: crate::sql::SqlErrorKind::Unsupported,
                        ..self.error_at(span.start, "ON DUPLICATE KEY UPDATE is not supported")
                    }
                    .hint("on a Primary Key table INSERT replaces the row of the same key"));
                }
                Some(span) => {
                    return Err(self.unexpected(", and another row or the end", span));
                }
            }
        }
    }

    /// Reads one row after its opening parenthesis.
    fn row(&mut self) -> Parsed<usize> {
        let mut width = 0;
        loop {
            let end = self.cell()?;
            width += 1;
            if end == Lexeme::Close {
                return Ok(width);
            }
        }
    }

    /// Reads one value and the comma or parenthesis after it.
    fn cell(&mut self) -> Parsed<Lexeme> {
        let Some(first) = self.next()? else {
            return Err(self.error_here("expected a value"));
        };
        if matches!(first.lexeme, Lexeme::Close | Lexeme::Comma) {
            return Err(self.unexpected("a value", first));
        }
        let text = self.scanner.text(first);
        // A sign right before a number belongs to it.
        let mut literal = first;
        let mut next = None;
        if matches!(text, "-" | "+") {
            match self.next()? {
                Some(number) if number.lexeme == Lexeme::Number && number.start == first.end => {
                    let start = if text == "-" { first.start } else { number.start };
                    literal = Span { start, ..number };
                }
                other => {
                    next = Some(other);
                }
            }
        }
        let kind = if next.is_some() { None } else { self.literal(literal) };
        let after = match next {
            Some(next) => next,
            None => self.next()?,
        };
        match (kind, after) {
            (Some((kind, start, end)), Some(after)) if matches!(after.lexeme, Lexeme::Comma | Lexeme::Close) => {
                self.push(kind, start, end);
                Ok(after.lexeme)
            }
            (_, after) => self.long(first, after),
        }
    }

    /// What a single stretch means as a value, and which part of the text.
    fn literal(&self, span: Span) -> Option<(CellKind, usize, usize)> {
        let Span { lexeme, start, end } = span;
        let text = self.scanner.text(span);
        match lexeme {
            Lexeme::Number => Some((CellKind::Number, start, end)),
            Lexeme::Text(quote) => Some((CellKind::Text { quote }, start + 1, end - 1)),
            Lexeme::Word if text.eq_ignore_ascii_case("NULL") => Some((CellKind::Null, start, end)),
            Lexeme::Word if text.eq_ignore_ascii_case("DEFAULT") => Some((CellKind::Default, start, end)),
            Lexeme::Word if text.eq_ignore_ascii_case("TRUE") => Some((CellKind::True, start, end)),
            Lexeme::Word if text.eq_ignore_ascii_case("FALSE") => Some((CellKind::False, start, end)),
            Lexeme::Prefixed | Lexeme::Hex => {
                let hex = text
                    .strip_prefix(['x', 'X'])
                    .and_then(|text| text.strip_prefix('\'')?.strip_suffix('\''))
                    .or_else(|| text.strip_prefix("0x"))?;
                let digits = hex.bytes().all(|b| b.is_ascii_hexdigit());
                if !digits || !hex.len().is_multiple_of(2) {
                    return None;
                }
                // Both `X'` and `0x` are two bytes.
                Some((CellKind::Hex, start + 2, start + 2 + hex.len()))
            }
            Lexeme::Word
            | Lexeme::Blank
            | Lexeme::QuotedName
            | Lexeme::Semicolon
            | Lexeme::Open
            | Lexeme::Close
            | Lexeme::Comma
            | Lexeme::Other => None,
        }
    }

    /// Goes on to the end of a value that is more than a literal; `after` is what follows its first stretch.
    fn long(&mut self, first: Span, after: Option<Span>) -> Parsed<Lexeme> {
        let mut depth = usize::from(first.lexeme == Lexeme::Open);
        let mut end = first.end;
        let mut next = after;
        let closed = loop {
            let Some(span) = next else {
                return Err(self.error_here("expected ) after a row's values"));
            };
            match span.lexeme {
                Lexeme::Comma | Lexeme::Close if depth == 0 => break span.lexeme,
                Lexeme::Close => depth -= 1,
                Lexeme::Open => depth += 1,
                Lexeme::Blank
                | Lexeme::Text(_)
                | Lexeme::Prefixed
                | Lexeme::QuotedName
                | Lexeme::Word
                | Lexeme::Number
                | Lexeme::Hex
                | Lexeme::Semicolon
                | Lexeme::Comma
                | Lexeme::Other => {}
            }
            end = span.end;
            next = self.next()?;
        };
        let text = self.rows.text.get(first.start..end).unwrap_or_default();
        if text != self.checked {
            // Counted on from the expression before: from the start each time would be quadratic.
            let before = self.rows.text.get(self.counted..first.start);
            self.place = self.place.after(before.unwrap_or_default());
            self.counted = first.start;
            crate::sql::expression_at(text, self.place, "the end of the value")?;
            self.checked = text;
        }
        self.push(CellKind::Expression, first.start, end);
        Ok(closed)
    }

    fn push(&mut self, kind: CellKind, start: usize, end: usize) {
        // Both fit: the whole text does.
        let number = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        self.cells.push(CellSpan { start: number(start), len: number(end.saturating_sub(start)), kind });
    }

    fn next(&mut self) -> Parsed<Option<Span>> {
        self.scanner.next_solid().map_err(|Open { what, start }| self.error_at(start, what.describe()))
    }

    fn is_word(&self, span: Span, word: &str) -> bool {
        span.lexeme == Lexeme::Word && self.scanner.text(span).eq_ignore_ascii_case(word)
    }

    fn error_at(&self, start: usize, message: impl Into<String>) -> SqlError {
        let place = self.rows.place.after(self.rows.text.get(..start).unwrap_or_default());
        SqlError::syntax(message, place.line, place.column)
    }

    fn unexpected(&self, what: &str, span: Span) -> SqlError {
        let found = shorten(self.scanner.text(span));
        self.error_at(span.start, format!("expected {what}, found {found}"))
    }

    /// An error where the text has come to its end.
    fn error_here(&self, what: &str) -> SqlError {
        let end = self.rows.text.trim_end().len();
        self.error_at(end, format!("{what}, found the end of the statement"))
    }
}
