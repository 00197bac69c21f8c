"""A month that upstream publishes again with other rows, and a platform that brought each version.

Belongs here: the upstream folder and the runs. Does not: asserting.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from taxi_platform.months import parse_month
from taxi_platform.sources.sample import write_month
from taxi_platform.sources.sample.zones import lookup_csv
from taxi_platform_tests.support.platform import Platform

__all__ = ["GREEN", "NAME", "bring_versions", "publish", "upstream_folder"]

GREEN = ("--datasets", "green", "--months", "2020-03")
"""The month, as options of ``taxi run``."""
NAME = "green 2020-03"


def upstream_folder(folder: Path) -> Path:
    """Make the folder an upstream of the zones and one green month, in the dtc layout."""
    for name in ("misc", "green"):
        (folder / name).mkdir()
    (folder / "misc/taxi_zone_lookup.csv").write_bytes(lookup_csv())
    return folder


def publish(folder: Path, rows: int) -> None:
    """Publish the month (again) with so many rows."""
    write_month("green", parse_month("2020-03"), rows, folder / "green/green_tripdata_2020-03.csv.gz", "csv.gz")


def bring_versions(
    folder: Path, home: Path, postgres: str, after_the_first: Callable[[Platform], object] = lambda _: None
) -> Platform:
    """A platform that brought the month with 1,000 rows and then with 1,200; between the two something may be done."""
    source = {"TAXI_SOURCE": "dtc", "TAXI_SOURCE_URL": str(folder)}
    platform = Platform(home, {**source, "TAXI_DATA": str(home / "data"), "TAXI_POSTGRES": postgres})
    for rows in (1_000, 1_200):
        publish(folder, rows)
        done = platform.taxi("run", *GREEN)
        assert done.code == 0, done.text
        if rows == 1_000:
            after_the_first(platform)
    return platform
