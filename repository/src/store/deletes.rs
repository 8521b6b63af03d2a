//! Deleting many objects on a store that may know no request for that.

use super::refusal::{Meaning, Refusal};
use futures::stream::{self, BoxStream};
use futures::{FutureExt, StreamExt, TryStreamExt};
use object_store::path::Path;
use object_store::{ObjectStore, Result};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Objects that are tried at one time.
const BATCH: usize = 1000;

/// The same store twice: as one that deletes many in a request, and as one that does it one by one. The second is used
/// from the first refusal on that says that the other request does not exist.
#[derive(Debug, Clone)]
pub(super) struct Deletes {
    many: Arc<dyn ObjectStore>,
    one_by_one: Arc<dyn ObjectStore>,
    refused: Arc<AtomicBool>,
}

impl Deletes {
    pub(super) fn new(many: Arc<dyn ObjectStore>, one_by_one: Arc<dyn ObjectStore>) -> Self {
        Self { many, one_by_one, refused: Arc::default() }
    }

    pub(super) fn stream(&self, locations: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        let deletes = self.clone();
        let batches = locations.try_chunks(BATCH).map(move |batch| {
            let deletes = deletes.clone();
            async move {
                match batch {
                    Ok(paths) => stream::iter(deletes.batch(paths).await),
                    Err(failed) => stream::iter(vec![Err(failed.1)]),
                }
            }
        });
        batches.flat_map(FutureExt::flatten_stream).boxed()
    }

    async fn batch(&self, paths: Vec<Path>) -> Vec<Result<Path>> {
        if !self.refused.load(Ordering::Relaxed) {
            let answers: Vec<Result<Path>> = self.many.delete_stream(all(paths.clone())).collect().await;
            let unknown = |answer: &Result<Path>| {
                let refusal = answer.as_ref().err().and_then(|failed| Refusal::of(failed));
                refusal.is_some_and(|refusal| refusal.meaning() == Meaning::Unsupported)
            };
            if !answers.iter().any(unknown) {
                return answers;
            }
            tracing::debug!(store = %self.many, "no request that deletes many: deleting one by one");
            self.refused.store(true, Ordering::Relaxed);
        }
        self.one_by_one.delete_stream(all(paths)).collect().await
    }
}

fn all(paths: Vec<Path>) -> BoxStream<'static, Result<Path>> {
    stream::iter(paths.into_iter().map(Ok)).boxed()
}
