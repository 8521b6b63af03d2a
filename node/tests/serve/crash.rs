//! `kill -9` at every named point of a backup and of a restore, a restart, and then: the job ends, with the old data
//! whole or the new, no label is burnt, and no file is left that nobody owns.

use crate::leftovers;
use crate::server::{Client, PATIENCE, Server};
use std::fs;
use std::path::Path;

const BACKUP_STATES: [&str; 6] = ["pending", "snapshoting", "upload_snapshot", "uploading", "save_meta", "upload_info"];
const RESTORE_STATES: [&str; 6] = ["pending", "snapshoting", "download", "downloading", "commit", "committing"];

fn points(kind: &str, states: &[&str]) -> Vec<String> {
    states.iter().flat_map(|state| [format!("{kind}.{state}"), format!("{kind}.{state}.done")]).collect()
}

/// A data directory with a database of two tables and a repository.
async fn prepare(dir: &Path) {
    let server = Server::start(&dir.join("data"), None);
    let mut client = server.connect().await;
    client.run("CREATE DATABASE shop").await;
    client.run("USE shop").await;
    client
        .run("CREATE TABLE orders (id BIGINT NOT NULL, note VARCHAR(50)) PRIMARY KEY (id) DISTRIBUTED BY HASH (id) BUCKETS 3")
        .await;
    client
        .run(
            "CREATE TABLE events (day DATE NOT NULL, what STRING) DUPLICATE KEY (day) PARTITION BY RANGE (day) \
             (START ('2026-01-01') END ('2026-04-01') EVERY (INTERVAL 1 MONTH)) DISTRIBUTED BY RANDOM BUCKETS 2",
        )
        .await;
    client.run("INSERT INTO orders VALUES (1, 'one'), (2, 'two'), (3, 'three'), (4, 'four')").await;
    client.run("UPDATE orders SET note = 'changed' WHERE id = 2").await;
    client.run("DELETE FROM orders WHERE id = 4").await;
    client.run("INSERT INTO events VALUES ('2026-01-05', 'a'), ('2026-02-05', 'b'), ('2026-03-05', 'c')").await;
    client
        .run(&format!("CREATE REPOSITORY repo WITH BROKER ON LOCATION 'file://{}'", dir.join("repository").display()))
        .await;
    drop(client);
    assert_eq!(server.terminate(), Some(0));
}

const CUT: &str = "1:one 2:changed 3:three | 2026-01-05:a 2026-02-05:b 2026-03-05:c";
const LATER: &str = "1:one 2:changed 9:later | 2026-01-05:a 2026-02-05:b 2026-02-06:later 2026-03-05:c";

async fn contents(client: &mut Client) -> String {
    let mut shown = Vec::new();
    for statement in ["SELECT id, note FROM shop.orders ORDER BY id", "SELECT day, what FROM shop.events ORDER BY day"]
    {
        let rows = client.rows(statement).await;
        let rows: Vec<String> = rows
            .into_iter()
            .map(|row| row.into_iter().map(Option::unwrap_or_default).collect::<Vec<_>>().join(":"))
            .collect();
        shown.push(rows.join(" "));
    }
    shown.join(" | ")
}

async fn make_later(client: &mut Client) {
    client.run("DELETE FROM shop.orders WHERE id = 3").await;
    client.run("INSERT INTO shop.orders VALUES (9, 'later')").await;
    client.run("INSERT INTO shop.events VALUES ('2026-02-06', 'later')").await;
}

async fn timestamp(client: &mut Client, label: &str) -> String {
    let rows = client.rows(&format!("SHOW SNAPSHOT ON repo WHERE SNAPSHOT = '{label}'")).await;
    assert_eq!(rows.len(), 1, "{rows:?}");
    assert_eq!(rows[0][2].as_deref(), Some("OK"), "{rows:?}");
    rows[0][1].clone().expect("a timestamp")
}

