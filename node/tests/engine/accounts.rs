//! Users, roles and privileges: what each statement needs, and that it needs no more.

use super::{Client, World};
use std::collections::BTreeSet;

/// A database with two tables, a repository with a snapshot of it, and a user `u` who may do nothing.
async fn stocked(world: &World) -> Client {
    let mut root = world.client();
    root.run("CREATE DATABASE shop; CREATE DATABASE other; USE shop").await;
    for table in ["shop.orders", "shop.items", "other.t"] {
        root.run(&format!(
            "CREATE TABLE {table} (k INT NOT NULL, v INT) PRIMARY KEY (k) DISTRIBUTED BY HASH (k) BUCKETS 1"
        ))
        .await;
        root.run(&format!("INSERT INTO {table} VALUES (1, 10), (2, 20)")).await;
    }
    root.run(&format!("CREATE REPOSITORY r ON LOCATION 'file://{}'", world.path("r").display())).await;
    root.run("CREATE USER u").await;
    root
}

/// Backs `shop` up as `s`; its time stamp.
async fn snapshot(world: &World, root: &mut Client) -> String {
    root.run("BACKUP SNAPSHOT shop.s TO r").await;
    let job = world.engine.last_job("shop", "backup").await.unwrap().unwrap();
    let limit = env::rt::Duration::from_mins(1);
    assert_eq!(world.engine.jobs().wait_cleaned(job, limit).await.unwrap().state_name(), "FINISHED");
    root.rows("SHOW SNAPSHOT ON r").await[0][1].clone().unwrap()
}

/// `on` is granted to `u` in each way that the list says; without any single one of them the statement is refused, for want of
/// that one, and with all of them it is not refused for want of a privilege.
async fn needs(world: &World, root: &mut Client, statement: &str, grants: &[(&str, &str)]) {
    let mut user = world.client_of("u");
    user.session.set_database("information_schema").await.unwrap();
    for (privilege, on) in grants {
        root.run(&format!("GRANT {privilege} ON {on} TO u")).await;
    }
    for (privilege, on) in grants {
        root.run(&format!("REVOKE {privilege} ON {on} FROM u")).await;
        let failed = user.fails(statement).await;
        assert!([1044, 1142, 1227].contains(&failed.code), "{statement} without {privilege} on {on}: {failed}");
        assert!(failed.message.starts_with("Access denied; user 'u'@'%' needs "), "{statement}: {failed}");
        assert!(failed.message.contains(privilege), "{statement} without {privilege} on {on}: {failed}");
        root.run(&format!("GRANT {privilege} ON {on} TO u")).await;
    }
    if let Err(failed) = user.execute(statement).await {
        assert!(![1044, 1045, 1142, 1227].contains(&failed.code), "{statement} with all: {failed}");
    }
    for (privilege, on) in grants {
        // What was dropped or made by the statement changes nothing about what was granted.
        root.run(&format!("REVOKE {privilege} ON {on} FROM u")).await;
    }
}

const ORDERS: &str = "TABLE shop.orders";
const ITEMS: &str = "TABLE shop.items";

