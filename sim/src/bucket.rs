//! An object store that lies: `InMemory` on a machine of its own, behind a network that loses, delays and damages.
//!
//! Requests travel to a server task that outlives every client: what was sent may land after its sender has died. Faults are
//! knobs that the plan turns while the world runs; each says which promise of a real store it stretches.

#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "each request has one kind of answer, and every other is a mistake"
)]

use async_trait::async_trait;
use bytes::Bytes;
use env::rt::sync::{mpsc, oneshot};
use env::rt::time::{Instant, sleep, timeout};
use env::rt::{self, Duration};
use futures::stream::{self, BoxStream};
use futures::{StreamExt, TryStreamExt};
use object_store::memory::InMemory;
use object_store::multipart::{MultipartStore, PartId};
use object_store::path::Path;
use object_store::{
    Attributes, CopyOptions, Error, Extensions, GetOptions, GetResult, GetResultPayload, ListResult, MultipartUpload,
    ObjectMeta, ObjectStore, ObjectStoreExt, PutMultipartOptions, PutOptions, PutPayload, PutResult, Result,
    UploadPart,
};
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;
use std::sync::Arc;

/// How long a client waits for an answer.
const ANSWER_WITHIN: Duration = Duration::from_secs(20);

/// Chances in thousand that a request meets a fault.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lies {
    /// It fails and nothing happened (503, throttling).
    pub before: u32,
    /// It took effect, but the answer is an error or lost.
    pub after: u32,
    /// It takes effect late, long after its client gave up or died.
    pub late: u32,
    /// The answer takes seconds.
    pub slow: u32,
    /// A conditional put is answered "conflict" although nobody else made the object (409).
    pub conflict: u32,
    /// A body ends early.
    pub truncated: u32,
    /// A bit of a body is flipped on its way.
    pub flipped: u32,
    /// A listing lacks what was made in the last seconds.
    pub stale: u32,
}

#[derive(Debug)]
enum Request {
    Put(Path, PutPayload, PutOptions),
    Get(Path, GetOptions),
    List(Option<Path>),
    Flat(Option<Path>),
    Delete(Path),
    Copy(Path, Path, CopyOptions),
    Begin(Path, PutMultipartOptions),
    Part(Path, String, usize, PutPayload),
    Complete(Path, String, Vec<PartId>),
    Abort(Path, String),
}

#[derive(Debug)]
enum Answer {
    Put(PutResult),
    Got(ObjectMeta, Range<u64>, Attributes, Bytes),
    Listed(Vec<ObjectMeta>),
    Flat(ListResult),
    Begun(String),
    Part(PartId),
    Done,
}

type Reply = oneshot::Sender<Result<Answer>>;

/// What outlives every machine: the objects, and what was asked for.
#[derive(Debug, Default)]
struct Shared {
    objects: InMemory,
    lies: Mutex<Lies>,
    /// When each object was made, for listings that lag.
    made: Mutex<BTreeMap<Path, Instant>>,
    counts: Mutex<Counts>,
}

/// How often each lie was told.
#[derive(Debug, Clone, Copy, Default)]
pub struct Counts {
    /// Requests in all.
    pub requests: u64,
    /// Of them, those that met a fault.
    pub lies: u64,
    /// Bodies that were damaged on their way.
    pub damaged: u64,
}

/// The store, seen by a client; clones share it.
#[derive(Debug, Clone)]
pub struct Bucket {
    shared: Arc<Shared>,
    requests: mpsc::UnboundedSender<(Request, Reply)>,
}

fn failed(why: &'static str) -> Error {
    Error::Generic { store: "bucket", source: why.into() }
}

fn chance(thousandths: u32) -> bool {
    thousandths > 0 && env::rand::below(1000) < u64::from(thousandths)
}

impl Bucket {
    /// A store without faults; its server runs on `machine`.
    pub fn start(machine: &madsim::runtime::NodeHandle) -> Self {
        let (requests, mut received) = mpsc::unbounded_channel::<(Request, Reply)>();
        let shared = Arc::new(Shared::default());
        let server = Arc::clone(&shared);
        drop(machine.spawn(async move {
            while let Some((request, reply)) = received.recv().await {
                let server = Arc::clone(&server);
                drop(rt::spawn(async move { server.serve(request, reply).await }));
            }
        }));
        Self { shared, requests }
    }

    /// Turns the knobs.
    pub fn lie(&self, lies: Lies) {
        *self.shared.lies.lock() = lies;
    }

    /// How often it was asked, and lied.
    pub fn counts(&self) -> Counts {
        *self.shared.counts.lock()
    }

