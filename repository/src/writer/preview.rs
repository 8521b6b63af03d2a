//! What a backup would send: found out without announcing, writing or opening anything.

use super::known::{Earlier, Known, Sought};
use super::send::Context;
use super::{FileIn, TabletEntryIn};
use crate::base::{PartitionBases, TableBases, TableSought};
use crate::error::Result;
use crate::limit::{Limiter, Rates};
use crate::options::{StreamOptions, no_progress};
use crate::session::Session;
use env::rt::CancellationToken;
use env::rt::sync::Semaphore;
use std::sync::Arc;

/// Judges tablets as a [`TabletWriter`](crate::TabletWriter) would, against the repository as it is now. Nobody knows that
/// it reads, so a snapshot that is dropped and swept meanwhile may fail it; then it is to be made anew.
#[derive(Debug)]
pub struct SendPreview {
    context: Context,
    earlier: Earlier,
}

impl SendPreview {
    pub(crate) fn new(session: Session, options: StreamOptions, stop: CancellationToken) -> Self {
        let limiter = Limiter::new(Rates::default());
        let objects = session.repository().objects.within(&limiter, &stop);
        let permits = Arc::new(Semaphore::new(1));
        let progress = no_progress();
        let context = Context { session, objects, options: options.sane(), limiter, progress, stop, permits };
        Self { context, earlier: Earlier::new(None) }
    }

    /// What the repository has of a table.
    ///
    /// # Errors
    /// What the store says.
    pub async fn bases(&mut self, table: &TableSought<'_>) -> Result<TableBases> {
        self.context.session.bases(table).await
    }

    /// The tablets that follow are of another partition.
    pub fn begin_partition(&mut self, bases: Option<PartitionBases>) {
        self.earlier = Earlier::new(bases);
    }

    /// The lengths of those files of a tablet that a backup would send; best in the order of buckets, as with a writer.
    ///
    /// # Errors
    /// What the store says. Damage is no error: what is damaged would be sent again.
    pub async fn unsent(&mut self, tablet: TabletEntryIn) -> Result<Vec<u64>> {
        let known = match self.earlier.find(&self.context, Sought::new(&tablet)).await? {
            Known::Whole(_) => return Ok(Vec::new()),
            Known::Files(known) => known,
        };
        let unknown = |(place, file): (usize, &FileIn)| (!known.contains_key(&place)).then_some(file.len_bytes);
        Ok(tablet.files.iter().enumerate().filter_map(unknown).collect())
    }

    /// About how many requests would send files of these lengths.
    pub fn requests(&self, lengths: &[u64]) -> u64 {
        let StreamOptions { part_bytes, small_bytes, pack_bytes, .. } = self.context.options;
        let mut small = 0_u64;
        let mut requests = 0_u64;
        for bytes in lengths {
            if *bytes <= small_bytes {
                small = small.saturating_add(*bytes);
            } else if *bytes <= part_bytes {
                requests += 1;
            } else {
                // To begin and to complete the upload.
                requests += bytes.div_ceil(part_bytes) + 2;
            }
        }
        requests + small.div_ceil(pack_bytes)
    }
}
