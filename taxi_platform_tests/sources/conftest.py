"""A small upstream of our own, in both layouts, and a source that loses no time between attempts."""

from __future__ import annotations

import os
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path

import pytest

from taxi_platform.months import TripMonth
from taxi_platform.sources import RetryPolicy
from taxi_platform_tests.support.upstream import Upstream, serve

AT_ONCE = RetryPolicy(attempts=3, first_wait=0, longest_wait=0, connect_timeout=5, read_timeout=5)
MONTH = TripMonth("green", date(2020, 3, 1))
MONTH_PATH = "green/green_tripdata_2020-03.csv.gz"


@pytest.fixture
def published(tmp_path: Path) -> Path:
    """A folder in the dtc layout: one month (bytes enough for several chunks) and the zones."""
    folder = tmp_path / "published"
    for path in (MONTH_PATH, "misc/taxi_zone_lookup.csv"):
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
    (folder / MONTH_PATH).write_bytes(os.urandom(3_000_000))
    (folder / "misc/taxi_zone_lookup.csv").write_text('"locationid"\r\n1\r\n')
    return folder


@pytest.fixture
def upstream(published: Path) -> Iterator[Upstream]:
    with serve(published) as running:
        yield running


@contextmanager
def files_no_larger_than(size: int) -> Iterator[None]:
    """The kernel refuses to let this process grow a file further: the nearest to a full disk without mounting one."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
