//! The object store as the rest of this crate sees it: bounded reads, create-only writes, retries of what passes, and
//! for each caller a limit that every request counts against and a token that ends them.
//! Driver: decides nothing about the repository.

use crate::error::{Error, ErrorKind, Result, may_pass};
use crate::limit::{Cost, Limiter};
use crate::page::{PageKind, PageRef};
use bytes::Bytes;
use env::canary::{self, Canary};
use env::rt::time::{sleep, timeout};
use env::rt::{CancellationToken, Duration};
use futures::StreamExt;
use object_store::path::Path;
use object_store::{GetOptions, ObjectStore, ObjectStoreExt, PutMode, PutOptions, PutPayload, PutResult};
use std::fmt::Debug;
use std::ops::Range;
use std::sync::Arc;

/// How often an operation is tried when the store's answer may be a passing one: for some five seconds, ten at most.
pub(crate) const ATTEMPTS: u32 = 8;

/// A write under way when the token says stop has so long to end: cut off, it might still take effect later.
pub(crate) const GRACE: Duration = Duration::from_millis(500);

/// Full jitter (Brooker, "Exponential Backoff and Jitter", 2015): anything up to a bound that grows fourfold from 5 ms
/// to 4 s. A lost packet costs little, and a store that asks to slow down is left alone.
pub(crate) async fn back_off(attempt: u32) {
    let bound_ms = 5u64.checked_shl(attempt.saturating_mul(2)).unwrap_or(u64::MAX).min(4000);
    sleep(Duration::from_millis(1 + env::rand::below(bound_ms))).await;
}

/// Whether an object was made by this call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Put {
    /// It was, as far as this call knows.
    Made,
    /// Something has the name already: another writer's, or our own of an attempt whose answer was lost.
    Exists,
}

/// An object as a listing shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Listed {
    pub(crate) name: String,
    pub(crate) len_bytes: u64,
}

/// A store with the repository's manners, for one caller; clones share it.
#[derive(Debug, Clone)]
pub(crate) struct Objects {
    store: Arc<dyn ObjectStore>,
    limiter: Limiter,
    stop: CancellationToken,
    /// Whether the store excludes by itself. If not, a name is looked for before it is made: right for one writer only.
    conditions: bool,
}

impl Objects {
    pub(crate) fn new(store: Arc<dyn ObjectStore>) -> Self {
        Self { store, limiter: Limiter::unlimited(), stop: CancellationToken::new(), conditions: true }
    }

    /// The same store for somebody else: requests count against `limiter`, and end when `stop` says so.
    pub(crate) fn within(&self, limiter: &Limiter, stop: &CancellationToken) -> Self {
        Self { limiter: limiter.clone(), stop: stop.clone(), ..self.clone() }
    }

    /// The same store, without relying on create-if-absent.
    #[must_use]
    pub(crate) fn without_conditions(self) -> Self {
        Self { conditions: false, ..self }
    }

    /// Whether the answer "made" means that nobody else made it.
    pub(crate) fn excludes(&self) -> bool {
        self.conditions
    }

    /// What `doing` gives, or `Cancelled` as soon as the token says stop.
    pub(crate) async fn or_stop<T>(&self, doing: impl Future<Output = T>) -> Result<T> {
        env::select! {
            () = self.stop.cancelled() => Err(Error::Cancelled),
            done = doing => Ok(done),
        }
    }

    /// Counts against the limit, and waits for its turn.
    pub(crate) async fn take(&self, cost: Cost) {
        self.limiter.take(cost).await;
    }

    /// A request that changes nothing.
    pub(crate) async fn reading<T>(&self, bytes: u64, request: impl Future<Output = T>) -> Result<T> {
        self.or_stop(async {
            self.limiter.take(Cost::request(bytes)).await;
            request.await
        })
        .await
    }

    /// A request that may take effect: `Cancelled` only if it was not sent; one that is under way when the token says
    /// stop gets a moment to end, and then it is not known what came of it.
    pub(crate) async fn writing<T>(
        &self,
        name: &str,
        bytes: u64,
        request: impl Future<Output = object_store::Result<T>>,
    ) -> Result<object_store::Result<T>> {
        self.or_stop(self.limiter.take(Cost::request(bytes))).await?;
        let mut request = std::pin::pin!(request);
        env::select! {
            done = &mut request => return Ok(done),
            () = self.stop.cancelled() => {}
        }
        let cut_off = |_late| {
            let source = "stopped before the store answered".into();
            Error::Unavailable { object: name.to_owned(), source }
        };
        timeout(GRACE, request).await.map_err(cut_off)
    }

