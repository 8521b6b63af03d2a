//! Drives a client from its first byte to being logged in, and through a change of user.

use super::auth::{self, Authenticator, Plugin, Salt};
use super::capabilities as cap;
use super::channel::{Channel, ChannelError, Transport};
use super::codec::Malformed;
use super::handshake::{self, ChangeUser, ClientHello, Login};
use crate::account::Identity;
use crate::error::{EngineError, ErrorKind, codes};
use async_trait::async_trait;
use std::io;
use std::sync::Arc;

/// Turns a plain stream into a TLS session, as the server side of it.
#[async_trait]
pub trait TlsUpgrade: Send + Sync + 'static {
    /// Does the TLS handshake.
    ///
    /// # Errors
    /// The handshake failed; the connection ends.
    async fn upgrade(&self, stream: Box<dyn Transport>) -> io::Result<Box<dyn Transport>>;
}

/// What the door needs to know.
#[derive(Clone)]
pub(crate) struct Door {
    pub(crate) version: String,
    pub(crate) authenticator: Arc<dyn Authenticator>,
    pub(crate) tls: Option<Arc<dyn TlsUpgrade>>,
}

/// Why a client is not let in.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Refusal {
    /// The client is to be told.
    #[error(transparent)]
    Told(EngineError),
    /// There is nobody to tell.
    #[error(transparent)]
    Channel(#[from] ChannelError),
}

impl From<Malformed> for Refusal {
    fn from(_malformed: Malformed) -> Self {
        Self::Told(EngineError::new(codes::HANDSHAKE, ErrorKind::Invalid, "Bad handshake"))
    }
}

/// The method that the greeting names. Every client has it or says which other it has.
const OFFERED: Plugin = Plugin::Native;

/// Greets a client and has it prove who it is. The OK packet is left to the caller.
pub(crate) async fn login(
    channel: &mut Channel,
    door: &Door,
    host: &str,
    connection: u32,
) -> Result<(Login, Identity), Refusal> {
    let salt = auth::fresh_salt().map_err(ChannelError::from)?;
    let ours = if door.tls.is_some() { cap::SERVER | cap::SSL } else { cap::SERVER };
    channel.put(|out| handshake::put_greeting(out, &door.version, connection, &salt, ours, OFFERED));
    channel.flush().await?;
    let mut hello = handshake::parse_hello(&channel.read_packet().await?, ours)?;
    if let (ClientHello::Tls, Some(tls)) = (&hello, &door.tls) {
        let stream = tls.upgrade(channel.take_stream()).await.map_err(ChannelError::from)?;
        channel.set_stream(stream);
        channel.secure = true;
        hello = handshake::parse_hello(&channel.read_packet().await?, ours)?;
    }
    let ClientHello::Login(login) = hello else { return Err(Malformed.into()) };
    channel.capabilities = login.capabilities;
    let first = Answer { plugin: Plugin::named(&login.plugin), response: login.response.clone(), salt };
    let identity = authenticate(channel, door, host, &login.user, first).await?;
    Ok((login, identity))
}

/// Has a connected client prove that it is somebody else.
pub(crate) async fn change_user(
    channel: &mut Channel,
    door: &Door,
    host: &str,
    body: &[u8],
) -> Result<(ChangeUser, Identity), Refusal> {
    let change = handshake::parse_change_user(body)?;
    // What the client sent answers a salt that was used up: it must answer again.
    let account = door.authenticator.account(&change.user, host).await;
    let preferred = Plugin::named(&change.plugin).unwrap_or(OFFERED);
    let plugin = auth::method(account.as_ref(), &door.authenticator.decoy(), Some(preferred));
    let again = ask_again(channel, plugin).await?;
    let identity = authenticate(channel, door, host, &change.user, again).await?;
    Ok((change, identity))
}

struct Answer {
    plugin: Option<Plugin>,
    response: Vec<u8>,
    salt: Salt,
}

async fn authenticate(
    channel: &mut Channel,
    door: &Door,
    host: &str,
    user: &str,
    mut answer: Answer,
) -> Result<Identity, Refusal> {
    let account = door.authenticator.account(user, host).await;
    let decoy = door.authenticator.decoy();
    let plugin = auth::method(account.as_ref(), &decoy, answer.plugin);
    // A client that prefers another method than the offered one may have answered nothing, for lack of a salt that
    // it knows to be meant for it.
    let usable = answer.plugin == Some(plugin) && (plugin == OFFERED || answer.response.len() == plugin.response_len());
    if !usable {
        answer = ask_again(channel, plugin).await?;
    }
    let proven = auth::check(plugin, &answer.salt, &answer.response, account.as_ref(), &decoy);
    let name: String = user.chars().take(80).collect();
    let Some(account) = account.filter(|_| proven) else {
        // No password is no bytes, or the zero byte that ends an empty text.
        let with_password = !matches!(answer.response.as_slice(), [] | [0]);
        return Err(Refusal::Told(EngineError::access_denied(&name, host, with_password)));
    };
    if account.require_tls && !channel.secure {
        let message = format!("Access denied for user '{name}'@'{host}': the account requires TLS; connect with it");
        return Err(Refusal::Told(EngineError::new(codes::ACCESS_DENIED, ErrorKind::Denied, message)));
    }
    if plugin == Plugin::CachingSha2 && answer.response.len() == plugin.response_len() {
        // The hash was at hand: nothing more is needed.
        channel.put(|out| out.extend_from_slice(&[1, 3]));
    }
    Ok(account.identity)
}

async fn ask_again(channel: &mut Channel, plugin: Plugin) -> Result<Answer, Refusal> {
    let salt = auth::fresh_salt().map_err(ChannelError::from)?;
    channel.put(|out| handshake::put_auth_switch(out, plugin, &salt));
    channel.flush().await?;
    let response = channel.read_packet().await?.to_vec();
    Ok(Answer { plugin: Some(plugin), response, salt })
}
