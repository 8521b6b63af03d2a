//! What is done to repositories and to the snapshots in them, in SQL.

use super::jobs::{ended, finished, stocked, stopping_at, timestamp};
use super::{Client, World};
use env::ids::JobId;
use env::rt::Duration;
use std::path::{Path, PathBuf};

const WAIT: Duration = Duration::from_mins(1);

async fn backup(world: &World, client: &mut Client, label: &str, properties: &str) {
    client.run(&format!("BACKUP SNAPSHOT d.{label} TO r {properties}")).await;
    finished(world, "d", "backup").await;
}

async fn labels(client: &mut Client) -> Vec<String> {
    client.rows("SHOW SNAPSHOT ON r").await.into_iter().map(|row| row[0].clone().unwrap()).collect()
}

/// The first column of a query's only row.
async fn value(client: &mut Client, query: &str) -> Option<String> {
    let rows = client.rows(query).await;
    assert_eq!(rows.len(), 1, "{query}: {rows:?}");
    rows[0][0].clone()
}

/// Waits for the newest verifier.
async fn verified(world: &World, client: &mut Client) -> Vec<Option<String>> {
    let id = client.rows("SHOW VERIFY").await[0][0].clone().unwrap().parse().unwrap();
    world.engine.jobs().wait_verify(JobId(id), WAIT).await.unwrap();
    client.rows("SHOW VERIFY FROM r").await.remove(0)
}

