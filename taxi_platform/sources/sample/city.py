"""When and where a month's trips happen.

Belongs here: the hours of the week, the weight of each zone over the year, distances and speeds. Does not: fares and
any dataset's columns (``taxis``, ``hires``).
"""

# ruff: noqa: TID253 — only imported where a month is generated
from __future__ import annotations

import zlib
from dataclasses import dataclass
from datetime import datetime, timezone

import numpy as np
import numpy.typing as npt

from taxi_platform.months import TripMonth
from taxi_platform.sources.sample.rows import Ints, Mask
from taxi_platform.sources.sample.zones import KINDS

__all__ = ["AIRPORTS", "City"]

AIRPORTS = (132, 138)
_KIND = np.array(list(KINDS))
_IS_CORE = np.concatenate(([False], _KIND == "M"))

# Trips per hour of the day, midnight first, in arbitrary units.
_WORKDAY = (14, 8, 5, 3, 4, 9, 22, 38, 46, 44, 42, 44, 46, 46, 49, 51, 48, 55, 63, 60, 52, 48, 42, 28)
_WEEKEND = (44, 38, 30, 20, 11, 7, 9, 13, 20, 29, 38, 44, 48, 49, 48, 47, 46, 49, 52, 49, 43, 42, 44, 42)
_SATURDAY = 5

# Percent of pickups and drop-offs by kind of zone.
_PICKUPS = {
    "yellow": {"M": 86, "m": 3, "A": 6.5, "Q": 1.7, "K": 1.5, "X": 0.2, "S": 0.01, "E": 0.03, "U": 1.0},
    "green": {"M": 2, "m": 38, "A": 0.05, "Q": 28, "K": 26, "X": 5, "S": 0.03, "E": 0.01, "U": 0.9},
    "fhv": {"M": 18, "m": 8, "A": 2, "Q": 24, "K": 25, "X": 18, "S": 4, "E": 0.1, "U": 1.0},
    "fhvhv": {"M": 35, "m": 8, "A": 4, "Q": 17, "K": 25, "X": 10, "S": 1, "E": 0.01, "U": 0.1},
}
_DROPOFFS = {
    "yellow": {"M": 80, "m": 4, "A": 4, "Q": 4.4, "K": 5.5, "X": 0.7, "S": 0.05, "E": 0.3, "U": 1.1},
    "green": {"M": 15, "m": 25, "A": 2, "Q": 26, "K": 24, "X": 7, "S": 0.05, "E": 0.05, "U": 1.0},
    "fhv": {"M": 18, "m": 8, "A": 3, "Q": 23, "K": 25, "X": 18, "S": 4, "E": 0.2, "U": 1.0},
    "fhvhv": {"M": 33, "m": 8, "A": 4, "Q": 17, "K": 25, "X": 10, "S": 1, "E": 0.5, "U": 2.5},
}
_MEDIAN_MILES = {"yellow": 1.6, "green": 1.9, "fhv": 2.8, "fhvhv": 2.9}


@dataclass(frozen=True)
class City:
    """The demand of one dataset in one month: the distributions that trips are drawn from."""

    month: TripMonth
    hours: npt.NDArray[np.float64]
    """Cumulative probability of each hour of the month."""
    pickups: npt.NDArray[np.float64]
    """Cumulative probability of zone 1, 2, …"""
    dropoffs: npt.NDArray[np.float64]

    @classmethod
    def of(cls, month: TripMonth) -> City:
        """The demand in that month."""
        return cls(month, _hours(month), _zones(month, _PICKUPS), _zones(month, _DROPOFFS))

    def pickup_times(self, rng: np.random.Generator, count: int) -> Ints:
        """Seconds since 1970 on New York's clock, unordered; an array of ``count``."""
        hours = np.searchsorted(self.hours, rng.random(count), side="right")
        return _epoch(self.month.bounds[0]) + hours * 3600 + rng.integers(0, 3600, count)

    def locations(self, rng: np.random.Generator, count: int) -> tuple[Ints, Ints]:
        """Zone ids of pickup and drop-off: two arrays of ``count``."""
        start = np.searchsorted(self.pickups, rng.random(count), side="right") + 1
        end = np.searchsorted(self.dropoffs, rng.random(count), side="right") + 1
        return start, end

    def journeys(self, rng: np.random.Generator, start: Ints, end: Ints) -> tuple[Ints, Ints]:
        """Distance in hundredths of a mile, and duration in seconds, of each trip; a few meters record no distance."""
        count = len(start)
        far = np.isin(start, AIRPORTS) | np.isin(end, AIRPORTS)
        miles = _MEDIAN_MILES[self.month.dataset] * rng.lognormal(0, 0.75, count) + np.where(far, 8.5, 0)
        miles_per_hour = np.clip(rng.lognormal(2.4, 0.3, count) + np.where(far, 8, 0), 3, 60)
        seconds = miles / miles_per_hour * 3600 + rng.integers(20, 200, count)
        recorded = np.where(rng.random(count) < 0.02, 0, miles)
        return np.rint(np.minimum(recorded, 120) * 100).astype(np.int64), seconds.astype(np.int64)

    @staticmethod
    def touches_core(start: Ints, end: Ints) -> Mask:
        """Whether each trip begins or ends in Manhattan south of the green zones."""
        core: Mask = _IS_CORE[start] | _IS_CORE[end]
        return core


def _epoch(moment: datetime) -> int:
    return int(moment.replace(tzinfo=timezone.utc).timestamp())


def _hours(month: TripMonth) -> npt.NDArray[np.float64]:
    first, following = month.bounds
    days = [(first.weekday() + day) % 7 for day in range((following - first).days)]
    weights = np.concatenate([np.array(_WEEKEND if day >= _SATURDAY else _WORKDAY, dtype=float) for day in days])
    return _cumulative(weights)


def _zones(month: TripMonth, shares: dict[str, dict[str, float]]) -> npt.NDArray[np.float64]:
    # Each zone has its own popularity and season, which are the same in every month of the dataset.
    rng = np.random.default_rng(zlib.crc32(month.dataset.encode()))
    popularity = rng.lognormal(0, 0.9, len(KINDS))
    high_season = rng.integers(0, 12, len(KINDS))
    season = 1 + 0.25 * np.cos(2 * np.pi * (month.first_day.month - high_season) / 12)
    weights = popularity * season
    for kind, percent in shares[month.dataset].items():
        of_kind = kind == _KIND
        weights[of_kind] *= percent / weights[of_kind].sum()
    return _cumulative(weights)


def _cumulative(weights: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    cumulative: npt.NDArray[np.float64] = np.cumsum(weights) / weights.sum()
    cumulative[-1] = 1.0
    return cumulative
