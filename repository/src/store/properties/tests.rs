use super::*;
use crate::error::ErrorKind;
use proptest::prelude::*;

const KEYS: [(&str, &str); 2] = [("aws.s3.access_key", "AKIDEXAMPLE"), ("aws.s3.secret_key", "wJalrXUtnFEMI")];

fn parse(url: &str, given: &[(&str, &str)]) -> Result<Properties> {
    let given = given.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    Properties::parse(&Location::parse(url).unwrap(), &given)
}

fn s3(extra: &[(&str, &str)]) -> Result<S3Target> {
    let target = parse("s3://bucket/x", &[&KEYS, extra].concat())?.target;
    let Target::S3(target) = target else { panic!("{target:?}") };
    Ok(target)
}

#[test]
fn a_store_that_speaks_s3_is_reached_by_endpoint() {
    let reach = |extra: &[(&str, &str)]| {
        let target = s3(extra).unwrap();
        let endpoint = target.endpoint.as_ref().map(|endpoint| endpoint.text().to_owned());
        (endpoint, target.region, target.path_style)
    };
    let region = |text: &str| Some(text.to_owned());
    for (extra, endpoint, found, path_style) in [
        (&[("aws.s3.region", "us-west-2")][..], None, "us-west-2", false),
        (&[("aws.s3.endpoint", "http://127.0.0.1:9000")], Some("http://127.0.0.1:9000"), "us-east-1", true),
        (&[("aws.s3.endpoint", "https://minio.example:9000/")], Some("https://minio.example:9000"), "us-east-1", true),
        (&[("aws.s3.endpoint", "minio:9000")], Some("https://minio:9000"), "us-east-1", true),
        (
            &[("aws.s3.endpoint", "minio:9000"), ("aws.s3.enable_ssl", "false")],
            Some("http://minio:9000"),
            "us-east-1",
            true,
        ),
        (
            &[("aws.s3.endpoint", "[::1]:9000"), ("aws.s3.enable_ssl", "FALSE")],
            Some("http://[::1]:9000"),
            "us-east-1",
            true,
        ),
        (
            &[("fs.s3a.endpoint", "minio"), ("fs.s3a.connection.ssl.enabled", "true")],
            Some("https://minio"),
            "us-east-1",
            true,
        ),
        (
            &[("aws.s3.endpoint", "s3.eu-central-1.amazonaws.com")],
            Some("https://s3.eu-central-1.amazonaws.com"),
            "eu-central-1",
            false,
        ),
        (
            &[("aws.s3.endpoint", "s3-eu-west-1.amazonaws.com")],
            Some("https://s3-eu-west-1.amazonaws.com"),
            "eu-west-1",
            false,
        ),
        (&[("aws.s3.endpoint", "s3.amazonaws.com")], Some("https://s3.amazonaws.com"), "us-east-1", false),
        (
            &[("aws.s3.endpoint", "s3.cn-north-1.amazonaws.com.cn")],
            Some("https://s3.cn-north-1.amazonaws.com.cn"),
            "cn-north-1",
            false,
        ),
        (
            &[
                ("aws.s3.endpoint", "s.example"),
                ("aws.s3.region", "auto"),
                ("aws.s3.enable_path_style_access", "false"),
            ],
            Some("https://s.example"),
            "auto",
            false,
        ),
    ] {
        assert_eq!(reach(extra), (endpoint.map(str::to_owned), region(found), path_style), "{extra:?}");
    }
    // A dot in the bucket's name is not covered by a certificate.
    let dotted = parse("s3://my.bucket", &[&KEYS[..], &[("aws.s3.region", "us-west-2")]].concat()).unwrap();
    assert!(matches!(dotted.target, Target::S3(S3Target { path_style: true, .. })));
    let endpoint = s3(&[("aws.s3.endpoint", "http://127.0.0.1:9000")]).unwrap().endpoint.unwrap();
    assert!(endpoint.is_loopback() && !endpoint.encrypted());
    assert_eq!(
        s3(&[("aws.s3.endpoint", "s.example:81")]).unwrap().endpoint.unwrap().below("b").unwrap().text(),
        "https://b.s.example:81"
    );
    for (host, loopback) in
        [("localhost:1", true), ("127.8.8.8", true), ("[::1]", true), ("10.0.0.1", false), ("localhost.example", false)]
    {
        assert_eq!(s3(&[("aws.s3.endpoint", host)]).unwrap().endpoint.unwrap().is_loopback(), loopback, "{host}");
    }
}

