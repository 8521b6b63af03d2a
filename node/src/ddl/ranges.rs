//! Partitions: their bounds from text, series of them, and that no two overlap. Pure.

#![expect(clippy::wildcard_enum_match_arm, reason = "types that are no moment")]

use crate::error::EngineError;
use crate::sql::{BoundValue, IntervalUnit, ListPartition, PartitionSeries, RangeBounds, RangePartition, SeriesStep};
use catalog::records::{BoundsRecord, PartitionEntry, TableRecord};
use jiff::civil::{Date, DateTime};
use jiff::{Span, Unit};
use std::collections::BTreeSet;
use tablet::{Bounds, ColumnType, Datum, Schema};

/// Partitions that one series may make.
const SERIES_MAX: usize = 4096;

/// A partition to be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Partition {
    pub(super) name: String,
    pub(super) bounds: BoundsRecord,
    /// The same as values.
    pub(super) parsed: Bounds,
}

impl Partition {
    /// The one partition of a table that is not partitioned.
    pub(super) fn all(name: &str) -> Self {
        Self { name: name.to_owned(), bounds: BoundsRecord::All, parsed: Bounds::All }
    }

    /// A partition that a table has.
    ///
    /// # Errors
    /// Corrupt or Invalid, when the record contradicts itself.
    pub(super) fn existing(table: &TableRecord, entry: &PartitionEntry) -> Result<Self, EngineError> {
        let parsed = snapshot::schema::bounds(table, entry)?;
        Ok(Self { name: entry.name.clone(), bounds: entry.bounds.clone(), parsed })
    }

    fn range(name: String, lower: Option<Vec<Datum>>, upper: Option<Vec<Datum>>) -> Self {
        let bounds = BoundsRecord::Range { lower: lower.as_deref().map(text), upper: upper.as_deref().map(text) };
        Self { name, bounds, parsed: Bounds::Range { lower, upper } }
    }
}

fn types(schema: &Schema, columns: &[usize]) -> Vec<(String, ColumnType)> {
    let found = columns.iter().filter_map(|at| schema.columns().get(*at));
    found.map(|column| (column.name.clone(), column.data_type)).collect()
}

/// The values of a bound; `None` for MAXVALUE.
fn tuple(
    partition: &str,
    types: &[(String, ColumnType)],
    values: &[BoundValue],
) -> Result<Option<Vec<Datum>>, EngineError> {
    if values.is_empty() || values.len() > types.len() {
        return Err(EngineError::invalid(format!(
            "partition '{partition}': a bound of {} values, where the table is partitioned by {} columns",
            values.len(),
            types.len()
        )));
    }
    let mut datums = Vec::with_capacity(values.len());
    for ((column, data_type), value) in types.iter().zip(values) {
        match value {
            BoundValue::Value(text) => datums.push(parse(partition, column, *data_type, text)?),
            BoundValue::Max if datums.is_empty() && values.iter().all(|value| *value == BoundValue::Max) => {
                return Ok(None);
            }
            BoundValue::Max => {
                return Err(EngineError::unsupported(format!(
                    "partition '{partition}': MAXVALUE beside other values is not supported; write it for all columns"
                )));
            }
        }
    }
    Ok(Some(datums))
}

fn parse(partition: &str, column: &str, data_type: ColumnType, text: &str) -> Result<Datum, EngineError> {
    Datum::parse(&data_type, text).map_err(|wrong| {
        EngineError::invalid(format!("partition '{partition}': {wrong}, the type of partition column '{column}'"))
    })
}

fn text(values: &[Datum]) -> Vec<String> {
    values.iter().map(ToString::to_string).collect()
}

/// One range partition. `LESS THAN` begins where the nearest partition below it among `others` ends.
///
/// # Errors
/// Invalid, naming the partition and what is wrong with its bounds.
pub(super) fn range(
    schema: &Schema,
    columns: &[usize],
    others: &[Partition],
    one: &RangePartition,
) -> Result<Partition, EngineError> {
    catalog::names::partition(&one.name)?;
    let types = types(schema, columns);
    let (lower, upper) = match &one.bounds {
        RangeBounds::Between { lower, upper } => {
            let lower = tuple(&one.name, &types, lower)?.ok_or_else(|| {
                EngineError::invalid(format!("partition '{}': MAXVALUE cannot be a lower bound", one.name))
            })?;
            (Some(lower), tuple(&one.name, &types, upper)?)
        }
        RangeBounds::LessThan(values) => {
            let upper = tuple(&one.name, &types, values)?;
            (nearest_below(others, upper.as_deref()), upper)
        }
        RangeBounds::LessThanMax => (nearest_below(others, None), None),
    };
    if let (Some(lower), Some(upper)) = (&lower, &upper)
        && lower >= upper
    {
        return Err(EngineError::invalid(format!(
            "partition '{}' would be empty: it begins at ({}) and ends before ({})",
            one.name,
            text(lower).join(", "),
            text(upper).join(", ")
        )));
    }
    Ok(Partition::range(one.name.clone(), lower, upper))
}

