use super::*;

fn at(rowset: u64, row: u32) -> Location {
    Location { segment: SegmentId { rowset, ordinal: 0 }, row }
}

fn key(text: &str) -> Key {
    text.as_bytes().into()
}

#[test]
fn mutations_of_one_load_apply_in_their_order() {
    let mut index = PrimaryIndex::default();
    index.insert(key("a"), at(1, 0));
    index.insert(key("b"), at(1, 1));
    let mut load = Upsert::new(&index);
    load.put(key("a"), at(2, 0));
    load.put(key("c"), at(2, 1));
    load.delete(key("a"));
    load.delete(key("nobody"));
    load.put(key("c"), at(3, 0));
    let (changes, hidden) = load.finish();
    let hidden: Vec<(u64, Vec<u32>)> =
        hidden.into_iter().map(|(id, rows)| (id.rowset, rows.iter().collect())).collect();
    assert_eq!(hidden, [(1, vec![0]), (2, vec![0, 1])]);
    assert_eq!(index.get(b"a"), Some(at(1, 0)), "nothing changes before the load is durable");
    index.apply(changes);
    assert_eq!((index.get(b"a"), index.get(b"b"), index.get(b"c")), (None, Some(at(1, 1)), Some(at(3, 0))));
    assert_eq!((index.len(), index.key_bytes), (2, 2));
}

#[test]
fn rows_are_followed_to_where_a_compaction_put_them() {
    let mut index = PrimaryIndex::default();
    index.insert(key("a"), at(1, 7));
    index.insert(key("b"), at(2, 0));
    index.relocate(|from| (from.segment.rowset == 1).then(|| at(9, from.row + 1)));
    assert_eq!((index.get(b"a"), index.get(b"b")), (Some(at(9, 8)), Some(at(2, 0))));
}
