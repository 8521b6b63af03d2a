//! Coming in, and being kept out.

use crate::backend::{Toy, Users, World, options};
use crate::client::{Client, DEPRECATE_EOF, proof};
use async_trait::async_trait;
use env::rt::{CancellationToken, Duration, spawn};
use node::http::metrics::Metrics;
use node::mysql::{Options, RootOnly, Server, TlsUpgrade, Transport};
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tokio::net::{TcpListener, TcpStream};

const PLUGINS: [&str; 2] = ["mysql_native_password", "caching_sha2_password"];

#[tokio::test]
async fn both_methods_let_the_right_password_in_and_no_other() {
    let world = World::new();
    for plugin in PLUGINS {
        for (user, password, good) in [
            ("root", "", true),
            ("root", "x", false),
            ("admin", "s3cret", true),
            ("admin", "", false),
            ("admin", "S3cret", false),
            ("nobody", "", false),
            ("nobody", "s3cret", false),
        ] {
            let mut client = world.connect();
            client.plugin = plugin;
            let result = client.login(user, password, None).await;
            assert_eq!(result.is_ok(), good, "{plugin} {user} {password}");
            if let Err(error) = result {
                assert_eq!((error.code, error.state.as_str()), (1045, "28000"));
                assert!(error.message.starts_with(&format!("Access denied for user '{user}'@'10.1.2.3'")));
                assert!(client.is_closed().await);
            }
        }
    }
}

#[tokio::test]
async fn a_client_with_another_method_is_asked_to_switch() {
    let world = World::new();
    let mut client = world.connect();
    client.plugin = "mysql_clear_password";
    client.login("admin", "s3cret", None).await.unwrap();
    assert_eq!(client.switches, ["mysql_native_password"]);
    // Also one that could not answer for lack of a salt of its own.
    let mut client = world.connect();
    client.plugin = "caching_sha2_password";
    client.greeted().await.unwrap();
    let hello = client.hello("admin", b"", None);
    client.write(&hello).await;
    client.finish_login("s3cret").await.unwrap();
    assert_eq!(client.switches, ["caching_sha2_password"]);
}

#[tokio::test]
async fn an_account_of_one_method_has_clients_switch_to_it() {
    let world = World::new();
    for (user, own, other) in [
        ("old", "mysql_native_password", "caching_sha2_password"),
        ("new", "caching_sha2_password", "mysql_native_password"),
    ] {
        for (plugin, switches) in [(own, &[][..]), (other, &[own][..])] {
            for (password, good) in [("s3cret", true), ("wrong", false), ("", false)] {
                let mut client = world.connect();
                client.plugin = plugin;
                let result = client.login(user, password, None).await;
                assert_eq!(result.is_ok(), good, "{user} {plugin} {password}");
                // An empty answer by the newer method is one that must be given again, with a salt of its own.
                if !password.is_empty() {
                    assert_eq!(client.switches, switches, "{user} {plugin} {password}");
                }
                if let Err(error) = result {
                    let using = if password.is_empty() { "NO" } else { "YES" };
                    assert_eq!(error.code, 1045);
                    assert!(error.message.ends_with(&format!("(using password: {using})")), "{error:?}");
                }
            }
        }
    }
}

#[tokio::test]
async fn known_and_unknown_users_go_the_same_way() {
    let world = World::new();
    for plugin in ["mysql_native_password", "caching_sha2_password", "sha256_password"] {
        let mut ways = Vec::new();
        for user in ["admin", "nobody"] {
            let mut client = world.connect();
            client.plugin = plugin;
            let error = client.login(user, "wrong", None).await.unwrap_err();
            ways.push((client.switches, error.code, error.message.replace(user, "")));
        }
        assert_eq!(ways[0], ways[1], "{plugin}");
    }
}