    /// Flips one bit of an object at rest, as a decaying medium would; which object and bit depend on `dice`. Tells the
    /// object's name.
    ///
    /// # Errors
    /// What the objects' memory says.
    pub async fn rot(&self, dice: u64, below: &str) -> Result<Option<Path>> {
        let objects = &self.shared.objects;
        let all: Vec<ObjectMeta> = objects.list(Some(&Path::from(below))).try_collect().await?;
        let full: Vec<&ObjectMeta> = all.iter().filter(|meta| meta.size > 0).collect();
        let pick = |bound: usize, dice: u64| usize::try_from(dice % (bound.max(1) as u64)).unwrap_or(0);
        let Some(chosen) = full.get(pick(full.len(), dice)) else { return Ok(None) };
        let mut bytes = objects.get(&chosen.location).await?.bytes().await?.to_vec();
        let at = pick(bytes.len(), dice >> 16);
        if let Some(byte) = bytes.get_mut(at) {
            *byte ^= 1 << (dice % 8);
        }
        objects.put(&chosen.location, bytes.into()).await?;
        Ok(Some(chosen.location.clone()))
    }

    async fn ask(&self, request: Request) -> Result<Answer> {
        let (reply, answer) = oneshot::channel();
        if self.requests.send((request, reply)).is_err() {
            return Err(failed("the server is gone"));
        }
        match timeout(ANSWER_WITHIN, answer).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(_lost)) => Err(failed("the connection was lost")),
            Err(_late) => Err(failed("no answer in time")),
        }
    }
}

impl Shared {
    async fn serve(&self, request: Request, reply: Reply) {
        let lies = *self.lies.lock();
        let (before, after, late) = (chance(lies.before), chance(lies.after), chance(lies.late));
        let slow = chance(lies.slow);
        let conflict = chance(lies.conflict)
            && matches!(&request, Request::Put(_, _, options) if options.mode == object_store::PutMode::Create);
        {
            let mut counts = self.counts.lock();
            counts.requests += 1;
            counts.lies += u64::from(before || after || late || slow || conflict);
        }
        let wait_ms = if slow { 500 + env::rand::below(8_000) } else { 2 + env::rand::below(30) };
        sleep(Duration::from_millis(wait_ms)).await;
        // An answer to a client that is gone is lost, which is what happens to answers.
        if before {
            reply.send(Err(failed("503 slow down"))).unwrap_or_default();
        } else if conflict {
            let source = "409 a conflicting request is under way".into();
            let path = "conditional put".to_owned();
            reply.send(Err(Error::AlreadyExists { path, source })).unwrap_or_default();
        } else if late {
            drop(reply);
            sleep(Duration::from_millis(1_000 + env::rand::below(90_000))).await;
            drop(self.apply(request).await);
        } else {
            let answer = self.apply(request).await;
            if after {
                drop(reply);
            } else {
                reply.send(self.on_its_way(answer, lies)).unwrap_or_default();
            }
        }
    }

    /// What the network makes of an answer.
    fn on_its_way(&self, answer: Result<Answer>, lies: Lies) -> Result<Answer> {
        match answer {
            Ok(Answer::Got(meta, range, attributes, bytes)) if !bytes.is_empty() => {
                let (truncated, flipped) = (chance(lies.truncated), chance(lies.flipped));
                let mut bytes = bytes.to_vec();
                if truncated || flipped {
                    self.counts.lock().damaged += 1;
                }
                if truncated {
                    bytes.truncate(usize::try_from(env::rand::below(bytes.len() as u64)).unwrap_or(0));
                }
                let at = usize::try_from(env::rand::below(bytes.len() as u64)).unwrap_or(0);
                if flipped && let Some(byte) = bytes.get_mut(at) {
                    *byte ^= 1 << env::rand::below(8);
                }
                Ok(Answer::Got(meta, range, attributes, bytes.into()))
            }
            Ok(Answer::Listed(mut all)) if chance(lies.stale) => {
                let (made, now) = (self.made.lock(), Instant::now());
                let lag = Duration::from_millis(env::rand::below(10_000));
                all.retain(|meta| made.get(&meta.location).is_none_or(|at| now.duration_since(*at) > lag));
                Ok(Answer::Listed(all))
            }
            other => other,
        }
    }

    fn note(&self, path: &Path) {
        self.made.lock().entry(path.clone()).or_insert_with(Instant::now);
    }

