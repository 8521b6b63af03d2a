use super::*;
use crate::error::ErrorKind;
use proptest::prelude::*;

#[test]
fn a_directory_is_an_absolute_file_url() {
    for (url, path) in [
        ("file:///backups/a", "/backups/a"),
        ("FILE:///x", "/x"),
        ("file:///with%20space/100%25/%C3%A4", "/with space/100%/\u{e4}"),
        ("file:///", "/"),
    ] {
        let location = Location::parse(url).unwrap();
        assert_eq!(location, Location::Local(path.into()), "{url}");
        assert_eq!(Location::parse(&location.to_string()).unwrap(), location, "{url}");
    }
}

#[test]
fn what_is_no_directory_is_refused_with_a_reason() {
    for (url, why) in [
        ("/backups", "is not a location"),
        ("file:relative", "does not begin with file://"),
        ("file://", "is not an absolute path"),
        ("file://host/x", "names a host"),
        ("file:///x?y=1", "has a query"),
        ("file:///x#y", "has a query or fragment"),
        ("file:///x/%zz", "broken percent escape"),
        ("file:///x/%2", "broken percent escape"),
        ("file:///x/%ff", "is not UTF-8"),
        ("file:///x/../etc", "has . or .."),
        ("file:///x/%2e%2e/etc", "has . or .."),
        ("file:///x/%00", "zero byte"),
        ("memory:", "no usable name"),
        ("ftp://x", "no known kind"),
        ("", "is not a location"),
    ] {
        let failed = Location::parse(url).unwrap_err();
        assert_eq!(failed.kind(), ErrorKind::Invalid, "{url}");
        assert!(failed.to_string().contains(why), "{url}: {failed}");
    }
}

#[test]
fn buckets_and_containers_are_found() {
    let text = str::to_owned;
    for (url, location, shown) in [
        ("s3://b", Location::S3 { bucket: text("b"), prefix: text("") }, "s3://b"),
        ("s3a://my-bucket/x/y/", Location::S3 { bucket: text("my-bucket"), prefix: text("x/y") }, "s3://my-bucket/x/y"),
        ("S3N://b_1.z//x", Location::S3 { bucket: text("b_1.z"), prefix: text("x") }, "s3://b_1.z/x"),
        (
            "s3://b/with space/\u{e4}+=",
            Location::S3 { bucket: text("b"), prefix: text("with space/\u{e4}+=") },
            "s3://b/with space/\u{e4}+=",
        ),
        ("gs://b/x", Location::Gcs { bucket: text("b"), prefix: text("x") }, "gs://b/x"),
        ("az://c/x", Location::Azure { account: None, container: text("c"), prefix: text("x") }, "az://c/x"),
        (
            "abfss://c@acc.dfs.core.windows.net/x",
            Location::Azure { account: Some(text("acc")), container: text("c"), prefix: text("x") },
            "abfss://c@acc.dfs.core.windows.net/x",
        ),
        (
            "wasbs://c@acc.blob.core.windows.net",
            Location::Azure { account: Some(text("acc")), container: text("c"), prefix: text("") },
            "abfss://c@acc.dfs.core.windows.net",
        ),
    ] {
        assert_eq!(Location::parse(url).unwrap(), location, "{url}");
        assert_eq!(location.to_string(), shown);
        assert_eq!(Location::parse(shown).unwrap(), location, "{shown}");
    }
}

#[test]
fn what_no_store_could_hold_is_refused_and_a_secret_not_repeated() {
    let long = format!("s3://b/{}", "x".repeat(513));
    for (url, kind, why) in [
        ("s3:b/x", ErrorKind::Invalid, "does not begin with two slashes"),
        ("s3://", ErrorKind::Invalid, "names no bucket"),
        ("s3:///x", ErrorKind::Invalid, "names no bucket"),
        ("s3://b c/x", ErrorKind::Invalid, "an impossible bucket \"b c\""),
        ("s3://b/x//y", ErrorKind::Invalid, "empty parts"),
        ("s3://b/../y", ErrorKind::Invalid, "has the path"),
        ("s3://b/100%25", ErrorKind::Invalid, "has the path"),
        ("s3://b/a\\b", ErrorKind::Invalid, "has the path"),
        ("s3://b/x?hush", ErrorKind::Invalid, "query or fragment"),
        ("s3://b/x#hush", ErrorKind::Invalid, "query or fragment"),
        ("s3://key:hush@b/x", ErrorKind::Invalid, "user and password"),
        (&long, ErrorKind::Invalid, "513 bytes, the limit is 512"),
        ("gs://hush@b/x", ErrorKind::Invalid, "an impossible bucket:"),
        ("az://@b/x", ErrorKind::Invalid, "names the host"),
        ("abfss://c@acc.example.com/x", ErrorKind::Invalid, "which is not account.dfs.core.windows.net"),
        ("abfss://@acc.dfs.core.windows.net/x", ErrorKind::Invalid, "names no container"),
        ("abfss://c@a.b.dfs.core.windows.net/x", ErrorKind::Invalid, "names the host"),
        ("https://hush.example", ErrorKind::Invalid, "'aws.s3.endpoint'"),
        ("oss://b/x", ErrorKind::Unsupported, "kind oss:"),
        ("hdfs://b/x", ErrorKind::Unsupported, "kind hdfs:"),
    ] {
        let failed = Location::parse(url).unwrap_err();
        assert_eq!(failed.kind(), kind, "{url}: {failed}");
        assert!(failed.to_string().contains(why), "{url}: {failed}");
        assert!(!failed.to_string().contains("hush"), "{url}: {failed}");
    }
}

proptest! {
    #[test]
    fn no_text_panics_and_what_is_read_reads_back(
        scheme in prop::sample::select(vec!["file", "memory", "s3", "s3a", "gs", "az", "abfss", "wasb", "x", ""]),
        rest in prop_oneof!["(//)?[a-z0-9.@/%?# -]{0,30}", ".{0,40}", "//[a-z]{1,9}@[a-z]{1,9}\\.dfs\\.core\\.windows\\.net/[a-z/]{0,9}"],
    ) {
        for url in [format!("{scheme}:{rest}"), format!("{scheme}{rest}"), rest] {
            if let Ok(location) = Location::parse(&url) {
                prop_assert_eq!(Location::parse(&location.to_string()).unwrap(), location);
            }
        }
    }
}
