"""Rejected rows as they came, as JSON text.

Belongs here: upstream's columns of a batch → one JSON object per row. Does not: which rows are rejected, and why.

Every upstream column is there under upstream's name: numbers as numbers, timestamps as ISO 8601 text, nulls as null;
NaN and infinities, which JSON has no numbers for, as text. A record that could not be parsed is an object with its
text alone. The text is put together column by column, because a month may be rejected as a whole.
"""

from __future__ import annotations

import json

import pyarrow as pa
import pyarrow.compute as pc

from taxi_platform.cleaning.reading import RawBatch
from taxi_platform.contracts.matching import UNPARSED_COLUMN

__all__ = ["json_objects"]


def json_objects(batch: RawBatch) -> pa.Array:
    """One JSON object per record."""
    names = [name for name in batch.records.schema.names if name != UNPARSED_COLUMN]
    parts: list[str | pa.Array] = []
    for name in names:
        parts += [(", " if parts else "{") + json.dumps(name) + ": ", _json(batch.records.column(name))]
    objects = _joined(*parts, "}")
    if batch.unparsed is None:
        return objects
    texts = _joined("{" + json.dumps(UNPARSED_COLUMN) + ": ", _json(batch.unparsed), "}")
    return pc.if_else(batch.unparsed.is_valid(), texts, objects)


def _json(column: pa.Array) -> pa.Array:
    """Each value as JSON text."""
    kind = column.type
    if pa.types.is_null(kind):
        return pa.array(["null"] * len(column))
    if pa.types.is_integer(kind) or pa.types.is_boolean(kind) or pa.types.is_decimal(kind):
        text = column.cast(pa.string())
    elif pa.types.is_floating(kind):
        text = pc.if_else(pc.is_finite(column), column.cast(pa.string()), _quoted(column.cast(pa.string())))
    elif pa.types.is_timestamp(kind):
        text = _joined('"', _iso(column), '"')
    elif pa.types.is_nested(kind):
        text = pa.array([json.dumps(value, default=str) for value in column.to_pylist()], pa.string())
    else:
        text = _quoted(column)
    return text.fill_null("null")


def _iso(column: pa.Array) -> pa.Array:
    """As `datetime.isoformat` writes it, without digits of seconds that are all 0."""
    written = pc.replace_substring(column.cast(pa.string()), " ", "T", max_replacements=1)
    return pc.replace_substring_regex(written, r"\.0+(Z?)$", r"\1")


def _quoted(column: pa.Array) -> pa.Array:
    """Text and whatever else there is, escaped once per distinct value."""
    encoded = column if pa.types.is_dictionary(column.type) else column.dictionary_encode()
    texts = [json.dumps(value, default=str) for value in encoded.dictionary.to_pylist()]
    return pa.array(texts, pa.string()).take(encoded.indices)


def _joined(*parts: str | pa.Array) -> pa.Array:
    return pc.binary_join_element_wise(*parts, "")
