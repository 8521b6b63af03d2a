use super::access::Access;
use super::names::{host_matches, narrowness};
use super::needs::{Demand, Tables, needs};
use super::*;
use crate::privilege::{GrantScope, Object, Privilege, Privileges};
use crate::sql::{self, UserName};
use std::collections::BTreeSet;

#[test]
fn hosts_match_their_patterns() {
    for (pattern, host, good) in [
        ("%", "10.1.2.3", true),
        ("10.1.2.3", "10.1.2.3", true),
        ("10.1.2.3", "10.1.2.30", false),
        ("10.1.%", "10.1.2.3", true),
        ("10.1.%", "10.10.2.3", false),
        ("10.1.2._", "10.1.2.3", true),
        ("10.1.2._", "10.1.2.33", false),
        ("localhost", "127.0.0.1", true),
        ("localhost", "127.9.9.9", true),
        ("localhost", "::1", true),
        ("LOCALHOST", "::ffff:127.0.0.1", true),
        ("localhost", "10.1.2.3", false),
        ("127.0.0.1", "::ffff:127.0.0.1", true),
        ("fe80::%", "fe80::1", true),
        ("%", "", true),
    ] {
        assert_eq!(host_matches(pattern, host), good, "{pattern} {host}");
    }
}

#[test]
fn narrower_patterns_come_before_wider_ones() {
    let mut patterns = vec!["10.%", "%", "10.1.2.3", "10.1.%", "_0.1.2.3"];
    patterns.sort_by_key(|pattern| narrowness(pattern));
    assert_eq!(patterns, ["%", "_0.1.2.3", "10.%", "10.1.%", "10.1.2.3"]);
}

#[test]
fn only_the_machine_itself_is_loopback() {
    for host in ["127.0.0.1", "127.1.2.3", "::1", "::ffff:127.0.0.1", "localhost"] {
        assert!(is_loopback(host), "{host}");
    }
    for host in
        ["10.0.0.1", "0.0.0.0", "::", "::ffff:10.0.0.1", "128.0.0.1", "localhost.example", "", "127.0.0.1.example"]
    {
        assert!(!is_loopback(host), "{host}");
    }
}

#[test]
fn names_of_users_have_rules() {
    let user = |name: &str, host: &str| check_user(&UserName { name: name.to_owned(), host: host.to_owned() });
    assert!(user("ann", "%").is_ok() && user("a/b c", "10.0.0._").is_ok() && user("\u{e4}", "fe80::1").is_ok());
    let long = "x".repeat(65);
    for (name, host) in
        [("", "%"), (long.as_str(), "%"), ("a'b", "%"), ("a\nb", "%"), ("a", ""), ("a", "x/y"), ("a", "x'y")]
    {
        assert!(user(name, host).is_err(), "{name} {host}");
    }
}

#[test]
fn what_is_missing_is_named() {
    let mut privileges = Privileges::default();
    privileges.grant(&GrantScope::AllTables, &BTreeSet::from([Privilege::Select]), false);
    let access = Access::of(Identity { name: "ann".to_owned(), host: "10.%".to_owned() }, privileges);
    let told = |privilege, object| {
        let error = access.require(privilege, &object).unwrap_err();
        (error.code, error.state, error.message)
    };
    let table = || Object::Table("shop".to_owned(), "orders".to_owned());
    assert!(access.require(Privilege::Select, &table()).is_ok());
    let text = |needed: &str| format!("Access denied; user 'ann'@'10.%' needs {needed}");
    assert_eq!(told(Privilege::Export, table()), (1142, "42000", text("EXPORT on TABLE shop.orders")));
    assert_eq!(
        told(Privilege::Drop, Object::Database("shop".to_owned())),
        (1044, "42000", text("DROP on DATABASE shop"))
    );
    assert_eq!(told(Privilege::Repository, Object::System), (1227, "42000", text("REPOSITORY on SYSTEM")));
    assert_eq!(
        told(Privilege::CreateDatabase, Object::Catalog),
        (1227, "42000", text("CREATE DATABASE on CATALOG default_catalog"))
    );
}

#[test]
fn only_root_may_do_everything_unasked() {
    assert!(Access::unknown(Identity::anywhere("root")).is_everything());
    for (name, host) in [("root", "10.%"), ("Root", "%"), ("admin", "%"), ("", "%")] {
        let access = Access::unknown(Identity { name: name.to_owned(), host: host.to_owned() });
        assert!(!access.is_everything(), "{name} {host}");
    }
}

fn demands(text: &str) -> Vec<Demand> {
    needs(&sql::parse(text).unwrap()[0], Some("d")).unwrap()
}

#[test]
fn a_restore_is_asked_about_the_names_that_it_writes() {
    let insert = |tables: Option<&[&str]>| Demand::OnTables {
        privilege: Privilege::Insert,
        database: "e".to_owned(),
        tables: tables
            .map_or(Tables::All, |tables| Tables::Listed(tables.iter().map(|table| (*table).to_owned()).collect())),
    };
    let properties = "PROPERTIES ('backup_timestamp' = 'x')";
    let asked = demands(&format!("RESTORE SNAPSHOT e.s FROM r ON (a AS b, c) {properties}"));
    assert!(asked.contains(&insert(Some(&["b", "c"]))), "{asked:?}");
    let asked = demands(&format!("RESTORE SNAPSHOT e.s FROM r {properties}"));
    assert!(asked.contains(&insert(None)), "{asked:?}");
    // The session's database is not where it goes.
    let asked = demands(&format!("RESTORE SNAPSHOT s FROM r {properties}"));
    assert!(asked.contains(&Demand::Has(Privilege::Insert, Object::AnyTable)), "{asked:?}");
}

#[test]
fn a_statement_without_a_database_says_so() {
    let statement = &sql::parse("DROP TABLE t").unwrap()[0];
    assert_eq!(needs(statement, None).unwrap_err().code, 1046);
}
