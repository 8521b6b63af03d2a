//! RECOVER and UNDO RESTORE.

use super::jobs::{finished, stocked, timestamp};
use super::{Client, World};

async fn tables(client: &mut Client) -> [Vec<String>; 2] {
    [client.lines("SELECT * FROM d.a ORDER BY k").await, client.lines("SELECT * FROM d.b ORDER BY k").await]
}

async fn bin(client: &mut Client) -> Vec<String> {
    let rows = client.rows("SHOW CATALOG RECYCLE BIN").await;
    rows.into_iter().map(|row| format!("{} {}", row[0].clone().unwrap(), row[1].clone().unwrap())).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dropped_table_comes_back_under_its_name_or_another() {
    let world = World::new().await;
    let mut client = stocked(&world).await;
    let before = tables(&mut client).await;
    client.run("DROP TABLE a; DROP TABLE b").await;
    assert_eq!(bin(&mut client).await, ["Table b", "Table a"]);
    assert_eq!(
        client.names("SHOW CATALOG RECYCLE BIN").await,
        ["Type", "Name", "DbId", "TableId", "PartitionId", "DropTime", "ExpireTime"]
    );
    assert_eq!(client.rows("SHOW CATALOG RECYCLE BIN WHERE Name = 'a'").await.len(), 1);
    client.run("RECOVER TABLE a; RECOVER TABLE d.b").await;
    assert_eq!(tables(&mut client).await, before);
    assert!(bin(&mut client).await.is_empty());
    client.run("INSERT INTO b VALUES (4, 4); INSERT INTO a VALUES (7, 'more')").await;
    client.refused("RECOVER TABLE a", 1105, "table 'd.a' is not in the recycle bin").await;

    // Another one has the name by now.
    client.run("DROP TABLE b; CREATE TABLE b (x INT)").await;
    client.refused("RECOVER TABLE b", 1105, "RECOVER TABLE d.b AS other_name").await;
    client.run("RECOVER TABLE b AS old_b").await;
    assert_eq!(client.lines("SELECT * FROM old_b ORDER BY k").await, ["1 1", "3 30", "4 4"]);
    assert!(client.one("SELECT count(*) FROM b").await == "0");

    // Of several of one name the last, or the one of an id.
    client.run("DROP TABLE b; CREATE TABLE b (y INT); INSERT INTO b VALUES (5); DROP TABLE b").await;
    let ids = client.rows("SHOW CATALOG RECYCLE BIN WHERE Name = 'b'").await;
    let first = ids[1][3].clone().unwrap();
    client.run(&format!("RECOVER TABLE b {first} AS first_b; RECOVER TABLE b")).await;
    assert_eq!(client.names("SELECT * FROM first_b").await, ["x"]);
    assert_eq!(client.lines("SELECT y FROM b").await, ["5"]);
    client.run("DROP TABLE b FORCE").await;
    client.refused("RECOVER TABLE b", 1105, "FORCE").await;
    client.refused("RECOVER TABLE nowhere.b", 1049, "nowhere").await;
    client.refused("RECOVER VIEW b", 1064, "DATABASE, TABLE or PARTITION").await;
    let world = world.restart().await;
    assert_eq!(world.client().lines("SELECT * FROM d.old_b ORDER BY k").await, ["1 1", "3 30", "4 4"]);
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dropped_database_comes_back_with_the_tables_that_it_had() {
    let world = World::new().await;
    let mut client = stocked(&world).await;
    client.run("CREATE TABLE gone (k INT); DROP TABLE gone").await;
    let before = tables(&mut client).await;
    client.run("DROP DATABASE d").await;
    client.run("RECOVER DATABASE d").await;
    assert_eq!(tables(&mut client).await, before);
    client.run("USE d").await;
    assert_eq!(client.lines("SHOW TABLES").await, ["a", "b"], "what was dropped before stays dropped");
    assert_eq!(bin(&mut client).await, ["Table gone"]);
    client.run("RECOVER TABLE gone").await;
    client.run("DROP DATABASE d; CREATE DATABASE d").await;
    client.refused("RECOVER DATABASE d", 1105, "RECOVER DATABASE d AS other_name").await;
    client.run("RECOVER DATABASE d AS e").await;
    assert_eq!(client.lines("SHOW TABLES FROM e").await, ["a", "b", "gone"]);
    assert_eq!(client.lines("SELECT * FROM e.b ORDER BY k").await, before[1]);
    client.refused("RECOVER DATABASE nothing", 1105, "database 'nothing' is not in the recycle bin").await;
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dropped_or_truncated_partition_comes_back() {
    let world = World::new().await;
    let mut client = stocked(&world).await;
    let before = tables(&mut client).await;
    client.run("ALTER TABLE a DROP PARTITION p1").await;
    assert_eq!(client.lines("SELECT k FROM a ORDER BY k").await, ["150", "199"]);
    client.run("RECOVER PARTITION p1 FROM a").await;
    assert_eq!(tables(&mut client).await, before);
    // What TRUNCATE left empty makes room; also in a table without partitions.
    client.run("TRUNCATE TABLE a; TRUNCATE TABLE b").await;
    client.run("RECOVER PARTITION p1 FROM a; RECOVER PARTITION p2 FROM d.a; RECOVER PARTITION b FROM b").await;
    assert_eq!(tables(&mut client).await, before);
    // What has rows does not.
    client.run("TRUNCATE TABLE b; INSERT INTO b VALUES (77, 7)").await;
    let old = client.rows("SHOW CATALOG RECYCLE BIN WHERE Type = 'Partition'").await[0][4].clone().unwrap();
    let refused = client.fails("RECOVER PARTITION b FROM b").await.to_string();
    assert!(refused.contains("TRUNCATE TABLE d.b") && refused.contains(&old), "{refused}");
    client.run(&format!("TRUNCATE TABLE b; RECOVER PARTITION b {old} FROM b")).await;
    assert_eq!(tables(&mut client).await, before);
    // A range that is taken.
    client.run("ALTER TABLE a DROP PARTITION p2; ALTER TABLE a ADD PARTITION other VALUES LESS THAN ('300')").await;
    client.refused("RECOVER PARTITION p2 FROM a", 1105, "overlaps with partition 'other'").await;
    client
        .refused("RECOVER PARTITION p7 FROM a", 1105, "partition 'p7' of table 'd.a' is not in the recycle bin")
        .await;
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restore_is_undone_in_one_step() {
    let world = World::new().await;
    let mut client = stocked(&world).await;
    client.refused("UNDO RESTORE", 1105, "no RESTORE into database 'd' that can be undone").await;
    client.run("BACKUP SNAPSHOT d.one TO r").await;
    finished(&world, "d", "backup").await;
    let stamp = timestamp(&mut client, "one").await;
    client.run("INSERT INTO a VALUES (2, 'late'); DELETE FROM b WHERE k = 1; INSERT INTO b VALUES (9, 9)").await;
    client.run("ALTER TABLE a DROP PARTITION p1").await;
    client.run("ALTER TABLE a ADD PARTITION p3 VALUES LESS THAN ('300'); INSERT INTO a VALUES (250, 'mine')").await;
    let before = tables(&mut client).await;
    let restore = format!("RESTORE SNAPSHOT d.one FROM r PROPERTIES ('backup_timestamp' = '{stamp}')");
    client.run(&restore).await;
    finished(&world, "d", "restore").await;
    let after = tables(&mut client).await;
    assert_ne!(after, before);
    client.run("UNDO RESTORE").await;
    assert_eq!(tables(&mut client).await, before);
    let parts = client.rows("SHOW PARTITIONS FROM a").await;
    assert_eq!(parts.iter().map(|row| row[1].clone().unwrap()).collect::<Vec<_>>(), ["p2", "p3"]);
    client.refused("UNDO RESTORE FROM d", 1105, "it was undone").await;
    // Loads go on; and the whole once more, after a restart.
    client.run("INSERT INTO b VALUES (10, 10)").await;
    let before = tables(&mut client).await;
    let world = world.restart().await;
    let mut client = world.client();
    client.run("USE d").await;
    client.run(&restore).await;
    finished(&world, "d", "restore").await;
    assert_eq!(tables(&mut client).await, after);
    let world = world.restart().await;
    let mut client = world.client();
    client.run("UNDO RESTORE FROM d").await;
    assert_eq!(tables(&mut client).await, before);
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn undoing_a_restore_takes_away_what_it_made() {
    let world = World::new().await;
    let mut client = stocked(&world).await;
    client.run("BACKUP SNAPSHOT d.one TO r").await;
    finished(&world, "d", "backup").await;
    let stamp = timestamp(&mut client, "one").await;
    let properties = format!("PROPERTIES ('backup_timestamp' = '{stamp}')");
    // Tables beside others.
    client.run(&format!("RESTORE SNAPSHOT d.one FROM r ON (a AS a2, b) {properties}")).await;
    finished(&world, "d", "restore").await;
    assert_eq!(client.lines("SHOW TABLES").await, ["a", "a2", "b"]);
    client.run("UNDO RESTORE").await;
    assert_eq!(client.lines("SHOW TABLES").await, ["a", "b"]);
    // What is dropped like this can be recovered.
    client.run("RECOVER TABLE a2").await;
    assert_eq!(client.one("SELECT count(*) FROM a2").await, "4");
    // A whole new database.
    client.run(&format!("RESTORE SNAPSHOT one FROM r DATABASE d AS e {properties}")).await;
    finished(&world, "e", "restore").await;
    assert_eq!(client.one("SELECT count(*) FROM e.a").await, "4");
    client.run("UNDO RESTORE FROM e").await;
    client.refused("SELECT * FROM e.a", 1049, "e").await;
    client.run("RECOVER DATABASE e").await;
    assert_eq!(client.lines("SELECT * FROM e.b ORDER BY k").await, ["1 1", "3 30"]);
    // With something else in it, the database stays.
    client.run(&format!("RESTORE SNAPSHOT one FROM r DATABASE d AS f {properties}")).await;
    finished(&world, "f", "restore").await;
    client.run("CREATE TABLE f.own (k INT); UNDO RESTORE FROM f").await;
    assert_eq!(client.lines("SHOW TABLES FROM f").await, ["own"]);
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_reason_against_undoing_a_restore_is_told() {
    let world = World::new().await;
    let mut client = stocked(&world).await;
    client.run("BACKUP SNAPSHOT d.one TO r").await;
    finished(&world, "d", "backup").await;
    let stamp = timestamp(&mut client, "one").await;
    let restore = format!("RESTORE SNAPSHOT d.one FROM r PROPERTIES ('backup_timestamp' = '{stamp}')");
    client.run(&restore).await;
    finished(&world, "d", "restore").await;
    client.run("INSERT INTO a VALUES (3, 'new'); TRUNCATE TABLE b").await;
    let after = tables(&mut client).await;
    let told = client.fails("UNDO RESTORE").await.to_string();
    assert!(told.contains("partition 'p1' of table 'a' was loaded into at "), "{told}");
    assert!(told.contains("a partition of table 'b' was dropped or truncated since"), "{told}");
    assert_eq!(tables(&mut client).await, after, "nothing was changed");
    client.run("DROP TABLE b").await;
    let told = client.fails("UNDO RESTORE").await.to_string();
    assert!(told.contains("table 'b' was dropped since: RECOVER TABLE b first"), "{told}");
    client.refused("UNDO RESTORE FROM nowhere", 1049, "nowhere").await;
    client.refused("UNDO BACKUP", 1064, "RESTORE").await;
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_snapshot_does_not_have_is_cleaned_on_request_and_comes_back() {
    let world = World::new().await;
    let mut client = stocked(&world).await;
    let cut = tables(&mut client).await;
    client.run("BACKUP SNAPSHOT d.one TO r").await;
    finished(&world, "d", "backup").await;
    let stamp = timestamp(&mut client, "one").await;
    // A partition in the way of one that the snapshot has, another one beside it, and a table.
    client.run("ALTER TABLE a DROP PARTITION p2; ALTER TABLE a ADD PARTITION wide VALUES LESS THAN ('300')").await;
    client
        .run("ALTER TABLE a ADD PARTITION high VALUES LESS THAN ('400'); INSERT INTO a VALUES (120, 'w'), (350, 'h')")
        .await;
    client.run("CREATE TABLE own (k INT); INSERT INTO own VALUES (1), (2)").await;
    let before = tables(&mut client).await;
    let restore =
        |more: &str| format!("RESTORE SNAPSHOT d.one FROM r {more} PROPERTIES ('backup_timestamp' = '{stamp}'");
    let plain = restore("") + ")";
    client.refused(&plain, 1105, "overlaps partition wide").await;
    let both = restore("") + ", 'clean_partitions' = 'true', 'clean_tables' = 'true')";
    let told = client.lines(&format!("EXPLAIN {both}")).await;
    assert!(told.iter().any(|line| line.starts_with("a OVERWRITE") && line.contains("removes wide, high")), "{told:?}");
    assert!(told.iter().any(|line| line.starts_with("own DROP")), "{told:?}");
    client.refused(&(restore("ON (a)") + ", 'clean_tables' = 'true')"), 1105, "leave ON and EXCLUDE out").await;
    client.refused(&(restore("") + ", 'clean_tables' = 'yes')"), 1105, "clean_tables").await;
    client.run(&both).await;
    finished(&world, "d", "restore").await;
    assert_eq!(tables(&mut client).await, cut);
    assert_eq!(client.lines("SHOW TABLES").await, ["a", "b"]);
    client.run("UNDO RESTORE").await;
    assert_eq!(tables(&mut client).await, before);
    assert_eq!(client.one("SELECT count(*) FROM own").await, "2");
    // Of one table alone.
    client.run(&(restore("ON (a)") + ", 'clean_partitions' = 'true')")).await;
    finished(&world, "d", "restore").await;
    assert_eq!(tables(&mut client).await[0], cut[0]);
    client.run("UNDO RESTORE").await;
    assert_eq!(tables(&mut client).await, before);
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_excluded_stays_out_of_a_backup_and_of_a_restore() {
    let world = World::new().await;
    let mut client = stocked(&world).await;
    client.run("BACKUP SNAPSHOT d.part TO r EXCLUDE (b, TABLE a PARTITION (p2))").await;
    finished(&world, "d", "backup").await;
    let shown = client.rows("SHOW BACKUP").await;
    assert_eq!(shown[0][4].as_deref(), Some("[d.a PARTITIONS (p1)]"));
    client.run("BACKUP SNAPSHOT d.whole TO r").await;
    finished(&world, "d", "backup").await;
    let stamp = timestamp(&mut client, "whole").await;
    let restore = format!(
        "RESTORE SNAPSHOT whole FROM r DATABASE d AS e EXCLUDE (b, a PARTITION (p1)) PROPERTIES ('backup_timestamp' = '{stamp}')"
    );
    client.run(&restore).await;
    finished(&world, "e", "restore").await;
    assert_eq!(client.lines("SHOW TABLES FROM e").await, ["a"]);
    assert_eq!(client.lines("SELECT k FROM e.a ORDER BY k").await, ["150", "199"]);
    client.refused("BACKUP SNAPSHOT d.x TO r EXCLUDE (nothing)", 1105, "nothing").await;
    client.refused("BACKUP SNAPSHOT d.x TO r EXCLUDE (a PARTITION (p9))", 1105, "p9").await;
    client.refused("BACKUP SNAPSHOT d.x TO r EXCLUDE (a, b)", 1105, "empty").await;
    client.refused("BACKUP SNAPSHOT d.x TO r ON (a) EXCLUDE (b)", 1064, "do not go together").await;
    client.refused("BACKUP SNAPSHOT d.x TO r EXCLUDE (a AS c)", 1064, "no other name").await;
    client.refused("BACKUP SNAPSHOT d.x TO r EXCLUDE (ALL TABLES)", 1064, "EXCLUDE takes names").await;
    client.refused("BACKUP SNAPSHOT d.x TO r EXCLUDE ()", 1064, "EXCLUDE (..) is empty").await;
    world.end().await;
}

/// One query reads both tables; it must see both as they were, or both as the snapshot has them.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_reader_without_pause_sees_the_old_rows_or_the_new_ones_and_no_error() {
    let world = World::new().await;
    let mut client = stocked(&world).await;
    client.run("BACKUP SNAPSHOT d.one TO r").await;
    finished(&world, "d", "backup").await;
    let stamp = timestamp(&mut client, "one").await;
    let both = "SELECT (SELECT count(*) FROM d.a), (SELECT sum(v) FROM d.b), (SELECT max(k) FROM d.a)";
    let new = client.lines(both).await;
    client
        .run("INSERT INTO a VALUES (60, 'late'), (199, 'z'); DELETE FROM b WHERE k = 1; INSERT INTO b VALUES (9, 900)")
        .await;
    let old = client.lines(both).await;
    assert_ne!(old, new);
    let stop = env::rt::CancellationToken::new();
    let mut readers = Vec::new();
    for _ in 0..3 {
        let (mut reader, stop, old, new) = (world.client(), stop.clone(), old.clone(), new.clone());
        readers.push(tokio::spawn(async move {
            let (mut olds, mut news) = (0, 0);
            while !stop.is_cancelled() {
                let seen = reader.lines(both).await;
                if seen == old {
                    olds += 1;
                } else {
                    assert_eq!(seen, new);
                    news += 1;
                }
            }
            (olds, news)
        }));
    }
    for round in 0..6 {
        client.run(&format!("RESTORE SNAPSHOT d.one FROM r PROPERTIES ('backup_timestamp' = '{stamp}')")).await;
        finished(&world, "d", "restore").await;
        assert_eq!(client.lines(both).await, new, "round {round}");
        client.run("UNDO RESTORE").await;
        assert_eq!(client.lines(both).await, old, "round {round}");
    }
    stop.cancel();
    let (mut olds, mut news) = (0, 0);
    for reader in readers {
        let (of_old, of_new) = reader.await.unwrap();
        olds += of_old;
        news += of_new;
    }
    assert!(olds > 10 && news > 0, "{olds} old, {news} new");
    world.end().await;
}
