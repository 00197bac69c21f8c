"""Rejected rows as they came, as JSON text.

Belongs here: upstream's columns of a batch → one JSON object per row. Does not: which rows are rejected, and why.

An object has every upstream column under upstream's name. Numbers are numbers, timestamps ISO 8601 text, nulls null.
NaN and infinities are text, because JSON has no numbers for them. Bytes that are not UTF-8, and NUL, follow the
escaping rule of ``contracts.values.foreign_text``. A record that could not be parsed is an object with only its text,
to which ingest applied the same rule. The JSON is built column by column, because a month may be rejected as a whole.
"""
# ruff: noqa: TID253 - imported only once a month is being cleaned

from __future__ import annotations

import json

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from taxi_platform.cleaning.reading import RawBatch
from taxi_platform.contracts.matching import UNPARSED_COLUMN
from taxi_platform.contracts.values.arrow_text import escaped_text, is_text

__all__ = ["json_objects", "json_values"]


def json_objects(batch: RawBatch) -> pa.Array:
    """One JSON object per record of the batch, as text."""
    names = [name for name in batch.records.schema.names if name != UNPARSED_COLUMN]
    parts: list[str | pa.Array] = []
    for name in names:
        parts += [(", " if parts else "{") + json.dumps(name) + ": ", json_values(batch.records.column(name))]
    objects = _joined(*parts, "}")
    if batch.unparsed is None:
        return objects
    texts = _joined("{" + json.dumps(UNPARSED_COLUMN) + ": ", _dumped(batch.unparsed), "}")
    return pc.if_else(batch.unparsed.is_valid(), texts, objects)


def json_values(column: pa.Array) -> pa.Array:
    """Each value of a column as JSON text."""
    kind = column.type
    if pa.types.is_null(kind):
        return pa.array(["null"] * len(column))
    if pa.types.is_integer(kind) or pa.types.is_boolean(kind) or pa.types.is_decimal(kind):
        text = column.cast(pa.string())
    elif pa.types.is_floating(kind):
        written = column.cast(pa.string())
        text = pc.if_else(pc.is_finite(column), written, _joined('"', written, '"'))
    elif pa.types.is_timestamp(kind):
        text = _joined('"', _iso(column), '"')
    elif pa.types.is_nested(kind):
        text = _dumped(column)
    else:
        text = _quoted(column)
    return text.fill_null("null")


def _iso(column: pa.Array) -> pa.Array:
    """Times as `datetime.isoformat` writes them, without a fraction that is all 0."""
    text = _written(column)
    if pc.any(pc.starts_with(text, "<")).as_py():  # Arrow cannot write years beyond 32767
        far = np.datetime_as_string(column.cast(pa.timestamp(column.type.unit)).to_numpy(zero_copy_only=False))
        text = pc.if_else(pc.starts_with(text, "<"), pa.array(far, pa.string()), text)
    written = pc.replace_substring(text, " ", "T", max_replacements=1)
    return pc.replace_substring_regex(written, r"\.0+(Z?|[+-]\d{4})$", r"\1")


def _written(times: pa.Array) -> pa.Array:
    try:
        return times.cast(pa.string())
    except pa.ArrowInvalid:  # this machine does not know the zone: write the instant in UTC
        return times.cast(pa.timestamp(times.type.unit, "UTC")).cast(pa.string())


def _quoted(column: pa.Array) -> pa.Array:
    """Text, or any other value as text, escaped once per distinct value."""
    encoded = column if pa.types.is_dictionary(column.type) else column.dictionary_encode()
    words = encoded.dictionary
    return _dumped(escaped_text(words) if is_text(words.type) else words).take(encoded.indices)


def _dumped(values: pa.Array) -> pa.Array:
    texts = [None if value is None else json.dumps(value, default=str) for value in values.to_pylist()]
    return pa.array(texts, pa.string())


def _joined(*parts: str | pa.Array) -> pa.Array:
    return pc.binary_join_element_wise(*parts, "")
