"""The tables of the schema ``taxi`` in PostgreSQL: made, described, extended, their partitions exchanged.

Belongs here: DDL from contracts. Does not: rows, sessions (``postgres_copy``, ``postgres_session``).

Trips and quarantine are partitioned by file month, one partition each, so that replacing a month is an exchange of
partitions: the new one is filled while readers see the old one.
"""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Any

from taxi_platform.contracts.model import FILE_MONTH, ColumnType, Table
from taxi_platform.contracts.schemas import postgres_columns, postgres_comments, quoted, sql_literal
from taxi_platform.errors import StoreError
from taxi_platform.stores.bookkeeping import MONTHS
from taxi_platform.stores.catalogue import CatalogueColumn, declaration, is_current, missing_columns
from taxi_platform.stores.model import SCHEMA, split_name
from taxi_platform.stores.postgres_session import lock_for_transaction, with_short_locks

if TYPE_CHECKING:
    from psycopg import Connection

__all__ = [
    "attach_partition",
    "columns_of",
    "create_partition",
    "create_table",
    "ensure_tables",
    "existing_tables",
    "index_partition",
    "partition",
    "qualified",
    "sql_type",
    "table_of",
]


def qualified(name: str) -> str:
    """``"taxi"."green_trips"``; of a name with a schema, ``"marts"."revenue"``."""
    return ".".join(map(quoted, split_name(name)))


def partition(table: Table, file_month: date) -> str:
    """``green_trips_2020_03``: the name of a month's partition."""
    return f"{table.name}_{file_month:%Y_%m}"


def existing_tables(connection: Connection) -> set[str]:
    """Names of the tables in the schema; empty where it does not exist."""
    sql = "SELECT relname FROM pg_class WHERE relnamespace = to_regnamespace(%s) AND relkind IN ('r', 'p')"
    return {name for (name,) in connection.execute(sql, [quoted(SCHEMA)])}


def table_of(connection: Connection, name: str, store: str) -> Table:
    """The declaration of a table as it stands; raises `StoreError` where there is none."""
    return declaration(name, columns_of(connection, name), sql_type, store)


def ensure_tables(connection: Connection, tables: tuple[Table, ...], wait_seconds: float) -> None:
    """Create what is missing of the schema and these tables, add what contracts have gained; comments follow them.

    Nothing is locked where everything stands. Commits, so that loading holds no lock of it.
    """
    if not all(is_current(table, columns_of(connection, table.qualified_name), sql_type) for table in tables):
        connection.commit()
        lock_for_transaction(connection, f"the schema {SCHEMA}", wait_seconds)
        for table in tables:
            _create_schema(connection, table.schema)
            _create_or_extend(connection, table, wait_seconds)
    connection.commit()


def _create_schema(connection: Connection, schema: str) -> None:
    if _value(connection, "SELECT to_regnamespace(%s) IS NULL", quoted(schema)):
        connection.execute(f"CREATE SCHEMA {quoted(schema)}")
        if schema == SCHEMA:
            description = "New York taxi trips: one table per dataset, partitioned by file month."
            connection.execute(f"COMMENT ON SCHEMA {quoted(schema)} IS {sql_literal(description)}")


def _create_or_extend(connection: Connection, table: Table, wait_seconds: float) -> None:
    name = qualified(table.qualified_name)
    if not columns_of(connection, table.qualified_name):
        create_table(connection, table)
    existing = columns_of(connection, table.qualified_name)

    def extend() -> None:
        for column in missing_columns(table, existing, sql_type):
            connection.execute(f"ALTER TABLE {name} ADD COLUMN {quoted(column.name)} {column.type.postgres}")
        _describe(connection, table)

    if not is_current(table, existing, sql_type):
        with_short_locks(connection, extend, f"the table {table.qualified_name}", wait_seconds)


def create_table(connection: Connection, table: Table) -> None:
    """Create a table with its comments; trips and quarantine are partitioned, a user's own months are indexed."""
    name = qualified(table.qualified_name)
    keys = f", PRIMARY KEY (dataset, {FILE_MONTH.name})" if table is MONTHS else ""
    months = f" PARTITION BY LIST ({FILE_MONTH.name})" if _is_partitioned(table) else ""
    connection.execute(f"CREATE TABLE {name} ({postgres_columns(table)}{keys}){months}")
    if FILE_MONTH in table.columns and table.schema != SCHEMA:
        connection.execute(f"CREATE INDEX ON {name} ({FILE_MONTH.name})")
    _describe(connection, table)


def _describe(connection: Connection, table: Table) -> None:
    for comment in postgres_comments(table, qualified(table.qualified_name)):
        connection.execute(comment)


