"""PyMySQL, and what all drivers of Python programs share."""

import datetime
import decimal
import threading
import time

import pymysql
import pymysql.cursors
from pymysql.constants import CLIENT

from stock import Answer


def connect(server, **more):
    return pymysql.connect(host="127.0.0.1", port=server.mysql_port, user="root", **more)


def as_text(value) -> str:
    """A cell as statements.sql writes it."""
    if value is None:
        return "NULL"
    if isinstance(value, bytes):
        return value.decode()
    return str(value)


class PyMySQL:
    """Runs all statements over one connection."""

    name = "PyMySQL"

    def __init__(self, server):
        self.connection = connect(server)

    def run(self, statement: str) -> Answer:
        with self.connection.cursor() as cursor:
            try:
                cursor.execute(statement)
            except pymysql.MySQLError as error:
                return Answer(error.args[0], str(error.args[1]), [], [])
            columns = [column[0] for column in cursor.description or []]
            return Answer(None, "", columns, [[as_text(cell) for cell in row] for row in cursor.fetchall()])

    def close(self) -> None:
        self.connection.close()


def fails(number: int, call) -> str:
    """The message of the error with this number."""
    try:
        call()
    except pymysql.MySQLError as error:
        assert error.args[0] == number, error
        return error.args[1]
    raise AssertionError(f"no error {number}")


def pymysql_checks(server) -> None:
    """Parameters, types, character sets, several results, large results, errors, the end of a query."""
    connection = connect(server, client_flag=CLIENT.MULTI_STATEMENTS)
    cursor = connection.cursor()
    cursor.execute("CREATE DATABASE drivers")
    connection.select_db("drivers")
    cursor.execute("SELECT DATABASE()")
    assert cursor.fetchone() == ("drivers",)
    fails(1049, lambda: connection.select_db("nowhere"))

    cursor.execute(
        "CREATE TABLE t (id BIGINT NOT NULL, b BOOLEAN, f DOUBLE, d DECIMAL(12,3), day DATE, at DATETIME, s STRING, raw VARBINARY(20))"
        " PRIMARY KEY (id) DISTRIBUTED BY HASH (id) BUCKETS 2"
    )
    day, at = datetime.date(2026, 2, 28), datetime.datetime(2026, 2, 28, 23, 59, 59, 5)
    odd = "it's \"odd\" \\ % ? é 漢 \U0001f600\n\t;-- /*"
    rows = [
        (1, True, 0.1, decimal.Decimal("123456789.125"), day, at, odd),
        (2, False, -1e300, decimal.Decimal("-0.001"), datetime.date(1, 1, 1), datetime.datetime(9999, 12, 31), ""),
        (3, None, None, None, None, None, None),
    ]
    assert cursor.executemany("INSERT INTO t (id, b, f, d, day, at, s) VALUES (%s, %s, %s, %s, %s, %s, %s)", rows) == 3
    cursor.execute("SELECT id, b, f, d, day, at, s FROM t ORDER BY id")
    got = list(cursor.fetchall())
    assert got == [tuple(row) for row in rows], got
    cursor.execute("SELECT id FROM t WHERE s = %s", (odd,))
    assert cursor.fetchall() == ((1,),)
    cursor.execute("SELECT COUNT(*) FROM t WHERE s = %s", ("' OR '1'='1",))
    assert cursor.fetchone() == (0,)
    assert cursor.execute("DELETE FROM t WHERE id = %s", (2,)) == 1
    kinds = [column[1] for column in cursor.description] if cursor.description else []
    assert kinds == []

    cursor.execute("SELECT 1; SELECT 2, 'two'; INSERT INTO t (id) VALUES (9)")
    assert cursor.fetchall() == ((1,),) and cursor.nextset() and cursor.fetchall() == ((2, "two"),)
    assert cursor.nextset() and cursor.rowcount == 1 and not cursor.nextset()
    fails(1064, lambda: cursor.execute("SELEKT 1"))
    assert "nothing" in fails(1146, lambda: cursor.execute("SELECT * FROM nothing"))

    connection.ping(reconnect=False)
    connection.commit()
    connection.rollback()
    connection.autocommit(True)
    assert connection.get_server_info().startswith("8.0.")
    with connect(server, cursorclass=pymysql.cursors.DictCursor, database="drivers") as other, other.cursor() as named:
        named.execute("SELECT id AS n FROM t WHERE id = 1")
        assert named.fetchall() == [{"n": 1}]

    # Text that is not UTF-8 is an error, and the connection lives on.
    with connect(server, charset="latin1") as latin, latin.cursor() as strange:
        fails(1300, lambda: strange.execute("SELECT 'é'"))
        strange.execute("SELECT 'plain'")
        assert strange.fetchone() == ("plain",)

    large_results(server)
    long_packets(server)
    fails(1045, lambda: pymysql.connect(host="127.0.0.1", port=server.mysql_port, user="root", password="wrong"))
    fails(1045, lambda: pymysql.connect(host="127.0.0.1", port=server.mysql_port, user="nobody"))
    kill(server)
    cursor.execute("DROP DATABASE drivers FORCE")
    connection.close()


