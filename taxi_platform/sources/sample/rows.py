"""A chunk of generated trips as columns, and its columns as Arrow arrays.

Belongs here: holding, copying and converting columns. Does not: their contents (``taxis``, ``hires``, ``dirt``).

All values are whole numbers: seconds since 1970 for timestamps, cents for money, hundredths of a mile for distances,
positions in a vocabulary for text. So sums are exact, and a chunk is cheap to change.
"""

# ruff: noqa: TID253 — only imported where a month is generated
from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from taxi_platform.contracts import CONTRACTS
from taxi_platform.contracts.model import Column, ColumnType

__all__ = ["Ints", "Mask", "Rows"]

Ints: TypeAlias = npt.NDArray[np.int64]
Mask: TypeAlias = npt.NDArray[np.bool_]


@dataclass
class Rows:
    """Columns of equal length by canonical name; a column that is missing here is null in every row."""

    dataset: str
    count: int
    values: dict[str, Ints] = field(default_factory=dict)
    missing: dict[str, Mask] = field(default_factory=dict)
    """Flags of the nulls in a column; a column without an entry has none."""
    texts: dict[str, Sequence[str]] = field(default_factory=dict)
    """Vocabulary of each text column."""

    def blank(self, names: Sequence[str], where: Mask) -> None:
        """Make the named columns null in the flagged rows."""
        for name in names:
            if name in self.values:
                self.missing[name] = self.missing.get(name, np.False_) | where

    def copy_rows(self, to: Ints, other: Rows, rows: Ints) -> None:
        """Overwrite the rows ``to`` with ``rows`` of ``other`` (which may be this chunk), in every column."""
        for name, values in self.values.items():
            values[to] = other.values[name][rows]
            if name in self.missing or name in other.missing:
                mask = self.missing.setdefault(name, np.zeros(self.count, dtype=bool))
                mask[to] = other.missing[name][rows] if name in other.missing else False

    def arrow(self, name: str | None, kind: pa.DataType, texts: Sequence[str] | None = None) -> pa.Array:
        """A column as an Arrow array of type ``kind``; codes become ``texts``, or words of its vocabulary."""
        if name is None or name not in self.values or pa.types.is_null(kind):
            return pa.nulls(self.count, kind)
        values, mask = self.values[name], self.missing.get(name)
        words = texts or self.texts.get(name)
        if words is not None:
            return pa.DictionaryArray.from_arrays(pa.array(values, pa.int32(), mask=mask), pa.array(words)).cast(kind)
        column = CONTRACTS[self.dataset].column(name)
        if column.type is ColumnType.TIMESTAMP:
            return pa.array(values.view("datetime64[s]"), pa.timestamp("s"), mask=mask).cast(kind)
        return pa.array(values / _parts(column) if _parts(column) > 1 else values, mask=mask).cast(kind)


def _parts(column: Column) -> int:
    """How many of a chunk's whole numbers make one unit of the column: 100 for cents."""
    if column.unit is not None and column.unit.startswith("degrees"):
        return 1_000_000
    return 100 if column.type is ColumnType.DOUBLE else 1
