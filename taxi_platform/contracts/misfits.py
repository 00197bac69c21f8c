"""What of a CSV file's records did not fit, counted by column: from ingest, in the raw file's footer, to cleaning.

Belongs here: the counts and their JSON form. Does not: deciding whether a cell fits (``ingest.records``) and what
follows from the counts (``cleaning.format_change``).

A record with one cell that does not fit is kept as text, so that no column of the raw file says which cell it was.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field

from taxi_platform.contracts.values.foreign_text import excerpt

__all__ = ["MISFITS_KEY", "SPARE_FIELD", "ColumnMisfits", "Misfits"]

MISFITS_KEY = b"taxi_platform.misfits"
"""The key of a raw file's footer under which `Misfits` stand as JSON; absent where every record fits."""

SPARE_FIELD = "a field beyond the header's columns"
"""What counts are under of fields that have no column and should be empty."""


@dataclass
class ColumnMisfits:
    """One upstream column in the records that were kept as text and have all their fields."""

    filled: int = 0
    unfit: int = 0
    example: str | None = None
    """The first cell that does not fit, as far as a sentence shows it."""


@dataclass
class Misfits:
    """The records of one file that were kept as text."""

    columns: dict[str, ColumnMisfits] = field(default_factory=dict)
    """Upstream name → counts; columns that are filled in no such record are left out."""
    ragged: int = 0
    """Records with fewer or more fields than there are columns."""
    ragged_example: str | None = None

    def add(self, column: str, filled: int, unfit: int, example: str | None) -> None:
        """Count cells of one column in some of the records; the first example stays."""
        if filled:
            counts = self.columns.setdefault(column, ColumnMisfits())
            counts.filled += filled
            counts.unfit += unfit
            counts.example = counts.example if example is None or counts.example is not None else excerpt(example)

    def add_ragged(self, records: int, example: str) -> None:
        """Count records that have no columns; the first example stays."""
        self.ragged += records
        self.ragged_example = self.ragged_example or excerpt(example)

    def to_json(self) -> str:
        return json.dumps(asdict(self))

    @classmethod
    def from_footer(cls, metadata: Mapping[bytes, bytes] | None) -> Misfits:
        """Of a raw file's key-value metadata; empty where it has none, as that of an upstream Parquet file."""
        if not metadata or MISFITS_KEY not in metadata:
            return cls()
        entry = json.loads(metadata[MISFITS_KEY])
        columns = {name: ColumnMisfits(**counts) for name, counts in entry.pop("columns").items()}
        return cls(columns, **entry)
