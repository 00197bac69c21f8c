"""The numbers of a report, from the marts of one store.

Belongs here: reading marts, and sums, means and changes of them. Does not: pictures (``charts``) and sentences
(``page``).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import TYPE_CHECKING

from taxi_platform.contracts.contract import Contract
from taxi_platform.contracts.model import SCHEMA
from taxi_platform.errors import StoreError
from taxi_platform.marts import MARTS
from taxi_platform.months import add_months, month_label
from taxi_platform.stores.model import TableStore

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Figure", "MonthFigures", "Series", "month_figures", "series"]


@dataclass(frozen=True)
class Figure:
    """One of the numbers at the head of a report, with the same of the month before and of the year before."""

    name: str
    value: float | None
    unit: str
    """``trips``, ``dollars``, ``mi`` or ``min``."""
    month_before: float | None
    year_before: float | None

    def change(self, before: float | None) -> float | None:
        """The change since then as a part of it: 0.1 is a tenth more; None where there is nothing to compare."""
        return None if not before or self.value is None else self.value / before - 1


@dataclass(frozen=True)
class MonthFigures:
    """What a report says of one dataset's file month."""

    dataset: str
    title: str
    """The dataset's name for people."""
    month: date
    head: Sequence[Figure]
    days: pd.DataFrame
    """Columns ``pickup_date``, ``trips``, ``total`` (dollars): the days of the month."""
    hours: pd.DataFrame
    """Columns ``weekday`` (0 is Monday), ``hour``, ``trips``: the mean of the month's such days."""
    zones: pd.DataFrame
    """Columns ``location_id``, ``borough``, ``zone``, ``trips``, ``before`` (a year ago, or null): pickups by zone."""
    marts: Mapping[str, pd.DataFrame] = field(default_factory=dict)
    """Mart → its rows of the month, of those that the dataset has."""
    strays: int = 0
    """Trips of the file whose pickup is in another month; they are in no picture by day or hour."""


@dataclass(frozen=True)
class Series:
    """What the index says of all months."""

    months: pd.DataFrame
    """Columns ``dataset``, ``file_month``, ``trips``, ``total`` (dollars)."""


def month_figures(store: TableStore, contract: Contract, month: date) -> MonthFigures:
    """The numbers of one month.

    Raises:
        StoreError: the store has no marts of that month.
    """
    before, year_before = add_months(month, -1), add_months(month, -12)
    days = {then: _rows(store, contract, "mart_service_day", then) for then in (month, before, year_before)}
    if days[month].empty:
        label = month_label(month)
        raise StoreError(
            f"{store} has no marts of {contract.dataset} {label}: taxi run --datasets {contract.dataset} "
            f"--months {label} brings them"
        )
    own = {mart.name: _rows(store, contract, mart.name, month) for mart in MARTS if mart.suits(contract)}
    in_month = days[month][_is_in(days[month]["pickup_date"], month)]
    return MonthFigures(
        dataset=contract.dataset,
        title=contract.title,
        month=month,
        head=_head(days[month], days[before], days[year_before]),
        days=in_month.assign(total=in_month["total_cents"] / 100)[["pickup_date", "trips", "total"]],
        hours=_hours(own.get("mart_zone_hour"), month),
        zones=_zones(store, own.get("mart_zone_hour"), _zone_hours(store, contract, year_before)),
        marts=own,
        strays=int(days[month]["trips"].sum() - in_month["trips"].sum()),
    )


def series(store: TableStore, contracts: Sequence[Contract]) -> Series:
    """Trips and revenue of every month that the store has marts of."""
    import pandas as pd

    found = []
    for contract in contracts:
        rows = _rows(store, contract, "mart_service_day", None, ["file_month", "trips", "total_cents"])
        summed = rows.groupby("file_month", as_index=False).sum(min_count=1)
        found.append(summed.assign(dataset=contract.dataset, total=summed["total_cents"] / 100))
    columns = ["dataset", "file_month", "trips", "total"]
    return Series(pd.concat(found, ignore_index=True)[columns])


