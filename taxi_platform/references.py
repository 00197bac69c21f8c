"""What assets pass to one another: small references to stored months, never rows.

Belongs here: frozen values that say where a month is and what it contains, and their JSON form in manifests and Parquet
footers. Does not: how anything is stored (``stores``) or made (``ingest``, ``cleaning``).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from datetime import date, datetime
from pathlib import Path, PurePosixPath
from types import NoneType
from typing import Any, TypeVar

from taxi_platform.months import TripMonth

__all__ = [
    "FACTS_KEY",
    "AcceptedRaw",
    "CleanFacts",
    "CleanMonth",
    "MonthCounts",
    "RawMonth",
    "Refusal",
    "RestoredMonth",
    "SelectedRaw",
    "StagedClean",
    "StagedRaw",
    "WithdrawnMonth",
    "as_declared",
]

T = TypeVar("T")


FACTS_KEY = "taxi_platform"
"""The key in a Parquet footer whose value is `CleanFacts` as JSON; in the zone lookup's footer, its provenance."""
_PLAIN: Mapping[str, tuple[type, ...]] = {
    "int": (int,),
    "str": (str,),
    "bool": (bool,),
    "str | None": (str, NoneType),
}
"""Annotation → what a document may have there."""


def as_declared(value: T) -> T:
    """The dataclass that was read from a document, if its plain fields are of their types.

    A field whose name ends with ``path`` leads to an object of the lake, and one that ends with ``_at`` is a time.

    Raises:
        TypeError: a field has a value of another type.
        ValueError: a path leads out of the lake, or a time is none.
    """
    for declared in fields(value):  # type: ignore[arg-type]  # every caller gives a dataclass
        content = getattr(value, declared.name)
        plain = _PLAIN.get(str(declared.type))
        if plain is not None and type(content) not in plain:
            raise TypeError(f"{declared.name} is {content!r}, and should be {declared.type}")
        if isinstance(content, str) and declared.name.endswith("path"):
            path = PurePosixPath(content)
            if path.is_absolute() or not path.parts or ".." in path.parts or "\0" in content or "://" in content:
                raise ValueError(f"{declared.name} is {content!r}, which is no object of a lake")
        if isinstance(content, str) and declared.name.endswith("_at"):
            datetime.fromisoformat(content)
    return value


@dataclass(frozen=True)
class Refusal:
    """Why cleaning refused a version of a raw month."""

    sentence: str
    cleaning: str
    """The data version (``cleaning.version``) without run options; a cleaning with another one may accept the month."""


@dataclass(frozen=True)
class RawMonth:
    """One immutable version of a raw month in the lake, with its provenance (one entry of ``manifest.json``)."""

    month: TripMonth
    version: str
    """The first 16 hex digits of the upstream file's sha256; for a CSV file also the converter's revision."""
    path: str
    """The Parquet object's path, relative to the lake's root."""
    rows: int
    """Upstream's records: counted without the parser (CSV), or taken from the file's footer (Parquet)."""
    unparsed_rows: int
    """Those of them that do not fit their types; their text is in the column ``_unparsed``."""
    size: int
    """Size of the Parquet object in bytes."""
    source_url: str
    source_token: str
    """Upstream's token for this version (``sources.Version.token``); an equal token means nothing new to fetch."""
    etag: str | None
    sha256: str
    """Digest of the upstream file as it came."""
    source_size: int
    """Size of the upstream file in bytes."""
    schema_fingerprint: str
    """Changes if the file's column names, their order or their types change."""
    fetched_at: str
    """UTC, ISO 8601."""
    readable_path: str | None = None
    """The copy that views over raw months read, if query engines cannot read ``path`` itself. It has the same rows;
    text that is not UTF-8 is escaped. None for nearly every file, because such text is rare."""
    decoded_rows: int = 0
    """Records of a CSV file with bytes that are not UTF-8, read as Windows-1252."""
    refused: Refusal | None = None
    """Why cleaning refused the version; a refused version is never current."""
    accepts_changed_format: bool = False
    """Whether a person accepted the version in whatever format it has; every cleaning of it then does so."""

    @property
    def view_path(self) -> str:
        """The path of the object that views over raw months read."""
        return self.readable_path or self.path

    def to_json(self) -> dict[str, Any]:
        """The entry of a manifest. It leaves out the month, which the manifest's path says."""
        return {key: value for key, value in asdict(self).items() if key != "month"}

    @classmethod
    def from_json(cls, month: TripMonth, entry: Mapping[str, Any]) -> RawMonth:
        """Read what `to_json` wrote."""
        refused = entry.get("refused")
        return as_declared(
            cls(month=month, **{**entry, "refused": as_declared(Refusal(**refused)) if refused else None})
        )


