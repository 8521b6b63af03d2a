//! Plain queries and the small commands.

use crate::backend::{World, options};
use crate::client::{Client, DEPRECATE_EOF, MULTI_STATEMENTS, Reply, ServerError};
use env::rt::{Duration, time};
use node::mysql::Options;
use std::sync::atomic::Ordering;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

const MORE_RESULTS: u16 = 8;

fn code(result: Result<Reply, ServerError>) -> u16 {
    result.unwrap_err().code
}

#[tokio::test]
async fn rows_come_with_their_columns_in_both_dialects_of_the_protocol() {
    let world = World::new();
    for dialect in [DEPRECATE_EOF, 0] {
        let mut client = world.connect();
        client.capabilities = client.capabilities & !DEPRECATE_EOF | dialect;
        client.login("root", "", None).await.unwrap();
        let Reply::Rows { columns, rows, status } = client.query("rows 9").await.unwrap() else { panic!("no rows") };
        assert_eq!(status, 2);
        let shown: Vec<_> =
            columns.iter().map(|c| (c.name.as_str(), c.kind, c.charset, c.length, c.flags, c.decimals)).collect();
        assert_eq!(shown, [("id", 8, 63, 20, 128 | 1, 0), ("name", 253, 45, 262_132, 0, 31)]);
        assert_eq!(rows.len(), 9);
        assert_eq!(rows[0], [Some("0".into()), None]);
        assert_eq!(rows[8], [Some("8".into()), Some("row-8".into())]);
        assert_eq!(client.query("rows 0").await.unwrap().rows().len(), 0);
        assert_eq!(client.value("echo still here").await, "still here");
    }
}

#[tokio::test]
async fn counts_and_errors_come_as_mysql_sends_them() {
    let world = World::new();
    let mut client = world.root().await;
    let done = client.query("insert 300").await.unwrap();
    assert_eq!(done, Reply::Ok { affected: 300, status: 2, info: "Records: many".into() });
    let error = client.query("select t").await.unwrap_err();
    assert_eq!(
        (error.code, error.state.as_str(), error.message.as_str()),
        (1146, "42S02", "Table 'db.t' doesn't exist")
    );
    let error = client.query("syntax").await.unwrap_err();
    assert_eq!((error.code, error.state.as_str()), (1064, "42000"));
    assert_eq!(client.query("nothing").await.unwrap(), Reply::Ok { affected: 0, status: 2, info: String::new() });
    assert_eq!(client.query("").await.unwrap(), Reply::Ok { affected: 0, status: 2, info: String::new() });
}

#[tokio::test]
async fn an_error_between_rows_ends_the_result_and_not_the_connection() {
    let world = World::new();
    let mut client = world.root().await;
    let error = client.query("half").await.unwrap_err();
    assert_eq!((error.code, error.message.as_str()), (1105, "a bad block"));
    assert_eq!(client.value("echo on").await, "on");
}

#[tokio::test]
async fn several_statements_have_several_results_until_one_fails() {
    let world = World::new();
    let mut client = world.root().await;
    let first = client.query("echo a; insert 2; echo b; boom t; echo c").await.unwrap();
    assert_eq!((first.status() & MORE_RESULTS, first.rows()), (MORE_RESULTS, vec![vec![Some("a".into())]]));
    let second = client.reply(false).await.unwrap();
    assert_eq!(second, Reply::Ok { affected: 2, status: 2 | MORE_RESULTS, info: "Records: many".into() });
    assert_eq!(client.reply(false).await.unwrap().status() & MORE_RESULTS, MORE_RESULTS);
    assert_eq!(code(client.reply(false).await), 1146);
    assert_eq!(client.query("echo d").await.unwrap().status() & MORE_RESULTS, 0);
    // A text is parsed when those before it are done.
    client.query("insert 1; syntax; insert 2").await.unwrap();
    assert_eq!(code(client.reply(false).await), 1064);
    assert_eq!(client.value("echo on").await, "on");
}

#[tokio::test]
async fn several_statements_need_leave() {
    let world = World::new();
    let mut client = world.connect();
    client.capabilities &= !MULTI_STATEMENTS;
    client.login("root", "", None).await.unwrap();
    assert_eq!(code(client.query("echo a; echo b").await), 1064);
    client.command(27, &[0, 0]).await;
    assert_eq!(client.read().await.unwrap()[0], 0xfe);
    client.query("echo a; echo b").await.unwrap();
    assert_eq!(client.reply(false).await.unwrap().rows()[0][0].as_deref(), Some("b"));
    client.command(27, &[1, 0]).await;
    client.read().await.unwrap();
    assert_eq!(code(client.query("echo a; echo b").await), 1064);
    client.command(27, &[7, 0]).await;
    assert_eq!(code(client.reply(false).await), 1047);
}

#[tokio::test]
async fn text_that_is_not_utf8_is_an_error_and_not_the_end() {
    let world = World::new();
    let mut client = world.root().await;
    for command in [2, 3, 4, 22] {
        client.command(command, b"echo \xe9t\xe9").await;
        let error = client.reply(false).await.unwrap_err();
        assert_eq!((error.code, error.state.as_str()), (1300, "HY000"));
        assert!(error.message.contains(r"\xe9t\xe9") && error.message.contains("byte 5"), "{}", error.message);
    }
    assert_eq!(client.value("echo été").await, "été");
}

#[tokio::test]
async fn load_data_is_refused_with_a_hint() {
    let world = World::new();
    let mut client = world.root().await;
    let error = client.query("load  data LOCAL infile '/etc/passwd' into table t").await.unwrap_err();
    assert_eq!(error.code, 1235);
    assert!(error.message.contains("_stream_load"), "{}", error.message);
}

