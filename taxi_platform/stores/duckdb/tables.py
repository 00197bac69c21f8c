"""Tables of a DuckDB file: created, described, extended, and replaced as a whole or one month at a time.

Belongs here: DDL from declarations, and tables of any schema. Does not: trips (``store``), the file (``connection``).
"""
# ruff: noqa: S608 - names in SQL come from declarations, quoted; values are bound

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from datetime import date
from typing import TYPE_CHECKING, Any

from taxi_platform.contracts.model import ColumnType, Table
from taxi_platform.contracts.schemas import duckdb_columns, postgres_comments, quoted, view_comments
from taxi_platform.stores.catalogue import CatalogueColumn, can_become, is_current, missing_columns
from taxi_platform.stores.model import SCHEMA, split_name

if TYPE_CHECKING:
    import pyarrow as pa
    from duckdb import DuckDBPyConnection

__all__ = [
    "columns_of",
    "described_tables",
    "ensure",
    "existing_tables",
    "has_table",
    "qualified",
    "replace_month_of",
    "replace_view",
    "replace_whole",
    "rows_of",
    "sql_type",
    "transaction",
]


def qualified(table: Table) -> str:
    """The quoted name: ``"taxi"."green_trips"``."""
    return f"{quoted(table.schema)}.{quoted(table.name)}"


def sql_type(column_type: ColumnType) -> str:
    """The type's name in DuckDB's catalogue."""
    return column_type.duckdb


def rows_of(connection: DuckDBPyConnection, sql: str, parameters: Sequence[object] = ()) -> list[tuple[Any, ...]]:
    """All rows of a query. They are read at once, because a half-read result blocks the connection."""
    return connection.execute(sql, list(parameters)).fetchall()


@contextlib.contextmanager
def transaction(connection: DuckDBPyConnection) -> Iterator[None]:
    """A transaction: committed at the end, rolled back on any error."""
    import duckdb

    connection.begin()
    try:
        yield
        connection.commit()
    except BaseException:
        # After a fatal error, such as a full disk, there is no transaction left to roll back.
        with contextlib.suppress(duckdb.Error):
            connection.rollback()
        raise


def existing_tables(connection: DuckDBPyConnection) -> set[str]:
    """The names of the tables in the platform's schema."""
    sql = "SELECT table_name FROM duckdb_tables() WHERE schema_name = ?"
    return {name for (name,) in rows_of(connection, sql, [SCHEMA])}


def described_tables(connection: DuckDBPyConnection) -> dict[str, str]:
    """The names of the tables and views in every schema → their comments, in order."""
    sql = """
        SELECT schema_name, table_name, comment FROM duckdb_tables() WHERE NOT internal
        UNION ALL
        SELECT schema_name, view_name, comment FROM duckdb_views() WHERE NOT internal
        ORDER BY ALL
    """
    return {f"{schema}.{name}": comment or "" for schema, name, comment in rows_of(connection, sql)}


def columns_of(connection: DuckDBPyConnection, name: str) -> list[CatalogueColumn]:
    """The table's columns, in its order; empty if there is no such table."""
    return _described(connection, [name])[name]


def has_table(connection: DuckDBPyConnection, table: Table) -> bool:
    """Whether there is such a table; found without DuckDB's list of columns, which takes twenty times as long."""
    import duckdb

    try:
        return bool(rows_of(connection, "SELECT 1 FROM pragma_table_info(?) LIMIT 1", [qualified(table)]))
    except duckdb.CatalogException:
        return False


def ensure(connection: DuckDBPyConnection, *tables: Table) -> None:
    """Create the tables, or add the columns that they lack; comments follow the declarations."""
    there = _described(connection, [table.qualified_name for table in tables])
    for table in tables:
        existing = there[table.qualified_name]
        if is_current(table, existing, sql_type):
            continue
        with transaction(connection):
            if existing:
                for column in missing_columns(table, existing, sql_type):
                    sql = f"ALTER TABLE {qualified(table)} ADD COLUMN {quoted(column.name)} {column.type.duckdb}"
                    connection.execute(sql)
                _describe(connection, table)
            else:
                _create(connection, table)


def _described(connection: DuckDBPyConnection, names: Sequence[str]) -> dict[str, list[CatalogueColumn]]:
    """Name as given → the columns of that table. One query for all: DuckDB makes its whole list for each."""
    sql = """
        SELECT schema_name, table_name, column_name, data_type, is_nullable, comment FROM duckdb_columns()
        ORDER BY column_index
    """
    found: dict[tuple[str, str], list[CatalogueColumn]] = {split_name(name): [] for name in names}
    for schema, table, *column in rows_of(connection, sql):
        if (schema, table) in found:
            found[schema, table].append(CatalogueColumn(*column))
    return {name: found[split_name(name)] for name in names}


def replace_month_of(connection: DuckDBPyConnection, table: Table, rows: pa.RecordBatchReader, file_month: date) -> int:
    """Replace a month's rows in one transaction; returns the number of new rows."""
    ensure(connection, table)
    with transaction(connection):
        rows_of(connection, f"DELETE FROM {qualified(table)} WHERE file_month = ?", [file_month])
        return _insert(connection, table, rows)


def fill_empty(connection: DuckDBPyConnection, table: Table, rows: pa.RecordBatchReader) -> bool:
    """Fill the table unless it has rows; the caller holds the file alone. Returns whether it did."""
    ensure(connection, table)
    with transaction(connection):
        if rows_of(connection, f"SELECT 1 FROM {qualified(table)} LIMIT 1"):
            return False
        _insert(connection, table, rows)
        return True


def replace_whole(connection: DuckDBPyConnection, table: Table, rows: pa.RecordBatchReader) -> int:
    """Replace all rows, and the columns by the declaration's, in one transaction; returns the number of new rows."""
    fits = can_become(table, columns_of(connection, table.qualified_name), sql_type)
    if fits:
        ensure(connection, table)
    with transaction(connection):
        if fits:
            rows_of(connection, f"DELETE FROM {qualified(table)}")
        else:
            connection.execute(f"DROP TABLE {qualified(table)}")
            _create(connection, table)
        return _insert(connection, table, rows)


def replace_view(connection: DuckDBPyConnection, view: Table, sql: str) -> None:
    """Create or replace a view with that SELECT, and describe it and its columns."""
    connection.execute(f"CREATE OR REPLACE VIEW {qualified(view)} AS {sql}")
    for comment in view_comments(view, qualified(view)):
        connection.execute(comment)


def _create(connection: DuckDBPyConnection, table: Table) -> None:
    connection.execute(f"CREATE SCHEMA IF NOT EXISTS {quoted(table.schema)}")
    connection.execute(f"CREATE TABLE {qualified(table)} ({duckdb_columns(table)})")
    _describe(connection, table)


def _describe(connection: DuckDBPyConnection, table: Table) -> None:
    for comment in postgres_comments(table, qualified(table)):
        connection.execute(comment)


def _insert(connection: DuckDBPyConnection, table: Table, rows: pa.RecordBatchReader) -> int:
    connection.register("incoming", rows)
    count = int(rows_of(connection, f"INSERT INTO {qualified(table)} BY NAME SELECT * FROM incoming")[0][0])
    # Not after an error: the transaction is aborted, and unregistering would raise an error that hides the first.
    connection.unregister("incoming")
    return count
