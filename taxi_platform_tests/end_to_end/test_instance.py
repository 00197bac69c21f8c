"""Runs of ``taxi run`` on the Dagster instance, and plain dagster commands on the same one."""

from __future__ import annotations

import json
from pathlib import Path

import dagster as dg
import psycopg
import pytest

from taxi_platform_tests.support.platform import Platform


@pytest.fixture(scope="module")
def platform(made: Platform, tmp_path_factory: pytest.TempPathFactory) -> Platform:
    """Two generated months, for this file to change."""
    return made.copied(tmp_path_factory.mktemp("platform"))


@pytest.fixture
def instance(platform: Platform, monkeypatch: pytest.MonkeyPatch) -> dg.DagsterInstance:
    monkeypatch.setenv("DAGSTER_HOME", str(platform.data / "dagster"))
    return dg.DagsterInstance.get()


def test_a_run_carries_the_job_and_the_code_location_that_the_ui_knows(instance: dg.DagsterInstance) -> None:
    with instance:
        run = next(run for run in instance.get_runs() if run.job_name == "green_months")
        assert run.status is dg.DagsterRunStatus.SUCCESS
        assert run.remote_job_origin is not None
        assert run.remote_job_origin.location_name == "taxi_platform"
        partitions = instance.get_materialized_partitions(dg.AssetKey("green_postgres"))
    assert partitions == {"2021-06-01", "2021-07-01"}


def test_each_month_has_its_own_metadata(instance: dg.DagsterInstance, platform: Platform) -> None:
    with instance:
        records = instance.fetch_materializations(dg.AssetKey("green_trips"), limit=10).records
    rows = {record.partition_key: record.asset_materialization.metadata for record in records}  # type: ignore[union-attr]
    assert set(rows) == {"2021-06-01", "2021-07-01"}
    for status in platform.statuses():
        metadata = rows[status.file_month.isoformat()]
        assert metadata["dagster/partition_row_count"].value == status.trips_rows
        assert metadata["raw_rows"].value == status.raw_rows
        assert metadata["quarantined_rows"].value == status.quarantined_rows


def test_plain_dagster_commands_use_the_same_instance(platform: Platform, instance: dg.DagsterInstance) -> None:
    one = ("--select", "green_raw", "--partition", "2021-05-01")
    done = platform.dagster("asset", "materialize", "-m", "taxi_platform.definitions", *one)
    assert done.code == 0, done.text
    both = ("--select", "key:green_trips", "--partition-range", "2021-05-01...2021-06-01")
    done = platform.dagster("asset", "materialize", "-m", "taxi_platform.definitions", *both)
    assert done.code == 0, done.text
    with instance:
        assert "2021-05-01" in instance.get_materialized_partitions(dg.AssetKey("green_trips"))
    raw, trips, quarantined, warehouse, postgres = platform.rows()["green 2021-05"]
    assert raw == (trips or 0) + (quarantined or 0) == 2_000
    assert warehouse is None
    assert postgres is None


def test_status_is_a_sorted_json_array_of_the_documented_keys(platform: Platform) -> None:
    statuses = platform.status()
    assert [s["file_month"] for s in statuses] == sorted(s["file_month"] for s in statuses)
    assert set(statuses[-1]) == {
        "dataset", "file_month", "raw_rows", "trips_rows", "quarantined_rows", "warehouse_rows", "postgres_rows",
        "warehouse_marts_rows", "postgres_marts_rows",
        "source_etag", "raw_version", "data_version", "state", "behind", "refused", "options", "off",
        "is_withdrawn", "is_selected", "restored_from", "is_under_way",
    }  # fmt: skip


def test_status_counts_and_does_not_believe_what_was_recorded(platform: Platform) -> None:
    with psycopg.connect(platform.taxi("postgres-url", "--idle-seconds", "2").out.strip()) as postgres:
        postgres.execute("DELETE FROM taxi.green_trips WHERE file_month = '2021-06-01' AND trip_distance > 1")
        left = postgres.execute("SELECT count(*) FROM taxi.green_trips WHERE file_month = '2021-06-01'").fetchone()
    june = next(s for s in platform.status() if s["file_month"] == "2021-06-01")
    assert left is not None
    assert june["postgres_rows"] == left[0] < june["trips_rows"]
    mended = platform.taxi("run", "--datasets", "green", "--months", "2021-06")
    assert mended.code == 0, mended.text
    _, trips, _, _, in_postgres = platform.rows()["green 2021-06"]
    assert in_postgres == trips


def test_commands_after_a_run_find_its_data_root_again(tmp_path: Path) -> None:
    platform = Platform(tmp_path, {"TAXI_SOURCE": "sample", "TAXI_SAMPLE_ROWS": "1000"})
    assert platform.taxi("run", TAXI_DATA="elsewhere").code == 0
    bare = Platform(tmp_path)
    assert [s["raw_rows"] for s in bare.status()] == [1000]
    assert f"export TAXI_DATA={tmp_path / 'elsewhere'}" in bare.taxi("env").out
    note = json.loads((tmp_path / "data" / "last-run.json").read_text())
    assert not any("postgres" in name.lower() for name in note)
    assert [file.name for file in (tmp_path / "data").iterdir()] == ["last-run.json"]
    below = tmp_path / "notebooks"
    below.mkdir()
    assert [s["raw_rows"] for s in Platform(below).status()] == [1000]
    assert list(below.iterdir()) == []


def test_without_the_public_source_generated_months_run_in_a_root_of_their_own(tmp_path: Path) -> None:
    # An address that answers nothing stands in for a machine without a way out.
    blocked = {"https_proxy": "http://127.0.0.1:9", "HTTPS_PROXY": "http://127.0.0.1:9", "no_proxy": ""}
    platform = Platform(tmp_path, {"TAXI_SAMPLE_ROWS": "1000"})
    done = platform.taxi("run", **blocked)
    assert done.code == 0, done.text
    assert "cannot be reached" in done.err
    assert (tmp_path / "data" / "sample" / "lake").is_dir()
    assert not (tmp_path / "data" / "lake").exists()
