"""The source that needs no choice: each month from the public host that holds it.

Belongs here: which host that is. Does not: the hosts (``layouts``).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from taxi_platform.months import TripMonth
from taxi_platform.sources.layouts import DTC_MONTHS, PublishedSource
from taxi_platform.sources.model import Download, Part, Version

__all__ = ["AutoSource"]


@dataclass(frozen=True)
class AutoSource:
    """The dtc mirror for the months it holds, TLC's own host for every other; zones with the former."""

    dtc: PublishedSource
    tlc: PublishedSource

    @property
    def name(self) -> str:
        return "auto"

    def stat(self, month: TripMonth) -> Version | None:
        return self._holder(month).stat(month)

    def fetch(self, month: TripMonth, version: Version, directory: Path) -> Download:
        return self._holder(month).fetch(month, version, directory)

    def url(self, month: TripMonth) -> str:
        return self._holder(month).url(month)

    def part(self, month: TripMonth, start: int, length: int) -> Part | None:
        return self._holder(month).part(month, start, length)

    def stat_zones(self) -> Version:
        return self.dtc.stat_zones()

    def fetch_zones(self, version: Version, directory: Path) -> Download:
        return self.dtc.fetch_zones(version, directory)

    def _holder(self, month: TripMonth) -> PublishedSource:
        return self.dtc if month.first_day in DTC_MONTHS else self.tlc
