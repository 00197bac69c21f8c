"""The DuckDB file itself: what stands in it, and who may use it when."""

from __future__ import annotations

import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from taxi_platform.contracts import CONTRACTS
from taxi_platform.errors import StoreBusyError, StoreError
from taxi_platform.machine import locks
from taxi_platform.months import TripMonth
from taxi_platform.references import CleanMonth
from taxi_platform.stores.duckdb.store import DuckDBStore
from taxi_platform.stores.lake.lake import Lake
from taxi_platform.stores.testing.months import MARCH, staged_clean

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

GREEN = CONTRACTS["green"]
TRIPS = "taxi.green_trips"


@pytest.fixture
def store(tmp_path: Path) -> DuckDBStore:
    return DuckDBStore(tmp_path / "warehouse.duckdb", wait_seconds=5)


def opened(store: DuckDBStore, *, read_only: bool = False) -> DuckDBPyConnection:
    import duckdb

    return duckdb.connect(str(store.path), read_only=read_only)


@contextmanager
def ending_soon(process: subprocess.Popen[str]) -> Iterator[None]:
    """The process is let go while the context waits for what it holds."""
    timer = threading.Timer(0.3, lambda: process.communicate(""))
    timer.start()
    yield
    timer.join()


def query(store: DuckDBStore, sql: str) -> list[tuple[object, ...]]:
    with opened(store, read_only=True) as connection:
        return connection.execute(sql).fetchall()


def clean(lake: Lake, folder: Path, version: str = "c1") -> CleanMonth:
    return lake.store_clean(staged_clean(folder, version))


def test_looking_at_a_file_that_is_not_there_makes_none(store: DuckDBStore) -> None:
    assert store.count_months(GREEN) == {}
    assert not store.path.exists()


def test_every_table_and_column_says_what_it_is(store: DuckDBStore, lake: Lake, tmp_path: Path) -> None:
    store.replace_month(GREEN, clean(lake, tmp_path), lake)
    silent = "SELECT table_name, column_name FROM duckdb_columns() WHERE schema_name = 'taxi' AND comment IS NULL"
    assert query(store, silent) == []
    assert query(store, "SELECT count(*) FROM duckdb_tables() WHERE comment IS NOT NULL") == [(3,)]


def test_a_reader_that_is_closed_early_frees_the_file(store: DuckDBStore, lake: Lake, tmp_path: Path) -> None:
    store.replace_month(GREEN, clean(lake, tmp_path), lake)
    reader = store.read_months(TRIPS, [MARCH.first_day])
    del reader
    assert store.replace_month(GREEN, clean(lake, tmp_path, "c2"), lake).changed


def test_places_that_are_no_database_are_refused_in_a_sentence(lake: Lake, tmp_path: Path) -> None:
    month = clean(lake, tmp_path)
    (tmp_path / "folder.duckdb").mkdir()
    (tmp_path / "text.duckdb").write_text("hello" * 999)
    (tmp_path / "file").touch()
    for name, sentence in [
        ("folder.duckdb", "name a file, not a folder"),
        ("text.duckdb", "name another file, or move this one away"),
        ("file/below.duckdb", r"cannot be used: (File exists|Not a directory)"),
    ]:
        with pytest.raises(StoreError, match=f"the DuckDB file .*{name} .*{sentence}"):
            DuckDBStore(tmp_path / name).replace_month(GREEN, month, lake)
    with pytest.raises(StoreError, match=r"taxi\.duckdb needs another name"):
        DuckDBStore(tmp_path / "taxi.duckdb")


