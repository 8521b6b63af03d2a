use super::*;
use crate::error::ErrorKind;

fn given(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

#[test]
fn only_literal_secrets_are_sealed_and_come_back() {
    let dir = tempfile::tempdir().unwrap();
    let keyring = Keyring::at(dir.path());
    let properties = given(&[
        ("aws.s3.access_key", "env:KEY"),
        ("aws.s3.secret_key", "wJalrXUtnFEMI"),
        ("aws.s3.session_token", "sealed:1:looks like one"),
        ("aws.s3.region", "us-west-2"),
        ("azure.blob.shared_key", "file:/run/secrets/key"),
    ]);
    let kept = keyring.seal(&properties).unwrap();
    for name in ["aws.s3.access_key", "aws.s3.region", "azure.blob.shared_key"] {
        assert_eq!(kept[name], properties[name]);
    }
    for name in ["aws.s3.secret_key", "aws.s3.session_token"] {
        assert!(kept[name].starts_with(SEALED) && !kept[name].contains("wJalr"), "{kept:?}");
    }
    assert_eq!(keyring.unseal(&kept).unwrap(), properties);
    // Another life of the process; and the same text is not sealed the same way twice.
    let again = Keyring::at(dir.path());
    assert_eq!(again.unseal(&kept).unwrap(), properties);
    assert_ne!(again.seal(&properties).unwrap(), kept);
}

#[test]
fn the_key_is_for_its_owner_only_and_made_when_it_is_needed() {
    let dir = tempfile::tempdir().unwrap();
    let keyring = Keyring::at(dir.path());
    keyring.seal(&given(&[("aws.s3.region", "x"), ("aws.s3.secret_key", "env:X")])).unwrap();
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
    keyring.seal(&given(&[("aws.s3.secret_key", "x")])).unwrap();
    let names: Vec<_> = fs::read_dir(dir.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(names, [FILE]);
    assert_eq!(fs::metadata(dir.path().join(FILE)).unwrap().permissions().mode() & 0o777, 0o600);
}

#[test]
fn of_many_who_make_the_key_all_use_one() {
    let dir = tempfile::tempdir().unwrap();
    let kept: Vec<_> = std::thread::scope(|scope| {
        let seal = || Keyring::at(dir.path()).seal(&given(&[("aws.s3.secret_key", "x")])).unwrap();
        let racers: Vec<_> = (0..8).map(|_| scope.spawn(seal)).collect();
        racers.into_iter().map(|racer| racer.join().unwrap()).collect()
    });
    for kept in kept {
        assert_eq!(Keyring::at(dir.path()).unseal(&kept).unwrap()["aws.s3.secret_key"], "x");
    }
}

#[test]
fn a_sealed_value_is_of_its_name_its_key_and_undamaged() {
    let dir = tempfile::tempdir().unwrap();
    let keyring = Keyring::at(dir.path());
    let sealed =
        keyring.seal(&given(&[("aws.s3.secret_key", "topsecret")])).unwrap().remove("aws.s3.secret_key").unwrap();
    let refused = |keyring: &Keyring, name: &str, value: &str| {
        let failed = keyring.unseal(&given(&[(name, value)])).unwrap_err();
        assert_eq!(failed.kind(), ErrorKind::Denied, "{failed}");
        let text = crate::store::refusal::chain(&failed, &[]);
        assert!(!text.contains("topsecret"), "{text}");
        text
    };
    assert!(refused(&keyring, "azure.blob.shared_key", &sealed).contains("another key"));
    for at in SEALED.len()..sealed.len() {
        let mut damaged = sealed.clone().into_bytes();
        damaged[at] = if damaged[at] == b'A' { b'B' } else { b'A' };
        refused(&keyring, "aws.s3.secret_key", &String::from_utf8(damaged).unwrap());
    }
    refused(&keyring, "aws.s3.secret_key", SEALED);
    let other = tempfile::tempdir().unwrap();
    assert!(refused(&Keyring::at(other.path()), "aws.s3.secret_key", &sealed).contains("key file is gone"));
    Keyring::at(other.path()).seal(&given(&[("aws.s3.secret_key", "y")])).unwrap();
    assert!(refused(&Keyring::at(other.path()), "aws.s3.secret_key", &sealed).contains("another key"));
    refused(&Keyring::none(), "aws.s3.secret_key", &sealed);
    fs::write(other.path().join(FILE), "what is this").unwrap();
    assert!(refused(&Keyring::at(other.path()), "aws.s3.secret_key", &sealed).contains("not a key file"));
}
