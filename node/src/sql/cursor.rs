//! A statement's tokens and the small moves that all parsing is made of.

use std::cell::Cell;
use std::collections::BTreeSet;
use std::str::FromStr;

use sqlparser::ast;
use sqlparser::parser::{Parser, ParserError};
use sqlparser::tokenizer::{Location, Span, Token, TokenWithSpan, Tokenizer};

use super::dialect::{BoundedDialect, DEPTH_MAX, Exceeded, OPERATORS_MAX};
use super::error::SqlError;
use super::names::{self, NameKind};
use super::scan::Place;
use super::statement::{ObjectName, Properties};

/// The result of parsing anything.
pub(super) type Parsed<T> = Result<T, SqlError>;

/// How many set operations and joins one statement may have: the tree of a query is as deep as it has of them.
const SET_OPERATIONS_MAX: usize = 256;

/// Walks over a statement's tokens.
pub(super) struct Cursor<'a> {
    parser: Parser<'a>,
    dialect: &'a BoundedDialect,
    /// What the end of the tokens is called in messages.
    end_is: &'static str,
    /// The rows after `VALUES`, which are no tokens; taken when INSERT gets there.
    rows: Cell<Option<Rows<'a>>>,
}

/// The text after `VALUES`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rows<'a> {
    pub(super) text: &'a str,
    pub(super) place: Place,
}

/// The tokens of a text that begins at a place; the last one is the end itself, so that it has a place too.
pub(super) fn tokens(text: &str, place: Place) -> Parsed<Vec<TokenWithSpan>> {
    let shift = |location: Location| {
        if location.line <= 1 {
            Location::new(place.line, location.column.saturating_add(place.column).saturating_sub(1))
        } else {
            Location::new(location.line.saturating_add(place.line).saturating_sub(1), location.column)
        }
    };
    let mut tokens = Vec::new();
    Tokenizer::new(&sqlparser::dialect::MySqlDialect {}, text)
        .tokenize_with_location_into_buf_with_mapper(&mut tokens, |token| {
            TokenWithSpan::at(token.token, shift(token.span.start), shift(token.span.end))
        })
        .map_err(|error| {
            let at = shift(error.location);
            SqlError::syntax(lower_first(&error.message), at.line, at.column)
        })?;
    let end = place.after(text);
    let end = Location::new(end.line, end.column);
    tokens.push(TokenWithSpan::at(Token::EOF, end, end));
    check_shape(&tokens, place)?;
    Ok(tokens)
}

/// Refuses what would be parsed in vain or make a tree that is too deep, before any work is done on it.
fn check_shape(tokens: &[TokenWithSpan], start: Place) -> Parsed<()> {
    let mut depth = 0_usize;
    for token in tokens {
        if matches!(token.token, Token::LParen | Token::LBracket) {
            depth += 1;
        } else if matches!(token.token, Token::RParen | Token::RBracket) {
            depth = depth.saturating_sub(1);
        }
        if depth > DEPTH_MAX {
            let at = place(token.span);
            return Err(too_deep(at));
        }
    }
    let joins = tokens
        .iter()
        .filter(|token| {
            is_word(&token.token, "union")
                || is_word(&token.token, "except")
                || is_word(&token.token, "intersect")
                || is_word(&token.token, "minus")
                || is_word(&token.token, "join")
        })
        .count();
    if joins > SET_OPERATIONS_MAX {
        return Err(SqlError::unsupported(
            format!("the statement has {joins} joins and set operations, more than {SET_OPERATIONS_MAX}"),
            start.line,
            start.column,
        ));
    }
    Ok(())
}

fn too_deep(at: Place) -> SqlError {
    SqlError::unsupported(format!("the statement nests deeper than {DEPTH_MAX} levels"), at.line, at.column)
}

fn is_word(token: &Token, word: &str) -> bool {
    matches!(token, Token::Word(w) if w.quote_style.is_none() && w.value.eq_ignore_ascii_case(word))
}

impl<'a> Cursor<'a> {
    /// A cursor before the first token.
    pub(super) fn new(tokens: Vec<TokenWithSpan>, dialect: &'a BoundedDialect, rows: Option<Rows<'a>>) -> Self {
        Self {
            parser: Parser::new(dialect).with_recursion_limit(DEPTH_MAX).with_tokens_with_locations(tokens),
            dialect,
            end_is: if rows.is_some() { "VALUES" } else { "the end of the statement" },
            rows: Cell::new(rows),
        }
    }

    /// The same cursor over something that is not a whole statement; `end` is what its end is called in messages.
    pub(super) fn up_to(self, end: &'static str) -> Self {
        Self { end_is: end, ..self }
    }

