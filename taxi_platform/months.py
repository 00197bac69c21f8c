"""A month of one dataset as a value: the unit of everything that is fetched, stored and replaced.

Belongs here: ``TripMonth`` and the reading and writing of months and month ranges as text.
Does not: Dagster's partition definitions (``orchestration.partitions``) and which months a dataset has (``contracts``).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from taxi_platform.errors import SettingsError

__all__ = ["TripMonth", "add_months", "month_label", "parse_month", "parse_month_range"]

_MONTH = re.compile(r"([12]\d{3})-(0[1-9]|1[0-2])(-01)?", re.ASCII)


@dataclass(frozen=True, order=True)
class TripMonth:
    """One upstream file: a dataset and the month in the file's name (not the month of a pickup)."""

    dataset: str
    first_day: date

    def __post_init__(self) -> None:
        if self.first_day.day != 1:
            raise ValueError(f"a month starts on its first day, not on {self.first_day}")

    @property
    def label(self) -> str:
        """``2020-03``, the form in upstream's file names."""
        return month_label(self.first_day)

    @property
    def partition_key(self) -> str:
        """``2020-03-01``, the form of Dagster's monthly partitions and of the ``file_month`` column."""
        return self.first_day.isoformat()

    @property
    def bounds(self) -> tuple[datetime, datetime]:
        """The first instants of the month and of the next one, in New York wall-clock time without a zone."""
        following = add_months(self.first_day, 1)
        return (
            datetime(self.first_day.year, self.first_day.month, 1),
            datetime(following.year, following.month, 1),
        )

    @property
    def accepted_pickups(self) -> tuple[datetime, datetime]:
        """The first accepted pickup, and the end (excluded): the month with a day on either side."""
        start, end = self.bounds
        return start - timedelta(days=1), end + timedelta(days=1)

    def __str__(self) -> str:
        return f"{self.dataset} {self.label}"


def month_label(first_day: date) -> str:
    """``date(2020, 3, 1)`` → ``2020-03``."""
    return f"{first_day:%Y-%m}"


def add_months(first_day: date, count: int) -> date:
    """The first day of the month ``count`` months after (or, negative, before) ``first_day``."""
    months = first_day.year * 12 + first_day.month - 1 + count
    return date(months // 12, months % 12 + 1, 1)


def parse_month(text: str) -> date:
    """The first day of the month that ``2020-03`` or ``2020-03-01`` names; raises `SettingsError` for other text."""
    match = _MONTH.fullmatch(text.strip())
    if match is None:
        raise SettingsError(f"{text!r} is not a month: write it as 2020-03")
    return date(int(match[1]), int(match[2]), 1)


def parse_month_range(text: str) -> tuple[date, ...]:
    """The first days of the months in ``2020-03``, ``2020-03..2020-08`` (both ends included), or a list with commas.

    The result is in calendar order, without repeats. Raises `SettingsError` for other text.
    """
    if not text.strip():
        raise SettingsError("no month is named: write 2020-03, 2020-03..2020-08, or several of these with commas")
    months: set[date] = set()
    for part in text.split(","):
        first, dots, last = part.partition("..")
        if dots and not (first.strip() and last.strip()):
            raise SettingsError(f"the range {part.strip()!r} has an open end: write it as 2020-03..2020-08")
        months.update(_between(parse_month(first), parse_month(last if dots else first)))
    return tuple(sorted(months))


def _between(first: date, last: date) -> Iterator[date]:
    if last < first:
        raise SettingsError(
            f"the range {month_label(first)}..{month_label(last)} runs backwards: write the earlier month first"
        )
    while first <= last:
        yield first
        first = add_months(first, 1)
