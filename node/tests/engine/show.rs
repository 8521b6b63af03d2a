use super::World;

#[tokio::test(flavor = "multi_thread")]
async fn tables_and_columns_are_shown() {
    let world = World::new().await;
    let mut client = world.in_database().await;
    client
        .run(
            "CREATE TABLE t (Id INT NOT NULL COMMENT 'the key', v VARCHAR(9) DEFAULT 'x', at DATETIME DEFAULT CURRENT_TIMESTAMP) PRIMARY KEY (id) \
             COMMENT 'a table' DISTRIBUTED BY HASH (id) BUCKETS 2",
        )
        .await;
    client.run("CREATE TABLE u (k INT); INSERT INTO u VALUES (1), (2)").await;
    assert_eq!(client.names("SHOW TABLES").await, ["Tables_in_d"]);
    assert_eq!(client.lines("SHOW FULL TABLES FROM d LIKE 't'").await, ["t BASE TABLE"]);
    assert_eq!(client.names("DESC t").await, ["Field", "Type", "Null", "Key", "Default", "Extra"]);
    assert_eq!(
        client.lines("DESC t").await,
        ["Id int NO true NULL ", "v varchar(9) YES false x ", "at datetime YES false CURRENT_TIMESTAMP "]
    );
    assert_eq!(client.lines("DESC t ID").await, ["Id int NO true NULL "]);
    assert_eq!(client.lines("SHOW COLUMNS FROM t WHERE Field = 'v'").await, ["v varchar(9) YES false x "]);
    assert_eq!(
        client.lines("SHOW FULL COLUMNS FROM t LIKE 'i%'").await,
        ["Id int NULL NO true NULL  select,insert,update the key"]
    );
    client.refused("DESC nope", 1146, "d.nope").await;
    client.refused("SHOW TABLES FROM nope", 1049, "nope").await;
    client.refused("SHOW COLUMNS FROM t WHERE nope = 1", 1054, "nope").await;
    assert_eq!(client.lines("SHOW INDEX FROM t").await.len(), 1);
    let status = client.rows("SHOW TABLE STATUS LIKE 'u'").await;
    assert_eq!((status.len(), status[0][4].as_deref()), (1, Some("2")));
    assert_eq!(client.lines("SHOW CREATE DATABASE d").await, ["d CREATE DATABASE `d`"]);
    assert_eq!(
        client.names("SHOW PARTITIONS FROM t").await,
        [
            "PartitionId",
            "PartitionName",
            "VisibleVersion",
            "VisibleVersionTime",
            "VisibleVersionHash",
            "State",
            "PartitionKey",
            "Range",
            "DistributionKey",
            "Buckets",
            "ReplicationNum",
            "StorageMedium",
            "CooldownTime",
            "LastConsistencyCheckTime",
            "DataSize",
            "IsInMemory",
            "RowCount"
        ]
    );
    let partition = &client.rows("SHOW PARTITIONS FROM u").await[0];
    assert_eq!(
        (partition[1].as_deref(), partition[2].as_deref(), partition[16].as_deref()),
        (Some("u"), Some("2"), Some("2"))
    );
    assert_eq!(client.lines("SHOW PARTITIONS FROM u WHERE PartitionName = 'x'").await.len(), 0);
    for asked in [
        "SHOW WARNINGS",
        "SHOW ERRORS",
        "SHOW COUNT(*) WARNINGS",
        "SHOW ENGINES",
        "SHOW COLLATION",
        "SHOW CHARACTER SET",
        "SHOW PROCESSLIST",
        "SHOW GRANTS",
        "SHOW PLUGINS",
        "SHOW PRIVILEGES",
        "SHOW TRIGGERS",
        "SHOW EVENTS",
        "SHOW PROCEDURE STATUS",
        "SHOW FUNCTION STATUS",
        "SHOW CATALOGS",
        "SHOW BACKENDS",
        "SHOW FRONTENDS",
        "SHOW STATUS",
        "SHOW LOAD",
        "SHOW REPOSITORIES",
        "SHOW BACKUP",
        "SHOW RESTORE",
    ] {
        assert!(!client.names(asked).await.is_empty(), "{asked}");
    }
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_information_schema_tells_what_is_there() {
    let world = World::new().await;
    let mut client = world.in_database().await;
    client.run("CREATE TABLE t (k INT NOT NULL, v DECIMAL(9,2), s VARCHAR(7) DEFAULT 'x') PRIMARY KEY (k)").await;
    assert_eq!(client.lines("SELECT schema_name FROM INFORMATION_SCHEMA.SCHEMATA").await, ["d", "information_schema"]);
    assert_eq!(
        client.lines("SELECT TABLE_NAME, TABLE_TYPE FROM information_schema.TABLES WHERE table_schema = 'd'").await,
        ["t BASE TABLE"]
    );
    assert_eq!(
        client
            .lines(
                "SELECT column_name, data_type, is_nullable, column_key, numeric_scale, character_maximum_length, column_default \
                 FROM information_schema.columns WHERE table_name = 't' ORDER BY ordinal_position"
            )
            .await,
        ["k int NO PRI 0 NULL NULL", "v decimal YES  2 NULL NULL", "s varchar YES  NULL 7 x"]
    );
    client.run("USE information_schema").await;
    assert_eq!(client.one("SELECT count(*) FROM key_column_usage").await, "1");
    for (table,) in [("events",), ("statistics",), ("routines",), ("engines",), ("collations",), ("partitions",)] {
        client.run(&format!("SELECT * FROM {table}")).await;
    }
    client.refused("SELECT * FROM nope", 1146, "information_schema.nope").await;
    assert!(client.lines("SHOW TABLES").await.len() > 5);
    world.end().await;
}
