//! PARTITION BY and what ALTER TABLE .. ADD PARTITION shares with it.

use sqlparser::tokenizer::Token;

use crate::sql::cursor::{Cursor, Parsed};
use crate::sql::error::SqlError;
use crate::sql::names::NameKind;
use crate::sql::statement::{
    AddPartitions, BoundValue, IntervalUnit, ListPartition, PartitionBy, PartitionItem, PartitionSeries, Properties,
    RangeBounds, RangePartition, SeriesStep,
};

impl Cursor<'_> {
    /// `PARTITION BY ..`, with the cursor at PARTITION.
    pub(in crate::sql) fn partition_by(&mut self) -> Parsed<PartitionBy> {
        self.want(&["PARTITION", "BY"])?;
        if self.eat(&["RANGE"]) {
            let columns = self.names(NameKind::Column)?;
            let width = columns.len();
            let partitions = self.partition_list(|cursor| cursor.range_item(width))?;
            return Ok(PartitionBy::Range { columns, partitions });
        }
        if self.eat(&["LIST"]) {
            let columns = self.names(NameKind::Column)?;
            let width = columns.len();
            let partitions = self.partition_list(|cursor| {
                cursor.want(&["PARTITION"])?;
                let (if_not_exists, name) = cursor.new_partition()?;
                cursor.list_partition(if_not_exists, name, Some(width))
            })?;
            return Ok(PartitionBy::List { columns, partitions });
        }
        let expression = self.is_token(&Token::LParen) || self.is_name_at(0);
        if expression {
            return Err(self
                .unsupported("partitioning by an expression is not supported")
                .hint("write PARTITION BY RANGE (..) or LIST (..)"));
        }
        Err(self.expected("RANGE or LIST"))
    }

    /// `[(item, ..)]`; the parentheses may be empty.
    fn partition_list<T>(&mut self, item: impl FnMut(&mut Self) -> Parsed<T>) -> Parsed<Vec<T>> {
        if !self.is_token(&Token::LParen) {
            return Ok(Vec::new());
        }
        if self.is_token_at(1, &Token::RParen) {
            self.skip();
            self.skip();
            return Ok(Vec::new());
        }
        self.parens(item)
    }

    fn range_item(&mut self, width: usize) -> Parsed<PartitionItem> {
        if self.is("START") {
            return Ok(PartitionItem::Series(self.series()?));
        }
        self.refuse_temporary()?;
        self.want(&["PARTITION"])?;
        let (if_not_exists, name) = self.new_partition()?;
        let partition = self.range_partition(if_not_exists, name, Some(width))?;
        Ok(PartitionItem::One(partition))
    }

    fn refuse_temporary(&self) -> Parsed<()> {
        if self.is("TEMPORARY") {
            return Err(self.unsupported("temporary partitions are not supported"));
        }
        Ok(())
    }

    fn new_partition(&mut self) -> Parsed<(bool, String)> {
        let if_not_exists = self.eat(&["IF", "NOT", "EXISTS"]);
        let name = self.new_name(NameKind::Partition)?;
        Ok((if_not_exists, name))
    }

    /// What ADD PARTITION adds, with the cursor at PARTITION or PARTITIONS.
    pub(in crate::sql) fn added_partitions(&mut self) -> Parsed<AddPartitions> {
        self.refuse_temporary()?;
        if self.eat_one(&["PARTITIONS", "PARTITION"]).is_none() {
            return Err(self.expected("PARTITION"));
        }
        if self.is("START") {
            return Ok(AddPartitions::Series(self.series()?));
        }
        let (if_not_exists, name) = self.new_partition()?;
        if self.is("VALUES") && self.is_at(1, "IN") {
            let partition = self.list_partition(if_not_exists, name, None)?;
            return Ok(AddPartitions::List(partition));
        }
        let partition = self.range_partition(if_not_exists, name, None)?;
        Ok(AddPartitions::Range(partition))
    }

    /// `VALUES LESS THAN ..` or `VALUES [..)`
    fn range_partition(&mut self, if_not_exists: bool, name: String, width: Option<usize>) -> Parsed<RangePartition> {
        self.want(&["VALUES"])?;
        let bounds = if self.eat(&["LESS"]) {
            self.want(&["THAN"])?;
            if self.eat(&["MAXVALUE"]) {
                RangeBounds::LessThanMax
            } else {
                let values = self.bound(width)?;
                if values.iter().all(|value| *value == BoundValue::Max) {
                    RangeBounds::LessThanMax
                } else {
                    RangeBounds::LessThan(values)
                }
            }
        } else if self.eat_token(&Token::LBracket) {
            let lower = self.bound(width)?;
            self.want_token(&Token::Comma)?;
            let upper = self.bound(width)?;
            if !self.eat_token(&Token::RParen) {
                return Err(self
                    .expected(")")
                    .hint("a range is written [(lower), (upper)): the upper end is not in it"));
            }
            RangeBounds::Between { lower, upper }
        } else {
            return Err(self.expected("LESS THAN or ["));
        };
        let properties = self.partition_properties()?;
        Ok(RangePartition { if_not_exists, name, bounds, properties })
    }

    fn partition_properties(&mut self) -> Parsed<Properties> {
        if self.is_token(&Token::LParen) { self.property_list() } else { Ok(Properties::new()) }
    }

    /// `(value, ..)`, at most as many as the table has partition columns.
    fn bound(&mut self, width: Option<usize>) -> Parsed<Vec<BoundValue>> {
        let at = self.here();
        let values = self.parens(Self::bound_value)?;
        if width.is_some_and(|width| values.len() > width) {
            return Err(SqlError::syntax("there are more values than partition columns", at.line, at.column));
        }
        Ok(values)
    }

    fn bound_value(&mut self) -> Parsed<BoundValue> {
        if self.eat(&["MAXVALUE"]) {
            return Ok(BoundValue::Max);
        }
        // DATE '2024-01-01' says no more than the string.
        if (self.is("DATE") || self.is("DATETIME")) && !self.is_token_at(1, &Token::LParen) {
            self.skip();
        }
        if self.is_string() {
            return Ok(BoundValue::Value(self.string("a bound")?));
        }
        if let Some(number) = self.signed_number() {
            return Ok(BoundValue::Value(number));
        }
        if self.is("NULL") {
            return Err(self.wrong("a bound cannot be NULL"));
        }
        Err(self.expected("a bound: a string, a number or MAXVALUE"))
    }

    /// `START ("a") END ("b") EVERY (step)`, with the cursor at START.
    fn series(&mut self) -> Parsed<PartitionSeries> {
        self.want(&["START"])?;
        let start = self.series_end()?;
        self.want(&["END"])?;
        let end = self.series_end()?;
        self.want(&["EVERY"])?;
        self.want_token(&Token::LParen)?;
        let step = if self.eat(&["INTERVAL"]) {
            let at = self.here();
            let count = self.number("the interval")?;
            if count == 0 {
                return Err(no_step(at.line, at.column));
            }
            let unit = self.interval_unit()?;
            SeriesStep::Interval { count, unit }
        } else {
            let at = self.here();
            match self.number("the step")? {
                0 => return Err(no_step(at.line, at.column)),
                step => SeriesStep::Number(step),
            }
        };
        self.want_token(&Token::RParen)?;
        Ok(PartitionSeries { start, end, step })
    }

    fn series_end(&mut self) -> Parsed<String> {
        self.want_token(&Token::LParen)?;
        let value = if self.is_string() {
            self.string("a bound")?
        } else if let Some(number) = self.signed_number() {
            number
        } else {
            return Err(self.expected("a string or a number"));
        };
        self.want_token(&Token::RParen)?;
        Ok(value)
    }

    fn interval_unit(&mut self) -> Parsed<IntervalUnit> {
        let unit = match self.bare_word().map(str::to_ascii_uppercase).as_deref() {
            Some("HOUR" | "HOURS") => IntervalUnit::Hour,
            Some("DAY" | "DAYS") => IntervalUnit::Day,
            Some("WEEK" | "WEEKS") => IntervalUnit::Week,
            Some("MONTH" | "MONTHS") => IntervalUnit::Month,
            Some("QUARTER" | "QUARTERS") => IntervalUnit::Quarter,
            Some("YEAR" | "YEARS") => IntervalUnit::Year,
            _ => return Err(self.expected("HOUR, DAY, WEEK, MONTH, QUARTER or YEAR")),
        };
        self.skip();
        Ok(unit)
    }

    /// `VALUES IN ("a", "b")` or `VALUES IN (("a", "b"), ..)`
    fn list_partition(&mut self, if_not_exists: bool, name: String, width: Option<usize>) -> Parsed<ListPartition> {
        self.want(&["VALUES", "IN"])?;
        let mut found = width;
        let values = self.parens(|cursor| {
            let at = cursor.here();
            let row = if cursor.is_token(&Token::LParen) {
                cursor.parens(Self::list_value)?
            } else {
                vec![cursor.list_value()?]
            };
            match *found.get_or_insert(row.len()) {
                width if width == row.len() => Ok(row),
                width => Err(SqlError::syntax(
                    format!("the entry has {} values, expected {width}", row.len()),
                    at.line,
                    at.column,
                )),
            }
        })?;
        let properties = self.partition_properties()?;
        Ok(ListPartition { if_not_exists, name, values, properties })
    }

    fn list_value(&mut self) -> Parsed<Option<String>> {
        if self.eat(&["NULL"]) {
            return Ok(None);
        }
        if (self.is("DATE") || self.is("DATETIME")) && !self.is_token_at(1, &Token::LParen) {
            self.skip();
        }
        if self.is_string() {
            return Ok(Some(self.string("a value")?));
        }
        match self.signed_number() {
            Some(number) => Ok(Some(number)),
            None => Err(self.expected("a value: a string, a number or NULL")),
        }
    }
}

fn no_step(line: u64, column: u64) -> SqlError {
    SqlError::syntax("the step must be at least 1", line, column)
}
