//! UNIQUE KEY and AGGREGATE KEY tables.

use super::jobs::{ended, finished, timestamp};
use super::loads::{load, send};
use super::{Client, World};
use env::rt::Duration;

/// An engine that compacts nothing by itself.
async fn quiet() -> World {
    World::with(|mut options| {
        options.tidy_every = Duration::from_hours(1);
        options
    })
    .await
}

async fn compact(world: &World) {
    for tablet in world.engine.store().tablets() {
        world.engine.store().compact(tablet).await.unwrap();
    }
}

/// Rows of every table twice: as they are, and after compaction.
async fn both_ways(world: &World, client: &mut Client, queries: &[(&str, &[&str])]) {
    for after in ["before", "after"] {
        for (query, expected) in queries {
            assert_eq!(client.lines(query).await, *expected, "{query} {after} compaction");
        }
        compact(world).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_unique_key_keeps_the_last_row() {
    let world = quiet().await;
    let mut client = world.in_database().await;
    client
        .run(
            "CREATE TABLE u (Id INT, Sub VARCHAR(9), State VARCHAR(9) DEFAULT 'new', n INT) UNIQUE KEY (id, sub) \
             DISTRIBUTED BY HASH (id) BUCKETS 1",
        )
        .await;
    client.run("INSERT INTO u VALUES (1, 'a', 'open', 1), (2, 'a', 'open', 2), (2, 'a', 'done', 3)").await;
    client.run("INSERT INTO u (id, sub, n) VALUES (1, 'a', 10), (3, NULL, 30), (4, 'd', 40)").await;
    client.run("INSERT INTO u VALUES (3, NULL, 'open', 31), (1, 'b', NULL, NULL)").await;
    both_ways(
        &world,
        &mut client,
        &[
            (
                "SELECT * FROM u ORDER BY id, sub",
                &["1 a new 10", "1 b NULL NULL", "2 a done 3", "3 NULL open 31", "4 d new 40"],
            ),
            ("SELECT count(*) FROM u", &["5"]),
            ("SELECT count(n), sum(n) FROM u", &["4 84"]),
            ("SELECT n FROM u ORDER BY n DESC LIMIT 2", &["40", "31"]),
            ("SELECT id FROM u ORDER BY id LIMIT 1 OFFSET 4", &["4"]),
            // The rows that were replaced do not come to light, though segments of their own hold just them.
            ("SELECT id FROM u WHERE state = 'open' ORDER BY id", &["3"]),
            ("SELECT count(*) FROM u WHERE n < 10", &["1"]),
            ("SELECT count(*) FROM u WHERE n IN (1, 2, 30)", &["0"]),
            ("SELECT n FROM u WHERE id = 1 AND sub = 'a'", &["10"]),
            ("SELECT n FROM u WHERE 2 <= id AND id < 4 ORDER BY n", &["3", "31"]),
            ("SELECT n FROM u WHERE id > 2 AND n > 35", &["40"]),
            ("SELECT a.n FROM u a JOIN u b ON a.id = b.id AND b.state = 'done'", &["3"]),
        ],
    )
    .await;
    client
        .refused("UPDATE u SET n = 1 WHERE id = 1", 1235, "'u' is a UNIQUE KEY table, whose rows are changed by")
        .await;
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn values_are_aggregated() {
    let world = quiet().await;
    let mut client = world.in_database().await;
    client
        .run(
            "CREATE TABLE g (day DATE, site INT NOT NULL, hits BIGINT SUM DEFAULT '0', least INT MIN, most DOUBLE MAX, last \
             VARCHAR(9) REPLACE, known VARCHAR(9) REPLACE_IF_NOT_NULL COMMENT 'kept') AGGREGATE KEY (day, site) PARTITION \
             BY RANGE (day) (PARTITION p1 VALUES LESS THAN ('2026-02-01'), PARTITION p2 VALUES LESS THAN ('2026-03-01')) \
             DISTRIBUTED BY HASH (site) BUCKETS 2",
        )
        .await;
    client
        .run("INSERT INTO g VALUES ('2026-01-01', 1, 2, 5, 0.5, 'a', 'a'), ('2026-01-01', 1, 3, 4, 0.25, 'b', NULL)")
        .await;
    client
        .run("INSERT INTO g VALUES ('2026-01-01', 1, NULL, NULL, 1.5, NULL, 'c'), ('2026-02-02', 2, 7, 7, 7, 'x', 'x')")
        .await;
    client.run("INSERT INTO g (day, site, most) VALUES ('2026-02-02', 2, NULL), ('2026-01-01', 3, NULL)").await;
    client
        .run("INSERT INTO g SELECT day, site, 10, least + 1, most - 1, 'z', NULL FROM g WHERE day > '2026-02-01'")
        .await;
    let rows: &[&str] =
        &["2026-01-01 1 5 4 1.5 NULL c", "2026-01-01 3 0 NULL NULL NULL NULL", "2026-02-02 2 17 7 7.0 z x"];
    both_ways(
        &world,
        &mut client,
        &[
            ("SELECT * FROM g ORDER BY day, site", rows),
            ("SELECT count(*) FROM g", &["3"]),
            ("SELECT sum(hits) FROM g PARTITION (p1)", &["5"]),
            // No row that was loaded fulfils it, but their sum does.
            ("SELECT site FROM g WHERE hits = 17", &["2"]),
            ("SELECT count(*) FROM g WHERE hits IN (2, 3, 7, 10)", &["0"]),
            ("SELECT site FROM g WHERE day = '2026-02-02' AND last = 'x'", &[]),
            ("SELECT site, hits FROM g ORDER BY hits DESC LIMIT 1", &["2 17"]),
        ],
    )
    .await;
    client.run("TRUNCATE TABLE g PARTITION (p2)").await;
    assert_eq!(client.one("SELECT count(*) FROM g").await, "2");
    client.run("INSERT INTO g (day, site, hits) VALUES ('2026-01-01', 3, 1)").await;
    assert_eq!(client.lines("SELECT hits FROM g WHERE site = 3").await, ["1"]);
    assert_eq!(send(&world, load("g", "one"), "2026-01-01,3,1,1,1,s,s\n2026-02-03,9,1,1,1,s,s\n").await.loaded_rows, 2);
    assert_eq!(client.lines("SELECT hits, known FROM g WHERE site IN (3, 9) ORDER BY site").await, ["2 s", "1 s"]);
    client.refused("UPDATE g SET hits = 1 WHERE site = 1", 1235, "'g' is an AGGREGATE KEY table").await;
    let world = world.restart().await;
    assert_eq!(world.client().one("SELECT sum(hits) FROM d.g").await, "8");
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_functions_are_shown() {
    let world = World::new().await;
    let mut client = world.in_database().await;
    let text = "CREATE TABLE `g` (\n  `k` int NULL,\n  `n` bigint SUM NOT NULL DEFAULT \"0\",\n  `s` varchar(9) \
                REPLACE_IF_NOT_NULL NULL COMMENT \"kept\"\n) ENGINE=OLAP\nAGGREGATE KEY (`k`)\n";
    client
        .run("CREATE TABLE g (k INT, n BIGINT SUM NOT NULL DEFAULT 0, s VARCHAR(9) REPLACE_IF_NOT_NULL COMMENT 'kept') AGGREGATE KEY (k)")
        .await;
    let shown = client.rows("SHOW CREATE TABLE g").await[0][1].clone().unwrap();
    let plain = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ").replace(" = ", "=");
    assert!(plain(&shown).starts_with(&plain(text)), "{shown}");
    assert!(shown.contains("DISTRIBUTED BY HASH"), "{shown}");
    client.run("CREATE TABLE h LIKE g").await;
    assert_eq!(client.rows("SHOW CREATE TABLE h").await[0][1].clone().unwrap(), shown.replace("`g`", "`h`"));
    client.run("CREATE TABLE u (k INT, v INT) UNIQUE KEY (k)").await;
    assert!(client.rows("SHOW CREATE TABLE u").await[0][1].clone().unwrap().contains("UNIQUE KEY"));
    client.run("CREATE TABLE implied (k INT, l DATE, v INT MAX)").await;
    assert!(client.rows("SHOW CREATE TABLE implied").await[0][1].clone().unwrap().contains("AGGREGATE KEY (`k`, `l`)"));
    assert_eq!(
        client.lines("DESC g").await,
        ["k int YES true NULL ", "n bigint NO false 0 SUM", "s varchar(9) YES false NULL REPLACE_IF_NOT_NULL"]
    );
    assert_eq!(client.lines("DESC u").await, ["k int YES true NULL ", "v int YES false NULL REPLACE"]);
    assert_eq!(
        client
            .lines(
                "SELECT table_name, column_name, column_key, extra FROM information_schema.columns WHERE table_schema = 'd' \
                 AND table_name IN ('g', 'u') ORDER BY table_name, ordinal_position"
            )
            .await,
        ["g k AGG ", "g n  SUM", "g s  REPLACE_IF_NOT_NULL", "u k UNI ", "u v  REPLACE"]
    );
    client.run("INSERT INTO u VALUES (1, 1), (2, 2); INSERT INTO u VALUES (1, 3)").await;
    client.run("CREATE TABLE c UNIQUE KEY (k) AS SELECT k, v AS w FROM u").await;
    assert_eq!(client.lines("SELECT * FROM c ORDER BY k").await, ["1 3", "2 2"]);
    client
        .refused("CREATE TABLE c2 AGGREGATE KEY (k) AS SELECT k, v FROM u", 1105, "needs an aggregate function")
        .await;
    client
        .refused(
            "CREATE TABLE x (k INT, b BITMAP BITMAP_UNION) AGGREGATE KEY (k)",
            1235,
            "column b has the type BITMAP",
        )
        .await;
    client.refused("CREATE TABLE x (k INT, h HLL HLL_UNION)", 1235, "SUM, MIN, MAX, REPLACE").await;
    client.refused("CREATE TABLE x (k INT, v VARCHAR(3) SUM)", 1105, "'v' of type VARCHAR(3)").await;
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_are_deleted_by_their_keys() {
    let world = quiet().await;
    let mut client = world.in_database().await;
    client
        .run("CREATE TABLE g (k INT, l INT, v BIGINT SUM) AGGREGATE KEY (k, l) DISTRIBUTED BY HASH (k) BUCKETS 2")
        .await;
    client.run("CREATE TABLE s (id INT, v INT); INSERT INTO s VALUES (2, 1), (9, 1)").await;
    for _ in 0..3 {
        client.run("INSERT INTO g VALUES (1, 1, 1), (1, 2, 1), (2, 1, 1), (3, 1, 1), (4, 1, 1)").await;
    }
    assert_eq!(client.run("DELETE FROM g WHERE k = 1 AND l = 2").await, 1, "one row, though it lies in three segments");
    assert_eq!(client.lines("SELECT * FROM g ORDER BY k, l").await, ["1 1 3", "2 1 3", "3 1 3", "4 1 3"]);
    client.run("INSERT INTO g VALUES (1, 2, 5)").await;
    assert_eq!(client.lines("SELECT v FROM g WHERE k = 1 AND l = 2").await, ["5"], "what was there is gone");
    assert_eq!(client.run("DELETE FROM g USING s WHERE g.k = s.id AND s.v = 1").await, 1);
    assert_eq!(client.run("DELETE FROM g WHERE k IN (SELECT id + 1 FROM s WHERE v = 1)").await, 1);
    // The values of rows as a query shows them can choose the keys.
    client.run("INSERT INTO g VALUES (7, 1, 1), (7, 2, 9); INSERT INTO g VALUES (7, 1, 1)").await;
    assert_eq!(client.run("DELETE FROM g WHERE k = 7 AND l IN (SELECT l FROM g WHERE k = 7 AND v = 2)").await, 1);
    assert_eq!(client.run("DELETE FROM g WHERE k IN (SELECT k FROM g WHERE v = 9)").await, 1);
    let left: &[&str] = &["1 1 3", "1 2 5", "4 1 3"];
    both_ways(&world, &mut client, &[("SELECT * FROM g ORDER BY k, l", left), ("SELECT count(*) FROM g", &["3"])])
        .await;
    let words = "rows of 'g', which is an AGGREGATE KEY table, can be deleted by conditions on its key columns only (k, l); \
                 'v' is a value column";
    client.refused("DELETE FROM g WHERE v = 3", 1235, words).await;
    client.refused("DELETE FROM g WHERE k = 1 OR v + l > 3", 1235, words).await;
    client.refused("DELETE FROM g USING s WHERE g.k = s.id AND g.v = s.v", 1235, words).await;
    client.refused("DELETE FROM g WHERE nope = 3", 1054, "nope").await;
    assert_eq!(client.run("DELETE FROM g WHERE k > 0").await, 3);
    assert_eq!(client.one("SELECT count(*) FROM g").await, "0");
    client.run("INSERT INTO g VALUES (4, 1, 1)").await;
    assert_eq!(client.lines("SELECT * FROM g").await, ["4 1 1"]);
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sum_that_does_not_fit_is_told_and_can_be_set_right() {
    let world = quiet().await;
    let mut client = world.in_database().await;
    client.run("CREATE TABLE g (k INT, v TINYINT SUM, w INT MAX) DISTRIBUTED BY HASH (k) BUCKETS 1").await;
    client.run("INSERT INTO g VALUES (1, 100, 1), (2, 1, 2); INSERT INTO g VALUES (1, 100, 3)").await;
    client
        .refused("SELECT v FROM g", 1105, "the sum of column 'v' for key (1) is 200, which TINYINT does not hold")
        .await;
    client.refused("INSERT INTO g VALUES (3, 100, 1), (3, 100, 1)", 1105, "for key (3) is 200").await;
    assert_eq!(client.lines("SELECT k, w FROM g ORDER BY k").await, ["1 3", "2 2"], "other columns can be read");
    let tablet = world.engine.store().tablets()[0];
    assert!(world.engine.store().compact(tablet).await.unwrap_err().to_string().contains("'v' for key (1) is 200"));
    client.run("INSERT INTO g VALUES (1, -100, 0)").await;
    both_ways(&world, &mut client, &[("SELECT * FROM g ORDER BY k", &["1 100 3", "2 1 2"])]).await;
    world.end().await;
}

/// Many loads, read while they are compacted, against sums that are known.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_read_does_not_depend_on_compactions() {
    let world = World::with(|mut options| {
        options.tidy_every = Duration::from_millis(5);
        options
    })
    .await;
    let mut client = world.in_database().await;
    client.run("CREATE TABLE g (k INT, n BIGINT SUM, last INT REPLACE) AGGREGATE KEY (k) DISTRIBUTED BY HASH (k) BUCKETS 2").await;
    client.run("CREATE TABLE u (k INT, last INT) UNIQUE KEY (k) DISTRIBUTED BY HASH (k) BUCKETS 2").await;
    for load in 1..=30 {
        let keys: Vec<i32> = (0..50).filter(|k| load % (k % 5 + 1) == 0).collect();
        let values: Vec<String> = keys.iter().map(|k| format!("({k}, 1, {load})")).collect();
        client.run(&format!("INSERT INTO g VALUES {}", values.join(","))).await;
        let values: Vec<String> = keys.iter().map(|k| format!("({k}, {load})")).collect();
        client.run(&format!("INSERT INTO u VALUES {}", values.join(","))).await;
        for (n, k) in [(load, 0), (load / 3, 2), (load / 5, 4)] {
            let last = n * (k + 1);
            let found = client.lines(&format!("SELECT n, last FROM g WHERE k = {}", k + 5)).await;
            assert_eq!(found, if n == 0 { vec![] } else { vec![format!("{n} {last}")] });
            let found = client.lines(&format!("SELECT count(*) FROM u WHERE last = {last} AND k % 5 = {k}")).await;
            assert_eq!(found, [if n == 0 { "0" } else { "10" }]);
        }
    }
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn they_are_backed_up_and_restored() {
    let world = quiet().await;
    let mut client = world.in_database().await;
    let place = world.path("repo");
    client.run(&format!("CREATE REPOSITORY r WITH BROKER ON LOCATION 'file://{}'", place.display())).await;
    client
        .run("CREATE TABLE g (k INT, n BIGINT SUM, m INT MIN) AGGREGATE KEY (k) DISTRIBUTED BY HASH (k) BUCKETS 2")
        .await;
    client.run("CREATE TABLE u (k INT, v VARCHAR(9)) UNIQUE KEY (k) DISTRIBUTED BY HASH (k) BUCKETS 1").await;
    for load in 1..4 {
        client.run(&format!("INSERT INTO g VALUES (1, {load}, {load}), ({load}, 10, 0)")).await;
        client.run(&format!("INSERT INTO u VALUES (1, 'v{load}'), ({load}, 'w{load}')")).await;
    }
    client.run("DELETE FROM g WHERE k = 2").await;
    let tables = ["SELECT * FROM d.g ORDER BY k", "SELECT * FROM d.u ORDER BY k"];
    let mut kept = Vec::new();
    for table in tables {
        kept.push(client.lines(table).await);
    }
    assert_eq!(kept, [vec!["1 16 0", "3 10 0"], vec!["1 v3", "2 w2", "3 w3"]]);
    client.run("BACKUP DATABASE d SNAPSHOT s TO r").await;
    finished(&world, "d", "backup").await;
    let at = timestamp(&mut client, "s").await;

    client.run("INSERT INTO g VALUES (1, 1000, -5); INSERT INTO u VALUES (1, 'late')").await;
    client.run(&format!("RESTORE SNAPSHOT d.s FROM r PROPERTIES ('backup_timestamp' = '{at}')")).await;
    finished(&world, "d", "restore").await;
    for (table, kept) in tables.iter().zip(&kept) {
        assert_eq!(client.lines(table).await, *kept);
    }
    let renamed = format!(
        "RESTORE SNAPSHOT d.s FROM r ON (TABLE g AS g2, TABLE u AS u2) PROPERTIES ('backup_timestamp' = '{at}')"
    );
    client.run(&renamed).await;
    finished(&world, "d", "restore").await;
    // What is loaded goes on from there.
    client.run("INSERT INTO g2 VALUES (3, 1, -1); INSERT INTO u2 VALUES (3, 'x')").await;
    both_ways(
        &world,
        &mut client,
        &[
            ("SELECT * FROM g2 ORDER BY k", &["1 16 0", "3 11 -1"]),
            ("SELECT * FROM u2 ORDER BY k", &["1 v3", "2 w2", "3 x"]),
            ("SELECT count(*) FROM g2", &["2"]),
        ],
    )
    .await;
    assert!(client.rows("SHOW CREATE TABLE g2").await[0][1].clone().unwrap().contains("`m` int MIN NULL"));

    client.run("DROP TABLE g; CREATE TABLE g (k INT, n BIGINT SUM, m INT MAX) AGGREGATE KEY (k) DISTRIBUTED BY HASH (k) BUCKETS 2").await;
    client.run("DROP TABLE u; CREATE TABLE u (k INT NOT NULL, v VARCHAR(9)) PRIMARY KEY (k) DISTRIBUTED BY HASH (k) BUCKETS 1").await;
    let again = format!("RESTORE SNAPSHOT d.s FROM r PROPERTIES ('backup_timestamp' = '{at}')");
    let message = match client.execute(&again).await {
        Err(failed) => failed.message,
        Ok(_) => ended(&world, "d", "restore").await.status.to_string(),
    };
    assert!(message.contains("column 3 is m INT MAX NULL here, m INT MIN NULL in the snapshot"), "{message}");
    assert!(message.contains("PRIMARY KEY here, UNIQUE KEY in the snapshot"), "{message}");
    world.end().await;
}
