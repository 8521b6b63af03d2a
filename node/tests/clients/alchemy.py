"""SQLAlchemy, over each driver: what it asks on connecting, its look into a database, its statements, its sessions."""

import datetime
import decimal
import warnings

import sqlalchemy
from sqlalchemy import orm


def engine(server, driver: str, database: str = ""):
    return sqlalchemy.create_engine(
        f"mysql+{driver}://root@127.0.0.1:{server.mysql_port}/{database}", pool_pre_ping=True
    )


def checks(server, driver: str) -> None:
    database = f"alchemy_{driver}"
    with engine(server, driver).begin() as connection:
        connection.execute(sqlalchemy.text(f"CREATE DATABASE {database}"))
    here = engine(server, driver, database)
    with here.begin() as connection:
        connection.execute(sqlalchemy.text(
            "CREATE TABLE t (id BIGINT NOT NULL COMMENT 'the key', b BOOLEAN, f DOUBLE, d DECIMAL(12,3), day DATE,"
            " at DATETIME, s VARCHAR(50) NOT NULL DEFAULT 'x', raw VARBINARY(20)) PRIMARY KEY (id) COMMENT 'rows'"
            " DISTRIBUTED BY HASH (id) BUCKETS 2"
        ))
        connection.execute(sqlalchemy.text(
            "CREATE TABLE u (k INT, v CHAR(3)) PARTITION BY RANGE (k) (PARTITION p VALUES LESS THAN ('10'))"
        ))
    table = reflected(here, database)
    rows(here, table)
    objects(here)
    with here.begin() as connection:
        connection.execute(sqlalchemy.text(f"DROP DATABASE {database} FORCE"))
    here.dispose()


def reflected(here, database: str) -> sqlalchemy.Table:
    """What the inspector finds, and the table made of it."""
    inspector = sqlalchemy.inspect(here)
    assert database in inspector.get_schema_names()
    assert inspector.get_table_names() == ["t", "u"] and inspector.get_view_names() == []
    assert inspector.has_table("t") and not inspector.has_table("nothing")
    with warnings.catch_warnings():
        # Clauses that only StarRocks' tables have are passed over, with a warning.
        warnings.simplefilter("ignore", sqlalchemy.exc.SAWarning)
        columns = {column["name"]: column for column in inspector.get_columns("t")}
        table = sqlalchemy.Table("t", sqlalchemy.MetaData(), autoload_with=here)
        assert [column["name"] for column in inspector.get_columns("u")] == ["k", "v"]
    kinds = {name: type(column["type"]).__name__ for name, column in columns.items()}
    assert kinds == {
        "id": "BIGINT", "b": "BOOLEAN", "f": "DOUBLE", "d": "DECIMAL", "day": "DATE", "at": "DATETIME", "s": "VARCHAR",
        "raw": "VARBINARY",
    }, kinds
    assert (columns["d"]["type"].precision, columns["d"]["type"].scale) == (12, 3)
    assert not columns["id"]["nullable"] and columns["day"]["nullable"]
    return table


def rows(here, table: sqlalchemy.Table) -> None:
    day, at = datetime.date(2026, 1, 2), datetime.datetime(2026, 1, 2, 3, 4, 5, 6)
    one = dict(id=1, b=True, f=0.1, d=decimal.Decimal("2.125"), day=day, at=at, s="it's %s :x é")
    with here.begin() as connection:
        connection.execute(table.insert(), [one, dict.fromkeys(one) | {"id": 2, "s": ""}])
        found = connection.execute(sqlalchemy.select(table).where(table.c.id.in_([1, 2])).order_by(table.c.id)).all()
        assert [row._mapping["s"] for row in found] == ["it's %s :x é", ""], found
        assert (found[0].d, found[0].day, found[0].at, float(found[0].f)) == (one["d"], day, at, 0.1), found
        sums = sqlalchemy.select(sqlalchemy.func.count(), sqlalchemy.func.sum(table.c.d)).select_from(table)
        assert connection.execute(sums).one() == (2, decimal.Decimal("2.125"))
        other = table.alias("other")
        pairs = sqlalchemy.select(table.c.id).join(other, other.c.id > 0).limit(2).offset(1)
        assert len(connection.execute(pairs).all()) == 2
        update = table.update().where(table.c.id == 1).values(s=sqlalchemy.func.concat(table.c.s, "!"))
        assert connection.execute(update).rowcount == 1
        like = sqlalchemy.select(table.c.id).where(table.c.s.like("%é!"))
        assert connection.execute(like).scalars().all() == [1]
        assert connection.execute(table.delete().where(table.c.id == 2)).rowcount == 1
    with here.connect().execution_options(stream_results=True) as connection:
        assert connection.execute(sqlalchemy.text("SELECT id FROM t WHERE id = :id"), {"id": 1}).fetchall() == [(1,)]


class Base(orm.DeclarativeBase):
    """The tables of `objects`."""


class Row(Base):
    __tablename__ = "t"
    id = sqlalchemy.Column(sqlalchemy.BigInteger, primary_key=True, autoincrement=False)
    s = sqlalchemy.Column(sqlalchemy.String(50))


def objects(here) -> None:
    with orm.Session(here) as session:
        session.add(Row(id=10, s="made"))
        session.commit()
        row = session.get(Row, 10)
        row.s = "changed"
        session.commit()
        session.refresh(row)
        assert row.s == "changed"
        session.delete(row)
        session.commit()
        assert session.query(Row).count() == 1
