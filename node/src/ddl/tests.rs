use super::spec;
use crate::sql::{self, Statement};

fn check(text: &str) -> Result<spec::TableSpec, String> {
    let statements = sql::parse(text).unwrap_or_else(|failed| panic!("{text}: {failed}"));
    let Some(Statement::CreateTable(create)) = statements.into_iter().next() else { panic!("{text}") };
    spec::check(&create).map_err(|failed| failed.message)
}

fn partitions(text: &str) -> Vec<String> {
    let spec = check(text).unwrap_or_else(|failed| panic!("{text}: {failed}"));
    spec.partitions
        .iter()
        .map(|partition| format!("{} {}", partition.name, partition.parsed).replace('\'', ""))
        .collect()
}

#[test]
fn less_than_begins_where_the_nearest_partition_ends() {
    let made = partitions(
        "CREATE TABLE t (d DATE, v INT) PARTITION BY RANGE (d) (\
         PARTITION a VALUES LESS THAN ('2024-01-01'), PARTITION b VALUES LESS THAN ('2024-02-01'), \
         PARTITION c VALUES LESS THAN MAXVALUE)",
    );
    assert_eq!(made, ["a [MINVALUE, (2024-01-01))", "b [(2024-01-01), (2024-02-01))", "c [(2024-02-01), MAXVALUE)"]);
}

#[test]
fn a_series_ends_at_its_end_and_keeps_the_day_of_the_month() {
    let made = partitions(
        "CREATE TABLE t (d DATETIME) PARTITION BY RANGE (d) (START ('2024-01-31') END ('2024-04-15') EVERY (INTERVAL 1 MONTH))",
    );
    assert_eq!(
        made,
        [
            "p202401 [(2024-01-31 00:00:00), (2024-02-29 00:00:00))",
            "p202402 [(2024-02-29 00:00:00), (2024-03-31 00:00:00))",
            "p202403 [(2024-03-31 00:00:00), (2024-04-15 00:00:00))",
        ]
    );
    let numbers = partitions("CREATE TABLE t (k INT) PARTITION BY RANGE (k) (START ('-10') END ('20') EVERY (10))");
    assert_eq!(numbers, ["p_10 [(-10), (0))", "p0 [(0), (10))", "p10 [(10), (20))"]);
    for (every, first) in [
        ("INTERVAL 1 DAY", "p20240101"),
        ("INTERVAL 2 WEEK", "p2024_01"),
        ("INTERVAL 1 YEAR", "p2024"),
        ("INTERVAL 6 HOUR", "p2024010100"),
    ] {
        let text = format!(
            "CREATE TABLE t (d DATETIME) PARTITION BY RANGE (d) (START ('2024-01-01') END ('2026-01-02') EVERY ({every}))"
        );
        assert!(partitions(&text)[0].starts_with(first), "{every}");
    }
}