/// The greatest upper bound that is not above `limit`.
fn nearest_below(others: &[Partition], limit: Option<&[Datum]>) -> Option<Vec<Datum>> {
    let uppers = others.iter().filter_map(|other| match &other.parsed {
        Bounds::Range { upper, .. } => upper.as_deref(),
        Bounds::All | Bounds::List(_) => None,
    });
    uppers.filter(|upper| limit.is_none_or(|limit| *upper <= limit)).max().map(<[Datum]>::to_vec)
}

/// One list partition.
///
/// # Errors
/// Invalid, naming the partition and the value.
pub(super) fn list(schema: &Schema, columns: &[usize], one: &ListPartition) -> Result<Partition, EngineError> {
    catalog::names::partition(&one.name)?;
    let types = types(schema, columns);
    let mut values: Vec<Vec<Option<String>>> = Vec::with_capacity(one.values.len());
    let mut parsed = Vec::with_capacity(one.values.len());
    for value in &one.values {
        if value.len() != types.len() {
            return Err(EngineError::invalid(format!(
                "partition '{}': a value of {} columns, where the table is partitioned by {}",
                one.name,
                value.len(),
                types.len()
            )));
        }
        let mut tuple = Vec::with_capacity(value.len());
        for ((column, data_type), text) in types.iter().zip(value) {
            tuple.push(match text {
                Some(text) => parse(&one.name, column, *data_type, text)?,
                None => Datum::Null,
            });
        }
        if parsed.contains(&tuple) {
            return Err(EngineError::invalid(format!("partition '{}' has a value twice", one.name)));
        }
        values.push(tuple.iter().map(|datum| (!datum.is_null()).then(|| datum.to_string())).collect());
        parsed.push(tuple);
    }
    Ok(Partition { name: one.name.clone(), bounds: BoundsRecord::List { values }, parsed: Bounds::List(parsed) })
}

/// Adds partitions, if none has the name of another nor overlaps one. Those that are added are known to be apart from each
/// other.
///
/// # Errors
/// Invalid, naming both.
pub(super) fn add(all: &mut Vec<Partition>, new: Vec<Partition>) -> Result<(), EngineError> {
    let mut names: BTreeSet<String> = all.iter().map(|partition| partition.name.clone()).collect();
    for partition in &new {
        if !names.insert(partition.name.clone()) {
            return Err(EngineError::invalid(format!("partition '{}' is there already", partition.name)));
        }
        if let Some(other) = all.iter().find(|other| other.parsed.overlaps(&partition.parsed)) {
            return Err(EngineError::invalid(format!(
                "partition '{}' {} overlaps with partition '{}' {}",
                partition.name, partition.parsed, other.name, other.parsed
            )));
        }
    }
    all.extend(new);
    Ok(())
}

/// The order in which a table lists its partitions: ranges by their lower bounds, others as they came.
pub(super) fn lower(bounds: &Bounds) -> Option<&[Datum]> {
    match bounds {
        Bounds::Range { lower, .. } => lower.as_deref(),
        Bounds::All | Bounds::List(_) => None,
    }
}

/// The partitions of `START (..) END (..) EVERY (..)`. The last one ends at END, wherever the steps would lead.
///
/// # Errors
/// Invalid for a step that does not fit the column's type, or too many partitions.
pub(super) fn series(
    schema: &Schema,
    columns: &[usize],
    series: &PartitionSeries,
) -> Result<Vec<Partition>, EngineError> {
    let types = types(schema, columns);
    let [(column, data_type)] = types.as_slice() else {
        return Err(EngineError::invalid("START .. END .. EVERY needs a table that is partitioned by one column"));
    };
    let of = format!("START (\"{}\") END (\"{}\")", series.start, series.end);
    let bound = |text: &str| {
        Datum::parse(data_type, text)
            .map_err(|wrong| EngineError::invalid(format!("{of}: {wrong}, the type of partition column '{column}'")))
    };
    let (start, end) = (bound(&series.start)?, bound(&series.end)?);
    if start >= end {
        return Err(EngineError::invalid(format!("{of}: the end must be above the start")));
    }
    let mut made: Vec<Partition> = Vec::new();
    let mut at = start;
    let mut step = 0_u32;
    let first = at.clone();
    while at < end {
        if made.len() >= SERIES_MAX {
            return Err(EngineError::invalid(format!("{of}: more than {SERIES_MAX} partitions")));
        }
        step = step.saturating_add(1);
        let (next, name) = match series.step {
            SeriesStep::Number(width) => number_step(&of, &at, width)?,
            SeriesStep::Interval { count, unit } => time_step(&of, &first, &at, *data_type, count, unit, step)?,
        };
        let upper = next.min(end.clone());
        made.push(Partition::range(name, Some(vec![at]), Some(vec![upper.clone()])));
        at = upper;
    }
    Ok(made)
}

