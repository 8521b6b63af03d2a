//! Records as bytes. The files in `golden/` are examples of every format ever written: one is added with each new format
//! and none is ever changed, since stores out there hold such bytes.

use catalog::record::{decode, encode};
use catalog::records::*;
use catalog::{ErrorKind, Record};
use env::ids::{DatabaseId, JobId, LoadId, NodeId, PartitionId, TableId, TabletId, Version};
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;
use std::path::Path;

/// Every golden file, with the line that it holds.
fn golden() -> BTreeMap<String, String> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    let mut found = BTreeMap::new();
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        let text = std::fs::read_to_string(&path).unwrap();
        found.insert(path.file_name().unwrap().to_str().unwrap().to_owned(), text.trim_end().to_owned());
    }
    found
}

/// What the file says, read as this build reads it; and, for the present format, written as it writes it.
fn check<R: Record>(file: &str, text: &str) -> R {
    // The key is made of the record itself: read it without the check of the key first.
    let record: R = serde_json::from_str(text).unwrap_or_else(|failed| panic!("{file}: {failed}"));
    let record: R = decode(&record.key(), text.as_bytes()).unwrap_or_else(|failed| panic!("{file}: {failed}"));
    if file.contains(&format!("-{}", record.format())) {
        assert_eq!(str::from_utf8(&encode(&record).unwrap()).unwrap(), text, "{file}");
    }
    record
}

#[test]
fn every_golden_file_can_be_read() {
    let mut kinds = BTreeSet::new();
    for (file, text) in golden() {
        let kind = file.split('-').next().unwrap();
        kinds.insert(kind.to_owned());
        match kind {
            "counter" => drop(check::<CounterRecord>(&file, &text)),
            "database" => drop(check::<DatabaseRecord>(&file, &text)),
            "job" => drop(check::<JobRecord>(&file, &text)),
            "load" => drop(check::<LoadRecord>(&file, &text)),
            "node" => drop(check::<NodeRecord>(&file, &text)),
            "partition" => drop(check::<PartitionRecord>(&file, &text)),
            "recycle" => drop(check::<RecycleRecord>(&file, &text)),
            "repository" => drop(check::<RepositoryRecord>(&file, &text)),
            "table" => drop(check::<TableRecord>(&file, &text)),
            "tablet" => drop(check::<TabletRecord>(&file, &text)),
            "task" => drop(check::<TaskRecord>(&file, &text)),
            "findings" => drop(check::<FindingsRecord>(&file, &text)),
            "proof" => drop(check::<ProofRecord>(&file, &text)),
            "role" => drop(check::<RoleRecord>(&file, &text)),
            "user" => drop(check::<UserRecord>(&file, &text)),
            "setting" => drop(check::<SettingRecord>(&file, &text)),
            "verify" => drop(check::<VerifyRecord>(&file, &text)),
            "upkeep" => drop(check::<UpkeepRecord>(&file, &text)),
            "name" => {
                let name = NameRecord::decode("name/database/sales", text.as_bytes()).unwrap();
                assert_eq!((name.id, str::from_utf8(&name.encode()).unwrap()), (10_001, text.as_str()));
            }
            other => panic!("{file}: no record is called {other}"),
        }
    }
    let all = "counter database findings job load name node partition proof recycle repository role setting table tablet \
               task upkeep user verify";
    assert_eq!(kinds.into_iter().collect::<Vec<_>>().join(" "), all, "each kind has an example");
}

