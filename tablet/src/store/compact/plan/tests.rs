use super::*;

const KIB: u64 = 1 << 10;

fn options() -> CompactionOptions {
    CompactionOptions { tier_bytes_min: KIB, input_bytes_max: 1 << 20, inputs_max: 6, ..CompactionOptions::default() }
}

fn rowset(rowset: u64, len_bytes: u64) -> Candidate {
    Candidate { rowset, rows: 100, hidden_rows: 0, len_bytes, blocked: false }
}

fn planned(candidates: &[Candidate]) -> Option<(Vec<u64>, CompactionReason)> {
    plan(TabletId(1), candidates, Partners::All, &options()).map(|compaction| (compaction.rowsets, compaction.reason))
}

#[test]
fn few_rowsets_of_each_size_are_left_alone() {
    assert_eq!(planned(&[]), None);
    assert_eq!(planned(&[rowset(1, 10), rowset(2, 20), rowset(3, 100 * KIB), rowset(4, 30)]), None);
}

#[test]
fn the_smallest_full_tier_is_merged_in_the_order_of_loading() {
    let mut candidates: Vec<_> = (1..=4).map(|id| rowset(id, 100 * KIB)).collect();
    candidates.extend([9, 8, 7, 6].map(|id| rowset(id, id)));
    assert_eq!(planned(&candidates), Some((vec![9, 8, 7, 6], CompactionReason::ManyRowsets)));
    assert_eq!(planned(&candidates[..4]), Some((vec![1, 2, 3, 4], CompactionReason::ManyRowsets)));
}

#[test]
fn a_merge_is_bounded_in_number_and_bytes() {
    let many: Vec<_> = (1..=20).map(|id| rowset(id, 10)).collect();
    assert_eq!(planned(&many).unwrap().0, [1, 2, 3, 4, 5, 6]);
    let large: Vec<_> = (1..=20).map(|id| rowset(id, 200 * KIB)).collect();
    assert_eq!(planned(&large).unwrap().0, [1, 2, 3, 4, 5]);
    let huge: Vec<_> = (1..=20).map(|id| rowset(id, 400 * KIB)).collect();
    assert_eq!(planned(&huge), None, "two at a time would rewrite for ever");
}

#[test]
fn blocked_rowsets_stay() {
    let mut candidates: Vec<_> = (1..=5).map(|id| rowset(id, 10)).collect();
    candidates[2].blocked = true;
    assert_eq!(planned(&candidates).unwrap().0, [1, 2, 4, 5]);
    candidates[0].blocked = true;
    assert_eq!(planned(&candidates), None);
    assert_eq!(plan_all(TabletId(1), &candidates, Partners::All).unwrap().rowsets, [2, 4, 5]);
}

#[test]
fn hidden_rows_are_given_back_even_from_one_large_rowset() {
    let mut candidates = [rowset(1, 10 << 20), rowset(2, 10)];
    candidates[0].hidden_rows = 29;
    assert_eq!(planned(&candidates), None);
    candidates[0].hidden_rows = 30;
    assert_eq!(planned(&candidates), Some((vec![1], CompactionReason::HiddenRows)));
    candidates[1].hidden_rows = 100;
    assert_eq!(planned(&candidates), Some((vec![2], CompactionReason::HiddenRows)), "what costs nothing goes first");
}

#[test]
fn everything_is_merged_when_asked_unless_nothing_is_gained() {
    assert_eq!(plan_all(TabletId(1), &[rowset(1, 10)], Partners::All), None);
    let mut one = rowset(1, 10);
    one.hidden_rows = 1;
    assert_eq!(plan_all(TabletId(1), &[one], Partners::All).unwrap().rowsets, [1]);
}

#[test]
fn repeated_merging_ends_with_few_rowsets_and_rewrites_each_row_seldom() {
    let mut rowsets: Vec<Candidate> = Vec::new();
    let (mut next, mut written) = (0, 0);
    for _ in 0..4096 {
        next += 1;
        rowsets.push(rowset(next, KIB));
        let unbounded = CompactionOptions { input_bytes_max: u64::MAX, ..options() };
        while let Some(merge) = plan(TabletId(1), &rowsets, Partners::All, &unbounded) {
            let bytes = rowsets.iter().filter(|r| merge.rowsets.contains(&r.rowset)).map(|r| r.len_bytes).sum();
            rowsets.retain(|r| !merge.rowsets.contains(&r.rowset));
            next += 1;
            written += bytes;
            rowsets.push(rowset(next, bytes));
        }
    }
    assert!(rowsets.len() <= 24, "{} rowsets", rowsets.len());
    assert!(written <= 4096 * KIB * 7, "each row was written {} times", written / (4096 * KIB));
}

