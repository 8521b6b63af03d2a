use super::folder::name;
use std::collections::BTreeSet;

#[test]
fn folders_are_names_that_every_tool_takes() {
    for (given, folder) in [
        ("orders", "orders"),
        ("Caf\u{e9}-2.old", "Caf\u{e9}-2.old"),
        ("_hidden", "%5Fhidden"),
        ("..", "%2E."),
        (".", "%2E"),
        ("a/b", "a%2Fb"),
        ("k=v", "k%3Dv"),
        ("50% off*", "50%25%20off%2A"),
        ("nul\u{7f}", "nul%7F"),
        ("nbsp\u{a0}", "nbsp%C2%A0"),
    ] {
        assert_eq!(name(given, 7), folder);
    }
    let long = "x".repeat(1_024);
    assert_eq!(name(&long, 7), format!("{}~7", "x".repeat(181)));
    assert!(name(&"\u{1F600}".repeat(300), u64::MAX).len() < 255);
}

#[test]
fn folders_differ_when_names_do() {
    let names = ["a~1", "a%7E1", "a", "A", "_a", "%5Fa", "a b", "a%20b"];
    let folders: BTreeSet<String> = names.iter().map(|given| name(given, 1)).collect();
    assert_eq!(folders.len(), names.len());
}
