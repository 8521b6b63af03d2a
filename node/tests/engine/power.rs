//! Power cuts between any two writes of a script: what was acknowledged is there, what was not is there whole or not at all, and
//! the tables take loads again.

use super::Client;
use env::disk::{MemDisk, RealDisk};
use env::rt::Duration;
use node::engine::{Engine, EngineOptions};
use node::error::EngineError;
use snapshot::Connections;
use std::path::Path;
use std::sync::Arc;

const SETUP: &str = "CREATE DATABASE d; USE d; \
    CREATE TABLE t (k INT, v INT) PARTITION BY RANGE (k) (PARTITION a VALUES LESS THAN ('100'), PARTITION b VALUES LESS THAN ('200')) \
    DISTRIBUTED BY HASH (k) BUCKETS 2; \
    CREATE TABLE p (k INT, v INT) PRIMARY KEY (k) DISTRIBUTED BY HASH (k) BUCKETS 2; \
    INSERT INTO t VALUES (1, 1), (150, 1); INSERT INTO p VALUES (1, 1), (2, 2), (3, 3)";

const SCRIPT: [&str; 8] = [
    "INSERT INTO t VALUES (2, 2), (3, 2), (160, 2), (170, 2)",
    "UPDATE p SET v = v + 10 WHERE k <> 2",
    "DELETE FROM t WHERE v = 1",
    "DELETE FROM p WHERE k = 1",
    "TRUNCATE TABLE t PARTITION (a)",
    "ALTER TABLE t ADD PARTITION c VALUES LESS THAN ('300')",
    "CREATE TABLE x (k INT)",
    "DROP TABLE x FORCE",
];

async fn open(disk: &MemDisk, dir: &Path) -> Result<Engine, EngineError> {
    let mut options = EngineOptions::new(dir);
    // Nothing but the script writes.
    options.tidy_every = Duration::from_hours(1);
    let repositories = Connections::new(|dir| Arc::new(RealDisk::new(dir)));
    Engine::open_on(Arc::new(disk.clone()), Arc::new(repositories), options).await
}

fn client(engine: &Engine) -> Client {
    Client { session: engine.session("root") }
}

/// Everything that a reader can see.
async fn contents(engine: &Engine) -> Vec<String> {
    let mut client = client(engine);
    let mut all = client.lines("SHOW TABLES FROM d").await;
    all.extend(
        client.lines("SELECT table_name, partition_name FROM information_schema.partitions ORDER BY 1, 2").await,
    );
    all.extend(client.lines("SELECT 't', k, v FROM d.t ORDER BY k, v").await);
    all.extend(client.lines("SELECT 'p', k, v FROM d.p ORDER BY k, v").await);
    all
}

#[tokio::test(flavor = "multi_thread")]
async fn a_power_cut_anywhere_keeps_statements_whole() {
    let spill = tempfile::tempdir().unwrap();
    let disk = MemDisk::new();
    let engine = open(&disk, spill.path()).await.unwrap();
    let mut session = client(&engine);
    session.run(SETUP).await;
    let before = disk.changes();
    let mut states = vec![contents(&engine).await];
    for statement in SCRIPT {
        session.run(statement).await;
        states.push(contents(&engine).await);
    }
    let changes = disk.changes() - before;
    engine.shutdown().await;
    assert!(changes > 40, "{changes}");
    let stride = usize::try_from(changes / 50 + 1).unwrap();
    let (mut undone, mut done) = (0, 0);
    for cut in (0..changes).step_by(stride) {
        let disk = MemDisk::new();
        let engine = open(&disk, spill.path()).await.unwrap();
        let mut session = client(&engine);
        session.run(SETUP).await;
        disk.cut_after(cut, cut.wrapping_mul(31));
        let mut acknowledged = 0;
        for statement in SCRIPT {
            match session.execute(statement).await {
                Ok(_) => acknowledged += 1,
                Err(_) => break,
            }
        }
        drop((session, engine));
        let disk = disk.power_cut(cut);
        let engine = open(&disk, spill.path()).await.unwrap_or_else(|failed| panic!("cut after {cut}: {failed}"));
        let found = contents(&engine).await;
        let next = (acknowledged + 1).min(SCRIPT.len());
        assert!(
            found == states[acknowledged] || found == states[next],
            "cut after {cut} changes, {acknowledged} statements acknowledged: found {found:?}, expected {:?} or {:?}",
            states[acknowledged],
            states[next]
        );
        if acknowledged < SCRIPT.len() {
            *if found == states[acknowledged] { &mut undone } else { &mut done } += 1;
        }
        // Every partition takes the next load.
        let mut session = client(&engine);
        session
            .run("INSERT INTO d.t VALUES (5, 5), (155, 5); INSERT INTO d.p VALUES (5, 5); DELETE FROM d.t WHERE v = 5")
            .await;
        assert_eq!(session.one("SELECT count(*) FROM d.p WHERE k = 5").await, "1");
        drop((session, engine));
    }
    assert!(undone > 0, "no cut came before the end of a statement");
    assert!(done + undone > 10, "{done} {undone}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_refuses_and_recovers() {
    let spill = tempfile::tempdir().unwrap();
    let disk = MemDisk::new();
    let engine = open(&disk, spill.path()).await.unwrap();
    let mut session = client(&engine);
    session.run(SETUP).await;
    let before = contents(&engine).await;
    disk.limit(Some(1));
    let failed = session.fails("INSERT INTO d.t SELECT k, v FROM d.t").await;
    assert!(failed.message.contains("space") || failed.message.contains("full"), "{failed:?}");
    assert_eq!(contents(&engine).await, before);
    disk.limit(None);
    // What failed on its way to the disk is known to be unusable until the next start; the data is whole then.
    drop((session, engine));
    let engine = open(&disk.power_cut(1), spill.path()).await.unwrap();
    assert_eq!(contents(&engine).await, before);
    client(&engine).run("INSERT INTO d.t VALUES (9, 9)").await;
    engine.shutdown().await;
}
