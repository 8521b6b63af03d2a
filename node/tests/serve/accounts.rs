//! Passwords and accounts, from the first start of a server on.

use crate::server::Server;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use mysql_async::prelude::Queryable;
use mysql_async::{Conn, OptsBuilder};
use std::fs;
use std::path::Path;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

const FIRST: &str = "correct horse battery";
const SECOND: &str = "staple Tr0ub4dor";

async fn login(server: &Server, user: &str, password: Option<&str>) -> Result<Conn, (u16, String)> {
    let options = OptsBuilder::default()
        .ip_or_hostname("127.0.0.1")
        .tcp_port(server.mysql_port)
        .user(Some(user))
        .pass(password)
        .prefer_socket(false);
    match Conn::new(options).await {
        Ok(connection) => Ok(connection),
        Err(mysql_async::Error::Server(error)) => Err((error.code, error.message)),
        Err(other) => panic!("{other}"),
    }
}

/// The first line of the answer to a load, and its body.
async fn load(server: &Server, user: &str, password: &str) -> String {
    let mut stream = TcpStream::connect(("127.0.0.1", server.http_port)).await.unwrap();
    let basic = STANDARD.encode(format!("{user}:{password}"));
    let request = format!(
        "PUT /api/d/t/_stream_load HTTP/1.1\r\nHost: h\r\nAuthorization: Basic {basic}\r\ncolumn_separator: ,\r\n\
         Connection: close\r\nContent-Length: 2\r\n\r\n7\n"
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

fn files_with(dir: &Path, text: &str) -> Vec<String> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files_with(&path, text));
        } else if fs::read(&path).unwrap().windows(text.len()).any(|part| part == text.as_bytes()) {
            found.push(path.display().to_string());
        }
    }
    found
}

