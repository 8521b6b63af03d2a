"""MySQL Connector/Python: MySQL's own driver, in its pure form."""

import datetime
import decimal

import mysql.connector

from drivers import as_text
from stock import Answer


def connect(server, **more):
    return mysql.connector.connect(
        host="127.0.0.1", port=server.mysql_port, user="root", use_pure=True, ssl_disabled=True, **more
    )


class Connector:
    """Runs all statements over one connection."""

    name = "connector"

    def __init__(self, server):
        self.connection = connect(server, autocommit=True)

    def run(self, statement: str) -> Answer:
        with self.connection.cursor() as cursor:
            try:
                cursor.execute(statement)
                rows = cursor.fetchall() if cursor.with_rows else []
            except mysql.connector.Error as error:
                return Answer(error.errno, str(error.msg), [], [])
            return Answer(None, "", list(cursor.column_names), [[as_text(cell) for cell in row] for row in rows])

    def close(self) -> None:
        self.connection.close()


def checks(server) -> None:
    """Both methods of login, prepared statements of the server, a session begun anew, a change of user."""
    for plugin in ("mysql_native_password", "caching_sha2_password"):
        connection = connect(server, auth_plugin=plugin)
        cursor = connection.cursor()
        cursor.execute("SELECT 1 + 1, 'é'")
        assert cursor.fetchall() == [(2, "é")]
        cursor.close()
        prepared = connection.cursor(prepared=True)
        values = (7, "it's \\ ?", 2.5, None, datetime.date(2026, 2, 28), decimal.Decimal("1.50"))
        for _ in range(2):
            prepared.execute("SELECT ? + 1, ?, ? * 2, ?, ?, ?", values)
            row = prepared.fetchall()[0]
            assert row[0] == 8 and as_text(row[1]) == "it's \\ ?" and row[2] == 5.0 and row[3] is None, row
            assert as_text(row[4]) == "2026-02-28" and as_text(row[5]) == "1.50", row
        prepared.close()
        connection.reset_session()
        try:
            connection.cmd_change_user(username="nobody", password="zzz")
            raise AssertionError("an unknown user was let in")
        except mysql.connector.Error as error:
            assert error.errno == 1045, error
        connection.close()
