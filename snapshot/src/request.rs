//! What a BACKUP or RESTORE statement asks for, and the rules of its properties. Pure.

use crate::error::{Error, Result};
use catalog::records::RetentionRecord;
use catalog::records::job::{Clean, JobLimits, ObjectSpec, Objects};
use env::ids::DatabaseId;
use std::collections::BTreeMap;
use std::fmt;

#[cfg(test)]
mod tests;

/// Seconds that a job may take when nobody says otherwise: a day.
pub const TIMEOUT_S_DEFAULT: u64 = 86_400;

/// The least timeout that can be asked for, in seconds.
pub const TIMEOUT_S_MIN: u64 = 600;

/// A BACKUP as it is submitted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BackupRequest {
    /// The database.
    pub database: DatabaseId,
    /// The snapshot's label; free in the repository.
    pub label: String,
    /// The repository's name.
    pub repository: String,
    /// Which tables and partitions.
    pub objects: Objects,
    /// `type`, `timeout`, `ttl`, and the [limits](LimitsChange).
    pub properties: BTreeMap<String, String>,
    /// Who asks.
    pub user: String,
}

/// A RESTORE as it is submitted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RestoreRequest {
    /// The database to restore into, created when there is none; the snapshot's own name when absent.
    pub target_database: Option<String>,
    /// The database that the snapshot must be of; unchecked when absent.
    pub snapshot_database: Option<String>,
    /// The snapshot's label.
    pub label: String,
    /// The repository's name.
    pub repository: String,
    /// Which tables and partitions of the snapshot, and under which names.
    pub objects: Objects,
    /// `backup_timestamp` (required), `timeout`, `replication_num`, `allow_load`, `clean_partitions`, `clean_tables`,
    /// `meta_version`, `starrocks_meta_version`, and the [limits](LimitsChange).
    pub properties: BTreeMap<String, String>,
    /// Who asks.
    pub user: String,
}

/// The properties of a BACKUP, checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BackupProperties {
    /// Seconds from submission.
    pub timeout_s: u64,
    /// How fast.
    pub limits: JobLimits,
    /// How long the snapshot is kept, in milliseconds from the backup's end; for ever when absent.
    pub ttl_ms: Option<u64>,
}

/// The properties of a RESTORE, checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RestoreProperties {
    /// Which run of the label.
    pub timestamp: String,
    /// Seconds from submission.
    pub timeout_s: u64,
    /// How fast.
    pub limits: JobLimits,
    /// Replicas of each tablet.
    pub replication_num: Option<u32>,
    /// Kept and shown, without effect.
    pub allow_load: bool,
    /// What goes because the snapshot does not have it.
    pub clean: Clean,
}

/// Bytes per second, both directions together: a number, or one with a unit such as `100MB`. 0 is no limit.
pub const MAX_BYTES: &str = "max_bytes_per_second";
/// Requests per second. 0 is no limit.
pub const MAX_REQUESTS: &str = "max_requests_per_second";

/// New limits for a running job, from the properties `max_bytes_per_second` and `max_requests_per_second`. What is not
/// named stays as it is; 0 takes a limit away.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct LimitsChange {
    bytes: Option<u64>,
    requests: Option<u64>,
}

impl LimitsChange {
    /// Checks the properties.
    ///
    /// # Errors
    /// `Invalid`, listing every problem with the key that it is about, and when none is named.
    pub fn parse(properties: &BTreeMap<String, String>) -> Result<Self> {
        let mut reader = Reader::new(properties, &[MAX_BYTES, MAX_REQUESTS]);
        if properties.is_empty() {
            reader.problems.push(format!("nothing is set; name one of: {MAX_BYTES}, {MAX_REQUESTS}"));
        }
        let change = reader.limits();
        reader.finish(change)
    }

    /// The limits after the change.
    #[must_use]
    pub fn apply(self, limits: JobLimits) -> JobLimits {
        let pick = |new: Option<u64>, old| new.map_or(old, |rate| (rate > 0).then_some(rate));
        JobLimits {
            max_bytes_per_second: pick(self.bytes, limits.max_bytes_per_second),
            max_requests_per_second: pick(self.requests, limits.max_requests_per_second),
        }
    }
}

/// Everything that is wrong with a statement's properties.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PropertyProblems(Vec<String>);

impl fmt::Display for PropertyProblems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join("; "))
    }
}

impl PropertyProblems {
    /// The problems one by one.
    pub fn list(&self) -> &[String] {
        &self.0
    }
}

struct Reader<'a> {
    properties: &'a BTreeMap<String, String>,
    known: &'a [&'a str],
    problems: Vec<String>,
}

