//! Bytes that are not what was written.

use super::*;

fn rows() -> Vec<Vec<Datum>> {
    (0..40).map(|k| vec![Datum::Int(k), Datum::Int(k * 7), Datum::Text(format!("text {}", k % 5))]).collect()
}

/// Opens and reads everything, every way; whatever comes must be a result.
fn exercise(schema: &Arc<Schema>, bytes: Bytes) -> crate::Result<usize> {
    let reader = SegmentReader::open("s.parquet", schema, bytes)?;
    let predicate = Predicate { column: 0, op: CompareOp::GtEq, value: Datum::Int(20) };
    let pruned = ScanOptions { predicates: vec![predicate], ..ScanOptions::default() };
    for batch in reader.scan(&pruned)? {
        batch?;
    }
    reader.scan(&ScanOptions::default())?.map(|batch| batch.map(|batch| batch.positions.len())).sum()
}

#[test]
fn a_segment_cut_anywhere_is_damaged() {
    let schema = narrow_schema(KeyModel::Duplicate);
    let (bytes, meta) = segment(&schema, &rows(), &small());
    for len in 0..bytes.len() {
        let cut = bytes.slice(..len);
        let verified = SegmentReader::open_verified("s.parquet", &schema, cut.clone(), &meta).expect_err("cut");
        assert_eq!(verified.kind(), ErrorKind::Corrupt);
        let error = SegmentReader::open("s.parquet", &schema, cut).expect_err("cut");
        assert_eq!(error.kind(), ErrorKind::Corrupt, "{error}");
    }
    let cut = SegmentReader::open_verified("s.parquet", &schema, bytes.slice(..100), &meta).expect_err("cut");
    let expected = format!("'s.parquet' is damaged at byte 100: expected {} bytes, found 100 bytes", bytes.len());
    assert_eq!(cut.to_string(), expected);
}

#[test]
fn a_flipped_bit_anywhere_is_found_by_the_checksum() {
    let schema = narrow_schema(KeyModel::Duplicate);
    let (bytes, meta) = segment(&schema, &rows(), &small());
    for at in 0..bytes.len() {
        let mut flipped = bytes.to_vec();
        flipped[at] ^= 1 << (at % 8);
        let error = SegmentReader::open_verified("s.parquet", &schema, flipped.into(), &meta).expect_err("flipped");
        assert!(matches!(error, Error::Corrupt { .. }), "{error}");
    }
}

#[test]
fn unverified_damage_never_panics() {
    let schema = narrow_schema(KeyModel::Duplicate);
    let (bytes, _) = segment(&schema, &rows(), &small());
    // The decoder's panics are caught; their messages are not wanted among the test's.
    let before = std::panic::take_hook();
    std::panic::set_hook(Box::new(|_| {}));
    for at in 0..bytes.len() {
        for value in [0, 0xff, bytes[at] ^ 1, bytes[at] ^ 0x80] {
            let mut changed = bytes.to_vec();
            changed[at] = value;
            match exercise(&schema, changed.into()) {
                Ok(rows) => assert_eq!(rows, 40),
                Err(error) => assert!(matches!(error.kind(), ErrorKind::Corrupt | ErrorKind::Unsupported), "{error}"),
            }
        }
    }
    std::panic::set_hook(before);
}

#[test]
fn a_segment_of_another_table_or_format_is_refused() {
    let schema = narrow_schema(KeyModel::Duplicate);
    let (bytes, _) = segment(&schema, &rows(), &small());
    let error = SegmentReader::open("s.parquet", &wide_schema(), bytes.clone()).expect_err("other columns");
    assert_eq!(error.kind(), ErrorKind::Corrupt, "{error}");

    let at = bytes.windows(20).position(|part| part == b"tabularium.format\x18\x011").expect("the note") + 19;
    let mut other = bytes.to_vec();
    other[at] = b'2';
    let error = SegmentReader::open("s.parquet", &schema, other.into()).expect_err("other format");
    assert_eq!(error.to_string(), "'s.parquet' has format 2; this program knows format 1");
    assert_eq!(error.kind(), ErrorKind::Unsupported);
}

proptest! {
    #[test]
    fn any_bytes_are_refused(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let error = exercise(&narrow_schema(KeyModel::Duplicate), bytes.into()).expect_err("no segment");
        prop_assert_eq!(error.kind(), ErrorKind::Corrupt);
    }
}
