//! Proof of a password without sending it: `mysql_native_password` and the fast path of `caching_sha2_password`.
//!
//! What is stored is the double hash that each method needs. With it, a client's answer can be checked, but none can be
//! made, and the fast path of the newer method always works: no RSA and no TLS are needed for it, and no password ever comes
//! here as it is.

use crate::account::Identity;
use async_trait::async_trait;
use catalog::records::SecretRecord;
use sha1::Sha1;
use sha2::{Digest, Sha256};

/// Random bytes that a client mixes with its password.
pub(crate) type Salt = [u8; 20];

/// What a password is checked against: the double hashes of one method or of both.
#[derive(Clone, PartialEq, Eq)]
pub struct StoredPassword {
    native: Option<[u8; 20]>,
    sha256: Option<[u8; 32]>,
}

impl std::fmt::Debug for StoredPassword {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("StoredPassword(..)")
    }
}

fn native(password: &str) -> [u8; 20] {
    Sha1::digest(Sha1::digest(password.as_bytes())).into()
}

fn sha256(password: &str) -> [u8; 32] {
    Sha256::digest(Sha256::digest(password.as_bytes())).into()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |text, byte| text + &format!("{byte:02x}"))
}

fn unhex<const N: usize>(text: &str) -> Option<[u8; N]> {
    let digits: Vec<u8> =
        text.chars().map(|c| c.to_digit(16).and_then(|digit| u8::try_from(digit).ok())).collect::<Option<_>>()?;
    let bytes: Vec<u8> = digits.chunks(2).map(|pair| pair.iter().fold(0, |byte, digit| byte << 4 | digit)).collect();
    if digits.len() == 2 * N { bytes.try_into().ok() } else { None }
}

impl StoredPassword {
    /// The double hashes of `password`, for both methods.
    pub fn of(password: &str) -> Self {
        Self { native: Some(native(password)), sha256: Some(sha256(password)) }
    }

    /// What a record holds; `None` when its digest is none.
    pub fn from_record(record: &SecretRecord) -> Option<Self> {
        match record {
            SecretRecord::Native(digest) => Some(Self { native: Some(unhex(digest)?), sha256: None }),
            SecretRecord::CachingSha2(digest) => Some(Self { native: None, sha256: Some(unhex(digest)?) }),
        }
    }

    /// The double hash that `mysql_native_password` stores, as hexadecimal digits.
    pub fn native_digest(password: &str) -> String {
        hex(&native(password))
    }

    /// The double hash that the fast path of `caching_sha2_password` needs, as hexadecimal digits.
    pub fn sha256_digest(password: &str) -> String {
        hex(&sha256(password))
    }

    /// What nobody's password is, checked by `mysql_native_password`.
    pub fn native_decoy() -> Self {
        // No password is known that hashes to zeros; and the result is not used.
        Self { native: Some([0; 20]), sha256: None }
    }

    /// What nobody's password is, checked by either method.
    pub fn decoy() -> Self {
        Self { sha256: Some([0; 32]), ..Self::native_decoy() }
    }

    /// Whether an answer by `plugin` can be checked.
    fn can(&self, plugin: Plugin) -> bool {
        match plugin {
            Plugin::Native => self.native.is_some(),
            Plugin::CachingSha2 => self.sha256.is_some(),
        }
    }

    /// Whether this is the double hash of `password`. Both are worked out, whichever is there.
    pub fn is(&self, password: &str) -> bool {
        let is_native = same(&native(password), &self.native.unwrap_or_default());
        let is_sha256 = same(&sha256(password), &self.sha256.unwrap_or_default());
        (is_native && self.native.is_some()) || (is_sha256 && self.sha256.is_some())
    }

