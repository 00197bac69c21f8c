"""CSV records as typed tables, one block at a time. What does not fit its types is kept as text; nothing is lost.

Belongs here: parsing one block. First the whole block is parsed with types. If that fails, or gives another number of
rows than there are records, the block is read as text and cast column by column. Records that do not fit go into the
column `UNPARSED_COLUMN`; every record keeps its place.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property, reduce

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv  # noqa: TID253 - this module is imported by functions only, when a CSV file is to be read

from taxi_platform.contracts.misfits import SPARE_FIELD, Misfits
from taxi_platform.contracts.values.arrow_times import has_zone
from taxi_platform.contracts.values.foreign_text import decoded, decoded_whole
from taxi_platform.ingest.layout import Layout, fields_of
from taxi_platform.ingest.lines import Block, records_in

__all__ = ["RecordParser", "ZonedTimes"]

_EXACT_IN_DOUBLE = 2**53
"""Whole numbers up to this size are exact as a double."""
_NO_NUMBER = r"^[ \t]*[+-]?nan(\([a-z0-9_]*\))?[ \t]*$"
"""How programs write NaN: the forms of C's ``strtod``, which Arrow follows."""
_NUMBER = re.compile(r"[ \t]*[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?[ \t]*", re.ASCII | re.IGNORECASE)
"""What counts as a number. Python's ``float`` also takes ``1_000``."""
_HEXADECIMAL = "0x"
"""Arrow also reads whole numbers such as ``0x1A``, in either case; upstream never writes numbers so."""


class ZonedTimes(Exception):  # noqa: N818 - never leaves the package: a reason to begin anew, not an error
    """Some columns have times with a zone. They must be read as text, because a raw timestamp column keeps no zone."""

    def __init__(self, columns: Sequence[str]) -> None:
        super().__init__(f"times with a zone in {', '.join(columns)}")
        self.columns = frozenset(columns)


class RecordParser:
    """Parses the blocks of one file, which all have the same layout."""

    def __init__(self, layout: Layout) -> None:
        self._layout = layout
        self._names = (*layout.names, *[SPARE_FIELD] * layout.spare)
        self._positions = [str(i) for i in range(layout.width)]
        self._types = (*layout.types, *[pa.null()] * layout.spare)
        self.misfits = Misfits()
        """Counts of what did not fit in the blocks so far."""
        self.decoded_records = 0
        """Records so far with bytes that are not UTF-8, read as Windows-1252."""

    def tables(self, blocks: Iterable[Block]) -> Iterator[pa.Table]:
        """One table per block, in the layout's schema; its rows are the block's records, in their order.

        Raises:
            ZonedTimes: a column of times has times with a zone.
        """
        for block in blocks:
            yield self.parse(block)

    def parse(self, block: Block) -> pa.Table:
        """The table of one block; a record that does not fit is in `UNPARSED_COLUMN` and null in all other columns."""
        whole = self._parse_whole(block)
        if whole is None and not block.data.isascii():
            whole = self._parse_older(block)
        return self._take_apart(records_in(block.data)) if whole is None else whole

    def _parse_older(self, block: Block) -> pa.Table | None:
        """The block in one typed pass, if some of it is Windows-1252; None as in `_parse_whole`."""
        older = [text for record in records_in(block.data) if not _is_utf8(record) and (text := decoded_whole(record))]
        self.decoded_records += len(older)
        text = decoded_whole(block.data) if older else None
        return None if text is None else self._parse_whole(Block(text.encode(), block.records))

    def _parse_whole(self, block: Block) -> pa.Table | None:
        """The block in one typed pass; None if some record might not fit."""
        quotes = block.data.count(b'"')
        if quotes % 2 or b"\0" in block.data or _has_hexadecimal(block.data):
            return None
        try:
            table = self._read(block.data, self._types, quoted=quotes > 0)
        except pa.ArrowInvalid:
            return None
        columns = [column for column in map(_finite, table.columns) if column is not None]
        if table.num_rows != block.records or len(columns) != len(self._types):
            return None
        return self._table(columns[: len(self._layout.names)], pa.nulls(table.num_rows, pa.string()))

    def _take_apart(self, records: Sequence[bytes]) -> pa.Table:
        """The block record by record. A record fits if it has the right number of fields and each fits its type."""
        shaped = {i: line for i, record in enumerate(records) if (line := self._shaped(record)) is not None}
        texts = self._read(b"\n".join(shaped.values()), [pa.string()] * self._layout.width, quoted=True)
        columns = [_fit(texts.column(i).combine_chunks(), kind) for i, kind in enumerate(self._types)]
        self._require_no_zones(texts)
        fits = [is_fit for _, is_fit in columns]
        fitting = reduce(pc.and_, fits)
        self._count(texts, fits, fitting)
        if ragged := [record for i, record in enumerate(records) if i not in shaped]:
            self.misfits.add_ragged(len(ragged), decoded(ragged[0]))
        fitting = fitting.to_pylist()
        row_of = dict(zip(shaped, range(len(shaped)), strict=True))
        rows = [row_of[i] if i in row_of and fitting[row_of[i]] else None for i in range(len(records))]
        unparsed = [decoded(record) if row is None else None for record, row in zip(records, rows, strict=True)]
        take = pa.array(rows, pa.int64())
        values = [values.take(take) for values, _ in columns[: len(self._layout.names)]]
        return self._table(values, pa.array(unparsed, pa.string()))

    def _require_no_zones(self, texts: pa.Table) -> None:
        times = [i for i, kind in enumerate(self._types) if pa.types.is_timestamp(kind)]
        if zoned := [self._names[i] for i in times if has_zone(texts.column(i).combine_chunks())]:
            raise ZonedTimes(zoned)

    def _count(self, texts: pa.Table, fits: Sequence[pa.BooleanArray], fitting: pa.BooleanArray) -> None:
        """Add the records that do not fit to the misfits, column by column."""
        if pc.all(fitting).as_py():
            return
        kept_as_text = pc.invert(fitting)
        for name, column, fit in zip(self._names, texts.columns, fits, strict=True):
            unfit = len(fit) - fit.true_count
            example = column[pc.index(fit, False).as_py()].as_py() if unfit else None
            filled = pc.sum(pc.and_(column.combine_chunks().is_valid(), kept_as_text)).as_py() or 0
            self.misfits.add(name, filled, unfit, example)

    def _shaped(self, record: bytes) -> bytes | None:
        """The record with its quoting normalised; None if it has the wrong number of fields."""
        fields = fields_of(record)
        if fields is None or len(fields) != self._layout.width:
            return None
        if b'"' not in record:
            return ",".join(fields).encode()
        return ",".join('"' + field.replace('"', '""') + '"' for field in fields).encode()

    def _read(self, data: bytes, types: Sequence[pa.DataType], *, quoted: bool) -> pa.Table:
        """Parse CSV bytes. Columns are named by position, so that no upstream name can collide with another."""
        if not data:
            return self._text_schema.empty_table()
        return pyarrow.csv.read_csv(
            pa.BufferReader(data),
            pyarrow.csv.ReadOptions(use_threads=False, column_names=self._positions, block_size=len(data) + 1),
            pyarrow.csv.ParseOptions(quote_char='"' if quoted else False),
            pyarrow.csv.ConvertOptions(
                column_types=dict(zip(self._positions, types, strict=True)), strings_can_be_null=True, null_values=[""]
            ),
        )

    @cached_property
    def _text_schema(self) -> pa.Schema:
        return pa.schema([(position, pa.string()) for position in self._positions])

    def _table(self, columns: Sequence[pa.ChunkedArray], unparsed: pa.Array) -> pa.Table:
        return pa.table([*columns, unparsed], schema=self._layout.schema)


