//! Statements that may hold secrets, made fit to be shown and kept.

use std::borrow::Cow;

/// The text up to the word PROPERTIES when it speaks of a repository: what comes then may be a secret key, however its
/// name is spelt. All other text as it is.
pub fn without_secrets(text: &str) -> Cow<'_, str> {
    let lower = text.to_ascii_lowercase();
    match lower.find("properties") {
        Some(at) if lower.contains("repository") => {
            Cow::Owned(format!("{} PROPERTIES (..)", text.get(..at).unwrap_or_default().trim_end()))
        }
        _ => Cow::Borrowed(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_properties_of_repositories_are_cut_off() {
        for text in [
            "SELECT 1",
            "BACKUP SNAPSHOT d.s TO r PROPERTIES ('ttl' = '1d')",
            "DROP REPOSITORY r",
            "",
            "\u{e4}PROPERTIES",
        ] {
            assert_eq!(without_secrets(text), text);
        }
        for (text, shown) in [
            (
                "CREATE REPOSITORY r ON LOCATION 's3://b' PROPERTIES ('aws.s3.secret_kye' = 'hush')",
                "CREATE REPOSITORY r ON LOCATION 's3://b' PROPERTIES (..)",
            ),
            (
                "USE d; create read only repository \u{e4} on location 's3://b'\nproperties('aws.s3.secret_key'='hush'); SELECT 1",
                "USE d; create read only repository \u{e4} on location 's3://b' PROPERTIES (..)",
            ),
            ("PROPERTIES ('x' = 'hush') CREATE REPOSITORY", " PROPERTIES (..)"),
        ] {
            assert_eq!(without_secrets(text), shown);
        }
    }
}
