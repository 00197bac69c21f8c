"""Checks an upstream Parquet file, which is kept as it is, by its footer.

Belongs here: that check. Does not: reading texts (``readable``) and rows (``cleaning``).
"""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from taxi_platform.contracts.contract import Contract
from taxi_platform.contracts.values.foreign_text import excerpt
from taxi_platform.errors import BrokenFileError
from taxi_platform.ingest.belonging import require_dataset
from taxi_platform.ingest.sniffing import PARQUET_MAGIC, SNIFFED_BYTES, describe
from taxi_platform.months import TripMonth

__all__ = ["inspect_parquet"]

_LARGEST_FOOTER = 8 << 20
"""Bytes. Upstream's have some ten thousand. One of 80 MB, for 20,000 row groups of one row each, takes minutes to read
and more than a gigabyte of memory."""


def inspect_parquet(contract: Contract, month: TripMonth, file: Path, name: str) -> tuple[int, pa.Schema]:
    """The number of rows and the schema in the file's footer, after checking that the file can be used.

    Args:
        contract: which columns it must have.
        month: the month that the file is named after.
        file: the file on disk.
        name: the file's URL, for error sentences.

    Raises:
        BrokenFileError: it is not a whole Parquet file, has no rows, or has columns with equal names or with more than
            one value a row.
        ContractError: a required column is missing, or it is another dataset's file.
    """
    if (footer := _footer_size(file)) > _LARGEST_FOOTER:
        raise BrokenFileError(
            f"{name} cannot be read as {month}: its footer has {footer:,} bytes, where at most {_LARGEST_FOOTER:,} are "
            "read, because it is cut into very many row groups or columns; the month before it stays in place"
        )
    try:
        metadata = pq.read_metadata(file)
        schema = metadata.schema.to_arrow_schema()
        names = schema.names
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:  # a column's name need not be text
        raise BrokenFileError(
            f"{name} is not a Parquet file that reads: {_diagnosis(file, error)}; the month before it stays in place; "
            "run the month again, or look at what upstream sends"
        ) from error
    require_dataset(contract, month, names, name)
    if nested := [field for field in schema if pa.types.is_nested(field.type)]:
        raise BrokenFileError(
            f"{name} cannot be read as {month}: its column '{excerpt(nested[0].name)}' is nested "
            f"({excerpt(nested[0].type)}), where every column has one value a row; the month before it stays in place"
        )
    if metadata.num_rows == 0:
        raise BrokenFileError(f"{name} has columns and no rows; the month before it stays in place")
    return metadata.num_rows, schema


def _footer_size(file: Path) -> int:
    """What the file says of its footer's size; 0 if it is no Parquet file, and no more than the file's own size."""
    size = file.stat().st_size
    with file.open("rb") as stream:
        stream.seek(max(size - 8, 0))
        end = stream.read()
    is_parquet = len(end) == 8 and end.endswith(PARQUET_MAGIC)
    return min(int.from_bytes(end[:4], "little"), size) if is_parquet else 0


def _diagnosis(file: Path, error: Exception) -> str:
    size = file.stat().st_size
    with file.open("rb") as stream:
        head = stream.read(SNIFFED_BYTES)
        stream.seek(max(size - len(PARQUET_MAGIC), 0))
        tail = stream.read()
    if not head.startswith(PARQUET_MAGIC):
        return f"it is {describe(head) or 'some other kind of file'}"
    if tail != PARQUET_MAGIC:
        return f"it is cut off after {size:,} bytes, where its footer should be"
    return f"its footer is damaged ({excerpt(str(error).splitlines()[0])})"
