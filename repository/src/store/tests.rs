use super::*;
use object_store::ObjectStoreExt;

fn at(url: &str, given: &[(&str, &str)]) -> Result<Arc<dyn ObjectStore>> {
    let location = Location::parse(url).unwrap();
    let given = given.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    connect(&location, &Properties::parse(&location, &given)?, |_| Arc::new(env::disk::MemDisk::new()))
}

#[tokio::test]
async fn one_name_is_one_memory() {
    let path = object_store::path::Path::from("x");
    at("memory:one", &[]).unwrap().put(&path, "y".into()).await.unwrap();
    assert_eq!(at("memory:one", &[]).unwrap().get(&path).await.unwrap().bytes().await.unwrap(), "y");
    at("memory:two", &[]).unwrap().get(&path).await.unwrap_err();
}

#[cfg(not(madsim))]
#[test]
fn a_store_on_the_network_is_made_without_dialling_and_shows_no_secret() {
    let keys = [("aws.s3.access_key", "hush-id"), ("aws.s3.secret_key", "hush-key")];
    for (url, given) in [
        ("s3://bucket/some/prefix", &[&keys[..], &[("aws.s3.region", "us-west-2")]].concat()[..]),
        ("s3://bucket", &[&keys[..], &[("aws.s3.endpoint", "http://127.0.0.1:1")]].concat()),
        ("s3://bucket/x", &[("aws.s3.region", "r"), ("aws.s3.use_instance_profile", "true")]),
        ("gs://bucket/x", &[("gcp.gcs.endpoint", "http://127.0.0.1:1")]),
        ("az://c/x", &[("azure.blob.storage_account", "a"), ("azure.blob.shared_key", "aHVzaA==")]),
        ("abfss://c@a.dfs.core.windows.net/x", &[("azure.adls2.sas_token", "sv=1&sig=hush")]),
        ("az://c", &[("azure.blob.storage_account", "a"), ("azure.adls2.oauth2_use_managed_identity", "true")]),
    ] {
        let store = at(url, given).unwrap();
        assert_eq!(store.to_string(), url);
        let text = format!("{store:?}");
        assert!(!text.contains("hush") && !text.contains("aHVzaA"), "{text}");
    }
    let key = "-----BEGIN PRIVATE KEY-----\\nhushhushhush\\n-----END PRIVATE KEY-----";
    let account = [
        ("gcp.gcs.service_account_email", "a@b"),
        ("gcp.gcs.service_account_private_key_id", "1"),
        ("gcp.gcs.service_account_private_key", key),
    ];
    for (url, given) in [
        ("gs://bucket/x", &account[..]),
        ("az://c/x", &[("azure.blob.storage_account", "a"), ("azure.blob.shared_key", "hush hush")]),
        ("az://c/x", &[("azure.blob.storage_account", "a"), ("azure.blob.sas_token", "hush")]),
    ] {
        let failed = at(url, given).unwrap_err();
        assert!(failed.to_string().contains("the properties do not make a connection"), "{failed}");
        assert!(!format!("{failed} {failed:?}").contains("hush"), "{failed:?}");
    }
    let properties = Properties::parse(&Location::parse("memory:x").unwrap(), &BTreeMap::new()).unwrap();
    connect(&Location::parse("s3://b").unwrap(), &properties, |_| Arc::new(env::disk::MemDisk::new())).unwrap_err();
}