#[tokio::test]
async fn each_statement_needs_its_privileges() {
    let world = World::new().await;
    let mut root = stocked(&world).await;
    let select = [("SELECT", ORDERS)];
    let both = [("SELECT", ORDERS), ("SELECT", ITEMS)];
    let cases: Vec<(&str, Vec<(&str, &str)>)> = vec![
        ("SELECT * FROM shop.orders", select.to_vec()),
        ("EXPLAIN SELECT * FROM shop.orders", select.to_vec()),
        ("SELECT (SELECT MAX(k) FROM shop.orders)", select.to_vec()),
        ("SELECT 1 WHERE EXISTS (SELECT 1 FROM shop.orders)", select.to_vec()),
        ("WITH items AS (SELECT k FROM shop.orders) SELECT * FROM items", select.to_vec()),
        ("WITH a AS (SELECT k FROM shop.orders), b AS (SELECT * FROM a) SELECT * FROM b, shop.items", both.to_vec()),
        ("SELECT k FROM shop.orders UNION ALL SELECT k FROM shop.items", both.to_vec()),
        ("SELECT * FROM shop.orders o JOIN shop.items i ON o.k = i.k", both.to_vec()),
        ("SET @a = (SELECT MAX(k) FROM shop.orders)", select.to_vec()),
        ("SHOW DATABASES WHERE `Database` IN (SELECT CAST(k AS STRING) FROM shop.orders)", select.to_vec()),
        ("INSERT INTO shop.orders VALUES (3, 30)", vec![("INSERT", ORDERS)]),
        ("INSERT INTO shop.orders SELECT k + 10, v FROM shop.items", vec![("INSERT", ORDERS), ("SELECT", ITEMS)]),
        (
            "INSERT INTO shop.orders VALUES (4, (SELECT MAX(k) FROM shop.items))",
            vec![("INSERT", ORDERS), ("SELECT", ITEMS)],
        ),
        ("UPDATE shop.orders SET v = 1 WHERE k = 1", vec![("UPDATE", ORDERS)]),
        (
            "UPDATE shop.orders SET v = 1 WHERE k IN (SELECT k FROM shop.items)",
            vec![("UPDATE", ORDERS), ("SELECT", ITEMS)],
        ),
        ("DELETE FROM shop.orders WHERE k = 100", vec![("DELETE", ORDERS)]),
        (
            "DELETE FROM shop.orders USING shop.items WHERE orders.k = items.k AND orders.k > 90",
            vec![("DELETE", ORDERS), ("SELECT", ITEMS)],
        ),
        ("EXPLAIN INSERT INTO shop.orders SELECT k, v FROM shop.items", vec![("INSERT", ORDERS), ("SELECT", ITEMS)]),
        ("TRUNCATE TABLE shop.orders", vec![("DELETE", ORDERS)]),
        ("ALTER TABLE shop.orders COMMENT = 'x'", vec![("ALTER", ORDERS)]),
        ("CREATE DATABASE made", vec![("CREATE DATABASE", "CATALOG default_catalog")]),
        (
            "ALTER DATABASE made RENAME moved",
            vec![("ALTER", "DATABASE made"), ("DROP", "DATABASE made"), ("CREATE DATABASE", "CATALOG default_catalog")],
        ),
        ("DROP DATABASE moved", vec![("DROP", "DATABASE moved")]),
        (
            "CREATE TABLE shop.made (k INT) DUPLICATE KEY (k) DISTRIBUTED BY RANDOM BUCKETS 1",
            vec![("CREATE TABLE", "DATABASE shop")],
        ),
        (
            "CREATE TABLE shop.copy AS SELECT * FROM shop.items",
            vec![("CREATE TABLE", "DATABASE shop"), ("SELECT", ITEMS)],
        ),
        (
            "ALTER TABLE shop.made RENAME named",
            vec![
                ("ALTER", "TABLE shop.made"),
                ("DROP", "TABLE shop.made"),
                ("CREATE TABLE", "DATABASE shop"),
                ("INSERT", "TABLE shop.named"),
            ],
        ),
        ("DROP TABLE shop.named", vec![("DROP", "TABLE shop.named")]),
        ("SET GLOBAL autocommit = 1", vec![("OPERATE", "SYSTEM")]),
        ("SHOW BACKENDS", vec![("OPERATE", "SYSTEM")]),
        ("SHOW CATALOG RECYCLE BIN", vec![("OPERATE", "SYSTEM")]),
        ("RECOVER DATABASE gone", vec![("CREATE DATABASE", "CATALOG default_catalog"), ("DROP", "DATABASE gone")]),
        ("RECOVER TABLE shop.gone", vec![("CREATE TABLE", "DATABASE shop"), ("DROP", "TABLE shop.gone")]),
        (
            "RECOVER TABLE shop.gone AS back",
            vec![("CREATE TABLE", "DATABASE shop"), ("DROP", "TABLE shop.gone"), ("INSERT", "TABLE shop.back")],
        ),
        ("RECOVER PARTITION p FROM shop.orders", vec![("INSERT", ORDERS), ("ALTER", ORDERS)]),
        ("SHOW USERS", vec![("GRANT", "SYSTEM")]),
        ("SHOW GRANTS FOR root", vec![("GRANT", "SYSTEM")]),
        ("CREATE USER w", vec![("GRANT", "SYSTEM")]),
        ("ALTER USER w IDENTIFIED BY 'x'", vec![("GRANT", "SYSTEM")]),
        ("CREATE ROLE x", vec![("GRANT", "SYSTEM")]),
        ("GRANT x TO w", vec![("GRANT", "SYSTEM")]),
        ("REVOKE x FROM w", vec![("GRANT", "SYSTEM")]),
        ("GRANT SELECT ON TABLE shop.orders TO w", vec![("GRANT", "SYSTEM")]),
        ("REVOKE SELECT ON TABLE shop.orders FROM w", vec![("GRANT", "SYSTEM")]),
        ("DROP ROLE x", vec![("GRANT", "SYSTEM")]),
        ("DROP USER w", vec![("GRANT", "SYSTEM")]),
    ];
    for (statement, grants) in cases {
        needs(&world, &mut root, statement, &grants).await;
    }
    // A file of the node's disk.
    let file = world.path("f.csv");
    std::fs::write(&file, "1,2\n").unwrap();
    let read = format!("SELECT * FROM FILES ('path' = 'file://{}', 'format' = 'csv')", file.display());
    needs(&world, &mut root, &read, &[("FILE", "SYSTEM")]).await;
    world.end().await;
}

