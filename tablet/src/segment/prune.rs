//! Which rows of a segment cannot match a condition, told from the statistics of its row groups and pages alone.

use super::positions::{both, push};
use crate::datum::Datum;
use crate::error::{Error, Result};
use crate::schema::Schema;
use crate::types::ColumnType;
use arrow::array::{Array, ArrayRef, UInt64Array};
use parquet::arrow::arrow_reader::ArrowReaderMetadata;
use parquet::arrow::arrow_reader::statistics::StatisticsConverter;
use parquet::errors::ParquetError;
use std::ops::Range;

/// How a column is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CompareOp {
    /// Equal.
    Eq,
    /// Less.
    Lt,
    /// Less or equal.
    LtEq,
    /// Greater.
    Gt,
    /// Greater or equal.
    GtEq,
    /// NULL; the value does not count.
    IsNull,
    /// Not NULL; the value does not count.
    IsNotNull,
}

/// A condition on one column. Rows that cannot meet it may be left out of a scan; others that do not meet it may come all the same.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Predicate {
    /// The column's place in the table.
    pub column: usize,
    /// How it is compared.
    pub op: CompareOp,
    /// With what: a value of the column's type. Compared with NULL nothing matches.
    pub value: Datum,
}

impl Predicate {
    /// Checks that the column is there and the value of its type.
    fn check(&self, schema: &Schema) -> Result<()> {
        let column = schema
            .columns()
            .get(self.column)
            .ok_or_else(|| Error::Invalid(format!("there is no column {} to prune by", self.column)))?;
        let of_type = match (&self.value, column.data_type) {
            (Datum::Null, _)
            | (Datum::Bool(_), ColumnType::Boolean)
            | (
                Datum::Int(_),
                ColumnType::TinyInt
                | ColumnType::SmallInt
                | ColumnType::Int
                | ColumnType::BigInt
                | ColumnType::LargeInt,
            )
            | (Datum::Float(_), ColumnType::Float | ColumnType::Double)
            | (Datum::Decimal { .. }, ColumnType::Decimal { .. })
            | (Datum::Date(_), ColumnType::Date)
            | (Datum::DateTime(_), ColumnType::DateTime)
            | (Datum::Text(_), ColumnType::Char(_) | ColumnType::Varchar(_) | ColumnType::String)
            | (Datum::Bytes(_), ColumnType::Varbinary(_)) => true,
            _ => matches!(self.op, CompareOp::IsNull | CompareOp::IsNotNull),
        };
        if of_type {
            return Ok(());
        }
        Err(Error::Invalid(format!(
            "'{}' cannot be compared with column '{}', {}",
            self.value, column.name, column.data_type
        )))
    }

    /// Whether any of the rows that the statistics are of can match.
    fn may_match(&self, of: &Summary) -> bool {
        let all_null = of.nulls.is_some_and(|nulls| nulls >= of.rows);
        match self.op {
            CompareOp::IsNull => return of.nulls.is_none_or(|nulls| nulls > 0),
            CompareOp::IsNotNull => return !all_null,
            CompareOp::Eq | CompareOp::Lt | CompareOp::LtEq | CompareOp::Gt | CompareOp::GtEq => {}
        }
        if self.value.is_null() || all_null {
            return false;
        }
        if of.min.is_null() || of.max.is_null() {
            return true;
        }
        if let Datum::Float(value) = self.value {
            // NaN is greater than all and not among the statistics.
            if value.is_nan() || matches!(self.op, CompareOp::Gt | CompareOp::GtEq) {
                return true;
            }
        }
        match self.op {
            CompareOp::Eq => of.min <= self.value && self.value <= of.max,
            CompareOp::Lt => of.min < self.value,
            CompareOp::LtEq => of.min <= self.value,
            CompareOp::Gt => of.max > self.value,
            CompareOp::GtEq => of.max >= self.value,
            CompareOp::IsNull | CompareOp::IsNotNull => true,
        }
    }
}

