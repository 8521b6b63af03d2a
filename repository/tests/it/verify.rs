//! What a verifier says of sound repositories, at each level, and what it costs.

use crate::damage::Shelf;
use crate::support::*;
use env::rt::CancellationToken;
use object_store::ObjectStore;
use object_store::memory::InMemory;
use repository::verify::{Level, Options, Report, Verdict};
use repository::{Repository, no_progress};
use std::sync::Arc;

pub async fn verify(repository: &Repository, level: &str) -> Report {
    let options = Options { level: level.parse().unwrap(), stream: options(), seed: Some(1), ..Options::default() };
    repository.verify(&options, &no_progress(), &CancellationToken::new()).await.unwrap()
}

/// As [`verify`], of a repository that may not open.
pub async fn verify_store(shelf: &Shelf, level: &str) -> Report {
    let options = Options { level: level.parse().unwrap(), stream: options(), seed: Some(1), ..Options::default() };
    let store: Arc<dyn ObjectStore> = Arc::<InMemory>::clone(&shelf.store);
    repository::verify::verify(store, &options, &no_progress(), &CancellationToken::new()).await.unwrap()
}

pub const LEVELS: [&str; 4] = ["meta", "size", "sample=0.000001%", "full"];

#[tokio::test]
async fn a_sound_repository_is_sound_at_every_level() {
    let store = Arc::new(InMemory::new());
    let repository = Repository::create(Arc::<InMemory>::clone(&store), "r", 1).await.unwrap();
    for level in LEVELS {
        let report = verify(&repository, level).await;
        assert!(report.is_sound() && report.snapshots.is_empty(), "{report}");
    }
    back_up(&repository, "s", &world(3, 2_500_000)).await;
    back_up(&repository, "t", &world(4, 2_500_000)).await;
    for level in LEVELS {
        let report = verify(&repository, level).await;
        assert!(report.is_sound(), "{report}");
        assert_eq!(report.snapshots.len(), 2);
        assert!(report.snapshots.iter().all(|snapshot| snapshot.verdict == Verdict::Sound));
        assert_eq!(report.unprotected, None);
        let back: Report = serde_json::from_str(&serde_json::to_string(&report).unwrap()).unwrap();
        assert_eq!(back, report);
    }
    assert!(repository.sessions().await.unwrap().is_empty(), "its sessions have ended");
}

#[test]
fn levels_are_read_and_written() {
    for (text, level) in [
        ("meta", Level::Meta),
        ("SIZE", Level::Size),
        ("full", Level::Full),
        ("sample=5%", Level::Sample { percent: 5.0 }),
        ("sample = 0.1 %", Level::Sample { percent: 0.1 }),
        ("sample=100", Level::Sample { percent: 100.0 }),
    ] {
        assert_eq!(text.parse::<Level>().unwrap(), level);
        assert_eq!(level.to_string().parse::<Level>().unwrap(), level);
    }
    for text in ["", "sample", "sample=", "sample=0%", "sample=-1%", "sample=101%", "sample=nan%", "all", "sample=5%%"]
    {
        let failed = text.parse::<Level>().unwrap_err().to_string();
        assert!(failed.contains("use meta, size, sample=P%"), "{failed}");
    }
}
