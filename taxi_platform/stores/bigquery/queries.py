"""Queries of people, in GoogleSQL.

Belongs here: which statements are queries, what one may cost, and its rows. Does not: the platform's own queries
(``connection``).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from taxi_platform.errors import StoreError
from taxi_platform.stores.bigquery.connection import BigQueryDataset

__all__ = ["result"]


def result(dataset: BigQueryDataset, sql: str) -> Iterator[Any]:
    """Give the schema of the query's result, then its rows in batches.

    BigQuery first says, at no cost, what kind of statement it is. A table without a dataset is one of this dataset.

    Raises:
        StoreError: it is not one SELECT, or would read more than `connection.MAXIMUM_BYTES_BILLED`.
    """
    kind = dataset.statement_type(sql)
    if kind != "SELECT":
        raise StoreError(f"one query can be run, a SELECT, and this is {kind}")
    rows = dataset.query(sql)
    schema = None
    for batch in rows.to_arrow_iterable():
        if schema is None:
            schema = batch.schema
            yield schema
        yield batch
    if schema is None:
        yield rows.to_arrow().schema
