"""A copy of an upstream Parquet file for query engines that cannot read the file itself.

Belongs here: finding text that is not UTF-8, and writing a copy in which it is escaped. Does not: where the copy is
stored (``stores.lake.raw``) and who reads it (the views over raw months). Cleaning reads upstream's own bytes.

Parquet defines text as UTF-8. If one cell of one file is not, DuckDB and BigQuery end a query over all months with an
error. Hardly any file has such a cell, so usually the texts are only checked and no copy is made.
"""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from taxi_platform.contracts.values.arrow_text import escaped_text, extent, has_dictionary, is_utf8
from taxi_platform.contracts.values.foreign_text import excerpt
from taxi_platform.contracts.values.limits import LONGEST_RECORD
from taxi_platform.errors import BrokenFileError

__all__ = ["readable_copy"]

_BATCH_ROWS = 65_536
_BUFFER_BYTES = 1 << 16


def readable_copy(file: Path, name: str, target: Path) -> Path | None:
    """Write the copy, with the same rows, columns and types; None, and no file, if none is needed.

    Args:
        file: the upstream file.
        name: the file's URL, for error sentences.
        target: where the copy is written.

    Raises:
        BrokenFileError: the texts cannot be read to their end, or one of them is too long for a record.
    """
    try:
        if _is_readable(file, name):
            return None
        _copy(file, target)
    except (pa.ArrowException, OSError) as error:
        target.unlink(missing_ok=True)
        raise BrokenFileError(
            f"{name} cannot be read to its end: {excerpt(error)}; the month before it stays in place; run the month "
            "again, or look at what upstream sends"
        ) from error
    return target


def _is_readable(file: Path, name: str) -> bool:
    with pq.ParquetFile(file) as whole:
        fields = [field for field in whole.schema_arrow if _is_declared_text(field.type)]
        coded = [field.name for field in fields if has_dictionary(whole, field.name)]
    if not fields:
        return True
    with pq.ParquetFile(file, read_dictionary=coded, pre_buffer=False, buffer_size=_BUFFER_BYTES) as texts:
        return all(
            _is_sound(column, name, field.name)
            for batch in texts.iter_batches(_BATCH_ROWS, columns=[field.name for field in fields], use_threads=False)
            for field, column in zip(batch.schema, batch.columns, strict=True)
        )


def _is_declared_text(kind: pa.DataType) -> bool:
    """Whether the file itself marks the type as text; to query engines, unmarked bytes are bytes."""
    if pa.types.is_dictionary(kind):
        return _is_declared_text(kind.value_type)
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind))


def _is_sound(column: pa.Array, name: str, upstream: str) -> bool:
    text = _plain(column)
    words = text.dictionary if pa.types.is_dictionary(text.type) else text
    look = extent(words)
    if look.longest > LONGEST_RECORD:
        raise BrokenFileError(
            f"{name} cannot be read: its column '{excerpt(upstream)}' has a text of {look.longest:,} bytes, and a "
            f"record has {LONGEST_RECORD:,} at most; the month before it stays in place"
        )
    return is_utf8(words, look)


def _plain(column: pa.Array) -> pa.Array:
    return column.cast(pa.large_string()) if pa.types.is_string_view(column.type) else column


def _copy(file: Path, target: Path) -> None:
    with pq.ParquetFile(file, pre_buffer=False, coerce_int96_timestamp_unit="us") as source:
        schema = source.schema_arrow.remove_metadata()
        with pq.ParquetWriter(target, schema, compression="zstd", compression_level=1) as writer:
            for batch in source.iter_batches(2 * _BATCH_ROWS, use_threads=False):  # each becomes a row group
                columns = [_escaped(column) for column in batch.columns]
                writer.write_batch(pa.RecordBatch.from_arrays(columns, schema=schema), row_group_size=batch.num_rows)


def _escaped(column: pa.Array) -> pa.Array:
    return escaped_text(_plain(column)).cast(column.type) if _is_declared_text(column.type) else column
