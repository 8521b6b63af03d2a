//! The HTTP door.

use crate::backend::Users;
use async_trait::async_trait;
use bytes::Bytes;
use env::rt::sync::Notify;
use env::rt::{CancellationToken, Duration, spawn, time};
use futures::StreamExt;
use futures::stream::BoxStream;
use node::error::EngineError;
use node::http::metrics::{Gauges, Metrics, Sample, SampleKind};
use node::http::{HttpOptions, HttpServer, StreamLoader};
use node::mysql::{Connections, Transport};
use node::stream_load::{LoadFormat, StreamLoad, StreamLoadResult, StreamLoadStatus};
use parking_lot::Mutex;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
use tokio::net::{TcpListener, TcpStream};

/// A load, and its body or why there was none.
type Loaded = (StreamLoad, Result<Vec<u8>, String>);

/// Keeps what it was given.
#[derive(Default)]
pub struct Loader {
    loads: Mutex<Vec<Loaded>>,
    stopped: AtomicU64,
    waiting: Notify,
}

#[async_trait]
impl StreamLoader for Loader {
    async fn stream_load(
        &self,
        load: StreamLoad,
        mut body: BoxStream<'static, io::Result<Bytes>>,
        stop: CancellationToken,
    ) -> Result<StreamLoadResult, EngineError> {
        match load.table.as_str() {
            "missing" => return Err(EngineError::unknown_table(&load.database, &load.table)),
            "used" => {
                let mut result = StreamLoadResult::failed(&load.label, "label was used before");
                result.status = StreamLoadStatus::LabelAlreadyExists { finished: true };
                return Ok(result);
            }
            "slow" => {
                self.waiting.notify_one();
                stop.cancelled().await;
                self.stopped.fetch_add(1, Ordering::Relaxed);
                return Err(EngineError::interrupted());
            }
            "picky" => {
                body.next().await.unwrap().unwrap();
                return Err(EngineError::invalid("the first row is bad"));
            }
            "broken" => panic!("a fault of the loader"),
            _ => {}
        }
        let mut bytes = Vec::new();
        let mut failed = None;
        while let Some(piece) = body.next().await {
            match piece {
                Ok(piece) => bytes.extend_from_slice(&piece),
                Err(error) => failed = Some(error.to_string()),
            }
        }
        let mut result = StreamLoadResult::failed(&load.label, "OK");
        if let Some(failed) = &failed {
            result.message.clone_from(failed);
        } else {
            result.load = 10_042;
            result.status = StreamLoadStatus::Success;
            result.total_rows = u64::try_from(bytes.split(|byte| *byte == b'\n').count() - 1).unwrap();
            result.loaded_rows = result.total_rows;
            result.bytes = u64::try_from(bytes.len()).unwrap();
        }
        self.loads.lock().push((load, failed.map_or(Ok(bytes), Err)));
        self.waiting.notify_one();
        Ok(result)
    }
}

struct Jobs;

#[async_trait]
impl Gauges for Jobs {
    async fn samples(&self) -> Vec<Sample> {
        let labels = vec![("state", "UPLOADING".to_owned())];
        vec![Sample { name: "tabularium_jobs", help: "Jobs.", kind: SampleKind::Gauge, labels, value: 2.0 }]
    }
}

struct World {
    server: Arc<HttpServer>,
    loader: Arc<Loader>,
    shutdown: CancellationToken,
}

pub fn options() -> HttpOptions {
    HttpOptions { drain_timeout: Duration::from_secs(5), ..HttpOptions::default() }
}

pub fn server(options: HttpOptions) -> (HttpServer, Arc<Loader>, CancellationToken) {
    let (loader, shutdown) = (Arc::new(Loader::default()), CancellationToken::new());
    let server = HttpServer::new(
        Arc::clone(&loader) as Arc<dyn StreamLoader>,
        Arc::new(Users),
        options,
        Arc::new(Metrics::default()),
        Some(Arc::new(Jobs)),
        Connections::default(),
        shutdown.clone(),
    );
    (server, loader, shutdown)
}

impl World {
    fn new() -> Self {
        Self::with(options())
    }

    fn with(options: HttpOptions) -> Self {
        let (server, loader, shutdown) = server(options);
        Self { server: Arc::new(server), loader, shutdown }
    }

    fn connect(&self) -> DuplexStream {
        let (near, far) = tokio::io::duplex(64 << 10);
        let server = Arc::clone(&self.server);
        spawn(async move { server.serve_stream(Box::new(far)).await });
        near
    }

