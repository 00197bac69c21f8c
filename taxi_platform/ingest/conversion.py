"""Converts an upstream CSV file into a Parquet file that has every one of its records.

Belongs here: the stream from file to file and the Parquet settings. Does not: cutting (``lines``), parsing
(``records``), provenance (``staging``). Three stages run at once and hold a few blocks each, so that memory does not
grow with the month.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from taxi_platform.contracts.contract import Contract
from taxi_platform.contracts.matching import UNPARSED_COLUMN
from taxi_platform.contracts.misfits import MISFITS_KEY, Misfits
from taxi_platform.errors import BrokenFileError, StoreError
from taxi_platform.ingest.belonging import require_dataset
from taxi_platform.ingest.layout import Layout, read_header, spare_fields
from taxi_platform.ingest.lines import Block, counted, open_text, records_in, whole_lines
from taxi_platform.ingest.records import RecordParser, ZonedTimes
from taxi_platform.machine.pipeline import ahead
from taxi_platform.months import TripMonth

__all__ = ["Converted", "convert_csv"]

_ROW_GROUP_ROWS = 131_072
_BLOCKS_AHEAD = 2


@dataclass(frozen=True)
class Converted:
    """Counts and schema of the file that the conversion wrote."""

    rows: int
    """Records counted in the bytes of the CSV file; the Parquet file has the same number of rows."""
    unparsed_rows: int
    decoded_rows: int
    """Records with bytes that are not UTF-8, read as Windows-1252."""
    schema: pa.Schema


def convert_csv(contract: Contract, month: TripMonth, source: Path, name: str, target: Path) -> Converted:
    """Write every record of ``source`` to ``target``; after any error there is no ``target``.

    Args:
        contract: which types the columns have.
        month: the month that the file is named after.
        source: the upstream file, gzip where ``name`` ends in ``.gz``.
        name: the file's URL, for error sentences.
        target: where the Parquet file is written.

    Raises:
        BrokenFileError: the file is not CSV, is damaged or cut off, or has no records.
        ContractError: a required column is missing, or it is another dataset's file.
        StoreError: ``target`` cannot be written.
    """
    try:
        return _convert_file(contract, month, source, name, target)
    except BaseException as error:
        target.unlink(missing_ok=True)
        if isinstance(error, OSError):
            raise StoreError(f"{target} cannot be written: {error}; make room there, then run {month} again") from error
        raise


def _convert_file(
    contract: Contract, month: TripMonth, source: Path, name: str, target: Path, texts: frozenset[str] = frozenset()
) -> Converted:
    try:
        with open_text(source, name) as file:
            pieces = whole_lines(file, name)
            names, rest = read_header(next(pieces, b""), name)
            while not records_in(rest) and (piece := next(pieces, b"")):
                rest += piece
            layout = _layout(contract, month, names, rest, name, texts)
            return _convert(layout, counted(chain([rest], pieces)), name, target)
    except ZonedTimes as zoned:  # nearly always in the first block, so little work is lost
        return _convert_file(contract, month, source, name, target, texts | zoned.columns)


def _layout(
    contract: Contract, month: TripMonth, names: Sequence[str], first: bytes, name: str, texts: Collection[str]
) -> Layout:
    match = require_dataset(contract, month, names, name)
    canonical = [match.column_of(upstream) for upstream in names]
    columns = [None if column is None else contract.column(column) for column in canonical]
    return Layout.of(names, spare_fields(len(names), records_in(first)), columns, month, texts)


def _convert(layout: Layout, blocks: Iterable[Block], name: str, target: Path) -> Converted:
    counts: list[int] = []

    def noted() -> Iterable[Block]:
        for block in blocks:
            counts.append(block.records)
            yield block

    parser = RecordParser(layout)
    with ahead(noted(), _BLOCKS_AHEAD) as some, ahead(parser.tables(some), _BLOCKS_AHEAD) as tables:
        unparsed = _write(tables, layout.schema, target, parser.misfits)
    if not counts:
        raise BrokenFileError(f"{name} has a header and no records; the month before it stays in place")
    written = pq.read_metadata(target).num_rows
    if written != sum(counts):
        raise BrokenFileError(f"{name} has {sum(counts):,} records but reads as {written:,} rows; nothing was kept")
    return Converted(written, unparsed, parser.decoded_records, layout.schema)


def _write(tables: Iterable[pa.Table], schema: pa.Schema, target: Path, misfits: Misfits) -> int:
    """Write the tables as row groups of about `_ROW_GROUP_ROWS` rows; returns the number of unparsed rows.

    ``misfits`` is complete only once ``tables`` is exhausted.
    """
    unparsed, gathered, rows = 0, list[pa.Table](), 0
    timestamps = [field.name for field in schema if pa.types.is_timestamp(field.type)]
    with pq.ParquetWriter(
        target,
        schema,
        compression="zstd",
        compression_level=1,
        use_dictionary=[name for name in schema.names if name not in timestamps],
        column_encoding=dict.fromkeys(timestamps, "DELTA_BINARY_PACKED"),
    ) as writer:
        for table in tables:
            gathered.append(table)
            rows += table.num_rows
            unparsed += table.num_rows - table.column(UNPARSED_COLUMN).null_count
            if rows >= _ROW_GROUP_ROWS:  # each write closes a row group, so small tables are gathered first
                writer.write_table(pa.concat_tables(gathered), row_group_size=rows)
                gathered, rows = [], 0
        if gathered:
            writer.write_table(pa.concat_tables(gathered), row_group_size=rows)
        if unparsed:
            writer.add_key_value_metadata({MISFITS_KEY: misfits.to_json()})
    return unparsed
