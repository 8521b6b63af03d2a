//! Paths that a statement names: where they must begin, what `*` in them means.

use crate::error::{EngineError, ErrorKind};
use std::path::{Path, PathBuf};

/// Files that one pattern may stand for at most.
const FILES_MAX: usize = 10_000;

/// Patterns that one with `{a,b}` in it may stand for at most.
const ALTERNATIVES_MAX: usize = 1_000;

/// The path of `file:///a/b` or `/a/b`.
///
/// # Errors
/// Invalid for relative paths, Unsupported for other schemes.
pub(crate) fn local(text: &str) -> Result<String, EngineError> {
    let path = match text.split_once("://") {
        Some((scheme, rest)) if scheme.eq_ignore_ascii_case("file") => rest.strip_prefix("localhost").unwrap_or(rest),
        Some((scheme, _)) => {
            return Err(EngineError::unsupported(format!(
                "'{text}': files of {scheme}:// cannot be read; use an absolute path or file://"
            )));
        }
        None => text.strip_prefix("file:").unwrap_or(text),
    };
    if !path.starts_with('/') {
        return Err(EngineError::invalid(format!("'{text}' is no absolute path; begin it with / or file:///")));
    }
    if path.contains('\0') || path.split('/').any(|part| part == "..") {
        return Err(EngineError::invalid(format!("'{text}': a path may not contain '..'")));
    }
    Ok(path.to_owned())
}

/// The files that a path stands for, sorted: itself, or those that match when it has `*`, `?` or `{a,b}` in it.
///
/// # Errors
/// NotFound when there is none; what the file system says.
pub(crate) fn expand(pattern: &str) -> Result<Vec<PathBuf>, EngineError> {
    let literal = Path::new(pattern);
    // A name that is there as it is written is meant, whatever characters are in it.
    if literal.is_file() {
        return Ok(vec![literal.to_owned()]);
    }
    if literal.is_dir() {
        return Err(EngineError::invalid(format!(
            "'{pattern}' is a directory; name files in it, such as '{}/*'",
            pattern.trim_end_matches('/')
        )));
    }
    let mut found = Vec::new();
    for choice in alternatives(pattern)? {
        let mut reached = vec![PathBuf::from("/")];
        for part in choice.split('/').filter(|part| !part.is_empty()) {
            let mut next = Vec::new();
            for dir in &reached {
                step(dir, part, &mut next)?;
            }
            reached = next;
            check_count(pattern, reached.len())?;
        }
        found.extend(reached.into_iter().filter(|path| path.is_file()));
        check_count(pattern, found.len())?;
    }
    found.sort();
    found.dedup();
    if found.is_empty() {
        return Err(EngineError::general(ErrorKind::NotFound, format!("no file '{pattern}'")));
    }
    Ok(found)
}

fn check_count(pattern: &str, count: usize) -> Result<(), EngineError> {
    if count > FILES_MAX {
        return Err(EngineError::invalid(format!("'{pattern}' stands for more than {FILES_MAX} files")));
    }
    Ok(())
}

fn step(dir: &Path, part: &str, next: &mut Vec<PathBuf>) -> Result<(), EngineError> {
    if !part.contains(['*', '?']) {
        let path = dir.join(part);
        if path.exists() {
            next.push(path);
        }
        return Ok(());
    }
    let unreadable = |failed: std::io::Error| {
        EngineError::general(ErrorKind::Denied, format!("cannot list '{}': {failed}", dir.display()))
    };
    if !dir.is_dir() {
        return Ok(());
    }
    for entry in std::fs::read_dir(dir).map_err(unreadable)? {
        let entry = entry.map_err(unreadable)?;
        let name = entry.file_name();
        let hidden = name.as_encoded_bytes().starts_with(b".") && !part.starts_with('.');
        if !hidden && name.to_str().is_some_and(|name| matches(part, name)) {
            next.push(entry.path());
        }
    }
    Ok(())
}

