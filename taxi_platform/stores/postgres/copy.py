"""Rows between Arrow and PostgreSQL, streamed by COPY.

Belongs here: both directions, batch by batch. Does not: which table, and when (``store``).
"""
# ruff: noqa: S608 - names in SQL come from contracts, quoted; values are dates

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import date
from typing import TYPE_CHECKING

from taxi_platform.contracts.model import Column, ColumnType, Table
from taxi_platform.contracts.schemas import arrow_schema, quoted
from taxi_platform.stores.catalogue import months_sql

if TYPE_CHECKING:
    import pyarrow as pa
    from psycopg import Connection

__all__ = ["copy_in", "copy_out"]

_CHUNK_BYTES = 4 << 20
_SEPARATOR = "\x1f"
"""Separates the texts of a list. No reason contains it, because reasons are names, and a list of reasons is never
empty."""


def copy_in(
    connection: Connection, table: str, schema: pa.Schema, batches: Iterable[pa.RecordBatch], *, frozen: bool
) -> int:
    """Copy batches into a table (binary COPY); returns the number of rows that the server took.

    Args:
        connection: with a transaction begun.
        table: the quoted name.
        schema: names and types of the table's columns; batches are converted to it.
        batches: rows.
        frozen: whether the table was made in this transaction. Then its rows need no later vacuum, and a reader with a
            snapshot from before an exchange of partitions sees the new month and not an empty one.
    """
    from pgpq import ArrowToPostgresBinaryEncoder

    encoder = ArrowToPostgresBinaryEncoder(schema)
    columns = ", ".join(map(quoted, schema.names))
    options = "FORMAT binary, FREEZE" if frozen else "FORMAT binary"
    with connection.cursor() as cursor:
        with cursor.copy(f"COPY {table} ({columns}) FROM STDIN ({options})") as copy:
            copy.write(encoder.write_header())
            for batch in batches:
                copy.write(encoder.write_batch(batch.select(schema.names).cast(schema)))
            copy.write(encoder.finish())
        return cursor.rowcount


def copy_out(
    connection: Connection, table: Table, qualified_name: str, months: Sequence[date] | None
) -> Iterator[pa.RecordBatch]:
    """Stream columns of ``table``, for those file months or for all rows; memory holds one chunk of a few megabytes.

    COPY sends each row as one line of text. Quotes tell an empty text from null, and PostgreSQL writes doubles with the
    shortest digits that read back as the same number.
    """
    listed = ", ".join(map(_as_text, table.columns))
    query = f"SELECT {listed} FROM {qualified_name} {months_sql(months)}"
    schema = arrow_schema(table)
    with connection.cursor() as cursor, cursor.copy(f"COPY ({query}) TO STDOUT (FORMAT csv)") as copy:
        chunk: list[bytes | bytearray | memoryview] = []
        size = 0
        for row in copy:
            chunk.append(row)
            size += len(row)
            if size >= _CHUNK_BYTES:
                yield from _parsed(chunk, schema)
                chunk, size = [], 0
        if chunk:
            yield from _parsed(chunk, schema)


def _as_text(column: Column) -> str:
    name = quoted(column.name)
    if column.type is ColumnType.BINARY:
        return f"encode({name}, 'hex')"
    return f"array_to_string({name}, '{_SEPARATOR}')" if column.type is ColumnType.TEXT_LIST else name


def _parsed(rows: Sequence[bytes | bytearray | memoryview], schema: pa.Schema) -> Iterator[pa.RecordBatch]:
    import pyarrow as pa
    import pyarrow.compute as pc
    from pyarrow import csv

    lists = [field.name for field in schema if pa.types.is_list(field.type)]
    binaries = [field.name for field in schema if pa.types.is_binary(field.type)]
    types = {field.name: pa.string() if field.name in (*lists, *binaries) else field.type for field in schema}
    table = csv.read_csv(
        pa.BufferReader(b"".join(rows)),
        # Read as one block, so that no row is cut; a chunk ends with the row that fills it.
        csv.ReadOptions(column_names=schema.names, use_threads=False, block_size=sum(map(len, rows)) + 1),
        # If there is only one column, an empty line is a null.
        csv.ParseOptions(newlines_in_values=True, ignore_empty_lines=False),
        csv.ConvertOptions(
            column_types=types,
            null_values=[""],
            strings_can_be_null=True,
            quoted_strings_can_be_null=False,
            true_values=["t"],
            false_values=["f"],
        ),
    )
    for name in lists:
        split = pc.split_pattern(table[name], _SEPARATOR)
        table = table.set_column(table.schema.get_field_index(name), name, split)
    for name in binaries:
        cells = [None if text is None else bytes.fromhex(text) for text in table[name].to_pylist()]
        table = table.set_column(table.schema.get_field_index(name), name, pa.array(cells, pa.binary()))
    yield from table.cast(schema).to_batches()