#[test]
fn refusals_name_what_was_typed() {
    for (text, want) in [
        ("CREATE TABLE t (k INT, v INT SUM) UNIQUE KEY (k)", "'v' cannot have the aggregate function SUM; only value"),
        ("CREATE TABLE t (k INT, v INT REPLACE) PRIMARY KEY (k)", "'v' cannot have the aggregate function REPLACE"),
        ("CREATE TABLE t (k INT, v INT MAX) DUPLICATE KEY (k)", "'v' cannot have the aggregate function MAX"),
        ("CREATE TABLE t (k INT MAX, v INT MAX) AGGREGATE KEY (k)", "'k' cannot have the aggregate function MAX"),
        (
            "CREATE TABLE t (k INT, v INT) AGGREGATE KEY (k)",
            "'v' of an AGGREGATE KEY table needs an aggregate function",
        ),
        (
            "CREATE TABLE t (k INT, v VARCHAR(9) SUM) AGGREGATE KEY (k)",
            "'v' of type VARCHAR(9) cannot have the aggregate",
        ),
        (
            "CREATE TABLE t (k INT, v INT HLL_UNION) AGGREGATE KEY (k)",
            "column 'v': HLL_UNION is not supported; use SUM",
        ),
        ("CREATE TABLE t (v INT SUM)", "an AGGREGATE KEY table needs at least one key column"),
        ("CREATE TABLE t (v INT SUM, k INT) AGGREGATE KEY (k)", "'k' is key column 1 and column 2"),
        ("CREATE TABLE t (k INT, v INT) UNIQUE KEY (k) DISTRIBUTED BY HASH (v) BUCKETS 1", "bucketing column 'v'"),
        (
            "CREATE TABLE t (k INT, v INT SUM) AGGREGATE KEY (k) DISTRIBUTED BY RANDOM",
            "an AGGREGATE KEY table cannot be",
        ),
        (
            "CREATE TABLE t (k INT, v DATE) UNIQUE KEY (k) PARTITION BY RANGE (v) ()",
            "partition column 'v' of a UNIQUE KEY",
        ),
        ("CREATE TABLE t (k INT) DUPLICATE KEY (z)", "key column 'z' is no column"),
        ("CREATE TABLE t (a INT, b INT) PRIMARY KEY (b)", "'b' is key column 1 and column 2"),
        ("CREATE TABLE t (a INT NULL) PRIMARY KEY (a)", "'a' of a PRIMARY KEY table must be NOT NULL"),
        ("CREATE TABLE t (a INT, v INT) PRIMARY KEY (a) DISTRIBUTED BY HASH (v) BUCKETS 1", "bucketing column 'v'"),
        ("CREATE TABLE t (a INT, v INT) PRIMARY KEY (a) DISTRIBUTED BY RANDOM BUCKETS 1", "DISTRIBUTED BY RANDOM"),
        ("CREATE TABLE t (a FLOAT) DUPLICATE KEY (a)", "'a' of type FLOAT cannot be a key column"),
        ("CREATE TABLE t (a INT DEFAULT 'x')", "default of column 'a'"),
        ("CREATE TABLE t (a INT) DISTRIBUTED BY HASH (b)", "bucketing column 'b' is no column"),
        ("CREATE TABLE t (a INT) PROPERTIES ('replication' = '1', 'x' = 'y')", "[replication, x]"),
        ("CREATE TABLE t (a INT) PROPERTIES ('replication_num' = '0')", "replication_num"),
        ("CREATE TABLE t (a INT) PROPERTIES ('dynamic_partition.enable' = 'true')", "dynamic_partition.enable"),
        (
            "CREATE TABLE t (k INT) PARTITION BY RANGE (k) (PARTITION a VALUES [('0'), ('10')), PARTITION b VALUES [('5'), ('15')))",
            "partition 'b' [(5), (15)) overlaps with partition 'a' [(0), (10))",
        ),
        (
            "CREATE TABLE t (k INT) PARTITION BY RANGE (k) (PARTITION a VALUES [('0'), ('0')))",
            "partition 'a' would be empty",
        ),
        (
            "CREATE TABLE t (k INT) PARTITION BY RANGE (k) (PARTITION a VALUES LESS THAN ('x'))",
            "partition 'a': 'x' is not a valid INT",
        ),
        (
            "CREATE TABLE t (k DATE) PARTITION BY RANGE (k) (START ('2024-01-01') END ('2024-02-01') EVERY (INTERVAL 1 HOUR))",
            "needs a DATETIME column",
        ),
        (
            "CREATE TABLE t (k VARCHAR(5)) PARTITION BY LIST (k) (PARTITION a VALUES IN ('x'), PARTITION b VALUES IN ('y', 'x'))",
            "partition 'b' ((y), (x)) overlaps with partition 'a' ((x))",
        ),
        (
            "CREATE TABLE t (k INT) PARTITION BY RANGE (k) (PARTITION a VALUES LESS THAN ('1'), PARTITION a VALUES LESS THAN ('2'))",
            "partition 'a' is there already",
        ),
    ] {
        let failed = check(text).map(drop).expect_err(text);
        let plain = |text: &str| text.replace('\'', "");
        assert!(plain(&failed).contains(&plain(want)), "{text}: {failed}");
    }
}

#[test]
fn a_key_is_implied() {
    let spec = check("CREATE TABLE t (a INT, b VARCHAR(5), c INT, d INT)").unwrap();
    assert_eq!(spec.schema.key_len(), 2);
    let spec = check("CREATE TABLE t (a DOUBLE, b INT)").unwrap();
    assert_eq!(spec.schema.key_len(), 0);
}
