//! Doors for the fuzz targets; see [`crate::fuzzing`].

use super::capabilities as cap;
use super::channel::{Channel, ChannelError};
use super::codec::Fields;
use super::handshake::{ClientHello, parse_change_user, parse_hello};
use super::prepared::{Template, take_execute_head, take_literals};
use crate::sql;
use env::rt::{CancellationToken, Duration};
use futures::FutureExt;
use std::collections::BTreeMap;
use std::io::Cursor;

/// The bytes of a client before it has logged in: frames, in each a first packet or a change of user.
///
/// # Panics
/// When that does not hold.
pub fn mysql_login(data: &[u8]) {
    frames(data, 64 << 10, |packet| {
        for ours in [cap::SERVER, cap::SERVER | cap::SSL] {
            match parse_hello(packet, ours) {
                Ok(ClientHello::Login(login)) => {
                    assert_eq!(login.capabilities & !ours, 0);
                    assert!(login.response.len() <= packet.len() && !login.plugin.is_empty());
                }
                Ok(ClientHello::Tls) => assert_ne!(ours & cap::SSL, 0),
                Err(_malformed) => {}
            }
        }
        drop(parse_change_user(packet));
    });
}

/// Every packet that comes out is as long as its frames say, and none is longer than it may be.
fn frames(data: &[u8], max: usize, mut packet: impl FnMut(&[u8])) {
    let stream = Box::new(Cursor::new(data.to_vec()));
    let mut channel = Channel::new(stream, max, Duration::from_secs(1), CancellationToken::new());
    let mut read = 0;
    loop {
        // Memory is always ready.
        match channel.read_packet().now_or_never() {
            Some(Ok(bytes)) => {
                assert!(bytes.len() <= max);
                read += bytes.len() + 4;
                packet(&bytes);
            }
            Some(Err(ChannelError::Closed)) => break assert_eq!(read, data.len()),
            Some(Err(_)) | None => break,
        }
    }
    assert!(read <= data.len());
}

/// A prepared statement and the parameters of its execution, behind the first zero byte. Whatever a parameter holds, it
/// stays one literal: the text has as many statements as with a number in its place.
///
/// # Panics
/// When that does not hold.
pub fn mysql_execute(data: &[u8]) {
    let (text, body) = match data.iter().position(|byte| *byte == 0) {
        Some(at) => data.split_at(at),
        None => (data, &[][..]),
    };
    let Ok(text) = std::str::from_utf8(text) else { return };
    let template = Template::new(text.to_owned());
    let mut fields = Fields(body.get(1..).unwrap_or_default());
    if take_execute_head(&mut fields).is_err() {
        return;
    }
    let Ok(literals) = take_literals(&mut fields, template.parameters(), &mut Vec::new(), &BTreeMap::new()) else {
        return;
    };
    let shape = |text: &str| -> Vec<(bool, bool)> {
        sql::split(text).map(|piece| (piece.ended, piece.unclosed.is_some())).collect()
    };
    let numbers = vec!["0".to_owned(); literals.len()];
    let (filled, plain) = (template.fill(&literals), template.fill(&numbers));
    assert_eq!(shape(&filled), shape(&plain), "{filled:?}");
    for literal in &literals {
        // A number, a text or NULL, and nothing more.
        let read = sql::parse_expression(literal);
        assert!(read.is_ok(), "{literal:?}: {read:?}");
    }
}
