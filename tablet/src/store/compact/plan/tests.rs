use super::*;

const KIB: u64 = 1 << 10;

fn options() -> CompactionOptions {
    CompactionOptions { tier_bytes_min: KIB, input_bytes_max: 1 << 20, inputs_max: 6, ..CompactionOptions::default() }
}

fn rowset(rowset: u64, len_bytes: u64) -> Candidate {
    Candidate { rowset, rows: 100, hidden_rows: 0, len_bytes, blocked: false }
}

fn planned(candidates: &[Candidate]) -> Option<(Vec<u64>, CompactionReason)> {
    plan(TabletId(1), candidates, &options()).map(|compaction| (compaction.rowsets, compaction.reason))
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
    assert_eq!(plan_all(TabletId(1), &candidates).unwrap().rowsets, [2, 4, 5]);
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
    assert_eq!(plan_all(TabletId(1), &[rowset(1, 10)]), None);
    let mut one = rowset(1, 10);
    one.hidden_rows = 1;
    assert_eq!(plan_all(TabletId(1), &[one]).unwrap().rowsets, [1]);
}

#[test]
fn repeated_merging_ends_with_few_rowsets_and_rewrites_each_row_seldom() {
    let mut rowsets: Vec<Candidate> = Vec::new();
    let (mut next, mut written) = (0, 0);
    for _ in 0..4096 {
        next += 1;
        rowsets.push(rowset(next, KIB));
        let unbounded = CompactionOptions { input_bytes_max: u64::MAX, ..options() };
        while let Some(merge) = plan(TabletId(1), &rowsets, &unbounded) {
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
