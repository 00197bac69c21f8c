"""Draws yellow and green trips.

Belongs here: meters, tariffs by date (TLC's rate cards), tips, and the columns that late records lack. Does not:
mistakes (``dirt``). All money is in cents.
"""

# ruff: noqa: TID253 — only imported where a month is generated
from __future__ import annotations

from datetime import date

import numpy as np

from taxi_platform.sources.sample.city import AIRPORTS, City
from taxi_platform.sources.sample.rows import Ints, Rows

__all__ = ["LATE_BLOCK", "draw_taxis"]

LATE_BLOCK = (
    "passenger_count",
    "rate_code_id",
    "store_and_fwd_flag",
    "trip_type",
    "congestion_surcharge",
    "airport_fee",
)
"""Columns that records from dispatch systems (since 2019) lack, always all together."""
_MTA_TAX_SINCE = date(2009, 11, 1)
_RATE_CODES_SINCE = date(2010, 1, 1)
_FARE_RISE_2012 = date(2012, 10, 1)
_IMPROVEMENT_SINCE = date(2015, 1, 1)
_CONGESTION_SINCE = date(2019, 2, 1)
_LATE_SINCE = date(2019, 7, 1)
_AIRPORT_FEE_SINCE = date(2021, 4, 1)
_FARE_RISE_2022 = date(2023, 1, 1)
_CBD_FEE_SINCE = date(2025, 1, 1)
_ZONES_SINCE = date(2016, 7, 1)
_TEXT_ERA_ENDS = date(2015, 1, 1)
_TOLL = 655
_JFK, _NEGOTIATED = 2, 5


def draw_taxis(rng: np.random.Generator, count: int, city: City) -> Rows:
    """Draw ``count`` plausible trips without mistakes."""
    rows = Rows(city.month.dataset, count, texts={"store_and_fwd_flag": ("N", "Y"), "request_source": ("A", "S")})
    _trips(rng, rows, city)
    _codes(rng, rows, city)
    _money(rng, rows, city)
    if city.month.first_day < _ZONES_SINCE:
        _coordinates(rng, rows)
    _late_records(rng, rows, city)
    if city.month.first_day < _RATE_CODES_SINCE:
        del rows.values["rate_code_id"]
    return rows


