"""Several processes at one store of tables, some of them killed.

Belongs here: that every reader sees whole months and every month arrives. Does not: what one process sees (``tables``).
"""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

import pytest

from taxi_platform.contracts import CONTRACTS
from taxi_platform.months import TripMonth, add_months
from taxi_platform.references import MonthCounts
from taxi_platform.stores.lake.lake import Lake
from taxi_platform.stores.model import TableStore
from taxi_platform.stores.testing import worker
from taxi_platform.stores.testing.months import MARCH, staged_clean

__all__ = ["SharedTableStoreSuite"]

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
        worker.killed_half_way(self._started(address, lake, MARCH, pause=True))
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

    def _started(self, address: str, lake: Lake, *months: TripMonth, pause: bool = False) -> worker.Process:
        return worker.start(self.opener, address, lake, *(month.first_day for month in months), pause=pause)


def put(lake: Lake, folder: Path, version: str, trips: int, quarantined: int, month: TripMonth = MARCH) -> None:
    lake.store_clean(staged_clean(folder, version, trips, quarantined, month))


def load(store: TableStore, lake: Lake, month: TripMonth = MARCH) -> bool:
    clean = lake.current_clean(month)
    assert clean is not None
    return store.replace_month(GREEN, clean, lake).changed
