use super::*;

fn properties(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

fn backup(pairs: &[(&str, &str)]) -> Result<BackupProperties> {
    backup_properties(&properties(pairs), TIMEOUT_S_MIN)
}

fn restore(pairs: &[(&str, &str)]) -> Result<RestoreProperties> {
    restore_properties(&properties(pairs), TIMEOUT_S_MIN)
}

fn told<T: std::fmt::Debug>(result: Result<T>) -> String {
    let failed = result.unwrap_err();
    assert_eq!(failed.kind(), crate::ErrorKind::Invalid);
    failed.to_string()
}

#[test]
fn a_backup_without_properties_has_a_day() {
    let expected = BackupProperties { timeout_s: 86_400, limits: JobLimits::default(), ttl_ms: None };
    assert_eq!(backup(&[]).unwrap(), expected);
}

#[test]
fn type_full_is_taken_in_any_case_and_nothing_else_is() {
    for full in ["full", "FULL", "Full"] {
        backup(&[("type", full)]).unwrap();
    }
    for other in ["incremental", "", "fulll"] {
        assert_eq!(told(backup(&[("type", other)])), format!("property \"type\" must be \"full\", not \"{other}\""));
    }
}

#[test]
fn a_timeout_under_ten_minutes_is_refused() {
    assert_eq!(backup(&[("timeout", "600")]).unwrap().timeout_s, 600);
    assert_eq!(told(backup(&[("timeout", "599")])), "property \"timeout\" must be at least 600 seconds, not 599");
    assert_eq!(told(backup(&[("timeout", "soon")])), "property \"timeout\" must be a whole number, not \"soon\"");
    assert_eq!(told(backup(&[("timeout", "-5")])), "property \"timeout\" must be a whole number, not \"-5\"");
}

#[test]
fn keys_are_compared_with_their_case_and_unknown_ones_are_listed() {
    let text = told(backup(&[("TYPE", "full"), ("Ttl", "1 DAY")]));
    assert_eq!(
        text,
        "unknown properties: [TYPE, Ttl]; known are: type, timeout, ttl, max_bytes_per_second, max_requests_per_second"
    );
}

#[test]
fn a_ttl_is_a_time_for_people() {
    const DAY: u64 = 86_400_000;
    let ttl = |text: &str| backup(&[("ttl", text)]).unwrap_or_else(|failed| panic!("{text}: {failed}")).ttl_ms;
    for (text, millis) in [
        ("7d", 7 * DAY),
        (" 7 DAY ", 7 * DAY),
        ("12h", DAY / 2),
        ("12 HOUR", DAY / 2),
        ("2 weeks", 14 * DAY),
        ("1day 12hours", DAY + DAY / 2),
        ("1H30M", 3_600_000 + 2_630_016_000 * 30),
        ("90 MINUTES", 5_400_000),
        ("90m", 5_400_000),
        ("1M", 2_630_016_000),
        ("1 MONTH", 2_630_016_000),
        ("1s", 1_000),
        ("999 years", 999 * 31_557_600_000),
    ] {
        assert_eq!(ttl(text), Some(millis), "{text}");
    }
    assert_eq!((ttl(""), ttl("  ")), (None, None));
}

#[test]
fn a_ttl_that_is_none_is_refused_by_its_value() {
    for (text, words) in [
        ("soon", "\"soon\" is not a time"),
        ("7", "\"7\" is not a time"),
        ("-7d", "\"-7d\" is not a time"),
        ("7 parsecs", "\"7 parsecs\" is not a time"),
        ("0d", "\"0d\" is less than a second"),
        ("999ms", "\"999ms\" is less than a second"),
        ("1003 years", "\"1003 years\" is more than a thousand years"),
        ("99999999999999999999d", "\"99999999999999999999d\" is not a time"),
        ("18446744073709551615y", "is not a time"),
    ] {
        let text = told(backup(&[("ttl", text)]));
        assert!(text.starts_with("property \"ttl\": ") && text.contains(words), "{text}");
        assert!(text.ends_with("write one such as 7d, 12h or 2 weeks"), "{text}");
    }
}

#[test]
fn a_restore_needs_its_backup_timestamp() {
    let text = told(restore(&[]));
    assert!(text.contains("\"backup_timestamp\" is required") && text.contains("SHOW SNAPSHOT"), "{text}");
    let taken = restore(&[("backup_timestamp", "2026-01-01-00-00-00-000")]).unwrap();
    assert_eq!(taken.timestamp, "2026-01-01-00-00-00-000");
    assert_eq!((taken.timeout_s, taken.replication_num, taken.allow_load), (86_400, None, false));
}

#[test]
fn every_problem_names_its_own_key_and_all_are_told_at_once() {
    let text = told(restore(&[
        ("replication_num", "many"),
        ("meta_version", "x"),
        ("starrocks_meta_version", "y"),
        ("allow_load", "perhaps"),
        ("timeout", "1"),
        ("other", "z"),
    ]));
    for key in [
        "replication_num",
        "\"meta_version\"",
        "starrocks_meta_version",
        "allow_load",
        "timeout",
        "backup_timestamp",
        "[other]",
    ] {
        assert!(text.contains(key), "{key}: {text}");
    }
}

#[test]
fn the_other_restore_properties_are_read() {
    let taken = restore(&[
        ("backup_timestamp", "t"),
        ("replication_num", "3"),
        ("meta_version", "22"),
        ("starrocks_meta_version", "4"),
        ("allow_load", "TRUE"),
        ("clean_tables", "true"),
        ("clean_partitions", "False"),
        ("timeout", "3600"),
    ]);
    let expected = RestoreProperties {
        timestamp: "t".into(),
        timeout_s: 3_600,
        limits: JobLimits::default(),
        replication_num: Some(3),
        allow_load: true,
        clean: catalog::records::job::Clean { partitions: false, tables: true },
    };
    assert_eq!(taken.unwrap(), expected);
    assert!(told(restore(&[("backup_timestamp", "t"), ("replication_num", "0")])).contains("at least 1, not 0"));
}

#[test]
fn limits_are_numbers_or_sizes_and_zero_is_none() {
    let taken = backup(&[("max_bytes_per_second", "100MB"), ("max_requests_per_second", "50")]).unwrap().limits;
    let expected = JobLimits { max_bytes_per_second: Some(100_000_000), max_requests_per_second: Some(50) };
    assert_eq!(taken, expected);
    let taken = restore(&[("backup_timestamp", "t"), ("max_bytes_per_second", " 1048576 ")]).unwrap().limits;
    assert_eq!(taken, JobLimits { max_bytes_per_second: Some(1 << 20), max_requests_per_second: None });
    assert_eq!(backup(&[("max_bytes_per_second", "0")]).unwrap().limits, JobLimits::default());
    let text = told(backup(&[("max_bytes_per_second", "fast"), ("max_requests_per_second", "-1")]));
    assert!(text.contains("not \"fast\"") && text.contains("whole number, not \"-1\""), "{text}");
}

#[test]
fn a_change_of_limits_leaves_alone_what_it_does_not_name() {
    let change = |pairs| LimitsChange::parse(&properties(pairs));
    let old = JobLimits { max_bytes_per_second: Some(7), max_requests_per_second: Some(8) };
    let new = change(&[("max_bytes_per_second", "2KiB")]).unwrap().apply(old);
    assert_eq!(new, JobLimits { max_bytes_per_second: Some(2048), ..old });
    let new = change(&[("max_requests_per_second", "0")]).unwrap().apply(old);
    assert_eq!(new, JobLimits { max_requests_per_second: None, ..old });
    assert!(told(change(&[])).contains("nothing is set"));
    assert!(told(change(&[("timeout", "700")])).contains("unknown properties: [timeout]"));
}