#[test]
fn golden_files_mean_what_they_meant() {
    fn is<R: Record + PartialEq + Debug>(file: &str, expected: &R) {
        assert_eq!(&check::<R>(file, &golden()[file]), expected);
    }
    is(
        "database-1.json",
        &DatabaseRecord { id: DatabaseId(10_001), name: "sales".to_owned(), created_ms: 1_730_000_000_000 },
    );
    is(
        "tablet-1.json",
        &TabletRecord {
            id: TabletId(10_007),
            table: TableId(10_002),
            partition: PartitionId(10_003),
            bucket: 1,
            replicas: vec![NodeId(1), NodeId(2), NodeId(3)],
        },
    );
    is(
        "load-1-committed.json",
        &LoadRecord {
            id: LoadId(10_031),
            label: None,
            database: DatabaseId(10_001),
            node: NodeId(1),
            state: LoadState::Committed {
                versions: [(PartitionId(10_003), Version(7)), (PartitionId(10_006), Version(2))].into(),
            },
            tablets: vec![TabletId(10_007), TabletId(10_008)],
            created_ms: 1_730_000_000_005,
            finished_ms: 1_730_000_000_006,
            rows: 1_000,
        },
    );
    is(
        "table-1-random-list.json",
        &TableRecord {
            id: TableId(10_102),
            database: DatabaseId(10_001),
            name: "\u{8868} / \"x\"".to_owned(),
            columns: vec![ColumnRecord {
                name: "c".to_owned(),
                data_type: "STRING".to_owned(),
                key: false,
                nullable: true,
                aggregation: None,
                default: None,
                comment: String::new(),
            }],
            model: KeyModelRecord::Duplicate,
            distribution: Distribution::Random,
            partitioning: Partitioning::List { columns: vec!["c".to_owned()] },
            partitions: vec![PartitionEntry {
                id: PartitionId(10_103),
                name: "p".to_owned(),
                bounds: BoundsRecord::List { values: vec![vec![Some("a".to_owned())], vec![None]] },
                buckets: 1,
            }],
            properties: BTreeMap::new(),
            comment: String::new(),
            created_ms: 0,
            state: TableState::Restoring { job: JobId(10_200), label: "nightly".to_owned() },
        },
    );
    let orders: TableRecord = check("table-1-hash-range.json", &golden()["table-1-hash-range.json"]);
    assert_eq!(orders.partition("new").unwrap().id, PartitionId(10_006));
    assert_eq!((orders.column("PRICE"), orders.column("prices")), (Some(2), None));
    let defaults: Vec<_> = orders.columns.iter().map(|column| column.default.clone()).collect();
    let literal = DefaultRecord::Literal("0.00".to_owned());
    assert_eq!(defaults, [None, None, Some(literal), Some(DefaultRecord::CurrentTimestamp), Some(DefaultRecord::Null)]);
}

#[test]
fn a_newer_format_is_refused_and_both_are_named() {
    let newer = br#"{"format":3,"id":{"of":"another shape"}}"#;
    let failed = decode::<DatabaseRecord>("database/7", newer).unwrap_err();
    assert_eq!(failed.kind(), ErrorKind::Unsupported);
    assert_eq!(failed.to_string(), "database/7 has format 3, this build knows formats up to 1; use a newer build");
    let failed = NameRecord::decode("name/database/x", br#"{"format":2,"id":1}"#).unwrap_err();
    assert_eq!(failed.kind(), ErrorKind::Unsupported);
}

#[test]
fn an_unknown_field_of_a_known_format_is_passed_over() {
    let more = br#"{"format":1,"id":7,"name":"d","created_ms":0,"later":[1,2]}"#;
    assert_eq!(decode::<DatabaseRecord>("database/7", more).unwrap().name, "d");
}

#[test]
fn bytes_that_are_no_record_are_corrupt() {
    let cases: [&[u8]; 9] = [
        b"",
        b"\xff\xfe",
        b"null",
        b"[]",
        b"{}",
        br#"{"format":0,"id":7,"name":"d","created_ms":0}"#,
        br#"{"format":1,"id":7,"name":"d"}"#,
        br#"{"format":1,"id":-7,"name":"d","created_ms":0}"#,
        br#"{"format":1,"id":7,"name":"d","created_ms":0"#,
    ];
    for bytes in cases {
        let failed = decode::<DatabaseRecord>("database/7", bytes).unwrap_err();
        assert_eq!(failed.kind(), ErrorKind::Corrupt, "{failed}");
        assert!(failed.to_string().starts_with("database/7 is corrupt"), "{failed}");
    }
    let failed = decode::<DatabaseRecord>("database/7", br#"{"format":1,"id":"x"}"#).unwrap_err();
    insta::assert_snapshot!(failed, @r#"database/7 is corrupt at byte 19: expected a database record, found invalid type: string "x", expected u64 at line 1 column 20"#);
    let other = br#"{"format":1,"id":8,"name":"d","created_ms":0}"#;
    let failed = decode::<DatabaseRecord>("database/7", other).unwrap_err();
    insta::assert_snapshot!(failed, @r#"database/7 is corrupt: expected the database record of this key, found that of "database/8""#);
}

#[test]
fn records_are_json_objects_with_their_format_first() {
    #[derive(Deserialize)]
    struct Head {
        format: u32,
    }
    for (file, text) in golden() {
        assert!(text.starts_with("{\"format\":"), "{file}");
        let head: Head = serde_json::from_str(&text).unwrap();
        assert!(file.contains(&format!("-{}", head.format)), "{file} is named for its format");
    }
}
