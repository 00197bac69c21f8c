"""Which cells every store can hold, one column of a batch at a time.

Belongs here: checking values against the bounds of ``contracts.values.limits``. One look at a batch's bytes, sum or
extremes is usually enough; only a batch that fails it is checked value by value. Does not: types (``casting``) and what
follows for the row (``judging``).
"""

from __future__ import annotations

import math
from functools import cache
from typing import NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from taxi_platform.contracts.values.arrow_text import as_bytes, extent, is_utf8
from taxi_platform.contracts.values.limits import FIRST_INSTANT, LAST_INSTANT, LONGEST_TEXT

__all__ = ["Held", "dated", "finite", "sound_text", "without_trailing_spaces"]

_SPACE = ord(" ")


class Held(NamedTuple):
    """Values, and the rows whose upstream value not every store can hold (null in ``values``)."""

    values: pa.Array
    unfit: pa.BooleanArray | None = None
    """None if there is no such row."""


# ---- text


def sound_text(source: pa.Array) -> Held:
    """Text as strings, or as a dictionary of strings if it came as a dictionary."""
    if pa.types.is_dictionary(source.type):
        words, unfit = sound_text(source.dictionary)
        if unfit is None:
            return Held(pa.DictionaryArray.from_arrays(source.indices, words))
        return Held(words.take(source.indices), unfit.take(source.indices).fill_null(False))
    look = extent(source)
    if look.longest <= LONGEST_TEXT and (look.lowest > 0 or (is_utf8(source, look) and not _has_nul(source))):
        return Held(source.cast(pa.string()))
    distinct = source.dictionary_encode()
    words = [_sound(word) for word in as_bytes(distinct.dictionary).to_pylist()]
    values = pa.array(words, pa.string()).take(distinct.indices)
    return Held(values, pc.and_(source.is_valid(), values.is_null()))


def without_trailing_spaces(text: pa.StringArray) -> pa.StringArray:
    """Text without spaces at its end, with which fixed-width programs fill a field; only spaces becomes null."""
    look = extent(text)
    if look.shortest and look.lowest > _SPACE:
        return text
    text = pc.utf8_rtrim(text, " ")
    return pc.if_else(pc.equal(text, ""), pa.scalar(None, pa.string()), text)


def _has_nul(text: pa.Array) -> bool:
    return bool(pc.any(pc.match_substring(text.cast(pa.string()), "\0")).as_py())


def _sound(word: bytes) -> str | None:
    if len(word) > LONGEST_TEXT or b"\0" in word:
        return None
    try:
        return word.decode()
    except UnicodeDecodeError:
        return None


# ---- numbers and times


def finite(values: pa.Array) -> Held:
    """Numbers: NaN becomes null, and an infinite one does not fit."""
    if not pa.types.is_floating(values.type) or math.isfinite(pc.sum(values).as_py() or 0.0):
        return Held(values)
    unfit = pc.is_inf(values).fill_null(False)
    return Held(pc.if_else(pc.is_finite(values), values, pa.scalar(None, values.type)), _rows(unfit))


def dated(values: pa.Array) -> Held:
    """Times in whole microseconds; a time in a year that not every calendar has does not fit."""
    if not pa.types.is_timestamp(values.type):
        return Held(values)
    extremes = pc.min_max(values.cast(pa.int64()))
    low, high = extremes["min"].as_py(), extremes["max"].as_py()
    first, last = _instants()
    if low is None or (low >= first and high <= last):
        return Held(values)
    counts = values.cast(pa.int64())
    unfit = pc.or_(pc.less(counts, first), pc.greater(counts, last)).fill_null(False)
    return Held(pc.if_else(unfit, pa.scalar(None, values.type), values), _rows(unfit))


@cache
def _instants() -> tuple[int, int]:
    """The first and the last instant in microseconds since 1970."""
    first, last = (pa.scalar(at, pa.timestamp("us")).cast(pa.int64()) for at in (FIRST_INSTANT, LAST_INSTANT))
    return first.as_py(), last.as_py()


def _rows(unfit: pa.BooleanArray) -> pa.BooleanArray | None:
    return unfit if pc.any(unfit).as_py() else None
