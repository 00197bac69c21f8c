"""Adds the mistakes of real months to drawn trips, about as often as they really occur.

Belongs here: what goes wrong and how often, counted over real green months (exact copies also over yellow 2010). Does
not: what is done about it (``contracts.rules``, ``cleaning``). Zones 264 and 265, zero passengers and absent columns
are drawn with the trips.
"""

# ruff: noqa: TID253 — only imported where a month is generated
from __future__ import annotations

from datetime import timezone

import numpy as np

from taxi_platform.contracts import CONTRACTS
from taxi_platform.months import TripMonth
from taxi_platform.sources.sample.rows import Ints, Rows

__all__ = ["STRANGERS", "scatter", "soil"]

STRANGERS = 400
"""Trips of a month that neighbouring chunks share; more than twice the number of chunks of the largest month."""
_KEPT_CLEAN = 8
"""The first rows of a chunk get no other mistake, because `scatter` writes there."""
_DAY = 86_400
_FAR_AWAY = np.array([1_230_764_581, 1_230_770_000, 2_260_439_700])  # 2008-12-31, 2009-01-01 and 2041
_COPIES = 5e-6
_COPIES_YELLOW_2010 = 0.011


def soil(rng: np.random.Generator, rows: Rows, month: TripMonth, at_least: int) -> None:
    """Make each kind of mistake in ``rows``: at its rate, at least ``at_least`` times, and no two in one row."""
    if rows.count <= _KEPT_CLEAN:
        return
    free = _KEPT_CLEAN + rng.permutation(rows.count - _KEPT_CLEAN)
    taken = 0

    def some(rate: float) -> Ints:
        nonlocal taken
        first, taken = taken, taken + max(at_least, int(rate * rows.count))
        return free[first:taken]

    _soil_times(rng, rows, month, [some(rate) for rate in (2e-3, 1e-5, 2e-5, 1e-4, 2e-5)])
    distance = "trip_distance" if "trip_distance" in rows.values else "trip_miles"
    if distance in rows.values:
        impossible = some(5e-4)
        rows.values[distance][impossible] = rng.integers(1_001, 260_000, len(impossible)) * 100
    if "total_amount" in rows.values:
        _reverse(rows, some(6e-5))
        charges, reversals = some(1.2e-3), some(1.2e-3)
        rows.copy_rows(reversals, rows, charges)
        _reverse(rows, reversals)
    rate = _COPIES_YELLOW_2010 if rows.dataset == "yellow" and month.first_day.year == 2010 else _COPIES
    originals, copies, third_copies = some(rate), some(rate), some(rate / 8)
    rows.copy_rows(copies, rows, originals)
    rows.copy_rows(third_copies, rows, originals[: len(third_copies)])


def scatter(rows: Rows, strangers: Rows, chunk: int) -> None:
    """Put a copy and a reversal of the previous chunk's trips into this chunk.

    A reader that looks at one chunk at a time cannot find them.
    """
    if rows.count <= _KEPT_CLEAN:
        return

    def put(row: int, stranger: int) -> Ints:
        to = np.array([row])
        rows.copy_rows(to, strangers, np.array([stranger]))
        return to

    put(0, chunk)
    put(1, STRANGERS // 2 + chunk)
    if chunk:
        put(2, chunk - 1)
        reversed_row = put(3, STRANGERS // 2 + chunk - 1)
        if "total_amount" in rows.values:
            _reverse(rows, reversed_row)


def _soil_times(rng: np.random.Generator, rows: Rows, month: TripMonth, where: list[Ints]) -> None:
    left_on, over_a_day, backwards, just_outside, far_away = where
    pickup, dropoff = rows.values["pickup_datetime"], rows.values["dropoff_datetime"]
    start = int(month.bounds[0].replace(tzinfo=timezone.utc).timestamp())
    dropoff[left_on] = pickup[left_on] + _DAY - rng.integers(1, 3600, len(left_on))
    dropoff[over_a_day] = pickup[over_a_day] + _DAY + rng.integers(1, 3 * _DAY, len(over_a_day))
    dropoff[backwards] = pickup[backwards] - rng.integers(1, 3600, len(backwards))
    for rows_outside, moved in (
        (just_outside, start - rng.integers(1, _DAY, len(just_outside))),
        (far_away, rng.choice(_FAR_AWAY, len(far_away))),
    ):
        dropoff[rows_outside] += moved - pickup[rows_outside]
        pickup[rows_outside] = moved


def _reverse(rows: Rows, where: Ints) -> None:
    for column in CONTRACTS[rows.dataset].columns:
        if column.unit == "US dollars" and column.name in rows.values:
            rows.values[column.name][where] *= -1
