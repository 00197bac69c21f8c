"""``taxi query``: SQL on a store, as a table, CSV or Parquet.

Belongs here: which store is asked, and writing files. Does not: tables on a screen (``showing``) and running SQL
(``stores``).
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import click

from taxi_platform.cli.showing import SHOWN_ROWS, show_rows
from taxi_platform.errors import SettingsError
from taxi_platform.settings import Settings

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["run_query"]


def run_query(settings: Settings, sql: str, store: str | None, form: str | None, output: Path | None) -> None:
    """Run one query and write its result.

    Args:
        settings: of the platform whose stores are asked.
        sql: one query in the store's own SQL.
        store: the layer's name; None is the first that is on.
        form: ``table``, ``csv`` or ``parquet``; None is what the file's name ends with, or a table.
        output: a new or replaced file, which is there whole or not at all; None is standard output.

    Raises:
        SettingsError: there is no such store, or the format does not go there.
        StoreError: the store refuses.
    """
    written = form or _by_name(output)
    if written == "parquet" and output is None:
        raise SettingsError("a Parquet file needs a name: --output trips.parquet")
    if written == "table" and output is not None:
        raise SettingsError(f"{output} would be text for people: name a file that ends with .csv or .parquet")
    with settings.store_at(store).opened() as opened, opened.query(sql) as rows:
        if output is None and written == "table":
            if not show_rows(rows):
                click.echo(f"the first {SHOWN_ROWS} rows: --format csv, or --output with a file, gives all", err=True)
        elif output is None:
            _write_csv(rows, sys.stdout.buffer)
        else:
            with _whole(output) as file:
                {"csv": _write_csv, "parquet": _write_parquet}[written](rows, file)


def _by_name(output: Path | None) -> str:
    if output is None:
        return "table"
    found = output.suffix.lstrip(".").lower()
    if found not in ("csv", "parquet"):
        raise SettingsError(f"what {output} should be is not clear: let it end with .csv or .parquet, or say --format")
    return found


def _write_csv(rows: pa.RecordBatchReader, file: BinaryIO) -> None:
    """RFC 4180 with a header; a null is an empty cell, a list its parts with ``; `` between them."""
    import pyarrow as pa
    from pyarrow import csv

    lists = [field.name for field in rows.schema if pa.types.is_list(field.type)]
    schema = pa.schema((f.name, pa.string() if f.name in lists else f.type) for f in rows.schema)
    with csv.CSVWriter(file, schema, write_options=csv.WriteOptions(quoting_style="needed")) as writer:
        for batch in rows:
            writer.write_batch(_with_joined(batch, lists).cast(schema))


def _with_joined(batch: pa.RecordBatch, lists: list[str]) -> pa.RecordBatch:
    import pyarrow as pa
    import pyarrow.compute as pc

    for name in lists:
        joined = pc.binary_join(batch[name].cast(pa.list_(pa.string())), "; ")
        batch = batch.set_column(batch.schema.get_field_index(name), name, joined)
    return batch


def _write_parquet(rows: pa.RecordBatchReader, file: BinaryIO) -> None:
    import pyarrow.parquet as pq

    with pq.ParquetWriter(file, rows.schema, compression="zstd") as writer:
        for batch in rows:
            writer.write_batch(batch)


@contextlib.contextmanager
def _whole(output: Path) -> Iterator[BinaryIO]:
    """A file that takes its name once it is written; before, and after an error, what had the name stays."""
    new = output.with_name(f".{output.name}.{os.getpid()}")
    try:
        try:
            with new.open("xb") as file:
                yield file
            new.replace(output)
        finally:
            new.unlink(missing_ok=True)
    except OSError as error:
        raise SettingsError(f"{output} cannot be written: {error.strerror or error}") from error
