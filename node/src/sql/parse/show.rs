//! SHOW.

use sqlparser::ast;
use sqlparser::tokenizer::Token;

use crate::sql::cursor::{Cursor, Parsed};
use crate::sql::names::NameKind;
use crate::sql::statement::{Filter, ObjectName, Scope, Show, Statement};

/// What there is none of, but is asked for by name elsewhere.
const FOREIGN: &[&str] = &[
    "ALTER",
    "ANALYZE",
    "AUTHENTICATION",
    "BASE",
    "BINARY",
    "BROKER",
    "COMPUTE",
    "DATA",
    "DELETE",
    "DYNAMIC",
    "ENGINE",
    "EXPORT",
    "FILE",
    "FUNCTION",
    "FUNCTIONS",
    "HISTOGRAM",
    "MASTER",
    "MATERIALIZED",
    "OPEN",
    "PIPES",
    "PROC",
    "PROCEDURE",
    "PROFILELIST",
    "PROFILES",
    "PROPERTY",
    "REPLICA",
    "RESOURCE",
    "RESOURCES",
    "ROLLUP",
    "ROUTINE",
    "RUNNING",
    "SLAVE",
    "SMALL",
    "STATS",
    "STORAGE",
    "STREAM",
    "SYNC",
    "TABLET",
    "TABLETS",
    "TEMPORARY",
    "TRANSACTION",
    "TYPES",
    "USER",
    "VIEW",
    "WAREHOUSES",
];

