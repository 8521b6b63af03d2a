//! Numbers and times as text, the way MySQL prints them. Pure; writes into the caller's buffer.

use arrow::datatypes::i256;
use std::io::{self, Write};

/// Appends a number in decimal digits.
pub(crate) fn put_u64(out: &mut Vec<u8>, mut value: u64) {
    let mut digits = [0_u8; 20];
    let mut start = digits.len();
    for digit in digits.iter_mut().rev() {
        let [low, ..] = (value % 10).to_le_bytes();
        *digit = b'0' + low;
        value /= 10;
        start -= 1;
        if value == 0 {
            break;
        }
    }
    out.extend_from_slice(digits.get(start..).unwrap_or_default());
}

pub(crate) fn put_i64(out: &mut Vec<u8>, value: i64) {
    if value < 0 {
        out.push(b'-');
    }
    put_u64(out, value.unsigned_abs());
}

/// Appends exactly `width` digits, the lowest ones of `value`.
fn put_padded(out: &mut Vec<u8>, value: u32, width: u32) {
    for place in (0..width).rev() {
        let [low, ..] = (value / 10_u32.saturating_pow(place) % 10).to_le_bytes();
        out.push(b'0' + low);
    }
}

/// Appends the shortest digits that read back as the same number; with an exponent from 1e15 on and below 1e-15, as
/// MySQL does.
pub(crate) fn put_f64(out: &mut Vec<u8>, value: f64) -> io::Result<()> {
    match special(value) {
        Some(name) => out.write_all(name),
        None if plain(value) => write!(out, "{value}"),
        None => write!(out, "{value:e}"),
    }
}

/// Like [`put_f64`], with the shortest digits that read back as the same single-precision number.
pub(crate) fn put_f32(out: &mut Vec<u8>, value: f32) -> io::Result<()> {
    match special(f64::from(value)) {
        Some(name) => out.write_all(name),
        None if plain(f64::from(value)) => write!(out, "{value}"),
        None => write!(out, "{value:e}"),
    }
}

/// MySQL has no such values; these names are understood by the most languages.
fn special(value: f64) -> Option<&'static [u8]> {
    if value.is_nan() {
        Some(b"NaN")
    } else if value.is_infinite() {
        Some(if value.is_sign_negative() { b"-Infinity" } else { b"Infinity" })
    } else {
        None
    }
}

fn plain(value: f64) -> bool {
    let size = value.abs();
    size == 0.0 || (1e-15..1e15).contains(&size)
}

/// Appends `value / 10^scale` with exactly `scale` decimals.
pub(crate) fn put_decimal(out: &mut Vec<u8>, value: i128, scale: i8) -> io::Result<()> {
    let mut digits = [0_u8; 40];
    let mut rest = digits.as_mut_slice();
    write!(rest, "{}", value.unsigned_abs())?;
    let unused = rest.len();
    let len = digits.len() - unused;
    put_point(out, value < 0, digits.get(..len).unwrap_or_default(), scale);
    Ok(())
}

/// Appends `value / 10^scale` with exactly `scale` decimals.
pub(crate) fn put_decimal256(out: &mut Vec<u8>, value: i256, scale: i8) {
    let text = value.to_string();
    let digits = text.strip_prefix('-').unwrap_or(&text);
    put_point(out, text.starts_with('-'), digits.as_bytes(), scale);
}

fn put_point(out: &mut Vec<u8>, negative: bool, digits: &[u8], scale: i8) {
    if negative {
        out.push(b'-');
    }
    let Ok(decimals) = usize::try_from(scale) else {
        out.extend_from_slice(digits);
        if digits != b"0" {
            out.resize(out.len() + usize::from(scale.unsigned_abs()), b'0');
        }
        return;
    };
    match digits.len().checked_sub(decimals) {
        Some(whole) if whole > 0 => {
            let (whole, fraction) = digits.split_at_checked(whole).unwrap_or((digits, &[]));
            out.extend_from_slice(whole);
            if !fraction.is_empty() {
                out.push(b'.');
                out.extend_from_slice(fraction);
            }
        }
        _ => {
            out.extend_from_slice(b"0.");
            out.resize(out.len() + decimals - digits.len(), b'0');
            out.extend_from_slice(digits);
        }
    }
}

/// A day of the Gregorian calendar.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct CivilDate {
    pub(crate) year: i64,
    pub(crate) month: u8,
    pub(crate) day: u8,
}

impl CivilDate {
    /// The day that is `days` after 1970-01-01. Howard Hinnant's `civil_from_days`
    /// (<https://howardhinnant.github.io/date_algorithms.html>): years begin in March, so a leap day comes last.
    pub(crate) fn of(days: i64) -> Self {
        let shifted = days + 719_468;
        let era = shifted.div_euclid(146_097);
        let day_of_era = shifted.rem_euclid(146_097);
        let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let month_from_march = (5 * day_of_year + 2) / 153;
        let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
        let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
        let [month, ..] = month.to_le_bytes();
        let [day, ..] = day.to_le_bytes();
        Self { year: year_of_era + era * 400 + i64::from(month <= 2), month, day }
    }

    pub(crate) fn put(self, out: &mut Vec<u8>) {
        match u32::try_from(self.year) {
            Ok(year @ 0..=9_999) => put_padded(out, year, 4),
            _ => put_i64(out, self.year),
        }
        out.push(b'-');
        put_padded(out, u32::from(self.month), 2);
        out.push(b'-');
        put_padded(out, u32::from(self.day), 2);
    }
}

const MICROS_PER_DAY: i128 = 86_400_000_000;

/// A time of day, or an amount of time of less than a day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Clock {
    pub(crate) hour: u8,
    pub(crate) minute: u8,
    pub(crate) second: u8,
    pub(crate) micros: u32,
}

impl Clock {
    /// `micros` after midnight, less than a day.
    fn of(micros: i128) -> Self {
        let small = |value: i128| {
            let [low, ..] = value.to_le_bytes();
            low
        };
        Self {
            hour: small(micros / 3_600_000_000),
            minute: small(micros / 60_000_000 % 60),
            second: small(micros / 1_000_000 % 60),
            micros: u32::try_from(micros % 1_000_000).unwrap_or(0),
        }
    }

    /// `hh:mm:ss`, and six decimals unless they are all zero.
    pub(crate) fn put(self, out: &mut Vec<u8>) {
        put_padded(out, u32::from(self.hour), 2);
        out.push(b':');
        put_padded(out, u32::from(self.minute), 2);
        out.push(b':');
        put_padded(out, u32::from(self.second), 2);
        if self.micros > 0 {
            out.push(b'.');
            put_padded(out, self.micros, 6);
        }
    }
}

/// The day and the time of a moment that is `micros` after 1970-01-01 00:00.
pub(crate) fn moment(micros: i128) -> (CivilDate, Clock) {
    // Any i64 of seconds is 1.1e14 days: it fits.
    let days = i64::try_from(micros.div_euclid(MICROS_PER_DAY)).unwrap_or(0);
    (CivilDate::of(days), Clock::of(micros.rem_euclid(MICROS_PER_DAY)))
}

/// The whole days and the rest of an amount of time, without its sign.
pub(crate) fn amount(micros: i128) -> (u32, Clock) {
    let size = micros.abs();
    (u32::try_from(size / MICROS_PER_DAY).unwrap_or(u32::MAX), Clock::of(size % MICROS_PER_DAY))
}

#[cfg(test)]
mod tests;
