//! `PUT /api/{database}/{table}/_stream_load`.

use super::auth::Refused;
use super::body::{self, BodyLimits};
use super::{App, Peer, headers};
use crate::error::EngineError;
use crate::stream_load::{StreamLoad, StreamLoadResult, StreamLoadStatus};
use async_trait::async_trait;
use axum::Extension;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use env::rt::{CancellationToken, spawn, time};
use futures::stream::BoxStream;
use serde::Serialize;
use std::io;

/// Does loads.
#[async_trait]
pub trait StreamLoader: Send + Sync + 'static {
    /// Loads `body` into a table, whole or not at all. An error of `body` is a reason to abort: only its end without
    /// one makes it complete. When `stop` is cancelled before the commit, the load is aborted.
    ///
    /// # Errors
    /// What made it impossible. Answers of the load itself, such as rows of bad quality, are results.
    async fn stream_load(
        &self,
        load: StreamLoad,
        body: BoxStream<'static, io::Result<Bytes>>,
        stop: CancellationToken,
    ) -> Result<StreamLoadResult, EngineError>;
}

/// The answer, in the order and spelling that clients of StarRocks know.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Answer<'a> {
    txn_id: i64,
    label: &'a str,
    status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    existing_job_status: Option<&'static str>,
    message: &'a str,
    number_total_rows: u64,
    number_loaded_rows: u64,
    number_filtered_rows: u64,
    number_unselected_rows: u64,
    load_bytes: u64,
    load_time_ms: u64,
    begin_txn_time_ms: u64,
    stream_load_put_time_ms: u64,
    read_data_time_ms: u64,
    write_data_time_ms: u64,
    commit_and_publish_time_ms: u64,
}

fn answer(code: StatusCode, result: &StreamLoadResult) -> Response {
    let (status, existing) = match result.status {
        StreamLoadStatus::Success => ("Success", None),
        StreamLoadStatus::Fail => ("Fail", None),
        StreamLoadStatus::LabelAlreadyExists { finished } => {
            ("Label Already Exists", Some(if finished { "FINISHED" } else { "RUNNING" }))
        }
        StreamLoadStatus::PublishTimeout => ("Publish Timeout", None),
    };
    let answer = Answer {
        // A load that was not begun has no number; clients know -1 for that.
        txn_id: if result.load == 0 { -1 } else { i64::try_from(result.load).unwrap_or(i64::MAX) },
        label: &result.label,
        status,
        existing_job_status: existing,
        message: &result.message,
        number_total_rows: result.total_rows,
        number_loaded_rows: result.loaded_rows,
        number_filtered_rows: result.filtered_rows,
        number_unselected_rows: result.unselected_rows,
        load_bytes: result.bytes,
        load_time_ms: result.total_ms,
        begin_txn_time_ms: result.begin_ms,
        stream_load_put_time_ms: result.plan_ms,
        read_data_time_ms: result.read_ms,
        write_data_time_ms: result.write_ms,
        commit_and_publish_time_ms: result.commit_ms,
    };
    match serde_json::to_string_pretty(&answer) {
        Ok(text) => (code, [(header::CONTENT_TYPE, "application/json")], text).into_response(),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response(),
    }
}

/// The handler. A load that fails is answered with 200 and says so in the body, as StarRocks does; 401 is for a client
/// that does not prove who it is.
pub(super) async fn put(
    State(app): State<App>,
    Extension(peer): Extension<Peer>,
    Path((database, table)): Path<(String, String)>,
    request_headers: HeaderMap,
    body: Body,
) -> Response {
    let given_label =
        || request_headers.get("label").map(|label| String::from_utf8_lossy(label.as_bytes()).into_owned());
    let fail = |code, message: &str| {
        let label = given_label().unwrap_or_default();
        let result = StreamLoadResult::failed(&label, message);
        app.metrics.load_done(env::rt::Duration::ZERO, &result);
        answer(code, &result)
    };
    let user = match app.authenticate(&request_headers, &peer).await {
        Ok(user) => user,
        Err(Refused(message)) => {
            let mut response = fail(StatusCode::UNAUTHORIZED, &message);
            response.headers_mut().insert(header::WWW_AUTHENTICATE, super::auth::CHALLENGE);
            return response;
        }
    };
    let made_up = || format!("stream_load_{}", env::rand::token());
    let load = match headers::parse(&request_headers, &user, &database, &table, made_up) {
        Ok(load) => load,
        Err(message) => return fail(StatusCode::OK, &message),
    };
    let len = request_headers.get(header::CONTENT_LENGTH).and_then(|len| len.to_str().ok()?.parse::<u64>().ok());
    if len.is_some_and(|len| len > app.options.body_bytes_max) {
        let message = format!("the body is longer than {} bytes", app.options.body_bytes_max);
        return fail(StatusCode::OK, &message);
    }
    if app.shutdown.is_cancelled() {
        return fail(StatusCode::OK, "the server is shutting down");
    }
    let asks_leave = request_headers.contains_key(header::EXPECT);
    let began = time::Instant::now();
    let mut result = run(&app, load, body, asks_leave).await;
    if result.total_ms == 0 {
        result.total_ms = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
    }
    app.metrics.load_done(began.elapsed(), &result);
    answer(StatusCode::OK, &result)
}

/// Does the load in a task of its own: a client that goes away cancels it, which is not the same as dropping it.
async fn run(app: &App, load: StreamLoad, body: Body, asks_leave: bool) -> StreamLoadResult {
    let limits = BodyLimits { bytes_max: app.options.body_bytes_max, idle_timeout: app.options.body_idle_timeout };
    let (mut pump, stream) = body::channel(limits);
    let stop = app.kill.child_token();
    let cancel_when_dropped = stop.clone().drop_guard();
    let (label, timeout) = (load.label.clone(), load.timeout);
    let task = {
        let (loader, alive, stop) = (app.loader.clone(), app.alive.clone(), stop.clone());
        spawn(async move {
            let result = loader.stream_load(load, stream, stop).await;
            drop(alive);
            result
        })
    };
    let mut task = std::pin::pin!(task);
    let mut body = body.into_data_stream();
    let deadline = time::sleep(timeout);
    let mut deadline = std::pin::pin!(deadline);
    let (mut pumped, mut late) = (false, false);
    let ended = {
        let mut pumping = std::pin::pin!(pump.run(&mut body));
        loop {
            env::select! {
                ended = &mut task => break ended,
                () = &mut deadline, if !late => {
                    late = true;
                    stop.cancel();
                }
                () = &mut pumping, if !pumped => pumped = true,
            }
        }
    };
    drop(cancel_when_dropped);
    if pump.begun() || !asks_leave {
        pump.discard(&mut body).await;
    }
    match ended {
        Ok(Ok(result)) => result,
        Ok(Err(error)) if late => {
            StreamLoadResult::failed(&label, format!("the load took more than {} s: {error}", timeout.as_secs()))
        }
        Ok(Err(error)) => StreamLoadResult::failed(&label, error.message),
        Err(error) => StreamLoadResult::failed(&label, format!("the load broke off: {error}")),
    }
}
