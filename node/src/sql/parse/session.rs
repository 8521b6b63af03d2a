//! SET, transactions and KILL.

use sqlparser::tokenizer::Token;

use crate::sql::cursor::{Cursor, Parsed};
use crate::sql::error::SqlError;
use crate::sql::names::NameKind;
use crate::sql::statement::{Kill, Scope, SetItem, SetValue, Statement};

impl Cursor<'_> {
    /// `SET ..`
    pub(in crate::sql) fn set(&mut self) -> Parsed<Statement> {
        self.skip();
        if self.is("PASSWORD") {
            return self.set_password();
        }
        if self.is("ROLE") || (self.is("DEFAULT") && self.is_at(1, "ROLE")) {
            return Err(self
                .unsupported("all roles of a user are active, always")
                .hint("GRANT and REVOKE change which they are"));
        }
        for word in ["PROPERTY", "CATALOG", "RESOURCE_GROUP"] {
            if self.is(word) && !self.is_token_at(1, &Token::Eq) {
                return Err(self.unsupported(format!("SET {word} is not supported")));
            }
        }
        let items = self.list(Self::set_item)?;
        Ok(Statement::Set(items))
    }

    fn set_item(&mut self) -> Parsed<SetItem> {
        if self.eat(&["NAMES"]) {
            let charset = self.charset()?;
            let collation = if self.eat(&["COLLATE"]) { self.charset()? } else { None };
            return Ok(SetItem::Names { charset, collation });
        }
        if self.eat(&["CHARACTER", "SET"]) || self.eat(&["CHARSET"]) {
            let charset = self.charset()?;
            return Ok(SetItem::CharacterSet { charset });
        }
        let at = self.here();
        let scoped = self.scope_word();
        if self.eat(&["TRANSACTION"]) {
            return self.transaction_settings(scoped.unwrap_or(Scope::Session));
        }
        let Some(word) = self.bare_word() else {
            // A variable's name in back quotes.
            let name = self.name(NameKind::Variable)?.to_lowercase();
            return self.variable(scoped.unwrap_or(Scope::Session), name);
        };
        let word = word.to_lowercase();
        if let Some(name) = word.strip_prefix("@@") {
            if scoped.is_some() {
                return Err(self.wrong("the scope is written twice"));
            }
            let name = name.to_owned();
            self.skip();
            let scope = match name.as_str() {
                "session" | "local" => Some(Scope::Session),
                "global" | "persist" | "persist_only" => Some(Scope::Global),
                _ => None,
            };
            let (scope, name) = match scope {
                Some(scope) if self.eat_token(&Token::Period) => (scope, self.name(NameKind::Variable)?.to_lowercase()),
                _ => (Scope::Session, name),
            };
            if name.is_empty() {
                return Err(SqlError::syntax("@@ without a variable's name", at.line, at.column));
            }
            return self.variable(scope, name);
        }
        if let Some(name) = word.strip_prefix('@') {
            let name = name.to_owned();
            self.skip();
            self.want_assignment()?;
            let value = self.set_value()?;
            return Ok(SetItem::UserVariable { name, value });
        }
        let name = self.name(NameKind::Variable)?.to_lowercase();
        self.variable(scoped.unwrap_or(Scope::Session), name)
    }

    /// `SESSION`, `GLOBAL` and the like before a name.
    fn scope_word(&mut self) -> Option<Scope> {
        if self.is_token_at(1, &Token::Eq) || self.is_token_at(1, &Token::Assignment) {
            return None;
        }
        match self.eat_one(&["SESSION", "LOCAL", "GLOBAL", "PERSIST", "PERSIST_ONLY"])? {
            "SESSION" | "LOCAL" => Some(Scope::Session),
            _ => Some(Scope::Global),
        }
    }

    fn variable(&mut self, scope: Scope, name: String) -> Parsed<SetItem> {
        self.want_assignment()?;
        let value = self.set_value()?;
        Ok(SetItem::Variable { scope, name, value })
    }

    fn want_assignment(&mut self) -> Parsed<()> {
        if self.eat_token(&Token::Eq) || self.eat_token(&Token::Assignment) { Ok(()) } else { Err(self.expected("=")) }
    }

    /// A character set or collation: a word, a string or DEFAULT.
    fn charset(&mut self) -> Parsed<Option<String>> {
        if self.eat(&["DEFAULT"]) {
            return Ok(None);
        }
        if self.is_string() {
            return Ok(Some(self.string("a character set")?.to_lowercase()));
        }
        match self.bare_word().map(str::to_lowercase) {
            Some(word) => {
                self.skip();
                Ok(Some(word))
            }
            None => Err(self.expected("a character set")),
        }
    }

    fn set_value(&mut self) -> Parsed<SetValue> {
        let alone = |cursor: &Self, tokens: usize| {
            cursor.is_token_at(tokens, &Token::Comma) || cursor.is_token_at(tokens, &Token::EOF)
        };
        if alone(self, 1) {
            if self.is_string() {
                return Ok(SetValue::Text(self.string("a value")?));
            }
            if self.eat(&["DEFAULT"]) {
                return Ok(SetValue::Default);
            }
            if self.eat(&["NULL"]) {
                return Ok(SetValue::Null);
            }
            let word = self.bare_word().filter(|word| !word.starts_with('@')).map(ToOwned::to_owned);
            if let Some(word) = word {
                self.skip();
                return Ok(SetValue::Word(word));
            }
        }
        let signed = self.is_token(&Token::Minus) || self.is_token(&Token::Plus);
        if alone(self, if signed { 2 } else { 1 })
            && let Some(number) = self.signed_number()
        {
            return Ok(SetValue::Number(number));
        }
        Ok(SetValue::Expression(self.expression()?))
    }

    /// `ISOLATION LEVEL ..`, `READ ONLY`, `READ WRITE`, after TRANSACTION.
    fn transaction_settings(&mut self, scope: Scope) -> Parsed<SetItem> {
        let mut isolation = None;
        let mut read_only = None;
        loop {
            if self.eat(&["ISOLATION", "LEVEL"]) {
                let level = if self.eat(&["READ", "COMMITTED"]) {
                    "READ-COMMITTED"
                } else if self.eat(&["READ", "UNCOMMITTED"]) {
                    "READ-UNCOMMITTED"
                } else if self.eat(&["REPEATABLE", "READ"]) {
                    "REPEATABLE-READ"
                } else if self.eat(&["SERIALIZABLE"]) {
                    "SERIALIZABLE"
                } else {
                    return Err(self.expected("an isolation level"));
                };
                isolation = Some(level.to_owned());
            } else if self.eat(&["READ", "ONLY"]) {
                read_only = Some(true);
            } else if self.eat(&["READ", "WRITE"]) {
                read_only = Some(false);
            } else {
                return Err(self.expected("ISOLATION LEVEL, READ ONLY or READ WRITE"));
            }
            if !self.eat_token(&Token::Comma) {
                return Ok(SetItem::Transaction { scope, isolation, read_only });
            }
        }
    }

    /// `START TRANSACTION`, `BEGIN`, `COMMIT`, `ROLLBACK`
    pub(in crate::sql) fn transaction(&mut self) -> Parsed<Statement> {
        if self.eat(&["START"]) {
            self.want(&["TRANSACTION"])?;
            if !self.at_end() {
                self.list(|cursor| {
                    if cursor.eat(&["READ", "ONLY"])
                        || cursor.eat(&["READ", "WRITE"])
                        || cursor.eat(&["WITH", "CONSISTENT", "SNAPSHOT"])
                    {
                        Ok(())
                    } else {
                        Err(cursor.expected("READ ONLY, READ WRITE or WITH CONSISTENT SNAPSHOT"))
                    }
                })?;
            }
            return Ok(Statement::Begin);
        }
        if self.eat(&["BEGIN"]) {
            self.eat(&["WORK"]);
            return Ok(Statement::Begin);
        }
        let commit = self.is("COMMIT");
        self.skip();
        self.eat(&["WORK"]);
        if self.is("TO") {
            return Err(self.unsupported("savepoints are not supported"));
        }
        if !self.eat(&["AND", "NO", "CHAIN"]) && self.is("AND") {
            return Err(self.unsupported("AND CHAIN is not supported"));
        }
        if !self.eat(&["NO", "RELEASE"]) && self.is("RELEASE") {
            return Err(self.unsupported("RELEASE is not supported"));
        }
        Ok(if commit { Statement::Commit } else { Statement::Rollback })
    }

    /// `KILL ..`
    pub(in crate::sql) fn kill(&mut self) -> Parsed<Statement> {
        self.skip();
        let query = self.eat(&["QUERY"]);
        if !query {
            self.eat(&["CONNECTION"]);
        }
        let id = if self.is_string() {
            let at = self.here();
            let text = self.string("a connection's number")?;
            text.parse()
                .map_err(|_not_a_number| SqlError::syntax("a connection's number is a number", at.line, at.column))?
        } else {
            self.number("a connection's number")?
        };
        Ok(Statement::Kill(if query { Kill::Query(id) } else { Kill::Connection(id) }))
    }
}
