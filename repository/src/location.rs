//! Where a repository is: the text after ON LOCATION. Pure: nothing is looked up or dialled here.
//!
//! A location never holds a secret: what could be one in a URL (a password before `@`, a query with a signature) is
//! refused, and not repeated in the refusal.

use crate::error::{Error, ErrorKind, Result};
use object_store::path::Path as Key;
use std::fmt;
use std::path::PathBuf;

/// A place that can hold a repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Location {
    /// A directory: `file:///absolute/path`.
    Local(PathBuf),
    /// The memory of this process, by name: `memory:name`. For tests.
    Memory(String),
    /// A bucket of anything that speaks S3: `s3://bucket/prefix`, also `s3a://` and `s3n://`.
    S3 {
        /// The bucket.
        bucket: String,
        /// Where in it, without slashes at the ends; empty for the bucket itself.
        prefix: String,
    },
    /// A bucket of Google Cloud Storage: `gs://bucket/prefix`.
    Gcs {
        /// The bucket.
        bucket: String,
        /// Where in it, without slashes at the ends; empty for the bucket itself.
        prefix: String,
    },
    /// A container of Azure Blob Storage or Data Lake Storage: `az://container/prefix`, or
    /// `abfss://container@account.dfs.core.windows.net/prefix` (also `abfs`, `wasb`, `wasbs`).
    Azure {
        /// The storage account, when the URL names it.
        account: Option<String>,
        /// The container, which Data Lake Storage calls a file system.
        container: String,
        /// Where in it, without slashes at the ends; empty for the container itself.
        prefix: String,
    },
}

/// What the refusal of anything else suggests.
const USE: &str = "use file:///absolute/path, s3://bucket/prefix, gs://bucket/prefix or az://container/prefix";
/// Longest prefix: what a repository puts behind it must fit into the 1024 bytes that stores allow a name.
const PREFIX_BYTES_MAX: usize = 512;
/// Longest name of a bucket, container or account.
const BUCKET_BYTES_MAX: usize = 255;

impl Location {
    /// Reads a location.
    ///
    /// # Errors
    /// `Invalid` for what is no location; `Unsupported` for a known kind of store that this program cannot reach,
    /// which it names.
    pub fn parse(url: &str) -> Result<Self> {
        let Some((scheme, rest)) = url.split_once(':') else {
            return Err(Error::Invalid(format!("{url:?} is not a location; {USE}")));
        };
        match scheme.to_ascii_lowercase().as_str() {
            "file" => file(url, rest),
            "memory" => {
                let name = rest.trim_start_matches('/');
                if name.is_empty() || !name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_')) {
                    return Err(Error::Invalid(format!("{url:?} has no usable name; use memory:name")));
                }
                Ok(Self::Memory(name.to_owned()))
            }
            "s3" | "s3a" | "s3n" => {
                let (bucket, prefix) = bucket(scheme, rest)?;
                Ok(Self::S3 { bucket, prefix })
            }
            "gs" => {
                let (bucket, prefix) = bucket(scheme, rest)?;
                Ok(Self::Gcs { bucket, prefix })
            }
            "az" | "abfs" | "abfss" | "wasb" | "wasbs" => azure(scheme, rest),
            "http" | "https" => Err(Error::Invalid(
                "a location is not the web address of a store; use s3://bucket/prefix with property \
                 'aws.s3.endpoint', gs://bucket/prefix, or az://container/prefix"
                    .to_owned(),
            )),
            known @ ("oss" | "cos" | "cosn" | "obs" | "ks3" | "tos") => Err(Error::Unsupported(format!(
                "locations of kind {known}: are not supported; if that store speaks S3, use s3://bucket/prefix with \
                 property 'aws.s3.endpoint'"
            ))),
            known @ ("hdfs" | "viewfs" | "webhdfs") => {
                Err(Error::Unsupported(format!("locations of kind {known}: are not supported; {USE}")))
            }
            _ => Err(Error::Invalid(format!("{scheme:?} is no known kind of location; {USE}"))),
        }
    }
}

impl Location {
    /// A failure of making or opening a repository here, with the place by name and what to do: what the store says names an
    /// object, which its user has never heard of.
    #[must_use]
    #[expect(clippy::wildcard_enum_match_arm, reason = "what is not named here says itself what is wrong")]
    pub fn blame(&self, failed: Error) -> Error {
        let local = matches!(self, Self::Local(_));
        let advice = match failed.kind() {
            ErrorKind::Denied if local => {
                "make the directory, or let the user that this program runs as read and write there"
            }
            ErrorKind::Denied => "check the credentials, and that they may read, write, list and delete there",
            ErrorKind::Unavailable if local => "check that it is a directory, on a file system that is mounted",
            ErrorKind::Unavailable => "check that the endpoint is right and can be reached from here",
            ErrorKind::Full => "make room there",
            _ => return failed,
        };
        Error::Unusable { location: self.to_string(), advice, source: Box::new(failed) }
    }
}

