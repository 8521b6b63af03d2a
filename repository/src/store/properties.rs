//! Properties of a location: the PROPERTIES of CREATE REPOSITORY, checked by name and value. Pure.
//!
//! The names are those that users of StarRocks have in their scripts. What is unknown, impossible, contradictory or
//! missing is refused by name; a value is only repeated when it cannot be a secret.

use super::secret::{MASK, Secret};
use crate::error::{Error, Result};
use crate::location::Location;
use std::collections::BTreeMap;
use std::fmt;
use url::{Host, Url};

/// What a property says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Field {
    SingleWriter,
    AccessKey,
    SecretKey,
    SessionToken,
    Region,
    Endpoint,
    Ssl,
    PathStyle,
    InstanceProfile,
    SdkDefault,
    Email,
    PrivateKeyId,
    PrivateKey,
    ComputeEngine,
    Account,
    SharedKey,
    SasToken,
    Container,
    TenantId,
    ClientId,
    ClientSecret,
    ManagedIdentity,
}

impl Field {
    fn is_secret(self) -> bool {
        matches!(
            self,
            Self::AccessKey
                | Self::SecretKey
                | Self::SessionToken
                | Self::PrivateKey
                | Self::SharedKey
                | Self::SasToken
                | Self::ClientSecret
        )
    }
}

/// A family of properties.
struct Family {
    /// How errors call the locations that it is for.
    of: &'static str,
    /// The names; of several for one field, the first is the one that errors suggest.
    fields: &'static [(&'static str, Field)],
    /// Names that StarRocks knows and this program does not, and what to use.
    refused: &'static [(&'static str, &'static str)],
}

const ANY: Family = Family { of: "every kind of", fields: &[("single_writer", Field::SingleWriter)], refused: &[] };

const S3: Family = Family {
    of: "s3:",
    fields: &[
        ("aws.s3.access_key", Field::AccessKey),
        ("aws.s3.secret_key", Field::SecretKey),
        ("aws.s3.session_token", Field::SessionToken),
        ("aws.s3.region", Field::Region),
        ("aws.s3.endpoint", Field::Endpoint),
        ("aws.s3.enable_ssl", Field::Ssl),
        ("aws.s3.enable_path_style_access", Field::PathStyle),
        ("aws.s3.use_instance_profile", Field::InstanceProfile),
        ("aws.s3.use_aws_sdk_default_behavior", Field::SdkDefault),
        ("fs.s3a.access.key", Field::AccessKey),
        ("fs.s3a.secret.key", Field::SecretKey),
        ("fs.s3a.session.token", Field::SessionToken),
        ("fs.s3a.endpoint", Field::Endpoint),
        ("fs.s3a.endpoint.region", Field::Region),
        ("fs.s3a.path.style.access", Field::PathStyle),
        ("fs.s3a.connection.ssl.enabled", Field::Ssl),
    ],
    refused: &[
        ("aws.s3.iam_role_arn", "assuming a role is not supported; let the instance profile have the rights"),
        ("aws.s3.external_id", "assuming a role is not supported; let the instance profile have the rights"),
    ],
};

const GCS: Family = Family {
    of: "gs:",
    fields: &[
        ("gcp.gcs.service_account_email", Field::Email),
        ("gcp.gcs.service_account_private_key_id", Field::PrivateKeyId),
        ("gcp.gcs.service_account_private_key", Field::PrivateKey),
        ("gcp.gcs.use_compute_engine_service_account", Field::ComputeEngine),
        ("gcp.gcs.endpoint", Field::Endpoint),
    ],
    refused: &[(
        "gcp.gcs.impersonation_service_account",
        "impersonation is not supported; give the service account's own key, or the right to the machine's account",
    )],
};

