//! Times for people.

use jiff::Timestamp;
use jiff::tz::TimeZone;

fn format(unix_ms: u64, zone: TimeZone) -> String {
    let millis = i64::try_from(unix_ms).unwrap_or(i64::MAX);
    let time = Timestamp::from_millisecond(millis).unwrap_or(Timestamp::MAX);
    time.to_zoned(zone).strftime("%Y-%m-%d %H:%M:%S").to_string()
}

/// `yyyy-MM-dd HH:mm:ss` in the system's zone, as SHOW statements have it.
pub(crate) fn text(unix_ms: u64) -> String {
    format(unix_ms, TimeZone::system())
}

/// The same in UTC, as values in tables have it.
pub(crate) fn utc_text(unix_ms: u64) -> String {
    format(unix_ms, TimeZone::UTC)
}
