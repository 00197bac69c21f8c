"""The file of views: exactly the current versions, exchanged whole, from any folder, and nobody waits for it."""

from __future__ import annotations

import multiprocessing
import os
import resource
import shutil
import threading
from datetime import timedelta
from pathlib import Path
from typing import Any

import duckdb
import pyarrow.parquet as pq
import pytest

from taxi_platform.contracts import CONTRACTS
from taxi_platform.contracts.schemas import describe
from taxi_platform.errors import StoreError
from taxi_platform.sources.sample.zones import lookup_csv
from taxi_platform.stores.duckdb.lake_views import ViewsFile
from taxi_platform.stores.lake.lake import Lake
from taxi_platform.stores.testing.months import APRIL, MARCH, staged_clean, staged_raw

GREEN = [CONTRACTS["green"]]


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return tmp_path / "data"


@pytest.fixture
def lake(data: Path) -> Lake:
    return Lake(str(data / "lake"))


@pytest.fixture
def views(data: Path, lake: Lake) -> ViewsFile:
    return ViewsFile(data / "views.duckdb", lake, wait_seconds=30)


def ask(path: Path, sql: str) -> list[tuple[Any, ...]]:
    with duckdb.connect(str(path), read_only=True) as connection:
        return connection.sql(sql).fetchall()


def store(lake: Lake, folder: Path, version: str = "c1", trips: int = 4, month: Any = MARCH) -> None:
    lake.store_raw(staged_raw(folder, "v1", month=month))
    lake.store_clean(staged_clean(folder, version, trips=trips, month=month))


def zones(lake: Lake, folder: Path) -> None:
    file = folder / "zones.csv"
    file.write_bytes(lookup_csv())
    lake.store_zones(file, source_url="u", source_token="t", etag=None, sha256="s", fetched_at="2026-01-01T00:00:00")


def test_every_table_of_the_lake_is_there_with_its_comments(views: ViewsFile, lake: Lake, tmp_path: Path) -> None:
    store(lake, tmp_path)
    store(lake, tmp_path, trips=6, month=APRIL)
    zones(lake, tmp_path)
    assert views.refresh(GREEN)
    months = "SELECT strftime(file_month, '%Y-%m'), count(*) FROM taxi.{} GROUP BY 1 ORDER BY 1"
    assert ask(views.path, months.format("green_trips")) == [("2020-03", 4), ("2020-04", 6)]
    assert ask(views.path, months.format("trips")) == [("2020-03", 4), ("2020-04", 6)]
    assert ask(views.path, months.format("green_quarantine")) == [("2020-03", 1), ("2020-04", 1)]
    assert ask(views.path, months.format("raw_green")) == [("2020-03", 5), ("2020-04", 5)]
    assert ask(views.path, "SELECT count(*) FROM taxi.zones") == [(265,)]
    recorded = "SELECT strftime(file_month, '%Y-%m'), data_version, trips_rows FROM taxi.months ORDER BY 1"
    assert ask(views.path, recorded) == [("2020-03", "c1", 4), ("2020-04", "c1", 6)]
    table = GREEN[0].trips
    comments = dict(
        ask(views.path, "SELECT column_name, comment FROM duckdb_columns() WHERE table_name = 'green_trips'")
    )
    assert comments == {column.name: describe(column) for column in table.columns}


@pytest.mark.parametrize("lacking", [("2020-03",), ("2020-03", "2020-04")])
def test_a_column_that_months_of_an_earlier_release_lack_is_null_there(
    views: ViewsFile, lake: Lake, tmp_path: Path, lacking: tuple[str, ...]
) -> None:
    column = GREEN[0].trips.column_names[-1]
    for month in (MARCH, APRIL):
        staged = staged_clean(tmp_path / month.label, month=month)
        if month.label in lacking:
            rows = pq.read_table(staged.trips_file)
            facts = rows.schema.metadata
            pq.write_table(rows.drop_columns([column]).replace_schema_metadata(facts), staged.trips_file)
        lake.store_raw(staged_raw(tmp_path, "v1", month=month))
        lake.store_clean(staged)
    assert views.refresh(GREEN)
    found = ask(views.path, f"SELECT count(*), count(vendor_id) > 0, count({column}) = 0 FROM taxi.green_trips")
    assert found == [(8, True, len(lacking) == 2)]
    assert ask(views.path, "SELECT count(*) FROM taxi.trips") == [(8,)]


def test_what_is_current_is_left_alone(views: ViewsFile, lake: Lake, tmp_path: Path) -> None:
    store(lake, tmp_path)
    assert views.refresh(GREEN)
    inode = views.path.stat().st_ino
    assert not views.refresh(GREEN)
    assert views.path.stat().st_ino == inode


