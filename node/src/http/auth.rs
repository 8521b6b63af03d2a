//! Who sends a request: HTTP's basic authentication against the same users as the MySQL door.

use super::{App, Peer};
use crate::account::Identity;
use crate::mysql::check_password;
use axum::http::{HeaderMap, HeaderValue, header};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

/// Asks a client for its name and password.
pub(super) const CHALLENGE: HeaderValue = HeaderValue::from_static("Basic realm=\"tabularium\"");

/// Why a client is not let in.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Refused(pub(super) String);

/// The name and the password in `headers`.
fn credentials(headers: &HeaderMap) -> Option<(String, String)> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, encoded) = value.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let text = String::from_utf8(STANDARD.decode(encoded.trim()).ok()?).ok()?;
    let (user, password) = text.split_once(':')?;
    Some((user.to_owned(), password.to_owned()))
}

impl App {
    /// The account of the user who sent `headers`.
    pub(super) async fn authenticate(&self, headers: &HeaderMap, peer: &Peer) -> Result<Identity, Refused> {
        let (user, password) = credentials(headers)
            .ok_or_else(|| Refused("no user and password given; use basic authentication".to_owned()))?;
        let account = self.authenticator.account(&user, &peer.host).await;
        let proven = check_password(account.as_ref(), &self.authenticator.decoy(), &password);
        let shown: String = user.chars().take(80).collect();
        match account.filter(|_| proven) {
            None => Err(Refused(format!("Access denied for user '{shown}'"))),
            Some(account) if account.require_tls && !peer.secure => {
                Err(Refused(format!("Access denied for user '{shown}': the account requires TLS; use https")))
            }
            Some(account) => Ok(account.identity),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(value: &str) -> HeaderMap {
        HeaderMap::from_iter([(header::AUTHORIZATION, HeaderValue::from_str(value).unwrap())])
    }

    #[test]
    fn a_password_may_contain_colons() {
        let encoded = STANDARD.encode("root:a:b");
        assert_eq!(credentials(&header(&format!("basic {encoded}"))), Some(("root".into(), "a:b".into())));
    }

    #[test]
    fn other_schemes_and_broken_encodings_are_nobody() {
        for value in ["Bearer abc", "Basic", "Basic !!!", "Basic cm9vdA==", "Basic /w=="] {
            assert_eq!(credentials(&header(value)), None, "{value}");
        }
    }
}
