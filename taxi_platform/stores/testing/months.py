"""Small staged months for tests of stores: real Parquet files whose footers say what cleaning would say.

Belongs here: months of so many rows, or of given ones. Does not: reading and cleaning upstream's files.
"""

from __future__ import annotations

import hashlib
import json
from datetime import date, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from taxi_platform.contracts import CONTRACTS
from taxi_platform.contracts.model import Table
from taxi_platform.contracts.schemas import arrow_schema
from taxi_platform.months import TripMonth
from taxi_platform.references import CleanFacts, RawMonth, StagedClean, StagedRaw

__all__ = ["APRIL", "MARCH", "staged_clean", "staged_raw", "staged_tables"]

MARCH = TripMonth("green", date(2020, 3, 1))
APRIL = TripMonth("green", date(2020, 4, 1))


def staged_raw(
    folder: Path, version: str = "v1", rows: int = 5, month: TripMonth = MARCH, token: str = "t1"
) -> StagedRaw:
    """A raw month of so many rows; each version has other rows."""
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / f"{version}.parquet"
    pq.write_table(pa.table({"row": range(rows), "version": [version] * rows}), file)
    raw = RawMonth(
        month=month,
        version=version,
        path="",
        rows=rows,
        unparsed_rows=0,
        size=file.stat().st_size,
        source_url=f"https://example.org/{month.dataset}/{month.label}.csv.gz?ü=1",
        source_token=token,
        etag=f'"{token}"',
        sha256=hashlib.sha256(version.encode()).hexdigest(),
        source_size=rows * 10,
        schema_fingerprint="f" * 12,
        fetched_at="2026-01-02T03:04:05+00:00",
    )
    return StagedRaw(raw, file)


def staged_clean(
    folder: Path,
    version: str = "c1",
    trips: int = 4,
    quarantined: int = 1,
    month: TripMonth = MARCH,
    raw_version: str = "v1",
) -> StagedClean:
    """A cleaned month of so many rows, in the contract's schemas."""
    contract = CONTRACTS[month.dataset]
    clean, rejected = _rows(contract.trips, trips, month), _rows(contract.quarantine, quarantined, month)
    return staged_tables(folder, version, month, clean, rejected, raw_version)


def staged_tables(
    folder: Path, version: str, month: TripMonth, trips: pa.Table, quarantine: pa.Table, raw_version: str = "v1"
) -> StagedClean:
    """A cleaned month of these rows, which are in the contract's schemas."""
    folder.mkdir(parents=True, exist_ok=True)
    contract = CONTRACTS[month.dataset]
    facts = CleanFacts(
        version=version,
        raw_version=raw_version,
        raw_rows=len(trips) + len(quarantine),
        trips_rows=len(trips),
        quarantined_rows=len(quarantine),
        reasons={"negative_total": len(quarantine)},
    )
    footer = {b"taxi_platform": json.dumps(facts.to_json()).encode()}
    files = []
    for table, rows in ((contract.trips, trips), (contract.quarantine, quarantine)):
        file = folder / f"{version}.{table.name}.parquet"
        pq.write_table(rows.replace_schema_metadata(footer), file)
        files.append(file)
    return StagedClean(month, facts, trips_file=files[0], quarantine_file=files[1])


def _rows(table: Table, count: int, month: TripMonth) -> pa.Table:
    schema = arrow_schema(table)
    return pa.table([_column(field, count, month) for field in schema], schema=schema)


def _column(field: pa.Field, count: int, month: TripMonth) -> pa.Array:
    if field.name == "file_month":
        return pa.array([month.first_day] * count, field.type)
    if pa.types.is_timestamp(field.type):
        start = datetime(month.first_day.year, month.first_day.month, 1)
        return pa.array([start + timedelta(minutes=i) for i in range(count)], field.type)
    if pa.types.is_list(field.type):
        return pa.array([["negative_total"]] * count, field.type)
    if pa.types.is_string(field.type):
        return pa.array(["{}" if field.name == "raw" else "N"] * count, field.type)
    return pa.array(range(count), pa.int64()).cast(field.type)
