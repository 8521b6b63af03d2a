//! Numbers as text. Everything here is exact; what does not fit is told apart from what is not a number.

use super::ValueError;
use crate::types::ColumnType;
use std::cmp::Ordering;
use std::fmt;

/// Why a text gives no number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Problem {
    Malformed,
    Range,
}

impl Problem {
    pub(crate) fn of(self, text: &str, data_type: ColumnType) -> ValueError {
        match self {
            Self::Malformed => ValueError::malformed(text, data_type),
            Self::Range => ValueError::range(text.trim(), data_type),
        }
    }
}

pub(crate) fn parse_bool(text: &str) -> Option<bool> {
    let text = text.trim();
    if text == "1" || text.eq_ignore_ascii_case("true") {
        Some(true)
    } else if text == "0" || text.eq_ignore_ascii_case("false") {
        Some(false)
    } else {
        None
    }
}

/// Whether an integer is one of the type's.
pub(crate) fn fits(data_type: ColumnType, value: i128) -> bool {
    match data_type {
        ColumnType::Boolean => value == 0 || value == 1,
        ColumnType::TinyInt => i8::try_from(value).is_ok(),
        ColumnType::SmallInt => i16::try_from(value).is_ok(),
        ColumnType::Int => i32::try_from(value).is_ok(),
        ColumnType::BigInt => i64::try_from(value).is_ok(),
        ColumnType::LargeInt => true,
        ColumnType::Float
        | ColumnType::Double
        | ColumnType::Decimal { .. }
        | ColumnType::Date
        | ColumnType::DateTime
        | ColumnType::Char(_)
        | ColumnType::Varchar(_)
        | ColumnType::String
        | ColumnType::Varbinary(_) => false,
    }
}

/// An integer; `5.0` is one, `5.5` is not.
pub(crate) fn parse_int(text: &str) -> Result<i128, Problem> {
    let text = text.trim();
    // Most integers are short; the standard library's i64 is several times as fast as its i128.
    if let Ok(value) = text.parse::<i64>() {
        return Ok(i128::from(value));
    }
    let parts = Digits::read(text).ok_or(Problem::Malformed)?;
    if parts.fraction.bytes().any(|digit| digit != b'0') || parts.exponent != 0 {
        return Err(Problem::Malformed);
    }
    // Through the signed text, for the least i128 has no positive twin.
    let sign = if parts.negative { "-" } else { "" };
    let whole = if parts.whole.is_empty() { "0" } else { parts.whole };
    format!("{sign}{whole}").parse().map_err(|_overflow: std::num::ParseIntError| Problem::Range)
}

pub(crate) fn parse_f64(text: &str) -> Result<f64, Problem> {
    let text = text.trim();
    let value: f64 = text.parse().map_err(|_malformed: std::num::ParseFloatError| Problem::Malformed)?;
    if value.is_infinite() && text.bytes().any(|byte| byte.is_ascii_digit()) { Err(Problem::Range) } else { Ok(value) }
}

pub(crate) fn parse_f32(text: &str) -> Result<f32, Problem> {
    let text = text.trim();
    let value: f32 = text.parse().map_err(|_malformed: std::num::ParseFloatError| Problem::Malformed)?;
    if value.is_infinite() && text.bytes().any(|byte| byte.is_ascii_digit()) { Err(Problem::Range) } else { Ok(value) }
}

/// One NaN and one zero, so that equal values have equal bits.
pub(crate) fn canonical_f64(value: f64) -> f64 {
    if value.is_nan() {
        f64::NAN
    } else if value == 0.0 {
        0.0
    } else {
        value
    }
}

/// As [`canonical_f64`].
pub(crate) fn canonical_f32(value: f32) -> f32 {
    if value.is_nan() {
        f32::NAN
    } else if value == 0.0 {
        0.0
    } else {
        value
    }
}

/// The digits of a number as typed.
struct Digits<'a> {
    negative: bool,
    whole: &'a str,
    fraction: &'a str,
    exponent: i32,
}

