use super::{Client, World};
use env::rt::Duration;
use snapshot::JobRecord;

const WAIT: Duration = Duration::from_mins(1);

/// Waits for the end of the last job of a kind.
pub async fn ended(world: &World, database: &str, kind: &str) -> JobRecord {
    let job = world.engine.last_job(database, kind).await.unwrap().expect("a job");
    world.engine.jobs().wait(job, WAIT).await.unwrap()
}

pub async fn finished(world: &World, database: &str, kind: &str) {
    let job = ended(world, database, kind).await;
    assert_eq!(job.state_name(), "FINISHED", "{}", job.status);
}

/// A client in database `d` with two tables and a repository `r`.
pub async fn stocked(world: &World) -> Client {
    let mut client = world.in_database().await;
    client
        .run(
            "CREATE TABLE a (k INT, v VARCHAR(9)) PARTITION BY RANGE (k) (PARTITION p1 VALUES LESS THAN ('100'), PARTITION p2 VALUES LESS \
             THAN ('200')) DISTRIBUTED BY HASH (k) BUCKETS 2",
        )
        .await;
    client.run("CREATE TABLE b (k INT, v INT) PRIMARY KEY (k) DISTRIBUTED BY HASH (k) BUCKETS 2").await;
    client.run("INSERT INTO a VALUES (1, 'one'), (50, 'x'), (150, 'y'), (199, 'z')").await;
    client
        .run("INSERT INTO b VALUES (1, 1), (2, 2), (3, 3); DELETE FROM b WHERE k = 2; UPDATE b SET v = 30 WHERE k = 3")
        .await;
    let place = world.path("repo");
    client
        .run(&format!(
            "CREATE REPOSITORY r WITH BROKER ON LOCATION 'file://{}' PROPERTIES ('single_writer' = 'false')",
            place.display()
        ))
        .await;
    client
}

pub async fn timestamp(client: &mut Client, label: &str) -> String {
    client.rows(&format!("SHOW SNAPSHOT ON r WHERE SNAPSHOT = '{label}'")).await[0][1].clone().unwrap()
}

async fn tables(client: &mut Client) -> Vec<Vec<String>> {
    vec![client.lines("SELECT * FROM d.a ORDER BY k").await, client.lines("SELECT * FROM d.b ORDER BY k").await]
}

