"""Several processes at one store of tables, some of them killed.

Belongs here: that every reader sees whole months and every month arrives. Does not: what one process sees (``tables``).
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import ClassVar

import pytest

from taxi_platform.contracts import CONTRACTS
from taxi_platform.marts import marts_of
from taxi_platform.months import TripMonth, add_months
from taxi_platform.references import CleanMonth, MonthCounts
from taxi_platform.stores.lake.lake import Lake
from taxi_platform.stores.model import HeldMart, StoreOfMarts, TableStore
from taxi_platform.stores.testing import worker
from taxi_platform.stores.testing.marts import TRICKY, assert_marts, loaded
from taxi_platform.stores.testing.months import MARCH, staged_clean
from taxi_platform.stores.testing.tables import Query

__all__ = ["SharedMartStoreSuite", "SharedTableStoreSuite"]

GREEN = CONTRACTS["green"]
SIX_MONTHS = [TripMonth("green", add_months(MARCH.first_day, i)) for i in range(6)]


class SharedTableStoreSuite:
    """Subclass it, and say how another process opens the store."""

    opener: ClassVar[str]
    """``module:name`` of what takes the address and returns the store; it waits for others for a minute at least."""

    @pytest.fixture
    def store(self) -> TableStore:
        """A store that has nothing, and waits for others for a minute."""
        raise NotImplementedError("give the suite a fixture store")

    @pytest.fixture
    def address(self) -> str:
        """The address at which another process opens that store."""
        raise NotImplementedError("give the suite a fixture address")

    @pytest.fixture
    def lake(self, tmp_path: Path) -> Lake:
        return Lake(str(tmp_path / "lake"))

    @pytest.mark.parametrize("first", [True, False], ids=["of an empty store", "of a month before"])
    def test_a_load_killed_half_way_leaves_the_store_as_it_was(
        self, store: TableStore, address: str, lake: Lake, tmp_path: Path, first: bool
    ) -> None:
        before = {}
        if not first:
            put(lake, tmp_path, "c1", 30, 3)
            load(store, lake)
            before = {MARCH.first_day: MonthCounts(30, 3)}
        put(lake, tmp_path, "c2", 500, 7)
        worker.killed_half_way(self._started(address, lake, MARCH, pause=worker.A_MONTH))
        assert store.count_months(GREEN) == before
        assert load(store, lake)
        assert store.count_months(GREEN) == {MARCH.first_day: MonthCounts(500, 7)}

    def test_two_processes_load_two_months_while_a_third_reads(
        self, store: TableStore, address: str, lake: Lake, tmp_path: Path
    ) -> None:
        for i, month in enumerate(SIX_MONTHS):
            put(lake, tmp_path, f"c{i}", 1000 + i, i, month)
        processes = [self._started(address, lake, *SIX_MONTHS[i::2]) for i in range(2)]
        seen = []
        while any(process.poll() is None for process in processes):
            seen.append(dict(store.count_months(GREEN)))
        assert [worker.ends(process) for process in processes] == [["True"] * 3] * 2
        whole = {month.first_day: MonthCounts(1000 + i, i) for i, month in enumerate(SIX_MONTHS)}
        assert store.count_months(GREEN) == whole
        assert all(counts.items() <= whole.items() for counts in seen)

    def test_months_that_stand_there_are_replaced_at_once(
        self, store: TableStore, address: str, lake: Lake, tmp_path: Path
    ) -> None:
        for version, trips in (("c1", 1000), ("c2", 2000)):
            for month in SIX_MONTHS:
                put(lake, tmp_path, f"{version}-{month.label}", trips, 5, month)
            processes = [self._started(address, lake, *SIX_MONTHS[i::2]) for i in range(2)]
            assert [worker.ends(process) for process in processes] == [["True"] * 3] * 2
        assert store.count_months(GREEN) == {month.first_day: MonthCounts(2000, 5) for month in SIX_MONTHS}

    def test_the_same_month_twice_at_once_is_loaded_once(
        self, store: TableStore, address: str, lake: Lake, tmp_path: Path
    ) -> None:
        put(lake, tmp_path, "c1", 2000, 20)
        processes = [self._started(address, lake, MARCH) for _ in range(2)]
        assert sorted(worker.ends(process)[0] for process in processes) == ["False", "True"]
        assert store.count_months(GREEN) == {MARCH.first_day: MonthCounts(2000, 20)}

    def test_a_reader_sees_the_month_before_or_the_one_after(
        self, store: TableStore, address: str, tmp_path: Path
    ) -> None:
        lakes = [Lake(str(tmp_path / f"lake{i}")) for i in range(3)]
        for i, lake in enumerate(lakes):
            put(lake, tmp_path, f"c{i}", 1000 * (i + 1), 100 * (i + 1))
        load(store, lakes[0])
        seen = set()
        for lake in (*lakes[1:], *lakes):
            process = self._started(address, lake, MARCH)
            while process.poll() is None:
                seen.add(store.count_months(GREEN)[MARCH.first_day])
            assert worker.ends(process) == ["True"]
        assert seen == {MonthCounts(1000 * i, 100 * i) for i in range(1, 4)}

    def _started(self, address: str, lake: Lake, *months: TripMonth, pause: str = "") -> worker.Process:
        return worker.start(self.opener, address, lake, *(month.first_day for month in months), pause=pause)


class SharedMartStoreSuite:
    """Subclass it as `SharedTableStoreSuite`, where the store makes marts."""

    opener: ClassVar[str]
    readers_wait: ClassVar[bool] = False
    """Whether nobody reads the store while another process writes to it."""

    @pytest.fixture
    def store(self) -> StoreOfMarts:
        """A store that has nothing, and waits for others for a minute."""
        raise NotImplementedError("give the suite a fixture store")

    @pytest.fixture
    def address(self) -> str:
        """The address at which another process opens that store."""
        raise NotImplementedError("give the suite a fixture address")

    @pytest.fixture
    def query(self) -> Query:
        """Runs SQL at that store as another program would."""
        raise NotImplementedError("give the suite a fixture query")

    @pytest.fixture
    def lake(self, tmp_path: Path) -> Lake:
        return Lake(str(tmp_path / "lake"))

    def test_marts_killed_half_way_are_those_before_and_made_by_the_next_run(
        self, store: StoreOfMarts, address: str, query: Query, lake: Lake, tmp_path: Path
    ) -> None:
        before = loaded(store, lake, tmp_path)
        store.make_marts(GREEN, marts_of(GREEN), MARCH.first_day)
        loaded(store, lake, tmp_path, version="c2", rows=TRICKY[3:])
        tables = self.tables(query)
        self._kill_and_make(store, address, lake, before)
        assert self.tables(query) == tables, "something is left over"

    def test_the_first_marts_killed_half_way_are_none_and_made_by_the_next_run(
        self, store: StoreOfMarts, address: str, lake: Lake, tmp_path: Path
    ) -> None:
        loaded(store, lake, tmp_path)
        self._kill_and_make(store, address, lake, None)

    def _kill_and_make(self, store: StoreOfMarts, address: str, lake: Lake, before: CleanMonth | None) -> None:
        held, now = store.held_marts(GREEN), lake.current_clean(MARCH)
        assert now is not None
        process = worker.start(self.opener, address, lake, MARCH.first_day, pause=worker.ALL_MARTS)
        with worker.half_way(process):
            if not self.readers_wait:
                self.assert_as_before(store, before, lake, held)
            process.kill()
        self.assert_as_before(store, before, lake, held)
        assert store.make_marts(GREEN, marts_of(GREEN), MARCH.first_day).changed
        made = store.held_marts(GREEN)[MARCH.first_day]
        assert {mart.data_version for mart in made.values()} == {now.facts.version}
        assert_marts(store, GREEN, now, lake)

    def tables(self, query: Query) -> list[str]:
        """Every table that the store has."""
        return [name for (name,) in query("SELECT table_name FROM information_schema.tables ORDER BY 1")]

    def assert_as_before(
        self, store: StoreOfMarts, before: CleanMonth | None, lake: Lake, held: Mapping[date, Mapping[str, HeldMart]]
    ) -> None:
        """What readers find while marts are made, and after a kill: those of that month, or none."""
        assert store.held_marts(GREEN) == held
        if before is not None:
            assert_marts(store, GREEN, before, lake)


def put(lake: Lake, folder: Path, version: str, trips: int, quarantined: int, month: TripMonth = MARCH) -> None:
    lake.store_clean(staged_clean(folder, version, trips, quarantined, month))


def load(store: TableStore, lake: Lake, month: TripMonth = MARCH) -> bool:
    clean = lake.current_clean(month)
    assert clean is not None
    return store.replace_month(GREEN, clean, lake).changed
