//! Stopping statements, connections and the server.

use crate::backend::{World, options};
use crate::client::Client;
use env::rt::{Duration, spawn, time};
use node::mysql::Options;
use std::sync::atomic::Ordering;
use tokio::net::{TcpListener, TcpStream};

async fn until(mut holds: impl FnMut() -> bool) {
    time::timeout(Duration::from_secs(10), async {
        while !holds() {
            time::sleep(Duration::from_millis(2)).await;
        }
    })
    .await
    .unwrap();
}

#[tokio::test]
async fn kill_query_stops_the_statement_and_not_the_connection() {
    let world = World::new();
    let (mut busy, mut killer) = (world.root().await, world.root().await);
    for statement in ["wait", "stuck", "rows 100000000"] {
        busy.command(3, statement.as_bytes()).await;
        until(|| world.server.connections().running() == 1).await;
        killer.query(&format!("kill query {}", busy.connection)).await.unwrap();
        let error = busy.reply(false).await.unwrap_err();
        assert_eq!((error.code, error.state.as_str()), (1317, "70100"), "{statement}");
        assert_eq!(busy.value("echo on").await, "on");
    }
    killer.query(&format!("kill query {}", busy.connection)).await.unwrap();
    assert_eq!(busy.value("echo nothing was running").await, "nothing was running");
}

#[tokio::test]
async fn kill_ends_a_connection_that_is_busy_or_idle() {
    let world = World::new();
    let mut killer = world.root().await;
    let mut busy = world.root().await;
    busy.command(3, b"wait").await;
    world.inside.waiting.notified().await;
    killer.query(&format!("kill {}", busy.connection)).await.unwrap();
    assert!(busy.is_closed().await);
    assert_eq!(world.inside.stopped.load(Ordering::Relaxed), 1);
    let mut idle = world.root().await;
    killer.command(12, &idle.connection.to_le_bytes()).await;
    killer.reply(false).await.unwrap();
    let error = idle.query("echo x").await.unwrap_err();
    assert_eq!((error.code, error.message.as_str()), (1927, "Connection was killed"));
    // A client that takes nothing of its result.
    let mut deaf = world.root().await;
    deaf.command(3, b"rows 100000000").await;
    time::sleep(Duration::from_millis(50)).await;
    killer.query(&format!("kill {}", deaf.connection)).await.unwrap();
    until(|| world.server.connections().count() == 1).await;
}

#[tokio::test]
async fn only_the_owner_and_root_may_kill() {
    let world = World::new();
    let (mut admin, mut other) = (world.connect(), world.connect());
    admin.login("admin", "s3cret", None).await.unwrap();
    other.login("other", "pw", None).await.unwrap();
    let error = other.query(&format!("kill {}", admin.connection)).await.unwrap_err();
    assert_eq!(error.code, 1095);
    assert_eq!(other.query("kill 4000000000").await.unwrap_err().code, 1094);
    assert_eq!(other.query("kill 99999999999").await.unwrap_err().code, 1094);
    let mut second = world.connect();
    second.login("admin", "s3cret", None).await.unwrap();
    second.query(&format!("kill {}", admin.connection)).await.unwrap();
    assert!(admin.is_closed().await);
}

#[tokio::test]
async fn the_process_list_shows_who_does_what() {
    let world = World::new();
    let (mut busy, mut client) = (world.root().await, world.root().await);
    busy.command(3, b"wait").await;
    world.inside.waiting.notified().await;
    let rows = client.query("processlist").await.unwrap().rows();
    let text =
        |row: &Vec<Option<String>>| row.iter().map(|v| v.clone().unwrap_or_default()).collect::<Vec<_>>().join("|");
    let shown: Vec<_> = rows.iter().map(text).collect();
    assert_eq!(shown[0], format!("{}|root|10.1.2.3||Query|0||wait", busy.connection));
    assert_eq!(shown[1], format!("{}|root|10.1.2.3||Query|0||processlist", client.connection));
}

#[tokio::test]
async fn a_client_that_leaves_stops_its_statement() {
    let world = World::new();
    let mut client = world.root().await;
    client.command(3, b"wait").await;
    world.inside.waiting.notified().await;
    drop(client);
    until(|| world.server.connections().count() == 0).await;
    assert_eq!(world.inside.stopped.load(Ordering::Relaxed), 1);
}

#[tokio::test]
async fn shutdown_waits_for_statements_and_then_stops_them() {
    let world = World::with(Options { drain_timeout: Duration::from_millis(200), ..options() });
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let server = world.server.clone();
    let serving = spawn(async move { server.serve(listener).await });
    let mut busy = Client::new(Box::new(TcpStream::connect(address).await.unwrap()));
    busy.login("root", "", None).await.unwrap();
    busy.command(3, b"wait").await;
    world.inside.waiting.notified().await;
    world.shutdown.cancel();
    time::sleep(Duration::from_millis(50)).await;
    assert_eq!(world.inside.stopped.load(Ordering::Relaxed), 0, "it may finish in time");
    assert_eq!(world.server.connections().running(), 1);
    time::timeout(Duration::from_secs(10), serving).await.unwrap().unwrap();
    assert_eq!(world.inside.stopped.load(Ordering::Relaxed), 1);
    assert_eq!(world.server.connections().count(), 0);
}
