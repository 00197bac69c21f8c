"""``taxi run`` on real files, over HTTP and from folders: counts, repeated runs, changed files, parallel runs."""

from __future__ import annotations

import gzip
import shutil
import signal
import time
from collections.abc import Iterable, Iterator, Mapping
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

APRIL, MAY = "green/green_tripdata_2020-04.csv.gz", "green/green_tripdata_2020-05.csv.gz"
RUN = ("run", "--datasets", "green", "--months", "2020-04..2020-05")
BROUGHT = ("green 2020-04", "green 2020-05")


def whole(raw: int, quarantined: int) -> tuple[int, ...]:
    trips = raw - quarantined
    return raw, trips, quarantined, trips, trips


def published(tlc: Path, folder: Path) -> Path:
    """A copy of some months in the dtc layout."""
    for name in (APRIL, MAY, *(f"yellow/yellow_tripdata_2019-0{number}.csv.gz" for number in (1, 2, 3))):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(tlc / "dtc" / name, folder / name)
    shutil.copytree(tlc / "dtc" / "misc", folder / "misc")
    return folder


def reading(source: str, url: str, folder: Path, postgres: str = "embedded") -> Platform:
    stores = {"TAXI_DATA": str(folder / "data"), "TAXI_POSTGRES": postgres}
    return Platform(folder, {**stores, "TAXI_SOURCE": source, "TAXI_SOURCE_URL": url})


@pytest.fixture(scope="module")
def upstream(tlc: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Upstream]:
    """These months, served over HTTP."""
    with serve(published(tlc, tmp_path_factory.mktemp("upstream"))) as running:
        yield running


@pytest.fixture(scope="module")
def platform(upstream: Upstream, tmp_path_factory: pytest.TempPathFactory) -> Platform:
    """One that has brought April and May from there. Its PostgreSQL comes and goes with each command.

    Tests leave these months as upstream has them; one that changes them takes a copy.
    """
    platform = reading("dtc", upstream.url, tmp_path_factory.mktemp("platform"))
    done = platform.taxi(*RUN)
    assert done.code == 0, done.text
    return platform


@pytest.fixture
def copy(platform: Platform, tmp_path: Path) -> Platform:
    return platform.copied(tmp_path)


def are_whole(rows: Mapping[str, tuple[int | None, ...]], yellow: Iterable[str]) -> bool:
    """Whether such months of yellow trips, which are of 10,000 rows, are in every store."""
    found = [rows[f"yellow {month}"] for month in yellow]
    return all(
        raw == 10_000 == (trips or 0) + (quarantined or 0) and trips == warehouse == postgres
        for raw, trips, quarantined, warehouse, postgres in found
    )


def test_real_csv_months_arrive_whole_in_every_store(platform: Platform) -> None:
    yellow = platform.taxi("run", "--datasets", "yellow", "--months", "2019-03")
    assert yellow.code == 0, yellow.text
    rows = platform.rows()
    assert are_whole(rows, ["2019-03"])
    assert {m: rows[m] for m in BROUGHT} == {m: whole(*GREEN_2020[m]) for m in BROUGHT}


@pytest.mark.long
def test_all_real_csv_months_arrive_whole_in_every_store(tlc: Path, tmp_path: Path, postgres_database: str) -> None:
    platform = reading("dtc", str(tlc / "dtc"), tmp_path, postgres_database)
    green = platform.taxi("run", "--datasets", "green", "--months", "2020-03..2020-08")
    yellow = platform.taxi("run", "--datasets", "yellow", "--months", "2019-01..2019-03")
    assert (green.code, yellow.code) == (0, 0), green.text + yellow.text
    rows = platform.rows()
    assert are_whole(rows, ["2019-01", "2019-02", "2019-03"])
    assert {month: rows[month] for month in GREEN_2020} == {m: whole(*counts) for m, counts in GREEN_2020.items()}


@pytest.mark.parametrize(
    "months",
    [
        pytest.param(("green 2024-01",), id="one"),
        pytest.param(tuple(GREEN_PARQUET), id="all", marks=pytest.mark.long),
    ],
)
def test_real_parquet_months_arrive_whole_in_every_store(
    tlc: Path, tmp_path: Path, postgres_database: str, months: tuple[str, ...]
) -> None:
    platform = reading("tlc", str(tlc / "tlc"), tmp_path, postgres_database)
    done = platform.taxi("run", "--datasets", "green", "--months", ",".join(name.split()[1] for name in months))
    assert done.code == 0, done.text
    assert platform.rows() == {month: whole(*GREEN_PARQUET[month]) for month in months}
    kept = next((platform.data / "lake" / "raw" / "green" / "month=2024-01").glob("*.parquet"))
    assert kept.read_bytes() == (tlc / "tlc" / "trip-data" / "green_tripdata_2024-01.parquet").read_bytes()


