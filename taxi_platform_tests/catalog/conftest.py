"""A platform with generated months in every store of a laptop, the report and a snapshot of one, and the catalog."""

from __future__ import annotations

from pathlib import Path

import pytest

from taxi_platform_tests.support.platform import Platform


@pytest.fixture(scope="session")
def catalogued(tmp_path_factory: pytest.TempPathFactory) -> Platform:
    """``taxi run``, ``report``, ``snapshot`` and ``catalog`` as people type them."""
    folder = tmp_path_factory.mktemp("catalogued")
    variables = {
        "TAXI_SOURCE": "sample",
        "TAXI_SAMPLE_ROWS": "1000",
        "TAXI_MARTS": "on",
        "TAXI_DATA": str(folder / "data"),
    }
    platform = Platform(folder, variables)
    for command in (
        ["run", "--datasets", "green", "--months", "2019-06,2020-06"],
        ["report", "--months", "2020-06"],
        ["snapshot", "create", "first", "--months", "2020-06"],
        ["catalog"],
    ):
        done = platform.taxi(*command)
        assert done.code == 0, done.err
    assert done.out == f"{platform.data / 'catalog' / 'index.html'}\n"
    return platform


@pytest.fixture(scope="session")
def site(catalogued: Platform) -> Path:
    return catalogued.data / "catalog"
