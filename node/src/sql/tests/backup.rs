use super::{meanings, one, refusals};
use crate::sql::{
    Backup, NamedObject, ObjectKind, ObjectSelection, PartitionSelection, Properties, Restore, Statement,
};

fn table(name: &str) -> NamedObject {
    NamedObject { kind: ObjectKind::Table, name: name.to_owned(), partitions: None, alias: None }
}

#[test]
fn repository_on_object_storage_through_a_broker() {
    let Statement::CreateRepository(repository) = one(r#"CREATE REPOSITORY test_repo
           WITH BROKER
           ON LOCATION "s3a://bucket_name/backup"
           PROPERTIES(
               "aws.s3.access_key" = "XXXXXXXXXXXXXXXXX",
               "aws.s3.secret_key" = "yyyyyyyyyyyyyyyyyyyyyyyy",
               "aws.s3.endpoint" = "s3.us-east-1.amazonaws.com"
           );"#)
    else {
        panic!("not a repository")
    };
    assert_eq!(repository.name, "test_repo");
    assert!(!repository.read_only);
    assert_eq!(repository.broker, None);
    assert_eq!(repository.location, "s3a://bucket_name/backup");
    assert_eq!(repository.properties.len(), 3);
    assert_eq!(repository.properties["aws.s3.endpoint"], "s3.us-east-1.amazonaws.com");
}

#[test]
fn backup_of_tables_and_partitions() {
    let statement = one(r#"BACKUP SNAPSHOT example_db.snapshot_label2
           TO example_repo
           ON (
               example_tbl PARTITION (p1,p2),
               example_tbl2
           )
           PROPERTIES ("type" = "full");"#);
    let expected = Backup {
        database: Some("example_db".to_owned()),
        label: "snapshot_label2".to_owned(),
        repository: "example_repo".to_owned(),
        catalogs: None,
        objects: Some(vec![
            ObjectSelection::Named(NamedObject {
                partitions: Some(PartitionSelection {
                    temporary: false,
                    names: vec!["p1".to_owned(), "p2".to_owned()],
                }),
                ..table("example_tbl")
            }),
            ObjectSelection::Named(table("example_tbl2")),
        ]),
        excluded: None,
        properties: Properties::from([("type".to_owned(), "full".to_owned())]),
    };
    assert_eq!(statement, Statement::Backup(Box::new(expected)));
}

#[test]
fn restore_under_other_names() {
    let statement = one(r#"RESTORE SNAPSHOT example_db1.`snapshot_2`
           FROM `example_repo`
           ON
           (
               `backup_tbl` PARTITION (`p1`, `p2`),
               `backup_tbl2` AS `new_tbl`
           )
           PROPERTIES
           (
               "backup_timestamp"="2018-05-04-17-11-01"
           );"#);
    let expected = Restore {
        label: "snapshot_2".to_owned(),
        repository: "example_repo".to_owned(),
        snapshot_database: None,
        target_database: Some("example_db1".to_owned()),
        catalogs: None,
        objects: Some(vec![
            ObjectSelection::Named(NamedObject {
                partitions: Some(PartitionSelection {
                    temporary: false,
                    names: vec!["p1".to_owned(), "p2".to_owned()],
                }),
                ..table("backup_tbl")
            }),
            ObjectSelection::Named(NamedObject { alias: Some("new_tbl".to_owned()), ..table("backup_tbl2") }),
        ]),
        excluded: None,
        properties: Properties::from([("backup_timestamp".to_owned(), "2018-05-04-17-11-01".to_owned())]),
    };
    assert_eq!(statement, Statement::Restore(Box::new(expected)));
}

#[test]
fn what_repository_statements_mean() {
    snapshot!(meanings(&[
        "create read only repository r with broker b on location 'file:///x' properties('a'='b')",
        "CREATE REPOSITORY r WITH BROKER 'hdfs broker' ON LOCATION \"hdfs://h/p/\"",
        "CREATE REPOSITORY r ON LOCATION 'file:///x'",
        "CREATE REPOSITORY `_1` WITH BROKER ON LOCATION 'file:///x'",
        "DROP REPOSITORY r",
        "SHOW REPOSITORIES",
        "DROP SNAPSHOT s ON r",
        "DROP SNAPSHOT `2024-01-01` ON r FORCE",
        "SHOW SNAPSHOT ON r",
        "SHOW SNAPSHOT ON r WHERE SNAPSHOT = 'a'",
        "SHOW SNAPSHOT ON r WHERE snapshot = \"a\" AND timestamp = '2024-01-01-00-00-00-000'",
        "SHOW SNAPSHOT ON r WHERE TIMESTAMP = 't' AND SNAPSHOT = 'a'",
        "SHOW SNAPSHOT ON r WHERE SNAPSHOT IN ('a', 'b')",
    ]));
}

#[test]
fn what_upkeep_means() {
    snapshot!(meanings(&[
        "HOLD SNAPSHOT s ON r",
        "hold snapshot s on r reason 'case 7: \"keep\"'",
        "RELEASE SNAPSHOT `2024-01-01` ON r",
        "ALTER REPOSITORY r SET RETENTION (KEEP LAST 7)",
        "ALTER REPOSITORY r SET RETENTION (KEEP WITHIN '30d')",
        "alter repository r set retention (min 3, keep within \"2 weeks\", keep last 10)",
        "ALTER REPOSITORY r DROP RETENTION",
        "APPLY RETENTION ON r",
        "APPLY RETENTION ON r DRY RUN",
        "APPLY RETENTION ON r KEEP LAST 7 KEEP WITHIN '30d' MIN 3 DRY RUN",
        "APPLY RETENTION ON r MIN 3 KEEP LAST 1",
        "SWEEP REPOSITORY r",
        "SWEEP REPOSITORY r DRY RUN",
        "VERIFY REPOSITORY r",
        "VERIFY REPOSITORY r SNAPSHOT s",
        "VERIFY REPOSITORY r LEVEL 'sample=5%'",
        "VERIFY REPOSITORY r SNAPSHOT s LEVEL 'full' PROPERTIES ('timeout' = '3600')",
        "SHOW VERIFY",
        "SHOW VERIFY FROM r",
        "SHOW VERIFY IN r WHERE State = 'FINISHED'",
        "CANCEL VERIFY FROM r",
        "ALTER BACKUP SET ('max_bytes_per_second' = '1000000')",
        "ALTER BACKUP FROM d SET ('max_bytes_per_second' = '0', 'max_requests_per_second' = '5')",
        "ALTER RESTORE IN d SET ('max_bytes_per_second' = '1000000')",
    ]));
}

#[test]
fn what_upkeep_refuses() {
    snapshot!(refusals(&[
        "HOLD",
        "HOLD SNAPSHOT s",
        "HOLD SNAPSHOT 's' ON r",
        "HOLD SNAPSHOT `a/b` ON r",
        "HOLD SNAPSHOT s ON r REASON",
        "HOLD SNAPSHOT s ON r REASON because",
        "HOLD SNAPSHOT s ON r FORCE",
        "RELEASE",
        "RELEASE SAVEPOINT x",
        "RELEASE SNAPSHOT s ON r FORCE",
        "ALTER REPOSITORY",
        "ALTER REPOSITORY r",
        "ALTER REPOSITORY r SET",
        "ALTER REPOSITORY r SET RETENTION",
        "ALTER REPOSITORY r SET RETENTION ()",
        "ALTER REPOSITORY r SET RETENTION (MIN 3)",
        "ALTER REPOSITORY r SET RETENTION (KEEP LAST)",
        "ALTER REPOSITORY r SET RETENTION (KEEP LAST -1)",
        "ALTER REPOSITORY r SET RETENTION (KEEP LAST 5000000000)",
        "ALTER REPOSITORY r SET RETENTION (KEEP LAST 7 KEEP WITHIN '30d')",
        "ALTER REPOSITORY r SET RETENTION (KEEP LAST 7, KEEP LAST 8)",
        "ALTER REPOSITORY r SET RETENTION (KEEP WITHIN 30 DAY)",
        "ALTER REPOSITORY r SET RETENTION (KEEP ALL)",
        "ALTER REPOSITORY r SET RETENTION (KEEP LAST 7",
        "APPLY RETENTION",
        "APPLY RETENTION r",
        "APPLY RETENTION ON r MIN 3",
        "APPLY RETENTION ON r KEEP LAST 7, MIN 3",
        "APPLY RETENTION ON r DRY",
        "APPLY RETENTION ON r MIN 1 MIN 1 KEEP LAST 1",
        "SWEEP",
        "SWEEP REPOSITORY",
        "SWEEP REPOSITORY r NOW",
        "VERIFY r",
        "VERIFY REPOSITORY r LEVEL full",
        "VERIFY REPOSITORY r LEVEL 'full' SNAPSHOT s",
        "VERIFY REPOSITORY r SNAPSHOT",
        "VERYFY REPOSITORY r",
        "SHOW VERIFY r",
        "CANCEL VERIFY",
        "CANCEL VERIFY r",
        "ALTER BACKUP",
        "ALTER BACKUP d SET ('a' = 'b')",
        "ALTER BACKUP FROM d",
        "ALTER RESTORE FROM d SET ()",
        "ALTER RESTORE SET (max = 1)",
    ]));
}

#[test]
fn what_backup_means() {
    snapshot!(meanings(&[
        "BACKUP SNAPSHOT l TO r",
        "BACKUP SNAPSHOT d.l TO r",
        "BACKUP SNAPSHOT d.`2024-01-01` TO r",
        "BACKUP DATABASE d SNAPSHOT l TO r",
        "BACKUP DATABASE d SNAPSHOT d.l TO r",
        "backup database backup snapshot snapshot to restore",
        "BACKUP SNAPSHOT l TO r ON (t)",
        "BACKUP SNAPSHOT l TO r ON (TABLE t PARTITION p, TABLES u PARTITIONS (a, b))",
        "BACKUP SNAPSHOT l TO r EXCLUDE (t, TABLE u PARTITION (a, b), VIEW v)",
        "BACKUP SNAPSHOT l TO r ON (t TEMPORARY PARTITION (p))",
        "BACKUP SNAPSHOT l TO r ON (t TEMPORARY PARTITIONS p AS u)",
        "BACKUP SNAPSHOT l TO r ON (ALL TABLES, ALL TABLE, VIEW v, ALL VIEWS, FUNCTION f, ALL FUNCTION)",
        "BACKUP SNAPSHOT l TO r ON (MATERIALIZED VIEW m, MATERIALIZED VIEWS n AS o, ALL MATERIALIZED VIEWS)",
        "BACKUP SNAPSHOT l TO r ON (tables, view AS v, function, materialized, `all`, temporary)",
        "BACKUP SNAPSHOT l TO r PROPERTIES ('type'='full', \"timeout\" = '3600')",
        "BACKUP ALL EXTERNAL CATALOGS SNAPSHOT l TO r",
        "BACKUP EXTERNAL CATALOG (a) SNAPSHOT l TO r",
        "BACKUP EXTERNAL CATALOGS (a, b) SNAPSHOT l TO r",
        "SHOW BACKUP",
        "SHOW BACKUP FROM d",
        "SHOW BACKUP IN d WHERE SnapshotName = 'x'",
        "SHOW BACKUP LIKE 'a%'",
        "CANCEL BACKUP",
        "CANCEL BACKUP FROM d",
        "CANCEL BACKUP FOR EXTERNAL CATALOG",
    ]));
}

#[test]
fn what_restore_means() {
    snapshot!(meanings(&[
        "RESTORE SNAPSHOT l FROM r PROPERTIES('backup_timestamp'='t')",
        "RESTORE SNAPSHOT d.l FROM r",
        "RESTORE SNAPSHOT l FROM r DATABASE a",
        "RESTORE SNAPSHOT l FROM r DATABASE a AS b",
        "RESTORE SNAPSHOT b.l FROM r DATABASE a",
        "RESTORE SNAPSHOT b.l FROM r DATABASE a AS b",
        "RESTORE SNAPSHOT l FROM r DATABASE a AS b ON (TABLE t PARTITION (p) AS u, VIEW v AS w, FUNCTION f) PROPERTIES ('backup_timestamp'='t')",
        "RESTORE SNAPSHOT l FROM r EXCLUDE (t PARTITION p) PROPERTIES ('backup_timestamp'='t')",
        "RESTORE SNAPSHOT l FROM r ALL EXTERNAL CATALOGS",
        "RESTORE SNAPSHOT l FROM r EXTERNAL CATALOG (a AS b, c)",
        "SHOW RESTORE",
        "SHOW RESTORE FROM d",
        "SHOW RESTORE FROM d WHERE Label = 'x'",
        "CANCEL RESTORE",
        "CANCEL RESTORE IN d",
        "CANCEL RESTORE FOR EXTERNAL CATALOG",
    ]));
}

#[test]
fn what_the_family_refuses() {
    snapshot!(refusals(&[
        "BACKUP",
        "BACKUP SNAPSHOT",
        "BACKUP SNAPSHOT l",
        "BACKUP SNAPSHOT l\nto\n",
        "BACKUP SNAPSHOT l INTO r",
        "BACKUP SNAPSHOT 'l' TO r",
        "BACKUP SNAPSHOT `` TO r",
        "BACKUP SNAPSHOT `a/b` TO r",
        "BACKUP SNAPSHOT `*` TO r",
        "BACKUP SNAPSHOT a.b.c TO r",
        "BACKUP SNAPSHOT l TO order",
        "BACKUP SNAPSHOT l TO r ON",
        "BACKUP SNAPSHOT l TO r ON ()",
        "BACKUP SNAPSHOT l TO r ON (t",
        "BACKUP SNAPSHOT l TO r ON (t,)",
        "BACKUP SNAPSHOT l TO r ON (d.t)",
        "BACKUP SNAPSHOT l TO r ON (t PARTITION ())",
        "BACKUP SNAPSHOT l TO r ON (t PARTITION (p, P))",
        "BACKUP SNAPSHOT l TO r ON (t PARTITION (p)",
        "BACKUP SNAPSHOT l TO r ON (VIEW v PARTITION (p))",
        "BACKUP SNAPSHOT l TO r ON (ALL THINGS)",
        "BACKUP SNAPSHOT l TO r ON (TABLE)",
        "BACKUP SNAPSHOT l TO r PROPERTIES ()",
        "BACKUP SNAPSHOT l TO r PROPERTIES (type = 'full')",
        "BACKUP SNAPSHOT l TO r PROPERTIES ('type' 'full')",
        "BACKUP SNAPSHOT l TO r PROPERTIES ('type' = full)",
        "BACKUP SNAPSHOT l TO r PROPERTIES ('type' = 'full', 'type' = 'full')",
        "BACKUP SNAPSHOT l TO r PROPERTIES ('type' = 'full') ON (t)",
        "BACKUP DATABASE a SNAPSHOT b.l TO r",
        "BACKUP ALL EXTERNAL CATALOGS DATABASE d SNAPSHOT l TO r",
        "BACKUP ALL CATALOGS SNAPSHOT l TO r",
        "BACKUP EXTERNAL CATALOGS () SNAPSHOT l TO r",
        "RESTORE SNAPSHOT l TO r",
        "RESTORE SNAPSHOT a.l FROM r DATABASE x AS b",
        "RESTORE SNAPSHOT l FROM r DATABASE a AS `1 b`",
        "RESTORE SNAPSHOT l FROM r ALL EXTERNAL CATALOGS ON (t)",
        "RESTORE SNAPSHOT l FROM r ON (t AS)",
        "RESTORE SNAPSHOT l FROM r ON (t AS u AS v)",
        "CREATE REPOSITORY r",
        "CREATE REPOSITORY IF NOT EXISTS r ON LOCATION 'file:///x'",
        "CREATE REPOSITORY `a b` ON LOCATION 'file:///x'",
        "CREATE REPOSITORY r WITH BROKER b LOCATION 'file:///x'",
        "CREATE REPOSITORY r ON LOCATION ''",
        "CREATE REPOSITORY r ON LOCATION file",
        "CREATE READ REPOSITORY r ON LOCATION 'x'",
        "DROP REPOSITORY",
        "DROP REPOSITORY r FORCE",
        "DROP SNAPSHOT ON r",
        "SHOW SNAPSHOT r",
        "SHOW SNAPSHOT ON r WHERE",
        "SHOW SNAPSHOT ON r WHERE name = 'a'",
        "SHOW SNAPSHOT ON r WHERE SNAPSHOT = a",
        "SHOW SNAPSHOT ON r WHERE SNAPSHOT = 1",
        "SHOW SNAPSHOT ON r WHERE SNAPSHOT = ''",
        "SHOW SNAPSHOT ON r WHERE SNAPSHOT != 'a'",
        "SHOW SNAPSHOT ON r WHERE SNAPSHOT LIKE 'a%'",
        "SHOW SNAPSHOT ON r WHERE SNAPSHOT = 'a' OR SNAPSHOT = 'b'",
        "SHOW SNAPSHOT ON r WHERE SNAPSHOT = 'a' AND SNAPSHOT = 'b'",
        "SHOW SNAPSHOT ON r WHERE TIMESTAMP = 't'",
        "SHOW SNAPSHOT ON r WHERE SNAPSHOT IN ()",
        "SHOW SNAPSHOT ON r WHERE SNAPSHOT IN ('a') AND TIMESTAMP = 't'",
        "SHOW SNAPSHOT ON r WHERE TIMESTAMP = 't' AND SNAPSHOT IN ('a')",
        "SHOW BACKUP d",
        "CANCEL",
        "CANCEL LOAD FROM d",
        "CANCEL BACKUP d",
        "CANCEL BACKUP FOR d",
    ]));
}

#[test]
fn what_bringing_back_means() {
    snapshot!(meanings(&[
        "RECOVER DATABASE d",
        "recover schema d 17 as e",
        "RECOVER TABLE d.t",
        "RECOVER TABLE t AS u",
        "RECOVER TABLE t 42 AS u",
        "RECOVER PARTITION p FROM d.t",
        "RECOVER PARTITION p 7 FROM t",
        "UNDO RESTORE",
        "UNDO RESTORE FROM d",
        "undo restore in d",
        "SHOW CATALOG RECYCLE BIN",
        "SHOW CATALOG RECYCLE BIN WHERE Name = 'x'",
        "EXPLAIN BACKUP SNAPSHOT d.l TO r",
        "explain restore snapshot l from r",
        "EXPLAIN DROP SNAPSHOT l ON r FORCE",
        "EXPLAIN backup",
        "DESC restore",
    ]));
    snapshot!(refusals(&[
        "RECOVER",
        "RECOVER VIEW v",
        "RECOVER TABLE t -1",
        "RECOVER TABLE t x",
        "RECOVER PARTITION p",
        "RECOVER DATABASE d AS",
        "UNDO",
        "UNDO BACKUP",
        "UNDO RESTORE d",
        "SHOW CATALOG",
        "EXPLAIN DROP TABLE t",
        "BACKUP SNAPSHOT l TO r ON (t) EXCLUDE (u)",
        "BACKUP SNAPSHOT l TO r EXCLUDE ()",
        "BACKUP SNAPSHOT l TO r EXCLUDE (ALL TABLES)",
        "RESTORE SNAPSHOT l FROM r EXCLUDE (t AS u)",
    ]));
}
