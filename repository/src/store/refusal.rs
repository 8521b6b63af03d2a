//! What a store on the network says when it does not do what it was asked: status, code and words, and nothing else.
//!
//! The body of a refusal may repeat the request, its signature and its tokens; of it only code and message are kept, and
//! in those every secret of the connection is blotted out. Pure.

use super::secret::MASK;
use std::error::Error as StdError;
use std::fmt;

/// So much of an answer is read to find out why.
pub(crate) const BODY_BYTES_MAX: usize = 16 << 10;
/// Longest text that is passed on.
const TEXT_BYTES_MAX: usize = 500;

/// A refusal. `Display` is all that is ever told about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) status: u16,
    /// The store's own word for it, as `NoSuchBucket`; empty when it has none.
    pub(crate) code: String,
    message: String,
}

/// What a refusal asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Meaning {
    /// The object is not there.
    NotFound,
    /// The bucket is not there.
    NoBucket,
    /// Something is there already, or a condition does not hold.
    Exists,
    /// Whether something is there is not settled: another request for the same name is under way.
    Unsettled,
    /// The credentials are wrong, or do not suffice.
    Denied,
    /// The bucket is somewhere else.
    Elsewhere,
    /// No space, or a quota is reached.
    Full,
    /// The store cannot do it, or finds the request wrong.
    Unsupported,
    /// It may pass.
    Passing,
}

impl Refusal {
    /// From a status and the beginning of a body; `code` comes from a header, if one has it.
    pub(crate) fn new(status: u16, code: Option<&str>, body: &str, hidden: &[String]) -> Self {
        let in_json = || serde_json::from_str::<serde_json::Value>(body).ok();
        let (found, message) = if body.contains("<Code>") {
            (element(body, "Code"), element(body, "Message"))
        } else if let Some(json) = in_json() {
            let error = json.get("error").unwrap_or(&json);
            let text = |value: Option<&serde_json::Value>| match value {
                Some(serde_json::Value::String(text)) => Some(text.clone()),
                Some(serde_json::Value::Number(number)) => Some(number.to_string()),
                _ => None,
            };
            let code = text(Some(error)).or_else(|| text(error.get("status"))).or_else(|| text(error.get("code")));
            (code, text(error.get("message")).or_else(|| text(json.get("error_description"))))
        } else {
            (None, Some(body.to_owned()))
        };
        let code = code.map(str::to_owned).or(found).unwrap_or_default();
        let message = message.unwrap_or_default();
        Self { status, code: clean(&code, hidden), message: clean(&message, hidden) }
    }

    /// What it asks for. Pure.
    pub(crate) fn meaning(&self) -> Meaning {
        match self.code.as_str() {
            "NoSuchBucket" | "ContainerNotFound" | "FilesystemNotFound" => return Meaning::NoBucket,
            // The name's fate is decided by a request that runs beside this one.
            "ConditionalRequestConflict" | "OperationAborted" => return Meaning::Unsettled,
            "PreconditionFailed"
            | "ConditionNotMet"
            | "BlobAlreadyExists"
            | "FileAlreadyExists"
            | "ObjectAlreadyExists" => return Meaning::Exists,
            "RequestTimeout" | "SlowDown" | "InternalError" | "ServerBusy" | "OperationTimedOut" => {
                return Meaning::Passing;
            }
            "ExpiredToken"
            | "InvalidToken"
            | "InvalidAccessKeyId"
            | "SignatureDoesNotMatch"
            | "AccessDenied"
            | "AuthenticationFailed"
            | "invalid_grant"
            | "invalid_client"
            | "unauthorized_client" => {
                return Meaning::Denied;
            }
            "AuthorizationHeaderMalformed" | "PermanentRedirect" | "IllegalLocationConstraintException" => {
                return Meaning::Elsewhere;
            }
            "QuotaExceeded" | "XMinioStorageFull" | "InsufficientStorage" => return Meaning::Full,
            _ => {}
        }
        match self.status {
            404 => Meaning::NotFound,
            412 => Meaning::Exists,
            409 => Meaning::Unsettled,
            401 | 403 => Meaning::Denied,
            300..=399 => Meaning::Elsewhere,
            507 => Meaning::Full,
            501 | 505 => Meaning::Unsupported,
            408 | 416 | 425 | 429 | 500.. => Meaning::Passing,
            _ => Meaning::Unsupported,
        }
    }

    /// The refusal among the causes of an error.
    pub(crate) fn of<'a>(failed: &'a (dyn StdError + 'static)) -> Option<&'a Self> {
        let mut cause = Some(failed);
        while let Some(error) = cause {
            if let Some(refusal) = error.downcast_ref::<Self>() {
                return Some(refusal);
            }
            cause = error.source();
        }
        None
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the store answers {}", self.status)?;
        if !self.code.is_empty() {
            write!(f, " {}", self.code)?;
        }
        if !self.message.is_empty() {
            write!(f, ": {}", self.message)?;
        }
        Ok(())
    }
}

impl StdError for Refusal {}

/// The text between the first `<name>` and its end.
fn element(body: &str, name: &str) -> Option<String> {
    let (_, rest) = body.split_once(&format!("<{name}>"))?;
    let (text, _) = rest.split_once(&format!("</{name}>"))?;
    let plain = [("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&apos;", "'"), ("&amp;", "&")];
    Some(plain.iter().fold(text.to_owned(), |text, (escaped, plain)| text.replace(escaped, plain)))
}

/// Text from outside, fit to be shown: one line, short, without secrets, without queries of addresses.
pub(crate) fn clean(text: &str, hidden: &[String]) -> String {
    let mut text = text.to_owned();
    for secret in hidden.iter().filter(|secret| !secret.is_empty()) {
        text = text.replace(secret.as_str(), MASK);
        let escaped: String = url::form_urlencoded::byte_serialize(secret.as_bytes()).collect();
        text = text.replace(&escaped, MASK);
    }
    let words =
        text.split(|letter: char| letter.is_whitespace() || letter.is_control()).filter(|word| !word.is_empty());
    let without_query = |word: &str| match word.split_once('?') {
        Some((address, query)) if address.contains("://") || query.contains('=') => format!("{address}?{MASK}"),
        _ => word.to_owned(),
    };
    let mut line = words.map(without_query).collect::<Vec<_>>().join(" ");
    if line.len() > TEXT_BYTES_MAX {
        let end = (0..=TEXT_BYTES_MAX).rev().find(|at| line.is_char_boundary(*at)).unwrap_or(0);
        line.truncate(end);
        line.push_str("..");
    }
    line
}

/// An error and its causes as one line, cleaned.
pub(crate) fn chain(failed: &(dyn StdError + 'static), hidden: &[String]) -> String {
    clean(&env::explain(failed), hidden)
}

#[cfg(test)]
mod tests;
