use super::World;
use env::rt::CancellationToken;

#[tokio::test(flavor = "multi_thread")]
async fn primary_keys_are_upserted_updated_and_deleted() {
    let world = World::new().await;
    let mut client = world.in_database().await;
    client
        .run(
            "CREATE TABLE p (K INT, Name VARCHAR(20), Amount DECIMAL(8,2) DEFAULT '0', at DATETIME) PRIMARY KEY (K) \
             DISTRIBUTED BY HASH (K) BUCKETS 3",
        )
        .await;
    assert_eq!(
        client.run("INSERT INTO p (k, name, amount) VALUES (1, 'a', 1), (2, 'b', 2), (3, 'c', 3), (1, 'aa', 10)").await,
        4
    );
    assert_eq!(client.lines("SELECT k, name, amount FROM p ORDER BY k").await, ["1 aa 10.00", "2 b 2.00", "3 c 3.00"]);
    client.run("INSERT INTO p (k, name) VALUES (2, 'bb')").await;
    assert_eq!(client.run("UPDATE p SET amount = amount + k, NAME = concat(name, '!') WHERE k <> 3").await, 2);
    assert_eq!(
        client.lines("SELECT k, name, amount FROM p ORDER BY k").await,
        ["1 aa! 11.00", "2 bb! 2.00", "3 c 3.00"]
    );
    client.run("UPDATE p x SET name = DEFAULT, amount = DEFAULT WHERE x.k = 2").await;
    assert_eq!(client.lines("SELECT k, name, amount FROM p WHERE k = 2").await, ["2 NULL 0.00"]);
    assert_eq!(client.run("UPDATE p SET name = 'z' WHERE k = 99").await, 0);
    client.refused("UPDATE p SET k = 5 WHERE k = 1", 1235, "column 'K' belongs to the key of 'p'").await;
    client.refused("UPDATE p SET nope = 5 WHERE k = 1", 1054, "Unknown column 'nope' in table 'p'").await;
    client.refused("UPDATE p SET amount = 'x' WHERE k = 1", 1105, "Amount").await;
    client.refused("UPDATE p SET amount = 1 WHERE nope = 1", 1054, "nope").await;
    client.run("CREATE TABLE s (id INT, v VARCHAR(5)); INSERT INTO s VALUES (1, 'one'), (3, 'three')").await;
    assert_eq!(client.run("UPDATE p SET name = s.v FROM s WHERE p.k = s.id").await, 2);
    assert_eq!(client.lines("SELECT name FROM p ORDER BY k").await, ["one", "NULL", "three"]);
    assert_eq!(client.run("DELETE FROM p WHERE k IN (SELECT id FROM s WHERE v = 'one')").await, 1);
    assert_eq!(client.lines("SELECT k FROM p ORDER BY k").await, ["2", "3"]);
    client.run("INSERT INTO p (k, name) VALUES (1, 'back')").await;
    assert_eq!(client.run("DELETE FROM p WHERE k > 0").await, 3);
    assert_eq!(client.one("SELECT count(*) FROM p").await, "0");
    let world = world.restart().await;
    assert_eq!(world.client().one("SELECT count(*) FROM d.p").await, "0");
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn duplicate_tables_delete_by_any_condition() {
    let world = World::new().await;
    let mut client = world.in_database().await;
    client
        .run(
            "CREATE TABLE t (k INT, V VARCHAR(9)) PARTITION BY RANGE (k) (PARTITION a VALUES LESS THAN ('100'), PARTITION b VALUES LESS \
             THAN ('300')) DISTRIBUTED BY HASH (k) BUCKETS 2",
        )
        .await;
    for start in [0, 50, 100, 150] {
        let values: Vec<String> = (start..start + 100).map(|k| format!("({k}, 'v{}')", k % 7)).collect();
        client.run(&format!("INSERT INTO t VALUES {}", values.join(","))).await;
    }
    assert_eq!(client.run("DELETE FROM t WHERE v = 'v3'").await, 58);
    assert_eq!(client.one("SELECT count(*) FROM t").await, "342");
    assert_eq!(client.one("SELECT count(*) FROM t WHERE v = 'v3'").await, "0");
    // Rows that are gone already do not count again, and their neighbours stay.
    assert_eq!(client.run("DELETE FROM t PARTITION (b) WHERE v IN ('v3', 'v4')").await, 36);
    assert_eq!(client.one("SELECT count(*) FROM t WHERE v = 'v4' AND k >= 100").await, "0");
    assert_ne!(client.one("SELECT count(*) FROM t WHERE v = 'v4' AND k < 100").await, "0");
    assert_eq!(client.run("DELETE FROM t WHERE k NOT IN (SELECT k FROM t WHERE k < 240)").await, 6);
    client.refused("UPDATE t SET v = 'x' WHERE k = 1", 1235, "UPDATE needs a PRIMARY KEY table; 't'").await;
    client.refused("DELETE FROM t PARTITION (zz) WHERE k = 1", 1735, "zz").await;
    client.refused("DELETE FROM t WHERE zz = 1", 1054, "zz").await;
    let left = client.lines("SELECT k, v FROM t ORDER BY k, v").await;
    let world = world.restart().await;
    let mut client = world.client();
    assert_eq!(client.lines("SELECT k, v FROM d.t ORDER BY k, v").await, left);
    assert_eq!(client.run("DELETE FROM d.t WHERE k IS NOT NULL").await, left.len() as u64);
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn concurrent_updates_lose_nothing() {
    let world = World::new().await;
    let mut client = world.in_database().await;
    client.run("CREATE TABLE c (k INT, n INT) PRIMARY KEY (k) DISTRIBUTED BY HASH (k) BUCKETS 1; INSERT INTO c VALUES (1, 0), (2, 0)").await;
    let mut tasks = Vec::new();
    for _ in 0..6 {
        let mut client = world.client();
        tasks.push(tokio::spawn(async move {
            for _ in 0..5 {
                assert_eq!(client.run("UPDATE d.c SET n = n + 1 WHERE k = 1").await, 1);
            }
        }));
    }
    for task in tasks {
        task.await.unwrap();
    }
    assert_eq!(client.lines("SELECT * FROM c ORDER BY k").await, ["1 30", "2 0"]);
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn concurrent_deletes_and_inserts_agree() {
    let world = World::with(|mut options| {
        options.tidy_every = std::time::Duration::from_millis(20);
        options
    })
    .await;
    let mut client = world.in_database().await;
    client.run("CREATE TABLE t (k INT, v INT) DISTRIBUTED BY HASH (k) BUCKETS 1").await;
    let mut inserts = world.client();
    let inserting = tokio::spawn(async move {
        for k in 0..60 {
            inserts.run(&format!("INSERT INTO d.t VALUES ({k}, 0), ({k}, 1)")).await;
        }
    });
    // While rowsets are merged underneath, each row is deleted once and counted once.
    let mut deleted = 0;
    while !inserting.is_finished() {
        deleted += client.run("DELETE FROM t WHERE v = 1").await;
    }
    inserting.await.unwrap();
    deleted += client.run("DELETE FROM t WHERE v = 1").await;
    assert_eq!(deleted, 60);
    assert_eq!(client.lines("SELECT count(*), count(DISTINCT k), max(v) FROM t").await, ["60 60 0"]);
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stopped_statement_changes_nothing() {
    let world = World::new().await;
    let mut client = world.in_database().await;
    client.run("CREATE TABLE t (k BIGINT, v VARCHAR(10)); INSERT INTO t VALUES (1, 'a')").await;
    let stop = CancellationToken::new();
    stop.cancel();
    for text in ["INSERT INTO t VALUES (2, 'b')", "INSERT INTO t SELECT * FROM t", "DELETE FROM t WHERE k = 1"] {
        let statement = &node::sql::parse(text).unwrap()[0];
        let failed = client.session.execute(statement, stop.clone()).await.unwrap_err();
        assert_eq!(failed.code, 1317, "{text}: {failed}");
    }
    assert_eq!(client.lines("SELECT * FROM t").await, ["1 a"]);
    // A query stops between two batches.
    let endless = "SELECT count(*) FROM t a, t b, (SELECT unnest(range(1, 100000)) AS n) c, (SELECT unnest(range(1, 100000)) AS m) e \
                   WHERE c.n * e.m % 1000003 = 5";
    let statement = &node::sql::parse(endless).unwrap()[0];
    let stop = CancellationToken::new();
    let token = stop.clone();
    tokio::spawn(async move {
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        token.cancel();
    });
    let node::result::Outcome::Rows(rows) = client.session.execute(statement, stop).await.unwrap() else { panic!() };
    assert_eq!(rows.collect().await.unwrap_err().code, 1317);
    world.end().await;
}