#[test]
fn every_way_to_prove_who_one_is_is_understood() {
    let region = ("aws.s3.region", "us-west-2");
    let instance = parse("s3a://b", &[region, ("aws.s3.use_instance_profile", "true")]).unwrap();
    assert!(matches!(&instance.target, Target::S3(S3Target { credentials: S3Credentials::InstanceProfile, .. })));
    // The environment may name the region as well.
    let environment = parse("s3://b", &[("aws.s3.use_aws_sdk_default_behavior", "True")]).unwrap();
    let Target::S3(target) = &environment.target else { panic!("{environment:?}") };
    assert_eq!((&target.credentials, &target.region), (&S3Credentials::Environment, &None));
    let old =
        parse("s3a://b", &[("fs.s3a.access.key", "k"), ("fs.s3a.secret.key", "s"), ("fs.s3a.endpoint", "e")]).unwrap();
    assert!(matches!(&old.target, Target::S3(S3Target { credentials: S3Credentials::Keys { .. }, .. })));
    let unused = s3(&[region, ("aws.s3.use_instance_profile", "false"), ("aws.s3.session_token", "t")]).unwrap();
    assert!(matches!(&unused.credentials, S3Credentials::Keys { session_token: Some(_), .. }));

    let account = [
        ("gcp.gcs.service_account_email", "a@b"),
        ("gcp.gcs.service_account_private_key_id", "1"),
        ("gcp.gcs.service_account_private_key", "file:/run/secrets/gcs"),
    ];
    for (given, wanted) in [
        (
            &account[..],
            "ServiceAccount { email: \"a@b\", private_key_id: \"1\", private_key: Named { property: \"gcp.gcs.service_account_private_key\", secret: file:/run/secrets/gcs } }",
        ),
        (&[("gcp.gcs.use_compute_engine_service_account", "true")], "Machine"),
        (&[("gcp.gcs.endpoint", "http://localhost:4443")], "None"),
    ] {
        let Target::Gcs(target) = parse("gs://b/x", given).unwrap().target else { panic!() };
        assert_eq!(format!("{:?}", target.credentials), wanted);
    }

    let account = ("azure.blob.storage_account", "acc");
    for (given, wanted) in [
        (
            &[account, ("azure.blob.shared_key", "env:KEY")][..],
            "SharedKey(Named { property: \"azure.blob.shared_key\", secret: env:KEY })",
        ),
        (
            &[account, ("azure.blob.sas_token", "sv=1&sig=abc")],
            "SasToken(Named { property: \"azure.blob.sas_token\", secret: *** })",
        ),
        (&[account, ("azure.adls2.oauth2_use_managed_identity", "true")], "ManagedIdentity { client: None }"),
        (
            &[
                account,
                ("azure.adls2.oauth2_tenant_id", "t"),
                ("azure.adls2.oauth2_client_id", "c"),
                ("azure.adls2.oauth2_client_secret", "s"),
            ],
            "Client { tenant: \"t\", client: \"c\", secret: Named { property: \"azure.adls2.oauth2_client_secret\", secret: *** } }",
        ),
    ] {
        let Target::Azure(target) = parse("az://c/x", given).unwrap().target else { panic!() };
        assert_eq!((format!("{:?}", target.credentials).as_str(), target.account.as_str()), (wanted, "acc"));
    }
    // The location may name the account, and an emulator's address has it in its path.
    let given = [
        ("azure.blob.shared_key", "k"),
        ("azure.blob.endpoint", "http://127.0.0.1:10000/acc"),
        ("azure.blob.container", "c"),
    ];
    let Target::Azure(target) = parse("abfss://c@acc.dfs.core.windows.net/x", &given).unwrap().target else { panic!() };
    assert_eq!(target.endpoint.unwrap().text(), "http://127.0.0.1:10000/acc");
}