def _is_utf8(record: bytes) -> bool:
    try:
        record.decode()
    except UnicodeDecodeError:
        return False
    return True


def _has_hexadecimal(data: bytes) -> bool:
    return any(mark.encode() in data for mark in (_HEXADECIMAL, _HEXADECIMAL.upper()))


def _finite(column: pa.ChunkedArray) -> pa.ChunkedArray | None:
    """The column with NaN replaced by null; None if a number in it is infinite."""
    if not pa.types.is_floating(column.type) or math.isfinite(pc.sum(column).as_py() or 0.0):
        return column
    if pc.any(pc.is_inf(column)).as_py():
        return None
    return pc.if_else(pc.is_nan(column), pa.scalar(None, column.type), column)


def _fit(texts: pa.Array, kind: pa.DataType) -> tuple[pa.Array, pa.Array]:
    """Texts cast to a type (null where one does not fit), and a mask of those that fit.

    A null fits every type. NaN fits too, and becomes null.
    """
    if pa.types.is_string(kind):
        return texts, pa.nulls(len(texts), pa.bool_()).fill_null(True)
    if pa.types.is_null(kind):
        return texts, texts.is_null()
    coded = texts.dictionary_encode()
    words = _cast(coded.dictionary, kind)
    fits = words.is_valid()
    if not pa.types.is_timestamp(kind):
        fits = pc.or_(fits, pc.match_substring_regex(coded.dictionary, _NO_NUMBER, ignore_case=True))
    return words.take(coded.indices), fits.take(coded.indices).fill_null(True)


def _cast(words: pa.Array, kind: pa.DataType) -> pa.Array:
    """Words cast to a type, null where one does not fit. A failing batch is halved until the misfits stand alone."""
    try:
        if pa.types.is_timestamp(kind):
            return words.cast(kind)
        trimmed = pc.utf8_trim(words, " \t")
        values = trimmed.cast(kind)
        if pa.types.is_floating(kind):
            return pc.if_else(pc.is_finite(values), values, None)
        return pc.if_else(pc.starts_with(trimmed, _HEXADECIMAL, ignore_case=True), None, values)
    except pa.ArrowInvalid:
        if len(words) == 1:
            return pa.array([_whole_number(words[0].as_py()) if pa.types.is_integer(kind) else None], kind)
        half = len(words) // 2
        return pa.concat_arrays([_cast(words[:half], kind), _cast(words[half:], kind)])


def _whole_number(word: str) -> int | None:
    """``1.0`` → 1, because some files write integers as decimals; None for any other text."""
    if not _NUMBER.fullmatch(word):
        return None
    number = float(word)
    return int(number) if number.is_integer() and abs(number) <= _EXACT_IN_DOUBLE else None
