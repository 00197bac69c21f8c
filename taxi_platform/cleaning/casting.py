"""Upstream's values converted to the contract's types, whatever types the file has.

Belongs here: one column of one batch → the canonical column; cell by cell only if the batch does not fit as a whole.
Does not: which upstream column that is (``contracts.matching``) and what a value that does not fit means for its row
(``judging``).

Times come without a zone (``wall_clock``). Digits finer than a microsecond are cut off. Empty text is null, as in a CSV
file; so is NaN. Spaces at the end of a text are dropped. A cell that not every store can hold does not fit
(``storable``).
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import reduce

import pyarrow as pa
import pyarrow.compute as pc

from taxi_platform.cleaning.storable import Held, dated, finite, sound_text, without_trailing_spaces
from taxi_platform.contracts.model import Column, ColumnType, normalised
from taxi_platform.contracts.schemas import arrow_type
from taxi_platform.contracts.values.arrow_text import is_text

__all__ = ["Cells", "read_cells"]

_INEXACT_IN_DOUBLE = 2**53
"""From this number on, one double may stand for several whole numbers."""


@dataclass(frozen=True)
class Cells:
    """One canonical column of a batch, with what did not fit or is unknown."""

    values: pa.Array
    unfit: pa.BooleanArray | None = None
    """Rows whose upstream value does not fit the type (null in ``values``); None if every value fits."""
    unknown: Counter[str] = field(default_factory=Counter)
    """Codes that the contract does not know → rows."""


def read_cells(column: Column, sources: Sequence[pa.Array]) -> Cells:
    """The canonical column made from upstream's columns, most trusted first: the first that is not null counts.

    Args:
        column: the contract's column.
        sources: upstream's columns for it, all of one length.

    A row is unfit if any source has a value there that does not fit.
    """
    return reduce(_coalesced, (_read_one(column, source) for source in sources))


def _coalesced(first: Cells, second: Cells) -> Cells:
    return Cells(
        pc.coalesce(first.values, second.values),
        _either(first.unfit, second.unfit),
        first.unknown + second.unknown,
    )


def _read_one(column: Column, source: pa.Array) -> Cells:
    is_text_column = column.type is ColumnType.TEXT
    if (column.recodes and is_text(source.type)) or (column.codes and is_text_column):
        text, unfit = sound_text(source) if is_text(source.type) else _fitted(source, pa.string())
        cells = _read_codes(column, text)
        return replace(cells, unfit=_either(unfit, cells.unfit))
    values, unfit = _fitted(source, arrow_type(column.type))
    if is_text_column:
        values = without_trailing_spaces(values)
    return Cells(values, unfit, _unknown_codes(column, values))


def _either(*masks: pa.BooleanArray | None) -> pa.BooleanArray | None:
    """Rows that any of the masks has; None if there is no mask."""
    there = [mask for mask in masks if mask is not None]
    return reduce(pc.or_, there) if there else None


# ---- types


def _fitted(source: pa.Array, target: pa.DataType) -> Held:
    """Values cast to the type, with the rows that fit neither the type nor every store."""
    text: pa.BooleanArray | None = None
    if is_text(source.type):
        source, text = _read_text(source, target)
    elif pa.types.is_dictionary(source.type):
        source = source.dictionary_decode()
    source, infinite = finite(source)
    values, misfits = _converted(source, target)
    values, undated = dated(values)
    return Held(values, _either(text, infinite, misfits, undated))


def _read_text(source: pa.Array, target: pa.DataType) -> Held:
    """The text itself if it stays text or is to be a time; otherwise the doubles that it stands for."""
    text, unsound = sound_text(source)
    if pa.types.is_dictionary(text.type):
        text = text.dictionary_decode()
    if is_text(target):
        return Held(text, unsound)
    text = _blank_as_null(pc.utf8_trim_whitespace(text))
    if pa.types.is_timestamp(target):
        return Held(text, unsound)
    numbers, misfits = _converted(text, pa.float64())  # upstream also writes whole numbers as 1.0
    if pa.types.is_int64(target):
        inexact = pc.greater_equal(pc.abs(numbers), _INEXACT_IN_DOUBLE).fill_null(False)
        numbers = pc.if_else(inexact, math.inf, numbers)
    return Held(numbers, _either(unsound, misfits))


def _converted(source: pa.Array, target: pa.DataType) -> Held:
    """Cast a column. The slow way, value by value, is taken only if some values do not fit."""
    if source.type == target:
        return Held(source)
    if not _are_of_a_kind(source.type, target):
        return Held(pa.nulls(len(source), target), source.is_valid())
    try:
        return Held(_cast(source, target))
    except pa.ArrowNotImplementedError:
        return Held(pa.nulls(len(source), target), source.is_valid())
    except pa.ArrowInvalid:
        distinct = source.dictionary_encode()
    values = _cast_what_fits(distinct.dictionary, target).take(distinct.indices)
    return Held(values, pc.and_(source.is_valid(), values.is_null()))


def _are_of_a_kind(source: pa.DataType, target: pa.DataType) -> bool:
    """Whether a cast keeps the meaning: a whole number is not a time, and a time is not a whole number."""
    if pa.types.is_temporal(source):
        return not pa.types.is_integer(target)
    return not (pa.types.is_timestamp(target) and pa.types.is_integer(source))


def _cast(source: pa.Array, target: pa.DataType) -> pa.Array:
    """Cast a column; raises `pa.ArrowInvalid` if a value would change."""
    finer = pa.types.is_timestamp(source.type) and source.type.unit == "ns"
    return source.cast(target, safe=not finer)


def _cast_what_fits(values: pa.Array, target: pa.DataType) -> pa.Array:
    """Cast values. A failing batch is halved until each misfit stands alone; it becomes null."""
    try:
        return _cast(values, target)
    except pa.ArrowInvalid:
        if len(values) == 1:
            return pa.nulls(1, target)
    middle = len(values) // 2
    return pa.concat_arrays([_cast_what_fits(half, target) for half in (values[:middle], values[middle:])])


def _blank_as_null(text: pa.Array) -> pa.Array:
    blank = pc.equal(text, "")
    return pc.if_else(blank, pa.scalar(None, text.type), text) if pc.any(blank).as_py() else text


# ---- codes


@dataclass(frozen=True)
class _Decoded:
    """What one text of a coded column means."""

    value: int | str | None
    is_unfit: bool = False
    unknown: str | None = None
    """The name under which an unknown code is counted; None for a known one."""


def _read_codes(column: Column, source: pa.Array) -> Cells:
    """Read a column of coded text; every distinct text of the batch is looked up once."""
    target = arrow_type(column.type)
    encoded = source if pa.types.is_dictionary(source.type) else source.dictionary_encode()
    decoded = [_decode(column, text, target) for text in encoded.dictionary.to_pylist()]
    return Cells(
        pa.array([text.value for text in decoded], target).take(encoded.indices),
        _rows_where([text.is_unfit for text in decoded], encoded.indices),
        _counts([text.unknown for text in decoded], encoded.indices),
    )


def _decode(column: Column, text: str, target: pa.DataType) -> _Decoded:
    """Decode one text. A text column keeps an unknown code as it is; a numeric one only if it is a number."""
    spelling = normalised(text)
    if text in column.codes:
        return _Decoded(text)
    text = text.rstrip(" ")
    if text in column.codes:
        return _Decoded(text)
    if spelling in column.recodes:
        return _Decoded(column.recodes[spelling])
    if not spelling:
        return _Decoded(None)
    if column.type is ColumnType.TEXT:
        return _Decoded(text, unknown=text)
    [value], misfits = _fitted(pa.array([spelling]), target)
    if misfits is not None and not _is_number(spelling):
        return _Decoded(None, unknown=text)
    return _Decoded(value.as_py(), is_unfit=misfits is not None, unknown=_unknown(column, value.as_py()))


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _unknown_codes(column: Column, values: pa.Array) -> Counter[str]:
    """Count numbers that are not among the contract's codes; they stay in the column."""
    if not column.codes:
        return Counter()
    encoded = values.dictionary_encode()
    return _counts([_unknown(column, code) for code in encoded.dictionary.to_pylist()], encoded.indices)


def _unknown(column: Column, code: int | None) -> str | None:
    return None if code is None or not column.codes or code in column.codes else str(code)


def _rows_where(flags: Sequence[bool], indices: pa.Array) -> pa.BooleanArray | None:
    """Rows whose distinct value is flagged; None if there are none."""
    return pa.array(flags).take(indices).fill_null(False) if any(flags) else None


def _counts(labels: Sequence[str | None], indices: pa.Array) -> Counter[str]:
    """Count rows by the label of their distinct value."""
    counts: Counter[str] = Counter()
    if any(label is not None for label in labels):
        for entry in pc.value_counts(indices.drop_null()).to_pylist():
            if (label := labels[entry["values"]]) is not None:
                counts[label] += entry["counts"]
    return counts