const AZURE: Family = Family {
    of: "az: and abfs:",
    fields: &[
        ("azure.blob.storage_account", Field::Account),
        ("azure.blob.shared_key", Field::SharedKey),
        ("azure.blob.sas_token", Field::SasToken),
        ("azure.blob.container", Field::Container),
        ("azure.blob.endpoint", Field::Endpoint),
        ("azure.blob.oauth2_tenant_id", Field::TenantId),
        ("azure.blob.oauth2_client_id", Field::ClientId),
        ("azure.blob.oauth2_client_secret", Field::ClientSecret),
        ("azure.blob.oauth2_use_managed_identity", Field::ManagedIdentity),
        ("azure.adls2.storage_account", Field::Account),
        ("azure.adls2.shared_key", Field::SharedKey),
        ("azure.adls2.sas_token", Field::SasToken),
        ("azure.adls2.endpoint", Field::Endpoint),
        ("azure.adls2.oauth2_tenant_id", Field::TenantId),
        ("azure.adls2.oauth2_client_id", Field::ClientId),
        ("azure.adls2.oauth2_client_secret", Field::ClientSecret),
        ("azure.adls2.oauth2_use_managed_identity", Field::ManagedIdentity),
    ],
    refused: &[(
        "azure.adls2.oauth2_client_endpoint",
        "use 'azure.adls2.oauth2_tenant_id' with the tenant that stands in that address",
    )],
};

/// For what has no properties of its own.
const NONE: Family = Family { of: "file: and memory:", fields: &[], refused: &[] };

/// A longer name is no misspelling.
const NAME_BYTES_MAX: usize = 100;

const FAMILIES: [&Family; 4] = [&ANY, &S3, &GCS, &AZURE];

fn family(location: &Location) -> &'static Family {
    match location {
        Location::Local(_) | Location::Memory(_) => &NONE,
        Location::S3 { .. } => &S3,
        Location::Gcs { .. } => &GCS,
        Location::Azure { .. } => &AZURE,
    }
}

/// Whether the property of that name, of any kind of location, holds a secret.
pub(crate) fn is_secret(name: &str) -> bool {
    FAMILIES.iter().flat_map(|family| family.fields).any(|(known, field)| *known == name && field.is_secret())
}

/// The properties of a location, checked against its kind. Neither `Debug` nor [`masked`](Properties::masked) shows a
/// secret.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Properties {
    given: BTreeMap<String, String>,
    single_writer: bool,
    pub(super) target: Target,
}

