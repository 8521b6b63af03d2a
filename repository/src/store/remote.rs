//! Stores on the network: S3, Google Cloud Storage, Azure.
//!
//! The library's own retries are off. Which failed request may be sent again, and what an unclear answer to a commit
//! means, is decided in one place, by those who know what the request was for.

use super::deletes::Deletes;
use super::dial::Dialer;
use super::parts::Uploads;
use super::polite::Polite;
use super::properties::{
    AzureCredentials, AzureTarget, Endpoint, GcsCredentials, GcsTarget, S3Credentials, S3Target, Target,
};
use super::refusal;
use crate::error::{Error, Result};
use crate::location::Location;
use object_store::aws::{AmazonS3, AmazonS3Builder};
use object_store::azure::{AzureConfigKey, MicrosoftAzure, MicrosoftAzureBuilder};
use object_store::gcp::{GoogleCloudStorage, GoogleCloudStorageBuilder};
use object_store::multipart::MultipartStore;
use object_store::path::Path;
use object_store::prefix::PrefixStore;
use object_store::{ClientOptions, ObjectStore, RetryConfig};
use std::sync::Arc;

/// The store at a location on the network. Nothing is dialled yet.
pub(super) fn connect(location: &Location, target: &Target) -> Result<Arc<dyn ObjectStore>> {
    let mut hidden = Vec::new();
    let mut one_by_one: Option<Arc<dyn ObjectStore>> = None;
    let (store, prefix): (Both, &str) = match (location, target) {
        (Location::S3 { bucket, prefix }, Target::S3(target)) => {
            let (many, single) = s3(bucket, target, &mut hidden)?;
            one_by_one = Some(Arc::new(single));
            (Both::of(many), prefix)
        }
        (Location::Gcs { bucket, prefix }, Target::Gcs(target)) => {
            (Both::of(gcs(bucket, target, &mut hidden)?), prefix)
        }
        (Location::Azure { container, prefix, .. }, Target::Azure(target)) => {
            (Both::of(azure(container, target, &mut hidden)?), prefix)
        }
        (_, Target::Here | Target::S3(_) | Target::Gcs(_) | Target::Azure(_)) => {
            return Err(Error::Invalid(format!("the properties are not those of location {location}")));
        }
    };
    let prefix = Path::parse(prefix).map_err(|failed| Error::Invalid(failed.to_string()))?;
    let below = |store: Arc<dyn ObjectStore>| -> Arc<dyn ObjectStore> {
        if prefix.as_ref().is_empty() { store } else { Arc::new(PrefixStore::new(store, prefix.clone())) }
    };
    let uploads = Uploads::new(store.uploads, prefix.clone());
    let store = below(store.objects);
    let deletes = one_by_one.map(|single| Deletes::new(Arc::clone(&store), below(single)));
    Ok(Arc::new(Polite::new(store, uploads, deletes, location.to_string(), hidden)))
}

/// One store, for requests of objects and for those of uploads in parts.
struct Both {
    objects: Arc<dyn ObjectStore>,
    uploads: Arc<dyn MultipartStore>,
}

impl Both {
    fn of<S: ObjectStore + MultipartStore>(store: S) -> Self {
        let store = Arc::new(store);
        Self { objects: Arc::<S>::clone(&store), uploads: store }
    }
}

fn no_retries() -> RetryConfig {
    RetryConfig { max_retries: 0, ..RetryConfig::default() }
}

fn options(endpoint: Option<&Endpoint>) -> ClientOptions {
    ClientOptions::new().with_allow_http(endpoint.is_some_and(|endpoint| !endpoint.encrypted()))
}

/// What a builder says about what it was given, which it may repeat.
fn unusable(failed: &object_store::Error, hidden: &[String]) -> Error {
    Error::Invalid(format!("the properties do not make a connection: {}", refusal::chain(failed, hidden)))
}

