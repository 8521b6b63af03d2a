//! Which rows of a segment are wanted, as sorted, disjoint ranges of positions.

use parquet::arrow::arrow_reader::{RowSelection, RowSelector};
use roaring::RoaringBitmap;
use std::ops::Range;

/// The rows that a delete vector leaves of a segment, as a selection for readers of Parquet files.
pub fn row_selection(rows: u64, deletes: &RoaringBitmap) -> RowSelection {
    let rows = u32::try_from(rows).unwrap_or(u32::MAX);
    let all = 0..rows;
    selection(&without(std::slice::from_ref(&all), deletes), all.clone())
}

/// The ranges less the rows of a bitmap.
pub(super) fn without(ranges: &[Range<u32>], deletes: &RoaringBitmap) -> Vec<Range<u32>> {
    let mut left = Vec::with_capacity(ranges.len());
    for range in ranges {
        let mut start = range.start;
        for dead in deletes.range(range.clone()) {
            if start < dead {
                left.push(start..dead);
            }
            start = dead.saturating_add(1);
        }
        if start < range.end {
            left.push(start..range.end);
        }
    }
    left
}

/// The rows of a bitmap that are in the ranges.
pub(super) fn only(ranges: &[Range<u32>], wanted: &RoaringBitmap) -> Vec<Range<u32>> {
    let mut left = Vec::new();
    for range in ranges {
        for row in wanted.range(range.clone()) {
            push(&mut left, row..row.saturating_add(1));
        }
    }
    left
}

/// What two lists have in common.
pub(super) fn both(left: &[Range<u32>], right: &[Range<u32>]) -> Vec<Range<u32>> {
    let mut common = Vec::new();
    let (mut left, mut right) = (left.iter().peekable(), right.iter().peekable());
    while let (Some(a), Some(b)) = (left.peek(), right.peek()) {
        let (start, end) = (a.start.max(b.start), a.end.min(b.end));
        if start < end {
            push(&mut common, start..end);
        }
        if a.end <= b.end {
            left.next();
        } else {
            right.next();
        }
    }
    common
}

/// Appends a range, joined with the last one where they touch.
pub(super) fn push(ranges: &mut Vec<Range<u32>>, range: Range<u32>) {
    match ranges.last_mut() {
        Some(last) if last.end == range.start => last.end = range.end,
        _ => ranges.push(range),
    }
}

/// The ranges as a selection of the rows of `of`, in which they all are.
pub(super) fn selection(ranges: &[Range<u32>], of: Range<u32>) -> RowSelection {
    let count = |rows: u32| usize::try_from(rows).unwrap_or(usize::MAX);
    let mut selectors = Vec::with_capacity(ranges.len() * 2 + 1);
    let mut at = of.start;
    for range in ranges {
        if at < range.start {
            selectors.push(RowSelector::skip(count(range.start - at)));
        }
        selectors.push(RowSelector::select(count(range.end.saturating_sub(range.start))));
        at = range.end;
    }
    if at < of.end {
        selectors.push(RowSelector::skip(count(of.end - at)));
    }
    RowSelection::from(selectors)
}
