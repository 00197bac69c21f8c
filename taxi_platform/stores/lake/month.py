"""One month as a lake holds it, damage said as a value.

Belongs here: that value. Does not: finding out (``lake``) and comparing it with other stores (``inspection.status``).
"""

from __future__ import annotations

from dataclasses import dataclass

from taxi_platform.months import TripMonth
from taxi_platform.references import CleanMonth, MonthCounts
from taxi_platform.stores.lake.manifest import Manifest

__all__ = ["MonthInLake"]


@dataclass(frozen=True)
class MonthInLake:
    """What the manifest says and the footers of its objects confirm; what is damaged counts as absent."""

    month: TripMonth
    manifest: Manifest
    """Without versions where the month was never stored, or where the manifest is damaged."""
    raw_rows: int | None = None
    """Of the current raw version; None where there is none, or its object is damaged."""
    clean: CleanMonth | None = None
    """The month's pair; None where there is none, or one of its objects is damaged."""
    problems: tuple[str, ...] = ()
    """A sentence for each damaged object."""
    is_manifest_damaged: bool = False

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
        """Clean and rejected rows."""
        facts = None if self.clean is None else self.clean.facts
        return None if facts is None else MonthCounts(facts.trips_rows, facts.quarantined_rows)

    @property
    def data_version(self) -> str | None:
        """Of the clean pair."""
        return None if self.clean is None else self.clean.facts.version

    @property
    def cleaned_raw_version(self) -> str | None:
        """The raw version that the clean pair was made from; not always the current one."""
        return None if self.clean is None else self.clean.facts.raw_version
