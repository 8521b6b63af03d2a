use super::*;
use crate::types::tests::any_type;
use proptest::prelude::*;

/// Any value of a type, extremes and NULL more often than chance has it.
pub(crate) fn any_datum(data_type: ColumnType) -> BoxedStrategy<Datum> {
    let some: BoxedStrategy<Datum> = match data_type {
        ColumnType::Boolean => any::<bool>().prop_map(Datum::Bool).boxed(),
        ColumnType::TinyInt => integer(i8::MIN.into(), i8::MAX.into()),
        ColumnType::SmallInt => integer(i16::MIN.into(), i16::MAX.into()),
        ColumnType::Int => integer(i32::MIN.into(), i32::MAX.into()),
        ColumnType::BigInt => integer(i64::MIN.into(), i64::MAX.into()),
        ColumnType::LargeInt => integer(i128::MIN, i128::MAX),
        ColumnType::Float => any::<f32>().prop_map(|value| Datum::Float(f64::from(value))).boxed(),
        ColumnType::Double => any::<f64>().prop_map(Datum::Float).boxed(),
        ColumnType::Decimal { precision, scale } => {
            let max = number::power_of_ten(precision).expect("at most 38") - 1;
            prop_oneof![Just(-max), Just(max), Just(0), Just(1), -max..=max]
                .prop_map(move |unscaled| Datum::Decimal { unscaled, scale })
                .boxed()
        }
        ColumnType::Date => {
            let (min, max) = (calendar::DATE_MIN, calendar::DATE_MAX);
            prop_oneof![Just(min), Just(max), Just(0), min..=max].prop_map(Datum::Date).boxed()
        }
        ColumnType::DateTime => {
            let (min, max) = (calendar::DATETIME_MIN, calendar::DATETIME_MAX);
            prop_oneof![Just(min), Just(max), Just(0), Just(-1), min..=max].prop_map(Datum::DateTime).boxed()
        }
        ColumnType::Char(len) | ColumnType::Varchar(len) => text(len.min(12)),
        ColumnType::String => text(20),
        ColumnType::Varbinary(len) => {
            let len = usize::try_from(len.min(20)).expect("small");
            proptest::collection::vec(prop_oneof![Just(0u8), Just(255u8), any::<u8>()], 0..=len)
                .prop_map(Datum::Bytes)
                .boxed()
        }
    };
    prop_oneof![1 => Just(Datum::Null), 9 => some].boxed()
}

fn integer(min: i128, max: i128) -> BoxedStrategy<Datum> {
    prop_oneof![Just(min), Just(max), Just(0), Just(-1), Just(1), min..=max].prop_map(Datum::Int).boxed()
}

fn text(max_len_bytes: u32) -> BoxedStrategy<Datum> {
    let max = usize::try_from(max_len_bytes).expect("small");
    proptest::collection::vec(prop_oneof![Just('\0'), Just('a'), Just('b'), Just('\u{e4}'), any::<char>()], 0..=max)
        .prop_map(move |chars| {
            let mut text = String::new();
            for char in chars {
                if text.len() + char.len_utf8() <= max {
                    text.push(char);
                }
            }
            Datum::Text(text)
        })
        .boxed()
}

fn parse(data_type: &str, text: &str) -> Result<Datum, ValueError> {
    Datum::parse(&data_type.parse().expect("a type"), text)
}

#[test]
fn text_gives_the_value_it_says() {
    for (data_type, text, shown) in [
        ("BOOLEAN", " TRUE ", "true"),
        ("BOOLEAN", "0", "false"),
        ("TINYINT", "-128", "-128"),
        ("INT", " +7 ", "7"),
        ("INT", "5.000", "5"),
        ("LARGEINT", "-170141183460469231731687303715884105728", "-170141183460469231731687303715884105728"),
        ("FLOAT", "0.5", "0.5"),
        ("DOUBLE", "1e300", "1e300"),
        ("DOUBLE", "-0.0", "0"),
        ("DOUBLE", "nan", "NaN"),
        ("DOUBLE", "123456.75", "123456.75"),
        ("DECIMAL(5,2)", "1", "1.00"),
        ("DECIMAL(5,2)", "-.5", "-0.50"),
        ("DECIMAL(5,2)", "1.005", "1.01"),
        ("DECIMAL(5,2)", "-1.005", "-1.01"),
        ("DECIMAL(5,2)", "1.0049999", "1.00"),
        ("DECIMAL(5,2)", "1.2e2", "120.00"),
        ("DECIMAL(5,2)", "120e-4", "0.01"),
        ("DECIMAL(5,2)", "4e-3", "0.00"),
        ("DECIMAL(5,2)", "5e-3", "0.01"),
        ("DECIMAL(5,2)", "5e-4", "0.00"),
        ("DECIMAL(5,2)", "0e999999999", "0.00"),
        ("DECIMAL(38,0)", "99999999999999999999999999999999999999", "99999999999999999999999999999999999999"),
        ("DATE", "2024-02-29", "2024-02-29"),
        ("DATE", "2024/2/9", "2024-02-09"),
        ("DATE", "20240229", "2024-02-29"),
        ("DATE", "0000-01-01", "0000-01-01"),
        ("DATE", "9999-12-31 23:59:59", "9999-12-31"),
        ("DATETIME", "2024-02-29", "2024-02-29 00:00:00"),
        ("DATETIME", "2024-02-29 01:02", "2024-02-29 01:02:00"),
        ("DATETIME", "2024-02-29T01:02:03.5Z", "2024-02-29 01:02:03.5"),
        ("DATETIME", "20240229010203", "2024-02-29 01:02:03"),
        ("DATETIME", "1969-12-31 23:59:59.999999", "1969-12-31 23:59:59.999999"),
        ("CHAR(2)", "\u{e4}", "\u{e4}"),
        ("VARBINARY", "ab", "0x6162"),
    ] {
        let value = parse(data_type, text).unwrap_or_else(|error| panic!("{data_type} {text}: {error}"));
        assert_eq!(value.to_string(), shown, "{data_type} {text}");
    }
}

