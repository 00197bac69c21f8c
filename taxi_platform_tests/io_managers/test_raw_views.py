"""Raw months can be queried in the warehouse as soon as they land, whatever their columns."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import dagster as dg
import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from taxi_platform.ingest.readable import readable_copy
from taxi_platform.months import TripMonth
from taxi_platform.orchestration.build import build_definitions
from taxi_platform.references import StagedRaw
from taxi_platform.settings import Settings
from taxi_platform.stores.bigquery.store import BigQueryStore
from taxi_platform.stores.duckdb.store import DuckDBStore
from taxi_platform.stores.lake.lake import Lake
from taxi_platform.stores.ownership import claim
from taxi_platform.stores.testing.months import APRIL, MARCH, staged_raw
from taxi_platform.stores.warehouse import WAREHOUSE

GENERATIONS = ("2013-08-01", "2016-07-01", "2020-03-01", "2025-01-01")


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings.from_environment(
        {"TAXI_DATA": str(tmp_path / "it's here"), "TAXI_SOURCE": "sample", "TAXI_SAMPLE_ROWS": "1000"}
    )


def materialize(settings: Settings, partition_key: str) -> Any:
    job = build_definitions(settings).resolve_implicit_global_asset_job_def()
    return job.execute_in_process(asset_selection=[dg.AssetKey("green_raw")], partition_key=partition_key)


def query(settings: Settings, sql: str) -> list[tuple[Any, ...]]:
    with duckdb.connect(settings.warehouse, read_only=True) as warehouse:
        return warehouse.execute(sql).fetchall()


def test_months_of_every_generation_stand_in_one_view_once_they_land(settings: Settings) -> None:
    lake = Lake(settings.lake)
    for known, key in enumerate(GENERATIONS, 1):
        materialize(settings, key)
        found = dict(query(settings, "SELECT file_month, count(*) FROM taxi.raw_green GROUP BY 1"))
        assert found == {month.first_day: lake.count_raw(month) for month in lake.months("green")}
        assert len(found) == known
    names = {name.strip().lower() for (name, *_) in query(settings, "DESCRIBE taxi.raw_green")}
    assert {"file_month", "pickup_longitude", "pulocationid", "congestion_surcharge", "cbd_congestion_fee"} <= names


def test_the_view_of_another_lakes_warehouse_is_left_alone(
    settings: Settings, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    materialize(settings, GENERATIONS[0])
    claim(DuckDBStore(Path(settings.warehouse)), WAREHOUSE, Lake(settings.lake))
    another = settings.model_copy(update={"data": tmp_path / "another", "lake": str(tmp_path / "another" / "lake")})
    materialize(another, GENERATIONS[1])
    assert Lake(another.lake).months("green")
    assert "the view raw_green stays as it was: warehouse holds the months of another lake" in caplog.text
    found = query(settings, "SELECT DISTINCT file_month::VARCHAR FROM taxi.raw_green")
    assert found == [(GENERATIONS[0],)]


def test_a_query_by_file_month_reads_that_month_alone(settings: Settings) -> None:
    for key in GENERATIONS:
        materialize(settings, key)
    sql = "EXPLAIN SELECT count(VendorID) FROM taxi.raw_green WHERE file_month = DATE '2020-03-01'"
    assert "Scanning Files: 1/4" in query(settings, sql)[0][1]


def test_in_bigquery_too(tmp_path: Path, gcs_bucket: str, bigquery_url: str, caplog: pytest.LogCaptureFixture) -> None:
    from taxi_platform.stores.bigquery.connection import parse_address

    stores = {"TAXI_LAKE": f"gs://{gcs_bucket}", "TAXI_WAREHOUSE": bigquery_url}
    sample = {"TAXI_SOURCE": "sample", "TAXI_SAMPLE_ROWS": "1000"}
    settings = Settings.from_environment({"TAXI_DATA": str(tmp_path), **stores, **sample})
    lake, dataset = Lake(settings.lake), parse_address(bigquery_url)
    view = dataset.sql("raw_green")
    for key in GENERATIONS:
        materialize(settings, key)
        rows = dataset.query(f"SELECT file_month, COUNT(*) FROM {view} GROUP BY 1")
        assert dict(row.values() for row in rows) == {m.first_day: lake.count_raw(m) for m in lake.months("green")}
    assert "stays as it was" not in caplog.text
    names = {field.name.lower() for field in dataset.query(f"SELECT * FROM {view} LIMIT 0").schema}
    assert {"file_month", "pickup_longitude", "pulocationid", "congestion_surcharge", "cbd_congestion_fee"} <= names


def staged(folder: Path, version: str, rows: int, month: TripMonth, columns: dict[str, Any]) -> StagedRaw:
    made = staged_raw(folder, version, rows, month)
    pq.write_table(pa.table(columns), made.file)
    return made


def test_only_current_versions_show_and_types_that_changed_are_united(tmp_path: Path) -> None:
    lake, store = Lake(str(tmp_path / "lake")), DuckDBStore(tmp_path / "w.duckdb", wait_seconds=5)
    lake.store_raw(staged(tmp_path, "v1", 1, MARCH, {"Vendor": ["old"]}))
    lake.store_raw(staged(tmp_path, "v2", 2, MARCH, {"Vendor": ["CMT", "VTS"], "Fare": [1, 2]}))
    store.refresh_raw_view("green", lake)
    lake.store_raw(staged(tmp_path, "v3", 1, APRIL, {"vendor": [7], "surge": [0.5]}))
    store.refresh_raw_view("green", lake)
    with duckdb.connect(str(store.path), read_only=True) as warehouse:
        rows = warehouse.execute("FROM taxi.raw_green ORDER BY ALL").fetchall()
    assert rows == [
        (date(2020, 3, 1), "CMT", 1, None),
        (date(2020, 3, 1), "VTS", 2, None),
        (date(2020, 4, 1), "7", None, 0.5),
    ]
    lake.select_raw(MARCH, "v1")
    store.refresh_raw_view("green", lake)
    with duckdb.connect(str(store.path), read_only=True) as warehouse:
        assert warehouse.execute("SELECT vendor FROM taxi.raw_green ORDER BY 1").fetchall() == [("7",), ("old",)]


def _with_bad_text(folder: Path) -> StagedRaw:
    """A month of three records, one of them with text that is not UTF-8, and its readable copy."""
    flags = pa.array([b"N", b"\xff\xfe", None]).view(pa.string())
    made = staged(folder, "v1", 3, MARCH, {"Flag": flags, "Fare": [1.5, 2.5, 3.5]})
    return replace(made, readable_file=readable_copy(made.file, "a file", folder / "copy.parquet"))


def test_text_that_is_not_utf8_ends_no_query_over_all_months(tmp_path: Path) -> None:
    lake, store = Lake(str(tmp_path / "lake")), DuckDBStore(tmp_path / "w.duckdb", wait_seconds=5)
    lake.store_raw(_with_bad_text(tmp_path))
    lake.store_raw(staged(tmp_path, "v2", 1, APRIL, {"Flag": ["Y"], "Fare": [4.5]}))
    store.refresh_raw_view("green", lake)
    with duckdb.connect(str(store.path), read_only=True) as warehouse:
        rows = warehouse.execute("SELECT Flag, Fare FROM taxi.raw_green ORDER BY Fare").fetchall()
    assert rows == [("N", 1.5), (r"\xff\xfe", 2.5), (None, 3.5), ("Y", 4.5)]


def test_text_that_is_not_utf8_ends_no_query_in_bigquery_either(
    tmp_path: Path, gcs_bucket: str, bigquery_url: str
) -> None:
    lake, store = Lake(f"gs://{gcs_bucket}"), BigQueryStore(bigquery_url)
    lake.store_raw(_with_bad_text(tmp_path))
    store.refresh_raw_view("green", lake)
    rows = store.dataset.query(f"SELECT Flag, Fare FROM {store.dataset.sql('raw_green')} ORDER BY Fare")
    assert [row.values() for row in rows] == [("N", 1.5), (r"\xff\xfe", 2.5), (None, 3.5)]


def test_a_warehouse_that_others_hold_stops_no_raw_month(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    materialize(settings, "2020-03-01")
    monkeypatch.setattr("taxi_platform.orchestration.io_managers.lake.PATIENCE", 0.2)
    with duckdb.connect(settings.warehouse):
        assert materialize(settings, "2020-04-01").success
    assert "the view raw_green stays as it was: " in caplog.text
    assert query(settings, "SELECT DISTINCT file_month FROM taxi.raw_green") == [(date(2020, 3, 1),)]
    materialize(settings, "2020-05-01")
    assert len(query(settings, "SELECT DISTINCT file_month FROM taxi.raw_green")) == 3


def test_a_lake_in_a_cloud_has_no_view_in_a_duckdb_file(tmp_path: Path) -> None:
    store = DuckDBStore(tmp_path / "w.duckdb")
    store.refresh_raw_view("green", Lake("gs://nowhere"))
    assert not store.path.exists()
