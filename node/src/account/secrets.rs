//! From what CREATE USER says to what is stored.

use crate::error::EngineError;
use crate::sql::Identified;
use catalog::records::SecretRecord;

/// The plugin that a user has when none is named: the one that every client knows.
const NATIVE: &str = "mysql_native_password";
const CACHING_SHA2: &str = "caching_sha2_password";

/// The methods of proving a password.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Method {
    Native,
    CachingSha2,
}

fn method(plugin: &str) -> Result<Method, EngineError> {
    let method = [(NATIVE, Method::Native), (CACHING_SHA2, Method::CachingSha2)];
    method.into_iter().find(|(name, _)| name.eq_ignore_ascii_case(plugin)).map(|(_, method)| method).ok_or_else(|| {
        EngineError::unsupported(format!("plugin '{plugin}' is not supported; there are {NATIVE} and {CACHING_SHA2}"))
    })
}

/// What is stored of a password; `None` for an empty one.
///
/// # Errors
/// Unsupported for an unknown plugin, Invalid for a digest that is none. The digest itself is never told.
pub(super) fn stored(identified: &Identified) -> Result<Option<SecretRecord>, EngineError> {
    match identified {
        Identified::By { plugin, password } => {
            let method = plugin.as_deref().map_or(Ok(Method::Native), method)?;
            if password.expose().is_empty() { Ok(None) } else { digest(method, password.expose()).map(Some) }
        }
        Identified::As { plugin, digest } => match method(plugin)? {
            Method::Native if looks_like_native_digest(digest.expose()) => {
                Ok(Some(SecretRecord::Native(digest.expose().trim_start_matches('*').to_ascii_lowercase())))
            }
            Method::Native => Err(EngineError::invalid(format!(
                "the digest of {NATIVE} is * and 40 hexadecimal digits, as SHOW GRANTS and PASSWORD() of MySQL tell it"
            ))),
            Method::CachingSha2 if is_hex(digest.expose(), 64) => {
                Ok(Some(SecretRecord::CachingSha2(digest.expose().to_ascii_lowercase())))
            }
            Method::CachingSha2 => Err(EngineError::invalid(format!(
                "the digest of {CACHING_SHA2} is 64 hexadecimal digits here, the SHA-256 of the SHA-256 of the password; \
                 what MySQL stores ($A$005$..) cannot be taken over, so set the password with BY"
            ))),
        },
    }
}

fn is_hex(text: &str, digits: usize) -> bool {
    text.len() == digits && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// Whether a text is a digest of `mysql_native_password` rather than a password.
pub(crate) fn looks_like_native_digest(text: &str) -> bool {
    text.strip_prefix('*').is_some_and(|digits| is_hex(digits, 40))
}

#[cfg(not(madsim))]
#[expect(clippy::unnecessary_wraps, reason = "the simulator has no digests")]
fn digest(method: Method, password: &str) -> Result<SecretRecord, EngineError> {
    use crate::mysql::StoredPassword;
    Ok(match method {
        Method::Native => SecretRecord::Native(StoredPassword::native_digest(password)),
        Method::CachingSha2 => SecretRecord::CachingSha2(StoredPassword::sha256_digest(password)),
    })
}

#[cfg(madsim)]
fn digest(_method: Method, _password: &str) -> Result<SecretRecord, EngineError> {
    Err(EngineError::unsupported("there are no passwords in the simulator"))
}

/// The name of the plugin that a stored secret is for.
pub(super) fn plugin(secret: Option<&SecretRecord>) -> &'static str {
    match secret {
        None | Some(SecretRecord::Native(_)) => NATIVE,
        Some(SecretRecord::CachingSha2(_)) => CACHING_SHA2,
    }
}