#[tokio::test]
async fn backups_and_restores_need_more_than_a_repository() {
    let world = World::new().await;
    let mut root = stocked(&world).await;
    let repository = ("REPOSITORY", "SYSTEM");
    let by = snapshot(&world, &mut root).await;
    let properties = format!("PROPERTIES ('backup_timestamp' = '{by}')");
    for statement in [
        "SHOW REPOSITORIES",
        "SHOW SNAPSHOT ON r",
        "SHOW RESTORE FROM shop",
        "SHOW VERIFY",
        "SELECT * FROM information_schema.snapshots",
        "SELECT * FROM information_schema.backup_jobs",
        "CREATE REPOSITORY q ON LOCATION 'memory:///q'",
        "DROP REPOSITORY nothing",
        "DROP SNAPSHOT nothing ON r",
        "HOLD SNAPSHOT s ON r",
        "RELEASE SNAPSHOT s ON r",
        "ALTER REPOSITORY r SET RETENTION (KEEP LAST 9)",
        "APPLY RETENTION ON r DRY RUN",
        "SWEEP REPOSITORY r DRY RUN",
        "CANCEL VERIFY FROM r",
        "CANCEL RESTORE FROM shop",
        "ALTER RESTORE FROM shop SET ('upload_limit' = '1')",
    ] {
        needs(&world, &mut root, statement, &[repository]).await;
    }
    let export = ["TABLE shop.orders", "TABLE shop.items"].map(|on| ("EXPORT", on));
    let exports = [&[repository][..], &export[..]].concat();
    for statement in ["CANCEL BACKUP FROM shop", "ALTER BACKUP FROM shop SET ('upload_limit' = '1')"] {
        needs(&world, &mut root, statement, &exports).await;
    }
    // The repository is named last, so that nothing is backed up in the end.
    needs(&world, &mut root, "BACKUP SNAPSHOT shop.s TO nowhere", &exports).await;
    needs(&world, &mut root, "BACKUP SNAPSHOT shop.x TO nowhere ON (orders)", &exports[..2]).await;
    needs(
        &world,
        &mut root,
        "BACKUP SNAPSHOT shop.x TO nowhere ON (absent)",
        &[repository, ("EXPORT", "TABLE shop.absent")],
    )
    .await;

    needs(&world, &mut root, "BACKUP SNAPSHOT shop.x TO nowhere EXCLUDE (items)", &exports[..2]).await;
    needs(&world, &mut root, "EXPLAIN BACKUP SNAPSHOT shop.x TO nowhere", &exports).await;
    needs(&world, &mut root, "EXPLAIN DROP SNAPSHOT s ON nowhere", &[repository]).await;
    let undo = [("CREATE TABLE", "DATABASE shop"), ("DROP", "DATABASE shop"), ("INSERT", ORDERS), ("DROP", ITEMS)];
    let rest = [repository, ("INSERT", ITEMS), ("DROP", ORDERS)];
    needs(&world, &mut root, "UNDO RESTORE FROM shop", &[&undo[..], &rest[..]].concat()).await;

    let create_database = ("CREATE DATABASE", "CATALOG default_catalog");
    let create_table = |on| ("CREATE TABLE", on);
    let insert = |on| ("INSERT", on);
    let whole = [repository, create_database, insert(ORDERS), insert(ITEMS)];
    needs(&world, &mut root, &format!("RESTORE SNAPSHOT shop.s FROM nowhere {properties}"), &whole).await;
    let clean = [&whole[..], &[("DROP", ORDERS), ("DROP", ITEMS)]].concat();
    let properties_clean = format!("PROPERTIES ('backup_timestamp' = '{by}', 'clean_tables' = 'true')");
    needs(&world, &mut root, &format!("RESTORE SNAPSHOT shop.s FROM nowhere {properties_clean}"), &clean).await;
    needs(
        &world,
        &mut root,
        &format!("RESTORE SNAPSHOT shop.s FROM nowhere EXCLUDE (items) {properties}"),
        &whole[..3],
    )
    .await;
    let elsewhere = [repository, create_database];
    needs(&world, &mut root, &format!("RESTORE SNAPSHOT fresh.s FROM nowhere {properties}"), &elsewhere).await;
    let unnamed = [repository, create_database, insert("ALL TABLES IN ALL DATABASES")];
    needs(&world, &mut root, &format!("RESTORE SNAPSHOT s FROM nowhere {properties}"), &unnamed).await;
    let listed = [repository, create_table("DATABASE shop"), insert(ORDERS)];
    needs(&world, &mut root, &format!("RESTORE SNAPSHOT shop.s FROM nowhere ON (orders) {properties}"), &listed).await;
    // What counts is the name that is written to.
    let alias = [repository, create_table("DATABASE shop"), insert(ITEMS)];
    needs(
        &world,
        &mut root,
        &format!("RESTORE SNAPSHOT shop.s FROM nowhere ON (orders AS items) {properties}"),
        &alias,
    )
    .await;
    let free = [repository, create_table("DATABASE shop")];
    needs(&world, &mut root, &format!("RESTORE SNAPSHOT shop.s FROM nowhere ON (orders AS free) {properties}"), &free)
        .await;
    let new = [repository, create_table("DATABASE fresh"), create_database];
    needs(&world, &mut root, &format!("RESTORE SNAPSHOT fresh.s FROM nowhere ON (orders) {properties}"), &new).await;

    // And with all of it, it is done.
    for (privilege, on) in [&exports[..], &whole[..]].concat() {
        root.run(&format!("GRANT {privilege} ON {on} TO u")).await;
    }
    let mut user = world.client_of("u");
    assert_eq!(user.rows("SHOW BACKUP FROM shop").await.len(), 1);
    user.run(&format!("RESTORE SNAPSHOT shop.s FROM r {properties}")).await;
    let job = world.engine.last_job("shop", "restore").await.unwrap().unwrap();
    let done = world.engine.jobs().wait_cleaned(job, env::rt::Duration::from_mins(1)).await.unwrap();
    assert_eq!(done.state_name(), "FINISHED");
    assert_eq!(done.user, "u");
    root.run("REVOKE EXPORT ON TABLE shop.items FROM u").await;
    assert_eq!(user.rows("SHOW BACKUP FROM shop").await.len(), 0, "one of its tables is not theirs");
    world.end().await;
}

