"""What tests of several files begin with: two generated months that ``taxi run`` has brought, or a small warehouse."""

from __future__ import annotations

from pathlib import Path

import pytest

from taxi_platform.contracts import CONTRACTS
from taxi_platform.stores.duckdb.store import DuckDBStore
from taxi_platform.stores.lake.lake import Lake
from taxi_platform.stores.testing.months import staged_clean, staged_raw
from taxi_platform_tests.support.once import made_once
from taxi_platform_tests.support.platform import Platform


def _generated(folder: Path) -> Platform:
    sample = {"TAXI_SOURCE": "sample", "TAXI_SAMPLE_ROWS": "2000"}
    return Platform(folder, {**sample, "TAXI_DATA": str(folder / "data"), "TAXI_MARTS": "on"})


def _bring(folder: Path) -> None:
    done = _generated(folder).taxi("run", "--datasets", "green", "--months", "2021-06..2021-07")
    assert done.code == 0, done.text


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Platform:
    """Two generated months in the stores that are there without any setting. A test that changes them takes a copy."""
    return _generated(made_once(tmp_path_factory, "generated-months", _bring))


@pytest.fixture
def one_month(tmp_path: Path) -> Platform:
    """A warehouse that has one small month, and nothing else is on."""
    made = Platform(tmp_path, {"TAXI_DATA": str(tmp_path / "data"), "TAXI_POSTGRES": "off"})
    lake = Lake(str(made.data / "lake"))
    lake.store_raw(staged_raw(tmp_path / "staged", rows=150))
    clean = lake.store_clean(staged_clean(tmp_path / "staged", trips=149, quarantined=1))
    DuckDBStore(made.data / "warehouse.duckdb").replace_month(CONTRACTS["green"], clean, lake)
    return made
