"""Whether a clean month looks like the year before it, if the lake has enough of that year.

Belongs here: what is usual. Does not: rules for single rows (``contracts.rules``) and reporting
(``orchestration.checks``). The facts come from the lake's manifests; no row is read.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from taxi_platform.contracts.contract import Contract
from taxi_platform.errors import DamagedError
from taxi_platform.inspection.at_once import each
from taxi_platform.months import TripMonth, add_months
from taxi_platform.references import CleanFacts

if TYPE_CHECKING:
    from taxi_platform.stores.lake.lake import Lake

__all__ = ["FEWEST_MONTHS", "NULL_POINTS", "REASON_FACTOR", "REASON_POINTS", "VOLUME_FACTOR", "History"]

VOLUME_FACTOR = 2.0
"""A month is unusual if it has more than so many times the trips of the median month, or less than that fraction."""
NULL_POINTS = 0.1
"""A column is unusual if its share of nulls is so much above that of the median month."""
REASON_POINTS = 0.01
"""A reason is unusual if its share of rejected records differs by more than this from that of the median month."""
REASON_FACTOR = 2.0
"""Besides, its share must be more than so many times the usual share, or less than that fraction of it."""
FEWEST_MONTHS = 3
"""With fewer months in the year before it, a month is not judged."""


@dataclass(frozen=True)
class History:
    """The clean months of one dataset in a lake; each manifest is read once."""

    contract: Contract
    lake: Lake
    _known: dict[TripMonth, CleanFacts | None] = field(default_factory=dict)

    def read(self, months: Iterable[TripMonth]) -> None:
        """Read those months and the years before them, several at a time."""
        wanted = {known: None for month in months for known in (month, *self._months_before(month))}
        self._known.update(each(self._read, [month for month in wanted if month not in self._known]))

    def facts(self, month: TripMonth) -> CleanFacts | None:
        """The facts of the month's clean pair, from its manifest; None if there is none that can be read."""
        if month not in self._known:
            self._known[month] = self._read(month)
        return self._known[month]

    def _read(self, month: TripMonth) -> CleanFacts | None:
        try:
            clean = self.lake.manifest(month).clean
        except DamagedError:
            return None
        return clean.facts if clean else None

    def median_trips(self, month: TripMonth) -> float | None:
        """The median number of trips in the year before the month; None if the lake has too few months of that year."""
        year = self._year_before(month)
        return statistics.median(facts.trips_rows for facts in year) if year else None

    def unusual_nulls(self, month: TripMonth) -> dict[str, tuple[float, float]]:
        """Columns with far more nulls than in the year before → the share in this month, and the median share then."""
        now, year = self.facts(month), self._year_before(month)
        if now is None or not year:
            return {}
        shares = {
            name: (_share(now, name), statistics.median(_share(f, name) for f in year)) for name in now.null_counts
        }
        return {name: (share, usual) for name, (share, usual) in shares.items() if share - usual > NULL_POINTS}

    def unusual_reasons(self, month: TripMonth) -> dict[str, tuple[float, float]]:
        """Reasons whose share is far from that of the year before → the share now, and the median share then."""
        now, year = self.facts(month), self._year_before(month)
        if now is None or not year:
            return {}
        shares = {
            reason: (_rejected(now, reason), statistics.median(_rejected(facts, reason) for facts in year))
            for reason in now.reasons
        }
        return {reason: (share, usual) for reason, (share, usual) in shares.items() if _is_far(share, usual)}

    def is_judged(self, month: TripMonth) -> bool:
        """Whether the lake has the month, and enough of the year before it."""
        return self.facts(month) is not None and bool(self._year_before(month))

    def _months_before(self, month: TripMonth) -> list[TripMonth]:
        days = [add_months(month.first_day, -back) for back in range(1, 13)]
        return [self.contract.month(day) for day in days if day >= self.contract.first_month]

    def _year_before(self, month: TripMonth) -> list[CleanFacts]:
        found = [
            facts for facts in map(self.facts, self._months_before(month)) if facts is not None and facts.trips_rows
        ]
        return found if len(found) >= FEWEST_MONTHS else []


def _share(facts: CleanFacts, column: str) -> float:
    return facts.null_counts.get(column, 0) / facts.trips_rows if facts.trips_rows else 0.0


def _rejected(facts: CleanFacts, reason: str) -> float:
    return facts.reasons.get(reason, 0) / facts.raw_rows if facts.raw_rows else 0.0


def _is_far(share: float, usual: float) -> bool:
    low, high = sorted((share, usual))
    return high - low > REASON_POINTS and high > low * REASON_FACTOR
