//! What stays although somebody wants to drop it, and what a policy lets go of.

use crate::support::*;
use env::rt::CancellationToken;
use object_store::ObjectStore;
use object_store::memory::InMemory;
use repository::retention::Policy;
use repository::{Error, ErrorKind, Repository, SnapshotSummary};
use std::sync::Arc;

/// A repository, opened by another process as well.
async fn two() -> (Repository, Repository) {
    let store: Arc<dyn ObjectStore> = Arc::new(InMemory::new());
    let one = Repository::create(Arc::clone(&store), "r", 1).await.unwrap();
    (one, Repository::open(store).await.unwrap())
}

/// Commits a snapshot without tablets.
async fn commit(repository: &Repository, label: &str, change: impl FnOnce(&mut SnapshotSummary)) {
    let session = session(repository).await;
    let mut summary = upload(&session, label, &World::new(), &CancellationToken::new()).await.unwrap().summary;
    change(&mut summary);
    session.commit(summary).await.unwrap();
}

async fn labels(repository: &Repository) -> Vec<String> {
    repository.snapshots().await.unwrap().into_iter().map(|row| row.label).collect()
}

#[tokio::test]
async fn a_held_snapshot_is_dropped_by_nobody_until_it_is_released() {
    let (one, other) = two().await;
    commit(&one, "a", |_| ()).await;
    commit(&one, "b", |_| ()).await;
    let held = one.hold("a", None, "audit 7", 5).await.unwrap();
    for repository in [&one, &other] {
        let failed = repository.drop_snapshot("a", None).await.unwrap_err();
        assert_eq!(failed.kind(), ErrorKind::Denied);
        assert_eq!(failed.to_string(), "snapshot \"a\" is held (\"audit 7\"); release it first");
        let Error::Held { label, hold } = failed else { panic!("{failed}") };
        assert_eq!((label.as_str(), hold.reason.as_str(), hold.since_ms), ("a", "audit 7", 5));
    }
    // Told twice, held once, since the first time; another reason is another's business.
    assert_eq!(other.hold("a", Some(STAMP), "audit 7", 9).await.unwrap(), held);
    assert!(matches!(other.hold("a", None, "audit 8", 9).await, Err(Error::Held { .. })));
    let rows = other.snapshots().await.unwrap();
    assert_eq!(rows[0].hold.as_ref().map(|hold| hold.since_ms), Some(5));
    assert_eq!(rows[1].hold, None);
    // A policy that would keep nothing keeps it, too.
    let nothing = Policy { keep_last: Some(0), keep_within_ms: None, min: 0 };
    let dropped = other.apply_retention(&nothing, 10, &CancellationToken::new()).await.unwrap();
    assert_eq!(dropped.iter().map(|row| row.label.as_str()).collect::<Vec<_>>(), ["b"]);
    assert_eq!(one.release("a", None).await.unwrap().0, held.0 + 2);
    assert_eq!(one.release("a", None).await.unwrap_err().kind(), ErrorKind::Invalid);
    other.drop_snapshot("a", None).await.unwrap();
    for failed in [one.hold("a", None, "late", 5).await, one.release("a", None).await] {
        assert_eq!(failed.unwrap_err().kind(), ErrorKind::NotFound);
    }
    assert_eq!(one.check_log().await.unwrap().0, held.0 + 3);
}

#[tokio::test]
async fn a_snapshot_is_not_committed_held() {
    let (one, _) = two().await;
    let session = session(&one).await;
    let mut summary = upload(&session, "a", &World::new(), &CancellationToken::new()).await.unwrap().summary;
    summary.hold = Some(repository::Hold { reason: "sneaky".into(), since_ms: 1 });
    assert_eq!(session.commit(summary).await.unwrap_err().kind(), ErrorKind::Invalid);
    assert!(labels(&one).await.is_empty());
}

#[tokio::test]
async fn what_took_the_label_meanwhile_is_not_dropped() {
    let (one, other) = two().await;
    commit(&one, "a", |_| ()).await;
    other.drop_snapshot("a", None).await.unwrap();
    commit(&other, "a", |summary| summary.timestamp = "2026-02-02-00-00-00-000".into()).await;
    let failed = one.drop_snapshot("a", Some(STAMP)).await.unwrap_err();
    assert_eq!(failed.to_string(), format!("there is no snapshot \"a\" of {STAMP} in the repository"));
    let failed = one.hold("a", Some(STAMP), "r", 1).await.unwrap_err();
    assert_eq!(failed.kind(), ErrorKind::NotFound);
    assert_eq!(labels(&one).await, ["a"]);
}

#[tokio::test]
async fn a_policy_is_applied_by_two_at_once_and_not_below_its_minimum() {
    let (one, other) = two().await;
    for number in 0..9u64 {
        commit(&one, &format!("{number}"), |summary| {
            summary.created_ms = number;
            summary.expires_ms = (number < 2).then_some(50);
            summary.database = if number == 2 { "rare" } else { "shop" }.into();
        })
        .await;
    }
    let policy = Policy { keep_last: Some(0), keep_within_ms: None, min: 3 };
    let stop = CancellationToken::new();
    // A third one drops by hand: what the policy keeps is judged anew.
    let (first, second, by_hand) = futures::future::join3(
        one.apply_retention(&policy, 60, &stop),
        other.apply_retention(&policy, 60, &stop),
        other.drop_snapshot("5", None),
    )
    .await;
    let dropped = first.unwrap().len() + second.unwrap().len() + usize::from(by_hand.is_ok());
    assert_eq!(dropped, 5);
    let left = labels(&one).await;
    assert_eq!(left.iter().filter(|label| *label == "2").count(), 1, "{left:?}");
    assert_eq!(left.len(), 4, "{left:?}");
    one.check_log().await.unwrap();
    stop.cancel();
    assert!(one.apply_retention(&policy, 60, &stop).await.unwrap().is_empty(), "nothing to do is done");
    let all = Policy { min: 0, ..policy };
    assert_eq!(one.apply_retention(&all, 60, &stop).await.unwrap_err().kind(), ErrorKind::Cancelled);
}
