"""Rows that people's own assets return (DataFrames, Arrow tables and readers), as rows of a table of their own.

Belongs here: the table's name, the rows of each month, and the metadata. Does not: how a store replaces rows
(``stores``) and how arguments are read (``reading``).

Rows are first written to a local file, and only then does a store get them. So a slow source of rows, which may be the
same store, has ended before the store is locked, and keeps nobody waiting.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

import dagster as dg

from taxi_platform.errors import SettingsError, StoreError
from taxi_platform.months import month_label, parse_month
from taxi_platform.orchestration.columns import column_schema
from taxi_platform.orchestration.metadata import ROWS, TABLE
from taxi_platform.orchestration.partitions import check_range

if TYPE_CHECKING:
    import pyarrow as pa

    from taxi_platform.contracts.model import Table
    from taxi_platform.stores.model import TableStore

__all__ = ["OWN_SCHEMA", "store_rows", "table_name"]

OWN_SCHEMA = "marts"
"""The schema of a user's own table, if the asset's key does not name one."""

_Slices = Mapping[date | None, Path]


def table_name(key: dg.AssetKey, definition_metadata: Mapping[str, Any] | None) -> str:
    """``schema.table`` of an asset: from its metadata ``dagster/table_name``, or else from the end of its key."""
    named = (definition_metadata or {}).get(TABLE)
    if named is not None:
        return str(named)
    return ".".join([OWN_SCHEMA, *key.path][-2:])


def store_rows(context: dg.OutputContext, rows: object, store: TableStore, folder: Path) -> None:
    """Replace the asset's table by these rows, or only the run's months in it, and add the metadata.

    Args:
        context: the asset's output context.
        rows: a pandas DataFrame, or anything that gives an Arrow stream (pyarrow, polars, DuckDB…).
        store: the store of the table.
        folder: for one file per month; the caller removes it.

    Raises:
        StoreError: no store can keep the rows, or they are of other months than the run's.
    """
    from taxi_platform.stores.arrow_tables import check_own_name, declared

    name = table_name(context.asset_key, context.definition_metadata)
    check_own_name(name)
    months = _months(context)
    reader = _reader(name, rows)
    table = declared(name, reader.schema, store.existing_table(name), monthly=months is not None)
    files = _sliced(reader, table, months, folder)
    counts = {month: _replace(store, table, month, file) for month, file in files.items()}
    context.add_output_metadata({TABLE: name, **column_schema(table)})
    if months is None:
        context.add_output_metadata({"dagster/row_count": counts[None]})
        return
    execution = dg.AssetExecutionContext.get()
    for key in context.asset_partition_keys:
        metadata = {ROWS: counts[parse_month(key)]}
        execution.add_asset_metadata(metadata, asset_key=context.asset_key, partition_key=key)


def _months(context: dg.OutputContext) -> list[date] | None:
    """The months that the run stores; None for an asset without partitions."""
    if not context.has_asset_partitions:
        return None
    check_range(dg.AssetExecutionContext.get().run.tags)
    try:
        return [parse_month(key) for key in context.asset_partition_keys]
    except SettingsError as error:
        raise StoreError(
            f"{context.asset_key.to_user_string()} is not partitioned by month: tables are replaced as a whole or by "
            "the month, so use monthly partitions or none"
        ) from error


def _reader(name: str, rows: Any) -> pa.RecordBatchReader:
    import pyarrow as pa

    try:
        if type(rows).__module__.partition(".")[0] == "pandas" and hasattr(rows, "reset_index"):
            named = [level for level in rows.index.names if level is not None]
            frame = rows.reset_index(level=named) if named else rows
            return pa.Table.from_pandas(frame, preserve_index=False).to_reader()
        if hasattr(rows, "__arrow_c_stream__"):
            return pa.RecordBatchReader.from_stream(rows)
    except (pa.ArrowInvalid, pa.ArrowTypeError, pa.ArrowNotImplementedError, ValueError) as error:
        raise StoreError(f"the rows for {name} cannot be taken as columns of one type each: {error}") from error
    raise StoreError(
        f"{name} cannot be made of a {type(rows).__name__}: return a pandas DataFrame, or an Arrow table or reader"
    )


def _sliced(reader: pa.RecordBatchReader, table: Table, months: Sequence[date] | None, folder: Path) -> _Slices:
    """The rows in the table's types, in one file per month of the run, or in a single file."""
    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    from taxi_platform.contracts.schemas import arrow_schema
    from taxi_platform.stores.arrow_tables import conformed

    schema = arrow_schema(table)
    slices: Sequence[date | None] = [None] if months is None else months
    files = {month: folder / f"{month}.parquet" for month in slices}
    with ExitStack() as stack:
        writers = {m: stack.enter_context(pq.ParquetWriter(f, schema, compression="zstd")) for m, f in files.items()}
        for batch in reader:
            rows = conformed(_with_month(batch, table, months), schema)
            for month, writer in writers.items():
                mine = rows if month is None else rows.filter(pc.equal(rows["file_month"], pa.scalar(month)))
                writer.write_batch(mine)
            _check_months(rows, table, months)
    return files


def _with_month(batch: pa.RecordBatch, table: Table, months: Sequence[date] | None) -> pa.RecordBatch:
    """The batch with ``file_month``; if the rows do not have it, it is the run's only month."""
    import pyarrow as pa

    if months is None or "file_month" in batch.schema.names:
        return batch
    if len(months) > 1:
        raise StoreError(
            f"the rows for {table.qualified_name} are of {len(months)} months: return a column file_month that says "
            "which, or give the asset BackfillPolicy.multi_run(1)"
        )
    return batch.append_column("file_month", pa.array([months[0]] * batch.num_rows, pa.date32()))


def _check_months(rows: pa.RecordBatch, table: Table, months: Sequence[date] | None) -> None:
    if months is None:
        return
    others = sorted(set(rows["file_month"].unique().to_pylist()) - set(months))
    if others:
        raise StoreError(
            f"the rows for {table.qualified_name} have the file_month {others[0]}, but the run stores "
            f"{', '.join(map(month_label, months))}: nothing was stored"
        )


def _replace(store: TableStore, table: Table, month: date | None, file: Path) -> int:
    import pyarrow as pa
    import pyarrow.parquet as pq

    with pq.ParquetFile(file, pre_buffer=False) as parquet:
        batches = parquet.iter_batches(use_threads=False)
        return store.replace_table(table, pa.RecordBatchReader.from_batches(parquet.schema_arrow, batches), month)
