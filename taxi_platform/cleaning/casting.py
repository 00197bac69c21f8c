"""Upstream's values in the contract's types, whatever types the file has them in.

Belongs here: one column of one batch → the canonical column, cell by cell where a whole batch does not fit. Does not:
which upstream column that is (``contracts.matching``) and what a value that does not fit means for its row
(``judging``).

A timestamp with a zone keeps the digits it was written with, as upstream means wall-clock time; digits finer than a
microsecond are cut. Empty text is null, as in a CSV file.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import reduce

import pyarrow as pa
import pyarrow.compute as pc

from taxi_platform.contracts.model import Column, ColumnType, normalised
from taxi_platform.contracts.schemas import arrow_type

__all__ = ["Cells", "read_cells"]


@dataclass(frozen=True)
class Cells:
    """One canonical column of a batch."""

    values: pa.Array
    unfit: pa.BooleanArray | None = None
    """Rows where upstream has a value that does not fit the type (null in ``values``); None where every value fits."""
    unknown: Counter[str] = field(default_factory=Counter)
    """Codes that the contract does not know → rows."""


def read_cells(column: Column, sources: Sequence[pa.Array]) -> Cells:
    """The canonical column from upstream's, most trusted first: where one is null the next one counts.

    A row is unfit if any of its sources has a value there that does not fit.
    """
    return reduce(_coalesced, (_read_one(column, source) for source in sources))


def _coalesced(first: Cells, second: Cells) -> Cells:
    unfit = [cells.unfit for cells in (first, second) if cells.unfit is not None]
    return Cells(
        pc.coalesce(first.values, second.values),
        reduce(pc.or_, unfit) if unfit else None,
        first.unknown + second.unknown,
    )


def _read_one(column: Column, source: pa.Array) -> Cells:
    if column.recodes and _is_text(source.type):
        return _read_codes(column, source)
    if column.codes and column.type is ColumnType.TEXT:
        text, unfit = (source, None) if _is_text(source.type) else _fitted(source, pa.string())
        return replace(_read_codes(column, text), unfit=unfit)
    values, unfit = _fitted(source, arrow_type(column.type))
    if column.type is ColumnType.TEXT:
        values = _blank_as_null(values)
    return Cells(values, unfit, _unknown_codes(column, values))


# ---- types


def _fitted(source: pa.Array, target: pa.DataType) -> tuple[pa.Array, pa.BooleanArray | None]:
    """Cast, and say which rows do not fit; the slow way is taken only by a batch in which some do not."""
    source = _plain(source)
    if source.type == target:
        return source, None
    if _is_text(source.type) and not _is_text(target):
        source = _blank_as_null(pc.utf8_trim_whitespace(source))
    try:
        return _cast(source, target), None
    except pa.ArrowNotImplementedError:
        return pa.nulls(len(source), target), source.is_valid()
    except pa.ArrowInvalid:
        distinct = source.dictionary_encode()
    values = _cast_what_fits(distinct.dictionary, target).take(distinct.indices)
    return values, pc.and_(source.is_valid(), values.is_null())


def _cast(source: pa.Array, target: pa.DataType) -> pa.Array:
    """Raises `pa.ArrowInvalid` where a value would change."""
    if _is_text(source.type) and pa.types.is_integer(target):
        source = source.cast(pa.float64())  # upstream also writes whole numbers as 1.0
    finer = pa.types.is_timestamp(source.type) and source.type.unit == "ns"
    return source.cast(target, safe=not finer)


def _cast_what_fits(values: pa.Array, target: pa.DataType) -> pa.Array:
    """Halve until what does not fit stands alone; that becomes null."""
    try:
        return _cast(values, target)
    except pa.ArrowInvalid:
        if len(values) == 1:
            return pa.nulls(1, target)
    middle = len(values) // 2
    return pa.concat_arrays([_cast_what_fits(half, target) for half in (values[:middle], values[middle:])])


def _plain(source: pa.Array) -> pa.Array:
    return source.dictionary_decode() if pa.types.is_dictionary(source.type) else source


def _is_text(data_type: pa.DataType) -> bool:
    if pa.types.is_dictionary(data_type):
        return _is_text(data_type.value_type)
    return bool(pa.types.is_string(data_type) or pa.types.is_large_string(data_type))


def _blank_as_null(text: pa.Array) -> pa.Array:
    blank = pc.equal(text, "")
    return pc.if_else(blank, pa.scalar(None, text.type), text) if pc.any(blank).as_py() else text


# ---- codes


@dataclass(frozen=True)
class _Decoded:
    """What one text stands for."""

    value: int | str | None
    is_unfit: bool = False
    unknown: str | None = None
    """How a code that the contract does not know is counted."""


def _read_codes(column: Column, source: pa.Array) -> Cells:
    """Coded text: every distinct text of the batch is looked up once."""
    target = arrow_type(column.type)
    encoded = source if pa.types.is_dictionary(source.type) else source.dictionary_encode()
    decoded = [_decode(column, text, target) for text in encoded.dictionary.to_pylist()]
    return Cells(
        pa.array([text.value for text in decoded], target).take(encoded.indices),
        _rows_where([text.is_unfit for text in decoded], encoded.indices),
        _counts([text.unknown for text in decoded], encoded.indices),
    )


def _decode(column: Column, text: str, target: pa.DataType) -> _Decoded:
    """A text column keeps a code that the contract does not know; a numeric one can keep it only as a number."""
    spelling = normalised(text)
    if text in column.codes:
        return _Decoded(text)
    if spelling in column.recodes:
        return _Decoded(column.recodes[spelling])
    if not spelling:
        return _Decoded(None)
    if column.type is ColumnType.TEXT:
        return _Decoded(text, unknown=text)
    if not _is_number(spelling):
        return _Decoded(None, unknown=text)
    value = _cast_what_fits(pa.array([spelling]), target)[0].as_py()
    return _Decoded(value, is_unfit=value is None, unknown=_unknown(column, value))


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _unknown_codes(column: Column, values: pa.Array) -> Counter[str]:
    """Numbers outside the contract's codes, which stay as they are."""
    if not column.codes:
        return Counter()
    encoded = values.dictionary_encode()
    return _counts([_unknown(column, code) for code in encoded.dictionary.to_pylist()], encoded.indices)


def _unknown(column: Column, code: int | None) -> str | None:
    return None if code is None or not column.codes or code in column.codes else str(code)


def _rows_where(flags: Sequence[bool], indices: pa.Array) -> pa.BooleanArray | None:
    """Rows whose distinct value is flagged; None where there are none."""
    return pa.array(flags).take(indices).fill_null(False) if any(flags) else None


def _counts(labels: Sequence[str | None], indices: pa.Array) -> Counter[str]:
    """Rows per label of their distinct value."""
    counts: Counter[str] = Counter()
    if any(label is not None for label in labels):
        for entry in pc.value_counts(indices.drop_null()).to_pylist():
            if (label := labels[entry["values"]]) is not None:
                counts[label] += entry["counts"]
    return counts
