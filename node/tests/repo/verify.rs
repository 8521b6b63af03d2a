//! `verify`: exit codes and findings.

use crate::place::Place;
use serde_json::Value;

#[test]
fn a_sound_repository_is_sound_at_every_level() {
    let place = Place::new();
    for level in ["meta", "size", "sample=20%", "full"] {
        let report = place.json("verify", &["--level", level]);
        assert_eq!(report["verdict"], "sound", "{report}");
        let findings = report["findings"].as_array().unwrap();
        assert!(findings.iter().all(|finding| finding["severity"] == "note"), "{report}");
    }
    let text = place.text("verify", &["monday", "--level", "full"]);
    assert!(text.contains("verdict: sound (1 snapshots sound"), "{text}");
    assert_eq!(place.json("sessions", &[])["sessions"].as_array().unwrap().len(), 0);
}

#[test]
fn damage_is_told_with_whom_it_hits_and_what_to_do() {
    let place = Place::new();
    let object = place.data_object();
    place.damage(&object);
    let (code, _) = place.failure("verify", &["--level", "full"]);
    assert_eq!(code, 3);
    assert!(place.repo("verify", &["--level", "size"]).status.success(), "lengths are as they were");
    let report = place.repo("verify", &["--level", "full", "--json"]);
    assert_eq!(report.status.code(), Some(3));
    let report: Value = serde_json::from_slice(&report.stdout).unwrap();
    let finding = &report["findings"][0];
    assert_eq!((finding["kind"].as_str(), finding["object"].as_str()), (Some("bad_checksum"), Some(object.as_str())));
    assert_eq!(finding["tables"][0], "shop.events");
    assert!(!finding["advice"].as_str().unwrap().is_empty());
}

#[test]
fn a_repository_that_cannot_be_opened_is_looked_at_all_the_same() {
    let place = Place::new();
    std::fs::remove_file(place.path("repository.json")).unwrap();
    let (code, text) = place.failure("ls", &[]);
    assert!(code == 1 && text.contains("there is no repository"), "{text}");
    let output = place.repo("verify", &["--json"]);
    assert_eq!(output.status.code(), Some(3), "{}", String::from_utf8_lossy(&output.stderr));
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(report["findings"][0]["kind"], "missing_identity");
}
