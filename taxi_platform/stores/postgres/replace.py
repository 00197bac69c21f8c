"""Small tables of PostgreSQL, in any schema, replaced as a whole or one month at a time, in one transaction.

Belongs here: changing only rows that differ, and never making a reader wait for a COPY. Does not: trips
(``store``), DDL (``tables``), the COPY itself (``copy``).

Rows first go into a table of their own and are compared there. Equal rows are not touched, so that foreign keys to the
table and subscribers to its changes notice nothing.
"""
# ruff: noqa: S608 - names in SQL come from declarations, quoted

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import date
from typing import TYPE_CHECKING

from taxi_platform.contracts.model import SCHEMA, Table
from taxi_platform.contracts.schemas import quoted
from taxi_platform.stores.catalogue import can_become
from taxi_platform.stores.postgres.copy import copy_in
from taxi_platform.stores.postgres.grants import keepsakes_of
from taxi_platform.stores.postgres.tables import (
    columns_of,
    create_table,
    ensure_tables,
    primary_key,
    sql_type,
    take_names_over,
)
from taxi_platform.stores.postgres.waiting import Locks, lock_for_transaction, with_felt_locks

if TYPE_CHECKING:
    import pyarrow as pa

    from taxi_platform.stores.postgres.connection import PostgresConnection

__all__ = ["fill_empty", "replace_month_of", "replace_whole"]


def replace_month_of(
    connection: PostgresConnection, table: Table, rows: pa.RecordBatchReader, file_month: date, wait_seconds: float
) -> int:
    """Replace a month's rows; returns the number of new rows. A reader that has begun keeps the old ones."""
    ensure_tables(connection, (table,), wait_seconds)
    lock_for_transaction(connection, f"{connection.named(table.qualified_name)} {file_month:%Y-%m}", wait_seconds)
    return _merge(connection, table, rows, f"old.file_month = DATE '{file_month}'")


def fill_empty(connection: PostgresConnection, table: Table, rows: pa.RecordBatchReader, wait_seconds: float) -> bool:
    """Fill the table unless it has rows, under the lock that `replace_whole` takes; returns whether it did."""
    ensure_tables(connection, (table,), wait_seconds)
    lock_for_transaction(connection, connection.named(table.qualified_name), wait_seconds)
    if connection.execute(f"SELECT FROM {connection.qualified(table.qualified_name)} LIMIT 1").fetchone() is not None:
        return False
    _merge(connection, table, rows, "TRUE")
    return True


def replace_whole(connection: PostgresConnection, table: Table, rows: pa.RecordBatchReader, wait_seconds: float) -> int:
    """Replace all rows; returns the number of new rows. A reader that has begun keeps the old ones.

    If the columns of a user's table differ, a new table takes its place and gets its grants; a view upon the old table
    prevents that and is named in the error. The platform's own tables keep columns that users have added.
    """
    fits = table.schema == SCHEMA or _can_become(connection, table)
    if fits:
        ensure_tables(connection, (table,), wait_seconds)
    lock_for_transaction(connection, connection.named(table.qualified_name), wait_seconds)
    if not fits:
        return _exchange(connection, table, rows, wait_seconds)
    return _merge(connection, table, rows, "TRUE")


def _can_become(connection: PostgresConnection, table: Table) -> bool:
    """Whether the existing table has these columns; the key columns of a user's primary key count as not null."""
    key = primary_key(connection, table.qualified_name)
    nullable = {column.name: column.nullable for column in table.columns}
    existing = [
        replace(column, nullable=nullable.get(column.name, True)) if column.name in key else column
        for column in columns_of(connection, table.qualified_name)
    ]
    return can_become(table, existing, sql_type)


def _exchange(connection: PostgresConnection, table: Table, rows: pa.RecordBatchReader, wait_seconds: float) -> int:
    """Fill a new table and give it the old one's name; only this last step has to wait for readers."""
    new, old = _beside(table), connection.qualified(table.qualified_name)
    create_table(connection, new)
    copied = copy_in(connection, connection.qualified(new.qualified_name), rows.schema, rows, frozen=True)

    def swap() -> None:
        kept = keepsakes_of(connection, old)
        if kept:
            connection.execute(f"DROP TABLE {old}")
        take_names_over(connection, connection.placed(table).schema, new.name, new.name, table.name)
        if kept:
            kept.give_to(connection, old)

    with_felt_locks(connection, swap, _locks(connection, table, wait_seconds))
    return copied


