#!/usr/bin/env python3
"""Exports a snapshot and reads it with tools that know Parquet and nothing else.

    export.py --binary target/debug/tabularium

Makes tables of every column type, with updates and deletes, backs them up, exports the snapshot, and compares each
value that DuckDB and pandas (pyarrow) read with what SQL says. Ends with 0 when all are equal.
"""

import argparse
import json
import subprocess
import sys
import time
from datetime import date, datetime
from decimal import Decimal, getcontext

import duckdb
import pyarrow.dataset

from server import Server

PATIENCE_S = 60
# LARGEINT has 39 digits.
getcontext().prec = 60

SETUP = """
CREATE DATABASE d; USE d;
CREATE REPOSITORY r WITH BROKER ON LOCATION 'file://{repository}';
CREATE TABLE every_type (k INT NOT NULL, b BOOLEAN, t TINYINT, s SMALLINT, i BIGINT, l LARGEINT, f FLOAT, x DOUBLE,
  p DECIMAL(9,2), q DECIMAL(18,4), w DECIMAL(38,10), day DATE, at DATETIME, c CHAR(5), v VARCHAR(40), y VARBINARY)
  PRIMARY KEY (k) DISTRIBUTED BY HASH (k) BUCKETS 3;
INSERT INTO every_type VALUES
  (1, true, -128, -32768, -9223372036854775808, -170141183460469231731687303715884105728, 0.5, 1e300,
   -9999999.99, 99999999999999.9999, 1234567890123456789012345678.0123456789, '1970-01-01', '0001-01-01 00:00:00',
   'abc', 'Grüße, 世界', X'00ff'),
  (2, false, 127, 32767, 9223372036854775807, 170141183460469231731687303715884105727, -0.25, -1e-300,
   0.01, -0.0001, -0.0000000001, '9999-12-31', '2026-11-22 18:30:00.123456', '', '', X''),
  (3, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL),
  (4, true, 1, 1, 1, 1, 1, 1, 1, 1, 1, '2000-02-29', '2000-02-29 12:00:00', 'x', 'deleted later', NULL);
INSERT INTO every_type (k, v) SELECT k + 10, 'copied' FROM every_type;
UPDATE every_type SET v = 'updated' WHERE k = 13;
DELETE FROM every_type WHERE k IN (4, 14);
CREATE TABLE days (day DATE NOT NULL, n BIGINT) DUPLICATE KEY (day)
  PARTITION BY RANGE (day) (PARTITION old VALUES LESS THAN ('2026-01-01'), PARTITION _new VALUES LESS THAN MAXVALUE)
  DISTRIBUTED BY RANDOM BUCKETS 2;
INSERT INTO days VALUES ('2025-05-05', 1), ('2025-06-06', 2), ('2026-01-01', 3);
CREATE TABLE empty_one (k INT NOT NULL, l LARGEINT) DUPLICATE KEY (k) DISTRIBUTED BY RANDOM BUCKETS 1;
"""


def run(binary: str, *arguments: str) -> str:
    done = subprocess.run([binary, *arguments], capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
    assert done.returncode == 0, f"{' '.join(arguments)}: {done.stderr}"
    return done.stdout


def sql(server: Server, script: str) -> list[dict]:
    shown = run(server.binary, "sql", "--server", f"127.0.0.1:{server.mysql_port}", "--format", "json", "-e", script)
    return [json.loads(line, parse_float=Decimal) for line in shown.splitlines()]


def backup(server: Server) -> None:
    sql(server, "BACKUP SNAPSHOT d.first TO r")
    deadline = time.monotonic() + PATIENCE_S
    while (job := sql(server, "SHOW BACKUP FROM d")[0])["State"] != "FINISHED":
        assert job["State"] != "CANCELLED" and time.monotonic() < deadline, job
        time.sleep(0.1)


def plain(value) -> str | None:
    """A value as both sides can say it."""
    match value:
        case None:
            return None
        case bool():
            return str(int(value))
        case bytes():
            return value.hex()
        case datetime():
            return value.isoformat(sep=" ").removesuffix(".000000")
        case date():
            return value.isoformat()
        case float() | Decimal() | int():
            # Shortest digits that mean the number; 1 and 1.00 are one.
            return format(Decimal(str(value)).normalize(), "f")
        case _:
            return str(value)


def expected(server: Server, table: str, key: str, numbers: set[str]) -> list[list]:
    rows = sql(server, f"SELECT * FROM d.{table} ORDER BY {key}")
    return [[plain(Decimal(v) if v is not None and name in numbers else v) for name, v in row.items()] for row in rows]


def compare(what: str, found: list[list], wanted: list[list]) -> None:
    assert found == wanted, f"{what}:\n  found    {found}\n  expected {wanted}"
    print(f"ok  {what}: {len(found)} rows")


def main() -> int:
    options = argparse.ArgumentParser()
    options.add_argument("--binary", required=True)
    binary = options.parse_args().binary
    with Server(binary) as server:
        location, out = f"file://{server.dir}/r", server.dir / "out"
        sql(server, SETUP.replace("file://{repository}", location))
        backup(server)
        exported = json.loads(run(binary, "repo", "export", location, "first", str(out), "--json"))
        folders = {table["table"]: out / table["folder"] for table in exported["tables"]}
        numbers = {"l", "f", "x", "p", "q", "w", "i", "s", "t", "k", "n"}
        for table, key in [("every_type", "k"), ("days", "day"), ("empty_one", "k")]:
            wanted = expected(server, table, key, numbers)
            glob = f"{folders[table]}/**/*.parquet"
            by_duckdb = duckdb.sql(f"SELECT * FROM read_parquet('{glob}') ORDER BY {key}").fetchall()
            compare(f"DuckDB, {table}", [[plain(value) for value in row] for row in by_duckdb], wanted)
            by_arrow = pyarrow.dataset.dataset(folders[table], format="parquet").to_table().sort_by(key).to_pylist()
            compare(f"pyarrow, {table}", [[plain(value) for value in row.values()] for row in by_arrow], wanted)
        large = duckdb.sql(f"SELECT l::HUGEINT FROM '{folders['every_type']}/**/*.parquet' WHERE k = 2").fetchall()
        assert large == [(2**127 - 1,)], large
        types = duckdb.sql(f"DESCRIBE SELECT * FROM '{folders['every_type']}/**/*.parquet'").fetchall()
        print("DuckDB sees " + ", ".join(f"{row[0]} {row[1]}" for row in types))
    return 0


if __name__ == "__main__":
    sys.exit(main())
