use super::*;
use proptest::prelude::*;

/// What a client answers, from the descriptions of the two methods.
fn answer(plugin: Plugin, password: &str, salt: &Salt) -> Vec<u8> {
    fn xor(left: &[u8], right: &[u8]) -> Vec<u8> {
        left.iter().zip(right).map(|(left, right)| left ^ right).collect()
    }
    if password.is_empty() {
        return Vec::new();
    }
    match plugin {
        Plugin::Native => {
            let once = Sha1::digest(password);
            let mask = Sha1::digest([&salt[..], &Sha1::digest(once)[..]].concat());
            xor(&once, &mask)
        }
        Plugin::CachingSha2 => {
            let once = Sha256::digest(password);
            let mask = Sha256::digest([&Sha256::digest(once)[..], &salt[..]].concat());
            xor(&once, &mask)
        }
    }
}

fn account(credential: Credential) -> Account {
    Account::new("u", credential)
}

fn check(plugin: Plugin, salt: &Salt, response: &[u8], account: Option<&Account>) -> bool {
    super::check(plugin, salt, response, account, &StoredPassword::decoy())
}

fn check_password(account: Option<&Account>, password: &str) -> bool {
    super::check_password(account, &StoredPassword::decoy(), password)
}

const PLUGINS: [Plugin; 2] = [Plugin::Native, Plugin::CachingSha2];

#[test]
fn the_stored_hash_is_the_one_that_mysql_stores() {
    // PASSWORD('password') of MySQL 5 and MariaDB.
    let expected = *b"\x24\x70\xC0\xC0\x6D\xEE\x42\xFD\x16\x18\xBB\x99\x00\x5A\xDC\xA2\xEC\x9D\x1E\x19";
    assert_eq!(StoredPassword::of("password").native, Some(expected));
    let digits = "2470c0c06dee42fd1618bb99005adca2ec9d1e19";
    assert_eq!(StoredPassword::native_digest("password"), digits);
    let record = SecretRecord::Native(digits.to_owned());
    assert!(StoredPassword::from_record(&record).unwrap().is("password"));
    for bad in ["", "2", "24", "zz70c0c06dee42fd1618bb99005adca2ec9d1e19", "470c0c06dee42fd1618bb99005adca2ec9d1e19"] {
        assert_eq!(StoredPassword::from_record(&SecretRecord::Native(bad.to_owned())), None, "{bad}");
    }
}

#[test]
fn only_the_right_password_is_let_in() {
    let salt = fresh_salt().unwrap();
    let credential = account(Credential::of("s3cret"));
    for plugin in PLUGINS {
        assert!(check(plugin, &salt, &answer(plugin, "s3cret", &salt), Some(&credential)));
        for wrong in ["", "s3cre", "S3cret", "s3cret "] {
            assert!(!check(plugin, &salt, &answer(plugin, wrong, &salt), Some(&credential)), "{wrong}");
        }
        assert!(!check(plugin, &salt, &answer(plugin, "s3cret", &salt), None), "unknown users have no password");
        let other = fresh_salt().unwrap();
        assert!(!check(plugin, &other, &answer(plugin, "s3cret", &salt), Some(&credential)), "an answer serves once");
    }
}

#[test]
fn a_user_without_password_must_give_none() {
    let salt = fresh_salt().unwrap();
    for plugin in PLUGINS {
        assert!(check(plugin, &salt, b"", Some(&account(Credential::Nothing))));
        assert!(!check(plugin, &salt, &answer(plugin, "x", &salt), Some(&account(Credential::Nothing))));
        assert!(!check(plugin, &salt, b"", None));
    }
    // Some clients send an empty text with its closing zero byte.
    assert!(check(Plugin::CachingSha2, &salt, b"\0", Some(&account(Credential::Nothing))));
    assert!(!check(Plugin::CachingSha2, &salt, b"\0", Some(&account(Credential::of("x")))));
}

#[test]
fn plain_passwords_are_checked_against_the_same_store() {
    assert!(check_password(Some(&account(Credential::of("s3cret"))), "s3cret"));
    assert!(!check_password(Some(&account(Credential::of("s3cret"))), ""));
    assert!(check_password(Some(&account(Credential::Nothing)), ""));
    assert!(!check_password(Some(&account(Credential::Nothing)), "x"));
    assert!(!check_password(None, ""));
}

#[test]
fn salts_differ_and_are_text() {
    let salts: std::collections::BTreeSet<Salt> = (0..100).map(|_| fresh_salt().unwrap()).collect();
    assert_eq!(salts.len(), 100);
    assert!(salts.iter().flatten().all(|byte| byte.is_ascii() && *byte != 0 && *byte != b'$'));
}

#[test]
fn hashes_are_not_shown() {
    assert_eq!(format!("{:?}", Credential::of("x")), "Password(StoredPassword(..))");
}

proptest! {
    #[test]
    fn random_answers_prove_nothing(response in prop::collection::vec(any::<u8>(), 0..40), salt in any::<[u8; 20]>()) {
        for plugin in PLUGINS {
            prop_assert!(!check(plugin, &salt, &response, Some(&account(Credential::of("s3cret")))));
            prop_assert!(!check(plugin, &salt, &response, None));
        }
    }
}

#[test]
fn a_password_of_one_method_is_proven_by_that_method_only() {
    let salt = fresh_salt().unwrap();
    let record = SecretRecord::CachingSha2(StoredPassword::sha256_digest("s3cret"));
    let new = account(Credential::Password(StoredPassword::from_record(&record).unwrap()));
    let record = SecretRecord::Native(StoredPassword::native_digest("s3cret"));
    let old = account(Credential::Password(StoredPassword::from_record(&record).unwrap()));
    for (account, own, other) in
        [(&old, Plugin::Native, Plugin::CachingSha2), (&new, Plugin::CachingSha2, Plugin::Native)]
    {
        assert!(check(own, &salt, &answer(own, "s3cret", &salt), Some(account)));
        assert!(!check(other, &salt, &answer(other, "s3cret", &salt), Some(account)));
        for preferred in [Some(own), Some(other), None] {
            assert_eq!(method(Some(account), &StoredPassword::native_decoy(), preferred), own);
        }
        assert!(check_password(Some(account), "s3cret") && !check_password(Some(account), "S3cret"));
    }
    // Who has no account is asked for what most accounts are asked for.
    assert_eq!(method(None, &StoredPassword::native_decoy(), Some(Plugin::CachingSha2)), Plugin::Native);
    assert_eq!(method(None, &StoredPassword::decoy(), Some(Plugin::CachingSha2)), Plugin::CachingSha2);
}
