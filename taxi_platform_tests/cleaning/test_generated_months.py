"""Months that are spilled to disk, with duplicates, threefold copies and voids, against SQL on the same file."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from taxi_platform.cleaning.keys import hash_rows
from taxi_platform.cleaning.spilling import HashBuckets, RowBuckets
from taxi_platform.contracts import CONTRACTS
from taxi_platform.references import CleanFacts
from taxi_platform.sources.sample import write_month
from taxi_platform_tests.cleaning.months import MARCH, clean_file

_KEY = "VendorID, tpep_pickup_datetime, tpep_dropoff_datetime, PULocationID, DOLocationID, trip_distance"


@pytest.fixture(scope="module")
def month(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("generated") / "yellow.parquet"
    write_month("yellow", MARCH, 250_000, file, "parquet")
    return file


@pytest.fixture(scope="module")
def month_to_repeat(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, CleanFacts]:
    """A smaller one, and what cleaning says of it; twice as large it needs several buckets."""
    folder = tmp_path_factory.mktemp("repeated")
    write_month("yellow", MARCH, 100_000, folder / "yellow.parquet", "parquet")
    return folder / "yellow.parquet", clean_file(folder / "yellow.parquet", folder / "clean").facts


def _sql_reasons(raw: Path) -> dict[int, list[str]]:
    """Raw row → reasons, by window functions over the whole file."""
    import duckdb

    with duckdb.connect() as sql:
        upstream = ", ".join(f'"{name}"' for name in pq.read_schema(raw).names)
        rows: list[tuple[int, list[str]]] = sql.execute(
            f"""
            WITH raw AS (SELECT *, file_row_number AS n FROM read_parquet('{raw}', file_row_number = true)),
            ranked AS (
                SELECT *, row_number() OVER (PARTITION BY {upstream} ORDER BY n) AS copy,
                    round(total_amount * 100) AS cents,
                    row_number() OVER (PARTITION BY {_KEY}, round(total_amount * 100) ORDER BY n) AS k
                FROM raw
            ),
            voids AS (
                SELECT unnest([a.n, b.n]) AS n FROM ranked a JOIN ranked b
                    ON a.cents < 0 AND a.cents = -b.cents AND a.k = b.k
                    AND a.tpep_pickup_datetime IS NOT DISTINCT FROM b.tpep_pickup_datetime
                    AND a.tpep_dropoff_datetime IS NOT DISTINCT FROM b.tpep_dropoff_datetime
                    AND a.VendorID IS NOT DISTINCT FROM b.VendorID
                    AND a.PULocationID IS NOT DISTINCT FROM b.PULocationID
                    AND a.DOLocationID IS NOT DISTINCT FROM b.DOLocationID
                    AND a.trip_distance IS NOT DISTINCT FROM b.trip_distance
            )
            SELECT n, list_filter([
                CASE WHEN tpep_pickup_datetime IS NULL OR tpep_dropoff_datetime IS NULL
                    THEN 'timestamp_missing' END,
                CASE WHEN tpep_pickup_datetime < '2020-02-29' OR tpep_pickup_datetime >= '2020-04-02'
                    THEN 'pickup_outside_file_month' END,
                CASE WHEN tpep_dropoff_datetime < tpep_pickup_datetime THEN 'dropoff_before_pickup' END,
                CASE WHEN tpep_dropoff_datetime - tpep_pickup_datetime > INTERVAL 24 HOUR
                    THEN 'duration_over_24h' END,
                CASE WHEN PULocationID NOT BETWEEN 1 AND 265 OR DOLocationID NOT BETWEEN 1 AND 265
                    THEN 'unknown_location' END,
                CASE WHEN trip_distance < 0 OR trip_distance > 1000 THEN 'distance_impossible' END,
                CASE WHEN copy > 1 THEN 'exact_duplicate' END,
                CASE WHEN n IN (FROM voids) THEN 'void_pair' END,
                CASE WHEN total_amount < 0 AND n NOT IN (FROM voids) THEN 'negative_total' END
            ], lambda reason: reason IS NOT NULL) AS reasons
            FROM ranked WHERE len(reasons) > 0 ORDER BY n
            """
        ).fetchall()
        return dict(rows)


def test_a_generated_month_is_judged_as_sql_judges_it(month: Path, tmp_path: Path) -> None:
    cleaned = clean_file(month, tmp_path)
    expected = _sql_reasons(month)
    assert cleaned.reasons == expected
    assert {reason for reasons in expected.values() for reason in reasons} >= {
        "pickup_outside_file_month",
        "dropoff_before_pickup",
        "duration_over_24h",
        "distance_impossible",
        "exact_duplicate",
        "void_pair",
        "negative_total",
    }


@pytest.mark.parametrize("times", [2, 3])
def test_a_file_that_holds_a_month_several_times_keeps_it_once(
    month_to_repeat: tuple[Path, CleanFacts], tmp_path: Path, times: int
) -> None:
    month, single = month_to_repeat
    file = tmp_path / "repeated.parquet"
    pq.write_table(pa.concat_tables([pq.read_table(month)] * times), file, row_group_size=131_072)
    facts = clean_file(file, tmp_path / "clean").facts
    distinct = single.raw_rows - single.reasons["exact_duplicate"]
    assert facts.raw_rows == single.raw_rows * times
    assert facts.reasons["exact_duplicate"] == facts.raw_rows - distinct
    assert facts.reasons["distance_impossible"] == single.reasons["distance_impossible"] * times
    # Copies of a charge and of its reversal pair off among themselves, so that no first copy is left alone.
    assert facts.reasons["void_pair"] == single.reasons["void_pair"] * times
    assert facts.trips_rows == single.trips_rows


def test_a_month_of_one_trip_over_and_over_keeps_one(tmp_path: Path) -> None:
    file = tmp_path / "raw.parquet"
    write_month("green", date(2021, 1, 1), 1_000, file, "parquet")
    trip = pq.read_table(file).slice(0, 1)
    with pq.ParquetWriter(file, trip.schema) as writer:
        for _ in range(3):
            writer.write_table(pa.concat_tables([trip] * 30_000))
    facts = clean_file(file, tmp_path / "clean", CONTRACTS["green"], date(2021, 1, 1)).facts
    assert (facts.trips_rows, facts.reasons["exact_duplicate"]) == (1, 89_999)


@pytest.mark.parametrize("expected", [0, 1_000_000, 10**9], ids=["one bucket", "some", "as many as there can be"])
def test_equal_rows_meet_in_one_bucket_in_their_order(expected: int, tmp_path: Path) -> None:
    keys = pa.array([n % 1_000 for n in range(5_000)])
    hashes = hash_rows([keys])
    rows = pa.RecordBatch.from_arrays([pa.array(range(5_000)), keys], ["row", "key"])
    with HashBuckets(tmp_path / "h", expected) as few, RowBuckets(tmp_path / "r", expected) as wide:
        for start in range(0, 5_000, 500):
            few.add(hashes[start : start + 500], rows.column(0).to_numpy()[start : start + 500])
            wide.add(rows.slice(start, 500), hashes[start : start + 500])
        found: list[list[int]] = [numbers.tolist() for _, numbers in few]
        tables: list[dict[str, Any]] = [bucket.to_pydict() for bucket in wide]
    assert sorted(number for numbers in found for number in numbers) == list(range(5_000))
    assert sorted(found) == sorted(bucket["row"] for bucket in tables)
    assert all(numbers == sorted(numbers) for numbers in found)
    for bucket in tables:
        assert len(bucket["key"]) == 5 * len(set(bucket["key"]))
    assert not list(tmp_path.iterdir())
