"""Drawing for-hire vehicle trips: fhv, as bases report them, and fhvhv, as the app companies do.

Belongs here: these two datasets' columns. Does not: mistakes (``dirt``). All money is in cents.
"""

# ruff: noqa: TID253 — only imported where a month is generated
from __future__ import annotations

from datetime import date

import numpy as np

from taxi_platform.sources.sample.city import AIRPORTS, City
from taxi_platform.sources.sample.rows import Ints, Rows

__all__ = ["draw_app_trips", "draw_base_trips"]

_BASES = tuple(f"B{number:05d}" for number in range(1, 3400, 5))
_COMPANIES = ("HV0003", "HV0005", "HV0004", "HV0002")
_COMPANY_EDGES = (0.72, 0.96, 0.985)
_ONLY_TWO_COMPANIES_SINCE = date(2021, 1, 1)
_AIRPORT_FEE_SINCE = date(2021, 4, 1)
_CBD_FEE_SINCE = date(2025, 1, 1)
_YES_NO = ("N", "Y")


def draw_base_trips(rng: np.random.Generator, count: int, city: City) -> Rows:
    """Draw ``count`` fhv trips; most bases do not report where a trip began."""
    rows = Rows("fhv", count, texts={"dispatching_base_num": _BASES, "affiliated_base_number": _BASES})
    _trips(rng, rows, city)
    base = (len(_BASES) * rng.random(count) ** 2).astype(np.int64)
    rows.values |= {"dispatching_base_num": base, "affiliated_base_number": base}
    rows.blank(("affiliated_base_number",), rng.random(count) < 0.2)
    rows.blank(("pickup_location_id",), rng.random(count) < 0.75)
    rows.blank(("dropoff_location_id",), rng.random(count) < 0.2)
    rows.values["sr_flag"] = np.ones(count, dtype=np.int64)
    rows.blank(("sr_flag",), rng.random(count) < 0.97)
    return rows


def draw_app_trips(rng: np.random.Generator, count: int, city: City) -> Rows:
    """Draw ``count`` fhvhv trips; companies report every column, and money to the cent."""
    rows = Rows("fhvhv", count)
    _trips(rng, rows, city)
    company = np.searchsorted(_COMPANY_EDGES, rng.random(count), side="right")
    if city.month.first_day >= _ONLY_TWO_COMPANIES_SINCE:
        company = np.minimum(company, 1)
    base = company * 8 + rng.integers(0, 8, count)
    rows.values |= {"hvfhs_license_num": company, "dispatching_base_num": base, "originating_base_num": base}
    rows.texts |= {"hvfhs_license_num": _COMPANIES}
    rows.texts |= dict.fromkeys(("dispatching_base_num", "originating_base_num"), _BASES)
    rows.blank(("originating_base_num",), company == 1)
    _waiting(rng, rows)
    _money(rng, rows, city)
    _flags(rng, rows)
    return rows


def _trips(rng: np.random.Generator, rows: Rows, city: City) -> None:
    start, end = city.locations(rng, rows.count)
    distance, seconds = city.journeys(rng, start, end)
    pickup = city.pickup_times(rng, rows.count)
    rows.values |= {
        "pickup_datetime": pickup,
        "dropoff_datetime": pickup + seconds,
        "pickup_location_id": start,
        "dropoff_location_id": end,
    }
    if rows.dataset == "fhvhv":
        rows.values |= {"trip_miles": distance, "trip_time": seconds}


def _waiting(rng: np.random.Generator, rows: Rows) -> None:
    pickup = rows.values["pickup_datetime"]
    on_scene = pickup - rng.integers(0, 180, rows.count)
    rows.values |= {"on_scene_datetime": on_scene, "request_datetime": on_scene - rng.integers(30, 900, rows.count)}
    rows.blank(("on_scene_datetime",), rows.values["hvfhs_license_num"] == 1)


def _money(rng: np.random.Generator, rows: Rows, city: City) -> None:
    values, count = rows.values, rows.count
    start, end = values["pickup_location_id"], values["dropoff_location_id"]
    surge = rng.choice(np.array([100, 100, 100, 100, 120, 150, 200]), count)
    fare = (700 + values["trip_miles"] * 2 + values["trip_time"] * 3 // 4) * surge // 100
    tips = np.where(rng.random(count) < 0.16, fare * rng.integers(5, 30, count) // 100, 0)
    values |= {
        "base_passenger_fare": fare,
        "tolls": np.where(rng.random(count) < 0.07, 655, 0),
        "bcf": fare * 27 // 1000,
        "sales_tax": fare * 8875 // 100_000,
        "congestion_surcharge": np.where(city.touches_core(start, end), 275, 0),
        "tips": tips,
        "driver_pay": fare * 3 // 4,
    }
    if city.month.first_day >= _AIRPORT_FEE_SINCE:
        values["airport_fee"] = np.where(np.isin(start, AIRPORTS) | np.isin(end, AIRPORTS), 250, 0)
    if city.month.first_day >= _CBD_FEE_SINCE:
        values["cbd_congestion_fee"] = np.where(city.touches_core(start, end), 150, 0)


def _flags(rng: np.random.Generator, rows: Rows) -> None:
    shared = rng.random(rows.count) < 0.08
    rows.values |= {
        "shared_request_flag": _bits(shared),
        "shared_match_flag": _bits(shared & (rng.random(rows.count) < 0.3)),
        "access_a_ride_flag": np.where(rows.values["hvfhs_license_num"] == 0, 2, 0),
        "wav_request_flag": _bits(rng.random(rows.count) < 0.002),
        "wav_match_flag": _bits(rng.random(rows.count) < 0.07),
        "sr_flag": np.ones(rows.count, dtype=np.int64),
    }
    rows.blank(("sr_flag",), ~shared)
    rows.texts |= dict.fromkeys(
        ("shared_request_flag", "shared_match_flag", "wav_request_flag", "wav_match_flag"), _YES_NO
    )
    rows.texts["access_a_ride_flag"] = (*_YES_NO, " ")


def _bits(where: np.typing.NDArray[np.bool_]) -> Ints:
    return where.astype(np.int64)
