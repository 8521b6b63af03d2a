//! Names: generations, sessions, and the objects of a repository. Pure.
//!
//! | object | name |
//! |---|---|
//! | identity | `repository.json` |
//! | commit record | `commits/<inverted generation, 20 digits>.json`: the newest sorts first |
//! | manifest page | `pages/<generation>-<session>/<hash>` |
//! | payload | `data/<generation>-<session>/<name>` |
//! | what a probe of the store tries | `probe/<token>/<name>`, removed by the probe itself |
//! | unfinished upload of the local driver | `.uploads/<target with + for />.<token>` |
//!
//! A name is never used twice: the session part is unique, the generation is that of the session's opening.

use crate::error::{Error, Result};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// The object that holds a repository's identity.
pub(crate) const IDENTITY: &str = "repository.json";
/// Where commit records are.
pub(crate) const COMMITS: &str = "commits";
/// Where manifest pages are.
pub(crate) const PAGES: &str = "pages";
/// Where payload is.
pub(crate) const DATA: &str = "data";
/// Where a probe of the store works.
pub(crate) const PROBES: &str = "probe";
/// Where drivers without multipart uploads of their own keep what is not finished.
pub(crate) const UPLOADS: &str = ".uploads";

/// Number of a repository's state: 0 when it is created, +1 for each commit record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Generation(pub u64);

impl Generation {
    /// The state that a new repository starts with.
    pub const GENESIS: Self = Self(0);

    /// The next one.
    #[must_use]
    pub fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }
}

impl fmt::Display for Generation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A session's id: a token that nobody else will ever choose, behind the generation that its chooser saw. The
/// generation is where a resuming process begins to look for what became of the session.
///
/// Chosen with [`Repository::new_session_id`](crate::Repository::new_session_id), written down by the caller, then
/// opened; text is `<generation>.<32 hexadecimal digits>`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct SessionId {
    since: Generation,
    token: String,
}

impl SessionId {
    /// A fresh id for somebody who saw `since`.
    pub(crate) fn fresh(since: Generation) -> Self {
        Self { since, token: env::rand::token() }
    }

    /// No record about this session is older than the one after this.
    pub fn since(&self) -> Generation {
        self.since
    }

    /// The unique part, as it stands in object names.
    pub fn token(&self) -> &str {
        &self.token
    }
}

impl fmt::Display for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.since, self.token)
    }
}

impl FromStr for SessionId {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let bad = || Error::Invalid(format!("{text:?} is not a session id: expected <generation>.<32 hex digits>"));
        let (since, token) = text.split_once('.').ok_or_else(bad)?;
        let since = canonical(since).ok_or_else(bad)?;
        if !is_token(token) {
            return Err(bad());
        }
        Ok(Self { since: Generation(since), token: token.to_owned() })
    }
}

impl TryFrom<String> for SessionId {
    type Error = Error;
    fn try_from(text: String) -> Result<Self> {
        text.parse()
    }
}

impl From<SessionId> for String {
    fn from(id: SessionId) -> Self {
        id.to_string()
    }
}

/// What a session is for. People see it; no decision depends on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Purpose {
    /// Writes a snapshot.
    Backup,
    /// Reads a snapshot.
    Restore,
    /// Reads to check.
    Verify,
}

impl fmt::Display for Purpose {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Backup => "backup",
            Self::Restore => "restore",
            Self::Verify => "verify",
        })
    }
}

/// Decimal without sign or leading zeros, so that a number has one spelling.
fn canonical(digits: &str) -> Option<u64> {
    let plain = digits.bytes().all(|byte| byte.is_ascii_digit()) && (digits.len() == 1 || !digits.starts_with('0'));
    if plain { digits.parse().ok() } else { None }
}

fn is_token(text: &str) -> bool {
    text.len() == 32 && text.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte))
}

/// Whether a source file's name can be part of an object's name on every store.
pub(crate) fn is_file_name(name: &str) -> bool {
    (1..=200).contains(&name.len())
        && !name.starts_with('.')
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_'))
}

/// Who owns objects: a session, or a commit without one (its pages stand under the generation it wants to make).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Owner {
    /// Generation of the session's opening, or of the commit itself.
    pub(crate) generation: Generation,
    /// The unique part.
    pub(crate) token: String,
}

impl Owner {
    pub(crate) fn page(&self, hash: &str) -> String {
        format!("{PAGES}/{self}/{hash}")
    }

    pub(crate) fn data(&self, name: &str) -> String {
        format!("{DATA}/{self}/{name}")
    }
}

impl fmt::Display for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.generation, self.token)
    }
}

/// What an object's name says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum ObjectName {
    Identity,
    Commit(Generation),
    Page(Owner),
    Data(Owner),
    /// What an interrupted writer of the local driver left of one of the others.
    Unfinished(Box<ObjectName>),
    /// Not ours.
    Foreign,
}

impl ObjectName {
    pub(crate) fn parse(name: &str) -> Self {
        if name == IDENTITY {
            return Self::Identity;
        }
        let Some((top, rest)) = name.split_once('/') else { return Self::Foreign };
        match top {
            COMMITS => commit_generation(name).map_or(Self::Foreign, Self::Commit),
            PAGES | DATA => match owned(rest) {
                Some(owner) if top == PAGES => Self::Page(owner),
                Some(owner) => Self::Data(owner),
                None => Self::Foreign,
            },
            UPLOADS => match rest.rsplit_once('.') {
                Some((target, token)) if is_token(token) => match Self::parse(&target.replace('+', "/")) {
                    Self::Foreign | Self::Unfinished(_) => Self::Foreign,
                    target @ (Self::Identity | Self::Commit(_) | Self::Page(_) | Self::Data(_)) => {
                        Self::Unfinished(Box::new(target))
                    }
                },
                _ => Self::Foreign,
            },
            _ => Self::Foreign,
        }
    }
}

/// `<generation>-<token>/<name>`.
fn owned(rest: &str) -> Option<Owner> {
    let (owner, name) = rest.split_once('/')?;
    if name.is_empty() || name.contains('/') {
        return None;
    }
    let (generation, token) = owner.split_once('-')?;
    let generation = Generation(canonical(generation)?);
    is_token(token).then(|| Owner { generation, token: token.to_owned() })
}

/// The name of a generation's commit record.
pub(crate) fn commit_name(generation: Generation) -> String {
    format!("{COMMITS}/{:020}.json", u64::MAX - generation.0)
}

/// The generation whose commit record has this name.
pub(crate) fn commit_generation(name: &str) -> Option<Generation> {
    let digits = name.strip_prefix(COMMITS)?.strip_prefix('/')?.strip_suffix(".json")?;
    if digits.len() != 20 || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    Some(Generation(u64::MAX - digits.parse::<u64>().ok()?))
}

/// The name under which an unfinished upload of `target` waits.
pub(crate) fn upload_name(target: &str) -> String {
    format!("{UPLOADS}/{}.{}", target.replace('/', "+"), env::rand::token())
}

#[cfg(test)]
mod tests;
