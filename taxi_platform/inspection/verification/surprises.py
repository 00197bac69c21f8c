"""What a month's header has that its contract does not expect, one phrase each.

Belongs here: columns, types, encodings and the size of one month. Does not: comparing months (``report``).

Expected is whatever was once published: whole numbers as doubles, columns without any value as nulls, coded columns as
text, and the times of 2009 and 2010 as text.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date

import pyarrow as pa

from taxi_platform.contracts.contract import Contract
from taxi_platform.contracts.matching import match_columns
from taxi_platform.contracts.model import Column, ColumnType
from taxi_platform.contracts.values.foreign_text import excerpt
from taxi_platform.inspection.verification.headers import Header
from taxi_platform.months import TripMonth

__all__ = ["surprises"]

_KNOWN_ENCODINGS = frozenset({"PLAIN", "PLAIN_DICTIONARY", "RLE_DICTIONARY", "RLE", "BIT_PACKED"})
"""The encodings that upstream's writers have used; cleaning can read the others as well."""
_KNOWN_CODECS = frozenset({"SNAPPY", "GZIP", "ZSTD", "UNCOMPRESSED"})
_TIMES_AS_TEXT_UNTIL = date(2010, 12, 1)


def surprises(contract: Contract, month: TripMonth, header: Header) -> tuple[str, ...]:
    """Every surprise in the month's header; empty if all is as expected."""
    return (*_columns(contract, month, header), *_cells(header), *_format(header))


def _columns(contract: Contract, month: TripMonth, header: Header) -> Iterator[str]:
    names = header.schema.names
    match = match_columns(contract, names, month)
    for name in dict.fromkeys(names):
        if names.count(name) > 1:
            yield f"the column {excerpt(name)} more than once"
    for name in dict.fromkeys(match.unknown):
        yield f"a new column {excerpt(name)} ({excerpt(_type(header, name))})"
    for name in match.missing:
        yield f"no column for {name}"
    if header.rows is None:
        return  # CSV has no types
    for column in contract.columns:
        for name in match.found.get(column.name, ()):
            kind = header.schema.types[names.index(name)]
            if not _is_expected(column, month, kind):
                yield f"{excerpt(name)} has the type {excerpt(kind)}, for {column.type.name.lower()}"


def _cells(header: Header) -> Iterator[str]:
    """Surprises in the first records of a CSV file."""
    for name, counts in header.misfits.columns.items():
        if counts.unfit:
            yield f"{excerpt(name)} does not fit its type, as in '{counts.example}'"
    if header.misfits.ragged:
        yield f"records do not have the header's fields, as in '{header.misfits.ragged_example}'"


def _format(header: Header) -> Iterator[str]:
    for what, found, known in (
        ("encoding", header.encodings, _KNOWN_ENCODINGS),
        ("compression", header.codecs, _KNOWN_CODECS),
    ):
        for name in sorted(found - known):
            yield f"the {what} {name}"
    if header.rows == 0:
        yield "no rows"
    if header.data_bytes > header.size:
        yield f"{header.size:,} bytes, where its footer counts {header.data_bytes:,} of data: it is cut off"


def _type(header: Header, name: str) -> str:
    return "text" if header.rows is None else str(header.schema.types[header.schema.names.index(name)])


def _is_expected(column: Column, month: TripMonth, kind: pa.DataType) -> bool:
    """Whether upstream has ever published the column with this type."""
    types = pa.types
    if types.is_dictionary(kind):
        kind = kind.value_type
    is_text = types.is_string(kind) or types.is_large_string(kind)
    is_number = types.is_integer(kind) or types.is_floating(kind)
    if types.is_null(kind):
        return True
    if column.type is ColumnType.TIMESTAMP:
        as_text = is_text and month.first_day <= _TIMES_AS_TEXT_UNTIL
        return as_text or (types.is_timestamp(kind) and kind.tz is None)
    if column.type is ColumnType.TEXT:
        return is_text or (is_number and bool(column.recodes))
    return is_number or (is_text and column.is_text_in(month.first_day))
