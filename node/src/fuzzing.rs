//! Doors for the fuzz targets: bytes from outside go into the private readers, and what must hold of what comes out is
//! asserted here. Always compiled, for behind a feature the workspace and the binary would be two builds of this crate.

use crate::account::Identity;
use crate::http::headers;
use crate::load::csv::{Batches, CsvError};
use crate::stream_load::CsvFormat;
use arrow::array::RecordBatch;
use arrow::compute::concat_batches;
use axum::http::{HeaderMap, HeaderName, HeaderValue};

pub use crate::mysql::fuzzing::{mysql_execute, mysql_login};

/// Rows of separated fields: two bytes say how they are separated, and in what pieces they come. The pieces make no
/// difference.
pub fn csv(data: &[u8]) {
    let Some(([how, piece], text)) = data.split_first_chunk::<2>() else { return };
    let bit = |at: u8| how >> at & 1 == 1;
    let format = CsvFormat {
        column_separator: if bit(0) { b"||".to_vec() } else { b",".to_vec() },
        row_delimiter: if bit(1) { b"|\n".to_vec() } else { b"\n".to_vec() },
        enclose: bit(2).then_some(b'"'),
        escape: bit(3).then_some(b'\\'),
        skip_header: u64::from(bit(4)),
        trim_space: bit(5),
    };
    let at_once = rows(&format, [text]);
    let in_pieces = rows(&format, text.chunks(usize::from(*piece).max(1)));
    assert_eq!(at_once, in_pieces, "{format:?}");
}

type Rows = (Option<RecordBatch>, u64, u64, Vec<String>);

fn rows<'a>(format: &CsvFormat, pieces: impl IntoIterator<Item = &'a [u8]>) -> Result<Rows, CsvError> {
    let names = ["a", "b", "c"].map(str::to_owned);
    let mut reader = Batches::new(format.clone(), &names);
    let mut batches = Vec::new();
    for piece in pieces {
        batches.extend(reader.feed(piece, false)?);
    }
    batches.extend(reader.feed(&[], true)?);
    let read: usize = batches.iter().map(RecordBatch::num_rows).sum();
    assert_eq!(read as u64 + reader.refused.count, reader.total);
    let all = batches.first().and_then(|first| concat_batches(first.schema_ref(), &batches).ok());
    let told = reader.refused.told.iter().map(ToString::to_string).collect();
    Ok((all, reader.total, reader.refused.count, told))
}

/// Headers of a stream load, one `name: value` to a line. What is accepted can be carried out.
pub fn load_headers(data: &[u8]) {
    let mut map = HeaderMap::new();
    for line in data.split(|byte| *byte == b'\n') {
        let mut parts = line.splitn(2, |byte| *byte == b':');
        let (Some(name), Some(value)) = (parts.next(), parts.next()) else { continue };
        let (Ok(name), Ok(value)) = (HeaderName::from_bytes(name), HeaderValue::from_bytes(value.trim_ascii())) else {
            continue;
        };
        map.append(name, value);
    }
    let Ok(load) = headers::parse(&map, &Identity::anywhere("root"), "db", "t", || "made-up".to_owned()) else {
        return;
    };
    let crate::stream_load::LoadFormat::Csv(csv) = &load.format;
    assert!(!csv.column_separator.is_empty() && !csv.row_delimiter.is_empty());
    assert!((0.0..=1.0).contains(&load.max_filter_ratio) && !load.timeout.is_zero() && !load.label.is_empty());
    assert!(load.columns.iter().chain(&load.partitions).all(|names| names.iter().all(|name| !name.is_empty())));
}
