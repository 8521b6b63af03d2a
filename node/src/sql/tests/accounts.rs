use super::{meanings, one, refusals};

#[test]
fn what_statements_about_accounts_mean() {
    snapshot!(meanings(&[
        "CREATE USER u",
        "CREATE USER IF NOT EXISTS 'u'@'10.0.%' IDENTIFIED BY 'hush' REQUIRE SSL DEFAULT ROLE a, `b`",
        "CREATE USER u@localhost IDENTIFIED WITH mysql_native_password BY 'hush'",
        "CREATE USER `u`@`%` IDENTIFIED WITH 'caching_sha2_password' AS 'hush'",
        "CREATE USER u@'%' IDENTIFIED BY PASSWORD '*hush'",
        "ALTER USER \"u\" @ 'h' IDENTIFIED BY ''",
        "ALTER USER USER() IDENTIFIED BY 'hush'",
        "ALTER USER IF EXISTS u REQUIRE NONE",
        "DROP USER IF EXISTS u, 'v'@'h'",
        "SET PASSWORD = 'hush'",
        "SET PASSWORD FOR 'u'@'h' = PASSWORD('hush')",
        "SET PASSWORD FOR u = '*2470C0C06DEE42FD1618BB99005ADCA2EC9D1E19'",
        "SET PASSWORD FOR CURRENT_USER() = 'hush'",
        "CREATE ROLE IF NOT EXISTS a, b",
        "DROP ROLE a",
        "GRANT SELECT ON TABLE d.t, u TO USER 'u'@'h', ROLE r",
        "GRANT select, create table ON DATABASE a, b TO u WITH GRANT OPTION",
        "GRANT ALL PRIVILEGES ON ALL TABLES IN ALL DATABASES TO u",
        "GRANT ALL ON ALL VIEWS IN DATABASE d TO ROLE r",
        "GRANT EXPORT ON *.* TO u",
        "GRANT EXPORT ON d.* TO u",
        "GRANT EXPORT ON VIEW d.v TO u",
        "GRANT REPOSITORY, GRANT ON SYSTEM TO u",
        "GRANT CREATE DATABASE ON CATALOG default_catalog TO u",
        "GRANT ALTER ON ALL DATABASES TO u",
        "GRANT r, 's' TO u, ROLE t",
        "GRANT operate TO u",
        "REVOKE SELECT ON t FROM u",
        "REVOKE r FROM ROLE s",
        "SHOW GRANTS FOR ROLE r",
        "SHOW USERS",
        "SHOW ROLES",
    ]));
}

#[test]
fn what_accounts_refuse() {
    snapshot!(refusals(&[
        "CREATE USER",
        "CREATE USER u IDENTIFIED",
        "CREATE USER u IDENTIFIED BY hush",
        "CREATE USER u IDENTIFIED BY 'a' IDENTIFIED BY 'b'",
        "CREATE USER u@'a/b'",
        "CREATE USER ''",
        "ALTER USER u",
        "SET PASSWORD 'x'",
        "SET ROLE ALL",
        "GRANT",
        "GRANT SELECT, r TO u",
        "GRANT SELECT, FLY ON TABLE t TO u",
        "GRANT SELECT ON TABLE a.b.c TO u",
        "GRANT SELECT ON CATALOG hive TO u",
        "GRANT USAGE ON RESOURCE r TO u",
        "GRANT ALL ON FUNCTION f TO u",
        "GRANT SELECT ON t",
        "REVOKE SELECT ON t TO u",
        "CREATE ROLE",
    ]));
}

#[test]
fn passwords_are_not_shown_in_what_was_parsed() {
    for text in
        ["CREATE USER u IDENTIFIED BY 'hush'", "SET PASSWORD = 'hush'", "ALTER USER u IDENTIFIED WITH x AS 'hush'"]
    {
        let shown = format!("{:?}", one(text));
        assert!(!shown.contains("hush"), "{shown}");
    }
}