    /// Sends a request on a connection of its own and gives the answer.
    async fn send(&self, request: &[u8]) -> Answer {
        let mut stream = self.connect();
        stream.write_all(request).await.unwrap();
        answer(&mut stream).await
    }

    async fn put(&self, path: &str, headers: &str, body: &str) -> Answer {
        self.send(&request(path, headers, body)).await
    }
}

// base64 of `admin:s3cret`
const ADMIN: &str = "Authorization: Basic YWRtaW46czNjcmV0\r\n";

fn request(path: &str, headers: &str, body: &str) -> Vec<u8> {
    format!("PUT {path} HTTP/1.1\r\nHost: x\r\n{ADMIN}{headers}Content-Length: {}\r\n\r\n{body}", body.len())
        .into_bytes()
}

struct Answer {
    code: u16,
    head: String,
    body: String,
}

impl Answer {
    fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.body).unwrap()
    }

    fn message(&self) -> String {
        let json = self.json();
        assert_eq!((self.code, &json["Status"]), (200, &"Fail".into()), "{}", self.body);
        json["Message"].as_str().unwrap().to_owned()
    }
}

/// Reads one answer.
async fn answer(stream: &mut (impl Transport + ?Sized)) -> Answer {
    let mut bytes = Vec::new();
    let end = time::timeout(Duration::from_secs(10), async {
        loop {
            if let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
                return end + 4;
            }
            assert_ne!(stream.read_buf(&mut bytes).await.unwrap(), 0, "no answer");
        }
    });
    let end = end.await.expect("no answer in time");
    let head = String::from_utf8(bytes[..end].to_vec()).unwrap();
    let len = head.lines().find_map(|line| line.to_lowercase().strip_prefix("content-length: ")?.parse().ok());
    let mut body = bytes[end..].to_vec();
    while body.len() < len.unwrap_or(0) {
        assert_ne!(stream.read_buf(&mut body).await.unwrap(), 0, "half an answer");
    }
    let code = head.split(' ').nth(1).unwrap().parse().unwrap();
    Answer { code, head, body: String::from_utf8(body).unwrap() }
}

#[tokio::test]
async fn a_load_has_the_answer_that_clients_of_starrocks_know() {
    let world = World::new();
    let headers = "label: l1\r\ncolumn_separator: ,\r\ncolumns: a,b\r\nmax_filter_ratio: 0.1\r\n";
    let answer = world.put("/api/sales/orders/_stream_load", headers, "1,x\n2,y\n").await;
    assert_eq!(answer.code, 200);
    assert!(answer.head.to_lowercase().contains("content-type: application/json"));
    let json = answer.json();
    let keys: Vec<_> = json.as_object().unwrap().keys().map(String::as_str).collect();
    let mut expected = [
        "TxnId",
        "Label",
        "Status",
        "Message",
        "NumberTotalRows",
        "NumberLoadedRows",
        "NumberFilteredRows",
        "NumberUnselectedRows",
        "LoadBytes",
        "LoadTimeMs",
        "BeginTxnTimeMs",
        "StreamLoadPutTimeMs",
        "ReadDataTimeMs",
        "WriteDataTimeMs",
        "CommitAndPublishTimeMs",
    ];
    expected.sort_unstable();
    assert_eq!(keys, expected);
    assert_eq!((&json["TxnId"], &json["Status"], &json["Label"]), (&10_042.into(), &"Success".into(), &"l1".into()));
    assert_eq!((&json["NumberLoadedRows"], &json["LoadBytes"]), (&2.into(), &8.into()));
    let (load, body) = world.loader.loads.lock().remove(0);
    assert_eq!(body.unwrap(), b"1,x\n2,y\n");
    assert_eq!((load.user.name.as_str(), load.database.as_str(), load.table.as_str()), ("admin", "sales", "orders"));
    assert_eq!(load.columns, Some(vec!["a".to_owned(), "b".to_owned()]));
    let LoadFormat::Csv(csv) = load.format;
    assert_eq!(csv.column_separator, b",");
}

#[tokio::test]
async fn a_load_without_a_label_gets_one_of_its_own() {
    let world = World::new();
    let (first, second) =
        (world.put("/api/d/t/_stream_load", "", "").await, world.put("/api/d/t/_stream_load", "", "").await);
    assert_ne!(first.json()["Label"], second.json()["Label"]);
    assert!(first.json()["Label"].as_str().unwrap().len() <= 128);
}

#[tokio::test]
async fn names_in_the_path_may_be_encoded() {
    let world = World::new();
    world.put("/api/d%20b/t%C3%A9/_stream_load", "", "").await;
    let (load, _) = world.loader.loads.lock().remove(0);
    assert_eq!((load.database.as_str(), load.table.as_str()), ("d b", "té"));
}

