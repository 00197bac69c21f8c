"""Cells that every store can hold, and which are not, a column of a batch at a time.

Belongs here: looking at values by the bounds of ``contracts.limits``; the usual batch is passed by one look at its
bytes, its sum or its extremes, and only another is taken apart. Does not: types (``casting``) and what follows for the
row (``judging``).
"""
# ruff: noqa: TID253 - a worker: imported only once a month is being cleaned

from __future__ import annotations

import math
from datetime import datetime
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from taxi_platform.contracts.limits import FIRST_INSTANT, LAST_INSTANT, LONGEST_TEXT

__all__ = ["Held", "dated", "finite", "is_text", "sound_text", "without_trailing_spaces"]

_SPACE = ord(" ")


class Held(NamedTuple):
    """Values, and the rows where upstream has one that no common cell holds (null in ``values``)."""

    values: pa.Array
    unfit: pa.BooleanArray | None = None
    """None where there is no such row."""


def is_text(kind: pa.DataType) -> bool:
    """Bytes without a word about their meaning are text as well: older writers left that word out."""
    if pa.types.is_dictionary(kind):
        return is_text(kind.value_type)
    return any(
        of(kind) for of in (pa.types.is_string, pa.types.is_large_string, pa.types.is_binary, pa.types.is_large_binary)
    )


# ---- text


def sound_text(source: pa.Array) -> Held:
    """Text as strings, or as a dictionary of strings where it came as one."""
    if pa.types.is_dictionary(source.type):
        words, unfit = sound_text(source.dictionary)
        if unfit is None:
            return Held(pa.DictionaryArray.from_arrays(source.indices, words))
        return Held(words.take(source.indices), unfit.take(source.indices).fill_null(False))
    lowest, _, longest = _extent(source)
    if longest <= LONGEST_TEXT and (lowest > 0 or _is_utf8_without_nul(source)):
        return Held(source.cast(pa.string()))
    distinct = source.dictionary_encode()
    words = [_sound(word) for word in distinct.dictionary.cast(_bytes_like(source.type)).to_pylist()]
    values = pa.array(words, pa.string()).take(distinct.indices)
    return Held(values, pc.and_(source.is_valid(), values.is_null()))


def without_trailing_spaces(text: pa.StringArray) -> pa.StringArray:
    """Without the spaces at its end, by which fixed-width programs fill a field; nothing but spaces is null."""
    lowest, shortest, _ = _extent(text)
    if shortest and lowest > _SPACE:
        return text
    text = pc.utf8_rtrim(text, " ")
    return pc.if_else(pc.equal(text, ""), pa.scalar(None, pa.string()), text)


def _extent(text: pa.Array) -> tuple[int, int, int]:
    """The lowest byte, as a signed number, so that one beyond ASCII is below 0; the shortest and the longest length."""
    _, starts, data = text.buffers()
    if not len(text) or starts is None:
        return _SPACE + 1, 1, 0
    kind = np.int64 if _is_large(text.type) else np.int32
    offsets = np.frombuffer(starts, kind)[text.offset : text.offset + len(text) + 1]
    lengths = np.diff(offsets)
    shortest, longest = int(lengths.min()), int(lengths.max())
    if not longest or data is None:
        return _SPACE + 1, shortest, longest
    return int(np.frombuffer(data, np.int8)[offsets[0] : offsets[-1]].min()), shortest, longest


def _is_large(kind: pa.DataType) -> bool:
    return bool(pa.types.is_large_string(kind) or pa.types.is_large_binary(kind))


def _bytes_like(kind: pa.DataType) -> pa.DataType:
    return pa.large_binary() if _is_large(kind) else pa.binary()


def _is_utf8_without_nul(text: pa.Array) -> bool:
    try:
        strings = text.cast(_bytes_like(text.type)).cast(pa.string())
    except pa.ArrowInvalid:
        return False
    return not pc.any(pc.match_substring(strings, "\0")).as_py()


def _sound(word: bytes) -> str | None:
    if len(word) > LONGEST_TEXT or b"\0" in word:
        return None
    try:
        return word.decode()
    except UnicodeDecodeError:
        return None


# ---- numbers and times


def finite(values: pa.Array) -> Held:
    """Numbers: NaN is missing, an infinite one does not fit."""
    if not pa.types.is_floating(values.type) or math.isfinite(pc.sum(values).as_py() or 0.0):
        return Held(values)
    unfit = pc.is_inf(values).fill_null(False)
    return Held(pc.if_else(pc.is_finite(values), values, pa.scalar(None, values.type)), _rows(unfit))


def dated(values: pa.Array) -> Held:
    """Times of whole microseconds: one of a year beyond all calendars does not fit."""
    if not pa.types.is_timestamp(values.type):
        return Held(values)
    extremes = pc.min_max(values.cast(pa.int64()))
    low, high = extremes["min"].as_py(), extremes["max"].as_py()
    first, last = _microseconds(FIRST_INSTANT), _microseconds(LAST_INSTANT)
    if low is None or (low >= first and high <= last):
        return Held(values)
    counts = values.cast(pa.int64())
    unfit = pc.or_(pc.less(counts, first), pc.greater(counts, last)).fill_null(False)
    return Held(pc.if_else(unfit, pa.scalar(None, values.type), values), _rows(unfit))


def _microseconds(instant: datetime) -> int:
    value: int = pa.scalar(instant, pa.timestamp("us")).cast(pa.int64()).as_py()
    return value


def _rows(unfit: pa.BooleanArray) -> pa.BooleanArray | None:
    return unfit if pc.any(unfit).as_py() else None
