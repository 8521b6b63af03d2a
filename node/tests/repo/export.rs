//! `export`: folders, refusals, damage.

use crate::place::Place;
use std::path::{Path, PathBuf};

fn files(dir: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(dir).into_iter().flatten() {
        let path = entry.unwrap().path();
        if path.is_dir() { found.extend(files(&path)) } else { found.push(path) }
    }
    found.sort();
    found
}

#[test]
fn tables_become_folders() {
    let place = Place::new();
    let out = place.dir.path().join("out");
    let exported = place.json("export", &["tuesday", out.to_str().unwrap()]);
    assert_eq!((exported["label"].as_str(), exported["database"].as_str()), (Some("tuesday"), Some("shop")));
    let [events, orders] = &exported["tables"].as_array().unwrap()[..] else { panic!("{exported}") };
    assert_eq!((orders["rows"].as_u64(), orders["folder"].as_str()), (Some(4), Some("shop/orders")));
    assert_eq!((events["rows"].as_u64(), events["rewritten"].as_u64()), (Some(20_000), Some(0)));
    let schema = std::fs::read_to_string(out.join("shop/orders/_schema.sql")).unwrap();
    assert!(
        schema.starts_with("CREATE TABLE `orders` (\n  `id` bigint NOT NULL") && schema.contains("largeint"),
        "{schema}"
    );
    for path in files(&out).iter().filter(|path| path.extension().is_some_and(|ext| ext == "parquet")) {
        let bytes = std::fs::read(path).unwrap();
        assert!(bytes.starts_with(b"PAR1") && bytes.ends_with(b"PAR1"), "{}", path.display());
    }
    let (code, text) = place.failure("export", &["tuesday", out.to_str().unwrap()]);
    assert!(code == 1 && text.contains("is not empty"), "{text}");
    assert_eq!(place.json("sessions", &[])["sessions"].as_array().unwrap().len(), 0);
}

#[test]
fn a_part_is_exported_and_a_wrong_part_refused() {
    let place = Place::new();
    let out = place.dir.path().join("out");
    let text = place.text("export", &["monday", out.to_str().unwrap(), "--table", "events", "--partition", "p2"]);
    assert!(text.contains("10000") && text.contains("duckdb"), "{text}");
    assert!(files(&out).iter().all(|path| path.starts_with(out.join("shop/events"))));
    let other = place.dir.path().join("other");
    let other = other.to_str().unwrap();
    for (arguments, expected) in [
        (vec!["mondai", other], "did you mean monday?"),
        (vec!["monday", other, "--table", "evnts"], "there is no table \"evnts\"; did you mean events?"),
        (vec!["monday", other, "--partition", "p9"], "p9"),
        (vec!["monday", "/"], "name a new directory in it"),
    ] {
        let (_, text) = place.failure("export", &arguments);
        assert!(text.contains(expected), "{text}");
    }
    assert!(!Path::new(other).exists());
}

#[test]
fn damage_ends_an_export_and_leaves_nothing() {
    let place = Place::new();
    let object = place.data_object();
    place.damage(&object);
    let out = place.dir.path().join("out");
    let (code, text) = place.failure("export", &["monday", out.to_str().unwrap()]);
    assert!(code == 3 && text.contains(&object) && text.contains("repo verify"), "{text}");
    let left: Vec<_> = std::fs::read_dir(place.dir.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left, ["r"]);
    // What is not damaged can be had.
    place.text("export", &["monday", out.to_str().unwrap(), "--table", "orders", "--read-only"]);
}
