use super::World;

const COLUMNS: &str = "k INT, b BOOLEAN, t TINYINT, s SMALLINT, i INT, l BIGINT, h LARGEINT, f FLOAT, d DOUBLE, \
                       e DECIMAL(38,10), a DATE, m DATETIME, c CHAR(5), v VARCHAR(10), x STRING, y VARBINARY(8)";

#[tokio::test(flavor = "multi_thread")]
async fn extremes_and_nulls_come_back_as_they_went_in() {
    let world = World::new().await;
    let mut client = world.in_database().await;
    client.run(&format!("CREATE TABLE t ({COLUMNS}) DISTRIBUTED BY HASH (k) BUCKETS 2")).await;
    client
        .run(
            "INSERT INTO t VALUES \
             (1, TRUE, -128, -32768, -2147483648, -9223372036854775808, -170141183460469231731687303715884105728, -3.4028235e38, \
              -1.7976931348623157e308, '-9999999999999999999999999999.9999999999', '0000-01-01', '0000-01-01 00:00:00', '', '', '', X''), \
             (2, FALSE, 127, 32767, 2147483647, 9223372036854775807, 170141183460469231731687303715884105727, 3.4028235e38, \
              1.7976931348623157e308, '9999999999999999999999999999.9999999999', '9999-12-31', '9999-12-31 23:59:59.999999', \
              'abcde', 'äöüßx', 'it''s \\\\ \"q\"', X'00ff'), \
             (3, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL)",
        )
        .await;
    let expected = [
        "1 true -128 -32768 -2147483648 -9223372036854775808 -170141183460469231731687303715884105728 -3.4028235e38 \
         -1.7976931348623157e308 -9999999999999999999999999999.9999999999 0000-01-01 0000-01-01T00:00:00    ",
        "2 false 127 32767 2147483647 9223372036854775807 170141183460469231731687303715884105727 3.4028235e38 \
         1.7976931348623157e308 9999999999999999999999999999.9999999999 9999-12-31 9999-12-31T23:59:59.999999 abcde äöüßx \
         it's \\ \"q\" 00ff",
        "3 NULL NULL NULL NULL NULL NULL NULL NULL NULL NULL NULL NULL NULL NULL NULL",
    ];
    assert_eq!(client.lines("SELECT * FROM t ORDER BY k").await, expected);
    // The same through a query, into another table, and after a restart.
    client.run("CREATE TABLE u LIKE t; INSERT INTO u SELECT * FROM t").await;
    assert_eq!(client.lines("SELECT * FROM u ORDER BY k").await, expected);
    assert_eq!(
        world.engine.table_fingerprint("d", "t").await.unwrap(),
        world.engine.table_fingerprint("d", "u").await.unwrap()
    );
    let world = world.restart().await;
    assert_eq!(world.client().lines("SELECT * FROM d.u ORDER BY k").await, expected);
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn values_that_do_not_fit_are_refused_by_name() {
    let world = World::new().await;
    let mut client = world.in_database().await;
    client.run(&format!("CREATE TABLE t ({COLUMNS}, n INT NOT NULL) DISTRIBUTED BY HASH (k) BUCKETS 1")).await;
    for (column, value, words) in [
        ("t", "128", "column 't': 128 is out of the range of TINYINT, -128 to 127"),
        ("s", "-32769", "SMALLINT"),
        ("i", "2147483648", "INT"),
        ("l", "9223372036854775808", "BIGINT"),
        ("h", "170141183460469231731687303715884105728", "LARGEINT"),
        ("i", "'x'", "'x' is not a valid INT"),
        ("d", "'1e999'", "DOUBLE"),
        ("e", "'1e40'", "DECIMAL(38,10)"),
        ("a", "'2024-02-30'", "'2024-02-30' is not a valid DATE"),
        ("m", "'2024-01-01 25:00:00'", "DATETIME"),
        ("c", "'abcdef'", "'abcdef' has 6 bytes, more than CHAR(5) holds"),
        ("v", "'äöüßxyz'", "11 bytes, more than VARCHAR(10)"),
        ("y", "X'000102030405060708'", "VARBINARY(8)"),
    ] {
        client.refused(&format!("INSERT INTO t (k, n, {column}) VALUES (1, 1, {value})"), 1105, words).await;
        client
            .refused(&format!("INSERT INTO t (k, n, {column}) VALUES (1, 1, NULL), (2, 1, {value})"), 1105, "row 2")
            .await;
    }
    client
        .refused("INSERT INTO t (k) VALUES (1)", 1105, "column 'n' is NOT NULL, has no default and is not given")
        .await;
    client.refused("INSERT INTO t (k, n) SELECT 1, NULL", 1105, "column 'n'").await;
    client.refused("INSERT INTO t (k, n, t) SELECT 1, 1, 300", 1105, "TINYINT").await;
    client.refused("INSERT INTO t (k, zz) VALUES (1, 2)", 1054, "Unknown column 'zz' in table 't'").await;
    client.refused("INSERT INTO t (k, n) VALUES (1)", 1064, "the row has 1 values for 2 columns").await;
    client.refused("INSERT INTO t VALUES (1)", 1136, "1 values in a row for 17 columns").await;
    client.refused("INSERT INTO t (k, n) SELECT 1", 1136, "1 columns for 2 columns").await;
    assert_eq!(client.one("SELECT count(*) FROM t").await, "0");
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn defaults_and_expressions_fill_rows() {
    let world = World::new().await;
    let mut client = world.in_database().await;
    client
        .run(
            "CREATE TABLE t (k INT, v VARCHAR(9) DEFAULT 'none', n INT NOT NULL DEFAULT '7', at DATETIME DEFAULT CURRENT_TIMESTAMP, \
             z DECIMAL(5,1) DEFAULT NULL)",
        )
        .await;
    client.run("INSERT INTO t (k) VALUES (1)").await;
    client.run("INSERT INTO t VALUES (1 + 1, concat('a', 'b'), DEFAULT, now(), -(3.5))").await;
    client.run("INSERT INTO t (K, Z) SELECT 3, 1.25").await;
    assert_eq!(
        client.lines("SELECT k, v, n, z FROM t WHERE at > '2020-01-01' ORDER BY k").await,
        ["1 none 7 NULL", "2 ab 7 -3.5", "3 none 7 1.3"]
    );
    client.refused("INSERT INTO t (k) VALUES (nope)", 1054, "nope").await;
    client.refused("INSERT INTO t (k, v) VALUES (1, concat('123456', '7890'))", 1105, "VARCHAR(9)").await;
    world.end().await;
}
