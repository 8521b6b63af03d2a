use super::*;
use crate::error::ErrorKind;

fn example() -> StateRecord {
    StateRecord {
        version: Version(7),
        load: Some(LoadId(12)),
        lineage: Some("5c".to_owned().into()),
        rowsets: vec![1, 4],
        deletes: vec![(4, 0, Version(6))],
    }
}

#[test]
fn the_first_format_of_a_state_record_stays_readable() {
    let without = StateRecord { lineage: None, ..example() };
    let with = br#"{"version":7,"load":12,"lineage":"5c","rowsets":[1,4],"deletes":[[4,0,6]]}"#.as_slice();
    for (record, body) in
        [(example(), with), (without, br#"{"version":7,"load":12,"rowsets":[1,4],"deletes":[[4,0,6]]}"#)]
    {
        let mut bytes = 1u32.to_le_bytes().to_vec();
        bytes.extend_from_slice(&crc32fast::hash(body).to_le_bytes());
        bytes.extend_from_slice(body);
        assert_eq!(decode::<StateRecord>(&key(&[1, 7]), &bytes).unwrap(), record);
        assert_eq!(encode(&record).unwrap(), bytes);
    }
}

#[test]
fn damage_and_newer_formats_are_typed_errors_that_name_the_record() {
    let bytes = encode(&example()).unwrap();
    for at in 0..bytes.len() {
        let mut bad = bytes.clone();
        bad[at] ^= 4;
        let error = decode::<StateRecord>(&key(&[3, 7]), &bad).unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::Corrupt | ErrorKind::Unsupported), "byte {at}: {error}");
        assert!(error.to_string().contains("state record 3/7"), "{error}");
    }
    assert!((0..8).all(|len| decode::<StateRecord>(&[], &bytes[..len]).is_err()));
}

#[test]
fn keys_sort_as_their_numbers_do() {
    assert!(key(&[1, 300]) < key(&[2, 1]) && key(&[2, 1]) < key(&[2, 256]));
    assert_eq!(numbers::<2>("x", &key(&[9, 8])).unwrap(), [9, 8]);
    assert!(numbers::<2>("x", &key(&[9])).is_err() && numbers::<1>("x", &[1; 9]).is_err());
}