#[tokio::test]
async fn only_what_one_may_see_is_shown() {
    let world = World::new().await;
    let mut root = stocked(&world).await;
    let mut user = world.client_of("u");
    assert_eq!(user.lines("SHOW DATABASES").await, ["information_schema"]);
    assert_eq!(user.lines("SELECT schema_name FROM information_schema.schemata").await, ["information_schema"]);
    for (statement, code) in [
        ("USE shop", 1044),
        ("SHOW TABLES FROM shop", 1044),
        ("SHOW TABLES FROM absent", 1044),
        ("SHOW CREATE DATABASE shop", 1044),
        ("DESC shop.orders", 1142),
        ("SHOW CREATE TABLE shop.orders", 1142),
        ("SHOW COLUMNS FROM shop.absent", 1142),
        ("SELECT * FROM shop.absent", 1142),
        ("SHOW INDEX FROM shop.orders", 1142),
        ("SHOW PARTITIONS FROM shop.orders", 1142),
    ] {
        user.refused(statement, code, "Access denied; user 'u'@'%' needs ").await;
    }
    root.run("GRANT INSERT ON TABLE shop.orders TO u").await;
    assert_eq!(user.lines("SHOW DATABASES").await, ["information_schema", "shop"]);
    user.run("USE shop").await;
    assert_eq!(user.lines("SHOW TABLES").await, ["orders"]);
    assert_eq!(user.lines("SHOW TABLE STATUS").await.len(), 1);
    assert_eq!(user.lines("DESC orders").await.len(), 2);
    user.refused("DESC items", 1142, "a privilege on TABLE shop.items").await;
    let tables = "SELECT table_name FROM information_schema.tables WHERE table_schema <> 'information_schema'";
    assert_eq!(user.lines(tables).await, ["orders"]);
    let columns = "SELECT DISTINCT table_name FROM information_schema.columns";
    assert_eq!(user.lines(columns).await, ["orders"]);
    assert_eq!(root.lines(tables).await.len(), 3);
    // It is seen, and not read.
    user.refused("SELECT * FROM orders", 1142, "needs SELECT on TABLE shop.orders").await;
    world.end().await;
}