#[tokio::test]
async fn a_used_label_says_how_the_first_load_is() {
    let json = World::new().put("/api/d/used/_stream_load", "label: again\r\n", "x").await.json();
    assert_eq!((&json["Status"], &json["ExistingJobStatus"]), (&"Label Already Exists".into(), &"FINISHED".into()));
}

#[tokio::test]
async fn who_does_not_prove_who_they_are_gets_401() {
    let world = World::new();
    for header in ["", "Authorization: Basic YWRtaW46d3Jvbmc=\r\n", "Authorization: Bearer x\r\n"] {
        let request = format!("PUT /api/d/t/_stream_load HTTP/1.1\r\nHost: x\r\n{header}Content-Length: 1\r\n\r\nx");
        let answer = world.send(request.as_bytes()).await;
        assert_eq!(answer.code, 401);
        assert!(answer.head.to_lowercase().contains("www-authenticate: basic realm="), "{}", answer.head);
        assert_eq!(answer.json()["Status"], "Fail");
    }
    assert!(world.loader.loads.lock().is_empty());
}

#[tokio::test]
async fn what_cannot_be_done_fails_in_the_body() {
    let world = World::new();
    let message = world.put("/api/d/missing/_stream_load", "", "x").await.message();
    assert_eq!(message, "Table 'd.missing' doesn't exist");
    let message = world.put("/api/d/t/_stream_load", "format: json\r\n", "{}").await.message();
    assert!(message.contains("format 'json' is not supported"), "{message}");
    let message = world.put("/api/d/broken/_stream_load", "", "x").await.message();
    assert!(message.contains("broke off"), "{message}");
    let message = world.put("/api/d/t/_stream_load", "label: l1\r\nwhere: a > 1\r\n", "x").await;
    assert_eq!(message.json()["Label"], "l1");
    assert_eq!(world.send(b"GET /api/d/t/_stream_load HTTP/1.1\r\nHost: x\r\n\r\n").await.code, 405);
    assert_eq!(world.send(b"GET /nothing HTTP/1.1\r\nHost: x\r\n\r\n").await.code, 404);
}

#[tokio::test]
async fn leave_to_send_the_body_is_given_only_when_it_is_wanted() {
    let world = World::new();
    let mut stream = world.connect();
    let head = |table: &str| {
        format!(
            "PUT /api/d/{table}/_stream_load HTTP/1.1\r\nHost: x\r\n{ADMIN}Expect: 100-continue\r\nContent-Length: 4\r\n\r\n"
        )
    };
    stream.write_all(head("t").as_bytes()).await.unwrap();
    let go_on = answer(&mut stream).await;
    assert_eq!(go_on.code, 100);
    stream.write_all(b"1\n2\n").await.unwrap();
    assert_eq!(answer(&mut stream).await.json()["NumberTotalRows"], 2);
    let mut stream = world.connect();
    stream.write_all(head("missing").as_bytes()).await.unwrap();
    let answer = answer(&mut stream).await;
    assert_eq!(answer.code, 200, "no leave is given for a load that has failed");
    assert!(answer.message().contains("doesn't exist"));
}

#[tokio::test]
async fn a_large_body_streams_and_a_failed_load_is_answered_before_its_end() {
    let world = World::new();
    let body = "0123456\n".repeat(1 << 20);
    for (table, rows) in [("t", Some(1 << 20)), ("picky", None)] {
        let mut stream = world.connect();
        let request = request(&format!("/api/d/{table}/_stream_load"), "", &body);
        let (mut read, mut write) = tokio::io::split(&mut stream);
        let sending = async { write.write_all(&request).await.unwrap() };
        let mut bytes = Vec::new();
        let receiving = async {
            while !bytes.ends_with(b"}") {
                assert_ne!(read.read_buf(&mut bytes).await.unwrap(), 0);
            }
        };
        time::timeout(Duration::from_secs(30), async { tokio::join!(sending, receiving) }).await.unwrap();
        let json = String::from_utf8(bytes).unwrap();
        let json: serde_json::Value = serde_json::from_str(json.split("\r\n\r\n").nth(1).unwrap()).unwrap();
        match rows {
            Some(rows) => assert_eq!(json["NumberLoadedRows"], rows),
            None => assert_eq!(json["Message"], "the first row is bad"),
        }
    }
}

