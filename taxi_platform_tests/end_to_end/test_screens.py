"""What people see on a terminal of 80 columns."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

import pytest

from taxi_platform_tests.support.platform import Platform
from taxi_platform_tests.support.terminal import on_a_terminal

TABLES = """
from datetime import date
from taxi_platform.cli.report import MonthWork, print_run, print_statuses
from taxi_platform.months import TripMonth
from taxi_platform.settings import Settings
from taxi_platform.inspection.status import MonthStatus

settings = Settings.from_environment({"TAXI_DATA": "/data"})
common = dict(dataset="fhvhv", source_etag=None)
statuses = [
    MonthStatus(**common, file_month=date(2019, 3, 1), raw_rows=123_864_442, trips_rows=123_800_001,
                quarantined_rows=10_064_441, table_rows={"warehouse": 123_800_001, "postgres": None},
                behind={"postgres": "does not have it"}),
    MonthStatus(**common, file_month=date(2019, 4, 1), raw_rows=21_864_442, trips_rows=21_800_001,
                quarantined_rows=64_441, table_rows={"warehouse": 21_800_001, "postgres": 21_800_001}),
]
work = {
    TripMonth("fhvhv", date(2019, 3, 1)): MonthWork(seconds=12_345.6, changed=True),
    TripMonth("fhvhv", date(2019, 4, 1)): MonthWork(),
}
print_run(statuses, work, settings)
print_statuses(statuses, settings)
"""


def test_at_80_columns_no_month_and_no_number_is_shortened(tmp_path: Path) -> None:
    with on_a_terminal([sys.executable, "-c", TABLES], tmp_path, os.environ, columns=80) as terminal:
        assert terminal.finish() == 0
    screen = terminal.screen
    assert "…" not in screen
    counts = ["123,864,442", "123,800,001", "10,064,441", "123,800,001", "-"]
    for row in (
        ["fhvhv", "2019-03", *counts],
        ["fhvhv", "2019-03", "12345.6", "10,033", "behind:", "postgres"],
    ):
        assert row in [line.split() for line in terminal.lines], screen
    assert ["fhvhv", "2019-04", "unchanged"] in [line.split() for line in terminal.lines]


def test_a_wide_terminal_has_it_all_in_one_table(tmp_path: Path) -> None:
    with on_a_terminal([sys.executable, "-c", TABLES], tmp_path, os.environ, columns=120) as terminal:
        assert terminal.finish() == 0
    assert any("123,864,442" in line and "10,033" in line and "behind: postgres" in line for line in terminal.lines)


@pytest.fixture
def platform(tmp_path: Path) -> Platform:
    return Platform(tmp_path, {"TAXI_SOURCE": "sample", "TAXI_DATA": str(tmp_path / "data")})


def test_a_second_taxi_dev_on_one_instance_is_one_sentence(platform: Platform) -> None:
    first = platform.start("dev", "--port", "39871")
    try:
        command = Path(f"/proc/{first.pid}/cmdline")
        while b"dagster\0dev" not in command.read_bytes():  # the lock is to outlive the change of program
            assert first.poll() is None, platform.finish(first).text
            time.sleep(0.1)
        second = platform.taxi("dev", "--port", "39872")
    finally:
        first.kill()
        first.communicate()
    home = platform.data / "dagster"
    sentence = f"Error: taxi dev serves {home} already, at http://127.0.0.1:39871: open that, or end it first\n"
    assert (second.code, second.err) == (1, sentence)