#[test]
#[expect(clippy::too_many_lines, reason = "a table")]
fn what_is_wrong_with_properties_is_told_by_name() {
    let region = ("aws.s3.region", "us-west-2");
    let account = ("azure.blob.storage_account", "acc");
    for (url, given, kind, text) in [
        (
            "file:///x",
            &[("aws.s3.region", "r")][..],
            ErrorKind::Invalid,
            "property 'aws.s3.region' is for s3: locations, and this is file:///x",
        ),
        ("memory:x", &[("a", "b")], ErrorKind::Invalid, "property 'a' is not known for file: and memory: locations"),
        ("memory:x", &[("single_writers", "true")], ErrorKind::Invalid, "did you mean 'single_writer'?"),
        (
            "memory:x",
            &[("single_writer", "yes")],
            ErrorKind::Invalid,
            "property 'single_writer' is \"yes\"; use \"true\" or \"false\"",
        ),
        (
            "s3://b",
            &[("aws.s3.acess_key", "k")],
            ErrorKind::Invalid,
            "property 'aws.s3.acess_key' is not known for s3: locations; did you mean 'aws.s3.access_key'?",
        ),
        ("s3://b", &[("AWS.S3.REGION", "k")], ErrorKind::Invalid, "did you mean 'aws.s3.region'?"),
        ("s3://b", &[("frobnicate", "k")], ErrorKind::Invalid, "property 'frobnicate' is not known for s3: locations"),
        ("s3://b", &[("azure.blob.shared_key", "k")], ErrorKind::Invalid, "is for az: and abfs: locations"),
        ("s3://b", &[("aws.s3.iam_role_arn", "arn")], ErrorKind::Unsupported, "'aws.s3.iam_role_arn' cannot be used"),
        (
            "s3://b",
            &[],
            ErrorKind::Invalid,
            "property 'aws.s3.access_key' is missing: give it with 'aws.s3.secret_key', or one of",
        ),
        (
            "s3://b",
            &[("aws.s3.use_instance_profile", "false"), region],
            ErrorKind::Invalid,
            "'aws.s3.access_key' is missing",
        ),
        ("s3://b", &[KEYS[0], region], ErrorKind::Invalid, "property 'aws.s3.secret_key' is missing"),
        ("s3://b", &[KEYS[1], region], ErrorKind::Invalid, "property 'aws.s3.access_key' is missing"),
        (
            "s3://b",
            &[("aws.s3.session_token", "t"), region],
            ErrorKind::Invalid,
            "property 'aws.s3.access_key' is missing",
        ),
        ("s3://b", &[KEYS[0], KEYS[1]], ErrorKind::Invalid, "property 'aws.s3.region' is missing"),
        (
            "s3://b",
            &[KEYS[0], KEYS[1], region, ("aws.s3.use_instance_profile", "true")],
            ErrorKind::Invalid,
            "properties 'aws.s3.access_key' and 'aws.s3.use_instance_profile' contradict each other",
        ),
        (
            "s3://b",
            &[("aws.s3.use_instance_profile", "true"), ("aws.s3.use_aws_sdk_default_behavior", "true")],
            ErrorKind::Invalid,
            "contradict each other",
        ),
        (
            "s3://b",
            &[KEYS[0], ("fs.s3a.access.key", "other")],
            ErrorKind::Invalid,
            "properties 'aws.s3.access_key' and 'fs.s3a.access.key' contradict each other",
        ),
        (
            "s3://b",
            &[KEYS[0], KEYS[1], ("aws.s3.endpoint", "http://h"), ("aws.s3.enable_ssl", "true")],
            ErrorKind::Invalid,
            "contradicted by property 'aws.s3.enable_ssl'",
        ),
        (
            "s3://b",
            &[KEYS[0], KEYS[1], ("aws.s3.endpoint", "s3.us-west-2.amazonaws.com"), ("aws.s3.region", "us-east-1")],
            ErrorKind::Invalid,
            "the endpoint is of region \"us-west-2\"",
        ),
        ("s3://b", &[KEYS[0], KEYS[1], ("aws.s3.endpoint", "ftp://h")], ErrorKind::Invalid, "not an address"),
        ("s3://b", &[KEYS[0], KEYS[1], ("aws.s3.endpoint", "http://")], ErrorKind::Invalid, "not an address"),
        (
            "s3://b",
            &[KEYS[0], KEYS[1], ("aws.s3.endpoint", "http://h/path")],
            ErrorKind::Invalid,
            "an address with a path",
        ),
        (
            "s3://b",
            &[KEYS[0], KEYS[1], ("aws.s3.endpoint", "")],
            ErrorKind::Invalid,
            "property 'aws.s3.endpoint' is \"\"",
        ),
        (
            "s3://b",
            &[KEYS[0], KEYS[1], ("aws.s3.region", "us west")],
            ErrorKind::Invalid,
            "a region looks like us-west-2",
        ),
        (
            "s3://b",
            &[KEYS[0], ("aws.s3.secret_key", ""), region],
            ErrorKind::Invalid,
            "property 'aws.s3.secret_key' is empty",
        ),
        (
            "s3://b",
            &[KEYS[0], ("aws.s3.secret_key", "env:"), region],
            ErrorKind::Invalid,
            "names no environment variable",
        ),
        (
            "s3://b",
            &[KEYS[0], ("aws.s3.secret_key", "file:relative"), region],
            ErrorKind::Invalid,
            "names no file by its absolute path",
        ),
        ("s3://b", &[KEYS[0], ("aws.s3.secret_key", "a\0b"), region], ErrorKind::Invalid, "has a zero byte"),
        (
            "s3://b",
            &[KEYS[0], KEYS[1], region, ("aws.s3.enable_ssl", "false")],
            ErrorKind::Invalid,
            "only reached with TLS",
        ),
        ("gs://b", &[], ErrorKind::Invalid, "property 'gcp.gcs.service_account_private_key' is missing"),
        (
            "gs://b",
            &[("gcp.gcs.service_account_email", "a@b")],
            ErrorKind::Invalid,
            "property 'gcp.gcs.service_account_private_key_id' is missing",
        ),
        (
            "gs://b",
            &[("gcp.gcs.service_account_email", "a@b"), ("gcp.gcs.use_compute_engine_service_account", "true")],
            ErrorKind::Invalid,
            "properties 'gcp.gcs.service_account_private_key' and",
        ),
        (
            "az://c",
            &[("azure.blob.shared_key", "k")],
            ErrorKind::Invalid,
            "property 'azure.blob.storage_account' is missing",
        ),
        ("az://c", &[account], ErrorKind::Invalid, "property 'azure.blob.shared_key' is missing"),
        (
            "az://c",
            &[account, ("azure.blob.shared_key", "k"), ("azure.blob.sas_token", "s=1")],
            ErrorKind::Invalid,
            "contradict each other",
        ),
        (
            "az://c",
            &[account, ("azure.blob.shared_key", "k"), ("azure.blob.container", "d")],
            ErrorKind::Invalid,
            "property 'azure.blob.container' is \"d\", and the location is az://c",
        ),
        (
            "az://c",
            &[("azure.blob.storage_account", "a/b"), ("azure.blob.shared_key", "k")],
            ErrorKind::Invalid,
            "no name of an account",
        ),
        (
            "az://c",
            &[account, ("azure.blob.oauth2_client_secret", "k")],
            ErrorKind::Invalid,
            "property 'azure.blob.oauth2_tenant_id' is missing",
        ),
        (
            "abfss://c@acc.dfs.core.windows.net",
            &[("azure.adls2.storage_account", "other")],
            ErrorKind::Invalid,
            "'azure.adls2.storage_account' is \"other\", and the location is",
        ),
    ] {
        let failed = parse(url, given).unwrap_err();
        assert_eq!(failed.kind(), kind, "{given:?}: {failed}");
        assert!(failed.to_string().contains(text), "{given:?}: {failed}");
    }
}

