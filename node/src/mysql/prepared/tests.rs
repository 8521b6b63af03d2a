use super::*;
use proptest::prelude::*;

fn places(text: &str) -> usize {
    Template::new(text.to_owned()).parameters()
}

#[test]
fn question_marks_in_texts_names_and_comments_are_not_parameters() {
    assert_eq!(places("select ?, ? + ?"), 3);
    assert_eq!(places("select '?', \"?\", `?`, ?"), 1);
    assert_eq!(places(r"select 'it''s ? \' ?', ?"), 1);
    assert_eq!(places("select `a``?`, ?"), 1);
    assert_eq!(places(r"select `\`, ?"), 1, "no escapes in names");
    assert_eq!(places("select 1 -- ?\n, ?"), 1);
    assert_eq!(places("select 1 --? "), 1, "a comment needs a blank");
    assert_eq!(places("select 1 # ?\n, ? /* ? */ + ?"), 2);
    assert_eq!(places("select /*!40101 ? */ ?"), 2);
    assert_eq!(places("select /*!99999 ? */ ?"), 1, "a comment for a newer MySQL");
    assert_eq!(places("select /*! ? /*! ? */ ? */"), 2, "inside of one that counts, a comment is a comment");
    assert_eq!(places("select b'\\', ?"), 1, "no escapes in bits");
    assert_eq!(places("select 'open ?"), 0);
    assert_eq!(places("select /* open ?"), 0);
    assert_eq!(places("select 1 --"), 0);
    assert_eq!(places("select '\\"), 0);
}

#[test]
fn parameters_take_their_places() {
    let template = Template::new("insert into t values (?, '?', ?)".to_owned());
    assert_eq!(template.fill(&["1".into(), "'?'".into()]), "insert into t values ( 1 , '?',  '?' )");
    let template = Template::new("select 1-?".to_owned());
    assert_eq!(template.fill(&["-5".into()]), "select 1- -5 ", "two minus signs never touch");
}

#[test]
fn texts_cannot_leave_their_quotes() {
    assert_eq!(quote(b"it's"), "'it''s'");
    assert_eq!(quote(br"\' or 1=1 -- "), r"'\\'' or 1=1 -- '");
    assert_eq!(quote(b"\xff\x00'"), "X'FF0027'");
    assert_eq!(quote("é\n".as_bytes()), "'é\n'");
}

/// A parameter's type, its flags and its bytes.
type Value<'a> = (u8, u8, &'a [u8]);

