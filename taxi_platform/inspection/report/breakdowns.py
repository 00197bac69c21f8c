"""Parts of a month's trips under short labels: pairs of zones, fares, tips, airports, the congestion zone, companies.

Belongs here: which mart a breakdown is of, and its labels and values. Does not: reading marts (``figures``) and drawing
(``charts``).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["BREAKDOWNS", "Breakdown", "breakdowns"]

_TOP = 12
_MOST_DOLLARS, _MOST_MILES = 60, 20


@dataclass(frozen=True)
class Breakdown:
    """Labels with a value each, in the order in which they are shown."""

    section: str
    caption: str
    label: str
    """What the labels are: the head of their column."""
    value: str
    """What the values are: the head of their column, and of the axis."""
    is_share: bool
    rows: pd.DataFrame
    """Columns ``label``, ``value``."""


def breakdowns(marts: Mapping[str, pd.DataFrame], zones: Mapping[int, str]) -> Iterator[Breakdown]:
    """Every breakdown of which the month has rows.

    Args:
        marts: mart → its rows of the month.
        zones: location id → the name by which the page calls the zone.
    """
    for mart, section, caption, label, value, make in BREAKDOWNS:
        rows = marts.get(mart)
        if rows is not None and len(rows):
            made = make(rows, zones)
            if len(made):
                yield Breakdown(section, caption, label, value, value.startswith("share"), made)


def _pairs(rows: pd.DataFrame, zones: Mapping[int, str]) -> pd.DataFrame:
    ends = ["pickup_location_id", "dropoff_location_id"]
    trips = rows.dropna(subset=ends).groupby(ends, as_index=False)["trips"].sum()
    top = trips[trips["trips"] > 0].sort_values("trips", ascending=False, kind="stable").head(_TOP)
    starts, stops = (top[end].astype(int) for end in ends)
    labels = [f"{_zone(zones, start)} → {_zone(zones, stop)}" for start, stop in zip(starts, stops, strict=True)]
    return _labelled(dict(zip(labels, top["trips"], strict=True)))


def _fares(rows: pd.DataFrame, _: Mapping[int, str]) -> pd.DataFrame:
    """By five dollars, the last with all above."""
    known = rows[rows["fare_bin"] >= 0]
    by_five = known.groupby((known["fare_bin"].clip(upper=_MOST_DOLLARS) // 5 * 5).astype(int))["trips"].sum()
    return _labelled({_bound(start, 5, _MOST_DOLLARS, "$"): value for start, value in by_five.items()})


def _tips(rows: pd.DataFrame, _: Mapping[int, str]) -> pd.DataFrame:
    """Of trips paid by card, the only ones whose tips are on record for taxis; of the others, all."""
    cards = rows[rows["payment_type_name"].fillna("").str.contains("card")]
    known = (cards if len(cards) else rows).query("miles_bin >= 0")
    sums = known.groupby(known["miles_bin"].clip(upper=_MOST_MILES).astype(int) // 2 * 2)[
        ["tip_cents", "fare_cents"]
    ].sum()
    sums = sums[sums["fare_cents"] > 0]
    shares = sums["tip_cents"] / sums["fare_cents"]
    return _labelled({_bound(start, 2, _MOST_MILES, "", " mi"): value for start, value in shares.items()})


def _airports(rows: pd.DataFrame, _: Mapping[int, str]) -> pd.DataFrame:
    found = {}
    for way, column in (("from", "pickup_airport"), ("to", "dropoff_airport")):
        found.update({f"{way} {airport}": trips for airport, trips in rows.groupby(column)["trips"].sum().items()})
    return _labelled(dict(sorted(found.items(), key=lambda item: -item[1])))


def _congestion_zone(rows: pd.DataFrame, _: Mapping[int, str]) -> pd.DataFrame:
    names = {
        (True, True): "within the zone",
        (False, True): "into it",
        (True, False): "out of it",
        (False, False): "elsewhere",
    }
    known = rows.dropna(subset=["pickup_in_cbd", "dropoff_in_cbd"])
    trips = known.groupby(["pickup_in_cbd", "dropoff_in_cbd"])["trips"].sum().to_dict()
    return _labelled({name: trips[ends] for ends, name in names.items() if ends in trips})


def _companies(rows: pd.DataFrame, _: Mapping[int, str]) -> pd.DataFrame:
    trips = rows.assign(name=rows["company"].fillna(rows["vendor"])).groupby("name")["trips"].sum()
    return _labelled({str(name): count for name, count in trips.sort_values(ascending=False).items()})


BREAKDOWNS: tuple[tuple[str, str, str, str, str, Callable[[pd.DataFrame, Mapping[int, str]], pd.DataFrame]], ...] = (
    ("mart_pair_month", "Where", f"The {_TOP} busiest ways from zone to zone", "Way", "trips", _pairs),
    ("mart_fare_histogram", "Fares and tips", "Trips by fare", "Fare", "trips", _fares),
    (
        "mart_tips_month",
        "Fares and tips",
        "Tips by distance, as a share of the fare",
        "Distance",
        "share of the fare",
        _tips,
    ),
    ("mart_airport_trips", "Airports and the congestion zone", "Trips from and to airports", "Way", "trips", _airports),
    (
        "mart_cbd_day",
        "Airports and the congestion zone",
        "Trips by the congestion relief zone (Manhattan up to 60th Street, charged since 2025-01-05)",
        "Way",
        "trips",
        _congestion_zone,
    ),
    ("mart_company_day", "Companies", "Trips by company", "Company", "trips", _companies),
)
"""Mart, section, caption, what the labels are, what the values are, and what makes the rows."""


def _zone(zones: Mapping[int, str], number: int) -> str:
    return zones.get(number, str(number))


def _bound(start: object, width: int, last: int, before: str, after: str = "") -> str:
    low = int(str(start))
    return f"{before}{last}{after} and more" if low >= last else f"{before}{low} to {before}{low + width}{after}"


def _labelled(values: Mapping[str, float]) -> pd.DataFrame:
    import pandas as pd

    return pd.DataFrame({"label": list(values), "value": list(values.values())})