fn file(url: &str, rest: &str) -> Result<Location> {
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
    if decoded.split('/').any(|part| part == "." || part == "..") {
        return Err(bad("has . or .. in its path"));
    }
    Ok(Location::Local(PathBuf::from(decoded)))
}

/// What comes after `scheme:` as authority and the rest, with what might be a secret refused unseen.
fn split<'a>(scheme: &str, rest: &'a str) -> Result<(&'a str, String)> {
    let bad = |why: &str| Error::Invalid(format!("the {scheme}: location {why}"));
    let Some(rest) = rest.strip_prefix("//") else {
        return Err(bad("does not begin with two slashes; write it as scheme://bucket/prefix"));
    };
    if rest.contains(['?', '#']) {
        return Err(bad("has a query or fragment, which it cannot have; credentials are given as PROPERTIES"));
    }
    let (authority, prefix) = rest.split_once('/').unwrap_or((rest, ""));
    if authority.contains('@') && authority.contains(':') {
        return Err(bad("has a user and password, which it cannot have; credentials are given as PROPERTIES"));
    }
    let prefix = prefix.trim_matches('/');
    if prefix.len() > PREFIX_BYTES_MAX {
        return Err(bad(&format!("has a path of {} bytes, the limit is {PREFIX_BYTES_MAX}", prefix.len())));
    }
    // Escapes are not undone, as every other tool for these stores leaves them alone; to tell them apart from a name
    // with a percent sign is not possible, so there is none.
    let odd = |letter: char| letter.is_control() || matches!(letter, '%' | '\\');
    if prefix.contains(odd) || Key::parse(prefix).is_err() {
        return Err(bad(&format!(
            "has the path {prefix:?}: empty parts, . and .., %, \\ and control characters are not possible there"
        )));
    }
    Ok((authority, prefix.to_owned()))
}

/// A name of a bucket, container or account. What the store allows is narrower, and the store's to say.
fn name(scheme: &str, what: &str, name: &str) -> Result<String> {
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.' | b'$');
    if name.is_empty() {
        return Err(Error::Invalid(format!("the {scheme}: location names no {what}; {USE}")));
    }
    if name.len() > BUCKET_BYTES_MAX || !name.bytes().all(plain) || name == "." || name == ".." {
        // Not repeated when it may be somebody's name and key.
        let shown = if name.contains('@') { String::new() } else { format!(" {name:?}") };
        return Err(Error::Invalid(format!(
            "the {scheme}: location has an impossible {what}{shown}: letters, digits, -, _ and . are possible there"
        )));
    }
    Ok(name.to_owned())
}

fn bucket(scheme: &str, rest: &str) -> Result<(String, String)> {
    let (authority, prefix) = split(scheme, rest)?;
    Ok((name(scheme, "bucket", authority)?, prefix))
}

fn azure(scheme: &str, rest: &str) -> Result<Location> {
    let (authority, prefix) = split(scheme, rest)?;
    let Some((container, host)) = authority.split_once('@') else {
        return Ok(Location::Azure { account: None, container: name(scheme, "container", authority)?, prefix });
    };
    // Both names of an account reach the same data; the blob endpoint is the one with create-if-absent.
    let account = [".dfs.core.windows.net", ".blob.core.windows.net"].iter().find_map(|end| host.strip_suffix(end));
    let account = account.filter(|account| !account.contains('.')).ok_or_else(|| {
        Error::Invalid(format!(
            "the {scheme}: location names the host {host:?}, which is not account.dfs.core.windows.net; for another \
             endpoint use az://container/prefix with properties 'azure.blob.storage_account' and 'azure.blob.endpoint'"
        ))
    })?;
    let account = Some(name(scheme, "account", account)?);
    Ok(Location::Azure { account, container: name(scheme, "container", container)?, prefix })
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let slash = |prefix: &str| if prefix.is_empty() { "" } else { "/" };
        match self {
            Self::Local(path) => write!(f, "file://{}", encode(&path.to_string_lossy())),
            Self::Memory(name) => write!(f, "memory:{name}"),
            Self::S3 { bucket, prefix } => write!(f, "s3://{bucket}{}{prefix}", slash(prefix)),
            Self::Gcs { bucket, prefix } => write!(f, "gs://{bucket}{}{prefix}", slash(prefix)),
            Self::Azure { account: None, container, prefix } => write!(f, "az://{container}{}{prefix}", slash(prefix)),
            Self::Azure { account: Some(account), container, prefix } => {
                write!(f, "abfss://{container}@{account}.dfs.core.windows.net{}{prefix}", slash(prefix))
            }
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

#[cfg(test)]
mod tests;