impl<'a> Reader<'a> {
    fn new(properties: &'a BTreeMap<String, String>, known: &'a [&'a str]) -> Self {
        Self { properties, known, problems: Vec::new() }
    }

    fn get(&self, key: &str) -> Option<&'a str> {
        self.properties.get(key).map(String::as_str)
    }

    /// An integer of at least `least`.
    fn integer(&mut self, key: &str, least: u64, most: u64, unit: &str) -> Option<u64> {
        let text = self.get(key)?;
        match text.trim().parse::<u64>() {
            Ok(number) if (least..=most).contains(&number) => Some(number),
            Ok(number) if number < least => {
                self.problems.push(format!("property \"{key}\" must be at least {least}{unit}, not {number}"));
                None
            }
            Ok(number) => {
                self.problems.push(format!("property \"{key}\" must be at most {most}{unit}, not {number}"));
                None
            }
            Err(_not_a_number) => {
                self.problems.push(format!("property \"{key}\" must be a whole number, not \"{text}\""));
                None
            }
        }
    }

    /// `true` or `false` in any case; false when it is not there.
    fn truth(&mut self, key: &str) -> bool {
        match self.get(key).map(str::to_ascii_lowercase).as_deref() {
            None | Some("false") => false,
            Some("true") => true,
            Some(other) => {
                self.problems.push(format!("property \"{key}\" must be \"true\" or \"false\", not \"{other}\""));
                false
            }
        }
    }

    fn timeout(&mut self, least_s: u64) -> u64 {
        self.integer("timeout", least_s, u64::from(u32::MAX), " seconds").unwrap_or(TIMEOUT_S_DEFAULT)
    }

    fn limits(&mut self) -> LimitsChange {
        let requests = self.integer(MAX_REQUESTS, 0, u64::from(u32::MAX), "");
        let bytes = self.get(MAX_BYTES).and_then(|text| {
            let parsed = text.trim().parse::<bytesize::ByteSize>();
            if parsed.is_err() {
                let hint = "bytes in a second, like 104857600 or 100MiB, or 0 for no limit";
                self.problems.push(format!("property \"{MAX_BYTES}\" must be a number of {hint}, not \"{text}\""));
            }
            parsed.ok()
        });
        LimitsChange { bytes: bytes.map(|bytes| bytes.as_u64()), requests }
    }

    fn finish<T>(mut self, value: T) -> Result<T> {
        let unknown: Vec<&str> =
            self.properties.keys().map(String::as_str).filter(|key| !self.known.contains(key)).collect();
        if !unknown.is_empty() {
            let (unknown, known) = (unknown.join(", "), self.known.join(", "));
            self.problems.push(format!("unknown properties: [{unknown}]; known are: {known}"));
        }
        if self.problems.is_empty() { Ok(value) } else { Err(Error::Properties(PropertyProblems(self.problems))) }
    }
}

/// Checks what a retention says: `KEEP LAST`, `KEEP WITHIN`, `MIN`. Without `MIN` the newest one stays in any case.
///
/// # Errors
/// `Invalid`, listing every problem with the clause that it is about.
pub fn retention(keep_last: Option<u32>, keep_within: Option<&str>, min: Option<u32>) -> Result<RetentionRecord> {
    let mut problems = Vec::new();
    if keep_last == Some(0) {
        problems.push("KEEP LAST must be at least 1, not 0".to_owned());
    }
    if keep_last.is_none() && keep_within.is_none() {
        problems.push("nothing says what is kept; write KEEP LAST n, KEEP WITHIN '30d' or both".to_owned());
    }
    let keep_within_ms = keep_within
        .and_then(|text| duration_ms(text).map_err(|problem| problems.push(format!("KEEP WITHIN: {problem}"))).ok());
    if problems.is_empty() {
        Ok(RetentionRecord { keep_last, keep_within_ms, min: min.unwrap_or(1) })
    } else {
        Err(Error::Properties(PropertyProblems(problems)))
    }
}

/// The properties of a VERIFY REPOSITORY, checked: `timeout` alone, in seconds.
///
/// # Errors
/// `Invalid`, listing every problem with the key that it is about.
pub fn verify_properties(properties: &BTreeMap<String, String>, timeout_s_min: u64) -> Result<u64> {
    let mut reader = Reader::new(properties, &["timeout"]);
    let timeout_s = reader.timeout(timeout_s_min);
    reader.finish(timeout_s)
}

/// The longest time that snapshots are kept when one is given: a thousand years, in milliseconds.
const KEEP_MS_MAX: u64 = 1_000 * 366 * 86_400_000;