def _trips(rng: np.random.Generator, rows: Rows, city: City) -> None:
    start, end = city.locations(rng, rows.count)
    distance, seconds = city.journeys(rng, start, end)
    pickup = city.pickup_times(rng, rows.count)
    vendor = _pick(rng, rows.count, {1: 30, 2: 70} if rows.dataset == "yellow" else {1: 15, 2: 85})
    if city.month.first_day < _TEXT_ERA_ENDS and rows.dataset == "yellow":
        by_minute = vendor == 2  # that vendor recorded whole minutes then
        pickup, seconds = (np.where(by_minute, v // 60 * 60, v) for v in (pickup, seconds))
    rows.values |= {
        "vendor_id": vendor,
        "pickup_datetime": pickup,
        "dropoff_datetime": pickup + seconds,
        "pickup_location_id": start,
        "dropoff_location_id": end,
        "trip_distance": distance,
    }


def _codes(rng: np.random.Generator, rows: Rows, city: City) -> None:
    start, end = rows.values["pickup_location_id"], rows.values["dropoff_location_id"]
    jfk = ((start == AIRPORTS[0]) | (end == AIRPORTS[0])) & city.touches_core(start, end)
    negotiated = rng.random(rows.count) < (0.005 if rows.dataset == "yellow" else 0.03)
    rows.values |= {
        "rate_code_id": np.where(negotiated, _NEGOTIATED, np.where(jfk, _JFK, 1)),
        "passenger_count": _pick(
            rng, rows.count, {0: 1.5, 1: 72, 2: 14, 3: 4, 4: 2, 5: 4, 6: 2.49, 7: 0.005, 9: 0.005}
        ),
        "payment_type": _pick(
            rng, rows.count, {1: 70 if rows.dataset == "yellow" else 56, 2: 30, 3: 0.6, 4: 0.25, 5: 0.001}
        ),
        "store_and_fwd_flag": (rng.random(rows.count) < 0.006).astype(np.int64),
        "request_source": (rng.random(rows.count) < 0.2).astype(np.int64),
    }
    if rows.dataset == "green":
        rows.values["trip_type"] = np.where(negotiated, 2, 1)


def _money(rng: np.random.Generator, rows: Rows, city: City) -> None:
    month, values, none = city.month.first_day, rows.values, np.zeros(rows.count, dtype=np.int64)
    start, end = values["pickup_location_id"], values["dropoff_location_id"]
    metered = values["rate_code_id"] != _NEGOTIATED
    modern = month >= _FARE_RISE_2022
    values |= {
        "fare_amount": _fares(rng, rows, month),
        "extra": np.where(metered, _extras(values["pickup_datetime"], modern), 0),
        "mta_tax": np.where(metered, 50, 0),
        "tolls_amount": np.where(rng.random(rows.count) < 0.04, _TOLL, 0),
        "improvement_surcharge": none + (0 if month < _IMPROVEMENT_SINCE else 100 if modern else 30),
        "congestion_surcharge": np.where(
            city.touches_core(start, end) & metered, 250 if rows.dataset == "yellow" else 275, 0
        ),
    }
    if rows.dataset == "yellow" and month >= _AIRPORT_FEE_SINCE:
        values["airport_fee"] = np.where(np.isin(start, AIRPORTS), 175 if modern else 125, 0)
    if month >= _CBD_FEE_SINCE:
        values["cbd_congestion_fee"] = np.where(city.touches_core(start, end), 75, 0)
    if month < _MTA_TAX_SINCE:
        del values["mta_tax"]
    if month < _CONGESTION_SINCE:
        del values["congestion_surcharge"]
    _tips_and_totals(rng, rows)


def _fares(rng: np.random.Generator, rows: Rows, month: date) -> Ints:
    drop, per_unit = (250, 40) if month < _FARE_RISE_2012 else (250, 50) if month < _FARE_RISE_2022 else (300, 70)
    seconds = rows.values["dropoff_datetime"] - rows.values["pickup_datetime"]
    # A unit is a fifth of a mile, or a minute in slow traffic.
    units = rows.values["trip_distance"] // 20 + seconds // 60 * 2 // 5
    flat = {_JFK: 5200 if month < _FARE_RISE_2022 else 7000}
    negotiated = rng.integers(10, 100, rows.count) * 100
    code = rows.values["rate_code_id"]
    return np.where(code == _NEGOTIATED, negotiated, np.where(code == _JFK, flat[_JFK], drop + per_unit * units))


def _extras(pickup: Ints, modern: bool) -> Ints:
    """The extra in cents: overnight (20 to 6 o'clock) and, on workdays, rush hour (16 to 20 o'clock)."""
    hour = pickup // 3600 % 24
    weekday = (pickup // 86400 + 3) % 7  # 1970-01-01 was a Thursday
    night, rush = (100, 250) if modern else (50, 100)
    is_rush = (hour >= 16) & (hour < 20) & (weekday < 5)
    return np.where((hour >= 20) | (hour < 6), night, np.where(is_rush, rush, 0))


def _tips_and_totals(rng: np.random.Generator, rows: Rows) -> None:
    values = rows.values
    parts = ("fare_amount", "extra", "mta_tax", "tolls_amount", "improvement_surcharge", "congestion_surcharge")
    due = sum((values[name] for name in parts if name in values), np.zeros(rows.count, dtype=np.int64))
    due = due + values.get("airport_fee", 0) + values.get("cbd_congestion_fee", 0)
    percent = rng.choice(np.array([0, 10, 15, 20, 20, 20, 25, 30]), rows.count)
    tip = np.where(values["payment_type"] == 1, due * percent // 100, 0)
    values |= {"tip_amount": tip, "total_amount": due + tip}
    if "congestion_surcharge" in values:
        # Vendor 1 reports the surcharge in `extra` as well, so its totals do not sum.
        values["extra"] = values["extra"] + np.where(values["vendor_id"] == 1, values["congestion_surcharge"], 0)


def _coordinates(rng: np.random.Generator, rows: Rows) -> None:
    """Draw longitude and latitude in millionths of a degree; a few meters had no position and wrote 0."""
    for end in ("pickup", "dropoff"):
        fixed = rng.random(rows.count) >= 0.015
        for axis, centre, spread in (("longitude", -73.975, 0.035), ("latitude", 40.75, 0.028)):
            degrees = np.where(fixed, rng.normal(centre, spread, rows.count), 0)
            rows.values[f"{end}_{axis}"] = np.rint(degrees * 1_000_000).astype(np.int64)


def _late_records(rng: np.random.Generator, rows: Rows, city: City) -> None:
    late = rng.random(rows.count) < _late_share(city)
    rows.blank(LATE_BLOCK, late)
    values = rows.values
    # Late records have fares agreed beforehand, to the cent, and an unknown way of payment.
    values["fare_amount"] = np.where(late, rng.integers(800, 6000, rows.count), values["fare_amount"])
    for name in ("extra", "mta_tax", "tolls_amount"):
        if name in values:
            values[name] = np.where(late, 0, values[name])
    values["tip_amount"] = np.where(late, 275, values["tip_amount"])
    flat = values["fare_amount"] + values["tip_amount"] + values["improvement_surcharge"]
    values["total_amount"] = np.where(late, flat, values["total_amount"])
    values["payment_type"] = np.where(late, 0, values["payment_type"])
    if rows.dataset == "green":
        rows.blank(("payment_type",), late)


def _late_share(city: City) -> float:
    if city.month.first_day < _LATE_SINCE:
        return 0.0
    year = city.month.first_day.year
    if city.month.dataset == "green":
        return 0.45 if year == 2020 else 0.3 if year < 2022 else 0.07
    return 0.01 if year < 2021 else 0.05 if year < 2024 else 0.1


def _pick(rng: np.random.Generator, count: int, percent: dict[int, float]) -> Ints:
    """Draw one of the keys for each row, weighted by their percentages."""
    edges = np.cumsum(np.array(list(percent.values())))
    picked: Ints = np.array(list(percent))[np.searchsorted(edges, rng.random(count) * edges[-1], side="right")]
    return picked
