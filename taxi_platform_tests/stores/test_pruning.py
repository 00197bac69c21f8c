"""Pruning: only raw versions that nothing needs go, and only when they are old enough."""

from __future__ import annotations

import os
import time
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from pathlib import Path

from taxi_platform.stores.lake.lake import Lake
from taxi_platform.stores.testing.months import MARCH, staged_clean, staged_raw

NOTHING = timedelta(0)


def bring(lake: Lake, folder: Path, version: str, days_ago: int = 0) -> None:
    staged = staged_raw(folder, version, token=version)
    fetched = datetime.now(timezone.utc) - timedelta(days=days_ago)
    lake.store_raw(replace(staged, raw=replace(staged.raw, fetched_at=fetched.isoformat(timespec="seconds"))))


def removed(lake: Lake, age: timedelta = NOTHING) -> list[str]:
    found = [old.name for old in lake.pruning.unneeded([MARCH], age)]
    assert [old.name for old in lake.pruning.remove(MARCH, age)] == found
    return found


def kept(lake: Lake) -> list[str]:
    versions = [raw.version for raw in lake.raw_versions(MARCH)]
    stored = {path for path in lake._objects.paths("raw/green") if path.endswith(".parquet")}
    assert stored == {f"raw/green/month=2020-03/{version}.parquet" for version in versions}
    return versions


def test_the_current_version_and_that_of_the_trips_stay(lake_url: str, tmp_path: Path) -> None:
    lake = Lake(lake_url)
    for version in ("v1", "v2", "v3"):
        bring(lake, tmp_path, version)
    lake.store_clean(staged_clean(tmp_path, "c2", raw_version="v2"))
    assert removed(lake) == ["v1"]
    assert kept(lake) == ["v2", "v3"]
    lake.store_clean(staged_clean(tmp_path, "c3", raw_version="v3"))
    assert removed(lake) == ["v2"]
    assert kept(lake) == ["v3"]
    assert removed(lake) == []


def test_a_selected_version_and_upstreams_stay(lake: Lake, tmp_path: Path) -> None:
    for version in ("v1", "v2", "v3"):
        bring(lake, tmp_path, version)
    lake.select_raw(MARCH, "v1")
    assert removed(lake) == ["v2"]
    assert kept(lake) == ["v1", "v3"]


def test_the_newest_version_of_a_withdrawn_month_stays(lake: Lake, tmp_path: Path) -> None:
    for version in ("v1", "v2"):
        bring(lake, tmp_path, version)
    lake.withdraw_raw(MARCH)
    assert removed(lake) == ["v1"]
    assert kept(lake) == ["v2"]


def test_a_version_stays_until_it_was_superseded_long_enough_ago(lake: Lake, tmp_path: Path) -> None:
    for version, days_ago in (("v1", 90), ("v2", 40), ("v3", 10)):
        bring(lake, tmp_path, version, days_ago)
    assert removed(lake, timedelta(days=30)) == ["v1"]
    assert kept(lake) == ["v2", "v3"]


def test_what_a_crash_left_without_a_name_goes_when_it_is_old(lake: Lake, tmp_path: Path) -> None:
    bring(lake, tmp_path, "v1")
    left = Path(lake.uri("raw/green/month=2020-03/v0.parquet"))
    left.write_bytes(b"the manifest no longer names it")
    day = timedelta(days=1)
    assert removed(lake, day) == []
    two_days_ago = time.time() - 2 * 86_400
    os.utime(left, (two_days_ago, two_days_ago))
    assert removed(lake, day) == ["v0.parquet"]
    assert kept(lake) == ["v1"]
