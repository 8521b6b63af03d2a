//! `tabularium sql`, embedded and against a server.

use crate::server::Server;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Output, Stdio};

fn sql(arguments: &[&str], data_dir: Option<&Path>) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tabularium"));
    command.arg("sql").args(arguments).stdin(Stdio::null());
    if let Some(dir) = data_dir {
        command.arg("--data-dir").arg(dir);
    }
    command.output().expect("tabularium starts")
}

fn out(output: &Output) -> String {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
fn a_script_runs_on_an_embedded_engine() {
    let dir = tempfile::tempdir().unwrap();
    let mut file = tempfile::NamedTempFile::new().unwrap();
    writeln!(
        file,
        "CREATE DATABASE d; USE d;\nCREATE TABLE t (k INT NOT NULL, v VARCHAR(9)) PRIMARY KEY (k) \
         DISTRIBUTED BY HASH (k) BUCKETS 2;\n-- a remark; with a semicolon\n\
         INSERT INTO t VALUES (1, 'a;b'), (2, NULL), (3, '');\nSELECT * FROM t ORDER BY k"
    )
    .unwrap();
    let path = file.path().to_str().unwrap();
    let shown = out(&sql(&["-f", path], Some(dir.path())));
    assert_eq!(shown, "k,v\n1,a;b\n2,\n3,\"\"\n");
    let shown =
        out(&sql(&["--format", "json", "-D", "d", "-e", "SELECT * FROM t WHERE k < 3 ORDER BY k"], Some(dir.path())));
    assert_eq!(shown, "{\"k\":1,\"v\":\"a;b\"}\n{\"k\":2,\"v\":null}\n");
    let shown = out(&sql(&["--format", "table", "-e", "SELECT 1 AS one"], Some(dir.path())));
    assert!(shown.contains("│   1 │") || shown.contains("one"), "{shown}");
}

#[test]
fn a_failed_statement_ends_a_script_with_an_error() {
    let dir = tempfile::tempdir().unwrap();
    let output = sql(&["-e", "SELECT 1 AS x; SELEKT 2; SELECT 3 AS y"], Some(dir.path()));
    assert_eq!(output.status.code(), Some(1));
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(error.contains("ERROR 1064 (42000)"), "{error}");
    assert!(!String::from_utf8_lossy(&output.stdout).contains('y'));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_statements_run_against_a_server() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(dir.path(), None);
    let address = format!("127.0.0.1:{}", server.mysql_port);
    let script = "CREATE DATABASE d; USE d; CREATE TABLE t (k INT NOT NULL) DUPLICATE KEY (k) DISTRIBUTED BY RANDOM \
                  BUCKETS 1; INSERT INTO t VALUES (1), (2); SELECT SUM(k) AS s FROM t";
    let shown =
        tokio::task::spawn_blocking(move || out(&sql(&["--server", &address, "-e", script], None))).await.unwrap();
    assert_eq!(shown, "s\n3\n");
    let address = format!("127.0.0.1:{}", server.mysql_port);
    let refused =
        tokio::task::spawn_blocking(move || sql(&["--server", &address, "-e", "SELEKT 1"], None)).await.unwrap();
    let error = String::from_utf8_lossy(&refused.stderr);
    assert_eq!(refused.status.code(), Some(1));
    assert!(error.starts_with("tabularium: ERROR 1064 (42000): "), "{error}");
    assert_eq!(error.matches("SELEKT").count(), 1, "told once: {error}");
    let second = tokio::task::spawn_blocking({
        let dir = dir.path().to_owned();
        move || sql(&["-e", "SELECT 1"], Some(&dir))
    });
    let second = second.await.unwrap();
    assert!(!second.status.success(), "two processes opened one data directory");
    assert!(String::from_utf8_lossy(&second.stderr).contains("another process"), "{second:?}");
}