def _locks(connection: PostgresConnection, table: Table, wait_seconds: float) -> Locks:
    old = (connection.qualified(table.qualified_name),) if columns_of(connection, table.qualified_name) else ()
    return Locks(f"the table {connection.named(table.qualified_name)}", old, wait_seconds)


def _merge(connection: PostgresConnection, table: Table, rows: pa.RecordBatchReader, scope: str) -> int:
    """Make the table have exactly those rows where ``scope`` holds; returns how many rows came."""
    name, new = connection.qualified(table.qualified_name), connection.qualified(_beside(table).qualified_name)
    columns = list(dict.fromkeys([*rows.schema.names, *_left_null(connection, table)]))
    listed = _listed(columns)
    connection.execute(f"CREATE TABLE {new} AS SELECT {listed} FROM {name} WITH NO DATA")
    copied = copy_in(connection, new, rows.schema, rows, frozen=True)
    key = primary_key(connection, table.qualified_name)
    if key and set(key) <= set(columns):
        _merge_by_key(connection, name, new, columns, key, scope)
    elif not _is_same(connection, name, new, listed, scope):
        connection.execute(f"DELETE FROM {name} AS old WHERE {scope}")
        connection.execute(f"INSERT INTO {name} ({listed}) SELECT {listed} FROM {new}")
    connection.execute(f"DROP TABLE {new}")
    return copied


def _left_null(connection: PostgresConnection, table: Table) -> list[str]:
    """Columns that are null in rows that lack them. Not among them are columns that fill themselves, and in a table of
    the platform's own those that users added."""
    sql = """
        SELECT attname FROM pg_attribute WHERE attrelid = to_regclass(%s) AND attnum > 0 AND NOT attisdropped
          AND NOT atthasdef AND attidentity = ''
    """
    existing = [column for (column,) in connection.execute(sql, [connection.qualified(table.qualified_name)])]
    return [column for column in existing if table.schema != SCHEMA or column in table.column_names]


def _merge_by_key(
    connection: PostgresConnection, name: str, new: str, columns: list[str], key: tuple[str, ...], scope: str
) -> None:
    # This fails if a key comes twice.
    connection.execute(f"ALTER TABLE {new} ADD PRIMARY KEY ({_listed(key)})")
    same_key = f"ROW({_listed(key, 'new')}) = ROW({_listed(key, 'old')})"
    connection.execute(
        f"DELETE FROM {name} AS old WHERE {scope} AND NOT EXISTS (SELECT FROM {new} AS new WHERE {same_key})"
    )
    if others := [column for column in columns if column not in key]:
        connection.execute(
            f"UPDATE {name} AS old SET ({_listed(others)}) = ROW({_listed(others, 'new')}) FROM {new} AS new "
            f"WHERE {scope} AND {same_key} AND ROW({_listed(others, 'old')}) IS DISTINCT FROM "
            f"ROW({_listed(others, 'new')})"
        )
    connection.execute(
        f"INSERT INTO {name} ({_listed(columns)}) SELECT {_listed(columns)} FROM {new} AS new "
        f"WHERE NOT EXISTS (SELECT FROM {name} AS old WHERE {scope} AND {same_key})"
    )


def _is_same(connection: PostgresConnection, name: str, new: str, listed: str, scope: str) -> bool:
    sql = f"""
        SELECT (SELECT count(*) FROM {name} AS old WHERE {scope}) = (SELECT count(*) FROM {new})
           AND NOT EXISTS (SELECT {listed} FROM {name} AS old WHERE {scope} EXCEPT ALL SELECT {listed} FROM {new})
    """
    return connection.execute(sql).fetchone() == (True,)


def _listed(columns: Iterable[str], of: str = "") -> str:
    return ", ".join(f"{of}.{quoted(column)}" if of else quoted(column) for column in columns)


def _beside(table: Table) -> Table:
    """The table in which rows arrive. No user's table can have its name."""
    return replace(table, name=f"{table.name}~new", key=())
