//! One module for each family of statements; this one finds out which it is.

mod account;
mod alter;
mod backup;
mod data;
mod partition;
mod recover;
mod session;
mod show;
mod table;
mod types;
mod upkeep;

use sqlparser::ast;
use sqlparser::tokenizer::Token;

use super::cursor::{Cursor, Parsed};
use super::names::NameKind;
use super::statement::{Explain, ExplainMode, Statement};

/// The words that begin a statement that is understood.
const VERBS: &[&str] = &[
    "ALTER", "APPLY", "BACKUP", "BEGIN", "CANCEL", "COMMIT", "CREATE", "DELETE", "DESC", "DESCRIBE", "DROP", "EXPLAIN",
    "GRANT", "HOLD", "INSERT", "KILL", "RECOVER", "RELEASE", "RESTORE", "REVOKE", "ROLLBACK", "SELECT", "SET", "SHOW",
    "START", "SWEEP", "TRUNCATE", "UNDO", "UPDATE", "USE", "VALUES", "VERIFY", "WITH",
];

/// The words that begin a statement of MySQL or StarRocks that there is none of here.
const FOREIGN: &[&str] = &[
    "ADMIN",
    "ANALYZE",
    "CALL",
    "CHECK",
    "CLEAN",
    "DEALLOCATE",
    "DO",
    "EXECUTE",
    "EXPORT",
    "FLUSH",
    "HANDLER",
    "HELP",
    "INSTALL",
    "LOAD",
    "LOCK",
    "MERGE",
    "OPTIMIZE",
    "PAUSE",
    "PREPARE",
    "PURGE",
    "REFRESH",
    "RENAME",
    "REPLACE",
    "RESUME",
    "SAVEPOINT",
    "STOP",
    "SUBMIT",
    "SYNC",
    "UNINSTALL",
    "UNLOCK",
    "XA",
];

