use super::*;
use crate::segment::SegmentMeta;
use env::ids::{LoadId, Version};

fn segment(rowset: u64, ordinal: u32) -> SegmentId {
    SegmentId { rowset, ordinal }
}

fn state(hidden: &[(SegmentId, &[u32])]) -> State {
    let meta = SegmentMeta { rows: 4, len_bytes: 1, crc32: 0, min_key: None, max_key: None };
    let rowsets = vec![
        Arc::new(Rowset { id: 1, uid: String::new(), segments: vec![meta.clone()] }),
        Arc::new(Rowset { id: 2, uid: String::new(), segments: vec![meta] }),
    ];
    let vectors = hidden.iter().map(|(segment, rows)| {
        Arc::new(DeleteVector::new(*segment, Version(2), rows.iter().copied().collect()).unwrap().0)
    });
    State::empty().published(LoadId(1), None, rowsets, vectors.collect())
}

#[test]
fn rows_hidden_during_a_merge_are_hidden_in_its_output() {
    // Rows 0 and 2 of segment 1-0 and all of 2-0 went, interleaved, into two segments of three rows.
    let rows = [(segment(1, 0), vec![0, NOWHERE, 3, NOWHERE]), (segment(2, 0), vec![1, 2, 4, 5])];
    let moves = Moves { rows: rows.into(), rowset: 7, starts: vec![0, 3] };
    let before = state(&[(segment(1, 0), &[1, 3])]);
    let after = state(&[(segment(1, 0), &[1, 2, 3]), (segment(2, 0), &[0, 3])]);
    let hidden = deleted_meanwhile(&before, &after, &[1, 2].into(), &moves);
    let hidden: Vec<(SegmentId, Vec<u32>)> = hidden.into_iter().map(|(id, rows)| (id, rows.iter().collect())).collect();
    assert_eq!(hidden, [(segment(7, 0), vec![1]), (segment(7, 1), vec![0, 2])]);
    assert!(deleted_meanwhile(&before, &before, &[1, 2].into(), &moves).is_empty());
}
