//! TLS at both doors, with a certificate that is for tests only.

use crate::backend::{Toy, Users, options};
use crate::client::{Client, proof};
use crate::http;
use env::rt::{CancellationToken, spawn};
use node::http::metrics::Metrics;
use node::mysql::{Server, Transport};
use node::tls::Tls;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsConnector;

fn file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/wire/tls").join(name)
}

fn tls() -> Tls {
    Tls::from_files(&file("cert.pem"), &file("key.pem")).unwrap()
}

/// The client's side of TLS, which trusts nobody but the test's certificate.
async fn inside(stream: Box<dyn Transport>) -> Box<dyn Transport> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(file("cert.pem")).unwrap()).unwrap();
    let config = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let name = ServerName::try_from("localhost").unwrap();
    Box::new(TlsConnector::from(Arc::new(config)).connect(name, stream).await.unwrap())
}

fn server() -> Server<Toy> {
    let (metrics, shutdown) = (Arc::new(Metrics::default()), CancellationToken::new());
    Server::new(Toy::default(), Arc::new(Users), options(), metrics, shutdown).with_tls(Arc::new(tls()))
}

fn connect(server: &Server<Toy>) -> Client {
    let (near, far) = tokio::io::duplex(1 << 16);
    let server = server.clone();
    spawn(async move { server.serve_stream(Box::new(far), "h".to_owned()).await });
    Client::new(Box::new(near))
}

#[tokio::test]
async fn a_login_is_encrypted_when_the_client_asks_for_it() {
    let server = server();
    for (plugin, user) in
        [("mysql_native_password", "careful"), ("mysql_native_password", "new"), ("caching_sha2_password", "new")]
    {
        let mut client = connect(&server);
        client.plugin = plugin;
        client.greeted().await.unwrap();
        assert_ne!(client.server_capabilities & 0x800, 0);
        client.capabilities |= 0x800;
        let answer = proof(plugin, "s3cret", &client.salt);
        let hello = client.hello(user, &answer, None);
        client.write(&hello[..32]).await;
        let plain = std::mem::replace(&mut client.stream, Box::new(tokio::io::empty()));
        client.stream = inside(plain).await;
        client.write(&hello).await;
        client.finish_login("s3cret").await.unwrap();
        assert_eq!(client.value("echo secret").await, "secret");
        assert_eq!(client.query("rows 20000").await.unwrap().rows().len(), 20_000);
    }
}

#[tokio::test]
async fn an_account_may_require_tls() {
    let server = server();
    // A wrong password is told as such: whether the account requires TLS is not.
    let error = connect(&server).login("careful", "wrong", None).await.unwrap_err();
    assert!(error.message.contains("using password: YES"), "{error:?}");
    let error = connect(&server).login("careful", "s3cret", None).await.unwrap_err();
    assert_eq!(error.code, 1045);
    assert!(error.message.contains("requires TLS"), "{error:?}");
    connect(&server).login("admin", "s3cret", None).await.unwrap();
}

#[tokio::test]
async fn one_http_port_takes_both() {
    let (server, _loader, shutdown) = http::server(http::options());
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let serving = spawn(server.with_tls(Arc::new(tls())).serve(listener));
    for encrypted in [false, true] {
        let mut stream: Box<dyn Transport> = Box::new(TcpStream::connect(address).await.unwrap());
        if encrypted {
            stream = inside(stream).await;
        }
        stream.write_all(b"GET /health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    }
    shutdown.cancel();
    serving.await.unwrap();
}

#[test]
fn files_that_do_not_serve_are_named() {
    let told = |certificate: &Path, key: &Path| format!("{:#}", Tls::from_files(certificate, key).unwrap_err());
    let (certificate, key) = (file("cert.pem"), file("key.pem"));
    let absent = file("absent.pem");
    let error = told(&absent, &key);
    assert!(error.contains("tls_cert") && error.contains("absent.pem"), "{error}");
    let error = told(&certificate, &absent);
    assert!(error.contains("tls_key") && error.contains("absent.pem"), "{error}");
    let error = told(&key, &key);
    assert!(error.contains("no certificate in it") && error.contains("key.pem"), "{error}");
    let error = told(&certificate, &certificate);
    assert!(error.contains("tls_key") && error.contains("cert.pem"), "{error}");
    let error = told(&certificate, &file("other_key.pem"));
    assert!(error.contains("does not go with") && error.contains("other_key.pem"), "{error}");
}
