//! TPC-H tables: their definitions, and their rows from the `tpchgen` crate as CSV files.

use anyhow::{Context, Result};
use std::fmt::Display;
use std::io::Write;
use std::path::Path;
use tpchgen::csv::{CustomerCsv, LineItemCsv, NationCsv, OrderCsv, PartCsv, PartSuppCsv, RegionCsv, SupplierCsv};
use tpchgen::generators::{
    CustomerGenerator, LineItemGenerator, NationGenerator, OrderGenerator, PartGenerator, PartSuppGenerator,
    RegionGenerator, SupplierGenerator,
};

/// One table of the demo.
pub(super) struct Table {
    pub(super) name: &'static str,
    pub(super) create: &'static str,
}

/// Both key models, range partitions by year, hash and random distribution.
pub(super) const TABLES: [Table; 8] = [
    Table {
        name: "region",
        create: "CREATE TABLE region (r_regionkey INT NOT NULL, r_name VARCHAR(25), r_comment VARCHAR(152))
                 DUPLICATE KEY (r_regionkey) DISTRIBUTED BY RANDOM BUCKETS 1",
    },
    Table {
        name: "nation",
        create: "CREATE TABLE nation (n_nationkey INT NOT NULL, n_name VARCHAR(25), n_regionkey INT, n_comment VARCHAR(152))
                 DUPLICATE KEY (n_nationkey) DISTRIBUTED BY RANDOM BUCKETS 1",
    },
    Table {
        name: "supplier",
        create: "CREATE TABLE supplier (s_suppkey INT NOT NULL, s_name CHAR(25), s_address VARCHAR(40), s_nationkey INT,
                   s_phone CHAR(15), s_acctbal DECIMAL(15,2), s_comment VARCHAR(101))
                 PRIMARY KEY (s_suppkey) DISTRIBUTED BY HASH (s_suppkey) BUCKETS 2",
    },
    Table {
        name: "customer",
        create: "CREATE TABLE customer (c_custkey INT NOT NULL, c_name VARCHAR(25), c_address VARCHAR(40), c_nationkey INT,
                   c_phone CHAR(15), c_acctbal DECIMAL(15,2), c_mktsegment CHAR(10), c_comment VARCHAR(117))
                 PRIMARY KEY (c_custkey) DISTRIBUTED BY HASH (c_custkey) BUCKETS 4",
    },
    Table {
        name: "part",
        create: "CREATE TABLE part (p_partkey INT NOT NULL, p_name VARCHAR(55), p_mfgr CHAR(25), p_brand CHAR(10),
                   p_type VARCHAR(25), p_size INT, p_container CHAR(10), p_retailprice DECIMAL(15,2), p_comment VARCHAR(23))
                 DUPLICATE KEY (p_partkey) DISTRIBUTED BY HASH (p_partkey) BUCKETS 4",
    },
    Table {
        name: "partsupp",
        create: "CREATE TABLE partsupp (ps_partkey INT NOT NULL, ps_suppkey INT NOT NULL, ps_availqty INT,
                   ps_supplycost DECIMAL(15,2), ps_comment VARCHAR(199))
                 PRIMARY KEY (ps_partkey, ps_suppkey) DISTRIBUTED BY HASH (ps_partkey) BUCKETS 4",
    },
    Table {
        name: "orders",
        create: "CREATE TABLE orders (o_orderkey BIGINT NOT NULL, o_custkey INT, o_orderstatus CHAR(1), o_totalprice DECIMAL(15,2),
                   o_orderdate DATE, o_orderpriority CHAR(15), o_clerk CHAR(15), o_shippriority INT, o_comment VARCHAR(79))
                 PRIMARY KEY (o_orderkey) DISTRIBUTED BY HASH (o_orderkey) BUCKETS 8",
    },
    Table {
        name: "lineitem",
        create: "CREATE TABLE lineitem (l_shipdate DATE NOT NULL, l_orderkey BIGINT NOT NULL, l_linenumber INT NOT NULL,
                   l_partkey INT, l_suppkey INT, l_quantity DECIMAL(15,2), l_extendedprice DECIMAL(15,2),
                   l_discount DECIMAL(15,2), l_tax DECIMAL(15,2), l_returnflag CHAR(1), l_linestatus CHAR(1),
                   l_commitdate DATE, l_receiptdate DATE, l_shipinstruct CHAR(25), l_shipmode CHAR(10), l_comment VARCHAR(44))
                 DUPLICATE KEY (l_shipdate, l_orderkey, l_linenumber)
                 PARTITION BY RANGE (l_shipdate) (START ('1992-01-01') END ('1999-01-01') EVERY (INTERVAL 1 YEAR))
                 DISTRIBUTED BY HASH (l_orderkey) BUCKETS 4",
    },
];

/// The columns of the CSV file of `table`, in the file's order.
pub(super) fn columns(table: &str) -> Result<&'static str> {
    Ok(match table {
        "region" => RegionCsv::header(),
        "nation" => NationCsv::header(),
        "supplier" => SupplierCsv::header(),
        "customer" => CustomerCsv::header(),
        "part" => PartCsv::header(),
        "partsupp" => PartSuppCsv::header(),
        "orders" => OrderCsv::header(),
        "lineitem" => LineItemCsv::header(),
        other => anyhow::bail!("no table {other} in TPC-H"),
    })
}

/// Writes the rows of `table` at `scale` (1 = about 1 GB over all tables) as a CSV file with a header line.
pub(super) fn write_csv(table: &str, scale: f64, path: &Path) -> Result<()> {
    let header = columns(table)?;
    match table {
        "region" => lines(path, header, RegionGenerator::new(scale, 1, 1).iter().map(RegionCsv::new)),
        "nation" => lines(path, header, NationGenerator::new(scale, 1, 1).iter().map(NationCsv::new)),
        "supplier" => lines(path, header, SupplierGenerator::new(scale, 1, 1).iter().map(SupplierCsv::new)),
        "customer" => lines(path, header, CustomerGenerator::new(scale, 1, 1).iter().map(CustomerCsv::new)),
        "part" => lines(path, header, PartGenerator::new(scale, 1, 1).iter().map(PartCsv::new)),
        "partsupp" => lines(path, header, PartSuppGenerator::new(scale, 1, 1).iter().map(PartSuppCsv::new)),
        "orders" => lines(path, header, OrderGenerator::new(scale, 1, 1).iter().map(OrderCsv::new)),
        _ => lines(path, header, LineItemGenerator::new(scale, 1, 1).iter().map(LineItemCsv::new)),
    }
}

fn lines(path: &Path, header: &str, rows: impl Iterator<Item = impl Display>) -> Result<()> {
    let context = || format!("cannot write {}", path.display());
    let mut out = std::io::BufWriter::with_capacity(1 << 20, std::fs::File::create(path).with_context(context)?);
    writeln!(out, "{header}").with_context(context)?;
    for row in rows {
        writeln!(out, "{row}").with_context(context)?;
    }
    out.flush().with_context(context)
}
