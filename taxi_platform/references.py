"""What assets hand to one another: small references to stored months, never rows.

Belongs here: frozen values that say where a month lies and what is in it, and their JSON form in manifests and
Parquet footers. Does not: how anything is stored (``stores``) or made (``ingest``, ``cleaning``).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

from taxi_platform.months import TripMonth

__all__ = [
    "FACTS_KEY",
    "AcceptedRaw",
    "CleanFacts",
    "CleanMonth",
    "MonthCounts",
    "RawMonth",
    "Refusal",
    "SelectedRaw",
    "StagedClean",
    "StagedRaw",
    "WithdrawnMonth",
]


FACTS_KEY = "taxi_platform"
"""The key of a Parquet footer under which `CleanFacts` stand as JSON (of the zone lookup: its provenance)."""


@dataclass(frozen=True)
class Refusal:
    """Why cleaning refused a version of a raw month."""

    sentence: str
    cleaning: str
    """The data version (``cleaning.version``) that it would have had, run options apart: another one may take it."""


@dataclass(frozen=True)
class RawMonth:
    """One immutable version of a raw month in the lake, with its provenance (one entry of ``manifest.json``)."""

    month: TripMonth
    version: str
    """The first 16 hex digits of the upstream file's sha256; of a CSV file also the converter's revision."""
    path: str
    """The Parquet object, relative to the lake's root."""
    rows: int
    """Upstream data records, counted apart from the parser (CSV) or by the file's own footer (Parquet)."""
    unparsed_rows: int
    """Of these, records that do not fit their types; kept as text in the column ``_unparsed``."""
    size: int
    """Bytes of the Parquet object."""
    source_url: str
    source_token: str
    """What upstream called this version (``sources.Version.token``): equal tokens mean nothing to fetch."""
    etag: str | None
    sha256: str
    """Of the upstream file, as it came."""
    source_size: int
    """Bytes of the upstream file."""
    schema_fingerprint: str
    """Changes when the file's column names or types do."""
    fetched_at: str
    """UTC, ISO 8601."""
    readable_path: str | None = None
    """A copy with the same rows for the views over raw months, where query engines cannot read ``path`` itself: text in
    it is not UTF-8, and is escaped in the copy. None where there is no such text, as in nearly every file."""
    decoded_rows: int = 0
    """Records of a CSV file with bytes that are not UTF-8, read as Windows-1252."""
    refused: Refusal | None = None
    """Why cleaning refused it: then it is never current."""
    accepts_changed_format: bool = False
    """A person has consented to whatever format it is in: every cleaning takes it so."""

    @property
    def view_path(self) -> str:
        """The object that views over raw months read."""
        return self.readable_path or self.path

    def to_json(self) -> dict[str, Any]:
        """As a manifest keeps it; the month is the manifest's place, not repeated."""
        return {key: value for key, value in asdict(self).items() if key != "month"}

    @classmethod
    def from_json(cls, month: TripMonth, entry: Mapping[str, Any]) -> RawMonth:
        """Read what `to_json` wrote."""
        refused = entry.get("refused")
        return cls(month=month, **{**entry, "refused": Refusal(**refused) if refused else None})


@dataclass(frozen=True)
class StagedRaw:
    """A raw month as a private local file, on its way into the lake, which gives it its path."""

    raw: RawMonth
    """As it will stand in the lake."""
    file: Path
    readable_file: Path | None = None
    """What goes to ``raw.readable_path``."""
    lifts_refusal: bool = False
    """Where cleaning refused this version before, it is to be cleaned again."""


@dataclass(frozen=True)
class SelectedRaw:
    """A version that the lake has, on its way to being the month's current one."""

    raw: RawMonth
    accept_changed_format: bool = False
    """Consent to its format."""


@dataclass(frozen=True)
class AcceptedRaw:
    """Upstream's version, refused before or not yet cleaned, on its way to be cleaned (again): nothing was fetched."""

    raw: RawMonth
    accept_changed_format: bool = False
    """Consent to its format; else the cleaning is another one than the one that refused it."""


@dataclass(frozen=True)
class CleanFacts:
    """What cleaning one raw version gave; stands in the footers of both files it made."""

    version: str
    """The data version: raw version, contract, cleaning code and options."""
    raw_version: str
    raw_rows: int
    trips_rows: int
    quarantined_rows: int
    reasons: Mapping[str, int]
    """Rows per reason; a row with two reasons counts under both."""
    unknown_columns: tuple[str, ...] = ()
    """Upstream columns the contract does not know: they stay in the raw file only."""
    unknown_codes: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    """Column → value the contract does not know → rows."""
    null_counts: Mapping[str, int] = field(default_factory=dict)
    """Column → nulls among the clean rows."""
    options: Mapping[str, bool] = field(default_factory=dict)
    """Cleaning options that were on."""
    equal_rows: int = 0
    """Second and further copies of rows that say too little to be judged as `exact_duplicate`."""
    decoded_rows: int = 0
    """Records with bytes that are not UTF-8, read as Windows-1252."""
    zones: Mapping[str, str] = field(default_factory=dict)
    """Upstream's time columns with a zone → which, and how it was read as New York's wall clock."""

    def to_json(self) -> dict[str, Any]:
        """The facts as JSON-compatible values."""
        return asdict(self)

    @classmethod
    def from_json(cls, entry: Mapping[str, Any]) -> CleanFacts:
        """Read what `to_json` wrote."""
        return cls(**{**entry, "unknown_columns": tuple(entry["unknown_columns"])})

    @property
    def is_conserved(self) -> bool:
        """Nothing lost, nothing doubled: raw = trips + quarantine."""
        return self.raw_rows == self.trips_rows + self.quarantined_rows


@dataclass(frozen=True)
class CleanMonth:
    """The one current pair of clean and quarantined rows of a month in the lake."""

    month: TripMonth
    facts: CleanFacts
    trips_path: str
    quarantine_path: str
    trips_size: int
    quarantine_size: int
    stored_at: str | None = None
    """UTC, ISO 8601; None of a pair that an earlier release stored."""

    @property
    def file_month(self) -> date:
        """The first day of the month."""
        return self.month.first_day

    def to_json(self) -> dict[str, Any]:
        """As a manifest keeps it; the month is the manifest's place, not repeated."""
        return {key: value for key, value in asdict(self).items() if key != "month"}

    @classmethod
    def from_json(cls, month: TripMonth, entry: Mapping[str, Any]) -> CleanMonth:
        """Read what `to_json` wrote."""
        return cls(month=month, **{**entry, "facts": CleanFacts.from_json(entry["facts"])})


@dataclass(frozen=True)
class StagedClean:
    """A cleaned month as two private local files, on their way into the lake."""

    month: TripMonth
    facts: CleanFacts
    trips_file: Path
    quarantine_file: Path


@dataclass(frozen=True)
class WithdrawnMonth:
    """A month that upstream has withdrawn: no store is to hold it. The lake keeps its raw versions."""

    month: TripMonth


@dataclass(frozen=True)
class MonthCounts:
    """Rows of one file month in one store, counted there."""

    trips: int
    quarantined: int
