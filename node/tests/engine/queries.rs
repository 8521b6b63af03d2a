use super::World;

#[tokio::test(flavor = "multi_thread")]
async fn names_of_columns_ignore_capitals_and_are_shown_as_written() {
    let world = World::new().await;
    let mut client = world.in_database().await;
    client.run("CREATE TABLE T (Id INT, FirstName VARCHAR(9), `select` INT); INSERT INTO T VALUES (1, 'x', 2)").await;
    assert_eq!(client.names("SELECT * FROM T").await, ["Id", "FirstName", "select"]);
    assert_eq!(
        client.names("SELECT id, FIRSTNAME AS Who, T.`Select`, count(*) FROM T GROUP BY 1, 2, 3").await,
        ["id", "Who", "Select", "count(*)"]
    );
    assert_eq!(client.names("SELECT *, id + 1 AS Next FROM T").await, ["Id", "FirstName", "select", "Next"]);
    assert_eq!(
        client.lines("SELECT ID, firstname FROM T WHERE Firstname = 'x' AND T.ID > 0 ORDER BY iD").await,
        ["1 x"]
    );
    assert_eq!(client.lines("SELECT Who FROM (SELECT firstName AS WHO FROM T) q").await, ["x"]);
    assert_eq!(
        client.lines("WITH q (A, B) AS (SELECT id, `select` FROM T) SELECT a + b FROM q JOIN T ON q.A = T.id").await,
        ["3"]
    );
    assert_eq!(client.lines("SELECT T.id FROM T JOIN T AS u USING (ID)").await, ["1"]);
    client.refused("SELECT * FROM t", 1146, "Table 'd.t' doesn't exist").await;
    client.refused("SELECT nope FROM T", 1054, "Unknown column 'nope'").await;
    client.refused("SELECT * FROM nowhere.t", 1049, "Unknown database 'nowhere'").await;
    assert_eq!(client.lines("SELECT 1, 1, 'a', 'a'").await, ["1 1 a a"]);
    assert_eq!(client.names("SELECT 1, 1, 'a', \"b\", 1 + 1").await, ["1", "1", "a", "b", "1 + 1"]);
    assert_eq!(client.lines("SELECT id, id FROM T").await, ["1 1"]);
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_clients_ask_is_answered() {
    let world = World::new().await;
    let mut client = world.in_database().await;
    client.session.set_connection_id(42);
    assert!(client.one("SELECT @@version_comment LIMIT 1").await.contains("Tabularium"));
    assert_eq!(client.lines("SELECT DATABASE(), SCHEMA(), CONNECTION_ID()").await, ["d d 42"]);
    assert!(client.one("SELECT VERSION()").await.starts_with("8.0.33-"));
    assert_eq!(client.one("SELECT USER()").await, "'root'@'localhost'");
    assert_eq!(client.one("SELECT CURRENT_USER").await, "'root'@'%'");
    assert_eq!(
        client.lines("SELECT @@transaction_isolation, @@tx_isolation, @@session.autocommit").await,
        ["READ-COMMITTED READ-COMMITTED 1"]
    );
    client.refused("SELECT @@nope", 1193, "Unknown system variable 'nope'").await;
    client.run("SET NAMES utf8mb4; SET autocommit = OFF; SET @@session.sql_mode = 'ANSI', @x = 3, @y = @x; SET SESSION TRANSACTION ISOLATION LEVEL SERIALIZABLE").await;
    assert_eq!(
        client.lines("SELECT @@autocommit, @@sql_mode, @x + 1, @nothing, @@tx_isolation").await,
        ["0 ANSI 4 NULL SERIALIZABLE"]
    );
    client.run("SET sql_mode = concat(@@sql_mode, ',X')").await;
    assert_eq!(client.lines("SHOW VARIABLES LIKE 'sql\\_mode'").await, ["sql_mode ANSI,X"]);
    assert_eq!(
        client.lines("SHOW SESSION VARIABLES WHERE Variable_name IN ('autocommit', 'port')").await,
        ["autocommit 0", "port 9030"]
    );
    client.refused("SET nope = 1", 1193, "nope").await;
    client.refused("SET version = 'x'", 1238, "read only").await;
    client.session.reset();
    assert_eq!(client.one("SELECT @@sql_mode").await, "ONLY_FULL_GROUP_BY,STRICT_TRANS_TABLES");
    client.run("SET GLOBAL query_timeout = 7").await;
    assert_eq!(world.client().one("SELECT @@query_timeout").await, "7");
    client.run("BEGIN; COMMIT; ROLLBACK").await;
    client.refused("KILL 99", 1094, "Unknown thread id: 99").await;
    assert_eq!(client.lines("SELECT 1 FROM dual").await, ["1"]);
    assert_eq!(client.one("SELECT count(*) FROM information_schema.tables WHERE TABLE_SCHEMA = 'd'").await, "0");
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn expressions_are_mysqls_as_far_as_it_goes() {
    let world = World::new().await;
    let mut client = world.client();
    for (expression, want) in [
        ("5 / 2", "2.5"),
        ("5 DIV 2", "2"),
        ("1 / 0", "NULL"),
        ("5 % 0", "NULL"),
        ("7 % 4", "3"),
        ("ifnull(NULL, 3)", "3"),
        ("if(1 > 2, 'a', 'b')", "b"),
        ("concat('a', \"b\")", "ab"),
        ("length('äb')", "3"),
        ("char_length('äb')", "2"),
        ("'abc' REGEXP '^a.c$'", "true"),
        ("'abc' NOT RLIKE 'x'", "true"),
        ("NULL <=> NULL", "true"),
        ("year('2024-05-06')", "2024"),
        ("date_add('2024-01-31', INTERVAL 1 DAY)", "2024-02-01T00:00:00"),
        ("datediff('2024-03-01', '2024-02-01')", "29"),
        ("upper('x')", "X"),
        ("substring('hello', 2, 3)", "ell"),
        ("coalesce(NULL, NULL, 'z')", "z"),
        ("CASE WHEN 1 = 1 THEN 'y' ELSE 'n' END", "y"),
        ("'a' LIKE 'A'", "false"),
        ("now() > '2020-01-01'", "true"),
        ("curdate() = date(now())", "true"),
    ] {
        assert_eq!(client.one(&format!("SELECT {expression}")).await, want, "{expression}");
    }
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn joins_groups_windows_and_subqueries() {
    let world = World::new().await;
    let mut client = world.in_database().await;
    client.run("CREATE TABLE o (id INT, c INT, total DECIMAL(10,2)); CREATE TABLE c (cid INT, name VARCHAR(9))").await;
    client.run("INSERT INTO c VALUES (1, 'ann'), (2, 'bob'), (3, 'eve')").await;
    client.run("INSERT INTO o VALUES (1, 1, 10), (2, 1, 5.5), (3, 2, 7), (4, 9, 1)").await;
    assert_eq!(
        client
            .lines("SELECT name, sum(total) s FROM o JOIN c ON o.c = c.cid GROUP BY name HAVING s > 5 ORDER BY s DESC")
            .await,
        ["ann 15.50", "bob 7.00"]
    );
    assert_eq!(client.lines("SELECT name FROM c WHERE NOT EXISTS (SELECT 1 FROM o WHERE o.c = cid)").await, ["eve"]);
    assert_eq!(
        client.lines("SELECT id, row_number() OVER (PARTITION BY c ORDER BY total) FROM o ORDER BY id").await,
        ["1 2", "2 1", "3 1", "4 1"]
    );
    assert_eq!(client.lines("SELECT id FROM o ORDER BY id LIMIT 1, 2").await, ["2", "3"]);
    assert_eq!(
        client.lines("SELECT cid, o.id FROM c LEFT JOIN o ON o.c = c.cid ORDER BY 1, 2").await,
        ["1 1", "1 2", "2 3", "3 NULL"]
    );
    assert_eq!(client.lines("SELECT 1 UNION SELECT 2 ORDER BY 1 DESC").await, ["2", "1"]);
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn scans_leave_out_what_cannot_match() {
    let world = World::new().await;
    let mut client = world.in_database().await;
    client
        .run(
            "CREATE TABLE t (D DATE, k INT, v VARCHAR(9)) PARTITION BY RANGE (d) (START ('2024-01-01') END ('2025-01-01') EVERY (INTERVAL 1 MONTH)) \
             DISTRIBUTED BY HASH (k) BUCKETS 4",
        )
        .await;
    let values: Vec<String> =
        (0..1200).map(|k| format!("('2024-{:02}-{:02}', {k}, 'v{k}')", k % 12 + 1, k % 28 + 1)).collect();
    client.run(&format!("INSERT INTO t VALUES {}", values.join(","))).await;
    let files = async |client: &mut super::Client, filter: &str| -> usize {
        let plan = client.lines(&format!("EXPLAIN SELECT v FROM t WHERE {filter}")).await.join("\n");
        plan.matches(".parquet").count()
    };
    assert!(files(&mut client, "v <> ''").await >= 5, "a full scan shows at most five files of each group");
    assert_eq!(files(&mut client, "d = '2024-03-05' AND k = 2").await, 1);
    assert_eq!(files(&mut client, "d = '2031-01-01'").await, 0);
    for (filter, want) in [
        ("d BETWEEN '2024-03-01' AND '2024-03-31'", "100"),
        ("d >= '2024-12-01'", "100"),
        ("d < '2024-02-01' OR d > '2024-11-30'", "200"),
        ("k = 7", "1"),
        ("k IN (7, 8, 5000)", "2"),
        ("k = 7 AND d = '2024-08-08'", "1"),
        ("k = 7 AND d = '2024-08-09'", "0"),
        ("d IS NULL", "0"),
        ("year(d) = 2024", "1200"),
        ("k > 1195 AND v LIKE 'v%'", "4"),
    ] {
        assert_eq!(client.one(&format!("SELECT count(*) FROM t WHERE {filter}")).await, want, "{filter}");
    }
    assert_eq!(client.one("SELECT count(*) FROM t").await, "1200");
    let costs = client.lines("EXPLAIN COSTS SELECT * FROM t").await.join("\n");
    assert!(costs.contains("Rows=Exact(1200)"), "{costs}");
    assert!(client.lines("EXPLAIN ANALYZE SELECT * FROM t WHERE k = 3").await.join("\n").contains("output_rows"));
    for explained in [
        "EXPLAIN LOGICAL SELECT 1",
        "EXPLAIN VERBOSE SELECT * FROM t",
        "EXPLAIN INSERT INTO t SELECT * FROM t",
        "EXPLAIN DELETE FROM t WHERE k = 1",
        "EXPLAIN INSERT INTO t VALUES (NULL, 1, 'x')",
    ] {
        assert!(!client.lines(explained).await.is_empty(), "{explained}");
    }
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_query_reads_one_version_of_everything() {
    let world = World::with(|mut options| {
        options.tidy_every = std::time::Duration::from_millis(10);
        options.store.keep_for = std::time::Duration::ZERO;
        options.store.keep_versions = 1;
        options
    })
    .await;
    let mut client = world.in_database().await;
    client.run("CREATE TABLE a (k INT) DISTRIBUTED BY HASH (k) BUCKETS 1; CREATE TABLE b (k INT) PRIMARY KEY (k) DISTRIBUTED BY HASH (k) BUCKETS 1").await;
    client.run("INSERT INTO a VALUES (0); INSERT INTO b VALUES (0)").await;
    let mut writer = world.client();
    let writing = tokio::spawn(async move {
        for k in 1..40 {
            // First a, then b: at no revision has b more rows than a.
            writer.run(&format!("INSERT INTO d.a VALUES ({k}); INSERT INTO d.b VALUES ({k})")).await;
        }
    });
    while !writing.is_finished() {
        let rows = client.rows("SELECT (SELECT count(*) FROM a), (SELECT count(*) FROM b)").await;
        let number = |at: usize| rows[0][at].as_deref().unwrap().parse::<i64>().unwrap();
        let (a, b) = (number(0), number(1));
        assert!(a == b || a == b + 1, "{a} {b}");
    }
    writing.await.unwrap();
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_boolean_is_a_number_and_a_number_is_a_truth() {
    let world = World::new().await;
    let mut client = world.in_database().await;
    client.run("CREATE TABLE t (id INT, flag BOOLEAN); INSERT INTO t VALUES (1, true), (2, false), (3, NULL)").await;
    assert_eq!(client.lines("SELECT id FROM t WHERE flag = 1").await, ["1"]);
    assert_eq!(client.lines("SELECT id FROM t WHERE 0 = flag").await, ["2"]);
    assert_eq!(client.lines("SELECT id FROM t WHERE flag <> 1.0 OR flag IS NULL ORDER BY id").await, ["2", "3"]);
    assert_eq!(client.lines("SELECT flag + 1, flag * id, flag / 2 FROM t WHERE id = 1").await, ["2 1 0.5"]);
    assert_eq!(
        client.lines("SELECT a.id FROM t a JOIN t b ON true = 1 WHERE b.id = 2 ORDER BY 1").await,
        ["1", "2", "3"]
    );
    assert_eq!(client.lines("SELECT id FROM t WHERE id AND flag").await, ["1"]);
    assert_eq!(client.lines("SELECT count(*) FROM t WHERE 1").await, ["3"]);
    assert_eq!(client.lines("SELECT count(*) FROM t WHERE 0 OR id = 2").await, ["1"]);
    assert_eq!(client.lines("SELECT count(*) FROM t a JOIN t b ON 1").await, ["9"]);
    assert_eq!(client.lines("SELECT id FROM t WHERE NOT 0 AND flag IN (1, 0) ORDER BY id DESC").await, ["2", "1"]);
    assert_eq!(client.lines("SELECT id FROM t WHERE flag NOT IN (1)").await, ["2"]);
    assert_eq!(client.lines("SELECT CASE WHEN 1 THEN 'yes' ELSE 'no' END, IF(0, 1, 2)").await, ["yes 2"]);
    assert_eq!(client.lines("SELECT count(flag), max(id) FROM t HAVING 1").await, ["2 3"]);
    world.end().await;
}
