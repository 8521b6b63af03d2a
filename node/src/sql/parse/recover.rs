//! RECOVER and UNDO RESTORE.

use sqlparser::tokenizer::Token;

use crate::sql::cursor::{Cursor, Parsed};
use crate::sql::names::NameKind;
use crate::sql::statement::{Recover, Statement};

impl Cursor<'_> {
    /// `RECOVER DATABASE | TABLE | PARTITION ..`
    pub(in crate::sql) fn recover(&mut self) -> Parsed<Statement> {
        self.skip();
        let recover = match self.eat_one(&["DATABASE", "SCHEMA", "TABLE", "PARTITION"]) {
            Some("TABLE") => {
                let name = self.object(NameKind::Table)?;
                Recover::Table { name, id: self.bin_id()?, new_name: self.new_name_after_as(NameKind::Table)? }
            }
            Some("PARTITION") => {
                let name = self.name(NameKind::Partition)?;
                let id = self.bin_id()?;
                self.want(&["FROM"])?;
                Recover::Partition { name, id, table: self.object(NameKind::Table)? }
            }
            Some(_) => {
                let name = self.name(NameKind::Database)?;
                Recover::Database { name, id: self.bin_id()?, new_name: self.new_name_after_as(NameKind::Database)? }
            }
            None => return Err(self.expected("DATABASE, TABLE or PARTITION")),
        };
        Ok(Statement::Recover(recover))
    }

    /// `UNDO RESTORE [FROM d]`
    pub(in crate::sql) fn undo(&mut self) -> Parsed<Statement> {
        self.skip();
        self.want(&["RESTORE"])?;
        let database =
            if self.eat_one(&["FROM", "IN"]).is_some() { Some(self.name(NameKind::Database)?) } else { None };
        Ok(Statement::UndoRestore { database })
    }

    /// The number by which the recycle bin knows something, when one is written.
    fn bin_id(&mut self) -> Parsed<Option<u64>> {
        if self.at_end() || self.is("AS") || self.is("FROM") {
            return Ok(None);
        }
        if self.is_token(&Token::Minus) {
            return Err(self.expected("an id, AS or the end of the statement"));
        }
        self.number("an id, as SHOW CATALOG RECYCLE BIN tells it").map(Some)
    }

    fn new_name_after_as(&mut self, kind: NameKind) -> Parsed<Option<String>> {
        if self.eat(&["AS"]) { self.new_name(kind).map(Some) } else { Ok(None) }
    }
}
