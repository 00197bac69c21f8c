"""The real thing: daemon, web interface and workers keep the stores as upstream is, while upstream has its bad days."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest

from taxi_platform.inspection.status import month_statuses
from taxi_platform.orchestration.keys import asset_key
from taxi_platform.orchestration.metadata import WITHDRAWN
from taxi_platform.orchestration.partitions import recent_months
from taxi_platform.settings import Settings
from taxi_platform_tests.automation.conftest import ALL, GREEN, Publisher
from taxi_platform_tests.support.running import RunningPlatform, running_platform
from taxi_platform_tests.support.upstream import Fault, Upstream, serve

NEWEST = [month.label for month in recent_months(GREEN, 6)]
Rows = dict[str, int | None]


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
        "TAXI_WITHDRAWN": "remove",
    }


@pytest.fixture
def settings(variables: dict[str, str]) -> Settings:
    return Settings.from_environment(variables)


@pytest.fixture
def platform(tmp_path: Path, variables: dict[str, str]) -> Iterator[RunningPlatform]:
    with running_platform(tmp_path / "home", variables) as running:
        yield running


def whole_months(settings: Settings) -> Rows:
    """Months that every store holds alike → upstream's rows, counted in the stores; None where they are not alike."""
    return {
        f"{status.file_month:%Y-%m}": status.raw_rows if status.is_whole else None
        for status in month_statuses(settings, [GREEN])
        if not status.is_gone
    }


def ever_materialized(platform: RunningPlatform, layer: str) -> set[str]:
    keys = platform.instance.get_materialized_partitions(asset_key(layer, "green"))
    return {key[:7] for key in keys}


def recorded(platform: RunningPlatform, layer: str) -> set[str]:
    """Months that a layer holds by Dagster's records: the newest one of a month says whether it was withdrawn."""
    held = set()
    for label in ever_materialized(platform, layer):
        newest = materializations(platform, layer, label)[-1].asset_materialization
        if newest is not None and WITHDRAWN not in newest.metadata:
            held.add(label)
    return held


def materializations(platform: RunningPlatform, layer: str, label: str, since: float = 0.0) -> list[dg.EventLogRecord]:
    """Of one month, oldest first."""
    wanted = dg.AssetRecordsFilter(
        asset_key=asset_key(layer, "green"), asset_partitions=[f"{label}-01"], after_timestamp=since
    )
    return list(platform.instance.fetch_materializations(wanted, limit=100, ascending=True).records)


def was_asked_for_in_time(platform: RunningPlatform, label: str, change: float) -> bool:
    """Whether the run that brought a raw month's change was asked for by one of the first three looks that ended after
    the change; the first of them may have begun before it."""
    (sensor,) = [state for state in platform.instance.all_instigator_state() if state.name == "green_published"]
    looks = platform.instance.get_ticks(sensor.instigator_origin_id, sensor.selector_id)
    after = sorted((look for look in looks if (look.end_timestamp or 0) > change), key=lambda look: look.timestamp)
    changed = [
        record.run_id
        for record in materializations(platform, "raw", label, change)
        if record.asset_materialization and record.asset_materialization.metadata["changed"].value
    ]
    return changed[0] in [run_id for look in after[:3] for run_id in look.run_ids]


def path(label: str) -> str:
    return f"green/green_tripdata_{label}.csv.gz"


@pytest.mark.long
def test_a_month_arrives_by_itself_and_again_when_upstream_replaces_it(
    platform: RunningPlatform, settings: Settings, upstream: Publisher
) -> None:
    newest = NEWEST[-1]
    upstream.publish(newest)
    platform.wait("the month in every store", lambda: whole_months(settings) == {newest: 1_000})
    upstream.publish(newest, rows=1_100)
    platform.wait("its new version in every store", lambda: whole_months(settings) == {newest: 1_100})
    platform.wait("its records", lambda: all(recorded(platform, layer) == {newest} for layer in ALL))


