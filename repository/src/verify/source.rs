//! The repository's objects as a verifier reads them: what is wrong is an answer, not an error. Counts what it costs.

use super::case::Found;
use super::report::FindingKind;
use crate::error::{Error, ErrorKind, Result};
use crate::listing::LISTED_PER_REQUEST;
use crate::names::{Generation, commit_name};
use crate::objects::{Listed, Objects};
use crate::options::Progress;
use crate::page::{PageKind, PageRef, RECORD_BYTES_MAX};
use crate::record::Record;
use bytes::Bytes;
use std::ops::Range;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

/// What was looked for, or what is wrong with it. The outer error ends the whole: the store is gone, or a fault of ours.
pub(super) type Look<T> = Result<std::result::Result<T, Box<Found>>>;

/// After so many failed reads in a row, the store is down and not a part of it unreadable.
const FAILURES_MAX: u32 = 32;

/// See the module's text.
pub(super) struct Source {
    objects: Objects,
    progress: Progress,
    requests: AtomicU64,
    bytes: AtomicU64,
    failures: AtomicU32,
}

#[expect(clippy::unnecessary_wraps, reason = "it is one of the ways in which a look ends")]
fn wrong<T>(found: Found) -> Look<T> {
    Ok(Err(Box::new(found)))
}

/// A fault that was found while bytes were taken apart, which are there and have the right length.
#[expect(clippy::wildcard_enum_match_arm, reason = "what says nothing of the content is passed on")]
pub(super) fn of_content(failed: Error, kind: FindingKind, object: &str) -> Result<Box<Found>> {
    match failed {
        Error::Corrupt(bad) => Ok(Box::new(Found::new(kind, bad.object, bad.offset, bad.expected, bad.found))),
        Error::Unsupported(text) => {
            Ok(Box::new(Found::new(FindingKind::NewerFormat, object, 0, "a format that this program reads", text)))
        }
        other => Err(other),
    }
}

impl Source {
    pub(super) fn new(objects: Objects, progress: Progress) -> Self {
        Self { objects, progress, requests: AtomicU64::new(0), bytes: AtomicU64::new(0), failures: AtomicU32::new(0) }
    }

    pub(super) fn requests(&self) -> u64 {
        self.requests.load(Ordering::Relaxed)
    }

    pub(super) fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    fn asked(&self, requests: u64) {
        self.requests.fetch_add(requests, Ordering::Relaxed);
    }

    fn took(&self, bytes: &Bytes) {
        self.failures.store(0, Ordering::Relaxed);
        let len = bytes.len() as u64;
        self.bytes.fetch_add(len, Ordering::Relaxed);
        (self.progress)(len);
    }

    /// A store's refusal is a finding, as long as it does not refuse everything.
    fn refused<T>(&self, object: &str, failed: Error) -> Look<T> {
        let unreadable = matches!(
            failed.kind(),
            ErrorKind::Unavailable | ErrorKind::Denied | ErrorKind::Unsupported | ErrorKind::NotFound
        );
        if !unreadable || self.failures.fetch_add(1, Ordering::Relaxed) >= FAILURES_MAX {
            return Err(failed);
        }
        let text = env::explain(&failed);
        wrong(Found::new(FindingKind::Unreadable, object, 0, "an object that can be read", text))
    }

    /// A whole object of at most `max_bytes`; none when it is not there.
    pub(super) async fn whole(&self, name: &str, max_bytes: u64) -> Look<Option<Bytes>> {
        self.asked(1);
        match self.objects.get(name, max_bytes).await {
            Ok(found) => {
                if let Some(bytes) = &found {
                    self.took(bytes);
                }
                Ok(Ok(found))
            }
            Err(Error::Corrupt(bad)) => {
                wrong(Found::new(FindingKind::WrongLength, name, bad.offset, bad.expected, bad.found))
            }
            Err(failed) => self.refused(name, failed),
        }
    }

    /// The bytes of a page: there, and of the right kind, length and hash.
    pub(super) async fn page(&self, page: &PageRef, kind: PageKind) -> Look<Bytes> {
        if let Err(failed) = page.check(kind) {
            return of_content(failed, FindingKind::BadPage, &page.name).map(Err);
        }
        let bytes = match self.whole(&page.name, page.len_bytes).await? {
            Err(found) => return Ok(Err(found)),
            Ok(None) => return wrong(missing(&page.name, page.len_bytes)),
            Ok(Some(bytes)) => bytes,
        };
        if let Err(failed) = page.verify(&bytes) {
            let short = bytes.len() as u64 != page.len_bytes;
            let kind = if short { FindingKind::WrongLength } else { FindingKind::BadPage };
            return of_content(failed, kind, &page.name).map(Err);
        }
        Ok(Ok(bytes))
    }

    /// A commit record with its hash; none when that slot is free.
    pub(super) async fn record(&self, generation: Generation) -> Look<Option<(Record, String)>> {
        let name = commit_name(generation);
        let bytes = match self.whole(&name, RECORD_BYTES_MAX).await? {
            // A record that is too long is no record: its length is not written anywhere.
            Err(mut found) => {
                if found.kind == FindingKind::WrongLength {
                    found.kind = FindingKind::BadRecord;
                }
                return Ok(Err(found));
            }
            Ok(None) => return Ok(Ok(None)),
            Ok(Some(bytes)) => bytes,
        };
        match Record::unseal(&name, generation, &bytes) {
            Ok(found) => Ok(Ok(Some(found))),
            Err(failed) => of_content(failed, FindingKind::BadRecord, &name).map(Err),
        }
    }

    /// An object's length; none when it is not there.
    pub(super) async fn len(&self, name: &str) -> Look<Option<u64>> {
        self.asked(1);
        match self.objects.len(name).await {
            Ok(len) => {
                self.failures.store(0, Ordering::Relaxed);
                Ok(Ok(len))
            }
            Err(failed) => self.refused(name, failed),
        }
    }

    /// Bytes of an object.
    pub(super) async fn range(&self, name: &str, range: Range<u64>) -> Look<Bytes> {
        self.asked(1);
        let end = range.end;
        match self.objects.range(name, range).await {
            Ok(bytes) => {
                self.took(&bytes);
                Ok(Ok(bytes))
            }
            Err(Error::Corrupt(bad)) => match self.len(name).await? {
                Ok(None) => wrong(missing(name, end)),
                Ok(Some(_)) => wrong(Found::new(FindingKind::WrongLength, name, bad.offset, bad.expected, bad.found)),
                Err(found) => Ok(Err(found)),
            },
            Err(failed) => self.refused(name, failed),
        }
    }

    /// Shows each object below a prefix to `each`; see [`Objects::visit`].
    pub(super) async fn list(&self, prefix: &str, mut each: impl FnMut(Listed) + Send) -> Look<()> {
        let mut names = 0u64;
        let listed = self
            .objects
            .visit(prefix, |found| {
                names += 1;
                each(found);
            })
            .await;
        self.asked(names / LISTED_PER_REQUEST + 1);
        match listed {
            Ok(()) => Ok(Ok(())),
            Err(failed) => self.refused(prefix, failed),
        }
    }
}

pub(super) fn missing(name: &str, len_bytes: u64) -> Found {
    let expected = format!("an object of at least {len_bytes} bytes");
    Found::new(FindingKind::MissingObject, name, 0, expected, "no such object")
}
