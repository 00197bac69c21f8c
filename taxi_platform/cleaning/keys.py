"""When rows are equal: columns in a form whose bits are equal exactly if the values are, and hashes of rows.

Belongs here: equality and hashing of columns. Does not: which columns make rows equal, and what follows from it
(``repeats``).

Nulls equal one another and nothing else; so do NaNs; -0.0 equals 0.0.
"""
# ruff: noqa: TID253 - imported only once a month is being cleaned

from __future__ import annotations

import json
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

__all__ = ["Hashes", "cents", "comparable", "hash_rows"]

Hashes = npt.NDArray[np.uint64]

_MULTIPLIER = np.uint64(0x9E3779B97F4A7C15)
_HALF = np.uint64(32)
_NULL = -(2**63) + 0x6E756C6C
"""Hashed in place of a null. A value that happens to be this number only shares the hash."""


def comparable(column: pa.Array) -> pa.Array:
    """The same rows in a type whose values are equal exactly if their bits are, and by which Arrow can group."""
    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    if pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
        return column.view(
            pa.binary() if pa.types.is_string(column.type) else pa.large_binary()
        )  # may be other than UTF-8
    if pa.types.is_floating(column.type):
        return _float_bits(column)
    if pa.types.is_nested(column.type):
        return pa.array([json.dumps(value, default=str) for value in column.to_pylist()], pa.string())
    return column


def _float_bits(column: pa.Array) -> pa.Array:
    values = column.cast(pa.float64()).fill_null(0.0).to_numpy(zero_copy_only=False) + 0.0  # -0.0 + 0.0 is 0.0
    values[np.isnan(values)] = np.nan
    bits = pa.array(values.view(np.int64))
    return pc.if_else(column.is_valid(), bits, pa.scalar(None, pa.int64())) if column.null_count else bits


def hash_rows(columns: Sequence[pa.Array]) -> Hashes:
    """A 64-bit hash of each row over those columns; within one process, equal rows have equal hashes."""
    hashes: Hashes = np.full(len(columns[0]), _MULTIPLIER, np.uint64)
    for column in columns:
        hashes ^= _bits(comparable(column))
        _mix(hashes)
    return hashes


def _mix(hashes: Hashes) -> None:
    """Spread every bit over all others: multiply, then fold the upper half onto the lower, twice."""
    for _ in range(2):
        hashes *= _MULTIPLIER
        hashes ^= hashes >> _HALF


def _bits(column: pa.Array) -> Hashes:
    if pa.types.is_null(column.type):
        return np.full(len(column), np.int64(_NULL)).view(np.uint64)
    if pa.types.is_timestamp(column.type):
        column = column.view(pa.int64())
    elif pa.types.is_integer(column.type) or pa.types.is_boolean(column.type):
        column = column.cast(pa.int64(), safe=False)
    else:
        column = _text_bits(column)
    return np.ascontiguousarray(column.fill_null(_NULL).to_numpy(zero_copy_only=False)).view(np.uint64)


def _text_bits(column: pa.Array) -> pa.Array:
    """Python's own hash, once per distinct value; columns that are neither numbers nor times have few of them."""
    encoded = column.dictionary_encode()
    return pa.array(map(hash, encoded.dictionary.to_pylist()), pa.int64()).take(encoded.indices)


def cents(amounts: pa.Array) -> pa.Array:
    """Amounts in whole cents, ties rounded away from zero, as doubles; null if there is no finite amount."""
    whole = pc.round(pc.multiply(amounts, 100.0), round_mode="half_towards_infinity")
    return pc.if_else(pc.is_finite(whole), whole, pa.scalar(None, pa.float64()))
