//! Where a repository is: the text after ON LOCATION.

use crate::error::{Error, Result};
use crate::local::LocalStore;
use env::disk::Disk;
use object_store::ObjectStore;
use object_store::memory::InMemory;
use parking_lot::Mutex;
use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

/// A place that can hold a repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Location {
    /// A directory: `file:///absolute/path`.
    Local(PathBuf),
    /// The memory of this process, by name: `memory:name`. For tests.
    Memory(String),
}

/// Schemes of stores that are known and not linked in.
const KNOWN: [&str; 15] =
    ["s3", "s3a", "s3n", "gs", "az", "abfs", "abfss", "wasb", "wasbs", "oss", "cos", "cosn", "obs", "hdfs", "http"];

impl Location {
    /// Reads a location.
    ///
    /// # Errors
    /// `Invalid` for what is no location; `Unsupported` for a known kind of store that this program cannot reach,
    /// which it names.
    pub fn parse(url: &str) -> Result<Self> {
        let Some((scheme, rest)) = url.split_once(':') else {
            return Err(Error::Invalid(format!("{url:?} is not a location; use file:///absolute/path")));
        };
        let lower = scheme.to_ascii_lowercase();
        match lower.as_str() {
            "file" => Self::file(url, rest),
            "memory" => {
                let name = rest.trim_start_matches('/');
                if name.is_empty() || !name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_')) {
                    return Err(Error::Invalid(format!("{url:?} has no usable name; use memory:name")));
                }
                Ok(Self::Memory(name.to_owned()))
            }
            known if KNOWN.contains(&known) => Err(Error::Unsupported(format!(
                "locations of kind {known}: are not supported yet ({url:?}); use file:///absolute/path"
            ))),
            _ => Err(Error::Invalid(format!(
                "{url:?} is of no known kind of location ({scheme:?}); use file:///absolute/path"
            ))),
        }
    }

    fn file(url: &str, rest: &str) -> Result<Self> {
        let bad = |why: &str| Error::Invalid(format!("location {url:?} {why}; use file:///absolute/path"));
        let Some(with_host) = rest.strip_prefix("//") else {
            return Err(bad("does not begin with file://"));
        };
        let (host, path) = with_host.find('/').map_or((with_host, ""), |slash| with_host.split_at(slash));
        if path.is_empty() {
            return Err(bad("is not an absolute path"));
        }
        if !host.is_empty() {
            return Err(bad("names a host, which a directory cannot be on"));
        }
        if path.contains(['?', '#']) {
            return Err(bad("has a query or fragment (write a literal ? as %3F, # as %23)"));
        }
        let decoded = decode(path).ok_or_else(|| bad("has a broken percent escape or is not UTF-8"))?;
        if decoded.contains('\0') {
            return Err(bad("has a zero byte"));
        }
        let path = PathBuf::from(&decoded);
        if decoded.split('/').any(|part| part == "." || part == "..") {
            return Err(bad("has . or .. in its path"));
        }
        Ok(Self::Local(path))
    }
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Local(path) => write!(f, "file://{}", encode(&path.to_string_lossy())),
            Self::Memory(name) => write!(f, "memory:{name}"),
        }
    }
}

/// Undoes percent escapes.
fn decode(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte == b'%' {
            let digit = |byte: Option<u8>| char::from(byte?).to_digit(16);
            let value = digit(rest.next())? * 16 + digit(rest.next())?;
            bytes.push(u8::try_from(value).ok()?);
        } else {
            bytes.push(byte);
        }
    }
    String::from_utf8(bytes).ok()
}

/// Escapes what a location could not hold as it is.
fn encode(path: &str) -> String {
    let mut text = String::with_capacity(path.len());
    for letter in path.chars() {
        if matches!(letter, '%' | '?' | '#' | ' ') || letter.is_ascii_control() {
            text.extend(format!("%{:02X}", u32::from(letter)).chars());
        } else {
            text.push(letter);
        }
    }
    text
}

/// The store at a location; `disk` gives the directory for one that is local.
///
/// # Errors
/// None today; stores that must be dialled will have some.
#[expect(clippy::unnecessary_wraps, reason = "stores that must be dialled will have errors")]
pub fn connect(location: &Location, disk: impl FnOnce(&Path) -> Arc<dyn Disk>) -> Result<Arc<dyn ObjectStore>> {
    match location {
        Location::Local(path) => Ok(Arc::new(LocalStore::new(disk(path)))),
        Location::Memory(name) => {
            static STORES: OnceLock<Mutex<BTreeMap<String, Arc<InMemory>>>> = OnceLock::new();
            let mut stores = STORES.get_or_init(Mutex::default).lock();
            Ok(Arc::<InMemory>::clone(stores.entry(name.clone()).or_default()))
        }
    }
}

#[cfg(test)]
mod tests;
