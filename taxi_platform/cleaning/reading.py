"""A raw month's Parquet file, batch by batch, with the contract's reading of its columns.

Belongs here: streaming records, and which upstream columns make up which of the contract's. Does not: reading single
values (``casting``) and what is done with the rows.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate
from pathlib import Path
from typing import BinaryIO

import pyarrow as pa
import pyarrow.parquet as pq

from taxi_platform.cleaning.casting import Cells, read_cells
from taxi_platform.cleaning.wall_clock import WallClock, wall_clock
from taxi_platform.contracts.contract import Contract
from taxi_platform.contracts.matching import UNPARSED_COLUMN, Match, match_columns, require_columns
from taxi_platform.contracts.misfits import Misfits
from taxi_platform.contracts.model import Column, ColumnType
from taxi_platform.contracts.schemas import arrow_type
from taxi_platform.contracts.values.arrow_text import has_dictionary, is_text
from taxi_platform.contracts.values.foreign_text import excerpt
from taxi_platform.errors import BrokenFileError
from taxi_platform.references import RawMonth

__all__ = ["RawBatch", "RawFile"]

_BATCH_ROWS = 65_536
_BUFFER_BYTES = 1 << 16
"""Bytes read at a time per column, so that a column chunk is streamed and never held whole."""


@dataclass(frozen=True)
class RawBatch:
    """Consecutive records of a raw file."""

    first_row: int
    """Position of the first record in the file, counted from 0."""
    records: pa.RecordBatch

    @property
    def num_rows(self) -> int:
        """The number of records."""
        return int(self.records.num_rows)

    @property
    def unparsed(self) -> pa.Array | None:
        """The text of records that could not be parsed into columns, null for others; None if there are none."""
        if UNPARSED_COLUMN not in self.records.schema.names:
            return None
        text = self.records.column(UNPARSED_COLUMN)
        return None if text.null_count == len(text) else text


class RawFile:
    """An opened raw month; every pass over it gives the same rows in the same order.

    Raises:
        BrokenFileError: it is not a Parquet file, or some of it cannot be read.
        ContractError: it lacks a column that the contract requires in that month.
    """

    def __init__(self, contract: Contract, raw: RawMonth, source: Path | BinaryIO) -> None:
        self._contract = contract
        self._month = raw.month
        self._where = raw.path
        self._file = self._opened(source)
        names = self._file.schema_arrow.names
        self.match: Match = require_columns(contract, names, raw.month, self._where)
        self.misfits = Misfits.from_footer(self._file.metadata.metadata)
        self.upstream_columns: tuple[str, ...] = tuple(name for name in names if name != UNPARSED_COLUMN)
        self.clock: WallClock = self._decided_clock()
        """How times with a zone are read. Deciding it may take a pass over the times, and one pass goes at a time."""

    def _opened(self, source: Path | BinaryIO) -> pq.ParquetFile:
        try:
            with pq.ParquetFile(source) as whole:
                footer, coded = whole.metadata, self._coded_text(whole)
            return pq.ParquetFile(
                source,
                metadata=footer,
                read_dictionary=coded,
                pre_buffer=False,
                buffer_size=_BUFFER_BYTES,
                coerce_int96_timestamp_unit="us",  # the default, nanoseconds, overflows from the year 2263 on
            )
        except pa.ArrowInvalid as error:
            raise BrokenFileError(f"{self._where} is not a whole Parquet file: {excerpt(error)}") from error

    def _coded_text(self, file: pq.ParquetFile) -> list[str]:
        """Text columns with few distinct values, to be read as dictionaries, so that each value is looked up once."""
        schema = file.schema_arrow
        match = match_columns(self._contract, schema.names, self._month)
        coded = [column.name for column in self._contract.columns if column.codes or column.recodes]
        names = [name for column in coded for name in match.found.get(column, ())]
        return [name for name in names if is_text(schema.field(name).type) and has_dictionary(file, name)]

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    @property
    def num_rows(self) -> int:
        """The number of rows in the file."""
        return int(self._file.metadata.num_rows)

    @cached_property
    def row_groups(self) -> tuple[range, ...]:
        """The rows of each row group."""
        sizes = [self._file.metadata.row_group(i).num_rows for i in range(self._file.metadata.num_row_groups)]
        return tuple(range(end - size, end) for size, end in zip(sizes, accumulate(sizes), strict=True))

    def batches(self, columns: Sequence[str] | None = None, group: int | None = None) -> Iterator[RawBatch]:
        """Records in file order.

        Args:
            columns: upstream names; None reads all. The text of unparsed records is always included.
            group: read this row group only.
        """
        names = None if columns is None else [*columns, *self._unparsed_name()]
        for index in range(len(self.row_groups)) if group is None else (group,):
            first_row = self.row_groups[index].start
            for records in self._read(index, names):
                yield RawBatch(first_row, records)
                first_row += records.num_rows

    def cells(self, batch: RawBatch, column: Column) -> Cells:
        """One of the contract's columns, read from the batch."""
        names = self.match.found.get(column.name, ())
        if not names:
            return Cells(pa.nulls(batch.num_rows, arrow_type(column.type)))
        sources = [batch.records.column(name) for name in names]
        if column.type is ColumnType.TIMESTAMP:
            sources = [self.clock.local(source) for source in sources]
        return read_cells(column, sources)

    def _decided_clock(self) -> WallClock:
        schema = self._file.schema_arrow

        def batches(names: Sequence[str]) -> Iterator[pa.RecordBatch]:
            return (batch.records for batch in self.batches(names))

        return wall_clock(self._contract, self._month, schema, self.match, batches)

    def names_of(self, columns: Iterable[str]) -> list[str]:
        """Upstream's names for canonical columns; columns that the file does not have are left out."""
        return [name for column in columns for name in self.match.found.get(column, ())]

    def _read(self, group: int, names: list[str] | None) -> Iterator[pa.RecordBatch]:
        batches = self._file.iter_batches(_BATCH_ROWS, row_groups=[group], columns=names, use_threads=False)
        while True:
            try:
                records = next(batches, None)
            except (pa.ArrowInvalid, OSError) as error:
                raise BrokenFileError(f"{self._where} cannot be read to its end: {excerpt(error)}") from error
            if records is None:
                return
            yield _plain(records)

    def _unparsed_name(self) -> list[str]:
        return [UNPARSED_COLUMN] if UNPARSED_COLUMN in self._file.schema_arrow.names else []


def _plain(records: pa.RecordBatch) -> pa.RecordBatch:
    """The same values in types that Arrow can compute with, if the file asks for other ones."""
    columns = [_plain_column(column) for column in records.columns]
    if all(column is plain for column, plain in zip(records.columns, columns, strict=True)):
        return records
    return pa.RecordBatch.from_arrays(columns, records.schema.names)


def _plain_column(column: pa.Array) -> pa.Array:
    stored = column.storage if isinstance(column, pa.ExtensionArray) else column
    kind = _plain_type(stored.type)
    return stored if kind == stored.type else stored.cast(kind)


def _plain_type(kind: pa.DataType) -> pa.DataType:
    types = pa.types
    if types.is_string_view(kind):
        return pa.large_string()
    if types.is_binary_view(kind) or types.is_fixed_size_binary(kind):
        return pa.large_binary()
    if types.is_float16(kind):
        return pa.float32()
    if types.is_decimal32(kind) or types.is_decimal64(kind):
        return pa.decimal128(38, kind.scale)
    return kind
