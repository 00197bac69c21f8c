"""Clean months of a lake: trips and quarantine, one pair of objects of fixed name.

Belongs here: the order of writes that never shows a torn pair as a month. Does not: how two footers are compared
(``footers``).
"""

from __future__ import annotations

import random
import time
from typing import TYPE_CHECKING

from taxi_platform.errors import StoreBusyError, StoreError
from taxi_platform.months import TripMonth
from taxi_platform.references import CleanMonth, StagedClean
from taxi_platform.stores.footers import belong_together, read_footer, stored_footer
from taxi_platform.stores.objects import Objects

if TYPE_CHECKING:
    from taxi_platform.stores.footers import Footer

__all__ = ["CleanPairs"]

_ATTEMPTS = 4


class CleanPairs:
    """The layers ``trips`` and ``quarantine`` of a lake; `Lake` says what each method promises."""

    def __init__(self, objects: Objects) -> None:
        self._objects = objects

    def current(self, month: TripMonth) -> CleanMonth | None:
        trips, quarantine = self.footers(month)
        if trips is None or quarantine is None or not belong_together(trips, quarantine):
            return None
        assert trips.facts is not None
        return CleanMonth(
            month=month,
            facts=trips.facts,
            trips_path=_trips_path(month),
            quarantine_path=_quarantine_path(month),
            trips_size=trips.size,
            quarantine_size=quarantine.size,
        )

    def store(self, staged: StagedClean) -> CleanMonth:
        _check_staged(staged)
        month, facts = staged.month, staged.facts
        attributes = {"version": facts.version, "raw_version": facts.raw_version}
        with self._objects.exclusive(_folder("quarantine", month)), self._objects.exclusive(_folder("trips", month)):
            for attempt in range(_ATTEMPTS):
                time.sleep(random.uniform(0, attempt))  # noqa: S311 (no secret: writers must fall out of step)
                for path, file, rows in (
                    (_quarantine_path(month), staged.quarantine_file, facts.quarantined_rows),
                    (_trips_path(month), staged.trips_file, facts.trips_rows),
                ):
                    self._objects.replace(path, file, {**attributes, "rows": str(rows)})
                if clean := self.current(month):
                    return clean
        raise StoreBusyError(f"another process keeps storing trips of {month} in {self._objects.url}: let it end first")

    def remove(self, month: TripMonth) -> bool:
        paths = (_trips_path(month), _quarantine_path(month))
        there = any(self._objects.size(path) is not None for path in paths)
        with self._objects.exclusive(_folder("quarantine", month)), self._objects.exclusive(_folder("trips", month)):
            # Trips first: a kill between the two leaves no rows that a glob over trips would read.
            for path in paths:
                self._objects.remove(path)
        return there

    def footers(self, month: TripMonth) -> tuple[Footer | None, Footer | None]:
        """Of trips and of quarantine, each None where there is no such object."""
        return (
            stored_footer(self._objects, _trips_path(month)),
            stored_footer(self._objects, _quarantine_path(month)),
        )


def _check_staged(staged: StagedClean) -> None:
    with staged.trips_file.open("rb") as trips, staged.quarantine_file.open("rb") as quarantine:
        pair = (read_footer(trips, staged.trips_file.name), read_footer(quarantine, staged.quarantine_file.name))
    if not belong_together(*pair) or pair[0].facts != staged.facts:
        raise StoreError(f"the cleaned files of {staged.month} do not carry their facts: nothing was stored")


def _folder(layer: str, month: TripMonth) -> str:
    return f"{layer}/{month.dataset}/month={month.label}"


def _trips_path(month: TripMonth) -> str:
    return f"{_folder('trips', month)}/trips.parquet"


def _quarantine_path(month: TripMonth) -> str:
    return f"{_folder('quarantine', month)}/quarantine.parquet"