def test_a_second_run_looks_once_downloads_nothing_and_changes_nothing(platform: Platform, upstream: Upstream) -> None:
    before = platform.rows()
    upstream.requests.clear()
    again = platform.taxi(*RUN)
    assert again.code == 0
    assert again.out.count("unchanged") == 2
    assert upstream.count("GET") == 0
    assert upstream.count("HEAD", APRIL) == 1
    assert platform.rows() == before


def test_a_changed_file_replaces_its_month_only_and_the_earlier_version_stays(
    copy: Platform, tlc: Path, tmp_path: Path
) -> None:
    months = copy.data / "lake" / "raw" / "green"
    first = {file.name for file in (months / "month=2020-04").glob("*.parquet")}
    # Header and the first 30,000 records of April.
    lines = gzip.decompress((tlc / "dtc" / APRIL).read_bytes()).splitlines(keepends=True)
    april = published(tlc, tmp_path / "upstream") / APRIL
    april.unlink()
    april.write_bytes(gzip.compress(b"".join(lines[:30_001]), 1))
    with serve(tmp_path / "upstream") as changed:
        done = copy.taxi(*RUN, TAXI_SOURCE_URL=changed.url)
        assert changed.count("GET", MAY) == 0
    assert done.code == 0, done.text
    raw, trips, quarantined, warehouse, postgres = copy.rows()["green 2020-04"]
    assert raw == 30_000
    assert trips is not None
    assert quarantined is not None
    assert raw == trips + quarantined
    assert trips == warehouse == postgres
    assert 100 < quarantined < 258
    assert copy.rows()["green 2020-05"] == whole(57_360, 251)
    assert first < {file.name for file in (months / "month=2020-04").glob("*.parquet")}


@pytest.mark.long
def test_two_runs_at_once_and_a_reader_of_the_file_all_arrive(copy: Platform) -> None:
    """Both of them new months of one table."""
    reader = duckdb.connect(str(copy.data / "warehouse.duckdb"), read_only=True)
    try:
        runs = [copy.start("run", "--datasets", "yellow", "--months", month) for month in ("2019-01", "2019-02")]
        trips = copy.data / "lake" / "trips" / "yellow"
        while len(list(trips.glob("month=*/*.parquet"))) < 2 and all(run.poll() is None for run in runs):
            time.sleep(0.05)  # what comes next is the warehouse, whose file is being read
        rows = reader.execute("SELECT count(*) FROM taxi.green_trips").fetchone()
        assert rows == (35_354 + 57_109,)
    finally:
        reader.close()
    results = [copy.finish(run) for run in runs]
    assert [r.code for r in results] == [0, 0], "\n".join(r.text for r in results)
    found = copy.rows()
    assert are_whole(found, ["2019-01", "2019-02"])
    assert {m: found[m] for m in BROUGHT} == {m: whole(*GREEN_2020[m]) for m in BROUGHT}


@pytest.mark.parametrize(
    ("dataset", "months"),
    [("yellow", "2019-01..2019-03"), ("green", "2020-04..2020-06")],
)
@pytest.mark.long
def test_ctrl_c_leaves_whole_months_and_free_stores(tlc: Path, tmp_path: Path, dataset: str, months: str) -> None:
    platform = reading("dtc", str(tlc / "dtc"), tmp_path)
    choice = ("run", "--datasets", dataset, "--months", months)
    run = platform.start(*choice)
    while run.poll() is None and not list(platform.data.glob("lake/trips/*/month=*/*.parquet")):
        time.sleep(0.05)
    run.send_signal(signal.SIGINT)
    stopped = platform.finish(run)
    assert stopped.code == 130
    assert "Traceback" not in stopped.err
    left = platform.rows()
    again = platform.taxi(*choice)
    assert again.code == 0, again.text
    found = platform.rows()
    assert len(found) == 3
    for month, rows in left.items():
        for held, expected in zip(rows, found[month], strict=True):
            assert held in (None, expected)
    if dataset == "yellow":
        assert are_whole(found, ["2019-01", "2019-02", "2019-03"])
    else:
        assert found == {month: whole(*GREEN_2020[month]) for month in (*BROUGHT, "green 2020-06")}


def test_zones_keep_their_texts_and_the_view_joins_them(platform: Platform) -> None:
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
