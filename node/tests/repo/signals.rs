//! Ctrl-C in the middle.

use crate::place::{PATIENCE, Place, Running};
use repository::Purpose;
use std::time::{Duration, Instant};

/// Interrupts a command as soon as it has a session open; the session must be gone when the process is.
async fn interrupted(place: &Place, command: &str, arguments: &[&str], purpose: Purpose) {
    let slowly = ["--max-bytes-per-second", "20000"];
    let mut running = Running::start(&[&["repo", command, &place.url], arguments, &slowly].concat());
    let repository = place.open().await;
    let began = Instant::now();
    loop {
        let sessions = repository.sessions().await.unwrap();
        if let Some(open) = sessions.first() {
            assert_eq!(open.purpose, purpose);
            break;
        }
        assert!(!running.is_over() && began.elapsed() < PATIENCE, "no session was opened");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    // In the middle of reading: at this rate there is most of a minute to go.
    tokio::time::sleep(Duration::from_millis(300)).await;
    let (code, took) = running.interrupt();
    assert_eq!(code, Some(130));
    // The promise is a second; the rest is for a machine that is busy.
    assert!(took < Duration::from_secs(10), "{took:?}");
    assert_eq!(repository.sessions().await.unwrap(), []);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_interrupted_verify_leaves_no_session() {
    interrupted(&Place::new(), "verify", &["--level", "full"], Purpose::Verify).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_interrupted_export_leaves_no_session_and_no_directory() {
    let place = Place::new();
    let out = place.dir.path().join("out");
    interrupted(&place, "export", &["monday", out.to_str().unwrap()], Purpose::Restore).await;
    let left: Vec<_> = std::fs::read_dir(place.dir.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left, ["r"]);
}
