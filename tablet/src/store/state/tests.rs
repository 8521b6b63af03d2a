use super::*;

fn rowset(id: u64, rows: &[u32]) -> Arc<Rowset> {
    let meta = |rows: &u32| SegmentMeta {
        rows: u64::from(*rows),
        len_bytes: u64::from(*rows) * 10,
        crc32: *rows,
        min_key: None,
        max_key: None,
    };
    Arc::new(Rowset { id, uid: String::new(), segments: rows.iter().map(meta).collect() })
}

fn vector(rowset: u64, version: u64, rows: &[u32]) -> Arc<DeleteVector> {
    let segment = SegmentId { rowset, ordinal: 0 };
    Arc::new(DeleteVector::new(segment, Version(version), rows.iter().copied().collect()).unwrap().0)
}

#[test]
fn a_load_adds_rowsets_and_replaces_the_vectors_it_touches() {
    let first = State::empty().published(LoadId(1), None, vec![rowset(1, &[10])], vec![vector(1, 2, &[3])]);
    let second = first.published(LoadId(2), None, vec![rowset(2, &[5, 6])], vec![vector(1, 3, &[3, 4])]);
    assert_eq!((first.version, second.version), (Version(2), Version(3)));
    assert_eq!(first.hidden_rows(1), 1, "the old state is as it was");
    assert_eq!((second.hidden_rows(1), second.hidden_rows(2)), (2, 0));
    assert_eq!(second.segment(SegmentId { rowset: 2, ordinal: 1 }).unwrap().rows, 6);
    assert!(second.segment(SegmentId { rowset: 2, ordinal: 2 }).is_none());
}

#[test]
fn a_compaction_puts_its_output_where_the_first_input_was() {
    let state = State::empty().published(
        LoadId(1),
        None,
        vec![rowset(1, &[1]), rowset(2, &[1]), rowset(3, &[1])],
        vec![vector(1, 2, &[0]), vector(3, 2, &[0])],
    );
    let merged = state.compacted(&[2, 3].into(), Some(rowset(9, &[1])), vec![vector(9, 2, &[0])]);
    let ids: Vec<u64> = merged.rowsets.iter().map(|rowset| rowset.id).collect();
    assert_eq!((ids, merged.version, merged.load), (vec![1, 9], state.version, state.load));
    assert_eq!(merged.deletes.keys().map(|segment| segment.rowset).collect::<Vec<_>>(), [1, 9]);
    let emptied = state.compacted(&[1, 2, 3].into(), None, Vec::new());
    assert!(emptied.rowsets.is_empty() && emptied.deletes.is_empty());
}

#[test]
fn a_record_brings_the_state_back() {
    let state = State::empty().published(LoadId(1), None, vec![rowset(1, &[10])], vec![vector(1, 2, &[3])]);
    let rowsets = state.rowsets.iter().map(|rowset| (rowset.id, Arc::clone(rowset))).collect();
    let deletes = state.deletes.values().map(|v| ((v.segment, v.version), Arc::clone(v))).collect();
    let back = State::from_record("state", &state.to_record(), &rowsets, &deletes).unwrap();
    assert_eq!(back.to_record(), state.to_record());
    let lost = State::from_record("state", &state.to_record(), &BTreeMap::new(), &deletes).unwrap_err();
    assert_eq!(lost.to_string(), "'state' is damaged: expected a record of rowset 1, found none");
}
