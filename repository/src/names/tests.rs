use super::*;

#[test]
fn the_newest_commit_sorts_first() {
    let names: Vec<_> = [9, 10, 11, 100].map(|g| commit_name(Generation(g))).to_vec();
    assert!(names.windows(2).all(|pair| pair[0] > pair[1]));
    assert_eq!(commit_name(Generation(0)), "commits/18446744073709551615.json");
    for generation in [0, 1, 77, u64::MAX] {
        assert_eq!(commit_generation(&commit_name(Generation(generation))), Some(Generation(generation)));
    }
}

#[test]
fn a_name_has_one_reading() {
    let token = "0123456789abcdef0123456789abcdef";
    let owner = Owner { generation: Generation(7), token: token.into() };
    assert_eq!(ObjectName::parse(&owner.page("ff")), ObjectName::Page(owner.clone()));
    assert_eq!(ObjectName::parse(&owner.data("1-2.parquet")), ObjectName::Data(owner.clone()));
    let waiting = upload_name(&owner.data("1-2.parquet"));
    assert_eq!(ObjectName::parse(&waiting), ObjectName::Unfinished(Box::new(ObjectName::Data(owner))));
    let waiting = upload_name(&commit_name(Generation(3)));
    assert_eq!(ObjectName::parse(&waiting), ObjectName::Unfinished(Box::new(ObjectName::Commit(Generation(3)))));
    for foreign in [
        "readme",
        "data/x",
        "commits/12.json",
        &format!("data/07-{token}/x"),
        &format!("data/7-{token}/"),
        &format!("data/7-{token}/a/b"),
        &format!("data/+7-{token}/a"),
        "data/7-ABCDEF6789abcdef0123456789abcdef/x",
        "commits/99999999999999999999.json",
        ".uploads/readme.0123456789abcdef0123456789abcdef",
    ] {
        assert_eq!(ObjectName::parse(foreign), ObjectName::Foreign, "{foreign}");
    }
}

#[test]
fn a_session_id_survives_text() {
    let id = SessionId::fresh(Generation(12));
    assert_eq!(id.to_string().parse::<SessionId>().unwrap(), id);
    assert_eq!(id.since(), Generation(12));
    for bad in ["", "12", "12.xyz", ".0123456789abcdef0123456789abcdef", "012.0123456789abcdef0123456789abcdef"] {
        assert!(bad.parse::<SessionId>().is_err(), "{bad}");
    }
}