fn number_step(of: &str, at: &Datum, width: u64) -> Result<(Datum, String), EngineError> {
    let Datum::Int(number) = at else {
        return Err(EngineError::invalid(format!(
            "{of}: EVERY ({width}) needs an integer column; write EVERY (INTERVAL ..)"
        )));
    };
    let name = if *number < 0 { format!("p_{}", number.unsigned_abs()) } else { format!("p{number}") };
    Ok((Datum::Int(number.saturating_add(i128::from(width))), name))
}

fn time_step(
    of: &str,
    first: &Datum,
    at: &Datum,
    data_type: ColumnType,
    count: u32,
    unit: IntervalUnit,
    step: u32,
) -> Result<(Datum, String), EngineError> {
    let wrong_type =
        || EngineError::invalid(format!("{of}: EVERY (INTERVAL ..) needs a DATE or DATETIME column, not {data_type}"));
    let (begin, now) = (moment(first).ok_or_else(wrong_type)?, moment(at).ok_or_else(wrong_type)?);
    if unit == IntervalUnit::Hour && data_type == ColumnType::Date {
        return Err(EngineError::invalid(format!("{of}: EVERY (INTERVAL .. HOUR) needs a DATETIME column, not DATE")));
    }
    // From the first bound, not from the last one: the 31st is still the 31st after a shorter month.
    let many = i64::from(count).saturating_mul(i64::from(step));
    let span = match unit {
        IntervalUnit::Hour => Span::new().try_hours(many),
        IntervalUnit::Day => Span::new().try_days(many),
        IntervalUnit::Week => Span::new().try_weeks(many),
        IntervalUnit::Month => Span::new().try_months(many),
        IntervalUnit::Quarter => Span::new().try_months(many.saturating_mul(3)),
        IntervalUnit::Year => Span::new().try_years(many),
    };
    let next = span.and_then(|span| begin.checked_add(span));
    // Behind the last year that there is comes the end anyway.
    let next = next.unwrap_or(DateTime::MAX);
    let (year, month, day, hour) = (now.year(), now.month(), now.day(), now.hour());
    let name = match unit {
        IntervalUnit::Hour => format!("p{year:04}{month:02}{day:02}{hour:02}"),
        IntervalUnit::Day => format!("p{year:04}{month:02}{day:02}"),
        IntervalUnit::Week => {
            let week = now.date().iso_week_date();
            format!("p{:04}_{:02}", week.year(), week.week())
        }
        IntervalUnit::Month => format!("p{year:04}{month:02}"),
        IntervalUnit::Quarter => format!("p{year:04}q{}", (month - 1) / 3 + 1),
        IntervalUnit::Year => format!("p{year:04}"),
    };
    let next = datum(next, data_type).ok_or_else(wrong_type)?;
    Ok((next, name))
}

const EPOCH: Date = Date::constant(1970, 1, 1);

fn moment(datum: &Datum) -> Option<DateTime> {
    let epoch = EPOCH.to_datetime(jiff::civil::Time::midnight());
    match datum {
        Datum::Date(days) => epoch.checked_add(Span::new().try_days(*days).ok()?).ok(),
        Datum::DateTime(micros) => epoch.checked_add(Span::new().try_microseconds(*micros).ok()?).ok(),
        _ => None,
    }
}

fn datum(moment: DateTime, data_type: ColumnType) -> Option<Datum> {
    let epoch = EPOCH.to_datetime(jiff::civil::Time::midnight());
    match data_type {
        ColumnType::Date => {
            let days = EPOCH.until((Unit::Day, moment.date())).ok()?.get_days();
            Some(Datum::Date(days))
        }
        ColumnType::DateTime => {
            let micros = epoch.until((Unit::Microsecond, moment)).ok()?.get_microseconds();
            Some(Datum::DateTime(micros))
        }
        _ => None,
    }
}
