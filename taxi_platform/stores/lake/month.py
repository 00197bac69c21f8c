"""What a lake holds of one month, with damage as part of the value.

Belongs here: that value. Does not: finding it out (``lake``) and comparing it with other stores
(``inspection.status``).
"""

from __future__ import annotations

from dataclasses import dataclass

from taxi_platform.months import TripMonth
from taxi_platform.references import CleanMonth, MonthCounts
from taxi_platform.stores.lake.manifest import Manifest

__all__ = ["MonthInLake"]


@dataclass(frozen=True)
class MonthInLake:
    """The manifest, confirmed by the footers of its objects; whatever is damaged counts as absent."""

    month: TripMonth
    manifest: Manifest
    """The manifest; without versions if the month was never stored, or if the manifest is damaged."""
    raw_rows: int | None = None
    """Rows of the current raw version; None if there is none, or if its object is damaged."""
    clean: CleanMonth | None = None
    """The month's pair; None if there is none, or if one of its objects is damaged."""
    problems: tuple[str, ...] = ()
    """One sentence for each damaged object."""
    is_manifest_damaged: bool = False
    zone_shapes: str | None = None
    """The version of the lake's shapes of the zones, where the pair has points that are located by them."""

    @property
    def trips_rows(self) -> int | None:
        """Rows of the clean trips; None if there is no pair."""
        return None if self.clean is None else self.clean.facts.trips_rows

    @property
    def quarantined_rows(self) -> int | None:
        """Rejected rows; None if there is no pair."""
        return None if self.clean is None else self.clean.facts.quarantined_rows

    @property
    def counts(self) -> MonthCounts | None:
        """Clean and rejected rows; None if there is no pair."""
        facts = None if self.clean is None else self.clean.facts
        return None if facts is None else MonthCounts(facts.trips_rows, facts.quarantined_rows)

    @property
    def data_version(self) -> str | None:
        """The data version of the clean pair; None if there is no pair."""
        return None if self.clean is None else self.clean.facts.version

    @property
    def cleaned_raw_version(self) -> str | None:
        """The raw version that the clean pair was made from; it can differ from the current one."""
        return None if self.clean is None else self.clean.facts.raw_version
