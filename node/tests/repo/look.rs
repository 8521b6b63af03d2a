//! `ls`, `show`, `cat`, `log`, and what is said when there is nothing to look at.

use crate::place::{Place, tabularium};

#[test]
fn snapshots_and_tables_are_listed() {
    let place = Place::new();
    let text = place.text("ls", &[]);
    for expected in ["Label", "monday", "tuesday", "shop", "2 snapshots in repository r"] {
        assert!(text.contains(expected), "{text}");
    }
    let json = place.json("ls", &[]);
    let snapshots = json["snapshots"].as_array().unwrap();
    assert_eq!(json["repository"], "r");
    let labels: Vec<&str> = snapshots.iter().map(|snapshot| snapshot["label"].as_str().unwrap()).collect();
    assert_eq!(labels, ["monday", "tuesday"]);
    let [monday, tuesday] = &snapshots[..] else { panic!("{snapshots:?}") };
    assert_eq!((monday["tables"].as_u64(), monday["hold"].is_null()), (Some(2), true));
    assert!(tuesday["bytes_sent"].as_u64().unwrap() < monday["bytes_sent"].as_u64().unwrap() / 10, "{json}");

    let tables = place.json("ls", &["monday"]);
    let names: Vec<&str> = tables["tables"].as_array().unwrap().iter().map(|t| t["table"].as_str().unwrap()).collect();
    assert_eq!((tables["label"].as_str(), names), (Some("monday"), vec!["events", "orders"]));
    assert!(place.text("ls", &["monday"]).contains("events"));
}

#[test]
fn what_changed_between_two_snapshots_is_told() {
    let place = Place::new();
    assert!(place.text("diff", &["monday", "tuesday"]).contains("orders"));
    let changed = place.json("diff", &["monday", "tuesday"]).to_string();
    assert!(changed.contains("\"orders\"") && !changed.contains("\"name\":\"events\""), "{changed}");
    let (code, text) = place.failure("diff", &["monday", "tuesdey"]);
    assert!(code == 1 && text.contains("did you mean tuesday?"), "{text}");
}

#[test]
fn what_snapshots_cost_is_told_with_what_a_drop_gives_back() {
    let place = Place::new();
    let usage = place.json("usage", &["--if-dropped", "monday"]);
    let [monday, tuesday] = &usage["snapshots"].as_array().unwrap()[..] else { panic!("{usage}") };
    for one in [monday, tuesday] {
        let bytes = |name: &str| one[name].as_u64().unwrap();
        assert_eq!(bytes("unique_bytes") + bytes("shared_bytes"), bytes("stored_bytes"), "{one}");
        assert!(bytes("shared_bytes") > bytes("unique_bytes"), "the events are shared: {one}");
    }
    assert_eq!(usage["freed_bytes"], monday["unique_bytes"]);
    let text = place.text("usage", &["--if-dropped", "monday", "--if-dropped", "tuesday"]);
    assert!(text.contains("Unique") && text.contains("would come back if monday, tuesday were dropped"), "{text}");
    let listed = place.json("ls", &["--usage"]);
    assert_eq!(listed["snapshots"][0]["usage"]["unique_bytes"], monday["unique_bytes"]);
    assert!(place.text("ls", &["--usage"]).contains("Shared"));
    let (code, text) = place.failure("usage", &["--if-dropped", "mon"]);
    assert!(code == 1 && text.contains("did you mean monday?"), "{text}");
}

#[test]
fn a_snapshot_is_shown_down_to_its_files() {
    let place = Place::new();
    let text = place.text("show", &["monday"]);
    assert!(text.contains("Cut at revision") && text.contains("orders"), "{text}");
    assert_eq!(place.json("show", &["monday"])["tables_listed"].as_array().unwrap().len(), 2);

    let text = place.text("show", &["monday", "events"]);
    assert!(text.contains("CREATE TABLE `events` (") && text.contains("[MINVALUE, (2026-02-01))"), "{text}");
    let json = place.json("show", &["monday", "events"]);
    assert_eq!(json["partitions"][1]["partition"], "p2");
    assert_eq!(json["schema"]["columns"][0]["data_type"], "DATE");
    assert!(json["create"].as_str().unwrap().ends_with(';'), "{json}");

    let json = place.json("show", &["monday", "events", "p2"]);
    let file = &json["tablets_listed"][0]["files"][0];
    assert!(file["name"].as_str().unwrap().ends_with(".parquet"), "{json}");
    let text = place.text("show", &["monday", "events", "p2"]);
    assert!(
        text.contains(file["crc32"].as_str().unwrap()) && text.contains(file["object"].as_str().unwrap()),
        "{text}"
    );
}