def _rows(
    store: TableStore, contract: Contract, mart: str, month: date | None, columns: Sequence[str] | None = None
) -> pd.DataFrame:
    """A mart's rows of one month, or of all; without rows where the store has no such table."""
    import pandas as pd

    table = f"{SCHEMA}.{contract.dataset}_{mart}"
    if store.existing_table(table) is None:
        named = columns or ["file_month", *next(m for m in MARTS if m.name == mart).view.column_names[2:]]
        return pd.DataFrame({name: pd.Series(dtype="float64") for name in named})
    with store.read_months(table, None if month is None else [month], columns) as reader:
        found: pd.DataFrame = reader.read_pandas()
    return found


def _is_in(days: pd.Series, month: date) -> pd.Series:
    import pandas as pd

    stamps = pd.to_datetime(days)
    return (stamps >= pd.Timestamp(month)) & (stamps < pd.Timestamp(add_months(month, 1)))


def _head(now: pd.DataFrame, before: pd.DataFrame, year_before: pd.DataFrame) -> list[Figure]:
    numbers = [_numbers(rows) for rows in (now, before, year_before)]
    units = {
        "Trips": "trips",
        "Revenue": "dollars",
        "Mean fare": "dollars",
        "Mean distance": "mi",
        "Mean duration": "min",
    }
    return [Figure(name, numbers[0][name], unit, numbers[1][name], numbers[2][name]) for name, unit in units.items()]


def _numbers(days: pd.DataFrame) -> dict[str, float | None]:
    sums = days.drop(columns=["file_month", "pickup_date"]).sum(min_count=1)

    def by(total: str, count: str, divisor: float) -> float | None:
        has_any = sums[count] and sums[count] > 0
        return float(sums[total] / sums[count] / divisor) if has_any else None

    return {
        "Trips": float(sums["trips"]) if sums["trips"] > 0 else None,
        "Revenue": float(sums["total_cents"] / 100) if sums["charged_trips"] > 0 else None,
        "Mean fare": by("fare_cents", "fared_trips", 100),
        "Mean distance": by("distance_hundredths", "measured_trips", 100),
        "Mean duration": by("duration_seconds", "timed_trips", 60),
    }


def _hours(zone_hours: pd.DataFrame | None, month: date) -> pd.DataFrame:
    import pandas as pd

    if zone_hours is None or zone_hours.empty:
        return pd.DataFrame({"weekday": [], "hour": [], "trips": []})
    own = zone_hours[_is_in(zone_hours["pickup_hour"], month)]
    hour = pd.to_datetime(own["pickup_hour"])
    trips = own.assign(weekday=hour.dt.dayofweek, hour=hour.dt.hour).groupby(["weekday", "hour"])["trips"].sum()
    days = pd.Series(pd.date_range(month, periods=(add_months(month, 1) - month).days).dayofweek).value_counts()
    full = trips.reindex(pd.MultiIndex.from_product([range(7), range(24)], names=["weekday", "hour"]), fill_value=0)
    found = full.reset_index()
    return found.assign(trips=found["trips"] / found["weekday"].map(days))


def _zone_hours(store: TableStore, contract: Contract, month: date) -> pd.DataFrame:
    return _rows(store, contract, "mart_zone_hour", month, ["pickup_location_id", "trips"])


def _zones(store: TableStore, now: pd.DataFrame | None, before: pd.DataFrame) -> pd.DataFrame:
    import pandas as pd

    columns = ["location_id", "borough", "zone", "trips", "before"]
    if now is None or now["pickup_location_id"].isna().all():
        return pd.DataFrame(columns=columns)
    with store.read_months(f"{SCHEMA}.zones", None, columns[:3]) as reader:
        zones: pd.DataFrame = reader.read_pandas()
    then = before.groupby("pickup_location_id")["trips"].sum() if len(before) else None
    trips = now.groupby("pickup_location_id")["trips"].sum()
    known = zones.assign(
        trips=zones["location_id"].map(trips).fillna(0).astype("int64"),
        before=math.nan if then is None else zones["location_id"].map(then).fillna(0).astype("float64"),
    )
    return known[columns].sort_values(["trips", "location_id"], ascending=[False, True])