#[tokio::test]
async fn a_body_above_the_limit_is_refused_announced_or_not() {
    let world = World::with(HttpOptions { body_bytes_max: 10, ..options() });
    let message = world.put("/api/d/t/_stream_load", "", "12345678901").await.message();
    assert!(message.contains("longer than 10 bytes"), "{message}");
    let chunked = format!(
        "PUT /api/d/t/_stream_load HTTP/1.1\r\nHost: x\r\n{ADMIN}Transfer-Encoding: chunked\r\n\r\n6\r\n123456\r\n6\r\n123456\r\n0\r\n\r\n"
    );
    assert!(world.send(chunked.as_bytes()).await.message().contains("longer than 10 bytes"));
}

#[tokio::test]
async fn half_a_body_is_never_taken_for_a_whole_one() {
    let world = World::new();
    let mut stream = world.connect();
    let mut half = request("/api/d/t/_stream_load", "", "1\n2\n3\n4\n");
    half.truncate(half.len() - 3);
    stream.write_all(&half).await.unwrap();
    time::sleep(Duration::from_millis(50)).await;
    drop(stream);
    time::timeout(Duration::from_secs(10), world.loader.waiting.notified()).await.unwrap();
    let (_, body) = world.loader.loads.lock().remove(0);
    assert!(body.is_err(), "{body:?}");
}

#[tokio::test]
async fn a_client_that_stops_sending_is_given_up() {
    let world = World::with(HttpOptions { body_idle_timeout: Duration::from_millis(50), ..options() });
    let mut half = request("/api/d/t/_stream_load", "", "1\n2\n3\n4\n");
    half.truncate(half.len() - 3);
    let mut stream = world.connect();
    stream.write_all(&half).await.unwrap();
    let message = answer(&mut stream).await.message();
    assert!(message.contains("the client sends nothing"), "{message}");
}

#[tokio::test]
async fn a_load_ends_at_its_timeout_and_when_its_client_leaves() {
    let world = World::new();
    let message = world.put("/api/d/slow/_stream_load", "timeout: 1\r\n", "x").await.message();
    assert!(message.contains("the load took more than 1 s"), "{message}");
    world.loader.waiting.notified().await;
    let mut stream = world.connect();
    stream.write_all(&request("/api/d/slow/_stream_load", "", "x")).await.unwrap();
    world.loader.waiting.notified().await;
    drop(stream);
    time::timeout(Duration::from_secs(10), async {
        while world.loader.stopped.load(Ordering::Relaxed) < 2 {
            time::sleep(Duration::from_millis(2)).await;
        }
    })
    .await
    .unwrap();
}

#[tokio::test]
async fn health_and_metrics_are_told() {
    let world = World::new();
    let answer = world.send(b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n").await;
    assert_eq!((answer.code, &answer.json()["status"]), (200, &"OK".into()));
    world.put("/api/d/t/_stream_load", "", "1\n").await;
    world.put("/api/d/missing/_stream_load", "", "").await;
    let text = world.send(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n").await.body;
    for line in [
        "tabularium_stream_loads_total{status=\"success\"} 1",
        "tabularium_stream_loads_total{status=\"fail\"} 1",
        "tabularium_connections 0",
        "tabularium_jobs{state=\"UPLOADING\"} 2",
    ] {
        assert!(text.lines().any(|found| found == line), "{line} is missing in:\n{text}");
    }
    world.shutdown.cancel();
}

#[tokio::test]
async fn shutdown_waits_for_loads_and_then_stops_them() {
    let (server, loader, shutdown) = server(HttpOptions { drain_timeout: Duration::from_millis(300), ..options() });
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let serving = spawn(server.serve(listener));
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(&request("/api/d/slow/_stream_load", "", "x")).await.unwrap();
    loader.waiting.notified().await;
    shutdown.cancel();
    time::sleep(Duration::from_millis(100)).await;
    assert_eq!(loader.stopped.load(Ordering::Relaxed), 0, "it may finish in time");
    assert!(answer(&mut stream).await.message().contains("interrupted"));
    time::timeout(Duration::from_secs(10), serving).await.unwrap().unwrap();
    assert_eq!(loader.stopped.load(Ordering::Relaxed), 1);
    assert!(TcpStream::connect(address).await.is_err());
}

#[tokio::test]
async fn a_client_that_sends_no_headers_is_put_out() {
    let world = World::with(HttpOptions { header_timeout: Duration::from_millis(50), ..options() });
    let mut stream = world.connect();
    stream.write_all(b"PUT /api").await.unwrap();
    let mut rest = Vec::new();
    time::timeout(Duration::from_secs(10), stream.read_to_end(&mut rest)).await.unwrap().unwrap();
}
