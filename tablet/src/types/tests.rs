use super::*;
use proptest::prelude::*;

fn parse(text: &str) -> ColumnType {
    text.parse().unwrap_or_else(|error| panic!("{text}: {error}"))
}

/// Any type within its limits.
pub(crate) fn any_type() -> impl Strategy<Value = ColumnType> {
    prop_oneof![
        Just(ColumnType::Boolean),
        Just(ColumnType::TinyInt),
        Just(ColumnType::SmallInt),
        Just(ColumnType::Int),
        Just(ColumnType::BigInt),
        Just(ColumnType::LargeInt),
        Just(ColumnType::Float),
        Just(ColumnType::Double),
        (1u8..=38)
            .prop_flat_map(|p| (Just(p), 0..=p))
            .prop_map(|(precision, scale)| ColumnType::Decimal { precision, scale }),
        Just(ColumnType::Date),
        Just(ColumnType::DateTime),
        (1u32..=CHAR_MAX).prop_map(ColumnType::Char),
        (1u32..=VARCHAR_MAX).prop_map(ColumnType::Varchar),
        Just(ColumnType::String),
        (1u32..=VARCHAR_MAX).prop_map(ColumnType::Varbinary),
    ]
}

#[test]
fn every_spelling_has_one_canonical_text() {
    for (typed, canonical) in [
        ("bool", "BOOLEAN"),
        ("Boolean", "BOOLEAN"),
        ("tinyint(4)", "TINYINT"),
        ("SMALLINT", "SMALLINT"),
        ("INTEGER", "INT"),
        ("int(11)", "INT"),
        ("bigint (20)", "BIGINT"),
        ("largeint", "LARGEINT"),
        ("float", "FLOAT"),
        ("double  precision", "DOUBLE"),
        ("DECIMAL", "DECIMAL(10,0)"),
        ("decimal(15)", "DECIMAL(15,0)"),
        ("numeric( 15 , 2 )", "DECIMAL(15,2)"),
        ("DECIMAL32(9,2)", "DECIMAL(9,2)"),
        ("DECIMAL64(18,4)", "DECIMAL(18,4)"),
        ("DECIMAL128(38,38)", "DECIMAL(38,38)"),
        ("decimalv2", "DECIMAL(27,9)"),
        ("date", "DATE"),
        ("datetime", "DATETIME"),
        ("timestamp", "DATETIME"),
        ("DATETIME(6)", "DATETIME"),
        ("char", "CHAR(1)"),
        ("character(10)", "CHAR(10)"),
        ("varchar", "VARCHAR(65533)"),
        ("varchar(1048576)", "VARCHAR(1048576)"),
        ("text", "STRING"),
        ("string", "STRING"),
        ("binary", "VARBINARY"),
        ("varbinary(16)", "VARBINARY(16)"),
    ] {
        assert_eq!(parse(typed).to_string(), canonical, "{typed}");
    }
}

#[test]
fn limits_and_foreign_types_are_plain_errors() {
    let message = |text: &str| text.parse::<ColumnType>().expect_err(text).to_string();
    assert_eq!(message("CHAR(256)"), "CHAR takes a length from 1 to 255 bytes, not 256");
    assert_eq!(message("VARCHAR(0)"), "VARCHAR takes a length from 1 to 1048576 bytes, not 0");
    assert_eq!(
        message("DECIMAL(39,2)"),
        "DECIMAL takes a precision from 1 to 38 and a scale from 0 to the precision, not (39, 2)"
    );
    assert_eq!(
        message("DECIMAL32(10,2)"),
        "DECIMAL32 takes a precision from 1 to 9 and a scale from 0 to the precision, not (10, 2)"
    );
    assert!(message("DECIMAL(5,6)").contains("(5, 6)"));
    assert_eq!(message("JSON"), "type JSON is not supported; use STRING");
    assert_eq!(message("ARRAY<INT>"), "type ARRAY is not supported");
    assert_eq!(message("array<decimal(3,2)>"), "type ARRAY is not supported");
    assert_eq!(
        message("BIGINT(20) UNSIGNED"),
        "type BIGINT UNSIGNED is not supported; use the next larger signed type"
    );
    for text in
        ["", "(", "INT(", "INT)", "INT(1,2)", "INT(x)", "DECIMAL(1,2,3)", "VARCHAR(-1)", "INTEGERS", "DATETIME(7)"]
    {
        let error = text.parse::<ColumnType>().expect_err(text);
        assert_eq!(error, TypeError::Unknown(text.to_owned()), "{text}");
        assert_eq!(error.kind(), ErrorKind::Invalid);
    }
    assert_eq!("HLL".parse::<ColumnType>().expect_err("HLL").kind(), ErrorKind::Unsupported);
    assert!(matches!(
        "VARCHAR(99999999999999999999999)".parse::<ColumnType>(),
        Err(TypeError::Length { found: u64::MAX, .. })
    ));
}

#[test]
fn ranges_read_well() {
    assert_eq!(parse("DECIMAL(5,2)").range_text(), "-999.99 to 999.99");
    assert_eq!(parse("DECIMAL(3,3)").range_text(), "-0.999 to 0.999");
    assert_eq!(parse("DECIMAL(3,0)").range_text(), "-999 to 999");
    assert_eq!(parse("TINYINT").range_text(), "-128 to 127");
    assert_eq!(parse("VARCHAR(3)").range_text(), "at most 3 bytes");
}

proptest! {
    #[test]
    fn canonical_text_round_trips(column_type in any_type()) {
        prop_assert_eq!(parse(&column_type.to_string()), column_type);
        let json = serde_json::to_string(&column_type).expect("serializes");
        prop_assert_eq!(serde_json::from_str::<ColumnType>(&json).expect("reads"), column_type);
    }

    #[test]
    fn any_text_is_read_or_refused(text in "\\PC{0,24}") {
        drop(text.parse::<ColumnType>());
    }
}
