use super::*;

#[test]
fn names_are_told_apart_and_foreign_ones_left_alone() {
    let segment = |rowset, ordinal| Some(FileName::Segment(SegmentId { rowset, ordinal }));
    assert_eq!(FileName::parse("3-0.parquet"), segment(3, 0));
    assert_eq!(FileName::parse("17.keys"), Some(FileName::Keys(17)));
    assert_eq!(FileName::parse(".3-0.parquet.0123abc.tmp"), Some(FileName::Temporary(Some(3))));
    assert_eq!(FileName::parse(".4.keys.0123abc.tmp"), Some(FileName::Temporary(Some(4))));
    for foreign in ["03-0.parquet", "3-0.parquet.bak", "notes.txt", "lost+found", ".notes.1.tmp", "+3.keys", ".tmp", ""]
    {
        assert_eq!(FileName::parse(foreign), None, "{foreign}");
    }
}

#[test]
fn no_bytes_make_the_key_parser_panic() {
    let mut bytes = b"TBKY\x01\0\0\0\x02\0\0\0\0\0\0\0\x01\0\0\0a\x02\0\0\0bc".to_vec();
    assert_eq!(parse_keys(&bytes).unwrap(), [Box::from(&b"a"[..]), Box::from(&b"bc"[..])]);
    for at in 0..bytes.len() {
        drop(parse_keys(&bytes[..at]));
        bytes[at] ^= 0xff;
        drop(parse_keys(&bytes));
        bytes[at] ^= 0xff;
    }
}