    async fn apply(&self, request: Request) -> Result<Answer> {
        let objects = &self.objects;
        Ok(match request {
            Request::Put(path, payload, options) => {
                let put = objects.put_opts(&path, payload, options).await?;
                self.note(&path);
                Answer::Put(put)
            }
            Request::Get(path, options) => {
                let got = objects.get_opts(&path, options).await?;
                let (meta, range, attributes) = (got.meta.clone(), got.range.clone(), got.attributes.clone());
                Answer::Got(meta, range, attributes, got.bytes().await?)
            }
            Request::List(prefix) => {
                let mut all: Vec<ObjectMeta> = objects.list(prefix.as_ref()).try_collect().await?;
                all.sort_by(|a, b| a.location.cmp(&b.location));
                Answer::Listed(all)
            }
            Request::Flat(prefix) => Answer::Flat(objects.list_with_delimiter(prefix.as_ref()).await?),
            Request::Delete(path) => {
                match objects.delete(&path).await {
                    Ok(()) | Err(Error::NotFound { .. }) => {}
                    Err(failed) => return Err(failed),
                }
                Answer::Done
            }
            Request::Copy(from, to, options) => {
                objects.copy_opts(&from, &to, options).await?;
                self.note(&to);
                Answer::Done
            }
            Request::Begin(path, options) => Answer::Begun(objects.create_multipart_opts(&path, options).await?),
            Request::Part(path, id, number, payload) => {
                Answer::Part(objects.put_part(&path, &id, number, payload).await?)
            }
            Request::Complete(path, id, parts) => {
                let put = objects.complete_multipart(&path, &id, parts).await?;
                self.note(&path);
                Answer::Put(put)
            }
            Request::Abort(path, id) => {
                objects.abort_multipart(&path, &id).await?;
                Answer::Done
            }
        })
    }
}

impl fmt::Display for Bucket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("bucket")
    }
}

fn mixed_up() -> Error {
    failed("an answer to another request")
}

#[async_trait]
impl ObjectStore for Bucket {
    async fn put_opts(&self, location: &Path, payload: PutPayload, options: PutOptions) -> Result<PutResult> {
        match self.ask(Request::Put(location.clone(), payload, options)).await? {
            Answer::Put(put) => Ok(put),
            _ => Err(mixed_up()),
        }
    }

    async fn put_multipart_opts(
        &self,
        location: &Path,
        options: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        match self.ask(Request::Begin(location.clone(), options)).await? {
            Answer::Begun(id) => Ok(Box::new(Upload {
                bucket: self.clone(),
                path: location.clone(),
                id,
                parts: Arc::default(),
                next: 0,
            })),
            _ => Err(mixed_up()),
        }
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        match self.ask(Request::Get(location.clone(), options)).await? {
            Answer::Got(meta, range, attributes, bytes) => {
                let payload = GetResultPayload::Stream(stream::iter([Ok(bytes)]).boxed());
                Ok(GetResult { payload, meta, range, attributes, extensions: Extensions::default() })
            }
            _ => Err(mixed_up()),
        }
    }

    fn delete_stream(&self, locations: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        let bucket = self.clone();
        let delete = move |path: Path| {
            let bucket = bucket.clone();
            async move {
                bucket.ask(Request::Delete(path.clone())).await?;
                Ok(path)
            }
        };
        locations.and_then(delete).boxed()
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        let (bucket, prefix) = (self.clone(), prefix.cloned());
        let listed = async move {
            match bucket.ask(Request::List(prefix)).await? {
                Answer::Listed(all) => Ok(stream::iter(all.into_iter().map(Ok))),
                _ => Err(mixed_up()),
            }
        };
        stream::once(listed).try_flatten().boxed()
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        match self.ask(Request::Flat(prefix.cloned())).await? {
            Answer::Flat(listed) => Ok(listed),
            _ => Err(mixed_up()),
        }
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.ask(Request::Copy(from.clone(), to.clone(), options)).await.map(drop)
    }
}

#[derive(Debug)]
struct Upload {
    bucket: Bucket,
    path: Path,
    id: String,
    parts: Arc<Mutex<BTreeMap<usize, PartId>>>,
    next: usize,
}

#[async_trait]
impl MultipartUpload for Upload {
    fn put_part(&mut self, data: PutPayload) -> UploadPart {
        let number = self.next;
        self.next += 1;
        let (bucket, parts) = (self.bucket.clone(), Arc::clone(&self.parts));
        let request = Request::Part(self.path.clone(), self.id.clone(), number, data);
        Box::pin(async move {
            match bucket.ask(request).await? {
                Answer::Part(part) => {
                    parts.lock().insert(number, part);
                    Ok(())
                }
                _ => Err(mixed_up()),
            }
        })
    }

    async fn complete(&mut self) -> Result<PutResult> {
        let parts = std::mem::take(&mut *self.parts.lock()).into_values().collect();
        match self.bucket.ask(Request::Complete(self.path.clone(), self.id.clone(), parts)).await? {
            Answer::Put(put) => Ok(put),
            _ => Err(mixed_up()),
        }
    }

    async fn abort(&mut self) -> Result<()> {
        self.bucket.ask(Request::Abort(self.path.clone(), self.id.clone())).await.map(drop)
    }
}
