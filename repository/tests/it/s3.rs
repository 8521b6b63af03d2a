//! A store in this process that speaks as much S3 as a repository needs, on loopback: it notes every request, shows
//! listings page by page, and answers what a test wants it to. Used by the tests of other crates as well.

use bytes::Bytes;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use tokio::io::{AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};

/// A request as it came.
#[derive(Debug, Clone)]
pub struct Request {
    pub method: String,
    /// Without the bucket; empty for the bucket itself.
    pub key: String,
    pub query: BTreeMap<String, String>,
    pub headers: BTreeMap<String, String>,
    pub body: Bytes,
    /// The whole head, to be repeated by a store that talks too much.
    pub head: String,
}

/// What is answered.
#[derive(Debug, Clone)]
pub struct Answer {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: Bytes,
}

impl Answer {
    pub fn new(status: u16, body: impl Into<Bytes>) -> Self {
        Self { status, headers: Vec::new(), body: body.into() }
    }

    pub fn refusal(status: u16, code: &str, more: &str) -> Self {
        Self::new(status, format!("<Error><Code>{code}</Code><Message>as the test wants it</Message>{more}</Error>"))
    }
}

/// Answers in the store's place, or lets it answer; called before the store does anything, or after.
type Trick = Box<dyn FnMut(&Request) -> Option<Answer> + Send>;

#[derive(Default)]
struct State {
    objects: BTreeMap<String, Bytes>,
    uploads: BTreeMap<String, BTreeMap<u32, Bytes>>,
    requests: Vec<String>,
    before: Option<Trick>,
    after: Option<Trick>,
}

/// The store; stops with the runtime.
#[derive(Clone)]
pub struct S3 {
    pub address: SocketAddr,
    state: Arc<Mutex<State>>,
}

/// Objects in one answer of a listing.
const PAGE: usize = 1000;

impl S3 {
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let s3 = Self { address: listener.local_addr().unwrap(), state: Arc::default() };
        let serving = s3.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let s3 = serving.clone();
                tokio::spawn(async move { s3.serve(stream).await });
            }
        });
        s3
    }

    pub fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Requests so far, as `METHOD key?query`.
    pub fn requests(&self) -> Vec<String> {
        self.state.lock().unwrap().requests.clone()
    }

    pub fn forget_requests(&self) {
        self.state.lock().unwrap().requests.clear();
    }

    pub fn keys(&self) -> Vec<String> {
        self.state.lock().unwrap().objects.keys().cloned().collect()
    }

    pub fn put(&self, key: &str, bytes: &str) {
        self.state.lock().unwrap().objects.insert(key.to_owned(), Bytes::copy_from_slice(bytes.as_bytes()));
    }

    /// Answers instead of the store, which then does nothing.
    pub fn before(&self, trick: impl FnMut(&Request) -> Option<Answer> + Send + 'static) {
        self.state.lock().unwrap().before = Some(Box::new(trick));
    }

    /// Answers instead of the store, which has done what it was asked for.
    pub fn after(&self, trick: impl FnMut(&Request) -> Option<Answer> + Send + 'static) {
        self.state.lock().unwrap().after = Some(Box::new(trick));
    }

    async fn serve(&self, stream: TcpStream) {
        let mut stream = BufReader::new(stream);
        while let Some(request) = read(&mut stream).await {
            let answer = self.answer(&request);
            let mut head = format!("HTTP/1.1 {} X\r\nLast-Modified: Thu, 01 Jan 2026 00:00:00 GMT\r\n", answer.status);
            let mut len = answer.body.len().to_string();
            for (name, value) in &answer.headers {
                if name == "Content-Length" {
                    len.clone_from(value);
                } else {
                    write!(head, "{name}: {value}\r\n").unwrap();
                }
            }
            write!(head, "Content-Length: {len}\r\n\r\n").unwrap();
            let body: &[u8] = if request.method == "HEAD" { &[] } else { &answer.body };
            if stream.write_all(head.as_bytes()).await.is_err() || stream.write_all(body).await.is_err() {
                return;
            }
            stream.flush().await.ok();
        }
    }

    fn answer(&self, request: &Request) -> Answer {
        let mut state = self.state.lock().unwrap();
        let query: Vec<String> = request.query.iter().map(|(name, value)| format!("{name}={value}")).collect();
        state.requests.push(format!("{} {}?{}", request.method, request.key, query.join("&")));
        if let Some(answer) = state.before.as_mut().and_then(|trick| trick(request)) {
            return answer;
        }
        let answer = state.answer(request);
        state.after.as_mut().and_then(|trick| trick(request)).unwrap_or(answer)
    }
}

