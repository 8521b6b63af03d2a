//! Repositories, BACKUP, RESTORE, CANCEL and snapshots.

use sqlparser::tokenizer::Token;

use crate::sql::cursor::{Cursor, Parsed};
use crate::sql::error::SqlError;
use crate::sql::names::NameKind;
use crate::sql::statement::{
    Backup, CatalogName, Catalogs, CreateRepository, NamedObject, ObjectKind, ObjectSelection, PartitionSelection,
    Restore, SnapshotFilter, Statement,
};

/// What SHOW SNAPSHOT's WHERE may be.
const SNAPSHOT_SHAPE: &str =
    "write WHERE SNAPSHOT = 'label' [AND TIMESTAMP = 'time'] or WHERE SNAPSHOT IN ('label', ..)";

impl Cursor<'_> {
    /// `[READ ONLY] REPOSITORY ..`, after CREATE.
    pub(in crate::sql) fn create_repository(&mut self) -> Parsed<Statement> {
        let read_only = self.eat(&["READ", "ONLY"]);
        self.want(&["REPOSITORY"])?;
        if self.is("IF") {
            return Err(self.wrong("CREATE REPOSITORY has no IF NOT EXISTS"));
        }
        let name = self.new_name(NameKind::Repository)?;
        let mut broker = None;
        if self.eat(&["WITH"]) {
            self.want(&["BROKER"])?;
            if self.is_string() {
                broker = Some(self.string("the broker")?).filter(|name| !name.is_empty());
            } else if !self.is("ON") {
                broker = Some(self.name(NameKind::Broker)?);
            }
        }
        if !self.is("ON") {
            return Err(self.expected("ON LOCATION"));
        }
        self.want(&["ON", "LOCATION"])?;
        let at = self.here();
        let location = self.string("the location")?;
        if location.trim().is_empty() {
            return Err(SqlError::syntax("the location is empty", at.line, at.column)
                .hint("write a URL such as 'file:///backups/main'"));
        }
        let properties = self.properties()?;
        Ok(Statement::CreateRepository(CreateRepository { name, read_only, broker, location, properties }))
    }

    /// `BACKUP ..`
    pub(in crate::sql) fn backup(&mut self) -> Parsed<Statement> {
        self.skip();
        let catalogs = self.catalogs(false)?;
        let mut database = None;
        if self.eat(&["DATABASE"]) {
            database = Some(self.name(NameKind::Database)?);
        }
        self.want(&["SNAPSHOT"])?;
        let at = self.here();
        let label = self.new_object(NameKind::SnapshotLabel)?;
        if let (Some(named), Some(dotted)) = (&database, &label.database)
            && named != dotted
        {
            return Err(SqlError::syntax(
                format!("the statement names two databases, {named} and {dotted}"),
                at.line,
                at.column,
            )
            .hint("write the database once"));
        }
        self.want(&["TO"])?;
        let repository = self.name(NameKind::Repository)?;
        let objects = self.objects()?;
        let excluded = self.excluded(objects.is_some())?;
        let properties = self.properties()?;
        let database = database.or(label.database);
        if catalogs.is_some() && (database.is_some() || objects.is_some() || excluded.is_some()) {
            return Err(SqlError::syntax(
                "a backup of external catalogs has no database and no ON",
                at.line,
                at.column,
            )
            .hint("back the database up with a statement of its own"));
        }
        Ok(Statement::Backup(Box::new(Backup {
            database,
            label: label.name,
            repository,
            catalogs,
            objects,
            excluded,
            properties,
        })))
    }

    /// `RESTORE ..`
    pub(in crate::sql) fn restore(&mut self) -> Parsed<Statement> {
        self.skip();
        self.want(&["SNAPSHOT"])?;
        let label_at = self.here();
        let label = self.new_object(NameKind::SnapshotLabel)?;
        self.want(&["FROM"])?;
        let repository = self.name(NameKind::Repository)?;
        let catalogs = self.catalogs(true)?;
        let mut snapshot_database = None;
        let mut alias = None;
        if self.eat(&["DATABASE"]) {
            snapshot_database = Some(self.name(NameKind::Database)?);
            if self.eat(&["AS"]) {
                alias = Some(self.new_name(NameKind::Database)?);
            }
        }
        if let (Some(dotted), Some(alias)) = (&label.database, &alias)
            && dotted != alias
        {
            return Err(SqlError::syntax(
                format!("the statement names two target databases, {dotted} and {alias}"),
                label_at.line,
                label_at.column,
            )
            .hint("write the target once"));
        }
        let objects = self.objects()?;
        let excluded = self.excluded(objects.is_some())?;
        let properties = self.properties()?;
        let target_database = alias.or(label.database).or_else(|| snapshot_database.clone());
        if catalogs.is_some() && (target_database.is_some() || objects.is_some() || excluded.is_some()) {
            return Err(SqlError::syntax(
                "a restore of external catalogs has no database and no ON",
                label_at.line,
                label_at.column,
            )
            .hint("restore the database with a statement of its own"));
        }
        Ok(Statement::Restore(Box::new(Restore {
            label: label.name,
            repository,
            snapshot_database,
            target_database,
            catalogs,
            objects,
            excluded,
            properties,
        })))
    }

    /// `[ALL EXTERNAL CATALOGS | EXTERNAL CATALOG[S] (c, ..)]`
    fn catalogs(&mut self, aliases: bool) -> Parsed<Option<Catalogs>> {
        if self.is("ALL") && self.is_at(1, "EXTERNAL") {
            self.want(&["ALL", "EXTERNAL"])?;
            self.want_catalog_word()?;
            return Ok(Some(Catalogs::All));
        }
        if !self.eat(&["EXTERNAL"]) {
            return Ok(None);
        }
        self.want_catalog_word()?;
        let catalog = |cursor: &mut Self| {
            let name = cursor.name(NameKind::Catalog)?;
            let alias = if aliases && cursor.eat(&["AS"]) { Some(cursor.new_name(NameKind::Catalog)?) } else { None };
            Ok(CatalogName { name, alias })
        };
        let listed = if self.is_token(&Token::LParen) { self.parens(catalog)? } else { vec![catalog(self)?] };
        Ok(Some(Catalogs::Listed(listed)))
    }

    fn want_catalog_word(&mut self) -> Parsed<()> {
        match self.eat_one(&["CATALOGS", "CATALOG"]) {
            Some(_) => Ok(()),
            None => Err(self.expected("CATALOG")),
        }
    }

    /// `[ON (object, ..)]`
    fn objects(&mut self) -> Parsed<Option<Vec<ObjectSelection>>> {
        if !self.eat(&["ON"]) {
            return Ok(None);
        }
        if self.is_token(&Token::LParen) && self.is_token_at(1, &Token::RParen) {
            return Err(self.wrong("ON (..) is empty").hint("leave ON out for everything"));
        }
        Ok(Some(self.parens(Self::object_selection)?))
    }

    /// `[EXCLUDE (object, ..)]`
    fn excluded(&mut self, listed: bool) -> Parsed<Option<Vec<NamedObject>>> {
        if !self.is("EXCLUDE") {
            return Ok(None);
        }
        if listed {
            return Err(self
                .wrong("ON and EXCLUDE do not go together")
                .hint("list either what is meant or what is not"));
        }
        self.skip();
        if self.is_token(&Token::LParen) && self.is_token_at(1, &Token::RParen) {
            return Err(self.wrong("EXCLUDE (..) is empty").hint("leave EXCLUDE out for everything"));
        }
        let named = |cursor: &mut Self| {
            let at = cursor.here();
            match cursor.object_selection()? {
                ObjectSelection::Named(NamedObject { alias: Some(_), .. }) => {
                    Err(SqlError::syntax("what is excluded has no other name", at.line, at.column))
                }
                ObjectSelection::Named(named) => Ok(named),
                ObjectSelection::All(_) => Err(SqlError::syntax("EXCLUDE takes names", at.line, at.column)
                    .hint("list what is meant after ON instead")),
            }
        };
        Ok(Some(self.parens(named)?))
    }

    fn object_selection(&mut self) -> Parsed<ObjectSelection> {
        if self.eat(&["ALL"]) {
            return match self.object_kind() {
                Some(kind) => Ok(ObjectSelection::All(kind)),
                None => Err(self.expected("TABLES, VIEWS, MATERIALIZED VIEWS or FUNCTIONS")),
            };
        }
        // A bare word before another name says what that is; before anything else it is itself the name.
        let words = if self.is("MATERIALIZED") { 2 } else { 1 };
        let kind = if self.is_name_at(words) || self.is("TABLE") { self.object_kind() } else { None };
        let kind = kind.unwrap_or(ObjectKind::Table);
        let name_kind = if kind == ObjectKind::Function { NameKind::Function } else { NameKind::Table };
        let name = self.name(name_kind)?;
        if self.is_token(&Token::Period) {
            return Err(self
                .wrong("the objects in ON have no database of their own")
                .hint("write the database before the label or after DATABASE"));
        }
        let partitions = if kind == ObjectKind::Table { self.partition_selection()? } else { None };
        let alias = if self.eat(&["AS"]) { Some(self.new_name(name_kind)?) } else { None };
        Ok(ObjectSelection::Named(NamedObject { kind, name, partitions, alias }))
    }

    fn object_kind(&mut self) -> Option<ObjectKind> {
        if self.eat(&["MATERIALIZED", "VIEW"]) || self.eat(&["MATERIALIZED", "VIEWS"]) {
            return Some(ObjectKind::MaterializedView);
        }
        match self.eat_one(&["TABLE", "TABLES", "VIEW", "VIEWS", "FUNCTION", "FUNCTIONS"])? {
            "TABLE" | "TABLES" => Some(ObjectKind::Table),
            "VIEW" | "VIEWS" => Some(ObjectKind::View),
            _ => Some(ObjectKind::Function),
        }
    }

    /// `[[TEMPORARY] PARTITION[S] (p, ..) | p]`
    fn partition_selection(&mut self) -> Parsed<Option<PartitionSelection>> {
        let temporary = self.is("TEMPORARY") && (self.is_at(1, "PARTITION") || self.is_at(1, "PARTITIONS"));
        if temporary {
            self.skip();
        }
        if self.eat_one(&["PARTITION", "PARTITIONS"]).is_none() {
            return Ok(None);
        }
        let names = if self.is_token(&Token::LParen) {
            self.names(NameKind::Partition)?
        } else {
            vec![self.name(NameKind::Partition)?]
        };
        Ok(Some(PartitionSelection { temporary, names }))
    }

    /// `CANCEL BACKUP ..`, `CANCEL RESTORE ..`, `CANCEL VERIFY ..`
    pub(in crate::sql) fn cancel(&mut self) -> Parsed<Statement> {
        self.skip();
        if self.eat(&["VERIFY"]) {
            return self.cancel_verify();
        }
        let backup = match self.eat_one(&["BACKUP", "RESTORE"]) {
            Some(word) => word == "BACKUP",
            None if self.is("LOAD") || self.is("EXPORT") || self.is("ALTER") => {
                return Err(self.unsupported("only BACKUP, RESTORE and VERIFY can be cancelled"));
            }
            None => return Err(self.expected("BACKUP, RESTORE or VERIFY")),
        };
        let mut external_catalog = false;
        let mut database = None;
        if self.eat(&["FOR"]) {
            self.want(&["EXTERNAL", "CATALOG"])?;
            external_catalog = true;
        } else if self.eat_one(&["FROM", "IN"]).is_some() {
            database = Some(self.name(NameKind::Database)?);
        }
        Ok(if backup {
            Statement::CancelBackup { database, external_catalog }
        } else {
            Statement::CancelRestore { database, external_catalog }
        })
    }

    /// `[WHERE ..]` of SHOW SNAPSHOT.
    pub(in crate::sql) fn snapshot_filter(&mut self) -> Parsed<SnapshotFilter> {
        if !self.eat(&["WHERE"]) {
            return Ok(SnapshotFilter::All);
        }
        let mut label = None;
        let mut timestamp = None;
        loop {
            let at = self.here();
            let slot = if self.eat(&["SNAPSHOT"]) {
                if label.is_none() && timestamp.is_none() && self.eat(&["IN"]) {
                    let labels = self.parens(Self::snapshot_text)?;
                    return if self.at_end() {
                        Ok(SnapshotFilter::Labels(labels))
                    } else {
                        Err(self.wrong("SNAPSHOT IN (..) goes with nothing else").hint(SNAPSHOT_SHAPE))
                    };
                }
                &mut label
            } else if self.eat(&["TIMESTAMP"]) {
                &mut timestamp
            } else {
                return Err(self.expected("SNAPSHOT").hint(SNAPSHOT_SHAPE));
            };
            if slot.is_some() {
                return Err(SqlError::syntax("the same is asked twice", at.line, at.column).hint(SNAPSHOT_SHAPE));
            }
            if !self.eat_token(&Token::Eq) {
                return Err(self.expected("=").hint(SNAPSHOT_SHAPE));
            }
            *slot = Some(self.snapshot_text()?);
            if self.at_end() {
                break;
            }
            if !self.eat(&["AND"]) {
                return Err(self.expected("AND").hint(SNAPSHOT_SHAPE));
            }
        }
        match (label, timestamp) {
            (Some(label), Some(timestamp)) => Ok(SnapshotFilter::LabelAt { label, timestamp }),
            (Some(label), None) => Ok(SnapshotFilter::Label(label)),
            (None, _) => Err(self.wrong("TIMESTAMP needs a SNAPSHOT beside it").hint(SNAPSHOT_SHAPE)),
        }
    }

    fn snapshot_text(&mut self) -> Parsed<String> {
        let at = self.here();
        let text = self.string("a label or time").map_err(|error| error.hint(SNAPSHOT_SHAPE))?;
        if text.is_empty() {
            return Err(SqlError::syntax("the string is empty", at.line, at.column).hint(SNAPSHOT_SHAPE));
        }
        Ok(text)
    }
}
