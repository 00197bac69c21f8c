"""Several processes at one store, some of them killed: every reader sees whole months, every month arrives."""

from __future__ import annotations

from pathlib import Path

import pytest

from taxi_platform.contracts import CONTRACTS
from taxi_platform.months import TripMonth, add_months
from taxi_platform.references import MonthCounts
from taxi_platform.stores.duckdb.store import DuckDBStore
from taxi_platform.stores.lake.lake import Lake
from taxi_platform.stores.model import TableStore
from taxi_platform.stores.postgres.store import PostgresStore
from taxi_platform_tests.stores import worker
from taxi_platform_tests.support.staged import APRIL, MARCH, staged_clean

GREEN = CONTRACTS["green"]


@pytest.fixture(params=["duckdb", "postgres"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> TableStore:
    if request.param == "duckdb":
        return DuckDBStore(tmp_path / "warehouse.duckdb", wait_seconds=60)
    return PostgresStore(request.getfixturevalue("postgres_url"), wait_seconds=60)


def put(lake: Lake, folder: Path, version: str, trips: int, quarantined: int, month: TripMonth = MARCH) -> None:
    lake.store_clean(staged_clean(folder, version, trips, quarantined, month))


def load(store: TableStore, lake: Lake, month: TripMonth = MARCH) -> bool:
    clean = lake.current_clean(month)
    assert clean is not None
    return store.replace_month(GREEN, clean, lake).changed


@pytest.mark.parametrize("first", [True, False], ids=["of an empty store", "of a month before"])
def test_a_load_killed_half_way_leaves_the_store_as_it_was(
    store: TableStore, lake: Lake, tmp_path: Path, first: bool
) -> None:
    before = {}
    if not first:
        put(lake, tmp_path, "c1", 30, 3)
        load(store, lake)
        before = {MARCH.first_day: MonthCounts(30, 3)}
    put(lake, tmp_path, "c2", 500, 7)
    worker.killed_half_way(worker.start(store, lake, MARCH.first_day, pause=True))
    assert store.count_months(GREEN) == before
    assert load(store, lake)
    assert store.count_months(GREEN) == {MARCH.first_day: MonthCounts(500, 7)}


def test_two_processes_load_two_months_while_a_third_reads(store: TableStore, lake: Lake, tmp_path: Path) -> None:
    months = [TripMonth("green", add_months(MARCH.first_day, i)) for i in range(6)]
    for i, month in enumerate(months):
        put(lake, tmp_path, f"c{i}", 1000 + i, i, month)
    processes = [worker.start(store, lake, *(month.first_day for month in months[i::2])) for i in range(2)]
    seen = []
    while any(process.poll() is None for process in processes):
        seen.append(dict(store.count_months(GREEN)))
    assert [worker.ends(process) for process in processes] == [["True"] * 3] * 2
    whole = {month.first_day: MonthCounts(1000 + i, i) for i, month in enumerate(months)}
    assert store.count_months(GREEN) == whole
    assert all(counts.items() <= whole.items() for counts in seen)


def test_months_that_stand_there_are_replaced_at_once(store: TableStore, lake: Lake, tmp_path: Path) -> None:
    months = [TripMonth("green", add_months(MARCH.first_day, i)) for i in range(6)]
    for version, trips in (("c1", 1000), ("c2", 2000)):
        for month in months:
            put(lake, tmp_path, f"{version}-{month.label}", trips, 5, month)
        processes = [worker.start(store, lake, *(month.first_day for month in months[i::2])) for i in range(2)]
        assert [worker.ends(process) for process in processes] == [["True"] * 3] * 2
    assert store.count_months(GREEN) == {month.first_day: MonthCounts(2000, 5) for month in months}


def test_the_same_month_twice_at_once_is_loaded_once(store: TableStore, lake: Lake, tmp_path: Path) -> None:
    put(lake, tmp_path, "c1", 2000, 20)
    processes = [worker.start(store, lake, MARCH.first_day) for _ in range(2)]
    assert sorted(worker.ends(process)[0] for process in processes) == ["False", "True"]
    assert store.count_months(GREEN) == {MARCH.first_day: MonthCounts(2000, 20)}


def test_a_reader_sees_the_month_before_or_the_one_after(store: TableStore, tmp_path: Path) -> None:
    lakes = [Lake(str(tmp_path / f"lake{i}")) for i in range(3)]
    for i, lake in enumerate(lakes):
        put(lake, tmp_path, f"c{i}", 1000 * (i + 1), 100 * (i + 1))
    load(store, lakes[0])
    seen = set()
    for lake in (*lakes[1:], *lakes):
        process = worker.start(store, lake, MARCH.first_day)
        while process.poll() is None:
            seen.add(store.count_months(GREEN)[MARCH.first_day])
        assert worker.ends(process) == ["True"]
    assert seen == {MonthCounts(1000 * i, 100 * i) for i in range(1, 4)}


def test_months_of_two_datasets_share_the_store(store: TableStore, lake: Lake, tmp_path: Path) -> None:
    put(lake, tmp_path, "c1", 10, 1, APRIL)
    load(store, lake, APRIL)
    yellow = TripMonth("yellow", APRIL.first_day)
    put(lake, tmp_path, "c1", 20, 2, yellow)
    clean = lake.current_clean(yellow)
    assert clean is not None
    store.replace_month(CONTRACTS["yellow"], clean, lake)
    assert store.count_months(GREEN) == {APRIL.first_day: MonthCounts(10, 1)}
    assert store.count_months(CONTRACTS["yellow"]) == {APRIL.first_day: MonthCounts(20, 2)}
