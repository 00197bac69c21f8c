"""Text columns in Arrow, one batch at a time: their bytes, and the escaping of bytes that are not UTF-8.

Belongs here: what both ingest and cleaning need of a text column. Does not: the escaping rule itself
(``foreign_text``), the bounds of stores (``limits``) and what follows (``ingest.readable``, ``cleaning.storable``).
"""
# ruff: noqa: TID253 - imported only once a month is being read

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pyarrow as pa

from taxi_platform.contracts.values.foreign_text import escaped

if TYPE_CHECKING:
    import pyarrow.parquet as pq

__all__ = ["Extent", "as_bytes", "escaped_text", "extent", "has_dictionary", "is_text", "is_utf8"]

_BEYOND_ASCII = 0
"""A byte beyond ASCII is below this when it is read as a signed number."""


class Extent(NamedTuple):
    """Facts about a text column that one pass over its buffers gives."""

    lowest: int
    """The lowest byte as a signed number: below 0 if any byte is beyond ASCII; 127 if the column has no bytes."""
    shortest: int
    """Bytes of the shortest text; a null counts as empty."""
    longest: int


def is_text(kind: pa.DataType) -> bool:
    """Whether the type holds text. Plain binary counts as text, because older writers did not mark text as such."""
    if pa.types.is_dictionary(kind):
        return is_text(kind.value_type)
    types = pa.types
    return any(of(kind) for of in (types.is_string, types.is_large_string, types.is_binary, types.is_large_binary))


def extent(text: pa.Array) -> Extent:
    """The extent of a text column that is not dictionary-encoded."""
    _, starts, data = text.buffers()
    if not len(text) or starts is None:
        return Extent(127, 0, 0)
    offsets = np.frombuffer(starts, np.int64 if _is_large(text.type) else np.int32)
    offsets = offsets[text.offset : text.offset + len(text) + 1]
    lengths = np.diff(offsets)
    shortest, longest = int(lengths.min()), int(lengths.max())
    lowest = int(np.frombuffer(data, np.int8)[offsets[0] : offsets[-1]].min()) if longest else 127
    return Extent(lowest, shortest, longest)


def is_utf8(text: pa.Array, look: Extent | None = None) -> bool:
    """Whether a text column that is not dictionary-encoded is all UTF-8; ``look`` is its extent, if already known."""
    if (look or extent(text)).lowest >= _BEYOND_ASCII:
        return True
    try:
        as_bytes(text).cast(pa.large_string() if _is_large(text.type) else pa.string())
    except pa.ArrowInvalid:
        return False
    return True


def as_bytes(text: pa.Array) -> pa.Array:
    """The same buffers as a binary column, which promises nothing about their encoding."""
    return text.cast(pa.large_binary() if _is_large(text.type) else pa.binary())


def escaped_text(text: pa.Array) -> pa.StringArray:
    """The column with every byte that is not UTF-8 escaped (``foreign_text.escaped``), once per distinct value."""
    distinct = text if pa.types.is_dictionary(text.type) else text.dictionary_encode()
    words = as_bytes(distinct.dictionary).to_pylist()
    return pa.array([escaped(word) for word in words], pa.string()).take(distinct.indices)


def has_dictionary(file: pq.ParquetFile, name: str) -> bool:
    """Whether Arrow can read a Parquet column as a dictionary; it cannot if the pages are delta-encoded."""
    footer, position = file.metadata, file.schema.names.index(name)
    groups = (footer.row_group(i).column(position) for i in range(footer.num_row_groups))
    return not any(encoding.startswith("DELTA") for group in groups for encoding in group.encodings)


def _is_large(kind: pa.DataType) -> bool:
    return bool(pa.types.is_large_string(kind) or pa.types.is_large_binary(kind))
