"""Raw months for tests of cleaning: rows as a person would list them, and what became of them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from taxi_platform.cleaning import CleaningOptions, clean_month
from taxi_platform.contracts import CONTRACTS
from taxi_platform.contracts.contract import Contract
from taxi_platform.references import CleanFacts, RawMonth, StagedClean

MARCH = date(2020, 3, 1)
YELLOW = CONTRACTS["yellow"]

TYPES: dict[str, pa.DataType] = {
    "VendorID": pa.int64(),
    "tpep_pickup_datetime": pa.timestamp("us"),
    "tpep_dropoff_datetime": pa.timestamp("us"),
    "passenger_count": pa.float64(),
    "trip_distance": pa.float64(),
    "RatecodeID": pa.float64(),
    "store_and_fwd_flag": pa.string(),
    "PULocationID": pa.int64(),
    "DOLocationID": pa.int64(),
    "payment_type": pa.int64(),
    "fare_amount": pa.float64(),
    "extra": pa.float64(),
    "mta_tax": pa.float64(),
    "tip_amount": pa.float64(),
    "tolls_amount": pa.float64(),
    "improvement_surcharge": pa.float64(),
    "total_amount": pa.float64(),
    "congestion_surcharge": pa.float64(),
    "airport_fee": pa.float64(),
}
"""A yellow month as TLC publishes 2020."""

_TRIP: dict[str, Any] = {
    "VendorID": 2,
    "tpep_pickup_datetime": datetime(2020, 3, 10, 8, 0, 0),
    "tpep_dropoff_datetime": datetime(2020, 3, 10, 8, 20, 0),
    "passenger_count": 1.0,
    "trip_distance": 2.5,
    "RatecodeID": 1.0,
    "store_and_fwd_flag": "N",
    "PULocationID": 48,
    "DOLocationID": 236,
    "payment_type": 1,
    "fare_amount": 12.0,
    "extra": 2.5,
    "mta_tax": 0.5,
    "tip_amount": 3.0,
    "tolls_amount": 0.0,
    "improvement_surcharge": 0.3,
    "total_amount": 18.3,
    "congestion_surcharge": 2.5,
    "airport_fee": None,
}


def trip(**changes: Any) -> dict[str, Any]:
    """A faultless yellow trip of March 2020, with the changes asked for."""
    return {**_TRIP, **changes}


def table(rows: Sequence[Mapping[str, Any]], **types: pa.DataType) -> pa.Table:
    """Rows as a yellow file of 2020 has them; ``types`` replaces or adds column types."""
    return pa.Table.from_pylist(list(rows), schema=pa.schema({**TYPES, **types}))


CONSENTING = CleaningOptions(accept_changed_format=True)
"""For months of a few rows, in which a rule may reject all of them."""


@dataclass(frozen=True)
class Cleaned:
    """What cleaning gave, read back from the two files."""

    staged: StagedClean

    @property
    def facts(self) -> CleanFacts:
        return self.staged.facts

    @property
    def trips(self) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = pq.read_table(self.staged.trips_file).to_pylist()
        return rows

    @property
    def quarantine(self) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = pq.read_table(self.staged.quarantine_file).to_pylist()
        return rows

    @property
    def reasons(self) -> dict[int, list[str]]:
        """Raw row → its reasons."""
        return {row["raw_row"]: row["reasons"] for row in self.quarantine}

    @property
    def raw(self) -> dict[int, Any]:
        """Raw row → what its JSON text says."""
        return {row["raw_row"]: json.loads(row["raw"]) for row in self.quarantine}


def raw_month(contract: Contract, first_day: date, file: Path, rows: int | None = None) -> RawMonth:
    """The raw month of a Parquet file, as the lake would describe it."""
    return RawMonth(
        month=contract.month(first_day),
        version="0123456789abcdef",
        path=f"raw/{contract.dataset}/{file.name}",
        rows=pq.read_metadata(file).num_rows if rows is None else rows,
        unparsed_rows=0,
        size=file.stat().st_size,
        source_url="",
        source_token="",
        etag=None,
        sha256="",
        source_size=0,
        schema_fingerprint="",
        fetched_at="",
    )


def clean_file(
    file: Path,
    directory: Path,
    contract: Contract = YELLOW,
    first_day: date = MARCH,
    options: CleaningOptions | None = None,
) -> Cleaned:
    """Clean a Parquet file, by default even where its few rows are all bad ones."""
    directory.mkdir(parents=True, exist_ok=True)
    return Cleaned(clean_month(contract, raw_month(contract, first_day, file), file, directory, options or CONSENTING))


def clean(
    rows: pa.Table | Sequence[Mapping[str, Any]],
    directory: Path,
    contract: Contract = YELLOW,
    first_day: date = MARCH,
    options: CleaningOptions | None = None,
    row_group_size: int | None = None,
) -> Cleaned:
    """Write rows as a raw month and clean it."""
    file = directory / "raw.parquet"
    pq.write_table(rows if isinstance(rows, pa.Table) else table(rows), file, row_group_size=row_group_size)
    return clean_file(file, directory / "clean", contract, first_day, options)
