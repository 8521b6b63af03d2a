//! TLS for both doors: a certificate and its key, read from files once, when the process starts.

use crate::mysql::{TlsUpgrade, Transport};
use anyhow::{Context, Result, bail};
use async_trait::async_trait;
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use std::io;
use std::path::Path;
use std::sync::Arc;
use tokio_rustls::TlsAcceptor;

/// The server's side of TLS.
#[derive(Clone)]
pub struct Tls(TlsAcceptor);

impl std::fmt::Debug for Tls {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Tls(..)")
    }
}

impl Tls {
    /// Reads a certificate, with those of its issuers behind it, and its private key. Both are PEM files. Blocks.
    ///
    /// # Errors
    /// A file that cannot be read or holds no such thing, by its name; a key that is not that of the certificate.
    pub fn from_files(certificate: &Path, key: &Path) -> Result<Self> {
        let unusable = |what: &str, path: &Path| format!("cannot use {} as {what}", path.display());
        let chain: Vec<CertificateDer<'static>> = CertificateDer::pem_file_iter(certificate)
            .and_then(Iterator::collect)
            .with_context(|| unusable("tls_cert", certificate))?;
        if chain.is_empty() {
            bail!(
                "{}: there is no certificate in it; PEM begins with -----BEGIN CERTIFICATE-----",
                unusable("tls_cert", certificate)
            );
        }
        let private = PrivateKeyDer::from_pem_file(key).with_context(|| unusable("tls_key", key))?;
        let config = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .context("cannot set TLS up")?
            .with_no_client_auth()
            .with_single_cert(chain, private)
            .with_context(|| {
                format!("the key in {} does not go with the certificate in {}", key.display(), certificate.display())
            })?;
        Ok(Self(TlsAcceptor::from(Arc::new(config))))
    }
}

#[async_trait]
impl TlsUpgrade for Tls {
    async fn upgrade(&self, stream: Box<dyn Transport>) -> io::Result<Box<dyn Transport>> {
        Ok(Box::new(self.0.accept(stream).await?))
    }
}
