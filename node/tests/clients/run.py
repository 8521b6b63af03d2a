#!/usr/bin/env python3
"""Runs every statement, and what clients do besides, against a real server with clients that are not ours.

    run.py --server target/debug/tabularium [--client mariadb] [--require]

What is not installed is left out with a line that says so; with --require it is a failure. Ends with 0 when all that was
run passed, and with 1 otherwise.
"""

import argparse
import importlib.util
import shutil
import sys
import time
import traceback
from pathlib import Path

import http_checks
import script
import stock
from server import Server

STATEMENTS = Path(__file__).with_name("statements.sql")
JOB_PATIENCE_S = 120


def check(step: script.Step, answer: stock.Answer) -> None:
    """Fails when the answer is not what the step expects."""
    assert answer.error == step.error, f"expected error {step.error}, got {answer.error}: {answer.message}"
    # A client in batch mode does not show the columns of an empty result.
    if step.columns is not None and answer.columns:
        assert answer.columns == step.columns, f"expected columns {step.columns}, got {answer.columns}"
    if step.rows is not None:
        assert len(answer.rows) == step.rows, f"expected {step.rows} rows, got {answer.rows}"
    if step.value is not None:
        assert answer.rows and answer.rows[0][0] == step.value, f"expected {step.value}, got {answer.rows[:3]}"
    if step.values is not None:
        assert answer.rows and answer.rows[0] == step.values, f"expected {step.values}, got {answer.rows[:3]}"


def obey(order: list[str], runner, names: dict[str, str]) -> None:
    """What is to be done between two statements."""
    if order[0] == "finished":
        statement = f"SHOW {order[1]} FROM {order[2]}"
        deadline = time.monotonic() + JOB_PATIENCE_S
        while True:
            answer = runner.run(statement)
            assert answer.rows, f"no job: {answer}"
            row = dict(zip(answer.columns, answer.rows[0]))
            if row["State"] == "FINISHED":
                return
            assert row["State"] != "CANCELLED", f"the job was cancelled: {row}"
            assert time.monotonic() < deadline, f"the job does not end: {row}"
            time.sleep(0.1)
    _, name, repository, label = order
    answer = runner.run(f'SHOW SNAPSHOT ON {repository} WHERE SNAPSHOT = "{label}"')
    row = dict(zip(answer.columns, answer.rows[0]))
    names[name] = row["Timestamp"].split()[0]


def all_statements(runner, server) -> list[str]:
    """The whole script, each statement judged; what was not as expected."""
    names = {"location": f"file://{server.dir}/repository-{runner.name}"}
    failures = []
    for step in script.read(STATEMENTS):
        try:
            if step.order:
                obey(step.order, runner, names)
            else:
                check(step, runner.run(script.fill(step.text, names)))
        except (AssertionError, KeyError) as failure:
            what = " ".join(step.order) or step.text
            failures.append(f"{STATEMENTS.name}:{step.line}: {what}\n    {failure!r}")
    return failures


def tried(call, *arguments) -> list[str]:
    """What a check complains of."""
    try:
        call(*arguments)
        return []
    except Exception:
        return [traceback.format_exc()]


def with_stock_client(client: str, server) -> list[str]:
    failures = all_statements(stock.Batch(client, server), server)
    failures += tried(stock.more_batch, client, server)
    failures += tried(stock.interactive, client, server)
    batch = stock.Batch(client, server)

    def rows(statement: str) -> list[list[str]]:
        answer = batch.run(statement)
        assert answer.error is None, answer
        return answer.rows

    return failures + tried(http_checks.checks, server, rows)


def with_pymysql(server) -> list[str]:
    import drivers

    runner = drivers.PyMySQL(server)
    failures = all_statements(runner, server)
    runner.close()
    return failures + tried(drivers.pymysql_checks, server)


def with_connector(server) -> list[str]:
    import connector

    runner = connector.Connector(server)
    failures = all_statements(runner, server)
    runner.close()
    return failures + tried(connector.checks, server)


def with_sqlalchemy(server) -> list[str]:
    import alchemy

    return [failure for driver in ("pymysql", "mysqlconnector") for failure in tried(alchemy.checks, server, driver)]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--server", required=True, help="path of the tabularium binary")
    parser.add_argument("--client", default="mariadb", help="name or path of the stock client")
    parser.add_argument("--require", action="store_true", help="a client that is not installed is a failure")
    args = parser.parse_args()
    client = shutil.which(args.client)
    has = lambda module: importlib.util.find_spec(module.split(".")[0]) is not None and importlib.util.find_spec(module)
    parts = [
        (f"{args.client} client", client, lambda server: with_stock_client(client, server)),
        ("PyMySQL", has("pymysql"), with_pymysql),
        # These share helpers with PyMySQL's part.
        ("MySQL Connector/Python", has("pymysql") and has("mysql.connector"), with_connector),
        ("SQLAlchemy", has("pymysql") and has("mysql.connector") and has("sqlalchemy"), with_sqlalchemy),
    ]
    failed = False
    for name, there, part in parts:
        if not there:
            print(f"{'FAILED' if args.require else 'skipped'}: {name} is not installed")
            failed |= args.require
            continue
        began = time.monotonic()
        try:
            with Server(args.server) as server:
                failures = part(server)
            if server.code != 0:
                failures.append(f"the server ended with {server.code}")
        except Exception:
            failures = [traceback.format_exc()]
        for failure in failures:
            print(failure)
        failed |= bool(failures)
        print(f"{'FAILED' if failures else 'passed'}: {name} ({time.monotonic() - began:.1f} s)")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