#[tokio::test(flavor = "multi_thread")]
async fn snapshots_are_dropped_held_and_released() {
    let world = World::new().await;
    let mut client = stocked(&world).await;
    for label in ["monday", "tuesday"] {
        backup(&world, &mut client, label, "").await;
    }
    for (text, words) in [
        ("DROP SNAPSHOT monday ON nowhere", "repository nowhere does not exist"),
        ("DROP SNAPSHOT munday ON r", "did you mean monday?"),
        ("DROP SNAPSHOT zzz ON r FORCE", "SHOW SNAPSHOT lists those that do"),
        ("HOLD SNAPSHOT munday ON r", "did you mean monday?"),
        ("RELEASE SNAPSHOT monday ON r", "snapshot monday in repository r is not held"),
        ("SWEEP REPOSITORY nowhere", "repository nowhere does not exist"),
    ] {
        client.refused(text, 1105, words).await;
    }
    client.run("HOLD SNAPSHOT monday ON r REASON 'case 7'").await;
    client.refused("DROP SNAPSHOT monday ON r FORCE", 1105, "RELEASE SNAPSHOT monday ON r lets go of it").await;
    client.refused("HOLD SNAPSHOT monday ON r REASON 'another'", 1105, "is held (case 7)").await;
    let stamp = timestamp(&mut client, "monday").await;
    let detailed =
        client.rows(&format!("SHOW SNAPSHOT ON r WHERE SNAPSHOT = 'monday' AND TIMESTAMP = '{stamp}'")).await;
    assert!(detailed[0][3].as_ref().unwrap().contains("\"held\": \"case 7\""), "{detailed:?}");
    let held = "SELECT hold_reason FROM information_schema.snapshots WHERE held = 'YES'";
    assert_eq!(value(&mut client, held).await.as_deref(), Some("case 7"));
    client.run("RELEASE SNAPSHOT monday ON r; DROP SNAPSHOT monday ON r").await;
    assert_eq!(labels(&mut client).await, ["tuesday"]);
    client.refused("DROP SNAPSHOT monday ON r", 1105, "does not exist in repository r").await;

    assert_eq!(
        client.names("SWEEP REPOSITORY r DRY RUN").await,
        ["Decision", "Objects", "FreedBytes", "RefusedObjects", "KeptObjects", "ForeignObjects", "Generation"]
    );
    client.run("SWEEP REPOSITORY r").await;
    let nothing = client.rows("SWEEP REPOSITORY r").await;
    assert_eq!(nothing[0][..3].iter().flatten().map(String::as_str).collect::<Vec<_>>(), ["DELETED", "0", "0"]);
    let swept = "SELECT garbage_bytes FROM information_schema.repositories \
                 WHERE repository = 'r' AND last_sweep IS NOT NULL AND swept_bytes > 0 AND last_error IS NULL";
    assert_eq!(value(&mut client, swept).await.as_deref(), Some("0"));
    // What is left can be restored.
    let stamp = timestamp(&mut client, "tuesday").await;
    client.run(&format!("RESTORE SNAPSHOT e.tuesday FROM r PROPERTIES ('backup_timestamp' = '{stamp}')")).await;
    finished(&world, "e", "restore").await;
    let place = world.path("repo").display().to_string();
    client.run(&format!("CREATE READ ONLY REPOSITORY ro ON LOCATION 'file://{place}'")).await;
    for text in [
        "DROP SNAPSHOT tuesday ON ro",
        "HOLD SNAPSHOT tuesday ON ro",
        "RELEASE SNAPSHOT tuesday ON ro",
        "ALTER REPOSITORY ro SET RETENTION (KEEP LAST 1)",
        "APPLY RETENTION ON ro KEEP LAST 1",
        "SWEEP REPOSITORY ro",
    ] {
        client.refused(text, 1105, "repository ro is read only").await;
    }
    client.run("APPLY RETENTION ON ro KEEP LAST 1 DRY RUN; SWEEP REPOSITORY ro DRY RUN").await;
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_running_job_uses_is_not_dropped() {
    let (world, go, mut arrived) = stopping_at("backup.uploading").await;
    let mut client = stocked(&world).await;
    client.run("BACKUP SNAPSHOT d.s TO r").await;
    arrived.wait_for(|reached| *reached).await.unwrap();
    let job = world.engine.last_job("d", "backup").await.unwrap().unwrap();
    let words =
        format!("it is being written by backup job {job} of database d; wait for the job, or end it with CANCEL");
    client.refused("DROP SNAPSHOT s ON r FORCE", 1105, &words).await;
    let row = client.rows("SELECT job, standing, purpose FROM information_schema.repository_sessions").await;
    assert_eq!(row, [[Some(job.to_string()), Some("RUNNING".to_owned()), Some("backup".to_owned())]]);

    client.run("ALTER BACKUP FROM d SET ('max_bytes_per_second' = '100MB')").await;
    client.run("ALTER BACKUP SET ('max_requests_per_second' = '1000')").await;
    let limits = world.engine.jobs().get(job).await.unwrap().limits;
    assert_eq!((limits.max_bytes_per_second, limits.max_requests_per_second), (Some(100_000_000), Some(1_000)));
    for (text, code, words) in [
        ("ALTER BACKUP SET ('max_bytes_per_second' = 'fast')", 1105, "not \"fast\""),
        ("ALTER BACKUP SET ('timeout' = '7')", 1105, "unknown properties: [timeout]"),
        ("ALTER RESTORE FROM d SET ('max_bytes_per_second' = '1')", 1105, "no restore job is running in database d"),
        ("ALTER BACKUP FROM nope SET ('max_bytes_per_second' = '1')", 1049, "nope"),
    ] {
        client.refused(text, code, words).await;
    }
    go.send_replace(true);
    finished(&world, "d", "backup").await;
    client.refused("ALTER BACKUP SET ('max_bytes_per_second' = '1')", 1105, "no backup job is running").await;
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_retention_is_tried_set_and_applied() {
    let world = World::new().await;
    let mut client = stocked(&world).await;
    for label in ["a", "b", "c"] {
        backup(&world, &mut client, label, "").await;
    }
    let columns = ["Snapshot", "Timestamp", "Database", "Decision", "Reason", "FreedBytes"];
    assert_eq!(client.names("APPLY RETENTION ON r KEEP LAST 1 DRY RUN").await, columns);
    let decisions = |rows: Vec<Vec<Option<String>>>| {
        rows.into_iter()
            .map(|row| format!("{} {}", row[0].clone().unwrap(), row[3].clone().unwrap()))
            .collect::<Vec<_>>()
    };
    let dry = client.rows("APPLY RETENTION ON r KEEP LAST 1 DRY RUN").await;
    assert!(dry[0][4].as_ref().unwrap().contains("newest 1") && dry[0][5].is_none(), "{dry:?}");
    assert!(dry[1][5].as_ref().unwrap().parse::<u64>().unwrap() > 0, "{dry:?}");
    assert_eq!(decisions(dry), ["c KEEP", "b DROP", "a DROP"]);
    assert_eq!(labels(&mut client).await, ["a", "b", "c"]);
    for (text, words) in [
        ("APPLY RETENTION ON r KEEP LAST 0", "KEEP LAST must be at least 1, not 0"),
        ("APPLY RETENTION ON r KEEP WITHIN 'a while' DRY RUN", "KEEP WITHIN: \"a while\" is not a time"),
        ("ALTER REPOSITORY r SET RETENTION (KEEP LAST 0, KEEP WITHIN '0s')", "\"0s\" is less than a second"),
        ("ALTER REPOSITORY nowhere SET RETENTION (KEEP LAST 1)", "nowhere"),
        ("APPLY RETENTION ON nowhere", "nowhere"),
    ] {
        client.refused(text, 1105, words).await;
    }
    assert!(client.rows("APPLY RETENTION ON r").await.is_empty(), "without a retention nothing goes");
    let done = client.rows("APPLY RETENTION ON r KEEP LAST 1 MIN 2").await;
    assert_eq!(decisions(done), ["a DROPPED"]);
    assert_eq!(labels(&mut client).await, ["b", "c"]);

    let set = "SELECT retention FROM information_schema.repositories WHERE repository = 'r'";
    assert_eq!(value(&mut client, set).await, None);
    client.run("ALTER REPOSITORY r SET RETENTION (KEEP LAST 1, KEEP WITHIN '30 DAY', MIN 1)").await;
    assert_eq!(value(&mut client, set).await.as_deref(), Some("KEEP LAST 1, KEEP WITHIN '30days', MIN 1"));
    assert_eq!(decisions(client.rows("APPLY RETENTION ON r DRY RUN").await), ["c KEEP", "b KEEP"], "both are young");
    let world = world.restart().await;
    let mut client = world.client();
    assert!(value(&mut client, set).await.is_some());
    client.run("ALTER REPOSITORY r DROP RETENTION").await;
    assert_eq!(value(&mut client, set).await, None);
    // Set to keep one, it is applied without being asked.
    client.run("ALTER REPOSITORY r SET RETENTION (KEEP LAST 1)").await;
    let applied = tokio::time::timeout(WAIT, async {
        while labels(&mut client).await != ["c"] {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    });
    applied.await.expect("the retention is not applied");
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_time_to_live_is_checked_kept_and_shown() {
    let world = World::new().await;
    let mut client = stocked(&world).await;
    for (ttl, words) in [
        ("soon", "property \"ttl\": \"soon\" is not a time"),
        ("0d", "\"0d\" is less than a second"),
        ("-1d", "\"-1d\" is not a time"),
        ("2000 years", "more than a thousand years"),
    ] {
        client.refused(&format!("BACKUP SNAPSHOT d.s TO r PROPERTIES ('ttl' = '{ttl}')"), 1105, words).await;
    }
    backup(&world, &mut client, "week", "PROPERTIES ('ttl' = '7 DAY')").await;
    backup(&world, &mut client, "ever", "PROPERTIES ('ttl' = '')").await;
    let rows = client.rows("SELECT label, expires IS NULL FROM information_schema.snapshots ORDER BY label").await;
    let cells: Vec<String> = rows.into_iter().flatten().flatten().collect();
    assert_eq!(cells, ["ever", "true", "week", "false"]);
    let stamp = timestamp(&mut client, "week").await;
    let detailed = client.rows(&format!("SHOW SNAPSHOT ON r WHERE SNAPSHOT = 'week' AND TIMESTAMP = '{stamp}'")).await;
    let details: serde_json::Value = serde_json::from_str(detailed[0][3].as_ref().unwrap()).unwrap();
    let lives_ms = details["expire_time"].as_u64().unwrap() - details["backup_time"].as_u64().unwrap();
    assert!((604_800_000..604_860_000).contains(&lives_ms), "{lives_ms}");
    world.end().await;
}

/// The largest data object of a repository.
fn largest(dir: &Path) -> PathBuf {
    let mut found: Vec<(u64, PathBuf)> = Vec::new();
    for session in std::fs::read_dir(dir.join("data")).unwrap() {
        for object in std::fs::read_dir(session.unwrap().path()).unwrap() {
            let object = object.unwrap();
            found.push((object.metadata().unwrap().len(), object.path()));
        }
    }
    found.sort();
    found.pop().unwrap().1
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repository_is_verified_and_damage_is_told() {
    let world = World::new().await;
    let mut client = stocked(&world).await;
    backup(&world, &mut client, "s", "").await;
    for (text, words) in [
        ("VERIFY REPOSITORY nowhere", "nowhere"),
        ("VERIFY REPOSITORY r SNAPSHOT t", "snapshot t does not exist in repository r"),
        ("VERIFY REPOSITORY r LEVEL 'deep'", "\"deep\" is not a level of verifying"),
        ("VERIFY REPOSITORY r PROPERTIES ('timeout' = '1')", "timeout"),
        ("CANCEL VERIFY FROM r", "repository r is not being verified"),
        ("CANCEL VERIFY FROM nowhere", "nowhere"),
        ("SHOW VERIFY FROM nowhere", "nowhere"),
    ] {
        client.refused(text, 1105, words).await;
    }
    assert!(client.rows("SHOW VERIFY").await.is_empty());
    client.run("VERIFY REPOSITORY r SNAPSHOT s LEVEL 'full' PROPERTIES ('timeout' = '3600')").await;
    let row = verified(&world, &mut client).await;
    assert_eq!(
        client.names("SHOW VERIFY").await,
        [
            "JobId",
            "Repository",
            "Snapshot",
            "Level",
            "State",
            "CreateTime",
            "FinishedTime",
            "Progress",
            "BytesRead",
            "Findings",
            "Verdict",
            "Message"
        ]
    );
    let cells: Vec<&str> = row[1..5].iter().chain(&row[7..8]).chain(&row[10..]).flatten().map(String::as_str).collect();
    assert_eq!(cells, ["r", "s", "full", "FINISHED", "100%", "sound", ""]);
    let known = "SELECT verdict FROM information_schema.snapshots \
                 WHERE label = 's' AND last_verify_level = 'full' AND last_verified IS NOT NULL";
    assert_eq!(value(&mut client, known).await.as_deref(), Some("sound"));

    let object = largest(&world.path("repo"));
    let mut bytes = std::fs::read(&object).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::remove_file(&object).unwrap();
    std::fs::write(&object, bytes).unwrap();
    client.run("VERIFY REPOSITORY r LEVEL 'full'").await;
    let row = verified(&world, &mut client).await;
    assert_eq!(row[10].as_deref(), Some("damaged"));
    assert!(row[11].as_ref().unwrap().starts_with("not sound: s; information_schema.verify_findings"), "{row:?}");
    let found = client
        .rows("SELECT kind, snapshots, object FROM information_schema.verify_findings WHERE severity = 'error'")
        .await;
    assert_eq!((found.len(), found[0][0].as_deref(), found[0][1].as_deref()), (1, Some("bad_checksum"), Some("s")));
    assert!(object.ends_with(found[0][2].as_ref().unwrap()), "{found:?}");
    assert_eq!(value(&mut client, known).await.as_deref(), Some("damaged"));
    let proven = "SELECT last_proven FROM information_schema.snapshots";
    assert_eq!(value(&mut client, proven).await, None);
    assert_eq!(client.rows("SHOW VERIFY WHERE Verdict = 'sound'").await.len(), 1);
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_limits_of_the_node_outlive_it() {
    let world = World::new().await;
    let mut client = stocked(&world).await;
    let shown = "SHOW GLOBAL VARIABLES LIKE 'backup_max%'";
    let values = |rows: Vec<Vec<Option<String>>>| rows.into_iter().filter_map(|row| row[1].clone()).collect::<Vec<_>>();
    assert_eq!(values(client.rows(shown).await), ["0", "0"]);
    client.run("SET GLOBAL backup_max_bytes_per_second = '100MiB'").await;
    client.run("SET @@global.backup_max_requests_per_second = 50").await;
    assert_eq!(values(client.rows(shown).await), ["104857600", "50"]);
    assert_eq!(value(&mut client, "SELECT @@backup_max_bytes_per_second").await.as_deref(), Some("104857600"));
    client.refused("SET backup_max_bytes_per_second = 5", 1229, "should be set with SET GLOBAL").await;
    client
        .refused("SET GLOBAL backup_max_bytes_per_second = 'fast'", 1105, "variable \"backup_max_bytes_per_second\"")
        .await;
    client.refused("SET GLOBAL backup_max_requests_per_second = -1", 1105, "not \"-1\"").await;
    let world = world.restart().await;
    let mut client = world.client();
    assert_eq!(values(client.rows(shown).await), ["104857600", "50"]);
    assert_eq!(world.engine.jobs().node_limits().bytes_per_second, Some(104_857_600));
    client.run("SET GLOBAL backup_max_bytes_per_second = DEFAULT").await;
    assert_eq!(values(client.rows(shown).await), ["0", "50"]);
    // A backup under them comes to its end.
    client.run("USE d; BACKUP SNAPSHOT d.s TO r PROPERTIES ('max_bytes_per_second' = '10MB')").await;
    assert_eq!(ended(&world, "d", "backup").await.state_name(), "FINISHED");
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_repositories_cost_can_be_asked_for() {
    let world = World::new().await;
    let mut client = stocked(&world).await;
    assert!(client.rows("SELECT * FROM information_schema.snapshots").await.is_empty());
    backup(&world, &mut client, "a", "").await;
    backup(&world, &mut client, "b", "").await;
    let row = client
        .rows(
            "SELECT repository, label, timestamp, database, cluster, tables, bytes, sent, stored, unique_bytes, shared_bytes, \
             freed_if_dropped, status FROM information_schema.snapshots ORDER BY label",
        )
        .await;
    assert_eq!(row.len(), 2);
    let number = |cell: &Option<String>| cell.as_ref().unwrap().parse::<u64>().unwrap();
    assert!(number(&row[0][10]) > 0, "nothing changed, so the two share: {row:?}");
    assert_eq!((number(&row[1][7]), row[1][12].as_deref()), (0, Some("OK")), "and nothing was sent again");
    assert_eq!(number(&row[0][8]), number(&row[0][9]) + number(&row[0][10]));
    // A repository that is gone is told, and the others are there all the same.
    let place = world.path("other").display().to_string();
    client.run(&format!("CREATE REPOSITORY other ON LOCATION 'file://{place}'")).await;
    let world = world.restart().await;
    std::fs::remove_dir_all(world.path("other")).unwrap();
    let mut client = world.client();
    let status = "SELECT status FROM information_schema.repositories ORDER BY repository";
    let all = client.rows(status).await;
    assert!(all[0][0].as_ref().unwrap().starts_with("ERROR: "), "{all:?}");
    assert_eq!(all[1][0].as_deref(), Some("OK"));
    let broken = client.rows("SELECT label, status FROM information_schema.snapshots WHERE repository = 'other'").await;
    assert!(broken[0][0].is_none() && broken[0][1].as_ref().unwrap().starts_with("ERROR: "), "{broken:?}");
    assert_eq!(client.rows("SELECT * FROM information_schema.snapshots WHERE status = 'OK'").await.len(), 2);
    world.end().await;
}