#[tokio::test]
async fn privileges_come_by_wide_scopes_and_roles() {
    let world = World::new().await;
    let mut root = stocked(&world).await;
    let mut user = world.client_of("u");
    let query = "SELECT COUNT(*) FROM shop.orders";
    for on in ["ALL TABLES IN ALL DATABASES", "ALL TABLES IN DATABASE shop", "shop.orders", "*.*", "shop.*"] {
        root.run(&format!("GRANT SELECT ON {on} TO USER 'u'@'%'")).await;
        assert_eq!(user.one(query).await, "2");
        root.run(&format!("REVOKE SELECT ON {on} FROM 'u'")).await;
        user.refused(query, 1142, "SELECT on TABLE shop.orders").await;
    }
    // A role that has another one.
    root.run("CREATE ROLE readers, staff; GRANT SELECT ON ALL TABLES IN DATABASE shop TO ROLE readers").await;
    root.run("GRANT readers TO ROLE staff; GRANT staff TO u").await;
    assert_eq!(user.one(query).await, "2");
    // In a circle, which is no trouble.
    root.run("GRANT staff TO ROLE readers").await;
    assert_eq!(user.one(query).await, "2");
    root.run("DROP ROLE readers").await;
    user.refused(query, 1142, "SELECT on TABLE shop.orders").await;
    // One that is made later under the name is another.
    root.run("CREATE ROLE readers; GRANT SELECT ON ALL TABLES IN DATABASE shop TO ROLE readers").await;
    user.refused(query, 1142, "SELECT on TABLE shop.orders").await;
    // Everybody.
    root.run("GRANT SELECT ON TABLE shop.orders TO ROLE public").await;
    assert_eq!(user.one(query).await, "2");
    root.run("REVOKE ALL ON TABLE shop.orders FROM ROLE public").await;
    // The built-in ones.
    root.run("GRANT db_admin TO u").await;
    user.run("CREATE DATABASE theirs; DROP DATABASE theirs").await;
    assert_eq!(user.one(query).await, "2");
    user.refused("CREATE USER w", 1227, "needs GRANT on SYSTEM").await;
    root.run("REVOKE db_admin FROM u; GRANT user_admin TO u").await;
    user.run("CREATE USER w").await;
    user.refused("GRANT root TO u", 1227, "the role root").await;
    user.refused("GRANT admin TO w", 1227, "the role root").await;
    user.refused("SET PASSWORD FOR root = 'mine'", 1227, "the role root").await;
    user.refused("ALTER USER root IDENTIFIED BY 'mine'", 1227, "the role root").await;
    root.run("GRANT ADMIN TO u").await;
    user.run("DROP TABLE shop.items").await;
    root.run("REVOKE root FROM u").await;
    root.run("DROP USER u").await;
    user.refused("DROP TABLE shop.orders", 1142, "DROP on TABLE").await;
    world.end().await;
}

