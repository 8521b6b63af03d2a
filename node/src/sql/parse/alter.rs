//! ALTER and TRUNCATE TABLE.

use sqlparser::tokenizer::Token;

use crate::sql::cursor::{Cursor, Parsed};
use crate::sql::names::NameKind;
use crate::sql::statement::{AlterAction, AlterTable, Statement};

impl Cursor<'_> {
    /// `ALTER ..`
    pub(in crate::sql) fn alter(&mut self) -> Parsed<Statement> {
        self.skip();
        if self.eat(&["DATABASE"]) || self.eat(&["SCHEMA"]) {
            let name = self.name(NameKind::Database)?;
            self.want(&["RENAME"])?;
            self.eat(&["TO"]);
            let new_name = self.new_name(NameKind::Database)?;
            return Ok(Statement::RenameDatabase { name, new_name });
        }
        if self.eat(&["REPOSITORY"]) {
            return self.alter_repository();
        }
        if self.is("BACKUP") || self.is("RESTORE") {
            return self.alter_job();
        }
        if self.is("USER") {
            return self.alter_user();
        }
        if !self.eat(&["TABLE"]) {
            return Err(self.unsupported_object("ALTER", "DATABASE, TABLE, REPOSITORY, USER, BACKUP or RESTORE"));
        }
        let table = self.object(NameKind::Table)?;
        let action = self.alter_action()?;
        if self.is_token(&Token::Comma) {
            return Err(self
                .unsupported("several changes in one ALTER TABLE are not supported")
                .hint("write one ALTER TABLE for each"));
        }
        Ok(Statement::AlterTable(Box::new(AlterTable { table, action })))
    }

    fn alter_action(&mut self) -> Parsed<AlterAction> {
        if self.eat(&["ADD"]) {
            if self.is("COLUMN")
                || self.is("INDEX")
                || self.is("ROLLUP")
                || self.is_name_at(0) && !self.is_partition_word()
            {
                return Err(self.unsupported("adding anything but partitions to a table is not supported"));
            }
            let partitions = self.added_partitions()?;
            let distribution = if self.is("DISTRIBUTED") { Some(self.distribution()?) } else { None };
            return Ok(AlterAction::AddPartitions { partitions, distribution });
        }
        if self.eat(&["DROP"]) {
            return self.drop_partitions();
        }
        if self.eat(&["RENAME"]) {
            return self.rename();
        }
        if self.eat(&["SET"]) {
            return Ok(AlterAction::SetProperties(self.property_list()?));
        }
        if self.eat(&["COMMENT"]) {
            self.eat_token(&Token::Eq);
            return Ok(AlterAction::SetComment(self.string("a comment")?));
        }
        match self.bare_word().map(str::to_ascii_uppercase) {
            Some(word)
                if [
                    "MODIFY",
                    "CHANGE",
                    "ALTER",
                    "ORDER",
                    "SWAP",
                    "REPLACE",
                    "TRUNCATE",
                    "COMPACT",
                    "BASE",
                    "CUMULATIVE",
                    "DISTRIBUTED",
                    "OPTIMIZE",
                    "CONVERT",
                    "ENGINE",
                    "DISABLE",
                    "ENABLE",
                ]
                .contains(&word.as_str()) =>
            {
                Err(self.unsupported(format!("ALTER TABLE .. {word} is not supported")))
            }
            _ => Err(self.expected("ADD PARTITION, DROP PARTITION, RENAME, SET or COMMENT")),
        }
    }

    fn is_partition_word(&self) -> bool {
        self.is("PARTITION") || self.is("PARTITIONS") || self.is("TEMPORARY")
    }

    fn drop_partitions(&mut self) -> Parsed<AlterAction> {
        if self.is("TEMPORARY") {
            return Err(self.unsupported("temporary partitions are not supported"));
        }
        if self.eat_one(&["PARTITION", "PARTITIONS"]).is_none() {
            return Err(if self.bare_word().is_some() {
                self.unsupported("dropping anything but partitions from a table is not supported")
            } else {
                self.expected("PARTITION")
            });
        }
        let if_exists = self.eat(&["IF", "EXISTS"]);
        let names = if self.is_token(&Token::LParen) {
            self.names(NameKind::Partition)?
        } else {
            vec![self.name(NameKind::Partition)?]
        };
        let force = self.eat(&["FORCE"]);
        Ok(AlterAction::DropPartitions { if_exists, names, force })
    }

    fn rename(&mut self) -> Parsed<AlterAction> {
        if self.eat(&["PARTITION"]) {
            let name = self.name(NameKind::Partition)?;
            self.eat(&["TO"]);
            let new_name = self.new_name(NameKind::Partition)?;
            return Ok(AlterAction::RenamePartition { name, new_name });
        }
        if (self.is("COLUMN") || self.is("ROLLUP") || self.is("INDEX")) && self.is_name_at(1) {
            return Err(self.unsupported("renaming columns and rollups is not supported"));
        }
        if !self.eat(&["TO"]) {
            self.eat(&["AS"]);
        }
        let new_name = self.new_name(NameKind::Table)?;
        if self.is_token(&Token::Period) {
            return Err(self
                .wrong("a table cannot move to another database")
                .hint("write the new name without a database"));
        }
        Ok(AlterAction::Rename { new_name })
    }

    /// `TRUNCATE TABLE ..`
    pub(in crate::sql) fn truncate(&mut self) -> Parsed<Statement> {
        self.skip();
        self.eat(&["TABLE"]);
        let name = self.object(NameKind::Table)?;
        let partitions = self.partition_names()?;
        Ok(Statement::TruncateTable { name, partitions })
    }

    /// `[PARTITION (p, ..)]`, also one name without parentheses
    pub(in crate::sql) fn partition_names(&mut self) -> Parsed<Option<Vec<String>>> {
        if self.is("TEMPORARY") && (self.is_at(1, "PARTITION") || self.is_at(1, "PARTITIONS")) {
            return Err(self.unsupported("temporary partitions are not supported"));
        }
        if self.eat_one(&["PARTITION", "PARTITIONS"]).is_none() {
            return Ok(None);
        }
        if self.is_token(&Token::LParen) {
            return Ok(Some(self.names(NameKind::Partition)?));
        }
        Ok(Some(vec![self.name(NameKind::Partition)?]))
    }
}
