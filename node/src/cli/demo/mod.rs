//! `tabularium demo`: a real database is backed up while it is being loaded, destroyed, restored, and compared.
//!
//! Everything goes through the same SQL that a client would send. It exits non-zero when anything differs.

mod place;
mod progress;
mod sql;
mod tpch;

use anyhow::{Context, Result, bail, ensure};
use bytesize::ByteSize;
use clap::Args;
use env::rt::time::Instant;
use place::Place;
use sql::Sql;
use std::collections::BTreeMap;
use std::path::PathBuf;

/// Arguments of `tabularium demo`.
#[derive(Debug, Args)]
pub(super) struct DemoArgs {
    /// TPC-H scale factor: 1 is about 1 GB of text in 8.6 million rows.
    #[arg(long, default_value_t = 0.1, value_parser = scale)]
    scale: f64,
    /// Where to put the demo's data directory, repository and files. Must be empty, absent, or left by a demo.
    #[arg(long)]
    data_dir: Option<PathBuf>,
}

fn scale(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(scale) if scale > 0.0 && scale <= 100.0 => Ok(scale),
        Ok(_) => Err("a scale lies above 0 and up to 100".to_owned()),
        Err(failed) => Err(failed.to_string()),
    }
}

/// What a table held: rows, and a hash of them that does not depend on their order.
type Fingerprint = (u64, u128);

pub(super) async fn run(args: DemoArgs) -> Result<()> {
    let place = Place::prepare(args.data_dir)?;
    let mut sql = Sql::open(&place.data_dir()).await?;
    say(&format!("Tabularium demo, TPC-H scale {} in {}\n", args.scale, place.root().display()));

    load(&mut sql, &place, args.scale).await?;
    let before = fingerprints(&sql).await?;

    say("\nA consistent copy, while loads go on");
    sql.run(&format!("CREATE REPOSITORY demo_repo WITH BROKER ON LOCATION '{}'", place.repository_url()?)).await?;
    sql.run("BACKUP DATABASE tpch SNAPSHOT first TO demo_repo").await?;
    let (backup, loads) = tokio::join!(progress::follow(&sql, "backup"), later_loads(&sql));
    let (first, loads) = (backup?, loads?);
    say(&format!("  three loads committed after the cut: {}", loads.join("; ")));
    let after_loads = fingerprints(&sql).await?;
    ensure!(after_loads != before, "the later loads changed nothing; there would be nothing to prove");

    say("\nDestroy every table");
    for table in &tpch::TABLES {
        sql.run(&format!("DROP TABLE tpch.{} FORCE", table.name)).await?;
    }
    let left = sql.rows("SHOW TABLES FROM tpch").await?;
    ensure!(left.is_empty(), "tables are left after dropping them all: {left:?}");
    say("  SHOW TABLES: none");

    say("\nRestore");
    let timestamp = timestamp(&mut sql, "first").await?;
    sql.run(&format!(
        "RESTORE SNAPSHOT first FROM demo_repo DATABASE tpch PROPERTIES ('backup_timestamp' = '{timestamp}')"
    ))
    .await?;
    progress::follow(&sql, "restore").await?;
    compare(&before, &fingerprints(&sql).await?)?;

    second_backup(&mut sql, &first).await?;
    sql.close().await?;
    farewell(&place);
    Ok(())
}

async fn load(sql: &mut Sql, place: &Place, scale: f64) -> Result<()> {
    say("Load, through SQL");
    sql.run("CREATE DATABASE tpch").await?;
    sql.run("USE tpch").await?;
    for table in &tpch::TABLES {
        let file = place.csv(table.name);
        let began = Instant::now();
        tokio::task::block_in_place(|| tpch::write_csv(table.name, scale, &file))?;
        let made = began.elapsed();
        sql.run(table.create).await?;
        let began = Instant::now();
        let rows = sql
            .run(&format!(
                "INSERT INTO {} ({}) SELECT * FROM FILES ('path' = '{}', 'format' = 'csv', 'csv.column_separator' = ',', \
                 'csv.enclose' = '\"', 'csv.skip_header' = '1')",
                table.name,
                tpch::columns(table.name)?,
                file.display()
            ))
            .await?;
        say(&format!(
            "  {:<9} {:>9} rows  made in {:>5.2} s, loaded in {:>5.2} s",
            table.name,
            rows,
            made.as_secs_f64(),
            began.elapsed().as_secs_f64()
        ));
        std::fs::remove_file(&file).with_context(|| format!("cannot remove {}", file.display()))?;
    }
    Ok(())
}

