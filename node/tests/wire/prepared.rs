//! Prepared statements.

use crate::backend::{World, options};
use crate::client::{Client, DEPRECATE_EOF, Parts, Reply, ServerError};
use node::mysql::Options;

/// Prepares and gives the statement's number and how many parameters it has.
async fn prepare(client: &mut Client, text: &str) -> Result<(u32, u64), ServerError> {
    client.command(22, text.as_bytes()).await;
    let packet = client.read().await.unwrap();
    if packet[0] == 0xff {
        let mut parts = Parts(&packet[1..]);
        let code = parts.int(2) as u16;
        return Err(ServerError { code, state: String::new(), message: String::from_utf8_lossy(parts.0).into_owned() });
    }
    let mut parts = Parts(&packet[1..]);
    let id = parts.int(4) as u32;
    assert_eq!(parts.int(2), 0, "columns are told at the execution");
    let parameters = parts.int(2);
    for _ in 0..parameters {
        assert_eq!(Client::column(&client.read().await.unwrap()).name, "?");
    }
    if parameters > 0 && client.capabilities & DEPRECATE_EOF == 0 {
        assert_eq!(client.read().await.unwrap()[0], 0xfe);
    }
    Ok((id, parameters))
}

async fn execute(client: &mut Client, id: u32, parameters: &[u8]) -> Result<Reply, ServerError> {
    client.command(23, &[&id.to_le_bytes()[..], &[0, 1, 0, 0, 0], parameters].concat()).await;
    client.reply(true).await
}

#[tokio::test]
async fn a_statement_is_executed_again_and_again() {
    let world = World::new();
    for dialect in [DEPRECATE_EOF, 0] {
        let mut client = world.connect();
        client.capabilities = client.capabilities & !DEPRECATE_EOF | dialect;
        client.login("root", "", None).await.unwrap();
        let (id, parameters) = prepare(&mut client, "echo ?, '?', ?").await.unwrap();
        assert_eq!(parameters, 2);
        // A string and a number; then a NULL and a number, of the same types.
        let rows =
            execute(&mut client, id, b"\x00\x01\xfd\x00\x08\x00\x04it's\x07\0\0\0\0\0\0\0").await.unwrap().rows();
        assert_eq!(rows, [[Some("'it''s' , '?',  7".into())]]);
        let rows = execute(&mut client, id, b"\x01\x00\xff\xff\xff\xff\xff\xff\xff\xff").await.unwrap().rows();
        assert_eq!(rows, [[Some("NULL , '?',  -1".into())]]);
    }
}

#[tokio::test]
async fn rows_come_in_the_binary_form() {
    let world = World::new();
    let mut client = world.root().await;
    let (id, _) = prepare(&mut client, "rows ?").await.unwrap();
    let text = client.query("rows 50").await.unwrap().rows();
    assert_eq!(execute(&mut client, id, b"\0\x01\x01\x00\x32").await.unwrap().rows(), text);
    assert_eq!(prepare(&mut client, "rows 50").await.unwrap(), (id + 1, 0));
    assert_eq!(execute(&mut client, id + 1, b"").await.unwrap().rows(), text);
}

#[tokio::test]
async fn long_data_is_sent_ahead_and_used_once() {
    let world = World::new();
    let mut client = world.root().await;
    let (id, _) = prepare(&mut client, "echo ?").await.unwrap();
    let long = |part: &str| [&id.to_le_bytes()[..], &[0, 0], part.as_bytes()].concat();
    client.command(24, &long("in two ")).await;
    client.command(24, &long("parts")).await;
    assert_eq!(
        execute(&mut client, id, b"\0\x01\xfb\0").await.unwrap().rows()[0][0].as_deref(),
        Some("'in two parts'")
    );
    assert_eq!(execute(&mut client, id, b"\0\x01\xfd\0\x01x").await.unwrap().rows()[0][0].as_deref(), Some("'x'"));
    // A reset forgets what was sent ahead.
    client.command(24, &long("lost")).await;
    client.command(26, &id.to_le_bytes()).await;
    client.reply(false).await.unwrap();
    assert_eq!(execute(&mut client, id, b"\0\x01\xfd\0\x01y").await.unwrap().rows()[0][0].as_deref(), Some("'y'"));
}

#[tokio::test]
async fn closed_and_unknown_statements_are_errors() {
    let world = World::new();
    let mut client = world.root().await;
    let (id, _) = prepare(&mut client, "echo 1").await.unwrap();
    client.command(25, &id.to_le_bytes()).await;
    assert_eq!(execute(&mut client, id, b"").await.unwrap_err().code, 1243);
    client.command(26, &id.to_le_bytes()).await;
    assert_eq!(client.reply(false).await.unwrap_err().code, 1243);
    client.command(28, &[0; 8]).await;
    assert_eq!(client.reply(false).await.unwrap_err().code, 1421);
    let (id, _) = prepare(&mut client, "echo 1").await.unwrap();
    client.command(31, b"").await;
    client.reply(false).await.unwrap();
    assert_eq!(execute(&mut client, id, b"").await.unwrap_err().code, 1243, "a reset closes all");
    client.command(23, b"\x01").await;
    assert_eq!(client.reply(false).await.unwrap_err().code, 1210);
    assert_eq!(client.value("echo on").await, "on");
}

#[tokio::test]
async fn a_prepared_text_is_one_statement() {
    let world = World::new();
    let mut client = world.root().await;
    let (id, _) = prepare(&mut client, "echo 1; echo 2").await.unwrap();
    assert_eq!(execute(&mut client, id, b"").await.unwrap_err().code, 1064);
    assert_eq!(prepare(&mut client, "load data infile 'x'").await.unwrap_err().code, 1235);
}

#[tokio::test]
async fn statements_and_long_data_are_bounded() {
    let world = World::with(Options { max_allowed_packet_bytes: 10_000, ..options() });
    let mut client = world.root().await;
    let long = format!("echo {}, ?", "x".repeat(4_000));
    let (first, _) = prepare(&mut client, &long).await.unwrap();
    let (second, _) = prepare(&mut client, &long).await.unwrap();
    assert_eq!(prepare(&mut client, &long).await.unwrap_err().code, 1461);
    let part = |id: u32| [&id.to_le_bytes()[..], &[0, 0], &[b'y'; 3_000]].concat();
    client.command(24, &part(first)).await;
    assert_eq!(execute(&mut client, first, b"\0\x01\xfb\0").await.unwrap_err().code, 1153);
    client.command(25, &second.to_le_bytes()).await;
    client.command(24, &part(first)).await;
    execute(&mut client, first, b"\0\x01\xfb\0").await.unwrap();
    client.command(25, &first.to_le_bytes()).await;
    for _ in 0..4_096 {
        prepare(&mut client, "").await.unwrap();
    }
    assert_eq!(prepare(&mut client, "").await.unwrap_err().code, 1461);
}
