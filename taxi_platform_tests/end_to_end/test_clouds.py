"""``taxi run`` with a bucket as the lake and BigQuery as the warehouse: four addresses changed, nothing else."""

from __future__ import annotations

import gzip
import os
import shutil
from datetime import date
from pathlib import Path

import pyarrow.compute as pc
import pytest

from taxi_platform.months import TripMonth
from taxi_platform.stores.bigquery.connection import parse_address
from taxi_platform.stores.lake.lake import Lake
from taxi_platform_tests.end_to_end.test_run import GREEN_2020, GREEN_PARQUET, whole
from taxi_platform_tests.support.faults import Answer, spoiling
from taxi_platform_tests.support.platform import Platform

# What the emulators' fixtures set, and a run in a process of its own has to see.
EMULATED = ("AWS_", "AZURE_", "BIGQUERY_", "GOOGLE_", "STORAGE_")


def platform(tmp_path: Path, tlc: Path, layout: str, **stores: str) -> Platform:
    variables = {name: value for name, value in os.environ.items() if name.startswith(EMULATED)}
    source = {"TAXI_SOURCE": layout, "TAXI_SOURCE_URL": str(tlc / layout), "TAXI_DATA": str(tmp_path / "data")}
    return Platform(tmp_path, {**variables, **source, **stores})


def raw_counts(url: str, *columns: str) -> dict[date, tuple[int, ...]]:
    """Per month, the rows that ``raw_green`` shows, and how many of them have each column."""
    dataset = parse_address(url)
    counts = ", ".join(["COUNT(*)", *(f"COUNT({column})" for column in columns)])
    rows = dataset.query(f"SELECT file_month, {counts} FROM {dataset.sql('raw_green')} GROUP BY 1")
    return {month: tuple(counted) for month, *counted in (row.values() for row in rows)}


def lake_counts(url: str, *columns: str) -> dict[date, tuple[int, ...]]:
    """The same of the lake's current raw objects."""
    lake = Lake(url)
    found = {}
    for month in lake.months("green"):
        raw = lake.current_raw(month)
        assert raw is not None
        with lake.open_parquet(raw.path) as file:
            table = file.read(columns=list(columns))
        assert table.num_rows == lake.count_raw(month)
        found[month.first_day] = (table.num_rows, *(pc.count(table[column]).as_py() for column in columns))
    return found


@pytest.mark.long
def test_csv_and_parquet_months_pass_through_buckets_and_bigquery(
    tlc: Path, tmp_path: Path, gcs_bucket: str, bigquery_url: str
) -> None:
    stores = {"TAXI_LAKE": f"gs://{gcs_bucket}", "TAXI_WAREHOUSE": bigquery_url}
    csv = platform(tmp_path, tlc, "dtc", **stores)
    done = csv.taxi("run", "--datasets", "green", "--months", "2020-03..2020-08")
    assert done.code == 0, done.text
    parquet = platform(tmp_path, tlc, "tlc", **stores)
    months = ",".join(name.split()[1] for name in GREEN_PARQUET)
    done = parquet.taxi("run", "--datasets", "green", "--months", months)
    assert done.code == 0, done.text
    expected = {month: whole(*counts) for month, counts in {**GREEN_2020, **GREEN_PARQUET}.items()}
    assert csv.rows() == expected
    # Of six sets of columns: ehail_fee is a text, null-typed or a double, ids are integers or doubles.
    columns = ("VendorID", "lpep_pickup_datetime", "RatecodeID", "ehail_fee", "trip_type")
    raw = raw_counts(bigquery_url, *columns)
    assert len(raw) == len(expected)
    assert raw == lake_counts(f"gs://{gcs_bucket}", *columns)
    again = csv.taxi("run", "--datasets", "green", "--months", "2020-03..2020-08")
    assert again.code == 0, again.text
    assert again.out.count("unchanged") == len(GREEN_2020)
    assert "stays as it was" not in again.text
    assert csv.rows() == expected