DIGITS = "(SELECT 0 AS d UNION ALL SELECT 1 UNION ALL SELECT 2 UNION ALL SELECT 3 UNION ALL SELECT 4" \
    " UNION ALL SELECT 5 UNION ALL SELECT 6 UNION ALL SELECT 7 UNION ALL SELECT 8 UNION ALL SELECT 9)"


def many(power: int) -> str:
    """A query of ten to the `power` rows."""
    tables = ", ".join(f"{DIGITS} t{index}" for index in range(power))
    number = " + ".join(f"t{index}.d * {10 ** index}" for index in range(power))
    return f"SELECT {number} AS n, CONCAT('row ', CAST({number} AS STRING)) AS s FROM {tables}"


def large_results(server) -> None:
    with connect(server, cursorclass=pymysql.cursors.SSCursor) as connection, connection.cursor() as cursor:
        cursor.execute(many(5))
        count = total = 0
        for number, text in cursor:
            assert text == f"row {number}"
            count, total = count + 1, total + number
        assert (count, total) == (100_000, 100_000 * 99_999 // 2)
    # A client that leaves in the middle of a result.
    connection = connect(server, cursorclass=pymysql.cursors.SSCursor)
    cursor = connection.cursor()
    cursor.execute(many(7))
    cursor.fetchone()
    connection._force_close()
    cursor.connection, cursor._result.unbuffered_active = None, False


def long_packets(server) -> None:
    with connect(server, max_allowed_packet=64 << 20) as connection, connection.cursor() as cursor:
        text = "x" * 900_000
        cursor.execute("SELECT %s", (text,))
        assert cursor.fetchone() == (text,)


def kill(server) -> None:
    victim, killer = connect(server), connect(server)
    with killer.cursor() as cursor:
        ended = []

        def long_query():
            with victim.cursor() as long:
                ended.append(fails(1317, lambda: long.execute(f"SELECT SUM(n) FROM ({many(10)}) q")))

        thread = threading.Thread(target=long_query)
        thread.start()
        deadline = time.monotonic() + 30
        running = lambda: [row for row in list_of(cursor) if row[0] == victim.thread_id() and row[4] == "Query"]
        while not running():
            assert time.monotonic() < deadline, "the query does not begin"
            time.sleep(0.05)
        cursor.execute(f"KILL QUERY {victim.thread_id()}")
        thread.join(30)
        assert ended, "the query goes on"
        with victim.cursor() as after:
            after.execute("SELECT 1")
            assert after.fetchone() == (1,)
        cursor.execute(f"KILL {victim.thread_id()}")
        time.sleep(0.2)
        try:
            victim.ping(reconnect=False)
            raise AssertionError("the connection lives on")
        except pymysql.MySQLError:
            pass
        fails(1094, lambda: cursor.execute("KILL 4000000000"))
    killer.close()


def list_of(cursor) -> list:
    cursor.execute("SHOW PROCESSLIST")
    return [(int(row[0]), *row[1:]) for row in cursor.fetchall()]