#[tokio::test(flavor = "multi_thread")]
async fn repositories_are_made_shown_and_dropped() {
    let world = World::new().await;
    let mut client = stocked(&world).await;
    assert_eq!(
        client.names("SHOW REPOSITORIES").await,
        ["RepoId", "RepoName", "CreateTime", "IsReadOnly", "Location", "Broker", "ErrMsg"]
    );
    let place = world.path("repo").display().to_string();
    client
        .refused("CREATE REPOSITORY r WITH BROKER ON LOCATION 'file:///tmp/x'", 1105, "repository 'r' already exists")
        .await;
    client.refused("CREATE REPOSITORY s WITH BROKER ON LOCATION 'hdfs://host/x'", 1235, "hdfs").await;
    client.refused("CREATE REPOSITORY s WITH BROKER ON LOCATION 'relative'", 1105, "relative").await;
    let empty = world.path("empty").display().to_string();
    client
        .refused(
            &format!("CREATE READ ONLY REPOSITORY s WITH BROKER ON LOCATION 'file://{empty}'"),
            1105,
            "there is no repository",
        )
        .await;
    assert!(!world.path("empty").join("repository.json").exists());
    client.run(&format!("CREATE READ ONLY REPOSITORY ro WITH BROKER hdfs ON LOCATION 'file://{place}/'")).await;
    let shown = client.rows("SHOW REPOSITORIES").await;
    assert_eq!(shown.len(), 2);
    assert_eq!(
        shown[1][1..6].iter().map(|cell| cell.clone().unwrap()).collect::<Vec<_>>()[2..],
        ["true".to_owned(), format!("file://{place}"), "hdfs".to_owned()]
    );
    client.refused("BACKUP DATABASE d SNAPSHOT s TO ro", 1105, "read").await;
    client.run("DROP REPOSITORY ro").await;
    client.refused("DROP REPOSITORY ro", 1105, "repository 'ro' does not exist").await;
    client.refused("SHOW SNAPSHOT ON ro", 1105, "does not exist").await;
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_is_backed_up_and_restored_over_itself() {
    let world = World::new().await;
    let mut client = stocked(&world).await;
    let before = tables(&mut client).await;
    client.run("BACKUP SNAPSHOT d.nightly TO r PROPERTIES ('type' = 'full', 'timeout' = '3600')").await;
    finished(&world, "d", "backup").await;
    assert_eq!(client.names("SHOW BACKUP").await.len(), 14);
    assert_eq!(client.names("SHOW RESTORE").await.len(), 18);
    let shown = client.rows("SHOW BACKUP FROM d").await;
    assert_eq!((shown[0][1].as_deref(), shown[0][3].as_deref()), (Some("nightly"), Some("FINISHED")));
    assert!(client.rows("SHOW RESTORE").await.is_empty());
    client.refused("BACKUP DATABASE d SNAPSHOT nightly TO r", 1105, "nightly").await;
    let stamp = timestamp(&mut client, "nightly").await;
    let detailed =
        client.rows(&format!("SHOW SNAPSHOT ON r WHERE SNAPSHOT = 'nightly' AND TIMESTAMP = '{stamp}'")).await;
    assert_eq!((detailed[0][2].as_deref(), detailed[0][4].as_deref()), (Some("d"), Some("OK")));

    client.run("INSERT INTO a VALUES (2, 'late'); DELETE FROM b WHERE k = 1; INSERT INTO b VALUES (9, 9)").await;
    client.run(&format!("RESTORE SNAPSHOT d.nightly FROM r PROPERTIES ('backup_timestamp' = '{stamp}')")).await;
    finished(&world, "d", "restore").await;
    assert_eq!(tables(&mut client).await, before);
    // Restored tables live on: loads, changes, a restart.
    client.run("INSERT INTO a VALUES (3, 'more'); UPDATE b SET v = 31 WHERE k = 3; DELETE FROM a WHERE k = 1").await;
    let world = world.restart().await;
    let mut client = world.client();
    assert_eq!(client.lines("SELECT * FROM d.b ORDER BY k").await, ["1 1", "3 31"]);
    assert_eq!(client.lines("SELECT k FROM d.a ORDER BY k").await, ["3", "50", "150", "199"]);
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn dropped_tables_and_databases_come_back() {
    let world = World::new().await;
    let mut client = stocked(&world).await;
    let before = tables(&mut client).await;
    client.run("BACKUP DATABASE d SNAPSHOT whole TO r").await;
    finished(&world, "d", "backup").await;
    let stamp = timestamp(&mut client, "whole").await;
    client.run("DROP TABLE a FORCE; DROP TABLE b").await;
    client.run(&format!("RESTORE SNAPSHOT whole FROM r DATABASE d PROPERTIES ('backup_timestamp' = '{stamp}')")).await;
    finished(&world, "d", "restore").await;
    assert_eq!(tables(&mut client).await, before);
    // Into another database, which is made.
    client
        .run(&format!("RESTORE SNAPSHOT whole FROM r DATABASE d AS e PROPERTIES ('backup_timestamp' = '{stamp}')"))
        .await;
    finished(&world, "e", "restore").await;
    assert_eq!(client.lines("SELECT * FROM e.b ORDER BY k").await, before[1]);
    client.run("INSERT INTO e.b VALUES (7, 7)").await;
    // And after the whole database is gone.
    client.run("DROP DATABASE d FORCE").await;
    client.run(&format!("RESTORE SNAPSHOT whole FROM r DATABASE d PROPERTIES ('backup_timestamp' = '{stamp}')")).await;
    finished(&world, "d", "restore").await;
    assert_eq!(tables(&mut client).await, before);
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn parts_come_back_under_other_names() {
    let world = World::new().await;
    let mut client = stocked(&world).await;
    client.run("BACKUP DATABASE d SNAPSHOT part TO r ON (TABLE a PARTITION (p1), TABLE b)").await;
    finished(&world, "d", "backup").await;
    let stamp = timestamp(&mut client, "part").await;
    let restore =
        |on: &str| format!("RESTORE SNAPSHOT d.part FROM r ON ({on}) PROPERTIES ('backup_timestamp' = '{stamp}')");
    client.run(&restore("b AS copy")).await;
    finished(&world, "d", "restore").await;
    assert_eq!(client.lines("SELECT * FROM copy ORDER BY k").await, ["1 1", "3 30"]);
    // Only the partition that is in the snapshot is replaced.
    client.run("DELETE FROM a WHERE k < 300; INSERT INTO a VALUES (160, 'new')").await;
    client.run(&restore("a PARTITION (p1)")).await;
    finished(&world, "d", "restore").await;
    assert_eq!(client.lines("SELECT k FROM a ORDER BY k").await, ["1", "50", "160"]);
    // Over an existing table under another name.
    client.run("INSERT INTO copy VALUES (8, 8)").await;
    client.run(&restore("b AS copy")).await;
    finished(&world, "d", "restore").await;
    assert_eq!(client.lines("SELECT * FROM copy ORDER BY k").await, ["1 1", "3 30"]);
    client.refused(&restore("zz"), 1105, "zz").await;
    client.refused(&restore("a PARTITION (p2)"), 1105, "p2").await;
    client.run("CREATE TABLE other (x STRING)").await;
    client.refused(&restore("b AS other"), 1105, "other").await;
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_requests_are_refused_before_anything_happens() {
    let world = World::new().await;
    let mut client = stocked(&world).await;
    for (text, code, words) in [
        ("BACKUP DATABASE nope SNAPSHOT s TO r", 1049, "Unknown database 'nope'"),
        ("BACKUP DATABASE d SNAPSHOT s TO nowhere", 1105, "nowhere"),
        ("BACKUP DATABASE d SNAPSHOT s TO r ON (TABLE zz)", 1105, "zz"),
        ("BACKUP DATABASE d SNAPSHOT s TO r ON (TABLE a PARTITION (zz))", 1105, "zz"),
        ("BACKUP DATABASE d SNAPSHOT s TO r ON (TABLE a AS x)", 1105, "alias cannot be set in BACKUP"),
        ("BACKUP DATABASE d SNAPSHOT s TO r ON (VIEW w)", 1235, "'w': BACKUP of views is not supported yet"),
        ("BACKUP DATABASE d SNAPSHOT s TO r ON (ALL MATERIALIZED VIEWS)", 1235, "materialized views"),
        ("BACKUP DATABASE d SNAPSHOT s TO r ON (FUNCTION f)", 1235, "functions"),
        ("BACKUP ALL EXTERNAL CATALOGS SNAPSHOT s TO r", 1235, "external catalogs"),
        ("BACKUP DATABASE d SNAPSHOT s TO r PROPERTIES ('timeout' = '10')", 1105, "timeout"),
        ("BACKUP DATABASE d SNAPSHOT s TO r PROPERTIES ('type' = 'incremental')", 1105, "type"),
        ("BACKUP DATABASE d SNAPSHOT s TO r PROPERTIES ('foo' = 'bar')", 1105, "foo"),
        ("RESTORE SNAPSHOT d.s FROM r PROPERTIES ('timeout' = '3600')", 1105, "backup_timestamp"),
        ("RESTORE SNAPSHOT d.s FROM r PROPERTIES ('backup_timestamp' = '2024-01-01-00-00-00-000')", 1105, "s"),
        ("RESTORE SNAPSHOT d.s FROM nowhere PROPERTIES ('backup_timestamp' = 'x')", 1105, "nowhere"),
        ("CANCEL BACKUP FROM d", 1105, "d"),
        ("CANCEL RESTORE FROM nope", 1049, "nope"),
        ("CANCEL BACKUP FOR EXTERNAL CATALOG", 1235, "external catalogs"),
        ("SHOW BACKUP FROM nope", 1049, "nope"),
    ] {
        client.refused(text, code, words).await;
    }
    assert!(client.rows("SHOW BACKUP").await.is_empty());
    assert!(client.rows("SHOW SNAPSHOT ON r").await.is_empty());
    world.end().await;
}

/// An engine whose jobs stop at a point until told to go on.
pub async fn stopping_at(
    point: &'static str,
) -> (World, tokio::sync::watch::Sender<bool>, tokio::sync::watch::Receiver<bool>) {
    let (go, wait) = tokio::sync::watch::channel(false);
    let (reached, arrived) = tokio::sync::watch::channel(false);
    let reached = std::sync::Arc::new(reached);
    let pause = snapshot::Pause::new(move |at| {
        let (mut wait, reached) = (wait.clone(), std::sync::Arc::clone(&reached));
        Box::pin(async move {
            if at == point {
                reached.send_replace(true);
                drop(wait.wait_for(|go| *go).await);
            }
        })
    });
    let world = World::with(|mut options| {
        options.jobs.pause = pause;
        options
    })
    .await;
    (world, go, arrived)
}

#[tokio::test(flavor = "multi_thread")]
async fn tables_under_restore_are_read_and_not_changed() {
    let (world, go, mut arrived) = stopping_at("restore.downloading").await;
    let mut client = stocked(&world).await;
    let before = tables(&mut client).await;
    client.run("BACKUP DATABASE d SNAPSHOT s TO r").await;
    finished(&world, "d", "backup").await;
    let stamp = timestamp(&mut client, "s").await;
    client.run("INSERT INTO a VALUES (2, 'late')").await;
    let late = tables(&mut client).await;
    client.run(&format!("RESTORE SNAPSHOT d.s FROM r PROPERTIES ('backup_timestamp' = '{stamp}')")).await;
    arrived.wait_for(|reached| *reached).await.unwrap();
    let job = world.engine.last_job("d", "restore").await.unwrap().unwrap();
    assert_eq!(tables(&mut client).await, late);
    for text in [
        "INSERT INTO a VALUES (4, 'x')",
        "DELETE FROM a WHERE k = 1",
        "UPDATE b SET v = 1 WHERE k = 1",
        "TRUNCATE TABLE a",
        "DROP TABLE a",
        "ALTER TABLE a DROP PARTITION p1",
        "ALTER TABLE a ADD PARTITION p3 VALUES LESS THAN ('300')",
        "ALTER TABLE a RENAME c",
    ] {
        let failed = client.fails(text).await;
        assert!(failed.message.contains(&format!("job {job}")), "{text}: {failed}");
        assert!(failed.message.contains("CANCEL RESTORE FROM d"), "{text}: {failed}");
    }
    client.refused("DROP DATABASE d", 1105, "job").await;
    client.refused("DROP REPOSITORY r", 1105, &format!("job {job}")).await;
    client.refused("BACKUP DATABASE d SNAPSHOT t TO r", 1105, "d").await;
    go.send_replace(true);
    finished(&world, "d", "restore").await;
    assert_eq!(tables(&mut client).await, before);
    client.run("INSERT INTO a VALUES (4, 'x')").await;
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancelled_restore_leaves_the_old_data() {
    let (world, go, mut arrived) = stopping_at("restore.downloading").await;
    let mut client = stocked(&world).await;
    client.run("BACKUP DATABASE d SNAPSHOT s TO r").await;
    finished(&world, "d", "backup").await;
    let stamp = timestamp(&mut client, "s").await;
    client.run("INSERT INTO a VALUES (2, 'late')").await;
    let late = tables(&mut client).await;
    client.run(&format!("RESTORE SNAPSHOT d.s FROM r PROPERTIES ('backup_timestamp' = '{stamp}')")).await;
    arrived.wait_for(|reached| *reached).await.unwrap();
    go.send_replace(true);
    let cancelled = client.execute("CANCEL RESTORE FROM d").await;
    let job = ended(&world, "d", "restore").await;
    if cancelled.is_ok() {
        assert_eq!(job.state_name(), "CANCELLED");
        assert_eq!(tables(&mut client).await, late);
    } else {
        assert_eq!(job.state_name(), "FINISHED");
    }
    client.refused("CANCEL RESTORE FROM d", 1105, "cannot be cancelled").await;
    client.run("INSERT INTO a VALUES (4, 'x'); UPDATE b SET v = 1 WHERE k = 1").await;
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_is_of_its_cut_whatever_is_loaded_meanwhile() {
    let (world, go, mut arrived) = stopping_at("backup.uploading").await;
    let mut client = stocked(&world).await;
    let before = tables(&mut client).await;
    client.run("BACKUP DATABASE d SNAPSHOT s TO r").await;
    arrived.wait_for(|reached| *reached).await.unwrap();
    client
        .run(
            "INSERT INTO a VALUES (2, 'late'); DELETE FROM b WHERE k = 1; UPDATE b SET v = 0 WHERE k = 3; DROP TABLE a",
        )
        .await;
    go.send_replace(true);
    finished(&world, "d", "backup").await;
    let stamp = timestamp(&mut client, "s").await;
    client.run(&format!("RESTORE SNAPSHOT d.s FROM r PROPERTIES ('backup_timestamp' = '{stamp}')")).await;
    finished(&world, "d", "restore").await;
    assert_eq!(tables(&mut client).await, before);
    world.end().await;
}
