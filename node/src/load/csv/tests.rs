use super::*;
use crate::stream_load::CsvFormat;
use arrow::array::{Array, StringArray};

fn format() -> CsvFormat {
    CsvFormat { column_separator: b",".to_vec(), ..CsvFormat::default() }
}

fn rows_of(format: &CsvFormat, width: usize, text: &[u8], piece: usize) -> (Vec<Vec<Option<String>>>, Refusals) {
    let names: Vec<String> = (0..width).map(|at| format!("c{at}")).collect();
    let mut batches = Batches::new(format.clone(), &names);
    let mut out = Vec::new();
    for part in text.chunks(piece) {
        out.extend(batches.feed(part, false).unwrap());
    }
    out.extend(batches.feed(b"", true).unwrap());
    let mut rows = Vec::new();
    for batch in out {
        for row in 0..batch.num_rows() {
            let cell = |column: &ArrayRef| {
                let column = column.as_any().downcast_ref::<StringArray>().unwrap();
                column.is_valid(row).then(|| column.value(row).to_owned())
            };
            rows.push(batch.columns().iter().map(cell).collect());
        }
    }
    (rows, batches.refused)
}

/// The same whatever the pieces in which the bytes come.
fn check(format: &CsvFormat, width: usize, text: &str, want: &[&[Option<&str>]]) {
    let want: Vec<Vec<Option<String>>> =
        want.iter().map(|row| row.iter().map(|cell| cell.map(str::to_owned)).collect()).collect();
    for piece in [1, 2, 3, 7, 1000] {
        let (rows, refused) = rows_of(format, width, text.as_bytes(), piece);
        assert_eq!(rows, want, "in pieces of {piece}");
        assert_eq!(refused.count, 0, "{:?}", refused.told);
    }
}

#[test]
fn plain_rows_with_nulls_and_empty_fields() {
    check(
        &format(),
        3,
        "1,a,\\N\n2,,x\n\n3,\\Nope,\\N",
        &[&[Some("1"), Some("a"), None], &[Some("2"), Some(""), Some("x")], &[Some("3"), Some("\\Nope"), None]],
    );
}

#[test]
fn dos_line_ends_do_not_belong_to_the_last_field() {
    check(&format(), 2, "1,a\r\n2,\\N\r\n", &[&[Some("1"), Some("a")], &[Some("2"), None]]);
}

#[test]
fn enclosed_fields_keep_separators_and_doubled_marks() {
    let quoted = CsvFormat { enclose: Some(b'"'), escape: Some(b'\\'), ..format() };
    check(
        &quoted,
        2,
        "\"a,b\",\"say \"\"hi\"\"\"\n\"line\nbreak\",\"\\\"x\\\\\"\n\"\",\"\\N\"",
        &[&[Some("a,b"), Some("say \"hi\"")], &[Some("line\nbreak"), Some("\"x\\")], &[Some(""), Some("N")]],
    );
}

#[test]
fn long_separators_and_delimiters() {
    let long = CsvFormat { column_separator: b"||".to_vec(), row_delimiter: b"\x01\n".to_vec(), ..format() };
    check(&long, 2, "a|b||c\x01\nd||e\nf\x01\n", &[&[Some("a|b"), Some("c")], &[Some("d"), Some("e\nf")]]);
}

#[test]
fn headers_are_skipped_and_blanks_trimmed() {
    let trimmed = CsvFormat { skip_header: 2, trim_space: true, ..format() };
    check(&trimmed, 2, "id,name\n--,--\n 1 , b b \n2, \\N ", &[&[Some("1"), Some("b b")], &[Some("2"), None]]);
}

#[test]
fn bad_rows_are_left_out_and_told() {
    let quoted = CsvFormat { enclose: Some(b'"'), ..format() };
    let mut text = b"1,a\n1\n\"x\"y,b\n2,c\n".to_vec();
    text.extend_from_slice(b"3,\xff\n4,d\n\"open");
    let (rows, refused) = rows_of(&quoted, 2, &text, 5);
    let first: Vec<_> = rows.iter().map(|row| row[0].clone().unwrap()).collect();
    assert_eq!(first, ["1", "2", "4"]);
    assert_eq!(refused.count, 4);
    let told: Vec<String> = refused.told.iter().map(ToString::to_string).collect();
    assert_eq!(told[0], "row 2: 1 fields where 2 are expected");
    assert_eq!(told[1], "row 3: there is text behind the end of an enclosed field");
    assert!(told[2].starts_with("row 5: field 2 is not UTF-8"), "{}", told[2]);
    assert_eq!(told[3], "row 7: an enclosed field is not closed");
}

#[test]
fn many_rows_come_in_batches() {
    let text = (0..20_000).map(|row| format!("{row},x")).collect::<Vec<_>>().join("\n");
    let mut batches = Batches::new(format(), &["a".to_owned(), "b".to_owned()]);
    let mut sizes: Vec<usize> =
        batches.feed(text.as_bytes(), false).unwrap().iter().map(RecordBatch::num_rows).collect();
    sizes.extend(batches.feed(b"", true).unwrap().iter().map(RecordBatch::num_rows));
    assert_eq!(sizes, [8192, 8192, 3616]);
    assert_eq!(batches.total, 20_000);
}

#[test]
fn long_rows_make_short_batches() {
    let row = [b"1,".to_vec(), vec![b'x'; 1 << 20], b"\n".to_vec()].concat();
    let mut batches = Batches::new(format(), &["a".to_owned(), "b".to_owned()]);
    let mut rows = 0;
    for piece in row.repeat(40).chunks(64 << 10) {
        for batch in batches.feed(piece, false).unwrap() {
            rows += batch.num_rows();
            assert!(batch.get_array_memory_size() < BATCH_BYTES * 4, "{} rows", batch.num_rows());
        }
    }
    assert!(rows >= 40 - BATCH_BYTES.div_ceil(1 << 20), "{rows} rows have come");
    rows += batches.feed(b"", true).unwrap().iter().map(RecordBatch::num_rows).sum::<usize>();
    assert_eq!(rows, 40);
}

#[test]
fn a_row_that_does_not_end_is_not_looked_at_again_for_every_piece() {
    let quoted = CsvFormat { enclose: Some(b'"'), ..format() };
    let mut splitter = Splitter::new(quoted);
    let mut row = Row::default();
    splitter.push(b"\"");
    for _ in 0..4096 {
        splitter.push(&[b'x'; 4 << 10]);
        assert!(!splitter.next_row(&mut row, false).unwrap());
    }
    // 16 times for the first 64 KiB, then each time that it has doubled up to 16 MiB.
    assert!(splitter.scans < 32, "{} scans", splitter.scans);
    splitter.push(b"\"\n1\n");
    assert!(splitter.next_row(&mut row, true).unwrap() && splitter.next_row(&mut row, true).unwrap());
    assert_eq!(row.texts().collect::<Vec<_>>(), ["1"]);
}

#[test]
fn a_row_without_end_is_refused() {
    let mut splitter = Splitter::new(CsvFormat { row_delimiter: b"|".to_vec(), ..format() });
    let mut row = Row::default();
    let piece = vec![b'x'; 8 << 20];
    let ended = (0..32).find_map(|_| {
        splitter.push(&piece);
        splitter.next_row(&mut row, false).err()
    });
    assert_eq!(ended, Some(CsvError::RowTooLong { row: 1 }));
}