#[tokio::test]
async fn the_root_only_door_knows_nobody_else() {
    let server = Server::new(
        Toy::default(),
        Arc::new(RootOnly),
        options(),
        Arc::new(Metrics::default()),
        CancellationToken::new(),
    );
    for (user, good) in [("root", true), ("admin", false), ("", false)] {
        let (near, far) = tokio::io::duplex(1 << 16);
        let server = server.clone();
        spawn(async move { server.serve_stream(Box::new(far), "h".to_owned()).await });
        assert_eq!(Client::new(Box::new(near)).login(user, "", None).await.is_ok(), good, "{user}");
    }
}

#[tokio::test]
async fn salts_and_numbers_are_fresh() {
    let world = World::new();
    let (mut first, mut second) = (world.connect(), world.connect());
    first.greeted().await.unwrap();
    second.greeted().await.unwrap();
    assert_ne!(first.salt, second.salt);
    assert_ne!(first.connection, second.connection);
    assert!(first.version.starts_with("8.0."), "drivers judge by the first numbers: {}", first.version);
    assert_eq!(first.server_capabilities & 0x80, 0, "the server never asks for a client's files");
    // The proof of another connection is worth nothing.
    let stolen = first.hello("admin", &proof("mysql_native_password", "s3cret", &second.salt), None);
    first.write(&stolen).await;
    assert_eq!(first.finish_login("s3cret").await.unwrap_err().code, 1045);
}

#[tokio::test]
async fn a_database_is_chosen_at_login() {
    let world = World::new();
    let mut client = world.connect();
    client.login("root", "", Some("sales")).await.unwrap();
    assert_eq!(client.query("whoami").await.unwrap().rows()[0][1].as_deref(), Some("sales"));
    let error = world.connect().login("root", "", Some("nodb")).await.unwrap_err();
    assert_eq!((error.code, error.state.as_str(), error.message.as_str()), (1049, "42000", "Unknown database 'nodb'"));
}

#[tokio::test]
async fn a_broken_answer_is_a_bad_handshake() {
    let world = World::new();
    for bytes in [&b""[..], b"\x01", &[0xff; 40], &[0; 32]] {
        let mut client = world.connect();
        client.greeted().await.unwrap();
        client.write(bytes).await;
        assert_eq!(client.finish_login("").await.unwrap_err().code, 1043);
        assert!(client.is_closed().await);
    }
}

#[tokio::test]
async fn a_client_that_says_nothing_is_put_out() {
    let world = World::with(Options { login_timeout: Duration::from_millis(50), ..options() });
    let mut client = world.connect();
    client.greeted().await.unwrap();
    let last = client.read().await.unwrap();
    assert_eq!(u16::from_le_bytes([last[1], last[2]]), 1043);
    assert!(client.is_closed().await);
    assert_eq!(world.server.connections().count(), 0);
}

#[tokio::test]
async fn large_packets_before_login_are_refused() {
    let world = World::new();
    let mut client = world.connect();
    client.greeted().await.unwrap();
    client.write(&vec![b'a'; 70_000]).await;
    assert!(client.is_closed().await);
}

#[tokio::test]
async fn no_more_than_the_allowed_connections_are_let_in() {
    let world = World::with(Options { connections_max: 2, ..options() });
    let (first, _second) = (world.root().await, world.root().await);
    let error = world.connect().greeted().await.unwrap_err();
    assert_eq!((error.code, error.message.as_str()), (1040, "Too many connections"));
    drop(first);
    while world.server.connections().count() > 1 {
        tokio::task::yield_now().await;
    }
    world.root().await.query("echo x").await.unwrap();
}

#[tokio::test]
async fn a_change_of_user_needs_the_password_and_forgets_the_session() {
    let world = World::new();
    let mut client = world.root().await;
    client.query("set x").await.unwrap();
    client.command(17, b"admin\0\0sales\0\x2d\x00mysql_native_password\0").await;
    client.finish_login("s3cret").await.unwrap();
    let row = client.query("whoami").await.unwrap().rows().remove(0);
    assert_eq!(row, [Some("admin".into()), Some("sales".into()), None]);
    assert_eq!(world.server.connections().list()[0].user, "admin");
    client.command(17, b"other\0\0\0\x2d\x00caching_sha2_password\0").await;
    client.finish_login("pw").await.unwrap();
    assert_eq!(client.switches, ["mysql_native_password", "caching_sha2_password"]);
}

