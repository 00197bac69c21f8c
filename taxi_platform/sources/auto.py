"""The default source: takes each month from the public host that has it.

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
    """Takes the zones, and the months that it has, from the dtc mirror; all other months from TLC's own host.

    The shapes of the zones come from TLC's own host too: the mirror does not promise to have them.
    """

    dtc: PublishedSource
    tlc: PublishedSource

    @property
    def name(self) -> str:
        """``auto``."""
        return "auto"

    def stat(self, month: TripMonth) -> Version | None:
        """The month's current version on the host that has it; see ``Source.stat``."""
        return self._holder(month).stat(month)

    def fetch(self, month: TripMonth, version: Version, directory: Path) -> Download:
        """Bring that version from the host that has it; see ``Source.fetch``."""
        return self._holder(month).fetch(month, version, directory)

    def url(self, month: TripMonth) -> str:
        """The address of the month's file on the host that has it."""
        return self._holder(month).url(month)

    def part(self, month: TripMonth, start: int, length: int) -> Part | None:
        """Bytes of the month's file from the host that has it; see ``Published.part``."""
        return self._holder(month).part(month, start, length)

    def stat_zones(self) -> Version:
        """The current version of the taxi zone lookup on the dtc mirror."""
        return self.dtc.stat_zones()

    def fetch_zones(self, version: Version, directory: Path) -> Download:
        """Bring the taxi zone lookup from the dtc mirror."""
        return self.dtc.fetch_zones(version, directory)

    def stat_zone_shapes(self) -> Version | None:
        """The current version of the zones' shapes; see ``Source.stat_zone_shapes``."""
        return self.tlc.stat_zone_shapes()

    def fetch_zone_shapes(self, version: Version, directory: Path) -> Download:
        """Bring the zones' shapes; see ``Source.fetch_zone_shapes``."""
        return self.tlc.fetch_zone_shapes(version, directory)

    def _holder(self, month: TripMonth) -> PublishedSource:
        return self.dtc if month.first_day in DTC_MONTHS else self.tlc
