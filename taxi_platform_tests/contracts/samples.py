"""A small fifth dataset, as somebody adding one would declare it, and real files' column names."""

from __future__ import annotations

import csv
import gzip
import re
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pyarrow.parquet as pq

from taxi_platform.contracts import CONTRACTS
from taxi_platform.contracts.common import PICKUP_DATETIME, documented, spelled
from taxi_platform.contracts.contract import Contract
from taxi_platform.contracts.model import ALWAYS, Column, ColumnType
from taxi_platform.contracts.rules import OutsideRange, PickupOutsideFileMonth, TimestampMissing
from taxi_platform.months import TripMonth, parse_month

FERRY = Contract(
    dataset="ferry",
    title="ferry",
    description="Trips of a made-up ferry.",
    first_month=date(2024, 5, 1),
    rules=(
        TimestampMissing("timestamp_missing", ("pickup_datetime",)),
        PickupOutsideFileMonth("pickup_outside_file_month", "pickup_datetime"),
        OutsideRange("fare_impossible", ("fare",), 0, 100),
    ),
    unified={"vendor": "boat", "fare_amount": "fare"},
    cluster_by=("pickup_datetime", "boat"),
    columns=documented(
        "https://ferry.example.org/ferry-dictionary.pdf",
        Column(
            "boat",
            ColumnType.TEXT,
            'Which boat; it\'s "the" one | none other.',
            ("Boat", "vessel"),
            codes={"A": "Alice", "B": "Bob's"},
            recodes={"alice": "A"},
            required=ALWAYS,
        ),
        spelled(PICKUP_DATETIME, "left_at"),
        Column("fare", ColumnType.DOUBLE, "Fare of the ride.", unit="US dollars"),
    ),
)


def real_columns(tlc: Path) -> Iterator[tuple[TripMonth, str, list[str]]]:
    """Month, file name and column names of every real file."""
    for path in sorted(tlc.glob("**/*_tripdata_*")):
        named = re.match(r"(\w+)_tripdata_(\d{4}-\d{2})\.", path.name)
        assert named is not None
        yield TripMonth(CONTRACTS[named[1]].dataset, parse_month(named[2])), path.name, _columns(path)


def _columns(path: Path) -> list[str]:
    if path.suffix == ".parquet":
        return list(pq.read_schema(path).names)
    with gzip.open(path, "rt") if path.suffix == ".gz" else path.open() as lines:
        return next(csv.reader(lines))