@pytest.mark.long
def test_the_stores_become_what_upstream_has_whatever_upstream_does(
    platform: RunningPlatform, settings: Settings, upstream: Publisher, server: Upstream
) -> None:
    oldest, second, third, fourth, fifth, newest = NEWEST
    upstream.publish(f"{oldest},{second},{fourth}")
    expected = {oldest: 1_000, second: 1_000, fourth: 1_000}
    platform.wait("a first deployment's months", lambda: whole_months(settings) == expected)

    changes = {third: time.time()}
    upstream.publish(third)
    changes[second] = time.time()
    upstream.publish(second, rows=1_100)
    changes[oldest] = time.time()
    upstream.withdraw(oldest)
    upstream.publish_broken(newest)
    expected = {second: 1_100, third: 1_000, fourth: 1_000}
    platform.wait("a month between, a republished one, a vanished one", lambda: whole_months(settings) == expected)
    platform.wait("the broken file to be tried", lambda: server.count("GET", path(newest)))

    def fault_met() -> None:
        changes[fifth] = time.time()

    server.on_fault = fault_met
    for label in NEWEST:
        server.fail(path(label), Fault.status(503), times=4, method="HEAD")
    upstream.publish(newest)
    upstream.publish(fifth, rows=1_200)
    expected |= {newest: 1_000, fifth: 1_200}
    platform.wait("what came while upstream was down", lambda: whole_months(settings) == expected)
    # A store has a month a moment before Dagster has its record.
    platform.wait("their records", lambda: all(recorded(platform, layer) == set(expected) for layer in ALL))
    assert all(ever_materialized(platform, layer) == set(NEWEST) for layer in ALL)
    late = [label for label, change in changes.items() if not was_asked_for_in_time(platform, label, change)]
    assert not late


@pytest.mark.long
def test_a_backfill_with_a_bad_month_and_a_killed_worker_loses_nothing(
    platform: RunningPlatform, settings: Settings, upstream: Publisher, server: Upstream
) -> None:
    upstream.publish("2020-01..2020-05")
    upstream.publish_broken("2020-04")
    # The worker is killed while it waits for this month: those before it are in the lake by then.
    server.fail(path("2020-05"), Fault.slow(120), method="GET")
    backfill = platform.backfill(ALL, "green", [f"2020-0{month}" for month in range(1, 6)])
    lake = settings.data / "lake/raw/green"
    finished = [lake / f"month=2020-0{month}/manifest.json" for month in (1, 2, 3)]
    platform.wait("three months of the range", lambda: all(file.exists() for file in finished))
    platform.wait("the month that hangs", lambda: server.count("GET", path("2020-05")))
    of_backfill = dg.RunsFilter(statuses=[dg.DagsterRunStatus.STARTED], tags={"dagster/backfill": backfill})
    (run,) = platform.instance.get_runs(of_backfill)
    platform.kill_worker(run.run_id)

    good = {f"2020-0{month}": 1_000 for month in (1, 2, 3, 5)}
    platform.wait("the good months in every store", lambda: whole_months(settings) == good)
    platform.wait("their records", lambda: all(ever_materialized(platform, layer) == set(good) for layer in ALL))
    assert [server.count("GET", path(f"2020-0{month}")) for month in (1, 2, 3)] == [1, 1, 1]
    crashed = platform.instance.get_run_by_id(run.run_id)
    assert crashed is not None
    assert crashed.status is dg.DagsterRunStatus.FAILURE
    assert [r.parent_run_id for r in platform.instance.get_runs() if r.parent_run_id] == [run.run_id]


@pytest.mark.long
def test_a_machine_that_goes_down_in_the_middle_of_a_range_takes_it_up_again(
    tmp_path: Path, variables: dict[str, str], settings: Settings, upstream: Publisher, server: Upstream
) -> None:
    months = [f"2020-0{month}" for month in range(1, 4)]
    upstream.publish(f"{months[0]}..{months[-1]}")
    server.fail(path(months[-1]), Fault.slow(120), method="GET")
    with running_platform(tmp_path / "home", variables) as platform:
        platform.backfill(ALL, "green", months)
        platform.wait("the month that hangs", lambda: server.count("GET", path(months[-1])))
        finished = [settings.data / f"lake/raw/green/month={month}/manifest.json" for month in months[:-1]]
        platform.wait("the months before it", lambda: all(file.exists() for file in finished))
        platform.go_down()
        (run,) = platform.instance.get_runs(dg.RunsFilter(statuses=[dg.DagsterRunStatus.STARTED]))
    with running_platform(tmp_path / "home", variables) as platform:
        everything = dict.fromkeys(months, 1_000)
        platform.wait("every month in every store", lambda: whole_months(settings) == everything)
        platform.wait("their records", lambda: all(ever_materialized(platform, layer) == set(months) for layer in ALL))
        crashed = platform.instance.get_run_by_id(run.run_id)
        assert crashed is not None
        assert crashed.status is dg.DagsterRunStatus.FAILURE
        assert [r.parent_run_id for r in platform.instance.get_runs() if r.parent_run_id] == [run.run_id]
    assert [server.count("GET", path(month)) for month in months] == [1, 1, 2]
