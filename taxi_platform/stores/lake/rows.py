"""Rows of several Parquet objects as one stream, whatever generation each is of.

Belongs here: one schema for all of them, and batches in it. Does not: which objects (``lake``,
``orchestration.io_managers``).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from taxi_platform.errors import StoreError

if TYPE_CHECKING:
    import pyarrow as pa

    from taxi_platform.stores.lake.lake import Lake

__all__ = ["read_objects"]


def read_objects(lake: Lake, paths: Sequence[str], columns: Sequence[str] | None = None) -> pa.RecordBatchReader:
    """Stream those objects' rows, columns selected in the files; one file is open at a time, one row group in memory.

    The schema is that of all files together: a column that a file lacks is null there, numbers take the wider type.

    Raises:
        StoreError: a column that no file has, or one that is text in one file and a number in another.
    """
    import pyarrow as pa

    schemas = []
    for path in paths:
        with lake.open_parquet(path) as file:
            schemas.append(file.schema_arrow.remove_metadata())
    try:
        schema = pa.unify_schemas(schemas, promote_options="permissive")
    except pa.ArrowTypeError as error:
        raise StoreError(
            f"these months of {lake.url} differ in their columns' types ({error}): read fewer at once, or clean ones"
        ) from error
    if columns is not None:
        if unknown := [name for name in columns if name not in schema.names]:
            raise StoreError(f"{lake.url} has no column {', '.join(unknown)} there: it has {', '.join(schema.names)}")
        schema = pa.schema([schema.field(name) for name in columns])
    return pa.RecordBatchReader.from_batches(schema, _batches(lake, paths, schema))


def _batches(lake: Lake, paths: Sequence[str], schema: pa.Schema) -> Iterator[pa.RecordBatch]:
    import pyarrow as pa

    for path in paths:
        with lake.open_parquet(path) as file:
            present = [name for name in schema.names if name in file.schema_arrow.names]
            for batch in file.iter_batches(columns=present, use_threads=False):
                columns = [
                    batch.column(field.name).cast(field.type)
                    if field.name in present
                    else pa.nulls(batch.num_rows, field.type)
                    for field in schema
                ]
                yield pa.RecordBatch.from_arrays(columns, schema=schema)
