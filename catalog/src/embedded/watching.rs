//! Watches: read the log when there is something new in it. Nothing is buffered for a slow reader; it reads older rows of
//! the log, until they are forgotten.

use super::Inner;
use crate::error::{Error, Result};
use crate::store::{Batch, Follow};
use async_trait::async_trait;
use env::rt::sync::watch;
use std::collections::VecDeque;
use std::sync::{Arc, Weak};

pub(super) struct Follower {
    /// Weak: a forgotten watch does not keep the file open.
    inner: Weak<Inner>,
    path: String,
    newest: watch::Receiver<u64>,
    prefix: String,
    /// All changes up to here were looked at.
    after: u64,
    /// Read and not yet given out.
    ready: VecDeque<Batch>,
    failed: Option<Error>,
}

impl Follower {
    pub(super) fn new(inner: &Arc<Inner>, prefix: &str, after: u64) -> Self {
        Self {
            inner: Arc::downgrade(inner),
            path: inner.path.clone(),
            newest: inner.newest.subscribe(),
            prefix: prefix.to_owned(),
            after,
            ready: VecDeque::new(),
            failed: None,
        }
    }

    /// Reads more of the log, if there is more; whether there may be more still.
    async fn read(&mut self) -> Result<bool> {
        // Seen before it is read, so that a commit in between wakes again.
        let newest = *self.newest.borrow_and_update();
        let inner = self.inner.upgrade().ok_or_else(|| Error::Closed(self.path.clone()))?;
        inner.usable()?;
        if newest > self.after {
            let (prefix, after) = (self.prefix.clone(), self.after);
            let (batches, upto) = inner.read(move |snapshot| snapshot.changes(&prefix, after)).await?;
            self.ready.extend(batches);
            self.after = upto;
        }
        Ok(self.after < newest)
    }
}

#[async_trait]
impl Follow for Follower {
    async fn next(&mut self) -> Result<Batch> {
        loop {
            if let Some(batch) = self.ready.pop_front() {
                return Ok(batch);
            }
            if let Some(failed) = &self.failed {
                return Err(failed.clone());
            }
            match self.read().await {
                Err(failed) => self.failed = Some(failed),
                Ok(more) => {
                    let wait = !more && self.ready.is_empty();
                    if wait && self.newest.changed().await.is_err() {
                        self.failed = Some(Error::Closed(self.path.clone()));
                    }
                }
            }
        }
    }
}
