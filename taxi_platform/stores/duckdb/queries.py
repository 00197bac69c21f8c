"""Queries of people, in DuckDB's SQL.

Belongs here: which statements are queries, and their rows. Does not: the platform's own tables (``store``).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from typing import TYPE_CHECKING, Any, TypeVar

from taxi_platform.errors import StoreError

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

__all__ = ["result"]

T = TypeVar("T")

_BATCH_ROWS = 65_536


def result(connection: DuckDBPyConnection, sql: str) -> Iterator[Any]:
    """Give the schema of the query's result, then its rows in batches.

    Raises:
        KeyboardInterrupt: Ctrl-C stopped it.
        StoreError: the text is not one query. COPY and ATTACH, which a read-only file does not refuse, are none.
    """
    import duckdb

    statements = connection.extract_statements(sql)
    kinds = [statement.type for statement in statements]
    if kinds not in ([duckdb.StatementType.SELECT], [duckdb.StatementType.EXPLAIN]):
        found = ", ".join(kind.name for kind in kinds) or "nothing"
        raise StoreError(f"one query can be run, a SELECT, and this is {found}")
    with ThreadPoolExecutor(1) as thread:

        def attended(work: Callable[[], T]) -> T:
            # Ctrl-C stops what waits for a thread. DuckDB itself looks for it in a connection's first statement only.
            future = thread.submit(work)
            try:
                return future.result()
            except KeyboardInterrupt:
                while not future.done():  # one that comes before the query has begun is not heard
                    connection.interrupt()
                    wait([future], timeout=0.1)
                raise

        # A relation streams in every release of DuckDB.
        reader = attended(lambda: connection.sql(sql).arrow(_BATCH_ROWS))
        yield reader.schema
        batches = iter(reader)
        while (batch := attended(lambda: next(batches, None))) is not None:
            yield batch
