"""How one CSV file lays out its records: names, types and fields per record.

Belongs here: reading the header and sampling the first records, once per file. Does not: reading values (``records``).

Upstream's CSV generations differ, and each difference is handled in one place. Names in quotes or with outer spaces:
here. Names in other letter case: the contract matches them. Rows with two empty fields more than the header: here.
Blank second lines and mixed line ends: ``lines``. Quoted values, and numbers such as ``.50``: ``records``.
"""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import islice

import pyarrow as pa

from taxi_platform.contracts.matching import UNPARSED_COLUMN
from taxi_platform.contracts.model import Column, ColumnType
from taxi_platform.contracts.values.foreign_text import decoded_whole
from taxi_platform.errors import BrokenFileError
from taxi_platform.ingest.sniffing import SNIFFED_BYTES, describe
from taxi_platform.months import TripMonth

__all__ = ["Layout", "fields_of", "read_header", "spare_fields"]

_SAMPLED_RECORDS = 1000
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"


@dataclass(frozen=True)
class Layout:
    """Names and types of the columns, left to right, and how many empty fields follow them in every record."""

    names: tuple[str, ...]
    """As upstream wrote them, but without quotes and outer spaces, which no query could easily name."""
    types: tuple[pa.DataType, ...]
    spare: int

    @property
    def width(self) -> int:
        """Fields in a record. A record with more or fewer cannot be assigned to the columns."""
        return len(self.names) + self.spare

    @cached_property
    def schema(self) -> pa.Schema:
        """The Arrow schema of the raw month: upstream's columns, then `UNPARSED_COLUMN`."""
        return pa.schema([*zip(self.names, self.types, strict=True), (UNPARSED_COLUMN, pa.string())])

    @classmethod
    def of(
        cls,
        names: Sequence[str],
        spare: int,
        columns: Sequence[Column | None],
        month: TripMonth,
        texts: Collection[str] = (),
    ) -> Layout:
        """The layout for these names, each typed by its contract column.

        Args:
            names: the columns, as upstream wrote them.
            spare: empty fields after the last column.
            columns: the contract's column for each name; None, for a name the contract does not know, makes it text.
            month: the month that the file is named after.
            texts: names that must be text, whatever the contract says.
        """
        types = tuple(
            pa.string() if column is None or name in texts else _raw_type(column, month)
            for name, column in zip(names, columns, strict=True)
        )
        return cls(tuple(names), types, spare)


def read_header(data: bytes, name: str) -> tuple[list[str], bytes]:
    """The column names in the first line that is not blank, and the bytes after that line.

    Raises:
        BrokenFileError: there is no such line, or it is no header of a CSV file.
    """
    data = data.removeprefix(_BYTE_ORDER_MARK)
    if not data.strip():
        raise BrokenFileError(f"{name} is empty: it has neither header nor records; the month before it stays in place")
    if kind := describe(data[:SNIFFED_BYTES]):
        raise BrokenFileError(f"{name} holds no CSV text but {kind}; the month before it stays in place")
    line, _, rest = data.lstrip(b"\r\n").partition(b"\n")
    fields = fields_of(line.rstrip(b"\r"))
    if fields is None:
        raise BrokenFileError(f"{name} is not a CSV file: its first line cannot be read as a header")
    return [field.strip() or f"_unnamed_{position}" for position, field in enumerate(fields, 1)], rest


def fields_of(record: bytes) -> list[str] | None:
    """The values of one record without their quotes; None if it is not text or its quotes do not pair up."""
    text = decoded_whole(record)
    if text is None or "\0" in text or text.count('"') % 2:
        return None
    try:
        if '"' in text:
            return next(csv.reader([text]))
        return None if "\r" in text else text.split(",")
    except csv.Error:
        return None


def spare_fields(columns: int, records: Sequence[bytes]) -> int:
    """How many empty fields the first records have beyond the header's columns: 2 in some generations, usually 0."""
    rows = (fields_of(record) for record in islice(records, _SAMPLED_RECORDS))
    widths = Counter(len(row) for row in rows if row and len(row) >= columns and not any(row[columns:]))
    [(width, _)] = widths.most_common(1) or [(columns, 0)]
    return width - columns


def _raw_type(column: Column, month: TripMonth) -> pa.DataType:
    """A type wide enough for whatever upstream may write; cleaning narrows it to the contract's own type."""
    if column.is_text_in(month.first_day) or column.type is ColumnType.TEXT_LIST:
        return pa.string()
    return pa.int64() if column.type.is_integer else pa.type_for_alias(column.type.arrow)
