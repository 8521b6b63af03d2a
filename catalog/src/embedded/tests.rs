//! What only the inside can check: the bytes of rows, the format cell.

use super::file::{CELLS, open, seal_cell};
use super::rows::{Change, Row, Table, open_log, seal_log};
use super::*;
use crate::error::ErrorKind;
use env::disk::MemDisk;

#[test]
fn rows_are_read_back() {
    let row = Row { created: 3, other: 9, value: b"value" };
    let sealed = row.seal(Table::History, "key", 7);
    let opened = Row::open(Table::History, "key", 7, &sealed).unwrap();
    assert_eq!((opened.created, opened.other, opened.value), (3, 9, &b"value"[..]));
    let changes = [
        Change { key: "a", put: true, previous: 0 },
        Change { key: "", put: false, previous: u64::MAX },
        Change { key: "\u{e9}", put: true, previous: 5 },
    ];
    assert_eq!(open_log(12, &seal_log(12, &changes)).unwrap(), changes);
}

#[test]
fn a_row_that_is_changed_cut_or_elsewhere_is_corrupt() {
    let sealed = Row { created: 3, other: 9, value: b"value" }.seal(Table::Current, "key", 0);
    for bit in 0..sealed.len() * 8 {
        let mut changed = sealed.clone();
        changed[bit / 8] ^= 1 << (bit % 8);
        assert_eq!(Row::open(Table::Current, "key", 0, &changed).unwrap_err().kind(), ErrorKind::Corrupt);
    }
    for len in 0..sealed.len() {
        assert_eq!(Row::open(Table::Current, "key", 0, &sealed[..len]).unwrap_err().kind(), ErrorKind::Corrupt);
    }
    assert!(Row::open(Table::History, "key", 0, &sealed).is_err(), "another table");
    assert!(Row::open(Table::Current, "kez", 0, &sealed).is_err(), "another key");
    assert!(Row::open(Table::Current, "key", 1, &sealed).is_err(), "another revision");
    let sealed = seal_log(12, &[Change { key: "abc", put: true, previous: 1 }]);
    assert!(open_log(13, &sealed).is_err());
    assert!(open_log(12, &sealed[..sealed.len() - 1]).is_err());
}

#[test]
fn rows_keep_their_bytes() {
    let hex = |bytes: &[u8]| bytes.iter().fold(String::new(), |text, byte| format!("{text}{byte:02x}"));
    assert_eq!(
        hex(&Row { created: 1, other: 2, value: b"v" }.seal(Table::Current, "k", 0)),
        concat!("ca0f7095", "0100000000000000", "0200000000000000", "76")
    );
    assert_eq!(
        hex(&seal_log(2, &[Change { key: "k", put: true, previous: 1 }])),
        concat!("e76f5fdb", "01", "0100000000000000", "01000000", "6b")
    );
    assert_eq!(hex(&seal_cell("format", 1)), concat!("f6b2947b", "0100000000000000"));
}

#[test]
fn a_newer_file_is_refused_and_both_formats_are_named() {
    let disk = MemDisk::new();
    drop(open(&disk, "c.redb", 1 << 20).unwrap_or_else(|failed| panic!("{failed}")));
    let opened = open(&disk, "c.redb", 1 << 20).unwrap_or_else(|failed| panic!("{failed}"));
    let transaction = opened.database.begin_write().unwrap();
    transaction.open_table(CELLS).unwrap().insert("format", seal_cell("format", 7).as_slice()).unwrap();
    transaction.commit().unwrap();
    drop(opened);
    let failed = open(&disk, "c.redb", 1 << 20).err().unwrap();
    assert_eq!(failed.kind(), ErrorKind::Unsupported);
    assert_eq!(failed.to_string(), "c.redb has format 7, this build knows formats up to 1; use a newer build");
}

#[test]
fn a_panic_of_the_storage_library_is_an_error() {
    let failed = guarded::<()>("c.redb", || panic!("page {} is odd", 7)).unwrap_err();
    assert_eq!(failed.kind(), ErrorKind::Corrupt);
    assert_eq!(failed.to_string(), "c.redb is corrupt: the storage library stopped: page 7 is odd");
}