    /// Waits and counts when `failed` may pass; gives it back when it will not, or not soon.
    pub(crate) async fn passing(&self, attempt: u32, failed: Error) -> Result<u32> {
        if self.stop.is_cancelled() {
            return Err(Error::Cancelled);
        }
        if failed.kind() != ErrorKind::Unavailable || attempt + 1 >= ATTEMPTS {
            return Err(failed);
        }
        tracing::debug!(error = &failed as &dyn std::error::Error, attempt, "the object store failed, trying again");
        self.limiter.count_retry();
        self.or_stop(back_off(attempt)).await?;
        Ok(attempt + 1)
    }

    /// For the options of an upload: what decides whether a part of it is sent again.
    pub(crate) fn again(&self) -> Again {
        Again(self.clone())
    }

    pub(crate) fn store(&self) -> &Arc<dyn ObjectStore> {
        &self.store
    }

    pub(crate) fn path(name: &str) -> Result<Path> {
        Path::parse(name).map_err(|failed| Error::Invalid(format!("{name:?} is not a name of an object: {failed}")))
    }

    /// A whole object of at most `max_bytes`; none when there is no such object.
    pub(crate) async fn get(&self, name: &str, max_bytes: u64) -> Result<Option<Bytes>> {
        let path = Self::path(name)?;
        let mut attempt = 0;
        loop {
            let got = async {
                let got = self.store.get(&path).await?;
                // The length is known before a byte of it is held.
                if got.meta.size > max_bytes {
                    return Ok(Err(got.meta.size));
                }
                self.limiter.take(Cost { requests: 0, bytes: got.meta.size }).await;
                got.bytes().await.map(Ok)
            };
            match self.reading(0, got).await? {
                Ok(Ok(bytes)) => return Ok(Some(bytes)),
                Ok(Err(size)) => {
                    let expected = format!("at most {max_bytes} bytes");
                    return Err(Error::corrupt(name, max_bytes, expected, format!("{size} bytes")));
                }
                Err(object_store::Error::NotFound { .. }) => return Ok(None),
                Err(failed) => attempt = self.passing(attempt, Error::from_store(name, failed)).await?,
            }
        }
    }

    /// The bytes of a page, verified.
    pub(crate) async fn page(&self, page: &PageRef, kind: PageKind) -> Result<Bytes> {
        page.check(kind)?;
        let found = self.get(&page.name, page.len_bytes).await?;
        let bytes = found.ok_or_else(|| missing(&page.name, page.len_bytes))?;
        page.verify(&bytes)?;
        Ok(bytes)
    }

    /// Bytes of an object that something refers to. Less than asked for, or no object, is corruption.
    pub(crate) async fn range(&self, name: &str, range: Range<u64>) -> Result<Bytes> {
        let path = Self::path(name)?;
        let wanted = range.end.saturating_sub(range.start);
        if wanted == 0 {
            return Ok(Bytes::new());
        }
        let mut attempt = 0;
        loop {
            let options = GetOptions::new().with_range(Some(range.clone()));
            let got = async { self.store.get_opts(&path, options).await?.bytes().await };
            let failed = match self.reading(wanted, got).await? {
                Ok(bytes) if bytes.len() as u64 == wanted => return Ok(bytes),
                Ok(bytes) => {
                    let end = range.start + bytes.len() as u64;
                    let expected = format!("{} bytes", range.end);
                    return Err(Error::corrupt(name, end, expected, format!("an object that ends at {end}")));
                }
                Err(object_store::Error::NotFound { .. }) => return Err(missing(name, range.end)),
                Err(failed) => Error::from_store(name, failed),
            };
            // A store refuses a range that begins behind the end; that is damage, not bad weather.
            if let Some(len) = self.len(name).await?
                && len < range.end
            {
                let expected = format!("at least {} bytes", range.end);
                return Err(Error::corrupt(name, len, expected, format!("an object of {len} bytes")));
            }
            attempt = self.passing(attempt, failed).await?;
        }
    }

    /// An object's length; none when there is no such object.
    pub(crate) async fn len(&self, name: &str) -> Result<Option<u64>> {
        let path = Self::path(name)?;
        let mut attempt = 0;
        loop {
            match self.reading(0, self.store.head(&path)).await? {
                Ok(meta) => return Ok(Some(meta.size)),
                Err(object_store::Error::NotFound { .. }) => return Ok(None),
                Err(failed) => attempt = self.passing(attempt, Error::from_store(name, failed)).await?,
            }
        }
    }

    /// Makes an object if there is none of that name; one attempt, the store's answer as it is.
    pub(crate) async fn put_once(&self, name: &str, payload: PutPayload) -> Result<Put> {
        let path = Self::path(name)?;
        let mode = if self.conditions { PutMode::Create } else { PutMode::Overwrite };
        if !self.conditions && self.len(name).await?.is_some() {
            return Ok(Put::Exists);
        }
        let options = PutOptions { mode, ..PutOptions::default() };
        let bytes = payload.content_length() as u64;
        let answer = self.writing(name, bytes, self.store.put_opts(&path, payload, options)).await?;
        put_answer(answer).map_err(|failed| Error::from_store(name, failed))
    }

