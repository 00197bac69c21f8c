"""Lake, warehouse, PostgreSQL and Dagster's record of every version that was ever out, under the code of today."""

from __future__ import annotations

import json
import lzma
import subprocess
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import dagster as dg
import duckdb
import pytest

from taxi_platform import __version__
from taxi_platform.orchestration.keys import asset_key
from taxi_platform_tests.support.platform import Platform
from tools.kept_release import DATA, DUMP, KEPT, STATUS, postgres_program

VERSIONS = sorted(folder.name for folder in KEPT.iterdir() if (folder / DATA).exists())
ROWS = ("raw_rows", "trips_rows", "quarantined_rows")
SUMS = (
    "SELECT dataset, file_month, count(*) AS trips, CAST(round(sum(total_amount) * 100) AS BIGINT) AS cents "
    "FROM taxi.trips GROUP BY 1, 2 ORDER BY 1, 2"
)


@pytest.fixture(params=VERSIONS)
def kept(request: pytest.FixtureRequest) -> Path:
    folder: Path = KEPT / request.param
    return folder


def unpacked(kept: Path, folder: Path, **variables: str) -> Platform:
    """A copy with which a test may do what it likes."""
    with tarfile.open(kept / DATA) as packed:
        packed.extractall(folder, filter="data")
    sample = {"TAXI_SOURCE": "sample", "TAXI_SAMPLE_ROWS": "1000", "TAXI_MARTS": "on"}
    return Platform(folder, {**sample, "TAXI_DATA": str(folder / "data"), **variables})


def restored(platform: Platform, kept: Path) -> None:
    """Give its PostgreSQL what the dump has."""
    address = platform.taxi("postgres-url", "--idle-seconds", "60").out.strip()
    psql = [str(postgres_program("psql")), "--quiet", "--no-psqlrc", "--set", "ON_ERROR_STOP=1", "--dbname", address]
    dump = lzma.decompress((kept / DUMP).read_bytes())
    subprocess.run([*psql, "--output", "/dev/null"], input=dump, check=True)


def said(kept: Path) -> dict[tuple[str, str], dict[str, Any]]:
    return by_month(json.loads((kept / STATUS).read_text()))


def by_month(statuses: list[dict[str, Any]]) -> dict[tuple[str, str], dict[str, Any]]:
    return {(status["dataset"], status["file_month"][:7]): status for status in statuses}


def rows(statuses: dict[tuple[str, str], dict[str, Any]]) -> dict[tuple[str, str], tuple[Any, ...]]:
    return {month: tuple(status[name] for name in ROWS) for month, status in statuses.items()}


@contextmanager
def record(platform: Platform) -> Iterator[dg.DagsterInstance]:
    """Dagster's, brought up to its present schema."""
    done = platform.dagster("instance", "migrate")
    assert done.code == 0, done.text
    with dg.DagsterInstance.from_config(str(platform.data / "dagster")) as instance:
        yield instance


def test_this_version_is_kept() -> None:
    """``python -m tools.kept_release`` is part of a release."""
    assert __version__ in VERSIONS


def test_lake_and_warehouse_are_read_as_they_are(kept: Path, tmp_path: Path) -> None:
    platform = unpacked(kept, tmp_path, TAXI_POSTGRES="off")
    statuses = by_month(platform.status())
    assert rows(statuses) == rows(said(kept))
    with duckdb.connect(str(platform.data / "warehouse.duckdb"), read_only=True) as warehouse:
        found = {(dataset, f"{month:%Y-%m}"): trips for dataset, month, trips, _ in warehouse.execute(SUMS).fetchall()}
    assert found == {month: status["warehouse_rows"] for month, status in said(kept).items()}
    with record(platform) as instance:
        assert {run.status for run in instance.get_runs()} == {dg.DagsterRunStatus.SUCCESS}
        for dataset in {dataset for dataset, _ in statuses}:
            partitions = instance.get_materialized_partitions(asset_key("trips", dataset))
            assert {key[:7] for key in partitions} == {month for name, month in statuses if name == dataset}


@pytest.mark.long
def test_a_run_repairs_and_goes_on_and_nothing_is_lost(kept: Path, tmp_path: Path) -> None:
    platform = unpacked(kept, tmp_path)
    restored(platform, kept)
    before = said(kept)
    now = by_month(platform.status())
    assert rows(now) == rows(before)
    for store in ("warehouse_rows", "postgres_rows"):
        assert {m: status[store] for m, status in now.items()} == {m: status[store] for m, status in before.items()}
    sums = {store: asked(platform, store) for store in ("warehouse", "postgres")}
    with record(platform) as instance:
        runs = {run.run_id for run in instance.get_runs()}
    objects = {path: path.read_bytes() for path in (platform.data / "lake" / "raw").rglob("*.parquet")}

    done = platform.taxi("run", "--behind")
    assert done.code == 0, done.text
    done = platform.taxi("run", "--datasets", "green", "--months", "2021-03..2021-04")
    assert done.code == 0, done.text

    assert platform.taxi("status").code == 0
    after = by_month(platform.status())
    assert rows(before).items() <= rows(after).items()
    assert set(after) - set(before) == {("green", "2021-04")}
    for store, lines in sums.items():
        assert lines < asked(platform, store)
    assert asked(platform, "warehouse") == asked(platform, "postgres")
    with record(platform) as instance:
        assert runs < {run.run_id for run in instance.get_runs()}
    assert {path: path.read_bytes() for path in objects} == objects
    assert platform.taxi("snapshot", "verify", "first").code == 0
    assert len(platform.taxi("versions", "green", "2021-02").out.splitlines()) == 3


def asked(platform: Platform, store: str) -> set[str]:
    """Trips and cents of each month, a line each, as the store counts them."""
    done = platform.taxi("query", "--store", store, "--format", "csv", SUMS)
    assert done.code == 0, done.text
    return set(done.out.splitlines())