#[test]
fn what_is_not_there_is_told_with_what_there_is() {
    let place = Place::new();
    for (command, arguments, expected) in [
        ("ls", vec!["mondey"], "there is no snapshot \"mondey\" in the repository; did you mean monday?"),
        (
            "show",
            vec!["zzz"],
            "there is no snapshot \"zzz\" in the repository; `tabularium repo ls` lists what there is",
        ),
        ("show", vec!["monday", "order"], "there is no table \"order\"; did you mean orders?"),
        (
            "show",
            vec!["monday", "events", "p3"],
            "there is no partition \"p3\"; `tabularium repo show URL LABEL TABLE` lists",
        ),
        ("show", vec!["monday", "--timestamp", "2020"], "there is no snapshot \"monday\" of 2020; the label has 20"),
        ("drop", vec!["tuesda"], "did you mean tuesday?"),
        ("verify", vec!["tuesda"], "did you mean tuesday?"),
        ("cat", vec!["pages/1-0123456789abcdef0123456789abcdef/ab"], "there is no object"),
    ] {
        let (code, text) = place.failure(command, &arguments);
        assert_eq!(code, 1, "{text}");
        assert!(text.starts_with("tabularium: ") && text.contains(expected), "{text}");
    }
}

#[test]
fn a_wrong_location_or_property_is_wrong_usage() {
    let empty = tempfile::tempdir().unwrap();
    let nothing = format!("file://{}", empty.path().display());
    for (arguments, code, expected) in [
        (vec!["repo", "ls", "nowhere"], 2, "nowhere"),
        (vec!["repo", "ls", "file://host/dir"], 2, "file:///absolute/path"),
        (vec!["repo", "ls", "ftp://x/y"], 2, "ftp"),
        (vec!["repo", "ls", &nothing, "-p", "aws.s3.access_kee=x"], 2, "aws.s3.access_kee"),
        (vec!["repo", "ls", &nothing, "-p", "secretvalue"], 2, "a property is written as name=value"),
        (vec!["repo", "verify", &nothing, "--level", "most"], 2, "sample=P%"),
        (vec!["repo", "ls", &nothing], 1, "there is no repository in"),
        (vec!["repo", "verify", &nothing], 1, "there is no repository in"),
    ] {
        let output = tabularium(&arguments);
        let error = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {error}");
        assert!(error.contains(expected), "{arguments:?}: {error}");
    }
    assert!(std::fs::read_dir(empty.path()).unwrap().next().is_none(), "looking made something");
}

#[test]
fn objects_are_printed_when_they_are_what_was_written() {
    let place = Place::new();
    let text = place.text("cat", &["repository.json"]);
    assert!(text.contains("\"name\": \"r\"") && text.contains("blake3"), "{text}");
    let root = place.json("ls", &[])["snapshots"][0]["root"].as_str().unwrap().to_owned();
    let page = place.json("cat", &[&root]);
    assert_eq!(page["lines"][0]["body"]["label"], "monday");
    assert!(page["checked"].as_str().unwrap().contains("as its name says"), "{page}");
    assert_eq!(place.text("cat", &[&root, "--raw"]).into_bytes(), std::fs::read(place.path(&root)).unwrap());

    let data = place.data_object();
    let (code, text) = place.failure("cat", &[&data]);
    assert!(code == 1 && text.contains("--raw"), "{text}");
    let raw = place.repo("cat", &[&data, "--raw"]);
    assert!(raw.stdout == std::fs::read(place.path(&data)).unwrap());
    assert!(String::from_utf8_lossy(&raw.stderr).contains("not checked"));

    place.damage(&root);
    let (code, text) = place.failure("cat", &[&root]);
    assert_eq!(code, 3, "{text}");
    assert!(text.contains(&root) && text.contains("expected blake3") && text.contains("repo verify"), "{text}");
}

#[test]
fn a_file_is_printed_whole_and_checked() {
    let place = Place::new();
    let shown = place.json("show", &["monday", "events", "p2"]);
    let tablet = &shown["tablets_listed"][0];
    let file = &tablet["files"][0];
    let name = format!("{}/{}", tablet["tablet"], file["name"].as_str().unwrap());
    let printed = place.repo("cat", &["monday", "events", &name]);
    assert_eq!(printed.stdout.len() as u64, file["bytes"].as_u64().unwrap());
    assert!(printed.stdout.starts_with(b"PAR1") && printed.stdout.ends_with(b"PAR1"));
    let (_, text) = place.failure("cat", &["monday", "events", "7/x"]);
    assert!(text.contains("there is no tablet 7"), "{text}");

    place.damage(file["object"].as_str().unwrap());
    let (code, text) = place.failure("cat", &["monday", "events", &name]);
    assert!(code == 3 && text.contains("crc32"), "{text}");
}

#[test]
fn the_log_tells_who_did_what() {
    let place = Place::new();
    let all = place.json("log", &["-n", "0"]);
    let records = all["records"].as_array().unwrap();
    let actions: Vec<&str> = records.iter().map(|record| record["action"].as_str().unwrap()).collect();
    assert_eq!(actions, ["commit", "open", "commit", "open", "create"]);
    assert_eq!((records[0]["label"].as_str(), records[1]["purpose"].as_str()), (Some("tuesday"), Some("backup")));
    let two = place.json("log", &["-n", "2"]);
    assert_eq!(two["records"].as_array().unwrap()[..], records[..2]);
    let text = place.text("log", &[]);
    assert!(text.contains("commit") && text.contains("monday") && text.contains("backup: "), "{text}");
}
