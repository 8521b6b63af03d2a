//! The packets of logging in: the server's greeting, the client's answer, a change of user. Pure.

use super::auth::{Plugin, Salt};
use super::capabilities as cap;
use super::codec::{Fields, Malformed};

/// The server's first packet.
pub(crate) fn put_greeting(
    out: &mut Vec<u8>,
    version: &str,
    connection: u32,
    salt: &Salt,
    capabilities: u32,
    plugin: Plugin,
) {
    let [low_a, low_b, high_a, high_b] = capabilities.to_le_bytes();
    let (first, second) = salt.split_at(8);
    out.push(10);
    out.extend_from_slice(version.as_bytes());
    out.push(0);
    out.extend_from_slice(&connection.to_le_bytes());
    out.extend_from_slice(first);
    out.push(0);
    out.extend_from_slice(&[low_a, low_b, cap::COLLATION_UTF8MB4]);
    out.extend_from_slice(&cap::status(false).to_le_bytes());
    // Length of the salt with its closing zero byte.
    out.extend_from_slice(&[high_a, high_b, 21]);
    out.extend_from_slice(&[0; 10]);
    out.extend_from_slice(second);
    out.push(0);
    out.extend_from_slice(plugin.name().as_bytes());
    out.push(0);
}

/// Asks the client to answer again, by `plugin` and with a new `salt`.
pub(crate) fn put_auth_switch(out: &mut Vec<u8>, plugin: Plugin, salt: &Salt) {
    out.push(0xfe);
    out.extend_from_slice(plugin.name().as_bytes());
    out.push(0);
    out.extend_from_slice(salt);
    out.push(0);
}

/// The client's first packet.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum ClientHello {
    /// TLS first; the answer comes again inside.
    Tls,
    Login(Login),
}

/// Who wants in, and how they prove it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Login {
    /// What both ends can do.
    pub(crate) capabilities: u32,
    pub(crate) user: String,
    pub(crate) response: Vec<u8>,
    pub(crate) database: Option<String>,
    /// The method that the client answered by.
    pub(crate) plugin: String,
}

/// Reads the client's first packet; `ours` are the capabilities that the greeting named.
pub(crate) fn parse_hello(packet: &[u8], ours: u32) -> Result<ClientHello, Malformed> {
    let mut fields = Fields(packet);
    // A client says for itself what it sends, but what we did not offer is not part of the conversation.
    let capabilities = fields.u32()? & ours;
    if capabilities & cap::PROTOCOL_41 == 0 {
        return Err(Malformed);
    }
    let _packet_len_bytes_max = fields.u32()?;
    let _collation = fields.u8()?;
    let _reserved = fields.take(23)?;
    if fields.is_empty() && capabilities & cap::SSL != 0 {
        return Ok(ClientHello::Tls);
    }
    let user = text(fields.until_nul()?);
    let response = if capabilities & cap::PLUGIN_AUTH_LENENC != 0 {
        fields.lenenc_bytes()?
    } else if capabilities & cap::SECURE_CONNECTION != 0 {
        let len = fields.u8()?;
        fields.take(usize::from(len))?
    } else {
        fields.until_nul_or_end()
    };
    let database = if capabilities & cap::CONNECT_WITH_DB != 0 { fields.until_nul_or_end() } else { &[] };
    let plugin = if capabilities & cap::PLUGIN_AUTH != 0 { text(fields.until_nul_or_end()) } else { String::new() };
    // Connection attributes may follow; nothing here depends on them.
    Ok(ClientHello::Login(Login {
        capabilities,
        user,
        response: response.to_vec(),
        database: named(database),
        plugin: if plugin.is_empty() { Plugin::Native.name().to_owned() } else { plugin },
    }))
}

/// Another user on the same connection.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct ChangeUser {
    pub(crate) user: String,
    pub(crate) database: Option<String>,
    pub(crate) plugin: String,
}

/// Reads the body of COM_CHANGE_USER. The proof in it is passed over: it answers a salt that was used up at login, so
/// a new one is always asked for.
pub(crate) fn parse_change_user(body: &[u8]) -> Result<ChangeUser, Malformed> {
    let mut fields = Fields(body);
    let user = text(fields.until_nul()?);
    let len = fields.u8()?;
    let _proof = fields.take(usize::from(len))?;
    let database = named(fields.until_nul_or_end());
    let plugin = if fields.is_empty() {
        String::new()
    } else {
        let _collation = fields.u16()?;
        text(fields.until_nul_or_end())
    };
    Ok(ChangeUser { user, database, plugin })
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn named(bytes: &[u8]) -> Option<String> {
    (!bytes.is_empty()).then(|| text(bytes))
}

#[cfg(test)]
mod tests;
