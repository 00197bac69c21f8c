"""What tests of several files begin with: two generated months that ``taxi run`` has brought."""

from __future__ import annotations

from pathlib import Path

import pytest

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
