"""The two layouts in which the months are published, and the source that reads either.

Belongs here: paths, public addresses, and what a host means by its statuses. Does not: transports (``http``,
``folder``).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Protocol

from taxi_platform.contracts.model import Span
from taxi_platform.errors import MonthNotPublishedError
from taxi_platform.months import TripMonth
from taxi_platform.sources.model import Download, Part, Version

__all__ = ["DTC", "DTC_MONTHS", "SHAPES_PATH", "TLC", "ZONES_PATH", "Files", "Layout", "PublishedSource"]

ZONES_PATH = "misc/taxi_zone_lookup.csv"
SHAPES_PATH = "misc/taxi_zones.zip"
DTC_MONTHS = Span(date(2019, 1, 1), date(2021, 7, 1))
"""The months that the public dtc mirror has; another copy in its layout may have more."""


class Files(Protocol):
    """A transport: versioned files below one base address."""

    def stat(self, path: str) -> Version | None:
        """The current version of the file at ``path``; None where there is none."""
        ...

    def fetch(self, version: Version, directory: Path) -> Download:
        """Bring that version into a new file below ``directory``; the errors are those of ``Source.fetch``."""
        ...

    def url(self, path: str) -> str:
        """The address of ``path``."""
        ...

    def part(self, path: str, start: int, length: int) -> Part | None:
        """Up to ``length`` bytes of the file at ``path`` from ``start`` on; None if there is no file."""
        ...


@dataclass(frozen=True)
class Layout:
    """The paths under which a publisher keeps its files."""

    name: str
    public_base: str
    month_path: str
    """A template with ``{dataset}`` and ``{month}`` (YYYY-MM)."""
    missing: frozenset[int]
    """The HTTP statuses by which the publisher says that a month does not exist."""

    def path(self, month: TripMonth) -> str:
        """The path of a month, relative to the base address."""
        return self.month_path.format(dataset=month.dataset, month=month.label)


DTC = Layout(
    "dtc",
    "https://github.com/DataTalksClub/nyc-tlc-data/releases/download",
    "{dataset}/{dataset}_tripdata_{month}.csv.gz",
    frozenset({404}),
)
"""DataTalksClub's mirror of the CSV files."""
TLC = Layout(
    "tlc",
    "https://d37ci6vzurychx.cloudfront.net",
    "trip-data/{dataset}_tripdata_{month}.parquet",
    # TLC's host is not allowed to list its objects, so it answers 403 for one that does not exist.
    frozenset({403, 404}),
)
"""TLC's own host: parquet only, every month since 2009."""


@dataclass(frozen=True)
class PublishedSource:
    """A `Source` of published files: one layout over one transport."""

    layout: Layout
    files: Files

    @property
    def name(self) -> str:
        """The layout's name: ``dtc`` or ``tlc``."""
        return self.layout.name

    def stat(self, month: TripMonth) -> Version | None:
        """The month's current version; see ``Source.stat``."""
        return self.files.stat(self.layout.path(month))

    def fetch(self, month: TripMonth, version: Version, directory: Path) -> Download:  # noqa: ARG002 — the protocol's
        """Bring that version of the month; see ``Source.fetch``."""
        return self.files.fetch(version, directory)

    def url(self, month: TripMonth) -> str:
        """The address of the month's file."""
        return self.files.url(self.layout.path(month))

    def part(self, month: TripMonth, start: int, length: int) -> Part | None:
        """Bytes of the month's file; see ``Published.part``."""
        return self.files.part(self.layout.path(month), start, length)

    def stat_zones(self) -> Version:
        """The current version of the taxi zone lookup; raises `MonthNotPublishedError` if there is none."""
        version = self.files.stat(ZONES_PATH)
        if version is None:
            raise MonthNotPublishedError(
                f"there is no taxi zone lookup at {ZONES_PATH} of the {self.name} source: "
                "a base in its layout has one there"
            )
        return version

    def fetch_zones(self, version: Version, directory: Path) -> Download:
        """Bring that version of the taxi zone lookup."""
        return self.files.fetch(version, directory)

    def stat_zone_shapes(self) -> Version | None:
        """The current version of the zones' shapes; see ``Source.stat_zone_shapes``."""
        return self.files.stat(SHAPES_PATH)

    def fetch_zone_shapes(self, version: Version, directory: Path) -> Download:
        """Bring the zones' shapes; see ``Source.fetch_zone_shapes``."""
        return self.files.fetch(version, directory)
