"""Small real months of taxis, and generated ones of an app, loaded with their marts; and the same rows for pandas.

Belongs here: the set-up, and the trips as a frame with whole cents. Does not: what is expected of marts.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.csv as pc

from taxi_platform.cleaning import clean_month
from taxi_platform.contracts import CONTRACTS
from taxi_platform.contracts.contract import Contract
from taxi_platform.contracts.dimensions import DIMENSIONS
from taxi_platform.contracts.model import ColumnType
from taxi_platform.contracts.schemas import arrow_schema
from taxi_platform.contracts.unified import UNIFIED_COLUMNS
from taxi_platform.contracts.zones import AIRPORTS, CONGESTION_ZONE, MAPPED_ZONES, ZONES
from taxi_platform.ingest import stage_raw
from taxi_platform.marts import marts_of
from taxi_platform.references import CleanMonth
from taxi_platform.sources.model import Download, Version
from taxi_platform.stores.lake.lake import Lake
from taxi_platform.stores.testing.marts import StoreOfMarts
from taxi_platform.stores.testing.months import staged_tables

__all__ = ["RealMonths", "filled", "real_months"]

_REAL = {
    "yellow": ("dtc/yellow/yellow_tripdata_2019-01.csv.gz", "dtc/yellow/yellow_tripdata_2020-01.csv.gz"),
    "green": ("dtc/green/green_tripdata_2020-04.csv.gz",),
}
_APP_MONTH = date(2025, 1, 1)
_CENTS = {
    **{f"{name}_amount": f"{name}_cents" for name in ("fare", "tip", "tolls", "total")},
    "trip_distance": "distance_hundredths",
    "congestion_surcharge": "congestion_cents",
    "airport_fee": "airport_fee_cents",
    "cbd_congestion_fee": "cbd_fee_cents",
}


@dataclass(frozen=True)
class RealMonths:
    """Months in a lake, and the same as frames."""

    lake: Lake
    clean: tuple[CleanMonth, ...]
    trips: pd.DataFrame
    """All trips in the shape of taxi.trips, with dataset, whole cents and what is derived from times and zones."""
    zones: pd.DataFrame


def real_months(tlc: Path, folder: Path) -> RealMonths:
    """The months, cleaned."""
    lake = Lake(str(folder / "lake"))
    clean = [_cleaned(lake, dataset, tlc / name, folder) for dataset, names in _REAL.items() for name in names]
    clean.append(_app_month(lake, folder))
    frames = [_frame(lake, month) for month in clean]
    zones = pc.read_csv(tlc / "tlc/misc/taxi_zone_lookup.csv").to_pandas()
    zones.columns = pd.Index(ZONES.column_names[: len(zones.columns)])
    # Centres of its own: any will do, and the two zones without a shape have none.
    shaped = zones["location_id"].where(zones["location_id"] < 264).astype("Float64")
    zones["centroid_longitude"], zones["centroid_latitude"] = -74.2 + shaped / 500, 40.5 + shaped % 17 / 40
    zones["area_square_miles"] = shaped / 100
    zones["is_airport"] = zones["location_id"].isin(AIRPORTS)
    zones["is_congestion_zone"] = zones["location_id"].isin(CONGESTION_ZONE)
    return RealMonths(lake, tuple(clean), pd.concat(frames, ignore_index=True), zones)


@contextmanager
def filled(store: StoreOfMarts, months: RealMonths) -> Iterator[StoreOfMarts]:
    """The store with the zones, dates, codes, months and marts."""
    rows = pa.Table.from_pandas(months.zones, arrow_schema(MAPPED_ZONES), preserve_index=False)
    store.replace_table(MAPPED_ZONES, rows)
    for dimension in DIMENSIONS.values():
        names = dimension.table.column_names
        made = [dict(zip(names, row, strict=True)) for row in dimension.rows()]
        store.replace_table(dimension.table, pa.Table.from_pylist(made, arrow_schema(dimension.table)))
    for clean in months.clean:
        contract = CONTRACTS[clean.month.dataset]
        store.replace_month(contract, clean, months.lake)
        store.make_marts(contract, marts_of(contract), clean.file_month)
    store.refresh_views(list(CONTRACTS.values()))
    store.refresh_mart_views(list(CONTRACTS.values()))
    yield store


def _cleaned(lake: Lake, dataset: str, file: Path, folder: Path) -> CleanMonth:
    contract = CONTRACTS[dataset]
    first_day = date.fromisoformat(f"{file.name.partition('tripdata_')[2][:7]}-01")
    version = Version(url=str(file), token="t", etag=None)
    download = Download(version, file, hashlib.sha256(file.read_bytes()).hexdigest(), file.stat().st_size)
    work = folder / f"{dataset}-{first_day}"
    work.mkdir()
    staged = stage_raw(contract, contract.month(first_day), download, work)
    return lake.store_clean(clean_month(contract, staged.raw, staged.file, work))


def _app_month(lake: Lake, folder: Path) -> CleanMonth:
    """A month of an app around the first day of congestion pricing; no real file of it is small."""
    contract, rows = CONTRACTS["fhvhv"], 2_000
    random = np.random.default_rng(7)
    begins = pd.Timestamp(_APP_MONTH) + pd.to_timedelta(random.integers(0, 31 * 86_400, rows), "s")
    fee = np.where(begins >= pd.Timestamp("2025-01-05"), random.choice([0.0, 1.5], rows), 0.0)
    trips = pd.DataFrame(
        {
            "file_month": _APP_MONTH,
            "hvfhs_license_num": random.choice(["HV0003", "HV0005"], rows),
            "pickup_datetime": begins,
            "dropoff_datetime": begins + pd.to_timedelta(random.integers(30, 7_000, rows), "s"),
            "pickup_location_id": random.choice([4, 7, 132, 161, 230, 265], rows),
            "dropoff_location_id": random.choice([1, 7, 48, 138, 200], rows),
            "trip_miles": random.integers(0, 6_000, rows) / 100,
            "base_passenger_fare": random.integers(-500, 40_000, rows) / 100,
            "tips": random.choice([0.0, 1.25, 5.0], rows),
            "cbd_congestion_fee": fee,
        }
    )
    wanted = arrow_schema(contract.trips)
    arrow = pa.Table.from_pylist(trips.to_dict("records"), wanted)
    rejected = arrow_schema(contract.quarantine).empty_table()
    return lake.store_clean(staged_tables(folder / "app", "c1", contract.month(_APP_MONTH), arrow, rejected))


def _frame(lake: Lake, clean: CleanMonth) -> pd.DataFrame:
    contract: Contract = CONTRACTS[clean.month.dataset]
    with lake.open_parquet(clean.trips_path) as file:
        rows = file.read().to_pandas(integer_object_nulls=True)
    frame = pd.DataFrame(
        {
            name: pd.Series(rows.get(contract.unified.get(name, name)), rows.index, _DTYPES.get(kind, "object"))
            for name, kind in UNIFIED_COLUMNS
        }
    )
    frame.insert(0, "dataset", clean.month.dataset)
    for amount, cents in _CENTS.items():
        frame[cents] = _hundredths(frame[amount])
    begins, ends = (pd.to_datetime(frame[f"{end}_datetime"]) for end in ("pickup", "dropoff"))
    frame["duration_seconds"] = ((ends - begins).dt.total_seconds()).astype("Int64")
    frame["pickup_date"] = begins.dt.date
    frame["pickup_hour"] = begins.dt.floor("h")
    for end in ("pickup", "dropoff"):
        airports = frame[f"{end}_location_id"].map({1: "EWR", 132: "JFK", 138: "LGA"})
        frame[f"{end}_airport"] = airports.astype("string")
        frame[f"{end}_in_cbd"] = frame[f"{end}_location_id"].isin(CONGESTION_ZONE)
    return frame


_DTYPES = {
    **dict.fromkeys((ColumnType.SMALLINT, ColumnType.INTEGER, ColumnType.BIGINT), "Int64"),
    ColumnType.DOUBLE: "Float64",
    ColumnType.TEXT: "string",
    ColumnType.TIMESTAMP: "datetime64[us]",
}


def _hundredths(amounts: pd.Series[Any]) -> pd.Series[Any]:
    """Whole hundredths, halves away from zero."""
    values = pd.Series(amounts.to_numpy("float64", na_value=np.nan))
    values = values.where(values.abs() < 1e7)
    return pd.Series((np.sign(values) * np.floor(values.abs() * 100 + 0.5)).round(), dtype="Int64")