impl State {
    fn answer(&mut self, request: &Request) -> Answer {
        let upload = request.query.get("uploadId");
        match (request.method.as_str(), upload) {
            ("PUT", Some(upload)) => {
                let number = request.query["partNumber"].parse().unwrap();
                self.uploads.get_mut(upload).unwrap().insert(number, request.body.clone());
                etag(Answer::new(200, ""))
            }
            ("PUT", None) => {
                let taken = self.objects.contains_key(&request.key);
                if taken && request.headers.get("if-none-match").is_some_and(|condition| condition == "*") {
                    return Answer::refusal(412, "PreconditionFailed", "");
                }
                self.objects.insert(request.key.clone(), request.body.clone());
                etag(Answer::new(200, ""))
            }
            ("POST", Some(upload)) => {
                let Some(parts) = self.uploads.remove(upload) else {
                    return Answer::refusal(404, "NoSuchUpload", "");
                };
                self.objects.insert(request.key.clone(), parts.into_values().flatten().collect());
                Answer::new(200, "<CompleteMultipartUploadResult><ETag>x</ETag></CompleteMultipartUploadResult>")
            }
            ("POST", None) if request.query.contains_key("uploads") => {
                let id = format!("upload-{}", self.requests.len());
                self.uploads.insert(id.clone(), BTreeMap::new());
                Answer::new(
                    200,
                    format!("<InitiateMultipartUploadResult><UploadId>{id}</UploadId></InitiateMultipartUploadResult>"),
                )
            }
            ("POST", None) => {
                let body = String::from_utf8(request.body.to_vec()).unwrap();
                let mut deleted = String::new();
                for key in body.split("<Key>").skip(1).filter_map(|rest| rest.split("</Key>").next()) {
                    self.objects.remove(key);
                    write!(deleted, "<Deleted><Key>{key}</Key></Deleted>").unwrap();
                }
                Answer::new(200, format!("<DeleteResult>{deleted}</DeleteResult>"))
            }
            ("DELETE", Some(upload)) => {
                self.uploads.remove(upload);
                Answer::new(204, "")
            }
            ("DELETE", None) => {
                self.objects.remove(&request.key);
                Answer::new(204, "")
            }
            ("GET", None) if request.key.is_empty() => self.list(request),
            _ => self.get(request),
        }
    }

    fn get(&self, request: &Request) -> Answer {
        let Some(object) = self.objects.get(&request.key) else { return Answer::refusal(404, "NoSuchKey", "") };
        let range = request.headers.get("range").and_then(|range| {
            let (start, end) = range.strip_prefix("bytes=")?.split_once('-')?;
            Some((start.parse::<usize>().ok()?, end.parse::<usize>().ok()?))
        });
        let mut answer = match range {
            Some((start, _)) if start >= object.len() => return Answer::refusal(416, "InvalidRange", ""),
            Some((start, end)) => {
                let end = (end + 1).min(object.len());
                let mut answer = Answer::new(206, object.slice(start..end));
                let range = format!("bytes {start}-{}/{}", end - 1, object.len());
                answer.headers.push(("Content-Range".to_owned(), range));
                answer
            }
            None => Answer::new(200, object.clone()),
        };
        if request.method == "HEAD" {
            answer.headers.push(("Content-Length".to_owned(), object.len().to_string()));
        }
        etag(answer)
    }

    fn list(&self, request: &Request) -> Answer {
        let text = |name: &str| request.query.get(name).cloned().unwrap_or_default();
        let (prefix, after) = (text("prefix"), text("continuation-token").max(text("start-after")));
        let mut found = self.objects.iter().filter(|(key, _)| key.starts_with(&prefix) && **key > after);
        let mut body = String::from("<ListBucketResult>");
        let mut last = None;
        for (key, object) in found.by_ref().take(PAGE) {
            write!(
                body,
                "<Contents><Key>{key}</Key><Size>{}</Size><LastModified>2026-01-01T00:00:00.000Z</LastModified>\
                 <ETag>x</ETag></Contents>",
                object.len()
            )
            .unwrap();
            last = Some(key);
        }
        if let (Some(last), true) = (last, found.next().is_some()) {
            write!(body, "<NextContinuationToken>{last}</NextContinuationToken>").unwrap();
        }
        body.push_str("</ListBucketResult>");
        Answer::new(200, body)
    }
}

fn etag(mut answer: Answer) -> Answer {
    answer.headers.push(("ETag".to_owned(), "\"x\"".to_owned()));
    answer
}

/// The next request of a connection; none at its end.
async fn read(stream: &mut BufReader<TcpStream>) -> Option<Request> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.ok()?);
    }
    let head = String::from_utf8(head).unwrap();
    let mut lines = head.lines();
    let mut first = lines.next().unwrap().split(' ');
    let (method, target) = (first.next().unwrap().to_owned(), first.next().unwrap());
    let headers: BTreeMap<String, String> = lines
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.to_lowercase(), value.trim().to_owned()))
        .collect();
    let len = headers.get("content-length").map_or(0, |len| len.parse().unwrap());
    let mut body = vec![0; len];
    stream.read_exact(&mut body).await.ok()?;
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let key = path.trim_start_matches('/').split_once('/').map_or("", |(_, key)| key);
    let query = query.split('&').filter(|pair| !pair.is_empty()).map(|pair| {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        (name.to_owned(), decode(value))
    });
    Some(Request { method, key: decode(key), query: query.collect(), headers, body: body.into(), head: head.clone() })
}

fn decode(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte == b'%' {
            let digits = [rest.next().unwrap(), rest.next().unwrap()];
            bytes.push(u8::from_str_radix(std::str::from_utf8(&digits).unwrap(), 16).unwrap());
        } else {
            bytes.push(byte);
        }
    }
    String::from_utf8(bytes).unwrap()
}
