//! `drop`, `hold`, `release`, `retain`, `sweep`, `sessions`, `fence`.

use crate::place::Place;
use repository::Purpose;

fn labels(place: &Place) -> Vec<String> {
    let listed = place.json("ls", &[]);
    listed["snapshots"].as_array().unwrap().iter().map(|row| row["label"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn a_held_snapshot_stays_until_it_is_released() {
    let place = Place::new();
    let text = place.text("hold", &["monday", "--reason", "audit of 2026"]);
    assert!(text.contains("is held"), "{text}");
    assert!(place.text("ls", &[]).contains("audit of 2026"));
    let (code, text) = place.failure("drop", &["monday"]);
    assert!(code == 1 && text.contains("audit of 2026"), "{text}");
    assert_eq!(labels(&place), ["monday", "tuesday"]);
    assert_eq!(place.json("release", &["monday"])["action"], "release");
    let (_, text) = place.failure("release", &["monday"]);
    assert!(text.contains("not held"), "{text}");
    let dropped = place.json("drop", &["monday"]);
    assert_eq!((dropped["label"].as_str(), dropped["action"].as_str()), (Some("monday"), Some("drop")));
    assert_eq!(labels(&place), ["tuesday"]);
}

#[test]
fn a_sweep_shows_first_and_then_gives_space_back() {
    let place = Place::new();
    place.text("drop", &["monday"]);
    let planned = place.json("sweep", &["--dry-run"]);
    let objects = planned["objects"].as_array().unwrap();
    assert!(!objects.is_empty(), "{planned}");
    let first = place.path(objects[0]["object"].as_str().unwrap());
    assert!(first.exists());
    assert!(place.text("sweep", &["--dry-run"]).contains("nothing was deleted"));
    let swept = place.json("sweep", &[]);
    assert_eq!((&swept["bytes"], swept["objects"].as_u64()), (&planned["bytes"], Some(objects.len() as u64)));
    assert!(!first.exists());
    assert!(place.text("sweep", &[]).contains("deleted 0 objects"));
    assert_eq!(place.json("verify", &["--level", "full"])["verdict"], "sound");
}

#[test]
fn retention_drops_nothing_before_it_is_told_to() {
    let place = Place::new();
    let plan = place.json("retain", &["--keep-last", "1"]);
    let drops: Vec<&str> = plan["decisions"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|decision| decision["keep"] == false)
        .map(|decision| decision["label"].as_str().unwrap())
        .collect();
    assert_eq!((drops, plan["dry_run"].as_bool()), (vec!["monday"], Some(true)));
    assert!(place.text("retain", &["--keep-last", "1", "--dry-run"]).contains("1 snapshot would be dropped"));
    assert_eq!(labels(&place), ["monday", "tuesday"]);
    assert!(place.text("retain", &["--keep-last", "1", "--min", "2", "--yes"]).contains("dropped 0 snapshots"));
    assert!(place.text("retain", &["--keep-within", "30d", "--yes"]).contains("dropped 0 snapshots"));
    let done = place.json("retain", &["--keep-last", "1", "--yes"]);
    assert_eq!(done["dropped"][0], "monday");
    assert_eq!(labels(&place), ["tuesday"]);
    let (code, _) = place.failure("retain", &["--keep-last", "1", "--dry-run", "--yes"]);
    assert_eq!(code, 2);
    let (code, text) = place.failure("retain", &["--keep-within", "long"]);
    assert!(code == 2 && text.contains("--keep-within"), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dead_session_is_found_and_fenced() {
    let place = Place::new();
    let repository = place.open().await;
    let id = repository.new_session_id().await.unwrap();
    let session = repository.open_session(&id, Purpose::Backup, "job 7 of node 3", 1).await.unwrap();
    let place = tokio::task::spawn_blocking(move || {
        let listed = place.json("sessions", &[]);
        assert_eq!(listed["sessions"][0]["session"], id.to_string());
        assert_eq!(listed["sessions"][0]["owner"], "job 7 of node 3");
        assert!(place.text("sessions", &[]).contains("1 session open"));
        let other = "0.0123456789abcdef0123456789abcdef";
        let (code, text) = place.failure("fence", &[other]);
        assert!(code == 1 && text.contains("there is no open session"), "{text}");
        let (code, text) = place.failure("fence", &["seven"]);
        assert!(code == 2 && text.contains("is not a session id"), "{text}");
        assert_eq!(place.json("fence", &[&id.to_string()])["fenced"], id.to_string());
        assert!(place.text("sessions", &[]).contains("0 sessions open"));
        assert_eq!(place.json("log", &["-n", "1"])["records"][0]["action"], "fence");
        place
    })
    .await
    .unwrap();
    let summary = repository.snapshots().await.unwrap().remove(0);
    let summary = repository::SnapshotSummary { label: "mine".into(), session: session.id().clone(), ..summary };
    assert!(matches!(session.commit(summary).await, Err(repository::Error::Fenced { .. })));
    drop(place);
}