#[tokio::test]
async fn who_has_the_grant_option_grants_what_they_have() {
    let world = World::new().await;
    let mut root = stocked(&world).await;
    root.run("CREATE USER w; GRANT SELECT ON ALL TABLES IN DATABASE shop TO u WITH GRANT OPTION").await;
    root.run("GRANT INSERT ON ALL TABLES IN DATABASE shop TO u").await;
    let (mut user, mut other) = (world.client_of("u"), world.client_of("w"));
    user.run("GRANT SELECT ON TABLE shop.orders TO w").await;
    assert_eq!(other.one("SELECT COUNT(*) FROM shop.orders").await, "2");
    other.refused("GRANT SELECT ON TABLE shop.orders TO u", 1227, "with GRANT OPTION").await;
    for wider in [
        "GRANT INSERT ON TABLE shop.orders TO w",
        "GRANT ALL ON TABLE shop.orders TO w",
        "GRANT SELECT ON ALL TABLES IN ALL DATABASES TO w",
        "GRANT SELECT ON TABLE other.t TO w",
        "GRANT REPOSITORY ON SYSTEM TO w",
    ] {
        user.refused(wider, 1227, "GRANT on SYSTEM, or").await;
    }
    user.run("REVOKE SELECT ON TABLE shop.orders FROM w").await;
    other.refused("SELECT COUNT(*) FROM shop.orders", 1142, "SELECT").await;
    world.end().await;
}

