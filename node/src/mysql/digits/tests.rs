use super::*;
use proptest::prelude::*;

fn text(put: impl FnOnce(&mut Vec<u8>)) -> String {
    let mut out = Vec::new();
    put(&mut out);
    String::from_utf8(out).unwrap()
}

fn double(value: f64) -> String {
    text(|out| put_f64(out, value).unwrap())
}

#[test]
fn doubles_are_as_short_as_they_can_be() {
    for (value, expected) in [
        (0.0, "0"),
        (-0.0, "-0"),
        (0.1, "0.1"),
        (-2.5, "-2.5"),
        (1.0 / 3.0, "0.3333333333333333"),
        (1e14, "100000000000000"),
        (999_999_999_999_999.0, "999999999999999"),
        (1e15, "1e15"),
        (123_456_789_012_345_680.0, "1.2345678901234568e17"),
        (1e-5, "0.00001"),
        (1e-15, "0.000000000000001"),
        (1e-16, "1e-16"),
        (f64::MAX, "1.7976931348623157e308"),
        (5e-324, "5e-324"),
        (f64::NAN, "NaN"),
        (f64::NEG_INFINITY, "-Infinity"),
    ] {
        assert_eq!(double(value), expected);
    }
}

#[test]
fn single_precision_has_its_own_shortest_digits() {
    let single = |value| text(|out| put_f32(out, value).unwrap());
    assert_eq!(single(0.1), "0.1");
    assert_eq!(single(16_777_216.0), "16777216");
    assert_eq!(single(f32::MAX), "3.4028235e38");
}

#[test]
fn decimals_have_all_their_places() {
    let decimal = |value, scale| text(|out| put_decimal(out, value, scale).unwrap());
    assert_eq!(decimal(12_345, 2), "123.45");
    assert_eq!(decimal(-5, 2), "-0.05");
    assert_eq!(decimal(-100, 2), "-1.00");
    assert_eq!(decimal(0, 3), "0.000");
    assert_eq!(decimal(7, 0), "7");
    assert_eq!(decimal(7, -3), "7000");
    assert_eq!(decimal(0, -3), "0");
    assert_eq!(decimal(i128::MIN, 38), "-1.70141183460469231731687303715884105728");
    let large = |value, scale| text(|out| put_decimal256(out, value, scale));
    assert_eq!(large(i256::from_i128(i128::MIN), 0), "-170141183460469231731687303715884105728");
    assert_eq!(large(i256::from_i128(-1), 1), "-0.1");
    assert_eq!(large(i256::MIN, 76).len(), 79);
}

fn shown(micros: i128) -> String {
    let (day, clock) = moment(micros);
    text(|out| {
        day.put(out);
        out.push(b' ');
        clock.put(out);
    })
}

#[test]
fn moments_before_and_after_the_epoch_are_right() {
    assert_eq!(shown(0), "1970-01-01 00:00:00");
    assert_eq!(shown(-1), "1969-12-31 23:59:59.999999");
    assert_eq!(shown(951_782_400_000_000), "2000-02-29 00:00:00");
    assert_eq!(shown(1_700_000_000_120_000), "2023-11-14 22:13:20.120000");
    assert_eq!(shown(253_402_300_799_000_000), "9999-12-31 23:59:59");
    assert_eq!(shown(-62_167_219_200_000_000), "0000-01-01 00:00:00");
    assert_eq!(shown(253_402_300_800_000_000), "10000-01-01 00:00:00");
    assert_eq!(shown(i128::from(i64::MIN)).get(..8), Some("-290308-"));
}

proptest! {
    #[test]
    fn whole_numbers_are_as_the_standard_library_writes_them(value in any::<i64>()) {
        prop_assert_eq!(text(|out| put_i64(out, value)), value.to_string());
        prop_assert_eq!(text(|out| put_u64(out, value.unsigned_abs())), value.unsigned_abs().to_string());
    }

    #[test]
    fn doubles_read_back_as_themselves(bits in any::<u64>()) {
        let value = f64::from_bits(bits);
        if value.is_finite() {
            prop_assert_eq!(double(value).parse::<f64>().unwrap().to_bits(), bits);
        }
    }

    #[test]
    fn decimals_read_back_as_themselves(value in any::<i128>(), scale in 0_i8..39) {
        let shown = text(|out| put_decimal(out, value, scale).unwrap());
        prop_assert_eq!(shown.replace('.', "").parse::<i128>().unwrap(), value);
        prop_assert_eq!(shown.split_once('.').map_or(0, |(_, fraction)| fraction.len()), usize::try_from(scale).unwrap());
        prop_assert_eq!(&shown, &text(|out| put_decimal256(out, i256::from_i128(value), scale)));
    }

    #[test]
    fn days_are_those_of_the_calendar(days in -719_528_i64..2_932_896) {
        let date = CivilDate::of(days);
        let expected = jiff::civil::date(1970, 1, 1).checked_add(jiff::Span::new().days(days)).unwrap();
        prop_assert_eq!(text(|out| date.put(out)), expected.to_string());
    }

    #[test]
    fn any_moment_is_shown(micros in any::<i64>(), seconds in any::<i64>()) {
        prop_assert!(shown(micros.into()).len() >= 19);
        prop_assert!(shown(i128::from(seconds) * 1_000_000).len() >= 19);
    }
}
