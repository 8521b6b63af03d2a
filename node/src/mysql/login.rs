//! Drives a client from its first byte to being logged in, and through a change of user.

use super::auth::{self, Authenticator, Plugin, Salt};
use super::capabilities as cap;
use super::channel::{Channel, ChannelError, Transport};
use super::codec::Malformed;
use super::handshake::{self, ChangeUser, ClientHello, Login};
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
pub(crate) async fn login(channel: &mut Channel, door: &Door, host: &str, connection: u32) -> Result<Login, Refusal> {
    let salt = auth::fresh_salt().map_err(ChannelError::from)?;
    let ours = if door.tls.is_some() { cap::SERVER | cap::SSL } else { cap::SERVER };
    channel.put(|out| handshake::put_greeting(out, &door.version, connection, &salt, ours, OFFERED));
    channel.flush().await?;
    let mut hello = handshake::parse_hello(&channel.read_packet().await?, ours)?;
    if let (ClientHello::Tls, Some(tls)) = (&hello, &door.tls) {
        let stream = tls.upgrade(channel.take_stream()).await.map_err(ChannelError::from)?;
        channel.set_stream(stream);
        hello = handshake::parse_hello(&channel.read_packet().await?, ours)?;
    }
    let ClientHello::Login(login) = hello else { return Err(Malformed.into()) };
    channel.capabilities = login.capabilities;
    let first = Answer { plugin: Plugin::named(&login.plugin), response: login.response.clone(), salt };
    authenticate(channel, door, host, &login.user, first).await?;
    Ok(login)
}

/// Has a connected client prove that it is somebody else.
pub(crate) async fn change_user(
    channel: &mut Channel,
    door: &Door,
    host: &str,
    body: &[u8],
) -> Result<ChangeUser, Refusal> {
    let change = handshake::parse_change_user(body)?;
    // What the client sent answers a salt that was used up: it must answer again.
    let plugin = Plugin::named(&change.plugin).unwrap_or(OFFERED);
    let again = ask_again(channel, plugin).await?;
    authenticate(channel, door, host, &change.user, again).await?;
    Ok(change)
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
) -> Result<(), Refusal> {
    // A client that prefers another method than the offered one may have answered nothing, for lack of a salt that
    // it knows to be meant for it.
    let usable = answer.plugin.filter(|plugin| *plugin == OFFERED || answer.response.len() == plugin.response_len());
    let plugin = if let Some(plugin) = usable {
        plugin
    } else {
        let plugin = answer.plugin.unwrap_or(OFFERED);
        answer = ask_again(channel, plugin).await?;
        plugin
    };
    let credential = door.authenticator.credential(user).await;
    if !auth::check(plugin, &answer.salt, &answer.response, credential.as_ref()) {
        let user: String = user.chars().take(80).collect();
        return Err(Refusal::Told(EngineError::access_denied(&user, host, !answer.response.is_empty())));
    }
    if plugin == Plugin::CachingSha2 && answer.response.len() == plugin.response_len() {
        // The hash was at hand: nothing more is needed.
        channel.put(|out| out.extend_from_slice(&[1, 3]));
    }
    Ok(())
}

async fn ask_again(channel: &mut Channel, plugin: Plugin) -> Result<Answer, Refusal> {
    let salt = auth::fresh_salt().map_err(ChannelError::from)?;
    channel.put(|out| handshake::put_auth_switch(out, plugin, &salt));
    channel.flush().await?;
    let response = channel.read_packet().await?.to_vec();
    Ok(Answer { plugin: Some(plugin), response, salt })
}
