//! A secret given in CREATE REPOSITORY is used, and is nowhere to be seen: not in the data directory, not in the log at its
//! most talkative, not in what SHOW or an error tells.

use crate::s3::{Answer, S3};
use crate::server::{Client, PATIENCE, Server};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::{Duration, Instant};

const SECRET: &str = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";
const TOKEN: &str = "IQoJb3JpZ2luX2VjEXAMPLETOKEN==";

fn holds(bytes: &[u8], text: &str) -> bool {
    bytes.windows(text.len()).any(|window| window == text.as_bytes())
}

/// Paths below a directory whose files hold a text.
fn files_with(dir: &Path, text: &str, found: &mut Vec<String>) {
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files_with(&path, text, found);
        } else if holds(&fs::read(&path).unwrap(), text) {
            found.push(path.display().to_string());
        }
    }
}

async fn backed_up(client: &mut Client, label: &str) {
    client.run(&format!("BACKUP SNAPSHOT d.{label} TO r")).await;
    let deadline = Instant::now() + PATIENCE;
    loop {
        let shown = client.rows("SHOW BACKUP FROM d").await;
        match shown[0][3].as_deref() {
            Some("FINISHED") => return,
            Some("CANCELLED") => panic!("{shown:?}"),
            _ => assert!(Instant::now() < deadline, "{shown:?}"),
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_in_a_statement_is_used_and_nowhere_seen() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    let s3 = S3::start().await;
    let server = Server::start_with(&data, vec![("TABULARIUM_LOG", "trace"), ("RIGHT_TOKEN", TOKEN)]);
    let mut client = server.connect().await;
    let mut told = Vec::new();
    for wrong in [
        format!("CREATE REPOSITORY r ON LOCATION 's3://b/x' PROPERTIES ('aws.s3.secret_kye' = '{SECRET}')"),
        format!("CREATE REPOSITORY r ON LOCATION 's3://b/x' PROPERTIES ('aws.s3.secret_key' = '{SECRET}')"),
        format!("CREATE REPOSITORY r ON LOCATION 's3://b/x?{SECRET}'"),
    ] {
        told.push(client.try_run(&wrong).await.unwrap_err().to_string());
    }
    // Only the client itself hears what it wrote.
    let garbled = format!("CREATE REPOSITORY r ON LOCATION 's3://b/x' PROPERTIES ('aws.s3.secret_key' '{SECRET}')");
    client.try_run(&garbled).await.unwrap_err();
    client
        .run(&format!(
            "CREATE REPOSITORY r ON LOCATION 's3://b/x' PROPERTIES ('aws.s3.access_key' = 'AKID', 'aws.s3.secret_key' = \
             '{SECRET}', 'aws.s3.session_token' = 'env:RIGHT_TOKEN', 'aws.s3.endpoint' = '{}')",
            s3.endpoint()
        ))
        .await;
    client.run("CREATE DATABASE d").await;
    client.run("CREATE TABLE d.t (k INT) DUPLICATE KEY (k) DISTRIBUTED BY HASH (k) BUCKETS 1").await;
    client.run("INSERT INTO d.t VALUES (1), (2)").await;
    backed_up(&mut client, "one").await;
    for statement in ["SHOW REPOSITORIES", "SHOW SNAPSHOT ON r", "SHOW BACKUP FROM d", "SHOW PROCESSLIST"] {
        told.push(format!("{:?}", client.rows(statement).await));
    }
    // A store that repeats what it was sent.
    s3.before(|request| {
        let head = format!("<StringToSign>{}</StringToSign>{SECRET}", request.head);
        Some(Answer::refusal(403, "SignatureDoesNotMatch", &head))
    });
    told.push(client.try_run("SHOW SNAPSHOT ON r").await.unwrap_err().to_string());
    s3.before(|_| None);
    assert!(told.last().unwrap().contains("the store answers 403 SignatureDoesNotMatch"), "{told:#?}");
    drop(client);
    let (code, log) = server.end();
    assert_eq!(code, Some(0));

    assert!(log.iter().any(|line| line.contains("an object store refuses")), "the log is as talkative as it can be");
    for text in [SECRET, TOKEN] {
        for told in told.iter().chain(&log) {
            assert!(!told.contains(text), "{told}");
        }
        let mut found = Vec::new();
        files_with(&data, text, &mut found);
        assert_eq!(found, Vec::<String>::new());
    }
    assert_eq!(fs::metadata(data.join("secret.key")).unwrap().permissions().mode() & 0o777, 0o600);

    // The next life of the node reads it from the catalog.
    let server = Server::start_with(&data, vec![("RIGHT_TOKEN", TOKEN)]);
    let mut client = server.connect().await;
    backed_up(&mut client, "two").await;
    assert_eq!(client.rows("SHOW SNAPSHOT ON r").await.len(), 2);
    drop(client);
    assert_eq!(server.terminate(), Some(0));
}