#[tokio::test]
async fn a_failed_change_of_user_ends_the_connection() {
    let world = World::new();
    for body in [&b"nobody\0\0\0\x2d\x00mysql_native_password\0"[..], b"admin\0\x14aaaaaaaaaaaaaaaaaaaa\0"] {
        let mut client = world.root().await;
        client.command(17, body).await;
        assert_eq!(client.finish_login("zzz").await.unwrap_err().code, 1045);
        assert!(client.is_closed().await);
    }
    let mut client = world.root().await;
    client.command(17, b"no zero byte").await;
    assert_eq!(client.finish_login("").await.unwrap_err().code, 1043);
    assert!(client.is_closed().await);
}

/// Stands for TLS: every byte is turned over.
struct Turned(Box<dyn Transport>);

struct Turn(AtomicBool);

#[async_trait]
impl TlsUpgrade for Turn {
    async fn upgrade(&self, stream: Box<dyn Transport>) -> io::Result<Box<dyn Transport>> {
        self.0.store(true, Ordering::Relaxed);
        Ok(Box::new(Turned(stream)))
    }
}

mod turned {
    use super::Turned;
    use std::io;
    use std::pin::Pin;
    use std::task::{Context, Poll, ready};
    use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

    impl AsyncRead for Turned {
        fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
            let before = buffer.filled().len();
            ready!(Pin::new(&mut self.0).poll_read(cx, buffer))?;
            buffer.filled_mut()[before..].iter_mut().for_each(|byte| *byte = !*byte);
            Poll::Ready(Ok(()))
        }
    }

    impl AsyncWrite for Turned {
        fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
            let turned: Vec<u8> = bytes.iter().map(|byte| !*byte).collect();
            Pin::new(&mut self.0).poll_write(cx, &turned)
        }

        fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
            Pin::new(&mut self.0).poll_flush(cx)
        }

        fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
            Pin::new(&mut self.0).poll_shutdown(cx)
        }
    }
}

#[tokio::test]
async fn a_client_may_change_to_tls_before_it_names_itself() {
    let turn = Arc::new(Turn(AtomicBool::new(false)));
    let server =
        Server::new(Toy::default(), Arc::new(Users), options(), Arc::new(Metrics::default()), CancellationToken::new())
            .with_tls(Arc::clone(&turn) as Arc<dyn TlsUpgrade>);
    let (near, far) = tokio::io::duplex(1 << 16);
    spawn(async move { server.serve_stream(Box::new(far), "h".to_owned()).await });
    let mut client = Client::new(Box::new(near));
    client.greeted().await.unwrap();
    assert_ne!(client.server_capabilities & 0x800, 0);
    client.capabilities |= 0x800;
    let answer = proof("mysql_native_password", "s3cret", &client.salt);
    let hello = client.hello("admin", &answer, None);
    client.write(&hello[..32]).await;
    let plain = std::mem::replace(&mut client.stream, Box::new(tokio::io::empty()));
    client.stream = Box::new(Turned(plain));
    client.write(&hello).await;
    client.finish_login("s3cret").await.unwrap();
    assert_eq!(client.value("echo secret").await, "secret");
    assert!(turn.0.load(Ordering::Relaxed));
}

#[tokio::test]
async fn clients_come_in_over_a_socket_and_idle_ones_leave_at_shutdown() {
    let world = World::new();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let server = world.server.clone();
    let serving = spawn(async move { server.serve(listener).await });
    let mut client = Client::new(Box::new(TcpStream::connect(address).await.unwrap()));
    client.capabilities &= !DEPRECATE_EOF;
    client.login("admin", "s3cret", None).await.unwrap();
    assert_eq!(client.query("rows 3").await.unwrap().rows().len(), 3);
    world.shutdown.cancel();
    env::rt::time::timeout(Duration::from_secs(10), serving).await.unwrap().unwrap();
    assert_eq!(client.query("echo x").await.unwrap_err().code, 1053);
    assert_eq!(world.server.connections().count(), 0);
    assert!(TcpStream::connect(address).await.is_err());
}
