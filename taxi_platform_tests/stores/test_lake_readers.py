"""The lake belongs to everybody: four engines read the files that its manifests name, without this platform."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from taxi_platform.stores.lake.lake import Lake
from taxi_platform.stores.testing.months import APRIL, MARCH, staged_clean, staged_raw

EXPECTED = {date(2020, 3, 1): 6, date(2020, 4, 1): 9}


@pytest.fixture
def trips(tmp_path: Path) -> list[str]:
    """The trips of two months, one of them stored twice, beside a raw month of two versions."""
    lake = Lake(str(tmp_path / "lake"))
    lake.store_raw(staged_raw(tmp_path, "v1"))
    lake.store_raw(staged_raw(tmp_path, "v2"))
    for version, month, rows in (("c1", MARCH, 4), ("c2", MARCH, 6), ("c3", APRIL, 9)):
        lake.store_clean(staged_clean(tmp_path, version, trips=rows, month=month))
    manifests = (json.loads(file.read_text()) for file in Path(lake.url).glob("raw/green/*/manifest.json"))
    return sorted(f"{lake.url}/{manifest['clean']['trips_path']}" for manifest in manifests)


def counted(table: pa.Table) -> dict[date, int]:
    return {row["values"]: row["counts"] for row in table["file_month"].value_counts().to_pylist()}


def test_duckdb_reads_them_with_their_partition_key(trips: list[str]) -> None:
    import duckdb

    with duckdb.connect() as connection:
        found = connection.sql(
            f"SELECT file_month, count(*), any_value(month) FROM read_parquet({trips}, "
            "hive_partitioning = true, hive_types_autocast = false) GROUP BY file_month"
        ).fetchall()
    assert {month: rows for month, rows, _ in found} == EXPECTED
    assert {label for _, _, label in found} == {"2020-03", "2020-04"}


def test_duckdb_reads_them_from_the_manifests_in_one_query(trips: list[str]) -> None:
    """As docs/architecture.md has it."""
    import duckdb

    lake = Path(trips[0]).parents[3]
    with duckdb.connect() as connection:
        connection.execute(
            f"SET VARIABLE months = (SELECT {{'trips': list('{lake}/' || clean.trips_path)}} "
            f"FROM read_json('{lake}/raw/green/*/manifest.json') WHERE clean IS NOT NULL)"
        )
        found = connection.sql(
            "SELECT file_month, count(*) FROM read_parquet(getvariable('months').trips) GROUP BY file_month"
        ).fetchall()
    assert dict(found) == EXPECTED


def test_arrow_reads_them_as_one_dataset(trips: list[str]) -> None:
    import pyarrow.dataset as ds

    dataset = ds.dataset(trips, format="parquet", partitioning="hive")
    assert counted(dataset.to_table(columns=["file_month"])) == EXPECTED
    assert dataset.count_rows(filter=ds.field("file_month") == date(2020, 4, 1)) == 9
    assert counted(pq.read_table(trips, columns=["file_month"])) == EXPECTED


def test_pandas_reads_them(trips: list[str]) -> None:
    import pandas as pd

    frame = pd.concat(map(pd.read_parquet, trips))
    assert frame.groupby("file_month", observed=True).size().to_dict() == EXPECTED


def test_polars_reads_them(trips: list[str]) -> None:
    import polars as pl

    frame = pl.scan_parquet(trips, hive_partitioning=True).group_by("file_month").len().collect()
    assert dict(frame.iter_rows()) == EXPECTED


def test_a_month_carries_the_descriptions_of_its_columns(trips: list[str]) -> None:
    field = pq.read_schema(trips[0]).field("fare_amount")
    assert b"US dollars" in field.metadata[b"description"]
