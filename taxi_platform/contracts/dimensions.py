"""``taxi.dates`` and ``taxi.codes``: small tables that the platform makes by itself, for every store.

Belongs here: their declarations, their rows, and the version by which anybody sees that rows are out of date. Does not:
where they are kept (``stores.lake.dimensions``).
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from importlib.metadata import version
from types import MappingProxyType

from taxi_platform.contracts import CONTRACTS
from taxi_platform.contracts.contract import Contract
from taxi_platform.contracts.model import Column, ColumnType, Table

__all__ = ["CODES", "DATES", "DIMENSIONS", "Dimension", "code_rows", "date_rows"]

_FIRST_DAY = date(2009, 1, 1)
_WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_SATURDAY = 6


def _filled(name: str, kind: ColumnType, description: str) -> Column:
    return Column(name, kind, description, nullable=False)


DATES = Table(
    "dates",
    "Every day from 2009-01-01 to the end of next year, with its place in the calendar and its holiday in New York.",
    (
        _filled("date", ColumnType.DATE, "The day."),
        _filled("year", ColumnType.SMALLINT, "Calendar year."),
        _filled("quarter", ColumnType.SMALLINT, "Quarter of the calendar year, 1 to 4."),
        _filled("month", ColumnType.SMALLINT, "Month, 1 to 12."),
        _filled("day", ColumnType.SMALLINT, "Day of the month."),
        _filled("iso_year", ColumnType.SMALLINT, "Year of the ISO 8601 week."),
        _filled("iso_week", ColumnType.SMALLINT, "ISO 8601 week, 1 to 53; it begins on Monday."),
        _filled("weekday", ColumnType.SMALLINT, "Day of the week, 1 for Monday to 7 for Sunday."),
        _filled("weekday_name", ColumnType.TEXT, "English name of the day of the week."),
        _filled("is_weekend", ColumnType.BOOLEAN, "Whether it is a Saturday or a Sunday."),
        Column(
            "holiday",
            ColumnType.TEXT,
            "Public holidays of the United States and of New York State on that day, and those observed on another day "
            "than their own, separated by a semicolon; null on other days. By the Python package holidays.",
            source="https://github.com/vacanza/holidays",
        ),
        _filled("is_holiday", ColumnType.BOOLEAN, "Whether the day has a holiday."),
    ),
    key=("date",),
)

CODES = Table(
    "codes",
    "Every code of every coded column of the datasets, with its label.",
    (
        _filled("table_name", ColumnType.TEXT, "Table that has the column, such as green_trips."),
        _filled("column_name", ColumnType.TEXT, "The column."),
        _filled("code", ColumnType.TEXT, "The code, as text."),
        _filled("label", ColumnType.TEXT, "What the code means."),
    ),
    key=("table_name", "column_name", "code"),
)

Row = tuple[object, ...]


@dataclass(frozen=True)
class Dimension:
    """A table that is made of what the platform knows, and of nothing that upstream publishes."""

    table: Table
    rows: Callable[[], Iterator[Row]]
    """The rows as they are today, in the order of the key."""
    made_from: Callable[[], str]
    """What the rows depend on, as text; cheap to get."""

    @property
    def version(self) -> str:
        """A digest that changes when the rows can have changed."""
        return hashlib.sha256(f"{self.table!r} {self.made_from()}".encode()).hexdigest()


def date_rows(last_year: int) -> Iterator[Row]:
    """The rows of `DATES` to the end of that year."""
    from holidays import country_holidays

    named = country_holidays("US", subdiv="NY", years=range(_FIRST_DAY.year, last_year + 1))
    day = _FIRST_DAY
    while day.year <= last_year:
        iso, holiday = day.isocalendar(), named.get(day)
        yield (
            day,
            day.year,
            (day.month + 2) // 3,
            day.month,
            day.day,
            iso.year,
            iso.week,
            iso.weekday,
            _WEEKDAYS[iso.weekday - 1],
            iso.weekday >= _SATURDAY,
            holiday,
            holiday is not None,
        )
        day += timedelta(days=1)


def code_rows(contracts: Iterable[Contract]) -> Iterator[Row]:
    """The rows of `CODES` for those datasets."""
    rows = (
        (contract.trips.name, column.name, str(code), label)
        for contract in contracts
        for column in contract.columns
        for code, label in column.codes.items()
    )
    return iter(sorted(rows))


def _next_year() -> int:
    return date.today().year + 1  # noqa: DTZ011 - any clock will do


DIMENSIONS: Mapping[str, Dimension] = MappingProxyType(
    {
        DATES.name: Dimension(
            DATES, lambda: date_rows(_next_year()), lambda: f"{_next_year()} holidays {version('holidays')}"
        ),
        CODES.name: Dimension(
            CODES, lambda: code_rows(CONTRACTS.values()), lambda: repr(list(code_rows(CONTRACTS.values())))
        ),
    }
)
"""Every such table, by name."""
