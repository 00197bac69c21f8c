"""Reads the header of a CSV month, or the footer of a Parquet month, by requests for parts of the file.

Belongs here: which parts to request, and what they contain. Does not: whether that is expected (``surprises``).
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass, field

import pyarrow as pa
import pyarrow.parquet as pq

from taxi_platform.contracts.contract import Contract
from taxi_platform.contracts.matching import match_columns
from taxi_platform.contracts.misfits import Misfits
from taxi_platform.contracts.values.foreign_text import excerpt
from taxi_platform.errors import BrokenFileError
from taxi_platform.ingest.layout import Layout, read_header, spare_fields
from taxi_platform.ingest.lines import counted, records_in
from taxi_platform.ingest.sniffing import GZIP_MAGIC, PARQUET_MAGIC, describe
from taxi_platform.months import TripMonth
from taxi_platform.sources.model import Published

__all__ = ["Header", "read"]

_CSV_BYTES = 4_096
_PARQUET_BYTES = 16_384
"""Enough for the footer of most months; the rest of a longer one takes a second request."""
_INFLATED_BYTES = 32_768
_LENGTH_BYTES = 4


@dataclass(frozen=True)
class Header:
    """What the first or last bytes of a file say about it."""

    size: int
    """Size of the file in bytes."""
    schema: pa.Schema
    """Upstream's columns with their types; all text in a CSV file."""
    rows: int | None = None
    """The number of rows; only a Parquet file says it."""
    encodings: frozenset[str] = frozenset()
    codecs: frozenset[str] = frozenset()
    data_bytes: int = 0
    """Encodings and codecs of a Parquet file's columns, from its footer."""
    misfits: Misfits = field(default_factory=Misfits)
    """Cells in a CSV file's first records that do not fit their types."""


def read(published: Published, contract: Contract, month: TripMonth) -> Header | None:
    """The header of a month; None if upstream does not have it.

    Raises:
        BrokenFileError: the file is not what its name says.
        UpstreamUnavailableError: upstream did not answer.
        PermanentError: upstream gives whole files only, or refuses.
    """
    url = published.url(month)
    return (
        _footer(published, month, url) if url.endswith(".parquet") else _first_records(published, contract, month, url)
    )


# ---- Parquet


def _footer(published: Published, month: TripMonth, url: str) -> Header | None:
    first = published.part(month, 0, len(PARQUET_MAGIC))
    if first is None:
        return None
    if first.data != PARQUET_MAGIC:
        head = published.part(month, 0, 512)
        kind = describe(head.data if head else b"")
        raise BrokenFileError(f"{url} is not a Parquet file but {kind or 'some other kind of file'}")
    try:
        footer = pq.read_metadata(pa.BufferReader(PARQUET_MAGIC + _end_of(published, month, url, first.size)))
        schema = footer.schema.to_arrow_schema()
    except (pa.ArrowException, OSError) as error:
        raise BrokenFileError(f"{url} has a damaged footer: it does not read ({excerpt(error).strip()})") from error
    chunks = [footer.row_group(g).column(c) for g in range(footer.num_row_groups) for c in range(footer.num_columns)]
    return Header(
        size=first.size,
        schema=schema,
        rows=footer.num_rows,
        encodings=frozenset(encoding for chunk in chunks for encoding in chunk.encodings),
        codecs=frozenset(chunk.compression for chunk in chunks),
        data_bytes=sum(chunk.total_compressed_size for chunk in chunks),
    )


def _end_of(published: Published, month: TripMonth, url: str, size: int) -> bytes:
    """The last part of the file: the footer, its length and the magic number."""
    tail = _part(published, month, max(size - _PARQUET_BYTES, len(PARQUET_MAGIC)), size)
    if not tail.endswith(PARQUET_MAGIC) or len(tail) < len(PARQUET_MAGIC) + _LENGTH_BYTES:
        raise BrokenFileError(f"{url} is cut off after {size:,} bytes, where its footer should be")
    marks = len(PARQUET_MAGIC) + _LENGTH_BYTES
    length = int.from_bytes(tail[-marks : -len(PARQUET_MAGIC)], "little") + marks
    if length > size - len(PARQUET_MAGIC):
        raise BrokenFileError(f"{url} has a damaged footer: it would be longer than the file")
    if length > len(tail):
        tail = _part(published, month, size - length, size - len(tail)) + tail
    return tail[-length:]


def _part(published: Published, month: TripMonth, start: int, end: int) -> bytes:
    part = published.part(month, start, end - start)
    return b"" if part is None else part.data


# ---- CSV


def _first_records(published: Published, contract: Contract, month: TripMonth, url: str) -> Header | None:
    from taxi_platform.ingest.records import RecordParser, ZonedTimes

    part = published.part(month, 0, _CSV_BYTES)
    if part is None:
        return None
    names, rest = read_header(_text(part.data, url), url)
    lines = rest[: rest.rfind(b"\n") + 1]
    match = match_columns(contract, names, month)
    columns = [None if (c := match.column_of(name)) is None else contract.column(c) for name in names]
    layout = Layout.of(names, spare_fields(len(names), records_in(lines)), columns, month)
    parser = RecordParser(layout)
    try:
        for _ in parser.tables(counted([lines])):
            pass
    except ZonedTimes as zoned:
        for name in sorted(zoned.columns):
            parser.misfits.add(name, 1, 1, "a time with a zone")
    return Header(part.size, pa.schema([(name, pa.string()) for name in names]), misfits=parser.misfits)


def _text(data: bytes, url: str) -> bytes:
    """As much text as the part of the file contains, decompressed if needed."""
    if not url.endswith(".gz"):
        return data
    if not data.startswith(GZIP_MAGIC):
        raise BrokenFileError(f"{url} is not gzip data but {describe(data) or 'some other kind of file'}")
    try:
        return zlib.decompressobj(wbits=31).decompress(data, _INFLATED_BYTES)
    except zlib.error as error:
        raise BrokenFileError(f"{url} is damaged: its gzip data does not read ({error})") from error