/// What it takes to reach a kind of store.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) enum Target {
    /// Nothing.
    #[default]
    Here,
    S3(S3Target),
    Gcs(GcsTarget),
    Azure(AzureTarget),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct S3Target {
    pub(super) credentials: S3Credentials,
    /// None leaves it to the environment.
    pub(super) region: Option<String>,
    /// None for Amazon's own, or the environment's.
    pub(super) endpoint: Option<Endpoint>,
    pub(super) path_style: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum S3Credentials {
    Keys { access_key: Named, secret_key: Named, session_token: Option<Named> },
    InstanceProfile,
    Environment,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct GcsTarget {
    pub(super) credentials: GcsCredentials,
    pub(super) endpoint: Option<Endpoint>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum GcsCredentials {
    ServiceAccount {
        email: String,
        private_key_id: String,
        private_key: Named,
    },
    /// Google's application default credentials, which on a machine of theirs are the machine's account.
    Machine,
    /// Of an emulator.
    None,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct AzureTarget {
    pub(super) account: String,
    pub(super) credentials: AzureCredentials,
    pub(super) endpoint: Option<Endpoint>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum AzureCredentials {
    SharedKey(Named),
    SasToken(Named),
    Client { tenant: String, client: String, secret: Named },
    ManagedIdentity { client: Option<String> },
}

/// A secret with the property that gives it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Named {
    property: String,
    secret: Secret,
}

impl Named {
    /// The secret; see [`Secret::reveal`].
    pub(super) fn reveal(&self) -> Result<String> {
        self.secret.reveal(&self.property)
    }
}

/// The address of a store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Endpoint(Url);

impl Endpoint {
    /// `host`, `host:port`, or the same behind `http://` or `https://`; `path` allows a path behind it.
    fn parse(property: &str, text: &str, ssl: Option<(&str, bool)>, path: bool) -> Result<Self> {
        // Not repeated where it may hold a password.
        let shown = if text.contains(['@', '?']) { String::new() } else { format!(" {text:?}") };
        let bad = |why: &str| Error::Invalid(format!("property '{property}' is{shown}: {why}"));
        let scheme = if ssl.is_some_and(|(_, ssl)| !ssl) { "http" } else { "https" };
        let whole = if text.contains("://") { text.to_owned() } else { format!("{scheme}://{text}") };
        let url =
            Url::parse(&whole).map_err(|failed| bad(&format!("not an address ({failed}); use https://host:port")))?;
        if !matches!(url.scheme(), "http" | "https") || url.host().is_none() {
            return Err(bad("not an address; use https://host:port or http://host:port"));
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(bad("an address with a user in it; credentials have properties of their own"));
        }
        if url.query().is_some() || url.fragment().is_some() {
            return Err(bad("an address with a query in it; credentials have properties of their own"));
        }
        if !path && url.path() != "/" {
            return Err(bad("an address with a path; use https://host:port"));
        }
        if let Some((name, ssl)) = ssl
            && ssl != (url.scheme() == "https")
        {
            return Err(bad(&format!("contradicted by property '{name}'; leave one of the two out")));
        }
        Ok(Self(url))
    }

    /// Without a slash at its end.
    pub(super) fn text(&self) -> &str {
        self.0.as_str().trim_end_matches('/')
    }

    pub(super) fn host(&self) -> &str {
        self.0.host_str().unwrap_or_default()
    }

    pub(super) fn encrypted(&self) -> bool {
        self.0.scheme() == "https"
    }

    /// Whether it is on this machine.
    pub(super) fn is_loopback(&self) -> bool {
        match self.0.host() {
            Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
            Some(Host::Ipv4(address)) => address.is_loopback(),
            Some(Host::Ipv6(address)) => address.is_loopback(),
            None => false,
        }
    }

    /// As it is, with `label.` before its host.
    pub(super) fn below(&self, label: &str) -> Result<Self> {
        let mut url = self.0.clone();
        let host = format!("{label}.{}", self.host());
        url.set_host(Some(&host)).map_err(|failed| {
            Error::Invalid(format!("bucket {label:?} cannot be part of host name {host:?} ({failed}); use path style"))
        })?;
        Ok(Self(url))
    }
}

impl Properties {
    /// Checks properties as they were given, by name.
    ///
    /// # Errors
    /// `Invalid` for an unknown name or an impossible value, for what contradicts another property, or what is missing;
    /// `Unsupported` for a known one that this program cannot honour. The property is named; a secret is not repeated.
    pub fn parse(location: &Location, given: &BTreeMap<String, String>) -> Result<Self> {
        let mut fields = Given { location, fields: BTreeMap::new() };
        for (name, value) in given {
            let field = known(location, name)?;
            if value.contains('\0') {
                return Err(Error::Invalid(format!("property '{name}' has a zero byte in it")));
            }
            if let Some((other, before)) = fields.fields.insert(field, (name, value))
                && before != value
            {
                return Err(Error::Invalid(format!("properties '{other}' and '{name}' contradict each other")));
            }
        }
        let single_writer = fields.flag(Field::SingleWriter)?.unwrap_or(false);
        let target = match location {
            Location::Local(_) | Location::Memory(_) => Target::Here,
            Location::S3 { .. } => Target::S3(fields.s3()?),
            Location::Gcs { .. } => Target::Gcs(fields.gcs()?),
            Location::Azure { account, container, .. } => Target::Azure(fields.azure(account.as_deref(), container)?),
        };
        Ok(Self { given: given.clone(), single_writer, target })
    }

    /// Whether the repository may be on a store without create-if-absent, because there is one writer only.
    pub fn single_writer(&self) -> bool {
        self.single_writer
    }

    /// As they were given, with `***` for secrets. Where a secret stands is not a secret.
    pub fn masked(&self) -> BTreeMap<String, String> {
        let shown = |name: &String, value: &String| match Secret::parse(name, value) {
            Ok(secret) if is_secret(name) => format!("{secret:?}"),
            Err(_) if is_secret(name) => MASK.to_owned(),
            Ok(_) | Err(_) => value.clone(),
        };
        self.given.iter().map(|(name, value)| (name.clone(), shown(name, value))).collect()
    }
}

impl fmt::Debug for Properties {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.masked()).finish()
    }
}

/// What a name means at a location.
fn known(location: &Location, name: &str) -> Result<Field> {
    let family = family(location);
    let fields = || family.fields.iter().chain(ANY.fields);
    if let Some((_, field)) = fields().find(|(known, _)| *known == name) {
        return Ok(*field);
    }
    if let Some((_, why)) = family.refused.iter().find(|(refused, _)| *refused == name) {
        return Err(Error::Unsupported(format!("property '{name}' cannot be used: {why}")));
    }
    if let Some(other) = FAMILIES.iter().find(|family| family.fields.iter().any(|(known, _)| *known == name)) {
        return Err(Error::Invalid(format!("property '{name}' is for {} locations, and this is {location}", other.of)));
    }
    let near = fields()
        .filter(|_| name.len() <= NAME_BYTES_MAX)
        .map(|(known, _)| (strsim::damerau_levenshtein(known, &name.to_lowercase()), known))
        .min_by_key(|(distance, _)| *distance)
        .filter(|(distance, known)| *distance * 3 <= known.len())
        .map_or_else(String::new, |(_, known)| format!("; did you mean '{known}'?"));
    Err(Error::Invalid(format!("property '{name}' is not known for {} locations{near}", family.of)))
}

/// Properties by what they say, with the names by which they were given.
struct Given<'a> {
    location: &'a Location,
    fields: BTreeMap<Field, (&'a String, &'a String)>,
}

impl Given<'_> {
    /// The name by which a field was given, or would best be.
    fn name(&self, field: Field) -> &str {
        if let Some((name, _)) = self.fields.get(&field) {
            return name;
        }
        let fields = family(self.location).fields;
        fields.iter().find(|(_, known)| *known == field).map_or("", |(name, _)| name)
    }

    fn text(&self, field: Field) -> Result<Option<String>> {
        let Some((name, value)) = self.fields.get(&field) else { return Ok(None) };
        if value.is_empty() || value.chars().any(char::is_control) {
            return Err(Error::Invalid(format!("property '{name}' is {value:?}; give it a value, or leave it out")));
        }
        Ok(Some((*value).clone()))
    }

    fn flag(&self, field: Field) -> Result<Option<bool>> {
        let Some((name, value)) = self.fields.get(&field) else { return Ok(None) };
        match value.to_ascii_lowercase().as_str() {
            "true" => Ok(Some(true)),
            "false" => Ok(Some(false)),
            _ => Err(Error::Invalid(format!("property '{name}' is {value:?}; use \"true\" or \"false\""))),
        }
    }

    fn secret(&self, field: Field) -> Result<Option<Named>> {
        let Some((name, value)) = self.fields.get(&field) else { return Ok(None) };
        Ok(Some(Named { property: (*name).clone(), secret: Secret::parse(name, value)? }))
    }

    fn missing(&self, field: Field, why: &str) -> Error {
        Error::Invalid(format!("property '{}' is missing: {why}", self.name(field)))
    }

    fn required<T>(&self, field: Field, value: Option<T>, why: &str) -> Result<T> {
        value.ok_or_else(|| self.missing(field, why))
    }

    fn endpoint(&self, path: bool) -> Result<Option<Endpoint>> {
        let ssl = self.flag(Field::Ssl)?.map(|ssl| (self.name(Field::Ssl), ssl));
        let endpoint = self.text(Field::Endpoint)?;
        endpoint.map(|text| Endpoint::parse(self.name(Field::Endpoint), &text, ssl, path)).transpose()
    }

    /// Of ways to prove who one is, the one that was given.
    fn only(&self, ways: &[(Field, bool)]) -> Result<Option<Field>> {
        let mut given = ways.iter().filter(|(_, given)| *given).map(|(field, _)| *field);
        let first = given.next();
        if let (Some(first), Some(second)) = (first, given.next()) {
            return Err(Error::Invalid(format!(
                "properties '{}' and '{}' contradict each other: each is a way to prove who one is",
                self.name(first),
                self.name(second)
            )));
        }
        Ok(first)
    }

    fn s3(&self) -> Result<S3Target> {
        let (access_key, secret_key) = (self.secret(Field::AccessKey)?, self.secret(Field::SecretKey)?);
        let session_token = self.secret(Field::SessionToken)?;
        let keys = access_key.is_some() || secret_key.is_some() || session_token.is_some();
        let instance = self.flag(Field::InstanceProfile)?.unwrap_or(false);
        let environment = self.flag(Field::SdkDefault)?.unwrap_or(false);
        let key = if access_key.is_some() { Field::AccessKey } else { Field::SecretKey };
        let key = if access_key.is_none() && secret_key.is_none() { Field::SessionToken } else { key };
        let way = self.only(&[(key, keys), (Field::InstanceProfile, instance), (Field::SdkDefault, environment)])?;
        let credentials = match way {
            Some(Field::InstanceProfile) => S3Credentials::InstanceProfile,
            Some(Field::SdkDefault) => S3Credentials::Environment,
            Some(_) => S3Credentials::Keys {
                access_key: self.required(Field::AccessKey, access_key, "the other key is given")?,
                secret_key: self.required(Field::SecretKey, secret_key, "the other key is given")?,
                session_token,
            },
            None => {
                return Err(self.missing(
                    Field::AccessKey,
                    "give it with 'aws.s3.secret_key', or one of 'aws.s3.use_instance_profile' = 'true' and \
                     'aws.s3.use_aws_sdk_default_behavior' = 'true'",
                ));
            }
        };
        let endpoint = self.endpoint(false)?;
        if endpoint.is_none() && self.flag(Field::Ssl)? == Some(false) {
            return Err(Error::Invalid(format!(
                "property '{}' is \"false\": Amazon is only reached with TLS; give the address of another store as '{}'",
                self.name(Field::Ssl),
                self.name(Field::Endpoint)
            )));
        }
        let mut region = self.text(Field::Region)?;
        if let Some(region) = &region
            && !region.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'))
        {
            let name = self.name(Field::Region);
            return Err(Error::Invalid(format!("property '{name}' is {region:?}; a region looks like us-west-2")));
        }
        // An address of Amazon's names the region; another store's rarely cares, and the default is what it expects.
        let amazon = endpoint.as_ref().and_then(|endpoint| amazon_region(endpoint.host())).map(str::to_owned);
        if let (Some(region), Some(amazon)) = (&region, &amazon)
            && region != amazon
        {
            return Err(Error::Invalid(format!(
                "properties '{}' and '{}' contradict each other: the endpoint is of region {amazon:?}",
                self.name(Field::Region),
                self.name(Field::Endpoint)
            )));
        }
        let is_amazon = endpoint.is_none() || amazon.is_some();
        if region.is_none() {
            region = amazon.or_else(|| endpoint.is_some().then(|| "us-east-1".to_owned()));
        }
        if region.is_none() && credentials != S3Credentials::Environment {
            return Err(self.missing(
                Field::Region,
                "give the bucket's region, as us-west-2, or 'aws.s3.endpoint' for a store that is not Amazon's",
            ));
        }
        let Location::S3 { bucket, .. } = self.location else {
            return Err(Error::Internal("properties of S3 for another location".to_owned()));
        };
        // Amazon wants the bucket in the host name, others rarely can; a certificate covers no name with a dot in it.
        let path_style = self.flag(Field::PathStyle)?.unwrap_or(!is_amazon || bucket.contains('.'));
        Ok(S3Target { credentials, region, endpoint, path_style })
    }

    fn gcs(&self) -> Result<GcsTarget> {
        let endpoint = self.endpoint(false)?;
        let (email, id) = (self.text(Field::Email)?, self.text(Field::PrivateKeyId)?);
        let key = self.secret(Field::PrivateKey)?;
        let account = email.is_some() || id.is_some() || key.is_some();
        let machine = self.flag(Field::ComputeEngine)?.unwrap_or(false);
        let credentials = match self.only(&[(Field::PrivateKey, account), (Field::ComputeEngine, machine)])? {
            Some(Field::ComputeEngine) => GcsCredentials::Machine,
            Some(_) => GcsCredentials::ServiceAccount {
                email: self.required(Field::Email, email, "the rest of the service account is given")?,
                private_key_id: self.required(Field::PrivateKeyId, id, "the rest of the service account is given")?,
                private_key: self.required(Field::PrivateKey, key, "the rest of the service account is given")?,
            },
            None if endpoint.is_some() => GcsCredentials::None,
            None => {
                return Err(self.missing(
                    Field::PrivateKey,
                    "give it with 'gcp.gcs.service_account_email' and 'gcp.gcs.service_account_private_key_id', or \
                     'gcp.gcs.use_compute_engine_service_account' = 'true'",
                ));
            }
        };
        Ok(GcsTarget { credentials, endpoint })
    }

    fn azure(&self, account: Option<&str>, container: &str) -> Result<AzureTarget> {
        if let Some(given) = self.text(Field::Container)?
            && given != container
        {
            return Err(Error::Invalid(format!(
                "property '{}' is {given:?}, and the location is {}: they contradict each other",
                self.name(Field::Container),
                self.location
            )));
        }
        let named = self.text(Field::Account)?;
        if let (Some(account), Some(named)) = (account, &named)
            && account != named
        {
            return Err(Error::Invalid(format!(
                "property '{}' is {named:?}, and the location is {}: they contradict each other",
                self.name(Field::Account),
                self.location
            )));
        }
        let account = account.map(str::to_owned).or(named);
        let account = self.required(Field::Account, account, "the location does not name the storage account")?;
        let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_');
        if !account.bytes().all(plain) {
            let name = self.name(Field::Account);
            return Err(Error::Invalid(format!("property '{name}' is {account:?}, which is no name of an account")));
        }
        let (shared, sas) = (self.secret(Field::SharedKey)?, self.secret(Field::SasToken)?);
        let (tenant, client) = (self.text(Field::TenantId)?, self.text(Field::ClientId)?);
        let secret = self.secret(Field::ClientSecret)?;
        let managed = self.flag(Field::ManagedIdentity)?.unwrap_or(false);
        let way = self.only(&[
            (Field::SharedKey, shared.is_some()),
            (Field::SasToken, sas.is_some()),
            (Field::ClientSecret, secret.is_some()),
            (Field::ManagedIdentity, managed),
        ])?;
        let missing = || {
            self.missing(
                Field::SharedKey,
                "give it, 'azure.blob.sas_token', 'azure.blob.oauth2_client_secret' with tenant and client, or \
                 'azure.blob.oauth2_use_managed_identity' = 'true'",
            )
        };
        let credentials = match way {
            Some(Field::ManagedIdentity) => AzureCredentials::ManagedIdentity { client },
            Some(Field::ClientSecret) => AzureCredentials::Client {
                tenant: self.required(Field::TenantId, tenant, "the client's secret is given")?,
                client: self.required(Field::ClientId, client, "the client's secret is given")?,
                secret: secret.ok_or_else(missing)?,
            },
            Some(Field::SasToken) => AzureCredentials::SasToken(sas.ok_or_else(missing)?),
            Some(_) | None => AzureCredentials::SharedKey(shared.ok_or_else(missing)?),
        };
        Ok(AzureTarget { account, credentials, endpoint: self.endpoint(true)? })
    }
}

/// The region that a host name of Amazon's holds: `s3.us-west-2.amazonaws.com`.
fn amazon_region(host: &str) -> Option<&str> {
    let host = host.strip_suffix(".amazonaws.com").or_else(|| host.strip_suffix(".amazonaws.com.cn"))?;
    let region = host.rsplit('.').next().unwrap_or(host);
    Some(if region == "s3" { "us-east-1" } else { region.strip_prefix("s3-").unwrap_or(region) })
}

#[cfg(test)]
mod tests;
