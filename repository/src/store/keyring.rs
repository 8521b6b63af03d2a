//! The key that seals secrets before they go into the catalog.
//!
//! What it protects: whoever reads the catalog, a copy of it, or its records on the way, sees no secret. It does not
//! protect from whoever reads the whole data directory, where the key lies beside it; a secret that must not be there at
//! all is given as `env:NAME` or `file:/path`.

use super::properties;
use super::secret::Secret;
use crate::error::{Error, Result};
use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use ring::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use std::collections::BTreeMap;
use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// Its name in the data directory.
const FILE: &str = "secret.key";
/// First line of the file.
const HEADER: &str = "tabularium secret key 1";
/// What a sealed value begins with: a format and its version.
const SEALED: &str = "sealed:1:";
const KEY_BYTES: usize = 32;
/// The file has 68 bytes.
const FILE_BYTES_MAX: u64 = 1024;

/// The key file of a node's data directory. It is made when the first secret is sealed.
#[derive(Clone)]
pub struct Keyring {
    dir: Option<PathBuf>,
}

impl Keyring {
    /// The key in a data directory. Nothing is read or made yet.
    pub fn at(dir: impl Into<PathBuf>) -> Self {
        Self { dir: Some(dir.into()) }
    }

    /// No key: nothing can be sealed or unsealed. For those without a directory of their own.
    pub fn none() -> Self {
        Self { dir: None }
    }

    /// Properties as they may be kept: secrets that stand in them are sealed, all else is as it was.
    ///
    /// Blocks for a few small writes when the key is made.
    ///
    /// # Errors
    /// `Invalid` for a value that is no secret; `Denied` when the key file cannot be read or made.
    pub fn seal(&self, given: &BTreeMap<String, String>) -> Result<BTreeMap<String, String>> {
        let mut cipher = None;
        let mut kept = BTreeMap::new();
        for (name, value) in given {
            let value = if properties::is_secret(name) && Secret::parse(name, value)?.is_literal() {
                let cipher = match &cipher {
                    Some(cipher) => cipher,
                    None => cipher.insert(self.cipher(true)?),
                };
                // Random nonces are safe for as many values as a key will ever seal: far below 2^32.
                let mut nonce = [0; NONCE_LEN];
                random(&mut nonce)?;
                let mut bytes = value.as_bytes().to_vec();
                cipher
                    .seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), Aad::from(name), &mut bytes)
                    .map_err(|failed| Error::Internal(format!("sealing property '{name}': {failed}")))?;
                let sealed = [nonce.as_slice(), &bytes].concat();
                format!("{SEALED}{}", STANDARD_NO_PAD.encode(sealed))
            } else {
                value.clone()
            };
            kept.insert(name.clone(), value);
        }
        Ok(kept)
    }

    /// Properties as they were given, from what [`seal`](Keyring::seal) made of them.
    ///
    /// # Errors
    /// `Denied` when the key is not there, or another one.
    pub fn unseal(&self, kept: &BTreeMap<String, String>) -> Result<BTreeMap<String, String>> {
        let mut cipher = None;
        let mut given = BTreeMap::new();
        for (name, value) in kept {
            let value = match value.strip_prefix(SEALED).filter(|_| properties::is_secret(name)) {
                None => value.clone(),
                Some(sealed) => {
                    let cipher = match &cipher {
                        Some(cipher) => cipher,
                        None => cipher.insert(self.cipher(false)?),
                    };
                    open(cipher, name, sealed).ok_or_else(|| {
                        let why = "it was sealed with another key; drop the repository and create it again with the \
                                   secret (what it holds stays)";
                        self.denied(format!("the secret in property '{name}' cannot be read: {why}"))
                    })?
                }
            };
            given.insert(name.clone(), value);
        }
        Ok(given)
    }

    fn denied(&self, why: String) -> Error {
        let object = self.dir.as_ref().map_or_else(String::new, |dir| dir.join(FILE).display().to_string());
        Error::Denied { object, source: why.into() }
    }

    fn cipher(&self, make: bool) -> Result<LessSafeKey> {
        let Some(dir) = &self.dir else {
            return Err(
                self.denied("there is no data directory to keep a key in; use env:NAME or file:/path".to_owned())
            );
        };
        let key = match read(dir) {
            Ok(key) => key,
            Err(failed) if failed.kind() == io::ErrorKind::NotFound && make => {
                create(dir).map_err(|failed| self.denied(format!("the key file cannot be made: {failed}")))?
            }
            Err(failed) if failed.kind() == io::ErrorKind::NotFound => {
                return Err(self.denied(
                    "the key file is gone; put it back, or drop the repository and create it again with the secret \
                     (what it holds stays)"
                        .to_owned(),
                ));
            }
            Err(failed) => return Err(self.denied(format!("the key file cannot be read: {failed}"))),
        };
        let key = UnboundKey::new(&CHACHA20_POLY1305, &key);
        Ok(LessSafeKey::new(key.map_err(|failed| Error::Internal(format!("a key of another length: {failed}")))?))
    }
}