#[test]
fn a_secret_is_in_no_refusal_and_no_debug() {
    let hush = "hush-hush";
    let properties =
        parse("s3://b", &[("aws.s3.access_key", "env:ID"), ("aws.s3.secret_key", hush), ("aws.s3.region", "r")])
            .unwrap();
    assert_eq!(
        format!("{properties:?}"),
        r#"{"aws.s3.access_key": "env:ID", "aws.s3.region": "r", "aws.s3.secret_key": "***"}"#
    );
    assert_eq!(properties.masked()["aws.s3.secret_key"], "***");
    assert!(!format!("{:?}", properties.target).contains(hush));
    let url = format!("http://user:{hush}@h");
    let query = format!("http://h/?sig={hush}");
    for given in [
        &[("aws.s3.secret_kye", hush)][..],
        &[("aws.s3.access_key", hush), ("fs.s3a.access.key", "another")],
        &[("aws.s3.secret_key", hush)],
        &[("aws.s3.endpoint", &url), KEYS[0], KEYS[1]],
        &[("aws.s3.endpoint", &query), KEYS[0], KEYS[1]],
        &[("azure.blob.shared_key", hush)],
    ] {
        let failed = parse("s3://b", given).unwrap_err();
        assert!(!format!("{failed} {failed:?}").contains(hush), "{failed}");
    }
}