    /// Makes an object whose name says what is in it (only writers of the same bytes use the name), trying again
    /// when the answer may be a passing one. An object that is there must have the right length.
    pub(crate) async fn put_own(&self, name: &str, payload: PutPayload) -> Result<Put> {
        let len_bytes = payload.content_length() as u64;
        let mut attempt = 0;
        loop {
            match self.put_once(name, payload.clone()).await {
                Ok(Put::Made) => return Ok(Put::Made),
                Ok(Put::Exists) => match self.len(name).await? {
                    Some(found) if found == len_bytes => return Ok(Put::Exists),
                    Some(found) => {
                        let expected = format!("{len_bytes} bytes");
                        return Err(Error::corrupt(name, found.min(len_bytes), expected, format!("{found} bytes")));
                    }
                    // "Somebody else is at it" and nothing came of it.
                    None => {
                        let failed: crate::Source = "it exists, says one answer, and does not, says the next".into();
                        attempt =
                            self.passing(attempt, Error::Unavailable { object: name.into(), source: failed }).await?;
                    }
                },
                Err(_) if canary::sings(Canary::UploadErrorSwallowed) => return Ok(Put::Made),
                Err(failed) => attempt = self.passing(attempt, failed).await?,
            }
        }
    }

    /// The first name that a listing of `prefix` gives for which `pick` answers.
    pub(crate) async fn first<T>(&self, prefix: &str, pick: impl Fn(&str) -> Option<T>) -> Result<Option<T>> {
        let path = Self::path(prefix)?;
        let mut attempt = 0;
        loop {
            let picking = async {
                let mut listing = self.store.list(Some(&path));
                while let Some(meta) = listing.next().await {
                    if let Some(picked) = pick(meta?.location.as_ref()) {
                        return Ok(Some(picked));
                    }
                }
                Ok::<_, object_store::Error>(None)
            };
            match self.reading(0, picking).await? {
                Ok(picked) => return Ok(picked),
                Err(failed) => attempt = self.passing(attempt, Error::from_store(prefix, failed)).await?,
            }
        }
    }

    /// Removes objects; one that is gone already is fine.
    pub(crate) async fn delete(&self, names: Vec<String>) -> Result<()> {
        let mut attempt = 0;
        loop {
            let paths: Result<Vec<Path>> = names.iter().map(|name| Self::path(name)).collect();
            let paths = futures::stream::iter(paths?.into_iter().map(Ok)).boxed();
            // Stores count each object of a bulk request.
            self.or_stop(self.limiter.take(Cost { requests: names.len() as u64, bytes: 0 })).await?;
            let deleting = async {
                let mut deleted = self.store.delete_stream(paths);
                let mut failed = None;
                while let Some(answer) = deleted.next().await {
                    match answer {
                        Ok(_) | Err(object_store::Error::NotFound { .. }) => {}
                        Err(error) => failed = Some(error),
                    }
                }
                failed
            };
            // What is being deleted is dead, whenever it lands.
            let failed = self.or_stop(deleting).await?;
            let Some(error) = failed else { return Ok(()) };
            attempt = self.passing(attempt, Error::from_store(names.first().map_or("", String::as_str), error)).await?;
        }
    }
}

/// Decides whether a request that failed is sent again, where the store itself has to do it.
#[derive(Debug, Clone)]
pub(crate) struct Again(Objects);

impl Again {
    /// Waits until a request that moves `bytes` may be sent again, and counts it. Gives `failed` back when it will not
    /// pass, or not soon, or when the token says stop.
    pub(crate) async fn wait(
        &self,
        attempt: u32,
        name: &str,
        bytes: u64,
        failed: object_store::Error,
    ) -> object_store::Result<u32> {
        let Self(objects) = self;
        if !may_pass(&failed) || attempt + 1 >= ATTEMPTS {
            return Err(failed);
        }
        let again = async {
            let next = objects.passing(attempt, Error::from_store(name, failed)).await?;
            objects.or_stop(objects.take(Cost::request(bytes))).await.map(|()| next)
        };
        // Nothing but the token is left to fail for.
        again.await.map_err(|stopped| object_store::Error::Generic { store: "object store", source: stopped.into() })
    }
}

/// What a store's answer to a put says, where the put makes an object only if there is none.
pub(crate) fn put_answer(answer: object_store::Result<PutResult>) -> object_store::Result<Put> {
    match answer {
        Ok(_) => Ok(Put::Made),
        Err(object_store::Error::AlreadyExists { .. } | object_store::Error::Precondition { .. }) => Ok(Put::Exists),
        Err(failed) => Err(failed),
    }
}

/// What an object that is referred to and not there is called.
pub(crate) fn missing(name: &str, len_bytes: u64) -> Error {
    Error::corrupt(name, 0, format!("an object of at least {len_bytes} bytes"), "no such object")
}
