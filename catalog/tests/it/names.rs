use catalog::{Error, ErrorKind, names};

type Rule = fn(&str) -> Result<(), Error>;

fn check(rule: Rule, good: &[&str], bad: &[&str]) {
    for name in good {
        assert!(rule(name).is_ok(), "{name:?} should pass");
    }
    for name in bad {
        let failed = rule(name).expect_err(name);
        assert_eq!(failed.kind(), ErrorKind::Invalid);
        assert!(failed.to_string().contains(&format!("{name:?}")), "{failed} should name {name:?}");
    }
}

#[test]
fn databases() {
    let long = format!("d{}", "x".repeat(255));
    check(
        names::database,
        &["d", "D1", "_1", "_a", "a-b~c!d@e#f$g%h^i&j<k>l=m+n", &long],
        &["", "_", "__", "1d", "-d", "a.b", "a/b", "a b", "\u{e9}t\u{e9}", "a*", &format!("{long}x")],
    );
}

#[test]
fn tables() {
    let long = "\u{e9}".repeat(1024);
    check(names::table, &["t", "1", "a/b", "a b", "\u{8868}", &long], &["", "a\0b", &format!("{long}x")]);
}

#[test]
fn repositories_and_partitions() {
    let long = format!("r{}", "x".repeat(63));
    let good = ["r", "R_1", "_r", "_1", &long];
    let bad = ["", "_", "__r", "1r", "r-1", "r.1", "r/1", "\u{e9}", &format!("{long}x")];
    check(names::repository, &good, &bad);
    check(names::partition, &good, &bad);
    check(names::partition, &["placeholder"], &["placeholder_", "placeholder_1"]);
    check(names::repository, &["placeholder_1"], &[]);
}

#[test]
fn columns() {
    let long = "c".repeat(1024);
    check(names::column, &["c", "c d", "\u{5217}", "_op", &long], &["", "a\nb", "__op", "__OP", &format!("{long}c")]);
}

#[test]
fn labels() {
    let long = "l".repeat(128);
    let good = ["l", "1", "-", "_", "2024-01-01_a", &long];
    let bad = ["", "a.b", "a/b", "*", "a b", "\u{e9}", &format!("{long}l")];
    check(names::snapshot_label, &good, &bad);
    check(names::load_label, &good, &bad);
}

#[test]
fn messages_name_the_kind_the_value_and_the_rule() {
    let all: [(&str, Rule, &str); 7] = [
        ("database", names::database, "a.b"),
        ("table", names::table, ""),
        ("partition", names::partition, "placeholder_1"),
        ("column", names::column, "__op"),
        ("repository", names::repository, "1"),
        ("snapshot label", names::snapshot_label, "a/b"),
        ("load label", names::load_label, ""),
    ];
    let messages: Vec<String> = all.iter().map(|(_, rule, value)| rule(value).unwrap_err().to_string()).collect();
    insta::assert_snapshot!(messages.join("\n"), @r#"
    wrong database name "a.b": 1 to 256 characters, a letter first (or _ and then a letter or digit), then letters, digits and any of _-~!@#$%^&<>=+
    wrong table name "": it must not be empty
    wrong partition name "placeholder_1": names that begin with placeholder_ are reserved
    wrong column name "__op": __op is reserved for loads
    wrong repository name "1": 1 to 64 characters, a letter first (or _ and then a letter or digit), then letters, digits and _
    wrong snapshot label "a/b": 1 to 128 letters, digits, _ and -
    wrong load label "": it must not be empty
    "#);
}
