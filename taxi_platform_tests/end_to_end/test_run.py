"""``taxi run`` on real files, over HTTP and from folders: counts, repeated runs, changed files, parallel runs."""

from __future__ import annotations

import gzip
import shutil
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import duckdb
import psycopg
import pyarrow.parquet as pq
import pytest

from taxi_platform_tests.support.platform import Platform
from taxi_platform_tests.support.upstream import Upstream, serve

# Rows raw and quarantined, counted by plain SQL and line counts on the same files (see the data's own notes).
GREEN_2020 = {
    "green 2020-03": (223_406, 1_389),
    "green 2020-04": (35_612, 258),
    "green 2020-05": (57_360, 251),
    "green 2020-06": (63_109, 304),
    "green 2020-07": (72_257, 349),
    "green 2020-08": (81_063, 380),
}
GREEN_PARQUET = {
    "green 2020-12": (83_130, 395),
    "green 2021-01": (76_518, 317),
    "green 2021-02": (64_572, 244),
    "green 2023-01": (68_211, 390),
    "green 2023-02": (64_809, 434),
    "green 2024-01": (56_551, 412),
}


def whole(raw: int, quarantined: int) -> tuple[int, ...]:
    trips = raw - quarantined
    return raw, trips, quarantined, trips, trips


def published(tlc: Path, folder: Path) -> Path:
    """A copy of two small months in the dtc layout."""
    for name in ("green/green_tripdata_2020-04.csv.gz", "green/green_tripdata_2020-05.csv.gz"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(tlc / "dtc" / name, folder / name)
    shutil.copytree(tlc / "dtc" / "misc", folder / "misc")
    return folder


def reading(source: str, url: str, folder: Path, postgres: str = "embedded") -> Platform:
    stores = {"TAXI_DATA": str(folder / "d"), "TAXI_POSTGRES": postgres}
    return Platform(folder, {**stores, "TAXI_SOURCE": source, "TAXI_SOURCE_URL": url})


@pytest.fixture(scope="module")
def upstream(tlc: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Upstream]:
    """These months, served over HTTP."""
    with serve(published(tlc, tmp_path_factory.mktemp("upstream"))) as running:
        yield running


@pytest.fixture
def upstream_of_its_own(tlc: Path, tmp_path: Path) -> Iterator[Upstream]:
    """The same, which a test may change."""
    with serve(published(tlc, tmp_path / "upstream")) as running:
        yield running


@pytest.fixture(scope="module")
def platform(upstream: Upstream, tmp_path_factory: pytest.TempPathFactory) -> Platform:
    """One for the tests that leave its months as upstream has them; its PostgreSQL comes and goes with each command."""
    return reading("dtc", upstream.url, tmp_path_factory.mktemp("platform"))


def test_real_csv_months_arrive_whole_in_every_store(tlc: Path, tmp_path: Path, postgres_database: str) -> None:
    platform = reading("dtc", str(tlc / "dtc"), tmp_path, postgres_database)
    green = platform.taxi("run", "--datasets", "green", "--months", "2020-03..2020-08")
    yellow = platform.taxi("run", "--datasets", "yellow", "--months", "2019-01..2019-03")
    assert (green.code, yellow.code) == (0, 0), green.text + yellow.text
    rows = platform.rows()
    assert {month: rows[month] for month in GREEN_2020} == {m: whole(*counts) for m, counts in GREEN_2020.items()}
    for month in ("yellow 2019-01", "yellow 2019-02", "yellow 2019-03"):
        raw, trips, quarantined, warehouse, postgres = rows[month]
        assert raw == 10_000
        assert trips is not None
        assert quarantined is not None
        assert raw == trips + quarantined
        assert trips == warehouse == postgres


def test_real_parquet_months_arrive_whole_in_every_store(tlc: Path, tmp_path: Path, postgres_database: str) -> None:
    platform = reading("tlc", str(tlc / "tlc"), tmp_path, postgres_database)
    months = ",".join(name.split()[1] for name in GREEN_PARQUET)
    done = platform.taxi("run", "--datasets", "green", "--months", months)
    assert done.code == 0, done.text
    assert platform.rows() == {month: whole(*counts) for month, counts in GREEN_PARQUET.items()}
    kept = next((tmp_path / "d" / "lake" / "raw" / "green" / "month=2024-01").glob("*.parquet"))
    assert kept.read_bytes() == (tlc / "tlc" / "trip-data" / "green_tripdata_2024-01.parquet").read_bytes()


def test_a_second_run_looks_once_downloads_nothing_and_changes_nothing(platform: Platform, upstream: Upstream) -> None:
    command = ("run", "--datasets", "green", "--months", "2020-04..2020-05")
    assert platform.taxi(*command).code == 0
    before = platform.rows()
    upstream.requests.clear()
    again = platform.taxi(*command)
    assert again.code == 0
    assert again.out.count("unchanged") == 2
    assert upstream.count("GET") == 0
    assert upstream.count("HEAD", "green/green_tripdata_2020-04.csv.gz") == 1
    assert platform.rows() == before


def test_a_changed_file_replaces_its_month_only_and_the_earlier_version_stays(
    upstream_of_its_own: Upstream, tlc: Path, tmp_path: Path, postgres_database: str
) -> None:
    platform = reading("dtc", upstream_of_its_own.url, tmp_path, postgres_database)
    command = ("run", "--datasets", "green", "--months", "2020-04..2020-05")
    assert platform.taxi(*command).code == 0
    months = platform.data / "lake" / "raw" / "green"
    first = {file.name for file in (months / "month=2020-04").glob("*.parquet")}
    # Header and the first 30,000 records of April.
    lines = gzip.decompress((tlc / "dtc/green/green_tripdata_2020-04.csv.gz").read_bytes()).splitlines(keepends=True)
    april = upstream_of_its_own.folder / "green/green_tripdata_2020-04.csv.gz"
    april.unlink()
    april.write_bytes(gzip.compress(b"".join(lines[:30_001]), 1))
    done = platform.taxi(*command)
    assert done.code == 0, done.text
    raw, trips, quarantined, warehouse, postgres = platform.rows()["green 2020-04"]
    assert raw == 30_000
    assert trips is not None
    assert quarantined is not None
    assert raw == trips + quarantined
    assert trips == warehouse == postgres
    assert 100 < quarantined < 258
    assert platform.rows()["green 2020-05"] == whole(57_360, 251)
    assert first < {file.name for file in (months / "month=2020-04").glob("*.parquet")}


def test_two_runs_at_once_and_a_reader_of_the_file_all_arrive(upstream: Upstream, tmp_path: Path) -> None:
    platform = reading("dtc", upstream.url, tmp_path)
    assert platform.taxi("run", "--datasets", "green", "--months", "2020-04").code == 0
    reader = duckdb.connect(str(platform.data / "warehouse.duckdb"), read_only=True)
    try:
        runs = [
            platform.start("run", "--force", "--datasets", "green", "--months", month)
            for month in ("2020-04", "2020-05")
        ]
        time.sleep(3)
        rows = reader.execute("SELECT count(*) FROM taxi.green_trips").fetchone()
        assert rows == (35_354,)
    finally:
        reader.close()
    results = [platform.finish(run) for run in runs]
    assert [r.code for r in results] == [0, 0], "\n".join(r.text for r in results)
    assert platform.rows() == {m: whole(*GREEN_2020[m]) for m in ("green 2020-04", "green 2020-05")}


def test_ctrl_c_leaves_whole_months_and_free_stores(tlc: Path, tmp_path: Path) -> None:
    months = ("green 2020-04", "green 2020-05", "green 2020-06")
    platform = reading("dtc", str(tlc / "dtc"), tmp_path)
    run = platform.start("run", "--datasets", "green", "--months", "2020-04..2020-06")
    while run.poll() is None and not list((tmp_path / "d").glob("lake/trips/green/month=*/*.parquet")):
        time.sleep(0.05)
    run.send_signal(signal.SIGINT)
    stopped = platform.finish(run)
    assert stopped.code == 130
    assert "Traceback" not in stopped.err
    for month, rows in platform.rows().items():
        for held, expected in zip(rows, whole(*GREEN_2020[month]), strict=True):
            assert held in (None, expected)
    again = platform.taxi("run", "--datasets", "green", "--months", "2020-04..2020-06")
    assert again.code == 0, again.text
    assert platform.rows() == {month: whole(*GREEN_2020[month]) for month in months}


def test_zones_keep_their_texts_and_the_view_joins_them(platform: Platform) -> None:
    assert platform.taxi("run", "--datasets", "green", "--months", "2020-04").code == 0
    unknown = [(264, "Unknown", "NV", "N/A"), (265, "Unknown", "NA", "N/A")]
    zones = "SELECT location_id, borough, zone, service_zone FROM taxi.zones WHERE location_id > 263 ORDER BY 1"
    by_borough = "SELECT count(*) FROM taxi.trips WHERE dataset = 'green' AND pickup_borough = 'Manhattan'"
    with duckdb.connect(str(platform.data / "warehouse.duckdb"), read_only=True) as warehouse:
        assert warehouse.execute("SELECT count(*) FROM taxi.zones").fetchone() == (265,)
        assert warehouse.execute(zones).fetchall() == unknown
        in_warehouse = warehouse.execute(by_borough).fetchone()
    with psycopg.connect(platform.taxi("postgres-url", "--idle-seconds", "2").out.strip()) as postgres:
        assert postgres.execute("SELECT count(*) FROM taxi.zones").fetchone() == (265,)
        assert postgres.execute(zones).fetchall() == unknown
        assert postgres.execute(by_borough).fetchone() == in_warehouse
    assert in_warehouse is not None
    assert in_warehouse[0] > 0
    lake = pq.read_table(platform.data / "lake" / "zones" / "taxi_zone_lookup.parquet")
    assert lake.num_rows == 265
    assert "NA" in lake["zone"].to_pylist()