#[tokio::test]
async fn statements_about_accounts_say_what_is_wrong() {
    let world = World::new().await;
    let mut root = stocked(&world).await;
    for (statement, code, words) in [
        ("CREATE USER u", 1396, "there already"),
        ("CREATE USER root", 1396, "there already"),
        ("ALTER USER nobody IDENTIFIED BY 'x'", 1396, "no such user"),
        ("DROP USER nobody", 1396, "no such user"),
        ("DROP USER root", 1396, "built in"),
        ("CREATE ROLE public", 1396, "there already"),
        ("DROP ROLE db_admin", 1396, "built in"),
        ("DROP ROLE nothing", 1396, "no such role"),
        ("GRANT nothing TO u", 1396, "no such role"),
        ("GRANT SELECT ON TABLE shop.orders TO ROLE db_admin", 1396, "fixed"),
        ("REVOKE root FROM root", 1396, "built in"),
        ("REVOKE db_admin FROM u", 1141, "no such grant"),
        ("REVOKE SELECT ON TABLE shop.orders FROM u", 1141, "no such grant"),
        ("REVOKE ALL ON SYSTEM FROM u", 1141, "no such grant"),
        ("GRANT INSERT ON SYSTEM TO u", 1105, "there are: GRANT, OPERATE, REPOSITORY, FILE"),
        ("GRANT EXPORT ON ALL VIEWS IN DATABASE shop TO u", 1105, "no privilege EXPORT"),
        ("CREATE USER w IDENTIFIED WITH auth_socket", 1235, "mysql_native_password and caching_sha2_password"),
        ("CREATE USER w IDENTIFIED WITH mysql_native_password AS 'hush'", 1105, "40 hexadecimal digits"),
        ("CREATE USER w IDENTIFIED WITH caching_sha2_password AS '$A$005$hush'", 1105, "BY"),
        ("CREATE USER w@'a/b'", 1064, "pattern of addresses"),
        ("CREATE USER ''", 1064, "1 to 64"),
        ("SHOW GRANTS FOR nobody", 1141, "not there"),
        ("SET ROLE x", 1235, "always"),
    ] {
        let failed = root.fails(statement).await;
        assert_eq!(failed.code, code, "{statement}: {failed}");
        assert!(failed.message.contains(words), "{statement}: {failed}");
        assert!(!failed.message.contains("hush"), "{failed}");
    }
    root.run("CREATE USER IF NOT EXISTS u; DROP USER IF EXISTS nobody; CREATE ROLE IF NOT EXISTS public").await;
    root.run("DROP ROLE IF EXISTS nothing; ALTER USER IF EXISTS nobody IDENTIFIED BY 'x'").await;
    world.end().await;
}

#[tokio::test]
async fn what_was_granted_is_shown_as_it_can_be_granted_again() {
    let world = World::new().await;
    let mut root = stocked(&world).await;
    root.run("CREATE ROLE readers; GRANT readers, user_admin TO u; CREATE USER ann@'10.0.0.%' REQUIRE SSL DEFAULT ROLE readers")
        .await;
    root.run(
        "GRANT SELECT, INSERT ON TABLE shop.orders TO u; GRANT SELECT ON TABLE shop.orders TO u WITH GRANT OPTION",
    )
    .await;
    root.run("GRANT REPOSITORY ON SYSTEM TO u; GRANT ALL ON ALL VIEWS IN DATABASE shop TO u").await;
    let expected = [
        "'u'@'%' NULL GRANT 'readers' TO USER 'u'@'%'",
        "'u'@'%' NULL GRANT 'user_admin' TO USER 'u'@'%'",
        "'u'@'%' NULL GRANT REPOSITORY ON SYSTEM TO USER 'u'@'%'",
        "'u'@'%' default_catalog GRANT INSERT ON TABLE shop.orders TO USER 'u'@'%'",
        "'u'@'%' default_catalog GRANT SELECT ON TABLE shop.orders TO USER 'u'@'%' WITH GRANT OPTION",
        "'u'@'%' default_catalog GRANT SELECT, ALTER, DROP ON ALL VIEWS IN DATABASE shop TO USER 'u'@'%'",
    ];
    let shown = root.lines("SHOW GRANTS FOR 'u'@'%'").await;
    assert_eq!(shown, expected);
    let mut user = world.client_of("u");
    assert_eq!(user.lines("SHOW GRANTS").await, expected);
    assert_eq!(user.one("SELECT CURRENT_USER()").await, "'u'@'%'");
    assert_eq!(user.one("SELECT USER()").await, "'u'@'localhost'");
    // Every line is a statement.
    root.run("CREATE USER copy").await;
    for line in root.rows("SHOW GRANTS FOR u").await {
        root.run(&line[2].clone().unwrap().replace("'u'@'%'", "copy")).await;
    }
    assert_eq!(root.lines("SHOW GRANTS FOR copy").await.len(), expected.len());
    let users: BTreeSet<String> = root
        .rows("SHOW USERS")
        .await
        .into_iter()
        .map(|row| row[..5].iter().flatten().cloned().collect::<Vec<_>>().join(" "))
        .collect();
    assert!(users.contains("'ann'@'10.0.0.%' No mysql_native_password Yes readers"), "{users:?}");
    assert!(users.contains("'root'@'%' No mysql_native_password No root"), "{users:?}");
    assert_eq!(root.lines("SHOW ROLES").await.len(), 5);
    world.end().await;
}

