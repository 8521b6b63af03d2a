//! The rules for names. Each function says whether a name may be given to a thing of its kind; the error names the kind,
//! the value and the rule. A word character is an ASCII letter, a digit or `_`.

use crate::error::{Error, NameKind, Result};

fn word(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_'
}

/// A letter first, or `_` and then a letter or digit; what follows passes `rest`.
fn begins_well(name: &str, rest: impl Fn(char) -> bool) -> bool {
    let mut chars = name.chars();
    let first = match chars.next() {
        Some('_') => chars.next().is_some_and(|c| c.is_ascii_alphanumeric()),
        Some(c) => c.is_ascii_alphabetic(),
        None => false,
    };
    first && chars.all(rest)
}

fn require(kind: NameKind, value: &str, holds: bool, rule: &'static str) -> Result<()> {
    if holds {
        return Ok(());
    }
    let rule = if value.is_empty() { "it must not be empty" } else { rule };
    Err(Error::Name { kind, value: value.to_owned(), rule })
}

/// A database: 1 to 256 characters.
///
/// # Errors
/// [`Error::Name`].
pub fn database(name: &str) -> Result<()> {
    let holds = name.chars().count() <= 256 && begins_well(name, |c| word(c) || "-~!@#$%^&<>=+".contains(c));
    require(
        NameKind::Database,
        name,
        holds,
        "1 to 256 characters, a letter first (or _ and then a letter or digit), then letters, digits and any of _-~!@#$%^&<>=+",
    )
}

/// A table: 1 to 1024 characters, anything but NUL.
///
/// # Errors
/// [`Error::Name`].
pub fn table(name: &str) -> Result<()> {
    let holds = (1..=1024).contains(&name.chars().count()) && !name.contains('\0');
    require(NameKind::Table, name, holds, "1 to 1024 characters, none of them NUL")
}

const REPOSITORY_RULE: &str =
    "1 to 64 characters, a letter first (or _ and then a letter or digit), then letters, digits and _";

/// A repository: 1 to 64 word characters.
///
/// # Errors
/// [`Error::Name`].
pub fn repository(name: &str) -> Result<()> {
    require(NameKind::Repository, name, name.len() <= 64 && begins_well(name, word), REPOSITORY_RULE)
}

/// A partition: as a repository, and not one of the names kept for place holders.
///
/// # Errors
/// [`Error::Name`].
pub fn partition(name: &str) -> Result<()> {
    require(NameKind::Partition, name, name.len() <= 64 && begins_well(name, word), REPOSITORY_RULE)?;
    let holds = !name.starts_with("placeholder_");
    require(NameKind::Partition, name, holds, "names that begin with placeholder_ are reserved")
}

/// A column: 1 to 1024 characters without control characters, and not the operation column of stream loads.
///
/// # Errors
/// [`Error::Name`].
pub fn column(name: &str) -> Result<()> {
    let holds = (1..=1024).contains(&name.chars().count()) && !name.chars().any(char::is_control);
    require(NameKind::Column, name, holds, "1 to 1024 characters, none of them a control character")?;
    require(NameKind::Column, name, !name.eq_ignore_ascii_case("__op"), "__op is reserved for loads")
}

const LABEL_RULE: &str = "1 to 128 letters, digits, _ and -";

fn label(kind: NameKind, name: &str) -> Result<()> {
    let holds = (1..=128).contains(&name.len()) && name.chars().all(|c| word(c) || c == '-');
    require(kind, name, holds, LABEL_RULE)
}

/// The label of a snapshot: 1 to 128 word characters and `-`, since it becomes part of names in a repository.
///
/// # Errors
/// [`Error::Name`].
pub fn snapshot_label(name: &str) -> Result<()> {
    label(NameKind::SnapshotLabel, name)
}

/// The label of a load: 1 to 128 word characters and `-`.
///
/// # Errors
/// [`Error::Name`].
pub fn load_label(name: &str) -> Result<()> {
    label(NameKind::LoadLabel, name)
}
