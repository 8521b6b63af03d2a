use super::World;
use node::engine::{Engine, EngineOptions};

#[tokio::test(flavor = "multi_thread")]
async fn one_data_directory_has_one_engine() {
    let world = World::new().await;
    let second = Engine::open(EngineOptions::new(world.path("data"))).await.unwrap_err();
    assert!(second.message.contains("is in use by another process"), "{second}");
    let world = world.restart().await;
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_directory_that_cannot_be_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("file");
    std::fs::write(&file, "x").unwrap();
    let failed = Engine::open(EngineOptions::new(file.join("data"))).await.unwrap_err();
    assert!(failed.message.contains("data directory"), "{failed}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_acknowledged_is_there_after_a_kill() {
    // The files are copied one after the other, while loads go on: the versions that the catalog of the copy names must
    // still be in the tablet store, which is copied later.
    let world = World::with(|mut options| {
        options.store.keep_versions = 1 << 20;
        options
    })
    .await;
    let mut client = world.in_database().await;
    client.run("CREATE TABLE t (k INT, v INT) DISTRIBUTED BY HASH (k) BUCKETS 2; CREATE TABLE p (k INT, v INT) PRIMARY KEY (k)").await;
    let mut writer = world.client();
    let writing = tokio::spawn(async move {
        for k in 0.. {
            if writer.execute(&format!("INSERT INTO d.t VALUES ({k}, 0), ({k}, 1)")).await.is_err() {
                return;
            }
        }
    });
    for round in 0..4 {
        client
            .run(&format!("INSERT INTO p VALUES ({round}, {round}); UPDATE p SET v = v + 10 WHERE k = {round}"))
            .await;
        client.run(&format!("CREATE TABLE x{round} (k INT)")).await;
        let acknowledged: u64 = client.one("SELECT count(*) FROM t").await.parse().unwrap();
        let killed = world.crash().await;
        let mut after = killed.client();
        let found: u64 = after.one("SELECT count(*) FROM d.t").await.parse().unwrap();
        assert!(found >= acknowledged && found.is_multiple_of(2), "{found} of {acknowledged}");
        assert_eq!(after.one("SELECT count(*) FROM d.p WHERE v = k + 10").await, (round + 1).to_string());
        assert_eq!(after.one(&format!("SELECT count(*) FROM d.x{round}")).await, "0");
        // It takes loads again, at once, in every table.
        after.run("INSERT INTO d.t VALUES (-1, 0), (-1, 1); INSERT INTO d.p VALUES (-1, 9)").await;
        assert_eq!(after.one("SELECT count(*) FROM d.t").await, (found + 2).to_string());
        killed.end().await;
    }
    writing.abort();
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn dropped_tables_leave_nothing_after_their_time() {
    let world = World::with(|mut options| {
        options.tidy_every = std::time::Duration::from_millis(50);
        options
    })
    .await;
    let mut client = world.in_database().await;
    client.run("CREATE TABLE t (k INT) DISTRIBUTED BY HASH (k) BUCKETS 3; INSERT INTO t VALUES (1), (2), (3)").await;
    client.run("DROP TABLE t FORCE").await;
    let tablets = world.path("data/tablets");
    for _ in 0..100 {
        let left: usize = std::fs::read_dir(&tablets)
            .unwrap()
            .filter_map(|entry| std::fs::read_dir(entry.unwrap().path()).ok())
            .map(Iterator::count)
            .sum();
        if left == 0 {
            world.end().await;
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    panic!("files of a dropped table are left");
}