/// What is known about some rows of a column. Least and greatest are bounds that need not occur; NULL when not known.
#[derive(Debug)]
struct Summary {
    rows: u64,
    nulls: Option<u64>,
    min: Datum,
    max: Datum,
}

/// Statistics of several row groups or pages.
struct Summaries {
    mins: ArrayRef,
    maxes: ArrayRef,
    nulls: UInt64Array,
}

impl Summaries {
    fn get(&self, at: usize, rows: u64) -> Result<Summary> {
        let nulls = (at < self.nulls.len() && self.nulls.is_valid(at)).then(|| self.nulls.value(at));
        Ok(Summary { rows, nulls, min: Datum::at(&self.mins, at)?, max: Datum::at(&self.maxes, at)? })
    }
}

/// Positions of the rows that may match all predicates. `groups` are the positions of the row groups.
pub(super) fn candidates(
    name: &str,
    schema: &Schema,
    metadata: &ArrowReaderMetadata,
    groups: &[Range<u32>],
    predicates: &[Predicate],
) -> Result<Vec<Range<u32>>> {
    let mut wanted = Vec::new();
    for group in groups {
        push(&mut wanted, group.clone());
    }
    for predicate in predicates {
        predicate.check(schema)?;
        wanted = both(&wanted, &matching(name, metadata, groups, predicate)?);
    }
    Ok(wanted)
}

/// Positions of the rows that may match one predicate: pages of row groups.
fn matching(
    name: &str,
    metadata: &ArrowReaderMetadata,
    groups: &[Range<u32>],
    predicate: &Predicate,
) -> Result<Vec<Range<u32>>> {
    let unreadable = |error: ParquetError| Error::corrupt(name, "readable statistics", error.to_string());
    let field = metadata
        .schema()
        .fields()
        .get(predicate.column)
        .ok_or_else(|| Error::Invalid(format!("there is no column {} to prune by", predicate.column)))?;
    let converter = StatisticsConverter::from_column_index(predicate.column, field, metadata.parquet_schema())
        .map_err(&unreadable)?;
    let parquet = metadata.metadata();
    let by_group = Summaries {
        mins: converter.row_group_mins(parquet.row_groups()).map_err(&unreadable)?,
        maxes: converter.row_group_maxes(parquet.row_groups()).map_err(&unreadable)?,
        nulls: converter.row_group_null_counts(parquet.row_groups()).map_err(&unreadable)?,
    };
    let mut wanted = Vec::new();
    for (at, group) in groups.iter().enumerate() {
        let rows = u64::from(group.end.saturating_sub(group.start));
        if !predicate.may_match(&by_group.get(at, rows)?) {
            continue;
        }
        let (Some(pages), Some(index)) = (parquet.offset_index(), parquet.column_index()) else {
            push(&mut wanted, group.clone());
            continue;
        };
        let Some(locations) = pages.get(at).and_then(|columns| columns.get(predicate.column)) else {
            push(&mut wanted, group.clone());
            continue;
        };
        let by_page = Summaries {
            mins: converter.data_page_mins(index, pages, [&at]).map_err(&unreadable)?,
            maxes: converter.data_page_maxes(index, pages, [&at]).map_err(&unreadable)?,
            nulls: converter.data_page_null_counts(index, pages, [&at]).map_err(&unreadable)?,
        };
        let starts = locations.page_locations().iter().map(|page| u32::try_from(page.first_row_index).ok());
        let starts = starts
            .map(|start| start.and_then(|start| group.start.checked_add(start)).filter(|start| *start <= group.end))
            .collect::<Option<Vec<u32>>>()
            .ok_or_else(|| Error::corrupt(name, "pages inside their row group", "pages behind its end"))?;
        let ends = starts.iter().copied().skip(1).chain([group.end]);
        for (page, (start, end)) in starts.iter().copied().zip(ends).enumerate() {
            let rows = u64::from(end.saturating_sub(start));
            if rows > 0 && predicate.may_match(&by_page.get(page, rows)?) {
                push(&mut wanted, start..end);
            }
        }
    }
    Ok(wanted)
}
