//! Bytes of any kind from a client: never a panic, never a hang, always a server that goes on.

use crate::backend::{World, options};
use crate::client::{Client, proof};
use env::rt::{Duration, time};
use node::mysql::Options;
use proptest::prelude::*;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

fn world() -> World {
    World::with(Options { max_allowed_packet_bytes: 4_096, ..options() })
}

/// Sends `bytes`, reads until the server has said all, and checks that the server serves others.
async fn survives(world: &World, mut client: Client, bytes: &[u8]) {
    let (mut read, mut write) = tokio::io::split(std::mem::replace(&mut client.stream, Box::new(tokio::io::empty())));
    let conversation = async {
        let sending = async {
            // The server may close at any byte.
            write.write_all(bytes).await.ok();
            write.shutdown().await.ok();
        };
        let mut replies = Vec::new();
        let ((), received) = tokio::join!(sending, read.read_to_end(&mut replies));
        received.ok();
    };
    time::timeout(Duration::from_secs(20), conversation).await.expect("the server hangs");
    drop((read, write));
    world.served().await;
    assert_eq!(world.server.connections().count(), 0);
    assert_eq!(world.root().await.value("echo alive").await, "alive");
}

/// A packet's bytes; the number is right or not.
fn packet() -> impl Strategy<Value = Vec<u8>> {
    let command = prop_oneof![
        // KILL and long waits have their own tests.
        prop::sample::select(vec![2_u8, 4, 9, 14, 17, 22, 23, 24, 25, 26, 27, 28, 31]),
        any::<u8>().prop_filter("statements are drawn apart", |command| *command != 3 && *command != 12),
    ];
    let body = prop_oneof![
        prop::collection::vec(any::<u8>(), 0..80),
        // Numbers of statements that exist, with anything behind them.
        (1_u32..4, prop::collection::vec(any::<u8>(), 0..60))
            .prop_map(|(id, rest)| [&id.to_le_bytes()[..], &rest].concat()),
        prop::sample::select(vec!["echo ?", "echo 'a", "rows 3", "echo ?, ?, ?", "syntax"])
            .prop_map(|text| text.as_bytes().to_vec()),
    ];
    let statement = prop::sample::select(vec!["echo 1", "rows 20", "half", "insert 1; echo 2", "syntax", "use a", ";"])
        .prop_map(|text| [b"\x03", text.as_bytes()].concat());
    let payload =
        prop_oneof![4 => (command, body).prop_map(|(command, body)| [&[command][..], &body].concat()), 1 => statement];
    (payload, prop_oneof![20 => Just(0_u8), 1 => any::<u8>()]).prop_map(|(payload, sequence)| {
        let [a, b, c, ..] = payload.len().to_le_bytes();
        [&[a, b, c, sequence], &payload[..]].concat()
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, ..ProptestConfig::default() })]

    #[test]
    fn any_bytes_before_login(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        runtime().block_on(async {
            let world = world();
            survives(&world, world.connect(), &bytes).await;
        });
    }

    #[test]
    fn any_answer_to_the_greeting(payload in prop::collection::vec(any::<u8>(), 0..200), whole in any::<bool>(), second in prop::collection::vec(any::<u8>(), 0..60)) {
        runtime().block_on(async {
            let world = world();
            let mut client = world.connect();
            client.greeted().await.unwrap();
            let head = client.hello("admin", &proof("mysql_native_password", "s3cret", &client.salt), None);
            let payload = if whole { [&head[..32], &payload].concat() } else { payload };
            let [a, b, c, ..] = payload.len().to_le_bytes();
            let [d, e, f, ..] = second.len().to_le_bytes();
            survives(&world, client, &[&[a, b, c, 1], &payload[..], &[d, e, f, 3], &second[..]].concat()).await;
        });
    }

    #[test]
    fn any_commands_after_login(packets in prop::collection::vec(packet(), 0..30), tail in prop::collection::vec(any::<u8>(), 0..10)) {
        runtime().block_on(async {
            let world = world();
            let mut client = world.root().await;
            for text in ["echo ?", "echo ?, ?", "rows 2"] {
                client.command(22, text.as_bytes()).await;
            }
            let bytes = [packets.concat(), tail].concat();
            survives(&world, client, &bytes).await;
        });
    }
}
