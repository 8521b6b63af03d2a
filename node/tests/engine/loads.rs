use super::World;
use env::rt::{CancellationToken, Duration};
use futures::StreamExt;
use node::account::Identity;
use node::stream_load::{CsvFormat, LoadFormat, StreamLoad, StreamLoadResult, StreamLoadStatus};

pub fn load(table: &str, label: &str) -> StreamLoad {
    StreamLoad {
        user: Identity::anywhere("root"),
        database: "d".to_owned(),
        table: table.to_owned(),
        label: label.to_owned(),
        format: LoadFormat::Csv(CsvFormat { column_separator: b",".to_vec(), ..CsvFormat::default() }),
        columns: None,
        partitions: None,
        max_filter_ratio: 0.0,
        strict_mode: true,
        timeout: Duration::from_mins(1),
    }
}

pub async fn send(world: &World, load: StreamLoad, text: &'static str) -> StreamLoadResult {
    // In odd pieces, as a network delivers them.
    let pieces: Vec<_> = text.as_bytes().chunks(7).map(|piece| Ok(bytes::Bytes::from_static(piece))).collect();
    let body = futures::stream::iter(pieces).boxed();
    world.engine.stream_load(load, body, CancellationToken::new()).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn labels_are_used_once() {
    let world = World::new().await;
    let mut client = world.in_database().await;
    client.run("CREATE TABLE t (k INT)").await;
    client.run("INSERT INTO t WITH LABEL one VALUES (1)").await;
    client
        .refused(
            "INSERT INTO t WITH LABEL one VALUES (1)",
            1105,
            "label 'one' was used before by a load that has committed",
        )
        .await;
    // A load that failed gives its label back.
    client.refused("INSERT INTO t WITH LABEL two VALUES ('x')", 1105, "not a valid INT").await;
    client.run("INSERT INTO t WITH LABEL two VALUES (2)").await;
    client.run("CREATE DATABASE e; CREATE TABLE e.t (k INT); INSERT INTO e.t WITH LABEL one VALUES (1)").await;
    let shown = client.lines("SHOW LOAD WHERE Label = 'two'").await;
    assert_eq!(shown.len(), 2, "{shown:?}");
    assert!(shown[0].contains("CANCELLED") && shown[1].contains("FINISHED"), "{shown:?}");
    let world = world.restart().await;
    world.client().refused("INSERT INTO d.t WITH LABEL one VALUES (1)", 1105, "used before").await;
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn stream_loads_are_whole_or_not_there() {
    let world = World::new().await;
    let mut client = world.in_database().await;
    client.run("CREATE TABLE t (k INT NOT NULL, v VARCHAR(5), d DATE) DISTRIBUTED BY HASH (k) BUCKETS 3").await;
    let done = send(&world, load("t", "a"), "1,one,2024-01-01\n2,\\N,\\N\n3,drei,2024-02-29\n").await;
    assert_eq!(done.status, StreamLoadStatus::Success, "{done:?}");
    assert_eq!((done.total_rows, done.loaded_rows, done.filtered_rows), (3, 3, 0));
    let again = send(&world, load("t", "a"), "9,x,\\N\n").await;
    assert_eq!(again.status, StreamLoadStatus::LabelAlreadyExists { finished: true });
    let bad = send(&world, load("t", "b"), "4,vier,2024-01-01\nx,y,z\n").await;
    assert_eq!(bad.status, StreamLoadStatus::Fail);
    assert!(
        bad.message.contains("too many filtered rows") && bad.message.contains("not a valid INT"),
        "{}",
        bad.message
    );
    let some = StreamLoad { max_filter_ratio: 0.5, ..load("t", "b") };
    let done = send(&world, some, "4,vier,2024-01-01\nx,y,z\n5,toolong,\\N\n6,six\n7,x,2024-01-02\n8,y,\\N\n").await;
    assert_eq!(done.status, StreamLoadStatus::Success, "{done:?}");
    assert_eq!((done.total_rows, done.loaded_rows, done.filtered_rows), (6, 3, 3));
    let lenient = StreamLoad { strict_mode: false, ..load("t", "c") };
    let done = send(&world, lenient, "10,x,nodate\n").await;
    assert_eq!(done.status, StreamLoadStatus::Success, "{done:?}");
    assert_eq!(
        client.lines("SELECT * FROM t ORDER BY k").await,
        [
            "1 one 2024-01-01",
            "2 NULL NULL",
            "3 drei 2024-02-29",
            "4 vier 2024-01-01",
            "7 x 2024-01-02",
            "8 y NULL",
            "10 x NULL"
        ]
    );
    let unknown = world
        .engine
        .stream_load(load("nope", "z"), futures::stream::empty().boxed(), CancellationToken::new())
        .await
        .unwrap_err();
    assert_eq!(unknown.code, 1146);
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn stream_loads_choose_columns_and_partitions() {
    let world = World::new().await;
    let mut client = world.in_database().await;
    client
        .run(
            "CREATE TABLE t (k INT, v INT DEFAULT '5') PARTITION BY RANGE (k) (PARTITION a VALUES LESS THAN ('10'), \
             PARTITION b VALUES LESS THAN ('20'))",
        )
        .await;
    let columns = ["skipped", "k"].map(str::to_owned).to_vec();
    let some = StreamLoad { columns: Some(columns), partitions: Some(vec!["b".to_owned()]), ..load("t", "a") };
    let done = send(&world, some, "x,1\ny,11\nz,12\n").await;
    assert_eq!(done.status, StreamLoadStatus::Success, "{done:?}");
    assert_eq!((done.loaded_rows, done.unselected_rows), (2, 1));
    assert_eq!(client.lines("SELECT * FROM t ORDER BY k").await, ["11 5", "12 5"]);
    let outside = send(&world, load("t", "b"), "1,1\n99,1\n").await;
    assert_eq!(outside.status, StreamLoadStatus::Fail, "{outside:?}");
    let outside = send(&world, StreamLoad { max_filter_ratio: 0.5, ..load("t", "b") }, "1,1\n99,1\n").await;
    assert_eq!((outside.status, outside.loaded_rows), (StreamLoadStatus::Success, 1));
    // A row that fits nowhere does not open the other partitions to the rows beside it.
    let beside = StreamLoad { partitions: Some(vec!["b".to_owned()]), max_filter_ratio: 0.9, ..load("t", "c") };
    let done = send(&world, beside, "2,1\n99,1\n13,1\n98,1\n").await;
    assert_eq!(done.status, StreamLoadStatus::Success, "{done:?}");
    assert_eq!((done.loaded_rows, done.filtered_rows, done.unselected_rows), (1, 2, 1));
    assert_eq!(client.lines("SELECT k FROM t ORDER BY k").await, ["1", "11", "12", "13"]);
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_breaks_off_loads_nothing() {
    let world = World::new().await;
    let mut client = world.in_database().await;
    client.run("CREATE TABLE t (k INT)").await;
    let pieces = vec![Ok(bytes::Bytes::from_static(b"1\n2\n")), Err(std::io::Error::other("gone"))];
    let body = futures::stream::iter(pieces).boxed();
    let done = world.engine.stream_load(load("t", "a"), body, CancellationToken::new()).await.unwrap();
    assert_eq!(done.status, StreamLoadStatus::Fail);
    assert!(done.message.contains("broke off"), "{}", done.message);
    // Stopped while it waits for more.
    let stop = CancellationToken::new();
    let body =
        futures::stream::iter(vec![Ok(bytes::Bytes::from_static(b"1\n"))]).chain(futures::stream::pending()).boxed();
    let (engine, token) = (world.engine.clone(), stop.clone());
    let running = tokio::spawn(async move { engine.stream_load(load("t", "b"), body, token).await });
    tokio::time::sleep(Duration::from_millis(50)).await;
    stop.cancel();
    let done = running.await.unwrap().unwrap();
    assert_eq!(done.status, StreamLoadStatus::Fail);
    assert_eq!(client.one("SELECT count(*) FROM t").await, "0");
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn large_loads_are_streamed_through_small_buffers() {
    let world = World::with(|mut options| {
        options.load_buffer_bytes = 1 << 20;
        options
    })
    .await;
    let mut client = world.in_database().await;
    client.run("CREATE TABLE s (k BIGINT, v VARCHAR(40)) DISTRIBUTED BY HASH (k) BUCKETS 4").await;
    client.run("CREATE TABLE p (k BIGINT, v VARCHAR(40)) PRIMARY KEY (k) DISTRIBUTED BY HASH (k) BUCKETS 4").await;
    let values: Vec<String> = (0..1000).map(|k| format!("({k}, 'row number {k} of the table')")).collect();
    client.run(&format!("INSERT INTO s VALUES {}", values.join(","))).await;
    for shift in [1000, 2000, 4000, 8000, 16_000, 32_000, 64_000] {
        client.run(&format!("INSERT INTO s SELECT k + {shift}, v FROM s WHERE k < {shift}")).await;
    }
    let count = client.one("SELECT count(*) FROM s").await;
    assert_eq!(client.run("INSERT INTO p SELECT * FROM s").await.to_string(), count);
    // Every key twice in one load, in order: the last one stays.
    client.run("INSERT INTO p SELECT k, w FROM (SELECT k, 'first' AS w, 1 AS o FROM s UNION ALL SELECT k, 'second', 2 FROM s) x ORDER BY o").await;
    assert_eq!(client.lines("SELECT v, count(*) FROM p GROUP BY v").await, [format!("second {count}")]);
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn concurrent_loads_all_arrive() {
    let world = World::new().await;
    let mut client = world.in_database().await;
    client
        .run(
            "CREATE TABLE t (k INT, v INT) PARTITION BY RANGE (k) (PARTITION a VALUES LESS THAN ('50'), PARTITION b VALUES LESS \
             THAN ('1000')) DISTRIBUTED BY HASH (k) BUCKETS 2",
        )
        .await;
    let mut tasks = Vec::new();
    for writer in 0..8 {
        let mut client = world.client();
        tasks.push(tokio::spawn(async move {
            for load in 0..5 {
                client.run(&format!("INSERT INTO d.t VALUES ({}, {load}), ({}, {load})", writer, 60 + writer)).await;
            }
        }));
    }
    // What a load writes is seen whole or not at all, also over partitions.
    for _ in 0..20 {
        let rows = client.lines("SELECT (k % 60) AS w, v, count(*) FROM t GROUP BY w, v HAVING count(*) <> 2").await;
        assert!(rows.is_empty(), "{rows:?}");
    }
    for task in tasks {
        task.await.unwrap();
    }
    assert_eq!(client.one("SELECT count(*) FROM t").await, "80");
    let versions: Vec<_> =
        client.rows("SHOW PARTITIONS FROM t").await.into_iter().map(|row| row[2].clone().unwrap()).collect();
    assert_eq!(versions, ["41", "41"]);
    world.end().await;
}
