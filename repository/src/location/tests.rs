use super::*;
use crate::error::ErrorKind;

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