#[test]
fn a_secret_is_read_from_where_it_stands() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("secret");
    let secret = |value: &str| Secret::parse("p", value).unwrap();
    let file = secret(&format!("file:{}", path.display()));
    let refused = |secret: &Secret, text: &str| {
        let failed = secret.reveal("p").unwrap_err();
        assert!(failed.to_string().contains("property 'p' names") && failed.to_string().contains(text), "{failed}");
    };
    refused(&file, "cannot be read");
    std::fs::write(&path, "one\n").unwrap();
    assert_eq!(file.reveal("p").unwrap(), "one");
    // Read again each time.
    std::fs::write(&path, "two\r\n").unwrap();
    assert_eq!(secret(&format!("file://{}", path.display())).reveal("p").unwrap(), "two");
    std::fs::write(&path, "\n").unwrap();
    refused(&file, "there is nothing in it");
    std::fs::write(&path, vec![b'x'; 70_000]).unwrap();
    refused(&file, "longer than 65536 bytes");
    std::fs::write(&path, [0xff, 0xfe]).unwrap();
    refused(&file, "cannot be read");
    refused(&secret("env:TABULARIUM_TEST_NO_SUCH_VARIABLE"), "is not set where this process was started");
    assert_eq!(secret("env:PATH").reveal("p").unwrap(), std::env::var("PATH").unwrap());
    assert_eq!(secret("literal").reveal("p").unwrap(), "literal");
}

proptest! {
    #[test]
    fn no_properties_panic(
        url in prop::sample::select(vec!["file:///x", "s3://b/x", "gs://b", "az://c", "abfss://c@a.dfs.core.windows.net/x"]),
        given in prop::collection::btree_map(
            prop_oneof![
                prop::sample::select(FAMILIES.iter().flat_map(|family| family.fields).map(|(name, _)| (*name).to_owned()).collect::<Vec<_>>()),
                ".{0,20}",
            ],
            prop_oneof!["true|false", "https?://[a-z0-9.:@/?#\\[\\]-]{0,20}", "env:.{0,5}", ".{0,20}"],
            0..6,
        ),
    ) {
        let location = Location::parse(url).unwrap();
        if let Ok(properties) = Properties::parse(&location, &given) {
            prop_assert_eq!(properties.masked().len(), given.len());
            for (name, shown) in properties.masked() {
                prop_assert!(!is_secret(&name) || shown == MASK || shown.starts_with("env:") || shown.starts_with("file:"));
            }
        }
    }
}
