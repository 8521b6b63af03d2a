//! Values that are never shown: given as they are, or by the name of where they stand.

use crate::error::{Error, Result};
use std::fmt;
use std::fs::File;
use std::io::Read;
use std::path::PathBuf;

/// What is shown instead of a secret.
pub(crate) const MASK: &str = "***";
/// Longest secret: a private key has about 2 KiB.
const SECRET_BYTES_MAX: u64 = 64 << 10;

/// A secret, or where it stands.
#[derive(Clone, PartialEq, Eq)]
pub(crate) enum Secret {
    /// The secret itself.
    Literal(String),
    /// `env:NAME`: an environment variable of this process.
    Env(String),
    /// `file:/absolute/path`: what is in a file, without the line end. Read again for each connection, so that it can be
    /// changed.
    File(PathBuf),
}

impl Secret {
    /// Reads the value of a property; `property` names it in errors.
    pub(crate) fn parse(property: &str, value: &str) -> Result<Self> {
        let bad = |why: &str| Error::Invalid(format!("property '{property}' {why}"));
        if let Some(name) = value.strip_prefix("env:") {
            if name.is_empty() || name.contains(['=', '\0']) {
                return Err(bad("names no environment variable; write it as env:NAME"));
            }
            return Ok(Self::Env(name.to_owned()));
        }
        if let Some(path) = value.strip_prefix("file:") {
            let path = path.strip_prefix("//").unwrap_or(path);
            if !path.starts_with('/') || path.contains('\0') {
                return Err(bad("names no file by its absolute path; write it as file:/absolute/path"));
            }
            return Ok(Self::File(PathBuf::from(path)));
        }
        if value.is_empty() {
            return Err(bad("is empty; leave it out, or give it a value"));
        }
        if value.len() as u64 > SECRET_BYTES_MAX {
            return Err(bad(&format!("is longer than {SECRET_BYTES_MAX} bytes")));
        }
        Ok(Self::Literal(value.to_owned()))
    }

    /// Whether the value is the secret itself.
    pub(crate) fn is_literal(&self) -> bool {
        matches!(self, Self::Literal(_))
    }

    /// The secret. Blocks for the time of reading a small file.
    pub(crate) fn reveal(&self, property: &str) -> Result<String> {
        let bad = |why: String| Error::Invalid(format!("property '{property}' names {why}"));
        let text = match self {
            Self::Literal(value) => return Ok(value.clone()),
            Self::Env(name) => std::env::var(name).map_err(|failed| match failed {
                std::env::VarError::NotPresent => {
                    bad(format!("environment variable {name}, which is not set where this process was started"))
                }
                // Its text is not repeated: it is what should stay unseen.
                std::env::VarError::NotUnicode(_) => bad(format!("environment variable {name}, which is no text")),
            })?,
            Self::File(path) => {
                let shown = path.display();
                let mut text = String::new();
                let read = File::open(path)
                    .and_then(|file| file.take(SECRET_BYTES_MAX + 1).read_to_string(&mut text))
                    .map_err(|failed| bad(format!("file {shown}, which cannot be read: {failed}")))?;
                if read as u64 > SECRET_BYTES_MAX {
                    return Err(bad(format!("file {shown}, which is longer than {SECRET_BYTES_MAX} bytes")));
                }
                text
            }
        };
        let text = text.trim_end_matches(['\r', '\n']);
        if text.is_empty() {
            return Err(bad(format!("{self:?}, and there is nothing in it")));
        }
        Ok(text.to_owned())
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Literal(_) => f.write_str(MASK),
            Self::Env(name) => write!(f, "env:{name}"),
            Self::File(path) => write!(f, "file:{}", path.display()),
        }
    }
}
