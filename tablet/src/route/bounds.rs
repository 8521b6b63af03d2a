//! What a partition takes.

use super::RouteError;
use crate::datum::Datum;
use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::fmt;

/// What a partition takes, in values of its table's partition columns. A row and a bound compare column by column; NULL is less than all
/// other values; a bound with fewer values than there are columns stands before all rows that begin with them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Bounds {
    /// All rows: the one partition of a table that has no partition columns.
    All,
    /// Rows from `lower`, inclusive, to `upper`, exclusive; `None`: without end on that side.
    Range {
        /// The first values in it.
        lower: Option<Vec<Datum>>,
        /// The first values behind it.
        upper: Option<Vec<Datum>>,
    },
    /// Rows with one of these values.
    List(Vec<Vec<Datum>>),
}

/// Compares values of the same columns; what goes on is greater than where it stops.
fn compare(left: &[Datum], right: &[Datum]) -> Ordering {
    left.cmp(right)
}

fn less(left: Option<&[Datum]>, right: Option<&[Datum]>) -> bool {
    match (left, right) {
        (Some(left), Some(right)) => compare(left, right) == Ordering::Less,
        // A side without end goes past everything.
        _ => true,
    }
}

impl Bounds {
    /// Whether it takes a row with these values of the partition columns.
    pub fn contains(&self, values: &[Datum]) -> bool {
        match self {
            Self::All => true,
            Self::Range { lower, upper } => {
                let from = lower.as_ref().is_none_or(|lower| compare(lower, values) != Ordering::Greater);
                from && upper.as_ref().is_none_or(|upper| compare(values, upper) == Ordering::Less)
            }
            Self::List(lists) => lists.iter().any(|list| compare(list, values) == Ordering::Equal),
        }
    }

    /// Whether there can be rows that both take.
    pub fn overlaps(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::All, _) | (_, Self::All) => true,
            (Self::Range { lower: a, upper: b }, Self::Range { lower: c, upper: d }) => {
                less(a.as_deref(), d.as_deref()) && less(c.as_deref(), b.as_deref())
            }
            (Self::List(lists), other @ (Self::List(_) | Self::Range { .. }))
            | (other @ Self::Range { .. }, Self::List(lists)) => lists.iter().any(|list| other.contains(list)),
        }
    }
}

impl fmt::Display for Bounds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::All => f.write_str("(all)"),
            Self::Range { lower, upper } => {
                f.write_str("[")?;
                show_bound(f, lower.as_deref(), "MINVALUE")?;
                f.write_str(", ")?;
                show_bound(f, upper.as_deref(), "MAXVALUE")?;
                f.write_str(")")
            }
            Self::List(lists) => {
                f.write_str("(")?;
                for (at, list) in lists.iter().enumerate() {
                    f.write_str(if at == 0 { "" } else { ", " })?;
                    show_bound(f, Some(list), "")?;
                }
                f.write_str(")")
            }
        }
    }
}

fn show_bound(f: &mut fmt::Formatter<'_>, values: Option<&[Datum]>, unbounded: &str) -> fmt::Result {
    let Some(values) = values else {
        return f.write_str(unbounded);
    };
    f.write_str("(")?;
    for (at, value) in values.iter().enumerate() {
        f.write_str(if at == 0 { "" } else { ", " })?;
        if value.is_null() { f.write_str("NULL")? } else { write!(f, "'{value}'")? }
    }
    f.write_str(")")
}

/// Checks that no two partitions take the same row. Ranges are sorted first, and of lists each value is looked up: the cost grows with
/// their number, not with its square.
pub(super) fn check_apart<'a>(all: impl Iterator<Item = &'a Bounds>) -> Result<(), RouteError> {
    let overlap = |a: &Bounds, b: &Bounds| RouteError::layout(format!("partitions {a} and {b} overlap"));
    let mut ranges = Vec::new();
    let mut lists: BTreeMap<&[Datum], &Bounds> = BTreeMap::new();
    for bounds in all {
        match bounds {
            Bounds::All => {}
            Bounds::Range { lower, .. } => ranges.push((lower, bounds)),
            Bounds::List(values) => {
                for value in values {
                    match lists.insert(value, bounds) {
                        Some(other) if std::ptr::eq(other, bounds) => {
                            let text = format!("LIST partition {bounds} has a value twice");
                            return Err(RouteError::layout(text));
                        }
                        Some(other) => return Err(overlap(other, bounds)),
                        None => {}
                    }
                }
            }
        }
    }
    ranges.sort_by(|a, b| a.0.cmp(b.0));
    match ranges.iter().zip(ranges.iter().skip(1)).find(|(a, b)| a.1.overlaps(b.1)) {
        Some((a, b)) => Err(overlap(a.1, b.1)),
        None => Ok(()),
    }
}
