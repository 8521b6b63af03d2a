//! What is asked of a verifier.

use crate::error::{Error, Result};
use crate::limit::Limiter;
use crate::names::{Generation, SessionId};
use crate::options::StreamOptions;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// How closely to look. Each level sees what the one before it sees, and more.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Level {
    /// Every commit record and every page: hash, format, chain, sums. No data object is looked at.
    Meta,
    /// And that every data object exists in its length, by listing.
    Size,
    /// And the bytes of chunks chosen at random.
    Sample {
        /// The chance of each chunk to be read: above 0, at most 100.
        percent: f64,
    },
    /// And all bytes.
    Full,
}

impl Level {
    /// Whether data objects are held against a listing.
    pub fn sees_sizes(self) -> bool {
        !matches!(self, Self::Meta)
    }

    /// The chance of a chunk to be read, 0 to 1.
    pub fn share(self) -> f64 {
        match self {
            Self::Meta | Self::Size => 0.0,
            Self::Sample { percent } => percent / 100.0,
            Self::Full => 1.0,
        }
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Meta => f.write_str("meta"),
            Self::Size => f.write_str("size"),
            Self::Sample { percent } => write!(f, "sample={percent}%"),
            Self::Full => f.write_str("full"),
        }
    }
}

impl FromStr for Level {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let bad = || {
            Error::Invalid(format!(
                "{text:?} is not a level of verifying; use meta, size, sample=P% (P above 0, at most 100) or full"
            ))
        };
        let lower = text.trim().to_ascii_lowercase();
        match lower.as_str() {
            "meta" => return Ok(Self::Meta),
            "size" => return Ok(Self::Size),
            "full" => return Ok(Self::Full),
            _ => {}
        }
        let percent = lower.strip_prefix("sample").ok_or_else(bad)?.trim_start();
        let percent = percent.strip_prefix('=').ok_or_else(bad)?.trim();
        let percent = percent.strip_suffix('%').unwrap_or(percent).trim_end();
        let percent: f64 = percent.parse().ok().ok_or_else(bad)?;
        // Not a number fails both comparisons.
        if percent > 0.0 && percent <= 100.0 { Ok(Self::Sample { percent }) } else { Err(bad()) }
    }
}

impl TryFrom<String> for Level {
    type Error = Error;
    fn try_from(text: String) -> Result<Self> {
        text.parse()
    }
}

impl From<Level> for String {
    fn from(level: Level) -> Self {
        level.to_string()
    }
}

/// The newest record of a log that somebody has seen: a log that lacks it later has lost its end, or is another one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SeenHead {
    /// The record's generation.
    pub generation: Generation,
    /// BLAKE3 of the record's first line, 64 hexadecimal digits.
    pub hash: String,
}

/// What to verify, and how.
#[derive(Debug, Clone)]
pub struct Options {
    /// How closely.
    pub level: Level,
    /// Only the snapshot with this label; all of them, and the log, when there is none.
    pub label: Option<String>,
    /// Only if that snapshot has this timestamp.
    pub timestamp: Option<String>,
    /// How much is read at one time: `in_flight` ranges of up to `part_bytes`.
    pub stream: StreamOptions,
    /// How many bytes and requests a second.
    pub limiter: Limiter,
    /// Which chunks a sample takes: the same seed takes the same ones of the same repository. Chosen at random when
    /// there is none; the report tells it.
    pub seed: Option<u64>,
    /// A session to verify under, so that whoever noted it can resume or fence it; a fresh one when there is none. In a
    /// repository with a single writer none is opened unless that writer gives one.
    pub session: Option<SessionId>,
    /// Who asks, as the session's record tells people.
    pub owner: String,
    /// Write nothing, so open no session: what is dropped meanwhile may be swept under the verifier's hands.
    pub read_only: bool,
    /// The newest record that the caller remembers, of the report before, say.
    pub remembered: Option<SeenHead>,
    /// So many findings are kept; the rest is counted.
    pub findings_max: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            level: Level::Meta,
            label: None,
            timestamp: None,
            stream: StreamOptions::default(),
            limiter: Limiter::unlimited(),
            seed: None,
            session: None,
            owner: "verify".to_owned(),
            read_only: false,
            remembered: None,
            findings_max: 1000,
        }
    }
}
