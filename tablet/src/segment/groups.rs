//! Which segments must be read together, because a key may be in several of them. Pure.

use super::SegmentMeta;
use crate::schema::KeyModel;

/// The segments of a version in groups, by their places among `segments`, which are in the order in which they were
/// added. No key is in two groups; in a group the segments keep their order. A group of one needs no merging.
///
/// Tables that keep rows of equal keys apart have a group for each segment, in their order; others have groups in the
/// order of their keys.
pub(crate) fn merge_groups<'a>(model: KeyModel, segments: impl Iterator<Item = &'a SegmentMeta>) -> Vec<Vec<usize>> {
    if !model.merges_on_read() {
        return segments.enumerate().map(|(at, _)| vec![at]).collect();
    }
    let mut ranges: Vec<(&[u8], &[u8], usize)> = segments
        .enumerate()
        .filter_map(|(at, meta)| Some((meta.min_key.as_deref()?, meta.max_key.as_deref()?, at)))
        .collect();
    ranges.sort_unstable();
    let mut groups: Vec<Vec<usize>> = Vec::new();
    let mut greatest: Option<&[u8]> = None;
    for (min, max, at) in ranges {
        match groups.last_mut() {
            Some(group) if greatest.is_some_and(|greatest| min <= greatest) => group.push(at),
            _ => groups.push(vec![at]),
        }
        greatest = greatest.max(Some(max));
    }
    for group in &mut groups {
        group.sort_unstable();
    }
    groups
}
