//! Proof of a password without sending it: `mysql_native_password` and the fast path of `caching_sha2_password`.
//!
//! What is stored is the double hash that each method needs. With it, a client's answer can be checked, but none can be
//! made, and the fast path of the newer method always works: no RSA and no TLS are needed for it.

use async_trait::async_trait;
use sha1::Sha1;
use sha2::{Digest, Sha256};

/// Random bytes that a client mixes with its password.
pub(crate) type Salt = [u8; 20];

/// What a password is checked against.
#[derive(Clone, PartialEq, Eq)]
pub struct StoredPassword {
    native: [u8; 20],
    sha256: [u8; 32],
}

impl std::fmt::Debug for StoredPassword {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("StoredPassword(..)")
    }
}

impl StoredPassword {
    /// The double hashes of `password`.
    pub fn of(password: &str) -> Self {
        let password = password.as_bytes();
        Self {
            native: Sha1::digest(Sha1::digest(password)).into(),
            sha256: Sha256::digest(Sha256::digest(password)).into(),
        }
    }

    /// Whether this is the double hash of `password`.
    pub fn is(&self, password: &str) -> bool {
        let sha256: [u8; 32] = Sha256::digest(Sha256::digest(password.as_bytes())).into();
        same(&sha256, &self.sha256)
    }

    /// Whether `response` proves the password against `salt`.
    fn proves(&self, plugin: Plugin, salt: &Salt, response: &[u8]) -> bool {
        match plugin {
            // response = SHA1(password) XOR SHA1(salt, SHA1(SHA1(password)))
            Plugin::Native => {
                let Some(hashed) = unmask(response, Sha1::new().chain_update(salt).chain_update(self.native)) else {
                    return false;
                };
                let twice: [u8; 20] = Sha1::digest(hashed).into();
                same(&twice, &self.native)
            }
            // response = SHA256(password) XOR SHA256(SHA256(SHA256(password)), salt)
            Plugin::CachingSha2 => {
                let Some(hashed) = unmask(response, Sha256::new().chain_update(self.sha256).chain_update(salt)) else {
                    return false;
                };
                let twice: [u8; 32] = Sha256::digest(hashed).into();
                same(&twice, &self.sha256)
            }
        }
    }
}

fn unmask<D: Digest>(response: &[u8], mask: D) -> Option<Vec<u8>> {
    let mask = mask.finalize();
    (response.len() == mask.len()).then(|| response.iter().zip(mask.iter()).map(|(left, right)| left ^ right).collect())
}

/// Compares in a time that does not depend on where the two differ.
fn same(left: &[u8], right: &[u8]) -> bool {
    left.len() == right.len() && left.iter().zip(right).fold(0, |differs, (left, right)| differs | (left ^ right)) == 0
}

/// What a user must show.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Credential {
    /// No password: the answer must be empty.
    Nothing,
    /// A password.
    Password(StoredPassword),
}

impl Credential {
    /// The credential for `password`.
    pub fn of(password: &str) -> Self {
        if password.is_empty() { Self::Nothing } else { Self::Password(StoredPassword::of(password)) }
    }
}

/// Knows the users.
#[async_trait]
pub trait Authenticator: Send + Sync + 'static {
    /// What `user` must show; `None` when there is no such user.
    async fn credential(&self, user: &str) -> Option<Credential>;
}

/// The user `root`, without a password, and nobody else.
#[derive(Debug, Clone, Copy, Default)]
pub struct RootOnly;

#[async_trait]
impl Authenticator for RootOnly {
    async fn credential(&self, user: &str) -> Option<Credential> {
        (user == "root").then_some(Credential::Nothing)
    }
}

/// Whether `password` is that of a user with `credential`. An unknown user costs the same work.
pub(crate) fn check_password(credential: Option<&Credential>, password: &str) -> bool {
    let is = stored_or_decoy(credential).is(password);
    match credential {
        None => false,
        Some(Credential::Nothing) => password.is_empty(),
        Some(Credential::Password(_)) => is,
    }
}

fn stored_or_decoy(credential: Option<&Credential>) -> &StoredPassword {
    // No password is known that hashes to zeros; and the result is not used.
    const DECOY: &StoredPassword = &StoredPassword { native: [0; 20], sha256: [0; 32] };
    match credential {
        Some(Credential::Password(stored)) => stored,
        None | Some(Credential::Nothing) => DECOY,
    }
}

/// A method of proving a password.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Plugin {
    Native,
    CachingSha2,
}

impl Plugin {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Native => "mysql_native_password",
            Self::CachingSha2 => "caching_sha2_password",
        }
    }

    pub(crate) fn named(name: &str) -> Option<Self> {
        [Self::Native, Self::CachingSha2].into_iter().find(|plugin| plugin.name() == name)
    }

    pub(crate) fn response_len(self) -> usize {
        match self {
            Self::Native => 20,
            Self::CachingSha2 => 32,
        }
    }
}

/// Whether `response` is the right answer for a user with `credential`. An unknown user costs the same work.
pub(crate) fn check(plugin: Plugin, salt: &Salt, response: &[u8], credential: Option<&Credential>) -> bool {
    let proves = stored_or_decoy(credential).proves(plugin, salt, response);
    match credential {
        None => false,
        Some(Credential::Nothing) => response.is_empty() || (plugin == Plugin::CachingSha2 && response == [0]),
        Some(Credential::Password(_)) => proves,
    }
}

/// A salt from the operating system. Clients treat it as text that ends at a zero byte, and `$` separates fields of
/// stored hashes, so those two are avoided.
pub(crate) fn fresh_salt() -> std::io::Result<Salt> {
    let mut salt: Salt = [0; 20];
    getrandom::fill(&mut salt).map_err(std::io::Error::other)?;
    for byte in &mut salt {
        *byte &= 0x7f;
        if matches!(*byte, 0 | b'$') {
            *byte += 1;
        }
    }
    Ok(salt)
}

#[cfg(test)]
mod tests;