@pytest.mark.long
def test_a_republished_month_replaces_its_own_and_two_runs_of_one_month_agree(
    tlc: Path, tmp_path: Path, gcs_bucket: str, bigquery_url: str
) -> None:
    upstream = tmp_path / "upstream"
    (upstream / "green").mkdir(parents=True)
    shutil.copy(tlc / "dtc/green/green_tripdata_2020-04.csv.gz", upstream / "green")
    shutil.copytree(tlc / "dtc" / "misc", upstream / "misc")
    stores = {"TAXI_LAKE": f"gs://{gcs_bucket}", "TAXI_WAREHOUSE": bigquery_url, "TAXI_SOURCE_URL": str(upstream)}
    running = platform(tmp_path, tlc, "dtc", **stores)
    command = ("run", "--datasets", "green", "--months", "2020-04")
    both = [running.start(*command) for _ in range(2)]
    results = [running.finish(run) for run in both]
    assert [r.code for r in results] == [0, 0], "\n".join(r.text for r in results)
    assert running.rows() == {"green 2020-04": whole(*GREEN_2020["green 2020-04"])}
    published = upstream / "green/green_tripdata_2020-04.csv.gz"
    lines = gzip.decompress(published.read_bytes()).splitlines(keepends=True)
    published.write_bytes(gzip.compress(b"".join(lines[:30_001]), 1))  # the header and the first records
    done = running.taxi(*command)
    assert done.code == 0, done.text
    raw, trips, quarantined, warehouse, postgres = running.rows()["green 2020-04"]
    assert raw == 30_000
    assert trips is not None
    assert quarantined is not None
    assert raw == trips + quarantined
    assert trips == warehouse == postgres
    assert raw_counts(bigquery_url) == {date(2020, 4, 1): (raw,)}
    assert "stays as it was" not in done.text


def test_a_bucket_that_refuses_again_and_again_loses_no_month(
    tlc: Path, tmp_path: Path, gcs_bucket: str, gcs_server: str
) -> None:
    """503 twice in a row, again and again, from the first request of a run to its last."""
    lake = {"TAXI_LAKE": f"gs://{gcs_bucket}", "TAXI_WAREHOUSE": "off", "TAXI_POSTGRES": "off"}
    busy = Answer(503, b"<Error><Code>SlowDown</Code><Message>Slower, please.</Message></Error>")
    with spoiling(gcs_server) as faults:
        running = platform(tmp_path, tlc, "dtc", **lake, STORAGE_EMULATOR_HOST=faults.url)
        for after in range(0, 60, 4):
            faults.spoil("*", busy, after=after, times=2)
        done = running.taxi("run", "--datasets", "green", "--months", "2020-04..2020-05")
        refused = len(faults.seen)
    assert done.code == 0, done.text
    assert refused > 30
    for month in ("2020-04", "2020-05"):
        clean = Lake(f"gs://{gcs_bucket}").current_clean(TripMonth("green", date.fromisoformat(f"{month}-01")))
        assert clean is not None
        assert clean.facts.raw_rows == GREEN_2020[f"green {month}"][0]


@pytest.mark.parametrize(
    ("scheme", "bucket", "months"),
    [
        ("s3", "s3_bucket", ["2020-04"]),
        pytest.param("s3", "s3_bucket", ["2020-04", "2020-05"], marks=pytest.mark.long),
        pytest.param("az", "azure_container", ["2020-04", "2020-05"], marks=pytest.mark.long),
    ],
)
def test_other_clouds_are_equals(
    tlc: Path,
    tmp_path: Path,
    postgres_database: str,
    request: pytest.FixtureRequest,
    scheme: str,
    bucket: str,
    months: list[str],
) -> None:
    lake = f"{scheme}://{request.getfixturevalue(bucket)}/some/prefix"
    running = platform(tmp_path, tlc, "dtc", TAXI_LAKE=lake, TAXI_POSTGRES=postgres_database)
    done = running.taxi("run", "--datasets", "green", "--months", ",".join(months))
    assert done.code == 0, done.text
    assert running.rows() == {f"green {m}": whole(*GREEN_2020[f"green {m}"]) for m in months}
