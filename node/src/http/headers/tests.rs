use super::*;
use axum::http::{HeaderName, HeaderValue};
use proptest::prelude::*;

fn load(headers: &[(&str, &str)]) -> Result<StreamLoad, String> {
    let headers = headers
        .iter()
        .map(|(name, value)| {
            (HeaderName::from_bytes(name.as_bytes()).unwrap(), HeaderValue::from_bytes(value.as_bytes()).unwrap())
        })
        .collect::<Vec<_>>();
    let mut map = HeaderMap::new();
    for (name, value) in headers {
        map.append(name, value);
    }
    parse(&map, &Identity::anywhere("root"), "db", "t", || "made_up".to_owned())
}

fn csv_of(headers: &[(&str, &str)]) -> CsvFormat {
    let LoadFormat::Csv(csv) = load(headers).unwrap().format;
    csv
}

#[test]
fn without_headers_it_is_tabs_and_lines_and_nothing_may_be_wrong() {
    let load = load(&[]).unwrap();
    assert_eq!(load.format, LoadFormat::Csv(CsvFormat::default()));
    assert_eq!((load.label.as_str(), load.timeout.as_secs()), ("made_up", 600));
    assert!(!load.strict_mode && load.max_filter_ratio.abs() < f64::EPSILON);
    assert_eq!((load.columns, load.partitions), (None, None));
}

#[test]
fn all_headers_count() {
    let load = load(&[
        ("label", "l-1_a"),
        ("format", "CSV"),
        ("column_separator", ","),
        ("row_delimiter", "\\r\\n"),
        ("columns", "a, `b c` ,d"),
        ("partitions", "p1,p2"),
        ("max_filter_ratio", "0.25"),
        ("timeout", "30"),
        ("strict_mode", "True"),
        ("skip_header", "1"),
        ("trim_space", "true"),
        ("enclose", "\""),
        ("escape", "\\"),
        ("where", ""),
        ("negative", "false"),
    ])
    .unwrap();
    let LoadFormat::Csv(csv) = load.format;
    let expected = CsvFormat {
        column_separator: b",".to_vec(),
        row_delimiter: b"\r\n".to_vec(),
        enclose: Some(b'"'),
        escape: Some(b'\\'),
        skip_header: 1,
        trim_space: true,
    };
    assert_eq!(csv, expected);
    assert_eq!(load.label, "l-1_a");
    assert_eq!(load.columns, Some(vec!["a".into(), "b c".into(), "d".into()]));
    assert_eq!(load.partitions, Some(vec!["p1".into(), "p2".into()]));
    assert!(load.strict_mode && (load.max_filter_ratio - 0.25).abs() < f64::EPSILON);
    assert_eq!(load.timeout.as_secs(), 30);
}

#[test]
fn separators_have_hexadecimal_and_escaped_forms() {
    assert_eq!(csv_of(&[("column_separator", "\\x01")]).column_separator, [1]);
    assert_eq!(csv_of(&[("column_separator", "0x0102")]).column_separator, [1, 2]);
    assert_eq!(csv_of(&[("column_separator", "\\t")]).column_separator, [9]);
    assert_eq!(csv_of(&[("column_separator", "||")]).column_separator, b"||");
    assert_eq!(csv_of(&[("row_delimiter", "\\x02")]).row_delimiter, [2]);
    assert_eq!(csv_of(&[("enclose", "0x27")]).enclose, Some(b'\''));
}

#[test]
fn what_is_wrong_is_named() {
    for (headers, part) in [
        (&[("label", "a b")][..], "label 'a b'"),
        (&[("label", "")], "label ''"),
        (&[("format", "json")], "format 'json' is not supported"),
        (&[("where", "a > 1")], "header 'where' is not supported"),
        (&[("columns", "a,b=a+1")], "computes 'b'"),
        (&[("columns", "a,,b")], "empty name"),
        (&[("columns", "a,A")], "names 'A' twice"),
        (&[("columns", "`a")], "not closed"),
        (&[("columns", "`a`b")], "where a comma was expected"),
        (&[("max_filter_ratio", "1.5")], "max_filter_ratio"),
        (&[("max_filter_ratio", "NaN")], "max_filter_ratio"),
        (&[("timeout", "0")], "timeout"),
        (&[("strict_mode", "yes")], "strict_mode"),
        (&[("skip_header", "-1")], "skip_header"),
        (&[("column_separator", "")], "write \\t for a tab"),
        (&[("column_separator", "\\x1")], "hexadecimal"),
        (&[("column_separator", "\\xzz")], "hexadecimal"),
        (&[("column_separator", "\\n")], "are the same"),
        (&[("enclose", "ab")], "not one byte"),
        (&[("label", "a"), ("label", "b")], "given twice"),
    ] {
        let message = load(headers).unwrap_err();
        assert!(message.contains(part), "{headers:?}: {message}");
    }
}

proptest! {
    #[test]
    fn any_value_is_read_or_refused(
        name in prop::sample::select(vec!["label", "columns", "column_separator", "partitions", "timeout", "max_filter_ratio", "enclose", "format"]),
        value in prop::collection::vec(prop_oneof![32_u8..127, 128_u8..=255], 0..60),
    ) {
        let mut map = HeaderMap::new();
        map.insert(HeaderName::from_static(name), HeaderValue::from_bytes(&value).unwrap());
        parse(&map, &Identity::anywhere("root"), "db", "t", String::new).ok();
    }
}
