"""What is stale is said by the looks at upstream that the lake keeps, and by nothing else."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import dagster as dg
import pytest

from taxi_platform.orchestration import freshness
from taxi_platform.orchestration.freshness import CHECK, LATE_AFTER, STALE_AFTER, judged
from taxi_platform.orchestration.keys import asset_key
from taxi_platform.stores.lake.lake import Lake
from taxi_platform_tests.automation.conftest import GREEN, Deployment
from taxi_platform_tests.automation.test_sensors import tick

NOW = datetime(2026, 11, 20, 12, tzinfo=timezone.utc)
RAW = asset_key("raw", "green")


class Clock(datetime):
    """A clock that stands at `NOW` plus so many days."""

    days = 0

    @classmethod
    def now(cls, tz: object = None) -> datetime:  # type: ignore[override]
        return NOW + timedelta(days=cls.days)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> type[Clock]:
    Clock.days = 0
    monkeypatch.setattr(freshness, "datetime", Clock)
    return Clock


def sensor_tick(deployment: Deployment, cursor: str | None) -> dg.SensorExecutionData:
    repository = deployment.definitions.get_repository_def()
    given = {"lake": repository.get_top_level_resources()["lake"]}
    with dg.build_sensor_context(
        deployment.instance, cursor=cursor, repository_def=repository, resources=given
    ) as context:
        return repository.get_sensor_def("freshness").evaluate_tick(context)


def test_a_look_of_the_sensor_that_finds_nothing_new_is_noted_in_the_lake(deployment: Deployment) -> None:
    lake, before = Lake(deployment.settings.lake), datetime.now(timezone.utc).replace(microsecond=0)
    assert lake.last_look("green") is None
    assert not tick(deployment).run_requests
    look = lake.last_look("green")
    assert look is not None
    assert look >= before


def test_eighty_quiet_days_with_daily_looks_are_not_stale_and_eighty_without_are(
    deployment: Deployment, clock: type[Clock]
) -> None:
    lake = Lake(deployment.settings.lake)
    cursor: str | None = None
    said: list[tuple[int, bool, dg.AssetCheckSeverity]] = []
    for day in range(165):
        clock.days = day
        if day <= 80:
            lake.note_look("green", NOW + timedelta(days=day))
        data = sensor_tick(deployment, cursor)
        cursor = data.cursor
        for event in data.asset_events:
            assert isinstance(event, dg.AssetCheckEvaluation)
            assert (event.asset_key, event.check_name) == (RAW, CHECK)
            said.append((day, event.passed, event.severity))
    error, warning = dg.AssetCheckSeverity.ERROR, dg.AssetCheckSeverity.WARN
    assert said == [(0, True, error), (80 + 46, False, warning), (80 + 76, False, error)]


@pytest.mark.parametrize(
    ("age", "passed"),
    [(LATE_AFTER, True), (LATE_AFTER + timedelta(seconds=1), False), (STALE_AFTER, False)],
)
def test_the_check_judges_by_the_same_rule(age: timedelta, passed: bool) -> None:
    assert judged(NOW - age, NOW)["passed"] is passed
    assert judged(None, NOW)["passed"]
    assert GREEN.dataset == "green"
