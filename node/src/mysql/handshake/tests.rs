use super::*;
use proptest::prelude::*;

#[test]
fn the_greeting_has_the_bytes_of_version_10() {
    let mut out = Vec::new();
    put_greeting(&mut out, "8.0.33-x", 0x0102_0304, b"abcdefghijklmnopqrst", cap::SERVER, Plugin::Native);
    let expected = [
        &b"\x0a8.0.33-x\0\x04\x03\x02\x01abcdefgh\0"[..],
        // Capabilities, lower half; collation 45; autocommit; capabilities, upper half; length of the salt.
        b"\x0f\xa7\x2d\x02\x00\x3f\x01\x15",
        &[0; 10],
        b"ijklmnopqrst\0mysql_native_password\0",
    ]
    .concat();
    assert_eq!(out, expected);
}

fn hello(capabilities: u32, rest: &[u8]) -> Vec<u8> {
    [&capabilities.to_le_bytes()[..], &(1_u32 << 24).to_le_bytes(), &[45], &[0; 23], rest].concat()
}

const MODERN: u32 = cap::PROTOCOL_41 | cap::SECURE_CONNECTION | cap::PLUGIN_AUTH | cap::PLUGIN_AUTH_LENENC;

#[test]
fn a_modern_client_is_understood() {
    let packet = hello(
        MODERN | cap::CONNECT_WITH_DB | cap::CONNECT_ATTRS,
        b"root\0\x03abcdb1\0caching_sha2_password\0\x06\x02ab\x02cd",
    );
    let expected = Login {
        capabilities: MODERN | cap::CONNECT_WITH_DB | cap::CONNECT_ATTRS,
        user: "root".into(),
        response: b"abc".to_vec(),
        database: Some("db1".into()),
        plugin: "caching_sha2_password".into(),
    };
    assert_eq!(parse_hello(&packet, cap::SERVER), Ok(ClientHello::Login(expected)));
}

#[test]
fn an_old_client_gets_the_native_method() {
    let packet = hello(cap::PROTOCOL_41 | cap::SECURE_CONNECTION, b"u\0\x02xy");
    let Ok(ClientHello::Login(login)) = parse_hello(&packet, cap::SERVER) else { panic!("not understood") };
    assert_eq!((login.plugin.as_str(), login.response.as_slice()), ("mysql_native_password", &b"xy"[..]));
    assert_eq!(login.database, None);
}

#[test]
fn an_empty_database_name_is_none() {
    let packet = hello(MODERN | cap::CONNECT_WITH_DB, b"root\0\0\0mysql_native_password\0");
    let Ok(ClientHello::Login(login)) = parse_hello(&packet, cap::SERVER) else { panic!("not understood") };
    assert_eq!((login.database, login.plugin.as_str()), (None, "mysql_native_password"));
}

#[test]
fn capabilities_that_were_not_offered_do_not_count() {
    let packet = hello(MODERN | cap::SSL | (1 << 7), b"root\0\0mysql_native_password\0");
    let Ok(ClientHello::Login(login)) = parse_hello(&packet, cap::SERVER) else { panic!("not understood") };
    assert_eq!(login.capabilities, MODERN);
    assert_eq!(parse_hello(&hello(MODERN | cap::SSL, b""), cap::SERVER | cap::SSL), Ok(ClientHello::Tls));
    assert_eq!(parse_hello(&hello(MODERN | cap::SSL, b""), cap::SERVER), Err(Malformed), "TLS was not offered");
}

#[test]
fn a_client_of_before_4_1_is_refused() {
    assert_eq!(parse_hello(&hello(0, b"root\0\0"), cap::SERVER), Err(Malformed));
}

#[test]
fn a_change_of_user_is_understood_with_and_without_plugin() {
    let whole = parse_change_user(b"admin\0\x14aaaaaaaaaaaaaaaaaaaadb\0\x2d\x00caching_sha2_password\0\x00").unwrap();
    assert_eq!(whole.user, "admin");
    assert_eq!(whole.database.as_deref(), Some("db"));
    assert_eq!(whole.plugin, "caching_sha2_password");
    let short = parse_change_user(b"admin\0\0\0").unwrap();
    assert_eq!((short.database, short.plugin.as_str()), (None, ""));
}

proptest! {
    #[test]
    fn random_packets_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..200), capabilities in any::<u32>()) {
        parse_hello(&bytes, cap::SERVER | cap::SSL).ok();
        parse_hello(&hello(capabilities | cap::PROTOCOL_41, &bytes), cap::SERVER | cap::SSL).ok();
        parse_change_user(&bytes).ok();
    }
}
