use super::*;
use crate::error::ErrorKind;
use proptest::prelude::*;

#[test]
fn a_vector_comes_back_from_its_bytes() {
    let rows: RoaringBitmap = [0, 5, 70_000, u32::MAX].into_iter().collect();
    let segment = SegmentId { rowset: 3, ordinal: 1 };
    let (made, bytes) = DeleteVector::new(segment, Version(9), rows.clone()).unwrap();
    let read = DeleteVector::from_bytes(segment, Version(9), "dv", &bytes).unwrap();
    assert_eq!((&*read.rows, read.len_bytes, read.crc32), (&rows, made.len_bytes, made.crc32));
}

#[test]
fn every_changed_bit_and_every_cut_is_seen() {
    let bytes = encode(&(0..100).collect()).unwrap();
    for bit in 0..bytes.len() * 8 {
        let mut bad = bytes.clone();
        bad[bit / 8] ^= 1 << (bit % 8);
        let kind = decode("dv", &bad).unwrap_err().kind();
        assert!(matches!(kind, ErrorKind::Corrupt | ErrorKind::Unsupported), "bit {bit}: {kind:?}");
    }
    for len in 0..bytes.len() {
        assert_eq!(decode("dv", &bytes[..len]).unwrap_err().kind(), ErrorKind::Corrupt, "cut at {len}");
    }
}

#[test]
fn the_format_is_the_documented_one() {
    let bytes = encode(&[1, 2, 3].into_iter().collect()).unwrap();
    assert_eq!(&bytes[..8], b"TBDV\x01\0\0\0");
    assert_eq!(bytes[8..12], crc32fast::hash(&bytes[12..]).to_le_bytes());
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic(body in proptest::collection::vec(any::<u8>(), 0..64)) {
        drop(decode("dv", &body));
        let mut framed = b"TBDV\x01\0\0\0".to_vec();
        framed.extend_from_slice(&crc32fast::hash(&body).to_le_bytes());
        framed.extend_from_slice(&body);
        drop(decode("dv", &framed));
    }
}
