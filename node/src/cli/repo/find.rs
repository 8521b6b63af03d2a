//! Finds what was named, and says what there is instead.

use anyhow::Result;
use repository::{Error, Repository, SnapshotSummary};

/// Names this similar may have been meant.
const SIMILAR: f64 = 0.75;
/// So many of them are told.
const TOLD: usize = 3;

/// The snapshot with this label, and this timestamp when one is given.
pub(super) async fn snapshot(repository: &Repository, label: &str, timestamp: Option<&str>) -> Result<SnapshotSummary> {
    let Some(found) = repository.snapshot(label, None).await? else {
        let all = repository.snapshots().await?;
        let labels = all.iter().map(|snapshot| snapshot.label.as_str());
        let missing = format!("there is no snapshot {label:?} in the repository");
        return Err(Error::NotFound(format!("{missing}{}", instead(label, labels, "repo ls"))).into());
    };
    match timestamp {
        Some(timestamp) if timestamp != found.timestamp => {
            let text = format!("there is no snapshot {label:?} of {timestamp}; the label has {}", found.timestamp);
            Err(Error::NotFound(text).into())
        }
        Some(_) | None => Ok(found),
    }
}

/// The one with this name.
pub(super) fn named<'a, T>(
    all: &'a [T],
    name: &str,
    name_of: impl Fn(&T) -> &str,
    what: &str,
    list: &str,
) -> Result<&'a T> {
    all.iter().find(|one| name_of(one) == name).ok_or_else(|| {
        let names = all.iter().map(&name_of);
        Error::NotFound(format!("there is no {what} {name:?}{}", instead(name, names, list))).into()
    })
}

/// Which names are like the one that is not there, or what lists all.
fn instead<'a>(name: &str, names: impl Iterator<Item = &'a str>, list: &str) -> String {
    let folded = name.to_lowercase();
    let mut similar: Vec<(f64, &str)> = names
        .map(|other| (strsim::jaro_winkler(&folded, &other.to_lowercase()), other))
        .filter(|(similarity, _)| *similarity >= SIMILAR)
        .collect();
    similar.sort_by(|a, b| b.0.total_cmp(&a.0).then_with(|| a.1.cmp(b.1)));
    let similar: Vec<&str> = similar.into_iter().take(TOLD).map(|(_, other)| other).collect();
    if similar.is_empty() {
        format!("; `tabularium {list}` lists what there is")
    } else {
        format!("; did you mean {}?", similar.join(", "))
    }
}
