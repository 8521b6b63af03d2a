//! Connections to stores on the network: time limits, pool, and what becomes of a refusal.

use super::refusal::{BODY_BYTES_MAX, Refusal};
use async_trait::async_trait;
use futures::StreamExt;
use object_store::client::{
    HttpClient, HttpConnector, HttpError, HttpErrorKind, HttpRequest, HttpResponse, HttpResponseBody, HttpService,
};
use object_store::{ClientConfigKey, ClientOptions, Error, Result};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// Until a connection stands, TLS included.
const CONNECT: Duration = Duration::from_secs(5);
/// Sent bytes that are not acknowledged for so long mean a dead connection. Together with the probes of an idle one it
/// finds out about a store that is gone, however long a large request may take.
const UNACKNOWLEDGED: Duration = Duration::from_secs(30);
const KEEPALIVE: Duration = Duration::from_secs(15);
/// Between two pieces of an answer; before the first it covers sending the request. A part of 8 MiB gets through on a
/// line of 1 Mbit/s.
const SILENCE: Duration = Duration::from_mins(2);
/// A whole request, so that nothing can hang for good: dripping bytes would keep the other limits quiet.
const REQUEST: Duration = Duration::from_mins(15);
/// Stores close idle connections after about a minute; a request on one that is just being closed would fail.
const IDLE: Duration = Duration::from_secs(30);
const IDLE_CONNECTIONS_MAX: usize = 64;

/// Makes the HTTP clients of object stores.
pub(super) struct Dialer {
    /// Whether `HTTPS_PROXY` and its kin are honoured.
    environment: bool,
    /// What refusals must not repeat.
    hidden: Arc<[String]>,
}

impl Dialer {
    pub(super) fn new(environment: bool, hidden: &[String]) -> Self {
        Self { environment, hidden: hidden.into() }
    }
}

impl fmt::Debug for Dialer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Dialer").field("environment", &self.environment).finish_non_exhaustive()
    }
}

impl HttpConnector for Dialer {
    fn connect(&self, options: &ClientOptions) -> Result<HttpClient> {
        // Fails when an embedder of this crate has chosen one already, which then is used.
        drop(rustls::crypto::ring::default_provider().install_default());
        let plain = options.get_config_value(&ClientConfigKey::AllowHttp).as_deref() == Some("true");
        let mut client = reqwest::Client::builder()
            .user_agent(concat!("tabularium/", env!("CARGO_PKG_VERSION")))
            .https_only(!plain)
            // Stores speak it throughout, and many connections carry more than one with many streams.
            .http1_only()
            .connect_timeout(CONNECT)
            .tcp_user_timeout(UNACKNOWLEDGED)
            .tcp_keepalive(KEEPALIVE)
            .tcp_nodelay(true)
            .read_timeout(SILENCE)
            .timeout(REQUEST)
            .pool_idle_timeout(IDLE)
            .pool_max_idle_per_host(IDLE_CONNECTIONS_MAX);
        if !self.environment {
            client = client.no_proxy();
        }
        let client =
            client.build().map_err(|failed| Error::Generic { store: "HTTP client", source: Box::new(failed) })?;
        Ok(HttpClient::new(Line { client, hidden: Arc::clone(&self.hidden) }))
    }
}

/// One client. A refusal leaves it as a [`Refusal`], whatever its status, so that nothing above ever holds its body.
struct Line {
    client: reqwest::Client,
    hidden: Arc<[String]>,
}

impl fmt::Debug for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Line").finish_non_exhaustive()
    }
}

#[async_trait]
impl HttpService for Line {
    async fn call(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        let response = self.client.call(request).await?;
        // Not modified is an answer to a question that was asked.
        if response.status().is_success() || response.status().as_u16() == 304 {
            return Ok(response);
        }
        let (head, body) = response.into_parts();
        let code = ["x-ms-error-code", "x-amz-error-code"].iter().find_map(|name| head.headers.get(*name));
        let body = beginning(body).await;
        let refusal = Refusal::new(head.status.as_u16(), code.and_then(|code| code.to_str().ok()), &body, &self.hidden);
        tracing::debug!(%refusal, "an object store refuses");
        Err(HttpError::new(HttpErrorKind::Unknown, refusal))
    }
}

/// As much of a body as tells what is wrong.
async fn beginning(body: HttpResponseBody) -> String {
    let mut bytes = Vec::new();
    let mut pieces = body.bytes_stream();
    while let Some(Ok(piece)) = pieces.next().await {
        bytes.extend_from_slice(piece.get(..BODY_BYTES_MAX - bytes.len()).unwrap_or(&piece));
        if bytes.len() >= BODY_BYTES_MAX {
            break;
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}
