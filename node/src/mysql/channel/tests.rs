use super::*;
use proptest::prelude::*;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};

fn pair(buffer: usize, max: usize) -> (Channel, DuplexStream) {
    let (server, client) = tokio::io::duplex(buffer);
    (Channel::new(Box::new(server), max, Duration::from_secs(5), CancellationToken::new()), client)
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

fn frame(sequence: u8, payload: &[u8]) -> Vec<u8> {
    let [a, b, c, ..] = payload.len().to_le_bytes();
    [&[a, b, c, sequence], payload].concat()
}

#[tokio::test]
async fn a_command_is_read_and_the_reply_counts_on() {
    let (mut channel, mut client) = pair(1 << 16, 1 << 16);
    client.write_all(&frame(0, b"\x03select 1")).await.unwrap();
    assert_eq!(&channel.read_command().await.unwrap()[..], b"\x03select 1");
    channel.capabilities = capabilities::PROTOCOL_41;
    channel.put_ok(3, "info", true);
    channel.flush().await.unwrap();
    let mut reply = vec![0; 16];
    client.read_exact(&mut reply).await.unwrap();
    assert_eq!(reply, frame(1, b"\x00\x03\x00\x0a\x00\x00\x00\x04info"));
}

#[tokio::test]
async fn errors_have_a_state_once_the_client_can_read_it() {
    let (mut channel, _client) = pair(1 << 16, 1 << 16);
    let error = EngineError::no_database();
    channel.put_error(&error);
    channel.capabilities = capabilities::PROTOCOL_41;
    channel.put_error(&error);
    let expected =
        [frame(0, b"\xff\x16\x04No database selected"), frame(1, b"\xff\x16\x04#3D000No database selected")].concat();
    assert_eq!(channel.outbound, expected);
}

#[tokio::test]
async fn the_end_of_rows_is_what_the_client_expects() {
    let (mut channel, _client) = pair(64, 64);
    channel.put_end_of_columns(false);
    channel.put_end_of_rows(false);
    channel.capabilities = capabilities::DEPRECATE_EOF;
    channel.put_end_of_columns(false);
    channel.put_end_of_rows(true);
    let eof = b"\xfe\x00\x00\x02\x00";
    assert_eq!(channel.outbound, [frame(0, eof), frame(1, eof), frame(2, b"\xfe\x00\x00\x0a\x00\x00\x00")].concat());
}

#[tokio::test]
async fn packets_of_whole_frames_end_with_an_empty_one() {
    for len in [FRAME_LEN_BYTES_MAX - 1, FRAME_LEN_BYTES_MAX, FRAME_LEN_BYTES_MAX + 5, 2 * FRAME_LEN_BYTES_MAX] {
        let (mut channel, client) = pair(1 << 20, 1 << 26);
        let payload: Vec<u8> = (0..len).map(|index| u8::try_from(index % 251).unwrap()).collect();
        channel.put(|out| out.extend_from_slice(&payload));
        assert_eq!(channel.outbound.len(), len + 4 * (len / FRAME_LEN_BYTES_MAX + 1));
        let mut echo = Channel::new(Box::new(client), 1 << 26, Duration::from_secs(5), CancellationToken::new());
        let (sent, received) = tokio::join!(channel.flush(), echo.read_command());
        sent.unwrap();
        assert!(received.unwrap() == payload, "{len}");
    }
}

#[tokio::test]
async fn a_packet_that_is_announced_too_long_is_refused_before_it_comes() {
    let (mut channel, mut client) = pair(64, 100);
    client.write_all(&[101, 0, 0, 0]).await.unwrap();
    assert!(matches!(channel.read_command().await, Err(ChannelError::TooLarge { max: 100 })));
}

#[tokio::test]
async fn frames_out_of_order_are_refused() {
    let (mut channel, mut client) = pair(64, 100);
    client.write_all(&frame(1, b"x")).await.unwrap();
    assert!(matches!(channel.read_command().await, Err(ChannelError::OutOfOrder { expected: 0, found: 1 })));
}

#[tokio::test]
async fn nothing_is_read_ahead_of_a_tls_session() {
    let (mut channel, mut client) = pair(1 << 10, 1 << 10);
    client.write_all(&[frame(0, b"ssl request"), b"client hello".to_vec()].concat()).await.unwrap();
    assert_eq!(&channel.read_packet().await.unwrap()[..], b"ssl request");
    let mut rest = vec![0; 12];
    channel.take_stream().read_exact(&mut rest).await.unwrap();
    assert_eq!(rest, b"client hello");
}

#[tokio::test]
async fn a_client_that_leaves_is_noticed_and_its_last_bytes_are_kept() {
    let (mut channel, mut client) = pair(1 << 10, 1 << 10);
    channel.open_wide(1 << 10);
    client.write_all(&frame(0, b"later")).await.unwrap();
    let still_there = time::timeout(Duration::from_millis(20), channel.gone()).await;
    assert!(still_there.is_err());
    drop(client);
    time::timeout(Duration::from_secs(5), channel.gone()).await.unwrap();
    assert_eq!(&channel.read_command().await.unwrap()[..], b"later");
    assert!(matches!(channel.read_command().await, Err(ChannelError::Closed)));
}

#[tokio::test]
async fn a_client_that_does_not_read_is_given_up() {
    let (server, client) = tokio::io::duplex(16);
    let mut channel = Channel::new(Box::new(server), 64, Duration::from_millis(50), CancellationToken::new());
    channel.put(|out| out.resize(out.len() + 1_000, 1));
    assert!(matches!(channel.flush().await, Err(ChannelError::WriteTimeout)));
    drop(client);
}

#[tokio::test]
async fn a_kill_ends_a_write_that_waits() {
    let (server, client) = tokio::io::duplex(16);
    let kill = CancellationToken::new();
    let mut channel = Channel::new(Box::new(server), 64, Duration::from_mins(1), kill.clone());
    channel.put(|out| out.resize(out.len() + 1_000, 1));
    let (flushed, ()) = tokio::join!(channel.flush(), async {
        time::sleep(Duration::from_millis(10)).await;
        kill.cancel();
    });
    assert!(matches!(flushed, Err(ChannelError::Killed)));
    drop(client);
}

#[tokio::test]
async fn a_packet_that_cannot_be_filled_leaves_no_trace() {
    let (mut channel, _client) = pair(64, 64);
    channel.put_eof(false);
    let before = channel.outbound.clone();
    let failed: Result<(), &str> = channel.try_put(|out| {
        out.extend_from_slice(b"half a row");
        Err("no more")
    });
    assert_eq!(failed, Err("no more"));
    assert_eq!(channel.outbound, before);
    channel.put_eof(false);
    assert_eq!(channel.outbound.get(12), Some(&1), "the number is not skipped");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, ..ProptestConfig::default() })]

    #[test]
    fn random_bytes_are_packets_or_an_error(bytes in prop::collection::vec(any::<u8>(), 0..600), wide in any::<bool>()) {
        runtime().block_on(async {
            let (mut channel, mut client) = pair(64, 200);
            if wide {
                channel.open_wide(200);
            }
            let write = async {
                // The server may stop reading at any byte.
                client.write_all(&bytes).await.ok();
                drop(client);
            };
            let read = async {
                let mut packets = 0;
                while let Ok(packet) = channel.read_packet().await {
                    assert!(packet.len() <= 200);
                    packets += 1;
                }
                drop(channel);
                packets
            };
            let ((), packets) = tokio::join!(write, read);
            assert!(packets * 4 <= bytes.len());
        });
    }

    #[test]
    fn what_is_sent_in_pieces_of_any_size_is_read_whole(
        payloads in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..300), 1..8),
        piece in 1_usize..50,
        wide in any::<bool>(),
    ) {
        runtime().block_on(async {
            let (mut channel, mut client) = pair(64, 300);
            if wide {
                channel.open_wide(300);
            }
            let bytes: Vec<u8> = payloads.iter().enumerate()
                .flat_map(|(index, payload)| frame(u8::try_from(index).unwrap(), payload)).collect();
            let write = async {
                for piece in bytes.chunks(piece) {
                    client.write_all(piece).await.unwrap();
                    tokio::task::yield_now().await;
                }
            };
            let read = async {
                for payload in &payloads {
                    assert_eq!(&channel.read_packet().await.unwrap()[..], &payload[..]);
                }
            };
            tokio::join!(write, read);
        });
    }
}