@pytest.mark.parametrize("what", ["republished", "cleaned again", "withdrawn", "zones"])
def test_what_the_lake_has_anew_is_followed(views: ViewsFile, lake: Lake, tmp_path: Path, what: str) -> None:
    store(lake, tmp_path)
    views.refresh(GREEN)
    if what == "republished":
        lake.store_raw(staged_raw(tmp_path, "v2", rows=9))
    elif what == "cleaned again":
        lake.store_clean(staged_clean(tmp_path, "c2", trips=7))
    elif what == "withdrawn":
        lake.withdraw_raw(MARCH)
        lake.remove_clean(MARCH)
    else:
        zones(lake, tmp_path)
    assert views.refresh(GREEN)
    counts = {
        "republished": ("SELECT count(*) FROM taxi.raw_green", 9),
        "cleaned again": ("SELECT count(*) FROM taxi.green_trips", 7),
        "withdrawn": ("SELECT count(*) FROM duckdb_views() WHERE view_name = 'green_trips'", 0),
        "zones": ("SELECT count(*) FROM taxi.zones", 265),
    }
    sql, rows = counts[what]
    assert ask(views.path, sql) == [(rows,)]


def test_a_raw_file_that_was_lost_is_shown_again_once_it_is_back(views: ViewsFile, lake: Lake, tmp_path: Path) -> None:
    store(lake, tmp_path)
    store(lake, tmp_path, month=APRIL)
    raw = lake.current_raw(MARCH)
    assert raw is not None
    file = Path(lake.uri(raw.path))
    content = file.read_bytes()
    file.write_bytes(b"x" * len(content))
    views.refresh(GREEN)
    assert ask(views.path, "SELECT DISTINCT month(file_month) FROM taxi.raw_green") == [(4,)]
    file.write_bytes(content)
    assert views.refresh(GREEN)
    assert ask(views.path, "SELECT count(DISTINCT file_month) FROM taxi.raw_green") == [(2,)]


def test_it_is_made_again_where_the_lake_has_moved(
    data: Path, views: ViewsFile, lake: Lake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store(lake, tmp_path)
    views.refresh(GREEN)
    moved = tmp_path / "moved"
    shutil.move(data, moved)
    there = ViewsFile(moved / "views.duckdb", Lake(str(moved / "lake")))
    with pytest.raises(duckdb.IOException, match=r"No files found|Cannot open"):
        ask(there.path, "FROM taxi.green_trips")
    assert there.refresh(GREEN)
    elsewhere = tmp_path / "another folder"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    assert ask(there.path, "SELECT count(*) FROM taxi.green_trips") == [(4,)]


def test_a_connection_keeps_the_versions_of_its_opening(
    data: Path, views: ViewsFile, lake: Lake, tmp_path: Path
) -> None:
    store(lake, tmp_path)
    views.refresh(GREEN)
    with duckdb.connect(str(views.path), read_only=True) as held:
        lake.store_clean(staged_clean(tmp_path, "c2", trips=7))
        assert views.refresh(GREEN), "nobody waits for a reader"
        assert held.sql("SELECT count(*) FROM taxi.green_trips").fetchall() == [(4,)]
        impatient = Lake(lake.url, grace=timedelta(0))
        impatient.store_clean(staged_clean(tmp_path, "c3", trips=8))
        with pytest.raises(duckdb.IOException, match=r"No files found|Cannot open"):
            held.sql("SELECT count(*) FROM taxi.green_trips").fetchall()
    views.refresh(GREEN)
    assert ask(views.path, "SELECT count(*) FROM taxi.green_trips") == [(8,)]


@pytest.mark.parametrize("damage", ["missing", "cut", "manifest"])
def test_a_damaged_month_is_left_out_and_the_others_stay(
    views: ViewsFile, lake: Lake, tmp_path: Path, damage: str, caplog: pytest.LogCaptureFixture
) -> None:
    store(lake, tmp_path)
    store(lake, tmp_path, trips=6, month=APRIL)
    clean = lake.manifest(MARCH).clean
    assert clean is not None
    trips = Path(lake.uri(clean.trips_path))
    if damage == "missing":
        trips.unlink()
    elif damage == "cut":
        trips.write_bytes(trips.read_bytes()[:-20])
    else:
        Path(lake.uri("raw/green/month=2020-03/manifest.json")).write_text("{")
    assert views.refresh(GREEN)
    assert ask(views.path, "SELECT count(*) FROM taxi.green_trips") == [(6,)]
    assert "green 2020-03 is left out of the views" in caplog.text


@pytest.mark.parametrize("content", [b"", b"no database at all" * 100])
def test_a_file_that_is_no_database_is_made_again(views: ViewsFile, lake: Lake, tmp_path: Path, content: bytes) -> None:
    store(lake, tmp_path)
    views.path.write_bytes(content)
    assert views.refresh(GREEN)
    assert ask(views.path, "SELECT count(*) FROM taxi.green_trips") == [(4,)]


def test_a_place_that_cannot_be_written_is_one_sentence(lake: Lake, tmp_path: Path) -> None:
    store(lake, tmp_path)
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match=r"the file of views .* cannot be made: File exists"):
        ViewsFile(tmp_path / "file" / "views.duckdb", lake).refresh(GREEN)


