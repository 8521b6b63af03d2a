//! Days and moments as text and as the numbers that columns hold. Civil time only: there are no time zones here.

use jiff::SignedDuration;
use jiff::civil::{Date, DateTime, Time};
use std::fmt;

const EPOCH: Date = Date::constant(1970, 1, 1);
pub(crate) const MICROS_PER_DAY: i64 = 86_400_000_000;
/// 0000-01-01, in days since the epoch.
pub(crate) const DATE_MIN: i32 = -719_528;
/// 9999-12-31, in days since the epoch.
pub(crate) const DATE_MAX: i32 = 2_932_896;
/// 0000-01-01 00:00:00, in microseconds since the epoch.
pub(crate) const DATETIME_MIN: i64 = DATE_MIN as i64 * MICROS_PER_DAY;
/// 9999-12-31 23:59:59.999999, in microseconds since the epoch.
pub(crate) const DATETIME_MAX: i64 = (DATE_MAX as i64 + 1) * MICROS_PER_DAY - 1;

fn days(date: Date) -> Option<i32> {
    i32::try_from(date.duration_since(EPOCH).as_hours() / 24).ok()
}

fn date(days: i32) -> Option<Date> {
    EPOCH.checked_add(SignedDuration::from_hours(i64::from(days).saturating_mul(24))).ok()
}

/// Days since the epoch. A text with a time of day gives its day.
pub(crate) fn parse_date(text: &str) -> Option<i32> {
    let text = text.trim();
    if let Some(date) = read_date(text) {
        return days(date);
    }
    let micros = parse_datetime(text)?;
    i32::try_from(micros.div_euclid(MICROS_PER_DAY)).ok()
}

/// Microseconds since the epoch. A text without a time of day gives midnight.
pub(crate) fn parse_datetime(text: &str) -> Option<i64> {
    let text = text.trim();
    let (date, time) = match text.split_once([' ', 'T']) {
        Some((date, time)) => (read_date(date)?, read_time(time.trim_start())?),
        None => match text.split_at_checked(8) {
            Some((date, time)) if text.len() == 14 => (read_date(date)?, read_compact_time(time)?),
            _ => (read_date(text)?, 0),
        },
    };
    i64::from(days(date)?).checked_mul(MICROS_PER_DAY)?.checked_add(time)
}

/// Up to `max` digits as a number.
fn digits(text: &str, max: usize) -> Option<i64> {
    let fine = !text.is_empty() && text.len() <= max && text.bytes().all(|byte| byte.is_ascii_digit());
    if fine { text.parse().ok() } else { None }
}

fn read_date(text: &str) -> Option<Date> {
    let (year, month, day) = if text.len() == 8 && text.bytes().all(|byte| byte.is_ascii_digit()) {
        (text.get(..4)?, text.get(4..6)?, text.get(6..)?)
    } else {
        let (year, rest) = text.split_once(['-', '/'])?;
        let (month, day) = rest.split_once(['-', '/'])?;
        (year, month, day)
    };
    if year.len() != 4 {
        return None;
    }
    let year = i16::try_from(digits(year, 4)?).ok()?;
    let month = i8::try_from(digits(month, 2)?).ok()?;
    let day = i8::try_from(digits(day, 2)?).ok()?;
    Date::new(year, month, day).ok()
}

/// `HH:MM`, `HH:MM:SS` or `HH:MM:SS.ffffff`, in microseconds since midnight. Digits behind the sixth are dropped; a `Z` at the end
/// is allowed, as moments without a zone are taken as UTC.
fn read_time(text: &str) -> Option<i64> {
    let text = text.strip_suffix('Z').unwrap_or(text);
    let (clock, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let mut parts = clock.split(':');
    let hour = digits(parts.next()?, 2)?;
    let minute = digits(parts.next()?, 2)?;
    let second = match parts.next() {
        Some(second) => digits(second, 2)?,
        None if fraction == "0" => 0,
        None => return None,
    };
    if parts.next().is_some() {
        return None;
    }
    of_day(hour, minute, second, read_fraction(fraction)?)
}

fn read_compact_time(text: &str) -> Option<i64> {
    of_day(digits(text.get(..2)?, 2)?, digits(text.get(2..4)?, 2)?, digits(text.get(4..)?, 2)?, 0)
}

fn read_fraction(text: &str) -> Option<i64> {
    let nanos = digits(text, 9)?;
    let missing = 9_u32.checked_sub(u32::try_from(text.len()).ok()?)?;
    Some(nanos * 10_i64.pow(missing) / 1000)
}

fn of_day(hour: i64, minute: i64, second: i64, micros: i64) -> Option<i64> {
    let fine = hour < 24 && minute < 60 && second < 60;
    fine.then_some(((hour * 60 + minute) * 60 + second) * 1_000_000 + micros)
}

pub(crate) fn show_date(f: &mut fmt::Formatter<'_>, days: i32) -> fmt::Result {
    match date(days) {
        Some(date) => write!(f, "{date}"),
        None => write!(f, "{days} days since 1970-01-01"),
    }
}

pub(crate) fn show_datetime(f: &mut fmt::Formatter<'_>, micros: i64) -> fmt::Result {
    let Some(moment) = moment(micros) else {
        return write!(f, "{micros} microseconds since 1970-01-01");
    };
    write!(f, "{} {}", moment.date(), moment.time())
}

fn moment(micros: i64) -> Option<DateTime> {
    let day = date(i32::try_from(micros.div_euclid(MICROS_PER_DAY)).ok()?)?;
    let time = Time::midnight().checked_add(SignedDuration::from_micros(micros.rem_euclid(MICROS_PER_DAY))).ok()?;
    Some(day.to_datetime(time))
}