/// Whether a name is what a pattern with `*` and `?` stands for.
fn matches(pattern: &str, name: &str) -> bool {
    let (pattern, name): (Vec<char>, Vec<char>) = (pattern.chars().collect(), name.chars().collect());
    // The last star, and where in the name what follows it was tried last.
    let (mut p, mut n, mut star) = (0, 0, None);
    while let Some(c) = name.get(n) {
        match pattern.get(p) {
            Some('*') => {
                star = Some((p, n));
                p += 1;
            }
            Some(wanted) if wanted == c || *wanted == '?' => {
                p += 1;
                n += 1;
            }
            _ => match star {
                Some((at, tried)) => {
                    p = at + 1;
                    n = tried + 1;
                    star = Some((at, tried + 1));
                }
                None => return false,
            },
        }
    }
    pattern.get(p..).unwrap_or_default().iter().all(|c| *c == '*')
}

/// `a{b,c}d` as `abd` and `acd`; braces do not nest.
///
/// # Errors
/// Invalid when that is very many.
fn alternatives(pattern: &str) -> Result<Vec<String>, EngineError> {
    let mut all = vec![String::new()];
    let mut rest = pattern;
    while let Some((before, after)) = rest.split_once('{')
        && let Some((choices, behind)) = after.split_once('}')
    {
        let choices: Vec<&str> = choices.split(',').collect();
        if all.len().saturating_mul(choices.len()) > ALTERNATIVES_MAX {
            return Err(EngineError::invalid(format!(
                "the braces of a path stand for more than {ALTERNATIVES_MAX} names; use * or several statements"
            )));
        }
        let longer =
            |begun: &String| choices.iter().map(|choice| format!("{begun}{before}{choice}")).collect::<Vec<_>>();
        all = all.iter().flat_map(longer).collect();
        rest = behind;
    }
    for begun in &mut all {
        begun.push_str(rest);
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stars_match_within_one_name() {
        for (pattern, name, want) in [
            ("*.csv", "a.csv", true),
            ("*.csv", "a.csv.gz", false),
            ("part-?-*", "part-1-", true),
            ("part-?-*", "part-12-x", false),
            ("*a*b*", "xxaxxbxx", true),
            ("**", "", true),
            ("a", "b", false),
        ] {
            assert_eq!(matches(pattern, name), want, "{pattern} {name}");
        }
    }

    #[test]
    fn braces_are_alternatives() {
        assert_eq!(alternatives("/d/{a,b}.{x,y}").unwrap(), ["/d/a.x", "/d/a.y", "/d/b.x", "/d/b.y"]);
        assert_eq!(alternatives("/d/{a").unwrap(), ["/d/{a"]);
        assert_eq!(alternatives("/d/{a}{").unwrap(), ["/d/a{"]);
    }

    #[test]
    fn braces_take_no_more_memory_nor_stack_than_they_may() {
        let refused = alternatives(&format!("/{}", "{a,b}".repeat(40))).unwrap_err();
        assert!(refused.message.contains("more than 1000 names"), "{}", refused.message);
        assert_eq!(alternatives(&format!("/{}x", "{}".repeat(100_000))).unwrap(), ["/x"]);
    }

    #[test]
    fn only_absolute_local_paths_are_taken() {
        assert_eq!(local("file:///a/b.csv").unwrap(), "/a/b.csv");
        assert_eq!(local("/a/*.csv").unwrap(), "/a/*.csv");
        assert!(local("a.csv").unwrap_err().message.contains("no absolute path"));
        assert!(local("s3://b/a.csv").unwrap_err().message.contains("s3://"));
        assert!(local("/a/../b").is_err());
    }

    #[test]
    fn patterns_find_files() {
        let dir = tempfile::tempdir().unwrap();
        for name in ["a.csv", "b.csv", ".c.csv", "d.txt", "e*.csv"] {
            std::fs::write(dir.path().join(name), "x").unwrap();
        }
        let root = dir.path().to_str().unwrap();
        let names = |pattern: &str| -> Vec<String> {
            let found = expand(&format!("{root}/{pattern}")).unwrap();
            found.iter().map(|path| path.file_name().unwrap().to_str().unwrap().to_owned()).collect()
        };
        assert_eq!(names("*.csv"), ["a.csv", "b.csv", "e*.csv"]);
        assert_eq!(names("{a,d}.*"), ["a.csv", "d.txt"]);
        assert_eq!(names("e*.csv"), ["e*.csv"]);
        assert!(expand(&format!("{root}/*.none")).unwrap_err().message.contains("no file"));
        assert!(expand(root).unwrap_err().message.contains("is a directory"));
    }
}
