//! Targets on the repository's public side, and those that need somebody to wait for them.

use futures::executor::block_on;
use repository::{Location, Properties};
use std::collections::BTreeMap;

pub(crate) fn index(data: &[u8]) {
    block_on(repository::fuzzing::index(data));
}

/// The first line is a location, the others are its properties, `name = value`. What a location shows as, it is.
pub(crate) fn location(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let mut lines = text.lines();
    let Ok(location) = Location::parse(lines.next().unwrap_or_default()) else { return };
    let shown = location.to_string();
    assert_eq!(Location::parse(&shown).ok().as_ref(), Some(&location), "{shown}");
    let given: BTreeMap<String, String> = lines
        .filter_map(|line| line.split_once(" = "))
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
    drop(Properties::parse(&location, &given));
}
