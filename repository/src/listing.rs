//! Listings that go on: behind a failure that passes, and behind a name that the store's client cannot read.

use crate::error::{Error, Result};
use crate::limit::Cost;
use crate::objects::{Listed, Objects};
use futures::StreamExt;
use object_store::path::{Path, PathPart};

/// Objects that one request of a listing tells of, by which listings are counted.
pub(crate) const LISTED_PER_REQUEST: u64 = 1000;

impl Objects {
    /// Shows each object below a prefix once; all when it is empty. A listing that fails goes on behind what it showed,
    /// so only a store that lists in the order of names gets a second chance. What shares an answer of the store with a
    /// name that cannot be read is not shown: whoever deletes, deletes less; whoever looks for something, asks for it.
    pub(crate) async fn visit(&self, prefix: &str, mut each: impl FnMut(Listed) + Send) -> Result<()> {
        let path = Self::path(prefix)?;
        let path = Some(&path).filter(|path| !path.as_ref().is_empty());
        let (mut last, mut shown, mut attempt) = (None::<Path>, 0u64, 0);
        loop {
            let (mut sorted, before) = (true, shown);
            let listing = async {
                let mut listing = match &last {
                    Some(last) => self.store().list_with_offset(path, last),
                    None => self.store().list(path),
                };
                while let Some(meta) = listing.next().await {
                    let meta = meta?;
                    sorted &= last.as_ref().is_none_or(|last| *last < meta.location);
                    each(Listed { name: meta.location.to_string(), len_bytes: meta.size });
                    last = Some(meta.location);
                    shown += 1;
                    if shown.is_multiple_of(LISTED_PER_REQUEST) {
                        self.take(Cost::request(0)).await;
                    }
                }
                Ok(())
            };
            let failed = match self.reading(0, listing).await? {
                Ok(()) => return Ok(()),
                Err(failed) => failed,
            };
            if shown > before {
                attempt = 0;
            }
            if let Some(bad) = bad_name(&failed).filter(|_| sorted)
                && let Some(next) = behind(bad, prefix, last.as_ref())
            {
                tracing::warn!(object = bad, "an object that is none of a repository's lies in one");
                last = Some(next);
                continue;
            }
            let failed = Error::from_store(prefix, failed);
            if !sorted {
                return Err(failed);
            }
            attempt = self.passing(attempt, failed).await?;
        }
    }

    /// All objects below a prefix that holds few.
    pub(crate) async fn list(&self, prefix: &str) -> Result<Vec<Listed>> {
        let mut listed = Vec::new();
        self.visit(prefix, |found| listed.push(found)).await?;
        Ok(listed)
    }
}

/// The name that a client refuses to show: one that no [`Path`] can have.
fn bad_name(failed: &object_store::Error) -> Option<&str> {
    use object_store::path::Error as Bad;
    let object_store::Error::InvalidPath { source: Bad::EmptySegment { path } | Bad::BadSegment { path, .. } } = failed
    else {
        return None;
    };
    Some(path)
}

/// The first place behind all names that have the same impossible segment at the same place, and behind `last`. No
/// object of a repository lies in between.
fn behind(bad: &str, prefix: &str, last: Option<&Path>) -> Option<Path> {
    // The name begins with where in the store the repository is, which is not known here.
    let starts = std::iter::once(0).chain(bad.match_indices('/').map(|(at, _)| at + 1));
    let places = starts.filter_map(|start| {
        let below = bad.get(start..)?;
        let rest = below.strip_prefix(prefix)?;
        (prefix.is_empty() || rest.starts_with('/')).then(|| behind_segment(below))?
    });
    places.filter(|place| last.is_none_or(|last| place > last)).min()
}

fn behind_segment(bad: &str) -> Option<Path> {
    let mut good: Vec<&str> = Vec::new();
    for segment in bad.split('/') {
        if segment.is_empty() || PathPart::parse(segment).is_err() {
            let next = match segment.char_indices().find(|(_, char)| char.is_ascii_control()) {
                Some((at, '\u{7f}')) => format!("{}\u{80}", segment.get(..at)?),
                Some((at, _)) => format!("{} ", segment.get(..at)?),
                // Empty, `.` or `..`; what is below it has a slash there, and a digit comes next.
                None => format!("{segment}0"),
            };
            good.push(&next);
            return Path::parse(good.join("/")).ok();
        }
        good.push(segment);
    }
    None
}

#[cfg(test)]
mod tests;
