"""Queries of people, in DuckDB's SQL.

Belongs here: which statements are queries, and their rows. Does not: the platform's own tables (``store``).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from taxi_platform.errors import StoreError

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

__all__ = ["result"]

_BATCH_ROWS = 65_536


def result(connection: DuckDBPyConnection, sql: str) -> Iterator[Any]:
    """Give the schema of the query's result, then its rows in batches.

    Raises:
        StoreError: the text is not one query. COPY and ATTACH, which a read-only file does not refuse, are none.
    """
    import duckdb

    statements = connection.extract_statements(sql)
    kinds = [statement.type for statement in statements]
    if kinds not in ([duckdb.StatementType.SELECT], [duckdb.StatementType.EXPLAIN]):
        found = ", ".join(kind.name for kind in kinds) or "nothing"
        raise StoreError(f"one query can be run, a SELECT, and this is {found}")
    # A relation streams in every release of DuckDB.
    reader = connection.sql(sql).arrow(_BATCH_ROWS)
    yield reader.schema
    yield from reader