def test_a_writer_waits_for_a_foreign_reader_by_name(
    store: DuckDBStore,
    lake: Lake,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(locks, "_SOON", 0.0)
    store.replace_month(GREEN, clean(lake, tmp_path), lake)
    with foreign(store, read_only=True) as reader:
        assert store.count_months(GREEN)
        impatient = DuckDBStore(store.path, wait_seconds=0.1)
        with pytest.raises(StoreBusyError, match=f"warehouse.duckdb is held by process {reader.pid} for over 0.1 s"):
            impatient.replace_month(GREEN, clean(lake, tmp_path, "c2"), lake)
        assert [record.message for record in caplog.records] == [
            f"waiting for process {reader.pid}, which holds the DuckDB file {store.path} (at most 0.1 s)"
        ]
        with ending_soon(reader):
            assert store.replace_month(GREEN, clean(lake, tmp_path, "c2"), lake).changed


def test_a_reader_waits_for_a_foreign_writer(store: DuckDBStore, lake: Lake, tmp_path: Path) -> None:
    store.replace_month(GREEN, clean(lake, tmp_path), lake)
    with foreign(store, read_only=False) as writer:
        with pytest.raises(StoreBusyError, match=f"is held by process {writer.pid}"):
            DuckDBStore(store.path, wait_seconds=0.1).count_months(GREEN)
        with ending_soon(writer):
            assert store.count_months(GREEN)[MARCH.first_day].trips == 4


def test_threads_of_one_process_take_turns(store: DuckDBStore, tmp_path: Path) -> None:
    months = [TripMonth("green", date(2021, month, 1)) for month in range(1, 7)]

    def one(month: TripMonth) -> bool:
        lake = Lake(str(tmp_path / month.label))
        staged = lake.store_clean(staged_clean(tmp_path / f"{month.label}.staged", month=month))
        store.count_months(GREEN)
        return DuckDBStore(store.path, wait_seconds=60).replace_month(GREEN, staged, lake).changed

    with ThreadPoolExecutor(len(months)) as pool:
        assert list(pool.map(one, months)) == [True] * len(months)
    assert list(store.count_months(GREEN)) == [month.first_day for month in months]


def foreign(store: DuckDBStore, *, read_only: bool) -> subprocess.Popen[str]:
    """Another program that has the file open until its input ends."""
    script = "import duckdb, sys; c = duckdb.connect(sys.argv[1], read_only=sys.argv[2] == 'True'); print(); input()"
    process = subprocess.Popen(
        [sys.executable, "-c", script, str(store.path), str(read_only)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert process.stdout is not None
    process.stdout.readline()
    return process


def test_a_full_disk_is_one_sentence_and_leaves_the_month_before(lake: Lake, tmp_path: Path) -> None:
    """On a disk of 8 MB of its own, in a namespace where an ordinary user may mount one."""
    small = clean(lake, tmp_path)
    big = Lake(str(tmp_path / "big"))
    big.store_clean(staged_clean(tmp_path, "c2", 30_000, 30_000))
    script = f"""
import sys
from pathlib import Path
from taxi_platform.contracts import CONTRACTS
from taxi_platform.errors import StoreBusyError, StoreError
from taxi_platform.stores.duckdb.store import DuckDBStore
from taxi_platform.stores.lake.lake import Lake
from taxi_platform.stores.testing.months import MARCH
green, store = CONTRACTS["green"], DuckDBStore("{tmp_path}/disk/warehouse.duckdb")
small, big = Lake("{lake.url}"), Lake("{big.url}")
store.replace_month(green, small.current_clean(MARCH), small)
filler = Path("{tmp_path}/disk/filler")
try:
    with filler.open("wb", buffering=0) as file:
        while file.write(bytes(4096)): pass
except OSError: pass
try:
    store.replace_month(green, big.current_clean(MARCH), big)
except StoreError as error:
    print(error)
filler.unlink()
print(store.count_months(green)[MARCH.first_day])
print(store.replace_month(green, big.current_clean(MARCH), big).counts)
"""
    (tmp_path / "disk").mkdir()
    mount = 'mount -t tmpfs -o size=16m none "$0" && exec "$1" -c "$2"'
    command = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c", mount, str(tmp_path / "disk")]
    if shutil.which("unshare") is None or subprocess.run([*command[:4], "true"], check=False).returncode != 0:
        pytest.skip("this machine lets nobody mount a small disk of their own")
    root = Path(__file__).parents[2]
    done = subprocess.run([*command, sys.executable, script], cwd=root, capture_output=True, text=True, check=False)
    assert small.facts.trips_rows == 4
    said, before, after = done.stdout.splitlines()
    assert said.startswith(f"the DuckDB file {tmp_path}/disk/warehouse.duckdb refused the work: ")
    assert said.endswith("; the disk is full: free space, then run it again")
    assert before == "MonthCounts(trips=4, quarantined=1)"
    assert after == "MonthCounts(trips=30000, quarantined=30000)"


def test_no_progress_bar_is_drawn_into_files_and_pipes(tmp_path: Path) -> None:
    # DuckDB draws one in a process that was not started from a file, as a daemon's workers are.
    script = f"""
from pathlib import Path
from taxi_platform.stores.duckdb.connection import DuckDBFile
file = DuckDBFile(Path({str(tmp_path / "w.duckdb")!r}), memory_limit="1GB", threads=1, wait_seconds=5)
with file.writing() as connection:
    connection.execute("SET progress_bar_time = 0")
    connection.execute("CREATE TABLE t AS SELECT sum(hash(i)) FROM range(30000000) r(i)")
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("", "")
