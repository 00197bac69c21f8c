"""Counts, by column, of the CSV records that did not fit: ingest writes them to the raw file's footer for cleaning.

Belongs here: the counts and their JSON form. Does not: deciding whether a cell fits (``ingest.records``) and what
follows from the counts (``cleaning.format_change``).

A record with one cell that does not fit is kept whole as text. The raw file's columns therefore no longer say which
cell it was; these counts do.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field

from taxi_platform.contracts.values.foreign_text import excerpt

__all__ = ["MISFITS_KEY", "SPARE_FIELD", "ColumnMisfits", "Misfits"]

MISFITS_KEY = b"taxi_platform.misfits"
"""The key in a raw file's footer whose value is `Misfits` as JSON; absent if every record fits."""

SPARE_FIELD = "a field beyond the header's columns"
"""The name under which misfits are counted for the extra fields that have no column and should be empty."""


@dataclass
class ColumnMisfits:
    """Counts for one upstream column, over the records kept as text that have the right number of fields."""

    filled: int = 0
    unfit: int = 0
    example: str | None = None
    """The first cell that does not fit, shortened for a sentence."""


@dataclass
class Misfits:
    """The records of one file that were kept as text, counted."""

    columns: dict[str, ColumnMisfits] = field(default_factory=dict)
    """Upstream name → counts; a column that is empty in all these records is left out."""
    ragged: int = 0
    """Records with fewer or more fields than there are columns."""
    ragged_example: str | None = None

    def add(self, column: str, filled: int, unfit: int, example: str | None) -> None:
        """Add counts of one column's cells; the first example is kept."""
        if filled:
            counts = self.columns.setdefault(column, ColumnMisfits())
            counts.filled += filled
            counts.unfit += unfit
            counts.example = counts.example if example is None or counts.example is not None else excerpt(example)

    def add_ragged(self, records: int, example: str) -> None:
        """Count records with the wrong number of fields; the first example is kept."""
        self.ragged += records
        self.ragged_example = self.ragged_example or excerpt(example)

    def to_json(self) -> str:
        """The counts as JSON text, the form that `from_footer` reads."""
        return json.dumps(asdict(self))

    @classmethod
    def from_footer(cls, metadata: Mapping[bytes, bytes] | None) -> Misfits:
        """Read the counts from a raw file's key-value metadata; empty if the file has none, as upstream's own."""
        if not metadata or MISFITS_KEY not in metadata:
            return cls()
        entry = json.loads(metadata[MISFITS_KEY])
        columns = {name: ColumnMisfits(**counts) for name, counts in entry.pop("columns").items()}
        return cls(columns, **entry)