fn neighbours(candidates: &[Candidate]) -> Option<Vec<u64>> {
    plan(TabletId(1), candidates, Partners::Neighbours, &options()).map(|compaction| compaction.rowsets)
}

#[test]
fn where_loads_overtake_nothing_only_neighbours_are_merged() {
    let large = |id| rowset(id, 100 * KIB);
    let small = |id| rowset(id, 10);
    let apart = [small(1), large(2), small(3), large(4), small(5), large(6), small(7)];
    assert_eq!(planned(&apart).unwrap().0, [1, 3, 5, 7]);
    assert_eq!(neighbours(&apart), Some(vec![1, 2, 3, 4, 5, 6]), "what lies between goes with them");
    let together = [large(9), small(8), small(2), small(3), small(4), large(1)];
    assert_eq!(neighbours(&together), Some(vec![8, 2, 3, 4]));
    let with_small_ones = [large(1), small(2), large(3), large(4), small(5), large(6)];
    assert_eq!(neighbours(&with_small_ones), Some(vec![1, 2, 3, 4, 5, 6]));
    assert_eq!(neighbours(&[large(1), small(2), small(3), small(4)]), None, "the large one would be rewritten for few");
}

#[test]
fn a_blocked_rowset_parts_its_neighbours() {
    let mut candidates: Vec<_> = (1..=9).map(|id| rowset(id, 10)).collect();
    candidates[3].blocked = true;
    assert_eq!(neighbours(&candidates), Some(vec![5, 6, 7, 8, 9]));
    assert_eq!(plan_all(TabletId(1), &candidates, Partners::Neighbours).unwrap().rowsets, [5, 6, 7, 8, 9]);
    candidates[6].blocked = true;
    assert_eq!(neighbours(&candidates), None);
    candidates[4].hidden_rows = 100;
    candidates[8].hidden_rows = 100;
    assert_eq!(neighbours(&candidates), Some(vec![5]), "one alone can always be rewritten");
}

#[test]
fn a_rowset_too_large_to_be_merged_does_not_keep_others_from_it() {
    let mut candidates: Vec<_> = (1..=6).map(|id| rowset(id, 200 * KIB)).collect();
    candidates[0].len_bytes = 900 * KIB;
    assert_eq!(neighbours(&candidates), Some(vec![2, 3, 4, 5, 6]));
}

#[test]
fn merging_neighbours_ends_with_few_rowsets_too() {
    let mut rowsets: Vec<Candidate> = Vec::new();
    let (mut next, mut written) = (0, 0);
    let unbounded = CompactionOptions { input_bytes_max: u64::MAX, ..options() };
    for load in 0..4096_u64 {
        next += 1;
        rowsets.push(rowset(next, KIB << (load % 3)));
        while let Some(merge) = plan(TabletId(1), &rowsets, Partners::Neighbours, &unbounded) {
            let chosen = merge.rowsets.iter().copied().collect();
            assert!(Partners::Neighbours.allow(rowsets.iter().map(|r| r.rowset), &chosen), "{merge}");
            let bytes = rowsets.iter().filter(|r| chosen.contains(&r.rowset)).map(|r| r.len_bytes).sum();
            let at = rowsets.iter().position(|r| chosen.contains(&r.rowset)).unwrap();
            rowsets.retain(|r| !chosen.contains(&r.rowset));
            next += 1;
            written += bytes;
            rowsets.insert(at, rowset(next, bytes));
        }
    }
    let loaded: u64 = (0..4096_u64).map(|load| KIB << (load % 3)).sum();
    assert!(rowsets.len() <= 48, "{} rowsets", rowsets.len());
    assert!(written <= loaded * 9, "each row was written {} times", written / loaded);
}

#[test]
fn neighbours_are_told_from_others() {
    let allow =
        |chosen: &[u64]| Partners::Neighbours.allow([3, 1, 4, 2].into_iter(), &chosen.iter().copied().collect());
    assert!(allow(&[1]) && allow(&[3, 1]) && allow(&[4, 1]) && allow(&[1, 2, 3, 4]));
    assert!(!allow(&[3, 4]) && !allow(&[1, 2]) && !allow(&[]) && !allow(&[9]));
}
