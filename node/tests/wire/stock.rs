//! A client library that is not ours.

use crate::backend::{World, options};
use env::rt::spawn;
use mysql_async::prelude::Queryable;
use mysql_async::{Conn, OptsBuilder};
use node::mysql::Options;
use tokio::net::TcpListener;

async fn address(world: &World) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let server = world.server.clone();
    spawn(async move { server.serve(listener).await });
    port
}

fn opts(port: u16, user: &str, password: &str) -> OptsBuilder {
    OptsBuilder::default()
        .ip_or_hostname("127.0.0.1")
        .tcp_port(port)
        .user(Some(user))
        .pass(Some(password))
        .prefer_socket(false)
        .max_allowed_packet(Some(1 << 20))
        .wait_timeout(Some(600))
}

#[tokio::test]
async fn mysql_async_queries_prepares_and_resets() {
    let world = World::with(Options { max_allowed_packet_bytes: 32 << 20, ..options() });
    let port = address(&world).await;
    let mut conn = Conn::new(opts(port, "admin", "s3cret")).await.unwrap();
    assert_eq!(conn.server_version().0, 8);
    let rows: Vec<(i64, Option<String>)> = conn.query("rows 10000").await.unwrap();
    assert_eq!((rows.len(), rows[7].clone(), rows[8].clone()), (10_000, (7, None), (8, Some("row-8".into()))));
    let text: Option<String> = conn.exec_first("echo ?, ?", ("it's \\", -5_i64)).await.unwrap();
    assert_eq!(text.as_deref(), Some(r"'it''s \\' ,  -5"));
    let rows: Vec<(i64, Option<String>)> = conn.exec("rows 20", ()).await.unwrap();
    assert_eq!(rows.len(), 20);
    let result = conn.query_iter("insert 5").await.unwrap();
    assert_eq!((result.affected_rows(), result.info().as_ref()), (5, "Records: many"));
    result.drop_result().await.unwrap();
    let mysql_async::Error::Server(error) = conn.query_drop("select t").await.unwrap_err() else { panic!("no error") };
    assert_eq!((error.code, error.state.as_str()), (1146, "42S02"));
    conn.ping().await.unwrap();
    assert!(conn.reset().await.unwrap());
    let mut result = conn.query_iter("echo a; echo b").await.unwrap();
    let (first, second) = (result.collect::<String>().await.unwrap(), result.collect::<String>().await.unwrap());
    assert_eq!((first, second), (vec!["a".to_owned()], vec!["b".to_owned()]));
    drop(result);
    conn.disconnect().await.unwrap();
}

#[tokio::test]
async fn mysql_async_is_refused_with_a_wrong_password_and_may_change_its_user() {
    let world = World::new();
    let port = address(&world).await;
    let mysql_async::Error::Server(error) = Conn::new(opts(port, "admin", "wrong")).await.unwrap_err() else {
        panic!("another error")
    };
    assert_eq!(error.code, 1045);
    let mut conn = Conn::new(opts(port, "admin", "s3cret")).await.unwrap();
    let other = mysql_async::ChangeUserOpts::new().with_user(Some("other".into())).with_pass(Some("pw".into()));
    conn.change_user(other).await.unwrap();
    let user: Option<(String, Option<String>, Option<String>)> = conn.query_first("whoami").await.unwrap();
    assert_eq!(user.unwrap().0, "other");
    conn.disconnect().await.unwrap();
}
