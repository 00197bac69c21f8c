"""Reads tables of BigQuery into pandas, by dagster-gcp-pandas.

Belongs here: reading with its type handler. Does not: writing, which works as for every other table (``frames``). The
handler's own writing is not used. It deletes a partition in one job and appends in another, so that a failure in
between loses the rows; it also selects by a column of the data and changes the case of names.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import TYPE_CHECKING

import dagster as dg

from taxi_platform.errors import StoreError
from taxi_platform.stores.catalogue import selected

if TYPE_CHECKING:
    import pandas as pd

    from taxi_platform.stores.bigquery.store import BigQueryStore

__all__ = ["read_frame"]


def read_frame(
    context: dg.InputContext,
    store: BigQueryStore,
    name: str,
    months: Sequence[date] | None,
    columns: Sequence[str] | None,
) -> pd.DataFrame:
    """Rows of those file months of a table, with the names and types that every other store gives.

    The handler changes names to lower case and has pandas types of its own. Partitions are selected by ``file_month``.

    Raises:
        StoreError: there is no such table or column.
    """
    import pyarrow as pa
    from dagster._core.storage.db_io_manager import TablePartitionDimension, TableSlice
    from dagster_gcp_pandas import BigQueryPandasTypeHandler

    from taxi_platform.contracts.schemas import arrow_schema

    existing = store.existing_table(name)
    if existing is None:
        raise StoreError(f"{store} has no table {name}: materialize it first")
    table = selected(existing, columns)
    project, dataset, table_name = store.dataset.table_id(name).rsplit(".", 2)
    dimensions = None if months is None else [TablePartitionDimension("file_month", [f"{m}" for m in months])]
    rows = TableSlice(
        table_name,
        dataset,
        project,
        columns=[f"`{column}`" for column in table.column_names],
        partition_dimensions=dimensions,
    )
    with store.dataset.clear_errors(f"read {name}"):
        frame = BigQueryPandasTypeHandler().load_input(context, rows, store.dataset.client)
    frame.columns = list(table.column_names)
    named = pa.Table.from_pandas(frame, arrow_schema(table), preserve_index=False)
    return named.replace_schema_metadata(None).to_pandas()  # type: ignore[no-any-return]
