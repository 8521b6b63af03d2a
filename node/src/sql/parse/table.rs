//! CREATE TABLE.

use std::collections::BTreeSet;

use sqlparser::tokenizer::Token;

use crate::sql::cursor::{Cursor, Parsed};
use crate::sql::error::SqlError;
use crate::sql::names::NameKind;
use crate::sql::statement::{
    Aggregate, ColumnDef, CreateTable, CreateTableAs, CreateTableLike, DefaultClause, Distribution, KeyClause,
    KeyModel, PartitionBy, Properties, Statement,
};

/// What may follow a table's columns.
#[derive(Default)]
struct TableOptions {
    engine: Option<()>,
    keys: Option<KeyClause>,
    comment: Option<String>,
    partition_by: Option<PartitionBy>,
    distribution: Option<Distribution>,
    order_by: Option<Vec<String>>,
    properties: Option<Properties>,
}

/// What stands in the parentheses after the table's name.
enum Columns {
    Defined(Vec<ColumnDef>),
    Named(Vec<String>),
}

impl Cursor<'_> {
    /// `CREATE TABLE ..`, with the cursor at TABLE.
    pub(in crate::sql) fn create_table(&mut self) -> Parsed<Statement> {
        self.skip();
        let if_not_exists = self.eat(&["IF", "NOT", "EXISTS"]);
        let name = self.new_object(NameKind::Table)?;
        if self.eat(&["LIKE"]) {
            let like = self.object(NameKind::Table)?;
            return Ok(Statement::CreateTableLike(CreateTableLike { if_not_exists, name, like }));
        }
        let columns_at = self.here();
        let columns = if self.is_token(&Token::LParen) { Some(self.columns()?) } else { None };
        let options = self.table_options()?;
        let as_query = self.eat(&["AS"]) || self.is("SELECT") || self.is("WITH");
        if as_query {
            let columns = match columns {
                None => None,
                Some(Columns::Named(names)) => Some(names),
                Some(Columns::Defined(_)) => {
                    return Err(SqlError::syntax(
                        "CREATE TABLE .. AS SELECT takes column names without types",
                        columns_at.line,
                        columns_at.column,
                    )
                    .hint("the types are the query's; use CAST there"));
                }
            };
            let query = self.query()?;
            return Ok(Statement::CreateTableAs(Box::new(CreateTableAs {
                if_not_exists,
                name,
                columns,
                keys: options.keys,
                comment: options.comment,
                partition_by: options.partition_by,
                distribution: options.distribution,
                order_by: options.order_by.unwrap_or_default(),
                properties: options.properties.unwrap_or_default(),
                query,
            })));
        }
        let Some(Columns::Defined(columns)) = columns else {
            return Err(if columns.is_some() {
                self.expected("AS and a query after column names without types")
            } else {
                self.expected("the columns in parentheses, LIKE or AS SELECT")
            });
        };
        Ok(Statement::CreateTable(Box::new(CreateTable {
            if_not_exists,
            name,
            columns,
            keys: options.keys,
            comment: options.comment,
            partition_by: options.partition_by,
            distribution: options.distribution,
            order_by: options.order_by.unwrap_or_default(),
            properties: options.properties.unwrap_or_default(),
        })))
    }

    fn columns(&mut self) -> Parsed<Columns> {
        let only_names =
            self.is_name_at(1) && (self.is_token_at(2, &Token::Comma) || self.is_token_at(2, &Token::RParen));
        if only_names {
            return Ok(Columns::Named(self.names(NameKind::Column)?));
        }
        let mut seen = BTreeSet::new();
        let columns = self.parens(|cursor| {
            let at = cursor.here();
            let column = cursor.column()?;
            if !seen.insert(column.name.to_lowercase()) {
                return Err(SqlError::syntax(format!("column {} is defined twice", column.name), at.line, at.column));
            }
            Ok(column)
        })?;
        Ok(Columns::Defined(columns))
    }

    fn column(&mut self) -> Parsed<ColumnDef> {
        if self.is("INDEX") {
            return Err(self.unsupported("secondary indexes are not supported"));
        }
        for model in ["PRIMARY", "UNIQUE", "DUPLICATE", "AGGREGATE"] {
            if self.is(model) && (self.is_at(1, "KEY") || self.is_token_at(1, &Token::LParen)) {
                return Err(self
                    .wrong(format!("{model} KEY does not stand among the columns"))
                    .hint(format!("write {model} KEY (..) after the closing parenthesis")));
            }
        }
        if self.is("CONSTRAINT") || self.is("FOREIGN") {
            return Err(self.unsupported("constraints are not supported"));
        }
        let name = self.new_name(NameKind::Column)?;
        for sketch in ["HLL", "BITMAP", "PERCENTILE"] {
            if self.is(sketch) {
                return Err(self.unsupported(format!("column {name} has the type {sketch}, which is not supported")).hint(
                    "value columns can be SUM, MIN, MAX, REPLACE or REPLACE_IF_NOT_NULL; count different values with \
                     COUNT(DISTINCT ..) over a DUPLICATE KEY table",
                ));
            }
        }
        let data_type = self.data_type()?;
        let mut column =
            ColumnDef { name, data_type, key: false, aggregate: None, nullable: None, default: None, comment: None };
        loop {
            let at = self.here();
            let twice = |what: &str| SqlError::syntax(format!("{what} is given twice"), at.line, at.column);
            if self.eat(&["KEY"]) {
                if column.key {
                    return Err(twice("KEY"));
                }
                column.key = true;
            } else if self.eat(&["NOT", "NULL"]) {
                if column.nullable.replace(false).is_some() {
                    return Err(twice("NULL or NOT NULL"));
                }
            } else if self.eat(&["NULL"]) {
                if column.nullable.replace(true).is_some() {
                    return Err(twice("NULL or NOT NULL"));
                }
            } else if self.eat(&["DEFAULT"]) {
                let default = self.default_clause()?;
                if column.default.replace(default).is_some() {
                    return Err(twice("DEFAULT"));
                }
            } else if self.eat(&["COMMENT"]) {
                let comment = self.string("a comment")?;
                if column.comment.replace(comment).is_some() {
                    return Err(twice("COMMENT"));
                }
            } else if let Some(aggregate) = self.aggregate() {
                if column.aggregate.replace(aggregate).is_some() {
                    return Err(twice("the aggregate function"));
                }
            } else {
                self.refuse_column_option()?;
                return Ok(column);
            }
        }
    }

    /// Errors for what MySQL has after a column's type and there is none of here.
    fn refuse_column_option(&self) -> Parsed<()> {
        if self.is("AUTO_INCREMENT") {
            return Err(self.unsupported("AUTO_INCREMENT is not supported").hint("give the values when loading"));
        }
        if self.is("AS") || self.is("GENERATED") {
            return Err(self.unsupported("generated columns are not supported"));
        }
        if self.is("PRIMARY") || self.is("UNIQUE") {
            return Err(self
                .wrong("a table's key does not stand at a column")
                .hint("write PRIMARY KEY (..) after the closing parenthesis"));
        }
        if self.is("REFERENCES") || self.is("CHECK") || self.is("CONSTRAINT") {
            return Err(self.unsupported("constraints are not supported"));
        }
        if self.is("CHARSET") || self.is("CHARACTER") || self.is("COLLATE") {
            return Err(self.unsupported("character sets of columns are not supported").hint("text is always UTF-8"));
        }
        Ok(())
    }

    fn aggregate(&mut self) -> Option<Aggregate> {
        let aggregate = match self.bare_word()?.to_ascii_uppercase().as_str() {
            "SUM" => Aggregate::Sum,
            "MIN" => Aggregate::Min,
            "MAX" => Aggregate::Max,
            "REPLACE" => Aggregate::Replace,
            "REPLACE_IF_NOT_NULL" => Aggregate::ReplaceIfNotNull,
            "HLL_UNION" => Aggregate::HllUnion,
            "BITMAP_UNION" => Aggregate::BitmapUnion,
            "PERCENTILE_UNION" => Aggregate::PercentileUnion,
            _ => return None,
        };
        self.skip();
        Some(aggregate)
    }

    fn default_clause(&mut self) -> Parsed<DefaultClause> {
        if self.is_string() {
            return Ok(DefaultClause::Literal(self.string("a default")?));
        }
        if let Some(number) = self.signed_number() {
            return Ok(DefaultClause::Literal(number));
        }
        if self.eat(&["NULL"]) {
            return Ok(DefaultClause::Null);
        }
        if self.eat(&["TRUE"]) {
            return Ok(DefaultClause::Literal("true".to_owned()));
        }
        if self.eat(&["FALSE"]) {
            return Ok(DefaultClause::Literal("false".to_owned()));
        }
        if self.eat(&["CURRENT_TIMESTAMP"]) || (self.is("NOW") && self.eat(&["NOW"])) {
            if self.eat_token(&Token::LParen) {
                self.want_token(&Token::RParen)?;
            }
            if self.is("ON") {
                return Err(self.unsupported("ON UPDATE is not supported"));
            }
            return Ok(DefaultClause::CurrentTimestamp);
        }
        if self.is_token(&Token::LParen) || self.is_token_at(1, &Token::LParen) {
            return Err(self
                .unsupported("a default that is an expression is not supported")
                .hint("a default is a string, a number, NULL or CURRENT_TIMESTAMP"));
        }
        Err(self.expected("a default: a string, a number, NULL or CURRENT_TIMESTAMP"))
    }

    /// Everything after the columns, in any order, each at most once.
    fn table_options(&mut self) -> Parsed<TableOptions> {
        let mut options = TableOptions::default();
        loop {
            let at = self.here();
            let twice = |what: &str| SqlError::syntax(format!("{what} is given twice"), at.line, at.column);
            if self.eat(&["ENGINE"]) {
                self.engine()?;
                if options.engine.replace(()).is_some() {
                    return Err(twice("ENGINE"));
                }
            } else if let Some(keys) = self.key_clause()? {
                if options.keys.replace(keys).is_some() {
                    return Err(twice("the table's key"));
                }
            } else if self.eat(&["COMMENT"]) {
                self.eat_token(&Token::Eq);
                let comment = self.string("a comment")?;
                if options.comment.replace(comment).is_some() {
                    return Err(twice("COMMENT"));
                }
            } else if self.is("PARTITION") {
                let partition_by = self.partition_by()?;
                if options.partition_by.replace(partition_by).is_some() {
                    return Err(twice("PARTITION BY"));
                }
            } else if self.is("DISTRIBUTED") {
                let distribution = self.distribution()?;
                if options.distribution.replace(distribution).is_some() {
                    return Err(twice("DISTRIBUTED BY"));
                }
            } else if self.is("ORDER") {
                self.want(&["ORDER", "BY"])?;
                let columns = self.names(NameKind::Column)?;
                if options.order_by.replace(columns).is_some() {
                    return Err(twice("ORDER BY"));
                }
            } else if self.is("PROPERTIES") {
                let properties = self.properties()?;
                if options.properties.replace(properties).is_some() {
                    return Err(twice("PROPERTIES"));
                }
            } else if self.is("ROLLUP") {
                return Err(self.unsupported("rollups are not supported"));
            } else {
                return Ok(options);
            }
        }
    }

    fn engine(&mut self) -> Parsed<()> {
        self.eat_token(&Token::Eq);
        if self.eat(&["OLAP"]) {
            return Ok(());
        }
        if self.bare_word().is_some() || self.is_string() {
            return Err(self.unsupported("the only engine is OLAP").hint("leave ENGINE out or write ENGINE = OLAP"));
        }
        Err(self.expected("OLAP"))
    }

    fn key_clause(&mut self) -> Parsed<Option<KeyClause>> {
        let model = match self.eat_one(&["DUPLICATE", "PRIMARY", "UNIQUE", "AGGREGATE"]) {
            Some("DUPLICATE") => KeyModel::Duplicate,
            Some("PRIMARY") => KeyModel::Primary,
            Some("UNIQUE") => KeyModel::Unique,
            Some("AGGREGATE") => KeyModel::Aggregate,
            _ => return Ok(None),
        };
        self.want(&["KEY"])?;
        let columns = self.names(NameKind::Column)?;
        Ok(Some(KeyClause { model, columns }))
    }

    /// `DISTRIBUTED BY ..`, with the cursor at DISTRIBUTED.
    pub(in crate::sql) fn distribution(&mut self) -> Parsed<Distribution> {
        self.want(&["DISTRIBUTED", "BY"])?;
        if self.eat(&["RANDOM"]) {
            let buckets = self.buckets()?;
            return Ok(Distribution::Random { buckets });
        }
        if !self.eat(&["HASH"]) {
            return Err(self.expected("HASH or RANDOM"));
        }
        let columns = self.names(NameKind::Column)?;
        let buckets = self.buckets()?;
        Ok(Distribution::Hash { columns, buckets })
    }

    fn buckets(&mut self) -> Parsed<Option<u32>> {
        if !self.eat(&["BUCKETS"]) {
            return Ok(None);
        }
        if self.is("AUTO") {
            self.skip();
            return Ok(None);
        }
        let at = self.here();
        match self.number::<u32>("the number of buckets")? {
            0 => Err(SqlError::syntax("there must be at least one bucket", at.line, at.column)),
            buckets => Ok(Some(buckets)),
        }
    }
}