impl Cursor<'_> {
    /// `SHOW ..`
    pub(in crate::sql) fn show(&mut self) -> Parsed<Statement> {
        self.skip();
        Ok(Statement::Show(Box::new(self.show_what()?)))
    }

    fn show_what(&mut self) -> Parsed<Show> {
        let full = self.is("FULL") && {
            self.skip();
            true
        };
        if full || self.is_at(0, "TABLES") || self.is("COLUMNS") || self.is("FIELDS") || self.is("PROCESSLIST") {
            return self.show_full(full);
        }
        let Some(word) = self.bare_word().map(str::to_ascii_uppercase) else {
            return Err(self.expected("what to show"));
        };
        match word.as_str() {
            "DATABASES" | "SCHEMAS" => {
                self.skip();
                self.eat_from_catalog()?;
                let filter = self.filter()?;
                Ok(Show::Databases { filter })
            }
            "TABLE" => {
                self.want(&["TABLE", "STATUS"])?;
                let database = self.in_database()?;
                let filter = self.filter()?;
                Ok(Show::TableStatus { database, filter })
            }
            "INDEX" | "INDEXES" | "KEYS" => {
                self.skip();
                let table = self.of_table()?;
                self.optional_where()?;
                Ok(Show::Index { table })
            }
            "PARTITIONS" => {
                self.skip();
                let table = self.of_table()?;
                let filter = self.optional_where()?;
                Ok(Show::Partitions { table, filter })
            }
            "CREATE" => self.show_create(),
            "LOAD" => {
                self.skip();
                let database = self.in_database()?;
                let filter = self.optional_where()?;
                Ok(Show::Load { database, filter })
            }
            "CATALOG" => {
                self.want(&["CATALOG", "RECYCLE", "BIN"])?;
                let filter = self.optional_where()?;
                Ok(Show::RecycleBin { filter })
            }
            "REPOSITORIES" => {
                self.skip();
                Ok(Show::Repositories)
            }
            "BACKUP" => {
                self.skip();
                let database = self.in_database()?;
                let filter = self.filter()?;
                Ok(Show::Backup { database, filter })
            }
            "RESTORE" => {
                self.skip();
                let database = self.in_database()?;
                let filter = self.filter()?;
                Ok(Show::Restore { database, filter })
            }
            "VERIFY" => {
                self.skip();
                let repository =
                    if self.eat_one(&["FROM", "IN"]).is_some() { Some(self.name(NameKind::Repository)?) } else { None };
                let filter = self.filter()?;
                Ok(Show::Verify { repository, filter })
            }
            "SNAPSHOT" => {
                self.skip();
                self.want(&["ON"])?;
                let repository = self.name(NameKind::Repository)?;
                let filter = self.snapshot_filter()?;
                Ok(Show::Snapshot { repository, filter })
            }
            _ => self.show_server(&word),
        }
    }

    /// What may have FULL before it.
    fn show_full(&mut self, full: bool) -> Parsed<Show> {
        if self.eat(&["TABLES"]) {
            let database = self.in_database()?;
            let filter = self.filter()?;
            return Ok(Show::Tables { full, database, filter });
        }
        if self.eat_one(&["COLUMNS", "FIELDS"]).is_some() {
            let table = self.of_table()?;
            let filter = self.filter()?;
            return Ok(Show::Columns { full, table, filter });
        }
        if self.eat(&["PROCESSLIST"]) {
            return Ok(Show::ProcessList { full });
        }
        Err(self.expected("TABLES, COLUMNS or PROCESSLIST"))
    }

    fn show_create(&mut self) -> Parsed<Show> {
        self.skip();
        if self.eat_one(&["DATABASE", "SCHEMA"]).is_some() {
            self.eat(&["IF", "NOT", "EXISTS"]);
            let name = self.name(NameKind::Database)?;
            return Ok(Show::CreateDatabase { name });
        }
        if self.eat(&["TABLE"]) {
            let table = self.object(NameKind::Table)?;
            return Ok(Show::CreateTable { table });
        }
        Err(self.unsupported_object("SHOW CREATE", "DATABASE or TABLE"))
    }

    /// What is about the server rather than about data.
    fn show_server(&mut self, word: &str) -> Parsed<Show> {
        let scope = match self.eat_one(&["GLOBAL", "SESSION", "LOCAL"]) {
            Some("GLOBAL") => Some(Scope::Global),
            Some(_) => Some(Scope::Session),
            None => None,
        };
        if self.eat(&["VARIABLES"]) {
            let filter = self.filter()?;
            let scope = scope.unwrap_or(Scope::Session);
            return Ok(Show::Variables { scope, filter });
        }
        if self.eat(&["STATUS"]) {
            let filter = self.filter()?;
            let scope = scope.unwrap_or(Scope::Session);
            return Ok(Show::Status { scope, filter });
        }
        if scope.is_some() {
            return Err(self.expected("VARIABLES or STATUS"));
        }
        if self.eat(&["PROCEDURE", "STATUS"]) {
            self.filter()?;
            return Ok(Show::ProcedureStatus);
        }
        if self.eat(&["FUNCTION", "STATUS"]) {
            self.filter()?;
            return Ok(Show::FunctionStatus);
        }
        if self.eat(&["STORAGE", "ENGINES"]) {
            return Ok(Show::Engines);
        }
        if self.eat(&["CHARACTER", "SET"]) || self.eat(&["CHARSET"]) {
            let filter = self.filter()?;
            return Ok(Show::CharacterSet { filter });
        }
        match word {
            "WARNINGS" => {
                self.skip();
                self.eat_limit()?;
                Ok(Show::Warnings)
            }
            "ERRORS" => {
                self.skip();
                self.eat_limit()?;
                Ok(Show::Errors)
            }
            "COUNT" => {
                self.skip();
                self.want_token(&Token::LParen)?;
                self.want_token(&Token::Mul)?;
                self.want_token(&Token::RParen)?;
                match self.eat_one(&["WARNINGS", "ERRORS"]) {
                    Some("WARNINGS") => Ok(Show::CountWarnings),
                    Some(_) => Ok(Show::CountErrors),
                    None => Err(self.expected("WARNINGS or ERRORS")),
                }
            }
            "ENGINES" => {
                self.skip();
                Ok(Show::Engines)
            }
            "COLLATION" => {
                self.skip();
                let filter = self.filter()?;
                Ok(Show::Collation { filter })
            }
            "GRANTS" => {
                self.skip();
                self.show_grants()
            }
            "USERS" => {
                self.skip();
                Ok(Show::Users)
            }
            "ROLES" => {
                self.skip();
                Ok(Show::Roles)
            }
            "PLUGINS" => {
                self.skip();
                Ok(Show::Plugins)
            }
            "PRIVILEGES" => {
                self.skip();
                Ok(Show::Privileges)
            }
            "TRIGGERS" | "EVENTS" => {
                self.skip();
                self.in_database()?;
                self.filter()?;
                Ok(if word == "EVENTS" { Show::Events } else { Show::Triggers })
            }
            "CATALOGS" => {
                self.skip();
                Ok(Show::Catalogs)
            }
            "BACKENDS" => {
                self.skip();
                Ok(Show::Backends)
            }
            "FRONTENDS" => {
                self.skip();
                Ok(Show::Frontends)
            }
            _ if FOREIGN.contains(&word) => Err(self.unsupported(format!("SHOW {word} is not supported"))),
            _ => Err(self.expected("what to show")),
        }
    }

    /// `[(FROM | IN) d]`
    fn in_database(&mut self) -> Parsed<Option<String>> {
        if self.eat_one(&["FROM", "IN"]).is_none() {
            return Ok(None);
        }
        Ok(Some(self.name(NameKind::Database)?))
    }

    /// `[(FROM | IN) catalog]`: there is one catalog only.
    fn eat_from_catalog(&mut self) -> Parsed<()> {
        if self.eat_one(&["FROM", "IN"]).is_some() && !self.eat(&["default_catalog"]) {
            return Err(self.expected("default_catalog"));
        }
        Ok(())
    }

    /// `(FROM | IN) t [(FROM | IN) d]`
    fn of_table(&mut self) -> Parsed<ObjectName> {
        if self.eat_one(&["FROM", "IN"]).is_none() {
            return Err(self.expected("FROM"));
        }
        let mut table = self.object(NameKind::Table)?;
        if self.is("FROM") || self.is("IN") {
            if table.database.is_some() {
                return Err(self.wrong("the database is written twice"));
            }
            table.database = self.in_database()?;
        }
        Ok(table)
    }

    /// `[LIKE 'pattern' | WHERE expression]`
    fn filter(&mut self) -> Parsed<Option<Filter>> {
        if self.eat(&["LIKE"]) {
            return Ok(Some(Filter::Like(self.string("a pattern")?)));
        }
        Ok(self.optional_where()?.map(Filter::Where))
    }

    fn optional_where(&mut self) -> Parsed<Option<Box<ast::Expr>>> {
        if self.eat(&["WHERE"]) { Ok(Some(self.expression()?)) } else { Ok(None) }
    }

    /// `[LIMIT [n,] m]`
    fn eat_limit(&mut self) -> Parsed<()> {
        if self.eat(&["LIMIT"]) {
            self.list(|cursor| cursor.number::<u64>("a limit"))?;
        }
        Ok(())
    }
}