impl Cursor<'_> {
    /// A whole statement; nothing may follow it.
    pub(super) fn statement(&mut self) -> Parsed<Statement> {
        let statement = self.any_statement()?;
        self.want_end()?;
        Ok(statement)
    }

    fn any_statement(&mut self) -> Parsed<Statement> {
        if self.is_token(&Token::LParen) {
            return self.query_statement();
        }
        let Some(word) = self.bare_word() else {
            return Err(self.expected("a statement"));
        };
        match word.to_ascii_uppercase().as_str() {
            "SELECT" | "WITH" | "VALUES" | "TABLE" => self.query_statement(),
            "INSERT" => self.insert(),
            "UPDATE" => self.update(),
            "DELETE" => self.delete(),
            "TRUNCATE" => self.truncate(),
            "CREATE" => self.create(),
            "DROP" => self.drop_statement(),
            "ALTER" => self.alter(),
            "SHOW" => self.show(),
            "DESC" | "DESCRIBE" | "EXPLAIN" => self.explain(),
            "USE" => {
                self.skip();
                let database = self.name(NameKind::Database)?;
                Ok(Statement::Use { database })
            }
            "BACKUP" => self.backup(),
            "RESTORE" => self.restore(),
            "CANCEL" => self.cancel(),
            "RECOVER" => self.recover(),
            "UNDO" => self.undo(),
            "HOLD" => self.hold_snapshot(),
            "RELEASE" => self.release_snapshot(),
            "APPLY" => self.apply_retention(),
            "SWEEP" => self.sweep_repository(),
            "VERIFY" => self.verify_repository(),
            "SET" => self.set(),
            "START" | "BEGIN" | "COMMIT" | "ROLLBACK" => self.transaction(),
            "KILL" => self.kill(),
            "GRANT" => self.grant(),
            "REVOKE" => self.revoke(),
            verb => Err(self.unknown(verb)),
        }
    }

    fn query_statement(&mut self) -> Parsed<Statement> {
        let query = self.query()?;
        Ok(Statement::Query(Box::new(ast::Statement::Query(query))))
    }

    fn unknown(&self, verb: &str) -> super::SqlError {
        if FOREIGN.contains(&verb) {
            return self.unsupported(format!("{verb} is not supported"));
        }
        let error = self.expected("a statement");
        match VERBS.iter().find(|known| close(known, verb)) {
            Some(known) => error.hint(format!("did you mean {known}?")),
            None => error,
        }
    }

    fn create(&mut self) -> Parsed<Statement> {
        self.skip();
        if self.eat(&["DATABASE"]) || self.eat(&["SCHEMA"]) {
            let if_not_exists = self.eat(&["IF", "NOT", "EXISTS"]);
            let name = self.new_name(NameKind::Database)?;
            return Ok(Statement::CreateDatabase { if_not_exists, name });
        }
        if self.is("REPOSITORY") || (self.is("READ") && self.is_at(1, "ONLY")) {
            return self.create_repository();
        }
        if self.is("TABLE") {
            return self.create_table();
        }
        if self.is("USER") || self.is("ROLE") {
            return self.create_account();
        }
        if (self.is("EXTERNAL") || self.is("TEMPORARY")) && self.is_at(1, "TABLE") {
            return Err(self.unsupported("external and temporary tables are not supported"));
        }
        Err(self.unsupported_object("CREATE", "DATABASE, TABLE, [READ ONLY] REPOSITORY, USER or ROLE"))
    }

    fn drop_statement(&mut self) -> Parsed<Statement> {
        self.skip();
        if self.eat(&["DATABASE"]) || self.eat(&["SCHEMA"]) {
            let if_exists = self.eat(&["IF", "EXISTS"]);
            let name = self.name(NameKind::Database)?;
            let force = self.eat(&["FORCE"]);
            return Ok(Statement::DropDatabase { if_exists, name, force });
        }
        if self.eat(&["TABLE"]) {
            let if_exists = self.eat(&["IF", "EXISTS"]);
            let name = self.object(NameKind::Table)?;
            let force = self.eat(&["FORCE"]);
            return Ok(Statement::DropTable { if_exists, name, force });
        }
        if self.eat(&["REPOSITORY"]) {
            let name = self.name(NameKind::Repository)?;
            return Ok(Statement::DropRepository { name });
        }
        if self.eat(&["SNAPSHOT"]) {
            return self.drop_snapshot();
        }
        if self.is("USER") || self.is("ROLE") {
            return self.drop_account();
        }
        Err(self.unsupported_object("DROP", "DATABASE, TABLE, REPOSITORY, SNAPSHOT, USER or ROLE"))
    }

    /// An error for CREATE, DROP or ALTER of what there is none of.
    fn unsupported_object(&self, verb: &str, known: &str) -> super::SqlError {
        const OBJECTS: &[&str] = &[
            "ANALYZE",
            "CATALOG",
            "EVENT",
            "EXTERNAL",
            "FILE",
            "FUNCTION",
            "GLOBAL",
            "INDEX",
            "LOAD",
            "MATERIALIZED",
            "OR",
            "PIPE",
            "PROCEDURE",
            "RESOURCE",
            "ROLE",
            "ROUTINE",
            "SECURITY",
            "SERVER",
            "STORAGE",
            "SYSTEM",
            "TASK",
            "TRIGGER",
            "UNIQUE",
            "VIEW",
            "WAREHOUSE",
        ];
        match self.bare_word().map(str::to_ascii_uppercase) {
            Some(word) if OBJECTS.contains(&word.as_str()) => {
                self.unsupported(format!("{verb} {word} is not supported"))
            }
            _ => self.expected(known),
        }
    }

    /// `EXPLAIN statement`, `DESC table`; each word does both.
    fn explain(&mut self) -> Parsed<Statement> {
        self.skip();
        let mode = if self.is_explainable(1) {
            match self.eat_one(&["LOGICAL", "VERBOSE", "COSTS", "ANALYZE"]) {
                Some("LOGICAL") => ExplainMode::Logical,
                Some("VERBOSE") => ExplainMode::Verbose,
                Some("COSTS") => ExplainMode::Costs,
                Some("ANALYZE") => ExplainMode::Analyze,
                _ => ExplainMode::Plan,
            }
        } else {
            ExplainMode::Plan
        };
        if self.is_explainable(0) {
            let statement = Box::new(self.any_statement()?);
            return Ok(Statement::Explain(Explain { mode, statement }));
        }
        let drops = self.is("DROP") && self.is_at(1, "SNAPSHOT");
        if drops || self.begins_job("BACKUP") || self.begins_job("RESTORE") {
            return Ok(Statement::ExplainJob(Box::new(self.any_statement()?)));
        }
        let table = self.object(NameKind::Table)?;
        let column = if self.at_end() { None } else { Some(self.name(NameKind::Column)?) };
        Ok(Statement::Describe { table, column })
    }

    /// Whether BACKUP or RESTORE begins a statement here and is not the name of a table.
    fn begins_job(&self, verb: &str) -> bool {
        self.is(verb) && ["SNAPSHOT", "DATABASE", "ALL", "EXTERNAL"].iter().any(|next| self.is_at(1, next))
    }

    fn is_explainable(&self, ahead: usize) -> bool {
        self.is_token_at(ahead, &Token::LParen)
            || ["SELECT", "WITH", "VALUES", "TABLE", "INSERT", "UPDATE", "DELETE"]
                .iter()
                .any(|verb| self.is_at(ahead, verb))
    }
}

/// Whether two words differ by one letter missing, added or changed, or by two neighbours swapped.
fn close(known: &str, written: &str) -> bool {
    let (known, written) = (known.as_bytes(), written.as_bytes());
    if known.len().abs_diff(written.len()) > 1 || written.len() < 3 {
        return false;
    }
    let same = known.iter().zip(written).take_while(|(a, b)| a == b).count();
    let rest = |word: &'_ [u8], skip: usize| word.get(same + skip..).unwrap_or_default().to_vec();
    if rest(known, 1) == rest(written, 1) || rest(known, 0) == rest(written, 1) || rest(known, 1) == rest(written, 0) {
        return true;
    }
    let swapped = |word: &[u8]| [word.get(same + 1).copied(), word.get(same).copied()];
    swapped(known) == [written.get(same).copied(), written.get(same + 1).copied()] && rest(known, 2) == rest(written, 2)
}