    /// Whether `response` proves the password against `salt`.
    fn proves(&self, plugin: Plugin, salt: &Salt, response: &[u8]) -> bool {
        match plugin {
            // response = SHA1(password) XOR SHA1(salt, SHA1(SHA1(password)))
            Plugin::Native => {
                let Some(hashed) =
                    unmask(response, Sha1::new().chain_update(salt).chain_update(self.native.unwrap_or_default()))
                else {
                    return false;
                };
                let twice: [u8; 20] = Sha1::digest(hashed).into();
                same(&twice, &self.native.unwrap_or_default()) && self.native.is_some()
            }
            // response = SHA256(password) XOR SHA256(SHA256(SHA256(password)), salt)
            Plugin::CachingSha2 => {
                let Some(hashed) =
                    unmask(response, Sha256::new().chain_update(self.sha256.unwrap_or_default()).chain_update(salt))
                else {
                    return false;
                };
                let twice: [u8; 32] = Sha256::digest(hashed).into();
                same(&twice, &self.sha256.unwrap_or_default()) && self.sha256.is_some()
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

/// An account that somebody wants to log in to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// Whose it is.
    pub identity: Identity,
    /// What they must show.
    pub credential: Credential,
    /// They must come over TLS.
    pub require_tls: bool,
}

impl Account {
    /// An account for every host, with or without TLS.
    pub fn new(user: &str, credential: Credential) -> Self {
        Self { identity: Identity::anywhere(user), credential, require_tls: false }
    }
}

/// Knows the users.
#[async_trait]
pub trait Authenticator: Send + Sync + 'static {
    /// The account that `user` from `host` logs in to; `None` when there is none.
    async fn account(&self, user: &str, host: &str) -> Option<Account>;

    /// Stands for the password of somebody who has no account, or none with a password: checked by the same methods as the
    /// passwords of most users, so that they are asked for the same things.
    fn decoy(&self) -> StoredPassword {
        StoredPassword::decoy()
    }
}

/// The user `root`, without a password, and nobody else.
#[derive(Debug, Clone, Copy, Default)]
pub struct RootOnly;

#[async_trait]
impl Authenticator for RootOnly {
    async fn account(&self, user: &str, _host: &str) -> Option<Account> {
        (user == "root").then(|| Account::new(user, Credential::Nothing))
    }
}

/// What an answer is checked against: a decoy for whoever has no password.
fn stored<'a>(account: Option<&'a Account>, decoy: &'a StoredPassword) -> &'a StoredPassword {
    match account.map(|account| &account.credential) {
        Some(Credential::Password(stored)) => stored,
        None | Some(Credential::Nothing) => decoy,
    }
}

/// Whether `password` is that of an account. That there is no account costs the same work.
pub(crate) fn check_password(account: Option<&Account>, decoy: &StoredPassword, password: &str) -> bool {
    let is = stored(account, decoy).is(password);
    match account.map(|account| &account.credential) {
        None => false,
        Some(Credential::Nothing) => password.is_empty(),
        Some(Credential::Password(_)) => is,
    }
}

/// A method of proving a password.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Plugin {
    Native,
    CachingSha2,
}

impl Plugin {
    const ALL: [Self; 2] = [Self::Native, Self::CachingSha2];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Native => "mysql_native_password",
            Self::CachingSha2 => "caching_sha2_password",
        }
    }

    pub(crate) fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|plugin| plugin.name() == name)
    }

    pub(crate) fn response_len(self) -> usize {
        match self {
            Self::Native => 20,
            Self::CachingSha2 => 32,
        }
    }
}

/// The method to ask for, if that is not the one that a client prefers.
pub(crate) fn method(account: Option<&Account>, decoy: &StoredPassword, preferred: Option<Plugin>) -> Plugin {
    let stored = stored(account, decoy);
    preferred.into_iter().chain(Plugin::ALL).find(|plugin| stored.can(*plugin)).unwrap_or(Plugin::Native)
}

/// Whether `response` is the right answer for an account. That there is no account costs the same work.
pub(crate) fn check(
    plugin: Plugin,
    salt: &Salt,
    response: &[u8],
    account: Option<&Account>,
    decoy: &StoredPassword,
) -> bool {
    let proves = stored(account, decoy).proves(plugin, salt, response);
    match account.map(|account| &account.credential) {
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
