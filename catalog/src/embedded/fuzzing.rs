//! A door for the fuzz targets; see [`crate::fuzzing`].

use super::rows::{Row, Table, open_log, seal, seal_log};

/// Rows of the embedded store, as they are and with a right checksum. What can be read is written and read back alike.
///
/// # Panics
/// When that does not hold.
pub fn row(data: &[u8]) {
    drop(open_log(7, data));
    if let Ok(changes) = open_log(7, &seal(Table::Log, "", 7, &[data])) {
        let again = seal_log(7, &changes);
        assert!(open_log(7, &again).is_ok_and(|again| again == changes), "{changes:?}");
    }
    for table in [Table::Current, Table::History] {
        drop(Row::open(table, "key", 7, data));
        let sealed = seal(table, "key", 7, &[data]);
        if let Ok(row) = Row::open(table, "key", 7, &sealed) {
            assert_eq!(row.seal(table, "key", 7), sealed);
        }
        assert!(Row::open(table, "other", 7, &sealed).is_err() && Row::open(table, "key", 8, &sealed).is_err());
    }
}
