//! Statements that may hold secrets, made fit to be shown and kept.

use std::borrow::Cow;

/// A text without what may be a secret in it: from the word PROPERTIES on when it speaks of a repository, where what comes
/// then may be a secret key, however its name is spelt; from IDENTIFIED on, and from a PASSWORD on that comes after SET, where
/// it is a password. All other text as it is. What is cut off in vain is missed by nobody.
pub fn without_secrets(text: &str) -> Cow<'_, str> {
    let lower = text.to_ascii_lowercase();
    let properties = lower.find("properties").filter(|_| lower.contains("repository"));
    let set = lower.find("set");
    let password = set.and_then(|set| Some(set + lower.get(set..)?.find("password")?));
    let cuts =
        [(properties, "PROPERTIES (..)"), (lower.find("identified"), "IDENTIFIED .."), (password, "PASSWORD ..")];
    match cuts.into_iter().filter_map(|(at, shown)| Some((at?, shown))).min() {
        Some((at, shown)) => Cow::Owned(format!("{} {shown}", text.get(..at).unwrap_or_default().trim_end())),
        None => Cow::Borrowed(text),
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

    #[test]
    fn passwords_are_cut_off() {
        for (text, shown) in [
            ("CREATE USER 'u'@'%' IDENTIFIED BY 'hush'", "CREATE USER 'u'@'%' IDENTIFIED .."),
            ("alter user u identified\nwith mysql_native_password as '*00'", "alter user u IDENTIFIED .."),
            ("SET PASSWORD = PASSWORD('hush')", "SET PASSWORD .."),
            ("set /* x */ password for 'u' = 'hush'", "set /* x */ PASSWORD .."),
            ("SELECT 1; SET PASSWORD FOR u = 'hush'; SELECT 2", "SELECT 1; SET PASSWORD .."),
        ] {
            assert_eq!(without_secrets(text), shown);
        }
        for text in ["SELECT password FROM t", "DROP USER u", "GRANT SELECT ON TABLE d.t TO u"] {
            assert_eq!(without_secrets(text), text);
        }
    }
}
