//! EXPLAIN of BACKUP, RESTORE and DROP SNAPSHOT.

use super::jobs::{finished, stocked, timestamp};
use super::{Client, World};

/// A preview's lines as `action object transfer detail`, by the names of its columns.
async fn plan(client: &mut Client, text: &str) -> Vec<(String, String, Option<u64>, String)> {
    let (names, rows) = client.try_rows(text).await.unwrap_or_else(|failed| panic!("{text}: {failed}"));
    let at = |name: &str| names.iter().position(|other| other == name).unwrap_or_else(|| panic!("{names:?}"));
    let bytes = if names.iter().any(|name| name == "FreedBytes") { at("FreedBytes") } else { at("TransferBytes") };
    let text = |cell: &Option<String>| cell.clone().unwrap_or_default();
    rows.iter()
        .map(|row| {
            let bytes = row[bytes].as_ref().map(|text| text.parse().unwrap());
            (text(&row[at("Action")]), text(&row[at("Object")]), bytes, text(&row[at("Detail")]))
        })
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_is_explained_before_and_after() {
    let world = World::new().await;
    let mut client = stocked(&world).await;
    let backup = "BACKUP SNAPSHOT d.one TO r";
    let before = plan(&mut client, &format!("EXPLAIN {backup}")).await;
    assert_eq!(
        client.names(&format!("EXPLAIN {backup}")).await,
        ["Object", "Action", "Partitions", "Tablets", "Files", "Bytes", "TransferFiles", "TransferBytes", "Detail"]
    );
    let lines: Vec<_> = before.iter().map(|line| (line.0.as_str(), line.1.as_str())).collect();
    assert_eq!(lines, [("BACKUP", "a"), ("BACKUP", "b"), ("TOTAL", "")]);
    assert!(before[2].3.starts_with("about "), "{before:?}");
    let promised = before[2].2.unwrap();
    // Nothing was changed.
    assert!(client.rows("SHOW BACKUP").await.is_empty());
    assert!(client.rows("SHOW SNAPSHOT ON r").await.is_empty());
    assert!(client.rows("SELECT * FROM information_schema.repository_sessions").await.is_empty());
    client.run(backup).await;
    finished(&world, "d", "backup").await;
    let job = super::jobs::ended(&world, "d", "backup").await;
    assert_eq!(job.counts.bytes_sent, promised, "what was said is what was sent");
    let again = plan(&mut client, "EXPLAIN BACKUP SNAPSHOT d.two TO r").await;
    assert_eq!(again[2].2, Some(0), "{again:?}");
    assert_eq!(again[0].3, "the repository has all of it");
    client.run("INSERT INTO b VALUES (77, 7)").await;
    let little = plan(&mut client, "EXPLAIN BACKUP SNAPSHOT d.two TO r ON (b)").await;
    assert!(little[1].2.unwrap() > 0 && little[1].2.unwrap() < promised, "{little:?}");
    client.run("BACKUP SNAPSHOT d.two TO r ON (b)").await;
    finished(&world, "d", "backup").await;
    assert_eq!(super::jobs::ended(&world, "d", "backup").await.counts.bytes_sent, little[1].2.unwrap());
    // What is in the way is told as a plan; what makes no sense is an error.
    let taken = plan(&mut client, &format!("EXPLAIN {backup}")).await;
    assert!(
        taken[0].0 == "CONFLICT" && taken[0].3.contains("snapshot one already exists") && taken[0].2.is_none(),
        "{taken:?}"
    );
    let conflicts = plan(&mut client, "EXPLAIN BACKUP SNAPSHOT d.three TO r ON (x, a PARTITION (p9))").await;
    assert_eq!(conflicts.len(), 2, "{conflicts:?}");
    client.refused("EXPLAIN BACKUP SNAPSHOT d.three TO nowhere", 1105, "nowhere").await;
    client.refused("EXPLAIN BACKUP SNAPSHOT d.three TO r PROPERTIES ('x' = 'y')", 1105, "x").await;
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restore_is_explained_with_all_that_is_in_the_way() {
    let world = World::new().await;
    let mut client = stocked(&world).await;
    client.run("BACKUP SNAPSHOT d.one TO r").await;
    finished(&world, "d", "backup").await;
    let stamp = timestamp(&mut client, "one").await;
    let properties = format!("PROPERTIES ('backup_timestamp' = '{stamp}')");
    client.run("ALTER TABLE a DROP PARTITION p1; ALTER TABLE a ADD PARTITION p3 VALUES LESS THAN ('300')").await;
    let over = plan(&mut client, &format!("EXPLAIN RESTORE SNAPSHOT d.one FROM r {properties}")).await;
    assert_eq!((over[0].0.as_str(), over[0].3.as_str()), ("OVERWRITE", "replaces p2; adds p1; keeps p3"));
    assert_eq!((over[1].0.as_str(), over[1].3.as_str()), ("OVERWRITE", "replaces b"));
    assert!(over[2].2.unwrap() > 0 && over[2].3.contains("recycle bin"), "{over:?}");
    let aside = plan(&mut client, &format!("EXPLAIN RESTORE SNAPSHOT one FROM r DATABASE d AS e {properties}")).await;
    let lines: Vec<_> = aside.iter().map(|line| (line.0.as_str(), line.1.as_str())).collect();
    assert_eq!(lines, [("CREATE", "e"), ("CREATE", "a"), ("CREATE", "b"), ("TOTAL", "")]);
    assert!(client.rows("SHOW DATABASES LIKE 'e'").await.is_empty());
    client.run("DROP TABLE a; CREATE TABLE a (other STRING); DROP TABLE b; CREATE TABLE b (k INT, v INT)").await;
    let conflicts = plan(&mut client, &format!("EXPLAIN RESTORE SNAPSHOT d.one FROM r {properties}")).await;
    assert!(conflicts.len() > 2 && conflicts.iter().all(|line| line.0 == "CONFLICT"), "{conflicts:?}");
    assert!(client.rows("SHOW RESTORE").await.is_empty());
    client.refused("EXPLAIN RESTORE SNAPSHOT d.one FROM r", 1105, "backup_timestamp").await;
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn dropping_a_snapshot_is_explained() {
    let world = World::new().await;
    let mut client = stocked(&world).await;
    client.run("BACKUP SNAPSHOT d.one TO r").await;
    finished(&world, "d", "backup").await;
    client.run("INSERT INTO b VALUES (77, 7); BACKUP SNAPSHOT d.two TO r").await;
    finished(&world, "d", "backup").await;
    let one = plan(&mut client, "EXPLAIN DROP SNAPSHOT two ON r").await;
    assert_eq!((one.len(), one[0].0.as_str(), one[0].1.as_str()), (1, "DROP", "two"));
    assert!(one[0].2.unwrap() > 0 && one[0].3.contains("next sweep"), "{one:?}");
    client.run("HOLD SNAPSHOT two ON r REASON 'audit'").await;
    let held = plan(&mut client, "EXPLAIN DROP SNAPSHOT two ON r").await;
    assert!(held[0].0 == "CONFLICT" && held[0].3.contains("audit"), "{held:?}");
    client.refused("EXPLAIN DROP SNAPSHOT three ON r", 1105, "three").await;
    assert_eq!(client.rows("SHOW SNAPSHOT ON r").await.len(), 2);
    // A table may have such a name.
    client.run("CREATE TABLE backup (snapshot INT)").await;
    assert_eq!(client.rows("EXPLAIN backup").await.len(), 1);
    world.end().await;
}
