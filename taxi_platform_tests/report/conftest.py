"""A platform with generated months, their marts, and the report over them."""

from __future__ import annotations

from pathlib import Path

import pytest

from taxi_platform_tests.support.platform import Platform

MONTHS = "2019-06,2020-05,2020-06"


@pytest.fixture(scope="session")
def reported(tmp_path_factory: pytest.TempPathFactory) -> Platform:
    """``taxi run`` and ``taxi report`` as people type them; the pages are in ``report``."""
    folder = tmp_path_factory.mktemp("reported")
    variables = {
        "TAXI_SOURCE": "sample",
        "TAXI_SAMPLE_ROWS": "1000",
        "TAXI_MARTS": "on",
        "TAXI_DATA": str(folder / "data"),
        "TAXI_POSTGRES": "off",
    }
    platform = Platform(folder, variables)
    done = platform.taxi("run", "--datasets", "green", "--months", MONTHS)
    assert done.code == 0, done.err
    done = platform.taxi("report", "--months", "2019-06,2020-06", "--output", "report")
    assert done.code == 0, done.err
    return platform


@pytest.fixture(scope="session")
def pages(reported: Platform) -> Path:
    return reported.folder / "report"