def create_partition(connection: Connection, table: Table, file_month: date) -> str:
    """A table of its own for a month's new rows, later to be attached; returns its name.

    Its columns are those the partitioned table has now, read from the catalogue: ``LIKE`` would lock that table and
    make two loaders wait for each other. The check spares the attaching a look at every row.
    """
    name = f"{partition(table, file_month)}_new"
    columns = ", ".join(
        f"{quoted(column.name)} {column.type}{'' if column.nullable else ' NOT NULL'}"
        for column in columns_of(connection, table.name)
    )
    check = f"CONSTRAINT {_month_check(file_month)} CHECK ({FILE_MONTH.name} = DATE '{file_month}')"
    connection.execute(f"CREATE TABLE {qualified(name)} ({columns}, {check})")
    description = f"File month {file_month:%Y-%m} of {SCHEMA}.{table.name}."
    connection.execute(f"COMMENT ON TABLE {qualified(name)} IS {sql_literal(description)}")
    return name


def index_partition(connection: Connection, table: Table, file_month: date) -> None:
    """Index the new partition by the times that queries filter on.

    BRIN: a file's rows are not sorted, but a query for other days skips the whole month by reading one page. It takes
    a third of the time of a B-tree and no space; who looks for single trips adds an index of their own.
    """
    types = {column.name: column.type for column in table.columns}
    name = partition(table, file_month)
    for column in table.cluster_by:
        if types[column] is ColumnType.TIMESTAMP:
            index = quoted(f"{name}_{column}_new")
            connection.execute(f"CREATE INDEX {index} ON {qualified(f'{name}_new')} USING brin ({quoted(column)})")


def attach_partition(connection: Connection, tables: tuple[Table, ...], file_month: date, wait_seconds: float) -> None:
    """Exchange the month's partitions of all these tables for the new ones, under one set of locks.

    A month that is new needs no lock that a reader would notice; to take the old partition out, readers must be gone.
    """
    names = existing_tables(connection)
    old = [partition(table, file_month) for table in tables if partition(table, file_month) in names]

    def exchange() -> None:
        mode = "ACCESS EXCLUSIVE" if old else "SHARE UPDATE EXCLUSIVE"
        locked = ", ".join(f"ONLY {qualified(name)}" for name in (*(table.name for table in tables), *old))
        connection.execute(f"LOCK TABLE {locked} IN {mode} MODE")
        for name in old:
            connection.execute(f"DROP TABLE {qualified(name)}")
        for table in tables:
            _attach(connection, table, file_month)

    with_short_locks(connection, exchange, " and ".join(f"{SCHEMA}.{table.name}" for table in tables), wait_seconds)


def _attach(connection: Connection, table: Table, file_month: date) -> None:
    name = partition(table, file_month)
    connection.execute(f"ALTER TABLE {qualified(f'{name}_new')} RENAME TO {quoted(name)}")
    for column in table.cluster_by:
        index = qualified(f"{name}_{column}_new")
        connection.execute(f"ALTER INDEX IF EXISTS {index} RENAME TO {quoted(f'{name}_{column}')}")
    connection.execute(
        f"ALTER TABLE {qualified(table.name)} ATTACH PARTITION {qualified(name)} FOR VALUES IN ('{file_month}')"
    )
    connection.execute(f"ALTER TABLE {qualified(name)} DROP CONSTRAINT {_month_check(file_month)}")


def _month_check(file_month: date) -> str:
    """Its name is what the server says when a file brings rows of another month."""
    return quoted(f"{FILE_MONTH.name} is {file_month:%Y-%m}")


def _is_partitioned(table: Table) -> bool:
    return FILE_MONTH in table.columns and table is not MONTHS and table.schema == SCHEMA


def columns_of(connection: Connection, name: str) -> list[CatalogueColumn]:
    """In the table's order; empty where there is no such table."""
    sql = """
        SELECT attname, format_type(atttypid, atttypmod), NOT attnotnull, col_description(attrelid, attnum)
        FROM pg_attribute
        WHERE attrelid = to_regclass(%s) AND attnum > 0 AND NOT attisdropped
        ORDER BY attnum
    """
    return [CatalogueColumn(*row) for row in connection.execute(sql, [qualified(name)])]


def sql_type(column_type: ColumnType) -> str:
    """As PostgreSQL's ``format_type`` writes it."""
    return {"timestamp": "timestamp without time zone"}.get(column_type.postgres, column_type.postgres)


def _value(connection: Connection, sql: str, *parameters: object) -> Any:
    row = connection.execute(sql, parameters).fetchone()
    if row is None:
        raise StoreError(f"PostgreSQL gave no answer to {sql}")
    return row[0]
