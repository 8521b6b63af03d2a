use super::World;

#[tokio::test(flavor = "multi_thread")]
async fn databases_come_and_go() {
    let world = World::new().await;
    let mut client = world.client();
    client.run("CREATE DATABASE a").await;
    client.refused("CREATE DATABASE a", 1007, "Can't create database 'a'; database exists").await;
    client.run("CREATE DATABASE IF NOT EXISTS a").await;
    client.refused("CREATE DATABASE `1x`", 1064, "1x").await;
    client.refused("USE b", 1049, "Unknown database 'b'").await;
    client.refused("CREATE TABLE t (k INT)", 1046, "No database selected").await;
    client.run("USE a; CREATE TABLE t (k INT); INSERT INTO t VALUES (1)").await;
    assert_eq!(client.lines("SHOW DATABASES").await, ["a", "information_schema"]);
    client.run("ALTER DATABASE a RENAME b").await;
    assert_eq!(client.session.database(), Some("b"));
    assert_eq!(client.one("SELECT k FROM t").await, "1");
    client.refused("DROP DATABASE a", 1008, "Can't drop database 'a'").await;
    client.run("DROP DATABASE IF EXISTS a; DROP DATABASE b").await;
    assert_eq!(client.session.database(), None);
    assert_eq!(client.lines("SHOW DATABASES LIKE '%'").await, ["information_schema"]);
    client.refused("DROP DATABASE information_schema", 1105, "cannot be dropped").await;
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn tables_come_and_go() {
    let world = World::new().await;
    let mut client = world.in_database().await;
    client.run("CREATE TABLE t (k INT, v STRING) PROPERTIES ('replication_num' = '1')").await;
    client.refused("CREATE TABLE t (k INT)", 1050, "Table 't' already exists").await;
    client.run("CREATE TABLE IF NOT EXISTS t (k INT)").await;
    client.run("INSERT INTO t VALUES (1, 'a')").await;
    client.run("ALTER TABLE t RENAME u").await;
    client.refused("SELECT * FROM t", 1146, "Table 'd.t' doesn't exist").await;
    assert_eq!(client.lines("SELECT * FROM u").await, ["1 a"]);
    client.refused("ALTER TABLE u RENAME u", 1050, "already exists").await;
    client.run("CREATE TABLE w LIKE u").await;
    assert_eq!(client.lines("SHOW TABLES").await, ["u", "w"]);
    client.run("ALTER TABLE u SET ('replication_num' = '2'); ALTER TABLE u COMMENT = 'hello'").await;
    let create = client.rows("SHOW CREATE TABLE u").await[0][1].clone().unwrap();
    assert!(create.contains("hello") && create.contains("\"replication_num\" = \"2\""), "{create}");
    client.refused("ALTER TABLE u SET ('nope' = '1')", 1105, "[nope]").await;
    client.run("TRUNCATE TABLE u").await;
    assert_eq!(client.one("SELECT count(*) FROM u").await, "0");
    client.run("INSERT INTO u VALUES (2, 'b')").await;
    assert_eq!(client.one("SELECT count(*) FROM u").await, "1");
    client.run("DROP TABLE u; DROP TABLE IF EXISTS u; DROP TABLE w FORCE").await;
    client.refused("DROP TABLE u", 1051, "Unknown table 'd.u'").await;
    assert!(client.lines("SHOW TABLES").await.is_empty());
    // The name is free again.
    client.run("CREATE TABLE u (k INT) DISTRIBUTED BY HASH (k) BUCKETS 3").await;
    assert_eq!(client.one("SELECT count(*) FROM u").await, "0");
    let world = world.restart().await;
    assert_eq!(world.client().one("SELECT count(*) FROM d.u").await, "0");
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn show_create_table_makes_the_same_table() {
    let world = World::new().await;
    let mut client = world.in_database().await;
    for create in [
        "CREATE TABLE t (k BIGINT NOT NULL COMMENT 'the \"key\"', d DATE, v DECIMAL(10,2) DEFAULT '1.50', w VARCHAR(20) DEFAULT NULL) \
         DUPLICATE KEY (k, d) COMMENT 'it''s' PARTITION BY RANGE (d) (PARTITION a VALUES LESS THAN ('2024-01-01'), \
         PARTITION b VALUES [('2024-01-01'), ('2025-01-01')), PARTITION c VALUES LESS THAN MAXVALUE) \
         DISTRIBUTED BY HASH (k) BUCKETS 3 PROPERTIES ('replication_num' = '1')",
        "CREATE TABLE t (city VARCHAR(10) NOT NULL, id INT NOT NULL, at DATETIME DEFAULT CURRENT_TIMESTAMP) PRIMARY KEY (city, id) \
         PARTITION BY LIST (city) (PARTITION a VALUES IN ('x', 'y'), PARTITION b VALUES IN ('z')) DISTRIBUTED BY HASH (id) BUCKETS 2",
        "CREATE TABLE t (a INT, b INT, x LARGEINT, y VARBINARY) DISTRIBUTED BY RANDOM BUCKETS 1",
    ] {
        client.run(create).await;
        let first = client.rows("SHOW CREATE TABLE t").await[0][1].clone().unwrap();
        client.run("DROP TABLE t").await;
        client.run(&first).await;
        let second = client.rows("SHOW CREATE TABLE t").await[0][1].clone().unwrap();
        assert_eq!(first, second);
        client.run("DROP TABLE t FORCE").await;
    }
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn partitions_are_added_dropped_and_truncated() {
    let world = World::new().await;
    let mut client = world.in_database().await;
    client
        .run(
            "CREATE TABLE r (d DATE, v INT) PARTITION BY RANGE (d) (PARTITION p1 VALUES LESS THAN ('2024-02-01'), \
             PARTITION p2 VALUES LESS THAN ('2024-03-01')) DISTRIBUTED BY HASH (d) BUCKETS 2",
        )
        .await;
    client.run("INSERT INTO r VALUES ('2024-01-05', 1), ('2024-02-05', 2), (NULL, 0)").await;
    client
        .refused("INSERT INTO r VALUES ('2024-03-05', 3)", 1105, "row 1: no partition for (d) = ('2024-03-05')")
        .await;
    assert_eq!(client.one("SELECT count(*) FROM r").await, "3");
    client
        .run("ALTER TABLE r ADD PARTITION p3 VALUES LESS THAN ('2024-04-01') DISTRIBUTED BY HASH (d) BUCKETS 1")
        .await;
    client.run("ALTER TABLE r ADD PARTITIONS START ('2024-04-01') END ('2024-07-01') EVERY (INTERVAL 1 MONTH)").await;
    client
        .refused("ALTER TABLE r ADD PARTITION p3 VALUES LESS THAN ('2030-01-01')", 1105, "'p3' is there already")
        .await;
    client.run("ALTER TABLE r ADD PARTITION IF NOT EXISTS p3 VALUES LESS THAN ('2030-01-01')").await;
    client
        .refused(
            "ALTER TABLE r ADD PARTITION q VALUES [('2024-01-15'), ('2024-02-15'))",
            1105,
            "overlaps with partition 'p1'",
        )
        .await;
    client.run("INSERT INTO r VALUES ('2024-03-05', 3), ('2024-06-30', 6)").await;
    let names: Vec<_> =
        client.rows("SHOW PARTITIONS FROM r").await.into_iter().map(|row| row[1].clone().unwrap()).collect();
    assert_eq!(names, ["p1", "p2", "p3", "p202404", "p202405", "p202406"]);
    client.run("TRUNCATE TABLE r PARTITION (p2, p3)").await;
    assert_eq!(client.lines("SELECT v FROM r ORDER BY v").await, ["0", "1", "6"]);
    client.run("ALTER TABLE r DROP PARTITION p1; ALTER TABLE r DROP PARTITION p202406 FORCE").await;
    client.run("ALTER TABLE r DROP PARTITION IF EXISTS p1").await;
    client.refused("ALTER TABLE r DROP PARTITION p1", 1735, "Unknown partition 'p1' in table 'r'").await;
    client.refused("TRUNCATE TABLE r PARTITION (p9)", 1735, "p9").await;
    assert_eq!(client.one("SELECT count(*) FROM r").await, "0");
    client.run("ALTER TABLE r RENAME PARTITION p2 zwei").await;
    client.run("INSERT INTO r PARTITION (zwei) VALUES ('2024-02-05', 2)").await;
    client.refused("INSERT INTO r PARTITION (zwei) VALUES ('2024-03-05', 2)", 1105, "no partition").await;
    client.refused("INSERT INTO r PARTITION (eins) VALUES ('2024-03-05', 2)", 1735, "eins").await;
    assert_eq!(client.one("SELECT count(*) FROM r PARTITION (zwei)").await, "1");
    assert_eq!(client.one("SELECT count(*) FROM r PARTITION (p3) AS x WHERE x.v > 0").await, "0");

    client.run("CREATE TABLE l (c VARCHAR(5), v INT) PARTITION BY LIST (c) (PARTITION a VALUES IN ('x', 'y'))").await;
    client.run("ALTER TABLE l ADD PARTITION b VALUES IN ('z')").await;
    client.refused("ALTER TABLE l ADD PARTITION c VALUES IN ('y')", 1105, "overlaps").await;
    client.refused("ALTER TABLE l ADD PARTITION c VALUES LESS THAN ('y')", 1105, "VALUES IN").await;
    client.run("INSERT INTO l VALUES ('x', 1), ('z', 2)").await;
    client.refused("INSERT INTO l VALUES ('q', 1)", 1105, "no partition").await;
    assert_eq!(client.lines("SELECT v FROM l WHERE c IN ('z', 'q')").await, ["2"]);
    client.refused("ALTER TABLE l DROP PARTITION nope", 1735, "nope").await;
    client.run("CREATE TABLE plain (k INT)").await;
    client.refused("ALTER TABLE plain DROP PARTITION p", 1105, "'plain' is not partitioned").await;
    client.refused("ALTER TABLE plain ADD PARTITION p VALUES LESS THAN ('1')", 1105, "not partitioned").await;
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn tables_are_made_from_queries() {
    let world = World::new().await;
    let mut client = world.in_database().await;
    client
        .run(
            "CREATE TABLE s (k INT, v DECIMAL(6,2), t VARCHAR(5)); INSERT INTO s VALUES (1, 1.5, 'a'), (2, 2.25, NULL)",
        )
        .await;
    let rows = client
        .run("CREATE TABLE c (id, total, what) DISTRIBUTED BY HASH (id) BUCKETS 1 AS SELECT k, v * 2, t FROM s")
        .await;
    assert_eq!(rows, 2);
    assert_eq!(client.lines("SELECT * FROM c ORDER BY id").await, ["1 3.00 a", "2 4.50 NULL"]);
    client.refused("CREATE TABLE c AS SELECT 1", 1050, "already exists").await;
    client.run("CREATE TABLE IF NOT EXISTS c AS SELECT 1").await;
    client.refused("CREATE TABLE e (a, b) AS SELECT 1", 1105, "2 names").await;
    // A query that fails in the middle leaves no table behind.
    client.fails("CREATE TABLE f AS SELECT k, CAST(t AS INT) AS i FROM s").await;
    client.refused("SELECT * FROM f", 1146, "d.f").await;
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn names_are_claimed_once_whoever_races() {
    let world = World::new().await;
    world.in_database().await;
    let mut tasks = Vec::new();
    for _ in 0..8 {
        let mut client = world.client();
        tasks.push(tokio::spawn(async move { client.execute("CREATE TABLE d.t (k INT)").await.is_ok() }));
    }
    let mut made = 0;
    for task in tasks {
        made += u32::from(task.await.unwrap());
    }
    assert_eq!(made, 1);
    world.end().await;
}