impl fmt::Debug for Keyring {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keyring").field("dir", &self.dir).finish()
    }
}

fn random(bytes: &mut [u8]) -> Result<()> {
    getrandom::fill(bytes).map_err(|failed| Error::Internal(format!("the system gives no randomness: {failed}")))
}

/// A sealed value opened; none when it is damaged or of another key or name.
fn open(cipher: &LessSafeKey, name: &str, sealed: &str) -> Option<String> {
    let sealed = STANDARD_NO_PAD.decode(sealed).ok()?;
    let (nonce, bytes) = sealed.split_first_chunk()?;
    let mut bytes = bytes.to_vec();
    let value = cipher.open_in_place(Nonce::assume_unique_for_key(*nonce), Aad::from(name), &mut bytes).ok()?;
    String::from_utf8(value.to_vec()).ok()
}

/// The key that is there.
fn read(dir: &Path) -> io::Result<[u8; KEY_BYTES]> {
    let bad = || io::Error::new(io::ErrorKind::InvalidData, "it is not a key file of this program");
    let file = File::open(dir.join(FILE))?;
    let mode = file.metadata()?.permissions().mode();
    if mode & 0o077 != 0 {
        tracing::warn!(dir = %dir.display(), "others may read {FILE}; it should have mode 0600");
    }
    let mut text = String::new();
    file.take(FILE_BYTES_MAX).read_to_string(&mut text)?;
    let key = text.strip_prefix(HEADER).ok_or_else(bad)?.trim();
    STANDARD_NO_PAD.decode(key).ok().and_then(|key| key.try_into().ok()).ok_or_else(bad)
}

/// Makes the key, durably, or takes the one that another thread or process has just made.
fn create(dir: &Path) -> io::Result<[u8; KEY_BYTES]> {
    let mut key = [0; KEY_BYTES];
    getrandom::fill(&mut key).map_err(io::Error::other)?;
    let text = format!("{HEADER}\n{}\n", STANDARD_NO_PAD.encode(key));
    let temporary = dir.join(format!(".{FILE}.{}{}", env::rand::token(), env::disk::TEMPORARY_SUFFIX));
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&temporary)?;
    let made = file
        .write_all(text.as_bytes())
        .and_then(|()| file.sync_all())
        .and_then(|()| fs::hard_link(&temporary, dir.join(FILE)));
    fs::remove_file(&temporary)?;
    match made {
        Ok(()) => {}
        Err(failed) if failed.kind() == io::ErrorKind::AlreadyExists => return read(dir),
        Err(failed) => return Err(failed),
    }
    // What is sealed with it may not outlive it.
    File::open(dir)?.sync_all()?;
    Ok(key)
}

#[cfg(test)]
mod tests;
