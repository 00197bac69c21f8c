"""Where months are kept: the lake, the warehouse, PostgreSQL. Nothing here knows Dagster.

Belongs here: choosing a store by its URL. Does not: any store (one module each, imported when it is opened).
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

from taxi_platform.stores.model import SCHEMA, TableStore

__all__ = ["open_postgres", "open_warehouse"]


def open_warehouse(url: str, *, wait_seconds: float = 600.0) -> TableStore:
    """The warehouse: a dataset of BigQuery, or a DuckDB file.

    Args:
        url: ``bigquery://project/dataset?location=…``, or a path.
        wait_seconds: how long an operation waits for other processes, or for BigQuery where it does not answer.
    """
    if url.startswith("bigquery://"):
        from taxi_platform.stores.bigquery.store import BigQueryStore

        return BigQueryStore(url, wait_seconds=wait_seconds)
    from taxi_platform.stores.duckdb.store import DuckDBStore

    return DuckDBStore(url, wait_seconds=wait_seconds)


@contextlib.contextmanager
def open_postgres(url: str, folder: Path, *, schema: str = SCHEMA, wait_seconds: float = 600.0) -> Iterator[TableStore]:
    """PostgreSQL at an address, or an embedded server that is up for as long as the context lasts.

    Args:
        url: ``postgresql://…``; ``embedded``, or ``embedded:PORT`` to listen on 127.0.0.1 as well.
        folder: where the embedded server keeps its data.
        schema: of the platform's own tables.
        wait_seconds: how long an operation waits for locks of other sessions.
    """
    from taxi_platform.stores.postgres.store import PostgresStore

    kind, _, port = url.partition(":")
    if kind != "embedded":
        yield PostgresStore(url, schema=schema, wait_seconds=wait_seconds)
        return
    from taxi_platform.stores.postgres.embedded.sharing import EmbeddedPostgres

    with EmbeddedPostgres(folder, int(port) if port else None).running() as address:
        yield PostgresStore(address, schema=schema, wait_seconds=wait_seconds)