async fn restore(client: &mut Client, label: &str) -> Result<(), mysql_async::Error> {
    let stamp = timestamp(client, label).await;
    client
        .try_run(&format!("RESTORE SNAPSHOT shop.{label} FROM repo PROPERTIES ('backup_timestamp' = '{stamp}')"))
        .await
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap().map(Result::unwrap) {
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_killed_at_any_point_ends_after_a_restart() {
    let template = tempfile::tempdir().unwrap();
    prepare(template.path()).await;
    let mut finished = 0;
    for point in points("backup", &BACKUP_STATES) {
        let dir = tempfile::tempdir().unwrap();
        copy(&template.path().join("data"), &dir.path().join("data"));
        // The repository's place is in its record: every round has it to itself, at the same path.
        let repository = template.path().join("repository");
        let untouched = repository_template(template.path());
        fs::remove_dir_all(&repository).unwrap();
        copy(&untouched, &repository);

        let mut server = Server::start(&dir.path().join("data"), Some(&point));
        let mut client = server.connect().await;
        client.run("BACKUP SNAPSHOT shop.label TO repo").await;
        server.wait_for(&format!("stopped at {point}"));
        drop(client);
        server.kill();

        let server = Server::start(&dir.path().join("data"), None);
        let mut client = server.connect().await;
        let state = client.end_of_job("BACKUP", "shop").await;
        assert!(state == "FINISHED" || state == "CANCELLED", "{point}: {state}");
        if state == "CANCELLED" {
            client.run("BACKUP SNAPSHOT shop.label TO repo").await;
            assert_eq!(client.end_of_job("BACKUP", "shop").await, "FINISHED", "{point}: the label is burnt");
        } else {
            finished += 1;
        }
        assert_eq!(contents(&mut client).await, CUT, "{point}");
        make_later(&mut client).await;
        restore(&mut client, "label").await.unwrap();
        assert_eq!(client.end_of_job("RESTORE", "shop").await, "FINISHED", "{point}");
        assert_eq!(contents(&mut client).await, CUT, "{point}");
        drop(client);
        assert_eq!(server.terminate(), Some(0));
        leftovers::none(&dir.path().join("data"), &repository).await;
    }
    assert!(finished > 0, "no backup went on after a kill");
}

/// The repository as `prepare` left it: kept aside, once.
fn repository_template(template: &Path) -> std::path::PathBuf {
    let aside = template.join("repository-template");
    if !aside.exists() {
        copy(&template.join("repository"), &aside);
    }
    aside
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restore_killed_at_any_point_leaves_the_old_data_or_the_new() {
    let template = tempfile::tempdir().unwrap();
    prepare(template.path()).await;
    {
        let server = Server::start(&template.path().join("data"), None);
        let mut client = server.connect().await;
        client.run("BACKUP SNAPSHOT shop.label TO repo").await;
        assert_eq!(client.end_of_job("BACKUP", "shop").await, "FINISHED");
        make_later(&mut client).await;
        assert_eq!(contents(&mut client).await, LATER);
        drop(client);
        server.terminate();
    }
    for point in points("restore", &RESTORE_STATES) {
        let dir = tempfile::tempdir().unwrap();
        copy(&template.path().join("data"), &dir.path().join("data"));
        let mut server = Server::start(&dir.path().join("data"), Some(&point));
        let mut client = server.connect().await;
        restore(&mut client, "label").await.unwrap();
        server.wait_for(&format!("stopped at {point}"));
        let seen = contents(&mut client).await;
        assert!(seen == LATER || seen == CUT, "{point}: a mix: {seen}");
        drop(client);
        server.kill();

        let server = Server::start(&dir.path().join("data"), None);
        let mut client = server.connect().await;
        let state = client.end_of_job("RESTORE", "shop").await;
        let expected = if state == "FINISHED" { CUT } else { LATER };
        assert_eq!(contents(&mut client).await, expected, "{point}: {state}");
        // Loads and DDL are free again, and restored Primary Key tables take upserts.
        client.run("INSERT INTO shop.orders VALUES (1, 'again')").await;
        client.run("ALTER TABLE shop.events RENAME happenings").await;
        drop(client);
        assert_eq!(server.terminate(), Some(0));
        leftovers::none(&dir.path().join("data"), &template.path().join("repository")).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_under_restore_is_read_but_not_changed_and_can_be_called_off() {
    let dir = tempfile::tempdir().unwrap();
    prepare(dir.path()).await;
    {
        let server = Server::start(&dir.path().join("data"), None);
        let mut client = server.connect().await;
        client.run("BACKUP SNAPSHOT shop.label TO repo").await;
        assert_eq!(client.end_of_job("BACKUP", "shop").await, "FINISHED");
        make_later(&mut client).await;
    }
    let mut server = Server::start(&dir.path().join("data"), Some("restore.commit"));
    let mut client = server.connect().await;
    restore(&mut client, "label").await.unwrap();
    server.wait_for("stopped at restore.commit");
    assert_eq!(contents(&mut client).await, LATER);
    for refused in [
        "INSERT INTO shop.orders VALUES (5, 'five')",
        "UPDATE shop.orders SET note = 'x' WHERE id = 1",
        "DELETE FROM shop.events WHERE day = '2026-01-05'",
        "ALTER TABLE shop.orders RENAME other",
        "DROP TABLE shop.events",
        "TRUNCATE TABLE shop.orders",
    ] {
        let error = client.try_run(refused).await.expect_err(refused).to_string();
        assert!(error.contains("label") && error.contains("CANCEL RESTORE"), "{refused}: {error}");
    }
    client.run("CANCEL RESTORE FROM shop").await;
    assert_eq!(client.end_of_job("RESTORE", "shop").await, "CANCELLED");
    assert_eq!(contents(&mut client).await, LATER);
    client.run("INSERT INTO shop.orders VALUES (5, 'five')").await;
    let (names, _) = client.described("SHOW RESTORE FROM shop").await;
    assert_eq!(names.len(), 18);
    drop(client);
    drop(server.look_for("nothing", PATIENCE / 600));
}
