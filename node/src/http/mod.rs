//! The HTTP door: stream loads, metrics, health.
//!
//! Owns requests and their limits. Does not own what a load does: a [`StreamLoader`] does it; nor users: they are those
//! of the MySQL door.

mod auth;
mod body;
pub(crate) mod headers;
pub mod metrics;
mod server;
mod stream_load;

pub(crate) use server::Peer;
pub use server::{HttpOptions, HttpServer};
pub use stream_load::StreamLoader;

use crate::mysql::{Authenticator, Connections};
use axum::Router;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, put};
use env::rt::CancellationToken;
use env::rt::sync::mpsc;
use metrics::{Gauges, Metrics, Sample, SampleKind};
use std::sync::Arc;

/// What the handlers share.
#[derive(Clone)]
pub(crate) struct App {
    loader: Arc<dyn StreamLoader>,
    authenticator: Arc<dyn Authenticator>,
    metrics: Arc<Metrics>,
    gauges: Option<Arc<dyn Gauges>>,
    connections: Connections,
    options: HttpOptions,
    /// No more requests are taken.
    shutdown: CancellationToken,
    /// Loads that are running are to end.
    kill: CancellationToken,
    /// Held by each load; the server waits until all are gone.
    alive: mpsc::Sender<()>,
}

fn router(app: App) -> Router {
    Router::new()
        .route("/health", get(health))
        .route("/api/health", get(health))
        .route("/metrics", get(metrics_text))
        .route("/api/{database}/{table}/_stream_load", put(stream_load::put))
        // The body has a bound of its own, which is far above the usual one.
        .layer(DefaultBodyLimit::disable())
        .with_state(app)
}

async fn health(State(app): State<App>) -> Response {
    let (code, status) = if app.shutdown.is_cancelled() {
        (StatusCode::SERVICE_UNAVAILABLE, "STOPPING")
    } else {
        (StatusCode::OK, "OK")
    };
    let body = serde_json::json!({
        "status": status,
        "version": env!("CARGO_PKG_VERSION"),
        "connections": app.connections.count(),
    });
    (code, [(header::CONTENT_TYPE, "application/json")], body.to_string()).into_response()
}

async fn metrics_text(State(app): State<App>) -> Response {
    let now = |name, help, value: usize| Sample {
        name,
        help,
        kind: SampleKind::Gauge,
        labels: Vec::new(),
        value: f64::from(u32::try_from(value).unwrap_or(u32::MAX)),
    };
    let mut samples = vec![
        now("tabularium_connections", "Open MySQL connections.", app.connections.count()),
        now("tabularium_queries_running", "SQL statements that are running.", app.connections.running()),
    ];
    if let Some(gauges) = &app.gauges {
        samples.extend(gauges.samples().await);
    }
    let text = app.metrics.render(&samples);
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], text).into_response()
}
