//! What a node is told by a file, the environment and the command line.

use crate::server::Server;
use std::path::Path;
use std::process::{Command, Output};

fn serve(arguments: &[&str], environment: &[(&str, &str)]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tabularium"));
    command.arg("serve").args(arguments).envs(environment.iter().copied());
    command.output().unwrap()
}

fn told(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn a_wrong_setting_ends_the_node_before_it_begins() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("tabularium.toml");
    std::fs::write(&file, "data_dir = 'unused'\n[jobs]\nretry = 3\n").unwrap();
    let path = file.to_str().unwrap();
    let output = serve(&["--config", path, "--set", "query.memory=lots"], &[("TABULARIUM_HTTP_ADDR", "here")]);
    let said = told(&output);
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(said.contains("there is no setting jobs.retry; did you mean jobs.retries?"), "{said}");
    assert!(said.contains("--set: query.memory: \"lots\" is no size"), "{said}");
    assert!(said.contains("environment variable TABULARIUM_HTTP_ADDR: http_addr: \"here\" is no address"), "{said}");
    assert!(!Path::new("unused").exists());
    let output = serve(&[], &[]);
    assert_eq!(output.status.code(), Some(2));
    assert!(told(&output).contains("data_dir is not set"), "{}", told(&output));
    let output = serve(&["--config", "/nowhere/x.toml"], &[]);
    assert!(told(&output).contains("cannot read the configuration file /nowhere/x.toml"), "{}", told(&output));
}

#[test]
fn the_settings_are_printed_as_a_file_that_can_be_used() {
    let dir = tempfile::tempdir().unwrap();
    let output = serve(&["--data-dir", "/d", "--set", "jobs.retries=4", "--print-config"], &[]);
    assert!(output.status.success(), "{}", told(&output));
    let printed = String::from_utf8(output.stdout).unwrap();
    assert!(printed.contains("retries = \"4\""), "{printed}");
    let file = dir.path().join("all.toml");
    std::fs::write(&file, &printed).unwrap();
    let again = serve(&["--config", file.to_str().unwrap(), "--print-config"], &[]);
    assert_eq!(String::from_utf8(again.stdout).unwrap(), printed);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_setting_has_its_effect() {
    let dir = tempfile::tempdir().unwrap();
    let environment = vec![("TABULARIUM_JOBS_MAX_BYTES_PER_SECOND", "3MB"), ("TABULARIUM_RECYCLE_BIN_KEEP", "1s")];
    let server = Server::start_with(&dir.path().join("data"), environment);
    let mut client = server.connect().await;
    let shown = client.rows("SHOW VARIABLES LIKE 'backup_max_bytes_per_second'").await;
    assert_eq!(shown[0][1].as_deref(), Some("3000000"));
}