/// The bucket twice: as one that deletes many objects in a request, and as one that does it one by one.
fn s3(bucket: &str, target: &S3Target, hidden: &mut Vec<String>) -> Result<(AmazonS3, AmazonS3)> {
    let mut builder = match &target.credentials {
        S3Credentials::Environment => AmazonS3Builder::from_env(),
        S3Credentials::InstanceProfile | S3Credentials::Keys { .. } => AmazonS3Builder::new(),
    };
    if let S3Credentials::Keys { access_key, secret_key, session_token } = &target.credentials {
        let (access_key, secret_key) = (access_key.reveal()?, secret_key.reveal()?);
        hidden.extend([access_key.clone(), secret_key.clone()]);
        builder = builder.with_access_key_id(access_key).with_secret_access_key(secret_key);
        if let Some(token) = session_token {
            let token = token.reveal()?;
            hidden.push(token.clone());
            builder = builder.with_token(token);
        }
    }
    if let Some(region) = &target.region {
        builder = builder.with_region(region);
    }
    if let Some(endpoint) = &target.endpoint {
        let host = if target.path_style { endpoint.clone() } else { endpoint.below(bucket)? };
        // Google's S3 front has no request that deletes many.
        builder = builder
            .with_endpoint(host.text())
            .with_disable_bulk_delete(endpoint.host().ends_with("storage.googleapis.com"))
            // The signature over the body protects it where nothing else does. With TLS, or inside this machine, it only
            // costs: a quarter of the throughput when both ends hash on the same processors.
            .with_unsigned_payload(endpoint.encrypted() || endpoint.is_loopback());
    } else {
        builder = builder.with_unsigned_payload(true);
    }
    let builder = builder
        .with_bucket_name(bucket)
        .with_virtual_hosted_style_request(!target.path_style)
        .with_client_options(options(target.endpoint.as_ref()))
        .with_retry(no_retries())
        .with_http_connector(Dialer::new(target.credentials == S3Credentials::Environment, hidden));
    let build = |builder: AmazonS3Builder| builder.build().map_err(|failed| unusable(&failed, hidden));
    Ok((build(builder.clone())?, build(builder.with_disable_bulk_delete(true))?))
}

fn gcs(bucket: &str, target: &GcsTarget, hidden: &mut Vec<String>) -> Result<GoogleCloudStorage> {
    let mut builder = GoogleCloudStorageBuilder::new();
    match &target.credentials {
        GcsCredentials::ServiceAccount { email, private_key_id, private_key } => {
            // In SQL text the line ends of a key are often written as two letters.
            let key = private_key.reveal()?.replace("\\n", "\n");
            hidden.extend(key.lines().filter(|line| !line.starts_with("-----")).map(str::to_owned));
            let account = serde_json::json!({
                "type": "service_account",
                "client_email": email,
                "private_key_id": private_key_id,
                "private_key": key,
            });
            builder = builder.with_service_account_key(account.to_string());
        }
        GcsCredentials::Machine => {}
        GcsCredentials::None => {
            let nobody = object_store::gcp::GcpCredential { bearer: String::new() };
            let nobody = object_store::StaticCredentialProvider::new(nobody);
            builder = builder.with_skip_signature(true).with_credentials(Arc::new(nobody));
        }
    }
    if let Some(endpoint) = &target.endpoint {
        builder = builder.with_base_url(endpoint.text());
    }
    builder
        .with_bucket_name(bucket)
        .with_client_options(options(target.endpoint.as_ref()))
        .with_retry(no_retries())
        .with_http_connector(Dialer::new(false, hidden))
        .build()
        .map_err(|failed| unusable(&failed, hidden))
}

fn azure(container: &str, target: &AzureTarget, hidden: &mut Vec<String>) -> Result<MicrosoftAzure> {
    let mut builder = MicrosoftAzureBuilder::new().with_account(&target.account).with_container_name(container);
    match &target.credentials {
        AzureCredentials::SharedKey(key) => {
            let key = key.reveal()?;
            hidden.push(key.clone());
            builder = builder.with_access_key(key);
        }
        AzureCredentials::SasToken(token) => {
            let token = token.reveal()?;
            hidden.push(token.clone());
            builder = builder.with_config(AzureConfigKey::SasKey, token);
        }
        AzureCredentials::Client { tenant, client, secret } => {
            let secret = secret.reveal()?;
            hidden.push(secret.clone());
            builder = builder.with_client_secret_authorization(client, secret, tenant);
        }
        AzureCredentials::ManagedIdentity { client } => {
            if let Some(client) = client {
                builder = builder.with_client_id(client);
            }
        }
    }
    if let Some(endpoint) = &target.endpoint {
        builder = builder.with_endpoint(endpoint.text().to_owned());
    }
    builder
        .with_client_options(options(target.endpoint.as_ref()))
        .with_retry(no_retries())
        .with_http_connector(Dialer::new(false, hidden))
        .build()
        .map_err(|failed| unusable(&failed, hidden))
}
