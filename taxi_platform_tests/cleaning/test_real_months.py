"""Real months give the published counts, reason by reason; counted independently with SQL on the same files."""

from __future__ import annotations

import gzip
import hashlib
from datetime import date
from pathlib import Path

import pytest

from taxi_platform.cleaning import clean_month
from taxi_platform.contracts import CONTRACTS
from taxi_platform.ingest import stage_raw
from taxi_platform.sources.model import Download, Version

_REASONS = ("pickup_outside_file_month", "dropoff_before_pickup", "void_pair", "negative_total", "distance_impossible")

# Month → rows, the reasons above, rows quarantined; every other rule hits nothing.
_CSV_MONTHS = {
    "2020-03": (223_406, (10, 12, 1_344, 12, 12), 1_389),
    "2020-04": (35_612, (6, 0, 240, 2, 10), 258),
    "2020-05": (57_360, (0, 1, 220, 6, 25), 251),
    "2020-06": (63_109, (2, 0, 270, 4, 28), 304),
    "2020-07": (72_257, (4, 2, 280, 3, 60), 349),
    "2020-08": (81_063, (0, 3, 332, 3, 42), 380),
}
_PARQUET_MONTHS = {
    "2020-12": (83_130, (1, 1, 354, 5, 35), 395),
    "2021-01": (76_518, (2, 0, 256, 6, 53), 317),
    "2021-02": (64_572, (1, 0, 206, 8, 29), 244),
    "2023-01": (68_211, (3, 0, 348, 5, 34), 390),
    "2023-02": (64_809, (22, 0, 374, 1, 37), 434),
    "2024-01": (56_551, (0, 0, 362, 4, 46), 412),
}
_SHORT = ("2020-04", "2021-02", "2023-02", "2024-01")
"""A CSV month, and Parquet months of every generation; the others take as long as they are alike."""
_MONTHS = [
    pytest.param(name.format(label), *expected, id=label, marks=() if label in _SHORT else pytest.mark.long)
    for name, months in (
        ("dtc/green/green_tripdata_{}.csv.gz", _CSV_MONTHS),
        ("tlc/trip-data/green_tripdata_{}.parquet", _PARQUET_MONTHS),
    )
    for label, expected in months.items()
]


@pytest.mark.parametrize(("name", "rows", "hits", "quarantined"), _MONTHS)
def test_a_green_month_is_quarantined_as_sql_says(
    name: str, rows: int, hits: tuple[int, ...], quarantined: int, tlc: Path, tmp_path: Path
) -> None:
    contract = CONTRACTS["green"]
    year, month = name.partition("tripdata_")[2][:7].split("-")
    staged = stage_raw(contract, contract.month(date(int(year), int(month), 1)), _download(tlc / name), tmp_path)
    facts = clean_month(contract, staged.raw, staged.file, tmp_path).facts

    assert (facts.raw_rows, facts.quarantined_rows, facts.trips_rows) == (rows, quarantined, rows - quarantined)
    assert {reason: count for reason, count in facts.reasons.items() if count} == {
        reason: count for reason, count in zip(_REASONS, hits, strict=True) if count
    }
    assert facts.unknown_columns == ()


def test_clean_rows_have_the_values_of_the_file(tlc: Path, tmp_path: Path) -> None:
    import duckdb

    contract = CONTRACTS["green"]
    upstream = tlc / "dtc/green/green_tripdata_2020-04.csv.gz"
    staged = stage_raw(contract, contract.month(date(2020, 4, 1)), _download(upstream), tmp_path)
    clean = clean_month(contract, staged.raw, staged.file, tmp_path)
    text = tmp_path / "month.csv"
    text.write_bytes(gzip.decompress(upstream.read_bytes()))
    with duckdb.connect() as sql:
        sql.execute(
            f"""
            CREATE TABLE upstream AS SELECT
                row_number() OVER () - 1 AS raw_row, VendorID::SMALLINT AS vendor_id,
                lpep_pickup_datetime::TIMESTAMP AS pickup_datetime,
                lpep_dropoff_datetime::TIMESTAMP AS dropoff_datetime,
                store_and_fwd_flag, RatecodeID::SMALLINT AS rate_code_id, PULocationID::SMALLINT AS pickup_location_id,
                DOLocationID::SMALLINT AS dropoff_location_id, passenger_count::SMALLINT AS passenger_count,
                trip_distance::DOUBLE AS trip_distance, fare_amount::DOUBLE AS fare_amount, extra::DOUBLE AS extra,
                mta_tax::DOUBLE AS mta_tax, tip_amount::DOUBLE AS tip_amount, tolls_amount::DOUBLE AS tolls_amount,
                ehail_fee::DOUBLE AS ehail_fee, improvement_surcharge::DOUBLE AS improvement_surcharge,
                total_amount::DOUBLE AS total_amount, payment_type::SMALLINT AS payment_type,
                trip_type::SMALLINT AS trip_type, congestion_surcharge::DOUBLE AS congestion_surcharge
            FROM read_csv('{text}', all_varchar = true, header = true, parallel = false)
            """
        )
        columns = [row[0] for row in sql.execute("DESCRIBE upstream").fetchall() if row[0] != "raw_row"]
        rows = f"""SELECT {", ".join(columns)} FROM upstream ANTI JOIN '{clean.quarantine_file}' q USING (raw_row)
            ORDER BY raw_row"""
        expected = sql.execute(rows).fetchall()
        found = sql.execute(f"SELECT {', '.join(columns)} FROM '{clean.trips_file}'").fetchall()
    assert found == expected


def _download(file: Path) -> Download:
    sha256 = hashlib.sha256(file.read_bytes()).hexdigest()
    return Download(Version(str(file), sha256), file, sha256, file.stat().st_size)
