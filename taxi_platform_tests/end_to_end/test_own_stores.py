"""``taxi`` with stores of a user's own, by the documented variables: a server, a warehouse that will not open, none."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from taxi_platform.stores.embedded_postgres import EmbeddedPostgres
from taxi_platform_tests.support.platform import Platform

MONTH = ("--datasets", "green", "--months", "2021-07")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a server that the platform under test did not start."""
    with EmbeddedPostgres(tmp_path_factory.mktemp("own") / "postgres").running() as url:
        yield url


@pytest.fixture
def platform(tmp_path: Path) -> Platform:
    data = str(tmp_path / "data")
    return Platform(tmp_path, {"TAXI_DATA": data, "TAXI_SOURCE": "sample", "TAXI_SAMPLE_ROWS": "1000"})


def test_months_arrive_in_a_server_of_ones_own(platform: Platform, server: str) -> None:
    platform.variables["TAXI_POSTGRES"] = server
    done = platform.taxi("run", *MONTH)
    assert done.code == 0, done.text
    raw, trips, quarantined, warehouse, postgres = platform.rows()["green 2021-07"]
    assert raw == 1_000 == (trips or 0) + (quarantined or 0)
    assert trips == warehouse == postgres
    assert not (platform.data / "postgres").exists(), "a server of our own was started beside the user's"


def test_a_warehouse_that_will_not_open_stops_nothing_else(platform: Platform) -> None:
    broken = platform.folder / "broken.duckdb"
    broken.write_text("no database" * 1_000)
    platform.variables["TAXI_WAREHOUSE"] = str(broken)
    done = platform.taxi("run", *MONTH)
    assert done.code == 1
    assert "broken.duckdb" in done.text
    assert "Traceback" not in done.text
    assert list(platform.data.glob("lake/raw/green/month=2021-07/*.parquet"))
    assert list(platform.data.glob("lake/trips/green/month=2021-07/*.parquet"))


@pytest.mark.parametrize("option", ["--months", "--datasets"])
def test_an_empty_choice_is_refused(platform: Platform, option: str) -> None:
    done = platform.taxi("run", option, "")
    assert done.code == 1
    assert done.err.startswith(f"Error: no {option[2:-1]} is named: ")
    assert not platform.data.exists()