impl<'a> Digits<'a> {
    fn read(text: &'a str) -> Option<Self> {
        let (negative, text) = match text.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, text.strip_prefix('+').unwrap_or(text)),
        };
        let (mantissa, exponent) = match text.split_once(['e', 'E']) {
            Some((mantissa, exponent)) => (mantissa, exponent.parse::<i32>().ok()?),
            None => (text, 0),
        };
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
        let fine = digits(whole) && digits(fraction) && !(whole.is_empty() && fraction.is_empty());
        fine.then_some(Self { negative, whole, fraction, exponent })
    }
}

/// The unscaled value of a decimal text, rounded half away from zero to `scale` digits behind the point.
pub(crate) fn parse_decimal(text: &str, precision: u8, scale: u8) -> Result<i128, Problem> {
    let parts = Digits::read(text.trim()).ok_or(Problem::Malformed)?;
    let mut value: i128 = 0;
    // How many digits are still to be taken before the rounding one.
    let mut left = i64::try_from(parts.whole.len()).unwrap_or(i64::MAX).saturating_add(i64::from(parts.exponent));
    left = left.saturating_add(i64::from(scale));
    let mut digits = parts.whole.bytes().chain(parts.fraction.bytes());
    let mut round_up = false;
    if left < 0 {
        // All digits are behind the rounding one.
        digits = "".bytes().chain("".bytes());
    }
    while left > 0 {
        let digit = match digits.next() {
            Some(byte) => i128::from(byte.saturating_sub(b'0')),
            None if value == 0 => break,
            None => 0,
        };
        value = value.checked_mul(10).and_then(|value| value.checked_add(digit)).ok_or(Problem::Range)?;
        left -= 1;
    }
    if left == 0 {
        round_up = digits.next().is_some_and(|digit| digit >= b'5');
    }
    if round_up {
        value = value.checked_add(1).ok_or(Problem::Range)?;
    }
    if value >= power_of_ten(precision).unwrap_or(i128::MAX) {
        return Err(Problem::Range);
    }
    Ok(if parts.negative { -value } else { value })
}

pub(crate) fn power_of_ten(exponent: u8) -> Option<i128> {
    10i128.checked_pow(u32::from(exponent))
}

/// Compares by value, then by scale.
pub(crate) fn compare_decimals((a, s): (i128, u8), (b, t): (i128, u8)) -> Ordering {
    if s == t {
        return a.cmp(&b);
    }
    let split = |value: i128, scale: u8| {
        let unit = power_of_ten(scale).unwrap_or(i128::MAX);
        let rest = value.rem_euclid(unit);
        // Behind the point, brought to 38 digits: less than 10^38, so it fits.
        (value.div_euclid(unit), rest.saturating_mul(power_of_ten(38_u8.saturating_sub(scale)).unwrap_or(1)))
    };
    split(a, s).cmp(&split(b, t)).then(s.cmp(&t))
}

pub(crate) fn show_decimal(f: &mut fmt::Formatter<'_>, unscaled: i128, scale: u8) -> fmt::Result {
    let sign = if unscaled < 0 { "-" } else { "" };
    let digits = unscaled.unsigned_abs().to_string();
    let scale = usize::from(scale);
    if scale == 0 {
        return write!(f, "{sign}{digits}");
    }
    let digits = format!("{digits:0>width$}", width = scale + 1);
    let (whole, fraction) = digits.split_at_checked(digits.len() - scale).unwrap_or((&digits, ""));
    write!(f, "{sign}{whole}.{fraction}")
}

pub(crate) fn show_float(f: &mut fmt::Formatter<'_>, value: f64) -> fmt::Result {
    let size = value.abs();
    if value == 0.0 {
        f.write_str("0")
    } else if (1e-5..1e16).contains(&size) || !value.is_finite() {
        write!(f, "{value}")
    } else {
        write!(f, "{value:e}")
    }
}