#[tokio::test(flavor = "multi_thread")]
async fn a_password_is_required_once_it_is_set_and_is_nowhere_seen() {
    let dir = tempfile::tempdir().unwrap();
    let mut server = Server::start_with(dir.path(), vec![("TABULARIUM_LOG", "trace")]);
    let mut root = login(&server, "root", None).await.unwrap();
    assert_eq!(login(&server, "root", Some("x")).await.unwrap_err().0, 1045, "there is none yet");
    root.query_drop("CREATE DATABASE d").await.unwrap();
    root.query_drop("CREATE TABLE d.t (k INT) DUPLICATE KEY (k) DISTRIBUTED BY RANDOM BUCKETS 1").await.unwrap();
    root.query_drop(format!("ALTER USER root IDENTIFIED BY '{FIRST}'")).await.unwrap();
    root.query_drop(format!("CREATE USER ann IDENTIFIED WITH caching_sha2_password BY '{SECOND}'")).await.unwrap();
    root.query_drop(format!("CREATE USER far@'10.0.0.%' IDENTIFIED BY '{SECOND}'")).await.unwrap();
    root.query_drop("GRANT SELECT ON TABLE d.t TO ann").await.unwrap();
    root.query_drop(format!("CREATE USER bad IDENTIFIED WITH nothing BY '{SECOND}'")).await.unwrap_err();
    root.query_drop(format!("CREATE USER bad IDENTIFIED BY '{SECOND}' '{SECOND}'")).await.unwrap_err();
    let shown: Vec<mysql_async::Row> = root.query("SHOW USERS").await.unwrap();
    let shown = format!("{shown:?}");

    assert!(login(&server, "root", Some(FIRST)).await.is_ok());
    for (user, password, using) in [
        ("root", None, "NO"),
        ("root", Some(SECOND), "YES"),
        ("ann", Some(FIRST), "YES"),
        ("nobody", Some(FIRST), "YES"),
        ("far", Some(SECOND), "YES"),
    ] {
        let (code, message) = login(&server, user, password).await.map(drop).unwrap_err();
        assert_eq!(code, 1045);
        assert_eq!(message, format!("Access denied for user '{user}'@'127.0.0.1' (using password: {using})"));
    }
    let mut ann = login(&server, "ann", Some(SECOND)).await.unwrap();
    assert_eq!(ann.query_first::<u64, _>("SELECT COUNT(*) FROM d.t").await.unwrap(), Some(0));
    assert_eq!(ann.query_first::<String, _>("SELECT CURRENT_USER()").await.unwrap().unwrap(), "'ann'@'%'");
    assert_eq!(ann.query_first::<String, _>("SELECT USER()").await.unwrap().unwrap(), "'ann'@'127.0.0.1'");
    let mysql_async::Error::Server(denied) = ann.query_drop("INSERT INTO d.t VALUES (1)").await.unwrap_err() else {
        panic!()
    };
    assert_eq!((denied.code, denied.state.as_str()), (1142, "42000"));
    // Her own connections are all that she sees and may end.
    let own: Vec<mysql_async::Row> = ann.query("SHOW PROCESSLIST").await.unwrap();
    assert_eq!(own.len(), 1);
    let all: Vec<mysql_async::Row> = root.query("SHOW PROCESSLIST").await.unwrap();
    assert!(all.len() > 1);
    let mysql_async::Error::Server(denied) = ann.query_drop(format!("KILL {}", root.id())).await.unwrap_err() else {
        panic!()
    };
    assert_eq!(denied.code, 1095);
    // Loads know the same accounts.
    assert!(load(&server, "root", "").await.starts_with("HTTP/1.1 401"));
    assert!(load(&server, "ann", FIRST).await.starts_with("HTTP/1.1 401"));
    let answer = load(&server, "ann", SECOND).await;
    assert!(answer.contains("user 'ann'@'%' needs INSERT on TABLE d.t"), "{answer}");
    root.query_drop("GRANT INSERT ON TABLE d.t TO ann").await.unwrap();
    let answer = load(&server, "ann", SECOND).await;
    assert!(answer.contains("\"Success\""), "{answer}");
    ann.query_drop(format!("SET PASSWORD = '{FIRST}'")).await.unwrap();
    assert!(login(&server, "ann", Some(SECOND)).await.is_err());
    assert!(login(&server, "ann", Some(FIRST)).await.is_ok());
    drop((root, ann));
    server.look_for("nothing of the kind", std::time::Duration::from_millis(200));
    let (code, log) = server.end();
    assert_eq!(code, Some(0));
    assert!(log.iter().any(|line| line.contains("the user root has no password") && line.contains("ALTER USER root")));
    let basic = STANDARD.encode(format!("ann:{SECOND}"));
    for secret in [FIRST, SECOND, basic.as_str()] {
        assert!(!shown.contains(secret));
        assert_eq!(log.iter().filter(|line| line.contains(secret)).collect::<Vec<_>>(), Vec::<&String>::new());
        assert_eq!(files_with(dir.path(), secret), Vec::<String>::new());
    }

    let server = Server::start(dir.path(), None);
    assert_eq!(login(&server, "root", None).await.map(drop).unwrap_err().0, 1045);
    let mut root = login(&server, "root", Some(FIRST)).await.unwrap();
    assert!(login(&server, "ann", Some(FIRST)).await.is_ok());
    root.query_drop("DROP USER ann").await.unwrap();
    assert!(login(&server, "ann", Some(FIRST)).await.is_err());
    drop(root);
    let (code, log) = server.end();
    assert_eq!(code, Some(0));
    assert!(!log.iter().any(|line| line.contains("has no password")));
}

#[test]
fn a_bad_certificate_keeps_the_server_from_starting() {
    let dir = tempfile::tempdir().unwrap();
    let bad = dir.path().join("bad.pem");
    fs::write(&bad, "nothing").unwrap();
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_tabularium"))
        .args(["serve", "--mysql-addr", "127.0.0.1:0", "--http-addr", "127.0.0.1:0", "--data-dir"])
        .arg(dir.path().join("data"))
        .arg("--tls-cert")
        .arg(&bad)
        .arg("--tls-key")
        .arg(&bad)
        .output()
        .unwrap();
    assert!(!output.status.success());
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(told.contains("tls_cert") && told.contains("bad.pem"), "{told}");
}