#[test]
fn text_that_is_no_value_is_told_apart_from_one_out_of_range() {
    for (data_type, text) in [
        ("BOOLEAN", "yes"),
        ("INT", ""),
        ("INT", "5.5"),
        ("INT", "1 2"),
        ("INT", "0x10"),
        ("DOUBLE", "1,5"),
        ("DECIMAL(5,2)", "."),
        ("DECIMAL(5,2)", "1.2.3"),
        ("DECIMAL(5,2)", "--1"),
        ("DATE", "2023-02-29"),
        ("DATE", "24-02-29"),
        ("DATE", "2024-02"),
        ("DATE", "2024-02-29 "),
        ("DATETIME", "2024-02-29 24:00:00"),
        ("DATETIME", "2024-02-29 01:02:03+02:00"),
        ("DATETIME", "2024-02-29 1"),
    ] {
        match parse(data_type, text) {
            Err(ValueError::Malformed { .. }) => {}
            Ok(_) if text.ends_with(' ') => {}
            other => panic!("{data_type} '{text}': {other:?}"),
        }
    }
    for (data_type, text) in [
        ("TINYINT", "128"),
        ("BIGINT", "9223372036854775808"),
        ("LARGEINT", "170141183460469231731687303715884105728"),
        ("FLOAT", "1e39"),
        ("DOUBLE", "1e400"),
        ("DECIMAL(5,2)", "1000"),
        ("DECIMAL(5,2)", "999.995"),
        ("DECIMAL(5,2)", "1e999999999"),
    ] {
        assert!(matches!(parse(data_type, text), Err(ValueError::Range { .. })), "{data_type} {text}");
    }
    let error = parse("CHAR(3)", "\u{e4}\u{e4}").expect_err("four bytes");
    assert_eq!(error.to_string(), "'\u{e4}\u{e4}' has 4 bytes, more than CHAR(3) holds");
    assert_eq!(
        parse("TINYINT", " 300 ").expect_err("too large").to_string(),
        "300 is out of the range of TINYINT, -128 to 127"
    );
    let long = parse("INT", &"x".repeat(1000)).expect_err("no number").to_string();
    assert!(long.len() < 100, "{long}");
}

#[test]
fn calendar_limits_are_the_named_days() {
    assert_eq!(Datum::Date(calendar::DATE_MIN).to_string(), "0000-01-01");
    assert_eq!(Datum::Date(calendar::DATE_MAX).to_string(), "9999-12-31");
    assert_eq!(Datum::DateTime(calendar::DATETIME_MIN).to_string(), "0000-01-01 00:00:00");
    assert_eq!(Datum::DateTime(calendar::DATETIME_MAX).to_string(), "9999-12-31 23:59:59.999999");
    assert_eq!(Datum::Date(i32::MAX).to_string(), "2147483647 days since 1970-01-01");
    assert!(Datum::DateTime(i64::MIN).to_string().ends_with("microseconds since 1970-01-01"));
}

#[test]
fn decimals_of_different_scales_compare_by_value() {
    let decimal = |unscaled, scale| Datum::Decimal { unscaled, scale };
    assert!(decimal(15, 1) < decimal(151, 2));
    assert!(decimal(-15, 1) > decimal(-151, 2));
    assert!(decimal(i128::MAX, 0) > decimal(i128::MAX, 38));
    assert!(decimal(i128::MIN, 0) < decimal(i128::MIN, 38));
}

fn typed_datum() -> impl Strategy<Value = (ColumnType, Datum)> {
    any_type().prop_flat_map(|data_type| (Just(data_type), any_datum(data_type)))
}

proptest! {
    #[test]
    fn text_round_trips((data_type, value) in typed_datum()) {
        prop_assume!(!value.is_null() && !matches!(value, Datum::Bytes(_)));
        let shown = value.to_string();
        prop_assert_eq!(Datum::parse(&data_type, &shown).map_err(|e| TestCaseError::fail(e.to_string()))?, value);
    }

    #[test]
    fn arrays_round_trip(
        (data_type, values) in any_type().prop_flat_map(|t| (Just(t), proptest::collection::vec(any_datum(t), 0..20)))
    ) {
        let array = Datum::array(&data_type, &values).expect("values of the type");
        prop_assert_eq!(array.data_type(), &data_type.arrow());
        for (row, value) in values.iter().enumerate() {
            prop_assert_eq!(&Datum::at(&array, row).expect("readable"), value);
        }
        prop_assert!(Datum::at(&array, values.len()).is_err());
    }

    #[test]
    fn any_text_is_read_or_refused(data_type in any_type(), text in "\\PC{0,40}") {
        drop(Datum::parse(&data_type, &text));
    }

    #[test]
    fn number_like_text_is_read_or_refused(data_type in any_type(), text in "[-+0-9.eE:/ T]{0,30}") {
        drop(Datum::parse(&data_type, &text));
    }
}