@dataclass(frozen=True)
class StagedRaw:
    """A raw month as a private local file, before the lake stores it and decides its path."""

    raw: RawMonth
    """The version as the lake will have it."""
    file: Path
    readable_file: Path | None = None
    """The local file for ``raw.readable_path``, if one is needed."""
    lifts_refusal: bool = False
    """Whether an earlier refusal of this version is dropped, so that it is cleaned again."""


@dataclass(frozen=True)
class SelectedRaw:
    """A stored version that a person chose, before it becomes the month's current one."""

    raw: RawMonth
    accept_changed_format: bool = False
    """Whether the person also accepts its format."""


@dataclass(frozen=True)
class AcceptedRaw:
    """Upstream's version that is already in the lake and is to be cleaned (again); nothing is fetched."""

    raw: RawMonth
    accept_changed_format: bool = False
    """Whether a person accepts its format. If not, the cleaning code or options differ from those that refused it."""


@dataclass(frozen=True)
class CleanFacts:
    """Facts about one cleaning of a raw version; both files that it made have them in their footers."""

    version: str
    """The data version: raw version, contract, cleaning code, options, and the zones' shapes if points were located."""
    raw_version: str
    raw_rows: int
    trips_rows: int
    quarantined_rows: int
    reasons: Mapping[str, int]
    """Reason → rejected rows; a row with two reasons counts under both."""
    unknown_columns: tuple[str, ...] = ()
    """Upstream columns that the contract does not know; they are in the raw file only."""
    unknown_codes: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    """Column → value that the contract does not know → rows."""
    null_counts: Mapping[str, int] = field(default_factory=dict)
    """Column → nulls in the clean rows."""
    options: Mapping[str, bool] = field(default_factory=dict)
    """Cleaning options that were on."""
    equal_rows: int = 0
    """Further copies of rows that say too little to be rejected as `exact_duplicate`."""
    decoded_rows: int = 0
    """Records with bytes that are not UTF-8, read as Windows-1252."""
    zones: Mapping[str, str] = field(default_factory=dict)
    """Upstream's time column → its zones, and how they were read as New York's wall clock."""
    located: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    """Derived column of taxi zones → what became of the trips' points → trips; empty if the file has no points, and
    without counts if there were no shapes of the zones."""
    zone_shapes: str | None = None
    """The version of the shapes that taxi zones were derived by; None if none were derived."""

    def to_json(self) -> dict[str, Any]:
        """The facts as JSON-compatible values."""
        return asdict(self)

    @classmethod
    def from_json(cls, entry: Mapping[str, Any]) -> CleanFacts:
        """Read what `to_json` wrote."""
        return as_declared(cls(**{**entry, "unknown_columns": tuple(entry["unknown_columns"])}))

    @property
    def is_conserved(self) -> bool:
        """Whether no row was lost or doubled: raw = trips + quarantine."""
        return self.raw_rows == self.trips_rows + self.quarantined_rows


@dataclass(frozen=True)
class CleanMonth:
    """The one current pair of files, clean and rejected rows, of a month in the lake."""

    month: TripMonth
    facts: CleanFacts
    trips_path: str
    quarantine_path: str
    trips_size: int
    quarantine_size: int
    stored_at: str | None = None
    """UTC, ISO 8601; None if an earlier release stored the pair."""

    @property
    def file_month(self) -> date:
        """The first day of the month."""
        return self.month.first_day

    def to_json(self) -> dict[str, Any]:
        """The entry of a manifest. It leaves out the month, which the manifest's path says."""
        return {key: value for key, value in asdict(self).items() if key != "month"}

    @classmethod
    def from_json(cls, month: TripMonth, entry: Mapping[str, Any]) -> CleanMonth:
        """Read what `to_json` wrote."""
        return as_declared(cls(month=month, **{**entry, "facts": CleanFacts.from_json(entry["facts"])}))


@dataclass(frozen=True)
class RestoredMonth:
    """A month as a snapshot has it, before it becomes the current one again."""

    snapshot: str
    raw: RawMonth
    clean: CleanMonth


@dataclass(frozen=True)
class StagedClean:
    """A cleaned month as two private local files, before the lake stores them."""

    month: TripMonth
    facts: CleanFacts
    trips_file: Path
    quarantine_file: Path


@dataclass(frozen=True)
class WithdrawnMonth:
    """A month that upstream has withdrawn. No store may keep its rows; the lake keeps its raw versions."""

    month: TripMonth


@dataclass(frozen=True)
class MonthCounts:
    """Rows of one file month, counted in one store."""

    trips: int
    quarantined: int
