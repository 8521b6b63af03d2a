use super::World;
use std::path::Path;

fn write(path: &Path, text: &str) -> String {
    std::fs::write(path, text).unwrap();
    path.to_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn csv_files_are_tables() {
    let world = World::new().await;
    let mut client = world.in_database().await;
    client.run("CREATE TABLE t (id INT, name VARCHAR(20), price DECIMAL(8,2), d DATE)").await;
    let one = write(&world.path("part 1.csv"), "id;name;price;d\n1;\"a;b\";1.50;2024-01-01\n2;\\N;\\N;\\N\n");
    write(&world.path("part 2.csv"), "id;name;price;d\n3;c;3;2024-03-03\n");
    let files = |path: &str| {
        format!(
            "FILES('path' = '{path}', 'format' = 'csv', 'csv.column_separator' = ';', 'csv.enclose' = '\"', 'csv.skip_header' = '1')"
        )
    };
    assert_eq!(
        client.lines(&format!("SELECT * FROM {}", files(&one))).await,
        ["1 a;b 1.50 2024-01-01", "2 NULL NULL NULL"]
    );
    assert_eq!(client.names(&format!("SELECT * FROM {}", files(&one))).await, ["$1", "$2", "$3", "$4"]);
    let all = world.path("part *.csv").to_str().unwrap().to_owned();
    assert_eq!(client.run(&format!("INSERT INTO t SELECT * FROM {}", files(&format!("file://{all}")))).await, 3);
    assert_eq!(
        client.lines("SELECT * FROM t ORDER BY id").await,
        ["1 a;b 1.50 2024-01-01", "2 NULL NULL NULL", "3 c 3.00 2024-03-03"]
    );
    assert_eq!(
        client.lines(&format!("SELECT CAST($1 AS INT) + 1 FROM {} f WHERE f.$3 IS NOT NULL", files(&one))).await,
        ["2"]
    );
    let named = format!(
        "FILES('path' = '{one}', 'format' = 'csv', 'csv.column_separator' = ';', 'csv.enclose' = '\"', 'csv.header' = 'true')"
    );
    assert_eq!(client.lines(&format!("SELECT name, Price FROM {named} WHERE ID = '1'")).await, ["a;b 1.50"]);
    client.run(&format!("INSERT INTO t (id, name) SELECT $1, upper($2) FROM {}", files(&one))).await;
    assert_eq!(client.one("SELECT count(*) FROM t WHERE name = 'A;B'").await, "1");
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn parquet_files_are_tables() {
    use arrow::array::{Int64Array, RecordBatch, StringArray};
    use parquet::arrow::ArrowWriter;
    use std::sync::Arc;
    let world = World::new().await;
    let mut client = world.in_database().await;
    for (name, base) in [("x%20 1.parquet", 0_i64), ("x%20 2.parquet", 100)] {
        let batch = RecordBatch::try_from_iter([
            ("Key", Arc::new(Int64Array::from_iter_values(base..base + 50)) as _),
            ("txt", Arc::new(StringArray::from_iter_values((0..50).map(|n| format!("t{n}")))) as _),
        ])
        .unwrap();
        let mut writer =
            ArrowWriter::try_new(std::fs::File::create(world.path(name)).unwrap(), batch.schema(), None).unwrap();
        writer.write(&batch).unwrap();
        writer.close().unwrap();
    }
    let path = world.path("x%20 *.parquet").to_str().unwrap().to_owned();
    let files = format!("FILES('path' = '{path}', 'format' = 'parquet')");
    assert_eq!(client.lines(&format!("SELECT count(*), max(KEY) FROM {files} WHERE key >= 10")).await, ["90 149"]);
    client.run("CREATE TABLE t (k INT, v VARCHAR(5)) PRIMARY KEY (k)").await;
    assert_eq!(client.run(&format!("INSERT INTO t SELECT * FROM {files}")).await, 100);
    assert_eq!(client.lines("SELECT count(*), sum(k) FROM t").await, ["100 7450"]);
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn files_that_cannot_be_read_are_named() {
    let world = World::new().await;
    let mut client = world.in_database().await;
    client.run("CREATE TABLE t (id INT, name VARCHAR(3))").await;
    let ragged = write(&world.path("ragged.csv"), "1\ta\n2\n");
    let broken = write(&world.path("broken.parquet"), "PAR1 this is not a Parquet file PAR1");
    let long = write(&world.path("long.csv"), "1\ta\n2\ttoolong\n");
    for (files, code, words) in [
        ("'format' = 'csv'".to_owned(), 1105, "needs the property 'path'"),
        ("'path' = '/x.csv'".to_owned(), 1105, "needs the property 'format'"),
        ("'path' = '/x.csv', 'format' = 'orc'".to_owned(), 1235, "format 'orc' is not supported"),
        ("'path' = 'x.csv', 'format' = 'csv'".to_owned(), 1105, "'x.csv' is no absolute path"),
        ("'path' = 's3://b/x.csv', 'format' = 'csv'".to_owned(), 1235, "s3://"),
        ("'path' = '/nowhere/*.csv', 'format' = 'csv'".to_owned(), 1105, "no file '/nowhere/*.csv'"),
        ("'path' = '/x.csv', 'format' = 'csv', 'csv.sep' = ','".to_owned(), 1105, "[csv.sep]"),
        (
            format!("'path' = '{ragged}', 'format' = 'csv', 'csv.enclose' = 'ab'"),
            1105,
            "'csv.enclose' must be one byte",
        ),
        (format!("'path' = '{ragged}', 'format' = 'csv'"), 1105, "ragged.csv', row 2: 1 fields where 2 are expected"),
        (format!("'path' = '{broken}', 'format' = 'parquet'"), 1105, "broken.parquet' cannot be read as Parquet"),
        (format!("'path' = '{long}', 'format' = 'csv'"), 1105, "row 2, column 'name': 'toolong' has 7 bytes"),
    ] {
        client.refused(&format!("INSERT INTO t SELECT * FROM FILES({files})"), code, words).await;
    }
    assert_eq!(client.one("SELECT count(*) FROM t").await, "0");
    world.end().await;
}