#[tokio::test]
async fn a_database_is_used_by_command_and_by_statement() {
    let world = World::new();
    let mut client = world.root().await;
    client.command(2, b"sales").await;
    client.reply(false).await.unwrap();
    assert_eq!(client.query("whoami").await.unwrap().rows()[0][1].as_deref(), Some("sales"));
    client.command(2, b"nodb").await;
    assert_eq!(code(client.reply(false).await), 1049);
    client.query("use other").await.unwrap();
    assert_eq!(world.server.connections().list()[0].database.as_deref(), Some("other"));
}

#[tokio::test]
async fn columns_of_a_table_are_listed_for_completion() {
    let world = World::new();
    for dialect in [DEPRECATE_EOF, 0] {
        let mut client = world.connect();
        client.capabilities = client.capabilities & !DEPRECATE_EOF | dialect;
        client.login("root", "", None).await.unwrap();
        client.command(4, b"t\0%").await;
        for name in ["id", "name"] {
            let column = Client::column(&client.read().await.unwrap());
            assert_eq!((column.table.as_str(), column.name.as_str()), ("t", name));
        }
        let end = client.read().await.unwrap();
        assert_eq!((end[0], end.len()), (0xfe, if dialect == 0 { 5 } else { 7 }));
        client.command(4, b"missing\0").await;
        assert_eq!(code(client.reply(false).await), 1146);
    }
}

#[tokio::test]
async fn the_small_commands_are_answered() {
    let world = World::new();
    let mut client = world.root().await;
    client.command(14, b"").await;
    assert_eq!(client.reply(false).await.unwrap(), Reply::Ok { affected: 0, status: 2, info: String::new() });
    client.command(9, b"").await;
    let statistics = String::from_utf8(client.read().await.unwrap()).unwrap();
    assert!(statistics.starts_with("Uptime: 0  Threads: 1  "), "{statistics}");
    client.query("set x").await.unwrap();
    client.command(31, b"").await;
    client.reply(false).await.unwrap();
    assert_eq!(client.query("whoami").await.unwrap().rows()[0][2], None);
    for unknown in [0, 5, 29, 200] {
        client.command(unknown, b"abc").await;
        assert_eq!(code(client.reply(false).await), 1047);
    }
    client.command(1, b"").await;
    assert!(client.is_closed().await);
    while world.server.connections().count() > 0 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn queries_and_rows_may_be_larger_than_a_frame() {
    let world = World::new();
    let mut client = world.root().await;
    let long = "x".repeat(18 << 20);
    assert_eq!(client.value(&format!("echo {long}")).await.len(), long.len());
    // Exactly a frame, and one byte more or less.
    for len in [0xff_ffff - 4, 0xff_ffff - 3, 0xff_ffff - 5] {
        assert_eq!(client.value(&format!("blob {len}")).await.len(), len);
    }
}

#[tokio::test]
async fn a_packet_above_the_limit_is_refused_by_name() {
    let world = World::with(Options { max_allowed_packet_bytes: 1_000, ..options() });
    let mut client = world.root().await;
    client.query(&format!("echo {}", "x".repeat(900))).await.unwrap();
    let error = client.query(&format!("echo {}", "x".repeat(1_100))).await.unwrap_err();
    assert_eq!((error.code, error.state.as_str()), (1153, "08S01"));
    assert!(client.is_closed().await);
}

#[tokio::test]
async fn packets_out_of_order_end_the_connection() {
    let world = World::new();
    let mut client = world.root().await;
    client.stream.write_all(&[1, 0, 0, 9, 14]).await.unwrap();
    let mut reply = Vec::new();
    client.stream.read_to_end(&mut reply).await.unwrap();
    assert_eq!(reply[3], 10, "the reply's number follows the client's");
    assert_eq!(reply[4..7], [0xff, 0x84, 0x04]);
}

#[tokio::test]
async fn an_idle_client_is_disconnected() {
    let world = World::with(Options { idle_timeout: Duration::from_millis(50), ..options() });
    let mut client = world.root().await;
    time::sleep(Duration::from_millis(200)).await;
    assert_eq!(code(client.query("echo x").await), 4031);
    assert!(client.is_closed().await);
}

#[tokio::test]
async fn a_client_that_does_not_read_holds_the_query_back() {
    let world = World::new();
    let mut client = world.root().await;
    client.command(3, b"rows 10000000").await;
    time::sleep(Duration::from_millis(300)).await;
    let asked = world.inside.batches.load(Ordering::Relaxed);
    assert!((1..20).contains(&asked), "{asked} batches were asked for");
    drop(client);
    while world.server.connections().count() > 0 {
        time::sleep(Duration::from_millis(5)).await;
    }
    let asked = world.inside.batches.load(Ordering::Relaxed);
    assert!(asked < 30, "{asked} batches were asked for");
}

#[tokio::test]
async fn two_hundred_thousand_rows_take_well_under_a_second() {
    let world = World::new();
    let mut client = world.root().await;
    let began = time::Instant::now();
    let rows = client.query("rows 200000").await.unwrap().rows();
    let took = began.elapsed();
    assert_eq!(rows.len(), 200_000);
    assert_eq!(rows[199_999], [Some("199999".into()), Some("row-199999".into())]);
    // The client's share is in it, and the machine may be busy.
    assert!(took < Duration::from_secs(3), "{took:?}");
    println!("200,000 rows in {took:?}");
}