/// A time for which something is kept, such as `7d`, `12h`, `2 weeks` or `7 DAY`, in milliseconds: a second to a thousand
/// years. `M` and `month` are 30.44 days, `y` and `year` 365.25.
///
/// # Errors
/// What is wrong with it, as a text that names it and shows one that would do.
pub fn duration_ms(text: &str) -> Result<u64, String> {
    let example = "write one such as 7d, 12h or 2 weeks";
    let text = text.trim();
    // Units are words in lower case; StarRocks' scripts have them in upper case. A single M is a month and stays one.
    let spoken = text.split_inclusive(|c: char| !c.is_ascii_alphabetic()).map(|piece| {
        let letters = piece.chars().filter(char::is_ascii_alphabetic).count();
        if letters > 1 || !piece.starts_with('M') { piece.to_lowercase() } else { piece.to_owned() }
    });
    let time = humantime::parse_duration(&spoken.collect::<String>())
        .map_err(|problem| format!("\"{text}\" is not a time ({problem}); {example}"))?;
    match u64::try_from(time.as_millis()) {
        Ok(millis @ 1_000..=KEEP_MS_MAX) => Ok(millis),
        Ok(0..1_000) => Err(format!("\"{text}\" is less than a second; {example}")),
        Ok(_) | Err(_) => Err(format!("\"{text}\" is more than a thousand years; {example}")),
    }
}

/// Checks the properties of a BACKUP; `timeout_s_min` is [`TIMEOUT_S_MIN`] outside of tests.
///
/// # Errors
/// `Invalid`, listing every problem with the key that it is about.
pub fn backup_properties(properties: &BTreeMap<String, String>, timeout_s_min: u64) -> Result<BackupProperties> {
    let mut reader = Reader::new(properties, &["type", "timeout", "ttl", MAX_BYTES, MAX_REQUESTS]);
    let timeout_s = reader.timeout(timeout_s_min);
    // An empty one is none, as in StarRocks.
    let ttl_ms = reader.get("ttl").filter(|text| !text.trim().is_empty()).and_then(|text| {
        duration_ms(text).map_err(|problem| reader.problems.push(format!("property \"ttl\": {problem}"))).ok()
    });
    if let Some(kind) = reader.get("type")
        && !kind.trim().eq_ignore_ascii_case("full")
    {
        reader.problems.push(format!("property \"type\" must be \"full\", not \"{kind}\""));
    }
    let limits = reader.limits().apply(JobLimits::default());
    reader.finish(BackupProperties { timeout_s, limits, ttl_ms })
}

/// Checks the properties of a RESTORE; `timeout_s_min` is [`TIMEOUT_S_MIN`] outside of tests.
///
/// # Errors
/// `Invalid`, listing every problem with the key that it is about.
pub fn restore_properties(properties: &BTreeMap<String, String>, timeout_s_min: u64) -> Result<RestoreProperties> {
    let known = [
        "backup_timestamp",
        "timeout",
        "replication_num",
        "allow_load",
        "clean_partitions",
        "clean_tables",
        "meta_version",
        "starrocks_meta_version",
        MAX_BYTES,
        MAX_REQUESTS,
    ];
    let mut reader = Reader::new(properties, &known);
    let timestamp = reader.get("backup_timestamp").map(str::trim).unwrap_or_default().to_owned();
    if timestamp.is_empty() {
        let hint = "SHOW SNAPSHOT tells which time stamps a label has";
        reader.problems.push(format!("property \"backup_timestamp\" is required; {hint}"));
    }
    let timeout_s = reader.timeout(timeout_s_min);
    let replication_num =
        reader.integer("replication_num", 1, 32_767, "").and_then(|number| u32::try_from(number).ok());
    // Accepted so that scripts made for StarRocks run; our snapshots say their own format.
    for key in ["meta_version", "starrocks_meta_version"] {
        reader.integer(key, 0, u64::from(u32::MAX), "");
    }
    let allow_load = reader.truth("allow_load");
    let clean = Clean { partitions: reader.truth("clean_partitions"), tables: reader.truth("clean_tables") };
    let limits = reader.limits().apply(JobLimits::default());
    reader.finish(RestoreProperties { timestamp, timeout_s, limits, replication_num, allow_load, clean })
}

/// The objects named in a statement, empty for [`Objects::All`].
pub fn named(objects: &Objects) -> &[ObjectSpec] {
    match objects {
        Objects::All => &[],
        Objects::Listed(specs) | Objects::AllWith(specs) | Objects::Except(specs) => specs,
    }
}

/// Whether what is named is what is left out.
pub fn excludes_named(objects: &Objects) -> bool {
    matches!(objects, Objects::Except(_))
}

/// Whether tables that are not named are meant too.
pub fn includes_unnamed(objects: &Objects) -> bool {
    matches!(objects, Objects::All | Objects::AllWith(_) | Objects::Except(_))
}
