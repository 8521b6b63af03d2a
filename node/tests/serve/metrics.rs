//! What monitoring is told of jobs.

use crate::server::Server;
use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::TcpStream;

fn metrics(port: u16) -> BTreeMap<String, f64> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    stream.set_read_timeout(Some(crate::server::PATIENCE)).unwrap();
    stream.write_all(b"GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    let samples = text.lines().filter(|line| line.starts_with("tabularium_"));
    samples
        .filter_map(|line| line.rsplit_once(' '))
        .map(|(name, value)| (name.to_owned(), value.parse().unwrap()))
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_age_of_the_last_good_backup_and_of_the_last_proof_are_told() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(&dir.path().join("data"), None);
    let mut client = server.connect().await;
    client.run("CREATE DATABASE d").await;
    client.run("CREATE DATABASE never").await;
    client.run("CREATE TABLE d.t (k INT)").await;
    client.run("INSERT INTO d.t VALUES (1)").await;
    client.run(&format!("CREATE REPOSITORY r ON LOCATION 'file://{}'", dir.path().join("r").display())).await;
    let before = metrics(server.http_port);
    assert!(!before.contains_key("tabularium_last_backup_age_seconds{database=\"d\"}"), "{before:#?}");
    client.run("BACKUP SNAPSHOT d.s TO r").await;
    assert_eq!(client.end_of_job("BACKUP", "d").await, "FINISHED");
    let found = metrics(server.http_port);
    assert!(found["tabularium_last_backup_age_seconds{database=\"d\"}"] < 60.0, "{found:#?}");
    assert!(!found.contains_key("tabularium_last_backup_age_seconds{database=\"never\"}"));
    assert!(!found.contains_key("tabularium_last_proof_age_seconds{database=\"d\"}"));
    assert!((found["tabularium_jobs{kind=\"backup\",state=\"FINISHED\"}"] - 1.0).abs() < f64::EPSILON);
    assert!(found["tabularium_repository_requests_total"] > 3.0);
    let stamp = client.rows("SHOW SNAPSHOT ON r").await[0][1].clone().unwrap();
    client.run(&format!("RESTORE SNAPSHOT s FROM r DATABASE d AS e PROPERTIES ('backup_timestamp' = '{stamp}')")).await;
    assert_eq!(client.end_of_job("RESTORE", "e").await, "FINISHED");
    let found = metrics(server.http_port);
    assert!(found["tabularium_last_proof_age_seconds{database=\"d\"}"] < 60.0, "{found:#?}");
}
