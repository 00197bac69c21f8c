"""Small tables of PostgreSQL, in any schema, replaced as a whole or by the month, each in one transaction.

Belongs here: the order of statements that never makes a reader wait for a COPY. Does not: trips (``postgres``), DDL
(``postgres_tables``), the COPY itself (``postgres_copy``).
"""
# ruff: noqa: S608 - names in SQL come from declarations, quoted; values are bound

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import TYPE_CHECKING

from taxi_platform.contracts.model import Table
from taxi_platform.contracts.schemas import quoted
from taxi_platform.stores.catalogue import can_become
from taxi_platform.stores.postgres_copy import copy_in
from taxi_platform.stores.postgres_session import lock_for_transaction, with_short_locks
from taxi_platform.stores.postgres_tables import columns_of, create_table, ensure_tables, qualified, sql_type

if TYPE_CHECKING:
    import pyarrow as pa
    from psycopg import Connection

__all__ = ["replace_month_of", "replace_whole"]


def replace_month_of(
    connection: Connection, table: Table, rows: pa.RecordBatchReader, file_month: date, wait_seconds: float
) -> int:
    """Exchange a month's rows for those; who reads goes on with the rows of before."""
    ensure_tables(connection, (table,), wait_seconds)
    lock_for_transaction(connection, f"{table.qualified_name} {file_month:%Y-%m}", wait_seconds)
    connection.execute(f"DELETE FROM {qualified(table.qualified_name)} WHERE file_month = %s", [file_month])
    return _copy(connection, table, rows, frozen=False)


def replace_whole(connection: Connection, table: Table, rows: pa.RecordBatchReader, wait_seconds: float) -> int:
    """Exchange all rows for those; who reads goes on with the rows of before.

    Other columns than the table has need another table in its place: grants and views upon the old one end that, views
    by a refusal that names them.
    """
    fits = can_become(table, columns_of(connection, table.qualified_name), sql_type)
    if fits:
        ensure_tables(connection, (table,), wait_seconds)
    lock_for_transaction(connection, table.qualified_name, wait_seconds)
    if not fits:
        return _exchange(connection, table, rows, wait_seconds)
    # DELETE rather than TRUNCATE, which would make readers wait.
    connection.execute(f"DELETE FROM {qualified(table.qualified_name)}")
    return _copy(connection, table, rows, frozen=False)


def _exchange(connection: Connection, table: Table, rows: pa.RecordBatchReader, wait_seconds: float) -> int:
    """Fill a new table beside the old one, then take its place: only that last step needs the readers gone."""
    new = replace(table, name=f"{table.name}_new")
    create_table(connection, new)
    copied = _copy(connection, new, rows, frozen=True)

    def swap() -> None:
        connection.execute(f"DROP TABLE {qualified(table.qualified_name)}")
        connection.execute(f"ALTER TABLE {qualified(new.qualified_name)} RENAME TO {quoted(table.name)}")

    with_short_locks(connection, swap, f"the table {table.qualified_name}", wait_seconds)
    return copied


def _copy(connection: Connection, table: Table, rows: pa.RecordBatchReader, *, frozen: bool) -> int:
    return copy_in(connection, qualified(table.qualified_name), rows.schema, rows, frozen=frozen)