/// The body of COM_STMT_EXECUTE after its head: no NULLs, types given.
fn body(values: &[Value<'_>]) -> Vec<u8> {
    let mut body = vec![0; values.len().div_ceil(8)];
    body.push(1);
    body.extend(values.iter().flat_map(|(kind, flags, _)| [*kind, *flags]));
    body.extend(values.iter().flat_map(|(_, _, value)| value.iter().copied()));
    body
}

fn literals(values: &[Value<'_>]) -> Result<Vec<String>, ParameterError> {
    take_literals(&mut Fields(&body(values)), values.len(), &mut Vec::new(), &BTreeMap::new())
}

#[test]
fn each_type_has_its_literal() {
    let cases: Vec<(Value<'_>, &str)> = vec![
        ((kind::TINY, 0, b"\xff"), "-1"),
        ((kind::TINY, 0x80, b"\xff"), "255"),
        ((kind::SHORT, 0, b"\x00\x80"), "-32768"),
        ((kind::LONG, 0x80, b"\xff\xff\xff\xff"), "4294967295"),
        ((kind::LONGLONG, 0, b"\x00\x00\x00\x00\x00\x00\x00\x80"), "-9223372036854775808"),
        ((kind::LONGLONG, 0x80, b"\xff\xff\xff\xff\xff\xff\xff\xff"), "18446744073709551615"),
        ((kind::FLOAT, 0, &[0xcd, 0xcc, 0xcc, 0x3d]), "1e-1"),
        ((kind::DOUBLE, 0, &[0, 0, 0, 0, 0, 0, 0x04, 0xc0]), "-2.5e0"),
        ((kind::NEWDECIMAL, 0, b"\x06-12.50"), "-12.50"),
        ((kind::NEWDECIMAL, 0, b"\x051 or2"), "'1 or2'"),
        ((kind::VAR_STRING, 0, b"\x02a'"), "'a'''"),
        ((kind::BLOB, 0, b"\x02\xfe\x00"), "X'FE00'"),
        ((kind::DATE, 0, b"\x04\xe8\x07\x02\x1d"), "'2024-02-29'"),
        ((kind::DATETIME, 0, b"\x04\xe8\x07\x02\x1d"), "'2024-02-29 00:00:00'"),
        ((kind::TIMESTAMP, 0, b"\x07\xe8\x07\x02\x1d\x17\x3b\x01"), "'2024-02-29 23:59:01'"),
        ((kind::DATETIME, 0, b"\x0b\xe8\x07\x02\x1d\x17\x3b\x01\x05\x00\x00\x00"), "'2024-02-29 23:59:01.000005'"),
        ((kind::DATETIME, 0, b"\x00"), "'0000-00-00 00:00:00'"),
        ((kind::TIME, 0, b"\x08\x01\x01\x00\x00\x00\x02\x03\x04"), "'-26:03:04'"),
        ((kind::TIME, 0, b"\x00"), "'00:00:00'"),
        ((kind::NULL, 0, b""), "NULL"),
    ];
    let values: Vec<_> = cases.iter().map(|(value, _)| *value).collect();
    let expected: Vec<_> = cases.iter().map(|(_, literal)| (*literal).to_owned()).collect();
    assert_eq!(literals(&values), Ok(expected));
}

#[test]
fn wrong_parameters_are_refused() {
    assert_eq!(literals(&[(kind::DOUBLE, 0, &f64::NAN.to_le_bytes())]), Err(ParameterError::NotFinite(1)));
    assert_eq!(literals(&[(200, 0, b"")]), Err(ParameterError::UnknownType { number: 1, kind: 200 }));
    assert_eq!(literals(&[(kind::DATE, 0, b"\x05aaaaa")]), Err(ParameterError::BadTime(1)));
    assert_eq!(literals(&[(kind::DATE, 0, b"\x04\xe8\x07\x0d\x01")]), Err(ParameterError::BadTime(1)));
    assert_eq!(literals(&[(kind::LONG, 0, b"\x01")]), Err(ParameterError::Malformed(Malformed)));
    let untyped = take_literals(&mut Fields(&[0, 0, 1]), 1, &mut Vec::new(), &BTreeMap::new());
    assert_eq!(untyped, Err(ParameterError::Untyped(1)));
}

#[test]
fn types_are_remembered_and_long_data_comes_first() {
    let mut types = Vec::new();
    let first = body(&[(kind::TINY, 0, b"\x07"), (kind::TINY, 0, b"\x08")]);
    take_literals(&mut Fields(&first), 2, &mut types, &BTreeMap::new()).unwrap();
    // The second parameter is NULL, no types.
    let again = take_literals(&mut Fields(&[0b10, 0, 9]), 2, &mut types, &BTreeMap::new());
    assert_eq!(again, Ok(vec!["9".into(), "NULL".into()]));
    let long = BTreeMap::from([(0, b"in parts".to_vec())]);
    let again = take_literals(&mut Fields(&[0, 0, 9]), 2, &mut types, &long);
    assert_eq!(again, Ok(vec!["'in parts'".into(), "9".into()]));
}

proptest! {
    #[test]
    fn random_bytes_are_parameters_or_an_error(bytes in prop::collection::vec(any::<u8>(), 0..100), count in 0_usize..20) {
        let mut fields = Fields(&bytes);
        take_execute_head(&mut fields).ok();
        take_literals(&mut fields, count, &mut Vec::new(), &BTreeMap::new()).ok();
    }

    #[test]
    fn any_text_is_a_template(text in ".{0,80}") {
        let template = Template::new(text.clone());
        prop_assert_eq!(template.fill(&[]), text);
    }

    #[test]
    fn a_quoted_text_hides_everything_in_it(inside in ".{0,40}") {
        let quoted = quote(inside.as_bytes());
        prop_assert_eq!(places(&format!("select {quoted}, ?")), 1);
    }
}