#[tokio::test]
async fn accounts_outlast_a_restart_and_are_in_no_snapshot() {
    let world = World::new().await;
    let mut root = stocked(&world).await;
    root.run("CREATE USER keeper IDENTIFIED BY 'open sesame'; GRANT SELECT ON TABLE shop.orders TO keeper").await;
    snapshot(&world, &mut root).await;
    let mut dirs = vec![world.path("r")];
    while let Some(dir) = dirs.pop() {
        for entry in std::fs::read_dir(dir).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                dirs.push(path);
                continue;
            }
            let bytes = std::fs::read(&path).unwrap();
            assert!(!bytes.windows(6).any(|part| part == b"keeper"), "{}", path.display());
        }
    }
    let world = world.restart().await;
    let mut user = world.client_of("keeper");
    assert_eq!(user.one("SELECT COUNT(*) FROM shop.orders").await, "2");
    user.refused("SELECT * FROM shop.items", 1142, "SELECT on TABLE shop.items").await;
    // A table that comes back under its name comes back with what was granted on it.
    let mut root = world.client();
    root.run("DROP TABLE shop.orders").await;
    let by = root.rows("SHOW SNAPSHOT ON r").await[0][1].clone().unwrap();
    root.run(&format!("RESTORE SNAPSHOT shop.s FROM r ON (orders) PROPERTIES ('backup_timestamp' = '{by}')")).await;
    let job = world.engine.last_job("shop", "restore").await.unwrap().unwrap();
    world.engine.jobs().wait_cleaned(job, env::rt::Duration::from_mins(1)).await.unwrap();
    assert_eq!(user.one("SELECT COUNT(*) FROM shop.orders").await, "2");
    world.end().await;
}

#[tokio::test]
async fn a_stream_load_needs_insert() {
    use futures::StreamExt;
    use node::account::Identity;
    use node::stream_load::{CsvFormat, LoadFormat, StreamLoad};
    let world = World::new().await;
    let mut root = stocked(&world).await;
    let load = |user: &str, label: &str| StreamLoad {
        user: Identity::anywhere(user),
        database: "shop".to_owned(),
        table: "orders".to_owned(),
        label: label.to_owned(),
        format: LoadFormat::Csv(CsvFormat { column_separator: b",".to_vec(), ..CsvFormat::default() }),
        columns: None,
        partitions: None,
        max_filter_ratio: 0.0,
        strict_mode: true,
        timeout: env::rt::Duration::from_mins(1),
    };
    let send = async |load| {
        let body = futures::stream::iter([Ok(bytes::Bytes::from_static(b"7,70\n"))]).boxed();
        world.engine.stream_load(load, body, env::rt::CancellationToken::new()).await
    };
    let failed = send(load("u", "a")).await.unwrap_err();
    assert_eq!(
        (failed.code, failed.message.as_str()),
        (1142, "Access denied; user 'u'@'%' needs INSERT on TABLE shop.orders")
    );
    root.run("GRANT INSERT ON TABLE shop.orders TO u").await;
    assert_eq!(send(load("u", "b")).await.unwrap().loaded_rows, 1);
    world.end().await;
}