    /// The rows after `VALUES`, once, when all tokens before it have been read.
    pub(super) fn take_rows(&mut self) -> Option<Rows<'a>> {
        if self.at_end() { self.rows.take() } else { None }
    }

    // ---- looking ------------------------------------------------------------------------------------

    /// Whether all tokens have been read.
    pub(super) fn at_end(&self) -> bool {
        self.parser.peek_token_ref().token == Token::EOF
    }

    /// Whether the token `ahead` of the next is this bare word, in any case.
    pub(super) fn is_at(&self, ahead: usize, word: &str) -> bool {
        is_word(&self.parser.peek_nth_token_ref(ahead).token, word)
    }

    /// Whether the next token is this bare word.
    pub(super) fn is(&self, word: &str) -> bool {
        self.is_at(0, word)
    }

    /// Whether the next token is this.
    pub(super) fn is_token(&self, token: &Token) -> bool {
        self.parser.peek_token_ref().token == *token
    }

    /// Whether the token `ahead` of the next is this.
    pub(super) fn is_token_at(&self, ahead: usize, token: &Token) -> bool {
        self.parser.peek_nth_token_ref(ahead).token == *token
    }

    /// Whether the token `ahead` of the next could be a name.
    pub(super) fn is_name_at(&self, ahead: usize) -> bool {
        matches!(
            &self.parser.peek_nth_token_ref(ahead).token,
            Token::Word(word) if word.quote_style.is_some() || !names::is_reserved(&word.value)
        )
    }

    /// The next token if it is a bare word, as written.
    pub(super) fn bare_word(&self) -> Option<&str> {
        let Token::Word(word) = &self.parser.peek_token_ref().token else {
            return None;
        };
        word.quote_style.is_none().then_some(word.value.as_str())
    }

    /// Whether the next token is a string.
    pub(super) fn is_string(&self) -> bool {
        matches!(self.parser.peek_token_ref().token, Token::SingleQuotedString(_) | Token::DoubleQuotedString(_))
    }

    /// Where the next token begins.
    pub(super) fn here(&self) -> Place {
        place(self.parser.peek_token_ref().span)
    }

    // ---- moving -------------------------------------------------------------------------------------

    /// Goes over the next token.
    pub(super) fn skip(&mut self) {
        self.parser.advance_token();
    }

    /// Goes over these bare words if all of them come next.
    pub(super) fn eat(&mut self, words: &[&str]) -> bool {
        let there = words.iter().enumerate().all(|(ahead, word)| self.is_at(ahead, word));
        if there {
            for _ in words {
                self.skip();
            }
        }
        there
    }

    /// Goes over the one of these bare words that comes next, and says which.
    pub(super) fn eat_one(&mut self, words: &[&'static str]) -> Option<&'static str> {
        let found = words.iter().copied().find(|word| self.is(word))?;
        self.skip();
        Some(found)
    }

    /// Goes over this token if it comes next.
    pub(super) fn eat_token(&mut self, token: &Token) -> bool {
        let there = self.is_token(token);
        if there {
            self.skip();
        }
        there
    }

    /// These bare words must come next.
    pub(super) fn want(&mut self, words: &[&str]) -> Parsed<()> {
        for word in words {
            if !self.eat(&[word]) {
                return Err(self.expected(word));
            }
        }
        Ok(())
    }

    /// This token must come next.
    pub(super) fn want_token(&mut self, token: &Token) -> Parsed<()> {
        if self.eat_token(token) { Ok(()) } else { Err(self.expected(&token.to_string())) }
    }

    /// Nothing more must come.
    pub(super) fn want_end(&self) -> Parsed<()> {
        if self.at_end() { Ok(()) } else { Err(self.expected(self.end_is)) }
    }

    // ---- names, strings, numbers --------------------------------------------------------------------

    /// A name that refers to something that is there.
    pub(super) fn name(&mut self, kind: NameKind) -> Parsed<String> {
        let Token::Word(word) = &self.parser.peek_token_ref().token else {
            let error = self.expected(&format!("a {kind} name"));
            return Err(if self.is_string() {
                error.hint("a name is written without quotation marks or in back quotes")
            } else {
                error
            });
        };
        let quoted = word.quote_style.is_some();
        let value = word.value.clone();
        if !quoted && names::is_reserved(&value) {
            return Err(self
                .expected(&format!("a {kind} name"))
                .hint(format!("{value} is a reserved word, write `{value}`")));
        }
        if !quoted && value.contains('@') {
            return Err(self.expected(&format!("a {kind} name")).hint("a name with @ in it is written in back quotes"));
        }
        if value.is_empty() || value.contains('\0') {
            return Err(self.wrong(format!("a {kind} name is not empty and has no NUL character in it")));
        }
        self.skip();
        Ok(value)
    }

    /// A name for something new, or one whose form matters by itself.
    pub(super) fn new_name(&mut self, kind: NameKind) -> Parsed<String> {
        let at = self.here();
        let name = self.name(kind)?;
        match names::check_name(kind, &name) {
            Ok(()) => Ok(name),
            Err(rule) => {
                Err(SqlError::syntax(format!("wrong {kind} name '{}'", shorten(&name)), at.line, at.column).hint(rule))
            }
        }
    }

    /// `[db.]name` of something that is there.
    pub(super) fn object(&mut self, kind: NameKind) -> Parsed<ObjectName> {
        self.object_by(kind, Self::name)
    }

    /// `[db.]name` of something new.
    pub(super) fn new_object(&mut self, kind: NameKind) -> Parsed<ObjectName> {
        self.object_by(kind, Self::new_name)
    }

    fn object_by(
        &mut self,
        kind: NameKind,
        last: impl Fn(&mut Self, NameKind) -> Parsed<String>,
    ) -> Parsed<ObjectName> {
        let database = if self.is_token_at(1, &Token::Period) {
            let database = self.name(NameKind::Database)?;
            self.skip();
            Some(database)
        } else {
            None
        };
        let name = last(self, kind)?;
        if self.is_token(&Token::Period) {
            return Err(self
                .wrong(format!("a {kind} name has at most two parts"))
                .hint(format!("write database.{kind}")));
        }
        Ok(ObjectName { database, name })
    }

    /// A quoted string.
    pub(super) fn string(&mut self, what: &str) -> Parsed<String> {
        let (Token::SingleQuotedString(text) | Token::DoubleQuotedString(text)) = &self.parser.peek_token_ref().token
        else {
            return Err(self.expected(&format!("{what} in quotation marks")));
        };
        let text = text.clone();
        self.skip();
        Ok(text)
    }

    /// A whole number without a sign that fits.
    pub(super) fn number<N: FromStr>(&mut self, what: &str) -> Parsed<N> {
        let Token::Number(digits, false) = &self.parser.peek_token_ref().token else {
            return Err(self.expected(&format!("{what}, a whole number")));
        };
        let Ok(number) = digits.parse() else {
            return Err(self.wrong(format!("{what} cannot be {digits}")));
        };
        self.skip();
        Ok(number)
    }

    /// The text of a number, perhaps with a sign.
    pub(super) fn signed_number(&mut self) -> Option<String> {
        let minus = self.is_token(&Token::Minus);
        let signed = minus || self.is_token(&Token::Plus);
        let Token::Number(digits, false) = &self.parser.peek_nth_token_ref(usize::from(signed)).token else {
            return None;
        };
        let number = if minus { format!("-{digits}") } else { digits.clone() };
        self.skip();
        if signed {
            self.skip();
        }
        Some(number)
    }

    // ---- lists --------------------------------------------------------------------------------------

    /// One or more, with commas between.
    pub(super) fn list<T>(&mut self, mut item: impl FnMut(&mut Self) -> Parsed<T>) -> Parsed<Vec<T>> {
        let mut items = vec![item(self)?];
        while self.eat_token(&Token::Comma) {
            items.push(item(self)?);
        }
        Ok(items)
    }

    /// One or more in parentheses, with commas between.
    pub(super) fn parens<T>(&mut self, item: impl FnMut(&mut Self) -> Parsed<T>) -> Parsed<Vec<T>> {
        self.want_token(&Token::LParen)?;
        let items = self.list(item)?;
        if !self.is_token(&Token::RParen) {
            return Err(self.expected(", or )"));
        }
        self.skip();
        Ok(items)
    }

    /// Names in parentheses, none of them twice ignoring case.
    pub(super) fn names(&mut self, kind: NameKind) -> Parsed<Vec<String>> {
        let mut seen = BTreeSet::new();
        self.parens(|cursor| {
            let at = cursor.here();
            let name = cursor.name(kind)?;
            if !seen.insert(name.to_lowercase()) {
                return Err(SqlError::syntax(format!("{kind} {name} is listed twice"), at.line, at.column));
            }
            Ok(name)
        })
    }

    /// `("key" = "value", ..)`
    pub(super) fn property_list(&mut self) -> Parsed<Properties> {
        let mut properties = Properties::new();
        self.parens(|cursor| {
            let at = cursor.here();
            let key = cursor.string("a property's name")?;
            cursor.want_token(&Token::Eq)?;
            let value = cursor.string("a property's value")?;
            if properties.contains_key(&key) {
                return Err(SqlError::syntax(
                    format!("property '{}' is given twice", shorten(&key)),
                    at.line,
                    at.column,
                ));
            }
            properties.insert(key, value);
            Ok(())
        })?;
        Ok(properties)
    }

    /// `[PROPERTIES (..)]`
    pub(super) fn properties(&mut self) -> Parsed<Properties> {
        if self.eat(&["PROPERTIES"]) { self.property_list() } else { Ok(Properties::new()) }
    }

    // ---- what sqlparser parses ----------------------------------------------------------------------

    /// An expression.
    pub(super) fn expression(&mut self) -> Parsed<Box<ast::Expr>> {
        self.delegate(|parser| parser.parse_expr().map(Box::new))
    }

    /// A query.
    pub(super) fn query(&mut self) -> Parsed<Box<ast::Query>> {
        let at = self.here();
        let query = self.delegate(Parser::parse_query)?;
        let changes = match &*query.body {
            ast::SetExpr::Insert(_) => Some("INSERT"),
            ast::SetExpr::Update(_) => Some("UPDATE"),
            ast::SetExpr::Delete(_) => Some("DELETE"),
            ast::SetExpr::Merge(_) => Some("MERGE"),
            ast::SetExpr::Select(_)
            | ast::SetExpr::Query(_)
            | ast::SetExpr::SetOperation { .. }
            | ast::SetExpr::Values(_)
            | ast::SetExpr::Table(_) => None,
        };
        match changes {
            Some(verb) => Err(SqlError::unsupported(format!("{verb} after WITH is not supported"), at.line, at.column)
                .hint(format!("put the WITH inside the {verb}'s subquery"))),
            None => Ok(query),
        }
    }

    /// Tables and joins with commas between.
    pub(super) fn tables(&mut self) -> Parsed<Vec<ast::TableWithJoins>> {
        self.list(|cursor| cursor.delegate(Parser::parse_table_and_joins))
    }

    fn delegate<T>(&mut self, parse: impl FnOnce(&mut Parser<'a>) -> Result<T, ParserError>) -> Parsed<T> {
        parse(&mut self.parser).map_err(|error| self.convert(&error))
    }

    fn convert(&self, error: &ParserError) -> SqlError {
        let here = self.here();
        let text = match error {
            ParserError::TokenizerError(text) | ParserError::ParserError(text) => text,
            ParserError::RecursionLimitExceeded => {
                let message = match self.dialect.exceeded() {
                    None => return too_deep(here),
                    Some(Exceeded::Steps) => "the statement is too tangled to be parsed in reasonable time".to_owned(),
                    Some(Exceeded::Operators) => {
                        format!("the statement has more than {OPERATORS_MAX} operators")
                    }
                };
                return SqlError::unsupported(message, here.line, here.column);
            }
        };
        let (message, at) = cut_location(text).unwrap_or((text, here));
        let message = match message.strip_suffix("found: EOF") {
            Some(start) => format!("{start}found: {}", self.end_is),
            None => message.to_owned(),
        };
        let message = lower_first(&message).replace("expected: ", "expected ").replace(", found: ", ", found ");
        SqlError::syntax(message, at.line, at.column)
    }

    // ---- errors -------------------------------------------------------------------------------------

    /// Something else stands here than what must.
    pub(super) fn expected(&self, what: &str) -> SqlError {
        let at = self.here();
        SqlError::syntax(format!("expected {what}, found {}", self.found()), at.line, at.column)
    }

    /// What stands here is wrong.
    pub(super) fn wrong(&self, message: impl Into<String>) -> SqlError {
        let at = self.here();
        SqlError::syntax(message, at.line, at.column)
    }

    /// What stands here is not supported.
    pub(super) fn unsupported(&self, message: impl Into<String>) -> SqlError {
        let at = self.here();
        SqlError::unsupported(message, at.line, at.column)
    }

    /// The next token as it can be shown.
    fn found(&self) -> String {
        if self.at_end() {
            return self.end_is.to_owned();
        }
        shorten(&self.parser.peek_token_ref().token.to_string())
    }
}

fn place(span: Span) -> Place {
    Place { line: span.start.line, column: span.start.column }
}

/// The message and place of `.. at Line: 3, Column: 14`.
fn cut_location(text: &str) -> Option<(&str, Place)> {
    let (message, location) = text.rsplit_once(" at Line: ")?;
    let (line, column) = location.split_once(", Column: ")?;
    Some((message, Place { line: line.parse().ok()?, column: column.parse().ok()? }))
}

fn lower_first(text: &str) -> String {
    let mut chars = text.chars();
    match chars.next() {
        Some(first) => first.to_lowercase().chain(chars).collect(),
        None => String::new(),
    }
}

/// At most 40 characters, on one line.
pub(super) fn shorten(text: &str) -> String {
    let one_line = |c: char| if c.is_control() { ' ' } else { c };
    if text.chars().nth(40).is_none() {
        text.chars().map(one_line).collect()
    } else {
        let mut short: String = text.chars().take(37).map(one_line).collect();
        short.push_str("...");
        short
    }
}
