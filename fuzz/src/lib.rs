//! Bytes as input: each target takes any bytes and panics when something is wrong with what the code made of them.
//!
//! The targets run in three ways: `tests/replay.rs` runs the corpora and random changes of them on any toolchain, with every
//! test; `cargo fuzz run` looks for more with coverage; and whoever has a file that crashed runs that one. The README
//! has the commands.
#![allow(
    clippy::allow_attributes,
    clippy::expect_used,
    clippy::wildcard_enum_match_arm,
    reason = "a target that panics has found something, and each looks at the few variants that it is about"
)]

#[cfg(not(madsim))]
mod node;
mod repository;
mod tablet;

/// A target: its name, which is that of its corpus and of its file in `fuzz_targets`, and what it does.
pub type Target = (&'static str, fn(&[u8]));

/// All of them.
pub const TARGETS: &[Target] = &[
    ("catalog_record", ::catalog::fuzzing::record),
    ("catalog_row", ::catalog::fuzzing::row),
    ("repository_identity", ::repository::fuzzing::identity),
    ("repository_index", repository::index),
    ("repository_location", repository::location),
    ("repository_name", ::repository::fuzzing::name),
    ("repository_page", ::repository::fuzzing::page),
    ("repository_record", ::repository::fuzzing::record),
    ("tablet_delete_vector", ::tablet::fuzzing::delete_vector),
    ("tablet_image", ::tablet::fuzzing::image),
    ("tablet_image_name", ::tablet::fuzzing::image_name),
    ("tablet_key", tablet::key),
    ("tablet_record", ::tablet::fuzzing::record),
    ("tablet_segment", tablet::segment),
    ("tablet_value", tablet::value),
    #[cfg(not(madsim))]
    ("csv", ::node::fuzzing::csv),
    #[cfg(not(madsim))]
    ("load_headers", ::node::fuzzing::load_headers),
    #[cfg(not(madsim))]
    ("mysql_execute", ::node::fuzzing::mysql_execute),
    #[cfg(not(madsim))]
    ("mysql_login", ::node::fuzzing::mysql_login),
    #[cfg(not(madsim))]
    ("sql", node::sql),
];

/// Runs the target of that name.
///
/// # Panics
/// When there is none, or it found something.
pub fn run(name: &str, data: &[u8]) {
    let target = TARGETS.iter().find(|(known, _)| *known == name);
    target.map(|(_, target)| target(data)).expect("a target of that name");
}
