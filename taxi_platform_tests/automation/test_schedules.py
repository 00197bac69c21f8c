"""The calendar: the monthly sweep over upstream and the daily reconciliation of the stores."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import dagster as dg
import pytest
from dagster._core.instance.ref import InstanceRef
from pydantic import SecretStr

from taxi_platform.cleaning.version import clean_version
from taxi_platform.months import add_months
from taxi_platform.orchestration.automation import schedules
from taxi_platform.orchestration.automation.repairs import BATCH
from taxi_platform.orchestration.automation.schedules import DAILY, MONTHLY, TIME_ZONE
from taxi_platform.orchestration.keys import place
from taxi_platform.orchestration.partitions import run_months
from taxi_platform.sources.retries import RetryPolicy
from taxi_platform.stores.lake.lake import Lake
from taxi_platform.stores.testing.months import staged_clean, staged_raw
from taxi_platform_tests.automation.conftest import GREEN, Deployment

Asked = list[tuple[str, list[str]]]


@pytest.fixture
def variables(variables: dict[str, str]) -> dict[str, str]:
    return {**variables, "TAXI_LOOKBACK_MONTHS": "6"}


def tick(deployment: Deployment, name: str, at: datetime) -> dg.ScheduleExecutionData:
    repository = deployment.definitions.get_repository_def()
    schedule = repository.get_schedule_def(name)
    given = {key: repository.get_top_level_resources()[key] for key in schedule.required_resource_keys}
    with dg.build_schedule_context(
        scheduled_execution_time=at,
        repository_def=repository,
        resources=given,
        instance_ref=InstanceRef.from_dir(str(deployment.upstream.folder)),
    ) as context:
        # In memory; by itself it would open the one of the reference.
        context._instance = deployment.instance  # type: ignore[assignment]
        return schedule.evaluate_tick(context)


def asked(data: dg.ScheduleExecutionData) -> Asked:
    """Of each run: its first and last month, and the layers it is for (none: the whole job)."""
    found = []
    for request in data.run_requests or []:
        months = run_months(GREEN, request.tags) or ()
        layers = [at.layer for at in map(place, request.asset_selection or []) if at]
        found.append((f"{months[0].label}..{months[-1].label}", layers))
    return found


def morning(year: int, month: int, day: int) -> datetime:
    return datetime(year, month, day, 5, tzinfo=ZoneInfo(TIME_ZONE))


def test_the_calendar_is_new_yorks(deployment: Deployment) -> None:
    repository = deployment.definitions.get_repository_def()
    times = {s.name: (s.cron_schedule, s.execution_timezone) for s in repository.schedule_defs}
    assert times == {
        "green_sweep": ("0 5 1 * *", "America/New_York"),
        "green_reconciliation": ("0 6 * * *", "America/New_York"),
        "taxi_retention": ("30 4 * * *", "America/New_York"),
    }
    assert (MONTHLY, DAILY) == ("0 5 1 * *", "0 6 * * *")


def test_the_sweep_asks_for_every_published_month_of_the_window(deployment: Deployment) -> None:
    deployment.upstream.publish("2020-01..2020-07")
    assert asked(tick(deployment, "green_sweep", morning(2020, 9, 1))) == [("2020-03..2020-07", [])]
    deployment.upstream.withdraw("2020-05")
    requests = tick(deployment, "green_sweep", morning(2020, 9, 1))
    assert asked(requests) == [("2020-03..2020-04", []), ("2020-06..2020-07", [])]


def test_the_sweep_asks_for_months_that_upstream_gives_no_answer_for(
    deployment: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(schedules, "TICK_RETRIES", RetryPolicy(attempts=1, connect_timeout=0.5))
    deployment.settings = deployment.settings.model_copy(update={"source_url": "http://127.0.0.1:1"})
    assert asked(tick(deployment, "green_sweep", morning(2020, 9, 1))) == [("2020-03..2020-08", [])]


def test_nothing_is_asked_for_where_nothing_is_published_or_everything_is_whole(deployment: Deployment) -> None:
    assert tick(deployment, "green_sweep", morning(2020, 9, 1)).skip_message
    deployment.upstream.publish("2020-03..2020-04")
    assert deployment.run("2020-03..2020-04").success
    assert tick(deployment, "green_reconciliation", morning(2020, 9, 1)).skip_message


def test_the_reconciliation_asks_for_exactly_what_is_missing_or_differs(deployment: Deployment) -> None:
    import psycopg

    deployment.upstream.publish("2020-01..2020-06")
    assert deployment.run("2020-01..2020-06").success
    with psycopg.connect(deployment.settings.postgres.get_secret_value()) as connection:
        connection.execute("DELETE FROM taxi.green_trips WHERE file_month IN ('2020-02-01', '2020-03-01')")
    (trips,) = (deployment.settings.data / "lake/trips/green/month=2020-05").glob("*.parquet")
    trips.unlink()
    data = tick(deployment, "green_reconciliation", morning(2020, 9, 2))
    assert sorted(asked(data)) == [
        ("2020-02..2020-03", ["postgres"]),
        ("2020-05..2020-05", ["trips", "warehouse", "postgres"]),
    ]
    for months, layers in asked(data):
        assert deployment.run(months, layers).success
    views = deployment.settings.views
    assert views is not None
    views.unlink()
    assert tick(deployment, "green_reconciliation", morning(2020, 9, 3)).skip_message
    assert views.exists(), "the views are part of the whole"


def test_the_reconciliation_leaves_alone_what_is_under_way(deployment: Deployment) -> None:
    deployment.upstream.publish("2020-01..2020-02")
    assert deployment.run("2020-01..2020-02", ["raw", "trips"]).success
    deployment.instance.create_run_for_job(
        deployment.definitions.resolve_job_def("green_months"),
        tags={"dagster/partition": "2020-01-01"},
        status=dg.DagsterRunStatus.STARTED,
    )
    data = tick(deployment, "green_reconciliation", morning(2020, 9, 2))
    assert asked(data) == [("2020-02..2020-02", ["warehouse", "postgres"])]


@pytest.mark.long
def test_months_of_which_upstream_has_nothing_are_asked_for_by_no_tick_however_many_they_are(
    deployment: Deployment, tmp_path: Path
) -> None:
    """An earlier release converted them all, and they are more than a tick asks for."""
    off = {"warehouse": "off", "postgres": SecretStr("off")}
    alone = replace(deployment, settings=deployment.settings.model_copy(update=off))
    lake = Lake(alone.settings.lake)
    for number in range(BATCH + 2):
        month = GREEN.month(add_months(date(2016, 1, 1), number))
        lake.store_raw(staged_raw(tmp_path, "v1-r0", month=month))
        version = clean_version(GREEN, "v1-r0")
        lake.store_clean(staged_clean(tmp_path, version, month=month, raw_version="v1-r0"))
    data = tick(alone, "green_reconciliation", morning(2020, 9, 1))
    assert asked(data) == []
    assert (data.skip_message or "").count("upstream has it no longer") == BATCH + 2
