"""The real thing: daemon, web interface and workers keep the stores as upstream is, while upstream has its bad days."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest

from taxi_platform.partitions import recent_months
from taxi_platform.settings import Settings
from taxi_platform.status import month_statuses
from taxi_platform_tests.automation.conftest import ALL, GREEN, Publisher
from taxi_platform_tests.support.running import RunningPlatform, running_platform
from taxi_platform_tests.support.upstream import Fault, Upstream, serve

NEWEST = [month.label for month in recent_months(GREEN, 6)]
Rows = dict[str, int]


@pytest.fixture
def server(upstream: Publisher) -> Iterator[Upstream]:
    with serve(upstream.folder) as running:
        yield running


@pytest.fixture
def variables(variables: dict[str, str], server: Upstream) -> dict[str, str]:
    return {
        **variables,
        "TAXI_SOURCE_URL": server.url,
        "TAXI_AUTOMATION": "on",
        "TAXI_DATASETS": "green",
        "TAXI_LOOKBACK_MONTHS": "6",
        "TAXI_POLL_SECONDS": "2",
    }


@pytest.fixture
def settings(variables: dict[str, str]) -> Settings:
    return Settings.from_environment(variables)


@pytest.fixture
def platform(tmp_path: Path, variables: dict[str, str]) -> Iterator[RunningPlatform]:
    with running_platform(tmp_path / "home", variables) as running:
        yield running


def whole_months(settings: Settings) -> Rows:
    """Months that every store holds alike → upstream's rows, counted in the stores."""
    return {
        f"{status.file_month:%Y-%m}": status.raw_rows or 0
        for status in month_statuses(settings, [GREEN])
        if status.is_whole
    }


def ever_materialized(platform: RunningPlatform, layer: str) -> set[str]:
    keys = platform.instance.get_materialized_partitions(dg.AssetKey([layer, "green"]))
    return {key[:7] for key in keys}


def path(label: str) -> str:
    return f"green/green_tripdata_{label}.csv.gz"


def test_the_stores_become_what_upstream_has_whatever_upstream_does(
    platform: RunningPlatform, settings: Settings, upstream: Publisher, server: Upstream
) -> None:
    oldest, second, third, fourth, fifth, newest = NEWEST
    upstream.publish(f"{oldest},{second},{fourth}")
    expected = {oldest: 1_000, second: 1_000, fourth: 1_000}
    platform.wait("a first deployment's months", lambda: whole_months(settings) == expected)

    upstream.publish(third)
    upstream.publish(second, rows=1_100)
    upstream.withdraw(oldest)
    upstream.publish_broken(newest)
    expected |= {third: 1_000, second: 1_100}
    platform.wait("a month between, a republished one, a vanished one", lambda: whole_months(settings) == expected)
    platform.wait("the broken file to be tried", lambda: server.count("GET", path(newest)))

    for label in NEWEST:
        server.fail(path(label), Fault.status(503), times=4, method="HEAD")
    upstream.publish(newest)
    upstream.publish(fifth, rows=1_200)
    expected |= {newest: 1_000, fifth: 1_200}
    platform.wait("what came while upstream was down", lambda: whole_months(settings) == expected)
    # A store has a month a moment before Dagster has its record.
    platform.wait("their records", lambda: all(ever_materialized(platform, layer) == set(expected) for layer in ALL))


def test_a_backfill_with_a_bad_month_and_a_killed_worker_loses_nothing(
    platform: RunningPlatform, settings: Settings, upstream: Publisher, server: Upstream
) -> None:
    upstream.publish("2020-01..2020-05")
    upstream.publish_broken("2020-04")
    # The worker is killed while it waits for this month: those before it are in the lake by then.
    server.fail(path("2020-05"), Fault.slow(120), method="GET")
    platform.backfill(ALL, "green", [f"2020-0{month}" for month in range(1, 6)])
    lake = settings.data / "lake/raw/green"
    finished = [lake / f"month=2020-0{month}/manifest.json" for month in (1, 2, 3)]
    platform.wait("three months of the range", lambda: all(file.exists() for file in finished))
    platform.wait("the month that hangs", lambda: server.count("GET", path("2020-05")))
    (run,) = platform.instance.get_runs(dg.RunsFilter(statuses=[dg.DagsterRunStatus.STARTED]))
    platform.kill_worker(run.run_id)

    good = {f"2020-0{month}": 1_000 for month in (1, 2, 3, 5)}
    platform.wait("the good months in every store", lambda: whole_months(settings) == good)
    platform.wait("their records", lambda: all(ever_materialized(platform, layer) == set(good) for layer in ALL))
    assert [server.count("GET", path(f"2020-0{month}")) for month in (1, 2, 3)] == [1, 1, 1]
    crashed = platform.instance.get_run_by_id(run.run_id)
    assert crashed is not None
    assert crashed.status is dg.DagsterRunStatus.FAILURE
    assert [r.parent_run_id for r in platform.instance.get_runs() if r.parent_run_id] == [run.run_id]