def test_a_disk_that_refuses_the_end_of_the_file_leaves_the_file_before(
    views: ViewsFile, lake: Lake, tmp_path: Path
) -> None:
    """DuckDB writes most of the file when it closes it, and tells nobody that the disk refused."""
    store(lake, tmp_path)
    views.refresh(GREEN)
    store(lake, tmp_path, "c2", trips=6)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, before[1]))  # the log is smaller, the file is larger
    try:
        with pytest.raises(StoreError, match=r"the file of views .* cannot be made"):
            views.refresh(GREEN)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert ask(views.path, "SELECT count(*) FROM taxi.green_trips") == [(4,)]
    assert views.refresh(GREEN)
    assert ask(views.path, "SELECT count(*) FROM taxi.green_trips") == [(6,)]


def test_two_writers_leave_the_last_version(data: Path, lake: Lake, tmp_path: Path) -> None:
    store(lake, tmp_path)

    def write(name: str, month: Any) -> None:
        own = Lake(lake.url)
        for number in range(5):
            own.store_clean(staged_clean(tmp_path / name, f"{name}{number}", trips=number + 1, month=month))
            ViewsFile(data / "views.duckdb", own, wait_seconds=60).refresh(GREEN)

    lake.store_raw(staged_raw(tmp_path, "v1", month=APRIL))
    writers = [threading.Thread(target=write, args=arguments) for arguments in (("a", MARCH), ("b", APRIL))]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert ask(data / "views.duckdb", "SELECT data_version FROM taxi.months ORDER BY 1") == [("a4",), ("b4",)]


def _die_before_the_rename(path: Path, url: str) -> None:
    Path.replace = lambda *_: os._exit(9)  # type: ignore[method-assign]
    ViewsFile(path, Lake(url)).refresh(GREEN)


def test_a_kill_before_the_rename_leaves_the_file_before(views: ViewsFile, lake: Lake, tmp_path: Path) -> None:
    store(lake, tmp_path)
    views.refresh(GREEN)
    lake.store_clean(staged_clean(tmp_path, "c2", trips=7))
    process = multiprocessing.get_context("spawn").Process(target=_die_before_the_rename, args=(views.path, lake.url))
    process.start()
    process.join()
    assert process.exitcode == 9
    assert ask(views.path, "SELECT count(*) FROM taxi.green_trips") == [(4,)]
    assert views.refresh(GREEN)
    assert ask(views.path, "SELECT count(*) FROM taxi.green_trips") == [(7,)]


@pytest.mark.parametrize("times", [20, pytest.param(200, marks=pytest.mark.long)])
def test_no_reader_sees_half_a_month_while_it_is_replaced_again_and_again(
    views: ViewsFile, lake: Lake, tmp_path: Path, times: int
) -> None:
    store(lake, tmp_path)
    views.refresh(GREEN)
    made = [staged_clean(tmp_path, f"c{rows}", trips=rows, quarantined=rows + 1) for rows in range(2, 12)]
    stop, seen, failed = threading.Event(), set[tuple[int, ...]](), list[Exception]()
    sql = """
        SELECT (SELECT count(*) FROM taxi.green_trips), (SELECT count(*) FROM taxi.green_quarantine),
               (SELECT trips_rows FROM taxi.months), (SELECT quarantined_rows FROM taxi.months)
    """

    def read() -> None:
        try:
            while not stop.is_set():
                seen.add(ask(views.path, sql)[0])
        except duckdb.Error as error:
            failed.append(error)

    # One reader: within a process DuckDB opens a file once, and whoever comes second gets the file of the first.
    reader = threading.Thread(target=read)
    reader.start()
    for number in range(times):
        lake.store_clean(made[number % len(made)])
        views.refresh(GREEN)
    stop.set()
    reader.join()
    assert not failed
    assert len(seen) > 1
    assert all(trips == recorded and rejected == noted for trips, rejected, recorded, noted in seen), seen