/// Three loads that commit after the cut, while the backup streams: an insert, an upsert and a delete.
async fn later_loads(sql: &Sql) -> Result<Vec<String>> {
    let mut other = sql.another();
    other.run("USE tpch").await?;
    let mut told = Vec::new();
    for (what, statement) in [
        (
            "insert",
            "INSERT INTO nation VALUES (90, 'ATLANTIS', 3, 'sank before the backup ended'), (91, 'LEMURIA', 2, NULL)",
        ),
        ("upsert", "UPDATE orders SET o_totalprice = o_totalprice + 1 WHERE o_orderkey % 100 = 1"),
        ("delete", "DELETE FROM customer WHERE c_custkey % 50 = 7"),
    ] {
        let rows = other.run(statement).await?;
        told.push(format!("{what} of {rows} rows"));
    }
    Ok(told)
}

async fn fingerprints(sql: &Sql) -> Result<BTreeMap<&'static str, Fingerprint>> {
    let mut found = BTreeMap::new();
    for table in &tpch::TABLES {
        found.insert(table.name, sql.fingerprint("tpch", table.name).await?);
    }
    Ok(found)
}

fn compare(cut: &BTreeMap<&str, Fingerprint>, restored: &BTreeMap<&str, Fingerprint>) -> Result<()> {
    let mut differ = Vec::new();
    for (table, (rows, hash)) in cut {
        let same = restored.get(table) == Some(&(*rows, *hash));
        say(&format!(
            "  {table:<9} {rows:>9} rows  hash {hash:032x}  {}",
            if same { "as at the cut" } else { "DIFFERS" }
        ));
        if !same {
            differ.push(*table);
        }
    }
    if differ.is_empty() {
        say("  every table holds exactly the rows of the cut; the three later loads are not there");
        return Ok(());
    }
    bail!("restored tables differ from the cut: {}", differ.join(", "))
}

async fn timestamp(sql: &mut Sql, label: &str) -> Result<String> {
    let rows = sql.rows(&format!("SHOW SNAPSHOT ON demo_repo WHERE SNAPSHOT = '{label}'")).await?;
    let cell = rows.first().and_then(|row| row.get(1)).cloned().flatten();
    cell.with_context(|| format!("SHOW SNAPSHOT does not list {label}"))
}

async fn second_backup(sql: &mut Sql, first: &progress::Totals) -> Result<()> {
    say("\nA small change, and a second backup");
    let rows = sql
        .run("INSERT INTO lineitem SELECT * FROM lineitem WHERE l_shipdate BETWEEN '1998-06-01' AND '1998-06-03'")
        .await?;
    say(&format!("  {rows} rows inserted into lineitem"));
    sql.run("BACKUP DATABASE tpch SNAPSHOT second TO demo_repo").await?;
    let second = progress::follow(sql, "backup").await?;
    ensure!(second.total > 0, "the second snapshot is empty");
    say(&format!(
        "  the first backup sent {}; the second holds {} and sent {}: the rest is shared",
        ByteSize(first.sent),
        ByteSize(second.total),
        ByteSize(second.sent)
    ));
    ensure!(
        second.sent.saturating_mul(2) < first.sent,
        "the second backup sent {} of {}: nothing was shared",
        second.sent,
        first.sent
    );
    Ok(())
}

fn farewell(place: &Place) {
    say("\nNow by hand:");
    let binary = std::env::args().next().unwrap_or_else(|| "tabularium".to_owned());
    say(&format!("  {binary} sql --data-dir {} -D tpch", place.data_dir().display()));
    say(&format!("  {binary} serve --data-dir {} &", place.data_dir().display()));
    say("  mariadb -h 127.0.0.1 -P 9030 -u root tpch");
    say("    SHOW SNAPSHOT ON demo_repo;");
    say("    DELETE FROM orders WHERE o_orderkey > 0;");
    say(
        "    RESTORE SNAPSHOT tpch.second FROM demo_repo ON (orders) PROPERTIES ('backup_timestamp' = '<from SHOW SNAPSHOT>');",
    );
    say("    SHOW RESTORE FROM tpch;");
}

#[expect(clippy::print_stdout, reason = "the demo tells its story on standard output")]
fn say(text: &str) {
    println!("{text}");
}
