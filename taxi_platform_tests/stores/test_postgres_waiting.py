"""Who waits for whom in PostgreSQL: readers are hardly ever kept waiting, and keep no load from its end.

Counted are readings: those that were served while a load waited, and those that were not.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest
from psycopg import Connection, errors

from taxi_platform.contracts import CONTRACTS
from taxi_platform.errors import StoreBusyError
from taxi_platform.months import TripMonth
from taxi_platform.orchestration.io_managers.isolation import store_each
from taxi_platform.references import MonthCounts
from taxi_platform.stores.lake.lake import Lake
from taxi_platform.stores.postgres import waiting as postgres_waiting
from taxi_platform.stores.postgres.store import PostgresStore
from taxi_platform.stores.testing.months import APRIL, MARCH, staged_clean
from taxi_platform_tests.stores.conftest import connected

GREEN = CONTRACTS["green"]


@pytest.fixture
def store(postgres_url: str, lake: Lake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> PostgresStore:
    """March and April are there; the first attempt is shorter than it is, and with it the pauses."""
    monkeypatch.setattr(postgres_waiting, "_FIRST_ATTEMPT", 0.02)
    store = PostgresStore(postgres_url, wait_seconds=30)
    for month in (MARCH, APRIL):
        load(store, lake, tmp_path, "c1", month)
    return store


def load(store: PostgresStore, lake: Lake, folder: Path, version: str, month: TripMonth = MARCH) -> None:
    clean = lake.store_clean(staged_clean(folder / f"{version}-{month.label}", version, 4, 1, month))
    assert store.replace_month(GREEN, clean, lake).changed


@contextmanager
def reading(url: str, sql: str) -> Iterator[int]:
    """A transaction that has read and stays open; its server process."""
    with connected(url) as reader, reader.transaction():
        reader.execute(sql)
        yield reader.info.backend_pid


def readings(url: str, sql: str, works: list[Callable[[], None]]) -> tuple[int, int]:
    """Read again and again for as long as the works last: how often it came, and how often somebody was in the way."""
    served = blocked = 0
    with ThreadPoolExecutor(len(works)) as pool, connected(url) as probe:
        probe.execute("SET lock_timeout = '5ms'")
        futures = [pool.submit(work) for work in works]
        while not all(future.done() for future in futures):
            if _serves(probe, sql):
                served += 1
            else:
                blocked += 1
        for future in futures:
            future.result()
    return served, blocked


def _serves(probe: Connection, sql: str) -> bool:
    try:
        probe.execute(sql)
    except errors.LockNotAvailable:
        return False
    return True


@pytest.mark.parametrize("loads", [1, 2])
def test_a_load_that_waits_for_a_reader_leaves_the_others_alone(
    store: PostgresStore, lake: Lake, tmp_path: Path, loads: int
) -> None:
    works = [lambda month=month: load(store, lake, tmp_path, "c2", month) for month in (MARCH, APRIL)[:loads]]
    with reading(store.url, "SELECT 1 FROM taxi.green_trips"):
        served, blocked = readings(store.url, "SELECT 1 FROM taxi.green_trips LIMIT 1", works)  # type: ignore[arg-type]
    assert blocked, "the load has waited for the reader"
    assert blocked < 0.05 * served
    assert store.count_months(GREEN) == dict.fromkeys((MARCH.first_day, APRIL.first_day), MonthCounts(4, 1))


def test_a_new_month_keeps_nobody_waiting(store: PostgresStore, lake: Lake, tmp_path: Path) -> None:
    store.delete_month(GREEN, APRIL.first_day)
    with reading(store.url, "SELECT 1 FROM taxi.green_trips, taxi.green_quarantine"):
        work = [lambda: load(store, lake, tmp_path, "c2", APRIL)]
        served, blocked = readings(store.url, "SELECT 1 FROM taxi.green_trips LIMIT 1", work)
    assert served
    assert blocked == 0


def test_readers_back_to_back_do_not_keep_a_load_from_its_end(store: PostgresStore, lake: Lake, tmp_path: Path) -> None:
    over = threading.Event()

    def read_on() -> None:
        with connected(store.url) as reader:
            while not over.is_set():
                reader.execute("SELECT count(*), pg_sleep(0.3) FROM taxi.green_trips")

    with ThreadPoolExecutor(6) as pool:
        readers = [pool.submit(read_on) for _ in range(6)]
        try:
            load(store, lake, tmp_path, "c2")
        finally:
            over.set()
        for reader in readers:
            reader.result()


def test_a_new_shape_of_the_view_waits_for_its_reader_and_keeps_others_from_nothing(store: PostgresStore) -> None:
    store.refresh_views([GREEN])
    with connected(store.url) as connection:
        connection.execute("ALTER VIEW taxi.trips RENAME COLUMN vendor TO old")
    impatient = PostgresStore(store.url, wait_seconds=2)

    def refresh() -> None:
        with pytest.raises(
            StoreBusyError, match=rf"the view taxi\.trips is held by process {pid} of taxi \(SELECT old"
        ):
            impatient.refresh_views([GREEN])

    with reading(store.url, "SELECT old FROM taxi.trips") as pid:
        served, blocked = readings(store.url, "SELECT old FROM taxi.trips", [refresh])
    assert blocked < 0.2 * served
    store.refresh_views([GREEN])


def test_what_has_waited_the_whole_time_is_not_waited_for_again(
    store: PostgresStore, lake: Lake, tmp_path: Path
) -> None:
    impatient, attempts = PostgresStore(store.url, wait_seconds=0.5), []

    def one(month: TripMonth) -> dict[str, object]:
        attempts.append(month)
        load(impatient, lake, tmp_path, "c2", month)
        return {}

    with reading(store.url, "UPDATE taxi.green_trips SET vendor_id = 9"):
        outcome = store_each([MARCH], one, at_once=1, wait_seconds=0.5)
    assert isinstance(outcome.failed[MARCH], StoreBusyError)
    assert attempts == [MARCH]


@pytest.mark.parametrize(
    ("user", "query"),
    [("taxi", "(UPDATE taxi.green_trips SET vendor_id = 9)"), ("postgres", "(whose query this role may not see)")],
)
def test_who_changes_rows_of_the_month_is_named(
    store: PostgresStore, lake: Lake, tmp_path: Path, user: str, query: str
) -> None:
    impatient = PostgresStore(store.url, wait_seconds=0.5)
    with reading(store.url.replace("taxi@", f"{user}@"), "UPDATE taxi.green_trips SET vendor_id = 9") as pid:
        sentence = f"taxi.green_trips_2020_03 is held by process {pid} of {user} {query} for over 0.5 s: let it end"
        with pytest.raises(StoreBusyError, match=re.escape(sentence)):
            load(impatient, lake, tmp_path, "c2")
    assert store.count_months(GREEN)[MARCH.first_day] == MonthCounts(4, 1)


def test_a_table_that_somebody_keeps_to_himself_is_waited_for_no_longer_than_allowed(
    store: PostgresStore, lake: Lake, tmp_path: Path
) -> None:
    impatient, attempts = PostgresStore(store.url, wait_seconds=0.5), []

    def one(month: TripMonth) -> dict[str, object]:
        attempts.append(month)
        load(impatient, lake, tmp_path, "c2", month)
        return {}

    sentence = "canceling statement due to lock timeout; another session keeps it locked"
    for table in ("taxi.months", "taxi.green_trips_2020_03"):
        with reading(store.url, f"LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE"):
            outcome = store_each([MARCH], one, at_once=1, wait_seconds=0.5)
            with pytest.raises(StoreBusyError, match=sentence):
                impatient.held_months(GREEN)
            with pytest.raises(StoreBusyError, match=sentence):
                impatient.read_months("taxi.months" if "months" in table else "taxi.green_trips", None).read_all()
        assert isinstance(outcome.failed[MARCH], StoreBusyError)
        assert sentence in str(outcome.failed[MARCH])
    assert attempts == [MARCH] * 2
